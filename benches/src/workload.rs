//! The requests: a stack in steady state, alone and among much that is not ours.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use function_inference::cli::render::call::{self, Scene};
use function_inference::cli::render::{Args, Output, Preview};
use function_inference::function;
use function_inference::protocol::caller;
use function_inference::protocol::official::{Resource, RunFunctionRequest, RunFunctionResponse, Status};
use prost::Message;
use serde_json::{Map, Value, json};

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Workload {
    request: RunFunctionRequest,
    response: RunFunctionResponse,
}

impl Workload {
    /// A full stack at rest: the composite resource and all its Objects, each with the live manifest and with the
    /// `managedFields` that the API server keeps.
    pub fn base() -> Result<Self> {
        Self::with_managers(1)
    }

    /// The base with that many field managers of each of our live objects: so many times do `managedFields` name its
    /// fields.
    pub fn with_managers(managers: usize) -> Result<Self> {
        Self::answered(full_stack(managers, REPLICAS)?)
    }

    /// The base after the autoscaler has added a replica.
    pub fn scaled() -> Result<Self> {
        Self::answered(full_stack(1, REPLICAS + 1)?)
    }

    /// The base among other steps' observed and desired resources and context, of about so many bytes, each of about so
    /// many.
    pub fn with_neighbours(bytes: usize, each: usize) -> Result<Self> {
        let mut request = full_stack(1, REPLICAS)?;
        let count = bytes / each;
        let (observed, desired) =
            (request.observed.get_or_insert_default(), request.desired.get_or_insert_default());
        // Half observed, a third desired, the rest context.
        let (half, third) = (count / 2, count / 3);
        let neighbour = |index| Resource {
            resource: deployment(index, each).as_object().map(caller::to_struct),
            ..Resource::default()
        };
        observed.resources.extend((0..half).map(|index| (format!("neighbour-{index}"), neighbour(index))));
        desired.resources.extend((0..third).map(|index| (format!("neighbour-{index}"), neighbour(index))));
        let context: Map<String, Value> = (half + third..count)
            .map(|index| (format!("example.org/neighbour-{index}"), deployment(index, each)))
            .collect();
        request.context = Some(caller::to_struct(&context));
        Self::answered(request)
    }

    /// The request as it goes over the wire.
    pub fn wire(&self) -> Bytes {
        caller::encode(&self.request).into()
    }

    /// The same about another model, whose name is as long.
    pub fn wire_about(&self, number: usize) -> Result<Bytes> {
        let (name, other) = (NAME.as_bytes(), format!("m-{number:05}"));
        ensure!(other.len() == name.len(), "{other} is not as long as {NAME}");
        let mut wire = caller::encode(&self.request);
        let mut at = 0;
        while let Some(rest) = wire.get_mut(at..).filter(|rest| rest.len() >= name.len()) {
            if rest.starts_with(name) {
                rest.get_mut(..name.len()).unwrap_or_default().copy_from_slice(other.as_bytes());
            }
            at += 1;
        }
        Ok(wire.into())
    }

    /// How many bytes that has.
    pub fn size(&self) -> u64 {
        self.request.encoded_len() as u64
    }

    /// The function's answer as it goes over the wire.
    pub fn answer(&self) -> Vec<u8> {
        self.response.encode_to_vec()
    }

    fn answered(request: RunFunctionRequest) -> Result<Self> {
        let response = caller::call(&request, function::run)?;
        ensure!(response.results.is_empty(), "at rest nothing is said, but: {:?}", response.results);
        Ok(Self { request, response })
    }
}

/// The model in `examples/full-stack`.
const NAME: &str = "llama-3";

/// How many of it run there.
const REPLICAS: u32 = 2;

