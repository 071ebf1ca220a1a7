//! Everything about the Endpoint Picker of one stack.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::quantity::Quantity as Bytes;
use crate::api::settings::{ExistingPicker, FailureMode, MetricsAuth, Picker, PickerConfig, Scorer, Toggle};
use crate::api::{Duration, Path, Problem, Source, Step};

use super::checks::{input, input_has, input_misses};
use super::names::PICKER_PORT;

mod family;
mod known;
mod plugins;
mod raw;
mod schema;
mod tree;

pub use family::{FLOW_CONTROL_GATE, Family, Headers, Queue, Saturation, Traits, UTILIZATION_DETECTOR};

/// The charts' profile (GIE v1.3.1, `config/charts/inferencepool/values.yaml`), and the built-in one of later releases.
const SCORERS: [(&str, f64); 3] =
    [("queue-scorer", 2.0), ("kv-cache-utilization-scorer", 2.0), ("prefix-cache-scorer", 3.0)];

/// Where it is left out, any replica is as good as another for an adapter, and each may have to load it first. As much
/// as a cached prefix, which is of no use to another adapter.
const LORA_SCORER: (&str, f64) = ("lora-affinity-scorer", 3.0);

/// The age from which on an endpoint's metrics are no longer believed, and the endpoint counts as full. The releases'
/// own 200 ms are four scrapes: an engine that is slow to answer would keep everybody waiting. This is the age at which
/// they call metrics stale elsewhere (`--metrics-staleness-threshold`, GIE v1.5.0, `pkg/epp/server/options.go`).
const METRICS_STALENESS: Duration = Duration::from_seconds(2);

/// Memory of the picker itself, beside what waits in it.
const BASE_MEMORY_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of requests that may wait for one priority, where nobody says otherwise: in every release (GIE v1.3.1 to LDR
/// v0.10.0, `pkg/epp/flowcontrol/registry/config.go`), and for all priorities together where we can say so.
const QUEUE_BYTES: u64 = 1_000_000_000;
/// Requests that may wait, where we can say so: what LDR v0.10.0 allows for one priority.
const QUEUE_REQUESTS: u64 = 5_000;
/// Requests can wait for two priorities: the model's own, and zero for requests without an objective.
const PRIORITIES: u64 = 2;

/// The Endpoint Picker.
#[derive(Debug, Clone, PartialEq)]
pub enum PickerPlan {
    /// The model's own.
    Own(OwnPicker),
    /// Somebody else's.
    Existing(ExistingPlan),
}

/// A picker that is already there: nothing is known of it but where it answers, and how the platform says it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingPlan {
    /// Which release it behaves like.
    pub family: Family,
    /// What the gateway does when the picker does not answer.
    pub failure_mode: FailureMode,
    /// Name of its Service, in the model's namespace.
    pub service: String,
    /// Port of that Service.
    pub port: u16,
}

/// A picker that is composed.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnPicker {
    /// Which release it behaves like.
    pub family: Family,
    /// Full image reference.
    pub image: String,
    /// Its replicas; above 1, one of them leads and only that one is ready.
    pub replicas: u8,
    /// Container resources.
    pub resources: ResourceRequirements,
    /// What the gateway does when the picker does not answer.
    pub failure_mode: FailureMode,
    /// Whether requests may wait in it.
    pub holds: bool,
    /// Whether requests of a negative priority are refused while the pool has no room, or true where none has one.
    pub sheds: bool,
    /// Whether it is told to take plugins that its release calls experimental.
    pub experimental_plugins: bool,
    /// Who may read its metrics.
    pub metrics_auth: MetricsAuth,
    /// Its configuration.
    pub config: ConfigPlan,
}

impl PickerPlan {
    /// Which release it behaves like.
    pub const fn family(&self) -> Family {
        match self {
            Self::Own(OwnPicker { family, .. }) | Self::Existing(ExistingPlan { family, .. }) => *family,
        }
    }

    /// What the gateway does when it does not answer.
    pub const fn failure_mode(&self) -> FailureMode {
        match self {
            Self::Own(OwnPicker { failure_mode, .. }) | Self::Existing(ExistingPlan { failure_mode, .. }) => {
                *failure_mode
            }
        }
    }

    /// Where it is composed.
    pub const fn own(&self) -> Option<&OwnPicker> {
        match self {
            Self::Own(own) => Some(own),
            Self::Existing(_) => None,
        }
    }

