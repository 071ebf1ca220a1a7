//! How an object reaches its cluster: wrapped into a provider-kubernetes `Object`, or as it is.

use serde::Serialize;

use crate::api::settings::{Delivery, ProviderConfigKind, Target, Transport};
use crate::compose::Composed;
use crate::kinds::gateway_api::{API_VERSION, GATEWAY, GATEWAY_CLASS};
use crate::kinds::provider_kubernetes::{
    CLUSTER_API_VERSION, ForProvider, NAMESPACED_API_VERSION, OBJECT, OBSERVE, Object, ObjectSpec,
    ProviderConfigRef, Readiness, UPDATE,
};
use crate::kinds::{Foreign, Manifest};
use crate::plan::names::gateways_label;
use crate::plan::{Holder, Plan};
use crate::report::readiness;

/// What Crossplane gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Delivered {
    /// An object inside another.
    Wrapped(Box<Object>),
    /// The object itself. Crossplane applies it, owns it and deletes it.
    Direct(Manifest),
}

/// What Crossplane is to do with an object of a model stack.
#[derive(Debug, Clone, PartialEq)]
pub enum Means {
    /// Compose this.
    Composed(Delivered),
    /// Look it up: nothing can be composed that is only looked at.
    LookedUp(Box<Foreign>),
    /// Nothing for this call: the Object that only looked has to go first, and takes nothing with it.
    LeftOut,
}

/// What Crossplane is asked for by this name: the Gateways among which one is found.
pub const GATEWAYS: &str = "gateways";

/// The same of the classes of Gateways.
pub const GATEWAY_CLASSES: &str = "gateway_classes";

/// Resources to look up, all with these labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Group and version.
    pub api_version: &'static str,
    /// Kind.
    pub kind: &'static str,
    /// `None` = all namespaces.
    pub namespace: Option<String>,
    /// Labels that they have.
    pub labels: Vec<(String, String)>,
}

/// Where the Gateways of the target cluster can be seen: as they are, or as the members of a collection that somebody
/// keeps of them. A namespaced provider configuration means something in its own namespace only.
pub fn gateways(transport: &Transport, namespace: Option<&str>) -> Lookup {
    let Transport::Objects(Delivery { target, provider_config_kind, provider_config_name }) = transport
    else {
        return Lookup { api_version: API_VERSION, kind: GATEWAY, namespace: None, labels: Vec::new() };
    };
    let (api_version, namespace) = match (target, provider_config_kind) {
        (Target::NamespacedObject, ProviderConfigKind::ProviderConfig) => {
            (NAMESPACED_API_VERSION, namespace.map(str::to_owned))
        }
        (Target::NamespacedObject, ProviderConfigKind::ClusterProviderConfig) => {
            (NAMESPACED_API_VERSION, None)
        }
        (Target::ClusterObject, _) => (CLUSTER_API_VERSION, None),
    };
    let labels = vec![gateways_label(provider_config_name)];
    Lookup { api_version, kind: OBJECT, namespace, labels }
}

/// All classes of Gateways on the cluster that Crossplane runs on.
pub const fn gateway_classes() -> Lookup {
    Lookup { api_version: API_VERSION, kind: GATEWAY_CLASS, namespace: None, labels: Vec::new() }
}

/// Delivers one object of a model stack.
pub fn deliver(plan: &Plan, composed: Composed) -> Means {
    let Composed { key, manifest } = composed;
    match &plan.transport {
        Transport::Objects(delivery) => {
            let policies = match plan.taken.get(&key) {
                Some(Holder::Gone) => return Means::LeftOut,
                Some(Holder::Other(_) | Holder::Unseen) => Some(vec![OBSERVE]),
                None => management_policies(&manifest),
            };
            let object = object(delivery, manifest, policies, readiness::cel_query(key));
            Means::Composed(Delivered::Wrapped(Box::new(object)))
        }
        Transport::Direct => {
            if let Manifest::Foreign(foreign) = manifest {
                Means::LookedUp(foreign)
            } else {
                Means::Composed(Delivered::Direct(manifest))
            }
        }
    }
}

/// An Object around any manifest, for any job.
pub fn object<M>(
    delivery: &Delivery,
    manifest: M,
    management_policies: Option<Vec<&'static str>>,
    cel_query: &'static str,
) -> Object<M> {
    let api_version = match delivery.target {
        Target::NamespacedObject => NAMESPACED_API_VERSION,
        Target::ClusterObject => CLUSTER_API_VERSION,
    };
    Object {
        api_version,
        kind: OBJECT,
        spec: ObjectSpec {
            provider_config_ref: provider_config_ref(delivery),
            management_policies,
            watch: true,
            readiness: Readiness { policy: "DeriveFromCelQuery", cel_query },
            for_provider: ForProvider { manifest },
        },
    }
}

/// The target cluster: providers of Crossplane's own style know it by a configuration of one name.
pub fn provider_config_ref(delivery: &Delivery) -> ProviderConfigRef {
    let kind = match delivery.target {
        Target::NamespacedObject => Some(provider_config_kind(delivery.provider_config_kind)),
        Target::ClusterObject => None,
    };
    ProviderConfigRef { kind, name: delivery.provider_config_name.clone() }
}

const fn provider_config_kind(kind: ProviderConfigKind) -> &'static str {
    match kind {
        ProviderConfigKind::ProviderConfig => "ProviderConfig",
        ProviderConfigKind::ClusterProviderConfig => "ClusterProviderConfig",
    }
}

/// What is somebody else's is only looked at; a second view of an object neither creates it nor deletes it with itself.
/// `None` is the provider's default, everything.
fn management_policies(manifest: &Manifest) -> Option<Vec<&'static str>> {
    if matches!(manifest, Manifest::Foreign(_)) {
        Some(vec![OBSERVE])
    } else if matches!(manifest, Manifest::Replicas(_)) {
        Some(vec![OBSERVE, UPDATE])
    } else {
        None
    }
}
