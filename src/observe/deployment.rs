//! `apps/v1` `Deployment`.

use serde::Deserialize;

use super::live::{Kind, list};
use super::{ConditionFacts, DeploymentFacts, Facts};

pub(super) struct Deployment;

#[derive(Default, Deserialize)]
pub(super) struct Spec {
    replicas: Option<u32>,
    template: Option<Template>,
}

#[derive(Deserialize)]
struct Template {
    spec: Option<PodSpec>,
}

#[derive(Deserialize)]
struct PodSpec {
    #[serde(default, deserialize_with = "list")]
    containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    image: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    observed_generation: Option<i64>,
    replicas: Option<u32>,
    available_replicas: Option<u32>,
    updated_replicas: Option<u32>,
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
}

impl Kind for Deployment {
    type Spec = Spec;
    type Status = Status;

    fn facts(Spec { replicas: spec_replicas, template }: Spec, status: Status) -> Facts {
        let Status { observed_generation, replicas, available_replicas, updated_replicas, conditions } =
            status;
        let containers =
            template.and_then(|template| template.spec).map(|pod| pod.containers).unwrap_or_default();
        Facts::Deployment(DeploymentFacts {
            spec_replicas,
            image: containers.into_iter().next().and_then(|container| container.image),
            observed_generation,
            replicas,
            available_replicas,
            updated_replicas,
            conditions,
        })
    }
}
