//! Which fields the configuration of a release has, and which gates: an unknown one stops the picker at start.
//!
//! From `apix/config/v1alpha1/endpointpickerconfig_types.go` and the gates that `cmd/epp/runner/runner.go` registers, of
//! the releases that `plugins` names.

use super::FLOW_CONTROL_GATE;
use super::known::{
    ALWAYS, GIE_1_5, Known, LLM_D_0_10, SINCE_GIE_1_4, SINCE_GIE_1_5, SINCE_LLM_D_0_9, UNTIL_GIE_1_4,
    UNTIL_LLM_D_0_9,
};

/// A field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// Who has it.
    pub(super) known: Known,
    /// What is in it.
    pub(super) inner: Inner,
}

/// What is in a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Inner {
    /// Nothing that is looked at here.
    Value,
    /// Fields.
    Object(&'static [Field]),
    /// Objects with fields.
    List(&'static [Field]),
}

const fn value(name: &'static str, known: Known) -> Field {
    Field { name, known, inner: Inner::Value }
}

const fn object(name: &'static str, known: Known, fields: &'static [Field]) -> Field {
    Field { name, known, inner: Inner::Object(fields) }
}

const fn list(name: &'static str, known: Known, fields: &'static [Field]) -> Field {
    Field { name, known, inner: Inner::List(fields) }
}

/// The whole configuration.
pub(super) const CONFIG: &[Field] = &[
    value("apiVersion", ALWAYS),
    value("kind", ALWAYS),
    value("featureGates", ALWAYS),
    list("plugins", ALWAYS, PLUGIN),
    list("schedulingProfiles", ALWAYS, PROFILE),
    object("saturationDetector", UNTIL_GIE_1_4, THRESHOLDS),
    object("saturationDetector", SINCE_GIE_1_5, REFERENCE),
    object("data", UNTIL_GIE_1_4, DATA),
    object("dataLayer", SINCE_GIE_1_5, DATA),
    object("flowControl", SINCE_GIE_1_4, FLOW_CONTROL),
    object("parser", SINCE_GIE_1_5, REFERENCE),
    object("requestHandler", SINCE_LLM_D_0_9, &[list("parsers", SINCE_LLM_D_0_9, REFERENCE)]),
];

const PLUGIN: &[Field] = &[value("name", ALWAYS), value("type", ALWAYS), value("parameters", ALWAYS)];

const PROFILE: &[Field] =
    &[value("name", ALWAYS), list("plugins", ALWAYS, &[value("pluginRef", ALWAYS), value("weight", ALWAYS)])];

const THRESHOLDS: &[Field] = &[
    value("queueDepthThreshold", UNTIL_GIE_1_4),
    value("kvCacheUtilThreshold", UNTIL_GIE_1_4),
    value("metricsStalenessThreshold", UNTIL_GIE_1_4),
];

const REFERENCE: &[Field] = &[value("pluginRef", ALWAYS)];

const DATA: &[Field] = &[
    list("sources", ALWAYS, &[value("pluginRef", ALWAYS), list("extractors", ALWAYS, REFERENCE)]),
    value("injectDefaults", SINCE_LLM_D_0_9),
    object("discovery", SINCE_LLM_D_0_9, REFERENCE),
    value("crossReplicaSyncerPluginRef", LLM_D_0_10),
    value("crossReplicaSyncInterval", LLM_D_0_10),
];

const FLOW_CONTROL: &[Field] = &[
    value("maxBytes", SINCE_GIE_1_4),
    value("maxRequests", SINCE_GIE_1_5),
    value("defaultRequestTTL", SINCE_GIE_1_4),
    object("defaultPriorityBand", SINCE_GIE_1_4, BAND),
    object("defaultNegativePriorityBand", SINCE_LLM_D_0_9, BAND),
    list("priorityBands", SINCE_GIE_1_4, BAND),
    value("usageLimitPolicyPluginRef", SINCE_GIE_1_5),
    object("saturationDetector", SINCE_LLM_D_0_9, REFERENCE),
    value("enableEviction", LLM_D_0_10),
];

const BAND: &[Field] = &[
    value("priority", SINCE_GIE_1_4),
    value("maxBytes", SINCE_GIE_1_4),
    value("maxRequests", SINCE_GIE_1_5),
    value("fairnessPolicyRef", SINCE_GIE_1_4),
    value("orderingPolicyRef", SINCE_GIE_1_4),
];

/// The feature gates.
pub(super) const GATES: &[(&str, Known)] = &[
    (FLOW_CONTROL_GATE, ALWAYS),
    ("dataLayer", UNTIL_LLM_D_0_9),
    ("prepareDataPlugins", UNTIL_GIE_1_4),
    ("enableLegacyMetrics", GIE_1_5),
    ("haPopulateNonLeaderDatastore", LLM_D_0_10),
];
