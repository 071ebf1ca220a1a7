//! `gateway.networking.k8s.io/v1` `Gateway`.

use serde::Deserialize;

use super::live::{Kind, list};
use super::{ConditionFacts, Facts, GatewayFacts, Listener};

pub(super) struct Gateway;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    gateway_class_name: Option<String>,
    #[serde(default, deserialize_with = "list")]
    listeners: Vec<Listener>,
}

#[derive(Default, Deserialize)]
pub(super) struct Status {
    #[serde(default, deserialize_with = "list")]
    addresses: Vec<Address>,
    #[serde(default, deserialize_with = "list")]
    conditions: Vec<ConditionFacts>,
}

#[derive(Deserialize)]
struct Address {
    value: Option<String>,
}

impl Kind for Gateway {
    type Spec = Spec;
    type Status = Status;

    fn facts(spec: Spec, status: Status) -> Facts {
        let Spec { gateway_class_name: class, listeners } = spec;
        let Status { addresses, conditions } = status;
        let addresses = addresses.into_iter().filter_map(|address| address.value).collect();
        Facts::Gateway(GatewayFacts { class, listeners, addresses, conditions })
    }
}
