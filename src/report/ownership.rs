//! What belongs to another composite is neither ready nor ours to speak of: each layer that has such an object says so.

use crate::plan::keys::Key;
use crate::plan::{Holder, Plan};

use super::conditions::{Condition, ConditionType};
use super::readiness;
use super::reasons::Reason;
use super::state::name;

/// The condition, unless what it speaks of is another's. What the model serves without is only mentioned.
pub(super) fn respected(plan: &Plan, mut condition: Condition) -> Condition {
    let kind = condition.kind;
    let taken = plan.taken.iter().filter(|(key, _)| layer(**key) == kind && plan.has(**key));
    let (optional, needed): (Vec<_>, Vec<_>) = taken.partition(|(key, _)| readiness::is_optional(**key));
    if let Some((key, holder)) = needed.first() {
        return not_ours(plan, kind, **key, holder);
    }
    for (key, holder) in optional {
        condition.message.extend([" ", &name(plan, *key), " belongs to ", by(holder), "."]);
    }
    condition
}

fn not_ours(plan: &Plan, kind: ConditionType, key: Key, holder: &Holder) -> Condition {
    let object = name(plan, key);
    let layer = match kind {
        ConditionType::WorkloadReady => "Model servers",
        ConditionType::EndpointPickerReady => "Endpoint picker",
        ConditionType::GatewayReady => "Routing",
        ConditionType::ScalingReady => "Autoscaler",
    };
    match holder {
        Holder::Gone => Condition::new(
            kind,
            Reason::Creating,
            format!("{layer}: {object} belonged to another model, which is gone; this one takes the name."),
        ),
        Holder::Other(_) | Holder::Unseen => Condition::new(
            kind,
            Reason::NameTaken,
            format!(
                "{layer}: {object} belongs to {holder}, and this model is {us}: it is neither written nor deleted. Give \
                 one of the two another name or another targetNamespace; when the other is deleted, this one takes the \
                 name.",
                holder = by(holder),
                us = plan.owner,
            ),
        ),
    }
}

fn by(holder: &Holder) -> &str {
    match holder {
        Holder::Other(owner) => owner,
        Holder::Unseen | Holder::Gone => "another model",
    }
}

/// Whose condition speaks of an object.
const fn layer(key: Key) -> ConditionType {
    match key {
        Key::VllmRuntime
        | Key::ModelDeployment
        | Key::ModelService
        | Key::AdaptersConfigMap
        | Key::ReplicasHandover
        | Key::ModelMetricsService
        | Key::ModelPodDisruptionBudget
        | Key::ModelNetworkPolicy
        | Key::ServiceMonitor
        | Key::PodMonitor
        | Key::PrometheusRule => ConditionType::WorkloadReady,
        Key::InferenceObjective
        | Key::InferenceObjectiveLlmD
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
        | Key::EppNetworkPolicy
        | Key::EppServiceMonitor
        | Key::EppPodMonitor => ConditionType::EndpointPickerReady,
        Key::InferencePool
        | Key::HttpRoute
        | Key::AiGatewayRoute
        | Key::AiGatewayHttpRoute
        | Key::GatewayDestinationRule
        | Key::GatewayHealthCheckPolicy
        | Key::GatewayBackendPolicy
        | Key::GatewayServiceHealthCheckPolicy
        | Key::GatewayServiceBackendPolicy
        | Key::GatewayProxySettingsPolicy
        | Key::GatewayExtensionPolicy
        | Key::Gateway
        | Key::GatewayClass
        | Key::Ingress => ConditionType::GatewayReady,
        Key::ScaledObject => ConditionType::ScalingReady,
    }
}
