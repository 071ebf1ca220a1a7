//! What Kubernetes' Deployment controller says of a rollout, whoever's Deployment it is.

use crate::observe::{ConditionFacts, Facts, Live};

/// The controller's last word on a rollout: `Progressing` is False, `ProgressDeadlineExceeded`.
pub(super) fn gave_up(live: &Live) -> Option<&ConditionFacts> {
    let Facts::Deployment(facts) = &live.facts else { return None };
    facts
        .conditions
        .iter()
        .find(|condition| condition.kind == "Progressing" && condition.status == "False")
        .filter(|_| facts.are_of(live.generation))
}
