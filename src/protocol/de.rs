//! From `google.protobuf.Struct` wire bytes to typed values, directly by serde.
//!
//! Nothing is built in between: what a type does not ask for is skipped by its length, strings can be borrowed, and
//! the only buffer holds the fields of the objects on the path to the value that is being read.
//!
//! Rules that are protobuf's: of a repeated key the last entry counts, a value without a kind is null, encodings of
//! one message that follow each other merge. Rules that are this project's: whole doubles read as integers, fields
//! are visited in the order of their keys (see [`Object`]).

use std::fmt::Write;

use serde::de::{
    DeserializeSeed, Deserializer as _, EnumAccess, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
    value::BorrowedStrDeserializer,
};
use serde::{Deserialize, forward_to_deserialize_any};

use super::error::{DEPTH_LIMIT, INTEGER_LIMIT, StructError};
use super::raw::RAW;
use super::value::{Kind, ObjectField, text};
use super::wire::{Body, Fields, Payload};

/// Reads a value from the encoding of a `Struct`. See [`join`](super::join) for one that arrived in parts.
pub fn from_struct<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, StructError> {
    T::deserialize(&mut Deserializer::new(bytes))
}

/// A serde deserializer over the encoding of a `Struct`, for those who want to know where something is wrong.
pub struct Deserializer<'de> {
    bytes: &'de [u8],
    /// Whether that is a `Struct`; else it is a `Value`.
    is_struct: bool,
    reading: Reading<'de>,
}

/// What is kept while a value is read.
#[derive(Default)]
struct Reading<'de> {
    /// Fields of the objects that are being read, the innermost last.
    fields: Vec<ObjectField<'de>>,
    /// The way to what is wrong, the innermost step first. Nothing is, as long as all goes well.
    trail: Vec<Step<'de>>,
}

/// A step on the way into a value.
enum Step<'de> {
    Field(&'de [u8]),
    Item(usize),
}

impl<'de> Reading<'de> {
    /// Notes where a value is that could not be read. What was wrong inside of one that could has been got over.
    fn note<T>(
        &mut self,
        read: Result<T, StructError>,
        step: impl FnOnce(&Self) -> Option<Step<'de>>,
    ) -> Result<T, StructError> {
        match read {
            Ok(_) => self.trail.clear(),
            Err(_) => self.trail.extend(step(self)),
        }
        read
    }
}

impl<'de> Deserializer<'de> {
    /// Over these bytes.
    pub fn new(bytes: &'de [u8]) -> Self {
        Self { bytes, is_struct: true, reading: Reading::default() }
    }

    /// Over the encoding of a `Value`.
    pub(super) fn of_value(bytes: &'de [u8]) -> Self {
        Self { bytes, is_struct: false, reading: Reading::default() }
    }

    /// Where in the value the last error was: fields and indexes, as people write them. Empty for the whole.
    pub fn place(&self) -> String {
        let mut place = String::new();
        for step in self.reading.trail.iter().rev() {
            let _ = match step {
                Step::Field(key) if place.is_empty() => write!(place, "{}", String::from_utf8_lossy(key)),
                Step::Field(key) => write!(place, ".{}", String::from_utf8_lossy(key)),
                Step::Item(index) => write!(place, "[{index}]"),
            };
        }
        place
    }

