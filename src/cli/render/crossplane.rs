//! What Crossplane does around the pipeline: the composite resource it sends, and what it makes of the answer.
//!
//! Follows crossplane/crossplane v2.3.4 (`internal/render/composite`, `internal/controller/apiextensions/composite`,
//! `internal/names`) and the printing of crossplane/cli v2.5.0, so that a preview and `crossplane render` show the
//! same. Works on plain JSON; knows nothing of files and messages.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Tells which desired resource a composed resource is.
pub const RESOURCE_NAME: &str = "crossplane.io/composition-resource-name";
/// The composite resource's name, on itself and on all that it composes.
const COMPOSITE_LABEL: &str = "crossplane.io/composite";
/// Labels of a claim, where there is one: copied to all that is composed.
const CLAIM_LABELS: [&str; 2] = ["crossplane.io/claim-name", "crossplane.io/claim-namespace"];
/// Instead of the time of the preview, so that it prints the same every time (cli `render/output.go`).
const NO_TIME: &str = "2024-01-01T00:00:00Z";
/// Conditions that are Crossplane's own: what a function says about them is ignored.
const SYSTEM_CONDITIONS: [&str; 5] = ["Ready", "Synced", "Healthy", "UpToDate", "Responsive"];

/// A composite resource, as Crossplane sends it to a pipeline.
#[derive(Debug, Clone)]
pub struct Composite {
    /// The whole of it.
    pub object: Value,
    api_version: String,
    kind: String,
    name: String,
    namespace: String,
    uid: String,
}

/// What the pipeline wants of one composed resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The resource.
    pub object: Value,
    /// Whether it was said to be ready.
    pub ready: bool,
}

/// A condition, as a function sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its type.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// Machine word.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// What the whole pipeline wants.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The desired composite resource: only its status counts.
    pub composite: Option<Value>,
    /// Whether a function decided the composite resource's readiness itself.
    pub ready: Option<bool>,
    /// The composed resources by resource name.
    pub resources: BTreeMap<String, Desired>,
    /// In the order in which they were set.
    pub conditions: Vec<Condition>,
}

/// What Crossplane would write.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The composite resource: its references and its status.
    pub composite: Value,
    /// The composed resources by resource name.
    pub composed: BTreeMap<String, Value>,
    /// Resource names of what exists and would be deleted.
    pub deleted: Vec<String>,
    /// What Crossplane would say in events beside what the functions say.
    pub warnings: Vec<String>,
}

/// Why Crossplane would not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody else's resource.
    #[error("observed resource {name} has a controller ref but is not controlled by the XR")]
    ForeignController {
        /// The resource's name.
        name: String,
    },
    /// A namespaced composite resource composes in its own namespace only.
    #[error("observed resource {name} is not in the same namespace as the XR")]
    ForeignNamespace {
        /// The resource's name.
        name: String,
    },
    /// The API server would refuse it.
    #[error("cannot compose {key}: its name {name:?} is not a DNS subdomain")]
    InvalidName {
        /// The resource name.
        key: String,
        /// `metadata.name`.
        name: String,
    },
}

impl Composite {
    /// Completes a manifest with what Crossplane has on it when it calls the first function.
    ///
    /// `observed` are the composed resources that exist, in the order of their files.
    pub fn new(manifest: &Value, composition: Option<&str>, observed: &[Value]) -> Result<Self, Refusal> {
        let mut composite = Self {
            api_version: text(manifest, "/apiVersion").to_owned(),
            kind: text(manifest, "/kind").to_owned(),
            name: text(manifest, "/metadata/name").to_owned(),
            namespace: text(manifest, "/metadata/namespace").to_owned(),
            uid: text(manifest, "/metadata/uid").to_owned(),
            object: manifest.clone(),
        };
        if composite.uid.is_empty() {
            composite.uid = composite.invented_uid();
        }
        for resource in observed {
            composite.check_observed(resource)?;
        }

        let object = &mut composite.object;
        set(object, &["metadata", "uid"], json!(composite.uid));
        // The in-memory API server of Crossplane's render knows no other.
        set(object, &["metadata", "resourceVersion"], json!("999"));
        if label(object, COMPOSITE_LABEL).is_none() {
            set(object, &["metadata", "labels", COMPOSITE_LABEL], json!(composite.name));
        }
        if let Some(name) = composition {
            set(object, &["spec", "crossplane", "compositionRef"], json!({ "name": name }));
        }
        let mut responsive =
            json!({ "reason": "WatchCircuitClosed", "status": "True", "type": "Responsive" });
        if let Some(generation) = manifest.pointer("/metadata/generation") {
            set(&mut responsive, &["observedGeneration"], generation.clone());
        }
        set_condition(object, responsive);
        if !observed.is_empty() {
            let references: Vec<Value> =
                observed.iter().map(|resource| composite.reference(resource)).collect();
            set(&mut composite.object, &["spec", "crossplane", "resourceRefs"], references.into());
        }
        Ok(composite)
    }

