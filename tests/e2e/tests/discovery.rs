//! Nobody names a Gateway: the extension of a cluster collects those that it has, by the real provider-kubernetes, and
//! models find theirs among them, as real Crossplane hands them over.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, text};
use e2e::controlplane::core::{self, Rights};
use e2e::controlplane::model::{APPLICATION, GATEWAY, Model, Reach, all_become_ready};
use e2e::controlplane::platform::{self, PLATFORM, install_composition, install_xrd, namespace};
use e2e::controlplane::provider::{self, ConfigKind, connect};
use e2e::controlplane::stage::{Settings, Stage, Target};
use e2e::controlplane::wait::{Look, until};
use serde_json::{Value, json};

/// The provider looks for Gateways every few seconds, and Crossplane asks as often; the machine may do much else.
const LIMIT: Duration = Duration::from_mins(4);

const POLL: Duration = Duration::from_secs(5);

/// The cluster, as its provider configuration is called, and where its own composite resource is.
const GPU: &str = "gpu";
const CLUSTERS: &str = "clusters";

/// Where the models are.
const TEAM: &str = "team-a";

/// The second Gateway.
const INTERNAL: (&str, &str) = ("gateways", "internal");

#[tokio::test(flavor = "multi_thread")]
async fn models_find_their_gateway_among_those_that_the_extension_collects() -> Result<()> {
    let core = core::Settings { circuit_breaker_burst: Some(2000), rights: Rights::Administrator };
    let provider = provider::Settings { watches: true, poll: POLL };
    let settings = Settings { target: Target::AnotherCluster, core, provider, ..Settings::default() };
    let mut stage = Stage::start("discovery", settings).await?;
    live(&stage).await.map_err(|error| stage.explain(error))?;
    stage.check()
}

async fn live(stage: &Stage) -> Result<()> {
    let (cluster, target) = (stage.cluster(), stage.target());
    namespace(cluster, CLUSTERS).await?;
    namespace(cluster, TEAM).await?;
    namespace(target, TEAM).await?;
    connect(cluster, ConfigKind::ClusterProviderConfig, CLUSTERS, GPU, stage.target_kubeconfig()).await?;
    install_xrd(cluster, &clusters()).await?;
    install_composition(cluster, &stage.crossplane.function, &extension()).await?;
    install_composition(cluster, &stage.crossplane.function, &models()).await?;

    cluster.apply(&extended(true), PLATFORM).await?;
    says(cluster, &extended(true), "InferenceExtensionReady", "Installed", "Models can find its Gateways.")
        .await?;

    let first = apply(cluster, "first").await?;
    says(cluster, &first.xr, "GatewayReady", "NoGateway", "gateways=gpu").await?;
    ensure!(target.get(&route(&first)).await?.is_none(), "there is a route without a Gateway");

    platform::gateway(target, GATEWAY.0, GATEWAY.1).await?;
    all_become_ready(cluster, std::slice::from_ref(&first), LIMIT).await.context("the only Gateway")?;
    is_behind(cluster, &first, GATEWAY).await?;
    let found = uid(target, &first).await?;

    platform::gateway(target, INTERNAL.0, INTERNAL.1).await?;
    members(cluster, 2).await?;
    let second = apply(cluster, "second").await?;
    let both = "envoy-gateway-system/eg, gateways/internal.";
    says(cluster, &second.xr, "GatewayReady", "MultipleGateways", both).await?;
    ensure!(
        target.get(&route(&second)).await?.is_none(),
        "there is a route, and nobody knows to which Gateway"
    );
    is_behind(cluster, &first, GATEWAY).await.context("it has a neighbour, which is none of its business")?;

    let both = [first, second];
    target.apply(&labelled(INTERNAL), APPLICATION).await?;
    until("the labelled Gateway is in front of both models", LIMIT, async || {
        let mut seen = Vec::new();
        for model in &both {
            seen.push(model.live(cluster).await?["status"]["gateway"]["name"].clone());
        }
        Ok(if seen.iter().all(|name| name == INTERNAL.1) {
            Look::Ok(())
        } else {
            Look::Err(format!("{seen:?}"))
        })
    })
    .await?;
    all_become_ready(cluster, &both, LIMIT).await.context("the labelled Gateway")?;

    for gateway in [GATEWAY, INTERNAL] {
        target.delete(&labelled(gateway)).await?;
    }
    members(cluster, 0).await?;
    for model in &both {
        says(cluster, &model.xr, "GatewayReady", "NoGateway", "there is no Gateway gateways/internal")
            .await?;
    }
    stays(stage, &both).await.context("without a Gateway")?;

    cluster.apply(&extended(false), PLATFORM).await?;
    until("the collection is gone", LIMIT, async || {
        let left =
            cluster.list("kubernetes.m.crossplane.io/v1alpha1", "ObservedObjectCollection", "").await?;
        Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(format!("{left:?}")) })
    })
    .await?;
    stays(stage, &both).await.context("without a collection")?;
    ensure!(uid(target, &both[0]).await? == found, "the route was taken away, and came back");
    Ok(())
}

/// A kind of cluster that a platform team may have.
fn clusters() -> Value {
    json!({
        "apiVersion": "apiextensions.crossplane.io/v2",
        "kind": "CompositeResourceDefinition",
        "metadata": {"name": "clusters.example.com"},
        "spec": {
            "scope": "Namespaced",
            "group": "example.com",
            "names": {"kind": "Cluster", "plural": "clusters"},
            "versions": [{
                "name": "v1", "served": true, "referenceable": true,
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }},
            }],
        },
    })
}

