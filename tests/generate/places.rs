//! Where something may be written: a schema as a list.

use std::fmt;
use std::path::Path;

use serde_json::{Value, json};

/// A place in a schema.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The way to it: fields, `[]` for an entry of a list and `{}` for a value of a map.
    pub(crate) path: Vec<String>,
    /// What may stand there.
    pub(crate) schema: Value,
}

/// The schema of `spec` in one of our generated files.
pub(crate) fn schema(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let definition: Value = serde_yaml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone()
}

/// Every place in a schema, those that hold others included.
pub(crate) fn places(schema: &Value) -> Vec<Place> {
    let mut places = Vec::new();
    collect(schema, &mut Vec::new(), &mut places);
    places
}

fn collect(schema: &Value, path: &mut Vec<String>, places: &mut Vec<Place>) {
    if !path.is_empty() {
        places.push(Place { path: path.clone(), schema: schema.clone() });
    }
    let fields = schema["properties"].as_object().into_iter().flatten();
    let fields = fields.map(|(name, schema)| (name.as_str(), schema));
    let inner = [("[]", &schema["items"]), ("{}", &schema["additionalProperties"])];
    for (step, schema) in fields.chain(inner.into_iter().filter(|(_, schema)| schema.is_object())) {
        path.push(step.to_owned());
        collect(schema, path, places);
        path.pop();
    }
}

/// What of a schema no document has: places with a single value, and choices.
pub(crate) fn lacking(schema: &Value, documents: &[&Value]) -> Vec<(Place, Option<Value>)> {
    let choices = places(schema).into_iter().flat_map(|place| {
        let choices = place.choices();
        choices.into_iter().map(move |choice| (place.clone(), choice))
    });
    choices
        .filter(|(place, choice)| {
            let wanted = |value: &&Value| choice.as_ref().is_none_or(|choice| choice == *value);
            !documents.iter().any(|document| place.values_in(document).iter().any(wanted))
        })
        .collect()
}

impl Place {
    /// What can be chosen there; `None` for a single value that is no choice, nothing for what holds others.
    pub(crate) fn choices(&self) -> Vec<Option<Value>> {
        match (self.schema["enum"].as_array(), self.schema["type"].as_str()) {
            (Some(choices), _) => choices.iter().cloned().map(Some).collect(),
            (None, Some("boolean")) => vec![Some(json!(false)), Some(json!(true))],
            // What is free inside is a value as a whole.
            (None, Some("object")) if self.schema["x-kubernetes-preserve-unknown-fields"] == true => {
                vec![None]
            }
            (None, Some("object" | "array")) => Vec::new(),
            (None, _) => vec![None],
        }
    }

    /// Every value that stands there in a document.
    pub(crate) fn values_in<'a>(&self, document: &'a Value) -> Vec<&'a Value> {
        self.path.iter().fold(vec![document], |values, step| {
            let inner = |value: &'a Value| -> Vec<&'a Value> {
                match step.as_str() {
                    "[]" => value.as_array().into_iter().flatten().collect(),
                    "{}" => value.as_object().into_iter().flat_map(|fields| fields.values()).collect(),
                    field => value.get(field).into_iter().collect(),
                }
            };
            values.into_iter().flat_map(inner).collect()
        })
    }
}

/// `runtime.env[].name`, `labels{}`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.path.iter().enumerate() {
            let is_field = !matches!(step.as_str(), "[]" | "{}");
            f.write_str(if is_field && position > 0 { "." } else { "" })?;
            f.write_str(step)?;
        }
        Ok(())
    }
}
