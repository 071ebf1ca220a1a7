//! Charts: rendered by Helm as provider-helm would, from the Go module of the project that they belong to, and served
//! for provider-helm itself.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::controlplane::cluster::text;
use crate::controlplane::crds::Source;
use crate::{process, tools};

/// A chart is rendered in well under a second; a minute is for machines that do much else.
const LIMIT: Duration = Duration::from_mins(1);

/// The body-based router's, of the release that belongs to our default.
pub const BODY_BASED_ROUTER_1_3: Source =
    Source { folder: BODY_BASED_ROUTER, ..crate::controlplane::crds::INFERENCE_EXTENSION_1_3 };

/// And of the other.
pub const BODY_BASED_ROUTER_1_5: Source =
    Source { folder: BODY_BASED_ROUTER, ..crate::controlplane::crds::INFERENCE_EXTENSION_1_5 };

const BODY_BASED_ROUTER: &str = "config/charts/body-based-routing";

/// What a `Release` of provider-helm would install, of the chart in that folder of a module.
pub fn template(chart: Source, release: &Value) -> Result<Vec<Value>> {
    let wanted = release.pointer("/spec/forProvider").context("no release")?;
    let folder = tempfile::tempdir()?;
    let values = folder.path().join("values.json");
    std::fs::write(&values, wanted["values"].to_string())?;
    let mut command = helm(folder.path())?;
    command
        .args(["template", text(release, "/metadata/annotations/crossplane.io~1external-name")])
        .arg(chart.directory()?)
        .args(["--namespace", text(wanted, "/namespace")])
        .arg("--values")
        .arg(&values);
    let made = process::run(&mut command, LIMIT)?.success("helm template")?;
    serde_yaml::from_multiple(&made).context("cannot read what Helm made")
}

/// A repository of charts on loopback. It ends when dropped.
#[derive(Debug)]
pub struct Repository {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Repository {
    /// Packs the charts in these folders under these versions, as a release does, and serves them.
    pub async fn serve(charts: &[(&Path, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let packed = folder.path().join("packed");
        std::fs::create_dir(&packed)?;
        for (chart, version) in charts {
            let mut command = helm(folder.path())?;
            command.arg("package").arg(chart).args(["--version", version, "--destination"]).arg(&packed);
            process::run(&mut command, LIMIT)?.success("helm package")?;
        }
        process::run(helm(folder.path())?.args(["repo", "index"]).arg(&packed), LIMIT)?
            .success("helm repo index")?;
        let mut files = BTreeMap::new();
        for entry in std::fs::read_dir(&packed)? {
            let entry = entry?;
            let path = format!("/{}", entry.file_name().to_string_lossy());
            files.insert(path, Bytes::from(std::fs::read(entry.path())?));
        }
        ensure!(files.len() == charts.len() + 1, "there are {:?}", files.keys());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, serving: tokio::spawn(serve(listener, Arc::new(files))) })
    }

    /// What a Release calls it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, files: Arc<BTreeMap<String, Bytes>>) {
    // A listener that fails for good is told by those who cannot connect.
    while let Ok((client, _)) = listener.accept().await {
        let files = Arc::clone(&files);
        tokio::spawn(async move {
            let answer = service_fn(move |request: Request<_>| {
                let found = files.get(request.uri().path()).cloned();
                async move { Ok::<_, Infallible>(file(found)) }
            });
            // A connection that breaks is told by its other end.
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(client), answer)
                .await
                .ok();
        });
    }
}

fn file(found: Option<Bytes>) -> Response<Full<Bytes>> {
    let status = if found.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let mut response = Response::new(Full::new(found.unwrap_or_default()));
    *response.status_mut() = status;
    response
}

/// Helm, which keeps nothing but in that folder.
fn helm(folder: &Path) -> Result<Command> {
    let mut command = Command::new(tools::HELM.path()?);
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(variable, folder);
    }
    Ok(command)
}
