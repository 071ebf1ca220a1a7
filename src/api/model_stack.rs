//! Input `ModelStack`: what a platform team sets once in its Composition. Its schema is generated from these types.

#![allow(clippy::doc_markdown, reason = "these comments are the schema's descriptions, which are plain text")]
#![allow(clippy::struct_field_names, reason = "fields are named as in the documents")]

use super::llm_inference::{LatencyObjective, Metric, Runtime};
use super::numbers::{Int, Interval, Quantity, Real, Target, Wait, Weight};
use super::reading::{List, Map, choice, object};
use super::settings::{
    AuthKind, AuthMode, FailureMode, MetricsAuth, PickerFamily, PriorityHook, ProviderConfigKind, Toggle,
};
use super::texts::{
    AnnotationValue, GatewayGlob, Glob, Image, LabelValue, NamespaceName, ObjectName, QualifiedName, Release,
    ResourceName, SectionName, SpecPath, Text, Url, Word, YamlText,
};

/// API group of Inputs.
pub const GROUP: &str = "inference.fn.crossplane.io";
/// Their version.
pub const VERSION: &str = "v1beta1";
/// The kind that asks for a model stack.
pub const KIND: &str = "ModelStack";

object! {
    /// What the platform sets for every model.
    struct StackSpec {
        /// How objects reach the target cluster: by namespaced Objects of provider-kubernetes, by its cluster-scoped
        /// Objects (cluster-scoped composites only), or directly, on the cluster that Crossplane runs on. Default:
        /// NamespacedObject.
        "target" target: Wrapper,
        /// Kind of the provider configuration that providerConfigName names. Default: ProviderConfig.
        "providerConfigKind" provider_config_kind: ProviderConfigKind,
        /// Where the fields of LLMInference live in the composite. Composites of another kind need it. Default: spec.
        "specPath" spec_path: Text<SpecPath>,
        /// Values for what a composite leaves out.
        "defaults" defaults: Defaults,
        /// What a composite may ask for. Says nothing about defaults.
        "policy" policy: Policy,
        /// The model's workload.
        "workload" workload: Workload,
        /// The Endpoint Picker.
        "endpointPicker" endpoint_picker: EndpointPicker,
        /// The Gateway.
        "gateway" gateway: StackGateway,
        /// Priorities behind the criticality classes. Requests of a negative priority may be dropped.
        "priorities" priorities: Priorities,
        /// Scraping.
        "monitoring" monitoring: Monitoring,
        /// The Prometheus that KEDA asks.
        "prometheus" prometheus: Prometheus,
        /// Protection of what runs.
        "hardening" hardening: Hardening,
        /// Protection from node autoscalers.
        "nodes" nodes: Nodes,
        /// Labels of every object but the VLLMRuntime, whose labels its operator copies into a selector that cannot
        /// change.
        "labels" labels: Map<QualifiedName, Text<LabelValue>, 32>,
        /// Annotations of every object but the VLLMRuntime.
        "annotations" annotations: Map<QualifiedName, Text<AnnotationValue>, 32>,
        /// How soon Crossplane asks again.
        "ttl" ttl: Ttl,
    }
}

choice! {
    /// How objects reach the target cluster.
    enum Wrapper { NamespacedObject = "NamespacedObject", ClusterObject = "ClusterObject", Direct = "Direct", }
}

choice! {
    impl ProviderConfigKind { ProviderConfig = "ProviderConfig", ClusterProviderConfig = "ClusterProviderConfig", }
}

choice! {
    impl Toggle { Auto = "Auto", Enabled = "Enabled", Disabled = "Disabled", }
}

choice! {
    impl FailureMode { FailOpen = "FailOpen", FailClose = "FailClose", }
}

object! {
    /// Values for what a composite leaves out, each on its own; lists and maps are replaced, never joined.
    struct Defaults {
        /// The engine.
        "runtime" runtime: Runtime,
        /// Replicas that follow the load.
        "scaling" scaling: ScalingDefaults,
    }
}

object! {
    /// Replicas that follow the load.
    struct ScalingDefaults rules TARGETS twin scaling_defaults {
        /// What to scale on. Default: queue-depth.
        "metric" metric: Metric,
        /// The value per replica to aim at, for that metric only. Default: 3 for queue-depth, 0.8 for kv-cache, none
        /// for latency.
        "target" target: Real<Target>,
        /// The objective of models that scale on latency, part by part.
        "latency" latency: LatencyObjective,
        /// The longest that a replica takes from nothing to ready. Default: 10m.
        "coldStart" cold_start: Wait,
    }
}

object! {
    /// What a composite may ask for, as patterns in which * stands for any characters but a slash; in images for
    /// slashes too.
    struct Policy {
        /// Namespaces. Default: any but kube-*, crossplane-system and the Gateway's. The composite's own is always
        /// allowed.
        "targetNamespaces" target_namespaces: List<Text<Glob>, 64>,
        /// Provider configurations. Default: any.
        "providerConfigs" provider_configs: List<Text<Glob>, 64>,
        /// Images of the engine. Default: any.
        "images" images: List<Text<Glob>, 64>,
        /// Gateways, as namespace/name. Default: only the one of this Input.
        "gateways" gateways: List<Text<GatewayGlob>, 64>,
    }
}

