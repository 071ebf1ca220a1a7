//! What people may write, generated: composite resources and Inputs that fit together.
//!
//! The one place that makes a field, a value or a combination known to every test that goes over arbitrary stacks:
//! `tests/properties.rs` and, for clusters, `tests/extensions.rs`, and the end-to-end tests, which ask real API servers.
//! What is supported and not generated here fails `every_field_and_every_choice_is_generated` there.

#![allow(dead_code, reason = "each of the tests that include this file uses a part of it")]
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

pub(crate) mod clusters;
pub(crate) mod odd;
pub(crate) mod places;

use std::fmt;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// A strategy for one value.
pub(crate) type Values = BoxedStrategy<Value>;

/// Fields by their dotted path.
type Fields = Vec<(&'static str, Values)>;

/// A composite resource and the Input of its step.
#[derive(Clone)]
pub(crate) struct Case {
    /// What an application team writes.
    pub(crate) composite: Value,
    /// What the platform team writes, if anything.
    pub(crate) input: Option<Value>,
}

/// As documents that can be rendered again.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { composite, input } = self;
        write!(f, "{composite:#}")?;
        input.as_ref().map_or(Ok(()), |input| write!(f, "\n---\n{input:#}"))
    }
}

impl Case {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.composite["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// Whether its composite lives in a namespace.
    pub(crate) fn is_namespaced(&self) -> bool {
        self.composite["metadata"]["namespace"].is_string()
    }

    /// Where the model is described.
    pub(crate) fn fields(&self) -> &Value {
        self.spec_path().split('.').fold(&self.composite, |value, field| &value[field])
    }

    fn spec_path(&self) -> &str {
        self.input.as_ref().and_then(|input| input["spec"]["specPath"].as_str()).unwrap_or("spec")
    }

    /// The same in namespaces that no case of another number has.
    pub(crate) fn apart(mut self, number: usize) -> Self {
        if self.is_namespaced() {
            self.composite["metadata"]["namespace"] = format!("team-{number}").into();
        }
        let path = self.spec_path().to_owned();
        let fields = path.split('.').fold(&mut self.composite, |value, field| &mut value[field]);
        if let Some(namespace) = fields.get_mut("targetNamespace") {
            *namespace = format!("models-{number}").into();
        }
        self
    }

    /// Whether it is composed without Objects.
    pub(crate) fn is_direct(&self) -> bool {
        self.input.as_ref().is_some_and(|input| input["spec"]["target"] == "Direct")
    }

    /// The same without Objects.
    pub(crate) fn compose_directly(&mut self) {
        let path = self.spec_path().to_owned();
        let input = self.input.get_or_insert_with(|| input_document(&json!({})));
        put(&mut input["spec"], "target", json!("Direct"));
        take(input, "spec.providerConfigKind");
        take(input, "spec.endpointPicker.metricsAuth");
        take(&mut self.composite, &format!("{path}.providerConfigName"));
        if self.is_namespaced() {
            take(&mut self.composite, &format!("{path}.targetNamespace"));
        }
    }

    /// Whether a refusal is right although the case is in order: names of Services are derived from the model's, and
    /// only for a long one it takes the whole function to know which.
    pub(crate) fn may_be_refused(&self, problem: &str) -> bool {
        self.name().len() > 45 && problem.contains("since Service <name>-")
    }
}

/// The same values at every run.
pub(crate) fn deterministic<T>(count: usize, strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Anything that is in order.
pub(crate) fn case() -> impl Strategy<Value = Case> {
    let home = prop_oneof![
        // Where the fields are, and whose composite it is.
        6 => Just(Home { spec_path: None, namespaced: true }),
        1 => Just(Home { spec_path: None, namespaced: false }),
        1 => Just(Home { spec_path: Some("spec"), namespaced: true }),
        1 => Just(Home { spec_path: Some("spec.parameters.llm"), namespaced: false }),
    ];
    (name(), some(composite_fields()), any::<bool>(), option::of(some(input_fields())), home)
        .prop_map(|(name, fields, names_model, input, home)| fit(&name, fields, names_model, input, home))
}

/// A composite that is in order under any Input, or none: an `LLMInference` with nothing that a platform has to permit.
pub(crate) fn composite() -> impl Strategy<Value = Value> {
    (name(), some(composite_fields()), any::<bool>()).prop_map(|(name, fields, names_model)| {
        let home = Home { spec_path: None, namespaced: true };
        fit(&name, fields, names_model, None, home).composite
    })
}

/// Names of models; few are long, since only some of what is derived from those has a place.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z]([a-z0-9-]{0,20}[a-z0-9])?",
        1 => "[a-z][a-z0-9-]{40,61}[a-z0-9]",
    ]
}

