//! The endpoints that the gateway hands requests to, and the model's priority among them.

use crate::api::settings::FailureMode;
use crate::kinds::Resource;
use crate::kinds::inference::{
    EndpointPickerRef, GROUP, INFERENCE_OBJECTIVE, INFERENCE_POOL, InferenceObjectiveSpec, InferencePoolSpec,
    PodSelector, PoolRef, Port,
};
use crate::plan::endpoint_picker::{Family, Traits};
use crate::plan::keys::Key;
use crate::plan::names::ENGINE_PORT;
use crate::plan::{Plan, RoutingPlan};

use super::meta;

/// The pool the gateway hands requests to.
pub(super) fn inference_pool(plan: &Plan, routing: &RoutingPlan) -> Resource<InferencePoolSpec> {
    let (service, port) = plan.picker_service(routing);
    Resource::new(
        meta(plan, Key::InferencePool),
        InferencePoolSpec {
            selector: PodSelector { match_labels: plan.model_server_pods() },
            target_ports: vec![Port { number: ENGINE_PORT }],
            endpoint_picker_ref: EndpointPickerRef {
                group: "",
                kind: "Service",
                name: service,
                port: Port { number: port },
                failure_mode: match routing.picker.failure_mode() {
                    FailureMode::FailOpen => "FailOpen",
                    FailureMode::FailClose => "FailClose",
                },
            },
        },
    )
}

/// The model's priority, for the pickers that read it.
pub(super) fn inference_objective(plan: &Plan, reader: Family) -> Resource<InferenceObjectiveSpec> {
    let Traits { objective, objective_api_version, .. } = reader.traits();
    Resource::of(
        objective_api_version,
        INFERENCE_OBJECTIVE,
        meta(plan, objective),
        InferenceObjectiveSpec {
            priority: plan.workload.model.priority,
            pool_ref: PoolRef { group: GROUP, kind: INFERENCE_POOL, name: plan.name.to_string() },
        },
    )
}
