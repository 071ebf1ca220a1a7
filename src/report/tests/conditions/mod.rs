//! What tells one case of a reason from another, and what its message must have; `tests/scenarios` has every reason.
#![expect(clippy::too_many_lines, reason = "tables")]

mod gateway;
mod picker;
mod scaling;
mod workload;

use std::collections::BTreeSet;

use serde_json::json;

use crate::api::fixtures::llm;
use crate::api::settings::{Criticality, Implementation, PickerFamily, Settings};
use crate::observe::fixtures::{Cluster, cluster};
use crate::plan::keys::Key;
use crate::plan::plan;
use crate::protocol::to_struct;
use crate::report::fixtures::{HOST, condition, full, gateway, healthy, planned, runtime, said};
use crate::report::{CATALOGUE, ConditionType, Reason, Truth, fatal, invalid, report};

use ConditionType::{EndpointPickerReady, GatewayReady, ScalingReady, WorkloadReady};

struct Case {
    reason: &'static str,
    settings: Settings,
    cluster: Cluster,
    kind: ConditionType,
    want: Reason,
    /// Words that the message must have.
    says: &'static [&'static str],
}

fn case(
    reason: &'static str,
    settings: Settings,
    cluster: Cluster,
    (kind, want): (ConditionType, Reason),
    says: &'static [&'static str],
) -> Case {
    Case { reason, settings, cluster, kind, want, says }
}

fn cases() -> Vec<Case> {
    [workload::cases(), picker::cases(), gateway::cases(), scaling::cases()].into_iter().flatten().collect()
}

#[test]
fn conditions_say_what_is_the_case_and_what_to_do() {
    for Case { reason, settings, cluster, kind, want, says } in cases() {
        let report = said(&settings, &cluster);
        let got = condition(&report, kind);
        assert_eq!(got.reason, want, "{kind:?}: {reason}: {}", got.message);
        for words in says {
            assert!(got.message.contains(words), "{kind:?}: {reason}: {words:?} is not in {:?}", got.message);
        }
        assert!(got.message.ends_with('.') && !got.message.contains(".."), "{reason}: {:?}", got.message);
    }
}

/// The plan withholds the autoscaler only because of what is observed.
#[test]
fn an_autoscaler_that_would_do_harm_is_withheld_and_says_so() {
    let mut unscalable = runtime(2, 2);
    unscalable["spec"]["deploymentConfig"] = json!({"replicas": 2});
    let cases = [
        (
            runtime(2, 2),
            Some(2),
            Reason::HandoverPending,
            "the replica count of 2 of VLLMRuntime team-a/llama",
        ),
        (unscalable, None, Reason::TargetNotScalable, "stub CRD"),
    ];
    for (live, asked, want, says) in cases {
        let mut observed = cluster().holding(Key::VllmRuntime, live).observed();
        observed.objects.get_mut(&Key::VllmRuntime).unwrap().asked.replicas = asked;
        let plan = plan(&full(), &observed).unwrap();
        let report = report(&plan, &observed);
        let got = condition(&report, ScalingReady);
        assert_eq!(got.reason, want);
        assert!(got.message.contains(says), "{:?}", got.message);
        assert!(!report.ready.contains_key(&Key::ScaledObject), "what is withheld is not in the plan");
        assert_eq!(condition(&report, WorkloadReady).reason, Reason::Available, "it serves all the same");
    }
}

/// Crossplane tells nobody but the composite what it cannot apply, and looks the Gateway up itself.
#[test]
fn without_objects_messages_speak_of_none() {
    let settings = full().direct();
    let nothing = said(&settings, &cluster());
    for kind in [WorkloadReady, EndpointPickerReady, ScalingReady] {
        let got = condition(&nothing, kind);
        assert_eq!(got.reason, Reason::Creating);
        assert!(!got.message.contains(" Object ") && !got.message.contains("provider"), "{:?}", got.message);
        assert!(
            got.message.contains("Crossplane says in this resource's condition Synced"),
            "{:?}",
            got.message
        );
    }

    let mut observed = healthy().directly().observed();
    observed.objects.remove(&Key::Gateway);
    let plan = planned(&settings);
    let unknown = report(&plan, &observed);
    let got = condition(&unknown, GatewayReady);
    assert_eq!(got.reason, Reason::Creating);
    assert!(got.message.contains("is being looked up"), "{:?}", got.message);

    observed.look_up(Key::Gateway, None).unwrap();
    let missing = report(&plan, &observed);
    let got = condition(&missing, GatewayReady);
    assert_eq!(got.reason, Reason::NoGateway);
    let want = "Routing: there is no Gateway envoy-gateway-system/eg on the target cluster. Install it, ";
    assert!(got.message.starts_with(want), "{:?}", got.message);
    assert_eq!(missing.status.url, None, "never guessed");

    let gateway = to_struct(&gateway()).unwrap();
    observed.look_up(Key::Gateway, Some(&gateway)).unwrap();
    let found = report(&plan, &observed);
    assert_eq!(condition(&found, GatewayReady).reason, Reason::PriorityNotEnforced);
    assert_eq!(found.status.url.as_deref(), Some("http://llama.example.com"));
    assert!(found.settled && found.ready.values().all(|ready| *ready), "{:?}", found.ready);
}

