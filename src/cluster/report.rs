//! The condition of a cluster extension, and its catalogue of reasons.
//!
//! Reasons are API, as those of a model stack are; `docs/conditions.md` has cause and cure, and a test keeps it equal.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::api::settings::{Caller, Extension, GatewayPlace, MissingFlag, Wanted};
use crate::observe::{ObservedCondition, Synced};
use crate::plan::Holder;
use crate::report::{Event, Severity, Truth, quote};

use super::crds::Bundle;
use super::observe::LiveCrd;
use super::{Definition, Key, Observed, ObservedCollection, ObservedCrd, Us, definitions, router};

/// The condition's type, on a cluster's composite resource.
pub const CONDITION: &str = "InferenceExtensionReady";

/// Why the condition has its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The cluster serves `InferencePool`, and the router does what it is there for.
    Installed,
    /// The composite does not ask for it.
    NotRequested,
    /// A flag that has to be true is not.
    PrerequisiteMissing,
    /// The provider is looking, or creating.
    Creating,
    /// The CRD is there, and the API server does not serve it.
    Pending,
    /// The provider cannot reconcile an Object.
    ObjectNotSynced,
    /// What connects the Gateway belongs to another composite.
    NameTaken,
    /// The body-based router is being installed, or nothing of it answers, or the Gateway does not ask it yet.
    RouterStarting,
    /// The body-based router cannot be installed.
    RouterFailed,
    /// The composite or the Input cannot be used.
    InvalidSpec,
    /// The call ended in a Fatal result for another reason.
    FatalError,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Installed,
        Self::NotRequested,
        Self::PrerequisiteMissing,
        Self::Creating,
        Self::Pending,
        Self::ObjectNotSynced,
        Self::NameTaken,
        Self::RouterStarting,
        Self::RouterFailed,
        Self::InvalidSpec,
        Self::FatalError,
    ];

    /// The machine word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "Installed",
            Self::NotRequested => "NotRequested",
            Self::PrerequisiteMissing => "PrerequisiteMissing",
            Self::Creating => "Creating",
            Self::Pending => "Pending",
            Self::ObjectNotSynced => "ObjectNotSynced",
            Self::NameTaken => "NameTaken",
            Self::RouterStarting => "RouterStarting",
            Self::RouterFailed => "RouterFailed",
            Self::InvalidSpec => "InvalidSpec",
            Self::FatalError => "FatalError",
        }
    }

    /// The status that comes with it.
    pub const fn truth(self) -> Truth {
        match self {
            Self::Installed => Truth::True,
            Self::PrerequisiteMissing
            | Self::Creating
            | Self::Pending
            | Self::ObjectNotSynced
            | Self::NameTaken
            | Self::RouterStarting
            | Self::RouterFailed => Truth::False,
            Self::NotRequested | Self::InvalidSpec | Self::FatalError => Truth::Unknown,
        }
    }

    /// Whether nothing is expected to change by itself.
    pub const fn is_settled(self) -> bool {
        match self {
            Self::Installed
            | Self::NotRequested
            | Self::PrerequisiteMissing
            | Self::InvalidSpec
            | Self::FatalError => true,
            Self::Creating
            | Self::Pending
            | Self::ObjectNotSynced
            | Self::NameTaken
            | Self::RouterStarting
            | Self::RouterFailed => false,
        }
    }

    /// What an event of it would be; none for what is under way, and for what a Fatal result tells.
    const fn severity(self) -> Option<Severity> {
        match self {
            Self::Installed => Some(Severity::Normal),
            Self::PrerequisiteMissing | Self::ObjectNotSynced | Self::NameTaken | Self::RouterFailed => {
                Some(Severity::Warning)
            }
            Self::NotRequested
            | Self::Creating
            | Self::Pending
            | Self::RouterStarting
            | Self::InvalidSpec
            | Self::FatalError => None,
        }
    }
}

/// The condition, at one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its machine word, and with it its status.
    pub reason: Reason,
    /// The object and the next step, for people.
    pub message: String,
}

/// How messages name it.
const ROUTER: &str = "The body-based router";

