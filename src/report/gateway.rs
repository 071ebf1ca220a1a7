//! `GatewayReady`: do requests for the host reach the pool?

use crate::api::settings::{Criticality, Delivery, FailureMode, GatewayRef, RouteBy, Transport};
use crate::observe::{Acceptance, ConditionFacts, Facts, Live, Observed, is_missing};
use crate::plan::gateway::{Former, Undecided, Untold};
use crate::plan::keys::Key;
use crate::plan::names::GATEWAYS_LABEL;
use crate::plan::{Plan, RoutingPlan};

use super::conditions::{Condition, ConditionType, first};
use super::readiness;
use super::reasons::Reason;
use super::state::{State, looked_up, name, notes, quote, state};

const KIND: ConditionType = ConditionType::GatewayReady;

/// Whether the live route serves the host that is asked for, by the word of the chosen Gateway.
pub(super) fn route_is_ready(routing: &RoutingPlan, live: &Live) -> bool {
    serves_hosts(routing, live) && is_accepted(routing, live)
}

/// Whether the chosen Gateway has accepted the pool.
pub(super) fn pool_is_ready(routing: &RoutingPlan, live: &Live) -> bool {
    is_accepted(routing, live)
}

fn is_accepted(routing: &RoutingPlan, live: &Live) -> bool {
    routing.gateway.as_ref().is_ok_and(|gateway| live.acceptance(gateway) == Acceptance::Accepted)
}

/// Whether the policy that makes priorities act does so.
pub(super) fn policy_is_ready(routing: &RoutingPlan, live: &Live) -> bool {
    routing.gateway.as_ref().is_ok_and(|gateway| live.policy_acceptance(gateway) == Acceptance::Accepted)
}

/// The condition.
pub(super) fn condition(plan: &Plan, observed: &Observed) -> Condition {
    let Some(routing) = &plan.routing else {
        let message = "Routing: no Gateway is needed, since routing is off. Set spec.host to turn it on, unless \
             spec.gateway.enabled is false.";
        return Condition::new(KIND, Reason::NotRequested, message);
    };
    let mut condition = decide(plan, routing, observed).unwrap_or_else(|condition| condition);
    if let Some(Former { gateway: GatewayRef { name, namespace, .. }, .. }) = &routing.former {
        let still = format!(
            " Until the route is accepted, requests come in by Gateway {namespace}/{name} as before."
        );
        condition.message.push_str(&still);
    }
    condition
}

/// Everything in a request's way, in that order. `Err` is only the shorter way out.
fn decide(plan: &Plan, routing: &RoutingPlan, observed: &Observed) -> Result<Condition, Condition> {
    let chosen = routing.gateway.as_ref().map_err(|undecided| not_found(plan, undecided))?;
    let gateway = name(plan, Key::Gateway);
    if let Err(untold) = &routing.implementation {
        looked_at(plan, observed, &gateway)?;
        return Err(unknown(plan, observed, &gateway, untold));
    }
    let route_key = routing.route_key();
    let pool = stage(plan, routing, chosen, observed, Key::InferencePool, Reason::InferencePoolFailed);
    let mut route = stage(plan, routing, chosen, observed, route_key, Reason::HttpRouteFailed);
    if routing.has_own_route()
        && let Err(condition) = made_by_own_controller(plan, observed)
    {
        route = Err(condition);
    }
    let mut route_found = stands(plan, &gateway, route_key, &route).err();
    let mut pool_found = stands(plan, &gateway, Key::InferencePool, &pool).err();
    // What a route refers to may be what is wrong with it, as a Gateway refuses a pool for its route's sake (GIE v1.3.1,
    // `HTTPRouteNotAccepted`).
    if is_refused(&route, |why| why.kind == "ResolvedRefs")
        && !is_refused(&pool, |why| why.reason == "HTTPRouteNotAccepted")
    {
        std::mem::swap(&mut route_found, &mut pool_found);
    }

    let mut found = vec![looked_at(plan, observed, &gateway).err(), route_found, pool_found];
    for companion in routing.companions().into_iter().filter(|key| !readiness::is_optional(*key)) {
        found.push(state(observed, companion).live(plan, KIND, "Routing", companion).err());
    }
    if routing.companions().contains(&Key::GatewayExtensionPolicy) {
        found.push(acts(plan, chosen, observed).err());
    }
    if let Some(first) = first(found.into_iter().flatten().collect()) {
        return Err(first);
    }

    let accepted = format!(
        "Routing: {gateway} sends requests for {what} to {pool}.",
        what = requests(plan, routing),
        pool = name(plan, Key::InferencePool),
    );
    let (reason, more) = match priority(plan, routing) {
        Some(more) => (Reason::PriorityNotEnforced, more),
        None => (Reason::Accepted, String::new()),
    };
    let more = more
        + &failure_mode(routing).unwrap_or_default()
        + &notes(plan, observed, &routing.companions())
        + &programmed(observed).unwrap_or_default();
    Ok(Condition::new(KIND, reason, accepted + &more))
}

