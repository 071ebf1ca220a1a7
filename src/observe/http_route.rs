//! `gateway.networking.k8s.io/v1` `HTTPRoute`.

use serde::Deserialize;

use super::Facts;
use super::live::{Kind, list};
use super::parents::Status;

pub(super) struct HttpRoute;

#[derive(Default, Deserialize)]
pub(super) struct Spec {
    #[serde(default, deserialize_with = "list")]
    hostnames: Vec<String>,
}

impl Kind for HttpRoute {
    type Spec = Spec;
    type Status = Status;

    fn facts(_: Spec, status: Status) -> Facts {
        status.facts()
    }

    fn hostnames(spec: &Spec) -> Vec<String> {
        spec.hostnames.clone()
    }
}
