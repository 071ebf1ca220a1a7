//! Shorter waits: the numbers of seconds in a `ScaledObject`, and nothing else of it, are other ones once it is stored.
//!
//! Done by an admission policy, so that whoever writes one need not know: provider-kubernetes applies what the function
//! composed, and finds what it applied.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::platform::PLATFORM;

const NAME: &str = "shorter-waits";

const BEHAVIOR: &str = "/spec/advanced/horizontalPodAutoscalerConfig/behavior";

/// What a wait is for, as a pointer below `BEHAVIOR`, and its seconds.
const OF_EVERY_ONE: [(&str, u32); 4] = [
    // 300 s are composed. Longer than Prometheus takes to find replicas that came, which bear a part of the load by then:
    // it looks every 5 s.
    ("/scaleDown/stabilizationWindowSeconds", 15),
    ("/scaleDown/policies/0/periodSeconds", 2),
    ("/scaleUp/policies/0/periodSeconds", 3),
    ("/scaleUp/policies/1/periodSeconds", 3),
];

/// Those of a model that may sleep. Longer than all that has to come in time: a poll, and again what Prometheus takes.
const OF_SLEEPERS: [(&str, u32); 3] =
    [("/spec/pollingInterval", 1), ("/spec/cooldownPeriod", 20), ("/spec/initialCooldownPeriod", 20)];

/// Shortens the waits of every `ScaledObject` that is written from now on.
pub async fn shorten(cluster: &Cluster) -> Result<()> {
    let patches = |waits: &mut dyn Iterator<Item = (String, u32)>| {
        let patches = waits.map(|(path, seconds)| {
            format!(r#"JSONPatch{{op: "replace", path: "{path}", value: {seconds}}}"#)
        });
        format!("[{}]", patches.collect::<Vec<_>>().join(", "))
    };
    let of_every_one = patches(&mut OF_EVERY_ONE.iter().map(|(path, to)| (format!("{BEHAVIOR}{path}"), *to)));
    let of_sleepers = patches(&mut OF_SLEEPERS.iter().map(|(path, to)| ((*path).to_owned(), *to)));
    let expression = format!("{of_every_one} + (has(object.spec.cooldownPeriod) ? {of_sleepers} : [])");
    let rules = json!([{
        "apiGroups": ["keda.sh"], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"],
        "resources": ["scaledobjects"],
    }]);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1beta1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": NAME},
        "spec": {
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "matchConstraints": {"resourceRules": rules},
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1beta1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": NAME},
        "spec": {"policyName": NAME},
    });
    for object in [&policy, &binding] {
        cluster.apply(object, PLATFORM).await?;
    }
    Ok(())
}

/// The waits that were shortened of an object, and to how much.
pub fn shortened(scaled_object: &Value) -> BTreeMap<String, u32> {
    let all = OF_EVERY_ONE.iter().map(|(path, to)| (format!("{BEHAVIOR}{path}"), *to));
    let sleeps = scaled_object.pointer("/spec/cooldownPeriod").is_some();
    let of_sleepers = OF_SLEEPERS.iter().filter(|_| sleeps).map(|(path, to)| ((*path).to_owned(), *to));
    all.chain(of_sleepers).collect()
}
