//! Models that really scale: with KEDA, Prometheus as its own operator configures it, the autoscaler and the Deployment
//! controller of Kubernetes, the Endpoint Picker, Crossplane and provider-kubernetes. Nodes and vLLM's operator are played.
//!
//! Waits are shortened, by [`clock`], and nothing else: that can be looked at too.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::controlplane::cluster::{Cluster, describe, text};
use crate::controlplane::keda::Keda;
use crate::controlplane::model::{APPLICATION, Model};
use crate::controlplane::platform::PLATFORM;
use crate::controlplane::prometheus::Prometheus;
use crate::controlplane::stage::{Settings, Stage};
use crate::controlplane::standin::Cast;
use crate::controlplane::wait::{Look, until};
use crate::controlplane::{clock, core, crds};
use crate::files;
use crate::node::Node;
use crate::render::Scenario;

/// Seconds, where nothing else happens; minutes, where a query looks back that far.
pub const LIMIT: Duration = Duration::from_mins(6);

/// Longer than the shortened waits before replicas go: what has not happened by then does not happen.
pub const QUIET: Duration = Duration::from_secs(22);

/// The same of a model that may sleep.
pub const BEYOND_COOLDOWN: Duration = Duration::from_secs(35);

/// The real controllers of Kubernetes that scaling needs beside those of every stage.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,horizontal-pod-autoscaler-controller";

/// So many updates that no model makes Crossplane stop listening.
const ALL_EARS: core::Settings =
    core::Settings { circuit_breaker_burst: Some(2000), rights: core::Rights::Administrator };

/// All that it takes to have models that scale.
#[derive(Debug)]
pub struct World<'a> {
    /// Crossplane, and the cluster where models run.
    pub stage: &'a Stage,
    /// What runs their pods.
    pub node: &'a Node,
    /// Who reads their metrics.
    pub prometheus: &'a Prometheus,
}

/// Starts all of it, has something played there, and adds to an error what everybody said.
pub async fn on_stage(name: &str, play: impl AsyncFnOnce(&World<'_>) -> Result<()>) -> Result<()> {
    let settings = Settings { cast: Cast::AllButScaling, core: ALL_EARS, ..Settings::default() };
    let stage = Stage::start(name, settings).await?;
    crds::install(stage.target(), &crds::PROMETHEUS.crds()?).await?;
    clock::shorten(stage.target()).await?;
    // What the GPU operator brings, and the CRD of the VLLMRuntime names.
    let nvidia = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "nvidia"}, "handler": "nvidia",
    });
    stage.target().apply(&nvidia, PLATFORM).await?;
    let control_plane = stage.target_control_plane();
    let _controllers = control_plane.controllers(CONTROLLERS, "kube-autoscaler")?;
    let prometheus = Prometheus::start(control_plane).await?;
    let keda = Keda::start(control_plane).await?;

    let node = Node::default();
    let world = World { stage: &stage, node: &node, prometheus: &prometheus };
    let outcome = tokio::select! {
        outcome = play(&world) => outcome,
        never = node.run(control_plane) => match never {},
    };
    outcome.map_err(|error| {
        let error = error.context(format!("--- node\n{}", node.trouble().join("\n")));
        keda.explain(prometheus.explain(stage.explain(error)))
    })
}

impl World<'_> {
    /// A model of its own in a namespace of its own.
    pub async fn model(&self, name: &str, backend: &str, spec: &Value) -> Result<Scaled<'_>> {
        self.model_with(name, backend, &json!({}), spec).await
    }

    /// The same where the platform's Input says something else, by field.
    pub async fn model_with(
        &self,
        name: &str,
        backend: &str,
        platform: &Value,
        spec: &Value,
    ) -> Result<Scaled<'_>> {
        let mut input = json!({
            "apiVersion": "inference.fn.crossplane.io/v1beta1",
            "kind": "ModelStack",
            "spec": {
                "workload": {"backend": backend},
                "prometheus": {"address": self.prometheus.url()},
                "monitoring": {"interval": "1s", "rules": true},
                "endpointPicker": {"version": "v1.5.0"},
            },
        });
        for (field, value) in platform.as_object().cloned().unwrap_or_default() {
            files::set(&mut input, &format!("spec.{field}"), value);
        }
        let composition = json!({
            "apiVersion": "apiextensions.crossplane.io/v1",
            "kind": "Composition",
            "metadata": {"name": name},
            "spec": {
                "compositeTypeRef": {
                    "apiVersion": "inference.devopstoolkit.ai/v1alpha1", "kind": "LLMInference",
                },
                "mode": "Pipeline",
                "pipeline": [
                    {"step": "model-stack", "functionRef": {"name": "function-inference"}, "input": input},
                ],
            },
        });
        let xr = json!({
            "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
            "kind": "LLMInference",
            "metadata": {"name": name, "namespace": "models"},
            "spec": merged(spec),
        });
        let dir = tempfile::tempdir()?;
        // JSON is YAML.
        let [xr_file, composition_file] = ["xr.yaml", "composition.yaml"].map(|file| dir.path().join(file));
        std::fs::write(&xr_file, xr.to_string())?;
        std::fs::write(&composition_file, composition.to_string())?;
        let scenario = Scenario {
            name: name.to_owned(),
            xr: xr_file,
            composition: composition_file,
            functions: dir.path().to_owned(),
            observed: None,
            required_resources: None,
        };
        let model = Model::apply(self.stage, &scenario).await?;
        Ok(Scaled {
            stage: self.stage,
            node: self.node,
            prometheus: self.prometheus,
            backend: backend.to_owned(),
            name: name.to_owned(),
            model,
        })
    }
}

