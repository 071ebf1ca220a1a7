//! A `Struct` that is looked into field by field, where a deserializer would build what it is asked for.
//!
//! Only encodings as everybody writes them are understood here. Any other is first written anew, so what is read of a
//! value is the same however it arrived.

use std::fmt;

use serde::de::{Error, Unexpected};
use serde_json_borrow::Value;

use super::error::{DEPTH_LIMIT, StructError};
use super::json::{self, finite, from_struct, whole};
use super::ser::to_struct;
use super::value::{Kind, text};
use super::wire::{Body, next_content, next_entry, only};
use super::writer::{LIST, OBJECT, STRING};

/// What is wrong with a value, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Fields and indexes, as people write them. Empty for the whole.
    place: String,
    /// What.
    pub why: StructError,
}

impl Fault {
    /// Whether the bytes are none that everybody would write.
    pub fn is_malformed(&self) -> bool {
        self.why == StructError::Malformed
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, why } = self;
        if place.is_empty() { why.fmt(f) } else { write!(f, "{place}: {why}") }
    }
}

impl std::error::Error for Fault {}

/// Of the whole.
impl From<StructError> for Fault {
    fn from(why: StructError) -> Self {
        Self { place: String::new(), why }
    }
}

/// Looks into the encoding of a `Struct`.
pub fn look_into<T>(bytes: &[u8], look: impl Fn(&Item<'_, '_>) -> Result<T, Fault>) -> Result<T, Fault> {
    match look(&Item::whole(bytes)) {
        Err(fault) if fault.is_malformed() => {
            let rewritten = to_struct(&from_struct(bytes)?)?;
            look(&Item::whole(&rewritten))
        }
        looked => looked,
    }
}

/// A value where it stands. What is not there is null.
#[derive(Debug, Clone, Copy)]
pub struct Item<'up, 'de> {
    /// A `Value`; of the whole, a `Struct`.
    encoding: &'de [u8],
    /// What it is part of, and how; the whole is part of nothing.
    up: Option<(&'up Self, Step<'de>)>,
}

#[derive(Debug, Clone, Copy)]
enum Step<'de> {
    Field(&'de str),
    Index(usize),
}

