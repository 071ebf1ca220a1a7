//! What an API server made of an object, against what it was given.
//!
//! A field that is gone was pruned: the schema does not know it. A field that came is a default: either we should
//! have written it, because a cluster with another schema would choose otherwise, or there is a reason not to, and
//! the reason stands in [`DEFAULTS`].

use serde_json::Value;

/// Fields that may be left to the API server.
#[derive(Debug, Clone, Copy)]
pub struct Default {
    /// The kind they are left out of.
    pub kind: &'static str,
    /// Where they are; `[]` is any element of a list.
    pub paths: &'static [&'static str],
    /// Why they are not ours to write.
    pub reason: &'static str,
}

/// What the API server fills in with our consent.
pub const DEFAULTS: &[Default] = &[
    Default {
        kind: "AIGatewayRoute",
        paths: &["spec.rules[].backendRefs[].priority"],
        reason: "Envoy AI Gateway ignores it for pools",
    },
    Default {
        kind: "AIGatewayRoute",
        paths: &["spec.rules[].modelsOwnedBy"],
        reason: "the owner in the list of models is for the Gateway to say",
    },
    Default {
        kind: "Deployment",
        paths: &[
            "spec.progressDeadlineSeconds",
            "spec.revisionHistoryLimit",
            "spec.template.spec.containers[].livenessProbe.failureThreshold",
            "spec.template.spec.containers[].livenessProbe.successThreshold",
            "spec.template.spec.containers[].livenessProbe.timeoutSeconds",
            "spec.template.spec.containers[].readinessProbe.failureThreshold",
            "spec.template.spec.containers[].readinessProbe.successThreshold",
            "spec.template.spec.containers[].readinessProbe.timeoutSeconds",
            "spec.template.spec.containers[].resources",
            "spec.template.spec.containers[].startupProbe.successThreshold",
            "spec.template.spec.containers[].terminationMessagePath",
            "spec.template.spec.containers[].terminationMessagePolicy",
            "spec.template.spec.dnsPolicy",
            "spec.template.spec.restartPolicy",
            "spec.template.spec.schedulerName",
            "spec.template.spec.volumes[].configMap.defaultMode",
        ],
        reason: "apps/v1 and core/v1 promise these values: they are the same on every cluster",
    },
    Default {
        kind: "Deployment",
        paths: &["spec.template.spec.serviceAccount"],
        reason: "the old name of serviceAccountName, kept equal to it",
    },
    Default {
        kind: "Deployment",
        paths: &["spec.replicas"],
        reason: "left out only where an autoscaler owns it, which starts from here",
    },
    Default {
        kind: "InferencePool",
        paths: &["spec.appProtocol"],
        reason: "v1.3.1 refuses the field; later releases default it to HTTP/1.1, which is what engines speak",
    },
    Default {
        kind: "Object",
        paths: &["spec.deletionPolicy"],
        reason: "Delete, which is also what a namespaced Object does, and that one knows no such field",
    },
    Default {
        kind: "Object",
        paths: &["spec.managementPolicies"],
        reason: "everything, which is also what a provider without this feature does",
    },
    Default {
        kind: "Release",
        paths: &["spec.deletionPolicy"],
        reason: "Delete, which is also what a namespaced Release does, and that one knows no such field",
    },
    Default {
        kind: "Release",
        paths: &["spec.managementPolicies"],
        reason: "everything, which is also what a provider without this feature does",
    },
    Default {
        kind: "Release",
        paths: &["spec.forProvider.maxHistory"],
        reason: "how many old releases Helm remembers is nothing to a model",
    },
    Default {
        kind: "Service",
        paths: &["spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"],
        reason: "the cluster's own network decides",
    },
    Default {
        kind: "Service",
        paths: &["spec.internalTrafficPolicy", "spec.sessionAffinity"],
        reason: "core/v1 promises these values: they are the same on every cluster",
    },
    Default {
        kind: "VLLMRuntime",
        paths: &["spec.deploymentConfig.deploymentStrategy"],
        reason: "its absence from a live object tells a CRD that defaults nothing",
    },
    Default {
        kind: "VLLMRuntime",
        paths: &["spec.deploymentConfig.replicas"],
        reason: "left out only where an autoscaler owns it, which starts from here",
    },
    Default {
        kind: "VLLMRuntime",
        paths: &["spec.deploymentConfig.runtimeClass"],
        reason: "the operator's default fits the clusters it is made for",
    },
];

