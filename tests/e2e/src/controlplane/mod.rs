//! A control plane on loopback: etcd and the API server, with fresh ports, certificates and data.
//!
//! Nothing runs pods, and by itself no controller runs: objects stay what they were when they were written, which is
//! what a test of acceptance wants. What else can run on it, from the bottom up:
//!
//! - [`certs`], [`crds`]: what it needs, and the kinds that it serves.
//! - [`cluster`], [`wait`]: asking it, and waiting until it answers as hoped.
//! - [`core`], [`provider`], [`function`]: a process each; together they are [`crossplane`].
//! - [`provider_helm`]: the other provider, where charts are installed.
//! - [`played`], [`patch_and_transform`]: functions that are in no Go module.
//! - [`rights`]: what Crossplane may do where that matters.
//! - [`chart`], [`network`]: what it takes beside them to have packages installed.
//! - [`standin`]: the controllers of the cluster where models run, which would need pods.
//! - [`keda`], [`prometheus`], [`clock`]: what scales a model there by its metrics, with shorter waits.
//! - [`guarded`]: a Prometheus that asks who asks.
//! - [`stage`]: all of it at once.
//! - [`platform`], [`model`]: what a platform team installs there, and what an application team asks for.
//! - [`events`]: what people are told about that.

pub mod certs;
pub mod chart;
pub mod clock;
pub mod cluster;
pub mod core;
pub mod crds;
pub mod crossplane;
pub mod events;
pub mod function;
#[cfg(feature = "pickers")]
pub mod guarded;
pub mod keda;
pub mod model;
pub mod network;
pub mod patch_and_transform;
pub mod platform;
pub mod played;
pub mod prometheus;
pub mod provider;
pub mod provider_helm;
pub mod rights;
pub mod stage;
pub mod standin;
pub mod wait;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::process::Server;
use crate::run_dir::RunDir;
use crate::tools;
use certs::{Authority, Pair, ServiceAccountKeys};
use cluster::Cluster;

/// An idle machine needs five seconds; this is for one that builds something else meanwhile.
const START_LIMIT: Duration = Duration::from_mins(2);

/// How often a condition is asked for while something starts.
const POLL: Duration = Duration::from_millis(100);

/// How many times a start is tried when somebody else took a port that was free a moment before.
const ATTEMPTS: usize = 3;

/// What components say whose port is taken.
const PORT_TAKEN: &str = "address already in use";

/// Who speaks for others to the servers of other parts of the API.
const FRONT_PROXY: &str = "front-proxy";

/// A running control plane. Gone, with all it held, when dropped.
#[derive(Debug)]
pub struct ControlPlane {
    /// The way in, as an administrator.
    pub cluster: Cluster,
    /// How long the start took.
    pub started_in: Duration,
    /// Who signs the certificates of everything in this run.
    pub authority: Authority,
    /// The way in for others.
    pub kubeconfig: PathBuf,
    service_accounts: ServiceAccountKeys,
    apiserver: Server,
    etcd: Server,
    /// Where other components of this run may write. Dropped last: the servers write into it too.
    pub dir: RunDir,
}

impl ControlPlane {
    /// Starts one, building its components if they are not there yet. The name is that of its logs.
    pub async fn start(name: &str) -> Result<Self> {
        let (etcd, apiserver) = (tools::ETCD.path()?, tools::KUBE_APISERVER.path()?);
        for attempt in 1.. {
            match Self::attempt(name, &etcd, &apiserver).await {
                Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains(PORT_TAKEN) => {}
                outcome => return outcome,
            }
        }
        bail!("no start was tried")
    }

