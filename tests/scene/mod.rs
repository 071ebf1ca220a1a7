//! What is observed of a model, told by what differs from one that serves, and what the function answers.
//!
//! A stack that serves is made from the function's own answer: provider-kubernetes wraps what it applied, and
//! `tests/scenarios/live.yaml` has what the controllers write on it. A scene says what is otherwise, and everything goes
//! the way that `render --observed` takes.

#![allow(dead_code, reason = "each of the tests that include this file uses a part of it")]

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use function_inference::cli::render::call::{self, Scene as Call};
use function_inference::cli::render::crossplane::Outcome;
use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::render::{Preview, print};
use function_inference::cli::yaml::{self, Document};
use function_inference::function::{self, Memory};
use function_inference::protocol::caller;
use function_inference::protocol::official::{RunFunctionResponse, Severity, Status};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Where the scenarios are, with the composite resource that they are about and what the controllers write.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Any file of YAML.
pub(crate) fn read<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What is observed in one call.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    /// What happens, for people.
    pub(crate) what: String,
    /// Whose composite resource it is.
    #[serde(default)]
    pub(crate) about: About,
    /// How that differs from the file (a merge patch).
    #[serde(default)]
    pub(crate) composite: Value,
    /// How it differed when what exists was composed, where that is not the same.
    #[serde(default)]
    pub(crate) was: Option<Value>,
    /// The step's Input.
    #[serde(default)]
    pub(crate) input: Option<Value>,
    /// How it was when what exists was composed, where that is not the same.
    #[serde(default)]
    pub(crate) was_input: Option<Value>,
    /// Whether the Composition calls the function in two steps.
    #[serde(default)]
    pub(crate) twice: bool,
    /// What exists of the stack, where nothing else is said.
    pub(crate) rest: Rest,
    /// What is otherwise, by composition-resource name.
    #[serde(default)]
    pub(crate) observed: BTreeMap<String, Otherwise>,
    /// What Crossplane finds where the function asks for something.
    #[serde(default)]
    pub(crate) required: Vec<Value>,
}

/// Whose composite resource a scene is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum About {
    /// That of `model.yaml`.
    #[default]
    Model,
    /// That of `cluster.yaml`.
    Cluster,
}

/// What exists of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Rest {
    /// Everything, and it serves.
    Serves,
    /// Everything has been applied, and the provider has not come round to it.
    Applied,
    /// Nothing.
    Absent,
}

/// How one composed resource differs from that of a stack that serves.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Otherwise {
    /// It is not there.
    absent: bool,
    /// The Object is there, and the provider has not come round to it.
    applied: bool,
    /// The live object (a merge patch), once `spec` and `status` are as a controller writes them.
    live: Value,
    /// What the provider says when it cannot reconcile: the live object that it saw before stays in its status.
    failing: Option<String>,
    /// The resource itself (a merge patch).
    object: Value,
}

/// What the function answers, and what Crossplane makes of it.
pub(crate) struct Answer {
    /// As it came.
    pub(crate) response: RunFunctionResponse,
    /// The composite resource as Crossplane writes it: nothing after a Fatal result.
    pub(crate) composite: Option<Value>,
    composed: BTreeMap<String, Value>,
    /// What exists and is not wanted any more.
    pub(crate) deleted: Vec<String>,
}

/// A condition, as far as scenarios are about it: type, reason.
pub(crate) type Said = (String, String);

impl Scene {
    /// Calls the function.
    pub(crate) fn play(&self) -> Answer {
        self.play_with(&merged(self.written(), &self.composite))
    }

    /// The composite resource as its file has it.
    pub(crate) fn written(&self) -> Value {
        let file = match self.about {
            About::Model => "model.yaml",
            About::Cluster => "cluster.yaml",
        };
        read(&folder().join(file))
    }

    /// Calls the function with a composite resource that has a past.
    pub(crate) fn play_with(&self, manifest: &Value) -> Answer {
        let observed: Vec<Document> = self.observed(manifest).values().map(document).collect();
        let mut preview = Preview::new(document(manifest), self.pipeline(), &observed).unwrap();
        preview.required.clone_from(&self.required);
        answer(&preview)
    }

    fn pipeline(&self) -> Pipeline {
        let mut pipeline = Pipeline::alone(self.input.as_ref().map(document));
        if self.twice {
            pipeline.steps.extend(pipeline.steps.clone());
        }
        pipeline
    }

