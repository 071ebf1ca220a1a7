//! No field is silently ignored: each changes the settings, or is answered with a problem.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::llm_inference::Spec;
use super::model_stack::StackSpec;
use super::problem::Source;
use super::reading::Read;
use super::schema;
use super::settings::Settings;
use super::shape::Shape;
use super::tests::{composite, input, merge};
use super::{Document, read};

/// For each field, documents in which it matters, as what is added to those of `base`.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(super) fn samples() -> Vec<(Source, &'static str, Value)> {
    let xr = |path, fields| (Source::Composite, path, fields);
    let stack = |path, fields| (Source::Input, path, fields);
    let engine = |path: &'static str| -> Vec<(&'static str, Value)> {
        let toleration = match path {
            // Together they mean something else.
            "tolerations[].operator" => json!({"key": "k", "operator": "Equal"}),
            "tolerations[].effect" => json!({"key": "k", "effect": "NoExecute"}),
            _ => json!({"key": "k", "value": "v", "effect": "NoExecute", "tolerationSeconds": 9}),
        };
        let secret = json!([{"name": "A", "secretKeyRef": {"name": "s", "key": "k"}}]);
        match path {
            "image" => vec![("image", json!("example.com/vllm:v1"))],
            "quantities" => {
                vec![("cpu", json!("3")), ("memory", json!("3Gi")), ("sharedMemory", json!("1Gi"))]
            }
            "args[]" => vec![("args", json!(["--x"]))],
            "env[].name" | "env[].value" => vec![("env", json!([{"name": "A", "value": "B"}]))],
            "env[].secretKeyRef.name" | "env[].secretKeyRef.key" => vec![("env", secret)],
            "dtype" => vec![("dtype", json!("half"))],
            "maxModelLen" => vec![("maxModelLen", json!(4096))],
            "tokenSecret.name" | "tokenSecret.key" => vec![("tokenSecret", json!({"name": "s", "key": "k"}))],
            "runtimeClassName" => vec![("runtimeClassName", json!("kata"))],
            "nodeSelector{}" => vec![("nodeSelector", json!({"a": "b"}))],
            _ => vec![("tolerations", json!([toleration]))],
        }
    };
    let mut samples = vec![
        xr("model", json!({"model": "a/b"})),
        xr("servedModelName", json!({"servedModelName": "served"})),
        xr("gpu", json!({"gpu": 2})),
        xr("providerConfigName", json!({"providerConfigName": "other"})),
        xr("targetNamespace", json!({"targetNamespace": "elsewhere"})),
        xr("host", json!({"host": "other.example.com"})),
        xr("criticality", json!({"criticality": "standard"})),
        xr("minReplicas", json!({"minReplicas": 2})),
        xr("maxReplicas", json!({"maxReplicas": 9})),
        xr("scaling.enabled", json!({"scaling": {"enabled": false}})),
        xr("scaling.metric", json!({"scaling": {"metric": "kv-cache"}})),
        xr("scaling.target", json!({"scaling": {"target": 0.7}})),
        xr("scaling.latency.timeToFirstToken", json!({"scaling": {"latency": {"timeToFirstToken": "1s"}}})),
        xr("scaling.latency.interTokenLatency", json!({"scaling": {"latency": {"interTokenLatency": "1s"}}})),
        xr("scaling.latency.percentile", json!({"scaling": {"latency": {"percentile": 0.8}}})),
        xr("scaling.prometheusAddress", json!({"scaling": {"prometheusAddress": "http://p:1"}})),
        xr("scaling.coldStart", json!({"scaling": {"coldStart": "1m"}})),
        xr("gateway.enabled", json!({"gateway": {"enabled": false}})),
        xr("gateway.modelName", json!({"gateway": {"modelName": "other"}})),
        xr("gateway.ref.name", json!({"gateway": {"ref": {"name": "other"}}})),
        xr("gateway.ref.namespace", json!({"gateway": {"ref": {"namespace": "other"}}})),
        xr("gateway.ref.sectionName", json!({"gateway": {"ref": {"sectionName": "https"}}})),
        xr("lora.adapters[].name", json!({"lora": {"adapters": [{"name": "a", "path": "p"}]}})),
        xr("lora.adapters[].path", json!({"lora": {"adapters": [{"name": "a", "path": "p"}]}})),
        xr("lora.maxAdapters", json!({"lora": {"maxAdapters": 1}})),
        xr("lora.maxRank", json!({"lora": {"maxRank": 1}})),
        xr("ingressHost", json!({"ingressHost": "old.example.com"})),
        stack("target", json!({"target": "Direct"})),
        stack("providerConfigKind", json!({"providerConfigKind": "ClusterProviderConfig"})),
        stack("specPath", json!({"specPath": "spec.inner"})),
        stack("defaults.scaling.metric", json!({"defaults": {"scaling": {"metric": "kv-cache"}}})),
        stack("defaults.scaling.target", json!({"defaults": {"scaling": {"target": 0.7}}})),
        stack(
            "defaults.scaling.latency.timeToFirstToken",
            json!({"defaults": {"scaling": {"latency": {"timeToFirstToken": "1s"}}}}),
        ),
        stack(
            "defaults.scaling.latency.interTokenLatency",
            json!({"defaults": {"scaling": {"latency": {"interTokenLatency": "1s"}}}}),
        ),
        stack(
            "defaults.scaling.latency.percentile",
            json!({"defaults": {"scaling": {"latency": {"percentile": 0.8}}}}),
        ),
        stack("defaults.scaling.coldStart", json!({"defaults": {"scaling": {"coldStart": "1m"}}})),
        stack("policy.targetNamespaces[]", json!({"policy": {"targetNamespaces": ["x"]}})),
        stack("policy.providerConfigs[]", json!({"policy": {"providerConfigs": ["x"]}})),
        stack("policy.images[]", json!({"policy": {"images": ["x"]}})),
        stack("policy.gateways[]", json!({"policy": {"gateways": ["x/y"]}})),
        stack("workload.backend", json!({"workload": {"backend": "Deployment"}})),
        stack("workload.operatorVersion", json!({"workload": {"operatorVersion": "0.1.11"}})),
        stack("endpointPicker.version", json!({"endpointPicker": {"version": "v1.5.0"}})),
        stack("endpointPicker.family", json!({"endpointPicker": {"family": "GIE-v1.5"}})),
        stack("endpointPicker.image", json!({"endpointPicker": {"image": "example.com/epp:v1"}})),
        stack("endpointPicker.replicas", json!({"endpointPicker": {"replicas": 2}})),
        stack(
            "endpointPicker.resources.limits{}",
            json!({"endpointPicker": {"resources": {"limits": {"cpu": 1}}}}),
        ),
        stack(
            "endpointPicker.resources.requests{}",
            json!({"endpointPicker": {"resources": {"requests": {"cpu": 1}}}}),
        ),
        stack("endpointPicker.failureMode", json!({"endpointPicker": {"failureMode": "FailOpen"}})),
        stack("endpointPicker.flowControl", json!({"endpointPicker": {"flowControl": "Enabled"}})),
        stack(
            "endpointPicker.scorers[].type",
            json!({"endpointPicker": {"scorers": [{"type": "queue-scorer", "weight": 2}]}}),
        ),
        stack(
            "endpointPicker.scorers[].weight",
            json!({"endpointPicker": {"scorers": [{"type": "queue-scorer", "weight": 2}]}}),
        ),
        stack("endpointPicker.config", json!({"endpointPicker": {"config": "{}"}})),
        stack("endpointPicker.metricsAuth", json!({"endpointPicker": {"metricsAuth": "Token"}})),
        stack(
            "endpointPicker.existing.name",
            json!({"endpointPicker": {"existing": {"name": "epp", "port": 9002}}}),
        ),
        stack(
            "endpointPicker.existing.port",
            json!({"endpointPicker": {"existing": {"name": "epp", "port": 9002}}}),
        ),
        stack("gateway.implementation", json!({"gateway": {"implementation": "Istio"}})),
        stack("gateway.ref.name", json!({"gateway": {"ref": {"name": "other"}}})),
        stack("gateway.ref.namespace", json!({"gateway": {"ref": {"namespace": "other"}}})),
        stack("gateway.ref.sectionName", json!({"gateway": {"ref": {"sectionName": "https"}}})),
        stack("gateway.discovery", json!({"gateway": {"discovery": true}})),
        stack(
            "gateway.discoveryLabel{}",
            json!({"gateway": {"discovery": true, "discoveryLabel": {"a": "b"}}}),
        ),
        stack("gateway.routeBy", json!({"gateway": {"routeBy": "ModelName"}})),
        stack("gateway.priorityHook", json!({"gateway": {"priorityHook": "Lua"}})),
        stack("gateway.timeout", json!({"gateway": {"timeout": "1m"}})),
        stack("priorities.critical", json!({"priorities": {"critical": 7}})),
        stack("priorities.standard", json!({"priorities": {"standard": 7}})),
        stack("priorities.sheddable", json!({"priorities": {"sheddable": 7}})),
        stack("monitoring.kind", json!({"monitoring": {"kind": "PodMonitor"}})),
        stack("monitoring.labels{}", json!({"monitoring": {"labels": {"a": "b"}}})),
        stack("monitoring.interval", json!({"monitoring": {"interval": "1m"}})),
        stack("monitoring.endpointPicker", json!({"monitoring": {"endpointPicker": "Enabled"}})),
        stack(
            "monitoring.external.selector{}",
            json!({"monitoring": {"kind": "None", "external": {"selector": {"a": "b"}}}}),
        ),
        stack("monitoring.rules", json!({"monitoring": {"rules": true}})),
        stack("prometheus.address", json!({"prometheus": {"address": "http://p:1"}})),
        stack("prometheus.authRef.name", json!({"prometheus": {"authRef": {"name": "a", "modes": ["tls"]}}})),
        stack(
            "prometheus.authRef.kind",
            json!({"prometheus": {"authRef": {
                "name": "a", "kind": "TriggerAuthentication", "modes": ["tls"],
            }}}),
        ),
        stack(
            "prometheus.authRef.modes[]",
            json!({"prometheus": {"authRef": {"name": "a", "modes": ["bearer"]}}}),
        ),
        stack("hardening.networkPolicy", json!({"hardening": {"networkPolicy": true}})),
        stack("hardening.podDisruptionBudget", json!({"hardening": {"podDisruptionBudget": false}})),
        stack("nodes.protect", json!({"nodes": {"protect": true}})),
        stack("nodes.annotations{}", json!({"nodes": {"annotations": {"a": "b"}}})),
        stack("labels{}", json!({"labels": {"a": "b"}})),
        stack("annotations{}", json!({"annotations": {"a": "b"}})),
        stack("ttl.settled", json!({"ttl": {"settled": "1m"}})),
        stack("ttl.pending", json!({"ttl": {"pending": "1m"}})),
    ];
    for path in leaves(Spec::SHAPE).into_iter().filter(|path| path.starts_with("runtime.")) {
        let field: &'static str = path.strip_prefix("runtime.").unwrap().to_owned().leak();
        let quantity = ["cpu", "memory", "sharedMemory"].contains(&field);
        for (name, value) in engine(if quantity { "quantities" } else { field }) {
            if !quantity || name == field {
                samples.push((Source::Composite, path.clone().leak(), json!({"runtime": {name: value}})));
                let defaults = json!({"defaults": {"runtime": {name: value}}});
                samples.push((Source::Input, format!("defaults.{path}").leak(), defaults));
            }
        }
    }
    samples
}