    /// The identity that Crossplane's render gives a composite resource without one.
    fn invented_uid(&self) -> String {
        // Go's GroupVersionKind.String(); the core group's is empty.
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        let source = format!("{group}/{version}, Kind={}\0{}\0{}", self.kind, self.namespace, self.name);
        Uuid::new_v5(&Uuid::nil(), source.as_bytes()).to_string()
    }

    fn check_observed(&self, resource: &Value) -> Result<(), Refusal> {
        let name = text(resource, "/metadata/name").to_owned();
        let controller =
            resource.pointer("/metadata/ownerReferences").and_then(Value::as_array).and_then(|owners| {
                owners.iter().find(|owner| owner.get("controller") == Some(&Value::Bool(true)))
            });
        if controller.is_some_and(|controller| text(controller, "/uid") != self.uid) {
            return Err(Refusal::ForeignController { name });
        }
        if !self.namespace.is_empty() && text(resource, "/metadata/namespace") != self.namespace {
            return Err(Refusal::ForeignNamespace { name });
        }
        Ok(())
    }

    fn reference(&self, resource: &Value) -> Value {
        let mut reference = json!({
            "apiVersion": text(resource, "/apiVersion"),
            "kind": text(resource, "/kind"),
            "name": text(resource, "/metadata/name"),
        });
        let namespace = text(resource, "/metadata/namespace");
        if self.namespace.is_empty() && !namespace.is_empty() {
            set(&mut reference, &["namespace"], json!(namespace));
        }
        reference
    }

    /// What Crossplane writes for an answer. `observed` by resource name.
    pub fn apply(&self, answer: Answer, observed: &BTreeMap<String, Value>) -> Result<Outcome, Refusal> {
        let mut warnings = Vec::new();
        let mut composed = BTreeMap::new();
        let mut unready = Vec::new();
        for (key, desired) in answer.resources {
            if !desired.ready {
                unready.push(key.clone());
            }
            let wanted = text(&desired.object, "/metadata/namespace");
            if !self.namespace.is_empty() && !wanted.is_empty() && wanted != self.namespace {
                warnings.push(format!(
                    "cannot create composed resource {key:?} in namespace {wanted:?}, using XR namespace {:?} instead",
                    self.namespace
                ));
            }
            let resource = self.composed(&key, desired.object, observed.get(&key))?;
            composed.insert(key, resource);
        }
        let deleted = observed.keys().filter(|key| !composed.contains_key(*key)).cloned().collect();
        let composite = self.written(&composed, answer.composite, answer.ready, &unready, answer.conditions);
        Ok(Outcome { composite, composed, deleted, warnings })
    }

