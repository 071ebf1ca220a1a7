//! From what people wrote to `Settings`, or to everything that is wrong with it.

use serde_json_borrow::Value;

use super::cluster_extension;
use super::llm_inference::{self, Spec};
use super::model_stack::{self, StackSpec};
use super::problem::{Path, Problem, Problems, Source, Step, shown};
use super::reading::{Node, Read};
use super::resolve::{self, Identity};
use super::settings::Settings;
use super::shape::Shape;
use super::values::{ModelName, Namespace};

/// What is read of a Kubernetes object; the rest may be large, and is skipped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document<'a> {
    /// Group and version.
    pub api_version: Value<'a>,
    /// Kind.
    pub kind: Value<'a>,
    /// Name and namespace.
    pub metadata: Metadata<'a>,
    /// What was asked for.
    pub spec: Value<'a>,
}

/// What is read of an object's metadata.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata<'a> {
    /// Its name.
    pub name: Value<'a>,
    /// Its namespace; none for a cluster-scoped object.
    pub namespace: Value<'a>,
    /// When it was created; none for a manifest that never was applied.
    pub creation_timestamp: Value<'a>,
}

/// Metadata that is no object reads as none, and is reported by what is missing in it.
impl<'a> From<&'a serde_json::Value> for Document<'a> {
    fn from(whole: &'a serde_json::Value) -> Self {
        let at = |pointer| whole.pointer(pointer).map(Value::from).unwrap_or_default();
        Self {
            api_version: at("/apiVersion"),
            kind: at("/kind"),
            metadata: Metadata {
                name: at("/metadata/name"),
                namespace: at("/metadata/namespace"),
                creation_timestamp: at("/metadata/creationTimestamp"),
            },
            spec: at("/spec"),
        }
    }
}

impl Document<'_> {
    fn group_version_kind(&self) -> (&str, &str) {
        (self.api_version.as_str().unwrap_or_default(), self.kind.as_str().unwrap_or_default())
    }
}

/// Reads a composite resource and the step's Input.
///
/// Nothing else is looked at: what may not change on a live model is for those to refuse who see the live objects.
pub fn read(composite: &Document<'_>, input: Option<&Document<'_>>) -> Result<Settings, Vec<Problem>> {
    let (stack, mut input_problems) = match input {
        Some(input) => read_stack(input)?,
        None => (StackSpec::default(), Problems::new(Source::Input, Path::dotted("spec"))),
    };
    if input_problems.doubt(&Path::dotted("specPath")) {
        return Err(input_problems.in_order(StackSpec::SHAPE));
    }
    let spec_path = stack.spec_path.as_ref().map_or(resolve::DEFAULT_SPEC_PATH, |path| path.0.as_str());
    let mut problems = Problems::new(Source::Composite, Path::dotted(spec_path));

    let identity = read_identity(composite, stack.spec_path.is_some(), &mut problems);
    let settings = if let Some(fields) = fields_at(composite, spec_path) {
        let spec = Spec::read(Node::root(fields), &mut problems);
        spec.zip(identity).and_then(|(spec, identity)| {
            resolve::settle(identity, spec, stack, &mut problems, &mut input_problems)
        })
    } else {
        let want = match stack.spec_path {
            Some(_) => "the Input's specPath says that the model is described there",
            None => "it is required",
        };
        problems.add(&Path::default(), "missing", want);
        None
    };

    let mut found = problems.in_order(Spec::SHAPE);
    found.extend(input_problems.in_order(StackSpec::SHAPE));
    match settings {
        Some(settings) if found.is_empty() => Ok(settings),
        _ => Err(found),
    }
}

/// Every problem of a composite and its Input, whichever job that asks for.
pub fn problems(composite: &Document<'_>, input: Option<&Document<'_>>) -> Vec<Problem> {
    match input {
        Some(input) if cluster_extension::is_asked_for(input) => {
            cluster_extension::read(composite, input).err().unwrap_or_default()
        }
        _ => read(composite, input).err().unwrap_or_default(),
    }
}

