//! What the live objects say: typed, read-only, "not yet" is a value. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::settings::GatewayRef;
use crate::plan::keys::Key;
use crate::protocol::{Fault, Item};

mod composite;
mod deployment;
mod direct;
#[cfg(test)]
pub(crate) mod fixtures;
mod gateway;
mod gateways;
mod http_route;
mod live;
mod marks;
mod object;
mod parents;
mod read;
mod replicas;
mod scaled_object;
#[cfg(test)]
mod tests;
mod vllm_runtime;

pub use marks::{Claim, Marks};
pub use parents::Acceptance;
pub use read::{ReadError, conditions, read};

pub(crate) use object::{ObjectConditions, only_observe};

/// Everything observed of our own composed resources in one call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// Only keys that exist.
    pub objects: BTreeMap<Key, ObservedObject>,
    /// Conditions on the observed composite itself: type to status and reason. Events come from their change.
    pub conditions: BTreeMap<String, ObservedCondition>,
    /// `status.gateway.implementation` of the observed composite: what a live route was made for.
    pub implementation: Option<String>,
    /// The Gateways of the target cluster, where one is to be found; `None` while nobody has looked.
    pub gateways: Option<Vec<FoundGateway>>,
    /// The controllers of the cluster's `GatewayClass`es by their names, where Crossplane looks them up.
    pub classes: Option<BTreeMap<String, Option<String>>>,
}

/// A Gateway among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundGateway {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its class.
    pub class: Option<String>,
}

impl Observed {
    /// The live object behind a key, if the provider has seen it and its Object is Synced.
    pub fn live(&self, key: Key) -> Option<&Live> {
        self.objects.get(&key)?.live.as_ref()
    }

    /// Whether that Gateway has accepted the live route or pool, references resolved.
    pub fn accepted(&self, key: Key, gateway: &GatewayRef) -> bool {
        self.live(key).is_some_and(|live| live.acceptance(gateway) == Acceptance::Accepted)
    }
}

impl Live {
    /// The replica count in the workload's `spec`.
    pub fn spec_replicas(&self) -> Option<u32> {
        match &self.facts {
            Facts::VllmRuntime(facts) => facts.spec_replicas,
            Facts::Deployment(facts) => facts.spec_replicas,
            Facts::Replicas(count) => *count,
            Facts::Exists
            | Facts::Parents(_)
            | Facts::ScaledObject(_)
            | Facts::AiGatewayRoute(_)
            | Facts::Gateway(_)
            | Facts::GatewayClass(_) => None,
        }
    }
}

/// One of our composed resources: an Object with the live object inside, or the live object itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservedObject {
    /// `metadata.name` of the composed resource itself, which is in the name of the provider's field manager. Of an Object
    /// it is not asked unless that runs the model.
    pub name: Option<String>,
    /// What it is.
    pub form: Form,
    /// The Object's own Synced condition: `None` = not yet said.
    pub synced: Option<Synced>,
    /// `spec.providerConfigRef.name`. It is not asked unless the Object runs the model.
    pub provider_config: Option<String>,
    /// Whether it was only to look: `spec.managementPolicies` is `Observe` alone.
    pub only_looks: bool,
    /// What we last asked for: `spec.forProvider.manifest`, or what the live object has of it.
    pub asked: Asked,
    /// The live object, `None` until the provider has seen it or while the Object is not Synced.
    pub live: Option<Live>,
    /// Whose the live object is, `None` until the provider has seen it or while the Object is not Synced. Of what Crossplane
    /// composes itself it is not asked: it controls that.
    pub marks: Option<Marks>,
    /// Why the live object could not be read, where it is there but is not what its kind promises.
    pub unreadable: Option<String>,
}

impl ObservedObject {
    /// The name under which the provider applies the object inside (provider-kubernetes v1.2.1, `ssaFieldOwner`).
    pub fn field_manager(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("provider-kubernetes/{name}"))
    }
}

/// What a composed resource is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// A namespaced Object.
    #[default]
    NamespacedObject,
    /// A cluster-scoped Object.
    ClusterObject,
    /// The object itself.
    Direct,
}

/// Whether the provider could reconcile the Object. Of an object that is no Object, whether it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Synced {
    /// It could, or it is.
    True,
    /// It could not, and says why.
    False(String),
    /// There is no such object, on the word of Crossplane.
    Missing,
}

/// Whether this is why an Object that only looks is not Synced: its object is not there (crossplane-runtime v2,
/// `pkg/reconciler/managed/reconciler.go`).
pub fn is_missing(why: &str) -> bool {
    why.contains("external resource does not exist")
}

