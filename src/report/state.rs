//! How far one of our objects has come, and how messages name it.

use std::collections::BTreeMap;

use crate::api::settings::Transport;
use crate::observe::{Live, Observed, Synced, is_missing};
use crate::plan::Plan;
use crate::plan::keys::Key;

use super::conditions::{Condition, ConditionType};
use super::missing::{self, Brings};
use super::reasons::Reason;

/// Longest text of somebody else's that a message repeats: an API server may quote whole objects.
const QUOTE_MAX: usize = 512;

/// How far an object has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum State<'a> {
    /// Nobody has said anything about it.
    Absent,
    /// There is no such object, on the word of Crossplane.
    Missing,
    /// The provider cannot reconcile it. Whatever it reported before may be out of date.
    NotSynced(&'a str),
    /// It is there and cannot be read.
    Unreadable(&'a str),
    /// It is there.
    Live(&'a Live),
}

/// How far the object behind a key has come.
pub(super) fn state(observed: &Observed, key: Key) -> State<'_> {
    let Some(object) = observed.objects.get(&key) else { return State::Absent };
    match (&object.synced, &object.live, &object.unreadable) {
        (Some(Synced::False(why)), _, _) => State::NotSynced(why),
        (Some(Synced::True), Some(live), _) => State::Live(live),
        (Some(Synced::True), None, Some(why)) => State::Unreadable(why),
        (Some(Synced::Missing), _, _) => State::Missing,
        (Some(Synced::True), None, None) | (None, _, _) => State::Absent,
    }
}

impl<'a> State<'a> {
    /// Present where somebody else's object is not there: what is said of that.
    pub(super) fn missing(self) -> Option<String> {
        match self {
            Self::Missing => Some(String::new()),
            Self::NotSynced(why) if is_missing(why) => Some(format!(": {}", quote(why))),
            Self::Absent | Self::NotSynced(_) | Self::Unreadable(_) | Self::Live(_) => None,
        }
    }

    /// The live object, or the condition that says why there is none.
    pub(super) fn live(
        self,
        plan: &Plan,
        kind: ConditionType,
        layer: &str,
        key: Key,
    ) -> Result<&'a Live, Condition> {
        if let Self::Live(live) = self {
            return Ok(live);
        }
        let object = name(plan, key);
        if let Self::NotSynced(why) = self
            && is_unknown_kind(why)
            && let Some(condition) = missing::condition(plan, kind, layer, key, why)
        {
            return Err(condition);
        }
        let (reason, message) = match self {
            Self::Live(live) => return Ok(live),
            Self::Absent | Self::Missing => (
                Reason::Creating,
                format!("{layer}: {object} is being created. If this lasts, {}.", look(plan)),
            ),
            Self::NotSynced(why) => (
                Reason::ObjectNotSynced,
                format!(
                    "{layer}: {object} cannot be reconciled: {}. Correct that; the Object is tried again by itself.",
                    quote(why)
                ),
            ),
            Self::Unreadable(why) => (
                Reason::ObjectUnreadable,
                format!(
                    "{layer}: {object} is on the cluster, but is not what its kind promises: {}. Compare the installed \
                     CRD with the supported version.",
                    quote(why)
                ),
            ),
        };
        Err(Condition::new(kind, reason, message))
    }
}

/// Nobody has said anything about an object that is somebody else's, and only looked at.
pub(super) fn looked_up(plan: &Plan, kind: ConditionType, layer: &str, object: &str) -> Condition {
    let look = match plan.transport {
        Transport::Objects(_) => "look at the Object that wraps it and at provider-kubernetes",
        Transport::Direct => "see that Crossplane is 2.0 or newer, which looks up what a function asks for",
    };
    let message = format!("{layer}: {object} is being looked up. If this lasts, {look}.");
    Condition::new(kind, Reason::Creating, message)
}

/// Who says why an object does not come.
fn look(plan: &Plan) -> &'static str {
    match plan.transport {
        Transport::Objects(_) => "look at the Object that wraps it and at provider-kubernetes",
        // It tells nobody else what it cannot apply.
        Transport::Direct => "see what Crossplane says in this resource's condition Synced and in its events",
    }
}

/// Whether the cluster does not know the object's kind: the wording of apimachinery (`NoKindMatchError`,
/// `NoResourceMatchError`) and of server-side discovery.
pub(super) fn is_unknown_kind(why: &str) -> bool {
    why.contains("no matches for ") || why.contains("the server could not find the requested resource")
}

/// What the provider could not apply among objects that do not decide a condition, as an addition to its message.
pub(super) fn notes(plan: &Plan, observed: &Observed, keys: &[Key]) -> String {
    let mut unknown: BTreeMap<Brings, Vec<Key>> = BTreeMap::new();
    let mut notes = Vec::new();
    for key in keys {
        match state(observed, *key) {
            State::NotSynced(why) => match missing::brings(*key).filter(|_| is_unknown_kind(why)) {
                Some(brings) => unknown.entry(brings).or_default().push(*key),
                None => notes.push(format!(" {} cannot be reconciled: {}.", name(plan, *key), quote(why))),
            },
            State::Unreadable(why) => {
                notes.push(format!(" {} is not what its kind promises: {}.", name(plan, *key), quote(why)));
            }
            State::Absent | State::Missing | State::Live(_) => {}
        }
    }
    notes.extend(unknown.iter().map(|(brings, keys)| missing::note(plan, *brings, keys)));
    notes.concat()
}

