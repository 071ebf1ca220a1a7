//! `EndpointPickerReady`: can the Gateway ask where to send a request?

use crate::observe::{ConditionFacts, Facts, Live, Observed};
use crate::plan::Plan;
use crate::plan::endpoint_picker::{ExistingPlan, PickerPlan};
use crate::plan::keys::Key;

use super::conditions::{Condition, ConditionType};
use super::missing;
use super::reasons::Reason;
use super::rollout::gave_up;
use super::state::{State, is_unknown_kind, looked_up, name, notes, quote, state};

const KIND: ConditionType = ConditionType::EndpointPickerReady;

/// What the picker's Deployment cannot do without, in the order in which it needs them.
const PARTS: [Key; 9] = [
    Key::EppServiceAccount,
    Key::EppConfigMap,
    Key::EppRolePodReader,
    Key::EppRolePoolReader,
    Key::EppRoleBindingPodReader,
    Key::EppRoleBindingPoolReader,
    Key::EppRoleLeaderElection,
    Key::EppRoleBindingLeaderElection,
    Key::EppService,
];

/// What it answers without.
const OPTIONAL: [Key; 10] = [
    Key::InferenceObjective,
    Key::InferenceObjectiveLlmD,
    Key::EppClusterRoleBindingAuthDelegator,
    Key::EppMetricsServiceAccount,
    Key::EppMetricsToken,
    Key::EppMetricsClusterRole,
    Key::EppMetricsClusterRoleBinding,
    Key::EppServiceMonitor,
    Key::EppPodMonitor,
    Key::EppNetworkPolicy,
];

/// Whether a replica of the current generation is available. The Deployment's own word on that is `Available`, but of
/// several, of which only the leader is ever ready, it is True before one is: by their strategy none has to be.
pub(super) fn is_available(live: &Live) -> bool {
    let Facts::Deployment(facts) = &live.facts else { return false };
    facts.are_of(live.generation)
        && facts.available_replicas.is_some_and(|count| count > 0)
        && facts.updated_replicas.is_some_and(|count| count > 0)
}

/// The condition.
pub(super) fn condition(plan: &Plan, observed: &Observed) -> Condition {
    let Some(routing) = &plan.routing else {
        let message = "Endpoint picker: none is needed, since routing is off. Set spec.host to turn it on, unless \
             spec.gateway.enabled is false.";
        return Condition::new(KIND, Reason::NotRequested, message);
    };
    let objective = routing.picker.family().traits().objective;
    if let Some(condition) = unknown(plan, observed, objective) {
        return condition;
    }
    let picker = match &routing.picker {
        PickerPlan::Own(picker) => picker,
        PickerPlan::Existing(existing) => return not_managed(plan, observed, existing),
    };
    let object = name(plan, Key::EppDeployment);
    let look = format!(
        "it: kubectl -n {namespace} describe deployment {name}.",
        namespace = plan.namespace,
        name = plan.name.picker(),
    );
    let all_can_be_ready = !picker.elects_leader();
    let deployment = state(observed, Key::EppDeployment);
    if let State::Live(live) = deployment
        && is_available(live)
    {
        let notes = [
            notes(plan, observed, &PARTS),
            notes(plan, observed, &OPTIONAL),
            shown_token(plan, observed).unwrap_or_default(),
            gave_up(live).filter(|_| all_can_be_ready).map(|why| outlived(why, &look)).unwrap_or_default(),
        ]
        .concat();
        return Condition::new(
            KIND,
            Reason::Available,
            format!("Endpoint picker: {object} answers the Gateway.{notes}"),
        );
    }
    if let Some(condition) = unknown(plan, observed, Key::InferencePool) {
        return condition;
    }
    // Without one of these the Deployment cannot come up, so they are the cause and it is not.
    for part in PARTS {
        if let broken @ State::NotSynced(_) = state(observed, part)
            && let Err(condition) = broken.live(plan, KIND, "Endpoint picker", part)
        {
            return condition;
        }
    }
    let live = match deployment.live(plan, KIND, "Endpoint picker", Key::EppDeployment) {
        Ok(live) => live,
        Err(condition) => return condition,
    };
    let served_before = served_before(observed);
    // Where one of several leads, the Deployment controller always gives up on the others in the end.
    if let Some(gave_up) = gave_up(live).filter(|_| all_can_be_ready || !served_before) {
        let message = format!(
            "Endpoint picker: {object} does not come up: {word}, {why}. Look at {look}",
            word = gave_up.reason,
            why = quote(&gave_up.message)
        );
        return Condition::new(KIND, Reason::NotServing, message);
    }
    if served_before {
        let message = format!("Endpoint picker: {object} has no available replica. Look at {look}");
        return Condition::new(KIND, Reason::NotServing, message);
    }
    let message =
        format!("Endpoint picker: {object} starts. If this takes longer than a minute, look at {look}");
    Condition::new(KIND, Reason::Starting, message)
}

