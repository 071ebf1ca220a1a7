//! provider-kubernetes' `Object`, namespaced or not: what we asked for, and the live object inside.

use serde::Deserialize;

use crate::kinds::provider_kubernetes::OBSERVE;
use crate::protocol::{Raw, from_struct};

use super::live::{Found, ReadOwn, list};
use super::{Asked, ConditionFacts, Form, ObservedObject, Synced};

/// An Object around a live object.
#[derive(Deserialize)]
pub(super) struct Object<'a> {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<Spec>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
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

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
    #[serde(borrow)]
    at_provider: Option<AtProvider<'a>>,
}

#[derive(Default, Deserialize)]
struct AtProvider<'a> {
    #[serde(borrow, default)]
    manifest: Raw<'a>,
}

impl Object<'_> {
    /// The facts, given how to read those that only the live object's kind has.
    pub(super) fn facts(self, form: Form, own: ReadOwn) -> ObservedObject {
        let Spec { provider_config_ref, management_policies, for_provider } = self.spec.unwrap_or_default();
        let Status { conditions, at_provider } = self.status.unwrap_or_default();
        let AtProvider { manifest } = at_provider.unwrap_or_default();
        let synced = synced(&conditions);
        // After NotFound, and while it cannot reach the cluster, the provider leaves the former manifest in place.
        let Found { marks, live, fault } = match synced {
            Some(Synced::True) => Found::read(|| manifest.deserializer(), own),
            Some(Synced::False(_) | Synced::Missing) | None => Found::default(),
        };
        ObservedObject {
            name: self.metadata.name,
            form,
            provider_config: provider_config_ref.and_then(|reference| reference.name),
            only_looks: management_policies == [OBSERVE],
            asked: for_provider.and_then(|wanted| wanted.manifest).map(asked).unwrap_or_default(),
            live,
            marks,
            synced,
            unreadable: fault.map(|fault| fault.below("status.atProvider.manifest").to_string()),
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
