//! Who owns the replicas, what the autoscaler asks, and how long everybody waits for a cold start.
//!
//! | Trigger | Replicas from | "Nothing read" means |
//! |---|---|---|
//! | engine | 1 | the scrape is broken: an error, and `fallback` keeps what runs |
//! | latency | any | engines without requests: zero; without series: as other engines |
//! | engine | 0 | no pods and so no targets: zero; targets without series: as many replicas as there are targets |
//! | full-engines | any | targets that cannot be read, beside others that can: each is as full as it may be |
//! | picker | 1 | scraped and empty: zero; not scraped: an error, and `fallback` keeps what runs |
//! | picker | 0 | scraped and empty: zero; not scraped: as many replicas as there are targets; none: an error |

use std::collections::BTreeMap;

use crate::api::Duration;
use crate::api::settings::{
    Backend, Credentials, LatencyObjective, Metric, Runtime, Scaling, Settings, Transport,
};
use crate::observe::{Facts, Observed};

use super::cold_start::{ColdStart, seconds};
use super::endpoint_picker::{Family, OwnPicker};
use super::handover::{self, Handover};
use super::keys::Key;
use super::ownership::Holder;
use super::series::{Series, vllm};

/// llm-d's guide for queues in the picker: wake-up takes scrape interval + this + cold start.
const POLLING_INTERVAL_SECONDS: u32 = 15;

const MILLIS_PER_SECOND: u32 = 1000;

/// Waiting requests per replica.
pub(super) const QUEUE_DEPTH_TARGET: f64 = 3.0;
/// KV cache fraction per replica.
const KV_CACHE_TARGET: f64 = 0.8;
/// How full the others may be when a replica goes. Beyond, the chance of a moment fills them, and they call it back.
const FULL: f64 = 0.9;
/// The same where an objective is to be kept: latencies grow no faster than load up to there, and ever faster beyond.
const FULL_BY_LATENCY: f64 = 0.7;
/// Requests that an engine works on at once, unless it is told: vLLM's choice for GPUs of less than 70 GiB, and the A100. For
/// larger ones it is 1024 (vllm-project/vllm v0.27.1, `vllm/engine/arg_utils.py`, `get_batch_defaults`).
const BATCH: u32 = 256;
/// What tells it.
const BATCH_FLAG: &str = "--max-num-seqs";
/// Requests held in the picker, per replica (llm-d's guide for queues in the picker).
const PICKER_QUEUE_TARGET: f64 = 1.0;
/// Requests the pool works on, per replica (the same guide).
const PICKER_RUNNING_TARGET: f64 = 16.0;

/// The autoscaler, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub enum ScalingPlan {
    /// Not asked for.
    Off,
    /// Composed.
    On(ScaledObjectPlan),
    /// Asked for, but it would do harm today.
    Withheld(Withheld),
}

/// Why a `ScaledObject` that was asked for is not composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// The replica count of the live workload passes from this function to the autoscaler, which comes last.
    HandoverPending(HandoverStep),
    /// The workload stands on a stub CRD, where a missing count means no pods.
    TargetNotScalable,
    /// The workload is somebody else's, and scaling it would be writing to it.
    NameTaken,
}

/// What is under way while the replica count passes to the autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandoverStep {
    /// A second Object is to hold the count.
    Sharing,
    /// The workload's own Object is to let go of it.
    Releasing,
    /// The second Object is to go.
    Leaving,
}

/// A `ScaledObject`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledObjectPlan {
    /// `minReplicaCount`.
    pub min: u32,
    /// `maxReplicaCount`.
    pub max: u32,
    /// Present where the model may sleep.
    pub zero: Option<ZeroPlan>,
    /// Whether requests for a sleeping model are held (routing is on).
    pub wakes: bool,
    /// Where KEDA asks.
    pub prometheus_address: String,
    /// Present where it needs credentials.
    pub credentials: Option<Credentials>,
    /// At least one.
    pub triggers: Vec<Trigger>,
    /// How fast.
    pub pace: Pace,
}

/// How fast the pool may grow and shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// In so long,
    pub up_seconds: u32,
    /// by so many replicas, or to twice as many where that is more.
    pub up_replicas: u32,
    /// So long nothing may speak against fewer;
    pub quiet_seconds: u32,
    /// then one goes each time so long.
    pub down_seconds: u32,
}

