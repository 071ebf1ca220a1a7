//! From `google.protobuf.Struct` wire bytes to JSON, whoever wrote them.
//!
//! Rules that are protobuf's: of a repeated key the last entry counts, a value without a kind is null, encodings of
//! one message that follow each other merge. A rule of this project's: whole doubles read as integers.

use std::mem;

use serde_json_borrow::{ObjectAsVec, Value};

use super::error::{DEPTH_LIMIT, INTEGER_LIMIT, StructError};
use super::value::{Kind, ObjectField, text};
use super::wire::{Body, Payload};

/// Reads the encoding of a `Struct`. See [`join`](super::join) for one that arrived in parts.
pub fn from_struct(bytes: &[u8]) -> Result<serde_json::Value, StructError> {
    Ok(value(Kind::Object(Body::One(bytes)), DEPTH_LIMIT)?.into())
}

/// What a `Value` holds, in which so many objects and lists may be entered.
pub(super) fn value(kind: Kind<'_>, depth: u8) -> Result<Value<'_>, StructError> {
    let deeper = || depth.checked_sub(1).ok_or(StructError::TooDeep);
    Ok(match kind {
        Kind::Null => Value::Null,
        Kind::Number(number) => match whole(finite(number)?)? {
            // A number of that library that is made of an `i64` is a negative one to it.
            Some(integer) => u64::try_from(integer).map_or_else(|_| integer.into(), Value::from),
            None => number.into(),
        },
        Kind::String(bytes) => text(bytes)?.into(),
        Kind::Bool(bit) => bit.into(),
        Kind::Object(body) => Value::Object(object(body, deeper()?)?),
        Kind::List(body) => Value::Array(list(body, deeper()?)?),
    })
}

/// Protobuf leaves the order of a map to the sender, and Go shuffles it at every call. What is told to be wrong with an
/// object is the same at every call: the fault of the first key; and so is the order in which keys are.
fn object(body: Body<'_>, depth: u8) -> Result<ObjectAsVec<'_>, StructError> {
    let mut object = Vec::new();
    let mut fault: Option<(&[u8], StructError)> = None;
    for entry in contents(body) {
        let ObjectField { key, value: body } = ObjectField::read(entry?)?;
        match field(key, body, depth) {
            Ok(field) => object.push(field),
            Err(why) if fault.as_ref().is_none_or(|(first, _)| key < *first) => fault = Some((key, why)),
            Err(_) => {}
        }
    }
    match fault {
        None => {
            object.sort_by_key(|(key, _)| *key);
            object.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    mem::swap(later, earlier);
                }
                same
            });
            Ok(object.into())
        }
        Some((_, why)) => Err(why),
    }
}

fn field<'a>(key: &'a [u8], body: Body<'a>, depth: u8) -> Result<(&'a str, Value<'a>), StructError> {
    Ok((text(key)?, value(Kind::of(body)?, depth)?))
}

fn list(body: Body<'_>, depth: u8) -> Result<Vec<Value<'_>>, StructError> {
    contents(body).map(|item| value(Kind::of(Body::One(item?))?, depth)).collect()
}

/// What the fields with number 1 hold: the entries of a `Struct`, the items of a `ListValue`.
fn contents(body: Body<'_>) -> impl Iterator<Item = Result<&[u8], StructError>> {
    body.fields().filter_map(|field| match field {
        Ok(field) if field.number == 1 => Some(match field.payload {
            Payload::Bytes(content) => Ok(content),
            Payload::Varint(_) | Payload::Fixed64(_) | Payload::Other => Err(StructError::Malformed),
        }),
        Ok(_) => None,
        Err(why) => Some(Err(why)),
    })
}

pub(super) fn finite(number: f64) -> Result<f64, StructError> {
    if number.is_finite() { Ok(number) } else { Err(StructError::NotFinite(number.to_string())) }
}

/// The integer that a number is, as JSON tells them apart.
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
