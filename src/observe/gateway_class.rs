//! `gateway.networking.k8s.io/v1` `GatewayClass`.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Facts;
use super::live::Kind;

pub(super) struct GatewayClass;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    controller_name: Option<String>,
}

impl Kind for GatewayClass {
    type Spec = Spec;
    type Status = IgnoredAny;

    fn facts(spec: Spec, _: IgnoredAny) -> Facts {
        Facts::GatewayClass(spec.controller_name)
    }
}
