//! The body-based router: a chart, and what has a Gateway ask what is in it.
//!
//! The Gateway refuses every request that it cannot have read, so nothing asks the router before one answers, and it
//! goes only when nothing asks it any more.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use crate::api::settings::{Caller, GatewayPlace, Wanted};
use crate::deliver;
use crate::kinds::agentgateway::AgentgatewayPolicySpec;
use crate::kinds::istio::{DestinationRuleSpec, EnvoyFilterSpec};
use crate::kinds::provider_kubernetes::OBSERVE;
use crate::kinds::{APPS_API_VERSION, DEPLOYMENT, Foreign, Resource as Typed};
use crate::observe::Synced;
use crate::plan::Holder;
use crate::report::readiness::{EXISTS, SOME_AVAILABLE};

use super::{Composed, Key, Observed, Resource, Us};

mod chart;
mod companions;

/// The router's Service and Deployment, and what is made for it.
const NAME: &str = "body-based-router";
/// Where Gateways ask it.
const PORT: u16 = 9004;

/// What stands beside the chart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is named after its kind")]
pub enum Companion {
    AgentgatewayPolicy(Box<Typed<AgentgatewayPolicySpec>>),
    Deployment(Box<Foreign>),
    DestinationRule(Box<Typed<DestinationRuleSpec>>),
    EnvoyFilter(Box<Typed<EnvoyFilterSpec>>),
    PodDisruptionBudget(Box<PodDisruptionBudget>),
}

/// What is desired of it, in the order of the keys.
pub(super) fn compose(wanted: &Wanted, observed: &Observed, us: &Us<'_>) -> Vec<Composed> {
    Key::ALL
        .into_iter()
        .filter(|key| is_desired(*key, wanted, observed, us))
        .filter(|key| wanted.missing.is_empty() || observed.has(*key))
        .filter_map(|key| {
            let resource = resource(key, wanted, us, us.holder(key, observed).as_ref())?;
            Some(Composed { key, resource, ready: is_ready(key, observed, us) })
        })
        .collect()
}

/// Whether the chart is to be there for its own sake.
pub(super) fn is_wanted(wanted: &Wanted) -> bool {
    wanted.router.enabled
        && match wanted.router.caller {
            Caller::Unknown | Caller::Istio(_) | Caller::Gke(_) => true,
            Caller::Agentgateway(_) => false,
        }
}

/// The Gateway that a companion has do something, and that companion.
pub(super) fn connection(wanted: &Wanted) -> Option<(Key, &GatewayPlace)> {
    match &wanted.router.caller {
        _ if !wanted.router.enabled => None,
        Caller::Istio(gateway) => Some((Key::BodyBasedRouterFilter, gateway)),
        Caller::Agentgateway(gateway) => Some((Key::BodyBasedRouterPolicy, gateway)),
        // On GKE the chart makes it.
        Caller::Unknown | Caller::Gke(_) => None,
    }
}

fn is_desired(key: Key, wanted: &Wanted, observed: &Observed, us: &Us<'_>) -> bool {
    let asks = |key| connection(wanted).is_some_and(|(connection, _)| connection == key);
    // The Gateway fails while it asks what is no longer there.
    let is_asked = observed.has(Key::BodyBasedRouterFilter);
    let stays = is_wanted(wanted) || is_asked && observed.has(Key::BodyBasedRouter);
    // The namespace comes with the chart.
    let is_installed = observed.router.as_ref().is_some_and(|release| release.ready);
    match key {
        Key::InferencePoolCrd
        | Key::InferenceObjectiveCrd
        | Key::InferenceModelRewriteCrd
        | Key::Gateways => false,
        Key::BodyBasedRouter => stays,
        Key::BodyBasedRouterDeployment => stays && (is_installed || observed.has(key)),
        Key::BodyBasedRouterDisruptionBudget => {
            stays && wanted.router.replicas > 1 && (is_installed || observed.has(key))
        }
        Key::BodyBasedRouterDestinationRule => {
            is_asked && stays || asks(Key::BodyBasedRouterFilter) && (is_installed || observed.has(key))
        }
        Key::BodyBasedRouterFilter => {
            asks(key)
                && (is_asked
                    || is_ready(Key::BodyBasedRouterDeployment, observed, us)
                        && is_ready(Key::BodyBasedRouterDestinationRule, observed, us))
        }
        Key::BodyBasedRouterPolicy => asks(key),
    }
}

