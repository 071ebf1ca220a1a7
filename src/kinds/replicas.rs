//! A workload of which nothing is written but its replica count. Of whichever kind: each has it at a place of its own.

use serde::Serialize;

/// `spec` of a partial workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ReplicasSpec {
    /// `VLLMRuntime`.
    #[serde(rename_all = "camelCase")]
    VllmRuntime {
        /// Where it has it.
        deployment_config: Count,
    },
    /// `Deployment`.
    Deployment(Count),
}

/// The count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Count {
    /// As `spec.replicas` elsewhere.
    pub replicas: u32,
}
