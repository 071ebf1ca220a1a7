//! Model servers for a picker to choose among: pods without a kubelet, and what it scrapes of them.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::controlplane::cluster::{Cluster, text};
use crate::controlplane::free_ports;

/// One model server at a loopback address of its own. Ends when dropped.
#[derive(Debug)]
pub struct ModelServer {
    /// `address:port`, as a picker names it.
    pub endpoint: String,
    pod: Value,
    address: IpAddr,
    waiting: Arc<AtomicU32>,
    serving: JoinHandle<()>,
}

impl ModelServer {
    /// Starts one for a pool. Its pod is not there yet.
    pub async fn start(pool: &Value, name: &str) -> Result<Self> {
        let port = pool.pointer("/spec/targetPorts/0/number").and_then(Value::as_u64);
        let port = u16::try_from(port.context("the pool has no port")?)?;
        // The port is the pool's, so the address has to differ: that of a free port is as unique on this machine.
        let [free] = free_ports()?;
        let [high, low] = free.port().to_be_bytes();
        let address = IpAddr::from(Ipv4Addr::new(127, high, low, 2));
        let listener =
            TcpListener::bind((address, port)).await.with_context(|| format!("{address}:{port}"))?;
        let waiting = Arc::new(AtomicU32::new(0));
        let serving = tokio::spawn(serve(listener, Arc::clone(&waiting)));
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
        Ok(Self { endpoint: format!("{address}:{port}"), pod, address, waiting, serving })
    }

    /// Its pod appears and turns Ready, as a kubelet would say.
    pub async fn turns_ready(&self, cluster: &Cluster) -> Result<()> {
        cluster.create(&self.pod).await?;
        let address = self.address.to_string();
        let status = json!({
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        cluster.set_status(&self.pod, &status).await
    }

    /// Its pod goes.
    pub async fn goes(&self, cluster: &Cluster) -> Result<()> {
        cluster.delete(&self.pod).await
    }

    /// So many requests wait at it.
    pub fn has_waiting(&self, requests: u32) {
        self.waiting.store(requests, Ordering::Relaxed);
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, waiting: Arc<AtomicU32>) {
    while let Ok((stream, _)) = listener.accept().await {
        let waiting = Arc::clone(&waiting);
        let answer = service_fn(move |_: Request<hyper::body::Incoming>| {
            let metrics = metrics(waiting.load(Ordering::Relaxed));
            async move { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(metrics)))) }
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
fn metrics(waiting: u32) -> String {
    let gauges = [
        ("num_requests_waiting", "model_name=\"m\"", waiting),
        ("num_requests_running", "model_name=\"m\"", 0),
        ("kv_cache_usage_perc", "model_name=\"m\"", 0),
        ("lora_requests_info", "max_lora=\"1\",running_lora_adapters=\"\",waiting_lora_adapters=\"\"", 1),
        ("cache_config_info", "block_size=\"16\",num_gpu_blocks=\"2048\"", 1),
    ];
    gauges
        .map(|(name, labels, value)| format!("# TYPE vllm:{name} gauge\nvllm:{name}{{{labels}}} {value}\n"))
        .concat()
}
