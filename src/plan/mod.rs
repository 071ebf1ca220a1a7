//! Every decision about one model stack, made once. Families in `compose` read it; nobody changes it.
//!
//! May read `api::Settings` and `observe`; knows nothing of protobuf, JSON or provider-kubernetes.

use std::collections::BTreeMap;

use crate::api::operator::Operator;
use crate::api::settings::{
    Composite, GatewayRef, MetricsAuth, Model, MonitorKind, Monitoring, Monitors, Settings, Toggle,
    Transport, Ttl,
};
use crate::api::{Duration, ModelName, Namespace, Problem};
use crate::observe::{Claim, Observed};

use self::keys::Key;
use self::names::{APP_LABEL, MODEL_SERVER};

mod alerts;
mod checks;
mod cold_start;
pub mod endpoint_picker;
pub mod gateway;
mod handover;
mod ingress;
pub mod keys;
pub mod lora;
pub mod names;
mod network;
mod ownership;
mod scaling;
mod series;
mod workload;

use self::endpoint_picker::{OwnPicker, PickerPlan};

pub use gateway::RoutingPlan;
pub use network::{Callers, NetworkPlan, Opening, Peer};
pub use ownership::{Holder, Sight, marks};
pub use scaling::{HandoverStep, Pace, Reads, ScaledObjectPlan, ScalingPlan, Trigger, Withheld, ZeroPlan};

/// One model stack, decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// `<composite namespace>/<composite name>`: the owner mark.
    pub owner: String,
    /// Annotations that say whose an object is: the owner mark, and the claim of a composite that was applied.
    pub marks: BTreeMap<String, String>,
    /// Objects that belong to others, and to whom. They are looked at, and neither written nor deleted.
    pub taken: BTreeMap<Key, Holder>,
    /// The stem of every name.
    pub name: ModelName,
    /// Where everything lands.
    pub namespace: Namespace,
    /// How it gets there.
    pub transport: Transport,
    /// Whether objects say where they belong; else Crossplane does.
    pub says_namespace: bool,
    /// Platform labels, for all but `VLLMRuntime`.
    pub labels: BTreeMap<String, String>,
    /// Platform annotations, for all but `VLLMRuntime`.
    pub annotations: BTreeMap<String, String>,
    /// The model servers.
    pub workload: WorkloadPlan,
    /// Present where monitors of ours have the engines scraped.
    pub monitoring: Option<MonitoringPlan>,
    /// Present where there are alerts.
    pub rules: Option<RulesPlan>,
    /// Present where requests come through a Gateway.
    pub routing: Option<RoutingPlan>,
    /// The autoscaler, or why there is none.
    pub scaling: ScalingPlan,
    /// Present while the count of the live workload is only repeated: the state of it that was seen.
    pub workload_seen_at: Option<String>,
    /// Present while a second Object holds the replica count: that count.
    pub handover: Option<u32>,
    /// Whether the engines get a `PodDisruptionBudget`.
    pub disruption_budget: bool,
    /// Present where not everybody may reach the pods.
    pub network: Option<NetworkPlan>,
    /// The Ingress of `ingressHost`.
    pub ingress: IngressPlan,
    /// How soon Crossplane asks again.
    pub ttl: Ttl,
}

/// The model servers.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadPlan {
    /// Model and engine as asked for.
    pub model: Model,
    /// `None` where the autoscaler owns the field.
    pub replicas: Option<u32>,
    /// Canonical CPU quantity.
    pub cpu: String,
    /// Canonical memory quantity.
    pub memory: String,
    /// What the platform writes on their pods.
    pub pod_annotations: BTreeMap<String, String>,
    /// The longest that a replica takes from nothing to ready.
    pub cold_start: Duration,
    /// What runs them.
    pub backend: BackendPlan,
}

/// What runs the model servers.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendPlan {
    /// The vLLM production stack's operator.
    VllmRuntime {
        /// Its release.
        operator: Operator,
        /// Registry and repository with tag.
        image: Image,
    },
    /// Kubernetes itself.
    Deployment(DeploymentPlan),
}

