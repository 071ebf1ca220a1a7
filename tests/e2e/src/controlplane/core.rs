//! Crossplane's core, and the controllers of Kubernetes that it relies on.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::ControlPlane;
use super::cluster::{Cluster, describe, text};
use super::wait::{Look, until};
use crate::process::Server;
use crate::tools;

/// In whose name the harness applies what a platform team would.
pub const PLATFORM: &str = "platform-team";

/// Where Crossplane keeps what is its own.
const NAMESPACE: &str = "crossplane-system";

/// Everything starts within two seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// Crossplane itself and the controllers of Kubernetes that it relies on. They end when dropped.
#[derive(Debug)]
pub struct Core {
    pub(super) server: Server,
    _controllers: Server,
}

impl Core {
    /// Starts them. The CRDs of Crossplane have to be there.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        control_plane.cluster.apply(&namespace, PLATFORM).await?;
        Ok(Self { _controllers: controllers(control_plane)?, server: serve(control_plane)? })
    }

    /// Adds what it last logged to an error that may be its doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("--- crossplane\n{}", self.server.log_tail()))
    }
}

/// The garbage collector deletes what a deleted owner leaves; namespaces are emptied when they go.
fn controllers(control_plane: &ControlPlane) -> Result<Server> {
    let mut command = Command::new(tools::KUBE_CONTROLLER_MANAGER.path()?);
    command
        .arg("--kubeconfig")
        .arg(&control_plane.kubeconfig)
        .args(["--controllers", "garbage-collector-controller,namespace-controller"])
        .args(["--leader-elect=false", "--secure-port=0"]);
    Server::start(&mut command, control_plane.dir.join("kube-controller-manager.log"))
}

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

/// Installs an XRD and waits until its kind can be used. Returns the names of the served API.
pub async fn install_xrd(cluster: &Cluster, xrd: &Value) -> Result<()> {
    cluster.apply(xrd, PLATFORM).await?;
    until(&format!("{} is Established", describe(xrd)), START_LIMIT, async || {
        let live = cluster.get(xrd).await?.unwrap_or_default();
        if condition(&live, "Established") == "True" {
            return Ok(Look::Ok(()));
        }
        // A rule that the API server refuses, for its cost for example, is told in an event alone.
        let events = cluster.list("v1", "Event", "default").await?;
        let about =
            events.iter().filter(|event| text(event, "/involvedObject/name") == text(xrd, "/metadata/name"));
        let messages: Vec<&str> = about.map(|event| text(event, "/message")).collect();
        Ok(Look::Err(format!("{}; events: {messages:?}", live.pointer("/status").unwrap_or(&Value::Null))))
    })
    .await
}

/// The status of a condition; empty when there is none.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let found = conditions.into_iter().flatten().find(|condition| text(condition, "/type") == kind);
    found.map_or("", |condition| text(condition, "/status"))
}
