//! What the function composes really scales: with KEDA, Prometheus as its own operator configures it, the autoscaler and
//! the Deployment controller of Kubernetes, the Endpoint Picker, Crossplane and provider-kubernetes. Nodes and vLLM's
//! operator are played.
//!
//! Waits are shortened, by `e2e::controlplane::clock`, and nothing else: that is looked at too.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, describe, text};
use e2e::controlplane::keda::Keda;
use e2e::controlplane::model::{APPLICATION, Model};
use e2e::controlplane::platform::PLATFORM;
use e2e::controlplane::prometheus::Prometheus;
use e2e::controlplane::stage::{Settings, Stage};
use e2e::controlplane::standin::Cast;
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{clock, core, crds};
use e2e::node::Node;
use e2e::picker::ask::Client;
use e2e::picker::servers::Load;
use e2e::render::Scenario;
use serde_json::{Value, json};

/// Seconds, where nothing else happens.
const LIMIT: Duration = Duration::from_mins(4);

/// Longer than the shortened waits before replicas go: what has not happened by then does not happen.
const QUIET: Duration = Duration::from_secs(22);

/// The same of a model that may sleep.
const BEYOND_COOLDOWN: Duration = Duration::from_secs(35);

/// The real controllers of Kubernetes that scaling needs beside those of every stage.
const CONTROLLERS: &str = "deployment-controller,replicaset-controller,horizontal-pod-autoscaler-controller";

/// So many updates that no model makes Crossplane stop listening.
const ALL_EARS: core::Settings =
    core::Settings { circuit_breaker_burst: Some(2000), rights: core::Rights::Administrator };

#[tokio::test(flavor = "multi_thread")]
async fn models_follow_their_load() -> Result<()> {
    let settings = Settings { cast: Cast::AllButScaling, core: ALL_EARS, ..Settings::default() };
    let stage = Stage::start("scaling", settings).await?;
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
        outcome = world.all() => outcome,
        never = node.run(control_plane) => match never {},
    };
    outcome.map_err(|error| {
        let error = error.context(format!("--- node\n{}", node.trouble().join("\n")));
        keda.explain(prometheus.explain(stage.explain(error)))
    })
}

struct World<'a> {
    stage: &'a Stage,
    node: &'a Node,
    prometheus: &'a Prometheus,
}

