//! What refers to what among rendered objects, read from the fields that Kubernetes and its operators follow.
//!
//! Looks at the objects alone, whoever made them: nothing here knows how a stack is put together, so a picture or a
//! check made from it shows what would happen and not what was meant.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A rendered object, taken out of what delivers it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// The composition-resource name.
    pub key: String,
    /// The object on the target cluster.
    pub manifest: Value,
    /// Whether it is only looked at.
    pub observed_only: bool,
}

/// One field of one object that leads to another object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Index of the object that holds the field.
    pub from: usize,
    /// The field, in words that fit on an arrow.
    pub field: &'static str,
    /// Where it leads.
    pub to: Target,
}

/// Where a reference leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// To an object of the same set, by its index.
    Inside(usize),
    /// To something else that has to be there.
    Outside {
        /// Its kind.
        kind: String,
        /// Its name, or the selector that finds nothing here.
        name: String,
    },
}

impl Rendered {
    /// Takes the object out of a composed resource: a provider-kubernetes Object, or the object itself.
    pub fn new(key: &str, resource: &Value) -> Self {
        let wrapped = resource.pointer("/spec/forProvider/manifest");
        let policies = resource.pointer("/spec/managementPolicies").and_then(Value::as_array);
        Self {
            key: key.to_owned(),
            manifest: wrapped.unwrap_or(resource).clone(),
            observed_only: policies.is_some_and(|policies| policies.iter().all(|policy| policy == "Observe")),
        }
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        text(&self.manifest, "/kind")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.manifest, "/metadata/name")
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        text(&self.manifest, "/metadata/namespace")
    }

    /// Labels of the pods that it makes; `None` where it makes none.
    fn pod_labels(&self) -> Option<Labels<'_>> {
        match self.kind() {
            // The operator's pods carry the name and whatever labels the runtime has
            // (production-stack operator `internal/controller/vllmruntime_controller.go`).
            "VLLMRuntime" => {
                let mut pods = labels(&self.manifest, "/metadata/labels");
                pods.insert("app", self.name());
                Some(pods)
            }
            "Deployment" => Some(labels(&self.manifest, "/spec/template/metadata/labels")),
            _ => None,
        }
    }

    /// Whether the operator makes a Service of that name for it.
    fn has_service(&self, name: &str) -> bool {
        self.kind() == "VLLMRuntime" && self.name() == name
    }
}

type Labels<'a> = BTreeMap<&'a str, &'a str>;

/// Fields that name another object: kind, word for the arrow, path (`*` = every item), kind that is meant where the
/// field does not say.
const NAMES: [(&str, &str, &str, &str); 25] = [
    ("HTTPRoute", "parentRefs", "spec.parentRefs.*", "Gateway"),
    ("HTTPRoute", "backendRefs", "spec.rules.*.backendRefs.*", "Service"),
    (
        "HTTPRoute",
        "filters",
        "spec.rules.*.filters.*.requestHeaderModifier.set.*.value",
        "InferenceObjective",
    ),
    ("AIGatewayRoute", "parentRefs", "spec.parentRefs.*", "Gateway"),
    ("AIGatewayRoute", "backendRefs", "spec.rules.*.backendRefs.*", "AIServiceBackend"),
    ("DestinationRule", "host", "spec.host", "Service"),
    ("EnvoyExtensionPolicy", "targetRefs", "spec.targetRefs.*", "HTTPRoute"),
    ("HealthCheckPolicy", "targetRef", "spec.targetRef", "Service"),
    ("GCPBackendPolicy", "targetRef", "spec.targetRef", "Service"),
    ("ProxySettingsPolicy", "targetRefs", "spec.targetRefs.*", "HTTPRoute"),
    ("InferencePool", "endpointPickerRef", "spec.endpointPickerRef", "Service"),
    ("InferenceObjective", "poolRef", "spec.poolRef", "InferencePool"),
    ("ScaledObject", "scaleTargetRef", "spec.scaleTargetRef", "Deployment"),
    ("RoleBinding", "roleRef", "roleRef", "Role"),
    ("RoleBinding", "subjects", "subjects.*", "ServiceAccount"),
    ("ClusterRoleBinding", "roleRef", "roleRef", "ClusterRole"),
    ("ClusterRoleBinding", "subjects", "subjects.*", "ServiceAccount"),
    ("ServiceMonitor", "credentials", "spec.endpoints.*.authorization.credentials", "Secret"),
    ("Deployment", "serviceAccountName", "spec.template.spec.serviceAccountName", "ServiceAccount"),
    ("Deployment", "volumes", "spec.template.spec.volumes.*.configMap", "ConfigMap"),
    ("Deployment", "volumes", "spec.template.spec.volumes.*.secret.secretName", "Secret"),
    ("Deployment", "env", "spec.template.spec.containers.*.env.*.valueFrom.secretKeyRef", "Secret"),
    ("VLLMRuntime", "hfTokenSecret", "spec.model.hfTokenSecret.hfTokenSecretName", "Secret"),
    ("Ingress", "backend", "spec.rules.*.http.paths.*.backend.service", "Service"),
    ("Ingress", "backend", "spec.defaultBackend.service", "Service"),
];

