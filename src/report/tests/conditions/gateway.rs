//! Do requests for the host reach the pool?

use serde_json::{Value, json};

use crate::api::Host;
use crate::api::fixtures::llm;
use crate::api::settings::{Criticality, FailureMode, Implementation, RouteBy, Settings};
use crate::observe::fixtures::cluster;
use crate::plan::keys::Key;
use crate::report::ConditionType::GatewayReady;
use crate::report::Reason;
use crate::report::fixtures::{
    HOST, accepted, ancestor, full, healthy, made, not_made, own_route, route, spoken_of, with_criticality,
};

use super::{Case, case};

const NOT_FOUND: &str = "observe failed: external resource does not exist";

pub(super) fn cases() -> Vec<Case> {
    let standard = || with_criticality(Criticality::Standard);
    let no_listener = ("Accepted", "False", "NoMatchingListenerHostname", "no listener takes it.");
    let no_service = ("ResolvedRefs", "False", "BackendNotFound", "no Service llama");
    let no_picker = ("ResolvedRefs", "False", "InvalidExtensionRef", "no Service");
    let permitted = ("Accepted", "True", "Accepted", "");
    let mut placeholder =
        spoken_of(&json!({}), 2, &[("ResolvedRefs", "False", "InvalidExtensionRef", "no Service")]);
    placeholder["status"]["parents"][0]["parentRef"] = json!({"kind": "Status", "name": "default"});
    vec![
        case(
            "sheddable is a priority too",
            with_criticality(Criticality::Sheddable),
            healthy(),
            (GatewayReady, Reason::PriorityNotEnforced),
            &["InferenceObjective team-a/llama"],
        ),
        case(
            "agentgateway's route names the objective",
            full().on(Implementation::Agentgateway),
            healthy(),
            (GatewayReady, Reason::Accepted),
            &["sends requests"],
        ),
        case(
            "Istio cannot ask the picker without its DestinationRule",
            full().on(Implementation::Istio),
            healthy().broken(Key::GatewayDestinationRule, "no matches for kind \"DestinationRule\""),
            (GatewayReady, Reason::GatewayImplementationNotInstalled),
            &["DestinationRule team-a/llama-epp", "no matches for kind", "Install Istio"],
        ),
        case(
            "NGINX serves without its policy",
            full().on(Implementation::Nginx),
            healthy().broken(Key::GatewayProxySettingsPolicy, "no matches for kind \"ProxySettingsPolicy\""),
            (GatewayReady, Reason::PriorityNotEnforced),
            &[
                "GatewayImplementationNotInstalled",
                "the kind of ProxySettingsPolicy team-a/llama",
                "Install NGINX",
            ],
        ),
        case(
            "NGINX goes on without the picker, whatever the platform asks for",
            full().on(Implementation::Nginx),
            healthy(),
            (GatewayReady, Reason::PriorityNotEnforced),
            &["requests go to any replica, although the platform's Input asks for FailClose: NGINX"],
        ),
        case(
            "Envoy AI Gateway does not go on without the picker, whatever the platform asks for",
            failing_open(standard()),
            healthy(),
            (GatewayReady, Reason::Accepted),
            &["requests fail, although the platform's Input asks for FailOpen: EnvoyAIGateway"],
        ),
        case(
            "the Service beside the pool comes with the model servers",
            full(),
            healthy()
                .holding(Key::VllmRuntime, json!({"metadata": {"generation": 1}}))
                .holding(Key::HttpRoute, route(&[no_service])),
            (GatewayReady, Reason::Pending),
            &["HTTPRoute team-a/llama", "VLLMRuntime team-a/llama", "not there yet"],
        ),
        case(
            "the pool that the route leads to is on its way",
            full(),
            healthy()
                .holding(Key::InferencePool, Value::Null)
                .holding(Key::HttpRoute, route(&[("ResolvedRefs", "False", "BackendNotFound", "no pool")])),
            (GatewayReady, Reason::Pending),
            &["HTTPRoute team-a/llama leads to InferencePool team-a/llama, which is not there yet"],
        ),
        case(
            "the cluster refuses the pool that the route leads to",
            full(),
            healthy()
                .broken(Key::InferencePool, "create failed: forbidden")
                .holding(Key::HttpRoute, route(&[("ResolvedRefs", "False", "BackendNotFound", "no pool")])),
            (GatewayReady, Reason::InferencePoolFailed),
            &["InferencePool team-a/llama cannot be reconciled: create failed: forbidden"],
        ),
        case(
            "the pool's picker is on its way",
            full(),
            healthy()
                .holding(Key::EppService, Value::Null)
                .holding(Key::InferencePool, spoken_of(&json!({}), 2, &[no_picker])),
            (GatewayReady, Reason::Pending),
            &["InferencePool team-a/llama leads to Service team-a/llama-epp, which is not there yet"],
        ),
        case(
            "the picker is there, and the pool does not find it",
            full(),
            healthy().holding(Key::InferencePool, spoken_of(&json!({}), 2, &[no_picker])),
            (GatewayReady, Reason::InferencePoolFailed),
            &["ResolvedRefs is False, InvalidExtensionRef: no Service"],
        ),
        case(
            "what somebody has to mend goes before what is under way",
            full(),
            healthy()
                .holding(Key::Gateway, Value::Null)
                .holding(Key::HttpRoute, route(&[no_listener]))
                .holding(Key::InferencePool, Value::Null),
            (GatewayReady, Reason::HttpRouteFailed),
            &["NoMatchingListenerHostname"],
        ),
        case(
            "the model servers are there, and their Service is not",
            full(),
            healthy().holding(Key::HttpRoute, route(&[no_service])),
            (GatewayReady, Reason::HttpRouteFailed),
            &["BackendNotFound: no Service"],
        ),
        case(
            "the platform could permit a script",
            full(),
            healthy(),
            (GatewayReady, Reason::PriorityNotEnforced),
            &["have the platform's Input permit a script by gateway.priorityHook"],
        ),
        case(
            "elsewhere it could not",
            full().on(Implementation::Istio),
            healthy(),
            (GatewayReady, Reason::PriorityNotEnforced),
            &["or use a gateway implementation with such a hook"],
        ),
        case(
            "a script gives requests their priority",
            full().scripted(),
            healthy(),
            (GatewayReady, Reason::Accepted),
            &["sends requests"],
        ),
        case(
            "Envoy Gateway speaks of a former script",
            full().scripted(),
            healthy().holding(Key::GatewayExtensionPolicy, ancestor(1, &permitted)),
            (GatewayReady, Reason::Pending),
            &["has not said anything about EnvoyExtensionPolicy team-a/llama as it is wanted"],
        ),
        case(
            "the cluster does not know such policies",
            full().scripted(),
            healthy().broken(Key::GatewayExtensionPolicy, "no matches for kind \"EnvoyExtensionPolicy\""),
            (GatewayReady, Reason::GatewayImplementationNotInstalled),
            &["so EnvoyExtensionPolicy team-a/llama cannot be there", "no matches for kind"],
        ),
        case(
            "routed by the model's name on Envoy AI Gateway",
            named(),
            healthy(),
            (GatewayReady, Reason::PriorityNotEnforced),
            &["sends requests for model \"Qwen/Qwen2.5-3B-Instruct\" to InferencePool team-a/llama"],
        ),
        case(
            "routed by the model's name at one host, elsewhere",
            at_host(named().on(Implementation::Agentgateway)),
            healthy(),
            (GatewayReady, Reason::Accepted),
            &["sends requests for model \"Qwen/Qwen2.5-3B-Instruct\" at llama.example.com"],
        ),
        case(
            "Envoy AI Gateway cannot make a route",
            named(),
            healthy().holding(Key::AiGatewayRoute, own_route(&not_made())),
            (GatewayReady, Reason::HttpRouteFailed),
            &[
                "AIGatewayRoute team-a/llama-by-name: ReconciliationFailed, gateway envoy-gateway-system/eg not found.",
            ],
        ),
        case(
            "Envoy AI Gateway has not looked at the route",
            named(),
            healthy().holding(Key::AiGatewayRoute, json!({"metadata": {"generation": 1}})),
            (GatewayReady, Reason::Pending),
            &["has not made a route of AIGatewayRoute team-a/llama-by-name"],
        ),
        case(
            "the route that it makes is not there yet",
            named(),
            healthy()
                .holding(Key::AiGatewayRoute, own_route(&made()))
                .broken(Key::AiGatewayHttpRoute, NOT_FOUND),
            (GatewayReady, Reason::Pending),
            &["has not made a route of AIGatewayRoute team-a/llama-by-name"],
        ),
        case(
            "the Gateway refuses the route that it made",
            named(),
            healthy().holding(Key::AiGatewayHttpRoute, spoken_of(&json!({}), 2, &[no_listener])),
            (GatewayReady, Reason::HttpRouteFailed),
            &["refuses HTTPRoute team-a/llama-by-name: Accepted is False, NoMatchingListenerHostname"],
        ),
        case(
            "the route that it made is for the former host",
            at_host(named()),
            healthy(),
            (GatewayReady, Reason::Pending),
            &["HTTPRoute team-a/llama-by-name as it is wanted"],
        ),
        case(
            "the cluster does not know Envoy AI Gateway's route",
            named(),
            healthy().broken(Key::AiGatewayRoute, "no matches for kind \"AIGatewayRoute\""),
            (GatewayReady, Reason::GatewayImplementationNotInstalled),
            &["so AIGatewayRoute team-a/llama-by-name cannot be there", "no matches for kind"],
        ),
        case(
            "nobody could tell the router about the adapters",
            named().on(Implementation::Istio).adapted(["sql"]),
            healthy()
                .holding(Key::HttpRoute, accepted(&json!({})))
                .broken(Key::AdaptersConfigMap, "forbidden"),
            (GatewayReady, Reason::ObjectNotSynced),
            &["ConfigMap team-a/llama-adapters cannot be reconciled: forbidden"],
        ),
        case(
            "everything but the Gateway itself is observed",
            full(),
            healthy().holding(Key::Gateway, Value::Null),
            (GatewayReady, Reason::Creating),
            &["Gateway envoy-gateway-system/eg is being looked up"],
        ),
        case(
            "no Gateway speaks of a pool before a route names it",
            full(),
            healthy().holding(Key::InferencePool, spoken_of(&json!({}), 2, &[])),
            (GatewayReady, Reason::Pending),
            &["InferencePool team-a/llama as it is wanted"],
        ),
        case(
            "the live route still serves the former host",
            full(),
            healthy().holding(Key::HttpRoute, accepted(&json!({"hostnames": ["old.example.com"]}))),
            (GatewayReady, Reason::Pending),
            &["HTTPRoute team-a/llama as it is wanted"],
        ),
        case(
            "there is no Gateway API",
            full(),
            cluster()
                .broken(Key::Gateway, "observe failed: cannot get object: no matches for kind \"Gateway\""),
            (GatewayReady, Reason::GatewayApiNotInstalled),
            &["no matches for kind", "Install the CRDs of Gateway API"],
        ),
        case(
            "the cluster does not know pools",
            full(),
            healthy().broken(Key::InferencePool, "no matches for kind \"InferencePool\""),
            (GatewayReady, Reason::InferenceExtensionNotInstalled),
            &["the cluster of provider config", "does not know the kind InferencePool"],
        ),
        case(
            "a controller complains of a pool that no Gateway refers to",
            full(),
            healthy().holding(Key::InferencePool, placeholder),
            (GatewayReady, Reason::InferencePoolFailed),
            &["ResolvedRefs is False, InvalidExtensionRef: no Service"],
        ),
        case(
            "no listener for the host",
            full(),
            healthy().holding(Key::HttpRoute, route(&[no_listener])),
            (GatewayReady, Reason::HttpRouteFailed),
            &["HTTPRoute team-a/llama: Accepted is False, NoMatchingListenerHostname: no listener takes it."],
        ),
        case(
            "the route cannot be applied",
            full(),
            healthy().broken(Key::HttpRoute, "create failed: forbidden"),
            (GatewayReady, Reason::HttpRouteFailed),
            &["HTTPRoute team-a/llama cannot be reconciled: create failed: forbidden"],
        ),
    ]
}

fn named() -> Settings {
    llm().named()
}

fn at_host(mut settings: Settings) -> Settings {
    settings.routing.as_mut().unwrap().by = RouteBy::ModelName(Host::parse(HOST));
    settings
}

fn failing_open(mut settings: Settings) -> Settings {
    settings.routing.as_mut().unwrap().picker.failure_mode = FailureMode::FailOpen;
    settings
}
