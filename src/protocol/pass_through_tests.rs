//! What others want comes back as it was, with ours on top: the official messages judge.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::{Value as Json, json};

use super::testing::{Rng, field, json_of, object, request, state, struct_of, unknown};
use super::view::{Ready, ResponseMeta, RunFunctionRequest, RunFunctionResponse};
use super::{StructError, desired, official, to_struct};

/// The response of a function that wants a status and two resources and has no opinion on anything else.
fn respond(request: &RunFunctionRequest, status: &Json) -> RunFunctionResponse {
    let mut ours = desired::Part::default();
    ours.status("example.org/v1", "Example", status, &request.desired).unwrap();
    ours.resource("ours-1", &json!({ "kind": "Service" }), Ready::True).unwrap();
    ours.resource("ours-2", &json!({}), Ready::Unspecified).unwrap();

    let mut desired = request.desired.clone();
    desired.push(ours.encode());
    RunFunctionResponse {
        meta: Some(ResponseMeta { tag: request.tag().to_owned(), ttl: None }),
        desired,
        context: request.context.clone(),
        ..RunFunctionResponse::default()
    }
}

/// What the official messages make of the same function.
fn expected(request: official::RunFunctionRequest, status: &Json) -> official::RunFunctionResponse {
    let resource = |object: &Json, ready: Ready| official::Resource {
        resource: Some(struct_of(object)),
        ready: ready.into(),
        ..official::Resource::default()
    };
    let mut desired = request.desired.unwrap_or_default();
    desired.resources.insert("ours-1".to_owned(), resource(&json!({ "kind": "Service" }), Ready::True));
    desired.resources.insert("ours-2".to_owned(), resource(&json!({}), Ready::Unspecified));

    let composite = &mut desired.composite.get_or_insert_default().resource.get_or_insert_default().fields;
    composite.insert("apiVersion".to_owned(), Value::from("example.org/v1"));
    composite.insert("kind".to_owned(), Value::from("Example"));
    let theirs = composite.remove("status");
    let ours = Value { kind: Some(Kind::StructValue(struct_of(status))) };
    composite.insert("status".to_owned(), merged(theirs, ours));

    official::RunFunctionResponse {
        meta: Some(ResponseMeta { tag: request.meta.unwrap_or_default().tag, ttl: None }),
        desired: Some(desired),
        context: request.context,
        ..official::RunFunctionResponse::default()
    }
}

/// Objects merge; all else of ours replaces theirs.
fn merged(theirs: Option<Value>, ours: Value) -> Value {
    match (theirs.and_then(|value| value.kind), ours.kind) {
        (Some(Kind::StructValue(mut theirs)), Some(Kind::StructValue(ours))) => {
            for (key, value) in ours.fields {
                let value = merged(theirs.fields.remove(&key), value);
                theirs.fields.insert(key, value);
            }
            Value { kind: Some(Kind::StructValue(theirs)) }
        }
        (_, ours) => Value { kind: ours },
    }
}

#[test]
fn the_official_messages_see_what_others_want_and_ours_on_top() {
    for seed in 0..20_000 {
        let mut rng = Rng(seed);
        let bytes = Bytes::from(request(&mut rng));
        let status = json_of(&Struct::decode(object(&mut rng, 2).as_slice()).unwrap());

        let view = RunFunctionRequest::decode(bytes.clone()).unwrap();
        let official = official::RunFunctionRequest::decode(bytes).unwrap();
        let mut keys: Vec<_> = desired::keys(&view.desired).map(Result::unwrap).collect();
        keys.sort_unstable();
        keys.dedup();
        let official_keys: Vec<_> =
            official.desired.iter().flat_map(|state| state.resources.keys()).collect();
        assert_eq!(keys, official_keys, "seed {seed}");

        let response = respond(&view, &status);
        assert_eq!(response.to_official().unwrap(), expected(official, &status), "seed {seed}");
        if seed % 20 == 0 {
            assert_eq!(
                respond(&view, &status).encode_to_vec(),
                response.encode_to_vec(),
                "seed {seed}, again"
            );
        }
    }
}