/// How far the extension has come.
pub(super) fn condition(extension: &Extension, observed: &Observed, us: &Us<'_>) -> Condition {
    let Some(wanted) = &extension.wanted else {
        let message = "The composite does not ask for gatewayInferenceExtension.".to_owned();
        return Condition { reason: Reason::NotRequested, message };
    };
    if !wanted.missing.is_empty() {
        let flags: Vec<String> = wanted
            .missing
            .iter()
            .map(|MissingFlag { path, seen }| format!("{path} is {seen} and has to be true"))
            .collect();
        let message = format!(
            "{}, since {enabled} is. Set it, or set {enabled} to false; until then nothing is added.",
            flags.join(", "),
            enabled = wanted.enabled
        );
        return Condition { reason: Reason::PrerequisiteMissing, message };
    }

    let mut parts: Vec<Condition> =
        definitions(wanted).map(|definition| defined(definition, wanted, observed, us.owner)).collect();
    parts.push(reading(wanted, observed, us));
    parts.extend(wanted.discovery.then(|| collection(observed)));
    // The first one that is not done decides.
    if let Some(position) = parts.iter().position(|part| part.reason != Reason::Installed) {
        return parts.swap_remove(position);
    }
    let messages = parts.into_iter().map(|part| part.message).filter(|message| !message.is_empty());
    Condition { reason: Reason::Installed, message: messages.collect::<Vec<_>>().join(" ") }
}

fn defined(definition: Definition, wanted: &Wanted, observed: &Observed, owner: &str) -> Condition {
    let crd = observed.crds.get(&definition);
    let name = format!("The CRD of {}", definition.kind());
    let (reason, message) = match crd.map(|crd| (crd, crd.live())) {
        Some((crd, _)) if crd.is_absent() => (Reason::Creating, format!("{name} is being created.")),
        Some((_, Some(live))) if live.established => {
            (Reason::Installed, installed(definition.kind(), live, wanted.release.into(), owner))
        }
        Some((_, Some(_))) => (
            Reason::Pending,
            format!("{name} is there, and the API server does not serve it. Look at its conditions."),
        ),
        Some((ObservedCrd { synced: Some(Synced::False(why)), .. }, None)) => {
            (Reason::ObjectNotSynced, not_synced(&name, why))
        }
        _ => (
            Reason::Creating,
            format!(
                "{name} is being looked for. If this lasts, look at the Object that wraps it and at provider-kubernetes."
            ),
        ),
    };
    Condition { reason, message }
}

fn not_synced(what: &str, why: &str) -> String {
    format!("{what} cannot be reconciled: {}. Correct that; it is tried again by itself.", quote(why))
}

fn collection(observed: &Observed) -> Condition {
    let what = "The collection of the cluster's Gateways";
    let ObservedCollection { synced, ready } = observed.gateways.clone().unwrap_or_default();
    let (reason, message) = match synced {
        Some(Synced::False(why)) => (Reason::ObjectNotSynced, not_synced(what, &why)),
        _ if ready => (Reason::Installed, "Models can find its Gateways.".to_owned()),
        _ => (
            Reason::Creating,
            format!(
                "{what} is being made. If this lasts, look at provider-kubernetes, and whether there is its provider \
                 configuration."
            ),
        ),
    };
    Condition { reason, message }
}

fn reading(wanted: &Wanted, observed: &Observed, us: &Us<'_>) -> Condition {
    let (reason, message) = if router::is_wanted(wanted) {
        chart(wanted, observed, us).unwrap_or_else(|| connection(wanted, observed, us))
    } else if wanted.router.enabled {
        connection(wanted, observed, us)
    } else if observed.has(Key::BodyBasedRouter) {
        (Reason::Installed, format!("{ROUTER} is being removed."))
    } else {
        (Reason::Installed, String::new())
    };
    Condition { reason, message }
}

