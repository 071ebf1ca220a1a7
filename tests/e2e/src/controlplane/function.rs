//! Our function, as Crossplane calls it: with mutual TLS, at an endpoint that a `FunctionRevision` names.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::cluster::Cluster;
use super::platform::PLATFORM;
use super::{ControlPlane, free_ports};
use crate::process::Server;

/// It listens within milliseconds.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A running function. It ends when dropped.
#[derive(Debug)]
pub struct Function {
    pub(super) server: Server,
    endpoint: SocketAddr,
    metrics: SocketAddr,
}

impl Function {
    /// Starts the binary.
    pub fn start(control_plane: &ControlPlane, binary: &Path) -> Result<Self> {
        let [endpoint, metrics] = free_ports()?;
        let authority = &control_plane.authority;
        let certificates = authority.folder(control_plane.dir.join("function"), &authority.server()?)?;
        let mut command = Command::new(binary);
        command
            .args(["--address", &endpoint.to_string(), "--metrics-address", &metrics.to_string()])
            .arg("--tls-certs-dir")
            .arg(&certificates);
        let mut server = Server::start(&mut command, control_plane.dir.join("function.log"))?;
        server.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&endpoint, Duration::from_secs(1)).is_ok()
        })?;
        Ok(Self { server, endpoint, metrics })
    }

    /// Makes the function known by a name, with the endpoint that the package manager would have found.
    pub async fn install(&self, cluster: &Cluster, name: &str) -> Result<()> {
        let revision = json!({
            "apiVersion": "pkg.crossplane.io/v1",
            "kind": "FunctionRevision",
            "metadata": {
                "name": format!("{name}-1"),
                "labels": {"pkg.crossplane.io/package": name},
                // Nobody shall fetch the image.
                "annotations": {"crossplane.io/paused": "true"},
            },
            "spec": {"desiredState": "Active", "image": format!("registry.invalid/{name}:v0.0.0"), "revision": 1},
        });
        cluster.apply(&revision, PLATFORM).await?;
        let status = json!({
            "endpoint": format!("dns:///localhost:{}", self.endpoint.port()),
            "capabilities": ["composition"],
        });
        cluster.set_status(&revision, &status).await
    }

    /// How often it has been called.
    pub fn calls(&self) -> Result<u64> {
        let mut stream = TcpStream::connect(self.metrics)?;
        stream.set_read_timeout(Some(START_LIMIT))?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).context("cannot read the function's metrics")?;
        let counts = answer
            .lines()
            .filter(|line| line.starts_with("grpc_server_started_total{") && line.contains("RunFunction"))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let total: f64 = counts.sum();
        ensure!(answer.contains("200 OK"), "the function's metrics are not served: {answer}");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        Ok(total as u64)
    }
}