/// A Deployment of model servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentPlan {
    /// Full image reference.
    pub image: String,
    /// How often a starting engine is asked whether it is up.
    pub startup_period_seconds: u32,
    /// How often it may say no before it is started again: together a cold start.
    pub startup_failures: u32,
    /// When a rollout counts as stuck.
    pub progress_deadline_seconds: u32,
    /// How a replica leaves.
    pub drain: Drain,
    /// Flags with their values, by what this release of the engine knows.
    pub release_flags: BTreeMap<&'static str, String>,
}

/// How a replica leaves without losing requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// How long it goes on as if nothing was, until no gateway sends it anything.
    pub leave_seconds: u32,
    /// How long all of it may take.
    pub grace_seconds: u32,
}

/// An image reference, split as `VLLMRuntime` wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `docker.io`, say.
    pub registry: String,
    /// `lmcache/vllm-openai:v0.3.13`, say.
    pub name: String,
}

/// Scraping.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitoringPlan {
    /// What the Prometheus operator is told by.
    pub kind: MonitorKind,
    /// Labels that make Prometheus select the monitors.
    pub labels: BTreeMap<String, String>,
    /// Scrape interval.
    pub interval: Duration,
    /// Whether the picker is scraped too.
    pub picker: bool,
}

/// Alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct RulesPlan {
    /// Labels that make Prometheus select them.
    pub labels: BTreeMap<String, String>,
    /// What Prometheus calls them together.
    pub group: String,
    /// Labels of every alert, by which it is known whose it is.
    pub alert_labels: BTreeMap<String, String>,
    /// At least one.
    pub alerts: Vec<Alert>,
}

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Unique in the stack.
    pub name: &'static str,
    /// `PromQL`: raised for each element.
    pub expr: String,
    /// For how long there has to be one.
    pub lasts: Option<Duration>,
    /// Who is told.
    pub severity: Severity,
    /// What is wrong, without numbers.
    pub summary: &'static str,
    /// What that means, in Prometheus' template language.
    pub description: String,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody, at once.
    Critical,
    /// Somebody, in time.
    Warning,
}

/// The Ingress of `ingressHost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IngressPlan {
    /// None.
    Absent,
    /// `ingressHost` asks for it.
    Wanted(String),
    /// `ingressHost` is gone, but the route that replaces it is not accepted yet.
    Kept(String),
}

impl Plan {
    /// The model servers' own object.
    pub fn workload_key(&self) -> Key {
        match self.workload.backend {
            BackendPlan::VllmRuntime { .. } => Key::VllmRuntime,
            BackendPlan::Deployment(_) => Key::ModelDeployment,
        }
    }

    /// The Service that the model servers have without routing.
    pub fn model_service(&self) -> String {
        match self.workload.backend {
            BackendPlan::VllmRuntime { .. } => self.name.to_string(),
            BackendPlan::Deployment(_) => self.name.model_server(),
        }
    }

    /// Labels that the model servers' pods have, and no others.
    pub fn model_server_pods(&self) -> BTreeMap<String, String> {
        match self.workload.backend {
            // The only label that the operator promises.
            BackendPlan::VllmRuntime { .. } => {
                BTreeMap::from([(APP_LABEL.to_owned(), self.name.to_string())])
            }
            BackendPlan::Deployment(_) => self.component_labels(MODEL_SERVER),
        }
    }

    /// Labels that tell this model's objects of one component from all others.
    pub fn component_labels(&self, component: &str) -> BTreeMap<String, String> {
        names::component_labels(&self.name, component)
    }

    /// The picker that is composed.
    pub fn own_picker(&self) -> Option<&OwnPicker> {
        self.routing.as_ref()?.picker.own()
    }

    /// Where the gateway finds the picker: name and port of a Service.
    pub fn picker_service(&self, routing: &RoutingPlan) -> (String, u16) {
        match &routing.picker {
            PickerPlan::Own(_) => (self.name.picker(), names::PICKER_PORT),
            PickerPlan::Existing(existing) => (existing.service.clone(), existing.port),
        }
    }

    /// Whether the picker answers nobody who asks for its metrics without a token that may.
    pub fn guards_metrics(&self) -> bool {
        self.own_picker().is_some_and(|picker| picker.metrics_auth == MetricsAuth::Token)
    }

    /// Whether a monitor shows such a token.
    pub fn shows_token(&self) -> bool {
        self.guards_metrics() && (self.has(Key::EppServiceMonitor) || self.has(Key::EppPodMonitor))
    }

