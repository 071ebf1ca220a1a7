//! A real API server with everybody's real CRDs accepts every object we make, keeps all of it and adds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use e2e::controlplane::ControlPlane;
use e2e::controlplane::cluster::{Accepted, Cluster, Refused, describe, text};
use e2e::controlplane::crds::{self, Source};
use e2e::render::{self, Answer};
use e2e::wrapped::{delivered, named};
use e2e::{acceptance, workspace};
use serde_json::{Value, json};

/// In whose name Crossplane applies what it composes, but for a hash of who the composite resource is.
const CROSSPLANE: &str = "apiextensions.crossplane.io/composed";

#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_every_example_is_accepted_with_inference_extension_1_3() -> Result<()> {
    every_object_of_every_example_is_accepted(crds::INFERENCE_EXTENSION_1_3, "acceptance-1.3").await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_every_example_is_accepted_with_inference_extension_1_5() -> Result<()> {
    every_object_of_every_example_is_accepted(crds::INFERENCE_EXTENSION_1_5, "acceptance-1.5").await
}

/// Such a CRD drops nothing and defaults nothing, so what the operator reads there is what we wrote, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_on_a_stub_crd_is_what_we_wrote() -> Result<()> {
    let control_plane = ControlPlane::start("acceptance-stub").await?;
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds/vllmruntimes-stub.yaml");
    crds::install(&control_plane.cluster, &crds::read_crds(&stub)?).await?;

    let mut problems = Vec::new();
    let mut seen = 0;
    for (scenario, composed) in rendered_examples(&mut problems)? {
        let runtimes = composed.iter().filter_map(|resource| delivered(&named(resource)));
        for runtime in runtimes.filter(|delivered| text(&delivered.manifest, "/kind") == "VLLMRuntime") {
            let mut checked = Checked::new(&control_plane.cluster);
            checked.ensure_namespace(text(&runtime.manifest, "/metadata/namespace")).await?;
            let live = control_plane.cluster.apply(&runtime.manifest, &runtime.field_manager).await?.object;
            if live.get("spec") != runtime.manifest.get("spec") {
                problems.push(format!("{scenario}: the runtime is stored as {live}"));
            }
            control_plane.cluster.delete(&live).await?;
            seen += 1;
        }
    }
    render::report(&problems)?;
    anyhow::ensure!(seen > 0, "no example has a VLLMRuntime");
    Ok(())
}

async fn every_object_of_every_example_is_accepted(extension: Source, name: &str) -> Result<()> {
    let mut problems = Vec::new();
    let examples = rendered_examples(&mut problems)?;
    let control_plane = ControlPlane::start(name).await?;
    let installed_in = crds::install(&control_plane.cluster, &kinds(extension)?).await?;

    let mut checked = Checked { problems, ..Checked::new(&control_plane.cluster) };
    for (scenario, composed) in examples {
        checked.scenario = scenario;
        checked.all(&composed).await.map_err(|error| control_plane.explain(error))?;
    }
    tell(&format!(
        "{name}: control plane up in {:.1?}, CRDs served after {installed_in:.1?}, accepted {:?}",
        control_plane.started_in, checked.accepted
    ));
    render::report(&checked.problems)?;
    anyhow::ensure!(!checked.accepted.is_empty(), "nothing was composed");
    Ok(())
}

/// What every example that is not refused is composed of, by the example's name.
fn rendered_examples(problems: &mut Vec<String>) -> Result<Vec<(String, Vec<Value>)>> {
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    let function = workspace::function()?;
    let mut examples = Vec::new();
    for scenario in scenarios.into_iter().filter(|scenario| !scenario.is_refused()) {
        match render::preview(&function, &scenario)? {
            Answer::Rendered(rendered) => examples.push((scenario.name, rendered.composed)),
            Answer::Refused(why) => problems.push(format!("{}: {why}", scenario.name)),
        }
    }
    Ok(examples)
}

/// Every kind that the examples may use.
fn kinds(extension: Source) -> Result<Vec<Value>> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let mut all = crds::read_crds(&own.join("vllmruntimes-0.1.12.yaml"))?;
    let others =
        [crds::GATEWAY_API, extension, crds::KEDA, crds::PROMETHEUS_OPERATOR, crds::PROVIDER_KUBERNETES];
    for source in others {
        all.extend(source.crds()?);
    }
    Ok(all)
}

/// What was found so far.
struct Checked<'a> {
    cluster: &'a Cluster,
    /// Objects by kind.
    accepted: BTreeMap<String, usize>,
    problems: Vec<String>,
    namespaces: BTreeSet<String>,
    scenario: String,
}

impl<'a> Checked<'a> {
    fn new(cluster: &'a Cluster) -> Self {
        Self {
            cluster,
            accepted: BTreeMap::new(),
            problems: Vec::new(),
            namespaces: BTreeSet::new(),
            scenario: String::new(),
        }
    }

    /// Applies everything that is composed and delivered, and takes it away again.
    async fn all(&mut self, composed: &[Value]) -> Result<()> {
        let composed: Vec<Value> = composed.iter().map(named).collect();
        let mut there = Vec::new();
        for resource in &composed {
            self.one(resource, CROSSPLANE, &mut there).await?;
            if let Some(delivered) = delivered(resource) {
                self.one(&delivered.manifest, &delivered.field_manager, &mut there).await?;
            }
        }
        for object in there {
            self.cluster
                .delete(&object)
                .await
                .with_context(|| format!("cannot delete {}", describe(&object)))?;
        }
        Ok(())
    }

    async fn one(&mut self, object: &Value, manager: &str, there: &mut Vec<Value>) -> Result<()> {
        self.ensure_namespace(text(object, "/metadata/namespace")).await?;
        let identity = |object: &Value| (text(object, "/apiVersion").to_owned(), describe(object));
        let second_view = there.iter().any(|other| identity(other) == identity(object));

        let first = match self.cluster.apply(object, manager).await {
            Ok(first) => first,
            // The API server says no: that is a finding. That it does not answer is the end of the test.
            Err(error) if error.is::<Refused>() => {
                self.problem(object, &format!("refused: {error:#}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if !second_view {
            there.push(object.clone());
        }
        *self.accepted.entry(text(object, "/kind").to_owned()).or_default() += 1;

        let Accepted { object: second, warnings } = self.cluster.apply(object, manager).await?;
        if text(&first.object, "/metadata/resourceVersion") != text(&second, "/metadata/resourceVersion") {
            self.problem(object, "applying it again changes it");
        }
        let live = self.cluster.get(object).await?.context("it is accepted, but not there")?;
        let mut findings: Vec<String> = first.warnings.into_iter().chain(warnings).collect();
        findings.extend(acceptance::lost(object, &live));
        // What another manager wrote is no default.
        if !second_view {
            findings.extend(acceptance::added(object, &live));
        }
        for finding in findings.into_iter().collect::<BTreeSet<_>>() {
            self.problem(object, &finding);
        }
        Ok(())
    }

    async fn ensure_namespace(&mut self, name: &str) -> Result<()> {
        if name.is_empty() || !self.namespaces.insert(name.to_owned()) {
            return Ok(());
        }
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        self.cluster.apply(&namespace, "e2e").await.map(drop)
    }

    fn problem(&mut self, object: &Value, what: &str) {
        self.problems.push(format!("{}: {}: {what}", self.scenario, describe(object)));
    }
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
