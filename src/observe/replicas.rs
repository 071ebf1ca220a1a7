//! The replica count of a workload of either kind: its value, and who holds it there.

use std::collections::BTreeSet;

use crate::protocol::{Fault, Item};

use super::Facts;
use super::live::Own;

/// Of a workload, of which only the replica count is of interest: a `Deployment`'s or a `VLLMRuntime`'s.
pub(super) fn own(spec: &Item<'_, '_>, _: &Item<'_, '_>) -> Result<Own, Fault> {
    let [replicas, config] = spec.fields(["replicas", "deploymentConfig"])?;
    let [config_replicas] = config.fields(["replicas"])?;
    Ok(Facts::Replicas(replicas.number()?.or(config_replicas.number()?)).into())
}

/// The managers of the replica count, out of `metadata.managedFields`.
///
/// Only those that hold it for good: who applies it server-side, and who scales. A plain update under another name may
/// be an old provider's, whose entry it takes over into its own (provider-kubernetes v1.2.1,
/// `maybeUpgradeFieldManagers`).
pub(super) fn managers(managed_fields: &Item<'_, '_>) -> Result<BTreeSet<String>, Fault> {
    let mut managers = BTreeSet::new();
    managed_fields.each_item(|entry| {
        let [manager, operation, subresource, fields] =
            entry.fields(["manager", "operation", "subresource", "fieldsV1"])?;
        if operation.text()? != Some("Apply") && subresource.text()? != Some("scale") {
            return Ok(());
        }
        let [spec] = fields.fields(["f:spec"])?;
        let [replicas, config] = spec.fields(["f:replicas", "f:deploymentConfig"])?;
        let [config_replicas] = config.fields(["f:replicas"])?;
        if !replicas.is_null()? || !config_replicas.is_null()? {
            managers.extend(manager.owned()?);
        }
        Ok(())
    })?;
    Ok(managers)
}
