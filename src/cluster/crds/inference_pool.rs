//! `InferencePool` of `inference.networking.k8s.io/v1`.
//!
//! Fields, bounds, patterns and defaults are those of kubernetes-sigs/gateway-api-inference-extension, v1.3.1 and
//! v1.5.0, `config/crd/bases/inference.networking.k8s.io_inferencepools.yaml`. An end-to-end test lets a real API server
//! judge the same objects by both definitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinitionNames, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion,
    CustomResourceSubresourceStatus, CustomResourceSubresources, CustomResourceValidation,
};

use super::schema::{
    Schema, any_object, any_text, count, int32, list, map, object, one_of, short_text, text, time,
};
use crate::api::settings::InferenceRelease;

const GROUP: &str = "inference.networking.k8s.io";
/// `<plural>.<group>`.
pub(super) const NAME: &str = "inferencepools.inference.networking.k8s.io";
/// Where the API was approved.
pub(super) const APPROVED: &str =
    "https://github.com/kubernetes-sigs/gateway-api-inference-extension/pull/1173";

const GROUP_NAME: &str = r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const KIND_NAME: &str = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
const NAMESPACE: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
const CONTROLLER: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+$";
const REASON: &str = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$";
const CONDITION_TYPE: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$";

pub(super) fn spec(release: InferenceRelease) -> CustomResourceDefinitionSpec {
    CustomResourceDefinitionSpec {
        group: GROUP.to_owned(),
        names: CustomResourceDefinitionNames {
            kind: "InferencePool".to_owned(),
            list_kind: Some("InferencePoolList".to_owned()),
            plural: "inferencepools".to_owned(),
            singular: Some("inferencepool".to_owned()),
            short_names: Some(vec!["infpool".to_owned()]),
            ..CustomResourceDefinitionNames::default()
        },
        scope: "Namespaced".to_owned(),
        versions: vec![CustomResourceDefinitionVersion {
            name: "v1".to_owned(),
            served: true,
            storage: true,
            schema: Some(CustomResourceValidation { open_api_v3_schema: Some(pool(release).build()) }),
            subresources: Some(CustomResourceSubresources {
                status: Some(CustomResourceSubresourceStatus(serde_json::Value::Object(
                    serde_json::Map::new(),
                ))),
                ..CustomResourceSubresources::default()
            }),
            ..CustomResourceDefinitionVersion::default()
        }],
        ..CustomResourceDefinitionSpec::default()
    }
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
    object(
        vec![
            ("apiVersion", any_text()),
            ("kind", any_text()),
            ("metadata", any_object()),
            ("spec", spec.about("Which pods, and who chooses among them.")),
            ("status", status()),
        ],
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
    list(Some(1), 8, object(vec![("number", port())], &["number"]))
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
            ("conditions", list(None, 8, condition()).keyed_by("type")),
            ("controllerName", text(1, 253).matching(CONTROLLER)),
            ("parentRef", parent_ref),
        ],
        &["parentRef"],
    );
    object(vec![("parents", list(None, 32, parent))], &[])
        .about("What each Gateway that uses the pool says about it.")
}

/// As every Kubernetes API has it.
fn condition() -> Schema {
    object(
        vec![
            ("lastTransitionTime", time()),
            ("message", short_text(32_768)),
            ("observedGeneration", count()),
            ("reason", text(1, 1_024).matching(REASON)),
            ("status", one_of(&["True", "False", "Unknown"])),
            ("type", short_text(316).matching(CONDITION_TYPE)),
        ],
        &["lastTransitionTime", "message", "reason", "status", "type"],
    )
}
