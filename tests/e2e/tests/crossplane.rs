//! Real Crossplane and the real provider bring models to Ready, keep still, and leave nothing behind.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::acceptance;
use e2e::controlplane::cluster::{Cluster, condition, describe, text};
use e2e::controlplane::model::{
    APPLICATION, GATEWAY, Model, all_become_ready, asked_often, is_synced_and_ready,
};
use e2e::controlplane::platform::{self, cluster_scoped_xrd, install_xrd};
use e2e::controlplane::provider::{self, ConfigKind};
use e2e::controlplane::stage::{Settings, Stage, Target};
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{core, events};
use e2e::files::set;
use e2e::render::example;
use serde_json::{Value, json};

/// Seconds, where Crossplane listens to all that happens.
const LIMIT: Duration = Duration::from_mins(3);

/// An Object that is deleted within 30 s of its creation keeps its finalizer until those are over
/// (provider-kubernetes v1.2.1).
const GONE_LIMIT: Duration = Duration::from_mins(3);

/// While an Object is not Ready the provider looks at it every 30 s, and while a model is under way Crossplane asks us
/// as often; each gets a tenth more, and the machine its time.
const UNWATCHED_LIMIT: Duration = Duration::from_mins(3);

/// How long a model is left alone while its calls are counted.
const QUIET: Duration = Duration::from_mins(1);

/// Nothing happens and nothing is asked for again before ten minutes are over, less a tenth (`ttl.settled`). One call
/// is for what was under way when the minute began, such as a status that is written last.
const CALLS_AT_REST: usize = 1;

/// So many updates that no model makes Crossplane stop listening.
const ALL_EARS: core::Settings =
    core::Settings { circuit_breaker_burst: Some(2000), rights: core::Rights::Administrator };

/// An image that no example has.
const CHANGED_IMAGE: &str = "docker.io/lmcache/vllm-openai:v0.3.13-changed";

const CONDITIONS: [&str; 4] = ["WorkloadReady", "EndpointPickerReady", "GatewayReady", "ScalingReady"];

/// The examples, but for those of other gateways, which nobody plays.
///
/// What a Ready model says: its URL, the name to send, and the reason of each condition. A URL without a scheme is what
/// the name of the Service that is called adds to the model's.
const PROMISED: [(&str, &str, &str, [&str; 4]); 13] = [
    ("autoscaled/xr.yaml", "", "Qwen/Qwen3-8B", ["Available", "NotRequested", "NotRequested", "ScalerReady"]),
    (
        "by-model-name/xr-2.yaml",
        "https://192.0.2.10",
        "llama",
        ["Available", "Available", "Accepted", "NotRequested"],
    ),
    (
        "deployment/xr.yaml",
        "-vllm",
        "google/gemma-3-27b-it",
        ["Available", "NotRequested", "NotRequested", "ScalerReady"],
    ),
    (
        "full-stack/xr.yaml",
        "https://llama.example.com",
        "meta-llama/Llama-3.3-70B-Instruct",
        ["Available", "Available", "PriorityNotEnforced", "ScalerReady"],
    ),
    (
        "gateway-envoy/xr.yaml",
        "https://qwen-envoy.example.com",
        "Qwen/Qwen3-8B",
        ["Available", "Available", "Accepted", "NotRequested"],
    ),
    ("latency/xr.yaml", "", "Qwen/Qwen3-8B", ["Available", "NotRequested", "NotRequested", "ScalerReady"]),
    (
        "lora/xr.yaml",
        "https://scribe.example.com",
        "Qwen/Qwen3-8B",
        ["Available", "Available", "Accepted", "NotRequested"],
    ),
    ("minimal/xr.yaml", "", "Qwen/Qwen3-8B", ["Available", "NotRequested", "NotRequested", "NotRequested"]),
    (
        "routed/xr.yaml",
        "https://qwen.example.com",
        "Qwen/Qwen3-8B",
        ["Available", "Available", "Accepted", "NotRequested"],
    ),
    (
        "scale-to-zero/xr.yaml",
        "https://night-owl.example.com",
        "Qwen/Qwen3-8B",
        ["Available", "Available", "Accepted", "ScalerReady"],
    ),
    (
        "two-models/xr.yaml",
        "https://chat.example.com",
        "chat",
        ["Available", "Available", "PriorityNotEnforced", "NotRequested"],
    ),
    (
        "two-models/xr-2.yaml",
        "https://batch.example.com",
        "batch",
        ["Available", "Available", "PriorityNotEnforced", "NotRequested"],
    ),
    (
        "v0.1.6/xr.yaml",
        "",
        "Qwen/Qwen2.5-1.5B-Instruct",
        ["Available", "NotRequested", "NotRequested", "NotRequested"],
    ),
];

