//! The XRD and `read` give the same verdict: what the API server lets through, the function can use, and it refuses
//! whatever the API server would have.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::admission::{Refusal, refuse, schema};
use super::tests::{composite, problems};

/// Fields that are in order; each exercises a rule or a bound from its right side.
fn good() -> Vec<Value> {
    vec![
        json!({}),
        json!({"gpu": 0}),
        json!({"gpu": 16.0}),
        json!({"minReplicas": 3, "maxReplicas": 3}),
        json!({"minReplicas": 1000}),
        json!({"host": "a.b"}),
        json!({"host": format!("{}.example.com", "a".repeat(63))}),
        json!({"ingressHost": "*.example.com"}),
        json!({"model": "s3://bucket/model", "servedModelName": "meta-llama/Llama-3.3-70B-Instruct"}),
        json!({"scaling": {"metric": "kv-cache", "target": 1}}),
        json!({"scaling": {"metric": "kv-cache", "target": 0.001}}),
        json!({"scaling": {"metric": "queue-depth", "target": 3}}),
        json!({"scaling": {"target": 3.5, "coldStart": "1s", "prometheusAddress": "https://prometheus:9090/x"}}),
        json!({"scaling": {"coldStart": "23h59m60s"}}),
        json!({"runtime": {"args": ["--max-num-seqs", "64", "--ports=1", "-tpx"]}}),
        json!({"runtime": {"env": [{"name": "A", "value": ""}, {"name": "B.c-d_e", "value": "x"}]}}),
        json!({"runtime": {"cpu": 2, "memory": "1.5Gi"}}),
        json!({"runtime": {"cpu": "100m", "memory": "64G"}}),
        json!({"runtime": {"tolerations": [
            {"operator": "Exists"},
            {"key": "nvidia.com/gpu", "operator": "Exists", "value": ""},
            {"key": "a", "value": "b"},
            {"key": "a", "effect": "NoExecute", "tolerationSeconds": 0},
        ]}}),
        json!({"runtime": {"nodeSelector": {"kubernetes.io/arch": "arm64", "empty": ""}}}),
        json!({"runtime": {"tokenSecret": {"name": "hf"}, "maxModelLen": 8192, "dtype": "half"}}),
        json!({"gateway": {"enabled": false, "ref": {"sectionName": "https"}}}),
        json!({"gpu": null, "scaling": null}),
        json!({"unknown": {"anything": 1}}),
    ]
}