/// Durations of a model that may sleep, all derived from `coldStart`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroPlan {
    /// How long a request is held for a model that wakes: its cold start.
    pub hold_seconds: u32,
    /// `pollingInterval`.
    pub polling_interval_seconds: u32,
    /// `cooldownPeriod`.
    pub cooldown_seconds: u32,
    /// `initialCooldownPeriod`.
    pub initial_cooldown_seconds: u32,
}

/// One Prometheus trigger.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Unique in the `ScaledObject`.
    pub name: &'static str,
    /// `PromQL`, one element.
    pub query: String,
    /// What the query reads.
    pub reads: Reads,
    /// Of a sum, per replica.
    pub threshold: f64,
}

/// What a query reads, and so how the autoscaler reckons with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Something that grows with the pool: divided by the replicas, it is compared with the threshold.
    Sum,
    /// Something that does not: the ready replicas are multiplied by how far it is beyond the threshold.
    Level,
}

/// The workload's `replicas` field, and the autoscaler.
pub(super) struct Decision {
    /// `None` where the autoscaler owns the field.
    pub(super) replicas: Option<u32>,
    /// The one state of the live workload that they may be written to.
    pub(super) seen_at: Option<String>,
    /// The count that a second Object holds meanwhile.
    pub(super) handover: Option<u32>,
    /// The autoscaler.
    pub(super) scaling: ScalingPlan,
}

/// Decides all at once: exactly one of them may change the field.
///
/// Without series there is nothing to scale on, which is told already.
pub(super) fn decide(
    settings: &Settings,
    observed: &Observed,
    taken: &BTreeMap<Key, Holder>,
    picker: Option<&OwnPicker>,
    series: Option<&Series<'_>>,
) -> Decision {
    let (Some(scaling), Some(series)) = (&settings.scaling, series) else {
        return Decision {
            replicas: Some(settings.replicas.min),
            seen_at: None,
            handover: None,
            scaling: ScalingPlan::Off,
        };
    };
    let workload = match settings.backend {
        Backend::VllmRuntime(_) => Key::VllmRuntime,
        Backend::Deployment => Key::ModelDeployment,
    };
    let is_theirs = taken.contains_key(&workload);
    if is_theirs && may_be_withheld(observed, taken) {
        return Decision {
            replicas: None,
            seen_at: None,
            handover: None,
            scaling: ScalingPlan::Withheld(Withheld::NameTaken),
        };
    }
    let object = observed.objects.get(&workload).filter(|_| !is_theirs);
    if let Some(Facts::VllmRuntime(live)) =
        object.and_then(|object| object.live.as_ref()).map(|live| &live.facts)
        && !live.has_deployment_strategy
    {
        // At least one: nothing could wake it.
        let asked = object.and_then(|object| object.asked.replicas);
        let replicas = asked.or(live.spec_replicas).unwrap_or(settings.replicas.min).max(1);
        return Decision {
            replicas: Some(replicas),
            seen_at: None,
            handover: None,
            scaling: ScalingPlan::Withheld(Withheld::TargetNotScalable),
        };
    }
    if settings.transport == Transport::Direct {
        let kept = handover::kept(observed, workload);
        return Decision {
            replicas: kept.as_ref().map(|kept| kept.count),
            seen_at: kept.and_then(|kept| kept.resource_version),
            handover: None,
            scaling: ScalingPlan::On(scaled_object(settings, scaling, picker, series)),
        };
    }
    let Handover { main, second, step } =
        if is_theirs { Handover::DONE } else { handover::next(observed, workload) };
    Decision {
        replicas: main,
        seen_at: None,
        handover: second,
        scaling: match step {
            Some(step) => ScalingPlan::Withheld(Withheld::HandoverPending(step)),
            None => ScalingPlan::On(scaled_object(settings, scaling, picker, series)),
        },
    }
}

/// Withholding an autoscaler deletes it, so only one that is not there, or surely ours, may be: as long as its Object may
/// write, it would delete what is somebody else's.
fn may_be_withheld(observed: &Observed, taken: &BTreeMap<Key, Holder>) -> bool {
    let is_seen =
        observed.live(Key::ScaledObject).is_some() || !observed.objects.contains_key(&Key::ScaledObject);
    is_seen && !taken.contains_key(&Key::ScaledObject)
}

/// Whether the model may sleep.
pub(super) fn sleeps(settings: &Settings) -> bool {
    settings.scaling.is_some() && settings.replicas.min == 0
}

