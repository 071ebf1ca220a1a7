//! The implementation table: everything that depends on what implements the Gateway.
//!
//! A rule's source is a file of the implementation's own repository in that version, or its documentation. What could
//! not be proved so is called unproven, here and in `docs/gateways.md`.

use crate::api::Duration;
pub use crate::api::settings::Implementation;
use crate::plan::keys::Key;

use super::priority::Hook;

/// What an implementation can do, and what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// As the platform's Input spells it.
    pub name: &'static str,
    /// Whether the route says how long a request may take. Elsewhere one of the companions says it.
    pub route_timeouts: bool,
    /// What it needs beside the route.
    pub companions: &'static [Key],
    /// What it needs besides where requests go to a Service too.
    pub service_companions: &'static [Key],
    /// How long it keeps a request open that waits in the picker.
    pub hold: Hold,
    /// What can give this model's requests their priority before the picker reads the headers.
    pub hook: Hook,
    /// What it does when the picker does not answer.
    pub failure: Failure,
    /// How it tells requests apart by the model that they ask for.
    pub by_model: ByModel,
    /// Where its requests come from.
    pub proxies: Proxies,
    /// What its `GatewayClass`es name as their controller.
    pub controllers: &'static [&'static str],
}

/// Where the proxies of a Gateway run, as a `NetworkPolicy` can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxies {
    /// Wherever its controller is installed: known by these labels.
    Labelled(&'static [(&'static str, &'static str)]),
    /// In the Gateway's namespace.
    BesideGateway,
    /// Where no `NetworkPolicy` can name them, and why.
    OutOfReach(&'static str),
}

/// How long a request may wait in the picker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// As long as the route lets a request take.
    AsRoute,
    /// No longer than this, whatever the route says.
    AtMost(Duration),
    /// Nobody has shown it.
    Unproven,
}

/// What makes a model's name, which stands in the body of a request, something that a route can match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByModel {
    /// A route of the implementation's own.
    OwnRoute,
    /// A body-based router, which the platform runs: it sets one header to the name, and another one to the base model
    /// of an adapter.
    Router,
    /// The platform has the Gateway itself set the first of these headers.
    Header,
    /// Nothing.
    Nothing,
}

/// What happens to requests when the picker does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// What the pool says.
    AsAsked,
    /// They fail, whatever the pool says.
    AlwaysClosed,
    /// They go to any endpoint, whatever the pool says.
    AlwaysOpen,
}

impl Implementation {
    pub(super) const ALL: [Self; 6] =
        [Self::EnvoyAiGateway, Self::Istio, Self::Agentgateway, Self::Gke, Self::Nginx, Self::Other];

    /// The one that has that controller.
    pub fn of_controller(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.traits().controllers.contains(&name))
    }

    /// The one that the platform's Input spells so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.traits().name == name)
    }

    /// The table.
    pub const fn traits(self) -> Traits {
        match self {
            Self::EnvoyAiGateway => ENVOY_AI_GATEWAY,
            Self::Istio => ISTIO,
            Self::Agentgateway => AGENTGATEWAY,
            Self::Gke => GKE,
            Self::Nginx => NGINX,
            Self::Other => OTHER,
        }
    }
}

/// Every proxy that Envoy Gateway runs.
const ENVOY_GATEWAY_PODS: [(&str, &str); 3] = [
    ("app.kubernetes.io/name", "envoy"),
    ("app.kubernetes.io/component", "proxy"),
    ("app.kubernetes.io/managed-by", "envoy-gateway"),
];

