//! The release table: everything that depends on the Endpoint Picker's version.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::api::Problem;
use crate::api::quantity::Quantity as Bytes;
use crate::api::settings::{Picker, Toggle};

use super::checks::input;
use super::{PickerPlan, Scorer};

/// The charts' profile (GIE v1.3.1, `config/charts/inferencepool/values.yaml`).
const SCORERS: [Scorer; 3] = [
    Scorer { plugin: "queue-scorer", weight: 2 },
    Scorer { plugin: "kv-cache-utilization-scorer", weight: 2 },
    Scorer { plugin: "prefix-cache-scorer", weight: 3 },
];

/// A family of picker releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// kubernetes-sigs/gateway-api-inference-extension v1.3.x.
    Gie1_3,
}

/// What holds for a family. `GIE` stands for kubernetes-sigs/gateway-api-inference-extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Versions of the family start so.
    pub version_prefix: &'static str,
    /// The image, without a tag.
    pub repository: &'static str,
    /// `apiVersion` of the configuration file.
    pub config_api_version: &'static str,
    /// The group of objectives and rewrites that the picker watches.
    pub objective_group: &'static str,
    /// The gate that lets requests wait in the picker.
    pub flow_control_gate: &'static str,
    /// Requests that wait in the picker; labelled `inference_pool`.
    pub queue_metric: &'static str,
    /// Requests that the pool works on.
    pub running_metric: &'static str,
    /// Bytes of requests that may wait in one priority band.
    pub band_bytes: u64,
}

impl Release {
    /// Every family.
    pub const ALL: [Self; 1] = [Self::Gie1_3];

    /// The table.
    pub const fn traits(self) -> Traits {
        match self {
            Self::Gie1_3 => Traits {
                version_prefix: "v1.3.",
                repository: "registry.k8s.io/gateway-api-inference-extension/epp",
                // GIE v1.3.1, apix/config/v1alpha1.
                config_api_version: "inference.networking.x-k8s.io/v1alpha1",
                objective_group: crate::kinds::inference::EXPERIMENTAL_GROUP,
                // GIE v1.3.1, pkg/epp/flowcontrol: FeatureGate.
                flow_control_gate: "flowControl",
                // GIE v1.3.1, pkg/epp/metrics/metrics.go.
                queue_metric: "inference_extension_flow_control_queue_size",
                running_metric: "inference_objective_running_requests",
                // GIE v1.3.1, pkg/epp/flowcontrol/registry/config.go: 1 GB per band, and no setting for it.
                band_bytes: 1_000_000_000,
            },
        }
    }

    /// The family of a version such as `v1.3.1`; a newer patch of a known minor is that family.
    pub fn of(version: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|release| {
            version
                .strip_prefix(release.traits().version_prefix)
                .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
        })
    }

    /// Memory of the picker itself, beside what waits in it.
    const BASE_MEMORY_BYTES: u64 = 512 * 1024 * 1024;

    /// Requests can wait in two bands: the model's own priority, and zero for requests without an objective.
    const BANDS: u64 = 2;

    /// Bytes that waiting requests can take; the container's memory limit must be above it.
    pub const fn queue_bytes(self) -> u64 {
        Self::BANDS * self.traits().band_bytes
    }

    /// Container resources where the platform says nothing.
    pub fn default_resources(self, flow_control: bool) -> ResourceRequirements {
        let queue = if flow_control { self.queue_bytes() } else { 0 };
        // Whole GiB, so that the quantity is canonical and the scheduler's arithmetic easy to follow.
        let limit_gib = (Self::BASE_MEMORY_BYTES + queue).div_ceil(1024 * 1024 * 1024);
        let quantities = |pairs: [(&str, String); 2]| -> BTreeMap<String, Quantity> {
            pairs.into_iter().map(|(name, value)| (name.to_owned(), Quantity(value))).collect()
        };
        ResourceRequirements {
            requests: Some(quantities([("cpu", "500m".to_owned()), ("memory", "512Mi".to_owned())])),
            limits: Some(quantities([("cpu", "2".to_owned()), ("memory", format!("{limit_gib}Gi"))])),
            ..ResourceRequirements::default()
        }
    }
}

/// Everything about the picker of one stack.
pub(super) fn decide(picker: &Picker, sleeps: bool) -> Result<PickerPlan, Vec<Problem>> {
    let Picker { version, image, resources, failure_mode, flow_control } = picker;
    let Some(release) = Release::of(version) else {
        let known: Vec<String> =
            Release::ALL.iter().map(|release| format!("{}x", release.traits().version_prefix)).collect();
        let want = format!("must be of a known release: {}", known.join(", "));
        return Err(vec![input("spec.endpointPicker.version", version, want)]);
    };
    let mut problems = Vec::new();
    let waits = match flow_control {
        Toggle::Auto => sleeps,
        Toggle::Enabled => true,
        Toggle::Disabled => {
            if sleeps {
                problems.push(input(
                    "spec.endpointPicker.flowControl",
                    "Disabled",
                    "must be Auto or Enabled where minReplicas is 0: only a request that waits in the picker wakes the model",
                ));
            }
            false
        }
    };
    let resources = resources.clone().unwrap_or_else(|| release.default_resources(waits));
    if waits && let Some(limit) = resources.limits.as_ref().and_then(|limits| limits.get("memory")) {
        let bytes = Bytes::parse(&limit.0).map(Bytes::units);
        if bytes.is_none_or(|bytes| bytes <= u128::from(release.queue_bytes())) {
            problems.push(input(
                "spec.endpointPicker.resources.limits.memory",
                &limit.0,
                format!("must be above {} bytes, which waiting requests may take", release.queue_bytes()),
            ));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(PickerPlan {
        release,
        image: image.clone().unwrap_or_else(|| format!("{}:{version}", release.traits().repository)),
        resources,
        failure_mode: *failure_mode,
        flow_control: waits,
        feature_gates: if waits { vec![release.traits().flow_control_gate] } else { Vec::new() },
        scorers: SCORERS.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::Release;

    #[test]
    fn a_version_belongs_to_the_family_of_its_minor() {
        let cases = [
            ("v1.3.1", Some(Release::Gie1_3), "the default"),
            ("v1.3.12", Some(Release::Gie1_3), "a newer patch of a known minor is that family"),
            ("v1.3", None, "a version without a patch names no image"),
            ("1.3.1", None, "image tags start with v"),
            ("v1.3.1-rc.1", None, "what a pre-release accepts is unknown"),
            ("v1.30.1", None, "another minor"),
            ("", None, "nothing"),
        ];
        for (version, want, reason) in cases {
            assert_eq!(Release::of(version), want, "{version}: {reason}");
        }
    }

    #[test]
    fn the_memory_limit_is_above_what_can_wait() {
        let limit = |flow_control| {
            let resources = Release::Gie1_3.default_resources(flow_control);
            resources.limits.unwrap()["memory"].0.clone()
        };
        assert_eq!(limit(false), "1Gi");
        assert_eq!(limit(true), "3Gi", "two bands of 1 GB and the picker itself");
        assert!(3 * 1024 * 1024 * 1024 > Release::Gie1_3.queue_bytes());
    }
}
