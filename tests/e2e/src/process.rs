//! Child processes: every wait is bounded, and nothing outlives the value that stands for it, nor this process.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};
use wait_timeout::ChildExt;

/// How often a condition is asked for while something starts.
const POLL: Duration = Duration::from_millis(50);

/// How much of a log goes into an error: enough for a stack trace, short enough to read.
const TAIL_LINES: usize = 40;

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

impl Finished {
    /// The standard output of a command that had to succeed.
    pub fn success(self, what: &str) -> Result<String> {
        if !self.status.success() {
            bail!("{what} ended with {}:\n{}", self.status, tail(&self.stderr));
        }
        Ok(self.stdout)
    }
}

/// Runs a command to its end, or kills it when the limit is over.
///
/// Output goes through files: a pipe would stay open, and reading it would block, for as long as a grandchild
/// lives that survived the kill.
pub fn run(command: &mut Command, limit: Duration) -> Result<Finished> {
    let line = describe(command);
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;

    let Some(status) = child.wait_timeout(limit)? else {
        end(&mut child);
        let output = read_back(stdout)? + &read_back(stderr)?;
        bail!("`{line}` did not end within {limit:?}:\n{}", tail(&output));
    };
    Ok(Finished { status, stdout: read_back(stdout)?, stderr: read_back(stderr)? })
}

/// Waits until its standard input closes, then ends the process group it is told.
///
/// The other end of that input is held by us alone, and the kernel closes it however we end: also by Ctrl-C, which a
/// test does not survive to clean up after, and by a kill that nothing survives.
const WATCHDOG: &str = r#"read -r _; kill -s KILL -- "-$0""#;

/// A server in the background, in a process group of its own. Killed with its group when dropped, or when this
/// process ends in any way.
#[derive(Debug)]
pub struct Server {
    line: String,
    child: Child,
    watchdog: Child,
    log: PathBuf,
}

impl Server {
    /// Starts the command; its output goes to `log`, which is written anew.
    pub fn start(command: &mut Command, log: PathBuf) -> Result<Self> {
        let line = describe(command);
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{line}`"))?;
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C reaches the group of the terminal; the watchdog has to outlive it.
            .process_group(0)
            .spawn();
        match watchdog {
            Ok(watchdog) => Ok(Self { line, child, watchdog, log }),
            Err(error) => {
                end_group(&mut child);
                Err(error).context("cannot start `sh`")
            }
        }
    }

    /// An error with the end of its log, if it is no longer running.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("`{}` ended with {status}:\n{}", self.line, self.log_tail());
        }
        Ok(())
    }

    /// Waits for a condition, and no longer than the process lives or the limit allows.
    pub fn wait_until(&mut self, what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.wait_timeout(POLL)? {
                bail!("`{}` ended with {status} before {what}:\n{}", self.line, self.log_tail());
            }
            if holds() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("`{}`: not {what} within {limit:?}:\n{}", self.line, self.log_tail());
            }
        }
    }

    /// All that it wrote.
    pub fn log(&self) -> Result<String> {
        std::fs::read_to_string(&self.log).with_context(|| format!("cannot read {}", self.log.display()))
    }

    /// The last lines it wrote.
    pub fn log_tail(&self) -> String {
        std::fs::read_to_string(&self.log).map_or_else(|error| error.to_string(), |log| tail(&log))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The watchdog first: it must not be there any more when the group's number may be given to others.
        end(&mut self.watchdog);
        end_group(&mut self.child);
    }
}

/// The command as a person would type it.
pub fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ");
    match command.get_current_dir() {
        Some(dir) => format!("cd {} && {line}", quoted(&dir.to_string_lossy())),
        None => line,
    }
}

/// The end of a log.
pub fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.trim_end().lines().collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    let shown = lines.iter().skip(skipped).copied().collect::<Vec<_>>().join("\n");
    if skipped == 0 { shown } else { format!("({skipped} lines left out)\n{shown}") }
}

/// Writes a log where a person can find it after a failure.
pub fn keep_log(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Ends and reaps a child. A child that is gone already is what was asked for.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Ends a child and everything in the group that it leads, and reaps it.
fn end_group(child: &mut Child) {
    let _ = rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

fn read_back(mut file: File) -> Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A word as a shell has to be given it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_command_that_hangs_is_killed_and_its_output_told() {
        let started = Instant::now();
        let error = run(&mut shell("echo working; echo stuck >&2; exec sleep 600"), Duration::from_secs(3))
            .unwrap_err();
        assert!(error.to_string().contains("did not end within 3s:\nworking\nstuck"), "{error}");
        assert!(started.elapsed() < Duration::from_mins(1), "the limit did not hold");
    }

    #[test]
    fn a_failing_command_tells_how_it_ended() {
        let error = run(&mut shell("echo broken >&2; exit 3"), Duration::from_secs(30))
            .unwrap()
            .success("the thing")
            .unwrap_err();
        assert_eq!(error.to_string(), "the thing ended with exit status: 3:\nbroken");
    }

    #[test]
    fn a_server_does_not_outlive_its_value() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        let script = format!("echo $$ > {}; exec sleep 600", pid_file.display());
        let mut server = Server::start(&mut shell(&script), dir.path().join("log")).unwrap();
        let mut pid = String::new();
        server
            .wait_until("its pid is written", Duration::from_secs(30), || {
                pid = std::fs::read_to_string(&pid_file).unwrap_or_default().trim().to_owned();
                !pid.is_empty()
            })
            .unwrap();

        let alive =
            || run(&mut shell(&format!("kill -0 {pid}")), Duration::from_secs(30)).unwrap().status.success();
        assert!(alive());
        drop(server);
        assert!(!alive());
    }

    #[test]
    fn a_server_and_what_it_started_end_with_this_process() {
        let dir = tempfile::tempdir().unwrap();
        let mut server =
            Server::start(&mut shell("sleep 600 & echo $!; wait"), dir.path().join("log")).unwrap();
        let mut grandchild = String::new();
        server
            .wait_until("the grandchild's pid is written", Duration::from_secs(30), || {
                grandchild = std::fs::read_to_string(dir.path().join("log")).unwrap().trim().to_owned();
                !grandchild.is_empty()
            })
            .unwrap();

        // What the kernel does when this process is gone.
        drop(server.watchdog.stdin.take());
        let ended = server.child.wait_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(ended.and_then(|status| status.signal()), Some(9));
        // A signal is one thing, and the end of who gets it another, which comes when that has its turn.
        let begun = Instant::now();
        loop {
            let state = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z ") {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "the grandchild lives: {state}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_server_that_ends_early_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut server =
            Server::start(&mut shell("echo cannot listen; exit 1"), dir.path().join("log")).unwrap();
        let error = server.wait_until("ready", Duration::from_mins(1), || false).unwrap_err().to_string();
        assert!(error.contains("ended with exit status: 1 before ready:\ncannot listen"), "{error}");
    }
}
