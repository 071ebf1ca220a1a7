//! The bytes of a `google.protobuf.Struct`, written front to back.
//!
//! A message on the wire is preceded by its length, which is known only once it is written. One byte is left for it, which
//! is enough for nearly all; where it is not, what was written is moved on by the bytes that are missing.

use super::error::{DEPTH_LIMIT, StructError};
use super::wire::{len_len, put_len, put_len_at};

/// `Struct.fields`, its key and its value, and `ListValue.values`.
const ENTRY: u8 = 0x0a;
const KEY: u8 = 0x0a;
pub(super) const VALUE: u8 = 0x12;
const ITEM: u8 = 0x0a;
/// The kinds of a `Value`.
pub(super) const NULL: u8 = 0x08;
const NUMBER: u8 = 0x11;
pub(super) const STRING: u8 = 0x1a;
pub(super) const BOOL: u8 = 0x20;
pub(super) const OBJECT: u8 = 0x2a;
pub(super) const LIST: u8 = 0x32;

#[derive(Debug)]
pub(super) struct Writer {
    out: Vec<u8>,
    /// Objects and lists that may still be opened.
    depth: u8,
}

/// A value that is being written: where the lengths of the messages around it are to be, the innermost first.
pub(super) struct Open {
    lengths: [Option<usize>; 3],
}

impl Default for Writer {
    fn default() -> Self {
        // Room for what is written most: an Object and what it holds.
        Self::with_room(4 * 1024)
    }
}

impl Writer {
    /// A writer that need not grow until it has written as many bytes.
    pub(super) fn with_room(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), depth: DEPTH_LIMIT }
    }

    /// A value that holds no others, as a whole.
    pub(super) fn scalar(
        &mut self,
        place: Place<'_>,
        kind: u8,
        content: &[u8],
        name: &'static str,
    ) -> Result<(), StructError> {
        let Some([entry, value]) = self.value(place) else { return Err(StructError::NotAnObject(name)) };
        // Only a string's content is preceded by a length.
        if kind == STRING {
            self.field(kind, content);
        } else {
            self.out.push(kind);
            self.out.extend_from_slice(content);
        }
        self.end(&Open { lengths: [None, value, entry] });
        Ok(())
    }

    pub(super) fn number(&mut self, place: Place<'_>, number: f64) -> Result<(), StructError> {
        if !number.is_finite() {
            return Err(StructError::NotFinite(number.to_string()));
        }
        self.scalar(place, NUMBER, &number.to_le_bytes(), "a number")
    }

    pub(super) fn open(&mut self, place: Place<'_>, kind: u8) -> Result<Open, StructError> {
        self.depth = self.depth.checked_sub(1).ok_or(StructError::TooDeep)?;
        match self.value(place) {
            Some([entry, value]) => Ok(Open { lengths: [Some(self.message(kind)), value, entry] }),
            None if kind == OBJECT => Ok(Open { lengths: [None; 3] }),
            None => Err(StructError::NotAnObject("a list")),
        }
    }

    pub(super) fn close(&mut self, open: &Open) {
        self.depth += 1;
        self.end(open);
    }

    /// Begins a value, and tells where the lengths of its entry, if it is in one, and of itself are to be; the outermost
    /// value has none.
    fn value(&mut self, place: Place<'_>) -> Option<[Option<usize>; 2]> {
        match place {
            Place::Outermost => None,
            Place::Field(key) => {
                let entry = self.message(ENTRY);
                self.key(key);
                Some([Some(entry), Some(self.message(VALUE))])
            }
            Place::Item => Some([None, Some(self.message(ITEM))]),
        }
    }

    /// The key of a map's entry.
    pub(super) fn key(&mut self, key: &str) {
        // As everybody writes it: an empty string is what an absent one means.
        if !key.is_empty() {
            self.field(KEY, key.as_bytes());
        }
    }

    /// A field that is a number below 128.
    pub(super) fn small(&mut self, tag: u8, number: u8) {
        self.out.extend_from_slice(&[tag, number]);
    }

    /// A field that is there as a whole.
    pub(super) fn field(&mut self, tag: u8, content: &[u8]) {
        self.out.push(tag);
        put_len(&mut self.out, content.len());
        self.out.extend_from_slice(content);
    }

    /// Begins a message, and tells where its length is to be.
    pub(super) fn message(&mut self, tag: u8) -> usize {
        self.out.extend_from_slice(&[tag, 0]);
        self.out.len() - 1
    }

    fn end(&mut self, open: &Open) {
        open.lengths.iter().flatten().for_each(|at| self.fill(*at));
    }

    /// Writes the length of what was written since one byte was left for it.
    #[inline]
    pub(super) fn fill(&mut self, at: usize) {
        let len = self.out.len() - at - 1;
        match (u8::try_from(len), self.out.get_mut(at)) {
            (Ok(len @ 0..0x80), Some(byte)) => *byte = len,
            _ => self.fill_more(at, len),
        }
    }

    /// The same where one byte is not enough.
    fn fill_more(&mut self, at: usize, len: usize) {
        let (end, more) = (self.out.len(), len_len(len) - 1);
        self.out.resize(end + more, 0);
        self.out.copy_within(at..end, at + more);
        put_len_at(&mut self.out, at, len);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Where a value goes.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Outermost,
    /// Into an object, under this key.
    Field(&'a str),
    /// Into a list.
    Item,
}
