//! Real Endpoint Pickers, started as the Deployment says that the function composed: with its arguments,
//! configuration, environment and service account, and asked as its probes and its Gateway would.
//!
//! What a shared machine forces is changed, and nothing else: the ports that the container listens at, in its
//! arguments and probes, and the folder that its configuration is mounted at.

pub mod ask;
pub mod router;
pub mod servers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::controlplane::cluster::{Cluster, text};
use crate::controlplane::platform::PLATFORM;
use crate::controlplane::wait::{Look, until};
use crate::controlplane::{ControlPlane, free_ports};
use crate::process::{self, Server};
use crate::render::{self, Answer, Scenario};
use crate::wrapped::delivered;

/// On an idle machine a picker is ready within two seconds.
const READY_LIMIT: Duration = Duration::from_mins(2);

/// What the function composes for one model.
#[derive(Debug)]
pub struct Stack {
    /// The model's name.
    pub name: String,
    manifests: Vec<Value>,
}

impl Stack {
    /// Renders a model, `spec` being what its author wrote, on a platform that wants that picker.
    pub fn render(function: &Path, dir: &Path, name: &str, spec: &Value, picker: &Value) -> Result<Self> {
        let xr = json!({
            "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
            "kind": "LLMInference",
            "metadata": {"name": name, "namespace": "models"},
            "spec": spec,
        });
        let input = json!({
            "apiVersion": "inference.fn.crossplane.io/v1beta1",
            "kind": "ModelStack",
            "spec": {"endpointPicker": picker},
        });
        let step = json!({
            "step": "model-stack", "functionRef": {"name": "function-inference"}, "input": input,
        });
        let composition = json!({
            "apiVersion": "apiextensions.crossplane.io/v1",
            "kind": "Composition",
            "metadata": {"name": "llm-inference"},
            "spec": {
                "compositeTypeRef": {"apiVersion": text(&xr, "/apiVersion"), "kind": text(&xr, "/kind")},
                "mode": "Pipeline",
                "pipeline": [step],
            },
        });
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir)?;
        // JSON is YAML.
        let write = |name: &str, content: &Value| -> Result<PathBuf> {
            let path = dir.join(name);
            std::fs::write(&path, content.to_string())?;
            Ok(path)
        };
        let scenario = Scenario {
            name: name.to_owned(),
            xr: write("xr.yaml", &xr)?,
            composition: write("composition.yaml", &composition)?,
            functions: PathBuf::new(),
            observed: None,
            required_resources: None,
        };
        let rendered = match render::preview(function, &scenario)? {
            Answer::Rendered(rendered) => rendered,
            Answer::Refused(why) => bail!("{name} is refused: {why}"),
        };
        let manifests = rendered.composed.iter().filter_map(delivered).map(|delivered| delivered.manifest);
        Ok(Self { name: name.to_owned(), manifests: manifests.collect() })
    }

    /// The only object of a kind.
    pub fn object(&self, kind: &str) -> Result<&Value> {
        let mut found = self.manifests.iter().filter(|manifest| text(manifest, "/kind") == kind);
        let object = found.next().with_context(|| format!("{} has no {kind}", self.name))?;
        ensure!(found.next().is_none(), "{} has more than one {kind}", self.name);
        Ok(object)
    }

    /// The only object of a kind whose name ends so.
    pub fn named(&self, kind: &str, suffix: &str) -> Result<&Value> {
        let is_meant = |manifest: &&Value| {
            text(manifest, "/kind") == kind && text(manifest, "/metadata/name").ends_with(suffix)
        };
        let mut found = self.manifests.iter().filter(is_meant);
        let object = found.next().with_context(|| format!("{} has no {kind} *{suffix}", self.name))?;
        ensure!(found.next().is_none(), "{} has more than one {kind} *{suffix}", self.name);
        Ok(object)
    }

    /// Applies everything that a picker is or reads. Nothing here would run its Deployment.
    pub async fn apply(&self, cluster: &Cluster) -> Result<()> {
        const GROUPS: [&str; 3] = ["rbac.authorization.k8s.io/", "inference.networking.", "apps/"];
        for manifest in &self.manifests {
            let api_version = text(manifest, "/apiVersion");
            if api_version == "v1" || GROUPS.iter().any(|group| api_version.starts_with(group)) {
                cluster.apply(manifest, PLATFORM).await?;
            }
        }
        Ok(())
    }
}

