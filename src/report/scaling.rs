//! `ScalingReady`: does the number of replicas follow the load?

use crate::observe::{ConditionFacts, Facts, Live, Observed};
use crate::plan::gateway::{Hold, Traits};
use crate::plan::keys::Key;
use crate::plan::{HandoverStep, Holder, Plan, ScaledObjectPlan, ScalingPlan, Withheld};

use super::conditions::{Condition, ConditionType};
use super::reasons::{Reason, Truth};
use super::state::{is_unknown_kind, name, notes, quote, state};

const KIND: ConditionType = ConditionType::ScalingReady;

/// Whether KEDA works on the `ScaledObject`.
pub(super) fn is_ready(live: &Live) -> bool {
    word(live, "Ready").is_some_and(|ready| ready.status == "True")
}

/// The condition.
pub(super) fn condition(plan: &Plan, observed: &Observed) -> Condition {
    let workload = name(plan, plan.workload_key());
    let (reason, message) = match &plan.scaling {
        ScalingPlan::On(scaled_object) => return composed(plan, scaled_object, observed),
        ScalingPlan::Off => (
            Reason::NotRequested,
            "Autoscaler: none is needed, since scaling is off. Set spec.scaling.enabled to turn it on."
                .to_owned(),
        ),
        ScalingPlan::Withheld(Withheld::HandoverPending(step)) => {
            (Reason::HandoverPending, handing_over(plan, observed, *step, &workload))
        }
        ScalingPlan::Withheld(Withheld::NameTaken)
            if plan.taken.get(&plan.workload_key()) == Some(&Holder::Gone) =>
        {
            let object = name(plan, Key::ScaledObject);
            (Reason::Creating, format!("Autoscaler: {object} comes with {workload}: see WorkloadReady."))
        }
        ScalingPlan::Withheld(Withheld::NameTaken) => (
            Reason::NameTaken,
            format!(
                "Autoscaler: {object} is withheld, since {workload} belongs to another model: see WorkloadReady.",
                object = name(plan, Key::ScaledObject),
            ),
        ),
        ScalingPlan::Withheld(Withheld::TargetNotScalable) => (
            Reason::TargetNotScalable,
            format!(
                "Autoscaler: {object} is withheld: {workload} stands on a stub CRD without a scale subresource, where a \
                 missing count means no pods. Install the CRDs of the vLLM operator, 0.1.12 or newer.",
                object = name(plan, Key::ScaledObject),
            ),
        ),
    };
    Condition::new(KIND, reason, message)
}

/// Which step is under way, and what it waits for.
fn handing_over(plan: &Plan, observed: &Observed, step: HandoverStep, workload: &str) -> String {
    let count = plan.handover.or(observed.live(plan.workload_key()).and_then(Live::spec_replicas));
    let count = count.map_or_else(String::new, |count| format!(" of {count}"));
    let waits_for = match step {
        HandoverStep::Sharing => "a second Object, \"replicas_handover\", is to hold it",
        HandoverStep::Releasing => "the workload's own Object is to let go of it",
        HandoverStep::Leaving => "the second Object, \"replicas_handover\", is to go",
    };
    let trouble = notes(plan, observed, &[plan.workload_key(), Key::ReplicasHandover]);
    format!(
        "Autoscaler: {object} comes last, once the replica count{count} of {workload} is handed over without falling: \
         {waits_for}. If this lasts, see that provider-kubernetes runs, with server-side apply.{trouble}",
        object = name(plan, Key::ScaledObject),
    )
}

/// What is broken goes first, then what was asked for and cannot work, then what is under way.
fn composed(plan: &Plan, scaled_object: &ScaledObjectPlan, observed: &Observed) -> Condition {
    let object = name(plan, Key::ScaledObject);
    let found = match state(observed, Key::ScaledObject).live(plan, KIND, "Autoscaler", Key::ScaledObject) {
        Ok(live) => by_keda(plan, scaled_object, &object, live),
        Err(condition) => condition,
    };
    let broken = found.truth() == Truth::False && !matches!(found.reason, Reason::Creating | Reason::Pending);
    if scaled_object.zero.is_some() && !scaled_object.wakes && !broken {
        let message = format!(
            "Autoscaler: {object} may put the model to sleep, but nothing can wake it: without routing nobody holds a \
             request for a model that sleeps. Set spec.host, or spec.minReplicas to 1 or more."
        );
        return Condition::new(KIND, Reason::NoWakeUp, message);
    }
    found
}

