//! What each release of the Endpoint Picker knows, read from its own sources and written down here, so that a slip in
//! `src/plan/endpoint_picker`, which this file shares nothing with, shows.
//!
//! GIE is kubernetes-sigs/gateway-api-inference-extension at v1.3.1, v1.4.0 and v1.5.0, LDR llm-d/llm-d-router at v0.9.0
//! and v0.10.0.

use std::collections::BTreeSet;

use function_inference::cli::render::references::Rendered;
use serde_json::Value;

/// What one release knows.
pub(crate) struct Release {
    /// As `endpointPicker.family` calls it.
    pub(crate) family: &'static str,
    /// `pkg/epp/server/options.go`, and of LDR and GIE v1.5.0 `pkg/common/observability/logging/options.go`: flags beside
    /// [`FLAGS`].
    flags: &'static [&'static str],
    /// `apiVersion` of the configuration: `apix/config/v1alpha1/register.go`.
    config: &'static str,
    /// `apix/config/v1alpha1/endpointpickerconfig_types.go`: keys beside [`KEYS`]. It is decoded strictly.
    keys: &'static [&'static str],
    /// Whether `SchedulingPlugin.Weight` there is a float.
    fractions: bool,
    /// `cmd/epp/runner/runner.go`, `registerInTreePlugins`: plugins beside [`PLUGINS`].
    plugins: &'static [&'static str],
    /// Parameters of plugins that read them strictly, or ignore what they do not know: the plugin's own `factory`.
    parameters: &'static [&'static str],
    /// `cmd/epp/runner/runner.go`, `RegisterFeatureGate`.
    gates: &'static [&'static str],
    /// Group and version of objectives: `pkg/epp/server/controller_manager.go`.
    objective: &'static str,
    /// Groups of objectives and rewrites that it watches: the same.
    groups: &'static [&'static str],
    /// How the lease ends that replicas elect a leader by: the same, `LeaderElectionID`.
    lease: &'static str,
    /// `pkg/epp/metrics/metrics.go`, of LDR `llm_d_router_metrics.go`.
    series: &'static [&'static str],
    /// `pkg/epp/metadata/consts.go`.
    headers: &'static [&'static str],
    /// `appProtocol` of its Service in the release's own chart: `config/charts`.
    app_protocol: Option<&'static str>,
}

/// Flags of every release; `zap-*` are controller-runtime's (`pkg/log/zap/zap.go`).
const FLAGS: &[&str] = &[
    "cert-path",
    "config-file",
    "config-text",
    "disable-endpoint-subset-filter",
    "enable-cert-reload",
    "enable-pprof",
    "endpoint-selector",
    "endpoint-target-ports",
    "grpc-health-port",
    "grpc-port",
    "ha-enable-leader-election",
    "health-checking",
    "metrics-endpoint-auth",
    "metrics-port",
    "metrics-staleness-threshold",
    "pool-group",
    "pool-name",
    "pool-namespace",
    "refresh-metrics-interval",
    "refresh-prometheus-metrics-interval",
    "secure-serving",
    "tracing",
    "v",
    "zap-devel",
    "zap-encoder",
    "zap-log-level",
    "zap-stacktrace-level",
    "zap-time-encoding",
];

/// Of GIE v1.5.0 and LDR the names of engine metrics are left out: each of them stops the start, although it is a flag.
const ENGINE_FLAGS: &[&str] = &[
    "cache-info-metric",
    "kv-cache-usage-percentage-metric",
    "lora-info-metric",
    "model-server-metrics-https-insecure-skip-verify",
    "model-server-metrics-path",
    "model-server-metrics-port",
    "model-server-metrics-scheme",
    "total-queued-requests-metric",
    "total-running-requests-metric",
];

const ENGINE_FLAGS_OF_1_5: &[&str] = &[
    "model-server-metrics-https-insecure-skip-verify",
    "model-server-metrics-path",
    "model-server-metrics-port",
    "model-server-metrics-scheme",
];

const FLAGS_OF_LLM_D_0_9: &[&str] = &[
    "enable-grpc-stream-metrics",
    "grpc-max-recv-msg-size",
    "grpc-max-send-msg-size",
    "model-server-metrics-https-insecure-skip-verify",
    "model-server-metrics-path",
    "model-server-metrics-port",
    "model-server-metrics-scheme",
];

