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

/// Core with what it takes to compose and deliver. All end when dropped.
#[derive(Debug)]
pub struct Crossplane {
    /// Crossplane itself.
    pub core: Core,
    /// What applies Objects.
    pub provider: Provider,
    /// What composes.
    pub function: Function,
}

impl Crossplane {
    /// Starts them. The CRDs of Crossplane and of the provider have to be there.
    pub async fn start(
        control_plane: &ControlPlane,
        function: &Path,
        core: core::Settings,
        provider: provider::Settings,
        turn: Turn,
    ) -> Result<Self> {
        let mut started = Self {
            core: Core::start(control_plane, core).await?,
            provider: Provider::start(control_plane, provider, turn)?,
            function: Function::start(control_plane, function)?,
        };
        started.check()?;
        Ok(started)
    }

    /// An error that names the process that ended, if one did.
    pub fn check(&mut self) -> Result<()> {
        let Self { core, provider, function } = self;
        for server in [&mut core.server, &mut core.controllers, &mut provider.server, &mut function.server] {
            server.check()?;
        }
        Ok(())
    }

    /// Adds what the processes last logged to an error that may be their doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let logs = [
            ("crossplane", &self.core.server),
            ("provider", &self.provider.server),
            ("function", &self.function.server),
        ];
        let logs = logs.map(|(name, server)| format!("--- {name}\n{}", server.log_tail()));
        error.context(logs.join("\n"))
    }
}
