//! From the observed resources of a request to facts. Only our own keys are looked at.

use std::collections::BTreeMap;

use crate::api::settings::GatewayRef;
use bytes::Bytes;

use crate::plan::keys::Key;
use crate::protocol::{Fault, look_into};

use super::composite::Composite;
use super::live::{Interest, exists};
use super::object::only_looks;
use super::{
    Form, Observed, ObservedCondition, ObservedObject, Synced, deployment, direct, gateway, http_route,
    object, parents, replicas, scaled_object, vllm_runtime,
};

/// Why what is observed cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The composite resource.
    #[error("cannot read the conditions of the observed composite resource")]
    Composite(#[source] Fault),
    /// One of our Objects.
    #[error("cannot read the observed resource {key:?}")]
    Object {
        /// Its composition-resource name.
        key: &'static str,
        /// What is wrong with it.
        source: Fault,
    },
}

/// Reads what is observed, from `Struct` wire bytes: the composite, and resources by their composition-resource name.
///
/// A live object that is not what its kind promises is no error, but not yet: somebody else's slip must not stop the
/// repairs of everything else. So is an Object, unless what it says decides what is asked for next: deciding without it
/// could undo that. What nobody asks for is skipped by its length, and may be anything.
pub fn read<'a>(
    composite: &[u8],
    resources: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Observed, ReadError> {
    let Composite { implementation, conditions } =
        Composite::read(composite).map_err(ReadError::Composite)?;
    let mut observed = Observed { conditions, implementation, ..Observed::default() };
    for (name, bytes) in resources {
        let Some(key) = Key::parse(name) else { continue };
        observed.objects.insert(key, object(key, bytes).map_err(|source| failed(key, source))?);
    }
    Ok(observed)
}

impl Observed {
    /// Adds what Crossplane has found of an object that is not composed, but asked for; `None` where there is none.
    pub fn look_up(&mut self, key: Key, found: Option<&[u8]>) -> Result<(), ReadError> {
        let object = match found {
            Some(bytes) => object(key, bytes).map_err(|source| failed(key, source))?,
            None => ObservedObject {
                form: Form::Direct,
                synced: Some(Synced::Missing),
                ..ObservedObject::default()
            },
        };
        self.objects.insert(key, object);
        Ok(())
    }
}

impl Observed {
    /// The same of one among several that were found, by its name.
    pub fn look_up_among(&mut self, key: Key, wanted: &GatewayRef, found: &[Bytes]) -> Result<(), ReadError> {
        let is_wanted = |bytes: &&Bytes| {
            direct::place(bytes) == Some((Some(wanted.namespace.clone()), Some(wanted.name.clone())))
        };
        self.look_up(key, found.iter().find(is_wanted).map(Bytes::as_ref))
    }
}

fn failed(key: Key, source: Fault) -> ReadError {
    ReadError::Object { key: key.as_str(), source }
}

/// The conditions that the observed composite carries, by type.
pub fn conditions(composite: &[u8]) -> Result<BTreeMap<String, ObservedCondition>, ReadError> {
    Composite::read(composite).map(|composite| composite.conditions).map_err(ReadError::Composite)
}

/// Where the model runs, who writes its replica count, and the host of an Ingress that is to stay.
const DECIDING: [Key; 4] = [Key::VllmRuntime, Key::ModelDeployment, Key::ReplicasHandover, Key::Ingress];

fn object(key: Key, bytes: &[u8]) -> Result<ObservedObject, Fault> {
    let read = look_into(bytes, |resource| {
        let [api_version, kind, metadata, spec, status] =
            resource.fields(["apiVersion", "kind", "metadata", "spec", "status"])?;
        match Form::of(&api_version, &kind)? {
            Form::Direct => direct::found(resource, interest(key)),
            form @ (Form::NamespacedObject | Form::ClusterObject) => {
                object::found(form, [&metadata, &spec, &status], interest(key))
            }
        }
    });
    match read {
        Err(fault) if !DECIDING.contains(&key) => Ok(ObservedObject {
            form: Form::of_resource(bytes)?,
            synced: Some(Synced::True),
            only_looks: only_looks(bytes),
            unreadable: Some(fault.to_string()),
            ..ObservedObject::default()
        }),
        read => read,
    }
}

/// What is of interest of a key's objects.
fn interest(key: Key) -> Interest {
    let looks = Interest { own: exists, asked: false, runs: false };
    let asks = Interest { asked: true, ..looks };
    let runs = Interest { runs: true, ..asks };
    match key {
        Key::VllmRuntime => Interest { own: vllm_runtime::own, ..runs },
        Key::ModelDeployment => Interest { own: deployment::own, ..runs },
        Key::ReplicasHandover => Interest { own: replicas::own, ..runs },
        Key::HttpRoute | Key::AiGatewayHttpRoute => Interest { own: http_route::own, ..asks },
        Key::AiGatewayRoute => Interest { own: gateway::ai_gateway_route, ..asks },
        Key::GatewayClass => Interest { own: gateway::class, ..asks },
        Key::Ingress => asks,
        Key::EppDeployment => Interest { own: deployment::own, ..looks },
        Key::InferencePool => Interest { own: parents::of_a_route, ..looks },
        Key::GatewayExtensionPolicy => Interest { own: parents::of_a_policy, ..looks },
        Key::ScaledObject => Interest { own: scaled_object::own, ..looks },
        Key::Gateway => Interest { own: gateway::gateway, ..looks },
        Key::ModelService
        | Key::ModelMetricsService
        | Key::ModelPodDisruptionBudget
        | Key::ModelNetworkPolicy
        | Key::EppNetworkPolicy
        | Key::ServiceMonitor
        | Key::PodMonitor
        | Key::InferenceObjective
        | Key::InferenceObjectiveLlmD
        | Key::AdaptersConfigMap
        | Key::GatewayDestinationRule
        | Key::GatewayHealthCheckPolicy
        | Key::GatewayBackendPolicy
        | Key::GatewayServiceHealthCheckPolicy
        | Key::GatewayServiceBackendPolicy
        | Key::GatewayProxySettingsPolicy
        | Key::EppConfigMap
        | Key::EppServiceAccount
        | Key::EppRolePodReader
        | Key::EppRolePoolReader
        | Key::EppRoleBindingPodReader
        | Key::EppRoleBindingPoolReader
        | Key::EppRoleLeaderElection
        | Key::EppRoleBindingLeaderElection
        | Key::EppService
        | Key::EppExistingService
        | Key::EppServiceMonitor
        | Key::EppClusterRoleBindingAuthDelegator
        | Key::EppMetricsServiceAccount
        | Key::EppMetricsToken
        | Key::EppMetricsClusterRole
        | Key::EppMetricsClusterRoleBinding
        | Key::EppPodMonitor
        | Key::PrometheusRule => looks,
    }
}