/// What KEDA v2.20 writes on a `ScaledObject`.
fn by_keda(plan: &Plan, scaled_object: &ScaledObjectPlan, object: &str, live: &Live) -> Condition {
    let (reason, message) = match word(live, "Ready") {
        Some(ready) if ready.status == "True" => working(plan, scaled_object, object, live),
        // PartialTriggerError is Unknown; a condition that was only initialised is Unknown without a reason.
        Some(ready) if !ready.reason.is_empty() => {
            let (reason, next) = failure(ready, scaled_object);
            let text = format!(
                "Autoscaler: KEDA cannot work on {object}, {word}: {why}. {next}.",
                word = ready.reason,
                why = quote(&ready.message),
            );
            (reason, text)
        }
        Some(_) | None => (
            Reason::Pending,
            format!(
                "Autoscaler: KEDA has not said anything about {object} yet. If this lasts, see whether its operator \
                 runs."
            ),
        ),
    };
    Condition::new(KIND, reason, message)
}

fn working(plan: &Plan, scaled_object: &ScaledObjectPlan, object: &str, live: &Live) -> (Reason, String) {
    let ScaledObjectPlan { min, max, .. } = scaled_object;
    let text = format!(
        "Autoscaler: KEDA keeps {} between {min} and {max} replicas.",
        name(plan, plan.workload_key())
    );
    // With a fallback KEDA stays Ready while its triggers fail; since 2.20.2 it does so while the HPA's do.
    let blind = word(live, "Fallback")
        .filter(|fallback| fallback.status == "True")
        .or_else(|| word(live, "HPAActive").filter(|active| active.status == "False"));
    if let Some(blind) = blind {
        let text = format!(
            "Autoscaler: KEDA works on {object}, but cannot read the metric, {}: {}. {}.",
            blind.reason,
            quote(&blind.message),
            sees_prometheus(scaled_object)
        );
        return (Reason::MetricsUnavailable, text);
    }
    let limited = scaled_object
        .zero
        .zip(plan.routing.as_ref())
        .and_then(|(zero, routing)| hold_limit(zero.hold_seconds, routing.traits()?));
    match limited {
        Some(limited) => (Reason::HoldLimited, format!("{text} {limited}")),
        None => (Reason::ScalerReady, text),
    }
}

/// What a client sees where the Gateway may give up before the model is awake.
fn hold_limit(hold_seconds: u32, implementation: Traits) -> Option<String> {
    let limit = match implementation.hold {
        Hold::AsRoute => return None,
        Hold::AtMost(limit) if limit.as_seconds() >= u64::from(hold_seconds) => return None,
        Hold::AtMost(limit) => {
            format!("the gateway holds a request for {} s at most", limit.as_seconds())
        }
        Hold::Unproven => {
            format!("nobody has shown how long {} holds a request", implementation.name)
        }
    };
    Some(format!(
        "A cold start may take {hold_seconds} s, but {limit}: a client whose request wakes the model may see a gateway \
         error, and has to try again. Shorten the cold start, or set spec.minReplicas to 1."
    ))
}

/// What to look at where KEDA cannot read.
fn sees_prometheus(scaled_object: &ScaledObjectPlan) -> String {
    let credentials = scaled_object.credentials.as_ref().map_or_else(String::new, |credentials| {
        format!(", takes the credentials of {} {:?}", credentials.kind.as_str(), credentials.name)
    });
    format!(
        "See that Prometheus answers at spec.scaling.prometheusAddress{credentials} and scrapes the model"
    )
}

/// KEDA v2.20.2: `scaledobject_controller.go`, `scale_scaledobjects.go`, `message.go`. A target that is not there yet
/// and one without a scale subresource differ only in what the API server answered.
fn failure(ready: &ConditionFacts, scaled_object: &ScaledObjectPlan) -> (Reason, String) {
    let is_about_target = ready.message.contains("doesn't have correct scaleTargetRef specification")
        || ready.reason == "ErrorGettingCurrentReplicas";
    match ready.reason.as_str() {
        "TriggerError" | "PartialTriggerError" => (Reason::TriggerFailed, sees_prometheus(scaled_object)),
        _ if is_about_target && is_unknown_kind(&ready.message) => {
            (Reason::TargetNotScalable, "Install the CRDs of the vLLM operator, 0.1.12 or newer".to_owned())
        }
        _ if is_about_target && ready.message.ends_with("not found") => {
            (Reason::Pending, "It tries again once the model servers are there".to_owned())
        }
        _ => (Reason::ScalerFailed, "See the events of the ScaledObject".to_owned()),
    }
}

fn word<'a>(live: &'a Live, kind: &str) -> Option<&'a ConditionFacts> {
    let Facts::ScaledObject(facts) = &live.facts else { return None };
    facts.conditions.iter().find(|condition| condition.kind == kind)
}
