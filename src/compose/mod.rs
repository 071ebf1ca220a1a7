//! From the plan to typed Kubernetes objects, one file per family. Decides nothing that is not in the plan.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::api::settings::MonitorKind;
use crate::kinds::Manifest;
use crate::plan::keys::Key;
use crate::plan::{IngressPlan, Plan, ScalingPlan};

mod companions;
mod disruption;
mod gateway;
mod ingress;
mod monitoring;
mod network;
mod picker;
mod picker_config;
mod picker_metrics;
mod pool;
mod route;
mod scaling;
mod workload;

/// One composed object.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// Its composition-resource name.
    pub key: Key,
    /// The object.
    pub manifest: Manifest,
}

/// Why a stack could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// The picker's configuration file.
    #[error("cannot write the endpoint picker's configuration")]
    PickerConfig(#[source] serde_yaml::ser::Error),
}

/// The whole stack, in the order of `Key::ALL`.
pub fn compose(plan: &Plan) -> Result<Vec<Composed>, ComposeError> {
    let mut stack = Vec::with_capacity(Key::ALL.len());
    for key in Key::ALL {
        stack.extend(manifest(plan, key)?.map(|manifest| Composed { key, manifest }));
    }
    Ok(stack)
}

/// The object behind a key, if the plan has one.
fn manifest(plan: &Plan, key: Key) -> Result<Option<Manifest>, ComposeError> {
    let routing = plan.routing.as_ref();
    let services = plan.scraped_by(MonitorKind::ServiceMonitor);
    let pods = plan.scraped_by(MonitorKind::PodMonitor);
    let picker = plan.own_picker();
    let leader = picker.filter(|picker| picker.elects_leader());
    let shows_token = plan.shows_token();
    let companion = || routing.filter(|routing| routing.companions().contains(&key));
    Ok(match key {
        Key::VllmRuntime | Key::ModelDeployment | Key::ModelService => workload::model_servers(plan, key),
        Key::ReplicasHandover => plan.handover.map(|count| workload::replicas(plan, count).into()),
        Key::ModelMetricsService => services.map(|_| monitoring::model_metrics_service(plan).into()),
        Key::ModelPodDisruptionBudget => {
            plan.disruption_budget.then(|| disruption::model_pod_disruption_budget(plan).into())
        }
        Key::ModelNetworkPolicy => plan.network.as_ref().map(|it| network::model(plan, it).into()),
        Key::EppNetworkPolicy => match (picker, &plan.network) {
            (Some(_), Some(it)) => Some(network::picker(plan, it).into()),
            _ => None,
        },
        Key::ServiceMonitor => {
            services.map(|monitoring| monitoring::service_monitor(plan, monitoring).into())
        }
        Key::PodMonitor => pods.map(|monitoring| monitoring::pod_monitor(plan, monitoring).into()),
        Key::InferencePool => routing.map(|routing| pool::inference_pool(plan, routing).into()),
        Key::InferenceObjective | Key::InferenceObjectiveLlmD => routing
            .and_then(|routing| routing.reader_of(key))
            .map(|reader| pool::inference_objective(plan, reader).into()),
        Key::HttpRoute => {
            routing.filter(|_| plan.has(key)).map(|routing| route::http_route(plan, routing).into())
        }
        Key::AiGatewayRoute => {
            routing.filter(|_| plan.has(key)).map(|routing| route::ai_gateway_route(plan, routing).into())
        }
        Key::AiGatewayHttpRoute => plan.has(key).then(|| route::generated_route(plan).into()),
        Key::AdaptersConfigMap => companion().map(|_| companions::adapters_config_map(plan).into()),
        Key::GatewayDestinationRule => {
            companion().map(|routing| companions::destination_rule(plan, routing).into())
        }
        Key::GatewayHealthCheckPolicy | Key::GatewayServiceHealthCheckPolicy => {
            companion().map(|_| companions::health_check_policy(plan, key).into())
        }
        Key::GatewayBackendPolicy | Key::GatewayServiceBackendPolicy => {
            companion().map(|routing| companions::backend_policy(plan, routing, key).into())
        }
        Key::GatewayProxySettingsPolicy => {
            companion().map(|routing| companions::proxy_settings_policy(plan, routing).into())
        }
        Key::GatewayExtensionPolicy => {
            let priority = companion().and_then(|routing| routing.priority.as_ref());
            priority.map(|priority| companions::extension_policy(plan, priority).into())
        }
        Key::EppConfigMap => {
            picker.map(|picker| picker::config_map(plan, picker)).transpose()?.map(Into::into)
        }
        Key::EppServiceAccount => picker.map(|_| picker::service_account(plan).into()),
        Key::EppRolePodReader => picker.map(|_| picker::role_pod_reader(plan).into()),
        Key::EppRolePoolReader => {
            routing.filter(|_| picker.is_some()).map(|routing| picker::role_pool_reader(plan, routing).into())
        }
        Key::EppRoleBindingPodReader => picker.map(|_| picker::role_binding_pod_reader(plan).into()),
        Key::EppRoleBindingPoolReader => picker.map(|_| picker::role_binding_pool_reader(plan).into()),
        Key::EppRoleLeaderElection => leader.map(|picker| picker::role_leader_election(plan, picker).into()),
        Key::EppRoleBindingLeaderElection => {
            leader.map(|_| picker::role_binding_leader_election(plan).into())
        }
        Key::EppClusterRoleBindingAuthDelegator => {
            plan.guards_metrics().then(|| picker_metrics::auth_delegator(plan).into())
        }
        Key::EppMetricsServiceAccount => shows_token.then(|| picker_metrics::service_account(plan).into()),
        Key::EppMetricsToken => shows_token.then(|| picker_metrics::token(plan).into()),
        Key::EppMetricsClusterRole => shows_token.then(|| picker_metrics::cluster_role(plan).into()),
        Key::EppMetricsClusterRoleBinding => {
            shows_token.then(|| picker_metrics::cluster_role_binding(plan).into())
        }
        Key::EppDeployment => {
            picker.map(|picker| picker::deployment(plan, picker)).transpose()?.map(Into::into)
        }
        Key::EppService => picker.map(|picker| picker::service(plan, picker).into()),
        Key::EppExistingService => plan.has(key).then(|| picker::existing_service(plan).into()),
        Key::EppServiceMonitor => services
            .filter(|monitoring| monitoring.picker)
            .map(|monitoring| monitoring::picker_service_monitor(plan, monitoring).into()),
        Key::EppPodMonitor => pods
            .filter(|monitoring| monitoring.picker)
            .map(|monitoring| monitoring::picker_pod_monitor(plan, monitoring).into()),
        Key::PrometheusRule => {
            plan.rules.as_ref().map(|rules| monitoring::prometheus_rule(plan, rules).into())
        }
        Key::ScaledObject => match &plan.scaling {
            ScalingPlan::On(scaled_object) => Some(scaling::scaled_object(plan, scaled_object).into()),
            ScalingPlan::Off | ScalingPlan::Withheld(_) => None,
        },
        Key::Gateway => plan.gateway().map(|it| gateway::observed(it).into()),
        Key::GatewayClass => plan.gateway_class().map(|it| gateway::class(it).into()),
        Key::Ingress => match &plan.ingress {
            IngressPlan::Wanted(host) | IngressPlan::Kept(host) => Some(ingress::ingress(plan, host).into()),
            IngressPlan::Absent => None,
        },
    })
}

/// Metadata of an object of ours: where it is, whose it is, and what the platform puts on everything.
fn meta(plan: &Plan, key: Key) -> ObjectMeta {
    let (namespace, name) = plan.place_of(key);
    let mut annotations = plan.annotations.clone();
    annotations.extend(plan.marks.clone());
    ObjectMeta {
        name: Some(name),
        namespace: namespace.filter(|_| plan.says_namespace),
        labels: (!plan.labels.is_empty()).then(|| plan.labels.clone()),
        annotations: Some(annotations),
        resource_version: plan.workload_seen_at.clone().filter(|_| key == plan.workload_key()),
        ..ObjectMeta::default()
    }
}

/// The same, with labels of our own; ours win, since selectors rely on them.
fn labelled(plan: &Plan, key: Key, labels: BTreeMap<String, String>) -> ObjectMeta {
    let mut meta = meta(plan, key);
    // A platform may set its monitors' labels to none at all.
    if !labels.is_empty() {
        meta.labels.get_or_insert_default().extend(labels);
    }
    meta
}

fn labels<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn select(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

#[cfg(test)]
mod gateway_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod workload_tests;
