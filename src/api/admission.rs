//! What the API server does with a composite when it is applied, as far as our XRD uses it: the structural schema
//! first, CEL rules only when that holds. Proved against a real API server by the end-to-end tests.

use kube_cel::{CompiledSchema, Validator, compile_schema};
use regex::Regex;
use serde_json::Value;

use super::schema;

/// The XRD's schema.
pub(super) fn schema() -> Value {
    schema::xrd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

thread_local! {
    /// The schema, and its rules for a composite that is new and for one that replaces another.
    static SCHEMA: (Value, [CompiledSchema; 2]) = {
        let schema = schema();
        let rules = [false, true].map(|has_old| compile_schema(&without_optionals(&schema, has_old)));
        (schema, rules)
    };
}

/// Why the API server would refuse `new`, which replaces `old`: by the schema, or by these rules.
pub(super) fn refuse(new: &Value, old: Option<&Value>) -> Refusal {
    SCHEMA.with(|(schema, [created, changed])| {
        let new = &without_nulls(new);
        let mut errors = Vec::new();
        structural(schema, new, "", &mut errors);
        if !errors.is_empty() {
            return Refusal::Schema(errors);
        }
        let rules = if old.is_some() { changed } else { created };
        match Validator::new().validate_compiled(rules, new, old) {
            Ok(()) => Refusal::None,
            Err(errors) => Refusal::Rules(errors.into_vec().into_iter().map(|error| error.rule).collect()),
        }
    })
}

/// Fields that are null are dropped before anything is judged.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        Value::Array(entries) => entries.iter().map(without_nulls).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// `kube-cel` 0.8 knows `optionalOldSelf`, but binds `oldSelf` to a plain value where Kubernetes binds an optional.
fn without_optionals(schema: &Value, has_old: bool) -> Value {
    let text = schema.to_string().replace("oldSelf.hasValue()", if has_old { "true" } else { "false" });
    serde_json::from_str(&text).unwrap()
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    None,
    Schema(Vec<String>),
    Rules(Vec<String>),
}

fn structural(schema: &Value, value: &Value, path: &str, errors: &mut Vec<String>) {
    let mut refuse = |what: &str| errors.push(format!("{path}: {what}"));
    let int_or_string = schema["x-kubernetes-int-or-string"] == true;
    let fits = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        Some("number") => value.is_number(),
        None if int_or_string => {
            value.is_string() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        None => true,
        Some(other) => panic!("{path}: {other}"),
    };
    if !fits {
        return refuse("type");
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        refuse("enum");
    }
    let within = |number: Option<f64>, min: &str, max: &str| {
        number.is_none_or(|number| {
            schema[min].as_f64().is_none_or(|min| number >= min)
                && schema[max].as_f64().is_none_or(|max| number <= max)
        })
    };
    let count = |count: usize| f64::from(u32::try_from(count).unwrap());
    // Bounds are truncated for values without a fraction.
    let bound =
        |name: &str| schema[name].as_f64().map(|bound| if value.is_i64() { bound.trunc() } else { bound });
    let number = value.as_f64().unwrap_or_default();
    if value.is_number()
        && (bound("minimum").is_some_and(|min| number < min)
            || bound("maximum").is_some_and(|max| number > max))
    {
        refuse("range");
    }
    if !within(value.as_str().map(|text| count(text.chars().count())), "minLength", "maxLength") {
        refuse("length");
    }
    if !within(value.as_array().map(|list| count(list.len())), "minItems", "maxItems") {
        refuse("items");
    }
    if !within(value.as_object().map(|map| count(map.len())), "minProperties", "maxProperties") {
        refuse("properties");
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !Regex::new(pattern).unwrap().is_match(text)
    {
        refuse("pattern");
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none_or(Value::is_null) {
            refuse("required");
        }
    }
    if let Some(key) = schema["x-kubernetes-list-map-keys"][0].as_str() {
        let keys: Vec<_> = value.as_array().into_iter().flatten().map(|entry| &entry[key]).collect();
        if keys.iter().enumerate().any(|(index, key)| keys[..index].contains(key)) {
            refuse("duplicate");
        }
    }
    for (name, value) in value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) | (None, Some(schema)) => {
                structural(schema, value, &format!("{path}.{name}"), errors);
            }
            // Pruned.
            (None, None) => {}
        }
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        structural(&schema["items"], value, &format!("{path}[{index}]"), errors);
    }
}
