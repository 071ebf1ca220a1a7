//! What the composed triggers make an autoscaler do: Kubernetes' own formula, over loads that grow and fall.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests; clippy.toml's allowance does not see functions beside them"
)]

mod hpa;
mod pool;

use std::path::Path;

use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::render::references::Rendered;
use function_inference::cli::render::{Preview, print};
use function_inference::cli::yaml::{self, Document};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use hpa::Hpa;
use pool::{Pool, Replica, Series};

/// How often the autoscaler looks: `--horizontal-pod-autoscaler-sync-period`.
const SYNC: u32 = 15;

const HOUR: u32 = 3600;

/// Milliseconds to the first token, and between tokens, of a request that is alone.
const ALONE: [f64; 2] = [200.0, 20.0];

/// How an author lets a model scale.
#[derive(Debug, Clone)]
struct Setting {
    metric: &'static str,
    target: Option<f64>,
    /// Milliseconds to the first token, and between tokens, where the metric is latency.
    objective: [Option<u32>; 2],
    min: u32,
    max: u32,
    /// Whether requests come through a picker that holds them.
    held: bool,
    cold_start: u32,
}

fn document(value: &Value) -> Document {
    let text = print::yaml(std::slice::from_ref(value)).unwrap();
    yaml::parse(Path::new("generated.yaml"), &text).unwrap().remove(0)
}

impl Setting {
    /// The `ScaledObject` that is composed for it.
    fn scaled_object(&self) -> Value {
        let Self { metric, target, objective, min, max, held, cold_start } = self;
        let mut scaling = json!({ "enabled": true, "metric": metric, "coldStart": format!("{cold_start}s") });
        if let Some(target) = target {
            scaling["target"] = json!(target);
        }
        for (field, value) in ["timeToFirstToken", "interTokenLatency"].into_iter().zip(objective) {
            if let Some(millis) = value {
                scaling["latency"][field] = format!("{millis}ms").into();
            }
        }
        let mut spec = json!({
            "model": "m", "providerConfigName": "p", "minReplicas": min, "maxReplicas": max, "scaling": scaling,
        });
        if *held {
            spec["host"] = json!("m.example.com");
        }
        let composite = json!({
            "apiVersion": "inference.devopstoolkit.ai/v1alpha1", "kind": "LLMInference",
            "metadata": { "name": "m", "namespace": "team-a" }, "spec": spec,
        });
        let input = json!({
            "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ModelStack",
            "spec": { "endpointPicker": { "flowControl": if *held { "Enabled" } else { "Auto" } } },
        });
        let preview =
            Preview::new(document(&composite), Pipeline::alone(Some(document(&input))), &[]).unwrap();
        let outcome = preview.outcome(&mut Vec::new()).unwrap();
        let objects = outcome.composed.iter().map(|(key, resource)| Rendered::new(key, resource));
        let mut scaled_objects = objects.filter(|object| object.kind() == "ScaledObject");
        scaled_objects.next().unwrap().manifest
    }

    /// Engines whose metric sums up to so much; by latency it is the queue that grows.
    fn engines(&self, sum: f64, replicas: u32) -> Series {
        let replicas = f64::from(replicas);
        match self.metric {
            "queue-depth" => Series { replicas, waiting: sum, ..Series::default() },
            "latency" => Series { replicas, waiting: sum, latencies: ALONE, ..Series::default() },
            // A cache can only be full.
            "kv-cache" => Series { replicas, cache: sum.min(replicas), ..Series::default() },
            other => panic!("{other} is no sum"),
        }
    }
}

/// What is wanted of each replica by the engines' sum.
fn per_replica(scaled_object: &Value) -> f64 {
    let mut triggers = scaled_object["spec"]["triggers"].as_array().unwrap().iter();
    let sum = triggers.find(|trigger| trigger["name"] == "queue-depth" || trigger["name"] == "kv-cache");
    sum.unwrap()["metadata"]["threshold"].as_str().unwrap().parse().unwrap()
}

/// What became of a pool.
#[derive(Debug, Clone, Copy)]
struct Moment {
    second: u32,
    /// In replicas that it takes.
    load: f64,
    wanted: u32,
    /// Requests that no replica works on.
    behind: f64,
    /// Milliseconds to the first token, and between tokens.
    met: [f64; 2],
}

/// Long enough for the slowest pace.
const PHASE: u32 = 4 * HOUR;

