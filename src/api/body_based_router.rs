//! The part of the Input `ClusterExtension` that is about the body-based router and the Gateway that asks it.

#![allow(clippy::doc_markdown, reason = "these comments are the schema's descriptions, which are plain text")]

use serde_json::{Map, Value};

use super::numbers::Int;
use super::problem::{Path, Problems};
use super::reading::{Free, choice, object};
use super::settings::{Caller, Chart, GatewayPlace, Implementation, InferenceRelease, Router};
use super::texts::{ChartAddress, NamespaceName, ObjectName, Text, Word};

/// Where the router runs, unless it has to be beside the Gateway.
const NAMESPACE: &str = "gateway-api-inference-extension";
/// One that restarts must not take the Gateway with it.
const REPLICAS: u32 = 2;
/// Where the project publishes its charts, under the names of its releases (kubernetes-sigs/gateway-api-inference-extension
/// v1.3.1, `site-src/_includes/epp.md` and `hack/push-chart.sh`).
const REPOSITORY: &str = "oci://registry.k8s.io/gateway-api-inference-extension/charts";
const CHART: &str = "body-based-routing";

/// Values of the chart that are decided here, and what to use instead.
const DECIDED: [(&str, &str); 5] = [
    ("bbr.name", "must be left out: what asks the router knows it by its name"),
    ("bbr.port", "must be left out: what asks the router knows its port"),
    ("bbr.replicas", "must be left out, use bodyBasedRouter.replicas"),
    ("provider", "must be left out, use implementation"),
    ("inferenceGateway", "must be left out, use gateway"),
];

choice! {
    impl Implementation {
        EnvoyAiGateway = "EnvoyAIGateway",
        Istio = "Istio",
        Agentgateway = "Agentgateway",
        Gke = "GKE",
        Nginx = "NGINX",
        Other = "Other",
    }
}

object! {
    /// The Gateway.
    struct ExtensionGateway requires ["name", "namespace"] {
        /// Its name.
        "name" name: Text<ObjectName>,
        /// Its namespace.
        "namespace" namespace: Text<NamespaceName>,
    }
}

object! {
    /// What reads the model out of a request's body, so that routes can match it.
    struct BodyBasedRouter {
        /// Whether there is one. Default: true.
        "enabled" enabled: bool,
        /// How many: the Gateway refuses requests while none answers. Default: 2.
        "replicas" replicas: Int<1, 100>,
        /// Where it runs. Default: gateway-api-inference-extension; on GKE the Gateway's own namespace, which it has to
        /// be there.
        "namespace" namespace: Text<NamespaceName>,
        /// The Helm chart. Default: body-based-routing of the release that version names, where its project publishes it.
        "chart" chart: ChartSource,
        /// More values for the chart, such as bbr.image. Name, port and replicas of the router, provider and
        /// inferenceGateway are set by the function.
        "values" values: Free,
    }
}

object! {
    /// A Helm chart: in a repository, or at a URL of its own.
    struct ChartSource {
        /// Default: oci://registry.k8s.io/gateway-api-inference-extension/charts.
        "repository" repository: Text<ChartAddress>,
        /// Default: body-based-routing.
        "name" name: Text<Word>,
        /// Default: that of the release.
        "version" version: Text<Word>,
        /// Instead of all others.
        "url" url: Text<ChartAddress>,
    }
}

/// What the Input says about the router, completed; every problem with it is noted.
pub(super) fn settle(
    implementation: Option<Implementation>,
    gateway: Option<ExtensionGateway>,
    router: Option<BodyBasedRouter>,
    release: InferenceRelease,
    input: &mut Problems,
) -> Router {
    let BodyBasedRouter { enabled, replicas, namespace, chart, values } = router.unwrap_or_default();
    let enabled = enabled.unwrap_or(true);
    let implementation = implementation.unwrap_or(Implementation::EnvoyAiGateway);
    let caller = caller(implementation, gateway, enabled, input);
    let namespace = namespace.map(|namespace| namespace.0.to_string());
    if let (Caller::Gke(gateway), Some(namespace)) = (&caller, &namespace)
        && *namespace != gateway.namespace
    {
        // The chart, which is Google's own, names Gateway and Service without a namespace (`templates/gke.yaml`).
        let want =
            format!("must be {:?}, the Gateway's, since GKE looks for the router there", gateway.namespace);
        input.add(&Path::dotted("bodyBasedRouter.namespace"), format!("{namespace:?}"), want);
    }
    let home = match &caller {
        Caller::Gke(gateway) => gateway.namespace.clone(),
        Caller::Unknown | Caller::Istio(_) | Caller::Agentgateway(_) => NAMESPACE.to_owned(),
    };
    Router {
        enabled,
        replicas: replicas.and_then(|replicas| u32::try_from(replicas.0).ok()).unwrap_or(REPLICAS),
        namespace: namespace.unwrap_or(home),
        chart: chart.unwrap_or_default().settle(release, input),
        values: settle_values(values, input),
        caller,
    }
}

fn caller(
    implementation: Implementation,
    gateway: Option<ExtensionGateway>,
    enabled: bool,
    input: &mut Problems,
) -> Caller {
    let of: fn(GatewayPlace) -> Caller = match implementation {
        Implementation::Istio => Caller::Istio,
        Implementation::Gke => Caller::Gke,
        Implementation::Agentgateway => Caller::Agentgateway,
        Implementation::EnvoyAiGateway | Implementation::Nginx | Implementation::Other => {
            return Caller::Unknown;
        }
    };
    let path = Path::dotted("gateway");
    if let Some(ExtensionGateway { name: Some(name), namespace: Some(namespace) }) = gateway {
        return of(GatewayPlace { name: name.0, namespace: namespace.0.to_string() });
    }
    if enabled && gateway.is_none() && !input.doubt(&path) {
        let want = format!(
            "must have name and namespace of the Gateway that routes by the model's name, since implementation is {}; \
             or set bodyBasedRouter.enabled to false",
            implementation.as_str()
        );
        input.add(&path, "missing", want);
    }
    Caller::Unknown
}

impl ChartSource {
    fn settle(self, release: InferenceRelease, input: &mut Problems) -> Chart {
        let Self { repository, name, version, url } = self;
        let Some(url) = url else {
            return Chart::InRepository {
                repository: repository.map_or_else(|| REPOSITORY.to_owned(), |it| it.0),
                name: name.map_or_else(|| CHART.to_owned(), |it| it.0),
                version: version.map_or_else(|| release.as_str().to_owned(), |it| it.0),
            };
        };
        let others =
            [("repository", repository.is_some()), ("name", name.is_some()), ("version", version.is_some())];
        for (field, _) in others.into_iter().filter(|(_, is_set)| *is_set) {
            let path = Path::dotted("bodyBasedRouter.chart").join(&Path::dotted(field));
            input.add(&path, "set", "must be left out where url is set");
        }
        Chart::At(url.0)
    }
}

fn settle_values(values: Option<Free>, input: &mut Problems) -> Map<String, Value> {
    let values = values.unwrap_or_default().0;
    for (field, want) in DECIDED {
        let mut steps = field.split('.');
        let top = steps.next().and_then(|step| values.get(step));
        if let Some(found) = steps.try_fold(top, |value, step| value.map(|value| value.get(step))).flatten()
            && !found.is_null()
        {
            input.add(&Path::dotted("bodyBasedRouter.values").join(&Path::dotted(field)), "set", want);
        }
    }
    values
}
