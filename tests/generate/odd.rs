//! What people may write by mistake: composites that are in order but for something odd, anywhere in the schema.

use proptest::prelude::*;
use proptest::string::string_regex;
use serde_json::{Map, Value, json};

use super::places::{Place, places};
use super::{Values, composite, deterministic};

/// What to do to a composite.
#[derive(Debug, Clone)]
enum Change {
    /// Write something else at a place.
    Set(Vec<String>, Value),
    /// Write one entry of a list once more.
    Repeat(Vec<String>),
    /// Leave something out.
    Remove(Vec<String>),
    /// Call it something else.
    Name(String),
}

/// `count` composites, each with something odd, the same at every run. `spec` is the schema of that field.
pub(crate) fn composites(count: usize, spec: &Value) -> Vec<Value> {
    let places = places(spec);
    let changes = prop::collection::vec(change(&places), 1..3);
    deterministic(
        count,
        (composite(), changes).prop_map(|(composite, changes)| {
            changes.into_iter().fold(composite, |mut composite, change| {
                change.apply(&mut composite);
                composite
            })
        }),
    )
}

fn change(places: &[Place]) -> impl Strategy<Value = Change> + use<> {
    let set = |place: &Place| {
        let path = place.path.clone();
        odd(&place.schema).prop_map(move |value| Change::Set(path.clone(), value)).boxed()
    };
    let lists: Vec<Vec<String>> = places
        .iter()
        .filter(|place| place.schema["type"] == "array")
        .map(|place| place.path.clone())
        .collect();
    let removable: Vec<Vec<String>> = places.iter().map(|place| place.path.clone()).collect();
    prop_oneof![
        20 => prop::strategy::Union::new(places.iter().map(set)),
        1 => prop::sample::select(lists).prop_map(Change::Repeat),
        1 => prop::sample::select(removable).prop_map(Change::Remove),
        1 => "[a-z0-9]([a-z0-9.-]{0,70}[a-z0-9])?|[A-Z_a-z-]{1,8}".prop_map(Change::Name),
    ]
}

/// Something that a place may hold, just may not, or is not made for.
fn odd(schema: &Value) -> Values {
    let mut values: Vec<(u32, Values)> = vec![(1, of_another_type())];
    match schema["type"].as_str() {
        Some("object") => {
            values.push((2, Just(json!({})).boxed()));
            if schema["additionalProperties"].is_object() {
                let entries = prop::collection::btree_map(key(), odd(&schema["additionalProperties"]), 1..3);
                values.push((12, entries.prop_map(|entries| json!(entries)).boxed()));
            }
        }
        Some("array") => {
            let max = usize::try_from(schema["maxItems"].as_u64().unwrap_or(8)).unwrap();
            values.push((1, Just(json!([])).boxed()));
            values
                .push((4, prop::collection::vec(odd(&schema["items"]), 1..4).prop_map(Value::from).boxed()));
            // As many as there may be, or one more.
            let many = prop::collection::vec(odd(&schema["items"]), max..max + 2).prop_map(Value::from);
            values.push((1, many.boxed()));
        }
        Some("integer" | "number") => values.push((10, odd_number(schema))),
        Some("string") | None => values.push((16, odd_text(schema))),
        Some(_) => values.push((3, any::<bool>().prop_map(Value::from).boxed())),
    }
    prop::strategy::Union::new_weighted(values).boxed()
}

fn of_another_type() -> Values {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(0.5),
        json!(-1),
        json!(""),
        json!("a"),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({"a": "b"}),
    ])
    .boxed()
}

/// Around both bounds, and whole numbers with a fraction.
fn odd_number(schema: &Value) -> Values {
    let bounds = [&schema["minimum"], &schema["maximum"]].map(|bound| bound.as_f64().unwrap_or_default());
    prop::sample::select(bounds.to_vec())
        .prop_flat_map(|bound| {
            // To the API server, what is within a billionth of a whole number is whole (go-openapi/swag, `number.go`).
            let near = if bound.abs() < 1e6 { 0.001 } else { 0.5 };
            prop::sample::select(vec![0.0, 0.0, 1.0, -1.0, 0.5, -near, near]).prop_map(move |more| {
                let number = bound + more;
                // What JSON tells apart and Kubernetes does not is written as people write it.
                if number.fract() == 0.0 { format!("{number:.0}").parse().unwrap() } else { json!(number) }
            })
        })
        .boxed()
}

