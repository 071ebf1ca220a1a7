//! What implementations of a Gateway, and what stands before them, need beside the route.

use k8s_openapi::api::core::v1::ConfigMap;

use crate::api::Duration;
use crate::kinds::envoy_gateway::{EnvoyExtensionPolicySpec, Lua};
use crate::kinds::gateway_api::{self, HttpRouteSpec, PolicyTarget};
use crate::kinds::gke::{
    Backend, GcpBackendPolicySpec, HealthCheck, HealthCheckConfig, HealthCheckPolicySpec, HttpHealthCheck,
};
use crate::kinds::istio::{DestinationRuleSpec, TrafficPolicy};
use crate::kinds::nginx_gateway::{Buffering, ProxySettingsPolicySpec, Timeout};
use crate::kinds::{Kind, Resource, inference};
use crate::plan::gateway::PriorityPlan;
use crate::plan::keys::Key;
use crate::plan::names::{ENGINE_PORT, HEALTH_PATH};
use crate::plan::{Plan, RoutingPlan};

use super::{labelled, labels, meta};

/// By one of these labels a body-based router knows what to read: up to v1.3.1 and from v1.4.0 of
/// kubernetes-sigs/gateway-api-inference-extension (`cmd/bbr/runner/runner.go`), and its successor, llm-d's payload
/// processor. All of them are written, since the platform's release of it is not known here, and none minds the others'.
const ROUTER_LABELS: [(&str, &str); 3] = [
    ("inference-gateway.k8s.io/managed", "true"),
    ("inference.networking.k8s.io/bbr-managed", "true"),
    ("inference.llm-d.ai/ipp-managed", "true"),
];

/// Which model the adapters belong to. Names are JSON, which is YAML whatever they are.
pub(super) fn adapters_config_map(plan: &Plan) -> ConfigMap {
    let model = &plan.workload.model;
    let adapters = model.lora.as_ref().map_or(&[][..], |lora| &lora.adapters);
    let names: Vec<&str> = adapters.iter().map(|adapter| adapter.name.as_str()).collect();
    // A list of texts can always be written down.
    let names = serde_json::to_string(&names).unwrap_or_default();
    let data = [("baseModel", model.requested_name().to_owned()), ("adapters", names)];
    ConfigMap {
        metadata: labelled(plan, Key::AdaptersConfigMap, labels(ROUTER_LABELS)),
        data: Some(data.map(|(key, value)| (key.to_owned(), value)).into()),
        ..ConfigMap::default()
    }
}

/// Has Istio ask the picker over TLS.
///
/// The host is a short name, which Istio completes by the rule's namespace and the cluster's own domain
/// (istio/istio 1.31, `pilot/pkg/model/config.go`).
pub(super) fn destination_rule(plan: &Plan, routing: &RoutingPlan) -> Resource<DestinationRuleSpec> {
    let (host, _) = plan.picker_service(routing);
    Resource::new(
        meta(plan, Key::GatewayDestinationRule),
        DestinationRuleSpec { host, traffic_policy: TrafficPolicy::UNCHECKED_TLS },
    )
}

/// Asks the engines how they are. GKE would ask for `/`, which they do not have.
///
/// Times as in the inference extension's own chart (v1.5.0, `config/charts/inferencepool/templates/gke.yaml`).
pub(super) fn health_check_policy(plan: &Plan, key: Key) -> Resource<HealthCheckPolicySpec> {
    Resource::new(
        meta(plan, key),
        HealthCheckPolicySpec {
            target_ref: backend(plan, key),
            default: HealthCheck {
                check_interval_sec: 2,
                timeout_sec: 2,
                config: HealthCheckConfig {
                    kind: "HTTP",
                    http_health_check: HttpHealthCheck {
                        request_path: HEALTH_PATH,
                        port_specification: "USE_FIXED_PORT",
                        port: ENGINE_PORT,
                    },
                },
            },
        },
    )
}

