//! The model servers: image, size, and how they start and stop.

use std::collections::BTreeMap;

use crate::api::settings::{Backend, Model, Settings};
use crate::api::{Problem, Source};

use super::checks;
use super::cold_start::{ColdStart, STARTUP_PERIOD_SECONDS, seconds};
use super::{BackendPlan, DeploymentPlan, Drain, Image, WorkloadPlan};

/// The vLLM operator starts `/opt/venv/bin/vllm`, which exists in this image and not in the stock one.
const OPERATOR_IMAGE: &str = "docker.io/lmcache/vllm-openai:v0.3.13";
/// The stock image, of the release that llm-d v0.10 is tested with.
const STOCK_IMAGE: &str = "docker.io/vllm/vllm-openai:v0.27.1";
/// The stock image's repository, wherever it is mirrored: its tags are vLLM's versions.
const STOCK_REPOSITORY: &str = "vllm/vllm-openai";
/// Where an image reference names no registry.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Per GPU, and once without any.
const CPU_PER_GPU: u32 = 2;
/// Per GPU, and once without any.
const MEMORY_GIB_PER_GPU: u32 = 8;

/// llm-d v0.10's guide: gateways need some seconds to hear that a pod goes, then running requests may end.
const LEAVE_SECONDS: u32 = 15;
const FINISH_SECONDS: u32 = 45;
/// What the pod may take beyond both.
const GRACE_MARGIN_SECONDS: u32 = 15;

/// The first minor of vLLM that lets running requests end after SIGTERM (vllm-project/vllm#36666); before, it aborts
/// them.
const DRAINS_SINCE: (u32, u32) = (0, 18);
const DRAIN_FLAG: &str = "--shutdown-timeout";
/// The first that can leave probes and scrapes out of its access log.
const QUIET_SINCE: (u32, u32) = (0, 16);
const QUIET_FLAG: &str = "--disable-access-log-for-endpoints";
const QUIET_ENDPOINTS: &str = "/health,/metrics,/ping";

/// Decides what one replica is.
pub(super) fn decide(settings: &Settings, replicas: Option<u32>) -> Result<WorkloadPlan, Vec<Problem>> {
    let Settings { model, backend, cold_start, pod_annotations, .. } = settings;
    let units = u32::from(model.gpu.max(1));
    let runtime = &model.runtime;
    let image = runtime.image.as_deref();
    let backend = match backend {
        Backend::VllmRuntime(operator) => BackendPlan::VllmRuntime {
            operator: *operator,
            image: split_image(image.unwrap_or(OPERATOR_IMAGE)),
        },
        Backend::Deployment => {
            let deployment = deployment(image.unwrap_or(STOCK_IMAGE), ColdStart(*cold_start));
            let problems = repeated(settings, model, &deployment);
            if !problems.is_empty() {
                return Err(problems);
            }
            BackendPlan::Deployment(deployment)
        }
    };
    Ok(WorkloadPlan {
        model: model.clone(),
        replicas,
        cpu: runtime.cpu.clone().unwrap_or_else(|| (CPU_PER_GPU * units).to_string()),
        memory: runtime.memory.clone().unwrap_or_else(|| format!("{}Gi", MEMORY_GIB_PER_GPU * units)),
        pod_annotations: pod_annotations.clone(),
        cold_start: *cold_start,
        backend,
    })
}

fn deployment(image: &str, cold_start: ColdStart) -> DeploymentPlan {
    let release = vllm_release(image);
    let since = |first| release.is_some_and(|release| release >= first);
    let drains = since(DRAINS_SINCE);
    let mut flags = BTreeMap::new();
    if drains {
        flags.insert(DRAIN_FLAG, FINISH_SECONDS.to_string());
    }
    if since(QUIET_SINCE) {
        flags.insert(QUIET_FLAG, QUIET_ENDPOINTS.to_owned());
    }
    DeploymentPlan {
        image: image.to_owned(),
        startup_period_seconds: STARTUP_PERIOD_SECONDS,
        startup_failures: cold_start.startup_failures(),
        progress_deadline_seconds: seconds(cold_start.progress_deadline()),
        // An engine that aborts at SIGTERM gets it when its requests have ended.
        drain: Drain {
            leave_seconds: if drains { LEAVE_SECONDS } else { LEAVE_SECONDS + FINISH_SECONDS },
            grace_seconds: LEAVE_SECONDS + FINISH_SECONDS + GRACE_MARGIN_SECONDS,
        },
        release_flags: flags,
    }
}

/// Arguments that repeat a flag which this release of the engine is given anyway.
fn repeated(settings: &Settings, model: &Model, deployment: &DeploymentPlan) -> Vec<Problem> {
    let runtime = &model.runtime;
    let path = match runtime.args_source {
        Source::Composite => format!("{}.runtime.args", settings.composite.spec_path),
        Source::Input => "spec.defaults.runtime.args".to_owned(),
    };
    let want = "must not be there, since the function sets it for this image";
    runtime
        .arguments_that_set(|flag| deployment.release_flags.contains_key(flag))
        .map(|(index, flag)| checks::entry(runtime.args_source, &path, index, flag, want))
        .collect()
}