/// Where and how a model is described.
#[derive(Debug, Clone, Copy)]
struct Home {
    spec_path: Option<&'static str>,
    namespaced: bool,
}

fn text(pattern: &'static str) -> Values {
    pattern.prop_map(Value::from).boxed()
}

fn number(range: std::ops::Range<i64>) -> Values {
    range.prop_map(Value::from).boxed()
}

fn one_of(values: &'static [&'static str]) -> Values {
    prop::sample::select(values).prop_map(Value::from).boxed()
}

fn flag() -> Values {
    any::<bool>().prop_map(Value::from).boxed()
}

fn some_of(pattern: &'static str, max: usize) -> Values {
    vec(pattern, 0..=max).prop_map(|values| json!(values)).boxed()
}

/// From the half on.
fn percentile() -> Values {
    (500..1000_i64).prop_map(|n| json!(f64::from(i32::try_from(n).unwrap()) / 1000.0)).boxed()
}

/// A whole number, or a fraction of at most 1.
fn target() -> Values {
    prop_oneof![
        (1..1000_i64).prop_map(|n| json!(f64::from(i32::try_from(n).unwrap()) / 1000.0)),
        number(1..50)
    ]
    .boxed()
}

/// Labels and annotations, words that YAML 1.1 takes for something else included.
fn labels() -> Values {
    let value = prop_oneof![
        "[a-zA-Z0-9]([a-zA-Z0-9._-]{0,8}[a-zA-Z0-9])?",
        Just("yes".to_owned()),
        Just(String::new())
    ];
    btree_map("([a-z]{1,6}[.]io/)?[a-z]{1,8}", value, 0..4).prop_map(|labels| json!(labels)).boxed()
}

/// An object with some of the fields, each at its dotted path.
fn some(fields: Fields) -> Values {
    let (paths, values): (Vec<_>, Vec<_>) =
        fields.into_iter().map(|(path, value)| (path, option::of(value))).unzip();
    values
        .prop_map(move |values| {
            let mut object = Value::Object(Map::new());
            for (path, value) in paths.iter().zip(values) {
                if let Some(value) = value {
                    put(&mut object, path, value);
                }
            }
            object
        })
        .boxed()
}

/// The fields of an object inside another.
fn under(prefix: &'static str, fields: Fields) -> Fields {
    fields.into_iter().map(|(path, value)| (&*format!("{prefix}.{path}").leak(), value)).collect()
}

fn put(object: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        Some((first, rest)) => put(&mut object[first], rest, value),
        None => object[path] = value,
    }
}

/// Takes a field away, and what is empty without it.
fn take(object: &mut Value, path: &str) -> Option<Value> {
    let fields = object.as_object_mut()?;
    match path.split_once('.') {
        Some((first, rest)) => {
            let taken = take(fields.get_mut(first)?, rest);
            if fields[first].as_object().is_some_and(Map::is_empty) {
                fields.remove(first);
            }
            taken
        }
        None => fields.remove(path),
    }
}

