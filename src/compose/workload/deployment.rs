//! The model servers as a plain `Deployment`, and their Service.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, HTTPGetAction,
    Lifecycle, LifecycleHandler, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements,
    SeccompProfile, SecretKeySelector, SecurityContext, Service, ServicePort, ServiceSpec, SleepAction,
    Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::settings::{EnvSource, Model, SecretKey};
use crate::compose::{labelled, labels, select};
use crate::plan::keys::Key;
use crate::plan::lora;
use crate::plan::names::{ENGINE_PORT, ENGINE_PORT_NAME, HEALTH_PATH, MODEL_LABEL, MODEL_SERVICE_PORT};
use crate::plan::{DeploymentPlan, Plan};

use super::{GPU, GPU_MEMORY_UTILIZATION, LINUX, SPAWN, served_names};

/// The engine's container.
const CONTAINER: &str = "vllm";
/// Where processes of one replica exchange tensors.
const SHARED_MEMORY: (&str, &str) = ("shm", "/dev/shm");

/// The model servers.
pub(in crate::compose) fn deployment(plan: &Plan, decided: &DeploymentPlan) -> Deployment {
    let pods = plan.model_server_pods();
    let annotations = &plan.workload.pod_annotations;
    Deployment {
        metadata: labelled(plan, Key::ModelDeployment, pods.clone()),
        spec: Some(DeploymentSpec {
            replicas: plan.workload.replicas.and_then(|count| i32::try_from(count).ok()),
            selector: select(pods.clone()),
            progress_deadline_seconds: i32::try_from(decided.progress_deadline_seconds).ok(),
            // A pod more than wanted would wait for a GPU that only the pod it is to replace can free.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(0)),
                    max_unavailable: Some(IntOrString::Int(1)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pods),
                    annotations: (!annotations.is_empty()).then(|| annotations.clone()),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod(plan, decided)),
            },
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn pod(plan: &Plan, decided: &DeploymentPlan) -> PodSpec {
    let runtime = &plan.workload.model.runtime;
    let (volume, _) = SHARED_MEMORY;
    let (os, linux) = LINUX;
    let mut nodes = labels([(os, linux)]);
    nodes.extend(runtime.node_selector.clone());
    PodSpec {
        containers: vec![engine(plan, decided)],
        volumes: Some(vec![Volume {
            name: volume.to_owned(),
            empty_dir: Some(EmptyDirVolumeSource {
                medium: Some("Memory".to_owned()),
                size_limit: runtime.shared_memory.clone().map(Quantity),
            }),
            ..Volume::default()
        }]),
        node_selector: Some(nodes),
        tolerations: (!runtime.tolerations.is_empty()).then(|| runtime.tolerations.clone()),
        runtime_class_name: runtime.runtime_class_name.clone(),
        termination_grace_period_seconds: Some(i64::from(decided.drain.grace_seconds)),
        // A Service that is called vllm would set VLLM_PORT to a URL, and the engine would not start.
        enable_service_links: Some(false),
        automount_service_account_token: Some(false),
        security_context: Some(PodSecurityContext {
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        ..PodSpec::default()
    }
}

fn engine(plan: &Plan, decided: &DeploymentPlan) -> Container {
    let DeploymentPlan { image, startup_period_seconds, startup_failures, drain, .. } = decided;
    let model = &plan.workload.model;
    let (volume, mount_path) = SHARED_MEMORY;
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        // The entry point of the stock image has changed between releases.
        command: Some(vec!["vllm".to_owned(), "serve".to_owned()]),
        args: Some(arguments(model, decided)),
        env: Some(environment(model)).filter(|env| !env.is_empty()),
        ports: Some(vec![ContainerPort {
            name: Some(ENGINE_PORT_NAME.to_owned()),
            container_port: i32::from(ENGINE_PORT),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(resources(plan)),
        volume_mounts: Some(vec![VolumeMount {
            name: volume.to_owned(),
            mount_path: mount_path.to_owned(),
            ..VolumeMount::default()
        }]),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: i64::from(drain.leave_seconds) }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        startup_probe: Some(probe(*startup_period_seconds, *startup_failures)),
        // Out of the pool within seconds, started again only after a minute and a half: under full load an answer may be
        // slow, and a start takes minutes.
        readiness_probe: Some(probe(5, 3)),
        liveness_probe: Some(probe(10, 9)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
            // NVIDIA's container hook writes to the root file system, and the engine its caches.
            read_only_root_filesystem: Some(false),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn arguments(model: &Model, decided: &DeploymentPlan) -> Vec<String> {
    let runtime = &model.runtime;
    let mut arguments = vec![model.uri.clone()];
    arguments.extend(served_names(model));
    arguments.extend([
        format!("--port={ENGINE_PORT}"),
        format!("--dtype={}", runtime.dtype.as_deref().unwrap_or("auto")),
        format!("--gpu-memory-utilization={GPU_MEMORY_UTILIZATION}"),
        "--enable-prefix-caching".to_owned(),
        "--enable-chunked-prefill".to_owned(),
    ]);
    arguments.extend(runtime.max_model_len.map(|length| format!("--max-model-len={length}")));
    arguments.extend((model.gpu > 1).then(|| format!("--tensor-parallel-size={}", model.gpu)));
    arguments.extend(decided.release_flags.iter().map(|(flag, value)| format!("{flag}={value}")));
    arguments.extend(runtime.args.iter().cloned());
    arguments.extend(lora::arguments(model));
    arguments
}

fn environment(model: &Model) -> Vec<EnvVar> {
    let (spawn, method) = SPAWN;
    let literal = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        // core/v1 leaves an empty value out, and would give back something else than was written.
        value: Some(value.to_owned()).filter(|value| !value.is_empty()),
        value_from: None,
    };
    let secret = |name: &str, SecretKey { name: secret, key }: &SecretKey| EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: secret.clone(),
                key: key.clone(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    };
    let token = model.runtime.token_secret.as_ref().map(|token| secret("HF_TOKEN", token));
    let workers = (model.gpu > 1).then(|| literal(spawn, method));
    let asked = model.runtime.env.iter().map(|variable| match &variable.value {
        EnvSource::Literal(value) => literal(&variable.name, value),
        EnvSource::Secret(key) => secret(&variable.name, key),
    });
    token.into_iter().chain(workers).chain(asked).collect()
}

/// Requests and limits alike, as the vLLM operator has them: such pods are evicted last.
fn resources(plan: &Plan) -> ResourceRequirements {
    let workload = &plan.workload;
    let mut quantities = BTreeMap::from([
        ("cpu".to_owned(), Quantity(workload.cpu.clone())),
        ("memory".to_owned(), Quantity(workload.memory.clone())),
    ]);
    if workload.model.gpu > 0 {
        quantities.insert(GPU.to_owned(), Quantity(workload.model.gpu.to_string()));
    }
    ResourceRequirements {
        requests: Some(quantities.clone()),
        limits: Some(quantities),
        ..ResourceRequirements::default()
    }
}

fn probe(period_seconds: u32, failures: u32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(HEALTH_PATH.to_owned()),
            port: IntOrString::String(ENGINE_PORT_NAME.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: i32::try_from(period_seconds).ok(),
        timeout_seconds: Some(5),
        failure_threshold: i32::try_from(failures).ok(),
        ..Probe::default()
    }
}

/// Where the model answers without routing. It has the model's label but no component's: the scraped Service is another,
/// and a monitor that selected both would count every series twice.
pub(in crate::compose) fn service(plan: &Plan) -> Service {
    Service {
        metadata: labelled(plan, Key::ModelService, labels([(MODEL_LABEL, plan.name.as_str())])),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(plan.model_server_pods()),
            ports: Some(vec![ServicePort {
                name: Some(ENGINE_PORT_NAME.to_owned()),
                protocol: Some("TCP".to_owned()),
                port: i32::from(MODEL_SERVICE_PORT),
                target_port: Some(IntOrString::String(ENGINE_PORT_NAME.to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}
