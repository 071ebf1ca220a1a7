//! How an object reaches its cluster: wrapped into a provider-kubernetes `Object`.

use crate::api::settings::{Delivery, ProviderConfigKind, Target};
use crate::compose::Composed;
use crate::kinds::Manifest;
use crate::kinds::provider_kubernetes::{
    CLUSTER_API_VERSION, ForProvider, NAMESPACED_API_VERSION, OBJECT, Object, ObjectSpec, ProviderConfigRef,
    Readiness,
};
use crate::report::readiness;

/// Wraps one object of a model stack.
pub fn wrap(delivery: &Delivery, composed: Composed) -> Object {
    let Composed { key, manifest } = composed;
    let policies = management_policies(&manifest);
    object(delivery, manifest, policies, readiness::cel_query(key))
}

/// An Object around any manifest, for any job.
pub fn object<M>(
    delivery: &Delivery,
    manifest: M,
    management_policies: Option<Vec<&'static str>>,
    cel_query: &'static str,
) -> Object<M> {
    let (api_version, provider_config_kind) = match delivery.target {
        Target::NamespacedObject => {
            (NAMESPACED_API_VERSION, Some(provider_config_kind(delivery.provider_config_kind)))
        }
        Target::ClusterObject => (CLUSTER_API_VERSION, None),
    };
    Object {
        api_version,
        kind: OBJECT,
        spec: ObjectSpec {
            provider_config_ref: ProviderConfigRef {
                kind: provider_config_kind,
                name: delivery.provider_config_name.clone(),
            },
            management_policies,
            watch: true,
            readiness: Readiness { policy: "DeriveFromCelQuery", cel_query },
            for_provider: ForProvider { manifest },
        },
    }
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
    if matches!(manifest, Manifest::Gateway(_) | Manifest::GeneratedRoute(_)) {
        Some(vec!["Observe"])
    } else if matches!(manifest, Manifest::Replicas(_)) {
        Some(vec!["Observe", "Update"])
    } else {
        None
    }
}
