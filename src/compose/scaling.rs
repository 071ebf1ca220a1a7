//! The autoscaler.

use k8s_openapi::api::autoscaling::v2::{HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscalerBehavior};

use crate::api::settings::Credentials;
use crate::kinds::Resource;
use crate::kinds::keda::{
    Advanced, AuthenticationRef, Fallback, HorizontalPodAutoscalerConfig, PrometheusMetadata, ScaleTargetRef,
    ScaledObjectSpec, Trigger,
};
use crate::plan::keys::Key;
use crate::plan::{Pace, Plan, Reads, ScaledObjectPlan, ZeroPlan};

use super::meta;
use super::workload::workload_kind;

/// Scales a `VLLMRuntime` through its scale subresource: on the Deployment below it the operator would undo every
/// change. Not called `<name>-scaledobject`, which the operator deletes at every reconcile.
pub(super) fn scaled_object(plan: &Plan, scaling: &ScaledObjectPlan) -> Resource<ScaledObjectSpec> {
    let ScaledObjectPlan { min, max, zero, wakes: _, prometheus_address, credentials, triggers, pace } =
        scaling;
    let credentials = credentials.as_ref();
    let (api_version, kind) = workload_kind(plan);
    let (_, name) = plan.place_of(plan.workload_key());
    let triggers = triggers.iter().map(|trigger| Trigger {
        kind: "prometheus",
        name: trigger.name,
        metric_type: match trigger.reads {
            Reads::Sum => "AverageValue",
            Reads::Level => "Value",
        },
        metadata: PrometheusMetadata {
            server_address: prometheus_address.clone(),
            query: trigger.query.clone(),
            threshold: trigger.threshold.to_string(),
            activation_threshold: "0".to_owned(),
            // Every query says itself when "nothing" is zero; otherwise nothing is an error.
            ignore_null_values: "false".to_owned(),
            auth_modes: credentials.map(modes),
        },
        authentication_ref: credentials.map(|credentials| AuthenticationRef {
            name: credentials.name.clone(),
            kind: credentials.kind.as_str(),
        }),
    });
    Resource::new(
        meta(plan, Key::ScaledObject),
        ScaledObjectSpec {
            scale_target_ref: ScaleTargetRef { api_version, kind, name },
            min_replica_count: *min,
            max_replica_count: *max,
            polling_interval: zero.as_ref().map(|zero| zero.polling_interval_seconds),
            cooldown_period: zero.as_ref().map(|zero| zero.cooldown_seconds),
            initial_cooldown_period: zero.as_ref().map(|zero| zero.initial_cooldown_seconds),
            fallback: fallback(*min, zero.as_ref()),
            advanced: Advanced {
                horizontal_pod_autoscaler_config: HorizontalPodAutoscalerConfig {
                    name: plan.name.autoscaler(),
                    behavior: behavior(*pace),
                },
            },
            triggers: triggers.collect(),
        },
    )
}

fn modes(credentials: &Credentials) -> String {
    credentials.modes.iter().map(|mode| mode.as_str()).collect::<Vec<_>>().join(",")
}

/// While a query fails, keep what runs, and never less than the minimum.
///
/// None for a model that may sleep: without it KEDA holds the count on errors, with it a sleeping model would be
/// moved (kedacore/keda v2.20, `pkg/scaling/executor/scale_scaledobjects.go`).
fn fallback(min: u32, zero: Option<&ZeroPlan>) -> Option<Fallback> {
    zero.is_none().then_some(Fallback {
        failure_threshold: 3,
        replicas: min,
        behavior: "currentReplicasIfHigher",
    })
}

/// Up without delay; down when nothing has spoken against it for a while.
fn behavior(pace: Pace) -> HorizontalPodAutoscalerBehavior {
    let Pace { up_seconds, up_replicas, quiet_seconds, down_seconds } = pace;
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let rules = |window, policies| HPAScalingRules {
        stabilization_window_seconds: Some(count(window)),
        select_policy: Some("Max".to_owned()),
        policies: Some(policies),
        ..HPAScalingRules::default()
    };
    let policy = |type_: &str, value, period| HPAScalingPolicy {
        type_: type_.to_owned(),
        value: count(value),
        period_seconds: count(period),
    };
    HorizontalPodAutoscalerBehavior {
        scale_up: Some(rules(
            0,
            vec![policy("Percent", 100, up_seconds), policy("Pods", up_replicas, up_seconds)],
        )),
        scale_down: Some(rules(quiet_seconds, vec![policy("Pods", 1, down_seconds)])),
    }
}
