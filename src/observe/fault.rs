//! What is wrong with what is observed, and where.

use std::fmt;

use serde::Deserialize;

use crate::protocol::{Deserializer, StructError};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Of fields and indexes, as people write it. Empty for the whole.
    path: String,
    why: String,
}

impl Fault {
    /// Reads once more, with an eye on where: paths cost, so they are only looked for where something is wrong.
    pub(super) fn find<'a, T: Deserialize<'a>>(mut from: Deserializer<'a>, error: &StructError) -> Self {
        match serde_path_to_error::deserialize::<_, T>(&mut from) {
            // What failed once fails again.
            Ok(_) => Self { path: String::new(), why: error.to_string() },
            Err(found) => Self {
                path: if found.path().iter().next().is_some() {
                    found.path().to_string()
                } else {
                    String::new()
                },
                why: found.inner().to_string(),
            },
        }
    }

    /// The same, seen from what it is part of.
    pub(super) fn below(self, field: &str) -> Self {
        let Self { path, why } = self;
        let separator = if path.is_empty() || path.starts_with('[') { "" } else { "." };
        Self { path: format!("{field}{separator}{path}"), why }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, why } = self;
        if path.is_empty() { f.write_str(why) } else { write!(f, "{path}: {why}") }
    }
}