/// `runtime`, and what the platform may put in its place.
fn engine() -> Fields {
    let variable =
        prop_oneof![Just("yes".to_owned()), r"[^\p{Cc}\x{fffe}\x{ffff}]{0,12}", "[a-z]{1,3}[\t\n]{1,2}[a-z]"];
    let variable = prop_oneof![
        2 => variable.prop_map(|value| json!({ "value": value })),
        1 => ("[a-z]{1,20}", "[.]?[a-zA-Z_-][a-zA-Z_.-]{0,18}")
            .prop_map(|(name, key)| json!({ "secretKeyRef": { "name": name, "key": key } })),
    ];
    let env = btree_map("X_[A-Z]{1,8}", variable, 0..3).prop_map(|variables| {
        let named = variables.into_iter().map(|(name, mut variable)| {
            variable["name"] = json!(name);
            variable
        });
        named.collect()
    });
    let secret_key = ("[a-z]{1,20}", option::of("[.]?[a-zA-Z_-][a-zA-Z_.-]{0,18}"))
        .prop_map(|(name, key)| without_nulls(json!({ "name": name, "key": key })));
    let toleration = prop_oneof![
        Just(json!({ "operator": "Exists" })),
        ("[a-z]{1,8}([.]io/[a-z]{1,8})?", "[a-z]{0,5}", one_of(&["NoSchedule", "PreferNoSchedule"]))
            .prop_map(|(key, value, effect)| json!({
                "key": key, "operator": "Equal", "value": value, "effect": effect
            })),
        ("[a-z]{1,8}", 0..10_000_i32).prop_map(
            |(key, seconds)| json!({ "key": key, "effect": "NoExecute", "tolerationSeconds": seconds })
        ),
    ];
    vec![
        ("image", text("((docker[.]io|localhost:5000)/)?[a-z]{1,8}/vllm-openai:v[0-9]{1,3}")),
        ("cpu", prop_oneof![number(1..64), text("[1-9][0-9]{0,3}m"), text("[1-9][.][0-9]{1,3}")].boxed()),
        ("memory", text("[1-9][0-9]{0,2}(Gi|G|Mi)|[1-9][.]5Gi")),
        ("args", some_of("--max-num-seqs=[1-9]", 3)),
        ("env", env.boxed()),
        ("dtype", one_of(&["auto", "bfloat16", "float", "float16", "float32", "half"])),
        ("maxModelLen", number(1..200_000)),
        ("sharedMemory", text("[1-9][0-9]{0,2}(Gi|Mi)")),
        ("tokenSecret", secret_key.boxed()),
        ("runtimeClassName", text("[a-z]{1,10}")),
        ("nodeSelector", labels()),
        ("tolerations", vec(toleration, 0..3).prop_map(Value::from).boxed()),
    ]
}

fn composite_fields() -> Fields {
    let mut fields = vec![
        (
            "model",
            text(
                "[A-Za-z0-9]{1,8}/[A-Za-z0-9][A-Za-z0-9._-]{0,20}|/models/[a-z]{1,8}|s3://[a-z]{1,8}/[a-z]{1,8}",
            ),
        ),
        ("servedModelName", text("[A-Za-z0-9][A-Za-z0-9/._-]{0,30}")),
        ("gpu", number(0..17)),
        ("providerConfigName", text("[a-z]{1,10}([.-][a-z0-9]{1,5})?")),
        ("targetNamespace", text("models(-[a-z0-9]{1,20})?")),
        ("host", text("[a-z0-9]{1,10}([.][a-z]{2,8}){1,2}")),
        ("criticality", one_of(&["critical", "standard", "sheddable"])),
        ("minReplicas", prop_oneof![Just(json!(0)), number(0..30)].boxed()),
        ("maxReplicas", number(1..60)),
        ("scaling.enabled", flag()),
        ("scaling.metric", one_of(&["queue-depth", "kv-cache", "latency"])),
        ("scaling.latency.timeToFirstToken", one_of(&["1ms", "500ms", "2s500ms", "10m40s"])),
        ("scaling.latency.interTokenLatency", one_of(&["10ms", "50ms", "1s", "40000ms"])),
        ("scaling.latency.percentile", percentile()),
        ("scaling.target", target()),
        ("scaling.prometheusAddress", text("https?://[a-z]{1,10}([.][a-z]{1,8}){0,2}(:[1-9][0-9]{3})?")),
        ("scaling.coldStart", text("[1-9][0-9]{0,2}[ms]|[1-9]h[1-5]m")),
        ("lora.adapters", adapters()),
        ("lora.maxAdapters", number(1..65)),
        ("lora.maxRank", number(1..513)),
        ("gateway.enabled", flag()),
        ("gateway.ref.name", text("[a-z]{1,20}")),
        ("gateway.ref.namespace", text("gateways(-[a-z]{1,8})?")),
        ("gateway.ref.sectionName", text("[a-z]{1,10}")),
        ("ingressHost", text("([*][.])?[a-z0-9]{1,10}([.][a-z]{2,8}){1,2}")),
    ];
    fields.extend(under("runtime", engine()));
    fields
}