    /// A desired resource with the metadata that Crossplane adds.
    fn composed(&self, key: &str, mut resource: Value, observed: Option<&Value>) -> Result<Value, Refusal> {
        let prefix = label(&self.object, COMPOSITE_LABEL).unwrap_or_default();
        if let Some(observed) = observed {
            // What exists keeps its name.
            for field in ["name", "namespace", "generateName"] {
                let kept = observed.pointer(&format!("/metadata/{field}")).cloned().unwrap_or_default();
                set(&mut resource, &["metadata", field], kept);
            }
        }
        if text(&resource, "/metadata/name").is_empty()
            && text(&resource, "/metadata/generateName").is_empty()
        {
            set(&mut resource, &["metadata", "generateName"], json!(format!("{prefix}-")));
        }
        if !self.namespace.is_empty() {
            set(&mut resource, &["metadata", "namespace"], json!(self.namespace));
        }
        if text(&resource, "/metadata/name").is_empty() {
            let name = child_name(text(&resource, "/metadata/generateName"), &self.uid, key);
            set(&mut resource, &["metadata", "name"], json!(name));
        }
        let name = text(&resource, "/metadata/name");
        if !is_dns_subdomain(name) {
            return Err(Refusal::InvalidName { key: key.to_owned(), name: name.to_owned() });
        }
        let owner = json!({
            "apiVersion": self.api_version,
            "blockOwnerDeletion": true,
            "controller": true,
            "kind": self.kind,
            "name": self.name,
            "uid": self.uid,
        });
        set(&mut resource, &["metadata", "ownerReferences"], json!([owner]));
        set(&mut resource, &["metadata", "annotations", RESOURCE_NAME], json!(key));
        set(&mut resource, &["metadata", "labels", COMPOSITE_LABEL], json!(prefix));
        if let [Some(name), Some(namespace)] = CLAIM_LABELS.map(|key| label(&self.object, key)) {
            for (key, value) in CLAIM_LABELS.into_iter().zip([name, namespace]) {
                set(&mut resource, &["metadata", "labels", key], json!(value));
            }
        }
        if let Some(metadata) = resource.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.retain(|_, value| !value.is_null());
        }
        Ok(resource)
    }

    /// The composite resource as it is printed: its identity, its references, its status.
    fn written(
        &self,
        composed: &BTreeMap<String, Value>,
        desired: Option<Value>,
        ready: Option<bool>,
        unready: &[String],
        conditions: Vec<Condition>,
    ) -> Value {
        let mut references: Vec<Value> = composed.values().map(|resource| self.reference(resource)).collect();
        references.sort_by_key(|reference| {
            ["/apiVersion", "/kind", "/name", "/namespace"].map(|field| text(reference, field)).concat()
        });

        let mut written = json!({
            "apiVersion": self.api_version,
            "kind": self.kind,
            "metadata": { "name": self.name },
            "spec": { "crossplane": { "resourceRefs": references } },
        });
        if !self.namespace.is_empty() {
            set(&mut written, &["metadata", "namespace"], json!(self.namespace));
        }

        let status = desired.and_then(|mut desired| desired.get_mut("status").map(Value::take));
        set(&mut written, &["status"], status.unwrap_or_else(|| json!({})));
        let before = self.object.pointer("/status/conditions").and_then(Value::as_array);
        for condition in before.into_iter().flatten() {
            set_condition(&mut written, condition.clone());
        }
        for condition in conditions {
            if !SYSTEM_CONDITIONS.contains(&condition.kind.as_str()) {
                set_condition(&mut written, condition.into_json());
            }
        }
        set_condition(
            &mut written,
            json!({ "reason": "ReconcileSuccess", "status": "True", "type": "Synced" }),
        );
        set_condition(&mut written, ready_condition(ready, unready));
        written
    }
}

impl Condition {
    fn into_json(self) -> Value {
        let Self { kind, status, reason, message } = self;
        let mut condition = json!({ "reason": reason, "status": status, "type": kind });
        if !message.is_empty() {
            set(&mut condition, &["message"], json!(message));
        }
        condition
    }
}

/// What Crossplane says about the composite resource's readiness.
fn ready_condition(decided: Option<bool>, unready: &[String]) -> Value {
    match decided {
        None if !unready.is_empty() => json!({
            "message": format!("Unready resources: {}", first_three(unready)),
            "reason": "Creating",
            "status": "False",
            "type": "Ready",
        }),
        Some(false) => json!({ "reason": "Creating", "status": "False", "type": "Ready" }),
        Some(true) | None => json!({ "reason": "Available", "status": "True", "type": "Ready" }),
    }
}

/// `FirstNAndSomeMore` of crossplane-runtime, with its three. The names are sorted already.
fn first_three(names: &[String]) -> String {
    match names {
        [a, b, c] => format!("{a}, {b}, and {c}"),
        [a, b, c, more @ ..] => format!("{a}, {b}, {c}, and {} more", more.len()),
        few => few.join(", "),
    }
}

