//! Which series are one model's. What queries select by is what the monitors in `compose` make true.

use std::collections::BTreeMap;

use crate::api::settings::{Backend, MonitorKind, Monitoring, Settings};
use crate::api::{Duration, ModelName, Namespace};

use super::names::{MODEL_LABEL, series_label};

/// Series of the engines (vllm-project/vllm v0.27.1, `vllm/v1/metrics/loggers.py`).
pub(super) mod vllm {
    /// Requests that wait, a gauge.
    pub(in crate::plan) const WAITING: &str = "vllm:num_requests_waiting";
    /// Requests that are worked on, a gauge.
    pub(in crate::plan) const RUNNING: &str = "vllm:num_requests_running";
    /// How much of the KV cache is in use, a gauge from 0 to 1.
    pub(in crate::plan) const KV_CACHE: &str = "vllm:kv_cache_usage_perc";
    /// How long requests wait for their first token, a histogram.
    pub(in crate::plan) const TIME_TO_FIRST_TOKEN: [&str; 1] = ["vllm:time_to_first_token_seconds"];
    /// How long tokens take, a histogram. The second one is its name before v0.11, which has both.
    pub(in crate::plan) const INTER_TOKEN_LATENCY: [&str; 2] =
        ["vllm:inter_token_latency_seconds", "vllm:time_per_output_token_seconds"];
    /// Requests that lost their place in the KV cache to another one, a counter.
    pub(in crate::plan) const PREEMPTIONS: &str = "vllm:num_preemptions_total";
}

/// A pod's generated name is its owner's, cut to this length, and five letters or digits (Kubernetes 1.35,
/// `apiserver/pkg/storage/names/generate.go`).
const GENERATED_FROM_MAX: usize = 58;
/// Of a `ReplicaSet`'s name, beyond its Deployment's: a dash and a hash (Kubernetes 1.35, `pkg/util/hash`).
const HASH_MAX: usize = 11;

/// Of a minute's requests a high percentile is that of a few.
const LEAST_WINDOW: Duration = Duration::from_seconds(120);
/// A rate takes two, and some may fail.
const SCRAPES_IN_WINDOW: u64 = 4;

/// A model's series.
pub(super) struct Series<'a> {
    namespace: &'a Namespace,
    name: &'a ModelName,
    backend: Backend,
    source: Source<'a>,
    window: Duration,
}

/// Who scrapes.
enum Source<'a> {
    Monitors(MonitorKind),
    External(&'a BTreeMap<String, String>),
}

impl<'a> Series<'a> {
    /// Nothing where nobody scrapes.
    pub(super) fn of(settings: &'a Settings) -> Option<Self> {
        let source = match &settings.monitoring {
            Monitoring::None => return None,
            Monitoring::Monitors(monitors) => Source::Monitors(monitors.kind),
            Monitoring::External(selector) => Source::External(selector),
        };
        Some(Self {
            namespace: &settings.namespace,
            name: &settings.composite.name,
            backend: settings.backend,
            source,
            window: match &settings.monitoring {
                Monitoring::Monitors(monitors) => LEAST_WINDOW.max(scrapes(monitors.interval)),
                // How often somebody else scrapes is not known.
                Monitoring::External(_) | Monitoring::None => LEAST_WINDOW,
            },
        })
    }

    /// Over how long a rate is taken.
    pub(super) fn window(&self) -> Duration {
        self.window
    }

    /// What selects the engines' series.
    pub(super) fn engine(&self) -> String {
        let name = self.name;
        let scraped = match self.source {
            Source::Monitors(MonitorKind::ServiceMonitor) => name.metrics_service(),
            Source::Monitors(MonitorKind::PodMonitor) => name.to_string(),
            Source::External(_) => match self.backend {
                Backend::VllmRuntime(_) => name.to_string(),
                Backend::Deployment => name.model_server(),
            },
        };
        self.selector(&scraped)
    }

    /// What selects the picker's series.
    pub(super) fn picker(&self) -> String {
        self.selector(&self.name.picker())
    }

