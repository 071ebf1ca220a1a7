//! Model servers with a queue, and the series that they have.

use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::Regex;

/// Requests that an engine takes beyond those that it works on before the picker, where it holds any, keeps the rest:
/// the saturation detector's default (gateway-api-inference-extension v1.3.1, `queueDepthThreshold`).
const ENGINE_QUEUE: f64 = 5.0;

/// Seconds after which nobody waits any more: a route's timeout, with a cold start of ten minutes.
const PATIENCE: f64 = 900.0;

/// What one replica can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replica {
    /// Requests that it works on at once. Then its cache is full.
    pub(crate) slots: f64,
    /// Seconds that a request takes.
    pub(crate) service: f64,
    /// Seconds from nothing to ready.
    pub(crate) start: u32,
}

/// A pool of them, as a fluid: requests come and go by rates.
#[derive(Debug)]
pub(crate) struct Pool {
    replica: Replica,
    /// Whether a picker holds what the engines have no place for.
    picker_holds: bool,
    ready: u32,
    /// When each will be ready.
    starting: VecDeque<u32>,
    /// Requests that are not answered yet.
    pub(crate) requests: f64,
}

impl Pool {
    /// So many replicas without a request.
    pub(crate) fn new(replica: Replica, picker_holds: bool, ready: u32) -> Self {
        Self { replica, picker_holds, ready, starting: VecDeque::new(), requests: 0.0 }
    }

    pub(crate) fn ready(&self) -> u32 {
        self.ready
    }

    /// A second passes.
    pub(crate) fn pass(&mut self, now: u32, wanted: u32, arrivals: f64) {
        while self.starting.front().is_some_and(|at| *at <= now) {
            self.starting.pop_front();
            self.ready += 1;
        }
        while self.count() < wanted {
            self.starting.push_back(now + self.replica.start);
        }
        // Those that are not ready go first (Kubernetes 1.35, `pkg/controller/controller_utils.go`, `ActivePods`).
        while self.count() > wanted {
            if self.starting.pop_back().is_none() {
                self.ready -= 1;
            }
        }
        let answered = self.running() / self.replica.service;
        let requests = (self.requests + arrivals - answered).max(0.0);
        let capacity = f64::from(self.ready) * self.replica.slots;
        self.requests = requests.min(capacity * (1.0 + PATIENCE / self.replica.service));
    }

    fn count(&self) -> u32 {
        self.ready + u32::try_from(self.starting.len()).unwrap()
    }

    fn running(&self) -> f64 {
        self.requests.min(f64::from(self.ready) * self.replica.slots)
    }

    /// What each query would read.
    pub(crate) fn series(&self) -> Series {
        let ready = f64::from(self.ready);
        let running = self.running();
        let beyond = self.requests - running;
        let waiting = if self.picker_holds { beyond.min(ready * ENGINE_QUEUE) } else { beyond };
        let cache = running / self.replica.slots;
        Series { replicas: ready, running, waiting, cache, held: beyond - waiting }
    }
}

/// Sums over all replicas.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Series {
    pub(crate) replicas: f64,
    pub(crate) running: f64,
    pub(crate) waiting: f64,
    pub(crate) cache: f64,
    pub(crate) held: f64,
}

impl Series {
    /// What a query reads. What it reads where there is nothing is asked of Prometheus itself, in `tests/e2e`.
    pub(crate) fn read(&self, query: &str) -> f64 {
        static AGGREGATE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^(sum|avg|max)\(([a-z_:]+)\{").unwrap());
        let found = AGGREGATE.captures(query).unwrap_or_else(|| panic!("no engine or picker has {query}"));
        let sum = match &found[2] {
            "vllm:num_requests_waiting" => self.waiting,
            "vllm:kv_cache_usage_perc" => self.cache,
            queue if queue.ends_with("flow_control_queue_size") => return self.held,
            running if running.ends_with("_running_requests") || running.ends_with("_request_running") => {
                return self.running + self.waiting;
            }
            other => panic!("no engine or picker has {other}"),
        };
        match &found[1] {
            "sum" => sum,
            // The load is spread evenly.
            _ => sum / self.replicas.max(1.0),
        }
    }
}