/// All values at a path.
fn follow<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('.').fold(vec![value], |values, step| {
        let next = values.into_iter().flat_map(|value| match (step, value) {
            ("*", Value::Array(items)) => items.iter().collect(),
            (step, value) => Vec::from_iter(value.get(step)),
        });
        next.collect()
    })
}

/// All references among the objects, each once, in the order of the objects.
pub fn references(objects: &[Rendered]) -> Vec<Reference> {
    let mut found = BTreeSet::new();
    for (from, object) in objects.iter().enumerate() {
        let mut search = Search { objects, from, object, found: &mut found };
        search.names();
        search.selectors();
        search.series();
    }
    found.into_iter().collect()
}

struct Search<'a> {
    objects: &'a [Rendered],
    from: usize,
    object: &'a Rendered,
    found: &'a mut BTreeSet<Reference>,
}

impl Search<'_> {
    /// Fields that name another object.
    fn names(&mut self) {
        for (kind, field, path, target) in NAMES {
            if self.object.kind() == kind {
                for reference in follow(&self.object.manifest, path) {
                    self.refer(field, target, reference);
                }
            }
        }
        // A path would not know which dots are the annotation's own.
        let account =
            self.object.manifest.pointer("/metadata/annotations/kubernetes.io~1service-account.name");
        if let ("Secret", Some(account)) = (self.object.kind(), account) {
            self.refer("account", "ServiceAccount", account);
        }
    }

    /// Fields that select others by their labels.
    fn selectors(&mut self) {
        let manifest = &self.object.manifest;
        match self.object.kind() {
            "Service" => self.select_pods("selector", &labels(manifest, "/spec/selector")),
            "NetworkPolicy" => {
                self.select_pods("podSelector", &labels(manifest, "/spec/podSelector/matchLabels"));
            }
            "InferencePool" | "PodDisruptionBudget" => {
                self.select_pods("selector", &labels(manifest, "/spec/selector/matchLabels"));
            }
            "PodMonitor" => self.select_pods("selector", &labels(manifest, "/spec/selector/matchLabels")),
            "ServiceMonitor" => {
                let selector = labels(manifest, "/spec/selector/matchLabels");
                self.select("selector", "Service", &selector, |object| {
                    (object.kind() == "Service").then(|| labels(&object.manifest, "/metadata/labels"))
                });
            }
            _ => {}
        }
    }

    /// Triggers and alerts that read what monitors scrape.
    fn series(&mut self) {
        for trigger in list(&self.object.manifest, "/spec/triggers") {
            self.asks("triggers", text(trigger, "/metadata/query"));
        }
        for rule in list(&self.object.manifest, "/spec/groups").flat_map(|group| list(group, "/rules")) {
            self.asks("rules", text(rule, "/expr"));
        }
    }

    /// Each selector of a query is a question of its own, and has to be some monitor's.
    fn asks(&mut self, field: &'static str, query: &str) {
        for asked in selectors(query) {
            let makers: Vec<usize> = (0..self.objects.len())
                .filter(|&index| produced(self.objects, index).is_some_and(|labels| asked.is_subset(&labels)))
                .collect();
            if makers.is_empty() {
                self.add(field, Target::Outside { kind: "series".to_owned(), name: query.to_owned() });
            }
            for maker in makers {
                self.add(field, Target::Inside(maker));
            }
        }
    }

    /// A name, or an object with a `name` and perhaps a `kind` and a `namespace`.
    fn refer(&mut self, field: &'static str, default_kind: &str, reference: &Value) {
        let or = |pointer: &str, default: &str| match text(reference, pointer) {
            "" => default.to_owned(),
            value => value.to_owned(),
        };
        let name = or("/name", text(reference, ""));
        let namespace = or("/namespace", self.object.namespace());
        self.named(field, &or("/kind", default_kind), &name, &namespace);
    }

    fn named(&mut self, field: &'static str, kind: &str, name: &str, namespace: &str) {
        let is_meant = |object: &Rendered| {
            let same = object.kind() == kind && object.name() == name;
            object.namespace() == namespace && (same || (kind == "Service" && object.has_service(name)))
        };
        let to = match self.objects.iter().position(is_meant) {
            Some(index) => Target::Inside(index),
            None => Target::Outside { kind: kind.to_owned(), name: name.to_owned() },
        };
        self.add(field, to);
    }

    fn select_pods(&mut self, field: &'static str, selector: &Labels<'_>) {
        self.select(field, "pods", selector, Rendered::pod_labels);
    }

    fn select(
        &mut self,
        field: &'static str,
        kind: &str,
        selector: &Labels<'_>,
        labels_of: impl Fn(&Rendered) -> Option<Labels<'_>>,
    ) {
        let selected: Vec<usize> = (0..)
            .zip(self.objects)
            .filter(|(_, object)| object.namespace() == self.object.namespace())
            .filter(|(_, object)| labels_of(object).is_some_and(|labels| contains(&labels, selector)))
            .map(|(index, _)| index)
            .collect();
        if selected.is_empty() {
            let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
            self.add(field, Target::Outside { kind: kind.to_owned(), name: pairs.join(",") });
        }
        for index in selected {
            self.add(field, Target::Inside(index));
        }
    }

    fn add(&mut self, field: &'static str, to: Target) {
        self.found.insert(Reference { from: self.from, field, to });
    }
}

