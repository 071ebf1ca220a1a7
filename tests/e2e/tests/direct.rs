//! `target: Direct`: real Crossplane brings models to Ready with nothing but its own rights and those that are shipped,
//! without a provider.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, condition, describe, text};
use e2e::controlplane::core::{self, Rights};
use e2e::controlplane::model::{APPLICATION, GATEWAY, Model, Reach, all_become_ready};
use e2e::controlplane::platform::{cluster_scoped_xrd, install_xrd};
use e2e::controlplane::stage::{Settings, Stage, Target};
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{crds, rights};
use e2e::files::set;
use e2e::render::Scenario;
use e2e::{acceptance, render, workspace};
use serde_json::{Value, json};

/// Seconds, where Crossplane listens to all that happens; it looks again after at most half a minute where it failed.
const LIMIT: Duration = Duration::from_mins(4);

/// An image that no example has.
const CHANGED_IMAGE: &str = "docker.io/lmcache/vllm-openai:v0.3.13-changed";

/// What runs before scaling is switched on, and what the autoscaler makes of it.
const RUNNING: u64 = 3;
const SCALED: u64 = 5;

/// As who Kubernetes' autoscaler writes.
const AUTOSCALER: &str = "horizontal-pod-autoscaler";

/// How Crossplane's own manager of fields begins.
const CROSSPLANE: &str = "apiextensions.crossplane.io/composed";

/// The label that Crossplane puts on what it composes.
const COMPOSITE: &str = "/metadata/labels/crossplane.io~1composite";

#[tokio::test(flavor = "multi_thread")]
async fn models_live_without_objects_and_leave_nothing_behind() -> Result<()> {
    let core = core::Settings { circuit_breaker_burst: Some(2000), rights: Rights::OfTheChart };
    let settings = Settings { target: Target::Direct, core, ..Settings::default() };
    let mut stage = Stage::start("direct", settings).await?;
    live(&stage).await.map_err(|error| stage.explain(error))?;
    stage.check()
}

async fn live(stage: &Stage) -> Result<()> {
    let cluster = stage.cluster();
    ensure!(cluster.served("kubernetes.m.crossplane.io/v1alpha1").await?.is_empty(), "there is a provider");
    a_kind_that_is_not_there_is_named_and_awaited(stage).await.context("a kind that is not there")?;

    rights::of_an_xrd(cluster, &cluster_scoped_xrd()?).await?;
    rights::aggregate(cluster).await?;
    install_xrd(cluster, &cluster_scoped_xrd()?).await?;
    let mut models = Vec::new();
    for (example, reach) in [
        ("direct/xr.yaml", Reach::Direct),
        ("direct-discovery/xr.yaml", Reach::Direct),
        ("minimal/xr.yaml", Reach::Direct),
        ("deployment/xr.yaml", Reach::Direct),
        ("full-stack/xr.yaml", Reach::Direct),
        ("full-stack/xr.yaml", Reach::DirectOfCluster),
    ] {
        let prefix = if reach == Reach::DirectOfCluster { "cluster-" } else { "" };
        models.push(Model::apply_as(stage, &example_of(example)?, prefix, reach).await?);
    }
    cluster.apply(&labelled(GATEWAY), APPLICATION).await?;
    all_become_ready(cluster, &models, LIMIT).await?;
    for model in &models {
        is_as_it_should_be(cluster, model).await.with_context(|| describe(&model.xr))?;
    }
    // Labels that its operator copies into a selector would end every update, if they did not stay what they are.
    for model in &models {
        follows_a_change(stage, model).await?;
    }
    all_become_ready(cluster, &models, LIMIT).await?;

    is_stopped_without_the_rights_that_are_shipped(stage).await.context("rights")?;
    replicas_never_fall_when_scaling_is_switched_on(stage, "minimal/xr.yaml").await.context("VLLMRuntime")?;
    replicas_never_fall_when_scaling_is_switched_on(stage, "deployment/xr.yaml")
        .await
        .context("Deployment")?;
    a_state_that_is_no_longer_there_is_not_written_to(cluster, &models[1]).await.context("conflict")?;
    an_object_of_another_model_is_left_alone(stage, &models[1]).await.context("a name that is taken")?;

    for model in &models {
        model.delete(cluster).await?;
    }
    for model in &models {
        model.goes(stage, LIMIT).await?;
    }
    ensure!(stage.stand_in.trouble().is_empty(), "{:?}", stage.stand_in.trouble());
    Ok(())
}

/// The labels by which one of several Gateways is found; what somebody else wrote of it stays.
fn labelled((namespace, name): (&str, &str)) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace, "labels": {"inference": "yes"}},
    })
}

