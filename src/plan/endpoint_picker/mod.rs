//! Everything about the Endpoint Picker of one stack.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::quantity::Quantity as Bytes;
use crate::api::settings::{Picker, Toggle};
use crate::api::{Duration, Problem};

use super::checks::{input, input_misses};
use super::{FlowControlPlan, PickerPlan, Scorer};

mod family;

pub use family::{FLOW_CONTROL_GATE, Family, Headers, Queue, Saturation, Traits, UTILIZATION_DETECTOR};

/// The charts' profile (GIE v1.3.1, `config/charts/inferencepool/values.yaml`), and the built-in one of later releases.
const SCORERS: [(&str, f64); 3] =
    [("queue-scorer", 2.0), ("kv-cache-utilization-scorer", 2.0), ("prefix-cache-scorer", 3.0)];

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

impl Queue {
    /// Bytes that waiting requests can take; the container's memory limit must be above it.
    const fn bytes(self) -> u64 {
        match self {
            Self::Fixed => PRIORITIES * QUEUE_BYTES,
            Self::Bytes | Self::BytesAndRequests => QUEUE_BYTES,
        }
    }
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
}

/// Decides everything about the picker.
pub(super) fn decide(picker: &Picker, wanted: Wanted) -> Result<PickerPlan, Vec<Problem>> {
    let Picker { version, family, image, replicas, resources, failure_mode, flow_control } = picker;
    let (family, image) =
        release(version.as_deref(), *family, image.as_deref()).map_err(|problem| vec![problem])?;
    let queue = family.traits().queue;
    let mut problems = Vec::new();
    let waits = match flow_control {
        Toggle::Auto => wanted.sleeps,
        Toggle::Enabled => true,
        Toggle::Disabled => {
            if wanted.sleeps {
                problems.push(input(
                    "spec.endpointPicker.flowControl",
                    "Disabled",
                    "must be Auto or Enabled where minReplicas is 0: only a request that waits in the picker wakes the model",
                ));
            }
            false
        }
    };
    let flow_control = waits.then(|| FlowControlPlan {
        hold: wanted.sleeps.then_some(wanted.cold_start),
        max_bytes: QUEUE_BYTES,
        max_requests: QUEUE_REQUESTS,
        shed: (wanted.priority < 0 && queue.can_shed()).then_some(wanted.priority),
    });
    let resources = resources.clone().unwrap_or_else(|| default_resources(waits.then_some(queue)));
    if waits && let Some(limit) = resources.limits.as_ref().and_then(|limits| limits.get("memory")) {
        let bytes = Bytes::parse(&limit.0).map(Bytes::units);
        if bytes.is_none_or(|bytes| bytes <= u128::from(queue.bytes())) {
            problems.push(input(
                "spec.endpointPicker.resources.limits.memory",
                &limit.0,
                format!("must be above {} bytes, which waiting requests may take", queue.bytes()),
            ));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(PickerPlan {
        family,
        image,
        replicas: *replicas,
        resources,
        failure_mode: *failure_mode,
        metrics_staleness: METRICS_STALENESS,
        sheds: wanted.priority >= 0 || !waits || queue.can_shed(),
        flow_control,
        scorers: SCORERS.map(|(plugin, weight)| Scorer { plugin: plugin.to_owned(), weight }).to_vec(),
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
        (Some(family), _, _) | (None, Some(_), Some(family)) => family,
        (None, None, _) => Family::Gie1_3,
        (None, Some(version), None) => {
            let want = format!(
                "must be of a known release: {}; or have family say which of them a fork behaves like",
                Family::releases()
            );
            return Err(input("spec.endpointPicker.version", version, want));
        }
    };
    let traits = family.traits();
    let image = image.map_or_else(
        || format!("{}:{}", traits.repository, version.unwrap_or(traits.version)),
        str::to_owned,
    );
    Ok((family, image))
}

/// Container resources where the platform says nothing.
fn default_resources(queue: Option<Queue>) -> ResourceRequirements {
    let queue = queue.map_or(0, Queue::bytes);
    // Whole GiB, so that the quantity is canonical and the scheduler's arithmetic easy to follow.
    let limit_gib = (BASE_MEMORY_BYTES + queue).div_ceil(1024 * 1024 * 1024);
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
mod tests;
