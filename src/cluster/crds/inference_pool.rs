//! `InferencePool` of `inference.networking.k8s.io/v1`.
//!
//! Fields, bounds, patterns and defaults are those of kubernetes-sigs/gateway-api-inference-extension, v1.3.1 and
//! v1.5.0, `config/crd/bases/inference.networking.k8s.io_inferencepools.yaml`. An end-to-end test lets a real API server
//! judge the same objects by both definitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinitionSpec;

use super::parts::{Api, GROUP_NAME, KIND_NAME, keyed_conditions, resource};
use super::schema::{Schema, int32, list, map, object, one_of, text};
use crate::api::settings::InferenceRelease;
use crate::kinds::inference::{GROUP, INFERENCE_POOL};

/// `<plural>.<group>`.
pub(super) const NAME: &str = "inferencepools.inference.networking.k8s.io";
/// Where the API was approved.
pub(super) const APPROVED: &str =
    "https://github.com/kubernetes-sigs/gateway-api-inference-extension/pull/1173";

const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
const CONTROLLER: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$";
const API: Api = Api {
    group: GROUP,
    version: "v1",
    kind: INFERENCE_POOL,
    plural: "inferencepools",
    short_name: Some("infpool"),
    columns: &[],
};

pub(super) fn spec(release: InferenceRelease) -> CustomResourceDefinitionSpec {
    API.spec(pool(release))
}

fn pool(release: InferenceRelease) -> Schema {
    let mut fields = vec![
        ("selector", selector()),
        ("targetPorts", target_ports()),
        ("endpointPickerRef", endpoint_picker_ref()),
    ];
    match release {
        InferenceRelease::V1_3_1 => {}
        // Since v1.4.0.
        InferenceRelease::V1_5_0 => fields.push((
            "appProtocol",
            one_of(&["http", "kubernetes.io/h2c"])
                .or("http")
                .about("What the pods speak at every target port."),
        )),
    }
    let spec = object(fields, &["endpointPickerRef", "selector", "targetPorts"]);
    resource(
        vec![("spec", spec.about("Which pods, and who chooses among them.")), ("status", status())],
        &["spec"],
    )
    .about("Pods that serve the same models, and the picker that chooses one for each request.")
}

fn selector() -> Schema {
    let labels = map(1, 64, text(0, 63).matching(LABEL_VALUE));
    object(vec![("matchLabels", labels)], &["matchLabels"])
        .about("Labels that every pod of the pool has; pods of other namespaces are never in it.")
}

fn target_ports() -> Schema {
    list(Some(1), Some(8), object(vec![("number", port())], &["number"]))
        .holding("self.all(p1, self.exists_one(p2, p1.number==p2.number))", "port number must be unique")
        .about("Ports of each pod. Each is an endpoint of its own.")
}

fn endpoint_picker_ref() -> Schema {
    object(
        vec![
            ("group", text(0, 253).matching(GROUP_NAME).or("")),
            ("kind", text(1, 63).matching(KIND_NAME).or("Service")),
            ("name", text(1, 253)),
            ("port", object(vec![("number", port())], &["number"])),
            ("failureMode", one_of(&["FailOpen", "FailClose"]).or("FailClose")),
        ],
        &["name"],
    )
    .holding(
        "self.kind != 'Service' || has(self.port)",
        "port is required when kind is 'Service' or unspecified (defaults to 'Service')",
    )
    .about("The picker, and what happens to requests while it does not answer.")
}

fn port() -> Schema {
    int32(1, 65_535)
}

fn status() -> Schema {
    let parent_ref = object(
        vec![
            ("group", text(0, 253).matching(GROUP_NAME).or("gateway.networking.k8s.io")),
            ("kind", text(1, 63).matching(KIND_NAME).or("Gateway")),
            ("name", text(1, 253)),
            ("namespace", text(1, 63).matching(NAMESPACE)),
        ],
        &["name"],
    );
    let parent = object(
        vec![
            ("conditions", keyed_conditions()),
            ("controllerName", text(1, 253).matching(CONTROLLER)),
            ("parentRef", parent_ref),
        ],
        &["parentRef"],
    );
    object(vec![("parents", list(None, Some(32), parent))], &[])
        .about("What each Gateway that uses the pool says about it.")
}
