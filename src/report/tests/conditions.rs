//! Every reason of the catalogue, and what its message must have.
#![expect(clippy::too_many_lines, reason = "tables")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::fixtures::llm;
use crate::api::settings::{Criticality, Settings};
use crate::observe::fixtures::{Cluster, cluster};
use crate::plan::keys::Key;
use crate::plan::plan;
use crate::report::fixtures::{
    HOST, accepted, asleep, condition, deployment, full, gateway, healthy, route, runtime, said,
    scaled_object, spoken_of, stopped, with_criticality,
};
use crate::report::{CATALOGUE, ConditionType, Reason, Truth, fatal, invalid, report};

use ConditionType::{EndpointPickerReady, GatewayReady, ScalingReady, WorkloadReady};

const NOT_FOUND: &str = "observe failed: external resource does not exist";
const NO_KIND: &str =
    r#"observe failed: cannot get object: no matches for kind "ScaledObject" in version "keda.sh/v1alpha1""#;
const UNREACHABLE: &str = "connect failed: cannot get provider config";

struct Case {
    reason: &'static str,
    settings: Settings,
    cluster: Cluster,
    kind: ConditionType,
    want: Reason,
    /// Words that the message must have.
    says: &'static [&'static str],
}

fn case(
    reason: &'static str,
    settings: Settings,
    cluster: Cluster,
    (kind, want): (ConditionType, Reason),
    says: &'static [&'static str],
) -> Case {
    Case { reason, settings, cluster, kind, want, says }
}

fn workload_cases() -> Vec<Case> {
    let runtime_only = |wanted, available| cluster().holding(Key::VllmRuntime, runtime(wanted, available));
    let mut old_pods = runtime(1, 0);
    old_pods["status"]["modelStatus"] = json!("NotReady");
    let mut of_stub = runtime(1, 0);
    of_stub["status"]["availableReplicas"] = json!("one");
    vec![
        case(
            "all replicas serve",
            llm(),
            runtime_only(1, 1),
            (WorkloadReady, Reason::Available),
            &["1 of 1"],
        ),
        case(
            "a scale-out under way serves",
            full(),
            runtime_only(4, 1),
            (WorkloadReady, Reason::Available),
            &["VLLMRuntime team-a/llama", "1 of 4"],
        ),
        case(
            "an optional object that failed is told, and changes nothing",
            llm(),
            runtime_only(1, 1).broken(Key::ServiceMonitor, "no matches for kind \"ServiceMonitor\"."),
            (WorkloadReady, Reason::Available),
            &["ServiceMonitor team-a/llama cannot be reconciled: no matches for kind"],
        ),
        case(
            "no requests, and the autoscaler put it to sleep",
            asleep(600),
            runtime_only(0, 0),
            (WorkloadReady, Reason::ScaledToZero),
            &["The next request wakes it"],
        ),
        case(
            "asleep, and nobody would hold a request",
            llm().scaled(0, 4),
            runtime_only(0, 0),
            (WorkloadReady, Reason::ScaledToZero),
            &["Nothing can wake it"],
        ),
        case(
            "nothing is observed",
            llm(),
            cluster(),
            (WorkloadReady, Reason::Creating),
            &["is being created"],
        ),
        case(
            "the Object is applied, and the provider has not looked at the model",
            llm(),
            cluster().holding(Key::VllmRuntime, Value::Null),
            (WorkloadReady, Reason::Creating),
            &["provider-kubernetes"],
        ),
        case("a first start", llm(), runtime_only(1, 0), (WorkloadReady, Reason::Starting), &["coldStart"]),
        case(
            "a model that wakes up",
            asleep(600),
            runtime_only(1, 0).before("WorkloadReady", "True", "ScaledToZero"),
            (WorkloadReady, Reason::Starting),
            &["starts 1 wanted replica."],
        ),
        case(
            "a model that served",
            llm(),
            runtime_only(1, 0).before("WorkloadReady", "True", "Available"),
            (WorkloadReady, Reason::NotServing),
            &["kubectl -n team-a describe pods -l app=llama"],
        ),
        case(
            "it stays so until it serves again",
            llm(),
            runtime_only(1, 0).before("WorkloadReady", "False", "NotServing"),
            (WorkloadReady, Reason::NotServing),
            &["none of 1"],
        ),
        case(
            "the operator says that even the former pods are gone",
            llm(),
            cluster().holding(Key::VllmRuntime, old_pods),
            (WorkloadReady, Reason::NotServing),
            &["describe pods"],
        ),
        case(
            "none is wanted and nothing may start one, even while the last one stops",
            stopped(),
            runtime_only(0, 1),
            (WorkloadReady, Reason::Stopped),
            &["spec.minReplicas is 0"],
        ),
        case(
            "the provider cannot reach the cluster: what it saw before may be out of date",
            llm(),
            runtime_only(1, 1).broken(Key::VllmRuntime, UNREACHABLE),
            (WorkloadReady, Reason::ObjectNotSynced),
            &["VLLMRuntime team-a/llama", UNREACHABLE],
        ),
        case(
            "another operator's VLLMRuntime",
            llm(),
            cluster().holding(Key::VllmRuntime, of_stub),
            (WorkloadReady, Reason::ObjectUnreadable),
            &["status.availableReplicas", "CRD"],
        ),
    ]
}

