//! Calling the function as Crossplane calls it: with official messages, step by step, and again while it asks for
//! more.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::crossplane::{Answer, Condition, Desired};
use super::pipeline::Step;
use super::required::Selector;
use crate::protocol::caller::{DecodeError, encode, from_struct, to_struct};
use crate::protocol::official::resource_selector::Match;
use crate::protocol::official::{
    Capability, Ready, RequestMeta, Requirements, Resource, ResourceSelector, Resources, RunFunctionRequest,
    RunFunctionResponse, Severity, State, Status,
};

/// How often a step may ask for more (crossplane `internal/xfn/required_resources.go`).
const MOST_REPETITIONS: usize = 5;

/// What every step is called with.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// The composite resource.
    pub composite: Value,
    /// The composed resources that exist, by resource name.
    pub observed: BTreeMap<String, Value>,
    /// What a step can ask for.
    pub required: Vec<Value>,
    /// The pipeline's context at its start.
    pub context: Map<String, Value>,
}

/// Something that a function says beside its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The step that said it.
    pub step: String,
    /// Whether it is a warning.
    pub warning: bool,
    /// Machine word.
    pub reason: Option<String>,
    /// For people.
    pub message: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A function ended the pipeline.
    #[error("{message}")]
    Fatal {
        /// The step.
        step: String,
        /// What it said.
        message: String,
    },
    /// A function asked for something else each time.
    #[error("step {step:?} asked for other resources {MOST_REPETITIONS} times in a row")]
    Restless {
        /// The step.
        step: String,
    },
    /// The function's messages cannot be read.
    #[error("cannot read the messages of step {step:?}")]
    Protocol {
        /// The step.
        step: String,
        /// What the decoder says.
        source: DecodeError,
    },
}

/// Runs the steps in their order. What they say is added to `said`, also when there is no answer.
pub fn run(
    steps: &[Step],
    scene: &Scene,
    function: &mut dyn FnMut(&RunFunctionRequest) -> Result<RunFunctionResponse, DecodeError>,
    said: &mut Vec<Said>,
) -> Result<Answer, CallError> {
    let observed = State {
        composite: Some(resource(&scene.composite)),
        resources: scene.observed.iter().map(|(key, value)| (key.clone(), resource(value))).collect(),
    };
    let mut desired = State::default();
    let mut context = Some(to_struct(&scene.context));
    let mut answer = Answer::default();
    for step in steps {
        let mut request = RunFunctionRequest {
            observed: Some(observed.clone()),
            desired: Some(desired),
            input: step.input.as_ref().and_then(|input| Some(to_struct(input.root.to_json().as_object()?))),
            context: context.take(),
            ..RunFunctionRequest::default()
        };
        let response = settle(step, &scene.required, &mut request, function)?;
        for result in response.results {
            if result.severity() == Severity::Fatal {
                return Err(CallError::Fatal { step: step.name.clone(), message: result.message });
            }
            said.push(Said {
                step: step.name.clone(),
                warning: result.severity() != Severity::Normal,
                reason: result.reason,
                message: result.message,
            });
        }
        answer.conditions.extend(response.conditions.into_iter().map(|condition| Condition {
            status: match condition.status() {
                Status::ConditionTrue => "True",
                Status::ConditionFalse => "False",
                Status::ConditionUnknown | Status::ConditionUnspecified => "Unknown",
            },
            kind: condition.r#type,
            reason: condition.reason,
            message: condition.message.unwrap_or_default(),
        }));
        desired = response.desired.unwrap_or_default();
        context = response.context;
    }

    let composite = desired.composite.unwrap_or_default();
    answer.ready = match composite.ready() {
        Ready::True => Some(true),
        Ready::False => Some(false),
        Ready::Unspecified => None,
    };
    answer.composite = composite.resource.map(from_struct);
    answer.resources = desired
        .resources
        .into_iter()
        .map(|(key, resource)| {
            let ready = resource.ready() == Ready::True;
            (key, Desired { object: resource.resource.map(from_struct).unwrap_or_default(), ready })
        })
        .collect();
    Ok(answer)
}

