//! Does the number of replicas follow the load?

use crate::api::fixtures::llm;
use crate::api::settings::{AuthKind, AuthMode, Credentials, Implementation, Settings};
use crate::observe::fixtures::cluster;
use crate::plan::keys::Key;
use crate::report::ConditionType::ScalingReady;
use crate::report::Reason;
use crate::report::fixtures::{asleep, full, scaled_object};

use super::{Case, case};

const NO_KIND: &str =
    r#"observe failed: cannot get object: no matches for kind "ScaledObject" in version "keda.sh/v1alpha1""#;

/// Where Prometheus asks who asks.
fn guarded() -> Settings {
    let mut settings = full();
    settings.scaling.as_mut().unwrap().credentials = Some(Credentials {
        name: "prometheus".to_owned(),
        kind: AuthKind::ClusterTriggerAuthentication,
        modes: vec![AuthMode::Bearer],
    });
    settings
}

pub(super) fn cases() -> Vec<Case> {
    let with =
        |words: &[(&str, &str, &str, &str)]| cluster().holding(Key::ScaledObject, scaled_object(words));
    let ready = ("Ready", "True", "ScaledObjectReady", "");
    let target = "ScaledObject doesn't have correct scaleTargetRef specification: ";
    let unscalable = format!("{target}the server could not find the requested resource");
    let absent = format!("{target}vllmruntimes.production-stack.vllm.ai \"llama\" not found");
    vec![
        case(
            "the gateway waits as long as the route lets it",
            asleep(3600),
            with(&[ready]),
            (ScalingReady, Reason::ScalerReady),
            &["between 0 and 4"],
        ),
        case(
            "the gateway waits just long enough",
            asleep(60).on(Implementation::Nginx),
            with(&[ready]),
            (ScalingReady, Reason::ScalerReady),
            &["between 0 and 4"],
        ),
        case(
            "the gateway gives up before the model is up",
            asleep(61).on(Implementation::Nginx),
            with(&[ready]),
            (ScalingReady, Reason::HoldLimited),
            &["may take 61 s", "for 60 s at most", "try again"],
        ),
        case(
            "how long the gateway waits is not known",
            asleep(60).on(Implementation::Gke),
            with(&[ready]),
            (ScalingReady, Reason::HoldLimited),
            &["nobody has shown how long GKE holds a request", "try again"],
        ),
        case(
            "since 2.20.2 it stays Ready while the HPA is blind",
            full(),
            with(&[ready, ("HPAActive", "False", "HPAMetricsUnavailable", "cannot fetch")]),
            (ScalingReady, Reason::MetricsUnavailable),
            &["HPAMetricsUnavailable: cannot fetch"],
        ),
        case(
            "an HPA at rest is not blind",
            asleep(300),
            with(&[
                ready,
                ("HPAActive", "True", "ScalingDisabled", ""),
                ("Fallback", "False", "NoFallbackFound", ""),
            ]),
            (ScalingReady, Reason::ScalerReady),
            &["KEDA keeps VLLMRuntime team-a/llama"],
        ),
        case(
            "KEDA has only initialised its conditions",
            full(),
            with(&[("Ready", "Unknown", "", "")]),
            (ScalingReady, Reason::Pending),
            &["has not said anything"],
        ),
        case(
            "the target is not there yet",
            full(),
            cluster().holding(
                Key::ScaledObject,
                scaled_object(&[("Ready", "False", "ScaledObjectCheckFailed", absent.as_str())]),
            ),
            (ScalingReady, Reason::Pending),
            &["It tries again"],
        ),
        case(
            "nobody holds a request for a model that sleeps, and that is known before anything runs",
            llm().scaled(0, 4),
            cluster(),
            (ScalingReady, Reason::NoWakeUp),
            &["Set spec.host"],
        ),
        case(
            "what is broken goes first",
            llm().scaled(0, 4),
            cluster().broken(Key::ScaledObject, NO_KIND),
            (ScalingReady, Reason::ScalerNotInstalled),
            &["Install KEDA"],
        ),
        case(
            "KEDA's webhook refuses it",
            full(),
            cluster().broken(Key::ScaledObject, "admission webhook denied the request"),
            (ScalingReady, Reason::ObjectNotSynced),
            &["admission webhook denied the request"],
        ),
        case(
            "some triggers do not work",
            full(),
            with(&[("Ready", "Unknown", "PartialTriggerError", "Some triggers are not working")]),
            (ScalingReady, Reason::TriggerFailed),
            &["PartialTriggerError"],
        ),
        case(
            "Prometheus does not take what is shown to it",
            guarded(),
            with(&[("Ready", "False", "TriggerError", "prometheus query api returned error. status: 401")]),
            (ScalingReady, Reason::TriggerFailed),
            &["status: 401", r#"takes the credentials of ClusterTriggerAuthentication "prometheus""#],
        ),
        case(
            "nor any more",
            guarded(),
            with(&[ready, ("Fallback", "True", "FallbackExists", "At least one trigger is falling back")]),
            (ScalingReady, Reason::MetricsUnavailable),
            &["falling back", r#"takes the credentials of ClusterTriggerAuthentication "prometheus""#],
        ),
        case(
            "the target has no scale subresource",
            full(),
            cluster().holding(
                Key::ScaledObject,
                scaled_object(&[("Ready", "False", "ScaledObjectCheckFailed", unscalable.as_str())]),
            ),
            (ScalingReady, Reason::TargetNotScalable),
            &["0.1.12"],
        ),
    ]
}
