//! `networking.gke.io`: GoogleCloudPlatform/gke-gateway-api v1.3.0.

use serde::Serialize;

use super::Kind;
use super::gateway_api::PolicyTarget;

const API_VERSION: &str = "networking.gke.io/v1";

/// `HealthCheckPolicy`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckPolicySpec {
    /// What it is about.
    pub target_ref: PolicyTarget,
    /// The policy.
    pub default: HealthCheck,
}

impl Kind for HealthCheckPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "HealthCheckPolicy";
}

/// When an endpoint is healthy.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// How often it is asked.
    pub check_interval_sec: u32,
    /// How long it may take to answer.
    pub timeout_sec: u32,
    /// How it is asked.
    pub config: HealthCheckConfig,
}

/// How an endpoint is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckConfig {
    /// `HTTP`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Over HTTP.
    pub http_health_check: HttpHealthCheck,
}

/// A health check over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpHealthCheck {
    /// The path.
    pub request_path: &'static str,
    /// `USE_FIXED_PORT`: later schemas refuse a port without it.
    pub port_specification: &'static str,
    /// The port of the endpoints.
    pub port: u16,
}

/// `GCPBackendPolicy`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GcpBackendPolicySpec {
    /// What it is about.
    pub target_ref: PolicyTarget,
    /// The policy.
    pub default: Backend,
}

impl Kind for GcpBackendPolicySpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "GCPBackendPolicy";
}

/// How a backend is treated.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// How long a request may take.
    pub timeout_sec: u64,
}
