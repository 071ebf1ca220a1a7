//! Stands in for the controllers of a cluster where models run, which would need pods.
//!
//! What is done here is what the real ones are known to do, traps included, where it matters for what we emit:
//!
//! - [`vllm_operator`]: the operator of vllm-project/production-stack.
//! - [`deployments`]: the Deployment controller of Kubernetes, and a kubelet whose pods start when they may.
//! - [`keda`]: the status of a `ScaledObject` all of whose triggers can be read.
//! - [`gateways`]: an implementation of Gateway API and `InferencePool` that accepts all that leads to a Gateway.

mod deployments;
mod gateways;
mod keda;
mod vllm_operator;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::cluster::{Cluster, describe, is_missing};
use super::wait::{Look, until};
pub use vllm_operator::Release as VllmOperator;

/// When everything happened, where nobody reads it.
const EPOCH: &str = "2026-01-01T00:00:00Z";

/// How long it rests between two rounds.
const REST: Duration = Duration::from_millis(300);

/// A round takes well under a second on an idle machine.
const ROUNDS_LIMIT: Duration = Duration::from_mins(2);

/// Which controllers are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cast {
    /// All of them.
    #[default]
    Everybody,
    /// But for the Deployment controller and KEDA: the real ones run.
    AllButScaling,
}

/// Plays the controllers of one cluster, in the background, until it is dropped.
#[derive(Debug)]
pub struct StandIn {
    task: JoinHandle<()>,
    shared: Arc<Mutex<Shared>>,
}

/// What the background and its owner tell each other.
#[derive(Debug, Default)]
struct Shared {
    orders: Orders,
    /// What went wrong in the latest round.
    trouble: Vec<String>,
    rounds: u64,
}

/// What shall not go well.
#[derive(Debug, Clone, Default)]
struct Orders {
    /// Namespaces whose pods do not start.
    held: BTreeSet<String>,
    /// By object: fields of its status that are said to be otherwise.
    spoilt: BTreeMap<String, Value>,
}

impl Orders {
    /// What is said of an object.
    fn status(&self, object: &Value, mut status: Value) -> Value {
        if let (Some(fields), Some(Value::Object(spoilt))) =
            (status.as_object_mut(), self.spoilt.get(&describe(object)))
        {
            fields.extend(spoilt.clone());
        }
        status
    }
}

impl Shared {
    fn round_is_over(&mut self, trouble: Vec<String>) {
        self.trouble = trouble;
        self.rounds += 1;
    }
}

impl StandIn {
    /// Starts playing. The cluster may serve all of the kinds or a few of them.
    pub fn start(cluster: &Cluster, vllm_operator: VllmOperator, cast: Cast) -> Self {
        let shared = Arc::default();
        let operator = vllm_operator::Operator::new(vllm_operator);
        let mut round = Round { cluster: cluster.clone(), operator, cast };
        let told = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            loop {
                let orders = lock(&told).orders.clone();
                let trouble = round.play(&orders).await;
                lock(&told).round_is_over(trouble);
                tokio::time::sleep(REST).await;
            }
        });
        Self { task, shared }
    }

    /// Lets no pod of a namespace run: what it has is gone, what it gets stays pending.
    pub fn hold_pods(&self, namespace: &str) {
        lock(&self.shared).orders.held.insert(namespace.to_owned());
    }

    /// Lets the pods of a namespace run again.
    pub fn start_pods(&self, namespace: &str) {
        lock(&self.shared).orders.held.remove(namespace);
    }

    /// Has fields of an object's status say something else from now on. A null is a field that is not to be there.
    pub fn spoil(&self, object: &Value, status: &Value) {
        lock(&self.shared).orders.spoilt.insert(describe(object), status.clone());
    }

    /// Says of an object what is so.
    pub fn mend(&self, object: &Value) {
        lock(&self.shared).orders.spoilt.remove(&describe(object));
    }

    /// What went wrong in the latest round. It is tried again in the next.
    pub fn trouble(&self) -> Vec<String> {
        lock(&self.shared).trouble.clone()
    }

    /// Waits until everything that is there has been looked at that often, from start to end.
    pub async fn rounds(&self, count: u64) -> Result<()> {
        let count_rounds = || lock(&self.shared).rounds;
        // The one that is under way may have passed what the caller did a moment before.
        let goal = count_rounds() + 1 + count;
        until(&format!("{count} rounds of the stand-in"), ROUNDS_LIMIT, async || {
            let rounds = count_rounds();
            Ok(if rounds >= goal { Look::Ok(()) } else { Look::Err(format!("{rounds} of {goal}")) })
        })
        .await
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is shared is whole at any time, so a thread that panicked while it held the lock spoilt nothing.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is remembered from round to round.
struct Round {
    cluster: Cluster,
    operator: vllm_operator::Operator,
    cast: Cast,
}

impl Round {
    /// Every controller looks at everything once. What one cannot do keeps no other from its work.
    async fn play(&mut self, orders: &Orders) -> Vec<String> {
        let mut outcomes = vec![
            gateways::play(&self.cluster, orders).await.context("Gateway"),
            self.operator.play(&self.cluster).await.context("vLLM operator"),
        ];
        if self.cast == Cast::Everybody {
            outcomes.push(deployments::play(&self.cluster, orders).await.context("Deployment controller"));
            outcomes.push(keda::play(&self.cluster, orders).await.context("KEDA"));
        }
        outcomes.into_iter().filter_map(|outcome| Some(format!("{:#}", outcome.err()?))).collect()
    }
}

/// All objects of a kind; none where the kind is not served.
async fn all(cluster: &Cluster, api_version: &str, kind: &str) -> Result<Vec<Value>> {
    match cluster.list(api_version, kind, "").await {
        Err(error) if is_missing(&error) => Ok(Vec::new()),
        outcome => outcome,
    }
}

/// Writes a status unless it is there. A null is a field that is not to be there.
async fn tell(cluster: &Cluster, object: &Value, status: &Value) -> Result<()> {
    if object.get("status").is_some_and(|live| says(live, status)) {
        return Ok(());
    }
    match cluster.set_status(object, status).await {
        // Gone in between.
        Err(error) if is_missing(&error) => Ok(()),
        outcome => outcome.with_context(|| describe(object)),
    }
}

/// Whether a live value has all that is wanted of it.
fn says(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(field, wanted)| live.get(field).map_or(wanted.is_null(), |live| says(live, wanted))),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| says(live, wanted))
        }
        _ => live == wanted,
    }
}

/// Go leaves a count of zero out.
fn count(number: u64) -> Value {
    if number == 0 { Value::Null } else { json!(number) }
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_there_when_it_says_all_that_is_wanted() {
        let live = json!({"replicas": 2, "conditions": [{"type": "Ready", "more": 1}]});
        let cases = [
            (json!({"replicas": 2}), true, "more than is wanted does not matter"),
            (json!({"replicas": 3}), false, "another value"),
            (json!({"replicas": null}), false, "it shall not be there"),
            (json!({"available": null}), true, "and it is not"),
            (json!({"conditions": [{"type": "Ready"}]}), true, "inside a list too"),
            (json!({"conditions": []}), false, "a list is wanted whole"),
        ];
        for (wanted, want, reason) in cases {
            assert_eq!(says(&live, &wanted), want, "{reason}");
        }
    }
}
