//! `WorkloadReady`: can the model serve?

use crate::observe::{Facts, Live, Observed, VllmRuntimeFacts};
use crate::plan::keys::Key;
use crate::plan::{Plan, ScalingPlan};

use super::cold_start;
use super::conditions::{Condition, ConditionType};
use super::reasons::Reason;
use super::rollout;
use super::state::{name, notes, quote, state};

const KIND: ConditionType = ConditionType::WorkloadReady;

/// What the model servers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serving {
    /// At least one replica is available.
    Yes,
    /// The autoscaler wants none.
    Asleep,
    /// Replicas are wanted and none is available.
    No,
    /// None is wanted, for good.
    Stopped,
}

/// What the model servers do, by their live object.
pub(super) fn serving(plan: &Plan, live: &Live) -> Serving {
    let is_available = match &live.facts {
        Facts::VllmRuntime(facts) => is_available(facts),
        Facts::Deployment(facts) => facts.available_replicas.is_some_and(|count| count > 0),
        Facts::Exists
        | Facts::Replicas(_)
        | Facts::Parents(_)
        | Facts::ScaledObject(_)
        | Facts::AiGatewayRoute(_)
        | Facts::Gateway(_)
        | Facts::GatewayClass(_) => {
            return Serving::No;
        }
    };
    if is_stopped(plan) {
        Serving::Stopped
    } else if is_available {
        Serving::Yes
    } else if live.spec_replicas() == Some(0) && may_sleep(plan) {
        Serving::Asleep
    } else {
        Serving::No
    }
}

/// The condition.
pub(super) fn condition(plan: &Plan, observed: &Observed) -> Condition {
    let key = plan.workload_key();
    let object = name(plan, key);
    if is_stopped(plan) {
        let message = match plan.scaling {
            ScalingPlan::Withheld(_) => format!(
                "Model servers: {object} is stopped, and the autoscaler that could start it is withheld: see ScalingReady."
            ),
            ScalingPlan::Off | ScalingPlan::On(_) => format!(
                "Model servers: {object} is stopped, since spec.minReplicas is 0 and scaling is off. Raise \
                 spec.minReplicas, or set spec.scaling.enabled."
            ),
        };
        return Condition::new(KIND, Reason::Stopped, message);
    }
    let live = match state(observed, key).live(plan, KIND, "Model servers", key) {
        Ok(live) => live,
        Err(condition) => return condition,
    };
    let (reason, message) = match serving(plan, live) {
        Serving::Yes => {
            let available = available(live).map_or_else(String::new, |count| format!("{count} of "));
            let wanted = replicas(plan, live);
            (Reason::Available, format!("{object} serves with {available}{wanted}."))
        }
        Serving::Asleep => (
            Reason::ScaledToZero,
            format!("{object} sleeps, since there were no requests. {}", wake_up(plan)),
        ),
        Serving::No | Serving::Stopped => starting(plan, observed, live, &object),
    };
    let beside = [
        Key::ModelService,
        Key::ModelMetricsService,
        Key::ServiceMonitor,
        Key::PodMonitor,
        Key::PrometheusRule,
        Key::ModelPodDisruptionBudget,
        Key::ModelNetworkPolicy,
        Key::Ingress,
    ];
    Condition::new(KIND, reason, format!("Model servers: {message}{}", notes(plan, observed, &beside)))
}

/// `Updating`, as an unfinished rollout, covers a first start and a crash loop alike, so what was true before tells them
/// apart.
fn starting(plan: &Plan, observed: &Observed, live: &Live, object: &str) -> (Reason, String) {
    let wanted = replicas(plan, live);
    let labels = plan.model_server_pods().into_iter().map(|(label, value)| format!("{label}={value}"));
    let look = format!(
        "its pods: kubectl -n {namespace} describe pods -l {labels}.",
        namespace = plan.namespace,
        labels = labels.collect::<Vec<_>>().join(","),
    );
    let none = |more: &str| {
        let why = visible_reason(live).map_or_else(String::new, |why| format!(": {}", quote(&why)));
        (Reason::NotServing, format!("{object} has none of {wanted} available{more}{why}. Look at {look}"))
    };
    if gave_up(live) || served_before(observed) {
        return none("");
    }
    if cold_start::is_over(plan, observed, live) {
        return none(&format!(", and the {} of spec.scaling.coldStart are over", plan.workload.cold_start));
    }
    let (reason, what) = match (slept_before(observed), wakes(plan)) {
        (false, _) => (Reason::Starting, format!("{object} starts {wanted}.")),
        (true, true) => (Reason::Waking, format!("{object} wakes with {wanted}, and requests wait for it.")),
        (true, false) => (Reason::Waking, format!("{object} wakes with {wanted}.")),
    };
    (reason, format!("{what} If this takes longer than spec.scaling.coldStart, look at {look}"))
}