    fn outermost(&mut self) -> Value<'_, 'de> {
        // A use that ended in an error may have left some behind.
        self.reading.fields.clear();
        self.reading.trail.clear();
        let body = Body::One(self.bytes);
        Value {
            source: if self.is_struct { Source::Kind(Kind::Object(body)) } else { Source::Value(body) },
            depth: DEPTH_LIMIT,
            reading: &mut self.reading,
        }
    }
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
    reading: &'a mut Reading<'de>,
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
                Object::within(body, depth, self.reading, None, |object| visitor.visit_map(object))
            }
            Kind::List(body) => {
                let depth = self.depth.checked_sub(1).ok_or(StructError::TooDeep)?;
                visitor.visit_seq(List { items: body.fields(), index: 0, depth, reading: self.reading })
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
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, StructError> {
        match self.source {
            Source::Value(Body::One(encoding)) if name == RAW => visitor.visit_borrowed_bytes(encoding),
            // Encodings that follow each other merge.
            Source::Value(Body::Many(parts)) if name == RAW => visitor.visit_byte_buf(parts.concat()),
            Source::Value(_) | Source::Kind(_) => visitor.visit_newtype_struct(self),
        }
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
                Object::within(body, depth, self.reading, Some(names), |object| visitor.visit_map(object))
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
                Object::within(body, depth, self.reading, None, |object| visitor.visit_enum(object))
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

impl<'de> serde::Deserializer<'de> for &mut Deserializer<'de> {
    type Error = StructError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, StructError> {
        self.outermost().deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, StructError> {
        self.outermost().deserialize_option(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, StructError> {
        self.outermost().deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StructError> {
        self.outermost().deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StructError> {
        self.outermost().deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, StructError> {
        self.outermost().deserialize_ignored_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier
    }
}

/// An object that is being read.
///
/// Protobuf leaves the order of a map to the sender, and Go shuffles it at every call. Fields are visited in the order
/// of their keys, so that the first thing wrong with an object is the same at every call.
struct Object<'a, 'de> {
    /// The object's fields are those from `next`, the rest belong to the objects around it.
    reading: &'a mut Reading<'de>,
    next: usize,
    depth: u8,
}

impl<'a, 'de> Object<'a, 'de> {
    /// Reads an object's fields, or those of these names, and forgets them when the visitor is done.
    fn within<T>(
        body: Body<'de>,
        depth: u8,
        reading: &'a mut Reading<'de>,
        names: Option<&'static [&'static str]>,
        visit: impl FnOnce(Object<'_, 'de>) -> Result<T, StructError>,
    ) -> Result<T, StructError> {
        let start = reading.fields.len();
        let result = match collect(body, &mut reading.fields, names) {
            Ok(()) => visit(Object { reading: &mut *reading, next: start, depth }),
            Err(error) => Err(error),
        };
        reading.fields.truncate(start);
        result
    }

    /// The next field, if there is one: of entries with the same key the last.
    fn next(&mut self) -> Option<&mut ObjectField<'de>> {
        while let Some([this, following]) = self.reading.fields.get(self.next..self.next + 2)
            && this.key == following.key
        {
            self.next += 1;
        }
        self.next += 1;
        self.reading.fields.get_mut(self.next - 1)
    }

    /// Reads the value of the field that [`Self::next`] returned last.
    fn value<T>(
        &mut self,
        read: impl FnOnce(Value<'_, 'de>) -> Result<T, StructError>,
    ) -> Result<T, StructError> {
        let at = self.next.wrapping_sub(1);
        let body = self.reading.fields.get_mut(at).map(|field| std::mem::take(&mut field.value));
        let source = Source::Value(body.unwrap_or_default());
        let read = read(Value { source, depth: self.depth, reading: self.reading });
        self.reading.note(read, |reading| Some(Step::Field(reading.fields.get(at)?.key)))
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
        self.value(|value| seed.deserialize(value))
    }

    fn size_hint(&self) -> Option<usize> {
        self.reading.fields.len().checked_sub(self.next)
    }
}

impl<'de> EnumAccess<'de> for Object<'_, 'de> {
    type Error = StructError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self), StructError> {
        let variant = self.next_key_seed(seed)?;
        // The key that comes next after the only one is none.
        match variant {
            Some(variant) if self.next == self.reading.fields.len() => Ok((variant, self)),
            Some(_) | None => {
                Err(serde::de::Error::invalid_type(Unexpected::Map, &"an object with one field"))
            }
        }
    }
}

impl<'de> VariantAccess<'de> for Object<'_, 'de> {
    type Error = StructError;

    fn unit_variant(mut self) -> Result<(), StructError> {
        self.value(|value| <()>::deserialize(value))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, StructError> {
        self.value(|value| seed.deserialize(value))
    }

    fn tuple_variant<V: Visitor<'de>>(mut self, _len: usize, visitor: V) -> Result<V::Value, StructError> {
        self.value(|value| value.deserialize_any(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, StructError> {
        self.value(|value| value.deserialize_any(visitor))
    }
}

/// A list that is being read.
struct List<'a, 'de> {
    items: Fields<'de>,
    /// Of the next item.
    index: usize,
    depth: u8,
    reading: &'a mut Reading<'de>,
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
        let read = seed.deserialize(Value { source, depth: self.depth, reading: self.reading });
        let index = self.index;
        self.index += 1;
        self.reading.note(read, |_| Some(Step::Item(index))).map(Some)
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

fn finite(number: f64) -> Result<f64, StructError> {
    if number.is_finite() { Ok(number) } else { Err(StructError::NotFinite(number.to_string())) }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "2^53 fits both ways")]
fn whole(number: f64) -> Result<Option<i64>, StructError> {
    if number.fract() != 0.0 {
        return Ok(None);
    }
    if number.abs() > INTEGER_LIMIT as f64 {
        return Err(StructError::Rounded(number.to_string()));
    }
    Ok(Some(number as i64))
}
