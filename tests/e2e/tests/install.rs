//! Crossplane, installed as its chart does, installs our packages from a registry as the README says, and composes with
//! the binary in them.
//!
//! There is no container engine, so the last step is played: the binary is unpacked from the image that was pulled and
//! started as Crossplane's Deployment says, with the certificates that Crossplane made, and the name of its Service
//! leads to it. The provider's package holds its real CRDs under metadata of ours, and the provider is simply run.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, condition, describe, text};
use e2e::controlplane::core::{self, Core, NAMESPACE};
use e2e::controlplane::function::{self, Function};
use e2e::controlplane::model::{self, APPLICATION, Model};
use e2e::controlplane::network::Network;
use e2e::controlplane::platform::{self, PLATFORM};
use e2e::controlplane::provider::{self, ConfigKind, Provider, Turn};
use e2e::controlplane::standin::{Cast, StandIn, VllmOperator};
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{ControlPlane, chart, crds};
use e2e::files::yaml;
use e2e::package::Image;
use e2e::packages::Packages;
use e2e::registry::Registry;
use e2e::{process, readme, render, tools, workspace};
use serde_json::{Value, json};

/// A package is fetched and unpacked in moments, one after the other.
const INSTALL_LIMIT: Duration = Duration::from_mins(3);

/// Crossplane's circuit breaker lets news pass slowly.
const READY_LIMIT: Duration = Duration::from_mins(5);

/// A package of some CRDs.
const BUILD_LIMIT: Duration = Duration::from_mins(1);

/// The API of packages.
const PACKAGES: &str = "pkg.crossplane.io/v1";

#[tokio::test(flavor = "multi_thread")]
async fn crossplane_installs_the_packages_and_calls_the_binary_in_them() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let packages = Packages::build(&dir.path().join("packages"))?;
    let turn = Turn::take().await;
    let control_plane = ControlPlane::start("install").await?;
    let registry = Registry::start(&control_plane.dir.join("registry.log"))?;
    let published = Published::publish(&registry, &packages, dir.path())?;
    let binary = published.pull_binary(&registry, &packages, dir.path())?;

    let cluster = &control_plane.cluster;
    let certificates = chart::install(&control_plane).await?;
    crds::install(cluster, &crds::target_side()?).await?;
    let network = Network::start().await?;
    let core = Core::start_installed(&control_plane, core::Settings::default(), &certificates, &network)?;
    let _stand_in = StandIn::start(cluster, VllmOperator::default(), Cast::Everybody);
    let outcome = async {
        redirect(cluster, &registry, &published).await?;
        function_alone(cluster, &published).await?;
        let deployment = everything(cluster, &registry, &published).await?;
        let function = run(&control_plane, &network, &binary, &deployment).await?;
        a_model_becomes_ready(&control_plane, &function, turn).await
    };
    outcome.await.map_err(|error| core.explain(error))
}

/// What a release publishes, and the provider that our Configuration depends on, by the names that people use.
struct Published {
    /// The README's `Configuration`.
    configuration: Value,
    /// The README's `Function`.
    function: Value,
    /// The provider's image.
    provider: String,
}

impl Published {
    /// Pushes all of them to the registry, under the paths that they have elsewhere.
    fn publish(registry: &Registry, packages: &Packages, dir: &Path) -> Result<Self> {
        let provider = provider_package(&packages.configuration, &dir.join("provider"))?;
        let published = Self {
            configuration: in_readme("Configuration")?,
            function: in_readme("Function")?,
            provider: provider.1,
        };
        let images = [
            (&packages.function, text(&published.function, "/spec/package")),
            (&packages.configuration, text(&published.configuration, "/spec/package")),
            (&provider.0, published.provider.as_str()),
        ];
        for (package, image) in images {
            let (_, path) = split(image)?;
            registry.push(package, &format!("{}/{path}", registry.host))?;
        }
        Ok(published)
    }