/// What we wrote of an object, where decisions hang on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `metadata.name`.
    pub name: Option<String>,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// The workload's replica count, wherever its kind has it: present = we write the field.
    pub replicas: Option<u32>,
    /// `spec.rules[0].host` of an Ingress.
    pub ingress_host: Option<String>,
    /// Name and namespace of the Gateway that a route names first.
    pub gateway: Option<(String, String)>,
}

/// Facts of a live object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Live {
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// `metadata.resourceVersion`, of what runs the model.
    pub resource_version: Option<String>,
    /// `metadata.creationTimestamp`, of what runs the model.
    pub created: Option<String>,
    /// Who else would keep the replica count where it is, were one of them to let go of it; of what runs the model.
    pub replicas_managers: BTreeSet<String>,
    /// Whether a Secret shows its token: `data.token`. What it is nobody here reads.
    pub shows_token: bool,
    /// `spec.hostnames` of a route; empty for other kinds.
    pub hostnames: Vec<String>,
    /// `spec.parentRefs` of a route, as far as they name a namespace; empty for other kinds.
    pub gateways: Vec<GatewayRef>,
    /// By kind.
    pub facts: Facts,
}

/// Facts by kind; kinds without a status of interest only exist.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Facts {
    /// It exists.
    #[default]
    Exists,
    /// The model servers.
    VllmRuntime(VllmRuntimeFacts),
    /// The replica count of the model servers, and nothing else.
    Replicas(Option<u32>),
    /// A Deployment: the picker's, or the model servers'.
    Deployment(DeploymentFacts),
    /// `status.parents` of an `InferencePool` or `HTTPRoute`, `status.ancestors` of a policy.
    Parents(Vec<Parent>),
    /// The autoscaler.
    ScaledObject(ScaledObjectFacts),
    /// Envoy AI Gateway's own route.
    AiGatewayRoute(Vec<ConditionFacts>),
    /// The Gateway.
    Gateway(GatewayFacts),
    /// The Gateway's class: `spec.controllerName`.
    GatewayClass(Option<String>),
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
    /// `status.lastUpdated`: when its operator looked at it last.
    pub last_updated: Option<String>,
    /// Whether the operator writes counts at all (from 0.1.11): it omits a count of zero, so absence alone says
    /// nothing. `status.selector` comes with them and is never empty.
    pub counts: bool,
}

/// A `ScaledObject`'s facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScaledObjectFacts {
    /// `status.conditions`.
    pub conditions: Vec<ConditionFacts>,
    /// `status.lastActiveTime`: while there is something to do, KEDA writes it at every poll (v2.20.2,
    /// `scale_scaledobjects.go`).
    pub last_active: Option<String>,
}

/// A Deployment's facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeploymentFacts {
    /// `spec.replicas`.
    pub spec_replicas: Option<u32>,
    /// `spec.template.spec.containers[0].image`.
    pub image: Option<String>,
    /// `status.observedGeneration`.
    pub observed_generation: Option<i64>,
    /// `status.replicas`: of whatever generation.
    pub replicas: Option<u32>,
    /// `status.availableReplicas`.
    pub available_replicas: Option<u32>,
    /// `status.updatedReplicas`.
    pub updated_replicas: Option<u32>,
    /// `status.conditions`.
    pub conditions: Vec<ConditionFacts>,
}

impl DeploymentFacts {
    /// Whether the Deployment controller speaks of that generation, or a later one.
    pub fn are_of(&self, generation: Option<i64>) -> bool {
        matches!((self.observed_generation, generation), (Some(observed), Some(wanted)) if observed >= wanted)
    }
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

impl ConditionFacts {
    fn of(condition: &Item<'_, '_>) -> Result<Self, Fault> {
        let [kind, status, reason, message, observed_generation] =
            condition.fields(["type", "status", "reason", "message", "observedGeneration"])?;
        Ok(Self {
            kind: kind.owned()?.unwrap_or_default(),
            status: status.owned()?.unwrap_or_default(),
            reason: reason.owned()?.unwrap_or_default(),
            message: message.owned()?.unwrap_or_default(),
            observed_generation: observed_generation.integer()?,
        })
    }
}

/// A condition of the observed composite.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedCondition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// Machine word.
    pub reason: String,
    /// `lastTransitionTime`: since when Crossplane has it just as it is, message included (crossplane-runtime v2.3.3,
    /// `ConditionedStatus.SetConditions`).
    pub since: Option<String>,
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
