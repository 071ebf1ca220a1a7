//! Structural schemas, in as few words as they need.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};

/// What may stand in a field. Read from left to right: `text(1, 253).matching(NAME).or("Service")`.
#[derive(Debug, Clone)]
pub(super) struct Schema(JSONSchemaProps);

fn of_type(kind: &str) -> JSONSchemaProps {
    JSONSchemaProps { type_: Some(kind.to_owned()), ..JSONSchemaProps::default() }
}

/// A text of so many characters.
pub(super) fn text(min: i64, max: i64) -> Schema {
    Schema(JSONSchemaProps { min_length: Some(min), max_length: Some(max), ..of_type("string") })
}

/// A text of at most so many characters.
pub(super) fn short_text(max: i64) -> Schema {
    Schema(JSONSchemaProps { max_length: Some(max), ..of_type("string") })
}

/// A text without bounds of its own.
pub(super) fn any_text() -> Schema {
    Schema(of_type("string"))
}

/// A text of at least so many characters.
pub(super) fn long_text(min: i64) -> Schema {
    Schema(JSONSchemaProps { min_length: Some(min), ..of_type("string") })
}

/// A whole number without bounds of its own.
pub(super) fn any_number() -> Schema {
    Schema(of_type("integer"))
}

/// One of a few texts.
pub(super) fn one_of(values: &[&str]) -> Schema {
    let values = values.iter().map(|value| JSON((*value).into())).collect();
    Schema(JSONSchemaProps { enum_: Some(values), ..of_type("string") })
}

/// A time.
pub(super) fn time() -> Schema {
    Schema(JSONSchemaProps { format: Some("date-time".to_owned()), ..of_type("string") })
}

/// A whole number of 32 bits within bounds.
pub(super) fn int32(min: i32, max: i32) -> Schema {
    Schema(JSONSchemaProps {
        format: Some("int32".to_owned()),
        minimum: Some(min.into()),
        maximum: Some(max.into()),
        ..of_type("integer")
    })
}

/// A whole number of 64 bits that is not negative.
pub(super) fn count() -> Schema {
    Schema(JSONSchemaProps { format: Some("int64".to_owned()), minimum: Some(0.0), ..of_type("integer") })
}

/// An object without fields of its own, such as `metadata`.
pub(super) fn any_object() -> Schema {
    Schema(of_type("object"))
}

/// An object of these fields, of which those must be there.
pub(super) fn object(fields: Vec<(&str, Schema)>, required: &[&str]) -> Schema {
    let properties = fields.into_iter().map(|(name, schema)| (name.to_owned(), schema.0)).collect();
    let required: Vec<String> = required.iter().map(|name| (*name).to_owned()).collect();
    Schema(JSONSchemaProps {
        properties: Some(properties),
        required: (!required.is_empty()).then_some(required),
        ..of_type("object")
    })
}

/// A map of so many entries.
pub(super) fn map(min: i64, max: i64, value: Schema) -> Schema {
    Schema(JSONSchemaProps {
        min_properties: Some(min),
        max_properties: Some(max),
        additional_properties: Some(JSONSchemaPropsOrBool::Schema(Box::new(value.0))),
        ..of_type("object")
    })
}

/// A list that says nothing of who owns it.
pub(super) fn free_list(min: Option<i64>, entry: Schema) -> Schema {
    let Schema(list) = list(min, None, entry);
    Schema(JSONSchemaProps { x_kubernetes_list_type: None, ..list })
}

/// A list that is owned as a whole.
pub(super) fn list(min: Option<i64>, max: Option<i64>, entry: Schema) -> Schema {
    Schema(JSONSchemaProps {
        min_items: min,
        max_items: max,
        items: Some(JSONSchemaPropsOrArray::Schema(Box::new(entry.0))),
        x_kubernetes_list_type: Some("atomic".to_owned()),
        ..of_type("array")
    })
}

impl Schema {
    /// Follows a pattern.
    pub(super) fn matching(mut self, pattern: &str) -> Self {
        self.0.pattern = Some(pattern.to_owned());
        self
    }

    /// Is this where nothing is said.
    pub(super) fn or(mut self, default: impl Into<serde_json::Value>) -> Self {
        self.0.default = Some(JSON(default.into()));
        self
    }

    /// Entries are told apart by this field, and each may have its own owner.
    pub(super) fn keyed_by(mut self, field: &str) -> Self {
        self.0.x_kubernetes_list_type = Some("map".to_owned());
        self.0.x_kubernetes_list_map_keys = Some(vec![field.to_owned()]);
        self
    }

    /// CEL has to hold.
    pub(super) fn holding(mut self, rule: &str, message: &str) -> Self {
        self.0.x_kubernetes_validations.get_or_insert_default().push(ValidationRule {
            rule: rule.to_owned(),
            message: Some(message.to_owned()),
            ..ValidationRule::default()
        });
        self
    }

    /// Is described, for `kubectl explain`.
    pub(super) fn about(mut self, description: &str) -> Self {
        self.0.description = Some(description.to_owned());
        self
    }

    /// As the API server takes it.
    pub(super) fn build(self) -> JSONSchemaProps {
        self.0
    }
}
