//! `apps/v1` `Deployment`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::live::{Kind, list};
use super::{ConditionFacts, DeploymentFacts, Facts};

pub(super) struct Deployment;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    observed_generation: Option<i64>,
    available_replicas: Option<u32>,
    updated_replicas: Option<u32>,
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
}

impl Kind for Deployment {
    type Spec = IgnoredAny;
    type Status = Status;

    fn facts(_: IgnoredAny, status: Status) -> Facts {
        let Status { observed_generation, available_replicas, updated_replicas, conditions } = status;
        Facts::Deployment(DeploymentFacts {
            observed_generation,
            available_replicas,
            updated_replicas,
            conditions,
        })
    }
}
