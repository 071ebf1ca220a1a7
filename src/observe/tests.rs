//! From bytes to facts.

use serde_json::{Value, json};

use crate::plan::keys::Key;
use crate::protocol::{StructError, to_struct};

use super::fixtures::cluster;
use super::{
    Asked, Claim, ConditionFacts, DeploymentFacts, Facts, Form, GatewayFacts, Listener, Live, Marks,
    Observed, ObservedCondition, ObservedObject, Parent, ReadError, ScaledObjectFacts, Synced,
    VllmRuntimeFacts, read,
};

fn observe(key: &str, object: &Value) -> Result<Observed, ReadError> {
    let bytes = to_struct(object).unwrap();
    read(&[], [(key, bytes.as_slice())])
}

/// An Object around a live object, as provider-kubernetes writes it.
fn object_around(synced: &str, live: &Value) -> Value {
    json!({
        "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
        "kind": "Object",
        "metadata": {"name": "llama-0123456789ab"},
        "spec": {
            "providerConfigRef": {"kind": "ProviderConfig", "name": "gpu-cluster"},
            "forProvider": {"manifest": {
                "apiVersion": "production-stack.vllm.ai/v1alpha1",
                "kind": "VLLMRuntime",
                "metadata": {"name": "llama", "namespace": "team-a"},
                "spec": {"deploymentConfig": {"replicas": 2}},
            }},
        },
        "status": {
            "conditions": [{"type": "Synced", "status": synced, "reason": "Because", "message": "of this"}],
            "atProvider": {"manifest": live},
        },
    })
}

fn only(observed: Observed) -> ObservedObject {
    observed.objects.into_values().next().unwrap()
}

#[test]
fn what_we_asked_for_is_read_whether_it_is_there_or_not() {
    let read = only(observe("vllm_runtime", &object_around("False", &Value::Null)).unwrap());
    let want = ObservedObject {
        name: Some("llama-0123456789ab".to_owned()),
        form: Form::NamespacedObject,
        synced: Some(Synced::False("of this".to_owned())),
        provider_config: Some("gpu-cluster".to_owned()),
        only_looks: false,
        asked: Asked {
            name: Some("llama".to_owned()),
            namespace: Some("team-a".to_owned()),
            replicas: Some(2),
            ingress_host: None,
            gateway: None,
        },
        live: None,
        marks: None,
        unreadable: None,
    };
    assert_eq!(read, want);

    let object = |spec: Value| {
        let manifest = json!({"forProvider": {"manifest": {"spec": spec}}});
        json!({"apiVersion": "kubernetes.m.crossplane.io/v1alpha1", "kind": "Object", "spec": manifest})
    };
    let ingress = object(json!({"rules": [{"host": "old.example.com"}]}));
    let read = only(observe("ingress", &ingress).unwrap());
    assert_eq!(read.asked.ingress_host.as_deref(), Some("old.example.com"));

    let route = object(json!({"rules": [{"matches": [{}]}]}));
    assert_eq!(
        only(observe("http_route", &route).unwrap()).asked,
        Asked::default(),
        "its rules have no host"
    );
}

#[test]
fn a_live_object_counts_only_while_its_object_is_synced() {
    let live = json!({"metadata": {"generation": 3}, "status": {"availableReplicas": 1}});
    let cases = [
        ("True", true, "the provider saw it at its last look"),
        ("False", false, "the manifest is what was there before"),
        ("Unknown", false, "nothing is known"),
    ];
    for (synced, want, reason) in cases {
        let read = only(observe("vllm_runtime", &object_around(synced, &live)).unwrap());
        assert_eq!(read.live.is_some(), want, "{reason}");
        assert_eq!(read.unreadable, None, "{reason}");
    }
    let lost =
        cluster().holding(Key::VllmRuntime, live).broken(Key::VllmRuntime, "connect failed").observed();
    let lost = only(lost);
    assert_eq!((lost.live, lost.synced), (None, Some(Synced::False("connect failed".to_owned()))));
}

