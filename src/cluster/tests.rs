use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::crds::{Bundle, Hold, hold};
use super::fixtures::{OWNER, arrived, extension, live};
use super::report::{CONDITION, Condition, Reason};
use super::{Answer, Definition, Key, Observed, ObservedCrd, extend};
use crate::api::settings::{Extension, InferenceRelease, MissingFlag};
use crate::observe::{ObservedCondition, Synced};
use crate::report::Severity;

fn lacking_envoy() -> Extension {
    let mut extension = extension();
    if let Some(wanted) = &mut extension.wanted {
        wanted.missing = vec![MissingFlag { path: "spec.y".to_owned(), seen: "false".to_owned() }];
    }
    extension
}

fn failing(why: &str, managed: bool) -> ObservedCrd {
    ObservedCrd { synced: Some(Synced::False(why.to_owned())), managed, whole: managed, last_seen: None }
}

fn absent() -> ObservedCrd {
    failing("observe failed: external resource does not exist", false)
}

/// The provider has read that one, and cannot lay over it what the Object holds.
fn refused(crd: ObservedCrd) -> ObservedCrd {
    let why =
        "observe failed: cannot get desired state: cannot dry run SSA: CustomResourceDefinition is invalid";
    ObservedCrd { last_seen: crd.last_seen, ..failing(why, false) }
}

fn with(crd: Option<ObservedCrd>) -> Observed {
    Observed {
        crds: crd.map(|crd| (Definition::InferencePool, crd)).into_iter().collect(),
        ..Observed::default()
    }
}

#[test]
fn keys_are_api_and_this_list_changes_only_in_a_breaking_release() {
    assert_eq!(
        Key::ALL.map(Key::as_str),
        [
            "inference_pool_crd",
            "inference_objective_crd",
            "inference_model_rewrite_crd",
            "body_based_router",
            "body_based_router_deployment",
            "body_based_router_disruption_budget",
            "body_based_router_destination_rule",
            "body_based_router_filter",
            "body_based_router_policy",
            "gateways",
        ]
    );
    assert!(Key::ALL.into_iter().all(|key| Key::parse(key.as_str()) == Some(key)));
}

/// One wrong answer here breaks every pool on a cluster.
#[test]
fn a_crd_is_written_only_where_nobody_loses_by_it() {
    use Hold::{Manage, Observe};

    let stale = ObservedCrd { synced: None, ..live(Some("v1.2.0"), None) };
    let mut unreachable = failing("connection refused", true);
    unreachable.last_seen = live(Some("v1.2.0"), None).last_seen;
    let refused_older = refused(live(Some("v1.2.0"), Some(OWNER)));
    let refused = refused(live(Some("v1.3.1"), Some(OWNER)));
    let written = ObservedCrd { managed: true, whole: true, ..live(Some("v1.3.1"), Some(OWNER)) };
    let cases = [
        (None, Observe, "nobody has looked yet"),
        (Some(refused), Observe, "it is as we left it when the extension was switched off"),
        (Some(ObservedCrd::default()), Observe, "the provider has not said anything"),
        (Some(stale), Observe, "what was seen may be out of date"),
        (Some(absent()), Manage, "there is none"),
        (Some(failing("connection refused", false)), Observe, "nobody knows whether there is one"),
        (Some(unreachable), Manage, "what was decided stays, or it would be taken back and forth"),
        (Some(live(Some("v1.2.0"), None)), Manage, "older"),
        (Some(refused_older), Manage, "likewise, and it is older than what the platform asks for now"),
        (Some(written), Observe, "ours: who may write takes back at once what somebody brings"),
        (Some(live(Some("v1.3.1"), None)), Observe, "two writers would take turns"),
        (Some(live(Some("v1.3.1"), Some("clusters/other"))), Observe, "as would two clusters' composites"),
        (Some(live(Some("v1.5.0"), Some(OWNER))), Observe, "newer, even if we wrote it once"),
        (Some(live(Some("v1.10.0"), None)), Observe, "newer by number, not by letter"),
        (Some(live(Some("main"), None)), Observe, "cannot be compared"),
        (Some(live(None, None)), Observe, "does not say what it is"),
    ];
    for (crd, want, reason) in cases {
        assert_eq!(hold(crd.as_ref(), InferenceRelease::V1_3_1), want, "{reason}");
    }
}

