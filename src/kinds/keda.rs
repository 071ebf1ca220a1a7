//! `keda.sh`: kedacore/keda v2.19 and newer.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use serde::Serialize;

use super::Kind;

/// `ScaledObject`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaledObjectSpec {
    /// What is scaled.
    pub scale_target_ref: ScaleTargetRef,
    /// Least replicas.
    pub min_replica_count: u32,
    /// Most replicas.
    pub max_replica_count: u32,
    /// Only where it means something: KEDA warns about it above zero replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polling_interval: Option<u32>,
    /// How long all triggers are quiet before the last step to zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown_period: Option<u32>,
    /// The same for a new object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_cooldown_period: Option<u32>,
    /// What happens while a trigger cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// The `HorizontalPodAutoscaler` below it.
    pub advanced: Advanced,
    /// The highest demand wins.
    pub triggers: Vec<Trigger>,
}

impl Kind for ScaledObjectSpec {
    const API_VERSION: &'static str = "keda.sh/v1alpha1";
    const KIND: &'static str = "ScaledObject";
}

/// A resource with a scale subresource.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScaleTargetRef {
    /// `group/version`.
    pub api_version: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

/// What happens while a trigger cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fallback {
    /// After how many failures in a row.
    pub failure_threshold: u32,
    /// How many replicas then.
    pub replicas: u32,
    /// How `replicas` is meant.
    pub behavior: &'static str,
}

/// Settings of the `HorizontalPodAutoscaler`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advanced {
    /// Its name and behaviour.
    pub horizontal_pod_autoscaler_config: HorizontalPodAutoscalerConfig,
}

/// Name and behaviour of the `HorizontalPodAutoscaler`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HorizontalPodAutoscalerConfig {
    /// Its name.
    pub name: String,
    /// Its behaviour.
    pub behavior: HorizontalPodAutoscalerBehavior,
}

/// A Prometheus trigger.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trigger {
    /// `prometheus`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Unique in the object.
    pub name: &'static str,
    /// `AverageValue` or `Value`.
    pub metric_type: &'static str,
    /// What is asked, and of whom.
    pub metadata: PrometheusMetadata,
    /// Credentials for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_ref: Option<AuthenticationRef>,
}

/// Where credentials are found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuthenticationRef {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static str,
}

/// Every value is a string: the CRD knows no other.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusMetadata {
    /// Where Prometheus answers.
    pub server_address: String,
    /// Must give exactly one element.
    pub query: String,
    /// Per replica.
    pub threshold: String,
    /// Active means above this, not at it.
    pub activation_threshold: String,
    /// Whether "nothing" reads as zero.
    pub ignore_null_values: String,
    /// How credentials are used, separated by commas. Without it they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_modes: Option<String>,
}
