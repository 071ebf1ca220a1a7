//! `docs/what-is-proven.md` names every kind that we emit, where its definition is from, and every component that the
//! tests run.

#[path = "../../generate/mod.rs"]
mod generate;

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::text;
use e2e::controlplane::crds::{self, Source};
use e2e::render::{self, Answer};
use e2e::{tools, workspace};
use serde_json::Value;

/// Enough stacks for every kind to be among them.
const CASES: usize = 330;

/// And of extensions of clusters.
const CLUSTERS: usize = 60;

/// Whose definitions the API server of the tests has.
const SOURCES: [Source; 13] = [
    crds::GATEWAY_API,
    crds::INFERENCE_EXTENSION_1_3,
    crds::INFERENCE_EXTENSION_1_5,
    crds::KEDA,
    crds::PROMETHEUS_OPERATOR,
    crds::PROVIDER_KUBERNETES,
    crds::PROVIDER_HELM,
    crds::ISTIO,
    crds::GKE,
    crds::AI_GATEWAY,
    crds::AGENTGATEWAY,
    crds::ENVOY_GATEWAY_1_7,
    crds::ENVOY_GATEWAY_1_9,
];

#[test]
fn the_page_names_every_kind_and_who_defines_it() -> Result<()> {
    let mut wanted = BTreeSet::new();
    for (api_version, kind) in emitted()? {
        wanted.insert(format!("| `{kind}` | `{api_version}` | {} |", origin(&api_version, &kind)?));
    }
    let page = page()?;
    let written: BTreeSet<String> = section(&page, "## Kinds")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = wanted.difference(&written).collect();
    let wrong: Vec<_> = written.difference(&wanted).collect();
    ensure!(missing.is_empty() && wrong.is_empty(), "missing: {missing:#?}\nnot true: {wrong:#?}");
    Ok(())
}

#[test]
fn the_page_names_every_component_that_is_run() -> Result<()> {
    let page = page()?;
    let components = section(&page, "## Components");
    let mut missing = Vec::new();
    for tool in tools::ALL {
        let start = format!("| `{}` | {} |", tool.package, tool.version()?);
        if !components.lines().any(|line| line.starts_with(&start)) {
            missing.push(start);
        }
    }
    ensure!(missing.is_empty(), "missing: {missing:#?}");
    Ok(())
}

/// A release of the operator that may be asked for has a definition that its runtimes are held to.
#[test]
fn every_operator_release_is_written_down() {
    let releases = generate::deterministic(CASES, generate::case()).into_iter().filter_map(|case| {
        let input = case.input?;
        Some(input.pointer("/spec/workload/operatorVersion")?.as_str()?.to_owned())
    });
    let releases: BTreeSet<String> = releases.collect();
    let missing: Vec<_> = releases.iter().filter(|release| !crds::has_operator(release)).collect();
    assert!(!releases.is_empty() && missing.is_empty(), "tests/e2e/crds/vllmruntimes lacks {missing:?}");
}

/// `apiVersion` and kind of everything that examples and generated stacks are composed of and deliver.
fn emitted() -> Result<BTreeSet<(String, String)>> {
    let function = workspace::function()?;
    let mut emitted = BTreeSet::new();
    let mut add = |answer: Answer| {
        if let Answer::Rendered(rendered) = answer {
            for resource in &rendered.composed {
                let manifest = resource.pointer("/spec/forProvider/manifest");
                for object in [Some(resource), manifest].into_iter().flatten() {
                    emitted
                        .insert((text(object, "/apiVersion").to_owned(), text(object, "/kind").to_owned()));
                }
            }
        }
    };
    for scenario in render::scenarios(&workspace::root().join("examples"))? {
        add(render::preview(&function, &scenario)?);
    }
    let folder = tempfile::tempdir()?;
    for case in generate::deterministic(CASES, generate::case()) {
        add(render::preview_of(&function, folder.path(), &case.composite, case.input.as_ref())?);
    }
    for cluster in generate::deterministic(CLUSTERS, generate::clusters::cluster()) {
        add(render::preview_of(&function, folder.path(), &cluster.composite, Some(&cluster.input))?);
    }
    Ok(emitted)
}

/// Where a kind's definition is from, as the page has it.
fn origin(api_version: &str, kind: &str) -> Result<String> {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let defines = |crd: &Value| text(crd, "/spec/group") == group && text(crd, "/spec/names/kind") == kind;
    let mut modules = Vec::new();
    for source in SOURCES {
        if source.crds()?.iter().any(defines) {
            modules.push(format!("`{}` {}", source.module, source.version));
        }
    }
    if !modules.is_empty() {
        return Ok(modules.join(", "));
    }
    let ours = [crds::vllm_runtime()?, crds::llm_d_objective()?, crds::nginx_settings()?].concat();
    if ours.iter().any(defines) {
        return Ok("**unproven**: written down in `tests/e2e/crds`".to_owned());
    }
    // What Kubernetes has of its own: the test of acceptance applies it.
    ensure!(!group.contains('.') || group.ends_with(".k8s.io"), "nobody defines {api_version} {kind}");
    Ok(format!("`k8s.io/kubernetes` {}", tools::KUBE_APISERVER.version()?))
}

fn page() -> Result<String> {
    let path = workspace::root().join("docs/what-is-proven.md");
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// What stands below a heading, to the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let below = page.split_once(heading).map_or("", |(_, below)| below);
    below.split("\n## ").next().unwrap_or(below)
}
