//! Crossplane as its chart installs it (v2.3.4, `cluster/charts/crossplane`): `core init` leaves CRDs, certificates and
//! what the package manager needs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::cluster::{Cluster, text};
use super::core::NAMESPACE;
use super::platform::{PLATFORM, namespace};
use super::{ControlPlane, crds};
use crate::{process, tools};

/// Two dozen CRDs, one after the other.
const INIT_LIMIT: Duration = Duration::from_mins(5);

/// The Secret with what Crossplane shows to functions.
const CLIENT: &str = "crossplane-tls-client";

/// Does what the chart does before Crossplane starts. Returns the folder of its certificates.
pub async fn install(control_plane: &ControlPlane) -> Result<PathBuf> {
    namespace(&control_plane.cluster, NAMESPACE).await?;
    let folder = control_plane.dir.join("crossplane-crds");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let kinds = crds::CROSSPLANE.crds()?;
    for crd in &kinds {
        let file = folder.join(text(crd, "/metadata/name")).with_extension("yaml");
        std::fs::write(&file, serde_yaml::to_string(crd)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    // It applies them too, and fails where they are not served at once; a cluster would start it again until they are.
    crds::install(&control_plane.cluster, &kinds).await?;
    // What runs packages looks into it for the Secrets that images are pulled with.
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "crossplane", "namespace": NAMESPACE},
    });
    control_plane.cluster.apply(&account, PLATFORM).await?;
    let mut init = Command::new(tools::CROSSPLANE_CORE.path()?);
    init.args(["core", "init", "--namespace", NAMESPACE, "--enable-webhooks=false", "--activation", "*"])
        .env("CRDS_PATH", &folder)
        .env("TLS_CA_SECRET_NAME", "crossplane-root-ca")
        .env("TLS_CLIENT_SECRET_NAME", CLIENT)
        .env("KUBECONFIG", &control_plane.kubeconfig);
    process::run(&mut init, INIT_LIMIT)?.success("crossplane core init")?;
    certificates(&control_plane.cluster, CLIENT, control_plane.dir.join("crossplane")).await
}

/// Writes a Secret of Crossplane's into a folder, as it would be mounted.
pub async fn certificates(cluster: &Cluster, secret: &str, into: PathBuf) -> Result<PathBuf> {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret, "namespace": NAMESPACE},
    });
    let live = cluster.get(&secret).await?.unwrap_or_default();
    let Some(data) = live.get("data").and_then(Value::as_object) else {
        bail!("Crossplane made no Secret {}", text(&secret, "/metadata/name"));
    };
    std::fs::create_dir_all(&into).with_context(|| format!("cannot create {}", into.display()))?;
    for (name, value) in data {
        write(&into.join(name), &STANDARD.decode(value.as_str().unwrap_or_default())?)?;
    }
    Ok(into)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
