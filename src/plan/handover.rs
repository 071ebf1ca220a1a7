//! How the replica count of a live model passes from this function to the autoscaler without ever falling.
//!
//! A field that its only manager stops applying falls back to its default of 1 (server-side apply). So a second Object,
//! under a manager of its own, applies the count too; then the first may let go of it; then the second goes, which
//! deletes nothing; and only then comes an autoscaler, which takes the field over when it first changes it.
//!
//! | The workload's Object | Its live object | The second Object | Next |
//! |---|---|---|---|
//! | writes the count | this function is its only manager | any | `Sharing`: both write the same count |
//! | writes the count | has another manager, and the same count | any | `Releasing`: the first lets go |
//! | does not | this function is its only manager | any | `Sharing`: it was to let go and must not |
//! | does not | this function still manages it, others too | any | `Releasing`: wait for the provider |
//! | does not | not seen | there | `Releasing`: wait for the provider |
//! | does not | is let go of | there | `Leaving`: the second Object goes |
//! | does not | is let go of, or not seen | not there | done: the autoscaler may come |
//!
//! No step is remembered: each follows from what is observed, so one that was missed, repeated or undone by others is
//! taken again.

use crate::observe::{Live, Observed, ObservedObject};

use super::HandoverStep;
use super::keys::Key;

/// What the two Objects of the workload write, and whether the autoscaler has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handover {
    /// The count that the workload's own Object writes.
    pub(super) main: Option<u32>,
    /// The count that the second Object writes; `None` = there is to be none.
    pub(super) second: Option<u32>,
    /// What is under way; `None` = the autoscaler may write the count.
    pub(super) step: Option<HandoverStep>,
}

/// The next step.
pub(super) fn next(observed: &Observed, workload: Key) -> Handover {
    let second = observed.objects.get(&Key::ReplicasHandover);
    let held = second.and_then(|second| second.asked.replicas);
    let Some(main) = observed.objects.get(&workload) else {
        // Somebody deleted it half-way: what is created anew begins with the count that was to be kept.
        return held.map_or(Handover::DONE, Handover::sharing);
    };
    if let Some(count) = main.asked.replicas {
        return if is_shared(main, second, count) {
            Handover { main: None, second: second.map(|_| count), step: Some(HandoverStep::Releasing) }
        } else {
            Handover::sharing(count)
        };
    }
    let releasing = Handover { main: None, second: held, step: Some(HandoverStep::Releasing) };
    // An autoscaler that is there is never taken away for something that was not seen.
    let autoscaled = observed.objects.contains_key(&Key::ScaledObject);
    match &main.live {
        Some(live) if is_ours(main, live) && !is_held_by_others(main, live) => {
            match live.spec_replicas().or(held) {
                Some(count) => Handover::sharing(count),
                None => Handover::DONE,
            }
        }
        _ if autoscaled => Handover::DONE,
        Some(live) if is_ours(main, live) => releasing,
        Some(_) if second.is_some() => {
            Handover { main: None, second: None, step: Some(HandoverStep::Leaving) }
        }
        None if second.is_some() => releasing,
        Some(_) | None => Handover::DONE,
    }
}

/// A count that is written again as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// The count.
    pub(super) count: u32,
    /// The state of the object that has it.
    pub(super) resource_version: Option<String>,
}

/// Without Objects there is one manager only. It keeps the count that it finds until the autoscaler changes that, which
/// takes the field away from it: then letting go changes nothing.
///
/// It must not write a count that is no longer there, so it names the state that it has seen, and the API server refuses
/// it for any other. Crossplane then looks again (crossplane v2.3.4, `reconciler.go`, `IsConflict`).
pub(super) fn kept(observed: &Observed, workload: Key) -> Option<Kept> {
    let object = observed.objects.get(&workload)?;
    let resource_version = object.live.as_ref().and_then(|live| live.resource_version.clone());
    object.asked.replicas.map(|count| Kept { count, resource_version })
}

impl Handover {
    /// The autoscaler may come.
    pub(super) const DONE: Self = Self { main: None, second: None, step: None };

    const fn sharing(count: u32) -> Self {
        Self { main: Some(count), second: Some(count), step: Some(HandoverStep::Sharing) }
    }
}

/// Whether somebody else would keep the count where it is, by what either Object saw last.
fn is_shared(main: &ObservedObject, second: Option<&ObservedObject>, count: u32) -> bool {
    [Some(main), second]
        .into_iter()
        .flatten()
        .filter_map(|object| object.live.as_ref())
        .any(|live| live.spec_replicas() == Some(count) && is_held_by_others(main, live))
}

fn is_ours(main: &ObservedObject, live: &Live) -> bool {
    main.field_manager().is_some_and(|ours| live.replicas_managers.contains(&ours))
}

fn is_held_by_others(main: &ObservedObject, live: &Live) -> bool {
    main.field_manager().is_some_and(|ours| live.replicas_managers.iter().any(|manager| *manager != ours))
}

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod tests;