/// Crossplane's cluster has no kind of the models', and theirs none of Crossplane's.
#[tokio::test(flavor = "multi_thread")]
async fn models_live_on_another_cluster_and_leave_nothing_there() -> Result<()> {
    let settings = Settings { target: Target::AnotherCluster, core: ALL_EARS, ..Settings::default() };
    let stage = Stage::start("crossplane", settings).await?;
    let seen = on_another_cluster(&stage).await.map_err(|error| stage.explain(error))?;
    tell(&stage, &seen);
    Ok(())
}

/// With Crossplane's own limits, and a provider that watches nothing.
#[tokio::test(flavor = "multi_thread")]
async fn without_watches_a_model_is_ready_within_the_poll_that_our_query_asks_for() -> Result<()> {
    let provider = provider::Settings { watches: false, ..provider::Settings::default() };
    let stage = Stage::start("crossplane-unwatched", Settings { provider, ..Settings::default() }).await?;
    let seen = without_watches(&stage).await.map_err(|error| stage.explain(error))?;
    tell(&stage, &seen);
    Ok(())
}

/// One layer after the other fails, and the model says which; mended, it is Ready again.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_ready_after_its_parts_and_names_the_layer_that_fails() -> Result<()> {
    let stage = Stage::start("crossplane-layers", Settings { core: ALL_EARS, ..Settings::default() }).await?;
    let seen = names_each_layer(&stage).await.map_err(|error| stage.explain(error))?;
    tell(&stage, &seen);
    Ok(())
}

async fn on_another_cluster(stage: &Stage) -> Result<String> {
    let cluster = stage.cluster();
    ensure!(stage.target().served("kubernetes.m.crossplane.io/v1alpha1").await?.is_empty());
    ensure!(cluster.served("production-stack.vllm.ai/v1alpha1").await?.is_empty());
    install_xrd(cluster, &cluster_scoped_xrd()?).await?;

    let full_stack = example("full-stack/xr.yaml")?;
    let half_created = Model::apply_as(stage, &full_stack, "half-", ConfigKind::ProviderConfig).await?;
    is_deleted_half_created(stage, &half_created).await.context("half-created")?;
    let young = Model::apply_as(stage, &full_stack, "young-", ConfigKind::ProviderConfig).await?;

    let (rest, gone) = tokio::join!(live_and_rest(stage), goes_young(stage, &young));
    gone.context("young")?;
    half_created.goes(stage, GONE_LIMIT).await.context("half-created")?;
    rest
}

