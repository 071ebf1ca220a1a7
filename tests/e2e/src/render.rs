//! A scenario of `examples/`, rendered by the real Crossplane and by `function-inference render`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::files::{set, yaml};
use crate::process::{self, Server};
use crate::{tools, workspace};

/// A render takes well under a second; a minute is for machines that do much else.
const RENDER_LIMIT: Duration = Duration::from_mins(1);

/// The function listens within milliseconds.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The conditions that Crossplane itself sets on composite resources (its `apis/core/v2/condition.go` and
/// `apis/apiextensions/v1/conditions.go`). A function has no say in them, so our own preview need not print them.
const CROSSPLANES_CONDITIONS: [&str; 3] = ["Ready", "Responsive", "Synced"];

/// What Compositions call our function.
const OURS: &str = "function-inference";

/// Where functions listen, by the names that Compositions call them by: `host:port`.
pub type Targets<'a> = BTreeMap<&'a str, String>;

/// The annotation that names a composed resource's key.
const KEY: &str = "crossplane.io/composition-resource-name";

/// One composite resource of `examples/<scenario>/` and what it is rendered with.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Folder and file, for messages.
    pub name: String,
    /// The composite resource.
    pub xr: PathBuf,
    /// The Composition that all composite resources of the folder share.
    pub composition: PathBuf,
    /// The functions of that Composition.
    pub functions: PathBuf,
    /// What exists already, where the scenario says so.
    pub observed: Option<PathBuf>,
    /// What the function may ask Crossplane for, where the scenario says so.
    pub required_resources: Option<PathBuf>,
}

impl Scenario {
    /// Whether the folder shows what happens to a bad input: then both have to refuse it.
    pub fn is_refused(&self) -> bool {
        self.name.starts_with("bad-")
    }

    /// Whether the composite resource is a model; the others extend clusters, which have an API and tests of their own.
    pub fn is_model(&self) -> bool {
        !self.name.starts_with("cluster-")
    }

    /// The same with the steps of other functions alone, its Composition in that folder; nothing where there are none.
    pub fn of_others(&self, folder: &Path) -> Result<Option<Self>> {
        let mut composition = yaml(&self.composition)?;
        let steps = composition.pointer_mut("/spec/pipeline").and_then(Value::as_array_mut);
        let steps = steps.with_context(|| format!("{} has no pipeline", self.name))?;
        steps.retain(|step| step.pointer("/functionRef/name") != Some(&json!(OURS)));
        if steps.is_empty() {
            return Ok(None);
        }
        let path = folder.join("composition.yaml");
        std::fs::write(&path, serde_yaml::to_string(&composition)?)?;
        Ok(Some(Self { composition: path, ..self.clone() }))
    }
}

/// The examples that become something.
pub fn examples() -> Result<Vec<Scenario>> {
    let scenarios = scenarios(&workspace::root().join("examples"))?;
    Ok(scenarios.into_iter().filter(|scenario| !scenario.is_refused()).collect())
}

/// One of them, by folder and file.
pub fn example(name: &str) -> Result<Scenario> {
    examples()?
        .into_iter()
        .find(|scenario| scenario.name == name)
        .with_context(|| format!("no example {name}"))
}

/// Every composite resource of every folder under `examples`, in order.
///
/// `xr-2.yaml` goes with `observed-2.yaml`. A file that no rule here reads is an error: an example that nobody
/// renders is an example that rots.
pub fn scenarios(examples: &Path) -> Result<Vec<Scenario>> {
    let mut found = Vec::new();
    for folder in entries(examples)?.into_iter().filter(|path| path.is_dir()) {
        let files = entries(&folder)?;
        let mut unread: BTreeSet<&PathBuf> = files.iter().collect();
        let mut take = |name: String| {
            files.iter().find(|path| path.ends_with(&name)).inspect(|path| {
                unread.remove(path);
            })
        };

        let composition =
            take("composition.yaml".into()).with_context(|| missing(&folder, "composition.yaml"))?;
        let functions = take("functions.yaml".into()).with_context(|| missing(&folder, "functions.yaml"))?;
        take("README.md".into());
        let before = found.len();
        for xr in &files {
            let Some(suffix) = file_name(xr).strip_prefix("xr").and_then(|rest| rest.strip_suffix(".yaml"))
            else {
                continue;
            };
            take(file_name(xr).to_owned());
            found.push(Scenario {
                name: format!("{}/xr{suffix}.yaml", file_name(&folder)),
                xr: xr.clone(),
                composition: composition.clone(),
                functions: functions.clone(),
                observed: take(format!("observed{suffix}.yaml")).cloned(),
                required_resources: take(format!("required-resources{suffix}.yaml")).cloned(),
            });
        }
        ensure!(found.len() > before, missing(&folder, "xr.yaml"));
        ensure!(unread.is_empty(), "nothing reads {unread:?}: name it as tests/e2e/src/render.rs expects");
    }
    ensure!(!found.is_empty(), "{} holds no scenario", examples.display());
    Ok(found)
}

