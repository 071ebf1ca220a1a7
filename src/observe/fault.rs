//! What is wrong with what is observed, and where.

use std::fmt;

use serde::Deserialize;

use crate::protocol::{Deserializer, StructError};

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Of fields and indexes, as people write it. Empty for the whole.
    path: String,
    /// What.
    pub(super) why: StructError,
}

impl Fault {
    /// Reads a value, or says where that cannot be read.
    pub(super) fn or<'a, T: Deserialize<'a>>(mut from: Deserializer<'a>) -> Result<T, Self> {
        T::deserialize(&mut from).map_err(|why| Self { path: from.place(), why })
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
        if path.is_empty() { why.fmt(f) } else { write!(f, "{path}: {why}") }
    }
}