#[test]
fn bundles_are_compared_by_their_numbers() {
    assert_eq!(Bundle::parse("v1.6.0-rc.1"), Bundle::parse("v1.6.0"));
    assert!(Bundle::parse("v1.10.0") > Bundle::parse("v1.9.9"));
    for text in ["main", "1.3.1", "v1.3", "v1.3.1.0", "v1.x.0", ""] {
        assert_eq!(Bundle::parse(text), None, "{text}");
    }
    for release in [InferenceRelease::V1_3_1, InferenceRelease::V1_5_0] {
        let bundle = Bundle::from(release);
        assert_eq!(Bundle::parse(&bundle.to_string()), Some(bundle));
    }
}

fn only_object(answer: &Answer) -> Value {
    let [composed] = answer.composed.as_slice() else { panic!("{:?}", answer.composed) };
    serde_json::to_value(&composed.resource).unwrap()
}

#[test]
fn nothing_of_ours_is_ever_deleted_on_the_cluster() {
    for crd in [None, Some(absent()), Some(live(Some("v1.3.1"), Some(OWNER)))] {
        let object = only_object(&extend(&extension(), &with(crd)));
        let policies = object["spec"]["managementPolicies"].as_array().unwrap();
        assert!(
            !policies.is_empty() && policies.iter().all(|it| it != "Delete" && it != "*"),
            "{policies:?}"
        );
    }
}

#[test]
fn the_first_look_only_observes_and_then_the_crd_is_created() {
    let first = only_object(&extend(&extension(), &with(None)));
    assert_eq!(first["spec"]["managementPolicies"], json!(["Observe"]));
    assert_eq!(
        first["spec"]["forProvider"]["manifest"],
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "inferencepools.inference.networking.k8s.io"},
        })
    );
    let second = only_object(&extend(&extension(), &with(Some(absent()))));
    assert_eq!(second["spec"]["managementPolicies"], json!(["Observe", "Create", "Update"]));
    let manifest = &second["spec"]["forProvider"]["manifest"];
    assert_eq!(manifest["metadata"]["annotations"]["inference.networking.k8s.io/bundle-version"], "v1.3.1");
    assert_eq!(manifest["metadata"]["annotations"]["inference.devopstoolkit.ai/owner"], OWNER);
    assert_eq!(manifest["spec"]["versions"][0]["name"], "v1");
}

/// provider-kubernetes asks the API server what would come of the manifest, also where it may only look.
#[test]
fn a_crd_that_was_written_once_is_looked_at_as_a_whole() {
    let newer = || live(Some("v1.5.0"), None);
    let cases = [
        (newer(), false, "it was never ours"),
        (ObservedCrd { whole: true, managed: true, ..newer() }, true, "somebody brought a newer one"),
        (ObservedCrd { whole: true, ..newer() }, true, "and it stays, or each call would change it"),
        (refused(newer()), true, "it was ours before the extension was switched off and on again"),
    ];
    for (crd, want, reason) in cases {
        let answer = extend(&extension(), &with(Some(crd)));
        let object = only_object(&answer);
        assert_eq!(object["spec"]["managementPolicies"], json!(["Observe"]), "{reason}");
        let manifest = &object["spec"]["forProvider"]["manifest"];
        assert_eq!(manifest.get("spec").is_some(), want, "{reason}");
        assert_eq!(answer.condition.reason, Reason::Installed, "{reason}: {}", answer.condition.message);
    }
}

