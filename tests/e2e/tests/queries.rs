//! What the autoscaler asks, answered by Prometheus itself: above all what "nothing" means.
//!
//! KEDA takes exactly one element, and with `ignoreNullValues: "false"` no element is an error.

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::text;
use e2e::promtool::{self, Model, composed};
use serde_json::{Value, json};

/// One state of the world, and what a query reads in it.
struct Case {
    trigger: &'static str,
    series: Vec<(String, &'static str)>,
    /// `None` = no element.
    reads: Option<f64>,
    reason: &'static str,
}

fn triggers(scenario: &str) -> Result<Vec<Value>> {
    let scaled_object = composed(scenario, "ScaledObject")?;
    let triggers = scaled_object.pointer("/spec/triggers").and_then(Value::as_array).cloned();
    triggers.context("the ScaledObject has no triggers")
}

/// One test of promtool's format: <https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/>.
fn test(case: &Case, query: &str) -> Value {
    let series: Vec<Value> =
        case.series.iter().map(|(series, values)| json!({"series": series, "values": values})).collect();
    let samples: Vec<Value> =
        case.reads.iter().map(|value| json!({"labels": "{}", "value": value})).collect();
    json!({
        "name": format!("{}: {}", case.trigger, case.reason),
        "interval": "15s",
        "input_series": series,
        "promql_expr_test": [{"expr": query, "eval_time": "15s", "exp_samples": samples}],
    })
}

fn check(scenario: &str, cases: &[Case]) -> Result<()> {
    let triggers = triggers(scenario)?;
    let mut asked = Vec::new();
    let tests = cases.iter().map(|case| {
        let trigger = triggers.iter().find(|trigger| text(trigger, "/name") == case.trigger);
        let trigger = trigger.with_context(|| format!("{scenario} has no trigger {}", case.trigger))?;
        ensure!(
            text(trigger, "/metadata/ignoreNullValues") == "false",
            "{}: nothing must be an error",
            case.trigger
        );
        asked.push(case.trigger);
        Ok(test(case, text(trigger, "/metadata/query")))
    });
    let tests = tests.collect::<Result<Vec<_>>>()?;
    for trigger in &triggers {
        let name = text(trigger, "/name");
        ensure!(asked.contains(&name), "no case asks the trigger {name} of {scenario}");
    }

    promtool::test(None, &tests)
}

#[test]
fn from_one_replica_on_a_broken_scrape_is_an_error_and_not_a_quiet_model() -> Result<()> {
    let qwen = Model::of("team-a", "qwen");
    let usage = "vllm:kv_cache_usage_perc";
    check(
        "autoscaled/xr.yaml",
        &[
            Case {
                trigger: "kv-cache",
                series: vec![(qwen.engine(usage, "a"), "0.5 0.5"), (qwen.engine(usage, "b"), "0.25 0.25")],
                reads: Some(0.75),
                reason: "the sum over the replicas",
            },
            Case {
                trigger: "kv-cache",
                series: vec![
                    (qwen.engine(usage, "a"), "0.5 0.5"),
                    (Model::of("team-b", "qwen").engine(usage, "a"), "1 1"),
                    (Model::of("team-a", "llama").engine(usage, "a"), "1 1"),
                ],
                reads: Some(0.5),
                reason: "nobody else's series count",
            },
            Case {
                trigger: "kv-cache",
                series: vec![(qwen.engine(usage, "a"), "0 0")],
                reads: Some(0.0),
                reason: "a quiet engine says zero",
            },
            Case {
                trigger: "kv-cache",
                series: vec![(qwen.engine("up", "a"), "0 0")],
                reads: None,
                reason: "an engine that cannot be scraped says nothing",
            },
            Case {
                trigger: "kv-cache",
                series: vec![],
                reads: None,
                reason: "nor does one that nobody scrapes",
            },
        ],
    )
}

#[test]
fn at_zero_replicas_asleep_reads_zero_and_blind_reads_what_runs() -> Result<()> {
    let owl = Model::of("team-a", "night-owl");
    let waiting = "vllm:num_requests_waiting";
    let queue = |value| {
        (owl.picker("inference_extension_flow_control_queue_size", r#",inference_pool="night-owl""#), value)
    };
    let running = |value| (owl.picker("inference_objective_running_requests", r#",model_name="m""#), value);
    let picker_up = |value| (owl.picker("up", ""), value);
    let case = |trigger, series, reads, reason| Case { trigger, series, reads, reason };
    check(
        "scale-to-zero/xr.yaml",
        &[
            case("queue-depth", vec![], Some(0.0), "no replica, no target: asleep"),
            case(
                "queue-depth",
                vec![(owl.engine("up", "a"), "1 1"), (owl.engine(waiting, "a"), "4 4")],
                Some(4.0),
                "awake and scraped",
            ),
            case(
                "queue-depth",
                vec![(owl.engine("up", "a"), "0 0"), (owl.engine("up", "b"), "0 0")],
                Some(6.0),
                "two replicas that cannot be read: two are wanted, at three each",
            ),
            case("picker-queue", vec![picker_up("1 1")], Some(0.0), "no request yet, so no series"),
            case("picker-queue", vec![picker_up("1 1"), queue("2 2")], Some(2.0), "two requests wait"),
            case(
                "picker-queue",
                vec![picker_up("1 1"), (owl.engine("up", "a"), "1 1")],
                Some(0.0),
                "the picker knows that nobody waits, however many replicas there are",
            ),
            case(
                "picker-queue",
                vec![picker_up("0 0"), (owl.engine("up", "a"), "1 1"), (owl.engine("up", "b"), "0 0")],
                Some(2.0),
                "the picker cannot be read: as many replicas as there are, ready or not",
            ),
            case(
                "picker-queue",
                vec![(owl.engine("up", "a"), "1 1")],
                Some(1.0),
                "nor where nobody scrapes it",
            ),
            case(
                "picker-queue",
                vec![picker_up("0 0")],
                None,
                "asleep and blind: an error, which wakes nobody",
            ),
            case("picker-queue", vec![], None, "the same where nobody scrapes the picker"),
            case("picker-running", vec![picker_up("1 1")], Some(0.0), "no request yet, so no series"),
            case("picker-running", vec![picker_up("1 1"), running("17 17")], Some(17.0), "seventeen run"),
            case(
                "picker-running",
                vec![picker_up("0 0"), (owl.engine("up", "a"), "1 1"), (owl.engine("up", "b"), "1 1")],
                Some(32.0),
                "two replicas, at sixteen each",
            ),
            case("picker-running", vec![picker_up("0 0")], None, "asleep and blind"),
        ],
    )
}
