//! A model that somebody asked for: an example's composite resource on a stage, in a namespace of its own.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::cluster::{Cluster, condition, describe, text};
use super::platform::{self, CLUSTER_SCOPED_KIND, namespace};
use super::provider::{ConfigKind, connect};
use super::stage::Stage;
use super::wait::{Look, until};
use crate::files::{set, yaml};
use crate::render::Scenario;

/// In whose name the harness applies what an application team would.
pub const APPLICATION: &str = "application-team";

/// The Gateway of a Composition whose Input names none.
pub const GATEWAY: (&str, &str) = ("envoy-gateway-system", "eg");

const GATEWAY_API: &str = "gateway.networking.k8s.io/v1";

/// A composite resource, and where what it is composed of is.
#[derive(Debug, Clone)]
pub struct Model {
    /// As it was applied.
    pub xr: Value,
    /// Where on the target cluster it runs. Composite resource and Objects are in the namespace of the same name on
    /// the control plane, unless they are in none.
    pub namespace: String,
    /// How it gets to the cluster where it runs.
    pub reach: Reach,
}

/// How objects get to the cluster where they are meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// In Objects, which find it like this.
    Objects(ConfigKind),
    /// By Crossplane itself, for a namespaced composite resource.
    Direct,
    /// By Crossplane itself, for a cluster-scoped one.
    DirectOfCluster,
}

impl From<ConfigKind> for Reach {
    fn from(kind: ConfigKind) -> Self {
        Self::Objects(kind)
    }
}

impl Model {
    /// Where the model of an example will be, under that name: a namespace that the examples' own policies allow.
    pub fn namespace_of(scenario: &Scenario, prefix: &str) -> String {
        format!("team-{}", stem(scenario, prefix))
    }

    /// Installs what an example needs, with names of its own, and applies it: several examples use the same names.
    pub async fn apply(stage: &Stage, scenario: &Scenario) -> Result<Self> {
        Self::apply_as(stage, scenario, "", ConfigKind::ProviderConfig).await
    }

    /// The same under a name of its own, and with Objects that find their cluster in that way.
    pub async fn apply_as(
        stage: &Stage,
        scenario: &Scenario,
        prefix: &str,
        reach: impl Into<Reach>,
    ) -> Result<Self> {
        let reach = reach.into();
        let cluster = stage.cluster();
        let stem = stem(scenario, prefix);
        let place = Self::namespace_of(scenario, prefix);
        namespace(cluster, &place).await?;
        namespace(stage.target(), &place).await?;

        let mut xr = yaml(&scenario.xr)?;
        set(&mut xr, "metadata.namespace", json!(place));
        set(&mut xr, "spec.crossplane.compositionRef.name", json!(stem));
        let mut composition = yaml(&scenario.composition)?;
        set(&mut composition, "metadata.name", json!(stem));
        let mut provider_config = text(&xr, "/spec/providerConfigName").to_owned();
        if matches!(reach, Reach::Objects(ConfigKind::ClusterScopedApi) | Reach::DirectOfCluster) {
            set(&mut composition, "spec.compositeTypeRef.kind", json!(CLUSTER_SCOPED_KIND));
            input(&mut composition, "specPath", "spec");
            set(&mut xr, "kind", json!(CLUSTER_SCOPED_KIND));
            set(&mut xr, "spec.targetNamespace", json!(place));
            remove(&mut xr, "/metadata", "namespace");
        }
        match reach {
            Reach::Objects(ConfigKind::ProviderConfig) => {}
            Reach::Objects(ConfigKind::ClusterProviderConfig) => {
                input(&mut composition, "providerConfigKind", "ClusterProviderConfig");
                provider_config = stem.clone();
            }
            Reach::Objects(ConfigKind::ClusterScopedApi) => {
                input(&mut composition, "target", "ClusterObject");
                provider_config = stem.clone();
            }
            Reach::Direct | Reach::DirectOfCluster => {
                input(&mut composition, "target", "Direct");
                remove(&mut xr, "/spec", "providerConfigName");
            }
        }
        if let Reach::Objects(_) = reach {
            set(&mut xr, "spec.providerConfigName", json!(provider_config));
        }
        platform::install_composition(cluster, &stage.crossplane.function, &composition).await?;
        let gateway = gateway(&composition);
        // Where the kind is still to be installed, so is the Gateway.
        if stage.target().group_is_served(GATEWAY_API).await {
            platform::gateway(stage.target(), &gateway.0, &gateway.1).await?;
        }
        if let Reach::Objects(kind) = reach {
            connect(cluster, kind, &place, &provider_config, stage.target_kubeconfig()).await?;
        }
        cluster.apply(&xr, APPLICATION).await.with_context(|| scenario.name.clone())?;
        Ok(Self { xr, namespace: place, reach })
    }

