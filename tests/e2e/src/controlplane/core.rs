//! Crossplane's core, and the controllers of Kubernetes that it relies on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::network::Network;
use super::platform::namespace;
use super::{ControlPlane, rights};
use crate::process::Server;
use crate::tools;

/// Where Crossplane keeps what is its own.
pub const NAMESPACE: &str = "crossplane-system";

/// Crossplane itself and the controllers of Kubernetes that it relies on. They end when dropped.
#[derive(Debug)]
pub struct Core {
    pub(super) server: Server,
    pub(super) controllers: Server,
}

/// How it runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// How many updates of what a composite resource is composed of may come at once before Crossplane stops to listen
    /// (`--circuit-breaker-burst`, twice that number). Its default is 100.
    pub circuit_breaker_burst: Option<u32>,
    /// What it may do.
    pub rights: Rights,
}

/// What Crossplane may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rights {
    /// Everything.
    #[default]
    Administrator,
    /// What its chart grants, and what is added to that.
    OfTheChart,
}

impl Core {
    /// Starts them. The CRDs of Crossplane have to be there. Nothing runs packages: functions are made known by hand.
    pub async fn start(control_plane: &ControlPlane, settings: Settings) -> Result<Self> {
        namespace(&control_plane.cluster, NAMESPACE).await?;
        let authority = &control_plane.authority;
        let client = authority.client("crossplane", None)?;
        let certificates = authority.folder(control_plane.dir.join("crossplane"), &client)?;
        let mut command = command(control_plane, settings, "External", &certificates)?;
        match settings.rights {
            Rights::Administrator => {}
            Rights::OfTheChart => {
                command.env("KUBECONFIG", rights::of_the_chart(control_plane).await?);
                rights::aggregate(&control_plane.cluster).await?;
            }
        }
        Self::serve(control_plane, command)
    }

    /// Starts them after [`install`](super::chart::install): every package with a runtime gets its Deployment, and Crossplane looks for
    /// what it leads to on this network.
    pub fn start_installed(
        control_plane: &ControlPlane,
        settings: Settings,
        certificates: &Path,
        network: &Network,
    ) -> Result<Self> {
        let mut command = command(control_plane, settings, "Deployment", certificates)?;
        command.env("HTTPS_PROXY", network.proxy());
        Self::serve(control_plane, command)
    }

    fn serve(control_plane: &ControlPlane, mut command: Command) -> Result<Self> {
        let controllers = control_plane.controllers(CONTROLLERS, "kube-controller-manager")?;
        let server = Server::start(&mut command, control_plane.dir.join("crossplane.log"))?;
        Ok(Self { server, controllers })
    }

    /// Adds what it last logged to an error that may be its doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("--- crossplane\n{}", self.server.log_tail()))
    }
}

/// The garbage collector deletes what a deleted owner leaves; namespaces are emptied when they go.
pub const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller";

fn command(
    control_plane: &ControlPlane,
    settings: Settings,
    package_runtime: &str,
    certificates: &Path,
) -> Result<Command> {
    // It does not make the folder itself, and without one it cannot read a package.
    let packages = control_plane.dir.join("xpkg");
    std::fs::create_dir_all(&packages).with_context(|| format!("cannot create {}", packages.display()))?;
    let mut command = Command::new(tools::CROSSPLANE_CORE.path()?);
    command
        .args(["core", "start", "--namespace", NAMESPACE, "--enable-webhooks=false"])
        .args(["--package-runtime", package_runtime])
        .arg("--tls-client-certs-dir")
        .arg(certificates)
        .arg("--xpkg-cache-dir")
        .arg(&packages)
        // Any free one: nobody asks.
        .args(["--metrics-port=0", "--health-probe-port=0"])
        .args(settings.circuit_breaker_burst.map(|burst| format!("--circuit-breaker-burst={burst}")))
        .env("KUBECONFIG", &control_plane.kubeconfig);
    Ok(command)
}
