//! Single values that are numbers, durations or quantities.
//!
//! A type carries its bounds once: its schema and its reader both take them from here.

use serde_json_borrow::Value;

use super::problem::Problems;
use super::reading::{Node, Read};
use super::shape::Shape;
use super::values::Duration;

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
fn whole(value: &Value<'_>) -> Option<i64> {
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
            node.refuse(problems, "must be a quantity above 0 and below 8Ei, with at most three digits after the point, such as 2, 500m or 16Gi");
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

#[cfg(any(test, feature = "schema"))]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Int, Memory, Quantity, Real, RealRule, Span};
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
            // The API server truncates a bound when the value has no fraction: 0 passes for a minimum of 0.001
            // (kube-openapi, `pkg/validation/validate/values.go`). The rule does not.
            json_schema!({
                "type": "number",
                "minimum": R::MIN,
                "maximum": R::MAX,
                "x-kubernetes-validations": [{
                    "rule": format!("self >= {:?} && self <= {:?}", R::MIN, R::MAX),
                    "message": format!("must be a number from {} to {}", R::MIN, R::MAX),
                }],
            })
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
                "x-kubernetes-validations": rules::QUANTITY,
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
            let mut schema = Quantity::json_schema(generator);
            schema.insert("x-kubernetes-validations".to_owned(), serde_json::json!(rules::MEMORY));
            schema
        }
    }
}
