//! What a composed resource is, and what it stands for.

use serde_json::{Value, json};

use crate::controlplane::cluster::text;
use crate::render;

/// The groups of provider-kubernetes: the namespaced API and the one for cluster-scoped composite resources.
const OBJECT_GROUPS: [&str; 2] = ["kubernetes.m.crossplane.io/", "kubernetes.crossplane.io/"];

/// The manifest that a provider-kubernetes Object would apply, if the composed resource is one and applies anything.
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

/// What an Object delivers; none when the resource is no Object or only looks.
pub fn delivered(composed: &Value) -> Option<Delivered> {
    let api_version = text(composed, "/apiVersion");
    let is_object = text(composed, "/kind") == "Object"
        && OBJECT_GROUPS.iter().any(|group| api_version.starts_with(group));
    let policies = composed.pointer("/spec/managementPolicies").and_then(Value::as_array);
    let only_looks = policies.is_some_and(|policies| policies == &[json!("Observe")]);
    if !is_object || only_looks {
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
    fn only_objects_that_apply_something_deliver() {
        let object = |policies: Value| {
            json!({
                "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
                "kind": "Object",
                "metadata": {"name": "a"},
                "spec": {"managementPolicies": policies, "forProvider": {"manifest": {"kind": "ConfigMap"}}},
            })
        };
        assert!(delivered(&object(json!(["Observe"]))).is_none(), "somebody else's");
        assert!(delivered(&json!({"apiVersion": "v1", "kind": "Object"})).is_none(), "another group");
        let all = delivered(&object(json!(["*"]))).unwrap();
        assert_eq!(
            (text(&all.manifest, "/kind"), &*all.field_manager),
            ("ConfigMap", "provider-kubernetes/a")
        );
    }
}