/// A runtime that Crossplane applies itself; its replica count has these managers.
fn composed_runtime(managers: &[(&str, &str, Option<&str>)]) -> Value {
    let managed: Vec<Value> = managers
        .iter()
        .map(|(manager, operation, subresource)| {
            json!({
                "manager": manager, "operation": operation, "subresource": subresource,
                "apiVersion": "production-stack.vllm.ai/v1alpha1", "fieldsType": "FieldsV1",
                "fieldsV1": {"f:spec": {"f:deploymentConfig": {"f:replicas": {}}}},
            })
        })
        .collect();
    json!({
        "apiVersion": "production-stack.vllm.ai/v1alpha1",
        "kind": "VLLMRuntime",
        "metadata": {
            "name": "llama", "namespace": "team-a", "generation": 2, "resourceVersion": "1234",
            "annotations": {"inference.devopstoolkit.ai/owner": "team-a/llama"},
            "managedFields": managed,
        },
        "spec": {"deploymentConfig": {"replicas": 4, "deploymentStrategy": "RollingUpdate"}},
        "status": {"availableReplicas": 3},
    })
}

#[test]
fn a_composed_resource_without_an_object_is_the_live_object() {
    const OURS: &str = "apiextensions.crossplane.io/composed/0123456789abcdef";
    let read = only(observe("vllm_runtime", &composed_runtime(&[(OURS, "Apply", None)])).unwrap());
    let asked = Asked {
        name: Some("llama".to_owned()),
        namespace: Some("team-a".to_owned()),
        replicas: Some(4),
        ingress_host: None,
        gateway: None,
    };
    assert_eq!((read.form, read.synced, read.asked), (Form::Direct, Some(Synced::True), asked));
    let live = read.live.unwrap();
    assert_eq!((live.generation, live.resource_version.as_deref()), (Some(2), Some("1234")));
    assert_eq!(read.marks, None, "Crossplane controls it");
    assert_eq!(live.spec_replicas(), Some(4));

    let cases = [
        (vec![(OURS, "Apply", None)], Some(4), "we are its only manager"),
        (vec![(OURS, "Apply", None), ("keda", "Update", Some("scale"))], Some(4), "we are one of them"),
        (vec![("keda", "Update", Some("scale"))], None, "the autoscaler has changed it"),
        (vec![("provider-kubernetes/llama", "Apply", None)], None, "somebody else applies it"),
        (vec![(OURS, "Update", None)], None, "Crossplane applies"),
        (vec![], None, "it is the definition's default"),
    ];
    for (managers, want, reason) in cases {
        let read = only(observe("vllm_runtime", &composed_runtime(&managers)).unwrap());
        assert_eq!(read.asked.replicas, want, "{reason}");
    }

    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "spec": {"rules": [{"host": "old.example.com"}]},
    });
    let read = only(observe("ingress", &ingress).unwrap());
    assert_eq!(read.asked.ingress_host.as_deref(), Some("old.example.com"));
    assert_eq!(read.live.map(|live| live.facts), Some(Facts::Exists));
}

#[test]
fn a_live_object_that_is_not_what_its_kind_promises_stops_nothing_without_an_object_either() {
    let mut runtime = composed_runtime(&[]);
    runtime["status"]["availableReplicas"] = json!("three");
    let read = only(observe("vllm_runtime", &runtime).unwrap());
    assert_eq!((read.live, read.synced), (None, Some(Synced::True)));
    let why = read.unreadable.unwrap();
    assert!(why.starts_with("status.availableReplicas: "), "{why}");
    assert_eq!(read.asked.namespace.as_deref(), Some("team-a"), "where it is can be told all the same");
}

#[test]
fn what_is_an_object_is_told_by_group_and_kind_in_any_version() {
    let cases = [
        ("kubernetes.m.crossplane.io/v1alpha1", "Object", Form::NamespacedObject, "ours"),
        ("kubernetes.m.crossplane.io/v1", "Object", Form::NamespacedObject, "a version to come"),
        ("kubernetes.crossplane.io/v1alpha1", "Object", Form::ClusterObject, "the deprecated version"),
        ("kubernetes.crossplane.io/v1alpha2", "Object", Form::ClusterObject, "ours"),
        ("example.com/v1", "Object", Form::Direct, "another group"),
        ("v1", "Service", Form::Direct, "the core group"),
    ];
    for (api_version, kind, want, reason) in cases {
        let resource = json!({"apiVersion": api_version, "kind": kind});
        assert_eq!(only(observe("epp_service", &resource).unwrap()).form, want, "{reason}");
    }
}