fn input_fields() -> Fields {
    // A picker that holds requests needs more than two gigabytes, and nobody may keep more than the limit.
    let requests = btree_map("cpu|memory", "[1-3]Gi", 0..3).prop_map(|quantities| json!(quantities)).boxed();
    let limits = btree_map("cpu|memory", "[3-9]Gi", 0..3).prop_map(|quantities| json!(quantities)).boxed();
    let mut fields = vec![
        ("target", one_of(&["NamespacedObject", "ClusterObject", "Direct"])),
        ("providerConfigKind", one_of(&["ProviderConfig", "ClusterProviderConfig"])),
        ("defaults.scaling.metric", one_of(&["queue-depth", "kv-cache", "latency"])),
        ("defaults.scaling.latency.timeToFirstToken", one_of(&["1s", "5s"])),
        ("defaults.scaling.latency.interTokenLatency", one_of(&["25ms", "100ms"])),
        ("defaults.scaling.latency.percentile", percentile()),
        ("defaults.scaling.target", target()),
        ("defaults.scaling.coldStart", text("[1-9][0-9]{0,2}m")),
        ("policy.targetNamespaces", some_of("[a-z*]{1,8}", 2)),
        ("policy.providerConfigs", some_of("[a-z*.-]{1,8}", 2)),
        ("policy.images", some_of("[a-z]{1,5}/[*]", 2)),
        ("policy.gateways", some_of("[a-z*]{1,8}/[a-z*]{1,8}", 2)),
        ("workload.backend", one_of(&["VLLMRuntime", "Deployment"])),
        ("workload.operatorVersion", one_of(&["0.1.8", "0.1.11", "0.1.12"])),
        ("endpointPicker.version", one_of(&["v1.3.1", "v1.4.2", "v1.5.0", "v0.9.0", "v0.10.1"])),
        (
            "endpointPicker.family",
            one_of(&["GIE-v1.3", "GIE-v1.4", "GIE-v1.5", "llm-d-router-v0.9", "llm-d-router-v0.10"]),
        ),
        ("endpointPicker.image", text("[a-z]{1,8}[.]io/epp:v[0-9]")),
        ("endpointPicker.replicas", number(1..11)),
        ("endpointPicker.resources.requests", requests),
        ("endpointPicker.resources.limits", limits),
        ("endpointPicker.scorers", scorers()),
        // Which release it has to suit is decided elsewhere: `fit_picker` writes it.
        ("endpointPicker.config", Just(json!("")).boxed()),
        ("endpointPicker.failureMode", one_of(&["FailOpen", "FailClose"])),
        ("endpointPicker.flowControl", one_of(&["Auto", "Enabled", "Disabled"])),
        ("endpointPicker.metricsAuth", one_of(&["None", "Token"])),
        ("endpointPicker.existing.name", text("[a-z]{1,10}-epp")),
        ("endpointPicker.existing.port", number(1..65536)),
        (
            "gateway.implementation",
            one_of(&["EnvoyAIGateway", "Istio", "Agentgateway", "GKE", "NGINX", "Other", "Auto"]),
        ),
        ("gateway.ref.name", text("[a-z]{1,20}")),
        ("gateway.ref.namespace", text("gateways(-[a-z]{1,8})?")),
        ("gateway.ref.sectionName", text("[a-z]{1,10}")),
        ("gateway.discovery", flag()),
        ("gateway.discoveryLabel", Just(json!({"inference": "yes"})).boxed()),
        ("gateway.routeBy", one_of(&["Host", "ModelName"])),
        ("gateway.priorityHook", one_of(&["None", "Lua"])),
        ("gateway.timeout", text("[1-9][0-9]{0,2}s")),
        ("priorities.critical", number(0..1000)),
        ("priorities.standard", number(-10..10)),
        ("priorities.sheddable", number(-1000..0)),
        ("monitoring.kind", one_of(&["ServiceMonitor", "PodMonitor", "None"])),
        ("monitoring.labels", labels()),
        ("monitoring.interval", text("[1-9][0-9]?s")),
        ("monitoring.endpointPicker", one_of(&["Auto", "Enabled", "Disabled"])),
        ("monitoring.external.selector", labels()),
        ("monitoring.rules", flag()),
        ("prometheus.address", text("https?://[a-z]{1,10}[.][a-z]{1,10}([.]svc)?:[1-9][0-9]{3}")),
        ("prometheus.authRef", credentials()),
        ("hardening.networkPolicy", flag()),
        ("hardening.podDisruptionBudget", flag()),
        ("nodes.protect", flag()),
        ("nodes.annotations", labels()),
        ("labels", labels()),
        ("annotations", labels()),
        ("ttl.settled", text("[1-9][0-9]?m")),
        ("ttl.pending", text("[1-9][0-9]?s")),
    ];
    fields.extend(under("defaults.runtime", engine()));
    fields
}

