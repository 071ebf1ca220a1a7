//! `keda.sh/v1alpha1` `ScaledObject`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::live::{Kind, list};
use super::{ConditionFacts, Facts};

pub(super) struct ScaledObject;

#[derive(Default, Deserialize)]
pub(super) struct Status {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
}

impl Kind for ScaledObject {
    type Spec = IgnoredAny;
    type Status = Status;

    fn facts(_: IgnoredAny, Status { conditions }: Status) -> Facts {
        Facts::ScaledObject(conditions)
    }
}
