//! Model servers for a picker to choose among: pods without a kubelet, and what it scrapes of them.

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
}

/// The page that a model server is here, at a loopback address of its own. It ends when dropped.
#[derive(Debug)]
pub struct Engine {
    /// `address:port`, as a picker names it.
    pub endpoint: String,
    /// Its address.
    pub address: IpAddr,
    load: Arc<Mutex<Load>>,
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
        let load = Arc::default();
        let serving = tokio::spawn(serve(listener, Arc::clone(&load)));
        Ok(Self { endpoint: format!("{address}:{port}"), address, load, serving })
    }

    /// It is that busy from now on.
    pub fn bears(&self, load: Load) {
        *self.load.lock().unwrap_or_else(PoisonError::into_inner) = load;
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

async fn serve(listener: TcpListener, load: Arc<Mutex<Load>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let load = Arc::clone(&load);
        let answer = service_fn(move |_: Request<hyper::body::Incoming>| {
            let metrics = metrics(*load.lock().unwrap_or_else(PoisonError::into_inner));
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

/// What vLLM (0.13) says and a picker reads. A gauge that is not called one is read as zero.
fn metrics(Load { waiting, running, kv_cache }: Load) -> String {
    let gauges = [
        ("num_requests_waiting", "model_name=\"m\"", waiting),
        ("num_requests_running", "model_name=\"m\"", running),
        ("kv_cache_usage_perc", "model_name=\"m\"", kv_cache),
        ("lora_requests_info", "max_lora=\"1\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"", 1.0),
        ("cache_config_info", "block_size=\"16\",num_gpu_blocks=\"2048\"", 1.0),
    ];
    gauges
        .map(|(name, labels, value)| format!("# TYPE vllm:{name} gauge\nvllm:{name}{{{labels}}} {value}\n"))
        .concat()
}
