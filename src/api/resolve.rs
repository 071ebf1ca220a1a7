//! What is in effect: the composite's word, else the platform's, else ours; and whether the platform lets it.

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::backend;
use super::llm_inference as xr;
use super::llm_inference::Spec;
use super::lora;
use super::model_stack as stack;
use super::model_stack::StackSpec;
use super::problem::{Path, Problems, Source};
use super::reach::{check_environment, check_image, check_name, namespace, transport};
use super::reading::Map;
use super::routing::{self, PlatformGateway, gateway_ref};
use super::scaling;
use super::settings::{
    Composite, Criticality, EnvSource, EnvVariable, ExistingPicker, FailureMode, GatewayChoice, MetricsAuth,
    Model, Picker, PickerConfig, Replicas, Runtime, Scorer, SecretKey, Settings, Toggle, Ttl,
};
use super::values::{Duration, ModelName};

const DEFAULT_MAX_REPLICAS: i64 = 3;
const DEFAULT_COLD_START: Duration = Duration::from_seconds(600);
/// Where a composite describes the model, unless the Input's `specPath` says otherwise.
pub(super) const DEFAULT_SPEC_PATH: &str = "spec";
const DEFAULT_TOKEN_KEY: &str = "token";

/// Who the composite is.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) api_version: String,
    pub(super) kind: String,
    /// `None` where it is wrong, which is told already.
    pub(super) name: Option<ModelName>,
    pub(super) namespace: Option<String>,
    pub(super) created: Option<String>,
}

/// Everything decided, or `None` and the reasons among the problems.
///
/// Problems do not stop it early: the rest is checked too.
#[expect(clippy::too_many_lines, reason = "one destructuring, so that a new field has to be considered here")]
pub(super) fn settle(
    identity: Identity,
    spec: Spec,
    platform: StackSpec,
    problems: &mut Problems,
    input: &mut Problems,
) -> Option<Settings> {
    let Spec {
        model,
        served_model_name,
        gpu,
        provider_config_name,
        target_namespace,
        host,
        criticality,
        min_replicas,
        max_replicas,
        scaling,
        gateway,
        runtime,
        lora,
        ingress_host,
    } = spec;
    let StackSpec {
        target,
        provider_config_kind,
        spec_path,
        defaults,
        policy,
        workload,
        endpoint_picker,
        gateway: platform_gateway,
        priorities,
        monitoring,
        prometheus,
        hardening,
        nodes,
        labels,
        annotations,
        ttl,
    } = platform;
    let stack::Defaults { runtime: runtime_defaults, scaling: scaling_defaults } =
        defaults.unwrap_or_default();
    let policy = policy.unwrap_or_default();
    let runtime = runtime.unwrap_or_default();
    let gateway = gateway.unwrap_or_default();
    let own_gateway = PlatformGateway::new(platform_gateway.unwrap_or_default());
    let scaling = scaling.unwrap_or_default();
    let scaling_defaults = scaling_defaults.unwrap_or_default();
    let runtime_defaults = runtime_defaults.unwrap_or_default();
    let gpu = gpu.map_or(1, |gpu| gpu.0);

    let transport = transport(
        &identity,
        target,
        provider_config_kind,
        provider_config_name.map(|name| name.0),
        &policy,
        problems,
        input,
    );
    let gateway_ref = gateway_ref(&gateway, &own_gateway, &policy, problems);
    let gateways: Vec<&str> = own_gateway
        .namespace()
        .into_iter()
        .chain(match &gateway_ref {
            Some(GatewayChoice::Named(gateway)) => Some(gateway.namespace.as_str()),
            Some(GatewayChoice::Discovered(_)) | None => None,
        })
        .collect();
    let namespace =
        namespace(&identity, target, target_namespace.map(|it| it.0), &gateways, &policy, problems);
    let backend = backend::backend(workload.unwrap_or_default(), input);
    backend::check_engine(backend, &runtime, &runtime_defaults, problems, input);
    check_image(&runtime, &policy, problems);
    check_environment(&runtime, &runtime_defaults, gpu, problems, input);

    let served_name =
        served_model_name.map(|it| it.0).or_else(|| model.as_ref().map(|model| model.0.clone()));
    let alias = own_gateway.alias(&gateway, served_name.as_deref(), problems);

    let runtime = settle_runtime(runtime, runtime_defaults);
    let lora = lora.map(|lora| {
        lora::check_arguments(&runtime, problems, input);
        lora::settle(lora, [&served_name, &alias], problems)
    });

    let min = min_replicas.map_or(1, |min| min.0);
    let replicas = Replicas {
        min: u32::try_from(min).ok()?,
        max: u32::try_from(max_replicas.map_or(min.max(DEFAULT_MAX_REPLICAS), |max| max.0)).ok()?,
    };

    let cold_start = scaling.cold_start.or(scaling_defaults.cold_start).map_or(DEFAULT_COLD_START, |it| it.0);
    backend::check_scaling(backend, scaling.enabled == Some(true), problems);
    let prometheus = prometheus.unwrap_or_default();
    let stack::Hardening { network_policy, pod_disruption_budget } = hardening.unwrap_or_default();
    let scraper = prometheus.address.as_ref().map(|address| address.0.clone());
    let scaling = scaling::scaling(scaling, scaling_defaults, prometheus, problems, input);

    let routing = routing::settle(
        gateway.enabled,
        host.map(|host| host.0),
        gateway_ref,
        &own_gateway,
        picker(endpoint_picker.unwrap_or_default(), input),
        problems,
        input,
    );
    let (monitoring, rules) = scaling::monitoring(monitoring.unwrap_or_default(), input);
    let network = (network_policy == Some(true)).then(|| scaling::network(&monitoring, scraper, input));
    if let Some(name) = &identity.name {
        check_name(name, backend, &monitoring, routing.is_some(), problems);
    }

    let criticality = criticality.unwrap_or(Criticality::Critical);
    Some(Settings {
        composite: Composite {
            api_version: identity.api_version,
            kind: identity.kind,
            name: identity.name?,
            namespace: identity.namespace,
            created: identity.created,
            spec_path: spec_path.map_or_else(|| DEFAULT_SPEC_PATH.to_owned(), |path| path.0),
        },
        transport: transport?,
        namespace: namespace?,
        backend,
        model: Model {
            uri: model?.0,
            served_name: served_name?,
            alias,
            gpu: u8::try_from(gpu).ok()?,
            criticality,
            priority: priority(criticality, &priorities.unwrap_or_default())?,
            runtime,
            lora,
        },
        replicas,
        scaling,
        cold_start,
        routing,
        ingress_host: ingress_host.map(|host| host.0),
        monitoring,
        rules,
        disruption_budget: pod_disruption_budget.unwrap_or(true),
        network,
        pod_annotations: backend::pod_annotations(backend, nodes.unwrap_or_default(), input),
        labels: labels.map(texts).unwrap_or_default(),
        annotations: annotations.map(texts).unwrap_or_default(),
        ttl: settle_ttl(ttl),
    })
}

