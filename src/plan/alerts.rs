//! What somebody should be told about a model: alerts that know that it may sleep.
//!
//! `docs/monitoring.md` has cause and cure of each for people; a test keeps the two lists equal.

use std::collections::BTreeMap;

use crate::api::Duration;
use crate::api::settings::{LatencyObjective, Metric, Monitoring, Settings};

use super::cold_start::ColdStart;
use super::endpoint_picker::{OwnPicker, Queue};

use super::names::{MODEL_LABEL, series_label};
use super::scaling::{self, QUEUE_DEPTH_TARGET};
use super::series::{Series, vllm};
use super::{Alert, MonitoringPlan, RulesPlan, Severity};

/// How long a model that served may be gone, a picker be unread or a series be missing: some scrapes, and a process
/// that starts anew.
const OUTAGE: Duration = Duration::from_seconds(120);
const UNREAD: Duration = Duration::from_seconds(300);
/// Load comes in waves: this is longer than one.
const SUSTAINED: Duration = Duration::from_seconds(600);

/// Of the KV cache, over all replicas.
const CACHE_FULL: f64 = 0.95;
/// A second. Each throws work away that is done again.
const PREEMPTIONS: f64 = 0.1;
/// Of all requests (llm-d's alerts for its picker).
const HIGH_ERROR_RATIO: f64 = 0.05;
const CRITICAL_ERROR_RATIO: f64 = 0.2;

/// What is the client's own fault, and what a busy picker sheds as it is told to. The first is what v1.3.x calls the
/// second (kubernetes-sigs/gateway-api-inference-extension v1.3.1, `pkg/epp/util/error`, and v1.5.0,
/// `pkg/common/error`).
const NO_ERRORS: &str = "InferencePoolResourceExhausted|ResourceExhausted|BadRequest|NotFound";
/// Requests that nobody could take in time (GIE v1.5.0 and llm-d-router v0.10.0, `pkg/epp/flowcontrol/types`).
const EXPIRED: &str = "EvictedTTL";

/// Decides what is worth an alert. Nothing without series, which is told already.
pub(super) fn decide(
    settings: &Settings,
    picker: Option<&OwnPicker>,
    monitoring: Option<&MonitoringPlan>,
    series: Option<&Series<'_>>,
) -> Option<RulesPlan> {
    let (labels, series) = (settings.rules.as_ref()?, series?);
    let is_scraped = match &settings.monitoring {
        Monitoring::Monitors(_) => monitoring.is_some_and(|monitoring| monitoring.picker),
        // Whoever scrapes for the autoscaler has to scrape that too.
        Monitoring::External(_) => scaling::asks_picker(settings, picker),
        Monitoring::None => false,
    };
    let scraped_picker = picker.filter(|_| is_scraped);
    let mut alerts = engines(settings, series);
    if let Some(picker) = scraped_picker {
        alerts.extend(endpoint_picker(settings, series, picker));
    }
    Some(RulesPlan {
        labels: labels.clone(),
        group: format!("{}/{}", settings.namespace, settings.composite.name),
        alert_labels: BTreeMap::from([
            ("namespace".to_owned(), settings.namespace.to_string()),
            (series_label(MODEL_LABEL), settings.composite.name.to_string()),
        ]),
        alerts,
    })
}

/// What an engine must have to be scaled on that, each by all of its names.
fn asked(metric: Metric) -> Vec<Vec<String>> {
    match metric {
        Metric::QueueDepth => vec![vec![vllm::WAITING.to_owned()]],
        Metric::KvCache => vec![vec![vllm::KV_CACHE.to_owned()]],
        Metric::Latency(LatencyObjective { time_to_first_token, inter_token_latency, percentile: _ }) => {
            let histograms = [
                (&vllm::TIME_TO_FIRST_TOKEN[..], time_to_first_token),
                (&vllm::INTER_TOKEN_LATENCY[..], inter_token_latency),
            ];
            let counts = |names: &[&str]| names.iter().map(|name| format!("{name}_count")).collect();
            histograms.into_iter().filter_map(|(names, objective)| objective.map(|_| counts(names))).collect()
        }
    }
}

