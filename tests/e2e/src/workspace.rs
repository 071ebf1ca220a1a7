//! Where things are, and our own binary as it is shipped.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// A cold build of the whole function takes about three minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(30);

/// The cargo that built this package builds the rest of the workspace too.
pub const CARGO: &str = env!("CARGO");

/// The repository.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// Our corner of cargo's target directory: built tools and logs.
pub fn cache() -> Result<PathBuf> {
    let metadata = process::run(
        Command::new(CARGO)
            .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
            .current_dir(root()),
        BUILD_LIMIT,
    )?
    .success("cargo metadata")?;
    let metadata: Value = serde_json::from_str(&metadata).context("cannot read cargo's metadata")?;
    let target = metadata
        .get("target_directory")
        .and_then(Value::as_str)
        .context("cargo names no target directory")?;
    let dir = Path::new(target).join("e2e");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// Builds the function and returns the path of its binary.
///
/// Another package's tests do not get `CARGO_BIN_EXE_…`, so cargo is asked. With `cargo build` the binary has the
/// features it is shipped with: those of its own tests' dependencies would leak in under `cargo test`.
pub fn function() -> Result<PathBuf> {
    let mut build = Command::new(CARGO);
    build
        .args(["build", "--locked", "--package", "function-inference", "--bin", "function-inference"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(root());
    let messages = process::run(&mut build, BUILD_LIMIT)?.success("building function-inference")?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .context("cargo built function-inference but names no executable")
}
