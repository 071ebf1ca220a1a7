//! Whatever comes in ends in an answer: the fuzz targets of `fuzz/`, with input that is near to what is right.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test that finds something else than it looks for has failed"
)]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

#[path = "../fuzz/seeds.rs"]
mod seeds;
#[path = "../fuzz/targets.rs"]
mod targets;

/// What takes the place of a value.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec![
            json!(null),
            json!(true),
            json!(0),
            json!(-1),
            json!(0.5),
            json!(1e300),
            json!(9_007_199_254_740_993_i64),
            json!(""),
            json!([]),
            json!({}),
            json!([null]),
            json!({"": {"": []}}),
        ]),
        ".{0,20}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z]{300}".prop_map(Value::from),
    ]
}

/// Puts something else in the place of a field that a walk finds, adds a field beside it, or takes it away.
fn change(value: &mut Value, walk: &[Index], new: &Value, how: u8) {
    let ([index, rest @ ..], Some(length)) = (walk, length(value)) else {
        *value = new.clone();
        return;
    };
    match value {
        Value::Object(fields) => {
            let key = fields.keys().nth(index.index(length)).unwrap().clone();
            match how {
                0 if rest.is_empty() => {
                    fields.remove(&key);
                }
                1 if rest.is_empty() => {
                    fields.insert(format!("{key}x"), new.clone());
                }
                _ => change(&mut fields[&key], rest, new, how),
            }
        }
        Value::Array(items) => change(&mut items[index.index(length)], rest, new, how),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            unreachable!("only what has a length is walked into")
        }
    }
}

/// How many values are inside; none where there is nothing to walk into.
fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Object(fields) => Some(fields.len()),
        Value::Array(items) => Some(items.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
    .filter(|length| *length > 0)
}

fn changed(seeds: Vec<Value>) -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((vec(any::<Index>(), 1..9), odd(), 0..3_u8), 1..4);
    (select(seeds), changes).prop_map(|(mut value, changes)| {
        for (walk, new, how) in &changes {
            change(&mut value, walk, new, *how);
        }
        serde_json::to_vec(&value).unwrap()
    })
}

/// Bytes that are flipped, left out, put in twice, or cut off.
fn damaged(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let damages = vec((any::<Index>(), 0..5_u8, any::<u8>(), 1..40_usize), 1..6);
    (select(seeds), damages).prop_map(|(mut bytes, damages)| {
        for (index, how, byte, length) in damages {
            if bytes.is_empty() {
                break;
            }
            let start = index.index(bytes.len());
            let end = (start + length).min(bytes.len());
            match how {
                0 => bytes[start] = byte,
                1 => {
                    bytes.drain(start..end);
                }
                2 => bytes.insert(start, byte),
                3 => {
                    let again = bytes[start..end].to_vec();
                    bytes.splice(start..start, again);
                }
                _ => bytes.truncate(start + 1),
            }
        }
        bytes
    })
}

proptest! {
    // A failing case is printed whole; it belongs into a table test.
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_requests_are_answered(bytes in damaged(seeds::requests())) {
        targets::request(&bytes);
    }

    #[test]
    fn odd_composites_and_inputs_are_answered(json in changed(seeds::composites())) {
        targets::composite(&json);
    }

    #[test]
    fn odd_observed_objects_are_answered(json in changed(seeds::observed())) {
        targets::observed(&json);
    }

    #[test]
    fn damaged_yaml_is_read_or_refused(bytes in damaged(seeds::yaml())) {
        targets::yaml(&bytes);
    }
}
