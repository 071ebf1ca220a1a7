//! Models of crossplane-inference v0.1.6 are taken over where they are: nothing of them is created anew, nothing goes that
//! anybody still needs, and `docs/upgrade-from-v0.1.6.md` says what else happens.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

mod predecessor;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, condition, describe, text};
use e2e::controlplane::model::{self, APPLICATION, Model, all_become_ready};
use e2e::controlplane::provider::{self, ConfigKind};
use e2e::controlplane::stage::{Settings, Stage};
use e2e::controlplane::standin::VllmOperator;
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{core, platform};
use e2e::files::{set, yaml};
use e2e::workspace;
use predecessor::Predecessor;
use serde_json::{Value, json};

/// Seconds on an idle machine. An Object that is deleted within 30 s of its creation keeps its finalizer until those are
/// over (provider-kubernetes v1.2.1).
const LIMIT: Duration = Duration::from_mins(3);

/// How many looks of the operator a test waits for to say that nothing comes of them.
const ROUNDS: u64 = 3;

/// So many updates that no model makes Crossplane stop listening.
const ALL_EARS: core::Settings =
    core::Settings { circuit_breaker_burst: Some(2000), rights: core::Rights::Administrator };

/// In whose name Crossplane applies what it composes, but for a hash of who the composite resource is.
const CROSSPLANE: &str = "apiextensions.crossplane.io/composed/";

const HOST: &str = "qwen.example.com";
const INGRESS_HOST: &str = "qwen.127.0.0.1.nip.io";

/// What else a model has that is only asked to serve.
const GAINED: [&str; 3] = ["PodDisruptionBudget", "Service", "ServiceMonitor"];

#[tokio::test(flavor = "multi_thread")]
async fn models_are_taken_over_in_place_and_led_to_a_gateway() -> Result<()> {
    let settings = Settings { core: ALL_EARS, ..Settings::default() };
    let stage = Stage::start_without_xrd("upgrade", settings).await?;
    let outcome = from_ingress_to_gateway(&stage).await;
    outcome.map_err(|error| stage.explain(error))
}

/// The operator and the stub of a CRD that crossplane-kubernetes 2.0 installs, and v0.1.6 was written for.
#[tokio::test(flavor = "multi_thread")]
async fn on_the_operator_of_its_time_nothing_rolls_and_models_stay_ready() -> Result<()> {
    let vllm_operator = VllmOperator::OfDecember2025;
    let settings = Settings { core: ALL_EARS, vllm_operator, ..Settings::default() };
    let stage = Stage::start_without_xrd("upgrade-stub", settings).await?;
    let outcome = nothing_rolls(&stage).await;
    outcome.map_err(|error| stage.explain(error))
}

