//! provider-kubernetes' `Object`, namespaced or not: what we asked for, and the live object inside.

use crate::kinds::provider_kubernetes::OBSERVE;
use crate::protocol::{Fault, Item, look_into};

use super::live::{Found, Interest};
use super::{Asked, Form, ObservedObject, Synced};

/// The facts of an Object, of a kind of which that is of interest.
pub(super) fn found(
    form: Form,
    [metadata, spec, status]: [&Item<'_, '_>; 3],
    interest: Interest,
) -> Result<ObservedObject, Fault> {
    let [reference, policies, for_provider] =
        spec.fields(["providerConfigRef", "managementPolicies", "forProvider"])?;
    let [wanted] = for_provider.fields(["manifest"])?;
    let [conditions, at_provider] = status.fields(["conditions", "atProvider"])?;
    let [manifest] = at_provider.fields(["manifest"])?;
    let ObjectConditions { synced, .. } = ObjectConditions::of(&conditions)?;
    // After NotFound, and while it cannot reach the cluster, the provider leaves the former manifest in place.
    let Found { marks, live, fault } = match synced {
        Some(Synced::True) => Found::of(&manifest, interest)?,
        Some(Synced::False(_) | Synced::Missing) | None => Found::default(),
    };
    let (name, provider_config) = if interest.runs {
        let ([name], [provider_config]) = (metadata.fields(["name"])?, reference.fields(["name"])?);
        (name.owned()?, provider_config.owned()?)
    } else {
        (None, None)
    };
    Ok(ObservedObject {
        name,
        form,
        provider_config,
        only_looks: only_observe(&policies)?,
        asked: if interest.asked { asked(&wanted)? } else { Asked::default() },
        live,
        marks,
        synced,
        unreadable: fault.map(|fault| fault.to_string()),
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
pub(crate) fn only_observe(policies: &Item<'_, '_>) -> Result<bool, Fault> {
    let (mut count, mut observe) = (0, false);
    policies.each_item(|policy| {
        count += 1;
        observe = policy.is(OBSERVE)?;
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
    pub(crate) fn of(conditions: &Item<'_, '_>) -> Result<Self, Fault> {
        let mut told = Self::default();
        conditions.each_item(|condition| {
            let [kind, status, reason, message] =
                condition.fields(["type", "status", "reason", "message"])?;
            if kind.is("Ready")? {
                told.ready = status.is("True")?;
            } else if kind.is("Synced")? {
                told.synced = if status.is("True")? {
                    Some(Synced::True)
                } else if status.is("False")? {
                    let message = message.text()?.filter(|message| !message.is_empty());
                    Some(Synced::False(message.or(reason.text()?).unwrap_or_default().to_owned()))
                } else {
                    None
                };
            }
            Ok(())
        })?;
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
