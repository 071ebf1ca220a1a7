//! KEDA: the operator, and the metrics adapter that the `HorizontalPodAutoscaler` asks, as processes on loopback. Beside
//! them its admission webhook, which its users may leave out, and so do those tests that are not about it.
//!
//! Flags and environment are those of KEDA's own Deployments (v2.20.2, `config/manager`, `config/metrics-server`,
//! `config/webhooks`), but for addresses, certificates and the way in.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::cluster::{Cluster, describe};
use super::platform::{PLATFORM, namespace};
use super::wait::{Look, until};
use super::{ControlPlane, free_ports};
use crate::process::Server;
use crate::tools;

/// Where it runs, and looks for what a `ClusterTriggerAuthentication` refers to.
pub const NAMESPACE: &str = "keda";

/// The adapter's Service, which the API server asks by this name.
const ADAPTER: &str = "keda-metrics-apiserver";

/// The group of the metrics that are not Kubernetes' own.
const METRICS: &str = "external.metrics.k8s.io";

/// Starts it again as a kubelet does, but not for ever. Triggers of one `ScaledObject` that fail at once write its status at
/// once, and what one of them reads back another one may find half read: KEDA v2.20.2 ends then
/// (`pkg/fallback/fallback.go`, `doFallback`, without a `spec.fallback`).
const RESTARTED: &str = r#"for start in 1 2 3 4 5; do "$0" "$@"; sleep 1; done"#;

/// An idle machine needs a few seconds.
const START_LIMIT: Duration = Duration::from_mins(2);

/// A running KEDA. Its processes end when dropped.
#[derive(Debug)]
pub struct Keda {
    operator: Server,
    adapter: Server,
}

impl Keda {
    /// Starts it. Its CRDs have to be there.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let cluster = &control_plane.cluster;
        namespace(cluster, NAMESPACE).await?;
        let authority = &control_plane.authority;
        let identity = authority.both(&[&format!("{ADAPTER}.{NAMESPACE}.svc")])?;
        let certificates = authority.folder(control_plane.dir.join("keda"), &identity)?;
        let [metrics, adapter_port] = free_ports()?;
        let common = |command: &mut Command| {
            command
                .arg("--cert-dir")
                .arg(&certificates)
                .env("KUBECONFIG", &control_plane.kubeconfig)
                // All namespaces.
                .env("WATCH_NAMESPACE", "")
                .env("POD_NAMESPACE", NAMESPACE)
                .env("KEDA_CLUSTER_OBJECT_NAMESPACE", NAMESPACE);
        };

        let mut operator = Command::new("sh");
        operator.args(["-c", RESTARTED]).arg(tools::KEDA_OPERATOR.path()?);
        common(&mut operator);
        operator
            .arg(format!("--metrics-service-bind-address={metrics}"))
            .args(["--metrics-bind-address=0", "--health-probe-bind-address=0", "--leader-elect=false"])
            .args(["--enable-cert-rotation=false", "--zap-encoder=console"]);
        let mut operator = Server::start(&mut operator, control_plane.dir.join("keda-operator.log"))?;
        operator.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&metrics, Duration::from_secs(1)).is_ok()
        })?;

        let mut adapter = Command::new(tools::KEDA_ADAPTER.path()?);
        common(&mut adapter);
        adapter
            .arg("--bind-address=127.0.0.1")
            .arg(format!("--secure-port={}", adapter_port.port()))
            // Any free one: nobody asks.
            .arg("--port=0")
            .arg(format!("--metrics-service-address={metrics}"))
            .arg("--client-ca-file")
            .arg(certificates.join("ca.crt"))
            .arg("--tls-cert-file")
            .arg(certificates.join("tls.crt"))
            .arg("--tls-private-key-file")
            .arg(certificates.join("tls.key"));
        for whose in ["lister", "authentication", "authorization"] {
            adapter.arg(format!("--{whose}-kubeconfig")).arg(&control_plane.kubeconfig);
        }
        let adapter = Server::start(&mut adapter, control_plane.dir.join("keda-adapter.log"))?;
        let mut started = Self { operator, adapter };
        register(cluster, control_plane.authority.pem(), adapter_port.port()).await?;
        until("KEDA's metrics are served", START_LIMIT, async || {
            started.check()?;
            let served = cluster.group_is_served(&format!("{METRICS}/v1beta1")).await;
            Ok(if served { Look::Ok(()) } else { Look::Err(started.adapter.log_tail()) })
        })
        .await?;
        Ok(started)
    }

    /// An error that names the process that ended, if one did.
    pub fn check(&mut self) -> Result<()> {
        self.operator.check()?;
        self.adapter.check()
    }

    /// Adds what it last logged to an error that may be its doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("--- keda-operator\n{}", self.operator.log_tail()))
    }
}

/// KEDA's admission webhook for `ScaledObject`s. It ends when dropped.
#[derive(Debug)]
pub struct Admission {
    _server: Server,
}

impl Admission {
    /// Starts it, and has the API server ask it; nothing gets past it when it does not answer. KEDA's CRDs have to be
    /// there, and the kinds that are scaled.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let authority = &control_plane.authority;
        let certificates =
            authority.folder(control_plane.dir.join("keda-webhooks"), &authority.both(&[])?)?;
        let [address] = free_ports()?;
        let mut server = Command::new(tools::KEDA_WEBHOOKS.path()?);
        server
            .arg("--cert-dir")
            .arg(certificates)
            .arg(format!("--port={}", address.port()))
            .args(["--metrics-bind-address=0", "--health-probe-bind-address=0", "--zap-encoder=console"])
            .env("KUBECONFIG", &control_plane.kubeconfig);
        let mut server = Server::start(&mut server, control_plane.dir.join("keda-webhooks.log"))?;
        server.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        })?;
        let webhook = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "keda-admission"},
            "webhooks": [{
                "name": "vscaledobject.kb.io",
                "admissionReviewVersions": ["v1"],
                "clientConfig": {
                    "url": format!("https://{address}/validate-keda-sh-v1alpha1-scaledobject"),
                    "caBundle": STANDARD.encode(authority.pem()),
                },
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "rules": [{
                    "apiGroups": ["keda.sh"], "apiVersions": ["v1alpha1"], "resources": ["scaledobjects"],
                    "operations": ["CREATE", "UPDATE"],
                }],
            }],
        });
        control_plane.cluster.apply(&webhook, PLATFORM).await?;
        Ok(Self { _server: server })
    }
}

/// Has the API server ask the adapter. What a Service leads to is on this machine, so its name is that of this machine.
async fn register(cluster: &Cluster, authority: &str, port: u16) -> Result<()> {
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": ADAPTER, "namespace": NAMESPACE},
        "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"name": "https", "port": port}]},
    });
    let api_service = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": format!("v1beta1.{METRICS}")},
        "spec": {
            "group": METRICS, "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": {"name": ADAPTER, "namespace": NAMESPACE, "port": port},
            "caBundle": STANDARD.encode(authority),
        },
    });
    for object in [&service, &api_service] {
        cluster.apply(object, PLATFORM).await.map_err(|error| error.context(describe(object)))?;
    }
    Ok(())
}
