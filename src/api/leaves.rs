//! Single values: numbers with bounds, texts with a rule, durations, quantities.
//!
//! A type carries its bounds once: its schema and its reader both take them from here.

use serde_json::Value;

use super::problem::Problems;
use super::reading::{KeyRule, Node, Read};
use super::shape::Shape;
use super::values::{self, Duration, Host, Namespace};

/// A whole number in bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Int<const MIN: i64, const MAX: i64>(pub(super) i64);

impl<const MIN: i64, const MAX: i64> Read for Int<MIN, MAX> {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let value = whole(node.value).filter(|value| (MIN..=MAX).contains(value));
        if value.is_none() {
            node.refuse(problems, format!("must be a whole number from {MIN} to {MAX}"));
        }
        value.map(Self)
    }
}

/// `2.0` is a whole number to the API server too.
fn whole(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().filter(|it| it.fract() == 0.0)?.to_string().parse().ok())
}

/// A number whose bounds are `R`'s.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Real<R>(pub(super) f64, std::marker::PhantomData<R>);

/// Bounds of a number.
pub(super) trait RealRule {
    const MIN: f64;
    const MAX: f64;
}

impl<R: RealRule> Read for Real<R> {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let value = node.value.as_f64().filter(|value| (R::MIN..=R::MAX).contains(value));
        if value.is_none() {
            node.refuse(problems, format!("must be a number from {} to {}", R::MIN, R::MAX));
        }
        value.map(|value| Self(value, std::marker::PhantomData))
    }
}

/// What to scale on, per replica: waiting requests, or a fraction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target;

impl RealRule for Target {
    const MIN: f64 = 0.001;
    const MAX: f64 = 1_000_000.0;
}

/// The part of requests that keeps an objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percentile;

impl RealRule for Percentile {
    const MIN: f64 = 0.5;
    const MAX: f64 = 0.999;
}

/// A scorer's share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight;

impl RealRule for Weight {
    const MIN: f64 = 0.0;
    const MAX: f64 = 1_000.0;
}

const SECOND: u64 = 1_000;
const HOUR: u64 = 3_600 * SECOND;

/// A duration, bounded in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span<const MIN: u64, const MAX: u64>(pub(super) Duration);

/// A start, a timeout: a second at least.
pub(super) type Wait = Span<SECOND, { 24 * HOUR }>;
/// How often something is asked.
pub(super) type Interval = Span<SECOND, HOUR>;
/// A latency objective.
pub(super) type Latency = Span<1, HOUR>;

impl<const MIN: u64, const MAX: u64> Read for Span<MIN, MAX> {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let value = node.value.as_str().and_then(Duration::parse);
        let fits = value.filter(|value| (MIN..=MAX).contains(&value.as_millis()));
        if fits.is_none() {
            let (min, max) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
            node.refuse(
                problems,
                format!("must be a duration from {min} to {max}, such as 90s, 10m or 1h30m"),
            );
        }
        fits.map(Self)
    }
}

/// A positive Kubernetes quantity: a text, or a plain number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quantity(pub(super) String);

impl Read for Quantity {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let written = node.value.as_str().map(str::to_owned);
        let text = written.or_else(|| whole(node.value).map(|number| number.to_string()));
        let quantity = text.as_deref().and_then(super::quantity::Quantity::parse);
        if quantity.is_none() {
            node.refuse(problems, "must be a quantity above 0, such as 2, 500m or 16Gi");
        }
        quantity.map(|quantity| Self(quantity.to_string()))
    }
}

/// A positive quantity of whole bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Memory(pub(super) String);

impl Read for Memory {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let Quantity(text) = Quantity::read(node, problems)?;
        let whole = super::quantity::Quantity::parse(&text).is_some_and(super::quantity::Quantity::is_whole);
        if !whole {
            node.refuse(problems, "must be whole bytes, such as 16Gi or 64G");
        }
        whole.then_some(Self(text))
    }
}

/// A text that follows rule `R`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Text<R: TextRule>(pub(super) R::Value);

/// What a text may be.
pub(super) trait TextRule {
    /// What it is read into.
    type Value: std::fmt::Debug + Clone + PartialEq;
    /// Longest text, in characters.
    const MAX: usize;
    /// Shortest text, in characters.
    const MIN: usize = 1;
    /// What the schema can say about it, in the syntax that Go and Rust share.
    #[cfg_attr(not(any(test, feature = "schema")), allow(dead_code, reason = "the schema's"))]
    const PATTERN: Option<&'static str> = None;
    /// CEL for what a pattern cannot say.
    #[cfg(any(test, feature = "schema"))]
    const RULES: &'static [super::rules::Rule] = &[];
    /// What would be right, after "must be".
    const WANT: &'static str;
    /// Whether it may hold a secret, and so is never shown.
    const SECRET: bool = false;

