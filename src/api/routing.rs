//! Routing: what leads to the model, through which Gateway, and what implements that.

use super::llm_inference as xr;
use super::model_stack as stack;
use super::policy::{self, Star};
use super::problem::{Path, Problems};
use super::settings::{GatewayRef, Implementation, Picker, PriorityHook, RouteBy, Routing};
use super::values::{Duration, Host};

const DEFAULT_TIMEOUT: Duration = Duration::from_seconds(300);
/// Where the documented installation of Envoy Gateway puts its Gateway. Elsewhere the platform has to say it.
const DEFAULT_GATEWAY: (&str, &str) = ("eg", "envoy-gateway-system");

/// What the platform says about Gateways.
#[derive(Debug)]
pub(super) struct PlatformGateway {
    /// `None` where the choice is refused elsewhere.
    implementation: Option<Implementation>,
    name: Option<String>,
    namespace: Option<String>,
    section_name: Option<String>,
    by: stack::RouteBy,
    priority_hook: PriorityHook,
    timeout: Duration,
}

impl PlatformGateway {
    pub(super) fn new(gateway: stack::StackGateway) -> Self {
        let stack::StackGateway {
            implementation,
            reference,
            discovery: _,
            discovery_label: _,
            route_by,
            priority_hook,
            timeout,
        } = gateway;
        let stack::StackGatewayReference { name, namespace, section_name } = reference.unwrap_or_default();
        let implementation = match implementation {
            Some(stack::Implementation::EnvoyAiGateway) | None => Some(Implementation::EnvoyAiGateway),
            Some(stack::Implementation::Istio) => Some(Implementation::Istio),
            Some(stack::Implementation::Agentgateway) => Some(Implementation::Agentgateway),
            Some(stack::Implementation::Gke) => Some(Implementation::Gke),
            Some(stack::Implementation::Nginx) => Some(Implementation::Nginx),
            Some(stack::Implementation::Other) => Some(Implementation::Other),
            Some(stack::Implementation::Auto) => None,
        };
        let default =
            (implementation == Some(Implementation::EnvoyAiGateway)).then_some(DEFAULT_GATEWAY).unzip();
        Self {
            implementation,
            name: name.map(|it| it.0).or_else(|| default.0.map(str::to_owned)),
            namespace: namespace.map(|it| it.0.to_string()).or_else(|| default.1.map(str::to_owned)),
            section_name: section_name.map(|it| it.0),
            by: route_by.unwrap_or(stack::RouteBy::Host),
            priority_hook: priority_hook.unwrap_or(PriorityHook::None),
            timeout: timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0),
        }
    }

    /// Its Gateway's namespace.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The name that a model is routed by and has to answer to, where it is not the one that it is served by anyway.
    /// Only where the platform routes by name there is a choice.
    pub(super) fn alias(
        &self,
        gateway: &xr::Gateway,
        served_name: Option<&str>,
        problems: &mut Problems,
    ) -> Option<String> {
        let name = &gateway.model_name.as_ref()?.0;
        let served_name = served_name.filter(|served| served != name)?;
        match self.by {
            stack::RouteBy::Host => {
                let want =
                    format!("must be {served_name:?}, the served name, where the platform routes by host");
                problems.add(&Path::dotted("gateway.modelName"), format!("{name:?}"), want);
                None
            }
            stack::RouteBy::ModelName => (gateway.enabled != Some(false)).then(|| name.clone()),
        }
    }

    /// `namespace/name`, where the platform says both.
    fn full_name(&self) -> Option<String> {
        Some(format!("{}/{}", self.namespace.as_deref()?, self.name.as_deref()?))
    }
}

/// The composite's Gateway, leaf by leaf over the platform's, or `None` where nobody says which. A listener of the
/// platform's Gateway means nothing on another one.
pub(super) fn gateway_ref(
    gateway: &xr::Gateway,
    own: &PlatformGateway,
    policy: &stack::Policy,
    problems: &mut Problems,
) -> Option<GatewayRef> {
    let xr::GatewayReference { name, namespace, section_name } =
        gateway.reference.clone().unwrap_or_default();
    let name = name.map(|it| it.0).or_else(|| own.name.clone())?;
    let namespace = namespace.map(|it| it.0.to_string()).or_else(|| own.namespace.clone())?;
    let seen = format!("{namespace}/{name}");
    let own_name = own.full_name();
    let is_own = own_name.as_ref() == Some(&seen);
    let patterns = policy::patterns(policy.gateways.as_ref())
        .unwrap_or_else(|| own_name.iter().map(String::as_str).collect());
    if !is_own && !policy::allows(&patterns, &seen, Star::NoSlash) {
        problems.add(&Path::dotted("gateway.ref"), seen, policy::permitted(&patterns));
    }
    let section_name =
        section_name.map(|it| it.0).or_else(|| if is_own { own.section_name.clone() } else { None });
    Some(GatewayRef { name, namespace, section_name })
}

/// Routing, where it is on.
pub(super) fn settle(
    enabled: Option<bool>,
    host: Option<Host>,
    gateway: Option<GatewayRef>,
    own: &PlatformGateway,
    picker: Picker,
    problems: &mut Problems,
    input: &mut Problems,
) -> Option<Routing> {
    if enabled == Some(false) {
        return None;
    }
    let by = match own.by {
        stack::RouteBy::ModelName => RouteBy::ModelName(host),
        stack::RouteBy::Host => {
            let path = Path::dotted("host");
            if enabled == Some(true) && host.is_none() && !problems.doubt(&path) {
                problems.add(&path, "missing", "must be there where gateway.enabled is true");
            }
            RouteBy::Host(host?)
        }
    };
    let implementation = own.implementation?;
    let path = Path::dotted("gateway.ref");
    if gateway.is_none() && !input.doubt(&path) {
        let want = "must have name and namespace of the Gateway, which only EnvoyAIGateway has a default for";
        input.add(&path, "missing", want);
    }
    Some(Routing {
        by,
        implementation,
        gateway: gateway?,
        priority_hook: own.priority_hook,
        timeout: own.timeout,
        picker,
    })
}
