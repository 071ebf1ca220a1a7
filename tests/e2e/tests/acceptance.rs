//! A real API server with everybody's real CRDs accepts every object we make, keeps all of it and adds nothing.

#[path = "../../generate/mod.rs"]
mod generate;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use e2e::controlplane::ControlPlane;
use e2e::controlplane::cluster::{Accepted, Cluster, Refused, describe, text};
use e2e::controlplane::crds::{self, Source};
use e2e::controlplane::keda::Admission;
use e2e::render::{self, Answer};
use e2e::wrapped::{CROSSPLANE, delivered, is_object, named};
use e2e::{acceptance, workspace};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use generate::Case;

/// How many stacks are generated; those that share a name which is to be unique, or whose name is too long, do not count.
const CASES: usize = 330;

/// What they are composed of, for all tests.
static GENERATED: OnceCell<Vec<Stack>> = OnceCell::const_new();

/// How many stacks are applied side by side.
const AT_A_TIME: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn every_object_is_accepted_with_inference_extension_1_3() -> Result<()> {
    let releases = [crds::INFERENCE_EXTENSION_1_3, crds::ENVOY_GATEWAY_1_7];
    every_object_is_accepted(releases, "acceptance-1.3", |_| true).await
}

/// Of the generated stacks only what is different there: the rest meets the very same CRDs.
#[tokio::test(flavor = "multi_thread")]
async fn every_object_is_accepted_with_inference_extension_1_5() -> Result<()> {
    let different = |object: &Value| {
        let api_version = text(object, "/apiVersion");
        ["inference.networking.", "gateway.envoyproxy.io/"].iter().any(|group| api_version.starts_with(group))
    };
    let releases = [crds::INFERENCE_EXTENSION_1_5, crds::ENVOY_GATEWAY_1_9];
    every_object_is_accepted(releases, "acceptance-1.5", different).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_is_accepted_by_the_definition_of_its_operator() -> Result<()> {
    let generated = GENERATED.get_or_try_init(rendered_cases).await?;
    let mut problems = Vec::new();
    for release in crds::OLDER_OPERATORS {
        let control_plane = ControlPlane::start(&format!("acceptance-operator-{release}")).await?;
        crds::install(&control_plane.cluster, &crds::vllm_runtime_of(release)?).await?;
        let is_runtime = |object: &Value| text(object, "/kind") == "VLLMRuntime";
        let mut seen = 0;
        for stack in generated {
            let checked = stack.check(&control_plane.cluster, release, is_runtime).await?;
            seen += checked.accepted.values().sum::<usize>();
            problems
                .extend(checked.problems.into_iter().map(|problem| format!("operator {release}: {problem}")));
        }
        anyhow::ensure!(seen > 0, "no stack is for operator {release}");
    }
    render::report(&problems)
}

/// Such a CRD drops nothing and defaults nothing, so what the operator reads there is what we wrote, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_on_a_stub_crd_is_what_we_wrote() -> Result<()> {
    let control_plane = ControlPlane::start("acceptance-stub").await?;
    crds::install(&control_plane.cluster, &crds::vllm_runtime_stub()?).await?;

    let mut problems = Vec::new();
    let mut seen = 0;
    let mut namespaces = BTreeSet::new();
    for Stack { name, composed, .. } in rendered_examples(&mut problems)? {
        let runtimes = composed.iter().filter_map(|resource| delivered(&named(resource)));
        for runtime in runtimes.filter(|delivered| text(&delivered.manifest, "/kind") == "VLLMRuntime") {
            let namespace = text(&runtime.manifest, "/metadata/namespace");
            if namespaces.insert(namespace.to_owned()) {
                ensure_namespace(&control_plane.cluster, namespace).await?;
            }
            let live = control_plane.cluster.apply(&runtime.manifest, &runtime.field_manager).await?.object;
            if live.get("spec") != runtime.manifest.get("spec") {
                problems.push(format!("{name}: the runtime is stored as {live}"));
            }
            control_plane.cluster.delete(&live).await?;
            seen += 1;
        }
    }
    render::report(&problems)?;
    anyhow::ensure!(seen > 0, "no example has a VLLMRuntime");
    Ok(())
}

