//! Other people's kinds, from their own repositories: the CRDs that a cluster would have.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::cluster::{Cluster, describe, text};
use crate::digest::sha256_hex;
use crate::{process, workspace};

/// The largest module is 60 MB; a slow line gets its time.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(10);

/// An idle machine needs a few seconds for all.
const ESTABLISH_LIMIT: Duration = Duration::from_mins(3);

/// How many are created at a time: the API server publishes each schema for itself.
const AT_A_TIME: usize = 8;

const POLL: Duration = Duration::from_millis(200);

/// Raised when what is kept in the cache changes form.
const CACHE_FORM: &str = "1";

/// A folder of CRDs inside a Go module.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The module's path.
    pub module: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its checksum as a go.sum would hold it: two versions of one module cannot be in one go.mod.
    pub sum: &'static str,
    /// Where in it the CRDs are.
    pub folder: &'static str,
    /// Which files; all of them when empty.
    pub files: &'static [&'static str],
}

/// Gateway API, the standard channel.
pub const GATEWAY_API: Source = Source {
    module: "sigs.k8s.io/gateway-api",
    version: "v1.6.3",
    sum: "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc=",
    folder: "config/crd/standard",
    files: &[],
};

/// The inference extension as of its first release with a stable `InferencePool` that we support.
pub const INFERENCE_EXTENSION_1_3: Source = Source {
    module: "sigs.k8s.io/gateway-api-inference-extension",
    version: "v1.3.1",
    sum: "h1:Tpjo2frgcdUUeqPWcIWter2a7GCHBrNyYBkK1Em1u+8=",
    folder: "config/crd/bases",
    files: &[],
};

/// The one after it.
pub const INFERENCE_EXTENSION_1_4: Source = Source {
    version: "v1.4.0",
    sum: "h1:V+5u0J64qDbLYx4M/PkpsGa5bjeRjWUVybQ00axEkE0=",
    ..INFERENCE_EXTENSION_1_3
};

/// The last release of the inference extension that brings a picker.
pub const INFERENCE_EXTENSION_1_5: Source = Source {
    version: "v1.5.0",
    sum: "h1:w9Awt60cmI1vM7Y6N81h8wDCBP0WkmxpdI7GKY0v070=",
    ..INFERENCE_EXTENSION_1_3
};

/// KEDA.
pub const KEDA: Source = Source {
    module: "github.com/kedacore/keda/v2",
    version: "v2.20.2",
    sum: "h1:SR60v8uIcelbveS8n/1jcl8tLdBBIbHMxmdOHw8tKqA=",
    folder: "config/crd/bases",
    files: &[],
};

/// What the Prometheus operator scrapes and evaluates. Its other kinds, which nobody here emits, weigh ten times as
/// much.
pub const PROMETHEUS_OPERATOR: Source = Source {
    module: "github.com/prometheus-operator/prometheus-operator",
    version: "v0.93.0",
    sum: "h1:AohlYJT+En8TmNpAcEUJ3GsaJTAqfEBwHmGTVpRm/Io=",
    folder: "example/prometheus-operator-crd",
    files: &[
        "monitoring.coreos.com_podmonitors.yaml",
        "monitoring.coreos.com_prometheusrules.yaml",
        "monitoring.coreos.com_servicemonitors.yaml",
    ],
};

/// What the Prometheus operator itself looks at beside those.
pub const PROMETHEUS: Source = Source {
    files: &["monitoring.coreos.com_probes.yaml", "monitoring.coreos.com_prometheuses.yaml"],
    ..PROMETHEUS_OPERATOR
};

/// provider-kubernetes.
pub const PROVIDER_KUBERNETES: Source = Source {
    module: "github.com/crossplane-contrib/provider-kubernetes",
    version: "v1.2.1",
    sum: "h1:f9kHENnT2uhCbQl4Y0YzqPJX0ap9++9k5E1LMNp3Y6g=",
    folder: "package/crds",
    files: &[],
};

