//! The picker's configuration file, in the form that its release reads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use crate::digest::digest;
use crate::kinds::picker_config::{
    Amount, ENDPOINT_PICKER_CONFIG, EndpointPickerConfig, FlowControl, Plugin, PluginRef, PriorityBand,
    Profile, ProfilePlugin, SaturationDetector, Thresholds,
};
use crate::plan::endpoint_picker::{
    ComposedConfig, FLOW_CONTROL_GATE, Family, FlowControlPlan, Queue, Saturation, UTILIZATION_DETECTOR,
};

use super::ComposeError;

/// The file as it is written.
#[derive(Debug)]
pub(super) struct File {
    pub(super) yaml: String,
    /// Changes when the configuration does.
    pub(super) hash: String,
}

/// The files that a thread remembers.
const REMEMBERED: usize = 8;

thread_local! {
    /// The latest files, and what they say. There is nothing of a model in one but its bounds and scorers, so that the
    /// models of a platform share a few, and to write one as YAML takes a twelfth of a call.
    static FILES: RefCell<VecDeque<(Family, ComposedConfig, Rc<File>)>> = const { RefCell::new(VecDeque::new()) };
}

/// The file, written unless it is remembered.
pub(super) fn file(family: Family, composed: &ComposedConfig) -> Result<Rc<File>, ComposeError> {
    FILES.with_borrow_mut(|files| {
        if let Some((.., file)) = files.iter().find(|(of, what, _)| *of == family && what == composed) {
            return Ok(Rc::clone(file));
        }
        let config = config(family, composed);
        let yaml = serde_yaml::to_string(&config).map_err(ComposeError::PickerConfig)?;
        let file = Rc::new(File { yaml, hash: digest(&config) });
        files.truncate(REMEMBERED - 1);
        files.push_front((family, composed.clone(), Rc::clone(&file)));
        Ok(file)
    })
}

/// What it says.
fn config(family: Family, config: &ComposedConfig) -> EndpointPickerConfig {
    let traits = family.traits();
    let ComposedConfig { metrics_staleness, flow_control: queue, scorers } = config;
    let staleness = Thresholds { metrics_staleness_threshold: metrics_staleness.to_string() };
    let detector = || PluginRef { plugin_ref: UTILIZATION_DETECTOR };
    let (parameters, saturation_detector, inner_detector) = match traits.saturation {
        Saturation::Thresholds => (None, Some(SaturationDetector::Thresholds(staleness)), None),
        Saturation::Plugin => (Some(staleness), Some(SaturationDetector::Plugin(detector())), None),
        Saturation::FlowControlPlugin => (Some(staleness), None, Some(detector())),
    };
    let section = queue.as_ref().and_then(|queue| flow_control(queue, traits.queue));
    let flow_control = match (section, inner_detector) {
        (None, None) => None,
        (section, saturation_detector) => {
            Some(FlowControl { saturation_detector, ..section.unwrap_or_default() })
        }
    };

    let plugins = scorers.iter().map(|scorer| Plugin { kind: scorer.plugin.clone(), parameters: None });
    let detector = parameters
        .map(|parameters| Plugin { kind: UTILIZATION_DETECTOR.to_owned(), parameters: Some(parameters) });
    let weighted = scorers
        .iter()
        .map(|scorer| ProfilePlugin { plugin_ref: scorer.plugin.clone(), weight: scorer.weight });
    EndpointPickerConfig {
        api_version: traits.config_api_version,
        kind: ENDPOINT_PICKER_CONFIG,
        feature_gates: queue.iter().map(|_| FLOW_CONTROL_GATE).collect(),
        plugins: plugins.chain(detector).collect(),
        scheduling_profiles: vec![Profile { name: "default", plugins: weighted.collect() }],
        saturation_detector,
        flow_control,
    }
}

