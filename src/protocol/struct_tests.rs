//! The direct way from and to `Struct` wire bytes, against the way through prost's own types.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use prost::Message;
use prost_types::Struct;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::testing::{Rng, field, json_of, object, struct_of};
use super::{DEPTH_LIMIT, Fault, Item, StructError, from_struct, look_into, to_struct};

fn any_json() -> impl Strategy<Value = Json> {
    let whole = (-(1_i64 << 53)..=(1 << 53)).prop_map(Json::from);
    let broken =
        any::<f64>().prop_filter("not whole", |n| n.is_finite() && n.fract() != 0.0).prop_map(Json::from);
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        whole,
        broken,
        ".{0,200}".prop_map(Json::String)
    ];
    let nested = scalar.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::Array),
            prop::collection::btree_map(".{0,8}", inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    });
    prop::collection::btree_map(".{0,8}", nested, 0..5).prop_map(|map| map.into_iter().collect())
}

proptest! {
    #[test]
    fn what_is_written_is_what_prost_writes_and_reads_back(json in any_json()) {
        let bytes = to_struct(&json).unwrap();
        prop_assert_eq!(&bytes, &struct_of(&json).encode_to_vec());
        prop_assert_eq!(from_struct(&bytes).unwrap(), json);
    }
}

/// Reads the way through prost; `None` where it refuses.
fn through_prost(bytes: &[u8]) -> Option<Json> {
    Struct::decode(bytes).ok().map(|object| json_of(&object))
}

#[test]
fn whatever_prost_reads_reads_the_same() {
    for seed in 0..20_000 {
        let bytes = object(&mut Rng(seed), 3);
        assert_eq!(from_struct(&bytes).unwrap(), through_prost(&bytes).unwrap(), "seed {seed}");
    }
}

/// What is looked at where it stands is what is read, however it was written.
#[test]
fn what_is_looked_at_is_what_is_read() {
    fn check(item: &Item<'_, '_>, want: &Json) -> Result<(), Fault> {
        assert_eq!(item.is_null()?, want.is_null());
        match want {
            Json::Object(object) => {
                let mut keys = BTreeSet::new();
                item.each_field(|key, _| {
                    keys.insert(key.to_owned());
                    Ok(())
                })?;
                assert_eq!(keys, object.keys().cloned().collect());
                for name in ["a", "b", "status", "größe", ""] {
                    let [field] = item.fields([name])?;
                    check(&field, object.get(name).unwrap_or_default())?;
                }
            }
            Json::Array(items) => {
                let mut wanted = items.iter();
                item.each_item(|item| check(item, wanted.next().unwrap()))?;
                assert_eq!(wanted.next(), None);
            }
            Json::String(text) => assert_eq!(item.text()?, Some(text.as_str())),
            Json::Number(number) if number.as_i64().is_some() => {
                assert_eq!(item.integer()?, number.as_i64());
            }
            Json::Number(_) | Json::Bool(_) | Json::Null => {}
        }
        Ok(())
    }
    for seed in 0..20_000 {
        let bytes = object(&mut Rng(seed), 3);
        let want = from_struct(&bytes).unwrap();
        look_into(&bytes, |item| check(item, &want)).unwrap();
    }
}

#[test]
fn what_is_not_what_it_should_be_is_told_with_its_place() {
    type Look = fn(&Item<'_, '_>) -> Result<(), Fault>;

    let bytes = to_struct(
        &json!({ "spec": { "items": [{ "count": 1.5 }, "one"], "name": 7, "on": true, "large": 70000 } }),
    )
    .unwrap();
    let told = |look: Look| {
        let inside = |item: &Item<'_, '_>| {
            let [spec] = item.fields(["spec"])?;
            look(&spec)
        };
        look_into(&bytes, inside).unwrap_err().to_string()
    };
    let cases: [(Look, &str); 5] = [
        (|spec| spec.text().map(drop), "spec: invalid type: map, expected a string"),
        (
            |spec| spec.fields(["name"])?[0].fields(["a"]).map(drop),
            "spec.name: invalid type: integer `7`, expected an object",
        ),
        (
            |spec| spec.fields(["on"])?[0].each_item(|_| Ok(())),
            "spec.on: invalid type: boolean `true`, expected a list",
        ),
        (
            |spec| {
                spec.fields(["items"])?[0].each_item(|item| item.fields(["count"])?[0].integer().map(drop))
            },
            "spec.items[0].count: invalid type: floating point `1.5`, expected an integer",
        ),
        (
            |spec| spec.fields(["large"])?[0].number::<u16>().map(drop),
            "spec.large: invalid value: integer `70000`, expected an unsigned integer of 16 bits",
        ),
    ];
    for (look, want) in cases {
        assert_eq!(told(look), want);
    }
}