const FLAGS_OF_LLM_D_0_10: &[&str] = &[
    "allow-experimental-plugins",
    "drain-timeout",
    "emit-endpoint-scores",
    "enable-grpc-stream-metrics",
    "grpc-max-recv-msg-size",
    "grpc-max-send-msg-size",
    "metrics-cert-dir",
    "metrics-client-ca-file",
    "tls-cipher-suites",
    "tls-min-version",
];

/// Keys of every configuration; below `parameters` each plugin has its own.
const KEYS: &[&str] = &[
    "apiVersion",
    "kind",
    "featureGates[]",
    "plugins[].name",
    "plugins[].type",
    "schedulingProfiles[].name",
    "schedulingProfiles[].plugins[].pluginRef",
    "schedulingProfiles[].plugins[].weight",
];

const KEYS_OF_1_3: &[&str] = &[
    "saturationDetector.queueDepthThreshold",
    "saturationDetector.kvCacheUtilThreshold",
    "saturationDetector.metricsStalenessThreshold",
    "data.sources[].pluginRef",
    "data.sources[].extractors[].pluginRef",
];

const KEYS_OF_1_4: &[&str] = &[
    "saturationDetector.queueDepthThreshold",
    "saturationDetector.kvCacheUtilThreshold",
    "saturationDetector.metricsStalenessThreshold",
    "data.sources[].pluginRef",
    "data.sources[].extractors[].pluginRef",
    "flowControl.maxBytes",
    "flowControl.defaultRequestTTL",
    "flowControl.priorityBands[].priority",
    "flowControl.priorityBands[].maxBytes",
    "flowControl.priorityBands[].fairnessPolicyRef",
    "flowControl.priorityBands[].orderingPolicyRef",
];

const KEYS_OF_1_5: &[&str] = &[
    "saturationDetector.pluginRef",
    "parser.pluginRef",
    "dataLayer.sources[].pluginRef",
    "dataLayer.sources[].extractors[].pluginRef",
    "flowControl.maxBytes",
    "flowControl.maxRequests",
    "flowControl.defaultRequestTTL",
    "flowControl.usageLimitPolicyPluginRef",
    "flowControl.priorityBands[].priority",
    "flowControl.priorityBands[].maxBytes",
    "flowControl.priorityBands[].maxRequests",
    "flowControl.priorityBands[].fairnessPolicyRef",
    "flowControl.priorityBands[].orderingPolicyRef",
];

/// Without `saturationDetector` and `parser` at the top level, which are read and deprecated.
const KEYS_OF_LLM_D: &[&str] = &[
    "requestHandler.parsers[].pluginRef",
    "dataLayer.injectDefaults",
    "dataLayer.discovery.pluginRef",
    "dataLayer.sources[].pluginRef",
    "dataLayer.sources[].extractors[].pluginRef",
    "flowControl.maxBytes",
    "flowControl.maxRequests",
    "flowControl.defaultRequestTTL",
    "flowControl.usageLimitPolicyPluginRef",
    "flowControl.saturationDetector.pluginRef",
    "flowControl.priorityBands[].priority",
    "flowControl.priorityBands[].maxBytes",
    "flowControl.priorityBands[].maxRequests",
    "flowControl.priorityBands[].fairnessPolicyRef",
    "flowControl.priorityBands[].orderingPolicyRef",
];

/// Plugins of every release that a profile may name.
const PLUGINS: &[&str] = &[
    "kv-cache-utilization-scorer",
    "lora-affinity-scorer",
    "max-score-picker",
    "prefix-cache-scorer",
    "queue-scorer",
    "random-picker",
    "running-requests-size-scorer",
    "single-profile-handler",
    "weighted-random-picker",
];

/// From GIE v1.5.0 on it is a plugin that says when the pool is full.
const DETECTORS: &[&str] = &["concurrency-detector", "utilization-detector"];

/// `pkg/epp/framework/plugins/flowcontrol/saturationdetector/utilization/config.go`.
const DETECTOR_PARAMETERS: &[&str] = &[
    "utilization-detector.headroom",
    "utilization-detector.kvCacheUtilThreshold",
    "utilization-detector.metricsStalenessThreshold",
    "utilization-detector.queueDepthThreshold",
];