/// Bounds in the release's own form; nothing where it has none.
fn flow_control(plan: &FlowControlPlan, form: Queue) -> Option<FlowControl> {
    let FlowControlPlan { hold, max_bytes, max_requests, shed } = plan;
    let default_request_ttl = hold.map(|hold| hold.to_string());
    let quantity = |number: &u64| Amount::Quantity(number.to_string());
    match form {
        Queue::Fixed => None,
        Queue::Bytes => Some(FlowControl {
            max_bytes: Some(Amount::Number(*max_bytes)),
            default_request_ttl,
            ..FlowControl::default()
        }),
        Queue::BytesAndRequests => Some(FlowControl {
            max_bytes: Some(quantity(max_bytes)),
            max_requests: Some(quantity(max_requests)),
            default_request_ttl,
            priority_bands: shed
                .map(|priority| PriorityBand { priority, max_requests: quantity(&1) })
                .into_iter()
                .collect(),
            ..FlowControl::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use crate::api::Duration;
    use crate::api::fixtures::llm;
    use crate::api::settings::{PickerFamily as Family, Settings, Toggle};
    use crate::observe::Observed;
    use crate::plan::endpoint_picker::ConfigPlan;
    use crate::plan::plan;

    /// The file as a picker reads it back.
    fn file(mut settings: Settings, family: Family) -> Value {
        settings.routing.as_mut().unwrap().picker.family = Some(family);
        let plan = plan(&settings, &Observed::default()).unwrap();
        let ConfigPlan::Composed(plan) = plan.own_picker().unwrap().config.clone() else {
            panic!("it is ours")
        };
        serde_yaml::from_str(&super::file(family, &plan).unwrap().yaml).unwrap()
    }

    /// What each release reads, by its own `apix/config/v1alpha1/endpointpickerconfig_types.go`.
    #[test]
    fn each_release_reads_its_own_form() {
        let base = json!({
            "kind": "EndpointPickerConfig",
            "plugins": [
                {"type": "queue-scorer"},
                {"type": "kv-cache-utilization-scorer"},
                {"type": "prefix-cache-scorer"},
            ],
            "schedulingProfiles": [{
                "name": "default",
                "plugins": [
                    {"pluginRef": "queue-scorer", "weight": 2},
                    {"pluginRef": "kv-cache-utilization-scorer", "weight": 2},
                    {"pluginRef": "prefix-cache-scorer", "weight": 3},
                ],
            }],
        });
        let (gie, llm_d) = ("inference.networking.x-k8s.io/v1alpha1", "llm-d.ai/v1alpha1");
        let staleness = json!({"metricsStalenessThreshold": "2s"});
        let detector = json!({"type": "utilization-detector", "parameters": &staleness});
        let reference = json!({"pluginRef": "utilization-detector"});
        let cases = [
            (Family::Gie1_3, gie, None, "saturationDetector", &staleness, "thresholds stand inline"),
            (Family::Gie1_4, gie, None, "saturationDetector", &staleness, "likewise"),
            (Family::Gie1_5, gie, Some(&detector), "saturationDetector", &reference, "a plugin has them"),
            (
                Family::LlmD0_9,
                llm_d,
                Some(&detector),
                "flowControl",
                &json!({"saturationDetector": &reference}),
                "the section holds the reference, whether flow control is on or not",
            ),
            (
                Family::LlmD0_10,
                llm_d,
                Some(&detector),
                "flowControl",
                &json!({"saturationDetector": &reference}),
                "likewise",
            ),
        ];
        for (family, api_version, plugin, section, content, reason) in cases {
            let mut want = base.clone();
            want["apiVersion"] = json!(api_version);
            want["plugins"].as_array_mut().unwrap().extend(plugin.cloned());
            want[section] = content.clone();
            assert_eq!(file(llm().hosted("llama.example.com"), family), want, "{family:?}: {reason}");
        }
    }

    /// Likewise, where a sheddable model may sleep.
    #[test]
    fn each_release_bounds_what_waits_in_its_own_form() {
        let mut asleep = llm().hosted("llama.example.com").scaled(0, 3);
        asleep.model.priority = -10;
        asleep.cold_start = Duration::from_seconds(5400);
        let quantities = json!({
            "maxBytes": "1000000000",
            "maxRequests": "5000",
            "defaultRequestTTL": "1h30m",
            "priorityBands": [{"priority": -10, "maxRequests": "1"}],
        });
        let mut with_detector = quantities.clone();
        with_detector["saturationDetector"] = json!({"pluginRef": "utilization-detector"});
        let cases = [
            (Family::Gie1_3, Value::Null, "the key would stop the start"),
            (
                Family::Gie1_4,
                json!({"maxBytes": 1_000_000_000, "defaultRequestTTL": "1h30m"}),
                "bytes are an integer, and requests are not counted",
            ),
            (Family::Gie1_5, quantities, "quantities"),
            (Family::LlmD0_9, with_detector.clone(), "and the detector among them"),
            (Family::LlmD0_10, with_detector, "likewise"),
        ];
        for (family, want, reason) in cases {
            let file = file(asleep.clone(), family);
            assert_eq!(file["featureGates"], json!(["flowControl"]), "{family:?}: it is off by default");
            assert_eq!(file["flowControl"], want, "{family:?}: {reason}");
        }
    }

    #[test]
    fn what_is_left_to_the_release_is_left_out() {
        let mut enabled = llm().hosted("llama.example.com");
        enabled.routing.as_mut().unwrap().picker.flow_control = Toggle::Enabled;
        let want = json!({"maxBytes": "1000000000", "maxRequests": "5000"});
        assert_eq!(file(enabled, Family::Gie1_5)["flowControl"], want, "no hold time, no band");
    }

    #[test]
    fn what_is_remembered_is_what_would_be_written() {
        let asleep = llm().hosted("llama.example.com").scaled(0, 3);
        let composed = |cold_start: u32| {
            let settings = Settings { cold_start: Duration::from_seconds(cold_start), ..asleep.clone() };
            let plan = plan(&settings, &Observed::default()).unwrap();
            let ConfigPlan::Composed(composed) = plan.own_picker().unwrap().config.clone() else {
                panic!("it is ours")
            };
            composed
        };
        let seconds = || 600..602 + u32::try_from(super::REMEMBERED).unwrap();
        let mut hashes = BTreeSet::new();
        // The second time half of them are forgotten, and the last ones remembered.
        for seconds in seconds().chain(seconds().rev()) {
            let composed = composed(seconds);
            let file = super::file(Family::Gie1_5, &composed).unwrap();
            let written = super::config(Family::Gie1_5, &composed);
            assert_eq!(file.yaml, serde_yaml::to_string(&written).unwrap(), "{seconds}");
            assert_eq!(file.hash, super::digest(&written), "{seconds}");
            assert_ne!(super::file(Family::Gie1_4, &composed).unwrap().yaml, file.yaml, "{seconds}");
            hashes.insert(file.hash.clone());
        }
        assert_eq!(hashes.len(), seconds().count());
    }
}