object! {
    /// The model's workload.
    struct Workload {
        /// What runs the model: the vLLM production stack's operator, or a plain Deployment. Default: VLLMRuntime.
        "backend" backend: Backend,
        /// Release of the vLLM production stack's operator, 0.1.5 to 0.1.12. Decides which fields VLLMRuntime may have;
        /// scaling needs 0.1.11. Default: 0.1.12.
        "operatorVersion" operator_version: Text<Release>,
    }
}

choice! {
    /// What runs the model.
    enum Backend { VllmRuntime = "VLLMRuntime", Deployment = "Deployment", }
}

object! {
    /// The Endpoint Picker.
    struct EndpointPicker {
        /// Its release: v1.3.x, v1.4.x or v1.5.x of the inference extension, v0.9.x or v0.10.x of llm-d-router. Decides
        /// flags, API groups, metric names, permissions and configuration. Default: v1.3.1.
        "version" version: Text<Release>,
        /// The releases that a fork or private build behaves like; it needs image too, unless version is one of them.
        /// Default: those that version belongs to.
        "family" family: PickerFamily,
        /// Its image. Default: the release's own.
        "image" image: Text<Image>,
        /// Its replicas; above 1, one leads. Default: 1.
        "replicas" replicas: Int<1, 10>,
        /// Its resources. With flow control, the memory limit must leave room for the queue: 1 GB, in v1.3.x 2 GB.
        /// Default: modest.
        "resources" resources: Resources,
        /// What the gateway does while no picker answers: refuse, or choose by itself. Default: FailClose.
        "failureMode" failure_mode: FailureMode,
        /// Whether requests may wait in the picker. Default: Auto, which is where a model may sleep.
        "flowControl" flow_control: Toggle,
        /// Scorers and their weights. Default: queue, KV cache and prefix cache.
        "scorers" scorers: List<Scorer, 32>,
        /// The picker's whole configuration in YAML, instead of scorers.
        "config" config: Text<YamlText>,
        /// Who may read its metrics: whoever reaches the port, or who has a token; with Token the monitor gets one of
        /// its own. Default: None.
        "metricsAuth" metrics_auth: MetricsAuth,
        /// A picker that is already there. Default: none, each model gets its own.
        "existing" existing: ExistingPicker,
    }
}

choice! {
    impl PickerFamily {
        Gie1_3 = "GIE-v1.3",
        Gie1_4 = "GIE-v1.4",
        Gie1_5 = "GIE-v1.5",
        LlmD0_9 = "llm-d-router-v0.9",
        LlmD0_10 = "llm-d-router-v0.10",
    }
}

choice! {
    impl MetricsAuth { None = "None", Token = "Token", }
}

object! {
    /// Resources of a container.
    struct Resources {
        /// What it may use at most.
        "limits" limits: Map<ResourceName, Quantity, 16>,
        /// What is kept for it.
        "requests" requests: Map<ResourceName, Quantity, 16>,
    }
}

object! {
    /// A scorer of the picker.
    struct Scorer requires ["type"] {
        /// Its type, such as queue-scorer.
        "type" kind: Text<Word>,
        /// Its weight among the others. Default: 1.
        "weight" weight: Real<Weight>,
    }
}

object! {
    /// A picker that is already there.
    struct ExistingPicker requires ["name"] {
        /// Name of its Service, in the model's namespace.
        "name" name: Text<ObjectName>,
        /// Port of its Service. Default: 9002.
        "port" port: Int<1, 65_535>,
    }
}

object! {
    /// The Gateway.
    struct StackGateway {
        /// What implements it; Auto asks the Gateway's class. Default: EnvoyAIGateway.
        "implementation" implementation: Implementation,
        /// The Gateway. Required for all implementations but EnvoyAIGateway, whose default is eg in
        /// envoy-gateway-system.
        "ref" reference: StackGatewayReference,
        /// Whether the cluster's only Gateway is taken, or the one with discoveryLabel. Default: false.
        "discovery" discovery: bool,
        /// Labels of the Gateway to take. Default: inference.devopstoolkit.ai/gateway: "true".
        "discoveryLabel" discovery_label: Map<QualifiedName, Text<LabelValue>, 8>,
        /// What leads to a model: its host, or the model's name in the request. Default: Host.
        "routeBy" route_by: RouteBy,
        /// What may give requests their priority on EnvoyAIGateway, where routes cannot. Lua is a script on the route of
        /// each model, which takes the place of any EnvoyExtensionPolicy of the Gateway there; an Envoy Gateway that
        /// does not permit Lua answers every request of such a route with 500. Default: None.
        "priorityHook" priority_hook: PriorityHook,
        /// Longest request; longer where requests are held while a model wakes. Default: 5m.
        "timeout" timeout: Wait,
    }
}