    async fn attempt(name: &str, etcd: &Path, apiserver: &Path) -> Result<Self> {
        let started = Instant::now();
        let dir = RunDir::create(name)?;
        let authority = Authority::create()?;
        let serving = authority.folder(dir.join("apiserver"), &authority.server()?)?;
        let proxy = authority.folder(dir.join("front-proxy"), &authority.client(FRONT_PROXY, None)?)?;
        let service_accounts = ServiceAccountKeys::write(&dir)?;
        let [client_port, peer_port, secure_port] = free_ports()?;

        let client_url = format!("http://{client_port}");
        let mut etcd =
            Server::start(&mut etcd_command(etcd, &dir, &client_url, peer_port), dir.join("etcd.log"))?;
        etcd.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&client_port, Duration::from_secs(1)).is_ok()
        })?;

        let mut command = apiserver_command(apiserver, &serving, &service_accounts, &client_url, secure_port);
        aggregate(&mut command, &proxy);
        let mut apiserver = Server::start(&mut command, dir.join("kube-apiserver.log"))?;
        // The group that Kubernetes binds to cluster-admin before any rule exists.
        let admin = authority.client("e2e", Some("system:masters"))?;
        let kubeconfig = dir.join("kubeconfig");
        std::fs::write(&kubeconfig, kubeconfig_of(&authority, &admin, secure_port).to_string())
            .with_context(|| format!("cannot write {}", kubeconfig.display()))?;
        let cluster = Cluster::connect(&kubeconfig).await?;

        let deadline = Instant::now() + START_LIMIT;
        while let Err(error) = cluster.ready().await {
            apiserver.check()?;
            if Instant::now() > deadline {
                bail!(
                    "kube-apiserver is not ready within {START_LIMIT:?}: {error:#}\n{}",
                    apiserver.log_tail()
                );
            }
            tokio::time::sleep(POLL).await;
        }
        let started_in = started.elapsed();
        Ok(Self { cluster, started_in, authority, kubeconfig, service_accounts, apiserver, etcd, dir })
    }

    /// An error that names the process that ended, if one did.
    pub fn check(&mut self) -> Result<()> {
        self.etcd.check()?;
        self.apiserver.check()
    }

    /// Starts controllers of Kubernetes itself, by their names with commas between. They log under a name of their own.
    pub fn controllers(&self, names: &str, log: &str) -> Result<Server> {
        let [listen] = free_ports()?;
        let mut command = Command::new(tools::KUBE_CONTROLLER_MANAGER.path()?);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .args(["--controllers", names])
            // One of them signs tokens, and none without it reads the key.
            .arg("--service-account-private-key-file")
            .arg(&self.service_accounts.private)
            .args(["--leader-elect=false", "--bind-address=127.0.0.1"])
            // An autoscaler looks every 15 s otherwise.
            .arg("--horizontal-pod-autoscaler-sync-period=1s")
            .args(["--secure-port", &listen.port().to_string()]);
        let mut server = Server::start(&mut command, self.dir.join(&format!("{log}.log")))?;
        server.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&listen, Duration::from_secs(1)).is_ok()
        })?;
        Ok(server)
    }

    /// The way in with a token, as a program in a pod has it.
    pub fn kubeconfig_with(&self, token: &str) -> Result<String> {
        self.kubeconfig_of_user(&json!({"token": token}))
    }

    /// The way in with a certificate.
    pub fn kubeconfig_as(&self, pair: &Pair) -> Result<String> {
        self.kubeconfig_of_user(&user(pair))
    }

    fn kubeconfig_of_user(&self, user: &serde_json::Value) -> Result<String> {
        let admin = std::fs::read(&self.kubeconfig).context("cannot read the way in")?;
        let mut kubeconfig: serde_json::Value = serde_json::from_slice(&admin)?;
        crate::files::set(&mut kubeconfig, "users", json!([{"name": "e2e", "user": user}]));
        Ok(kubeconfig.to_string())
    }

    /// A client that shows a token.
    pub async fn cluster_of(&self, token: &str) -> Result<Cluster> {
        let kubeconfig = self.dir.join("kubeconfig-of-a-token");
        std::fs::write(&kubeconfig, self.kubeconfig_with(token)?)?;
        Cluster::connect(&kubeconfig).await
    }

    /// Adds what the API server last logged to an error that may be its own doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("the API server's log ends with:\n{}", self.apiserver.log_tail()))
    }
}

fn etcd_command(binary: &Path, dir: &RunDir, client_url: &str, peer: SocketAddr) -> Command {
    let peer_url = format!("http://{peer}");
    let mut command = Command::new(binary);
    command
        .arg("--data-dir")
        .arg(dir.join("etcd"))
        .args(["--listen-client-urls", client_url, "--advertise-client-urls", client_url])
        .args(["--listen-peer-urls", &peer_url, "--initial-advertise-peer-urls", &peer_url])
        .args(["--initial-cluster", &format!("default={peer_url}")])
        // The data lives as long as the run: nothing is gained by waiting for a disk.
        .args(["--unsafe-no-fsync", "--log-level", "warn"]);
    command
}

