//! What a platform team does before anybody can ask for a model: installs the XRD and Compositions.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::{Cluster, condition, describe, text};
use super::function::Function;
use super::wait::{Look, until};
use crate::files::{set, yaml};
use crate::workspace;

/// In whose name the harness applies what a platform team would.
pub const PLATFORM: &str = "platform-team";

/// A second on an idle machine.
const ESTABLISHED_LIMIT: Duration = Duration::from_mins(2);

/// The XRD as it is shipped.
pub fn xrd() -> Result<Value> {
    yaml(&workspace::root().join("package/configuration/definition.yaml"))
}

/// What a cluster-scoped model is called.
pub const CLUSTER_SCOPED_KIND: &str = "ClusterLLMInference";

/// An XRD that a platform team would write for cluster-scoped models: the same schema under another kind.
pub fn cluster_scoped_xrd() -> Result<Value> {
    let mut xrd = xrd()?;
    set(&mut xrd, "metadata.name", json!("clusterllminferences.inference.devopstoolkit.ai"));
    set(&mut xrd, "spec.scope", json!("Cluster"));
    set(&mut xrd, "spec.names", json!({"kind": CLUSTER_SCOPED_KIND, "plural": "clusterllminferences"}));
    Ok(xrd)
}

/// Creates a namespace, unless it is there.
pub async fn namespace(cluster: &Cluster, name: &str) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    cluster.apply(&namespace, PLATFORM).await.map(drop)
}

/// Installs an XRD and waits until its kind can be used. Crossplane's core has to run.
pub async fn install_xrd(cluster: &Cluster, xrd: &Value) -> Result<()> {
    cluster.apply(xrd, PLATFORM).await?;
    until(&format!("{} is Established", describe(xrd)), ESTABLISHED_LIMIT, async || {
        let live = cluster.get(xrd).await?.unwrap_or_default();
        if condition(&live, "Established") == "True" {
            return Ok(Look::Ok(()));
        }
        // A rule that the API server refuses, for its cost for example, is told in an event alone.
        let events = cluster.list("v1", "Event", "default").await?;
        let about =
            events.iter().filter(|event| text(event, "/involvedObject/name") == text(xrd, "/metadata/name"));
        let messages: Vec<&str> = about.map(|event| text(event, "/message")).collect();
        Ok(Look::Err(format!("{}; events: {messages:?}", live.pointer("/status").unwrap_or(&Value::Null))))
    })
    .await
}

/// Installs a Composition, and our function under every name that its steps call it by.
pub async fn install_composition(cluster: &Cluster, function: &Function, composition: &Value) -> Result<()> {
    for step in composition.pointer("/spec/pipeline").and_then(Value::as_array).into_iter().flatten() {
        function.install(cluster, text(step, "/functionRef/name")).await?;
    }
    cluster.apply(composition, PLATFORM).await.map(drop)
}

/// A Gateway of Envoy's for all namespaces, with a listener for HTTP and one for HTTPS.
pub async fn gateway(cluster: &Cluster, namespace_name: &str, name: &str) -> Result<()> {
    namespace(cluster, namespace_name).await?;
    let class = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": "eg"},
        "spec": {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"},
    });
    cluster.apply(&class, PLATFORM).await?;
    let all = json!({"namespaces": {"from": "All"}});
    let gateway = json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace_name},
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
    cluster.apply(&gateway, PLATFORM).await.map(drop)
}
