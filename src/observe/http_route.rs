//! `gateway.networking.k8s.io/v1` `HTTPRoute`.

use serde::Deserialize;

use crate::api::settings::GatewayRef;

use super::Facts;
use super::live::{Kind, list};
use super::parents::Status;

pub(super) struct HttpRoute;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(default, deserialize_with = "list")]
    hostnames: Vec<String>,
    #[serde(default, deserialize_with = "list")]
    parent_refs: Vec<ParentRef>,
}

/// A Gateway; of other kinds our routes name none.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParentRef {
    #[serde(default)]
    name: String,
    namespace: Option<String>,
    section_name: Option<String>,
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

    fn gateways(spec: &Spec) -> Vec<GatewayRef> {
        let named = |parent: &ParentRef| {
            let ParentRef { name, namespace, section_name } = parent;
            let namespace = namespace.clone()?;
            Some(GatewayRef { name: name.clone(), namespace, section_name: section_name.clone() })
        };
        spec.parent_refs.iter().filter_map(named).collect()
    }
}
