use serde_json::{Value, json};

use super::cluster_extension::{is_asked_for, read};
use super::fixtures::document;
use super::settings::{
    Caller, Chart, Delivery, Extension, GatewayPlace, InferenceRelease, MissingFlag, ProviderConfigKind,
    Router, Target, Wanted,
};
use super::{Document, composite_fields, problems, read_input};

fn input(spec: &Value) -> Document<'static> {
    document(json!({
        "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ClusterExtension", "spec": spec,
    }))
}

fn cluster(apps: &Value) -> Document<'static> {
    document(json!({
        "apiVersion": "example.com/v1", "kind": "Cluster",
        "metadata": {"name": "gpu", "namespace": "clusters"},
        "spec": {"id": "gpu-eu", "parameters": {"apps": apps}},
    }))
}

fn enabled() -> Value {
    json!({"envoyGateway": {"enabled": true}, "gatewayInferenceExtension": {"enabled": true}})
}

fn wanted(extension: Extension) -> Wanted {
    extension.wanted.unwrap()
}

fn sentences(composite: &Document<'_>, input: &Document<'_>) -> Vec<String> {
    problems(composite, Some(input)).iter().map(ToString::to_string).collect()
}

#[test]
fn the_shortest_input_extends_a_cluster_of_dot_kubernetes() {
    let extension = read(&cluster(&enabled()), &input(&json!(null))).unwrap();
    assert_eq!(extension.owner, "clusters/gpu");
    assert_eq!((extension.ttl.settled.as_millis(), extension.ttl.pending.as_millis()), (600_000, 30_000));
    assert_eq!(
        wanted(extension),
        Wanted {
            delivery: Delivery {
                target: Target::NamespacedObject,
                provider_config_kind: ProviderConfigKind::ProviderConfig,
                provider_config_name: "gpu".to_owned(),
            },
            release: InferenceRelease::V1_3_1,
            experimental: false,
            enabled: "spec.parameters.apps.gatewayInferenceExtension.enabled".to_owned(),
            missing: vec![],
            router: Router {
                enabled: true,
                replicas: 2,
                namespace: "gateway-api-inference-extension".to_owned(),
                chart: Chart::InRepository {
                    repository: "oci://registry.k8s.io/gateway-api-inference-extension/charts".to_owned(),
                    name: "body-based-routing".to_owned(),
                    version: "v1.3.1".to_owned(),
                },
                values: serde_json::Map::new(),
                caller: Caller::Unknown,
            },
            discovery: false,
        }
    );
}

#[test]
fn a_name_that_is_no_label_is_refused_where_it_has_to_be_one() {
    let name = "a".repeat(64);
    let named = |discovery| input(&json!({"providerConfigName": name, "discovery": discovery}));
    assert!(read(&cluster(&enabled()), &named(false)).is_ok());
    let want = format!(
        "Input spec.discovery is true: must be false or left out where the name of the provider configuration has more \
         than 63 characters ({name}), since it is the value of a label"
    );
    assert_eq!(sentences(&cluster(&enabled()), &named(true)), [want]);
}

#[test]
fn every_field_of_the_input_is_heard() {
    let all = json!({
        "specPath": "spec.has",
        "target": "ClusterObject",
        "providerConfigNamePath": "spec.id",
        "version": "v1.5.0",
        "experimental": true,
        "implementation": "Istio",
        "gateway": {"name": "inference", "namespace": "gateways"},
        "bodyBasedRouter": {
            "enabled": true,
            "replicas": 3,
            "namespace": "router",
            "chart": {"repository": "https://charts.example.com", "name": "router", "version": "1.2.3"},
            "values": {"bbr": {"image": {"tag": "v9"}}},
        },
        "prerequisites": ["istio.enabled"],
        "discovery": true,
        "ttl": {"settled": "1h", "pending": "5s"},
    });
    let composite = document(json!({
        "metadata": {"name": "gpu"},
        "spec": {
            "id": "gpu-eu",
            "has": {"istio": {"enabled": true}, "gatewayInferenceExtension": {"enabled": true}},
        },
    }));
    let extension = read(&composite, &input(&all)).unwrap();
    assert_eq!(extension.owner, "/gpu", "a cluster-scoped composite has no namespace");
    assert_eq!((extension.ttl.settled.as_millis(), extension.ttl.pending.as_millis()), (3_600_000, 5_000));
    let wanted = wanted(extension);
    assert_eq!(wanted.delivery.target, Target::ClusterObject);
    assert_eq!(wanted.delivery.provider_config_name, "gpu-eu");
    assert_eq!((wanted.release, wanted.experimental), (InferenceRelease::V1_5_0, true));
    assert_eq!((wanted.missing, wanted.discovery), (vec![], true));
    let gateway = GatewayPlace { name: "inference".to_owned(), namespace: "gateways".to_owned() };
    assert_eq!(
        wanted.router,
        Router {
            enabled: true,
            replicas: 3,
            namespace: "router".to_owned(),
            chart: Chart::InRepository {
                repository: "https://charts.example.com".to_owned(),
                name: "router".to_owned(),
                version: "1.2.3".to_owned(),
            },
            values: json!({"bbr": {"image": {"tag": "v9"}}}).as_object().unwrap().clone(),
            caller: Caller::Istio(gateway),
        }
    );

    let kind = json!({"providerConfigKind": "ClusterProviderConfig", "providerConfigName": "shared"});
    let delivery = read(&cluster(&enabled()), &input(&kind)).unwrap().wanted.unwrap().delivery;
    assert_eq!(delivery.provider_config_kind, ProviderConfigKind::ClusterProviderConfig);
    assert_eq!(delivery.provider_config_name, "shared");
}

