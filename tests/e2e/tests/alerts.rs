//! Alerts, evaluated by Prometheus' own tool over hours of made-up series: what raises each, and above all what does not.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::text;
use e2e::promtool::{self, Model, composed};
use serde_json::{Value, json};

type Series = (String, &'static str);

/// A stretch of time, and what is raised in it.
struct Case {
    series: Vec<Series>,
    /// Alerts that are there in the end, with the minute at which they are for the first time. No other ever is.
    raised: &'static [(&'static str, &'static str)],
    /// When it is looked at in the end.
    end: &'static str,
    reason: &'static str,
}

/// The rules of an example, as its `PrometheusRule` has them.
fn rules(scenario: &str) -> Result<Value> {
    let found = composed(scenario, "PrometheusRule")?;
    found.pointer("/spec").cloned().context("the PrometheusRule has no spec")
}

/// One test of promtool's format for each case: every alert of the group is asked for at the end, and those that are
/// raised at their time too, and a minute before.
///
/// Each alert that is told of has to be raised by some case.
fn check(scenario: &str, about: &[&str], cases: &[Case]) -> Result<()> {
    let rules = rules(scenario)?;
    promtool::check(&rules)?;
    let known = rules.pointer("/groups/0/rules").and_then(Value::as_array).context("no rules")?;
    let mut raised = BTreeSet::new();
    let tests = cases.iter().map(|case| {
        let mut asked = Vec::new();
        for rule in known {
            let name = text(rule, "/alert");
            let there = case.raised.iter().find(|(raised, _)| *raised == name);
            if let Some((_, since)) = there {
                raised.insert(name);
                asked.push((name, format!("{}m", minutes(since)? - 1), false));
                asked.push((name, (*since).to_owned(), true));
            }
            asked.push((name, case.end.to_owned(), there.is_some()));
        }
        let groups = asked.into_iter().map(|(name, at, there)| {
            // However many replicas it is raised for. What is not to be there never was.
            let firing = format!(r#"ALERTS{{alertname="{name}",alertstate="firing"}}"#);
            let query = if there {
                format!("count({firing}) > bool 0")
            } else {
                format!("count(count_over_time({firing}[1d]))")
            };
            let samples = if there { vec![json!({"labels": "{}", "value": 1})] } else { vec![] };
            json!({"expr": query, "eval_time": at, "exp_samples": samples})
        });
        let series: Vec<Value> =
            case.series.iter().map(|(series, values)| json!({"series": series, "values": values})).collect();
        Ok(json!({
            "name": case.reason,
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": groups.collect::<Vec<_>>(),
        }))
    });
    let tests = tests.collect::<Result<Vec<_>>>()?;
    promtool::test(Some(&rules), &tests)?;
    for name in about {
        ensure!(raised.contains(name), "no case of {scenario} raises {name}");
    }
    Ok(())
}

fn minutes(time: &str) -> Result<u32> {
    time.strip_suffix('m').and_then(|minutes| minutes.parse().ok()).context("not in minutes")
}

/// `autoscaled`: one to eight replicas by the KV cache, a cold start of ten minutes, no picker.
#[test]
fn a_model_that_may_not_sleep_is_missed() -> Result<()> {
    let qwen = Model::of("team-a", "qwen");
    let cache = |pod, values| (qwen.engine("vllm:kv_cache_usage_perc", pod), values);
    let waiting = |pod, values| (qwen.engine("vllm:num_requests_waiting", pod), values);
    let up = |pod, values| (qwen.engine("up", pod), values);
    check(
        "autoscaled/xr.yaml",
        &[
            "InferenceReplicaNotAnswering",
            "InferenceModelGone",
            "InferenceModelUnavailable",
            "InferenceScalingSeriesMissing",
            "InferenceRequestsWaiting",
            "InferenceCacheFull",
            "InferencePreemptions",
        ],
        &[
            Case {
                series: vec![
                    up("a", "0x8 1x120"),
                    up("b", "_x60 0x8 1x50"),
                    cache("a", "_x8 0.9x120"),
                    waiting("a", "_x8 20x120"),
                    (qwen.engine("vllm:num_preemptions_total", "a"), "_x8 0+4x120"),
                ],
                raised: &[],
                end: "120m",
                reason: "busy, and a replica more: nobody is told of what takes no longer than it may",
            },
            Case {
                series: vec![up("a", "1x120"), cache("a", "0.1x120"), up("b", "_x30 0x90")],
                raised: &[("InferenceReplicaNotAnswering", "40m")],
                end: "120m",
                reason: "a replica that does not start, or that nobody reaches",
            },
            Case {
                series: vec![up("a", "1x30 0x90"), cache("a", "0.1x30 _x90")],
                raised: &[
                    ("InferenceModelGone", "33m"),
                    ("InferenceModelUnavailable", "41m"),
                    ("InferenceReplicaNotAnswering", "41m"),
                ],
                end: "43m",
                reason: "the only replica stops to answer",
            },
            Case {
                series: vec![up("a", "1x30 stale"), cache("a", "0.1x30 stale")],
                raised: &[("InferenceModelGone", "33m"), ("InferenceModelUnavailable", "41m")],
                end: "44m",
                reason: "all pods are gone",
            },
            Case {
                series: vec![],
                raised: &[("InferenceModelUnavailable", "10m")],
                end: "60m",
                reason: "Prometheus never finds it",
            },
            Case {
                series: vec![up("a", "1x60"), waiting("a", "0x60")],
                raised: &[("InferenceScalingSeriesMissing", "5m")],
                end: "60m",
                reason: "an engine that calls its KV cache otherwise",
            },
            Case {
                series: vec![up("a", "1x60"), cache("a", "0x60"), waiting("a", "0x10 25x50")],
                raised: &[("InferenceRequestsWaiting", "21m")],
                end: "60m",
                reason: "more than three for each of eight replicas, for a cold start",
            },
            Case {
                series: vec![
                    up("a", "1x60"),
                    up("b", "1x60"),
                    cache("a", "0.5x10 0.97x50"),
                    cache("b", "0.5x10 0.96x50"),
                    (qwen.engine("vllm:num_preemptions_total", "a"), "0x10 0+12x50"),
                ],
                raised: &[("InferenceCacheFull", "21m"), ("InferencePreemptions", "24m")],
                end: "60m",
                reason: "no room in any cache",
            },
            Case {
                series: vec![
                    up("a", "1x60"),
                    cache("a", "0.5x60"),
                    (Model::of("team-b", "qwen").engine("up", "a"), "0x60"),
                ],
                raised: &[],
                end: "60m",
                reason: "another team's model of that name",
            },
        ],
    )
}

/// The model of `scale-to-zero`: none to two replicas by the queues of engines and picker, a cold start of four minutes.
const OWL: Model = Model::of("team-a", "night-owl");

fn picker_up(values: &'static str) -> Series {
    (OWL.picker("up", ""), values)
}

fn up(values: &'static str) -> Series {
    (OWL.engine("up", "a"), values)
}

fn waiting(values: &'static str) -> Series {
    (OWL.engine("vllm:num_requests_waiting", "a"), values)
}

fn queue(values: &'static str) -> Series {
    (OWL.picker("inference_extension_flow_control_queue_size", r#",inference_pool="night-owl""#), values)
}

fn running(values: &'static str) -> Series {
    (OWL.picker("inference_objective_running_requests", r#",model_name="m""#), values)
}

fn requests(values: &'static str) -> Series {
    (OWL.picker("inference_objective_request_total", r#",model_name="m""#), values)
}

fn errors(code: &str, values: &'static str) -> Series {
    let more = format!(r#",model_name="m",error_code="{code}""#);
    (OWL.picker("inference_objective_request_error_total", &more), values)
}

#[test]
fn a_model_that_sleeps_is_not_missed() -> Result<()> {
    check(
        "scale-to-zero/xr.yaml",
        &[
            "InferenceReplicaNotAnswering",
            "InferenceRequestsHeld",
            "InferencePickerNotScraped",
            "InferenceEnginesNotScraped",
            "InferenceScalingSeriesMissing",
            "InferenceRequestsWaiting",
        ],
        &[
            Case {
                series: vec![picker_up("1x600")],
                raised: &[],
                end: "600m",
                reason: "asleep for hours, and never asked",
            },
            Case {
                series: vec![
                    picker_up("1x120"),
                    queue("0x30 1x4 0x86"),
                    running("0x30 1x10 0x80"),
                    requests("0x34 1x86"),
                    up("_x31 0x3 1x20 stale"),
                    waiting("_x34 0x20 stale"),
                ],
                raised: &[],
                end: "60m",
                reason: "woken, answered, and asleep again",
            },
            Case {
                series: vec![picker_up("1x120"), up("1x30 stale"), waiting("0x30 stale")],
                raised: &[],
                end: "34m",
                reason: "it falls asleep: its replica ends",
            },
            Case {
                series: vec![picker_up("1x120"), up("_x10 0x60"), queue("0x10 2x60")],
                raised: &[("InferenceReplicaNotAnswering", "14m"), ("InferenceRequestsHeld", "16m")],
                end: "60m",
                reason: "woken, but the replica does not come up",
            },
            Case {
                series: vec![
                    picker_up("1x60"),
                    up("_x10 0x2 1x47"),
                    waiting("_x13 0x47"),
                    queue("0x10 2x50"),
                ],
                raised: &[("InferenceRequestsHeld", "16m")],
                end: "60m",
                reason: "awake, and requests wait without a pause",
            },
            Case {
                series: vec![picker_up("1x10 0x50")],
                raised: &[("InferencePickerNotScraped", "16m")],
                end: "60m",
                reason: "a picker that cannot be read wakes nobody",
            },
            Case {
                series: vec![],
                raised: &[("InferencePickerNotScraped", "5m")],
                end: "60m",
                reason: "nor one that nobody scrapes",
            },
            Case {
                series: vec![picker_up("1x60"), running("0x10 3x50")],
                raised: &[("InferenceEnginesNotScraped", "15m")],
                end: "60m",
                reason: "busy replicas that nobody scrapes",
            },
            Case {
                series: vec![picker_up("1x60"), up("1x60")],
                raised: &[("InferenceScalingSeriesMissing", "5m")],
                end: "60m",
                reason: "an engine without the queue's series",
            },
            Case {
                series: vec![picker_up("1x60"), up("1x60"), waiting("0x10 7x50")],
                raised: &[("InferenceRequestsWaiting", "15m")],
                end: "60m",
                reason: "more than three for each of two replicas",
            },
        ],
    )
}

#[test]
fn requests_that_fail_are_told_of_and_those_that_are_shed_are_not() -> Result<()> {
    check(
        "scale-to-zero/xr.yaml",
        &[
            "InferenceErrorRatioHigh",
            "InferenceErrorRatioCritical",
            "InferenceCacheFull",
            "InferencePreemptions",
        ],
        &[
            Case {
                series: vec![
                    picker_up("1x60"),
                    requests("0+90x60"),
                    errors("ModelServerError", "0+10x60"),
                    errors("ResourceExhausted", "0+1000x60"),
                ],
                raised: &[("InferenceErrorRatioHigh", "11m")],
                end: "60m",
                reason: "one in ten fails, and what is shed does not count",
            },
            Case {
                series: vec![picker_up("1x60"), errors("ServiceUnavailable", "0+10x60")],
                raised: &[("InferenceErrorRatioHigh", "11m"), ("InferenceErrorRatioCritical", "6m")],
                end: "60m",
                reason: "the picker refuses everything, and hands on nothing",
            },
            Case {
                series: vec![
                    picker_up("1x60"),
                    requests("0+100x60"),
                    errors("InferencePoolResourceExhausted", "0+60x60"),
                    errors("BadRequest", "0+60x60"),
                ],
                raised: &[],
                end: "60m",
                reason: "what is shed, and what is the client's fault",
            },
            Case {
                series: vec![
                    picker_up("1x60"),
                    up("1x60"),
                    waiting("0x60"),
                    (OWL.engine("vllm:kv_cache_usage_perc", "a"), "1x60"),
                    (OWL.engine("vllm:num_preemptions_total", "a"), "0+12x60"),
                ],
                raised: &[("InferenceCacheFull", "10m"), ("InferencePreemptions", "13m")],
                end: "60m",
                reason: "no room in its cache",
            },
        ],
    )
}

/// `picker-llm-d-v0.10`: scraped by `PodMonitor`s, and the picker lets requests expire.
#[test]
fn requests_that_waited_in_vain_are_told_of() -> Result<()> {
    let picker = |metric: &str, more: &str| {
        format!(
            r#"{metric}{{namespace="team-a",inference_devopstoolkit_ai_model="nightowl",job="team-a/nightowl-epp"{more}}}"#
        )
    };
    let ended = |outcome: &str, values| {
        let metric = "llm_d_epp_flow_control_request_queue_duration_seconds_count";
        (picker(metric, &format!(r#",inference_pool="nightowl",outcome="{outcome}""#)), values)
    };
    let up = || (picker("up", ""), "1x60");
    let cases = [
        Case {
            series: vec![up(), ended("EvictedTTL", "0x30 2x30")],
            raised: &[("InferenceRequestsExpired", "31m")],
            end: "35m",
            reason: "nobody took them in time",
        },
        Case {
            series: vec![up(), ended("Dispatched", "0+9x60"), ended("EvictedContextCancelled", "0+9x60")],
            raised: &[],
            end: "60m",
            reason: "answered, or the client went away",
        },
    ];
    check("picker-llm-d-v0.10/xr.yaml", &["InferenceRequestsExpired"], &cases)
}

/// Every alert that people are told of in `docs/monitoring.md` is raised by a case of this file.
#[test]
fn no_alert_is_left_out() {
    let page = include_str!("../../../docs/monitoring.md");
    let told =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(alert, _)| alert);
    let here = include_str!("alerts.rs");
    let left_out: Vec<&str> = told.filter(|alert| !here.contains(&format!("(\"{alert}\", \""))).collect();
    assert_eq!(left_out, [""; 0]);
}
