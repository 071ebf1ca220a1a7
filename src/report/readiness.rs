//! One table, a row a key: what the provider waits for, and what we call ready.
//!
//! The two are not one thing. The query only makes provider-kubernetes look every 30 s instead of every 10 min until
//! the object is up; it cannot know the plan. Our own judgement decides, from the facts of the same object. Whatever we
//! call ready the query must call ready too, or the provider would never rest.

use std::collections::BTreeMap;

use crate::observe::{Live, Observed};
use crate::plan::Plan;
use crate::plan::keys::Key;

use super::gateway::OwnRoute;
use super::state::{State, state};
use super::workload::Serving;
use super::{gateway, picker, scaling, workload};

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// For `spec.readiness.celQuery` of the Object, over `object`. Its static type must be bool, and a missing field
    /// must not be an error (provider-kubernetes v1.2.1, `checkDeriveFromCelQuery`), hence every `has()`.
    pub cel_query: &'static str,
    /// Our own judgement.
    pub judgement: Judgement,
}

/// Our own judgement of an object.
#[derive(Debug, Clone, Copy)]
pub enum Judgement {
    /// The model serves without it: it never holds back the composite, and its failure is told in a message.
    Always,
    /// It has no status of interest, or one that nobody writes.
    Exists,
    /// It says so itself.
    Says(fn(&Plan, &Live) -> bool),
}

/// Some condition of that type is True. Only literals can be joined at compile time, hence no function.
macro_rules! condition {
    ($owner:literal, $kind:literal) => {
        condition!($owner, $kind, "")
    };
    ($owner:literal, $kind:literal, $more:expr) => {
        concat!(
            $owner,
            ".conditions.exists(c, has(c.type) && c.type == '",
            $kind,
            "' && has(c.status) && c.status == 'True'",
            $more,
            ")"
        )
    };
}

/// It speaks of the present generation; some controllers do not say which.
macro_rules! current {
    () => {
        " && (!has(c.observedGeneration) || c.observedGeneration >= object.metadata.generation)"
    };
}

/// Some of it answers; a count of zero is omitted.
macro_rules! some_available {
    () => {
        "has(object.status.availableReplicas) && object.status.availableReplicas > 0"
    };
}

/// For what has no status that says more.
pub(crate) const EXISTS: &str = "true";

/// For a Deployment that is only looked at.
pub(crate) const SOME_AVAILABLE: &str = concat!("has(object.status) && ", some_available!());

/// A count of zero is omitted, and a model that sleeps is as it should be.
const VLLM_RUNTIME: &str = "has(object.spec) && has(object.spec.deploymentConfig) \
    && has(object.spec.deploymentConfig.replicas) && object.spec.deploymentConfig.replicas < 1 \
    || has(object.status) && (has(object.status.availableReplicas) ? object.status.availableReplicas > 0 \
    : !has(object.status.selector) && !has(object.status.replicas) \
    && has(object.status.modelStatus) && object.status.modelStatus == 'Ready')";

/// The same for a Deployment of model servers.
const MODEL_DEPLOYMENT: &str = concat!(
    "has(object.spec) && has(object.spec.replicas) && object.spec.replicas < 1 || has(object.status) && ",
    some_available!()
);

/// Not `Available`: where one of several leads, the others are never ready, and the condition never holds.
const DEPLOYMENT: &str = concat!(
    "has(object.status) && has(object.status.observedGeneration) \
     && object.status.observedGeneration >= object.metadata.generation && ",
    some_available!(),
    " && has(object.status.updatedReplicas) && object.status.updatedReplicas > 0"
);

/// Any Gateway will do here; which one is in the plan.
const PARENTS: &str = concat!(
    "has(object.status) && has(object.status.parents) && object.status.parents.exists(p, has(p.conditions) && ",
    condition!("p", "Accepted", current!()),
    " && ",
    condition!("p", "ResolvedRefs", current!()),
    ")"
);

/// The same of a policy.
const ANCESTORS: &str = concat!(
    "has(object.status) && has(object.status.ancestors) && object.status.ancestors.exists(p, has(p.conditions) && ",
    condition!("p", "Accepted", current!()),
    ")"
);

/// It has one condition at a time, `Accepted` or `NotAccepted`, and neither says of which generation it is.
const AI_GATEWAY_ROUTE: &str = concat!(
    "has(object.status) && has(object.status.conditions) && ",
    condition!("object.status", "Accepted")
);

const SCALED_OBJECT: &str =
    concat!("has(object.status) && has(object.status.conditions) && ", condition!("object.status", "Ready"));