#[test]
fn damaged_bytes_are_an_error_or_what_prost_reads_and_never_a_panic() {
    let (mut same, mut stricter) = (0, 0);
    for seed in 0..20_000 {
        let mut rng = Rng(seed);
        let mut bytes = object(&mut rng, 3);
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len() + 1);
            match rng.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, rng.next().to_le_bytes()[0]),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = rng.next().to_le_bytes()[0];
                    }
                }
            }
        }
        let ours = from_struct(&bytes);
        let Ok(object) = Struct::decode(bytes.as_slice()) else { continue };
        match ours {
            // A number that JSON or a double has no room for.
            Err(StructError::NotFinite(_) | StructError::Rounded(_)) => {}
            // prost takes a number in the place of a map entry for the entry's length.
            Err(StructError::Malformed) => stricter += 1,
            ours => {
                assert_eq!(ours, Ok(json_of(&object)), "seed {seed}: {bytes:02x?}");
                same += 1;
            }
        }
    }
    assert!(same > 1000 && stricter < same / 100, "{same} read the same, {stricter} refused");
}

#[test]
fn random_bytes_never_panic() {
    for seed in 0..20_000 {
        let mut rng = Rng(seed);
        let bytes: Vec<u8> = (0..rng.below(64))
            .map(|_| rng.pick(&[0x0a, 0x12, 0x2a, 0x32, 0x1a, 0x01, 0x02, 0x05, 0x0b, 0xff]))
            .collect();
        drop(from_struct(&bytes));
    }
}

/// A `Struct` with one field.
fn with(key: &str, value: &[u8]) -> Vec<u8> {
    field(1, &[field(1, key.as_bytes()), field(2, value)].concat())
}

/// So many lists in each other, in an object.
fn nested_lists(depth: usize) -> Vec<u8> {
    // From the inside out, the lengths in reverse, since a list of ten thousand would be copied as often.
    let mut reversed: Vec<u8> = Vec::new();
    for _ in 0..depth {
        // A list with one item, or with none, as a value.
        if !reversed.is_empty() {
            prepend(&mut reversed, 0x0a);
        }
        prepend(&mut reversed, 0x32);
    }
    reversed.reverse();
    with("lists", &reversed)
}

fn prepend(reversed: &mut Vec<u8>, tag: u8) {
    let mut len = Vec::new();
    super::wire::put_len(&mut len, reversed.len());
    reversed.extend(len.iter().rev());
    reversed.push(tag);
}

#[test]
fn nesting_is_read_and_written_up_to_a_limit() {
    let limit = usize::from(DEPTH_LIMIT);
    // The object around the lists counts.
    let deepest = nested_lists(limit - 1);
    let json = from_struct(&deepest).unwrap();
    assert_eq!(to_struct(&json).unwrap(), deepest);

    for depth in [limit, 10_000] {
        assert_eq!(from_struct(&nested_lists(depth)), Err(StructError::TooDeep), "{depth}");
    }
    assert_eq!(to_struct(&json!({ "deeper": json })), Err(StructError::TooDeep));
}

#[test]
fn what_nobody_asks_for_may_be_nested_too_deep_or_no_text() {
    let bytes = [
        nested_lists(10_000),
        with("bytes", &field(3, &[0xff])),
        with("object", &field(5, &with("garbage", &[0xff, 0xff]))),
        field(1, &[field(1, &[0xff]), field(2, &field(3, b"a key that is no text"))].concat()),
        with("name", &field(3, b"qwen")),
    ]
    .concat();
    let name = look_into(&bytes, |object| object.fields(["name"])?[0].owned());
    assert_eq!(name, Ok(Some("qwen".to_owned())));
}

