//! `cargo xtask up`: what the README shows is what happens, and nothing stays behind however it ends.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::wait::{Look, until};
use e2e::playground::{self, Place};
use e2e::readme::{self, Step};
use e2e::{process, workspace};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Components from source, where they are not there yet.
const UP_LIMIT: Duration = Duration::from_hours(1);

/// Moments on an idle machine.
const END_LIMIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_is_right_and_nothing_stays_behind() -> Result<()> {
    let place = Place::find()?;
    let running = place.server()?;
    ensure!(running.is_none(), "a playground runs already: end it with `cargo xtask down`");

    let _end = End;
    as_the_readme_says(&place)?;
    ends_with_ctrl_c(&place).await?;
    ends_with_a_kill(&place).await
}

/// What a failed test leaves running.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        // Best effort: why the test failed is what counts.
        let _ = playground::down();
    }
}

/// The README's steps do what it shows. The last is `cargo xtask down`.
fn as_the_readme_says(place: &Place) -> Result<()> {
    let block = readme::blocks("console")?.into_iter().find(|block| block.contains("cargo xtask up"));
    let steps = readme::steps(&block.context("the README does not say `cargo xtask up`")?);
    let (down, before) = steps.split_last().context("the README shows no steps")?;
    ensure!(down.command == "cargo xtask down", "the last step of the README is `{}`", down.command);

    // All in one shell, since the first step changes its environment, with what a person might do twice.
    let mut commands: Vec<&str> = before.iter().map(|step| step.command.as_str()).collect();
    commands.extend(["cargo xtask up", &down.command, &down.command]);
    let marked: Vec<String> = commands.iter().map(|command| format!("echo '{MARK}'\n{command}")).collect();
    let finished = process::run(&mut shell(&marked.join("\n")), UP_LIMIT)?;
    ensure!(finished.status.success(), "{}\n{}", finished.stdout, finished.stderr);

    let outputs: Vec<&str> = finished.stdout.split(&format!("{MARK}\n")).skip(1).collect();
    ensure!(outputs.len() == commands.len(), "not every step was done: {}", finished.stdout);
    let problems = differences(before, &outputs);
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    ensure!(finished.stderr.contains("one runs already"), "the second start says: {}", finished.stderr);
    ensure!(finished.stderr.contains("nothing runs"), "the second end says: {}", finished.stderr);
    ensure!(!place.dir().exists(), "{} is still there", place.dir().display());
    Ok(())
}

/// Before it is ready, whoever started it may change their mind.
async fn ends_with_ctrl_c(place: &Place) -> Result<()> {
    let mut up = shell("exec cargo xtask up").process_group(0).stdout(Stdio::null()).spawn()?;
    let server = until("the server started", UP_LIMIT, async || {
        Ok(place.server()?.ok_or_else(|| "it did not".to_owned()))
    })
    .await?;
    let (family, data) = until("it started etcd", END_LIMIT, async || {
        let family = Family::of(server)?;
        Ok(family.data().map(|data| (family, data)).map_err(|error| error.to_string()))
    })
    .await?;
    kill_process_group(Pid::from_child(&up), Signal::INT)?;
    ensure!(!up.wait()?.success(), "an interrupted start succeeded");
    family.is_gone(place).await?;
    ensure!(!place.dir().exists() && !data.exists(), "an interrupted start leaves {}", data.display());
    Ok(())
}

/// A killed server takes all with it but its files, and those go with `down`.
async fn ends_with_a_kill(place: &Place) -> Result<()> {
    process::run(&mut shell("cargo xtask up"), UP_LIMIT)?.success("cargo xtask up")?;
    let server = place.server()?.context("nothing runs after `cargo xtask up`")?;
    let family = Family::of(server)?;
    // etcd, kube-apiserver, kube-controller-manager, Crossplane, provider-kubernetes and the function, at least.
    ensure!(family.members.len() > 6, "the server has started {family:?}");
    let data = family.data()?;
    kill_process(server, Signal::KILL)?;
    family.is_gone(place).await?;
    process::run(&mut shell("cargo xtask down"), END_LIMIT)?.success("cargo xtask down")?;
    ensure!(
        !place.dir().exists() && !data.exists(),
        "`down` leaves {} or {}",
        place.dir().display(),
        data.display()
    );
    Ok(())
}

