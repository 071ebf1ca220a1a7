//! Every decision about one model stack, made once. Families in `compose` read it; nobody changes it.
//!
//! May read `api::Settings` and `observe`; knows nothing of protobuf, JSON or provider-kubernetes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::api::settings::{Delivery, FailureMode, GatewayRef, Model, Ttl};
use crate::api::{Duration, Host, ModelName, Namespace};

pub mod keys;
pub mod names;

/// One model stack, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// `<composite namespace>/<composite name>`: the owner mark.
    pub owner: String,
    /// The stem of every name.
    pub name: ModelName,
    /// Where everything lands.
    pub namespace: Namespace,
    /// How it gets there.
    pub delivery: Delivery,
    /// Platform labels, for all but `VLLMRuntime`.
    pub labels: BTreeMap<String, String>,
    /// Platform annotations, for all but `VLLMRuntime`.
    pub annotations: BTreeMap<String, String>,
    /// The model servers.
    pub workload: WorkloadPlan,
    /// Present where the engines are scraped.
    pub monitoring: Option<MonitoringPlan>,
    /// Present where requests come through a Gateway.
    pub routing: Option<RoutingPlan>,
    /// The autoscaler, or why there is none.
    pub scaling: ScalingPlan,
    /// Whether the engines get a `PodDisruptionBudget`.
    pub disruption_budget: bool,
    /// The Ingress of `ingressHost`.
    pub ingress: IngressPlan,
    /// How soon Crossplane asks again.
    pub ttl: Ttl,
}

/// The model servers.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadPlan {
    /// Model and engine as asked for.
    pub model: Model,
    /// `None` where the autoscaler owns the field.
    pub replicas: Option<u32>,
    /// Registry and repository with tag.
    pub image: Image,
    /// Canonical CPU quantity.
    pub cpu: String,
    /// Canonical memory quantity.
    pub memory: String,
}

/// An image reference, split as `VLLMRuntime` wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `docker.io`, say.
    pub registry: String,
    /// `lmcache/vllm-openai:v0.3.13`, say.
    pub name: String,
}

/// Scraping.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitoringPlan {
    /// Labels that make Prometheus select the monitors.
    pub labels: BTreeMap<String, String>,
    /// Scrape interval.
    pub interval: Duration,
    /// Whether the picker is scraped too.
    pub picker: bool,
}

/// Routing.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingPlan {
    /// The hostname that selects this model.
    pub host: Host,
    /// The Gateway.
    pub gateway: GatewayRef,
    /// `timeouts.request` of the route, hold time included.
    pub request_timeout: Duration,
    /// How long the implementation can hold a request.
    pub hold_limit: Option<Duration>,
    /// Whether the implementation lets us name the objective before the picker reads the headers.
    pub priority_enforced: bool,
    /// The picker.
    pub picker: PickerPlan,
}

/// The Endpoint Picker.
#[derive(Debug, Clone, PartialEq)]
pub struct PickerPlan {
    /// The release's rules.
    pub release: endpoint_picker::Release,
    /// Full image reference.
    pub image: String,
    /// Container resources.
    pub resources: ResourceRequirements,
    /// What the gateway does when the picker does not answer.
    pub failure_mode: FailureMode,
    /// Whether requests wait in the picker.
    pub flow_control: bool,
}

/// The autoscaler, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum ScalingPlan {
    /// Not asked for.
    Off,
    /// Composed.
    On(ScaledObjectPlan),
    /// Asked for, but it would do harm today.
    Withheld(Withheld),
}

/// Why a `ScaledObject` that was asked for is not composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// This function owns the live workload's replicas; dropping the field would reset it to 1.
    HandoverPending,
    /// The workload stands on a stub CRD, where a missing count means no pods.
    TargetNotScalable,
}

/// A `ScaledObject`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledObjectPlan {
    /// `minReplicaCount`.
    pub min: u32,
    /// `maxReplicaCount`.
    pub max: u32,
    /// Present where the model may sleep.
    pub zero: Option<ZeroPlan>,
    /// Whether requests for a sleeping model are held (routing is on).
    pub wakes: bool,
    /// Where KEDA asks.
    pub prometheus_address: String,
    /// At least one.
    pub triggers: Vec<Trigger>,
}

/// Durations of a model that may sleep, all derived from `coldStart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroPlan {
    /// How long a request is held for a model that wakes: its cold start.
    pub hold_seconds: u32,
    /// `pollingInterval`.
    pub polling_interval_seconds: u32,
    /// `cooldownPeriod`.
    pub cooldown_seconds: u32,
    /// `initialCooldownPeriod`.
    pub initial_cooldown_seconds: u32,
}

/// One Prometheus trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Unique in the `ScaledObject`.
    pub name: &'static str,
    /// `PromQL`, one element.
    pub query: String,
    /// Per replica.
    pub threshold: f64,
}

/// The Ingress of `ingressHost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IngressPlan {
    /// None.
    Absent,
    /// `ingressHost` asks for it.
    Wanted(String),
    /// `ingressHost` is gone, but the route that replaces it is not accepted yet.
    Kept(String),
}

pub mod endpoint_picker;
