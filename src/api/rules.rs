//! What holds between values, twice: as CEL for the API server, and in Rust, since the API server skips every CEL rule
//! when the schema already fails, and Inputs never meet it. A test compares the two.

use super::llm_inference::{
    Effect, EnvVariable, LatencyObjective, Metric, Operator, Scaling, Spec, Toleration,
};
use super::model_stack::ScalingDefaults;
use super::numbers::{Real, Target};
use super::problem::{Path, Problems};
use super::reading::Node;

/// Flags that the function sets itself, and the field to use.
///
/// The engine takes `_` for `-` in them (`vllm`, `FlexibleArgumentParser`).
const MANAGED_FLAGS: [(&str, &str); 15] = [
    ("--model", "the function sets it, use the field model"),
    ("--served-model-name", "the function sets it, use the field servedModelName"),
    ("--tensor-parallel-size", "the function sets it, use the field gpu"),
    ("-tp", "the function sets it, use the field gpu"),
    // One engine per replica is what picker, monitors and autoscaler count on: each further one has series of its own.
    ("--data-parallel-size", ONE_ENGINE),
    ("-dp", ONE_ENGINE),
    ("--dtype", "the function sets it, use the field runtime.dtype"),
    ("--max-model-len", "the function sets it, use the field runtime.maxModelLen"),
    ("--gpu-memory-utilization", "the function sets it to 0.9"),
    ("--enable-prefix-caching", "it is on, since the Endpoint Picker reckons with it"),
    ("--no-enable-prefix-caching", "it is on, since the Endpoint Picker reckons with it"),
    ("--enable-chunked-prefill", "it is on"),
    ("--no-enable-chunked-prefill", "it is on"),
    ("--port", "the function chooses the port"),
    ("--host", "the function chooses the address"),
];

const ONE_ENGINE: &str = "a replica is one engine on all of its GPUs, use the fields gpu and maxReplicas";

/// The managed flag that an argument sets, and what to do instead.
pub(crate) fn managed_flag(argument: &str) -> Option<(&'static str, &'static str)> {
    let flag = argument.split('=').next().unwrap_or(argument);
    // Only long flags have two spellings.
    let flag = flag
        .strip_prefix("--")
        .map_or_else(|| flag.to_owned(), |flag| format!("--{}", flag.replace('_', "-")));
    MANAGED_FLAGS.into_iter().find(|(managed, _)| *managed == flag)
}

/// Environment variables that the function sets itself, or that would hold a secret in plain sight.
const MANAGED_ENV: [(&str, &str); 3] = [
    ("HF_TOKEN", "a token comes from a Secret, use the field runtime.tokenSecret"),
    ("HUGGING_FACE_HUB_TOKEN", "a token comes from a Secret, use the field runtime.tokenSecret"),
    ("VLLM_USE_V1", "the function sets it"),
];

/// How worker processes start; the function sets it to `spawn` where one replica has several GPUs.
pub(crate) const WORKER_METHOD_ENV: &str = "VLLM_WORKER_MULTIPROC_METHOD";

/// Twin of `SPEC`, but for what may not change, which is compared with the observed objects, and for how workers start,
/// which depends on the platform's defaults too.
pub(super) fn spec(spec: &Spec, node: Node<'_>, problems: &mut Problems) {
    let (Some(min), Some(max)) = (spec.min_replicas, spec.max_replicas) else { return };
    if min.0 > max.0 {
        let want = format!("must not be more than maxReplicas ({})", max.0);
        problems.add(&node.path_of("minReplicas"), min.0.to_string(), want);
    }
}

/// Twin of `SCALING`.
pub(super) fn scaling(scaling: &Scaling, node: Node<'_>, problems: &mut Problems) {
    let Some(metric) = scaling.metric else { return };
    target(metric, scaling.target, &node.path_of("target"), problems);
    objective(metric, scaling.latency.as_ref(), &node.path_of("latency"), problems);
}

/// Twin of `TARGETS`, for the platform's defaults.
pub(super) fn scaling_defaults(defaults: &ScalingDefaults, node: Node<'_>, problems: &mut Problems) {
    let Some(metric) = defaults.metric else { return };
    target(metric, defaults.target, &node.path_of("target"), problems);
}

/// What a metric takes for a target.
pub(super) fn target(metric: Metric, target: Option<Real<Target>>, path: &Path, problems: &mut Problems) {
    let Some(target) = target.map(|target| target.0) else { return };
    let want = match metric {
        Metric::KvCache if target > MOST_OF_A_CACHE => NEVER_REACHED,
        Metric::Latency => "must be left out where the metric is latency, whose objective is in latency",
        Metric::QueueDepth | Metric::KvCache => return,
    };
    problems.add(path, target.to_string(), want);
}

/// What is promised is for one metric.
pub(super) fn objective(
    metric: Metric,
    objective: Option<&LatencyObjective>,
    path: &Path,
    problems: &mut Problems,
) {
    if objective.is_some() && metric != Metric::Latency {
        problems.add(path, "an object", "must be left out where the metric is another than latency");
    }
}

