//! `production-stack.vllm.ai/v1alpha1` `VLLMRuntime`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::live::Kind;
use super::{Facts, VllmRuntimeFacts};

pub(super) struct VllmRuntime;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    deployment_config: Option<DeploymentConfig>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentConfig {
    replicas: Option<u32>,
    deployment_strategy: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    replicas: Option<u32>,
    available_replicas: Option<u32>,
    /// The operator's own word.
    #[serde(rename = "modelStatus")]
    word: Option<String>,
    last_updated: Option<String>,
    selector: Option<IgnoredAny>,
}

impl Kind for VllmRuntime {
    type Spec = Spec;
    type Status = Status;

    fn facts(Spec { deployment_config }: Spec, status: Status) -> Facts {
        let DeploymentConfig { replicas: spec_replicas, deployment_strategy } =
            deployment_config.unwrap_or_default();
        let Status { replicas, available_replicas, word: model_status, last_updated, selector } = status;
        Facts::VllmRuntime(VllmRuntimeFacts {
            spec_replicas,
            has_deployment_strategy: deployment_strategy.is_some(),
            counts: selector.is_some() || replicas.is_some() || available_replicas.is_some(),
            replicas,
            available_replicas,
            model_status,
            last_updated,
        })
    }
}
