//! The Deployment controller of Kubernetes, and a kubelet whose pods start when they may.

use anyhow::Result;
use serde_json::{Value, json};

use super::{EPOCH, Orders, all, count, list, tell};
use crate::controlplane::cluster::{Cluster, text};

/// Gives every Deployment the status that it would have.
pub(super) async fn play(cluster: &Cluster, orders: &Orders) -> Result<()> {
    for deployment in all(cluster, "apps/v1", "Deployment").await? {
        let held = orders.held.contains(text(&deployment, "/metadata/namespace"));
        tell(cluster, &deployment, &orders.status(&deployment, status(&deployment, held))).await?;
    }
    Ok(())
}

/// Of several replicas that elect a leader, that one is ready and no other. By their strategy all may be unavailable, so
/// the controller takes that for available, and for a rollout that does not end.
fn status(object: &Value, held: bool) -> Value {
    let wanted = object.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let args = list(object, "/spec/template/spec/containers").flat_map(|container| list(container, "/args"));
    let led = args.into_iter().any(|arg| arg == "--ha-enable-leader-election=true");
    let ready = match (held, led) {
        (true, _) => 0,
        (false, true) => wanted.min(1),
        (false, false) => wanted,
    };
    let told = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": EPOCH, "lastUpdateTime": EPOCH,
        })
    };
    let available = if ready == wanted || led {
        told("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        let never = "Deployment does not have minimum availability.";
        told("Available", "False", "MinimumReplicasUnavailable", never)
    };
    let progressing = if ready == wanted {
        told("Progressing", "True", "NewReplicaSetAvailable", "ReplicaSet has successfully progressed.")
    } else if held {
        told("Progressing", "True", "ReplicaSetUpdated", "ReplicaSet is progressing.")
    } else {
        told("Progressing", "False", "ProgressDeadlineExceeded", "ReplicaSet has timed out progressing.")
    };
    json!({
        "observedGeneration": object.pointer("/metadata/generation"),
        "replicas": count(wanted),
        "updatedReplicas": count(wanted),
        "readyReplicas": count(ready),
        "availableReplicas": count(ready),
        "unavailableReplicas": count(wanted - ready),
        "conditions": [available, progressing],
    })
}