fn picker_cases() -> Vec<Case> {
    let with = |live| cluster().holding(Key::EppDeployment, live);
    let mut gave_up = deployment(0);
    gave_up["status"]["conditions"][1] = json!({
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out progressing.",
    });
    vec![
        case(
            "available",
            full(),
            with(deployment(1)),
            (EndpointPickerReady, Reason::Available),
            &["answers"],
        ),
        case(
            "available, though the objective is refused",
            full(),
            healthy().broken(Key::InferenceObjective, "no matches for kind \"InferenceObjective\""),
            (EndpointPickerReady, Reason::Available),
            &["InferenceObjective team-a/llama cannot be reconciled"],
        ),
        case("no routing", llm(), cluster(), (EndpointPickerReady, Reason::NotRequested), &["spec.host"]),
        case(
            "nothing is observed",
            full(),
            cluster(),
            (EndpointPickerReady, Reason::Creating),
            &["Deployment team-a/llama-epp"],
        ),
        case(
            "no pod is up yet",
            full(),
            with(deployment(0)),
            (EndpointPickerReady, Reason::Starting),
            &["starts"],
        ),
        case(
            "it answered before",
            full(),
            with(deployment(0)).before("EndpointPickerReady", "True", "Available"),
            (EndpointPickerReady, Reason::NotServing),
            &["describe deployment llama-epp"],
        ),
        case(
            "the Deployment controller gave up",
            full(),
            with(gave_up),
            (EndpointPickerReady, Reason::NotServing),
            &["timed out progressing. Look"],
        ),
        case(
            "the Deployment cannot be applied",
            full(),
            with(deployment(1)).broken(Key::EppDeployment, "create failed: forbidden"),
            (EndpointPickerReady, Reason::ObjectNotSynced),
            &["Deployment team-a/llama-epp cannot be reconciled: create failed: forbidden."],
        ),
        case(
            "what the pods need is the cause, and that they are not up the consequence",
            full(),
            with(deployment(0)).broken(Key::EppRolePoolReader, "create failed: forbidden"),
            (EndpointPickerReady, Reason::ObjectNotSynced),
            &["Role team-a/llama-epp-pool-reader"],
        ),
        case(
            "not a Deployment as we know it",
            full(),
            with(json!({"status": []})),
            (EndpointPickerReady, Reason::ObjectUnreadable),
            &["status.atProvider.manifest.status"],
        ),
    ]
}