/// The largest target of `kv-cache`: a full one is beyond the autoscaler's tolerance of 10 % (Kubernetes 1.35,
/// `--horizontal-pod-autoscaler-tolerance`).
const MOST_OF_A_CACHE: f64 = 0.9;
const NEVER_REACHED: &str = "must be at most 0.9 where the metric is kv-cache: the autoscaler lets a tenth more pass, and no cache is more than full";

/// Twin of `ENV_VARIABLE`.
pub(super) fn env_variable(variable: &EnvVariable, node: Node<'_>, problems: &mut Problems) {
    match (node.has("value"), node.has("secretKeyRef")) {
        (true, true) => {
            problems.add(&node.path_of("secretKeyRef"), "set", "must be left out where there is a value");
        }
        (false, false) => problems.add(&node.path_of("value"), "missing", "must be there, or secretKeyRef"),
        (true, false) | (false, true) => {}
    }
    let Some(name) = &variable.name else { return };
    if let Some((name, instead)) = MANAGED_ENV.into_iter().find(|(managed, _)| *managed == name.0) {
        problems.add(&node.path_of("name"), name, instead);
    }
}

/// Twin of `TOLERATION`, which is what the API server asks of a pod.
pub(super) fn toleration(toleration: &Toleration, node: Node<'_>, problems: &mut Problems) {
    let Toleration { key, operator, value, effect, toleration_seconds } = toleration;
    let exists = *operator == Some(Operator::Exists);
    if key.is_none() && !node.has("key") && !exists {
        let seen = if operator.is_some() { "Equal" } else { "missing" };
        problems.add(&node.path_of("operator"), seen, "must be Exists where there is no key");
    }
    if let Some(value) = value.as_ref().filter(|value| exists && !value.0.is_empty()) {
        let seen = format!("{:?}", value.0);
        problems.add(&node.path_of("value"), seen, "must be left out where the operator is Exists");
    }
    if let Some(seconds) = toleration_seconds
        && *effect != Some(Effect::NoExecute)
    {
        problems.add(&node.path_of("tolerationSeconds"), seconds.0.to_string(), "needs the effect NoExecute");
    }
}

#[cfg(any(test, feature = "schema"))]
pub(super) use cel::*;

/// The same as CEL.
#[cfg(any(test, feature = "schema"))]
mod cel {
    use serde::Serialize;

    /// One `x-kubernetes-validations` entry.
    #[derive(Debug, Clone, Copy, Serialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(clippy::struct_field_names, reason = "as in the CRD")]
    pub(in crate::api) struct Rule {
        rule: &'static str,
        message: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        field_path: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        optional_old_self: Option<bool>,
    }

    const fn rule(rule: &'static str, message: &'static str) -> Rule {
        Rule { rule, message, field_path: None, optional_old_self: None }
    }

    impl Rule {
        const fn at(self, path: &'static str) -> Self {
            Self { field_path: Some(path), ..self }
        }
    }

    /// Crossplane bounds the length by itself (crossplane-runtime v2.3.3, `pkg/xcrd/crd.go`).
    ///
    /// Not asked of objects that exist: a name cannot be changed, and a rule that refused every update would leave
    /// such an object undeletable by anything that has to remove a finalizer first.
    pub(in crate::api) const NAME: [Rule; 1] = [Rule {
        rule: "oldSelf.hasValue() || self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        message: "metadata.name becomes the name of Services: it must consist of lower-case letters, digits and dashes, and start with a letter",
        field_path: None,
        optional_old_self: Some(true),
    }];

    pub(in crate::api) const SPEC: [Rule; 4] = [
        // It may appear: nothing was composed without it.
        rule(
            "!has(oldSelf.providerConfigName) || (has(self.providerConfigName) && self.providerConfigName == oldSelf.providerConfigName)",
            "cannot be changed: what runs on the old cluster would stay there. Delete this LLMInference and create it again",
        )
        .at(".providerConfigName"),
        rule(
            "has(self.targetNamespace) == has(oldSelf.targetNamespace) && (!has(self.targetNamespace) || self.targetNamespace == oldSelf.targetNamespace)",
            "cannot be changed: what runs in the old namespace would stay there. Delete this LLMInference and create it again",
        )
        .at(".targetNamespace"),
        rule(
            "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            "must not be more than maxReplicas",
        )
        .at(".minReplicas"),
        rule(
            "!has(self.gpu) || self.gpu <= 1 || !has(self.runtime) || !has(self.runtime.env) || self.runtime.env.all(variable, variable.name != 'VLLM_WORKER_MULTIPROC_METHOD')",
            "must leave out VLLM_WORKER_MULTIPROC_METHOD, which the function sets where gpu is above 1",
        )
        .at(".runtime.env"),
    ];

