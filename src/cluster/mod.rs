//! The function's second job: the block `gatewayInferenceExtension` of a cluster's composite resource.
//!
//! Shares `api`, `observe`'s reading of conditions, `plan`'s names and its judgement of whose an object is, `deliver` and
//! `report`'s words with the model stack; neither job decides for the other. Adds to a cluster what its model stacks need,
//! and takes nothing away from anyone.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::api::settings::{Extension, Wanted};
use crate::deliver;
use crate::kinds::provider_helm::Release;
use crate::kinds::provider_kubernetes::{Object, ObservedObjectCollection};
use crate::observe::ObservedCondition;
use crate::protocol::{Fault, look_into};
use crate::report::Event;

pub mod crds;
#[cfg(test)]
mod fixtures;
mod gateways;
pub mod observe;
mod ownership;
pub mod report;
pub mod router;

pub use crds::{CrdManifest, Definition};
pub use observe::{ObservedCollection, ObservedCrd, ObservedObject, ObservedRelease};
pub use router::Companion;

use ownership::Us;

/// Names one composed resource of a cluster extension. Keys are API, as those of a model stack are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The stable `InferencePool`'s definition.
    InferencePoolCrd,
    /// `InferenceObjective`'s.
    InferenceObjectiveCrd,
    /// `InferenceModelRewrite`'s.
    InferenceModelRewriteCrd,
    /// The chart of the body-based router.
    BodyBasedRouter,
    /// Its Deployment, which the chart makes: looked at.
    BodyBasedRouterDeployment,
    /// Keeps drains from taking all of it.
    BodyBasedRouterDisruptionBudget,
    /// Has Istio ask it over TLS.
    BodyBasedRouterDestinationRule,
    /// Has a Gateway of Istio ask it.
    BodyBasedRouterFilter,
    /// Has a Gateway of agentgateway do without it.
    BodyBasedRouterPolicy,
    /// The collection of its Gateways, among which models find theirs.
    Gateways,
}

impl Key {
    /// Every key.
    pub const ALL: [Self; 10] = [
        Self::InferencePoolCrd,
        Self::InferenceObjectiveCrd,
        Self::InferenceModelRewriteCrd,
        Self::BodyBasedRouter,
        Self::BodyBasedRouterDeployment,
        Self::BodyBasedRouterDisruptionBudget,
        Self::BodyBasedRouterDestinationRule,
        Self::BodyBasedRouterFilter,
        Self::BodyBasedRouterPolicy,
        Self::Gateways,
    ];

    /// The composition-resource name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InferencePoolCrd => "inference_pool_crd",
            Self::InferenceObjectiveCrd => "inference_objective_crd",
            Self::InferenceModelRewriteCrd => "inference_model_rewrite_crd",
            Self::BodyBasedRouter => "body_based_router",
            Self::BodyBasedRouterDeployment => "body_based_router_deployment",
            Self::BodyBasedRouterDisruptionBudget => "body_based_router_disruption_budget",
            Self::BodyBasedRouterDestinationRule => "body_based_router_destination_rule",
            Self::BodyBasedRouterFilter => "body_based_router_filter",
            Self::BodyBasedRouterPolicy => "body_based_router_policy",
            Self::Gateways => "gateways",
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
    /// The Objects around definitions.
    pub crds: BTreeMap<Definition, ObservedCrd>,
    /// The Release of the body-based router.
    pub router: Option<ObservedRelease>,
    /// The collection of Gateways.
    pub gateways: Option<ObservedCollection>,
    /// The other Objects, by their keys.
    pub objects: BTreeMap<Key, ObservedObject>,
    /// The composite's conditions, by type.
    pub conditions: BTreeMap<String, ObservedCondition>,
}

impl Observed {
    /// Reads one composed resource.
    pub fn take(&mut self, key: Key, resource: &[u8]) -> Result<(), Fault> {
        if let Some(definition) = Definition::of(key) {
            self.crds.insert(definition, look_into(resource, ObservedCrd::of)?);
        } else if key == Key::BodyBasedRouter {
            self.router = Some(look_into(resource, ObservedRelease::of)?);
        } else if key == Key::Gateways {
            self.gateways = Some(look_into(resource, ObservedCollection::of)?);
        } else {
            self.objects.insert(key, look_into(resource, ObservedObject::of)?);
        }
        Ok(())
    }

    /// Whether there is such a composed resource.
    pub fn has(&self, key: Key) -> bool {
        match Definition::of(key) {
            Some(definition) => self.crds.contains_key(&definition),
            None if key == Key::BodyBasedRouter => self.router.is_some(),
            None if key == Key::Gateways => self.gateways.is_some(),
            None => self.objects.contains_key(&key),
        }
    }
}

/// One composed resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// Its composition-resource name.
    pub key: Key,
    /// The resource.
    pub resource: Resource,
    /// Whether it is ready.
    pub ready: bool,
}

/// What Crossplane gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Resource {
    /// An Object around a CRD.
    Crd(Box<Object<CrdManifest>>),
    /// A chart.
    Release(Box<Release>),
    /// An Object around what stands beside the chart.
    Companion(Box<Object<Companion>>),
    /// A collection.
    Collection(Box<ObservedObjectCollection>),
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
    let us = Us::of(extension);
    let mut composed = Vec::new();
    if let Some(wanted) = &extension.wanted {
        composed.extend(definitions(wanted).filter_map(|it| define(it, wanted, observed, us.owner)));
        composed.extend(router::compose(wanted, observed, &us));
        composed.extend(gateways::compose(wanted, observed));
    }
    let condition = report::condition(extension, observed, &us);
    Answer { composed, event: report::event(&condition, &observed.conditions), condition }
}

/// The definitions that a cluster is to have.
fn definitions(wanted: &Wanted) -> impl Iterator<Item = Definition> {
    let experimental = wanted.experimental;
    Definition::ALL.into_iter().filter(move |definition| experimental || !definition.is_experimental())
}

/// While a prerequisite is missing, what exists is kept and nothing is added.
fn define(definition: Definition, wanted: &Wanted, observed: &Observed, owner: &str) -> Option<Composed> {
    let crd = observed.crds.get(&definition);
    if !wanted.missing.is_empty() && crd.is_none() {
        return None;
    }
    let hold = if wanted.missing.is_empty() || crd.is_some_and(|crd| crd.managed) {
        crds::hold(crd, wanted.release)
    } else {
        crds::Hold::Observe
    };
    let object = deliver::object(
        &wanted.delivery,
        crds::manifest(definition, hold, crd, wanted.release, owner),
        Some(hold.management_policies()),
        crds::ESTABLISHED,
    );
    Some(Composed {
        key: definition.key(),
        resource: Resource::Crd(Box::new(object)),
        ready: crd.and_then(ObservedCrd::live).is_some_and(|live| live.established),
    })
}

#[cfg(test)]
mod tests;
