//! provider-kubernetes, which applies our Objects, and the way to the cluster that it applies them on.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use super::ControlPlane;
use super::cluster::Cluster;
use super::platform::PLATFORM;
use crate::process::Server;
use crate::tools;

/// The provider's webhook listens here; provider-kubernetes v1.2.1 has no flag for it.
const PORT: u16 = 9443;

/// It starts within two seconds on an idle machine.
const START_LIMIT: Duration = Duration::from_mins(2);

/// The key of the Secret that holds the way in.
const KUBECONFIG: &str = "kubeconfig";

static PORT_IS_OURS: Mutex<()> = Mutex::const_new(());

/// The right to run a provider: it listens at a fixed port, so the tests of one process take turns.
#[derive(Debug)]
pub struct Turn {
    _guard: MutexGuard<'static, ()>,
}

impl Turn {
    /// Waits for it. The wait ends because every test that has the turn ends: each of its own waits has a limit.
    pub async fn take() -> Self {
        Self { _guard: PORT_IS_OURS.lock().await }
    }
}

/// How the provider runs.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Whether it watches what it applied, where an Object asks for that (`--enable-watches`).
    pub watches: bool,
    /// How often it looks at an Object that is Ready (`--poll`). At one that is not it looks every 30 s.
    pub poll: Duration,
}

impl Default for Settings {
    /// Watching, and otherwise what its own defaults are.
    fn default() -> Self {
        Self { watches: true, poll: Duration::from_mins(10) }
    }
}

/// A running provider. It ends when dropped, and then it is the next one's turn.
#[derive(Debug)]
pub struct Provider {
    pub(super) server: Server,
    _turn: Turn,
}

impl Provider {
    /// Starts it. Its CRDs have to be there.
    pub fn start(control_plane: &ControlPlane, settings: Settings, turn: Turn) -> Result<Self> {
        let webhook = SocketAddr::from(([127, 0, 0, 1], PORT));
        ensure!(
            !listens(webhook),
            "port {PORT} is taken, and provider-kubernetes cannot use another; it is also the one that our own \
             function listens at by default: end what listens there (a playground ends with `cargo xtask down`)"
        );
        let authority = &control_plane.authority;
        let certificates = authority.folder(control_plane.dir.join("provider"), &authority.server()?)?;
        let Settings { watches, poll } = settings;
        let mut command = Command::new(tools::PROVIDER_KUBERNETES.path()?);
        command
            .args(["--health-probe-bind-addr=", &format!("--poll={}s", poll.as_secs())])
            .args(watches.then_some("--enable-watches"))
            .env("TLS_SERVER_CERTS_DIR", &certificates)
            .env("KUBECONFIG", &control_plane.kubeconfig);
        let mut server = Server::start(&mut command, control_plane.dir.join("provider-kubernetes.log"))?;
        server.wait_until("listening", START_LIMIT, || listens(webhook))?;
        Ok(Self { server, _turn: turn })
    }

    /// Adds what it last logged to an error that may be its doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("--- provider\n{}", self.server.log_tail()))
    }
}

/// The kinds that tell an Object where its cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigKind {
    /// `ProviderConfig` of a namespace, for the Objects in it.
    ProviderConfig,
    /// `ClusterProviderConfig`, for the Objects of all namespaces.
    ClusterProviderConfig,
    /// `ProviderConfig` of the older API, for cluster-scoped Objects.
    ClusterScopedApi,
}

/// Makes a cluster known to the provider under a name, with the way in as a Secret of that namespace.
pub async fn connect(
    cluster: &Cluster,
    kind: ConfigKind,
    namespace: &str,
    name: &str,
    kubeconfig: &Path,
) -> Result<()> {
    let way_in = std::fs::read_to_string(kubeconfig)
        .with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {KUBECONFIG: way_in},
    });
    cluster.apply(&secret, PLATFORM).await?;
    cluster.apply(&provider_config(kind, namespace, name), PLATFORM).await.map(drop)
}

pub(super) fn provider_config(kind: ConfigKind, namespace: &str, name: &str) -> Value {
    let (api_version, kind, metadata) = match kind {
        ConfigKind::ProviderConfig => (
            "kubernetes.m.crossplane.io/v1alpha1",
            "ProviderConfig",
            json!({"name": name, "namespace": namespace}),
        ),
        ConfigKind::ClusterProviderConfig => {
            ("kubernetes.m.crossplane.io/v1alpha1", "ClusterProviderConfig", json!({"name": name}))
        }
        ConfigKind::ClusterScopedApi => {
            ("kubernetes.crossplane.io/v1alpha1", "ProviderConfig", json!({"name": name}))
        }
    };
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": metadata,
        "spec": {"credentials": {
            "source": "Secret",
            "secretRef": {"namespace": namespace, "name": name, "key": KUBECONFIG},
        }},
    })
}

fn listens(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}