/// A running picker. Ends when dropped.
#[derive(Debug)]
pub struct Picker {
    /// Where a Gateway asks it.
    pub address: SocketAddr,
    ports: BTreeMap<u64, SocketAddr>,
    container: Value,
    server: Server,
}

impl Picker {
    /// Starts one replica of a stack's Deployment, with a token of its service account. `pod` is its name.
    pub async fn start(
        control_plane: &ControlPlane,
        binary: &Path,
        stack: &Stack,
        pod: &str,
    ) -> Result<Self> {
        let deployment = stack.object("Deployment")?;
        let pod_spec = deployment.pointer("/spec/template/spec").context("the Deployment has no pods")?;
        let metadata = json!({"name": pod, "namespace": text(deployment, "/metadata/namespace")});
        let pod = json!({"metadata": metadata, "spec": pod_spec});
        Self::run(control_plane, binary, &pod, stack.object("ConfigMap")?).await
    }

    /// Starts what a pod is to run, with a token of its service account and the configuration that it mounts.
    pub async fn run(
        control_plane: &ControlPlane,
        binary: &Path,
        pod: &Value,
        configuration: &Value,
    ) -> Result<Self> {
        let pod_spec = pod.pointer("/spec").context("the pod has no spec")?;
        let container = pod_spec.pointer("/containers/0").context("it has no container")?.clone();
        let [namespace, pod] = ["/metadata/namespace", "/metadata/name"].map(|pointer| text(pod, pointer));
        let token = control_plane.cluster.token(namespace, text(pod_spec, "/serviceAccountName")).await?;
        let dir = control_plane.dir.join(pod);
        std::fs::create_dir_all(&dir)?;
        let kubeconfig = dir.join("kubeconfig");
        std::fs::write(&kubeconfig, control_plane.kubeconfig_with(&token)?)?;

        // What a kubelet would mount.
        let mounted = text(&container, "/volumeMounts/0/mountPath");
        let files = configuration.pointer("/data").and_then(Value::as_object);
        for (name, content) in files.context("the ConfigMap is empty")? {
            std::fs::write(dir.join(name), content.as_str().unwrap_or_default())?;
        }
        let ports = move_ports(&container)?;
        let mut moved = 0;
        let args = list(&container, "/args").map(|arg| {
            let (flag, value) = arg.split_once('=').unwrap_or((arg, ""));
            let port = value.parse().ok().and_then(|port: u64| ports.get(&port));
            let path = value.strip_prefix(mounted);
            moved += usize::from(port.is_some() || path.is_some());
            match (port, path) {
                (Some(address), _) => format!("{flag}={}", address.port()),
                (None, Some(path)) => format!("{flag}={}{path}", dir.display()),
                (None, None) => arg.to_owned(),
            }
        });
        let args: Vec<String> = args.collect();
        ensure!(moved == ports.len() + 1, "three ports and a path are moved, not {moved} of {args:?}");

        let mut command = Command::new(binary);
        command.args(&args).env_clear().env("KUBECONFIG", &kubeconfig);
        for variable in container.pointer("/env").and_then(Value::as_array).into_iter().flatten() {
            let value = match text(variable, "/valueFrom/fieldRef/fieldPath") {
                "metadata.namespace" => namespace,
                "metadata.name" => pod,
                other => bail!("nobody here knows the field {other:?} of a pod"),
            };
            command.env(text(variable, "/name"), value);
        }
        let server = Server::start(&mut command, control_plane.dir.join(&format!("{pod}.log")))?;
        let address = *ports.get(&9002).context("the container does not listen at 9002")?;
        Ok(Self { address, ports, container, server })
    }

    /// Where it listens for what its container's port is for.
    pub fn at(&self, port: u64) -> Option<SocketAddr> {
        self.ports.get(&port).copied()
    }

    /// What one of the container's probes hears: whether it is answered with SERVING, or why not.
    pub async fn probe(&mut self, which: &str) -> Result<Look<()>> {
        self.server.check()?;
        let grpc = format!("/{which}Probe/grpc");
        let grpc = self.container.pointer(&grpc).with_context(|| format!("there is no {which} probe"))?;
        let port = grpc.pointer("/port").and_then(Value::as_u64).unwrap_or_default();
        let address = self.ports.get(&port).with_context(|| format!("nobody listens at {port}"))?;
        let service = text(grpc, "/service").to_owned();
        let Ok(channel) = Endpoint::from_shared(format!("http://{address}"))?.connect().await else {
            return Ok(Err("nobody listens".to_owned()));
        };
        Ok(match HealthClient::new(channel).check(HealthCheckRequest { service }).await {
            Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Ok(()),
            Ok(answer) => Err(format!("{:?}", answer.get_ref().status())),
            Err(status) => Err(status.to_string()),
        })
    }

