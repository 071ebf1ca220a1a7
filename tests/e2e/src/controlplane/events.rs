//! What our function told people about a composite resource.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::cluster::{Cluster, text};

/// How Crossplane introduces what a function says (v2.3.4, `composition_functions.go`).
const INTRODUCTION: &str = "Pipeline step ";

/// Where events about cluster-scoped resources are.
const DEFAULT_NAMESPACE: &str = "default";

/// Reason and message of each, and how often it was said.
pub async fn of_the_function(cluster: &Cluster, xr: &Value) -> Result<BTreeMap<(String, String), u64>> {
    let namespace = match text(xr, "/metadata/namespace") {
        "" => DEFAULT_NAMESPACE,
        namespace => namespace,
    };
    let mut told = BTreeMap::new();
    for event in cluster.list("v1", "Event", namespace).await? {
        let about = ["kind", "name"].map(|field| text(&event, &format!("/involvedObject/{field}")));
        let message = text(&event, "/message");
        if about == [text(xr, "/kind"), text(xr, "/metadata/name")] && message.starts_with(INTRODUCTION) {
            let count = event.get("count").and_then(Value::as_u64).unwrap_or(1);
            *told.entry((text(&event, "/reason").to_owned(), message.to_owned())).or_default() += count;
        }
    }
    Ok(told)
}
