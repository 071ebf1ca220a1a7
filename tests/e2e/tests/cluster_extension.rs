//! The CRDs of the cluster extension are the upstream ones in other words: the same schema, and the same verdicts of a
//! real API server on the same objects.

#[path = "../../generate/mod.rs"]
mod generate;

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use e2e::controlplane::cluster::{Cluster, Refused, text};
use e2e::controlplane::crds::{self, INFERENCE_EXTENSION_1_3, INFERENCE_EXTENSION_1_5, Source};
use e2e::controlplane::{ControlPlane, wait};
use e2e::files::set;
use e2e::render::Answer;
use e2e::wrapped::{delivered, is_object, named};
use e2e::{acceptance, process, render, workspace};
use generate::clusters::Cluster as Generated;
use serde_json::{Value, json};

/// A definition: its key, its name, an object of it and what is changed there.
struct Definition {
    key: &'static str,
    name: &'static str,
    api_version: &'static str,
    kind: &'static str,
    spec: &'static str,
    changes: &'static [(&'static str, &'static str)],
    statuses: &'static [&'static str],
}

const DEFINITIONS: [Definition; 3] = [
    Definition {
        key: "inference_pool_crd",
        name: "inferencepools.inference.networking.k8s.io",
        api_version: "inference.networking.k8s.io/v1",
        kind: "InferencePool",
        spec: r#"{
            "selector": {"matchLabels": {"app": "llama"}},
            "targetPorts": [{"number": 8000}],
            "endpointPickerRef": {"name": "epp", "port": {"number": 9002}}
        }"#,
        changes: &POOLS,
        statuses: &STATUSES,
    },
    Definition {
        key: "inference_objective_crd",
        name: "inferenceobjectives.inference.networking.x-k8s.io",
        api_version: "inference.networking.x-k8s.io/v1alpha2",
        kind: "InferenceObjective",
        spec: r#"{"poolRef": {"name": "pool"}, "priority": -10}"#,
        changes: &OBJECTIVES,
        statuses: &PENDING_STATUSES,
    },
    Definition {
        key: "inference_model_rewrite_crd",
        name: "inferencemodelrewrites.inference.networking.x-k8s.io",
        api_version: "inference.networking.x-k8s.io/v1alpha2",
        kind: "InferenceModelRewrite",
        spec: r#"{"poolRef": {"name": "pool"}, "rules": [{"targets": [{"modelRewrite": "llama"}]}]}"#,
        changes: &REWRITES,
        statuses: &PENDING_STATUSES,
    },
];

/// Enough for every kind to be among what is generated.
const CASES: usize = 60;

/// What extensions of clusters are composed of, and what that delivers at once.
const KINDS: [&str; 9] = [
    "agentgateway.dev/v1alpha1 AgentgatewayPolicy",
    "helm.crossplane.io/v1beta1 Release",
    "helm.m.crossplane.io/v1beta1 Release",
    "kubernetes.crossplane.io/v1alpha1 ObservedObjectCollection",
    "kubernetes.crossplane.io/v1alpha2 Object",
    "kubernetes.m.crossplane.io/v1alpha1 Object",
    "kubernetes.m.crossplane.io/v1alpha1 ObservedObjectCollection",
    "networking.istio.io/v1 DestinationRule",
    "networking.istio.io/v1alpha3 EnvoyFilter",
];

/// A render takes well under a second; a minute is for machines that do much else.
const RENDER_LIMIT: Duration = Duration::from_mins(1);

/// A CRD goes once its objects have.
const GONE_LIMIT: Duration = Duration::from_mins(2);

/// In whose name pools are applied.
const PERSON: &str = "kubectl";

const RELEASES: [(&str, Source); 2] =
    [("v1.3.1", INFERENCE_EXTENSION_1_3), ("v1.5.0", INFERENCE_EXTENSION_1_5)];