/// envoyproxy/ai-gateway v0.5.0 to v1.1.0, `internal/extensionserver/inferencepool.go`: the picker is asked over TLS
/// whose certificate is not checked; `FailureModeAllow` is false, whatever the pool says; the filter stands directly
/// before the router filter, which is where route filters set headers.
///
/// Its message timeout of 300 s does not count: with `FULL_DUPLEX_STREAMED` bodies Envoy has none
/// (envoyproxy/go-control-plane/envoy v1.36.0, `extensions/filters/http/ext_proc/v3`, `MessageTimeout`). What is left is
/// the idle timeout of the route, an hour or the timeout of the request where that is longer (envoyproxy/gateway v1.7.0,
/// `internal/xds/translator/route.go`), unless a `ClientTrafficPolicy` has a shorter one for all streams.
///
/// Lua filters stand in front of all `ext_proc` filters, and those of the pickers are put directly before the router
/// filter after that order is made (envoyproxy/gateway v1.7.0 and v1.9.0, `internal/xds/translator/httpfilters.go`;
/// envoyproxy/ai-gateway v1.0.0, `internal/extensionserver/post_translate_modify.go`), so that a picker sees the headers as
/// a script leaves them.
///
/// A body-based router cannot lead to one of several pools: filters that are on for some routes only are chosen by the
/// route before its headers are set (envoyproxy/envoy issue 44739). `AIGatewayRoute` can, since its own processor reads
/// the model and the pickers' filters are on everywhere, each told by the final route whether to act
/// (envoyproxy/ai-gateway v1.0.0, `internal/extensionserver/post_translate_modify.go`).
///
/// Proxies run in the namespace of Envoy Gateway, or, where it is told so, in the Gateway's; and one may serve several
/// Gateways. Labels that all of them have are in envoyproxy/gateway v1.7.0 and v1.9.0,
/// `internal/infrastructure/kubernetes/proxy/resource.go`.
///
/// Classes are Envoy Gateway's (envoyproxy/gateway v1.7.0 and v1.9.0, `api/v1alpha1/envoygateway_types.go`); nothing in them
/// tells whether Envoy AI Gateway is there as well, without which it knows no `InferencePool`.
const ENVOY_AI_GATEWAY: Traits = Traits {
    name: "EnvoyAIGateway",
    route_timeouts: true,
    companions: &[],
    service_companions: &[],
    hold: Hold::AsRoute,
    hook: Hook::Script,
    failure: Failure::AlwaysClosed,
    by_model: ByModel::OwnRoute,
    proxies: Proxies::Labelled(&ENVOY_GATEWAY_PODS),
    controllers: &["gateway.envoyproxy.io/gatewayclass-controller"],
};

/// istio/istio 1.28.0 to 1.31.0-rc.0: `pilot/pkg/networking/core/route/route.go` takes the failure mode from the pool and
/// streams bodies in full duplex, so that the message timeout of `pilot/pkg/xds/filters/filters.go` does not count, as
/// above; `pilot/pkg/networking/core/listener_builder.go` sets no idle timeout for streams, and puts the picker's filter
/// before the router filter, which is where route filters set headers. The picker is asked like any Service, in plain
/// text unless a `DestinationRule` says otherwise. kubernetes-sigs/gateway-api-inference-extension v1.5.0,
/// `config/charts/body-based-routing/templates/istio.yaml`, puts the body-based router first.
///
/// `pilot/pkg/config/kube/gatewaycommon/deploymentcontroller.go` (master of August 2026; in `gateway` before) has proxies run
/// beside their Gateway, unless its `spec.addresses` names a Service of proxies that somebody else runs.
///
/// The controller's name is the default of `PILOT_GATEWAY_API_CONTROLLER_NAME` (`pilot/pkg/features/pilot.go`), which
/// that of `OpenShift` sets to another (openshift/cluster-ingress-operator, `pkg/operator/controller/names.go`). Classes of
/// `istio.io/mesh-controller` are for waypoints.
const ISTIO: Traits = Traits {
    name: "Istio",
    route_timeouts: true,
    companions: &[Key::GatewayDestinationRule],
    service_companions: &[],
    hold: Hold::AsRoute,
    hook: Hook::Nothing,
    failure: Failure::AsAsked,
    by_model: ByModel::Router,
    proxies: Proxies::BesideGateway,
    controllers: &["istio.io/gateway-controller", "openshift.io/gateway-controller/v1"],
};

