//! The model servers: image and size.

use crate::api::settings::Model;

use super::{Image, WorkloadPlan};

/// The vLLM operator starts `/opt/venv/bin/vllm`, which exists in this image and not in the stock one.
const DEFAULT_IMAGE: &str = "docker.io/lmcache/vllm-openai:v0.3.13";
/// Where an image reference names no registry.
const DEFAULT_REGISTRY: &str = "docker.io";
/// Per GPU, and once without any.
const CPU_PER_GPU: u32 = 2;
/// Per GPU, and once without any.
const MEMORY_GIB_PER_GPU: u32 = 8;

/// Decides what one replica is.
pub(super) fn decide(model: &Model, replicas: Option<u32>) -> WorkloadPlan {
    let units = u32::from(model.gpu.max(1));
    let runtime = &model.runtime;
    WorkloadPlan {
        model: model.clone(),
        replicas,
        image: split_image(runtime.image.as_deref().unwrap_or(DEFAULT_IMAGE)),
        cpu: runtime.cpu.clone().unwrap_or_else(|| (CPU_PER_GPU * units).to_string()),
        memory: runtime.memory.clone().unwrap_or_else(|| format!("{}Gi", MEMORY_GIB_PER_GPU * units)),
    }
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

#[cfg(test)]
mod tests {
    use super::split_image;

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
}
