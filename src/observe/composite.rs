//! The observed composite's own conditions; its spec belongs to `api`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ObservedCondition;
use super::live::list;

#[derive(Deserialize)]
pub(super) struct Composite {
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
}

impl Composite {
    pub(super) fn conditions(self) -> BTreeMap<String, ObservedCondition> {
        let conditions = self.status.map(|status| status.conditions).unwrap_or_default();
        conditions
            .into_iter()
            .map(|Condition { kind, status, reason }| (kind, ObservedCondition { status, reason }))
            .collect()
    }
}
