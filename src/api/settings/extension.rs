//! The second job's settings: an extension of a cluster, complete and checked.

use super::{Delivery, Ttl};

/// An extension of a cluster, as asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Extension {
    /// `<composite namespace>/<composite name>`: the owner mark.
    pub owner: String,
    /// When the composite was created, unless it never was.
    pub created: Option<String>,
    /// Present where the composite asks for it.
    pub wanted: Option<Wanted>,
    /// How soon Crossplane asks again.
    pub ttl: Ttl,
}

/// What a cluster is to have.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// How objects reach the cluster.
    pub delivery: Delivery,
    /// Whose CRDs.
    pub release: InferenceRelease,
    /// Whether those that may still change are among them.
    pub experimental: bool,
    /// The field that asks for it, as a person would write its path.
    pub enabled: String,
    /// What has to be true and is not; nothing is added while there is any.
    pub missing: Vec<MissingFlag>,
    /// The body-based router.
    pub router: Router,
    /// Whether models are to find its Gateways.
    pub discovery: bool,
}

/// A body-based router: it reads the model out of a request's body, for routes to match.
#[derive(Debug, Clone, PartialEq)]
pub struct Router {
    /// Whether models are to be told apart by their names.
    pub enabled: bool,
    /// How many. The Gateway refuses requests while none answers.
    pub replicas: u32,
    /// Where it runs.
    pub namespace: String,
    /// What installs it.
    pub chart: Chart,
    /// Values of the chart that the platform adds.
    pub values: serde_json::Map<String, serde_json::Value>,
    /// What asks it.
    pub caller: Caller,
}

/// Where a Helm chart is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chart {
    /// In a repository.
    InRepository {
        /// The repository.
        repository: String,
        /// The chart there.
        name: String,
        /// Its version.
        version: String,
    },
    /// At a place of its own.
    At(String),
}

/// What asks a body-based router for the model of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// Nothing that is composed with it.
    Unknown,
    /// A Gateway of Istio.
    Istio(GatewayPlace),
    /// A Gateway of GKE.
    Gke(GatewayPlace),
    /// Nobody: agentgateway reads the model itself, where a policy of the Gateway says so.
    Agentgateway(GatewayPlace),
}

/// Where a Gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayPlace {
    /// Its name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
}

/// A flag that is not true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFlag {
    /// Its whole path.
    pub path: String,
    /// What stands there instead.
    pub seen: String,
}

/// A release of the inference extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InferenceRelease {
    /// `v1.3.1`
    V1_3_1,
    /// `v1.5.0`
    V1_5_0,
}