pub(super) fn settle_ttl(ttl: Option<stack::Ttl>) -> Ttl {
    let stack::Ttl { settled, pending } = ttl.unwrap_or_default();
    Ttl {
        settled: settled.map_or(Duration::from_seconds(600), |it| it.0),
        pending: pending.map_or(Duration::from_seconds(30), |it| it.0),
    }
}

fn settle_runtime(runtime: xr::Runtime, defaults: xr::Runtime) -> Runtime {
    let xr::Runtime {
        image,
        cpu,
        memory,
        args,
        env,
        dtype,
        max_model_len,
        shared_memory,
        token_secret,
        runtime_class_name,
        node_selector,
        tolerations,
    } = runtime;
    let args_source = if args.is_some() { Source::Composite } else { Source::Input };
    let env = env.or(defaults.env).map(|env| env.0).unwrap_or_default();
    let tolerations = tolerations.or(defaults.tolerations).map(|list| list.0).unwrap_or_default();
    Runtime {
        image: image.or(defaults.image).map(|it| it.0),
        cpu: cpu.or(defaults.cpu).map(|it| it.0),
        memory: memory.or(defaults.memory).map(|it| it.0),
        args: args
            .or(defaults.args)
            .map(|args| args.0.into_iter().map(|arg| arg.0).collect())
            .unwrap_or_default(),
        args_source,
        env: env.into_iter().filter_map(env_variable).collect(),
        dtype: dtype.or(defaults.dtype).map(|dtype| dtype.as_str().to_owned()),
        max_model_len: max_model_len.or(defaults.max_model_len).and_then(|it| i32::try_from(it.0).ok()),
        shared_memory: shared_memory.or(defaults.shared_memory).map(|it| it.0),
        token_secret: token(token_secret, defaults.token_secret),
        runtime_class_name: runtime_class_name.or(defaults.runtime_class_name).map(|it| it.0),
        node_selector: node_selector.or(defaults.node_selector).map(texts).unwrap_or_default(),
        tolerations: tolerations.into_iter().map(toleration).collect(),
    }
}