#[test]
fn text_that_is_read_has_to_be_text() {
    let cases = [
        (with("name", &field(3, &[0xff])), "a string"),
        (field(1, &[field(1, &[0xff]), field(2, &field(3, b"x"))].concat()), "a key"),
    ];
    for (bytes, reason) in cases {
        assert_eq!(from_struct(&bytes), Err(StructError::NotUtf8), "{reason}");
    }
}

#[test]
fn of_a_repeated_key_the_last_entry_counts() {
    let text = |text: &str| field(3, text.as_bytes());
    let bytes = [
        with("name", &text("first")),
        with("gpu", &[&[0x11][..], &8_f64.to_le_bytes()].concat()),
        with("name", &text("second")),
        with("gpu", &[]),
        with("name", &text("third")),
    ]
    .concat();
    assert_eq!(from_struct(&bytes), Ok(json!({ "name": "third", "gpu": null })));
    let looked = look_into(&bytes, |object| {
        let [name, gpu] = object.fields(["name", "gpu"])?;
        Ok((name.owned()?, gpu.integer()?))
    });
    assert_eq!(looked, Ok((Some("third".to_owned()), None)));
}

#[test]
fn the_first_thing_wrong_does_not_hang_on_the_order_of_fields() {
    let [a, b] = [("a", f64::NAN), ("b", f64::INFINITY)]
        .map(|(key, number)| with(key, &[&[0x11][..], &number.to_le_bytes()].concat()));
    let want = Err(StructError::NotFinite("NaN".to_owned()));
    for bytes in [[a.clone(), b.clone()], [b, a]] {
        assert_eq!(from_struct(&bytes.concat()), want);
    }
}