impl World<'_> {
    async fn all(&self) -> Result<()> {
        tokio::try_join!(
            self.follows_its_queue(),
            self.follows_its_cache(),
            self.sleeps_and_wakes(),
            self.is_handed_over("VLLMRuntime"),
            self.is_handed_over("Deployment"),
        )
        .map(drop)
    }

    /// One to four and back, by the requests that wait in a `VLLMRuntime`'s engines; and blind it does not scale in.
    async fn follows_its_queue(&self) -> Result<()> {
        let model = self
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
        self.node.bear(&model.model.namespace, Load { waiting: 11.0, ..Load::default() });
        model.comes_to(4).await.context("by its queue")?;

        // It says something else while Prometheus looks for the first targets, and that has to be over.
        model.says("ScalingReady", "ScalerReady").await?;
        let metrics = format!("{}-metrics", model.name);
        model.is_unreadable_at(&metrics).await?;
        model.says("ScalingReady", "MetricsUnavailable").await?;
        self.node.bear(&model.model.namespace, Load::default());
        model.stays_at(4, QUIET).await.context("while nobody can scrape it")?;
        // Nothing waits where four can do what comes, and three could not.
        self.node.bear(&model.model.namespace, Load { waiting: 0.0, running: 8.0, kv_cache: 3.2 });
        self.node.show(&model.model.namespace, &metrics);
        model.says("ScalingReady", "ScalerReady").await?;
        model.stays_at(4, QUIET).await.context("while three would be full")?;
        self.node.bear(&model.model.namespace, Load::default());
        model.comes_to(1).await.context("without requests")
    }

    /// One to four and back, by the caches of a Deployment's engines.
    async fn follows_its_cache(&self) -> Result<()> {
        let model = self
            .model_scraped_by(
                "PodMonitor",
                "cache",
                "Deployment",
                &json!({
                    "minReplicas": 1, "maxReplicas": 4, "scaling": {"enabled": true, "metric": "kv-cache"},
                }),
            )
            .await?;
        model.comes_to(1).await?;
        model.only_waits_are_shorter().await?;
        // One cache is full, and so are two and three; of four each is filled to nearly 0.8.
        self.node.bear(&model.model.namespace, Load { waiting: 0.0, running: 8.0, kv_cache: 3.1 });
        model.comes_to(4).await.context("by its cache")?;
        model.is_watched().await?;
        self.node.bear(&model.model.namespace, Load { waiting: 0.0, running: 1.0, kv_cache: 0.2 });
        model.comes_to(1).await.context("with an empty cache")
    }

    /// To none when nobody asks, and back by a request, which the picker holds until there is a replica.
    async fn sleeps_and_wakes(&self) -> Result<()> {
        let model = self
            .model(
                "owl",
                "VLLMRuntime",
                &json!({
                    "minReplicas": 0, "maxReplicas": 2, "host": "owl.example.com",
                    "scaling": {"enabled": true, "coldStart": "10m"},
                }),
            )
            .await?;
        let namespace = &model.model.namespace;
        model.only_waits_are_shorter().await?;
        model.comes_to(0).await.context("when nobody asks")?;
        model.says("WorkloadReady", "ScaledToZero").await?;

        self.node.hold_pods(namespace);
        let picker = until("the picker is ready", LIMIT, async || {
            Ok(self.node.picker(namespace).ok_or_else(|| format!("{:?}", self.node.trouble())))
        })
        .await?;
        let client = Client::connect(picker).await?;
        let asked = Instant::now();
        let held =
            tokio::spawn(async move { client.ask(&[], &json!({"model": "m", "prompt": "hello"})).await });
        model.comes_to_want(1).await.context("by a request")?;
        let woken_in = asked.elapsed();
        ensure!(!held.is_finished(), "it was answered with no replica there");
        // What keeps it awake when the picker knows of no request any more.
        self.node.bear(namespace, Load { running: 1.0, ..Load::default() });
        self.node.start_pods(namespace);
        let answer = tokio::time::timeout(LIMIT, held).await.context("the request waits for ever")???;
        let endpoint = answer.endpoint()?.to_owned();
        let pods = self.stage.target().list("v1", "Pod", namespace).await?;
        let addresses = pods.iter().filter(|pod| is_engine(pod)).map(|pod| text(pod, "/status/podIP"));
        let addresses: Vec<&str> = addresses.collect();
        ensure!(
            addresses.len() == 1 && endpoint.starts_with(addresses[0]),
            "answered by {endpoint}, of {addresses:?}"
        );
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
            self.node.bear(namespace, Load { kv_cache: 0.001, ..Load::default() });
            model
                .stays_at(1, BEYOND_COOLDOWN)
                .await
                .with_context(|| format!("while nobody reads {service}"))?;
            self.node.show(namespace, &service);
        }
        model.comes_to(0).await.context("once it is known that nothing is to be done")?;
        model.is_watched().await
    }

    /// Scaling is switched on for a model with four replicas, its bounds are changed, and scaling is switched off.
    async fn is_handed_over(&self, backend: &str) -> Result<()> {
        let name = if backend == "Deployment" { "plain" } else { "live" };
        let model = self.model(name, backend, &json!({"minReplicas": 4, "maxReplicas": 6})).await?;
        let namespace = model.model.namespace.clone();
        model.comes_to(4).await?;
        let first = model.pods().await?;
        // Four are justified: three each.
        self.node.bear(&namespace, Load { waiting: 11.0, ..Load::default() });
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

        self.node.bear(&namespace, Load { waiting: 20.0, ..Load::default() });
        model.comes_to(7).await.context("beyond the former maximum")?;
        ensure!(model.pods().await?.is_superset(&first), "pods were replaced");
        self.node.bear(&namespace, Load::default());
        model.change(&scaled(2, 8)).await?;
        model.comes_to(2).await.context("down to a minimum that was raised")?;
        model.change(&json!({"minReplicas": 3, "maxReplicas": 8})).await?;
        // It may write once more before it goes, and is corrected then.
        until("the autoscaler is gone", LIMIT, async || {
            let left =
                self.stage.target().list("autoscaling/v2", "HorizontalPodAutoscaler", &namespace).await?;
            Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(model.state().await?) })
        })
        .await?;
        model.comes_to(3).await.context("with scaling off")?;
        model.stays_at(3, QUIET).await.context("with scaling off")
    }

    /// A model of its own in a namespace of its own.
    async fn model(&self, name: &str, backend: &str, spec: &Value) -> Result<Scaled<'_>> {
        self.model_scraped_by("ServiceMonitor", name, backend, spec).await
    }

    async fn model_scraped_by(
        &self,
        kind: &str,
        name: &str,
        backend: &str,
        spec: &Value,
    ) -> Result<Scaled<'_>> {
        let input = json!({
            "apiVersion": "inference.fn.crossplane.io/v1beta1",
            "kind": "ModelStack",
            "spec": {
                "workload": {"backend": backend},
                "prometheus": {"address": self.prometheus.url()},
                "monitoring": {"kind": kind, "interval": "1s", "rules": true},
                "endpointPicker": {"version": "v1.5.0"},
            },
        });
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
struct Scaled<'a> {
    stage: &'a Stage,
    node: &'a Node,
    prometheus: &'a Prometheus,
    backend: String,
    name: String,
    model: Model,
}

