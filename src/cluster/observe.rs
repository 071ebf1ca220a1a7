//! What the Objects of an extension say, and the Release of its router.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::kinds::provider_kubernetes::OBSERVE;
use crate::observe::{ConditionFacts, Marks, ObjectConditions, Synced, is_missing, list};
use crate::plan::names::OWNER_ANNOTATION;

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

#[derive(Deserialize)]
struct Object {
    spec: Option<Spec>,
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default, deserialize_with = "list")]
    management_policies: Vec<String>,
    for_provider: Option<ForProvider>,
}

#[derive(Deserialize)]
struct ForProvider {
    manifest: Option<Written>,
}

#[derive(Deserialize)]
struct Written {
    spec: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default)]
    conditions: ObjectConditions,
    at_provider: Option<AtProvider>,
}

#[derive(Deserialize)]
struct AtProvider {
    manifest: Option<Manifest>,
}

#[derive(Deserialize)]
struct Manifest {
    metadata: Option<Metadata>,
    status: Option<CrdStatus>,
}

#[derive(Deserialize)]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct CrdStatus {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
}

#[derive(Deserialize)]
struct Release {
    status: Option<ReleaseStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReleaseStatus {
    #[serde(default)]
    conditions: ObjectConditions,
    at_provider: Option<Installed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Installed {
    state: Option<String>,
    release_description: Option<String>,
}

#[derive(Deserialize)]
struct Collection {
    status: Option<CollectionStatus>,
}

#[derive(Deserialize)]
struct CollectionStatus {
    #[serde(default)]
    conditions: ObjectConditions,
}

/// The Object around anything that has replicas, or nothing to tell.
#[derive(Deserialize)]
struct Wrapper {
    spec: Option<WrapperSpec>,
    status: Option<WrapperStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrapperSpec {
    #[serde(default, deserialize_with = "list")]
    management_policies: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrapperStatus {
    #[serde(default)]
    conditions: ObjectConditions,
    at_provider: Option<Seen>,
}

#[derive(Deserialize)]
struct Seen {
    manifest: Option<Live>,
}

#[derive(Deserialize)]
struct Live {
    #[serde(default)]
    metadata: LiveMetadata,
    status: Option<LiveStatus>,
}

#[derive(Default, Deserialize)]
struct LiveMetadata {
    #[serde(default)]
    annotations: Marks,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LiveStatus {
    available_replicas: Option<u32>,
}

impl<'de> Deserialize<'de> for ObservedObject {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Wrapper { spec, status } = Wrapper::deserialize(from)?;
        let only_looks = spec.is_some_and(|spec| spec.management_policies == [OBSERVE]);
        let Some(WrapperStatus { conditions, at_provider }) = status else {
            return Ok(Self { only_looks, ..Self::default() });
        };
        let ObjectConditions { synced, .. } = conditions;
        let (marks, status) = at_provider
            .and_then(|seen| seen.manifest)
            .map(|Live { metadata, status }| (metadata.annotations, status))
            .unzip();
        Ok(Self {
            available_replicas: status
                .flatten()
                .and_then(|LiveStatus { available_replicas }| available_replicas),
            only_looks,
            marks: marks.filter(|_| synced == Some(Synced::True)),
            synced,
        })
    }
}

/// What Helm calls an installation that failed (helm.sh/helm/v3, `pkg/release/status.go`).
const FAILED: &str = "failed";

impl<'de> Deserialize<'de> for ObservedRelease {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Some(ReleaseStatus { conditions, at_provider }) = Release::deserialize(from)?.status else {
            return Ok(Self::default());
        };
        let failed = at_provider.filter(|installed| installed.state.as_deref() == Some(FAILED));
        Ok(Self {
            synced: conditions.synced,
            ready: conditions.ready,
            failure: failed.map(|installed| installed.release_description.unwrap_or_default()),
        })
    }
}

impl<'de> Deserialize<'de> for ObservedCollection {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let status = Collection::deserialize(from)?.status;
        let ObjectConditions { synced, ready } = status.map(|status| status.conditions).unwrap_or_default();
        Ok(Self { synced, ready })
    }
}

impl<'de> Deserialize<'de> for ObservedCrd {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Object { spec, status } = Object::deserialize(from)?;
        let (policies, written) = spec.map_or_else(
            || (Vec::new(), None),
            |spec| (spec.management_policies, spec.for_provider.and_then(|it| it.manifest)),
        );
        let (conditions, manifest) = status.map_or_else(
            || (ObjectConditions::default(), None),
            |status| (status.conditions, status.at_provider.and_then(|at_provider| at_provider.manifest)),
        );
        Ok(Self {
            synced: conditions.synced,
            managed: policies.iter().any(|policy| policy == "Create"),
            whole: written.is_some_and(|written| written.spec.is_some()),
            last_seen: manifest.map(live),
        })
    }
}

fn live(Manifest { metadata, status }: Manifest) -> LiveCrd {
    let mut annotations = metadata.and_then(|metadata| metadata.annotations).unwrap_or_default();
    let conditions = status.map(|status| status.conditions).unwrap_or_default();
    LiveCrd {
        owner: annotations.remove(OWNER_ANNOTATION),
        bundle: annotations.remove(BUNDLE_ANNOTATION).and_then(|version| Bundle::parse(&version)),
        established: conditions
            .iter()
            .any(|condition| condition.kind == "Established" && condition.status == "True"),
    }
}
