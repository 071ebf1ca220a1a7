//! An implementation of Gateway API and `InferencePool` that accepts everything that leads to a Gateway, and what Envoy
//! Gateway and Envoy AI Gateway add to that.

use anyhow::Result;
use serde_json::{Value, json};

use super::{EPOCH, Orders, all, list, says, tell};
use crate::controlplane::cluster::{Cluster, text};
use crate::controlplane::model::GATEWAY;

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";
const AI_GATEWAY: &str = "aigateway.envoyproxy.io/v1alpha1";

/// Gives every Gateway, route and pool the status that it would have.
pub(super) async fn play(cluster: &Cluster, orders: &Orders) -> Result<()> {
    let gateways = all(cluster, GATEWAY_API, "Gateway").await?;
    for gateway in &gateways {
        tell(cluster, gateway, &gateway_status(gateway)).await?;
    }
    for route in all(cluster, AI_GATEWAY, "AIGatewayRoute").await? {
        if route.pointer("/metadata/deletionTimestamp").is_none() {
            let wanted = made_of(&route);
            if !cluster.get(&wanted).await?.is_some_and(|live| says(&live, &wanted)) {
                cluster.apply(&wanted, "ai-gateway-controller").await?;
            }
            tell(cluster, &route, &made()).await?;
        }
    }
    for policy in all(cluster, "gateway.envoyproxy.io/v1alpha1", "EnvoyExtensionPolicy").await? {
        tell(cluster, &policy, &policy_status(&policy)).await?;
    }
    let routes = all(cluster, GATEWAY_API, "HTTPRoute").await?;
    for route in &routes {
        tell(cluster, route, &orders.status(route, route_status(route, &gateways))).await?;
    }
    for pool in all(cluster, "inference.networking.k8s.io/v1", "InferencePool").await? {
        tell(cluster, &pool, &orders.status(&pool, pool_status(&pool, &routes, &gateways))).await?;
    }
    Ok(())
}

/// The Gateways that a route wants and that are there: of others nobody says anything.
fn parents<'a>(route: &'a Value, gateways: &'a [Value]) -> impl Iterator<Item = &'a Value> {
    // A reference without a namespace stays in that of its route.
    let namespace = |parent: &'a Value| match text(parent, "/namespace") {
        "" => text(route, "/metadata/namespace"),
        namespace => namespace,
    };
    list(route, "/spec/parentRefs").filter(move |parent| {
        let wanted = [namespace(parent), text(parent, "/name")];
        gateways.iter().any(|gateway| {
            ["/metadata/namespace", "/metadata/name"].map(|field| text(gateway, field)) == wanted
        })
    })
}

/// A Gateway that has an address.
fn gateway_status(object: &Value) -> Value {
    json!({
        "addresses": [{"type": "IPAddress", "value": "192.0.2.10"}],
        "conditions": [yes("Accepted", object), yes("Programmed", object)],
    })
}

/// A pool has the parents of the routes that lead to it, and none before there is one.
fn pool_status(object: &Value, routes: &[Value], gateways: &[Value]) -> Value {
    let mut told = Vec::new();
    for route in routes {
        // A reference without a namespace stays in that of its route.
        let leads_here = |backend: &Value| {
            text(backend, "/kind") == "InferencePool"
                && text(backend, "/name") == text(object, "/metadata/name")
                && text(route, "/metadata/namespace") == text(object, "/metadata/namespace")
        };
        let backends = list(route, "/spec/rules").flat_map(|rule| list(rule, "/backendRefs"));
        if backends.into_iter().any(leads_here) {
            told.extend(parents(route, gateways).map(|parent| {
                json!({
                    "parentRef": {
                        "group": "gateway.networking.k8s.io",
                        "kind": "Gateway",
                        "name": text(parent, "/name"),
                        "namespace": text(parent, "/namespace"),
                    },
                    "conditions": [yes("Accepted", object), yes("ResolvedRefs", object)],
                })
            }));
        }
    }
    json!({ "parents": told })
}

fn route_status(object: &Value, gateways: &[Value]) -> Value {
    let told: Vec<Value> = parents(object, gateways)
        .map(|parent| {
            json!({
                "parentRef": parent,
                "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
                "conditions": [yes("Accepted", object), yes("ResolvedRefs", object)],
            })
        })
        .collect();
    json!({ "parents": told })
}

/// The `HTTPRoute` that Envoy AI Gateway makes of its own route: of the same name, with its labels and annotations, and
/// owned by it (envoyproxy/ai-gateway v1.0.0, `internal/controller/ai_gateway_route.go`), but for filters of its own.
fn made_of(route: &Value) -> Value {
    let rules = list(route, "/spec/rules").map(|rule| {
        let matches = list(rule, "/matches").map(|it| {
            json!({"path": {"type": "PathPrefix", "value": "/"}, "headers": it.get("headers")})
        });
        let backends = list(rule, "/backendRefs").map(|backend| {
            json!({
                "group": text(backend, "/group"), "kind": text(backend, "/kind"), "name": text(backend, "/name"),
                "namespace": text(route, "/metadata/namespace"), "weight": backend.get("weight"),
            })
        });
        json!({
            "matches": matches.collect::<Vec<_>>(),
            "backendRefs": backends.collect::<Vec<_>>(),
            "timeouts": rule.get("timeouts"),
        })
    });
    json!({
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": {
            "name": text(route, "/metadata/name"),
            "namespace": text(route, "/metadata/namespace"),
            "labels": route.pointer("/metadata/labels"),
            "annotations": route.pointer("/metadata/annotations"),
            "ownerReferences": [{
                "apiVersion": AI_GATEWAY, "kind": "AIGatewayRoute", "controller": true, "blockOwnerDeletion": true,
                "name": text(route, "/metadata/name"), "uid": text(route, "/metadata/uid"),
            }],
        },
        "spec": {
            "parentRefs": route.pointer("/spec/parentRefs"),
            "hostnames": list(route, "/spec/hostnames").collect::<Vec<_>>(),
            "rules": rules.collect::<Vec<_>>(),
        },
    })
}

/// One condition, and no generation.
fn made() -> Value {
    json!({"conditions": [{
        "type": "Accepted", "status": "True", "reason": "ReconciliationSucceeded",
        "message": "AI Gateway Route reconciled successfully", "lastTransitionTime": EPOCH,
    }]})
}

/// A policy speaks of the Gateway of its route; there is one here.
fn policy_status(object: &Value) -> Value {
    json!({"ancestors": [{
        "ancestorRef": {
            "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY.1, "namespace": GATEWAY.0,
        },
        "controllerName": "gateway.envoyproxy.io/gatewayclass-controller",
        "conditions": [yes("Accepted", object)],
    }]})
}

/// A condition whose reason is called as its type, as Gateway API has it.
fn yes(kind: &str, object: &Value) -> Value {
    json!({
        "type": kind, "status": "True", "reason": kind, "message": "",
        "lastTransitionTime": EPOCH,
        "observedGeneration": object.pointer("/metadata/generation").cloned().unwrap_or(json!(1)),
    })
}