fn gateway_cases() -> Vec<Case> {
    let standard = || with_criticality(Criticality::Standard);
    let no_listener = ("Accepted", "False", "NoMatchingListenerHostname", "no listener takes it.");
    let no_pools = ("Accepted", "False", "NotSupportedByParent", "no such backend");
    let for_the_route = ("Accepted", "False", "HTTPRouteNotAccepted", "see the route");
    let mut placeholder =
        spoken_of(&json!({}), 2, &[("ResolvedRefs", "False", "InvalidExtensionRef", "no Service")]);
    placeholder["status"]["parents"][0]["parentRef"] = json!({"kind": "Status", "name": "default"});
    let mut unprogrammed = gateway();
    unprogrammed["status"]["conditions"][0] = json!({
        "type": "Programmed", "status": "False", "reason": "AddressNotAssigned", "message": "no address",
    });
    vec![
        case(
            "found and accepted",
            standard(),
            healthy(),
            (GatewayReady, Reason::Accepted),
            &["Gateway envoy-gateway-system/eg", HOST, "InferencePool team-a/llama"],
        ),
        case(
            "without a load balancer the data plane still answers inside the cluster",
            standard(),
            healthy().holding(Key::Gateway, unprogrammed),
            (GatewayReady, Reason::Accepted),
            &["Programmed is False, AddressNotAssigned: no address"],
        ),
        case(
            "nothing names the objective on this implementation",
            full(),
            healthy(),
            (GatewayReady, Reason::PriorityNotEnforced),
            &["spec.criticality has no effect"],
        ),
        case(
            "sheddable is a priority too",
            with_criticality(Criticality::Sheddable),
            healthy(),
            (GatewayReady, Reason::PriorityNotEnforced),
            &["InferenceObjective team-a/llama"],
        ),
        case("no routing", llm(), cluster(), (GatewayReady, Reason::NotRequested), &["spec.host"]),
        case(
            "nothing is observed",
            full(),
            cluster(),
            (GatewayReady, Reason::Creating),
            &["InferencePool team-a/llama"],
        ),
        case(
            "everything but the Gateway itself is observed",
            full(),
            healthy().holding(Key::Gateway, Value::Null),
            (GatewayReady, Reason::Creating),
            &["Gateway envoy-gateway-system/eg is being looked up"],
        ),
        case(
            "no Gateway speaks of a pool before a route names it",
            full(),
            healthy().holding(Key::InferencePool, spoken_of(&json!({}), 2, &[])),
            (GatewayReady, Reason::Pending),
            &["InferencePool team-a/llama yet"],
        ),
        case(
            "the live route still serves the former host",
            full(),
            healthy().holding(Key::HttpRoute, accepted(&json!({"hostnames": ["old.example.com"]}))),
            (GatewayReady, Reason::Pending),
            &["HTTPRoute team-a/llama yet"],
        ),
        case(
            "there is no such Gateway",
            full(),
            healthy().broken(Key::Gateway, NOT_FOUND),
            (GatewayReady, Reason::NoGateway),
            &["there is no Gateway envoy-gateway-system/eg", "spec.gateway.ref"],
        ),
        case(
            "there is no Gateway API",
            full(),
            cluster()
                .broken(Key::Gateway, "observe failed: cannot get object: no matches for kind \"Gateway\""),
            (GatewayReady, Reason::NoGateway),
            &["no matches for kind"],
        ),
        case(
            "the provider may not read it",
            full(),
            healthy().broken(Key::Gateway, "observe failed: cannot get object: forbidden"),
            (GatewayReady, Reason::ObjectNotSynced),
            &["Gateway envoy-gateway-system/eg cannot be reconciled", "forbidden"],
        ),
        case(
            "not a Gateway as we know it",
            full(),
            healthy().holding(Key::Gateway, json!({"spec": {"listeners": "all"}})),
            (GatewayReady, Reason::ObjectUnreadable),
            &["spec.listeners"],
        ),
        case(
            "the Gateway does not know pools",
            full(),
            healthy().holding(Key::InferencePool, spoken_of(&json!({}), 2, &[no_pools])),
            (GatewayReady, Reason::InferencePoolFailed),
            &[
                "refuses InferencePool team-a/llama: Accepted is False, NotSupportedByParent: no such backend.",
            ],
        ),
        case(
            "the cluster does not know pools",
            full(),
            healthy().broken(Key::InferencePool, "no matches for kind \"InferencePool\""),
            (GatewayReady, Reason::InferencePoolFailed),
            &["InferencePool team-a/llama cannot be reconciled"],
        ),
        case(
            "a controller complains of a pool that no Gateway refers to",
            full(),
            healthy().holding(Key::InferencePool, placeholder),
            (GatewayReady, Reason::InferencePoolFailed),
            &["ResolvedRefs is False, InvalidExtensionRef: no Service"],
        ),
        case(
            "no listener for the host",
            full(),
            healthy().holding(Key::HttpRoute, route(&[no_listener])),
            (GatewayReady, Reason::HttpRouteFailed),
            &["HTTPRoute team-a/llama: Accepted is False, NoMatchingListenerHostname: no listener takes it."],
        ),
        case(
            "a pool that is refused for its route's sake points at the route",
            full(),
            healthy()
                .holding(Key::InferencePool, spoken_of(&json!({}), 2, &[for_the_route]))
                .holding(Key::HttpRoute, route(&[no_listener])),
            (GatewayReady, Reason::HttpRouteFailed),
            &["NoMatchingListenerHostname"],
        ),
        case(
            "the route cannot be applied",
            full(),
            healthy().broken(Key::HttpRoute, "create failed: forbidden"),
            (GatewayReady, Reason::HttpRouteFailed),
            &["HTTPRoute team-a/llama cannot be reconciled: create failed: forbidden"],
        ),
    ]
}

