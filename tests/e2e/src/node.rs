//! Stands in for the nodes of a cluster, where pods are containers, and for what tells the network about them.
//!
//! Pods come and go by the real controllers of Kubernetes. Here each of them becomes something that runs: a model server
//! is a page of metrics at an address of its own, and an Endpoint Picker is the real one, with the arguments, environment,
//! account and configuration of its pod. Its probes are asked, and the pod is told to be Ready when they answer.
//!
//! Services get the `EndpointSlice`s that the controller would write, which cannot do it here: it would write down the
//! pods' loopback addresses, and the API server takes none.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::controlplane::ControlPlane;
use crate::controlplane::cluster::{Cluster, describe, is_missing, text};
use crate::controlplane::prometheus::on_the_network;
use crate::picker::Picker;
use crate::picker::servers::{Engine, Load, ready};
use crate::tools::{self, Tool};

/// How long it rests between two rounds.
const REST: Duration = Duration::from_millis(100);

/// In whose name slices are written.
const MANAGER: &str = "node";

/// A port of every machine that nobody listens at.
const NOWHERE: u64 = 1;

/// By the tag of a picker's image.
const PICKERS: [(&str, Tool); 3] =
    [(":v1.3.1", tools::PICKER_1_3), (":v1.4.0", tools::PICKER_1_4), (":v1.5.0", tools::PICKER_1_5)];

/// What runs the pods of a cluster.
#[derive(Debug, Default)]
pub struct Node {
    shared: Mutex<Shared>,
}

/// What the background and its owner tell each other. Everything is by namespace: a model has one of its own.
#[derive(Debug, Default)]
struct Shared {
    /// What the model servers of a namespace bear together.
    loads: BTreeMap<String, Load>,
    /// Whose model servers take longer to start.
    held: BTreeSet<String>,
    /// Services, by namespace and name, that nobody can scrape.
    hidden: BTreeSet<(String, String)>,
    /// Where each picker is asked.
    pickers: BTreeMap<String, SocketAddr>,
    trouble: Vec<String>,
}

impl Node {
    /// Runs pods for as long as it is polled. Everything ends when it is dropped.
    pub async fn run(&self, control_plane: &ControlPlane) -> Infallible {
        let mut round = Round { control_plane, shared: &self.shared, running: BTreeMap::new() };
        loop {
            let trouble = round.play().await;
            lock(&self.shared).trouble = trouble;
            tokio::time::sleep(REST).await;
        }
    }

    /// The model servers of a namespace bear that much from now on, all together.
    pub fn bear(&self, namespace: &str, load: Load) {
        lock(&self.shared).loads.insert(namespace.to_owned(), load);
    }

    /// Model servers that come take long to start, until they [`start`](Self::start_pods).
    pub fn hold_pods(&self, namespace: &str) {
        lock(&self.shared).held.insert(namespace.to_owned());
    }

    /// Model servers start again.
    pub fn start_pods(&self, namespace: &str) {
        lock(&self.shared).held.remove(namespace);
    }

    /// Whatever a Service leads to cannot be reached through it, until it can be [`seen`](Self::show) again.
    pub fn hide(&self, namespace: &str, service: &str) {
        lock(&self.shared).hidden.insert((namespace.to_owned(), service.to_owned()));
    }

    /// It can be reached again.
    pub fn show(&self, namespace: &str, service: &str) {
        lock(&self.shared).hidden.remove(&(namespace.to_owned(), service.to_owned()));
    }

    /// Where a Gateway asks the picker of a namespace, once that is ready.
    pub fn picker(&self, namespace: &str) -> Option<SocketAddr> {
        lock(&self.shared).pickers.get(namespace).copied()
    }

    /// What went wrong in the latest round. It is tried again in the next.
    pub fn trouble(&self) -> Vec<String> {
        lock(&self.shared).trouble.clone()
    }
}

/// What is shared is whole at any time, so a thread that panicked while it held the lock spoilt nothing.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a pod is here.
#[derive(Debug)]
enum Process {
    Engine(Engine),
    Picker(Box<Picker>),
}

#[derive(Debug)]
struct Running {
    process: Process,
    is_ready: bool,
}

/// What is remembered from round to round.
struct Round<'a> {
    control_plane: &'a ControlPlane,
    shared: &'a Mutex<Shared>,
    /// By UID of the pod.
    running: BTreeMap<String, Running>,
}

