//! The four conditions, and which reasons each can have.

use super::reasons::{Outlook, Reason, Truth};

/// A condition of the composite. Crossplane keeps `Ready`, `Synced` and a few more for itself; these are ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConditionType {
    /// The model servers.
    WorkloadReady,
    /// The Endpoint Picker.
    EndpointPickerReady,
    /// The Gateway, the pool and the route.
    GatewayReady,
    /// The autoscaler.
    ScalingReady,
}

impl ConditionType {
    /// All of them, from the model outwards.
    pub const ALL: [Self; 4] =
        [Self::WorkloadReady, Self::EndpointPickerReady, Self::GatewayReady, Self::ScalingReady];

    /// All of them as a request meets them, and the autoscaler last: the first that is False is where to begin.
    pub const IN_THE_WAY: [Self; 4] =
        [Self::GatewayReady, Self::EndpointPickerReady, Self::WorkloadReady, Self::ScalingReady];

    /// As the composite shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WorkloadReady => "WorkloadReady",
            Self::EndpointPickerReady => "EndpointPickerReady",
            Self::GatewayReady => "GatewayReady",
            Self::ScalingReady => "ScalingReady",
        }
    }
}

/// One condition, at one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Which.
    pub kind: ConditionType,
    /// Its machine word, and with it its status.
    pub reason: Reason,
    /// The layer, the object and the next step, for people.
    pub message: String,
}

impl Condition {
    /// A condition.
    pub fn new(kind: ConditionType, reason: Reason, message: impl Into<String>) -> Self {
        Self { kind, reason, message: message.into() }
    }

    /// Its status.
    pub const fn truth(&self) -> Truth {
        self.reason.truth()
    }
}

/// Of what is found in a request's way, the first that somebody has to mend, else the first that is under way: what comes
/// after that may be no more than its consequence.
pub(super) fn first(found: Vec<Condition>) -> Option<Condition> {
    let at =
        found.iter().position(|condition| condition.reason.outlook() == Outlook::Broken).unwrap_or_default();
    found.into_iter().nth(at)
}

/// Which reasons each condition can have.
pub const CATALOGUE: [(ConditionType, &[Reason]); 4] = [
    (
        ConditionType::WorkloadReady,
        &[
            Reason::Available,
            Reason::ScaledToZero,
            Reason::Creating,
            Reason::Starting,
            Reason::Waking,
            Reason::NotServing,
            Reason::Stopped,
            Reason::VllmOperatorNotInstalled,
            Reason::ObjectNotSynced,
            Reason::ObjectUnreadable,
            Reason::NameTaken,
            Reason::InvalidSpec,
            Reason::FatalError,
        ],
    ),
    (
        ConditionType::EndpointPickerReady,
        &[
            Reason::Available,
            Reason::NotManaged,
            Reason::NotRequested,
            Reason::Creating,
            Reason::Starting,
            Reason::NoEndpointPicker,
            Reason::NotServing,
            Reason::InferenceExtensionNotInstalled,
            Reason::ObjectNotSynced,
            Reason::ObjectUnreadable,
            Reason::NameTaken,
            Reason::InvalidSpec,
            Reason::FatalError,
        ],
    ),
    (
        ConditionType::GatewayReady,
        &[
            Reason::Accepted,
            Reason::PriorityNotEnforced,
            Reason::NotRequested,
            Reason::Creating,
            Reason::Pending,
            Reason::NoGateway,
            Reason::MultipleGateways,
            Reason::UnknownGatewayClass,
            Reason::GatewayApiNotInstalled,
            Reason::InferenceExtensionNotInstalled,
            Reason::GatewayImplementationNotInstalled,
            Reason::InferencePoolFailed,
            Reason::HttpRouteFailed,
            Reason::ExtensionPolicyFailed,
            Reason::ObjectNotSynced,
            Reason::ObjectUnreadable,
            Reason::NameTaken,
            Reason::InvalidSpec,
            Reason::FatalError,
        ],
    ),
    (
        ConditionType::ScalingReady,
        &[
            Reason::ScalerReady,
            Reason::HoldLimited,
            Reason::MetricsUnavailable,
            Reason::NotRequested,
            Reason::Creating,
            Reason::Pending,
            Reason::NoWakeUp,
            Reason::HandoverPending,
            Reason::TargetNotScalable,
            Reason::TriggerFailed,
            Reason::ScalerFailed,
            Reason::ScalerNotInstalled,
            Reason::ObjectNotSynced,
            Reason::ObjectUnreadable,
            Reason::NameTaken,
            Reason::InvalidSpec,
            Reason::FatalError,
        ],
    ),
];
