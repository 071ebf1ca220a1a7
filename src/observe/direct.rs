//! A composed resource without an Object around it: what is observed is the live object.

use crate::kinds::provider_kubernetes::{CLUSTER_GROUP, NAMESPACED_GROUP, OBJECT};
use crate::protocol::{Fault, Item, look_into};

use super::live::{Found, Interest};
use super::object::asked;
use super::{Asked, Form, ObservedObject, Synced};

/// In whose name Crossplane applies what it composes, up to the composite that it does so for (crossplane v2.3.4,
/// `ComposedFieldOwnerName`).
const FIELD_MANAGER: &str = "apiextensions.crossplane.io/composed";

impl Form {
    /// What a composed resource is, by its kind and group. The version says nothing: Crossplane reads a resource in the
    /// one that it was last applied in.
    pub(super) fn of(api_version: &Item<'_, '_>, kind: &Item<'_, '_>) -> Result<Self, Fault> {
        let group = api_version.text()?.unwrap_or_default().split('/').next();
        Ok(match group {
            Some(NAMESPACED_GROUP) if kind.is(OBJECT)? => Self::NamespacedObject,
            Some(CLUSTER_GROUP) if kind.is(OBJECT)? => Self::ClusterObject,
            Some(_) | None => Self::Direct,
        })
    }

    /// The same of a whole resource, whatever else cannot be read of it.
    pub(super) fn of_resource(bytes: &[u8]) -> Result<Self, Fault> {
        look_into(bytes, |resource| {
            let [api_version, kind] = resource.fields(["apiVersion", "kind"])?;
            Self::of(&api_version, &kind)
        })
    }
}

/// Namespace and name of an object, if it can be read.
pub(super) fn place(bytes: &[u8]) -> Option<(Option<String>, Option<String>)> {
    let look = |object: &Item<'_, '_>| {
        let [metadata] = object.fields(["metadata"])?;
        let [name, namespace] = metadata.fields(["name", "namespace"])?;
        Ok((namespace.owned()?, name.owned()?))
    };
    look_into(bytes, look).ok()
}

/// An object that is there, of a kind of which that is of interest.
///
/// What was last asked for is kept nowhere. Of the replica count its managers tell; the rest only this function writes.
pub(super) fn found(object: &Item<'_, '_>, interest: Interest) -> Result<ObservedObject, Fault> {
    let [metadata] = object.fields(["metadata"])?;
    let [name, namespace] = metadata.fields(["name", "namespace"])?;
    let (name, namespace) = (name.owned()?, namespace.owned()?);
    // Whose it is Crossplane sees to.
    let Found { marks: _, live, fault } = Found::of(object, interest)?;
    let there = if interest.asked { asked(object).unwrap_or_default() } else { Asked::default() };
    let is_ours = live
        .as_ref()
        .is_some_and(|live| live.replicas_managers.iter().any(|manager| manager.starts_with(FIELD_MANAGER)));
    let asked = Asked {
        name: name.clone(),
        namespace,
        replicas: there.replicas.filter(|_| is_ours),
        ingress_host: there.ingress_host,
        gateway: there.gateway,
    };
    Ok(ObservedObject {
        name,
        form: Form::Direct,
        synced: Some(Synced::True),
        provider_config: None,
        only_looks: false,
        asked,
        live,
        marks: None,
        unreadable: fault.map(|fault| fault.to_string()),
    })
}
