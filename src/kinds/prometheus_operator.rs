//! `monitoring.coreos.com`: prometheus-operator/prometheus-operator v0.93.

use std::collections::BTreeMap;

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
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Name of the Service's port.
    pub port: &'static str,
    /// Path.
    pub path: &'static str,
    /// How often.
    pub interval: String,
    /// What Prometheus shows there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
}

/// Credentials for a scraped port.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Authorization {
    /// `Bearer`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// A key of a Secret in the monitor's namespace.
    pub credentials: SecretKeySelector,
}

/// A key of a Secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SecretKeySelector {
    /// The Secret.
    pub name: String,
    /// The key.
    pub key: &'static str,
}

/// `PodMonitor`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodMonitorSpec {
    /// Which pods of its namespace.
    pub selector: LabelSelector,
    /// What is scraped.
    pub pod_metrics_endpoints: Vec<PodMetricsEndpoint>,
}

impl Kind for PodMonitorSpec {
    const API_VERSION: &'static str = "monitoring.coreos.com/v1";
    const KIND: &'static str = "PodMonitor";
}

/// One scraped port of a pod.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PodMetricsEndpoint {
    /// Name of a container's port.
    pub port: &'static str,
    /// Path.
    pub path: &'static str,
    /// How often.
    pub interval: String,
    /// What Prometheus shows there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization: Option<Authorization>,
    /// Labels of every series.
    pub relabelings: Vec<Relabeling>,
}

/// A label that is written on every target.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Relabeling {
    /// `replace`.
    pub action: &'static str,
    /// The label, as Prometheus spells it.
    pub target_label: String,
    /// Its value.
    pub replacement: String,
}

/// `PrometheusRule`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrometheusRuleSpec {
    /// What is evaluated together.
    pub groups: Vec<RuleGroup>,
}

impl Kind for PrometheusRuleSpec {
    const API_VERSION: &'static str = "monitoring.coreos.com/v1";
    const KIND: &'static str = "PrometheusRule";
}

/// Rules that are evaluated together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleGroup {
    /// Its name.
    pub name: String,
    /// One after the other.
    pub rules: Vec<AlertingRule>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertingRule {
    /// Its name.
    pub alert: &'static str,
    /// Raised for each element that this gives.
    pub expr: String,
    /// For how long it has to be there first.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<String>,
    /// What routes it.
    pub labels: BTreeMap<String, String>,
    /// What people read.
    pub annotations: BTreeMap<&'static str, String>,
}
