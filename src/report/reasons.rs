//! The catalogue of reasons. Reasons are API: people alert on them. Each means one status, wherever it appears.
//!
//! `docs/conditions.md` has cause and cure of each for people; a test keeps the two lists equal.

/// A condition's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be said, or was not asked for.
    Unknown,
}

impl Truth {
    /// As Kubernetes spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Why a condition has its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// At least one replica can serve. Nothing to do.
    Available,
    /// The autoscaler put the model to sleep; the next request wakes it. Nothing to do.
    ScaledToZero,
    /// The Gateway has accepted pool and route. Nothing to do.
    Accepted,
    /// Accepted, but the implementation cannot make requests name their priority, or the picker's release does not act
    /// on it. Choose one that can, or `standard`.
    PriorityNotEnforced,
    /// KEDA works on the `ScaledObject`. Nothing to do.
    ScalerReady,
    /// Scaling works, but the Gateway gives up before a cold start is over. Warm up, retry, or shorten the start.
    HoldLimited,
    /// KEDA works, but cannot read the metric. Look at the Prometheus address and at the scrape targets.
    MetricsUnavailable,
    /// The spec does not ask for it. Nothing to do.
    NotRequested,
    /// The spec, or the platform's Input, cannot be used. Correct what the message names.
    InvalidSpec,
    /// The call ended in a Fatal result for another reason. Do what the message says. Crossplane's own word, which it
    /// also writes itself where an earlier step of the pipeline ended so (v2.3, `reconciler.go`).
    FatalError,
    /// The object is on its way to the cluster. Wait; if it lasts, look at the Object.
    Creating,
    /// The object is there, its pods are not up yet. Wait; if it lasts, look at the pods.
    Starting,
    /// A model that slept starts for a request. Wait; if it lasts, look at the pods.
    Waking,
    /// The object is there, its controller has not said anything about it. Wait; if it lasts, see if it runs.
    Pending,
    /// provider-kubernetes cannot reconcile the Object. Do what its message says.
    ObjectNotSynced,
    /// The live object is not what its kind promises. Compare the installed CRD with the supported version.
    ObjectUnreadable,
    /// The object belongs to another composite. Rename one of the two.
    NameTaken,
    /// What used to serve does not, or its controller gave up. Look at the pods.
    NotServing,
    /// No replicas are wanted and nothing may start one. Raise `minReplicas`, or turn scaling on.
    Stopped,
    /// The cluster knows no `VLLMRuntime`. Install the operator, or use Deployments.
    VllmOperatorNotInstalled,
    /// The cluster knows no `InferencePool` or `InferenceObjective`. Install the inference extension's CRDs.
    InferenceExtensionNotInstalled,
    /// The cluster knows no `Gateway` or `HTTPRoute`. Install Gateway API.
    GatewayApiNotInstalled,
    /// The cluster does not know what the implementation needs beside the route. Install it, or name the right one.
    GatewayImplementationNotInstalled,
    /// The picker is somebody else's, and its Service is there. Nothing to do here; whoever runs it knows how it is.
    NotManaged,
    /// There is no such picker. Install it, or name another one.
    NoEndpointPicker,
    /// There is no such Gateway. Install it, or name another one.
    NoGateway,
    /// There are several Gateways, and nothing tells which. Label one, or name it.
    MultipleGateways,
    /// Nobody knows what implements the Gateway. Have the platform's Input name it.
    UnknownGatewayClass,
    /// The Gateway, or the cluster, refuses the pool. Do what the message says.
    InferencePoolFailed,
    /// The Gateway, or the cluster, refuses the route. Do what the message says.
    HttpRouteFailed,
    /// The policy that makes priorities act is refused, and requests with it. Permit it, or do not ask for it.
    ExtensionPolicyFailed,
    /// The cluster knows no `ScaledObject`. Install KEDA, or turn scaling off.
    ScalerNotInstalled,
    /// KEDA refuses the `ScaledObject`. Do what the message says.
    ScalerFailed,
    /// KEDA's triggers fail. Look at the Prometheus address and at the scrape targets.
    TriggerFailed,
    /// The model may sleep, but without routing nothing can wake it. Set `host`, or `minReplicas: 1`.
    NoWakeUp,
    /// The replica count of the live workload passes to the autoscaler. Wait; if it lasts, look at the Objects.
    HandoverPending,
    /// The workload cannot be scaled by others. Install the vLLM operator's own CRDs.
    TargetNotScalable,
}

