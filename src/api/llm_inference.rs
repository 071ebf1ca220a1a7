//! `LLMInference`: what an application team writes. The XRD is generated from these types.
//!
//! No field that depends on another field or on the platform has a default in the schema: an API server that filled it
//! in would make it indistinguishable from the user's own word. Descriptions state the default in effect.

#![allow(clippy::doc_markdown, reason = "these comments are the schema's descriptions, which are plain text")]
#![allow(clippy::struct_field_names, reason = "fields are named as in the documents")]

#[cfg(any(test, feature = "schema"))]
use serde::Serialize;

use super::latency::{FirstToken, Longest, NextToken};
use super::numbers::{Int, Memory, Percentile, Quantity, Real, Target, Wait};
use super::reading::{List, Map, Named, choice, object};
use super::settings::Criticality;
use super::texts::{
    AdapterName, Argument, EnvName, EnvValue, Hostname, Image, IngressHostname, LabelValue, ModelId,
    NamespaceName, ObjectName, QualifiedName, RuntimeClass, SecretKeyName, SectionName, TaintKey, Text, Url,
};

/// API group of `LLMInference`.
pub const GROUP: &str = "inference.devopstoolkit.ai";
/// Its version.
pub const VERSION: &str = "v1alpha1";
/// Its kind.
pub const KIND: &str = "LLMInference";

object! {
    /// What to serve and how.
    struct Spec requires ["model"] rules SPEC twin spec {
        /// Hugging Face id of the model, or a path or URI that the engine understands.
        "model" model: Text<ModelId>,
        /// Name that clients send as the model. Default: the value of model.
        "servedModelName" served_model_name: Text<ModelId>,
        /// GPUs per replica. Above 1, one pod serves the model with tensor parallelism. Default: 1.
        "gpu" gpu: Int<0, 16>,
        /// ProviderConfig of the target cluster. Required, unless the platform composes directly. Cannot be changed.
        "providerConfigName" provider_config_name: Text<ObjectName>,
        /// Namespace on the target cluster in which everything lands. Default: the namespace of this object. Cannot
        /// be changed.
        "targetNamespace" target_namespace: Text<NamespaceName>,
        /// Hostname of the model. Turns routing through the Gateway on.
        "host" host: Text<Hostname>,
        /// Priority of this model's traffic when there is more than can be served. Default: critical.
        "criticality" criticality: Criticality,
        /// Least replicas; without scaling, the exact number. With scaling, 0 lets an idle model sleep. Default: 1.
        "minReplicas" min_replicas: Int<0, 1000>,
        /// Most replicas. Default: 3, or minReplicas where that is more.
        "maxReplicas" max_replicas: Int<1, 1000>,
        /// Replicas that follow the load.
        "scaling" scaling: Scaling,
        /// Routing through the Gateway.
        "gateway" gateway: Gateway,
        /// The engine.
        "runtime" runtime: Runtime,
        /// LoRA adapters that are served beside the model.
        "lora" lora: Lora,
        /// Deprecated: use host. Host of an Ingress that leads to the model without an Endpoint Picker.
        "ingressHost" ingress_host: Text<IngressHostname>,
    }
}

choice! {
    impl Criticality { Critical = "critical", Standard = "standard", Sheddable = "sheddable", }
}

object! {
    /// Replicas that follow the load.
    struct Scaling rules SCALING twin scaling {
        /// Whether KEDA scales the model between minReplicas and maxReplicas. Default: false.
        "enabled" enabled: bool,
        /// What to scale on: requests that wait at the engines, the used fraction of their KV cache, or latency.
        /// Default: the platform's, else queue-depth.
        "metric" metric: Metric,
        /// The value per replica to aim at: waiting requests for queue-depth, a fraction of at most 0.9 for
        /// kv-cache, and none for latency. Default: the platform's for the same metric, else 3 for queue-depth and 0.8
        /// for kv-cache.
        "target" target: Real<Target>,
        /// The objective that metric latency keeps. At least one of the two, here or in the platform's defaults.
        "latency" latency: LatencyObjective,
        /// URL of the Prometheus that KEDA asks. Default: the platform's.
        "prometheusAddress" prometheus_address: Text<Url>,
        /// The longest that a replica takes from nothing to ready, nodes, image and weights included. Timeouts and
        /// cooldowns follow from it. Default: the platform's, else 10m.
        "coldStart" cold_start: Wait,
    }
}

choice! {
    /// What to scale on.
    enum Metric { QueueDepth = "queue-depth", KvCache = "kv-cache", Latency = "latency", }
}

object! {
    /// A latency objective.
    struct LatencyObjective {
        /// Longest time to the first token, as an edge of the engine's buckets. Default: the platform's.
        "timeToFirstToken" time_to_first_token: Longest<FirstToken>,
        /// Longest time between tokens, as an edge of the engine's buckets. Default: the platform's.
        "interTokenLatency" inter_token_latency: Longest<NextToken>,
        /// The part of requests, and of tokens, that keeps them. Default: the platform's, else 0.9.
        "percentile" percentile: Real<Percentile>,
    }
}

object! {
    /// Routing through the Gateway.
    struct Gateway {
        /// Whether requests come through the Gateway. Default: true when host is set or the platform routes by model
        /// name.
        "enabled" enabled: bool,
        /// Name to route by where the platform routes by model name; the model answers to it too. Default: the value of
        /// servedModelName.
        "modelName" model_name: Text<ModelId>,
        /// The Gateway of this model, where the platform's policy leaves the choice. Default: the platform's.
        "ref" reference: GatewayReference,
    }
}

object! {
    /// A Gateway.
    struct GatewayReference {
        /// Name of the Gateway.
        "name" name: Text<ObjectName>,
        /// Its namespace.
        "namespace" namespace: Text<NamespaceName>,
        /// One listener of it. Default: every listener that accepts the host.
        "sectionName" section_name: Text<SectionName>,
    }
}

