//! A model that somebody asked for: an example's composite resource on a stage, in a namespace of its own.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::cluster::{Cluster, condition, describe, text};
use super::platform::{self, namespace};
use super::provider::{ConfigKind, connect};
use super::stage::Stage;
use super::wait::{Look, until};
use crate::files::{set, yaml};
use crate::render::Scenario;

/// In whose name the harness applies what an application team would.
pub const APPLICATION: &str = "application-team";

/// The Gateway of a Composition whose Input names none.
const GATEWAY: (&str, &str) = ("envoy-gateway-system", "eg");

/// A composite resource, and where what it is composed of is.
#[derive(Debug, Clone)]
pub struct Model {
    /// As it was applied.
    pub xr: Value,
    /// Of the composite resource, its Objects and what they deliver.
    pub namespace: String,
}

impl Model {
    /// Installs what an example needs, with names of its own, and applies it: several examples use the same names.
    pub async fn apply(stage: &Stage, scenario: &Scenario) -> Result<Self> {
        let cluster = stage.cluster();
        let stem = scenario.name.trim_end_matches(".yaml").replace(['/', '.'], "-");
        // What the examples' own policies allow.
        let name = format!("team-{stem}");
        namespace(cluster, &name).await?;

        let mut composition = yaml(&scenario.composition)?;
        set(&mut composition, "metadata.name", json!(stem));
        platform::install_composition(cluster, &stage.crossplane.function, &composition).await?;
        let gateway = gateway(&composition);
        platform::gateway(stage.target(), &gateway.0, &gateway.1).await?;

        let mut xr = yaml(&scenario.xr)?;
        let target = text(&xr, "/spec/providerConfigName");
        connect(cluster, ConfigKind::ProviderConfig, &name, target, stage.target_kubeconfig()).await?;
        set(&mut xr, "metadata.namespace", json!(name));
        set(&mut xr, "spec.crossplane.compositionRef.name", json!(stem));
        cluster.apply(&xr, APPLICATION).await.with_context(|| scenario.name.clone())?;
        Ok(Self { xr, namespace: name })
    }

    /// The composite resource as it is.
    pub async fn live(&self, cluster: &Cluster) -> Result<Value> {
        cluster.get(&self.xr).await?.with_context(|| format!("{} is gone", describe(&self.xr)))
    }

    /// The Objects that it is composed of.
    pub async fn objects(&self, cluster: &Cluster) -> Result<Vec<Value>> {
        cluster.list("kubernetes.m.crossplane.io/v1alpha1", "Object", &self.namespace).await
    }

    /// What a person would look at: conditions, and the Objects that are not there yet.
    pub async fn state(&self, cluster: &Cluster, live: &Value) -> Result<String> {
        let conditions = live.pointer("/status/conditions").cloned().unwrap_or_default();
        let mut waiting = Vec::new();
        for object in self.objects(cluster).await? {
            if !is_synced_and_ready(&object) {
                let conditions = object.pointer("/status/conditions").cloned().unwrap_or_default();
                waiting.push(format!(
                    "{}: {conditions}",
                    describe(object.pointer("/spec/forProvider/manifest").unwrap_or(&object))
                ));
            }
        }
        Ok(format!("{conditions}\nObjects: {}", waiting.join("\n")))
    }
}

/// Waits until every composite resource is Synced and Ready.
pub async fn all_become_ready(cluster: &Cluster, models: &[Model], limit: Duration) -> Result<()> {
    until("every composite resource is Synced and Ready", limit, async || {
        let mut waiting = Vec::new();
        for model in models {
            let live = model.live(cluster).await?;
            if !is_synced_and_ready(&live) {
                waiting.push(format!("{}: {}", describe(&live), model.state(cluster, &live).await?));
            }
        }
        Ok(if waiting.is_empty() { Look::Ok(()) } else { Look::Err(waiting.join("\n")) })
    })
    .await
}

fn is_synced_and_ready(object: &Value) -> bool {
    ["Synced", "Ready"].into_iter().all(|kind| condition(object, kind) == "True")
}

/// Namespace and name of the Gateway that the Input of our step names.
fn gateway(composition: &Value) -> (String, String) {
    let steps = composition.pointer("/spec/pipeline").and_then(Value::as_array);
    let named = steps.into_iter().flatten().find_map(|step| {
        let reference = step.pointer("/input/spec/gateway/ref")?;
        Some((text(reference, "/namespace").to_owned(), text(reference, "/name").to_owned()))
    });
    named.unwrap_or_else(|| (GATEWAY.0.to_owned(), GATEWAY.1.to_owned()))
}