/// Where the Gateway does name the objective, the picker may still not act on it.
#[test]
fn a_priority_that_the_picker_does_not_act_on_says_so() {
    let cases = [
        (PickerFamily::Gie1_3, Reason::PriorityNotEnforced, "cannot bound them for one priority"),
        (PickerFamily::Gie1_5, Reason::Accepted, "sends requests for llama.example.com"),
    ];
    for (family, want, says) in cases {
        let mut settings = llm().hosted(HOST).on(Implementation::Agentgateway).scaled(0, 4);
        settings.model.criticality = Criticality::Sheddable;
        settings.model.priority = -10;
        settings.routing.as_mut().unwrap().picker.family = Some(family);
        let report = said(&settings, &healthy());
        let got = condition(&report, GatewayReady);
        assert_eq!(got.reason, want, "{family:?}");
        assert!(got.message.contains(says), "{family:?}: {:?}", got.message);
    }
}

/// Switched on for a model that was stopped, scaling starts it once the count is handed over.
#[test]
fn a_stopped_model_whose_autoscaler_is_withheld_does_not_blame_the_spec() {
    let mut observed = cluster().holding(Key::VllmRuntime, runtime(0, 0)).observed();
    observed.objects.get_mut(&Key::VllmRuntime).unwrap().asked.replicas = Some(0);
    let report = report(&plan(&full(), &observed).unwrap(), &observed);
    let got = condition(&report, WorkloadReady);
    assert_eq!(got.reason, Reason::Stopped);
    assert!(got.message.contains("withheld: see ScalingReady"), "{:?}", got.message);
}

/// The page is for people; this keeps it from lagging behind.
#[test]
fn the_documented_catalogue_is_this_one() {
    let page = include_str!("../../../../docs/conditions.md");
    let mut documented = Vec::new();
    let mut kind = None;
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            kind = ConditionType::ALL.into_iter().find(|kind| heading == format!("`{}`", kind.as_str()));
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let (Some(kind), [reason, status, cause, cure]) = (kind, cells.as_slice())
            && let Some(reason) = reason.strip_prefix('`').and_then(|reason| reason.strip_suffix('`'))
        {
            assert!(!cause.is_empty() && !cure.is_empty(), "{kind:?} {reason} lacks cause or cure");
            documented.push((kind, reason.to_owned(), (*status).to_owned()));
        }
    }
    let catalogue: Vec<_> = CATALOGUE
        .iter()
        .flat_map(|(kind, reasons)| {
            reasons
                .iter()
                .map(|reason| (*kind, reason.as_str().to_owned(), reason.truth().as_str().to_owned()))
        })
        .collect();
    assert_eq!(documented, catalogue);

    let rest =
        page.lines().find(|line| line.starts_with("Nothing changes by itself while all reasons are among"));
    let rests: BTreeSet<&str> =
        rest.unwrap().split('`').skip(1).step_by(2).filter(|word| *word != "ttl.settled").collect();
    let reasons = CATALOGUE.iter().flat_map(|(_, reasons)| *reasons);
    let settled: BTreeSet<&str> = reasons
        // A Fatal result is not asked about again by its time to live.
        .filter(|reason| reason.is_settled() && !matches!(reason, Reason::InvalidSpec | Reason::FatalError))
        .map(|reason| reason.as_str())
        .collect();
    assert_eq!(rests, settled);
}

#[test]
fn a_fatal_result_leaves_all_four_unknown() {
    let cases = [
        (invalid("spec.minReplicas is 3"), Reason::InvalidSpec, "spec.minReplicas is 3"),
        (fatal("cannot read it"), Reason::FatalError, "cannot read it"),
    ];
    for (conditions, reason, message) in cases {
        assert_eq!(conditions.each_ref().map(|condition| condition.kind), ConditionType::ALL);
        for condition in conditions {
            assert_eq!((condition.reason, condition.truth()), (reason, Truth::Unknown));
            assert_eq!(condition.message, message);
        }
    }
}
