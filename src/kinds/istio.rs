//! `networking.istio.io`: istio/api v1.31, in `v1` since v1.22.

use serde::Serialize;

use super::Kind;

/// `DestinationRule`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationRuleSpec {
    /// The Service.
    pub host: String,
    /// How it is asked.
    pub traffic_policy: TrafficPolicy,
}

impl Kind for DestinationRuleSpec {
    const API_VERSION: &'static str = "networking.istio.io/v1";
    const KIND: &'static str = "DestinationRule";
}

/// How a Service is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrafficPolicy {
    /// Encryption.
    pub tls: Tls,
}

/// Encryption towards a Service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// `SIMPLE`: TLS without a certificate of the client.
    pub mode: &'static str,
    /// Whether the Service's certificate goes unchecked.
    pub insecure_skip_verify: bool,
}