/// What keeps the router from running.
fn chart(wanted: &Wanted, observed: &Observed, us: &Us<'_>) -> Option<(Reason, String)> {
    let namespace = &wanted.router.namespace;
    let release = observed.router.clone().unwrap_or_default();
    if let Some(Synced::False(why)) = &release.synced {
        return Some((Reason::RouterFailed, not_synced(ROUTER, why)));
    }
    if let Some(why) = &release.failure {
        let message = format!(
            "{ROUTER} cannot be installed: {}. Correct that. After a few tries Helm gives up: delete the Release then, \
             which is made anew.",
            quote(why)
        );
        return Some((Reason::RouterFailed, message));
    }
    if !release.ready {
        let message = format!(
            "{ROUTER} is being installed. If this lasts, look at the Release that installs it and at provider-helm."
        );
        return Some((Reason::RouterStarting, message));
    }
    let deployment = Key::BodyBasedRouterDeployment;
    (!router::is_ready(deployment, observed, us)).then(|| {
        let message =
            format!("{ROUTER} has no available replica. Describe its pods in namespace {namespace}.");
        (Reason::RouterStarting, message)
    })
}

/// Whether the Gateway does its part, once the router runs.
fn connection(wanted: &Wanted, observed: &Observed, us: &Us<'_>) -> (Reason, String) {
    let Some((key, GatewayPlace { name, namespace })) = router::connection(wanted) else {
        let asked = match &wanted.router.caller {
            Caller::Gke(GatewayPlace { name, namespace }) => {
                format!("{ROUTER} runs, and its chart has Gateway {namespace}/{name} ask it.")
            }
            Caller::Unknown | Caller::Istio(_) | Caller::Agentgateway(_) => {
                format!("{ROUTER} runs; nothing that is composed with it asks it.")
            }
        };
        return (Reason::Installed, asked);
    };
    for key in [Key::BodyBasedRouterDestinationRule, key] {
        let what = format!("What connects Gateway {namespace}/{name}, {},", key.as_str());
        if let Some(holder) = us.holder(key, observed) {
            return not_ours(&what, &holder, us);
        }
        if let Some(Synced::False(why)) = observed.objects.get(&key).and_then(|object| object.synced.as_ref())
        {
            return (Reason::ObjectNotSynced, not_synced(&what, why));
        }
    }
    match (router::is_ready(key, observed, us), &wanted.router.caller) {
        (false, _) => (
            Reason::RouterStarting,
            format!(
                "Gateway {namespace}/{name} is being connected. If this lasts, look at provider-kubernetes."
            ),
        ),
        (true, Caller::Agentgateway(_)) => {
            (Reason::Installed, format!("Gateway {namespace}/{name} reads the model of requests itself."))
        }
        (true, Caller::Unknown | Caller::Istio(_) | Caller::Gke(_)) => {
            (Reason::Installed, format!("{ROUTER} runs, and Gateway {namespace}/{name} asks it."))
        }
    }
}

fn not_ours(what: &str, holder: &Holder, us: &Us<'_>) -> (Reason, String) {
    let by = match holder {
        Holder::Gone => {
            let message =
                format!("{what} belonged to another composite, which is gone; this one takes the name.");
            return (Reason::RouterStarting, message);
        }
        Holder::Other(owner) => owner,
        Holder::Unseen => "another composite",
    };
    let message = format!(
        "{what} belongs to {by}, and this composite is {}: it is neither written nor deleted. Have one of the two \
         extend the cluster; when the other is deleted, this one takes the name.",
        us.owner
    );
    (Reason::NameTaken, message)
}

fn installed(kind: &str, live: &LiveCrd, release: Bundle, owner: &str) -> String {
    let Some(bundle) = live.bundle else {
        return format!("The cluster serves {kind} of an unknown bundle, which is left as it is.");
    };
    let more = match bundle.cmp(&release) {
        Ordering::Less => format!("; it is being updated to {release}"),
        Ordering::Greater => format!("; it is newer than {release}, and left as it is"),
        Ordering::Equal if live.owner.as_deref() != Some(owner) => {
            "; it is somebody else's, and left as it is".to_owned()
        }
        Ordering::Equal => String::new(),
    };
    format!("The cluster serves {kind} of {bundle}{more}.")
}

/// News, where the reason has changed.
pub(super) fn event(condition: &Condition, before: &BTreeMap<String, ObservedCondition>) -> Option<Event> {
    let reason = condition.reason.as_str();
    if before.get(CONDITION).is_some_and(|before| before.reason == reason) {
        return None;
    }
    let severity = condition.reason.severity()?;
    Some(Event { severity, reason, message: condition.message.clone() })
}