async fn from_ingress_to_gateway(stage: &Stage) -> Result<()> {
    let predecessor = Predecessor::install(&stage.control_plane).await?;
    let plain = Taken::serving(stage, "plain", json!({})).await?;
    let both = json!({"gpu": 2, "ingressHost": INGRESS_HOST, "targetNamespace": "models"});
    let both = Taken::serving(stage, "both", both).await?;
    let replaced = Taken::serving(stage, "replaced", json!({"ingressHost": INGRESS_HOST})).await?;
    let taken = [&plain, &both, &replaced];
    drop(predecessor);
    upgrade(stage).await?;

    for taken in taken {
        taken.is_updated_in_place(stage).await.with_context(|| describe(&taken.model.xr))?;
        // The operator looks at nothing that has changed, and then there is no affinity where it expects one.
        taken.has_not_rolled(stage).await?;
        let live = taken.model.live(stage.cluster()).await?;
        ensure!(reason(&live, "WorkloadReady") == "Starting", "{}", live["status"]);
        ensure!(condition(&live, "Ready") == "False", "{}", live["status"]);
        let trouble = stage.stand_in.trouble().join("\n");
        ensure!(trouble.contains(text(&taken.runtime, "/metadata/name")), "the operator is well: {trouble}");
    }
    // Whoever comes later has the same.
    let fresh = apply(stage, "fresh", json!({})).await?;
    let runtime = runtime_of(stage, &fresh).await?;
    let [old, new] = [&plain.runtime, &runtime].map(|runtime| stage.target().get(runtime));
    let (old, new) = (old.await?.unwrap_or_default(), new.await?.unwrap_or_default());
    let named =
        |runtime: &Value| runtime["spec"].to_string().replace(text(runtime, "/metadata/name"), "NAME");
    ensure!(named(&old) == named(&new), "{}, but {}", old["spec"], new["spec"]);

    plain.rolls_by(stage, "spec.runtime.image", json!("docker.io/lmcache/vllm-openai:v0.3.14")).await?;
    for taken in [&both, &replaced] {
        taken.rolls_by(stage, "spec.minReplicas", json!(2)).await?;
    }
    let models = [plain.model.clone(), both.model.clone(), replaced.model.clone(), fresh];
    all_become_ready(stage.cluster(), &models, LIMIT).await?;
    ensure!(stage.stand_in.trouble().is_empty(), "{:?}", stage.stand_in.trouble());

    an_ingress_stays_until_the_route_is_accepted(stage, &both, &replaced).await?;
    plain.is_all_there(stage).await?;
    for model in models {
        model.delete(stage.cluster()).await?;
        model.goes(stage, LIMIT).await?;
    }
    until("nothing is left in another namespace", LIMIT, async || {
        let left = stage.target().everything_in("models").await?;
        Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(format!("{left:?}")) })
    })
    .await
}

/// One model keeps `ingressHost` beside `host`, the other has it replaced at once.
async fn an_ingress_stays_until_the_route_is_accepted(
    stage: &Stage,
    both: &Taken,
    replaced: &Taken,
) -> Result<()> {
    let cluster = stage.cluster();
    let mut both_hosts = both.spec();
    set(&mut both_hosts, "spec.host", json!(HOST));
    let mut host_alone = without(replaced.spec(), "ingressHost");
    set(&mut host_alone, "spec.host", json!(HOST));
    for spec in [&both_hosts, &host_alone] {
        cluster.apply(spec, APPLICATION).await?;
    }
    for taken in [both, replaced] {
        // There is no Gateway, so nobody accepts anything.
        becomes(cluster, &taken.model, "GatewayReady", "NoGateway").await?;
        let calls = stage.crossplane.function.calls(&taken.model.xr)?;
        cluster.apply(&touched(&taken.model.live(cluster).await?), "anybody").await?;
        until("the function is called again", LIMIT, async || {
            let now = stage.crossplane.function.calls(&taken.model.xr)?;
            Ok(if now > calls { Look::Ok(()) } else { Look::Err(now.to_string()) })
        })
        .await?;
        taken.is_all_there(stage).await?;
    }

    platform::gateway(stage.target(), model::GATEWAY.0, model::GATEWAY.1).await?;
    replaced.ingress_goes(stage).await?;
    // The event that says so is not looked for: Crossplane has spent what it may write on the resources that it waited for.
    let models = [both.model.clone(), replaced.model.clone()];
    all_become_ready(cluster, &models, LIMIT).await?;
    both.is_all_there(stage).await?;

    cluster.apply(&without(both_hosts, "ingressHost"), APPLICATION).await?;
    both.ingress_goes(stage).await?;
    all_become_ready(cluster, &models, LIMIT).await?;
    for model in &models {
        let live = model.live(cluster).await?;
        ensure!(text(&live, "/status/url") == format!("https://{HOST}"), "{}", live["status"]);
    }
    Ok(())
}

