//! What the settings alone, or the live model, forbid.

use crate::api::settings::Settings;
use crate::api::{Path, Problem, Source};
use crate::observe::Observed;

use super::keys::Key;

/// Longest name of a Service, a label value, a pod's `app` label or what KEDA derives from a `ScaledObject`.
const LABEL_MAX: usize = 63;

/// A field of the composite that cannot be what it is.
pub(super) fn composite(path: &str, seen: impl std::fmt::Debug, want: impl Into<String>) -> Problem {
    problem(Source::Composite, path, seen, want.into())
}

/// A field of the Input that cannot be what it is.
pub(super) fn input(path: &str, seen: impl std::fmt::Debug, want: impl Into<String>) -> Problem {
    problem(Source::Input, path, seen, want.into())
}

fn problem(source: Source, path: &str, seen: impl std::fmt::Debug, want: String) -> Problem {
    Problem { source, path: Path::dotted(path), seen: format!("{seen:?}"), want }
}

/// An Object whose namespace or provider configuration changes makes a new object and leaves the old one running
/// (crossplane-contrib/provider-kubernetes v1.2.1), so both are set once.
pub(super) fn moved(settings: &Settings, observed: &Observed) -> Vec<Problem> {
    let Some(workload) = observed.objects.get(&Key::VllmRuntime) else { return Vec::new() };
    let once = [
        (
            "spec.providerConfigName",
            settings.delivery.provider_config_name.as_str(),
            workload.provider_config.as_deref(),
        ),
        ("spec.targetNamespace", settings.namespace.as_str(), workload.asked.namespace.as_deref()),
    ];
    once.into_iter()
        .filter_map(|(path, wanted, live)| {
            let live = live.filter(|live| *live != wanted)?;
            let way = format!(
                "must stay {live:?}, where this model runs, since a move would leave the old objects running; create a \
                 second LLMInference there, and delete this one once that serves"
            );
            Some(composite(path, wanted, way))
        })
        .collect()
}

/// Derived names that would be refused; the model's own name is checked where it is read.
pub(super) fn long_names(settings: &Settings) -> Vec<Problem> {
    let name = &settings.composite.name;
    let derived = [
        settings.monitoring.is_some().then(|| name.metrics_service()),
        settings.routing.is_some().then(|| name.picker()),
        settings.scaling.is_some().then(|| name.autoscaler()),
    ];
    let longest = derived.into_iter().flatten().max_by_key(String::len).filter(|name| name.len() > LABEL_MAX);
    longest
        .map(|derived| {
            let most = name.as_str().len() - (derived.len() - LABEL_MAX);
            let want = format!(
                "must have at most {most} characters here: {derived:?} is made of it, and may have {LABEL_MAX}"
            );
            composite("metadata.name", name.as_str(), want)
        })
        .into_iter()
        .collect()
}
