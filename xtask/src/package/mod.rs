//! `cargo xtask package`: binary, image, staged folders, packages.
//!
//! An xpkg is an image with one more layer. Crossplane's own command line adds that layer, around a folder that holds
//! exactly one package: the repository's root holds two, so each is staged into a folder of its own first.

mod image;
mod stage;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::{package, process, tools, workspace};

use crate::say;

/// Fat link-time optimisation of everything takes about four minutes on two cores.
const BUILD_LIMIT: Duration = Duration::from_mins(45);

/// Reads some megabytes and writes them again.
const PACK_LIMIT: Duration = Duration::from_mins(5);

/// What `package` may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Where the results go
    #[arg(long, value_name = "DIR", default_value = "dist")]
    out: PathBuf,

    /// Stop at the image and the staged folders; `crossplane xpkg build`, which is built by Go, is left to you
    #[arg(long)]
    skip_xpkg: bool,
}

/// A platform that packages are built for, on itself.
#[derive(Debug, Clone, Copy)]
struct Platform {
    /// Rust's name of it.
    target: &'static str,
    /// The name that images use.
    architecture: &'static str,
}

impl Platform {
    fn host() -> Result<Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => Ok(Self { target: "x86_64-unknown-linux-gnu", architecture: "amd64" }),
            ("linux", "aarch64") => Ok(Self { target: "aarch64-unknown-linux-gnu", architecture: "arm64" }),
            (os, arch) => {
                bail!("packages are built on Linux, amd64 or arm64, not on {os} {arch}: use the Dockerfile")
            }
        }
    }
}

/// Builds everything into the folder that the arguments name.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace::root();
    let platform = Platform::host()?;
    let out = root.join(&arguments.out);
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    let binary = static_binary(&root, platform)?;

    let image = out.join(format!("runtime-{}.tar", platform.architecture));
    image::write(&binary, platform.architecture, &image)?;
    say(&format!("wrote {}", image.display()));

    let function = out.join("function");
    stage::function(&root, &function)?;
    let configuration = out.join("configuration");
    stage::configuration(&root, &configuration)?;
    say(&format!("staged {} and {}", function.display(), configuration.display()));

    let packages = [
        (&function, out.join(format!("function-inference-{}.xpkg", platform.architecture)), Some(&image)),
        (&configuration, out.join("function-inference-configuration.xpkg"), None),
    ];
    if arguments.skip_xpkg {
        say("the packages are left to you:");
        for (root, file, runtime) in packages {
            say(&process::describe(&xpkg_build(Path::new("crossplane"), root, &file, runtime)));
        }
        return Ok(());
    }

    let cli = tools::CROSSPLANE_CLI.path().context(
        "cannot have `crossplane xpkg build`; everything before that step is done, and --skip-xpkg shows what is left",
    )?;
    for (root, file, runtime) in packages {
        process::run(&mut xpkg_build(&cli, root, &file, runtime), PACK_LIMIT)?
            .success("crossplane xpkg build")?;
        say(&format!("wrote {}", file.display()));
    }
    Ok(())
}

/// Builds what takes most of the time, and keeps it for the next who asks.
pub(crate) fn prefetch() -> Result<()> {
    static_binary(&workspace::root(), Platform::host()?).map(drop)
}

/// The release binary, linked without a dynamic loader: the image holds nothing else.
fn static_binary(root: &Path, platform: Platform) -> Result<Vec<u8>> {
    say(&format!("building the static binary for {}", platform.target));
    // A target directory of its own: other flags than those of the everyday build would throw its cache away.
    let target_dir = workspace::cache()?.with_file_name("package");
    let mut build = Command::new(workspace::CARGO);
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--package",
            "function-inference",
            "--bin",
            "function-inference",
        ])
        .args(["--target", platform.target, "--target-dir"])
        .arg(&target_dir)
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        // It would win over RUSTFLAGS.
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(root);
    process::run(&mut build, BUILD_LIMIT)?.success("building the static binary")?;

    let path = target_dir.join(platform.target).join("release/function-inference");
    let binary = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!package::asks_for_a_loader(&binary)?, "{} is not statically linked", path.display());
    Ok(binary)
}

fn xpkg_build(cli: &Path, root: &Path, file: &Path, runtime: Option<&PathBuf>) -> Command {
    let mut command = Command::new(cli);
    command.args(["xpkg", "build", "--package-root"]).arg(root).arg("--package-file").arg(file);
    // The default, `./examples`, is relative to where the command runs; the package carries no examples.
    command.arg("--examples-root").arg(root.join("examples"));
    if let Some(tarball) = runtime {
        command.arg("--embed-runtime-image-tarball").arg(tarball);
    }
    command
}