/// The fields below `spec` of such an Input.
pub fn input_fields(input: &Document<'_>) -> &'static Shape {
    if cluster_extension::is_asked_for(input) { cluster_extension::input_fields() } else { StackSpec::SHAPE }
}

/// Where a composite's fields are that are ours, by its Input, and which there are.
pub fn composite_fields(input: Option<&Document<'_>>) -> (Path, &'static Shape) {
    match input {
        Some(input) if cluster_extension::is_asked_for(input) => cluster_extension::block_fields(input),
        _ => {
            let stack = input.and_then(|input| read_stack(input).ok()).map(|(stack, _)| stack);
            let path = stack.and_then(|stack| stack.spec_path);
            let path = path.as_ref().map_or(resolve::DEFAULT_SPEC_PATH, |path| path.0.as_str());
            (Path::dotted(path), Spec::SHAPE)
        }
    }
}

/// Every problem of an Input that can be seen without a composite.
pub fn read_input(input: &Document<'_>) -> Vec<Problem> {
    if cluster_extension::is_asked_for(input) {
        return cluster_extension::read_input(input);
    }
    match read_stack(input) {
        Ok((_, problems)) => problems.in_order(StackSpec::SHAPE),
        Err(problems) => problems,
    }
}

/// The Input's fields, or why it is no Input that could be read.
fn read_stack(input: &Document<'_>) -> Result<(StackSpec, Problems), Vec<Problem>> {
    let mut problems = Problems::new(Source::Input, Path::dotted("spec"));
    let known = format!("{}/{}", model_stack::GROUP, model_stack::VERSION);
    let (api_version, kind) = input.group_version_kind();
    if api_version != known {
        problems.add_at(Path::dotted("apiVersion"), shown(&input.api_version), format!("must be {known}"));
    } else if kind != model_stack::KIND {
        let want = format!("must be {} or {}", model_stack::KIND, cluster_extension::KIND);
        problems.add_at(Path::dotted("kind"), shown(&input.kind), want);
    } else {
        if input.spec.is_null() {
            return Ok((StackSpec::default(), problems));
        }
        let stack = StackSpec::read(Node::root(&input.spec), &mut problems).unwrap_or_default();
        return Ok((stack, problems));
    }
    Err(problems.in_order(StackSpec::SHAPE))
}

/// Who the composite is. Another kind than ours has to be meant.
fn read_identity(
    composite: &Document<'_>,
    spec_path_is_set: bool,
    problems: &mut Problems,
) -> Option<Identity> {
    let group_version = format!("{}/{}", llm_inference::GROUP, llm_inference::VERSION);
    let (api_version, kind) = composite.group_version_kind();
    if !spec_path_is_set {
        const OR: &str = "or the Input's specPath must say where the model is described";
        if api_version != group_version {
            let want = format!("must be {group_version}, {OR}");
            problems.add_at(Path::dotted("apiVersion"), shown(&composite.api_version), want);
        }
        if kind != llm_inference::KIND {
            let want = format!("must be {}, {OR}", llm_inference::KIND);
            problems.add_at(Path::dotted("kind"), shown(&composite.kind), want);
        }
    }

    let metadata = &composite.metadata;
    let name = metadata.name.as_str().and_then(ModelName::parse);
    if name.is_none() {
        let too_long = metadata.name.as_str().is_some_and(|name| name.len() > ModelName::MAX);
        let want = if too_long {
            format!(
                "must be at most {} characters long, since it becomes the name of a Service",
                ModelName::MAX
            )
        } else {
            "must consist of lower-case letters, digits and dashes, and start with a letter, since it becomes the name \
             of a Service"
                .to_owned()
        };
        problems.add_at(Path::dotted("metadata.name"), shown(&metadata.name), want);
    }
    let namespace = metadata.namespace.as_str().filter(|text| !text.is_empty());
    let malformed = namespace.is_none() && !matches!(&metadata.namespace, Value::Null | Value::Str(_));
    if malformed || namespace.is_some_and(|text| Namespace::parse(text).is_none()) {
        let want = "must be a namespace: lower-case letters, digits and dashes";
        problems.add_at(Path::dotted("metadata.namespace"), shown(&metadata.namespace), want);
        return None;
    }
    Some(Identity {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name,
        namespace: namespace.map(str::to_owned),
        created: metadata.creation_timestamp.as_str().map(str::to_owned),
    })
}

/// The value that the fields live in. `path` starts with `spec`.
pub(super) fn fields_at<'a>(composite: &'a Document<'_>, path: &str) -> Option<&'a Value<'a>> {
    let mut steps = Path::dotted(path).0.into_iter();
    steps.next();
    let fields = steps.try_fold(&composite.spec, |value, step| match step {
        Step::Field(field) => value.as_object()?.get(&field),
        Step::Index(index) => value.as_array()?.get(index),
    });
    fields.filter(|fields| !fields.is_null())
}
