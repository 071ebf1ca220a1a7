//! The Gateways of the target cluster, where one of them is to be found.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::api::settings::{Delivery, ProviderConfigKind, Target, Transport};
use crate::kinds::gateway_api::{GATEWAY, GROUP};
use crate::protocol::{Fault, Item, look_into};

use super::{FoundGateway, ObjectConditions, Observed, Synced, is_missing};

impl Observed {
    /// Adds the Gateways that Crossplane has found. What cannot be read is none: it is not for this model to mend.
    pub fn find_gateways(&mut self, transport: &Transport, resources: &[Bytes]) {
        let read = |resource: &Bytes| {
            let read = look_into(resource, |resource| match transport {
                Transport::Direct => gateway(resource),
                Transport::Objects(delivery) => member(resource, delivery),
            });
            read.ok().flatten()
        };
        self.gateways = Some(resources.iter().filter_map(read).collect());
    }

    /// Adds the classes that Crossplane has found.
    pub fn find_classes(&mut self, resources: &[Bytes]) {
        let read = |resource: &Bytes| look_into(resource, class).ok().flatten();
        self.classes = Some(resources.iter().filter_map(read).collect());
    }
}

/// The Gateway that a member of an `ObservedObjectCollection` is about, if the Object observes the cluster that is meant:
/// who may label an Object may not say of which cluster it is.
///
/// The collection knows that there is one before the Object has seen it: one that has not been seen is none that may
/// be forgotten, or a model would take the only one of several. One that is gone is none.
fn member(object: &Item<'_, '_>, delivery: &Delivery) -> Result<Option<FoundGateway>, Fault> {
    let [spec, status] = object.fields(["spec", "status"])?;
    let [reference, for_provider] = spec.fields(["providerConfigRef", "forProvider"])?;
    let [kind, name] = reference.fields(["kind", "name"])?;
    let [conditions, at_provider] = status.fields(["conditions", "atProvider"])?;
    let is_of_kind = match (delivery.target, delivery.provider_config_kind) {
        (Target::ClusterObject, _) => true,
        (Target::NamespacedObject, ProviderConfigKind::ProviderConfig) => kind.is("ProviderConfig")?,
        (Target::NamespacedObject, ProviderConfigKind::ClusterProviderConfig) => {
            kind.is_null()? || kind.is("ClusterProviderConfig")?
        }
    };
    let ObjectConditions { synced, .. } = ObjectConditions::of(&conditions)?;
    let is_gone = matches!(synced, Some(Synced::False(why)) if is_missing(&why));
    if !is_of_kind || !name.is(&delivery.provider_config_name)? || is_gone {
        return Ok(None);
    }
    let ([seen], [asked]) = (at_provider.fields(["manifest"])?, for_provider.fields(["manifest"])?);
    let seen = gateway(&seen)?;
    if seen.is_some() { Ok(seen) } else { gateway(&asked) }
}

/// A Gateway, as far as it is told from others.
fn gateway(gateway: &Item<'_, '_>) -> Result<Option<FoundGateway>, Fault> {
    let [api_version, kind, metadata, spec] = gateway.fields(["apiVersion", "kind", "metadata", "spec"])?;
    let [name, namespace, labels] = metadata.fields(["name", "namespace", "labels"])?;
    let [class] = spec.fields(["gatewayClassName"])?;
    let group = api_version.text()?.unwrap_or_default().split('/').next();
    let (Some(name), Some(namespace)) = (name.owned()?, namespace.owned()?) else { return Ok(None) };
    if group != Some(GROUP) || !kind.is(GATEWAY)? {
        return Ok(None);
    }
    let mut found = FoundGateway { name, namespace, labels: BTreeMap::new(), class: class.owned()? };
    labels.each_field(|key, value| {
        found.labels.insert(key.to_owned(), value.owned()?.unwrap_or_default());
        Ok(())
    })?;
    Ok(Some(found))
}