/// Every object of every example, one example after the other, since they share names; and those objects of generated
/// stacks that are asked for.
async fn every_object_is_accepted(
    releases: [Source; 2],
    name: &str,
    asked_for: fn(&Value) -> bool,
) -> Result<()> {
    let mut problems = Vec::new();
    let examples = rendered_examples(&mut problems)?;
    let generated = GENERATED.get_or_try_init(rendered_cases).await?;
    let control_plane = ControlPlane::start(name).await?;
    let cluster = &control_plane.cluster;
    let installed_in = crds::install(cluster, &kinds(releases)?).await?;
    // It has no other rights than to say no, and to warn, which is a finding.
    let _admission = Admission::start(&control_plane).await?;

    let started = Instant::now();
    let mut accepted = BTreeMap::new();
    let everything: fn(&Value) -> bool = |_| true;
    for (stacks, at_a_time, asked_for) in [(&examples, 1, everything), (generated, AT_A_TIME, asked_for)] {
        let mut checked = futures::stream::iter(stacks)
            .map(|stack| stack.check(cluster, crds::OPERATOR, asked_for))
            .buffer_unordered(at_a_time);
        while let Some(checked) = checked.try_next().await.map_err(|error| control_plane.explain(error))? {
            problems.extend(checked.problems);
            for (kind, count) in checked.accepted {
                *accepted.entry(kind).or_insert(0_usize) += count;
            }
        }
    }
    tell(&format!(
        "{name}: control plane up in {:.1?}, CRDs served after {installed_in:.1?}; of {} examples and {} generated \
         stacks accepted in {:.1?}: {accepted:?}",
        control_plane.started_in,
        examples.len(),
        generated.len(),
        started.elapsed(),
    ));
    render::report(&problems)?;
    anyhow::ensure!(accepted.contains_key("InferencePool"), "nothing was composed that could be different");
    Ok(())
}

/// What every example that is not refused is composed of.
fn rendered_examples(problems: &mut Vec<String>) -> Result<Vec<Stack>> {
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    let function = workspace::function()?;
    let mut examples = Vec::new();
    for scenario in scenarios.into_iter().filter(|scenario| scenario.is_model() && !scenario.is_refused()) {
        match render::preview(&function, &scenario)? {
            Answer::Rendered(rendered) => {
                examples.push(Stack { name: scenario.name, composed: rendered.composed, case: None });
            }
            Answer::Refused(why) => problems.push(format!("{}: {why}", scenario.name)),
        }
    }
    Ok(examples)
}

/// What the generated stacks are composed of. Each has namespaces of its own, and where there is none, a name.
async fn rendered_cases() -> Result<Vec<Stack>> {
    let function = workspace::function()?;
    let mut names = BTreeSet::new();
    let mut cases = generate::deterministic(CASES, generate::case());
    cases.retain(|case| case.is_namespaced() || names.insert(case.name().to_owned()));

    let renders = futures::stream::iter(cases.into_iter().enumerate()).map(|(number, case)| {
        let function = function.clone();
        let render = move || -> Result<Option<Stack>> {
            let case = case.apart(number);
            let folder = tempfile::tempdir()?;
            match render::preview_of(&function, folder.path(), &case.composite, case.input.as_ref())? {
                Answer::Rendered(rendered) => Ok(Some(Stack {
                    name: format!("case {number}"),
                    composed: rendered.composed,
                    case: Some(case),
                })),
                Answer::Refused(why) if case.may_be_refused(&why) => Ok(None),
                Answer::Refused(why) => bail!("{why}\n{case:?}"),
            }
        };
        async { tokio::task::spawn_blocking(render).await? }
    });
    let stacks: Vec<Option<Stack>> = renders.buffered(AT_A_TIME).try_collect().await?;
    Ok(stacks.into_iter().flatten().collect())
}

/// Every kind that may be composed, those of which there are several releases as these have them.
fn kinds(releases: [Source; 2]) -> Result<Vec<Value>> {
    let mut all = [crds::vllm_runtime()?, crds::llm_d_objective()?, crds::gateways()?].concat();
    let others = [crds::GATEWAY_API, crds::KEDA, crds::PROMETHEUS_OPERATOR, crds::PROVIDER_KUBERNETES];
    for source in releases.into_iter().chain(others) {
        all.extend(source.crds()?);
    }
    Ok(all)
}