    /// Scraping, where it is told by that kind.
    pub fn scraped_by(&self, kind: MonitorKind) -> Option<&MonitoringPlan> {
        self.monitoring.as_ref().filter(|monitoring| monitoring.kind == kind)
    }

    /// The Gateway that requests come through, where it is known.
    pub fn gateway(&self) -> Option<&GatewayRef> {
        self.routing.as_ref()?.gateway.as_ref().ok()
    }

    /// Whether a live route would go for want of knowledge, and not because anybody wants it gone.
    pub fn forgets_route(&self, observed: &Observed) -> bool {
        let is_live =
            [Key::HttpRoute, Key::AiGatewayRoute].iter().any(|key| observed.objects.contains_key(key));
        is_live && self.routing.as_ref().is_some_and(|routing| !routing.is_decided())
    }

    /// The Gateway's class, where that says what implements it.
    pub fn gateway_class(&self) -> Option<&str> {
        self.routing.as_ref()?.class.as_deref()
    }

    /// Whether the stack has that object.
    pub fn has(&self, key: Key) -> bool {
        match key {
            Key::VllmRuntime | Key::ModelDeployment => key == self.workload_key(),
            Key::ModelService => self.workload_key() == Key::ModelDeployment,
            Key::ReplicasHandover => self.handover.is_some(),
            Key::ModelMetricsService | Key::ServiceMonitor => {
                self.scraped_by(MonitorKind::ServiceMonitor).is_some()
            }
            Key::PodMonitor => self.scraped_by(MonitorKind::PodMonitor).is_some(),
            Key::ModelPodDisruptionBudget => self.disruption_budget,
            Key::ModelNetworkPolicy => self.network.is_some(),
            Key::EppNetworkPolicy => self.network.is_some() && self.own_picker().is_some(),
            Key::InferencePool => self.routing.is_some(),
            Key::InferenceObjective | Key::InferenceObjectiveLlmD => {
                self.routing.as_ref().is_some_and(|routing| routing.reader_of(key).is_some())
            }
            Key::EppExistingService => {
                self.routing.as_ref().is_some_and(|routing| routing.picker.existing().is_some())
            }
            Key::EppConfigMap
            | Key::EppServiceAccount
            | Key::EppRolePodReader
            | Key::EppRolePoolReader
            | Key::EppRoleBindingPodReader
            | Key::EppRoleBindingPoolReader
            | Key::EppDeployment
            | Key::EppService => self.own_picker().is_some(),
            Key::Gateway => self.gateway().is_some(),
            Key::GatewayClass => self.gateway_class().is_some(),
            Key::EppRoleLeaderElection | Key::EppRoleBindingLeaderElection => {
                self.own_picker().is_some_and(OwnPicker::elects_leader)
            }
            Key::EppClusterRoleBindingAuthDelegator => self.guards_metrics(),
            Key::EppMetricsServiceAccount
            | Key::EppMetricsToken
            | Key::EppMetricsClusterRole
            | Key::EppMetricsClusterRoleBinding => self.shows_token(),
            Key::HttpRoute => {
                self.routing.as_ref().is_some_and(|routing| routing.is_decided() && !routing.has_own_route())
            }
            Key::AiGatewayRoute | Key::AiGatewayHttpRoute => {
                self.routing.as_ref().is_some_and(|routing| routing.is_decided() && routing.has_own_route())
            }
            Key::AdaptersConfigMap
            | Key::GatewayDestinationRule
            | Key::GatewayHealthCheckPolicy
            | Key::GatewayBackendPolicy
            | Key::GatewayServiceHealthCheckPolicy
            | Key::GatewayServiceBackendPolicy
            | Key::GatewayProxySettingsPolicy
            | Key::GatewayExtensionPolicy => {
                self.routing.as_ref().is_some_and(|routing| routing.companions().contains(&key))
            }
            Key::EppServiceMonitor => {
                self.scraped_by(MonitorKind::ServiceMonitor).is_some_and(|monitoring| monitoring.picker)
            }
            Key::EppPodMonitor => {
                self.scraped_by(MonitorKind::PodMonitor).is_some_and(|monitoring| monitoring.picker)
            }
            Key::PrometheusRule => self.rules.is_some(),
            Key::ScaledObject => matches!(self.scaling, ScalingPlan::On(_)),
            Key::Ingress => self.ingress != IngressPlan::Absent,
        }
    }