impl Round<'_> {
    /// What one pod is in the way of keeps no other from running.
    async fn play(&mut self) -> Vec<String> {
        let cluster = self.control_plane.cluster.clone();
        let pods = match cluster.list("v1", "Pod", "").await {
            Ok(pods) => pods,
            Err(error) => return vec![format!("{error:#}")],
        };
        let mut trouble = Vec::new();
        let uids: BTreeSet<&str> = pods.iter().map(|pod| text(pod, "/metadata/uid")).collect();
        self.running.retain(|uid, _| uids.contains(uid.as_str()));
        for pod in &pods {
            if let Err(error) = self.run(pod).await {
                trouble.push(format!("{}: {error:#}", describe(pod)));
            }
        }
        self.share_loads(&pods);
        if let Err(error) = self.lead_services(&pods).await {
            trouble.push(format!("{error:#}"));
        }
        trouble
    }

    /// Starts what the pod is to run, and asks whether it is ready.
    async fn run(&mut self, pod: &Value) -> Result<()> {
        let uid = text(pod, "/metadata/uid").to_owned();
        let namespace = text(pod, "/metadata/namespace").to_owned();
        let cluster = &self.control_plane.cluster;
        let running = match self.running.get_mut(&uid) {
            Some(running) => running,
            None if is_picker(pod) => {
                let process = Process::Picker(Box::new(start_picker(self.control_plane, pod).await?));
                self.running.entry(uid.clone()).or_insert(Running { process, is_ready: false })
            }
            None if lock(self.shared).held.contains(&namespace) => return Ok(()),
            None => {
                let port = pod.pointer("/spec/containers/0/ports/0/containerPort").and_then(Value::as_u64);
                let port = u16::try_from(port.context("it listens nowhere")?)?;
                let process = Process::Engine(Engine::listen(port).await?);
                self.running.entry(uid.clone()).or_insert(Running { process, is_ready: false })
            }
        };
        if running.is_ready {
            return Ok(());
        }
        let address = match &mut running.process {
            Process::Engine(engine) => engine.address.to_string(),
            Process::Picker(picker) => {
                match picker.is_ready().await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Ok(()),
                    Err(ended) => {
                        // A kubelet starts it again: what it mounts may have come after it.
                        self.running.remove(&uid);
                        return Err(ended);
                    }
                }
                lock(self.shared).pickers.insert(namespace, picker.address);
                picker.address.ip().to_string()
            }
        };
        match cluster.set_status(pod, &ready(&address)).await {
            // Gone in between.
            Err(error) if is_missing(&error) => Ok(()),
            outcome => {
                running.is_ready = outcome.is_ok();
                outcome
            }
        }
    }

    /// Requests are shared out evenly, and a cache is full at most.
    fn share_loads(&self, pods: &[Value]) {
        let mut engines: BTreeMap<&str, Vec<&Engine>> = BTreeMap::new();
        for pod in pods {
            if let Some(Running { process: Process::Engine(engine), .. }) =
                self.running.get(text(pod, "/metadata/uid"))
            {
                engines.entry(text(pod, "/metadata/namespace")).or_default().push(engine);
            }
        }
        for (namespace, engines) in engines {
            let Load { waiting, running, kv_cache, latencies } =
                lock(self.shared).loads.get(namespace).copied().unwrap_or_default();
            let count = f64::from(u32::try_from(engines.len()).unwrap_or(u32::MAX));
            let share = Load {
                waiting: waiting / count,
                running: running / count,
                kv_cache: (kv_cache / count).min(1.0),
                latencies,
            };
            for engine in engines {
                engine.bears(share);
            }
        }
    }

    async fn lead_services(&self, pods: &[Value]) -> Result<()> {
        let cluster = &self.control_plane.cluster;
        for service in cluster.list("v1", "Service", "").await? {
            let Some(selector) = service.pointer("/spec/selector").and_then(Value::as_object) else {
                continue;
            };
            let selected = pods.iter().filter(|pod| {
                text(pod, "/metadata/namespace") == text(&service, "/metadata/namespace")
                    && selector.iter().all(|(label, value)| {
                        pod.pointer("/metadata/labels").and_then(|labels| labels.get(label)) == Some(value)
                    })
            });
            let hidden = lock(self.shared).hidden.contains(&(
                text(&service, "/metadata/namespace").to_owned(),
                text(&service, "/metadata/name").to_owned(),
            ));
            write_slice(cluster, &self.slice(&service, selected, hidden)).await?;
        }
        Ok(())
    }

    /// As the controller writes it (Kubernetes 1.35, `endpointslice/utils.go`), but for the two that are not the pod's:
    /// its address, and a picker's port.
    fn slice<'a>(&self, service: &Value, pods: impl Iterator<Item = &'a Value>, hidden: bool) -> Value {
        let mut endpoints = Vec::new();
        // By name of the Service's port. Pods of one Service are alike.
        let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
        let ports = service.pointer("/spec/ports").and_then(Value::as_array).cloned().unwrap_or_default();
        for pod in pods {
            let Some(running) = self.running.get(text(pod, "/metadata/uid")).filter(|it| it.is_ready) else {
                continue;
            };
            let address = match &running.process {
                Process::Engine(engine) => engine.address.to_string(),
                Process::Picker(picker) => picker.address.ip().to_string(),
            };
            for port in &ports {
                let Some(number) = target_port(pod, port) else { continue };
                let moved = match &running.process {
                    Process::Engine(_) => None,
                    Process::Picker(picker) => picker.at(number).map(|address| u64::from(address.port())),
                };
                numbers.insert(text(port, "/name"), moved.unwrap_or(number));
            }
            endpoints.push(json!({
                "addresses": [on_the_network(&address)],
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {
                    "kind": "Pod", "name": text(pod, "/metadata/name"),
                    "namespace": text(pod, "/metadata/namespace"), "uid": text(pod, "/metadata/uid"),
                },
            }));
        }
        let ports = ports.iter().map(|port| {
            let number = numbers.get(text(port, "/name")).copied().filter(|_| !hidden).unwrap_or(NOWHERE);
            json!({"name": text(port, "/name"), "protocol": text(port, "/protocol"), "port": number})
        });
        let name = text(service, "/metadata/name");
        let mut labels = service.pointer("/metadata/labels").cloned().unwrap_or_else(|| json!({}));
        if let Some(labels) = labels.as_object_mut() {
            labels.insert("kubernetes.io/service-name".to_owned(), json!(name));
        }
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": name, "namespace": text(service, "/metadata/namespace"), "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Service", "name": name, "uid": text(service, "/metadata/uid"),
                    "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": ports.collect::<Vec<_>>(),
        })
    }
}

