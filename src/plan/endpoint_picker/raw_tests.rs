//! What a platform writes itself, judged as its release would judge it.
#![expect(clippy::too_many_lines, reason = "tables")]

use crate::api::Duration;
use crate::api::settings::{PickerConfig, Scorer, Toggle};

use super::tests::{AWAKE, decided, plain, refused_all};
use super::{ConfigPlan, Family, Wanted};

const ASLEEP: Wanted =
    Wanted { sleeps: true, cold_start: Duration::from_seconds(600), priority: 0, adapters: false };

/// A picker with a configuration of its release: one scorer, and more.
fn with(family: Family, more: &str) -> crate::api::settings::Picker {
    let api_version = family.traits().config_api_version;
    let text = format!("apiVersion: {api_version}\nkind: EndpointPickerConfig\n{more}");
    let mut picker = plain().like(family);
    picker.config = Some(PickerConfig { tree: serde_yaml::from_str(&text).unwrap(), text });
    picker
}

const ONE_SCORER: &str = "plugins: [{type: queue-scorer}]
schedulingProfiles: [{name: default, plugins: [{pluginRef: queue-scorer, weight: 2}]}]
";

#[test]
fn what_a_release_does_not_know_is_told_with_what_it_does() {
    use Family::{Gie1_3, Gie1_4, Gie1_5, LlmD0_9, LlmD0_10};
    let cases: &[(Family, &str, &str, &str)] = &[
        (
            Gie1_3,
            "plugins: [{type: qeue-scorer}]",
            "plugins[0].type is \"qeue-scorer\"",
            "did you mean queue-scorer?",
        ),
        (
            Gie1_3,
            "plugins: [{type: utilization-detector}]",
            "plugins[0].type is \"utilization-detector\"",
            "must be a plugin of v1.3.x; it is one of v1.5.x to v0.10.x only",
        ),
        (
            Gie1_5,
            "plugins: [{type: utilization-detector, parameters: {queueDepthTreshold: 5}}]",
            "plugins[0].parameters.queueDepthTreshold is 5",
            "must be a parameter of utilization-detector of v1.5.x; did you mean queueDepthThreshold?",
        ),
        (
            LlmD0_9,
            "plugins: [{type: prefix-cache-scorer, parameters: {blockSize: 64}}]",
            "plugins[0].parameters.blockSize is 64",
            "must be a parameter of prefix-cache-scorer of v0.9.x: prefixMatchInfoProducerName",
        ),
        (
            Gie1_3,
            "plugins: [{type: queue-scorer, parameters: {a: 1}}]",
            "parameters.a is 1",
            "must be left out",
        ),
        (Gie1_3, "flowControl: {}", "flowControl is an object", "it is one of v1.4.x to v0.10.x only"),
        (Gie1_4, "flowControl: {maxRequests: 5}", "flowControl.maxRequests is 5", "v1.5.x to v0.10.x only"),
        (Gie1_4, "flowControl: {maxBytes: 1Gi}", "flowControl.maxBytes is \"1Gi\"", "must be a plain number"),
        (Gie1_5, "data: {sources: []}", "data is an object", "it is one of v1.3.x to v1.4.x only"),
        (
            Gie1_5,
            "saturationDetector: {queueDepthThreshold: 5}",
            "saturationDetector.queueDepthThreshold is 5",
            "must be a field of v1.5.x: pluginRef",
        ),
        (Gie1_5, "featureGate: [flowControl]", "featureGate is a list of 1", "did you mean featureGates?"),
        (
            Gie1_3,
            "featureGates: [flowcontrol]",
            "featureGates[0] is \"flowcontrol\"",
            "did you mean flowControl?",
        ),
        (LlmD0_10, "featureGates: [dataLayer]", "featureGates[0]", "it is one of v1.3.x to v0.9.x only"),
        (LlmD0_9, "featureGates: ['flowControl=false']", "featureGates[0]", "must be a gate of v0.9.x"),
        (LlmD0_10, "featureGates: ['flowControl=off']", "featureGates[0]", "with =true or =false"),
        (
            Gie1_3,
            "featureGates: [dataLayer]",
            "data is missing",
            "must be there where the gate dataLayer is on",
        ),
        (Gie1_3, "data: {sources: []}", "data is an object", "and only there"),
        (
            Gie1_3,
            "schedulingProfiles: [{name: a, plugins: [{pluginRef: queue-scorer, weight: 0.5}]}]\nplugins: [{type: queue-scorer}]",
            "schedulingProfiles[0].plugins[0].weight is 0.5",
            "must be a whole number: v1.3.x reads no other",
        ),
        (
            Gie1_5,
            "schedulingProfiles: [{name: a, plugins: [{pluginRef: queue-scorer}]}]\nplugins: [{type: queue-scorer, name: queue}]",
            "schedulingProfiles[0].plugins[0].pluginRef is \"queue-scorer\"",
            "must be declared in plugins",
        ),
        (
            Gie1_5,
            "schedulingProfiles: [{name: a, plugins: [{pluginRef: queu}]}]\nplugins: [{type: queue-scorer, name: queue}]",
            "pluginRef is \"queu\"",
            "did you mean queue?",
        ),
        (
            Gie1_5,
            "plugins: [{type: queue-scorer}, {type: queue-scorer}]",
            "plugins[1] is",
            "a name of its own",
        ),
        (Gie1_5, "plugins: [{name: a}]", "plugins[0].type is missing", "must be the type of a plugin"),
        (Gie1_5, "plugins: queue-scorer", "plugins is \"queue-scorer\"", "must be a list"),
        (Gie1_5, "plugins: [queue-scorer]", "plugins[0] is \"queue-scorer\"", "must be an object"),
    ];
    for (family, more, at, want) in cases {
        let said = refused_all(&with(*family, more), AWAKE);
        let found = said.iter().any(|said| said.contains(at) && said.contains(want));
        assert!(found, "{family:?} {more}: {said:#?}");
    }
}

