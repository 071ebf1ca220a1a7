//! What the function composes really scales: with KEDA, Prometheus as its own operator configures it, the autoscaler and
//! the Deployment controller of Kubernetes, the Endpoint Picker, Crossplane and provider-kubernetes. Nodes and vLLM's
//! operator are played.
//!
//! Waits are shortened, by `e2e::controlplane::clock`, and nothing else: that is looked at too.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use e2e::controlplane::cluster::text;
use e2e::controlplane::wait::{Look, until};
use e2e::picker::ask::Client;
use e2e::picker::servers::Load;
use e2e::scaled::{BEYOND_COOLDOWN, LIMIT, QUIET, World, is_engine, on_stage};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn models_follow_their_load() -> Result<()> {
    Box::pin(on_stage("scaling", async |world| {
        tokio::try_join!(
            follows_its_queue(world),
            follows_its_cache(world),
            sleeps_and_wakes(world),
            is_handed_over(world, "VLLMRuntime"),
            is_handed_over(world, "Deployment"),
        )
        .map(drop)
    }))
    .await
}

/// One to four and back, by the requests that wait in a `VLLMRuntime`'s engines; and blind it does not scale in.
async fn follows_its_queue(world: &World<'_>) -> Result<()> {
    let model = world
        .model(
            "queue",
            "VLLMRuntime",
            &json!({
                "minReplicas": 1, "maxReplicas": 4, "scaling": {"enabled": true, "metric": "queue-depth"},
            }),
        )
        .await?;
    model.comes_to(1).await?;
    model.says("ScalingReady", "ScalerReady").await?;
    model.only_waits_are_shorter().await?;
    // Three a replica.
    world.node.bear(model.namespace(), Load { waiting: 11.0, ..Load::default() });
    model.comes_to(4).await.context("by its queue")?;

    // It says something else while Prometheus looks for the first targets, and that has to be over.
    model.says("ScalingReady", "ScalerReady").await?;
    let metrics = format!("{}-metrics", model.name);
    model.is_unreadable_at(&metrics).await?;
    model.says("ScalingReady", "MetricsUnavailable").await?;
    world.node.bear(model.namespace(), Load::default());
    model.stays_at(4, QUIET).await.context("while nobody can scrape it")?;
    // Nothing waits where four can do what comes, and three could not.
    world.node.bear(model.namespace(), Load { running: 8.0, kv_cache: 3.2, ..Load::default() });
    world.node.show(model.namespace(), &metrics);
    model.says("ScalingReady", "ScalerReady").await?;
    model.stays_at(4, QUIET).await.context("while three would be full")?;
    world.node.bear(model.namespace(), Load::default());
    model.comes_to(1).await.context("without requests")
}

/// One to four and back, by the caches of a Deployment's engines.
async fn follows_its_cache(world: &World<'_>) -> Result<()> {
    let model = world
        .model_with(
            "cache",
            "Deployment",
            &json!({"monitoring.kind": "PodMonitor"}),
            &json!({
                "minReplicas": 1, "maxReplicas": 4, "scaling": {"enabled": true, "metric": "kv-cache"},
            }),
        )
        .await?;
    model.comes_to(1).await?;
    model.only_waits_are_shorter().await?;
    // One cache is full, and so are two and three; of four each is filled to nearly 0.8.
    world.node.bear(model.namespace(), Load { running: 8.0, kv_cache: 3.1, ..Load::default() });
    model.comes_to(4).await.context("by its cache")?;
    model.is_watched().await?;
    world.node.bear(model.namespace(), Load { running: 1.0, kv_cache: 0.2, ..Load::default() });
    model.comes_to(1).await.context("with an empty cache")
}

