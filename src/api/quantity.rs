//! Kubernetes quantities, read and written in canonical form.
//!
//! The serving operator compares what it was given with what the API server stored, which is the canonical form: any
//! other spelling is an endless update loop. So every quantity is canonical before anything sees it.

use std::fmt;

/// A positive quantity, in thousandths of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    milli: u128,
    /// Kibibytes and friends: kept apart, since `1Gi` must not become `1073741824`.
    binary: bool,
}

/// Suffix, factor over one thousandth.
const DECIMAL: [(&str, u128); 7] = [
    ("E", 1_000_000_000_000_000_000_000),
    ("P", 1_000_000_000_000_000_000),
    ("T", 1_000_000_000_000_000),
    ("G", 1_000_000_000_000),
    ("M", 1_000_000_000),
    ("k", 1_000_000),
    ("", 1_000),
];

const BINARY: [(&str, u128); 6] = [
    ("Ei", 1_000 << 60),
    ("Pi", 1_000 << 50),
    ("Ti", 1_000 << 40),
    ("Gi", 1_000 << 30),
    ("Mi", 1_000 << 20),
    ("Ki", 1_000 << 10),
];

impl Quantity {
    /// What a schema can say about it; `parse` says more.
    #[cfg_attr(not(any(test, feature = "schema")), allow(dead_code, reason = "the schema's"))]
    pub(super) const PATTERN: &str = "^[0-9]{1,15}(m|([.][0-9]{1,3})?(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)$";
    /// Longest spelling that the pattern lets through.
    #[cfg_attr(not(any(test, feature = "schema")), allow(dead_code, reason = "the schema's"))]
    pub(super) const MAX_LENGTH: usize = 21;
    /// From here on, Kubernetes takes every quantity for this one (`k8s.io/apimachinery`, `pkg/api/resource`,
    /// `maxAllowed`).
    const LIMIT_MILLI: u128 = ((1 << 63) - 1) * 1_000;

    /// Reads a quantity of at least one thousandth, and no finer than that: Kubernetes rounds what is finer where it is
    /// used, and never finds the result equal to what it was given.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(end)?;
        let (whole, fraction) = match number.split_once('.') {
            Some((whole, fraction)) if (1..=3).contains(&fraction.len()) && suffix != "m" => {
                (whole, fraction)
            }
            Some(_) => return None,
            None => (number, ""),
        };
        if !(1..=15).contains(&whole.len()) || !fraction.bytes().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let (factor, binary) = match suffix {
            "m" => (1, false),
            _ => DECIMAL
                .into_iter()
                .find(|(name, _)| *name == suffix)
                .map(|(_, factor)| (factor, false))
                .or_else(|| {
                    BINARY.into_iter().find(|(name, _)| *name == suffix).map(|(_, factor)| (factor, true))
                })?,
        };
        let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?);
        let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
        let scaled = digits.checked_mul(factor)?;
        // Every factor is a multiple of the scale, or there is no fraction.
        let milli = scaled / scale;
        (0 < milli && milli < Self::LIMIT_MILLI).then_some(Self { milli, binary })
    }

    /// Whole units, rounded up: bytes of memory.
    pub fn units(self) -> u128 {
        self.milli.div_ceil(1_000)
    }

    /// A whole number of its unit.
    pub(super) fn is_whole(self) -> bool {
        self.milli.is_multiple_of(1_000)
    }
}

/// The canonical form: the largest suffix that leaves a whole number. Below 1024, a binary quantity is a plain number
/// (`k8s.io/apimachinery`, `pkg/api/resource`, `CanonicalizeBytes`).
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = self.binary && self.milli >= 1_024_000;
        let suffixes: &[(&str, u128)] = if binary { &BINARY } else { &DECIMAL };
        if let Some((suffix, factor)) = suffixes.iter().find(|(_, factor)| self.milli.is_multiple_of(*factor))
        {
            return write!(f, "{}{suffix}", self.milli / factor);
        }
        if self.is_whole() { write!(f, "{}", self.milli / 1_000) } else { write!(f, "{}m", self.milli) }
    }
}

#[cfg(test)]
mod tests {
    use super::Quantity;

    #[test]
    fn quantities_are_written_as_the_api_server_stores_them() {
        let cases = [
            ("1000m", Some("1"), "a whole core"),
            ("0.5", Some("500m"), "half a core"),
            ("1.5", Some("1500m"), "no fraction survives"),
            ("2", Some("2"), "already canonical"),
            ("16", Some("16"), "a multiple of two is no binary quantity"),
            ("1024Mi", Some("1Gi"), "the largest suffix"),
            ("1.5Gi", Some("1536Mi"), "the largest suffix without a fraction"),
            ("8Gi", Some("8Gi"), "already canonical"),
            ("8192Mi", Some("8Gi"), "the largest suffix"),
            ("0.5Ki", Some("512"), "small binary quantities are plain numbers"),
            ("1000Ki", Some("1000Ki"), "binary stays binary"),
            ("1000", Some("1k"), "decimal has suffixes too"),
            ("1500M", Some("1500M"), "decimal stays decimal"),
            ("8000M", Some("8G"), "the largest suffix"),
            ("00.100", Some("100m"), "leading and trailing zeros go"),
            ("0.001k", Some("1"), "three digits after the point"),
            ("0.0010", None, "and no more"),
            ("0.5m", None, "finer than a thousandth"),
            ("7.875Ei", Some("8064Pi"), "below what Kubernetes takes for endless"),
            ("8Ei", None, "what Kubernetes takes for endless"),
            ("999999999999999E", None, "as large as it can be written"),
            ("0", None, "nothing cannot be asked for"),
            ("0.0001", None, "finer than a thousandth"),
            ("-1", None, "negative"),
            ("1.", None, "no digits after the point"),
            (".5", None, "no digits before it"),
            ("1e3", None, "exponents are not needed here"),
            ("1 Gi", None, "no space"),
            ("1gi", None, "suffixes have a case"),
            ("", None, "nothing"),
        ];
        for (text, want, reason) in cases {
            assert_eq!(Quantity::parse(text).map(|it| it.to_string()).as_deref(), want, "{text}: {reason}");
        }
    }
}