#[test]
fn what_is_looked_up_is_there_or_is_not() {
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "eg", "namespace": "envoy-gateway-system"},
        "spec": {"gatewayClassName": "eg"},
    });
    let bytes = to_struct(&gateway).unwrap();
    let mut observed = Observed::default();
    observed.look_up(Key::Gateway, Some(bytes.as_slice())).unwrap();
    let Some(Live { facts: Facts::Gateway(facts), .. }) = observed.live(Key::Gateway) else { panic!() };
    assert_eq!(facts.class.as_deref(), Some("eg"));

    observed.look_up(Key::Gateway, None).unwrap();
    assert_eq!(only(observed).synced, Some(Synced::Missing));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_kind_gives_its_facts() {
    let condition = |kind: &str, generation| ConditionFacts {
        kind: kind.to_owned(),
        status: "True".to_owned(),
        reason: "R".to_owned(),
        message: "m".to_owned(),
        observed_generation: generation,
    };
    let parents = json!([{
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "eg", "namespace": "egs"},
        "controllerName": "example.com/controller",
        "conditions": [{"type": "Accepted", "status": "True", "reason": "R", "message": "m", "observedGeneration": 4}],
    }]);
    let parents_read = Facts::Parents(vec![Parent {
        kind: Some("Gateway".to_owned()),
        name: "eg".to_owned(),
        namespace: Some("egs".to_owned()),
        conditions: vec![condition("Accepted", Some(4))],
    }]);
    let plain = json!([{"type": "Ready", "status": "True", "reason": "R", "message": "m"}]);
    let cases = [
        (
            Key::VllmRuntime,
            json!({
                "spec": {"deploymentConfig": {"replicas": 3, "deploymentStrategy": "RollingUpdate"}},
                "status": {"replicas": 3, "availableReplicas": 2, "modelStatus": "Updating", "selector": "app=llama", "lastUpdated": "2026-11-21T04:00:00Z"},
            }),
            Facts::VllmRuntime(VllmRuntimeFacts {
                spec_replicas: Some(3),
                has_deployment_strategy: true,
                replicas: Some(3),
                available_replicas: Some(2),
                model_status: Some("Updating".to_owned()),
                last_updated: Some("2026-11-21T04:00:00Z".to_owned()),
                counts: true,
            }),
            "a model that grows",
        ),
        (
            Key::VllmRuntime,
            json!({"spec": {"deploymentConfig": {"replicas": 0}}, "status": {"modelStatus": "Ready", "selector": "app=llama"}}),
            Facts::VllmRuntime(VllmRuntimeFacts {
                spec_replicas: Some(0),
                model_status: Some("Ready".to_owned()),
                counts: true,
                ..VllmRuntimeFacts::default()
            }),
            "one that sleeps: its operator counts, and omits a count of zero",
        ),
        (
            Key::VllmRuntime,
            json!({"status": {"modelStatus": "Ready"}}),
            Facts::VllmRuntime(VllmRuntimeFacts {
                model_status: Some("Ready".to_owned()),
                ..VllmRuntimeFacts::default()
            }),
            "an operator that does not count",
        ),
        (
            Key::EppDeployment,
            json!({
                "spec": {"template": {"spec": {"containers": [{"image": "epp:v1.3.1"}, {"image": "sidecar"}]}}},
                "status": {
                    "observedGeneration": 4, "replicas": 2, "availableReplicas": 1, "updatedReplicas": 1,
                    "conditions": plain,
                },
            }),
            Facts::Deployment(DeploymentFacts {
                spec_replicas: None,
                image: Some("epp:v1.3.1".to_owned()),
                observed_generation: Some(4),
                replicas: Some(2),
                available_replicas: Some(1),
                updated_replicas: Some(1),
                conditions: vec![condition("Ready", None)],
            }),
            "the picker",
        ),
        (
            Key::ModelDeployment,
            json!({"spec": {"replicas": 2, "selector": {}}, "status": {"observedGeneration": 4}}),
            Facts::Deployment(DeploymentFacts {
                spec_replicas: Some(2),
                observed_generation: Some(4),
                ..DeploymentFacts::default()
            }),
            "the model servers, of which none is up",
        ),
        (
            Key::InferencePool,
            json!({"spec": {"selector": {}}, "status": {"parents": parents}}),
            parents_read.clone(),
            "a pool",
        ),
        (
            Key::InferencePool,
            json!({"status": {"parents": null}}),
            Facts::Parents(vec![]),
            "null is an empty list",
        ),
        (Key::HttpRoute, json!({"status": {"parents": parents}}), parents_read, "a route"),
        (
            Key::AiGatewayHttpRoute,
            json!({"status": {"parents": null}}),
            Facts::Parents(vec![]),
            "the route that Envoy AI Gateway makes",
        ),
        (
            Key::GatewayExtensionPolicy,
            json!({"status": {"ancestors": [
                {"ancestorRef": {"kind": "Gateway", "name": "eg", "namespace": "infra"}, "conditions": plain},
            ]}}),
            Facts::Parents(vec![Parent {
                kind: Some("Gateway".to_owned()),
                name: "eg".to_owned(),
                namespace: Some("infra".to_owned()),
                conditions: vec![condition("Ready", None)],
            }]),
            "a policy",
        ),
        (
            Key::AiGatewayRoute,
            json!({"spec": {"rules": []}, "status": {"conditions": plain}}),
            Facts::AiGatewayRoute(vec![condition("Ready", None)]),
            "what it makes that of",
        ),
        (
            Key::ScaledObject,
            json!({"status": {"conditions": plain, "lastActiveTime": "2026-11-21T04:00:00Z"}}),
            Facts::ScaledObject(ScaledObjectFacts {
                conditions: vec![condition("Ready", None)],
                last_active: Some("2026-11-21T04:00:00Z".to_owned()),
            }),
            "the autoscaler",
        ),
        (
            Key::Gateway,
            json!({
                "spec": {
                    "gatewayClassName": "eg",
                    "listeners": [{"name": "https", "hostname": "*.example.com", "port": 443, "protocol": "HTTPS", "tls": {}}],
                },
                "status": {"addresses": [{"type": "IPAddress", "value": "192.0.2.1"}], "conditions": plain},
            }),
            Facts::Gateway(GatewayFacts {
                class: Some("eg".to_owned()),
                listeners: vec![Listener {
                    name: "https".to_owned(),
                    hostname: Some("*.example.com".to_owned()),
                    port: 443,
                    protocol: "HTTPS".to_owned(),
                }],
                addresses: vec!["192.0.2.1".to_owned()],
                conditions: vec![condition("Ready", None)],
            }),
            "the Gateway",
        ),
        (Key::EppConfigMap, json!({"data": {"config.yaml": "a: 1"}}), Facts::Exists, "no status of interest"),
    ];
    for (key, mut live, facts, reason) in cases {
        live["metadata"] = json!({
            "generation": 4,
            "creationTimestamp": "2026-11-21T03:00:00Z",
            "annotations": {
                "a/b": "c",
                "inference.devopstoolkit.ai/owner": "team-a/llama",
                "claim.inference.devopstoolkit.ai/0123456789abcdef": "2026-11-21T04:00:00Z team-a/llama",
                "claim.inference.devopstoolkit.ai/broken": "nothing",
            },
            "managedFields": [{"fieldsV1": {"f:spec": {}}}],
        });
        let runs = [Key::VllmRuntime, Key::ModelDeployment, Key::ReplicasHandover].contains(&key);
        let want = Live {
            generation: Some(4),
            created: runs.then(|| "2026-11-21T03:00:00Z".to_owned()),
            facts,
            ..Live::default()
        };
        let marks = Marks {
            owner: Some("team-a/llama".to_owned()),
            claims: vec![Claim {
                created: "2026-11-21T04:00:00Z".to_owned(),
                owner: "team-a/llama".to_owned(),
            }],
        };
        let object = cluster().holding(key, live).observed().objects.remove(&key).unwrap();
        assert_eq!((object.live, object.marks), (Some(want), Some(marks)), "{reason}");
    }
}