    /// The value, where the pattern and the rules hold.
    fn parse(text: &str) -> Option<Self::Value>;
}

impl<R: TextRule> Read for Text<R> {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let text = node.value.as_str();
        let length = text.map_or(0, |text| text.chars().count());
        let value = text.filter(|_| (R::MIN..=R::MAX).contains(&length)).and_then(R::parse);
        if value.is_none() {
            let want = if length > R::MAX {
                format!("must be at most {} characters long", R::MAX)
            } else {
                format!("must be {}", R::WANT)
            };
            if R::SECRET {
                let seen = if text.is_some() { "a text that is not shown" } else { "no text" };
                node.refuse_unseen(problems, seen, want);
            } else {
                node.refuse(problems, want);
            }
        }
        value.map(Self)
    }
}

/// Declares texts that stay text.
macro_rules! texts {
    ($($(#[doc = $doc:literal])* $name:ident: $length:expr, $pattern:expr, $accepts:expr, $want:literal;)*) => { $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub(super) struct $name;

        impl TextRule for $name {
            type Value = String;
            const MAX: usize = $length;
            const PATTERN: Option<&'static str> = $pattern;
            const WANT: &'static str = $want;

            fn parse(text: &str) -> Option<String> {
                let accepts: fn(&str) -> bool = $accepts;
                accepts(text).then(|| text.to_owned())
            }
        }
    )* };
}

const DNS_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// Labels of at most 63 characters, which `DNS_NAME` leaves open.
const HOST: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$";
const WILDCARD_HOST: &str =
    "^([*][.])?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$";

texts! {
    /// It becomes an argument of the engine's command line, so it is no flag and has no blanks.
    ModelId: 512, Some("^[^[:space:]-][^[:space:]]*$"), |text| !text.starts_with('-') && !has_blank(text),
        "a Hugging Face id, a path or a URI, without blanks and not starting with a dash";
    /// The name of most Kubernetes objects.
    ObjectName: 253, Some(DNS_NAME), values::is_dns_name, "the name of a Kubernetes object";
    /// What the pods run in.
    RuntimeClass: 253, Some(DNS_NAME), values::is_dns_name,
        "the name of a RuntimeClass; leave it out for nvidia, since VLLMRuntime cannot express none at all";
    /// A Gateway's listener.
    SectionName: 253, Some(DNS_NAME), values::is_dns_name, "the name of a listener";
    /// An image reference.
    Image: 512, Some("^[a-zA-Z0-9][-a-zA-Z0-9._/:@]*$"), is_image, "an image reference such as docker.io/lmcache/vllm-openai:v0.3.13";
    /// A Secret's key.
    SecretKeyName: 253, Some("^[-._a-zA-Z0-9]+$"), is_secret_key, "a key of a Secret: letters, digits, '-', '_' and '.'";
    /// The name of an environment variable.
    EnvName: 256, Some("^[-._a-zA-Z][-._a-zA-Z0-9]*$"), is_env_name, "the name of an environment variable";
    /// A server's address. Without credentials: it ends up in objects that many may read.
    Url: 2048, Some("^https?://[^@/?#[:space:]]+(/[^@?#[:space:]]*)?$"), is_url, "an http or https URL without credentials, such as http://prometheus.monitoring:9090";
    /// A glob of policy.
    Glob: 253, Some("^[^[:space:]]+$"), |text| !has_blank(text), "a pattern without blanks, in which * stands for any characters";
    /// A glob of policy for Gateways.
    GatewayGlob: 512, Some("^[^/[:space:]]+/[^/[:space:]]+$"), is_gateway_glob, "a pattern such as envoy-gateway-system/*: namespace, slash, name";
    /// Where the fields are in the composite.
    SpecPath: 253, Some("^spec([.][a-zA-Z0-9]+)*$"), is_spec_path, "a path of fields that starts with spec, such as spec.parameters.llm";
    /// A release.
    Release: 63, Some("^v?[0-9]+([.][0-9]+)*(-[-a-zA-Z0-9.]+)?$"), is_release, "a version such as v1.3.1";
    /// A word that another program understands.
    Word: 253, Some("^[-._a-zA-Z0-9]+$"), is_secret_key, "a word of letters, digits, '-', '_' and '.'";
    /// A taint's key, written as a label's.
    TaintKey: 316, Some("^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$"), QualifiedName::accepts, "the key of a taint such as nvidia.com/gpu";
    /// Text in YAML.
    YamlText: 65536, None, |_| true, "a text";
    /// The name of an adapter.
    AdapterName: 253, Some("^[^[:space:]=-][^[:space:]=]*$"), |text| !text.starts_with('-') && !has_blank(text) && !text.contains('='), "a name without blanks and '='";
}

/// A hostname.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hostname;

impl TextRule for Hostname {
    type Value = Host;
    const MAX: usize = Host::MAX;
    const PATTERN: Option<&'static str> = Some(HOST);
    #[cfg(any(test, feature = "schema"))]
    const RULES: &'static [super::rules::Rule] = &super::rules::NO_IP;
    const WANT: &'static str = "a hostname such as llama.example.com, and no IP address";

    fn parse(text: &str) -> Option<Host> {
        Host::parse(text)
    }
}

/// A hostname or `*.` and a hostname.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IngressHostname;

impl TextRule for IngressHostname {
    type Value = Host;
    const MAX: usize = Host::MAX;
    const PATTERN: Option<&'static str> = Some(WILDCARD_HOST);
    #[cfg(any(test, feature = "schema"))]
    const RULES: &'static [super::rules::Rule] = &super::rules::NO_IP;
    const WANT: &'static str = "a hostname such as llama.example.com, and no IP address";

    fn parse(text: &str) -> Option<Host> {
        Host::parse_with_wildcard(text)
    }
}

/// A namespace.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NamespaceName;

impl TextRule for NamespaceName {
    type Value = Namespace;
    const MAX: usize = Namespace::MAX;
    const PATTERN: Option<&'static str> = Some(DNS_LABEL);
    const WANT: &'static str = "a namespace: lower-case letters, digits and dashes";

    fn parse(text: &str) -> Option<Namespace> {
        Namespace::parse(text)
    }
}

/// One argument of the engine. Never shown whole: it may hold a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argument(pub(super) String);

impl Argument {
    const MAX: usize = 4096;
}

impl Read for Argument {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let Some(text) = node.value.as_str() else {
            node.refuse(problems, "must be a text: put quotes around numbers and booleans");
            return None;
        };
        let length = text.chars().count();
        if !(1..=Self::MAX).contains(&length) {
            let want = format!("must have 1 to {} characters", Self::MAX);
            node.refuse_unseen(problems, &format!("a text of {length} characters"), want);
            return None;
        }
        if let Some((flag, instead)) = super::rules::managed_flag(text) {
            node.refuse_unseen(problems, flag, instead);
            return None;
        }
        Some(Self(text.to_owned()))
    }
}

