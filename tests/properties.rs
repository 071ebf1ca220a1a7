//! What holds for every stack, whatever the schema lets people write.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod generate;
mod releases;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use function_inference::api::Source;
use function_inference::cli::render::crossplane::Outcome;
use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::render::references::{Reference, Rendered, Target, references};
use function_inference::cli::render::{Output, Preview, print, show};
use function_inference::cli::yaml::{self, Document};
use proptest::prelude::*;
use serde_json::{Value, json};

use generate::Case;
use generate::places::{lacking, schema};

/// Longest name of a Service, of a Deployment (its pods' hash needs the rest) and of anything that becomes a label.
const LABEL_MAX: usize = 63;
/// Longest name of anything else.
const NAME_MAX: usize = 253;

fn document(value: &Value) -> Document {
    read_back(&print::yaml(std::slice::from_ref(value)).unwrap()).remove(0)
}

fn read_back(stream: &str) -> Vec<Document> {
    yaml::parse(Path::new("generated.yaml"), stream).unwrap()
}

fn render(case: &Case) -> Result<Outcome, String> {
    let pipeline = Pipeline::alone(case.input.as_ref().map(document));
    let preview =
        Preview::new(document(&case.composite), pipeline, &[]).map_err(|error| format!("{error:#}"))?;
    preview.outcome(&mut Vec::new()).map_err(|error| format!("{error:#}"))
}

proptest! {
    // A failing case is printed whole; it belongs into a table test.
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_stack_keeps_the_rules(case in generate::case()) {
        let outcome = match render(&case) {
            Ok(outcome) => outcome,
            Err(error) if case.may_be_refused(&error) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error)),
        };
        let again = render(&case).map_err(TestCaseError::fail)?;
        for output in [Output::Yaml, Output::Mermaid] {
            prop_assert_eq!(show(output, &outcome).unwrap(), show(output, &again).unwrap());
        }

        let documents: Vec<&Value> = std::iter::once(&outcome.composite).chain(outcome.composed.values()).collect();
        let printed: Vec<Value> =
            read_back(&show(Output::Yaml, &outcome).unwrap()).iter().map(|document| document.root.to_json()).collect();
        prop_assert_eq!(printed.iter().collect::<Vec<_>>(), documents);

        let broken = broken(&case, &outcome);
        prop_assert!(broken.is_empty(), "{:#?}", broken);
    }
}

/// Every rule that does not hold.
fn broken(case: &Case, outcome: &Outcome) -> Vec<String> {
    let objects: Vec<Rendered> =
        outcome.composed.iter().map(|(key, resource)| Rendered::new(key, resource)).collect();
    let mut broken = Vec::new();
    Stack { case, objects: &objects }.check(&mut broken);
    for document in outcome.composed.values().chain([&outcome.composite]) {
        holes(document, "", &mut broken);
    }
    broken
}

