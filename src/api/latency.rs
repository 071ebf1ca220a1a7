//! Latency objectives: what may be promised of an engine whose histograms have buckets.

use std::marker::PhantomData;

use super::llm_inference::LatencyObjective as Written;
use super::problem::Problems;
use super::reading::{Node, Read};
use super::settings::LatencyObjective;
use super::shape::Shape;
use super::values::Duration;

const DEFAULT_PERCENTILE: f64 = 0.9;

/// A longest latency: an edge of the engine's buckets.
///
/// Of a bucket's requests nobody knows where in it they are, and Prometheus spreads them evenly: only at an edge it says
/// for sure which part of them kept an objective. The last edge is none, since a percentile never reads more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Longest<R>(pub(super) Duration, PhantomData<R>);

/// The edges of one histogram.
pub(super) trait Edges {
    /// In milliseconds, from the shortest on.
    const EDGES: &'static [u64];
}

/// `vllm:time_to_first_token_seconds` (vllm-project/vllm v0.11 to v0.27, `vllm/v1/metrics/loggers.py`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FirstToken;

impl Edges for FirstToken {
    const EDGES: &'static [u64] = &[
        1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000, 20_000, 40_000,
        80_000, 160_000, 640_000,
    ];
}

/// `vllm:inter_token_latency_seconds`, and `vllm:time_per_output_token_seconds` before it (the same file).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NextToken;

impl Edges for NextToken {
    const EDGES: &'static [u64] = &[
        10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000, 20_000, 40_000,
    ];
}

impl<R: Edges> Read for Longest<R> {
    const SHAPE: &'static Shape = &Shape::Leaf;

    fn read(node: Node<'_>, problems: &mut Problems) -> Option<Self> {
        let edge = Duration::from_millis;
        let Some(value) = node.value.as_str().and_then(Duration::parse) else {
            node.refuse(problems, "must be a duration, such as 50ms or 2s500ms");
            return None;
        };
        let millis = value.as_millis();
        let below = R::EDGES.iter().rfind(|edge| **edge <= millis).copied();
        let above = R::EDGES.iter().find(|edge| **edge >= millis).copied();
        let nearest = match (below, above) {
            (Some(below), Some(above)) if below == above => return Some(Self(value, PhantomData)),
            (Some(below), Some(above)) => format!("{} or {}", edge(below), edge(above)),
            (Some(only), None) | (None, Some(only)) => edge(only).to_string(),
            (None, None) => return None,
        };
        node.refuse(
            problems,
            format!(
                "must be {nearest}: only at the edges of its buckets an engine says who kept an objective"
            ),
        );
        None
    }
}

/// The objective in effect, each part of it the author's, else the platform's.
///
/// Nothing where nothing is promised.
pub(super) fn settle(written: Option<Written>, default: Option<Written>) -> Option<LatencyObjective> {
    let Written { time_to_first_token, inter_token_latency, percentile } = written.unwrap_or_default();
    let default = default.unwrap_or_default();
    let objective = LatencyObjective {
        time_to_first_token: time_to_first_token.or(default.time_to_first_token).map(|longest| longest.0),
        inter_token_latency: inter_token_latency.or(default.inter_token_latency).map(|longest| longest.0),
        percentile: percentile.or(default.percentile).map_or(DEFAULT_PERCENTILE, |percentile| percentile.0),
    };
    let LatencyObjective { time_to_first_token, inter_token_latency, percentile: _ } = objective;
    time_to_first_token.or(inter_token_latency).map(|_| objective)
}

