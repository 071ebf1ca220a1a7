//! `networking.istio.io`: istio/api v1.31, in `v1` since v1.22.

use serde::Serialize;

use super::Kind;
use super::gateway_api::PolicyTarget;

/// `DestinationRule`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DestinationRuleSpec {
    /// The Service.
    pub host: String,
    /// How it is asked.
    pub traffic_policy: TrafficPolicy,
}

impl Kind for DestinationRuleSpec {
    const API_VERSION: &'static str = "networking.istio.io/v1";
    const KIND: &'static str = "DestinationRule";
}

/// How a Service is asked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrafficPolicy {
    /// Encryption.
    pub tls: Tls,
}

impl TrafficPolicy {
    /// Over TLS, with a certificate that cannot be checked, since it is new at every start.
    pub const UNCHECKED_TLS: Self = Self { tls: Tls { mode: "SIMPLE", insecure_skip_verify: true } };
}

/// Encryption towards a Service.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// `SIMPLE`: TLS without a certificate of the client.
    pub mode: &'static str,
    /// Whether the Service's certificate goes unchecked.
    pub insecure_skip_verify: bool,
}

/// `EnvoyFilter`, which is in no later version.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvoyFilterSpec {
    /// Whose proxies are changed; without any it would be all of the namespace, or of the mesh.
    pub target_refs: Vec<PolicyTarget>,
    /// What is changed.
    pub config_patches: Vec<ConfigPatch>,
}

impl Kind for EnvoyFilterSpec {
    const API_VERSION: &'static str = "networking.istio.io/v1alpha3";
    const KIND: &'static str = "EnvoyFilter";
}

/// One change of a proxy's configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigPatch {
    /// `HTTP_FILTER`.
    pub apply_to: &'static str,
    /// Where.
    #[serde(rename = "match")]
    pub place: PatchPlace,
    /// What.
    pub patch: Patch,
}

/// Where a proxy's configuration is changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchPlace {
    /// `GATEWAY`: not in sidecars.
    pub context: &'static str,
    /// In which listeners.
    pub listener: PatchListener,
}

/// Listeners that have this chain.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PatchListener {
    /// The chain.
    pub filter_chain: PatchFilterChain,
}

/// Chains that have this filter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchFilterChain {
    /// The filter.
    pub filter: PatchFilter,
}

/// A filter by its name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchFilter {
    /// Its name.
    pub name: &'static str,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Patch {
    /// `INSERT_FIRST`.
    pub operation: &'static str,
    /// The filter.
    pub value: HttpFilter,
}

/// A filter of Envoy that asks an external processor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HttpFilter {
    /// What routes may call it by.
    pub name: &'static str,
    /// Its configuration.
    pub typed_config: ExternalProcessor,
}

/// `envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExternalProcessor {
    /// The name of this type.
    #[serde(rename = "@type")]
    pub type_url: &'static str,
    /// Whether requests go on unread while nobody answers.
    pub failure_mode_allow: bool,
    /// Whether the processor may ask for more, or for less.
    pub allow_mode_override: bool,
    /// What it gets to see.
    pub processing_mode: ProcessingMode,
    /// Where it is.
    pub grpc_service: GrpcService,
}

/// What a processor gets to see.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each field is named after what it is about")]
pub struct ProcessingMode {
    pub request_header_mode: &'static str,
    pub response_header_mode: &'static str,
    pub request_body_mode: &'static str,
    pub response_body_mode: &'static str,
    pub request_trailer_mode: &'static str,
    pub response_trailer_mode: &'static str,
}

/// Where a processor is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GrpcService {
    /// As Envoy knows it.
    pub envoy_grpc: EnvoyGrpc,
}

/// A cluster of Envoy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EnvoyGrpc {
    /// Its name, which Istio makes of a Service's port and host.
    pub cluster_name: String,
}