/// What a renderer answers.
#[derive(Debug)]
pub enum Answer {
    /// The documents of its output.
    Rendered(Rendered),
    /// It exited with an error, and this is what it said.
    Refused(String),
}

/// The output of a render: the composite resource first, then what it is composed of.
#[derive(Debug)]
pub struct Rendered {
    /// Name, and the status as it would be.
    pub composite: Value,
    /// The composed resources, in the order of their keys.
    pub composed: Vec<Value>,
}

impl Rendered {
    fn parse(yaml: &str) -> Result<Self> {
        let mut documents: Vec<Value> =
            serde_yaml::from_multiple(yaml).context("cannot read the rendered YAML")?;
        ensure!(!documents.is_empty(), "nothing was rendered");
        let composite = documents.remove(0);
        Ok(Self { composite, composed: documents })
    }

    fn keys(&self) -> Vec<&str> {
        self.composed.iter().map(key).collect()
    }
}

fn answer(finished: process::Finished) -> Result<Answer> {
    if finished.status.success() {
        Ok(Answer::Rendered(Rendered::parse(&finished.stdout)?))
    } else {
        Ok(Answer::Refused(finished.stderr))
    }
}

/// Crossplane's renderer: its command line, its core, and our function behind a socket.
#[derive(Debug)]
pub struct Crossplane {
    cli: PathBuf,
    core: PathBuf,
    /// The command line looks for settings in the home directory; it finds none here.
    home: tempfile::TempDir,
}

impl Crossplane {
    /// Builds both, unless they are there.
    pub fn build() -> Result<Self> {
        Ok(Self {
            core: tools::CROSSPLANE_CORE.path()?,
            cli: tools::CROSSPLANE_CLI.path()?,
            home: tempfile::tempdir()?,
        })
    }

    /// Renders a scenario with the functions that listen there.
    pub fn render(&self, scenario: &Scenario, targets: &Targets<'_>) -> Result<Answer> {
        let mut running = String::new();
        let text = std::fs::read_to_string(&scenario.functions)?;
        for mut function in serde_yaml::from_multiple::<Value>(&text)? {
            let name = function.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            let target =
                targets.get(name).with_context(|| format!("{}: nobody plays {name}", scenario.name))?;
            let annotations = json!({
                "render.crossplane.io/runtime": "Development",
                "render.crossplane.io/runtime-development-target": format!("dns:///{target}"),
            });
            set(&mut function, "metadata.annotations", annotations);
            running.push_str("---\n");
            running.push_str(&serde_yaml::to_string(&function)?);
        }
        let functions = self.home.path().join("functions.yaml");
        std::fs::write(&functions, running)?;
        let mut command = Command::new(&self.cli);
        command
            .arg("render")
            .args([&scenario.xr, &scenario.composition, &functions])
            .arg("--crossplane-binary")
            .arg(&self.core)
            .env("HOME", self.home.path())
            .env_remove("CROSSPLANE_CONFIG")
            .env_remove("XDG_CONFIG_HOME");
        add_files(&mut command, scenario, "--observed-resources");
        answer(process::run(&mut command, RENDER_LIMIT)?)
    }
}

/// Renders a scenario with our own command line.
pub fn preview(function: &Path, scenario: &Scenario) -> Result<Answer> {
    let mut command = Command::new(function);
    command.arg("render").arg(&scenario.xr).arg("--composition").arg(&scenario.composition);
    add_files(&mut command, scenario, "--observed");
    answer(process::run(&mut command, RENDER_LIMIT)?)
}

/// Renders documents that are in no file with our own command line; the folder is for the files that it needs.
pub fn preview_of(
    function: &Path,
    folder: &Path,
    composite: &Value,
    input: Option<&Value>,
) -> Result<Answer> {
    let write = |name: &str, document: &Value| -> Result<PathBuf> {
        let path = folder.join(name);
        let yaml = serde_yaml::to_string(document)?;
        std::fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    };
    let mut command = Command::new(function);
    command.arg("render").arg(write("xr.yaml", composite)?);
    if let Some(input) = input {
        command.arg("--input").arg(write("input.yaml", input)?);
    }
    answer(process::run(&mut command, RENDER_LIMIT)?)
}