/// A `GatewayClass`, as far as it says who implements it: its name, and `spec.controllerName`.
fn class(class: &Item<'_, '_>) -> Result<Option<(String, Option<String>)>, Fault> {
    let [metadata, spec] = class.fields(["metadata", "spec"])?;
    let [name] = metadata.fields(["name"])?;
    let [controller_name] = spec.fields(["controllerName"])?;
    Ok(name.owned()?.zip(Some(controller_name.owned()?)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::to_struct;

    fn gateway(name: &str, labels: &Value) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
            "metadata": {"name": name, "namespace": "gateways", "labels": labels},
        })
    }

    fn member(config: &Value, status: &Value) -> Value {
        json!({
            "spec": {"providerConfigRef": config, "forProvider": {"manifest": gateway("eg", &Value::Null)}},
            "status": status,
        })
    }

    fn said(synced: &str, why: &str, manifest: &Value) -> Value {
        json!({
            "conditions": [{"type": "Synced", "status": synced, "reason": "Because", "message": why}],
            "atProvider": {"manifest": manifest},
        })
    }

    fn read(target: Target, kind: ProviderConfigKind, member: &Value) -> Vec<FoundGateway> {
        let delivery =
            Delivery { target, provider_config_kind: kind, provider_config_name: "gpu".to_owned() };
        let mut observed = Observed::default();
        let bytes = to_struct(member).unwrap();
        observed.find_gateways(&Transport::Objects(delivery), &[bytes.into()]);
        observed.gateways.unwrap()
    }

    #[test]
    fn a_gateway_counts_from_when_it_is_known_until_it_is_gone() {
        let labels = json!({"use": "yes"});
        let live = gateway("eg", &labels);
        let (some, none) =
            (Some(BTreeMap::from([("use".to_owned(), "yes".to_owned())])), Some(BTreeMap::new()));
        let cases = [
            (Value::Null, none.clone(), "the collection has just found it"),
            (said("True", "", &live), some.clone(), "it has been seen"),
            (
                said("False", "connection refused", &live),
                some,
                "what was seen last is the best that there is",
            ),
            (said("False", "connection refused", &Value::Null), none, "it has never been seen"),
            (said("False", "observe failed: external resource does not exist", &live), None, "it is gone"),
        ];
        for (status, want, reason) in cases {
            let config = json!({"kind": "ProviderConfig", "name": "gpu"});
            let found =
                read(Target::NamespacedObject, ProviderConfigKind::ProviderConfig, &member(&config, &status));
            let labels = found.first().map(|gateway| gateway.labels.clone());
            assert_eq!(labels, want, "{reason}");
        }
    }

    #[test]
    fn only_what_observes_the_cluster_that_is_meant_is_one_of_its_gateways() {
        use ProviderConfigKind::{ClusterProviderConfig, ProviderConfig};
        use Target::{ClusterObject, NamespacedObject};

        let cases = [
            (NamespacedObject, ProviderConfig, json!({"kind": "ProviderConfig", "name": "gpu"}), true),
            (NamespacedObject, ProviderConfig, json!({"kind": "ProviderConfig", "name": "cpu"}), false),
            (
                NamespacedObject,
                ProviderConfig,
                json!({"kind": "ClusterProviderConfig", "name": "gpu"}),
                false,
            ),
            (NamespacedObject, ProviderConfig, json!({"name": "gpu"}), false),
            (NamespacedObject, ClusterProviderConfig, json!({"name": "gpu"}), true),
            (
                NamespacedObject,
                ClusterProviderConfig,
                json!({"kind": "ProviderConfig", "name": "gpu"}),
                false,
            ),
            (ClusterObject, ProviderConfig, json!({"name": "gpu"}), true),
            (ClusterObject, ProviderConfig, Value::Null, false),
        ];
        for (target, kind, config, want) in cases {
            let found = read(target, kind, &member(&config, &Value::Null));
            assert_eq!(!found.is_empty(), want, "{target:?}, {kind:?}: {config}");
        }
    }
}
