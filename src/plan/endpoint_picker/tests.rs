//! The release table, row by row, each with its reason.

use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::api::Duration;
use crate::api::settings::{
    ExistingPicker, FailureMode, MetricsAuth, Picker, PickerConfig, Scorer, Toggle, Tree,
};

use super::{
    ComposedConfig, ConfigPlan, ExistingPlan, Family, FlowControlPlan, OwnPicker, PickerPlan, Wanted, decide,
};

pub(super) const AWAKE: Wanted =
    Wanted { sleeps: false, cold_start: Duration::from_seconds(600), priority: 100, adapters: false };

/// A picker as a platform asks for it that says nothing.
pub(super) fn plain() -> Picker {
    Picker {
        version: None,
        family: None,
        image: None,
        replicas: 1,
        resources: None,
        scorers: None,
        config: None,
        failure_mode: FailureMode::FailClose,
        flow_control: Toggle::Auto,
        metrics_auth: MetricsAuth::None,
        existing: None,
    }
}

impl Picker {
    fn released(mut self, version: &str) -> Self {
        self.version = Some(version.to_owned());
        self
    }

    pub(super) fn like(mut self, family: Family) -> Self {
        self.family = Some(family);
        self
    }

    fn from(mut self, image: &str) -> Self {
        self.image = Some(image.to_owned());
        self
    }
}

pub(super) fn decided(picker: &Picker, wanted: Wanted) -> OwnPicker {
    match decide(picker, wanted).unwrap() {
        PickerPlan::Own(own) => own,
        PickerPlan::Existing(existing) => panic!("it is somebody else's: {existing:?}"),
    }
}

fn queue(plan: &OwnPicker) -> Option<FlowControlPlan> {
    ours(plan).flow_control
}

pub(super) fn ours(plan: &OwnPicker) -> &ComposedConfig {
    match &plan.config {
        ConfigPlan::Composed(config) => config,
        ConfigPlan::Written(text) => panic!("it is written: {text}"),
    }
}