/// What is composed is the objects themselves, owned by the composite resource; it says what to call.
async fn is_as_it_should_be(cluster: &Cluster, model: &Model) -> Result<()> {
    let live = model.live(cluster).await?;
    let lost = acceptance::lost(&model.xr, &live);
    ensure!(lost.is_empty(), "{lost:?}");
    let references = live.pointer("/spec/crossplane/resourceRefs").and_then(Value::as_array).cloned();
    let references = references.unwrap_or_default();
    ensure!(!references.is_empty(), "it is composed of nothing");
    for reference in references {
        let mut wanted = json!({"metadata": {"name": reference["name"], "namespace": model.namespace}});
        for field in ["apiVersion", "kind"] {
            wanted[field] = reference[field].clone();
        }
        let object = cluster.get(&wanted).await?.with_context(|| describe(&wanted))?;
        let owner = text(&object, "/metadata/ownerReferences/0/uid");
        ensure!(owner == text(&live, "/metadata/uid"), "{} belongs to {owner:?}", describe(&object));
        ensure!(text(&object, COMPOSITE) == text(&live, "/metadata/name"), "{}", describe(&object));
    }
    let host = text(&model.xr, "/spec/host");
    let url = text(&live, "/status/url");
    if host.is_empty() {
        ensure!(url.starts_with("http://") && url.contains(&format!(".{}.svc", model.namespace)), "{url}");
    } else {
        // From the listeners of a Gateway that is looked up.
        ensure!(url == format!("https://{host}"), "{url}");
        ensure!(text(&live, "/status/gateway/address") == "192.0.2.10", "{}", live["status"]);
    }
    Ok(())
}

/// A new image reaches the pods.
async fn follows_a_change(stage: &Stage, model: &Model) -> Result<()> {
    let mut changed = model.xr.clone();
    set(&mut changed, "spec.runtime.image", json!(CHANGED_IMAGE));
    stage.cluster().apply(&changed, APPLICATION).await?;
    until(&format!("pods of {} have the changed image", describe(&model.xr)), LIMIT, async || {
        let deployments = stage.cluster().list("apps/v1", "Deployment", &model.namespace).await?;
        let image =
            |deployment: &Value| text(deployment, "/spec/template/spec/containers/0/image").to_owned();
        let images: Vec<String> = deployments.iter().map(image).collect();
        let is_there = images.iter().any(|image| image == CHANGED_IMAGE);
        Ok(if is_there { Look::Ok(()) } else { Look::Err(format!("{images:?}")) })
    })
    .await
}

/// Nothing is applied, the condition says which kind is missing, and when it comes, so does the model.
async fn a_kind_that_is_not_there_is_named_and_awaited(stage: &Stage) -> Result<()> {
    let cluster = stage.cluster();
    ensure!(cluster.served("gateway.nginx.org/v1alpha1").await?.is_empty(), "the kind is there");
    let model = Model::apply_as(stage, &example_of("gateway-nginx/xr.yaml")?, "", Reach::Direct).await?;
    let want = "cannot check if composed resource \"gateway_proxy_settings_policy\" is namespaced (a ProxySettingsPolicy";
    is_told(cluster, &model, want).await?;
    let there = cluster.everything_in(&model.namespace).await?;
    let composed: Vec<String> =
        there.iter().filter(|object| !text(object, COMPOSITE).is_empty()).map(describe).collect();
    ensure!(composed == [describe(&model.xr)], "applied all the same: {composed:?}");

    crds::install(cluster, &crds::nginx_settings()?).await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;
    model.delete(cluster).await?;
    model.goes(stage, LIMIT).await
}

async fn is_told(cluster: &Cluster, model: &Model, want: &str) -> Result<()> {
    until(&format!("Synced of {} says {want:?}", describe(&model.xr)), LIMIT, async || {
        let live = model.live(cluster).await?;
        let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
        let synced = conditions.into_iter().flatten().find(|condition| condition["type"] == "Synced");
        let message = synced.map_or("", |synced| text(synced, "/message"));
        let is_false = condition(&live, "Synced") == "False";
        Ok(if is_false && message.contains(want) { Look::Ok(()) } else { Look::Err(message.to_owned()) })
    })
    .await
}