const EXPERIMENTAL: &str = "inference.networking.x-k8s.io";
const LLM_D: &str = "llm-d.ai";

const GIE_SERIES: &[&str] = &[
    "inference_extension_flow_control_queue_size",
    "inference_extension_flow_control_request_queue_duration_seconds_count",
    "inference_objective_request_error_total",
    "inference_objective_request_total",
    "inference_objective_running_requests",
];
const LLM_D_SERIES: &[&str] = &[
    "llm_d_epp_flow_control_queue_size",
    "llm_d_epp_flow_control_request_queue_duration_seconds_count",
    "llm_d_epp_request_error_total",
    "llm_d_epp_request_running",
    "llm_d_epp_request_total",
];

const GIE_HEADERS: &[&str] =
    &["x-gateway-inference-fairness-id", "x-gateway-inference-objective", "x-gateway-model-name-rewrite"];
const LLM_D_HEADERS: &[&str] = &[
    "x-gateway-inference-fairness-id",
    "x-gateway-inference-objective",
    "x-gateway-model-name-rewrite",
    "x-llm-d-inference-fairness-id",
    "x-llm-d-inference-objective",
    "x-llm-d-model-name-rewrite",
];

const GIE_LEASE: &str = "gateway-api-inference-extension.sigs.k8s.io";

pub(crate) const RELEASES: [Release; 5] = [
    Release {
        family: "GIE-v1.3",
        flags: ENGINE_FLAGS,
        config: "inference.networking.x-k8s.io/v1alpha1",
        keys: KEYS_OF_1_3,
        fractions: false,
        plugins: &[],
        parameters: &[],
        gates: &["dataLayer", "flowControl", "prepareDataPlugins"],
        objective: "inference.networking.x-k8s.io/v1alpha2",
        groups: &[EXPERIMENTAL],
        lease: GIE_LEASE,
        series: GIE_SERIES,
        headers: GIE_HEADERS,
        app_protocol: None,
    },
    Release {
        family: "GIE-v1.4",
        flags: ENGINE_FLAGS,
        config: "inference.networking.x-k8s.io/v1alpha1",
        keys: KEYS_OF_1_4,
        fractions: true,
        plugins: &[],
        parameters: &[],
        gates: &["dataLayer", "flowControl", "prepareDataPlugins"],
        objective: "inference.networking.x-k8s.io/v1alpha2",
        groups: &[EXPERIMENTAL],
        lease: GIE_LEASE,
        series: GIE_SERIES,
        headers: GIE_HEADERS,
        app_protocol: None,
    },
    Release {
        family: "GIE-v1.5",
        flags: ENGINE_FLAGS_OF_1_5,
        config: "inference.networking.x-k8s.io/v1alpha1",
        keys: KEYS_OF_1_5,
        fractions: true,
        plugins: DETECTORS,
        parameters: DETECTOR_PARAMETERS,
        gates: &["dataLayer", "enableLegacyMetrics", "flowControl"],
        objective: "inference.networking.x-k8s.io/v1alpha2",
        groups: &[EXPERIMENTAL],
        lease: GIE_LEASE,
        series: GIE_SERIES,
        headers: GIE_HEADERS,
        app_protocol: None,
    },
    Release {
        family: "llm-d-router-v0.9",
        flags: FLAGS_OF_LLM_D_0_9,
        config: "llm-d.ai/v1alpha1",
        keys: KEYS_OF_LLM_D,
        fractions: true,
        plugins: DETECTORS,
        parameters: DETECTOR_PARAMETERS,
        gates: &["dataLayer", "flowControl"],
        objective: "llm-d.ai/v1alpha2",
        groups: &[EXPERIMENTAL, LLM_D],
        lease: LLM_D,
        series: LLM_D_SERIES,
        headers: LLM_D_HEADERS,
        app_protocol: None,
    },
    Release {
        family: "llm-d-router-v0.10",
        flags: FLAGS_OF_LLM_D_0_10,
        config: "llm-d.ai/v1alpha1",
        keys: KEYS_OF_LLM_D,
        fractions: true,
        plugins: DETECTORS,
        parameters: DETECTOR_PARAMETERS,
        gates: &["flowControl", "haPopulateNonLeaderDatastore"],
        objective: "llm-d.ai/v1alpha2",
        groups: &[EXPERIMENTAL, LLM_D],
        lease: LLM_D,
        series: LLM_D_SERIES,
        headers: LLM_D_HEADERS,
        app_protocol: Some("kubernetes.io/h2c"),
    },
];

