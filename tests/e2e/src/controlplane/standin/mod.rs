//! Stands in for the controllers of the target cluster, which would need pods: writes the statuses that they would.
//!
//! What is written here is what the real ones are known to write: the operator of vllm-project/production-stack
//! (0.1.12), Kubernetes' Deployment controller, KEDA (2.20), and a Gateway that implements Gateway API and
//! `InferencePool`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::cluster::{Cluster, Refused, text};
use crate::acceptance;

const GATEWAY: (&str, &str) = ("gateway.networking.k8s.io/v1", "Gateway");
const HTTP_ROUTE: (&str, &str) = ("gateway.networking.k8s.io/v1", "HTTPRoute");
const INFERENCE_POOL: (&str, &str) = ("inference.networking.k8s.io/v1", "InferencePool");
const VLLM_RUNTIME: (&str, &str) = ("production-stack.vllm.ai/v1alpha1", "VLLMRuntime");
const DEPLOYMENT: (&str, &str) = ("apps/v1", "Deployment");
const SCALED_OBJECT: (&str, &str) = ("keda.sh/v1alpha1", "ScaledObject");

/// When everything happened: a real operator would write the time, and make everybody who watches look again.
const EPOCH: &str = "2026-01-01T00:00:00Z";

/// How often it looks around.
const LOOK: Duration = Duration::from_millis(300);

/// Plays the controllers of one cluster, in the background, until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    task: JoinHandle<()>,
    trouble: Arc<Mutex<Option<String>>>,
}

impl StandIn {
    /// Starts playing. The cluster may have all of the kinds or a few of them.
    pub fn start(cluster: &Cluster) -> Self {
        let (cluster, trouble) = (cluster.clone(), Arc::new(Mutex::new(None)));
        let told = Arc::clone(&trouble);
        let task = tokio::spawn(async move {
            loop {
                let seen = settle(&cluster).await.err().map(|error| format!("{error:#}"));
                if let (Some(seen), Ok(mut told)) = (seen, told.lock()) {
                    *told = Some(seen);
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { task, trouble }
    }

    /// The last thing that went wrong, if any did. It is tried again, so that may be over.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().ok()?.clone()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Brings every object to where its controller would, were all well.
async fn settle(cluster: &Cluster) -> Result<()> {
    for gateway in all(cluster, GATEWAY).await? {
        tell(cluster, &gateway, &gateway_status(&gateway)).await?;
    }
    for runtime in all(cluster, VLLM_RUNTIME).await? {
        tell(cluster, &runtime, &runtime_status(&runtime)).await?;
    }
    for deployment in all(cluster, DEPLOYMENT).await? {
        tell(cluster, &deployment, &deployment_status(&deployment)).await?;
    }
    for scaled_object in all(cluster, SCALED_OBJECT).await? {
        tell(cluster, &scaled_object, &scaled_object_status()).await?;
    }
    let routes = all(cluster, HTTP_ROUTE).await?;
    for route in &routes {
        tell(cluster, route, &route_status(route)).await?;
    }
    for pool in all(cluster, INFERENCE_POOL).await? {
        tell(cluster, &pool, &pool_status(&pool, &routes)).await?;
    }
    Ok(())
}

/// All objects of a kind; none where the kind is not served.
async fn all(cluster: &Cluster, (api_version, kind): (&str, &str)) -> Result<Vec<Value>> {
    match cluster.list(api_version, kind, "").await {
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        outcome => outcome,
    }
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.code == 404)
}

/// Writes a status unless it is there.
async fn tell(cluster: &Cluster, object: &Value, status: &Value) -> Result<()> {
    if object.get("status").is_some_and(|live| acceptance::lost(status, live).is_empty()) {
        return Ok(());
    }
    match cluster.set_status(object, status).await {
        // Gone in between.
        Err(error) if is_missing(&error) => Ok(()),
        outcome => outcome,
    }
}

/// A Gateway that has an address.
fn gateway_status(object: &Value) -> Value {
    json!({
        "addresses": [{"type": "IPAddress", "value": "192.0.2.10"}],
        "conditions": [yes("Accepted", object), yes("Programmed", object)],
    })
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