/// In any mode, and in all that go together.
fn credentials() -> Values {
    let modes = prop::sample::select(vec![
        json!(["bearer"]),
        json!(["basic", "tls"]),
        json!(["tls", "bearer", "custom"]),
    ]);
    ("[a-z]{1,10}", option::of(one_of(&["TriggerAuthentication", "ClusterTriggerAuthentication"])), modes)
        .prop_map(|(name, kind, modes)| without_nulls(json!({ "name": name, "kind": kind, "modes": modes })))
        .boxed()
}

/// Names that no model is served by.
fn adapters() -> Values {
    btree_map("lora-[a-z0-9/.]{1,12}", "[a-z]{1,8}/[a-z]{1,8}", 0..4)
        .prop_map(|adapters| {
            adapters.into_iter().map(|(name, path)| json!({ "name": name, "path": path })).collect()
        })
        .boxed()
}

/// Scorers that every release has.
fn scorers() -> Values {
    let kinds = &[
        "queue-scorer",
        "kv-cache-utilization-scorer",
        "prefix-cache-scorer",
        "running-requests-size-scorer",
    ];
    let weight = option::of(prop_oneof![number(1..9), Just(json!(0.5)).boxed()]);
    (prop::sample::subsequence(kinds, 1..=kinds.len()), weight)
        .prop_map(|(kinds, weight)| {
            let scorer = |kind: &&str| match &weight {
                Some(weight) => json!({ "type": kind, "weight": weight }),
                None => json!({ "type": kind }),
            };
            kinds.iter().map(scorer).collect()
        })
        .boxed()
}

/// Takes back what one field says and another forbids, and puts both documents together.
fn fit(name: &str, mut fields: Value, names_model: bool, input: Option<Value>, home: Home) -> Case {
    let written = input.is_some();
    let mut input = input.unwrap_or_else(|| json!({}));
    fields["model"] = fields["model"].as_str().unwrap_or("Qwen/Qwen3-8B").into();
    fields["providerConfigName"] = fields["providerConfigName"].as_str().unwrap_or("gpu-cluster").into();
    fit_backend(&mut fields, &mut input);
    fit_scaling(&mut fields, &mut input);
    fit_routing(&mut fields, &mut input, names_model);
    if let (Some(min), Some(max)) = (fields["minReplicas"].as_i64(), fields["maxReplicas"].as_i64()) {
        fields["maxReplicas"] = max.max(min).into();
    }
    // A default policy permits all of these; a written one gets a pattern for whatever was asked for.
    for (field, everything) in
        [("targetNamespaces", "*"), ("providerConfigs", "*"), ("images", "*"), ("gateways", "*/*")]
    {
        if let Some(patterns) = input["policy"][field].as_array_mut() {
            patterns.push(everything.into());
        }
    }
    let direct = input["target"] == "Direct";
    if direct {
        take(&mut fields, "providerConfigName");
        take(&mut input, "providerConfigKind");
        take(&mut input, "endpointPicker.metricsAuth");
    }
    if home.namespaced {
        if input["target"] == "ClusterObject" {
            take(&mut input, "target");
        }
        if direct {
            take(&mut fields, "targetNamespace");
        }
    } else {
        if !direct {
            put(&mut input, "target", json!("ClusterObject"));
        }
        take(&mut input, "providerConfigKind");
        fields["targetNamespace"] = fields["targetNamespace"].as_str().unwrap_or("models").into();
    }
    let mut composite = json!({ "metadata": { "name": name } });
    if home.namespaced {
        composite["metadata"]["namespace"] = json!("team-a");
    }
    let (api_version, kind) = match home.spec_path {
        None => ("inference.devopstoolkit.ai/v1alpha1", "LLMInference"),
        Some(path) => {
            put(&mut input, "specPath", json!(path));
            ("platform.example.com/v1", "App")
        }
    };
    composite["apiVersion"] = api_version.into();
    composite["kind"] = kind.into();
    put(&mut composite, home.spec_path.unwrap_or("spec"), without_nulls(fields));
    let needed = written || !home.namespaced || home.spec_path.is_some();
    let input = needed.then(|| input_document(&without_nulls(input)));
    Case { composite, input }
}

