//! A server in a process of its own, and what the kernel says it has used.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Clock ticks per second in `/proc`: what Linux tells programs on every architecture that Rust builds for.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server listens within milliseconds; this is for a machine that does much else.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running server. It ends when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From exec to the first accepted connection.
    pub listening_after: Duration,
}

/// What a process has used.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    /// User and system time of all its threads, gone ones included.
    pub cpu: Duration,
    /// Resident memory at this moment, in bytes.
    pub resident: u64,
    /// The most there ever was.
    pub peak: u64,
    /// How many files and sockets are open.
    pub files: usize,
}

impl Server {
    /// Starts a command that is told the address it shall listen at.
    pub fn start(command: impl Fn(SocketAddr) -> Command) -> Result<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let started = Instant::now();
        let mut command = command(address);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self { child, address, listening_after: Duration::ZERO };
        while TcpStream::connect(address).is_err() {
            ensure!(server.child.try_wait()?.is_none(), "{command:?} ended before it listened");
            ensure!(started.elapsed() < START_LIMIT, "{command:?} does not listen within {START_LIMIT:?}");
            std::thread::sleep(Duration::from_micros(100));
        }
        server.listening_after = started.elapsed();
        Ok(server)
    }

    /// What it has used so far.
    pub fn used(&self) -> Result<Used> {
        let dir = Path::new("/proc").join(self.child.id().to_string());
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let (stat, status) = (read("stat")?, read("status")?);
        Ok(Used {
            cpu: cpu(&stat).context("/proc/…/stat has no times")?,
            resident: memory(&status, "VmRSS:").context("/proc/…/status has no VmRSS")?,
            peak: memory(&status, "VmHWM:").context("/proc/…/status has no VmHWM")?,
            files: std::fs::read_dir(dir.join("fd"))?.count(),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Fields 14 and 15 of proc(5)'s stat; the second field, the name, may hold spaces, and ends with a bracket.
fn cpu(stat: &str) -> Option<Duration> {
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some(Duration::from_secs_f64((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND))
}

fn memory(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_memory_are_read_as_the_kernel_writes_them() {
        let stat = "42 (a (b) c) S 1 1 1 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 4 0 1 1 1";
        assert_eq!(cpu(stat), Some(Duration::from_secs(2)));
        assert_eq!(memory("Name:\tx\nVmRSS:\t    1024 kB\n", "VmRSS:"), Some(1024 * 1024));
    }
}