/// What decides most about a stack, each with each: every picker, every gateway, every way to scale and to
/// route.
#[test]
fn every_combination_of_picker_gateway_scale_and_route_keeps_the_rules() {
    let (mut seen, mut refused) = (0, 0);
    for [family, implementation, min, metric, by] in combinations([
        &releases::RELEASES.each_ref().map(|release| release.family.into()),
        &["EnvoyAIGateway", "Istio", "Agentgateway", "GKE", "NGINX", "Other"].map(Value::from),
        &[0, 1, 3].map(Value::from),
        &[Value::Null, "queue-depth".into(), "kv-cache".into(), "latency".into()],
        &["Host", "ModelName"].map(Value::from),
    ]) {
        let case = Case {
            composite: json!({
                "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
                "kind": "LLMInference",
                "metadata": { "name": "llama", "namespace": "team-a" },
                "spec": {
                    "model": "Qwen/Qwen3-8B",
                    "providerConfigName": "gpu-cluster",
                    "host": "llama.example.com",
                    "criticality": "sheddable",
                    "minReplicas": min,
                    "lora": { "adapters": [{ "name": "sql", "path": "acme/sql" }] },
                    "scaling": if metric.is_null() { json!({}) } else { json!({ "enabled": true, "metric": metric }) },
                },
            }),
            input: Some(json!({
                "apiVersion": "inference.fn.crossplane.io/v1beta1",
                "kind": "ModelStack",
                "spec": {
                    "defaults": { "scaling": { "latency": { "timeToFirstToken": "1s" } } },
                    // With more than one there is a leader to elect.
                    "endpointPicker": { "family": family, "replicas": min.as_i64().unwrap().max(1), "metricsAuth": "Token" },
                    "gateway": {
                        "implementation": implementation,
                        "routeBy": by,
                        "ref": { "name": "inference", "namespace": "gateways" },
                    },
                },
            })),
        };
        // What cannot be is said, and why.
        if implementation == "NGINX" && by == "ModelName" {
            let why = render(&case).map(drop).unwrap_err();
            assert!(why.contains("spec.gateway.routeBy"), "{why}");
            refused += 1;
            continue;
        }
        let outcome = render(&case).unwrap_or_else(|error| panic!("{error}\n{case:?}"));
        assert_eq!(broken(&case, &outcome), [""; 0], "{case:?}");
        let release = releases::RELEASES.iter().find(|release| release.family == family).unwrap();
        let objects: Vec<Rendered> =
            outcome.composed.iter().map(|(key, resource)| Rendered::new(key, resource)).collect();
        assert_eq!(release.unknown(&objects), [""; 0], "{case:?}");
        assert!(outcome.composed.contains_key("inference_pool"), "{case:?}");
        seen += 1;
    }
    assert_eq!((seen, refused), (5 * (6 + 5) * 3 * 4, 5 * 3 * 4));
}

/// Each of the first with each of the others.
fn combinations<const N: usize>(choices: [&[Value]; N]) -> Vec<[Value; N]> {
    choices.iter().enumerate().fold(vec![[const { Value::Null }; N]], |so_far, (position, choices)| {
        let with = |chosen: [Value; N], choice: &Value| {
            let mut chosen = chosen;
            chosen[position] = choice.clone();
            chosen
        };
        so_far
            .into_iter()
            .flat_map(|chosen| choices.iter().map(move |choice| with(chosen.clone(), choice)))
            .collect()
    })
}

/// A rule is as good as what it is tried on. The schemas know every field, and every value where there is a choice.
#[test]
fn every_field_and_every_choice_is_generated() {
    let cases = generate::deterministic(500, generate::case());
    let inputs: Vec<&Value> =
        cases.iter().filter_map(|case| case.input.as_ref()).map(|input| &input["spec"]).collect();
    let composites: Vec<&Value> = cases.iter().map(Case::fields).collect();
    let mut missing = Vec::new();
    for (source, file, documents) in [
        (Source::Composite, "package/configuration/definition.yaml", composites),
        (Source::Input, "package/function/inference.fn.crossplane.io_modelstacks.yaml", inputs),
    ] {
        for (place, choice) in lacking(&schema(file), &documents) {
            missing.push(format!("{source:?} {place} {}", choice.unwrap_or_default()));
        }
    }
    assert!(missing.is_empty(), "not in tests/generate: {missing:#?}");
}

