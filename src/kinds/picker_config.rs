//! `EndpointPickerConfig`, the file that the picker reads once at start. Decoded strictly: an unknown key stops it.

use serde::Serialize;

/// The configuration file.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointPickerConfig {
    /// By release.
    pub api_version: &'static str,
    /// `EndpointPickerConfig`.
    pub kind: &'static str,
    /// By release.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feature_gates: Vec<&'static str>,
    /// Every plugin that a profile refers to.
    pub plugins: Vec<Plugin>,
    /// How an endpoint is chosen.
    pub scheduling_profiles: Vec<Profile>,
}

/// A plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plugin {
    /// Its type, and its name.
    #[serde(rename = "type")]
    pub kind: &'static str,
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
    pub plugin_ref: &'static str,
    /// Its share; a fraction stops the start of GIE v1.3.x.
    pub weight: u32,
}
