//! Our own marks on a live object: who owns it, and who claims it.

use std::fmt;

use crate::plan::names::{CLAIM_ANNOTATION_PREFIX, OWNER_ANNOTATION};
use crate::protocol::{Fault, Item};

/// Our own marks among the annotations; the others are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Who wrote last.
    pub owner: Option<String>,
    /// What composites claim it, the oldest first.
    pub claims: Vec<Claim>,
}

/// A composite's claim on a live object. Of two, the smaller is the older; age, then the name decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// When the composite was created: RFC 3339 in UTC and whole seconds, as API servers write it, so that text sorts by
    /// time.
    pub created: String,
    /// Its owner mark.
    pub owner: String,
}

impl Claim {
    /// From the value of its annotation; `None` for what is not written by us.
    pub fn parse(text: &str) -> Option<Self> {
        let (created, owner) = text.split_once(' ')?;
        Some(Self { created: created.to_owned(), owner: owner.to_owned() })
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, owner } = self;
        write!(f, "{created} {owner}")
    }
}

impl Marks {
    /// Out of annotations.
    pub(crate) fn of(annotations: &Item<'_, '_>) -> Result<Self, Fault> {
        let mut marks = Self::default();
        annotations.each_field(|name, value| {
            if is_mark(name)
                && let Some(value) = value.text()?
            {
                marks.add(name, value);
            }
            Ok(())
        })?;
        marks.claims.sort();
        Ok(marks)
    }

    fn add(&mut self, name: &str, value: &str) {
        if name == OWNER_ANNOTATION {
            self.owner = Some(value.to_owned());
        } else {
            self.claims.extend(Claim::parse(value));
        }
    }
}

fn is_mark(name: &str) -> bool {
    name == OWNER_ANNOTATION || name.starts_with(CLAIM_ANNOTATION_PREFIX)
}