/// A load that stays whatever the pool does: so many requests that wait, so much of a cache.
///
/// It grows to a peak, stays, falls, and is gone, a phase each; replicas are ready at once.
fn standing(scaled_object: &Value, peak: f64, series: impl Fn(f64, u32) -> Series) -> Vec<Moment> {
    let mut hpa = Hpa::of(scaled_object);
    let mut wanted = hpa.min;
    let looks = (0..4 * PHASE / SYNC).map(|look| look * SYNC);
    looks
        .map(|second| {
            let phases = f64::from(second) / f64::from(PHASE);
            let load = peak * phases.min(1.0).min(3.0 - phases).max(0.0);
            let series = series(load, wanted);
            wanted = hpa.sync(second, wanted, wanted, |query| series.read(query));
            Moment { second, load, wanted, behind: 0.0, met: series.latencies }
        })
        .collect()
}

/// The pool grows with the load, to the maximum where it must, falls with it, and never turns round.
fn follows(hpa: &Hpa, peak: f64, moments: &[Moment]) -> Result<(), String> {
    let wrong = |what: &str, moment: &Moment| Err(format!("{what}: {moment:?}"));
    for [before, after] in moments.array_windows() {
        if before.load < after.load && after.wanted < before.wanted {
            return wrong("fell under a load that grows", after);
        }
        if before.load > after.load && after.wanted > before.wanted {
            return wrong("grew under a load that falls", after);
        }
        // It may still be on its way for a while.
        let settled = (PHASE + PHASE / 2..2 * PHASE).contains(&after.second);
        if settled && after.wanted != before.wanted {
            return wrong("moved under a load that stays", after);
        }
    }
    let [least, most] = [hpa.min, hpa.max].map(f64::from);
    let at_peak = moments.iter().rfind(|moment| moment.second < 2 * PHASE).unwrap();
    if f64::from(at_peak.wanted) < (peak / (1.0 + hpa::TOLERANCE)).min(most) {
        return wrong("too few for the peak", at_peak);
    }
    if f64::from(at_peak.wanted) > peak.ceil().max(least) {
        return wrong("more than the peak takes", at_peak);
    }
    comes_back(hpa, moments)
}

fn comes_back(hpa: &Hpa, moments: &[Moment]) -> Result<(), String> {
    match moments.last() {
        Some(last) if last.wanted != hpa.min => Err(format!("did not come back: {last:?}")),
        _ => Ok(()),
    }
}

/// For how long requests come.
const LOADED: u32 = 20 * HOUR;

/// Requests that come at a steady rate and take so many replicas, and then none for four hours.
fn queueing(scaled_object: &Value, load: f64, replica: Replica, held: bool) -> Vec<Moment> {
    let mut hpa = Hpa::of(scaled_object);
    let mut wanted = hpa.min;
    let mut pool = Pool::new(replica, held, wanted);
    let mut moments = Vec::new();
    for second in 0..LOADED + 4 * HOUR {
        let load = if second < LOADED { load } else { 0.0 };
        pool.pass(second, wanted, load * replica.slots / replica.service);
        if second % SYNC == 0 {
            let series = pool.series();
            wanted = hpa.sync(second, wanted, pool.ready(), |query| series.read(query));
            let behind = series.waiting + series.held;
            moments.push(Moment { second, load, wanted, behind, met: series.latencies });
        }
    }
    moments
}

/// In the last hours of the load nobody waits, or there are as many replicas as there may be; and then the pool comes
/// back.
fn carries(hpa: &Hpa, moments: &[Moment]) -> Result<(), String> {
    match late(moments).find(|moment| moment.behind > 0.5 && moment.wanted < hpa.max) {
        Some(moment) => Err(format!("requests wait: {moment:?}")),
        None => comes_back(hpa, moments),
    }
}

/// In the last hours of the load the objective is kept, as far as the autoscaler's tolerance goes, or there are as many
/// replicas as there may be.
fn keeps(hpa: &Hpa, objective: [Option<u32>; 2], moments: &[Moment]) -> Result<(), String> {
    let missed = |moment: &Moment| {
        let longest =
            objective.map(|millis| millis.map_or(f64::INFINITY, f64::from) * (1.0 + hpa::TOLERANCE));
        moment.met[0] > longest[0] || moment.met[1] > longest[1]
    };
    match late(moments).find(|moment| missed(moment) && moment.wanted < hpa.max) {
        Some(moment) => Err(format!("misses its objective: {moment:?}")),
        None => Ok(()),
    }
}

/// When the load has stayed for hours.
fn late(moments: &[Moment]) -> impl Iterator<Item = &Moment> {
    moments.iter().filter(|moment| (LOADED - 4 * HOUR..LOADED).contains(&moment.second))
}