#[test]
fn nothing_is_wanted_unless_it_is_enabled() {
    for (apps, reason) in [
        (json!(null), "a cluster without apps"),
        (json!({}), "no block"),
        (json!({"gatewayInferenceExtension": {}}), "the default is false"),
        (json!({"gatewayInferenceExtension": {"enabled": false}}), "switched off"),
    ] {
        assert_eq!(read(&cluster(&apps), &input(&json!({}))).unwrap().wanted, None, "{reason}");
    }
}

#[test]
fn a_prerequisite_is_a_flag_that_is_true() {
    let missing = |apps: Value, spec: Value| wanted(read(&cluster(&apps), &input(&spec)).unwrap()).missing;
    let path = "spec.parameters.apps.envoyGateway.enabled".to_owned();
    for (envoy, seen) in [
        (json!(null), "missing"),
        (json!({"enabled": false}), "false"),
        (json!({"enabled": "true"}), r#""true""#),
        (json!({"enabled": {}}), "an object"),
    ] {
        let apps = json!({"envoyGateway": envoy, "gatewayInferenceExtension": {"enabled": true}});
        assert_eq!(
            missing(apps, json!({})),
            [MissingFlag { path: path.clone(), seen: seen.to_owned() }],
            "{seen}"
        );
    }
    let alone = json!({"gatewayInferenceExtension": {"enabled": true}});
    assert_eq!(missing(alone, json!({"prerequisites": []})), [], "a platform may have none");
}

#[test]
fn fail_refuses_with_both_fields_and_both_ways_out() {
    let apps = json!({"gatewayInferenceExtension": {"enabled": true}});
    assert_eq!(
        sentences(&cluster(&apps), &input(&json!({"onMissing": "Fail"}))),
        ["spec.parameters.apps.envoyGateway.enabled is missing: must be true, since \
          spec.parameters.apps.gatewayInferenceExtension.enabled is; otherwise set that to false"]
    );
    assert!(read(&cluster(&enabled()), &input(&json!({"onMissing": "Fail"}))).is_ok());
}

#[test]
fn every_problem_is_told_at_once() {
    let composite = document(json!({
        "metadata": {"name": "gpu", "namespace": "clusters"},
        "spec": {"parameters": {"apps": {"gatewayInferenceExtension": {"enabled": true}}}},
    }));
    let spec = json!({
        "target": "ClusterObject",
        "providerConfigNamePath": "spec.id",
        "version": "v1.4.0",
        "onMissing": "Fail",
        "ttl": {"settled": "soon"},
    });
    let told = sentences(&composite, &input(&spec));
    for want in [
        "spec.id is missing: must be the name of the cluster's provider configuration",
        "spec.parameters.apps.envoyGateway.enabled is missing",
        r#"Input spec.version is "v1.4.0": must be v1.3.1 or v1.5.0"#,
        r#"Input spec.target is "ClusterObject": must be NamespacedObject"#,
        r#"Input spec.ttl.settled is "soon""#,
    ] {
        assert!(told.iter().any(|told| told.starts_with(want)), "{want} is not among {told:#?}");
    }
    assert_eq!(told.len(), 5, "{told:#?}");
}

#[test]
fn an_input_is_judged_without_a_composite() {
    let told = |input: &Document| read_input(input).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        told(&input(&json!({"providerConfigName": "a", "providerConfigNamePath": "spec.id"}))),
        ["Input spec.providerConfigNamePath is set: must be left out where providerConfigName is set"]
    );
    let old = document(json!({"apiVersion": "inference.fn.crossplane.io/v1", "kind": "ClusterExtension"}));
    assert!(is_asked_for(&old));
    assert_eq!(
        told(&old),
        [
            r#"Input apiVersion is "inference.fn.crossplane.io/v1": must be inference.fn.crossplane.io/v1beta1"#
        ]
    );
}

