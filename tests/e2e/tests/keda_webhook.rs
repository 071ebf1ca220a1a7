//! The rules of KEDA's admission webhook, which a cluster may be without: each is there, and none is met by what we write.
//!
//! That no stack meets any of them, and none is warned about, `acceptance.rs` asks of the same webhook for every example
//! and for generated stacks. Here each rule is broken by hand, so that one that goes, or is renamed, shows.

#![allow(clippy::indexing_slicing, reason = "a manifest that has no such field is a test that fails")]

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::{Refused, text};
use e2e::controlplane::keda::Admission;
use e2e::controlplane::platform::namespace;
use e2e::controlplane::{ControlPlane, crds};
use e2e::files::set;
use e2e::promtool::{composed, composed_with};
use e2e::render;
use serde_json::{Value, json};

const PROVIDER: &str = "provider-kubernetes/object";

/// A rule of `apis/keda/v1alpha1/scaledobject_webhook.go` and its neighbours at v2.20.2.
struct Rule {
    /// The function that has it.
    of: &'static str,
    /// What breaks it, of an object of ours.
    breaks: fn(&mut Value),
    /// In its words.
    says: &'static str,
    /// Why nothing that we write does.
    never: &'static str,
}

/// Rules that an object breaks by itself.
const RULES: &[Rule] = &[
    Rule {
        of: "verifyName",
        breaks: |object| another(object, &"a".repeat(64)),
        says: "must be no more than 63 characters",
        never: "it is called as the model, whose name is a label",
    },
    Rule {
        of: "verifyName",
        breaks: |object| {
            another(object, &"a".repeat(60));
            set(object, "spec.advanced.horizontalPodAutoscalerConfig.name", json!(""));
        },
        says: "HPA name",
        never: "the name is set, to the model's own",
    },
    Rule {
        of: "verifyReplicaCount",
        breaks: |object| set(object, "spec.idleReplicaCount", json!(1)),
        says: "IdleReplicaCount=1 must be less than MinReplicaCount=1",
        never: "it is not set",
    },
    Rule {
        of: "verifyReplicaCount, and the CRD before it",
        breaks: |object| set(object, "spec.minReplicaCount", json!(9)),
        says: "minReplicaCount must be less than or equal to maxReplicaCount",
        never: "minReplicas above maxReplicas is refused, by the XRD and by the function",
    },
    Rule {
        of: "verifyFallback, and the CRD before it",
        breaks: |object| set(object, "spec.fallback.failureThreshold", json!(-1)),
        says: "greater than or equal to 0",
        never: "it is always 3",
    },
    Rule {
        of: "verifyFallback",
        breaks: |object| set(object, "spec.triggers", json!([cpu()])),
        says: "at least one trigger (that is not cpu or memory)",
        never: "every trigger asks Prometheus",
    },
    Rule {
        of: "verifyTriggers, and the CRD before it",
        breaks: |object| set(object, "spec.triggers", json!([])),
        says: "should have at least 1 items",
        never: "there is always the engines' trigger",
    },
    Rule {
        of: "verifyTriggers",
        breaks: |object| {
            let trigger = object["spec"]["triggers"][0].clone();
            set(object, "spec.triggers", json!([trigger, trigger]));
        },
        says: "is defined multiple times",
        never: "names of triggers are constants, each used once",
    },
    Rule {
        of: "verifyTriggers",
        breaks: |object| {
            let mut trigger = cpu();
            set(&mut trigger, "useCachedMetrics", json!(true));
            let ours = object["spec"]["triggers"][0].clone();
            set(object, "spec.triggers", json!([ours, trigger]));
        },
        says: "\"useCachedMetrics\" is not supported for \"cpu\" scaler",
        never: "it is not set, and no trigger is cpu",
    },
    Rule {
        of: "verifyScaledObjects",
        breaks: |object| set(object, "spec.scaleTargetRef.kind", json!("VLLMRuntme")),
        says: "no matches for kind",
        never: "kinds are constants; where the cluster has no such kind, the workload itself is not there",
    },
    Rule {
        of: "ValidateAndCompileScalingModifiers",
        breaks: |object| modify(object, &json!({"formula": "a + 1"})),
        says: "formula is given but target is empty",
        never: "there is no formula",
    },
    Rule {
        of: "ValidateAndCompileScalingModifiers",
        breaks: |object| modify(object, &json!({"target": "1"})),
        says: "Formula is mandatory",
        never: "likewise",
    },
    Rule {
        of: "ValidateAndCompileScalingModifiers",
        breaks: |object| modify(object, &json!({"formula": "nobody + 1", "target": "1"})),
        says: "unknown name nobody",
        never: "likewise",
    },
    Rule {
        of: "ValidateAndCompileScalingModifiers",
        breaks: |object| {
            object["spec"]["triggers"][0]["name"] = json!("a");
            modify(object, &json!({"formula": "1 + 1", "target": "0"}));
        },
        says: "error validating target",
        never: "likewise",
    },
    Rule {
        of: "verifyScaledObjects",
        breaks: |object| set(object, "spec.fallback.behavior", json!("scalingModifiers")),
        says: "requires scalingModifiers.formula",
        never: "the behaviour is always currentReplicasIfHigher",
    },
    Rule {
        of: "verifyCPUMemoryScalers",
        breaks: |object| {
            set(object, "spec.minReplicaCount", json!(0));
            on_deployment(object);
            remove(object, "fallback");
            set(object, "spec.triggers", json!([cpu()]));
        },
        says: "has only cpu/memory triggers AND minReplica is 0",
        never: "every trigger asks Prometheus",
    },
    Rule {
        of: "verifyCPUMemoryScalers",
        breaks: |object| {
            on_deployment(object);
            let ours = object["spec"]["triggers"][0].clone();
            let mut memory = cpu();
            set(&mut memory, "type", json!("memory"));
            set(object, "spec.triggers", json!([ours, memory]));
        },
        says: "doesn't have the memory request defined",
        never: "likewise",
    },
    Rule {
        of: "verifyScaledObjects",
        breaks: |object| {
            set(object, "metadata.name", json!("second"));
            set(object, "spec.advanced.horizontalPodAutoscalerConfig.name", json!("second-hpa"));
        },
        says: "is already managed by the ScaledObject 'qwen'",
        never: "a model has one; somebody else's shows as ObjectNotSynced",
    },
    Rule {
        of: "verifyScaledObjects",
        breaks: |object| {
            set(object, "metadata.name", json!("second"));
            on_deployment(object);
        },
        says: "already managed by the ScaledObject",
        never: "its name is the model's and a suffix, so two of ours never share one",
    },
    Rule {
        of: "verifyHpas",
        breaks: |object| {
            another(object, "second");
            set(object, "spec.scaleTargetRef.name", json!("autoscaled-by-hand"));
        },
        says: "is already managed by the hpa 'by-hand'",
        never: "we write no other autoscaler; somebody else's shows as ObjectNotSynced",
    },
];

