//! How far a composite reaches: its cluster, namespace and image, and whether the platform lets it.

use super::llm_inference as xr;
use super::model_stack as stack;
use super::policy::{self, Star};
use super::problem::{Path, Problems};
use super::resolve::Identity;
use super::rules;
use super::settings::{
    Backend, Delivery, MonitorKind, Monitoring, Monitors, ProviderConfigKind, Target, Transport,
};
use super::values::{ModelName, Namespace};

/// How objects get there: by Crossplane itself, or inside Objects.
pub(super) fn transport(
    identity: &Identity,
    target: Option<stack::Wrapper>,
    provider_config_kind: Option<ProviderConfigKind>,
    provider_config_name: Option<String>,
    policy: &stack::Policy,
    problems: &mut Problems,
    input: &mut Problems,
) -> Option<Transport> {
    let target = match target {
        None => None,
        Some(stack::Wrapper::NamespacedObject) => Some(Target::NamespacedObject),
        Some(stack::Wrapper::ClusterObject) => Some(Target::ClusterObject),
        Some(stack::Wrapper::Direct) => {
            // Whoever names a cluster would find the model on another one.
            if let Some(name) = provider_config_name {
                let want = "must be left out, since the platform's target is Direct: models run on the cluster that \
                            Crossplane runs on";
                problems.add(&Path::dotted("providerConfigName"), format!("{name:?}"), want);
            }
            if provider_config_kind.is_some() {
                let want = "must be left out where target is Direct, which needs no provider";
                input.add(&Path::dotted("providerConfigKind"), "set", want);
            }
            return Some(Transport::Direct);
        }
    };
    delivery(identity, target, provider_config_kind, provider_config_name, policy, problems, input)
        .map(Transport::Objects)
}

