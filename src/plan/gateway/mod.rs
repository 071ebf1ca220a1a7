//! Everything about the way from the Gateway to the pool of one stack.

use crate::api::settings::{FailureMode, GatewayRef, Routing};
use crate::api::{Duration, Host, ModelName, Problem};

use super::endpoint_picker::{self, PickerPlan, Wanted};
use super::keys::Key;

mod implementation;
mod priority;
mod rules;

pub use implementation::{Failure, Hold, Implementation, Traits};
pub use priority::{Hook, PriorityPlan};
pub use rules::{Destination, RequestMatch, RulePlan};

/// Routing.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingPlan {
    /// The hostname that selects this model.
    pub host: Host,
    /// The Gateway.
    pub gateway: GatewayRef,
    /// What implements it.
    pub implementation: Implementation,
    /// The longest that a request may take, hold time included.
    pub request_timeout: Duration,
    /// What leads where.
    pub rules: Vec<RulePlan>,
    /// How requests come to carry the model's priority; `None` where they cannot.
    pub priority: Option<PriorityPlan>,
    /// The picker.
    pub picker: PickerPlan,
}

impl RoutingPlan {
    /// What the implementation can do, and what it needs.
    pub const fn traits(&self) -> Traits {
        self.implementation.traits()
    }

    /// Whether there are requests that go past the picker.
    pub fn passes_picker(&self) -> bool {
        self.rules.iter().any(|rule| rule.to == Destination::ModelServers)
    }

    /// What stands beside the route.
    pub fn companions(&self) -> Vec<Key> {
        let Traits { companions, service_companions, .. } = self.traits();
        let beside_service = if self.passes_picker() { service_companions } else { &[] };
        [companions, beside_service].concat()
    }

    /// Whether something else happens than what the platform asked for when the picker does not answer.
    pub const fn ignores_failure_mode(&self) -> bool {
        match (self.traits().failure, self.picker.failure_mode) {
            (Failure::AsAsked, _)
            | (Failure::AlwaysClosed, FailureMode::FailClose)
            | (Failure::AlwaysOpen, FailureMode::FailOpen) => false,
            (Failure::AlwaysClosed, FailureMode::FailOpen)
            | (Failure::AlwaysOpen, FailureMode::FailClose) => true,
        }
    }
}

/// Decides everything about it, the picker included.
pub(super) fn decide(
    routing: &Routing,
    model: &ModelName,
    wanted: Wanted,
) -> Result<RoutingPlan, Vec<Problem>> {
    let Routing { host, implementation, gateway, timeout, picker } = routing;
    let picker = endpoint_picker::decide(picker, wanted)?;
    Ok(RoutingPlan {
        host: host.clone(),
        gateway: gateway.clone(),
        implementation: *implementation,
        request_timeout: if wanted.sleeps { sum(wanted.cold_start, *timeout) } else { *timeout },
        rules: rules::by_host(picker.family),
        priority: priority::decide(implementation.traits().hook, picker.family, model),
        picker,
    })
}

const fn sum(a: Duration, b: Duration) -> Duration {
    Duration::from_millis(a.as_millis().saturating_add(b.as_millis()))
}
