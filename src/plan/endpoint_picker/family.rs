//! The release table: everything that depends on which release the Endpoint Picker is.
//!
//! GIE stands for kubernetes-sigs/gateway-api-inference-extension, whose last release with a picker is v1.5.0, LDR for
//! llm-d/llm-d-router, which goes on from there.

use crate::api::Duration;
pub use crate::api::settings::PickerFamily as Family;
use crate::kinds::inference::{EXPERIMENTAL_GROUP, LLM_D_GROUP};

use super::super::keys::Key;

/// The gate that lets requests wait in the picker.
pub const FLOW_CONTROL_GATE: &str = "flowControl";
/// The plugin that says when the pool has no room, where that is a plugin.
pub const UTILIZATION_DETECTOR: &str = "utilization-detector";

/// What holds for a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Versions of the family start so.
    pub version_prefix: &'static str,
    /// The release that is taken where only the family is named.
    pub version: &'static str,
    /// The image, without a tag.
    pub repository: &'static str,
    /// `apiVersion` of the configuration file.
    pub config_api_version: &'static str,
    /// The same under its former group, which the picker still reads.
    pub former_config_api_version: Option<&'static str>,
    /// Whether a scorer's weight may be a fraction. Elsewhere one stops the start.
    pub fractional_weights: bool,
    /// Whether the gate `dataLayer` and the section `data` stand together or not at all.
    pub gated_data_layer: bool,
    /// Whether a gate may be written with its value, `gate=false`.
    pub gates_with_values: bool,
    /// How the configuration says when the pool has no room.
    pub saturation: Saturation,
    /// Which objective is the one that the picker reads.
    pub objective: Key,
    /// `apiVersion` of objectives and rewrites.
    pub objective_api_version: &'static str,
    /// The groups in which the picker watches objectives and rewrites, by what the cluster knows.
    pub objective_groups: &'static [&'static str],
    /// `appProtocol` of the Service's port that gateways ask.
    pub app_protocol: Option<&'static str>,
    /// What the name of the lease ends with that the leader of several replicas holds.
    pub lease_suffix: &'static str,
    /// Requests that wait in the picker; labelled `inference_pool`.
    pub queue_metric: &'static str,
    /// Requests that the pool works on.
    pub running_metric: &'static str,
    /// Requests that were handed on.
    pub request_metric: &'static str,
    /// Requests that failed, in the picker or after it; labelled `error_code`.
    pub error_metric: &'static str,
    /// How long requests waited, a histogram; labelled `inference_pool` and `outcome`.
    pub wait_metric: &'static str,
    /// Paths whose requests the picker understands. It refuses all others, or takes them for what they are not.
    pub paths: &'static [&'static str],
    /// Request headers that the picker trusts.
    pub headers: Headers,
    /// What the configuration says about requests that wait.
    pub queue: Queue,
    /// How long a request waits where the configuration does not say.
    pub default_hold: Option<Duration>,
}

/// How the configuration says when the pool has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saturation {
    /// Thresholds at the top level.
    Thresholds,
    /// A plugin, referred to at the top level.
    Plugin,
    /// A plugin, referred to in `flowControl`, whether that is on or not.
    FlowControlPlugin,
}

/// What the configuration can say about requests that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// Nothing: 1 GB of them may wait for each priority, for ever.
    Fixed,
    /// How many bytes of them may wait, and for how long.
    Bytes,
    /// How many bytes of them may wait, how many requests, in all and for each priority, and for how long.
    BytesAndRequests,
}

impl Queue {
    /// Whether requests of one priority can be refused at once while others wait. A bound in bytes cannot: it would
    /// have to be above the largest request, and so lets many small ones wait.
    pub const fn can_shed(self) -> bool {
        match self {
            Self::Fixed | Self::Bytes => false,
            Self::BytesAndRequests => true,
        }
    }
}

/// Request headers that the picker trusts, whoever sets them. Of several names of one header the first one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headers {
    /// Names the request's objective, and so its priority.
    pub objective: &'static [&'static str],
    /// Names the flow among which requests of one priority are shared out.
    pub fairness: &'static [&'static str],
    /// Names the model that the engine is asked for.
    pub rewrite: &'static [&'static str],
}

/// GIE v1.3.1 and v1.5.0, `pkg/epp/metadata/consts.go`.
const GATEWAY_HEADERS: Headers = Headers {
    objective: &["x-gateway-inference-objective"],
    fairness: &["x-gateway-inference-fairness-id"],
    rewrite: &["x-gateway-model-name-rewrite"],
};

/// LDR v0.9.0 and v0.10.0, `pkg/epp/metadata/consts.go`: new names, and the old ones as their aliases.
const LLM_D_HEADERS: Headers = Headers {
    objective: &["x-llm-d-inference-objective", "x-gateway-inference-objective"],
    fairness: &["x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id"],
    rewrite: &["x-llm-d-model-name-rewrite", "x-gateway-model-name-rewrite"],
};

