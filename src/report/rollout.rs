//! What Kubernetes' Deployment controller says of a rollout, whoever's Deployment it is.

use crate::observe::{ConditionFacts, DeploymentFacts, Facts, Live};

/// The controller's last word on a rollout: `Progressing` is False, `ProgressDeadlineExceeded`.
pub(super) fn gave_up(live: &Live) -> Option<&ConditionFacts> {
    let Facts::Deployment(facts) = &live.facts else { return None };
    facts
        .conditions
        .iter()
        .find(|condition| condition.kind == "Progressing" && condition.status == "False")
        .filter(|_| is_current(live, facts))
}

/// Whether the controller speaks of the present generation.
pub(super) fn is_current(live: &Live, facts: &DeploymentFacts) -> bool {
    matches!((facts.observed_generation, live.generation), (Some(observed), Some(wanted)) if observed >= wanted)
}
