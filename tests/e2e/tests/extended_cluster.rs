//! A cluster is given what its models need and has it taken away again, by real Crossplane, provider-kubernetes and
//! provider-helm: what another step composes for it stays as it is.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, condition, text};
use e2e::controlplane::crossplane::Crossplane;
use e2e::controlplane::model::{APPLICATION, is_synced_and_ready};
use e2e::controlplane::platform::{self, PLATFORM, install_xrd};
use e2e::controlplane::played::Played;
use e2e::controlplane::provider::Turn;
use e2e::controlplane::provider_helm::{self, ProviderHelm};
use e2e::controlplane::standin::{Cast, StandIn, VllmOperator};
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{ControlPlane, core, crds, function, patch_and_transform, provider};
use e2e::files::{set, yaml};
use e2e::helm::{self, Repository};
use e2e::{render, workspace};
use serde_json::{Value, json};

/// Half a minute each: both providers look again at what is not ready after 30 s, and an Object that is younger than
/// that keeps its finalizer. A busy machine gets its time.
const LIMIT: Duration = Duration::from_mins(5);

/// Where the composite resource and what it is composed of are.
const NAMESPACE: &str = "clusters";

/// The cluster, and what both providers call it.
const NAME: &str = "gpu";

/// Where the router runs.
const ROUTER: &str = "gateway-api-inference-extension";

/// What the other step composes.
const OTHERS: [&str; 2] = ["app-config", "app-traefik"];

/// What ours does, once all is there.
const OURS: [&str; 4] = [
    "body_based_router",
    "body_based_router_deployment",
    "body_based_router_disruption_budget",
    "inference_pool_crd",
];

const CONDITION: &str = "InferenceExtensionReady";

/// A control plane that extends a cluster which has nothing but what Kubernetes itself brings. All end when dropped.
struct Stage {
    _stand_in: StandIn,
    crossplane: Crossplane,
    helm: ProviderHelm,
    _others: Played,
    _charts: Repository,
    target: ControlPlane,
    control_plane: ControlPlane,
}

impl Stage {
    async fn start() -> Result<Self> {
        let turn = Turn::take().await;
        let control_plane = ControlPlane::start("extended-cluster").await?;
        let target = ControlPlane::start("extended-cluster-target").await?;
        let cluster = &control_plane.cluster;
        crds::install(cluster, &[crds::crossplane_side()?, crds::PROVIDER_HELM.crds()?].concat()).await?;

        let folder = tempfile::tempdir()?;
        let app = chart_of_an_app(folder.path())?;
        let router = helm::BODY_BASED_ROUTER_1_3.directory()?;
        let charts = Repository::serve(&[(&router, "v1.3.1"), (&app, "1.0.0")]).await?;

        let (core, providers) = (core::Settings::default(), provider::Settings::default());
        let binary = workspace::function()?;
        let crossplane = Crossplane::start(&control_plane, &binary, core, providers, Some(turn)).await?;
        let others = Played::start(&control_plane, "others", patch_and_transform::answer).await?;
        let helm = ProviderHelm::start(&control_plane)?;

        platform::namespace(cluster, NAMESPACE).await?;
        provider_helm::connect(cluster, NAMESPACE, NAME, &target.kubeconfig).await?;
        install_xrd(cluster, &yaml(&workspace::root().join("tests/chainsaw/setup/cluster-definition.yaml"))?)
            .await?;
        function::make_known(cluster, patch_and_transform::NAME, others.endpoint).await?;
        crossplane.function.install(cluster, "function-inference").await?;
        cluster.apply(&composition(&charts.url()), PLATFORM).await?;
        Ok(Self {
            _stand_in: StandIn::start(&target.cluster, VllmOperator::default(), Cast::Everybody),
            crossplane,
            helm,
            _others: others,
            _charts: charts,
            target,
            control_plane,
        })
    }

    /// Adds what everybody last said to an error that may be their doing.
    fn explain(&mut self, error: anyhow::Error) -> anyhow::Error {
        let ended = self.helm.check().and_then(|()| self.crossplane.check());
        let error = ended.err().map_or(error, |ended| ended.context("a component ended"));
        self.helm.explain(self.crossplane.explain(error))
    }

    fn here(&self) -> &Cluster {
        &self.control_plane.cluster
    }

    fn there(&self) -> &Cluster {
        &self.target.cluster
    }

