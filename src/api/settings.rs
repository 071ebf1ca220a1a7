//! What one call is asked to build: complete, checked, every default filled in.
//!
//! The rooms to the right (`plan` and on) read these and nothing that a person wrote.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use serde::Deserialize;

use super::operator::Operator;
use super::{Duration, Host, ModelName, Namespace, Source};

mod extension;

pub use extension::{Caller, Chart, Extension, GatewayPlace, InferenceRelease, MissingFlag, Router, Wanted};

/// A model stack, as asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Whose stack it is.
    pub composite: Composite,
    /// How composed objects reach the cluster where the model runs.
    pub transport: Transport,
    /// Where everything lands on that cluster.
    pub namespace: Namespace,
    /// What runs the model.
    pub backend: Backend,
    /// The model and its engine.
    pub model: Model,
    /// Bounds with scaling, the exact count (`min`) without.
    pub replicas: Replicas,
    /// Present where scaling is on.
    pub scaling: Option<Scaling>,
    /// The longest a replica takes from nothing to ready.
    pub cold_start: Duration,
    /// Present where requests come through a Gateway.
    pub routing: Option<Routing>,
    /// The deprecated Ingress host.
    pub ingress_host: Option<Host>,
    /// Where the model's series come from.
    pub monitoring: Monitoring,
    /// Present where alerts are wanted: labels that make Prometheus select them.
    pub rules: Option<BTreeMap<String, String>>,
    /// Whether the engines get a `PodDisruptionBudget`.
    pub disruption_budget: bool,
    /// Present where not everybody may reach the stack's pods.
    pub network: Option<Network>,
    /// Annotations of the engines' pods, which node autoscalers heed.
    pub pod_annotations: BTreeMap<String, String>,
    /// Platform labels for every emitted object but `VLLMRuntime`.
    pub labels: BTreeMap<String, String>,
    /// Platform annotations for every emitted object but `VLLMRuntime`.
    pub annotations: BTreeMap<String, String>,
    /// How soon Crossplane asks again.
    pub ttl: Ttl,
}

/// The composite resource's identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Composite {
    /// As observed.
    pub api_version: String,
    /// As observed.
    pub kind: String,
    /// Its name, and the stem of every composed name.
    pub name: ModelName,
    /// `None` for a cluster-scoped composite.
    pub namespace: Option<String>,
    /// `metadata.creationTimestamp`, as the API server writes it; `None` for a manifest that was not applied yet.
    pub created: Option<String>,
    /// Where in it the model is described: `spec`, or the Input's `specPath`.
    pub spec_path: String,
}

/// How composed objects reach the cluster where the model runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Each inside an Object of provider-kubernetes, to any cluster.
    Objects(Delivery),
    /// As composed resources themselves: the control plane is that cluster.
    Direct,
}

/// How Objects reach the target cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The wrapper's kind.
    pub target: Target,
    /// Kind of the provider configuration; means nothing to `Target::ClusterObject`.
    pub provider_config_kind: ProviderConfigKind,
    /// Its name.
    pub provider_config_name: String,
}

/// The wrapper around each composed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// `kubernetes.m.crossplane.io/v1alpha1` `Object`.
    NamespacedObject,
    /// `kubernetes.crossplane.io/v1alpha2` `Object`, under cluster-scoped composites only.
    ClusterObject,
}

/// Which kind of provider configuration is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderConfigKind {
    /// In the composite's namespace.
    ProviderConfig,
    /// Cluster-scoped.
    ClusterProviderConfig,
}

/// What runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The vLLM production stack's operator, by a `VLLMRuntime`.
    VllmRuntime(Operator),
    /// Kubernetes itself, by a `Deployment`.
    Deployment,
}