#[test]
fn who_would_keep_the_replica_count_is_read_wherever_the_kind_has_it() {
    let managed = |path: Value| {
        json!([
            {"manager": "provider-kubernetes/main", "operation": "Apply", "fieldsV1": path},
            {"manager": "keda", "operation": "Update", "subresource": "scale", "fieldsV1": path},
            {"manager": "old-provider", "operation": "Update", "fieldsV1": path},
            {"manager": "operator", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}},
            {"manager": "other", "operation": "Apply", "fieldsV1": {"f:spec": {"f:model": {}}}},
        ])
    };
    let runtime = json!({"f:spec": {"f:deploymentConfig": {"f:replicas": {}}}});
    let deployment = json!({"f:spec": {"f:replicas": {}}});
    let cases = [
        (Key::VllmRuntime, json!({"deploymentConfig": {"replicas": 3}}), runtime.clone()),
        (Key::ReplicasHandover, json!({"deploymentConfig": {"replicas": 3}}), runtime),
        (Key::ReplicasHandover, json!({"replicas": 3}), deployment),
    ];
    for (key, spec, path) in cases {
        let live = json!({"metadata": {"managedFields": managed(path)}, "spec": spec});
        let observed = cluster().holding(key, live).observed();
        let live = observed.live(key).unwrap();
        assert_eq!(live.spec_replicas(), Some(3), "{key:?}");
        let managers: Vec<&str> = live.replicas_managers.iter().map(String::as_str).collect();
        assert_eq!(managers, ["keda", "provider-kubernetes/main"], "{key:?}: who applies and who scales");
    }
    let object = only(cluster().holding(Key::VllmRuntime, json!({})).observed());
    assert_eq!(object.field_manager().as_deref(), Some("provider-kubernetes/llama-0123456789ab"));
}

