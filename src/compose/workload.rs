//! The model servers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{NodeSelectorRequirement, NodeSelectorTerm};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::settings::Runtime;
use crate::digest::digest;
use crate::kinds::replicas::{Count, ReplicasSpec};
use crate::kinds::vllm::{
    DeploymentConfig, EnvVar, Image, Model, Resources, TokenSecret, VllmConfig, VllmRuntimeSpec,
};
use crate::kinds::{Kind, Resource};
use crate::plan::names::{CONFIG_HASH_ANNOTATION, ENGINE_PORT, OWNER_ANNOTATION};
use crate::plan::{Plan, WorkloadPlan};

/// The model servers, run by the vLLM operator.
///
/// No labels: the operator copies them into a Deployment selector, which can never change. The platform's own
/// annotations stay away with them; the owner mark is harmless there.
pub(super) fn vllm_runtime(plan: &Plan) -> Resource<VllmRuntimeSpec> {
    let WorkloadPlan { model, replicas, image, cpu, memory } = &plan.workload;
    let runtime = &model.runtime;
    let tensor_parallel = (model.gpu > 1).then_some(i32::from(model.gpu));
    let served = Model {
        model_url: model.uri.clone(),
        dtype: runtime.dtype.clone().unwrap_or_else(|| "auto".to_owned()),
        max_model_len: runtime.max_model_len,
        hf_token_secret: runtime.token_secret.as_ref().map(|secret| TokenSecret {
            hf_token_secret_name: secret.name.clone(),
            hf_token_key_name: secret.key.clone(),
        }),
    };
    let vllm_config = VllmConfig {
        v1: true,
        enable_prefix_caching: true,
        enable_chunked_prefill: true,
        tensor_parallel_size: tensor_parallel,
        gpu_memory_utilization: "0.9".to_owned(),
        port: i32::from(ENGINE_PORT),
        // One token: the operator looks for the flag in this form.
        extra_args: [format!("--served-model-name={}", model.served_name)]
            .into_iter()
            .chain(runtime.args.iter().cloned())
            .collect(),
        env: env(runtime, tensor_parallel.is_some()),
    };
    // The operator compares neither of the two with what runs (production-stack 0.1.12, vllmruntime_controller.go).
    let hash = digest(&(&served, &vllm_config));
    Resource::new(
        ObjectMeta {
            name: Some(plan.name.to_string()),
            namespace: Some(plan.namespace.to_string()),
            annotations: Some(BTreeMap::from([(OWNER_ANNOTATION.to_owned(), plan.owner.clone())])),
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
                    gpu_type: "nvidia.com/gpu",
                },
                runtime_class: runtime.runtime_class_name.clone(),
                node_selector_terms: vec![node_selector_term(&runtime.node_selector)],
                toleration: runtime.tolerations.clone(),
                pod_annotations: BTreeMap::from([(CONFIG_HASH_ANNOTATION.to_owned(), hash)]),
            },
        },
    )
}

/// The model servers again, under a field manager of its own that holds the replica count while the other lets go of it.
///
/// Nothing else, not even the owner mark: what two managers apply, neither can take away.
pub(super) fn replicas(plan: &Plan, count: u32) -> Resource<ReplicasSpec> {
    Resource::of(
        VllmRuntimeSpec::API_VERSION,
        VllmRuntimeSpec::KIND,
        ObjectMeta {
            name: Some(plan.name.to_string()),
            namespace: Some(plan.namespace.to_string()),
            ..ObjectMeta::default()
        },
        ReplicasSpec::VllmRuntime { deployment_config: Count { replicas: count } },
    )
}

fn env(runtime: &Runtime, tensor_parallel: bool) -> Vec<EnvVar> {
    // CUDA cannot be initialised again in a forked worker.
    let spawn = tensor_parallel
        .then(|| EnvVar { name: "VLLM_WORKER_MULTIPROC_METHOD".to_owned(), value: "spawn".to_owned() });
    let asked = runtime.env.iter().map(|(name, value)| EnvVar { name: name.clone(), value: value.clone() });
    spawn.into_iter().chain(asked).collect()
}

/// One term, all of whose expressions must hold. vLLM images are built for Linux, so that much is always asked for.
fn node_selector_term(labels: &BTreeMap<String, String>) -> NodeSelectorTerm {
    let mut wanted = BTreeMap::from([("kubernetes.io/os", "linux")]);
    wanted.extend(labels.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let expressions = wanted.into_iter().map(|(key, value)| NodeSelectorRequirement {
        key: key.to_owned(),
        operator: "In".to_owned(),
        values: Some(vec![value.to_owned()]),
    });
    NodeSelectorTerm { match_expressions: Some(expressions.collect()), match_fields: None }
}