/// provider-helm. Of v1.4.0, whose Releases have one field more, no module can be had everywhere.
pub const PROVIDER_HELM: Source = Source {
    module: "github.com/crossplane-contrib/provider-helm",
    version: "v1.3.0",
    sum: "h1:kPiTSthiWamDABkWYi/BxGQ4mY3Fp6xGG24UL0jLTk4=",
    folder: "package/crds",
    files: &[],
};

/// Crossplane.
pub const CROSSPLANE: Source = Source {
    module: "github.com/crossplane/crossplane/v2",
    version: "v2.3.4",
    sum: "h1:fqYKqtyQjMnodjyKOJUeupf8SSzjLrTWGUrS+aR2z+E=",
    folder: "cluster/crds",
    files: &[],
};

/// Istio. All its kinds stand in one file.
pub const ISTIO: Source = Source {
    module: "istio.io/api",
    version: "v1.31.1",
    sum: "h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=",
    folder: "kubernetes",
    files: &["customresourcedefinitions.gen.yaml"],
};

/// GKE's policies.
pub const GKE: Source = Source {
    module: "github.com/GoogleCloudPlatform/gke-gateway-api",
    version: "v1.3.0",
    sum: "h1:4WjH6dFtnezCFiYlbmq0SBF2f8PIQD3rV99m5FRb/UM=",
    folder: "config/crd",
    files: &["networking.gke.io_gcpbackendpolicies.yaml", "networking.gke.io_healthcheckpolicies.yaml"],
};

/// agentgateway. Its definitions stand in a chart, without a template in them.
pub const AGENTGATEWAY: Source = Source {
    module: "github.com/agentgateway/agentgateway",
    version: "v1.4.1",
    sum: "h1:1W5YhPZa4V3YA9GUiwlSqp1j+O7QrDfs8IEERErafHs=",
    folder: "controller/install/helm/agentgateway-crds/templates",
    files: &["agentgateway.dev_agentgatewaypolicies.yaml"],
};

/// Envoy AI Gateway. Its definitions stand in a chart, without a template in them.
pub const AI_GATEWAY: Source = Source {
    module: "github.com/envoyproxy/ai-gateway",
    version: "v1.0.0",
    sum: "h1:cTdSnQmtQQ2Ea5T/LLK50pIthG2SJAOxU9XPXZbtDkU=",
    folder: "manifests/charts/ai-gateway-crds-helm/templates",
    files: &["aigateway.envoyproxy.io_aigatewayroutes.yaml"],
};

/// Envoy Gateway, the oldest release that is written for.
pub const ENVOY_GATEWAY_1_7: Source = Source {
    module: "github.com/envoyproxy/gateway",
    version: "v1.7.0",
    sum: "h1:noVz4fADhljSKpQFaspb25+C3kC8bBBisQZle9W0ei4=",
    folder: "charts/gateway-helm/crds/generated",
    files: &["gateway.envoyproxy.io_envoyextensionpolicies.yaml"],
};

/// And the newest.
pub const ENVOY_GATEWAY_1_9: Source = Source {
    version: "v1.9.0",
    sum: "h1:PaOpud15v3kDCl3L5yc1TdYzggCMpRm1yRjNKmLkzHA=",
    folder: "charts/gateway-helm/charts/crds/crds/generated",
    ..ENVOY_GATEWAY_1_7
};

/// What implementations of a Gateway bring, as far as it is emitted, but for Envoy Gateway, of which there are two
/// releases.
pub fn gateways() -> Result<Vec<Value>> {
    let mut all = ISTIO.crds()?;
    all.retain(|crd| ["DestinationRule", "EnvoyFilter"].contains(&text(crd, "/spec/names/kind")));
    all.extend(GKE.crds()?);
    all.extend(AI_GATEWAY.crds()?);
    all.extend(AGENTGATEWAY.crds()?);
    all.extend(nginx_settings()?);
    Ok(all)
}

/// `ProxySettingsPolicy`, from a file beside this crate: NGINX Gateway Fabric's module cannot be had everywhere.
pub fn nginx_settings() -> Result<Vec<Value>> {
    read_crds(&own("proxysettingspolicies.gateway.nginx.org.yaml"))
}

