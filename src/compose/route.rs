//! From a hostname, or the name of a model, to the pool.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::settings::GatewayRef;
use crate::kinds::ai_gateway::{self, AiGatewayRouteSpec};
use crate::kinds::gateway_api::{
    BackendRef, Filter, GATEWAY, GROUP, Header, HeaderMatch, HeaderModifier, HttpRouteSpec, Match, ParentRef,
    PathMatch, Rule, Timeouts,
};
use crate::kinds::{Foreign, Kind, Resource, inference};
use crate::plan::gateway::{Destination, HeaderValue, Hook, PriorityPlan, RequestMatch, RulePlan};
use crate::plan::keys::Key;
use crate::plan::names::MODEL_SERVICE_PORT;
use crate::plan::{Plan, RoutingPlan};

use super::meta;

/// Sends what the picker understands to the pool, and all else past it. The timeout is written wherever it counts: Envoy's own is 15 s.
pub(super) fn http_route(plan: &Plan, routing: &RoutingPlan) -> Resource<HttpRouteSpec> {
    Resource::new(
        meta(plan, Key::HttpRoute),
        HttpRouteSpec {
            parent_refs: parents(routing),
            hostnames: hostnames(routing),
            rules: routing.rules.iter().map(|it| rule(plan, routing, it)).collect(),
        },
    )
}

/// The same by Envoy AI Gateway's own route, whose controller makes an `HTTPRoute` of it. One pool a rule.
pub(super) fn ai_gateway_route(plan: &Plan, routing: &RoutingPlan) -> Resource<AiGatewayRouteSpec> {
    let rule = |rule: &RulePlan| ai_gateway::Rule {
        matches: rule
            .matches
            .iter()
            .map(|wanted| ai_gateway::Match { headers: header_matches(wanted) })
            .collect(),
        backend_refs: vec![pool(plan)],
        timeouts: timeouts(routing),
    };
    Resource::new(
        meta(plan, Key::AiGatewayRoute),
        AiGatewayRouteSpec {
            parent_refs: parents(routing),
            hostnames: hostnames(routing),
            rules: routing.rules.iter().map(rule).collect(),
        },
    )
}

/// That `HTTPRoute`, for what the Gateway says of it. No owner mark is added: its controller copies the one above.
pub(super) fn generated_route(plan: &Plan) -> Foreign {
    let (namespace, name) = plan.place_of(Key::AiGatewayHttpRoute);
    Foreign {
        api_version: HttpRouteSpec::API_VERSION,
        kind: HttpRouteSpec::KIND,
        metadata: ObjectMeta { name: Some(name), namespace, ..ObjectMeta::default() },
    }
}

fn parents(routing: &RoutingPlan) -> Vec<ParentRef> {
    let former = routing.former.as_ref().map(|former| &former.gateway);
    routing
        .gateway
        .iter()
        .chain(former)
        .map(|GatewayRef { name, namespace, section_name }| ParentRef {
            group: GROUP,
            kind: GATEWAY,
            name: name.clone(),
            namespace: namespace.clone(),
            section_name: section_name.clone(),
        })
        .collect()
}

fn hostnames(routing: &RoutingPlan) -> Vec<String> {
    routing.by.host().into_iter().map(ToString::to_string).collect()
}

fn timeouts(routing: &RoutingPlan) -> Timeouts {
    Timeouts { request: routing.request_timeout.to_string() }
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
        timeouts: routing.traits().is_some_and(|traits| traits.route_timeouts).then(|| timeouts(routing)),
    }
}

fn request_match(wanted: &RequestMatch) -> Match {
    let path = match wanted.path {
        Some(path) => PathMatch { kind: "Exact", value: path },
        None => PathMatch { kind: "PathPrefix", value: "/" },
    };
    Match { path, headers: header_matches(wanted) }
}

fn header_matches(wanted: &RequestMatch) -> Vec<HeaderMatch> {
    let headers = wanted.header.iter();
    headers
        .map(|HeaderValue { name, value }| HeaderMatch { kind: "Exact", name, value: value.clone() })
        .collect()
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
    let modifiers = priority.map(|PriorityPlan { hook: _, set, objective, remove }| HeaderModifier {
        set: set.iter().map(|name| Header { name: (*name).to_owned(), value: objective.clone() }).collect(),
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
    });
    modifiers
        .map(|request_header_modifier| Filter::RequestHeaderModifier { request_header_modifier })
        .collect()
}
