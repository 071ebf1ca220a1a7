//! crossplane-inference v0.1.6: its XRD, its Composition, and a function that composes what its script does.
//!
//! The script is for crossplane-contrib/function-pythonic. Its place is taken by a function of this process, so that real
//! Crossplane composes: names, annotations, owner references, field managers and references are those that it writes.

use std::path::Path;

use anyhow::Result;
use e2e::controlplane::cluster::{Cluster, condition, text};
use e2e::controlplane::platform::{self, PLATFORM};
use e2e::controlplane::played::{Played, passed_on};
use e2e::controlplane::{ControlPlane, function};
use e2e::files::{set, yaml};
use function_inference::protocol::desired::Part;
use function_inference::protocol::view::{Ready, RunFunctionRequest, RunFunctionResponse};
use function_inference::protocol::{StructError, from_struct};
use serde_json::{Value, json};

/// What the Composition calls.
const FUNCTION: &str = "crossplane-contrib-function-pythonic";

/// The function, as it runs. It ends when dropped.
pub(super) struct Predecessor {
    _function: Played,
}

impl Predecessor {
    /// Starts the function and installs what calls it.
    pub(super) async fn install(control_plane: &ControlPlane) -> Result<Self> {
        let played = Played::start(control_plane, "predecessor", answer).await?;
        let cluster = &control_plane.cluster;
        function::make_known(cluster, FUNCTION, played.endpoint).await?;
        install(cluster).await?;
        Ok(Self { _function: played })
    }
}

async fn install(cluster: &Cluster) -> Result<()> {
    let file = |name: &str| {
        yaml(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/upgrade").join(name).with_extension("yaml"))
    };
    platform::install_xrd(cluster, &file("definition")?).await?;
    cluster.apply(&file("composition")?, PLATFORM).await.map(drop)
}

fn answer(request: &RunFunctionRequest) -> RunFunctionResponse {
    let mut response = passed_on(request);
    match desired(request) {
        Ok(part) => response.desired.push(part.encode()),
        Err(error) => {
            response.results.push(function_inference::protocol::view::Result::fatal(error.to_string()));
        }
    }
    response
}

fn desired(request: &RunFunctionRequest) -> Result<Part, StructError> {
    let xr: Value = from_struct(&request.observed_composite().unwrap_or_default())?;
    let observed = request.observed_resources();
    let mut part = Part::default();
    for (key, object) in composed(&xr) {
        let live = observed.get(key).and_then(|observed| observed.object()).unwrap_or_default();
        let is_ready = condition(&from_struct(&live)?, "Ready") == "True";
        part.resource(key, &object, if is_ready { Ready::True } else { Ready::False })?;
    }
    Ok(part)
}

/// What `python/composition.py` says, by composition-resource name.
fn composed(xr: &Value) -> Vec<(&'static str, Value)> {
    let spec = |field: &str| text(xr, &format!("/spec/{field}"));
    let name = text(xr, "/metadata/name");
    let namespace = match spec("targetNamespace") {
        "" => text(xr, "/metadata/namespace"),
        namespace => namespace,
    };
    let gpu = xr.pointer("/spec/gpu").and_then(Value::as_u64).unwrap_or(1);
    let wrapped = |manifest: Value| {
        json!({
            "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
            "kind": "Object",
            "spec": {
                "forProvider": {"manifest": manifest},
                "providerConfigRef": {"kind": "ProviderConfig", "name": spec("providerConfigName")},
            },
        })
    };

    let mut runtime = json!({
        "apiVersion": "production-stack.vllm.ai/v1alpha1",
        "kind": "VLLMRuntime",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"modelURL": spec("model"), "dtype": "auto"},
            "vllmConfig": {"gpuMemoryUtilization": "0.9"},
            "deploymentConfig": {
                "image": {"registry": "docker.io", "name": "lmcache/vllm-openai:v0.3.13"},
                "replicas": 1,
                "resources": {
                    "cpu": (2 * gpu).to_string(), "memory": format!("{}Gi", 8 * gpu), "gpu": gpu.to_string(),
                },
            },
        },
    });
    if gpu > 1 {
        set(&mut runtime, "spec.vllmConfig.tensorParallelSize", json!(gpu));
        let spawn = json!([{"name": "VLLM_WORKER_MULTIPROC_METHOD", "value": "spawn"}]);
        set(&mut runtime, "spec.vllmConfig.env", spawn);
    }
    let mut all = vec![("vllm_runtime", wrapped(runtime))];
    if !spec("ingressHost").is_empty() {
        let backend = json!({"service": {"name": name, "port": {"number": 80}}});
        let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
        all.push((
            "ingress",
            wrapped(json!({
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"rules": [{"host": spec("ingressHost"), "http": {"paths": [path]}}]},
            })),
        ));
    }
    all
}
