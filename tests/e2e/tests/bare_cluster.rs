//! A target cluster that knows no kinds but Kubernetes' own: each layer says what has to be installed, in answer to what
//! the real provider says, and goes on by itself once somebody installs it.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::controlplane::cluster::{condition, describe, text};
use e2e::controlplane::model::{GATEWAY, Model, all_become_ready, asked_often};
use e2e::controlplane::stage::{Settings, Stage, Target};
use e2e::controlplane::wait::{Look, until};
use e2e::controlplane::{core, crds, platform};
use e2e::render::example;
use serde_json::Value;

/// The provider tries an Object again within a minute, however often it has failed.
const LIMIT: Duration = Duration::from_mins(5);

/// So many updates that no model makes Crossplane stop listening.
const ALL_EARS: core::Settings =
    core::Settings { circuit_breaker_burst: Some(2000), rights: core::Rights::Administrator };

/// The one that the example for Istio names.
const ISTIO_GATEWAY: (&str, &str) = ("istio-ingress", "inference-gateway");

/// A condition, its reason and some of its words.
type Word = (&'static str, &'static str, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn each_layer_names_what_is_not_installed_and_goes_on_once_it_is() -> Result<()> {
    let settings = Settings { target: Target::BareCluster, core: ALL_EARS, ..Settings::default() };
    let stage = Stage::start("bare-cluster", settings).await?;
    layer_by_layer(&stage).await.map_err(|error| stage.explain(error))
}

async fn layer_by_layer(stage: &Stage) -> Result<()> {
    let (cluster, target) = (stage.cluster(), stage.target());
    let model = applied(stage, "full-stack/xr.yaml").await?;
    let behind_istio = applied(stage, "gateway-istio/xr.yaml").await?;

    let workload: Word = ("WorkloadReady", "VLLMOperatorNotInstalled", "does not know the kind VLLMRuntime");
    let picker: Word = (
        "EndpointPickerReady",
        "InferenceExtensionNotInstalled",
        "does not know the kind InferenceObjective",
    );
    let scaler: Word = ("ScalingReady", "ScalerNotInstalled", "does not know the kind ScaledObject");
    let gateway: Word = ("GatewayReady", "GatewayAPINotInstalled", "does not know the kind Gateway");
    says(stage, &model, &[gateway, picker, workload, scaler]).await?;

    crds::install(target, &crds::vllm_runtime()?).await?;
    let workload: Word =
        ("WorkloadReady", "Available", "MonitoringNotInstalled: the cluster of provider config");
    says(stage, &model, &[gateway, picker, workload, scaler]).await?;

    crds::install(target, &crds::GATEWAY_API.crds()?).await?;
    let gateway: Word = ("GatewayReady", "NoGateway", "");
    says(stage, &model, &[gateway, picker, workload, scaler]).await?;
    for (namespace, name) in [GATEWAY, ISTIO_GATEWAY] {
        platform::gateway(target, namespace, name).await?;
    }
    let gateway: Word =
        ("GatewayReady", "InferenceExtensionNotInstalled", "does not know the kind InferencePool");
    says(stage, &model, &[gateway, picker, workload, scaler]).await?;

    crds::install(target, &crds::INFERENCE_EXTENSION_1_3.crds()?).await?;
    let picker: Word = ("EndpointPickerReady", "Available", "answers the Gateway");
    let gateway: Word = ("GatewayReady", "PriorityNotEnforced", "");
    says(stage, &model, &[gateway, picker, workload, scaler]).await?;
    let implementation: Word =
        ("GatewayReady", "GatewayImplementationNotInstalled", "does not know the kind DestinationRule");
    says(stage, &behind_istio, &[implementation]).await?;
    ensure!(condition(&model.live(cluster).await?, "Ready") == "False", "it is Ready without its autoscaler");

    crds::install(target, &crds::KEDA.crds()?).await?;
    let scaler: Word = ("ScalingReady", "ScalerReady", "");
    says(stage, &model, &[gateway, picker, workload, scaler]).await?;
    all_become_ready(cluster, std::slice::from_ref(&model), LIMIT).await?;

    crds::install(target, &[crds::PROMETHEUS_OPERATOR.crds()?, crds::gateways()?].concat()).await?;
    all_become_ready(cluster, &[model.clone(), behind_istio.clone()], LIMIT).await?;
    until("nothing is missing any more, and the monitor is there", LIMIT, async || {
        let live = model.live(cluster).await?;
        let said = conditions(&live).any(|condition| text(condition, "/message").contains("NotInstalled"));
        let monitors = target.list("monitoring.coreos.com/v1", "ServiceMonitor", &model.namespace).await?;
        Ok(if !said && monitors.len() == 1 {
            Look::Ok(())
        } else {
            Look::Err(format!("{} monitors, {}", monitors.len(), live["status"]["conditions"]))
        })
    })
    .await?;
    for model in [&model, &behind_istio] {
        model.delete(cluster).await?;
    }
    for model in [&model, &behind_istio] {
        model.goes(stage, LIMIT).await?;
    }
    Ok(())
}

async fn applied(stage: &Stage, name: &str) -> Result<Model> {
    let scenario = example(name)?;
    let model = Model::apply(stage, &scenario).await?;
    model.configure(stage, &scenario, &[asked_often()]).await?;
    Ok(model)
}

/// Waits until all of these are said at once.
async fn says(stage: &Stage, model: &Model, want: &[Word]) -> Result<()> {
    until(&format!("{} says {want:?}", describe(&model.xr)), LIMIT, async || {
        let live = model.live(stage.cluster()).await?;
        let is_said = want.iter().all(|(kind, reason, words)| {
            conditions(&live).any(|condition| {
                text(condition, "/type") == *kind
                    && text(condition, "/reason") == *reason
                    && text(condition, "/message").contains(words)
            })
        });
        Ok(if is_said { Look::Ok(()) } else { Look::Err(live["status"]["conditions"].to_string()) })
    })
    .await
}

fn conditions(live: &Value) -> impl Iterator<Item = &Value> {
    live.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten()
}
