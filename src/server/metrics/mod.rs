//! What operators count: the series of the official SDKs under their names, and a few of our own.
//!
//! | Series | Labels | Counts |
//! |---|---|---|
//! | `grpc_server_started_total` | `grpc_type`, `grpc_service`, `grpc_method` | calls begun |
//! | `grpc_server_handled_total` | the same, and `grpc_code` | calls ended |
//! | `grpc_server_msg_received_total`, `grpc_server_msg_sent_total` | as started | messages |
//! | `function_inference_run_duration_seconds` | | a histogram of the function's own time |
//! | `function_inference_results_total` | `severity` | results given to Crossplane |
//! | `function_inference_known_total` | | calls answered with what was decided for an earlier one |
//! | `function_inference_build_info` | `version` | always 1 |

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use self::calls::Calls;
use super::Answered;
use crate::protocol::view::Severity;

pub(super) mod calls;
pub(super) mod listener;

/// Around what a call costs, and up to where somebody should ask why.
const DURATION_BUCKETS_SECONDS: [f64; 12] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/// Every series of one server. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    pub(super) calls: Calls,
    run_duration: Histogram,
    results: Family<ResultLabels, Counter>,
    known: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    severity: SeverityLabel,
}

/// As the protocol spells it, without its prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct SeverityLabel(Severity);

impl EncodeLabelValue for SeverityLabel {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self.0 {
            Severity::Unspecified => "Unspecified",
            Severity::Fatal => "Fatal",
            Severity::Warning => "Warning",
            Severity::Normal => "Normal",
        }
        .encode(encoder)
    }
}

impl Metrics {
    /// All series at zero where their labels are known beforehand: a rate over a series that appears with its first
    /// event misses that event.
    pub(super) fn new() -> Self {
        let results = Family::<ResultLabels, Counter>::default();
        for severity in [Severity::Fatal, Severity::Warning, Severity::Normal] {
            drop(results.get_or_create(&ResultLabels { severity: SeverityLabel(severity) }));
        }
        let run_duration = Histogram::new(DURATION_BUCKETS_SECONDS);
        Self { calls: Calls::new(), run_duration, results, known: Counter::default() }
    }

    /// What a scrape sees.
    pub(super) fn registry(&self) -> Registry {
        let Self { calls, run_duration, results, known } = self;
        let mut registry = Registry::default();
        calls.register(&mut registry);
        // The encoder ends each help text with a full stop, and each counter's name with `_total`.
        let own = registry.sub_registry_with_prefix("function_inference");
        own.register(
            "run_duration_seconds",
            "Time the function itself took for a call",
            run_duration.clone(),
        );
        own.register("results", "Total number of results given to Crossplane", results.clone());
        own.register(
            "known",
            "Total number of calls answered with what was decided for an earlier one",
            known.clone(),
        );
        let build = Family::<BuildLabels, ConstGauge>::new_with_constructor(|| ConstGauge::new(1));
        drop(build.get_or_create(&BuildLabels { version: env!("CARGO_PKG_VERSION") }));
        own.register("build_info", "The version that is running", build);
        registry
    }

    /// One call of the function.
    pub(super) fn ran(&self, duration: Duration, answered: &Answered) {
        let Answered { response, is_known } = answered;
        self.run_duration.observe(duration.as_secs_f64());
        self.known.inc_by(u64::from(*is_known));
        for result in &response.results {
            self.results.get_or_create(&ResultLabels { severity: SeverityLabel(result.severity()) }).inc();
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}
