//! What people write, and what they are told: whole documents in, settings or exact messages out.
#![expect(clippy::needless_pass_by_value, reason = "documents are written where they are used")]

use serde_json::{Value, json};

use super::fixtures::document;
use super::settings::{RouteBy, Settings, Target, Transport};
use super::{Host, read};

/// A composite with the least that is needed, and these fields.
pub(super) fn composite(fields: Value) -> Value {
    let mut spec = json!({"model": "Qwen/Qwen2.5-3B-Instruct", "providerConfigName": "gpu-cluster"});
    merge(&mut spec, fields);
    json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
        "kind": "LLMInference",
        "metadata": {"name": "qwen", "namespace": "models"},
        "spec": spec,
    })
}

/// An Input with these fields.
pub(super) fn input(fields: Value) -> Value {
    json!({"apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ModelStack", "spec": fields})
}

/// Objects are joined, anything else replaced.
pub(super) fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// What is wrong, line by line.
pub(super) fn problems(composite: Value, input: Option<Value>) -> Vec<String> {
    match read(&document(composite), input.map(document).as_ref()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn settings(composite: Value, input: Option<Value>) -> Settings {
    read(&document(composite), input.map(document).as_ref()).unwrap()
}

#[test]
fn a_manifest_of_crossplane_inference_0_1_6_still_works() {
    let settings = settings(
        json!({
            "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
            "kind": "LLMInference",
            "metadata": {"name": "my-llm", "namespace": "a-team"},
            "spec": {
                "model": "Qwen/Qwen2.5-1.5B-Instruct",
                "gpu": 1,
                "ingressHost": "my-llm.127.0.0.1.nip.io",
                "providerConfigName": "a-team-cluster",
                "targetNamespace": "production",
            },
        }),
        None,
    );
    assert_eq!(settings.ingress_host.unwrap().as_str(), "my-llm.127.0.0.1.nip.io");
    assert_eq!(settings.namespace.as_str(), "production");
    let Transport::Objects(delivery) = settings.transport else { panic!() };
    assert_eq!(delivery.target, Target::NamespacedObject);
    assert_eq!((settings.replicas.min, settings.replicas.max), (1, 3));
    assert_eq!(settings.routing, None);
    assert_eq!(settings.scaling, None);
}

#[test]
fn every_bad_input_is_told_what_would_be_right() {
    let cases = [
        (
            json!({"criticality": "urgent"}),
            r#"spec.criticality is "urgent": must be critical, standard or sheddable"#,
        ),
        (
            json!({"minReplicas": 4, "maxReplicas": 2}),
            "spec.minReplicas is 4: must not be more than maxReplicas (2)",
        ),
        (json!({"gpu": -1}), "spec.gpu is -1: must be a whole number from 0 to 16"),
        (json!({"gpu": "2"}), r#"spec.gpu is "2": must be a whole number from 0 to 16"#),
        (json!({"gpu": 1.5}), "spec.gpu is 1.5: must be a whole number from 0 to 16"),
        (json!({"model": null}), "spec.model is missing: it is required"),
        (
            json!({"model": ["a"]}),
            "spec.model is a list of 1: must be a Hugging Face id, a path or a URI, without blanks and not starting with a dash",
        ),
        (
            json!({"host": "https://llama.example.com"}),
            r#"spec.host is "https://llama.example.com": must be a hostname such as llama.example.com, and no IP address"#,
        ),
        (
            json!({"host": "10.0.0.1"}),
            r#"spec.host is "10.0.0.1": must be a hostname such as llama.example.com, and no IP address"#,
        ),
        (json!({"scaling": true}), "spec.scaling is true: must be an object"),
        (json!({"scaling": {"enabled": "yes"}}), r#"spec.scaling.enabled is "yes": must be true or false"#),
        (
            json!({"scaling": {"metric": "kv-cache", "target": 3}}),
            "spec.scaling.target is 3: must be at most 0.9 where the metric is kv-cache: the autoscaler \
             lets a tenth more pass, and no cache is more than full",
        ),
        (
            json!({"scaling": {"coldStart": "10"}}),
            r#"spec.scaling.coldStart is "10": must be a duration from 1s to 24h, such as 90s, 10m or 1h30m"#,
        ),
        (
            json!({"runtime": {"args": ["--max-num-seqs=64", "--dtype=half"]}}),
            "spec.runtime.args[1] is --dtype: the function sets it, use the field runtime.dtype",
        ),
        (
            json!({"runtime": {"env": [{"name": "HF_TOKEN", "value": "hf_secret"}]}}),
            "spec.runtime.env[0].name is HF_TOKEN: a token comes from a Secret, use the field runtime.tokenSecret",
        ),
        (
            json!({"runtime": {"env": [{"name": "A", "value": 1}]}}),
            "spec.runtime.env[0].value is no text: must be a text without control characters; put quotes around numbers and booleans",
        ),
        (
            json!({"runtime": {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}),
            r#"spec.runtime.env[1].name is "A": an earlier entry has that name"#,
        ),
        (
            json!({"gpu": 2, "runtime": {"env": [{"name": "VLLM_WORKER_MULTIPROC_METHOD", "value": "fork"}]}}),
            "spec.runtime.env is VLLM_WORKER_MULTIPROC_METHOD: the function sets it where gpu is above 1",
        ),
        (
            json!({"runtime": {"runtimeClassName": ""}}),
            r#"spec.runtime.runtimeClassName is "": must be the name of a RuntimeClass; leave it out for nvidia, since VLLMRuntime cannot express none at all"#,
        ),
        (
            json!({"runtime": {"memory": "8GB"}}),
            r#"spec.runtime.memory is "8GB": must be a quantity above 0 and below 8Ei, with at most three digits after the point, such as 2, 500m or 16Gi"#,
        ),
        (
            json!({"runtime": {"sharedMemory": "8Gi"}}),
            "spec.runtime.sharedMemory is set: VLLMRuntime has no place for it; leave it out, or have the platform choose the backend Deployment",
        ),
        (
            json!({"gateway": {"enabled": true}}),
            "spec.host is missing: must be there where gateway.enabled is true",
        ),
        (
            json!({"gateway": {"modelName": "other"}}),
            r#"spec.gateway.modelName is "other": must be "Qwen/Qwen2.5-3B-Instruct", the served name, where the platform routes by host"#,
        ),
        (
            json!({"gateway": {"ref": {"name": "mine"}}}),
            "spec.gateway.ref is envoy-gateway-system/mine: the platform's policy permits envoy-gateway-system/eg",
        ),
        (
            json!({"targetNamespace": "kube-system"}),
            r#"spec.targetNamespace is "kube-system": the platform's policy permits any namespace but kube-*, crossplane-system and the Gateway's"#,
        ),
        (
            json!({"providerConfigName": null}),
            "spec.providerConfigName is missing: must name the provider configuration of the target cluster",
        ),
    ];
    for (fields, want) in cases {
        assert_eq!(problems(composite(fields.clone()), None), [want], "{fields}");
    }
}

#[test]
fn the_platform_decides_what_may_be_asked_for() {
    let policy = json!({"policy": {
        "targetNamespaces": ["team-*"],
        "providerConfigs": ["gpu-*", "cpu-*"],
        "images": ["registry.example.com/*"],
        "gateways": [],
    }});
    let cases = [
        (json!({"targetNamespace": "team-a"}), None),
        (json!({"targetNamespace": "models"}), None),
        (
            json!({"targetNamespace": "prod"}),
            Some(r#"spec.targetNamespace is "prod": the platform's policy permits team-*"#),
        ),
        (
            json!({"providerConfigName": "admin"}),
            Some(r#"spec.providerConfigName is "admin": the platform's policy permits gpu-* or cpu-*"#),
        ),
        (json!({"runtime": {"image": "registry.example.com/a/vllm:v1"}}), None),
        (
            json!({"runtime": {"image": "docker.io/vllm/vllm-openai:v1"}}),
            Some(
                r#"spec.runtime.image is "docker.io/vllm/vllm-openai:v1": the platform's policy permits registry.example.com/*"#,
            ),
        ),
        (
            json!({"gateway": {"ref": {"namespace": "infra"}}}),
            Some("spec.gateway.ref is infra/eg: the platform's policy permits none"),
        ),
        (json!({"gateway": {"ref": {"name": "eg", "sectionName": "https"}}}), None),
    ];
    for (fields, want) in cases {
        let found = problems(composite(fields.clone()), Some(input(policy.clone())));
        assert_eq!(found, want.into_iter().collect::<Vec<_>>(), "{fields}");
    }

    let defaults = json!({"defaults": {"runtime": {"image": "docker.io/lmcache/vllm-openai:v1"}}});
    let mut both = policy;
    merge(&mut both, defaults);
    assert_eq!(problems(composite(json!({})), Some(input(both))), [""; 0], "defaults are the platform's own");
}

#[test]
fn only_one_implementation_has_a_gateway_by_default() {
    let routed = |gateway: Value, reference: Value| {
        let xr = composite(json!({"host": "llama.example.com", "gateway": {"ref": reference}}));
        let open = json!({"policy": {"gateways": ["*/*"]}, "gateway": gateway});
        problems(xr, Some(input(open)))
    };
    let missing = "Input spec.gateway.ref is missing: must have name and namespace of the Gateway, which only EnvoyAIGateway has \
         a default for";
    let istio = |reference: Value| json!({"implementation": "Istio", "ref": reference});
    let cases = [
        (json!({}), json!({}), None, "eg in envoy-gateway-system"),
        (istio(json!({})), json!({}), Some(missing), "nobody says which"),
        (istio(json!({"name": "a"})), json!({}), Some(missing), "nobody says in which namespace"),
        (istio(json!({"name": "a", "namespace": "b"})), json!({}), None, "the platform says it"),
        (istio(json!({"name": "a"})), json!({"namespace": "b"}), None, "both say it together"),
        (istio(json!({})), json!({"name": "a", "namespace": "b"}), None, "the composite says it"),
    ];
    for (gateway, reference, want, reason) in cases {
        assert_eq!(routed(gateway, reference), Vec::from_iter(want), "{reason}");
    }
    let unrouted = input(json!({"gateway": {"implementation": "Istio"}}));
    assert_eq!(problems(composite(json!({})), Some(unrouted)), [""; 0], "a model without routing needs none");
}

/// Many models then share a Gateway, and a host where there is one.
#[test]
fn where_the_platform_routes_by_name_each_model_has_one_and_needs_no_host() {
    let of = |fields: Value| {
        settings(composite(fields), Some(input(json!({"gateway": {"routeBy": "ModelName"}}))))
    };
    let host = Host::parse("models.example.com");
    let cases = [
        (json!({}), Some(RouteBy::ModelName(None)), None, "a model is routed of itself, by its name"),
        (json!({"host": "models.example.com"}), Some(RouteBy::ModelName(host)), None, "at one host alone"),
        (
            json!({"gateway": {"enabled": true}}),
            Some(RouteBy::ModelName(None)),
            None,
            "a host is not asked for",
        ),
        (json!({"gateway": {"enabled": false}}), None, None, "unless the model says that it is not"),
        (
            json!({"servedModelName": "qwen", "gateway": {"modelName": "chat"}}),
            Some(RouteBy::ModelName(None)),
            Some("chat"),
            "the name to route by may be another one, which the model answers to as well",
        ),
        (
            json!({"servedModelName": "qwen", "gateway": {"modelName": "qwen"}}),
            Some(RouteBy::ModelName(None)),
            None,
            "or the same",
        ),
        (
            json!({"gateway": {"enabled": false, "modelName": "chat"}}),
            None,
            None,
            "nobody asks for it by that name",
        ),
    ];
    for (fields, by, alias, reason) in cases {
        let settings = of(fields);
        assert_eq!(settings.routing.map(|routing| routing.by), by, "{reason}");
        assert_eq!(settings.model.alias.as_deref(), alias, "{reason}");
    }
    let adapter = json!({"adapters": [{"name": "chat", "path": "acme/chat"}]});
    let same = composite(json!({"gateway": {"modelName": "chat"}, "lora": adapter}));
    assert_eq!(
        problems(same, Some(input(json!({"gateway": {"routeBy": "ModelName"}})))),
        [r#"spec.lora.adapters[0].name is "chat": must not be the name of the model itself"#],
    );
}

#[test]
fn every_problem_is_told_at_once_and_in_order() {
    let mut bad =
        composite(json!({"maxReplicas": 0, "gpu": 99, "runtime": {"dtype": "int4"}, "host": "a b"}));
    bad["metadata"]["name"] = json!("3-qwen");
    assert_eq!(
        problems(
            bad,
            Some(input(json!({"ttl": {"pending": "1ms"}, "monitoring": {"endpointPicker": "Maybe"}})))
        ),
        [
            r#"metadata.name is "3-qwen": must consist of lower-case letters, digits and dashes, and start with a letter, since it becomes the name of a Service"#,
            "spec.gpu is 99: must be a whole number from 0 to 16",
            r#"spec.host is "a b": must be a hostname such as llama.example.com, and no IP address"#,
            "spec.maxReplicas is 0: must be a whole number from 1 to 1000",
            r#"spec.runtime.dtype is "int4": must be auto, bfloat16, float, float16, float32 or half"#,
            r#"Input spec.monitoring.endpointPicker is "Maybe": must be Auto, Enabled or Disabled"#,
            r#"Input spec.ttl.pending is "1ms": must be a duration from 1s to 24h, such as 90s, 10m or 1h30m"#,
        ]
    );
}

#[test]
fn without_objects_a_model_is_where_its_composite_is() {
    let direct = |more: Value| {
        let mut fields = json!({"target": "Direct"});
        merge(&mut fields, more);
        Some(input(fields))
    };
    let unnamed = |fields: Value| {
        let mut composite = composite(fields);
        composite["spec"].as_object_mut().unwrap().remove("providerConfigName");
        composite
    };
    let cluster_scoped = |fields: Value| {
        let mut composite = unnamed(fields);
        composite["metadata"].as_object_mut().unwrap().remove("namespace");
        composite
    };
    let found = settings(unnamed(json!({})), direct(json!({})));
    assert_eq!((found.transport, found.namespace.as_str()), (Transport::Direct, "models"));
    let found = settings(unnamed(json!({"targetNamespace": "models"})), direct(json!({})));
    assert_eq!(found.namespace.as_str(), "models", "its own namespace may be named");
    let found = settings(cluster_scoped(json!({"targetNamespace": "anywhere"})), direct(json!({})));
    assert_eq!(
        (found.transport, found.namespace.as_str()),
        (Transport::Direct, "anywhere"),
        "a cluster-scoped composite reaches every namespace that the policy permits"
    );

    let cases = [
        (
            composite(json!({})),
            json!({"providerConfigKind": "ClusterProviderConfig"}),
            vec![
                r#"spec.providerConfigName is "gpu-cluster": must be left out, since the platform's target is Direct: models run on the cluster that Crossplane runs on"#,
                "Input spec.providerConfigKind is set: must be left out where target is Direct, which needs no provider",
            ],
        ),
        (
            unnamed(json!({"targetNamespace": "elsewhere"})),
            json!({"policy": {"targetNamespaces": ["*"]}}),
            vec![
                r#"spec.targetNamespace is "elsewhere": must be "models", the composite's own, or left out: where the platform's target is Direct, Crossplane composes nothing elsewhere for a namespaced composite"#,
            ],
        ),
        (
            cluster_scoped(json!({})),
            json!({}),
            vec![
                "spec.targetNamespace is missing: must be there, since the composite has no metadata.namespace",
            ],
        ),
        (
            cluster_scoped(json!({"targetNamespace": "kube-system"})),
            json!({}),
            vec![
                r#"spec.targetNamespace is "kube-system": the platform's policy permits any namespace but kube-*, crossplane-system and the Gateway's"#,
            ],
        ),
    ];
    for (composite, more, want) in cases {
        assert_eq!(problems(composite, direct(more)), want);
    }
}

#[test]
fn composites_of_another_kind_have_to_be_meant() {
    let other = json!({
        "apiVersion": "devopstoolkit.live/v1beta1",
        "kind": "Cluster",
        "metadata": {"name": "qwen"},
        "spec": {"parameters": {"llm": {
            "model": "Qwen/Qwen2.5-3B-Instruct", "providerConfigName": "gpu", "targetNamespace": "models", "gpu": 2
        }}},
    });
    assert_eq!(
        problems(other.clone(), None)[..2],
        [
            r#"apiVersion is "devopstoolkit.live/v1beta1": must be inference.devopstoolkit.ai/v1alpha1, or the Input's specPath must say where the model is described"#,
            r#"kind is "Cluster": must be LLMInference, or the Input's specPath must say where the model is described"#,
        ]
    );
    let path = |path: &str| Some(input(json!({"specPath": path, "target": "ClusterObject"})));
    assert_eq!(settings(other.clone(), path("spec.parameters.llm")).model.gpu, 2);
    assert_eq!(
        problems(other.clone(), path("spec.parameters.lm")),
        ["spec.parameters.lm is missing: the Input's specPath says that the model is described there"]
    );
    assert_eq!(
        problems(other.clone(), path("status.llm")),
        [
            r#"Input spec.specPath is "status.llm": must be a path of fields that starts with spec, such as spec.parameters.llm"#
        ]
    );
    let mut unscoped = other;
    unscoped["spec"]["parameters"]["llm"]["gpu"] = json!(17);
    unscoped["spec"]["parameters"]["llm"]["targetNamespace"] = json!(null);
    assert_eq!(
        problems(unscoped, Some(input(json!({"specPath": "spec.parameters.llm"})))),
        [
            "spec.parameters.llm.gpu is 17: must be a whole number from 0 to 16",
            "spec.parameters.llm.targetNamespace is missing: must be there, since the composite has no metadata.namespace",
            "Input spec.target is missing: must be ClusterObject or, for a model, Direct, since the composite has no metadata.namespace",
        ]
    );
    assert_eq!(
        problems(composite(json!({})), Some(input(json!({"target": "ClusterObject"})))),
        [
            r#"Input spec.target is "ClusterObject": must be NamespacedObject or, for a model, Direct, since the composite is namespaced"#
        ]
    );
}

#[test]
fn inputs_of_another_kind_are_refused_before_anything_is_made_of_them() {
    let with = |field: &str, value: Value| {
        let mut input = input(json!({"specPath": 7}));
        input[field] = value;
        problems(composite(json!({"gpu": 99})), Some(input))
    };
    assert_eq!(
        with("apiVersion", json!("inference.fn.crossplane.io/v1")),
        [
            r#"Input apiVersion is "inference.fn.crossplane.io/v1": must be inference.fn.crossplane.io/v1beta1"#
        ]
    );
    assert_eq!(
        with("kind", json!("ModelStak")),
        [r#"Input kind is "ModelStak": must be ModelStack or ClusterExtension"#]
    );
    assert_eq!(with("kind", json!(null)), ["Input kind is missing: must be ModelStack or ClusterExtension"]);
}

#[test]
fn names_are_as_long_as_what_is_made_of_them_allows() {
    let named = |length: usize, fields: Value, monitoring: &str| {
        let mut composite = composite(fields);
        composite["metadata"]["name"] = json!("a".repeat(length));
        problems(composite, Some(input(json!({"monitoring": {"kind": monitoring}}))))
    };
    let routed = json!({"host": "llama.example.com"});
    let cases = [
        (63, json!({}), "None", true, "the model's own Service"),
        (64, json!({}), "None", false, "no Service name is longer"),
        (55, json!({}), "ServiceMonitor", true, "-metrics"),
        (56, json!({}), "ServiceMonitor", false, "-metrics"),
        (63, json!({}), "PodMonitor", true, "a PodMonitor needs no Service"),
        (59, routed.clone(), "None", true, "-epp"),
        (60, routed, "None", false, "-epp"),
    ];
    for (length, fields, monitoring, fits, reason) in cases {
        assert_eq!(named(length, fields, monitoring).is_empty(), fits, "{length}: {reason}");
    }
    assert_eq!(
        named(56, json!({}), "ServiceMonitor"),
        [format!(
            r#"metadata.name is "{}": must be at most 55 characters long, since Service <name>-metrics is made from it"#,
            "a".repeat(56)
        )]
    );
}

#[test]
fn each_value_comes_from_the_composite_else_the_platform_else_us() {
    let platform = json!({
        "defaults": {
            "runtime": {"cpu": 4, "memory": "16384Mi", "args": ["--a"], "tokenSecret": {"name": "hf", "key": "TOKEN"}},
            "scaling": {"metric": "kv-cache", "target": 0.5, "coldStart": "20m"},
        },
        "priorities": {"sheddable": 0},
        "prometheus": {"address": "http://prometheus:9090"},
    });
    let of = |fields: Value| settings(composite(fields), Some(input(platform.clone())));

    let left_out = of(json!({"scaling": {"enabled": true}, "criticality": "sheddable", "minReplicas": 5}));
    assert_eq!(left_out.model.runtime.cpu.as_deref(), Some("4"));
    assert_eq!(left_out.model.runtime.memory.as_deref(), Some("16Gi"), "quantities are canonical");
    assert_eq!(left_out.model.priority, 0);
    assert_eq!((left_out.replicas.min, left_out.replicas.max), (5, 5));
    let scaling = left_out.scaling.unwrap();
    assert_eq!(scaling.target, Some(0.5));
    assert_eq!(scaling.prometheus_address, "http://prometheus:9090");
    assert_eq!(left_out.cold_start.to_string(), "20m");

    let written = of(json!({
        "runtime": {"cpu": "500m", "args": [], "tolerations": [{"key": "gpu", "value": ""}], "tokenSecret": {"name": "mine"}},
        "scaling": {"enabled": true, "metric": "queue-depth", "coldStart": "5m"},
    }));
    assert_eq!(written.model.runtime.cpu.as_deref(), Some("500m"));
    assert_eq!(written.model.runtime.args, [""; 0], "lists are replaced");
    assert_eq!(written.model.runtime.tolerations[0].value, None, "as API servers store it");
    let token = written.model.runtime.token_secret.unwrap();
    assert_eq!((token.name.as_str(), token.key.as_str()), ("mine", "TOKEN"));
    assert_eq!(written.scaling.unwrap().target, None, "a target for another metric is no default");
    assert_eq!(written.cold_start.to_string(), "5m");
}

#[test]
fn what_a_backend_has_no_place_for_is_refused_by_name() {
    let operator = |version: &str| input(json!({"workload": {"operatorVersion": version}}));
    let runtime = |fields: Value| json!({"runtime": fields});
    let token = json!({"tokenSecret": {"name": "hf"}});
    let secret = json!({"env": [{"name": "A", "secretKeyRef": {"name": "s", "key": "k"}}]});
    let taint = json!({"tolerations": [{"operator": "Exists"}]});
    let cases = [
        (
            runtime(json!({"runtimeClassName": "nvidia"})),
            "0.1.11",
            "spec.runtime.runtimeClassName is set: VLLMRuntime has a place for it from operator 0.1.12 on",
        ),
        (runtime(json!({"runtimeClassName": "nvidia"})), "0.1.12", ""),
        (
            runtime(taint.clone()),
            "0.1.9",
            "spec.runtime.tolerations is set: VLLMRuntime has a place for it from operator 0.1.10 on",
        ),
        (runtime(taint), "0.1.10", ""),
        (
            runtime(json!({"nodeSelector": {"a": "b"}})),
            "0.1.8",
            "spec.runtime.nodeSelector is set: VLLMRuntime has a place for it from operator 0.1.9 on",
        ),
        (runtime(json!({"nodeSelector": {"a": "b"}})), "0.1.9", ""),
        (
            runtime(secret),
            "0.1.12",
            "spec.runtime.env is with a secretKeyRef: VLLMRuntime takes literal values only",
        ),
        (runtime(token), "0.1.5", ""),
        (
            json!({"scaling": {"enabled": true}}),
            "0.1.10",
            "spec.scaling.enabled is true: must be false, since the platform's VLLMRuntime has no scale subresource: its operator has to be 0.1.11 or newer",
        ),
        (json!({"scaling": {"enabled": true}}), "0.1.11", ""),
        (json!({}), "0.1.13", r#"Input spec.workload.operatorVersion is "0.1.13": must be 0.1.5, 0.1.6"#),
    ];
    for (fields, version, want) in cases {
        let found = problems(composite(fields.clone()), Some(operator(version)));
        match (want, found.as_slice()) {
            ("", []) => {}
            (want, [only]) if !want.is_empty() && only.starts_with(want) => {}
            _ => panic!("{version} {fields}: {found:?}"),
        }
    }

    let deployment = |fields: Value| {
        let mut input = input(json!({"workload": {"backend": "Deployment"}}));
        merge(&mut input["spec"], fields);
        input
    };
    let everything = runtime(json!({
        "sharedMemory": "8Gi", "runtimeClassName": "kata", "nodeSelector": {"a": "b"},
        "env": [{"name": "A", "secretKeyRef": {"name": "s", "key": "k"}}], "tolerations": [{"operator": "Exists"}],
    }));
    assert_eq!(
        problems(composite(everything), Some(deployment(json!({})))),
        [""; 0],
        "a Deployment takes it all"
    );
    let found =
        problems(composite(json!({})), Some(deployment(json!({"workload": {"operatorVersion": "0.1.12"}}))));
    assert!(found[0].contains("which no operator runs"), "{found:?}");
}

#[test]
fn node_autoscalers_are_asked_by_annotations_of_pods() {
    let nodes = |fields: Value| input(json!({"nodes": fields}));
    let of = |input: Value| settings(composite(json!({})), Some(input)).pod_annotations;
    assert_eq!(of(nodes(json!({}))).len(), 0);
    let both = of(nodes(json!({"protect": true})));
    assert_eq!(both["karpenter.sh/do-not-disrupt"], "true");
    assert_eq!(both["cluster-autoscaler.kubernetes.io/safe-to-evict"], "false");
    let own = of(nodes(json!({"protect": true, "annotations": {"karpenter.sh/do-not-disrupt": "30m"}})));
    assert_eq!(own.len(), 1, "the platform's own replace them");

    let found = problems(composite(json!({})), Some(nodes(json!({"annotations": {"a": "b"}}))));
    assert!(found[0].starts_with("Input spec.nodes.annotations is set: "), "{found:?}");
    let old = input(json!({"nodes": {"protect": true}, "workload": {"operatorVersion": "0.1.11"}}));
    let found = problems(composite(json!({})), Some(old));
    assert!(found[0].starts_with("Input spec.nodes.protect is true: "), "{found:?}");
}
