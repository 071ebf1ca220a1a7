//! What the settings alone, or the live model, forbid.

use crate::api::settings::{Backend, Delivery, GatewayChoice, MetricsAuth, Settings, Target, Transport};
use crate::api::{LABEL_VALUE_MAX, Path, Problem, Source, Step};
use crate::observe::{Form, Observed};

use super::keys::Key;

/// A field of the composite that cannot be what it is.
pub(super) fn composite(path: &str, seen: impl std::fmt::Debug, want: impl Into<String>) -> Problem {
    problem(Source::Composite, path, format!("{seen:?}"), want.into())
}

/// A list of the composite that is too long.
pub(super) fn composite_list(path: &str, length: usize, want: String) -> Problem {
    problem(Source::Composite, path, format!("a list of {length}"), want)
}

/// An entry of a list that cannot be what it is.
pub(super) fn entry(source: Source, path: &str, index: usize, seen: String, want: &str) -> Problem {
    let mut found = problem(source, path, seen, want.to_owned());
    found.path.0.push(Step::Index(index));
    found
}

/// A provider configuration whose name is no label cannot be looked up by one.
pub(super) fn unfindable(settings: &Settings) -> Option<Problem> {
    let routing = settings.routing.as_ref()?;
    let name = match (&routing.gateway, &settings.transport) {
        (GatewayChoice::Discovered(_), Transport::Objects(delivery)) => &delivery.provider_config_name,
        (GatewayChoice::Named(_), _) | (_, Transport::Direct) => return None,
    };
    let want = format!(
        "must have at most {LABEL_VALUE_MAX} characters where the platform has Gateways discovered, since they are found by a \
         label with that value; or the platform's Input names the Gateway in spec.gateway.ref"
    );
    let path = format!("{}.providerConfigName", settings.composite.spec_path);
    (name.len() > LABEL_VALUE_MAX).then(|| problem(Source::Composite, &path, format!("{name:?}"), want))
}

/// A field of the Input that cannot be what it is.
pub(super) fn input(path: &str, seen: impl std::fmt::Debug, want: impl Into<String>) -> Problem {
    problem(Source::Input, path, format!("{seen:?}"), want.into())
}

/// A field of the Input that has to be there.
pub(super) fn input_misses(path: &str, want: impl Into<String>) -> Problem {
    problem(Source::Input, path, "missing".to_owned(), want.into())
}

/// A field of the Input that must not be there.
pub(super) fn input_has(path: &str, want: impl Into<String>) -> Problem {
    problem(Source::Input, path, "there".to_owned(), want.into())
}

fn problem(source: Source, path: &str, seen: String, want: String) -> Problem {
    Problem { source, path: Path::dotted(path), seen, want }
}

/// An Object whose namespace or provider configuration changes makes a new object and leaves the old one running
/// (crossplane-contrib/provider-kubernetes v1.2.1), so both are set once.
pub(super) fn moved(settings: &Settings, observed: &Observed) -> Vec<Problem> {
    let live =
        [Key::VllmRuntime, Key::ModelDeployment].into_iter().find_map(|key| observed.objects.get(&key));
    let Some(workload) = live else { return Vec::new() };
    let provider_config = match &settings.transport {
        Transport::Objects(Delivery { provider_config_name, .. }) => {
            Some(("providerConfigName", provider_config_name.as_str(), workload.provider_config.as_deref()))
        }
        Transport::Direct => None,
    };
    let namespace = ("targetNamespace", settings.namespace.as_str(), workload.asked.namespace.as_deref());
    provider_config
        .into_iter()
        .chain([namespace])
        .filter_map(|(path, wanted, live)| {
            let live = live.filter(|live| *live != wanted)?;
            let way = format!(
                "must stay {live:?}, where this model runs, since a move would leave the old objects running; create a \
                 second LLMInference there, and delete this one once that serves"
            );
            Some(composite(&format!("{}.{path}", settings.composite.spec_path), wanted, way))
        })
        .collect()
}

/// Crossplane keeps the name of a composed resource whose kind changes, and forgets the former one (v2.3.4, `Compose`): a
/// model that moved out of its Objects would run a second time, under their names, and nobody would ever delete them.
pub(super) fn other_target(settings: &Settings, observed: &Observed) -> Option<Problem> {
    let named = |form| match form {
        Form::NamespacedObject => "NamespacedObject",
        Form::ClusterObject => "ClusterObject",
        Form::Direct => "Direct",
    };
    let wanted = match &settings.transport {
        Transport::Objects(Delivery { target: Target::NamespacedObject, .. }) => Form::NamespacedObject,
        Transport::Objects(Delivery { target: Target::ClusterObject, .. }) => Form::ClusterObject,
        Transport::Direct => Form::Direct,
    };
    let other = observed.objects.values().map(|object| object.form).find(|form| *form != wanted)?;
    let want = format!(
        "must stay {:?} for this model, whose objects would be left behind; create a second LLMInference of another name \
         by a Composition with this target, and delete this one once that serves",
        named(other),
    );
    Some(input("spec.target", named(wanted), want))
}

/// What protects a picker's metrics is cluster-scoped in part: nothing that a namespaced composite may own.
pub(super) fn owned_by_nobody(settings: &Settings) -> Option<Problem> {
    let picker = settings.routing.as_ref().map(|routing| &routing.picker)?;
    let want = "must be None where target is Direct: it takes ClusterRoles, which a namespaced composite cannot own, and \
                which Crossplane is not granted";
    (settings.transport == Transport::Direct && picker.metrics_auth == MetricsAuth::Token)
        .then(|| input("spec.endpointPicker.metricsAuth", "Token", want))
}

/// The other backend's object would go when this one's comes, and nothing would serve meanwhile.
pub(super) fn other_backend(settings: &Settings, observed: &Observed) -> Option<Problem> {
    let (wanted, other, live) = match settings.backend {
        Backend::VllmRuntime(_) => ("VLLMRuntime", Key::ModelDeployment, "Deployment"),
        Backend::Deployment => ("Deployment", Key::VllmRuntime, "VLLMRuntime"),
    };
    let want = format!(
        "must stay {live:?} for this model, which would stop serving while the other starts; create a second \
         LLMInference of another name by a Composition with this backend, and delete this one once that serves"
    );
    observed.objects.contains_key(&other).then(|| input("spec.workload.backend", wanted, want))
}