/// What a reason means for the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outlook {
    /// As it should be, or as it was asked for.
    Settled,
    /// It gets there by itself.
    UnderWay,
    /// Somebody has to do something, here or on the cluster.
    Broken,
}

impl Reason {
    /// The machine word.
    pub const fn as_str(self) -> &'static str {
        self.entry().0
    }

    /// The status that comes with it.
    pub const fn truth(self) -> Truth {
        self.entry().1
    }

    /// What it means for the next call.
    pub(super) const fn outlook(self) -> Outlook {
        self.entry().2
    }

    /// Whether nothing is expected to change by itself.
    pub const fn is_settled(self) -> bool {
        matches!(self.outlook(), Outlook::Settled)
    }

    const fn entry(self) -> (&'static str, Truth, Outlook) {
        use Outlook::{Broken, Settled, UnderWay};
        use Truth::{False, True, Unknown};
        match self {
            Self::Available => ("Available", True, Settled),
            Self::ScaledToZero => ("ScaledToZero", True, Settled),
            Self::Accepted => ("Accepted", True, Settled),
            Self::PriorityNotEnforced => ("PriorityNotEnforced", True, Settled),
            Self::ScalerReady => ("ScalerReady", True, Settled),
            Self::HoldLimited => ("HoldLimited", True, Settled),
            Self::MetricsUnavailable => ("MetricsUnavailable", True, Broken),
            Self::NotRequested => ("NotRequested", Unknown, Settled),
            Self::InvalidSpec => ("InvalidSpec", Unknown, Settled),
            Self::FatalError => ("FatalError", Unknown, Settled),
            Self::Creating => ("Creating", False, UnderWay),
            Self::Starting => ("Starting", False, UnderWay),
            Self::Waking => ("Waking", False, UnderWay),
            Self::Pending => ("Pending", False, UnderWay),
            Self::ObjectNotSynced => ("ObjectNotSynced", False, Broken),
            Self::ObjectUnreadable => ("ObjectUnreadable", False, Broken),
            Self::NameTaken => ("NameTaken", False, Broken),
            Self::NotServing => ("NotServing", False, Broken),
            Self::Stopped => ("Stopped", False, Settled),
            Self::VllmOperatorNotInstalled => ("VLLMOperatorNotInstalled", False, Broken),
            Self::InferenceExtensionNotInstalled => ("InferenceExtensionNotInstalled", False, Broken),
            Self::GatewayApiNotInstalled => ("GatewayAPINotInstalled", False, Broken),
            Self::GatewayImplementationNotInstalled => ("GatewayImplementationNotInstalled", False, Broken),
            Self::NotManaged => ("NotManaged", Unknown, Settled),
            Self::NoEndpointPicker => ("NoEndpointPicker", False, Broken),
            Self::NoGateway => ("NoGateway", False, Broken),
            Self::MultipleGateways => ("MultipleGateways", False, Broken),
            Self::UnknownGatewayClass => ("UnknownGatewayClass", False, Broken),
            Self::InferencePoolFailed => ("InferencePoolFailed", False, Broken),
            Self::HttpRouteFailed => ("HTTPRouteFailed", False, Broken),
            Self::ExtensionPolicyFailed => ("ExtensionPolicyFailed", False, Broken),
            Self::ScalerNotInstalled => ("ScalerNotInstalled", False, Broken),
            Self::ScalerFailed => ("ScalerFailed", False, Broken),
            Self::TriggerFailed => ("TriggerFailed", False, Broken),
            Self::NoWakeUp => ("NoWakeUp", False, Settled),
            Self::HandoverPending => ("HandoverPending", False, UnderWay),
            Self::TargetNotScalable => ("TargetNotScalable", False, Broken),
        }
    }
}
