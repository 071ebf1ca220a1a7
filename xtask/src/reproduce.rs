//! `cargo xtask reproduce`: whether a checkout somewhere else gives the same binary.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{process, release, workspace};

use crate::say;

/// Git reads its index.
const LIST_LIMIT: Duration = Duration::from_mins(1);

/// Builds twice, which takes minutes, and compares.
pub(crate) fn run() -> Result<()> {
    let here = release::static_binary()?;
    let elsewhere = workspace::cache()?.with_file_name("reproduce");
    clear(&elsewhere)?;
    let sources = elsewhere.join("sources");
    copy_sources(&workspace::root(), &sources)?;
    say("building once more, elsewhere");
    let there = release::build(&sources, &elsewhere.join("target"))?;

    let read = |path: &Path| std::fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let (first, second) = (read(&here)?, read(&there)?);
    ensure!(first == second, "{} and {} differ: keep both and compare them", here.display(), there.display());
    say(&format!("the same {} bytes twice", first.len()));
    clear(&elsewhere)
}

/// What git tracks, as it lies in the work tree.
fn copy_sources(root: &Path, into: &Path) -> Result<()> {
    let list = process::run(Command::new("git").args(["ls-files", "-z"]).current_dir(root), LIST_LIMIT)?;
    for name in list.success("git ls-files")?.split_terminator('\0') {
        let (from, to) = (root.join(name), into.join(name));
        let folder = to.parent().context("a file without a folder")?;
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

fn clear(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