/// A value of an environment variable.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EnvValue;

impl TextRule for EnvValue {
    type Value = String;
    const MAX: usize = 4096;
    const MIN: usize = 0;
    const WANT: &'static str = "a text: put quotes around numbers and booleans";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

/// A label's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LabelValue;

impl TextRule for LabelValue {
    type Value = String;
    const MAX: usize = 63;
    const MIN: usize = 0;
    const PATTERN: Option<&'static str> = Some("^([a-zA-Z0-9]([-._a-zA-Z0-9]*[a-zA-Z0-9])?)?$");
    const WANT: &'static str = "a label value: letters, digits, '-', '_' and '.'";

    fn parse(text: &str) -> Option<String> {
        is_label_value(text).then(|| text.to_owned())
    }
}

/// An annotation's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AnnotationValue;

impl TextRule for AnnotationValue {
    type Value = String;
    const MAX: usize = 4096;
    const MIN: usize = 0;
    const WANT: &'static str = "a text: put quotes around numbers and booleans";

    fn parse(text: &str) -> Option<String> {
        Some(text.to_owned())
    }
}

/// Keys of labels and annotations: a name of at most 63 characters, and before it perhaps a DNS name and a slash.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QualifiedName;

impl KeyRule for QualifiedName {
    const WANT: &'static str = "a label name such as release or example.com/team";