fn input_document(spec: &Value) -> Value {
    json!({"apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ModelStack", "spec": spec})
}

/// What a backend has no place for is refused.
fn fit_backend(fields: &mut Value, input: &mut Value) {
    if input["nodes"]["protect"] != true {
        take(input, "nodes.annotations");
    }
    if input["workload"]["backend"] == "Deployment" {
        take(input, "workload.operatorVersion");
        return;
    }
    let version = input["workload"]["operatorVersion"].as_str().unwrap_or("0.1.12").to_owned();
    for runtime in [&mut fields["runtime"], &mut input["defaults"]["runtime"]] {
        take(runtime, "sharedMemory");
        if let Some(variables) = runtime["env"].as_array_mut() {
            variables.retain(|variable| variable["secretKeyRef"].is_null());
        }
        if version != "0.1.12" {
            take(runtime, "runtimeClassName");
        }
        if version == "0.1.8" {
            take(runtime, "nodeSelector");
            take(runtime, "tolerations");
        }
    }
    if version != "0.1.12" {
        take(input, "nodes");
    }
    if version == "0.1.8" {
        take(fields, "scaling.enabled");
    }
}

fn fit_scaling(fields: &mut Value, input: &mut Value) {
    // A target of the KV cache is one that a full cache is well above, whoever chooses the metric.
    let default_metric = input["defaults"]["scaling"]["metric"].clone();
    let metric = match &fields["scaling"]["metric"] {
        Value::Null => default_metric.clone(),
        metric => metric.clone(),
    };
    let is_never_reached = |scaling: &Value| scaling["target"].as_f64().is_some_and(|target| target > 0.9);
    if metric == "kv-cache" && is_never_reached(&fields["scaling"]) {
        fields["scaling"]["target"] = json!(0.5);
    }
    if default_metric == "kv-cache" && is_never_reached(&input["defaults"]["scaling"]) {
        input["defaults"]["scaling"]["target"] = json!(0.5);
    }
    if metric == "latency" {
        take(fields, "scaling.target");
        let promises = |objective: &Value| {
            objective["timeToFirstToken"].is_string() || objective["interTokenLatency"].is_string()
        };
        if !promises(&fields["scaling"]["latency"]) && !promises(&input["defaults"]["scaling"]["latency"]) {
            put(fields, "scaling.latency.timeToFirstToken", json!("1s"));
        }
    } else {
        take(fields, "scaling.latency");
    }
    if default_metric == "latency" {
        take(input, "defaults.scaling.target");
    }
    // Credentials are for the platform's own Prometheus.
    if input["prometheus"]["authRef"].is_object() {
        take(fields, "scaling.prometheusAddress");
    }
    // Somebody else's series are for those who have none.
    if input["monitoring"]["kind"] != "None" {
        take(input, "monitoring.external");
    }
    // Alerts need series.
    if input["monitoring"]["kind"] == "None" && !input["monitoring"]["external"].is_object() {
        take(input, "monitoring.rules");
    }
    if fields["scaling"]["enabled"] != true {
        return;
    }
    // An autoscaler needs series, and what wakes a model needs a queue.
    if input["monitoring"]["kind"] == "None" && !input["monitoring"]["external"].is_object() {
        take(input, "monitoring.kind");
    }
    if input["monitoring"]["endpointPicker"] == "Disabled" {
        take(input, "monitoring.endpointPicker");
    }
    if fields["minReplicas"] == 0 && input["endpointPicker"]["flowControl"] == "Disabled" {
        take(input, "endpointPicker.flowControl");
    }
}