/// The table.
pub const fn rule(key: Key) -> Rule {
    let (cel_query, judgement) = match key {
        Key::VllmRuntime => (VLLM_RUNTIME, Judgement::Says(workload_is_ready)),
        Key::ModelDeployment => (MODEL_DEPLOYMENT, Judgement::Says(workload_is_ready)),
        Key::InferencePool => (PARENTS, Judgement::Says(pool_is_ready)),
        Key::HttpRoute | Key::AiGatewayHttpRoute => (PARENTS, Judgement::Says(route_is_ready)),
        Key::GatewayExtensionPolicy => (ANCESTORS, Judgement::Says(extension_policy_is_ready)),
        Key::AiGatewayRoute => (AI_GATEWAY_ROUTE, Judgement::Says(ai_gateway_route_is_ready)),
        Key::EppDeployment => (DEPLOYMENT, Judgement::Says(picker_is_ready)),
        Key::ScaledObject => (SCALED_OBJECT, Judgement::Says(scaler_is_ready)),
        // The picker may only read objectives, so nobody ever writes the status of one.
        Key::InferenceObjective
        | Key::InferenceObjectiveLlmD
        | Key::AdaptersConfigMap
        | Key::GatewayDestinationRule
        | Key::GatewayHealthCheckPolicy
        | Key::GatewayBackendPolicy
        | Key::ModelService
        | Key::GatewayServiceHealthCheckPolicy
        | Key::GatewayServiceBackendPolicy
        | Key::ModelMetricsService
        | Key::EppConfigMap
        | Key::EppServiceAccount
        | Key::EppRolePodReader
        | Key::EppRolePoolReader
        | Key::EppRoleBindingPodReader
        | Key::EppRoleBindingPoolReader
        | Key::EppRoleLeaderElection
        | Key::EppRoleBindingLeaderElection
        | Key::EppService
        | Key::EppExistingService
        | Key::Gateway
        | Key::Ingress => (EXISTS, Judgement::Exists),
        // The model serves whichever way the count is held.
        Key::ReplicasHandover
        | Key::ModelPodDisruptionBudget
        | Key::ModelNetworkPolicy
        | Key::EppNetworkPolicy
        | Key::ServiceMonitor
        | Key::PodMonitor
        | Key::EppServiceMonitor
        | Key::EppClusterRoleBindingAuthDelegator
        | Key::EppMetricsServiceAccount
        | Key::EppMetricsToken
        | Key::EppMetricsClusterRole
        | Key::EppMetricsClusterRoleBinding
        | Key::EppPodMonitor
        | Key::PrometheusRule
        | Key::GatewayClass
        | Key::GatewayProxySettingsPolicy => (EXISTS, Judgement::Always),
    };
    Rule { cel_query, judgement }
}

/// Whether the model serves without that object.
pub(super) const fn is_optional(key: Key) -> bool {
    matches!(rule(key).judgement, Judgement::Always)
}

/// The query for the Object that wraps that object.
pub const fn cel_query(key: Key) -> &'static str {
    rule(key).cel_query
}

/// Whether all that is asked of that object is to be there.
pub(super) const fn only_exists(key: Key) -> bool {
    matches!(rule(key).judgement, Judgement::Exists)
}

/// Whether that object is ready. Nothing observed is not yet, and so is a manifest whose Object is not Synced.
pub fn is_ready(key: Key, plan: &Plan, observed: &Observed) -> bool {
    if plan.taken.contains_key(&key) && !is_optional(key) {
        return false;
    }
    match (rule(key).judgement, state(observed, key)) {
        (Judgement::Always, _) | (Judgement::Exists, State::Live(_)) => true,
        // The Gateway tells where to call.
        (Judgement::Exists, State::Unreadable(_)) => key != Key::Gateway,
        // Whether it has slept is told by the composite, and not by the object, which the provider goes on to look at.
        (Judgement::Says(judge), State::Live(live)) => {
            judge(plan, live) || key == plan.workload_key() && workload::is_waited_for(plan, observed, live)
        }
        (Judgement::Exists, State::Absent | State::Missing | State::NotSynced(_))
        | (Judgement::Says(_), State::Absent | State::Missing | State::NotSynced(_) | State::Unreadable(_)) => {
            false
        }
    }
}

/// Every key of the plan.
pub(super) fn all(plan: &Plan, observed: &Observed) -> BTreeMap<Key, bool> {
    Key::ALL
        .into_iter()
        .filter(|key| plan.has(*key))
        .map(|key| (key, is_ready(key, plan, observed)))
        .collect()
}

/// Asleep is ready while a request would be held and answered; stopped never is, since nothing answers.
fn workload_is_ready(plan: &Plan, live: &Live) -> bool {
    match workload::serving(plan, live) {
        Serving::Yes => true,
        Serving::Asleep => workload::wakes(plan),
        Serving::No | Serving::Stopped => false,
    }
}

fn extension_policy_is_ready(plan: &Plan, live: &Live) -> bool {
    plan.routing.as_ref().is_some_and(|routing| gateway::policy_is_ready(routing, live))
}

fn ai_gateway_route_is_ready(_: &Plan, live: &Live) -> bool {
    gateway::own_route(live) == OwnRoute::Made
}

fn pool_is_ready(plan: &Plan, live: &Live) -> bool {
    plan.routing.as_ref().is_some_and(|routing| gateway::pool_is_ready(routing, live))
}

fn route_is_ready(plan: &Plan, live: &Live) -> bool {
    plan.routing.as_ref().is_some_and(|routing| gateway::route_is_ready(routing, live))
}

fn picker_is_ready(_: &Plan, live: &Live) -> bool {
    picker::is_available(live)
}

fn scaler_is_ready(_: &Plan, live: &Live) -> bool {
    scaling::is_ready(live)
}