    /// Everything that the cluster is composed of, by composition-resource name.
    async fn composed(&self) -> Result<BTreeMap<String, Value>> {
        let mut composed =
            self.here().list("kubernetes.m.crossplane.io/v1alpha1", "Object", NAMESPACE).await?;
        composed.extend(self.here().list("helm.m.crossplane.io/v1beta1", "Release", NAMESPACE).await?);
        Ok(composed.into_iter().map(|it| (render::key(&it).to_owned(), it)).collect())
    }

    /// Asks for the cluster, with the flags of both apps.
    async fn ask(&self, envoy_gateway: bool, extension: bool) -> Result<()> {
        let mut xr = xr();
        set(&mut xr, "spec.parameters.apps.envoyGateway.enabled", json!(envoy_gateway));
        set(&mut xr, "spec.parameters.apps.gatewayInferenceExtension.enabled", json!(extension));
        self.here().apply(&xr, APPLICATION).await.map(drop)
    }

    /// Waits until the cluster is composed of these, all of them ready, and says this of its extension.
    async fn comes_to(&self, ours: &[&str], reason: &str) -> Result<BTreeMap<String, Value>> {
        let mut want: Vec<&str> = [&OTHERS, ours].concat();
        want.sort_unstable();
        until(&format!("{want:?} and {reason}"), LIMIT, async || {
            let composed = self.composed().await?;
            let live = self.here().get(&xr()).await?.unwrap_or_default();
            let waiting: Vec<&String> =
                composed.iter().filter(|(_, it)| !is_synced_and_ready(it)).map(|(key, _)| key).collect();
            let is_there = composed.keys().eq(want.iter())
                && waiting.is_empty()
                && is_synced_and_ready(&live)
                && said(&live).0 == reason;
            Ok(if is_there {
                Look::Ok(composed)
            } else {
                let keys: Vec<&String> = composed.keys().collect();
                let conditions = live.pointer("/status/conditions");
                Look::Err(format!("{keys:?}, of which {waiting:?} are not ready; {conditions:?}"))
            })
        })
        .await
    }

    /// Waits until that is said of the CRD, while all is ready.
    async fn says(&self, words: &str) -> Result<()> {
        until(words, LIMIT, async || {
            self.comes_to(&OURS, "Installed").await?;
            let xr = self.here().get(&xr()).await?.unwrap_or_default();
            let message = said(&xr).1;
            Ok(if message.contains(words) { Look::Ok(()) } else { Look::Err(message.to_owned()) })
        })
        .await
    }
}

fn xr() -> Value {
    json!({
        "apiVersion": "platform.example.org/v1", "kind": "Cluster",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"crossplane": {"compositionRef": {"name": "cluster"}}, "parameters": {"nodeSize": "large"}},
    })
}

/// A step that composes the cluster's apps, an Object and a Release, and ours after it.
fn composition(charts: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.crossplane.io/v1", "kind": "Composition",
        "metadata": {"name": "cluster"},
        "spec": {
            "compositeTypeRef": {"apiVersion": "platform.example.org/v1", "kind": "Cluster"},
            "mode": "Pipeline",
            "pipeline": [
                {
                    "step": "apps",
                    "functionRef": {"name": patch_and_transform::NAME},
                    "input": {
                        "apiVersion": "pt.fn.crossplane.io/v1beta1", "kind": "Resources",
                        "resources": [
                            {
                                "name": "app-config",
                                "base": {
                                    "apiVersion": "kubernetes.m.crossplane.io/v1alpha1", "kind": "Object",
                                    "spec": {
                                        "providerConfigRef": {"kind": "ProviderConfig", "name": NAME},
                                        "forProvider": {"manifest": {
                                            "apiVersion": "v1", "kind": "ConfigMap",
                                            "metadata": {"name": "nodes", "namespace": "default"},
                                        }},
                                    },
                                },
                                "patches": [{
                                    "type": "FromCompositeFieldPath",
                                    "fromFieldPath": "spec.parameters.nodeSize",
                                    "toFieldPath": "spec.forProvider.manifest.data.size",
                                }],
                            },
                            {
                                "name": "app-traefik",
                                "base": {
                                    "apiVersion": "helm.m.crossplane.io/v1beta1", "kind": "Release",
                                    "metadata": {"annotations": {"crossplane.io/external-name": "traefik"}},
                                    "spec": {
                                        "providerConfigRef": {"kind": "ProviderConfig", "name": NAME},
                                        "forProvider": {
                                            "chart": {"repository": charts, "name": "traefik", "version": "1.0.0"},
                                            "namespace": "traefik",
                                        },
                                    },
                                },
                            },
                        ],
                    },
                },
                {
                    "step": "gateway-inference-extension",
                    "functionRef": {"name": "function-inference"},
                    "input": {
                        "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ClusterExtension",
                        "spec": {"bodyBasedRouter": {
                            // Where the project publishes it is out of reach; name and version stay its own.
                            "chart": {"repository": charts},
                            "values": {"bbr": {"image": {"pullPolicy": "IfNotPresent"}}},
                        }},
                    },
                },
            ],
        },
    })
}

