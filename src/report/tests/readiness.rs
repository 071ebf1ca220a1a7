//! The table: what the provider waits for is what we wait for.

use std::collections::BTreeSet;

use kube_cel::cel::common::ast::{Expr, LiteralValue, operators};
use kube_cel::cel::{Context, Program, Value as CelValue, to_value};
use serde_json::{Value, json};

use crate::api::fixtures::llm;
use crate::observe::fixtures::cluster;
use crate::plan::keys::Key;
use crate::report::fixtures::{
    HOST, accepted, ancestor, deployment, full, gateway, healthy, led, made, not_made, own_route, planned,
    runtime, scaled_object, spoken_of,
};
use crate::report::readiness::{EXISTS, Judgement, cel_query, is_ready, rule};

fn query(key: Key) -> Program {
    Program::compile(cel_query(key)).unwrap()
}

/// Evaluates a query as provider-kubernetes does: every number comes from JSON as a double.
fn ask(query: &Program, live: &Value) -> Result<bool, String> {
    let mut context = Context::default();
    context.add_variable_from_value("object", to_value(doubles(live)).map_err(|error| error.to_string())?);
    match query.execute(&context) {
        Ok(CelValue::Bool(answer)) => Ok(answer),
        Ok(other) => Err(format!("no bool: {other:?}")),
        Err(error) => Err(error.to_string()),
    }
}

fn doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap()),
        Value::Array(items) => items.iter().map(doubles).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), doubles(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

struct Case {
    key: Key,
    live: Value,
    query: bool,
    ours: bool,
    reason: &'static str,
}

#[expect(clippy::too_many_lines, reason = "one row a state, and several a kind")]
fn cases() -> Vec<Case> {
    let case = |key, live, query, ours, reason| Case { key, live, query, ours, reason };
    let of_route = json!({"hostnames": [HOST]});
    let another = |mut live: Value| {
        live["status"]["parents"][0]["parentRef"]["name"] = json!("other");
        live
    };
    let mut uncounted = runtime(1, 0);
    uncounted["status"] = json!({"modelStatus": "Ready"});
    let mut waking = runtime(1, 0);
    waking["status"] = json!({"modelStatus": "Ready", "selector": "app=llama"});
    let mut old_pods = deployment(1);
    old_pods["status"]["updatedReplicas"] = json!(0);
    let mut stale = deployment(1);
    stale["status"]["observedGeneration"] = json!(1);
    let yes = [("Accepted", "True", "Accepted", ""), ("ResolvedRefs", "True", "ResolvedRefs", "")];
    let lost = [("Accepted", "True", "Accepted", ""), ("ResolvedRefs", "False", "BackendNotFound", "")];
    vec![
        case(Key::VllmRuntime, runtime(2, 2), true, true, "all replicas serve"),
        case(Key::VllmRuntime, runtime(4, 1), true, true, "a scale-out under way serves"),
        case(Key::VllmRuntime, runtime(1, 0), false, false, "a first start does not"),
        case(Key::VllmRuntime, runtime(0, 0), true, true, "a model that sleeps is as it should be"),
        case(Key::VllmRuntime, uncounted, true, true, "old operators do not count, and their word stands in"),
        case(Key::VllmRuntime, waking, false, false, "the word of one that counts is of before it woke"),
        case(Key::VllmRuntime, json!({"metadata": {}, "spec": {}}), false, false, "nobody has looked at it"),
        case(Key::ModelDeployment, deployment(1), true, true, "a replica serves"),
        case(Key::ModelDeployment, deployment(0), false, false, "a first start does not"),
        case(Key::ModelDeployment, json!({"metadata": {}, "spec": {"replicas": 0}}), true, true, "asleep"),
        case(Key::EppDeployment, deployment(1), true, true, "available"),
        case(Key::EppDeployment, deployment(0), false, false, "not available"),
        case(Key::EppDeployment, led(1), true, true, "of several only the leader is ever ready"),
        case(Key::EppDeployment, led(0), false, false, "nobody leads"),
        case(Key::EppDeployment, old_pods, false, false, "only a pod of the former generation"),
        case(Key::EppDeployment, stale, false, false, "the controller speaks of the former generation"),
        case(Key::HttpRoute, accepted(&of_route), true, true, "accepted and resolved"),
        case(Key::HttpRoute, spoken_of(&of_route, 1, &yes), false, false, "the former generation was"),
        case(Key::HttpRoute, spoken_of(&of_route, 2, &lost), false, false, "a reference leads nowhere"),
        case(Key::HttpRoute, another(accepted(&of_route)), true, false, "by a Gateway that nobody chose"),
        case(
            Key::HttpRoute,
            accepted(&json!({"hostnames": ["old.example.com"]})),
            true,
            false,
            "for the host of before",
        ),
        case(Key::HttpRoute, json!({"metadata": {"generation": 1}}), false, false, "nobody has looked at it"),
        case(Key::AiGatewayHttpRoute, accepted(&of_route), true, true, "accepted and resolved"),
        case(
            Key::AiGatewayHttpRoute,
            spoken_of(&of_route, 1, &yes),
            false,
            false,
            "the former generation was",
        ),
        case(Key::GatewayExtensionPolicy, ancestor(2, &yes[0]), true, true, "the script runs"),
        case(Key::GatewayExtensionPolicy, ancestor(1, &yes[0]), false, false, "the former one did"),
        case(
            Key::GatewayExtensionPolicy,
            ancestor(2, &("Accepted", "False", "Invalid", "Lua is disabled.")),
            false,
            false,
            "scripts are not permitted",
        ),
        case(Key::AiGatewayRoute, own_route(&made()), true, true, "a route is made of it"),
        case(Key::AiGatewayRoute, own_route(&not_made()), false, false, "none could be made"),
        case(
            Key::AiGatewayRoute,
            json!({"status": {"conditions": []}}),
            false,
            false,
            "nobody has looked at it",
        ),
        case(Key::InferencePool, accepted(&json!({})), true, true, "accepted and resolved"),
        case(
            Key::InferencePool,
            another(accepted(&json!({}))),
            true,
            false,
            "by a Gateway that nobody chose",
        ),
        case(
            Key::InferencePool,
            json!({"status": {"parents": []}}),
            false,
            false,
            "no route refers to it yet",
        ),
        case(
            Key::ScaledObject,
            scaled_object(&[("Active", "False", "", ""), ("Ready", "True", "ScaledObjectReady", "")]),
            true,
            true,
            "KEDA works on it, with or without requests",
        ),
        case(
            Key::ScaledObject,
            scaled_object(&[("Ready", "Unknown", "PartialTriggerError", "")]),
            false,
            false,
            "some triggers fail",
        ),
        case(
            Key::ScaledObject,
            scaled_object(&[("Ready", "False", "TriggerError", "")]),
            false,
            false,
            "the triggers fail",
        ),
        case(Key::ScaledObject, json!({"status": {}}), false, false, "KEDA has not looked at it"),
        case(Key::Gateway, gateway(), true, true, "it is there"),
        case(
            Key::InferenceObjective,
            json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}),
            true,
            true,
            "nobody writes its status",
        ),
        case(Key::EppConfigMap, json!({"data": {}}), true, true, "it is there"),
    ]
}