/// A model, and what it takes to see how it scales.
#[derive(Debug)]
pub struct Scaled<'a> {
    stage: &'a Stage,
    node: &'a Node,
    prometheus: &'a Prometheus,
    backend: String,
    /// What it is called.
    pub name: String,
    model: Model,
}

impl Scaled<'_> {
    fn target(&self) -> &Cluster {
        self.stage.target()
    }

    /// Where it runs.
    pub fn namespace(&self) -> &str {
        &self.model.namespace
    }

    /// The replicas that are wanted of what the autoscaler scales.
    async fn wanted(&self) -> Result<Option<u64>> {
        let (api_version, name, pointer) = match self.backend.as_str() {
            "Deployment" => ("apps/v1", format!("{}-vllm", self.name), "/spec/replicas"),
            _ => ("production-stack.vllm.ai/v1alpha1", self.name.clone(), "/spec/deploymentConfig/replicas"),
        };
        let workload = json!({
            "apiVersion": api_version, "kind": self.backend,
            "metadata": {"name": name, "namespace": self.model.namespace},
        });
        let live = self.target().get(&workload).await?;
        Ok(live.and_then(|live| live.pointer(pointer)?.as_u64()))
    }

    /// Model servers that are ready, by UID.
    pub async fn pods(&self) -> Result<BTreeSet<String>> {
        let pods = self.target().list("v1", "Pod", &self.model.namespace).await?;
        let ready = pods.iter().filter(|pod| is_engine(pod) && !text(pod, "/status/podIP").is_empty());
        Ok(ready.map(|pod| text(pod, "/metadata/uid").to_owned()).collect())
    }

    /// What somebody wants to know who waited in vain.
    pub async fn state(&self) -> Result<String> {
        let live = self.model.live(self.stage.cluster()).await?;
        let model = self.model.state(self.stage.cluster(), &live).await?;
        let scaled = self.target().list("keda.sh/v1alpha1", "ScaledObject", &self.model.namespace).await?;
        let scaled: Vec<_> = scaled.iter().map(|scaled| scaled.pointer("/status/conditions")).collect();
        Ok(format!("{model}\nKEDA: {scaled:?}\nnode: {:?}", self.node.trouble()))
    }

    /// So many are wanted, and so many are ready.
    pub async fn comes_to(&self, count: u64) -> Result<()> {
        until(&format!("{} has {count} replicas", describe(&self.model.xr)), LIMIT, async || {
            let (wanted, ready) = (self.wanted().await?, self.pods().await?.len());
            Ok(if wanted == Some(count) && u64::try_from(ready)? == count {
                Look::Ok(())
            } else {
                Look::Err(format!("{wanted:?} wanted, {ready} ready\n{}", self.state().await?))
            })
        })
        .await
    }

    /// So many are wanted, whether they are ready or not.
    pub async fn comes_to_want(&self, count: u64) -> Result<()> {
        until(&format!("{count} replicas of {} are wanted", describe(&self.model.xr)), LIMIT, async || {
            let wanted = self.wanted().await?;
            Ok(if wanted == Some(count) {
                Look::Ok(())
            } else {
                Look::Err(format!("{wanted:?}\n{}", self.state().await?))
            })
        })
        .await
    }

    /// No other number is wanted for so long.
    pub async fn stays_at(&self, count: u64, how_long: Duration) -> Result<()> {
        let end = Instant::now() + how_long;
        while Instant::now() < end {
            let wanted = self.wanted().await?;
            ensure!(wanted == Some(count), "{wanted:?} are wanted, not {count}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Looks all the time, and returns what is wrong when fewer are wanted or ready.
    pub async fn falls_below(&self, count: u64) -> Result<anyhow::Error> {
        loop {
            let (wanted, ready) = (self.wanted().await?, self.pods().await?.len());
            if wanted.is_none_or(|wanted| wanted < count) || u64::try_from(ready)? < count {
                let state = self.state().await?;
                return Ok(anyhow::anyhow!("{wanted:?} wanted and {ready} ready, not {count}\n{state}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its author writes another spec.
    pub async fn change(&self, spec: &Value) -> Result<()> {
        let mut xr = self.model.xr.clone();
        xr["spec"] = with_crossplane(&xr, spec);
        self.stage.cluster().apply(&xr, APPLICATION).await.map(drop)
    }

    /// A condition has that reason. Returns what it says to that.
    pub async fn says(&self, kind: &str, reason: &str) -> Result<String> {
        self.says_one_of(kind, &[reason]).await
    }

    /// The autoscaler can read nothing: whether KEDA falls back on something depends on for how long.
    pub async fn is_blind(&self) -> Result<String> {
        self.says_one_of("ScalingReady", &["TriggerFailed", "MetricsUnavailable"]).await
    }

    async fn says_one_of(&self, kind: &str, reasons: &[&str]) -> Result<String> {
        until(&format!("{kind} of {} says {reasons:?}", describe(&self.model.xr)), LIMIT, async || {
            let live = self.model.live(self.stage.cluster()).await?;
            let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
            let mut of_kind = conditions.into_iter().flatten().filter(|it| text(it, "/type") == kind);
            let seen = of_kind.next().cloned().unwrap_or_default();
            Ok(if reasons.contains(&text(&seen, "/reason")) {
                Look::Ok(text(&seen, "/message").to_owned())
            } else {
                Look::Err(format!("{seen}\n{}", self.state().await?))
            })
        })
        .await
    }

    /// Prometheus can read nothing any more of what a Service leads to, and knows. Replicas that come are no better.
    pub async fn is_unreadable_at(&self, service: &str) -> Result<()> {
        let namespace = &self.model.namespace;
        self.node.hide(namespace, service);
        until(&format!("Prometheus cannot read {service}"), LIMIT, async || {
            let read = self.prometheus.reads(namespace, service).await?;
            let blind = !read.is_empty() && !read.contains(&true);
            Ok(if blind { Look::Ok(()) } else { Look::Err(format!("{read:?}")) })
        })
        .await
    }

    /// Prometheus has its alerts and can evaluate them; none is raised.
    pub async fn is_watched(&self) -> Result<()> {
        let group = format!("{}/{}", self.model.namespace, self.name);
        until(&format!("the alerts of {group} are evaluated"), LIMIT, async || {
            let rules = self.prometheus.rules(&group).await?;
            let healthy = rules.iter().all(|rule| text(rule, "/health") == "ok");
            let quiet = rules.iter().all(|rule| text(rule, "/state") != "firing");
            Ok(if !rules.is_empty() && healthy && quiet {
                Look::Ok(())
            } else {
                Look::Err(format!("{rules:?}"))
            })
        })
        .await
    }

    /// What KEDA reads is what was composed, but for the seconds that were shortened.
    pub async fn only_waits_are_shorter(&self) -> Result<()> {
        let (composed, live) = until("the ScaledObject is there", LIMIT, async || {
            let objects = self.model.objects(self.stage.cluster()).await?;
            let composed = objects
                .iter()
                .filter_map(|object| object.pointer("/spec/forProvider/manifest"))
                .find(|manifest| text(manifest, "/kind") == "ScaledObject")
                .cloned();
            let Some(composed) = composed else { return Ok(Look::Err("not composed".to_owned())) };
            let live = self.target().get(&composed).await?;
            Ok(live.map(|live| (composed, live)).ok_or_else(|| "not applied".to_owned()))
        })
        .await?;
        let mut differing = BTreeMap::new();
        differences(&composed["spec"], &live["spec"], "/spec", &mut differing);
        let wanted = clock::shortened(&composed).into_iter().map(|(path, to)| (path, json!(to)));
        let wanted: BTreeMap<String, Value> = wanted.collect();
        ensure!(differing == wanted, "other than {wanted:?}: {differing:?}");
        Ok(())
    }
}

/// Where two values differ, and what the second has there.
fn differences(one: &Value, other: &Value, at: &str, found: &mut BTreeMap<String, Value>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for key in one.keys().chain(other.keys()) {
                let [one, other] = [one, other].map(|fields| fields.get(key).cloned().unwrap_or_default());
                differences(&one, &other, &format!("{at}/{key}"), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                differences(one, other, &format!("{at}/{index}"), found);
            }
        }
        // KEDA writes down what it defaults to: nothing.
        (Value::Null, Value::Object(other)) if other.is_empty() => {}
        _ if one == other => {}
        _ => drop(found.insert(at.to_owned(), other.clone())),
    }
}

/// Whether a model server runs in it.
pub fn is_engine(pod: &Value) -> bool {
    text(pod, "/spec/containers/0/name") == "vllm"
}

/// What every model has, and more.
fn merged(more: &Value) -> Value {
    let mut spec = json!({"model": "m", "providerConfigName": "gpu-cluster"});
    for (field, value) in more.as_object().cloned().unwrap_or_default() {
        files::set(&mut spec, &field, value);
    }
    spec
}

/// Another spec for a model that keeps its Composition.
fn with_crossplane(xr: &Value, spec: &Value) -> Value {
    let mut spec = merged(spec);
    spec["crossplane"] = xr["spec"]["crossplane"].clone();
    spec
}