    /// Where it is somebody else's.
    pub const fn existing(&self) -> Option<&ExistingPlan> {
        match self {
            Self::Own(_) => None,
            Self::Existing(existing) => Some(existing),
        }
    }
}

impl OwnPicker {
    /// Whether one of several replicas leads. They share nothing, so only one may answer: each would know half of the
    /// requests and hold half of the queue.
    pub const fn elects_leader(&self) -> bool {
        self.replicas > 1
    }
}

/// A picker's configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigPlan {
    /// Ours.
    Composed(ComposedConfig),
    /// The platform's own, as it is written.
    Written(String),
}

/// What our configuration of a picker says.
#[derive(Debug, Clone, PartialEq)]
pub struct ComposedConfig {
    /// The age from which on an endpoint's metrics are no longer believed.
    pub metrics_staleness: Duration,
    /// Present where requests wait in the picker.
    pub flow_control: Option<FlowControlPlan>,
    /// What it scores endpoints by.
    pub scorers: Vec<Scorer>,
}

/// Requests that wait in the picker. A release that has no word for one of the bounds has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowControlPlan {
    /// How long a request may wait; `None` leaves it to the release.
    pub hold: Option<Duration>,
    /// Bytes that may wait in all.
    pub max_bytes: u64,
    /// Requests that may wait in all.
    pub max_requests: u64,
    /// The priority whose requests are refused while one of them waits.
    pub shed: Option<i32>,
}

/// What the stack asks of its picker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Whether the model may sleep.
    pub(super) sleeps: bool,
    /// How long a request may have to wait for a model that wakes.
    pub(super) cold_start: Duration,
    /// The model's priority.
    pub(super) priority: i32,
    /// Whether adapters are served beside the model.
    pub(super) adapters: bool,
}

/// Decides everything about the picker.
pub(super) fn decide(picker: &Picker, wanted: Wanted) -> Result<PickerPlan, Vec<Problem>> {
    match &picker.existing {
        Some(existing) => use_existing(picker, existing).map(PickerPlan::Existing),
        None => compose(picker, wanted).map(PickerPlan::Own),
    }
}