/// Why no Gateway was found.
fn not_found(plan: &Plan, undecided: &Undecided) -> Condition {
    let (seen, cure) = match &plan.transport {
        Transport::Objects(Delivery { provider_config_name, .. }) => (
            format!("among the Objects with the label {GATEWAYS_LABEL}={provider_config_name}"),
            "Install one on the target cluster, see that an ObservedObjectCollection shows it with that label",
        ),
        Transport::Direct => ("on this cluster".to_owned(), "Install one"),
    };
    let (reason, message) = match undecided {
        Undecided::NotLooked => (
            Reason::Creating,
            "Routing: the Gateway is being looked for. If this lasts, see that Crossplane is 2.0 or newer, which looks up \
             what a function asks for."
                .to_owned(),
        ),
        Undecided::Nothing => (
            Reason::NoGateway,
            format!(
                "Routing: there is no Gateway {seen}. {cure}, or have the platform's Input name one in gateway.ref."
            ),
        ),
        Undecided::Several(names) => (
            Reason::MultipleGateways,
            format!(
                "Routing: there are several Gateways {seen}: {names}. Give the one to take, and no other, the labels of \
                 gateway.discoveryLabel, or name it in the platform's Input or in spec.gateway.ref.",
                names = names.join(", "),
            ),
        ),
    };
    Condition::new(KIND, reason, message)
}

/// Why it is not known what implements the Gateway, which can be looked at.
fn unknown(plan: &Plan, observed: &Observed, gateway: &str, untold: &Untold) -> Condition {
    let class = name(plan, Key::GatewayClass);
    let cure = "have the platform's Input name in gateway.implementation what implements it";
    let (reason, message) = match untold {
        Untold::Unseen if plan.gateway_class().is_none() => {
            (Reason::UnknownGatewayClass, format!("Routing: {gateway} names no class; {cure}."))
        }
        Untold::Unseen => {
            return match state(observed, Key::GatewayClass).live(plan, KIND, "Routing", Key::GatewayClass) {
                Err(condition) if condition.reason != Reason::Creating => condition,
                Err(_) | Ok(_) => looked_up(plan, KIND, "Routing", &class),
            };
        }
        Untold::NoClass => (
            Reason::UnknownGatewayClass,
            format!(
                "Routing: there is no {class}, which {gateway} names, so nobody knows what its route may hold. Install what \
                 implements it, or {cure}."
            ),
        ),
        Untold::Controller(controller) => (
            Reason::UnknownGatewayClass,
            format!(
                "Routing: {class}, of {gateway}, names the controller {controller}, which no known implementation has, so \
                 nobody knows what its route may hold; {cure}."
            ),
        ),
    };
    Condition::new(KIND, reason, message)
}