/// A chart of one ConfigMap.
fn chart_of_an_app(folder: &Path) -> Result<std::path::PathBuf> {
    let chart = folder.join("traefik");
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: traefik\nversion: 1.0.0\n")?;
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: traefik\n";
    std::fs::write(chart.join("templates/config.yaml"), template)?;
    Ok(chart)
}

/// Reason and message of our condition.
fn said(live: &Value) -> (&str, &str) {
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    let ours = conditions.into_iter().flatten().find(|condition| text(condition, "/type") == CONDITION);
    ours.map_or(("", ""), |condition| (text(condition, "/reason"), text(condition, "/message")))
}

/// What tells that nobody has written an object, nor made it anew.
fn identity(object: &Value) -> (String, String) {
    (text(object, "/metadata/uid").to_owned(), object["metadata"]["generation"].to_string())
}

fn of(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    if !namespace.is_empty() {
        set(&mut object, "metadata.namespace", json!(namespace));
    }
    object
}

fn crd() -> Value {
    of(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "",
        "inferencepools.inference.networking.k8s.io",
    )
}

fn pool() -> Value {
    let mut pool = of("inference.networking.k8s.io/v1", "InferencePool", "default", "llama");
    let spec = json!({
        "selector": {"matchLabels": {"app": "llama"}},
        "targetPorts": [{"number": 8000}],
        "endpointPickerRef": {"name": "llama-epp", "port": {"number": 9002}},
    });
    set(&mut pool, "spec", spec);
    pool
}

/// Somebody writes another definition of that bundle over the live one.
async fn brought(cluster: &Cluster, bundle: &str) -> Result<Value> {
    let mut definition = cluster.get(&crd()).await?.context("the CRD is gone")?;
    definition["metadata"]["annotations"]["inference.networking.k8s.io/bundle-version"] = json!(bundle);
    definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["description"] = json!(bundle);
    definition["metadata"].as_object_mut().context("no metadata")?.remove("managedFields");
    Ok(cluster.replace(&definition).await?.object)
}

/// What the chart makes of our Release, as Helm itself says, and what we add to it.
fn router(release: &Value) -> Result<Vec<Value>> {
    let mut made = helm::template(helm::BODY_BASED_ROUTER_1_3, release)?;
    let kinds: BTreeSet<&str> = made.iter().map(|object| text(object, "/kind")).collect();
    let want = ["ClusterRole", "ClusterRoleBinding", "Deployment", "Service", "ServiceAccount"];
    ensure!(kinds.iter().eq(want.iter()), "the chart makes {kinds:?}");
    made.push(of("policy/v1", "PodDisruptionBudget", ROUTER, "body-based-router"));
    Ok(made)
}