/// `InferenceObjective` as llm-d-router defines it, from a file beside this crate: the router is no Go module.
pub fn llm_d_objective() -> Result<Vec<Value>> {
    read_crds(&own("inferenceobjectives.llm-d.ai.yaml"))
}

/// The release of the vLLM operator that is taken where nobody names one.
pub const OPERATOR: &str = "0.1.12";

/// Older releases of the vLLM operator whose definitions differ, and are written down.
pub const OLDER_OPERATORS: [&str; 2] = ["0.1.8", "0.1.11"];

/// `VLLMRuntime` as [`OPERATOR`] defines it.
pub fn vllm_runtime() -> Result<Vec<Value>> {
    vllm_runtime_of(OPERATOR)
}

/// `VLLMRuntime` as that release of the operator defines it, from a file beside this crate: the operator is no Go
/// module.
pub fn vllm_runtime_of(release: &str) -> Result<Vec<Value>> {
    read_crds(&own(&format!("vllmruntimes/{release}.yaml")))
}

/// Whether `VLLMRuntime` is written down as that release of the operator defines it.
pub fn has_operator(release: &str) -> bool {
    own(&format!("vllmruntimes/{release}.yaml")).exists()
}

/// `VLLMRuntime` as the stub that some clusters have.
pub fn vllm_runtime_stub() -> Result<Vec<Value>> {
    read_crds(&own("vllmruntimes/stub.yaml"))
}

fn own(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crds").join(file)
}

/// What a cluster has where Crossplane and the provider run.
pub fn crossplane_side() -> Result<Vec<Value>> {
    let mut all = CROSSPLANE.crds()?;
    all.extend(PROVIDER_KUBERNETES.crds()?);
    Ok(all)
}

/// What a cluster has where models run.
pub fn target_side() -> Result<Vec<Value>> {
    target_side_of(&vllm_runtime()?)
}

/// The same with another definition of `VLLMRuntime`.
pub fn target_side_of(vllm_runtime: &[Value]) -> Result<Vec<Value>> {
    let mut all = vllm_runtime.to_vec();
    all.extend(gateways()?);
    for source in [GATEWAY_API, INFERENCE_EXTENSION_1_3, ENVOY_GATEWAY_1_9, KEDA, PROMETHEUS_OPERATOR] {
        all.extend(source.crds()?);
    }
    Ok(all)
}

impl Source {
    /// The CRDs. They are kept, so a later run needs neither Go nor a network.
    pub fn crds(&self) -> Result<Vec<Value>> {
        let key = sha256_hex(format!("{CACHE_FORM}\0{self:?}").as_bytes());
        let kept = workspace::cache()?.join("crds").join(key).with_extension("json");
        if let Ok(json) = std::fs::read(&kept) {
            return serde_json::from_slice(&json).with_context(|| format!("cannot read {}", kept.display()));
        }
        let crds = self.read(&self.download()?)?;
        write_whole(&kept, &serde_json::to_vec(&crds)?)?;
        Ok(crds)
    }

    /// The one file that is named, as it is. It is kept too.
    pub fn file(&self) -> Result<String> {
        let [file] = self.files else { bail!("{} names {} files, not one", self.module, self.files.len()) };
        let key = sha256_hex(format!("{CACHE_FORM}\0{self:?}").as_bytes());
        let kept = workspace::cache()?.join("files").join(key);
        if let Ok(content) = std::fs::read_to_string(&kept) {
            return Ok(content);
        }
        let path = self.download()?.join(self.folder).join(file);
        let content =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        write_whole(&kept, content.as_bytes())?;
        Ok(content)
    }

    /// The folder itself, as the module has it.
    pub fn directory(&self) -> Result<PathBuf> {
        Ok(self.download()?.join(self.folder))
    }

