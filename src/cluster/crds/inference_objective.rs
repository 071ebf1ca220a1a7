//! `InferenceObjective` of `inference.networking.x-k8s.io/v1alpha2`.
//!
//! Fields, bounds, patterns and defaults are those of kubernetes-sigs/gateway-api-inference-extension, v1.3.1 and
//! v1.5.0, `config/crd/bases/inference.networking.x-k8s.io_inferenceobjectives.yaml`, as those of `InferencePool` are.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionSpec;

use super::parts::{Api, conditions_with, pool_ref, resource};
use super::schema::{any_number, object};
use crate::kinds::inference::{EXPERIMENTAL_GROUP, EXPERIMENTAL_VERSION, INFERENCE_OBJECTIVE};

/// `<plural>.<group>`.
pub(super) const NAME: &str = "inferenceobjectives.inference.networking.x-k8s.io";

const API: Api = Api {
    group: EXPERIMENTAL_GROUP,
    version: EXPERIMENTAL_VERSION,
    kind: INFERENCE_OBJECTIVE,
    plural: "inferenceobjectives",
    short_name: None,
    columns: &[
        ("Inference Pool", "string", ".spec.poolRef.name"),
        ("Priority", "string", ".spec.priority"),
        ("Age", "date", ".metadata.creationTimestamp"),
    ],
};

pub(super) fn spec() -> CustomResourceDefinitionSpec {
    let priority =
        any_number().about("Requests of a higher one go first; those of a negative one may be dropped.");
    let spec = object(vec![("poolRef", pool_ref()), ("priority", priority)], &["poolRef"]);
    let status = object(vec![("conditions", conditions_with("Ready"))], &[]);
    let objective = resource(
        vec![
            ("spec", spec.about("What requests that name this objective are worth.")),
            ("status", status.about("Of no controller: pickers only read.")),
        ],
        &[],
    );
    API.spec(objective.about("What requests to a pool are worth that name this objective in a header."))
}
