//! Everything at once: a control plane with Crossplane on it, and the cluster where the models run.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use super::cluster::Cluster;
use super::core::{self, CONTROLLERS};
use super::crossplane::Crossplane;
use super::platform::PLATFORM;
use super::provider::{self, Turn};
use super::standin::{Cast, StandIn, VllmOperator};
use super::{ControlPlane, crds, platform, rights};
use crate::files::yaml;
use crate::process::Server;
use crate::workspace;

/// What is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Where the models run.
    pub target: Target,
    /// How Crossplane runs.
    pub core: core::Settings,
    /// How the provider runs.
    pub provider: provider::Settings,
    /// Which build of the vLLM operator is played.
    pub vllm_operator: VllmOperator,
    /// Which controllers are played.
    pub cast: Cast,
}

/// The cluster where the models run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// The one that Crossplane runs on.
    #[default]
    SameCluster,
    /// The same, without a provider: nothing but Crossplane delivers anything, with the rights that are meant for it.
    Direct,
    /// Another one, which knows no kind of Crossplane and of the provider, as the other knows none of the models'.
    AnotherCluster,
    /// Another one, which knows no kinds but Kubernetes' own until somebody brings them.
    BareCluster,
}

/// A control plane with Crossplane, the provider and our function, our XRD installed, and the target cluster's
/// controllers played. Gone when dropped.
#[derive(Debug)]
pub struct Stage {
    /// Who plays the target cluster's controllers.
    pub stand_in: StandIn,
    /// What runs on the control plane.
    pub crossplane: Crossplane,
    another: Option<(Server, ControlPlane)>,
    /// Where composite resources and Objects are.
    pub control_plane: ControlPlane,
    /// How long it took until every kind was served.
    pub crds_in: Duration,
}

impl Stage {
    /// Starts it, as soon as no other test of this process has one. The name is that of its logs.
    pub async fn start(name: &str, settings: Settings) -> Result<Self> {
        let stage = Self::start_without_xrd(name, settings).await?;
        let installed = platform::install_xrd(stage.cluster(), &platform::xrd()?).await;
        installed.map_err(|error| stage.crossplane.explain(error))?;
        Ok(stage)
    }

    /// The same before anybody has installed our XRD.
    pub async fn start_without_xrd(name: &str, settings: Settings) -> Result<Self> {
        let Settings { target, core, provider, vllm_operator, cast } = settings;
        let function = workspace::function()?;
        let turn = match target {
            Target::SameCluster | Target::AnotherCluster | Target::BareCluster => Some(Turn::take().await),
            Target::Direct => None,
        };
        let control_plane = ControlPlane::start(name).await?;
        let cluster = &control_plane.cluster;
        let there = crds::target_side_of(&vllm_operator.crds()?)?;
        let (crds_in, another) = match target {
            Target::SameCluster => {
                let kinds = [crds::crossplane_side()?, there].concat();
                (crds::install(cluster, &kinds).await?, None)
            }
            Target::Direct => {
                let later = crds::nginx_settings()?;
                let mut kinds = [crds::CROSSPLANE.crds()?, there].concat();
                // What is not there when Crossplane starts; whoever needs it brings it.
                kinds.retain(|kind| !later.contains(kind));
                cluster.apply(&yaml(&workspace::root().join("package/rbac/direct.yaml"))?, PLATFORM).await?;
                (crds::install(cluster, &kinds).await?, None)
            }
            Target::AnotherCluster | Target::BareCluster => {
                let there = if target == Target::BareCluster { Vec::new() } else { there };
                let other = ControlPlane::start(&format!("{name}-target")).await?;
                let here = crds::crossplane_side()?;
                let (here, there) =
                    tokio::try_join!(crds::install(cluster, &here), crds::install(&other.cluster, &there))?;
                (here.max(there), Some((other.controllers(CONTROLLERS, "kube-controller-manager")?, other)))
            }
        };
        let crossplane = Crossplane::start(&control_plane, &function, core, provider, turn).await?;
        if core.rights == core::Rights::OfTheChart {
            rights::of_an_xrd(cluster, &platform::xrd()?).await?;
            rights::aggregate(cluster).await?;
        }
        let played = another.as_ref().map_or(cluster, |(_, other)| &other.cluster);
        let stand_in = StandIn::start(played, vllm_operator, cast);
        Ok(Self { stand_in, crossplane, another, control_plane, crds_in })
    }

    /// Where composite resources and Objects are.
    pub fn cluster(&self) -> &Cluster {
        &self.control_plane.cluster
    }

    /// Where what the Objects deliver is.
    pub fn target(&self) -> &Cluster {
        &self.target_control_plane().cluster
    }

    /// The way to the target cluster, for the provider.
    pub fn target_kubeconfig(&self) -> &Path {
        &self.target_control_plane().kubeconfig
    }

    /// What the target cluster runs on.
    pub fn target_control_plane(&self) -> &ControlPlane {
        self.another.as_ref().map_or(&self.control_plane, |(_, other)| other)
    }

    /// An error that names the process that ended, if one did.
    pub fn check(&mut self) -> Result<()> {
        self.control_plane.check()?;
        if let Some((controllers, other)) = &mut self.another {
            controllers.check()?;
            other.check()?;
        }
        self.crossplane.check()
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