    fn download(&self) -> Result<PathBuf> {
        let module = format!("{}@{}", self.module, self.version);
        let elsewhere = tempfile::tempdir()?;
        let mut go = Command::new("go");
        go.args(["mod", "download", "-json", &module])
            .env("GOWORK", "off")
            // No go.mod around: the version is the one asked for, whatever else requires the module.
            .current_dir(elsewhere.path());
        let answer = process::run(&mut go, DOWNLOAD_LIMIT)?;
        let told: Value = serde_json::from_str(&answer.stdout).unwrap_or_default();
        if !answer.status.success() {
            bail!(
                "cannot download {module}: {}{}\nLook at `go env GOPROXY GOFLAGS`; a cut-off download is worth a \
                 second try.",
                text(&told, "/Error"),
                process::tail(&answer.stderr)
            );
        }
        let sum = text(&told, "/Sum");
        ensure!(sum == self.sum, "{module} has the checksum {sum}, not the pinned {}", self.sum);
        Ok(PathBuf::from(text(&told, "/Dir")))
    }

    fn read(&self, module: &Path) -> Result<Vec<Value>> {
        let folder = module.join(self.folder);
        let mut paths: Vec<PathBuf> = if self.files.is_empty() {
            let entries = std::fs::read_dir(&folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
            let entries = entries.with_context(|| format!("cannot read {}", folder.display()))?;
            entries.into_iter().map(|entry| entry.path()).collect()
        } else {
            self.files.iter().map(|file| folder.join(file)).collect()
        };
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        paths.sort();
        let mut crds = Vec::new();
        for path in paths {
            crds.extend(read_crds(&path)?);
        }
        ensure!(!crds.is_empty(), "{} holds no CRD", folder.display());
        Ok(crds)
    }
}

/// The CRDs of a file, which may hold other things too.
///
/// A conversion webhook is taken out: nothing here would answer it, and we only use versions that are stored.
pub fn read_crds(path: &Path) -> Result<Vec<Value>> {
    let yaml = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let documents: Vec<Value> =
        serde_yaml::from_multiple(&yaml).with_context(|| format!("cannot read {}", path.display()))?;
    let crds = documents.into_iter().filter(|document| text(document, "/kind") == "CustomResourceDefinition");
    Ok(crds
        .map(|mut crd| {
            if text(&crd, "/spec/conversion/strategy") == "Webhook"
                && let Some(conversion) = crd.pointer_mut("/spec/conversion")
            {
                *conversion = json!({"strategy": "None"});
            }
            crd
        })
        .collect())
}

/// Installs all of them at once, and waits until every kind is served. Returns how long that took.
pub async fn install(cluster: &Cluster, crds: &[Value]) -> Result<Duration> {
    let started = Instant::now();
    futures::stream::iter(crds)
        .map(|crd| async move {
            cluster.create(crd).await.map(drop).with_context(|| format!("cannot create {}", describe(crd)))
        })
        .buffer_unordered(AT_A_TIME)
        .try_collect::<()>()
        .await?;
    for crd in crds {
        served(cluster, crd, started + ESTABLISH_LIMIT).await?;
    }
    Ok(started.elapsed())
}

/// Discovery lists a kind once its CRD is established.
async fn served(cluster: &Cluster, crd: &Value, deadline: Instant) -> Result<()> {
    let (group, kind) = (text(crd, "/spec/group"), text(crd, "/spec/names/kind"));
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array).cloned().unwrap_or_default();
    for version in versions.iter().filter(|version| version.get("served") == Some(&Value::Bool(true))) {
        let api_version = format!("{group}/{}", text(version, "/name"));
        while !cluster.served(&api_version).await?.iter().any(|served| served == kind) {
            if Instant::now() > deadline {
                let live = cluster.get(crd).await?.unwrap_or_default();
                let conditions = live.pointer("/status/conditions").cloned().unwrap_or_default();
                bail!("{} is not served within {ESTABLISH_LIMIT:?}: {conditions}", describe(crd));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// Writes a file so that a reader finds all of it or nothing.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    std::io::Write::write_all(&mut file, bytes)?;
    file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}
