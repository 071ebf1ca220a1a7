//! What is composed is what the plan says.

use k8s_openapi::api::core::v1::Toleration;
use serde_json::{Value, json};

use crate::api::fixtures::llm;
use crate::api::managed_flag;
use crate::observe::Observed;
use crate::plan::keys::Key;
use crate::plan::plan;

use crate::api::operator::Operator;
use crate::api::settings::PickerFamily as Family;
use crate::api::settings::{
    AuthKind, AuthMode, Backend, Credentials, EnvSource, EnvVariable, MetricsAuth, MonitorKind, Monitoring,
    SecretKey, Settings, Toggle,
};
use crate::kinds::Manifest;

use super::compose;

#[test]
fn what_is_composed_is_what_the_plan_has() {
    let mut bare = llm();
    bare.monitoring = Monitoring::None;
    bare.disruption_budget = false;
    let hosted = || llm().hosted("llama.example.com");
    let mut replicated = hosted();
    replicated.routing.as_mut().unwrap().picker.replicas = 2;
    let guarded = |scraped| {
        let mut settings = hosted();
        settings.routing.as_mut().unwrap().picker.metrics_auth = MetricsAuth::Token;
        settings.monitors().endpoint_picker = scraped;
        settings
    };
    let guarded = [guarded(Toggle::Enabled), guarded(Toggle::Disabled)];
    let mut deployed = hosted().scaled(1, 3);
    deployed.backend = Backend::Deployment;
    let by_pods = hosted().scaled(0, 3).scraped_by(MonitorKind::PodMonitor);
    let scaled = [deployed, llm().scaled(1, 3), hosted().scaled(1, 3), hosted().scaled(0, 3), by_pods];
    let direct = || hosted().scaled(0, 3).direct();
    let closed = [llm().closed(), hosted().scaled(0, 3).closed()];
    for settings in
        [bare, llm(), hosted(), replicated, direct()].into_iter().chain(closed).chain(guarded).chain(scaled)
    {
        let plan = plan(&settings, &Observed::default()).unwrap();
        let composed: Vec<Key> = compose(&plan).unwrap().into_iter().map(|composed| composed.key).collect();
        let planned: Vec<Key> = Key::ALL.into_iter().filter(|key| plan.has(*key)).collect();
        assert_eq!(composed, planned);
    }
}

#[test]
fn without_objects_namespaces_are_left_to_crossplane() {
    let stack = |settings: &Settings| -> Vec<Value> {
        let plan = plan(settings, &Observed::default()).unwrap();
        let composed = compose(&plan).unwrap().into_iter();
        composed.map(|composed| serde_json::to_value(composed.manifest).unwrap()).collect()
    };
    let wrapped = stack(&llm().hosted("llama.example.com").scaled(1, 3));
    let direct = stack(&llm().hosted("llama.example.com").scaled(1, 3).direct());
    let mut same = wrapped.clone();
    for object in same.iter_mut().filter(|object| object["kind"] != "Gateway") {
        object["metadata"].as_object_mut().unwrap().remove("namespace");
    }
    assert_eq!(direct, same, "it is the same stack");
    for object in direct.iter().filter(|object| object["kind"] != "Gateway") {
        assert_eq!(object["metadata"]["namespace"], Value::Null, "{object}");
        assert_eq!(object["metadata"]["annotations"]["inference.devopstoolkit.ai/owner"], "team-a/llama");
    }
    let mut wide = llm().hosted("llama.example.com").direct();
    wide.composite.namespace = None;
    for object in stack(&wide).iter().filter(|object| object["kind"] != "Gateway") {
        assert_eq!(object["metadata"]["namespace"], "team-a", "{object}");
    }
}

#[test]
fn a_count_that_is_only_repeated_is_for_the_state_it_was_seen_in() {
    for backend in [Backend::VllmRuntime(Operator::V0_1_12), Backend::Deployment] {
        let mut settings = llm().scaled(1, 3).direct();
        settings.backend = backend;
        let mut plan = plan(&settings, &Observed::default()).unwrap();
        plan.workload.replicas = Some(2);
        plan.workload_seen_at = Some("1234".to_owned());
        let seen: Vec<(Key, Option<String>)> = compose(&plan)
            .unwrap()
            .into_iter()
            .map(|composed| (composed.key, serde_json::to_value(composed.manifest).unwrap()))
            .filter_map(|(key, object)| {
                let version = object["metadata"].get("resourceVersion")?;
                Some((key, version.as_str().map(str::to_owned)))
            })
            .collect();
        assert_eq!(seen, [(plan.workload_key(), Some("1234".to_owned()))]);
    }
}

