//! The composition-resource keys, all of them. Keys are API: renaming one deletes and recreates an object.

/// Names one composed resource of a model stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The model servers.
    VllmRuntime,
    /// The model servers, where no operator runs them.
    ModelDeployment,
    /// Their Service, where no operator makes one.
    ModelService,
    /// A second view of the model servers, with their replica count only, while that passes to the autoscaler.
    ReplicasHandover,
    /// Headless, labelled Service for scraping the model servers.
    ModelMetricsService,
    /// Keeps node drains from taking every replica.
    ModelPodDisruptionBudget,
    /// Who may reach the model servers.
    ModelNetworkPolicy,
    /// Scrapes the model servers, by their Service.
    ServiceMonitor,
    /// Scrapes the model servers themselves.
    PodMonitor,
    /// The set of endpoints that the gateway hands requests to.
    InferencePool,
    /// This model's priority, for pickers of the inference extension.
    InferenceObjective,
    /// The same for those of llm-d-router, whose group is another: while one takes over from the other, both are there.
    InferenceObjectiveLlmD,
    /// Host, or name of the model, to pool.
    HttpRoute,
    /// Name of the model to pool, where that takes Envoy AI Gateway's own route.
    AiGatewayRoute,
    /// The route that Envoy AI Gateway makes of it, observed only.
    AiGatewayHttpRoute,
    /// Tells body-based routers which model the adapters belong to.
    AdaptersConfigMap,
    /// How Istio asks the picker.
    GatewayDestinationRule,
    /// When GKE takes an endpoint for healthy.
    GatewayHealthCheckPolicy,
    /// How long GKE lets a request take.
    GatewayBackendPolicy,
    /// When GKE takes an endpoint for healthy that is reached past the picker.
    GatewayServiceHealthCheckPolicy,
    /// How long GKE lets a request take that goes past the picker.
    GatewayServiceBackendPolicy,
    /// How long NGINX waits, and that it passes on what it has.
    GatewayProxySettingsPolicy,
    /// Gives requests their priority, where the platform lets Envoy run a script for it.
    GatewayExtensionPolicy,
    /// The picker's configuration.
    EppConfigMap,
    /// The picker's identity.
    EppServiceAccount,
    /// Lets the picker watch pods.
    EppRolePodReader,
    /// Lets the picker watch its pool and objectives.
    EppRolePoolReader,
    /// Binds `EppRolePodReader`.
    EppRoleBindingPodReader,
    /// Binds `EppRolePoolReader`.
    EppRoleBindingPoolReader,
    /// Lets the picker's replicas elect a leader.
    EppRoleLeaderElection,
    /// Binds `EppRoleLeaderElection`.
    EppRoleBindingLeaderElection,
    /// Lets the picker ask who wants to read its metrics, and whether they may.
    EppClusterRoleBindingAuthDelegator,
    /// The picker.
    EppDeployment,
    /// Where the gateway finds the picker.
    EppService,
    /// Where the gateway finds a picker that is already there, observed only.
    EppExistingService,
    /// The identity of whoever reads the picker's metrics.
    EppMetricsServiceAccount,
    /// Its token.
    EppMetricsToken,
    /// Lets somebody read metrics.
    EppMetricsClusterRole,
    /// Binds `EppMetricsClusterRole`.
    EppMetricsClusterRoleBinding,
    /// Scrapes the picker, by its Service.
    EppServiceMonitor,
    /// Scrapes the picker itself.
    EppPodMonitor,
    /// Who may reach the picker.
    EppNetworkPolicy,
    /// Alerts.
    PrometheusRule,
    /// The autoscaler.
    ScaledObject,
    /// The Gateway, observed only.
    Gateway,
    /// The Gateway's class, observed only.
    GatewayClass,
    /// Replaced by the route; kept for users of `ingressHost`.
    Ingress,
}

impl Key {
    /// Every key, in the order in which they are composed.
    pub const ALL: [Self; 47] = [
        Self::VllmRuntime,
        Self::ModelDeployment,
        Self::ModelService,
        Self::ReplicasHandover,
        Self::ModelMetricsService,
        Self::ModelPodDisruptionBudget,
        Self::ModelNetworkPolicy,
        Self::ServiceMonitor,
        Self::PodMonitor,
        Self::InferencePool,
        Self::InferenceObjective,
        Self::InferenceObjectiveLlmD,
        Self::HttpRoute,
        Self::AiGatewayRoute,
        Self::AiGatewayHttpRoute,
        Self::AdaptersConfigMap,
        Self::GatewayDestinationRule,
        Self::GatewayHealthCheckPolicy,
        Self::GatewayBackendPolicy,
        Self::GatewayServiceHealthCheckPolicy,
        Self::GatewayServiceBackendPolicy,
        Self::GatewayProxySettingsPolicy,
        Self::GatewayExtensionPolicy,
        Self::EppConfigMap,
        Self::EppServiceAccount,
        Self::EppRolePodReader,
        Self::EppRolePoolReader,
        Self::EppRoleBindingPodReader,
        Self::EppRoleBindingPoolReader,
        Self::EppRoleLeaderElection,
        Self::EppRoleBindingLeaderElection,
        Self::EppClusterRoleBindingAuthDelegator,
        Self::EppDeployment,
        Self::EppService,
        Self::EppExistingService,
        Self::EppMetricsServiceAccount,
        Self::EppMetricsToken,
        Self::EppMetricsClusterRole,
        Self::EppMetricsClusterRoleBinding,
        Self::EppServiceMonitor,
        Self::EppPodMonitor,
        Self::EppNetworkPolicy,
        Self::PrometheusRule,
        Self::ScaledObject,
        Self::Gateway,
        Self::GatewayClass,
        Self::Ingress,
    ];

