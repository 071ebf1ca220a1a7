//! The Ingress of the deprecated `ingressHost`, as crossplane-inference v0.1.6 made it.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, ServiceBackendPort,
};

use crate::plan::Plan;
use crate::plan::keys::Key;
use crate::plan::names::MODEL_SERVICE_PORT;

use super::meta;

/// Sends the host to the model servers' Service.
pub(super) fn ingress(plan: &Plan, host: &str) -> Ingress {
    let backend = IngressServiceBackend {
        name: plan.model_service(),
        port: Some(ServiceBackendPort { name: None, number: Some(i32::from(MODEL_SERVICE_PORT)) }),
    };
    Ingress {
        metadata: meta(plan, Key::Ingress),
        spec: Some(IngressSpec {
            rules: Some(vec![IngressRule {
                host: Some(host.to_owned()),
                http: Some(HTTPIngressRuleValue {
                    paths: vec![HTTPIngressPath {
                        path: Some("/".to_owned()),
                        path_type: "Prefix".to_owned(),
                        backend: IngressBackend { resource: None, service: Some(backend) },
                    }],
                }),
            }]),
            ..IngressSpec::default()
        }),
        status: None,
    }
}
