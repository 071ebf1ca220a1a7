//! Names, labels and ports of the objects of one stack, each decided here and nowhere else.

use std::collections::BTreeMap;

use crate::api::{ModelName, Namespace};

/// Marks every emitted object with `<composite namespace>/<composite name>`.
pub const OWNER_ANNOTATION: &str = "inference.devopstoolkit.ai/owner";
/// On what an `ObservedObjectCollection` makes of a cluster's Gateways; its value is the name of the provider configuration
/// that leads to the cluster.
pub const GATEWAYS_LABEL: &str = "inference.devopstoolkit.ai/gateways";
/// Followed by a digest of the owner: what a composite claims, in a key of its own, so that server-side apply by another
/// owner writes over none of it. The value is the composite's `creationTimestamp`, a space, and its owner mark.
pub const CLAIM_ANNOTATION_PREFIX: &str = "claim.inference.devopstoolkit.ai/";
/// On pod templates: changes when configuration changes that would not roll the pods by itself.
pub const CONFIG_HASH_ANNOTATION: &str = "inference.devopstoolkit.ai/config-hash";
/// Names the model on our Services; the monitors write it on every series.
pub const MODEL_LABEL: &str = "inference.devopstoolkit.ai/model";
/// Tells our Services of one model apart.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// The only label of the model servers' pods that the vLLM operator promises.
pub const APP_LABEL: &str = "app";

/// `COMPONENT_LABEL` of what belongs to the model servers.
pub const MODEL_SERVER: &str = "model-server";
/// `COMPONENT_LABEL` of what belongs to the picker.
pub const ENDPOINT_PICKER: &str = "endpoint-picker";

/// Where the engines serve the API, health and metrics.
pub const ENGINE_PORT: u16 = 8000;
/// Port of the model servers' Service: the vLLM operator's choice for the one it makes, and so for ours.
pub const MODEL_SERVICE_PORT: u16 = 80;
/// Name of the engine port on our Services and on the engines' containers, the vLLM operator's among them.
pub const ENGINE_PORT_NAME: &str = "http";
/// Where the picker answers gateways.
pub const PICKER_PORT: u16 = 9002;
/// Where the picker answers probes.
pub const PICKER_HEALTH_PORT: u16 = 9003;
/// Where the picker serves metrics.
pub const PICKER_METRICS_PORT: u16 = 9090;
/// Name of that port on the picker's container.
pub const PICKER_METRICS_CONTAINER_PORT_NAME: &str = "metrics";
/// Name of the picker's metrics port on its Service.
pub const PICKER_METRICS_PORT_NAME: &str = "http-metrics";
/// Where the engines say whether they serve: once the weights are loaded, and as long as they live.
pub const HEALTH_PATH: &str = "/health";
/// Metrics path of engines and picker.
pub const METRICS_PATH: &str = "/metrics";

