//! Crossplane on a control plane: core, provider-kubernetes and our function, each a process on loopback.
//!
//! Nothing is installed by the package manager, which would need images: the function is made known by the
//! `FunctionRevision` that the package manager would have made, and the provider is simply run.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::cluster::Cluster;
use super::core::{Core, PLATFORM};
use super::{ControlPlane, free_ports};
use crate::process::Server;
use crate::tools;

/// The provider's webhook listens here; provider-kubernetes v1.2.1 has no flag for it.
const PROVIDER_PORT: u16 = 9443;

/// Everything starts within two seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Core with what it takes to compose and deliver. All end when dropped.
#[derive(Debug)]
pub struct Crossplane {
    core: Core,
    provider: Server,
    function: Server,
    endpoint: SocketAddr,
    metrics: SocketAddr,
}

impl Crossplane {
    /// Starts them. The CRDs of Crossplane and of the provider have to be there.
    pub async fn start(control_plane: &ControlPlane, function: &Path) -> Result<Self> {
        let [endpoint, metrics] = free_ports()?;
        let mut started = Self {
            core: Core::start(control_plane).await?,
            provider: provider(control_plane)?,
            function: serve(control_plane, function, endpoint, metrics)?,
            endpoint,
            metrics,
        };
        started.function.wait_until("listening", START_LIMIT, || listens(endpoint))?;
        let webhook = SocketAddr::from(([127, 0, 0, 1], PROVIDER_PORT));
        started.provider.wait_until("listening", START_LIMIT, || listens(webhook))?;
        started.core.server.check()?;
        Ok(started)
    }

    /// Makes the function known by a name, with the endpoint that the package manager would have found.
    pub async fn install_function(&self, cluster: &Cluster, name: &str) -> Result<()> {
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

    /// How often the function has been called.
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

    /// Adds what the processes last logged to an error that may be their doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let logs =
            [("crossplane", &self.core.server), ("provider", &self.provider), ("function", &self.function)];
        let logs = logs.map(|(name, server)| format!("--- {name}\n{}", server.log_tail()));
        error.context(logs.join("\n"))
    }
}

fn provider(control_plane: &ControlPlane) -> Result<Server> {
    let webhook = SocketAddr::from(([127, 0, 0, 1], PROVIDER_PORT));
    ensure!(
        !listens(webhook),
        "port {PROVIDER_PORT} is taken, and provider-kubernetes cannot use another; it is also the one that our own \
         function listens at by default: end what listens there"
    );
    let authority = &control_plane.authority;
    let certificates = authority.folder(control_plane.dir.join("provider"), &authority.server()?)?;
    let mut command = Command::new(tools::PROVIDER_KUBERNETES.path()?);
    command
        .args(["--health-probe-bind-addr=", "--enable-watches"])
        .env("TLS_SERVER_CERTS_DIR", &certificates)
        .env("KUBECONFIG", &control_plane.kubeconfig);
    Server::start(&mut command, control_plane.dir.join("provider-kubernetes.log"))
}

fn serve(
    control_plane: &ControlPlane,
    function: &Path,
    endpoint: SocketAddr,
    metrics: SocketAddr,
) -> Result<Server> {
    let authority = &control_plane.authority;
    let certificates = authority.folder(control_plane.dir.join("function"), &authority.server()?)?;
    let mut command = Command::new(function);
    command
        .args(["--address", &endpoint.to_string(), "--metrics-address", &metrics.to_string()])
        .arg("--tls-certs-dir")
        .arg(&certificates);
    Server::start(&mut command, control_plane.dir.join("function.log"))
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
