//! The vLLM operator has traps for whoever writes a `VLLMRuntime`. Each is shown to be there, and what we write stays out
//! of all of them.

#![allow(clippy::indexing_slicing, reason = "a manifest that has no such field is a test that fails")]

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, describe, text};
use e2e::controlplane::platform::namespace;
use e2e::controlplane::standin::{Cast, StandIn, VllmOperator};
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{ControlPlane, crds};
use e2e::files::{set, yaml};
use e2e::render::{self, Answer, Scenario};
use e2e::workspace;
use e2e::wrapped::{delivered, named};
use serde_json::{Value, json};

/// In whose name the provider applies.
const PROVIDER: &str = "provider-kubernetes/object";

/// The operator acts within a second.
const LIMIT: Duration = Duration::from_mins(1);

/// How many looks of the operator a test waits for to say that nothing comes of them.
const ROUNDS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn what_we_write_serves_and_follows_every_change() -> Result<()> {
    let kinds = [crds::vllm_runtime()?, crds::KEDA.crds()?].concat();
    let bench = Bench::start("operator", &kinds, VllmOperator::Of0_1_12).await?;
    let function = workspace::function()?;
    let mut seen = 0;
    for scenario in examples()? {
        let before = Written::by(&function, &scenario)?;
        let place = format!("team-{}", scenario.name.replace(['/', '.'], "-"));
        let runtime = bench.apply(&before.runtime, &place).await?;
        if let Some(scaled_object) = &before.scaled_object {
            bench.apply(scaled_object, &place).await?;
        }
        let replicas = runtime.pointer("/spec/deploymentConfig/replicas").context("no replicas")?;
        let deployment = bench.serves(&runtime).await.with_context(|| scenario.name.clone())?;
        ensure!(deployment.pointer("/spec/replicas") == Some(replicas), "{}", scenario.name);

        // The operator does not look at arguments.
        let after = Written::with_argument(&function, &scenario, "--max-num-seqs=7")?;
        let runtime = bench.apply(&after.runtime, &place).await?;
        bench.deployment_has(&runtime, "--max-num-seqs=7").await.with_context(|| scenario.name.clone())?;
        bench.serves(&runtime).await?;

        bench.stand_in.rounds(ROUNDS).await?;
        if let Some(scaled_object) = &before.scaled_object {
            let scaled_object = placed(scaled_object, &place);
            ensure!(
                bench.cluster().get(&scaled_object).await?.is_some(),
                "{} is gone",
                describe(&scaled_object)
            );
            seen += 1;
        }
        ensure!(bench.stand_in.trouble().is_empty(), "{}: {:?}", scenario.name, bench.stand_in.trouble());
    }
    ensure!(seen > 0, "no example is scaled");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_traps_are_there() -> Result<()> {
    let kinds = [crds::vllm_runtime()?, crds::KEDA.crds()?].concat();
    let bench = Bench::start("operator-traps", &kinds, VllmOperator::Of0_1_12).await?;
    let ours = Written::by(&workspace::function()?, &minimal()?)?.runtime;

    a_label_that_comes_later_ends_all_updates(&bench, &ours).await.context("labels")?;
    without_node_selector_terms_there_is_no_status(&bench, &ours).await.context("node selector terms")?;
    arguments_alone_are_not_looked_at(&bench, &ours).await.context("arguments")?;
    a_scaled_object_of_its_name_goes(&bench, &ours).await.context("ScaledObject")?;

    // What never equals its own stored form is updated for ever, and the status comes after that.
    for (place, field, value) in [
        ("odd-quantity", "spec.deploymentConfig.resources.cpu", json!("2000m")),
        ("cache-off", "spec.lmCacheConfig", json!({"enabled": false})),
    ] {
        let mut odd = ours.clone();
        set(&mut odd, field, value);
        let odd = bench.apply(&odd, place).await?;
        bench.has_no_status(&odd).await?;
    }
    Ok(())
}

/// The stub drops and defaults nothing, and the operator reads what is not there as Go does: empty and 0.
#[tokio::test(flavor = "multi_thread")]
async fn on_a_stub_crd_what_is_left_out_is_zero() -> Result<()> {
    let bench =
        Bench::start("operator-stub", &crds::vllm_runtime_stub()?, VllmOperator::OfDecember2025).await?;
    let function = workspace::function()?;
    let ours = Written::by(&function, &minimal()?)?.runtime;

    let mut silent = ours.clone();
    silent["spec"]["deploymentConfig"].as_object_mut().context("no deploymentConfig")?.remove("replicas");
    let silent = bench.apply(&silent, "silent").await?;
    let deployment = bench.deployment(&silent).await?;
    ensure!(deployment.pointer("/spec/replicas") == Some(&json!(0)), "{deployment}");

    let runtime = bench.apply(&ours, "ours").await?;
    let deployment = bench.deployment(&runtime).await?;
    ensure!(deployment.pointer("/spec/replicas") == Some(&json!(1)), "{deployment}");
    // That build counts nothing.
    let status = bench.status(&runtime, |status| text(status, "/modelStatus") == "Ready").await?;
    ensure!(status.get("availableReplicas").is_none() && status.get("selector").is_none(), "{status}");
    ensure!(bench.stand_in.trouble().is_empty(), "{:?}", bench.stand_in.trouble());
    Ok(())
}

/// A current operator names the runtime class that is not there, and no pod may have an empty one. Where a cluster is
/// like that, the class has to be named; the CRD that belongs to the operator would have done it.
#[tokio::test(flavor = "multi_thread")]
async fn a_current_operator_on_a_stub_crd_needs_a_runtime_class() -> Result<()> {
    let bench = Bench::start("operator-mixed", &crds::vllm_runtime_stub()?, VllmOperator::Of0_1_12).await?;
    let mut ours = Written::by(&workspace::function()?, &minimal()?)?.runtime;
    bench.apply(&ours, "unnamed").await?;
    bench.is_troubled_by("spec.template.spec.runtimeClassName").await?;

    set(&mut ours, "spec.deploymentConfig.runtimeClass", json!("nvidia"));
    let runtime = bench.apply(&ours, "named").await?;
    bench.serves(&runtime).await?;
    Ok(())
}

async fn a_label_that_comes_later_ends_all_updates(bench: &Bench, ours: &Value) -> Result<()> {
    let mut runtime = bench.apply(ours, "labels").await?;
    bench.serves(&runtime).await?;
    let mut labelled = ours.clone();
    labelled["metadata"]["labels"] = json!({"team": "a"});
    labelled["spec"]["deploymentConfig"]["image"]["name"] = json!("vllm/vllm-openai:changed");
    runtime = bench.apply(&labelled, "labels").await?;
    bench.is_troubled_by("field is immutable").await?;
    bench.stand_in.rounds(ROUNDS).await?;
    let deployment = bench.deployment(&runtime).await?;
    ensure!(
        !text(&deployment, "/spec/template/spec/containers/0/image").ends_with(":changed"),
        "it was updated"
    );

    // Without the label it goes on.
    labelled["metadata"]["labels"] = json!({});
    bench.apply(&labelled, "labels").await?;
    bench.deployment_has(&runtime, "vllm/vllm-openai:changed").await
}

/// Nor is there one when the terms come later, as when a runtime that somebody else wrote is taken over: not before
/// something changes that the operator looks at earlier.
async fn without_node_selector_terms_there_is_no_status(bench: &Bench, ours: &Value) -> Result<()> {
    let mut silent = ours.clone();
    silent["spec"]["deploymentConfig"].as_object_mut().context("no config")?.remove("nodeSelectorTerms");
    let mut runtime = bench.apply(&silent, "nodes").await?;
    bench.is_troubled_by("nil pointer dereference").await?;
    bench.has_no_status(&runtime).await?;

    runtime = bench.apply(ours, "nodes").await?;
    bench.has_no_status(&runtime).await?;

    let mut scaled = ours.clone();
    scaled["spec"]["deploymentConfig"]["replicas"] = json!(2);
    runtime = bench.apply(&scaled, "nodes").await?;
    bench.serves(&runtime).await.map(drop)
}

async fn arguments_alone_are_not_looked_at(bench: &Bench, ours: &Value) -> Result<()> {
    let runtime = bench.apply(ours, "arguments").await?;
    bench.serves(&runtime).await?;
    let mut changed = ours.clone();
    changed["spec"]["vllmConfig"]["extraArgs"] = json!(["--max-num-seqs=7"]);
    let runtime = bench.apply(&changed, "arguments").await?;
    bench.serves(&runtime).await?;
    bench.stand_in.rounds(ROUNDS).await?;
    let deployment = bench.deployment(&runtime).await?;
    ensure!(!deployment.to_string().contains("--max-num-seqs=7"), "{deployment}");
    Ok(())
}

async fn a_scaled_object_of_its_name_goes(bench: &Bench, ours: &Value) -> Result<()> {
    let runtime = bench.apply(ours, "scaled").await?;
    let named = |name: &str| {
        json!({
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": name, "namespace": "scaled"},
            "spec": {
                "scaleTargetRef": {"name": text(&runtime, "/metadata/name")},
                "triggers": [{"type": "cron", "metadata": {}}],
            },
        })
    };
    let name = text(&runtime, "/metadata/name");
    let [of_its_name, other] = [named(&format!("{name}-scaledobject")), named(name)];
    for scaled_object in [&of_its_name, &other] {
        bench.cluster().apply(scaled_object, PROVIDER).await?;
    }
    until("the operator deletes the ScaledObject", LIMIT, async || {
        Ok(match bench.cluster().get(&of_its_name).await? {
            None => Look::Ok(()),
            Some(live) => Look::Err(live.to_string()),
        })
    })
    .await?;
    ensure!(bench.cluster().get(&other).await?.is_some(), "any other is gone too");
    Ok(())
}

/// An API server with the operator's kind, and the operator.
struct Bench {
    stand_in: StandIn,
    control_plane: ControlPlane,
}

impl Bench {
    async fn start(name: &str, kinds: &[Value], operator: VllmOperator) -> Result<Self> {
        let control_plane = ControlPlane::start(name).await?;
        crds::install(&control_plane.cluster, kinds).await?;
        Ok(Self {
            stand_in: StandIn::start(&control_plane.cluster, operator, Cast::Everybody),
            control_plane,
        })
    }

    fn cluster(&self) -> &Cluster {
        &self.control_plane.cluster
    }

    /// Applies an object in a namespace of the test's own.
    async fn apply(&self, object: &Value, place: &str) -> Result<Value> {
        namespace(self.cluster(), place).await?;
        Ok(self.cluster().apply(&placed(object, place), PROVIDER).await?.object)
    }

    async fn deployment(&self, runtime: &Value) -> Result<Value> {
        let deployment = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": text(runtime, "/metadata/name"), "namespace": text(runtime, "/metadata/namespace"),
            },
        });
        until(&format!("{} is there", describe(&deployment)), LIMIT, async || {
            Ok(self.cluster().get(&deployment).await?.ok_or_else(|| format!("{:?}", self.stand_in.trouble())))
        })
        .await
    }

    /// The Deployment has it somewhere, and so will its pods.
    async fn deployment_has(&self, runtime: &Value, what: &str) -> Result<()> {
        until(&format!("the Deployment of {} has {what}", describe(runtime)), LIMIT, async || {
            let deployment = self.deployment(runtime).await?.to_string();
            Ok(if deployment.contains(what) { Look::Ok(()) } else { Look::Err(deployment) })
        })
        .await
    }

    /// All replicas are there, and an autoscaler can count them. Returns the Deployment.
    async fn serves(&self, runtime: &Value) -> Result<Value> {
        // Crossplane's label on what it composes itself is there from the start, so it may be in a selector.
        let labels = runtime.pointer("/metadata/labels").and_then(Value::as_object);
        let labels = labels.into_iter().flatten().map(|(label, value)| (label.as_str(), value.as_str()));
        let selector = [("app", runtime.pointer("/metadata/name").and_then(Value::as_str))];
        let selector: Vec<String> = selector
            .into_iter()
            .chain(labels)
            .map(|(label, value)| format!("{label}={}", value.unwrap_or_default()))
            .collect();
        let selector = selector.join(",");
        let wanted = runtime.pointer("/spec/deploymentConfig/replicas");
        self.status(runtime, |status| {
            text(status, "/modelStatus") == "Ready"
                && text(status, "/selector") == selector
                && (status.get("availableReplicas") == wanted || wanted == Some(&json!(0)))
        })
        .await?;
        self.deployment(runtime).await
    }

    async fn status(&self, runtime: &Value, holds: impl Fn(&Value) -> bool) -> Result<Value> {
        until(&format!("{} has the status that is wanted", describe(runtime)), LIMIT, async || {
            let live = self.cluster().get(runtime).await?.context("it is gone")?;
            let status = live.get("status").cloned().unwrap_or_default();
            Ok(if holds(&status) {
                Look::Ok(status)
            } else {
                Look::Err(format!("{status}, trouble: {:?}", self.stand_in.trouble()))
            })
        })
        .await
    }

    async fn has_no_status(&self, runtime: &Value) -> Result<()> {
        self.deployment(runtime).await?;
        self.stand_in.rounds(ROUNDS).await?;
        let live = self.cluster().get(runtime).await?.context("it is gone")?;
        ensure!(live.get("status").is_none(), "{}", live["status"]);
        Ok(())
    }

    async fn is_troubled_by(&self, what: &str) -> Result<()> {
        until(&format!("the operator meets `{what}`"), LIMIT, async || {
            let trouble = self.stand_in.trouble().join("\n");
            Ok(if trouble.contains(what) { Look::Ok(()) } else { Look::Err(trouble) })
        })
        .await
    }
}

