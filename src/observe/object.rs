//! provider-kubernetes' `Object`, namespaced or not: what we asked for, and the live object inside.

use serde::Deserialize;

use crate::kinds::provider_kubernetes::OBSERVE;
use crate::protocol::{Fault, Item, look_into};

use super::live::{Found, Interest, list};
use super::{Asked, Form, ObservedObject, Synced};

/// The facts of an Object, of a kind of which that is of interest.
pub(super) fn found(bytes: &[u8], form: Form, interest: Interest) -> Result<ObservedObject, Fault> {
    look_into(bytes, |object| {
        let [metadata, spec, status] = object.fields(["metadata", "spec", "status"])?;
        let [name] = metadata.fields(["name"])?;
        let [reference, policies, for_provider] =
            spec.fields(["providerConfigRef", "managementPolicies", "forProvider"])?;
        let [provider_config] = reference.fields(["name"])?;
        let [wanted] = for_provider.fields(["manifest"])?;
        let [conditions, at_provider] = status.fields(["conditions", "atProvider"])?;
        let [manifest] = at_provider.fields(["manifest"])?;
        let ObjectConditions { synced, .. } = ObjectConditions::of(&conditions)?;
        // After NotFound, and while it cannot reach the cluster, the provider leaves the former manifest in place.
        let Found { marks, live, fault } = match synced {
            Some(Synced::True) => Found::of(&manifest, interest)?,
            Some(Synced::False(_) | Synced::Missing) | None => Found::default(),
        };
        Ok(ObservedObject {
            name: name.owned()?,
            form,
            provider_config: provider_config.owned()?,
            only_looks: only_observe(&policies)?,
            asked: if interest.asked { asked(&wanted)? } else { Asked::default() },
            live,
            marks,
            synced,
            unreadable: fault.map(|fault| fault.to_string()),
        })
    })
}

/// Whether an Object only looks, whatever else cannot be read of it.
pub(super) fn only_looks(bytes: &[u8]) -> bool {
    let look = |object: &Item<'_, '_>| {
        let [spec] = object.fields(["spec"])?;
        let [policies] = spec.fields(["managementPolicies"])?;
        only_observe(&policies)
    };
    look_into(bytes, look).unwrap_or_default()
}

/// Whether of all policies there is this one.
fn only_observe(policies: &Item<'_, '_>) -> Result<bool, Fault> {
    let (mut count, mut observe) = (0, false);
    policies.each_item(|policy| {
        count += 1;
        observe = policy.text()? == Some(OBSERVE);
        Ok(())
    })?;
    Ok(count == 1 && observe)
}

/// What an Object says of itself, or another managed resource of Crossplane's. A list of conditions that may be null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ObjectConditions {
    /// The condition Synced: `None` = not yet said.
    pub(crate) synced: Option<Synced>,
    /// Whether the condition Ready is True.
    pub(crate) ready: bool,
}

impl ObjectConditions {
    /// Out of the list.
    fn of(conditions: &Item<'_, '_>) -> Result<Self, Fault> {
        let mut told = Self::default();
        conditions.each_item(|condition| {
            let [kind, status, reason, message] =
                condition.fields(["type", "status", "reason", "message"])?;
            told.add(&Condition {
                kind: kind.text()?.unwrap_or_default(),
                status: status.text()?.unwrap_or_default(),
                reason: reason.text()?.unwrap_or_default(),
                message: message.text()?.unwrap_or_default(),
            });
            Ok(())
        })?;
        Ok(told)
    }

    fn add(&mut self, &Condition { kind, status, reason, message }: &Condition<'_>) {
        match (kind, status) {
            ("Synced", "True") => self.synced = Some(Synced::True),
            ("Synced", "False") => {
                self.synced =
                    Some(Synced::False(if message.is_empty() { reason } else { message }.to_owned()));
            }
            ("Ready", "True") => self.ready = true,
            _ => {}
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Condition<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl<'de> Deserialize<'de> for ObjectConditions {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut told = Self::default();
        list(from)?.iter().for_each(|condition| told.add(condition));
        Ok(told)
    }
}

/// What decisions hang on in a manifest, of whichever kind.
pub(super) fn asked(manifest: &Item<'_, '_>) -> Result<Asked, Fault> {
    let [metadata, spec] = manifest.fields(["metadata", "spec"])?;
    let [name, namespace] = metadata.fields(["name", "namespace"])?;
    let [replicas, config, rules, parent_refs] =
        spec.fields(["replicas", "deploymentConfig", "rules", "parentRefs"])?;
    let [config_replicas] = config.fields(["replicas"])?;
    // An `HTTPRoute` has rules too; they have no host.
    let hosts = rules.each(|rule| {
        let [host] = rule.fields(["host"])?;
        host.owned()
    })?;
    let gateways = parent_refs.each(|parent| {
        let [name, namespace] = parent.fields(["name", "namespace"])?;
        Ok(name.owned()?.zip(namespace.owned()?))
    })?;
    Ok(Asked {
        name: name.owned()?,
        namespace: namespace.owned()?,
        replicas: replicas.number()?.or(config_replicas.number()?),
        ingress_host: hosts.into_iter().flatten().next(),
        gateway: gateways.into_iter().flatten().next(),
    })
}
