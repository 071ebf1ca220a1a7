//! Model servers with a queue, and the series that they have.

use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::Regex;

/// Requests that an engine takes beyond those that it works on before the picker, where it holds any, keeps the rest:
/// the saturation detector's default (gateway-api-inference-extension v1.3.1, `queueDepthThreshold`).
const ENGINE_QUEUE: f64 = 5.0;

/// Seconds after which nobody waits any more: a route's timeout, with a cold start of ten minutes.
const PATIENCE: f64 = 900.0;

/// Seconds over which a rate is taken.
const WINDOW: usize = 120;

/// What one replica can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replica {
    /// Requests that it works on at once.
    pub(crate) slots: f64,
    /// How much of its cache they take.
    pub(crate) cache: f64,
    /// Seconds that a request takes.
    pub(crate) service: f64,
    /// Seconds from nothing to ready.
    pub(crate) start: u32,
    /// Milliseconds to the first token, and between tokens, of a request that is alone.
    pub(crate) alone: [f64; 2],
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
    /// What the requests of the last seconds met with: milliseconds to the first token, and between tokens.
    met: VecDeque<[f64; 2]>,
}

impl Pool {
    /// So many replicas without a request.
    pub(crate) fn new(replica: Replica, picker_holds: bool, ready: u32) -> Self {
        Self { replica, picker_holds, ready, starting: VecDeque::new(), requests: 0.0, met: VecDeque::new() }
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
        self.meet(arrivals);
        let answered = self.running() / self.replica.service;
        let requests = (self.requests + arrivals - answered).max(0.0);
        let capacity = f64::from(self.ready) * self.replica.slots;
        self.requests = requests.min(capacity * (1.0 + PATIENCE / self.replica.service));
    }

    /// Prompts hinder each other the more, the busier a replica is, and who waits for a place waits; with each request
    /// more in a batch, every token takes longer.
    fn meet(&mut self, arrivals: f64) {
        let capacity = f64::from(self.ready) * self.replica.slots;
        let busy = (self.running() / capacity).min(1.0);
        let wait = (self.requests - self.running()) / capacity * self.replica.service * 1000.0;
        let [first, next] = self.replica.alone;
        let met = if arrivals > 0.0 {
            [first / (1.0 - 0.9 * busy) + wait, next * (1.0 + 3.0 * busy)]
        } else {
            [0.0; 2]
        };
        self.met.push_back(met);
        if self.met.len() > WINDOW {
            self.met.pop_front();
        }
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
        let cache = running / self.replica.slots * self.replica.cache;
        let latest = |which: usize| {
            let mut met: Vec<f64> = self.met.iter().map(|met| met[which]).filter(|met| *met > 0.0).collect();
            met.sort_by(f64::total_cmp);
            met.get(met.len() * 9 / 10).copied().unwrap_or_default()
        };
        let latencies = [latest(0), latest(1)];
        Series { replicas: ready, running, waiting, cache, held: beyond - waiting, latencies }
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
    /// The ninetieth percentile of what was met with.
    pub(crate) latencies: [f64; 2],
}

impl Series {
    /// What a query reads. What it reads where there is nothing is asked of Prometheus itself, in `tests/e2e`.
    pub(crate) fn read(&self, query: &str) -> f64 {
        static LATENCY: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^1000 \* \(histogram_quantile\(0[.]9, sum by \(le\) \(rate\(([a-z_:]+)_bucket\{")
                .unwrap()
        });
        static FULL: LazyLock<Regex> = LazyLock::new(|| {
            let [cache, running] = ["kv_cache_usage_perc", "num_requests_running"]
                .map(|metric| format!(r"vllm:{metric}\{{[^}}]+\}}"));
            let batch = format!("{running} / ([0-9]+)");
            Regex::new(&format!(
                r"^sum\(clamp_max\({cache} > {batch} and {running} > 0 or {batch}, ([0-9.]+)\)\)"
            ))
            .unwrap()
        });
        static AGGREGATE: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^(sum|avg|max)\(([a-z_:]+)\{").unwrap());
        if let Some(found) = LATENCY.captures(query) {
            return match &found[1] {
                "vllm:time_to_first_token_seconds" => self.latencies[0],
                "vllm:inter_token_latency_seconds" => self.latencies[1],
                other => panic!("no engine has {other}"),
            };
        }
        if let Some(found) = FULL.captures(query) {
            let number = |group: usize| found[group].parse::<f64>().unwrap();
            // The load is spread evenly.
            let full = self.cache.max(self.running / number(1));
            return full.min(self.replicas * number(3));
        }
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
            _ => sum / self.replicas.max(1.0),
        }
    }
}