/// Calls one step until it asks for nothing else than the time before.
fn settle(
    step: &Step,
    resources: &[Value],
    request: &mut RunFunctionRequest,
    function: &mut dyn FnMut(&RunFunctionRequest) -> Result<RunFunctionResponse, DecodeError>,
) -> Result<RunFunctionResponse, CallError> {
    let given: BTreeMap<String, Resources> =
        step.required.iter().map(|(name, selector)| (name.clone(), find(selector, resources))).collect();
    request.required_resources.clone_from(&given);
    let mut before: Option<Requirements> = None;
    for _ in 0..=MOST_REPETITIONS {
        request.meta = Some(meta(request));
        let response =
            function(request).map_err(|source| CallError::Protocol { step: step.name.clone(), source })?;
        let is_fatal = response.results.iter().any(|result| result.severity() == Severity::Fatal);
        if is_fatal || response.requirements == before {
            return Ok(response);
        }
        request.required_resources.clone_from(&given);
        for (name, wanted) in response.requirements.iter().flat_map(|requirements| &requirements.resources) {
            request.required_resources.insert(name.clone(), find(&selector(wanted), resources));
        }
        request.context = response.context;
        before = response.requirements;
    }
    Err(CallError::Restless { step: step.name.clone() })
}

fn selector(wanted: &ResourceSelector) -> Selector {
    let ResourceSelector { api_version, kind, namespace, r#match } = wanted.clone();
    let (name, labels) = match r#match {
        Some(Match::MatchName(name)) => (Some(name), BTreeMap::new()),
        Some(Match::MatchLabels(labels)) => (None, labels.labels),
        None => (None, BTreeMap::new()),
    };
    Selector { api_version, kind, namespace, name, labels }
}

fn find(selector: &Selector, resources: &[Value]) -> Resources {
    let found = selector.find(resources).unwrap_or_default();
    Resources { items: found.iter().map(resource).collect() }
}

/// As Crossplane: everything that it is able to do, and a digest of the request as its tag.
fn meta(request: &RunFunctionRequest) -> RequestMeta {
    let digest = Sha256::digest(encode(&RunFunctionRequest { meta: None, ..request.clone() }));
    let capabilities = [
        Capability::Capabilities,
        Capability::RequiredResources,
        Capability::Credentials,
        Capability::Conditions,
        Capability::RequiredSchemas,
    ];
    RequestMeta {
        tag: digest.iter().fold(String::new(), |tag, byte| format!("{tag}{byte:02x}")),
        capabilities: capabilities.map(i32::from).to_vec(),
    }
}

