//! Single values that are texts: names, hosts, addresses, arguments.
//!
//! A type carries its rule once: its schema and its reader both take it from here.

use super::problem::Problems;
use super::reading::{KeyRule, Node, Read};
use super::shape::Shape;
use super::values::{self, Host, Namespace};

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

/// Characters that no text of ours may hold, but for tabs and line ends in long ones: control characters, and what is no
/// character.
///
/// Go's JSON has those above ASCII as they are, and what is applied server-side is read as YAML, which forbids them
/// (`go.yaml.in/yaml/v2`, `readerc.go`): neither Crossplane nor provider-kubernetes could apply an object with one.
macro_rules! unprintable {
    () => {
        r"\p{Cc}\x{fffe}\x{ffff}"
    };
}

/// Any text without them.
const PRINTABLE: &str = concat!(r"^([\t\n\r]|[^", unprintable!(), "])*$");

const DNS_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// Labels of at most 63 characters, which `DNS_NAME` leaves open.
const HOST: &str = "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$";
const WILDCARD_HOST: &str =
    "^([*][.])?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$";

texts! {
    /// It becomes an argument of the engine's command line, so it is no flag and has no blanks.
    ModelId: 512, Some(concat!("^[^ ", unprintable!(), "-][^ ", unprintable!(), "]*$")), |text| !text.starts_with('-') && is_word(text),
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
    SecretKeyName: 253, Some("^[.]?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$"), is_secret_key, "a key of a Secret: letters, digits, '-', '_' and '.', but no two dots in front";
    /// The name of an environment variable.
    EnvName: 256, Some("^([-_a-zA-Z]|[.][-_a-zA-Z0-9])[-._a-zA-Z0-9]*$"), is_env_name, "the name of an environment variable";
    /// A server's address. Without credentials: it ends up in objects that many may read.
    Url: 2048, Some(concat!("^https?://[^@/?# ", unprintable!(), "]+(/[^@?# ", unprintable!(), "]*)?$")), is_url, "an http or https URL without credentials, such as http://prometheus.monitoring:9090";
    /// Where a Helm chart or a repository of charts is. Without credentials: many may read it.
    ChartAddress: 2048, Some(concat!("^(https?|oci)://[^@?# ", unprintable!(), "]+$")), is_chart_address, "an oci, https or http URL without credentials, such as oci://registry.example.com/charts";
    /// A glob of policy.
    Glob: 253, Some(concat!("^[^ ", unprintable!(), "]+$")), is_word, "a pattern without blanks, in which * stands for any characters";
    /// A glob of policy for Gateways.
    GatewayGlob: 512, Some(concat!("^[^/ ", unprintable!(), "]+/[^/ ", unprintable!(), "]+$")), is_gateway_glob, "a pattern such as envoy-gateway-system/*: namespace, slash, name";
    /// Where the fields are in the composite.
    SpecPath: 253, Some("^spec([.][a-zA-Z0-9]+)*$"), is_spec_path, "a path of fields that starts with spec, such as spec.parameters.llm";
    /// A flag beside a block of the composite.
    FieldPath: 253, Some("^[a-zA-Z0-9]+([.][a-zA-Z0-9]+)*$"), is_field_path, "a path of fields, such as envoyGateway.enabled";
    /// A release.
    Release: 63, Some("^v?[0-9]+([.][0-9]+)*(-[-a-zA-Z0-9.]+)?$"), is_release, "a version such as v1.3.1";
    /// A word that another program understands.
    Word: 253, Some("^[-._a-zA-Z0-9]+$"), |text| !text.is_empty() && has_only(text, &['-', '.', '_']), "a word of letters, digits, '-', '_' and '.'";
    /// Text in YAML.
    YamlText: 65536, Some(PRINTABLE), is_printable, "a text without control characters";
    /// The name of an adapter.
    AdapterName: 253, Some(concat!("^[^ ", unprintable!(), "=-][^ ", unprintable!(), "=]*$")), |text| !text.starts_with('-') && is_word(text) && !text.contains('='), "a name without blanks and '='";
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

/// A taint's key, written as a label's.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TaintKey;

impl TextRule for TaintKey {
    type Value = String;
    const MAX: usize = QualifiedName::MAX;
    const PATTERN: Option<&'static str> = Some(
        "^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$",
    );
    #[cfg(any(test, feature = "schema"))]
    const RULES: &'static [super::rules::Rule] = &super::rules::KEY_PREFIX;
    const WANT: &'static str = "the key of a taint such as nvidia.com/gpu";

    fn parse(text: &str) -> Option<String> {
        QualifiedName::accepts(text).then(|| text.to_owned())
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
        if !is_printable(text) {
            node.refuse_unseen(problems, "a text that is not shown", "must have no control characters");
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
    const PATTERN: Option<&'static str> = Some(PRINTABLE);
    const WANT: &'static str = "a text without control characters; put quotes around numbers and booleans";
    const SECRET: bool = true;

    fn parse(text: &str) -> Option<String> {
        is_printable(text).then(|| text.to_owned())
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
    const PATTERN: Option<&'static str> = Some(PRINTABLE);
    const WANT: &'static str = "a text without control characters; put quotes around numbers and booleans";

    fn parse(text: &str) -> Option<String> {
        is_printable(text).then(|| text.to_owned())
    }
}

/// Keys of labels and annotations: a name of at most 63 characters, and before it perhaps a DNS name and a slash.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QualifiedName;

impl QualifiedName {
    /// Prefix, slash, name.
    const MAX: usize = 253 + 1 + 63;
}

impl KeyRule for QualifiedName {
    #[cfg(any(test, feature = "schema"))]
    const RULES: &'static [super::rules::Rule] = &super::rules::LABEL_KEYS;
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
    #[cfg(any(test, feature = "schema"))]
    const RULES: &'static [super::rules::Rule] = QualifiedName::RULES;
    const WANT: &'static str = "a resource such as cpu, memory or nvidia.com/gpu";

    fn accepts(key: &str) -> bool {
        QualifiedName::accepts(key)
    }
}

/// Twin of `PRINTABLE`.
fn is_printable(text: &str) -> bool {
    let is_allowed = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    text.chars().all(|c| is_allowed(c) && !matches!(c, '\u{fffe}' | '\u{ffff}'))
}

/// No blanks either.
fn is_word(text: &str) -> bool {
    is_printable(text) && !text.contains(['\t', '\n', '\r', ' '])
}

fn has_only(text: &str, extra: &[char]) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
}

fn is_image(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && has_only(text, &['-', '.', '_', '/', ':', '@'])
}

/// What could be taken for a folder is refused, since a key may become a file
/// (k8s.io/apimachinery v0.35, `pkg/util/validation/validation.go`).
fn is_secret_key(text: &str) -> bool {
    !text.is_empty() && text != "." && !text.starts_with("..") && has_only(text, &['-', '.', '_'])
}

fn is_env_name(text: &str) -> bool {
    is_secret_key(text) && !text.starts_with(|c: char| c.is_ascii_digit())
}

fn is_label_value(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.is_empty() || (has_only(text, &['-', '.', '_']) && text.starts_with(edge) && text.ends_with(edge))
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && !rest.starts_with('/') && is_word(rest) && !rest.contains(['@', '?', '#'])
    })
}

