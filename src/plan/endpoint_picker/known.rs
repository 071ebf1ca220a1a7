//! Which releases know something, and what is said of a name that one does not know.

use crate::api::nearest;

use super::Family;

/// The releases from one family to another, in the order in which they came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    first: Family,
    last: Family,
}

pub(super) const ALWAYS: Known = since(Family::Gie1_3);
pub(super) const GIE_1_3: Known = within(Family::Gie1_3, Family::Gie1_3);
pub(super) const UNTIL_GIE_1_4: Known = within(Family::Gie1_3, Family::Gie1_4);
pub(super) const UNTIL_GIE_1_5: Known = within(Family::Gie1_3, Family::Gie1_5);
pub(super) const GIE_1_4: Known = within(Family::Gie1_4, Family::Gie1_4);
pub(super) const GIE_1_4_AND_1_5: Known = within(Family::Gie1_4, Family::Gie1_5);
pub(super) const SINCE_GIE_1_4: Known = since(Family::Gie1_4);
pub(super) const GIE_1_5: Known = within(Family::Gie1_5, Family::Gie1_5);
pub(super) const SINCE_GIE_1_5: Known = since(Family::Gie1_5);
pub(super) const LLM_D_0_9: Known = within(Family::LlmD0_9, Family::LlmD0_9);
pub(super) const SINCE_LLM_D_0_9: Known = since(Family::LlmD0_9);
pub(super) const LLM_D_0_10: Known = since(Family::LlmD0_10);
/// The gate of a data layer that could be switched.
pub(super) const UNTIL_LLM_D_0_9: Known = within(Family::Gie1_3, Family::LlmD0_9);

const fn within(first: Family, last: Family) -> Known {
    Known { first, last }
}

const fn since(first: Family) -> Known {
    within(first, Family::LlmD0_10)
}

impl Known {
    /// Whether a release is among them.
    pub(super) fn has(self, family: Family) -> bool {
        (self.first..=self.last).contains(&family)
    }

    /// The releases, for people.
    fn releases(self) -> String {
        let (first, last) = (self.first.release(), self.last.release());
        if first == last { first } else { format!("{first} to {last}") }
    }
}

/// What would be right instead of a name that a release does not know, or knows otherwise: `what` it should be, who else
/// knows it, and what the release knows.
pub(super) fn unknown(
    what: &str,
    name: &str,
    family: Family,
    elsewhere: Option<Known>,
    known: &[&str],
) -> String {
    let release = family.release();
    if let Some(elsewhere) = elsewhere {
        return format!("must be {what} of {release}; it is one of {} only", elsewhere.releases());
    }
    match nearest(name, known) {
        Some(near) => format!("must be {what} of {release}; did you mean {near}?"),
        None if known.is_empty() => format!("must be left out: {release} has no such thing"),
        None => format!("must be {what} of {release}: {}", known.join(", ")),
    }
}