object! {
    /// The engine.
    struct Runtime {
        /// Image of the engine. Default: the platform's, else one that fits the backend.
        "image" image: Text<Image>,
        /// CPUs per replica. Default: the platform's, else 2 per GPU.
        "cpu" cpu: Quantity,
        /// Memory per replica. Default: the platform's, else 8Gi per GPU.
        "memory" memory: Memory,
        /// More arguments of the engine. Flags that are fields here are refused.
        "args" args: List<Argument, 64>,
        /// More environment variables of the engine. A Hugging Face token goes through tokenSecret.
        "env" env: Named<EnvVariable, 64>,
        /// Type of weights and activations. Default: the platform's, else auto.
        "dtype" dtype: Dtype,
        /// Longest context in tokens. Default: the platform's, else the model's.
        "maxModelLen" max_model_len: Int<1, 100_000_000>,
        /// Size of shared memory; the backend VLLMRuntime has no place for it. Default: the platform's, else as much as
        /// memory allows.
        "sharedMemory" shared_memory: Memory,
        /// Secret with a Hugging Face token, in the target namespace.
        "tokenSecret" token_secret: TokenSecret,
        /// RuntimeClass of the pods. Default: the platform's, else nvidia where the backend is VLLMRuntime.
        "runtimeClassName" runtime_class_name: Text<RuntimeClass>,
        /// Labels that a node must have. Replaces the platform's.
        "nodeSelector" node_selector: Map<QualifiedName, Text<LabelValue>, 32>,
        /// Taints that are tolerated. Replaces the platform's.
        "tolerations" tolerations: List<Toleration, 32>,
    }
}

choice! {
    /// Type of weights and activations.
    enum Dtype {
        Auto = "auto",
        Bfloat16 = "bfloat16",
        Float = "float",
        Float16 = "float16",
        Float32 = "float32",
        Half = "half",
    }
}

object! {
    /// An environment variable.
    struct EnvVariable requires ["name"] rules ENV_VARIABLE twin env_variable {
        /// Its name.
        "name" name: Text<EnvName>,
        /// Its value.
        "value" value: Text<EnvValue>,
        /// A Secret's key that holds the value; the backend VLLMRuntime takes literal values only.
        "secretKeyRef" secret_key_ref: SecretKeyReference,
    }
}

object! {
    /// A key of a Secret in the target namespace.
    struct SecretKeyReference requires ["name", "key"] {
        /// Name of the Secret.
        "name" name: Text<ObjectName>,
        /// The key.
        "key" key: Text<SecretKeyName>,
    }
}

object! {
    /// A Secret with a Hugging Face token.
    struct TokenSecret requires ["name"] {
        /// Name of the Secret.
        "name" name: Text<ObjectName>,
        /// The key. Default: the platform's, else token.
        "key" key: Text<SecretKeyName>,
    }
}

object! {
    /// A taint that is tolerated.
    struct Toleration rules TOLERATION twin toleration {
        /// Key of the taint. Default: any, where operator is Exists.
        "key" key: Text<TaintKey>,
        /// How the value compares. Default: Equal.
        "operator" operator: Operator,
        /// Value of the taint.
        "value" value: Text<LabelValue>,
        /// Effect of the taint. Default: any.
        "effect" effect: Effect,
        /// How long a NoExecute taint is tolerated. Default: for ever.
        "tolerationSeconds" toleration_seconds: Int<0, 2_147_483_647>,
    }
}

choice! {
    /// How a toleration's value compares.
    enum Operator { Equal = "Equal", Exists = "Exists", }
}

choice! {
    /// What a taint does.
    enum Effect { NoSchedule = "NoSchedule", PreferNoSchedule = "PreferNoSchedule", NoExecute = "NoExecute", }
}

object! {
    /// LoRA adapters.
    struct Lora {
        /// The adapters.
        "adapters" adapters: Named<Adapter, 64>,
        /// Most adapters in one batch. Default: the number of adapters.
        "maxAdapters" max_adapters: Int<1, 64>,
        /// Largest rank of an adapter. Default: 16.
        "maxRank" max_rank: Int<1, 512>,
    }
}

object! {
    /// A LoRA adapter.
    struct Adapter requires ["name", "path"] {
        /// Name that clients send as the model.
        "name" name: Text<AdapterName>,
        /// Hugging Face id or path of the adapter.
        "path" path: Text<ModelId>,
    }
}

/// What the function reports. Conditions are Crossplane's own addition to the schema.
#[cfg(any(test, feature = "schema"))]
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// URL that answers requests to the model.
    #[schemars(length(max = 2048))]
    url: Option<String>,
    /// Name that clients send as the model.
    #[schemars(length(max = 512))]
    model_name: Option<String>,
    /// The Gateway that requests come through.
    gateway: Option<GatewayStatus>,
    /// Replicas of the model.
    replicas: Option<ReplicasStatus>,
}

/// The Gateway that requests come through.
#[cfg(any(test, feature = "schema"))]
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct GatewayStatus {
    /// Its name.
    #[schemars(length(max = 253))]
    name: Option<String>,
    /// Its namespace.
    #[schemars(length(max = 63))]
    namespace: Option<String>,
    /// Its first address.
    #[schemars(length(max = 253))]
    address: Option<String>,
    /// What implements it.
    #[schemars(length(max = 63))]
    implementation: Option<String>,
}

/// Replicas of the model.
#[cfg(any(test, feature = "schema"))]
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplicasStatus {
    /// Replicas that answer.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    ready: Option<i32>,
    /// Replicas that are wanted.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    desired: Option<i32>,
}
