//! Stacks for tests, and their live objects as the controllers write them.

use serde_json::{Value, json};

use crate::api::fixtures::llm;
use crate::api::settings::{Backend, Criticality, Settings};
use crate::api::{Duration, Host};
use crate::observe::Observed;
use crate::observe::fixtures::{Cluster, cluster};
use crate::plan::keys::Key;
use crate::plan::{Plan, plan};

use super::{Condition, ConditionType, Report, report};

pub(in crate::report) const HOST: &str = "llama.example.com";

/// Routed, and scaled between bounds.
pub(in crate::report) fn full() -> Settings {
    llm().hosted(HOST).scaled(1, 4)
}

/// Nothing owned, nothing withheld: the plan of a model whose objects this function has just made.
pub(in crate::report) fn planned(settings: &Settings) -> Plan {
    plan(settings, &Observed::default()).unwrap()
}

/// Everything is as it should be, with two replicas.
pub(in crate::report) fn healthy() -> Cluster {
    let cluster = cluster()
        .holding(Key::VllmRuntime, runtime(2, 2))
        .holding(Key::ModelDeployment, deployment(1))
        .holding(Key::InferencePool, accepted(&json!({})))
        .holding(Key::HttpRoute, accepted(&json!({"hostnames": [HOST]})))
        .holding(Key::AiGatewayRoute, own_route(&made()))
        .holding(Key::AiGatewayHttpRoute, accepted(&json!({})))
        .holding(Key::GatewayExtensionPolicy, ancestor(2, &("Accepted", "True", "Accepted", "")))
        .holding(Key::EppDeployment, deployment(1))
        .holding(Key::ScaledObject, scaled_object(&[("Ready", "True", "ScaledObjectReady", "")]))
        .holding(Key::Gateway, gateway());
    Key::ALL
        .into_iter()
        .filter(|key| !DECIDED.contains(key))
        .fold(cluster, |cluster, key| cluster.holding(key, json!({"metadata": {"generation": 1}})))
}

const DECIDED: [Key; 10] = [
    Key::VllmRuntime,
    Key::ModelDeployment,
    Key::InferencePool,
    Key::HttpRoute,
    Key::AiGatewayRoute,
    Key::AiGatewayHttpRoute,
    Key::GatewayExtensionPolicy,
    Key::EppDeployment,
    Key::ScaledObject,
    Key::Gateway,
];

/// As operator 0.1.12 writes it: a count of zero is omitted.
pub(in crate::report) fn runtime(wanted: u32, available: u32) -> Value {
    let mut status = json!({
        "modelStatus": if wanted == available { "Ready" } else { "Updating" },
        "selector": "app=llama",
        "lastUpdated": "2026-11-21T04:00:00Z",
    });
    if wanted > 0 {
        status["replicas"] = json!(wanted);
    }
    if available > 0 {
        status["availableReplicas"] = json!(available);
    }
    json!({
        "metadata": {"generation": 3},
        "spec": {"deploymentConfig": {"replicas": wanted, "deploymentStrategy": "RollingUpdate"}},
        "status": status,
    })
}

/// Three replicas of which at most the leader is ready, long after they were made.
pub(in crate::report) fn led(available: u32) -> Value {
    let mut led = deployment(available);
    led["status"]["replicas"] = json!(3);
    led["status"]["updatedReplicas"] = json!(3);
    led["status"]["conditions"] = json!([
        {
            "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable",
            "message": "Deployment does not have minimum availability.",
        },
        {
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": "ReplicaSet \"llama-epp-0\" has timed out progressing.",
        },
    ]);
    led
}

/// As the Deployment controller writes it: a count of zero is omitted.
pub(in crate::report) fn deployment(available: u32) -> Value {
    let is_available = if available > 0 { "True" } else { "False" };
    let mut status = json!({
        "observedGeneration": 2,
        "replicas": 1,
        "updatedReplicas": 1,
        "conditions": [
            {"type": "Available", "status": is_available, "reason": "MinimumReplicas", "message": ""},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": ""},
        ],
    });
    if available > 0 {
        status["availableReplicas"] = json!(available);
    }
    json!({"metadata": {"generation": 2}, "status": status})
}

/// A route or pool, and what the chosen Gateway says of its generation 2: type, status, reason, message.
pub(in crate::report) fn spoken_of(
    spec: &Value,
    generation: i64,
    words: &[(&str, &str, &str, &str)],
) -> Value {
    let conditions: Vec<Value> = words
        .iter()
        .map(|(kind, status, reason, message)| {
            json!({
                "type": kind, "status": status, "reason": reason, "message": message,
                "observedGeneration": generation, "lastTransitionTime": "2026-11-21T04:00:00Z",
            })
        })
        .collect();
    json!({
        "metadata": {"generation": 2},
        "spec": spec,
        "status": {"parents": [{
            "parentRef": {
                "group": "gateway.networking.k8s.io", "kind": "Gateway",
                "name": "eg", "namespace": "envoy-gateway-system",
            },
            "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
            "conditions": conditions,
        }]},
    })
}