/// Each family differs from the one before it by what is written out.
const GIE_1_3: Traits = Traits {
    version_prefix: "v1.3.",
    version: "v1.3.1",
    repository: "registry.k8s.io/gateway-api-inference-extension/epp",
    // GIE v1.3.1, `apix/config/v1alpha1`: weights are `*int`, thresholds stand inline, there is no `flowControl`.
    config_api_version: "inference.networking.x-k8s.io/v1alpha1",
    former_config_api_version: None,
    fractional_weights: false,
    // GIE v1.3.1 and v1.4.0, `pkg/epp/config/loader/configloader.go`.
    gated_data_layer: true,
    gates_with_values: false,
    saturation: Saturation::Thresholds,
    // GIE v1.3.1, `pkg/epp/server/controller_config.go`.
    objective: Key::InferenceObjective,
    objective_api_version: "inference.networking.x-k8s.io/v1alpha2",
    objective_groups: &[EXPERIMENTAL_GROUP],
    app_protocol: None,
    // GIE v1.3.1, `pkg/epp/server/controller_manager.go`.
    lease_suffix: "gateway-api-inference-extension.sigs.k8s.io",
    // GIE v1.3.1, `pkg/epp/metrics/metrics.go`.
    queue_metric: "inference_extension_flow_control_queue_size",
    running_metric: "inference_objective_running_requests",
    request_metric: "inference_objective_request_total",
    error_metric: "inference_objective_request_error_total",
    wait_metric: "inference_extension_flow_control_request_queue_duration_seconds",
    // GIE v1.3.1, `pkg/epp/util/request/body.go`: whatever the path is, a body needs `prompt` or `messages`.
    paths: &["/v1/completions", "/v1/chat/completions"],
    headers: GATEWAY_HEADERS,
    // GIE v1.3.1, `cmd/epp/runner/runner.go`: "hardcoded for POC only".
    queue: Queue::Fixed,
    default_hold: None,
};

const GIE_1_4: Traits = Traits {
    version_prefix: "v1.4.",
    version: "v1.4.0",
    // GIE v1.4.0, `pkg/epp/util/request/body.go`.
    paths: &["/v1/completions", "/v1/chat/completions", "/v1/responses"],
    // GIE v1.4.0, `apix/config/v1alpha1`: weights are `*float64`, `maxBytes` is `*int64`.
    fractional_weights: true,
    queue: Queue::Bytes,
    ..GIE_1_3
};

const GIE_1_5: Traits = Traits {
    version_prefix: "v1.5.",
    version: "v1.5.0",
    // GIE v1.5.0: the section is `dataLayer`, and needs no gate.
    gated_data_layer: false,
    // GIE v1.5.0, `apix/config/v1alpha1`: `saturationDetector` has a `pluginRef` and nothing else; `maxBytes` and
    // `maxRequests` are quantities.
    saturation: Saturation::Plugin,
    // GIE v1.5.0, `pkg/epp/framework/plugins/requesthandling/parsers/openai`.
    paths: &["/v1/completions", "/v1/chat/completions", "/v1/responses", "/v1/embeddings"],
    queue: Queue::BytesAndRequests,
    ..GIE_1_4
};

const LLM_D_0_9: Traits = Traits {
    version_prefix: "v0.9.",
    version: "v0.9.0",
    repository: "ghcr.io/llm-d/llm-d-router-endpoint-picker",
    // LDR v0.9.0, `apix/config/v1alpha1`.
    config_api_version: "llm-d.ai/v1alpha1",
    former_config_api_version: Some("inference.networking.x-k8s.io/v1alpha1"),
    saturation: Saturation::FlowControlPlugin,
    // LDR v0.9.0, `pkg/epp/server/controller_config.go`: the old group only where the cluster knows no other.
    objective: Key::InferenceObjectiveLlmD,
    objective_api_version: "llm-d.ai/v1alpha2",
    objective_groups: &[LLM_D_GROUP, EXPERIMENTAL_GROUP],
    // LDR v0.9.0, `pkg/epp/server/controller_manager.go`.
    lease_suffix: "llm-d.ai",
    // LDR v0.9.0, `pkg/epp/metrics/llm_d_router_metrics.go`; the old series are still written beside them.
    queue_metric: "llm_d_epp_flow_control_queue_size",
    running_metric: "llm_d_epp_request_running",
    request_metric: "llm_d_epp_request_total",
    error_metric: "llm_d_epp_request_error_total",
    wait_metric: "llm_d_epp_flow_control_request_queue_duration_seconds",
    // LDR v0.9.0, `pkg/epp/framework/plugins/requesthandling/parsers`: openai, anthropic and vllmhttp, all three built in.
    paths: &[
        "/v1/completions",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/embeddings",
        "/v1/messages",
        "/inference/v1/generate",
    ],
    headers: LLM_D_HEADERS,
    ..GIE_1_5
};

const LLM_D_0_10: Traits = Traits {
    version_prefix: "v0.10.",
    version: "v0.10.0",
    // LDR v0.10.0, `pkg/epp/config/loader/configloader.go`.
    gates_with_values: true,
    // LDR v0.10.0, `config/charts/routerlib/templates/_service.yaml`.
    app_protocol: Some("kubernetes.io/h2c"),
    // LDR v0.10.0, `apix/config/v1alpha1`.
    default_hold: Some(Duration::from_seconds(60)),
    ..LLM_D_0_9
};

impl Family {
    /// Where the platform names none: the first release that has all that a stack needs.
    pub const DEFAULT: Self = Self::Gie1_3;

    /// The table.
    pub const fn traits(self) -> Traits {
        match self {
            Self::Gie1_3 => GIE_1_3,
            Self::Gie1_4 => GIE_1_4,
            Self::Gie1_5 => GIE_1_5,
            Self::LlmD0_9 => LLM_D_0_9,
            Self::LlmD0_10 => LLM_D_0_10,
        }
    }

    /// The family of a version such as `v1.3.1`; a newer patch of a known minor is that family.
    pub fn of(version: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| {
            version
                .strip_prefix(family.traits().version_prefix)
                .is_some_and(|patch| !patch.is_empty() && patch.bytes().all(|b| b.is_ascii_digit()))
        })
    }

    /// Its releases, for people: `v1.3.x`.
    pub fn release(self) -> String {
        format!("{}x", self.traits().version_prefix)
    }
}
