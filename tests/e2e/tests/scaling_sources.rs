//! What models scale by beside their own gauges: latencies, series that somebody else scrapes, and a Prometheus that asks
//! who asks. Everything real is as in `scaling.rs`.

use anyhow::{Context, Result, ensure};
use e2e::controlplane::cluster::Cluster;
use e2e::controlplane::guarded::{FIRST, Guard, Locked, NEXT, Password, USER};
use e2e::controlplane::keda;
use e2e::controlplane::platform::{PLATFORM, namespace};
use e2e::picker::servers::Load;
use e2e::scaled::{QUIET, Scaled, World, on_stage};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn models_scale_by_whatever_prometheus_knows() -> Result<()> {
    Box::pin(on_stage("scaling-sources", async |world| {
        tokio::try_join!(
            keeps_its_objective(world),
            is_scraped_by_somebody_else(world),
            shows_a_password(world),
            shows_a_token(world),
        )
        .map(drop)
    }))
    .await
}

/// One to six and back, by the time to the first token and then by that between tokens.
///
/// The percentile is that of two minutes, which nothing shortens.
async fn keeps_its_objective(world: &World<'_>) -> Result<()> {
    let spec = json!({
        "minReplicas": 1, "maxReplicas": 6,
        "scaling": {
            "enabled": true, "metric": "latency",
            "latency": {"timeToFirstToken": "1s", "interTokenLatency": "50ms"},
        },
    });
    let model = world.model("swift", "Deployment", &spec).await?;
    model.comes_to(1).await?;
    model.says("ScalingReady", "ScalerReady").await.context("before the first request")?;
    model.only_waits_are_shorter().await?;

    let take = |latencies| world.node.bear(model.namespace(), Load { latencies, ..Load::default() });
    // The percentile is read as 2.35 s: divided by the replicas it would call for three, multiplied by them for all.
    take(Some([1900, 20]));
    model.comes_to(6).await.context("by a first token that comes late")?;
    take(Some([200, 20]));
    model.comes_to(1).await.context("once the objective is kept")?;
    take(Some([200, 60]));
    model.comes_to(6).await.context("by tokens that take long")?;
    // Of no request there is no percentile, and that is no error.
    take(None);
    model.comes_to(1).await.context("without requests")?;
    model.says("ScalingReady", "ScalerReady").await.map(drop)
}

/// Nothing of ours scrapes it: the platform does, and says by which label.
async fn is_scraped_by_somebody_else(world: &World<'_>) -> Result<()> {
    let platform =
        json!({"monitoring.kind": "None", "monitoring.external": {"selector": {"scraped-for": "gpu"}}});
    let model = world.model_with("foreign", "VLLMRuntime", &platform, &by_queue(3)).await?;
    let monitor = json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "somebody-else", "namespace": model.namespace()},
        "spec": {
            "selector": {"matchLabels": {"app": model.name}},
            "podMetricsEndpoints": [{
                "port": "http", "interval": "1s",
                "relabelings": [{"action": "replace", "targetLabel": "scraped_for", "replacement": "gpu"}],
            }],
        },
    });
    model.comes_to(1).await?;
    model.is_blind().await.context("while nobody scrapes it")?;
    world.stage.target().apply(&monitor, PLATFORM).await?;
    model.says("ScalingReady", "ScalerReady").await?;
    follows(world, &model, 3).await
}

