//! Where a run keeps its data, certificates and logs, and how the next run tidies up after one that was killed.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::workspace;

/// The folder of all of them.
const RUNS: &str = "run";

/// Held by the run for as long as it lives: the kernel lets go of it however the run ends.
const LOCK: &str = "lock";

/// A directory that is gone when the run is over. Its logs are kept, under `target/e2e/logs`.
#[derive(Debug)]
pub struct RunDir {
    dir: TempDir,
    logs: PathBuf,
    _lock: File,
}

impl RunDir {
    /// Makes one, and removes those of runs that could not do so themselves.
    pub fn create(name: &str) -> Result<Self> {
        let cache = workspace::cache()?;
        Self::create_in(&cache.join(RUNS), cache.join("logs").join(name))
    }

    fn create_in(runs: &Path, logs: PathBuf) -> Result<Self> {
        let _gate = sweep(runs)?;
        let dir = tempfile::Builder::new().prefix("run-").tempdir_in(runs)?;
        let lock = File::create(dir.path().join(LOCK))?;
        lock.lock().with_context(|| format!("cannot lock {}", dir.path().display()))?;
        Ok(Self { dir, logs, _lock: lock })
    }

    /// A path inside.
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        // Best effort: a log that cannot be kept must not hide why the run failed.
        let _ = keep_logs(self.dir.path(), &self.logs);
    }
}

fn keep_logs(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        if let (Some("log"), Some(name)) = (path.extension().and_then(|e| e.to_str()), path.file_name()) {
            std::fs::rename(&path, to.join(name))?;
        }
    }
    Ok(())
}

/// Removes what runs left behind that were killed.
pub fn tidy() -> Result<()> {
    sweep(&workspace::cache()?.join(RUNS)).map(drop)
}

/// Removes the directories whose lock nobody holds. Their servers are gone, or just going: each ends with the run
/// that started it, and may write a last file while we remove the others; then the next run removes the rest.
///
/// No directory is made while the returned file is open: one exists for a moment before it is locked, and nobody may
/// look at it then.
fn sweep(runs: &Path) -> Result<File> {
    std::fs::create_dir_all(runs).with_context(|| format!("cannot create {}", runs.display()))?;
    let gate = File::create(runs.join(LOCK))?;
    gate.lock().with_context(|| format!("cannot lock {}", runs.display()))?;
    for entry in std::fs::read_dir(runs)? {
        let dir = entry?.path();
        if !dir.is_dir() {
            continue;
        }
        let abandoned = match File::open(dir.join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(_) => true,
        };
        if abandoned {
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
    Ok(gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_is_in_use_is_not() {
        let base = tempfile::tempdir().unwrap();
        let (runs, logs) = (base.path().join("run"), base.path().join("logs"));
        let running = RunDir::create_in(&runs, logs.clone()).unwrap();
        let left_behind = runs.join("run-killed");
        std::fs::create_dir(&left_behind).unwrap();
        File::create(left_behind.join(LOCK)).unwrap();

        let next = RunDir::create_in(&runs, logs).unwrap();
        assert!(!left_behind.exists());
        assert!(running.join(LOCK).exists() && next.join(LOCK).exists());
    }

    #[test]
    fn logs_outlive_the_run() {
        let base = tempfile::tempdir().unwrap();
        let logs = base.path().join("logs");
        let run = RunDir::create_in(&base.path().join("run"), logs.clone()).unwrap();
        std::fs::write(run.join("etcd.log"), "ready").unwrap();
        let inside = run.join("etcd.log");
        drop(run);
        assert!(!inside.exists());
        assert_eq!(std::fs::read_to_string(logs.join("etcd.log")).unwrap(), "ready");
    }
}