    /// Pulls the function's image back, and unpacks what it runs.
    fn pull_binary(&self, registry: &Registry, packages: &Packages, dir: &Path) -> Result<PathBuf> {
        let (_, path) = split(text(&self.function, "/spec/package"))?;
        let image = registry.pull(&format!("{}/{path}", registry.host), &dir.join("pulled.tar"))?;
        let built = Image::open(&packages.function)?;
        ensure!(image.config == built.config, "the image that was pulled is not the one that was pushed");
        ensure!(image.package_documents()? == built.package_documents()?, "the package changed on the way");

        let entrypoint = text(&image.config, "/config/Entrypoint/0").trim_start_matches('/').to_owned();
        let file = image.file(&entrypoint).with_context(|| format!("the image has no {entrypoint}"))?;
        let binary = dir.join(&entrypoint);
        std::fs::write(&binary, &file.bytes)?;
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(file.mode))?;
        Ok(binary)
    }

    /// Every registry that people's names of these images have.
    fn registries(&self) -> Result<Vec<&str>> {
        let images = [
            text(&self.configuration, "/spec/package"),
            text(&self.function, "/spec/package"),
            &self.provider,
        ];
        let mut found = images.into_iter().map(|image| Ok(split(image)?.0)).collect::<Result<Vec<_>>>()?;
        found.dedup();
        Ok(found)
    }
}

/// The only manifest of a kind that the README shows.
fn in_readme(kind: &str) -> Result<Value> {
    let documents: Vec<Value> =
        readme::blocks("yaml")?.iter().map(|block| serde_yaml::from_str(block)).collect::<Result<_, _>>()?;
    let mut found = documents.into_iter().filter(|document| text(document, "/kind") == kind);
    let only = found.next().with_context(|| format!("the README shows no {kind}"))?;
    ensure!(found.next().is_none(), "the README shows several {kind}s");
    Ok(only)
}

/// An image's registry, and the rest of its name.
fn split(image: &str) -> Result<(&str, &str)> {
    image.split_once('/').with_context(|| format!("{image} names no registry"))
}

/// Packs the provider's CRDs, and tells by which name our Configuration asks for the package.
fn provider_package(configuration: &Path, dir: &Path) -> Result<(PathBuf, String)> {
    let documents = Image::open(configuration)?.package_documents()?;
    let meta = documents.iter().find(|document| text(document, "/kind") == "Configuration");
    let dependencies = meta.and_then(|meta| meta.pointer("/spec/dependsOn")).and_then(Value::as_array);
    let mut dependencies = dependencies.into_iter().flatten();
    let provider = dependencies.find(|dependency| text(dependency, "/kind") == "Provider");
    let image =
        provider.map(|provider| text(provider, "/package")).context("the Configuration needs no provider")?;

    let (root, file) = (dir.join("root"), dir.join("provider.xpkg"));
    std::fs::create_dir_all(&root)?;
    let meta = json!({
        "apiVersion": "meta.pkg.crossplane.io/v1",
        "kind": "Provider",
        "metadata": {"name": "provider-kubernetes"},
    });
    let named = [("crossplane.yaml".to_owned(), meta)].into_iter().chain(
        crds::PROVIDER_KUBERNETES
            .crds()?
            .into_iter()
            .map(|crd| (format!("{}.yaml", text(&crd, "/metadata/name")), crd)),
    );
    for (name, document) in named.collect::<BTreeMap<_, _>>() {
        std::fs::write(root.join(name), serde_yaml::to_string(&document)?)?;
    }
    let mut build = Command::new(tools::CROSSPLANE_CLI.path()?);
    build.args(["xpkg", "build", "--package-root"]).arg(&root).arg("--package-file").arg(&file);
    build.arg("--examples-root").arg(root.join("examples"));
    process::run(&mut build, BUILD_LIMIT)?.success("crossplane xpkg build")?;
    Ok((file, format!("{image}:{}", crds::PROVIDER_KUBERNETES.version)))
}

/// Lets every other registry be ours.
async fn redirect(cluster: &Cluster, registry: &Registry, published: &Published) -> Result<()> {
    for name in published.registries()? {
        let config = json!({
            "apiVersion": "pkg.crossplane.io/v1beta1",
            "kind": "ImageConfig",
            "metadata": {"name": name},
            "spec": {
                "matchImages": [{"type": "Prefix", "prefix": format!("{name}/")}],
                "rewriteImage": {"prefix": format!("{}/", registry.host)},
            },
        });
        cluster.apply(&config, PLATFORM).await?;
    }
    Ok(())
}