fn scaling_cases() -> Vec<Case> {
    let with =
        |words: &[(&str, &str, &str, &str)]| cluster().holding(Key::ScaledObject, scaled_object(words));
    let ready = ("Ready", "True", "ScaledObjectReady", "");
    let target = "ScaledObject doesn't have correct scaleTargetRef specification: ";
    let unscalable = format!("{target}the server could not find the requested resource");
    let absent = format!("{target}vllmruntimes.production-stack.vllm.ai \"llama\" not found");
    vec![
        case(
            "KEDA works on it",
            full(),
            with(&[ready]),
            (ScalingReady, Reason::ScalerReady),
            &["between 1 and 4"],
        ),
        case(
            "the gateway waits as long as the model takes to wake",
            asleep(300),
            with(&[ready]),
            (ScalingReady, Reason::ScalerReady),
            &["between 0 and 4"],
        ),
        case(
            "the gateway gives up before the model is up",
            asleep(301),
            with(&[ready]),
            (ScalingReady, Reason::HoldLimited),
            &["may take 301 s", "for 300 s at most", "try again"],
        ),
        case(
            "with a fallback KEDA stays Ready while it is blind",
            full(),
            with(&[ready, ("Fallback", "True", "FallbackExists", "At least one trigger is falling back")]),
            (ScalingReady, Reason::MetricsUnavailable),
            &["FallbackExists", "prometheusAddress"],
        ),
        case(
            "since 2.20.2 it stays Ready while the HPA is blind",
            full(),
            with(&[ready, ("HPAActive", "False", "HPAMetricsUnavailable", "cannot fetch")]),
            (ScalingReady, Reason::MetricsUnavailable),
            &["HPAMetricsUnavailable: cannot fetch"],
        ),
        case(
            "an HPA at rest is not blind",
            asleep(300),
            with(&[
                ready,
                ("HPAActive", "True", "ScalingDisabled", ""),
                ("Fallback", "False", "NoFallbackFound", ""),
            ]),
            (ScalingReady, Reason::ScalerReady),
            &["KEDA keeps VLLMRuntime team-a/llama"],
        ),
        case("no scaling", llm(), cluster(), (ScalingReady, Reason::NotRequested), &["spec.scaling.enabled"]),
        case(
            "nothing is observed",
            full(),
            cluster(),
            (ScalingReady, Reason::Creating),
            &["ScaledObject team-a/llama"],
        ),
        case(
            "KEDA has not looked at it",
            full(),
            with(&[]),
            (ScalingReady, Reason::Pending),
            &["operator runs"],
        ),
        case(
            "KEDA has only initialised its conditions",
            full(),
            with(&[("Ready", "Unknown", "", "")]),
            (ScalingReady, Reason::Pending),
            &["has not said anything"],
        ),
        case(
            "the target is not there yet",
            full(),
            cluster().holding(
                Key::ScaledObject,
                scaled_object(&[("Ready", "False", "ScaledObjectCheckFailed", absent.as_str())]),
            ),
            (ScalingReady, Reason::Pending),
            &["It tries again"],
        ),
        case(
            "nobody holds a request for a model that sleeps, and that is known before anything runs",
            llm().scaled(0, 4),
            cluster(),
            (ScalingReady, Reason::NoWakeUp),
            &["Set spec.host"],
        ),
        case(
            "it stays true while KEDA works on it",
            llm().scaled(0, 4),
            with(&[ready]),
            (ScalingReady, Reason::NoWakeUp),
            &["nothing can wake it"],
        ),
        case(
            "what is broken goes first",
            llm().scaled(0, 4),
            cluster().broken(Key::ScaledObject, NO_KIND),
            (ScalingReady, Reason::ScalerNotInstalled),
            &["Install KEDA"],
        ),
        case(
            "the cluster has no KEDA",
            full(),
            cluster().broken(Key::ScaledObject, NO_KIND),
            (ScalingReady, Reason::ScalerNotInstalled),
            &["does not know ScaledObject team-a/llama", "keda.sh/v1alpha1"],
        ),
        case(
            "KEDA's webhook refuses it",
            full(),
            cluster().broken(Key::ScaledObject, "admission webhook denied the request"),
            (ScalingReady, Reason::ObjectNotSynced),
            &["admission webhook denied the request"],
        ),
        case(
            "not a ScaledObject as we know it",
            full(),
            cluster().holding(Key::ScaledObject, json!({"status": {"conditions": "none"}})),
            (ScalingReady, Reason::ObjectUnreadable),
            &["status.conditions"],
        ),
        case(
            "no trigger works",
            full(),
            with(&[("Ready", "False", "TriggerError", "Triggers are not working")]),
            (ScalingReady, Reason::TriggerFailed),
            &["TriggerError: Triggers are not working", "Prometheus"],
        ),
        case(
            "some triggers do not work",
            full(),
            with(&[("Ready", "Unknown", "PartialTriggerError", "Some triggers are not working")]),
            (ScalingReady, Reason::TriggerFailed),
            &["PartialTriggerError"],
        ),
        case(
            "the target has no scale subresource",
            full(),
            cluster().holding(
                Key::ScaledObject,
                scaled_object(&[("Ready", "False", "ScaledObjectCheckFailed", unscalable.as_str())]),
            ),
            (ScalingReady, Reason::TargetNotScalable),
            &["0.1.12"],
        ),
        case(
            "KEDA has another objection",
            full(),
            with(&[(
                "Ready",
                "False",
                "ScaledObjectCheckFailed",
                "failed to ensure HPA is correctly created",
            )]),
            (ScalingReady, Reason::ScalerFailed),
            &["failed to ensure HPA", "events of the ScaledObject"],
        ),
    ]
}

