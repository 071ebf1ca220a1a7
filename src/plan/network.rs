//! Who may open connections to the pods of one stack.
//!
//! Only what comes in is decided: what engines and picker ask of others stays open. Kubelets are not subject to it, since
//! a pod may always be reached from its own node (Kubernetes, "Network Policies"), so probes need nothing here.

use std::collections::BTreeMap;

use crate::api::Problem;
use crate::api::settings::{Monitoring, Network, Settings};

use super::checks;
use super::endpoint_picker::PickerPlan;
use super::gateway::Proxies;
use super::names::{ENDPOINT_PICKER, ENGINE_PORT, PICKER_METRICS_PORT, PICKER_PORT, component_labels};
use super::{IngressPlan, MonitoringPlan, RoutingPlan};

/// Who may reach what. Whatever is not here is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkPlan {
    /// The model servers.
    pub model: Vec<Opening>,
    /// The picker, where there is one.
    pub picker: Vec<Opening>,
}

/// A port and who may reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// On the pods.
    pub port: u16,
    /// Who.
    pub callers: Callers,
}

/// Who may reach a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// Everybody, from outside the cluster too.
    Anybody,
    /// These pods alone.
    These(Vec<Peer>),
}

/// Pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// All of that namespace.
    Namespace(String),
    /// Those of any namespace that have these labels.
    Labelled(BTreeMap<String, String>),
    /// Those of the model's namespace that have these labels.
    Beside(BTreeMap<String, String>),
}

/// Decides it, where the platform wants anything closed.
pub(super) fn decide(
    settings: &Settings,
    routing: Option<&RoutingPlan>,
    monitoring: Option<&MonitoringPlan>,
    ingress: &IngressPlan,
) -> Result<Option<NetworkPlan>, Problem> {
    let Some(Network { prometheus }) = &settings.network else { return Ok(None) };
    let prometheus = prometheus.as_ref().map(|namespace| Peer::Namespace(namespace.to_string()));
    let Some(routing) = routing else {
        return Ok(Some(NetworkPlan { model: vec![engines(Callers::Anybody)], picker: Vec::new() }));
    };
    let gateway = gateway(routing)?;
    // What implements the former Gateway is not known any more, nor where its proxies run.
    let moves = routing.former.is_some();
    let model = if *ingress == IngressPlan::Absent && !moves {
        let picker = match &routing.picker {
            PickerPlan::Own(_) => Peer::Beside(component_labels(&settings.composite.name, ENDPOINT_PICKER)),
            // By which labels its pods are known, is not.
            PickerPlan::Existing(_) => Peer::Namespace(settings.namespace.to_string()),
        };
        let peers = gateway.iter().cloned().chain([picker]).chain(prometheus.clone()).collect();
        engines(Callers::These(peers))
    } else {
        // Nobody knows where the controller of an Ingress runs.
        engines(Callers::Anybody)
    };
    let picker_is_scraped = match &settings.monitoring {
        Monitoring::None => false,
        Monitoring::Monitors(_) => monitoring.is_some_and(|monitoring| monitoring.picker),
        // By whom is not known, and the picker may be among it.
        Monitoring::External(_) => true,
    };
    let metrics = prometheus
        .filter(|_| picker_is_scraped)
        .map(|peer| Opening { port: PICKER_METRICS_PORT, callers: Callers::These(vec![peer]) });
    let asks = if moves { Some(Callers::Anybody) } else { gateway.map(|it| Callers::These(vec![it])) };
    let picker = asks.map(|callers| Opening { port: PICKER_PORT, callers });
    // The pods of a picker that is already there are not ours to close.
    let picker =
        routing.picker.own().map(|_| picker.into_iter().chain(metrics).collect()).unwrap_or_default();
    Ok(Some(NetworkPlan { model: vec![model], picker }))
}

/// Without routing, or beside it, clients call the engines themselves, from wherever they are.
const fn engines(callers: Callers) -> Opening {
    Opening { port: ENGINE_PORT, callers }
}

