//! What keeps node drains from taking the model down.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::Plan;
use crate::plan::keys::Key;

use super::{meta, select};

/// One replica at a time may be drained. `maxUnavailable` and not `minAvailable`: a single replica can still move.
pub(super) fn model_pod_disruption_budget(plan: &Plan) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: meta(plan, Key::ModelPodDisruptionBudget),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(select(plan.model_server_pods())),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}