fn env_variable(variable: xr::EnvVariable) -> Option<EnvVariable> {
    let xr::EnvVariable { name, value, secret_key_ref } = variable;
    let value = match (value, secret_key_ref) {
        (Some(value), _) => EnvSource::Literal(value.0),
        (None, Some(xr::SecretKeyReference { name, key })) => {
            EnvSource::Secret(SecretKey { name: name?.0, key: key?.0 })
        }
        (None, None) => return None,
    };
    Some(EnvVariable { name: name?.0, value })
}

fn token(written: Option<xr::TokenSecret>, default: Option<xr::TokenSecret>) -> Option<SecretKey> {
    let written = written.unwrap_or_default();
    let default = default.unwrap_or_default();
    let name = written.name.or(default.name)?.0;
    let key = written.key.or(default.key).map_or_else(|| DEFAULT_TOKEN_KEY.to_owned(), |key| key.0);
    Some(SecretKey { name, key })
}

fn toleration(toleration: xr::Toleration) -> Toleration {
    let xr::Toleration { key, operator, value, effect, toleration_seconds } = toleration;
    Toleration {
        key: key.map(|it| it.0),
        operator: operator.map(|it| it.as_str().to_owned()),
        // An API server drops an empty one, which means the same.
        value: value.map(|it| it.0).filter(|value| !value.is_empty()),
        effect: effect.map(|it| it.as_str().to_owned()),
        toleration_seconds: toleration_seconds.map(|it| it.0),
    }
}

fn priority(criticality: Criticality, priorities: &stack::Priorities) -> Option<i32> {
    let stack::Priorities { critical, standard, sheddable } = priorities;
    let (written, default) = match criticality {
        Criticality::Critical => (critical, 100),
        Criticality::Standard => (standard, 0),
        Criticality::Sheddable => (sheddable, -10),
    };
    written.map_or(Some(default), |priority| i32::try_from(priority.0).ok())
}

fn picker(picker: stack::EndpointPicker, input: &mut Problems) -> Picker {
    let stack::EndpointPicker {
        version,
        family,
        image,
        replicas,
        resources,
        failure_mode,
        flow_control,
        scorers,
        config,
        metrics_auth,
        existing,
    } = picker;
    Picker {
        version: version.map(|it| it.0),
        family,
        image: image.map(|it| it.0),
        replicas: replicas.and_then(|it| u8::try_from(it.0).ok()).unwrap_or(1),
        resources: resources.map(|stack::Resources { limits, requests }| ResourceRequirements {
            limits: limits.map(quantities).filter(|limits| !limits.is_empty()),
            requests: requests.map(quantities).filter(|requests| !requests.is_empty()),
            ..ResourceRequirements::default()
        }),
        scorers: scorers.map(|scorers| scorers.0.into_iter().filter_map(scorer).collect()),
        config: config.and_then(|config| picker_config(config.0, input)),
        failure_mode: failure_mode.unwrap_or(FailureMode::FailClose),
        flow_control: flow_control.unwrap_or(Toggle::Auto),
        metrics_auth: metrics_auth.unwrap_or(MetricsAuth::None),
        existing: existing.and_then(existing_picker),
    }
}

fn existing_picker(picker: stack::ExistingPicker) -> Option<ExistingPicker> {
    let stack::ExistingPicker { name, port } = picker;
    Some(ExistingPicker { name: name?.0, port: port.and_then(|port| u16::try_from(port.0).ok()) })
}

fn scorer(scorer: stack::Scorer) -> Option<Scorer> {
    let stack::Scorer { kind, weight } = scorer;
    Some(Scorer { plugin: kind?.0, weight: weight.map_or(1.0, |weight| weight.0) })
}

/// Only whether it is YAML at all: what it may say depends on the release.
fn picker_config(text: String, input: &mut Problems) -> Option<PickerConfig> {
    match serde_yaml::from_str(&text) {
        Ok(tree) => Some(PickerConfig { text, tree }),
        Err(error) => {
            let error = error.to_string();
            let what = error.lines().next().unwrap_or_default();
            let want = format!("must be one YAML document: {what}");
            input.add(&Path::dotted("endpointPicker.config"), "something else", want);
            None
        }
    }
}

pub(super) fn texts<K, R, const MAX: usize>(
    map: Map<K, super::texts::Text<R>, MAX>,
) -> std::collections::BTreeMap<String, String>
where
    R: super::texts::TextRule<Value = String>,
{
    map.0.into_iter().map(|(key, value)| (key, value.0)).collect()
}

fn quantities<K, const MAX: usize>(
    map: Map<K, super::numbers::Quantity, MAX>,
) -> std::collections::BTreeMap<String, Quantity> {
    map.0.into_iter().map(|(name, quantity)| (name, Quantity(quantity.0))).collect()
}
