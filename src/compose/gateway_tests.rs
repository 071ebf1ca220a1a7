//! What each implementation of a Gateway gets.

use serde_json::{Map, Value, json};

use crate::api::fixtures::llm;
use crate::api::settings::{Backend, Implementation, PickerFamily, Settings};
use crate::observe::Observed;
use crate::plan::plan;

use super::compose;

/// What differs between implementations in what is composed for a routed model that may sleep, so that its requests may
/// take 900 s.
#[test]
fn each_implementation_gets_the_route_and_the_objects_that_it_understands() {
    struct Case {
        implementation: Implementation,
        timeouts: Value,
        filters: usize,
        companions: &'static [(&'static str, &'static str)],
        reason: &'static str,
    }
    let on_route = || json!({"request": "15m"});
    let cases = [
        Case {
            implementation: Implementation::EnvoyAiGateway,
            timeouts: on_route(),
            filters: 0,
            companions: &[],
            reason: "without a timeout Envoy's own of 15 s would count",
        },
        Case {
            implementation: Implementation::Istio,
            timeouts: on_route(),
            filters: 0,
            companions: &[("gateway_destination_rule", "networking.istio.io/v1 DestinationRule llama-epp")],
            reason: "Istio would ask the picker in plain text",
        },
        Case {
            implementation: Implementation::Agentgateway,
            timeouts: on_route(),
            filters: 1,
            companions: &[],
            reason: "agentgateway runs filters of the route before it asks the picker",
        },
        Case {
            implementation: Implementation::Gke,
            timeouts: Value::Null,
            filters: 0,
            companions: &[
                ("gateway_backend_policy", "networking.gke.io/v1 GCPBackendPolicy llama"),
                ("gateway_health_check_policy", "networking.gke.io/v1 HealthCheckPolicy llama"),
                ("gateway_service_backend_policy", "networking.gke.io/v1 GCPBackendPolicy llama-service"),
                (
                    "gateway_service_health_check_policy",
                    "networking.gke.io/v1 HealthCheckPolicy llama-service",
                ),
            ],
            reason: "GKE takes no timeouts on a route, and would ask engines for / to see if they are healthy",
        },
        Case {
            implementation: Implementation::Nginx,
            timeouts: Value::Null,
            filters: 0,
            companions: &[(
                "gateway_proxy_settings_policy",
                "gateway.nginx.org/v1alpha1 ProxySettingsPolicy llama",
            )],
            reason: "NGINX takes no timeouts on a route, and keeps answers back",
        },
        Case {
            implementation: Implementation::Other,
            timeouts: on_route(),
            filters: 0,
            companions: &[],
            reason: "what Gateway API promises",
        },
    ];
    for Case { implementation, timeouts, filters, companions, reason } in cases {
        let settings = llm().hosted("llama.example.com").scaled(0, 3).on(implementation);
        let stack = stack(&settings);
        let rules = stack["http_route"]["spec"]["rules"].as_array().unwrap();
        let [inference, others] = rules.as_slice() else { panic!("{rules:#?}") };
        for rule in rules {
            assert_eq!(rule["timeouts"], timeouts, "{implementation:?}: {reason}");
        }
        let filters_of = |rule: &Value| rule["filters"].as_array().map_or(0, Vec::len);
        assert_eq!(filters_of(inference), filters, "{implementation:?}: {reason}");
        assert_eq!(filters_of(others), 0, "what goes past the picker has no priority");
        let pool = json!({
            "group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "llama", "weight": 1,
        });
        assert_eq!(inference["backendRefs"], json!([pool]), "one pool a rule, whose own ports count");
        let service = json!({"group": "", "kind": "Service", "name": "llama", "port": 80, "weight": 1});
        assert_eq!(others["backendRefs"], json!([service]), "{implementation:?}");
        let composed: Vec<(&str, String)> = stack
            .iter()
            .filter(|(key, _)| key.starts_with("gateway_"))
            .map(|(key, object)| (key.as_str(), described(object)))
            .collect();
        let companions: Vec<(&str, String)> =
            companions.iter().map(|(key, object)| (*key, (*object).to_owned())).collect();
        assert_eq!(composed, companions, "{implementation:?}: {reason}");
    }
}

