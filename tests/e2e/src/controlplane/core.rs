//! Crossplane's core, and the controllers of Kubernetes that it relies on.

use std::process::Command;

use anyhow::Result;

use super::ControlPlane;
use super::platform::namespace;
use crate::process::Server;
use crate::tools;

/// Where Crossplane keeps what is its own.
pub const NAMESPACE: &str = "crossplane-system";

/// Crossplane itself and the controllers of Kubernetes that it relies on. They end when dropped.
#[derive(Debug)]
pub struct Core {
    pub(super) server: Server,
    _controllers: Server,
}

/// How it runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// How many updates of what a composite resource is composed of may come at once before Crossplane stops to listen
    /// (`--circuit-breaker-burst`, twice that number). Its default is 100.
    pub circuit_breaker_burst: Option<u32>,
}

impl Core {
    /// Starts them. The CRDs of Crossplane have to be there.
    pub async fn start(control_plane: &ControlPlane, settings: Settings) -> Result<Self> {
        namespace(&control_plane.cluster, NAMESPACE).await?;
        let controllers = control_plane.controllers(CONTROLLERS)?;
        Ok(Self { _controllers: controllers, server: serve(control_plane, settings)? })
    }

    /// Adds what it last logged to an error that may be its doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("--- crossplane\n{}", self.server.log_tail()))
    }
}

/// The garbage collector deletes what a deleted owner leaves; namespaces are emptied when they go.
pub const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller";

fn serve(control_plane: &ControlPlane, settings: Settings) -> Result<Server> {
    let authority = &control_plane.authority;
    let certificates =
        authority.folder(control_plane.dir.join("crossplane"), &authority.client("crossplane", None)?)?;
    let mut command = Command::new(tools::CROSSPLANE_CORE.path()?);
    command
        .args(["core", "start", "--namespace", NAMESPACE])
        .args(["--enable-webhooks=false", "--package-runtime=External"])
        .arg("--tls-client-certs-dir")
        .arg(&certificates)
        .arg("--xpkg-cache-dir")
        .arg(control_plane.dir.join("xpkg"))
        // Any free one: nobody asks.
        .args(["--metrics-port=0", "--health-probe-port=0"])
        .args(settings.circuit_breaker_burst.map(|burst| format!("--circuit-breaker-burst={burst}")))
        .env("KUBECONFIG", &control_plane.kubeconfig);
    Server::start(&mut command, control_plane.dir.join("crossplane.log"))
}