fn cases() -> Vec<Case> {
    [workload_cases(), picker_cases(), gateway_cases(), scaling_cases()].into_iter().flatten().collect()
}

#[test]
fn conditions_say_what_is_the_case_and_what_to_do() {
    for Case { reason, settings, cluster, kind, want, says } in cases() {
        let report = said(&settings, &cluster);
        let got = condition(&report, kind);
        assert_eq!(got.reason, want, "{kind:?}: {reason}: {}", got.message);
        for words in says {
            assert!(got.message.contains(words), "{kind:?}: {reason}: {words:?} is not in {:?}", got.message);
        }
        assert!(got.message.ends_with('.') && !got.message.contains(".."), "{reason}: {:?}", got.message);
    }
}

/// The plan withholds the autoscaler only because of what is observed.
#[test]
fn an_autoscaler_that_would_do_harm_is_withheld_and_says_so() {
    let mut unscalable = runtime(2, 2);
    unscalable["spec"]["deploymentConfig"] = json!({"replicas": 2});
    let cases = [
        (runtime(2, 2), Some(2), Reason::HandoverPending, "keeps its 2 replicas"),
        (unscalable, None, Reason::TargetNotScalable, "stub CRD"),
    ];
    for (live, asked, want, says) in cases {
        let mut observed = cluster().holding(Key::VllmRuntime, live).observed();
        observed.objects.get_mut(&Key::VllmRuntime).unwrap().asked.replicas = asked;
        let plan = plan(&full(), &observed).unwrap();
        let report = report(&plan, &observed);
        let got = condition(&report, ScalingReady);
        assert_eq!(got.reason, want);
        assert!(got.message.contains(says), "{:?}", got.message);
        assert!(!report.ready.contains_key(&Key::ScaledObject), "what is withheld is not in the plan");
        assert_eq!(condition(&report, WorkloadReady).reason, Reason::Available, "it serves all the same");
    }
}