#[test]
fn companions_are_about_this_model_alone_and_say_what_the_route_cannot() {
    let of = |implementation| stack(&llm().hosted("llama.example.com").scaled(0, 3).on(implementation));

    let istio = of(Implementation::Istio);
    assert_eq!(
        istio["gateway_destination_rule"]["spec"],
        json!({"host": "llama-epp", "trafficPolicy": {"tls": {"mode": "SIMPLE", "insecureSkipVerify": true}}}),
    );

    let gke = of(Implementation::Gke);
    let pool = json!({"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "llama"});
    let check = json!({"requestPath": "/health", "portSpecification": "USE_FIXED_PORT", "port": 8000});
    assert_eq!(
        gke["gateway_health_check_policy"]["spec"],
        json!({
            "targetRef": pool,
            "default": {"checkIntervalSec": 2, "timeoutSec": 2, "config": {"type": "HTTP", "httpHealthCheck": check}},
        }),
    );
    assert_eq!(
        gke["gateway_backend_policy"]["spec"],
        json!({"targetRef": pool, "default": {"timeoutSec": 900}})
    );

    for policy in ["gateway_service_health_check_policy", "gateway_service_backend_policy"] {
        let service = json!({"group": "", "kind": "Service", "name": "llama"});
        assert_eq!(gke[policy]["spec"]["targetRef"], service, "requests go past the picker too");
    }

    let nginx = of(Implementation::Nginx);
    assert_eq!(
        nginx["gateway_proxy_settings_policy"]["spec"],
        json!({
            "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "llama"}],
            "buffering": {"disable": true},
            "timeout": {"read": "900s"},
        }),
    );

    let agentgateway = of(Implementation::Agentgateway);
    assert_eq!(
        agentgateway["http_route"]["spec"]["rules"][0]["filters"],
        json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {
            "set": [{"name": "x-gateway-inference-objective", "value": "llama"}],
            "remove": ["x-gateway-inference-fairness-id", "x-gateway-model-name-rewrite"],
        }}]),
        "a client that sends the objective's header itself is overruled",
    );
    assert_eq!(agentgateway["inference_objective"]["metadata"]["name"], "llama", "the header names it");
}

/// The picker gets what it understands, and the model servers all else: a request without a body would end in an error
/// at zero replicas, and one of another form in a refusal.
#[test]
fn only_requests_that_the_picker_understands_go_to_it() {
    let (openai, newer) = (["/v1/completions", "/v1/chat/completions"], ["/v1/responses", "/v1/embeddings"]);
    let cases = [
        (PickerFamily::Gie1_3, openai.to_vec(), "bodies have a prompt or messages"),
        (PickerFamily::Gie1_4, [&openai[..], &newer[..1]].concat(), "and responses"),
        (PickerFamily::Gie1_5, [&openai[..], &newer].concat(), "and embeddings"),
        (
            PickerFamily::LlmD0_10,
            [&openai[..], &newer, &["/v1/messages", "/inference/v1/generate"]].concat(),
            "and Anthropic's form, and vLLM's own",
        ),
    ];
    for (family, paths, reason) in cases {
        let mut settings = llm().hosted("llama.example.com");
        settings.routing.as_mut().unwrap().picker.family = Some(family);
        let stack = stack(&settings);
        let matches = |rule: usize| &stack["http_route"]["spec"]["rules"][rule]["matches"];
        let exact = |path: &&str| json!({"path": {"type": "Exact", "value": path}});
        let inference: Vec<Value> = paths.iter().map(exact).collect();
        assert_eq!(*matches(0), json!(inference), "{family:?}: {reason}");
        assert_eq!(*matches(1), json!([{"path": {"type": "PathPrefix", "value": "/"}}]), "{family:?}");
    }
}

/// Lua filters run before the picker is asked, and the policy is about this model's route alone.
#[test]
fn a_script_gives_requests_their_priority_where_the_platform_permits_it() {
    let cases = [
        (
            PickerFamily::Gie1_3,
            "function envoy_on_request(request_handle)\n  local headers = request_handle:headers()\n  \
             headers:replace(\"x-gateway-inference-objective\", \"llama\")\n  \
             headers:remove(\"x-gateway-inference-fairness-id\")\n  \
             headers:remove(\"x-gateway-model-name-rewrite\")\nend\n",
        ),
        (
            PickerFamily::LlmD0_10,
            "function envoy_on_request(request_handle)\n  local headers = request_handle:headers()\n  \
             headers:replace(\"x-llm-d-inference-objective\", \"llama\")\n  \
             headers:remove(\"x-gateway-inference-objective\")\n  \
             headers:remove(\"x-llm-d-inference-fairness-id\")\n  \
             headers:remove(\"x-gateway-inference-fairness-id\")\n  \
             headers:remove(\"x-llm-d-model-name-rewrite\")\n  \
             headers:remove(\"x-gateway-model-name-rewrite\")\nend\n",
        ),
    ];
    for (family, script) in cases {
        let mut settings = llm().hosted("llama.example.com").scripted();
        settings.routing.as_mut().unwrap().picker.family = Some(family);
        let stack = stack(&settings);
        assert_eq!(
            stack["gateway_extension_policy"]["spec"],
            json!({
                "targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "llama"}],
                "lua": [{"type": "Inline", "inline": script}],
            }),
            "{family:?}"
        );
    }
    let silent = stack(&llm().hosted("llama.example.com"));
    assert_eq!(silent.get("gateway_extension_policy"), None, "a refused script would take the model away");
}