/// Whether the Gateway is there and can be looked at.
fn looked_at(plan: &Plan, observed: &Observed, gateway: &str) -> Result<(), Condition> {
    let found = state(observed, Key::Gateway);
    if let Some(why) = found.missing() {
        let message = format!(
            "Routing: there is no {gateway} on the target cluster{why}. Install it, or have the platform's Input, or \
             spec.gateway.ref, name the one that is there."
        );
        return Err(Condition::new(KIND, Reason::NoGateway, message));
    }
    match found.live(plan, KIND, "Routing", Key::Gateway) {
        Ok(_) => Ok(()),
        Err(condition) if condition.reason == Reason::Creating => {
            Err(looked_up(plan, KIND, "Routing", gateway))
        }
        Err(condition) => Err(condition),
    }
}

/// Whether nothing is to be said against a route or pool.
fn stands(plan: &Plan, gateway: &str, key: Key, stage: &Result<Stage, Condition>) -> Result<(), Condition> {
    let object = name(plan, key);
    let (reason, message) = match stage {
        Ok(Stage::Accepted) => return Ok(()),
        Err(condition) => return Err(condition.clone()),
        Ok(Stage::Refused(reason, why)) => (
            *reason,
            format!(
                "Routing: {gateway} refuses {object}: {kind} is False, {word}: {text}.",
                kind = why.kind,
                word = why.reason,
                text = quote(&why.message),
            ),
        ),
        Ok(Stage::Early(missing)) => {
            (Reason::Pending, format!("Routing: {object} leads to {missing}, which is not there yet."))
        }
        Ok(Stage::Waiting) => (
            Reason::Pending,
            format!(
                "Routing: {gateway} has not said anything about {object} as it is wanted. If this lasts, see whether its \
                 controller runs and is set up for InferencePools."
            ),
        ),
    };
    Err(Condition::new(KIND, reason, message))
}

fn is_refused(stage: &Result<Stage, Condition>, by: impl Fn(&ConditionFacts) -> bool) -> bool {
    matches!(stage, Ok(Stage::Refused(_, why)) if by(why))
}

/// Whether the policy that makes priorities act is accepted. Where it is refused, Envoy Gateway answers every request of
/// the route with 500 (envoyproxy/gateway v1.7.0 and v1.9.0, `internal/gatewayapi/envoyextensionpolicy.go`).
fn acts(plan: &Plan, gateway: &GatewayRef, observed: &Observed) -> Result<(), Condition> {
    let policy = name(plan, Key::GatewayExtensionPolicy);
    let live = state(observed, Key::GatewayExtensionPolicy).live(
        plan,
        KIND,
        "Routing",
        Key::GatewayExtensionPolicy,
    )?;
    let (reason, message) = match live.policy_acceptance(gateway) {
        Acceptance::Accepted => return Ok(()),
        Acceptance::Refused(why) => (
            Reason::ExtensionPolicyFailed,
            format!(
                "Routing: Envoy Gateway refuses {policy}, and answers requests with 500 for it: {word}: {text}. Permit Lua \
                 in its configuration (extensionApis.enableLua), or have the platform's Input set gateway.priorityHook to \
                 None.",
                word = why.reason,
                text = quote(&why.message),
            ),
        ),
        Acceptance::Waiting => (
            Reason::Pending,
            format!("Routing: Envoy Gateway has not said anything about {policy} as it is wanted."),
        ),
    };
    Err(Condition::new(KIND, reason, message))
}

/// Which requests lead to the model.
fn requests(plan: &Plan, routing: &RoutingPlan) -> String {
    let name = plan.workload.model.requested_name();
    match &routing.by {
        RouteBy::Host(host) => host.to_string(),
        RouteBy::ModelName(None) => format!("model {name:?}"),
        RouteBy::ModelName(Some(host)) => format!("model {name:?} at {host}"),
    }
}

