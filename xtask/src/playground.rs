//! `cargo xtask up` and `cargo xtask down`: a control plane to play with.
//!
//! Run through cargo, because it takes a client of Kubernetes, and whoever generates or packages need not build one.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::workspace;

/// Does one of the two.
pub(crate) fn run(verb: &str) -> Result<()> {
    let status = Command::new(workspace::CARGO)
        .args(["run", "--locked", "--package", "e2e", "--bin", "playground", "--", verb])
        .current_dir(workspace::root())
        .status()
        .context("cannot start cargo")?;
    ensure!(status.success(), "the playground's `{verb}` ended with {status}");
    Ok(())
}
