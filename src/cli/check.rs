//! `check`: what admission and the function would say together, with the line of every field.
//!
//! Judges nothing itself but unknown fields: problems are those of `api`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::yaml::{self, Content, Node};
use super::{FAILURE, SUCCESS};
use crate::api::{self, Path, Shape, Source, Step, cluster_extension, llm_inference, model_stack, nearest};

/// Check manifests of `LLMInference`, those of clusters whose Composition is given, and Inputs `ModelStack` and
/// `ClusterExtension`, alone or inside a Composition.
///
/// Where the files hold one Input of a kind, the manifests are checked against it too.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// YAML files, or folders of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<u8> {
    let mut report = Report::default();
    let mut documents = Vec::new();
    for file in &args.files {
        match yaml::read_path(file) {
            Ok(mut found) => documents.append(&mut found),
            Err(error) => report.lines.push(format!("{:#}", anyhow::Error::new(error))),
        }
    }
    check(&documents, &mut report);
    if report.checked == 0 && report.lines.is_empty() {
        report.lines.push(
            "nothing to check: there is no LLMInference, no ModelStack and no ClusterExtension".to_owned(),
        );
    }

    let mut stderr = io::stderr();
    for line in report.notes.iter().chain(&report.lines) {
        writeln!(stderr, "{line}")?;
    }
    if !report.lines.is_empty() {
        return Ok(FAILURE);
    }
    let documents = if report.checked == 1 { "document" } else { "documents" };
    writeln!(io::stdout(), "checked {} {documents}: no problems", report.checked)?;
    Ok(SUCCESS)
}

/// Everything that is wrong with the documents, one line each with its place.
pub fn problems(documents: &[yaml::Document]) -> Vec<String> {
    let mut report = Report::default();
    check(documents, &mut report);
    report.lines
}

/// What is told.
#[derive(Debug, Default)]
struct Report {
    /// How many documents were looked at.
    checked: usize,
    /// What was not looked at.
    notes: Vec<String>,
    /// One problem each.
    lines: Vec<String>,
}

/// An Input, which may be a part of a document.
struct Input<'a> {
    document: &'a yaml::Document,
    root: &'a Node,
    /// Without nulls.
    json: Value,
}

impl Input<'_> {
    fn read(&self) -> api::Document<'_> {
        api::Document::from(&self.json)
    }
}

fn check(documents: &[yaml::Document], report: &mut Report) {
    let mut inputs = Vec::new();
    let mut composites = Vec::new();
    let mut composed_kinds = BTreeMap::new();
    for document in documents {
        let group = |version: &str| version.split('/').next().unwrap_or_default().to_owned();
        let api_version = document.string("apiVersion").unwrap_or_default();
        let kind = document.string("kind").unwrap_or_default();
        let found = inputs.len();
        if group(api_version) == model_stack::GROUP {
            inputs.extend(input(document, &document.root));
        } else if kind == "Composition" {
            inputs.extend(steps(document).filter_map(|step| input(document, step)));
            if let Some(first) = inputs.get(found) {
                let reference = |field: &str| document.string(&format!("spec.compositeTypeRef.{field}"));
                let kind = reference("apiVersion").zip(reference("kind"));
                composed_kinds
                    .extend(kind.map(|kind| (kind, cluster_extension::is_asked_for(&first.read()))));
            }
        } else {
            composites.push((document, api_version, kind));
        }
    }

    let mut lines = BTreeSet::new();
    for input in &inputs {
        report.checked += 1;
        for problem in api::read_input(&input.read()) {
            lines.insert(Line::new(input.document, input.root, &problem.path, problem.sentence()));
        }
        unknown_fields(input.document, input.root, &ROOT_OF_INPUT, &mut lines);
        if let Some(fields) = input.root.get("spec") {
            unknown(
                input.document,
                fields,
                api::input_fields(&input.read()),
                &mut Path::dotted("spec"),
                &mut lines,
            );
        }
    }
    let (extensions, stacks): (Vec<_>, Vec<_>) =
        inputs.iter().partition(|input| cluster_extension::is_asked_for(&input.read()));
    // Which one a manifest would meet is for the cluster to say.
    if extensions.len() > 1 || stacks.len() > 1 {
        report
            .notes
            .push("note: there are several Inputs, so manifests are checked against none of them".to_owned());
    }

    let own_kind = format!("{}/{}", llm_inference::GROUP, llm_inference::VERSION);
    for (document, api_version, kind) in composites {
        let is_own = kind == llm_inference::KIND && api_version.starts_with(llm_inference::GROUP);
        let extends = composed_kinds.get(&(api_version, kind)).copied();
        let of_its_kind = if extends == Some(true) { &extensions } else { &stacks };
        let only = if let [only] = of_its_kind.as_slice() { Some(*only) } else { None };
        // What a cluster's composite means is for its Input to say.
        if !is_own && (extends.is_none() || extends == Some(true) && only.is_none()) {
            let file = document.file.display();
            report
                .notes
                .push(format!("note: {file}:{}: {api_version} {kind} is not checked", document.root.line));
            continue;
        }
        report.checked += 1;
        let json = composite(&document.root, api_version == own_kind);
        let input = only.map(Input::read);
        for problem in api::problems(&api::Document::from(&json), input.as_ref()) {
            lines.insert(match (problem.source, only) {
                (Source::Input, Some(input)) => {
                    Line::new(input.document, input.root, &problem.path, problem.sentence())
                }
                _ => Line::new(document, &document.root, &problem.path, problem.sentence()),
            });
        }
        if is_own {
            unknown_fields(document, &document.root, &ROOT_OF_COMPOSITE, &mut lines);
        }
        let (mut base, shape) = api::composite_fields(input.as_ref());
        if let Some(fields) = document.root.get(&base.to_string()) {
            unknown(document, fields, shape, &mut base, &mut lines);
        }
    }
    report.lines.extend(lines.into_iter().map(|line| line.text));
}

