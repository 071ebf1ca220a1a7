//! Every example, rendered whole and kept as a golden file in `tests/golden/`. Read before it is accepted:
//! `INSTA_UPDATE=new cargo test`, then look at what differs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

use std::fs;
use std::path::{Path, PathBuf};

use function_inference::cli::render::{Args, Output, Preview, show};
use serde_json::Value;

/// One composite resource of one example.
struct Example {
    /// The golden file's name.
    name: String,
    folder: PathBuf,
    composite: PathBuf,
    observed: Option<PathBuf>,
    required: Option<PathBuf>,
}

impl Example {
    fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let mut examples = Vec::new();
        for folder in
            fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
        {
            for composite in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                let file = composite.file_name().unwrap().to_str().unwrap().to_owned();
                let Some(suffix) = file.strip_prefix("xr").and_then(|rest| rest.strip_suffix(".yaml")) else {
                    continue;
                };
                let scenario = folder.file_name().unwrap().to_str().unwrap();
                let beside = |what: &str| {
                    let file = folder.join(format!("{what}{suffix}.yaml"));
                    file.exists().then_some(file)
                };
                examples.push(Self {
                    name: format!("{scenario}{suffix}"),
                    folder: folder.clone(),
                    composite,
                    observed: beside("observed"),
                    required: beside("required-resources"),
                });
            }
        }
        examples.sort_by(|a, b| a.name.cmp(&b.name));
        examples
    }

    /// The others extend clusters.
    fn is_model(&self) -> bool {
        !self.name.starts_with("cluster-")
    }

    fn named(name: &str) -> Self {
        Self::all().into_iter().find(|example| example.name == name).unwrap()
    }

    /// What is printed, with or without what exists.
    fn render(&self, output: Output, observed: Option<PathBuf>) -> Result<String, String> {
        let args = Args {
            composite: self.composite.clone(),
            composition: Some(self.folder.join("composition.yaml")),
            input: None,
            observed,
            required_resources: self.required.clone(),
            context: None,
            output,
        };
        let preview = Preview::read(&args).map_err(|error| format!("{error:#}"))?;
        let mut said = Vec::new();
        let outcome = preview.outcome(&mut said).map_err(|error| format!("{error:#}"))?;
        Ok(show(output, &outcome).unwrap())
    }
}

fn golden(name: &str, content: &str) {
    insta::with_settings!(
        { snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!(name, content) }
    );
}

/// The documents of a YAML stream.
fn documents(stream: &str) -> Vec<Value> {
    serde_yaml::from_multiple(stream).unwrap()
}

#[test]
fn every_example_renders_to_its_golden_file() {
    let examples = Example::all();
    assert!(examples.len() >= 9, "only {} examples were found", examples.len());
    for example in examples {
        let first = example.render(Output::Yaml, None);
        let second = example.render(Output::Yaml, None);
        assert_eq!(first, second, "{}: the same input must give the same bytes", example.name);
        golden(&example.name, &first.unwrap_or_else(|error| error + "\n"));
    }
}

#[test]
fn what_is_printed_is_read_back_as_it_was_meant() {
    for example in Example::all() {
        let Ok(yaml) = example.render(Output::Yaml, None) else { continue };
        let json: Value = serde_json::from_str(&example.render(Output::Json, None).unwrap()).unwrap();
        assert_eq!(Some(&documents(&yaml)), json["items"].as_array(), "{}", example.name);
    }
}

#[test]
fn what_exists_changes_the_status_and_not_the_stack() {
    for example in Example::all() {
        let Some(observed) = example.observed.clone().filter(|_| example.is_model()) else { continue };
        let fresh = documents(&example.render(Output::Yaml, None).unwrap());
        let stream = example.render(Output::Yaml, Some(observed)).unwrap();
        let settled = documents(&stream);
        let composite = stream.split("---\n").nth(1).unwrap();
        golden(&format!("{}.observed", example.name), composite);

        let specs = |documents: &[Value]| -> Vec<Value> {
            documents.iter().skip(1).map(|document| document["spec"].clone()).collect()
        };
        assert_eq!(specs(&fresh), specs(&settled), "{}", example.name);
    }
}

/// A cluster gets the one thing when the other is there.
#[test]
fn what_exists_changes_the_extension_of_a_cluster() {
    for example in Example::all() {
        let Some(observed) = example.observed.clone().filter(|_| !example.is_model()) else { continue };
        golden(&format!("{}.observed", example.name), &example.render(Output::Yaml, Some(observed)).unwrap());
    }
}

#[test]
fn a_stack_is_drawn() {
    golden("full-stack.mermaid", &Example::named("full-stack").render(Output::Mermaid, None).unwrap());
    golden("scale-to-zero.mermaid", &Example::named("scale-to-zero").render(Output::Mermaid, None).unwrap());
}
