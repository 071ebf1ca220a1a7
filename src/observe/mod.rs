//! What the live objects say: typed, read-only, "not yet" is a value. Decides nothing.

use std::collections::BTreeMap;

use crate::plan::keys::Key;

/// Everything observed of our own composed resources in one call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Only keys that exist.
    pub objects: BTreeMap<Key, ObservedObject>,
    /// Conditions on the observed composite itself: type to status and reason. Events come from their change.
    pub conditions: BTreeMap<String, ObservedCondition>,
}

/// One of our Objects, and the live object inside.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedObject {
    /// The Object's own Synced condition: `None` = not yet said.
    pub synced: Option<Synced>,
    /// `spec.providerConfigRef.name`.
    pub provider_config: Option<String>,
    /// What we last asked for (`spec.forProvider.manifest`).
    pub asked: Asked,
    /// The live object, `None` until the provider has seen it or while the Object is not Synced.
    pub live: Option<Live>,
}

/// Whether the provider could reconcile the Object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synced {
    /// It could.
    True,
    /// It could not, and says why.
    False(String),
}

/// The parts of `spec.forProvider.manifest` that decisions hang on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `metadata.name`.
    pub name: Option<String>,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// `spec.deploymentConfig.replicas` of a `VLLMRuntime`: present = we own the field.
    pub replicas: Option<u32>,
    /// `spec.rules[0].host` of an Ingress.
    pub ingress_host: Option<String>,
}

/// Facts of a live object.
#[derive(Debug, Clone, PartialEq)]
pub struct Live {
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// The owner annotation of this project, if any.
    pub owner: Option<String>,
    /// By kind.
    pub facts: Facts,
}

/// Facts by kind; kinds without a status of interest only exist.
#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// It exists.
    Exists,
    /// The model servers.
    VllmRuntime(VllmRuntimeFacts),
    /// The picker's Deployment.
    Deployment(DeploymentFacts),
    /// `status.parents` of an `InferencePool` or `HTTPRoute`.
    Parents(Vec<Parent>),
    /// The autoscaler.
    ScaledObject(Vec<ConditionFacts>),
    /// The Gateway.
    Gateway(GatewayFacts),
}

/// A `VLLMRuntime`'s facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VllmRuntimeFacts {
    /// `spec.deploymentConfig.replicas`.
    pub spec_replicas: Option<u32>,
    /// Whether `spec.deploymentConfig.deploymentStrategy` is there; the real CRD defaults it, a stub does not.
    pub has_deployment_strategy: bool,
    /// `status.replicas`.
    pub replicas: Option<u32>,
    /// `status.availableReplicas`.
    pub available_replicas: Option<u32>,
    /// `status.modelStatus`.
    pub model_status: Option<String>,
}

/// A Deployment's facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFacts {
    /// `status.observedGeneration`.
    pub observed_generation: Option<i64>,
    /// `status.availableReplicas`.
    pub available_replicas: Option<u32>,
    /// `status.updatedReplicas`.
    pub updated_replicas: Option<u32>,
    /// `status.conditions`.
    pub conditions: Vec<ConditionFacts>,
}

/// One entry of `status.parents`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parent {
    /// `parentRef.kind`.
    pub kind: Option<String>,
    /// `parentRef.name`.
    pub name: String,
    /// `parentRef.namespace`.
    pub namespace: Option<String>,
    /// Its conditions.
    pub conditions: Vec<ConditionFacts>,
}

/// A condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConditionFacts {
    /// `type`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Machine word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// The generation it speaks of.
    pub observed_generation: Option<i64>,
}

/// A condition of the observed composite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedCondition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Machine word.
    pub reason: String,
}

/// A Gateway's facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayFacts {
    /// `spec.gatewayClassName`.
    pub class: Option<String>,
    /// `spec.listeners`.
    pub listeners: Vec<Listener>,
    /// `status.addresses[].value`.
    pub addresses: Vec<String>,
    /// `status.conditions`.
    pub conditions: Vec<ConditionFacts>,
}

/// A Gateway's listener.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// A hostname, possibly `*.example.com`; `None` = any.
    pub hostname: Option<String>,
    /// Its port.
    pub port: u16,
    /// `HTTP`, `HTTPS`, …
    pub protocol: String,
}