/// How long a request may take, where the route cannot say so. GKE's own limit is 30 s.
pub(super) fn backend_policy(plan: &Plan, routing: &RoutingPlan, key: Key) -> Resource<GcpBackendPolicySpec> {
    Resource::new(
        meta(plan, key),
        GcpBackendPolicySpec {
            target_ref: backend(plan, key),
            default: Backend { timeout_sec: routing.request_timeout.as_seconds() },
        },
    )
}

/// Has NGINX pass on tokens as they come, and wait for them. Of itself it keeps answers back until they fill a buffer,
/// and waits for 60 s.
pub(super) fn proxy_settings_policy(plan: &Plan, routing: &RoutingPlan) -> Resource<ProxySettingsPolicySpec> {
    Resource::new(
        meta(plan, Key::GatewayProxySettingsPolicy),
        ProxySettingsPolicySpec {
            target_refs: vec![route(plan)],
            buffering: Buffering { disable: true },
            timeout: Timeout { read: nginx_duration(routing.request_timeout) },
        },
    )
}

/// Has Envoy overwrite the header that the picker believes, and take out the others. Header names and the model's have
/// no character that Lua would not take as it is.
pub(super) fn extension_policy(plan: &Plan, priority: &PriorityPlan) -> Resource<EnvoyExtensionPolicySpec> {
    let PriorityPlan { hook: _, set, objective, remove } = priority;
    let mut lines = vec![
        "function envoy_on_request(request_handle)".to_owned(),
        "  local headers = request_handle:headers()".to_owned(),
    ];
    lines.extend(set.iter().map(|name| format!("  headers:replace(\"{name}\", \"{objective}\")")));
    lines.extend(remove.iter().map(|name| format!("  headers:remove(\"{name}\")")));
    lines.extend(["end".to_owned(), String::new()]);
    Resource::new(
        meta(plan, Key::GatewayExtensionPolicy),
        EnvoyExtensionPolicySpec {
            target_refs: vec![route(plan)],
            lua: vec![Lua { kind: "Inline", inline: lines.join("\n") }],
        },
    )
}

/// What a policy of GKE is about: the pool, or the Service beside it.
fn backend(plan: &Plan, policy: Key) -> PolicyTarget {
    if matches!(policy, Key::GatewayServiceHealthCheckPolicy | Key::GatewayServiceBackendPolicy) {
        return PolicyTarget { group: "", kind: "Service", name: plan.model_service() };
    }
    let (_, name) = plan.place_of(Key::InferencePool);
    PolicyTarget { group: inference::GROUP, kind: inference::INFERENCE_POOL, name }
}

fn route(plan: &Plan) -> PolicyTarget {
    let (_, name) = plan.place_of(Key::HttpRoute);
    PolicyTarget { group: gateway_api::GROUP, kind: HttpRouteSpec::KIND, name }
}

/// One number of up to four digits and one unit (nginx/nginx-gateway-fabric v2.6.7, `apis/v1alpha1/shared_types.go`);
/// what has more seconds is rounded up to minutes.
fn nginx_duration(duration: Duration) -> String {
    let seconds = duration.as_seconds();
    if seconds <= 9999 { format!("{seconds}s") } else { format!("{}m", seconds.div_ceil(60)) }
}

#[cfg(test)]
mod tests {
    use super::nginx_duration;
    use crate::api::Duration;

    #[test]
    fn nginx_reads_four_digits_and_one_unit() {
        let cases = [
            (Duration::from_seconds(300), "300s", "as it is"),
            (Duration::from_millis(1500), "2s", "never shorter than asked for"),
            (Duration::from_seconds(9999), "9999s", "the most in seconds"),
            (Duration::from_seconds(10_000), "167m", "rounded up to minutes"),
            (Duration::from_seconds(2 * 24 * 3600), "2880m", "two days"),
        ];
        for (duration, want, reason) in cases {
            assert_eq!(nginx_duration(duration), want, "{reason}");
        }
    }
}
