//! The operator of vllm-project/production-stack, as far as our objects can feel it.
//!
//! Follows `operator/internal/controller/vllmruntime_controller.go` step by step, with what is odd in it. Left out is
//! what no object of ours asks for: volumes, chat templates, sidecars, `LMCache` and its own autoscaling; and probes,
//! which nobody here runs.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::{all, count, list, tell};
use crate::controlplane::cluster::{Cluster, describe, is_missing, text};
use crate::controlplane::crds;
use crate::files::set;

const API_VERSION: &str = "production-stack.vllm.ai/v1alpha1";
const KIND: &str = "VLLMRuntime";

/// More steps than a reconcile can need: an operator that goes on for ever shall not keep others from their work.
const STEPS: usize = 5;

/// Which build of the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Release {
    /// Tag 0.1.12.
    #[default]
    Of0_1_12,
    /// The build of December 2025, which crossplane-kubernetes 2.0 installs with stub CRDs. It knows nothing of nodes,
    /// runtime classes and annotations of pods, and counts nothing in its status.
    OfDecember2025,
}

impl Release {
    /// What it finds its runtimes defined by.
    pub fn crds(self) -> Result<Vec<Value>> {
        match self {
            Self::Of0_1_12 => crds::vllm_runtime(),
            Self::OfDecember2025 => crds::vllm_runtime_stub(),
        }
    }
}

/// What the operator remembers.
#[derive(Debug)]
pub(super) struct Operator {
    release: Release,
    /// By UID: the versions of a runtime and of its Deployment that need no other look.
    settled: BTreeMap<String, Versions>,
}

type Versions = [String; 2];

/// What a step of a reconcile ends in.
enum Step {
    /// Something was written: from the start again.
    Again,
    /// All is as it should be.
    Done,
}

impl Operator {
    pub(super) fn new(release: Release) -> Self {
        Self { release, settled: BTreeMap::new() }
    }

    /// Looks at every runtime.
    pub(super) async fn play(&mut self, cluster: &Cluster) -> Result<()> {
        let mut trouble = Vec::new();
        for runtime in all(cluster, API_VERSION, KIND).await? {
            if let Err(error) = self.reconcile(cluster, &runtime).await {
                trouble.push(format!("{}: {error:#}", describe(&runtime)));
            }
        }
        if trouble.is_empty() { Ok(()) } else { bail!("{}", trouble.join("; ")) }
    }

    async fn reconcile(&mut self, cluster: &Cluster, runtime: &Value) -> Result<()> {
        for _ in 0..STEPS {
            if let Step::Done = self.step(cluster, runtime).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn step(&mut self, cluster: &Cluster, runtime: &Value) -> Result<Step> {
        let wanted = service(runtime);
        let Some(live) = cluster.get(&wanted).await? else {
            cluster.create(&wanted).await.context("cannot create the Service")?;
            return Ok(Step::Again);
        };
        // Other parts of it are never looked at.
        let port = "/spec/ports/0/targetPort";
        if live.pointer(port) != wanted.pointer(port) {
            cluster.replace(&wanted).await.context("cannot update the Service")?;
            return Ok(Step::Again);
        }

        let wanted = self.deployment(runtime);
        let Some(live) = cluster.get(&wanted).await? else {
            cluster.create(&wanted).await.context("cannot create the Deployment")?;
            return Ok(Step::Again);
        };
        if self.needs_update(&live, &wanted, runtime)? {
            // The selector cannot change, so a label that was added since is the end of all updates.
            cluster.replace(&wanted).await.context("cannot update the Deployment")?;
            return Ok(Step::Again);
        }
        if self.release == Release::Of0_1_12 {
            delete_stale_scaled_object(cluster, runtime).await?;
        }
        self.update_status(cluster, runtime, &live).await?;
        Ok(Step::Done)
    }

    /// What it makes of a runtime. Fields that are not there are read as Go reads them: empty, off and 0.
    fn deployment(&self, runtime: &Value) -> Value {
        let labels = labels(runtime);
        let spec = |pointer: &str| text(runtime, &format!("/spec{pointer}"));
        let config = |field: &str| runtime.pointer(&format!("/spec/deploymentConfig/{field}"));
        let resources = resources(runtime);
        let pull_policy = match spec("/deploymentConfig/image/pullPolicy") {
            "" => "IfNotPresent",
            policy => policy,
        };
        let image =
            format!("{}/{}", spec("/deploymentConfig/image/registry"), spec("/deploymentConfig/image/name"));
        let container = json!({
            "name": "vllm",
            "image": image,
            "imagePullPolicy": pull_policy,
            "command": ["/opt/venv/bin/vllm", "serve"],
            "args": arguments(runtime),
            "env": environment(runtime),
            "ports": [{"name": "http", "containerPort": port(runtime)}],
            "resources": {"requests": resources, "limits": resources},
        });
        let mut pod = json!({"containers": [container]});
        let mut annotations = Value::Null;
        if self.release == Release::Of0_1_12 {
            set(&mut pod, "runtimeClassName", json!(spec("/deploymentConfig/runtimeClass")));
            set(&mut pod, "tolerations", config("toleration").cloned().unwrap_or_default());
            if let Some(terms) = config("nodeSelectorTerms") {
                const TERMS: &str =
                    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
                set(&mut pod, TERMS, terms.clone());
            }
            annotations = config("podAnnotations").cloned().unwrap_or_default();
        }
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(runtime),
            "spec": {
                "replicas": replicas(runtime),
                "strategy": {"type": spec("/deploymentConfig/deploymentStrategy")},
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": pod},
            },
        })
    }

