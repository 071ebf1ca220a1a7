//! An implementation of Gateway API and `InferencePool` that accepts everything that leads to a Gateway.

use anyhow::Result;
use serde_json::{Value, json};

use super::{EPOCH, all, list, tell};
use crate::controlplane::cluster::{Cluster, text};

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

/// Gives every Gateway, route and pool the status that it would have.
pub(super) async fn play(cluster: &Cluster) -> Result<()> {
    let gateways = all(cluster, GATEWAY_API, "Gateway").await?;
    for gateway in &gateways {
        tell(cluster, gateway, &gateway_status(gateway)).await?;
    }
    let routes = all(cluster, GATEWAY_API, "HTTPRoute").await?;
    for route in &routes {
        tell(cluster, route, &route_status(route, &gateways)).await?;
    }
    for pool in all(cluster, "inference.networking.k8s.io/v1", "InferencePool").await? {
        tell(cluster, &pool, &pool_status(&pool, &routes, &gateways)).await?;
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

/// A condition whose reason is called as its type, as Gateway API has it.
fn yes(kind: &str, object: &Value) -> Value {
    json!({
        "type": kind, "status": "True", "reason": kind, "message": "",
        "lastTransitionTime": EPOCH,
        "observedGeneration": object.pointer("/metadata/generation").cloned().unwrap_or(json!(1)),
    })
}
