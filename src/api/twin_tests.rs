//! The XRD and `read` give the same verdict: what the API server lets through, the function can use, and it refuses
//! whatever the API server would have.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::admission::{Refusal, refuse, schema};
use super::coverage_tests::{replace, samples};
use super::problem::Source;
use super::tests::{composite, problems};

/// One document a line. The end-to-end tests show that a real API server says the same to each.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fields that are in order; each exercises a rule or a bound from its right side.
fn good() -> Vec<Value> {
    lines(include_str!("../../tests/admission/admitted.jsonl"))
}

/// Fields that are not in order.
fn bad() -> Vec<Value> {
    lines(include_str!("../../tests/admission/refused.jsonl"))
}

#[test]
fn what_the_api_server_admits_the_function_can_use() {
    for fields in good() {
        let composite = composite(fields.clone());
        assert_eq!(refuse(&composite, None), Refusal::None, "{fields}");
        assert_eq!(problems(composite, None), [""; 0], "{fields}");
    }
}

#[test]
fn what_the_api_server_refuses_the_function_refuses() {
    for fields in bad() {
        let composite = composite(fields.clone());
        assert_ne!(refuse(&composite, None), Refusal::None, "{fields}");
        let found = problems(composite, None);
        assert!(found.iter().any(|problem| !problem.contains("not supported yet")), "{fields}: {found:?}");
    }
}

/// What only the function can judge: it depends on the platform or on this version.
const FUNCTION_ONLY: [&str; 9] = [
    "VLLMRuntime has no place for it",
    "VLLMRuntime takes literal values only",
    "not supported yet",
    "the platform's policy permits",
    "where the platform routes by host",
    "must be there where gateway.enabled is true",
    "must name the provider configuration",
    "must have timeToFirstToken or interTokenLatency",
    "must be left out where the metric is another than latency",
];

#[test]
fn every_field_is_judged_alike_whatever_stands_there() {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(0.5),
        json!(1.5),
        json!(16),
        json!(17),
        json!(1001),
        json!(2_147_483_648_i64),
        json!(""),
        json!("a"),
        json!("A"),
        json!("-a"),
        json!("a b"),
        json!("a.b"),
        json!("a/b"),
        json!("1"),
        json!("10.0.0.1"),
        json!("*.a"),
        json!("10m"),
        json!("25h"),
        json!("500m"),
        json!("1Gi"),
        json!("http://a:1/b"),
        json!("http://a@b"),
        json!("1.5"),
        json!("0.1Ki"),
        json!("0.0001"),
        json!("9Ei"),
        json!("a..b/c"),
        json!("--dtype"),
        json!("HF_TOKEN"),
        json!("kv-cache"),
        json!("Exists"),
        json!("NoExecute"),
        json!("\u{e9}"),
        json!("a".repeat(64)),
        json!("a".repeat(5000)),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({"a": "b"}),
    ];
    for (source, path, sample) in samples() {
        if source != Source::Composite || path.contains("{}") {
            continue;
        }
        for value in &values {
            let mut fields = sample.clone();
            replace(&mut fields, path, value);
            let composite = composite(fields.clone());
            let verdict = refuse(&composite, None);
            let found = problems(composite, None);
            let own = found.iter().any(|problem| !FUNCTION_ONLY.iter().any(|only| problem.contains(only)));
            assert_eq!(own, verdict != Refusal::None, "{fields}: {verdict:?} but {found:?}");
        }
    }
}

#[test]
fn names_are_judged_alike() {
    for (name, fits) in
        [("a", true), ("a-1", true), ("1a", false), ("a-", false), ("A", false), ("a.b", false)]
    {
        let mut composite = composite(json!({}));
        composite["metadata"]["name"] = json!(name);
        assert_eq!(refuse(&composite, None) == Refusal::None, fits, "{name}");
        assert_eq!(problems(composite.clone(), None).is_empty(), fits, "{name}");
        // An object with such a name may exist from before the rule: it can still be changed, and so deleted.
        assert_eq!(refuse(&composite, Some(&composite)), Refusal::None, "{name}");
    }
}

#[test]
fn what_stands_once_stays() {
    for change in lines(include_str!("../../tests/admission/changes.jsonl")) {
        let [old, new] = ["old", "new"].map(|which| written(composite(change[which].clone())));
        let verdict = refuse(&new, Some(&old));
        assert_eq!(verdict == Refusal::None, change["admitted"] == true, "{change}: {verdict:?}");
    }
}

/// As the API server stores it: without nulls.
fn written(mut composite: Value) -> Value {
    composite["spec"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    composite
}

#[test]
fn every_rule_has_a_case_that_it_alone_refuses() {
    let mut broken: BTreeSet<String> = BTreeSet::new();
    for fields in bad() {
        if let Refusal::Rules(rules) = refuse(&composite(fields), None) {
            broken.extend(rules);
        }
    }
    let mut rules = BTreeSet::new();
    collect(&schema(), &mut rules);
    let unproved: Vec<_> = rules.difference(&broken).filter(|rule| !rule.contains("oldSelf")).collect();
    assert_eq!(unproved, [""; 0]);
}

fn collect(schema: &Value, rules: &mut BTreeSet<String>) {
    for entry in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        rules.insert(entry["rule"].as_str().unwrap().to_owned());
    }
    for (_, inner) in schema.as_object().into_iter().flatten().filter(|(_, inner)| inner.is_object()) {
        collect(inner, rules);
    }
}
