//! A hundred large calls at once, and one who asks for little beside them.

use anyhow::{Result, ensure};
use function_inference::server::limits::MEMORY_UNDER_LOAD;

use crate::load::{Caller, Latencies};
use crate::measure::Contender;
use crate::process::Server;
use crate::table;
use crate::workload::Workload;

/// As many calls as Crossplane makes at once, and as much as it takes for an answer.
const CALLERS: usize = 100;
const SIZE: usize = 4 << 20;

/// Calls of each.
const CALLS: usize = 10;

/// What the process may hold.
const BOUND: u64 = MEMORY_UNDER_LOAD as u64;

/// Loads the server, and tells what it held and how long calls took. Fails when one of them does, or when memory exceeds
/// its bound.
pub async fn crowd(contender: &Contender<'_>) -> Result<String> {
    let (large, small) = ([Workload::with_neighbours(SIZE, 8 << 10)?.wire()], [Workload::base()?.wire()]);
    let server = Server::start(&contender.start)?;
    let (callers, beside) = (Caller::connect(server.address).await?, Caller::connect(server.address).await?);
    let alone = beside.calls(&small, CALLS, 1).await?;
    let crowd = tokio::spawn(async move { callers.calls(&large, CALLERS * CALLS, CALLERS).await });
    let mut among = Latencies::default();
    while !crowd.is_finished() {
        among.add(beside.calls(&small, 1, 1).await?);
    }
    let crowd = crowd.await??;
    let peak = server.used()?.peak;
    ensure!(peak <= BOUND, "{} at the most, above {}", table::bytes(peak), table::bytes(BOUND));
    let row = |name: &str, latencies: &Latencies| {
        let [middle, longest] = [0.5, 1.0].map(|share| table::duration(latencies.quantile(share)));
        format!("| {name} | {} | {middle} | {longest} |\n", latencies.count())
    };
    Ok([
        "| calls | number | middle | longest |\n|---|---|---|---|\n".to_owned(),
        row("of 4 MiB, a hundred at a time", &crowd),
        row("at rest, one at a time, meanwhile", &among),
        row("the same, alone", &alone),
        format!("\nAt most {} at any moment; the bound is {}.\n", table::bytes(peak), table::bytes(BOUND)),
    ]
    .concat())
}
