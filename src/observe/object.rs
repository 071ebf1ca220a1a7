//! provider-kubernetes' `Object`, namespaced or not: what we asked for, and the live object inside.

use serde::Deserialize;

use crate::kinds::provider_kubernetes::OBSERVE;
use crate::protocol::from_struct;

use super::live::list;
use super::marks::Marks;
use super::{Asked, ConditionFacts, Form, Live, ObservedObject, Synced};

/// An Object around a live object that reads as `M`.
#[derive(Deserialize)]
pub(super) struct Object<M> {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<Spec>,
    status: Option<Status<M>>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    provider_config_ref: Option<ProviderConfigRef>,
    #[serde(default, deserialize_with = "list")]
    management_policies: Vec<String>,
    for_provider: Option<ForProvider>,
}

#[derive(Deserialize)]
struct ProviderConfigRef {
    name: Option<String>,
}

#[derive(Deserialize)]
struct ForProvider {
    manifest: Option<AskedManifest>,
}

/// What decisions hang on, of whichever kind.
#[derive(Default, Deserialize)]
pub(super) struct AskedManifest {
    metadata: Option<AskedMetadata>,
    spec: Option<AskedSpec>,
}

#[derive(Default, Deserialize)]
struct AskedMetadata {
    name: Option<String>,
    namespace: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AskedSpec {
    replicas: Option<u32>,
    deployment_config: Option<DeploymentConfig>,
    #[serde(default, deserialize_with = "list")]
    rules: Vec<IngressRule>,
    #[serde(default, deserialize_with = "list")]
    parent_refs: Vec<ParentRef>,
}

#[derive(Deserialize)]
struct ParentRef {
    name: Option<String>,
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct DeploymentConfig {
    replicas: Option<u32>,
}

/// An `HTTPRoute` has rules too; they have no host.
#[derive(Deserialize)]
struct IngressRule {
    host: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<M> {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
    at_provider: Option<AtProvider<M>>,
}

#[derive(Deserialize)]
struct AtProvider<M> {
    manifest: Option<M>,
}

impl<M> Object<M> {
    /// The facts, given how to read those of the live object, and whose it is.
    pub(super) fn facts(self, form: Form, read: impl FnOnce(M) -> (Live, Marks)) -> ObservedObject {
        let Spec { provider_config_ref, management_policies, for_provider } = self.spec.unwrap_or_default();
        let (conditions, manifest) = self.status.map_or_else(
            || (Vec::new(), None),
            |status| (status.conditions, status.at_provider.and_then(|at_provider| at_provider.manifest)),
        );
        let synced = synced(&conditions);
        // After NotFound, and while it cannot reach the cluster, the provider leaves the former manifest in place.
        let (live, marks) = manifest.filter(|_| synced == Some(Synced::True)).map(read).unzip();
        ObservedObject {
            name: self.metadata.name,
            form,
            provider_config: provider_config_ref.and_then(|reference| reference.name),
            only_looks: management_policies == [OBSERVE],
            asked: for_provider.and_then(|wanted| wanted.manifest).map(asked).unwrap_or_default(),
            live,
            marks,
            synced,
            unreadable: None,
        }
    }
}

/// Whether an Object only looks, whatever else cannot be read of it.
pub(super) fn only_looks(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Policed {
        spec: Policies,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policies {
        management_policies: Vec<String>,
    }

    from_struct::<Policed>(bytes).is_ok_and(|object| object.spec.management_policies == [OBSERVE])
}

/// What the Object says of itself.
pub(crate) fn synced(conditions: &[ConditionFacts]) -> Option<Synced> {
    let condition = conditions.iter().find(|condition| condition.kind == "Synced")?;
    match condition.status.as_str() {
        "True" => Some(Synced::True),
        "False" => {
            let words = [&condition.message, &condition.reason];
            Some(Synced::False(words.into_iter().find(|word| !word.is_empty()).cloned().unwrap_or_default()))
        }
        _ => None,
    }
}

pub(super) fn asked(manifest: AskedManifest) -> Asked {
    let AskedManifest { metadata, spec } = manifest;
    let AskedMetadata { name, namespace } = metadata.unwrap_or_default();
    let AskedSpec { replicas, deployment_config, rules, parent_refs } = spec.unwrap_or_default();
    Asked {
        name,
        namespace,
        replicas: replicas.or(deployment_config.and_then(|config| config.replicas)),
        ingress_host: rules.into_iter().find_map(|rule| rule.host),
        gateway: parent_refs.into_iter().find_map(|parent| parent.name.zip(parent.namespace)),
    }
}
