//! Reading and making the small messages: the request's tag and observed resources, results, conditions, the
//! response's meta. Keeps enum numbers and optional fields of the wire out of other rooms.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use prost::{DecodeError, Message};

use super::official::resource_selector::Match;
use super::official::{self, MatchLabels, ResourceSelector};
use super::view::{
    Condition, ObservedResource, ObservedState, Requirements, ResponseMeta, Result, RunFunctionRequest,
    RunFunctionResponse, Severity, Status, Target,
};

/// The parts of one message as one encoding of it.
///
/// Encodings that follow each other merge, so this is no more than putting them together. A single part, which is
/// what Crossplane sends, is not copied. `None` where there is no part: the message is absent, not empty.
pub fn join(parts: &[Bytes]) -> Option<Bytes> {
    match parts {
        [] => None,
        [part] => Some(part.clone()),
        parts => {
            let mut joined = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
            for part in parts {
                joined.extend_from_slice(part);
            }
            Some(joined.freeze())
        }
    }
}

impl RunFunctionRequest {
    /// The view of an official request.
    pub fn from_official(request: &official::RunFunctionRequest) -> std::result::Result<Self, DecodeError> {
        Self::decode(Bytes::from(request.encode_to_vec()))
    }

    /// How many bytes this takes on the wire.
    pub fn size(&self) -> usize {
        self.encoded_len()
    }

    /// The tag to hand back.
    pub fn tag(&self) -> &str {
        self.meta.as_ref().map_or("", |meta| &meta.tag)
    }

    /// The observed composite resource as one `Struct`, if there is one.
    pub fn observed_composite(&self) -> Option<Bytes> {
        join(&self.observed.as_ref()?.composite.as_ref()?.resource)
    }

    /// The observed composed resources.
    pub fn observed_resources(&self) -> BTreeMap<&str, &ObservedResource> {
        self.observed.as_ref().map(ObservedState::by_key).unwrap_or_default()
    }

    /// What Crossplane has found of something that was asked for; `None` while it has not looked.
    pub fn required(&self, key: &str) -> Option<Vec<Bytes>> {
        let entry = self.required_resources.iter().rfind(|entry| entry.key == key)?;
        let items = entry.value.iter().flat_map(|found| &found.items);
        Some(items.filter_map(ObservedResource::object).collect())
    }
}

impl ObservedState {
    /// The composed resources by key. Of two entries with the same key the later replaces the earlier whole.
    pub fn by_key(&self) -> BTreeMap<&str, &ObservedResource> {
        self.resources
            .iter()
            .map(|entry| (entry.key.as_str(), entry.value.as_ref().unwrap_or(ObservedResource::ABSENT)))
            .collect()
    }
}

impl ObservedResource {
    /// What a map entry without a value stands for.
    const ABSENT: &Self = &Self { resource: Vec::new() };

    /// The resource as one `Struct`, if there is one.
    pub fn object(&self) -> Option<Bytes> {
        join(&self.resource)
    }
}

impl RunFunctionResponse {
    /// The official response that this is a view of.
    pub fn to_official(&self) -> std::result::Result<official::RunFunctionResponse, DecodeError> {
        official::RunFunctionResponse::decode(Bytes::from(self.encode_to_vec()))
    }

    /// How many bytes this takes on the wire.
    pub fn size(&self) -> usize {
        self.encoded_len()
    }
}

impl ResponseMeta {
    /// The request's tag, and how long the response stays true.
    pub fn new(tag: &str, ttl: Duration) -> Self {
        // Longer than protobuf can say, 292 billion years, is as good as the longest it can say.
        let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(ttl.subsec_nanos()).unwrap_or_default();
        Self { tag: tag.to_owned(), ttl: Some(prost_types::Duration { seconds, nanos }) }
    }
}

impl Result {
    /// Ends the pipeline; nothing of it is applied.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(Severity::Fatal, message.into())
    }

    /// A warning event.
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message.into())
    }

    /// A normal event.
    pub fn normal(message: impl Into<String>) -> Self {
        Self::new(Severity::Normal, message.into())
    }

    /// The same, with a reason for programs.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    fn new(severity: Severity, message: String) -> Self {
        Self { severity: severity.into(), message, reason: None, target: Some(Target::Composite.into()) }
    }
}

