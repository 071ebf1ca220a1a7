//! `render`: the preview of a stack, without a cluster, a container engine or a network.
//!
//! Makes the request that Crossplane would make, calls the function that the server calls, and shows what Crossplane
//! would write. Decides nothing about stacks.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::{Map, Value};

use self::call::{CallError, Said, Scene};
use self::crossplane::{Composite, Outcome, RESOURCE_NAME};
use self::pipeline::{Pipeline, Step};
use self::references::Rendered;
use super::yaml::{self, Content, Document, InputError, Node};
use crate::api::{self, Source};
use crate::function;
use crate::protocol::caller;

pub mod call;
pub mod crossplane;
pub mod mermaid;
pub mod pipeline;
pub mod print;
pub mod references;
pub mod required;

/// What to render, and how to show it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The composite resource: a YAML file with one manifest.
    #[arg(value_name = "XR")]
    pub composite: PathBuf,
    /// The Composition: its steps of this function are run, the others are named and skipped.
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    pub composition: Option<PathBuf>,
    /// The function's input alone, instead of a Composition.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Composed resources that exist: a YAML file, or a folder of them.
    #[arg(long, value_name = "PATH")]
    pub observed: Option<PathBuf>,
    /// Resources that a step may ask for: a YAML file, or a folder of them.
    #[arg(long, value_name = "FILE")]
    pub required_resources: Option<PathBuf>,
    /// The pipeline's context: a YAML file with one mapping from context key to value.
    #[arg(long, value_name = "FILE")]
    pub context: Option<PathBuf>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A stream of manifests.
    #[default]
    Yaml,
    /// One list of manifests.
    Json,
    /// A flowchart of what refers to what.
    Mermaid,
}

/// Everything that a preview is made from.
#[derive(Debug)]
pub struct Preview {
    /// The composite resource, as it was written.
    pub manifest: Document,
    /// The composite resource, as Crossplane has it.
    pub composite: Composite,
    /// The composed resources that exist, by resource name.
    pub observed: BTreeMap<String, Value>,
    /// The steps to run.
    pub steps: Vec<Step>,
    /// The steps that are not ours.
    pub skipped: Vec<Step>,
    /// What a step may ask for.
    pub required: Vec<Value>,
    /// The pipeline's context.
    pub context: Map<String, Value>,
}

/// Renders to stdout.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let preview = Preview::read(args)?;
    let mut said = Vec::new();
    let outcome = preview.outcome(&mut said);
    tell(&preview.skipped, &said, outcome.as_ref().ok())?;
    if outcome.is_err() {
        let problems = preview.problems();
        for problem in &problems {
            writeln!(io::stderr(), "error: {problem}")?;
        }
        anyhow::ensure!(problems.is_empty(), "nothing is rendered");
    }
    let text = show(args.output, &outcome?)?;
    io::stdout().lock().write_all(text.as_bytes()).context("cannot write the preview")
}

impl Preview {
    /// Reads the files.
    pub fn read(args: &Args) -> anyhow::Result<Self> {
        let Args { composite, composition, input, observed, required_resources, context, output: _ } = args;
        let documents = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(Vec::new()), yaml::read_path);
        let manifest = yaml::read_one(composite)?;
        let pipeline = match composition {
            Some(file) => Pipeline::read(&yaml::read_file(file)?, file, &manifest)?,
            None => Pipeline::alone(input.as_deref().map(yaml::read_one).transpose()?),
        };
        Ok(Self {
            required: documents(required_resources)?.iter().map(|document| document.root.to_json()).collect(),
            context: match context {
                None => Map::new(),
                Some(file) => mapping(&yaml::read_one(file)?)?,
            },
            ..Self::new(manifest, pipeline, &documents(observed)?)?
        })
    }

    /// A preview of one composite resource that goes through a pipeline.
    pub fn new(manifest: Document, pipeline: Pipeline, observed: &[Document]) -> anyhow::Result<Self> {
        for field in ["apiVersion", "kind", "metadata.name"] {
            manifest.required_string(field)?;
        }
        let Pipeline { name, steps, skipped } = pipeline;
        let values: Vec<Value> = observed.iter().map(|document| document.root.to_json()).collect();
        Ok(Self {
            composite: Composite::new(&manifest.root.to_json_without_nulls(), name.as_deref(), &values)?,
            observed: by_resource_name(observed)?,
            manifest,
            steps,
            skipped,
            required: Vec::new(),
            context: Map::new(),
        })
    }

    /// What Crossplane would write. What the functions say beside is added to `said`, also where they fail.
    pub fn outcome(&self, said: &mut Vec<Said>) -> anyhow::Result<Outcome> {
        let scene = Scene {
            composite: self.composite.object.clone(),
            observed: self.observed.clone(),
            required: self.required.clone(),
            context: self.context.clone(),
        };
        let answer =
            match call::run(&self.steps, &scene, &mut |request| caller::call(request, function::run), said) {
                Ok(answer) => answer,
                Err(error) => {
                    let step = match &error {
                        // With one step there is no question which one.
                        CallError::Fatal { step, .. } if self.steps.len() > 1 => {
                            Some(format!("step {step:?}"))
                        }
                        CallError::Fatal { .. } | CallError::Restless { .. } | CallError::Protocol { .. } => {
                            None
                        }
                    };
                    let error = anyhow::Error::from(error);
                    return Err(match step {
                        Some(step) => error.context(step),
                        None => error,
                    });
                }
            };
        Ok(self.composite.apply(answer, &self.observed)?)
    }

    /// What is wrong with what people wrote, each with its place. Empty where nothing of that kind is wrong.
    ///
    /// A function can name fields; only here it is known where they stand.
    pub fn problems(&self) -> Vec<String> {
        let composite = api::Document::from(&self.composite.object);
        let problems = self.steps.iter().map(|step| {
            let input = step.input.as_ref().map(|input| input.root.to_json());
            let input = input.as_ref().map(api::Document::from);
            let problems = api::problems(&composite, input.as_ref());
            let places = problems.into_iter().map(|problem| {
                let document = match (problem.source, &step.input) {
                    (Source::Input, Some(input)) => input,
                    (Source::Input, None) | (Source::Composite, _) => &self.manifest,
                };
                let Node { line, column, .. } = document.root.nearest_to(&problem.path);
                format!("{}:{line}:{column}: {}", document.file.display(), problem.sentence())
            });
            places.collect::<Vec<String>>()
        });
        // The first step that refuses ends the pipeline.
        problems.into_iter().find(|problems| !problems.is_empty()).unwrap_or_default()
    }
}

