//! Can the model serve?

use serde_json::{Value, json};

use crate::api::fixtures::llm;
use crate::observe::fixtures::cluster;
use crate::plan::keys::Key;
use crate::report::ConditionType::WorkloadReady;
use crate::report::Reason;
use crate::report::fixtures::{asleep, deployment, full, on_deployment, runtime, stopped};

use super::{Case, case};

const UNREACHABLE: &str = "connect failed: cannot get provider config";

pub(super) fn cases() -> Vec<Case> {
    let runtime_only = |wanted, available| cluster().holding(Key::VllmRuntime, runtime(wanted, available));
    let mut old_pods = runtime(1, 0);
    old_pods["status"]["modelStatus"] = json!("NotReady");
    let mut of_stub = runtime(1, 0);
    of_stub["status"]["availableReplicas"] = json!("one");
    let mut gave_up = deployment(0);
    gave_up["status"]["conditions"][1]["status"] = json!("False");
    let mut slept = deployment(0);
    slept["spec"] = json!({"replicas": 0});
    vec![
        case(
            "all replicas serve",
            llm(),
            runtime_only(1, 1),
            (WorkloadReady, Reason::Available),
            &["1 of 1"],
        ),
        case(
            "a scale-out under way serves",
            full(),
            runtime_only(4, 1),
            (WorkloadReady, Reason::Available),
            &["VLLMRuntime team-a/llama", "1 of 4"],
        ),
        case(
            "an optional object that failed is told, and changes nothing",
            llm(),
            runtime_only(1, 1).broken(Key::ServiceMonitor, "no matches for kind \"ServiceMonitor\"."),
            (WorkloadReady, Reason::Available),
            &["ServiceMonitor team-a/llama cannot be reconciled: no matches for kind"],
        ),
        case(
            "no requests, and the autoscaler put it to sleep",
            asleep(600),
            runtime_only(0, 0),
            (WorkloadReady, Reason::ScaledToZero),
            &["The next request wakes it"],
        ),
        case(
            "asleep, and nobody would hold a request",
            llm().scaled(0, 4),
            runtime_only(0, 0),
            (WorkloadReady, Reason::ScaledToZero),
            &["Nothing can wake it"],
        ),
        case(
            "nothing is observed",
            llm(),
            cluster(),
            (WorkloadReady, Reason::Creating),
            &["is being created"],
        ),
        case(
            "the Object is applied, and the provider has not looked at the model",
            llm(),
            cluster().holding(Key::VllmRuntime, Value::Null),
            (WorkloadReady, Reason::Creating),
            &["provider-kubernetes"],
        ),
        case("a first start", llm(), runtime_only(1, 0), (WorkloadReady, Reason::Starting), &["coldStart"]),
        case(
            "a model that wakes up",
            asleep(600),
            runtime_only(1, 0).before("WorkloadReady", "True", "ScaledToZero"),
            (WorkloadReady, Reason::Starting),
            &["starts 1 wanted replica."],
        ),
        case(
            "a model that served",
            llm(),
            runtime_only(1, 0).before("WorkloadReady", "True", "Available"),
            (WorkloadReady, Reason::NotServing),
            &["kubectl -n team-a describe pods -l app=llama"],
        ),
        case(
            "it stays so until it serves again",
            llm(),
            runtime_only(1, 0).before("WorkloadReady", "False", "NotServing"),
            (WorkloadReady, Reason::NotServing),
            &["none of 1"],
        ),
        case(
            "the operator says that even the former pods are gone",
            llm(),
            cluster().holding(Key::VllmRuntime, old_pods),
            (WorkloadReady, Reason::NotServing),
            &["describe pods"],
        ),
        case(
            "none is wanted and nothing may start one, even while the last one stops",
            stopped(),
            runtime_only(0, 1),
            (WorkloadReady, Reason::Stopped),
            &["spec.minReplicas is 0"],
        ),
        case(
            "the provider cannot reach the cluster: what it saw before may be out of date",
            llm(),
            runtime_only(1, 1).broken(Key::VllmRuntime, UNREACHABLE),
            (WorkloadReady, Reason::ObjectNotSynced),
            &["VLLMRuntime team-a/llama", UNREACHABLE],
        ),
        case(
            "the cluster has no vLLM operator",
            llm(),
            cluster().broken(Key::VllmRuntime, "no matches for kind \"VLLMRuntime\""),
            (WorkloadReady, Reason::ObjectNotSynced),
            &["Install what brings that kind"],
        ),
        case(
            "another operator's VLLMRuntime",
            llm(),
            cluster().holding(Key::VllmRuntime, of_stub),
            (WorkloadReady, Reason::ObjectUnreadable),
            &["status.availableReplicas", "CRD"],
        ),
        case(
            "a Deployment's replica serves",
            on_deployment(llm()),
            cluster().holding(Key::ModelDeployment, deployment(1)),
            (WorkloadReady, Reason::Available),
            &["Deployment team-a/llama-vllm serves with 1 of 1"],
        ),
        case(
            "a Deployment's first start, with where to look",
            on_deployment(llm()),
            cluster().holding(Key::ModelDeployment, deployment(0)),
            (WorkloadReady, Reason::Starting),
            &["-l app.kubernetes.io/component=model-server,inference.devopstoolkit.ai/model=llama"],
        ),
        case(
            "the Deployment controller gave up",
            on_deployment(llm()),
            cluster().holding(Key::ModelDeployment, gave_up),
            (WorkloadReady, Reason::NotServing),
            &["describe pods"],
        ),
        case(
            "a Deployment that the autoscaler put to sleep",
            on_deployment(asleep(600)),
            cluster().holding(Key::ModelDeployment, slept),
            (WorkloadReady, Reason::ScaledToZero),
            &["The next request wakes it"],
        ),
    ]
}