/// The model and its engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Hugging Face id, path or URI.
    pub uri: String,
    /// What the engine calls it.
    pub served_name: String,
    /// What it answers to besides: the name that it is routed by, where that is another one.
    pub alias: Option<String>,
    /// GPUs per replica, 0 to 16.
    pub gpu: u8,
    /// Priority class of this model's traffic.
    pub criticality: Criticality,
    /// The number behind `criticality`.
    pub priority: i32,
    /// The engine.
    pub runtime: Runtime,
    /// Present where `LoRA` adapters are served beside the model.
    pub lora: Option<Lora>,
}

impl Model {
    /// What clients send as `model`.
    pub fn requested_name(&self) -> &str {
        self.alias.as_ref().unwrap_or(&self.served_name)
    }
}

/// `LoRA` adapters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lora {
    /// Those that are served from the start. Clients send their names as `model`.
    pub adapters: Vec<Adapter>,
    /// Most adapters in one batch.
    pub max_adapters: u32,
    /// Largest rank of an adapter.
    pub max_rank: u32,
}

/// A `LoRA` adapter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// What clients send as `model`.
    pub name: String,
    /// Hugging Face id or path.
    pub path: String,
}

/// Priority class of a model's traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criticality {
    /// Served first.
    Critical,
    /// The default class of requests without an objective.
    Standard,
    /// Dropped first.
    Sheddable,
}

/// The engine, where the XR or the platform's defaults say something about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runtime {
    /// Full image reference; `None` = the backend's default.
    pub image: Option<String>,
    /// Canonical quantity; `None` = `2 x max(1, gpu)`.
    pub cpu: Option<String>,
    /// Canonical quantity; `None` = `8 x max(1, gpu) Gi`.
    pub memory: Option<String>,
    /// Extra engine arguments.
    pub args: Vec<String>,
    /// Whose they are: only one of the two says them all.
    pub args_source: Source,
    /// Extra environment.
    pub env: Vec<EnvVariable>,
    /// Weight and activation type; `None` = `auto`.
    pub dtype: Option<String>,
    /// Context length.
    pub max_model_len: Option<i32>,
    /// Size of shared memory; `None` = the pod's memory bounds it.
    pub shared_memory: Option<String>,
    /// Secret that holds the Hugging Face token.
    pub token_secret: Option<SecretKey>,
    /// `RuntimeClass` of the pods.
    pub runtime_class_name: Option<String>,
    /// Node labels that must match.
    pub node_selector: BTreeMap<String, String>,
    /// Pod tolerations.
    pub tolerations: Vec<Toleration>,
}

impl Runtime {
    /// Arguments that set one of some flags, as the engine takes them: `--a_b=c` sets `--a-b`. With its place in the list.
    pub(crate) fn arguments_that_set<'a>(
        &'a self,
        is_meant: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = (usize, String)> + 'a {
        let flags = self.args.iter().map(|argument| argument.split('=').next().unwrap_or(argument));
        flags.map(|flag| flag.replace('_', "-")).enumerate().filter(move |(_, flag)| is_meant(flag))
    }

    /// What a flag is set to, by itself or by the argument after it. The last one counts.
    pub(crate) fn argument(&self, flag: &str) -> Option<&str> {
        let (place, _) = self.arguments_that_set(|candidate| candidate == flag).last()?;
        match self.args.get(place)?.split_once('=') {
            Some((_, value)) => Some(value),
            None => self.args.get(place + 1).map(String::as_str),
        }
    }
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVariable {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    pub value: EnvSource,
}

/// Where a variable's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvSource {
    /// It stands here.
    Literal(String),
    /// A Secret has it.
    Secret(SecretKey),
}

/// A key of a Secret in the model's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKey {
    /// The Secret's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

/// Replica bounds; `min <= max` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas {
    /// Least replicas, or the exact number without scaling.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
}

/// What to scale on.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    /// The engine metric.
    pub metric: Metric,
    /// Per replica; `None` = the metric's default.
    pub target: Option<f64>,
    /// Where KEDA asks.
    pub prometheus_address: String,
    /// Present where it needs credentials.
    pub credentials: Option<Credentials>,
}

