//! What our function told people about a composite resource.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use super::cluster::{Cluster, text};

/// How Crossplane introduces what a function says (v2.3.4, `composition_functions.go`).
const INTRODUCTION: &str = "Pipeline step ";

/// Where events about cluster-scoped resources are.
const DEFAULT_NAMESPACE: &str = "default";

/// How somebody who looks at events learns of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// How many `Event`s say it: lines that a person reads.
    pub lines: u64,
    /// How often it was said. What is said again is counted in the `Event` that there is, and gets none of its own
    /// (client-go v0.35, `tools/record/events_cache.go`).
    pub times: u64,
}

/// Reason and message of each, and how it was told.
pub async fn of_the_function(cluster: &Cluster, xr: &Value) -> Result<BTreeMap<(String, String), Told>> {
    let namespace = match text(xr, "/metadata/namespace") {
        "" => DEFAULT_NAMESPACE,
        namespace => namespace,
    };
    let mut told = BTreeMap::<_, Told>::new();
    for event in cluster.list("v1", "Event", namespace).await? {
        let about = ["kind", "name"].map(|field| text(&event, &format!("/involvedObject/{field}")));
        let message = text(&event, "/message");
        if about == [text(xr, "/kind"), text(xr, "/metadata/name")] && message.starts_with(INTRODUCTION) {
            let told = told.entry((text(&event, "/reason").to_owned(), message.to_owned())).or_default();
            told.lines += 1;
            told.times += event.get("count").and_then(Value::as_u64).unwrap_or(1);
        }
    }
    Ok(told)
}
