//! What `kubectl apply` says to an `LLMInference`: the real API server, with the XRD as real Crossplane installs it; and
//! that the function says the same. Its unit tests go over the files of `tests/admission/` too.

#![allow(clippy::indexing_slicing, reason = "a document that has no such field is a test that fails")]

#[path = "../../generate/mod.rs"]
mod generate;

use std::path::Path;

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Cluster, Refused, text};
use e2e::controlplane::core::{self, Core};
use e2e::controlplane::platform::{install_xrd, namespace, xrd};
use e2e::controlplane::{ControlPlane, crds};
use e2e::files::{set, yaml};
use e2e::render::{self, Answer};
use e2e::workspace;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

/// In whose name people apply.
const PERSON: &str = "kubectl";

/// A field, what is written there, and words of the answer that tell what to do.
const REFUSED: [(&str, &str, &str); 35] = [
    ("spec", r#"{"providerConfigName": "gpu-cluster"}"#, "spec.model: Required value"),
    (
        "metadata.name",
        r#""3b-chat""#,
        "must consist of lower-case letters, digits and dashes, and start with a letter",
    ),
    (
        "metadata.name",
        r#""a-name-that-is-longer-than-any-label-or-the-name-of-a-service-can-be""#,
        "metadata.name: Too long: may not be more than 63 bytes",
    ),
    ("spec.model", r#""""#, "spec.model in body should be at least 1 chars long"),
    ("spec.model", "null", "spec.model in body must be of type string"),
    ("spec.modle", r#""Qwen/Qwen3-8B""#, "field not declared in schema"),
    ("spec.gpu", "17", "should be less than or equal to 16"),
    ("spec.gpu", r#""2""#, ".spec.gpu: expected numeric"),
    ("spec.host", r#""10.1.2.3""#, "must be a hostname, not an IP address"),
    ("spec.host", r#""https://qwen.example.com""#, "spec.host in body should match"),
    ("spec.ingressHost", r#""10.1.2.3""#, "must be a hostname, not an IP address"),
    ("spec.criticality", r#""urgent""#, r#"supported values: "critical", "standard", "sheddable""#),
    ("spec.minReplicas", "5", "spec.minReplicas: Invalid value: must not be more than maxReplicas"),
    ("spec.maxReplicas", "0", "should be greater than or equal to 1"),
    ("spec.targetNamespace", r#""Models""#, "spec.targetNamespace in body should match"),
    (
        "spec.scaling.metric",
        r#""gpu-utilization""#,
        r#"supported values: "queue-depth", "kv-cache", "latency""#,
    ),
    (
        "spec.scaling",
        r#"{"metric": "latency", "latency": {"timeToFirstToken": "2s"}}"#,
        "must be a duration of 1ms, 5ms, 10ms",
    ),
    (
        "spec.scaling",
        r#"{"metric": "latency", "target": 3, "latency": {"timeToFirstToken": "1s"}}"#,
        "must be left out where the metric is latency, whose objective is in latency",
    ),
    (
        "spec.scaling",
        r#"{"metric": "kv-cache", "target": 2}"#,
        "must be at most 0.9 where the metric is kv-cache",
    ),
    ("spec.scaling.coldStart", r#""0s""#, "must be a duration from 1s to 24h"),
    ("spec.scaling.coldStart", r#""10 minutes""#, "spec.scaling.coldStart in body should match"),
    (
        "spec.scaling.prometheusAddress",
        r#""prometheus:9090""#,
        "spec.scaling.prometheusAddress in body should match",
    ),
    ("spec.runtime.memory", r#""0""#, "must be above 0"),
    ("spec.runtime.memory", r#""16 GB""#, "spec.runtime.memory in body should match"),
    ("spec.runtime.memory", r#""8Ei""#, "must be above 0 and below 8Ei"),
    ("spec.runtime.memory", r#""1.5""#, "must be whole bytes, such as 16Gi or 64G"),
    (
        "spec.runtime.nodeSelector",
        r#"{"gpu kind": "h100"}"#,
        "must have label names for keys, such as release",
    ),
    (
        "spec",
        r#"{"model": "a/b", "gpu": 2, "runtime": {"env": [{"name": "VLLM_WORKER_MULTIPROC_METHOD", "value": "fork"}]}}"#,
        "must leave out VLLM_WORKER_MULTIPROC_METHOD, which the function sets where gpu is above 1",
    ),
    ("spec.runtime.dtype", r#""int3""#, r#"supported values: "auto", "bfloat16""#),
    ("spec.runtime.args", r#"["--port=9000"]"#, "is a flag that the function sets"),
    ("spec.runtime.env", r#"[{"name": "A"}]"#, "must have either a value or a secretKeyRef"),
    (
        "spec.runtime.env",
        r#"[{"name": "HF_TOKEN", "value": "hf_x"}]"#,
        "a token comes from a Secret, through runtime.tokenSecret",
    ),
    (
        "spec.runtime.env",
        r#"[{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]"#,
        r#"duplicate entries for key [name="A"]"#,
    ),
    ("spec.runtime.tolerations", r#"[{"operator": "Equal"}]"#, "must be Exists where there is no key"),
    (
        "spec.runtime.runtimeClassName",
        r#""""#,
        "spec.runtime.runtimeClassName in body should be at least 1 chars long",
    ),
];

/// A field of a live object, what it is changed to, and words of the answer.
const SET_ONCE: [(&str, &str, &str); 2] = [
    ("spec.providerConfigName", r#""another-cluster""#, "cannot be changed: what runs on the old cluster"),
    ("spec.targetNamespace", r#""elsewhere""#, "cannot be changed: what runs in the old namespace"),
];

/// How many odd composites are generated.
const ODD: usize = 1000;

/// How many are judged at a time.
const AT_A_TIME: usize = 8;

/// What only the function can refuse, by words of its message, and why no schema could.
const FUNCTION_ONLY: [(&str, &str); 10] = [
    ("not supported yet", "the table of what this version cannot do, which shall shrink to nothing"),
    ("must name the provider configuration", "the Input may say that objects are composed directly"),
    ("the platform's policy permits", "the policy is the Input's"),
    ("where the platform routes by host", "what leads to a model is the Input's choice"),
    ("must be there where gateway.enabled is true", "what leads to a model is the Input's choice"),
    (
        "must be a whole number from 0 to 2147483647",
        "a large number that is not whole by less than a billionth of it passes for whole: go-openapi/swag v0.23.0, \
         IsFloat64AJSONInteger",
    ),
    ("where the metric is another than latency", "the metric may be the Input's choice"),
    ("must have timeToFirstToken or interTokenLatency", "the Input may have an objective"),
    ("since Service <name>-", "which Services there are depends on the Input"),
    (
        "have the platform choose the backend Deployment",
        "which workload there is, and by which operator, is the Input's choice",
    ),
];

/// What only the API server refuses: the function leaves alone what it does not know, since other steps may.
const API_SERVER_ONLY: &str = "unknown field";

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_admits_every_example_and_refuses_mistakes_in_words_that_help() -> Result<()> {
    let control_plane = established("admission-words").await?;
    let cluster = &control_plane.cluster;
    let mut problems = Vec::new();
    examples(cluster, &mut problems).await?;
    for (field, written, told) in REFUSED {
        let mut changed = good();
        set(&mut changed, field, serde_json::from_str(written)?);
        judge(
            &format!("{field}: {written}"),
            cluster.check(&changed, PERSON).await.map(drop),
            told,
            &mut problems,
        )?;
    }

    cluster.apply(&good(), PERSON).await.context("what is good is refused")?;
    for (field, written, told) in SET_ONCE {
        let mut changed = good();
        set(&mut changed, field, serde_json::from_str(written)?);
        judge(
            &format!("{field} becomes {written}"),
            cluster.check(&changed, PERSON).await.map(drop),
            told,
            &mut problems,
        )?;
    }
    render::report(&problems)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_judges_manifests_as_the_function_does() -> Result<()> {
    let control_plane = established("admission-files").await?;
    let cluster = &control_plane.cluster;
    let mut problems = Vec::new();
    for (file, admitted) in [("admitted.jsonl", true), ("refused.jsonl", false)] {
        for (number, fields) in cases(file)?.into_iter().enumerate() {
            let case = manifest(&fields, "case");
            let verdict = verdict(cluster.would_create(&case).await)?;
            if verdict.is_none() != admitted {
                problems.push(format!("{file}:{}: {fields}: {verdict:?}", number + 1));
            }
        }
    }
    for (number, change) in cases("changes.jsonl")?.into_iter().enumerate() {
        let name = format!("change-{number}");
        let [old, new] = ["old", "new"].map(|which| without_nulls(manifest(&change[which], &name)));
        cluster.apply(&old, PERSON).await?;
        let verdict = verdict(cluster.apply(&new, PERSON).await)?;
        if verdict.is_none() != (change["admitted"] == true) {
            problems.push(format!("changes.jsonl:{}: {change}: {verdict:?}", number + 1));
        }
    }
    render::report(&problems)
}

/// What is admitted does not end in a Fatal for a reason that the schema could have known, and what is refused is
/// refused by the function too, which meets composites that no API server has judged.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_admitted_is_composed_and_nothing_else() -> Result<()> {
    let function = workspace::function()?;
    let control_plane = established("admission-odd").await?;
    let cluster = &control_plane.cluster;
    namespace(cluster, "team-a").await?;
    let schema = xrd()?;
    let schema = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];

    let judged: Vec<Judged> = futures::stream::iter(generate::odd::composites(ODD, schema))
        .map(|composite| Judged::by_both(cluster, &function, composite))
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    let composed = judged.iter().filter(|judged| judged.fatal.is_empty()).count();
    let admitted = judged.iter().filter(|judged| judged.refusal.is_none()).count();
    tell(&format!("of {ODD} odd composites {admitted} are admitted and {composed} composed"));
    render::report(&judged.iter().filter_map(Judged::disagreement).collect::<Vec<_>>())?;
    ensure!(
        admitted > ODD / 5 && admitted < ODD * 4 / 5,
        "nothing is learned from what is always judged alike"
    );
    Ok(())
}

/// A control plane that admits our kind. Nothing composes it: Crossplane is gone when the XRD is established.
async fn established(name: &str) -> Result<ControlPlane> {
    let control_plane = ControlPlane::start(name).await?;
    let cluster = &control_plane.cluster;
    crds::install(cluster, &crds::CROSSPLANE.crds()?).await?;
    let core = Core::start(&control_plane, core::Settings::default()).await?;
    install_xrd(cluster, &xrd()?).await.map_err(|error| core.explain(error))?;
    Ok(control_plane)
}

/// A composite, and what both say.
struct Judged {
    composite: Value,
    /// Of the API server, unless it admits it.
    refusal: Option<String>,
    /// The function's problems, a line each.
    fatal: Vec<String>,
}

impl Judged {
    async fn by_both(cluster: &Cluster, function: &Path, composite: Value) -> Result<Self> {
        let refusal = verdict(cluster.would_create(&composite).await)?;
        let function = function.to_owned();
        let judge = move || -> Result<Self> {
            let fatal = fatal(&function, &composite)?;
            Ok(Self { composite, refusal, fatal })
        };
        tokio::task::spawn_blocking(judge).await?
    }

    fn disagreement(&self) -> Option<String> {
        let Self { composite, refusal, fatal } = self;
        let foreseen = |problem: &String| FUNCTION_ONLY.iter().any(|(words, _)| problem.contains(words));
        match refusal {
            None if fatal.iter().all(foreseen) => None,
            None => Some(format!("admitted, but {fatal:#?}\n{composite:#}")),
            Some(refusal) if fatal.is_empty() && !refusal.contains(API_SERVER_ONLY) => {
                Some(format!("composed, but {refusal}\n{composite:#}"))
            }
            Some(_) => None,
        }
    }
}

/// Why the function refuses a composite, a problem each; none when it composes it.
fn fatal(function: &Path, composite: &Value) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    match render::preview_of(function, folder.path(), composite, None)? {
        Answer::Rendered(_) => Ok(Vec::new()),
        Answer::Refused(why) => {
            let problems = why.lines().filter(|line| *line != "error: nothing is rendered");
            Ok(problems.map(str::to_owned).collect())
        }
    }
}

/// `None`: admitted. Anything but a verdict is an error.
fn verdict<T>(answer: Result<T>) -> Result<Option<String>> {
    match answer {
        Ok(_) => Ok(None),
        Err(error) => match error.downcast::<Refused>() {
            Ok(refused) if matches!(refused.code, 400 | 422) => Ok(Some(refused.message)),
            Ok(refused) => Err(refused.into()),
            Err(error) => Err(error),
        },
    }
}

fn cases(file: &str) -> Result<Vec<Value>> {
    let path = workspace::root().join("tests/admission").join(file);
    let lines = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The fields of a case over the least that is needed.
fn manifest(fields: &Value, name: &str) -> Value {
    let mut spec = json!({"model": "Qwen/Qwen2.5-3B-Instruct", "providerConfigName": "gpu-cluster"});
    for (field, value) in fields.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
        "kind": "LLMInference",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    })
}

/// A null in an apply is a field that its manager owns.
fn without_nulls(mut manifest: Value) -> Value {
    if let Some(spec) = manifest["spec"].as_object_mut() {
        spec.retain(|_, value| !value.is_null());
    }
    manifest
}

/// What an application team would write.
fn good() -> Value {
    json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
        "kind": "LLMInference",
        "metadata": {"name": "chat", "namespace": "team-a"},
        "spec": {"model": "Qwen/Qwen3-8B", "providerConfigName": "gpu-cluster", "maxReplicas": 3},
    })
}

async fn examples(cluster: &Cluster, problems: &mut Vec<String>) -> Result<()> {
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    for scenario in scenarios.into_iter().filter(render::Scenario::is_model) {
        let xr = yaml(&scenario.xr)?;
        namespace(cluster, text(&xr, "/metadata/namespace")).await?;
        match (scenario.is_refused(), cluster.check(&xr, PERSON).await) {
            (false, Ok(accepted)) if accepted.warnings.is_empty() => {}
            (false, Ok(accepted)) => problems.push(format!("{}: {:?}", scenario.name, accepted.warnings)),
            (false, Err(error)) => problems.push(format!("{}: {error:#}", scenario.name)),
            (true, Ok(_)) => problems.push(format!("{} is admitted", scenario.name)),
            (true, Err(error)) if error.is::<Refused>() => {}
            (true, Err(error)) => return Err(error),
        }
    }
    Ok(())
}

/// A refusal that says what it should is what was asked for.
fn judge(what: &str, answer: Result<()>, told: &str, problems: &mut Vec<String>) -> Result<()> {
    match answer {
        Ok(()) => problems.push(format!("{what} is admitted")),
        Err(error) => {
            let refusal = error.downcast::<Refused>()?;
            if !refusal.message.contains(told) {
                problems.push(format!("{what}: expected `{told}` in: {refusal}"));
            }
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "measurements are for the person who reads the test's output")]
fn tell(line: &str) {
    println!("{line}");
}
