//! The Composition's pipeline: which of its steps are ours, and with which input.

use std::path::Path;

use serde_json::Value;

use super::required::Selector;
use crate::cli::yaml::{Content, Document, InputError, Node};

/// The group of our Inputs.
const INPUT_GROUP: &str = "inference.fn.crossplane.io";
/// What the function is called where nobody renames it.
const FUNCTION_NAME: &str = "function-inference";

/// The parts of a Composition that a preview needs.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The Composition's name, where there is one.
    pub name: Option<String>,
    /// Our steps, in their order.
    pub steps: Vec<Step>,
    /// The others, which are not run.
    pub skipped: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The function it calls.
    pub function: String,
    /// What the function is told.
    pub input: Option<Document>,
    /// What the function is given before it asks.
    pub required: Vec<(String, Selector)>,
}

impl Pipeline {
    /// Our function alone, where there is no Composition.
    pub fn alone(input: Option<Document>) -> Self {
        Self { name: None, steps: vec![Step::alone(input)], skipped: Vec::new() }
    }

    /// Reads the first Composition among the documents of a file. It has to be for the composite resource's type.
    pub fn read(documents: &[Document], file: &Path, composite: &Document) -> Result<Self, InputError> {
        let Some(document) = documents.iter().find(|document| document.string("kind") == Some("Composition"))
        else {
            return Err(match documents.first() {
                Some(first) => first.wrong("kind", "is not Composition"),
                None => InputError::Count { file: file.to_owned(), found: 0 },
            });
        };
        for field in ["apiVersion", "kind"] {
            let want = composite.required_string(field)?;
            let path = format!("spec.compositeTypeRef.{field}");
            let found = document.required_string(&path)?;
            if found != want {
                return Err(
                    document.wrong(&path, format!("is {found}, but the composite resource's is {want}"))
                );
            }
        }
        if document.string("spec.mode") != Some("Pipeline") {
            return Err(document.wrong("spec.mode", "is not Pipeline"));
        }
        let pipeline = document.root.get("spec.pipeline").map(|node| &node.content);
        let Some(Content::List(nodes)) = pipeline else {
            return Err(document.wrong("spec.pipeline", "is not a list of steps"));
        };
        let steps = (0..nodes.len())
            .map(|index| Step::read(document, &format!("spec.pipeline[{index}]")))
            .collect::<Result<Vec<_>, _>>()?;

        let by_input = steps.iter().any(Step::has_our_input);
        let (ours, skipped): (Vec<_>, Vec<_>) = steps
            .into_iter()
            .partition(|step| if by_input { step.has_our_input() } else { step.function == FUNCTION_NAME });
        if ours.is_empty() {
            let message =
                format!("no step is ours: none has an input of group {INPUT_GROUP} or calls {FUNCTION_NAME}");
            return Err(document.wrong("spec.pipeline", message));
        }
        let name = document.required_string("metadata.name")?.to_owned();
        Ok(Self { name: Some(name), steps: ours, skipped })
    }
}

impl Step {
    /// A step for which there is no Composition.
    pub fn alone(input: Option<Document>) -> Self {
        Self {
            name: FUNCTION_NAME.to_owned(),
            function: FUNCTION_NAME.to_owned(),
            input,
            required: Vec::new(),
        }
    }

    fn read(document: &Document, path: &str) -> Result<Self, InputError> {
        let string = |field: &str| document.required_string(&format!("{path}.{field}")).map(str::to_owned);
        let list = format!("{path}.requirements.requiredResources");
        let count = match document.root.get(&list).map(|node| &node.content) {
            Some(Content::List(items)) => items.len(),
            Some(Content::Scalar(_) | Content::Map(_)) => return Err(document.wrong(&list, "is not a list")),
            None => 0,
        };
        Ok(Self {
            name: string("step")?,
            function: string("functionRef.name")?,
            // Not cleaned of nulls: a Composition keeps them, and Crossplane hands them on.
            input: document
                .root
                .get(&format!("{path}.input"))
                .filter(|node| !matches!(node.content, Content::Scalar(Value::Null)))
                .map(|root| Document { file: document.file.clone(), root: root.clone() }),
            required: (0..count)
                .map(|index| selector(document, &format!("{list}[{index}]")))
                .collect::<Result<_, _>>()?,
        })
    }

    fn has_our_input(&self) -> bool {
        let api_version = self.input.as_ref().and_then(|input| input.string("apiVersion"));
        api_version.is_some_and(|version| version.split('/').next() == Some(INPUT_GROUP))
    }
}

