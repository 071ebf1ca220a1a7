//! `gateway.envoyproxy.io`: envoyproxy/gateway v1.7.0 to v1.9.0.

use serde::Serialize;

use super::Kind;
use super::gateway_api::PolicyTarget;

/// `EnvoyExtensionPolicy`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyExtensionPolicySpec {
    /// The routes it is about.
    pub target_refs: Vec<PolicyTarget>,
    /// Scripts that see a request before anything that Envoy asks about it.
    pub lua: Vec<Lua>,
}

impl Kind for EnvoyExtensionPolicySpec {
    const API_VERSION: &'static str = "gateway.envoyproxy.io/v1alpha1";
    const KIND: &'static str = "EnvoyExtensionPolicy";
}

/// A script.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lua {
    /// `Inline`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its text.
    pub inline: String,
}
