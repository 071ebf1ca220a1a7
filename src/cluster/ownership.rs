//! Whose is what stands beside the router: two composites that extend one cluster mean the same objects.

use std::collections::BTreeMap;

use crate::api::settings::Extension;
use crate::observe::Claim;
use crate::plan::{Holder, Sight, marks};

use super::{Key, Observed, ObservedObject};

/// Who we are to other composites.
#[derive(Debug)]
pub(super) struct Us<'a> {
    /// The owner mark.
    pub(super) owner: &'a str,
    claim: Option<Claim>,
}

impl<'a> Us<'a> {
    pub(super) fn of(extension: &'a Extension) -> Self {
        let Extension { owner, created, wanted: _, ttl: _ } = extension;
        let claim = created.clone().map(|created| Claim { created, owner: owner.clone() });
        Self { owner, claim }
    }

    /// Annotations that say so.
    pub(super) fn marks(&self) -> BTreeMap<String, String> {
        marks(self.owner, self.claim.as_ref())
    }

    /// Who has what we mean to write under that key, if it is not ours.
    pub(super) fn holder(&self, key: Key, observed: &Observed) -> Option<Holder> {
        // The chart's, which nobody here writes.
        if key == Key::BodyBasedRouterDeployment {
            return None;
        }
        let ObservedObject { synced, available_replicas: _, only_looks, marks } =
            observed.objects.get(&key)?;
        let sight = Sight { marks: marks.as_ref(), only_looks: *only_looks, synced: synced.as_ref() };
        sight.holder(self.owner, self.claim.as_ref())
    }
}
