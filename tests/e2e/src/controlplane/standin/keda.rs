//! KEDA 2.20, as it is while every trigger can be read and none is active.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Orders, all, tell};
use crate::controlplane::cluster::Cluster;

/// Gives every `ScaledObject` the status that it would have.
pub(super) async fn play(cluster: &Cluster, orders: &Orders) -> Result<()> {
    for scaled_object in all(cluster, "keda.sh/v1alpha1", "ScaledObject").await? {
        tell(cluster, &scaled_object, &orders.status(&scaled_object, status())).await?;
    }
    Ok(())
}

/// KEDA writes no transition times.
fn status() -> Value {
    let told = |kind: &str, status: &str, reason: &str, message: &str| json!({"type": kind, "status": status, "reason": reason, "message": message});
    json!({
        "conditions": [
            told("Ready", "True", "ScaledObjectReady", "ScaledObject is defined correctly and is ready for scaling"),
            told("Active", "False", "ScalerNotActive", "Scaling is not performed because triggers are not active"),
            told("Fallback", "False", "NoFallbackFound", "No fallbacks are active on this scaled object"),
        ],
    })
}
