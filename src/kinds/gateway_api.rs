//! `gateway.networking.k8s.io`: kubernetes-sigs/gateway-api v1.6, standard channel.

use serde::Serialize;

use super::Kind;

/// The group.
pub const GROUP: &str = "gateway.networking.k8s.io";
/// `Gateway` and `HTTPRoute` are generally available as `v1`.
pub const API_VERSION: &str = "gateway.networking.k8s.io/v1";
/// The kind of a `Gateway`.
pub const GATEWAY: &str = "Gateway";
/// The kind of a `GatewayClass`.
pub const GATEWAY_CLASS: &str = "GatewayClass";

/// `HTTPRoute`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// The Gateways it attaches to.
    pub parent_refs: Vec<ParentRef>,
    /// The hostnames that select it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hostnames: Vec<String>,
    /// What happens to a request.
    pub rules: Vec<Rule>,
}

impl Kind for HttpRouteSpec {
    const API_VERSION: &'static str = API_VERSION;
    const KIND: &'static str = "HTTPRoute";
}

/// A Gateway, or one listener of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Written although it is the default: a stub CRD defaults nothing.
    pub group: &'static str,
    /// Likewise.
    pub kind: &'static str,
    /// The Gateway's name.
    pub name: String,
    /// The Gateway's namespace.
    pub namespace: String,
    /// One listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Any of these.
    pub matches: Vec<Match>,
    /// What happens to it on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<Filter>,
    /// Where the request goes.
    pub backend_refs: Vec<BackendRef>,
    /// How long it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
}

/// One match.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Match {
    /// The path.
    pub path: PathMatch,
    /// And all of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderMatch>,
}

/// A header match.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeaderMatch {
    /// `Exact`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The header.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// A path match.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PathMatch {
    /// `PathPrefix` or `Exact`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The path.
    pub value: &'static str,
}

/// Something that happens to a request on its way.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Filter {
    /// Its headers are changed. A rule may say so once.
    RequestHeaderModifier {
        /// How.
        request_header_modifier: HeaderModifier,
    },
}

/// Changes of headers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeaderModifier {
    /// Headers that are overwritten.
    pub set: Vec<Header>,
    /// Headers that are taken out.
    pub remove: Vec<String>,
}

/// A header.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A backend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackendRef {
    /// Its group.
    pub group: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its name, in the route's namespace.
    pub name: String,
    /// Its port, which a Service needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its share.
    pub weight: u32,
}

/// How long a request may take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timeouts {
    /// From first byte to last.
    pub request: String,
}

/// What a policy of an implementation is about, in the policy's namespace (`LocalPolicyTargetReference`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PolicyTarget {
    /// Its group.
    pub group: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}
