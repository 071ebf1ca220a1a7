//! The binary of the packages.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::{package, process, workspace};

/// Fat link-time optimisation of everything takes about four minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(45);

/// A platform that packages are built for, on itself.
#[derive(Debug, Clone, Copy)]
pub struct Platform {
    /// Rust's name of it.
    pub target: &'static str,
    /// The name that images use.
    pub architecture: &'static str,
}

impl Platform {
    /// This one.
    pub fn host() -> Result<Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => Ok(Self { target: "x86_64-unknown-linux-gnu", architecture: "amd64" }),
            ("linux", "aarch64") => Ok(Self { target: "aarch64-unknown-linux-gnu", architecture: "arm64" }),
            (os, arch) => {
                bail!("packages are built on Linux, amd64 or arm64, not on {os} {arch}: use the Dockerfile")
            }
        }
    }
}

/// Builds the release binary, linked without a dynamic loader: the image holds nothing else.
pub fn static_binary() -> Result<PathBuf> {
    let target = Platform::host()?.target;
    // A target directory of its own: other flags than those of the everyday build would throw its cache away.
    let target_dir = workspace::cache()?.with_file_name("package");
    let mut build = Command::new(workspace::CARGO);
    build
        .args(["build", "--release", "--locked", "--package", "function-inference"])
        .args(["--bin", "function-inference", "--target", target, "--target-dir"])
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        // It would win over RUSTFLAGS.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(workspace::root());
    process::run(&mut build, BUILD_LIMIT)?.success("building the static binary")?;

    let path = target_dir.join(target).join("release/function-inference");
    let binary = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!package::asks_for_a_loader(&binary)?, "{} is not statically linked", path.display());
    Ok(path)
}