async fn live_and_rest(stage: &Stage) -> Result<String> {
    let cluster = stage.cluster();
    let applied = Instant::now();
    let mut models = Vec::new();
    let mut promised = Vec::new();
    for (name, ..) in PROMISED {
        models.push(Model::apply(stage, &example(name)?).await?);
        promised.push(name.to_owned());
    }
    for (prefix, reach) in
        [("wide-", ConfigKind::ClusterProviderConfig), ("cluster-", ConfigKind::ClusterScopedApi)]
    {
        models.push(Model::apply_as(stage, &example("full-stack/xr.yaml")?, prefix, reach).await?);
        promised.push("full-stack/xr.yaml".to_owned());
    }
    all_become_ready(cluster, &models, LIMIT).await?;
    let ready_in = applied.elapsed();
    let mut told = Vec::new();
    for (model, example) in models.iter().zip(&promised) {
        keeps_its_promise(cluster, model, example).await.with_context(|| describe(&model.xr))?;
        told.push(events::of_the_function(cluster, &model.xr).await?);
    }

    let calls = |model: &Model| stage.crossplane.function.calls(&model.xr);
    let before = models.iter().map(calls).collect::<Result<Vec<_>>>()?;
    tokio::time::sleep(QUIET).await;
    let after = models.iter().map(calls).collect::<Result<Vec<_>>>()?;
    for (index, model) in models.iter().enumerate() {
        let (before, after) = (before[index], after[index]);
        ensure!(before > 0, "no call for {} is in the log", describe(&model.xr));
        ensure!(
            after - before <= CALLS_AT_REST,
            "{}: called {} times in {QUIET:?} at rest",
            describe(&model.xr),
            after - before
        );
        let live = events::of_the_function(cluster, &model.xr).await?;
        ensure!(
            live == told[index],
            "{}: told at rest: {:?}, then {live:?}",
            describe(&model.xr),
            told[index]
        );
    }

    // One of few Objects, so that Crossplane goes on to listen, and one of whose events none is counted below.
    let minimal =
        promised.iter().position(|example| example == "minimal/xr.yaml").context("it is promised")?;
    is_known_at_rest(stage, &models[minimal]).await?;

    let changed = Instant::now();
    for model in &models {
        follows_a_change(stage, model).await?;
    }
    all_become_ready(cluster, &models, LIMIT).await?;
    let changed_in = changed.elapsed();
    tells_of_each_turn(stage, &models[0]).await?;

    let deleted = Instant::now();
    for model in &models {
        model.delete(cluster).await?;
    }
    for model in &models {
        model.goes(stage, GONE_LIMIT).await?;
    }
    Ok(format!(
        "{} models Ready after {ready_in:.1?} ({} calls), {} calls in {QUIET:?} at rest, changed in {changed_in:.1?}, \
         gone after {:.1?}",
        models.len(),
        before.iter().sum::<usize>(),
        after.iter().sum::<usize>() - before.iter().sum::<usize>(),
        deleted.elapsed()
    ))
}

/// What the schema does not know would have been pruned in silence, and a Ready model can be called.
/// Whenever a model is Ready it says what is promised, at the same look. Once it said `Creating` a moment after it had been
/// seen Ready, as one does that is not: then the next look at which it is Ready counts.
async fn keeps_its_promise(cluster: &Cluster, model: &Model, example: &str) -> Result<()> {
    let live = until("it is Ready still, or again", LIMIT, async || {
        let live = model.live(cluster).await?;
        Ok(if is_synced_and_ready(&live) { Look::Ok(live) } else { Look::Err(describe(&live)) })
    })
    .await?;
    says_what_it_promises(&live, model, example)
}

fn says_what_it_promises(live: &Value, model: &Model, example: &str) -> Result<()> {
    let lost = acceptance::lost(&model.xr, live);
    ensure!(lost.is_empty(), "{lost:?}");
    let (_, url, name, reasons) =
        PROMISED.into_iter().find(|(of, ..)| *of == example).context("nothing is promised")?;
    let own = format!("http://{}{url}.{}.svc", text(&model.xr, "/metadata/name"), model.namespace);
    let url = if url.contains("://") { url } else { own.as_str() };
    ensure!(text(live, "/status/url") == url, "the URL is {}", live["status"]["url"]);
    ensure!(text(live, "/status/modelName") == name, "the name is {}", live["status"]["modelName"]);
    for (kind, reason) in CONDITIONS.into_iter().zip(reasons) {
        let status = if reason == "NotRequested" { "Unknown" } else { "True" };
        let seen = (condition(live, kind), reason_of(live, kind));
        ensure!(seen == (status, reason), "{kind} is {seen:?}, not {status}, {reason}");
    }
    Ok(())
}

/// Crossplane asks again whenever anything has changed, and what is of no interest changes nothing that was decided. The
/// first note may find a composite that says more than at the last call before it, which is what that call made it say.
async fn is_known_at_rest(stage: &Stage, model: &Model) -> Result<()> {
    let is_asked: fn(&[bool]) -> bool = |answers| !answers.is_empty();
    let is_known: fn(&[bool]) -> bool = |answers| answers.contains(&true);
    for (note, enough) in [("first", is_asked), ("second", is_known)] {
        let before = stage.crossplane.function.calls(&model.xr)?;
        let mut noted = model.xr.clone();
        set(&mut noted, "metadata.annotations", json!({"example.org/note": note}));
        stage.cluster().apply(&noted, APPLICATION).await?;
        let what = format!("the answer for {} is known after its {note} note", describe(&model.xr));
        until(&what, LIMIT, async || {
            let answers = stage.crossplane.function.known(&model.xr)?.split_off(before);
            Ok(if enough(&answers) { Look::Ok(()) } else { Look::Err(format!("{answers:?}")) })
        })
        .await?;
    }
    Ok(())
}

