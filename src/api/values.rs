//! Checked values: names, hosts and durations. A value that exists is right.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Longest DNS label, and so the longest Service name, label value and namespace (RFC 1035).
const DNS_LABEL_MAX: usize = 63;
/// The longest value of a label (apimachinery, `validation.LabelValueMaxLength`).
pub(crate) const LABEL_VALUE_MAX: usize = 63;
/// Longest DNS name (RFC 1123), and so the longest name of most Kubernetes objects.
pub(super) const DNS_NAME_MAX: usize = 253;

/// The model's name: the stem of every composed name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelName(String);

impl ModelName {
    /// The name itself is a Service name and a label value.
    pub const MAX: usize = DNS_LABEL_MAX;
    /// Appended to make the name of the model servers' Deployment and Service, where no operator makes them.
    pub const MODEL_SERVER_SUFFIX: &str = "-vllm";
    /// Appended to make the name of the Service that is scraped.
    pub const METRICS_SUFFIX: &str = "-metrics";
    /// Appended to make the names of the picker's objects, its Service among them.
    pub const PICKER_SUFFIX: &str = "-epp";

    /// Reads a name. A Service name must start with a letter, although other DNS labels may start with a digit
    /// (Kubernetes 1.35 refuses it as `a DNS-1035 label`).
    pub fn parse(name: &str) -> Option<Self> {
        (name.len() <= Self::MAX && is_dns_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()))
            .then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A DNS label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Namespace(String);

impl Namespace {
    /// Longest namespace.
    pub const MAX: usize = DNS_LABEL_MAX;

    /// Reads a namespace.
    pub fn parse(name: &str) -> Option<Self> {
        (name.len() <= Self::MAX && is_dns_label(name)).then(|| Self(name.to_owned()))
    }

    /// The namespace as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hostname.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host(String);

impl Host {
    /// Longest hostname.
    pub const MAX: usize = DNS_NAME_MAX;

    /// Reads a hostname (RFC 1123): dot-separated labels of up to 63 characters, and no IP address.
    pub fn parse(host: &str) -> Option<Self> {
        (are_labels(host) && !is_ip(host)).then(|| Self(host.to_owned()))
    }

    /// Reads a hostname that may start with `*.`, as an Ingress rule's may.
    pub fn parse_with_wildcard(host: &str) -> Option<Self> {
        let fits = match host.strip_prefix("*.") {
            // Below a name there are no addresses, whatever it looks like.
            Some(rest) => host.len() <= Self::MAX && are_labels(rest),
            None => Self::parse(host).is_some(),
        };
        fits.then(|| Self(host.to_owned()))
    }

    /// The hostname as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A duration in Gateway API's grammar (GEP-2257), kept in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(u64);

impl Duration {
    /// A whole number of seconds.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds as u64 * 1000)
    }

    /// A whole number of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Whole seconds, rounded up.
    pub const fn as_seconds(self) -> u64 {
        self.0.div_ceil(1000)
    }

    /// Milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Reads `([0-9]{1,5}(h|m|s|ms)){1,4}`.
    pub fn parse(text: &str) -> Option<Self> {
        const MAX_PARTS: usize = 4;
        const MAX_DIGITS: usize = 5;

        let mut rest = text;
        let mut millis = 0u64;
        for _ in 0..MAX_PARTS {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=MAX_DIGITS).contains(&digits) {
                return None;
            }
            let (number, tail) = rest.split_at(digits);
            let (unit, tail) = strip_unit(tail)?;
            millis += u64::from_str(number).ok()? * unit;
            if tail.is_empty() {
                return Some(Self(millis));
            }
            rest = tail;
        }
        None
    }
}

/// The unit in milliseconds, and what follows it. `ms` before `m`, which it starts with.
fn strip_unit(text: &str) -> Option<(u64, &str)> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    UNITS.into_iter().find_map(|(unit, millis)| Some((millis, text.strip_prefix(unit)?)))
}

