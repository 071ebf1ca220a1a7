//! `inference.networking.k8s.io` and its experimental sibling: kubernetes-sigs/gateway-api-inference-extension.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Kind;

/// The pool's group.
pub const GROUP: &str = "inference.networking.k8s.io";
/// The group of objectives and rewrites in the releases of the inference extension itself.
pub const EXPERIMENTAL_GROUP: &str = "inference.networking.x-k8s.io";
/// Their version there.
pub const EXPERIMENTAL_VERSION: &str = "v1alpha2";
/// Their group in the releases of llm-d/llm-d-router.
pub const LLM_D_GROUP: &str = "llm-d.ai";
/// The kind of a model's priority.
pub const INFERENCE_OBJECTIVE: &str = "InferenceObjective";
/// The kind that has requests ask for another model.
pub const INFERENCE_MODEL_REWRITE: &str = "InferenceModelRewrite";
/// The kind that routes refer to.
pub const INFERENCE_POOL: &str = "InferencePool";

/// `InferencePool`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InferencePoolSpec {
    /// Which pods.
    pub selector: PodSelector,
    /// Each port of each pod is one endpoint.
    pub target_ports: Vec<Port>,
    /// Who chooses among them.
    pub endpoint_picker_ref: EndpointPickerRef,
}

impl Kind for InferencePoolSpec {
    const API_VERSION: &'static str = "inference.networking.k8s.io/v1";
    const KIND: &'static str = INFERENCE_POOL;
}

/// Pods of the pool's namespace, by label.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSelector {
    /// All of these.
    pub match_labels: BTreeMap<String, String>,
}

/// A port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Port {
    /// 1 to 65535.
    pub number: u16,
}

/// The Endpoint Picker's Service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPickerRef {
    /// `""`, written although it is the default: a stub CRD defaults nothing.
    pub group: &'static str,
    /// `Service`, likewise.
    pub kind: &'static str,
    /// The Service's name.
    pub name: String,
    /// The Service's port.
    pub port: Port,
    /// `FailOpen` or `FailClose`.
    pub failure_mode: &'static str,
}

/// `InferenceObjective`, of the picker's group.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InferenceObjectiveSpec {
    /// Higher is served first; below zero may be dropped.
    pub priority: i32,
    /// The pool it speaks of.
    pub pool_ref: PoolRef,
}

/// A pool. The picker drops objectives whose group is not its own pool's, so the group is always written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PoolRef {
    /// Its group.
    pub group: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}
