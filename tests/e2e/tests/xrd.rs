//! What `kubectl apply` says to an `LLMInference`: the real API server, with the XRD as real Crossplane installs it.

use anyhow::{Context, Result};
use e2e::controlplane::cluster::{Cluster, Refused, text};
use e2e::controlplane::core::Core;
use e2e::controlplane::platform::{install_xrd, namespace, xrd};
use e2e::controlplane::{ControlPlane, crds};
use e2e::files::{set, yaml};
use e2e::{render, workspace};
use serde_json::{Value, json};

/// In whose name people apply.
const PERSON: &str = "kubectl";

/// A field, what is written there, and words of the answer that tell what to do.
const REFUSED: [(&str, &str, &str); 28] = [
    ("spec", r#"{"providerConfigName": "gpu-cluster"}"#, "spec.model: Required value"),
    (
        "metadata.name",
        r#""3b-chat""#,
        "must consist of lower-case letters, digits and dashes, and start with a letter",
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
    ("spec.scaling", r#"{"metric": "kv-cache", "target": 2}"#, "must be a fraction of the cache, at most 1"),
    ("spec.scaling.coldStart", r#""0s""#, "must be a duration from 1s to 24h"),
    ("spec.scaling.coldStart", r#""10 minutes""#, "spec.scaling.coldStart in body should match"),
    (
        "spec.scaling.prometheusAddress",
        r#""prometheus:9090""#,
        "spec.scaling.prometheusAddress in body should match",
    ),
    ("spec.runtime.memory", r#""0""#, "must be above 0"),
    ("spec.runtime.memory", r#""16 GB""#, "spec.runtime.memory in body should match"),
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

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_admits_every_example_and_refuses_mistakes_in_words_that_help() -> Result<()> {
    let control_plane = ControlPlane::start("admission").await?;
    let cluster = &control_plane.cluster;
    crds::install(cluster, &crds::CROSSPLANE.crds()?).await?;
    let core = Core::start(&control_plane).await?;
    install_xrd(cluster, &xrd()?).await.map_err(|error| core.explain(error))?;

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
    for scenario in render::scenarios(&workspace::root().join("examples"))? {
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
