//! Extensions and what is observed of them, for tests.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::crds::Bundle;
use super::observe::LiveCrd;
use super::{Definition, Key, Observed, ObservedCollection, ObservedCrd, ObservedObject, ObservedRelease};
use crate::api::Duration;
use crate::api::settings::{
    Caller, Chart, Delivery, Extension, GatewayPlace, InferenceRelease, ProviderConfigKind, Router, Target,
    Ttl, Wanted,
};
use crate::observe::Synced;
use crate::protocol::{Fault, Item, look_into, to_struct};

pub(super) const OWNER: &str = "clusters/gpu";

/// Asked for, without a router.
pub(super) fn extension() -> Extension {
    Extension {
        owner: OWNER.to_owned(),
        created: Some("2026-11-21T04:00:00Z".to_owned()),
        wanted: Some(Wanted {
            delivery: Delivery {
                target: Target::NamespacedObject,
                provider_config_kind: ProviderConfigKind::ProviderConfig,
                provider_config_name: "gpu".to_owned(),
            },
            release: InferenceRelease::V1_3_1,
            experimental: false,
            enabled: "spec.x.enabled".to_owned(),
            missing: vec![],
            router: Router {
                enabled: false,
                replicas: 2,
                namespace: "router".to_owned(),
                chart: Chart::At("oci://charts.example.com/router:v1".to_owned()),
                values: Map::new(),
                caller: Caller::Unknown,
            },
            discovery: false,
        }),
        ttl: Ttl { settled: Duration::from_seconds(600), pending: Duration::from_seconds(30) },
    }
}

/// With a router that is asked like this.
pub(super) fn with_router(caller: fn(GatewayPlace) -> Caller) -> Extension {
    let mut extension = extension();
    let router = &mut extension.wanted.as_mut().unwrap().router;
    router.enabled = true;
    router.caller = caller(GatewayPlace { name: "inference".to_owned(), namespace: "gateways".to_owned() });
    extension
}

/// The provider sees this bundle, with this owner mark.
pub(super) fn live(bundle: Option<&str>, owner: Option<&str>) -> ObservedCrd {
    ObservedCrd {
        synced: Some(Synced::True),
        managed: false,
        whole: false,
        last_seen: Some(LiveCrd {
            owner: owner.map(str::to_owned),
            bundle: bundle.and_then(Bundle::parse),
            established: true,
        }),
    }
}

/// The CRD is there, and so are these.
pub(super) fn observed(keys: &[Key]) -> Observed {
    let mut observed = Observed {
        crds: BTreeMap::from([(Definition::InferencePool, live(Some("v1.3.1"), Some(OWNER)))]),
        ..Observed::default()
    };
    for key in keys {
        if *key == Key::BodyBasedRouter {
            let ready = ObservedRelease { synced: Some(Synced::True), ready: true, failure: None };
            observed.router = Some(ready);
        } else if *key == Key::Gateways {
            observed.gateways = Some(ObservedCollection { synced: Some(Synced::True), ready: true });
        } else {
            let there = ObservedObject {
                synced: Some(Synced::True),
                available_replicas: Some(2),
                ..ObservedObject::default()
            };
            observed.objects.insert(*key, there);
        }
    }
    observed
}

/// What is read of a resource that arrives so.
pub(super) fn arrived<T>(resource: &Value, read: fn(&Item<'_, '_>) -> Result<T, Fault>) -> T {
    look_into(&to_struct(resource).unwrap(), read).unwrap()
}
