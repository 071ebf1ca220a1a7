//! What is right, for fuzzing to start from: the examples. Shared by `seeds`, which writes a corpus, and by
//! `tests/robustness.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "without examples there is nothing to start from"
)]

use std::path::{Path, PathBuf};

use function_inference::cli::yaml::{self, Document};
use function_inference::protocol::caller::{encode, to_struct};
use function_inference::protocol::official::{Resource, RunFunctionRequest, State};
use serde_json::{Map, Value, json};

/// The text of every YAML file of every example.
pub(crate) fn yaml() -> Vec<Vec<u8>> {
    examples().into_iter().map(|(_, text)| text.into_bytes()).collect()
}

/// Every YAML file of every example.
fn examples() -> Vec<(PathBuf, String)> {
    // This file is part of two packages: the repository's, and the one in `fuzz/` below it.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder =
        here.ancestors().map(|folder| folder.join("examples")).find(|folder| folder.is_dir()).unwrap();
    let mut files = Vec::new();
    for scenario in
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        files.extend(std::fs::read_dir(scenario).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn documents(file_name: &str) -> Vec<Value> {
    let named = examples().into_iter().filter(|(path, _)| path.ends_with(file_name));
    let documents: Vec<Document> =
        named.flat_map(|(path, text)| yaml::parse(&path, &text).unwrap()).collect();
    assert!(!documents.is_empty(), "there is no {file_name}");
    documents.iter().map(|document| document.root.to_json()).collect()
}

/// Composite resources with the Input of one of the Compositions.
pub(crate) fn composites() -> Vec<Value> {
    let inputs: Vec<Value> = documents("composition.yaml")
        .into_iter()
        .map(|composition| composition["spec"]["pipeline"][0]["input"].clone())
        .collect();
    let pairs = documents("xr.yaml").into_iter().zip(inputs.into_iter().cycle());
    pairs.map(|(composite, input)| json!({"composite": composite, "input": input})).collect()
}

/// What is observed in the examples, by key.
pub(crate) fn observed() -> Vec<Value> {
    let mut all = Map::new();
    for object in documents("observed.yaml") {
        let key = &object["metadata"]["annotations"]["crossplane.io/composition-resource-name"];
        all.insert(key.as_str().expect("observed.yaml holds composed resources").to_owned(), object);
    }
    vec![Value::Object(all)]
}

/// Requests with everything in them.
pub(crate) fn requests() -> Vec<Vec<u8>> {
    let as_resource =
        |value: &Value| Resource { resource: value.as_object().map(to_struct), ..Resource::default() };
    let observed = observed();
    let resources =
        observed[0].as_object().unwrap().iter().map(|(key, value)| (key.clone(), as_resource(value)));
    let state = State { composite: None, resources: resources.collect() };
    composites()
        .iter()
        .map(|pair| {
            encode(&RunFunctionRequest {
                observed: Some(State { composite: Some(as_resource(&pair["composite"])), ..state.clone() }),
                input: pair["input"].as_object().map(to_struct),
                desired: Some(State { composite: Some(as_resource(&pair["composite"])), ..State::default() }),
                ..RunFunctionRequest::default()
            })
        })
        .collect()
}
