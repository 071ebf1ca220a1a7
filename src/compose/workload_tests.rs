//! The traps of the vLLM operator, one by one, and what a Deployment owes to scarce GPUs and running requests.
//!
//! That the traps are there is shown on an API server, in `tests/e2e/tests/vllm_operator.rs`.

use k8s_openapi::api::core::v1::Toleration;
use serde_json::{Value, json};

use crate::api::fixtures::llm;
use crate::api::operator::Operator;
use crate::api::settings::{Backend, EnvSource, EnvVariable, SecretKey, Settings};
use crate::plan::keys::Key;
use crate::plan::names::CONFIG_HASH_ANNOTATION;

use super::tests::written;

type Change = fn(&mut Settings);

/// Everything that a `VLLMRuntime` has a place for.
fn full() -> Settings {
    let mut settings = llm();
    settings.model.gpu = 2;
    let runtime = &mut settings.model.runtime;
    runtime.image = Some("example.com/vllm:1".to_owned());
    runtime.cpu = Some("3".to_owned());
    runtime.memory = Some("30Gi".to_owned());
    runtime.args = vec!["--seed=7".to_owned()];
    runtime.env = vec![EnvVariable { name: "A".to_owned(), value: EnvSource::Literal("b".to_owned()) }];
    runtime.dtype = Some("half".to_owned());
    runtime.max_model_len = Some(4096);
    runtime.token_secret = Some(SecretKey { name: "hf".to_owned(), key: "k".to_owned() });
    runtime.runtime_class_name = Some("kata".to_owned());
    runtime.node_selector = [("zone".to_owned(), "a".to_owned())].into();
    runtime.tolerations = vec![Toleration { operator: Some("Exists".to_owned()), ..Toleration::default() }];
    settings
}

fn deployed(mut settings: Settings) -> Settings {
    settings.backend = Backend::Deployment;
    settings
}

#[test]
fn a_runtime_has_a_place_for_every_engine_setting_that_is_not_refused_for_it() {
    let spec = &written(&full(), Key::VllmRuntime)["spec"];
    let has = |path: &str, want: Value| assert_eq!(spec.pointer(path), Some(&want), "{path}");
    has("/deploymentConfig/image/registry", json!("example.com"));
    has("/deploymentConfig/image/name", json!("vllm:1"));
    has("/deploymentConfig/resources/cpu", json!("3"));
    has("/deploymentConfig/resources/memory", json!("30Gi"));
    has("/deploymentConfig/resources/gpu", json!("2"));
    has("/deploymentConfig/runtimeClass", json!("kata"));
    has("/deploymentConfig/toleration", json!([{"operator": "Exists"}]));
    has("/model/dtype", json!("half"));
    has("/model/maxModelLen", json!(4096));
    has("/model/hfTokenSecret", json!({"hfTokenSecretName": "hf", "hfTokenKeyName": "k"}));
    has("/vllmConfig/tensorParallelSize", json!(2));
    has(
        "/vllmConfig/env",
        json!([{"name": "VLLM_WORKER_MULTIPROC_METHOD", "value": "spawn"}, {"name": "A", "value": "b"}]),
    );
    let arguments = spec.pointer("/vllmConfig/extraArgs").and_then(Value::as_array).unwrap();
    assert!(arguments.contains(&json!("--seed=7")), "{arguments:?}");
    let terms = spec.pointer("/deploymentConfig/nodeSelectorTerms/0/matchExpressions").unwrap();
    assert!(terms.to_string().contains("zone"), "{terms}");
}

#[test]
fn a_runtime_meets_none_of_its_operators_traps() {
    for settings in [llm(), full(), llm().scaled(1, 3), llm().hosted("llama.example.com").scaled(0, 3)] {
        let mut labelled = settings.clone();
        labelled.labels = [("team".to_owned(), "a".to_owned())].into();
        let runtime = written(&labelled, Key::VllmRuntime);
        let spec = &runtime["spec"];
        let config = &spec["deploymentConfig"];
        let absent = |path: &str, reason: &str| assert_eq!(spec.pointer(path), None, "{reason}");

        let terms = config["nodeSelectorTerms"].as_array().unwrap();
        assert!(!terms.is_empty(), "1: without terms it panics");
        absent("/lmCacheConfig", "3: said to be off, it is updated for ever");
        assert!(config["resources"]["gpu"].is_string(), "4: resources that are all empty never match");
        assert_ne!(config["runtimeClass"], "", "5: no pod may have an empty one");
        for feature in ["v1", "enablePrefixCaching", "enableChunkedPrefill"] {
            assert_eq!(spec["vllmConfig"][feature], true, "6: what is not said is off");
        }
        assert_eq!(runtime["metadata"].get("labels"), None, "7: labels end in a selector that cannot change");
        absent("/autoscalingConfig", "8, 12, 13: its own autoscaler never wakes a model, and may panic");
        absent("/deploymentConfig/deploymentStrategy", "11: its absence tells a stub CRD");
        assert_eq!(
            spec["model"].get("hfTokenSecret").is_some(),
            settings.model.runtime.token_secret.is_some()
        );
        assert_eq!(
            config.get("replicas").is_some(),
            settings.scaling.is_none(),
            "11, 15: said where nobody else says it, and only there"
        );
        if settings.scaling.is_some() {
            let scaled_object = written(&settings, Key::ScaledObject);
            assert_eq!(scaled_object["metadata"]["name"], "llama", "8: not what the operator deletes");
            let target = &scaled_object["spec"]["scaleTargetRef"];
            assert_eq!(target["kind"], "VLLMRuntime", "14: on the Deployment it would undo every change");
        }
    }
    let image = written(&llm(), Key::VllmRuntime)["spec"]["deploymentConfig"]["image"].clone();
    let name = image["name"].as_str().unwrap();
    assert!(name.starts_with("lmcache/"), "9: the stock image has no /opt/venv/bin/vllm");
    let mut old = llm();
    old.backend = Backend::VllmRuntime(Operator::V0_1_5);
    let old = &written(&old, Key::VllmRuntime)["spec"]["deploymentConfig"];
    for newer in ["nodeSelectorTerms", "toleration", "podAnnotations", "runtimeClass"] {
        assert_eq!(old.get(newer), None, "10: the CRD of its time refuses {newer}");
    }
}

