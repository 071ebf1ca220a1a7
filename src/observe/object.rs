//! provider-kubernetes' `Object`, namespaced or not: what we asked for, and the live object inside.

use serde::Deserialize;

use crate::kinds::provider_kubernetes::OBSERVE;
use crate::protocol::{Deserializer, Raw, from_struct};

use super::fault::Fault;
use super::live::{Found, Interest, list};
use super::{Asked, Form, ObservedObject, Synced};

/// An Object around a live object.
#[derive(Deserialize)]
pub(super) struct Object<'a> {
    #[serde(default)]
    metadata: Metadata,
    #[serde(borrow)]
    spec: Option<Spec<'a>>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    provider_config_ref: Option<ProviderConfigRef>,
    #[serde(borrow, default, deserialize_with = "list")]
    management_policies: Vec<&'a str>,
    #[serde(borrow)]
    for_provider: Option<ForProvider<'a>>,
}

#[derive(Deserialize)]
struct ProviderConfigRef {
    name: Option<String>,
}

#[derive(Default, Deserialize)]
struct ForProvider<'a> {
    #[serde(borrow, default)]
    manifest: Raw<'a>,
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
    #[serde(default)]
    conditions: ObjectConditions,
    #[serde(borrow)]
    at_provider: Option<AtProvider<'a>>,
}

#[derive(Default, Deserialize)]
struct AtProvider<'a> {
    #[serde(borrow, default)]
    manifest: Raw<'a>,
}

impl Object<'_> {
    /// The facts, of a kind of which that is of interest.
    fn facts(self, form: Form, interest: Interest) -> Result<ObservedObject, Fault> {
        let Spec { provider_config_ref, management_policies, for_provider } = self.spec.unwrap_or_default();
        let Status { conditions: ObjectConditions { synced, .. }, at_provider } =
            self.status.unwrap_or_default();
        let AtProvider { manifest } = at_provider.unwrap_or_default();
        // After NotFound, and while it cannot reach the cluster, the provider leaves the former manifest in place.
        let Found { marks, live, fault } = match synced {
            Some(Synced::True) => Found::read(manifest.deserializer(), interest),
            Some(Synced::False(_) | Synced::Missing) | None => Found::default(),
        };
        Ok(ObservedObject {
            name: self.metadata.name,
            form,
            provider_config: provider_config_ref.and_then(|reference| reference.name),
            only_looks: management_policies == [OBSERVE],
            asked: match for_provider {
                Some(ForProvider { manifest }) if interest.asked => {
                    let read = Fault::or::<Option<AskedManifest>>(manifest.deserializer());
                    read.map_err(|fault| fault.below("spec.forProvider.manifest"))?
                        .map(asked)
                        .unwrap_or_default()
                }
                Some(_) | None => Asked::default(),
            },
            live,
            marks,
            synced,
            unreadable: fault.map(|fault| fault.below("status.atProvider.manifest").to_string()),
        })
    }
}

/// The facts of an Object.
pub(super) fn found(bytes: &[u8], form: Form, interest: Interest) -> Result<ObservedObject, Fault> {
    Fault::or::<Object<'_>>(Deserializer::new(bytes))?.facts(form, interest)
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

/// What an Object says of itself, or another managed resource of Crossplane's. A list of conditions that may be null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ObjectConditions {
    /// The condition Synced: `None` = not yet said.
    pub(crate) synced: Option<Synced>,
    /// Whether the condition Ready is True.
    pub(crate) ready: bool,
}

impl<'de> Deserialize<'de> for ObjectConditions {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Condition<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
            status: &'a str,
            reason: &'a str,
            message: &'a str,
        }

        let conditions: Vec<Condition<'de>> = list(from)?;
        let find = |kind: &str| conditions.iter().find(|condition| condition.kind == kind);
        let synced = find("Synced").and_then(|&Condition { status, reason, message, .. }| match status {
            "True" => Some(Synced::True),
            "False" => Some(Synced::False(if message.is_empty() { reason } else { message }.to_owned())),
            _ => None,
        });
        Ok(Self { synced, ready: find("Ready").is_some_and(|condition| condition.status == "True") })
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
