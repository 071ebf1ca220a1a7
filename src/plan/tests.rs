//! Decisions, each with its reason.

use std::collections::BTreeMap;

use crate::api::fixtures::llm;
use crate::api::settings::{
    Adapter, Backend, Implementation, Lora, MonitorKind, Monitoring, Settings, Target, Toggle, Transport,
};
use crate::api::{Duration, Host};
use crate::observe::{
    Asked, ConditionFacts, DeploymentFacts, Facts, Form, Live, Marks, Observed, ObservedObject, Parent,
    ScaledObjectFacts, Synced, VllmRuntimeFacts,
};

use super::keys::Key;
use super::{HandoverStep, IngressPlan, Plan, ScaledObjectPlan, ScalingPlan, Withheld, plan};

pub(super) const HOST: &str = "llama.example.com";

fn decided(settings: &Settings, observed: &Observed) -> Plan {
    plan(settings, observed).unwrap()
}

pub(super) fn autoscaler(settings: &Settings) -> ScaledObjectPlan {
    match decided(settings, &Observed::default()).scaling {
        ScalingPlan::On(plan) => plan,
        other @ (ScalingPlan::Off | ScalingPlan::Withheld(_)) => panic!("no autoscaler: {other:?}"),
    }
}

/// A live model that runs where `llm()` asks for it.
fn live(asked: Asked, facts: Facts) -> ObservedObject {
    ObservedObject {
        name: Some("llama-0123456789ab".to_owned()),
        form: Form::NamespacedObject,
        synced: Some(Synced::True),
        provider_config: Some("gpu-cluster".to_owned()),
        only_looks: false,
        asked: Asked { name: Some("llama".to_owned()), namespace: Some("team-a".to_owned()), ..asked },
        live: Some(Live { generation: Some(1), hostnames: vec![HOST.to_owned()], facts, ..Live::default() }),
        marks: None,
        unreadable: None,
    }
}

fn runtime(asked_replicas: Option<u32>, has_deployment_strategy: bool) -> Observed {
    let facts = VllmRuntimeFacts { has_deployment_strategy, ..VllmRuntimeFacts::default() };
    Observed::default().with(
        Key::VllmRuntime,
        live(Asked { replicas: asked_replicas, ..Asked::default() }, Facts::VllmRuntime(facts)),
    )
}

impl Observed {
    fn with(mut self, key: Key, object: ObservedObject) -> Self {
        self.objects.insert(key, object);
        self
    }
}

#[test]
fn exactly_one_writer_of_replicas() {
    struct Case {
        settings: Settings,
        observed: Observed,
        replicas: Option<u32>,
        withheld: Option<Withheld>,
        reason: &'static str,
    }
    let cases = [
        Case {
            settings: llm(),
            observed: Observed::default(),
            replicas: Some(1),
            withheld: None,
            reason: "scaling off means exactly minReplicas",
        },
        Case {
            settings: llm().scaled(1, 4),
            observed: Observed::default(),
            replicas: None,
            withheld: None,
            reason: "a new model with scaling never carries the field",
        },
        Case {
            settings: llm().scaled(1, 4),
            observed: runtime(None, true),
            replicas: None,
            withheld: None,
            reason: "a live model whose replicas we never owned stays with the autoscaler",
        },
        Case {
            settings: llm().scaled(1, 4),
            observed: runtime(Some(3), true),
            replicas: Some(3),
            withheld: Some(Withheld::HandoverPending(HandoverStep::Sharing)),
            reason: "dropping a field that only we own would reset it to 1",
        },
        Case {
            settings: llm().scaled(2, 4),
            observed: runtime(None, false),
            replicas: Some(2),
            withheld: Some(Withheld::TargetNotScalable),
            reason: "on a stub CRD a missing count means no pods",
        },
        Case {
            settings: llm().scaled(0, 4),
            observed: runtime(None, false),
            replicas: Some(1),
            withheld: Some(Withheld::TargetNotScalable),
            reason: "nothing could wake a model that cannot be scaled",
        },
    ];
    for Case { settings, observed, replicas, withheld, reason } in cases {
        let plan = decided(&settings, &observed);
        assert_eq!(plan.workload.replicas, replicas, "{reason}");
        match plan.scaling {
            ScalingPlan::Withheld(why) => assert_eq!(Some(why), withheld, "{reason}"),
            ScalingPlan::Off | ScalingPlan::On(_) => assert_eq!(None, withheld, "{reason}"),
        }
    }
}