/// Whether the autoscaler asks the picker too: with flow control requests wait there, and the engines' own queues stay
/// short however many there are.
pub(super) fn asks_picker(settings: &Settings, picker: Option<&OwnPicker>) -> bool {
    settings.scaling.is_some() && picker.is_some_and(|picker| picker.holds)
}

fn scaled_object(
    settings: &Settings,
    scaling: &Scaling,
    asked: Option<&OwnPicker>,
    series: &Series<'_>,
) -> ScaledObjectPlan {
    let sleeps = sleeps(settings);
    let mut triggers = engine(series, scaling, batch(&settings.model.runtime), sleeps);
    let holding = asked.filter(|asked| asked.holds);
    if let Some(holding) = holding {
        triggers.extend(picker(series, holding.family, sleeps));
    }
    ScaledObjectPlan {
        min: settings.replicas.min,
        max: settings.replicas.max,
        zero: sleeps.then(|| zero(ColdStart(settings.cold_start))),
        wakes: asked.is_some(),
        prometheus_address: scaling.prometheus_address.clone(),
        credentials: scaling.credentials.clone(),
        triggers,
        pace: pace(scaling, holding.is_some(), ColdStart(settings.cold_start)),
    }
}

/// As fast as what is asked allows.
///
/// Caches that fill say how many replicas they take. A queue or a latency says that there are too few, and goes on saying
/// so until what was called for has started and what had piled up is worked off: growing meanwhile, the pool would end up
/// with many times what it takes.
fn pace(scaling: &Scaling, asks_picker: bool, cold_start: ColdStart) -> Pace {
    let [up_seconds, up_replicas] = match scaling.metric {
        Metric::KvCache if !asks_picker => [60, 1],
        Metric::QueueDepth | Metric::KvCache | Metric::Latency(_) => {
            [seconds(cold_start.between_scale_ups()), 4]
        }
    };
    let [quiet_seconds, down_seconds] = match scaling.metric {
        Metric::QueueDepth | Metric::KvCache => [300, 60],
        // A few requests that met with an empty batch say little.
        Metric::Latency(_) => [600, 120],
    };
    Pace { up_seconds, up_replicas, quiet_seconds, down_seconds }
}

fn zero(cold_start: ColdStart) -> ZeroPlan {
    ZeroPlan {
        hold_seconds: seconds(cold_start.0),
        polling_interval_seconds: POLLING_INTERVAL_SECONDS,
        cooldown_seconds: seconds(cold_start.cooldown()),
        initial_cooldown_seconds: seconds(cold_start.initial_cooldown()),
    }
}

/// Requests that an engine works on at once.
fn batch(runtime: &Runtime) -> u32 {
    runtime
        .argument(BATCH_FLAG)
        .and_then(|value| value.parse().ok())
        .filter(|batch| *batch > 0)
        .unwrap_or(BATCH)
}

/// What the engines are asked.
fn engine(series: &Series<'_>, scaling: &Scaling, batch: u32, sleeps: bool) -> Vec<Trigger> {
    let selector = series.engine();
    let trigger = |name, mut query: String, reads, threshold| {
        if sleeps {
            // Without targets there are no pods: asleep.
            let unread = as_many(reads, threshold, &selector);
            query = format!("{query} or sum(0 * absent(up{{{selector}}})) or {unread}");
        }
        Trigger { name, query, reads, threshold }
    };
    let queue =
        |target| trigger("queue-depth", format!("sum({}{{{selector}}})", vllm::WAITING), Reads::Sum, target);
    let full = |share| trigger("full-engines", full_engines(&selector, batch, share), Reads::Sum, share);
    match scaling.metric {
        Metric::QueueDepth => {
            vec![queue(scaling.target.unwrap_or(QUEUE_DEPTH_TARGET)), full(FULL)]
        }
        Metric::KvCache => {
            let target = scaling.target.unwrap_or(KV_CACHE_TARGET);
            vec![trigger("kv-cache", caches(&selector), Reads::Sum, target), full(FULL)]
        }
        Metric::Latency(LatencyObjective { time_to_first_token, inter_token_latency, percentile }) => {
            let histograms = [
                ("time-to-first-token", &vllm::TIME_TO_FIRST_TOKEN[..], time_to_first_token),
                ("inter-token-latency", &vllm::INTER_TOKEN_LATENCY[..], inter_token_latency),
            ];
            let levels = histograms.into_iter().filter_map(|(name, metrics, objective)| {
                let longest = f64::from(u32::try_from(objective?.as_millis()).unwrap_or(u32::MAX));
                let level = level(metrics, &selector, percentile, series.window());
                Some(trigger(name, level, Reads::Level, longest))
            });
            levels.chain([queue(QUEUE_DEPTH_TARGET), full(FULL_BY_LATENCY)]).collect()
        }
    }
}

