//! `aigateway.envoyproxy.io`: envoyproxy/ai-gateway v0.5.0 to v1.1.0.

use serde::Serialize;

use super::Kind;
use super::gateway_api::{BackendRef, HeaderMatch, ParentRef, Timeouts};

/// `AIGatewayRoute`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AiGatewayRouteSpec {
    /// The Gateways it attaches to.
    pub parent_refs: Vec<ParentRef>,
    /// The hostnames that select it; releases before v0.7.0 know no such field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// What happens to a request.
    pub rules: Vec<Rule>,
}

/// `v1alpha1` is what v0.5.0 serves, and v1.1.0 still does; `v1beta1` came with v0.6.0.
impl Kind for AiGatewayRouteSpec {
    const API_VERSION: &'static str = "aigateway.envoyproxy.io/v1alpha1";
    const KIND: &'static str = "AIGatewayRoute";
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Any of these.
    pub matches: Vec<Match>,
    /// Where the request goes: one pool.
    pub backend_refs: Vec<BackendRef>,
    /// How long it may take.
    pub timeouts: Timeouts,
}

/// One match.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Match {
    /// All of these.
    pub headers: Vec<HeaderMatch>,
}
