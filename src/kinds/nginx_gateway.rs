//! `gateway.nginx.org`: nginx/nginx-gateway-fabric v2.6, the first release whose policy has timeouts.

use serde::Serialize;

use super::Kind;
use super::gateway_api::PolicyTarget;

/// `ProxySettingsPolicy`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxySettingsPolicySpec {
    /// The routes it is about.
    pub target_refs: Vec<PolicyTarget>,
    /// Whether answers are kept back.
    pub buffering: Buffering,
    /// How long NGINX waits.
    pub timeout: Timeout,
}

impl Kind for ProxySettingsPolicySpec {
    const API_VERSION: &'static str = "gateway.nginx.org/v1alpha1";
    const KIND: &'static str = "ProxySettingsPolicy";
}

/// Whether answers are kept back until they fill a buffer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Buffering {
    /// They are not.
    pub disable: bool,
}

/// How long NGINX waits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeout {
    /// For the next piece of an answer.
    pub read: String,
}