    /// The resources that exist.
    fn observed(&self, manifest: &Value) -> BTreeMap<String, Value> {
        let mut was = match &self.was {
            Some(was) => merged(self.written(), was),
            None => manifest.clone(),
        };
        was["status"] = Value::Null;
        let fresh = Preview::new(
            document(&was),
            Pipeline::alone(self.was_input.as_ref().or(self.input.as_ref()).map(document)),
            &[],
        )
        .unwrap();
        let mut composed = match (self.rest, self.observed.is_empty()) {
            (Rest::Absent, true) => BTreeMap::new(),
            _ => {
                fresh
                    .outcome(&mut Vec::new())
                    .unwrap_or_else(|error| panic!("{}: {error:#}", self.what))
                    .composed
            }
        };
        let lives: BTreeMap<String, Value> = read(&folder().join("live.yaml"));
        let usual = Otherwise::default();
        for key in self.observed.keys() {
            // What is no longer wanted may still be there.
            composed.entry(key.clone()).or_insert_with(|| left_over(key, &was));
        }
        composed
            .into_iter()
            .filter_map(|(key, resource)| {
                let otherwise = match self.observed.get(&key) {
                    Some(otherwise) => otherwise,
                    None if self.rest == Rest::Absent => return None,
                    None => &usual,
                };
                let applied =
                    otherwise.applied || self.rest == Rest::Applied && !self.observed.contains_key(&key);
                let live = if applied { None } else { Some(lives.get(&key).unwrap_or(&Value::Null)) };
                (!otherwise.absent).then(|| (key, otherwise.observe(resource, live)))
            })
            .collect()
    }
}

impl Otherwise {
    /// The resource as it is read back.
    fn observe(&self, mut resource: Value, live: Option<&Value>) -> Value {
        let is_object = resource["kind"] == "Object";
        let written = json!({
            "creationTimestamp": "2026-09-01T08:00:00Z", "generation": 1, "resourceVersion": "1234",
            "uid": "35146a6e-ad75-576b-9992-ae725ae446c7",
        });
        let Some(live) = live else {
            resource["metadata"] = merged(resource["metadata"].take(), &written);
            return merged(resource, &self.object);
        };
        let wanted =
            if is_object { resource["spec"]["forProvider"]["manifest"].clone() } else { resource.clone() };
        let mut there = merged(merged(wanted, &json!({ "metadata": written })), live);
        there = merged(there, &self.live);
        if !is_object {
            return merged(there, &self.object);
        }
        resource["metadata"] = merged(resource["metadata"].take(), &written);
        resource["metadata"]["finalizers"] = json!(["finalizer.managedresource.crossplane.io"]);
        let synced = match &self.failing {
            None => json!({"type": "Synced", "status": "True", "reason": "ReconcileSuccess"}),
            Some(why) => {
                json!({"type": "Synced", "status": "False", "reason": "ReconcileError", "message": why})
            }
        };
        let ready = json!({"type": "Ready", "status": "True", "reason": "Available"});
        let dated = json!({"lastTransitionTime": "2026-09-01T08:00:00Z", "observedGeneration": 1});
        resource["status"] = json!({
            "atProvider": {"manifest": there},
            "conditions": [merged(synced, &dated), merged(ready, &dated)],
        });
        merged(resource, &self.object)
    }
}

/// The Object around something that a former spec asked for.
fn left_over(key: &str, composite: &Value) -> Value {
    let (name, namespace) = (&composite["metadata"]["name"], &composite["metadata"]["namespace"]);
    json!({
        "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
        "kind": "Object",
        "metadata": {
            "name": format!("{}-{key}", name.as_str().unwrap()).replace('_', "-"),
            "namespace": namespace,
            "annotations": {"crossplane.io/composition-resource-name": key},
        },
        "spec": {
            "forProvider": {"manifest": {"metadata": {"name": name, "namespace": namespace}}},
            "providerConfigRef": {"kind": "ProviderConfig", "name": composite["spec"]["providerConfigName"]},
        },
    })
}

fn document(value: &Value) -> Document {
    let stream = print::yaml(std::slice::from_ref(value)).unwrap();
    yaml::parse(Path::new("scene.yaml"), &stream).unwrap().remove(0)
}

/// What was answered in all scenes.
static MEMORY: LazyLock<Memory> = LazyLock::new(|| Memory::of(1024 * 1024));