#[test]
fn without_a_prerequisite_what_exists_is_kept_and_nothing_is_added() {
    let fresh = extend(&lacking_envoy(), &with(None));
    assert_eq!(fresh.composed, []);
    assert_eq!(fresh.condition.reason, Reason::PrerequisiteMissing);
    assert_eq!(
        fresh.condition.message,
        "spec.y is false and has to be true, since spec.x.enabled is. Set it, or set spec.x.enabled to false; until then \
         nothing is added."
    );
    let ours = || with(Some(ObservedCrd { managed: true, ..live(Some("v1.3.1"), Some(OWNER)) }));
    assert_eq!(extend(&lacking_envoy(), &ours()).composed, extend(&extension(), &ours()).composed);
    for crd in [absent(), live(Some("v1.2.0"), None)] {
        let object = only_object(&extend(&lacking_envoy(), &with(Some(crd))));
        assert_eq!(object["spec"]["managementPolicies"], json!(["Observe"]), "it was only looked at");
    }
}

#[test]
fn experimental_definitions_come_where_they_are_asked_for() {
    let keys = |extension: &Extension, observed: &Observed| -> Vec<Key> {
        extend(extension, observed).composed.iter().map(|composed| composed.key).collect()
    };
    let mut experimental = extension();
    experimental.wanted.as_mut().unwrap().experimental = true;
    let all = [Key::InferencePoolCrd, Key::InferenceObjectiveCrd, Key::InferenceModelRewriteCrd];
    assert_eq!(keys(&experimental, &with(None)), all);
    let crds = Definition::ALL.map(|definition| (definition, absent()));
    let written = Observed { crds: crds.into(), ..Observed::default() };
    assert_eq!(keys(&extension(), &written), [Key::InferencePoolCrd], "the Objects go, and no CRD with them");
    for composed in extend(&experimental, &written).composed {
        let object = serde_json::to_value(&composed.resource).unwrap();
        let metadata = &object["spec"]["forProvider"]["manifest"]["metadata"];
        assert_eq!(metadata["annotations"]["inference.networking.k8s.io/bundle-version"], "v1.3.1");
        assert_eq!(object["spec"]["managementPolicies"], json!(["Observe", "Create", "Update"]));
        let approved = metadata["annotations"].get("api-approved.kubernetes.io").is_some();
        assert_eq!(approved, composed.key == Key::InferencePoolCrd, "nobody approves what is experimental");
    }

    let mut observed = with(Some(live(Some("v1.3.1"), Some(OWNER))));
    let condition = extend(&experimental, &observed).condition;
    assert_eq!(condition.reason, Reason::Creating);
    assert!(condition.message.starts_with("The CRD of InferenceObjective"), "{}", condition.message);
    for definition in [Definition::InferenceObjective, Definition::InferenceModelRewrite] {
        observed.crds.insert(definition, live(Some("v1.5.0"), None));
    }
    let condition = extend(&experimental, &observed).condition;
    assert_eq!(condition.reason, Reason::Installed);
    assert!(
        condition.message.contains("serves InferenceModelRewrite of v1.5.0; it is newer"),
        "{}",
        condition.message
    );
}

#[test]
fn nothing_is_desired_where_it_is_not_asked_for() {
    let off = Extension { wanted: None, ..extension() };
    let answer = extend(&off, &with(Some(live(Some("v1.3.1"), Some(OWNER)))));
    assert_eq!((answer.composed, answer.condition.reason), (vec![], Reason::NotRequested));
}