/// Labels that the series of a monitor carry for sure, in Prometheus' spelling; `None` for what is no monitor.
fn produced(objects: &[Rendered], monitor: usize) -> Option<BTreeSet<Matcher<'_>>> {
    let monitor = objects.get(monitor)?;
    match monitor.kind() {
        "ServiceMonitor" => by_service(objects, monitor),
        "PodMonitor" => by_pods(objects, monitor),
        _ => None,
    }
}

/// What prometheus-operator makes of a `PodMonitor`: without a jobLabel the job is the monitor's namespace and name.
fn by_pods<'a>(objects: &[Rendered], monitor: &'a Rendered) -> Option<BTreeSet<Matcher<'a>>> {
    let selector = labels(&monitor.manifest, "/spec/selector/matchLabels");
    objects.iter().find(|object| {
        object.namespace() == monitor.namespace()
            && object.pod_labels().is_some_and(|labels| contains(&labels, &selector))
    })?;
    let job = format!("{}/{}", monitor.namespace(), monitor.name());
    let written = list(&monitor.manifest, "/spec/podMetricsEndpoints/0/relabelings")
        .map(|rule| (text(rule, "/targetLabel").to_owned(), Cow::from(text(rule, "/replacement"))));
    let known = [("namespace", Cow::from(monitor.namespace())), ("job", Cow::from(job))];
    Some(known.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(written).collect())
}

fn by_service<'a>(objects: &'a [Rendered], monitor: &'a Rendered) -> Option<BTreeSet<Matcher<'a>>> {
    let selector = labels(&monitor.manifest, "/spec/selector/matchLabels");
    let service = objects.iter().find(|object| {
        object.kind() == "Service"
            && object.namespace() == monitor.namespace()
            && contains(&labels(&object.manifest, "/metadata/labels"), &selector)
    })?;
    let own = labels(&service.manifest, "/metadata/labels");
    let copied = list(&monitor.manifest, "/spec/targetLabels").filter_map(|label| {
        let label = label.as_str()?;
        Some((series_label(label), Cow::from(*own.get(label)?)))
    });
    // prometheus-operator sets these on every target; without a jobLabel the job is the Service's name.
    let known = [("namespace", service.namespace()), ("service", service.name()), ("job", service.name())];
    Some(known.into_iter().map(|(key, value)| (key.to_owned(), Cow::from(value))).chain(copied).collect())
}

/// How prometheus-operator writes a Kubernetes label on a series.
fn series_label(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

/// Labels that come with a metric and not from its target.
const METRIC_LABELS: [&str; 1] = ["inference_pool"];

/// A label of a series, and its value.
type Matcher<'a> = (String, Cow<'a, str>);

