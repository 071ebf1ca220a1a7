//! Crossplane on a control plane: core, provider-kubernetes and our function, each a process on loopback.
//!
//! Nothing is installed by the package manager, which would need images: the function is made known by the
//! `FunctionRevision` that the package manager would have made, and the provider is simply run.

use std::path::Path;

use anyhow::Result;

use super::ControlPlane;
use super::core::{self, Core};
use super::function::Function;
use super::provider::{self, Provider, Turn};
use crate::process::Server;

/// Core with what it takes to compose and deliver. All end when dropped.
#[derive(Debug)]
pub struct Crossplane {
    /// Crossplane itself.
    pub core: Core,
    /// What applies Objects, where there are any.
    pub provider: Option<Provider>,
    /// What composes.
    pub function: Function,
}

impl Crossplane {
    /// Starts them, the provider where it has its turn. Their CRDs have to be there.
    pub async fn start(
        control_plane: &ControlPlane,
        function: &Path,
        core: core::Settings,
        provider: provider::Settings,
        turn: Option<Turn>,
    ) -> Result<Self> {
        let mut started = Self {
            core: Core::start(control_plane, core).await?,
            provider: turn.map(|turn| Provider::start(control_plane, provider, turn)).transpose()?,
            function: Function::start(control_plane, function)?,
        };
        started.check()?;
        Ok(started)
    }

    /// An error that names the process that ended, if one did.
    pub fn check(&mut self) -> Result<()> {
        let Self { core, provider, function } = self;
        let provider = provider.as_mut().map(|provider| &mut provider.server);
        let servers = [&mut core.server, &mut core.controllers, &mut function.server];
        servers.into_iter().chain(provider).try_for_each(Server::check)
    }

    /// Adds what the processes last logged to an error that may be their doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let provider = self.provider.as_ref().map(|provider| ("provider", &provider.server));
        let servers = [("crossplane", &self.core.server), ("function", &self.function.server)];
        let servers = servers.into_iter().chain(provider);
        let logs: Vec<String> =
            servers.map(|(name, server)| format!("--- {name}\n{}", server.log_tail())).collect();
        error.context(logs.join("\n"))
    }
}
