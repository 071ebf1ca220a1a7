//! The definitions that a cluster gets, and when they are ours to write.
//!
//! A CRD outlives everything here: deleting it would delete every pool on the cluster, and writing an older one over a
//! newer one would drop fields that others rely on. So the first look only observes.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use crate::api::settings::InferenceRelease;
use crate::kinds::{Foreign, inference};
use crate::plan::names::OWNER_ANNOTATION;

use super::Key;
use super::observe::ObservedCrd;

mod inference_model_rewrite;
mod inference_objective;
mod inference_pool;
mod parts;
mod schema;

/// The release that a CRD of the inference extension belongs to.
pub const BUNDLE_ANNOTATION: &str = "inference.networking.k8s.io/bundle-version";
/// API groups under `k8s.io` have to say who approved them, or the API server marks the CRD.
const APPROVED_ANNOTATION: &str = "api-approved.kubernetes.io";

/// Whether the API server serves the kind; `object` is the CRD.
pub(super) const ESTABLISHED: &str = "has(object.status) && has(object.status.conditions) && \
     object.status.conditions.exists(c, c.type == 'Established' && c.status == 'True')";

/// A definition that a cluster gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Definition {
    /// `InferencePool`, which every model that is routed needs.
    InferencePool,
    /// `InferenceObjective`, which gives requests their priority.
    InferenceObjective,
    /// `InferenceModelRewrite`, which this function writes none of.
    InferenceModelRewrite,
}

impl Definition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::InferencePool, Self::InferenceObjective, Self::InferenceModelRewrite];

    /// Its place among the composed resources.
    pub const fn key(self) -> Key {
        match self {
            Self::InferencePool => Key::InferencePoolCrd,
            Self::InferenceObjective => Key::InferenceObjectiveCrd,
            Self::InferenceModelRewrite => Key::InferenceModelRewriteCrd,
        }
    }

    /// The definition of that key.
    pub fn of(key: Key) -> Option<Self> {
        Self::ALL.into_iter().find(|definition| definition.key() == key)
    }

    /// What it defines.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::InferencePool => inference::INFERENCE_POOL,
            Self::InferenceObjective => inference::INFERENCE_OBJECTIVE,
            Self::InferenceModelRewrite => inference::INFERENCE_MODEL_REWRITE,
        }
    }

    /// Whether a cluster gets it only where that is asked for: its API may change.
    pub const fn is_experimental(self) -> bool {
        match self {
            Self::InferencePool => false,
            Self::InferenceObjective | Self::InferenceModelRewrite => true,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::InferencePool => inference_pool::NAME,
            Self::InferenceObjective => inference_objective::NAME,
            Self::InferenceModelRewrite => inference_model_rewrite::NAME,
        }
    }

    fn spec(self, release: InferenceRelease) -> CustomResourceDefinitionSpec {
        match self {
            Self::InferencePool => inference_pool::spec(release),
            Self::InferenceObjective => inference_objective::spec(),
            Self::InferenceModelRewrite => inference_model_rewrite::spec(),
        }
    }
}

/// A CRD, or its name where it is only observed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum CrdManifest {
    /// To be written.
    Whole(Box<CustomResourceDefinition>),
    /// To be looked at.
    Identity(Box<Foreign>),
}

/// The numbers of a release: what comes after them does not make it newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bundle(u32, u32, u32);

impl Bundle {
    /// `v1.5.0`, `v1.6.0-rc.1`; `None` for what cannot be compared, such as `main`.
    pub fn parse(version: &str) -> Option<Self> {
        let numbers = version.strip_prefix('v')?.split(['-', '+']).next()?;
        let mut numbers = numbers.split('.').map(|number| number.parse().ok());
        let bundle = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(bundle)
    }
}

impl std::fmt::Display for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(major, minor, patch) = self;
        write!(f, "v{major}.{minor}.{patch}")
    }
}

impl From<InferenceRelease> for Bundle {
    fn from(release: InferenceRelease) -> Self {
        match release {
            InferenceRelease::V1_3_1 => Self(1, 3, 1),
            InferenceRelease::V1_5_0 => Self(1, 5, 0),
        }
    }
}

/// What may be done to a CRD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Look at it.
    Observe,
    /// Create it, or write over it.
    Manage,
}

impl Hold {
    /// Never `Delete`: the pools of a cluster go with their definition.
    pub(super) fn management_policies(self) -> Vec<&'static str> {
        match self {
            Self::Observe => vec!["Observe"],
            Self::Manage => vec!["Observe", "Create", "Update"],
        }
    }
}

/// What may be done to the CRD that is observed.
///
/// One that is not there is created, and one of an older bundle updated. Anything else is looked at, what was written
/// here included: a provider that may write takes back at once what somebody brings, before anybody can see that it is
/// newer.
pub(super) fn hold(observed: Option<&ObservedCrd>, release: InferenceRelease) -> Hold {
    let Some(observed) = observed else { return Hold::Observe };
    let manage = match observed.live() {
        Some(live) => live.bundle.is_some_and(|bundle| bundle < Bundle::from(release)),
        // What the provider cannot do right now decides nothing.
        None => observed.managed || observed.is_absent(),
    };
    if manage { Hold::Manage } else { Hold::Observe }
}

/// The CRD, as far as it is ours to write.
///
/// One that this Object wrote is handed over whole even where it is only looked at: the provider reckons what would come
/// of the manifest, and an API server refuses one that takes back what a definition cannot be without.
pub(super) fn manifest(
    definition: Definition,
    hold: Hold,
    observed: Option<&ObservedCrd>,
    release: InferenceRelease,
    owner: &str,
) -> CrdManifest {
    let name = Some(definition.name().to_owned());
    let is_written = observed.is_some_and(|crd| crd.whole || crd.is_refused());
    match hold {
        Hold::Observe if !is_written => CrdManifest::Identity(Box::new(Foreign {
            api_version: <CustomResourceDefinition as k8s_openapi::Resource>::API_VERSION,
            kind: <CustomResourceDefinition as k8s_openapi::Resource>::KIND,
            metadata: ObjectMeta { name, ..ObjectMeta::default() },
        })),
        Hold::Observe | Hold::Manage => {
            let mut annotations = BTreeMap::from([
                (BUNDLE_ANNOTATION.to_owned(), Bundle::from(release).to_string()),
                (OWNER_ANNOTATION.to_owned(), owner.to_owned()),
            ]);
            if !definition.is_experimental() {
                annotations.insert(APPROVED_ANNOTATION.to_owned(), inference_pool::APPROVED.to_owned());
            }
            CrdManifest::Whole(Box::new(CustomResourceDefinition {
                metadata: ObjectMeta { name, annotations: Some(annotations), ..ObjectMeta::default() },
                spec: definition.spec(release),
                status: None,
            }))
        }
    }
}
