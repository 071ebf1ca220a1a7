//! Real Crossplane and the real provider bring every example to Ready, keep still, and leave nothing behind.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::controlplane::cluster::{Cluster, condition, describe, text};
use e2e::controlplane::model::{APPLICATION, Model, all_become_ready};
use e2e::controlplane::stage::{Settings, Stage};
use e2e::controlplane::wait::{Look, until};
use e2e::files::set;
use e2e::{acceptance, render, workspace};
use serde_json::json;

/// Everything is up within seconds, but that is more news at once than Crossplane's circuit breaker lets through: it
/// opens, and for five minutes lets one event pass every 30 s and drops the others, those of the composite resource
/// itself included (Crossplane v2.3.4, `internal/circuit`). So Ready takes a minute.
const READY_LIMIT: Duration = Duration::from_mins(5);

/// A change takes a second.
const CHANGE_LIMIT: Duration = Duration::from_mins(1);

/// An image that no example has.
const CHANGED_IMAGE: &str = "docker.io/lmcache/vllm-openai:v0.3.13-changed";

/// An Object that is deleted within 30 s of its creation keeps its finalizer until those are over
/// (provider-kubernetes v1.2.1).
const GONE_LIMIT: Duration = Duration::from_mins(3);

/// How long nothing happens before calls are counted, and how long they are.
const QUIET: Duration = Duration::from_secs(20);

/// Kinds that an example may leave behind.
const KINDS: [(&str, &str); 16] = [
    ("kubernetes.m.crossplane.io/v1alpha1", "Object"),
    ("production-stack.vllm.ai/v1alpha1", "VLLMRuntime"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("inference.networking.k8s.io/v1", "InferencePool"),
    ("inference.networking.x-k8s.io/v1alpha2", "InferenceObjective"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_example_becomes_ready_keeps_still_and_goes() -> Result<()> {
    let stage = Stage::start("crossplane", Settings::default()).await?;
    let seen = live(&stage).await.map_err(|error| stage.explain(error))?;
    tell(&format!(
        "control plane up in {:.1?}, CRDs served after {:.1?}, {seen}",
        stage.control_plane.started_in, stage.crds_in
    ));
    Ok(())
}

async fn live(stage: &Stage) -> Result<String> {
    let cluster = stage.cluster();
    let mut models = Vec::new();
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    for scenario in scenarios.iter().filter(|scenario| scenario.is_model() && !scenario.is_refused()) {
        models.push(Model::apply(stage, scenario).await?);
    }
    ensure!(!models.is_empty(), "there is no example");

    let applied = Instant::now();
    all_become_ready(cluster, &models, READY_LIMIT).await?;
    let ready_in = applied.elapsed();
    for model in &models {
        is_as_applied(cluster, model).await?;
    }

    tokio::time::sleep(QUIET).await;
    let before = stage.crossplane.function.calls()?;
    tokio::time::sleep(QUIET).await;
    let calls = stage.crossplane.function.calls()? - before;
    // Core looks at each once a minute.
    ensure!(
        calls <= 2 * models.len() as u64,
        "{} composite resources at rest were composed {calls} times in {QUIET:?}",
        models.len()
    );

    // By then each circuit breaker lets the next event pass.
    let changed = Instant::now();
    for model in &models {
        follows_a_change(cluster, model).await?;
    }
    let changed_in = changed.elapsed();

    let deleted = Instant::now();
    for model in &models {
        cluster.delete(&model.xr).await?;
    }
    for model in &models {
        goes(cluster, model).await?;
    }
    Ok(format!(
        "{} examples Ready after {ready_in:.1?}, composed {calls} times in {QUIET:?} at rest, changed in \
         {changed_in:.1?}, gone after {:.1?}",
        models.len(),
        deleted.elapsed()
    ))
}

/// What the schema does not know would have been pruned in silence, and a Ready model can be called.
async fn is_as_applied(cluster: &Cluster, model: &Model) -> Result<()> {
    let live = cluster.get(&model.xr).await?.unwrap_or_default();
    let lost = acceptance::lost(&model.xr, &live);
    ensure!(lost.is_empty(), "{}: {lost:?}", describe(&model.xr));
    let url = text(&live, "/status/url");
    ensure!(url.starts_with("http"), "{} is Ready, and its URL is `{url}`", describe(&model.xr));
    ensure!(
        condition(&live, "WorkloadReady") == "True",
        "{} is Ready without a workload",
        describe(&model.xr)
    );
    Ok(())
}

/// A new image reaches the object on the target cluster.
async fn follows_a_change(cluster: &Cluster, model: &Model) -> Result<()> {
    let mut changed = model.xr.clone();
    set(&mut changed, "spec.runtime.image", json!(CHANGED_IMAGE));
    cluster.apply(&changed, APPLICATION).await?;
    let what = format!("the runtime of {} has the changed image", describe(&model.xr));
    until(&what, CHANGE_LIMIT, async || {
        let runtimes =
            cluster.list("production-stack.vllm.ai/v1alpha1", "VLLMRuntime", &model.namespace).await?;
        let images: Vec<String> = runtimes
            .iter()
            .map(|runtime| {
                let part = |field| text(runtime, &format!("/spec/deploymentConfig/image/{field}")).to_owned();
                format!("{}/{}", part("registry"), part("name"))
            })
            .collect();
        Ok(if images == [CHANGED_IMAGE] { Look::Ok(()) } else { Look::Err(format!("{images:?}")) })
    })
    .await
}

async fn goes(cluster: &Cluster, model: &Model) -> Result<()> {
    let what = format!("{} and all it was composed of are gone", describe(&model.xr));
    until(&what, GONE_LIMIT, async || {
        let mut left = Vec::new();
        if cluster.get(&model.xr).await?.is_some() {
            left.push(describe(&model.xr));
        }
        for (api_version, kind) in KINDS {
            left.extend(cluster.list(api_version, kind, &model.namespace).await?.iter().map(describe));
        }
        Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(left.join(", ")) })
    })
    .await
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