/// What it only warns of, since it would do nothing.
const WARNINGS: &[Rule] = &[
    Rule {
        of: "verifyScaledObjects",
        breaks: |object| set(object, "spec.pollingInterval", json!(15)),
        says: "PollingInterval is configured but is not relevant",
        never: "it is set only where minReplicas is 0",
    },
    Rule {
        of: "verifyScaledObjects",
        breaks: |object| set(object, "spec.cooldownPeriod", json!(300)),
        says: "CooldownPeriod is configured but is not relevant",
        never: "likewise",
    },
];

/// Of another name, for a target of its own.
fn another(object: &mut Value, name: &str) {
    set(object, "metadata.name", json!(name));
    set(object, "spec.scaleTargetRef.name", json!("another"));
    set(object, "spec.advanced.horizontalPodAutoscalerConfig.name", json!("another-hpa"));
}

fn cpu() -> Value {
    json!({"type": "cpu", "metricType": "Utilization", "metadata": {"value": "50"}})
}

fn modify(object: &mut Value, modifiers: &Value) {
    set(object, "spec.advanced.scalingModifiers", modifiers.clone());
}

fn remove(object: &mut Value, field: &str) {
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove(field);
    }
}

/// A Deployment that asks for CPU and for no memory.
fn on_deployment(object: &mut Value) {
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "plain"});
    set(object, "spec.scaleTargetRef", target);
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "plain", "namespace": "team-a"},
        "spec": {
            "selector": {"matchLabels": {"app": "plain"}},
            "template": {
                "metadata": {"labels": {"app": "plain"}},
                "spec": {"containers": [{
                    "name": "c", "image": "i", "resources": {"requests": {"cpu": "1"}},
                }]},
            },
        },
    })
}

/// Another autoscaler, of a runtime of its own.
fn by_hand() -> Value {
    json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "by-hand", "namespace": "team-a"},
        "spec": {
            "maxReplicas": 2,
            "scaleTargetRef": {
                "apiVersion": "production-stack.vllm.ai/v1alpha1", "kind": "VLLMRuntime",
                "name": "autoscaled-by-hand",
            },
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_is_met() -> Result<()> {
    let control_plane = ControlPlane::start("keda-webhook").await?;
    let cluster = &control_plane.cluster;
    crds::install(cluster, &[crds::vllm_runtime()?, crds::KEDA.crds()?].concat()).await?;
    namespace(cluster, "team-a").await?;
    for object in [&deployment(), &by_hand()] {
        cluster.apply(object, PROVIDER).await?;
    }
    let _admission = Admission::start(&control_plane).await?;

    let ours = composed("autoscaled/xr.yaml", "ScaledObject")?;
    let stored = cluster.apply(&ours, PROVIDER).await?;
    ensure!(stored.warnings.is_empty(), "warned of: {:?}", stored.warnings);
    let longest = [
        ("metadata.name", json!("a".repeat(63))),
        // No other name is made of it then.
        ("spec.gateway.enabled", json!(false)),
        ("spec.minReplicas", json!(1)),
    ];
    let longest = composed_with("picker-llm-d-v0.10/xr.yaml", &longest, "ScaledObject")?;
    cluster.check(&longest, PROVIDER).await.context("the longest name of a model")?;
    let mut unmet = Vec::new();
    for Rule { of, breaks, says, never } in RULES {
        let mut broken = ours.clone();
        breaks(&mut broken);
        let about = format!("{of}, {says:?}, which we never break, since {never}");
        let outcome = if text(&broken, "/metadata/name") == text(&ours, "/metadata/name") {
            cluster.replace(&with_version(&broken, &stored.object)).await
        } else {
            cluster.create(&broken).await
        };
        match outcome {
            Ok(_) => unmet.push(format!("accepted: {about}")),
            Err(error) if error.is::<Refused>() && format!("{error:#}").contains(says) => {}
            Err(error) => unmet.push(format!("{about}: {error:#}")),
        }
    }
    for Rule { of, breaks, says, never } in WARNINGS {
        let mut broken = ours.clone();
        breaks(&mut broken);
        let accepted = cluster.check(&broken, PROVIDER).await?;
        let about = format!("{of}, {says:?}, which we never cause, since {never}");
        if !accepted.warnings.iter().any(|it| it.contains(says)) {
            unmet.push(format!("{about}: {:?}", accepted.warnings));
        }
    }
    render::report(&unmet)
}

/// What replaces an object says which state of it is meant.
fn with_version(object: &Value, stored: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"].clone();
    object
}