/// Calls the function as `render` does, twice.
fn answer(preview: &Preview) -> Answer {
    let scene = Call {
        composite: preview.composite.object.clone(),
        observed: preview.observed.clone(),
        required: preview.required.clone(),
        context: Map::new(),
    };
    let mut responses = Vec::new();
    let mut play = || {
        let mut last = None;
        let called = call::run(
            &preview.steps,
            &scene,
            &mut |request| {
                let response = caller::call(request, function::run)?;
                // Whatever was asked before by this test and others, often of the same name: it is the same answer.
                for _ in 0..2 {
                    let remembered = caller::call(request, |it| function::run_again(it, &MEMORY).0)?;
                    assert_eq!(remembered, response, "what is remembered is what would be decided");
                }
                last = Some(response.clone());
                Ok(response)
            },
            &mut Vec::new(),
        );
        responses.push(last.unwrap());
        called.ok()
    };
    let called = play();
    play();
    let response = responses.remove(0);
    assert_eq!(response, responses.remove(0), "the same request gives the same answer");
    let outcome = called.map(|called| preview.composite.apply(called, &preview.observed).unwrap());
    match outcome {
        Some(Outcome { composite, composed, deleted, warnings: _ }) => {
            Answer { response, composite: Some(composite), composed, deleted }
        }
        None => Answer { response, composite: None, composed: BTreeMap::new(), deleted: Vec::new() },
    }
}

impl Answer {
    /// What is composed under that name, if anything.
    pub(crate) fn composed(&self, key: &str) -> Value {
        self.composed.get(key).cloned().unwrap_or_default()
    }

    /// The function's own conditions.
    pub(crate) fn said(&self) -> Vec<Said> {
        let conditions = self.response.conditions.iter();
        conditions.map(|condition| (condition.r#type.clone(), condition.reason.clone())).collect()
    }

    /// What Crossplane says of the composite resource.
    fn ready(&self) -> String {
        let Some(composite) = &self.composite else { return "as it was: nothing is applied".to_owned() };
        let conditions = composite["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        let words = ["status", "reason", "message"].map(|field| ready[field].as_str().unwrap_or_default());
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(", ")
    }
}

/// As a golden file has it.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tell(f, None)
    }
}

/// The same, without what was so before.
pub(crate) struct Changes<'a>(pub(crate) &'a Answer, pub(crate) &'a Answer);

impl fmt::Display for Changes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(answer, before) = self;
        answer.tell(f, Some(before))
    }
}

impl Answer {
    fn tell(&self, f: &mut fmt::Formatter<'_>, before: Option<&Self>) -> fmt::Result {
        writeln!(f, "Ready: {}", self.ready())?;
        let ttl = self.response.meta.as_ref().and_then(|meta| meta.ttl).unwrap();
        writeln!(f, "asked again in: {} s", ttl.seconds)?;
        let told = before.map(|before| before.response.conditions.as_slice()).unwrap_or_default();
        for condition in self.response.conditions.iter().filter(|condition| !told.contains(condition)) {
            let status = match condition.status() {
                Status::ConditionTrue => "True",
                Status::ConditionFalse => "False",
                Status::ConditionUnknown | Status::ConditionUnspecified => "Unknown",
            };
            writeln!(f, "{}: {status}, {}", condition.r#type, condition.reason)?;
            writeln!(f, "  {}", condition.message())?;
        }
        for result in &self.response.results {
            let severity = match result.severity() {
                Severity::Fatal => "Fatal",
                Severity::Warning => "Warning",
                Severity::Normal | Severity::Unspecified => "Normal",
            };
            writeln!(f, "event: {severity}, {}", result.reason.as_deref().unwrap_or("ComposeResources"))?;
            let source =
                self.response.conditions.iter().find(|condition| condition.message() == result.message);
            match source {
                Some(condition) => writeln!(f, "  as {} says", condition.r#type)?,
                None => writeln!(f, "  {}", result.message)?,
            }
        }
        if !self.deleted.is_empty() {
            writeln!(f, "no longer wanted: {}", self.deleted.join(", "))?;
        }
        let status = self.status();
        if status != Value::Null && before.is_none_or(|before| before.status() != status) {
            writeln!(f, "status: {status}")?;
        }
        Ok(())
    }

    /// What is in the composite resource's status beside the conditions.
    fn status(&self) -> Value {
        let mut status =
            self.composite.as_ref().map(|composite| composite["status"].clone()).unwrap_or_default();
        if let Some(fields) = status.as_object_mut() {
            fields.remove("conditions");
        }
        if status == json!({}) { Value::Null } else { status }
    }
}

/// A merge patch (RFC 7396).
pub(crate) fn merged(target: Value, patch: &Value) -> Value {
    let Some(patch) = patch.as_object() else {
        return if patch.is_null() { target } else { patch.clone() };
    };
    let mut target = match target {
        Value::Object(target) => target,
        _ => Map::new(),
    };
    for (field, change) in patch {
        if change.is_null() {
            target.remove(field);
        } else {
            let before = target.remove(field).unwrap_or_default();
            target.insert(field.clone(), merged(before, change));
        }
    }
    Value::Object(target)
}