/// What the controller of Envoy AI Gateway's own route says of it.
#[derive(Debug, PartialEq)]
pub(super) enum OwnRoute {
    /// Nothing.
    Waiting,
    /// It has made an `HTTPRoute` of it.
    Made,
    /// It could not.
    Refused(ConditionFacts),
}

/// It keeps one condition, whose type is the answer (envoyproxy/ai-gateway v1.0.0, `api/v1beta1/status.go`).
pub(super) fn own_route(live: &Live) -> OwnRoute {
    let Facts::AiGatewayRoute(conditions) = &live.facts else { return OwnRoute::Waiting };
    let said = |kind: &str| conditions.iter().find(|condition| condition.kind == kind);
    match (said("NotAccepted"), said("Accepted")) {
        (Some(why), _) => OwnRoute::Refused(why.clone()),
        (None, Some(word)) if word.status == "True" => OwnRoute::Made,
        (None, _) => OwnRoute::Waiting,
    }
}

/// Whether Envoy AI Gateway has made the route of which the Gateway speaks.
///
/// Its word does not tell of which generation it is, so what is left after a change is the route that was made, and what
/// the Gateway says of that.
fn made_by_own_controller(plan: &Plan, observed: &Observed) -> Result<(), Condition> {
    let own = name(plan, Key::AiGatewayRoute);
    let live = state(observed, Key::AiGatewayRoute)
        .live(plan, KIND, "Routing", Key::AiGatewayRoute)
        .map_err(|condition| failed_as(Reason::HttpRouteFailed, condition))?;
    let made = match state(observed, Key::AiGatewayHttpRoute) {
        State::Missing => false,
        State::NotSynced(why) => !is_missing(why),
        State::Absent | State::Unreadable(_) | State::Live(_) => true,
    };
    match own_route(live) {
        OwnRoute::Refused(why) => {
            let message = format!(
                "Routing: Envoy AI Gateway cannot make a route of {own}: {}, {}.",
                why.reason,
                quote(&why.message),
            );
            Err(Condition::new(KIND, Reason::HttpRouteFailed, message))
        }
        OwnRoute::Made if made => Ok(()),
        OwnRoute::Made | OwnRoute::Waiting => {
            let message = format!(
                "Routing: Envoy AI Gateway has not made a route of {own}. If this lasts, see whether its controller runs."
            );
            Err(Condition::new(KIND, Reason::Pending, message))
        }
    }
}

/// What the provider cannot write has a reason of its own here.
fn failed_as(reason: Reason, mut condition: Condition) -> Condition {
    if condition.reason == Reason::ObjectNotSynced {
        condition.reason = reason;
    }
    condition
}

/// Why `spec.criticality` has no effect, where it has none.
fn priority(plan: &Plan, routing: &RoutingPlan) -> Option<String> {
    if routing.priority.is_none() && plan.workload.model.criticality != Criticality::Standard {
        return Some(format!(
            " It cannot make them name {objective}, so spec.criticality has no effect; a client may send the header \
             itself. Set spec.criticality to standard, {other}.",
            objective = name(plan, routing.picker.family().traits().objective),
            other = if routing.could_act() {
                "or have the platform's Input permit a script by gateway.priorityHook"
            } else {
                "or use a gateway implementation with such a hook"
            },
        ));
    }
    routing.picker.own().is_some_and(|picker| !picker.sheds).then(|| {
        " The endpoint picker lets its negative priority wait like any other: requests may wait in it, and this release of \
         it cannot bound them for one priority, so spec.criticality sheddable has no effect. Have the platform's Input ask \
         for a release of endpointPicker that can."
            .to_owned()
    })
}

