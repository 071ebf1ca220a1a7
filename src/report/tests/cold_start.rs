//! A start that takes too long, by the times that others write down.

use serde_json::{Value, json};

use crate::api::Duration;
use crate::observe::fixtures::Cluster;
use crate::plan::keys::Key;
use crate::report::ConditionType::WorkloadReady;
use crate::report::Reason;
use crate::report::fixtures::{condition, full, healthy, runtime, said, scaled_object};

/// On one morning.
fn at(time: &str) -> String {
    format!("2026-11-21T{time}Z")
}

/// None is available of a model that was made at four o'clock.
fn looked_at(time: &str) -> Value {
    let mut live = runtime(1, 0);
    live["metadata"]["creationTimestamp"] = json!(at("04:00:00"));
    live["status"]["lastUpdated"] = json!(at(time));
    live
}

/// KEDA's last look that found something to do.
fn polled(cluster: Cluster, time: &str) -> Cluster {
    let mut live = scaled_object(&[("Ready", "True", "ScaledObjectReady", "")]);
    live["status"]["lastActiveTime"] = json!(at(time));
    cluster.holding(Key::ScaledObject, live)
}

#[test]
fn a_start_is_given_up_on_once_somebody_has_looked_after_its_time() {
    let starts = |looked: &str, said: &str| {
        healthy().holding(Key::VllmRuntime, looked_at(looked)).since(
            "WorkloadReady",
            "False",
            "Starting",
            &at(said),
        )
    };
    let wakes = |looked: &str, said: &str| {
        healthy().holding(Key::VllmRuntime, looked_at(looked)).since(
            "WorkloadReady",
            "False",
            "Waking",
            &at(said),
        )
    };
    let cases = [
        (starts("04:00:05", "04:00:20"), Reason::Starting, "the first look"),
        (starts("04:09:59", "04:00:20"), Reason::Starting, "there is time"),
        (starts("04:10:00", "04:00:20"), Reason::NotServing, "ten minutes, counted from when it was made"),
        (
            healthy().holding(Key::VllmRuntime, looked_at("04:10:00")).since(
                "WorkloadReady",
                "False",
                "Creating",
                &at("04:00:00"),
            ),
            Reason::Starting,
            "it is said once before it is given up on",
        ),
        (starts("09:00:30", "09:00:20"), Reason::Starting, "it was stopped for hours, and is started"),
        (wakes("09:00:30", "09:00:20"), Reason::Waking, "it slept for hours, and wakes"),
        (polled(wakes("09:00:30", "09:00:20"), "09:10:19"), Reason::Waking, "and there is time"),
        (
            polled(wakes("09:00:30", "09:00:20"), "09:10:20"),
            Reason::NotServing,
            "requests wait, and KEDA has seen them for as long as a cold start takes",
        ),
        (starts("04:10:00", "yesterday"), Reason::Starting, "what is no time says nothing"),
    ];
    for (cluster, want, reason) in cases {
        let report = said(&full(), &cluster);
        let got = condition(&report, WorkloadReady);
        assert_eq!(got.reason, want, "{reason}: {}", got.message);
        if want == Reason::NotServing {
            let says = "none of 1 wanted replica available, and the 10m of spec.scaling.coldStart are over: its operator \
                        says that modelStatus is Updating. Look";
            assert!(got.message.contains(says), "{:?}", got.message);
        }
    }

    let mut patient = full();
    patient.cold_start = Duration::from_seconds(3600);
    let report = said(&patient, &starts("04:10:00", "04:00:20"));
    assert_eq!(condition(&report, WorkloadReady).reason, Reason::Starting, "it follows from coldStart");
}
