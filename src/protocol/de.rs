//! From `google.protobuf.Struct` wire bytes to typed values, directly by serde.
//!
//! Nothing is built in between: what a type does not ask for is skipped by its length, strings can be borrowed, and
//! the only buffer holds the fields of the objects on the path to the value that is being read.
//!
//! Rules that are protobuf's: of a repeated key the last entry counts, a value without a kind is null, encodings of
//! one message that follow each other merge. Rules that are this project's: whole doubles read as integers, fields
//! are visited in the order of their keys (see [`Object`]).

use serde::de::{
    DeserializeSeed, Deserializer as _, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    value::BorrowedStrDeserializer,
};
use serde::{Deserialize, forward_to_deserialize_any};

use super::error::{DEPTH_LIMIT, INTEGER_LIMIT, StructError};
use super::value::{Kind, ObjectField, text};
use super::wire::{Body, Fields, Payload};

/// Reads a value from the encoding of a `Struct`. See [`join`](super::join) for one that arrived in parts.
pub fn from_struct<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, StructError> {
    let source = Source::Kind(Kind::Object(Body::One(bytes)));
    T::deserialize(Value { source, depth: DEPTH_LIMIT, fields: &mut Vec::new() })
}

/// Where a value is read from.
enum Source<'de> {
    /// A `Value`, looked into only when it is asked for.
    Value(Body<'de>),
    /// What it holds is known.
    Kind(Kind<'de>),
}

/// A deserializer for one value.
struct Value<'a, 'de> {
    source: Source<'de>,
    /// Objects and lists that may still be entered.
    depth: u8,
    /// Fields of the objects that are being read, the innermost last.
    fields: &'a mut Vec<ObjectField<'de>>,
}

impl<'de> Value<'_, 'de> {
    fn kind(&mut self) -> Result<Kind<'de>, StructError> {
        match std::mem::replace(&mut self.source, Source::Kind(Kind::Null)) {
            Source::Value(body) => Kind::of(body),
            Source::Kind(kind) => Ok(kind),
        }
    }

    fn visit<V: Visitor<'de>>(self, kind: Kind<'de>, visitor: V) -> Result<V::Value, StructError> {
        match kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Number(number) => visit_number(number, visitor),
            Kind::String(bytes) => visitor.visit_borrowed_str(text(bytes)?),
            Kind::Bool(bit) => visitor.visit_bool(bit),
            Kind::Object(body) => {
                let depth = self.depth.checked_sub(1).ok_or(StructError::TooDeep)?;
                Object::within(body, depth, self.fields, None, |object| visitor.visit_map(object))
            }
            Kind::List(body) => {
                let depth = self.depth.checked_sub(1).ok_or(StructError::TooDeep)?;
                visitor.visit_seq(List { items: body.fields(), depth, fields: self.fields })
            }
        }
    }
}

impl<'de> serde::Deserializer<'de> for Value<'_, 'de> {
    type Error = StructError;

    fn deserialize_any<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, StructError> {
        let kind = self.kind()?;
        self.visit(kind, visitor)
    }

