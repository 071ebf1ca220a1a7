//! Everything about the way from the Gateway to the pool of one stack.

use crate::api::settings::{FailureMode, GatewayRef, Picker, PriorityHook, RouteBy, Routing, Settings};
use crate::api::{Duration, Problem};

use crate::observe::Observed;

use super::checks;
use super::cold_start::ColdStart;
use super::endpoint_picker::{self, Family, PickerPlan, Wanted};
use super::keys::Key;

use self::rules::TooManyAdapters;

mod class;
mod discovery;
mod former;
mod former_picker;
mod implementation;
mod priority;
mod rules;

pub use class::Untold;
pub use discovery::Undecided;
pub use former::Former;
pub use implementation::{ByModel, Failure, Hold, Implementation, Proxies, Traits};
pub use priority::{Hook, PriorityPlan};
pub(crate) use rules::MODEL_HEADER;
pub use rules::{Destination, HeaderValue, RequestMatch, RulePlan};

/// Routing.
#[derive(Debug, Clone, PartialEq)]
pub struct RoutingPlan {
    /// What leads to the model.
    pub by: RouteBy,
    /// The Gateway, or why there is none yet.
    pub gateway: Result<GatewayRef, Undecided>,
    /// The Gateway that serves a live model until that one does.
    pub former: Option<Former>,
    /// What implements it, or why that is not known yet.
    pub implementation: Result<Implementation, Untold>,
    /// The class of the Gateway, where that says what implements it.
    pub class: Option<String>,
    /// The longest that a request may take, hold time included.
    pub request_timeout: Duration,
    /// What leads where.
    pub rules: Vec<RulePlan>,
    /// How requests come to carry the model's priority; `None` where they cannot.
    pub priority: Option<PriorityPlan>,
    /// The picker.
    pub picker: PickerPlan,
    /// What the picker behaves like that serves a live model until that one does, where it reads another objective.
    pub former_picker: Option<Family>,
}

impl RoutingPlan {
    /// What the pickers behave like that answer: the one that is wanted first.
    fn answering(&self) -> impl Iterator<Item = Family> {
        [self.picker.family()].into_iter().chain(self.former_picker)
    }

    /// The picker that reads the objective of that key, if one answers.
    pub fn reader_of(&self, objective: Key) -> Option<Family> {
        self.answering().find(|family| family.traits().objective == objective)
    }

    /// The groups in which pickers that answer look for objectives and rewrites.
    pub fn objective_groups(&self) -> Vec<&'static str> {
        let mut groups = Vec::new();
        for group in self.answering().flat_map(|family| family.traits().objective_groups) {
            if !groups.contains(group) {
                groups.push(*group);
            }
        }
        groups
    }

    /// What the implementation can do, and what it needs, once it is known.
    pub fn traits(&self) -> Option<Traits> {
        self.implementation.as_ref().ok().map(|implementation| implementation.traits())
    }

    /// Whether the route can be written.
    pub const fn is_decided(&self) -> bool {
        self.gateway.is_ok() && self.implementation.is_ok()
    }

    /// Whether there are requests that go past the picker.
    pub fn passes_picker(&self) -> bool {
        self.rules.iter().any(|rule| rule.to == Destination::ModelServers)
    }

    /// Whether the route is one of the implementation's own.
    pub fn has_own_route(&self) -> bool {
        let by_model = self.traits().map(|traits| traits.by_model);
        matches!((&self.by, by_model), (RouteBy::ModelName(_), Some(ByModel::OwnRoute)))
    }

    /// The `HTTPRoute` that the Gateway speaks of.
    pub fn route_key(&self) -> Key {
        if self.has_own_route() { Key::AiGatewayHttpRoute } else { Key::HttpRoute }
    }

    /// Whether the platform could have priorities act, and does not.
    pub fn could_act(&self) -> bool {
        let Ok(implementation) = self.implementation else { return false };
        let could = hook(implementation, PriorityHook::Lua, &self.by).is_ok_and(|it| it != Hook::Nothing);
        could && self.priority.is_none()
    }

    /// What stands beside the route, and comes with it.
    pub fn companions(&self) -> Vec<Key> {
        let Some(Traits { companions, service_companions, .. }) = self.traits().filter(|_| self.is_decided())
        else {
            return Vec::new();
        };
        let beside_service = if self.passes_picker() { service_companions } else { &[] };
        let adapters: &[Key] =
            if self.rules.iter().any(RulePlan::asks_for_base) { &[Key::AdaptersConfigMap] } else { &[] };
        let script: &[Key] = match &self.priority {
            Some(PriorityPlan { hook: Hook::Script, .. }) => &[Key::GatewayExtensionPolicy],
            Some(_) | None => &[],
        };
        let formers = self.former.as_ref().map_or(&[][..], |former| &former.companions);
        [companions, beside_service, adapters, script, formers].concat()
    }

    /// Whether something else happens than what the platform asked for when the picker does not answer.
    pub fn ignores_failure_mode(&self) -> bool {
        match (self.traits().map(|traits| traits.failure), self.picker.failure_mode()) {
            (None | Some(Failure::AsAsked), _)
            | (Some(Failure::AlwaysClosed), FailureMode::FailClose)
            | (Some(Failure::AlwaysOpen), FailureMode::FailOpen) => false,
            (Some(Failure::AlwaysClosed), FailureMode::FailOpen)
            | (Some(Failure::AlwaysOpen), FailureMode::FailClose) => true,
        }
    }
}