    /// Namespace and name of that object on the target cluster; what belongs to the whole cluster has no namespace.
    pub fn place_of(&self, key: Key) -> (Option<String>, String) {
        let model = &self.name;
        let name = match key {
            Key::ModelDeployment | Key::ModelService => model.model_server(),
            Key::ReplicasHandover => return self.place_of(self.workload_key()),
            Key::VllmRuntime
            | Key::ModelPodDisruptionBudget
            | Key::ModelNetworkPolicy
            | Key::ServiceMonitor
            | Key::PodMonitor
            | Key::PrometheusRule
            | Key::InferencePool
            | Key::HttpRoute
            | Key::GatewayHealthCheckPolicy
            | Key::GatewayBackendPolicy
            | Key::GatewayProxySettingsPolicy
            | Key::GatewayExtensionPolicy
            | Key::ScaledObject
            | Key::Ingress => model.as_str().to_owned(),
            Key::AiGatewayRoute | Key::AiGatewayHttpRoute => model.route_by_name(),
            Key::AdaptersConfigMap => model.adapters(),
            Key::GatewayServiceHealthCheckPolicy | Key::GatewayServiceBackendPolicy => model.service_policy(),
            Key::InferenceObjective | Key::InferenceObjectiveLlmD => model.objective(),
            Key::ModelMetricsService => model.metrics_service(),
            Key::EppConfigMap
            | Key::EppServiceAccount
            | Key::EppDeployment
            | Key::EppService
            | Key::EppServiceMonitor
            | Key::EppPodMonitor
            | Key::EppNetworkPolicy
            | Key::GatewayDestinationRule => model.picker(),
            Key::EppRolePodReader | Key::EppRoleBindingPodReader => model.picker_pod_reader(),
            Key::EppRolePoolReader | Key::EppRoleBindingPoolReader => model.picker_pool_reader(),
            Key::EppRoleLeaderElection | Key::EppRoleBindingLeaderElection => model.picker_leader_election(),
            Key::EppMetricsServiceAccount | Key::EppMetricsToken => model.picker_metrics(),
            Key::EppMetricsClusterRole | Key::EppMetricsClusterRoleBinding => {
                return (None, model.picker_metrics_reader(&self.namespace));
            }
            Key::EppClusterRoleBindingAuthDelegator => {
                return (None, model.picker_auth_delegator(&self.namespace));
            }
            Key::EppExistingService => {
                let existing = self.routing.as_ref().and_then(|routing| routing.picker.existing());
                existing.map(|existing| existing.service.clone()).unwrap_or_default()
            }
            Key::Gateway => {
                return self
                    .gateway()
                    .map(|gateway| (Some(gateway.namespace.clone()), gateway.name.clone()))
                    .unwrap_or_default();
            }
            Key::GatewayClass => return (None, self.gateway_class().unwrap_or_default().to_owned()),
        };
        (Some(self.namespace.as_str().to_owned()), name)
    }
}

