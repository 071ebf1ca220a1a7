//! `EndpointPickerConfig`, the file that the picker reads once at start. Decoded strictly: an unknown key stops it.
//!
//! Which of the optional sections a release knows, and in which form, is in `plan::endpoint_picker`.

use serde::{Serialize, Serializer};

/// The kind of the file.
pub const ENDPOINT_PICKER_CONFIG: &str = "EndpointPickerConfig";

/// The configuration file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPickerConfig {
    /// By release.
    pub api_version: &'static str,
    /// `EndpointPickerConfig`.
    pub kind: &'static str,
    /// What is on that is off by default.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feature_gates: Vec<&'static str>,
    /// Every plugin that something refers to.
    pub plugins: Vec<Plugin>,
    /// How an endpoint is chosen.
    pub scheduling_profiles: Vec<Profile>,
    /// When the pool has no room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturation_detector: Option<SaturationDetector>,
    /// What happens to requests that find no room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow_control: Option<FlowControl>,
}

/// A plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plugin {
    /// Its type, and its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Thresholds>,
}

/// A profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Profile {
    /// Unique.
    pub name: &'static str,
    /// Its plugins.
    pub plugins: Vec<ProfilePlugin>,
}

/// A plugin in a profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfilePlugin {
    /// A declared plugin.
    pub plugin_ref: String,
    /// Its share.
    #[serde(serialize_with = "whole_where_it_can")]
    pub weight: f64,
}

/// When the pool has no room.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SaturationDetector {
    /// Decided by thresholds.
    Thresholds(Thresholds),
    /// Decided by a plugin.
    Plugin(PluginRef),
}

/// From when on an endpoint counts as full. What is left out is left to the release.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Thresholds {
    /// The age from which on an endpoint's metrics are no longer believed.
    pub metrics_staleness_threshold: String,
}

/// A declared plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginRef {
    /// Its name.
    pub plugin_ref: &'static str,
}

/// What happens to requests that find no room.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowControl {
    /// Bytes that may wait in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<Amount>,
    /// Requests that may wait in all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_requests: Option<Amount>,
    /// How long a request may wait.
    #[serde(rename = "defaultRequestTTL", skip_serializing_if = "Option::is_none")]
    pub default_request_ttl: Option<String>,
    /// Priorities with bounds of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub priority_bands: Vec<PriorityBand>,
    /// When the pool has no room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saturation_detector: Option<PluginRef>,
}

/// A priority with bounds of its own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriorityBand {
    /// The priority.
    pub priority: i32,
    /// Requests that may wait in it.
    pub max_requests: Amount,
}

/// A number, as a release wants it written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Amount {
    /// A plain number.
    Number(u64),
    /// A quantity of Kubernetes.
    Quantity(String),
}

/// `2`, not `2.0`, which Go does not read into an integer.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn whole_where_it_can<S: Serializer>(weight: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match weight.to_string().parse::<u64>() {
        Ok(whole) => serializer.serialize_u64(whole),
        Err(_) => serializer.serialize_f64(*weight),
    }
}