#[test]
fn a_file_of_another_release_is_refused() {
    let mut picker = with(Family::Gie1_5, ONE_SCORER);
    picker.family = Some(Family::Gie1_3);
    decided(&picker, AWAKE);
    picker.family = Some(Family::LlmD0_10);
    decided(&picker, AWAKE);
    let mut picker = with(Family::LlmD0_10, ONE_SCORER);
    picker.family = Some(Family::Gie1_5);
    let said = refused_all(&picker, AWAKE);
    assert_eq!(said.len(), 1);
    assert!(
        said[0].contains("config.apiVersion is \"llm-d.ai/v1alpha1\": must be inference.networking"),
        "{said:?}"
    );
}

#[test]
fn what_is_known_is_taken_as_it_is_written() {
    struct Case {
        family: Family,
        more: String,
        wanted: Wanted,
        holds: bool,
        limit: &'static str,
        sheds: bool,
        experimental: bool,
        reason: &'static str,
    }
    let gate = "featureGates: [flowControl]\n";
    let negative = Wanted { priority: -10, ..AWAKE };
    let case = |family, more: String, wanted, reason| Case {
        family,
        more,
        wanted,
        holds: false,
        limit: "1Gi",
        sheds: true,
        experimental: false,
        reason,
    };
    let cases = [
        case(Family::Gie1_3, ONE_SCORER.to_owned(), AWAKE, "the shortest"),
        Case {
            holds: true,
            limit: "3Gi",
            ..case(
                Family::Gie1_3,
                format!("{gate}{ONE_SCORER}"),
                ASLEEP,
                "v1.3.x bounds 1 GB for each of two priorities",
            )
        },
        Case {
            holds: true,
            limit: "1Gi",
            ..case(
                Family::Gie1_5,
                format!("{gate}{ONE_SCORER}flowControl: {{maxBytes: 256Mi, defaultRequestTTL: 10m}}\n"),
                ASLEEP,
                "a bound of all, and a wait that is long enough",
            )
        },
        Case {
            holds: true,
            limit: "3Gi",
            sheds: false,
            ..case(
                Family::Gie1_5,
                format!("{gate}{ONE_SCORER}"),
                negative,
                "a negative priority without a bound",
            )
        },
        Case {
            holds: true,
            limit: "3Gi",
            ..case(
                Family::Gie1_5,
                format!(
                    "{gate}{ONE_SCORER}flowControl: {{priorityBands: [{{priority: -10, maxRequests: 3}}]}}\n"
                ),
                negative,
                "and with one",
            )
        },
        Case {
            holds: true,
            limit: "3Gi",
            ..case(
                Family::LlmD0_9,
                format!(
                    "{gate}{ONE_SCORER}flowControl: {{defaultNegativePriorityBand: {{maxRequests: '3'}}}}\n"
                ),
                negative,
                "or with one for all that are negative",
            )
        },
        case(
            Family::LlmD0_10,
            format!("featureGates: [flowControl, flowControl=false]\n{ONE_SCORER}"),
            AWAKE,
            "the last one counts",
        ),
        Case {
            experimental: true,
            ..case(
                Family::LlmD0_10,
                "plugins: [{type: session-affinity-scorer}]\n".to_owned(),
                AWAKE,
                "told to take it",
            )
        },
        case(
            Family::LlmD0_9,
            "plugins: [{type: session-affinity-scorer}]\n".to_owned(),
            AWAKE,
            "no need to be told",
        ),
        case(
            Family::Gie1_5,
            "saturationDetector: {pluginRef: utilization-detector}\n".to_owned(),
            AWAKE,
            "the release adds that one itself",
        ),
    ];
    for Case { family, more, wanted, holds, limit, sheds, experimental, reason } in cases {
        let picker = with(family, &more);
        let plan = decided(&picker, wanted);
        assert_eq!(
            (plan.holds, plan.sheds, plan.experimental_plugins),
            (holds, sheds, experimental),
            "{reason}"
        );
        assert_eq!(plan.resources.limits.unwrap()["memory"].0, limit, "{reason}");
        assert_eq!(plan.config, ConfigPlan::Written(picker.config.unwrap().text), "{reason}");
    }
}