/// What the other step brings to the cluster.
fn apps() -> [Value; 2] {
    [of("v1", "ConfigMap", "default", "nodes"), of("v1", "ConfigMap", "traefik", "traefik")]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_extended_and_loses_the_router_alone_when_that_is_switched_off() -> Result<()> {
    let mut stage = Stage::start().await?;
    let outcome = live(&stage).await;
    outcome.map_err(|error| stage.explain(error))
}

async fn live(stage: &Stage) -> Result<()> {
    // Without its prerequisite nothing of it comes.
    stage.ask(false, true).await?;
    let before = stage.comes_to(&[], "PrerequisiteMissing").await?;
    let alone = versions(stage.there(), &apps()).await?;

    // With it, all does.
    stage.ask(true, true).await?;
    let extended = stage.comes_to(&OURS, "Installed").await?;
    let router = router(&extended["body_based_router"])?;
    is_installed(stage, &extended["body_based_router"], &router).await?;
    let definition = stage.there().get(&crd()).await?.context("there is no CRD")?;
    ensure!(
        text(&definition, "/metadata/annotations/inference.devopstoolkit.ai~1owner") == "clusters/gpu",
        "{definition}"
    );
    // Somebody serves a model.
    let pooled = stage.there().apply(&pool(), APPLICATION).await?.object;

    // Switched off, the router goes, and neither the CRD nor what is of its kind.
    stage.ask(true, false).await?;
    let after = stage.comes_to(&[], "NotRequested").await?;
    gone(stage.there(), &router).await?;
    let kept = stage.there().get(&crd()).await?.context("the CRD is gone")?;
    ensure!(identity(&kept) == identity(&definition), "{kept}");
    let served = stage.there().get(&pool()).await?.context("the pool is gone")?;
    ensure!(identity(&served) == identity(&pooled), "{served}");

    // Switched on again, it comes back, and the CRD that was left is found.
    stage.ask(true, true).await?;
    let again = stage.comes_to(&OURS, "Installed").await?;
    is_installed(stage, &again["body_based_router"], &router).await?;
    let policies = &again["inference_pool_crd"]["spec"]["managementPolicies"];
    ensure!(*policies == json!(["Observe"]), "{policies}");
    let found = stage.there().get(&crd()).await?.context("the CRD is gone")?;
    ensure!(identity(&found) == identity(&definition), "{found}");

    // Somebody brings a newer CRD, in a way that leaves most of it ours: it is looked at, and left as it is.
    let newer = brought(stage.there(), "v1.9.0").await?;
    stage.says("of v1.9.0; it is newer than v1.3.1").await?;
    let left = stage.there().get(&crd()).await?.context("the CRD is gone")?;
    ensure!(identity(&left) == identity(&newer) && left["spec"] == newer["spec"], "{left}");

    // An older one is written over.
    brought(stage.there(), "v1.2.0").await?;
    until("the CRD is written over", LIMIT, async || {
        let updated = stage.there().get(&crd()).await?.context("the CRD is gone")?;
        Ok(if updated["spec"] == definition["spec"] { Look::Ok(()) } else { Look::Err(updated.to_string()) })
    })
    .await?;
    stage.says("of v1.3.1.").await?;

    // All the while nobody has touched what the other step composes, here or there.
    for key in OTHERS {
        for (when, composed) in [("extended", &extended), ("off", &after), ("again", &again)] {
            let (found, first) = (identity(&composed[key]), identity(&before[key]));
            ensure!(found == first, "{key}, {when}: {found:?}, not {first:?}");
        }
    }
    ensure!(versions(stage.there(), &apps()).await? == alone, "the apps were written again");

    // With the composite resource goes all that was composed, and still not the CRD.
    stage.here().delete(&xr()).await?;
    until("nothing is composed", LIMIT, async || {
        let left: Vec<String> = stage.composed().await?.into_keys().collect();
        Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(left.join(", ")) })
    })
    .await?;
    gone(stage.there(), &router).await?;
    ensure!(stage.there().get(&pool()).await?.is_some(), "the pool is gone");
    Ok(())
}

/// The router is there as the chart of the project makes it, with our values.
async fn is_installed(stage: &Stage, release: &Value, router: &[Value]) -> Result<()> {
    ensure!(release["status"]["atProvider"]["version"] == "v1.3.1", "{release}");
    ensure!(condition(release, "Ready") == "True", "{release}");
    for object in router {
        let live = stage.there().get(object).await?.with_context(|| format!("{object} is not there"))?;
        if text(object, "/kind") == "Deployment" {
            ensure!(live["spec"]["replicas"] == 2, "{live}");
            let pull = text(&live, "/spec/template/spec/containers/0/imagePullPolicy");
            ensure!(pull == "IfNotPresent", "the platform's values do not arrive: {live}");
        }
    }
    Ok(())
}

async fn gone(cluster: &Cluster, objects: &[Value]) -> Result<()> {
    until("the router is gone", LIMIT, async || {
        for object in objects {
            if cluster.get(object).await?.is_some() {
                return Ok(Look::Err(object.to_string()));
            }
        }
        Ok(Look::Ok(()))
    })
    .await
}

/// The versions in which objects are stored: each write makes another.
async fn versions(cluster: &Cluster, objects: &[Value]) -> Result<Vec<String>> {
    let mut versions = Vec::new();
    for object in objects {
        let live = cluster.get(object).await?.with_context(|| format!("{object} is not there"))?;
        versions.push(text(&live, "/metadata/resourceVersion").to_owned());
    }
    Ok(versions)
}