/// A route or pool that the chosen Gateway has accepted.
pub(in crate::report) fn accepted(spec: &Value) -> Value {
    spoken_of(spec, 2, &[("Accepted", "True", "Accepted", ""), ("ResolvedRefs", "True", "ResolvedRefs", "")])
}

/// Envoy AI Gateway's own route, and what its controller says of it: one condition, without a generation.
pub(in crate::report) fn own_route(word: &Value) -> Value {
    json!({"metadata": {"generation": 2}, "status": {"conditions": [word]}})
}

/// As its controller says that it has made an `HTTPRoute` (envoyproxy/ai-gateway v1.0.0,
/// `internal/controller/controller.go`).
pub(in crate::report) fn made() -> Value {
    json!({
        "type": "Accepted", "status": "True", "reason": "ReconciliationSucceeded",
        "message": "AI Gateway Route reconciled successfully", "lastTransitionTime": "2026-11-21T04:00:00Z",
    })
}

/// As it says that it could not.
pub(in crate::report) fn not_made() -> Value {
    json!({
        "type": "NotAccepted", "status": "False", "reason": "ReconciliationFailed",
        "message": "gateway envoy-gateway-system/eg not found", "lastTransitionTime": "2026-11-21T04:00:00Z",
    })
}

/// A policy of the chosen Gateway, and what is said of that generation of it, whose present one is 2: type, status,
/// reason, message. Nothing is said of references (envoyproxy/gateway v1.9.0, `internal/gatewayapi/status/policy.go`).
pub(in crate::report) fn ancestor(generation: i64, word: &(&str, &str, &str, &str)) -> Value {
    let mut policy = spoken_of(&json!({}), generation, std::slice::from_ref(word));
    let mut said = policy["status"]["parents"][0].take();
    said["ancestorRef"] = said["parentRef"].take();
    policy["status"] = json!({"ancestors": [said]});
    policy
}

/// What KEDA says: type, status, reason, message.
pub(in crate::report) fn scaled_object(words: &[(&str, &str, &str, &str)]) -> Value {
    let conditions: Vec<Value> = words
        .iter()
        .map(|(kind, status, reason, message)| {
            json!({"type": kind, "status": status, "reason": reason, "message": message})
        })
        .collect();
    json!({"metadata": {"generation": 1}, "status": {"conditions": conditions}})
}

/// One HTTP listener for any host, as the default platform has it.
pub(in crate::report) fn gateway() -> Value {
    json!({
        "metadata": {"generation": 1},
        "spec": {
            "gatewayClassName": "eg",
            "listeners": [{"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": {"namespaces": {"from": "All"}}}],
        },
        "status": {
            "addresses": [{"type": "IPAddress", "value": "192.0.2.1"}],
            "conditions": [{"type": "Programmed", "status": "True", "reason": "Programmed", "message": ""}],
        },
    })
}

/// What a call says about a stack as the plan of an earlier call made it.
pub(in crate::report) fn said(settings: &Settings, cluster: &Cluster) -> Report {
    report(&planned(settings), &cluster.observed())
}

pub(in crate::report) fn condition(report: &Report, kind: ConditionType) -> &Condition {
    report.conditions.iter().find(|condition| condition.kind == kind).unwrap()
}

pub(in crate::report) fn with_criticality(criticality: Criticality) -> Settings {
    let mut settings = full();
    settings.model.criticality = criticality;
    settings
}

pub(in crate::report) fn asleep(hold_seconds: u32) -> Settings {
    let mut settings = llm().hosted(HOST).scaled(0, 4);
    settings.cold_start = Duration::from_seconds(hold_seconds);
    settings
}

pub(in crate::report) fn stopped() -> Settings {
    let mut settings = llm();
    settings.replicas.min = 0;
    settings
}

pub(in crate::report) fn route(words: &[(&str, &str, &str, &str)]) -> Value {
    spoken_of(&json!({"hostnames": [HOST]}), 2, words)
}

/// The same without the vLLM operator.
pub(in crate::report) fn on_deployment(mut settings: Settings) -> Settings {
    settings.backend = Backend::Deployment;
    settings
}

pub(in crate::report) fn with_ingress(mut settings: Settings) -> Settings {
    settings.ingress_host = Host::parse("old.example.com");
    settings
}