/// Every problem there is.
pub(super) fn refused_all(picker: &Picker, wanted: Wanted) -> Vec<String> {
    decide(picker, wanted).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The only problem there is.
fn refused(picker: &Picker, wanted: Wanted) -> String {
    let mut problems = refused_all(picker, wanted);
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn a_version_belongs_to_the_family_of_its_minor() {
    let cases = [
        ("v1.3.1", Some(Family::Gie1_3), "the default"),
        ("v1.3.12", Some(Family::Gie1_3), "a newer patch of a known minor is that family"),
        ("v1.4.0", Some(Family::Gie1_4), "the next minor"),
        ("v1.5.0", Some(Family::Gie1_5), "the last of the inference extension"),
        ("v0.9.0", Some(Family::LlmD0_9), "the router counts anew"),
        ("v0.10.3", Some(Family::LlmD0_10), "ten is not one"),
        ("v1.6.0", None, "that release has no picker"),
        ("v0.8.0", None, "between the projects, never supported"),
        ("v0.1.0", None, "one is not ten"),
        ("v1.3", None, "a version without a patch names no image"),
        ("1.3.1", None, "image tags start with v"),
        ("v1.3.1-rc.1", None, "what a pre-release accepts is unknown"),
        ("v1.30.1", None, "another minor"),
        ("", None, "nothing"),
    ];
    for (version, want, reason) in cases {
        assert_eq!(Family::of(version), want, "{version}: {reason}");
    }
    for family in Family::ALL {
        assert_eq!(Family::of(family.traits().version), Some(family), "a family has its own release");
    }
}

#[test]
fn release_and_image_follow_from_what_the_platform_says() {
    let gie = "registry.k8s.io/gateway-api-inference-extension/epp";
    let fork = "example.com/epp:main";
    let cases = [
        (plain(), Family::Gie1_3, format!("{gie}:v1.3.1"), "nothing said"),
        (plain().released("v1.5.2"), Family::Gie1_5, format!("{gie}:v1.5.2"), "the tag as it was said"),
        (
            plain().released("v0.10.0"),
            Family::LlmD0_10,
            "ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0".to_owned(),
            "the router has its own image",
        ),
        (plain().like(Family::Gie1_4), Family::Gie1_4, format!("{gie}:v1.4.0"), "the family's own release"),
        (plain().like(Family::LlmD0_9).from(fork), Family::LlmD0_9, fork.to_owned(), "a fork"),
        (
            plain().like(Family::LlmD0_9).released("v7.0.0").from(fork),
            Family::LlmD0_9,
            fork.to_owned(),
            "a fork with versions of its own",
        ),
        (
            plain().like(Family::Gie1_5).released("v1.4.9").from(fork),
            Family::Gie1_5,
            fork.to_owned(),
            "the family overrides the version",
        ),
        (plain().from(fork), Family::Gie1_3, fork.to_owned(), "a mirror of the default"),
    ];
    for (picker, family, image, reason) in cases {
        let plan = decided(&picker, AWAKE);
        assert_eq!((plan.family, plan.image), (family, image), "{reason}");
    }
}

#[test]
fn what_is_no_known_release_is_told_what_is() {
    let said = refused(&plain().released("v1.6.0"), AWAKE);
    assert_eq!(
        said,
        "Input spec.endpointPicker.version is \"v1.6.0\": must be of a known release: v1.3.x, v1.4.x, v1.5.x, v0.9.x, \
         v0.10.x; or have family say which of them a fork behaves like"
    );
    let said = refused(&plain().released("v7.0.0").like(Family::Gie1_5), AWAKE);
    assert!(said.starts_with("Input spec.endpointPicker.image is missing: must be there"), "{said}");
}

/// What would be written into a Deployment that is not ours, or read out of it, is refused, all of it at once.
#[test]
fn a_picker_that_is_already_there_is_only_said_where_it_is_and_what_it_is_like() {
    let existing = |port| Picker {
        existing: Some(ExistingPicker { name: "shared-epp".to_owned(), port }),
        ..plain().like(Family::LlmD0_10).released("v0.9.0")
    };
    for (port, want, reason) in [(None, 9002, "what all releases answer at"), (Some(80), 80, "as it is said")]
    {
        let plan = decide(&existing(port), AWAKE).unwrap();
        assert_eq!(plan.own(), None);
        assert_eq!(
            plan.existing(),
            Some(&ExistingPlan {
                family: Family::LlmD0_10,
                failure_mode: FailureMode::FailClose,
                service: "shared-epp".to_owned(),
                port: want,
            }),
            "{reason}; the family overrides the version, and needs no image, since none is pulled"
        );
    }

    let everything = Picker {
        image: Some("registry.example.com/epp:v1".to_owned()),
        replicas: 2,
        resources: Some(ResourceRequirements::default()),
        scorers: Some(Vec::new()),
        config: Some(PickerConfig { text: String::new(), tree: Tree::Null }),
        flow_control: Toggle::Disabled,
        metrics_auth: MetricsAuth::Token,
        family: None,
        version: Some("v1.6.0".to_owned()),
        ..existing(None)
    };
    let said = refused_all(&everything, AWAKE);
    let fields = [
        "image is \"registry.example.com/epp:v1\": must be left out",
        "replicas is 2: must be left out",
        "resources is there: must be left out",
        "scorers is there: must be left out",
        "config is there: must be left out",
        "flowControl is \"Disabled\": must be Auto",
        "metricsAuth is \"Token\": must be None",
        "version is \"v1.6.0\": must be of a known release",
    ];
    assert_eq!(said.len(), fields.len(), "{said:#?}");
    for (said, field) in said.iter().zip(fields) {
        assert!(said.starts_with(&format!("Input spec.endpointPicker.{field}")), "{said}");
    }
    let enabled = Picker { flow_control: Toggle::Enabled, ..existing(None) };
    assert!(refused(&enabled, AWAKE).contains("flowControl is \"Enabled\": must be Auto"));
}

#[test]
fn the_memory_limit_is_above_what_can_wait() {
    struct Case {
        family: Family,
        waits: bool,
        limit: &'static str,
        reason: &'static str,
    }
    let cases = [
        Case { family: Family::Gie1_3, waits: false, limit: "1Gi", reason: "the picker itself" },
        Case { family: Family::Gie1_3, waits: true, limit: "3Gi", reason: "1 GB for each of two priorities" },
        Case { family: Family::Gie1_4, waits: true, limit: "2Gi", reason: "1 GB in all, as configured" },
        Case { family: Family::Gie1_5, waits: true, limit: "2Gi", reason: "likewise" },
        Case { family: Family::LlmD0_9, waits: true, limit: "2Gi", reason: "likewise" },
        Case { family: Family::LlmD0_10, waits: true, limit: "2Gi", reason: "likewise" },
    ];
    for Case { family, waits, limit, reason } in cases {
        let plan = decided(&plain().like(family), Wanted { sleeps: waits, ..AWAKE });
        assert_eq!(plan.resources.limits.unwrap()["memory"].0, limit, "{family:?}: {reason}");
    }
}

#[test]
fn a_model_that_may_sleep_holds_requests_for_its_cold_start() {
    let asleep = Wanted { sleeps: true, cold_start: Duration::from_seconds(900), priority: 0, ..AWAKE };
    for family in Family::ALL {
        let plan = decided(&plain().like(family), asleep);
        let want = FlowControlPlan {
            hold: Some(Duration::from_seconds(900)),
            max_bytes: 1_000_000_000,
            max_requests: 5_000,
            shed: None,
        };
        assert_eq!(queue(&plan), Some(want), "{family:?}");
        assert_eq!(queue(&decided(&plain().like(family), AWAKE)), None, "{family:?}: not needed");
    }
    let mut enabled = plain();
    enabled.flow_control = Toggle::Enabled;
    let hold = queue(&decided(&enabled, AWAKE)).map(|queue| queue.hold);
    assert_eq!(
        hold,
        Some(None),
        "without sleep there is no cold start to wait for: the release's own limit holds"
    );
}

#[test]
fn a_negative_priority_is_shed_where_the_release_can() {
    struct Case {
        family: Family,
        wanted: Wanted,
        shed: Option<i32>,
        sheds: bool,
        reason: &'static str,
    }
    let sheddable = Wanted { priority: -10, ..AWAKE };
    let asleep = Wanted { sleeps: true, ..sheddable };
    let cases = [
        Case {
            family: Family::Gie1_3,
            wanted: sheddable,
            shed: None,
            sheds: true,
            reason: "without flow control every release refuses it while the pool is full",
        },
        Case {
            family: Family::Gie1_3,
            wanted: asleep,
            shed: None,
            sheds: false,
            reason: "its queue has no settings",
        },
        Case {
            family: Family::Gie1_4,
            wanted: asleep,
            shed: None,
            sheds: false,
            reason: "its bound in bytes lets many small requests wait",
        },
        Case {
            family: Family::Gie1_5,
            wanted: asleep,
            shed: Some(-10),
            sheds: true,
            reason: "a band of one",
        },
        Case { family: Family::LlmD0_9, wanted: asleep, shed: Some(-10), sheds: true, reason: "likewise" },
        Case { family: Family::LlmD0_10, wanted: asleep, shed: Some(-10), sheds: true, reason: "likewise" },
        Case {
            family: Family::Gie1_3,
            wanted: Wanted { sleeps: true, ..AWAKE },
            shed: None,
            sheds: true,
            reason: "nothing is negative",
        },
    ];
    for Case { family, wanted, shed, sheds, reason } in cases {
        let plan = decided(&plain().like(family), wanted);
        assert_eq!(plan.sheds, sheds, "{family:?}: {reason}");
        assert_eq!(queue(&plan).and_then(|queue| queue.shed), shed, "{family:?}: {reason}");
    }
}

#[test]
fn adapters_are_served_where_they_are_loaded() {
    let wanted = Wanted { adapters: true, ..AWAKE };
    let scorer = |plugin: &str, weight| Scorer { plugin: plugin.to_owned(), weight };
    let cases = [
        (None, vec![("lora-affinity-scorer", 3.0)], "beside the usual ones"),
        (
            Some(vec![scorer("queue-scorer", 1.0)]),
            vec![("lora-affinity-scorer", 3.0)],
            "beside the platform's",
        ),
        (
            Some(vec![scorer("lora-affinity-scorer", 1.0)]),
            vec![("lora-affinity-scorer", 1.0)],
            "as the platform has it",
        ),
    ];
    for family in Family::ALL {
        for (scorers, want, reason) in cases.clone() {
            let mut picker = plain().like(family);
            picker.scorers = scorers;
            let plan = decided(&picker, wanted);
            let found = ours(&plan).scorers.iter().filter(|scorer| scorer.plugin == "lora-affinity-scorer");
            let found: Vec<(&str, f64)> =
                found.map(|scorer| (scorer.plugin.as_str(), scorer.weight)).collect();
            assert_eq!(found, want, "{family:?}: {reason}");
        }
        let plan = decided(&plain().like(family), AWAKE);
        assert_eq!(ours(&plan).scorers.len(), 3, "{family:?}: without adapters it would score nothing");
    }
}