fn mapping(document: &Document) -> Result<Map<String, Value>, InputError> {
    let Value::Object(mapping) = document.root.to_json() else {
        return Err(document.wrong("", "is not a mapping"));
    };
    Ok(mapping)
}

/// Crossplane knows a composed resource by an annotation.
fn by_resource_name(documents: &[Document]) -> Result<BTreeMap<String, Value>, InputError> {
    let mut resources = BTreeMap::new();
    for document in documents {
        for field in ["apiVersion", "kind", "metadata.name"] {
            document.required_string(field)?;
        }
        let annotations = document.root.get("metadata.annotations").map(|node| &node.content);
        let name = match annotations {
            Some(Content::Map(entries)) => entries.iter().find(|(key, _)| key == RESOURCE_NAME),
            Some(Content::Scalar(_) | Content::List(_)) | None => None,
        };
        let name = name.and_then(|(_, node)| node.to_json().as_str().map(str::to_owned)).unwrap_or_default();
        if name.is_empty() {
            let message = format!("{RESOURCE_NAME} is missing: nothing tells which resource this is");
            return Err(document.wrong("metadata.annotations", message));
        }
        if resources.contains_key(&name) {
            let message = format!("{RESOURCE_NAME} is {name}, like that of a resource before it");
            return Err(document.wrong("metadata.annotations", message));
        }
        resources.insert(name, document.root.to_json());
    }
    Ok(resources)
}

/// Says on stderr what is no part of the preview.
fn tell(skipped: &[Step], said: &[Said], outcome: Option<&Outcome>) -> io::Result<()> {
    let mut lines = Vec::new();
    for Step { name, function, .. } in skipped {
        lines.push(format!("skipped: step {name:?} calls {function}, which is not this function"));
    }
    for Said { step: _, warning, reason, message } in said {
        let severity = if *warning { "warning" } else { "note" };
        let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        lines.push(format!("{severity}: {message}{reason}"));
    }
    if let Some(outcome) = outcome {
        lines.extend(outcome.warnings.iter().map(|warning| format!("warning: {warning}")));
        lines.extend(
            outcome
                .deleted
                .iter()
                .map(|key| format!("note: {key} is no longer wanted: Crossplane would delete it")),
        );
    }
    let mut stderr = io::stderr().lock();
    lines.iter().try_for_each(|line| writeln!(stderr, "{line}"))
}

/// The outcome as it is printed.
pub fn show(output: Output, outcome: &Outcome) -> anyhow::Result<String> {
    let documents = || -> Vec<Value> {
        std::iter::once(&outcome.composite).chain(outcome.composed.values()).cloned().collect()
    };
    Ok(match output {
        Output::Yaml => print::yaml(&documents())?,
        Output::Json => print::json(&documents())?,
        Output::Mermaid => {
            let objects: Vec<Rendered> =
                outcome.composed.iter().map(|(key, resource)| Rendered::new(key, resource)).collect();
            mermaid::flowchart(&objects)
        }
    })
}
