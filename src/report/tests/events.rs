//! News, once.
#![expect(clippy::too_many_lines, reason = "tables")]

use serde_json::Value;

use crate::api::fixtures::llm;
use crate::api::settings::{Criticality, Settings};
use crate::observe::fixtures::{Cluster, cluster};
use crate::plan::keys::Key;
use crate::report::Severity;
use crate::report::fixtures::{
    HOST, asleep, full, healthy, route, runtime, said, with_criticality, with_ingress,
};

struct Case {
    reason: &'static str,
    settings: Settings,
    cluster: Cluster,
    want: Vec<(Severity, &'static str)>,
}

#[test]
fn events_come_with_changes_only() {
    let ready = |cluster: Cluster| {
        cluster
            .before("WorkloadReady", "True", "Available")
            .before("EndpointPickerReady", "True", "Available")
            .before("GatewayReady", "True", "Accepted")
            .before("ScalingReady", "True", "ScalerReady")
    };
    let standard = with_criticality(Criticality::Standard);
    let unrouted = |cluster: Cluster| {
        cluster.before("EndpointPickerReady", "Unknown", "NotRequested").before(
            "GatewayReady",
            "Unknown",
            "NotRequested",
        )
    };
    let cases = vec![
        Case {
            reason: "nothing has changed",
            settings: standard.clone(),
            cluster: ready(healthy()),
            want: vec![],
        },
        Case {
            reason: "the first call has nothing to tell: all is on its way or was not asked for",
            settings: llm(),
            cluster: cluster(),
            want: vec![],
        },
        Case { reason: "nor has that of a full stack", settings: full(), cluster: cluster(), want: vec![] },
        Case {
            reason: "what cannot work is told at once",
            settings: llm().scaled(0, 4),
            cluster: cluster(),
            want: vec![(Severity::Warning, "NoWakeUp")],
        },
        Case {
            reason: "one step on the way up after the other",
            settings: llm(),
            cluster: unrouted(cluster().holding(Key::VllmRuntime, runtime(1, 0))).before(
                "WorkloadReady",
                "False",
                "Creating",
            ),
            want: vec![],
        },
        Case {
            reason: "it serves",
            settings: llm(),
            cluster: unrouted(cluster().holding(Key::VllmRuntime, runtime(1, 1))).before(
                "WorkloadReady",
                "False",
                "Starting",
            ),
            want: vec![(Severity::Normal, "Available")],
        },
        Case {
            reason: "it does not serve any more",
            settings: standard.clone(),
            cluster: ready(healthy().holding(Key::VllmRuntime, runtime(2, 0))),
            want: vec![(Severity::Warning, "NotServing")],
        },
        Case {
            reason: "one kind of trouble after another",
            settings: llm(),
            cluster: cluster().broken(Key::VllmRuntime, "not reached").before(
                "WorkloadReady",
                "False",
                "NotServing",
            ),
            want: vec![(Severity::Warning, "ObjectNotSynced")],
        },
        Case {
            reason: "somebody deleted it: back to where it started is bad news",
            settings: standard.clone(),
            cluster: ready(healthy().holding(Key::VllmRuntime, Value::Null)),
            want: vec![(Severity::Warning, "Creating")],
        },
        Case {
            reason: "it fell asleep",
            settings: asleep(300),
            cluster: ready(healthy().holding(Key::VllmRuntime, runtime(0, 0))).before(
                "GatewayReady",
                "True",
                "PriorityNotEnforced",
            ),
            want: vec![(Severity::Normal, "ScaledToZero")],
        },
        Case {
            reason: "a model that wakes up does what it should",
            settings: llm().hosted(HOST).scaled(0, 4),
            cluster: healthy()
                .holding(Key::VllmRuntime, runtime(1, 0))
                .before("WorkloadReady", "True", "ScaledToZero")
                .before("EndpointPickerReady", "True", "Available")
                .before("GatewayReady", "True", "PriorityNotEnforced")
                .before("ScalingReady", "True", "ScalerReady"),
            want: vec![(Severity::Normal, "Waking")],
        },
        Case {
            reason: "routing was switched off: that was asked for",
            settings: llm(),
            cluster: ready(healthy()),
            want: vec![],
        },
        Case {
            reason: "Crossplane put its own word there while an earlier step failed",
            settings: llm(),
            cluster: cluster().holding(Key::VllmRuntime, runtime(1, 1)).before(
                "WorkloadReady",
                "Unknown",
                "FatalError",
            ),
            want: vec![(Severity::Normal, "Available")],
        },
    ];
    for Case { reason, settings, cluster, want } in cases {
        let events: Vec<_> = said(&settings, &cluster)
            .events
            .into_iter()
            .map(|event| (event.severity, event.reason))
            .collect();
        assert_eq!(events, want, "{reason}");
    }
}

/// One layer after the other is mended, from the Gateway on: what is told first is always the next one.
#[test]
fn what_is_told_first_is_the_first_thing_in_a_requests_way_that_is_broken() {
    let why = "update failed: cannot apply object: forbidden";
    let whole = healthy();
    let layers = [
        (Key::Gateway, "Gateway envoy-gateway-system/eg", "ObjectNotSynced"),
        (Key::HttpRoute, "HTTPRoute team-a/llama", "HTTPRouteFailed"),
        (Key::InferencePool, "InferencePool team-a/llama", "InferencePoolFailed"),
        (Key::EppDeployment, "Deployment team-a/llama-epp", "ObjectNotSynced"),
        (Key::VllmRuntime, "VLLMRuntime team-a/llama", "ObjectNotSynced"),
        (Key::ScaledObject, "ScaledObject team-a/llama", "ObjectNotSynced"),
    ];
    for mended in 0..=layers.len() {
        let broken = layers[mended..].iter();
        let cluster = broken
            .fold(whole.clone(), |cluster, (key, _, _)| cluster.broken(*key, why))
            .before("WorkloadReady", "True", "Available")
            .before("EndpointPickerReady", "True", "Available")
            .before("GatewayReady", "True", "Accepted")
            .before("ScalingReady", "True", "ScalerReady");
        let told = said(&with_criticality(Criticality::Standard), &cluster).events;
        let Some((_, object, reason)) = layers.get(mended) else {
            assert_eq!(told, [], "all is well again");
            continue;
        };
        assert_eq!((told[0].severity, told[0].reason), (Severity::Warning, *reason), "{object}");
        let want = format!("{object} cannot be reconciled: update failed: cannot apply object: forbidden.");
        assert!(told[0].message.contains(&want), "{:?}", told[0].message);
    }
}

#[test]
fn an_ingress_can_go_once_the_route_is_accepted() {
    let settings = with_ingress(with_criticality(Criticality::Standard));
    let before = |status, reason| {
        healthy()
            .before("WorkloadReady", "True", "Available")
            .before("EndpointPickerReady", "True", "Available")
            .before("GatewayReady", status, reason)
            .before("ScalingReady", "True", "ScalerReady")
    };
    let events = said(&settings, &before("False", "Pending")).events;
    let [accepted, replaced] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(accepted.reason, "Accepted");
    assert_eq!((replaced.severity, replaced.reason), (Severity::Normal, "IngressReplaced"));
    for words in
        ["Ingress team-a/llama", "http://llama.example.com", "old.example.com", "remove spec.ingressHost"]
    {
        assert!(replaced.message.contains(words), "{words:?} is not in {:?}", replaced.message);
    }
    assert_eq!(said(&settings, &before("True", "Accepted")).events, [], "once is enough");
    let waiting = before("False", "Pending").holding(Key::HttpRoute, route(&[]));
    assert_eq!(said(&settings, &waiting).events, [], "clients still need it");
}