/// What happens to requests when no picker answers, where that is not what the platform asked for.
fn failure_mode(routing: &RoutingPlan) -> Option<String> {
    let (asked, instead) = match routing.picker.failure_mode() {
        FailureMode::FailOpen => ("FailOpen", "fail"),
        FailureMode::FailClose => ("FailClose", "go to any replica"),
    };
    routing.ignores_failure_mode().then(|| {
        format!(
            " When no endpoint picker answers, requests {instead}, although the platform's Input asks for {asked}: \
             {implementation} knows no other way.",
            implementation = routing.traits().map_or("its implementation", |traits| traits.name),
        )
    })
}

/// How far route or pool have come.
#[derive(Debug, PartialEq)]
enum Stage {
    Waiting,
    /// It is refused for something that is on its way.
    Early(String),
    Accepted,
    Refused(Reason, ConditionFacts),
}

fn stage(
    plan: &Plan,
    routing: &RoutingPlan,
    gateway: &GatewayRef,
    observed: &Observed,
    key: Key,
    failed: Reason,
) -> Result<Stage, Condition> {
    let live = state(observed, key)
        .live(plan, KIND, "Routing", key)
        .map_err(|condition| failed_as(failed, condition))?;
    if key == routing.route_key() && !serves_hosts(routing, live) {
        return Ok(Stage::Waiting);
    }
    let why = match (live.acceptance(gateway), live.placeholder_complaint()) {
        (Acceptance::Accepted, _) => return Ok(Stage::Accepted),
        (Acceptance::Waiting, None) => return Ok(Stage::Waiting),
        (Acceptance::Waiting, Some(why)) => why.clone(),
        (Acceptance::Refused(why), _) => why,
    };
    Ok(match awaited(plan, observed, key, &why) {
        Some(missing) => Stage::Early(missing),
        None => Stage::Refused(failed, why),
    })
}

/// What a route or pool is refused for, where that is on its way: the pool, the picker's Service or the model servers'.
///
/// `BackendNotFound` is Gateway API's word for a route, `InvalidExtensionRef` the inference extension's for a pool. The
/// operator makes its Service before it says anything about the runtime (vllm-project/production-stack operator 0.1.12,
/// `operator/internal/controller/vllmruntime_controller.go`).
fn awaited(plan: &Plan, observed: &Observed, key: Key, why: &ConditionFacts) -> Option<String> {
    let is_awaited = |key| plan.has(key) && matches!(state(observed, key), State::Absent | State::Missing);
    if why.kind != "ResolvedRefs" {
        return None;
    }
    if key == Key::InferencePool {
        let is_early = why.reason == "InvalidExtensionRef" && is_awaited(Key::EppService);
        return is_early.then(|| name(plan, Key::EppService));
    }
    if why.reason != "BackendNotFound" {
        return None;
    }
    if is_awaited(Key::InferencePool) {
        return Some(name(plan, Key::InferencePool));
    }
    let is_served = match observed.live(plan.workload_key()).map(|live| &live.facts) {
        Some(Facts::VllmRuntime(facts)) => facts.counts || facts.model_status.is_some(),
        _ => observed.live(Key::ModelService).is_some(),
    };
    (!is_served).then(|| format!("the Service of {}", name(plan, plan.workload_key())))
}

/// A route that still serves the former host answers nobody who asks for the present one.
fn serves_hosts(routing: &RoutingPlan, live: &Live) -> bool {
    let wanted = routing.by.host().map(ToString::to_string);
    live.hostnames.iter().eq(&wanted)
}

/// What the Gateway says of its own data plane, where that is not good.
///
/// Not a condition of ours: without a load balancer it stays False (`AddressNotAssigned`) while requests from inside
/// the cluster are answered.
fn programmed(observed: &Observed) -> Option<String> {
    let Facts::Gateway(facts) = &observed.live(Key::Gateway)?.facts else { return None };
    let condition = facts
        .conditions
        .iter()
        .find(|condition| condition.kind == "Programmed" && condition.status == "False")?;
    Some(format!(
        " The Gateway itself says that Programmed is False, {}: {}.",
        condition.reason,
        quote(&condition.message)
    ))
}
