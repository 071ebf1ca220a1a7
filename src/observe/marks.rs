//! Our own marks on a live object: who owns it, and who claims it.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::plan::names::{CLAIM_ANNOTATION_PREFIX, OWNER_ANNOTATION};

/// Our own marks among the annotations; the others are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// Who wrote last.
    pub owner: Option<String>,
    /// What composites claim it, in no order.
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

impl<'de> Deserialize<'de> for Marks {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Annotations;

        impl<'de> Visitor<'de> for Annotations {
            type Value = Marks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Marks::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut annotations: A) -> Result<Self::Value, A::Error> {
                let mut marks = Marks::default();
                while let Some(mark) = annotations.next_key()? {
                    match mark {
                        Mark::Owner => marks.owner = Some(annotations.next_value()?),
                        Mark::Claim => {
                            marks.claims.extend(Claim::parse(&annotations.next_value::<String>()?));
                        }
                        Mark::Other => {
                            annotations.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(marks)
            }
        }

        from.deserialize_any(Annotations)
    }
}

/// An annotation's key, compared where it stands.
enum Mark {
    Owner,
    Claim,
    Other,
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;

        impl Visitor<'_> for Name {
            type Value = Mark;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an annotation")
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(if name == OWNER_ANNOTATION {
                    Mark::Owner
                } else if name.starts_with(CLAIM_ANNOTATION_PREFIX) {
                    Mark::Claim
                } else {
                    Mark::Other
                })
            }
        }

        from.deserialize_str(Name)
    }
}
