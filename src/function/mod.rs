//! One call: request in, response out. No I/O, no clock, no randomness.
//!
//! Puts the rooms in order and decides nothing itself. Whatever cannot be done becomes a Fatal result: Crossplane then
//! applies and deletes nothing.

use std::time::Duration;

use bytes::Bytes;

pub use self::memory::Memory;
use crate::api::settings::Ttl;
use crate::api::{self, Problem, cluster_extension};
use crate::cluster;
use crate::compose::ComposeError;
use crate::observe;
use crate::protocol::view::{
    Condition, Ready, ResponseMeta, Result as Outcome, RunFunctionRequest, RunFunctionResponse, Status,
};
use crate::protocol::{Fault, StructError, desired, join, look_into};
use crate::report::{self, Event, Severity, Truth};

mod memory;
mod model_stack;

/// What Crossplane's client receives at most, and no flag of it changes that (crossplane v2.3, grpc-go's default).
pub const RESPONSE_LIMIT: usize = 4 * 1024 * 1024;

/// How soon Crossplane asks again where the settings that say so could not be read.
const TTL_WITHOUT_SETTINGS: Duration = Duration::from_secs(30);

/// Why a request got no stack.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// Nothing to work on.
    #[error("the request has no observed composite resource")]
    NoComposite,
    /// What Crossplane sent.
    #[error("cannot read {what}")]
    Read {
        /// Which part.
        what: &'static str,
        /// Why.
        source: Fault,
    },
    /// What somebody wrote.
    #[error("{}", sentences(.0))]
    InvalidSpec(Vec<Problem>),
    /// What the cluster says.
    #[error(transparent)]
    Observe(#[from] observe::ReadError),
    /// Two steps, one key.
    #[error(
        "the desired resource {0:?} is there already: it belongs to another step of the pipeline, and this function's \
         keys are fixed; rename it there"
    )]
    KeyTaken(&'static str),
    /// What a live route was made for is not known any more.
    #[error(
        "the route of a live model would have to go, so nothing is changed until its Gateway, and what implements that, are \
         known; if this does not end by itself, name them in gateway.ref and gateway.implementation of the platform's Input: \
         {0}"
    )]
    RouteForgotten(String),
    /// The stack.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The stack, as protobuf.
    #[error("cannot write {what}")]
    Write {
        /// Which part.
        what: &'static str,
        /// Why.
        source: StructError,
    },
    /// The stack, as protobuf.
    #[error(
        "the answer has {bytes} bytes, and Crossplane receives at most {RESPONSE_LIMIT}: {others} of them are the desired \
         state and context of other steps; split the composition"
    )]
    TooLarge {
        /// The whole answer.
        bytes: usize,
        /// What was passed through.
        others: usize,
    },
}

/// What a call asks for. The Input's kind says it.
#[derive(Debug, Clone, Copy)]
enum Job {
    ModelStack,
    ClusterExtension,
}

/// Answers one call.
pub fn run(request: &RunFunctionRequest) -> RunFunctionResponse {
    run_again(request, &Memory::default()).0
}

/// Answers one of many calls, and says whether the answer was known from an earlier one.
pub fn run_again(request: &RunFunctionRequest, memory: &Memory) -> (RunFunctionResponse, bool) {
    let passed_through = RunFunctionResponse {
        meta: Some(ResponseMeta::new(request.tag(), TTL_WITHOUT_SETTINGS)),
        desired: request.desired.clone(),
        context: request.context.clone(),
        ..RunFunctionResponse::default()
    };
    let others = passed_through.size();
    let answer = |input: Option<&api::Document<'_>>| match input {
        Some(input) if cluster_extension::is_asked_for(input) => {
            let answered = cluster_extension(request, input, passed_through.clone());
            (Job::ClusterExtension, answered.map(|response| (response, false)))
        }
        _ => (Job::ModelStack, model_stack::answer(request, input, passed_through.clone(), memory)),
    };
    let (job, answered) = match join(&request.input) {
        None => answer(None),
        Some(input) => read("the Input", &input, |input| answer(Some(input)))
            .unwrap_or_else(|error| (Job::ModelStack, Err(error))),
    };
    let fitting = answered.and_then(|(response, is_known)| match response.size() {
        bytes if bytes > RESPONSE_LIMIT => Err(FunctionError::TooLarge { bytes, others }),
        _ => Ok((response, is_known)),
    });
    fitting.unwrap_or_else(|error| (fatal(passed_through, job, &error), false))
}

fn cluster_extension(
    request: &RunFunctionRequest,
    input: &api::Document<'_>,
    mut response: RunFunctionResponse,
) -> Result<RunFunctionResponse, FunctionError> {
    let composite = request.observed_composite().ok_or(FunctionError::NoComposite)?;
    let extension = read("the composite resource", &composite, |it| cluster_extension::read(it, input))?
        .map_err(FunctionError::InvalidSpec)?;
    refuse_taken_keys(&request.desired, |key| cluster::Key::parse(key).map(cluster::Key::as_str))?;

    let mut observed =
        cluster::Observed { conditions: observe::conditions(&composite)?, ..cluster::Observed::default() };
    for (name, object) in observed_objects(request, |key| cluster::Key::parse(key).is_some()) {
        let Some(key) = cluster::Key::parse(name) else { continue };
        observed
            .take(key, &object)
            .map_err(|source| observe::ReadError::Object { key: key.as_str(), source })?;
    }

    let cluster::Answer { composed, condition, event } = cluster::extend(&extension, &observed);
    let mut part = desired::Part::default();
    for cluster::Composed { key, resource, ready } in &composed {
        part.resource(key.as_str(), resource, readiness(*ready))
            .map_err(|source| FunctionError::Write { what: key.as_str(), source })?;
    }
    response.meta = Some(meta(request, extension.ttl, condition.reason.is_settled()));
    if !composed.is_empty() {
        response.desired.push(part.encode());
    }
    response.conditions = vec![extension_condition(condition.reason, condition.message)];
    response.results = event.into_iter().map(outcome).collect();
    Ok(response)
}