fn is_chart_address(text: &str) -> bool {
    let rest = ["oci://", "http://", "https://"].into_iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| is_word(rest) && !rest.contains(['@', '?', '#']))
}

fn is_gateway_glob(text: &str) -> bool {
    let mut parts = text.split('/');
    let mut part = || parts.next().is_some_and(|part| !part.is_empty());
    is_word(text) && part() && part() && parts.next().is_none()
}

fn is_spec_path(text: &str) -> bool {
    text.split('.').next() == Some("spec") && is_field_path(text)
}

fn is_field_path(text: &str) -> bool {
    text.split('.').all(|field| !field.is_empty() && has_only(field, &[]))
}

fn is_release(text: &str) -> bool {
    let text = text.strip_prefix('v').unwrap_or(text);
    let (numbers, extra) =
        text.split_once('-').map_or((text, None), |(numbers, extra)| (numbers, Some(extra)));
    numbers.split('.').all(|number| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()))
        && extra.is_none_or(|extra| !extra.is_empty() && has_only(extra, &['-', '.']))
}

#[cfg(any(test, feature = "schema"))]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde_json::json;

    use super::{Argument, Text, TextRule};
    use crate::api::rules;

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
                "pattern": super::PRINTABLE,
                "x-kubernetes-validations": rules::ARGUMENT,
            })
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
