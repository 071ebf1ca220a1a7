//! Kinds that the target cluster does not know: which part of it brings each, and how to get that.

use crate::api::settings::Transport;
use crate::plan::keys::Key;
use crate::plan::{Plan, RoutingPlan};

use super::conditions::{Condition, ConditionType};
use super::reasons::Reason;
use super::state::{kind, name, quote};

/// What has to be installed on a cluster before it knows a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Brings {
    /// The vLLM production stack's operator.
    VllmOperator,
    /// The Gateway API inference extension.
    InferenceExtension,
    /// Gateway API itself.
    GatewayApi,
    /// What implements the Gateway.
    GatewayImplementation,
    /// KEDA.
    Scaler,
    /// The Prometheus operator.
    Monitoring,
}

/// The word for what no condition has for its reason, since the model serves without it.
const MONITORING: &str = "MonitoringNotInstalled";

/// What brings the kind of that object; `None` is Kubernetes itself.
pub(super) const fn brings(key: Key) -> Option<Brings> {
    Some(match key {
        Key::VllmRuntime => Brings::VllmOperator,
        Key::InferencePool | Key::InferenceObjective | Key::InferenceObjectiveLlmD => {
            Brings::InferenceExtension
        }
        Key::Gateway | Key::GatewayClass | Key::HttpRoute | Key::AiGatewayHttpRoute => Brings::GatewayApi,
        Key::AiGatewayRoute
        | Key::GatewayDestinationRule
        | Key::GatewayHealthCheckPolicy
        | Key::GatewayBackendPolicy
        | Key::GatewayServiceHealthCheckPolicy
        | Key::GatewayServiceBackendPolicy
        | Key::GatewayProxySettingsPolicy
        | Key::GatewayExtensionPolicy => Brings::GatewayImplementation,
        Key::ScaledObject => Brings::Scaler,
        Key::ServiceMonitor
        | Key::PodMonitor
        | Key::EppServiceMonitor
        | Key::EppPodMonitor
        | Key::PrometheusRule => Brings::Monitoring,
        // A second view of the model servers tells nothing that their own Object does not.
        Key::ReplicasHandover
        | Key::ModelDeployment
        | Key::ModelService
        | Key::ModelMetricsService
        | Key::ModelPodDisruptionBudget
        | Key::ModelNetworkPolicy
        | Key::EppNetworkPolicy
        | Key::AdaptersConfigMap
        | Key::EppConfigMap
        | Key::EppServiceAccount
        | Key::EppRolePodReader
        | Key::EppRolePoolReader
        | Key::EppRoleBindingPodReader
        | Key::EppRoleBindingPoolReader
        | Key::EppRoleLeaderElection
        | Key::EppRoleBindingLeaderElection
        | Key::EppClusterRoleBindingAuthDelegator
        | Key::EppMetricsServiceAccount
        | Key::EppMetricsToken
        | Key::EppMetricsClusterRole
        | Key::EppMetricsClusterRoleBinding
        | Key::EppDeployment
        | Key::EppService
        | Key::EppExistingService
        | Key::Ingress => return None,
    })
}

impl Brings {
    /// The reason of a condition that cannot hold without it.
    const fn reason(self) -> Option<Reason> {
        match self {
            Self::VllmOperator => Some(Reason::VllmOperatorNotInstalled),
            Self::InferenceExtension => Some(Reason::InferenceExtensionNotInstalled),
            Self::GatewayApi => Some(Reason::GatewayApiNotInstalled),
            Self::GatewayImplementation => Some(Reason::GatewayImplementationNotInstalled),
            Self::Scaler => Some(Reason::ScalerNotInstalled),
            Self::Monitoring => None,
        }
    }

    /// The machine word, in a message too.
    fn word(self) -> &'static str {
        self.reason().map_or(MONITORING, Reason::as_str)
    }

    /// How to get it, or how to do without.
    fn cure(self, plan: &Plan) -> String {
        match self {
            Self::VllmOperator => "Install the vLLM production stack's operator with its CRDs, or have the platform's \
                 Input set workload.backend to Deployment"
                .to_owned(),
            Self::InferenceExtension => "Install the CRDs of the inference extension: InferencePool comes with the \
                 extension of a cluster (Input kind ClusterExtension), and all of them with the release that the \
                 platform's Input names in endpointPicker.version"
                .to_owned(),
            Self::GatewayApi => "Install the CRDs of Gateway API, and what implements the Gateway".to_owned(),
            Self::GatewayImplementation => format!(
                "Install {implementation}, or have the platform's Input name in gateway.implementation what the cluster \
                 has",
                implementation = plan.routing.as_ref().and_then(RoutingPlan::traits).map_or("it", |traits| traits.name),
            ),
            Self::Scaler => "Install KEDA, or unset spec.scaling.enabled".to_owned(),
            Self::Monitoring => "Install the Prometheus operator, or have the platform's Input set monitoring.kind to \
                 None and monitoring.rules to false"
                .to_owned(),
        }
    }
}

/// The condition of a layer that waits for an object whose kind the cluster does not know.
pub(super) fn condition(
    plan: &Plan,
    at: ConditionType,
    layer: &str,
    key: Key,
    why: &str,
) -> Option<Condition> {
    let brings = brings(key)?;
    let message = format!(
        "{layer}: {cluster} does not know the kind {kind}, so {object} cannot be there. {cure}; the Object is tried again \
         by itself. The provider says: {why}.",
        cluster = cluster(plan),
        kind = kind(plan, key),
        object = name(plan, key),
        cure = brings.cure(plan),
        why = quote(why),
    );
    Some(Condition::new(at, brings.reason()?, message))
}

/// The same of objects without which a layer is what it should be, as an addition to its message.
pub(super) fn note(plan: &Plan, brings: Brings, keys: &[Key]) -> String {
    let objects: Vec<String> = keys.iter().map(|key| name(plan, *key)).collect();
    format!(
        " {word}: {cluster} does not know the kind of {objects}. {cure}.",
        word = brings.word(),
        cluster = cluster(plan),
        objects = objects.join(" and "),
        cure = brings.cure(plan),
    )
}

/// The cluster, as the composite resource names it.
fn cluster(plan: &Plan) -> String {
    match &plan.transport {
        Transport::Objects(delivery) => {
            format!("the cluster of provider config {}", delivery.provider_config_name)
        }
        Transport::Direct => "this cluster".to_owned(),
    }
}