    /// Compares what it compares, in its order. Arguments and environment are not among that.
    fn needs_update(&self, live: &Value, wanted: &Value, runtime: &Value) -> Result<bool> {
        const POD: &str = "/spec/template/spec";
        let differs = |pointer: &str| live.pointer(pointer) != wanted.pointer(pointer);
        let pod_differs = |pointer: &str| differs(&format!("{POD}{pointer}"));
        if differs("/spec/replicas")
            || ["args/0", "ports/0/containerPort", "image", "resources"]
                .into_iter()
                .any(|field| pod_differs(&format!("/containers/0/{field}")))
            || cache_differs(runtime)
        {
            return Ok(true);
        }
        if self.release == Release::OfDecember2025 {
            return Ok(false);
        }
        let affinity = format!("{POD}/affinity");
        if [live, wanted].into_iter().any(|deployment| deployment.pointer(&affinity).is_none()) {
            // Recovered by controller-runtime, and tried again later: this is as far as it gets.
            bail!("panic: invalid memory address or nil pointer dereference, at the pod's node affinity");
        }
        let or_null = |deployment: &Value, field: &str| {
            deployment.pointer(&format!("{POD}/{field}")).cloned().unwrap_or_default()
        };
        let annotations = wanted.pointer("/spec/template/metadata/annotations").and_then(Value::as_object);
        let lacks_annotation = annotations.into_iter().flatten().any(|(key, value)| {
            let live = live.pointer("/spec/template/metadata/annotations").and_then(|live| live.get(key));
            live != Some(value)
        });
        Ok(pod_differs("/affinity/nodeAffinity")
            || or_null(live, "tolerations") != or_null(wanted, "tolerations")
            || pod_differs("/runtimeClassName")
            || lacks_annotation)
    }

    /// Writes the time at every reconcile, and whoever writes is told of it and reconciles again: within the same
    /// second that changes nothing, and then it rests until the runtime or the Deployment changes.
    async fn update_status(&mut self, cluster: &Cluster, runtime: &Value, deployment: &Value) -> Result<()> {
        let version = |object: &Value| text(object, "/metadata/resourceVersion").to_owned();
        let uid = text(runtime, "/metadata/uid");
        let [now, of_deployment] = [version(runtime), version(deployment)];
        if self.settled.get(uid).is_some_and(|settled| *settled == [now, of_deployment.clone()]) {
            return Ok(());
        }
        tell(cluster, runtime, &self.status(deployment)).await?;
        if let Some(written) = cluster.get(runtime).await? {
            self.settled.insert(uid.to_owned(), [version(&written), of_deployment]);
        }
        Ok(())
    }

    fn status(&self, deployment: &Value) -> Value {
        let number = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let [available, updated, unavailable] =
            ["available", "updated", "unavailable"].map(|kind| number(&format!("/status/{kind}Replicas")));
        let all_available = available == number("/spec/replicas");
        let model_status = if all_available && unavailable == 0 {
            "Ready"
        } else if updated > 0 && !all_available && unavailable > 0 {
            "Updating"
        } else if unavailable > 0 {
            "NotReady"
        } else {
            "Unknown"
        };
        let last_updated = format!("{:.0}", Timestamp::now());
        match self.release {
            Release::OfDecember2025 => json!({"modelStatus": model_status, "lastUpdated": last_updated}),
            Release::Of0_1_12 => json!({
                "modelStatus": model_status,
                "lastUpdated": last_updated,
                "replicas": count(number("/status/replicas")),
                "availableReplicas": count(available),
                "updatedReplicas": count(updated),
                "unavailableReplicas": count(unavailable),
                "selector": selector(deployment),
            }),
        }
    }
}

/// While its own autoscaling is off, whatever has the name that it would give to a `ScaledObject` is stale.
async fn delete_stale_scaled_object(cluster: &Cluster, runtime: &Value) -> Result<()> {
    let stale = json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {
            "name": format!("{}-scaledobject", text(runtime, "/metadata/name")),
            "namespace": text(runtime, "/metadata/namespace"),
        },
    });
    match cluster.delete(&stale).await {
        Err(error) if is_missing(&error) => Ok(()),
        outcome => outcome,
    }
}

