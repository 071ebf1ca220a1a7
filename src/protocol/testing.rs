//! Messages as nobody would send them and everybody may: parts, repetitions, unknown fields, strange orders. And the
//! prost way of reading a `Struct`, which the direct way is compared with.

use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::Value as Json;

use super::wire::put_field;

/// A small generator of repeatable randomness (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    /// True once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn bytes(&mut self, below: usize) -> Vec<u8> {
        (0..self.below(below)).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// Keys that often meet.
const KEYS: [&str; 8] = ["", "a", "b", "status", "spec", "conditions", "größe", "kind"];

/// A field that no version of the protocol has, of any wire type.
pub(super) fn unknown(rng: &mut Rng) -> Vec<u8> {
    match rng.below(4) {
        0 => vec![0x78, rng.pick(&[0, 1, 127])],
        1 => [&[0x79][..], &rng.next().to_le_bytes()].concat(),
        2 => [&[0x7d][..], &[1, 2, 3, 4]].concat(),
        _ => {
            let mut out = Vec::new();
            put_field(&mut out, 15, &rng.bytes(12));
            out
        }
    }
}

/// The fields of a message, in any order, perhaps with unknown ones between them.
pub(super) fn shuffled(rng: &mut Rng, mut fields: Vec<Vec<u8>>) -> Vec<u8> {
    if rng.once_in(4) {
        fields.push(unknown(rng));
    }
    for last in (1..fields.len()).rev() {
        fields.swap(last, rng.below(last + 1));
    }
    fields.concat()
}

/// A `Struct`.
pub(super) fn object(rng: &mut Rng, depth: usize) -> Vec<u8> {
    let fields = (0..rng.below(5)).map(|_| entry(rng, |rng| value(rng, depth), 1)).collect();
    shuffled(rng, fields)
}

/// An entry of a map of messages, as a field of this number. Its value is split once in a while.
pub(super) fn entry(rng: &mut Rng, mut value: impl FnMut(&mut Rng) -> Vec<u8>, number: u8) -> Vec<u8> {
    let mut fields = Vec::new();
    for _ in 0..rng.pick(&[0, 1, 1, 1, 1, 1, 1, 2]) {
        fields.push(field(1, rng.pick(&KEYS).as_bytes()));
    }
    for _ in 0..rng.pick(&[0, 1, 1, 1, 1, 1, 1, 2]) {
        fields.push(field(2, &value(rng)));
    }
    field(number, &shuffled(rng, fields))
}

/// A `Value`, sometimes of several kinds at once, or of none.
pub(super) fn value(rng: &mut Rng, depth: usize) -> Vec<u8> {
    let kinds = (0..rng.pick(&[0, 1, 1, 1, 1, 1, 1, 1, 2, 3])).map(|_| kind(rng, depth)).collect();
    shuffled(rng, kinds)
}

fn kind(rng: &mut Rng, depth: usize) -> Vec<u8> {
    match rng.below(if depth == 0 { 4 } else { 8 }) {
        0 => vec![0x08, 0],
        1 => {
            let whole = f64::from(u32::try_from(rng.below(1 << 20)).unwrap());
            let number = rng.pick(&[0.0, -1.0, 2.5, -1e-3, 9_007_199_254_740_992.0, whole]);
            [&[0x11][..], &number.to_le_bytes()].concat()
        }
        2 => field(
            3,
            rng.pick(&["", "text", "größer", "true", "a longer text, to have lengths of two bytes "])
                .repeat(4)
                .as_bytes(),
        ),
        3 => vec![0x20, rng.pick(&[0, 1])],
        4..7 => field(5, &object(rng, depth - 1)),
        _ => {
            let items = (0..rng.below(4)).map(|_| field(1, &value(rng, depth - 1))).collect();
            field(6, &shuffled(rng, items))
        }
    }
}

pub(super) fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_field(&mut out, number, content);
    out
}

/// A `Resource`.
fn resource(rng: &mut Rng) -> Vec<u8> {
    let mut fields: Vec<_> = (0..rng.pick(&[0, 1, 1, 1, 1, 2])).map(|_| field(1, &object(rng, 1))).collect();
    if rng.once_in(4) {
        fields.push(entry(rng, |rng| rng.bytes(8), 2));
    }
    if rng.once_in(2) {
        fields.push(vec![0x18, rng.pick(&[0, 1, 2, 9])]);
    }
    shuffled(rng, fields)
}

/// A `State`.
pub(super) fn state(rng: &mut Rng) -> Vec<u8> {
    let mut fields: Vec<_> = (0..rng.pick(&[0, 1, 1, 1, 2])).map(|_| field(1, &resource(rng))).collect();
    fields.extend((0..rng.below(5)).map(|_| entry(rng, resource, 2)));
    shuffled(rng, fields)
}

/// A `RunFunctionRequest`.
pub(super) fn request(rng: &mut Rng) -> Vec<u8> {
    let mut fields = Vec::new();
    for _ in 0..rng.pick(&[0, 1, 1, 1, 2]) {
        let meta = vec![field(1, rng.pick(&["", "tag", "another"]).as_bytes()), field(2, &[1, 2, 5])];
        fields.push(field(1, &shuffled(rng, meta)));
    }
    for number in [2, 3] {
        fields.extend((0..rng.pick(&[0, 1, 1, 1, 2])).map(|_| field(number, &state(rng))));
    }
    for number in [4, 5] {
        fields.extend((0..rng.pick(&[0, 1, 1, 2])).map(|_| field(number, &object(rng, 2))));
    }
    if rng.once_in(4) {
        fields.push(entry(rng, |rng| field(1, &entry(rng, |rng| rng.bytes(8), 1)), 7));
    }
    shuffled(rng, fields)
}

/// A `Struct` as JSON.
pub(super) fn json_of(object: &Struct) -> Json {
    Json::Object(object.fields.iter().map(|(key, value)| (key.clone(), json_of_value(value))).collect())
}

fn json_of_value(value: &Value) -> Json {
    match &value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::NumberValue(number)) => json_of_number(*number),
        Some(Kind::StringValue(text)) => Json::from(text.as_str()),
        Some(Kind::BoolValue(bit)) => Json::Bool(*bit),
        Some(Kind::StructValue(object)) => json_of(object),
        Some(Kind::ListValue(list)) => list.values.iter().map(json_of_value).collect(),
    }
}

/// By its text: what has neither point nor exponent is an integer.
fn json_of_number(number: f64) -> Json {
    number.to_string().parse::<i64>().map_or_else(|_| Json::from(number), Json::from)
}

/// JSON as a `Struct`.
pub(super) fn struct_of(json: &Json) -> Struct {
    let fields =
        json.as_object().unwrap().iter().map(|(key, value)| (key.clone(), value_of(value))).collect();
    Struct { fields }
}

fn value_of(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(bit) => Kind::BoolValue(*bit),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(value_of).collect() }),
        Json::Object(_) => Kind::StructValue(struct_of(json)),
    };
    Value { kind: Some(kind) }
}
