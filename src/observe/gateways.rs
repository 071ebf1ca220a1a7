//! The Gateways of the target cluster, where one of them is to be found.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use crate::api::settings::{Delivery, ProviderConfigKind, Target, Transport};
use crate::kinds::gateway_api::{GATEWAY, GROUP};
use crate::protocol::from_struct;

use super::{FoundGateway, ObjectConditions, Observed, Synced, is_missing};

/// A Gateway, as far as it is told from others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    metadata: Metadata,
    spec: Option<GatewaySpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GatewaySpec {
    gateway_class_name: Option<String>,
}

/// A `GatewayClass`, as far as it says who implements it.
#[derive(Deserialize)]
struct Class {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<ClassSpec>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClassSpec {
    controller_name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    labels: Option<BTreeMap<String, String>>,
}

/// A member of an `ObservedObjectCollection`: an Object that only observes.
#[derive(Deserialize)]
struct Member {
    spec: Option<MemberSpec>,
    status: Option<MemberStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberSpec {
    provider_config_ref: Option<ProviderConfigRef>,
    for_provider: Option<Holds>,
}

#[derive(Deserialize)]
struct ProviderConfigRef {
    kind: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberStatus {
    #[serde(default)]
    conditions: ObjectConditions,
    at_provider: Option<Holds>,
}

#[derive(Deserialize)]
struct Holds {
    manifest: Option<Gateway>,
}

impl Observed {
    /// Adds the Gateways that Crossplane has found. What cannot be read is none: it is not for this model to mend.
    pub fn find_gateways(&mut self, transport: &Transport, resources: &[Bytes]) {
        let read = |resource: &Bytes| match transport {
            Transport::Direct => from_struct(resource).ok().and_then(found),
            Transport::Objects(delivery) => {
                from_struct(resource).ok().and_then(|member: Member| member.found(delivery))
            }
        };
        self.gateways = Some(resources.iter().filter_map(read).collect());
    }

    /// Adds the classes that Crossplane has found.
    pub fn find_classes(&mut self, resources: &[Bytes]) {
        let read = |resource: &Bytes| {
            let Class { metadata, spec } = from_struct(resource).ok()?;
            Some((metadata.name?, spec.and_then(|spec| spec.controller_name)))
        };
        self.classes = Some(resources.iter().filter_map(read).collect());
    }
}

impl Member {
    /// The Gateway that it is about, if the Object observes the cluster that is meant: who may label an Object may not say
    /// of which cluster it is.
    ///
    /// The collection knows that there is one before the Object has seen it: one that has not been seen is none that may
    /// be forgotten, or a model would take the only one of several. One that is gone is none.
    fn found(self, delivery: &Delivery) -> Option<FoundGateway> {
        let Self { spec, status } = self;
        let MemberSpec { provider_config_ref, for_provider } = spec?;
        let MemberStatus { conditions, at_provider } = status.unwrap_or_default();
        let reference = provider_config_ref?;
        let is_of_kind = match (delivery.target, delivery.provider_config_kind) {
            (Target::ClusterObject, _) => true,
            (Target::NamespacedObject, ProviderConfigKind::ProviderConfig) => {
                reference.kind.as_deref() == Some("ProviderConfig")
            }
            (Target::NamespacedObject, ProviderConfigKind::ClusterProviderConfig) => {
                reference.kind.as_deref().is_none_or(|kind| kind == "ClusterProviderConfig")
            }
        };
        let is_gone = matches!(conditions.synced, Some(Synced::False(why)) if is_missing(&why));
        if !is_of_kind || reference.name.as_deref() != Some(delivery.provider_config_name.as_str()) || is_gone
        {
            return None;
        }
        let seen = at_provider.and_then(|at_provider| at_provider.manifest).and_then(found);
        seen.or_else(|| for_provider?.manifest.and_then(found))
    }
}

fn found(gateway: Gateway) -> Option<FoundGateway> {
    let Gateway { api_version, kind, metadata: Metadata { name, namespace, labels }, spec } = gateway;
    let is_gateway = kind.as_deref() == Some(GATEWAY)
        && api_version.is_some_and(|version| version.split('/').next() == Some(GROUP));
    let (name, namespace) = name.zip(namespace).filter(|_| is_gateway)?;
    let class = spec.and_then(|spec| spec.gateway_class_name);
    Some(FoundGateway { name, namespace, labels: labels.unwrap_or_default(), class })
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
