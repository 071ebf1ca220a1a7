//! Two composite resources that mean the same objects: one serves, the other says so and keeps its hands off.

#![allow(clippy::indexing_slicing, reason = "an answer that has no such field is a test that fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::controlplane::cluster::{describe, text};
use e2e::controlplane::core;
use e2e::controlplane::model::{APPLICATION, Model, all_become_ready, is_synced_and_ready};
use e2e::controlplane::platform::namespace;
use e2e::controlplane::provider::{ConfigKind, connect};
use e2e::controlplane::stage::{Settings, Stage, Target};
use e2e::controlplane::wait::{Look, until};
use e2e::files::set;
use e2e::render::example;
use serde_json::{Value, json};

/// Crossplane stops to listen when two models write to each other's objects, for half a minute at a time.
const LIMIT: Duration = Duration::from_mins(5);

/// How long nothing may change hands: many times what two providers that watch need to repair a mark.
const QUIET: Duration = Duration::from_secs(10);

/// So many updates that no model makes Crossplane stop listening.
const ALL_EARS: core::Settings =
    core::Settings { circuit_breaker_burst: Some(2000), rights: core::Rights::Administrator };

const OWNER: &str = "/metadata/annotations/inference.devopstoolkit.ai~1owner";

#[tokio::test(flavor = "multi_thread")]
async fn of_two_models_that_mean_the_same_objects_the_older_serves() -> Result<()> {
    let settings = Settings { target: Target::AnotherCluster, core: ALL_EARS, ..Settings::default() };
    let stage = Stage::start("rivals", settings).await?;
    both_orders(&stage).await.map_err(|error| stage.explain(error))
}

async fn both_orders(stage: &Stage) -> Result<()> {
    let example = example("full-stack/xr.yaml")?;
    let one = Model::apply_as(stage, &example, "first-", ConfigKind::ProviderConfig).await?;
    let two = rival(stage, &one, "team-second").await?;
    one_after_the_other(stage, &one, &two).await?;
    both_at_once(stage, &one, &two).await
}

async fn one_after_the_other(stage: &Stage, older: &Model, younger: &Model) -> Result<()> {
    let cluster = stage.cluster();
    all_become_ready(cluster, std::slice::from_ref(older), LIMIT).await?;
    let before = identities(stage, older).await?;

    cluster.apply(&younger.xr, APPLICATION).await?;
    is_refused(stage, younger, older).await?;
    all_become_ready(cluster, std::slice::from_ref(older), LIMIT).await?;
    rests_with(stage, older).await?;
    ensure!(identities(stage, older).await? == before, "objects were made anew");
    ensure!(is_synced_and_ready(&older.live(cluster).await?), "the older model is not Ready any more");

    older.delete(cluster).await?;
    all_become_ready(cluster, std::slice::from_ref(younger), LIMIT).await?;
    let wanted: BTreeMap<String, String> =
        before.into_keys().map(|object| (object, owner_of(younger))).collect();
    until("all that was the older model's is the younger's", LIMIT, async || {
        let owners = owners(stage, &older.namespace).await?;
        Ok(if owners == wanted { Look::Ok(()) } else { Look::Err(format!("{owners:?}")) })
    })
    .await?;
    // At once: an Object that has just created something must take it with it.
    younger.delete(cluster).await?;
    older.goes(stage, LIMIT).await?;
    younger.goes(stage, LIMIT).await
}

/// Neither can see the other before both have written.
async fn both_at_once(stage: &Stage, one: &Model, two: &Model) -> Result<()> {
    let cluster = stage.cluster();
    tokio::try_join!(cluster.apply(&one.xr, APPLICATION), cluster.apply(&two.xr, APPLICATION))?;
    let (winner, loser) = until("one of the two is Ready", LIMIT, async || {
        for (winner, loser) in [(one, two), (two, one)] {
            if is_synced_and_ready(&winner.live(cluster).await?) {
                return Ok(Look::Ok((winner, loser)));
            }
        }
        let lives = [one.live(cluster).await?, two.live(cluster).await?];
        Ok(Look::Err(format!("{:?}", lives.each_ref().map(reasons))))
    })
    .await?;
    is_refused(stage, loser, winner).await?;
    let owners = until_one_owns_all(stage, &one.namespace).await?;
    ensure!(owners == owner_of(winner), "all is of {owners}, and Ready is {}", describe(&winner.xr));
    let before = identities(stage, one).await?;

    loser.delete(cluster).await?;
    until(&format!("{} is gone", describe(&loser.xr)), LIMIT, async || {
        Ok(if cluster.get(&loser.xr).await?.is_none() { Look::Ok(()) } else { Look::Err(String::new()) })
    })
    .await?;
    all_become_ready(cluster, std::slice::from_ref(winner), LIMIT).await?;
    rests_with(stage, winner).await?;
    ensure!(identities(stage, one).await? == before, "what was another's was deleted");
    ensure!(is_synced_and_ready(&winner.live(cluster).await?), "the winner is not Ready any more");
    winner.delete(cluster).await?;
    one.goes(stage, LIMIT).await?;
    two.goes(stage, LIMIT).await
}

