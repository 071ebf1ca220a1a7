//! A server in a process of its own, and what the kernel says it has used.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

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
    /// User and system time of its threads.
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
        let status = read("status")?;
        // The kernel counts these in nanoseconds, and the times of a whole process in hundredths of a second. A thread
        // that ends takes its time with it: these servers' threads stay.
        let mut cpu = Duration::ZERO;
        for thread in std::fs::read_dir(dir.join("task"))? {
            let schedstat = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            cpu += time_running(&schedstat).context("/proc/…/task/…/schedstat has no time")?;
        }
        Ok(Used {
            cpu,
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

/// The first number of a thread's schedstat (Linux, Documentation/scheduler/sched-stats.rst).
fn time_running(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
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
        assert_eq!(time_running("2000000000 2496649 1\n"), Some(Duration::from_secs(2)));
        assert_eq!(memory("Name:\tx\nVmRSS:\t    1024 kB\n", "VmRSS:"), Some(1024 * 1024));
    }
}
