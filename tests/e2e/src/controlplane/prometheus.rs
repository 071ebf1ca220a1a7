//! Prometheus, configured by the Prometheus operator: what a `ServiceMonitor` or `PodMonitor` means is nobody's opinion
//! here.
//!
//! The operator looks at monitors and writes Prometheus' configuration into a Secret. What would run it on a node is left
//! out: here it is read from there (as its config reloader does), and Prometheus finds the targets by its own discovery.
//!
//! One thing has to be said to Prometheus beside that: [`to_this_machine`].

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::cluster::{Cluster, text};
use super::platform::{PLATFORM, namespace};
use super::wait::{Look, until};
use super::{ControlPlane, free_ports};
use crate::process::Server;
use crate::tools;

const NAMESPACE: &str = "monitoring";
const NAME: &str = "e2e";

/// An idle machine needs a few seconds.
const START_LIMIT: Duration = Duration::from_mins(2);

/// How often the configuration is read anew.
const RELOAD: Duration = Duration::from_millis(300);

/// A running Prometheus and its operator. They end when dropped.
#[derive(Debug)]
pub struct Prometheus {
    /// Where it answers.
    pub address: SocketAddr,
    operator: Server,
    server: Server,
    reloader: JoinHandle<()>,
}

impl Prometheus {
    /// Starts them. The CRDs of monitors and of [`PROMETHEUS`](super::crds::PROMETHEUS) have to be there.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let cluster = &control_plane.cluster;
        namespace(cluster, NAMESPACE).await?;
        let [address, operator_address] = free_ports()?;
        let mut operator = Command::new(tools::PROMETHEUS_OPERATOR.path()?);
        operator
            .arg(format!("--web.listen-address={operator_address}"))
            .args(["start"])
            .env("KUBECONFIG", &control_plane.kubeconfig);
        let mut operator = Server::start(&mut operator, control_plane.dir.join("prometheus-operator.log"))?;

        cluster.apply(&wanted(control_plane)?, PLATFORM).await?;
        let file = configuration(control_plane);
        until("the operator has configured Prometheus", START_LIMIT, async || {
            operator.check()?;
            let written = write_configuration(cluster, &file).await?;
            Ok(if written { Look::Ok(()) } else { Look::Err(operator.log_tail()) })
        })
        .await?;

        let mut server = Self::command(control_plane, address, &control_plane.dir.join("prometheus"))?;
        let mut server = Server::start(&mut server, control_plane.dir.join("prometheus.log"))?;
        server.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        })?;
        let reloader = tokio::spawn(reload(cluster.clone(), file));
        Ok(Self { address, operator, server, reloader })
    }

    /// What starts one with the configuration that the operator has made.
    pub(super) fn command(
        control_plane: &ControlPlane,
        address: SocketAddr,
        storage: &Path,
    ) -> Result<Command> {
        let mut server = Command::new(tools::PROMETHEUS.path()?);
        server
            .arg("--config.file")
            .arg(configuration(control_plane))
            .arg("--storage.tsdb.path")
            .arg(storage)
            .arg(format!("--web.listen-address={address}"))
            .args(["--enable-feature=auto-reload-config", "--config.auto-reload-interval=1s"]);
        Ok(server)
    }

    /// Where the autoscaler asks it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether it reads each target that it has of a job: one word a target.
    pub async fn reads(&self, namespace: &str, job: &str) -> Result<Vec<bool>> {
        let query = format!(r#"up{{namespace="{namespace}",job="{job}"}}"#);
        let mut promtool = Command::new(tools::PROMTOOL.path()?);
        promtool.args(["query", "instant", "--format=json", &self.url(), &query]);
        let output = tokio::task::spawn_blocking(move || promtool.output()).await??;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).context("promtool prints no JSON")?;
        let series = found.as_array().context("promtool prints no list")?;
        Ok(series.iter().map(|one| text(one, "/value/1") == "1").collect())
    }

    /// The rules that it evaluates together under that name, each with what became of it.
    pub async fn rules(&self, group: &str) -> Result<Vec<Value>> {
        let client = kube::Client::try_from(kube::Config::new(self.url().parse()?))?;
        let answer: Value = client.request(http::Request::get("/api/v1/rules").body(vec![])?).await?;
        let groups =
            answer.pointer("/data/groups").and_then(Value::as_array).context("no groups of rules")?;
        let found = groups.iter().filter(|found| text(found, "/name") == group);
        let rules = found.filter_map(|found| found.pointer("/rules")?.as_array());
        Ok(rules.flatten().cloned().collect())
    }

    /// An error that names the process that ended, if one did.
    pub fn check(&mut self) -> Result<()> {
        self.operator.check()?;
        self.server.check()
    }

    /// Adds what they last logged to an error that may be their doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let logs = [("prometheus-operator", &self.operator), ("prometheus", &self.server)];
        let logs = logs.map(|(name, server)| format!("--- {name}\n{}", server.log_tail()));
        error.context(logs.join("\n"))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.reloader.abort();
    }
}

