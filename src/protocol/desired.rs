//! Desired state: what other steps want is looked at as little as possible and handed back as it came; what this step
//! wants is one more part of it.
//!
//! Encodings of one message that follow each other merge, so the request's parts followed by ours are the desired
//! state of both. Merging adds map entries and **replaces** those whose key is there already. That is right for a
//! composed resource (the caller refuses a key of ours that [`keys`] yields), and wrong for the composite's `status`,
//! to which several steps contribute: it is the one thing that is read, merged deeply and written again.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use bytes::Bytes;
use serde::Serialize;

use super::error::StructError;
use super::ser::{to_struct, write};
use super::value::{Kind, ObjectField, text};
use super::view::Ready;
use super::wire::{Body, LENGTH, Payload, put_field};
use super::writer::{VALUE, Writer};

/// The fields of a `Value` that say what it holds.
const VALUE_KINDS: RangeInclusive<u32> = 1..=6;

/// The keys of the composed resources that these parts of a `State` want. A key that is repeated comes repeatedly.
pub fn keys(parts: &[Bytes]) -> impl Iterator<Item = Result<&str, StructError>> {
    Body::of(parts).fields().filter_map(|field| match field {
        Ok(field) if field.number == 2 => Some(match field.payload {
            Payload::Bytes(entry) => key(entry),
            Payload::Varint(_) | Payload::Fixed64(_) | Payload::Other => Err(StructError::Malformed),
        }),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn key(entry: &[u8]) -> Result<&str, StructError> {
    let mut key: &[u8] = b"";
    for field in Body::One(entry).fields() {
        let field = field?;
        if field.number == 1 {
            key = content(field.payload)?;
        }
    }
    text(key)
}

/// The fields of a `State` and of a `Resource`.
const COMPOSITE: u8 = 1 << 3 | LENGTH;
const RESOURCES: u8 = 2 << 3 | LENGTH;
const OBJECT: u8 = 1 << 3 | LENGTH;
const READY: u8 = 3 << 3;

/// What this step wants: a `State`, written front to back.
#[derive(Debug)]
pub struct Part {
    writer: Writer,
    is_unready: bool,
}

impl Default for Part {
    fn default() -> Self {
        // A full stack fits.
        Self { writer: Writer::with_room(32 * 1024), is_unready: false }
    }
}

impl Part {
    /// Wants this status of the composite, on top of what other steps want of it.
    ///
    /// Where both have an object, they are merged; anything else of ours replaces theirs. `theirs` are the parts of
    /// the request's desired state.
    pub fn status<S: Serialize + ?Sized>(
        &mut self,
        api_version: &str,
        kind: &str,
        status: &S,
        theirs: &[Bytes],
    ) -> Result<(), StructError> {
        // A Kubernetes decoder refuses an object without these two.
        let mut composite = to_struct(&BTreeMap::from([("apiVersion", api_version), ("kind", kind)]))?;
        let mut ours = Vec::new();
        put_field(&mut ours, 5, &to_struct(status)?);
        let mut value = Vec::new();
        merge_value(status_of_composite(theirs)?, Body::One(&ours), &mut value)?;
        put_entry(&mut composite, b"status", &value);
        let resource = self.writer.message(COMPOSITE);
        self.writer.field(OBJECT, &composite);
        self.writer.fill(resource);
        Ok(())
    }

    /// The composite is not ready, whatever it is composed of: Crossplane takes readiness from what is composed alone, and
    /// knows nothing of what is still to come.
    pub fn unready(&mut self) {
        self.is_unready = true;
    }

    /// Wants a composed resource. After an error the part is of no use.
    pub fn resource<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        object: &T,
        ready: Ready,
    ) -> Result<(), StructError> {
        let entry = self.writer.message(RESOURCES);
        self.writer.key(key);
        let resource = self.writer.message(VALUE);
        let whole = self.writer.message(OBJECT);
        write(object, &mut self.writer)?;
        self.writer.fill(whole);
        self.ready(ready);
        self.writer.fill(resource);
        self.writer.fill(entry);
        Ok(())
    }

    /// As everybody writes it: what is not said is left out.
    fn ready(&mut self, ready: Ready) {
        match ready {
            Ready::Unspecified => {}
            Ready::True => self.writer.small(READY, 1),
            Ready::False => self.writer.small(READY, 2),
        }
    }

    /// The part of a `State` to append to the request's.
    pub fn encode(mut self) -> Bytes {
        if self.is_unready {
            // Merged with what else is said of the composite.
            let composite = self.writer.message(COMPOSITE);
            self.ready(Ready::False);
            self.writer.fill(composite);
        }
        self.writer.finish().into()
    }
}

/// The `Value` of the composite's status, null where there is none.
fn status_of_composite(parts: &[Bytes]) -> Result<Body<'_>, StructError> {
    let composite = message(Body::of(parts), 1)?;
    let object = message(composite, 1)?;
    let mut status = Body::default();
    for field in object.fields() {
        let field = field?;
        if field.number == 1 {
            let entry = ObjectField::read(content(field.payload)?)?;
            if entry.key == b"status" {
                status = entry.value;
            }
        }
    }
    Ok(status)
}

/// The message in this field of another.
fn message(of: Body<'_>, number: u32) -> Result<Body<'_>, StructError> {
    let mut message = Body::default();
    for field in of.fields() {
        let field = field?;
        if field.number == number {
            message = message.and(content(field.payload)?);
        }
    }
    Ok(message)
}

fn content(payload: Payload<'_>) -> Result<&[u8], StructError> {
    match payload {
        Payload::Bytes(bytes) => Ok(bytes),
        Payload::Varint(_) | Payload::Fixed64(_) | Payload::Other => Err(StructError::Malformed),
    }
}

/// Writes the `Struct` that is theirs with ours merged into it.
///
/// Theirs is taken apart and not decoded, so that what it holds beside our fields stays as it is.
fn merge<'a>(theirs: Body<'a>, ours: Body<'a>, out: &mut Vec<u8>) -> Result<(), StructError> {
    let mut values = BTreeMap::new();
    for field in ours.fields() {
        let entry = ObjectField::read(content(field?.payload)?)?;
        values.insert(entry.key, (Body::default(), entry.value));
    }
    for field in theirs.fields() {
        let field = field?;
        if field.number == 1 {
            let entry = ObjectField::read(content(field.payload)?)?;
            if let Some((theirs, _)) = values.get_mut(entry.key) {
                *theirs = entry.value;
                continue;
            }
        }
        out.extend_from_slice(field.raw);
    }
    for (key, (theirs, ours)) in values {
        let mut value = Vec::new();
        merge_value(theirs, ours, &mut value)?;
        put_entry(out, key, &value);
    }
    Ok(())
}

/// Writes the `Value` that is theirs with ours merged into it: ours, unless both are objects.
fn merge_value<'a>(theirs: Body<'a>, ours: Body<'a>, out: &mut Vec<u8>) -> Result<(), StructError> {
    if let (Kind::Object(their_object), Kind::Object(our_object)) =
        (Kind::of(theirs.clone())?, Kind::of(ours.clone())?)
    {
        let mut object = Vec::new();
        merge(their_object, our_object, &mut object)?;
        put_kept(theirs, |number| !VALUE_KINDS.contains(&number), out)?;
        put_field(out, 5, &object);
        return Ok(());
    }
    put_kept(ours, |_| true, out)
}

/// Writes those fields of a message that are to be kept, as they are.
fn put_kept(message: Body<'_>, keep: impl Fn(u32) -> bool, out: &mut Vec<u8>) -> Result<(), StructError> {
    for field in message.fields() {
        let field = field?;
        if keep(field.number) {
            out.extend_from_slice(field.raw);
        }
    }
    Ok(())
}

/// Writes an entry of `Struct.fields`.
fn put_entry(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let mut entry = Vec::with_capacity(key.len() + value.len() + 16);
    put_field(&mut entry, 1, key);
    put_field(&mut entry, 2, value);
    put_field(out, 1, &entry);
}