    /// The composite resource as it is.
    pub async fn live(&self, cluster: &Cluster) -> Result<Value> {
        cluster.get(&self.xr).await?.with_context(|| format!("{} is gone", describe(&self.xr)))
    }

    /// The Objects that it is composed of, if any.
    pub async fn objects(&self, cluster: &Cluster) -> Result<Vec<Value>> {
        let (api_version, namespace) = match self.reach {
            Reach::Objects(ConfigKind::ProviderConfig | ConfigKind::ClusterProviderConfig) => {
                ("kubernetes.m.crossplane.io/v1alpha1", self.namespace.as_str())
            }
            Reach::Objects(ConfigKind::ClusterScopedApi) => ("kubernetes.crossplane.io/v1alpha2", ""),
            Reach::Direct | Reach::DirectOfCluster => return Ok(Vec::new()),
        };
        let mut objects = cluster.list(api_version, "Object", namespace).await?;
        objects.retain(|object| {
            text(object, "/metadata/labels/crossplane.io~1composite") == text(&self.xr, "/metadata/name")
        });
        Ok(objects)
    }

    /// Has the platform team change the Input of its Composition, and everything else be as the example has it.
    pub async fn configure(
        &self,
        stage: &Stage,
        scenario: &Scenario,
        fields: &[(&str, Value)],
    ) -> Result<()> {
        let mut composition = yaml(&scenario.composition)?;
        let name = self.xr.pointer("/spec/crossplane/compositionRef/name").cloned().unwrap_or_default();
        set(&mut composition, "metadata.name", name);
        if matches!(self.reach, Reach::Direct | Reach::DirectOfCluster) {
            input(&mut composition, "target", "Direct");
        }
        for (field, value) in fields {
            input(&mut composition, field, value.clone());
        }
        platform::install_composition(stage.cluster(), &stage.crossplane.function, &composition).await
    }

    /// Asks for its deletion.
    pub async fn delete(&self, cluster: &Cluster) -> Result<()> {
        cluster.delete(&self.xr).await
    }

    /// Waits until nothing is left of it, neither on the control plane nor on the cluster where it ran.
    pub async fn goes(&self, stage: &Stage, limit: Duration) -> Result<()> {
        until(&format!("{} and all it was composed of are gone", describe(&self.xr)), limit, async || {
            let mut left: Vec<String> = self.objects(stage.cluster()).await?.iter().map(describe).collect();
            left.extend(stage.cluster().get(&self.xr).await?.as_ref().map(describe));
            Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(left.join(", ")) })
        })
        .await?;
        // The garbage collector of the target cluster follows on its own.
        until(&format!("the namespace of {} is empty", describe(&self.xr)), limit, async || {
            let mut left = stage.target().everything_in(&self.namespace).await?;
            left.extend(stage.cluster().everything_in(&self.namespace).await?);
            // What the platform team put there.
            left.retain(|object| !["Secret", "ProviderConfig"].contains(&text(object, "/kind")));
            let left: Vec<String> = left.iter().map(describe).collect();
            Ok(if left.is_empty() { Look::Ok(()) } else { Look::Err(left.join(", ")) })
        })
        .await
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

fn stem(scenario: &Scenario, prefix: &str) -> String {
    format!("{prefix}{}", scenario.name.trim_end_matches(".yaml").replace(['/', '.'], "-"))
}

fn remove(object: &mut Value, from: &str, field: &str) {
    if let Some(fields) = object.pointer_mut(from).and_then(Value::as_object_mut) {
        fields.remove(field);
    }
}

/// Sets a field of our step's Input.
fn input(composition: &mut Value, field: &str, value: impl Into<Value>) {
    let value = value.into();
    let steps = composition.pointer_mut("/spec/pipeline").and_then(Value::as_array_mut);
    for step in steps.into_iter().flatten() {
        set(step, &format!("input.spec.{field}"), value.clone());
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

/// A field of the Input for tests where so much happens that Crossplane may stop listening to it, and asks only when it
/// has to.
pub fn asked_often() -> (&'static str, Value) {
    ("ttl", json!({"settled": "15s", "pending": "10s"}))
}

/// Whether an object says of itself that it is as it should be.
pub fn is_synced_and_ready(object: &Value) -> bool {
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