/// `[a-z0-9]([-a-z0-9]*[a-z0-9])?`, any length.
pub(super) fn is_dns_label(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
        && text.chars().all(|c| alphanumeric(c) || c == '-')
}

/// Dot-separated DNS labels: what Kubernetes calls a DNS subdomain.
pub(super) fn is_dns_name(text: &str) -> bool {
    text.len() <= DNS_NAME_MAX && text.split('.').all(is_dns_label)
}

/// A DNS name whose labels have their limit.
fn are_labels(text: &str) -> bool {
    is_dns_name(text) && text.split('.').all(|label| label.len() <= DNS_LABEL_MAX)
}

fn is_ip(text: &str) -> bool {
    IpAddr::from_str(text).is_ok()
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The shortest spelling: `10m`, `1h30m`, `1s500ms`; `0s` for nothing.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if rest >= millis {
                write!(f, "{}{unit}", rest / millis)?;
                rest %= millis;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Host, ModelName, Namespace};

    #[test]
    fn names_become_services_and_labels() {
        let long = "a".repeat(63);
        let too_long = "a".repeat(64);
        let cases = [
            ("llama-3", true, "letters, digits and dashes"),
            (long.as_str(), true, "63 characters fit a label"),
            (too_long.as_str(), false, "64 do not"),
            ("3-llama", false, "a Service may not start with a digit"),
            ("-llama", false, "nor with a dash"),
            ("llama-", false, "nor end with one"),
            ("llama.3", false, "a dot is no part of a label"),
            ("Llama", false, "DNS is written in lower case here"),
            ("", false, "nothing is no name"),
        ];
        for (name, want, reason) in cases {
            assert_eq!(ModelName::parse(name).is_some(), want, "{name}: {reason}");
        }
        assert!(Namespace::parse("3-llama").is_some(), "a namespace may start with a digit");
    }

    #[test]
    fn hosts_are_names_of_hosts() {
        let label = format!("{}.example.com", "a".repeat(64));
        let cases = [
            ("llama.example.com", true, "the usual"),
            ("localhost", true, "one label is enough"),
            ("1.example.com", true, "a label may start with a digit"),
            ("*.example.com", false, "a route's host names one model"),
            ("10.0.0.1", false, "an address is no hostname"),
            ("llama.example.com.", false, "no trailing dot: Gateway API refuses it"),
            ("http://llama.example.com", false, "no scheme"),
            ("llama.example.com:80", false, "no port"),
            ("llama_3.example.com", false, "no underscore"),
            (label.as_str(), false, "a label has at most 63 characters"),
        ];
        for (host, want, reason) in cases {
            assert_eq!(Host::parse(host).is_some(), want, "{host}: {reason}");
        }
        assert!(Host::parse_with_wildcard("*.example.com").is_some(), "an Ingress may serve a wildcard");
        assert!(Host::parse_with_wildcard("*.10.0.0.1").is_some(), "what stands below a wildcard is a name");
        assert!(Host::parse_with_wildcard("*").is_none(), "but not every name there is");
    }

    #[test]
    fn durations_follow_gateway_api_and_print_their_shortest_form() {
        let cases = [
            ("10m", Some("10m")),
            ("600s", Some("10m")),
            ("90m", Some("1h30m")),
            ("1h30m", Some("1h30m")),
            ("30m1h", Some("1h30m")),
            ("1500ms", Some("1s500ms")),
            ("0s", Some("0s")),
            ("1h1m1s1ms", Some("1h1m1s1ms")),
            ("1h1m1s1ms1ms", None),
            ("123456s", None),
            ("10", None),
            ("1d", None),
            ("-1s", None),
            ("1.5h", None),
            ("", None),
            (" 1s", None),
        ];
        for (text, want) in cases {
            assert_eq!(Duration::parse(text).map(|it| it.to_string()).as_deref(), want, "{text}");
        }
    }
}
