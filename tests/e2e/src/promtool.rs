//! What Prometheus makes of what we write down for it, by its own tool: `promtool test rules`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::controlplane::cluster::text;
use crate::render::{self, Answer, Scenario};
use crate::tools::PROMTOOL;
use crate::wrapped::delivered;
use crate::{files, process, workspace};

/// A busy machine needs some seconds.
const LIMIT: Duration = Duration::from_mins(2);

/// Series of one model, as a `ServiceMonitor` labels them.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    namespace: &'static str,
    name: &'static str,
}

impl Model {
    /// The model of that name.
    pub const fn of(namespace: &'static str, name: &'static str) -> Self {
        Self { namespace, name }
    }

    fn series(&self, metric: &str, job: &str, more: &str) -> String {
        let Self { namespace, name } = self;
        format!(
            r#"{metric}{{namespace="{namespace}",inference_devopstoolkit_ai_model="{name}",job="{name}-{job}"{more}}}"#
        )
    }

    /// A series of an engine.
    pub fn engine(&self, metric: &str, pod: &str) -> String {
        self.series(metric, "metrics", &format!(r#",pod="{pod}""#))
    }

    /// A series of the picker, with labels of its own.
    pub fn picker(&self, metric: &str, more: &str) -> String {
        self.series(metric, "epp", more)
    }
}

/// The only object of that kind of an example, by the same command that people preview with.
pub fn composed(scenario: &str, kind: &str) -> Result<Value> {
    composed_for(&example(scenario)?, kind)
}

/// The same of an example whose composite has other values in some fields.
pub fn composed_with(scenario: &str, fields: &[(&str, Value)], kind: &str) -> Result<Value> {
    let mut scenario = example(scenario)?;
    let mut xr = files::yaml(&scenario.xr)?;
    for (field, value) in fields {
        files::set(&mut xr, field, value.clone());
    }
    let directory = tempfile::tempdir()?;
    scenario.xr = write(directory.path(), "xr.yaml", &xr)?.into();
    composed_for(&scenario, kind)
}

fn example(scenario: &str) -> Result<Scenario> {
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    let mut scenarios = scenarios.into_iter().filter(|candidate| candidate.name == scenario);
    scenarios.next().with_context(|| format!("there is no example {scenario}"))
}

fn composed_for(scenario: &Scenario, kind: &str) -> Result<Value> {
    let Answer::Rendered(rendered) = render::preview(&workspace::function()?, scenario)? else {
        anyhow::bail!("{} is refused", scenario.name);
    };
    let mut manifests = rendered.composed.iter().filter_map(delivered).map(|delivered| delivered.manifest);
    let found = manifests.find(|manifest| text(manifest, "/kind") == kind);
    found.with_context(|| format!("{} has no {kind}", scenario.name))
}

/// Runs tests of promtool's format, on rules where there are any:
/// <https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/>.
pub fn test(rules: Option<&Value>, tests: &[Value]) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let rules = rules.map(|rules| write(directory.path(), "rules.yaml", rules)).transpose()?;
    let content = json!({"rule_files": rules.as_slice(), "evaluation_interval": "15s", "tests": tests});
    let file = write(directory.path(), "tests.yaml", &content)?;
    promtool(&["test", "rules", &file])
}

/// Wants rules to be flawless, duplicates and names included.
pub fn check(rules: &Value) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = write(directory.path(), "rules.yaml", rules)?;
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", &file])
}

fn promtool(arguments: &[&str]) -> Result<()> {
    let mut promtool = Command::new(PROMTOOL.path()?);
    promtool.args(arguments);
    process::run(&mut promtool, LIMIT)?.success("promtool").map(drop)
}

/// JSON is YAML.
fn write(directory: &Path, name: &str, content: &Value) -> Result<String> {
    let file = directory.join(name);
    std::fs::write(&file, content.to_string())?;
    Ok(file.display().to_string())
}
