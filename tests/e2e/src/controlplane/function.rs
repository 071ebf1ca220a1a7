//! Our function, as Crossplane calls it: with mutual TLS, at an endpoint that a `FunctionRevision` names.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::cluster::{Cluster, text};
use super::platform::PLATFORM;
use super::{ControlPlane, free_ports};
use crate::process::Server;

/// It listens within milliseconds.
const START_LIMIT: Duration = Duration::from_mins(1);

/// The variable by which a function is told where its certificates are: Crossplane sets it (v2.3.4,
/// `internal/controller/pkg/runtime/runtime.go`).
pub const CERTIFICATES: &str = "TLS_SERVER_CERTS_DIR";

/// A running function. It ends when dropped.
#[derive(Debug)]
pub struct Function {
    pub(super) server: Server,
    /// Where it listens.
    pub endpoint: SocketAddr,
}

impl Function {
    /// Starts the binary, with certificates of this run's authority.
    pub fn start(control_plane: &ControlPlane, binary: &Path) -> Result<Self> {
        let authority = &control_plane.authority;
        let certificates = authority.folder(control_plane.dir.join("function"), &authority.server()?)?;
        Self::start_with(control_plane, binary, &certificates)
    }

    /// Starts the binary with certificates from somewhere else.
    pub fn start_with(control_plane: &ControlPlane, binary: &Path, certificates: &Path) -> Result<Self> {
        let [endpoint] = free_ports()?;
        let mut command = Command::new(binary);
        command
            .args(["--address", &endpoint.to_string(), "--metrics-address", ""])
            // A line a call, with whose it is.
            .arg("--debug")
            .env(CERTIFICATES, certificates);
        let mut server = Server::start(&mut command, control_plane.dir.join("function.log"))?;
        server.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&endpoint, Duration::from_secs(1)).is_ok()
        })?;
        Ok(Self { server, endpoint })
    }

    /// Makes the function known by a name.
    pub async fn install(&self, cluster: &Cluster, name: &str) -> Result<()> {
        make_known(cluster, name, self.endpoint).await
    }

    /// How often it has been called for a composite resource.
    pub fn calls(&self, xr: &Value) -> Result<usize> {
        Ok(self.known(xr)?.len())
    }

    /// Of each of these calls, whether the answer was known from an earlier one.
    pub fn known(&self, xr: &Value) -> Result<Vec<bool>> {
        let whose = ["/metadata/namespace", "/metadata/name"].map(|pointer| text(xr, pointer));
        let log = self.server.log()?;
        let calls = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|line| {
            text(line, "/message") == "ran"
                && ["/xr-namespace", "/xr-name"].map(|key| text(line, key)) == whose
        });
        Ok(calls.map(|line| line.get("known") == Some(&Value::Bool(true))).collect())
    }
}

/// Makes a function known by a name, with the endpoint that the package manager would have found.
pub async fn make_known(cluster: &Cluster, name: &str, endpoint: SocketAddr) -> Result<()> {
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
        "endpoint": format!("dns:///localhost:{}", endpoint.port()),
        "capabilities": ["composition"],
    });
    cluster.set_status(&revision, &status).await
}
