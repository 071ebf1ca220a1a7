//! What holds for every stack, whatever the schema lets people write.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use function_inference::cli::render::crossplane::Outcome;
use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::render::references::{Reference, Rendered, Target, references};
use function_inference::cli::render::{Output, Preview, print, show};
use function_inference::cli::yaml::{self, Document};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Longest name of a Service, of a Deployment (its pods' hash needs the rest) and of anything that becomes a label.
const LABEL_MAX: usize = 63;
/// Longest name of anything else.
const NAME_MAX: usize = 253;

/// A strategy for one value.
type Values = BoxedStrategy<Value>;

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
fn some(fields: Vec<(&'static str, Values)>) -> Values {
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

fn put(object: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        Some((first, rest)) => put(&mut object[first], rest, value),
        None => object[path] = value,
    }
}

fn runtime() -> Vec<(&'static str, Values)> {
    let env = btree_map("X_[A-Z]{1,8}", prop_oneof![Just("yes".to_owned()), ".{0,12}"], 0..3).prop_map(
        |variables| {
            variables.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
        },
    );
    let toleration = prop_oneof![
        Just(json!({ "operator": "Exists" })),
        "[a-z]{1,8}".prop_map(
            |key| json!({ "key": key, "operator": "Equal", "value": "true", "effect": "NoSchedule" })
        ),
    ];
    vec![
        ("image", text("(docker[.]io/)?[a-z]{1,8}/vllm-openai:v[0-9]{1,3}")),
        ("cpu", prop_oneof![number(1..64), text("[1-9][0-9]{0,3}m")].boxed()),
        ("memory", text("[1-9][0-9]{0,2}(Gi|G|Mi)")),
        ("args", vec("--max-num-seqs=[1-9]", 0..3).prop_map(|args| json!(args)).boxed()),
        ("env", env.boxed()),
        ("dtype", one_of(&["auto", "bfloat16", "half"])),
        ("maxModelLen", number(1..200_000)),
        ("tokenSecret.name", text("[a-z]{1,20}")),
        ("runtimeClassName", text("[a-z]{1,10}")),
        ("nodeSelector", labels()),
        ("tolerations", vec(toleration, 0..3).prop_map(Value::from).boxed()),
    ]
}

fn below(prefix: &'static str, fields: Vec<(&'static str, Values)>) -> Values {
    some(fields).prop_map(move |value| json!({ prefix: value })).boxed()
}

fn composite() -> impl Strategy<Value = Value> {
    let spec = some(vec![
        ("servedModelName", text("[A-Za-z0-9][A-Za-z0-9/._-]{0,30}")),
        ("gpu", number(0..17)),
        ("targetNamespace", text("models(-[a-z0-9]{1,20})?")),
        ("host", text("[a-z0-9]{1,10}([.][a-z]{2,8}){1,2}")),
        ("criticality", one_of(&["critical", "standard", "sheddable"])),
        ("minReplicas", number(0..30)),
        ("maxReplicas", number(1..60)),
        ("scaling.enabled", flag()),
        ("scaling.metric", one_of(&["queue-depth", "kv-cache"])),
        (
            "scaling.target",
            (1..1000_i64).prop_map(|n| json!(f64::from(i32::try_from(n).unwrap()) / 1000.0)).boxed(),
        ),
        ("scaling.prometheusAddress", text("https?://[a-z]{1,10}([.][a-z]{1,8}){0,2}(:[1-9][0-9]{3})?")),
        ("scaling.coldStart", text("[1-9][0-9]{0,2}[ms]")),
        ("ingressHost", text("([*][.])?[a-z0-9]{1,10}([.][a-z]{2,8}){1,2}")),
        ("gateway.enabled", Just(json!(false)).boxed()),
    ]);
    let name = prop_oneof![
        3 => "[a-z]([a-z0-9-]{0,20}[a-z0-9])?",
        1 => "[a-z][a-z0-9-]{40,61}[a-z0-9]",
    ];
    (name, spec, option::of(below("runtime", runtime()))).prop_map(|(name, mut spec, runtime)| {
        spec["model"] = json!("Qwen/Qwen3-8B");
        spec["providerConfigName"] = json!("gpu-cluster");
        if let Some(runtime) = runtime {
            spec["runtime"] = runtime["runtime"].clone();
        }
        if let (Some(min), Some(max)) = (spec["minReplicas"].as_i64(), spec["maxReplicas"].as_i64()) {
            spec["maxReplicas"] = json!(max.max(min));
        }
        json!({
            "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
            "kind": "LLMInference",
            "metadata": { "name": name, "namespace": "team-a" },
            "spec": without_nulls(spec),
        })
    })
}

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

fn input() -> impl Strategy<Value = Value> {
    // A picker that holds requests needs more than two gigabytes.
    let quantities =
        || btree_map("cpu|memory", "[3-9]Gi", 0..3).prop_map(|quantities| json!(quantities)).boxed();
    let spec = some(vec![
        ("target", Just(json!("NamespacedObject")).boxed()),
        ("providerConfigKind", one_of(&["ProviderConfig", "ClusterProviderConfig"])),
        ("defaults.runtime", some(runtime())),
        ("defaults.scaling.metric", one_of(&["queue-depth", "kv-cache"])),
        ("defaults.scaling.coldStart", text("[1-9][0-9]{0,2}m")),
        ("endpointPicker.version", one_of(&["v1.3.1", "v1.4.2", "v1.5.0", "v0.9.0", "v0.10.1"])),
        ("endpointPicker.replicas", number(1..11)),
        ("endpointPicker.image", text("[a-z]{1,8}[.]io/epp:v[0-9]")),
        ("endpointPicker.resources.requests", quantities()),
        ("endpointPicker.resources.limits", quantities()),
        ("endpointPicker.failureMode", one_of(&["FailOpen", "FailClose"])),
        ("endpointPicker.flowControl", one_of(&["Auto", "Enabled"])),
        ("gateway.ref.name", text("[a-z]{1,20}")),
        ("gateway.ref.namespace", text("gateways(-[a-z]{1,8})?")),
        ("gateway.ref.sectionName", text("[a-z]{1,10}")),
        ("gateway.timeout", text("[1-9][0-9]{0,2}s")),
        ("priorities.critical", number(0..1000)),
        ("priorities.standard", number(-10..10)),
        ("priorities.sheddable", number(-1000..0)),
        ("monitoring.labels", labels()),
        ("monitoring.interval", text("[1-9][0-9]?s")),
        ("monitoring.endpointPicker", one_of(&["Auto", "Enabled"])),
        ("prometheus.address", text("https?://[a-z]{1,10}:[1-9][0-9]{3}")),
        ("hardening.podDisruptionBudget", flag()),
        ("labels", labels()),
        ("annotations", labels()),
        ("ttl.settled", text("[1-9][0-9]?m")),
        ("ttl.pending", text("[1-9][0-9]?s")),
    ]);
    spec.prop_map(|spec| {
        json!({
            "apiVersion": "inference.fn.crossplane.io/v1beta1",
            "kind": "ModelStack",
            "spec": without_nulls(spec),
        })
    })
}

/// The same under a cluster-scoped composite, which needs cluster-scoped Objects and a namespace to put things into.
fn cluster_scoped(mut composite: Value, input: Option<Value>) -> (Value, Option<Value>) {
    composite["metadata"].as_object_mut().unwrap().remove("namespace");
    let spec = &mut composite["spec"];
    if spec["targetNamespace"].is_null() {
        spec["targetNamespace"] = json!("models");
    }
    let mut input = input.unwrap_or_else(
        || json!({ "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ModelStack", "spec": {} }),
    );
    let spec = input["spec"].as_object_mut().unwrap();
    spec.remove("providerConfigKind");
    spec.insert("target".to_owned(), json!("ClusterObject"));
    (composite, Some(input))
}

fn document(value: &Value) -> Document {
    read_back(&print::yaml(std::slice::from_ref(value)).unwrap()).remove(0)
}

fn read_back(stream: &str) -> Vec<Document> {
    yaml::parse(Path::new("generated.yaml"), stream).unwrap()
}

fn render(composite: &Value, input: Option<&Value>) -> Result<Outcome, String> {
    let pipeline = Pipeline::alone(input.map(document));
    let preview = Preview::new(document(composite), pipeline, &[]).map_err(|error| format!("{error:#}"))?;
    preview.outcome(&mut Vec::new()).map_err(|error| format!("{error:#}"))
}

proptest! {
    // A failing case is printed whole; it belongs into a table test.
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_stack_keeps_the_rules(composite in composite(), input in option::of(input()), wide in any::<bool>()) {
        let (composite, input) = if wide { cluster_scoped(composite, input) } else { (composite, input) };
        let outcome = match render(&composite, input.as_ref()) {
            Ok(outcome) => outcome,
            // Refused where a derived name would be too long, and only there.
            Err(error) if error.starts_with("metadata.name is ") && name(&composite).len() > 45 => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error)),
        };
        let again = render(&composite, input.as_ref()).map_err(TestCaseError::fail)?;
        for output in [Output::Yaml, Output::Mermaid] {
            prop_assert_eq!(show(output, &outcome).unwrap(), show(output, &again).unwrap());
        }

        let documents: Vec<&Value> = std::iter::once(&outcome.composite).chain(outcome.composed.values()).collect();
        let printed: Vec<Value> =
            read_back(&show(Output::Yaml, &outcome).unwrap()).iter().map(|document| document.root.to_json()).collect();
        prop_assert_eq!(printed.iter().collect::<Vec<_>>(), documents);

        let objects: Vec<Rendered> =
            outcome.composed.iter().map(|(key, resource)| Rendered::new(key, resource)).collect();
        let stack = Stack { composite: &composite, input: input.as_ref(), objects: &objects };
        let mut broken = Vec::new();
        stack.check(&mut broken);
        for document in outcome.composed.values().chain([&outcome.composite]) {
            holes(document, "", &mut broken);
        }
        prop_assert!(broken.is_empty(), "{:#?}", broken);
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// A rendered stack, and what it was rendered from.
struct Stack<'a> {
    composite: &'a Value,
    input: Option<&'a Value>,
    objects: &'a [Rendered],
}