#[test]
fn an_object_that_only_looks_says_so() {
    let cases = [
        (json!(["Observe"]), true, "nothing is written"),
        (json!(["*"]), false, "the provider's default, as the API server writes it down"),
        (json!(["Observe", "Update"]), false, "it writes too"),
        (Value::Null, false, "left out"),
    ];
    for (policies, want, reason) in cases {
        let mut object = object_around("True", &Value::Null);
        object["spec"]["managementPolicies"] = policies;
        assert_eq!(only(observe("http_route", &object).unwrap()).only_looks, want, "{reason}");
        object["status"]["conditions"] = json!("none");
        let read = only(observe("http_route", &object).unwrap());
        assert!(read.unreadable.is_some());
        assert_eq!(read.only_looks, want, "{reason}, and the rest of it cannot be read");
    }
}

#[test]
fn whose_a_live_object_is_can_be_told_although_the_rest_cannot() {
    let marks = |live: Value| only(observe("epp_deployment", &object_around("True", &live)).unwrap()).marks;
    let metadata = json!({"annotations": {"inference.devopstoolkit.ai/owner": "team-b/llama"}});
    let theirs = Marks { owner: Some("team-b/llama".to_owned()), claims: Vec::new() };
    let broken = json!({"metadata": metadata, "status": {"availableReplicas": "one"}});
    assert_eq!(marks(broken), Some(theirs));
    assert_eq!(marks(json!({"metadata": {"annotations": 1}})), None, "it says nothing that can be read");
}

#[test]
fn a_route_tells_which_hosts_it_serves() {
    let live = json!({"spec": {"hostnames": ["llama.example.com"]}});
    let observed = cluster().holding(Key::HttpRoute, live).observed();
    assert_eq!(observed.live(Key::HttpRoute).unwrap().hostnames, ["llama.example.com"]);
}

#[test]
fn a_live_object_of_unexpected_shape_is_not_yet_and_says_where() {
    let cases = [
        (
            "vllm_runtime",
            json!({"status": {"availableReplicas": "one"}}),
            "status.atProvider.manifest.status.availableReplicas: invalid type: string \"one\", expected an integer",
        ),
        (
            "gateway",
            json!({"spec": {"listeners": [{"name": "http", "port": 80}, {"name": "https", "port": 100_443}]}}),
            "status.atProvider.manifest.spec.listeners[1].port: invalid value: integer `100443`, expected an unsigned integer of 16 bits",
        ),
        (
            "vllm_runtime",
            json!({"metadata": {"managedFields": [{"operation": 1}]}}),
            "status.atProvider.manifest.metadata.managedFields[0].operation: invalid type: integer `1`, expected a string",
        ),
        (
            "http_route",
            json!("no object at all"),
            "status.atProvider.manifest: invalid type: string \"no object at all\", expected an object",
        ),
    ];
    for (key, live, want) in cases {
        let read = only(observe(key, &object_around("True", &live)).unwrap());
        assert_eq!(read.unreadable.as_deref(), Some(want));
        assert_eq!(read.live, None, "{want}");
        let name = (key == "vllm_runtime").then_some("llama-0123456789ab");
        assert_eq!(read.name.as_deref(), name, "the rest is still read, as far as it is asked");
        let read = only(observe(key, &object_around("False", &live)).unwrap());
        assert_eq!(read.unreadable, None, "what does not count need not be readable");
    }
}

