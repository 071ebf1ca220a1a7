//! How a live model passes from one Gateway to another: the former serves until the wanted one does.
//!
//! The route names both meanwhile, and what stood beside it for the former stays. Only one of the two can be in front of
//! a route that is of one implementation's own kind, so where that kind changes, the former route goes at once.

use crate::api::settings::GatewayRef;
use crate::observe::Observed;
use crate::plan::keys::Key;

use super::RoutingPlan;

/// What stands beside a route for one implementation and says nothing that another minds.
const KEPT: [Key; 6] = [
    Key::GatewayDestinationRule,
    Key::GatewayHealthCheckPolicy,
    Key::GatewayBackendPolicy,
    Key::GatewayServiceHealthCheckPolicy,
    Key::GatewayServiceBackendPolicy,
    Key::GatewayProxySettingsPolicy,
];

/// The Gateway in front of a live model, while the wanted one has not accepted it.
#[derive(Debug, Clone, PartialEq)]
pub struct Former {
    /// The Gateway.
    pub gateway: GatewayRef,
    /// What it needs beside the route, and the wanted one does not.
    pub companions: Vec<Key>,
}

impl RoutingPlan {
    /// The same, with the Gateway that serves the live model until the wanted one does.
    pub(in crate::plan) fn beside_the_former(self, observed: &Observed) -> Self {
        Self { former: former(&self, observed), ..self }
    }
}

fn former(routing: &RoutingPlan, observed: &Observed) -> Option<Former> {
    let route = observed.live(routing.route_key())?;
    let wanted_gateway = routing.gateway.as_ref().ok()?;
    let serves = [routing.route_key(), Key::InferencePool]
        .into_iter()
        .all(|key| observed.accepted(key, wanted_gateway));
    if serves {
        return None;
    }
    // What a Gateway says of a route that does not name it any more may be left over, so the route decides.
    let is_another = |named: &&GatewayRef| {
        (&named.name, &named.namespace) != (&wanted_gateway.name, &wanted_gateway.namespace)
    };
    let gateway = route.gateways.iter().filter(is_another).find(|named| route.was_accepted(named))?.clone();
    let wanted = routing.companions();
    let is_left = |key: &Key| observed.objects.contains_key(key) && !wanted.contains(key);
    Some(Former { gateway, companions: KEPT.into_iter().filter(is_left).collect() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::fixtures::llm;
    use crate::api::settings::{GatewayRef, Settings};
    use crate::observe::fixtures::{Cluster, cluster};
    use crate::plan::keys::Key;
    use crate::plan::plan;

    fn gateway(name: &str) -> GatewayRef {
        GatewayRef { name: name.to_owned(), namespace: "gateways".to_owned(), section_name: None }
    }

    /// A model behind a Gateway that may not be the one that it was behind.
    fn behind(name: &str) -> Settings {
        llm().hosted("llama.example.com").behind("gateways", name)
    }

    fn reference(name: &str) -> Value {
        json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": name, "namespace": "gateways"})
    }

    /// A route or pool: which Gateways it names, and which have accepted which generation of it.
    fn behind_all(named: &[&str], accepted: &[(&str, i64)]) -> Value {
        let told = accepted.iter().map(|(name, generation)| {
            let yes = |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": generation});
            json!({"parentRef": reference(name), "conditions": [yes("Accepted"), yes("ResolvedRefs")]})
        });
        json!({
            "metadata": {"generation": 2},
            "spec": {"parentRefs": named.iter().map(|name| reference(name)).collect::<Value>()},
            "status": {"parents": told.collect::<Value>()},
        })
    }

    fn route(named: &[&str], accepted: &[(&str, i64)]) -> Cluster {
        cluster()
            .holding(Key::HttpRoute, behind_all(named, accepted))
            .holding(Key::InferencePool, behind_all(&[], accepted))
    }

    #[test]
    fn the_former_gateway_serves_until_the_wanted_one_does() {
        let half = route(&["new", "old"], &[("old", 2), ("new", 2)])
            .holding(Key::InferencePool, behind_all(&[], &[("old", 2)]));
        let cases = [
            (cluster(), None, "a new model"),
            (route(&["new"], &[("new", 2)]), None, "nothing has changed"),
            (route(&["new"], &[]), None, "it was never behind another"),
            (route(&["old"], &[("old", 2)]), Some("old"), "another Gateway is wanted"),
            (
                route(&["new", "old"], &[("old", 1)]),
                Some("old"),
                "nobody has spoken of the route with both yet",
            ),
            (half, Some("old"), "the wanted one does not lead to the pool yet"),
            (route(&["new", "old"], &[("old", 2), ("new", 1)]), Some("old"), "it spoke of another route"),
            (route(&["new", "old"], &[("old", 2), ("new", 2)]), None, "it serves"),
            (route(&["new"], &[("old", 1)]), None, "what the former one said is left over"),
            (route(&["old"], &[]), None, "the former one never served"),
        ];
        for (cluster, want, reason) in cases {
            let plan = plan(&behind("new"), &cluster.observed()).unwrap();
            let routing = plan.routing.as_ref().unwrap();
            let former = routing.former.as_ref().map(|former| &former.gateway);
            assert_eq!(former, want.map(gateway).as_ref(), "{reason}");

            let composed = crate::compose::compose(&plan).unwrap();
            let route = composed.iter().find(|composed| composed.key == Key::HttpRoute).unwrap();
            let route = serde_json::to_value(&route.manifest).unwrap();
            let named: Vec<&str> = route["spec"]["parentRefs"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parent| parent["name"].as_str().unwrap())
                .collect();
            let both: Vec<&str> = ["new"].into_iter().chain(want).collect();
            assert_eq!(named, both, "{reason}");
        }
    }

    #[test]
    fn what_the_former_gateway_needs_stays_as_long() {
        let istios = |accepted: &[(&str, i64)]| {
            route(&["new", "old"], accepted).holding(Key::GatewayDestinationRule, json!({})).observed()
        };
        let has_rule = |accepted: &[(&str, i64)]| {
            let plan = plan(&behind("new"), &istios(accepted)).unwrap();
            let composed = crate::compose::compose(&plan).unwrap();
            let keys: Vec<Key> = composed.into_iter().map(|composed| composed.key).collect();
            assert_eq!(plan.has(Key::GatewayDestinationRule), keys.contains(&Key::GatewayDestinationRule));
            keys.contains(&Key::GatewayDestinationRule)
        };
        assert!(has_rule(&[("old", 2)]), "Istio asks the picker by it");
        assert!(!has_rule(&[("old", 2), ("new", 2)]), "nobody needs it any more");
    }
}
