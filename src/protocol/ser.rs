//! From typed values to `google.protobuf.Struct` wire bytes, directly by serde.
//!
//! A field or map value that is `None` is left out: a null in a manifest is not an absent field to everybody. What is
//! null on purpose (`()`, `serde_json::Value::Null`, `None` in a list, where leaving it out would move the others) is
//! written as null. Fields keep the order in which they are given.

use serde::ser::Serialize;

use super::error::{INTEGER_LIMIT, StructError};
use super::ser_key::Key;
use super::writer::{BOOL, LIST, NULL, OBJECT, Open, Place, STRING, Writer};

/// Writes a value as the encoding of a `Struct`.
pub fn to_struct<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StructError> {
    let mut writer = Writer::default();
    write(value, &mut writer)?;
    Ok(writer.finish())
}

/// The same after what is written already.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, writer: &mut Writer) -> Result<(), StructError> {
    value.serialize(Slot { writer, place: Place::Outermost })
}

/// A serializer for one value.
struct Slot<'a> {
    writer: &'a mut Writer,
    place: Place<'a>,
}

impl<'a> Slot<'a> {
    fn object(self) -> Result<Object<'a>, StructError> {
        let open = self.writer.open(self.place, OBJECT)?;
        Ok(Object { writer: self.writer, open, variant: None, key: String::new() })
    }

    fn list(self) -> Result<List<'a>, StructError> {
        let open = self.writer.open(self.place, LIST)?;
        Ok(List { writer: self.writer, open, variant: None })
    }

    /// An object with one field, the variant, which `open`s what it holds.
    fn variant(self, variant: &'static str, kind: u8) -> Result<(&'a mut Writer, Open, Open), StructError> {
        let outer = self.writer.open(self.place, OBJECT)?;
        let inner = self.writer.open(Place::Field(variant), kind)?;
        Ok((self.writer, outer, inner))
    }

    /// A number that is at most [`INTEGER_LIMIT`] away from zero is a double without loss.
    #[allow(clippy::cast_precision_loss, reason = "what would lose is refused")]
    fn integer(self, negative: bool, magnitude: u64) -> Result<(), StructError> {
        if magnitude > INTEGER_LIMIT {
            let sign = if negative { "-" } else { "" };
            return Err(StructError::Rounded(format!("{sign}{magnitude}")));
        }
        let number = magnitude as f64;
        self.writer.number(self.place, if negative { -number } else { number })
    }
}

impl<'a> serde::Serializer for Slot<'a> {
    type Ok = ();
    type Error = StructError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, bit: bool) -> Result<(), StructError> {
        self.writer.scalar(self.place, BOOL, &[u8::from(bit)], "a boolean")
    }

    fn serialize_i8(self, number: i8) -> Result<(), StructError> {
        self.serialize_i64(number.into())
    }

    fn serialize_i16(self, number: i16) -> Result<(), StructError> {
        self.serialize_i64(number.into())
    }

    fn serialize_i32(self, number: i32) -> Result<(), StructError> {
        self.serialize_i64(number.into())
    }

    fn serialize_i64(self, number: i64) -> Result<(), StructError> {
        self.integer(number < 0, number.unsigned_abs())
    }

    fn serialize_u8(self, number: u8) -> Result<(), StructError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u16(self, number: u16) -> Result<(), StructError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u32(self, number: u32) -> Result<(), StructError> {
        self.serialize_u64(number.into())
    }

    fn serialize_u64(self, number: u64) -> Result<(), StructError> {
        self.integer(false, number)
    }

    fn serialize_f32(self, number: f32) -> Result<(), StructError> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), StructError> {
        self.writer.number(self.place, number)
    }

    fn serialize_char(self, letter: char) -> Result<(), StructError> {
        self.serialize_str(letter.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), StructError> {
        self.writer.scalar(self.place, STRING, text.as_bytes(), "a string")
    }

    fn serialize_bytes(self, _bytes: &[u8]) -> Result<(), StructError> {
        Err(StructError::NotJson("bytes"))
    }

    fn serialize_none(self) -> Result<(), StructError> {
        match self.place {
            Place::Field(_) => Ok(()),
            Place::Outermost | Place::Item => self.serialize_unit(),
        }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), StructError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), StructError> {
        self.writer.scalar(self.place, NULL, &[0], "null")
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), StructError> {
        self.serialize_unit()
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
        value: &T,
    ) -> Result<(), StructError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), StructError> {
        let mut object = self.object()?;
        object.field(variant, value)?;
        object.close();
        Ok(())
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<List<'a>, StructError> {
        self.list()
    }

    fn serialize_tuple(self, _len: usize) -> Result<List<'a>, StructError> {
        self.list()
    }

    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<List<'a>, StructError> {
        self.list()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<List<'a>, StructError> {
        let (writer, outer, open) = self.variant(variant, LIST)?;
        Ok(List { writer, open, variant: Some(outer) })
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Object<'a>, StructError> {
        self.object()
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Object<'a>, StructError> {
        self.object()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Object<'a>, StructError> {
        let (writer, outer, open) = self.variant(variant, OBJECT)?;
        Ok(Object { writer, open, variant: Some(outer), key: String::new() })
    }
}

/// An object that is being written.
struct Object<'a> {
    writer: &'a mut Writer,
    open: Open,
    /// The object around it, where this one is what a variant holds.
    variant: Option<Open>,
    /// The key of the value that comes next.
    key: String,
}

impl Object<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), StructError> {
        value.serialize(Slot { writer: self.writer, place: Place::Field(key) })
    }

    fn close(self) {
        close(self.writer, &self.open, self.variant.as_ref());
    }
}

impl serde::ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = StructError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), StructError> {
        key.serialize(Key { key: &mut self.key })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), StructError> {
        value.serialize(Slot { writer: self.writer, place: Place::Field(&self.key) })
    }

    fn end(self) -> Result<(), StructError> {
        self.close();
        Ok(())
    }
}

impl serde::ser::SerializeStruct for Object<'_> {
    type Ok = ();
    type Error = StructError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), StructError> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), StructError> {
        self.close();
        Ok(())
    }
}

impl serde::ser::SerializeStructVariant for Object<'_> {
    type Ok = ();
    type Error = StructError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), StructError> {
        self.field(key, value)
    }

    fn end(self) -> Result<(), StructError> {
        self.close();
        Ok(())
    }
}

/// A list that is being written.
struct List<'a> {
    writer: &'a mut Writer,
    open: Open,
    /// The object around it, where this list is what a variant holds.
    variant: Option<Open>,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), StructError> {
        value.serialize(Slot { writer: self.writer, place: Place::Item })
    }

    fn close(self) {
        close(self.writer, &self.open, self.variant.as_ref());
    }
}

fn close(writer: &mut Writer, open: &Open, variant: Option<&Open>) {
    writer.close(open);
    if let Some(variant) = variant {
        writer.close(variant);
    }
}

/// All kinds of lists have the same items.
macro_rules! serialize_list {
    ($($kind:ident $item:ident),*) => {
        $(impl serde::ser::$kind for List<'_> {
            type Ok = ();
            type Error = StructError;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), StructError> {
                self.item(value)
            }

            fn end(self) -> Result<(), StructError> {
                self.close();
                Ok(())
            }
        })*
    };
}

serialize_list!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);
