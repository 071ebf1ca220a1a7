//! The protobuf wire format, read without copying and without trust. Knows fields and lengths, no message.

use super::error::StructError;

/// Groups inside groups that are skipped before giving up. Nobody has sent groups since proto3; prost skips them too.
const GROUP_DEPTH: u8 = 100;

/// The wire type of what follows its length.
pub(super) const LENGTH: u8 = 2;

/// The tag of a field with number 1 and a length.
const FIRST: u8 = 1 << 3 | LENGTH;

/// What a field carries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Payload<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    /// A message, a map entry, a string or bytes.
    Bytes(&'a [u8]),
    /// Of no use to any field this project reads, and skipped already.
    Other,
}

/// One message, whose encoding may lie in several places: encodings that follow each other merge.
#[derive(Debug, Clone)]
pub(super) enum Body<'a> {
    /// What everybody sends.
    One(&'a [u8]),
    /// What everybody may send.
    Many(Vec<&'a [u8]>),
}

impl Default for Body<'_> {
    fn default() -> Self {
        Self::One(&[])
    }
}

impl<'a> Body<'a> {
    /// The message whose encoding arrived in these parts.
    pub(super) fn of(parts: &'a [bytes::Bytes]) -> Self {
        parts.iter().fold(Self::default(), |body, part| body.and(part))
    }

    /// The message after this encoding of more of it.
    pub(super) fn and(self, part: &'a [u8]) -> Self {
        match self {
            Self::One([]) => Self::One(part),
            Self::One(first) => Self::Many(vec![first, part]),
            Self::Many(mut parts) => {
                parts.push(part);
                Self::Many(parts)
            }
        }
    }

    /// Its fields, known or not, in order.
    pub(super) fn fields(self) -> Fields<'a> {
        match self {
            Self::One(part) => Fields { part, parts: Vec::new().into_iter() },
            Self::Many(parts) => Fields { part: &[], parts: parts.into_iter() },
        }
    }
}

/// A field: its number, what it carries, and its encoding with the tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) payload: Payload<'a>,
    pub(super) raw: &'a [u8],
}

/// The fields of a message.
pub(super) struct Fields<'a> {
    part: &'a [u8],
    parts: std::vec::IntoIter<&'a [u8]>,
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, StructError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.part.is_empty() {
            self.part = self.parts.next()?;
        }
        let field = field(&mut self.part);
        if field.is_none() {
            // Nothing after a malformed field means anything.
            self.part = &[];
            self.parts = Vec::new().into_iter();
        }
        Some(field.ok_or(StructError::Malformed))
    }
}

#[inline]
fn field<'a>(rest: &mut &'a [u8]) -> Option<Field<'a>> {
    let start = *rest;
    // Nearly all have a tag of one byte and a length.
    let (number, payload) = match start {
        [tag @ 0x08..0x80, left @ ..] if tag & 7 == LENGTH => {
            *rest = left;
            (u32::from(tag >> 3), Payload::Bytes(delimited(rest)?))
        }
        _ => {
            let (number, wire_type) = tag(rest)?;
            (number, payload(rest, number, wire_type, GROUP_DEPTH)?)
        }
    };
    let raw = start.get(..start.len() - rest.len())?;
    Some(Field { number, payload, raw })
}

/// A field's number and wire type.
fn tag(rest: &mut &[u8]) -> Option<(u32, u32)> {
    let tag = u32::try_from(varint(rest)?).ok()?;
    (tag >> 3 != 0).then_some((tag >> 3, tag & 7))
}

fn payload<'a>(rest: &mut &'a [u8], number: u32, wire_type: u32, depth: u8) -> Option<Payload<'a>> {
    match wire_type {
        0 => varint(rest).map(Payload::Varint),
        1 => take(rest, 8)?.try_into().ok().map(Payload::Fixed64),
        2 => delimited(rest).map(Payload::Bytes),
        3 => skip_group(rest, number, depth.checked_sub(1)?).map(|()| Payload::Other),
        5 => take(rest, 4).map(|_| Payload::Other),
        // 4 ends a group that has not begun; 6 and 7 do not exist.
        _ => None,
    }
}

/// Leaves behind what is between the start of a group and its end.
fn skip_group(rest: &mut &[u8], group: u32, depth: u8) -> Option<()> {
    loop {
        let (number, wire_type) = tag(rest)?;
        if wire_type == 4 {
            return (number == group).then_some(());
        }
        payload(rest, number, wire_type, depth)?;
    }
}

/// What follows its length.
#[inline]
fn delimited<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(varint(rest)?).ok()?;
    take(rest, len)
}

/// The content of the field that a message begins with, where that has this tag and a length, and what follows it.
#[inline(always)]
#[allow(clippy::inline_always, reason = "a quarter of a call is spent in finding fields")]
fn split_field(tag: u8, message: &[u8]) -> Option<(&[u8], &[u8])> {
    match message {
        [first, len @ 0..0x80, rest @ ..] if *first == tag => rest.split_at_checked(usize::from(*len)),
        [first, low, high @ 0..0x80, rest @ ..] if *first == tag => {
            rest.split_at_checked(usize::from(*high) << 7 | usize::from(low & 0x7f))
        }
        [first, rest @ ..] if *first == tag => split_long(rest),
        _ => None,
    }
}

/// The same after the tag, where the length has more than two bytes.
#[cold]
fn split_long(mut rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let content = delimited(&mut rest)?;
    Some((content, rest))
}

/// The content of the next field, where that has number 1 and a length, as nearly all have in a `Struct` and in a
/// `ListValue`. Where it has not, nothing is taken.
#[inline]
pub(super) fn next_content<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (content, left) = split_field(FIRST, rest)?;
    *rest = left;
    Some(content)
}

