//! What Crossplane has to be allowed where it composes models itself: exactly what `package/rbac/direct.yaml` grants.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod generate;

use std::collections::BTreeSet;
use std::path::Path;

use function_inference::cli::render::pipeline::Pipeline;
use function_inference::cli::render::{Preview, print};
use function_inference::cli::yaml::{self, Document};
use serde_json::{Value, json};

/// Enough stacks for every kind to be among them, and every permission of a picker.
const CASES: usize = 600;

/// What Crossplane v2.3.4 does with what it composes: it reads it from a cache that lists and watches, applies it, takes
/// its labels off it before it deletes it (`GarbageCollectComposedResources`), and deletes it.
const COMPOSED: [&str; 7] = ["get", "list", "watch", "create", "update", "patch", "delete"];
/// What it does with what a function asks for.
const LOOKED_UP: [&str; 3] = ["get", "list", "watch"];

/// API group, resource, verb.
type Right = (String, String, String);

fn rights(groups: &[Value], resources: &[Value], verbs: &[Value]) -> BTreeSet<Right> {
    let text = |word: &Value| word.as_str().unwrap().to_owned();
    let mut rights = BTreeSet::new();
    for group in groups {
        for resource in resources {
            rights.extend(verbs.iter().map(|verb| (text(group), text(resource), text(verb))));
        }
    }
    rights
}

/// What a role grants. A rule for some names counts as one for any.
fn granted(role: &Value) -> BTreeSet<Right> {
    let list = |rule: &Value, field: &str| rule[field].as_array().unwrap().clone();
    let rules = role["rules"].as_array().unwrap().iter();
    rules
        .flat_map(|rule| rights(&list(rule, "apiGroups"), &list(rule, "resources"), &list(rule, "verbs")))
        .collect()
}

fn document(value: &Value) -> Document {
    let stream = print::yaml(std::slice::from_ref(value)).unwrap();
    yaml::parse(Path::new("generated.yaml"), &stream).unwrap().remove(0)
}

/// How the API server calls a kind, as far as ours go.
fn resource(kind: &str) -> String {
    let kind = kind.to_lowercase();
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if kind.ends_with('s') => format!("{kind}es"),
        _ => format!("{kind}s"),
    }
}

/// What every composed resource of many stacks needs.
fn needed() -> BTreeSet<Right> {
    let mut needed = rights(
        &[json!("gateway.networking.k8s.io")],
        &[json!("gatewayclasses"), json!("gateways")],
        &LOOKED_UP.map(Value::from),
    );
    for mut case in generate::deterministic(CASES, generate::case()) {
        case.compose_directly();
        let pipeline = Pipeline::alone(case.input.as_ref().map(document));
        let preview = Preview::new(document(&case.composite), pipeline, &[]).unwrap();
        let outcome = match preview.outcome(&mut Vec::new()) {
            Ok(outcome) => outcome,
            Err(error) => {
                assert!(case.may_be_refused(&format!("{error:#}")), "{error:#}: {case:?}");
                continue;
            }
        };
        for composed in outcome.composed.values() {
            let kind = composed["kind"].as_str().unwrap();
            let api_version = composed["apiVersion"].as_str().unwrap();
            let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
            assert_ne!(kind, "Object", "it is composed directly");
            needed.extend(rights(&[json!(group)], &[json!(resource(kind))], &COMPOSED.map(Value::from)));
            // Nobody may grant what they may not do themselves.
            if kind.ends_with("Role") {
                needed.extend(granted(composed));
            }
        }
    }
    needed
}

#[test]
fn crossplane_is_granted_what_the_stacks_need_and_no_more() {
    let shipped: Value =
        serde_yaml::from_str(include_str!("../package/rbac/direct.yaml")).expect("one document");
    assert_eq!(shipped["metadata"]["labels"]["rbac.crossplane.io/aggregate-to-crossplane"], "true");
    let (granted, needed) = (granted(&shipped), needed());
    let [missing, needless] =
        [(&needed, &granted), (&granted, &needed)].map(|(a, b)| a.difference(b).collect::<Vec<_>>());
    assert!(missing.is_empty() && needless.is_empty(), "missing: {missing:#?}\nneedless: {needless:#?}");
}