/// What fits the pattern, what nearly does, and what is as long as it may be or a little longer.
fn odd_text(schema: &Value) -> Values {
    if let Some(choices) = schema["enum"].as_array() {
        let choices = prop::sample::select(choices.clone());
        return prop_oneof![
            6 => choices.clone(),
            1 => choices.prop_map(|choice| choice.as_str().unwrap_or_default().to_uppercase().into()),
        ]
        .boxed();
    }
    let max = usize::try_from(schema["maxLength"].as_u64().unwrap_or(64)).unwrap();
    let fitting = match schema["pattern"].as_str() {
        // Generated texts have an end anyway.
        Some(pattern) => string_regex(pattern.trim_start_matches('^').trim_end_matches('$')).unwrap().boxed(),
        None => ".{0,40}".boxed(),
    };
    let nearly = (fitting.clone(), any::<prop::sample::Index>(), stranger()).prop_map(|(text, at, odd)| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.insert(at.index(letters.len() + 1), odd);
        letters.into_iter().collect::<String>()
    });
    let repeated = (fitting.clone(), max.saturating_sub(1)..max + 2).prop_map(|(text, length)| {
        let text = if text.is_empty() { "a".to_owned() } else { text };
        text.chars().cycle().take(length).collect::<String>()
    });
    let special = prop::sample::select(vec![
        "10.0.0.1",
        "::1",
        "1::",
        "0s",
        "1ms",
        "24h",
        "25h",
        "0",
        "0.0001",
        "1e3",
        "1.5",
        "1.0005",
        "0.5m",
        "100m",
        "0.1Ki",
        "1.5Gi",
        "9Ei",
        "999999999999999E",
        "8Ei",
        "HF_TOKEN",
        "VLLM_WORKER_MULTIPROC_METHOD",
        "VLLM_USE_V1",
        "--port",
        "--dtype=half",
        "-tp",
        "--model_name",
        "--max_model-len=1",
        "*",
        "*.a",
        "a.",
        "kube-system",
        "crossplane-system",
        "https://a:b@c",
        "http://a?b",
        "http://[::1]:9090/x",
        "yes",
        "1_000",
        " ",
    ]);
    prop_oneof![
        8 => fitting,
        2 => nearly,
        1 => repeated,
        3 => special.prop_map(str::to_owned),
    ]
    .prop_map(Value::from)
    .boxed()
}

/// Characters that people and programs stumble over.
fn stranger() -> impl Strategy<Value = char> {
    prop::sample::select(vec![
        'a',
        'A',
        '0',
        '-',
        '_',
        '.',
        '/',
        ':',
        '@',
        '*',
        '=',
        ' ',
        '\t',
        '\n',
        '\u{b}',
        '\u{85}',
        '\u{a0}',
        '\u{e9}',
        '\u{1f600}',
        '"',
        '\'',
        '#',
        '?',
        '%',
        '\\',
    ])
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        "([a-z]{1,6}[.]io/)?[a-z]{1,8}",
        "[a-zA-Z0-9/._-]{0,12}",
        "[a-z]{62,65}",
        "[a-z.]{250,255}/[a-z]{1,3}",
        stranger().prop_map(String::from),
    ]
}

impl Change {
    fn apply(self, composite: &mut Value) {
        match self {
            Self::Set(path, value) => *at(&mut composite["spec"], &path) = value,
            Self::Repeat(path) => {
                if let Some(entries) = at(&mut composite["spec"], &path).as_array_mut()
                    && let Some(entry) = entries.first().cloned()
                {
                    entries.push(entry);
                }
            }
            Self::Remove(path) => *at(&mut composite["spec"], &path) = Value::Null,
            Self::Name(name) => composite["metadata"]["name"] = name.into(),
        }
    }
}

/// The value at a place: the first entry of a list, one value of a map. What is missing or of another type on the way is
/// made.
fn at<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Value {
    let Some((step, rest)) = path.split_first() else { return value };
    let next = match step.as_str() {
        "[]" => {
            if value.as_array().is_none_or(Vec::is_empty) {
                *value = json!([null]);
            }
            &mut value[0]
        }
        "{}" => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            let fields = value.as_object_mut().unwrap();
            let key = fields.keys().next().cloned().unwrap_or_else(|| "key".to_owned());
            fields.entry(key).or_insert(Value::Null)
        }
        field => {
            if !value.is_object() {
                *value = Value::Object(Map::new());
            }
            &mut value[field]
        }
    };
    at(next, rest)
}