/// A map entry as everybody writes it: the key, unless that is empty, the value, and nothing else.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
pub(super) fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const VALUE: u8 = 2 << 3 | LENGTH;
    let (key, rest) = match bytes {
        [FIRST, ..] => split_field(FIRST, bytes)?,
        _ => (&[][..], bytes),
    };
    let (value, rest) = split_field(VALUE, rest)?;
    rest.is_empty().then_some((key, value))
}

/// The same of the next field, where that is such a content. Where it is not, nothing is taken.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
pub(super) fn next_entry<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (content, left) = split_field(FIRST, rest)?;
    let entry = entry(content)?;
    *rest = left;
    Some(entry)
}

/// The content of a message that is one field with this tag and a length, as everybody writes a oneof.
#[inline(always)]
#[allow(clippy::inline_always, reason = "as above")]
pub(super) fn only(tag: u8, message: &[u8]) -> Option<&[u8]> {
    match split_field(tag, message) {
        Some((content, [])) => Some(content),
        Some(_) | None => None,
    }
}

#[inline]
fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(taken)
}

#[inline]
fn varint(rest: &mut &[u8]) -> Option<u64> {
    // Tags and nearly all lengths.
    match *rest {
        [byte @ 0..0x80, left @ ..] => {
            *rest = left;
            Some(u64::from(*byte))
        }
        [low, high @ 0..0x80, left @ ..] => {
            *rest = left;
            Some(u64::from(*high) << 7 | u64::from(low & 0x7f))
        }
        _ => long_varint(rest),
    }
}

fn long_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Writes a length as a varint.
#[inline]
pub(super) fn put_len(out: &mut Vec<u8>, len: usize) {
    let mut left = len;
    while left >= 0x80 {
        out.push(low_seven_bits(left) | 0x80);
        left >>= 7;
    }
    out.push(low_seven_bits(left));
}

/// The same over the bytes that are there, as many as [`len_len`] says.
#[inline]
pub(super) fn put_len_at(out: &mut [u8], at: usize, len: usize) {
    let mut left = len;
    for byte in out.iter_mut().skip(at).take(len_len(len)) {
        *byte = low_seven_bits(left) | if left >= 0x80 { 0x80 } else { 0 };
        left >>= 7;
    }
}

/// Writes a field that is a message, a map entry, a string or bytes.
pub(super) fn put_field(out: &mut Vec<u8>, number: u8, content: &[u8]) {
    out.push(number << 3 | 2);
    put_len(out, content.len());
    out.extend_from_slice(content);
}

/// How many bytes [`put_len`] writes.
pub(super) const fn len_len(len: usize) -> usize {
    // One byte for each seven bits, and one for no bits at all.
    ((len | 1).ilog2() / 7 + 1) as usize
}

#[allow(clippy::cast_possible_truncation, reason = "the mask leaves what fits")]
const fn low_seven_bits(n: usize) -> u8 {
    (n & 0x7f) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_written_as_they_are_read_and_measured() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, usize::MAX] {
            let mut out = Vec::new();
            put_len(&mut out, len);
            assert_eq!(out.len(), len_len(len), "{len}");
            assert_eq!(varint(&mut out.as_slice()), Some(len as u64), "{len}");
        }
    }

    #[test]
    fn what_is_malformed_ends_the_message() {
        let cases: [(&[u8], &str); 10] = [
            (&[0x00, 0x00], "field number 0"),
            (&[0x0a], "no length"),
            (&[0x0a, 0x02, 0x00], "shorter than its length"),
            (&[0x09, 0, 0, 0], "half a double"),
            (&[0x0c], "the end of a group that has not begun"),
            (&[0x0b, 0x08, 0x00], "a group without end"),
            (&[0x0b, 0x14], "the end of another group"),
            (&[0x0e], "wire type 6"),
            (&[0xff, 0xff, 0xff, 0xff, 0x7f, 0x00], "a tag beyond 32 bits"),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], "a varint beyond 64 bits"),
        ];
        for (bytes, reason) in cases {
            let fields: Vec<_> = Body::One(bytes).and(&[0x08, 0x01]).fields().collect();
            assert_eq!(fields, [Err(StructError::Malformed)], "{reason}");
        }
    }

    #[test]
    fn groups_are_skipped_up_to_a_depth() {
        let nested = |depth: usize| [vec![0x0b; depth], vec![0x0c; depth], vec![0x10, 0x07]].concat();
        let numbers = |bytes: &[u8]| -> Result<Vec<u32>, StructError> {
            Body::One(bytes).fields().map(|field| Ok(field?.number)).collect()
        };
        assert_eq!(numbers(&nested(100)), Ok(vec![1, 2]));
        assert_eq!(numbers(&nested(101)), Err(StructError::Malformed));
    }

    #[test]
    fn a_split_message_reads_as_one_and_keeps_the_raw_fields() {
        let body = Body::default().and(&[0x08, 0x01]).and(&[0x12, 0x01, 0x61]).and(&[]).and(&[0x08, 0x02]);
        let fields: Result<Vec<_>, _> = body.fields().collect();
        let want = [
            Field { number: 1, payload: Payload::Varint(1), raw: &[0x08, 0x01] },
            Field { number: 2, payload: Payload::Bytes(b"a"), raw: &[0x12, 0x01, 0x61] },
            Field { number: 1, payload: Payload::Varint(2), raw: &[0x08, 0x02] },
        ];
        assert_eq!(fields.unwrap(), want);
    }
}
