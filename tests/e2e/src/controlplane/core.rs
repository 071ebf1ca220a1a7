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

impl Core {
    /// Starts them. The CRDs of Crossplane have to be there.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        namespace(&control_plane.cluster, NAMESPACE).await?;
        Ok(Self { _controllers: control_plane.controllers(CONTROLLERS)?, server: serve(control_plane)? })
    }

    /// Adds what it last logged to an error that may be its doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("--- crossplane\n{}", self.server.log_tail()))
    }
}

/// The garbage collector deletes what a deleted owner leaves; namespaces are emptied when they go.
const CONTROLLERS: &str = "garbage-collector-controller,namespace-controller";

fn serve(control_plane: &ControlPlane) -> Result<Server> {
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
        .env("KUBECONFIG", &control_plane.kubeconfig);
    Server::start(&mut command, control_plane.dir.join("crossplane.log"))
}