#[test]
fn an_object_that_cannot_be_read_is_an_error_with_its_key_where_it_decides_something() {
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    let object = |spec: Value| json!({"apiVersion": "kubernetes.crossplane.io/v1alpha2", "kind": "Object", "spec": spec});
    let cases = [
        (object(json!("none")), "spec: invalid type: string \"none\", expected an object", "not an Object"),
        (
            object(json!({"forProvider": {"manifest": {"spec": {"deploymentConfig": {"replicas": -1}}}}})),
            "spec.forProvider.manifest.spec.deploymentConfig.replicas: invalid value: integer `-1`, expected an unsigned \
             integer of 32 bits",
            "what we asked for is not what we would ask for",
        ),
    ];
    for (object, want, reason) in cases {
        let error = observe("vllm_runtime", &object).unwrap_err();
        let ReadError::Object { key: "vllm_runtime", source } = &error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), want, "{reason}");
        assert_eq!(error.to_string(), "cannot read the observed resource \"vllm_runtime\"", "{reason}");
    }

    let unsure = object(json!({"providerConfigRef": "gpu-cluster"}));
    for key in ["vllm_runtime", "model_deployment", "replicas_handover"] {
        assert!(observe(key, &unsure).is_err(), "{key}");
    }
    assert!(observe("ingress", &object(json!("none"))).is_err());
    let read_all_the_same = only(observe("gateway", &object(json!("none"))).unwrap());
    let want = "spec: invalid type: string \"none\", expected an object";
    assert_eq!(read_all_the_same.unreadable.as_deref(), Some(want));

    let strange = object(json!({"forProvider": {"manifest": {"spec": {"parentRefs": "gateway"}}}}));
    let want = "spec.forProvider.manifest.spec.parentRefs: invalid type: string \"gateway\", expected a list";
    assert_eq!(only(observe("http_route", &strange).unwrap()).unreadable.as_deref(), Some(want));
    assert_eq!(
        only(observe("gateway", &strange).unwrap()).unreadable,
        None,
        "nobody asks what was asked for"
    );

    let error = read(&[], [("gateway", [0x0a, 0xff].as_slice())]).unwrap_err();
    assert_eq!(error, ReadError::Object { key: "gateway", source: StructError::Malformed.into() });

    let deep = object_around("True", &json!({"status": {"somewhere": nested(50)}}));
    assert!(observe("gateway", &deep).is_ok(), "deep is not too deep");
}

/// The writer refuses what is too deep, so the bytes are made by hand: a `Value` of a list of a `Value` of a list.
#[test]
fn an_object_that_is_nested_too_deep_is_an_error_where_somebody_looks() {
    fn field(tag: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        let mut length = payload.len();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(payload);
        bytes
    }
    let mut value = Vec::new();
    for _ in 0..10_000 {
        let list = field(0x0a, &value);
        value = field(0x32, &list);
    }
    let object = |key: &[u8]| field(0x0a, &[field(0x0a, key), field(0x12, &value)].concat());
    let skipped = read(&[], [("gateway", object(b"unknown").as_slice())]).unwrap();
    assert!(skipped.live(Key::Gateway).is_some(), "what nobody asks for is skipped by its length");
    let looked_at = object(b"apiVersion");
    let error = read(&[], [("gateway", looked_at.as_slice())]).unwrap_err();
    assert!(matches!(error, ReadError::Object { key: "gateway", .. }), "{error:?}");
    assert_eq!(
        read(&[], [("somebody-elses", looked_at.as_slice())]),
        Ok(Observed::default()),
        "not looked at"
    );
}

#[test]
fn the_composite_tells_its_conditions() {
    let observed = cluster().before("WorkloadReady", "True", "Available").observed();
    let want = ObservedCondition { status: "True".to_owned(), reason: "Available".to_owned(), since: None };
    assert_eq!(observed.conditions.get("WorkloadReady"), Some(&want));

    let composite = to_struct(&json!({"status": {"conditions": "none"}})).unwrap();
    let error = read(&composite, []).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the conditions of the observed composite resource");
    assert!(
        read(&to_struct(&json!({"spec": {}})).unwrap(), []).is_ok(),
        "a composite may have no status yet"
    );
}

/// Composites of other kinds may have a field of that name, and anything in it.
#[test]
fn what_a_live_route_was_made_for_is_read_where_it_is_ours() {
    let cases = [
        (json!({"implementation": "Istio", "name": "eg"}), Some("Istio")),
        (json!({"name": "eg"}), None),
        (json!("eg"), None),
        (json!([1]), None),
        (json!({"implementation": 1}), None),
        (Value::Null, None),
    ];
    for (gateway, want) in cases {
        let composite = to_struct(&json!({"status": {"gateway": gateway}})).unwrap();
        let observed = read(&composite, []).unwrap();
        assert_eq!(observed.implementation.as_deref(), want, "{gateway}");
    }
}
