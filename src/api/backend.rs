//! What runs the model, and what that has a place for: a field without one is refused, never dropped.

use std::collections::BTreeMap;

use super::llm_inference as xr;
use super::model_stack as stack;
use super::operator::{Operator, Since};
use super::problem::{Path, Problems};
use super::reading::either;
use super::resolve;
use super::settings::Backend;

/// The release that is meant where the Input names none.
const DEFAULT_OPERATOR: &str = "0.1.12";

/// The platform's choice.
pub(super) fn backend(workload: stack::Workload, input: &mut Problems) -> Backend {
    let stack::Workload { backend, operator_version } = workload;
    let written = operator_version.map(|version| version.0);
    let version = written.as_deref().unwrap_or(DEFAULT_OPERATOR);
    let known = Operator::of(version);
    if known.is_none() {
        let releases = Operator::RELEASES.map(|(release, _)| release);
        let want = format!("must be {}", either(&releases));
        input.add(&Path::dotted("workload.operatorVersion"), format!("{version:?}"), want);
    }
    match backend.unwrap_or(stack::Backend::VllmRuntime) {
        stack::Backend::VllmRuntime => Backend::VllmRuntime(known.unwrap_or(Operator::V0_1_12)),
        stack::Backend::Deployment => {
            if let Some(version) = &written {
                let want = "must be left out where the backend is Deployment, which no operator runs";
                input.add(&Path::dotted("workload.operatorVersion"), format!("{version:?}"), want);
            }
            Backend::Deployment
        }
    }
}

/// Engine settings that the backend has no place for. Those of the platform are refused too: they are meant for every
/// model of it.
pub(super) fn check_engine(
    backend: Backend,
    runtime: &xr::Runtime,
    defaults: &xr::Runtime,
    problems: &mut Problems,
    input: &mut Problems,
) {
    let Backend::VllmRuntime(operator) = backend else { return };
    homeless(operator, runtime, "runtime", problems);
    homeless(operator, defaults, "defaults.runtime", input);
}

fn homeless(operator: Operator, runtime: &xr::Runtime, at: &str, problems: &mut Problems) {
    const OTHERWISE: &str = "leave it out, or have the platform choose the backend Deployment";
    let mut refuse = |field: &str, seen: &str, why: String| {
        problems.add(&Path::dotted(&format!("{at}.{field}")), seen, format!("{why}; {OTHERWISE}"));
    };
    let xr::Runtime {
        shared_memory,
        env,
        runtime_class_name,
        node_selector,
        tolerations,
        // Every release has a place for these.
        image: _,
        cpu: _,
        memory: _,
        args: _,
        dtype: _,
        max_model_len: _,
        token_secret: _,
    } = runtime;
    if shared_memory.is_some() {
        refuse("sharedMemory", "set", "VLLMRuntime has no place for it".to_owned());
    }
    if env.iter().flat_map(|env| &env.0).any(|variable| variable.secret_key_ref.is_some()) {
        refuse(
            "env",
            "with a secretKeyRef",
            "VLLMRuntime takes literal values only, and a Hugging Face token through tokenSecret".to_owned(),
        );
    }
    let newer = [
        ("runtimeClassName", runtime_class_name.is_some(), Since::RuntimeClass),
        ("nodeSelector", node_selector.as_ref().is_some_and(|it| !it.0.is_empty()), Since::NodeSelectorTerms),
        ("tolerations", tolerations.as_ref().is_some_and(|it| !it.0.is_empty()), Since::Tolerations),
    ];
    for (field, written, since) in newer {
        if written && !operator.has(since) {
            refuse(
                field,
                "set",
                format!("VLLMRuntime has a place for it from operator {} on", since.version()),
            );
        }
    }
}

/// What asks node autoscalers to leave the engines' nodes alone: Karpenter v1.14 and cluster-autoscaler.
const PROTECTION: [(&str, &str); 2] =
    [("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"), ("karpenter.sh/do-not-disrupt", "true")];

/// Annotations of the engines' pods.
pub(super) fn pod_annotations(
    backend: Backend,
    nodes: stack::Nodes,
    input: &mut Problems,
) -> BTreeMap<String, String> {
    let stack::Nodes { protect, annotations } = nodes;
    if protect != Some(true) {
        if annotations.is_some_and(|annotations| !annotations.0.is_empty()) {
            let want = "must be left out unless nodes.protect is true";
            input.add(&Path::dotted("nodes.annotations"), "set", want);
        }
        return BTreeMap::new();
    }
    if let Backend::VllmRuntime(operator) = backend
        && !operator.has(Since::PodAnnotations)
    {
        let want = format!(
            "must be false, since VLLMRuntime has a place for annotations of pods from operator {} on",
            Since::PodAnnotations.version()
        );
        input.add(&Path::dotted("nodes.protect"), "true", want);
    }
    annotations.map_or_else(
        || PROTECTION.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        resolve::texts,
    )
}

/// Scaling needs something to scale by.
pub(super) fn check_scaling(backend: Backend, enabled: bool, problems: &mut Problems) {
    let Backend::VllmRuntime(operator) = backend else { return };
    if enabled && !operator.has(Since::Scale) {
        let want = format!(
            "must be false, since the platform's VLLMRuntime has no scale subresource: its operator has to be {} or \
             newer, or the backend Deployment (Input spec.workload)",
            Since::Scale.version()
        );
        problems.add(&Path::dotted("scaling.enabled"), "true", want);
    }
}
