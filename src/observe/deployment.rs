//! `apps/v1` `Deployment`.

use serde::Deserialize;

use super::live::{Kind, list};
use super::{ConditionFacts, DeploymentFacts, Facts};

pub(super) struct Deployment;

#[derive(Default, Deserialize)]
pub(super) struct Spec {
    replicas: Option<u32>,
}

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
    type Spec = Spec;
    type Status = Status;

    fn facts(Spec { replicas: spec_replicas }: Spec, status: Status) -> Facts {
        let Status { observed_generation, available_replicas, updated_replicas, conditions } = status;
        Facts::Deployment(DeploymentFacts {
            spec_replicas,
            observed_generation,
            available_replicas,
            updated_replicas,
            conditions,
        })
    }
}
