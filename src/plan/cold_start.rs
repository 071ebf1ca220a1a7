//! Everything that follows from `scaling.coldStart`, the longest that a replica takes from nothing to ready. Nobody else
//! reckons with it.
//!
//! `docs/scaling.md` has it as a table for people; a test keeps the two equal.

use crate::api::Duration;

/// KEDA's default (v2.20, `scaledobject_types.go`), and the least we sleep after.
const LEAST_COOLDOWN: Duration = Duration::from_seconds(300);
/// Beyond a cold start: scrapes, a poll of the autoscaler, and the scheduler.
const WAKE_MARGIN: Duration = Duration::from_seconds(60);
/// How often a starting engine is asked whether it is up.
pub(super) const STARTUP_PERIOD_SECONDS: u32 = 10;
/// Beyond a cold start before a rollout counts as stuck.
const PROGRESS_MARGIN: Duration = Duration::from_seconds(300);
/// Kubernetes' default, and the least that makes sense.
const LEAST_PROGRESS: Duration = Duration::from_seconds(600);
/// `autoscaling/v2` takes no longer period of a policy.
const LONGEST_POLICY: Duration = Duration::from_seconds(1800);
/// The pool may grow that often at most.
const LEAST_POLICY: Duration = Duration::from_seconds(60);
/// How long an alert about what served goes on beside the one about what did not start, so that they leave no gap.
const OVERLAP: Duration = Duration::from_seconds(300);

/// What a replica may take, and so what a request may wait for it in the picker.
#[derive(Debug, Clone, Copy)]
pub(super) struct ColdStart(pub(super) Duration);

impl ColdStart {
    /// How long a route lets a request take that may have to wait first.
    pub(super) const fn request_timeout(self, timeout: Duration) -> Duration {
        sum(self.0, timeout)
    }

    /// How long nobody asks before a model is put to sleep. Not the moment that it is up.
    pub(super) fn cooldown(self) -> Duration {
        self.past().max(LEAST_COOLDOWN)
    }

    /// The same for a model that is new.
    pub(super) const fn initial_cooldown(self) -> Duration {
        self.past()
    }

    /// How often a starting engine may say no before it is started again.
    pub(super) fn startup_failures(self) -> u32 {
        seconds(self.0).div_ceil(STARTUP_PERIOD_SECONDS).max(1)
    }

    /// When a rollout counts as stuck.
    pub(super) fn progress_deadline(self) -> Duration {
        sum(self.0, PROGRESS_MARGIN).max(LEAST_PROGRESS)
    }

    /// How long it takes to see what more replicas change.
    pub(super) fn between_scale_ups(self) -> Duration {
        self.0.clamp(LEAST_POLICY, LONGEST_POLICY)
    }

    /// What is still going on by then is not the start of a replica.
    pub(super) const fn past(self) -> Duration {
        sum(self.0, WAKE_MARGIN)
    }

    /// How long a model that answered is remembered.
    pub(super) const fn memory(self) -> Duration {
        sum(self.0, OVERLAP)
    }
}

/// In whole seconds, as Kubernetes and KEDA count.
pub(super) fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_seconds()).unwrap_or(u32::MAX)
}

const fn sum(a: Duration, b: Duration) -> Duration {
    Duration::from_millis(a.as_millis().saturating_add(b.as_millis()))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::api::fixtures::llm;
    use crate::api::settings::Backend;
    use crate::observe::Observed;
    use crate::plan::endpoint_picker::ConfigPlan;
    use crate::plan::{BackendPlan, Plan, ScalingPlan, plan};

    /// A model with everything that waits.
    fn sleeper(backend: Option<Backend>) -> Plan {
        let mut settings = llm().hosted("llama.example.com").scaled(0, 3);
        settings.rules = Some(BTreeMap::new());
        settings.backend = backend.unwrap_or(settings.backend);
        settings.routing.as_mut().unwrap().picker.version = Some("v1.5.0".to_owned());
        plan(&settings, &Observed::default()).unwrap()
    }

    /// Every number that changes with it, as the table tells it for ten minutes.
    fn derived() -> BTreeMap<&'static str, String> {
        let sleeper = sleeper(None);
        let routing = sleeper.routing.as_ref().unwrap();
        let ConfigPlan::Composed(config) = &routing.picker.own().unwrap().config else {
            panic!("it is ours")
        };
        let ScalingPlan::On(scaled) = &sleeper.scaling else { panic!("it scales") };
        let zero = scaled.zero.as_ref().unwrap();
        let deployed = self::sleeper(Some(Backend::Deployment));
        let BackendPlan::Deployment(deployment) = &deployed.workload.backend else { panic!("a Deployment") };
        let mut awake = llm();
        awake.rules = Some(BTreeMap::new());
        let awake = plan(&awake, &Observed::default()).unwrap();
        let alerts: Vec<_> =
            [&sleeper, &awake].iter().flat_map(|it| &it.rules.as_ref().unwrap().alerts).collect();
        let alert = |name: &str| *alerts.iter().find(|alert| alert.name == name).unwrap();
        // Everything that lasts a cold start lasts the same.
        let faults: BTreeSet<String> = [
            "InferenceReplicaNotAnswering",
            "InferenceModelUnavailable",
            "InferenceRequestsWaiting",
            "InferenceEnginesNotScraped",
        ]
        .map(|name| alert(name).lasts.unwrap().to_string())
        .into();
        let gone = &alert("InferenceModelGone").expr;
        let looks_back = gone.split(['[', ']']).nth(1).unwrap();
        BTreeMap::from([
            ("a request waits in the picker", format!("`{}`", config.flow_control.unwrap().hold.unwrap())),
            ("`HTTPRoute` `timeouts.request`", format!("`{}`", routing.request_timeout)),
            ("`cooldownPeriod`", format!("{} s", zero.cooldown_seconds)),
            ("`initialCooldownPeriod`", format!("{} s", zero.initial_cooldown_seconds)),
            ("`pollingInterval`", format!("{} s", zero.polling_interval_seconds)),
            (
                "the startup probe of a `Deployment`",
                format!("{} times {} s", deployment.startup_failures, deployment.startup_period_seconds),
            ),
            ("its `progressDeadlineSeconds`", format!("{} s", deployment.progress_deadline_seconds)),
            ("the pool grows again", format!("{} s", scaled.pace.up_seconds)),
            ("`WorkloadReady` gives a start up", format!("`{}`", sleeper.workload.cold_start)),
            (
                "alerts about replicas that do not come",
                format!("`{}`", faults.into_iter().collect::<String>()),
            ),
            ("`InferenceModelGone` remembers", format!("`{looks_back}`")),
            ("`InferenceRequestsHeld`", format!("`{}`", alert("InferenceRequestsHeld").lasts.unwrap())),
        ])
    }

    /// The page is for people; this keeps it from lagging behind.
    #[test]
    fn the_documented_waits_are_these() {
        let page = include_str!("../../docs/scaling.md");
        let rows = page.lines().skip_while(|line| *line != "| What | Value | With `10m` |").skip(2);
        let rows = rows.take_while(|line| line.starts_with('|')).map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [what, value, example] = cells.as_slice() else { panic!("{line}") };
            assert!(!value.is_empty(), "{what} is not explained");
            (*what, (*example).to_owned())
        });
        assert_eq!(rows.collect::<BTreeMap<_, _>>(), derived());
    }
}