    pub(in crate::api) const SCALING: [Rule; 3] = [
        TARGETS[0],
        TARGETS[1],
        rule(
            "!has(self.latency) || !has(self.metric) || self.metric == 'latency'",
            "must be left out where the metric is another than latency",
        )
        .at(".latency"),
    ];

    /// What the platform's defaults have to keep too. Their objective is for models that choose it.
    pub(in crate::api) const TARGETS: [Rule; 2] = [rule(
        "!has(self.metric) || self.metric != 'kv-cache' || !has(self.target) || self.target <= 0.9",
        "must be at most 0.9 where the metric is kv-cache: the autoscaler lets a tenth more pass, and no cache is more than full",
    )
    .at(".target"),
    rule(
        "!has(self.metric) || self.metric != 'latency' || !has(self.target)",
        "must be left out where the metric is latency, whose objective is in latency",
    )
    .at(".target")];

    pub(in crate::api) const ENV_VARIABLE: [Rule; 2] = [
        rule("has(self.value) != has(self.secretKeyRef)", "must have either a value or a secretKeyRef"),
        rule(
            "!(self.name in ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN', 'VLLM_USE_V1'])",
            "is set by the function; a token comes from a Secret, through runtime.tokenSecret",
        )
        .at(".name"),
    ];

    pub(in crate::api) const ARGUMENT: [Rule; 1] = [rule(
        "!self.matches('^(--model|--served[-_]model[-_]name|--tensor[-_]parallel[-_]size|-tp|--data[-_]parallel[-_]size|-dp|--dtype|--max[-_]model[-_]len|--gpu[-_]memory[-_]utilization|--(no[-_])?enable[-_]prefix[-_]caching|--(no[-_])?enable[-_]chunked[-_]prefill|--port|--host)(=|$)')",
        "is a flag that the function sets: use the fields model, servedModelName, gpu, runtime.dtype and runtime.maxModelLen, and maxReplicas for more engines",
    )];

    pub(in crate::api) const TOLERATION: [Rule; 3] = [
        rule(
            "has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            "must be Exists where there is no key",
        )
        .at(".operator"),
        rule(
            "!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            "must be left out where the operator is Exists",
        )
        .at(".value"),
        rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "needs the effect NoExecute",
        )
        .at(".tolerationSeconds"),
    ];

    pub(in crate::api) const NO_IP: [Rule; 1] =
        [rule("!isIP(self)", "must be a hostname, not an IP address")];

    /// From 8Ei on, Kubernetes takes every quantity for the largest one.
    pub(in crate::api) const QUANTITY: [Rule; 1] = [rule(
        "quantity(string(self)).isGreaterThan(quantity('0')) && quantity(string(self)).isLessThan(quantity('8Ei'))",
        "must be above 0 and below 8Ei",
    )];

    /// A power of 1024 has three factors of two for each of ten, and none of five: its thousandths come in 125s.
    pub(in crate::api) const WHOLE_BYTES: Rule = rule(
        "string(self).matches('^([0-9]+([.]0{1,3})?|[0-9]*000m|[0-9]+([.][0-9]{1,3})?[kMGTPE]|[0-9]+([.](0{1,3}|[27]50?|50{0,2}|125|375|625|875))?[KMGTPE]i)$')",
        "must be whole bytes, such as 16Gi or 64G",
    );

    pub(in crate::api) const MEMORY: [Rule; 2] = [QUANTITY[0], WHOLE_BYTES];

    /// What a pattern cannot bound: the part before the slash.
    pub(in crate::api) const KEY_PREFIX: [Rule; 1] =
        [rule("self.indexOf('/') <= 253", "must have at most 253 characters before the slash")];

    pub(in crate::api) const LABEL_KEYS: [Rule; 1] = [rule(
        "self.all(key, key.size() <= 317 && key.indexOf('/') <= 253 && key.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$'))",
        "must have label names for keys, such as release or example.com/team",
    )];
}

#[cfg(test)]
mod tests {
    use super::managed_flag;

    #[test]
    fn flags_are_recognised_however_they_are_spelt() {
        let cases = [
            ("--dtype", true, "alone"),
            ("--dtype=half", true, "with its value"),
            ("--max_model_len=4096", true, "with underscores, which the engine accepts too"),
            ("-tp=2", true, "in its short form"),
            ("--data_parallel_size=2", true, "a replica with two engines"),
            ("-dp=2", true, "likewise"),
            ("--data-parallel-address=10.0.0.1", false, "what has no effect without the size"),
            ("--dtypes", false, "only whole flags"),
            ("--max-num-seqs=64", false, "what the function does not set"),
            ("--port-range", false, "only whole flags"),
            ("__model", false, "an underscore makes no flag"),
            ("-_tp", false, "nor a short one"),
        ];
        for (argument, want, reason) in cases {
            assert_eq!(managed_flag(argument).is_some(), want, "{argument}: {reason}");
        }
    }
}
