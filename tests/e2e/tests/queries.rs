//! What the autoscaler asks, answered by Prometheus itself: above all what "nothing" means.
//!
//! KEDA takes exactly one element, and with `ignoreNullValues: "false"` no element is an error.

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::text;
use e2e::promtool::{self, Model, composed, composed_with};
use serde_json::{Value, json};

/// A series, and its values at two scrapes.
type Sample = (String, &'static str);

/// One state of the world, and what a query reads in it.
struct Case {
    trigger: &'static str,
    series: Vec<Sample>,
    /// `None` = no element.
    reads: Option<f64>,
    reason: &'static str,
}

fn triggers(scaled_object: &Value) -> Result<Vec<Value>> {
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
        // To the digits that KEDA keeps.
        "promql_expr_test": [
            {"expr": format!("round({query}, 0.001)"), "eval_time": "15s", "exp_samples": samples},
        ],
    })
}

fn check(scenario: &str, cases: &[Case]) -> Result<()> {
    check_triggers(scenario, &triggers(&composed(scenario, "ScaledObject")?)?, cases)
}

fn check_triggers(scenario: &str, triggers: &[Value], cases: &[Case]) -> Result<()> {
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
    for trigger in triggers {
        let name = text(trigger, "/name");
        ensure!(asked.contains(&name), "no case asks the trigger {name} of {scenario}");
    }

    promtool::test(None, &tests)
}

