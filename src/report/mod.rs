//! What is ready, what is wrong and what to do about it. Readiness is decided here, from facts, and nowhere else.
//!
//! Reads the plan and the facts; knows nothing of protobuf, and never calls the composite itself ready: other steps may have
//! a say in that.

use std::collections::BTreeMap;

use crate::observe::Observed;
use crate::plan::keys::Key;
use crate::plan::{Holder, Plan};

mod cold_start;
mod conditions;
mod events;
#[cfg(test)]
mod fixtures;
mod gateway;
mod missing;
mod ownership;
mod picker;
pub mod readiness;
mod reasons;
mod rollout;
mod scaling;
mod state;
mod status;
#[cfg(test)]
mod tests;
mod workload;

pub use conditions::{CATALOGUE, Condition, ConditionType};
pub use events::{Event, Severity};
pub use reasons::{Reason, Truth};
pub(crate) use state::quote;
pub use status::{GatewayStatus, ReplicasStatus, Status};

/// Everything that one call says beside the objects themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Whether each composed object is ready; exactly the keys of the plan.
    pub ready: BTreeMap<Key, bool>,
    /// All of them, at every call: Crossplane never removes one that is no longer returned.
    pub conditions: [Condition; 4],
    /// The composite's status.
    pub status: Status,
    /// What has changed since the last call.
    pub events: Vec<Event>,
    /// Whether something that the model needs is left out of this call, so that what is composed may be ready and it is not.
    pub incomplete: bool,
    /// Whether nothing is expected to change by itself.
    pub settled: bool,
}

/// The report on a stack.
pub fn report(plan: &Plan, observed: &Observed) -> Report {
    let conditions = [
        workload::condition(plan, observed),
        picker::condition(plan, observed),
        gateway::condition(plan, observed),
        scaling::condition(plan, observed),
    ]
    .map(|condition| ownership::respected(plan, condition));
    let status = status::status(plan, observed);
    let ready = readiness::all(plan, observed);
    // No condition speaks of what only has to exist, and Crossplane may drop the event that it does.
    let mut left_out =
        plan.taken.iter().filter(|(key, holder)| **holder == Holder::Gone && plan.has(**key)).peekable();
    let awaits_name = left_out.peek().is_some();
    let is_complete =
        !awaits_name && ready.iter().all(|(key, ready)| *ready || !readiness::only_exists(*key));
    Report {
        incomplete: left_out.any(|(key, _)| !readiness::is_optional(*key)),
        ready,
        events: events::events(plan, observed, &conditions, status.url.as_deref()),
        settled: is_complete
            && plan.routing.as_ref().is_none_or(|routing| routing.former_picker.is_none())
            && conditions.iter().all(|condition| condition.reason.is_settled()),
        conditions,
        status,
    }
}

/// The conditions of a stack that cannot be decided, because the spec, or the platform's Input, cannot be used.
pub fn invalid(message: &str) -> [Condition; 4] {
    ConditionType::ALL.map(|kind| Condition::new(kind, Reason::InvalidSpec, message))
}

/// The conditions of a call that ended in a Fatal result which is nobody's spec's fault.
pub fn fatal(message: &str) -> [Condition; 4] {
    ConditionType::ALL.map(|kind| Condition::new(kind, Reason::FatalError, message))
}