/// The number of a Service's port at a pod, which may say it by name.
fn target_port(pod: &Value, port: &Value) -> Option<u64> {
    let target = port.get("targetPort")?;
    let named = || {
        let ports = pod.pointer("/spec/containers/0/ports").and_then(Value::as_array)?;
        ports.iter().find(|port| port.get("name") == Some(target))?.get("containerPort")?.as_u64()
    };
    target.as_u64().or_else(named)
}

/// Of all that runs here only a picker has a pool.
fn is_picker(pod: &Value) -> bool {
    let args = pod.pointer("/spec/containers/0/args").and_then(Value::as_array).into_iter().flatten();
    args.filter_map(Value::as_str).any(|arg| arg.starts_with("--pool-name"))
}

async fn start_picker(control_plane: &ControlPlane, pod: &Value) -> Result<Picker> {
    let image = text(pod, "/spec/containers/0/image");
    let (_, tool) = PICKERS
        .into_iter()
        .find(|(tag, _)| image.ends_with(tag))
        .with_context(|| format!("{image} is no picker that runs here"))?;
    let config_map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": text(pod, "/spec/volumes/0/configMap/name"),
            "namespace": text(pod, "/metadata/namespace"),
        },
    });
    let config_map = control_plane.cluster.get(&config_map).await?;
    let config_map = config_map.context("what it mounts is not there yet")?;
    Picker::run(control_plane, &tool.path()?, pod, &config_map).await
}

async fn write_slice(cluster: &Cluster, slice: &Value) -> Result<()> {
    let live = cluster.get(slice).await?.unwrap_or_default();
    let same = |pointer: &str| live.pointer(pointer) == slice.pointer(pointer);
    if ["/endpoints", "/ports", "/metadata/labels"].into_iter().all(same) {
        return Ok(());
    }
    cluster.apply(slice, MANAGER).await.map(drop).with_context(|| describe(slice))
}
