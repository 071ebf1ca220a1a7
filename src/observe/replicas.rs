//! The replica count of a workload of either kind: its value, and who holds it there.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::protocol::Raw;

use super::Facts;
use super::fault::Fault;
use super::live::{Kind, read_or_default};

/// A workload, of which only the replica count is of interest.
pub(super) struct Replicas;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    /// `Deployment`.
    replicas: Option<u32>,
    /// `VLLMRuntime`.
    deployment_config: Option<DeploymentConfig>,
}

#[derive(Default, Deserialize)]
struct DeploymentConfig {
    replicas: Option<u32>,
}

impl Kind for Replicas {
    type Spec = Spec;
    type Status = IgnoredAny;

    fn facts(Spec { replicas, deployment_config }: Spec, _: IgnoredAny) -> Facts {
        Facts::Replicas(replicas.or(deployment_config.and_then(|config| config.replicas)))
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManagedFields<'a> {
    manager: Option<&'a str>,
    operation: Option<&'a str>,
    subresource: Option<&'a str>,
    fields_v1: Option<FieldsV1>,
}

#[derive(Deserialize)]
struct FieldsV1 {
    #[serde(rename = "f:spec")]
    spec: Option<SpecFields>,
}

#[derive(Deserialize)]
struct SpecFields {
    #[serde(rename = "f:replicas")]
    replicas: Option<IgnoredAny>,
    #[serde(rename = "f:deploymentConfig")]
    deployment_config: Option<ConfigFields>,
}

#[derive(Deserialize)]
struct ConfigFields {
    #[serde(rename = "f:replicas")]
    replicas: Option<IgnoredAny>,
}

/// The managers of the replica count, out of `metadata.managedFields`.
///
/// Only those that hold it for good: who applies it server-side, and who scales. A plain update under another name may
/// be an old provider's, whose entry it takes over into its own (provider-kubernetes v1.2.1,
/// `maybeUpgradeFieldManagers`).
pub(super) fn managers(managed_fields: &Raw<'_>) -> Result<BTreeSet<String>, Fault> {
    let entries: Vec<ManagedFields<'_>> = read_or_default(managed_fields)?;
    let holds =
        |entry: &ManagedFields<'_>| entry.operation == Some("Apply") || entry.subresource == Some("scale");
    let has_replicas = |entry: &ManagedFields<'_>| {
        let spec = entry.fields_v1.as_ref().and_then(|fields| fields.spec.as_ref());
        spec.is_some_and(|spec| {
            spec.replicas.is_some()
                || spec.deployment_config.as_ref().is_some_and(|config| config.replicas.is_some())
        })
    };
    Ok(entries
        .into_iter()
        .filter(|entry| holds(entry) && has_replicas(entry))
        .filter_map(|entry| entry.manager.map(str::to_owned))
        .collect())
}
