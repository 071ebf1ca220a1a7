//! The stack of one model: what is asked, what is decided, and how that is said.

use std::borrow::Cow;

use bytes::Bytes;

use super::memory::Memory;
use super::{FunctionError, condition, meta, observed_objects, outcome, read, readiness, refuse_taken_keys};
use crate::api;
use crate::api::settings::{GatewayChoice, Settings, Transport};
use crate::compose::compose;
use crate::deliver::{self, GATEWAY_CLASSES, GATEWAYS, Lookup, Means, deliver};
use crate::kinds::Foreign;
use crate::observe::{self, Observed};
use crate::plan::keys::Key;
use crate::plan::plan;
use crate::protocol::desired;
use crate::protocol::view::{
    Condition, Requirements, Result as Outcome, RunFunctionRequest, RunFunctionResponse,
};
use crate::report::{ConditionType, Report, Status, report};

/// All that an answer depends on, as it was read.
#[derive(Debug, PartialEq)]
pub(super) struct Question {
    pub(super) settings: Settings,
    observed: Observed,
    /// The Gateways of the cluster that Crossplane runs on, where one of them is to be found.
    found_here: Option<Vec<Bytes>>,
    /// Whether Crossplane has not been asked yet for what it is to look up.
    is_asking: bool,
}

/// What is said to a question.
#[derive(Debug)]
pub(super) struct Answer {
    /// A part of a `State`.
    pub(super) resources: Bytes,
    requirements: Option<Requirements>,
    status: Status,
    conditions: Vec<Condition>,
    results: Vec<Outcome>,
    is_incomplete: bool,
    is_settled: bool,
}

/// Answers a call for a model's stack, and says whether the answer was known.
pub(super) fn answer(
    request: &RunFunctionRequest,
    input: Option<&api::Document<'_>>,
    passed_through: RunFunctionResponse,
    memory: &Memory,
) -> Result<(RunFunctionResponse, bool), FunctionError> {
    let question = ask(request, input)?;
    // What was found is a part of the request, and would keep all of it.
    let none = Memory::default();
    let memory = if question.found_here.is_some() { &none } else { memory };
    memory.answer(question, decide, |question, answer| respond(request, question, answer, passed_through))
}

/// Reads a request.
fn ask(request: &RunFunctionRequest, input: Option<&api::Document<'_>>) -> Result<Question, FunctionError> {
    let composite = request.observed_composite().ok_or(FunctionError::NoComposite)?;
    let settings = read("the composite resource", &composite, |it| api::read(it, input))?
        .map_err(FunctionError::InvalidSpec)?;
    refuse_taken_keys(&request.desired, |key| Key::parse(key).map(Key::as_str))?;

    let objects = observed_objects(request, |key| Key::parse(key).is_some());
    let mut observed = observe::read(&composite, objects.iter().map(|(key, bytes)| (*key, bytes.as_ref())))?;
    let gateways = discovered(&settings).map(|_| {
        let found = request.required(GATEWAYS);
        if let Some(found) = &found {
            observed.find_gateways(&settings.transport, found);
        }
        found.unwrap_or_default()
    });
    // After an error Crossplane asks for nothing.
    let mut is_asking = gateways.is_some() && observed.gateways.is_none();
    if classes(&settings).is_some() {
        match request.required(GATEWAY_CLASSES) {
            Some(found) => observed.find_classes(&found),
            None => is_asking = true,
        }
    }
    let is_direct = settings.transport == Transport::Direct;
    if is_direct {
        for key in Key::FOREIGN {
            if let Some(found) = request.required(key.as_str()) {
                observed.look_up(key, found.first().map(Bytes::as_ref))?;
            }
        }
    }
    Ok(Question { settings, observed, found_here: gateways.filter(|_| is_direct), is_asking })
}

