//! A registry on loopback, and the two ways to it that a release has: Crossplane's command line pushes, and a client
//! that knows nothing of packages pulls.
//!
//! Everything from go-containerregistry, Crossplane included, speaks plain HTTP to a registry whose host is
//! `localhost` (v0.21.9, `pkg/name/registry.go`), so no certificate is needed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::package::Image;
use crate::process::{self, Server};
use crate::tools;

/// It listens within milliseconds.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Some ten megabytes, on loopback.
const TRANSFER_LIMIT: Duration = Duration::from_mins(5);

/// A registry whose images live in its memory. It ends when dropped.
#[derive(Debug)]
pub struct Registry {
    /// What the name of an image here starts with.
    pub host: String,
    crane: PathBuf,
    cli: PathBuf,
    /// Both clients look for credentials in the home directory; they find none here.
    home: tempfile::TempDir,
    server: Server,
}

impl Registry {
    /// Starts one, building what it takes unless it is there.
    pub fn start(log: &Path) -> Result<Self> {
        let (crane, cli) = (tools::CRANE.path()?, tools::CROSSPLANE_CLI.path()?);
        let mut command = Command::new(&crane);
        // Any free port: it tells which.
        command.args(["registry", "serve", "--address", "127.0.0.1:0"]);
        let mut server = Server::start(&mut command, log.to_owned())?;
        let mut port = None;
        server.wait_until("listening", START_LIMIT, || {
            let told = std::fs::read_to_string(log).unwrap_or_default();
            let line = told.lines().find_map(|line| line.split_once("serving on port "));
            port = line.map(|(_, port)| port.to_owned());
            port.is_some()
        })?;
        let host = format!("localhost:{}", port.context("the registry tells no port")?);
        Ok(Self { host, crane, cli, home: tempfile::tempdir()?, server })
    }

    /// Pushes a package, as a release does.
    pub fn push(&self, package: &Path, image: &str) -> Result<()> {
        let mut command = self.client(&self.cli);
        command.args(["xpkg", "push", "--package-files"]).arg(package).arg(image);
        self.finish(&mut command, "crossplane xpkg push").map(drop)
    }

    /// Pulls an image into a file.
    pub fn pull(&self, image: &str, into: &Path) -> Result<Image> {
        self.finish(self.client(&self.crane).args(["pull", image]).arg(into), "crane pull")?;
        Image::open(into)
    }

    fn client(&self, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        command
            .env("HOME", self.home.path())
            .env_remove("DOCKER_CONFIG")
            .env_remove("REGISTRY_AUTH_FILE")
            .env_remove("XDG_CONFIG_HOME")
            .env_remove("XDG_RUNTIME_DIR");
        command
    }

    fn finish(&self, command: &mut Command, what: &str) -> Result<String> {
        let finished = process::run(command, TRANSFER_LIMIT).and_then(|finished| finished.success(what));
        finished.with_context(|| format!("--- registry\n{}", self.server.log_tail()))
    }
}
