//! `cargo xtask prefetch`: what takes the end-to-end tests longest on a machine that has never run them.

use std::thread;

use anyhow::{Result, anyhow};
use e2e::tools;

use crate::{package, say};

/// Builds the static binary and, beside it, other people's components: optimising keeps one core busy for minutes, and
/// downloads keep none.
pub(crate) fn run() -> Result<()> {
    thread::scope(|scope| {
        let binary = scope.spawn(package::prefetch);
        tools::build(&tools::ALL, say)?;
        binary.join().map_err(|_| anyhow!("the build of the static binary panicked"))?
    })
}