    /// A number that is wanted as a double is not taken for an integer, however large.
    fn deserialize_f64<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, StructError> {
        let kind = self.kind()?;
        if let Kind::Number(number) = kind {
            return visitor.visit_f64(finite(number)?);
        }
        self.visit(kind, visitor)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, StructError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, StructError> {
        let kind = self.kind()?;
        if let Kind::Null = kind {
            return visitor.visit_none();
        }
        visitor.visit_some(Self { source: Source::Kind(kind), ..self })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, StructError> {
        visitor.visit_newtype_struct(self)
    }

    /// What the struct does not know is skipped, not visited: a type that refuses unknown fields does not hear of them.
    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StructError> {
        match self.kind()? {
            Kind::Object(body) => {
                let depth = self.depth.checked_sub(1).ok_or(StructError::TooDeep)?;
                Object::within(body, depth, self.fields, Some(names), |object| visitor.visit_map(object))
            }
            kind @ (Kind::Null | Kind::Number(_) | Kind::String(_) | Kind::Bool(_) | Kind::List(_)) => {
                self.visit(kind, visitor)
            }
        }
    }

    /// A string is a variant without content, an object with one field is a variant and its content.
    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StructError> {
        match self.kind()? {
            Kind::String(bytes) => visitor.visit_enum(BorrowedStrDeserializer::new(text(bytes)?)),
            Kind::Object(body) => {
                let depth = self.depth.checked_sub(1).ok_or(StructError::TooDeep)?;
                Object::within(body, depth, self.fields, None, |object| visitor.visit_enum(object))
            }
            kind @ (Kind::Null | Kind::Number(_) | Kind::Bool(_) | Kind::List(_)) => {
                self.visit(kind, visitor)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, StructError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// An object that is being read.
///
/// Protobuf leaves the order of a map to the sender, and Go shuffles it at every call. Fields are visited in the order
/// of their keys, so that the first thing wrong with an object is the same at every call.
struct Object<'a, 'de> {
    /// The object's fields are those from `next`, the rest belong to the objects around it.
    fields: &'a mut Vec<ObjectField<'de>>,
    next: usize,
    depth: u8,
}

impl<'a, 'de> Object<'a, 'de> {
    /// Reads an object's fields, or those of these names, and forgets them when the visitor is done.
    fn within<T>(
        body: Body<'de>,
        depth: u8,
        fields: &'a mut Vec<ObjectField<'de>>,
        names: Option<&'static [&'static str]>,
        visit: impl FnOnce(Object<'_, 'de>) -> Result<T, StructError>,
    ) -> Result<T, StructError> {
        let start = fields.len();
        let result = match collect(body, fields, names) {
            Ok(()) => visit(Object { fields: &mut *fields, next: start, depth }),
            Err(error) => Err(error),
        };
        fields.truncate(start);
        result
    }

    /// The next field, if there is one: of entries with the same key the last.
    fn next(&mut self) -> Option<&mut ObjectField<'de>> {
        while let Some([this, following]) = self.fields.get(self.next..self.next + 2)
            && this.key == following.key
        {
            self.next += 1;
        }
        self.next += 1;
        self.fields.get_mut(self.next - 1)
    }

    /// The value of the field that [`Self::next`] returned last.
    fn value(&mut self) -> Value<'_, 'de> {
        let body =
            self.fields.get_mut(self.next.wrapping_sub(1)).map(|field| std::mem::take(&mut field.value));
        Value { source: Source::Value(body.unwrap_or_default()), depth: self.depth, fields: self.fields }
    }
}

/// Adds an object's fields, or those of these names, in the order of their keys; of entries with the same key the last
/// stays last.
fn collect<'de>(
    body: Body<'de>,
    fields: &mut Vec<ObjectField<'de>>,
    names: Option<&'static [&'static str]>,
) -> Result<(), StructError> {
    let start = fields.len();
    let mut add = |entry| {
        let field = ObjectField::read(entry)?;
        match names {
            None => fields.push(field),
            Some(names) => {
                if let Some(name) = names.iter().find(|name| name.as_bytes() == field.key) {
                    fields.push(ObjectField { name: Some(name), ..field });
                }
            }
        }
        Ok(())
    };
    let mut entries = body.fields();
    while let Some(entry) = entries.next_content() {
        add(entry)?;
    }
    for field in entries {
        let field = field?;
        match (field.number, field.payload) {
            (1, Payload::Bytes(entry)) => add(entry)?,
            (1, _) => return Err(StructError::Malformed),
            _ => {}
        }
    }
    let own = fields.get_mut(start..).unwrap_or_default();
    if !own.is_sorted_by(|one, other| one.key < other.key) {
        own.sort_by(|one, other| one.key.cmp(other.key));
    }
    Ok(())
}

impl<'de> MapAccess<'de> for Object<'_, 'de> {
    type Error = StructError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, StructError> {
        let Some(field) = self.next() else { return Ok(None) };
        let key = field.text()?;
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, StructError> {
        seed.deserialize(self.value())
    }

    fn size_hint(&self) -> Option<usize> {
        self.fields.len().checked_sub(self.next)
    }
}

impl<'de> EnumAccess<'de> for Object<'_, 'de> {
    type Error = StructError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self), StructError> {
        let variant = self.next_key_seed(seed)?;
        // The key that comes next after the only one is none.
        match variant {
            Some(variant) if self.next == self.fields.len() => Ok((variant, self)),
            Some(_) | None => {
                Err(serde::de::Error::invalid_type(Unexpected::Map, &"an object with one field"))
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Object<'_, 'de> {
    type Error = StructError;

    fn unit_variant(mut self) -> Result<(), StructError> {
        Deserialize::deserialize(self.value())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, StructError> {
        seed.deserialize(self.value())
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, _len: usize, visitor: V) -> Result<V::Value, StructError> {
        self.value().deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StructError> {
        self.value().deserialize_any(visitor)
    }
}

/// A list that is being read.
struct List<'a, 'de> {
    items: Fields<'de>,
    depth: u8,
    fields: &'a mut Vec<ObjectField<'de>>,
}

impl<'de> List<'_, 'de> {
    /// The next item, if there is one.
    fn next(&mut self) -> Result<Option<&'de [u8]>, StructError> {
        if let Some(item) = self.items.next_content() {
            return Ok(Some(item));
        }
        for field in self.items.by_ref() {
            let field = field?;
            match (field.number, field.payload) {
                (1, Payload::Bytes(item)) => return Ok(Some(item)),
                (1, _) => return Err(StructError::Malformed),
                _ => {}
            }
        }
        Ok(None)
    }
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = StructError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, StructError> {
        let Some(item) = self.next()? else { return Ok(None) };
        let source = Source::Value(Body::One(item));
        seed.deserialize(Value { source, depth: self.depth, fields: self.fields }).map(Some)
    }
}

/// An integer where the double is one, as JSON tells them apart.
fn visit_number<'de, V: Visitor<'de>>(number: f64, visitor: V) -> Result<V::Value, StructError> {
    let number = finite(number)?;
    match whole(number)? {
        Some(integer) => match u64::try_from(integer) {
            Ok(natural) => visitor.visit_u64(natural),
            Err(_) => visitor.visit_i64(integer),
        },
        None => visitor.visit_f64(number),
    }
}

pub(super) fn finite(number: f64) -> Result<f64, StructError> {
    if number.is_finite() { Ok(number) } else { Err(StructError::NotFinite(number.to_string())) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "2^53 fits both ways")]
pub(super) fn whole(number: f64) -> Result<Option<i64>, StructError> {
    if number.fract() != 0.0 {
        return Ok(None);
    }
    if number.abs() > INTEGER_LIMIT as f64 {
        return Err(StructError::Rounded(number.to_string()));
    }
    Ok(Some(number as i64))
}
