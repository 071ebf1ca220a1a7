//! Can the model serve?

use serde_json::json;

use crate::api::fixtures::llm;
use crate::observe::fixtures::cluster;
use crate::plan::keys::Key;
use crate::report::ConditionType::WorkloadReady;
use crate::report::Reason;
use crate::report::fixtures::{asleep, deployment, full, on_deployment, runtime, stopped};

use super::{Case, case};

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
            "a scale-out under way serves",
            full(),
            runtime_only(4, 1),
            (WorkloadReady, Reason::Available),
            &["VLLMRuntime team-a/llama", "1 of 4"],
        ),
        case(
            "asleep, and nobody would hold a request",
            llm().scaled(0, 4),
            runtime_only(0, 0),
            (WorkloadReady, Reason::ScaledToZero),
            &["Nothing can wake it"],
        ),
        case(
            "a model that wakes up",
            asleep(600),
            runtime_only(1, 0).before("WorkloadReady", "True", "ScaledToZero"),
            (WorkloadReady, Reason::Waking),
            &["wakes with 1 wanted replica, and requests wait for it."],
        ),
        case(
            "it stays so until it serves again",
            llm(),
            runtime_only(1, 0).before("WorkloadReady", "False", "NotServing"),
            (WorkloadReady, Reason::NotServing),
            &["none of 1"],
        ),
        case(
            "none is wanted and nothing may start one, even while the last one stops",
            stopped(),
            runtime_only(0, 1),
            (WorkloadReady, Reason::Stopped),
            &["spec.minReplicas is 0"],
        ),
        case(
            "the cluster has no vLLM operator",
            llm(),
            cluster().broken(Key::VllmRuntime, "no matches for kind \"VLLMRuntime\""),
            (WorkloadReady, Reason::VllmOperatorNotInstalled),
            &["does not know the kind VLLMRuntime", "workload.backend to Deployment"],
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
            "a Deployment that the autoscaler put to sleep",
            on_deployment(asleep(600)),
            cluster().holding(Key::ModelDeployment, slept),
            (WorkloadReady, Reason::ScaledToZero),
            &["The next request wakes it"],
        ),
    ]
}