#[test]
fn the_condition_follows_the_crd() {
    let mut pending = live(Some("v1.3.1"), Some(OWNER));
    pending.last_seen.as_mut().unwrap().established = false;
    let cases = [
        (None, Reason::Creating, false, "looked for"),
        (Some(absent()), Reason::Creating, false, "being created"),
        (Some(pending), Reason::Pending, false, "does not serve it"),
        (
            Some(failing("forbidden.", true)),
            Reason::ObjectNotSynced,
            false,
            "cannot be reconciled: forbidden.",
        ),
        (Some(live(Some("v1.3.1"), Some(OWNER))), Reason::Installed, true, "serves InferencePool of v1.3.1."),
        (Some(live(Some("v1.2.1"), None)), Reason::Installed, true, "being updated to v1.3.1"),
        (Some(live(Some("v1.5.0"), None)), Reason::Installed, true, "of v1.5.0; it is newer than v1.3.1"),
        (Some(live(Some("v1.3.1"), None)), Reason::Installed, true, "of v1.3.1; it is somebody else's"),
        (Some(live(None, None)), Reason::Installed, true, "of an unknown bundle"),
    ];
    for (crd, want, ready, words) in cases {
        let Answer { composed, condition: Condition { reason, message }, .. } =
            extend(&extension(), &with(crd));
        assert_eq!(reason, want, "{message}");
        assert!(message.contains(words), "{message}");
        assert_eq!(composed.iter().map(|composed| composed.ready).collect::<Vec<_>>(), [ready], "{message}");
    }
}

#[test]
fn there_is_one_event_for_each_change() {
    let told = |extension: &Extension, crd, before: Option<&str>| {
        let mut observed = with(crd);
        observed.conditions.extend(before.map(|reason| {
            let reason = reason.to_owned();
            (CONDITION.to_owned(), ObservedCondition { reason, ..ObservedCondition::default() })
        }));
        extend(extension, &observed).event.map(|event| (event.severity, event.reason))
    };
    let installed = || Some(live(Some("v1.3.1"), Some(OWNER)));
    let missing = Some((Severity::Warning, "PrerequisiteMissing"));
    assert_eq!(told(&lacking_envoy(), None, None), missing);
    assert_eq!(told(&lacking_envoy(), None, Some("PrerequisiteMissing")), None, "once");
    assert_eq!(told(&extension(), None, None), None, "on the way up there is nothing to tell");
    assert_eq!(told(&extension(), installed(), Some("Creating")), Some((Severity::Normal, "Installed")));
    assert_eq!(told(&extension(), installed(), Some("Installed")), None, "once");
}

/// The page is for people; this keeps it from lagging behind.
#[test]
fn the_documented_catalogue_is_this_one() {
    let page = include_str!("../../docs/conditions.md");
    let section = page.split(&format!("## `{CONDITION}`")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut documented = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [reason, status, cause, cure] = cells.as_slice() else { panic!("{line}") };
        assert!(!cause.is_empty() && !cure.is_empty(), "{line}");
        documented.push((reason.trim_matches('`').to_owned(), (*status).to_owned()));
    }
    let catalogue: Vec<_> =
        Reason::ALL.map(|it| (it.as_str().to_owned(), it.truth().as_str().to_owned())).into();
    assert_eq!(documented, catalogue);
    assert_eq!(documented.iter().collect::<BTreeSet<_>>().len(), documented.len());
}

#[test]
fn an_observed_object_is_read_as_provider_kubernetes_writes_it() {
    let crd = arrived(
        &json!({
            "apiVersion": "kubernetes.m.crossplane.io/v1alpha1", "kind": "Object",
            "spec": {
                "managementPolicies": ["Observe", "Create", "Update"],
                "forProvider": {"manifest": {"spec": {"group": "inference.networking.k8s.io"}}},
            },
            "status": {
                "conditions": [{"type": "Synced", "status": "True", "reason": "ReconcileSuccess"}],
                "atProvider": {"manifest": {
                    "metadata": {"annotations": {
                        "inference.networking.k8s.io/bundle-version": "v1.3.1",
                        "inference.devopstoolkit.ai/owner": OWNER,
                    }},
                    "status": {"conditions": [{"type": "Established", "status": "True"}]},
                }},
            },
        }),
        ObservedCrd::of,
    );
    assert_eq!(crd, ObservedCrd { managed: true, whole: true, ..live(Some("v1.3.1"), Some(OWNER)) });
    let new = arrived(&json!({"spec": {}}), ObservedCrd::of);
    assert_eq!(new, ObservedCrd::default(), "just created");
}
