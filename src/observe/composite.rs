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
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    last_transition_time: Option<String>,
}

impl Composite {
    pub(super) fn conditions(self) -> BTreeMap<String, ObservedCondition> {
        let conditions = self.status.map(|status| status.conditions).unwrap_or_default();
        conditions
            .into_iter()
            .map(|Condition { kind, status, reason, last_transition_time: since }| {
                (kind, ObservedCondition { status, reason, since })
            })
            .collect()
    }
}