/// A new image reaches the object on the target cluster, and the pods.
async fn follows_a_change(stage: &Stage, model: &Model) -> Result<()> {
    let mut changed = model.xr.clone();
    set(&mut changed, "spec.runtime.image", json!(CHANGED_IMAGE));
    stage.cluster().apply(&changed, APPLICATION).await?;
    let what = format!("the model's Deployment of {} has the changed image", describe(&model.xr));
    until(&what, LIMIT, async || {
        let deployments = stage.target().list("apps/v1", "Deployment", &model.namespace).await?;
        let images: Vec<&str> = deployments
            .iter()
            .map(|deployment| text(deployment, "/spec/template/spec/containers/0/image"))
            .collect();
        Ok(if images.contains(&CHANGED_IMAGE) { Look::Ok(()) } else { Look::Err(format!("{images:?}")) })
    })
    .await
}

/// The pods go and come back.
async fn tells_of_each_turn(stage: &Stage, model: &Model) -> Result<()> {
    let cluster = stage.cluster();
    let told = async || events::of_the_function(cluster, &model.xr).await;
    let before = told().await?;
    stage.stand_in.hold_pods(&model.namespace);
    says(cluster, model, "WorkloadReady", "NotServing", "").await?;
    ensure!(condition(&model.live(cluster).await?, "Ready") == "False", "it is Ready without a pod");
    stage.stand_in.start_pods(&model.namespace);
    says(cluster, model, "WorkloadReady", "Available", "").await?;
    all_become_ready(cluster, std::slice::from_ref(model), LIMIT).await?;

    // Nothing but the two turns is told. Crossplane may call us again before it has read its own last write; it drops
    // what it composed then, but not the event, so a turn may be told more than once: a person still reads one line.
    let after = told().await?;
    let mut turns = after.clone();
    turns.retain(|what, now| before.get(what) != Some(now));
    let reasons: Vec<&str> = turns.keys().map(|(reason, _)| reason.as_str()).collect();
    ensure!(reasons == ["Available", "NotServing"], "told: {turns:?}");
    let repeated: Vec<_> = after.iter().filter(|(_, told)| told.lines != 1).collect();
    ensure!(repeated.is_empty(), "more than a line for the same: {repeated:?}");
    Ok(())
}

/// Deleted as soon as there is anything of it.
async fn is_deleted_half_created(stage: &Stage, model: &Model) -> Result<()> {
    until("the first Object is there", LIMIT, async || {
        let objects = model.objects(stage.cluster()).await?;
        Ok(if objects.is_empty() { Look::Err("none".to_owned()) } else { Look::Ok(()) })
    })
    .await?;
    model.delete(stage.cluster()).await
}

/// Deleted while its Objects are younger than 30 s: what they delivered goes at once, they themselves when they may.
async fn goes_young(stage: &Stage, model: &Model) -> Result<()> {
    let runtime = json!({
        "apiVersion": "production-stack.vllm.ai/v1alpha1", "kind": "VLLMRuntime",
        "metadata": {"name": text(&model.xr, "/metadata/name"), "namespace": model.namespace},
    });
    until("the runtime is delivered", LIMIT, async || {
        let live = stage.target().get(&runtime).await?;
        Ok(live.map(drop).ok_or_else(|| "nothing".to_owned()))
    })
    .await?;
    model.delete(stage.cluster()).await?;
    until("the runtime is gone", LIMIT, async || {
        let live = stage.target().get(&runtime).await?;
        Ok(if live.is_none() { Look::Ok(()) } else { Look::Err("still there".to_owned()) })
    })
    .await?;
    model.goes(stage, GONE_LIMIT).await
}