#[test]
fn a_model_that_may_sleep_needs_what_wakes_it() {
    let gate = "featureGates: [flowControl]\n";
    let ttl = |ttl: &str| format!("{gate}{ONE_SCORER}flowControl: {{defaultRequestTTL: {ttl}}}\n");
    let too_short = "must be 10m or more where minReplicas is 0";
    let cases = [
        (
            Family::Gie1_5,
            ONE_SCORER.to_owned(),
            Some("must have flowControl where minReplicas is 0"),
            "nothing waits",
        ),
        (Family::Gie1_5, ttl("5m"), Some(too_short), "shorter than a cold start"),
        (Family::Gie1_5, ttl("0s"), None, "no limit"),
        (Family::Gie1_5, ttl("1.5h"), None, "the picker knows how to read that"),
        (Family::Gie1_5, format!("{gate}{ONE_SCORER}"), None, "no limit unless one is set"),
        (Family::LlmD0_10, format!("{gate}{ONE_SCORER}"), Some("it is 1m"), "v0.10.x has one of its own"),
        (Family::LlmD0_10, ttl("10m"), None, "which can be raised"),
    ];
    for (family, more, want, reason) in cases {
        let picker = with(family, &more);
        match want {
            Some(want) => {
                let said = refused_all(&picker, ASLEEP);
                assert!(said.len() == 1 && said[0].contains(want), "{reason}: {said:?}");
            }
            None => assert!(decided(&picker, ASLEEP).holds, "{reason}"),
        }
    }
}

#[test]
fn a_written_configuration_stands_alone() {
    let mut picker = with(Family::Gie1_5, ONE_SCORER);
    picker.flow_control = Toggle::Enabled;
    picker.scorers = Some(Vec::new());
    let said = refused_all(&picker, AWAKE);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("Input spec.endpointPicker.scorers is there: must be left out"), "{said:?}");
    assert!(
        said[1].starts_with("Input spec.endpointPicker.flowControl is there: must be left out"),
        "{said:?}"
    );
}

#[test]
fn scorers_are_those_of_the_release() {
    struct Case {
        family: Family,
        scorers: Vec<Scorer>,
        says: Option<&'static str>,
        reason: &'static str,
    }
    let scorer = |plugin: &str, weight| Scorer { plugin: plugin.to_owned(), weight };
    let case =
        |family, scorers: &[Scorer], says, reason| Case { family, scorers: scorers.to_vec(), says, reason };
    let cases = [
        case(
            Family::Gie1_3,
            &[scorer("queue-scorer", 2.0), scorer("lora-affinity-scorer", 1.0)],
            None,
            "both known",
        ),
        case(
            Family::Gie1_3,
            &[scorer("queue-scorer", 0.5)],
            Some("scorers[0].weight is 0.5: must be a whole number: v1.3.x reads no other"),
            "a fraction stops its start",
        ),
        case(Family::Gie1_4, &[scorer("queue-scorer", 0.5)], None, "which later ones read"),
        case(Family::Gie1_4, &[], Some("scorers is a list of 0: must have an entry"), "nothing to choose by"),
        case(
            Family::Gie1_3,
            &[scorer("kv-cache-utilisation-scorer", 1.0)],
            Some(
                "scorers[0].type is \"kv-cache-utilisation-scorer\": must be a scorer of v1.3.x; did you mean kv-cache-utilization-scorer?",
            ),
            "a slip",
        ),
        case(
            Family::Gie1_3,
            &[scorer("token-load-scorer", 1.0)],
            Some("must be a scorer of v1.3.x; it is one of v1.5.x to v0.10.x only"),
            "of a later release",
        ),
        case(
            Family::LlmD0_9,
            &[scorer("predicted-latency-scorer", 1.0)],
            Some("must be a scorer of v0.9.x; it is one of v1.3.x to v1.5.x only"),
            "of an earlier one",
        ),
        case(
            Family::Gie1_5,
            &[scorer("max-score-picker", 1.0)],
            Some("must be a scorer of v1.5.x"),
            "that is a picker",
        ),
        case(
            Family::Gie1_5,
            &[scorer("queue-scorer", 1.0), scorer("queue-scorer", 2.0)],
            Some("scorers[1].type is \"queue-scorer\": must be there once"),
            "plugins have names of their own",
        ),
    ];
    for Case { family, scorers, says, reason } in cases {
        let mut picker = plain().like(family);
        picker.scorers = Some(scorers.clone());
        match says {
            Some(says) => {
                let said = refused_all(&picker, AWAKE);
                assert!(said.len() == 1 && said[0].contains(says), "{reason}: {said:?}");
            }
            None => assert_eq!(super::tests::ours(&decided(&picker, AWAKE)).scorers, scorers, "{reason}"),
        }
    }
    for (family, told) in [(Family::LlmD0_10, true), (Family::LlmD0_9, false)] {
        let mut picker = plain().like(family);
        picker.scorers = Some(vec![scorer("session-affinity-scorer", 1.0)]);
        assert_eq!(
            decided(&picker, AWAKE).experimental_plugins,
            told,
            "{family:?}: only v0.10.x has to be told"
        );
    }
}
