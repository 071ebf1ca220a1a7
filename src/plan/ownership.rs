//! Whose an object is: of two composites that mean the same object, one writes and one looks.
//!
//! Nobody sees before writing, and server-side apply by force leaves the owner mark of whoever wrote last: two that
//! repair their mark would do so for ever, each seeing no mark but its own. So each composite also leaves a claim under
//! a key of its own, which the other does not write over. Both then see both, and both come to the same answer: the
//! older composite keeps the object, the younger stops at its first look. It takes no memory and no clock, and whoever
//! looks again gets the same answer.
//!
//! | What is seen | Whose it is |
//! |---|---|
//! | no mark, or ours alone | ours: what older releases and people left is taken over |
//! | a foreign mark without a claim | theirs |
//! | an older claim | theirs |
//! | younger claims only | ours, whatever the mark says at present |
//! | nothing any more, where we only looked | theirs still, unless the object is gone: then the name is free |
//!
//! Without Objects nothing can be told to look only, and Crossplane itself refuses what another composite controls.

use std::collections::BTreeMap;

use crate::digest::digest;
use crate::observe::{Claim, Marks, Observed, ObservedObject, Synced, is_missing};

use super::keys::Key;
use super::names::{CLAIM_ANNOTATION_PREFIX, OWNER_ANNOTATION};

/// How it stands with an object that is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// It belongs to that composite.
    Other(String),
    /// It belonged to another, and cannot be seen at present.
    Unseen,
    /// It is gone, and the Object that looked at it goes before another one takes the name.
    ///
    /// That Object's status shows the former live object even after the provider has created ours: it writes the Object's
    /// annotations then, and with the answer reads the former status back (crossplane-runtime v2,
    /// `UpdateCriticalAnnotations`). Believed, it would make us only look again, and an Object that only looks is deleted
    /// without what it created.
    Gone,
}

/// What is seen of an object that we mean to write.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// Whose it says it is; `None` while nobody has seen it, or what was seen may be out of date.
    pub marks: Option<&'a Marks>,
    /// Whether its Object only looks.
    pub only_looks: bool,
    /// Whether the provider could reconcile that.
    pub synced: Option<&'a Synced>,
}

impl Sight<'_> {
    /// Who has the object, if it is not ours. Ours has the claim, unless the composite was never applied.
    pub fn holder(self, owner: &str, claim: Option<&Claim>) -> Option<Holder> {
        let Self { marks, only_looks, synced } = self;
        match marks {
            Some(marks) => holder(marks, owner, claim).map(Holder::Other),
            None if !only_looks => None,
            None => match synced {
                Some(Synced::False(why)) if is_missing(why) => Some(Holder::Gone),
                Some(Synced::False(_) | Synced::True | Synced::Missing) | None => Some(Holder::Unseen),
            },
        }
    }
}

/// Annotations that say whose an object is.
pub fn marks(owner: &str, claim: Option<&Claim>) -> BTreeMap<String, String> {
    let claim =
        claim.map(|claim| (format!("{CLAIM_ANNOTATION_PREFIX}{}", digest(&claim.owner)), claim.to_string()));
    [(OWNER_ANNOTATION.to_owned(), owner.to_owned())].into_iter().chain(claim).collect()
}

/// The objects that belong to others. Ours has the claim, unless the composite was never applied.
pub(super) fn taken(owner: &str, claim: Option<&Claim>, observed: &Observed) -> BTreeMap<Key, Holder> {
    observed
        .objects
        .iter()
        // What is only looked up never is ours, and the second view of the workload is judged by the first.
        .filter(|(key, _)| !Key::FOREIGN.contains(key) && **key != Key::ReplicasHandover)
        .filter_map(|(key, object)| {
            let ObservedObject { marks, only_looks, synced, .. } = object;
            let sight = Sight { marks: marks.as_ref(), only_looks: *only_looks, synced: synced.as_ref() };
            Some((*key, sight.holder(owner, claim)?))
        })
        .collect()
}