/// The provider reads a Ready Object's cluster every ten minutes, so what comes up between two looks would stay unseen
/// for that long. Our query says that it is not ready yet, and then it looks every 30 s.
async fn without_watches(stage: &Stage) -> Result<String> {
    let cluster = stage.cluster();
    let mut models = Vec::new();
    for name in ["minimal/xr.yaml", "full-stack/xr.yaml"] {
        let scenario = example(name)?;
        // Before it is there: nobody would look again for ten minutes at a model whose pods were there for a moment.
        stage.stand_in.hold_pods(&Model::namespace_of(&scenario, ""));
        models.push(Model::apply(stage, &scenario).await?);
    }
    for model in &models {
        until("every Object is Synced, and the runtime is seen without pods", LIMIT, async || {
            let objects = model.objects(cluster).await?;
            let synced = objects.iter().filter(|object| condition(object, "Synced") == "True").count();
            let looked = objects.iter().any(|object| {
                text(object, "/spec/forProvider/manifest/kind") == "VLLMRuntime"
                    && condition(object, "Ready") == "False"
            });
            let all = !objects.is_empty() && synced == objects.len() && looked;
            Ok(if all { Look::Ok(()) } else { Look::Err(format!("{synced} of {}", objects.len())) })
        })
        .await?;
    }
    let started = Instant::now();
    for model in &models {
        stage.stand_in.start_pods(&model.namespace);
    }
    all_become_ready(cluster, &models, UNWATCHED_LIMIT).await?;
    let ready_in = started.elapsed();
    for (model, name) in models.iter().zip(["minimal/xr.yaml", "full-stack/xr.yaml"]) {
        keeps_its_promise(cluster, model, name).await?;
    }
    for model in &models {
        model.delete(cluster).await?;
    }
    for model in &models {
        model.goes(stage, GONE_LIMIT).await?;
    }
    Ok(format!("{} models Ready {ready_in:.1?} after their pods were, without watches", models.len()))
}

async fn names_each_layer(stage: &Stage) -> Result<String> {
    let (cluster, target) = (stage.cluster(), stage.target());
    let scenario = example("full-stack/xr.yaml")?;
    stage.stand_in.hold_pods(&Model::namespace_of(&scenario, ""));
    let model = Model::apply(stage, &scenario).await?;
    let name = text(&model.xr, "/metadata/name");
    let often = asked_often();
    model.configure(stage, &scenario, std::slice::from_ref(&often)).await?;
    for (kind, reason) in [("GatewayReady", "PriorityNotEnforced"), ("ScalingReady", "ScalerReady")] {
        says(cluster, &model, kind, reason, "").await?;
    }
    for kind in ["EndpointPickerReady", "WorkloadReady"] {
        says(cluster, &model, kind, "Starting", "").await?;
    }
    ensure!(condition(&model.live(cluster).await?, "Ready") == "False", "it is Ready before its pods are");
    stage.stand_in.start_pods(&model.namespace);
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;

    let started = Instant::now();
    let (namespace, gateway) = GATEWAY;
    target.delete(&on_target("gateway.networking.k8s.io/v1", "Gateway", namespace, gateway)).await?;
    fails(cluster, &model, "GatewayReady", "NoGateway", &format!("Gateway {namespace}/{gateway}")).await?;
    platform::gateway(target, namespace, gateway).await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;

    let picker = format!("{name}-epp");
    let down = json!({"readyReplicas": null, "availableReplicas": null, "unavailableReplicas": 1});
    let failures = [
        (
            ("gateway.networking.k8s.io/v1", "HTTPRoute", name),
            refused("Accepted", "NoMatchingListenerHostname", "no listener takes it"),
            ("GatewayReady", "HTTPRouteFailed", "NoMatchingListenerHostname: no listener takes it"),
        ),
        (
            ("inference.networking.k8s.io/v1", "InferencePool", name),
            refused("ResolvedRefs", "InvalidExtensionRef", "no such Service"),
            ("GatewayReady", "InferencePoolFailed", "InvalidExtensionRef: no such Service"),
        ),
        (
            ("apps/v1", "Deployment", picker.as_str()),
            down.clone(),
            ("EndpointPickerReady", "NotServing", "has no available replica"),
        ),
        (
            // The operator's, which its word for the model follows from.
            ("apps/v1", "Deployment", name),
            down,
            ("WorkloadReady", "NotServing", "modelStatus is Updating"),
        ),
        (
            ("keda.sh/v1alpha1", "ScaledObject", name),
            json!({"conditions": [{
                "type": "Ready", "status": "False", "reason": "TriggerError", "message": "no answer from Prometheus",
            }]}),
            ("ScalingReady", "TriggerFailed", "TriggerError: no answer from Prometheus"),
        ),
    ];
    let count = failures.len() + 1;
    for ((api_version, kind, name), status, (layer, reason, word)) in failures {
        let object = on_target(api_version, kind, &model.namespace, name);
        stage.stand_in.spoil(&object, &status);
        fails(cluster, &model, layer, reason, word).await?;
        stage.stand_in.mend(&object);
        all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;
    }
    let mended_in = started.elapsed();

    let other = ("gateway", json!({"ref": {"namespace": namespace, "name": "other"}}));
    model.configure(stage, &scenario, &[often, other]).await?;
    stands_behind(stage, &model, &["other", gateway]).await?;
    says(cluster, &model, "GatewayReady", "NoGateway", &format!("come in by Gateway {namespace}/{gateway}"))
        .await?;
    platform::gateway(target, namespace, "other").await?;
    stands_behind(stage, &model, &["other"]).await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;
    model.delete(cluster).await?;
    model.goes(stage, GONE_LIMIT).await?;
    Ok(format!("{count} layers failed, were named and mended in {mended_in:.1?}"))
}