    fn accepts(key: &str) -> bool {
        let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
        prefix.is_none_or(values::is_dns_name) && !name.is_empty() && name.len() <= 63 && is_label_value(name)
    }
}

/// Keys of resource lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ResourceName;

impl KeyRule for ResourceName {
    const WANT: &'static str = "a resource such as cpu, memory or nvidia.com/gpu";

    fn accepts(key: &str) -> bool {
        QualifiedName::accepts(key)
    }
}

fn has_blank(text: &str) -> bool {
    // What [:space:] means to Go's regexp: ASCII, vertical tab included.
    text.contains(['\t', '\n', '\u{b}', '\u{c}', '\r', ' '])
}

fn is_word(text: &str, extra: &[char]) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
}

fn is_image(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && is_word(text, &['-', '.', '_', '/', ':', '@'])
}

fn is_secret_key(text: &str) -> bool {
    !text.is_empty() && is_word(text, &['-', '.', '_'])
}

fn is_env_name(text: &str) -> bool {
    is_secret_key(text) && !text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_label_value(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.is_empty() || (is_word(text, &['-', '.', '_']) && text.starts_with(edge) && text.ends_with(edge))
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && !has_blank(rest) && !rest.contains(['@', '?', '#'])
    })
}

fn is_gateway_glob(text: &str) -> bool {
    let mut parts = text.split('/');
    let mut part = || parts.next().is_some_and(|part| !part.is_empty());
    !has_blank(text) && part() && part() && parts.next().is_none()
}

fn is_spec_path(text: &str) -> bool {
    text.split('.').next() == Some("spec")
        && text.split('.').all(|field| !field.is_empty() && is_word(field, &[]))
}

fn is_release(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (numbers, extra) =
        text.split_once('-').map_or((text, None), |(numbers, extra)| (numbers, Some(extra)));
    numbers.split('.').all(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
        && extra.is_none_or(|extra| !extra.is_empty() && is_word(extra, &['-', '.']))
}

#[cfg(any(test, feature = "schema"))]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde_json::json;

    use super::{Argument, Int, Memory, Quantity, Real, RealRule, Span, Text, TextRule};
    use crate::api::quantity;
    use crate::api::rules;
    use crate::api::values::Duration;

    impl<const MIN: i64, const MAX: i64> JsonSchema for Int<MIN, MAX> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Int".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let format =
                if i32::try_from(MIN).is_ok() && i32::try_from(MAX).is_ok() { "int32" } else { "int64" };
            json_schema!({"type": "integer", "format": format, "minimum": MIN, "maximum": MAX})
        }
    }

    impl<R: RealRule> JsonSchema for Real<R> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Real".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({"type": "number", "minimum": R::MIN, "maximum": R::MAX})
        }
    }

    impl<const MIN: u64, const MAX: u64> JsonSchema for Span<MIN, MAX> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Span".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let (min, max) = (Duration::from_millis(MIN).to_string(), Duration::from_millis(MAX).to_string());
            json_schema!({
                "type": "string",
                "minLength": 2,
                "maxLength": 28,
                "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
                "x-kubernetes-validations": [{
                    "rule": format!("duration(self) >= duration('{min}') && duration(self) <= duration('{max}')"),
                    "message": format!("must be a duration from {min} to {max}"),
                }],
            })
        }
    }

    impl JsonSchema for Quantity {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Quantity".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "x-kubernetes-int-or-string": true,
                "maxLength": quantity::Quantity::MAX_LENGTH,
                "pattern": quantity::Quantity::PATTERN,
                "x-kubernetes-validations": rules::POSITIVE_QUANTITY,
            })
        }
    }

    impl JsonSchema for Argument {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Argument".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "type": "string",
                "minLength": 1,
                "maxLength": Self::MAX,
                "x-kubernetes-validations": rules::ARGUMENT,
            })
        }
    }

    impl JsonSchema for Memory {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Memory".into()
        }
        fn json_schema(generator: &mut SchemaGenerator) -> Schema {
            Quantity::json_schema(generator)
        }
    }

    impl<R: TextRule> JsonSchema for Text<R> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Text".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let mut schema = json_schema!({"type": "string", "maxLength": R::MAX});
            if R::MIN > 0 {
                schema.insert("minLength".to_owned(), json!(R::MIN));
            }
            if let Some(pattern) = R::PATTERN {
                schema.insert("pattern".to_owned(), json!(pattern));
            }
            if !R::RULES.is_empty() {
                schema.insert("x-kubernetes-validations".to_owned(), json!(R::RULES));
            }
            schema
        }
    }
}
