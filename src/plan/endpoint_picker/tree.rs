//! Looking at a document of which nothing is sure: what is not there is a value too.

use std::collections::BTreeMap;

use crate::api::quantity::Quantity;
use crate::api::settings::Tree;

/// A value that is not there.
const NOTHING: &Tree = &Tree::Null;

impl Tree {
    pub(super) fn map(&self) -> Option<&BTreeMap<String, Self>> {
        if let Self::Map(fields) = self { Some(fields) } else { None }
    }

    pub(super) fn field(&self, name: &str) -> &Self {
        self.map().and_then(|fields| fields.get(name)).unwrap_or(NOTHING)
    }

    pub(super) fn entries(&self) -> &[Self] {
        if let Self::List(entries) = self { entries } else { &[] }
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::List(_))
    }

    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Self::Null)
    }

    /// A number, or a quantity in whole units.
    pub(super) fn units(&self) -> Option<u64> {
        match self {
            Self::Whole(number) => u64::try_from(*number).ok(),
            Self::Text(text) => u64::try_from(Quantity::parse(text)?.units()).ok(),
            Self::Null | Self::Flag(_) | Self::Real(_) | Self::List(_) | Self::Map(_) => None,
        }
    }
}
