//! Real body-based routers: they read the model out of a request's body, for routes to match.

use std::process::Command;

use anyhow::{Context, Result};

use super::ask::Client;
use crate::controlplane::{ControlPlane, free_ports};
use crate::process::Server;
use crate::tools::Tool;

/// A running router. Ends when dropped.
#[derive(Debug)]
pub struct Router {
    /// Where a Gateway asks it.
    pub client: Client,
    _server: Server,
}

impl Router {
    /// Starts one with the arguments of its Deployment; the ports are moved. It may read every `ConfigMap`.
    pub async fn start(control_plane: &ControlPlane, tool: Tool, arguments: &[String]) -> Result<Self> {
        let [grpc, health, metrics] = free_ports()?;
        let mut command = Command::new(tool.path()?);
        command
            .args(arguments)
            .arg(format!("--grpc-port={}", grpc.port()))
            .arg(format!("--grpc-health-port={}", health.port()))
            .arg(format!("--metrics-port={}", metrics.port()))
            .env_clear()
            .env("KUBECONFIG", &control_plane.kubeconfig);
        let server = Server::start(&mut command, control_plane.dir.join("bbr.log"))?;
        let client = Client::connect(grpc).await.with_context(|| server.log_tail())?;
        Ok(Self { client, _server: server })
    }
}
