//! Everything at once: a control plane with Crossplane on it, and the cluster where the models run.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::cluster::Cluster;
use super::crossplane::Crossplane;
use super::provider::{self, Turn};
use super::standin::{StandIn, VllmOperator};
use super::{ControlPlane, crds, platform};
use crate::workspace;

/// What is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// How the provider runs.
    pub provider: provider::Settings,
    /// Which build of the vLLM operator is played.
    pub vllm_operator: VllmOperator,
}

/// A control plane with Crossplane, the provider and our function, our XRD installed, and the target cluster's
/// controllers played. Gone when dropped.
#[derive(Debug)]
pub struct Stage {
    stand_in: StandIn,
    /// What runs on the control plane.
    pub crossplane: Crossplane,
    /// Where composite resources and Objects are.
    pub control_plane: ControlPlane,
    /// How long it took until every kind was served.
    pub crds_in: Duration,
}

impl Stage {
    /// Starts it, as soon as no other test of this process has one. The name is that of its logs.
    pub async fn start(name: &str, settings: Settings) -> Result<Self> {
        let function = workspace::function()?;
        let turn = Turn::take().await;
        let control_plane = ControlPlane::start(name).await?;
        let cluster = &control_plane.cluster;
        let kinds = [crds::crossplane_side()?, crds::target_side()?].concat();
        let crds_in = crds::install(cluster, &kinds).await?;
        let crossplane = Crossplane::start(&control_plane, &function, settings.provider, turn).await?;
        let installed = platform::install_xrd(cluster, &platform::xrd()?).await;
        installed.map_err(|error| crossplane.explain(error))?;
        Ok(Self {
            stand_in: StandIn::start(cluster, settings.vllm_operator),
            crossplane,
            control_plane,
            crds_in,
        })
    }

    /// Where composite resources and Objects are.
    pub fn cluster(&self) -> &Cluster {
        &self.control_plane.cluster
    }

    /// Where what the Objects deliver is.
    pub fn target(&self) -> &Cluster {
        &self.control_plane.cluster
    }

    /// The way to the target cluster, for the provider.
    pub fn target_kubeconfig(&self) -> &Path {
        &self.control_plane.kubeconfig
    }

    /// Adds what everybody last said to an error that may be their doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let trouble = self.stand_in.trouble();
        let error = if trouble.is_empty() {
            error
        } else {
            error.context(format!("--- stand-in\n{}", trouble.join("\n")))
        };
        self.crossplane.explain(error)
    }
}
