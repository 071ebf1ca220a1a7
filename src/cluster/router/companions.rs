//! What stands beside the chart: what has a Gateway ask the router, or do without it, and what keeps the router up.

use std::collections::BTreeMap;

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::settings::{GatewayPlace, InferenceRelease};
use crate::kinds::Resource;
use crate::kinds::agentgateway::{
    AgentgatewayPolicySpec, HeaderTransformation, RequestTransformation, Traffic, Transformation,
};
use crate::kinds::gateway_api::{self, PolicyTarget};
use crate::kinds::istio::{
    ConfigPatch, DestinationRuleSpec, EnvoyFilterSpec, EnvoyGrpc, ExternalProcessor, GrpcService, HttpFilter,
    Patch, PatchFilter, PatchFilterChain, PatchListener, PatchPlace, ProcessingMode, TrafficPolicy,
};
use crate::plan::gateway::MODEL_HEADER;
use crate::plan::names::APP_LABEL;

use super::{NAME, PORT};

/// One replica at a time may be drained: the chart has no such thing, and without any the Gateway fails.
pub(super) fn disruption_budget(metadata: ObjectMeta) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata,
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(LabelSelector {
                match_labels: Some(BTreeMap::from([(APP_LABEL.to_owned(), NAME.to_owned())])),
                ..LabelSelector::default()
            }),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

/// Has Istio ask the router over TLS. The host is completed by the rule's namespace.
pub(super) fn destination_rule(metadata: ObjectMeta) -> Resource<DestinationRuleSpec> {
    Resource::new(
        metadata,
        DestinationRuleSpec { host: NAME.to_owned(), traffic_policy: TrafficPolicy::UNCHECKED_TLS },
    )
}

/// Has one Gateway, and no other proxy, ask the router before it chooses a route; phases as in the chart of the release
/// (kubernetes-sigs/gateway-api-inference-extension, `config/charts/body-based-routing/templates/istio.yaml`).
///
/// The filter has the name of v1.5.0's for all releases. v1.3.1's is the one of the pickers' filter, which Istio
/// configures by name on each route (istio/istio 1.31, `pilot/pkg/xds/filters/filters.go`), so that a route to a pool
/// would have the picker asked twice.
pub(super) fn filter(
    metadata: ObjectMeta,
    gateway: &GatewayPlace,
    namespace: &str,
    release: InferenceRelease,
) -> Resource<EnvoyFilterSpec> {
    let (response_part, response_body) = match release {
        InferenceRelease::V1_3_1 => ("SKIP", "NONE"),
        InferenceRelease::V1_5_0 => ("SEND", "FULL_DUPLEX_STREAMED"),
    };
    let processor = ExternalProcessor {
        type_url: "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        failure_mode_allow: false,
        allow_mode_override: true,
        processing_mode: ProcessingMode {
            request_header_mode: "SEND",
            response_header_mode: response_part,
            request_body_mode: "FULL_DUPLEX_STREAMED",
            response_body_mode: response_body,
            request_trailer_mode: "SEND",
            response_trailer_mode: response_part,
        },
        grpc_service: GrpcService {
            envoy_grpc: EnvoyGrpc {
                cluster_name: format!("outbound|{PORT}||{NAME}.{namespace}.svc.cluster.local"),
            },
        },
    };
    Resource::new(
        metadata,
        EnvoyFilterSpec {
            target_refs: vec![target(gateway)],
            config_patches: vec![ConfigPatch {
                apply_to: "HTTP_FILTER",
                place: PatchPlace {
                    context: "GATEWAY",
                    listener: PatchListener {
                        filter_chain: PatchFilterChain {
                            filter: PatchFilter { name: "envoy.filters.network.http_connection_manager" },
                        },
                    },
                },
                patch: Patch {
                    operation: "INSERT_FIRST",
                    value: HttpFilter { name: "envoy.filters.http.ext_proc.bbr", typed_config: processor },
                },
            }],
        },
    )
}

/// Has a Gateway read the model itself, before it chooses a route, in place of what a client says
/// (kubernetes-sigs/gateway-api-inference-extension v1.5.0, `site-src/guides/serving-multiple-inference-pools-latest.md`;
/// agentgateway/agentgateway v1.4.1, `crates/agentgateway/src/http/transformation_cel.rs`).
pub(super) fn policy(metadata: ObjectMeta, gateway: &GatewayPlace) -> Resource<AgentgatewayPolicySpec> {
    let set = vec![HeaderTransformation { name: MODEL_HEADER, value: "json(request.body).model" }];
    Resource::new(
        metadata,
        AgentgatewayPolicySpec {
            target_refs: vec![target(gateway)],
            traffic: Traffic {
                phase: "PreRouting",
                transformation: Transformation { request: RequestTransformation { set } },
            },
        },
    )
}

fn target(gateway: &GatewayPlace) -> PolicyTarget {
    PolicyTarget { group: gateway_api::GROUP, kind: gateway_api::GATEWAY, name: gateway.name.clone() }
}