/// What the API server may warn of with our consent, and why.
pub const WARNINGS: &[(&str, &str)] = &[(
    "aigateway.envoyproxy.io/v1alpha1 is deprecated",
    "v0.5.0 of Envoy AI Gateway serves no other version, and v1.1.0 still serves this one",
)];

/// Whether a warning is nothing new.
pub fn is_agreed_warning(warning: &str) -> bool {
    WARNINGS.iter().any(|(start, _)| warning.contains(start))
}

/// Fields that belong to the API server on every object.
const BOOKKEEPING: [&str; 6] = [
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.uid",
    "status",
];

/// What was sent and is not there, or not as it was sent. One line each.
pub fn lost(sent: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(sent, Some(live), "", &mut |path, sent, live| match live {
        None => found.push(format!("{path} was {sent} and is gone")),
        Some(live) => found.push(format!("{path} was {sent} and is {live}")),
    });
    found
}

/// What is there and was neither sent nor agreed to. One line each.
pub fn added(sent: &Value, live: &Value) -> Vec<String> {
    let kind = live.get("kind").and_then(Value::as_str).unwrap_or_default();
    let mut found = Vec::new();
    walk(live, Some(sent), "", &mut |path, live, sent| {
        let path = general(path);
        // What differs is lost on the way there; here only what is absent counts.
        if sent.is_none() && !BOOKKEEPING.contains(&path.as_str()) && !is_agreed(kind, &path) {
            found.push(format!("{path} came as {live}"));
        }
    });
    found.sort();
    found.dedup();
    found
}

fn is_agreed(kind: &str, path: &str) -> bool {
    DEFAULTS.iter().any(|default| default.kind == kind && default.paths.contains(&path))
}

/// Tells each place where `there` does not have what `here` has: the topmost one, with both values.
fn walk(
    here: &Value,
    there: Option<&Value>,
    path: &str,
    differs: &mut impl FnMut(&str, &Value, Option<&Value>),
) {
    match (here, there) {
        (Value::Object(fields), Some(Value::Object(others))) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(value, others.get(name), &path, differs);
            }
        }
        (Value::Array(items), Some(Value::Array(others))) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, others.get(index), &format!("{path}[{index}]"), differs);
            }
        }
        (here, Some(there)) if here == there => {}
        (here, there) => differs(path, here, there),
    }
}

/// A path without the numbers of elements.
fn general(path: &str) -> String {
    let mut general = String::new();
    let mut inside = false;
    for c in path.chars() {
        inside &= c != ']';
        if !inside {
            general.push(c);
        }
        inside |= c == '[';
    }
    general
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_pruned_or_changed_is_told_with_its_place() {
        let sent = json!({"spec": {"a": 1, "list": [{"b": "x", "c": true}], "kept": {"d": []}}});
        let live = json!({"spec": {"a": 2, "list": [{"b": "x"}], "kept": {"d": [], "more": 1}}});
        assert_eq!(lost(&sent, &live), ["spec.a was 1 and is 2", "spec.list[0].c was true and is gone"]);
        assert_eq!(lost(&sent, &sent), Vec::<String>::new());
    }

    #[test]
    fn what_was_defaulted_is_told_unless_it_was_agreed_to() {
        let sent = json!({"kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}, {"port": 2}]}});
        let live = json!({
            "kind": "Service",
            "metadata": {"name": "a", "uid": "u", "resourceVersion": "1"},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 1, "odd": 0}, {"port": 2, "odd": 0}]},
            "status": {"loadBalancer": {}},
        });
        assert_eq!(added(&sent, &live), ["spec.ports[].odd came as 0"]);
    }
}
