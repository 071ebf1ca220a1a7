//! `cargo run --release -p benches`: what a call costs, as Markdown.
//!
//! Everything runs on loopback, one server beside the other, and ends by itself after some minutes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use benches::baseline::{self, Baseline};
use benches::measure::{Contender, first_answer, measure};
use benches::table::{self, BYTES, DECODING, FUNCTION};
use benches::workload::Workload;
use benches::{crowd, record, soak};
use clap::{Parser, Subcommand};
use e2e::release;

/// The baselines use what the function uses.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Calls per round for a request of some 50 KB, and for one of some MB: a round takes a second or so.
const CALLS: (usize, usize) = (4000, 200);

/// How much of others' state a request of the second workload holds beside our own.
const NEIGHBOURS: usize = 3 * 1024 * 1024;

/// How much one of them weighs: about as a Deployment with its status and `managedFields` does.
const NEIGHBOUR: usize = 8 * 1024;

/// How long a soak lasts.
const SOAK: Duration = Duration::from_mins(10);

#[derive(Debug, Parser)]
#[command(about = "What a call costs, against two servers that do less")]
struct Arguments {
    /// The binary to measure; without it the static one of the packages, built from this checkout
    #[arg(long, value_name = "FILE")]
    function: Option<PathBuf>,
    /// A hundred large calls at once instead, then ten minutes of mixed load, to see whether memory grows
    #[arg(long)]
    soak: bool,
    /// A tenth of the calls, or of the time: to see that it works
    #[arg(long)]
    quick: bool,
    /// Put what was measured into docs/performance.md, too
    #[arg(long)]
    record: bool,
    #[command(subcommand)]
    command: Option<Internal>,
}

#[derive(Debug, Subcommand)]
enum Internal {
    /// Serves as a baseline, with the answer in a file
    #[command(hide = true)]
    Serve { baseline: Baseline, address: SocketAddr, answer: PathBuf },
}

fn main() -> Result<()> {
    let Arguments { function, soak, quick, record, command } = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Some(Internal::Serve { baseline, address, answer }) = command {
        return runtime.block_on(baseline::serve(baseline, address, std::fs::read(answer)?));
    }
    let function = match function {
        Some(function) => function,
        None => release::static_binary()?,
    };
    let start = Contender { name: FUNCTION, start: Box::new(|address| serving(&function, address)) };
    let fewer = if quick { 10 } else { 1 };
    let tell = |part: &str, text: &str| {
        say(text);
        if record { record::write(part, text) } else { Ok(()) }
    };
    if soak {
        tell(record::CROWD, &runtime.block_on(crowd::crowd(&start))?)?;
        tell(record::SOAK, &runtime.block_on(soak::soak(&start, SOAK / fewer))?)
    } else {
        let size = std::fs::metadata(&function)?.len();
        tell(record::MEASURED, &runtime.block_on(report(&start, size, usize::try_from(fewer)?))?)
    }
}

/// The function's command line; without metrics, of which baselines have none either.
fn serving(function: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(function);
    command.args(["--insecure", "--metrics-address", "", "--address", &address.to_string()]);
    command
}

/// Measures everything but the long run.
async fn report(function: &Contender<'_>, size: u64, fewer: usize) -> Result<String> {
    let base = Workload::base()?;
    // Others' state is handed on, whatever it is: one answer serves all workloads. From a file, since a baseline that
    // rendered it would have taken memory for that.
    let answer = tempfile::NamedTempFile::new()?;
    std::fs::write(answer.path(), base.answer())?;
    let this = std::env::current_exe()?;
    let baseline = |name: &'static str, baseline: &'static str| {
        let (this, answer) = (&this, &answer);
        let start = move |address: SocketAddr| {
            let mut command = Command::new(this);
            command.args(["serve", baseline, &address.to_string()]).arg(answer.path());
            command
        };
        Contender { name, start: Box::new(start) }
    };
    let (bytes, decoding) = (baseline(BYTES, "bytes"), baseline(DECODING, "decoding"));
    let (few, many) = (CALLS.1 / fewer, CALLS.0 / fewer);

    let contenders = [&bytes, function, &decoding];
    let alone = measure(&contenders, &[base.wire()], many).await?;
    let scaled = Workload::scaled()?;
    let changing = measure(&contenders, &[base.wire(), scaled.wire()], many).await?;
    let neighbours = Workload::with_neighbours(NEIGHBOURS, NEIGHBOUR)?;
    let among = measure(&contenders, &[neighbours.wire()], few).await?;
    let started = first_answer(function, &base.wire()).await?;

    let pair = [&bytes, function];
    let (mut sizes, mut numbers, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for quarters in 0..=4 {
        let workload = Workload::with_neighbours(NEIGHBOURS * quarters / 4, NEIGHBOUR)?;
        let calls = if quarters == 0 { many } else { few };
        sizes.push((table::bytes(workload.size()), measure(&pair, &[workload.wire()], calls).await?));
    }
    for neighbour in [64 * 1024, 16 * 1024, 4 * 1024] {
        let workload = Workload::with_neighbours(NEIGHBOURS, neighbour)?;
        let count = (NEIGHBOURS / neighbour).to_string();
        numbers.push((count, measure(&pair, &[workload.wire()], few).await?));
    }
    for managers in [1, 2, 4, 8, 16] {
        let workload = Workload::with_managers(managers)?;
        own.push((table::bytes(workload.size()), measure(&pair, &[workload.wire()], many).await?));
    }
    Ok([
        table::targets(&alone, &changing, &among, started, size),
        table::workload("base", &base, &alone),
        table::chart("base", &alone),
        table::workload("changing", &scaled, &changing),
        table::workload("neighbours", &neighbours, &among),
        table::chart("neighbours", &among),
        table::curve("request, by others' state in it", &sizes),
        table::curve("others' resources, of 3 MiB together", &numbers),
        table::curve("request, by our own observed state in it", &own),
    ]
    .join("\n"))
}

#[expect(clippy::print_stdout, reason = "what was measured is for the person who asked")]
fn say(text: &str) {
    println!("{text}");
}