/// To none when nobody asks, and back by a request, which the picker holds until there is a replica.
async fn sleeps_and_wakes(world: &World<'_>) -> Result<()> {
    let model = world
        .model(
            "owl",
            "VLLMRuntime",
            &json!({
                "minReplicas": 0, "maxReplicas": 2, "host": "owl.example.com",
                "scaling": {"enabled": true, "coldStart": "10m"},
            }),
        )
        .await?;
    let namespace = model.namespace();
    model.only_waits_are_shorter().await?;
    model.comes_to(0).await.context("when nobody asks")?;
    model.says("WorkloadReady", "ScaledToZero").await?;

    world.node.hold_pods(namespace);
    let picker = until("the picker is ready", LIMIT, async || {
        Ok(world.node.picker(namespace).ok_or_else(|| format!("{:?}", world.node.trouble())))
    })
    .await?;
    let client = Client::connect(picker).await?;
    let asked = Instant::now();
    let held = tokio::spawn(async move { client.ask(&[], &json!({"model": "m", "prompt": "hello"})).await });
    model.comes_to_want(1).await.context("by a request")?;
    let woken_in = asked.elapsed();
    ensure!(!held.is_finished(), "it was answered with no replica there");
    // What keeps it awake when the picker knows of no request any more.
    world.node.bear(namespace, Load { running: 1.0, ..Load::default() });
    world.node.start_pods(namespace);
    let answer = tokio::time::timeout(LIMIT, held).await.context("the request waits for ever")???;
    let endpoint = answer.endpoint()?.to_owned();
    let pods = world.stage.target().list("v1", "Pod", namespace).await?;
    let addresses = pods.iter().filter(|pod| is_engine(pod)).map(|pod| text(pod, "/status/podIP"));
    let addresses: Vec<&str> = addresses.collect();
    let [address] = addresses.as_slice() else { bail!("answered by {endpoint}, of {addresses:?}") };
    ensure!(endpoint.starts_with(address), "answered by {endpoint}, and not by {address}");
    tell(&format!(
        "one replica was wanted {woken_in:.1?} after the request, answered after {:.1?}",
        asked.elapsed()
    ));

    // The request is over, and the picker says so: what the engine works on keeps it awake.
    model.says("ScalingReady", "ScalerReady").await?;
    model.stays_at(1, BEYOND_COOLDOWN).await.context("while the engine works")?;

    // It does nothing any more, but half of that is not known.
    for service in ["epp", "metrics"].map(|part| format!("{}-{part}", model.name)) {
        model.is_unreadable_at(&service).await?;
        // Of its cache an idle engine may count a block of its own, as older releases do.
        world.node.bear(namespace, Load { kv_cache: 0.001, ..Load::default() });
        model.stays_at(1, BEYOND_COOLDOWN).await.with_context(|| format!("while nobody reads {service}"))?;
        world.node.show(namespace, &service);
    }
    model.comes_to(0).await.context("once it is known that nothing is to be done")?;
    model.is_watched().await
}

/// Scaling is switched on for a model with four replicas, its bounds are changed, and scaling is switched off.
async fn is_handed_over(world: &World<'_>, backend: &str) -> Result<()> {
    let name = if backend == "Deployment" { "plain" } else { "live" };
    let model = world.model(name, backend, &json!({"minReplicas": 4, "maxReplicas": 6})).await?;
    let namespace = model.namespace().to_owned();
    model.comes_to(4).await?;
    let first = model.pods().await?;
    // Four are justified: three each.
    world.node.bear(&namespace, Load { waiting: 11.0, ..Load::default() });
    let scaled = |min: u32, max: u32| {
        json!({
            "minReplicas": min, "maxReplicas": max, "scaling": {"enabled": true, "metric": "queue-depth"},
        })
    };

    model.change(&scaled(1, 6)).await?;
    let handed_over = async {
        model.says("ScalingReady", "ScalerReady").await?;
        tokio::time::sleep(QUIET).await;
        model.change(&scaled(1, 8)).await?;
        tokio::time::sleep(QUIET).await;
        anyhow::Ok(())
    };
    tokio::select! {
        outcome = handed_over => outcome?,
        broken = model.falls_below(4) => return Err(broken?),
    }
    let kept = model.pods().await?;
    ensure!(first == kept, "pods were replaced: {first:?}, then {kept:?}");

    world.node.bear(&namespace, Load { waiting: 20.0, ..Load::default() });
    model.comes_to(7).await.context("beyond the former maximum")?;
    ensure!(model.pods().await?.is_superset(&first), "pods were replaced");
    world.node.bear(&namespace, Load::default());
    model.change(&scaled(2, 8)).await?;
    model.comes_to(2).await.context("down to a minimum that was raised")?;
    model.change(&json!({"minReplicas": 3, "maxReplicas": 8})).await?;
    // It may write once more before it goes, and is corrected then.
    until("the autoscaler is gone", LIMIT, async || {
        let left = world.stage.target().list("autoscaling/v2", "HorizontalPodAutoscaler", &namespace).await?;
        Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(model.state().await?) })
    })
    .await?;
    model.comes_to(3).await.context("with scaling off")?;
    model.stays_at(3, QUIET).await.context("with scaling off")
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