/// How much of their caches is in use.
///
/// Of an engine that works on nothing that is nothing: older releases of vLLM count a block of their own as used
/// (`vllm/v1/core/block_pool.py`, `get_usage`, the null block), which would keep an idle model awake for ever.
fn caches(selector: &str) -> String {
    let [cache, running] = [vllm::KV_CACHE, vllm::RUNNING];
    format!("sum({cache}{{{selector}}} * ({running}{{{selector}}} > bool 0))")
}

/// Keeps replicas whose requests the others have no room for. It never calls for more: each replica says at most that it
/// is needed itself.
///
/// Neither a queue nor a latency says how many replicas are enough. Nothing waits below saturation: without this, replicas
/// would go until requests wait again, come back, and go, for ever. A cache says it, unless batches are full before it.
///
/// An engine is full when its cache is, or when its batch is, whichever is first. One without a series for its cache, as
/// vLLM's before v0.9 are, is as full as its batch; one that cannot be read, beside others that can, may be full.
fn full_engines(selector: &str, batch: u32, share: f64) -> String {
    let [cache, running] = [vllm::KV_CACHE, vllm::RUNNING].map(|metric| format!("{metric}{{{selector}}}"));
    let batch = format!("{running} / {batch}");
    let read = format!("sum(clamp_max({cache} > {batch} and {running} > 0 or {batch}, {share}))");
    format!("{read} + ({share} * count(up{{{selector}}} == 0) or vector(0))")
}

/// A percentile, in milliseconds: KEDA keeps three digits after the point (v2.20.2, `pkg/scalers/scaler.go`).
///
/// Without requests it is no number, which is dropped, and zero is read where there are engines. Of a metric that has had
/// several names, the first one counts that is there.
fn level(metrics: &[&str], selector: &str, percentile: f64, window: Duration) -> String {
    let first = |query: &dyn Fn(&str) -> String| {
        metrics.iter().map(|metric| query(metric)).collect::<Vec<_>>().join(" or ")
    };
    let buckets = first(&|metric| format!("sum by (le) (rate({metric}_bucket{{{selector}}}[{window}]))"));
    let requests = first(&|metric| format!("sum({metric}_count{{{selector}}})"));
    format!("{MILLIS_PER_SECOND} * (histogram_quantile({percentile}, {buckets}) > 0) or 0 * ({requests})")
}

fn picker(series: &Series<'_>, family: Family, sleeps: bool) -> [Trigger; 2] {
    let traits = family.traits();
    let (selector, engine) = (series.picker(), series.engine());
    let trigger = |name, series: String, threshold| {
        let mut query = format!("sum({series}) or (0 * sum(up{{{selector}}} == 1))");
        if sleeps {
            query = format!("{query} or {}", as_many(Reads::Sum, threshold, &engine));
        }
        Trigger { name, query, reads: Reads::Sum, threshold }
    };
    [
        trigger("picker-queue", format!("{}{{{}}}", traits.queue_metric, series.held()), PICKER_QUEUE_TARGET),
        trigger("picker-running", format!("{}{{{selector}}}", traits.running_metric), PICKER_RUNNING_TARGET),
    ]
}

/// What asks for as many replicas as Prometheus has targets, read or not; nothing where there are none.
///
/// An error would not keep a model awake. It makes KEDA throw its scalers away, and a poll that is under way then skips
/// them and counts no error: no trigger is active, none failed, and once the cooldown is over the model is put to sleep
/// (kedacore/keda v2.20.2, `pkg/scaling/scale_handler.go`, `ErrCacheClosed`).
fn as_many(reads: Reads, threshold: f64, engine: &str) -> String {
    match reads {
        Reads::Sum => format!("({threshold} * count(up{{{engine}}}))"),
        Reads::Level => format!("({threshold} * (count(up{{{engine}}}) > bool 0))"),
    }
}