/// The Gateway is shared with other models, with or without a host.
#[test]
fn a_model_may_be_routed_by_its_name() {
    let two = || llm().named().adapted(["sql", "poetry"]);
    let qwen = "Qwen/Qwen2.5-3B-Instruct";
    let header = |name: &str, value: &str| json!([{"type": "Exact", "name": name, "value": value}]);
    let pool = json!({
        "group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "llama", "weight": 1,
    });

    let envoy = stack(&two());
    assert_eq!(envoy.get("http_route"), None, "the same requests would lead two ways");
    assert_eq!(
        described(&envoy["ai_gateway_route"]),
        "aigateway.envoyproxy.io/v1alpha1 AIGatewayRoute llama-by-name"
    );
    let ai = |name| json!({"headers": header("x-ai-eg-model", name)});
    assert_eq!(
        envoy["ai_gateway_route"]["spec"],
        json!({
            "parentRefs": [{
                "group": "gateway.networking.k8s.io", "kind": "Gateway",
                "name": "eg", "namespace": "envoy-gateway-system",
            }],
            "rules": [{
                "matches": [ai(qwen), ai("sql"), ai("poetry")],
                "backendRefs": [pool],
                "timeouts": {"request": "5m"},
            }],
        }),
        "one pool a rule, and no host"
    );
    assert_eq!(
        envoy["ai_gateway_http_route"],
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "llama-by-name", "namespace": "team-a"},
        }),
        "what Envoy AI Gateway makes of it has its name, and is only looked at"
    );
    assert_eq!(envoy.get("adapters_config_map"), None, "no router reads it");

    for implementation in [Implementation::Istio, Implementation::Gke, Implementation::Other] {
        let stack = stack(&two().on(implementation));
        assert_eq!(stack.get("ai_gateway_route"), None, "{implementation:?}");
        let rules = &stack["http_route"]["spec"]["rules"];
        let chat = json!({"type": "Exact", "value": "/v1/chat/completions"});
        let itself = header("X-Gateway-Model-Name", qwen);
        let adapted = header("X-Gateway-Base-Model-Name", qwen);
        assert_eq!(rules[0]["matches"][1], json!({"path": chat, "headers": itself}), "{implementation:?}");
        assert_eq!(rules[0]["matches"][3], json!({"path": chat, "headers": adapted}), "{implementation:?}");
        assert_eq!(rules[0]["backendRefs"], json!([pool]), "{implementation:?}");
        let any = json!({"type": "PathPrefix", "value": "/"});
        assert_eq!(
            rules[1]["matches"],
            json!([{"path": any, "headers": itself}, {"path": any, "headers": adapted}]),
            "what names another model, or none, is not for this one"
        );
        assert_eq!(stack["http_route"]["spec"].get("hostnames"), None, "{implementation:?}");
        let map = &stack["adapters_config_map"];
        assert_eq!(described(map), "v1 ConfigMap llama-adapters");
        assert_eq!(map["data"], json!({"baseModel": qwen, "adapters": r#"["sql","poetry"]"#}));
        assert_eq!(
            map["metadata"]["labels"],
            json!({
                "inference-gateway.k8s.io/managed": "true",
                "inference.networking.k8s.io/bbr-managed": "true",
                "inference.llm-d.ai/ipp-managed": "true",
            }),
            "each release of the router looks for its own"
        );
        assert_eq!(self::stack(&llm().named().on(implementation)).get("adapters_config_map"), None);
    }

    let agentgateway = stack(&two().on(Implementation::Agentgateway));
    assert_eq!(agentgateway.get("adapters_config_map"), None, "no router reads it");
    let rules = &agentgateway["http_route"]["spec"]["rules"];
    assert_eq!(rules[1]["matches"][2]["headers"], header("X-Gateway-Model-Name", "poetry"));
    assert_eq!(rules[0]["filters"][0]["type"], "RequestHeaderModifier", "its priority acts here too");
}

/// Clients send the name that leads to the model, so it has to answer to it.
#[test]
fn a_model_answers_to_the_name_that_it_is_routed_by() {
    let mut settings = llm().named();
    settings.model.alias = Some("chat".to_owned());
    let names = ["--served-model-name", "Qwen/Qwen2.5-3B-Instruct", "chat"];
    let runtime = stack(&settings);
    assert_eq!(runtime["vllm_runtime"]["spec"]["vllmConfig"]["extraArgs"], json!(names));
    assert_eq!(
        runtime["ai_gateway_route"]["spec"]["rules"][0]["matches"][0]["headers"][0]["value"], "chat",
        "not to the other one, which another model on that Gateway may have too"
    );
    settings.backend = Backend::Deployment;
    let deployed = stack(&settings);
    let arguments = &deployed["model_deployment"]["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(arguments.as_array().unwrap()[1..4], json!(names).as_array().unwrap()[..]);
}

/// What is composed, by its key.
fn stack(settings: &Settings) -> Map<String, Value> {
    let plan = plan(settings, &Observed::default()).unwrap();
    let composed = compose(&plan).unwrap().into_iter();
    composed.map(|it| (it.key.as_str().to_owned(), serde_json::to_value(&it.manifest).unwrap())).collect()
}

/// `group/version Kind name`.
fn described(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap();
    format!("{} {} {}", text("/apiVersion"), text("/kind"), text("/metadata/name"))
}