fn apiserver_command(
    binary: &Path,
    serving: &Path,
    service_accounts: &ServiceAccountKeys,
    etcd: &str,
    listen: SocketAddr,
) -> Command {
    let mut command = Command::new(binary);
    command
        .args(["--etcd-servers", etcd])
        .args(["--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"])
        .args(["--secure-port", &listen.port().to_string()])
        .arg("--tls-cert-file")
        .arg(serving.join("tls.crt"))
        .arg("--tls-private-key-file")
        .arg(serving.join("tls.key"))
        .arg("--client-ca-file")
        .arg(serving.join("ca.crt"))
        .args(["--service-account-issuer", "https://kubernetes.default.svc"])
        .arg("--service-account-key-file")
        .arg(&service_accounts.public)
        .arg("--service-account-signing-key-file")
        .arg(&service_accounts.private)
        .args(["--service-cluster-ip-range", "10.0.0.0/24", "--authorization-mode", "RBAC"])
        // A loopback address cannot be the endpoint of the `kubernetes` Service.
        .args(["--endpoint-reconciler-type", "none"])
        // It waits for accounts and tokens that only a controller would make.
        .args(["--disable-admission-plugins", "ServiceAccount"])
        // Few clients, all of them ours, all at once.
        .arg("--enable-priority-and-fairness=false");
    command
}

/// Lets it ask other servers for parts of the API, in the name of who asked it, and admission follow policies that are
/// objects (a beta of this release).
fn aggregate(command: &mut Command, proxy: &Path) {
    command
        .arg("--requestheader-client-ca-file")
        .arg(proxy.join("ca.crt"))
        .args(["--requestheader-allowed-names", FRONT_PROXY])
        .args(["--requestheader-username-headers", "X-Remote-User"])
        .args(["--requestheader-group-headers", "X-Remote-Group"])
        .args(["--requestheader-extra-headers-prefix", "X-Remote-Extra-"])
        .arg("--proxy-client-cert-file")
        .arg(proxy.join("tls.crt"))
        .arg("--proxy-client-key-file")
        .arg(proxy.join("tls.key"))
        .arg("--feature-gates=MutatingAdmissionPolicy=true")
        .arg("--runtime-config=admissionregistration.k8s.io/v1beta1=true");
}

/// The way in as a file, complete in itself, so that it can travel in a Secret too. JSON is YAML.
fn kubeconfig_of(authority: &Authority, admin: &Pair, listen: SocketAddr) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "e2e",
        "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "e2e"}}],
        "clusters": [{"name": "e2e", "cluster": {
            "server": format!("https://{listen}"),
            "certificate-authority-data": STANDARD.encode(authority.pem()),
        }}],
        "users": [{"name": "e2e", "user": user(admin)}],
    })
}

fn user(pair: &Pair) -> serde_json::Value {
    json!({
        "client-certificate-data": STANDARD.encode(&pair.public),
        "client-key-data": STANDARD.encode(&pair.private),
    })
}

/// Where [`free_ports`] looks: below the ports that the kernel gives to outgoing connections
/// (`net.ipv4.ip_local_port_range`), one of which could take a port before its server does.
const PORTS: Range<u32> = 20_000..32_000;

/// Addresses that nobody listens at, and each of which is given out once for a long while.
pub(crate) fn free_ports<const N: usize>() -> Result<[SocketAddr; N]> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let mut addresses = [SocketAddr::from(([127, 0, 0, 1], 0)); N];
    for address in &mut addresses {
        // Processes begin at different places.
        let begin = std::process::id().wrapping_mul(101);
        let mut tried = PORTS.map(|_| {
            let place = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
            u16::try_from(PORTS.start + place % (PORTS.end - PORTS.start)).unwrap_or_default()
        });
        address.set_port(tried.find(|port| is_free(*port)).context("no port is free")?);
    }
    Ok(addresses)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
