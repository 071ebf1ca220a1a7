//! The observed composite's own status, as far as it is written here; its spec belongs to `api`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

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
    gateway: Option<Either<Gateway>>,
}

/// In composites of other kinds the field may be anything.
#[derive(Deserialize)]
#[serde(untagged)]
enum Either<T> {
    Ours(T),
    Theirs(IgnoredAny),
}

#[derive(Deserialize)]
struct Gateway {
    implementation: Option<String>,
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
    /// `status.gateway.implementation`.
    pub(super) fn implementation(&self) -> Option<String> {
        match self.status.as_ref()?.gateway.as_ref()? {
            Either::Ours(Gateway { implementation }) => implementation.clone(),
            Either::Theirs(IgnoredAny) => None,
        }
    }

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