fn resource(value: &Value) -> Resource {
    Resource { resource: value.as_object().map(to_struct), ..Resource::default() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::cli::yaml;
    use crate::protocol::caller::Struct;
    use crate::protocol::official::{self, MatchLabels};

    fn scene() -> Scene {
        Scene {
            composite: json!({ "metadata": { "name": "llama" }, "spec": { "gpu": 2, "part": 0.5 } }),
            observed: BTreeMap::from([("a".to_owned(), json!({ "kind": "Secret" }))]),
            required: vec![json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s" } })],
            context: Map::from_iter([("key".to_owned(), json!("value"))]),
        }
    }

    fn step(name: &str) -> Step {
        let input = yaml::parse(Path::new("input.yaml"), &format!("kind: {name}")).unwrap();
        Step { name: name.to_owned(), ..Step::alone(input.into_iter().next()) }
    }

    fn field(object: Option<&Struct>, key: &str) -> Value {
        object.map(|object| from_struct(object.clone())[key].clone()).unwrap_or_default()
    }

    #[test]
    fn every_step_gets_what_the_one_before_wanted() {
        let mut requests = Vec::new();
        let mut said = Vec::new();
        let answer = run(
            &[step("one"), step("two")],
            &scene(),
            &mut |request| {
                requests.push(request.clone());
                let mut desired = request.desired.clone().unwrap();
                let wanted = resource(&json!({ "kind": "Service", "port": 80 }));
                let key = format!("r{}", desired.resources.len());
                desired.resources.insert(key, Resource { ready: Ready::True.into(), ..wanted });
                Ok(RunFunctionResponse {
                    desired: Some(desired),
                    context: request.context.clone(),
                    results: vec![official::Result::normal("hello").because("Why")],
                    ..RunFunctionResponse::default()
                })
            },
            &mut said,
        )
        .unwrap();

        let [one, two] = &requests[..] else { panic!() };
        assert_eq!(field(one.input.as_ref(), "kind"), "one");
        assert_eq!(field(two.input.as_ref(), "kind"), "two");
        for request in [one, two] {
            assert_eq!(field(request.context.as_ref(), "key"), "value");
            assert_eq!(request.observed.as_ref().unwrap().resources.len(), 1);
            let meta = request.meta.as_ref().unwrap();
            assert_eq!((meta.tag.len(), meta.capabilities.len()), (64, 5));
        }
        assert_ne!(one.meta, two.meta, "a tag names its request");
        assert_eq!(two.desired.as_ref().unwrap().resources.len(), 1);
        let desired = Desired { object: json!({ "kind": "Service", "port": 80 }), ready: true };
        assert_eq!(
            answer.resources,
            BTreeMap::from([("r0".to_owned(), desired.clone()), ("r1".to_owned(), desired)])
        );
        assert_eq!(said.len(), 2);
        assert_eq!((said[0].reason.as_deref(), said[0].warning), (Some("Why"), false));
    }

    #[test]
    fn a_fatal_result_ends_the_pipeline() {
        let mut calls = 0;
        let mut said = Vec::new();
        let error = run(
            &[step("one"), step("two")],
            &scene(),
            &mut |_| {
                calls += 1;
                Ok(RunFunctionResponse {
                    results: vec![official::Result::warning("first"), official::Result::fatal("no")],
                    ..RunFunctionResponse::default()
                })
            },
            &mut said,
        )
        .unwrap_err();
        assert!(matches!(error, CallError::Fatal { step, message } if step == "one" && message == "no"));
        assert_eq!((calls, said.len(), said[0].warning), (1, 1, true));
    }

    #[test]
    fn a_step_that_asks_for_resources_is_called_until_it_asks_for_nothing_else() {
        let requirements = Requirements {
            resources: BTreeMap::from([
                (
                    "there".to_owned(),
                    ResourceSelector {
                        api_version: "v1".to_owned(),
                        kind: "Secret".to_owned(),
                        namespace: None,
                        r#match: Some(Match::MatchName("s".to_owned())),
                    },
                ),
                (
                    "none".to_owned(),
                    ResourceSelector {
                        api_version: "v1".to_owned(),
                        kind: "Secret".to_owned(),
                        namespace: None,
                        r#match: Some(Match::MatchLabels(MatchLabels {
                            labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
                        })),
                    },
                ),
            ]),
            ..Requirements::default()
        };
        let mut seen = Vec::new();
        let mut ask = |request: &RunFunctionRequest| {
            seen.push(
                request
                    .required_resources
                    .iter()
                    .map(|(k, v)| (k.clone(), v.items.len()))
                    .collect::<Vec<_>>(),
            );
            Ok(RunFunctionResponse {
                requirements: Some(requirements.clone()),
                ..RunFunctionResponse::default()
            })
        };
        run(&[step("one")], &scene(), &mut ask, &mut Vec::new()).unwrap();
        assert_eq!(seen, [vec![], vec![("none".to_owned(), 0), ("there".to_owned(), 1)]]);

        let mut count = 0;
        let mut restless = |_: &RunFunctionRequest| {
            count += 1;
            let mut requirements = requirements.clone();
            requirements.resources.insert(count.to_string(), ResourceSelector::default());
            Ok(RunFunctionResponse { requirements: Some(requirements), ..RunFunctionResponse::default() })
        };
        let error = run(&[step("one")], &scene(), &mut restless, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "step \"one\" asked for other resources 5 times in a row");
        assert_eq!(count, 6);
    }
}
