//! `helm.m.crossplane.io` and `helm.crossplane.io`: crossplane-contrib/provider-helm v1.3.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::provider_kubernetes::ProviderConfigRef;

/// Namespaced `Release`.
pub const NAMESPACED_API_VERSION: &str = "helm.m.crossplane.io/v1beta1";
/// Cluster-scoped `Release`.
pub const CLUSTER_API_VERSION: &str = "helm.crossplane.io/v1beta1";
/// Both are called so.
pub const RELEASE: &str = "Release";
/// What Helm calls a release; Crossplane's own name for it otherwise, which may be longer than the 53 characters that
/// Helm takes.
pub const EXTERNAL_NAME_ANNOTATION: &str = "crossplane.io/external-name";

/// A chart, and how it is installed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// One of the two.
    pub api_version: &'static str,
    /// `Release`.
    pub kind: &'static str,
    /// What it is called.
    pub metadata: ReleaseMetadata,
    /// What is wanted.
    pub spec: ReleaseSpec,
}

/// What a release is called.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReleaseMetadata {
    /// Its name at Helm among them.
    pub annotations: BTreeMap<&'static str, &'static str>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSpec {
    /// The target cluster.
    pub provider_config_ref: ProviderConfigRef,
    /// The chart and its values.
    pub for_provider: ReleaseParameters,
    /// How many times an installation that failed is undone and tried again; without it there is one try.
    pub rollback_limit: u32,
}

/// A chart and its values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReleaseParameters {
    /// Where it is.
    pub chart: ChartRef,
    /// Where it is installed. It is made where it is missing, and never deleted.
    pub namespace: String,
    /// Values, over the chart's own.
    pub values: Map<String, Value>,
}

/// Where a chart is: in a repository by name and version, or at a URL.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[expect(missing_docs, reason = "the type says it")]
pub struct ChartRef {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
