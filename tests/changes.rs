//! What a change does on a live model: the table of `docs/changes.md` is held to the schemas and to what is composed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod generate;
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use function_inference::api::Source;
use serde_json::{Value, json};

use scene::{Answer, Rest, Scene};

/// A change of one field, or of the fields of one object.
struct Change {
    source: Source,
    field: &'static str,
    /// What else is there, in the composite resource and in the Input.
    with: [Value; 2],
    before: Value,
    after: Value,
}

fn composite(field: &'static str, before: Value, after: Value) -> Change {
    Change { source: Source::Composite, field, with: [json!({}), json!({})], before, after }
}

fn input(field: &'static str, before: Value, after: Value) -> Change {
    Change { source: Source::Input, field, with: [json!({}), json!({})], before, after }
}

impl Change {
    /// The same where the composite resource has these fields.
    fn of(self, composite: Value) -> Self {
        let [_, input] = self.with;
        Self { with: [composite, input], ..self }
    }

    /// The same where the Input has these fields.
    fn under(self, input: Value) -> Self {
        let [composite, _] = self.with;
        Self { with: [composite, input], ..self }
    }
}

/// One for each row, on the model of `tests/scenarios/model.yaml`: routed, and scaled between one and four replicas.
fn changes() -> Vec<Change> {
    let none = || Value::Null;
    let gateway = |name: &str| json!({"namespace": "gateways", "name": name});
    // What an engine can say of, at the edges of its buckets.
    let latency = |first: &str| json!({"timeToFirstToken": first, "interTokenLatency": "50ms"});
    let asleep = || json!({"minReplicas": 0});
    let critical = || json!({"criticality": "critical"});
    vec![
        composite("model", json!("a/b"), json!("a/c")),
        composite("servedModelName", json!("b"), json!("c")),
        composite("gpu", json!(1), json!(2)),
        composite("providerConfigName", json!("gpu-cluster"), json!("other-cluster")),
        composite("targetNamespace", json!("team-a"), json!("team-b")),
        composite("host", json!("a.example.com"), json!("b.example.com")),
        composite("criticality", json!("standard"), json!("critical")),
        composite("minReplicas", json!(1), json!(2)),
        composite("maxReplicas", json!(4), json!(5)),
        composite("scaling.enabled", json!(false), json!(true)),
        composite("scaling.metric", json!("queue-depth"), json!("kv-cache")),
        composite("scaling.target", json!(3), json!(4)),
        composite("scaling.latency", latency("1s"), latency("2s500ms"))
            .of(json!({"scaling": {"metric": "latency"}})),
        composite("scaling.prometheusAddress", json!("http://a:9090"), json!("http://b:9090")),
        composite("scaling.coldStart", json!("10m"), json!("20m")),
        composite("gateway.enabled", json!(true), json!(false)),
        composite("gateway.modelName", json!("b"), json!("c"))
            .under(json!({"gateway": {"routeBy": "ModelName"}})),
        composite("gateway.ref", gateway("a"), gateway("b"))
            .under(json!({"policy": {"gateways": ["gateways/*"]}})),
        composite("runtime", json!({"maxModelLen": 1000}), json!({"maxModelLen": 2000})),
        composite("lora", none(), json!({"adapters": [{"name": "sql", "path": "a/sql"}]})),
        composite("ingressHost", json!("a.example.com"), json!("b.example.com")),
        input("target", json!("NamespacedObject"), json!("Direct")),
        input("providerConfigKind", json!("ProviderConfig"), json!("ClusterProviderConfig")),
        input("specPath", json!("spec"), json!("spec.parameters")),
        input("defaults", json!({"runtime": {"dtype": "auto"}}), json!({"runtime": {"dtype": "float16"}})),
        input("policy", json!({"images": ["*"]}), json!({"images": ["docker.io/*"]})),
        input("workload.backend", json!("VLLMRuntime"), json!("Deployment")),
        input("workload.operatorVersion", json!("0.1.12"), json!("0.1.11")),
        input("endpointPicker.version", json!("v1.3.1"), json!("v1.4.0")),
        input("endpointPicker.family", json!("GIE-v1.3"), json!("GIE-v1.4")),
        input("endpointPicker.image", none(), json!("example.com/epp:v1.3.1")),
        input("endpointPicker.replicas", json!(1), json!(2)),
        input("endpointPicker.resources", none(), json!({"requests": {"cpu": "2"}})),
        input("endpointPicker.failureMode", json!("FailClose"), json!("FailOpen")),
        input("endpointPicker.flowControl", json!("Disabled"), json!("Enabled")),
        input("endpointPicker.scorers", none(), json!([{"type": "queue-scorer", "weight": 2}])),
        input("endpointPicker.config", none(), json!(PICKER_CONFIG)),
        input("endpointPicker.metricsAuth", json!("None"), json!("Token"))
            .under(json!({"monitoring": {"endpointPicker": "Enabled"}})),
        input("endpointPicker.existing", none(), json!({"name": "shared-epp"})),
        input("gateway.implementation", json!("EnvoyAIGateway"), json!("Istio"))
            .under(json!({"gateway": {"ref": gateway("a")}})),
        input("gateway.ref", gateway("a"), gateway("b")),
        input("gateway.discovery", json!(false), json!(true)),
        input("gateway.discoveryLabel", none(), json!({"a": "b"})),
        input("gateway.routeBy", json!("Host"), json!("ModelName")),
        input("gateway.priorityHook", json!("None"), json!("Lua")).of(critical()),
        input("gateway.timeout", json!("5m"), json!("6m")),
        input("priorities", json!({"standard": 0}), json!({"standard": 1})),
        input("monitoring", json!({"kind": "ServiceMonitor"}), json!({"kind": "PodMonitor"})),
        input("prometheus", json!({"address": "http://a:9090"}), json!({"address": "http://b:9090"})),
        input("hardening", json!({"podDisruptionBudget": true}), json!({"podDisruptionBudget": false})),
        input("nodes", json!({"protect": false}), json!({"protect": true})),
        input("labels", none(), json!({"team": "a"})),
        input("annotations", none(), json!({"team": "a"})),
        input("ttl", json!({"settled": "10m"}), json!({"settled": "5m"})),
        // Where a model may sleep, more follows from its scaling.
        composite("minReplicas", json!(1), json!(0)),
        composite("scaling.coldStart", json!("10m"), json!("20m")).of(asleep()),
    ]
}