/// The Function installs by itself, and goes again.
async fn function_alone(cluster: &Cluster, published: &Published) -> Result<()> {
    let name = text(&published.function, "/metadata/name");
    cluster.apply(&published.function, PLATFORM).await?;
    healthy(cluster, "Function", name).await?;
    let revision = revision(cluster, "Function", name).await?;
    ensure!(
        revision.pointer("/status/capabilities") == Some(&json!(["composition"])),
        "the revision says of the package: {revision}"
    );
    cluster.delete(&published.function).await?;
    until("the Function and what ran it are gone", INSTALL_LIMIT, async || {
        let revisions = cluster.list(PACKAGES, "FunctionRevision", "").await?;
        let deployments = cluster.list("apps/v1", "Deployment", NAMESPACE).await?;
        let left: Vec<String> = revisions.iter().chain(&deployments).map(describe).collect();
        Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(left.join(", ")) })
    })
    .await
}

/// The Configuration installs, and brings what it depends on. Returns the Deployment that would run the function.
async fn everything(cluster: &Cluster, registry: &Registry, published: &Published) -> Result<Value> {
    cluster.apply(&published.configuration, PLATFORM).await?;

    // The Composition calls the function by the name that Crossplane gives a dependency.
    let composition = yaml(&workspace::root().join("package/configuration/composition.yaml"))?;
    let function = text(&composition, "/spec/pipeline/0/functionRef/name");
    let name = text(&published.configuration, "/metadata/name");
    healthy(cluster, "Configuration", name).await?;
    healthy(cluster, "Function", function).await?;
    healthy(cluster, "Provider", "crossplane-contrib-provider-kubernetes").await?;
    let live = revision(cluster, "Configuration", name).await?;
    for count in ["foundDependencies", "installedDependencies"] {
        let count = format!("/status/{count}");
        ensure!(live.pointer(&count) == Some(&json!(2)), "{count} of {live}");
    }

    let xrd = platform::xrd()?;
    for packaged in [&xrd, &composition] {
        let live = cluster.get(packaged).await?;
        let live = live.with_context(|| format!("there is no {}", describe(packaged)))?;
        let owner = text(&live, "/metadata/ownerReferences/0/kind");
        ensure!(owner == "ConfigurationRevision", "{} belongs to `{owner}`", describe(packaged));
    }
    until("the XRD is Established", INSTALL_LIMIT, async || {
        let live = cluster.get(&xrd).await?.unwrap_or_default();
        Ok(if condition(&live, "Established") == "True" {
            Look::Ok(())
        } else {
            Look::Err(conditions(&live))
        })
    })
    .await?;
    let inputs = cluster.served("inference.fn.crossplane.io/v1beta1").await?;
    ensure!(inputs.is_empty(), "the schemas of Inputs are for tools alone, and {inputs:?} were installed");

    let deployments = cluster.list("apps/v1", "Deployment", NAMESPACE).await?;
    let runs = |deployment: &Value| {
        text(deployment, "/spec/template/metadata/labels/pkg.crossplane.io~1function") == function
    };
    let deployment = deployments.into_iter().find(runs).context("nothing runs the function")?;
    let image = format!("{}/{}", registry.host, split(text(&published.function, "/spec/package"))?.1);
    ensure!(text(&deployment, "/spec/template/spec/containers/0/image") == image, "it runs {deployment}");
    Ok(deployment)
}

/// Does what a node would do for the Deployment: starts the binary of the image, with the certificates that are mounted,
/// where the Service's name leads.
async fn run(
    control_plane: &ControlPlane,
    network: &Network,
    binary: &Path,
    deployment: &Value,
) -> Result<Function> {
    let pod = deployment.pointer("/spec/template/spec").context("a Deployment without pods")?;
    let container = pod.pointer("/containers/0").context("a pod without containers")?;
    let variable =
        items(container, "/env").find(|variable| text(variable, "/name") == function::CERTIFICATES);
    let path =
        variable.map(|variable| text(variable, "/value")).context("no variable tells of certificates")?;
    let mount = items(container, "/volumeMounts").find(|mount| text(mount, "/mountPath") == path);
    let volume_name = mount.map(|mount| text(mount, "/name")).context("no certificates are mounted")?;
    let volume = items(pod, "/volumes").find(|volume| text(volume, "/name") == volume_name);
    let secret = volume.map(|volume| text(volume, "/secret/secretName")).context("no Secret is mounted")?;
    let folder = control_plane.dir.join("function");
    let certificates = chart::certificates(&control_plane.cluster, secret, folder).await?;

    let function = Function::start_with(control_plane, binary, &certificates)?;
    let name = text(deployment, "/spec/template/metadata/labels/pkg.crossplane.io~1function");
    let revision = revision(&control_plane.cluster, "Function", name).await?;
    let endpoint = text(&revision, "/status/endpoint");
    let service =
        endpoint.strip_prefix("dns:///").with_context(|| format!("the endpoint is `{endpoint}`"))?;
    network.lead(service, function.endpoint)?;
    Ok(function)
}

