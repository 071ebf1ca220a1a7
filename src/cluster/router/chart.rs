//! The chart of the body-based router, as provider-helm installs it.
//!
//! It makes Deployment, Service, account and roles, and on GKE what has the Gateway ask them
//! (kubernetes-sigs/gateway-api-inference-extension v1.3.1 and v1.5.0, `config/charts/body-based-routing`). Its filter for
//! Istio stays off: that of v1.3.1 names no Gateway, and would change every proxy of its namespace, that of v1.5.0 has to
//! be in the Gateway's namespace, which the router need not be in.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::settings::{Caller, Chart, Delivery, Router, Target};
use crate::deliver;
use crate::kinds::provider_helm::{
    CLUSTER_API_VERSION, ChartRef, EXTERNAL_NAME_ANNOTATION, NAMESPACED_API_VERSION, RELEASE, Release,
    ReleaseMetadata, ReleaseParameters, ReleaseSpec,
};

use super::{NAME, PORT};

/// A failure of the API server should not last for ever, and what is wrong with the chart need not be tried for ever.
const TRIES: u32 = 5;

pub(super) fn release(delivery: &Delivery, router: &Router) -> Release {
    Release {
        api_version: match delivery.target {
            Target::NamespacedObject => NAMESPACED_API_VERSION,
            Target::ClusterObject => CLUSTER_API_VERSION,
        },
        kind: RELEASE,
        metadata: ReleaseMetadata { annotations: BTreeMap::from([(EXTERNAL_NAME_ANNOTATION, NAME)]) },
        spec: ReleaseSpec {
            provider_config_ref: deliver::provider_config_ref(delivery),
            for_provider: ReleaseParameters {
                chart: chart(&router.chart),
                namespace: router.namespace.clone(),
                values: values(router),
            },
            rollback_limit: TRIES,
        },
    }
}

fn chart(chart: &Chart) -> ChartRef {
    match chart {
        Chart::InRepository { repository, name, version } => ChartRef {
            repository: Some(repository.clone()),
            name: Some(name.clone()),
            version: Some(version.clone()),
            url: None,
        },
        Chart::At(url) => ChartRef { url: Some(url.clone()), ..ChartRef::default() },
    }
}

/// What the chart is told, and what the platform adds: those parts are apart, but for what may be overruled.
///
/// Models have namespaces of their own, so the router reads the adapters of all; the chart gives it the right to read
/// every `ConfigMap`, since it can be narrowed to labels by no role.
fn values(router: &Router) -> Map<String, Value> {
    let mut values = Map::new();
    let all_namespaces = json!({"bbr": {"multiNamespace": true}});
    let decided = match &router.caller {
        Caller::Gke(gateway) => {
            json!({"provider": {"name": "gke"}, "inferenceGateway": {"name": gateway.name}})
        }
        Caller::Unknown | Caller::Istio(_) | Caller::Agentgateway(_) => json!({"provider": {"name": "none"}}),
    };
    let router_itself = json!({"bbr": {"name": NAME, "port": PORT, "replicas": router.replicas}});
    for layer in [all_namespaces, Value::Object(router.values.clone()), decided, router_itself] {
        lay(&mut values, layer);
    }
    values
}

/// Lays values over others, as Helm does: objects are merged, anything else is replaced.
fn lay(below: &mut Map<String, Value>, above: Value) {
    let Value::Object(above) = above else { return };
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), value @ Value::Object(_)) => lay(below, value),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}