#[test]
fn the_provider_waits_for_what_we_wait_for() {
    let plan = planned(&llm().hosted(HOST).scaled(0, 4));
    for Case { key, live, query, ours, reason } in cases() {
        assert_eq!(ask(&self::query(key), &live), Ok(query), "{key:?}: {reason}");
        let observed = cluster().holding(key, live).observed();
        assert_eq!(is_ready(key, &plan, &observed), ours, "{key:?}: {reason}");
        assert!(query || !ours, "{key:?}: {reason}: the provider would look every 30 s for ever");
    }
}

#[test]
fn every_key_with_a_judgement_is_in_the_table_above_as_ready_and_as_not() {
    let (mut ready, mut not) = (BTreeSet::new(), BTreeSet::new());
    for Case { key, ours, .. } in cases() {
        if ours {
            ready.insert(key)
        } else {
            not.insert(key)
        };
    }
    for key in Key::ALL {
        match rule(key).judgement {
            Judgement::Says(_) => assert!(ready.contains(&key) && not.contains(&key), "{key:?}"),
            Judgement::Always | Judgement::Exists => assert_eq!(cel_query(key), EXISTS, "{key:?}"),
        }
    }
}

#[test]
fn a_missing_field_is_never_an_error() {
    for Case { key, live, .. } in cases() {
        let query = query(key);
        for (path, without) in without_each_field(&live) {
            // Every object has metadata, and every stored one a generation where a query asks for it.
            if !path.starts_with("/metadata") {
                let answer = ask(&query, &without);
                assert!(answer.is_ok(), "{key:?} without {path}: {answer:?}");
            }
        }
    }
}

