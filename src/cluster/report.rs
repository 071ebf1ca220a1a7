//! The condition of a cluster extension, and its catalogue of reasons.
//!
//! Reasons are API, as those of a model stack are; `docs/conditions.md` has cause and cure, and a test keeps it equal.

use std::collections::BTreeMap;

use crate::api::settings::{Extension, MissingFlag};
use crate::observe::{ObservedCondition, Synced};
use crate::report::{Event, Severity, Truth, quote};

use super::crds::{self, Bundle, Hold};
use super::observe::ObservedCrd;

/// The condition's type, on a cluster's composite resource.
pub const CONDITION: &str = "InferenceExtensionReady";

/// Why the condition has its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The cluster serves `InferencePool`.
    Installed,
    /// The composite does not ask for it.
    NotRequested,
    /// A flag that has to be true is not.
    PrerequisiteMissing,
    /// The provider is looking, or creating.
    Creating,
    /// The CRD is there, and the API server does not serve it.
    Pending,
    /// The provider cannot reconcile the Object.
    ObjectNotSynced,
    /// The composite or the Input cannot be used.
    InvalidSpec,
    /// The call ended in a Fatal result for another reason.
    FatalError,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Installed,
        Self::NotRequested,
        Self::PrerequisiteMissing,
        Self::Creating,
        Self::Pending,
        Self::ObjectNotSynced,
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
            Self::InvalidSpec => "InvalidSpec",
            Self::FatalError => "FatalError",
        }
    }

    /// The status that comes with it.
    pub const fn truth(self) -> Truth {
        match self {
            Self::Installed => Truth::True,
            Self::PrerequisiteMissing | Self::Creating | Self::Pending | Self::ObjectNotSynced => {
                Truth::False
            }
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
            Self::Creating | Self::Pending | Self::ObjectNotSynced => false,
        }
    }

    /// What an event of it would be; none for what is under way, and for what a Fatal result tells.
    const fn severity(self) -> Option<Severity> {
        match self {
            Self::Installed => Some(Severity::Normal),
            Self::PrerequisiteMissing | Self::ObjectNotSynced => Some(Severity::Warning),
            Self::NotRequested | Self::Creating | Self::Pending | Self::InvalidSpec | Self::FatalError => {
                None
            }
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
const CRD: &str = "The CRD of InferencePool";

/// How far the extension has come.
pub(super) fn condition(extension: &Extension, crd: Option<&ObservedCrd>) -> Condition {
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

    let (reason, message) = match crd {
        Some(crd) if crd.is_absent() => (Reason::Creating, format!("{CRD} is being created.")),
        Some(ObservedCrd { synced: Some(Synced::False(why)), .. }) => (
            Reason::ObjectNotSynced,
            format!("{CRD} cannot be reconciled: {}. Correct that; it is tried again by itself.", quote(why)),
        ),
        _ => match crd.and_then(ObservedCrd::live) {
            Some(live) if live.established => {
                let hold = crds::hold(crd, wanted.release, &extension.owner);
                (Reason::Installed, installed(live.bundle, hold, wanted.release.into()))
            }
            Some(_) => (
                Reason::Pending,
                format!("{CRD} is there, and the API server does not serve it. Look at its conditions."),
            ),
            None => (
                Reason::Creating,
                format!(
                    "{CRD} is being looked for. If this lasts, look at the Object that wraps it and at \
                     provider-kubernetes."
                ),
            ),
        },
    };
    Condition { reason, message }
}

fn installed(bundle: Option<Bundle>, hold: Hold, release: Bundle) -> String {
    let live = bundle.map_or_else(|| "of an unknown bundle".to_owned(), |bundle| format!("of {bundle}"));
    match hold {
        Hold::Manage if bundle < Some(release) => {
            format!("The cluster serves InferencePool {live}; it is being updated to {release}.")
        }
        Hold::Manage => format!("The cluster serves InferencePool {live}."),
        Hold::Observe => {
            format!(
                "The cluster serves InferencePool {live}; it is newer than {release}, or somebody else's, and left as it \
                 is."
            )
        }
    }
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