#[test]
fn a_model_that_may_sleep_is_woken_by_the_picker() {
    let settings = llm().hosted(HOST).scaled(0, 4);
    let names: Vec<&str> = autoscaler(&settings).triggers.iter().map(|trigger| trigger.name).collect();
    assert_eq!(names, ["queue-depth", "full-engines", "picker-queue", "picker-running"]);

    let plan = decided(&settings, &Observed::default());
    assert!(plan.own_picker().unwrap().holds, "requests must wait while the model starts");
    assert!(plan.monitoring.unwrap().picker, "the queue must be scraped");
    assert_eq!(
        plan.routing.unwrap().request_timeout,
        Duration::from_seconds(900),
        "coldStart + gateway.timeout"
    );
}

#[test]
fn every_wait_follows_from_the_cold_start() {
    let cases = [
        (600, 660, 660, "the default"),
        (60, 300, 120, "never asleep sooner than KEDA's own default"),
        (1800, 1860, 1860, "a large model"),
    ];
    for (cold_start, cooldown, initial, reason) in cases {
        let mut settings = llm().hosted(HOST).scaled(0, 4);
        settings.cold_start = Duration::from_seconds(cold_start);
        let zero = autoscaler(&settings).zero.unwrap();
        assert_eq!((zero.cooldown_seconds, zero.initial_cooldown_seconds), (cooldown, initial), "{reason}");
        assert_eq!(zero.polling_interval_seconds, 15);
    }
    assert_eq!(
        autoscaler(&llm().scaled(1, 4)).zero,
        None,
        "KEDA warns about these settings above zero replicas"
    );
}

#[test]
fn the_ingress_stays_until_its_route_is_accepted() {
    let old = || {
        let asked = Asked { ingress_host: Some("old.example.com".to_owned()), ..Asked::default() };
        Observed::default().with(Key::Ingress, live(asked, Facts::Exists))
    };
    let accepted = || {
        let condition = |kind: &str| ConditionFacts {
            kind: kind.to_owned(),
            status: "True".to_owned(),
            observed_generation: Some(1),
            ..ConditionFacts::default()
        };
        let parent = Parent {
            kind: Some("Gateway".to_owned()),
            name: "eg".to_owned(),
            namespace: Some("envoy-gateway-system".to_owned()),
            conditions: vec![condition("Accepted"), condition("ResolvedRefs")],
        };
        live(Asked::default(), Facts::Parents(vec![parent]))
    };
    let mut asked_for = llm();
    asked_for.ingress_host = Some(Host::parse("old.example.com").unwrap());
    let kept = || IngressPlan::Kept("old.example.com".to_owned());
    let cases = [
        (
            asked_for,
            Observed::default(),
            IngressPlan::Wanted("old.example.com".to_owned()),
            "ingressHost asks for it",
        ),
        (llm().hosted(HOST), old(), kept(), "the route is not there yet"),
        (
            llm().hosted(HOST),
            old().with(Key::HttpRoute, accepted()),
            IngressPlan::Absent,
            "the route has taken over",
        ),
        (llm().named(), old().with(Key::HttpRoute, accepted()), kept(), "another route is to replace it"),
        (
            llm().named(),
            old().with(Key::AiGatewayHttpRoute, accepted()),
            IngressPlan::Absent,
            "the one that Envoy AI Gateway made has taken over",
        ),
        (llm(), old(), IngressPlan::Absent, "no route is to replace it: the field was taken out on purpose"),
        (llm().hosted(HOST), Observed::default(), IngressPlan::Absent, "there never was one"),
    ];
    for (settings, observed, want, reason) in cases {
        assert_eq!(decided(&settings, &observed).ingress, want, "{reason}");
    }
}

#[test]
fn what_cannot_be_is_said_with_all_its_reasons() {
    let mut settings = llm().hosted(HOST).scaled(0, 4);
    settings.monitoring = Monitoring::None;
    settings.routing.as_mut().unwrap().picker.flow_control = Toggle::Disabled;
    let problems = plan(&settings, &runtime(None, true).moved()).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 4, "{said:#?}");
    for (said, path) in said.iter().zip([
        "spec.providerConfigName",
        "spec.targetNamespace",
        "Input spec.endpointPicker.flowControl",
        "Input spec.monitoring.kind",
    ]) {
        assert!(said.starts_with(path), "{said}");
    }
}