/// Group, resources, verbs and names of every rule of a role.
fn rights(family: Family, wanted: Key) -> Vec<String> {
    let mut settings = llm().hosted("llama.example.com");
    let picker = &mut settings.routing.as_mut().unwrap().picker;
    (picker.family, picker.replicas) = (Some(family), 2);
    let stack = compose(&plan(&settings, &Observed::default()).unwrap()).unwrap();
    let found = stack.into_iter().find(|composed| composed.key == wanted).map(|composed| composed.manifest);
    let Some(Manifest::Role(role)) = found else { panic!("{wanted:?} is no Role") };
    let text = |list: Option<Vec<String>>| list.unwrap_or_default().join(",");
    let as_text = |rule: k8s_openapi::api::rbac::v1::PolicyRule| {
        let names = text(rule.resource_names);
        let rights =
            format!("{} {} {} {names}", text(rule.api_groups), text(rule.resources), rule.verbs.join(","));
        rights.trim_end().to_owned()
    };
    role.rules.unwrap().into_iter().map(as_text).collect()
}

#[test]
fn a_picker_goes_once_the_next_one_answers_where_both_can() {
    let cases = [
        (1, json!({"maxSurge": 1, "maxUnavailable": 0}), "the next one first"),
        (2, json!({"maxSurge": 0, "maxUnavailable": "100%"}), "no other is ready while one of them leads"),
    ];
    for (replicas, want, reason) in cases {
        let mut settings = llm().hosted("llama.example.com");
        settings.routing.as_mut().unwrap().picker.replicas = replicas;
        let composed = compose(&plan(&settings, &Observed::default()).unwrap()).unwrap();
        let deployment = composed.iter().find(|composed| composed.key == Key::EppDeployment).unwrap();
        let deployment = serde_json::to_value(&deployment.manifest).unwrap();
        let strategy = &deployment["spec"]["strategy"];
        assert_eq!(strategy, &json!({"type": "RollingUpdate", "rollingUpdate": want}), "{reason}");
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let probed = &container["startupProbe"]["tcpSocket"]["port"];
        assert_eq!(probed, &container["ports"][0]["name"], "it is not ready before it listens, {reason}");
    }
}

#[test]
fn a_picker_may_do_what_its_release_does_and_no_more() {
    let (pool, experimental) = ("inference.networking.k8s.io", "inference.networking.x-k8s.io");
    let (read, kinds) = ("get,list,watch", "inferenceobjectives,inferencemodelrewrites");
    for family in Family::ALL {
        let (groups, lease, reason) = match family {
            Family::Gie1_3 | Family::Gie1_4 | Family::Gie1_5 => (
                experimental.to_owned(),
                "epp-team-a-llama.gateway-api-inference-extension.sigs.k8s.io",
                "GIE, pkg/epp/server/controller_manager.go",
            ),
            Family::LlmD0_9 | Family::LlmD0_10 => (
                format!("llm-d.ai,{experimental}"),
                "epp-team-a-llama.llm-d.ai",
                "LDR watches the old group where the cluster knows no other, and cannot start if it may not",
            ),
        };
        let want = [
            (Key::EppRolePodReader, vec![format!(" pods {read}")]),
            (
                Key::EppRolePoolReader,
                vec![format!("{pool} inferencepools {read}"), format!("{groups} {kinds} {read}")],
            ),
            (
                Key::EppRoleLeaderElection,
                vec![
                    "coordination.k8s.io leases create".to_owned(),
                    format!("coordination.k8s.io leases get,update {lease}"),
                    " events create,patch".to_owned(),
                ],
            ),
        ];
        for (key, want) in want {
            assert_eq!(rights(family, key), want, "{family:?}: {reason}");
        }
    }
}

/// One object of a stack, as it is written.
pub(super) fn written(settings: &Settings, wanted: Key) -> Value {
    let stack = compose(&plan(settings, &Observed::default()).unwrap()).unwrap();
    let found = stack.into_iter().find(|composed| composed.key == wanted).unwrap();
    serde_json::to_value(found.manifest).unwrap()
}

