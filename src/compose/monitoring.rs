//! What gets the series into Prometheus that the autoscaler asks for, and what it tells people about them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::kinds::Resource;
use crate::kinds::prometheus_operator::{
    AlertingRule, Authorization, Endpoint, PodMetricsEndpoint, PodMonitorSpec, PrometheusRuleSpec,
    Relabeling, RuleGroup, SecretKeySelector, ServiceMonitorSpec,
};
use crate::plan::keys::Key;
use crate::plan::names::{
    ENDPOINT_PICKER, ENGINE_PORT, ENGINE_PORT_NAME, METRICS_PATH, MODEL_LABEL, MODEL_SERVER,
    PICKER_METRICS_CONTAINER_PORT_NAME, PICKER_METRICS_PORT_NAME, series_label,
};
use crate::plan::{Alert, MonitoringPlan, Plan, RulesPlan, Severity};

use super::picker_metrics::TOKEN_KEY;
use super::{labelled, select};

/// A Service for scraping alone: the one that the vLLM operator makes has no labels to select it by.
pub(super) fn model_metrics_service(plan: &Plan) -> Service {
    Service {
        metadata: labelled(plan, Key::ModelMetricsService, plan.component_labels(MODEL_SERVER)),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: Some("None".to_owned()),
            selector: Some(plan.model_server_pods()),
            ports: Some(vec![ServicePort {
                name: Some(ENGINE_PORT_NAME.to_owned()),
                protocol: Some("TCP".to_owned()),
                port: i32::from(ENGINE_PORT),
                target_port: Some(IntOrString::Int(i32::from(ENGINE_PORT))),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Scrapes the model servers.
pub(super) fn service_monitor(plan: &Plan, monitoring: &MonitoringPlan) -> Resource<ServiceMonitorSpec> {
    monitor(plan, monitoring, Key::ServiceMonitor, MODEL_SERVER, ENGINE_PORT_NAME, None)
}

/// Scrapes the picker.
pub(super) fn picker_service_monitor(
    plan: &Plan,
    monitoring: &MonitoringPlan,
) -> Resource<ServiceMonitorSpec> {
    let key = Key::EppServiceMonitor;
    monitor(plan, monitoring, key, ENDPOINT_PICKER, PICKER_METRICS_PORT_NAME, token(plan))
}

/// What the picker wants to see before it shows its metrics.
fn token(plan: &Plan) -> Option<Authorization> {
    plan.shows_token().then(|| Authorization {
        kind: "Bearer",
        credentials: SecretKeySelector { name: plan.name.picker_metrics(), key: TOKEN_KEY },
    })
}

fn monitor(
    plan: &Plan,
    monitoring: &MonitoringPlan,
    key: Key,
    component: &str,
    port: &'static str,
    authorization: Option<Authorization>,
) -> Resource<ServiceMonitorSpec> {
    Resource::new(
        labelled(plan, key, monitoring.labels.clone()),
        ServiceMonitorSpec {
            selector: select(plan.component_labels(component)),
            target_labels: vec![MODEL_LABEL.to_owned()],
            endpoints: vec![Endpoint {
                port,
                path: METRICS_PATH,
                interval: monitoring.interval.to_string(),
                authorization,
            }],
        },
    )
}

/// Scrapes the model servers, whatever runs them: the operator and our Deployment call the port alike.
pub(super) fn pod_monitor(plan: &Plan, monitoring: &MonitoringPlan) -> Resource<PodMonitorSpec> {
    pods(plan, monitoring, Key::PodMonitor, plan.model_server_pods(), ENGINE_PORT_NAME, None)
}

/// Scrapes the picker.
pub(super) fn picker_pod_monitor(plan: &Plan, monitoring: &MonitoringPlan) -> Resource<PodMonitorSpec> {
    let picker = plan.component_labels(ENDPOINT_PICKER);
    let port = PICKER_METRICS_CONTAINER_PORT_NAME;
    pods(plan, monitoring, Key::EppPodMonitor, picker, port, token(plan))
}

/// The vLLM operator's pods have no label of ours that could be copied, so the model's is written on every target.
fn pods(
    plan: &Plan,
    monitoring: &MonitoringPlan,
    key: Key,
    selector: BTreeMap<String, String>,
    port: &'static str,
    authorization: Option<Authorization>,
) -> Resource<PodMonitorSpec> {
    Resource::new(
        labelled(plan, key, monitoring.labels.clone()),
        PodMonitorSpec {
            selector: select(selector),
            pod_metrics_endpoints: vec![PodMetricsEndpoint {
                port,
                path: METRICS_PATH,
                interval: monitoring.interval.to_string(),
                authorization,
                relabelings: vec![Relabeling {
                    action: "replace",
                    target_label: series_label(MODEL_LABEL),
                    replacement: plan.name.to_string(),
                }],
            }],
        },
    )
}

/// Alerts.
pub(super) fn prometheus_rule(plan: &Plan, rules: &RulesPlan) -> Resource<PrometheusRuleSpec> {
    let RulesPlan { labels, group, alert_labels, alerts } = rules;
    let rules = alerts.iter().map(|alert| {
        let Alert { name, expr, lasts, severity, summary, description } = alert;
        let severity = match severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
        };
        let mut labels = alert_labels.clone();
        labels.insert("severity".to_owned(), severity.to_owned());
        AlertingRule {
            alert: name,
            expr: expr.clone(),
            lasts: lasts.map(|lasts| lasts.to_string()),
            labels,
            annotations: BTreeMap::from([
                ("summary", (*summary).to_owned()),
                ("description", description.clone()),
            ]),
        }
    });
    let groups = vec![RuleGroup { name: group.clone(), rules: rules.collect() }];
    Resource::new(labelled(plan, Key::PrometheusRule, labels.clone()), PrometheusRuleSpec { groups })
}
