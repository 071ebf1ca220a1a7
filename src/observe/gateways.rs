//! The Gateways of the target cluster, where one of them is to be found.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;

use crate::api::settings::{Delivery, ProviderConfigKind, Target, Transport};
use crate::kinds::gateway_api::{GATEWAY, GROUP};
use crate::protocol::from_struct;

use super::live::list;
use super::{ConditionFacts, FoundGateway, Observed, Synced, synced};

/// A Gateway, as far as it is told from others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    metadata: Metadata,
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
    #[serde(default)]
    spec: MemberSpec,
    #[serde(default)]
    status: MemberStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberSpec {
    provider_config_ref: Option<ProviderConfigRef>,
}

#[derive(Deserialize)]
struct ProviderConfigRef {
    kind: Option<String>,
    name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MemberStatus {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
    at_provider: Option<AtProvider>,
}

#[derive(Deserialize)]
struct AtProvider {
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
}

impl Member {
    /// The Gateway inside, if the Object is Synced and observes the cluster that is meant: who may label an Object may
    /// not say of which cluster it is.
    fn found(self, delivery: &Delivery) -> Option<FoundGateway> {
        let Self { spec, status } = self;
        let reference = spec.provider_config_ref?;
        let is_of_kind = match (delivery.target, delivery.provider_config_kind) {
            (Target::ClusterObject, _) => true,
            (Target::NamespacedObject, ProviderConfigKind::ProviderConfig) => {
                reference.kind.as_deref() == Some("ProviderConfig")
            }
            (Target::NamespacedObject, ProviderConfigKind::ClusterProviderConfig) => {
                reference.kind.as_deref().is_none_or(|kind| kind == "ClusterProviderConfig")
            }
        };
        let is_there = is_of_kind
            && reference.name.as_deref() == Some(delivery.provider_config_name.as_str())
            && synced(&status.conditions) == Some(Synced::True);
        status.at_provider?.manifest.filter(|_| is_there).and_then(found)
    }
}

fn found(gateway: Gateway) -> Option<FoundGateway> {
    let Gateway { api_version, kind, metadata: Metadata { name, namespace, labels } } = gateway;
    let is_gateway = kind.as_deref() == Some(GATEWAY)
        && api_version.is_some_and(|version| version.split('/').next() == Some(GROUP));
    let (name, namespace) = name.zip(namespace).filter(|_| is_gateway)?;
    Some(FoundGateway { name, namespace, labels: labels.unwrap_or_default() })
}
