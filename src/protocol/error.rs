//! What can be wrong with a `google.protobuf.Struct`.

use std::fmt::Display;

/// Nested objects and lists that are read or written, the outermost object included.
///
/// As deep as prost reads messages. Kubernetes objects stay far below, and a reader that recurses has to stop
/// somewhere before its stack does. It counts objects and lists, whatever number of messages they take on the wire.
pub const DEPTH_LIMIT: u8 = 100;

/// The largest whole number for which a double, the only number a `Struct` has, is sure to mean that number.
pub const INTEGER_LIMIT: u64 = 1 << 53;

/// Why a `Struct` cannot be read into a type, or a value not be written as a `Struct`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StructError {
    /// The bytes are not the encoding of a `Struct`.
    #[error("malformed protobuf")]
    Malformed,
    /// Objects or lists in each other, further than [`DEPTH_LIMIT`].
    #[error("nested too deep: more than {DEPTH_LIMIT} objects and lists in each other")]
    TooDeep,
    /// A key or a string is not text.
    #[error("text is not valid UTF-8")]
    NotUtf8,
    /// A whole number beyond [`INTEGER_LIMIT`], which may stand for one of its neighbours.
    #[error("the whole number {0} is beyond 2^53 and may have been rounded")]
    Rounded(String),
    /// Infinity, or not a number at all. JSON has no such thing.
    #[error("the number {0} is not finite")]
    NotFinite(String),
    /// The outermost value to be written is not an object.
    #[error("cannot write {0} as an object")]
    NotAnObject(&'static str),
    /// A key to be written is not a string.
    #[error("cannot write {0} as the key of a map")]
    KeyNotAString(&'static str),
    /// A value that JSON has no form for.
    #[error("cannot write {0} as JSON")]
    NotJson(&'static str),
    /// What a type has to say about a value.
    #[error("{0}")]
    Value(String),
}

impl serde::de::Error for StructError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}

impl serde::ser::Error for StructError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Value(message.to_string())
    }
}