/// A Kubernetes label as Prometheus writes it on a series.
///
/// What Prometheus cannot spell becomes an underscore (prometheus/prometheus v3, `util/strutil`).
pub fn series_label(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// What tells the Gateways of one cluster from all others, where one of them is to be found.
pub fn gateways_label(provider_config_name: &str) -> (String, String) {
    (GATEWAYS_LABEL.to_owned(), provider_config_name.to_owned())
}

/// Labels that tell one model's objects of one component from all others.
pub fn component_labels(name: &ModelName, component: &str) -> BTreeMap<String, String> {
    [(MODEL_LABEL, name.as_str()), (COMPONENT_LABEL, component)]
        .map(|(label, value)| (label.to_owned(), value.to_owned()))
        .into()
}

/// Derived names.
impl ModelName {
    /// The picker, its Service, Deployment, `ServiceAccount`, configuration and monitor.
    pub fn picker(&self) -> String {
        self.picker_and("")
    }

    fn picker_and(&self, suffix: &str) -> String {
        [self.as_str(), Self::PICKER_SUFFIX, suffix].concat()
    }

    fn and(&self, suffix: &str) -> String {
        [self.as_str(), suffix].concat()
    }

    /// Lets the picker watch pods.
    pub fn picker_pod_reader(&self) -> String {
        self.picker_and("-pod-reader")
    }

    /// Lets the picker watch its pool and objectives.
    pub fn picker_pool_reader(&self) -> String {
        self.picker_and("-pool-reader")
    }

    /// Lets the picker's replicas elect a leader.
    pub fn picker_leader_election(&self) -> String {
        self.picker_and("-leader-election")
    }

    /// Envoy AI Gateway's own route, and the `HTTPRoute` that it makes of it under the same name. Not the plain name: it
    /// would write over a route that is there, and lose it when that one goes (envoyproxy/ai-gateway v1.0.0,
    /// `internal/controller/ai_gateway_route.go`).
    pub fn route_by_name(&self) -> String {
        self.and("-by-name")
    }

    /// What body-based routers read.
    pub fn adapters(&self) -> String {
        self.and("-adapters")
    }

    /// Whoever reads the picker's metrics: `ServiceAccount` and its token.
    pub fn picker_metrics(&self) -> String {
        self.picker_and("-metrics")
    }

    /// Lets somebody read metrics. Of the whole cluster, as the next one: a dot is in no namespace and in no model's
    /// name, so two models never mean the same.
    pub fn picker_metrics_reader(&self, namespace: &Namespace) -> String {
        format!("{namespace}.{}-reader", self.picker_metrics())
    }

    /// Lets the picker ask who wants to read its metrics.
    pub fn picker_auth_delegator(&self, namespace: &Namespace) -> String {
        format!("{namespace}.{}-auth-delegator", self.picker())
    }

    /// What a gateway is told about the model servers' Service.
    pub fn service_policy(&self) -> String {
        self.and("-service")
    }

    /// The objective, which requests name to get the model's priority.
    pub fn objective(&self) -> String {
        self.as_str().to_owned()
    }

    /// The model servers' Deployment and Service, where no operator makes them: the operator owns the plain name.
    pub fn model_server(&self) -> String {
        self.and(Self::MODEL_SERVER_SUFFIX)
    }

    /// The headless Service for scraping the engines.
    pub fn metrics_service(&self) -> String {
        self.and(Self::METRICS_SUFFIX)
    }

    /// The `HorizontalPodAutoscaler` below the `ScaledObject`, which KEDA would call `keda-hpa-<name>`.
    ///
    /// KEDA writes the name in a label, so it refuses one above 63 characters (kedacore/keda v2.20.2,
    /// `apis/keda/v1alpha1/scaledobject_webhook.go`, `verifyName`), and a model's name may have as many itself.
    pub fn autoscaler(&self) -> String {
        self.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MODEL_LABEL, series_label};
    use crate::api::{LABEL_VALUE_MAX, ModelName, Namespace};

    #[test]
    fn names_of_the_whole_cluster_tell_models_apart_and_always_fit() {
        let names = |namespace: &str, model: &str| {
            let (namespace, model) = (Namespace::parse(namespace).unwrap(), ModelName::parse(model).unwrap());
            [model.picker_metrics_reader(&namespace), model.picker_auth_delegator(&namespace)]
        };
        assert_ne!(
            names("a-b", "c"),
            names("a", "b-c"),
            "a dash alone would not say where the namespace ends"
        );
        let (namespace, model) = ("n".repeat(Namespace::MAX), "m".repeat(ModelName::MAX));
        for name in names(&namespace, &model) {
            assert!(name.len() <= 253, "the longest of both is a name: {name}");
        }
    }

    /// What KEDA makes of a `ScaledObject`'s name where it is told none (kedacore/keda v2.20.2,
    /// `apis/keda/v1alpha1/scaledobject_webhook.go`, `getHpaName`).
    fn of_keda(name: &str) -> String {
        format!("keda-hpa-{name}")
    }

    proptest! {
        /// The limit is that of a label's value.
        #[test]
        fn an_autoscaler_may_be_called_as_it_is_whatever_the_model_is_called(name in "[a-z]([-a-z0-9]{0,61}[a-z0-9])?") {
            let autoscaler = ModelName::parse(&name).unwrap().autoscaler();
            prop_assert!(autoscaler.len() <= LABEL_VALUE_MAX, "{autoscaler}");
            let fits = of_keda(&name).len() <= LABEL_VALUE_MAX;
            prop_assert_eq!(fits, name.len() <= 54, "so it has to be told");
        }

        #[test]
        fn autoscalers_of_two_models_have_two_names(one in "[a-z][-a-z0-9]{0,5}[a-z]", other in "[a-z][-a-z0-9]{0,5}[a-z]") {
            prop_assume!(one != other);
            let [one, other] = [one, other].map(|name| ModelName::parse(&name).unwrap().autoscaler());
            prop_assert_ne!(one, other);
        }
    }

    #[test]
    fn series_labels_are_spelled_as_prometheus_spells_them() {
        assert_eq!(series_label(MODEL_LABEL), "inference_devopstoolkit_ai_model");
    }
}
