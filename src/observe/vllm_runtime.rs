//! `production-stack.vllm.ai/v1alpha1` `VLLMRuntime`.

use crate::protocol::{Fault, Item};

use super::live::Own;
use super::{Facts, VllmRuntimeFacts};

pub(super) fn own(spec: &Item<'_, '_>, status: &Item<'_, '_>) -> Result<Own, Fault> {
    let [config] = spec.fields(["deploymentConfig"])?;
    let [spec_replicas, strategy] = config.fields(["replicas", "deploymentStrategy"])?;
    let [replicas, available_replicas, word, last_updated, selector] =
        status.fields(["replicas", "availableReplicas", "modelStatus", "lastUpdated", "selector"])?;
    let (replicas, available_replicas) = (replicas.number()?, available_replicas.number()?);
    Ok(Facts::VllmRuntime(VllmRuntimeFacts {
        spec_replicas: spec_replicas.number()?,
        has_deployment_strategy: !strategy.is_null()?,
        counts: !selector.is_null()? || replicas.is_some() || available_replicas.is_some(),
        replicas,
        available_replicas,
        // The operator's own word.
        model_status: word.owned()?,
        last_updated: last_updated.owned()?,
    })
    .into())
}