/// The provider, with the CRDs that came in its package, applies what the pulled binary composes.
async fn a_model_becomes_ready(control_plane: &ControlPlane, function: &Function, turn: Turn) -> Result<()> {
    let cluster = &control_plane.cluster;
    until("the provider's CRDs are served", INSTALL_LIMIT, async || {
        let served = cluster.served("kubernetes.m.crossplane.io/v1alpha1").await?;
        let wanted = ["Object", "ProviderConfig", "ProviderConfigUsage"];
        let all = wanted.iter().all(|kind| served.iter().any(|served| served == kind));
        Ok(if all { Look::Ok(()) } else { Look::Err(format!("{served:?}")) })
    })
    .await?;
    let provider = Provider::start(control_plane, provider::Settings::default(), turn)?;

    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    let scenario =
        scenarios.iter().find(|scenario| scenario.name == "full-stack/xr.yaml").context("no full stack")?;
    let xr = yaml(&scenario.xr)?;
    let namespace = text(&xr, "/metadata/namespace").to_owned();
    platform::namespace(cluster, &namespace).await?;
    let target = text(&xr, "/spec/providerConfigName");
    provider::connect(cluster, ConfigKind::ProviderConfig, &namespace, target, &control_plane.kubeconfig)
        .await?;
    platform::gateway(cluster, model::GATEWAY.0, model::GATEWAY.1).await?;
    cluster.apply(&xr, APPLICATION).await?;
    let model = Model { xr, namespace, reach: ConfigKind::ProviderConfig.into() };
    let ready = model::all_become_ready(cluster, std::slice::from_ref(&model), READY_LIMIT).await;
    ready.map_err(|error| provider.explain(error))?;
    ensure!(function.calls(&model.xr)? > 0, "the model was not composed by the binary of the package");
    Ok(())
}

/// Waits until Crossplane has unpacked a package, found nothing wrong and, where it runs something, seen that run.
async fn healthy(cluster: &Cluster, kind: &str, name: &str) -> Result<()> {
    let package = json!({"apiVersion": PACKAGES, "kind": kind, "metadata": {"name": name}});
    until(&format!("{kind} {name} is Installed and Healthy"), INSTALL_LIMIT, async || {
        let live = cluster.get(&package).await?.unwrap_or_default();
        let holds = ["Installed", "Healthy"].into_iter().all(|kind| condition(&live, kind) == "True");
        if holds {
            return Ok(Look::Ok(()));
        }
        let lock =
            json!({"apiVersion": "pkg.crossplane.io/v1beta1", "kind": "Lock", "metadata": {"name": "lock"}});
        let lock = cluster.get(&lock).await?.unwrap_or_default();
        Ok(Look::Err(format!("{}; the Lock says {}", conditions(&live), conditions(&lock))))
    })
    .await
}

/// The only revision of a package.
async fn revision(cluster: &Cluster, kind: &str, name: &str) -> Result<Value> {
    let revisions = cluster.list(PACKAGES, &format!("{kind}Revision"), "").await?;
    let mut of_it = revisions
        .into_iter()
        .filter(|revision| text(revision, "/metadata/labels/pkg.crossplane.io~1package") == name);
    let only = of_it.next().with_context(|| format!("{kind} {name} has no revision"))?;
    ensure!(of_it.next().is_none(), "{kind} {name} has several revisions");
    Ok(only)
}

fn conditions(object: &Value) -> String {
    object.pointer("/status/conditions").unwrap_or(&Value::Null).to_string()
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}