/// Between the outputs of two steps.
const MARK: &str = "--- step";

/// A shell at the repository that finds the cargo which runs this test, and stops at the first error.
fn shell(script: &str) -> Command {
    let cargo = Path::new(workspace::CARGO).parent().unwrap_or(Path::new("/"));
    let path = process::quoted(&cargo.to_string_lossy());
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &format!("PATH={path}:\"$PATH\"\n{script}")]);
    command.env_remove("KUBECONFIG").current_dir(workspace::root());
    command
}

/// Where the README shows something else than what was printed.
fn differences(steps: &[Step], outputs: &[&str]) -> Vec<String> {
    let shown = steps.iter().zip(outputs).filter(|(step, _)| !step.output.is_empty());
    let differing = shown.filter(|(step, output)| ageless(&step.output) != ageless(output));
    differing
        .map(|(step, output)| {
            format!("`{}` prints\n{output}and the README shows\n{}", step.command, step.output)
        })
        .collect()
}

/// A table without what depends on the moment: its ages, and the widths of its columns.
fn ageless(table: &str) -> Vec<Vec<String>> {
    let is_age =
        |word: &str| word.starts_with(|c: char| c.is_ascii_digit()) && word.ends_with(['s', 'm', 'h']);
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().filter(|word| !is_age(word)).map(str::to_owned).collect());
    rows.collect()
}

/// A process and all that descend from it, by number and time of birth: numbers are given again.
#[derive(Debug)]
struct Family {
    members: BTreeSet<(i32, String)>,
}

impl Family {
    fn of(ancestor: Pid) -> Result<Self> {
        let mut living = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<i32>() else { continue };
            if let Some((parent, born)) = stat(pid) {
                living.push((pid, parent, born));
            }
        }
        let mut members = BTreeSet::new();
        let mut parents = vec![ancestor.as_raw_nonzero().get()];
        members.extend(
            living
                .iter()
                .filter(|(pid, ..)| parents.contains(pid))
                .map(|(pid, _, born)| (*pid, born.clone())),
        );
        while let Some(parent) = parents.pop() {
            for (pid, _, born) in living.iter().filter(|(_, of, _)| *of == parent) {
                members.insert((*pid, born.clone()));
                parents.push(*pid);
            }
        }
        Ok(Self { members })
    }

    /// Where the control plane keeps its data: etcd is told.
    fn data(&self) -> Result<PathBuf> {
        let lines = self
            .members
            .iter()
            .filter_map(|(pid, _)| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok());
        let etcd = lines.into_iter().find_map(|line| {
            let mut words = line.split('\0').skip_while(|word| *word != "--data-dir");
            words.nth(1).map(PathBuf::from)
        });
        let data = etcd.context("no process is etcd")?;
        ensure!(data.exists(), "{} does not exist", data.display());
        Ok(data.parent().unwrap_or(&data).to_owned())
    }

    async fn is_gone(&self, place: &Place) -> Result<()> {
        until("all processes are gone", END_LIMIT, async || {
            let left: Vec<_> = self
                .members
                .iter()
                .filter(|(pid, born)| stat(*pid).is_some_and(|(_, now)| now == *born))
                .collect();
            Ok(if left.is_empty() && place.server()?.is_none() {
                Look::Ok(())
            } else {
                Look::Err(format!("{left:?}"))
            })
        })
        .await
    }
}

/// The parent of a living process, and when it was born (`proc_pid_stat(5)`).
fn stat(pid: i32) -> Option<(i32, String)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, and may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let born = fields.nth(17)?.to_owned();
    // One that has ended, and whose parent has not looked yet.
    (state != "Z").then_some((parent, born))
}

#[test]
fn a_table_is_the_same_whatever_its_ages_and_widths() {
    let step = |output: &str| Step { command: "kubectl get pods".to_owned(), output: output.to_owned() };
    let printed = ["NAME   READY   AGE\nllama-3   1   2m3s\n"];
    assert_eq!(differences(&[step("NAME READY AGE\nllama-3 1 35s\n")], &printed), Vec::<String>::new());
    assert_eq!(differences(&[step("")], &printed), Vec::<String>::new(), "a README need not show everything");
    assert_eq!(differences(&[step("NAME READY AGE\nllama-3 2 35s\n")], &printed).len(), 1);
}