#[test]
fn the_official_messages_see_the_same_observed_state_and_input() {
    let read = |bytes: Option<Bytes>| bytes.map(|bytes| Struct::decode(bytes).unwrap());
    for seed in 0..5_000 {
        let bytes = Bytes::from(request(&mut Rng(seed)));
        let view = RunFunctionRequest::decode(bytes.clone()).unwrap();
        let official = official::RunFunctionRequest::decode(bytes).unwrap();
        let observed = official.observed.unwrap_or_default();

        assert_eq!(view.meta, official.meta, "seed {seed}");
        assert_eq!(read(super::join(&view.input)), official.input, "seed {seed}");
        assert_eq!(
            read(view.observed_composite()),
            observed.composite.and_then(|xr| xr.resource),
            "seed {seed}"
        );
        let resources: BTreeMap<_, _> = view
            .observed_resources()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), read(value.object())))
            .collect();
        let official: BTreeMap<_, _> =
            observed.resources.into_iter().map(|(key, resource)| (key, resource.resource)).collect();
        assert_eq!(resources, official, "seed {seed}");
    }
}

/// The contents of all fields of this number, in order.
fn contents(message: &[u8], number: u8) -> Vec<Vec<u8>> {
    super::wire::Body::One(message)
        .fields()
        .map(Result::unwrap)
        .filter(|found| found.number == u32::from(number))
        .map(|found| {
            // A field of this project's own making: put together again, it has to be the same bytes.
            let super::wire::Payload::Bytes(content) = found.payload else {
                panic!("no bytes in field {number}")
            };
            assert_eq!(field(number, content), found.raw);
            content.to_vec()
        })
        .collect()
}

#[test]
fn others_bytes_come_back_as_they_are_unknown_fields_included() {
    let mut unknown_seen = 0;
    for seed in 0..5_000 {
        let bytes = request(&mut Rng(seed));
        let view = RunFunctionRequest::decode(Bytes::from(bytes.clone())).unwrap();
        let response = respond(&view, &json!({ "ready": true })).encode_to_vec();
        let [desired, context] = [3, 5].map(|number| contents(&bytes, number));
        let returned = contents(&response, 2);
        assert_eq!(returned[..desired.len()], desired, "seed {seed}");
        assert_eq!(returned.len(), desired.len() + 1, "seed {seed}");
        assert_eq!(contents(&response, 4), context, "seed {seed}");
        unknown_seen += usize::from(desired.concat().windows(2).any(|pair| pair == [0x7d, 1]));
    }
    assert!(unknown_seen > 500, "few unknown fields to survive: {unknown_seen}");
}

#[test]
fn absent_and_empty_stay_apart() {
    let empty = RunFunctionRequest { context: vec![Bytes::new()], ..RunFunctionRequest::default() };
    let cases = [
        (RunFunctionRequest::default(), None, "an absent context stays absent"),
        (empty, Some(Struct::default()), "an empty context stays there"),
    ];
    for (request, want, reason) in cases {
        let request = RunFunctionRequest::decode(Bytes::from(request.encode_to_vec())).unwrap();
        assert_eq!(respond(&request, &json!({})).to_official().unwrap().context, want, "{reason}");
    }
}

#[test]
fn reading_a_request_copies_nothing_of_what_others_want() {
    let mut rng = Rng(7);
    let theirs = field(2, &vec![b'x'; 1000]);
    let bytes = Bytes::from([field(3, &theirs), unknown(&mut rng), field(5, &theirs)].concat());
    let view = RunFunctionRequest::decode(bytes.clone()).unwrap();
    for part in [&view.desired[0], &view.context[0]] {
        assert_eq!(part, &theirs);
        assert!(bytes.as_ptr_range().contains(&part.as_ptr()));
    }
}

/// A desired state with this `Value` for the composite's status.
fn wanting_status(value: &[u8]) -> Vec<Bytes> {
    let entry = field(1, &[field(1, b"status"), field(2, value)].concat());
    vec![Bytes::from(field(1, &field(1, &entry)))]
}

fn status_with(parts: &[Bytes], ours: &Json) -> Value {
    let mut part = desired::Part::default();
    part.status("v1", "X", ours, parts).unwrap();
    let state = official::State::decode(part.encode()).unwrap();
    state.composite.unwrap().resource.unwrap().fields.remove("status").unwrap()
}