fn service(runtime: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(runtime),
        "spec": {
            "type": "ClusterIP",
            "selector": labels(runtime),
            "ports": [{"name": "http", "port": 80, "targetPort": port(runtime), "protocol": "TCP"}],
        },
    })
}

/// Both carry the runtime's name, and go with it.
fn metadata(runtime: &Value) -> Value {
    let name = text(runtime, "/metadata/name");
    json!({
        "name": name,
        "namespace": text(runtime, "/metadata/namespace"),
        "ownerReferences": [{
            "apiVersion": API_VERSION, "kind": KIND, "name": name, "uid": text(runtime, "/metadata/uid"),
            "controller": true, "blockOwnerDeletion": true,
        }],
    })
}

/// Every label of the runtime is one of its pods and a part of what selects them.
fn labels(runtime: &Value) -> BTreeMap<String, Value> {
    let own = ("app".to_owned(), json!(text(runtime, "/metadata/name")));
    let others = runtime.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default();
    std::iter::once(own).chain(others).collect()
}

/// `key=value` in order, separated by commas.
fn selector(deployment: &Value) -> String {
    let labels = deployment.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs =
        labels.into_iter().flatten().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")));
    pairs.collect::<Vec<_>>().join(",")
}

fn number(runtime: &Value, pointer: &str) -> i64 {
    runtime.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn port(runtime: &Value) -> i64 {
    number(runtime, "/spec/vllmConfig/port")
}

fn replicas(runtime: &Value) -> i64 {
    number(runtime, "/spec/deploymentConfig/replicas")
}

fn arguments(runtime: &Value) -> Vec<String> {
    let flag =
        |field: &str| runtime.pointer(&format!("/spec/vllmConfig/{field}")) == Some(&Value::Bool(true));
    let mut arguments: Vec<String> = vec![text(runtime, "/spec/model/modelURL").to_owned()];
    arguments.extend(["--host", "0.0.0.0", "--port"].map(str::to_owned));
    arguments.push(port(runtime).to_string());
    for (field, name) in
        [("enableChunkedPrefill", "enable-chunked-prefill"), ("enablePrefixCaching", "enable-prefix-caching")]
    {
        arguments.push(if flag(field) { format!("--{name}") } else { format!("--no-{name}") });
    }
    let mut given = |name: &str, value: String| {
        if !value.is_empty() && value != "0" {
            arguments.extend([name.to_owned(), value]);
        }
    };
    given("--max-model-len", number(runtime, "/spec/model/maxModelLen").to_string());
    given("--dtype", text(runtime, "/spec/model/dtype").to_owned());
    given("--tensor-parallel-size", number(runtime, "/spec/vllmConfig/tensorParallelSize").to_string());
    given("--gpu_memory_utilization", text(runtime, "/spec/vllmConfig/gpuMemoryUtilization").to_owned());
    let extra = list(runtime, "/spec/vllmConfig/extraArgs").filter_map(Value::as_str);
    arguments.extend(extra.map(str::to_owned));
    arguments
}

fn environment(runtime: &Value) -> Vec<Value> {
    let v1 = runtime.pointer("/spec/vllmConfig/v1") == Some(&Value::Bool(true));
    let mut environment = vec![json!({"name": "VLLM_USE_V1", "value": if v1 { "1" } else { "0" }})];
    environment.extend(list(runtime, "/spec/vllmConfig/env").cloned());
    let secret = |field: &str| text(runtime, &format!("/spec/model/hfTokenSecret/{field}"));
    if !secret("hfTokenSecretName").is_empty() {
        let reference = json!({"name": secret("hfTokenSecretName"), "key": secret("hfTokenKeyName")});
        environment.push(json!({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}}));
    }
    environment
}

/// Requests and limits alike, as they are written. What the API server stores is their canonical form, and a quantity
/// that was written otherwise differs from it at every look.
fn resources(runtime: &Value) -> BTreeMap<&str, &str> {
    let given = |field: &str| text(runtime, &format!("/spec/deploymentConfig/resources/{field}"));
    let gpu = match given("gpuType") {
        "" => "nvidia.com/gpu",
        kind => kind,
    };
    let quantities = [("cpu", given("cpu")), ("memory", given("memory")), (gpu, given("gpu"))];
    quantities.into_iter().filter(|(_, quantity)| !quantity.is_empty()).collect()
}

/// `LMCache`'s sizes are compared with variables that are only set while it is on, and the CRD gives them defaults as
/// soon as anything is said about it.
fn cache_differs(runtime: &Value) -> bool {
    let sizes = ["cpuOffloadingBufferSize", "diskOffloadingBufferSize"];
    sizes.into_iter().any(|field| !text(runtime, &format!("/spec/lmCacheConfig/{field}")).is_empty())
}