async fn nothing_rolls(stage: &Stage) -> Result<()> {
    let predecessor = Predecessor::install(&stage.control_plane).await?;
    let taken = [
        Taken::serving(stage, "plain", json!({})).await?,
        Taken::serving(stage, "ingress", json!({"gpu": 2, "ingressHost": INGRESS_HOST})).await?,
    ];
    drop(predecessor);
    upgrade(stage).await?;
    for taken in &taken {
        taken.is_updated_in_place(stage).await.with_context(|| describe(&taken.model.xr))?;
    }
    let models = taken.each_ref().map(|taken| taken.model.clone());
    all_become_ready(stage.cluster(), &models, LIMIT).await?;
    stage.stand_in.rounds(ROUNDS).await?;
    for taken in &taken {
        taken.is_all_there(stage).await?;
        taken.has_not_rolled(stage).await?;
    }
    ensure!(stage.stand_in.trouble().is_empty(), "{:?}", stage.stand_in.trouble());
    taken[0].rolls_by(stage, "spec.runtime.image", json!("docker.io/lmcache/vllm-openai:v0.3.14")).await
}

/// What whoever switches the package does: our XRD and our Composition take the places of theirs.
async fn upgrade(stage: &Stage) -> Result<()> {
    let composition = yaml(&workspace::root().join("package/configuration/composition.yaml"))?;
    platform::install_xrd(stage.cluster(), &platform::xrd()?).await?;
    platform::install_composition(stage.cluster(), &stage.crossplane.function, &composition).await
}

/// A model of v0.1.6, as it was before the upgrade.
struct Taken {
    model: Model,
    runtime: Value,
    deployment: Value,
    /// UIDs of all that there was, by kind, namespace and name.
    all: BTreeMap<String, String>,
}

impl Taken {
    /// Waits until it serves, as far as v0.1.6 and the operator bring it.
    async fn serving(stage: &Stage, name: &str, spec: Value) -> Result<Self> {
        let model = apply(stage, name, spec).await?;
        all_become_ready(stage.cluster(), std::slice::from_ref(&model), LIMIT).await?;
        let runtime = runtime_of(stage, &model).await?;
        let deployment = until("the operator's Deployment serves", LIMIT, async || {
            let live = stage.target().get(&deployment_of(&runtime)).await?.unwrap_or_default();
            let serves = live.pointer("/status/availableReplicas") == Some(&json!(1));
            Ok(if serves { Look::Ok(live) } else { Look::Err(live["status"].to_string()) })
        })
        .await?;
        let mut taken = Self { model, runtime, deployment, all: BTreeMap::new() };
        taken.all = taken.uids(stage).await?;
        let kinds: BTreeSet<&str> =
            taken.all.keys().filter_map(|name| name.split_once(' ')).map(|(kind, _)| kind).collect();
        for kind in ["Deployment", "LLMInference", "Object", "Service", "VLLMRuntime"] {
            ensure!(kinds.contains(kind), "no {kind} among {kinds:?}");
        }
        ensure!(kinds.contains("Ingress") == taken.has_ingress(), "{kinds:?}");
        Ok(taken)
    }

    fn has_ingress(&self) -> bool {
        self.model.xr.pointer("/spec/ingressHost").is_some()
    }

    /// What its people apply.
    fn spec(&self) -> Value {
        let mut spec = self.model.xr.clone();
        if self.has_ingress() {
            set(&mut spec, "spec.minReplicas", json!(2));
        }
        spec
    }

    /// UIDs of everything in its namespaces, by kind, namespace and name.
    async fn uids(&self, stage: &Stage) -> Result<BTreeMap<String, String>> {
        let mut all = stage.cluster().everything_in(&self.model.namespace).await?;
        all.extend(stage.target().everything_in(text(&self.runtime, "/metadata/namespace")).await?);
        Ok(all.iter().map(|object| (describe(object), text(object, "/metadata/uid").to_owned())).collect())
    }

    /// Nothing of what there was is gone, or is there anew.
    async fn is_all_there(&self, stage: &Stage) -> Result<()> {
        let now = self.uids(stage).await?;
        let lost: Vec<_> = self.all.iter().filter(|(name, uid)| now.get(*name) != Some(*uid)).collect();
        ensure!(lost.is_empty(), "gone, or not the same any more: {lost:?}");
        Ok(())
    }

