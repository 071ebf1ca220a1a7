//! The foreign objects that we emit: one file per API group, only the fields we use.
//!
//! Kinds of Kubernetes itself come from `k8s-openapi`. Nothing here decides anything.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

pub mod agentgateway;
pub mod ai_gateway;
pub mod envoy_gateway;
pub mod gateway_api;
pub mod gke;
pub mod inference;
pub mod istio;
pub mod keda;
pub mod nginx_gateway;
pub mod picker_config;
pub mod prometheus_operator;
pub mod provider_helm;
pub mod provider_kubernetes;
pub mod replicas;
pub mod vllm;

/// Group and version of `Deployment`.
pub const APPS_API_VERSION: &str = "apps/v1";
/// A `Deployment`.
pub const DEPLOYMENT: &str = "Deployment";

/// What makes a `spec` a kind.
pub trait Kind {
    /// `group/version`.
    const API_VERSION: &'static str;
    /// `CamelCase`.
    const KIND: &'static str;
}

/// A resource of a kind that `k8s-openapi` does not know.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<S> {
    api_version: &'static str,
    kind: &'static str,
    /// Name, namespace, labels and annotations.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: S,
}

impl<S> Resource<S> {
    /// A resource of a kind that several groups have.
    pub fn of(api_version: &'static str, kind: &'static str, metadata: ObjectMeta, spec: S) -> Self {
        Self { api_version, kind, metadata, spec }
    }
}

impl<S: Kind> Resource<S> {
    /// A resource of `S`'s kind.
    pub fn new(metadata: ObjectMeta, spec: S) -> Self {
        Self { api_version: S::API_VERSION, kind: S::KIND, metadata, spec }
    }
}

/// An object that somebody else keeps: its identity and nothing more.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Foreign {
    /// `group/version`.
    pub api_version: &'static str,
    /// `CamelCase`.
    pub kind: &'static str,
    /// Name and namespace.
    pub metadata: ObjectMeta,
}

/// Every kind that a model stack can contain.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is named after its kind, but for what is only looked at")]
pub enum Manifest {
    AiGatewayRoute(Box<Resource<ai_gateway::AiGatewayRouteSpec>>),
    ClusterRole(Box<ClusterRole>),
    ClusterRoleBinding(Box<ClusterRoleBinding>),
    ConfigMap(Box<ConfigMap>),
    Deployment(Box<Deployment>),
    DestinationRule(Box<Resource<istio::DestinationRuleSpec>>),
    EnvoyExtensionPolicy(Box<Resource<envoy_gateway::EnvoyExtensionPolicySpec>>),
    GcpBackendPolicy(Box<Resource<gke::GcpBackendPolicySpec>>),
    Foreign(Box<Foreign>),
    HealthCheckPolicy(Box<Resource<gke::HealthCheckPolicySpec>>),
    HttpRoute(Box<Resource<gateway_api::HttpRouteSpec>>),
    InferenceObjective(Box<Resource<inference::InferenceObjectiveSpec>>),
    InferencePool(Box<Resource<inference::InferencePoolSpec>>),
    Ingress(Box<Ingress>),
    NetworkPolicy(Box<NetworkPolicy>),
    PodDisruptionBudget(Box<PodDisruptionBudget>),
    PodMonitor(Box<Resource<prometheus_operator::PodMonitorSpec>>),
    PrometheusRule(Box<Resource<prometheus_operator::PrometheusRuleSpec>>),
    ProxySettingsPolicy(Box<Resource<nginx_gateway::ProxySettingsPolicySpec>>),
    Replicas(Box<Resource<replicas::ReplicasSpec>>),
    Role(Box<Role>),
    RoleBinding(Box<RoleBinding>),
    ScaledObject(Box<Resource<keda::ScaledObjectSpec>>),
    Secret(Box<Secret>),
    Service(Box<Service>),
    ServiceAccount(Box<ServiceAccount>),
    ServiceMonitor(Box<Resource<prometheus_operator::ServiceMonitorSpec>>),
    VllmRuntime(Box<Resource<vllm::VllmRuntimeSpec>>),
}

macro_rules! manifest_from {
    ($($variant:ident: $kind:ty),+ $(,)?) => {
        $(impl From<$kind> for Manifest {
            fn from(object: $kind) -> Self {
                Self::$variant(Box::new(object))
            }
        })+
    };
}

manifest_from! {
    AiGatewayRoute: Resource<ai_gateway::AiGatewayRouteSpec>,
    ClusterRole: ClusterRole,
    ClusterRoleBinding: ClusterRoleBinding,
    ConfigMap: ConfigMap,
    Deployment: Deployment,
    DestinationRule: Resource<istio::DestinationRuleSpec>,
    EnvoyExtensionPolicy: Resource<envoy_gateway::EnvoyExtensionPolicySpec>,
    GcpBackendPolicy: Resource<gke::GcpBackendPolicySpec>,
    Foreign: Foreign,
    HealthCheckPolicy: Resource<gke::HealthCheckPolicySpec>,
    HttpRoute: Resource<gateway_api::HttpRouteSpec>,
    InferenceObjective: Resource<inference::InferenceObjectiveSpec>,
    InferencePool: Resource<inference::InferencePoolSpec>,
    Ingress: Ingress,
    NetworkPolicy: NetworkPolicy,
    PodDisruptionBudget: PodDisruptionBudget,
    PodMonitor: Resource<prometheus_operator::PodMonitorSpec>,
    PrometheusRule: Resource<prometheus_operator::PrometheusRuleSpec>,
    ProxySettingsPolicy: Resource<nginx_gateway::ProxySettingsPolicySpec>,
    Replicas: Resource<replicas::ReplicasSpec>,
    Role: Role,
    RoleBinding: RoleBinding,
    ScaledObject: Resource<keda::ScaledObjectSpec>,
    Secret: Secret,
    Service: Service,
    ServiceAccount: ServiceAccount,
    ServiceMonitor: Resource<prometheus_operator::ServiceMonitorSpec>,
    VllmRuntime: Resource<vllm::VllmRuntimeSpec>,
}