/// Our own observed resources, by their composition-resource names.
fn observed_objects(request: &RunFunctionRequest, is_ours: fn(&str) -> bool) -> Vec<(&str, Bytes)> {
    request
        .observed_resources()
        .into_iter()
        .filter(|(key, _)| is_ours(key))
        .filter_map(|(key, resource)| Some((key, resource.object()?)))
        .collect()
}

const fn readiness(is_ready: bool) -> Ready {
    if is_ready { Ready::True } else { Ready::False }
}

fn meta(request: &RunFunctionRequest, ttl: Ttl, settled: bool) -> ResponseMeta {
    let ttl = if settled { ttl.settled } else { ttl.pending };
    ResponseMeta::new(request.tag(), Duration::from_millis(ttl.as_millis()))
}

/// What is made of a document, which borrows from its bytes.
fn read<T>(
    what: &'static str,
    bytes: &[u8],
    make: impl Fn(&api::Document<'_>) -> T,
) -> Result<T, FunctionError> {
    let read = look_into(bytes, |document| {
        let [api_version, kind, metadata, spec] =
            document.fields(["apiVersion", "kind", "metadata", "spec"])?;
        let [name, namespace, creation_timestamp] =
            metadata.fields(["name", "namespace", "creationTimestamp"])?;
        Ok(make(&api::Document {
            api_version: api_version.json()?,
            kind: kind.json()?,
            metadata: api::Metadata {
                name: name.json()?,
                namespace: namespace.json()?,
                creation_timestamp: creation_timestamp.json()?,
            },
            spec: spec.json()?,
        }))
    });
    read.map_err(|source| FunctionError::Read { what, source })
}

/// Merging ours into theirs would replace what another step wants, and would not look like it.
fn refuse_taken_keys(desired: &[Bytes], ours: fn(&str) -> Option<&'static str>) -> Result<(), FunctionError> {
    for key in desired::keys(desired) {
        let key = key.map_err(|why| FunctionError::Read {
            what: "the desired state of other steps",
            source: why.into(),
        })?;
        if let Some(key) = ours(key) {
            return Err(FunctionError::KeyTaken(key));
        }
    }
    Ok(())
}

/// Others' desired state goes back even now, unless it is what does not fit: nobody applies it, but the next person to
/// read the answer sees it whole.
fn fatal(mut response: RunFunctionResponse, job: Job, error: &FunctionError) -> RunFunctionResponse {
    let message = chain(error);
    if matches!(error, FunctionError::TooLarge { .. }) {
        response.desired.clear();
        response.context.clear();
    }
    let is_spec = match error {
        FunctionError::InvalidSpec(_) => true,
        FunctionError::NoComposite
        | FunctionError::Read { .. }
        | FunctionError::Observe(_)
        | FunctionError::KeyTaken(_)
        | FunctionError::RouteForgotten(_)
        | FunctionError::Compose(_)
        | FunctionError::Write { .. }
        | FunctionError::TooLarge { .. } => false,
    };
    response.conditions = match (job, is_spec) {
        (Job::ModelStack, true) => report::invalid(&message).iter().map(condition).collect(),
        (Job::ModelStack, false) => report::fatal(&message).iter().map(condition).collect(),
        (Job::ClusterExtension, true) => {
            vec![extension_condition(cluster::report::Reason::InvalidSpec, message.clone())]
        }
        (Job::ClusterExtension, false) => {
            vec![extension_condition(cluster::report::Reason::FatalError, message.clone())]
        }
    };
    response.results = vec![Outcome::fatal(message)];
    response
}

/// An error with everything behind it, joined once, here.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn sentences(problems: &[Problem]) -> String {
    let sentences: Vec<String> = problems.iter().map(ToString::to_string).collect();
    sentences.join("; ")
}

fn condition(condition: &report::Condition) -> Condition {
    let report::Condition { kind, reason, message } = condition;
    Condition::new(kind.as_str(), status(condition.truth()), reason.as_str()).saying(message.clone())
}

fn extension_condition(reason: cluster::report::Reason, message: String) -> Condition {
    Condition::new(cluster::report::CONDITION, status(reason.truth()), reason.as_str()).saying(message)
}

const fn status(truth: Truth) -> Status {
    match truth {
        Truth::True => Status::ConditionTrue,
        Truth::False => Status::ConditionFalse,
        Truth::Unknown => Status::ConditionUnknown,
    }
}

fn outcome(event: Event) -> Outcome {
    let Event { severity, reason, message } = event;
    match severity {
        Severity::Normal => Outcome::normal(message),
        Severity::Warning => Outcome::warning(message),
    }
    .because(reason)
}
