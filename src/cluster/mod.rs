//! The function's second job: the block `gatewayInferenceExtension` of a cluster's composite resource.
//!
//! Shares `api`, `observe`'s reading of conditions, `deliver` and `report`'s words with the model stack; neither job
//! knows the other. Adds to a cluster what its model stacks need, and takes nothing away from anyone.

use std::collections::BTreeMap;

use crate::api::settings::Extension;
use crate::deliver;
use crate::kinds::provider_kubernetes::Object;
use crate::observe::ObservedCondition;
use crate::report::Event;

pub mod crds;
pub mod observe;
pub mod report;

pub use crds::CrdManifest;
pub use observe::ObservedCrd;

/// Names one composed resource of a cluster extension. Keys are API, as those of a model stack are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The stable `InferencePool`'s definition.
    InferencePoolCrd,
}

impl Key {
    /// Every key.
    pub const ALL: [Self; 1] = [Self::InferencePoolCrd];

    /// The composition-resource name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InferencePoolCrd => "inference_pool_crd",
        }
    }

    /// The key with that composition-resource name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.as_str() == name)
    }
}

/// What is observed in one call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The Object around the `InferencePool`'s definition.
    pub inference_pool_crd: Option<ObservedCrd>,
    /// The composite's conditions, by type.
    pub conditions: BTreeMap<String, ObservedCondition>,
}

/// One composed resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// Its composition-resource name.
    pub key: Key,
    /// The Object that wraps it.
    pub object: Object<CrdManifest>,
    /// Whether it is ready.
    pub ready: bool,
}

/// What one call comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// In the order of the keys.
    pub composed: Vec<Composed>,
    /// The only condition.
    pub condition: report::Condition,
    /// What has changed since the last call.
    pub event: Option<Event>,
}

/// What the cluster needs, by what was asked for and what is there.
pub fn extend(extension: &Extension, observed: &Observed) -> Answer {
    let crd = observed.inference_pool_crd.as_ref();
    let mut composed = Vec::new();
    if let Some(wanted) = &extension.wanted {
        // While a prerequisite is missing, what exists is kept and nothing is added.
        let hold = if wanted.missing.is_empty() || crd.is_some_and(|crd| crd.managed) {
            crds::hold(crd, wanted.release, &extension.owner)
        } else {
            crds::Hold::Observe
        };
        if wanted.missing.is_empty() || crd.is_some() {
            composed.push(Composed {
                key: Key::InferencePoolCrd,
                object: deliver::object(
                    &wanted.delivery,
                    crds::inference_pool(hold, wanted.release, &extension.owner),
                    Some(hold.management_policies()),
                    crds::ESTABLISHED,
                ),
                ready: crd.and_then(ObservedCrd::live).is_some_and(|live| live.established),
            });
        }
    }
    let condition = report::condition(extension, crd);
    Answer { composed, event: report::event(&condition, &observed.conditions), condition }
}

#[cfg(test)]
mod tests;
