//! From a hostname to the pool.

use crate::kinds::Resource;
use crate::kinds::gateway_api::{
    BackendRef, GATEWAY, GROUP, HttpRouteSpec, Match, ParentRef, PathMatch, Rule, Timeouts,
};
use crate::kinds::inference;
use crate::plan::keys::Key;
use crate::plan::{Plan, RoutingPlan};

use super::meta;

/// Sends the whole host to the pool. The timeout is always written: Envoy's own is 15 s.
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
                matches: vec![Match { path: PathMatch { kind: "PathPrefix", value: "/" } }],
                backend_refs: vec![BackendRef {
                    group: inference::GROUP,
                    kind: inference::INFERENCE_POOL,
                    name: plan.name.to_string(),
                    weight: 1,
                }],
                timeouts: Timeouts { request: routing.request_timeout.to_string() },
            }],
        },
    )
}
