//! Rounds of calls against all servers in turn, so that whatever else the machine does meets all of them alike.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;

use crate::load::{Caller, Latencies};
use crate::process::Server;

/// How often each server has its turn. Odd, so that there is a middle one.
const ROUNDS: usize = 5;

/// How often a start is timed. Odd, too.
const STARTS: usize = 21;

/// How many calls warm a server up.
const WARM_UP: usize = 20;

/// At how many calls at a time latencies are taken.
pub const CONCURRENCY: [usize; 2] = [1, 8];

/// Something to measure.
pub struct Contender<'a> {
    /// What it is called in tables.
    pub name: &'static str,
    /// How it is started for an address.
    pub start: Box<dyn Fn(SocketAddr) -> Command + 'a>,
}

/// What came out for one server and one workload.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// The server.
    pub name: &'static str,
    /// CPU time per call, one call at a time, for each round.
    pub cpu: Vec<Duration>,
    /// Latencies, one for each concurrency.
    pub latencies: [Latencies; CONCURRENCY.len()],
    /// Resident before the first call.
    pub idle: u64,
    /// The most that was resident.
    pub peak: u64,
}

impl Measured {
    /// The middle round.
    pub fn cpu_per_call(&self) -> Duration {
        middle(self.cpu.clone())
    }

    /// How much CPU time this takes of what the other takes: the middle of the rounds' ratios.
    pub fn ratio_to(&self, other: &Self) -> f64 {
        let pairs = self.cpu.iter().zip(&other.cpu);
        let ratios = pairs.map(|(own, other)| own.as_secs_f64() / other.as_secs_f64()).collect();
        middle_of(ratios)
    }

    /// How much CPU time this takes beyond the other: the middle of the rounds' differences.
    pub fn above(&self, other: &Self) -> Duration {
        middle(self.cpu.iter().zip(&other.cpu).map(|(own, other)| own.saturating_sub(*other)).collect())
    }
}

/// Calls every server with these requests in turn, `calls` times in each round.
pub async fn measure(
    contenders: &[&Contender<'_>],
    requests: &[Bytes],
    calls: usize,
) -> Result<Vec<Measured>> {
    let mut running = Vec::new();
    for contender in contenders {
        let server = Server::start(&contender.start)?;
        let idle = server.used()?.resident;
        let caller = Caller::connect(server.address).await?;
        caller.calls(requests, WARM_UP, 1).await?;
        let measured = Measured { name: contender.name, idle, ..Measured::default() };
        running.push((server, caller, measured));
    }
    for _ in 0..ROUNDS {
        for (server, caller, measured) in &mut running {
            for (concurrency, latencies) in CONCURRENCY.into_iter().zip(&mut measured.latencies) {
                let before = server.used()?.cpu;
                latencies.add(caller.calls(requests, calls, concurrency).await?);
                let spent = server.used()?.cpu.saturating_sub(before);
                if concurrency == 1 {
                    measured.cpu.push(spent / u32::try_from(calls)?);
                }
            }
        }
    }
    running
        .into_iter()
        .map(|(server, _, measured)| Ok(Measured { peak: server.used()?.peak, ..measured }))
        .collect()
}

/// From exec to the first answer: the middle of some starts.
pub async fn first_answer(contender: &Contender<'_>, request: &Bytes) -> Result<Duration> {
    let mut taken = Vec::new();
    for _ in 0..STARTS {
        let server = Server::start(&contender.start)?;
        let started = std::time::Instant::now();
        Caller::connect(server.address).await?.call(request.clone()).await?;
        taken.push(server.listening_after + started.elapsed());
    }
    Ok(middle(taken))
}

fn middle(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

fn middle_of(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_unstable_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_same_round() {
        let measured =
            |cpu: [u64; 3]| Measured { cpu: cpu.map(Duration::from_millis).to_vec(), ..Measured::default() };
        // The machine was busy in the second round, for both.
        let (own, other) = (measured([1, 10, 1]), measured([2, 20, 2]));
        assert!((own.ratio_to(&other) - 0.5).abs() < 1e-9);
        assert_eq!(own.cpu_per_call(), Duration::from_millis(1));
        assert_eq!(other.above(&own), Duration::from_millis(1));
    }
}