/// How Objects get there. Crossplane forbids a namespaced composite to compose anything cluster-scoped; and under a
/// cluster-scoped one, no namespace says where a namespaced Object belongs.
pub(super) fn delivery(
    identity: &Identity,
    target: Option<Target>,
    provider_config_kind: Option<ProviderConfigKind>,
    provider_config_name: Option<String>,
    policy: &stack::Policy,
    problems: &mut Problems,
    input: &mut Problems,
) -> Option<Delivery> {
    let path = Path::dotted("target");
    let target = match (target, &identity.namespace) {
        (Some(Target::ClusterObject), None) => Target::ClusterObject,
        (Some(Target::ClusterObject), Some(_)) => {
            input.add(
                &path,
                r#""ClusterObject""#,
                "must be NamespacedObject or, for a model, Direct, since the composite is namespaced",
            );
            return None;
        }
        (Some(Target::NamespacedObject) | None, Some(_)) => Target::NamespacedObject,
        (written, None) => {
            if !input.doubt(&path) {
                let seen = if written.is_some() { r#""NamespacedObject""# } else { "missing" };
                input.add(
                    &path,
                    seen,
                    "must be ClusterObject or, for a model, Direct, since the composite has no metadata.namespace",
                );
            }
            return None;
        }
    };
    if target == Target::ClusterObject && provider_config_kind.is_some() {
        input.add(
            &Path::dotted("providerConfigKind"),
            "set",
            "must be left out where target is ClusterObject, which knows one kind only",
        );
    }

    let path = Path::dotted("providerConfigName");
    let Some(provider_config_name) = provider_config_name else {
        problems.add(&path, "missing", "must name the provider configuration of the target cluster");
        return None;
    };
    if let Some(patterns) = policy::patterns(policy.provider_configs.as_ref())
        && !policy::allows(&patterns, &provider_config_name, Star::NoSlash)
    {
        problems.add(&path, format!("{provider_config_name:?}"), policy::permitted(&patterns));
    }
    Some(Delivery {
        target,
        provider_config_kind: provider_config_kind.unwrap_or(ProviderConfigKind::ProviderConfig),
        provider_config_name,
    })
}

/// Where everything lands. Crossplane puts whatever a namespaced composite composes into the composite's own namespace
/// (v2.3.4, `RenderComposedResourceMetadata`), so without Objects there is no other.
pub(super) fn namespace(
    identity: &Identity,
    target: Option<stack::Wrapper>,
    written: Option<Namespace>,
    gateways: &[&str],
    policy: &stack::Policy,
    problems: &mut Problems,
) -> Option<Namespace> {
    let path = Path::dotted("targetNamespace");
    let own = identity.namespace.as_deref();
    let Some(namespace) = written else {
        if own.is_none() {
            problems.add(&path, "missing", "must be there, since the composite has no metadata.namespace");
        }
        return own.and_then(Namespace::parse);
    };
    if own != Some(namespace.as_str()) {
        if let Some(own) = own.filter(|_| target == Some(stack::Wrapper::Direct)) {
            let want = format!(
                "must be {own:?}, the composite's own, or left out: where the platform's target is Direct, Crossplane \
                 composes nothing elsewhere for a namespaced composite"
            );
            problems.add(&path, format!("{:?}", namespace.as_str()), want);
            return None;
        }
        let patterns = policy::patterns(policy.target_namespaces.as_ref());
        if let Some(want) = policy::refuse_namespace(patterns.as_deref(), namespace.as_str(), gateways) {
            problems.add(&path, format!("{:?}", namespace.as_str()), want);
        }
    }
    Some(namespace)
}

pub(super) fn check_image(runtime: &xr::Runtime, policy: &stack::Policy, problems: &mut Problems) {
    if let (Some(image), Some(patterns)) = (&runtime.image, policy::patterns(policy.images.as_ref()))
        && !policy::allows(&patterns, &image.0, Star::Anything)
    {
        problems.add(&Path::dotted("runtime.image"), format!("{:?}", image.0), policy::permitted(&patterns));
    }
}

/// With several GPUs the function decides how workers start.
pub(super) fn check_environment(
    runtime: &xr::Runtime,
    defaults: &xr::Runtime,
    gpu: i64,
    problems: &mut Problems,
    input: &mut Problems,
) {
    let sets = |runtime: &xr::Runtime| {
        let variables = runtime.env.iter().flat_map(|env| &env.0);
        let mut names = variables.filter_map(|variable| variable.name.as_ref());
        gpu > 1 && names.any(|name| name.0 == rules::WORKER_METHOD_ENV)
    };
    let want = "the function sets it where gpu is above 1";
    if sets(runtime) {
        problems.add(&Path::dotted("runtime.env"), rules::WORKER_METHOD_ENV, want);
    } else if runtime.env.is_none() && sets(defaults) {
        input.add(&Path::dotted("defaults.runtime.env"), rules::WORKER_METHOD_ENV, want);
    }
}

/// A name is refused only where one that is really derived from it would be too long for a Service.
pub(super) fn check_name(
    name: &ModelName,
    backend: Backend,
    monitoring: &Monitoring,
    routed: bool,
    problems: &mut Problems,
) {
    let has_metrics_service =
        matches!(monitoring, Monitoring::Monitors(Monitors { kind: MonitorKind::ServiceMonitor, .. }));
    let suffixes = [
        (backend == Backend::Deployment, ModelName::MODEL_SERVER_SUFFIX),
        (has_metrics_service, ModelName::METRICS_SUFFIX),
        (routed, ModelName::PICKER_SUFFIX),
    ];
    let suffix =
        suffixes.into_iter().filter(|(used, _)| *used).map(|(_, suffix)| suffix).max_by_key(|it| it.len());
    let Some(suffix) = suffix else { return };
    let max = ModelName::MAX - suffix.len();
    if name.as_str().len() > max {
        let want =
            format!("must be at most {max} characters long, since Service <name>{suffix} is made from it");
        problems.add_at(Path::dotted("metadata.name"), format!("{:?}", name.as_str()), want);
    }
}
