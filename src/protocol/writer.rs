//! The bytes of a `google.protobuf.Struct`, written front to back.
//!
//! A message on the wire is preceded by its length, which is known only once it is written. So values are written
//! without the lengths of the objects and lists around them; those are noted as *gaps*, in order, and filled while the
//! whole is copied once at the end. Nothing is moved twice, whatever the depth.

use super::error::{DEPTH_LIMIT, StructError};
use super::wire::{len_len, put_len};

/// `Struct.fields`, its key and its value, and `ListValue.values`.
const ENTRY: u8 = 0x0a;
const KEY: u8 = 0x0a;
const VALUE: u8 = 0x12;
const ITEM: u8 = 0x0a;
/// The kinds of a `Value`.
pub(super) const NULL: u8 = 0x08;
const NUMBER: u8 = 0x11;
pub(super) const STRING: u8 = 0x1a;
pub(super) const BOOL: u8 = 0x20;
pub(super) const OBJECT: u8 = 0x2a;
pub(super) const LIST: u8 = 0x32;

pub(super) struct Writer {
    /// What is written, without the lengths that go into the gaps.
    out: Vec<u8>,
    gaps: Vec<Gap>,
    /// Bytes that the lengths of all closed gaps take.
    lengths: usize,
    /// Objects and lists that may still be opened.
    depth: u8,
}

/// Where a length is missing.
#[derive(Clone, Copy)]
struct Gap {
    at: usize,
    len: usize,
}

/// An object or a list that is being written.
pub(super) struct Open {
    /// Its first gap; an entry has three, an item two, the outermost object none.
    gap: usize,
    /// Bytes of an entry before its value.
    key_len: Option<usize>,
    outermost: bool,
    start: usize,
    lengths: usize,
}

impl Default for Writer {
    fn default() -> Self {
        // Room for what is written most: an Object and what it holds.
        Self {
            out: Vec::with_capacity(4 * 1024),
            gaps: Vec::with_capacity(256),
            lengths: 0,
            depth: DEPTH_LIMIT,
        }
    }
}

impl Writer {
    fn gap(&mut self) {
        self.gaps.push(Gap { at: self.out.len(), len: 0 });
    }

    fn fill(&mut self, gap: usize, len: usize) {
        if let Some(gap) = self.gaps.get_mut(gap) {
            gap.len = len;
        }
        self.lengths += len_len(len);
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
        let prefix = if kind == STRING { len_len(content.len()) } else { 0 };
        let len = 1 + prefix + content.len();
        match place {
            Place::Outermost => return Err(StructError::NotAnObject(name)),
            Place::Field(key) => {
                self.out.push(ENTRY);
                put_len(&mut self.out, key_len(key) + 1 + len_len(len) + len);
                self.key(key);
                self.out.push(VALUE);
            }
            Place::Item => self.out.push(ITEM),
        }
        put_len(&mut self.out, len);
        self.out.push(kind);
        if kind == STRING {
            put_len(&mut self.out, content.len());
        }
        self.out.extend_from_slice(content);
        Ok(())
    }

    pub(super) fn number(&mut self, place: Place<'_>, number: f64) -> Result<(), StructError> {
        if !number.is_finite() {
            return Err(StructError::NotFinite(number.to_string()));
        }
        self.scalar(place, NUMBER, &number.to_le_bytes(), "a number")
    }

    fn key(&mut self, key: &str) {
        // As everybody writes it: an empty string is what an absent one means.
        if !key.is_empty() {
            self.out.push(KEY);
            put_len(&mut self.out, key.len());
            self.out.extend_from_slice(key.as_bytes());
        }
    }

    pub(super) fn open(&mut self, place: Place<'_>, kind: u8) -> Result<Open, StructError> {
        self.depth = self.depth.checked_sub(1).ok_or(StructError::TooDeep)?;
        let gap = self.gaps.len();
        let mut outermost = false;
        let mut in_entry = None;
        match place {
            Place::Outermost if kind == OBJECT => outermost = true,
            Place::Outermost => return Err(StructError::NotAnObject("a list")),
            Place::Field(key) => {
                in_entry = Some(key_len(key));
                self.out.push(ENTRY);
                self.gap();
                self.key(key);
                self.out.push(VALUE);
            }
            Place::Item => self.out.push(ITEM),
        }
        if !outermost {
            self.gap();
            self.out.push(kind);
            self.gap();
        }
        Ok(Open { gap, key_len: in_entry, outermost, start: self.out.len(), lengths: self.lengths })
    }

    pub(super) fn close(&mut self, open: &Open) {
        self.depth += 1;
        let &Open { gap, key_len, outermost, start, lengths } = open;
        if outermost {
            return;
        }
        let body = self.out.len() - start + self.lengths - lengths;
        let value = 1 + len_len(body) + body;
        let value_gap = match key_len {
            Some(key_len) => {
                self.fill(gap, key_len + 1 + len_len(value) + value);
                gap + 1
            }
            None => gap,
        };
        self.fill(value_gap, value);
        self.fill(value_gap + 1, body);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut whole = Vec::with_capacity(self.out.len() + self.lengths);
        let mut rest = self.out.as_slice();
        let mut done = 0;
        for Gap { at, len } in self.gaps {
            // The gaps lie in order, and none beyond the end.
            let (before, after) = rest.split_at_checked(at - done).unwrap_or((rest, &[]));
            whole.extend_from_slice(before);
            put_len(&mut whole, len);
            rest = after;
            done = at;
        }
        whole.extend_from_slice(rest);
        whole
    }
}

/// Bytes that [`Writer::key`] writes.
fn key_len(key: &str) -> usize {
    if key.is_empty() { 0 } else { 1 + len_len(key.len()) + key.len() }
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