/// Nothing of what another composite had, until the Object that only looked at it is gone.
fn resource(key: Key, wanted: &Wanted, us: &Us<'_>, holder: Option<&Holder>) -> Option<Resource> {
    let router = &wanted.router;
    let beside_it = || meta(NAME, &router.namespace, Some(us.marks()));
    let policies = match holder {
        Some(Holder::Gone) => return None,
        Some(Holder::Other(_) | Holder::Unseen) => Some(vec![OBSERVE]),
        None => None,
    };
    let (manifest, policies, query) = match key {
        Key::InferencePoolCrd
        | Key::InferenceObjectiveCrd
        | Key::InferenceModelRewriteCrd
        | Key::Gateways => return None,
        Key::BodyBasedRouter => {
            return Some(Resource::Release(Box::new(chart::release(&wanted.delivery, router))));
        }
        Key::BodyBasedRouterDeployment => {
            let deployment = Foreign {
                api_version: APPS_API_VERSION,
                kind: DEPLOYMENT,
                metadata: meta(NAME, &router.namespace, None),
            };
            (Companion::Deployment(Box::new(deployment)), Some(vec![OBSERVE]), SOME_AVAILABLE)
        }
        Key::BodyBasedRouterDisruptionBudget => {
            let budget = companions::disruption_budget(beside_it());
            (Companion::PodDisruptionBudget(Box::new(budget)), policies, EXISTS)
        }
        Key::BodyBasedRouterDestinationRule => {
            let rule = companions::destination_rule(beside_it());
            (Companion::DestinationRule(Box::new(rule)), policies, EXISTS)
        }
        Key::BodyBasedRouterFilter | Key::BodyBasedRouterPolicy => {
            let (_, gateway) = connection(wanted)?;
            let metadata = meta(NAME, &gateway.namespace, Some(us.marks()));
            let companion = if key == Key::BodyBasedRouterFilter {
                let filter = companions::filter(metadata, gateway, &router.namespace, wanted.release);
                Companion::EnvoyFilter(Box::new(filter))
            } else {
                Companion::AgentgatewayPolicy(Box::new(companions::policy(metadata, gateway)))
            };
            (companion, policies, EXISTS)
        }
    };
    let object = deliver::object(&wanted.delivery, manifest, policies, query);
    Some(Resource::Companion(Box::new(object)))
}

/// Whether that resource does what it is there for.
pub(super) fn is_ready(key: Key, observed: &Observed, us: &Us<'_>) -> bool {
    match key {
        Key::InferencePoolCrd
        | Key::InferenceObjectiveCrd
        | Key::InferenceModelRewriteCrd
        | Key::Gateways => false,
        Key::BodyBasedRouter => observed.router.as_ref().is_some_and(|release| release.ready),
        Key::BodyBasedRouterDeployment => observed.objects.get(&key).is_some_and(|object| {
            object.synced == Some(Synced::True) && object.available_replicas.is_some_and(|count| count > 0)
        }),
        // What is optional does not hold up the rest.
        Key::BodyBasedRouterDisruptionBudget => true,
        Key::BodyBasedRouterDestinationRule | Key::BodyBasedRouterFilter | Key::BodyBasedRouterPolicy => {
            let is_there =
                observed.objects.get(&key).is_some_and(|object| object.synced == Some(Synced::True));
            is_there && us.holder(key, observed).is_none()
        }
    }
}

fn meta(name: &str, namespace: &str, annotations: Option<BTreeMap<String, String>>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        annotations,
        ..ObjectMeta::default()
    }
}

#[cfg(test)]
mod tests;
