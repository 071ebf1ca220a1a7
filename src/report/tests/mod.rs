//! Conditions, status and events, each with its reason.

mod cold_start;
mod conditions;
mod events;
mod readiness;
mod status;

use serde_json::json;

use crate::api::fixtures::llm;
use crate::observe::Observed;
use crate::observe::fixtures::cluster;
use crate::plan::keys::Key;

use super::fixtures::{asleep, full, healthy, planned, runtime, said, stopped, with_ingress};
use super::report;

#[test]
fn a_call_is_settled_when_nothing_changes_by_itself() {
    let cases = [
        (full(), healthy(), true, "all is well"),
        (asleep(600), healthy().holding(Key::VllmRuntime, runtime(0, 0)), true, "asleep is well"),
        (
            stopped(),
            cluster().holding(Key::ModelMetricsService, json!({})),
            true,
            "stopped is what was asked for",
        ),
        (stopped(), cluster(), false, "what is on its way decides no condition, and is awaited all the same"),
        (
            full(),
            healthy().broken(Key::InferenceObjective, "not reached"),
            false,
            "nor does what is missing, and it holds back Ready",
        ),
        (full(), cluster(), false, "everything is on its way"),
        (full(), healthy().holding(Key::VllmRuntime, runtime(1, 0)), false, "the model starts"),
        (full(), healthy().broken(Key::HttpRoute, "not reached"), false, "somebody is about to repair it"),
    ];
    for (settings, cluster, want, reason) in cases {
        assert_eq!(said(&settings, &cluster).settled, want, "{reason}");
    }
}

#[test]
fn ready_is_said_of_exactly_what_the_plan_has() {
    let bare: Vec<Key> = said(&llm(), &cluster()).ready.into_keys().collect();
    assert_eq!(
        bare,
        [Key::VllmRuntime, Key::ModelMetricsService, Key::ModelPodDisruptionBudget, Key::ServiceMonitor]
    );
    for settings in [llm(), full(), asleep(600), stopped(), with_ingress(full()), with_ingress(llm())] {
        let plan = planned(&settings);
        let composed: Vec<Key> =
            crate::compose::compose(&plan).unwrap().into_iter().map(|composed| composed.key).collect();
        let ready: Vec<Key> = report(&plan, &Observed::default()).ready.into_keys().collect();
        assert_eq!(ready, composed);
    }
}