fn add_files(command: &mut Command, scenario: &Scenario, observed_option: &str) {
    let files =
        [(observed_option, &scenario.observed), ("--required-resources", &scenario.required_resources)];
    for (option, path) in files {
        if let Some(path) = path {
            command.arg(option).arg(path);
        }
    }
}

/// The function, serving plain text on a loopback port of its own.
#[derive(Debug)]
pub struct Function {
    /// `host:port`.
    pub target: String,
    /// Ended when dropped.
    pub server: Server,
}

impl Function {
    /// Starts the binary and waits until it accepts connections.
    pub fn start(binary: &Path) -> Result<Self> {
        Self::run(&mut Command::new(binary))
    }

    /// The same by a command that ends in the binary: the arguments follow.
    pub fn run(command: &mut Command) -> Result<Self> {
        // The port is free when it is chosen; that it is still free when the function binds is checked by the wait,
        // which fails when the function ends.
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let logs = workspace::cache()?.join("logs");
        std::fs::create_dir_all(&logs)?;
        let log = logs.join(format!("function-{}.log", address.port()));
        command.args(["--insecure", "--metrics-address", "", "--address"]).arg(address.to_string());

        let mut server = Server::start(command, log)?;
        server.wait_until("listening", START_LIMIT, || {
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
        })?;
        Ok(Self { target: address.to_string(), server })
    }

    /// Where it listens, for Compositions that call it alone.
    pub fn targets(&self) -> Targets<'static> {
        Targets::from([(OURS, self.target.clone())])
    }
}

/// Takes what other steps compose, as they do it alone, out of what all steps do together, and tells what of it has become
/// something else.
pub fn take_others(all: &mut Rendered, others: &Rendered) -> Vec<String> {
    let mut found = Vec::new();
    for theirs in &others.composed {
        match all.composed.iter().position(|composed| key(composed) == key(theirs)) {
            Some(position) => compare(key(theirs), theirs, &all.composed.remove(position), &mut found),
            None => found.push(format!("{} is gone", key(theirs))),
        }
    }
    // References are to all, in this order.
    if let Some(references) =
        all.composite.pointer_mut("/spec/crossplane/resourceRefs").and_then(Value::as_array_mut)
    {
        let theirs = others.composite.pointer("/spec/crossplane/resourceRefs").and_then(Value::as_array);
        references.retain(|reference| !theirs.is_some_and(|theirs| theirs.contains(reference)));
    }
    found
}

/// Where our preview differs from what Crossplane would do, one line per difference; none when they agree.
pub fn differences(crossplane: &Rendered, preview: &Rendered) -> Vec<String> {
    let mut found = Vec::new();
    compare_composites(&crossplane.composite, &preview.composite, &mut found);

    let (theirs, ours) = (crossplane.keys(), preview.keys());
    if theirs != ours {
        found.push(format!("Crossplane composes {theirs:?}, the preview {ours:?}"));
        return found;
    }
    for (name, (theirs, ours)) in theirs.iter().zip(crossplane.composed.iter().zip(&preview.composed)) {
        compare(name, theirs, ours, &mut found);
    }
    found
}

/// The composite is the same but for what Crossplane alone decides: its own conditions, and when they changed.
fn compare_composites(theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    let split = |composite: &Value| {
        let mut rest = composite.clone();
        let conditions = rest
            .get_mut("status")
            .and_then(Value::as_object_mut)
            .and_then(|status| status.remove("conditions"))
            .and_then(|conditions| conditions.as_array().cloned())
            .unwrap_or_default();
        let custom: Vec<Value> = conditions
            .into_iter()
            .filter(|condition| !CROSSPLANES_CONDITIONS.contains(&text(condition, "type")))
            .map(|mut condition| {
                if let Some(fields) = condition.as_object_mut() {
                    fields.remove("lastTransitionTime");
                }
                condition
            })
            .collect();
        (rest, sorted_by_type(custom))
    };
    let ((their_rest, their_conditions), (our_rest, our_conditions)) = (split(theirs), split(ours));
    compare("composite", &their_rest, &our_rest, found);
    compare(
        "composite.status.conditions",
        &Value::Array(their_conditions),
        &Value::Array(our_conditions),
        found,
    );
}