/// The operator compares some fields with what runs; for the others pods are only replaced by their annotation.
#[test]
fn pods_are_replaced_when_something_changes_that_the_operator_does_not_look_at() {
    let hash = |settings: &Settings| {
        let runtime = written(settings, Key::VllmRuntime);
        runtime["spec"]["deploymentConfig"]["podAnnotations"][CONFIG_HASH_ANNOTATION].clone()
    };
    let before = hash(&full());
    assert!(before.is_string());
    let changes: [(&str, Change); 7] = [
        ("args", |it| it.model.runtime.args = vec!["--seed=8".to_owned()]),
        ("env", |it| it.model.runtime.env.clear()),
        ("dtype", |it| it.model.runtime.dtype = None),
        ("maxModelLen", |it| it.model.runtime.max_model_len = Some(8192)),
        ("tokenSecret", |it| it.model.runtime.token_secret = None),
        ("servedModelName", |it| it.model.served_name = "other".to_owned()),
        ("tensorParallelSize", |it| it.model.gpu = 4),
    ];
    for (field, change) in changes {
        let mut settings = full();
        change(&mut settings);
        assert_ne!(hash(&settings), before, "{field}");
    }
    let mut more = full();
    more.replicas.min = 2;
    assert_eq!(hash(&more), before, "more replicas replace none");
}

#[test]
fn a_deployment_leaves_gpus_for_its_successor_and_lets_requests_end() {
    let deployment = written(&deployed(llm()), Key::ModelDeployment);
    let spec = &deployment["spec"];
    assert_eq!(
        spec["strategy"]["rollingUpdate"],
        json!({"maxSurge": 0, "maxUnavailable": 1}),
        "a surplus replica would wait for the GPU of the one it is to replace"
    );
    let pod = &spec["template"]["spec"];
    assert_eq!(pod["enableServiceLinks"], false, "a Service called vllm would set VLLM_PORT");
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let engine = &pod["containers"][0];
    assert_eq!(engine["securityContext"]["allowPrivilegeEscalation"], false);
    assert_eq!(engine["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    let seconds = |value: &Value| value.as_u64().unwrap();
    let finish = engine["args"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|argument| argument.as_str()?.strip_prefix("--shutdown-timeout=")?.parse::<u64>().ok());
    let leave = seconds(&engine["lifecycle"]["preStop"]["sleep"]["seconds"]);
    let grace = seconds(&pod["terminationGracePeriodSeconds"]);
    assert!(grace >= leave + finish.unwrap() + 15, "{grace} for {leave} and {finish:?}");
    let startup = &engine["startupProbe"];
    let budget = seconds(&startup["periodSeconds"]) * seconds(&startup["failureThreshold"]);
    assert_eq!(budget, 600, "all of a cold start");
    let volume = &pod["volumes"][0];
    assert_eq!(volume["emptyDir"]["medium"], "Memory");
    assert_eq!(engine["volumeMounts"][0], json!({"name": volume["name"], "mountPath": "/dev/shm"}));
}

#[test]
fn without_gpus_none_is_asked_for() {
    let mut settings = llm();
    settings.model.gpu = 0;
    let runtime = written(&settings, Key::VllmRuntime);
    assert_eq!(runtime["spec"]["deploymentConfig"]["resources"]["gpu"], "0");
    let deployment = written(&deployed(settings), Key::ModelDeployment);
    let engine = &deployment["spec"]["template"]["spec"]["containers"][0];
    let quantities = json!({"cpu": "2", "memory": "8Gi"});
    assert_eq!(engine["resources"], json!({"requests": quantities, "limits": quantities}));
    assert!(!engine["args"].to_string().contains("--tensor-parallel-size"), "{}", engine["args"]);
}