/// A composite and an Input in which every field means something.
fn base(source: Source, path: &str) -> (Value, Value) {
    let mut xr = composite(json!({"host": "llama.example.com", "scaling": {"enabled": true}}));
    // What a policy is about, and a second place for the fields.
    let asked = match path.split_once('.') {
        Some(("policy", "targetNamespaces[]")) => json!({"targetNamespace": "asked"}),
        Some(("policy", "images[]")) => json!({"runtime": {"image": "asked"}}),
        Some(("policy", "gateways[]")) => json!({"gateway": {"ref": {"name": "y", "namespace": "x"}}}),
        Some(("priorities", class)) => json!({"criticality": class}),
        _ if path.contains("scaling.latency") => {
            json!({"scaling": {"metric": "latency"}})
        }
        _ if path == "specPath" => json!({"inner": {"model": "inner", "providerConfigName": "inner"}}),
        _ => json!({}),
    };
    merge(&mut xr["spec"], asked);
    let open = match path {
        _ if source == Source::Composite && path.starts_with("gateway.ref") => {
            json!({"policy": {"gateways": ["*/*"]}})
        }
        "gateway.implementation" => {
            json!({"gateway": {"ref": {"name": "inference", "namespace": "gateways"}}})
        }
        _ if ["secretKeyRef", "sharedMemory"].iter().any(|field| path.contains(field)) => {
            json!({"workload": {"backend": "Deployment"}})
        }
        _ if path.starts_with("monitoring.external") => {
            json!({"monitoring": {"kind": "None", "external": {}}})
        }
        _ if path.contains("scaling.latency") || path.ends_with("scaling.metric") => {
            json!({"defaults": {"scaling": {"latency": {"timeToFirstToken": "5s"}}}})
        }
        _ if path.starts_with("nodes.annotations") => json!({"nodes": {"protect": true}}),
        _ => json!({}),
    };
    (xr, input(open))
}

