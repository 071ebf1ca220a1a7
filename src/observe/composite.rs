//! The observed composite's own status, as far as it is written here; its spec belongs to `api`.

use std::collections::BTreeMap;

use crate::protocol::{Fault, Item, look_into};

use super::ObservedCondition;

/// What the status says.
pub(super) struct Composite {
    /// `status.gateway.implementation`. In composites of other kinds the field may be anything.
    pub(super) implementation: Option<String>,
    /// By type.
    pub(super) conditions: BTreeMap<String, ObservedCondition>,
}

impl Composite {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        look_into(bytes, |composite| {
            let [status] = composite.fields(["status"])?;
            let [conditions, gateway] = status.fields(["conditions", "gateway"])?;
            let implementation = match implementation(&gateway) {
                Err(fault) if !fault.is_malformed() => None,
                read => read?,
            };
            let mut by_type = BTreeMap::new();
            conditions.each_item(|item| {
                let (kind, condition) = condition(item)?;
                by_type.insert(kind, condition);
                Ok(())
            })?;
            Ok(Self { implementation, conditions: by_type })
        })
    }
}

fn implementation(gateway: &Item<'_, '_>) -> Result<Option<String>, Fault> {
    let [implementation] = gateway.fields(["implementation"])?;
    implementation.owned()
}

fn condition(condition: &Item<'_, '_>) -> Result<(String, ObservedCondition), Fault> {
    let [kind, status, reason, since] =
        condition.fields(["type", "status", "reason", "lastTransitionTime"])?;
    let condition = ObservedCondition {
        status: status.owned()?.unwrap_or_default(),
        reason: reason.owned()?.unwrap_or_default(),
        since: since.owned()?,
    };
    Ok((kind.owned()?.unwrap_or_default(), condition))
}