/// Decides everything about it, the picker included.
pub(super) fn decide(
    settings: &Settings,
    routing: &Routing,
    wanted: Wanted,
    observed: &Observed,
) -> Result<RoutingPlan, Vec<Problem>> {
    let Routing { by, implementation, gateway, priority_hook, timeout, picker } = routing;
    let gateway = discovery::choose(gateway, observed);
    let class = match (&gateway, implementation) {
        (Ok(gateway), None) => class::name(gateway, observed),
        (Err(_), _) | (_, Some(_)) => None,
    };
    let implementation = class::implementation(*implementation, class.as_deref(), observed);
    let known = implementation.as_ref().ok().copied();
    // What it can do is checked once it is known.
    let hook = match known {
        Some(known) => hook(known, *priority_hook, by).map_err(|it| vec![it])?,
        None => Hook::Nothing,
    };
    let asleep = asleep_unseen(settings, picker, wanted);
    let picker = match (endpoint_picker::decide(picker, wanted), asleep) {
        (Ok(picker), None) => picker,
        (Ok(_), Some(asleep)) => return Err(vec![asleep]),
        (Err(mut problems), asleep) => {
            problems.extend(asleep);
            return Err(problems);
        }
    };
    let rules = match by {
        RouteBy::Host(_) => rules::by_host(picker.family()),
        RouteBy::ModelName(_) => match known {
            Some(known) => by_model(settings, known, picker.family()).map_err(|it| vec![it])?,
            None => Vec::new(),
        },
    };
    Ok(RoutingPlan {
        by: by.clone(),
        gateway,
        former: None,
        implementation,
        class,
        request_timeout: if wanted.sleeps {
            ColdStart(wanted.cold_start).request_timeout(*timeout)
        } else {
            *timeout
        },
        rules,
        priority: priority::decide(hook, picker.family(), &settings.composite.name),
        picker,
        former_picker: None,
    })
}

/// A model is woken by requests that wait in its picker, and kept awake by those it works on. Of a picker that is not
/// composed nobody knows that requests may wait there, for how long, and by which series they are seen.
fn asleep_unseen(settings: &Settings, picker: &Picker, wanted: Wanted) -> Option<Problem> {
    let existing = picker.existing.as_ref().filter(|_| wanted.sleeps)?;
    let want = format!(
        "must be at least 1 where the platform has requests go by a picker that is already there ({}), since nothing \
         would wake the model; or have its Input leave endpointPicker.existing out, so that the model gets a picker of \
         its own",
        existing.name,
    );
    let path = format!("{}.minReplicas", settings.composite.spec_path);
    Some(checks::composite(&path, settings.replicas.min, want))
}

/// What acts of what the implementation has and the platform permits.
///
/// A route that is chosen by the model is chosen after the filters of routes are, as with a body-based router: a script
/// would run for another route, or not at all.
fn hook(implementation: Implementation, permitted: PriorityHook, by: &RouteBy) -> Result<Hook, Problem> {
    let Traits { name, hook, .. } = implementation.traits();
    let want = match (permitted, hook, by) {
        (PriorityHook::None, Hook::Script, _) => return Ok(Hook::Nothing),
        (PriorityHook::None, _, _) | (PriorityHook::Lua, Hook::Script, RouteBy::Host(_)) => return Ok(hook),
        (PriorityHook::Lua, Hook::Script, RouteBy::ModelName(_)) => {
            "must be None where routeBy is ModelName: Envoy chooses scripts before the model's name is known"
                .to_owned()
        }
        (PriorityHook::Lua, _, _) => format!("must be None for {name}: only EnvoyAIGateway runs scripts"),
    };
    Err(checks::input("spec.gateway.priorityHook", "Lua", want))
}

fn by_model(
    settings: &Settings,
    implementation: Implementation,
    family: Family,
) -> Result<Vec<RulePlan>, Problem> {
    let Traits { name, by_model, .. } = implementation.traits();
    if by_model == ByModel::Nothing {
        let want = format!("must be Host for {name}, where nothing reads the model's name out of a request");
        return Err(checks::input("spec.gateway.routeBy", "ModelName", want));
    }
    rules::by_model(by_model, family, &settings.model).map_err(|TooManyAdapters { are, may, matches }| {
        let path = format!("{}.lora.adapters", settings.composite.spec_path);
        let want = format!(
            "must be at most {may} where the platform routes by model name and {name} implements the Gateway: the route \
             names each of them, and holds {matches} matches; leave some to another LLMInference"
        );
        checks::composite_list(&path, are, want)
    })
}