impl Scaled<'_> {
    fn target(&self) -> &Cluster {
        self.stage.target()
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
    async fn pods(&self) -> Result<BTreeSet<String>> {
        let pods = self.target().list("v1", "Pod", &self.model.namespace).await?;
        let ready = pods.iter().filter(|pod| is_engine(pod) && !text(pod, "/status/podIP").is_empty());
        Ok(ready.map(|pod| text(pod, "/metadata/uid").to_owned()).collect())
    }

    async fn state(&self) -> Result<String> {
        let live = self.model.live(self.stage.cluster()).await?;
        let model = self.model.state(self.stage.cluster(), &live).await?;
        let scaled = self.target().list("keda.sh/v1alpha1", "ScaledObject", &self.model.namespace).await?;
        let scaled: Vec<_> = scaled.iter().map(|scaled| scaled.pointer("/status/conditions")).collect();
        Ok(format!("{model}\nKEDA: {scaled:?}\nnode: {:?}", self.node.trouble()))
    }

    /// So many are wanted, and so many are ready.
    async fn comes_to(&self, count: u64) -> Result<()> {
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

    async fn comes_to_want(&self, count: u64) -> Result<()> {
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

    async fn stays_at(&self, count: u64, how_long: Duration) -> Result<()> {
        let end = Instant::now() + how_long;
        while Instant::now() < end {
            let wanted = self.wanted().await?;
            ensure!(wanted == Some(count), "{wanted:?} are wanted, not {count}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Looks all the time, and returns what is wrong when fewer are wanted or ready.
    async fn falls_below(&self, count: u64) -> Result<anyhow::Error> {
        loop {
            let (wanted, ready) = (self.wanted().await?, self.pods().await?.len());
            if wanted.is_none_or(|wanted| wanted < count) || u64::try_from(ready)? < count {
                let state = self.state().await?;
                return Ok(anyhow::anyhow!("{wanted:?} wanted and {ready} ready, not {count}\n{state}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn change(&self, spec: &Value) -> Result<()> {
        let mut xr = self.model.xr.clone();
        xr["spec"] = with_crossplane(&xr, spec);
        self.stage.cluster().apply(&xr, APPLICATION).await.map(drop)
    }

    async fn says(&self, kind: &str, reason: &str) -> Result<()> {
        until(&format!("{kind} of {} says {reason}", describe(&self.model.xr)), LIMIT, async || {
            let live = self.model.live(self.stage.cluster()).await?;
            let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
            let mut of_kind = conditions.into_iter().flatten().filter(|it| text(it, "/type") == kind);
            let seen = of_kind.next().cloned().unwrap_or_default();
            Ok(if text(&seen, "/reason") == reason {
                Look::Ok(())
            } else {
                Look::Err(format!("{seen}\n{}", self.state().await?))
            })
        })
        .await
    }

    /// Prometheus can read nothing any more of what a Service leads to, and knows. Replicas that come are no better.
    async fn is_unreadable_at(&self, service: &str) -> Result<()> {
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
    async fn is_watched(&self) -> Result<()> {
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
    async fn only_waits_are_shorter(&self) -> Result<()> {
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

fn is_engine(pod: &Value) -> bool {
    text(pod, "/spec/containers/0/name") == "vllm"
}

/// What every model has, and more.
fn merged(more: &Value) -> Value {
    let mut spec = json!({"model": "m", "providerConfigName": "gpu-cluster"});
    for (field, value) in more.as_object().cloned().unwrap_or_default() {
        e2e::files::set(&mut spec, &field, value);
    }
    spec
}

/// Another spec for a model that keeps its Composition.
fn with_crossplane(xr: &Value, spec: &Value) -> Value {
    let mut spec = merged(spec);
    spec["crossplane"] = xr["spec"]["crossplane"].clone();
    spec
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
