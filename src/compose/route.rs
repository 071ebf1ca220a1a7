//! From a hostname to the pool.

use crate::kinds::Resource;
use crate::kinds::gateway_api::{
    BackendRef, Filter, GATEWAY, GROUP, Header, HeaderModifier, HttpRouteSpec, Match, ParentRef, PathMatch,
    Rule, Timeouts,
};
use crate::kinds::inference;
use crate::plan::gateway::{Destination, Hook, PriorityPlan, RequestMatch, RulePlan};
use crate::plan::keys::Key;
use crate::plan::names::MODEL_SERVICE_PORT;
use crate::plan::{Plan, RoutingPlan};

use super::meta;

/// Sends what the picker understands to the pool, and all else past it. The timeout is written wherever it counts: Envoy's own is 15 s.
pub(super) fn http_route(plan: &Plan, routing: &RoutingPlan) -> Resource<HttpRouteSpec> {
    Resource::new(
        meta(plan, Key::HttpRoute),
        HttpRouteSpec {
            parent_refs: vec![ParentRef {
                group: GROUP,
                kind: GATEWAY,
                name: routing.gateway.name.clone(),
                namespace: routing.gateway.namespace.clone(),
                section_name: routing.gateway.section_name.clone(),
            }],
            hostnames: vec![routing.host.to_string()],
            rules: routing.rules.iter().map(|it| rule(plan, routing, it)).collect(),
        },
    )
}

fn rule(plan: &Plan, routing: &RoutingPlan, rule: &RulePlan) -> Rule {
    let (filters, backend) = match rule.to {
        Destination::Pool => (filters(routing), pool(plan)),
        Destination::ModelServers => (Vec::new(), model_servers(plan)),
    };
    Rule {
        matches: rule.matches.iter().map(request_match).collect(),
        filters,
        backend_refs: vec![backend],
        timeouts: routing
            .traits()
            .route_timeouts
            .then(|| Timeouts { request: routing.request_timeout.to_string() }),
    }
}

fn request_match(wanted: &RequestMatch) -> Match {
    let path = match wanted {
        RequestMatch::Path(path) => PathMatch { kind: "Exact", value: path },
        RequestMatch::Any => PathMatch { kind: "PathPrefix", value: "/" },
    };
    Match { path }
}

/// The port is left out: for an `InferencePool` it means nothing, its `targetPorts` decide.
fn pool(plan: &Plan) -> BackendRef {
    let (_, name) = plan.place_of(Key::InferencePool);
    BackendRef { group: inference::GROUP, kind: inference::INFERENCE_POOL, name, port: None, weight: 1 }
}

fn model_servers(plan: &Plan) -> BackendRef {
    BackendRef {
        group: "",
        kind: "Service",
        name: plan.model_service(),
        port: Some(MODEL_SERVICE_PORT),
        weight: 1,
    }
}

/// What the route itself does to requests.
fn filters(routing: &RoutingPlan) -> Vec<Filter> {
    let priority = routing.priority.iter().filter(|priority| priority.hook == Hook::RouteFilter);
    let modifiers = priority.map(|PriorityPlan { hook: _, set: (name, value), remove }| HeaderModifier {
        set: vec![Header { name: (*name).to_owned(), value: value.clone() }],
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
    });
    modifiers
        .map(|request_header_modifier| Filter::RequestHeaderModifier { request_header_modifier })
        .collect()
}