#[test]
fn a_script_is_for_envoy_and_for_routes_by_host() {
    let told = |settings: &Settings| -> Vec<String> {
        let problems = plan(settings, &Observed::default()).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(&llm().hosted(HOST).scripted()), [""; 0]);
    assert_eq!(
        told(&llm().named().scripted()),
        [
            "Input spec.gateway.priorityHook is \"Lua\": must be None where routeBy is ModelName: Envoy chooses scripts \
          before the model's name is known"
        ],
    );
    let others = [
        Implementation::Istio,
        Implementation::Agentgateway,
        Implementation::Gke,
        Implementation::Nginx,
        Implementation::Other,
    ];
    for implementation in others {
        let said = told(&llm().hosted(HOST).scripted().on(implementation));
        assert!(said[0].ends_with(": only EnvoyAIGateway runs scripts"), "{implementation:?}: {said:?}");
    }
}

#[test]
fn where_a_model_cannot_be_routed_by_its_name_that_is_said() {
    let told = |settings: &Settings| -> Vec<String> {
        let problems = plan(settings, &Observed::default()).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        told(&llm().named().on(Implementation::Nginx)),
        [
            r#"Input spec.gateway.routeBy is "ModelName": must be Host for NGINX, where nothing reads the model's name out of a request"#
        ],
    );
    let mut crowded = llm().named().on(Implementation::Agentgateway);
    let adapter = |number| Adapter { name: format!("lora-{number}"), path: "acme/a".to_owned() };
    let adapters = (0..60).map(adapter).collect();
    crowded.model.lora = Some(Lora { adapters, max_adapters: 1, max_rank: 16 });
    assert_eq!(
        told(&crowded),
        [
            "spec.lora.adapters is a list of 60: must be at most 41 where the platform routes by model name and \
             Agentgateway implements the Gateway: the route names each of them, and holds 128 matches; leave some to \
             another LLMInference"
        ],
    );
    for implementation in [Implementation::EnvoyAiGateway, Implementation::Istio, Implementation::Gke] {
        assert_eq!(told(&crowded.clone().on(implementation)), [""; 0], "{implementation:?}");
    }
}

impl Observed {
    /// The model runs elsewhere.
    fn moved(mut self) -> Self {
        let workload = self.objects.get_mut(&Key::VllmRuntime).unwrap();
        workload.provider_config = Some("elsewhere".to_owned());
        workload.asked.namespace = Some("elsewhere".to_owned());
        self
    }
}

