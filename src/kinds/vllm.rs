//! `production-stack.vllm.ai`: vllm-project/production-stack, operator 0.1.5 to 0.1.12.
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
    /// The key in it, before 0.1.10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hf_token_name: Option<String>,
}

/// A Secret, and from 0.1.10 on the key in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TokenSecret {
    /// From 0.1.10 on.
    #[serde(rename_all = "camelCase")]
    WithKey {
        /// The Secret.
        hf_token_secret_name: String,
        /// The key.
        hf_token_key_name: String,
    },
    /// Before.
    Named {
        /// The Secret.
        name: String,
    },
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
    /// From 0.1.9 on, and then never empty: without it the operator panics at every steady-state reconcile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector_terms: Option<Vec<NodeSelectorTerm>>,
    /// Singular in the CRD.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub toleration: Vec<Toleration>,
    /// From 0.1.12 on. Carries the hash of what the operator does not watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_annotations: Option<BTreeMap<String, String>>,
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
    /// From 0.1.10 on. Written although it is the default: a stub CRD defaults nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_type: Option<&'static str>,
}
