//! The keys of the maps that [`super::ser`] writes: strings, and what stands for one.

use serde::ser::{Impossible, Serialize};

use super::error::StructError;

/// A serializer for the key of a map, which has to be a string.
pub(super) struct Key<'a> {
    pub(super) key: &'a mut String,
}

/// Whatever is no string is no key.
macro_rules! refuse {
    ($($method:ident($kind:ty) $name:literal),*) => {
        $(fn $method(self, _: $kind) -> Result<(), StructError> {
            Err(StructError::KeyNotAString($name))
        })*
    };
}

impl serde::Serializer for Key<'_> {
    type Ok = ();
    type Error = StructError;
    type SerializeSeq = Impossible<(), StructError>;
    type SerializeTuple = Impossible<(), StructError>;
    type SerializeTupleStruct = Impossible<(), StructError>;
    type SerializeTupleVariant = Impossible<(), StructError>;
    type SerializeMap = Impossible<(), StructError>;
    type SerializeStruct = Impossible<(), StructError>;
    type SerializeStructVariant = Impossible<(), StructError>;

    fn serialize_str(self, text: &str) -> Result<(), StructError> {
        self.key.clear();
        self.key.push_str(text);
        Ok(())
    }

    fn serialize_char(self, letter: char) -> Result<(), StructError> {
        self.serialize_str(letter.encode_utf8(&mut [0; 4]))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), StructError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        key: &T,
    ) -> Result<(), StructError> {
        key.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<(), StructError> {
        key.serialize(self)
    }

    refuse! {
        serialize_bool(bool) "a boolean", serialize_bytes(&[u8]) "bytes",
        serialize_i8(i8) "a number", serialize_i16(i16) "a number", serialize_i32(i32) "a number",
        serialize_i64(i64) "a number", serialize_u8(u8) "a number", serialize_u16(u16) "a number",
        serialize_u32(u32) "a number", serialize_u64(u64) "a number", serialize_f32(f32) "a number",
        serialize_f64(f64) "a number", serialize_unit_struct(&'static str) "null"
    }

    fn serialize_none(self) -> Result<(), StructError> {
        Err(StructError::KeyNotAString("null"))
    }

    fn serialize_unit(self) -> Result<(), StructError> {
        Err(StructError::KeyNotAString("null"))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), StructError> {
        Err(StructError::KeyNotAString("an object"))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, StructError> {
        Err(StructError::KeyNotAString("a list"))
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self::SerializeTuple, StructError> {
        Err(StructError::KeyNotAString("a list"))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, StructError> {
        Err(StructError::KeyNotAString("a list"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, StructError> {
        Err(StructError::KeyNotAString("an object"))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, StructError> {
        Err(StructError::KeyNotAString("an object"))
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStruct, StructError> {
        Err(StructError::KeyNotAString("an object"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, StructError> {
        Err(StructError::KeyNotAString("an object"))
    }
}