    /// Whether the startup probe succeeds, without which no other is asked.
    pub async fn has_started(&self) -> Result<bool> {
        let port =
            self.container.pointer("/startupProbe/tcpSocket/port").context("there is no such probe")?;
        let mut ports = self.container.pointer("/ports").and_then(Value::as_array).into_iter().flatten();
        let number = ports.find(|it| it.get("name") == Some(port)).and_then(|it| it.get("containerPort"));
        let number = number.and_then(Value::as_u64).with_context(|| format!("no port is called {port}"))?;
        let address = self.at(number).with_context(|| format!("nobody listens at {number}"))?;
        Ok(TcpStream::connect(address).await.is_ok())
    }

    /// Waits until the readiness probe succeeds, as a kubelet asks it.
    pub async fn turns_ready(&mut self) -> Result<()> {
        let outcome = until("the picker is ready", READY_LIMIT, async || self.is_ready().await).await;
        outcome.with_context(|| self.server.log_tail())
    }

    /// Whether a kubelet says that the pod is ready, or why it does not.
    pub async fn is_ready(&mut self) -> Result<Look<()>> {
        self.server.check()?;
        if !self.has_started().await? {
            return Ok(Err("it does not listen yet".to_owned()));
        }
        self.probe("readiness").await
    }

    /// Connects as a Gateway does.
    pub async fn client(&self) -> Result<ask::Client> {
        ask::Client::connect(self.address).await.with_context(|| self.server.log_tail())
    }

    /// What it says of itself to somebody with that token, or with none: status and text.
    pub async fn metrics(&self, token: Option<&str>) -> Result<(u16, String)> {
        let address = self.ports.get(&9090).context("the container does not listen at 9090")?;
        let stream = TokioIo::new(TcpStream::connect(address).await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
        tokio::spawn(connection);
        let mut request = Request::get("/metrics").header("host", address.to_string());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The sum of a metric's series; none where it has none.
    pub async fn sum(&self, metric: &str) -> Result<Option<f64>> {
        let (_, text) = self.metrics(None).await?;
        let series = text.lines().filter_map(|line| {
            let rest = line.strip_prefix(metric)?;
            rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next()?.parse::<f64>().ok()).flatten()
        });
        let values: Vec<f64> = series.collect();
        Ok((!values.is_empty()).then(|| values.iter().sum()))
    }

    /// The last lines it wrote.
    pub fn log_tail(&self) -> String {
        self.server.log_tail()
    }
}

/// Has a picker read a configuration, and returns what it says until it ends: soon, for want of a certificate.
pub fn try_config(control_plane: &ControlPlane, binary: &Path, config: &str) -> Result<String> {
    let [grpc, health, metrics]: [SocketAddr; 3] = free_ports()?;
    let mut command = Command::new(binary);
    command
        .args(["--pool-name=none", "--pool-namespace=default", "--tracing=false", "--enable-pprof=false"])
        .arg(format!("--grpc-port={}", grpc.port()))
        .arg(format!("--grpc-health-port={}", health.port()))
        .arg(format!("--metrics-port={}", metrics.port()))
        .arg(format!("--config-text={config}"))
        .arg("--cert-path=/nowhere")
        .env_clear()
        .env("KUBECONFIG", &control_plane.kubeconfig);
    let finished = process::run(&mut command, READY_LIMIT)?;
    Ok(finished.stdout + &finished.stderr)
}

/// A free port for each that the container listens at.
fn move_ports(container: &Value) -> Result<BTreeMap<u64, SocketAddr>> {
    let wanted = container.pointer("/ports").and_then(Value::as_array).into_iter().flatten();
    let wanted: Vec<u64> =
        wanted.filter_map(|port| port.pointer("/containerPort").and_then(Value::as_u64)).collect();
    let free: [SocketAddr; 3] = free_ports()?;
    ensure!(wanted.len() == free.len(), "the container listens at {wanted:?}, not at three ports");
    Ok(wanted.into_iter().zip(free).collect())
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a str> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
