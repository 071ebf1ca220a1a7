//! What is fuzzed: whatever comes in, it ends in an answer. Shared by the fuzz targets, which look for new input, and by
//! `tests/robustness.rs`, which repeats what can be had on a stable compiler.

#![allow(dead_code, clippy::allow_attributes_without_reason, reason = "each fuzz target uses one of them")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a finding is a panic")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use function_inference::cli::check;
use function_inference::cli::render::Preview;
use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::yaml;
use function_inference::function::{self, Memory};
use function_inference::protocol::caller;
use function_inference::protocol::official::{Resource, RunFunctionRequest, RunFunctionResponse, State};
use function_inference::protocol::view;
use prost::Message;
use serde_json::{Value, json};

/// Request bytes, as they come from the socket.
pub(crate) fn request(data: &[u8]) {
    if let Ok(request) = view::RunFunctionRequest::decode(Bytes::copy_from_slice(data)) {
        answered(&request);
    }
}

/// A composite resource as JSON, with or without an Input: `{"composite": …, "input": …}`.
pub(crate) fn composite(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    let part = |name: &str| value.get(name).and_then(Value::as_object).map(caller::to_struct);
    let request = RunFunctionRequest {
        observed: Some(State {
            composite: Some(Resource { resource: part("composite"), ..Resource::default() }),
            ..State::default()
        }),
        input: part("input"),
        ..RunFunctionRequest::default()
    };
    call(&request);
}

/// Observed Objects as JSON, by key, under a composite resource that asks for everything.
pub(crate) fn observed(data: &[u8]) {
    let Ok(Value::Object(objects)) = serde_json::from_slice::<Value>(data) else { return };
    let resources: BTreeMap<String, Resource> = objects
        .iter()
        .map(|(key, object)| {
            let resource = object.as_object().map(caller::to_struct);
            (key.clone(), Resource { resource, ..Resource::default() })
        })
        .collect();
    let request = RunFunctionRequest {
        observed: Some(State {
            composite: Some(Resource {
                resource: COMPOSITE.as_object().map(caller::to_struct),
                ..Resource::default()
            }),
            resources,
        }),
        ..RunFunctionRequest::default()
    };
    call(&request);
}

/// YAML, as `render` and `check` read it.
pub(crate) fn yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(documents) = yaml::parse(Path::new("fuzz.yaml"), text) else { return };
    check::problems(&documents);
    let mut documents = documents.into_iter();
    if let Some(composite) = documents.next() {
        let pipeline = Pipeline::alone(documents.next());
        let observed: Vec<_> = documents.collect();
        if let Ok(preview) = Preview::new(composite, pipeline, &observed) {
            let _ = preview.outcome(&mut Vec::new());
        }
    }
}

static COMPOSITE: LazyLock<Value> = LazyLock::new(|| {
    json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
        "kind": "LLMInference",
        "metadata": {"name": "llama", "namespace": "team-a", "uid": "0c8fbe4c-1"},
        "spec": {
            "model": "meta-llama/Llama-3.3-70B-Instruct",
            "providerConfigName": "gpu-cluster",
            "host": "llama.example.com",
            "minReplicas": 0,
            "maxReplicas": 4,
            "scaling": {"enabled": true},
        },
    })
});

/// What was answered before.
static MEMORY: LazyLock<Memory> = LazyLock::new(|| Memory::of(1024 * 1024));

fn call(request: &RunFunctionRequest) {
    let request = view::RunFunctionRequest::from_official(request).expect("what was encoded can be decoded");
    answered(&request);
}

/// The conditions that each job sets at every call.
const JOBS: [&[&str]; 2] =
    [&["WorkloadReady", "EndpointPickerReady", "GatewayReady", "ScalingReady"], &["InferenceExtensionReady"]];

/// Whatever was asked, the answer is one that Crossplane can read, with all conditions of one job.
fn answered(request: &view::RunFunctionRequest) {
    let response = function::run(request).encode_to_vec();
    let (remembered, _) = function::run_again(request, &MEMORY);
    assert_eq!(response, remembered.encode_to_vec(), "what is remembered is what would be decided");
    let parts_are_whole = RunFunctionResponse::decode(response.as_slice());
    // Others' parts are handed on unread, so only what was whole comes back whole.
    let request_is_whole = RunFunctionRequest::decode(request.encode_to_vec().as_slice()).is_ok();
    if request_is_whole {
        let response = parts_are_whole.expect("Crossplane can read the answer");
        let set: Vec<&str> = response.conditions.iter().map(|condition| condition.r#type.as_str()).collect();
        assert!(JOBS.iter().any(|all| *all == set), "all conditions of one job, at every call: {response:?}");
    }
}
