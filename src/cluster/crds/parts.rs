//! What several definitions have in common.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinitionNames, CustomResourceDefinitionSpec,
    CustomResourceDefinitionVersion, CustomResourceSubresourceStatus, CustomResourceSubresources,
    CustomResourceValidation,
};

use super::schema::{Schema, any_object, any_text, count, list, object, one_of, short_text, text, time};
use crate::kinds::inference::{GROUP, INFERENCE_POOL};

pub(super) const GROUP_NAME: &str = r"^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
pub(super) const KIND_NAME: &str = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";
const REASON: &str = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$";
const CONDITION_TYPE: &str = r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$";

/// A definition with one version, which is served and stored.
pub(super) struct Api {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) short_name: Option<&'static str>,
    /// What `kubectl get` shows: name, type and path.
    pub(super) columns: &'static [(&'static str, &'static str, &'static str)],
}

impl Api {
    pub(super) fn spec(&self, schema: Schema) -> CustomResourceDefinitionSpec {
        let Self { group, version, kind, plural, short_name, columns } = *self;
        let column = |(name, kind, path): &(&str, &str, &str)| CustomResourceColumnDefinition {
            name: (*name).to_owned(),
            type_: (*kind).to_owned(),
            json_path: (*path).to_owned(),
            ..CustomResourceColumnDefinition::default()
        };
        CustomResourceDefinitionSpec {
            group: group.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: kind.to_owned(),
                list_kind: Some(format!("{kind}List")),
                plural: plural.to_owned(),
                singular: Some(kind.to_lowercase()),
                short_names: short_name.map(|name| vec![name.to_owned()]),
                ..CustomResourceDefinitionNames::default()
            },
            scope: "Namespaced".to_owned(),
            versions: vec![CustomResourceDefinitionVersion {
                name: version.to_owned(),
                served: true,
                storage: true,
                additional_printer_columns: (!columns.is_empty())
                    .then(|| columns.iter().map(column).collect()),
                schema: Some(CustomResourceValidation { open_api_v3_schema: Some(schema.build()) }),
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
}

/// An object with these parts beside what every object has.
pub(super) fn resource(mut fields: Vec<(&'static str, Schema)>, required: &[&str]) -> Schema {
    fields.extend([("apiVersion", any_text()), ("kind", any_text()), ("metadata", any_object())]);
    object(fields, required)
}

/// A reference to the pool that an object of the same namespace is about.
pub(super) fn pool_ref() -> Schema {
    object(
        vec![
            ("group", short_text(253).matching(GROUP_NAME).or(GROUP)),
            ("kind", text(1, 63).matching(KIND_NAME).or(INFERENCE_POOL)),
            ("name", text(1, 253)),
        ],
        &["name"],
    )
    .about("The pool, in the same namespace.")
}

/// Conditions, of which that one is unknown until a controller has looked.
pub(super) fn conditions_with(kind: &str) -> Schema {
    let pending = serde_json::json!([{
        "lastTransitionTime": "1970-01-01T00:00:00Z", "message": "Waiting for controller", "reason": "Pending",
        "status": "Unknown", "type": kind,
    }]);
    keyed_conditions().or(pending)
}

/// Conditions, as every Kubernetes API has them.
pub(super) fn keyed_conditions() -> Schema {
    list(None, Some(8), condition()).keyed_by("type")
}

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
