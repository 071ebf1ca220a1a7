//! What a composed resource is, and what it stands for.

use serde_json::{Value, json};

use crate::controlplane::cluster::text;
use crate::render;

/// The groups of provider-kubernetes: the namespaced API and the one for cluster-scoped composite resources.
const OBJECT_GROUPS: [&str; 2] = ["kubernetes.m.crossplane.io/", "kubernetes.crossplane.io/"];

/// In whose name Crossplane applies what it composes, but for a hash of who the composite resource is.
pub const CROSSPLANE: &str = "apiextensions.crossplane.io/composed";

/// What reaches the cluster where the model runs.
#[derive(Debug)]
pub struct Delivered {
    /// The manifest.
    pub manifest: Value,
    /// In whose name: the provider's field manager has the name of the Object in it (provider-kubernetes v1.2.1,
    /// `internal/controller/fieldmanager.go`).
    pub field_manager: String,
}

/// A composed resource as Crossplane would create it: with a name.
pub fn named(composed: &Value) -> Value {
    let mut composed = composed.clone();
    if text(&composed, "/metadata/name").is_empty() {
        let stem = text(&composed, "/metadata/generateName");
        let name = format!("{stem}{}", render::key(&composed).replace('_', "-"));
        if let Some(metadata) = composed.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("name".to_owned(), json!(name));
        }
    }
    composed
}

/// Whether a composed resource is an Object of provider-kubernetes.
pub fn is_object(composed: &Value) -> bool {
    let api_version = text(composed, "/apiVersion");
    text(composed, "/kind") == "Object" && OBJECT_GROUPS.iter().any(|group| api_version.starts_with(group))
}

/// What a composed resource delivers: what is in an Object, unless that only looks, or else the resource itself.
pub fn delivered(composed: &Value) -> Option<Delivered> {
    if !is_object(composed) {
        return Some(Delivered { manifest: composed.clone(), field_manager: CROSSPLANE.to_owned() });
    }
    let policies = composed.pointer("/spec/managementPolicies").and_then(Value::as_array);
    if policies.is_some_and(|policies| policies == &[json!("Observe")]) {
        return None;
    }
    Some(Delivered {
        manifest: composed.pointer("/spec/forProvider/manifest")?.clone(),
        field_manager: format!("provider-kubernetes/{}", text(composed, "/metadata/name")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_without_a_name_gets_one_that_kubernetes_takes() {
        let composed = json!({"metadata": {
            "generateName": "qwen-",
            "annotations": {"crossplane.io/composition-resource-name": "vllm_runtime"},
        }});
        assert_eq!(text(&named(&composed), "/metadata/name"), "qwen-vllm-runtime");
    }

    #[test]
    fn objects_that_only_look_deliver_nothing() {
        let object = |policies: Value| {
            json!({
                "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
                "kind": "Object",
                "metadata": {"name": "a"},
                "spec": {"managementPolicies": policies, "forProvider": {"manifest": {"kind": "ConfigMap"}}},
            })
        };
        assert!(delivered(&object(json!(["Observe"]))).is_none(), "somebody else's");
        let itself = json!({"apiVersion": "v1", "kind": "Object"});
        assert_eq!(delivered(&itself).unwrap().manifest, itself, "one of another group is what it is");
        let all = delivered(&object(json!(["*"]))).unwrap();
        assert_eq!(
            (text(&all.manifest, "/kind"), &*all.field_manager),
            ("ConfigMap", "provider-kubernetes/a")
        );
    }
}