/// The former replica answers for as long as the next one does not.
fn outlived(gave_up: &ConditionFacts, look: &str) -> String {
    format!(
        " What was changed last does not come up, and the former replica answers: {reason}, {message}. Look at {look}",
        reason = gave_up.reason,
        message = quote(&gave_up.message),
    )
}

/// Where the cluster does not know a kind that the picker watches. Without pools it does not start; without objectives it
/// does, but no request has a priority (v1.3.1, `pkg/epp/server/runserver.go`).
fn unknown(plan: &Plan, observed: &Observed, key: Key) -> Option<Condition> {
    let State::NotSynced(why) = state(observed, key) else { return None };
    is_unknown_kind(why).then(|| missing::condition(plan, KIND, "Endpoint picker", key, why)).flatten()
}

/// A picker that is already there: its Service is looked at, and who answers behind it is not ours to know.
fn not_managed(plan: &Plan, observed: &Observed, existing: &ExistingPlan) -> Condition {
    const LAYER: &str = "Endpoint picker";
    let service = name(plan, Key::EppExistingService);
    let found = state(observed, Key::EppExistingService);
    if let Some(why) = found.missing() {
        let message = format!(
            "{LAYER}: there is no {service} on the target cluster{why}. Install the picker in that namespace, set up for \
             {pool}, or have the platform's Input name the one that is there, or leave endpointPicker.existing out, so \
             that the model gets a picker of its own.",
            pool = name(plan, Key::InferencePool),
        );
        return Condition::new(KIND, Reason::NoEndpointPicker, message);
    }
    match found.live(plan, KIND, LAYER, Key::EppExistingService) {
        Ok(_) => Condition::new(
            KIND,
            Reason::NotManaged,
            format!(
                "{LAYER}: the Gateway asks {service} at port {port}, which is somebody else's; whether it answers is not \
                 known here.{notes}",
                port = existing.port,
                notes = notes(plan, observed, &[Key::InferenceObjective, Key::InferenceObjectiveLlmD]),
            ),
        ),
        Err(condition) if condition.reason == Reason::Creating => looked_up(plan, KIND, LAYER, &service),
        Err(condition) => condition,
    }
}

/// The provider copies what it observes into the Object's status, where it reaches people who may not read Secrets.
fn shown_token(plan: &Plan, observed: &Observed) -> Option<String> {
    let key = Key::EppMetricsToken;
    let shown = plan.has(key) && observed.live(key).is_some_and(|live| live.shows_token);
    shown.then(|| {
        format!(
            " The token that reads its metrics can be seen in the status of the Object that wraps {}: run \
             provider-kubernetes with --sanitize-secrets.",
            name(plan, key)
        )
    })
}

fn served_before(observed: &Observed) -> bool {
    observed.conditions.get(KIND.as_str()).is_some_and(|before| {
        [Reason::Available, Reason::NotServing].iter().any(|reason| reason.as_str() == before.reason)
    })
}
