//! What the schemas offer and this version cannot do. This table shall shrink to nothing.
//!
//! Whoever writes such a field is told so: nothing is silently ignored.

use serde_json::Value;

use super::problem::{Path, Problems, Source, Step, shown};

/// Which values cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Any.
    Set,
    /// These.
    Is(&'static [&'static str]),
}

/// One thing that cannot be had.
#[derive(Debug)]
pub(super) struct Unsupported {
    pub(super) source: Source,
    /// Below the fields' base; `[]` stands for every entry of a list.
    pub(super) path: &'static str,
    pub(super) when: When,
    /// What can be had.
    instead: &'static str,
}

const fn input(path: &'static str, when: When, instead: &'static str) -> Unsupported {
    Unsupported { source: Source::Input, path, when, instead }
}

/// Everything that cannot be had.
pub(super) const TABLE: &[Unsupported] =
    &[input("gateway.implementation", When::Is(&["Auto"]), "name what implements the Gateway")];

/// Notes every use of what cannot be had, in what lies at the fields' base.
pub(super) fn refuse(fields: &Value, source: Source, problems: &mut Problems) {
    for entry in TABLE.iter().filter(|entry| entry.source == source) {
        let mut trail = Path::default();
        entry.walk(fields, entry.path, &mut trail, problems);
    }
}

/// Whether a field can be had, with that value where one is meant. `[]` is an entry of a list, `{}` a value of a map.
pub fn is_supported(source: Source, path: &str, value: Option<&Value>) -> bool {
    TABLE.iter().filter(|entry| entry.source == source).all(|entry| match path.strip_prefix(entry.path) {
        Some("") => value.map_or(entry.when != When::Set, |value| !entry.when.holds(value)),
        Some(inside) if inside.starts_with(['.', '[', '{']) => entry.when != When::Set,
        Some(_) | None => true,
    })
}

impl Unsupported {
    fn walk(&self, value: &Value, path: &str, trail: &mut Path, problems: &mut Problems) {
        if path.is_empty() {
            if self.when.holds(value) {
                problems.add(trail, shown(value), format!("not supported yet, {}", self.instead));
            }
            return;
        }
        if let Some(rest) = path.strip_prefix("[]") {
            let rest = rest.strip_prefix('.').unwrap_or(rest);
            for (index, entry) in value.as_array().into_iter().flatten().enumerate() {
                trail.0.push(Step::Index(index));
                self.walk(entry, rest, trail, problems);
                trail.0.pop();
            }
            return;
        }
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (field, rest) = path.split_at(end);
        if let Some(value) = value.get(field) {
            trail.0.push(Step::Field(field.to_owned()));
            self.walk(value, rest.strip_prefix('.').unwrap_or(rest), trail, problems);
            trail.0.pop();
        }
    }
}

impl When {
    fn holds(self, value: &Value) -> bool {
        if value.is_null() {
            return false;
        }
        match self {
            Self::Set => true,
            Self::Is(values) => value.as_str().is_some_and(|value| values.contains(&value)),
        }
    }
}
