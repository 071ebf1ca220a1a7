//! `keda.sh/v1alpha1` `ScaledObject`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::live::{Kind, list};
use super::{ConditionFacts, Facts, ScaledObjectFacts};

pub(super) struct ScaledObject;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
    last_active_time: Option<String>,
}

impl Kind for ScaledObject {
    type Spec = IgnoredAny;
    type Status = Status;

    fn facts(_: IgnoredAny, status: Status) -> Facts {
        let Status { conditions, last_active_time: last_active } = status;
        Facts::ScaledObject(ScaledObjectFacts { conditions, last_active })
    }
}
