//! Stands in for the controllers of the target cluster, which would need pods: writes the statuses that they would.
//!
//! What is written here is what the real ones are known to write: the operator of vllm-project/production-stack
//! (0.1.12), Kubernetes' Deployment controller, KEDA (2.20), and a Gateway that implements Gateway API and
//! `InferencePool`.

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::{Cluster, text};
use super::core::PLATFORM;
use crate::acceptance;

/// When everything happened: a real operator would write the time, and make everybody who watches look again.
const EPOCH: &str = "2026-01-01T00:00:00Z";

/// Brings every object of a namespace to where its controller would, were all well.
pub async fn settle(cluster: &Cluster, namespace: &str) -> Result<()> {
    for object in cluster.list("kubernetes.m.crossplane.io/v1alpha1", "Object", namespace).await? {
        if text(&object, "/spec/forProvider/manifest/kind") == "Gateway" {
            let name =
                |field| text(&object, &format!("/spec/forProvider/manifest/metadata/{field}")).to_owned();
            gateway(cluster, &name("namespace"), &name("name")).await?;
        }
    }
    for runtime in cluster.list("production-stack.vllm.ai/v1alpha1", "VLLMRuntime", namespace).await? {
        tell(cluster, &runtime, &runtime_status(&runtime)).await?;
    }
    for deployment in cluster.list("apps/v1", "Deployment", namespace).await? {
        tell(cluster, &deployment, &deployment_status(&deployment)).await?;
    }
    for scaled_object in cluster.list("keda.sh/v1alpha1", "ScaledObject", namespace).await? {
        tell(cluster, &scaled_object, &scaled_object_status()).await?;
    }
    let routes = cluster.list("gateway.networking.k8s.io/v1", "HTTPRoute", namespace).await?;
    for route in &routes {
        tell(cluster, route, &route_status(route)).await?;
    }
    for pool in cluster.list("inference.networking.k8s.io/v1", "InferencePool", namespace).await? {
        tell(cluster, &pool, &pool_status(&pool, &routes)).await?;
    }
    Ok(())
}

/// A Gateway that the platform team would have: two listeners, at an address.
async fn gateway(cluster: &Cluster, namespace: &str, name: &str) -> Result<()> {
    let all = json!({"namespaces": {"from": "All"}});
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "gatewayClassName": "eg",
            "listeners": [
                {"name": "http", "port": 80, "protocol": "HTTP", "allowedRoutes": all},
                {
                    "name": "https", "port": 443, "protocol": "HTTPS", "allowedRoutes": all,
                    "tls": {"certificateRefs": [{"name": "wildcard"}]},
                },
            ],
        },
    });
    if cluster.get(&gateway).await?.is_some() {
        return Ok(());
    }
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
    cluster.apply(&namespace, PLATFORM).await?;
    let gateway = cluster.apply(&gateway, PLATFORM).await?.object;
    let status = json!({
        "addresses": [{"type": "IPAddress", "value": "192.0.2.10"}],
        "conditions": [yes("Accepted", &gateway), yes("Programmed", &gateway)],
    });
    cluster.set_status(&gateway, &status).await
}

/// Writes a status unless it is there.
async fn tell(cluster: &Cluster, object: &Value, status: &Value) -> Result<()> {
    if object.get("status").is_some_and(|live| acceptance::lost(status, live).is_empty()) {
        return Ok(());
    }
    cluster.set_status(object, status).await
}

fn runtime_status(object: &Value) -> Value {
    let wanted = object.pointer("/spec/deploymentConfig/replicas").cloned().unwrap_or(json!(0));
    json!({
        "modelStatus": "Ready",
        "lastUpdated": EPOCH,
        "replicas": wanted,
        "availableReplicas": wanted,
        "updatedReplicas": wanted,
        "unavailableReplicas": 0,
        "selector": format!("app={}", text(object, "/metadata/name")),
    })
}

/// Of several replicas that elect a leader, that one is ready and no other, and the controller says so at length.
fn deployment_status(object: &Value) -> Value {
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let args = list(object, "/spec/template/spec/containers").flat_map(|container| list(container, "/args"));
    let led = args.into_iter().any(|arg| arg == "--ha-enable-leader-election=true");
    let ready = if led { 1 } else { wanted };
    let told = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": EPOCH, "lastUpdateTime": EPOCH,
        })
    };
    let conditions = if ready == wanted {
        [
            told("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability."),
            told("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed."),
        ]
    } else {
        let never = "Deployment does not have minimum availability.";
        [
            told("Available", "False", "MinimumReplicasUnavailable", never),
            told("Progressing", "False", "ProgressDeadlineExceeded", "ReplicaSet has timed out progressing."),
        ]
    };
    json!({
        "observedGeneration": object.pointer("/metadata/generation"),
        "replicas": wanted,
        "updatedReplicas": wanted,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": wanted - ready,
        "conditions": conditions,
    })
}

/// KEDA writes no transition times.
fn scaled_object_status() -> Value {
    let told = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message});
    json!({
        "conditions": [
            told("Ready", "True", "ScaledObjectReady", "ScaledObject is defined correctly and is ready for scaling"),
            told("Active", "False", "ScalerNotActive", "Scaling is not performed because triggers are not active"),
            told("Fallback", "False", "NoFallbackFound", "No fallbacks are active on this scaled object"),
        ],
    })
}

/// A pool has the parents of the routes that lead to it, and none before there is one.
fn pool_status(object: &Value, routes: &[Value]) -> Value {
    let mut parents = Vec::new();
    for route in routes {
        let leads_here = |backend: &Value| {
            text(backend, "/kind") == "InferencePool"
                && text(backend, "/name") == text(object, "/metadata/name")
        };
        let backends = list(route, "/spec/rules").flat_map(|rule| list(rule, "/backendRefs"));
        if backends.into_iter().any(leads_here) {
            parents.extend(list(route, "/spec/parentRefs").map(|parent| {
                json!({
                    "parentRef": {
                        "group": "gateway.networking.k8s.io",
                        "kind": "Gateway",
                        "name": text(parent, "/name"),
                        "namespace": text(parent, "/namespace"),
                    },
                    "conditions": [yes("Accepted", object), yes("ResolvedRefs", object)],
                })
            }));
        }
    }
    json!({ "parents": parents })
}

fn route_status(object: &Value) -> Value {
    let told: Vec<Value> = list(object, "/spec/parentRefs")
        .map(|parent| {
            json!({
                "parentRef": parent,
                "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                "conditions": [yes("Accepted", object), yes("ResolvedRefs", object)],
            })
        })
        .collect();
    json!({ "parents": told })
}

/// A condition whose reason is called as its type, as Gateway API has it.
fn yes(kind: &str, object: &Value) -> Value {
    json!({
        "type": kind, "status": "True", "reason": kind, "message": "",
        "lastTransitionTime": EPOCH,
        "observedGeneration": object.pointer("/metadata/generation").cloned().unwrap_or(json!(1)),
    })
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