/// One line of the report. Lines of one file are sorted by their place; the same line is told once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    file: PathBuf,
    /// Line and column.
    place: (u64, u64),
    text: String,
}

impl Line {
    fn new(document: &yaml::Document, root: &Node, path: &Path, sentence: impl std::fmt::Display) -> Self {
        let Node { line, column, .. } = *locate(root, path);
        let file = document.file.clone();
        let text = format!("{}:{line}:{column}: {sentence}", file.display());
        Self { file, place: (line, column), text }
    }
}

/// The node at a path, or the last one on the way there.
fn locate<'a>(root: &'a Node, path: &Path) -> &'a Node {
    let mut node = root;
    for step in &path.0 {
        let next = match (&node.content, step) {
            (Content::Map(entries), Step::Field(field)) => {
                entries.iter().find(|(key, _)| key == field).map(|(_, value)| value)
            }
            (Content::List(entries), Step::Index(index)) => entries.get(*index),
            _ => None,
        };
        match next {
            Some(next) => node = next,
            None => break,
        }
    }
    node
}

/// The Inputs of a Composition's steps.
fn steps(document: &yaml::Document) -> impl Iterator<Item = &Node> {
    let steps = match document.root.get("spec.pipeline").map(|steps| &steps.content) {
        Some(Content::List(steps)) => steps.as_slice(),
        _ => &[],
    };
    steps.iter().filter_map(|step| step.get("input"))
}

/// An Input of ours; other functions' are none of our business.
fn input<'a>(document: &'a yaml::Document, root: &'a Node) -> Option<Input<'a>> {
    let json = root.to_json_without_nulls();
    let group = json.get("apiVersion")?.as_str()?.split('/').next()?;
    (group == model_stack::GROUP).then_some(Input { document, root, json })
}

/// A composite as the API server would hand it to the function.
fn composite(root: &Node, is_llm_inference: bool) -> Value {
    /// Where `kubectl` puts what names no namespace.
    const NAMESPACE: &str = "default";
    /// What the API server appends to `generateName`.
    const GENERATED: &str = "xxxxx";

    let mut value = root.to_json_without_nulls();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        if let (None, Some(prefix)) =
            (metadata.get("name"), metadata.get("generateName").and_then(Value::as_str))
        {
            let name = format!("{prefix}{GENERATED}");
            metadata.insert("name".to_owned(), json!(name));
        }
        if is_llm_inference {
            metadata.entry("namespace").or_insert_with(|| json!(NAMESPACE));
        }
    }
    value
}

const ROOT_OF_COMPOSITE: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
const ROOT_OF_INPUT: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
/// Crossplane's own field beside ours in the `spec` of every composite.
const MACHINERY: &str = "crossplane";

fn unknown_fields(document: &yaml::Document, root: &Node, known: &[&str], lines: &mut BTreeSet<Line>) {
    let Content::Map(entries) = &root.content else { return };
    for (key, value) in entries.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        lines.insert(Line::unknown(document, value, &Path::fields(&[key]), known));
    }
}

/// Notes every field that no shape knows.
fn unknown(
    document: &yaml::Document,
    node: &Node,
    shape: &Shape,
    path: &mut Path,
    lines: &mut BTreeSet<Line>,
) {
    match (shape, &node.content) {
        (Shape::Object(fields), Content::Map(entries)) => {
            let is_spec = path.0 == [Step::Field("spec".to_owned())];
            for (key, value) in entries {
                path.0.push(Step::Field(key.clone()));
                match fields.iter().find(|(name, _)| name == key) {
                    Some((_, shape)) => unknown(document, value, shape, path, lines),
                    None if is_spec && key == MACHINERY => {}
                    None => {
                        let known: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
                        lines.insert(Line::unknown(document, value, path, &known));
                    }
                }
                path.0.pop();
            }
        }
        (Shape::List(inner), Content::List(entries)) => {
            for (index, value) in entries.iter().enumerate() {
                path.0.push(Step::Index(index));
                unknown(document, value, inner, path, lines);
                path.0.pop();
            }
        }
        (Shape::Map(inner), Content::Map(entries)) => {
            for (key, value) in entries {
                path.0.push(Step::Field(key.clone()));
                unknown(document, value, inner, path, lines);
                path.0.pop();
            }
        }
        // A value of another type is a problem already.
        _ => {}
    }
}

impl Line {
    fn unknown(document: &yaml::Document, node: &Node, path: &Path, known: &[&str]) -> Self {
        let written = match path.0.last() {
            Some(Step::Field(field)) => field.as_str(),
            Some(Step::Index(_)) | None => "",
        };
        let hint = match nearest(written, known) {
            Some(name) => format!("did you mean {name}?"),
            None => format!("there are {}", known.join(", ")),
        };
        let sentence = format!("{path} is unknown: {hint}");
        // The node itself stands at the unknown field.
        Self::new(document, node, &Path::default(), sentence)
    }
}