fn holder(marks: &Marks, owner: &str, claim: Option<&Claim>) -> Option<String> {
    let marked = marks.owner.as_ref().filter(|marked| *marked != owner);
    if let Some(marked) = marked
        && !marks.claims.iter().any(|claim| claim.owner == *marked)
    {
        return Some(marked.clone());
    }
    let oldest = marks.claims.iter().filter(|claim| claim.owner != owner).min()?;
    match claim {
        Some(ours) => (oldest < ours).then(|| oldest.owner.clone()),
        None => marked.cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Holder, taken};
    use crate::observe::{Claim, Marks, Observed, ObservedObject, Synced};
    use crate::plan::keys::Key;

    const US: &str = "team-b/llama";
    const THEM: &str = "team-a/llama";
    const EARLY: &str = "2026-11-21T04:00:00Z";
    const LATE: &str = "2026-11-21T04:00:01Z";

    fn claim(created: &str, owner: &str) -> Claim {
        Claim { created: created.to_owned(), owner: owner.to_owned() }
    }

    fn marked(owner: Option<&str>, claims: &[Claim]) -> Marks {
        Marks { owner: owner.map(str::to_owned), claims: claims.to_vec() }
    }

    fn judged(object: ObservedObject, us: Option<&Claim>) -> Option<Holder> {
        let observed = Observed { objects: [(Key::HttpRoute, object)].into(), ..Observed::default() };
        taken(US, us, &observed).remove(&Key::HttpRoute)
    }

    fn seen(marks: Marks) -> ObservedObject {
        ObservedObject { synced: Some(Synced::True), marks: Some(marks), ..ObservedObject::default() }
    }

    #[test]
    fn the_older_composite_keeps_an_object_whoever_wrote_it_last() {
        let them = Some(Holder::Other(THEM.to_owned()));
        let (we_late, we_early) = (claim(LATE, US), claim(EARLY, US));
        let cases = [
            (
                marked(None, &[]),
                Some(&we_late),
                None,
                "made by hand, or by a release without marks: taken over",
            ),
            (marked(Some(US), &[]), Some(&we_late), None, "ours, before we left claims"),
            (marked(Some(US), &[claim(EARLY, US)]), Some(&we_late), None, "ours, from before a restore"),
            (marked(Some(THEM), &[]), Some(&we_early), them.clone(), "marked by somebody who claims nothing"),
            (
                marked(Some(US), &[claim(EARLY, THEM)]),
                Some(&we_late),
                them.clone(),
                "we wrote last, they came first",
            ),
            (
                marked(Some(THEM), &[claim(LATE, THEM)]),
                Some(&we_early),
                None,
                "they wrote last, we came first",
            ),
            (
                marked(Some(US), &[claim(EARLY, THEM)]),
                Some(&we_early),
                them.clone(),
                "of one age the name decides",
            ),
            (
                marked(Some(US), &[claim(EARLY, THEM), we_late.clone()]),
                None,
                None,
                "a preview sees a mark of its own",
            ),
            (marked(Some(THEM), &[claim(EARLY, THEM)]), None, them, "and a foreign one"),
        ];
        for (marks, us, want, reason) in cases {
            assert_eq!(judged(seen(marks), us), want, "{reason}");
        }
    }

    /// Whatever the order of writes, the two never both write, and never both look.
    #[test]
    fn two_composites_come_to_opposite_answers() {
        for (ours, theirs) in [(EARLY, LATE), (LATE, EARLY), (EARLY, EARLY)] {
            for last in [US, THEM] {
                let marks = marked(Some(last), &[claim(ours, US), claim(theirs, THEM)]);
                let observed =
                    Observed { objects: [(Key::HttpRoute, seen(marks))].into(), ..Observed::default() };
                let we_look = !taken(US, Some(&claim(ours, US)), &observed).is_empty();
                let they_look = !taken(THEM, Some(&claim(theirs, THEM)), &observed).is_empty();
                assert_ne!(we_look, they_look, "{ours} and {theirs}, {last} wrote last");
            }
        }
    }

    #[test]
    fn what_was_taken_stays_so_until_it_is_gone() {
        let blind = |why: &str, only_looks| ObservedObject {
            synced: Some(Synced::False(why.to_owned())),
            only_looks,
            ..ObservedObject::default()
        };
        let cases = [
            (
                blind("connect failed", true),
                Some(Holder::Unseen),
                "what cannot be seen has not changed hands",
            ),
            (
                blind("observe failed: external resource does not exist", true),
                Some(Holder::Gone),
                "the name is free as soon as the Object is gone too",
            ),
            (blind("observe failed: external resource does not exist", false), None, "it is being created"),
            (blind("connect failed", false), None, "it was ours to write"),
            (
                ObservedObject { only_looks: true, ..ObservedObject::default() },
                Some(Holder::Unseen),
                "not looked at yet",
            ),
            (
                ObservedObject {
                    synced: Some(Synced::True),
                    only_looks: true,
                    unreadable: Some("nothing of it can be read".to_owned()),
                    ..ObservedObject::default()
                },
                Some(Holder::Unseen),
                "what cannot be read has not changed hands",
            ),
        ];
        for (object, want, reason) in cases {
            assert_eq!(judged(object, Some(&claim(LATE, US))), want, "{reason}");
        }
    }

    #[test]
    fn what_never_is_ours_cannot_be_taken() {
        for key in Key::FOREIGN.into_iter().chain([Key::ReplicasHandover]) {
            let object = seen(marked(Some(THEM), &[]));
            let observed = Observed { objects: [(key, object)].into(), ..Observed::default() };
            assert!(taken(US, None, &observed).is_empty(), "{key:?}");
        }
    }
}
