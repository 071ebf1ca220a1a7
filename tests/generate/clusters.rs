//! What people may write about clusters, generated: composite resources, and the Inputs of the step that extends them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Fields, Values, flag, number, one_of, put, some, some_of, take, text, without_nulls};

/// Where a cluster says what it has, unless the Input names another place.
const APPS: &str = "spec.parameters.apps";

/// A cluster's composite resource and the Input of the step that extends it.
#[derive(Debug, Clone)]
pub(crate) struct Cluster {
    /// What is asked for.
    pub(crate) composite: Value,
    /// What the platform team writes.
    pub(crate) input: Value,
    /// Whether the extension is asked for.
    pub(crate) enabled: bool,
    /// Whether a flag that has to be true is not.
    pub(crate) lacks: bool,
    /// What the providers of the cluster are configured under.
    pub(crate) provider_config: String,
}

/// Anything that is in order.
pub(crate) fn cluster() -> impl Strategy<Value = Cluster> {
    ("[a-z]([a-z0-9-]{0,20}[a-z0-9])?", any::<(bool, bool, bool)>(), some(input_fields())).prop_map(
        |(name, (namespaced, enabled, has_flags), input)| fit(&name, namespaced, enabled, has_flags, input),
    )
}

/// Every field of the Input.
fn input_fields() -> Fields {
    vec![
        ("specPath", one_of(&["spec", "spec.apps", "spec.parameters.apps"])),
        ("target", one_of(&["NamespacedObject", "ClusterObject"])),
        ("providerConfigKind", one_of(&["ProviderConfig", "ClusterProviderConfig"])),
        ("providerConfigName", text("[a-z]{1,10}-config")),
        ("providerConfigNamePath", one_of(&["spec.id", "spec.cluster.name"])),
        ("version", one_of(&["v1.3.1", "v1.5.0"])),
        ("experimental", flag()),
        ("implementation", one_of(&["EnvoyAIGateway", "Istio", "Agentgateway", "GKE", "NGINX", "Other"])),
        ("discovery", flag()),
        ("gateway", gateway()),
        ("bodyBasedRouter.enabled", flag()),
        ("bodyBasedRouter.replicas", number(1..5)),
        ("bodyBasedRouter.namespace", text("routers(-[a-z]{1,8})?")),
        ("bodyBasedRouter.chart.repository", text("(oci|https)://[a-z]{1,10}[.]io/charts")),
        ("bodyBasedRouter.chart.name", text("[a-z]{1,10}")),
        ("bodyBasedRouter.chart.version", text("v[0-9][.][0-9]")),
        ("bodyBasedRouter.chart.url", text("oci://[a-z]{1,10}[.]io/charts/router:v[0-9]")),
        ("bodyBasedRouter.values", values()),
        ("prerequisites", some_of("(istio|envoyGateway|a)[.]enabled", 2)),
        ("onMissing", one_of(&["Report", "Fail"])),
        ("ttl.settled", text("[1-9][0-9]?m")),
        ("ttl.pending", text("[1-9][0-9]?s")),
    ]
}

fn gateway() -> Values {
    ("[a-z]{1,20}", "gateways(-[a-z]{1,8})?")
        .prop_map(|(name, namespace)| json!({"name": name, "namespace": namespace}))
        .boxed()
}

/// What a chart may be told beside what is decided for it.
fn values() -> Values {
    prop_oneof![
        text("[a-z]{1,8}").prop_map(|tag| json!({"bbr": {"image": {"tag": tag}}})),
        flag().prop_map(|flag| json!({"bbr": {"multiNamespace": flag}, "more": [flag]})),
    ]
    .boxed()
}

/// Makes of fields that each are in order a whole that is.
fn fit(name: &str, namespaced: bool, enabled: bool, has_flags: bool, mut input: Value) -> Cluster {
    if namespaced && input["target"] == "ClusterObject" {
        take(&mut input, "target");
    }
    if !namespaced {
        put(&mut input, "target", json!("ClusterObject"));
        take(&mut input, "providerConfigKind");
    }
    let asks = input["bodyBasedRouter"]["enabled"] != false;
    let bound = ["Istio", "Agentgateway", "GKE"].iter().any(|it| input["implementation"] == *it);
    if asks && bound && input["gateway"].is_null() {
        put(&mut input, "gateway", json!({"name": "inference", "namespace": "gateways"}));
    }
    if input["implementation"] == "GKE" {
        // There it runs beside the Gateway.
        take(&mut input, "bodyBasedRouter.namespace");
    }
    if input["bodyBasedRouter"]["chart"]["url"].is_string() {
        for field in ["repository", "name", "version"] {
            take(&mut input, &format!("bodyBasedRouter.chart.{field}"));
        }
    }
    if input["providerConfigName"].is_string() {
        take(&mut input, "providerConfigNamePath");
    }

    let mut composite =
        json!({"apiVersion": "example.com/v1", "kind": "Cluster", "metadata": {"name": name}});
    if namespaced {
        composite["metadata"]["namespace"] = json!("clusters");
    }
    let path = input["specPath"].as_str().unwrap_or(APPS).to_owned();
    let flags: Vec<String> = match &input["prerequisites"] {
        Value::Null => vec!["envoyGateway.enabled".to_owned()],
        flags => serde_json::from_value(flags.clone()).unwrap(),
    };
    let has_flags = has_flags || input["onMissing"] == "Fail";
    for flag in &flags {
        put(&mut composite, &format!("{path}.{flag}"), json!(has_flags));
    }
    put(&mut composite, &format!("{path}.gatewayInferenceExtension.enabled"), json!(enabled));
    let provider_config = match (&input["providerConfigName"], &input["providerConfigNamePath"]) {
        (Value::String(name), _) => name.clone(),
        (_, Value::String(path)) => {
            put(&mut composite, path, json!("by-its-path"));
            "by-its-path".to_owned()
        }
        _ => name.to_owned(),
    };
    let input = json!({
        "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ClusterExtension",
        "spec": without_nulls(input),
    });
    Cluster { composite, input, enabled, lacks: !has_flags && !flags.is_empty(), provider_config }
}