/// Where it reads what to scrape.
fn configuration(control_plane: &ControlPlane) -> PathBuf {
    control_plane.dir.join("prometheus.yaml")
}

/// A Prometheus for the monitors of every namespace, as a platform team would ask for it.
fn wanted(control_plane: &ControlPlane) -> Result<Value> {
    let admin = std::fs::read(&control_plane.kubeconfig).context("cannot read the way in")?;
    let admin: Value = serde_json::from_slice(&admin)?;
    let client = control_plane.authority.client("prometheus", Some("system:masters"))?;
    let certificates =
        control_plane.authority.folder(control_plane.dir.join("prometheus-client"), &client)?;
    let everything = json!({});
    Ok(json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {
            "serviceMonitorSelector": everything, "serviceMonitorNamespaceSelector": everything,
            "podMonitorSelector": everything, "podMonitorNamespaceSelector": everything,
            "ruleSelector": everything, "ruleNamespaceSelector": everything,
            "serviceDiscoveryRole": "EndpointSlice",
            "apiserverConfig": {
                "host": text(&admin, "/clusters/0/cluster/server"),
                "tlsConfig": {
                    "caFile": certificates.join("ca.crt"),
                    "certFile": certificates.join("tls.crt"),
                    "keyFile": certificates.join("tls.key"),
                },
            },
            "scrapeClasses": [{"name": "loopback", "default": true, "relabelings": [to_this_machine()]}],
        },
    }))
}

/// No endpoint of a Service may be a loopback address (Kubernetes 1.35, `ValidateEndpointIP`), so a pod at 127.1.2.3 is
/// written down there as [`on_the_network`] says, and scraped at where it is.
fn to_this_machine() -> Value {
    json!({
        "action": "replace", "sourceLabels": ["__address__"], "targetLabel": "__address__",
        "regex": r"10\.(.+)", "replacement": "127.$1",
    })
}

/// The address that stands for one of this machine.
pub fn on_the_network(loopback: &str) -> String {
    loopback.replacen("127.", "10.", 1)
}

/// Writes what the operator has made, if it is there and new. Prometheus looks at the file itself.
async fn write_configuration(cluster: &Cluster, file: &Path) -> Result<bool> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": format!("prometheus-{NAME}"), "namespace": NAMESPACE},
    });
    let Some(secret) = cluster.get(&secret).await? else { return Ok(false) };
    let packed = STANDARD.decode(text(&secret, "/data/prometheus.yaml.gz"))?;
    let mut configuration = String::new();
    GzDecoder::new(&*packed).read_to_string(&mut configuration).context("cannot unpack the configuration")?;
    let rules = file.with_file_name("prometheus-rules");
    write_rules(cluster, &rules).await?;
    // What the config reloader takes from its environment: this is the only shard.
    let configuration = configuration
        .replace("$(SHARD)", "0")
        .replace("$(POD_NAME)", NAME)
        .replace("/etc/prometheus/rules", &rules.display().to_string());
    if std::fs::read_to_string(file).unwrap_or_default() != configuration {
        std::fs::write(file, configuration)?;
    }
    Ok(true)
}

/// Rules stand in `ConfigMap`s, which would be mounted in folders of their names.
async fn write_rules(cluster: &Cluster, rules: &Path) -> Result<()> {
    for found in cluster.list("v1", "ConfigMap", NAMESPACE).await? {
        let folder = rules.join(text(&found, "/metadata/name"));
        std::fs::create_dir_all(&folder)?;
        let data = found.pointer("/data").and_then(Value::as_object);
        for (name, content) in data.into_iter().flatten() {
            let (file, content) = (folder.join(name), content.as_str().unwrap_or_default());
            if std::fs::read_to_string(&file).unwrap_or_default() != content {
                std::fs::write(file, content)?;
            }
        }
    }
    Ok(())
}

async fn reload(cluster: Cluster, file: PathBuf) {
    loop {
        // Whoever waits for a target tells what went wrong.
        let _ = write_configuration(&cluster, &file).await;
        tokio::time::sleep(RELOAD).await;
    }
}
