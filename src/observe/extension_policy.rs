//! `gateway.envoyproxy.io/v1alpha1` `EnvoyExtensionPolicy`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Facts;
use super::live::{Kind, list};
use super::parents::Ancestor;

pub(super) struct ExtensionPolicy;

/// As Gateway API has it for all policies (`PolicyStatus`).
#[derive(Default, Deserialize)]
pub(super) struct Status {
    #[serde(default, deserialize_with = "list")]
    ancestors: Vec<Ancestor>,
}

impl Kind for ExtensionPolicy {
    type Spec = IgnoredAny;
    type Status = Status;

    fn facts(_: IgnoredAny, status: Status) -> Facts {
        Facts::Parents(status.ancestors.into_iter().map(Ancestor::parent).collect())
    }
}