/// What the engines' series say.
fn engines(settings: &Settings, series: &Series<'_>) -> Vec<Alert> {
    let engine = series.engine();
    let cold_start = settings.cold_start;
    let mut alerts = vec![Alert {
        name: "InferenceReplicaNotAnswering",
        expr: format!("up{{{engine}}} == 0"),
        lasts: Some(cold_start),
        severity: Severity::Warning,
        summary: "A replica does not answer Prometheus.",
        description: format!(
            "{{{{ $labels.pod }}}} has not answered for {cold_start}, the longest that a replica may take to start: it \
             does not start, or Prometheus cannot reach it."
        ),
    }];
    if settings.replicas.min > 0 {
        alerts.extend(outages(&engine, cold_start));
    }
    if let Some(scaling) = &settings.scaling {
        let metrics = asked(scaling.metric);
        let each = metrics.iter().map(|names| {
            let counts: Vec<String> = names.iter().map(|name| format!("count({name}{{{engine}}})")).collect();
            if counts.len() > 1 { format!("({})", counts.join(" or ")) } else { counts.concat() }
        });
        let each: Vec<String> = each.collect();
        let all = if each.len() > 1 { format!("({})", each.join(" and ")) } else { each.concat() };
        let metric =
            metrics.iter().filter_map(|names| names.first()).cloned().collect::<Vec<_>>().join(" and ");
        alerts.push(Alert {
            name: "InferenceScalingSeriesMissing",
            expr: format!("count(up{{{engine}}} == 1) unless {all}"),
            lasts: Some(UNREAD),
            severity: Severity::Warning,
            summary: "The replicas do not say what the model is to be scaled on.",
            description: format!(
                "{{{{ $value }}}} replicas answer, and none has {metric}: the engine's release calls it otherwise, or \
                 Prometheus drops it. The model is not scaled."
            ),
        });
    }
    let (replicas, target) = match &settings.scaling {
        Some(scaling) => {
            let target = scaling.target.filter(|_| scaling.metric == Metric::QueueDepth);
            (settings.replicas.max, target.unwrap_or(QUEUE_DEPTH_TARGET))
        }
        None => (settings.replicas.min, QUEUE_DEPTH_TARGET),
    };
    let most = f64::from(replicas) * target;
    alerts.extend([
        Alert {
            name: "InferenceRequestsWaiting",
            expr: format!("sum({}{{{engine}}}) > {most}", vllm::WAITING),
            lasts: Some(cold_start),
            severity: Severity::Warning,
            summary: "More requests wait than the model may have replicas for.",
            description: format!(
                "{{{{ $value }}}} requests wait in the engines, more than {target} for each of the {replicas} replicas \
                 that there may be: more replicas or faster ones are needed."
            ),
        },
        Alert {
            name: "InferenceCacheFull",
            expr: format!("avg({}{{{engine}}}) > {CACHE_FULL}", vllm::KV_CACHE),
            lasts: Some(SUSTAINED),
            severity: Severity::Warning,
            summary: "The replicas' KV caches are full.",
            description: "{{ $value | humanizePercentage }} of all caches is in use: requests wait for room, or lose \
                          theirs. More replicas, more GPU memory or shorter contexts help."
                .to_owned(),
        },
        Alert {
            name: "InferencePreemptions",
            expr: format!("sum(rate({}{{{engine}}}[5m])) > {PREEMPTIONS}", vllm::PREEMPTIONS),
            lasts: Some(SUSTAINED),
            severity: Severity::Warning,
            summary: "Requests lose their place in the KV cache.",
            description: "{{ $value | humanize }} requests a second are preempted, and their work is done again: more \
                          replicas, more GPU memory or fewer sequences at once help."
                .to_owned(),
        },
    ]);
    alerts
}

/// A model that may not sleep, and that nobody can use. The first tells soon of one that served; the second of one that
/// never came, and goes on after the first.
fn outages(engine: &str, cold_start: Duration) -> [Alert; 2] {
    let nobody = format!("(sum(up{{{engine}}}) or vector(0)) == 0");
    let before = ColdStart(cold_start).memory();
    [
        Alert {
            name: "InferenceModelGone",
            expr: format!("{nobody} and max(max_over_time(up{{{engine}}}[{before}])) == 1"),
            lasts: Some(OUTAGE),
            severity: Severity::Critical,
            summary: "No replica answers any more.",
            description:
                "The model had replicas that answered, and has none: they ended, or Prometheus cannot reach \
                          them any more."
                    .to_owned(),
        },
        Alert {
            name: "InferenceModelUnavailable",
            expr: nobody,
            lasts: Some(cold_start),
            severity: Severity::Critical,
            summary: "No replica answers.",
            description: format!(
                "No replica has answered for {cold_start}, the longest that one may take to start: they do not start, or \
                 Prometheus does not scrape them."
            ),
        },
    ]
}