impl<'de> Item<'_, 'de> {
    const fn whole(encoding: &'de [u8]) -> Self {
        Self { encoding, up: None }
    }

    /// An object's fields of these names.
    #[inline]
    pub fn fields<const N: usize>(&self, names: [&'static str; N]) -> Result<[Item<'_, 'de>; N], Fault> {
        let mut found = names.map(|name| Item { encoding: &[], up: Some((self, Step::Field(name))) });
        let mut rest = self.entries()?;
        while let Some((key, value)) = next_entry(&mut rest) {
            // Of entries with the same key the last counts.
            let index = names.iter().position(|name| name.as_bytes() == key);
            if let Some(item) = index.and_then(|index| found.get_mut(index)) {
                item.encoding = value;
            }
        }
        if rest.is_empty() { Ok(found) } else { Err(self.fault(StructError::Malformed)) }
    }

    /// All fields of an object, in no order.
    pub fn each_field(
        &self,
        mut each: impl FnMut(&'de str, &Item<'_, 'de>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut rest = self.entries()?;
        while let Some((key, encoding)) = next_entry(&mut rest) {
            let key = text(key).map_err(|why| self.fault(why))?;
            each(key, &Item { encoding, up: Some((self, Step::Field(key))) })?;
        }
        if rest.is_empty() { Ok(()) } else { Err(self.fault(StructError::Malformed)) }
    }

    /// All items of a list.
    pub fn each_item(&self, mut each: impl FnMut(&Item<'_, 'de>) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut rest = self.items()?;
        let mut index = 0;
        while let Some(encoding) = next_content(&mut rest) {
            each(&Item { encoding, up: Some((self, Step::Index(index))) })?;
            index += 1;
        }
        if rest.is_empty() { Ok(()) } else { Err(self.fault(StructError::Malformed)) }
    }

    /// What is read of each item of a list.
    pub fn each<T>(&self, read: impl Fn(&Item<'_, 'de>) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        let mut all = Vec::new();
        self.each_item(|item| {
            all.push(read(item)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// A text, if it is not null.
    pub fn text(&self) -> Result<Option<&'de str>, Fault> {
        self.string()?.map(text).transpose().map_err(|why| self.fault(why))
    }

    /// Whether it is this text.
    #[inline]
    pub fn is(&self, text: &str) -> Result<bool, Fault> {
        Ok(self.string()? == Some(text.as_bytes()))
    }

    /// The same, to keep.
    pub fn owned(&self) -> Result<Option<String>, Fault> {
        Ok(self.text()?.map(str::to_owned))
    }

    /// A whole number, if it is not null.
    pub fn integer(&self) -> Result<Option<i64>, Fault> {
        let number = match self.kind()? {
            Kind::Null => return Ok(None),
            Kind::Number(number) => number,
            other @ (Kind::String(_) | Kind::Bool(_) | Kind::Object(_) | Kind::List(_)) => {
                return Err(self.not("an integer", &other));
            }
        };
        match finite(number).and_then(whole) {
            Ok(Some(integer)) => Ok(Some(integer)),
            Ok(None) => Err(self.not("an integer", &Kind::Number(number))),
            Err(why) => Err(self.fault(why)),
        }
    }

    /// The same, of an unsigned type.
    pub fn number<T: TryFrom<i64>>(&self) -> Result<Option<T>, Fault> {
        let Some(integer) = self.integer()? else { return Ok(None) };
        T::try_from(integer).map(Some).map_err(|_| {
            let wanted = format!("an unsigned integer of {} bits", 8 * size_of::<T>());
            self.fault(StructError::invalid_value(Unexpected::Signed(integer), &wanted.as_str()))
        })
    }

    /// Whether it is null, or not there.
    pub fn is_null(&self) -> Result<bool, Fault> {
        Ok(matches!(self.kind()?, Kind::Null))
    }

    /// All of it, as JSON.
    pub fn json(&self) -> Result<Value<'de>, Fault> {
        json::value(self.kind()?, DEPTH_LIMIT.saturating_sub(self.depth())).map_err(|why| self.fault(why))
    }

    /// What an object holds; null holds nothing.
    #[inline]
    fn entries(&self) -> Result<&'de [u8], Fault> {
        match self.usual(OBJECT) {
            Some(entries) => Ok(entries),
            None => match self.kind()? {
                Kind::Null => Ok(&[]),
                Kind::Object(entries) => self.inside(&entries),
                other @ (Kind::Number(_) | Kind::String(_) | Kind::Bool(_) | Kind::List(_)) => {
                    Err(self.not("an object", &other))
                }
            },
        }
    }

    /// What a list holds; null holds nothing.
    #[inline]
    fn items(&self) -> Result<&'de [u8], Fault> {
        match self.usual(LIST) {
            Some(items) => Ok(items),
            None => match self.kind()? {
                Kind::Null => Ok(&[]),
                Kind::List(items) => self.inside(&items),
                other @ (Kind::Number(_) | Kind::String(_) | Kind::Bool(_) | Kind::Object(_)) => {
                    Err(self.not("a list", &other))
                }
            },
        }
    }

    /// The bytes of a text, if it is not null.
    #[inline]
    fn string(&self) -> Result<Option<&'de [u8]>, Fault> {
        match self.usual(STRING) {
            Some(bytes) => Ok(Some(bytes)),
            None => match self.kind()? {
                Kind::Null => Ok(None),
                Kind::String(bytes) => Ok(Some(bytes)),
                other @ (Kind::Number(_) | Kind::Bool(_) | Kind::Object(_) | Kind::List(_)) => {
                    Err(self.not("a string", &other))
                }
            },
        }
    }

    /// What is inside, where that is of this kind, as nearly all are that are asked for it.
    #[inline]
    fn usual(&self, kind: u8) -> Option<&'de [u8]> {
        match self.up {
            Some(_) => only(kind, self.encoding),
            None => (kind == OBJECT).then_some(self.encoding),
        }
    }

    fn kind(&self) -> Result<Kind<'de>, Fault> {
        let body = Body::One(self.encoding);
        if self.up.is_none() { Ok(Kind::Object(body)) } else { Kind::of(body).map_err(|why| self.fault(why)) }
    }

    /// What is inside, if it stands in one place.
    fn inside(&self, body: &Body<'de>) -> Result<&'de [u8], Fault> {
        match body {
            Body::One(encoding) => Ok(encoding),
            Body::Many(_) => Err(self.fault(StructError::Malformed)),
        }
    }

    fn not(&self, wanted: &'static str, kind: &Kind<'_>) -> Fault {
        let shown;
        let found = match kind {
            Kind::Null => Unexpected::Unit,
            Kind::Number(number) => match whole(*number) {
                Ok(Some(integer)) => Unexpected::Signed(integer),
                Ok(None) | Err(_) => Unexpected::Float(*number),
            },
            Kind::String(bytes) => {
                shown = String::from_utf8_lossy(bytes);
                Unexpected::Str(&shown)
            }
            Kind::Bool(bit) => Unexpected::Bool(*bit),
            Kind::Object(_) => Unexpected::Map,
            Kind::List(_) => Unexpected::Seq,
        };
        self.fault(StructError::invalid_type(found, &wanted))
    }

    fn fault(&self, why: StructError) -> Fault {
        Fault { place: self.place(), why }
    }

    /// How many objects and lists it is in.
    fn depth(&self) -> u8 {
        self.up.map_or(0, |(up, _)| up.depth().saturating_add(1))
    }

    fn place(&self) -> String {
        let Some((up, step)) = self.up else { return String::new() };
        let above = up.place();
        match step {
            Step::Field(name) if above.is_empty() => name.to_owned(),
            Step::Field(name) => format!("{above}.{name}"),
            Step::Index(index) => format!("{above}[{index}]"),
        }
    }
}