    /// What is only looked at.
    pub const FOREIGN: [Self; 3] = [Self::AiGatewayHttpRoute, Self::EppExistingService, Self::Gateway];

    /// The composition-resource name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VllmRuntime => "vllm_runtime",
            Self::ModelDeployment => "model_deployment",
            Self::ModelService => "model_service",
            Self::ReplicasHandover => "replicas_handover",
            Self::ModelMetricsService => "model_metrics_service",
            Self::ModelPodDisruptionBudget => "model_pod_disruption_budget",
            Self::ModelNetworkPolicy => "model_network_policy",
            Self::ServiceMonitor => "service_monitor",
            Self::PodMonitor => "pod_monitor",
            Self::InferencePool => "inference_pool",
            Self::InferenceObjective => "inference_objective",
            Self::InferenceObjectiveLlmD => "inference_objective_llm_d",
            Self::HttpRoute => "http_route",
            Self::AiGatewayRoute => "ai_gateway_route",
            Self::AiGatewayHttpRoute => "ai_gateway_http_route",
            Self::AdaptersConfigMap => "adapters_config_map",
            Self::GatewayDestinationRule => "gateway_destination_rule",
            Self::GatewayHealthCheckPolicy => "gateway_health_check_policy",
            Self::GatewayBackendPolicy => "gateway_backend_policy",
            Self::GatewayServiceHealthCheckPolicy => "gateway_service_health_check_policy",
            Self::GatewayServiceBackendPolicy => "gateway_service_backend_policy",
            Self::GatewayProxySettingsPolicy => "gateway_proxy_settings_policy",
            Self::GatewayExtensionPolicy => "gateway_extension_policy",
            Self::EppConfigMap => "epp_config_map",
            Self::EppServiceAccount => "epp_service_account",
            Self::EppRolePodReader => "epp_role_pod_reader",
            Self::EppRolePoolReader => "epp_role_pool_reader",
            Self::EppRoleBindingPodReader => "epp_role_binding_pod_reader",
            Self::EppRoleBindingPoolReader => "epp_role_binding_pool_reader",
            Self::EppRoleLeaderElection => "epp_role_leader_election",
            Self::EppRoleBindingLeaderElection => "epp_role_binding_leader_election",
            Self::EppClusterRoleBindingAuthDelegator => "epp_cluster_role_binding_auth_delegator",
            Self::EppDeployment => "epp_deployment",
            Self::EppService => "epp_service",
            Self::EppExistingService => "epp_existing_service",
            Self::EppMetricsServiceAccount => "epp_metrics_service_account",
            Self::EppMetricsToken => "epp_metrics_token",
            Self::EppMetricsClusterRole => "epp_metrics_cluster_role",
            Self::EppMetricsClusterRoleBinding => "epp_metrics_cluster_role_binding",
            Self::EppServiceMonitor => "epp_service_monitor",
            Self::EppPodMonitor => "epp_pod_monitor",
            Self::EppNetworkPolicy => "epp_network_policy",
            Self::PrometheusRule => "prometheus_rule",
            Self::ScaledObject => "scaled_object",
            Self::Gateway => "gateway",
            Self::GatewayClass => "gateway_class",
            Self::Ingress => "ingress",
        }
    }

    /// The key with that composition-resource name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_are_api_and_this_list_changes_only_in_a_breaking_release() {
        let names: Vec<&str> = Key::ALL.into_iter().map(Key::as_str).collect();
        assert_eq!(
            names,
            [
                "vllm_runtime",
                "model_deployment",
                "model_service",
                "replicas_handover",
                "model_metrics_service",
                "model_pod_disruption_budget",
                "model_network_policy",
                "service_monitor",
                "pod_monitor",
                "inference_pool",
                "inference_objective",
                "inference_objective_llm_d",
                "http_route",
                "ai_gateway_route",
                "ai_gateway_http_route",
                "adapters_config_map",
                "gateway_destination_rule",
                "gateway_health_check_policy",
                "gateway_backend_policy",
                "gateway_service_health_check_policy",
                "gateway_service_backend_policy",
                "gateway_proxy_settings_policy",
                "gateway_extension_policy",
                "epp_config_map",
                "epp_service_account",
                "epp_role_pod_reader",
                "epp_role_pool_reader",
                "epp_role_binding_pod_reader",
                "epp_role_binding_pool_reader",
                "epp_role_leader_election",
                "epp_role_binding_leader_election",
                "epp_cluster_role_binding_auth_delegator",
                "epp_deployment",
                "epp_service",
                "epp_existing_service",
                "epp_metrics_service_account",
                "epp_metrics_token",
                "epp_metrics_cluster_role",
                "epp_metrics_cluster_role_binding",
                "epp_service_monitor",
                "epp_pod_monitor",
                "epp_network_policy",
                "prometheus_rule",
                "scaled_object",
                "gateway",
                "gateway_class",
                "ingress",
            ]
        );
        for key in Key::ALL {
            assert_eq!(Key::parse(key.as_str()), Some(key));
        }
    }
}