/// A rendered stack.
struct Stack {
    name: String,
    composed: Vec<Value>,
    /// What it was rendered from, where that is in no file.
    case: Option<Case>,
}

/// What the API server said to a stack.
#[derive(Default)]
struct Checked {
    /// Objects by kind.
    accepted: BTreeMap<String, usize>,
    problems: Vec<String>,
}

impl Stack {
    /// The release of the vLLM operator that its runtime is for.
    fn operator(&self) -> &str {
        let input = self.case.as_ref().and_then(|case| case.input.as_ref());
        input
            .and_then(|input| input.pointer("/spec/workload/operatorVersion")?.as_str())
            .unwrap_or(crds::OPERATOR)
    }

    /// Applies what is composed and delivered, as far as it is asked for and fits that release of the vLLM operator,
    /// and takes away what would be in another's way.
    async fn check(
        &self,
        cluster: &Cluster,
        operator: &str,
        asked_for: impl Fn(&Value) -> bool,
    ) -> Result<Checked> {
        let fits = |object: &Value| text(object, "/kind") != "VLLMRuntime" || self.operator() == operator;
        let composed: Vec<Value> = self.composed.iter().map(named).collect();
        let mut checked = Checked::default();
        let mut namespaces = BTreeSet::new();
        let mut there = Vec::new();
        for resource in &composed {
            let delivered = delivered(resource);
            let wrapper = is_object(resource).then_some((resource, CROSSPLANE));
            let delivered = delivered.as_ref().map(|it| (&it.manifest, it.field_manager.as_str()));
            let objects =
                wrapper.into_iter().chain(delivered).filter(|(object, _)| asked_for(object) && fits(object));
            for (object, manager) in objects {
                let namespace = text(object, "/metadata/namespace");
                if !namespace.is_empty() && namespaces.insert(namespace.to_owned()) {
                    ensure_namespace(cluster, namespace).await?;
                }
                for problem in apply(cluster, object, manager, &mut there).await? {
                    checked.problems.push(format!("{}: {}: {problem}", self.name, describe(object)));
                }
                *checked.accepted.entry(text(object, "/kind").to_owned()).or_default() += 1;
            }
        }
        // Generated stacks share nothing but the few addresses that there are for Services.
        there.retain(|object| self.case.is_none() || text(object, "/kind") == "Service");
        for object in there {
            cluster.delete(&object).await.with_context(|| format!("cannot delete {}", describe(&object)))?;
        }
        if let (Some(case), false) = (&self.case, checked.problems.is_empty()) {
            checked.problems.push(format!("{} is {case:?}", self.name));
        }
        Ok(checked)
    }
}

/// Applies an object twice and reads it back. Returns what is wrong with it; `there` collects what has to go again.
async fn apply(
    cluster: &Cluster,
    object: &Value,
    manager: &str,
    there: &mut Vec<Value>,
) -> Result<BTreeSet<String>> {
    let identity = |object: &Value| (text(object, "/apiVersion").to_owned(), describe(object));
    let second_view = there.iter().any(|other| identity(other) == identity(object));

    let first = match cluster.apply(object, manager).await {
        Ok(first) => first,
        // The API server says no: that is a finding. That it does not answer is the end of the test.
        Err(error) if error.is::<Refused>() => return Ok(BTreeSet::from([format!("refused: {error:#}")])),
        Err(error) => return Err(error),
    };
    if !second_view {
        there.push(object.clone());
    }
    let mut findings = BTreeSet::new();
    let Accepted { object: second, warnings } = cluster.apply(object, manager).await?;
    if text(&first.object, "/metadata/resourceVersion") != text(&second, "/metadata/resourceVersion") {
        findings.insert("applying it again changes it".to_owned());
    }
    let live = cluster.get(object).await?.context("it is accepted, but not there")?;
    let warnings = first.warnings.into_iter().chain(warnings);
    findings.extend(warnings.filter(|warning| !acceptance::is_agreed_warning(warning)));
    findings.extend(acceptance::lost(object, &live));
    // What another manager wrote is no default.
    if !second_view {
        findings.extend(acceptance::added(object, &live));
    }
    Ok(findings)
}

async fn ensure_namespace(cluster: &Cluster, name: &str) -> Result<()> {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    cluster.apply(&namespace, "e2e").await.map(drop)
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