const PICKER_CONFIG: &str = "apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: EndpointPickerConfig
plugins:
- type: queue-scorer
- type: max-score-picker
schedulingProfiles:
- name: default
  plugins:
  - pluginRef: queue-scorer
    weight: 1
  - pluginRef: max-score-picker
";

/// A row's field, with the column of what is restarted.
type Row = (Source, String);

/// Who is given new pods.
fn documented() -> BTreeMap<Row, String> {
    let page = include_str!("../docs/changes.md");
    let mut source = None;
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        match line {
            "## `LLMInference`" => source = Some(Source::Composite),
            "## `ModelStack`" => source = Some(Source::Input),
            _ if line.starts_with("## ") => source = None,
            _ => {}
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let (Some(source), [field, restarts, what]) = (source, cells.as_slice())
            && let Some(field) = field.strip_prefix('`').and_then(|field| field.strip_suffix('`'))
        {
            assert!(!what.is_empty(), "{field}");
            let former = rows.insert((source, field.to_owned()), (*restarts).to_owned());
            assert_eq!(former, None, "{field} has two rows");
        }
    }
    rows
}

fn nested(path: &str, value: &Value) -> Value {
    path.rsplit('.').fold(value.clone(), |value, field| json!({ field: value }))
}

/// The spec of both, with one value of the field.
fn written(change: &Change, value: &Value) -> [Value; 2] {
    let [composite, input] = &change.with;
    let field = nested(change.field, value);
    match change.source {
        Source::Composite => [scene::merged(composite.clone(), &field), input.clone()],
        Source::Input => [composite.clone(), scene::merged(input.clone(), &field)],
    }
}