#[test]
fn metrics_of_a_guarded_picker_are_read_by_an_account_that_may_do_nothing_else() {
    let mut settings = llm().hosted("llama.example.com");
    let picker = &mut settings.routing.as_mut().unwrap().picker;
    picker.metrics_auth = MetricsAuth::Token;
    settings.monitors().endpoint_picker = Toggle::Enabled;
    // What the platform writes on everything must not lead elsewhere.
    settings.annotations = [("kubernetes.io/service-account.name".to_owned(), "admin".to_owned())].into();
    let object = |key| written(&settings, key);

    let role = object(Key::EppMetricsClusterRole);
    assert_eq!(role["rules"], json!([{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]));
    let reader = json!([{"kind": "ServiceAccount", "name": "llama-epp-metrics", "namespace": "team-a"}]);
    let binding = object(Key::EppMetricsClusterRoleBinding);
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    assert_eq!(binding["subjects"], reader);
    let token = object(Key::EppMetricsToken);
    assert_eq!(token["metadata"]["annotations"]["kubernetes.io/service-account.name"], "llama-epp-metrics");
    assert_eq!(token.pointer("/data"), None, "the cluster fills it in, and what we wrote we would take back");
    let shown = json!({"type": "Bearer", "credentials": {"name": "llama-epp-metrics", "key": "token"}});
    assert_eq!(object(Key::EppServiceMonitor)["spec"]["endpoints"][0]["authorization"], shown);
    let by_pods = written(&settings.clone().scraped_by(MonitorKind::PodMonitor), Key::EppPodMonitor);
    assert_eq!(by_pods["spec"]["podMetricsEndpoints"][0]["authorization"], shown);
    let delegator = object(Key::EppClusterRoleBindingAuthDelegator);
    assert_eq!(delegator["roleRef"]["name"], "system:auth-delegator");
    assert_eq!(delegator["subjects"][0]["name"], "llama-epp", "the picker asks, whoever reads");
    for cluster_wide in [role, binding, delegator] {
        assert_eq!(cluster_wide["metadata"].get("namespace"), None);
    }
}

#[test]
fn a_runtime_has_no_field_that_its_operator_does_not_know() {
    let runtime = |operator| {
        let mut settings = llm();
        settings.backend = Backend::VllmRuntime(operator);
        settings.model.runtime.token_secret = Some(SecretKey { name: "hf".to_owned(), key: "k".to_owned() });
        written(&settings, Key::VllmRuntime)["spec"].clone()
    };
    let has = |spec: &Value, path: &str| spec.pointer(path).is_some();
    let fields = [
        ("/deploymentConfig/nodeSelectorTerms", Operator::V0_1_9),
        ("/deploymentConfig/resources/gpuType", Operator::V0_1_10),
        ("/model/hfTokenSecret/hfTokenKeyName", Operator::V0_1_10),
        ("/deploymentConfig/podAnnotations", Operator::V0_1_12),
    ];
    let operators =
        [Operator::V0_1_5, Operator::V0_1_9, Operator::V0_1_10, Operator::V0_1_11, Operator::V0_1_12];
    for operator in operators {
        let spec = runtime(operator);
        for (field, since) in fields {
            assert_eq!(has(&spec, field), operator >= since, "{operator:?} {field}");
        }
        let is_old = operator < Operator::V0_1_10;
        assert_eq!(has(&spec, "/model/hfTokenName"), is_old, "{operator:?}");
        assert_eq!(has(&spec, "/model/hfTokenSecret/name"), is_old, "{operator:?}");
    }
}

#[test]
fn a_deployment_has_a_place_for_every_engine_setting() {
    let mut settings = llm();
    settings.backend = Backend::Deployment;
    settings.model.gpu = 2;
    settings.pod_annotations = [("karpenter.sh/do-not-disrupt".to_owned(), "true".to_owned())].into();
    let runtime = &mut settings.model.runtime;
    let key = |name: &str| SecretKey { name: name.to_owned(), key: "k".to_owned() };
    runtime.image = Some("example.com/vllm:1".to_owned());
    runtime.cpu = Some("3".to_owned());
    runtime.memory = Some("30Gi".to_owned());
    runtime.args = vec!["--seed=7".to_owned()];
    runtime.env = vec![
        EnvVariable { name: "A".to_owned(), value: EnvSource::Literal("b".to_owned()) },
        EnvVariable { name: "B".to_owned(), value: EnvSource::Secret(key("s")) },
    ];
    runtime.dtype = Some("half".to_owned());
    runtime.max_model_len = Some(4096);
    runtime.shared_memory = Some("2Gi".to_owned());
    runtime.token_secret = Some(key("hf"));
    runtime.runtime_class_name = Some("kata".to_owned());
    runtime.node_selector = [("zone".to_owned(), "a".to_owned())].into();
    runtime.tolerations = vec![Toleration { operator: Some("Exists".to_owned()), ..Toleration::default() }];

    let deployment = written(&settings, Key::ModelDeployment);
    let template = &deployment["spec"]["template"];
    let (pod, engine) = (&template["spec"], &template["spec"]["containers"][0]);
    let quantities = json!({"cpu": "3", "memory": "30Gi", "nvidia.com/gpu": "2"});
    assert_eq!(engine["image"], "example.com/vllm:1");
    assert_eq!(
        (&engine["resources"]["limits"], &engine["resources"]["requests"]),
        (&quantities, &quantities)
    );
    let arguments: Vec<&str> =
        engine["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    for wanted in ["--dtype=half", "--max-model-len=4096", "--tensor-parallel-size=2", "--seed=7"] {
        assert!(arguments.contains(&wanted), "{wanted}: {arguments:?}");
    }
    for ours in arguments.iter().filter(|argument| argument.starts_with("--") && **argument != "--seed=7") {
        assert!(managed_flag(ours).is_some(), "{ours}: said twice, the last one would count");
    }
    assert_eq!((arguments[0], *arguments.last().unwrap()), ("Qwen/Qwen2.5-3B-Instruct", "--seed=7"));
    let secret = |name: &str| json!({"secretKeyRef": {"name": name, "key": "k"}});
    assert_eq!(
        engine["env"],
        json!([
            {"name": "HF_TOKEN", "valueFrom": secret("hf")},
            {"name": "VLLM_WORKER_MULTIPROC_METHOD", "value": "spawn"},
            {"name": "A", "value": "b"},
            {"name": "B", "valueFrom": secret("s")},
        ])
    );
    assert_eq!(pod["volumes"][0]["emptyDir"], json!({"medium": "Memory", "sizeLimit": "2Gi"}));
    assert_eq!(pod["runtimeClassName"], "kata");
    assert_eq!(pod["nodeSelector"], json!({"kubernetes.io/os": "linux", "zone": "a"}));
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    assert_eq!(template["metadata"]["annotations"], json!({"karpenter.sh/do-not-disrupt": "true"}));
}

#[test]
fn the_second_view_of_a_workload_is_its_replica_count_and_nothing_else() {
    let mut settings = llm().scaled(1, 4);
    for (backend, kind, name, spec) in [
        (
            Backend::VllmRuntime(Operator::V0_1_12),
            "VLLMRuntime",
            "llama",
            json!({"deploymentConfig": {"replicas": 3}}),
        ),
        (Backend::Deployment, "Deployment", "llama-vllm", json!({"replicas": 3})),
    ] {
        settings.backend = backend;
        let mut plan = plan(&settings, &Observed::default()).unwrap();
        plan.handover = Some(3);
        let stack = compose(&plan).unwrap();
        let view = stack.into_iter().find(|composed| composed.key == Key::ReplicasHandover).unwrap();
        let view = serde_json::to_value(view.manifest).unwrap();
        assert_eq!(view["kind"], kind);
        assert_eq!(view["metadata"], json!({"name": name, "namespace": "team-a"}));
        assert_eq!(view["spec"], spec);
    }
}

#[test]
fn every_trigger_has_the_credentials_and_their_modes() {
    let mut settings = llm().hosted("llama.example.com").scaled(0, 4);
    let plain = written(&settings, Key::ScaledObject);
    settings.scaling.as_mut().unwrap().credentials = Some(Credentials {
        name: "prometheus".to_owned(),
        kind: AuthKind::ClusterTriggerAuthentication,
        modes: vec![AuthMode::Bearer, AuthMode::Tls],
    });
    let guarded = written(&settings, Key::ScaledObject);
    let pairs = plain["spec"]["triggers"]
        .as_array()
        .unwrap()
        .iter()
        .zip(guarded["spec"]["triggers"].as_array().unwrap());
    for (plain, guarded) in pairs {
        let mut want = plain.clone();
        want["metadata"]["authModes"] = json!("bearer,tls");
        want["authenticationRef"] = json!({"name": "prometheus", "kind": "ClusterTriggerAuthentication"});
        assert_eq!(*guarded, want);
    }
}