/// Prometheus itself asks for a password, and shows a certificate that only its own authority vouches for.
async fn shows_a_password(world: &World<'_>) -> Result<()> {
    let control_plane = world.stage.target_control_plane();
    let locked = Locked::start(control_plane)?;
    let target = world.stage.target();
    let place = "team-secretive";
    namespace(target, place).await?;
    let credentials = |password: Password, authority: &str| {
        secret(place, &json!({"username": USER, "password": password.plain, "ca": authority}))
    };
    let somebody_else = e2e::controlplane::certs::Authority::create()?;
    target.apply(&credentials(FIRST, somebody_else.pem()), PLATFORM).await?;
    let parameters = ["username", "password", "ca"];
    target.apply(&authentication("TriggerAuthentication", Some(place), &parameters), PLATFORM).await?;

    let platform = json!({
        "prometheus.address": locked.url(),
        "prometheus.authRef": {"name": NAME, "modes": ["basic"]},
    });
    let model = world.model_with("secretive", "VLLMRuntime", &platform, &by_queue(3)).await?;
    model.comes_to(1).await?;
    let said = model.is_blind().await.context("with an authority that is not its own")?;
    ensure!(said.contains(&format!("TriggerAuthentication {NAME:?}")), "{said}");
    target.apply(&credentials(FIRST, control_plane.authority.pem()), PLATFORM).await?;
    model.says("ScalingReady", "ScalerReady").await?;
    has_its_key_taken(world, &model, &|| locked.asks_for(NEXT), async |target| {
        target.apply(&credentials(NEXT, control_plane.authority.pem()), PLATFORM).await.map(drop)
    })
    .await
}

/// What stands before Prometheus asks for a token, which one Secret of the platform has for all models.
async fn shows_a_token(world: &World<'_>) -> Result<()> {
    let guard = Guard::start(world.prometheus, "sesame").await?;
    let target = world.stage.target();
    let token = |token: &str| secret(keda::NAMESPACE, &json!({"bearerToken": token}));
    target.apply(&token("sesame"), PLATFORM).await?;
    target.apply(&authentication("ClusterTriggerAuthentication", None, &["bearerToken"]), PLATFORM).await?;

    let platform = json!({
        "prometheus.address": guard.url(),
        "prometheus.authRef": {"name": NAME, "kind": "ClusterTriggerAuthentication", "modes": ["bearer"]},
    });
    let model = world.model_with("trusted", "Deployment", &platform, &by_queue(3)).await?;
    model.comes_to(1).await?;
    model.says("ScalingReady", "ScalerReady").await?;
    let change = || {
        guard.asks_for("barley");
        Ok(())
    };
    has_its_key_taken(world, &model, &change, async |target| {
        target.apply(&token("barley"), PLATFORM).await.map(drop)
    })
    .await
}

/// It follows its load, and while its secret is the wrong one it keeps what runs.
async fn has_its_key_taken(
    world: &World<'_>,
    model: &Scaled<'_>,
    change: &(dyn Fn() -> Result<()> + Sync),
    follow: impl AsyncFnOnce(&Cluster) -> Result<()>,
) -> Result<()> {
    world.node.bear(model.namespace(), Load { waiting: 8.0, ..Load::default() });
    model.comes_to(3).await.context("by its queue")?;
    change()?;
    let said = model.is_blind().await.context("with the wrong secret")?;
    ensure!(said.contains(&format!("TriggerAuthentication {NAME:?}")), "{said}");
    world.node.bear(model.namespace(), Load::default());
    model.stays_at(3, QUIET).await.context("with the wrong secret")?;
    follow(world.stage.target()).await?;
    model.says("ScalingReady", "ScalerReady").await.context("with the right secret")?;
    model.comes_to(1).await.context("without a queue")
}

async fn follows(world: &World<'_>, model: &Scaled<'_>, most: u64) -> Result<()> {
    world.node.bear(model.namespace(), Load { waiting: 8.0, ..Load::default() });
    model.comes_to(most).await.context("by its queue")?;
    world.node.bear(model.namespace(), Load::default());
    model.comes_to(1).await.context("without a queue")
}

fn by_queue(most: u64) -> Value {
    json!({"minReplicas": 1, "maxReplicas": most, "scaling": {"enabled": true, "metric": "queue-depth"}})
}

/// What credentials are called.
const NAME: &str = "prometheus";

fn secret(namespace: &str, data: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": NAME, "namespace": namespace}, "stringData": data,
    })
}

fn authentication(kind: &str, namespace: Option<&str>, parameters: &[&str]) -> Value {
    let references =
        parameters.iter().map(|parameter| json!({"parameter": parameter, "name": NAME, "key": parameter}));
    let mut authentication = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": kind,
        "metadata": {"name": NAME},
        "spec": {"secretTargetRef": references.collect::<Vec<_>>()},
    });
    if let Some(namespace) = namespace {
        e2e::files::set(&mut authentication, "metadata.namespace", json!(namespace));
    }
    authentication
}