impl Requirements {
    /// Asks for one more resource, by its name in a namespace.
    pub fn one(&mut self, key: &str, api_version: &str, kind: &str, namespace: Option<String>, name: String) {
        let selector = ResourceSelector {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace,
            r#match: Some(Match::MatchName(name)),
        };
        self.resources.insert(key.to_owned(), selector);
    }

    /// Asks for all resources with these labels, in a namespace or in all.
    pub fn labelled(
        &mut self,
        key: &str,
        api_version: &str,
        kind: &str,
        namespace: Option<String>,
        labels: impl IntoIterator<Item = (String, String)>,
    ) {
        let labels = MatchLabels { labels: labels.into_iter().collect() };
        let selector = ResourceSelector {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace,
            r#match: Some(Match::MatchLabels(labels)),
        };
        self.resources.insert(key.to_owned(), selector);
    }
}

impl Condition {
    /// A condition of the composite resource.
    pub fn new(r#type: impl Into<String>, status: Status, reason: impl Into<String>) -> Self {
        Self {
            r#type: r#type.into(),
            status: status.into(),
            reason: reason.into(),
            message: None,
            target: Some(Target::Composite.into()),
        }
    }

    /// The same, with a message for people.
    #[must_use]
    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::view::{ObservedEntry, RequestMeta};

    fn entry(key: &str, value: Option<&'static [u8]>) -> ObservedEntry {
        let value = value.map(|resource| ObservedResource { resource: vec![Bytes::from_static(resource)] });
        ObservedEntry { key: key.to_owned(), value }
    }

    #[test]
    fn parts_join_in_order_and_a_single_part_is_not_copied() {
        let part = Bytes::from_static(b"one");
        assert_eq!(join(&[]), None, "no part is an absent message");
        assert_eq!(join(&[Bytes::new()]), Some(Bytes::new()), "an empty part is an empty message");
        assert_eq!(join(std::slice::from_ref(&part)).unwrap().as_ptr(), part.as_ptr());
        assert_eq!(join(&[part, Bytes::from_static(b"two")]).unwrap(), "onetwo");
    }

    #[test]
    fn of_two_observed_entries_with_one_key_the_later_counts() {
        let observed = ObservedState {
            composite: None,
            resources: vec![entry("a", Some(b"1")), entry("b", None), entry("a", None)],
        };
        let by_key = observed.by_key();
        assert_eq!(by_key.len(), 2);
        assert_eq!(by_key["a"].object(), None);
        assert_eq!(by_key["b"].object(), None);
    }

    #[test]
    fn an_empty_request_has_an_empty_tag_and_nothing_observed() {
        let request = RunFunctionRequest::decode(&b""[..]).unwrap();
        assert_eq!(request.tag(), "");
        assert_eq!(request.observed_composite(), None);
        assert!(request.observed_resources().is_empty());
        let request = RunFunctionRequest {
            meta: Some(RequestMeta { tag: "t".to_owned(), capabilities: vec![] }),
            ..request
        };
        assert_eq!(request.tag(), "t");
    }

    #[test]
    fn the_ttl_keeps_fractions_of_a_second() {
        let meta = ResponseMeta::new("t", Duration::from_millis(1500));
        assert_eq!(meta.ttl, Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }));
    }

    #[test]
    fn results_and_conditions_are_for_the_composite() {
        let result = Result::warning("message").because("Reason");
        let want = Result {
            severity: Severity::Warning.into(),
            message: "message".to_owned(),
            reason: Some("Reason".to_owned()),
            target: Some(Target::Composite.into()),
        };
        assert_eq!(result, want);
        let condition = Condition::new("RoutingReady", Status::ConditionFalse, "Waiting").saying("message");
        let want = Condition {
            r#type: "RoutingReady".to_owned(),
            status: Status::ConditionFalse.into(),
            reason: "Waiting".to_owned(),
            message: Some("message".to_owned()),
            target: Some(Target::Composite.into()),
        };
        assert_eq!(condition, want);
    }
}