/// agentgateway/agentgateway v1.4.1, `crates/agentgateway/src/proxy/httpproxy.rs`: the timeout of the route is the only
/// one around `apply_inference_routing`, which comes after `apply_request_policies` has run the filters of the route, so
/// that `set` overwrites what a client sent. `controller/pkg/agentgateway/plugins/inference_plugin.go` takes the failure mode
/// from the pool and asks the picker over TLS whose certificate is not checked. A policy of the Gateway sets a header to
/// `json(request.body).model` before a route is chosen (phase `PreRouting`).
/// `controller/pkg/deployer/deployer.go` gives what it deploys the namespace of the Gateway.
/// `controller/api/settings/settings.go` has the controller's name; kgateway-dev/kgateway v2.2.0,
/// `pkg/kgateway/wellknown/controller.go`, the same for that data plane.
const AGENTGATEWAY: Traits = Traits {
    name: "Agentgateway",
    route_timeouts: true,
    companions: &[],
    service_companions: &[],
    hold: Hold::AsRoute,
    hook: Hook::RouteFilter,
    failure: Failure::AsAsked,
    by_model: ByModel::Header,
    proxies: Proxies::BesideGateway,
    controllers: &["agentgateway.dev/agentgateway"],
};

/// GKE's controller is not public. kubernetes-sigs/gateway-api-inference-extension v1.5.0, `config/charts/inferencepool`,
/// which is Google's own, leaves the timeouts of the route out and makes both policies; the chart `body-based-routing`
/// beside it has the Gateway call the router. Failure mode, order of headers and how long a request is held are unproven.
/// All of its classes, `gke-l7-rilb` and the others, name one controller (Google's documentation, "Deploying Gateways").
const GKE: Traits = Traits {
    name: "GKE",
    route_timeouts: false,
    companions: &[Key::GatewayHealthCheckPolicy, Key::GatewayBackendPolicy],
    service_companions: &[Key::GatewayServiceHealthCheckPolicy, Key::GatewayServiceBackendPolicy],
    hold: Hold::Unproven,
    hook: Hook::Nothing,
    failure: Failure::AsAsked,
    by_model: ByModel::Router,
    proxies: Proxies::OutOfReach("its load balancers are outside the cluster, where no selector reaches"),
    controllers: &["networking.gke.io/gateway"],
};

/// nginx/nginx-gateway-fabric v2.6.7: `internal/controller/state/graph/httproute.go` calls timeouts of a route
/// unsupported. `internal/controller/nginx/modules/src/epp.js` asks for an endpoint by `ngx.fetch`, which gives up after
/// 60 s without an answer (`js_fetch_timeout`, which nothing sets), sends the client's own headers, and goes on without
/// an endpoint when there is none; the map of `internal/controller/nginx/config/maps.go` then takes the whole pool,
/// whatever the failure mode is. Nothing there reads the model out of a request before a route is chosen.
/// `internal/controller/provisioner/objects.go` gives what it deploys the namespace of the Gateway.
/// `deploy/inference/deploy.yaml` has the controller's name, which the chart's value `nginxGateway.gatewayControllerName` may
/// change.
const NGINX: Traits = Traits {
    name: "NGINX",
    route_timeouts: false,
    companions: &[Key::GatewayProxySettingsPolicy],
    service_companions: &[],
    hold: Hold::AtMost(Duration::from_seconds(60)),
    hook: Hook::Nothing,
    failure: Failure::AlwaysOpen,
    by_model: ByModel::Nothing,
    proxies: Proxies::BesideGateway,
    controllers: &["gateway.nginx.org/nginx-gateway-controller"],
};

/// What the specifications of Gateway API and `InferencePool` promise, and no more; a body-based router is what they
/// know for routing by model.
const OTHER: Traits = Traits {
    name: "Other",
    route_timeouts: true,
    companions: &[],
    service_companions: &[],
    hold: Hold::Unproven,
    hook: Hook::Nothing,
    failure: Failure::AsAsked,
    by_model: ByModel::Router,
    proxies: Proxies::OutOfReach("nobody knows where its proxies run"),
    controllers: &[],
};