/// Whether requests wait for a model that wakes, as they do for one that sleeps.
pub(super) fn is_waited_for(plan: &Plan, observed: &Observed, live: &Live) -> bool {
    serving(plan, live) == Serving::No
        && wakes(plan)
        && slept_before(observed)
        && !gave_up(live)
        && !cold_start::is_over(plan, observed, live)
}

/// Whether its controller expects nothing of the present pods any more.
fn gave_up(live: &Live) -> bool {
    word(live) == Some("NotReady") || rollout::gave_up(live).is_some()
}

/// What its controller says while none is available.
fn visible_reason(live: &Live) -> Option<String> {
    let rollout = rollout::gave_up(live).map(|why| format!("{}, {}", why.reason, why.message));
    rollout.or_else(|| word(live).map(|word| format!("its operator says that modelStatus is {word}")))
}

/// The operator's word for the model.
fn word(live: &Live) -> Option<&str> {
    let Facts::VllmRuntime(facts) = &live.facts else { return None };
    facts.model_status.as_deref()
}

/// How many serve, where it is said. A Deployment, and an operator that counts, omit a count of zero.
pub(super) fn available(live: &Live) -> Option<u32> {
    match &live.facts {
        Facts::VllmRuntime(facts) => facts.available_replicas.or(facts.counts.then_some(0)),
        Facts::Deployment(facts) => {
            facts.available_replicas.or(facts.observed_generation.is_some().then_some(0))
        }
        Facts::Exists
        | Facts::Replicas(_)
        | Facts::Parents(_)
        | Facts::ScaledObject(_)
        | Facts::AiGatewayRoute(_)
        | Facts::Gateway(_)
        | Facts::GatewayClass(_) => None,
    }
}

fn replicas(plan: &Plan, live: &Live) -> String {
    match live.spec_replicas().or(plan.workload.replicas).unwrap_or(1) {
        1 => "1 wanted replica".to_owned(),
        count => format!("{count} wanted replicas"),
    }
}

/// Whether a request for the sleeping model is held until it is up.
pub(super) fn wakes(plan: &Plan) -> bool {
    matches!(&plan.scaling, ScalingPlan::On(scaled_object) if scaled_object.wakes)
}

fn wake_up(plan: &Plan) -> &'static str {
    if wakes(plan) { "The next request wakes it." } else { "Nothing can wake it: see ScalingReady." }
}

fn may_sleep(plan: &Plan) -> bool {
    matches!(&plan.scaling, ScalingPlan::On(scaled_object) if scaled_object.zero.is_some())
}

fn is_stopped(plan: &Plan) -> bool {
    plan.workload.replicas == Some(0)
}

/// The count decides. Operators before 0.1.11 write none, and their word stands in; others omit a count of zero, and
/// their word is `Ready` for a model that sleeps.
fn is_available(facts: &VllmRuntimeFacts) -> bool {
    match facts.available_replicas {
        Some(count) => count > 0,
        None => {
            !facts.counts && facts.spec_replicas != Some(0) && facts.model_status.as_deref() == Some("Ready")
        }
    }
}

fn served_before(observed: &Observed) -> bool {
    was(observed, [Reason::Available, Reason::NotServing])
}

fn slept_before(observed: &Observed) -> bool {
    was(observed, [Reason::ScaledToZero, Reason::Waking])
}

fn was(observed: &Observed, reasons: [Reason; 2]) -> bool {
    let before = observed.conditions.get(KIND.as_str());
    before.is_some_and(|before| reasons.iter().any(|reason| reason.as_str() == before.reason))
}