#[test]
fn from_one_replica_on_a_broken_scrape_is_an_error_and_not_a_quiet_model() -> Result<()> {
    let qwen = Model::of("team-a", "qwen");
    let usage = "vllm:kv_cache_usage_perc";
    let works = |pod| (qwen.engine("vllm:num_requests_running", pod), "4 4");
    check(
        "autoscaled/xr.yaml",
        &[
            Case {
                trigger: "kv-cache",
                series: vec![
                    (qwen.engine(usage, "a"), "0.5 0.5"),
                    (qwen.engine(usage, "b"), "0.25 0.25"),
                    works("a"),
                    works("b"),
                ],
                reads: Some(0.75),
                reason: "the sum over the replicas",
            },
            Case {
                trigger: "kv-cache",
                series: vec![
                    (qwen.engine(usage, "a"), "0.5 0.5"),
                    works("a"),
                    (Model::of("team-b", "qwen").engine(usage, "a"), "1 1"),
                    (Model::of("team-a", "llama").engine(usage, "a"), "1 1"),
                ],
                reads: Some(0.5),
                reason: "nobody else's series count",
            },
            Case {
                trigger: "kv-cache",
                series: vec![
                    (qwen.engine(usage, "a"), "0.002 0.002"),
                    (qwen.engine("vllm:num_requests_running", "a"), "0 0"),
                ],
                reads: Some(0.0),
                reason: "an idle engine is empty, whatever it counts of its own",
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
            Case { trigger: "full-engines", series: vec![], reads: None, reason: "nor that it is empty" },
        ],
    )
}

/// Requests of one replica that took at most a second, that took at most 2.5, and those that took longer, each cumulated,
/// at two scrapes.
fn first_tokens(model: &Model, pod: &str, [second, more, all]: [&'static str; 3]) -> Vec<Sample> {
    histogram(model, "vllm:time_to_first_token_seconds", pod, [("1.0", second), ("2.5", more), ("+Inf", all)])
}

/// The same of tokens, of 50 ms and 75 ms.
fn next_tokens(model: &Model, metric: &str, pod: &str, [first, more, all]: [&'static str; 3]) -> Vec<Sample> {
    histogram(model, metric, pod, [("0.05", first), ("0.075", more), ("+Inf", all)])
}

fn histogram(model: &Model, metric: &str, pod: &str, buckets: [(&str, &'static str); 3]) -> Vec<Sample> {
    let bucket = |edge: &str| {
        let series = model.engine(&format!("{metric}_bucket"), pod);
        series.replace('}', &format!(r#",le="{edge}"}}"#))
    };
    let count = (model.engine(&format!("{metric}_count"), pod), buckets[2].1);
    buckets.iter().map(|(edge, values)| (bucket(edge), *values)).chain([count]).collect()
}

#[test]
fn a_latency_is_a_percentile_of_all_replicas_and_zero_without_requests() -> Result<()> {
    let swift = Model::of("team-a", "swift");
    let kept = ["0 95", "0 100", "0 100"];
    let waiting = "vllm:num_requests_waiting";
    let [now, before] = ["vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"];
    let case = |trigger, series, reads, reason| Case { trigger, series, reads, reason };
    let first =
        |series: &[Vec<Sample>], reads, reason| case("time-to-first-token", series.concat(), reads, reason);
    let next =
        |series: &[Vec<Sample>], reads, reason| case("inter-token-latency", series.concat(), reads, reason);
    check(
        "latency/xr.yaml",
        &[
            first(&[first_tokens(&swift, "a", kept)], Some(1000.0), "at an edge it is exact"),
            first(&[first_tokens(&swift, "a", ["0 90", "0 100", "0 100"])], Some(1750.0), "missed by some"),
            first(
                &[
                    first_tokens(&swift, "a", ["0 100", "0 100", "0 100"]),
                    first_tokens(&swift, "b", ["0 80", "0 100", "0 100"]),
                ],
                Some(1750.0),
                "of the requests to all replicas",
            ),
            first(
                &[
                    first_tokens(&swift, "a", kept),
                    first_tokens(&Model::of("team-a", "llama"), "a", ["0 0", "0 0", "0 9"]),
                    first_tokens(&Model::of("team-b", "swift"), "a", ["0 0", "0 0", "0 9"]),
                ],
                Some(1000.0),
                "nobody else's requests count",
            ),
            first(
                &[first_tokens(&swift, "a", ["9 9", "9 9", "9 9"])],
                Some(0.0),
                "no request any more: no number",
            ),
            first(&[first_tokens(&swift, "a", ["0 0", "0 0", "0 0"])], Some(0.0), "never a request"),
            first(&[first_tokens(&swift, "a", ["_ 0", "_ 0", "_ 0"])], Some(0.0), "scraped once"),
            first(&[first_tokens(&swift, "a", ["9 stale", "9 stale", "9 stale"])], None, "scraped no more"),
            first(&[vec![(swift.engine("up", "a"), "0 0")]], None, "an engine that cannot be scraped"),
            first(&[], None, "nor is one that nobody scrapes zero"),
            next(
                &[next_tokens(&swift, now, "a", kept)],
                Some(50.0),
                "milliseconds, as precise as seconds are not",
            ),
            next(&[next_tokens(&swift, before, "a", kept)], Some(50.0), "by its former name"),
            next(
                &[
                    next_tokens(&swift, now, "a", kept),
                    next_tokens(&swift, before, "a", ["0 0", "0 100", "0 100"]),
                ],
                Some(50.0),
                "vLLM v0.11 has both",
            ),
            next(&[next_tokens(&swift, before, "a", ["0 0", "0 0", "0 0"])], Some(0.0), "never a token"),
            next(&[], None, "nobody scrapes it"),
            case("queue-depth", vec![(swift.engine(waiting, "a"), "4 4")], Some(4.0), "what waits"),
            case("queue-depth", vec![], None, "nobody scrapes it"),
            case(
                "full-engines",
                [engine(&swift, "a", "0.5 0.5", "9 9"), engine(&swift, "b", "0.75 0.75", "9 9")].concat(),
                Some(1.2),
                "each at most as full as it may be when another one goes",
            ),
            case("full-engines", vec![], None, "nobody scrapes them"),
        ],
    )
}

/// An engine's cache, and the requests that it works on.
fn engine(model: &Model, pod: &str, cache: &'static str, running: &'static str) -> Vec<Sample> {
    vec![
        (model.engine("vllm:kv_cache_usage_perc", pod), cache),
        (model.engine("vllm:num_requests_running", pod), running),
    ]
}

#[test]
fn an_engine_is_as_full_as_its_cache_or_its_batch_and_empty_when_idle() -> Result<()> {
    let qwen = Model::of("team-a", "qwen");
    let one = |cache, running| engine(&qwen, "a", cache, running);
    let up = |pod, values| (qwen.engine("up", pod), values);
    let full = |series, reads, reason| Case { trigger: "full-engines", series, reads, reason };
    let cases = [
        full(one("0.5 0.5", "64 64"), Some(0.5), "its cache, where that is fuller"),
        full(one("0.125 0.125", "64 64"), Some(0.25), "its batch of 256, where that is"),
        full(one("0.25 0.25", "64 64"), Some(0.25), "both alike, and counted once"),
        full(one("1 1", "64 64"), Some(0.9), "never fuller than it may be"),
        full(one("0.125 0.125", "1024 1024"), Some(0.9), "nor by a batch that is larger than we know"),
        full(one("0.002 0.002", "0 0"), Some(0.0), "idle: the block that it counts of its own is nothing"),
        full(one("0 0", "1 1"), Some(0.004), "a single request is something"),
        full(one("_ _", "64 64"), Some(0.25), "without a series for its cache"),
        full(
            [one("0.5 0.5", "64 64"), engine(&qwen, "b", "0.125 0.125", "128 128")].concat(),
            Some(1.0),
            "each by its own",
        ),
        full(
            [
                one("0.5 0.5", "64 64"),
                engine(&Model::of("team-b", "qwen"), "a", "1 1", "9 9"),
                engine(&Model::of("team-a", "llama"), "a", "1 1", "9 9"),
            ]
            .concat(),
            Some(0.5),
            "nobody else's count",
        ),
        full(
            [one("0.5 0.5", "64 64"), vec![up("a", "1 1"), up("b", "0 0"), up("c", "0 0")]].concat(),
            Some(2.3),
            "two that cannot be read may be full",
        ),
        full(
            [one("0.002 0.002", "0 0"), vec![up("a", "1 1"), up("b", "1 1")]].concat(),
            Some(0.0),
            "two that can be read, and are idle",
        ),
        full(vec![up("a", "0 0")], None, "none that can be scraped"),
        full(vec![], None, "one that nobody scrapes"),
    ];
    let by_queue = composed_with(
        "autoscaled/xr.yaml",
        &[("spec.scaling.metric", json!("queue-depth"))],
        "ScaledObject",
    )?;
    let triggers = triggers(&by_queue)?;
    let triggers: Vec<Value> =
        triggers.into_iter().filter(|trigger| text(trigger, "/name") == "full-engines").collect();
    check_triggers("autoscaled, by its queue", &triggers, &cases)
}

#[test]
fn a_model_that_may_sleep_keeps_what_runs_while_its_latency_cannot_be_read() -> Result<()> {
    let swift = Model::of("team-a", "swift");
    // What as many replicas as there are would read.
    let two = [
        ("time-to-first-token", 1000.0),
        ("inter-token-latency", 50.0),
        ("queue-depth", 6.0),
        ("full-engines", 1.4),
    ];
    let cases = two.map(|(trigger, reads)| {
        let targets = ["a", "b"].map(|pod| (swift.engine("up", pod), "1 1"));
        [
            Case { trigger, series: vec![], reads: Some(0.0), reason: "no replica, no target: asleep" },
            Case {
                trigger,
                series: targets.to_vec(),
                reads: Some(reads),
                reason: "replicas that say nothing",
            },
        ]
    });
    let sleeper = composed_with("latency/xr.yaml", &[("spec.minReplicas", json!(0))], "ScaledObject")?;
    check_triggers("latency, asleep", &triggers(&sleeper)?, cases.as_flattened())
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
            case("full-engines", vec![], Some(0.0), "no replica, no target: asleep"),
            case(
                "full-engines",
                [engine(&owl, "a", "0.002 0.002", "0 0"), vec![(owl.engine("up", "a"), "1 1")]].concat(),
                Some(0.0),
                "idle, so it may sleep",
            ),
            case(
                "full-engines",
                [engine(&owl, "a", "0 0", "1 1"), vec![(owl.engine("up", "a"), "1 1")]].concat(),
                Some(0.004),
                "busy, however little: it stays awake",
            ),
            case(
                "full-engines",
                vec![(owl.engine("up", "a"), "0 0"), (owl.engine("up", "b"), "0 0")],
                Some(1.8),
                "two replicas that cannot be read are both wanted",
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

/// Its series have names of their own, and it writes those of its predecessor beside them.
#[test]
fn a_picker_of_llm_d_is_asked_by_its_own_names_and_counted_once() -> Result<()> {
    // As a `PodMonitor` labels them.
    let series = |metric: &str, more: &str| {
        let model = r#"namespace="team-a",inference_devopstoolkit_ai_model="nightowl""#;
        format!(r#"{metric}{{{model},job="team-a/nightowl-epp"{more}}}"#)
    };
    let up = || (series("up", ""), "1 1");
    let both =
        |own, former, more, values| vec![up(), (series(own, more), values), (series(former, more), values)];
    let [own, former] = ["llm_d_epp_flow_control_queue_size", "inference_extension_flow_control_queue_size"];
    let waiting = both(own, former, r#",inference_pool="nightowl""#, "3 3");
    let [own, former] = ["llm_d_epp_request_running", "inference_objective_running_requests"];
    let running = both(own, former, "", "20 20");
    let case = |trigger, series, reads, reason| Case { trigger, series, reads, reason };
    check(
        "picker-llm-d-v0.10/xr.yaml",
        &[
            case("queue-depth", vec![], Some(0.0), "asleep"),
            case("full-engines", vec![], Some(0.0), "asleep"),
            case("picker-queue", waiting, Some(3.0), "three requests wait"),
            case("picker-queue", vec![up()], Some(0.0), "no request yet"),
            case("picker-running", running, Some(20.0), "twenty run"),
        ],
    )
}