#[test]
fn integers_are_exact_or_refused() {
    const LIMIT: i64 = 1 << 53;
    let number = |number: f64| with("n", &[&[0x11][..], &number.to_le_bytes()].concat());
    for exact in [0, 1, -1, LIMIT - 1, LIMIT, -LIMIT] {
        let bytes = to_struct(&BTreeMap::from([("n", exact)])).unwrap();
        assert_eq!(from_struct(&bytes).unwrap(), json!({ "n": exact }));
    }
    for beyond in [LIMIT + 1, -LIMIT - 1, i64::MAX, i64::MIN] {
        let refused = StructError::Rounded(beyond.to_string());
        assert_eq!(to_struct(&BTreeMap::from([("n", beyond)])), Err(refused));
    }
    assert_eq!(
        to_struct(&BTreeMap::from([("n", u64::MAX)])),
        Err(StructError::Rounded(u64::MAX.to_string()))
    );

    #[allow(clippy::cast_precision_loss, reason = "the next double after the limit is meant")]
    let next = (LIMIT + 2) as f64;
    assert_eq!(from_struct(&number(next)), Err(StructError::Rounded("9007199254740994".to_owned())));
    for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refused = StructError::NotFinite(broken.to_string());
        assert_eq!(from_struct(&number(broken)), Err(refused.clone()));
        assert_eq!(to_struct(&BTreeMap::from([("n", broken)])), Err(refused));
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Everything {
    unit: (),
    absent: Option<u32>,
    present: Option<u32>,
    pair: (u8, String),
    letter: char,
    wrapped: Wrapped,
    variants: Vec<Variant>,
    either: Either,
    #[serde(flatten)]
    shared: Shared,
    #[serde(flatten)]
    rest: BTreeMap<String, Json>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(f64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Shared {
    min: u32,
    max: Option<i8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Variant {
    Unit,
    Newtype(Option<u32>),
    Tuple(u32, bool),
    Struct { inside: i32 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(i32),
    Text(String),
}

#[test]
fn every_kind_of_type_is_written_as_serde_json_does_and_read_back() {
    let everything = Everything {
        unit: (),
        absent: None,
        present: Some(1),
        pair: (2, "two".to_owned()),
        letter: 'ß',
        wrapped: Wrapped(0.5),
        variants: vec![
            Variant::Unit,
            Variant::Newtype(Some(3)),
            Variant::Tuple(4, true),
            Variant::Struct { inside: -5 },
        ],
        either: Either::Number(-6),
        shared: Shared { min: 7, max: None },
        rest: BTreeMap::from([("extra".to_owned(), json!([null, { "deep": [8.5] }]))]),
    };
    let bytes = to_struct(&everything).unwrap();
    let mut json = serde_json::to_value(&everything).unwrap();
    for absent in ["absent", "max"] {
        assert_eq!(json.as_object_mut().unwrap().remove(absent), Some(Json::Null), "serde_json writes null");
    }
    assert_eq!(from_struct(&bytes).unwrap(), json);
    assert_eq!(serde_json::from_value::<Everything>(json).unwrap(), everything);
    // `None` inside a variant has no field to leave out; an absent content reads as none.
    let none = to_struct(&Variant::Newtype(None)).unwrap();
    assert!(from_struct(&none).unwrap().as_object().unwrap().is_empty());
}

#[test]
fn texts_are_looked_at_where_they_stand() {
    let bytes = to_struct(&json!({ "labels": { "app": "vllm" } })).unwrap();
    look_into(&bytes, |object| {
        let [labels] = object.fields(["labels"])?;
        labels.each_field(|key, value| {
            for text in [Some(key), value.text()?] {
                assert!(bytes.as_ptr_range().contains(&text.unwrap().as_ptr()));
            }
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn none_is_left_out_of_objects_but_not_of_lists() {
    #[derive(Serialize)]
    struct Optional {
        none: Option<u32>,
        list: Vec<Option<u32>>,
        map: BTreeMap<&'static str, Option<u32>>,
    }
    let value = Optional {
        none: None,
        list: vec![None, Some(1)],
        map: BTreeMap::from([("none", None), ("some", Some(2))]),
    };
    let json = from_struct(&to_struct(&value).unwrap()).unwrap();
    assert_eq!(json, json!({ "list": [null, 1], "map": { "some": 2 } }));
}

#[test]
fn fields_are_written_in_the_order_given() {
    #[derive(Serialize)]
    struct Ordered {
        kind: &'static str,
        api_version: &'static str,
    }
    let bytes = to_struct(&Ordered { kind: "Pod", api_version: "v1" }).unwrap();
    assert_eq!(bytes, [with("kind", &field(3, b"Pod")), with("api_version", &field(3, b"v1"))].concat());
}

#[test]
fn what_has_no_form_is_refused() {
    struct Bytes(&'static [u8]);
    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }
    let not_an_object = StructError::NotAnObject;
    assert_eq!(to_struct("text"), Err(not_an_object("a string")));
    assert_eq!(to_struct(&1), Err(not_an_object("a number")));
    assert_eq!(to_struct(&[1]), Err(not_an_object("a list")));
    assert_eq!(to_struct(&None::<u32>), Err(not_an_object("null")));
    assert_eq!(to_struct(&BTreeMap::from([(1, 1)])), Err(StructError::KeyNotAString("a number")));
    assert_eq!(to_struct(&BTreeMap::from([(None::<u32>, 1)])), Err(StructError::KeyNotAString("null")));
    assert_eq!(to_struct(&BTreeMap::from([("b", Bytes(b"b"))])), Err(StructError::NotJson("bytes")));
}

#[test]
fn kubernetes_types_are_written_as_they_are_read() {
    let deployment = json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "name": "picker", "labels": { "app": "picker" }, "creationTimestamp": "2026-01-02T03:04:05Z" },
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": { "app": "picker" } },
            "strategy": { "rollingUpdate": { "maxSurge": 1, "maxUnavailable": "25%" } },
            "template": { "spec": { "containers": [{
                "name": "picker",
                "resources": { "requests": { "cpu": "250m" } },
                "ports": [{ "containerPort": 9002 }],
                "livenessProbe": { "grpc": { "port": 9003, "service": "liveness" } },
            }] } },
        },
    });
    let typed: k8s_openapi::api::apps::v1::Deployment = serde_json::from_value(deployment.clone()).unwrap();
    let mut json = from_struct(&to_struct(&typed).unwrap()).unwrap();
    // The type writes the template's metadata whether there is any or not.
    json["spec"]["template"].as_object_mut().unwrap().remove("metadata");
    assert_eq!(json, deployment);
}