/// The model's route names those Gateways, in this order.
async fn stands_behind(stage: &Stage, model: &Model, gateways: &[&str]) -> Result<()> {
    let name = text(&model.xr, "/metadata/name");
    let route = on_target("gateway.networking.k8s.io/v1", "HTTPRoute", &model.namespace, name);
    until(&format!("the route of {} names {gateways:?}", describe(&model.xr)), LIMIT, async || {
        let live = stage.target().get(&route).await?.unwrap_or_default();
        let parents = live.pointer("/spec/parentRefs").and_then(Value::as_array);
        let named: Vec<&str> = parents.into_iter().flatten().map(|parent| text(parent, "/name")).collect();
        Ok(if named == gateways { Look::Ok(()) } else { Look::Err(format!("{named:?}")) })
    })
    .await
}

fn on_target(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}})
}

/// How the Gateway refuses a route or pool that nobody has changed.
fn refused(kind: &str, reason: &str, message: &str) -> Value {
    let (namespace, name) = GATEWAY;
    json!({"parents": [{
        "parentRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name, "namespace": namespace},
        "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
        "conditions": [{
            "type": kind, "status": "False", "reason": reason, "message": message,
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    }]})
}

/// The condition of one layer says why, all others stay as they are, and the model is not Ready.
async fn fails(cluster: &Cluster, model: &Model, kind: &str, reason: &str, word: &str) -> Result<()> {
    says(cluster, model, kind, reason, word).await?;
    until(&format!("{} is not Ready", describe(&model.xr)), LIMIT, async || {
        let live = model.live(cluster).await?;
        Ok(if condition(&live, "Ready") == "False" { Look::Ok(()) } else { Look::Err("Ready".to_owned()) })
    })
    .await?;
    let live = model.live(cluster).await?;
    for other in CONDITIONS.into_iter().filter(|other| *other != kind) {
        ensure!(condition(&live, other) == "True", "{other} is {}", live["status"]["conditions"]);
    }
    Ok(())
}

async fn says(cluster: &Cluster, model: &Model, kind: &str, reason: &str, word: &str) -> Result<()> {
    until(&format!("{kind} of {} says {reason}", describe(&model.xr)), LIMIT, async || {
        let live = model.live(cluster).await?;
        let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
        let found = conditions.into_iter().flatten().find(|condition| text(condition, "/type") == kind);
        let found = found.cloned().unwrap_or_default();
        let is_said = text(&found, "/reason") == reason && text(&found, "/message").contains(word);
        Ok(if is_said { Look::Ok(()) } else { Look::Err(found.to_string()) })
    })
    .await
}

fn reason_of<'a>(object: &'a Value, kind: &str) -> &'a str {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| text(condition, "/type") == kind);
    found.map_or("", |condition| text(condition, "/reason"))
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(stage: &Stage, seen: &str) {
    println!(
        "control plane up in {:.1?}, CRDs served after {:.1?}, {seen}",
        stage.control_plane.started_in, stage.crds_in
    );
}