/// When the pool turned round while requests came.
fn turns(moments: &[Moment]) -> Vec<u32> {
    let changes = moments
        .array_windows()
        .filter(|[before, after]| before.second < LOADED && before.wanted != after.wanted);
    let directions: Vec<(u32, bool)> =
        changes.map(|[before, after]| (after.second, before.wanted < after.wanted)).collect();
    let turns = directions.array_windows().filter(|[(_, before), (_, after)]| before != after);
    turns.map(|[_, (second, _)]| *second).collect()
}

/// It carries what comes, and turns round at most once: when the replicas that it called for while others started, or
/// while requests had piled up, turn out to be more than it takes.
fn settles(hpa: &Hpa, moments: &[Moment]) -> Result<(), String> {
    let turns = turns(moments);
    if turns.len() > 1 {
        return Err(format!("turned round {} times", turns.len()));
    }
    carries(hpa, moments)
}

/// Edges that the engines keep when they are not busy.
const OBJECTIVES: [[Option<u32>; 2]; 6] = [
    [None, Some(50)],
    [None, Some(75)],
    [Some(500), None],
    [Some(1000), None],
    [Some(5000), None],
    [Some(2500), Some(50)],
];

/// Ways to scale, with targets that are allowed.
fn settings() -> impl Strategy<Value = Setting> {
    let metrics = prop_oneof![
        option::of(1..2000_u32).prop_map(|target| (
            "queue-depth",
            target.map(|it| f64::from(it) / 50.0),
            [None, None]
        )),
        option::of(1..=90_u32).prop_map(|target| (
            "kv-cache",
            target.map(|it| f64::from(it) / 100.0),
            [None, None]
        )),
        prop::sample::select(OBJECTIVES.as_slice()).prop_map(|objective| ("latency", None, objective)),
    ];
    (metrics, 0..6_u32, 1..=100_u32, any::<bool>(), 1..1200_u32).prop_map(
        |((metric, target, objective), min, max, held, cold_start)| Setting {
            metric,
            target,
            objective,
            min,
            max: max.max(min),
            held,
            cold_start,
        },
    )
}

