//! `monitoring.coreos.com`: prometheus-operator/prometheus-operator v0.93.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;

use super::Kind;

/// `ServiceMonitor`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMonitorSpec {
    /// Which Services of its namespace.
    pub selector: LabelSelector,
    /// Service labels that are copied to every series.
    pub target_labels: Vec<String>,
    /// What is scraped.
    pub endpoints: Vec<Endpoint>,
}

impl Kind for ServiceMonitorSpec {
    const API_VERSION: &'static str = "monitoring.coreos.com/v1";
    const KIND: &'static str = "ServiceMonitor";
}

/// One scraped port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Endpoint {
    /// Name of the Service's port.
    pub port: &'static str,
    /// Path.
    pub path: &'static str,
    /// How often.
    pub interval: String,
}
