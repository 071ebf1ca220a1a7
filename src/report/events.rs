//! Events, only when a condition changes: one that is repeated at every call is noise.

use crate::observe::Observed;
use crate::plan::keys::Key;
use crate::plan::{IngressPlan, Plan};

use super::conditions::{Condition, ConditionType};
use super::reasons::{Outlook, Reason, Truth};
use super::state::name;

/// Something that has changed since the last call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Good news or bad.
    pub severity: Severity,
    /// Machine word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// Good news or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good.
    Normal,
    /// Bad.
    Warning,
}

/// What has changed, by the conditions that the observed composite carries. In the order of a request's way: of many
/// events Crossplane writes the first.
pub(super) fn events(
    plan: &Plan,
    observed: &Observed,
    conditions: &[Condition; 4],
    url: Option<&str>,
) -> Vec<Event> {
    let in_the_way = ConditionType::IN_THE_WAY
        .into_iter()
        .filter_map(|kind| conditions.iter().find(|condition| condition.kind == kind));
    let mut events: Vec<Event> = in_the_way.filter_map(|condition| transition(condition, observed)).collect();
    events.extend(ingress_can_go(plan, observed, conditions, url));
    events
}

fn transition(condition: &Condition, observed: &Observed) -> Option<Event> {
    let before = observed.conditions.get(condition.kind.as_str());
    if before.is_some_and(|before| before.reason == condition.reason.as_str()) {
        return None;
    }
    let was_true = before.is_some_and(|before| before.status == Truth::True.as_str());
    let was_asleep = before.is_some_and(|before| before.reason == Reason::ScaledToZero.as_str());
    let severity = match (condition.truth(), condition.reason.outlook()) {
        (Truth::True, _) => Severity::Normal,
        // A model that wakes up does what it should.
        (Truth::False, Outlook::UnderWay) if was_asleep => Severity::Normal,
        // On the way up there is nothing to tell; on the way down there is.
        (Truth::False, Outlook::UnderWay) if !was_true => return None,
        (Truth::False, _) => Severity::Warning,
        // Not asked for is no news, and what is wrong with a spec is told by the Fatal result.
        (Truth::Unknown, _) => return None,
    };
    Some(Event { severity, reason: condition.reason.as_str(), message: condition.message.clone() })
}

/// Once, when the route that replaces the Ingress starts to work. Clients may still come in by the Ingress, so it only
/// goes when somebody says so.
fn ingress_can_go(
    plan: &Plan,
    observed: &Observed,
    conditions: &[Condition; 4],
    url: Option<&str>,
) -> Option<Event> {
    let IngressPlan::Wanted(host) = &plan.ingress else { return None };
    let kind = ConditionType::GatewayReady;
    let is_true = |status: &str| status == Truth::True.as_str();
    let is_ready =
        conditions.iter().any(|condition| condition.kind == kind && condition.truth() == Truth::True);
    let was_ready = observed.conditions.get(kind.as_str()).is_some_and(|before| is_true(&before.status));
    if !is_ready || was_ready {
        return None;
    }
    let message = format!(
        "The route that replaces {ingress} is accepted: requests are answered at {url}. Once no client and no DNS record \
         uses {host} through the Ingress any more, remove spec.ingressHost.",
        ingress = name(plan, Key::Ingress),
        url = url.unwrap_or("the Gateway"),
    );
    Some(Event { severity: Severity::Normal, reason: "IngressReplaced", message })
}
