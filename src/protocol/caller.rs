//! The other side of a call: official messages made from JSON and read as JSON, as Crossplane does it.
//!
//! For previews. The server reads and writes `Struct` bytes directly, see [`super::from_struct`].

use bytes::Bytes;
pub use prost::DecodeError;
use prost::Message;
use prost_types::ListValue;
pub use prost_types::Struct;
use prost_types::value::Kind;
use serde_json::{Map, Number, Value};

use super::official::{RunFunctionRequest, RunFunctionResponse};
use super::view;

/// A request as it goes over the wire.
pub fn encode(request: &RunFunctionRequest) -> Vec<u8> {
    request.encode_to_vec()
}

/// Calls a function by the wire format, so that nothing reaches it in another way than a call does.
pub fn call(
    request: &RunFunctionRequest,
    function: impl FnOnce(&view::RunFunctionRequest) -> view::RunFunctionResponse,
) -> Result<RunFunctionResponse, DecodeError> {
    let request = view::RunFunctionRequest::decode(Bytes::from(encode(request)))?;
    RunFunctionResponse::decode(Bytes::from(function(&request).encode_to_vec()))
}

/// An object as a `Struct`.
pub fn to_struct(object: &Map<String, Value>) -> Struct {
    Struct { fields: object.iter().map(|(key, value)| (key.clone(), to_value(value))).collect() }
}

fn to_value(value: &Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(*value),
        // A Struct knows no other number. Crossplane rounds large integers in the same way.
        Value::Number(value) => Kind::NumberValue(value.as_f64().unwrap_or(f64::NAN)),
        Value::String(value) => Kind::StringValue(value.clone()),
        Value::Array(items) => Kind::ListValue(ListValue { values: items.iter().map(to_value).collect() }),
        Value::Object(object) => Kind::StructValue(to_struct(object)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// A `Struct` as an object.
pub fn from_struct(object: Struct) -> Value {
    Value::Object(object.fields.into_iter().map(|(key, value)| (key, from_value(value))).collect())
}

fn from_value(value: prost_types::Value) -> Value {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::NumberValue(value)) => number(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::ListValue(list)) => list.values.into_iter().map(from_value).collect(),
        Some(Kind::StructValue(object)) => from_struct(object),
    }
}

/// Whole doubles are integers again, as Go prints them.
fn number(value: f64) -> Value {
    /// From here on not every integer is a double.
    const LAST_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
    if value.fract() == 0.0 && value.abs() <= LAST_SAFE_INTEGER {
        #[expect(clippy::cast_possible_truncation, reason = "whole, and within what an i64 holds")]
        return Value::from(value as i64);
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_survives_the_way_there_and_back() {
        let value =
            json!({ "a": [1, -2, 0.5, null, true, "x"], "b": {}, "c": { "d": 9_007_199_254_740_991_i64 } });
        assert_eq!(from_struct(to_struct(value.as_object().unwrap())), value);
    }
}