/// Where requests come from; from nowhere while that depends on a Gateway that is not known.
fn gateway(routing: &RoutingPlan) -> Result<Option<Peer>, Problem> {
    let Some(traits) = routing.traits() else { return Ok(None) };
    match traits.proxies {
        Proxies::Labelled(labels) => {
            let labels = labels.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned()));
            Ok(Some(Peer::Labelled(labels.collect())))
        }
        Proxies::BesideGateway => {
            Ok(routing.gateway.as_ref().ok().map(|gateway| Peer::Namespace(gateway.namespace.clone())))
        }
        Proxies::OutOfReach(why) => {
            let want = format!(
                "must be false or left out where {} implements the Gateway: {why}, so requests would be cut off; write \
                 policies for the addresses that they come from yourself",
                traits.name
            );
            Err(checks::input("spec.hardening.networkPolicy", true, want))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::fixtures::llm;
    use crate::api::settings::{Implementation, Monitoring, Settings, Toggle};
    use crate::observe::Observed;
    use crate::observe::fixtures::cluster;
    use crate::plan::keys::Key;
    use crate::plan::names::{ENDPOINT_PICKER, component_labels};
    use crate::plan::plan;

    use super::{Callers, NetworkPlan, Opening, Peer};

    const HOST: &str = "llama.example.com";

    fn network(settings: &Settings) -> Option<NetworkPlan> {
        plan(settings, &Observed::default()).unwrap().network
    }

    fn open(port: u16, peers: &[&Peer]) -> Opening {
        Opening { port, callers: Callers::These(peers.iter().copied().cloned().collect()) }
    }

    fn namespace(name: &str) -> Peer {
        Peer::Namespace(name.to_owned())
    }

    #[test]
    fn only_gateway_picker_and_prometheus_get_in() {
        let envoy = Peer::Labelled(
            [
                ("app.kubernetes.io/name", "envoy"),
                ("app.kubernetes.io/component", "proxy"),
                ("app.kubernetes.io/managed-by", "envoy-gateway"),
            ]
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .into(),
        );
        let picker = Peer::Beside(component_labels(&llm().composite.name, ENDPOINT_PICKER));
        let prometheus = namespace("monitoring");
        let on = |implementation| llm().hosted(HOST).on(implementation).behind("gateways", "shared").closed();
        let cases = [
            (Implementation::EnvoyAiGateway, envoy, "its proxies run wherever it is installed"),
            (Implementation::Istio, namespace("gateways"), "beside the Gateway"),
            (Implementation::Agentgateway, namespace("gateways"), "beside the Gateway"),
            (Implementation::Nginx, namespace("gateways"), "beside the Gateway"),
        ];
        for (implementation, gateway, reason) in cases {
            let unscraped = network(&on(implementation)).unwrap();
            assert_eq!(unscraped.model, [open(8000, &[&gateway, &picker, &prometheus])], "{reason}");
            assert_eq!(unscraped.picker, [open(9002, &[&gateway])], "{reason}; nobody scrapes the picker");
            let scraped = network(&on(implementation).scaled(0, 3)).unwrap();
            let metrics = open(9090, &[&prometheus]);
            assert_eq!(scraped.picker, [open(9002, &[&gateway]), metrics], "the autoscaler asks for it");
        }
    }

    /// A rule without peers would let everybody in.
    #[test]
    fn nobody_comes_from_a_gateway_that_is_still_looked_for() {
        let picker = Peer::Beside(component_labels(&llm().composite.name, ENDPOINT_PICKER));
        let sought = llm().hosted(HOST).on(Implementation::Istio).discovering().closed();
        let untold = llm().hosted(HOST).on_any().closed();
        for settings in [sought, untold] {
            let found = network(&settings).unwrap();
            assert_eq!(found.model, [open(8000, &[&picker, &namespace("monitoring")])]);
            assert_eq!(found.picker, [], "whoever asks it is not known");
        }
    }

    /// Its labels are not known, but its namespace is.
    #[test]
    fn a_picker_that_is_already_there_reads_the_engines_and_gets_no_policy() {
        let settings = llm().hosted(HOST).on(Implementation::Istio).behind("gateways", "shared");
        let settings = settings.picked_by("shared-epp").closed();
        let found = network(&settings).unwrap();
        let gateway = namespace("gateways");
        let (beside, prometheus) = (namespace("team-a"), namespace("monitoring"));
        assert_eq!(found.model, [open(8000, &[&gateway, &beside, &prometheus])]);
        assert_eq!(found.picker, []);
        assert!(!plan(&settings, &Observed::default()).unwrap().has(Key::EppNetworkPolicy));
    }

    #[test]
    fn what_scrapes_is_let_in_where_it_scrapes() {
        let metrics = |settings: Settings| {
            let picker = network(&settings).unwrap().picker;
            picker.into_iter().any(|opening| opening.port == 9090)
        };
        let scraped = |toggle| {
            let mut settings = llm().hosted(HOST).closed();
            settings.monitors().endpoint_picker = toggle;
            settings
        };
        let by = |monitoring| {
            let mut settings = llm().hosted(HOST).closed();
            settings.monitoring = monitoring;
            settings
        };
        assert!(metrics(scraped(Toggle::Enabled)), "a monitor of ours");
        assert!(!metrics(scraped(Toggle::Disabled)), "no monitor of ours");
        assert!(metrics(by(Monitoring::External([].into()))), "somebody else may");
        let mut unscraped = by(Monitoring::None);
        unscraped.network.as_mut().unwrap().prometheus = None;
        assert!(!metrics(unscraped), "nobody");
    }

    #[test]
    fn clients_that_come_past_the_gateway_are_not_cut_off() {
        let anybody = [Opening { port: 8000, callers: Callers::Anybody }];
        let direct = network(&llm().closed()).unwrap();
        assert_eq!(direct.model, anybody, "without routing clients call the Service");
        assert_eq!(direct.picker, [], "there is none");
        let mut beside = llm().hosted(HOST).closed();
        beside.ingress_host = Some(crate::api::Host::parse("old.example.com").unwrap());
        assert_eq!(network(&beside).unwrap().model, anybody, "the Ingress leads to the engines");
        assert_ne!(network(&llm().named().closed()).unwrap().model, anybody, "the Gateway is the only way");
        assert_eq!(network(&llm().hosted(HOST)), None, "nothing is closed unasked");
    }

    #[test]
    fn the_former_gateway_gets_in_for_as_long_as_it_serves() {
        let settings = llm().hosted(HOST).on(Implementation::Istio).behind("gateways", "new").closed();
        let former = json!({
            "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "old", "namespace": "elsewhere",
        });
        let yes = |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": 2});
        let route = json!({
            "metadata": {"generation": 2},
            "spec": {"parentRefs": [former.clone()], "hostnames": [HOST]},
            "status": {"parents": [
                {"parentRef": former, "conditions": [yes("Accepted"), yes("ResolvedRefs")]},
            ]},
        });
        let moving = cluster().holding(Key::HttpRoute, route).observed();
        let network = plan(&settings, &moving).unwrap().network.unwrap();
        let anybody = |port| Opening { port, callers: Callers::Anybody };
        assert_eq!(network.model, [anybody(8000)], "what implements it, and so where it runs, is not known");
        assert_eq!(network.picker, [anybody(9002)], "it asks the picker too");
    }

    #[test]
    fn proxies_that_nobody_can_name_are_not_cut_off() {
        for (implementation, name, why) in [
            (
                Implementation::Gke,
                "GKE",
                "its load balancers are outside the cluster, where no selector reaches",
            ),
            (Implementation::Other, "Other", "nobody knows where its proxies run"),
        ] {
            let settings = llm().hosted(HOST).on(implementation).closed();
            let found = plan(&settings, &Observed::default()).unwrap_err();
            let want = format!(
                "Input spec.hardening.networkPolicy is true: must be false or left out where {name} implements the \
                 Gateway: {why}, so requests would be cut off; write policies for the addresses that they come from \
                 yourself"
            );
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), [want]);
        }
    }
}