#[test]
fn every_reason_of_the_catalogue_is_in_a_table_and_nothing_else_is() {
    let mut shown: BTreeSet<(ConditionType, Reason)> =
        cases().into_iter().map(|case| (case.kind, case.want)).collect();
    shown.extend(
        [invalid(""), fatal("")].into_iter().flatten().map(|condition| (condition.kind, condition.reason)),
    );
    shown.insert((ScalingReady, Reason::HandoverPending));
    let catalogue: BTreeSet<(ConditionType, Reason)> =
        CATALOGUE.iter().flat_map(|(kind, reasons)| reasons.iter().map(|reason| (*kind, *reason))).collect();
    assert_eq!(shown, catalogue);
}

/// The page is for people; this keeps it from lagging behind.
#[test]
fn the_documented_catalogue_is_this_one() {
    let page = include_str!("../../../docs/conditions.md");
    let mut documented = Vec::new();
    let mut kind = None;
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            kind = ConditionType::ALL.into_iter().find(|kind| heading == format!("`{}`", kind.as_str()));
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let (Some(kind), [reason, status, cause, cure]) = (kind, cells.as_slice())
            && let Some(reason) = reason.strip_prefix('`').and_then(|reason| reason.strip_suffix('`'))
        {
            assert!(!cause.is_empty() && !cure.is_empty(), "{kind:?} {reason} lacks cause or cure");
            documented.push((kind, reason.to_owned(), (*status).to_owned()));
        }
    }
    let catalogue: Vec<_> = CATALOGUE
        .iter()
        .flat_map(|(kind, reasons)| {
            reasons
                .iter()
                .map(|reason| (*kind, reason.as_str().to_owned(), reason.truth().as_str().to_owned()))
        })
        .collect();
    assert_eq!(documented, catalogue);
}

#[test]
fn a_fatal_result_leaves_all_four_unknown() {
    let cases = [
        (invalid("spec.minReplicas is 3"), Reason::InvalidSpec, "spec.minReplicas is 3"),
        (fatal("cannot read it"), Reason::FatalError, "cannot read it"),
    ];
    for (conditions, reason, message) in cases {
        assert_eq!(conditions.each_ref().map(|condition| condition.kind), ConditionType::ALL);
        for condition in conditions {
            assert_eq!((condition.reason, condition.truth()), (reason, Truth::Unknown));
            assert_eq!(condition.message, message);
        }
    }
}
