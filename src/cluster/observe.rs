//! What the Objects of an extension say, and the Release of its router.

use crate::observe::{Marks, ObjectConditions, Synced, is_missing, only_observe};
use crate::plan::names::OWNER_ANNOTATION;
use crate::protocol::{Fault, Item};

use super::crds::{BUNDLE_ANNOTATION, Bundle};

/// What provider-kubernetes says where it has read an object and cannot reckon what ours would make of it (v1.2.1,
/// `internal/controller/namespaced/object/syncer.go`).
///
/// It reckons even where it may only observe, and an API server refuses a manifest without the fields that the same
/// Object wrote before, as one does that has come back.
const READ_BUT_REFUSED: &str = "cannot dry run SSA";

/// The Object around a CRD, as observed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservedCrd {
    /// Whether the provider could reconcile it.
    pub synced: Option<Synced>,
    /// Whether it was asked to create what is not there.
    pub managed: bool,
    /// Whether the Object holds the whole definition, and not its name alone.
    pub whole: bool,
    /// The CRD as the provider saw it last, which may be out of date.
    pub last_seen: Option<LiveCrd>,
}

/// A live CRD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveCrd {
    /// Our owner mark, if it has one.
    pub owner: Option<String>,
    /// The release that it belongs to, if it says so in a way that can be compared.
    pub bundle: Option<Bundle>,
    /// Whether the API server serves the kind.
    pub established: bool,
}

impl ObservedCrd {
    /// The live CRD, as long as what is known of it holds.
    pub fn live(&self) -> Option<&LiveCrd> {
        self.last_seen.as_ref().filter(|_| match &self.synced {
            Some(Synced::True) => true,
            Some(Synced::False(_)) => self.is_refused(),
            Some(Synced::Missing) | None => false,
        })
    }

    /// Whether the live CRD is known, and what is said of it here cannot be laid over it.
    pub fn is_refused(&self) -> bool {
        matches!(&self.synced, Some(Synced::False(why)) if why.contains(READ_BUT_REFUSED))
    }

    /// Whether the cluster is known to have none.
    pub fn is_absent(&self) -> bool {
        matches!(&self.synced, Some(Synced::False(why)) if is_missing(why))
    }
}

/// Any other Object, as observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedObject {
    /// Whether the provider could reconcile it.
    pub synced: Option<Synced>,
    /// How many replicas the live object has that answer.
    pub available_replicas: Option<u32>,
    /// Whether it was only to look.
    pub only_looks: bool,
    /// Whose the live object is, `None` until the provider has seen it or while the Object is not Synced.
    pub marks: Option<Marks>,
}

/// A Release, as observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedRelease {
    /// Whether the provider could reconcile it.
    pub synced: Option<Synced>,
    /// Whether what is installed is what is asked for.
    pub ready: bool,
    /// What Helm says of an installation that failed.
    pub failure: Option<String>,
}

/// A collection, as observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedCollection {
    /// Whether the provider could reconcile it.
    pub synced: Option<Synced>,
    /// Whether it has all its members.
    pub ready: bool,
}

/// What Helm calls an installation that failed (helm.sh/helm/v3, `pkg/release/status.go`).
const FAILED: &str = "failed";

impl ObservedCrd {
    pub(super) fn of(object: &Item<'_, '_>) -> Result<Self, Fault> {
        let [spec, status] = object.fields(["spec", "status"])?;
        let [policies, for_provider] = spec.fields(["managementPolicies", "forProvider"])?;
        let [written] = for_provider.fields(["manifest"])?;
        let [definition] = written.fields(["spec"])?;
        let [conditions, at_provider] = status.fields(["conditions", "atProvider"])?;
        let [manifest] = at_provider.fields(["manifest"])?;
        let mut managed = false;
        policies.each_item(|policy| {
            managed |= policy.is("Create")?;
            Ok(())
        })?;
        Ok(Self {
            synced: ObjectConditions::of(&conditions)?.synced,
            managed,
            whole: !definition.is_null()?,
            last_seen: if manifest.is_null()? { None } else { Some(LiveCrd::of(&manifest)?) },
        })
    }
}

impl LiveCrd {
    fn of(manifest: &Item<'_, '_>) -> Result<Self, Fault> {
        let [metadata, status] = manifest.fields(["metadata", "status"])?;
        let [annotations] = metadata.fields(["annotations"])?;
        let [owner, bundle] = annotations.fields([OWNER_ANNOTATION, BUNDLE_ANNOTATION])?;
        let [conditions] = status.fields(["conditions"])?;
        let mut established = false;
        conditions.each_item(|condition| {
            let [kind, status] = condition.fields(["type", "status"])?;
            established |= kind.is("Established")? && status.is("True")?;
            Ok(())
        })?;
        Ok(Self { owner: owner.owned()?, bundle: bundle.text()?.and_then(Bundle::parse), established })
    }
}

impl ObservedObject {
    pub(super) fn of(object: &Item<'_, '_>) -> Result<Self, Fault> {
        let [spec, status] = object.fields(["spec", "status"])?;
        let [policies] = spec.fields(["managementPolicies"])?;
        let [conditions, at_provider] = status.fields(["conditions", "atProvider"])?;
        let [manifest] = at_provider.fields(["manifest"])?;
        let [metadata, live] = manifest.fields(["metadata", "status"])?;
        let [annotations] = metadata.fields(["annotations"])?;
        let [available_replicas] = live.fields(["availableReplicas"])?;
        let ObjectConditions { synced, .. } = ObjectConditions::of(&conditions)?;
        let is_seen = synced == Some(Synced::True) && !manifest.is_null()?;
        Ok(Self {
            available_replicas: available_replicas.number()?,
            only_looks: only_observe(&policies)?,
            marks: if is_seen { Some(Marks::of(&annotations)?) } else { None },
            synced,
        })
    }
}

impl ObservedRelease {
    pub(super) fn of(release: &Item<'_, '_>) -> Result<Self, Fault> {
        let [status] = release.fields(["status"])?;
        let [conditions, at_provider] = status.fields(["conditions", "atProvider"])?;
        let [state, description] = at_provider.fields(["state", "releaseDescription"])?;
        let ObjectConditions { synced, ready } = ObjectConditions::of(&conditions)?;
        let failure = if state.is(FAILED)? { Some(description.owned()?.unwrap_or_default()) } else { None };
        Ok(Self { synced, ready, failure })
    }
}

impl ObservedCollection {
    pub(super) fn of(collection: &Item<'_, '_>) -> Result<Self, Fault> {
        let [status] = collection.fields(["status"])?;
        let [conditions] = status.fields(["conditions"])?;
        let ObjectConditions { synced, ready } = ObjectConditions::of(&conditions)?;
        Ok(Self { synced, ready })
    }
}