fn selector(document: &Document, path: &str) -> Result<(String, Selector), InputError> {
    let at = |field: &str| format!("{path}.{field}");
    let labels = document.root.get(&at("matchLabels")).map(Node::to_json);
    let labels = labels.and_then(|labels| labels.as_object().cloned()).unwrap_or_default();
    let selector = Selector {
        api_version: document.required_string(&at("apiVersion"))?.to_owned(),
        kind: document.required_string(&at("kind"))?.to_owned(),
        namespace: document.string(&at("namespace")).map(str::to_owned),
        name: document.string(&at("name")).map(str::to_owned),
        labels: labels
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.as_str()?.to_owned())))
            .collect(),
    };
    Ok((document.required_string(&at("requirementName"))?.to_owned(), selector))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::yaml;

    fn read_file(text: &str) -> Result<Pipeline, InputError> {
        let composite = &yaml::parse(Path::new("xr.yaml"), "apiVersion: a/v1\nkind: X\n").unwrap()[0];
        Pipeline::read(&yaml::parse(Path::new("c.yaml"), text).unwrap(), Path::new("c.yaml"), composite)
    }

    fn read(pipeline: &str) -> Result<Pipeline, InputError> {
        let text = format!(
            "kind: Composition\nmetadata: {{name: llm}}\nspec:\n  compositeTypeRef: {{apiVersion: a/v1, kind: X}}\n  \
             mode: Pipeline\n  pipeline:\n{pipeline}"
        );
        read_file(&text)
    }

    #[test]
    fn our_steps_are_known_by_their_input_and_else_by_the_functions_name() {
        let cases: [(&str, &[&str], &[&str], &str); 3] = [
            (
                "  - {step: a, functionRef: {name: function-inference}}\n  - {step: b, functionRef: {name: renamed}, \
                 input: {apiVersion: inference.fn.crossplane.io/v1beta1}}\n",
                &["b"],
                &["a"],
                "an input of our group is the surest sign",
            ),
            (
                "  - {step: a, functionRef: {name: function-auto-ready}}\n  - {step: b, functionRef: {name: \
                 function-inference}}\n",
                &["b"],
                &["a"],
                "the input may be left out",
            ),
            (
                "  - {step: a, functionRef: {name: x}, input: {apiVersion: inference.fn.crossplane.io/v1}}\n  - {step: \
                 b, functionRef: {name: x}, input: {apiVersion: inference.fn.crossplane.io/v2}}\n",
                &["a", "b"],
                &[],
                "there may be two, and the version is the function's business",
            ),
        ];
        for (pipeline, ours, skipped, reason) in cases {
            let pipeline = read(pipeline).unwrap();
            let names = |steps: &[Step]| steps.iter().map(|step| step.name.clone()).collect::<Vec<_>>();
            assert_eq!(names(&pipeline.steps), ours, "{reason}");
            assert_eq!(names(&pipeline.skipped), skipped, "{reason}");
        }
    }

    #[test]
    fn inputs_and_requirements_are_read_whole() {
        let pipeline = read(
            "  - step: a\n    functionRef: {name: function-inference}\n    input: {kind: ModelStack, spec: {a: null}}\n    \
             requirements:\n      requiredResources:\n      - {requirementName: r, apiVersion: v1, kind: Secret, \
             matchLabels: {a: b}}\n",
        )
        .unwrap();
        let [step] = &pipeline.steps[..] else { panic!() };
        let input = step.input.as_ref().unwrap().root.to_json();
        assert_eq!(input, json!({"kind": "ModelStack", "spec": {"a": null}}));
        let [(name, selector)] = &step.required[..] else { panic!() };
        assert_eq!(
            (name.as_str(), selector.kind.as_str(), selector.labels["a"].as_str()),
            ("r", "Secret", "b")
        );
    }

    #[test]
    fn a_composition_that_cannot_be_used_is_told_with_its_line() {
        let cases = [
            (
                "  - {step: a, functionRef: {name: b}}\n",
                "c.yaml:7: spec.pipeline: no step is ours: none has an input of group inference.fn.crossplane.io or \
                 calls function-inference",
            ),
            ("  - {functionRef: {name: b}}\n", "c.yaml:7: spec.pipeline[0].step: is missing"),
            ("  - {step: a}\n", "c.yaml:7: spec.pipeline[0].functionRef.name: is missing"),
        ];
        for (pipeline, want) in cases {
            assert_eq!(read(pipeline).unwrap_err().to_string(), want);
        }

        let file = |text: &str| read_file(text).unwrap_err().to_string();
        assert_eq!(file("kind: ConfigMap\n"), "c.yaml:1: kind: is not Composition");
        assert_eq!(file("# nothing\n"), "c.yaml holds 0 documents; one is expected");
        assert_eq!(
            file("kind: Composition\nspec:\n  compositeTypeRef:\n    apiVersion: a/v1\n    kind: Other\n"),
            "c.yaml:5: spec.compositeTypeRef.kind: is Other, but the composite resource's is X"
        );
        assert_eq!(
            file(
                "kind: Composition\nspec: {compositeTypeRef: {apiVersion: a/v1, kind: X}, mode: Resources}\n"
            ),
            "c.yaml:2: spec.mode: is not Pipeline"
        );
    }
}