/// Somebody else's text, without its full stop and bounded.
pub(crate) fn quote(text: &str) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= QUOTE_MAX).last();
    text.get(..end.unwrap_or_default()).unwrap_or_default().trim_end_matches(['.', ' ', '\n'])
}

/// The kind of the object behind a key.
pub(super) fn kind(plan: &Plan, key: Key) -> &'static str {
    match key {
        Key::ReplicasHandover => kind(plan, plan.workload_key()),
        Key::VllmRuntime => "VLLMRuntime",
        Key::ModelService | Key::ModelMetricsService | Key::EppService | Key::EppExistingService => "Service",
        Key::ModelPodDisruptionBudget => "PodDisruptionBudget",
        Key::ModelNetworkPolicy | Key::EppNetworkPolicy => "NetworkPolicy",
        Key::ServiceMonitor | Key::EppServiceMonitor => "ServiceMonitor",
        Key::PodMonitor | Key::EppPodMonitor => "PodMonitor",
        Key::PrometheusRule => "PrometheusRule",
        Key::InferencePool => "InferencePool",
        Key::InferenceObjective | Key::InferenceObjectiveLlmD => "InferenceObjective",
        Key::HttpRoute | Key::AiGatewayHttpRoute => "HTTPRoute",
        Key::AiGatewayRoute => "AIGatewayRoute",
        Key::GatewayDestinationRule => "DestinationRule",
        Key::GatewayHealthCheckPolicy | Key::GatewayServiceHealthCheckPolicy => "HealthCheckPolicy",
        Key::GatewayBackendPolicy | Key::GatewayServiceBackendPolicy => "GCPBackendPolicy",
        Key::GatewayProxySettingsPolicy => "ProxySettingsPolicy",
        Key::GatewayExtensionPolicy => "EnvoyExtensionPolicy",
        Key::AdaptersConfigMap | Key::EppConfigMap => "ConfigMap",
        Key::EppServiceAccount | Key::EppMetricsServiceAccount => "ServiceAccount",
        Key::EppMetricsToken => "Secret",
        Key::EppMetricsClusterRole => "ClusterRole",
        Key::EppMetricsClusterRoleBinding | Key::EppClusterRoleBindingAuthDelegator => "ClusterRoleBinding",
        Key::EppRolePodReader | Key::EppRolePoolReader | Key::EppRoleLeaderElection => "Role",
        Key::EppRoleBindingPodReader | Key::EppRoleBindingPoolReader | Key::EppRoleBindingLeaderElection => {
            "RoleBinding"
        }
        Key::ModelDeployment | Key::EppDeployment => "Deployment",
        Key::ScaledObject => "ScaledObject",
        Key::Gateway => "Gateway",
        Key::GatewayClass => "GatewayClass",
        Key::Ingress => "Ingress",
    }
}

/// An object as messages name it: kind, namespace if it has one, name.
pub(super) fn name(plan: &Plan, key: Key) -> String {
    let kind = kind(plan, key);
    match plan.place_of(key) {
        (Some(namespace), name) => format!("{kind} {namespace}/{name}"),
        (None, name) => format!("{kind} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{QUOTE_MAX, is_unknown_kind, quote};

    #[test]
    fn quotes_are_bounded_between_characters_and_end_without_a_full_stop() {
        let cases = [
            ("no such host.", "no such host", "the sentence goes on after it"),
            ("", "", "nothing to say"),
            ("a. b.\n", "a. b", "only the end is trimmed"),
        ];
        for (text, want, reason) in cases {
            assert_eq!(quote(text), want, "{reason}");
        }
        let long = "ä".repeat(QUOTE_MAX);
        assert_eq!(quote(&long).len(), QUOTE_MAX, "two bytes a character fit evenly");
        assert_eq!(quote(&format!("x{long}")).len(), QUOTE_MAX - 1, "a character is never cut");
    }

    #[test]
    fn unknown_kinds_are_told_from_other_failures() {
        let cases = [
            (
                r#"observe failed: cannot get object: no matches for kind "ScaledObject" in version "keda.sh/v1alpha1""#,
                true,
                "the REST mapper knows the group without the kind, or no such group",
            ),
            (
                "create failed: cannot create object: cannot apply object: the server could not find the requested resource",
                true,
                "the kind went away after it was mapped",
            ),
            ("connect failed: cannot get provider config", false, "nothing was asked of the cluster"),
            (
                r#"admission webhook "vscaledobject.kb.io" denied the request"#,
                false,
                "it is known, and refused",
            ),
        ];
        for (why, want, reason) in cases {
            assert_eq!(is_unknown_kind(why), want, "{reason}");
        }
    }
}
