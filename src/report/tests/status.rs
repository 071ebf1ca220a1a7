//! What is known, and nothing else.

use serde_json::{Value, json};

use crate::api::fixtures::llm;
use crate::api::settings::{GatewayChoice, Settings};
use crate::observe::fixtures::{Cluster, cluster};
use crate::plan::keys::Key;
use crate::report::fixtures::{HOST, full, gateway, healthy, runtime, said};

#[test]
fn the_url_is_that_of_the_listener_that_takes_the_host() {
    let listener = |name: &str, protocol: &str, port: u16, hostname: Option<&str>| json!({"name": name, "protocol": protocol, "port": port, "hostname": hostname});
    let http = || listener("http", "HTTP", 80, None);
    let https = || listener("https", "HTTPS", 443, Some("*.example.com"));
    let cases = [
        (vec![http()], None, Some("http://llama.example.com"), "a default port is left out"),
        (vec![http(), https()], None, Some("https://llama.example.com"), "HTTPS first, wherever it stands"),
        (
            vec![listener("alt", "HTTPS", 8443, None), http()],
            None,
            Some("https://llama.example.com:8443"),
            "another port is told",
        ),
        (
            vec![listener("alt", "HTTP", 8080, None), http()],
            None,
            Some("http://llama.example.com"),
            "the default port first",
        ),
        (
            vec![listener("other", "HTTPS", 443, Some("*.example.org")), http()],
            None,
            Some("http://llama.example.com"),
            "a listener for another host takes nothing",
        ),
        (
            vec![listener("apex", "HTTPS", 443, Some("example.com")), http()],
            None,
            Some("http://llama.example.com"),
            "a hostname without a star is that host only",
        ),
        (
            vec![listener("star", "HTTPS", 443, Some("*.llama.example.com")), http()],
            None,
            Some("http://llama.example.com"),
            "a star stands for at least one label",
        ),
        (
            vec![listener("exact", "HTTPS", 443, Some(HOST))],
            None,
            Some("https://llama.example.com"),
            "that very host",
        ),
        (
            vec![listener("deep", "HTTPS", 443, Some("*.com"))],
            None,
            Some("https://llama.example.com"),
            "a star may stand for several labels",
        ),
        (
            vec![http(), https()],
            Some("http"),
            Some("http://llama.example.com"),
            "the listener that was named",
        ),
        (vec![http()], Some("https"), None, "the one that was named is not there"),
        (vec![listener("tls", "TLS", 443, None)], None, None, "TLS listeners take no HTTPRoute"),
        (vec![], None, None, "nothing listens"),
    ];
    for (listeners, section, want, reason) in cases {
        let mut settings = full();
        let Some(GatewayChoice::Named(reference)) =
            settings.routing.as_mut().map(|routing| &mut routing.gateway)
        else {
            panic!("its Gateway has a name");
        };
        reference.section_name = section.map(str::to_owned);
        let mut live = gateway();
        live["spec"]["listeners"] = listeners.into();
        let report = said(&settings, &cluster().holding(Key::Gateway, live));
        assert_eq!(report.status.url.as_deref(), want, "{reason}");
    }
}

/// Many models share it, and clients say in the body which one they mean.
#[test]
fn without_a_host_the_url_is_that_of_the_listener_or_of_the_gateway() {
    let listener = |port: u16, protocol: &str, hostname: Option<&str>| json!({"name": protocol, "protocol": protocol, "port": port, "hostname": hostname});
    let http = || listener(80, "HTTP", None);
    let addresses = |addresses: &[&str]| addresses.iter().map(|value| json!({"value": value})).collect();
    let cases: [(_, Value, _, _); 6] = [
        (vec![http()], addresses(&["192.0.2.1"]), Some("http://192.0.2.1"), "the Gateway's address"),
        (
            vec![listener(8080, "HTTP", None)],
            addresses(&["2001:db8::1"]),
            Some("http://[2001:db8::1]:8080"),
            "IPv6",
        ),
        (
            vec![http(), listener(443, "HTTPS", Some("models.example.com"))],
            addresses(&["192.0.2.1"]),
            Some("https://models.example.com"),
            "the listener's own host",
        ),
        (
            vec![http(), listener(443, "HTTPS", Some("*.example.com"))],
            addresses(&["192.0.2.1"]),
            Some("http://192.0.2.1"),
            "below a star nobody knows which host",
        ),
        (
            vec![listener(443, "HTTPS", Some("*.example.com"))],
            addresses(&["192.0.2.1"]),
            None,
            "and no other",
        ),
        (vec![http()], json!([]), None, "a Gateway without an address"),
    ];
    for (listeners, addresses, want, reason) in cases {
        let mut live = gateway();
        live["spec"]["listeners"] = listeners.into();
        live["status"]["addresses"] = addresses;
        let report = said(&llm().named(), &cluster().holding(Key::Gateway, live));
        assert_eq!(report.status.url.as_deref(), want, "{reason}");
    }
    let mut aliased = llm().named();
    aliased.model.alias = Some("chat".to_owned());
    assert_eq!(said(&aliased, &cluster()).status.model_name, "chat", "the name that leads here");
}

#[test]
fn status_tells_what_to_call_and_nothing_that_is_not_known() {
    let json = |settings: &Settings, cluster: &Cluster| {
        serde_json::to_value(said(settings, cluster).status).unwrap()
    };

    assert_eq!(
        json(&llm(), &cluster()),
        json!({"url": "http://llama.team-a.svc", "modelName": "Qwen/Qwen2.5-3B-Instruct"}),
        "without routing clients call the Service"
    );
    assert_eq!(
        json(&full(), &cluster()),
        json!({
            "modelName": "Qwen/Qwen2.5-3B-Instruct",
            "gateway": {"name": "eg", "namespace": "envoy-gateway-system", "implementation": "EnvoyAIGateway"},
        }),
        "no url before the Gateway is observed"
    );
    assert_eq!(
        json(&full(), &healthy()),
        json!({
            "url": "http://llama.example.com",
            "modelName": "Qwen/Qwen2.5-3B-Instruct",
            "gateway": {
                "name": "eg", "namespace": "envoy-gateway-system", "implementation": "EnvoyAIGateway",
                "address": "192.0.2.1",
            },
            "replicas": {"ready": 2, "desired": 2},
        })
    );
    let replicas = |live| json(&full(), &cluster().holding(Key::VllmRuntime, live))["replicas"].clone();
    assert_eq!(replicas(runtime(0, 0)), json!({"ready": 0, "desired": 0}), "omitted counts are zero");
    assert_eq!(
        replicas(json!({"spec": {"deploymentConfig": {"replicas": 2}}, "status": {"modelStatus": "Ready"}})),
        json!({"desired": 2}),
        "an operator that does not count"
    );
    let gone = healthy().broken(Key::Gateway, "not there").broken(Key::VllmRuntime, "not reached");
    let status = json(&full(), &gone);
    assert_eq!(
        (status.get("url"), status.get("replicas")),
        (None, None),
        "what is not known any more is not told"
    );
}