/// Crossplane's chart alone does not let it compose a model.
async fn is_stopped_without_the_rights_that_are_shipped(stage: &Stage) -> Result<()> {
    let cluster = stage.cluster();
    let bindings = cluster.list("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "").await?;
    let shipped =
        bindings.iter().find(|binding| text(binding, "/roleRef/name").starts_with("function-inference:"));
    cluster.delete(shipped.context("it is not granted")?).await?;
    let model = Model::apply_as(stage, &example_of("minimal/xr.yaml")?, "forbidden-", Reach::Direct).await?;
    is_told(cluster, &model, "is forbidden").await?;
    rights::aggregate(cluster).await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;
    model.delete(cluster).await?;
    model.goes(stage, LIMIT).await
}

/// One who looks all the time sees no fewer than there were, and what the autoscaler writes stays.
async fn replicas_never_fall_when_scaling_is_switched_on(stage: &Stage, example: &str) -> Result<()> {
    let cluster = stage.cluster();
    let mut scenario = example_of(example)?;
    let folder = tempfile::tempdir()?;
    let mut xr = e2e::files::yaml(&scenario.xr)?;
    set(&mut xr, "spec.minReplicas", json!(RUNNING));
    set(&mut xr, "spec.maxReplicas", json!(2 * SCALED));
    remove(&mut xr, "scaling");
    scenario.xr = folder.path().join("xr.yaml");
    std::fs::write(&scenario.xr, xr.to_string())?;
    let model = Model::apply_as(stage, &scenario, "scaled-", Reach::Direct).await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;
    let workload = Workload::of(cluster, &model).await?;
    ensure!(workload.replicas(&workload.live(cluster).await?) == RUNNING, "{}", workload.sample);
    ensure!(workload.is_held_by_crossplane(cluster).await?, "Crossplane does not hold what it has written");

    let least = workload.watch(cluster);
    let mut scaled = model.xr.clone();
    set(&mut scaled, "spec.scaling.enabled", json!(true));
    // Below what runs: the autoscaler alone brings it there.
    set(&mut scaled, "spec.minReplicas", json!(1));
    cluster.apply(&scaled, APPLICATION).await?;
    let model = Model { xr: scaled, ..model };
    until("the autoscaler is there", LIMIT, async || {
        let there = cluster.list("keda.sh/v1alpha1", "ScaledObject", &model.namespace).await?;
        Ok(if there.is_empty() { Look::Err("none".to_owned()) } else { Look::Ok(()) })
    })
    .await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;
    ensure!(workload.is_held_by_crossplane(cluster).await?, "nobody else holds the count yet");

    cluster.scale(&workload.sample, SCALED, AUTOSCALER).await?;
    follows_a_change(stage, &model).await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;
    ensure!(
        workload.replicas(&workload.live(cluster).await?) == SCALED,
        "the autoscaler's word does not count"
    );
    ensure!(!workload.is_held_by_crossplane(cluster).await?, "Crossplane still holds the count");
    ensure!(least.end() == RUNNING, "replicas fell");

    // Switched off again, the count is what the composite resource says.
    let mut off = model.xr.clone();
    set(&mut off, "spec.scaling.enabled", json!(false));
    cluster.apply(&off, APPLICATION).await?;
    until("minReplicas run", LIMIT, async || {
        let replicas = workload.replicas(&workload.live(cluster).await?);
        Ok(if replicas == 1 { Look::Ok(()) } else { Look::Err(replicas.to_string()) })
    })
    .await?;
    model.delete(cluster).await?;
    model.goes(stage, LIMIT).await
}

/// What the hand-over relies on: server-side apply with force gives way to nothing but another state of the object.
async fn a_state_that_is_no_longer_there_is_not_written_to(cluster: &Cluster, model: &Model) -> Result<()> {
    let mut workload = Workload::of(cluster, model).await?;
    let spec = workload.live(cluster).await?["spec"].clone();
    // One that Crossplane does not look after.
    workload.sample["metadata"]["name"] = json!("nobodys");
    let mut ours = workload.sample.clone();
    ours["spec"] = spec;
    set(&mut ours, &workload.field(), json!(RUNNING));
    let seen = cluster.apply(&ours, CROSSPLANE).await?.object;
    ours["metadata"]["resourceVersion"] = seen["metadata"]["resourceVersion"].clone();
    cluster.scale(&workload.sample, SCALED, AUTOSCALER).await?;
    let error = cluster.apply_with_force(&ours, CROSSPLANE).await.err().context("it was written over")?;
    ensure!(format!("{error:#}").contains("409"), "{error:#}");
    ensure!(workload.replicas(&workload.live(cluster).await?) == SCALED, "the count is not the autoscaler's");
    remove_field(&mut ours, "/metadata", "resourceVersion");
    let written = cluster.apply_with_force(&ours, CROSSPLANE).await?.object;
    ensure!(workload.replicas(&written) == RUNNING, "without it, it would have been");
    cluster.delete(&workload.sample).await
}

/// Another composite resource that comes to the same names gets none of the objects, and says so.
async fn an_object_of_another_model_is_left_alone(stage: &Stage, model: &Model) -> Result<()> {
    let cluster = stage.cluster();
    let workload = Workload::of(cluster, model).await?;
    let before = workload.live(cluster).await?;
    let mut other = Model::apply_as(stage, &example_of("minimal/xr.yaml")?, "other-", Reach::DirectOfCluster)
        .await
        .context("another")?;
    other.delete(cluster).await?;
    other.goes(stage, LIMIT).await?;
    set(&mut other.xr, "metadata.name", model.xr["metadata"]["name"].clone());
    set(&mut other.xr, "spec.targetNamespace", json!(model.namespace));
    cluster.apply(&other.xr, APPLICATION).await?;
    is_told(cluster, &other, "Unsynced resources: ").await?;
    let after = workload.live(cluster).await?;
    ensure!(
        after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
            && after["spec"] == before["spec"],
        "it was written to: {after}"
    );
    other.delete(cluster).await?;
    until("the other is gone", LIMIT, async || {
        let live = cluster.get(&other.xr).await?;
        Ok(if live.is_none() { Look::Ok(()) } else { Look::Err("still there".to_owned()) })
    })
    .await?;
    ensure!(cluster.get(&workload.sample).await?.is_some(), "and took the first one's object with it");
    Ok(())
}

/// What runs a model's engines.
#[derive(Clone)]
struct Workload {
    sample: Value,
}

impl Workload {
    async fn of(cluster: &Cluster, model: &Model) -> Result<Self> {
        let live = model.live(cluster).await?;
        let references = live.pointer("/spec/crossplane/resourceRefs").and_then(Value::as_array);
        let is_workload = |reference: &&Value| {
            text(reference, "/kind") == "VLLMRuntime"
                || text(reference, "/kind") == "Deployment" && text(reference, "/name").ends_with("-vllm")
        };
        let reference = references.into_iter().flatten().find(is_workload).context("no workload")?;
        let sample = json!({
            "apiVersion": reference["apiVersion"],
            "kind": reference["kind"],
            "metadata": {"name": reference["name"], "namespace": model.namespace},
        });
        Ok(Self { sample })
    }

    async fn live(&self, cluster: &Cluster) -> Result<Value> {
        cluster.get(&self.sample).await?.with_context(|| format!("{} is gone", describe(&self.sample)))
    }

    /// Where its kind has the count.
    fn field(&self) -> String {
        let field = if text(&self.sample, "/kind") == "Deployment" {
            "spec.replicas"
        } else {
            "spec.deploymentConfig.replicas"
        };
        field.to_owned()
    }

    fn replicas(&self, live: &Value) -> u64 {
        let pointer = format!("/{}", self.field().replace('.', "/"));
        live.pointer(&pointer).and_then(Value::as_u64).unwrap_or_default()
    }

    async fn is_held_by_crossplane(&self, cluster: &Cluster) -> Result<bool> {
        let live = self.live(cluster).await?;
        let fields = format!("/f:{}", self.field().replace('.', "/f:"));
        let managers = live.pointer("/metadata/managedFields").and_then(Value::as_array);
        Ok(managers.into_iter().flatten().any(|entry| {
            text(entry, "/manager").starts_with(CROSSPLANE)
                && entry.pointer(&format!("/fieldsV1{fields}")).is_some()
        }))
    }

    /// Reads the count all the time until it is told to end.
    fn watch(&self, cluster: &Cluster) -> Watch {
        let least = Arc::new(AtomicU64::new(u64::MAX));
        let (workload, cluster, seen) = (self.clone(), cluster.clone(), Arc::clone(&least));
        let task = tokio::spawn(async move {
            loop {
                if let Ok(live) = workload.live(&cluster).await {
                    seen.fetch_min(workload.replicas(&live), Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Watch { least, task }
    }
}

/// The least count that was seen.
struct Watch {
    least: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    fn end(self) -> u64 {
        self.task.abort();
        self.least.load(Ordering::Relaxed)
    }
}

fn remove(xr: &mut Value, field: &str) {
    remove_field(xr, "/spec", field);
}

fn remove_field(object: &mut Value, from: &str, field: &str) {
    if let Some(fields) = object.pointer_mut(from).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}

fn example_of(name: &str) -> Result<Scenario> {
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    scenarios.into_iter().find(|scenario| scenario.name == name).with_context(|| format!("no example {name}"))
}