/// The object without its first field, without its second, and so on, at every depth.
fn without_each_field(live: &Value) -> Vec<(String, Value)> {
    fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
        let inner: Vec<(String, &Value)> = match value {
            Value::Object(fields) => {
                let inner: Vec<_> =
                    fields.iter().map(|(key, value)| (format!("{path}/{key}"), value)).collect();
                found.extend(inner.iter().map(|(path, _)| path.clone()));
                inner
            }
            Value::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (format!("{path}/{index}"), item)).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for (path, value) in inner {
            paths(value, &path, found);
        }
    }
    let mut found = Vec::new();
    paths(live, "", &mut found);
    found
        .into_iter()
        .map(|path| {
            let mut without = live.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            without.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
            (path, without)
        })
        .collect()
}

/// provider-kubernetes v1.2.1 never calls an Object ready whose query has another static type, and says nothing.
#[test]
fn every_query_is_a_bool_before_it_is_evaluated() {
    const BOOLEAN: [&str; 4] =
        [operators::LOGICAL_AND, operators::LOGICAL_OR, operators::LOGICAL_NOT, operators::EQUALS];
    for key in Key::ALL {
        let query = query(key);
        let expression = &query.expression().expr;
        let is_bool = matches!(expression, Expr::Call(call) if BOOLEAN.contains(&call.func_name.as_str()))
            || matches!(expression, Expr::Literal(LiteralValue::Boolean(_)));
        assert!(is_bool, "{key:?}: {}", cel_query(key));
    }
}

#[test]
fn optional_objects_never_hold_back_the_composite() {
    let plan = planned(&full());
    let optional: Vec<Key> =
        Key::ALL.into_iter().filter(|key| is_ready(*key, &plan, &cluster().observed())).collect();
    assert_eq!(
        optional,
        [
            Key::ReplicasHandover,
            Key::ModelPodDisruptionBudget,
            Key::ModelNetworkPolicy,
            Key::ServiceMonitor,
            Key::PodMonitor,
            Key::GatewayProxySettingsPolicy,
            Key::EppClusterRoleBindingAuthDelegator,
            Key::EppMetricsServiceAccount,
            Key::EppMetricsToken,
            Key::EppMetricsClusterRole,
            Key::EppMetricsClusterRoleBinding,
            Key::EppServiceMonitor,
            Key::EppPodMonitor,
            Key::EppNetworkPolicy,
            Key::PrometheusRule,
            Key::GatewayClass,
        ],
        "nothing is observed, and everything else is not yet"
    );
    let cluster = healthy().broken(Key::ServiceMonitor, "no matches for kind \"ServiceMonitor\"");
    assert!(is_ready(Key::ServiceMonitor, &plan, &cluster.observed()));
}

#[test]
fn an_object_that_is_not_synced_is_not_ready_whatever_it_was() {
    for key in Key::ALL {
        // The one without hosts, as the observed one is.
        let plan = planned(&if key == Key::AiGatewayHttpRoute { llm().named() } else { full() });
        let is_optional = matches!(rule(key).judgement, Judgement::Always);
        let broken = healthy().broken(key, "connect failed");
        assert_eq!(is_ready(key, &plan, &broken.observed()), is_optional, "{key:?}");
        assert!(is_ready(key, &plan, &healthy().observed()), "{key:?}");
    }
}

#[test]
fn a_model_that_sleeps_is_ready_only_while_a_request_would_wake_it() {
    let asleep = cluster().holding(Key::VllmRuntime, runtime(0, 0)).observed();
    let cases = [
        (llm().hosted(HOST).scaled(0, 4), true, "the picker holds a request until it is up"),
        (llm().scaled(0, 4), false, "without routing nobody does"),
        (llm().hosted(HOST).scaled(1, 4), false, "it should not sleep"),
    ];
    for (settings, want, reason) in cases {
        assert_eq!(is_ready(Key::VllmRuntime, &planned(&settings), &asleep), want, "{reason}");
    }
    let mut stopped = llm();
    stopped.replicas.min = 0;
    let running = cluster().holding(Key::VllmRuntime, runtime(1, 1)).observed();
    assert!(!is_ready(Key::VllmRuntime, &planned(&stopped), &running), "it is about to stop");
}