/// A rendered stack, and what it was rendered from.
struct Stack<'a> {
    case: &'a Case,
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
                    | "PodMonitor"
            );
            let longest = if is_label { LABEL_MAX } else { NAME_MAX };
            expect((1..=longest).contains(&object.name().len()), "the name has its limit");
            if object.observed_only {
                expect(manifest.get("spec").is_none(), "what is only observed is not described");
                continue;
            }
            let namespace = self.case.fields()["targetNamespace"].as_str().unwrap_or("team-a");
            if matches!(object.kind(), "ClusterRole" | "ClusterRoleBinding") {
                expect(
                    object.namespace().is_empty() && object.name().starts_with(&format!("{namespace}.")),
                    "what belongs to the whole cluster says whose it is in its name alone",
                );
            } else {
                expect(object.namespace() == namespace, "everything lands in the target namespace");
            }
            let metadata = &manifest["metadata"];
            let home = self.case.composite["metadata"]["namespace"].as_str().unwrap_or_default();
            let owner = format!("{home}/{}", self.case.name());
            expect(
                metadata["annotations"]["inference.devopstoolkit.ai/owner"] == owner,
                "everything names its owner",
            );
            if object.kind() == "VLLMRuntime" {
                // Crossplane's own is there from the start and never changes.
                let labels = metadata["labels"].as_object().into_iter().flatten();
                let of_others = labels.filter(|(label, _)| !label.starts_with("crossplane.io/"));
                expect(of_others.count() == 0, "the operator copies labels into an immutable selector");
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

    /// Whether that is a picker's Service which no Object looks at.
    fn is_looked_up(&self, service: &str) -> bool {
        let existing =
            self.case.input.as_ref().map(|input| &input["spec"]["endpointPicker"]["existing"]["name"]);
        self.case.is_direct() && existing.is_some_and(|name| name == service)
    }

    /// Nothing refers to something that is not there, but for the Secret that the author named, Kubernetes' own roles, the
    /// Gateway and a picker that is already there where nothing is composed to look at them, and the series that somebody else scrapes.
    fn references_resolve(&self, broken: &mut Vec<String>) {
        let references = references(self.objects);
        for Reference { from, field, to } in &references {
            if let Target::Outside { kind, name } = to
                && kind != "Secret"
                // Kubernetes' own.
                && !name.starts_with("system:")
                && !(kind == "Gateway" && self.case.is_direct())
                && !(kind == "Service" && self.is_looked_up(name))
                && !(kind == "series" && self.has_external_series())
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
            ("PodMonitor", &["selector"]),
            ("PodDisruptionBudget", &["selector"]),
            ("NetworkPolicy", &["podSelector"]),
            ("InferencePool", &["selector", "endpointPickerRef"]),
            ("InferenceObjective", &["poolRef"]),
            ("DestinationRule", &["host"]),
            ("EnvoyExtensionPolicy", &["targetRefs"]),
            ("HealthCheckPolicy", &["targetRef"]),
            ("GCPBackendPolicy", &["targetRef"]),
            ("ProxySettingsPolicy", &["targetRefs"]),
            ("AIGatewayRoute", &["parentRefs", "backendRefs"]),
            ("HTTPRoute", &["parentRefs", "backendRefs"]),
            ("RoleBinding", &["roleRef", "subjects"]),
            ("ClusterRoleBinding", &["roleRef", "subjects"]),
            ("Secret", &["account"]),
            ("Deployment", &["serviceAccountName", "volumes"]),
            ("PrometheusRule", &["rules"]),
            ("ScaledObject", &["scaleTargetRef", "triggers"]),
            ("Ingress", &["backend"]),
        ]);
        for object in self.objects {
            // The model servers need no identity, and no file; what is only looked at is somebody else's to complete.
            let needed = needed
                .get(object.kind())
                .filter(|_| object.key != "model_deployment" && !object.observed_only);
            for field in needed.copied().unwrap_or_default() {
                if !made.contains(&(object.kind(), field)) {
                    broken.push(format!("{} {} has no {field}", object.kind(), object.name()));
                }
            }
        }
    }

    fn has_external_series(&self) -> bool {
        let monitoring = self.case.input.as_ref().map(|input| &input["spec"]["monitoring"]);
        monitoring
            .is_some_and(|monitoring| monitoring["kind"] == "None" && monitoring["external"].is_object())
    }

    fn has_platform(&self, field: &str, found: &Value) -> bool {
        self.case.input.as_ref().is_none_or(|input| is_subset(&input["spec"][field], found))
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