/// The answer for a model that was composed from one value and has another.
fn answer(change: &Change, was: &Value, is: &Value, rest: Rest) -> Answer {
    let document = |spec: Value| json!({"apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ModelStack", "spec": spec});
    let [was, was_input] = written(change, was);
    let [is, is_input] = written(change, is);
    let scene = Scene {
        what: change.field.to_owned(),
        about: scene::About::Model,
        composite: json!({ "spec": is }),
        was: Some(json!({ "spec": was })),
        input: Some(document(is_input)),
        was_input: Some(document(was_input)),
        twice: false,
        rest,
        observed: BTreeMap::new(),
        required: Vec::new(),
    };
    scene.play()
}

/// What a pod is made from, on the cluster where it runs.
fn pods(answer: &Answer) -> [Value; 2] {
    let manifest = |key: &str| answer.composed(key)["spec"]["forProvider"]["manifest"]["spec"].clone();
    let mut runtime = manifest("vllm_runtime");
    if let Some(deployment) = runtime.pointer_mut("/deploymentConfig").and_then(Value::as_object_mut) {
        deployment.remove("replicas");
    }
    [runtime, manifest("epp_deployment")["template"].clone()]
}

/// What is restarted, in the words of the page.
fn restarts(change: &Change) -> String {
    let refused = answer(change, &change.before, &change.after, Rest::Serves).composite.is_none();
    if refused {
        return "refused".to_owned();
    }
    let [before, after] =
        [&change.before, &change.after].map(|value| pods(&answer(change, value, value, Rest::Absent)));
    let there = |index: usize| !before[index].is_null() && !after[index].is_null();
    let changed: Vec<&str> = ["model", "picker"]
        .into_iter()
        .enumerate()
        .filter(|(index, _)| there(*index) && before[*index] != after[*index])
        .map(|(_, word)| word)
        .collect();
    if changed.is_empty() { "nothing".to_owned() } else { changed.join(", ") }
}

#[test]
fn the_page_says_of_every_field_what_a_change_restarts() {
    let documented = documented();
    let mut derived: BTreeMap<Row, BTreeSet<String>> = BTreeMap::new();
    for change in changes() {
        let row = (change.source, change.field.to_owned());
        derived.entry(row).or_default().insert(restarts(&change));
    }
    let mut wrong = Vec::new();
    for (row, restarts) in &derived {
        let restarts: Vec<&str> = restarts.iter().map(String::as_str).collect();
        let want = restarts.join("; ");
        if documented.get(row) != Some(&want) {
            wrong.push(format!("{row:?}: {want}, and not {:?}", documented.get(row)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut missing = Vec::new();
    for (source, file) in [
        (Source::Composite, "package/configuration/definition.yaml"),
        (Source::Input, "package/function/inference.fn.crossplane.io_modelstacks.yaml"),
    ] {
        let definition: Value = scene::read(&root.join(file));
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        for place in generate::places::places(schema) {
            let place = place.to_string();
            let is_within = |(of, field): &&Row| {
                *of == source
                    && (place == *field
                        || place.starts_with(&format!("{field}."))
                        || place.starts_with(&format!("{field}["))
                        || place.starts_with(&format!("{field}{{"))
                        || field.starts_with(&format!("{place}.")))
            };
            if documented.keys().find(is_within).is_none()
                && place != "crossplane"
                && !place.starts_with("crossplane.")
            {
                missing.push(format!("{source:?} {place}"));
            }
        }
    }
    assert!(missing.is_empty(), "not in docs/changes.md: {missing:#?}");
}
