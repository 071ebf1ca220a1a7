//! Model servers for a picker to choose among: pods without a kubelet, and what it scrapes of them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::controlplane::cluster::{Cluster, text};
use crate::controlplane::free_ports;

/// How busy a model server says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Load {
    /// Requests that wait.
    pub waiting: f64,
    /// Requests that are worked on.
    pub running: f64,
    /// How much of the KV cache is used.
    pub kv_cache: f64,
    /// Milliseconds that every request takes to its first token, and from token to token; none where no request comes.
    pub latencies: Option<[u32; 2]>,
}

/// Edges of vLLM's histograms in seconds, to the first token and from token to token (v0.27.1,
/// `vllm/v1/metrics/loggers.py`).
const EDGES: [(&str, &[f64]); 2] = [
    (
        "time_to_first_token_seconds",
        &[
            0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
            40.0, 80.0, 160.0, 640.0, 2560.0,
        ],
    ),
    (
        "inter_token_latency_seconds",
        &[
            0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0,
            40.0, 80.0,
        ],
    ),
];

/// Requests that have been answered each time that somebody looks.
const ANSWERED: u64 = 10;

/// What one says about itself.
#[derive(Debug, Default)]
struct Page {
    load: Load,
    /// So many requests took so long.
    answered: BTreeMap<[u32; 2], u64>,
}

/// The page that a model server is here, at a loopback address of its own. It ends when dropped.
#[derive(Debug)]
pub struct Engine {
    /// `address:port`, as a picker names it.
    pub endpoint: String,
    /// Its address.
    pub address: IpAddr,
    page: Arc<Mutex<Page>>,
    serving: JoinHandle<()>,
}

impl Engine {
    /// Listens at a port.
    pub async fn listen(port: u16) -> Result<Self> {
        // The port is the pool's, so the address has to differ: that of a free port is as unique on this machine.
        let [free] = free_ports()?;
        let [high, low] = free.port().to_be_bytes();
        let address = IpAddr::from(Ipv4Addr::new(127, high, low, 2));
        let listener =
            TcpListener::bind((address, port)).await.with_context(|| format!("{address}:{port}"))?;
        let page = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&page)));
        Ok(Self { endpoint: format!("{address}:{port}"), address, page, serving })
    }

    /// It is that busy from now on.
    pub fn bears(&self, load: Load) {
        self.page.lock().unwrap_or_else(PoisonError::into_inner).load = load;
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A model server with a pod of its own. Ends when dropped.
#[derive(Debug)]
pub struct ModelServer {
    /// `address:port`, as a picker names it.
    pub endpoint: String,
    pod: Value,
    engine: Engine,
}

impl ModelServer {
    /// Starts one for a pool. Its pod is not there yet.
    pub async fn start(pool: &Value, name: &str) -> Result<Self> {
        let port = pool.pointer("/spec/targetPorts/0/number").and_then(Value::as_u64);
        let port = u16::try_from(port.context("the pool has no port")?)?;
        let engine = Engine::listen(port).await?;
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": text(pool, "/metadata/namespace"),
                "labels": pool.pointer("/spec/selector/matchLabels"),
            },
            "spec": {"containers": [{"name": "vllm", "image": "vllm"}]},
        });
        Ok(Self { endpoint: engine.endpoint.clone(), pod, engine })
    }

    /// Its pod appears and turns Ready, as a kubelet would say.
    pub async fn turns_ready(&self, cluster: &Cluster) -> Result<()> {
        cluster.create(&self.pod).await?;
        cluster.set_status(&self.pod, &ready(&self.engine.address.to_string())).await
    }

    /// Its pod goes.
    pub async fn goes(&self, cluster: &Cluster) -> Result<()> {
        cluster.delete(&self.pod).await
    }

    /// So many requests wait at it.
    pub fn has_waiting(&self, requests: u32) {
        self.engine.bears(Load { waiting: f64::from(requests), ..Load::default() });
    }
}

/// What a kubelet says of a pod that is up.
pub fn ready(address: &str) -> Value {
    json!({
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        // Nobody reads when: long enough ago to be available.
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    })
}

async fn serve(listener: TcpListener, page: Arc<Mutex<Page>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let page = Arc::clone(&page);
        let answer = service_fn(move |_: Request<hyper::body::Incoming>| {
            let metrics = page.lock().unwrap_or_else(PoisonError::into_inner).metrics();
            let mut response = Response::new(Full::new(Bytes::from(metrics)));
            // Prometheus takes no page that does not say what it is.
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
            async move { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(async move {
            // A picker that ends cuts its connections.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

impl Page {
    /// What vLLM (0.13) says and a picker or an autoscaler reads. A gauge that is not called one is read as zero.
    fn metrics(&mut self) -> String {
        let Load { waiting, running, kv_cache, latencies } = self.load;
        if let Some(latencies) = latencies {
            *self.answered.entry(latencies).or_default() += ANSWERED;
        }
        let gauges = [
            ("num_requests_waiting", "model_name=\"m\"", waiting),
            ("num_requests_running", "model_name=\"m\"", running),
            ("kv_cache_usage_perc", "model_name=\"m\"", kv_cache),
            (
                "lora_requests_info",
                "max_lora=\"1\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"",
                1.0,
            ),
            ("cache_config_info", "block_size=\"16\",num_gpu_blocks=\"2048\"", 1.0),
        ];
        let gauges = gauges.map(|(name, labels, value)| {
            format!("# TYPE vllm:{name} gauge\nvllm:{name}{{{labels}}} {value}\n")
        });
        let histograms = EDGES.iter().enumerate().map(|(which, (name, edges))| {
            let took = self
                .answered
                .iter()
                .filter_map(|(took, count)| Some((f64::from(*took.get(which)?) / 1000.0, *count)));
            histogram(name, edges, &took.collect::<Vec<_>>())
        });
        gauges.into_iter().chain(histograms).collect()
    }
}

/// So many requests that took so long, as a histogram of these edges.
fn histogram(name: &str, edges: &[f64], took: &[(f64, u64)]) -> String {
    let up_to =
        |edge: f64| took.iter().filter(|(took, _)| *took <= edge).map(|(_, count)| count).sum::<u64>();
    let all = up_to(f64::INFINITY);
    let sum = took.iter().map(|(took, count)| took * f64::from(u32::try_from(*count).unwrap_or(u32::MAX)));
    let mut lines = vec![format!("# TYPE vllm:{name} histogram")];
    // As Python writes numbers.
    lines.extend(
        edges
            .iter()
            .map(|edge| format!("vllm:{name}_bucket{{model_name=\"m\",le=\"{edge:?}\"}} {}", up_to(*edge))),
    );
    lines.push(format!("vllm:{name}_bucket{{model_name=\"m\",le=\"+Inf\"}} {all}"));
    lines.push(format!("vllm:{name}_count{{model_name=\"m\"}} {all}"));
    lines.push(format!("vllm:{name}_sum{{model_name=\"m\"}} {}\n", sum.sum::<f64>()));
    lines.join("\n")
}
