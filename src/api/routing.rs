//! Routing: what leads to the model, through which Gateway, and what implements that.

use std::collections::BTreeMap;

use super::llm_inference as xr;
use super::model_stack as stack;
use super::policy::{self, Star};
use super::problem::{Path, Problems};
use super::resolve;
use super::settings::{
    Discovery, GatewayChoice, GatewayRef, Implementation, Picker, PriorityHook, RouteBy, Routing,
};
use super::values::{Duration, Host};

const DEFAULT_TIMEOUT: Duration = Duration::from_seconds(300);
/// Where the documented installation of Envoy Gateway puts its Gateway. Elsewhere the platform has to say it.
const DEFAULT_GATEWAY: (&str, &str) = ("eg", "envoy-gateway-system");

/// What marks the Gateway to take among several, unless the platform says otherwise.
const DEFAULT_DISCOVERY_LABEL: (&str, &str) = ("inference.devopstoolkit.ai/gateway", "true");

/// What the platform says about Gateways.
#[derive(Debug)]
pub(super) struct PlatformGateway {
    /// `None` = what the Gateway's class says.
    implementation: Option<Implementation>,
    name: Option<String>,
    namespace: Option<String>,
    section_name: Option<String>,
    /// Labels of the one to take among several, where it is found on the cluster.
    discovery: Option<BTreeMap<String, String>>,
    by: stack::RouteBy,
    priority_hook: PriorityHook,
    timeout: Duration,
}

impl PlatformGateway {
    pub(super) fn new(gateway: stack::StackGateway) -> Self {
        let stack::StackGateway {
            implementation,
            reference,
            discovery,
            discovery_label,
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
        let is_discovered = discovery == Some(true);
        let default = (implementation == Some(Implementation::EnvoyAiGateway) && !is_discovered)
            .then_some(DEFAULT_GATEWAY)
            .unzip();
        let (label, value) = DEFAULT_DISCOVERY_LABEL;
        let labels = discovery_label
            .map_or_else(|| BTreeMap::from([(label.to_owned(), value.to_owned())]), resolve::texts);
        Self {
            implementation,
            name: name.map(|it| it.0).or_else(|| default.0.map(str::to_owned)),
            namespace: namespace.map(|it| it.0.to_string()).or_else(|| default.1.map(str::to_owned)),
            section_name: section_name.map(|it| it.0),
            discovery: is_discovered.then_some(labels),
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
/// platform's Gateway means nothing on another one. Where neither names one, it may be found on the cluster.
pub(super) fn gateway_ref(
    gateway: &xr::Gateway,
    own: &PlatformGateway,
    policy: &stack::Policy,
    problems: &mut Problems,
) -> Option<GatewayChoice> {
    let xr::GatewayReference { name, namespace, section_name } =
        gateway.reference.clone().unwrap_or_default();
    let name = name.map(|it| it.0).or_else(|| own.name.clone());
    let namespace = namespace.map(|it| it.0.to_string()).or_else(|| own.namespace.clone());
    if let (None, None, Some(labels)) = (&name, &namespace, &own.discovery) {
        let section_name = section_name.map(|it| it.0).or_else(|| own.section_name.clone());
        return Some(GatewayChoice::Discovered(Discovery { labels: labels.clone(), section_name }));
    }
    let (name, namespace) = (name?, namespace?);
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
    Some(GatewayChoice::Named(GatewayRef { name, namespace, section_name }))
}

/// Routing, where it is on.
pub(super) fn settle(
    enabled: Option<bool>,
    host: Option<Host>,
    gateway: Option<GatewayChoice>,
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
    let path = Path::dotted("gateway.ref");
    if gateway.is_none() && !input.doubt(&path) {
        let want = if own.discovery.is_some() {
            "must have name and namespace, or neither: then the Gateway is found on the cluster"
        } else {
            "must have name and namespace of the Gateway, which only EnvoyAIGateway has a default for"
        };
        input.add(&path, "missing", want);
    }
    Some(Routing {
        by,
        implementation: own.implementation,
        gateway: gateway?,
        priority_hook: own.priority_hook,
        timeout: own.timeout,
        picker,
    })
}