impl Release {
    /// Everything in a stack that this release would stop at, refuse or never look at.
    pub(crate) fn unknown(&self, objects: &[Rendered]) -> Vec<String> {
        let mut unknown = Vec::new();
        for object in objects {
            let mut note = |what: String| unknown.push(format!("{}: {} {what}", self.family, object.key));
            match (object.kind(), object.key.as_str()) {
                ("Deployment", "epp_deployment") => self.container(&object.manifest, &mut note),
                ("ConfigMap", "epp_config_map") => self.configuration(&object.manifest, &mut note),
                ("Service", "epp_service") => {
                    for port in list(&object.manifest, "/spec/ports") {
                        let wanted =
                            (text(port, "/name") == "grpc-ext-proc").then_some(self.app_protocol).flatten();
                        let found = port.get("appProtocol").and_then(Value::as_str);
                        if found != wanted {
                            note(format!("has appProtocol {found:?}"));
                        }
                    }
                }
                ("InferenceObjective", _) if text(&object.manifest, "/apiVersion") != self.objective => {
                    note(format!("is of {}", text(&object.manifest, "/apiVersion")));
                }
                ("InferencePool", _) => {
                    // Of every release since v1.0.0 (`api/v1/inferencepool_types.go`); v1.3.x has no `appProtocol`.
                    for field in fields(&object.manifest, "/spec") {
                        if !["selector", "targetPorts", "endpointPickerRef"].contains(&field) {
                            note(format!("has {field}"));
                        }
                    }
                }
                ("Role", _) => self.rights(&object.manifest, &mut note),
                ("ScaledObject", _) => {
                    for trigger in list(&object.manifest, "/spec/triggers") {
                        self.asks(text(trigger, "/metadata/query"), &mut note);
                    }
                }
                ("PrometheusRule", _) => {
                    let rules =
                        list(&object.manifest, "/spec/groups").flat_map(|group| list(group, "/rules"));
                    for rule in rules {
                        self.asks(text(rule, "/expr"), &mut note);
                    }
                }
                ("HTTPRoute", _) => {
                    let filters =
                        list(&object.manifest, "/spec/rules").flat_map(|rule| list(rule, "/filters"));
                    for filter in filters {
                        let set =
                            list(filter, "/requestHeaderModifier/set").map(|header| text(header, "/name"));
                        let remove = list(filter, "/requestHeaderModifier/remove").filter_map(Value::as_str);
                        for header in set.chain(remove).filter(|header| !self.headers.contains(header)) {
                            note(format!("touches {header}"));
                        }
                    }
                }
                _ => {}
            }
        }
        unknown
    }

    fn container(&self, deployment: &Value, note: &mut impl FnMut(String)) {
        let container = deployment.pointer("/spec/template/spec/containers/0").cloned().unwrap_or_default();
        let mut seen = BTreeSet::new();
        for argument in list(&container, "/args").filter_map(Value::as_str) {
            // As two arguments a boolean flag would be true, whatever the second says.
            let flag =
                argument.strip_prefix("--").and_then(|rest| rest.split_once('=')).map(|(flag, _)| flag);
            let is_known = |flag: &str| FLAGS.contains(&flag) || self.flags.contains(&flag);
            if !flag.is_some_and(|flag| is_known(flag) && seen.insert(flag.to_owned())) {
                note(format!("is told {argument}"));
            }
        }
        // Both is as wrong as neither, in GIE v1.3.1.
        if seen.contains("config-file") == seen.contains("config-text") || !seen.contains("pool-name") {
            note(format!("lacks its configuration or its pool: {seen:?}"));
        }
        for variable in list(&container, "/env").map(|variable| text(variable, "/name")) {
            if !["NAMESPACE", "POD_NAME"].contains(&variable) {
                note(format!("has {variable} in its environment"));
            }
        }
        // With a leader to elect no other names are known (`pkg/epp/server/health.go`, `cmd/epp/runner/health.go`).
        for probe in ["liveness", "readiness"] {
            if text(&container, &format!("/{probe}Probe/grpc/service")) != probe {
                note(format!("is asked for {probe} by another name"));
            }
        }
    }

