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

/// An object or a list that is being written: where the lengths of the messages around its content are to be.
pub(super) struct Open {
    /// Of the map's entry that it is in.
    entry: Option<usize>,
    /// Of its content. That of the `Value` around it is right before. The outermost has neither.
    content: Option<usize>,
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
        // Only a string's content is preceded by a length.
        let len = if kind == STRING { field_len(content) } else { 1 + content.len() };
        match place {
            Place::Outermost => return Err(StructError::NotAnObject(name)),
            Place::Field(key) => {
                let key_len = if key.is_empty() { 0 } else { field_len(key.as_bytes()) };
                self.begin(ENTRY, key_len + 1 + len_len(len) + len);
                self.key(key);
                self.begin(VALUE, len);
            }
            Place::Item => self.begin(ITEM, len),
        }
        if kind == STRING {
            self.field(kind, content);
        } else {
            self.out.push(kind);
            self.out.extend_from_slice(content);
        }
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
        let entry = match place {
            Place::Outermost if kind == OBJECT => return Ok(Open { entry: None, content: None }),
            Place::Outermost => return Err(StructError::NotAnObject("a list")),
            Place::Field(key) => {
                let entry = self.message(ENTRY);
                self.key(key);
                self.message(VALUE);
                Some(entry)
            }
            Place::Item => {
                self.message(ITEM);
                None
            }
        };
        Ok(Open { entry, content: Some(self.message(kind)) })
    }

    pub(super) fn close(&mut self, open: &Open) {
        self.depth += 1;
        if let Some(content) = open.content {
            self.fill(content);
            self.fill(content - 2);
        }
        if let Some(entry) = open.entry {
            self.fill(entry);
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
        self.begin(tag, content.len());
        self.out.extend_from_slice(content);
    }

    /// Begins a field whose content has this length.
    #[inline]
    fn begin(&mut self, tag: u8, len: usize) {
        self.out.push(tag);
        put_len(&mut self.out, len);
    }

    /// Begins a message, and tells where its length is to be.
    #[inline]
    pub(super) fn message(&mut self, tag: u8) -> usize {
        self.begin(tag, 0);
        self.out.len() - 1
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

/// How many bytes a field is that is there as a whole.
const fn field_len(content: &[u8]) -> usize {
    1 + len_len(content.len()) + content.len()
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
