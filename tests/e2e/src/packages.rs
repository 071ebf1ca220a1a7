//! Our own packages, built as a release builds them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::{process, workspace};

/// A cold release build, and Crossplane's command line from source.
const LIMIT: Duration = Duration::from_hours(1);

/// What `cargo xtask package` left in a folder.
#[derive(Debug)]
pub struct Packages {
    /// The image that holds the binary, before it became a package.
    pub runtime: PathBuf,
    /// The Function, which is that image with one more layer.
    pub function: PathBuf,
    /// The Configuration.
    pub configuration: PathBuf,
    /// What the binary is made of.
    pub materials: PathBuf,
}

impl Packages {
    /// Builds them. The binary, which takes minutes, is built once for everybody who asks: cargo keeps it.
    pub fn build(into: &Path) -> Result<Self> {
        let mut xtask = Command::new(workspace::CARGO);
        xtask
            .args(["run", "--locked", "--package", "xtask", "--", "package", "--out"])
            .arg(into)
            .current_dir(workspace::root());
        process::run(&mut xtask, LIMIT)?.success("cargo xtask package")?;
        Ok(Self {
            runtime: only(into, "runtime-", ".tar")?,
            function: only(into, "function-inference-", "64.xpkg")?,
            configuration: only(into, "function-inference-conf", ".xpkg")?,
            materials: only(into, "function-inference-", ".cdx.json")?,
        })
    }
}

/// The only file whose name starts and ends so: some names hold the architecture of this machine.
fn only(dir: &Path, start: &str, end: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(end) {
            found.push(dir.join(name));
        }
    }
    let [file] = found.as_slice() else {
        bail!("not exactly one {start}…{end} in {}: {found:?}", dir.display());
    };
    Ok(file.clone())
}