    /// What selects the picker's series of requests that wait, which tell of each pool.
    pub(super) fn held(&self) -> String {
        format!(r#"{},inference_pool="{}""#, self.picker(), self.name)
    }

    /// Engines and picker share the model's label, and are told apart by the scrape job: a `ServiceMonitor` names it
    /// after the Service, a `PodMonitor` after itself (prometheus-operator v0.93, `pkg/prometheus/promcfg.go`). Somebody
    /// else's series have neither, so their pods tell.
    fn selector(&self, scraped: &str) -> String {
        let Self { namespace, name, .. } = self;
        let label = series_label(MODEL_LABEL);
        match &self.source {
            Source::Monitors(MonitorKind::ServiceMonitor) => {
                format!(r#"namespace="{namespace}",{label}="{name}",job="{scraped}""#)
            }
            Source::Monitors(MonitorKind::PodMonitor) => {
                format!(r#"namespace="{namespace}",{label}="{name}",job="{namespace}/{scraped}""#)
            }
            Source::External(selector) => {
                let mut parts = vec![format!(r#"namespace="{namespace}""#)];
                parts.extend(
                    selector.iter().map(|(label, value)| format!(r#"{}="{value}""#, series_label(label))),
                );
                parts.push(format!(r#"pod=~"{}""#, pods(scraped)));
                parts.join(",")
            }
        }
    }
}

fn scrapes(interval: Duration) -> Duration {
    Duration::from_millis(interval.as_millis().saturating_mul(SCRAPES_IN_WINDOW))
}

/// A pattern for the pods of a Deployment, and of no other whose name starts alike.
fn pods(deployment: &str) -> String {
    let exact = GENERATED_FROM_MAX - 1 - HASH_MAX;
    if deployment.len() <= exact {
        return format!("{deployment}-[a-z0-9]+-[a-z0-9]{{5}}");
    }
    // The hash, or even the name, is cut.
    let kept = deployment.get(..GENERATED_FROM_MAX).unwrap_or(deployment);
    let hash = if deployment.len() < GENERATED_FROM_MAX { "-[a-z0-9]*-?" } else { "" };
    format!("{kept}{hash}[a-z0-9]{{5}}")
}

#[cfg(test)]
mod tests {
    use super::Series;
    use crate::api::fixtures::llm;
    use crate::api::settings::{Backend, MonitorKind, Monitoring};

    #[test]
    fn each_way_of_scraping_labels_series_its_own_way() {
        let model = r#"namespace="team-a",inference_devopstoolkit_ai_model="llama""#;
        let external = || Monitoring::External([("k8s.io/cluster".to_owned(), "gpu".to_owned())].into());
        let mut somebody = llm();
        somebody.monitoring = external();
        let mut deployed = llm();
        (deployed.monitoring, deployed.backend) = (external(), Backend::Deployment);
        let pods = |name: &str| {
            format!(r#"namespace="team-a",k8s_io_cluster="gpu",pod=~"{name}-[a-z0-9]+-[a-z0-9]{{5}}""#)
        };
        let cases = [
            (
                llm(),
                format!(r#"{model},job="llama-metrics""#),
                format!(r#"{model},job="llama-epp""#),
                "the Service's name",
            ),
            (
                llm().scraped_by(MonitorKind::PodMonitor),
                format!(r#"{model},job="team-a/llama""#),
                format!(r#"{model},job="team-a/llama-epp""#),
                "the PodMonitor's namespace and name",
            ),
            (
                somebody,
                pods("llama"),
                pods("llama-epp"),
                "the operator's Deployment is called as the runtime",
            ),
            (deployed, pods("llama-vllm"), pods("llama-epp"), "ours is not"),
        ];
        for (settings, engine, picker, reason) in cases {
            let series = Series::of(&settings).unwrap();
            assert_eq!((series.engine(), series.picker()), (engine, picker), "{reason}");
        }
        let mut unscraped = llm();
        unscraped.monitoring = Monitoring::None;
        assert!(Series::of(&unscraped).is_none());
    }

    #[test]
    fn pods_are_told_by_what_is_left_of_their_deployments_name() {
        let cases = [
            (46, "-[a-z0-9]+-[a-z0-9]{5}", "the longest hash fits"),
            (47, "-[a-z0-9]*-?[a-z0-9]{5}", "its dash may be cut"),
            (57, "-[a-z0-9]*-?[a-z0-9]{5}", "all of the hash is"),
            (58, "[a-z0-9]{5}", "its dash too"),
        ];
        for (length, rest, reason) in cases {
            let name = "a".repeat(length);
            assert_eq!(super::pods(&name), format!("{name}{rest}"), "{length}: {reason}");
        }
        assert_eq!(super::pods(&"a".repeat(63)), format!("{}[a-z0-9]{{5}}", "a".repeat(58)));
    }
}
