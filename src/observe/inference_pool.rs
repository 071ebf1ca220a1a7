//! `inference.networking.k8s.io/v1` `InferencePool`.

use serde::de::IgnoredAny;

use super::Facts;
use super::live::Kind;
use super::parents::Status;

pub(super) struct InferencePool;

impl Kind for InferencePool {
    type Spec = IgnoredAny;
    type Status = Status;

    fn facts(_: IgnoredAny, status: Status) -> Facts {
        status.facts()
    }
}