/// Replicas of all sizes. The picker's triggers want sixteen requests of each: one that cannot work on so many is never
/// busy to them.
fn replicas() -> impl Strategy<Value = Replica> {
    (20.0..300.0, 1.0..60.0, 1..900_u32).prop_map(|(slots, service, start)| Replica {
        slots,
        service,
        start,
        alone: ALONE,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pool_follows_a_load_up_and_down_without_turning_round(setting in settings(), peak in 0.0..130.0_f64) {
        let scaled_object = setting.scaled_object();
        let target = per_replica(&scaled_object);
        let engines = |load: f64, replicas| setting.engines(load * target, replicas);
        let moments = standing(&scaled_object, peak, engines);
        let hpa = Hpa::of(&scaled_object);
        // Requests that wait in an engine are running ones to the picker.
        let peak = peak.max(hpa.takes(|query| engines(peak, hpa.max).read(query)));
        prop_assert_eq!(follows(&hpa, peak, &moments), Ok(()));
    }
}

proptest! {
    // A day each.
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    /// A cache that is filled, requests that a picker counts, and tokens that take longer with each request more in a
    /// batch say how many replicas a load takes that is carried. A queue alone does not, and the time to the first token
    /// falls faster than replicas come: see below.
    #[test]
    fn a_pool_carries_what_comes_and_settles(setting in settings(), part in 0.0..2.0_f64, replica in replicas()) {
        let scaled_object = setting.scaled_object();
        let moments = queueing(&scaled_object, part * f64::from(setting.max), replica, setting.held);
        let hpa = Hpa::of(&scaled_object);
        let found = match setting {
            Setting { metric: "queue-depth", held: false, .. } => comes_back(&hpa, &moments),
            Setting { objective: [Some(_), _], .. } => carries(&hpa, &moments),
            Setting { objective, .. } => {
                settles(&hpa, &moments).and_then(|()| keeps(&hpa, objective, &moments))
            }
        };
        prop_assert_eq!(found, Ok(()));
    }
}

const SIX_REPLICAS: f64 = 5.5;

const REPLICA: Replica = Replica { slots: 64.0, service: 10.0, start: 60, alone: ALONE };

fn by(metric: &'static str) -> Setting {
    Setting { metric, target: None, objective: [None, None], min: 1, max: 50, held: false, cold_start: 600 }
}

/// Nothing waits below saturation, and a queue says no more: the pool lets replicas go until there are too few, and
/// calls for them again. It takes its time, and that is all that can be said for it.
#[test]
fn a_queue_alone_looks_for_the_edge_and_takes_its_time() {
    let moments = queueing(&by("queue-depth").scaled_object(), SIX_REPLICAS, REPLICA, false);
    let turns = turns(&moments);
    assert!(turns.len() > 10, "if it settles, the documentation may say so: {turns:?}");
    let [first, last] = [turns[0], turns[turns.len() - 1]];
    let each = (last - first) / u32::try_from(turns.len() - 1).unwrap();
    assert!(each > 600, "a turn each {each} s");
}

/// With one replica more the first token comes so much earlier that one less would do, and then it comes too late: the
/// pool goes back and forth about its objective, by no more than one step up, and at its slow pace.
#[test]
fn the_first_token_is_kept_by_small_steps() {
    let setting = Setting { objective: [Some(1000), None], ..by("latency") };
    let moments = queueing(&setting.scaled_object(), SIX_REPLICAS, REPLICA, false);
    let wanted: Vec<u32> = late(&moments).map(|moment| moment.wanted).collect();
    assert!(*wanted.iter().min().unwrap() >= 6, "it carries the load");
    assert!(*wanted.iter().max().unwrap() <= 6 + 4, "a step is four replicas, or as many as there are");
    let turns = turns(&moments);
    let each = (turns[turns.len() - 1] - turns[0]) / u32::try_from(turns.len() - 1).unwrap();
    assert!(each > 300, "a turn each {each} s");
    let kept = late(&moments).filter(|moment| moment.met[0] <= 1100.0).count();
    assert!(kept * 10 >= late(&moments).count() * 8, "and mostly it is kept: {kept}");
}

/// A latency is no sum: divided by the replicas it would be kept by none.
#[test]
fn a_latency_as_average_value_is_missed() {
    let objective = [None, Some(50)];
    let setting = Setting { objective, ..by("latency") };
    let right = setting.scaled_object();
    let mut wrong = right.clone();
    wrong["spec"]["triggers"][0]["metricType"] = json!("AverageValue");
    let hpa = Hpa::of(&right);
    let run = |scaled_object: &Value| {
        keeps(&hpa, objective, &queueing(scaled_object, SIX_REPLICAS, REPLICA, false))
    };
    assert_eq!(run(&right), Ok(()));
    assert!(run(&wrong).unwrap_err().starts_with("misses its objective"));
}

/// The mistake that this project is named against: the same pool, the same load, but for one word of the query.
#[test]
fn an_average_as_average_value_is_pinned_at_two_replicas() {
    let right = by("kv-cache").scaled_object();
    let query = "/spec/triggers/0/metadata/query";
    let mut wrong = right.clone();
    let asked = wrong.pointer(query).and_then(Value::as_str).unwrap().replacen("sum(", "avg(", 1);
    *wrong.pointer_mut(query).unwrap() = asked.into();

    let hpa = Hpa::of(&right);
    let run = |scaled_object: &Value| queueing(scaled_object, SIX_REPLICAS, REPLICA, false);
    assert_eq!(settles(&hpa, &run(&right)), Ok(()));
    let pinned = run(&wrong);
    assert!(settles(&hpa, &pinned).unwrap_err().starts_with("requests wait"));
    assert_eq!(pinned.iter().map(|moment| moment.wanted).max(), Some(2), "however full the caches are");

    let target = per_replica(&right);
    let engines = |load: f64, replicas| by("kv-cache").engines(load * target, replicas);
    assert_eq!(follows(&hpa, SIX_REPLICAS, &standing(&right, SIX_REPLICAS, engines)), Ok(()));
    assert!(follows(&hpa, SIX_REPLICAS, &standing(&wrong, SIX_REPLICAS, engines)).is_err());
}

/// The opposite one: each replica that comes is counted twice, in the sum and by the formula.
#[test]
fn a_sum_as_value_runs_away() {
    let right = by("kv-cache").scaled_object();
    let mut wrong = right.clone();
    wrong["spec"]["triggers"][0]["metricType"] = json!("Value");
    let hpa = Hpa::of(&right);
    let target = per_replica(&right);
    let engines = |load: f64, replicas| by("kv-cache").engines(load * target, replicas);
    let at_most = |scaled_object: &Value| {
        let moments = standing(scaled_object, 7.0, engines);
        (follows(&hpa, 7.0, &moments).is_ok(), moments.iter().map(|moment| moment.wanted).max().unwrap())
    };
    assert_eq!(at_most(&right), (true, 7));
    assert_eq!(at_most(&wrong), (false, hpa.max));
}
