//! From a hostname to the pool.

use crate::kinds::Resource;
use crate::kinds::gateway_api::{
    BackendRef, Filter, GATEWAY, GROUP, Header, HeaderModifier, HttpRouteSpec, Match, ParentRef, PathMatch,
    Rule, Timeouts,
};
use crate::kinds::inference;
use crate::plan::gateway::{Hook, PriorityPlan};
use crate::plan::keys::Key;
use crate::plan::{Plan, RoutingPlan};

use super::meta;

/// Sends the whole host to the pool. The timeout is written wherever it counts: Envoy's own is 15 s.
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
            rules: vec![Rule {
                filters: filters(routing),
                matches: vec![Match { path: PathMatch { kind: "PathPrefix", value: "/" } }],
                backend_refs: vec![BackendRef {
                    group: inference::GROUP,
                    kind: inference::INFERENCE_POOL,
                    name: plan.name.to_string(),
                    weight: 1,
                }],
                timeouts: routing
                    .traits()
                    .route_timeouts
                    .then(|| Timeouts { request: routing.request_timeout.to_string() }),
            }],
        },
    )
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