/// What we write for the operator, and for the autoscaler beside it.
struct Written {
    runtime: Value,
    scaled_object: Option<Value>,
}

impl Written {
    fn by(function: &Path, scenario: &Scenario) -> Result<Self> {
        let composed = match render::preview(function, scenario)? {
            Answer::Rendered(rendered) => rendered.composed,
            Answer::Refused(why) => anyhow::bail!("{}: {why}", scenario.name),
        };
        let mut manifests =
            composed.iter().filter_map(|resource| Some(delivered(&named(resource))?.manifest));
        let of_kind = |kind: &str| manifests.clone().find(|manifest| text(manifest, "/kind") == kind);
        let scaled_object = of_kind("ScaledObject");
        let runtime = manifests.find(|manifest| text(manifest, "/kind") == "VLLMRuntime");
        Ok(Self { runtime: runtime.context("no VLLMRuntime")?, scaled_object })
    }

    /// The same with one more argument for the engine.
    fn with_argument(function: &Path, scenario: &Scenario, argument: &str) -> Result<Self> {
        let mut xr = yaml(&scenario.xr)?;
        set(&mut xr, "spec.runtime.args", json!([argument]));
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("xr.yaml");
        std::fs::write(&path, xr.to_string())?;
        Self::by(function, &Scenario { xr: path, ..scenario.clone() })
    }
}

/// Those that the operator has to do with.
fn examples() -> Result<Vec<Scenario>> {
    let mut examples = Vec::new();
    for scenario in render::scenarios(&workspace::root().join("examples"))? {
        let composition = yaml(&scenario.composition)?;
        let backend = text(&composition, "/spec/pipeline/0/input/spec/workload/backend");
        if scenario.is_model() && !scenario.is_refused() && backend != "Deployment" {
            examples.push(scenario);
        }
    }
    Ok(examples)
}

fn minimal() -> Result<Scenario> {
    examples()?
        .into_iter()
        .find(|scenario| scenario.name.starts_with("minimal/"))
        .context("no minimal example")
}

fn placed(object: &Value, place: &str) -> Value {
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(place);
    object
}