impl Stack<'_> {
    /// Adds every rule that does not hold.
    fn check(&self, broken: &mut Vec<String>) {
        self.references_resolve(broken);
        for object in self.objects {
            let manifest = &object.manifest;
            let what = format!("{} {}", object.kind(), object.name());
            let mut expect = |holds: bool, rule: &str| {
                if !holds {
                    broken.push(format!("{what}: {rule}"));
                }
            };

            let is_label = matches!(
                object.kind(),
                "Service"
                    | "Deployment"
                    | "VLLMRuntime"
                    | "ScaledObject"
                    | "InferencePool"
                    | "ServiceMonitor"
            );
            let longest = if is_label { LABEL_MAX } else { NAME_MAX };
            expect((1..=longest).contains(&object.name().len()), "the name has its limit");
            if object.observed_only {
                expect(manifest.get("spec").is_none(), "what is only observed is not described");
                continue;
            }
            let spec = &self.composite["spec"];
            let namespace = spec["targetNamespace"].as_str().unwrap_or("team-a");
            expect(object.namespace() == namespace, "everything lands in the target namespace");
            let metadata = &manifest["metadata"];
            let home = self.composite["metadata"]["namespace"].as_str().unwrap_or_default();
            let owner = format!("{home}/{}", name(self.composite));
            expect(
                metadata["annotations"]["inference.devopstoolkit.ai/owner"] == owner,
                "everything names its owner",
            );
            if object.kind() == "VLLMRuntime" {
                expect(
                    metadata.get("labels").is_none(),
                    "the operator copies labels into an immutable selector",
                );
            } else {
                expect(self.has_platform("labels", &metadata["labels"]), "the platform's labels are there");
                expect(
                    self.has_platform("annotations", &metadata["annotations"]),
                    "the platform's annotations are there",
                );
            }
            if object.kind() == "Deployment" {
                let template = &manifest["spec"]["template"]["metadata"]["labels"];
                expect(
                    is_subset(&manifest["spec"]["selector"]["matchLabels"], template),
                    "a Deployment selects the pods of its template",
                );
            }
            for labels in [&metadata["labels"], &manifest["spec"]["template"]["metadata"]["labels"]] {
                let fits = labels
                    .as_object()
                    .into_iter()
                    .flatten()
                    .all(|(_, value)| value.as_str().is_some_and(|value| value.len() <= LABEL_MAX));
                expect(fits, "label values have their limit");
            }
        }
    }

    /// Nothing refers to something that is not there, but for the Secret that the author named.
    fn references_resolve(&self, broken: &mut Vec<String>) {
        let references = references(self.objects);
        for Reference { from, field, to } in &references {
            if let Target::Outside { kind, name } = to
                && kind != "Secret"
            {
                broken.push(format!("{} {field}: there is no {kind} {name}", self.objects[*from].kind()));
            }
        }
        // A reference that nobody made does not show above.
        let made: BTreeSet<(&str, &str)> = references
            .iter()
            .map(|reference| (self.objects[reference.from].kind(), reference.field))
            .collect();
        let needed: BTreeMap<&str, &[&str]> = BTreeMap::from([
            ("Service", &["selector"][..]),
            ("ServiceMonitor", &["selector"]),
            ("PodDisruptionBudget", &["selector"]),
            ("InferencePool", &["selector", "endpointPickerRef"]),
            ("InferenceObjective", &["poolRef"]),
            ("HTTPRoute", &["parentRefs", "backendRefs"]),
            ("RoleBinding", &["roleRef", "subjects"]),
            ("Deployment", &["serviceAccountName", "volumes"]),
            ("ScaledObject", &["scaleTargetRef", "triggers"]),
            ("Ingress", &["backend"]),
        ]);
        for object in self.objects {
            for field in needed.get(object.kind()).copied().unwrap_or_default() {
                if !made.contains(&(object.kind(), field)) {
                    broken.push(format!("{} {} has no {field}", object.kind(), object.name()));
                }
            }
        }
    }

    fn has_platform(&self, field: &str, found: &Value) -> bool {
        self.input.is_none_or(|input| is_subset(&input["spec"][field], found))
    }
}

/// Whether `all` has every entry of `part`.
fn is_subset(part: &Value, all: &Value) -> bool {
    part.as_object().into_iter().flatten().all(|(key, value)| all.get(key) == Some(value))
}

/// Notes every null, and every empty object or list: to leave a field out is the only way to leave it out.
fn holes(value: &Value, path: &str, broken: &mut Vec<String>) {
    match value {
        Value::Null => broken.push(format!("{path} is null")),
        Value::Object(fields) => {
            // The references of a stack without objects, which there is none of, would be the only empty list.
            if fields.is_empty() {
                broken.push(format!("{path} is an empty object"));
            }
            for (key, value) in fields {
                holes(value, &format!("{path}.{key}"), broken);
            }
        }
        Value::Array(items) => {
            if items.is_empty() {
                broken.push(format!("{path} is an empty list"));
            }
            for (index, item) in items.iter().enumerate() {
                holes(item, &format!("{path}[{index}]"), broken);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
