//! `apps/v1` `Deployment`.

use crate::protocol::{Fault, Item};

use super::live::Own;
use super::{ConditionFacts, DeploymentFacts, Facts};

pub(super) fn own(spec: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [spec_replicas, template] = spec.fields(["replicas", "template"])?;
    let [pod] = template.fields(["spec"])?;
    let [containers] = pod.fields(["containers"])?;
    let images = containers.each(|container| {
        let [image] = container.fields(["image"])?;
        image.owned()
    })?;
    let [observed_generation, replicas, available_replicas, updated_replicas, conditions] = status
        .fields(["observedGeneration", "replicas", "availableReplicas", "updatedReplicas", "conditions"])?;
    Ok(Facts::Deployment(DeploymentFacts {
        spec_replicas: spec_replicas.number()?,
        image: images.into_iter().next().flatten(),
        observed_generation: observed_generation.integer()?,
        replicas: replicas.number()?,
        available_replicas: available_replicas.number()?,
        updated_replicas: updated_replicas.number()?,
        conditions: conditions.each(ConditionFacts::of)?,
    })
    .into())
}
