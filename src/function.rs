//! One call: request in, response out. No I/O, no clock, no randomness.
//!
//! Puts the rooms in order and decides nothing itself. Whatever cannot be done becomes a Fatal result: Crossplane then
//! applies and deletes nothing.

use std::time::Duration;

use bytes::Bytes;

use crate::api::settings::Settings;
use crate::api::{self, Problem};
use crate::compose::{ComposeError, compose};
use crate::deliver::wrap;
use crate::observe;
use crate::plan::keys::Key;
use crate::plan::plan;
use crate::protocol::view::{
    Condition, Ready, ResponseMeta, Result as Outcome, RunFunctionRequest, RunFunctionResponse, Status,
};
use crate::protocol::{StructError, desired, from_struct, join};
use crate::report::{self, Event, Report, Severity, Truth, report};

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
        source: StructError,
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

/// Answers one call.
pub fn run(request: &RunFunctionRequest) -> RunFunctionResponse {
    let passed_through = RunFunctionResponse {
        meta: Some(ResponseMeta::new(request.tag(), TTL_WITHOUT_SETTINGS)),
        desired: request.desired.clone(),
        context: request.context.clone(),
        ..RunFunctionResponse::default()
    };
    let others = passed_through.size();
    let answered = answer(request, passed_through.clone()).and_then(|response| match response.size() {
        bytes if bytes > RESPONSE_LIMIT => Err(FunctionError::TooLarge { bytes, others }),
        _ => Ok(response),
    });
    answered.unwrap_or_else(|error| fatal(passed_through, &error))
}

fn answer(
    request: &RunFunctionRequest,
    mut response: RunFunctionResponse,
) -> Result<RunFunctionResponse, FunctionError> {
    let composite = request.observed_composite().ok_or(FunctionError::NoComposite)?;
    let document = document("the composite resource", &composite)?;
    let input = join(&request.input).map(|input| self::document("the Input", &input)).transpose()?;
    let settings = api::read(&document, input.as_ref()).map_err(FunctionError::InvalidSpec)?;
    refuse_taken_keys(&request.desired)?;

    let objects: Vec<(&str, Bytes)> = request
        .observed_resources()
        .into_iter()
        .filter(|(key, _)| Key::parse(key).is_some())
        .filter_map(|(key, resource)| Some((key, resource.object()?)))
        .collect();
    let observed = observe::read(&composite, objects.iter().map(|(key, bytes)| (*key, bytes.as_ref())))?;
    let plan = plan(&settings, &observed).map_err(FunctionError::InvalidSpec)?;

    let Report { ready, conditions, status, events, settled } = report(&plan, &observed);
    let mut part = desired::Part::default();
    for composed in compose(&plan)? {
        let key = composed.key;
        let ready = if ready.get(&key) == Some(&true) { Ready::True } else { Ready::False };
        part.resource(key.as_str(), &wrap(&plan.delivery, composed), ready)
            .map_err(|source| FunctionError::Write { what: key.as_str(), source })?;
    }
    let Settings { composite, ttl, .. } = &settings;
    part.status(&composite.api_version, &composite.kind, &status, &request.desired)
        .map_err(|source| FunctionError::Write { what: "the composite's status", source })?;

    let ttl = if settled { ttl.settled } else { ttl.pending };
    response.meta = Some(ResponseMeta::new(request.tag(), Duration::from_millis(ttl.as_millis())));
    response.desired.push(part.encode());
    response.conditions = conditions.iter().map(condition).collect();
    response.results = events.into_iter().map(outcome).collect();
    Ok(response)
}

fn document(what: &'static str, bytes: &[u8]) -> Result<api::Document, FunctionError> {
    from_struct(bytes).map_err(|source| FunctionError::Read { what, source })
}

/// Merging ours into theirs would replace what another step wants, and would not look like it.
fn refuse_taken_keys(desired: &[Bytes]) -> Result<(), FunctionError> {
    for key in desired::keys(desired) {
        let key =
            key.map_err(|source| FunctionError::Read { what: "the desired state of other steps", source })?;
        if let Some(key) = Key::parse(key) {
            return Err(FunctionError::KeyTaken(key.as_str()));
        }
    }
    Ok(())
}

/// Others' desired state goes back even now, unless it is what does not fit: nobody applies it, but the next person to
/// read the answer sees it whole.
fn fatal(mut response: RunFunctionResponse, error: &FunctionError) -> RunFunctionResponse {
    let message = chain(error);
    if matches!(error, FunctionError::TooLarge { .. }) {
        response.desired.clear();
        response.context.clear();
    }
    let conditions = match error {
        FunctionError::InvalidSpec(_) => report::invalid(&message),
        FunctionError::NoComposite
        | FunctionError::Read { .. }
        | FunctionError::Observe(_)
        | FunctionError::KeyTaken(_)
        | FunctionError::Compose(_)
        | FunctionError::Write { .. }
        | FunctionError::TooLarge { .. } => report::fatal(&message),
    };
    response.conditions = conditions.iter().map(condition).collect();
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
    let status = match condition.truth() {
        Truth::True => Status::ConditionTrue,
        Truth::False => Status::ConditionFalse,
        Truth::Unknown => Status::ConditionUnknown,
    };
    Condition::new(condition.kind.as_str(), status, condition.reason.as_str())
        .saying(condition.message.clone())
}

fn outcome(event: Event) -> Outcome {
    let Event { severity, reason, message } = event;
    match severity {
        Severity::Normal => Outcome::normal(message),
        Severity::Warning => Outcome::warning(message),
    }
    .because(reason)
}