/// Replaces the resource's condition of that type, or adds it as the last one.
fn set_condition(resource: &mut Value, mut condition: Value) {
    set(&mut condition, &["lastTransitionTime"], json!(NO_TIME));
    match resource.pointer_mut("/status/conditions").and_then(Value::as_array_mut) {
        None => set(resource, &["status", "conditions"], json!([condition])),
        Some(conditions) => {
            match conditions.iter_mut().find(|known| known.get("type") == condition.get("type")) {
                Some(known) => *known = condition,
                None => conditions.push(condition),
            }
        }
    }
}

/// The name that Crossplane generates: the parent's, and a digest of the owner's identity and the resource name.
fn child_name(parent: &str, owner: &str, key: &str) -> String {
    const LONGEST_NAME: usize = 63;
    const DIGITS: usize = 12;

    let digest = Sha256::digest(format!("{owner}{key}"));
    let suffix =
        digest.iter().take(DIGITS / 2).fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
    let mut parent = parent.to_owned();
    if !parent.is_empty() && !parent.ends_with('-') {
        parent.push('-');
    }
    if parent.len() + DIGITS > LONGEST_NAME {
        let cut: String = parent.chars().take(LONGEST_NAME - DIGITS).collect();
        parent = if cut.ends_with('-') {
            cut
        } else {
            let cut: String = cut.chars().take(LONGEST_NAME - DIGITS - 1).collect();
            cut + "-"
        };
    }
    parent + &suffix
}

/// RFC 1123, as the API server asks for names.
fn is_dns_subdomain(name: &str) -> bool {
    const LONGEST: usize = 253;

    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= LONGEST
        && name.split('.').all(|label| {
            label.starts_with(is_inner)
                && label.ends_with(is_inner)
                && label.chars().all(|c| is_inner(c) || c == '-')
        })
}

/// The string at a JSON pointer; empty where there is none.
fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A label's value, where it is there and not empty.
fn label<'a>(resource: &'a Value, key: &str) -> Option<&'a str> {
    let label = resource.pointer("/metadata/labels").and_then(|labels| labels.get(key));
    label.and_then(Value::as_str).filter(|value| !value.is_empty())
}