/// What the picker's series say.
fn endpoint_picker(settings: &Settings, series: &Series<'_>, plan: &OwnPicker) -> Vec<Alert> {
    let traits = plan.family.traits();
    let (engine, picker, held) = (series.engine(), series.picker(), series.held());
    let cold_start = settings.cold_start;
    let sleeps = scaling::sleeps(settings);
    let mut alerts = vec![Alert {
        name: "InferencePickerNotScraped",
        expr: format!("(sum(up{{{picker}}}) or vector(0)) == 0"),
        lasts: Some(UNREAD),
        severity: if sleeps { Severity::Critical } else { Severity::Warning },
        summary: "Prometheus cannot read the Endpoint Picker.",
        description: if sleeps {
            "The picker does not run, or Prometheus cannot reach it: nothing wakes the model, and nothing puts it to \
             sleep."
        } else {
            "The picker does not run, or Prometheus cannot reach it: the requests that wait there are not seen."
        }
        .to_owned(),
    }];
    if sleeps {
        alerts.push(Alert {
            name: "InferenceEnginesNotScraped",
            expr: format!("sum({}{{{picker}}}) > 0 unless count(up{{{engine}}})", traits.running_metric),
            lasts: Some(cold_start),
            severity: Severity::Warning,
            summary: "Requests run in replicas that nobody scrapes.",
            description: format!(
                "The picker has handed on {{{{ $value }}}} requests, and Prometheus has no replica to scrape. It takes \
                 the model for asleep, or it has not woken for {cold_start}."
            ),
        });
    }
    if plan.holds {
        let lasts = ColdStart(cold_start).past();
        alerts.push(Alert {
            name: "InferenceRequestsHeld",
            expr: format!("sum({}{{{held}}}) > 0", traits.queue_metric),
            lasts: Some(lasts),
            severity: Severity::Warning,
            summary: "Requests wait in the Endpoint Picker without an end.",
            description: format!(
                "For {lasts}, longer than a replica takes to start, requests have waited in the picker: the model does \
                 not wake, or has too few replicas."
            ),
        });
    }
    // The others let them wait for ever.
    if plan.holds && traits.queue != Queue::Fixed {
        let wait = traits.wait_metric;
        alerts.push(Alert {
            name: "InferenceRequestsExpired",
            expr: format!(r#"sum(increase({wait}_count{{{held},outcome=~"{EXPIRED}"}}[10m])) > 0"#),
            lasts: None,
            severity: Severity::Warning,
            summary: "Requests waited in the Endpoint Picker in vain.",
            description:
                "In ten minutes {{ $value | humanize }} requests were held as long as they may be, and then \
                          refused: no replica came in time, or none had room."
                    .to_owned(),
        });
    }
    let failed = format!(r#"sum(rate({}{{{picker},error_code!~"{NO_ERRORS}"}}[5m]))"#, traits.error_metric);
    // Only what is handed on counts as a request; what the picker refuses is an error alone.
    let handed_on = format!("(sum(rate({}{{{picker}}}[5m])) or vector(0))", traits.request_metric);
    let ratio = |name, bound: f64, lasts, severity| {
        Alert {
        name,
        expr: format!("{failed} / ({handed_on} + {failed}) > {bound}"),
        lasts: Some(lasts),
        severity,
        summary: "Requests fail.",
        description: "{{ $value | humanizePercentage }} of the requests fail in the Endpoint Picker or in the engines; \
                      what is shed does not count."
            .to_owned(),
    }
    };
    alerts.extend([
        ratio("InferenceErrorRatioHigh", HIGH_ERROR_RATIO, SUSTAINED, Severity::Warning),
        ratio("InferenceErrorRatioCritical", CRITICAL_ERROR_RATIO, UNREAD, Severity::Critical),
    ]);
    alerts
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use crate::api::Duration;
    use crate::api::fixtures::llm;
    use crate::api::settings::{LatencyObjective, Metric, MonitorKind, Monitoring, Settings, Toggle};
    use crate::observe::Observed;
    use crate::plan::keys::Key;
    use crate::plan::{RulesPlan, Severity, plan};

    const HOST: &str = "llama.example.com";

    fn alerted(mut settings: Settings) -> RulesPlan {
        settings.rules = Some(BTreeMap::new());
        let plan = plan(&settings, &Observed::default()).unwrap();
        assert!(plan.has(Key::PrometheusRule));
        plan.rules.unwrap()
    }

    fn names(rules: &RulesPlan) -> BTreeSet<&'static str> {
        rules.alerts.iter().map(|alert| alert.name).collect()
    }

    fn hosted_with(version: &str) -> Settings {
        let mut settings = llm().hosted(HOST).scaled(0, 3);
        settings.routing.as_mut().unwrap().picker.version = Some(version.to_owned());
        settings
    }

    const EVERY_MODEL: [&str; 4] = [
        "InferenceReplicaNotAnswering",
        "InferenceRequestsWaiting",
        "InferenceCacheFull",
        "InferencePreemptions",
    ];
    const AWAKE: [&str; 2] = ["InferenceModelGone", "InferenceModelUnavailable"];
    const SCALED: [&str; 1] = ["InferenceScalingSeriesMissing"];
    const PICKER: [&str; 3] =
        ["InferencePickerNotScraped", "InferenceErrorRatioHigh", "InferenceErrorRatioCritical"];
    const ASLEEP: [&str; 2] = ["InferenceEnginesNotScraped", "InferenceRequestsHeld"];
    const EXPIRES: [&str; 1] = ["InferenceRequestsExpired"];

    #[test]
    fn a_model_gets_the_alerts_that_can_mean_something_for_it() {
        let mut unscraped = llm().hosted(HOST);
        unscraped.monitors().endpoint_picker = Toggle::Disabled;
        let mut external = llm().hosted(HOST);
        external.monitoring = Monitoring::External(BTreeMap::new());
        let mut external_asleep = external.clone().scaled(0, 3);
        external_asleep.routing.as_mut().unwrap().picker.version = Some("v1.5.0".to_owned());
        let stopped = {
            let mut settings = llm();
            settings.replicas.min = 0;
            settings
        };
        let cases: [(Settings, &[&[&str]], &str); 9] = [
            (llm(), &[&EVERY_MODEL, &AWAKE], "nothing but replicas"),
            (llm().scaled(1, 3), &[&EVERY_MODEL, &AWAKE, &SCALED], "what it scales on"),
            (stopped, &[&EVERY_MODEL], "stopped, it is not missed"),
            (llm().hosted(HOST), &[&EVERY_MODEL, &AWAKE, &PICKER], "the picker is scraped for the alerts"),
            (unscraped, &[&EVERY_MODEL, &AWAKE], "but not where the platform says no"),
            (external, &[&EVERY_MODEL, &AWAKE], "nobody said that somebody scrapes the picker"),
            (
                external_asleep,
                &[&EVERY_MODEL, &SCALED, &PICKER, &ASLEEP, &EXPIRES],
                "the autoscaler could not do without",
            ),
            (hosted_with("v1.3.1"), &[&EVERY_MODEL, &SCALED, &PICKER, &ASLEEP], "nothing ever expires there"),
            (
                hosted_with("v0.10.0").scraped_by(MonitorKind::PodMonitor),
                &[&EVERY_MODEL, &SCALED, &PICKER, &ASLEEP, &EXPIRES],
                "by pods as by Services",
            ),
        ];
        for (settings, groups, reason) in cases {
            let want: BTreeSet<&str> = groups.iter().copied().flatten().copied().collect();
            assert_eq!(names(&alerted(settings)), want, "{reason}");
        }
    }

    #[test]
    fn alerts_ask_with_the_same_names_and_selectors_as_the_autoscaler() {
        let rules = alerted(hosted_with("v0.10.0"));
        let expr = |name| rules.alerts.iter().find(|alert| alert.name == name).unwrap().expr.as_str();
        let picker = r#"namespace="team-a",inference_devopstoolkit_ai_model="llama",job="llama-epp""#;
        assert_eq!(expr("InferencePickerNotScraped"), format!("(sum(up{{{picker}}}) or vector(0)) == 0"));
        assert_eq!(
            expr("InferenceRequestsHeld"),
            format!(r#"sum(llm_d_epp_flow_control_queue_size{{{picker},inference_pool="llama"}}) > 0"#)
        );
        assert!(expr("InferenceErrorRatioHigh").starts_with("sum(rate(llm_d_epp_request_error_total{"));
        assert!(expr("InferenceRequestsWaiting").ends_with("> 9"), "three for each of three replicas");
        let held = rules.alerts.iter().find(|alert| alert.name == "InferenceRequestsHeld").unwrap();
        assert_eq!(held.lasts.unwrap().to_string(), "11m", "a cold start is no fault");
    }

    #[test]
    fn each_objective_has_a_histogram_that_can_be_missing() {
        let engine = r#"{namespace="team-a",inference_devopstoolkit_ai_model="llama",job="llama-metrics"}"#;
        let missing = |first: bool, next: bool| {
            let longest = |asked: bool| asked.then(|| Duration::from_seconds(1));
            let mut settings = llm().scaled(1, 4);
            settings.scaling.as_mut().unwrap().metric = Metric::Latency(LatencyObjective {
                time_to_first_token: longest(first),
                inter_token_latency: longest(next),
                percentile: 0.9,
            });
            let alerts = alerted(settings).alerts;
            alerts.into_iter().find(|alert| alert.name == "InferenceScalingSeriesMissing").unwrap()
        };
        let count = |metric: &str| format!("count(vllm:{metric}_seconds_count{engine})");
        let first = count("time_to_first_token");
        let next = format!("({} or {})", count("inter_token_latency"), count("time_per_output_token"));
        let expr = |want: &str| format!("count(up{engine} == 1) unless {want}");
        assert_eq!(missing(true, false).expr, expr(&first));
        assert_eq!(missing(false, true).expr, expr(&next));
        let both = missing(true, true);
        assert_eq!(both.expr, expr(&format!("({first} and {next})")));
        assert!(
            both.description.contains(
                "vllm:time_to_first_token_seconds_count and vllm:inter_token_latency_seconds_count"
            ),
            "{}",
            both.description
        );
    }

    #[test]
    fn a_target_of_the_cache_is_no_number_of_requests() {
        let mut settings = llm().scaled(1, 4);
        settings.scaling.as_mut().unwrap().target = Some(5.0);
        let waiting = |settings: &Settings| {
            let alerts = alerted(settings.clone()).alerts;
            alerts.into_iter().find(|alert| alert.name == "InferenceRequestsWaiting").unwrap().expr
        };
        assert!(waiting(&settings).ends_with("> 20"), "{}", waiting(&settings));
        let scaling = settings.scaling.as_mut().unwrap();
        (scaling.metric, scaling.target) = (Metric::KvCache, Some(0.5));
        assert!(waiting(&settings).ends_with("> 12"), "{}", waiting(&settings));
    }

    /// The page is for people; this keeps it from lagging behind.
    #[test]
    fn the_documented_alerts_are_these() {
        let page = include_str!("../../docs/monitoring.md");
        let rows = page.lines().filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [alert, severity, present, raised, cure] = cells.as_slice() else { return None };
            let alert = alert.strip_prefix('`')?.strip_suffix('`')?;
            assert!(
                !present.is_empty() && !raised.is_empty() && !cure.is_empty(),
                "{alert} is not explained"
            );
            Some((alert, *severity))
        });
        let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let models = [llm().hosted(HOST).scaled(1, 3), hosted_with("v1.5.0")];
        for alert in models.into_iter().flat_map(|model| alerted(model).alerts) {
            known.entry(alert.name).or_default().insert(match alert.severity {
                Severity::Critical => "critical",
                Severity::Warning => "warning",
            });
        }
        let rows: BTreeMap<&str, &str> = rows.collect();
        assert_eq!(rows.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
        for (alert, severities) in known {
            let documented = rows[alert];
            let want = if severities.len() == 1 {
                severities.into_iter().collect::<String>()
            } else {
                "critical at `minReplicas` 0, else warning".to_owned()
            };
            assert_eq!(documented, want, "{alert}");
        }
    }
}
