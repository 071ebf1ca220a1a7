//! The hand-over without Objects: a model of what Crossplane reads and applies, in whichever order, while an autoscaler
//! and everybody else write to the same object.

use std::collections::{BTreeSet, VecDeque};

use crate::observe::{Asked, Facts, Form, Live, Observed, ObservedObject, Synced, VllmRuntimeFacts};
use crate::plan::keys::Key;

use super::{Kept, kept};

/// What the field falls back to when its only manager lets go of it.
const DEFAULT: u32 = 1;
/// What runs when scaling is switched on.
const RUNNING: u32 = 3;
/// What the autoscaler makes of it, one after the other.
const SCALED: [u32; 3] = [6, 2, 4];

/// The workload, as the API server has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Workload {
    replicas: u32,
    /// Whether the field is ours: nobody else holds it for good.
    ours: bool,
    version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    workload: Workload,
    /// What Crossplane read and has not acted on yet.
    read: Option<Workload>,
    /// How often the autoscaler has written.
    scaled: usize,
    /// How often somebody has written a status.
    told: usize,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    /// Crossplane reads what there is.
    Read,
    /// Crossplane calls us with what it has read, and applies the answer.
    Apply,
    /// The autoscaler writes another count.
    Scale,
    /// A controller writes a status.
    Tell,
}

const EVENTS: [Event; 4] = [Event::Read, Event::Apply, Event::Scale, Event::Tell];

impl Workload {
    fn observed(&self) -> Observed {
        let facts = VllmRuntimeFacts {
            spec_replicas: Some(self.replicas),
            has_deployment_strategy: true,
            ..VllmRuntimeFacts::default()
        };
        let object = ObservedObject {
            form: Form::Direct,
            synced: Some(Synced::True),
            asked: Asked { replicas: self.ours.then_some(self.replicas), ..Asked::default() },
            live: Some(Live {
                resource_version: Some(self.version.to_string()),
                facts: Facts::VllmRuntime(facts),
                ..Live::default()
            }),
            ..ObservedObject::default()
        };
        let mut observed = Observed::default();
        observed.objects.insert(Key::VllmRuntime, object);
        observed
    }

    /// Server-side apply with force: refused for another state than the one that is named.
    fn apply(&mut self, wanted: Option<&Kept>) {
        let refused = wanted
            .and_then(|kept| kept.resource_version.as_ref())
            .is_some_and(|seen| *seen != self.version.to_string());
        if refused {
            return;
        }
        let before = self.clone();
        match wanted {
            Some(Kept { count, .. }) => (self.replicas, self.ours) = (*count, true),
            None if self.ours => (self.replicas, self.ours) = (DEFAULT, false),
            None => {}
        }
        self.version += u32::from(*self != before);
    }
}

impl World {
    fn start() -> Self {
        let workload = Workload { replicas: RUNNING, ours: true, version: 1 };
        Self { workload, read: None, scaled: 0, told: 0 }
    }

    /// The world after that, if it can happen.
    fn after(&self, event: Event, answer: impl Fn(&Workload) -> Option<Kept>) -> Option<Self> {
        let mut world = self.clone();
        match event {
            Event::Read => world.read = Some(world.workload.clone()),
            Event::Apply => {
                let read = world.read.take()?;
                world.workload.apply(answer(&read).as_ref());
            }
            Event::Scale => {
                let replicas = *SCALED.get(world.scaled)?;
                let version = world.workload.version + 1;
                world.workload = Workload { replicas, ours: false, version };
                world.scaled += 1;
            }
            Event::Tell => {
                world.workload.version += 1;
                world.told += 1;
            }
        }
        (world.told <= 3).then_some(world)
    }
}

fn ours(read: &Workload) -> Option<Kept> {
    kept(&read.observed(), Key::VllmRuntime)
}

/// Every step that can be taken, wherever any order of events leads to.
fn steps(answer: impl Fn(&Workload) -> Option<Kept> + Copy) -> Vec<(World, Event, World)> {
    let mut found = BTreeSet::from([World::start()]);
    let mut open: VecDeque<World> = found.iter().cloned().collect();
    let mut steps = Vec::new();
    while let Some(world) = open.pop_front() {
        for event in EVENTS {
            let Some(after) = world.after(event, answer) else { continue };
            steps.push((world.clone(), event, after.clone()));
            if found.insert(after.clone()) {
                open.push_back(after);
            }
        }
    }
    steps
}

/// The steps in which Crossplane changes the count.
fn changed(steps: &[(World, Event, World)]) -> Vec<&(World, Event, World)> {
    let by_crossplane = |event: &Event| matches!(event, Event::Apply);
    let changes = |(before, event, after): &&(World, Event, World)| {
        by_crossplane(event) && before.workload.replicas != after.workload.replicas
    };
    steps.iter().filter(changes).collect()
}

#[test]
fn whatever_happens_in_between_only_the_autoscaler_changes_the_count() {
    let steps = steps(ours);
    assert!(steps.len() > 200, "only {} steps: the walk is not one", steps.len());
    assert!(changed(&steps).is_empty(), "{:#?}", changed(&steps));
}

#[test]
fn neither_letting_go_at_once_nor_writing_it_blindly_would_do() {
    assert!(!changed(&steps(|_| None)).is_empty(), "it falls back to the default");
    let blindly = |read: &Workload| ours(read).map(|kept| Kept { resource_version: None, ..kept });
    assert!(!changed(&steps(blindly)).is_empty(), "a count that is gone comes back");
}

#[test]
fn once_the_autoscaler_has_changed_the_count_the_field_is_its_own() {
    for (world, _, _) in steps(ours) {
        let wanted = match world.scaled.checked_sub(1) {
            None => RUNNING,
            Some(last) => {
                assert!(!world.workload.ours, "{world:#?}");
                assert_eq!(ours(&world.workload), None);
                SCALED[last]
            }
        };
        assert_eq!(world.workload.replicas, wanted, "{world:#?}");
    }
}

#[test]
fn a_model_that_never_had_a_count_of_ours_gets_none() {
    assert_eq!(kept(&Observed::default(), Key::VllmRuntime), None);
}
