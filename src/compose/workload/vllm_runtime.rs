//! The model servers as a `VLLMRuntime`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::operator::{Operator, Since};
use crate::api::settings::{EnvSource, Runtime, SecretKey};
use crate::digest::digest;
use crate::kinds::Resource;
use crate::kinds::vllm::{
    DeploymentConfig, EnvVar, Image, Model, Resources, TokenSecret, VllmConfig, VllmRuntimeSpec,
};
use crate::plan::lora;
use crate::plan::names::{CONFIG_HASH_ANNOTATION, ENGINE_PORT};
use crate::plan::{self, Plan, WorkloadPlan};

use super::{GPU, GPU_MEMORY_UTILIZATION, LINUX, SPAWN, served_names};

/// The model servers, run by the vLLM operator.
///
/// No labels: the operator copies them into a Deployment selector, which can never change. The platform's own
/// annotations stay away with them; the owner mark is harmless there.
pub(super) fn vllm_runtime(
    plan: &Plan,
    operator: Operator,
    image: &plan::Image,
) -> Resource<VllmRuntimeSpec> {
    let WorkloadPlan { model, replicas, cpu, memory, pod_annotations, cold_start: _, backend: _ } =
        &plan.workload;
    let runtime = &model.runtime;
    let tensor_parallel = (model.gpu > 1).then_some(i32::from(model.gpu));
    let served = Model {
        model_url: model.uri.clone(),
        dtype: runtime.dtype.clone().unwrap_or_else(|| "auto".to_owned()),
        max_model_len: runtime.max_model_len,
        hf_token_secret: runtime.token_secret.as_ref().map(|secret| token_secret(operator, secret)),
        hf_token_name: runtime
            .token_secret
            .as_ref()
            .filter(|_| !operator.has(Since::TokenKeyName))
            .map(|secret| secret.key.clone()),
    };
    let vllm_config = VllmConfig {
        v1: true,
        enable_prefix_caching: true,
        enable_chunked_prefill: true,
        tensor_parallel_size: tensor_parallel,
        gpu_memory_utilization: GPU_MEMORY_UTILIZATION.to_owned(),
        port: i32::from(ENGINE_PORT),
        extra_args: served_names(model)
            .into_iter()
            .chain(runtime.args.iter().cloned())
            .chain(lora::arguments(model))
            .collect(),
        env: env(runtime, tensor_parallel.is_some()),
    };
    // The operator compares neither of the two with what runs (production-stack 0.1.12, vllmruntime_controller.go).
    // Before that release it has nothing that would make it roll the pods.
    let hash = digest(&(&served, &vllm_config));
    let mut annotations = pod_annotations.clone();
    annotations.insert(CONFIG_HASH_ANNOTATION.to_owned(), hash);
    Resource::new(
        ObjectMeta {
            name: Some(plan.name.to_string()),
            namespace: plan.says_namespace.then(|| plan.namespace.to_string()),
            resource_version: plan.workload_seen_at.clone(),
            annotations: Some(plan.marks.clone()),
            ..ObjectMeta::default()
        },
        VllmRuntimeSpec {
            model: served,
            vllm_config,
            deployment_config: DeploymentConfig {
                replicas: *replicas,
                image: Image {
                    registry: image.registry.clone(),
                    name: image.name.clone(),
                    pull_policy: "IfNotPresent",
                },
                resources: Resources {
                    cpu: cpu.clone(),
                    memory: memory.clone(),
                    gpu: model.gpu.to_string(),
                    gpu_type: operator.has(Since::GpuType).then_some(GPU),
                },
                runtime_class: runtime.runtime_class_name.clone(),
                node_selector_terms: operator
                    .has(Since::NodeSelectorTerms)
                    .then(|| vec![node_selector_term(&runtime.node_selector)]),
                toleration: runtime.tolerations.clone(),
                pod_annotations: operator.has(Since::PodAnnotations).then_some(annotations),
            },
        },
    )
}

/// Before 0.1.10 the key stood beside the Secret's name.
fn token_secret(operator: Operator, secret: &SecretKey) -> TokenSecret {
    if operator.has(Since::TokenKeyName) {
        TokenSecret::WithKey {
            hf_token_secret_name: secret.name.clone(),
            hf_token_key_name: secret.key.clone(),
        }
    } else {
        TokenSecret::Named { name: secret.name.clone() }
    }
}

/// Literal values only: `api::backend` refuses what comes from a Secret.
fn env(runtime: &Runtime, tensor_parallel: bool) -> Vec<EnvVar> {
    let (name, value) = SPAWN;
    let spawn = tensor_parallel.then(|| EnvVar { name: name.to_owned(), value: value.to_owned() });
    let asked = runtime.env.iter().filter_map(|variable| match &variable.value {
        EnvSource::Literal(value) => Some(EnvVar { name: variable.name.clone(), value: value.clone() }),
        EnvSource::Secret(_) => None,
    });
    spawn.into_iter().chain(asked).collect()
}

/// One term, all of whose expressions must hold. Never none: without terms the operator panics.
fn node_selector_term(labels: &BTreeMap<String, String>) -> NodeSelectorTerm {
    let mut wanted = BTreeMap::from([LINUX]);
    wanted.extend(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let expressions = wanted.into_iter().map(|(key, value)| NodeSelectorRequirement {
        key: key.to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![value.to_owned()]),
    });
    NodeSelectorTerm { match_expressions: Some(expressions.collect()), match_fields: None }
}
