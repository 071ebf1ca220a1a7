//! Resources that a step needs to see: found among files, as Crossplane finds them in the cluster.

use std::collections::BTreeMap;

use serde_json::Value;

/// Which resources are needed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    /// Exactly this.
    pub api_version: String,
    /// Exactly this.
    pub kind: String,
    /// `None` = any; a resource found by name without a namespace is cluster-scoped.
    pub namespace: Option<String>,
    /// One resource.
    pub name: Option<String>,
    /// Without a name: all with these labels.
    pub labels: BTreeMap<String, String>,
}

impl Selector {
    /// The resources that match, by namespace and name. `None` where one was asked for by name and is not there.
    pub fn find(&self, resources: &[Value]) -> Option<Vec<Value>> {
        let mut found: Vec<&Value> = resources.iter().filter(|resource| self.matches(resource)).collect();
        found.sort_by_key(|resource| ["namespace", "name"].map(|field| metadata(resource, field)));
        if self.name.is_some() && found.is_empty() {
            return None;
        }
        Some(found.into_iter().cloned().collect())
    }

    fn matches(&self, resource: &Value) -> bool {
        let Self { api_version, kind, namespace, name, labels } = self;
        let is = |field: &str, want: &str| resource.get(field).and_then(Value::as_str) == Some(want);
        let namespace = match (name, namespace) {
            (Some(_), None) => Some(""),
            (_, namespace) => namespace.as_deref(),
        };
        is("apiVersion", api_version)
            && is("kind", kind)
            && namespace.is_none_or(|want| metadata(resource, "namespace") == want)
            && name.as_ref().is_none_or(|want| metadata(resource, "name") == want)
            && labels.iter().all(|(key, want)| {
                let label = resource.pointer("/metadata/labels").and_then(|labels| labels.get(key));
                label.and_then(Value::as_str) == Some(want)
            })
    }
}

fn metadata<'a>(resource: &'a Value, field: &str) -> &'a str {
    resource.get("metadata").and_then(|metadata| metadata.get(field)?.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn resources_are_found_by_name_or_by_labels_in_a_stable_order() {
        let gateway = |namespace: &str, name: &str, label: &str| {
            json!({
                "apiVersion": "g/v1",
                "kind": "Gateway",
                "metadata": { "namespace": namespace, "name": name, "labels": { "use": label } },
            })
        };
        let resources = [
            gateway("b", "two", "yes"),
            gateway("a", "three", "no"),
            gateway("a", "one", "yes"),
            json!({ "apiVersion": "g/v1", "kind": "Gateway", "metadata": { "name": "wide" } }),
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "one", "namespace": "a" } }),
        ];
        let all =
            Selector { api_version: "g/v1".to_owned(), kind: "Gateway".to_owned(), ..Selector::default() };
        let by_name = |namespace: Option<&str>, name: &str| Selector {
            namespace: namespace.map(str::to_owned),
            name: Some(name.to_owned()),
            ..all.clone()
        };
        let labelled =
            Selector { labels: BTreeMap::from([("use".to_owned(), "yes".to_owned())]), ..all.clone() };
        let in_a = Selector { namespace: Some("a".to_owned()), ..all.clone() };

        let cases: [(Selector, Option<&[&str]>, &str); 7] = [
            (all.clone(), Some(&["wide", "one", "three", "two"]), "nothing more said: all of the kind"),
            (labelled, Some(&["one", "two"]), "by label"),
            (in_a, Some(&["one", "three"]), "by namespace"),
            (by_name(Some("a"), "one"), Some(&["one"]), "by name"),
            (by_name(Some("b"), "one"), None, "a name that is not there is told apart from an empty list"),
            (by_name(None, "one"), None, "no namespace means cluster-scoped"),
            (by_name(None, "wide"), Some(&["wide"]), "no namespace means cluster-scoped"),
        ];
        for (selector, want, reason) in cases {
            let found = selector.find(&resources);
            let names = found
                .as_ref()
                .map(|found| found.iter().map(|resource| metadata(resource, "name")).collect::<Vec<_>>());
            assert_eq!(names.as_deref(), want, "{reason}");
        }
        let nothing = Selector { kind: "Other".to_owned(), ..all };
        assert_eq!(nothing.find(&resources), Some(vec![]));
    }
}
