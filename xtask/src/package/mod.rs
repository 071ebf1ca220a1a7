//! `cargo xtask package`: binary, bill of materials, image, staged folders, packages.
//!
//! An xpkg is an image with one more layer. Crossplane's own command line adds that layer, around a folder that holds
//! exactly one package: the repository's root holds two, so each is staged into a folder of its own first.

mod image;
mod sbom;
mod stage;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::release::{self, Platform};
use e2e::{process, tools, workspace};

use crate::say;

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

/// Builds everything into the folder that the arguments name.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = workspace::root();
    let Platform { target, architecture } = Platform::host()?;
    let out = root.join(&arguments.out);
    std::fs::create_dir_all(&out).with_context(|| format!("cannot create {}", out.display()))?;
    say("building the static binary");
    let binary = release::static_binary()?;
    let binary = std::fs::read(&binary).with_context(|| format!("cannot read {}", binary.display()))?;

    let materials = out.join(format!("function-inference-{architecture}.cdx.json"));
    sbom::write(&root, target, &materials)?;
    say(&format!("wrote {}", materials.display()));

    let image = out.join(format!("runtime-{architecture}.tar"));
    image::write(&binary, architecture, &image)?;
    say(&format!("wrote {}", image.display()));

    let function = out.join("function");
    stage::function(&root, &function)?;
    let configuration = out.join("configuration");
    stage::configuration(&root, &configuration)?;
    say(&format!("staged {} and {}", function.display(), configuration.display()));

    let packages = [
        (&function, out.join(format!("function-inference-{architecture}.xpkg")), Some(&image)),
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
    release::static_binary().map(drop)
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
