//! Real Crossplane and the real provider bring every example to Ready, keep still, and leave nothing behind.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, describe, text};
use e2e::controlplane::core::{PLATFORM, condition, install_xrd};
use e2e::controlplane::crossplane::Crossplane;
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{ControlPlane, crds, standin};
use e2e::files::{set, yaml};
use e2e::{acceptance, render, workspace};
use serde_json::{Value, json};

/// Everything is up within seconds, but that is more news at once than Crossplane's circuit breaker lets through: it
/// opens, and for five minutes lets one event pass every 30 s and drops the others, those of the composite resource
/// itself included (Crossplane v2.3.4, `internal/circuit`). So Ready takes a minute.
const READY_LIMIT: Duration = Duration::from_mins(5);

/// A change takes a second.
const CHANGE_LIMIT: Duration = Duration::from_mins(1);

/// An image that no example has.
const CHANGED_IMAGE: &str = "docker.io/lmcache/vllm-openai:v0.3.13-changed";

/// An Object that is deleted within 30 s of its creation keeps its finalizer until those are over
/// (provider-kubernetes v1.2.1).
const GONE_LIMIT: Duration = Duration::from_mins(3);

/// How long nothing happens before calls are counted, and how long they are.
const QUIET: Duration = Duration::from_secs(20);

