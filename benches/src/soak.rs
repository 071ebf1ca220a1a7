//! Many minutes of everything that may come in, and what the process holds meanwhile.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::load::Caller;
use crate::measure::Contender;
use crate::process::Server;
use crate::table;
use crate::workload::Workload;

/// How often the process is looked at.
const LOOKS: u32 = 20;

/// Callers of each kind.
const CALLERS: usize = 4;

/// How many models there are: more than are remembered.
const MODELS: usize = 2_000;

/// How much more there may be in the last third than in the one before: what an allocator keeps moves about.
const GROWTH: f64 = 1.1;

/// What may come in.
#[derive(Debug, Clone, Copy)]
enum Load {
    /// A stack at rest.
    Base,
    /// One of many models, each at rest.
    Models,
    /// The same among 3 MiB of others' state.
    Neighbours,
    /// Bytes that are no request.
    Damaged,
    /// Calls that are given up at once.
    GivenUp,
    /// A connection for each call.
    Connections,
}

impl Load {
    const ALL: [Self; 6] =
        [Self::Base, Self::Models, Self::Neighbours, Self::Damaged, Self::GivenUp, Self::Connections];
}

/// What the load is made of.
struct Requests {
    base: Bytes,
    models: Vec<Bytes>,
    neighbours: Bytes,
    damaged: Bytes,
}

/// Loads the server for so long, and tells what it held. Fails when memory grows, or a call fails that should not.
pub async fn soak(contender: &Contender<'_>, length: Duration) -> Result<String> {
    let workload = Workload::base()?;
    let base = workload.wire();
    let requests = Arc::new(Requests {
        // Cut off in the middle of a field.
        damaged: base.slice(..base.len() / 2),
        base,
        models: (0..MODELS).map(|number| workload.wire_about(number)).collect::<Result<_>>()?,
        neighbours: Workload::with_neighbours(3 << 20, 8 << 10)?.wire(),
    });
    let server = Server::start(&contender.start)?;
    let calls = Arc::new(AtomicU64::new(0));
    let mut callers = JoinSet::new();
    for load in Load::ALL {
        for _ in 0..CALLERS {
            let caller = Caller::connect(server.address).await?;
            callers.spawn(call(load, caller, Arc::clone(&requests), Arc::clone(&calls)));
        }
    }

    let mut text = "| after | calls | resident memory | open files |\n|---|---|---|---|\n".to_owned();
    let started = Instant::now();
    let mut resident = Vec::new();
    for _ in 0..LOOKS {
        tokio::select! {
            () = sleep(length / LOOKS) => {}
            Some(ended) = callers.join_next() => ended??,
        }
        let used = server.used()?;
        resident.push(used.resident);
        let _ = writeln!(
            text,
            "| {} s | {} | {} | {} |",
            started.elapsed().as_secs(),
            calls.load(Ordering::Relaxed),
            table::bytes(used.resident),
            used.files,
        );
    }
    callers.shutdown().await;
    let peak = server.used()?.peak;
    let growth = growth(&resident);
    ensure!(growth < GROWTH, "memory grows, {growth:.2} times from one third to the next:\n{text}");
    let _ = writeln!(
        text,
        "\nAt most {} at any moment; the last third holds {growth:.2} times what the one before it held.",
        table::bytes(peak)
    );
    Ok(text)
}

/// The mean of the last third, of that of the one before.
fn growth(resident: &[u64]) -> f64 {
    let third = resident.len() / 3;
    let sum = |part: Option<&[u64]>| part.unwrap_or_default().iter().sum::<u64>();
    let last = sum(resident.get(resident.len() - third..));
    let before = sum(resident.get(resident.len() - 2 * third..resident.len() - third));
    #[expect(clippy::cast_precision_loss, reason = "a ratio of some megabytes")]
    let growth = last as f64 / before as f64;
    growth
}

/// Calls until it is aborted.
async fn call(load: Load, caller: Caller, requests: Arc<Requests>, calls: Arc<AtomicU64>) -> Result<()> {
    /// What others need to have a turn, too.
    const PAUSE: Duration = Duration::from_millis(2);
    let mut models = requests.models.iter().cycle();
    loop {
        match load {
            Load::Base => {
                caller.call(requests.base.clone()).await?;
            }
            Load::Models => {
                let model = models.next().context("there are models")?;
                caller.call(model.clone()).await?;
            }
            Load::Neighbours => {
                caller.call(requests.neighbours.clone()).await?;
            }
            Load::Damaged => {
                ensure!(caller.call(requests.damaged.clone()).await.is_err(), "half a request is answered");
            }
            Load::GivenUp => {
                let _ = timeout(Duration::from_micros(500), caller.call(requests.neighbours.clone())).await;
            }
            Load::Connections => {
                caller.again().await?.call(requests.base.clone()).await?;
            }
        }
        calls.fetch_add(1, Ordering::Relaxed);
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_seen_and_a_start_is_not_growth() {
        let grows: Vec<u64> = (1..=20).map(|step| step * 10).collect();
        assert!(growth(&grows) > GROWTH, "{}", growth(&grows));
        let mut flat = vec![100; 20];
        flat[..6].copy_from_slice(&[10, 20, 30, 40, 50, 60]);
        assert!((growth(&flat) - 1.0).abs() < 1e-9);
    }
}
