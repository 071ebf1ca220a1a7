//! `kubernetes.m.crossplane.io` and `kubernetes.crossplane.io`: crossplane-contrib/provider-kubernetes v1.2.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::Serialize;

use super::Manifest;

/// Namespaced `Object`.
pub const NAMESPACED_API_VERSION: &str = "kubernetes.m.crossplane.io/v1alpha1";
/// Cluster-scoped `Object`.
pub const CLUSTER_API_VERSION: &str = "kubernetes.crossplane.io/v1alpha2";
/// Group of the namespaced one, in whichever version.
pub const NAMESPACED_GROUP: &str = "kubernetes.m.crossplane.io";
/// Group of the cluster-scoped one, in whichever version.
pub const CLUSTER_GROUP: &str = "kubernetes.crossplane.io";
/// Both are called so.
pub const OBJECT: &str = "Object";
/// The cluster-scoped collection, whose version is not that of the Objects which it makes.
pub const CLUSTER_COLLECTION_API_VERSION: &str = "kubernetes.crossplane.io/v1alpha1";
/// Both are called so.
pub const OBSERVED_OBJECT_COLLECTION: &str = "ObservedObjectCollection";

/// The management policy that only looks.
pub const OBSERVE: &str = "Observe";
/// The management policy that writes to what is there.
pub const UPDATE: &str = "Update";

/// An `Object` around one manifest.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Object<M = Manifest> {
    /// One of the two.
    pub api_version: &'static str,
    /// `Object`.
    pub kind: &'static str,
    /// What is wanted.
    pub spec: ObjectSpec<M>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSpec<M = Manifest> {
    /// The target cluster.
    pub provider_config_ref: ProviderConfigRef,
    /// Absent = everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_policies: Option<Vec<&'static str>>,
    /// Repairs and news within seconds, where the provider runs with `--enable-watches`.
    pub watch: bool,
    /// When the Object calls itself Ready; until then the provider polls every 30 s, after that every 10 min.
    pub readiness: Readiness,
    /// The object itself.
    pub for_provider: ForProvider<M>,
}

/// The target cluster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderConfigRef {
    /// Unknown to the cluster-scoped `Object`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Its name.
    pub name: String,
}

/// When the Object calls itself Ready.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// `DeriveFromCelQuery`.
    pub policy: &'static str,
    /// Over `object`, the live one.
    pub cel_query: &'static str,
}

/// The object itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForProvider<M = Manifest> {
    /// Any Kubernetes object.
    pub manifest: M,
}

/// Keeps an Object that observes it for each object of a kind on the target cluster: its members.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedObjectCollection {
    /// One of the two.
    pub api_version: &'static str,
    /// `ObservedObjectCollection`.
    pub kind: &'static str,
    /// What is wanted.
    pub spec: CollectionSpec,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionSpec {
    /// The target cluster.
    pub provider_config_ref: ProviderConfigRef,
    /// What belongs to it.
    pub observe_objects: ObserveObjects,
    /// What its members are like.
    pub object_template: ObjectTemplate,
}

/// Which objects belong to a collection.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObserveObjects {
    /// Of this group and version.
    pub api_version: &'static str,
    /// Of this kind.
    pub kind: &'static str,
    /// With these labels; an empty one takes all.
    pub selector: LabelSelector,
}

/// What the members of a collection are like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ObjectTemplate {
    /// What is in their metadata.
    pub metadata: TemplateMetadata,
}

/// What is in the metadata of the members of a collection.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TemplateMetadata {
    /// Their labels, beside that of membership.
    pub labels: BTreeMap<String, String>,
}
