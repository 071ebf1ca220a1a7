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
    /// What an engine is told of how many requests to work on at once.
    batch: Option<u32>,
    cold_start: u32,
}

fn document(value: &Value) -> Document {
    let text = print::yaml(std::slice::from_ref(value)).unwrap();
    yaml::parse(Path::new("generated.yaml"), &text).unwrap().remove(0)
}

impl Setting {
    /// The `ScaledObject` that is composed for it.
    fn scaled_object(&self) -> Value {
        let Self { metric, target, objective, min, max, held, batch, cold_start } = self;
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
        if let Some(batch) = batch {
            spec["runtime"]["args"] = json!([format!("--max-num-seqs={batch}")]);
        }
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

    /// How many requests may wait, of each replica: what the author allows. With a picker they wait there, and it counts all
    /// that the engines have.
    fn patience(&self) -> f64 {
        match self.metric {
            "queue-depth" => self.target.unwrap_or(3.0),
            "latency" => 3.0,
            _ => 0.0,
        }
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

/// Requests that come at a rate that takes so many replicas, by the second, for [`LOADED`], and then none for four hours.
fn queueing(scaled_object: &Value, load: impl Fn(u32) -> f64, replica: Replica, held: bool) -> Vec<Moment> {
    let mut hpa = Hpa::of(scaled_object);
    let mut wanted = hpa.min;
    let mut pool = Pool::new(replica, held, wanted);
    let mut moments = Vec::new();
    for second in 0..LOADED + 4 * HOUR {
        let load = if second < LOADED { load(second) } else { 0.0 };
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

/// A load that stays what it is.
fn steady(load: f64) -> impl Fn(u32) -> f64 {
    move |_| load
}

/// A load that is that on average: requests come by chance, and take more or less long.
///
/// With so many requests a second the square of what they differ by is that number, and what is answered differs alike.
fn by_chance(load: f64, replica: Replica, seed: u32) -> impl Fn(u32) -> f64 {
    let each = replica.service / replica.slots;
    move |second| {
        let requests = load / each;
        // Twelve numbers from 0 to 1 are nearly one of the normal distribution.
        let dice = (0..12).map(|throw| {
            let hash =
                (u64::from(seed) << 40 | u64::from(second) << 8 | throw).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            f64::from(u32::try_from((hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32).unwrap())
                / f64::from(u32::MAX)
        });
        let normal = dice.sum::<f64>() - 6.0;
        (requests + normal * (2.0 * requests).sqrt()) * each
    }
}

/// A load that grows for eight hours, stays for four and falls for eight.
fn over_a_day(peak: f64) -> impl Fn(u32) -> f64 {
    move |second| {
        let hour = f64::from(second) / f64::from(HOUR);
        peak * (hour / 8.0).min(1.0).min((20.0 - hour) / 8.0)
    }
}

/// In the last hours of the load nobody waits, or there are as many replicas as there may be; and then the pool comes
/// back.
fn carries(hpa: &Hpa, patience: f64, moments: &[Moment]) -> Result<(), String> {
    let waits =
        |moment: &Moment| moment.behind > 0.5 + f64::from(moment.wanted) * patience * (1.0 + hpa::TOLERANCE);
    match late(moments).find(|moment| waits(moment) && moment.wanted < hpa.max) {
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
fn settles(hpa: &Hpa, patience: f64, moments: &[Moment]) -> Result<(), String> {
    let turns = turns(moments);
    if turns.len() > 1 {
        return Err(format!("turned round {} times", turns.len()));
    }
    carries(hpa, patience, moments)
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
            batch: None,
            cold_start,
        },
    )
}

/// What vLLM takes at once where nobody says.
const BATCH: f64 = 256.0;

/// Ways to scale, and replicas of all sizes for them, whose caches are full first, or whose batches are: then the engine is
/// told how many requests to take, or takes vLLM's number.
///
/// The picker's triggers want sixteen requests of each: one that cannot work on so many is never busy to them. And no cache
/// says how full a batch is.
fn pools() -> impl Strategy<Value = (Setting, Replica)> {
    let room = prop_oneof![
        (20.0..BATCH).prop_map(|slots| (slots, 1.0, None)),
        (20..1024_u32, 0.05..1.0).prop_map(|(batch, cache)| (f64::from(batch), cache, Some(batch))),
        (0.05..1.0).prop_map(|cache| (BATCH, cache, None)),
    ];
    (settings(), room, 1.0..60.0, 1..900_u32).prop_map(|(mut setting, room, service, start)| {
        let (slots, cache, batch) = room;
        setting.batch = batch;
        let cache = if setting.metric == "kv-cache" { 1.0 } else { cache };
        (setting, Replica { slots, cache, service, start, alone: ALONE })
    })
}

/// Points at which a pool might not know whether it is large enough: around so many replicas, and around what each of the
/// thresholds makes of so many.
const AWKWARD: [f64; 9] = [0.5, 0.7, 0.77, 0.8, 0.88, 0.9, 0.99, 1.0, 1.1];

/// A load, in replicas, for a pool of at most so many.
fn load(most: u32) -> impl Strategy<Value = f64> {
    let awkward = (1..=most, prop::sample::select(AWKWARD.as_slice()), -0.01..0.01)
        .prop_map(|(replicas, share, off)| f64::from(replicas) * share + off);
    prop_oneof![0.0..2.0 * f64::from(most), awkward]
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

    #[test]
    fn a_pool_carries_a_steady_load_and_settles(
        ((setting, replica), load) in pools().prop_flat_map(|pool| { let most = pool.0.max; (Just(pool), load(most)) }),
    ) {
        let scaled_object = setting.scaled_object();
        let moments = queueing(&scaled_object, steady(load), replica, setting.held);
        let hpa = Hpa::of(&scaled_object);
        let found = settles(&hpa, setting.patience(), &moments)
            .and_then(|()| keeps(&hpa, setting.objective, &moments));
        prop_assert_eq!(found, Ok(()));
    }
}

const SIX_REPLICAS: f64 = 5.5;

const REPLICA: Replica = Replica { slots: 64.0, cache: 1.0, service: 10.0, start: 60, alone: ALONE };

fn by(metric: &'static str) -> Setting {
    Setting {
        metric,
        target: None,
        objective: [None, None],
        min: 1,
        max: 50,
        held: false,
        batch: None,
        cold_start: 600,
    }
}

/// What each metric is asked about: the objective is that of a latency.
const METRICS: [(&str, [Option<u32>; 2]); 5] = [
    ("queue-depth", [None, None]),
    ("kv-cache", [None, None]),
    ("latency", [None, Some(50)]),
    ("latency", [Some(1000), None]),
    ("latency", [Some(5000), None]),
];

/// Nothing waits below saturation, and then a first token comes early: neither says how many replicas are enough. Without
/// the trigger beside them the pool lets replicas go until there are too few, and calls for them again, for ever.
#[test]
fn neither_a_queue_nor_a_first_token_settles_alone() {
    let without = |scaled_object: &Value| {
        let mut wrong = scaled_object.clone();
        wrong["spec"]["triggers"].as_array_mut().unwrap().retain(|trigger| trigger["name"] != "full-engines");
        wrong
    };
    for (metric, objective) in METRICS {
        if metric == "kv-cache" || objective[1].is_some() {
            continue;
        }
        let right = Setting { objective, ..by(metric) }.scaled_object();
        let hpa = Hpa::of(&right);
        let run = |scaled_object: &Value| queueing(scaled_object, steady(SIX_REPLICAS), REPLICA, false);
        assert_eq!(settles(&hpa, 0.0, &run(&right)), Ok(()), "{metric} {objective:?}");
        let turns = turns(&run(&without(&right))).len();
        assert!(turns > 10, "{metric} {objective:?}: {turns}");
    }
}

/// A cache may be far from full when the batch is.
#[test]
fn an_engine_is_full_when_its_batch_is() {
    let replica = Replica { cache: 0.2, ..REPLICA };
    let turns_of = |batch| {
        let scaled_object = Setting { batch, ..by("queue-depth") }.scaled_object();
        turns(&queueing(&scaled_object, steady(SIX_REPLICAS), replica, false)).len()
    };
    assert!(turns_of(Some(64)) <= 1, "the engine was told, and so is the autoscaler");
    assert!(turns_of(None) > 10, "told in another way, nobody here knows");
}

/// Requests come by chance, and more of them in one minute than in another. A pool that goes by a queue does not move for
/// that; the others move by two replicas at most, since what they go by says so.
#[test]
fn chance_does_not_move_a_pool_far() {
    for (metric, objective) in METRICS {
        for slots in [24.0, 64.0, 200.0] {
            for load in [1.0, 3.0, 5.4, 5.95] {
                let replica = Replica { slots, start: 300, ..REPLICA };
                let scaled_object = Setting { objective, ..by(metric) }.scaled_object();
                let moments = queueing(&scaled_object, by_chance(load, replica, 7), replica, false);
                let wanted: Vec<u32> = late(&moments).map(|moment| moment.wanted).collect();
                let moved = wanted.iter().max().unwrap() - wanted.iter().min().unwrap();
                let most = if metric == "queue-depth" { 0 } else { 2 };
                assert!(moved <= most, "{metric} {objective:?}, {slots}, {load}: by {moved}");
            }
        }
    }
}

/// A queue that grows while replicas start calls for ever more of them: the pool waits for those that it has called for.
#[test]
fn a_queue_before_slow_starts_calls_for_no_more_than_twice_what_it_takes() {
    for peak in [5.95, 20.0] {
        for start in [60, 300, 480] {
            let replica = Replica { start, ..REPLICA };
            let run = |scaled_object: &Value| queueing(scaled_object, over_a_day(peak), replica, false);
            let too_many = |moments: &[Moment]| {
                moments
                    .iter()
                    .find(|moment| f64::from(moment.wanted) > 4.0 + 2.0 * (moment.load / 0.9).ceil())
                    .copied()
            };
            let right = by("queue-depth").scaled_object();
            let moments = run(&right);
            let grown = |moment: &&Moment| moment.second < 12 * HOUR;
            let growing: Vec<Moment> = moments.iter().filter(grown).copied().collect();
            assert!(too_many(&growing).is_none(), "{peak}, {start}: {:?}", too_many(&growing));
            let falling = moments.iter().filter(|moment| !grown(moment)).map(|moment| moment.wanted);
            assert!(
                falling.is_sorted_by(|before, after| before >= after),
                "{peak}, {start}: grew as the load fell"
            );

            let mut hasty = right.clone();
            let behavior = &mut hasty["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"];
            for policy in behavior["scaleUp"]["policies"].as_array_mut().unwrap() {
                policy["periodSeconds"] = json!(60);
            }
            if start > 60 {
                assert!(too_many(&run(&hasty)).is_some(), "{peak}, {start}: a minute would do");
            }
        }
    }
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
        keeps(&hpa, objective, &queueing(scaled_object, steady(SIX_REPLICAS), REPLICA, false))
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
    let run = |scaled_object: &Value| queueing(scaled_object, steady(SIX_REPLICAS), REPLICA, false);
    assert_eq!(settles(&hpa, 0.0, &run(&right)), Ok(()));
    let pinned = run(&wrong);
    assert!(settles(&hpa, 0.0, &pinned).unwrap_err().starts_with("requests wait"));
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