#[test]
fn only_the_block_is_ours() {
    let (path, _) = composite_fields(Some(&input(&json!({"specPath": "spec.has"}))));
    assert_eq!(path.to_string(), "spec.has.gatewayInferenceExtension");
}

fn router(spec: &Value) -> Router {
    wanted(read(&cluster(&enabled()), &input(spec)).unwrap()).router
}

#[test]
fn the_gateway_decides_what_asks_the_router() {
    let gateway = || GatewayPlace { name: "inference".to_owned(), namespace: "gateways".to_owned() };
    let cases = [
        ("EnvoyAIGateway", Caller::Unknown, "gateway-api-inference-extension"),
        ("Istio", Caller::Istio(gateway()), "gateway-api-inference-extension"),
        ("Agentgateway", Caller::Agentgateway(gateway()), "gateway-api-inference-extension"),
        ("GKE", Caller::Gke(gateway()), "gateways"),
        ("NGINX", Caller::Unknown, "gateway-api-inference-extension"),
        ("Other", Caller::Unknown, "gateway-api-inference-extension"),
    ];
    for (implementation, caller, namespace) in cases {
        let gateway = json!({"name": "inference", "namespace": "gateways"});
        let router = router(&json!({"implementation": implementation, "gateway": gateway}));
        assert_eq!((router.caller, router.namespace.as_str()), (caller, namespace), "{implementation}");
    }
}

#[test]
fn a_chart_may_be_anywhere() {
    let chart = |chart: Value| router(&json!({"bodyBasedRouter": {"chart": chart}})).chart;
    let url = "oci://registry.example.com/charts/router:v1";
    assert_eq!(chart(json!({"url": url})), Chart::At(url.to_owned()));
    let Chart::InRepository { repository, name, version } = chart(json!({"version": "v1.5.1"})) else {
        panic!("a version has no place of its own")
    };
    assert!(repository.starts_with("oci://registry.k8s.io/"), "{repository}");
    assert_eq!((name.as_str(), version.as_str()), ("body-based-routing", "v1.5.1"));
    let Chart::InRepository { version, .. } = router(&json!({"version": "v1.5.0"})).chart else { panic!() };
    assert_eq!(version, "v1.5.0", "chart and CRDs are of one release");
}

#[test]
fn what_is_wrong_with_the_router_is_seen_in_the_input_alone() {
    let gateway = json!({"name": "inference", "namespace": "gateways"});
    let cases = [
        (
            json!({"implementation": "Istio"}),
            "Input spec.gateway is missing: must have name and namespace of the Gateway that routes by the model's \
             name, since implementation is Istio; or set bodyBasedRouter.enabled to false",
        ),
        (
            json!({"implementation": "GKE", "gateway": {"name": "inference"}}),
            "Input spec.gateway.namespace is missing: it is required",
        ),
        (
            json!({"implementation": "GKE", "gateway": gateway, "bodyBasedRouter": {"namespace": "router"}}),
            "Input spec.bodyBasedRouter.namespace is \"router\": must be \"gateways\", the Gateway's, since GKE \
             looks for the router there",
        ),
        (
            json!({"bodyBasedRouter": {"chart": {"url": "oci://a/b", "name": "b"}}}),
            "Input spec.bodyBasedRouter.chart.name is set: must be left out where url is set",
        ),
        (
            json!({"bodyBasedRouter": {"chart": {"repository": "https://user:word@example.com"}}}),
            "Input spec.bodyBasedRouter.chart.repository is a URL with credentials, which is not shown: must be an oci, https \
             or http URL without credentials, such as oci://registry.example.com/charts",
        ),
        (
            json!({"bodyBasedRouter": {"values": {"bbr": {"replicas": 3}}}}),
            "Input spec.bodyBasedRouter.values.bbr.replicas is set: must be left out, use bodyBasedRouter.replicas",
        ),
        (
            json!({"bodyBasedRouter": {"values": {"provider": {"name": "istio"}}}}),
            "Input spec.bodyBasedRouter.values.provider is set: must be left out, use implementation",
        ),
        (
            json!({"bodyBasedRouter": {"values": []}}),
            "Input spec.bodyBasedRouter.values is a list of 0: must be an object",
        ),
        (
            json!({"bodyBasedRouter": {"replicas": 0}}),
            "Input spec.bodyBasedRouter.replicas is 0: must be a whole number from 1 to 100",
        ),
    ];
    for (spec, want) in cases {
        let told: Vec<String> = read_input(&input(&spec)).iter().map(ToString::to_string).collect();
        assert_eq!(told, [want]);
        assert_eq!(sentences(&cluster(&enabled()), &input(&spec)), [want], "and once with a composite");
    }
    let off = json!({"implementation": "Istio", "bodyBasedRouter": {"enabled": false}});
    assert!(read_input(&input(&off)).is_empty(), "who has no router needs no Gateway for it");
}
