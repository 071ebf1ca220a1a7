//! `aigateway.envoyproxy.io/v1alpha1` `AIGatewayRoute`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::live::{Kind, list};
use super::{ConditionFacts, Facts};

pub(super) struct AiGatewayRoute;

#[derive(Default, Deserialize)]
pub(super) struct Status {
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
}

impl Kind for AiGatewayRoute {
    type Spec = IgnoredAny;
    type Status = Status;

    fn facts(_: IgnoredAny, status: Status) -> Facts {
        Facts::AiGatewayRoute(status.conditions)
    }
}
