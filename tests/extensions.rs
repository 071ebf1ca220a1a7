//! What holds for every extension of a cluster, whatever its Input and whatever is there.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

use std::path::Path;

use function_inference::cli::render::crossplane::Outcome;
use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::render::{Output, Preview, print, show};
use function_inference::cli::yaml::{self, Document};
use function_inference::cluster::{Definition, Key};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

fn document(value: &Value) -> Document {
    let stream = print::yaml(std::slice::from_ref(value)).unwrap();
    yaml::parse(Path::new("generated.yaml"), &stream).unwrap().remove(0)
}

/// An Input that is right, but for a Gateway that may be missing.
fn input() -> impl Strategy<Value = Value> {
    let implementations = vec!["EnvoyAIGateway", "Istio", "Agentgateway", "GKE", "NGINX", "Other"];
    let flags = any::<[bool; 5]>();
    (select(implementations), select(vec!["v1.3.1", "v1.5.0"]), flags, 1..5_u32).prop_map(
        |(implementation, version, [experimental, router, gateway, asks, discovery], replicas)| {
            json!({
                "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ClusterExtension",
                "spec": {
                    "implementation": implementation,
                    "version": version,
                    "experimental": experimental,
                    "discovery": discovery,
                    "bodyBasedRouter": {"enabled": router, "replicas": replicas},
                    "gateway": gateway.then(|| json!({"name": "inference", "namespace": "gateways"})),
                    "prerequisites": if asks { json!(["envoyGateway.enabled"]) } else { json!([]) },
                },
            })
        },
    )
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

fn render(enabled: bool, envoy: bool, input: &Value, there: &[Value]) -> Result<Outcome, String> {
    let composite = json!({
        "apiVersion": "example.com/v1", "kind": "Cluster",
        "metadata": {"name": "gpu", "namespace": "clusters"},
        "spec": {"parameters": {"apps": {
            "envoyGateway": {"enabled": envoy}, "gatewayInferenceExtension": {"enabled": enabled},
        }}},
    });
    let there: Vec<Document> = there.iter().map(document).collect();
    let preview = Preview::new(document(&composite), Pipeline::alone(Some(document(input))), &there)
        .map_err(|error| format!("{error:#}"))?;
    preview.outcome(&mut Vec::new()).map_err(|error| format!("{error:#}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_extension_keeps_the_rules(
        (enabled, envoy) in any::<(bool, bool)>(),
        input in input(),
        keys in subsequence(Key::ALL.to_vec(), 0..=Key::ALL.len()),
        state in 0..4_usize,
    ) {
        let there: Vec<Value> = keys.iter().map(|key| observed(*key, state)).collect();
        let outcome = match render(enabled, envoy, &input, &there) {
            Ok(outcome) => outcome,
            Err(error) => {
                prop_assert!(error.contains("spec.gateway"), "{}", error);
                return Ok(());
            }
        };
        let again = render(enabled, envoy, &input, &there).map_err(TestCaseError::fail)?;
        prop_assert_eq!(show(Output::Yaml, &outcome).unwrap(), show(Output::Yaml, &again).unwrap());

        let lacks = input["spec"]["prerequisites"] != json!([]) && !envoy;
        for (name, resource) in &outcome.composed {
            let key = Key::parse(name);
            prop_assert!(enabled, "{} is desired, though nothing is asked for", name);
            let key = key.ok_or_else(|| TestCaseError::fail(format!("a foreign key {name}")))?;
            prop_assert!(key != Key::Gateways || input["spec"]["discovery"] == true, "nobody asked for {}", name);
            prop_assert!(!lacks || keys.contains(&key), "{} is added without its prerequisite", name);
            if Definition::of(key).is_some() {
                let policies = resource["spec"]["managementPolicies"].as_array().unwrap();
                prop_assert!(!policies.iter().any(|it| it == "Delete" || it == "*"), "{} may be deleted", name);
            }
        }
    }
}
