//! `production-stack.vllm.ai`: vllm-project/production-stack, operator 0.1.12.
//!
//! Left out on purpose: `deploymentStrategy` (the real CRD defaults it, a stub does not, and that difference tells
//! them apart), `lmCacheConfig` (present but off, the operator updates its Deployment for ever) and
//! `autoscalingConfig` (its triggers read a router that is not there).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorTerm, Toleration};
use serde::Serialize;

use super::Kind;

/// `VLLMRuntime`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VllmRuntimeSpec {
    /// What is served.
    pub model: Model,
    /// How.
    pub vllm_config: VllmConfig,
    /// Where, and how often.
    pub deployment_config: DeploymentConfig,
}

impl Kind for VllmRuntimeSpec {
    const API_VERSION: &'static str = "production-stack.vllm.ai/v1alpha1";
    const KIND: &'static str = "VLLMRuntime";
}

/// What is served.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// First positional argument of `vllm serve`.
    #[serde(rename = "modelURL")]
    pub model_url: String,
    /// Weight and activation type.
    pub dtype: String,
    /// Context length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_model_len: Option<i32>,
    /// Becomes `HF_TOKEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hf_token_secret: Option<TokenSecret>,
}

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenSecret {
    /// The Secret.
    pub hf_token_secret_name: String,
    /// The key.
    pub hf_token_key_name: String,
}

/// Engine settings. Absent booleans read as off, so they are always written.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VllmConfig {
    /// The V1 engine.
    pub v1: bool,
    /// Without it the picker's prefix scoring scores nothing.
    pub enable_prefix_caching: bool,
    /// Long prompts do not stall running ones.
    pub enable_chunked_prefill: bool,
    /// Above one GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tensor_parallel_size: Option<i32>,
    /// A string in the CRD.
    pub gpu_memory_utilization: String,
    /// The API port.
    pub port: i32,
    /// Appended after the generated arguments.
    pub extra_args: Vec<String>,
    /// Literal values only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
}

/// A literal environment variable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The Deployment that the operator makes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentConfig {
    /// Absent where an autoscaler owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// The engine image.
    pub image: Image,
    /// Requests and limits alike.
    pub resources: Resources,
    /// Absent = the CRD's default, `nvidia`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_class: Option<String>,
    /// Never empty: without it the operator panics at every steady-state reconcile.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
    /// Singular in the CRD.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub toleration: Vec<Toleration>,
    /// Carries the hash of what the operator does not watch.
    pub pod_annotations: BTreeMap<String, String>,
}

/// An image, split.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// Registry host.
    pub registry: String,
    /// Repository with tag.
    pub name: String,
    /// Written although it is the default: a stub CRD defaults nothing.
    pub pull_policy: &'static str,
}

/// Quantities, in the API server's canonical form: the operator compares them as text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// CPU.
    pub cpu: String,
    /// Memory.
    pub memory: String,
    /// GPUs.
    pub gpu: String,
    /// Written although it is the default: a stub CRD defaults nothing.
    pub gpu_type: &'static str,
}