/// Kinds that an example may leave behind.
const KINDS: [(&str, &str); 16] = [
    ("kubernetes.m.crossplane.io/v1alpha1", "Object"),
    ("production-stack.vllm.ai/v1alpha1", "VLLMRuntime"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("inference.networking.k8s.io/v1", "InferencePool"),
    ("inference.networking.x-k8s.io/v1alpha2", "InferenceObjective"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_example_becomes_ready_keeps_still_and_goes() -> Result<()> {
    let function = workspace::function()?;
    let control_plane = ControlPlane::start("crossplane").await?;
    let cluster = &control_plane.cluster;
    let installed_in = crds::install(cluster, &kinds()?).await?;
    let crossplane = Crossplane::start(&control_plane, &function).await?;
    let outcome = live(&control_plane, &crossplane).await;
    let seen = outcome.map_err(|error| crossplane.explain(error))?;
    tell(&format!(
        "control plane up in {:.1?}, CRDs served after {installed_in:.1?}, {seen}",
        control_plane.started_in
    ));
    Ok(())
}

async fn live(control_plane: &ControlPlane, crossplane: &Crossplane) -> Result<String> {
    let cluster = &control_plane.cluster;
    let xrd = yaml(&workspace::root().join("package/configuration/definition.yaml"))?;
    install_xrd(cluster, &xrd).await?;

    let mut models = Vec::new();
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    for scenario in scenarios.iter().filter(|scenario| !scenario.is_refused()) {
        models.push(Model::apply(control_plane, crossplane, scenario).await?);
    }
    ensure!(!models.is_empty(), "there is no example");

    let applied = Instant::now();
    all_become_ready(cluster, &models).await?;
    let ready_in = applied.elapsed();
    for model in &models {
        model.is_as_applied(cluster).await?;
    }

    tokio::time::sleep(QUIET).await;
    let before = crossplane.calls()?;
    tokio::time::sleep(QUIET).await;
    let calls = crossplane.calls()? - before;
    // Core looks at each once a minute.
    ensure!(
        calls <= 2 * models.len() as u64,
        "{} composite resources at rest were composed {calls} times in {QUIET:?}",
        models.len()
    );

    // By then each circuit breaker lets the next event pass.
    let changed = Instant::now();
    for model in &models {
        model.follows_a_change(cluster).await?;
    }
    let changed_in = changed.elapsed();

    let deleted = Instant::now();
    for model in &models {
        cluster.delete(&model.xr).await?;
    }
    for model in &models {
        model.goes(cluster).await?;
    }
    Ok(format!(
        "{} examples Ready after {ready_in:.1?}, composed {calls} times in {QUIET:?} at rest, changed in \
         {changed_in:.1?}, gone after {:.1?}",
        models.len(),
        deleted.elapsed()
    ))
}

/// Plays the target cluster until every model is Synced and Ready.
async fn all_become_ready(cluster: &Cluster, models: &[Model]) -> Result<()> {
    until("every composite resource is Synced and Ready", READY_LIMIT, async || {
        let mut waiting = Vec::new();
        for model in models {
            standin::settle(cluster, &model.namespace).await?;
            let live = cluster.get(&model.xr).await?.context("the composite resource is gone")?;
            if condition(&live, "Synced") != "True" || condition(&live, "Ready") != "True" {
                waiting.push(format!("{}: {}", describe(&live), model.state(cluster, &live).await?));
            }
        }
        Ok(if waiting.is_empty() { Look::Ok(()) } else { Look::Err(waiting.join("\n")) })
    })
    .await
}

/// An example, in a namespace of its own: several use the same names.
struct Model {
    xr: Value,
    namespace: String,
}

impl Model {
    async fn apply(
        control_plane: &ControlPlane,
        crossplane: &Crossplane,
        scenario: &render::Scenario,
    ) -> Result<Self> {
        let cluster = &control_plane.cluster;
        let stem = scenario.name.trim_end_matches(".yaml").replace(['/', '.'], "-");
        // What the examples' own policies allow.
        let name = format!("team-{stem}");
        namespace(cluster, &name).await?;

        let mut xr = yaml(&scenario.xr)?;
        let provider_config = text(&xr, "/spec/providerConfigName").to_owned();
        set(&mut xr, "metadata.namespace", json!(name));
        set(&mut xr, "spec.crossplane.compositionRef.name", json!(stem));

        let mut composition = yaml(&scenario.composition)?;
        set(&mut composition, "metadata.name", json!(stem));
        let steps =
            composition.pointer("/spec/pipeline").and_then(Value::as_array).cloned().unwrap_or_default();
        for step in &steps {
            crossplane.install_function(cluster, text(step, "/functionRef/name")).await?;
        }
        cluster.apply(&composition, PLATFORM).await?;

        let kubeconfig = std::fs::read_to_string(&control_plane.kubeconfig)?;
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "target-cluster", "namespace": name},
            "stringData": {"kubeconfig": kubeconfig},
        });
        cluster.apply(&secret, PLATFORM).await?;
        let config = json!({
            "apiVersion": "kubernetes.m.crossplane.io/v1alpha1",
            "kind": "ProviderConfig",
            "metadata": {"name": provider_config, "namespace": name},
            "spec": {"credentials": {
                "source": "Secret",
                "secretRef": {"namespace": name, "name": "target-cluster", "key": "kubeconfig"},
            }},
        });
        cluster.apply(&config, PLATFORM).await?;
        cluster.apply(&xr, "application-team").await.with_context(|| scenario.name.clone())?;
        Ok(Self { xr, namespace: name })
    }

    /// What the schema does not know would have been pruned in silence, and a Ready model can be called.
    async fn is_as_applied(&self, cluster: &Cluster) -> Result<()> {
        let live = cluster.get(&self.xr).await?.unwrap_or_default();
        let lost = acceptance::lost(&self.xr, &live);
        ensure!(lost.is_empty(), "{}: {lost:?}", describe(&self.xr));
        let url = text(&live, "/status/url");
        ensure!(url.starts_with("http"), "{} is Ready, and its URL is `{url}`", describe(&self.xr));
        ensure!(
            condition(&live, "WorkloadReady") == "True",
            "{} is Ready without a workload",
            describe(&self.xr)
        );
        Ok(())
    }

    /// A new image reaches the object on the target cluster.
    async fn follows_a_change(&self, cluster: &Cluster) -> Result<()> {
        let mut changed = self.xr.clone();
        set(&mut changed, "spec.runtime.image", json!(CHANGED_IMAGE));
        cluster.apply(&changed, "application-team").await?;
        let what = format!("the runtime of {} has the changed image", describe(&self.xr));
        until(&what, CHANGE_LIMIT, async || {
            let runtimes =
                cluster.list("production-stack.vllm.ai/v1alpha1", "VLLMRuntime", &self.namespace).await?;
            let images: Vec<String> = runtimes
                .iter()
                .map(|runtime| {
                    let part =
                        |field| text(runtime, &format!("/spec/deploymentConfig/image/{field}")).to_owned();
                    format!("{}/{}", part("registry"), part("name"))
                })
                .collect();
            Ok(if images == [CHANGED_IMAGE] { Look::Ok(()) } else { Look::Err(format!("{images:?}")) })
        })
        .await
    }

    /// What a person would look at: conditions, and the Objects that are not there yet.
    async fn state(&self, cluster: &Cluster, live: &Value) -> Result<String> {
        let conditions = live.pointer("/status/conditions").cloned().unwrap_or_default();
        let mut waiting = Vec::new();
        for object in cluster.list("kubernetes.m.crossplane.io/v1alpha1", "Object", &self.namespace).await? {
            if condition(&object, "Synced") != "True" || condition(&object, "Ready") != "True" {
                let conditions = object.pointer("/status/conditions").cloned().unwrap_or_default();
                waiting.push(format!(
                    "{}: {conditions}",
                    describe(object.pointer("/spec/forProvider/manifest").unwrap_or(&object))
                ));
            }
        }
        Ok(format!("{conditions}\nObjects: {}", waiting.join("\n")))
    }

    async fn goes(&self, cluster: &Cluster) -> Result<()> {
        let what = format!("{} and all it was composed of are gone", describe(&self.xr));
        until(&what, GONE_LIMIT, async || {
            let mut left = Vec::new();
            if cluster.get(&self.xr).await?.is_some() {
                left.push(describe(&self.xr));
            }
            for (api_version, kind) in KINDS {
                left.extend(cluster.list(api_version, kind, &self.namespace).await?.iter().map(describe));
            }
            Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(left.join(", ")) })
        })
        .await
    }
}

/// Everything that the components and the examples need.
fn kinds() -> Result<Vec<Value>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut all = crds::read_crds(&own.join("vllmruntimes-0.1.12.yaml"))?;
    for source in [
        crds::CROSSPLANE,
        crds::PROVIDER_KUBERNETES,
        crds::GATEWAY_API,
        crds::INFERENCE_EXTENSION_1_3,
        crds::KEDA,
        crds::PROMETHEUS_OPERATOR,
    ] {
        all.extend(source.crds()?);
    }
    Ok(all)
}

async fn namespace(cluster: &Cluster, name: &str) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    cluster.apply(&namespace, PLATFORM).await.map(drop)
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