/// Credentials of KEDA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Name of an object that KEDA finds them in.
    pub name: String,
    /// Its kind.
    pub kind: AuthKind,
    /// How they are used: at least one way, none twice, not both `Bearer` and `Basic`.
    pub modes: Vec<AuthMode>,
}

/// Kind of KEDA's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthKind {
    /// In the model's namespace.
    TriggerAuthentication,
    /// Cluster-scoped.
    ClusterTriggerAuthentication,
}

/// How KEDA authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// By a bearer token.
    Bearer,
    /// By user name and password.
    Basic,
    /// By certificates, or trusting a certificate authority of its own.
    Tls,
    /// By a header.
    Custom,
}

/// Engine metric to scale on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// Waiting requests.
    QueueDepth,
    /// KV cache fraction in use.
    KvCache,
    /// How long requests and tokens take. It has no target.
    Latency(LatencyObjective),
}

/// What a model promises; at least one of the two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyObjective {
    /// Longest time to the first token.
    pub time_to_first_token: Option<Duration>,
    /// Longest time between tokens.
    pub inter_token_latency: Option<Duration>,
    /// The part that keeps them.
    pub percentile: f64,
}

/// What implements a Gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    /// envoyproxy/ai-gateway on envoyproxy/gateway.
    EnvoyAiGateway,
    /// istio/istio.
    Istio,
    /// agentgateway/agentgateway, which is also kgateway's data plane for inference.
    Agentgateway,
    /// The controller of Google Kubernetes Engine.
    Gke,
    /// nginx/nginx-gateway-fabric.
    Nginx,
    /// Any other that implements Gateway API and `InferencePool`.
    Other,
}

/// What leads to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteBy {
    /// A hostname that is this model's alone.
    Host(Host),
    /// Its name in the request, at that hostname or at any.
    ModelName(Option<Host>),
}

impl RouteBy {
    /// The hostname that requests have to be for.
    pub const fn host(&self) -> Option<&Host> {
        match self {
            Self::Host(host) => Some(host),
            Self::ModelName(host) => host.as_ref(),
        }
    }
}

/// What the platform permits on its Gateways to give requests their priority, where routes cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorityHook {
    /// Nothing.
    None,
    /// A script in Envoy.
    Lua,
}

/// Routing through a Gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct Routing {
    /// What leads to the model.
    pub by: RouteBy,
    /// What implements the Gateway; `None` = what its class says.
    pub implementation: Option<Implementation>,
    /// The Gateway.
    pub gateway: GatewayChoice,
    /// What may give requests their priority.
    pub priority_hook: PriorityHook,
    /// Longest request, before any hold time.
    pub timeout: Duration,
    /// The Endpoint Picker.
    pub picker: Picker,
}

/// How it is known which Gateway is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayChoice {
    /// Somebody names it.
    Named(GatewayRef),
    /// It is found on the cluster.
    Discovered(Discovery),
}

/// Which of the cluster's Gateways is meant: the only one, else one of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Labels that one of several has.
    pub labels: BTreeMap<String, String>,
    /// One listener.
    pub section_name: Option<String>,
}

/// A Gateway, or one listener of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayRef {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// One listener.
    pub section_name: Option<String>,
}

/// The Endpoint Picker, as the platform asked for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picker {
    /// Release, such as `v1.3.1`; known to `plan`.
    pub version: Option<String>,
    /// The releases that it behaves like, where its version does not tell.
    pub family: Option<PickerFamily>,
    /// Full image reference; `None` = the release's own.
    pub image: Option<String>,
    /// Its replicas, 1 to 10; above 1, one of them leads.
    pub replicas: u8,
    /// Container resources; `None` = modest defaults.
    pub resources: Option<ResourceRequirements>,
    /// What it scores endpoints by; `None` = the releases' own choice.
    pub scorers: Option<Vec<Scorer>>,
    /// Its whole configuration, instead of ours.
    pub config: Option<PickerConfig>,
    /// What the gateway does when the picker does not answer.
    pub failure_mode: FailureMode,
    /// Queueing in the picker.
    pub flow_control: Toggle,
    /// Who may read its metrics.
    pub metrics_auth: MetricsAuth,
    /// A picker that is already there, instead of one of ours.
    pub existing: Option<ExistingPicker>,
}

