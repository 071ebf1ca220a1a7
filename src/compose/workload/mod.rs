//! The model servers, on either backend.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::WORKER_METHOD_ENV;
use crate::api::settings::Model;
use crate::kinds::replicas::{Count, ReplicasSpec};
use crate::kinds::vllm::VllmRuntimeSpec;
use crate::kinds::{APPS_API_VERSION, DEPLOYMENT, Kind, Manifest, Resource};
use crate::plan::keys::Key;
use crate::plan::{BackendPlan, Plan};

mod deployment;
mod vllm_runtime;

pub(super) use deployment::{deployment, service};

/// What every replica is told whatever runs it: the fraction of a GPU's memory that the engine takes.
const GPU_MEMORY_UTILIZATION: &str = "0.9";
/// CUDA cannot be initialised again in a forked worker.
const SPAWN: (&str, &str) = (WORKER_METHOD_ENV, "spawn");
/// vLLM images are built for Linux, so that much is always asked of a node.
const LINUX: (&str, &str) = ("kubernetes.io/os", "linux");
/// The resource that GPUs are counted by.
const GPU: &str = "nvidia.com/gpu";

/// The names that the engine answers to, the first of which it calls itself in answers and metrics.
///
/// One name is one token, since the vLLM operator looks for the flag in that form; two have to be tokens of their own,
/// and a flag has to follow (vllm-project/vllm v0.13, `vllm/entrypoints/openai/cli_args.py`: `nargs`).
fn served_names(model: &Model) -> Vec<String> {
    let Model { served_name, alias, .. } = model;
    match alias {
        None => vec![format!("--served-model-name={served_name}")],
        Some(alias) => vec!["--served-model-name".to_owned(), served_name.clone(), alias.clone()],
    }
}

/// API version and kind of the model servers' own object.
pub(super) fn workload_kind(plan: &Plan) -> (&'static str, &'static str) {
    match plan.workload.backend {
        BackendPlan::VllmRuntime { .. } => (VllmRuntimeSpec::API_VERSION, VllmRuntimeSpec::KIND),
        BackendPlan::Deployment(_) => (APPS_API_VERSION, DEPLOYMENT),
    }
}

/// The model servers.
pub(super) fn model_servers(plan: &Plan, key: Key) -> Option<Manifest> {
    match (&plan.workload.backend, key) {
        (BackendPlan::VllmRuntime { operator, image }, Key::VllmRuntime) => {
            Some(vllm_runtime::vllm_runtime(plan, *operator, image).into())
        }
        (BackendPlan::Deployment(decided), Key::ModelDeployment) => Some(deployment(plan, decided).into()),
        (BackendPlan::Deployment(_), Key::ModelService) => Some(service(plan).into()),
        (BackendPlan::VllmRuntime { .. } | BackendPlan::Deployment(_), _) => None,
    }
}

/// The model servers again, under a field manager of its own that holds the replica count while the other lets go of it.
///
/// Nothing else, not even the owner mark: what two managers apply, neither can take away.
pub(super) fn replicas(plan: &Plan, count: u32) -> Resource<ReplicasSpec> {
    let (api_version, kind) = workload_kind(plan);
    let (namespace, name) = plan.place_of(Key::ReplicasHandover);
    Resource::of(
        api_version,
        kind,
        ObjectMeta { name: Some(name), namespace, ..ObjectMeta::default() },
        match plan.workload.backend {
            BackendPlan::VllmRuntime { .. } => {
                ReplicasSpec::VllmRuntime { deployment_config: Count { replicas: count } }
            }
            BackendPlan::Deployment(_) => ReplicasSpec::Deployment(Count { replicas: count }),
        },
    )
}