/// Fields that are not in order.
fn bad() -> Vec<Value> {
    vec![
        json!({"model": null}),
        json!({"model": ""}),
        json!({"model": "-m"}),
        json!({"model": "a b"}),
        json!({"model": "a\u{b}b"}),
        json!({"model": 3}),
        json!({"servedModelName": "x".repeat(513)}),
        json!({"gpu": -1}),
        json!({"gpu": 17}),
        json!({"gpu": "1"}),
        json!({"gpu": 1.5}),
        json!({"providerConfigName": "A"}),
        json!({"targetNamespace": "a.b"}),
        json!({"targetNamespace": "a".repeat(64)}),
        json!({"host": "10.0.0.1"}),
        json!({"host": "*.example.com"}),
        json!({"host": "a..b"}),
        json!({"host": "Example.com"}),
        json!({"host": format!("{}.example.com", "a".repeat(64))}),
        json!({"ingressHost": "10.0.0.1"}),
        json!({"ingressHost": "*"}),
        json!({"criticality": "urgent"}),
        json!({"minReplicas": -1}),
        json!({"minReplicas": 1001}),
        json!({"maxReplicas": 0}),
        json!({"minReplicas": 2, "maxReplicas": 1}),
        json!({"scaling": []}),
        json!({"scaling": {"enabled": 1}}),
        json!({"scaling": {"metric": "cpu"}}),
        json!({"scaling": {"metric": "kv-cache", "target": 1.5}}),
        json!({"scaling": {"target": 0}}),
        json!({"scaling": {"target": "3"}}),
        json!({"scaling": {"coldStart": "10"}}),
        json!({"scaling": {"coldStart": "500ms"}}),
        json!({"scaling": {"coldStart": "24h1ms"}}),
        json!({"scaling": {"coldStart": "1h1h1h1h1h"}}),
        json!({"scaling": {"coldStart": 600}}),
        json!({"scaling": {"latency": {"percentile": 1}}}),
        json!({"scaling": {"latency": {"timeToFirstToken": "0ms"}}}),
        json!({"scaling": {"latency": {"interTokenLatency": "2h"}}}),
        json!({"scaling": {"prometheusAddress": "prometheus:9090"}}),
        json!({"scaling": {"prometheusAddress": "http://user:secret@prometheus:9090"}}),
        json!({"scaling": {"prometheusAddress": "http:///x"}}),
        json!({"gateway": {"ref": {"name": "/"}}}),
        json!({"gateway": true}),
        json!({"runtime": {"image": "a b"}}),
        json!({"runtime": {"image": "/a"}}),
        json!({"runtime": {"args": ["--dtype=half"]}}),
        json!({"runtime": {"args": ["-tp"]}}),
        json!({"runtime": {"args": ["--no_enable-prefix_caching"]}}),
        json!({"runtime": {"args": [""]}}),
        json!({"runtime": {"args": [1]}}),
        json!({"runtime": {"args": vec!["-x"; 65]}}),
        json!({"runtime": {"env": [{"name": "A"}]}}),
        json!({"runtime": {"env": [{"value": "A"}]}}),
        json!({"runtime": {"env": [{"name": "1A", "value": "x"}]}}),
        json!({"runtime": {"env": [{"name": "A", "value": 1}]}}),
        json!({"runtime": {"env": [{"name": "A", "value": "x", "secretKeyRef": {"name": "s", "key": "k"}}]}}),
        json!({"runtime": {"env": [{"name": "HF_TOKEN", "value": "x"}]}}),
        json!({"runtime": {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}),
        json!({"runtime": {"cpu": "0"}}),
        json!({"runtime": {"cpu": 0}}),
        json!({"runtime": {"cpu": -1}}),
        json!({"runtime": {"cpu": true}}),
        json!({"runtime": {"memory": "8GB"}}),
        json!({"runtime": {"memory": "0.0Gi"}}),
        json!({"runtime": {"sharedMemory": "0"}}),
        json!({"runtime": {"dtype": "int4"}}),
        json!({"runtime": {"maxModelLen": 0}}),
        json!({"runtime": {"tokenSecret": {"key": "token"}}}),
        json!({"runtime": {"tokenSecret": "hf"}}),
        json!({"runtime": {"runtimeClassName": ""}}),
        json!({"runtime": {"nodeSelector": {"a": "b c"}}}),
        json!({"runtime": {"nodeSelector": {"a": true}}}),
        json!({"runtime": {"tolerations": [{}]}}),
        json!({"runtime": {"tolerations": [{"value": "x"}]}}),
        json!({"runtime": {"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]}}),
        json!({"runtime": {"tolerations": [{"key": "a", "tolerationSeconds": 1}]}}),
        json!({"runtime": {"tolerations": [{"key": "a", "operator": "In"}]}}),
        json!({"runtime": {"tolerations": [{"key": "a b"}]}}),
        json!({"lora": {"adapters": [{"name": "a"}]}}),
        json!({"lora": {"adapters": [{"name": "a", "path": "p"}, {"name": "a", "path": "q"}]}}),
        json!({"lora": {"maxRank": 0}}),
    ]
}

#[test]
fn what_the_api_server_admits_the_function_can_use() {
    for fields in good() {
        let composite = composite(fields.clone());
        assert_eq!(refuse(&composite, None), Refusal::None, "{fields}");
        assert_eq!(problems(composite, None), [""; 0], "{fields}");
    }
}

#[test]
fn what_the_api_server_refuses_the_function_refuses() {
    for fields in bad() {
        let composite = composite(fields.clone());
        assert_ne!(refuse(&composite, None), Refusal::None, "{fields}");
        let found = problems(composite, None);
        assert!(found.iter().any(|problem| !problem.contains("not supported yet")), "{fields}: {found:?}");
    }
}

#[test]
fn names_are_judged_alike() {
    for (name, fits) in
        [("a", true), ("a-1", true), ("1a", false), ("a-", false), ("A", false), ("a.b", false)]
    {
        let mut composite = composite(json!({}));
        composite["metadata"]["name"] = json!(name);
        assert_eq!(refuse(&composite, None) == Refusal::None, fits, "{name}");
        assert_eq!(problems(composite.clone(), None).is_empty(), fits, "{name}");
        // An object with such a name may exist from before the rule: it can still be changed, and so deleted.
        assert_eq!(refuse(&composite, Some(&composite)), Refusal::None, "{name}");
    }
}

#[test]
fn what_stands_once_stays() {
    let cases = [
        (json!({"targetNamespace": "a"}), json!({"targetNamespace": "a"}), true, "nothing changes"),
        (
            json!({"targetNamespace": "a"}),
            json!({"targetNamespace": "b"}),
            false,
            "the old objects would stay",
        ),
        (
            json!({}),
            json!({"targetNamespace": "a"}),
            false,
            "so would those in the composite's own namespace",
        ),
        (json!({"targetNamespace": "a"}), json!({}), false, "and the other way round"),
        (json!({}), json!({"providerConfigName": "other"}), false, "the old objects would stay"),
        (json!({}), json!({"providerConfigName": null}), false, "and be forgotten"),
        (json!({"providerConfigName": null}), json!({}), true, "nothing was composed without it"),
        (json!({}), json!({"model": "other/model"}), true, "anything else may change"),
    ];
    for (old, new, admitted, reason) in cases {
        let verdict = refuse(&written(composite(new)), Some(&written(composite(old))));
        assert_eq!(verdict == Refusal::None, admitted, "{reason}: {verdict:?}");
    }
}

/// As the API server stores it: without nulls.
fn written(mut composite: Value) -> Value {
    composite["spec"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    composite
}

#[test]
fn every_rule_has_a_case_that_it_alone_refuses() {
    let mut broken: BTreeSet<String> = BTreeSet::new();
    for fields in bad() {
        if let Refusal::Rules(rules) = refuse(&composite(fields), None) {
            broken.extend(rules);
        }
    }
    let mut rules = BTreeSet::new();
    collect(&schema(), &mut rules);
    let unproved: Vec<_> = rules.difference(&broken).filter(|rule| !rule.contains("oldSelf")).collect();
    assert_eq!(unproved, [""; 0]);
}

fn collect(schema: &Value, rules: &mut BTreeSet<String>) {
    for entry in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        rules.insert(entry["rule"].as_str().unwrap().to_owned());
    }
    for (_, inner) in schema.as_object().into_iter().flatten().filter(|(_, inner)| inner.is_object()) {
        collect(inner, rules);
    }
}
