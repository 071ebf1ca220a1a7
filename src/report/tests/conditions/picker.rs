//! Can the Gateway ask where to send a request?

use serde_json::{Value, json};

use crate::api::settings::{MetricsAuth, Settings, Toggle};
use crate::observe::fixtures::cluster;
use crate::plan::keys::Key;
use crate::report::ConditionType::EndpointPickerReady;
use crate::report::Reason;
use crate::report::fixtures::{condition, deployment, full, healthy, led, said};

use super::{Case, case};

/// A picker that shows its metrics to a token.
fn guarded() -> Settings {
    let mut settings = full();
    settings.routing.as_mut().unwrap().picker.metrics_auth = MetricsAuth::Token;
    settings.monitors().endpoint_picker = Toggle::Enabled;
    settings
}

fn token(data: &Value) -> Value {
    json!({"type": "kubernetes.io/service-account-token", "data": data})
}

/// As provider-kubernetes v1.2.1 redacts it, and as it is before the cluster fills it in.
#[test]
fn a_token_that_the_provider_keeps_to_itself_is_not_talked_about() {
    for data in [json!({"redacted": null}), Value::Null] {
        let report = said(&guarded(), &healthy().holding(Key::EppMetricsToken, token(&data)));
        let message = &condition(&report, EndpointPickerReady).message;
        assert_eq!(message, "Endpoint picker: Deployment team-a/llama-epp answers the Gateway.", "{data}");
    }
}

pub(super) fn cases() -> Vec<Case> {
    let with = |live| cluster().holding(Key::EppDeployment, live);
    let replicated = || {
        let mut settings = full();
        settings.routing.as_mut().unwrap().picker.replicas = 3;
        settings
    };
    let mut gave_up = deployment(0);
    gave_up["status"]["conditions"][1] = json!({
        "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out progressing.",
    });
    vec![
        case(
            "it answers, but the cluster knows no objectives, so that nothing has a priority",
            full(),
            healthy().broken(Key::InferenceObjective, "no matches for kind \"InferenceObjective\""),
            (EndpointPickerReady, Reason::InferenceExtensionNotInstalled),
            &["the kind InferenceObjective"],
        ),
        case(
            "it does not start where the cluster knows no pools",
            full(),
            healthy()
                .holding(Key::EppDeployment, gave_up.clone())
                .broken(Key::InferencePool, "no matches for kind \"InferencePool\""),
            (EndpointPickerReady, Reason::InferenceExtensionNotInstalled),
            &["the kind InferencePool"],
        ),
        case(
            "available, though the objective is refused",
            full(),
            healthy().broken(Key::InferenceObjective, "forbidden"),
            (EndpointPickerReady, Reason::Available),
            &["InferenceObjective team-a/llama cannot be reconciled"],
        ),
        case(
            "available, and who reads the Object reads the token",
            guarded(),
            healthy().holding(Key::EppMetricsToken, token(&json!({"ca.crt": "Yw==", "token": "dA=="}))),
            (EndpointPickerReady, Reason::Available),
            &["in the status of the Object that wraps Secret team-a/llama-epp-metrics", "--sanitize-secrets"],
        ),
        case(
            "available, but nobody may be asked who reads the metrics",
            guarded(),
            healthy().broken(Key::EppClusterRoleBindingAuthDelegator, "create failed: forbidden"),
            (EndpointPickerReady, Reason::Available),
            &[
                "ClusterRoleBinding team-a.llama-epp-auth-delegator cannot be reconciled: create failed: forbidden.",
            ],
        ),
        case(
            "somebody else's is there",
            full().picked_by("shared-epp"),
            healthy(),
            (EndpointPickerReady, Reason::NotManaged),
            &["the Gateway asks Service team-a/shared-epp at port 9002, which is somebody else's"],
        ),
        case(
            "somebody else's is not there",
            full().picked_by("shared-epp"),
            healthy().broken(Key::EppExistingService, "observe failed: external resource does not exist"),
            (EndpointPickerReady, Reason::NoEndpointPicker),
            &[
                "there is no Service team-a/shared-epp",
                "set up for InferencePool team-a/llama",
                "endpointPicker.existing",
            ],
        ),
        case(
            "somebody else's may not be looked at",
            full().picked_by("shared-epp"),
            healthy().broken(Key::EppExistingService, "observe failed: forbidden"),
            (EndpointPickerReady, Reason::ObjectNotSynced),
            &["Service team-a/shared-epp cannot be reconciled: observe failed: forbidden."],
        ),
        case(
            "nobody has looked for somebody else's",
            full().picked_by("shared-epp"),
            cluster(),
            (EndpointPickerReady, Reason::Creating),
            &["Service team-a/shared-epp is being looked up. If this lasts, look at the Object"],
        ),
        case(
            "the Deployment controller gave up",
            full(),
            with(gave_up),
            (EndpointPickerReady, Reason::NotServing),
            &["timed out progressing. Look"],
        ),
        case(
            "the leader answers",
            replicated(),
            with(led(1)),
            (EndpointPickerReady, Reason::Available),
            &["answers"],
        ),
        case(
            "the lead changes, and that the others were never ready says nothing",
            replicated(),
            with(led(0)).before("EndpointPickerReady", "True", "Available"),
            (EndpointPickerReady, Reason::NotServing),
            &["has no available replica"],
        ),
        case(
            "nobody ever led",
            replicated(),
            with(led(0)).before("EndpointPickerReady", "False", "Starting"),
            (EndpointPickerReady, Reason::NotServing),
            &["timed out progressing. Look"],
        ),
        case(
            "nobody may lead",
            replicated(),
            with(led(0)).broken(Key::EppRoleLeaderElection, "create failed: forbidden"),
            (EndpointPickerReady, Reason::ObjectNotSynced),
            &["Role team-a/llama-epp-leader-election"],
        ),
        case(
            "the Deployment cannot be applied",
            full(),
            with(deployment(1)).broken(Key::EppDeployment, "create failed: forbidden"),
            (EndpointPickerReady, Reason::ObjectNotSynced),
            &["Deployment team-a/llama-epp cannot be reconciled: create failed: forbidden."],
        ),
        case(
            "what the pods need is the cause, and that they are not up the consequence",
            full(),
            with(deployment(0)).broken(Key::EppRolePoolReader, "create failed: forbidden"),
            (EndpointPickerReady, Reason::ObjectNotSynced),
            &["Role team-a/llama-epp-pool-reader"],
        ),
    ]
}