#[cfg(any(test, feature = "schema"))]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{Duration, Edges, Longest};

    impl<R: Edges> JsonSchema for Longest<R> {
        fn inline_schema() -> bool {
            true
        }
        fn schema_name() -> Cow<'static, str> {
            "Longest".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let list = |show: fn(String) -> String| {
                let edges = R::EDGES.iter().map(|edge| show(Duration::from_millis(*edge).to_string()));
                edges.collect::<Vec<_>>().join(", ")
            };
            json_schema!({
                "type": "string",
                "minLength": 2,
                "maxLength": 28,
                "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
                "x-kubernetes-validations": [{
                    "rule": format!("duration(self) in [{}]", list(|edge| format!("duration('{edge}')"))),
                    "message": format!("must be a duration of {}", list(|edge| edge)),
                }],
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::settings::{LatencyObjective, Metric};
    use crate::api::tests::{composite, input, problems, settings};
    use crate::api::values::Duration;

    #[test]
    fn an_objective_is_an_edge_of_the_engines_buckets() {
        let edges = ": only at the edges of its buckets an engine says who kept an objective";
        let cases = [
            ("timeToFirstToken", "2s", "must be 1s or 2s500ms", true, "between two"),
            ("timeToFirstToken", "21m", "must be 10m40s", true, "the last one never shows that it is missed"),
            ("interTokenLatency", "5ms", "must be 10ms", true, "below the first"),
            ("interTokenLatency", "20ms", "must be 10ms or 25ms", true, "the other histogram has this one"),
            (
                "interTokenLatency",
                "fast",
                "must be a duration, such as 50ms or 2s500ms",
                false,
                "no duration",
            ),
        ];
        for (field, value, want, is_edge, reason) in cases {
            let found = problems(
                composite(json!({"scaling": {"metric": "latency", "latency": {field: value}}})),
                None,
            );
            let want = format!(
                "spec.scaling.latency.{field} is {value:?}: {want}{}",
                if is_edge { edges } else { "" }
            );
            assert_eq!(found, [want], "{reason}");
        }
        for value in ["2500ms", "2s500ms"] {
            let scaling = json!({"metric": "latency", "latency": {"timeToFirstToken": value}});
            assert_eq!(problems(composite(json!({"scaling": scaling})), None), [""; 0], "{value}");
        }
    }

    #[test]
    fn each_part_of_the_objective_is_the_authors_or_the_platforms() {
        let platform = input(json!({"defaults": {"scaling": {"latency": {
            "timeToFirstToken": "1s", "interTokenLatency": "50ms", "percentile": 0.99,
        }}}}));
        let written = json!({"enabled": true, "metric": "latency", "latency": {"timeToFirstToken": "5s"}});
        let metric = settings(composite(json!({"scaling": written})), Some(platform)).scaling.unwrap().metric;
        let want = LatencyObjective {
            time_to_first_token: Some(Duration::from_seconds(5)),
            inter_token_latency: Some(Duration::from_millis(50)),
            percentile: 0.99,
        };
        assert_eq!(metric, Metric::Latency(want));
        let alone = settings(composite(json!({"scaling": written})), None).scaling.unwrap().metric;
        let want = LatencyObjective { inter_token_latency: None, percentile: 0.9, ..want };
        assert_eq!(alone, Metric::Latency(want));
    }

    #[test]
    fn latency_takes_an_objective_and_no_target() {
        let latency = |more: serde_json::Value| {
            let mut scaling = json!({"enabled": true, "metric": "latency"});
            crate::api::tests::merge(&mut scaling, more);
            composite(json!({"scaling": scaling}))
        };
        let objective = json!({"timeToFirstToken": "1s"});
        let missing = "must have timeToFirstToken or interTokenLatency where the metric is latency";
        assert_eq!(
            problems(latency(json!({})), None),
            [format!("spec.scaling.latency is missing: {missing}")]
        );
        assert_eq!(
            problems(latency(json!({"latency": {"percentile": 0.5}})), None),
            [format!("spec.scaling.latency is an object: {missing}")]
        );
        let no_target = "must be left out where the metric is latency, whose objective is in latency";
        assert_eq!(
            problems(latency(json!({"target": 3, "latency": objective})), None),
            [format!("spec.scaling.target is 3: {no_target}")]
        );

        let by_default = |scaling: serde_json::Value| input(json!({"defaults": {"scaling": scaling}}));
        let model = |scaling: serde_json::Value| composite(json!({"scaling": scaling}));
        assert_eq!(
            problems(
                model(json!({"enabled": true, "target": 3})),
                Some(by_default(json!({"metric": "latency", "latency": objective})))
            ),
            [format!("spec.scaling.target is 3: {no_target}")],
            "whoever chose the metric"
        );
        assert_eq!(
            problems(model(json!({})), Some(by_default(json!({"metric": "latency", "target": 3})))),
            [format!("Input spec.defaults.scaling.target is 3: {no_target}")]
        );
        let unused = "must be left out where the metric is another than latency";
        assert_eq!(
            problems(model(json!({"metric": "kv-cache", "latency": objective})), None),
            [format!("spec.scaling.latency is an object: {unused}")]
        );
        assert_eq!(
            problems(model(json!({"latency": objective})), None),
            [format!("spec.scaling.latency is an object: {unused}")],
            "the default is another one"
        );
        let both = by_default(json!({"metric": "kv-cache", "target": 0.5, "latency": objective}));
        assert_eq!(
            problems(model(json!({"enabled": true})), Some(both.clone())),
            [""; 0],
            "for those who ask for it"
        );
        assert_eq!(
            problems(latency(json!({})), Some(both)),
            [""; 0],
            "nor does another metric's target matter"
        );
    }
}