fn composition(name: &str, composite: &Value, kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.crossplane.io/v1",
        "kind": "Composition",
        "metadata": {"name": name},
        "spec": {
            "compositeTypeRef": composite,
            "mode": "Pipeline",
            "pipeline": [{
                "step": "only",
                "functionRef": {"name": "function-inference"},
                "input": {"apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": kind, "spec": spec},
            }],
        },
    })
}

fn extension() -> Value {
    let spec = json!({
        "specPath": "spec",
        "providerConfigKind": "ClusterProviderConfig",
        "providerConfigName": GPU,
        "prerequisites": [],
        "bodyBasedRouter": {"enabled": false},
        "discovery": true,
        "ttl": ttl(),
    });
    composition(
        "clusters",
        &json!({"apiVersion": "example.com/v1", "kind": "Cluster"}),
        "ClusterExtension",
        &spec,
    )
}

fn models() -> Value {
    let spec = json!({
        "providerConfigKind": "ClusterProviderConfig",
        "gateway": {"discovery": true, "implementation": "Auto"},
        "ttl": ttl(),
    });
    let composite = json!({"apiVersion": "inference.devopstoolkit.ai/v1alpha1", "kind": "LLMInference"});
    composition("models", &composite, "ModelStack", &spec)
}

/// Crossplane 2.3 does not watch what a function asks for, but asks the function again.
fn ttl() -> Value {
    json!({"settled": "5s", "pending": "2s"})
}

fn extended(enabled: bool) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Cluster",
        "metadata": {"name": GPU, "namespace": CLUSTERS},
        "spec": {"gatewayInferenceExtension": {"enabled": enabled}},
    })
}

async fn apply(cluster: &Cluster, name: &str) -> Result<Model> {
    let xr = json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1", "kind": "LLMInference",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": {
            "model": "Qwen/Qwen3-8B",
            "host": format!("{name}.example.com"),
            "criticality": "standard",
            "providerConfigName": GPU,
        },
    });
    cluster.apply(&xr, APPLICATION).await?;
    let reach = Reach::Objects(ConfigKind::ClusterProviderConfig);
    Ok(Model { xr, namespace: TEAM.to_owned(), reach })
}

/// Nothing but a Gateway's name and its label: what somebody else wrote of it stays.
fn labelled((namespace, name): (&str, &str)) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {
            "name": name, "namespace": namespace,
            "labels": {"inference.devopstoolkit.ai/gateway": "true"},
        },
    })
}

fn route(model: &Model) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": model.xr["metadata"]["name"], "namespace": TEAM},
    })
}

async fn uid(target: &Cluster, model: &Model) -> Result<String> {
    let route = target.get(&route(model)).await?.context("there is no route")?;
    Ok(text(&route, "/metadata/uid").to_owned())
}

/// The model says where it is, and what to call.
async fn is_behind(cluster: &Cluster, model: &Model, (namespace, name): (&str, &str)) -> Result<()> {
    let status = model.live(cluster).await?["status"].clone();
    let gateway = &status["gateway"];
    ensure!(gateway["namespace"] == namespace && gateway["name"] == name, "it is behind {gateway}");
    ensure!(gateway["address"] == "192.0.2.10", "its address is {gateway}");
    ensure!(gateway["implementation"] == "EnvoyAIGateway", "its class says that it is {gateway}");
    ensure!(status["url"] == format!("https://{}", text(&model.xr, "/spec/host")), "{}", status["url"]);
    Ok(())
}

/// Waits until a condition has that reason, and a message with those words.
async fn says(cluster: &Cluster, xr: &Value, kind: &str, reason: &str, words: &str) -> Result<()> {
    until(&format!("{kind} of {} says {reason}", text(xr, "/metadata/name")), LIMIT, async || {
        let live = cluster.get(xr).await?.context("it is gone")?;
        let conditions = live.pointer("/status/conditions").and_then(Value::as_array).cloned();
        let found = conditions.unwrap_or_default().into_iter().find(|it| text(it, "/type") == kind);
        let found = found.unwrap_or_default();
        let is_said = text(&found, "/reason") == reason && text(&found, "/message").contains(words);
        Ok(if is_said { Look::Ok(()) } else { Look::Err(found.to_string()) })
    })
    .await
}

/// Waits until the collection shows so many Gateways, in Objects that carry the label of the cluster.
async fn members(cluster: &Cluster, count: usize) -> Result<()> {
    until(&format!("{count} Gateways are collected"), LIMIT, async || {
        let mut objects = cluster.list("kubernetes.m.crossplane.io/v1alpha1", "Object", CLUSTERS).await?;
        objects.retain(|object| {
            text(object, "/metadata/labels/inference.devopstoolkit.ai~1gateways") == GPU
                && text(object, "/spec/forProvider/manifest/kind") == "Gateway"
        });
        Ok(if objects.len() == count { Look::Ok(()) } else { Look::Err(format!("{}", objects.len())) })
    })
    .await
}

/// After Crossplane has asked a few times more, the routes are what they were.
async fn stays(stage: &Stage, models: &[Model]) -> Result<()> {
    for model in models {
        let before = uid(stage.target(), model).await?;
        let calls = stage.crossplane.function.calls(&model.xr)?;
        until("Crossplane has asked again", LIMIT, async || {
            let more = stage.crossplane.function.calls(&model.xr)? - calls;
            Ok(if more > 2 { Look::Ok(()) } else { Look::Err(format!("{more} calls")) })
        })
        .await?;
        ensure!(uid(stage.target(), model).await? == before, "the route is another one");
    }
    Ok(())
}