/// Of each selector of a query, the equality matchers that are about targets.
fn selectors(query: &str) -> BTreeSet<BTreeSet<Matcher<'_>>> {
    query.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(matchers).collect()
}

fn matchers(selector: &str) -> BTreeSet<Matcher<'_>> {
    let pairs = selector.split(',').filter_map(|pair| {
        let (key, value) = pair.split_once('=').filter(|(key, _)| !METRIC_LABELS.contains(&key.trim()))?;
        let value = value.trim().strip_prefix('"')?.strip_suffix('"')?;
        Some((key.trim().to_owned(), Cow::from(value)))
    });
    pairs.collect()
}

fn contains(labels: &Labels<'_>, selector: &Labels<'_>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

fn labels<'a>(object: &'a Value, pointer: &str) -> Labels<'a> {
    let labels = object.pointer(pointer).and_then(Value::as_object);
    labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(kind: &str, name: &str, rest: Value) -> Rendered {
        let mut manifest = json!({ "kind": kind, "metadata": { "name": name, "namespace": "models" } });
        if let (Some(manifest), Value::Object(rest)) = (manifest.as_object_mut(), rest) {
            for (key, value) in rest {
                match (manifest.get_mut(&key), value) {
                    (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                    (_, value) => drop(manifest.insert(key, value)),
                }
            }
        }
        Rendered { key: name.to_owned(), manifest, observed_only: false }
    }

    /// References in words: field, and where it leads.
    fn told(objects: &[Rendered]) -> Vec<String> {
        let words = |reference: &Reference| match &reference.to {
            Target::Inside(to) => format!("{} -> {}", reference.field, objects[*to].kind()),
            Target::Outside { kind, name } => format!("{} -> {kind} {name}?", reference.field),
        };
        references(objects).iter().map(words).collect()
    }

    #[test]
    fn named_objects_are_found_by_kind_name_and_namespace() {
        let route = json!({ "spec": {
            "parentRefs": [{ "name": "eg", "namespace": "gateways" }],
            "rules": [{ "backendRefs": [{ "kind": "InferencePool", "name": "llama" }] }],
        } });
        let gateway =
            |namespace: &str| object("Gateway", "eg", json!({ "metadata": { "namespace": namespace } }));
        let objects = [
            object("HTTPRoute", "llama", route),
            gateway("gateways"),
            object(
                "InferencePool",
                "llama",
                json!({ "spec": { "endpointPickerRef": { "name": "llama-epp" } } }),
            ),
        ];
        assert_eq!(
            told(&objects),
            [
                "backendRefs -> InferencePool",
                "parentRefs -> Gateway",
                "endpointPickerRef -> Service llama-epp?",
                "selector -> pods ?",
            ]
        );
        let [route, _, pool] = objects;
        let told = told(&[route, gateway("elsewhere"), pool]);
        assert_eq!(told[1], "parentRefs -> Gateway eg?", "another namespace is another Gateway");
    }

    #[test]
    fn a_pod_template_refers_to_what_the_pod_needs() {
        let pod = json!({
            "serviceAccountName": "epp",
            "volumes": [{ "configMap": { "name": "epp" } }, { "secret": { "secretName": "tls" } }, { "emptyDir": {} }],
        });
        assert_eq!(
            told(&[
                object("Deployment", "epp", json!({ "spec": { "template": { "spec": pod } } })),
                object("ServiceAccount", "epp", json!({})),
                object("ConfigMap", "epp", json!({})),
                object(
                    "RoleBinding",
                    "r",
                    json!({
                        "roleRef": { "kind": "Role", "name": "r" },
                        "subjects": [{ "kind": "ServiceAccount", "name": "epp", "namespace": "models" }],
                    })
                ),
            ]),
            [
                "serviceAccountName -> ServiceAccount",
                "volumes -> ConfigMap",
                "volumes -> Secret tls?",
                "roleRef -> Role r?",
                "subjects -> ServiceAccount",
            ]
        );
    }

    #[test]
    fn selectors_find_pods_by_the_labels_that_the_pods_will_have() {
        let select = |labels: Value| json!({ "spec": { "selector": { "matchLabels": labels } } });
        let runtime = || object("VLLMRuntime", "llama", json!({}));
        let cases = [
            (json!({ "app": "llama" }), "selector -> VLLMRuntime", "the operator's label"),
            (json!({ "app": "other" }), "selector -> pods app=other?", "another value"),
            (json!({ "app": "llama", "b": "c" }), "selector -> pods app=llama,b=c?", "a label too many"),
        ];
        for (labels, want, reason) in cases {
            assert_eq!(
                told(&[object("PodDisruptionBudget", "p", select(labels)), runtime()]),
                [want],
                "{reason}"
            );
        }
        let labels = json!({ "spec": { "template": { "metadata": { "labels": { "a": "b", "c": "d" } } } } });
        let service = object("Service", "s", json!({ "spec": { "selector": { "a": "b" } } }));
        assert_eq!(told(&[service, object("Deployment", "d", labels)]), ["selector -> Deployment"]);
    }

    #[test]
    fn an_ingress_may_use_the_service_that_the_operator_makes() {
        let rules = json!([{ "http": { "paths": [{ "backend": { "service": { "name": "llama" } } }] } }]);
        let ingress = object("Ingress", "llama", json!({ "spec": { "rules": rules } }));
        assert_eq!(told(&[ingress, object("VLLMRuntime", "llama", json!({}))]), ["backend -> VLLMRuntime"]);
    }

    #[test]
    fn a_trigger_leads_to_the_monitor_whose_series_it_reads() {
        let service = object(
            "Service",
            "llama-metrics",
            json!({
                "metadata": { "labels": { "x.io/model": "llama", "part": "engine" } },
                "spec": { "selector": { "app": "llama" } },
            }),
        );
        let monitor = object(
            "ServiceMonitor",
            "llama",
            json!({
                "spec": { "selector": { "matchLabels": { "part": "engine" } }, "targetLabels": ["x.io/model"] },
            }),
        );
        let scaled = |query: &str| {
            let triggers = json!([{ "metadata": { "query": query } }]);
            object("ScaledObject", "llama", json!({ "spec": { "triggers": triggers } }))
        };
        let alert = |query: &str| {
            let groups = json!([{ "name": "g", "rules": [{ "alert": "A", "expr": query }] }]);
            object("PrometheusRule", "llama", json!({ "spec": { "groups": groups } }))
        };
        let cases = [
            (
                r#"sum(a{namespace="models",x_io_model="llama",job="llama-metrics"})"#,
                true,
                "what the monitor copies and what the operator adds",
            ),
            (r#"sum(a{x_io_model="llama",inference_pool="p"})"#, true, "a metric may have labels of its own"),
            (r#"sum(a{x_io_model="other"})"#, false, "another model"),
            (r#"sum(a{part="engine"})"#, false, "a label that is not copied is not on the series"),
        ];
        let (service, monitor) = (&service, &monitor);
        let leads = |reader: Rendered| {
            told(&[reader, monitor.clone(), service.clone(), object("VLLMRuntime", "llama", json!({}))])
        };
        let rest = ["selector -> Service", "selector -> VLLMRuntime"];
        for (query, found, reason) in cases {
            for (reader, field) in [(scaled(query), "triggers"), (alert(query), "rules")] {
                let want = if found {
                    format!("{field} -> ServiceMonitor")
                } else {
                    format!("{field} -> series {query}?")
                };
                assert_eq!(leads(reader), [&want, rest[0], rest[1]], "{field}: {reason}");
            }
        }
        let both = r#"sum(a{job="llama-metrics"}) or sum(up{job="other"})"#;
        let want = ["triggers -> ServiceMonitor".to_owned(), format!("triggers -> series {both}?")];
        assert_eq!(leads(scaled(both))[..2], want, "every selector counts");
    }

    #[test]
    fn objects_are_taken_out_of_what_delivers_them() {
        let wrapped = json!({
            "kind": "Object",
            "spec": {
                "managementPolicies": ["Observe"],
                "forProvider": { "manifest": { "kind": "Gateway", "metadata": { "name": "eg" } } },
            },
        });
        let rendered = Rendered::new("gateway", &wrapped);
        assert_eq!((rendered.kind(), rendered.name(), rendered.observed_only), ("Gateway", "eg", true));
        let direct = Rendered::new("a", &json!({ "kind": "Secret", "metadata": { "name": "s" } }));
        assert_eq!((direct.kind(), direct.name(), direct.observed_only), ("Secret", "s", false));
    }
}
