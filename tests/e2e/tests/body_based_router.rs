//! The contract of routing by model: which headers a real body-based router sets, for routes to match.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::controlplane::ControlPlane;
use e2e::controlplane::wait::until;
use e2e::picker::ask::Answer;
use e2e::picker::router::Router;
use e2e::tools::{self, Tool};
use serde_json::json;

/// A `ConfigMap` is seen within a second on an idle machine.
const LIMIT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_router_v1_3_names_the_model_and_its_base() -> Result<()> {
    names_the_model_and_its_base("bbr-1.3", tools::ROUTER_1_3, &[], "inference-gateway.k8s.io/managed").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_v1_5_names_the_model_and_its_base() -> Result<()> {
    let label = "inference.networking.k8s.io/bbr-managed";
    names_the_model_and_its_base("bbr-1.5", tools::ROUTER_1_5, &["--tracing=false"], label).await
}

async fn names_the_model_and_its_base(name: &str, tool: Tool, more: &[&str], label: &str) -> Result<()> {
    let control_plane = ControlPlane::start(name).await?;
    let base = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "llama", "namespace": "default", "labels": {label: "true"}},
        "data": {"baseModel": "llama", "adapters": "- sql\n- poetry\n"},
    });
    control_plane.cluster.create(&base).await?;
    let router = Router::start(&control_plane, tool, more).await?;

    let cases = [
        ("llama", "llama", "the base itself"),
        ("sql", "llama", "an adapter leads to its base"),
        ("unknown", "", "no base is known, and the header says so"),
    ];
    for (model, base, reason) in cases {
        // What a client says itself does not count.
        let forged = [("x-gateway-model-name", "other"), ("x-gateway-base-model-name", "other")];
        let want = BTreeMap::from([
            ("x-gateway-model-name".to_owned(), model.to_owned()),
            ("x-gateway-base-model-name".to_owned(), base.to_owned()),
        ]);
        until(reason, LIMIT, async || {
            let answer = router.client.ask(&forged, &json!({"model": model, "prompt": "hello"})).await?;
            let Answer::Goes(headers) = &answer else { return Ok(Err(format!("{answer:?}"))) };
            let set = headers.iter().filter(|(header, _)| want.contains_key(*header));
            let set: BTreeMap<String, String> = set.map(|(k, v)| (k.clone(), v.clone())).collect();
            Ok(if set == want { Ok(()) } else { Err(format!("{headers:?}")) })
        })
        .await?;
    }
    ensure!(control_plane.cluster.get(&base).await?.is_some(), "the router only reads");
    Ok(())
}