choice! {
    /// What implements a Gateway.
    enum Implementation {
        EnvoyAiGateway = "EnvoyAIGateway",
        Istio = "Istio",
        Agentgateway = "Agentgateway",
        Gke = "GKE",
        Nginx = "NGINX",
        Other = "Other",
        Auto = "Auto",
    }
}

choice! {
    impl PriorityHook { None = "None", Lua = "Lua", }
}

choice! {
    /// What leads to a model.
    enum RouteBy { Host = "Host", ModelName = "ModelName", }
}

object! {
    /// A Gateway.
    struct StackGatewayReference {
        /// Name of the Gateway. Default: eg, for EnvoyAIGateway only.
        "name" name: Text<ObjectName>,
        /// Its namespace. Default: envoy-gateway-system, for EnvoyAIGateway only.
        "namespace" namespace: Text<NamespaceName>,
        /// One listener of it. Default: every listener that accepts the host.
        "sectionName" section_name: Text<SectionName>,
    }
}

/// Every priority that an `InferenceObjective` can hold.
type Priority = Int<-2_147_483_648, 2_147_483_647>;

object! {
    /// Priorities behind the criticality classes.
    struct Priorities {
        /// Default: 100.
        "critical" critical: Priority,
        /// Default: 0.
        "standard" standard: Priority,
        /// Default: -10. Only a negative priority is ever dropped.
        "sheddable" sheddable: Priority,
    }
}

object! {
    /// Scraping.
    struct Monitoring {
        /// What makes Prometheus scrape a model. A model that scales needs one, or external. Default: ServiceMonitor.
        "kind" kind: MonitoringKind,
        /// Labels by which Prometheus selects monitors and alerts. Default: release: kube-prometheus-stack.
        "labels" labels: Map<QualifiedName, Text<LabelValue>, 32>,
        /// How often. Default: 15s.
        "interval" interval: Interval,
        /// Whether the Endpoint Picker is scraped. Default: Auto, which is where the autoscaler asks it or alerts do.
        "endpointPicker" endpoint_picker: Toggle,
        /// Series that someone else scrapes, where kind is None.
        "external" external: ExternalMonitoring,
        /// Whether every model gets alerts, by a PrometheusRule. Default: false.
        "rules" rules: bool,
    }
}

choice! {
    /// What makes Prometheus scrape a model.
    enum MonitoringKind { ServiceMonitor = "ServiceMonitor", PodMonitor = "PodMonitor", None = "None", }
}

object! {
    /// Series that someone else scrapes.
    struct ExternalMonitoring {
        /// Labels that all of them have, beside namespace and pod.
        "selector" selector: Map<QualifiedName, Text<LabelValue>, 16>,
    }
}

object! {
    /// The Prometheus that KEDA asks.
    struct Prometheus {
        /// Its URL. Default: http://kube-prometheus-stack-prometheus.prometheus-system:9090.
        "address" address: Text<Url>,
        /// Credentials for that address. Default: none.
        "authRef" auth_ref: AuthReference,
    }
}

object! {
    /// Credentials of KEDA.
    struct AuthReference requires ["name", "modes"] {
        /// Name of the TriggerAuthentication or ClusterTriggerAuthentication.
        "name" name: Text<ObjectName>,
        /// Its kind. Default: TriggerAuthentication.
        "kind" kind: AuthKind,
        /// How it authenticates; bearer and basic exclude each other.
        "modes" modes: List<AuthMode, 4>,
    }
}

choice! {
    impl AuthKind {
        TriggerAuthentication = "TriggerAuthentication",
        ClusterTriggerAuthentication = "ClusterTriggerAuthentication",
    }
}

choice! {
    impl AuthMode { Bearer = "bearer", Basic = "basic", Tls = "tls", Custom = "custom", }
}

object! {
    /// Protection of what runs.
    struct Hardening {
        /// Whether NetworkPolicies let only gateway, picker and Prometheus in; prometheus.address then says from which
        /// namespace pods are scraped. Not for GKE and Other. Default: false.
        "networkPolicy" network_policy: bool,
        /// Whether a PodDisruptionBudget keeps drains from taking every replica. Default: true.
        "podDisruptionBudget" pod_disruption_budget: bool,
    }
}

object! {
    /// Protection from node autoscalers.
    struct Nodes {
        /// Whether the engines' pods ask node autoscalers to leave their nodes alone. Default: false.
        "protect" protect: bool,
        /// Annotations that ask for it. Default: those of Karpenter and cluster-autoscaler.
        "annotations" annotations: Map<QualifiedName, Text<AnnotationValue>, 16>,
    }
}

object! {
    /// How soon Crossplane asks again.
    struct Ttl {
        /// When everything is as it should be. Default: 10m.
        "settled" settled: Wait,
        /// While something is under way. Default: 30s.
        "pending" pending: Wait,
    }
}
