//! Manifests in files, and changing a field of one.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The only document of a YAML file.
pub fn yaml(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_yaml::from_str(&text).with_context(|| format!("cannot read {}", path.display()))
}

/// Sets a field by its dotted path; objects that are missing on the way are made.
pub fn set(object: &mut Value, path: &str, value: Value) {
    if !object.is_object() {
        *object = json!({});
    }
    let Some(fields) = object.as_object_mut() else { return };
    match path.split_once('.') {
        Some((first, rest)) => set(fields.entry(first).or_insert(Value::Null), rest, value),
        None => drop(fields.insert(path.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_set_wherever_it_is() {
        let mut object = json!({"a": {"b": 1}});
        set(&mut object, "a.b", json!(2));
        set(&mut object, "c.d.e", json!(3));
        assert_eq!(object, json!({"a": {"b": 2}, "c": {"d": {"e": 3}}}));
    }
}