#[test]
fn status_of_others_is_merged_deeply() {
    let object = |json: Json| field(5, &to_struct(&json).unwrap());
    let theirs =
        json!({ "a": { "deep": { "theirs": 1, "both": 1 } }, "list": [1, 2], "theirs": "x", "kind": {} });
    let ours = json!({ "a": { "deep": { "ours": 2, "both": 2 } }, "list": [3], "ours": "y", "kind": 1 });
    let both = json!({
        "a": { "deep": { "theirs": 1, "ours": 2, "both": 2 } },
        "list": [3],
        "theirs": "x",
        "ours": "y",
        "kind": 1,
    });
    let cases = [
        (object(theirs), both, "objects merge, all else is replaced"),
        (vec![], ours.clone(), "a value without a kind is null, and null gives way"),
        (field(3, b"text"), ours.clone(), "whatever is no object gives way"),
    ];
    for (theirs, want, reason) in cases {
        let Some(Kind::StructValue(status)) = status_with(&wanting_status(&theirs), &ours).kind else {
            panic!("{reason}: no object");
        };
        assert_eq!(json_of(&status), want, "{reason}");
    }
}

#[test]
fn status_of_others_keeps_what_cannot_be_read() {
    let infinite = [&[0x11][..], &f64::INFINITY.to_le_bytes()].concat();
    let in_value = [0x7d, 1, 2, 3, 4];
    let in_struct = [0x78, 9];
    let entry = field(1, &[field(1, b"big"), field(2, &infinite)].concat());
    let theirs = [&in_value[..], &field(5, &[&in_struct[..], &entry].concat())].concat();

    let mut part = desired::Part::default();
    part.status("v1", "X", &json!({ "ours": true }), &wanting_status(&theirs)).unwrap();
    let bytes = part.encode();
    for kept in [&in_value[..], &in_struct, &entry] {
        assert!(bytes.windows(kept.len()).any(|window| window == kept), "{kept:?}");
    }
    official::State::decode(bytes).unwrap();
}

#[test]
fn malformed_desired_state_is_an_error() {
    let garbage = vec![Bytes::from_static(&[0xff, 0xff])];
    assert_eq!(desired::keys(&garbage).collect::<Vec<_>>(), [Err(StructError::Malformed)]);
    let status = desired::Part::default().status("v1", "X", &json!({}), &garbage);
    assert_eq!(status, Err(StructError::Malformed));

    let not_text = vec![Bytes::from(field(2, &field(1, &[0xff])))];
    assert_eq!(desired::keys(&not_text).collect::<Vec<_>>(), [Err(StructError::NotUtf8)]);
    let not_an_entry = vec![Bytes::from_static(&[0x10, 0x01])];
    assert_eq!(desired::keys(&not_an_entry).collect::<Vec<_>>(), [Err(StructError::Malformed)]);
}

#[test]
fn damaged_desired_state_never_panics() {
    let mut refused = 0;
    for seed in 0..5_000 {
        let mut rng = Rng(seed);
        let mut state = state(&mut rng);
        for _ in 0..=rng.below(3) {
            let at = rng.below(state.len() + 1);
            state.insert(at, rng.next().to_le_bytes()[0]);
        }
        let parts = [Bytes::from(state)];
        let keys: Result<Vec<_>, _> = desired::keys(&parts).collect();
        let status = desired::Part::default().status("v1", "X", &json!({ "a": { "b": {} } }), &parts);
        refused += usize::from(keys.is_err() || status.is_err());
    }
    assert!(refused > 1000, "damage so often goes unnoticed: {refused}");
}

#[test]
fn reflection_serves_the_official_protocol() {
    let files = prost_types::FileDescriptorSet::decode(super::FILE_DESCRIPTOR_SET).unwrap().file;
    let mut names: Vec<_> = files.iter().map(prost_types::FileDescriptorProto::name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["google/protobuf/duration.proto", "google/protobuf/struct.proto", "run_function.proto"],
        "with what it imports, without the view"
    );
    let service = files.iter().flat_map(|file| &file.service).next().unwrap();
    assert_eq!(format!("apiextensions.fn.proto.v1.{}", service.name()), super::service::SERVICE_NAME);
}