fn verdict(xr: &Value, input: &Value) -> Result<Settings, Vec<String>> {
    read(&Document::from(xr), Some(&Document::from(input)))
        .map_err(|found| found.iter().map(ToString::to_string).collect())
}

/// Paths of all single values: `[]` an entry of a list, `{}` a value of a map.
fn leaves(shape: &Shape) -> Vec<String> {
    let under = |prefix: &str, shape: &Shape| -> Vec<String> {
        leaves(shape).into_iter().map(|rest| join(prefix, &rest)).collect()
    };
    match shape {
        Shape::Leaf => vec![String::new()],
        Shape::List(inner) => under("[]", inner),
        Shape::Map(inner) => under("{}", inner),
        Shape::Object(fields) => fields.iter().flat_map(|(name, inner)| under(name, inner)).collect(),
    }
}

fn join(prefix: &str, rest: &str) -> String {
    if rest.is_empty() || rest.starts_with(['[', '{']) {
        format!("{prefix}{rest}")
    } else {
        format!("{prefix}.{rest}")
    }
}

/// The schema at such a path.
fn schema_at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    let path = path.replace("[]", ".[]").replace("{}", ".{}");
    path.split('.').fold(schema, |schema, step| match step {
        "[]" => &schema["items"],
        "{}" => &schema["additionalProperties"],
        field => &schema["properties"][field],
    })
}