/// Splits a reference at its registry, by the rule of distribution/reference: the first segment is a registry when it
/// has a dot or a port, or is `localhost`; a single name lives in `library`.
fn split_image(reference: &str) -> Image {
    match reference.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => {
            Image { registry: first.to_owned(), name: rest.to_owned() }
        }
        Some(_) => Image { registry: DEFAULT_REGISTRY.to_owned(), name: reference.to_owned() },
        None => Image { registry: DEFAULT_REGISTRY.to_owned(), name: format!("library/{reference}") },
    }
}

/// Major and minor of the vLLM in an image, where its reference says so for sure.
fn vllm_release(reference: &str) -> Option<(u32, u32)> {
    let (reference, _) = reference.split_once('@').unwrap_or((reference, ""));
    let (repository, tag) = reference.rsplit_once(':')?;
    let is_stock =
        repository.strip_suffix(STOCK_REPOSITORY).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'));
    let (major, rest) = tag.strip_prefix('v').filter(|_| is_stock)?.split_once('.')?;
    let (minor, _) = rest.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use crate::api::fixtures::llm;
    use crate::api::settings::Backend;
    use crate::api::{Duration, Source};

    use super::{ColdStart, decide, deployment, split_image, vllm_release};

    #[test]
    fn an_image_is_split_where_a_container_runtime_would() {
        let cases = [
            ("lmcache/vllm-openai:v0.3.13", "docker.io", "lmcache/vllm-openai:v0.3.13", "no registry"),
            ("ghcr.io/acme/vllm:1", "ghcr.io", "acme/vllm:1", "a dot"),
            ("registry:5000/vllm@sha256:ab", "registry:5000", "vllm@sha256:ab", "a port"),
            ("localhost/vllm", "localhost", "vllm", "localhost"),
            ("vllm:1", "docker.io", "library/vllm:1", "a single name"),
        ];
        for (reference, registry, name, reason) in cases {
            let image = split_image(reference);
            assert_eq!((image.registry.as_str(), image.name.as_str()), (registry, name), "{reason}");
        }
    }

    #[test]
    fn the_engine_gets_the_flags_that_its_release_knows() {
        let stock = |tag: &str| format!("docker.io/vllm/vllm-openai:{tag}");
        let cases = [
            (stock("v0.27.1"), Some((0, 27)), 2, 15, "the default"),
            (stock("v0.18.0"), Some((0, 18)), 2, 15, "the first that drains"),
            (stock("v0.17.2"), Some((0, 17)), 1, 60, "it aborts requests: they get the time before"),
            (stock("v0.15.1"), Some((0, 15)), 0, 60, "it logs every probe"),
            (stock("v1.0.0"), Some((1, 0)), 2, 15, "a major that knows it all"),
            (
                "registry:5000/mirror/vllm/vllm-openai:v0.27.1-cu130".to_owned(),
                Some((0, 27)),
                2,
                15,
                "a mirror, a variant",
            ),
            (stock("latest"), None, 0, 60, "who knows"),
            ("vllm/vllm-openai@sha256:ab".to_owned(), None, 0, 60, "nor does a digest say"),
            ("lmcache/vllm-openai:v0.3.13".to_owned(), None, 0, 60, "not vLLM's version"),
            ("registry:5000/vllm".to_owned(), None, 0, 60, "a port is no tag"),
            ("acme/myvllm/vllm-openai:v0.27.1".to_owned(), None, 0, 60, "another repository"),
        ];
        for (image, release, flags, leave, reason) in cases {
            assert_eq!(vllm_release(&image), release, "{image}: {reason}");
            let deployment = deployment(&image, ColdStart(Duration::from_seconds(600)));
            assert_eq!(deployment.release_flags.len(), flags, "{image}: {reason}");
            assert_eq!(deployment.drain.leave_seconds, leave, "{image}: {reason}");
            let finish = if leave == 15 { 45 } else { 0 };
            assert_eq!(deployment.drain.grace_seconds, leave + finish + 15, "{image}: time for all of it");
        }
    }

    #[test]
    fn a_start_has_its_whole_budget() {
        for (cold_start, failures, deadline) in [(600, 60, 900), (1, 1, 600), (1795, 180, 2095)] {
            let deployment = deployment("x", ColdStart(Duration::from_seconds(cold_start)));
            assert_eq!(deployment.startup_failures, failures, "{cold_start} s");
            assert_eq!(deployment.progress_deadline_seconds, deadline, "{cold_start} s");
        }
    }

    #[test]
    fn a_flag_that_the_release_is_given_anyway_is_refused() {
        let mut settings = llm();
        settings.backend = Backend::Deployment;
        settings.model.runtime.args = vec!["--shutdown_timeout=9".to_owned(), "--seed=1".to_owned()];
        let problems = decide(&settings, Some(1)).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].to_string().starts_with("spec.runtime.args[0] is --shutdown-timeout: "),
            "{}",
            problems[0]
        );
        settings.model.runtime.args_source = Source::Input;
        let problems = decide(&settings, Some(1)).unwrap_err();
        assert!(
            problems[0]
                .to_string()
                .starts_with("Input spec.defaults.runtime.args[0] is --shutdown-timeout: "),
            "the platform's to correct: {}",
            problems[0]
        );

        settings.model.runtime.image = Some("acme/vllm:1".to_owned());
        assert!(decide(&settings, Some(1)).is_ok(), "there it is the author's to set");
    }
}