/// Decides everything, or says what cannot be done, all of it.
pub fn plan(settings: &Settings, observed: &Observed) -> Result<Plan, Vec<Problem>> {
    let mut problems = checks::moved(settings, observed);
    problems.extend(checks::other_target(settings, observed));
    problems.extend(checks::owned_by_nobody(settings));
    problems.extend(checks::other_backend(settings, observed));
    problems.extend(checks::unfindable(settings));
    let sleeps = scaling::sleeps(settings);
    let routing = settings.routing.as_ref().and_then(|routing| {
        let wanted = endpoint_picker::Wanted {
            sleeps,
            cold_start: settings.cold_start,
            priority: settings.model.priority,
            adapters: settings.model.lora.is_some(),
        };
        let decided = gateway::decide(settings, routing, wanted, observed)
            .map_err(|found| problems.extend(found))
            .ok()?;
        Some(decided.beside_the_former(observed).until_it_takes_over(observed))
    });
    let picker = routing.as_ref().and_then(|routing| routing.picker.own());
    let asks_picker = scaling::asks_picker(settings, picker);
    let monitoring = match &settings.monitoring {
        Monitoring::Monitors(monitors) => {
            let alerted = settings.rules.is_some();
            let picker = routing.as_ref().map(|routing| &routing.picker);
            plan_monitoring(monitors, picker, asks_picker, alerted).map_err(|found| problems.push(found)).ok()
        }
        Monitoring::None | Monitoring::External(_) => None,
    };
    let series = series::Series::of(settings);
    if settings.scaling.is_some() && series.is_none() {
        problems.push(checks::input(
            "spec.monitoring.kind",
            "None",
            "must be ServiceMonitor or PodMonitor where the model scales, since the autoscaler would ask for series that \
             nobody scrapes; if somebody else does, spec.monitoring.external has to say which these are",
        ));
    }
    let owner = owner(&settings.composite);
    let claim = settings.composite.created.clone().map(|created| Claim { created, owner: owner.clone() });
    let taken = ownership::taken(&owner, claim.as_ref(), observed);
    let scaling::Decision { replicas, seen_at, handover, scaling } =
        scaling::decide(settings, observed, &taken, picker, series.as_ref());
    let rules = alerts::decide(settings, picker, monitoring.as_ref(), series.as_ref());
    let ingress = ingress::decide(settings, routing.as_ref(), observed);
    let network = network::decide(settings, routing.as_ref(), monitoring.as_ref(), &ingress)
        .map_err(|found| problems.push(found))
        .ok()
        .flatten();
    let workload = workload::decide(settings, replicas).map_err(|found| problems.extend(found)).ok();
    let Some(workload) = workload.filter(|_| problems.is_empty()) else { return Err(problems) };
    Ok(Plan {
        marks: ownership::marks(&owner, claim.as_ref()),
        owner,
        taken,
        name: settings.composite.name.clone(),
        namespace: settings.namespace.clone(),
        says_namespace: says_namespace(settings),
        transport: settings.transport.clone(),
        labels: settings.labels.clone(),
        annotations: settings.annotations.clone(),
        workload,
        monitoring,
        rules,
        network,
        ingress,
        routing,
        scaling,
        workload_seen_at: seen_at,
        handover,
        disruption_budget: settings.disruption_budget,
        ttl: settings.ttl,
    })
}

/// Crossplane knows the namespace of whatever a namespaced composite composes, and asks whether a kind exists, before it
/// writes anything, only where an object does not say its own (v2.3.4, `Compose`). Otherwise it finds out half-way, and
/// from then on fails before it calls a function.
const fn says_namespace(settings: &Settings) -> bool {
    match settings.transport {
        Transport::Objects(_) => true,
        Transport::Direct => settings.composite.namespace.is_none(),
    }
}

fn owner(composite: &Composite) -> String {
    format!("{}/{}", composite.namespace.as_deref().unwrap_or_default(), composite.name)
}

/// A picker that the autoscaler asks must be scraped; one that only alerts ask may be.
fn plan_monitoring(
    monitors: &Monitors,
    picker: Option<&PickerPlan>,
    autoscaler_asks: bool,
    alerted: bool,
) -> Result<MonitoringPlan, Problem> {
    let Monitors { kind, labels, interval, endpoint_picker } = monitors;
    let composed = picker.is_some_and(|picker| picker.own().is_some());
    let picker = match endpoint_picker {
        Toggle::Auto => autoscaler_asks || composed && alerted,
        Toggle::Enabled if picker.is_some_and(|picker| picker.existing().is_some()) => {
            return Err(checks::input(
                "spec.monitoring.endpointPicker",
                "Enabled",
                "must be Auto or Disabled where endpointPicker.existing is there: that picker's metrics are for whoever \
                 runs it to have scraped",
            ));
        }
        Toggle::Enabled => composed,
        Toggle::Disabled if autoscaler_asks => {
            return Err(checks::input(
                "spec.monitoring.endpointPicker",
                "Disabled",
                "must be Auto or Enabled where a model scales and its requests wait in the picker",
            ));
        }
        Toggle::Disabled => false,
    };
    Ok(MonitoringPlan { kind: *kind, labels: labels.clone(), interval: *interval, picker })
}

#[cfg(test)]
mod latency_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trigger_tests;
