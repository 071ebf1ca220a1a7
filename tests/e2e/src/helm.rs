//! Charts, rendered by Helm as provider-helm would: from the Go module of the project that they belong to.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::controlplane::cluster::text;
use crate::controlplane::crds::Source;
use crate::{process, tools};

/// A chart is rendered in well under a second; a minute is for machines that do much else.
const LIMIT: Duration = Duration::from_mins(1);

/// What a `Release` of provider-helm would install, of the chart in that folder of a module.
pub fn template(chart: Source, release: &Value) -> Result<Vec<Value>> {
    let wanted = release.pointer("/spec/forProvider").context("no release")?;
    let folder = tempfile::tempdir()?;
    let values = folder.path().join("values.json");
    std::fs::write(&values, wanted["values"].to_string())?;
    let mut command = Command::new(tools::HELM.path()?);
    command
        .args(["template", text(release, "/metadata/annotations/crossplane.io~1external-name")])
        .arg(chart.directory()?)
        .args(["--namespace", text(wanted, "/namespace")])
        .arg("--values")
        .arg(&values)
        // It keeps nothing between runs.
        .env("HELM_CACHE_HOME", folder.path())
        .env("HELM_CONFIG_HOME", folder.path())
        .env("HELM_DATA_HOME", folder.path());
    let finished = process::run(&mut command, LIMIT)?;
    ensure!(finished.status.success(), "{}", finished.stderr);
    serde_yaml::from_multiple(&finished.stdout).context("cannot read what Helm made")
}