/// The same model once more, from another namespace.
async fn rival(stage: &Stage, of: &Model, place: &str) -> Result<Model> {
    let mut xr = of.xr.clone();
    set(&mut xr, "metadata.namespace", json!(place));
    set(&mut xr, "spec.targetNamespace", json!(of.namespace));
    namespace(stage.cluster(), place).await?;
    namespace(stage.target(), place).await?;
    let config = text(&xr, "/spec/providerConfigName");
    connect(stage.cluster(), ConfigKind::ProviderConfig, place, config, stage.target_kubeconfig()).await?;
    Ok(Model { xr, namespace: place.to_owned(), reach: of.reach })
}

/// It says whose the objects are, in each layer that has any, and its Objects may only look.
async fn is_refused(stage: &Stage, loser: &Model, winner: &Model) -> Result<()> {
    let cluster = stage.cluster();
    until(&format!("{} says that its name is taken", describe(&loser.xr)), LIMIT, async || {
        let live = loser.live(cluster).await?;
        let reasons = reasons(&live);
        let refused = ["WorkloadReady", "EndpointPickerReady", "GatewayReady"]
            .into_iter()
            .all(|kind| reasons.get(kind).is_some_and(|reason| reason == "NameTaken"));
        let writing: Vec<String> = loser
            .objects(cluster)
            .await?
            .iter()
            .filter(|object| object["spec"]["managementPolicies"] != json!(["Observe"]))
            .map(|object| describe(&object["spec"]["forProvider"]["manifest"]))
            .collect();
        Ok(if refused && writing.is_empty() {
            Look::Ok(())
        } else {
            Look::Err(format!("{reasons:?}, {writing:?}"))
        })
    })
    .await?;
    let live = loser.live(cluster).await?;
    let conditions = live["status"]["conditions"].as_array().into_iter().flatten();
    let messages: Vec<&str> = conditions
        .filter(|condition| condition["reason"] == "NameTaken")
        .map(|condition| text(condition, "/message"))
        .collect();
    let both = format!("belongs to {}, and this model is {}", owner_of(winner), owner_of(loser));
    ensure!(messages.iter().any(|message| message.contains(&both)), "{messages:?} do not say {both:?}");
    ensure!(live["status"].get("url").is_none(), "it tells another model's URL: {}", live["status"]["url"]);
    Ok(())
}

/// Every object has the owner's mark and nobody writes to it.
async fn rests_with(stage: &Stage, owner: &Model) -> Result<()> {
    let sole = until_one_owns_all(stage, &owner.namespace).await?;
    ensure!(sole == owner_of(owner), "all is of {sole}");
    let before = versions(stage, &owner.namespace).await?;
    tokio::time::sleep(QUIET).await;
    let after = versions(stage, &owner.namespace).await?;
    ensure!(before == after, "written to at rest: {before:?}, then {after:?}");
    Ok(())
}

async fn until_one_owns_all(stage: &Stage, place: &str) -> Result<String> {
    until(&format!("one composite owns all in {place}"), LIMIT, async || {
        let mut owners: Vec<String> = owners(stage, place).await?.into_values().collect();
        owners.sort_unstable();
        owners.dedup();
        Ok(match owners.as_slice() {
            [owner] => Look::Ok(owner.clone()),
            _ => Look::Err(format!("{owners:?}")),
        })
    })
    .await
}

async fn marked(stage: &Stage, place: &str) -> Result<Vec<Value>> {
    let mut all = stage.target().everything_in(place).await?;
    all.retain(|object| !text(object, OWNER).is_empty());
    ensure!(!all.is_empty(), "nothing in {place} has an owner");
    Ok(all)
}

async fn owners(stage: &Stage, place: &str) -> Result<BTreeMap<String, String>> {
    Ok(marked(stage, place).await?.iter().map(|it| (describe(it), text(it, OWNER).to_owned())).collect())
}

async fn versions(stage: &Stage, place: &str) -> Result<BTreeMap<String, String>> {
    let version = |it: &Value| text(it, "/metadata/resourceVersion").to_owned();
    Ok(marked(stage, place).await?.iter().map(|it| (describe(it), version(it))).collect())
}

async fn identities(stage: &Stage, model: &Model) -> Result<BTreeMap<String, String>> {
    let identity = |it: &Value| text(it, "/metadata/uid").to_owned();
    Ok(marked(stage, &model.namespace).await?.iter().map(|it| (describe(it), identity(it))).collect())
}

fn owner_of(model: &Model) -> String {
    format!("{}/{}", text(&model.xr, "/metadata/namespace"), text(&model.xr, "/metadata/name"))
}

fn reasons(live: &Value) -> BTreeMap<String, String> {
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array);
    conditions
        .into_iter()
        .flatten()
        .map(|condition| (text(condition, "/type").to_owned(), text(condition, "/reason").to_owned()))
        .collect()
}