/// A picker that is already there. What would be written into its Deployment, or read out of it, cannot be had.
fn use_existing(picker: &Picker, existing: &ExistingPicker) -> Result<ExistingPlan, Vec<Problem>> {
    let Picker {
        version,
        family,
        image,
        replicas,
        resources,
        scorers,
        config,
        failure_mode,
        flow_control,
        metrics_auth,
        existing: _,
    } = picker;
    let want = |what: &str| {
        format!("must be {what} where existing is there: that picker is not composed, so set it there")
    };
    let left_out = || want("left out");
    let mut problems: Vec<Problem> = [
        image.as_ref().map(|image| input("spec.endpointPicker.image", image, left_out())),
        (*replicas > 1).then(|| input("spec.endpointPicker.replicas", replicas, left_out())),
        resources.as_ref().map(|_| input_has("spec.endpointPicker.resources", left_out())),
        scorers.as_ref().map(|_| input_has("spec.endpointPicker.scorers", left_out())),
        config.as_ref().map(|_| input_has("spec.endpointPicker.config", left_out())),
        match flow_control {
            Toggle::Auto => None,
            Toggle::Enabled => Some(input(FLOW_CONTROL, "Enabled", want("Auto"))),
            Toggle::Disabled => Some(input(FLOW_CONTROL, "Disabled", want("Auto"))),
        },
        (*metrics_auth == MetricsAuth::Token)
            .then(|| input("spec.endpointPicker.metricsAuth", "Token", want("None"))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let family = match family {
        Some(family) => Ok(*family),
        None => family_of(version.as_deref()),
    };
    let family = family.map_err(|problem| problems.push(problem)).ok();
    let Some(family) = family.filter(|_| problems.is_empty()) else { return Err(problems) };
    let ExistingPicker { name, port } = existing;
    Ok(ExistingPlan {
        family,
        failure_mode: *failure_mode,
        service: name.clone(),
        port: port.unwrap_or(PICKER_PORT),
    })
}

/// One of the model's own.
fn compose(picker: &Picker, wanted: Wanted) -> Result<OwnPicker, Vec<Problem>> {
    let Picker {
        version,
        family,
        image,
        replicas,
        resources,
        scorers,
        config,
        failure_mode,
        flow_control,
        metrics_auth,
        existing: _,
    } = picker;
    let (family, image) =
        release(version.as_deref(), *family, image.as_deref()).map_err(|problem| vec![problem])?;
    let decision = match config {
        Some(config) => written(config, scorers.as_deref(), *flow_control, family, wanted),
        None => composed(scorers.as_deref(), *flow_control, family, wanted),
    };
    let mut problems = Vec::new();
    let decision = decision.map_err(|found| problems.extend(found)).ok();
    let queue_bytes = decision.as_ref().and_then(|decision| decision.queue_bytes);
    let resources = resources.clone().unwrap_or_else(|| default_resources(queue_bytes));
    if let Some(queue_bytes) = queue_bytes
        && let Some(limit) = resources.limits.as_ref().and_then(|limits| limits.get("memory"))
        && Bytes::parse(&limit.0).is_none_or(|bytes| bytes.units() <= u128::from(queue_bytes))
    {
        problems.push(input(
            "spec.endpointPicker.resources.limits.memory",
            &limit.0,
            format!("must be above {queue_bytes} bytes, which waiting requests may take"),
        ));
    }
    let Some(decision) = decision.filter(|_| problems.is_empty()) else { return Err(problems) };
    Ok(OwnPicker {
        family,
        image,
        replicas: *replicas,
        resources,
        failure_mode: *failure_mode,
        holds: queue_bytes.is_some(),
        sheds: decision.sheds,
        experimental_plugins: decision.experimental,
        metrics_auth: *metrics_auth,
        config: decision.config,
    })
}

/// Which release it is, and its image.
fn release(
    version: Option<&str>,
    family: Option<Family>,
    image: Option<&str>,
) -> Result<(Family, String), Problem> {
    let known = version.and_then(Family::of);
    let family = match (family, version, known) {
        (Some(family), Some(version), known) if known != Some(family) && image.is_none() => {
            let want = format!("must be there, since {version} is no release of {}", family.as_str());
            return Err(input_misses("spec.endpointPicker.image", want));
        }
        (Some(family), _, _) => family,
        (None, version, _) => family_of(version)?,
    };
    let traits = family.traits();
    let image = image.map_or_else(
        || format!("{}:{}", traits.repository, version.unwrap_or(traits.version)),
        str::to_owned,
    );
    Ok((family, image))
}

/// Which releases one belongs to.
fn family_of(version: Option<&str>) -> Result<Family, Problem> {
    let Some(version) = version else { return Ok(Family::DEFAULT) };
    Family::of(version).ok_or_else(|| {
        let releases = Family::ALL.map(Family::release).join(", ");
        let want = format!(
            "must be of a known release: {releases}; or have family say which of them a fork behaves like"
        );
        input("spec.endpointPicker.version", version, want)
    })
}

/// The configuration, and what follows from it.
struct Decision {
    config: ConfigPlan,
    /// Bytes that waiting requests can take, where they may wait; the container's memory limit must be above it.
    queue_bytes: Option<u64>,
    sheds: bool,
    experimental: bool,
}

/// Our own configuration.
fn composed(
    scorers: Option<&[Scorer]>,
    flow_control: Toggle,
    family: Family,
    wanted: Wanted,
) -> Result<Decision, Vec<Problem>> {
    let mut problems = Vec::new();
    let holds = match flow_control {
        Toggle::Auto => wanted.sleeps,
        Toggle::Enabled => true,
        Toggle::Disabled => {
            if wanted.sleeps {
                problems.push(input(
                    FLOW_CONTROL,
                    "Disabled",
                    "must be Auto or Enabled where minReplicas is 0: only a request that waits in the picker wakes the model",
                ));
            }
            false
        }
    };
    let queue = family.traits().queue;
    let shed = (wanted.priority < 0 && queue.can_shed()).then_some(wanted.priority);
    let experimental = scorers.is_some_and(|scorers| check_scorers(scorers, family, &mut problems));
    if !problems.is_empty() {
        return Err(problems);
    }
    let scorer = |(plugin, weight): (&str, f64)| Scorer { plugin: plugin.to_owned(), weight };
    let mut scorers = scorers.map_or_else(|| SCORERS.map(scorer).to_vec(), <[_]>::to_vec);
    if wanted.adapters && !scorers.iter().any(|scorer| scorer.plugin == LORA_SCORER.0) {
        scorers.push(scorer(LORA_SCORER));
    }
    let config = ComposedConfig {
        metrics_staleness: METRICS_STALENESS,
        flow_control: holds.then_some(FlowControlPlan {
            hold: wanted.sleeps.then_some(wanted.cold_start),
            max_bytes: QUEUE_BYTES,
            max_requests: QUEUE_REQUESTS,
            shed,
        }),
        scorers,
    };
    let queue_bytes = match queue {
        Queue::Fixed => PRIORITIES * QUEUE_BYTES,
        Queue::Bytes | Queue::BytesAndRequests => QUEUE_BYTES,
    };
    Ok(Decision {
        config: ConfigPlan::Composed(config),
        queue_bytes: holds.then_some(queue_bytes),
        sheds: wanted.priority >= 0 || !holds || queue.can_shed(),
        experimental,
    })
}

/// The platform's own configuration, which decides everything that other fields would.
fn written(
    config: &PickerConfig,
    scorers: Option<&[Scorer]>,
    flow_control: Toggle,
    family: Family,
    wanted: Wanted,
) -> Result<Decision, Vec<Problem>> {
    let mut problems = Vec::new();
    if scorers.is_some() {
        problems.push(input_has(
            "spec.endpointPicker.scorers",
            "must be left out where config is there, which has its own",
        ));
    }
    if flow_control != Toggle::Auto {
        problems.push(input_has(FLOW_CONTROL, "must be left out where config is there, whose gates decide"));
    }
    let found = raw::check(&config.tree, family, wanted).map_err(|found| problems.extend(found)).ok();
    let Some(found) = found.filter(|_| problems.is_empty()) else { return Err(problems) };
    Ok(Decision {
        config: ConfigPlan::Written(config.text.clone()),
        queue_bytes: found.holds.then_some(found.queue_bytes),
        sheds: wanted.priority >= 0 || !found.holds || found.bounds_priority,
        experimental: found.experimental,
    })
}

const FLOW_CONTROL: &str = "spec.endpointPicker.flowControl";

/// Every scorer is one that the release knows, named once, with a weight that it reads. Whether the release has to be
/// told to take one of them.
fn check_scorers(scorers: &[Scorer], family: Family, problems: &mut Vec<Problem>) -> bool {
    if scorers.is_empty() {
        let path = Path::dotted("spec.endpointPicker.scorers");
        let want = "must have an entry; leave it out for queue, KV cache and prefix cache".to_owned();
        problems.push(Problem { source: Source::Input, path, seen: "a list of 0".to_owned(), want });
    }
    let known: Vec<&str> = plugins::Plugin::scorers_of(family).map(|plugin| plugin.kind).collect();
    let mut experimental = false;
    for (index, Scorer { plugin, weight }) in scorers.iter().enumerate() {
        let mut refuse = |field: &str, seen: String, want: String| {
            let mut path = Path::dotted("spec.endpointPicker.scorers");
            path.0.extend([Step::Index(index), Step::Field(field.to_owned())]);
            problems.push(Problem { source: Source::Input, path, seen, want });
        };
        if let Some(found) = plugins::Plugin::scorers_of(family).find(|known| known.kind == plugin) {
            experimental |= found.is_experimental_in(family);
        } else {
            let elsewhere = plugins::Plugin::scorer(plugin).map(|plugin| plugin.known);
            refuse(
                "type",
                format!("{plugin:?}"),
                known::unknown("a scorer", plugin, family, elsewhere, &known),
            );
        }
        if scorers.iter().take(index).any(|earlier| earlier.plugin == *plugin) {
            refuse("type", format!("{plugin:?}"), "must be there once".to_owned());
        }
        if weight.fract() != 0.0 && !family.traits().fractional_weights {
            let want = format!("must be a whole number: {} reads no other", family.release());
            refuse("weight", weight.to_string(), want);
        }
    }
    experimental
}

/// Container resources where the platform says nothing.
fn default_resources(queue_bytes: Option<u64>) -> ResourceRequirements {
    // Whole GiB, so that the quantity is canonical and the scheduler's arithmetic easy to follow.
    let limit_gib = BASE_MEMORY_BYTES.saturating_add(queue_bytes.unwrap_or(0)).div_ceil(1024 * 1024 * 1024);
    let quantities = |pairs: [(&str, String); 2]| -> BTreeMap<String, Quantity> {
        pairs.into_iter().map(|(name, value)| (name.to_owned(), Quantity(value))).collect()
    };
    ResourceRequirements {
        requests: Some(quantities([("cpu", "500m".to_owned()), ("memory", "512Mi".to_owned())])),
        limits: Some(quantities([("cpu", "2".to_owned()), ("memory", format!("{limit_gib}Gi"))])),
        ..ResourceRequirements::default()
    }
}

#[cfg(test)]
mod raw_tests;
#[cfg(test)]
mod tests;