/// Fields of a pool and what is written there: both definitions have to say the same of each.
const POOLS: [(&str, &str); 31] = [
    ("metadata.name", r#""pool""#),
    ("spec.appProtocol", r#""http""#),
    ("spec.appProtocol", r#""kubernetes.io/h2c""#),
    ("spec.appProtocol", r#""grpc""#),
    ("spec.endpointPickerRef", r#"{"name": "epp"}"#),
    ("spec.endpointPickerRef", r#"{"name": "epp", "kind": "Service"}"#),
    ("spec.endpointPickerRef", r#"{"name": "epp", "kind": "Other"}"#),
    ("spec.endpointPickerRef", r#"{"port": {"number": 9002}}"#),
    ("spec.endpointPickerRef.name", r#""""#),
    ("spec.endpointPickerRef.group", r#""example.com""#),
    ("spec.endpointPickerRef.group", r#""Example.com""#),
    ("spec.endpointPickerRef.kind", r#""""#),
    ("spec.endpointPickerRef.kind", r#""-""#),
    ("spec.endpointPickerRef.port.number", "0"),
    ("spec.endpointPickerRef.port.number", "65536"),
    ("spec.endpointPickerRef.port", "{}"),
    ("spec.endpointPickerRef.failureMode", r#""FailOpen""#),
    ("spec.endpointPickerRef.failureMode", r#""FailClosed""#),
    ("spec.endpointPickerRef.weight", "1"),
    ("spec.selector", "{}"),
    ("spec.selector.matchLabels", "{}"),
    ("spec.selector.matchLabels", r#"{"app": ""}"#),
    ("spec.selector.matchLabels", r#"{"app": "-"}"#),
    ("spec.selector.matchLabels", r#"{"app": 1}"#),
    ("spec.targetPorts", "[]"),
    ("spec.targetPorts", r#"[{"number": 1}, {"number": 65535}]"#),
    ("spec.targetPorts", r#"[{"number": 8000}, {"number": 8000}]"#),
    ("spec.targetPorts", r#"[{"number": 8000.5}]"#),
    (
        "spec.targetPorts",
        r#"[{"number":1},{"number":2},{"number":3},{"number":4},{"number":5},{"number":6},{"number":7},{"number":8},{"number":9}]"#,
    ),
    ("spec", "null"),
    ("spec", "{}"),
];

/// The same of objectives.
const OBJECTIVES: [(&str, &str); 17] = [
    ("metadata.name", r#""one""#),
    ("spec.priority", "0"),
    ("spec.priority", "9007199254740991"),
    ("spec.priority", "1.5"),
    ("spec.priority", r#""1""#),
    ("spec.poolRef", r#"{"name": "pool", "group": "", "kind": "Service"}"#),
    ("spec.poolRef", "{}"),
    ("spec.poolRef.name", r#""""#),
    ("spec.poolRef.name", "1"),
    ("spec.poolRef.group", r#""example.com""#),
    ("spec.poolRef.group", r#""Example.com""#),
    ("spec.poolRef.kind", r#""""#),
    ("spec.poolRef.kind", r#""-""#),
    ("spec.poolRef.namespace", r#""other""#),
    ("spec.more", "true"),
    ("spec", "null"),
    ("spec", "{}"),
];

/// The same of rewrites.
const REWRITES: [(&str, &str); 22] = [
    ("metadata.name", r#""one""#),
    ("spec.poolRef", "{}"),
    ("spec.poolRef.group", r#""Example.com""#),
    ("spec.poolRef.kind", r#""Service""#),
    ("spec.rules", "[]"),
    ("spec.rules", "[{}]"),
    ("spec.rules", r#"[{"matches": []}]"#),
    ("spec.rules", r#"[{"matches": [{}]}]"#),
    ("spec.rules", r#"[{"matches": [{"model": {}}]}]"#),
    ("spec.rules", r#"[{"matches": [{"model": {"value": ""}}]}]"#),
    ("spec.rules", r#"[{"matches": [{"model": {"value": "chat"}}]}]"#),
    ("spec.rules", r#"[{"matches": [{"model": {"value": "chat", "type": "Prefix"}}]}]"#),
    ("spec.rules", r#"[{"targets": []}]"#),
    ("spec.rules", r#"[{"targets": [{"weight": 1}]}]"#),
    ("spec.rules", r#"[{"targets": [{"modelRewrite": ""}]}]"#),
    ("spec.rules", r#"[{"targets": [{"modelRewrite": "a", "weight": 0}]}]"#),
    ("spec.rules", r#"[{"targets": [{"modelRewrite": "a", "weight": 1000000}]}]"#),
    ("spec.rules", r#"[{"targets": [{"modelRewrite": "a", "weight": 1000001}]}]"#),
    ("spec.rules", r#"[{"targets": [{"modelRewrite": "a"}, {"modelRewrite": "a"}]}]"#),
    ("spec.rules", r#"{"targets": []}"#),
    ("spec", "null"),
    ("spec", r#"{"poolRef": {"name": "pool"}}"#),
];

/// A condition without which no entry of `conditions` is whole.
const CONDITION: &str = r#"{"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}"#;

/// What a controller may write to the status, and what not; `C` is a condition.
const STATUSES: [&str; 9] = [
    r#"{"parents": []}"#,
    r#"{"parents": [{"parentRef": {"name": "eg"}}]}"#,
    r#"{"parents": [{"parentRef": {"name": "eg", "namespace": "Gateways"}}]}"#,
    r#"{"parents": [{"parentRef": {"name": "eg"}, "controllerName": "controller"}]}"#,
    r#"{"parents": [{"parentRef": {"name": "eg"}, "controllerName": "example.com/controller", "conditions": [C]}]}"#,
    r#"{"parents": [{"parentRef": {"name": "eg"}, "conditions": [C, C]}]}"#,
    r#"{"parents": [{"parentRef": {"name": "eg"}, "conditions": [{"type": "Accepted"}]}]}"#,
    r#"{"parents": [{"controllerName": "example.com/controller"}]}"#,
    r#"{"parents": [{"parentRef": {}}]}"#,
];

/// The same where nothing but conditions is told, and one is there from the start.
const PENDING_STATUSES: [&str; 6] = [
    "{}",
    r#"{"conditions": []}"#,
    r#"{"conditions": [C]}"#,
    r#"{"conditions": [C, C]}"#,
    r#"{"conditions": [{"type": "Accepted"}]}"#,
    r#"{"conditions": [{"type": "-", "status": "True", "reason": "A", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}"#,
];

/// Our definition, as the step writes it where the provider says that there is none.
fn ours(version: &str, key: &str) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, value: &Value| -> Result<_> {
        let path = folder.path().join(name);
        std::fs::write(&path, serde_yaml::to_string(value)?)?;
        Ok(path)
    };
    let composite = json!({
        "apiVersion": "example.com/v1", "kind": "Cluster",
        "metadata": {"name": "gpu", "namespace": "clusters"},
        "spec": {"parameters": {"apps": {"gatewayInferenceExtension": {"enabled": true}}}},
    });
    let input = json!({
        "apiVersion": "inference.fn.crossplane.io/v1beta1", "kind": "ClusterExtension",
        "spec": {"version": version, "prerequisites": [], "experimental": true},
    });
    let observed = json!({
        "apiVersion": "kubernetes.m.crossplane.io/v1alpha1", "kind": "Object",
        "metadata": {
            "name": "gpu-crd", "namespace": "clusters",
            "annotations": {"crossplane.io/composition-resource-name": key},
        },
        "status": {"conditions": [{
            "type": "Synced", "status": "False", "reason": "ReconcileError",
            "message": "observe failed: external resource does not exist",
        }]},
    });
    let mut command = Command::new(workspace::function()?);
    command
        .arg("render")
        .arg(write("xr.yaml", &composite)?)
        .arg("--input")
        .arg(write("input.yaml", &input)?)
        .arg("--observed")
        .arg(write("observed.yaml", &observed)?);
    let finished = process::run(&mut command, RENDER_LIMIT)?;
    ensure!(finished.status.success(), "{}", finished.stderr);
    let documents: Vec<Value> = serde_yaml::from_multiple(&finished.stdout)?;
    let composed = documents.iter().find(|document| render::key(document) == key);
    let manifest = composed.and_then(|document| document.pointer("/spec/forProvider/manifest"));
    manifest.cloned().with_context(|| format!("nothing is composed: {}", finished.stdout))
}

fn upstream(source: Source, name: &str) -> Result<Value> {
    let crd = source.crds()?.into_iter().find(|crd| text(crd, "/metadata/name") == name);
    crd.with_context(|| format!("{source:?} has no {name}"))
}

/// Everything that extensions of clusters are composed of: strictly, twice, and nothing may be dropped.
#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_an_extension_is_accepted() -> Result<()> {
    let control_plane = ControlPlane::start("cluster-extension-objects").await?;
    let cluster = &control_plane.cluster;
    let mut kinds = crds::gateways()?;
    kinds.extend(crds::PROVIDER_KUBERNETES.crds()?);
    kinds.extend(crds::PROVIDER_HELM.crds()?);
    crds::install(cluster, &kinds).await?;

    let function = workspace::function()?;
    let mut answers = Vec::new();
    for scenario in render::scenarios(&workspace::root().join("examples"))? {
        if !scenario.is_model() {
            answers.push((scenario.name.clone(), render::preview(&function, &scenario)?));
        }
    }
    let folder = tempfile::tempdir()?;
    for (number, generated) in
        generate::deterministic(CASES, generate::clusters::cluster()).iter().enumerate()
    {
        let Generated { composite, input, .. } = generated;
        let answer = render::preview_of(&function, folder.path(), composite, Some(input))?;
        answers.push((format!("case {number}"), answer));
    }

    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, answer) in answers {
        let rendered = match answer {
            Answer::Rendered(rendered) => rendered,
            Answer::Refused(why) => bail!("{name}: {why}"),
        };
        for composed in rendered.composed.iter().map(named) {
            let delivered = delivered(&composed).filter(|_| is_object(&composed)).map(|it| it.manifest);
            for object in [Some(composed), delivered].into_iter().flatten() {
                let what = format!("{name}: {}", text(&object, "/kind"));
                let found = accepted(cluster, &object).await.with_context(|| what.clone())?;
                problems.extend(found.iter().map(|it| format!("{what}: {it}")));
                seen.insert(format!("{} {}", text(&object, "/apiVersion"), text(&object, "/kind")));
            }
        }
    }
    render::report(&problems)?;
    for kind in KINDS {
        ensure!(seen.contains(kind), "nothing has {kind}: {seen:?}");
    }
    Ok(())
}

/// What happens to an object that is applied, and ought not to.
async fn accepted(cluster: &Cluster, object: &Value) -> Result<Vec<String>> {
    let namespace = text(object, "/metadata/namespace");
    if !namespace.is_empty() {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        cluster.apply(&namespace, PERSON).await?;
    }
    let first = cluster.apply(object, PERSON).await?.object;
    let second = cluster.apply(object, PERSON).await?.object;
    let version = |object: &Value| text(object, "/metadata/resourceVersion").to_owned();
    let mut problems = acceptance::lost(object, &second);
    problems.extend(acceptance::added(object, &second));
    if version(&first) != version(&second) {
        problems.push("applying it again changes it".to_owned());
    }
    Ok(problems)
}

/// A part of an object; null where it is not there.
fn part(object: &Value, pointer: &str) -> Value {
    object.pointer(pointer).cloned().unwrap_or_default()
}

/// Without what people read, and what the API server writes.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, value)| name.as_str() != "description" || !value.is_string())
            .map(|(name, value)| (name.clone(), bare(value)))
            .collect(),
        Value::Array(entries) => entries.iter().map(bare).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn a_definition_is_upstreams_but_for_the_prose() -> Result<()> {
    for (version, source) in RELEASES {
        for Definition { key, name, .. } in DEFINITIONS {
            let (ours, upstream) = (ours(version, key)?, upstream(source, name)?);
            let (spec, want) = (bare(&ours["spec"]), bare(&upstream["spec"]));
            ensure!(spec == want, "{version}: ours\n{spec:#}\nupstream's\n{want:#}");
            ensure!(ours["metadata"]["name"] == name, "{version}: {}", ours["metadata"]);
            let mut annotations = ours["metadata"]["annotations"].clone();
            let mark =
                annotations.as_object_mut().and_then(|it| it.remove("inference.devopstoolkit.ai/owner"));
            ensure!(mark == Some(json!("clusters/gpu")), "{version}: {mark:?}");
            for (name, value) in annotations.as_object().into_iter().flatten() {
                ensure!(
                    upstream["metadata"]["annotations"][name] == *value,
                    "{version}: {name} is {value}, upstream's {}",
                    upstream["metadata"]["annotations"]
                );
            }
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_judges_objects_alike_by_both_definitions() -> Result<()> {
    let control_plane = ControlPlane::start("cluster-extension").await?;
    let compared = compare(&control_plane.cluster).await;
    compared.map_err(|error| control_plane.explain(error))
}

async fn compare(cluster: &Cluster) -> Result<()> {
    let mut problems = Vec::new();
    for (version, source) in RELEASES {
        for definition in DEFINITIONS {
            let theirs = verdicts(cluster, &definition, &upstream(source, definition.name)?).await?;
            let ours = verdicts(cluster, &definition, &ours(version, definition.key)?).await?;
            ensure!(theirs.len() == ours.len(), "{} verdicts and {}", theirs.len(), ours.len());
            let accepted = theirs.iter().filter(|(_, verdict)| verdict.is_ok()).count();
            ensure!(accepted > 5 && theirs.len() - accepted > 10, "the corpus has both kinds");
            for ((what, theirs), (_, ours)) in theirs.iter().zip(&ours) {
                if theirs != ours {
                    problems.push(format!("{version}: {what}: upstream's {theirs:?}, ours {ours:?}"));
                }
            }
        }
    }
    render::report(&problems)
}

type Verdict = std::result::Result<Value, String>;

/// What the API server says to each object, with this definition and no other.
async fn verdicts(cluster: &Cluster, definition: &Definition, crd: &Value) -> Result<Vec<(String, Verdict)>> {
    let Definition { key: _, name, api_version, kind, spec, changes, statuses } = *definition;
    crds::install(cluster, std::slice::from_ref(crd)).await?;
    let spec: Value = serde_json::from_str(spec)?;
    let object = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {"name": "one", "namespace": "default"},
        "spec": spec,
    });
    let mut verdicts = Vec::new();
    for (path, written) in changes {
        let mut object = object.clone();
        set(&mut object, path, serde_json::from_str(written)?);
        let answer = cluster.check(&object, PERSON).await.map(|accepted| part(&accepted.object, "/spec"));
        verdicts.push((format!("{kind} {path}: {written}"), verdict(answer)?));
    }
    let live = cluster.apply(&object, PERSON).await?.object;
    verdicts.push((format!("{kind} status"), Ok(part(&live, "/status"))));
    for status in statuses {
        let written = status.replace('C', CONDITION);
        let answer = match cluster.set_status(&object, &serde_json::from_str(&written)?).await {
            Ok(()) => Ok(part(&cluster.get(&object).await?.unwrap_or_default(), "/status")),
            Err(error) => Err(error),
        };
        verdicts.push((format!("{kind} status: {status}"), verdict(answer)?));
    }
    cluster.delete(&object).await?;
    cluster.delete(crd).await?;
    wait::until("the CRD goes", GONE_LIMIT, async || {
        let served = cluster.served(api_version).await.unwrap_or_default();
        let gone = cluster.get(crd).await?.is_none() && !served.iter().any(|served| served == kind);
        Ok(if gone { Ok(()) } else { Err(format!("{name} is still there")) })
    })
    .await?;
    Ok(verdicts)
}

/// A refusal is a verdict; anything else that goes wrong is not.
fn verdict(answer: Result<Value>) -> Result<Verdict> {
    match answer {
        Ok(object) => Ok(Ok(object)),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) => Ok(Err(refused.to_string())),
            None => Err(error),
        },
    }
}
