//! Who may reach the stack's pods.

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::keys::Key;
use crate::plan::names::ENDPOINT_PICKER;
use crate::plan::{Callers, NetworkPlan, Opening, Peer, Plan};

use super::{labels, meta, select};

/// The label by which Kubernetes itself tells namespaces apart.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";

/// Who may reach the model servers.
pub(super) fn model(plan: &Plan, network: &NetworkPlan) -> NetworkPolicy {
    policy(plan, Key::ModelNetworkPolicy, select(plan.model_server_pods()), &network.model)
}

/// Who may reach the picker.
pub(super) fn picker(plan: &Plan, network: &NetworkPlan) -> NetworkPolicy {
    policy(plan, Key::EppNetworkPolicy, select(plan.component_labels(ENDPOINT_PICKER)), &network.picker)
}

/// Says nothing about where the pods themselves connect to: weights, a model registry, the API server.
fn policy(plan: &Plan, key: Key, pods: LabelSelector, openings: &[Opening]) -> NetworkPolicy {
    NetworkPolicy {
        metadata: meta(plan, key),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: (!openings.is_empty()).then(|| openings.iter().map(rule).collect()),
            egress: None,
        }),
    }
}

fn rule(opening: &Opening) -> NetworkPolicyIngressRule {
    let Opening { port, callers } = opening;
    NetworkPolicyIngressRule {
        ports: Some(vec![NetworkPolicyPort {
            protocol: Some("TCP".to_owned()),
            port: Some(IntOrString::Int(i32::from(*port))),
            end_port: None,
        }]),
        from: match callers {
            Callers::Anybody => None,
            Callers::These(peers) => Some(peers.iter().map(peer).collect()),
        },
    }
}

fn peer(peer: &Peer) -> NetworkPolicyPeer {
    let (namespace_selector, pod_selector) = match peer {
        Peer::Namespace(name) => (Some(select(labels([(NAMESPACE_LABEL, name)]))), None),
        Peer::Labelled(labels) => (Some(any_namespace()), Some(select(labels.clone()))),
        Peer::Beside(labels) => (None, Some(select(labels.clone()))),
    };
    NetworkPolicyPeer { ip_block: None, namespace_selector, pod_selector }
}

/// All of them have that label. An empty selector would say the same, but whoever drops what is empty on the way would
/// make it the model's own namespace, and cut the Gateway off.
fn any_namespace() -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: NAMESPACE_LABEL.to_owned(),
            operator: "Exists".to_owned(),
            values: None,
        }]),
        match_labels: None,
    }
}
