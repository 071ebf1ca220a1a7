//! A real API server gives the verdict on every manifest of `tests/admission/` that is written there. The unit tests
//! hold the function to the same files.

#![allow(clippy::indexing_slicing, reason = "a document that has no such field is a test that fails")]

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Refused, text};
use e2e::controlplane::{ControlPlane, crds};
use e2e::workspace;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_judges_manifests_as_the_function_does() -> Result<()> {
    let control_plane = ControlPlane::start("admission").await?;
    let cluster = &control_plane.cluster;
    crds::install(cluster, &[definition()?]).await?;

    let mut problems = Vec::new();
    for (file, admitted) in [("admitted.jsonl", true), ("refused.jsonl", false)] {
        for (number, fields) in cases(file)?.into_iter().enumerate() {
            let case = manifest(&fields, "case");
            let verdict = verdict(cluster.create(&case).await)?;
            if verdict.is_none() {
                cluster.delete(&case).await?;
            }
            if verdict.is_none() != admitted {
                problems.push(format!("{file}:{}: {fields}: {verdict:?}", number + 1));
            }
        }
    }
    for (number, change) in cases("changes.jsonl")?.into_iter().enumerate() {
        let name = format!("change-{number}");
        let [old, new] = ["old", "new"].map(|which| without_nulls(manifest(&change[which], &name)));
        cluster.apply(&old, "e2e").await?;
        let verdict = verdict(cluster.apply(&new, "e2e").await)?;
        if verdict.is_none() != (change["admitted"] == true) {
            problems.push(format!("changes.jsonl:{}: {change}: {verdict:?}", number + 1));
        }
    }
    if let Some(refused) = verdict(cluster.create(&manifest(&json!({}), "3-digits")).await)? {
        ensure!(refused.contains("start with a letter"), "{refused}");
    } else {
        problems.push("a name that starts with a digit is admitted".to_owned());
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// `None`: admitted. Anything but a verdict is an error.
fn verdict<T>(answer: Result<T>) -> Result<Option<String>> {
    match answer {
        Ok(_) => Ok(None),
        Err(error) => match error.downcast::<Refused>() {
            Ok(refused) if refused.code == 422 => Ok(Some(refused.message)),
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

/// The CRD that Crossplane makes of our XRD, as far as admission goes: it takes over the schema of `spec` and the rules
/// of the root (crossplane-runtime v2.3.3, `pkg/xcrd/crd.go`).
fn definition() -> Result<Value> {
    let path = workspace::root().join("package/configuration/definition.yaml");
    let yaml = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let xrd: Value = serde_yaml::from_str(&yaml)?;
    let version = xrd.pointer("/spec/versions/0").context("the XRD has no version")?;
    Ok(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": text(&xrd, "/metadata/name")},
        "spec": {
            "group": text(&xrd, "/spec/group"),
            "names": xrd["spec"]["names"],
            "scope": text(&xrd, "/spec/scope"),
            "versions": [{
                "name": text(version, "/name"),
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": version["additionalPrinterColumns"],
                "schema": version["schema"],
            }],
        },
    }))
}
