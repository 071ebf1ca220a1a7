//! `InferenceModelRewrite` of `inference.networking.x-k8s.io/v1alpha2`.
//!
//! Fields, bounds and defaults are those of kubernetes-sigs/gateway-api-inference-extension, v1.3.1 and v1.5.0,
//! `config/crd/bases/inference.networking.x-k8s.io_inferencemodelrewrites.yaml`, as those of `InferencePool` are.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionSpec;

use super::parts::{Api, conditions_with, pool_ref, resource};
use super::schema::{Schema, any_text, free_list, int32, long_text, object, one_of};
use crate::kinds::inference::{EXPERIMENTAL_GROUP, EXPERIMENTAL_VERSION, INFERENCE_MODEL_REWRITE};

/// `<plural>.<group>`.
pub(super) const NAME: &str = "inferencemodelrewrites.inference.networking.x-k8s.io";

const API: Api = Api {
    group: EXPERIMENTAL_GROUP,
    version: EXPERIMENTAL_VERSION,
    kind: INFERENCE_MODEL_REWRITE,
    plural: "inferencemodelrewrites",
    short_name: None,
    columns: &[
        ("Inference Pool", "string", ".spec.poolRef.name"),
        ("Age", "date", ".metadata.creationTimestamp"),
    ],
};

pub(super) fn spec() -> CustomResourceDefinitionSpec {
    let rules = free_list(None, rule()).about("The first one that matches decides.");
    let spec = object(vec![("poolRef", pool_ref()), ("rules", rules)], &["poolRef", "rules"]);
    let status = object(vec![("conditions", conditions_with("Accepted"))], &[]);
    let rewrite = resource(
        vec![
            ("spec", spec.about("Which models are asked for, and which take their places.")),
            ("status", status.about("Of no controller: pickers only read.")),
        ],
        &[],
    );
    API.spec(rewrite.about("Has requests to a pool ask for other models than their clients named."))
}

fn rule() -> Schema {
    let model = object(vec![("type", one_of(&["Exact"]).or("Exact")), ("value", long_text(1))], &["value"]);
    let asked_for = object(vec![("model", model)], &["model"]);
    let target =
        object(vec![("modelRewrite", any_text()), ("weight", int32(1, 1_000_000))], &["modelRewrite"]);
    let matches = free_list(None, asked_for).about("Any of these; every request where there is none.");
    let targets = free_list(Some(1), target).about("One of these, by weight; all or none have one.");
    object(vec![("matches", matches), ("targets", targets)], &[])
}