    fn configuration(&self, config_map: &Value, note: &mut impl FnMut(String)) {
        let file = text(config_map, "/data/epp.yaml");
        let config: Value = match serde_yaml::from_str(file) {
            Ok(config) => config,
            Err(error) => return note(format!("is no YAML: {error}")),
        };
        if text(&config, "/apiVersion") != self.config || text(&config, "/kind") != "EndpointPickerConfig" {
            note(format!("is of {}", text(&config, "/apiVersion")));
        }
        let mut declared = BTreeSet::new();
        for plugin in list(&config, "/plugins") {
            let kind = text(plugin, "/type");
            if !PLUGINS.contains(&kind) && !self.plugins.contains(&kind) {
                note(format!("has the plugin {kind}"));
            }
            for parameter in fields(plugin, "/parameters") {
                let parameter = format!("{kind}.{parameter}");
                if !self.parameters.contains(&parameter.as_str()) {
                    note(format!("has the parameter {parameter}"));
                }
            }
            let name = if text(plugin, "/name").is_empty() { kind } else { text(plugin, "/name") };
            if !declared.insert(name.to_owned()) {
                note(format!("declares {name} twice"));
            }
        }
        for gate in list(&config, "/featureGates").filter_map(Value::as_str) {
            if !self.gates.contains(&gate) {
                note(format!("has the gate {gate}"));
            }
        }
        walk(&config, "", &mut |path, leaf| {
            let is_parameter = path.starts_with("plugins[].parameters.");
            if !is_parameter && !KEYS.contains(&path) && !self.keys.contains(&path) {
                note(format!("has {path}"));
            }
            if path.ends_with("pluginRef") && !leaf.as_str().is_some_and(|name| declared.contains(name)) {
                note(format!("refers to {leaf}, which is not declared"));
            }
            if path.ends_with(".weight") && !self.fractions && !leaf.is_i64() {
                note(format!("has the weight {leaf}"));
            }
        });
    }

    /// A query about series that the release does not have is one about nothing.
    fn asks(&self, query: &str, note: &mut impl FnMut(String)) {
        for series in series(query) {
            let is_known = series == "up" || series.starts_with("vllm:") || self.series.contains(&series);
            if !is_known {
                note(format!("asks for {series}"));
            }
        }
    }

    fn rights(&self, role: &Value, note: &mut impl FnMut(String)) {
        for rule in list(role, "/rules") {
            let groups: Vec<&str> = list(rule, "/apiGroups").filter_map(Value::as_str).collect();
            for resource in list(rule, "/resources").filter_map(Value::as_str) {
                let wanted: &[&str] = match resource {
                    "pods" | "events" => &[""],
                    "inferencepools" => &["inference.networking.k8s.io"],
                    "inferenceobjectives" | "inferencemodelrewrites" => self.groups,
                    "leases" => &["coordination.k8s.io"],
                    _ => &[],
                };
                let (found, wanted): (BTreeSet<_>, BTreeSet<_>) =
                    (groups.iter().collect(), wanted.iter().collect());
                if found != wanted {
                    note(format!("lets it have {resource} of {groups:?}"));
                }
            }
            for lease in list(rule, "/resourceNames").filter_map(Value::as_str) {
                if !lease.ends_with(&format!(".{}", self.lease)) {
                    note(format!("is about the lease {lease}"));
                }
            }
        }
    }
}

/// The names of the series that a query is about: what stands before a selector.
fn series(query: &str) -> Vec<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let before = query.split('{').rev().skip(1);
    before.filter_map(|before| before.rsplit(|c| !is_part(c)).next()).collect()
}

/// Every leaf with its path; `[]` is an entry of a list.
fn walk(value: &Value, path: &str, leaf: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, &path, leaf);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, &format!("{path}[]"), leaf)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => leaf(path, value),
    }
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn fields<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
