//! The binary of the packages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{package, process, workspace};

/// Fat link-time optimisation of everything takes about four minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(45);

/// Whatever is not in cargo's home yet is downloaded.
const FETCH_LIMIT: Duration = Duration::from_mins(10);

/// The profile of what is shipped.
const PROFILE: &str = "dist";

/// What the compiler is told: to link without a dynamic loader, and to pack relocations. Where addresses have to be put
/// right at the start then takes a bit each, and not 24 bytes; a static glibc can do that since 2.36.
const FLAGS: [&str; 4] = ["-C", "target-feature=+crt-static", "-C", "link-arg=-Wl,-z,pack-relative-relocs"];

/// Where the binary says that its dependencies' sources are, each in a folder of its name and version.
pub const REGISTRY: &str = "/crates.io";

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
    // A target directory of its own: other flags than those of the everyday build would throw its cache away.
    build(&workspace::root(), &workspace::cache()?.with_file_name("package"))
}

/// The same from the sources in a folder: the same bytes, wherever they and cargo's home are.
pub fn build(sources: &Path, target_dir: &Path) -> Result<PathBuf> {
    let target = Platform::host()?.target;
    let mut flags = FLAGS.map(str::to_owned).to_vec();
    flags.extend(without_places(sources, target, target_dir)?);
    let mut build = Command::new(workspace::CARGO);
    build
        .args(["build", "--profile", PROFILE, "--locked", "--package", "function-inference"])
        .args(["--bin", "function-inference", "--target", target, "--target-dir"])
        .arg(target_dir)
        // Unlike RUSTFLAGS, over which it wins, it takes paths with blanks.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        // mimalloc's sources say when they were compiled (`__TIME__`); compilers take this time for it.
        .env("SOURCE_DATE_EPOCH", "0")
        .current_dir(sources);
    process::run(&mut build, BUILD_LIMIT)?.success("building the static binary")?;

    let path = target_dir.join(target).join(PROFILE).join("function-inference");
    let binary = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!package::asks_for_a_loader(&binary)?, "{} is not statically linked", path.display());
    Ok(path)
}

/// Flags that keep this machine's folders out of the binary, which names sources where it panics.
fn without_places(sources: &Path, target: &str, target_dir: &Path) -> Result<Vec<String>> {
    let mut metadata = Command::new(workspace::CARGO);
    metadata
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target])
        .current_dir(sources);
    let metadata = process::run(&mut metadata, FETCH_LIMIT)?.success("cargo metadata")?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata")?;
    let packages =
        metadata.pointer("/packages").and_then(Value::as_array).context("cargo knows no packages")?;
    let downloaded =
        packages.iter().filter(|package| package.pointer("/source").is_some_and(Value::is_string));
    let registries: BTreeSet<&Path> = downloaded
        .filter_map(|package| Path::new(package.pointer("/manifest_path")?.as_str()?).parent()?.parent())
        .collect();
    // The last that fits counts, and each may lie within those before it.
    let places =
        [(sources, "/sources")].into_iter().chain(registries.into_iter().map(|place| (place, REGISTRY)));
    let places = places.chain([(target_dir, "/target")]);
    Ok(places.map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display())).collect())
}

#[cfg(test)]
mod tests {
    use super::{FLAGS, PROFILE};
    use crate::workspace;

    #[test]
    fn the_dockerfile_builds_the_same() {
        let dockerfile = std::fs::read_to_string(workspace::root().join("Dockerfile")).unwrap();
        for said in [format!("RUSTFLAGS=\"{}\"", FLAGS.join(" ")), format!("--profile {PROFILE} ")] {
            assert!(dockerfile.contains(&said), "{said}");
        }
    }
}
