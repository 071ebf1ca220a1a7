//! Another release of the Endpoint Picker for a live model: the former picker answers until the next one does, and nothing
//! is left of it. Real pickers of the inference extension run as the real Deployment controller has them; of llm-d-router
//! there is no Go module, so its Deployment is played, or stays without a pod.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::controlplane::cluster::{describe, text};
use e2e::controlplane::core::{self, Rights};
use e2e::controlplane::crds;
use e2e::controlplane::model::{Model, Reach, all_become_ready, asked_often};
use e2e::controlplane::platform::PLATFORM;
use e2e::controlplane::provider::ConfigKind;
use e2e::controlplane::stage::{Settings, Stage, Target};
use e2e::controlplane::standin::Cast;
use e2e::controlplane::wait::{Look, until};
use e2e::node::Node;
use e2e::picker::ask::Client;
use e2e::render::{Scenario, example};
use serde_json::{Value, json};

/// Seconds, where nothing else happens.
const LIMIT: Duration = Duration::from_mins(5);

/// The real controllers of Kubernetes that a rollout needs.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller";

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(20);

/// So many requests are answered while a picker that does not come up is asked for.
const PATIENCE: u64 = 100;

/// An objective's group.
const GIE: &str = "inference.networking.x-k8s.io";
const LLM_D: &str = "llm-d.ai";

/// What controllers make of what is composed, with names of their own.
const MADE: [&str; 3] = ["Pod", "ReplicaSet", "EndpointSlice"];

#[tokio::test(flavor = "multi_thread")]
async fn a_picker_answers_until_the_next_one_does() -> Result<()> {
    let core = core::Settings { circuit_breaker_burst: Some(2000), rights: Rights::Administrator };
    let stage =
        Stage::start("picker-release", Settings { cast: Cast::AllButScaling, core, ..Settings::default() })
            .await?;
    // What the GPU operator brings, and the CRD of the VLLMRuntime names.
    let nvidia = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "nvidia"}, "handler": "nvidia",
    });
    stage.target().apply(&nvidia, PLATFORM).await?;
    crds::install(stage.target(), &crds::llm_d_objective()?).await?;
    let control_plane = stage.target_control_plane();
    let _controllers = control_plane.controllers(CONTROLLERS, "kube-rollouts")?;

    let node = Node::default();
    let outcome = tokio::select! {
        outcome = moves_under_load(&stage, &node) => outcome,
        never = node.run(control_plane) => match never {},
    };
    outcome.map_err(|error| stage.explain(error.context(format!("--- node\n{}", node.trouble().join("\n")))))
}

/// Between the projects, by Objects and without.
#[tokio::test(flavor = "multi_thread")]
async fn an_objective_goes_with_the_picker_that_reads_it() -> Result<()> {
    let objects = ("picker-project", Target::AnotherCluster, Rights::Administrator);
    let direct = ("picker-project-direct", Target::Direct, Rights::OfTheChart);
    for ((name, target, rights), reach) in
        [(objects, Reach::Objects(ConfigKind::ProviderConfig)), (direct, Reach::Direct)]
    {
        let core = core::Settings { circuit_breaker_burst: Some(2000), rights };
        let stage = Stage::start(name, Settings { target, core, ..Settings::default() }).await?;
        there_and_back(&stage, reach).await.map_err(|error| stage.explain(error))?;
    }
    Ok(())
}

async fn there_and_back(stage: &Stage, reach: Reach) -> Result<()> {
    crds::install(stage.target(), &crds::llm_d_objective()?).await?;
    let scenario = example("routed/xr.yaml")?;
    let model = Model::apply_as(stage, &scenario, "", reach).await?;
    model.configure(stage, &scenario, &[asked_often()]).await?;
    all_become_ready(stage.cluster(), std::slice::from_ref(&model), LIMIT).await?;
    for (version, group) in [("v0.10.0", LLM_D), ("v1.3.1", GIE)] {
        takes(stage, &model, &scenario, version).await?;
        has_objectives(stage, &model, &[group]).await?;
        all_become_ready(stage.cluster(), std::slice::from_ref(&model), LIMIT).await?;
    }
    model.delete(stage.cluster()).await?;
    model.goes(stage, LIMIT).await
}

async fn moves_under_load(stage: &Stage, node: &Node) -> Result<()> {
    let scenario = example("routed/xr.yaml")?;
    let model = Model::apply(stage, &scenario).await?;
    model.configure(stage, &scenario, &[asked_often()]).await?;
    all_become_ready(stage.cluster(), std::slice::from_ref(&model), LIMIT).await?;
    let asked = Cell::new(0);
    tokio::select! {
        outcome = moves(stage, &model, &scenario, &asked) => outcome?,
        gap = is_answered(node, &model, &asked) => match gap? {},
    }
    model.delete(stage.cluster()).await?;
    model.goes(stage, LIMIT).await
}

