//! What holds for every extension of a cluster, whatever its Input and whatever is there.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod generate;

use std::path::Path;

use function_inference::cli::render::crossplane::Outcome;
use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::render::{Output, Preview, print, show};
use function_inference::cli::yaml::{self, Document};
use function_inference::cluster::{Definition, Key};
use generate::clusters::{Cluster, cluster};
use generate::places::{lacking, schema};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

fn document(value: &Value) -> Document {
    let stream = print::yaml(std::slice::from_ref(value)).unwrap();
    yaml::parse(Path::new("generated.yaml"), &stream).unwrap().remove(0)
}

/// One of our resources, in a state that a provider could have left it in.
fn observed(key: Key, state: usize) -> Value {
    let status = [
        json!(null),
        json!({"conditions": [{"type": "Synced", "status": "False", "message": "external resource does not exist"}]}),
        json!({"conditions": [{"type": "Synced", "status": "False", "message": "forbidden"}]}),
        json!({
            "conditions": [{"type": "Synced", "status": "True"}, {"type": "Ready", "status": "True"}],
            "atProvider": {"manifest": {"status": {
                "availableReplicas": 1, "conditions": [{"type": "Established", "status": "True"}],
            }}},
        }),
    ];
    let (api_version, kind) = match key {
        Key::BodyBasedRouter => ("helm.m.crossplane.io/v1beta1", "Release"),
        Key::Gateways => ("kubernetes.m.crossplane.io/v1alpha1", "ObservedObjectCollection"),
        _ => ("kubernetes.m.crossplane.io/v1alpha1", "Object"),
    };
    json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {
            "name": key.as_str().replace('_', "-"), "namespace": "clusters",
            "annotations": {"crossplane.io/composition-resource-name": key.as_str()},
        },
        "status": status[state],
    })
}

fn render(cluster: &Cluster, there: &[Value]) -> Result<Outcome, String> {
    let Cluster { composite, input, .. } = cluster;
    let there: Vec<Document> = there.iter().map(document).collect();
    let preview = Preview::new(document(composite), Pipeline::alone(Some(document(input))), &there)
        .map_err(|error| format!("{error:#}"))?;
    preview.outcome(&mut Vec::new()).map_err(|error| format!("{error:#}"))
}

/// Whether a value has all that is in another.
fn has(value: &Value, part: &Value) -> bool {
    match part {
        Value::Object(fields) => fields.iter().all(|(field, part)| has(&value[field], part)),
        _ => value == part,
    }
}

/// Where the router runs.
fn home(spec: &Value) -> &str {
    match (spec["bodyBasedRouter"]["namespace"].as_str(), spec["implementation"].as_str()) {
        (Some(namespace), _) => namespace,
        (None, Some("GKE")) => {
            spec["gateway"]["namespace"].as_str().unwrap_or("gateway-api-inference-extension")
        }
        (None, _) => "gateway-api-inference-extension",
    }
}

/// A rule is as good as what it is tried on. The schema knows every field, and every value where there is a choice.
#[test]
fn every_field_and_every_choice_is_generated() {
    let clusters = generate::deterministic(300, cluster());
    let inputs: Vec<&Value> = clusters.iter().map(|cluster| &cluster.input["spec"]).collect();
    let schema = schema("package/function/inference.fn.crossplane.io_clusterextensions.yaml");
    let missing: Vec<String> = lacking(&schema, &inputs)
        .into_iter()
        .map(|(place, choice)| format!("{place} {}", choice.unwrap_or_default()))
        .collect();
    assert!(missing.is_empty(), "supported, but not in tests/generate: {missing:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_extension_keeps_the_rules(
        cluster in cluster(),
        keys in subsequence(Key::ALL.to_vec(), 0..=Key::ALL.len()),
        state in 0..4_usize,
    ) {
        let there: Vec<Value> = keys.iter().map(|key| observed(*key, state)).collect();
        let outcome = render(&cluster, &there).map_err(TestCaseError::fail)?;
        let again = render(&cluster, &there).map_err(TestCaseError::fail)?;
        prop_assert_eq!(show(Output::Yaml, &outcome).unwrap(), show(Output::Yaml, &again).unwrap());

        let Cluster { composite, input, enabled, lacks, provider_config } = &cluster;
        let spec = &input["spec"];
        let namespaced = composite["metadata"]["namespace"].is_string();
        for (name, resource) in &outcome.composed {
            prop_assert!(*enabled, "{} is desired, though nothing is asked for", name);
            let key = Key::parse(name).ok_or_else(|| TestCaseError::fail(format!("a foreign key {name}")))?;
            prop_assert!(key != Key::Gateways || spec["discovery"] == true, "nobody asked for {}", name);
            prop_assert!(!lacks || keys.contains(&key), "{} is added without its prerequisite", name);
            if let Some(definition) = Definition::of(key) {
                let policies = resource["spec"]["managementPolicies"].as_array().unwrap();
                prop_assert!(!policies.iter().any(|it| it == "Delete" || it == "*"), "{} may be deleted", name);
                prop_assert!(!definition.is_experimental() || spec["experimental"] == true, "nobody asked for {}", name);
            }

            let group = resource["apiVersion"].as_str().unwrap().split('/').next().unwrap();
            prop_assert_eq!(group.contains(".m."), namespaced, "{} is of {}", name, group);
            let reference = &resource["spec"]["providerConfigRef"];
            prop_assert_eq!(&reference["name"], provider_config, "{}", name);
            let kind = if namespaced {
                json!(spec["providerConfigKind"].as_str().unwrap_or("ProviderConfig"))
            } else {
                json!(null)
            };
            prop_assert_eq!(&reference["kind"], &kind, "{}", name);

            if key == Key::BodyBasedRouter {
                let (wanted, router) = (&resource["spec"]["forProvider"], &spec["bodyBasedRouter"]);
                prop_assert_eq!(&wanted["namespace"], home(spec));
                prop_assert_eq!(&wanted["values"]["bbr"]["replicas"], router["replicas"].as_u64().unwrap_or(2));
                prop_assert!(has(&wanted["values"], &router["values"]) || router["values"].is_null());
                prop_assert!(has(&wanted["chart"], &router["chart"]) || router["chart"].is_null());
                let version = spec["version"].as_str().unwrap_or("v1.3.1");
                let is_of_release = wanted["chart"]["version"] == version;
                prop_assert!(is_of_release || !router["chart"]["version"].is_null() || !router["chart"]["url"].is_null());
            }
        }
    }
}
