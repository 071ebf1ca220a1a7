//! provider-helm, which installs the charts of our Releases.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::ControlPlane;
use super::cluster::Cluster;
use super::platform::PLATFORM;
use super::provider::{ConfigKind, provider_config};
use crate::process::Server;
use crate::tools;

/// A running provider. It ends when dropped.
#[derive(Debug)]
pub struct ProviderHelm {
    server: Server,
}

impl ProviderHelm {
    /// Starts it. Its CRDs have to be there.
    pub fn start(control_plane: &ControlPlane) -> Result<Self> {
        // It keeps charts in its working directory.
        let home = control_plane.dir.join("provider-helm");
        std::fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
        let mut command = Command::new(tools::PROVIDER_HELM.path()?);
        command
            .arg("--debug")
            .env("KUBECONFIG", &control_plane.kubeconfig)
            .env("HOME", &home)
            .current_dir(&home);
        let server = Server::start(&mut command, control_plane.dir.join("provider-helm.log"))?;
        Ok(Self { server })
    }

    /// An error if it has ended.
    pub fn check(&mut self) -> Result<()> {
        self.server.check()
    }

    /// Adds what it last logged to an error that may be its doing.
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        error.context(format!("--- provider-helm\n{}", self.server.log_tail()))
    }
}

/// Makes a cluster known to both providers under a name, with the way in as a Secret of that namespace.
pub async fn connect(cluster: &Cluster, namespace: &str, name: &str, kubeconfig: &Path) -> Result<()> {
    super::provider::connect(cluster, ConfigKind::ProviderConfig, namespace, name, kubeconfig).await?;
    let mut config = provider_config(ConfigKind::ProviderConfig, namespace, name);
    // Both have the same fields.
    crate::files::set(&mut config, "apiVersion", "helm.m.crossplane.io/v1beta1".into());
    cluster.apply(&config, PLATFORM).await.map(drop)
}