async fn moves(stage: &Stage, model: &Model, scenario: &Scenario, asked: &Cell<u64>) -> Result<()> {
    let before = composed(stage, model).await?;
    for version in ["v1.5.0", "v1.3.1"] {
        takes(stage, model, scenario, version).await?;
        only_runs(stage, model, version).await?;
        all_become_ready(stage.cluster(), std::slice::from_ref(model), LIMIT).await?;
        has_all_of(stage, model, &before).await?;
    }
    has_objectives(stage, model, &[GIE]).await?;

    // Its image is nowhere to be had: what a picker is that does not come up.
    takes(stage, model, scenario, "v0.10.0").await?;
    has_objectives(stage, model, &[GIE, LLM_D]).await?;
    let since = asked.get();
    until("the former picker goes on answering", LIMIT, async || {
        let count = asked.get() - since;
        Ok(if count > PATIENCE { Look::Ok(()) } else { Look::Err(format!("{count} answers")) })
    })
    .await?;
    has_objectives(stage, model, &[GIE, LLM_D]).await?;

    takes(stage, model, scenario, "v1.3.1").await?;
    has_objectives(stage, model, &[GIE]).await?;
    only_runs(stage, model, "v1.3.1").await?;
    all_become_ready(stage.cluster(), std::slice::from_ref(model), LIMIT).await?;
    has_all_of(stage, model, &before).await
}

/// Asks the picker as a Gateway does, all the time, and ends with the first request that is not answered.
async fn is_answered(node: &Node, model: &Model, asked: &Cell<u64>) -> Result<Infallible> {
    loop {
        let address = node.picker(&model.namespace).context("no picker was ever ready")?;
        let answer = async {
            Client::connect_at_once(address).await?.ask(&[], &json!({"model": "m", "prompt": "hello"})).await
        };
        match answer.await {
            Ok(answer) => {
                answer.endpoint().with_context(|| format!("after {} requests", asked.get()))?;
                asked.set(asked.get() + 1);
            }
            // Here a picker ends at once, with what it was asked; where there are nodes, it may end that first.
            Err(_) if node.picker(&model.namespace) != Some(address) => {}
            Err(error) => return Err(error.context(format!("nobody answers after {} requests", asked.get()))),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The platform team asks for another release.
async fn takes(stage: &Stage, model: &Model, scenario: &Scenario, version: &str) -> Result<()> {
    let release = ("endpointPicker", json!({"version": version}));
    model.configure(stage, scenario, &[release, asked_often()]).await
}

/// Waits until that is the only picker that runs.
async fn only_runs(stage: &Stage, model: &Model, version: &str) -> Result<()> {
    until(&format!("only a picker {version} runs"), LIMIT, async || {
        let pods = stage.target().list("v1", "Pod", &model.namespace).await?;
        let images = pods.iter().map(|pod| text(pod, "/spec/containers/0/image"));
        let pickers: Vec<&str> = images.filter(|image| image.contains("/epp:")).collect();
        Ok(match pickers.as_slice() {
            [only] if only.ends_with(&format!(":{version}")) => Look::Ok(()),
            _ => Look::Err(format!("{pickers:?}")),
        })
    })
    .await
}

/// Waits until the model has objectives of these groups and no others.
async fn has_objectives(stage: &Stage, model: &Model, groups: &[&str]) -> Result<()> {
    until(&format!("objectives are of {groups:?}"), LIMIT, async || {
        let mut found = Vec::new();
        for group in [GIE, LLM_D] {
            let api_version = format!("{group}/v1alpha2");
            let objectives =
                stage.target().list(&api_version, "InferenceObjective", &model.namespace).await?;
            found.extend(objectives.iter().map(|_| group));
        }
        Ok(if found == groups { Look::Ok(()) } else { Look::Err(format!("{found:?}")) })
    })
    .await
}

/// Waits until that is there, and nothing else.
async fn has_all_of(stage: &Stage, model: &Model, wanted: &BTreeSet<String>) -> Result<()> {
    until("what is composed is what it was", LIMIT, async || {
        let there = composed(stage, model).await?;
        let differs: Vec<&String> = there.symmetric_difference(wanted).collect();
        Ok(if differs.is_empty() { Look::Ok(()) } else { Look::Err(format!("{differs:?}")) })
    })
    .await
}

/// What is there, but for what its controllers make of it.
async fn composed(stage: &Stage, model: &Model) -> Result<BTreeSet<String>> {
    let mut all = stage.target().everything_in(&model.namespace).await?;
    all.retain(|object| !MADE.contains(&text(object, "/kind")));
    Ok(all.iter().map(named).collect())
}

fn named(object: &Value) -> String {
    format!("{} {}", text(object, "/apiVersion"), describe(object))
}