/// A picker that is already there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingPicker {
    /// Name of its Service, in the model's namespace.
    pub name: String,
    /// Port of that Service; `None` = the one that all releases answer at.
    pub port: Option<u16>,
}

/// A scorer and its share.
#[derive(Debug, Clone, PartialEq)]
pub struct Scorer {
    /// Plugin type.
    pub plugin: String,
    /// Its share among the others.
    pub weight: f64,
}

/// A picker's whole configuration, as a platform wrote it.
#[derive(Debug, Clone, PartialEq)]
pub struct PickerConfig {
    /// As it is written.
    pub text: String,
    /// What it says.
    pub tree: Tree,
}

/// What a YAML document says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "each variant is named after what it holds")]
pub enum Tree {
    Null,
    Flag(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

/// As a problem shows it: short.
impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("missing"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Whole(number) => write!(f, "{number}"),
            Self::Real(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:.64?}"),
            Self::List(entries) => write!(f, "a list of {}", entries.len()),
            Self::Map(_) => f.write_str("an object"),
        }
    }
}

/// A family of picker releases: those of one minor version, in the order in which they came out. `plan` has the table
/// of what differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PickerFamily {
    /// kubernetes-sigs/gateway-api-inference-extension v1.3.x.
    Gie1_3,
    /// kubernetes-sigs/gateway-api-inference-extension v1.4.x.
    Gie1_4,
    /// kubernetes-sigs/gateway-api-inference-extension v1.5.x, the last that has a picker.
    Gie1_5,
    /// llm-d/llm-d-router v0.9.x.
    LlmD0_9,
    /// llm-d/llm-d-router v0.10.x.
    LlmD0_10,
}

impl PickerFamily {
    /// Every family.
    pub const ALL: [Self; 5] = [Self::Gie1_3, Self::Gie1_4, Self::Gie1_5, Self::LlmD0_9, Self::LlmD0_10];
}

/// What the gateway does when the picker does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureMode {
    /// The gateway chooses an endpoint itself.
    FailOpen,
    /// The request fails.
    FailClose,
}

/// Who may read a picker's metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsAuth {
    /// Whoever reaches the port.
    None,
    /// Whoever has a token that may.
    Token,
}

/// A choice that may be left to the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toggle {
    /// On where it is needed.
    Auto,
    /// Always on.
    Enabled,
    /// Never on.
    Disabled,
}

/// Where a model's series come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Monitoring {
    /// There are none.
    None,
    /// Monitors of ours make Prometheus scrape it.
    Monitors(Monitors),
    /// Somebody else scrapes it: the labels that all of its series have.
    External(BTreeMap<String, String>),
}

/// What makes Prometheus scrape a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitors {
    /// Their kind.
    pub kind: MonitorKind,
    /// Labels that make Prometheus select the monitors.
    pub labels: BTreeMap<String, String>,
    /// Scrape interval.
    pub interval: Duration,
    /// Whether the picker is scraped too.
    pub endpoint_picker: Toggle,
}

/// What the Prometheus operator is told by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorKind {
    /// It finds pods by their Services.
    ServiceMonitor,
    /// It finds pods themselves.
    PodMonitor,
}

/// Who may reach the stack's pods, beside those that are part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Namespace of the Prometheus that scrapes them; `None` where nobody does.
    pub prometheus: Option<Namespace>,
}

/// How soon Crossplane asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl {
    /// When everything is as it should be.
    pub settled: Duration,
    /// While something is under way.
    pub pending: Duration,
}