/// Puts a value at a path, and makes the objects on the way there.
fn set(value: &mut Value, path: &[&str], new: Value) {
    let [first, rest @ ..] = path else {
        *value = new;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(object) = value {
        set(object.entry(*first).or_insert(Value::Null), rest, new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama() -> Value {
        json!({
            "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
            "kind": "LLMInference",
            "metadata": { "name": "llama", "namespace": "models" },
            "spec": { "model": "meta/llama" },
        })
    }

    fn cluster_llama() -> Value {
        let mut llama = llama();
        llama["metadata"].as_object_mut().unwrap().remove("namespace");
        llama
    }

    fn wanted(object: Value) -> Answer {
        let desired = Desired { object, ready: true };
        Answer { resources: BTreeMap::from([("a".to_owned(), desired)]), ..Answer::default() }
    }

    // Identities, names and whole documents in these tests were printed by crossplane v2.3.4 and cli v2.5.0.

    #[test]
    fn a_composite_without_identity_gets_the_one_of_crossplane_render() {
        let namespaced = Composite::new(&llama(), None, &[]).unwrap();
        assert_eq!(namespaced.uid, "86d686c1-db72-5bca-9afc-5cac639fe689");
        assert_eq!(
            Composite::new(&cluster_llama(), None, &[]).unwrap().uid,
            "c688848e-9d28-5e7c-8c7f-3be3ad830b34"
        );
        let mut known = llama();
        known["metadata"]["uid"] = json!("1234");
        assert_eq!(Composite::new(&known, None, &[]).unwrap().uid, "1234", "an identity is kept");
    }

    #[test]
    fn the_function_sees_what_crossplane_puts_on_a_composite() {
        let mut manifest = llama();
        manifest["metadata"]["generation"] = json!(4);
        manifest["status"] = json!({ "foo": 1 });
        let observed = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "namespace": "models" } });
        let composite = Composite::new(&manifest, Some("llm"), &[observed]).unwrap();
        assert_eq!(
            composite.object,
            json!({
                "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
                "kind": "LLMInference",
                "metadata": {
                    "generation": 4,
                    "labels": { "crossplane.io/composite": "llama" },
                    "name": "llama",
                    "namespace": "models",
                    "resourceVersion": "999",
                    "uid": "86d686c1-db72-5bca-9afc-5cac639fe689",
                },
                "spec": {
                    "crossplane": {
                        "compositionRef": { "name": "llm" },
                        "resourceRefs": [{ "apiVersion": "v1", "kind": "Secret", "name": "s" }],
                    },
                    "model": "meta/llama",
                },
                "status": {
                    "conditions": [{
                        "lastTransitionTime": "2024-01-01T00:00:00Z",
                        "observedGeneration": 4,
                        "reason": "WatchCircuitClosed",
                        "status": "True",
                        "type": "Responsive",
                    }],
                    "foo": 1,
                },
            })
        );
    }

    #[test]
    fn composed_resources_get_names_labels_and_an_owner() {
        let composite = Composite::new(&llama(), None, &[]).unwrap();
        let answer = wanted(json!({ "apiVersion": "v1", "kind": "Secret" }));
        let outcome = composite.apply(answer, &BTreeMap::new()).unwrap();
        assert_eq!(
            outcome.composed["a"],
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "annotations": { "crossplane.io/composition-resource-name": "a" },
                    "generateName": "llama-",
                    "labels": { "crossplane.io/composite": "llama" },
                    "name": "llama-43d9982b7aeb",
                    "namespace": "models",
                    "ownerReferences": [{
                        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
                        "blockOwnerDeletion": true,
                        "controller": true,
                        "kind": "LLMInference",
                        "name": "llama",
                        "uid": "86d686c1-db72-5bca-9afc-5cac639fe689",
                    }],
                },
            })
        );
    }

    #[test]
    fn what_exists_keeps_its_name_and_what_is_not_wanted_goes() {
        let composite = Composite::new(&llama(), None, &[]).unwrap();
        let there = |name: &str| json!({ "metadata": { "name": name, "namespace": "models" } });
        let observed =
            BTreeMap::from([("a".to_owned(), there("old-name")), ("b".to_owned(), there("unwanted"))]);
        let outcome = composite.apply(wanted(json!({ "kind": "Secret" })), &observed).unwrap();
        let metadata = &outcome.composed["a"]["metadata"];
        assert_eq!((&metadata["name"], metadata.get("generateName")), (&json!("old-name"), None));
        assert_eq!(outcome.deleted, ["b"]);
    }

    #[test]
    fn a_namespaced_composite_composes_in_its_own_namespace() {
        let elsewhere = json!({ "kind": "Secret", "metadata": { "name": "s", "namespace": "other" } });
        let composite = Composite::new(&llama(), None, &[]).unwrap();
        let outcome = composite.apply(wanted(elsewhere.clone()), &BTreeMap::new()).unwrap();
        assert_eq!(outcome.composed["a"]["metadata"]["namespace"], "models");
        assert_eq!(
            outcome.warnings,
            [
                "cannot create composed resource \"a\" in namespace \"other\", using XR namespace \"models\" instead"
            ]
        );

        let composite = Composite::new(&cluster_llama(), None, &[]).unwrap();
        let outcome = composite.apply(wanted(elsewhere), &BTreeMap::new()).unwrap();
        assert_eq!(outcome.composed["a"]["metadata"]["namespace"], "other");
        assert_eq!(outcome.composite["spec"]["crossplane"]["resourceRefs"][0]["namespace"], "other");
    }

    #[test]
    fn observed_resources_of_somebody_else_are_refused() {
        let owned = |uid: &str| {
            json!({ "metadata": {
                "name": "s",
                "namespace": "models",
                "ownerReferences": [{ "uid": "not a controller" }, { "controller": true, "uid": uid }],
            } })
        };
        assert!(Composite::new(&llama(), None, &[owned("86d686c1-db72-5bca-9afc-5cac639fe689")]).is_ok());
        assert_eq!(
            Composite::new(&llama(), None, &[owned("other")]).unwrap_err().to_string(),
            "observed resource s has a controller ref but is not controlled by the XR"
        );
        let elsewhere = json!({ "metadata": { "name": "s", "namespace": "other" } });
        assert_eq!(
            Composite::new(&llama(), None, std::slice::from_ref(&elsewhere)).unwrap_err().to_string(),
            "observed resource s is not in the same namespace as the XR"
        );
        assert!(Composite::new(&cluster_llama(), None, &[elsewhere]).is_ok());
    }

    #[test]
    fn the_written_status_is_the_desired_one_with_the_conditions_in_crossplanes_order() {
        let mut manifest = llama();
        manifest["status"] = json!({
            "gone": true,
            "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Old", "status": "True" }],
        });
        let condition = |kind: &str| Condition {
            kind: kind.to_owned(),
            status: "False",
            reason: "Creating".to_owned(),
            message: "no".to_owned(),
        };
        let mut answer = wanted(json!({ "kind": "Secret" }));
        answer.resources.get_mut("a").unwrap().ready = false;
        answer.composite = Some(json!({ "spec": { "ignored": 1 }, "status": { "url": "http://a" } }));
        answer.conditions = vec![condition("WorkloadReady"), condition("Synced")];
        let written =
            Composite::new(&manifest, None, &[]).unwrap().apply(answer, &BTreeMap::new()).unwrap().composite;

        assert_eq!(written["status"]["url"], "http://a");
        assert_eq!((written["status"].get("gone"), written["spec"].get("ignored")), (None, None));
        let conditions: Vec<[&str; 3]> = written["status"]["conditions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|condition| ["/type", "/status", "/message"].map(|field| text(condition, field)))
            .collect();
        assert_eq!(
            conditions,
            [
                ["Ready", "False", "Unready resources: a"],
                ["Old", "True", ""],
                ["Responsive", "True", ""],
                ["WorkloadReady", "False", "no"],
                ["Synced", "True", ""],
            ]
        );
    }

    #[test]
    fn readiness_follows_the_resources_unless_a_function_decides() {
        let names = |count: usize| ["a", "b", "c", "d", "e"].map(str::to_owned)[..count].to_vec();
        let cases = [
            (None, 0, "True", "", "nothing is missing"),
            (None, 2, "False", "Unready resources: a, b", "few are joined"),
            (None, 3, "False", "Unready resources: a, b, and c", "three have an and"),
            (None, 5, "False", "Unready resources: a, b, c, and 2 more", "more are counted"),
            (Some(true), 5, "True", "", "a function said so"),
            (Some(false), 0, "False", "", "a function said so"),
        ];
        for (decided, unready, status, message, reason) in cases {
            let condition = ready_condition(decided, &names(unready));
            assert_eq!(
                [text(&condition, "/status"), text(&condition, "/message")],
                [status, message],
                "{reason}"
            );
        }
    }

    #[test]
    fn generated_names_are_cut_at_63_characters() {
        let cases = [
            ("llama-", "llama-43d9982b7aeb".to_owned(), "short names are whole"),
            ("llama", "llama-43d9982b7aeb".to_owned(), "a hyphen is added"),
            (&"x".repeat(60), format!("{}-43d9982b7aeb", "x".repeat(50)), "long ones are cut"),
            (&format!("{}-yyy-", "x".repeat(50)), format!("{}-43d9982b7aeb", "x".repeat(50)), "at a hyphen"),
        ];
        for (parent, want, reason) in cases {
            let name = child_name(parent, "86d686c1-db72-5bca-9afc-5cac639fe689", "a");
            assert_eq!(name, want, "{reason}");
            assert!(name.len() <= 63);
        }
    }

    #[test]
    fn names_must_be_dns_subdomains() {
        for name in ["a", "a.b-c", "1"] {
            assert!(is_dns_subdomain(name), "{name}");
        }
        for name in ["", "A", "a.", "-a", "a_b", &"a".repeat(254)] {
            assert!(!is_dns_subdomain(name), "{name}");
        }
        let composite = Composite::new(&llama(), None, &[]).unwrap();
        let refused = composite.apply(wanted(json!({ "metadata": { "name": "A" } })), &BTreeMap::new());
        assert_eq!(
            refused.unwrap_err().to_string(),
            "cannot compose a: its name \"A\" is not a DNS subdomain"
        );
    }
}