    /// It has what we write, under the same UIDs and without a conflict.
    async fn is_updated_in_place(&self, stage: &Stage) -> Result<()> {
        let objects = until("every Object is ours, and Synced", LIMIT, async || {
            let objects = self.model.objects(stage.cluster()).await?;
            let is_ours = |object: &Value| {
                condition(object, "Synced") == "True"
                    && text(object, "/spec/readiness/policy") == "DeriveFromCelQuery"
                    && object.pointer("/status/atProvider/manifest/metadata/annotations").is_some()
            };
            let waiting: Vec<String> =
                objects.iter().filter(|object| !is_ours(object)).map(describe).collect();
            let gained = objects.len() >= GAINED.len();
            Ok(if gained && waiting.is_empty() {
                Look::Ok(objects)
            } else {
                Look::Err(format!("{waiting:?}"))
            })
        })
        .await?;
        stage.stand_in.rounds(ROUNDS).await?;
        self.is_all_there(stage).await?;

        let runtime = stage.target().get(&self.runtime).await?.context("the runtime is gone")?;
        ensure!(runtime.pointer("/metadata/labels").is_none(), "labels: {}", runtime["metadata"]["labels"]);
        ensure!(runtime.pointer("/spec/vllmConfig/v1") == Some(&json!(true)), "{}", runtime["spec"]);
        let kinds: BTreeSet<&str> =
            objects.iter().map(|object| text(object, "/spec/forProvider/manifest/kind")).collect();
        ensure!(GAINED.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");

        for object in objects {
            let managers = appliers(&object);
            ensure!(
                managers.len() == 1 && managers[0].starts_with(CROSSPLANE),
                "{} is applied by {managers:?}",
                describe(&object)
            );
            let delivered = stage.target().get(&object["spec"]["forProvider"]["manifest"]).await?;
            let managers = appliers(&delivered.context("it was not delivered")?);
            let provider = format!("provider-kubernetes/{}", text(&object, "/metadata/name"));
            ensure!(managers == [provider], "what {} delivers is applied by {managers:?}", describe(&object));
        }
        Ok(())
    }

    /// The operator's Deployment is what it was, so its pods are.
    async fn has_not_rolled(&self, stage: &Stage) -> Result<()> {
        let live = stage.target().get(&self.deployment).await?.context("the Deployment is gone")?;
        ensure!(
            live["spec"] == self.deployment["spec"],
            "{}, then {}",
            self.deployment["spec"],
            live["spec"]
        );
        ensure!(live.pointer("/status/availableReplicas") == Some(&json!(1)), "{}", live["status"]);
        Ok(())
    }

    /// A change that the operator looks at brings everything else along.
    async fn rolls_by(&self, stage: &Stage, field: &str, value: Value) -> Result<()> {
        let mut changed = self.model.xr.clone();
        set(&mut changed, field, value);
        stage.cluster().apply(&changed, APPLICATION).await?;
        until("the operator's Deployment has what came with the upgrade", LIMIT, async || {
            let live = stage.target().get(&self.deployment).await?.context("the Deployment is gone")?;
            let args = live["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
            Ok(if args.contains("--served-model-name") { Look::Ok(()) } else { Look::Err(args) })
        })
        .await?;
        becomes(stage.cluster(), &self.model, "WorkloadReady", "Available").await?;
        self.is_all_there(stage).await
    }

    /// The Ingress goes with its Object, and nothing else does.
    async fn ingress_goes(&self, stage: &Stage) -> Result<()> {
        until(&format!("the Ingress of {} is gone", describe(&self.model.xr)), LIMIT, async || {
            let now = self.uids(stage).await?;
            let lost = self.all.iter().filter(|(name, uid)| now.get(*name) != Some(*uid));
            let lost: Vec<&str> =
                lost.filter_map(|(name, _)| name.split_once(' ')).map(|(kind, _)| kind).collect();
            let all = ["Ingress", "Object", "ProviderConfigUsage"];
            ensure!(lost.iter().all(|kind| all.contains(kind)), "gone, or not the same any more: {lost:?}");
            Ok(if lost == all { Look::Ok(()) } else { Look::Err(format!("only {lost:?} went")) })
        })
        .await
    }
}

/// Asks for a model in a namespace of its own, with a way to the cluster.
async fn apply(stage: &Stage, name: &str, more: Value) -> Result<Model> {
    let cluster = stage.cluster();
    let namespace = format!("team-{name}");
    platform::namespace(cluster, &namespace).await?;
    if let Some(target) = more.get("targetNamespace").and_then(Value::as_str) {
        platform::namespace(stage.target(), target).await?;
    }
    let way_in = stage.target_kubeconfig();
    provider::connect(cluster, ConfigKind::ProviderConfig, &namespace, "gpu-cluster", way_in).await?;
    let mut xr = json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
        "kind": "LLMInference",
        "metadata": {"name": format!("qwen-{name}"), "namespace": namespace},
        "spec": {"model": "Qwen/Qwen2.5-1.5B-Instruct", "providerConfigName": "gpu-cluster"},
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        set(&mut xr, &format!("spec.{field}"), value.clone());
    }
    cluster.apply(&xr, APPLICATION).await?;
    Ok(Model { xr, namespace, reach: ConfigKind::ProviderConfig.into() })
}

/// The runtime that a model is composed of, once it is on its cluster.
async fn runtime_of(stage: &Stage, model: &Model) -> Result<Value> {
    until(&format!("the runtime of {} is there", describe(&model.xr)), LIMIT, async || {
        for object in model.objects(stage.cluster()).await? {
            let manifest = &object["spec"]["forProvider"]["manifest"];
            if text(manifest, "/kind") == "VLLMRuntime" && is_synced(&object) {
                return Ok(stage.target().get(manifest).await?.ok_or_else(|| describe(manifest)));
            }
        }
        Ok(Look::Err("no Object of it is Synced".to_owned()))
    })
    .await
}

/// The operator calls it as the runtime.
fn deployment_of(runtime: &Value) -> Value {
    let metadata = ["name", "namespace"].map(|field| (field, text(runtime, &format!("/metadata/{field}"))));
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": BTreeMap::from(metadata)})
}

fn is_synced(object: &Value) -> bool {
    condition(object, "Synced") == "True"
}

/// Who applies fields of an object, server-side, but for those of its status.
fn appliers(object: &Value) -> Vec<String> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let applied = entries
        .into_iter()
        .flatten()
        .filter(|entry| text(entry, "/operation") == "Apply" && entry.get("subresource").is_none());
    applied.map(|entry| text(entry, "/manager").to_owned()).collect()
}

fn without(mut xr: Value, field: &str) -> Value {
    xr["spec"].as_object_mut().map(|spec| spec.remove(field));
    xr
}

/// The same composite resource with an annotation, so that Crossplane looks at it again.
fn touched(live: &Value) -> Value {
    json!({
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {
            "name": live["metadata"]["name"],
            "namespace": live["metadata"]["namespace"],
            "annotations": {"e2e": live["metadata"]["resourceVersion"]},
        },
    })
}

async fn becomes(cluster: &Cluster, model: &Model, kind: &str, wanted: &str) -> Result<()> {
    until(&format!("{kind} of {} says {wanted}", describe(&model.xr)), LIMIT, async || {
        let live = model.live(cluster).await?;
        let seen = reason(&live, kind);
        Ok(if seen == wanted { Look::Ok(()) } else { Look::Err(live["status"].to_string()) })
    })
    .await
}

fn reason<'a>(object: &'a Value, kind: &str) -> &'a str {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| text(condition, "/type") == kind);
    found.map_or("", |condition| text(condition, "/reason"))
}
