//! Scaling on latency: what is asked, and how fast is answered.

use crate::api::Duration;
use crate::api::fixtures::llm;
use crate::api::settings::{LatencyObjective, Metric, Monitoring, Settings};

use super::tests::autoscaler;
use super::{Pace, Reads};

#[test]
fn latency_is_asked_in_milliseconds_of_the_engines_histograms() {
    let by = |time_to_first_token, inter_token_latency| {
        let mut settings = llm().scaled(1, 4);
        let [time_to_first_token, inter_token_latency] = [time_to_first_token, inter_token_latency]
            .map(|millis: Option<u64>| millis.map(Duration::from_millis));
        settings.scaling.as_mut().unwrap().metric =
            Metric::Latency(LatencyObjective { time_to_first_token, inter_token_latency, percentile: 0.95 });
        settings
    };
    let of = |settings: &Settings| -> Vec<(&'static str, Reads, f64)> {
        let triggers = autoscaler(settings).triggers;
        triggers.iter().map(|trigger| (trigger.name, trigger.reads, trigger.threshold)).collect()
    };
    let sums = [("queue-depth", Reads::Sum, 3.0), ("full-engines", Reads::Sum, 0.7)];
    let first = ("time-to-first-token", Reads::Level, 2500.0);
    let next = ("inter-token-latency", Reads::Level, 50.0);
    assert_eq!(of(&by(Some(2500), None)), [vec![first], sums.to_vec()].concat());
    assert_eq!(of(&by(None, Some(50))), [vec![next], sums.to_vec()].concat());
    assert_eq!(of(&by(Some(2500), Some(50))), [vec![first, next], sums.to_vec()].concat());

    let selector = "{namespace=\"team-a\",inference_devopstoolkit_ai_model=\"llama\",job=\"llama-metrics\"}";
    let first = by(Some(2500), None);
    let metric = "vllm:time_to_first_token_seconds";
    assert_eq!(
        autoscaler(&first).triggers[0].query,
        format!(
            "1000 * (histogram_quantile(0.95, sum by (le) (rate({metric}_bucket{selector}[2m]))) > 0) or 0 * \
             (sum({metric}_count{selector}))"
        )
    );
    let mut rarely_scraped = first.clone();
    let Monitoring::Monitors(monitors) = &mut rarely_scraped.monitoring else {
        panic!("it is scraped by monitors")
    };
    monitors.interval = Duration::from_seconds(45);
    assert!(autoscaler(&rarely_scraped).triggers[0].query.contains("[3m]"), "a rate takes several scrapes");
    let mut sleeper = first;
    sleeper.replicas.min = 0;
    for trigger in autoscaler(&sleeper).triggers {
        let unread = match trigger.reads {
            Reads::Sum => format!("({} * count(up{selector}))", trigger.threshold),
            Reads::Level => format!("({} * (count(up{selector}) > bool 0))", trigger.threshold),
        };
        let end = format!(" or sum(0 * absent(up{selector})) or {unread}");
        assert!(trigger.query.ends_with(&end), "{}", trigger.query);
    }
}

#[test]
fn the_pace_suits_what_is_asked() {
    let pace = |mut settings: Settings, metric, cold_start| {
        settings.scaling.as_mut().unwrap().metric = metric;
        settings.cold_start = Duration::from_seconds(cold_start);
        let Pace { up_seconds, up_replicas, quiet_seconds, down_seconds } = autoscaler(&settings).pace;
        [up_seconds, up_replicas, quiet_seconds, down_seconds]
    };
    let objective = LatencyObjective {
        time_to_first_token: Some(Duration::from_seconds(1)),
        inter_token_latency: None,
        percentile: 0.9,
    };
    let [engines, picker] = [llm().scaled(1, 4), llm().hosted("llama.example.com").scaled(0, 4)];
    let cases = [
        (&engines, Metric::QueueDepth, 600, [600, 4, 300, 60], "what was called for has to start first"),
        (&engines, Metric::KvCache, 600, [60, 1, 300, 60], "caches say how many they take"),
        (&picker, Metric::KvCache, 600, [600, 4, 300, 60], "what waits in the picker does not"),
        (&engines, Metric::Latency(objective), 600, [600, 4, 600, 120], "nor does a latency"),
        (&engines, Metric::Latency(objective), 10, [60, 4, 600, 120], "and it has to show"),
        (&engines, Metric::Latency(objective), 7200, [1800, 4, 600, 120], "a policy takes no longer period"),
    ];
    for (settings, metric, cold_start, want, reason) in cases {
        assert_eq!(pace(settings.clone(), metric, cold_start), want, "{reason}");
    }
}
