//! Where the playground's files are, and who runs it.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, getpid};

use crate::workspace;

/// How often is asked whether the lock is free.
const POLL: Duration = Duration::from_millis(50);

/// Longer than anybody who only looks holds the lock, or a server that took it needs to say who it is.
const MOMENT: Duration = Duration::from_secs(5);

/// The files that are the same from one start to the next, so that a shell may keep pointing at them.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    lock: PathBuf,
}

impl Place {
    /// Where they are in this repository.
    pub fn find() -> Result<Self> {
        Ok(Self::beside(&workspace::cache()?))
    }

    fn beside(cache: &Path) -> Self {
        Self { dir: cache.join("playground"), lock: cache.join("playground.lock") }
    }

    /// The folder, which is there while the playground runs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The way in.
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The folder of the programs that a person needs.
    pub fn programs(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// The process that runs it, if one does.
    pub fn server(&self) -> Result<Option<Pid>> {
        let deadline = Instant::now() + MOMENT;
        loop {
            if self.try_lock()?.is_some() {
                return Ok(None);
            }
            let told = std::fs::read_to_string(&self.lock).unwrap_or_default();
            if let Some(pid) = told.trim().parse().ok().and_then(Pid::from_raw) {
                return Ok(Some(pid));
            }
            if Instant::now() > deadline {
                bail!("{} is locked, and does not say by which process", self.lock.display());
            }
            thread::sleep(POLL);
        }
    }

    /// Waits until nothing runs.
    pub(super) fn is_free_within(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            match self.try_lock() {
                Ok(Some(_)) => return true,
                _ if Instant::now() > deadline => return false,
                _ => thread::sleep(POLL),
            }
        }
    }

    /// Becomes the process that runs it, for as long as the file is kept.
    pub(super) fn take(&self) -> Result<File> {
        let deadline = Instant::now() + MOMENT;
        loop {
            if let Some(mut lock) = self.try_lock()? {
                lock.set_len(0)?;
                write!(lock, "{}", getpid())?;
                return Ok(lock);
            }
            if Instant::now() > deadline {
                bail!("another playground was started meanwhile");
            }
            thread::sleep(POLL);
        }
    }

    /// Puts everything there, for nobody else's eyes: the way in is an administrator's.
    pub(super) fn fill(&self, kubeconfig: &Path, programs: &[(&str, PathBuf)]) -> Result<()> {
        // What one that was killed left would be in the way.
        self.clear()?;
        let fill = || {
            DirBuilder::new().mode(0o700).create(&self.dir)?;
            std::fs::create_dir(self.programs())?;
            for (name, program) in programs {
                symlink(program, self.programs().join(name))?;
            }
            std::fs::copy(kubeconfig, self.kubeconfig()).map(drop)
        };
        fill().with_context(|| format!("cannot fill {}", self.dir.display()))
    }

    /// Removes all files but the lock, which others may be waiting for.
    pub(super) fn clear(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.dir.display()))
            }
            _ => Ok(()),
        }
    }

    fn try_lock(&self) -> Result<Option<File>> {
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        let file =
            options.open(&self.lock).with_context(|| format!("cannot open {}", self.lock.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", self.lock.display()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_lock_tells_who_runs_it_and_that_nobody_does() {
        let cache = tempfile::tempdir().unwrap();
        let place = Place::beside(cache.path());
        assert_eq!(place.server().unwrap(), None);

        let lock = place.take().unwrap();
        assert_eq!(place.server().unwrap(), Some(getpid()));
        assert!(!place.is_free_within(Duration::ZERO));

        drop(lock);
        assert_eq!(place.server().unwrap(), None, "what the file still says counts only while it is locked");
        assert!(place.is_free_within(Duration::ZERO));
    }

    #[test]
    fn it_is_filled_for_one_person_and_cleared_whatever_is_there() {
        let cache = tempfile::tempdir().unwrap();
        let place = Place::beside(cache.path());
        let kubeconfig = cache.path().join("admin");
        std::fs::write(&kubeconfig, "way in").unwrap();
        let kubectl = PathBuf::from("/somewhere/kubectl");
        for _ in ["the first", "one after a kill"] {
            place.fill(&kubeconfig, &[("kubectl", kubectl.clone())]).unwrap();
        }
        assert_eq!(std::fs::read_to_string(place.kubeconfig()).unwrap(), "way in");
        assert_eq!(std::fs::read_link(place.programs().join("kubectl")).unwrap(), kubectl);
        assert_eq!(place.dir().metadata().unwrap().permissions().mode() & 0o777, 0o700);

        place.clear().unwrap();
        assert!(!place.dir().exists());
        place.clear().unwrap();
    }
}