/// What Crossplane sends about `examples/full-stack`.
fn full_stack(managers: usize, replicas: u32) -> Result<RunFunctionRequest> {
    let folder = root().join("examples/full-stack");
    let mut preview = Preview::read(&Args {
        composite: folder.join("xr.yaml"),
        composition: Some(folder.join("composition.yaml")),
        input: None,
        observed: Some(folder.join("observed.yaml")),
        required_resources: None,
        context: None,
        output: Output::Yaml,
    })?;
    for object in preview.observed.values_mut() {
        if let Some(live) = object.pointer_mut("/status/atProvider/manifest") {
            if live.get("kind") == Some(&json!("VLLMRuntime")) {
                for at in ["/spec/deploymentConfig/replicas", "/status/replicas", "/status/availableReplicas"]
                {
                    *live.pointer_mut(at).context("the model server says nothing of its replicas")? =
                        json!(replicas);
                }
            }
            manage(live, "provider-kubernetes", managers);
        }
    }
    manage(&mut preview.composite.object, "kubectl", 1);
    // At rest the composite resource says what the call before made it say.
    let request = sent(&preview)?;
    let answer = caller::call(&request, function::run)?;
    let status = status_after(answer).context("the function says nothing of the composite resource")?;
    if let Some(composite) = preview.composite.object.as_object_mut() {
        composite.insert("status".to_owned(), status);
    }
    sent(&preview)
}

/// The request that a preview makes of its files.
fn sent(preview: &Preview) -> Result<RunFunctionRequest> {
    let scene = Scene {
        composite: preview.composite.object.clone(),
        observed: preview.observed.clone(),
        ..Scene::default()
    };
    let mut sent = None;
    let mut keep = |request: &RunFunctionRequest| {
        sent = Some(request.clone());
        caller::call(request, function::run)
    };
    call::run(&preview.steps, &scene, &mut keep, &mut Vec::new())?;
    sent.context("the example calls no step of this function")
}

/// The status that Crossplane writes after an answer.
fn status_after(answer: RunFunctionResponse) -> Option<Value> {
    let composite = caller::from_struct(answer.desired?.composite?.resource?);
    let mut status = composite.get("status")?.clone();
    let conditions: Vec<Value> = answer
        .conditions
        .iter()
        .map(|condition| {
            let status = match condition.status() {
                Status::ConditionTrue => "True",
                Status::ConditionFalse => "False",
                Status::ConditionUnknown | Status::ConditionUnspecified => "Unknown",
            };
            json!({
                "type": condition.r#type,
                "status": status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": "2026-09-01T08:00:00Z",
            })
        })
        .collect();
    status.as_object_mut()?.insert("conditions".to_owned(), Value::Array(conditions));
    Some(status)
}

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Somebody else's resource, of about so many bytes.
fn deployment(index: usize, bytes: usize) -> Value {
    /// What one variable takes, with its share of `managedFields`.
    const VARIABLE_BYTES: usize = 64;
    let variables: Vec<Value> = (0..bytes / VARIABLE_BYTES)
        .map(|number| json!({"name": format!("VARIABLE_{number}"), "value": format!("value {number} of {index}")}))
        .collect();
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": format!("neighbour-{index}"), "namespace": "team-b", "labels": {"app": "neighbour"}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "neighbour"}},
            "template": {
                "metadata": {"labels": {"app": "neighbour"}},
                "spec": {"containers": [{"name": "main", "image": "registry.example.org/neighbour:v1", "env": variables}]},
            },
        },
    });
    manage(&mut object, "kubectl", 1);
    object
}

/// Adds `managedFields` as an API server keeps them: a tree that names every field of the object, once for each
/// manager.
fn manage(object: &mut Value, manager: &str, managers: usize) {
    let mut owned = fields(object);
    if let Some(owned) = owned.as_object_mut() {
        owned.retain(|key, _| key == "f:spec" || key == "f:data" || key == "f:metadata");
    }
    let entries: Vec<Value> = (0..managers)
        .map(|number| {
            json!({
                "apiVersion": object.get("apiVersion"),
                "fieldsType": "FieldsV1",
                "fieldsV1": owned,
                "manager": format!("{manager}-{number}"),
                "operation": "Apply",
                "time": "2026-09-01T08:00:00Z",
            })
        })
        .collect();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
}

fn fields(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            object.iter().map(|(key, value)| (format!("f:{key}"), fields(value))).collect()
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workloads_are_what_the_page_says_they_are() {
        let base = Workload::base().unwrap();
        let ours = base.request.observed.as_ref().unwrap().resources.len();
        assert!(ours >= 14, "{ours}");
        assert!((48_000..80_000).contains(&base.size()), "{}", base.size());
        for each in [4 * 1024, 8 * 1024, 64 * 1024] {
            let size = Workload::with_neighbours(1 << 20, each).unwrap().size() - base.size();
            assert!((900_000..1_200_000).contains(&size), "{each}: {size}");
        }
        let many = Workload::with_managers(8).unwrap().size();
        assert!(many > base.size() * 3 / 2, "{many}");
    }
}