/// The same document with another value at that path; lists have one entry.
pub(super) fn replace(value: &mut Value, path: &str, with: &Value) {
    let path = path.replace("[]", ".[]");
    let leaf = path
        .split('.')
        .fold(value, |value, step| if step == "[]" { &mut value[0] } else { &mut value[step] });
    *leaf = with.clone();
}

/// Fields whose refusal is their effect.
const REFUSED_BY_RULE: [&str; 6] = [
    "gateway.modelName",
    "target",
    "policy.targetNamespaces[]",
    "policy.images[]",
    "policy.providerConfigs[]",
    "policy.gateways[]",
];

#[test]
fn every_field_has_an_effect_or_is_refused() {
    let samples = samples();
    let mut missing: BTreeSet<(Source, String)> = BTreeSet::new();
    missing.extend(leaves(Spec::SHAPE).into_iter().map(|path| (Source::Composite, path)));
    missing.extend(leaves(StackSpec::SHAPE).into_iter().map(|path| (Source::Input, path)));

    let xrd = schema::xrd();
    let crd = schema::model_stack_crd();
    for (source, path, sample) in samples {
        let schema = match source {
            Source::Composite => &xrd,
            Source::Input => &crd,
        };
        let schema = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let leaf = schema_at(schema, path);
        let values: Vec<Value> = match (&leaf["enum"], leaf["type"].as_str()) {
            (Value::Array(values), _) => values.clone(),
            (_, Some("boolean")) => vec![json!(true), json!(false)],
            _ => vec![Value::Null],
        };

        let (xr, input) = base(source, path);
        let with = |sample: Value| {
            let (mut xr, mut input) = (xr.clone(), input.clone());
            match source {
                Source::Composite => merge(&mut xr["spec"], sample),
                Source::Input => merge(&mut input["spec"], sample),
            }
            verdict(&xr, &input)
        };
        let mut seen = vec![verdict(&xr, &input)];
        let mut silent = Vec::new();
        for value in &values {
            let mut sample = sample.clone();
            if !value.is_null() {
                replace(&mut sample, path, value);
            }
            let after = with(sample.clone());
            let mut whole_object_refused = false;
            match &after {
                Err(problems) => {
                    for problem in problems {
                        assert!(REFUSED_BY_RULE.contains(&path), "{path}: {problem}");
                        let named = problem.trim_start_matches("Input ").split(" is ").next().unwrap();
                        let named = named.trim_start_matches("spec.").replace("[0]", "[]");
                        whole_object_refused |=
                            path.strip_prefix(named.as_str()).is_some_and(|rest| !rest.is_empty());
                    }
                }
                Ok(_) if path.contains("[].") => {
                    replace(&mut sample, path, &Value::Null);
                    assert_ne!(
                        with(sample),
                        after,
                        "{source:?} {path}: only what is around it has an effect"
                    );
                }
                Ok(_) => {}
            }
            if whole_object_refused {
                continue;
            }
            if seen.contains(&after) {
                silent.push(value);
            } else {
                seen.push(after);
            }
        }
        // One of several values may be the default.
        assert!(
            silent.len() <= usize::from(values.len() > 1),
            "{source:?} {path}: {silent:?} change nothing"
        );
        missing.remove(&(source, path.to_owned()));
    }
    assert_eq!(missing, BTreeSet::new(), "fields without a sample");
}
