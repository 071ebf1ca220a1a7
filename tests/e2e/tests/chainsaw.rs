//! The suites of `tests/chainsaw`, run as a person would run them on a cluster: by chainsaw, against real Crossplane.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::text;
use e2e::controlplane::core::NAMESPACE;
use e2e::controlplane::platform::{PLATFORM, install_composition, install_xrd};
use e2e::controlplane::played::Played;
use e2e::controlplane::provider::{ConfigKind, connect};
use e2e::controlplane::stage::{Settings, Stage};
use e2e::controlplane::{crds, function, patch_and_transform};
use e2e::files::yaml;
use e2e::{process, tools, workspace};
use serde_json::{Value, json};

/// A minute and a half, of which the suites themselves wait half a minute. Where one fails, it waits for some minutes
/// for what it asserts, and as long for what it cleans up.
const RUN_LIMIT: Duration = Duration::from_mins(15);

#[tokio::test(flavor = "multi_thread")]
async fn every_suite_passes() -> Result<()> {
    let chainsaw = tools::CHAINSAW.path()?;
    let stage = Stage::start("chainsaw", Settings::default()).await?;
    let _others = prepare(&stage).await?;
    let started = Instant::now();
    let suites = run(&chainsaw, &stage)?;
    tell(&format!("{suites} suites passed in {:.1?}", started.elapsed()));
    Ok(())
}

#[test]
fn only_a_suite_that_ran_without_a_failure_has_passed() {
    let operation = |failure: &str| match failure {
        "" => json!({"type": "assert"}),
        error => json!({"type": "assert", "failure": {"error": error}}),
    };
    let suite = |name: &str, failure: &str| json!({"name": name, "steps": [{"name": "looks", "operations": [operation(failure)]}]});
    let report =
        json!({"tests": [suite("good", ""), suite("bad", "no"), {"name": "skipped", "skipped": true}]});

    let (passed, failures) = read(&report);
    assert_eq!(passed, BTreeSet::from(["good".to_owned()]));
    assert_eq!(failures, ["--- bad, looks, assert: no"]);
}

/// Does what `tests/chainsaw/README.md` asks of a person. The other function ends with what is returned.
async fn prepare(stage: &Stage) -> Result<Played> {
    let setup = folder().join("setup");
    let composition = yaml(&setup.join("composition.yaml"))?;
    install_composition(stage.cluster(), &stage.crossplane.function, &composition).await?;
    let others = clusters(stage, &setup).await?;
    // The provider runs in no pod that could tell it who it is, so it gets a kubeconfig instead.
    let target = yaml(&setup.join("target-cluster.yaml"))?;
    stage.cluster().check(&target, PLATFORM).await?;
    let name = text(&target, "/metadata/name");
    let way_in = stage.target_kubeconfig();
    connect(stage.cluster(), ConfigKind::ClusterProviderConfig, NAMESPACE, name, way_in).await?;
    Ok(others)
}

/// What the suites of clusters need beside: kinds, Compositions, and the function that their first step calls.
async fn clusters(stage: &Stage, setup: &Path) -> Result<Played> {
    crds::install(stage.cluster(), &crds::PROVIDER_HELM.crds()?).await?;
    let others = Played::start(&stage.control_plane, "others", patch_and_transform::answer).await?;
    function::make_known(stage.cluster(), patch_and_transform::NAME, others.endpoint).await?;
    install_xrd(stage.cluster(), &yaml(&setup.join("cluster-definition.yaml"))?).await?;
    let compositions = yaml(&setup.join("cluster-compositions.yaml"))?;
    for composition in list(&compositions, "/items") {
        stage.cluster().apply(composition, PLATFORM).await?;
    }
    Ok(others)
}

/// Runs all of them by the command of the README, and tells how many there are.
fn run(chainsaw: &Path, stage: &Stage) -> Result<usize> {
    let dir = &stage.control_plane.dir;
    let mut command = Command::new(chainsaw);
    command
        .args(["test", "tests/chainsaw", "--no-color", "--report-format", "JSON", "--report-path"])
        .arg(dir.join(""))
        .env("KUBECONFIG", &stage.control_plane.kubeconfig)
        .current_dir(workspace::root());
    let finished = process::run(&mut command, RUN_LIMIT)?;
    std::fs::write(dir.join("suites.log"), &finished.stdout)?;

    let report = std::fs::read(dir.join("chainsaw-report.json"));
    let report = report.with_context(|| {
        format!(
            "chainsaw left no report:\n{}{}",
            process::tail(&finished.stdout),
            process::tail(&finished.stderr)
        )
    })?;
    let report: Value = serde_json::from_slice(&report).context("cannot read chainsaw's report")?;
    let (passed, failures) = read(&report);
    ensure!(
        failures.is_empty(),
        "{}\nThe whole output is suites.log in target/e2e/logs/chainsaw, beside what the components logged.",
        failures.join("\n")
    );
    // What is no operation of a suite, its namespace for example, is not in the report.
    ensure!(
        finished.status.success(),
        "chainsaw ended with {}:\n{}",
        finished.status,
        process::tail(&finished.stdout)
    );
    // To chainsaw it is no failure when a suite is skipped, or when there is none.
    let suites = suites()?;
    ensure!(passed == suites, "there are the suites {suites:?}, and those that passed are {passed:?}");
    Ok(suites.len())
}

/// The names of those that ran through, and what failed in the others.
fn read(report: &Value) -> (BTreeSet<String>, Vec<String>) {
    let (mut passed, mut failures) = (BTreeSet::new(), Vec::new());
    for test in list(report, "/tests") {
        let failed_before = failures.len();
        for step in list(test, "/steps") {
            for operation in list(step, "/operations") {
                if let Some(error) = operation.pointer("/failure/error").and_then(Value::as_str) {
                    let (test, step) = (text(test, "/name"), text(step, "/name"));
                    failures.push(format!("--- {test}, {step}, {}: {error}", text(operation, "/type")));
                }
            }
        }
        if failures.len() == failed_before && list(test, "/steps").next().is_some() {
            passed.insert(text(test, "/name").to_owned());
        }
    }
    (passed, failures)
}

/// The names of the suites, which are those of their folders: all but what the suites share.
fn suites() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && !["setup", "steps"].contains(&name.as_str()) {
            let suite = yaml(&entry.path().join("chainsaw-test.yaml"))?;
            ensure!(
                text(&suite, "/metadata/name") == name,
                "the suite in the folder {name} has another name"
            );
            names.insert(name);
        }
    }
    ensure!(!names.is_empty(), "there is no suite");
    Ok(names)
}

fn folder() -> PathBuf {
    workspace::root().join("tests/chainsaw")
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