#[test]
fn scaling_needs_series_that_somebody_scrapes() {
    let mut settings = llm().scaled(1, 4);
    settings.monitoring = Monitoring::None;
    let problems = plan(&settings, &Observed::default()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().starts_with("Input spec.monitoring.kind"), "{}", problems[0]);

    settings.monitoring = Monitoring::External([("cluster".to_owned(), "gpu".to_owned())].into());
    let plan = decided(&settings, &Observed::default());
    assert_eq!(plan.monitoring, None, "no monitors of ours");
    assert!(!plan.has(Key::ModelMetricsService), "and nothing that they would select");
    let triggers = autoscaler(&settings).triggers;
    assert!(triggers[0].query.contains(r#"cluster="gpu""#), "{}", triggers[0].query);
}

#[test]
fn one_kind_of_monitor_scrapes_engines_and_picker() {
    let services = [Key::ModelMetricsService, Key::ServiceMonitor, Key::EppServiceMonitor];
    let pods = [Key::PodMonitor, Key::EppPodMonitor];
    for (kind, wanted, others) in
        [(MonitorKind::ServiceMonitor, &services[..], &pods[..]), (MonitorKind::PodMonitor, &pods, &services)]
    {
        let plan = decided(&llm().hosted(HOST).scaled(0, 4).scraped_by(kind), &Observed::default());
        assert!(wanted.iter().all(|key| plan.has(*key)), "{kind:?}");
        assert!(!others.iter().any(|key| plan.has(*key)), "{kind:?}");
    }
}

#[test]
fn where_requests_wait_in_the_picker_the_autoscaler_asks_the_picker() {
    let mut settings = llm().hosted(HOST).scaled(1, 4);
    assert_eq!(autoscaler(&settings).triggers.len(), 2, "without flow control requests wait at the engines");
    settings.routing.as_mut().unwrap().picker.flow_control = Toggle::Enabled;
    assert_eq!(autoscaler(&settings).triggers.len(), 4, "with it the engines' queues stay short");
    assert!(decided(&settings, &Observed::default()).monitoring.unwrap().picker);

    settings.monitors().endpoint_picker = Toggle::Disabled;
    let problems = plan(&settings, &Observed::default()).unwrap_err();
    assert!(problems[0].to_string().starts_with("Input spec.monitoring.endpointPicker"), "{}", problems[0]);
}

#[test]
fn what_is_set_once_is_named_as_its_author_wrote_it() {
    let mut settings = llm();
    settings.composite.spec_path = "spec.parameters.llm".to_owned();
    let problems = plan(&settings, &runtime(None, true).moved()).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(said[0].starts_with("spec.parameters.llm.providerConfigName is \"gpu-cluster\": "), "{said:?}");
    assert!(said[1].starts_with("spec.parameters.llm.targetNamespace is \"team-a\": "), "{said:?}");
}

#[test]
fn a_live_model_keeps_its_target() {
    use Form::{ClusterObject, Direct, NamespacedObject};

    let in_form = |form| {
        let mut observed = runtime(None, true);
        observed.objects.get_mut(&Key::VllmRuntime).unwrap().form = form;
        observed
    };
    let cluster_scoped = || {
        let mut settings = llm();
        let Transport::Objects(delivery) = &mut settings.transport else { panic!() };
        delivery.target = Target::ClusterObject;
        settings
    };
    let cases = [
        (llm(), Direct, Some(("NamespacedObject", "Direct"))),
        (llm().direct(), NamespacedObject, Some(("Direct", "NamespacedObject"))),
        (llm().direct(), ClusterObject, Some(("Direct", "ClusterObject"))),
        (cluster_scoped(), NamespacedObject, Some(("ClusterObject", "NamespacedObject"))),
        (llm(), NamespacedObject, None),
        (llm().direct(), Direct, None),
        (cluster_scoped(), ClusterObject, None),
    ];
    for (settings, form, want) in cases {
        let said = plan(&settings, &in_form(form)).err().unwrap_or_default();
        let said: Vec<String> = said.iter().map(ToString::to_string).collect();
        match want {
            None => assert_eq!(said, [""; 0], "{form:?}"),
            Some((wanted, live)) => {
                let start = format!("Input spec.target is {wanted:?}: must stay {live:?} for this model");
                assert!(said.len() == 1 && said[0].starts_with(&start), "{said:?}");
            }
        }
    }
}

#[test]
fn without_objects_nothing_names_a_provider_and_the_namespace_is_still_kept() {
    let mut settings = llm().direct();
    settings.composite.namespace = None;
    let mut observed = runtime(None, true).moved();
    observed.objects.get_mut(&Key::VllmRuntime).unwrap().form = Form::Direct;
    let problems = plan(&settings, &observed).unwrap_err();
    let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("spec.targetNamespace is \"team-a\": must stay \"elsewhere\""), "{said:?}");
}

#[test]
fn without_objects_a_namespace_is_said_only_where_crossplane_does_not_know_it() {
    let mut wide = llm().direct();
    wide.composite.namespace = None;
    let cases = [
        (llm(), true, "the manifest inside an Object may be for anywhere"),
        (llm().direct(), false, "it can be nowhere else, and Crossplane asks for the kind first"),
        (wide, true, "a cluster-scoped composite has none to share"),
    ];
    for (settings, want, reason) in cases {
        assert_eq!(decided(&settings, &Observed::default()).says_namespace, want, "{reason}");
    }
}

#[test]
fn without_objects_nothing_is_cluster_scoped() {
    let mut settings = llm().hosted(HOST).direct();
    settings.routing.as_mut().unwrap().picker.metrics_auth = crate::api::settings::MetricsAuth::Token;
    let said = plan(&settings, &Observed::default()).unwrap_err()[0].to_string();
    assert!(said.starts_with("Input spec.endpointPicker.metricsAuth is \"Token\": must be None"), "{said}");
}

#[test]
fn a_live_model_keeps_its_backend() {
    let mut settings = llm();
    settings.backend = Backend::Deployment;
    let problems = plan(&settings, &runtime(None, true)).unwrap_err();
    let said = problems[0].to_string();
    assert!(
        said.starts_with("Input spec.workload.backend is \"Deployment\": must stay \"VLLMRuntime\""),
        "{said}"
    );

    let deployed = Observed::default()
        .with(Key::ModelDeployment, live(Asked::default(), Facts::Deployment(DeploymentFacts::default())));
    assert!(plan(&settings, &deployed).is_ok());
    let said = plan(&llm(), &deployed).unwrap_err()[0].to_string();
    assert!(said.contains("must stay \"Deployment\""), "{said}");
}

#[test]
fn replicas_of_a_deployment_are_handed_over_too() {
    let mut settings = llm().scaled(1, 4);
    settings.backend = Backend::Deployment;
    let facts = Facts::Deployment(DeploymentFacts { spec_replicas: Some(3), ..DeploymentFacts::default() });
    let owned = Observed::default()
        .with(Key::ModelDeployment, live(Asked { replicas: Some(3), ..Asked::default() }, facts));
    let plan = decided(&settings, &owned);
    assert_eq!((plan.workload.replicas, plan.handover), (Some(3), Some(3)));
    assert_eq!(plan.scaling, ScalingPlan::Withheld(Withheld::HandoverPending(HandoverStep::Sharing)));
}

/// Nobody would see requests wait in it, and its metrics are somebody else's to have scraped.
#[test]
fn a_picker_that_is_already_there_wakes_nobody_and_is_not_scraped() {
    let refused = |settings: &Settings| -> Vec<String> {
        let problems = plan(settings, &Observed::default()).unwrap_err();
        problems.iter().map(ToString::to_string).collect()
    };
    let asleep = refused(&llm().hosted(HOST).scaled(0, 4).picked_by("shared-epp"));
    assert_eq!(asleep.len(), 1, "{asleep:?}");
    assert!(asleep[0].starts_with("spec.minReplicas is 0: must be at least 1"), "{asleep:?}");
    assert!(asleep[0].contains("endpointPicker.existing"), "both ways out: {asleep:?}");

    let mut scraped = llm().hosted(HOST).scaled(1, 4).picked_by("shared-epp");
    scraped.monitors().endpoint_picker = Toggle::Enabled;
    let said = refused(&scraped);
    assert!(
        said[0].starts_with("Input spec.monitoring.endpointPicker is \"Enabled\": must be Auto"),
        "{said:?}"
    );

    let mut alerted = llm().hosted(HOST).scaled(1, 4).picked_by("shared-epp");
    alerted.rules = Some(BTreeMap::new());
    let plan = decided(&alerted, &Observed::default());
    let keys: Vec<&str> = Key::ALL.into_iter().filter(|key| plan.has(*key)).map(Key::as_str).collect();
    let of_picker: Vec<&str> = keys.into_iter().filter(|key| key.starts_with("epp_")).collect();
    assert_eq!(of_picker, ["epp_existing_service"], "nothing else of a picker is there");
    let names: Vec<&str> = plan.rules.unwrap().alerts.iter().map(|alert| alert.name).collect();
    assert!(!names.iter().any(|name| name.contains("Picker")), "nobody scrapes it for alerts: {names:?}");
}

/// An autoscaler of ours on somebody else's workload would write to it; and withholding one that is theirs would delete
/// it, as long as its Object may write.
#[test]
fn what_belongs_to_another_is_not_scaled_either() {
    let theirs = |facts| {
        let mut object = live(Asked::default(), facts);
        object.marks = Some(Marks { owner: Some("team-b/llama".to_owned()), claims: Vec::new() });
        object
    };
    let runtime = || VllmRuntimeFacts { has_deployment_strategy: true, ..VllmRuntimeFacts::default() };
    let taken = || Observed::default().with(Key::VllmRuntime, theirs(Facts::VllmRuntime(runtime())));
    let scaled_object = || Facts::ScaledObject(ScaledObjectFacts::default());
    let unseen = ObservedObject { live: None, synced: None, ..live(Asked::default(), Facts::Exists) };
    let withheld = ScalingPlan::Withheld(Withheld::NameTaken);
    let cases = [
        (taken(), true, "there is none"),
        (
            taken().with(Key::ScaledObject, live(Asked::default(), scaled_object())),
            true,
            "it is ours, and goes",
        ),
        (taken().with(Key::ScaledObject, theirs(scaled_object())), false, "it is theirs, and stays"),
        (taken().with(Key::ScaledObject, unseen), false, "it may be theirs"),
    ];
    for (observed, want, reason) in cases {
        let plan = decided(&llm().scaled(1, 4), &observed);
        assert_eq!(plan.scaling == withheld, want, "{reason}: {:?}", plan.scaling);
        assert_eq!((plan.workload.replicas, plan.handover), (None, None), "{reason}");
    }
}