/// Decides everything.
fn decide(question: &Question) -> Result<Answer, FunctionError> {
    let Question { settings, observed, found_here, is_asking } = question;
    let mut requirements = None;
    let mut look_for = |name, lookup: Option<Lookup>| {
        if let Some(Lookup { api_version, kind, namespace, labels }) = lookup {
            let requirements: &mut Requirements = requirements.get_or_insert_default();
            requirements.labelled(name, api_version, kind, namespace, labels);
        }
    };
    look_for(GATEWAYS, discovered(settings));
    look_for(GATEWAY_CLASSES, classes(settings));

    let plan = plan(settings, observed).map_err(FunctionError::InvalidSpec)?;
    let mut observed = Cow::Borrowed(observed);
    if let (Some(found), Some(chosen)) = (found_here, plan.gateway()) {
        observed.to_mut().look_up_among(Key::Gateway, chosen, found)?;
    }

    let Report { ready, conditions, status, events, incomplete, settled } = report(&plan, &observed);
    if plan.forgets_route(&observed) && !is_asking {
        let why = conditions.into_iter().find(|condition| condition.kind == ConditionType::GatewayReady);
        return Err(FunctionError::RouteForgotten(why.map(|why| why.message).unwrap_or_default()));
    }
    let mut part = desired::Part::default();
    for composed in compose(&plan)? {
        let key = composed.key;
        match deliver(&plan, composed) {
            Means::Composed(object) => {
                let ready = readiness(ready.get(&key) == Some(&true));
                part.resource(key.as_str(), &object, ready)
                    .map_err(|source| FunctionError::Write { what: key.as_str(), source })?;
            }
            // They are among what was found, and asking for them by name would depend on the answer.
            Means::LookedUp(_) if key == Key::GatewayClass || key == Key::Gateway && found_here.is_some() => {
            }
            Means::LeftOut => {}
            Means::LookedUp(foreign) => {
                let Foreign { api_version, kind, metadata } = *foreign;
                let requirements = requirements.get_or_insert_default();
                let name = metadata.name.unwrap_or_default();
                requirements.one(key.as_str(), api_version, kind, metadata.namespace, name);
            }
        }
    }
    Ok(Answer {
        // It may be kept for long: without the room that it was written into.
        resources: Bytes::copy_from_slice(&part.encode()),
        requirements,
        status,
        conditions: conditions.iter().map(condition).collect(),
        results: events.into_iter().map(outcome).collect(),
        is_incomplete: incomplete,
        is_settled: settled,
    })
}

/// Says it, on top of what other steps want.
fn respond(
    request: &RunFunctionRequest,
    question: &Question,
    answer: &Answer,
    mut response: RunFunctionResponse,
) -> Result<RunFunctionResponse, FunctionError> {
    let Settings { composite, ttl, .. } = &question.settings;
    let Answer { resources, requirements, status, conditions, results, is_incomplete, is_settled } = answer;
    let mut part = desired::Part::default();
    part.status(&composite.api_version, &composite.kind, status, &request.desired)
        .map_err(|source| FunctionError::Write { what: "the composite's status", source })?;
    if *is_incomplete {
        part.unready();
    }
    response.meta = Some(meta(request, *ttl, *is_settled));
    response.desired.extend([resources.clone(), part.encode()]);
    response.requirements.clone_from(requirements);
    response.conditions.clone_from(conditions);
    response.results.clone_from(results);
    Ok(response)
}

/// Where the Gateways can be seen, where one of them is to be found.
fn discovered(settings: &Settings) -> Option<Lookup> {
    match settings.routing.as_ref()?.gateway {
        GatewayChoice::Named(_) => None,
        GatewayChoice::Discovered(_) => {
            Some(deliver::gateways(&settings.transport, settings.composite.namespace.as_deref()))
        }
    }
}

/// Where the Gateways' classes can be seen, where one of them is to say what implements the Gateway. On another cluster an
/// Object looks at the one.
fn classes(settings: &Settings) -> Option<Lookup> {
    let is_told = settings.routing.as_ref()?.implementation.is_none();
    (is_told && settings.transport == Transport::Direct).then(deliver::gateway_classes)
}