fn fit_picker(picker: &mut Value, sleeps: bool) {
    // A port alone is nobody's, and nothing would wake a model that sleeps.
    if picker["existing"]["name"].is_null() || sleeps {
        take(picker, "existing");
    }
    if picker["existing"].is_object() {
        for field in ["image", "replicas", "resources", "scorers", "config", "flowControl", "metricsAuth"] {
            take(picker, field);
        }
        return;
    }
    // What another release is called has an image of its own.
    if picker["family"].is_string() && picker["version"].is_string() && picker["image"].is_null() {
        picker["image"] = json!("registry.example.com/epp:fork");
    }
    let release = picker["family"].as_str().or(picker["version"].as_str()).unwrap_or("v1.3").to_owned();
    let is = |minor: &str| release.contains(minor);
    if is("v1.3") {
        for scorer in picker["scorers"].as_array_mut().into_iter().flatten() {
            if scorer["weight"].as_f64().is_some_and(|weight| weight.fract() != 0.0) {
                scorer["weight"] = json!(3);
            }
        }
    }
    if picker["config"].is_string() {
        take(picker, "scorers");
        take(picker, "flowControl");
        let llm_d = is("v0.9") || is("v0.10");
        let group = if llm_d { "llm-d.ai" } else { "inference.networking.x-k8s.io" };
        let gate = if sleeps { "featureGates: [flowControl]\n" } else { "" };
        // A wait without an end, where it can be written down, suits every cold start.
        let hold = if sleeps && !is("v1.3") { "flowControl: {defaultRequestTTL: 0s}\n" } else { "" };
        picker["config"] = format!(
            "apiVersion: {group}/v1alpha1\nkind: EndpointPickerConfig\n{gate}{hold}plugins:\n- type: queue-scorer\n\
             schedulingProfiles:\n- name: default\n  plugins:\n  - pluginRef: queue-scorer\n"
        )
        .into();
    }
}

fn fit_routing(fields: &mut Value, input: &mut Value, names_model: bool) {
    // Nothing reads a model's name for NGINX.
    if input["gateway"]["implementation"] == "NGINX" && input["gateway"]["routeBy"] == "ModelName" {
        take(input, "gateway.routeBy");
    }
    let by_name = input["gateway"]["routeBy"] == "ModelName";
    if fields["host"].is_null() && fields["gateway"]["enabled"] == true && !by_name {
        take(fields, "gateway.enabled");
    }
    // Only one implementation runs scripts, and those of hosts alone.
    if by_name || !matches!(input["gateway"]["implementation"].as_str(), None | Some("EnvoyAIGateway")) {
        take(input, "gateway.priorityHook");
    }
    // Proxies that no selector reaches.
    if matches!(input["gateway"]["implementation"].as_str(), Some("GKE" | "Other")) {
        take(input, "hardening.networkPolicy");
    }
    // Only one implementation has a Gateway of its own.
    if input["gateway"]["discovery"] == true {
        // Both or neither: then it is found.
        fit_discovery(fields, input);
    } else if !matches!(input["gateway"]["implementation"].as_str(), None | Some("EnvoyAIGateway")) {
        for field in ["name", "namespace"] {
            let reference = &mut input["gateway"]["ref"][field];
            *reference = reference.as_str().unwrap_or("inference").into();
        }
    }
    let sleeps = fields["scaling"]["enabled"] == true && fields["minReplicas"] == 0;
    if input["endpointPicker"].is_object() {
        fit_picker(&mut input["endpointPicker"], sleeps);
        if input["endpointPicker"]["existing"].is_object()
            && input["monitoring"]["endpointPicker"] == "Enabled"
        {
            take(input, "monitoring.endpointPicker");
        }
    }
    if names_model {
        let served = match &fields["servedModelName"] {
            Value::Null => fields["model"].clone(),
            served => served.clone(),
        };
        put(fields, "gateway.modelName", if by_name { json!("the-name-to-route-by") } else { served });
    }
    // Another Gateway than the platform's is for the platform to permit.
    if input["policy"]["gateways"].is_null() {
        take(fields, "gateway.ref.name");
        take(fields, "gateway.ref.namespace");
    }
}

fn fit_discovery(fields: &mut Value, input: &mut Value) {
    let named = |value: &Value| ["name", "namespace"].map(|field| value["gateway"]["ref"][field].is_string());
    if named(input) != [true; 2] {
        take(input, "gateway.ref.name");
        take(input, "gateway.ref.namespace");
    }
    if named(input) != [true; 2] && named(fields) != [true; 2] {
        take(fields, "gateway.ref.name");
        take(fields, "gateway.ref.namespace");
    }
}

/// Looking a field up leaves a null where it is missing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        value => value,
    }
}
