//! The composite's status: what to call, what to send, and how much of it there is.

use serde::Serialize;

use crate::observe::{Facts, GatewayFacts, Listener, Observed};
use crate::plan::keys::Key;
use crate::plan::{Plan, RoutingPlan};

use super::workload;

/// The fields of the composite's status that are ours. What is not known is absent, never guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// What to call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What to send as `model`.
    pub model_name: String,
    /// Where requests come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayStatus>,
    /// How many serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicasStatus>,
}

/// Where requests come in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayStatus {
    /// The Gateway's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its first address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Who implements it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub implementation: Option<&'static str>,
}

/// How many serve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicasStatus {
    /// Available.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<u32>,
    /// Wanted, by this function or by the autoscaler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<u32>,
}

/// The status.
pub(super) fn status(plan: &Plan, observed: &Observed) -> Status {
    let gateway = gateway_facts(observed);
    // What answers there is another model.
    let leads_elsewhere =
        [plan.workload_key(), Key::ModelService, Key::InferencePool, Key::HttpRoute, Key::AiGatewayRoute]
            .iter()
            .any(|key| plan.taken.contains_key(key));
    Status {
        url: match &plan.routing {
            _ if leads_elsewhere => None,
            Some(routing) => gateway.and_then(|gateway| routed_url(routing, gateway)),
            // The model servers' Service listens on HTTP's own port.
            None => Some(format!("http://{}.{}.svc", plan.model_service(), plan.namespace)),
        },
        model_name: plan.workload.model.requested_name().to_owned(),
        gateway: plan.routing.as_ref().zip(plan.gateway()).map(|(routing, chosen)| GatewayStatus {
            name: chosen.name.clone(),
            namespace: chosen.namespace.clone(),
            address: gateway.and_then(|gateway| gateway.addresses.first().cloned()),
            implementation: routing.traits().map(|traits| traits.name),
        }),
        replicas: replicas(plan, observed),
    }
}

fn gateway_facts(observed: &Observed) -> Option<&GatewayFacts> {
    let Facts::Gateway(facts) = &observed.live(Key::Gateway)?.facts else { return None };
    Some(facts)
}

fn replicas(plan: &Plan, observed: &Observed) -> Option<ReplicasStatus> {
    let key = plan.workload_key();
    let live = observed.live(key).filter(|_| !plan.taken.contains_key(&key))?;
    Some(ReplicasStatus {
        ready: workload::available(live),
        desired: plan.workload.replicas.or(live.spec_replicas()),
    })
}

/// Scheme, host and port of the listener that takes requests for the model. A route without a host is for the listener's,
/// and where that has none either, for the Gateway's address.
fn routed_url(routing: &RoutingPlan, gateway: &GatewayFacts) -> Option<String> {
    let section_name = &routing.gateway.as_ref().ok()?.section_name;
    let host = routing.by.host().map(ToString::to_string);
    let listener = gateway
        .listeners
        .iter()
        .filter_map(|listener| Some((listener, Scheme::of(listener)?)))
        .filter(|(listener, _)| match section_name {
            Some(name) => listener.name == *name,
            None => host.as_ref().is_none_or(|host| takes(listener, host)),
        })
        .filter_map(|(listener, scheme)| {
            let host = host.clone().or_else(|| own_host(listener, gateway))?;
            Some((listener, scheme, host))
        })
        // The first of the best: a Gateway may redirect from HTTP to HTTPS, never the other way around.
        .min_by_key(|(listener, scheme, _)| (*scheme, listener.port != scheme.default_port()));
    let (listener, scheme, host) = listener?;
    let scheme_name = scheme.as_str();
    Some(if listener.port == scheme.default_port() {
        format!("{scheme_name}://{host}")
    } else {
        format!("{scheme_name}://{host}:{}", listener.port)
    })
}

/// What to ask for at a listener that serves every host that it takes. Below a wildcard nobody knows which.
fn own_host(listener: &Listener, gateway: &GatewayFacts) -> Option<String> {
    match listener.hostname.as_deref() {
        None | Some("") => {
            let address = gateway.addresses.first()?;
            Some(if address.contains(':') { format!("[{address}]") } else { address.clone() })
        }
        Some(hostname) => (!hostname.starts_with('*')).then(|| hostname.to_owned()),
    }
}

/// In order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scheme {
    Https,
    Http,
}

impl Scheme {
    /// `TLS`, `TCP` and `UDP` listeners take no `HTTPRoute`.
    fn of(listener: &Listener) -> Option<Self> {
        match listener.protocol.as_str() {
            "HTTPS" => Some(Self::Https),
            "HTTP" => Some(Self::Http),
            _ => None,
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
        }
    }
}

/// Gateway API: no hostname takes any, `*.example.com` takes names with one or more labels before the suffix.
fn takes(listener: &Listener, host: &str) -> bool {
    match listener.hostname.as_deref() {
        None | Some("") => true,
        Some(hostname) => match hostname.strip_prefix('*') {
            Some(suffix) => host.strip_suffix(suffix).is_some_and(|labels| !labels.is_empty()),
            None => hostname == host,
        },
    }
}
