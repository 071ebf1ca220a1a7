//! The autoscaler: what KEDA makes of a `ScaledObject`, and the formula of Kubernetes.
//!
//! Written after kedacore/keda v2.20.2 (`pkg/scalers/scaler.go`) and Kubernetes 1.35 (`pkg/controller/podautoscaler`,
//! `replica_calculator.go` and `horizontal.go`).

use serde_json::Value;

/// How far a metric may be from its target before anything happens: `--horizontal-pod-autoscaler-tolerance`.
pub(crate) const TOLERANCE: f64 = 0.1;

/// No window and no policy may look further back (`autoscaling/v2`).
const MEMORY: u32 = 3600;

/// What a trigger's number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A sum, of which each replica has its share.
    AverageValue,
    /// The same however many replicas there are.
    Value,
}

#[derive(Debug)]
struct Trigger {
    query: String,
    threshold: f64,
    kind: Kind,
}

/// One direction.
#[derive(Debug)]
struct Rules {
    window: u32,
    policies: Vec<Policy>,
}

#[derive(Debug)]
struct Policy {
    percent: bool,
    value: f64,
    period: u32,
}

/// A `HorizontalPodAutoscaler`, and what it remembers.
#[derive(Debug)]
pub(crate) struct Hpa {
    pub(crate) min: u32,
    pub(crate) max: u32,
    triggers: Vec<Trigger>,
    up: Rules,
    down: Rules,
    recommendations: Vec<(u32, u32)>,
    added: Vec<(u32, u32)>,
    removed: Vec<(u32, u32)>,
}

impl Hpa {
    /// What KEDA makes.
    pub(crate) fn of(scaled_object: &Value) -> Self {
        let spec = &scaled_object["spec"];
        let count = |field: &str| u32::try_from(spec[field].as_u64().unwrap()).unwrap();
        let behavior = &spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"];
        let triggers = spec["triggers"].as_array().unwrap().iter();
        Self {
            // The step to none and back is KEDA's own.
            min: count("minReplicaCount").max(1),
            max: count("maxReplicaCount"),
            triggers: triggers.map(Trigger::of).collect(),
            up: Rules::of(&behavior["scaleUp"]),
            down: Rules::of(&behavior["scaleDown"]),
            recommendations: Vec::new(),
            added: Vec::new(),
            removed: Vec::new(),
        }
    }

    /// How many replicas it wants, at a second, of so many that are wanted and of so many that are ready.
    pub(crate) fn sync(&mut self, now: u32, current: u32, ready: u32, read: impl Fn(&str) -> f64) -> u32 {
        if self.recommendations.is_empty() {
            self.recommendations.push((now, current));
        }
        let wanted = if current > self.max {
            self.max
        } else if current < self.min {
            self.min
        } else {
            let demands = self.triggers.iter().map(|trigger| trigger.demand(current, ready, &read));
            let demand = demands.max().unwrap_or_default();
            let stabilised = self.stabilise(now, current, demand);
            self.limit(now, current, stabilised)
        };
        if wanted > current {
            self.added.push((now, wanted - current));
        } else if wanted < current {
            self.removed.push((now, current - wanted));
        }
        for past in [&mut self.recommendations, &mut self.added, &mut self.removed] {
            past.retain(|(at, _)| at + MEMORY > now);
        }
        wanted
    }

    /// How many replicas the sums take.
    pub(crate) fn takes(&self, read: impl Fn(&str) -> f64) -> f64 {
        let sums = self.triggers.iter().filter(|trigger| trigger.kind == Kind::AverageValue);
        sums.map(|trigger| read(&trigger.query) / trigger.threshold).fold(0.0, f64::max)
    }

    fn stabilise(&mut self, now: u32, current: u32, demand: u32) -> u32 {
        let within = |window: u32| {
            self.recommendations.iter().filter(move |(at, _)| at + window > now).map(|(_, count)| *count)
        };
        let least = within(self.up.window).chain([demand]).min().unwrap_or(demand);
        let most = within(self.down.window).chain([demand]).max().unwrap_or(demand);
        self.recommendations.push((now, demand));
        current.max(least).min(most)
    }

    /// The most generous policy counts.
    fn limit(&self, now: u32, current: u32, wanted: u32) -> u32 {
        let within = |events: &[(u32, u32)], period: u32| -> f64 {
            events.iter().filter(|(at, _)| at + period > now).map(|(_, count)| f64::from(*count)).sum()
        };
        let at_start = |policy: &Policy| {
            f64::from(current) - within(&self.added, policy.period) + within(&self.removed, policy.period)
        };
        let limits = |rules: &Rules, sign: f64| {
            let limits = rules.policies.iter().map(move |policy| {
                let start = at_start(policy);
                let change = if policy.percent { start * policy.value / 100.0 } else { policy.value };
                // Rounded away from where it is.
                start + sign * change.ceil()
            });
            limits.collect::<Vec<_>>()
        };
        let here = f64::from(current);
        if wanted < current {
            let least = limits(&self.down, -1.0).into_iter().fold(here, f64::min);
            return whole(f64::from(wanted.max(self.min)).max(least));
        }
        let most = limits(&self.up, 1.0).into_iter().fold(here, f64::max);
        whole(f64::from(wanted.min(self.max)).min(most))
    }
}

impl Trigger {
    fn of(trigger: &Value) -> Self {
        let metadata = &trigger["metadata"];
        let kind = match trigger["metricType"].as_str().unwrap() {
            "AverageValue" => Kind::AverageValue,
            "Value" => Kind::Value,
            other => panic!("{other} is for resources"),
        };
        let threshold = metadata["threshold"].as_str().unwrap().parse().unwrap();
        Self {
            query: metadata["query"].as_str().unwrap().to_owned(),
            threshold: thousandths(threshold),
            kind,
        }
    }

    fn demand(&self, current: u32, ready: u32, read: impl Fn(&str) -> f64) -> u32 {
        let value = thousandths(read(&self.query));
        let is_near = |ratio: f64| (ratio - 1.0).abs() <= TOLERANCE + f64::EPSILON;
        let ratio = value / self.threshold;
        match self.kind {
            Kind::AverageValue if is_near(ratio / f64::from(current)) => current,
            Kind::AverageValue => whole(ratio.ceil()),
            Kind::Value if is_near(ratio) => current,
            Kind::Value => whole((ratio * f64::from(ready)).ceil()),
        }
    }
}

impl Rules {
    fn of(rules: &Value) -> Self {
        let seconds = |value: &Value| u32::try_from(value.as_u64().unwrap()).unwrap();
        assert_eq!(rules["selectPolicy"], "Max", "what this file does");
        let policies = rules["policies"].as_array().unwrap().iter().map(|policy| Policy {
            percent: policy["type"] == "Percent",
            value: policy["value"].as_f64().unwrap(),
            period: seconds(&policy["periodSeconds"]),
        });
        Self { window: seconds(&rules["stabilizationWindowSeconds"]), policies: policies.collect() }
    }
}

/// KEDA keeps three digits after the point.
fn thousandths(value: f64) -> f64 {
    (value * 1000.0).trunc() / 1000.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of replicas are small")]
fn whole(count: f64) -> u32 {
    count.clamp(0.0, 1e9) as u32
}
