//! A value that is read later, or never.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use super::de;
use super::error::StructError;

/// What a [`Raw`] asks for: nobody else's newtype is called so.
pub(super) const RAW: &str = "$function_inference::protocol::Raw";

/// A value as it arrived: nothing in it has been looked at. A field that may be missing has `#[serde(default)]`, which is
/// null; there is no `Option` around it, since to tell null from a value is to look at it.
///
/// What many types have in common can be read by one piece of code this way, and what is left by one for each type.
#[derive(Debug, Clone, Default)]
pub struct Raw<'de>(Cow<'de, [u8]>);

impl<'de> Raw<'de> {
    /// Reads it.
    pub fn read<T: Deserialize<'de>>(&'de self) -> Result<T, StructError> {
        T::deserialize(&mut self.deserializer())
    }

    /// For those who wrap deserializers.
    pub fn deserializer(&'de self) -> de::Deserializer<'de> {
        de::Deserializer::of_value(&self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Encoding;

        impl<'de> Visitor<'de> for Encoding {
            type Value = Cow<'de, [u8]>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value that is kept as it is")
            }

            fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(bytes))
            }

            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
                Ok(Cow::Owned(bytes))
            }
        }

        from.deserialize_newtype_struct(RAW, Encoding).map(Self)
    }
}
