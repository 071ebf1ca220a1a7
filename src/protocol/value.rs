//! The messages of `google.protobuf.Struct`, one level at a time, by the rules by which protobuf merges them.

use super::error::StructError;
use super::wire::{Body, Payload, entry, only};
use super::writer::{LIST, OBJECT, STRING};

/// One field of an object: the key is not checked before it is visited.
#[derive(Debug, Default)]
pub(super) struct ObjectField<'de> {
    pub(super) key: &'de [u8],
    /// A `Value`.
    pub(super) value: Body<'de>,
}

impl<'de> ObjectField<'de> {
    /// From an entry of `Struct.fields`.
    #[inline]
    pub(super) fn read(bytes: &'de [u8]) -> Result<Self, StructError> {
        match entry(bytes) {
            Some((key, value)) => Ok(Self { key, value: Body::One(value) }),
            None => Self::read_any(bytes),
        }
    }

    /// Whatever a sender may make of an entry.
    fn read_any(entry: &'de [u8]) -> Result<Self, StructError> {
        let mut read = Self::default();
        for field in Body::One(entry).fields() {
            let field = field?;
            match (field.number, field.payload) {
                (1, Payload::Bytes(key)) => read.key = key,
                (2, Payload::Bytes(part)) => read.value = read.value.and(part),
                (1 | 2, _) => return Err(StructError::Malformed),
                _ => {}
            }
        }
        Ok(read)
    }
}

/// What a `Value` holds.
#[derive(Debug)]
pub(super) enum Kind<'de> {
    Null,
    Number(f64),
    String(&'de [u8]),
    Bool(bool),
    /// A `Struct`.
    Object(Body<'de>),
    /// A `ListValue`.
    List(Body<'de>),
}

impl<'de> Kind<'de> {
    /// Of a oneof the last field counts, unless the one before is the same message: then they merge.
    #[inline]
    pub(super) fn of(value: Body<'de>) -> Result<Self, StructError> {
        if let Body::One(bytes) = value {
            if let Some(text) = only(STRING, bytes) {
                return Ok(Self::String(text));
            }
            if let Some(object) = only(OBJECT, bytes) {
                return Ok(Self::Object(Body::One(object)));
            }
            if let Some(list) = only(LIST, bytes) {
                return Ok(Self::List(Body::One(list)));
            }
        }
        Self::of_any(value)
    }

    /// Of whatever a sender may make of a value.
    fn of_any(value: Body<'de>) -> Result<Self, StructError> {
        let mut kind = Self::Null;
        for field in value.fields() {
            let field = field?;
            kind = match (field.number, field.payload, kind) {
                (1, Payload::Varint(_), _) => Self::Null,
                (2, Payload::Fixed64(bits), _) => Self::Number(f64::from_le_bytes(bits)),
                (3, Payload::Bytes(text), _) => Self::String(text),
                (4, Payload::Varint(bit), _) => Self::Bool(bit != 0),
                (5, Payload::Bytes(part), Self::Object(body)) => Self::Object(body.and(part)),
                (5, Payload::Bytes(part), _) => Self::Object(Body::One(part)),
                (6, Payload::Bytes(part), Self::List(body)) => Self::List(body.and(part)),
                (6, Payload::Bytes(part), _) => Self::List(Body::One(part)),
                (1..=6, _, _) => return Err(StructError::Malformed),
                (_, _, kind) => kind,
            };
        }
        Ok(kind)
    }
}

/// Text is UTF-8; checked where it is read.
pub(super) fn text(bytes: &[u8]) -> Result<&str, StructError> {
    std::str::from_utf8(bytes).map_err(|_| StructError::NotUtf8)
}