fn sorted_by_type(mut conditions: Vec<Value>) -> Vec<Value> {
    conditions.sort_by(|a, b| text(a, "type").cmp(text(b, "type")));
    conditions
}

fn compare(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            let fields: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for field in fields {
                let path = format!("{path}.{field}");
                match (a.get(field), b.get(field)) {
                    (Some(a), Some(b)) => compare(&path, a, b, found),
                    (Some(a), None) => {
                        found.push(format!("{path}: Crossplane has {a}, the preview lacks it"));
                    }
                    (None, Some(b)) => {
                        found.push(format!("{path}: Crossplane lacks it, the preview has {b}"));
                    }
                    (None, None) => {}
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}[{index}]"), a, b, found);
            }
        }
        _ if theirs != ours => found.push(format!("{path}: Crossplane has {theirs}, the preview {ours}")),
        _ => {}
    }
}

/// The composition-resource name of a composed resource.
pub fn key(composed: &Value) -> &str {
    composed.get("metadata").and_then(|meta| meta.get("annotations")).map_or("", |all| text(all, KEY))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = || std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = read().with_context(|| format!("cannot read {}", dir.display()))?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn missing(folder: &Path, file: &str) -> String {
    format!("{} has no {file}", folder.display())
}

/// Fails with everything that was found, so that one run shows all of it.
pub fn report(problems: &[String]) -> Result<()> {
    if !problems.is_empty() {
        bail!("{} problems:\n{}", problems.len(), problems.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(composite: Value, composed: Vec<Value>) -> Rendered {
        Rendered { composite, composed }
    }

    fn composed(key: &str, replicas: i32) -> Value {
        json!({"metadata": {"annotations": {KEY: key}}, "spec": {"replicas": replicas}})
    }

    #[test]
    fn only_what_crossplane_alone_decides_may_differ() {
        let crossplane = rendered(
            json!({"metadata": {"name": "a"}, "status": {"url": "u", "conditions": [
                {"type": "Ready", "status": "False"},
                {"type": "WorkloadReady", "status": "True", "lastTransitionTime": "2024-01-01T00:00:00Z"},
            ]}}),
            vec![composed("pool", 1)],
        );
        let preview = rendered(
            json!({"metadata": {"name": "a"}, "status": {"url": "u", "conditions": [
                {"type": "WorkloadReady", "status": "True"},
            ]}}),
            vec![composed("pool", 1)],
        );
        assert_eq!(differences(&crossplane, &preview), Vec::<String>::new());
    }

    #[test]
    fn every_other_difference_is_told_with_its_path() {
        let crossplane = rendered(
            json!({"status": {"url": "u", "conditions": [{"type": "WorkloadReady", "reason": "A"}]}}),
            vec![composed("pool", 1)],
        );
        let preview = rendered(
            json!({"status": {"conditions": [{"type": "WorkloadReady", "reason": "B"}]}}),
            vec![composed("pool", 2)],
        );
        assert_eq!(
            differences(&crossplane, &preview),
            [
                r#"composite.status.url: Crossplane has "u", the preview lacks it"#,
                r#"composite.status.conditions[0].reason: Crossplane has "A", the preview "B""#,
                "pool.spec.replicas: Crossplane has 1, the preview 2",
            ]
        );
    }

    #[test]
    fn a_resource_that_one_of_them_lacks_is_told() {
        let crossplane = rendered(json!({}), vec![composed("pool", 1), composed("route", 1)]);
        let preview = rendered(json!({}), vec![composed("route", 1)]);
        assert_eq!(
            differences(&crossplane, &preview),
            [r#"Crossplane composes ["pool", "route"], the preview ["route"]"#]
        );
    }

    #[test]
    fn scenarios_pair_their_files_and_refuse_what_nobody_reads() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("two");
        std::fs::create_dir(&folder).unwrap();
        for file in ["xr.yaml", "xr-2.yaml", "observed-2.yaml", "composition.yaml", "functions.yaml"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let found = scenarios(dir.path()).unwrap();
        let names: Vec<(&str, bool)> =
            found.iter().map(|s| (s.name.as_str(), s.observed.is_some())).collect();
        assert_eq!(names, [("two/xr-2.yaml", true), ("two/xr.yaml", false)]);

        std::fs::write(folder.join("observd.yaml"), "").unwrap();
        assert!(scenarios(dir.path()).unwrap_err().to_string().contains("observd.yaml"));
    }
}
