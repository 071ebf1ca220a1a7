//! Whether a model had the time that a cold start may take, without a clock.
//!
//! Time is what others write down: it is as late as the last of what they wrote. That may be too early, never too late,
//! so a model is given up on when somebody has looked at it after its time was over, and else not.

use k8s_openapi::jiff::Timestamp;

use crate::observe::{Facts, Live, Observed};
use crate::plan::Plan;
use crate::plan::keys::Key;

use super::conditions::ConditionType;
use super::reasons::Reason;

/// Whether the time of a model that starts, and has been said to, is over.
pub(super) fn is_over(plan: &Plan, observed: &Observed, live: &Live) -> bool {
    let past = || {
        let end = begin(plan, observed, live)?.as_millisecond().checked_add(limit(plan))?;
        Some(latest(observed, live)?.as_millisecond() >= end)
    };
    past().unwrap_or_default()
}

/// When the start began: with the workload itself, or, where that is older than a start may take, when it was first said.
/// KEDA puts no model to sleep that is younger (`initialCooldownPeriod`).
fn begin(plan: &Plan, observed: &Observed, live: &Live) -> Option<Timestamp> {
    let before = observed.conditions.get(ConditionType::WorkloadReady.as_str())?;
    let starts = [Reason::Starting, Reason::Waking].iter().any(|reason| reason.as_str() == before.reason);
    let said = time(before.since.as_ref()).filter(|_| starts)?;
    let made = time(live.created.as_ref())?;
    let age = said.as_millisecond().saturating_sub(made.as_millisecond());
    Some(if age < limit(plan) { made } else { said })
}

/// The last moment that the workload's controller or the autoscaler have written down.
///
/// The operator looks when the Deployment that it made gives up, KEDA at every poll while requests wait.
fn latest(observed: &Observed, live: &Live) -> Option<Timestamp> {
    let operator = match &live.facts {
        Facts::VllmRuntime(facts) => time(facts.last_updated.as_ref()),
        Facts::Exists
        | Facts::Replicas(_)
        | Facts::Deployment(_)
        | Facts::Parents(_)
        | Facts::ScaledObject(_)
        | Facts::AiGatewayRoute(_)
        | Facts::Gateway(_)
        | Facts::GatewayClass(_) => None,
    };
    let autoscaler = match observed.live(Key::ScaledObject).map(|live| &live.facts) {
        Some(Facts::ScaledObject(facts)) => time(facts.last_active.as_ref()),
        _ => None,
    };
    operator.max(autoscaler)
}

fn limit(plan: &Plan) -> i64 {
    i64::try_from(plan.workload.cold_start.as_millis()).unwrap_or(i64::MAX)
}

/// What is no time says nothing.
fn time(text: Option<&String>) -> Option<Timestamp> {
    text?.parse().ok()
}
