//! The hand-over, walked through in every order: a model of what server-side apply, provider-kubernetes, Crossplane and
//! an autoscaler do to one field, and of what each of them sees.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::observe::{Asked, Facts, Live, Observed, ObservedObject, Synced, VllmRuntimeFacts};
use crate::plan::HandoverStep;
use crate::plan::keys::Key;

use super::{Handover, next};

const MAIN: &str = "provider-kubernetes/llama-main";
const SECOND: &str = "provider-kubernetes/llama-second";
const SCALER: &str = "horizontal-pod-autoscaler";
/// What runs when scaling is switched on.
const RUNNING: u32 = 3;
/// What the autoscaler makes of it.
const SCALED: u32 = 6;
/// What the field falls back to.
const DEFAULT: u32 = 1;

/// The field, and an Object's view of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Field {
    value: u32,
    managers: BTreeSet<&'static str>,
}

impl Field {
    /// Server-side apply with force: who changes the value becomes its only manager, who repeats it becomes another, and
    /// the last to let go resets it.
    fn apply(&mut self, manager: &'static str, wanted: Option<u32>) {
        match wanted {
            Some(wanted) => {
                if wanted != self.value {
                    self.managers.clear();
                    self.value = wanted;
                }
                self.managers.insert(manager);
            }
            None => {
                if self.managers.remove(manager) && self.managers.is_empty() {
                    self.value = DEFAULT;
                }
            }
        }
    }
}

/// A provider-kubernetes Object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    writes: Option<u32>,
    seen: Option<Field>,
    synced: bool,
}

impl Object {
    const fn new(writes: Option<u32>) -> Self {
        Self { writes, seen: None, synced: false }
    }

    fn observed(&self, name: &str, facts: impl FnOnce(&Field) -> Facts) -> ObservedObject {
        let live = self.seen.as_ref().filter(|_| self.synced).map(|field| Live {
            replicas_managers: field.managers.iter().map(|manager| (*manager).to_owned()).collect(),
            facts: facts(field),
            ..Live::default()
        });
        ObservedObject {
            name: Some(name.to_owned()),
            synced: self.synced.then_some(Synced::True),
            asked: Asked { replicas: self.writes, ..Asked::default() },
            live,
            ..ObservedObject::default()
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    field: Field,
    main: Object,
    second: Option<Object>,
    autoscaler: bool,
}

#[derive(Debug, Clone, Copy)]
enum Event {
    /// Crossplane observes, asks us and applies the answer.
    Crossplane,
    /// The provider reconciles an Object.
    Main,
    Second,
    /// The provider cannot reconcile it: what it saw before does not count.
    MainLost,
    SecondLost,
    /// Somebody deletes the second Object.
    SecondDeleted,
    /// KEDA and the HPA work on their `ScaledObject`.
    Autoscaler,
}

const EVENTS: [Event; 7] = [
    Event::Crossplane,
    Event::Main,
    Event::Second,
    Event::MainLost,
    Event::SecondLost,
    Event::SecondDeleted,
    Event::Autoscaler,
];

impl World {
    /// A model that serves, whose count this function has written, with or without the provider having seen it since.
    fn starts() -> [Self; 2] {
        let field = Field { value: RUNNING, managers: BTreeSet::from([MAIN]) };
        let seen = Object { writes: Some(RUNNING), seen: Some(field.clone()), synced: true };
        [Object::new(Some(RUNNING)), seen].map(|main| Self {
            field: field.clone(),
            main,
            second: None,
            autoscaler: false,
        })
    }

    fn observed(&self) -> Observed {
        let mut observed = Observed::default();
        let runtime = |field: &Field| {
            Facts::VllmRuntime(VllmRuntimeFacts {
                spec_replicas: Some(field.value),
                has_deployment_strategy: true,
                ..VllmRuntimeFacts::default()
            })
        };
        observed.objects.insert(Key::VllmRuntime, self.main.observed("llama-main", runtime));
        if let Some(second) = &self.second {
            let view = |field: &Field| Facts::Replicas(Some(field.value));
            observed.objects.insert(Key::ReplicasHandover, second.observed("llama-second", view));
        }
        if self.autoscaler {
            observed.objects.insert(Key::ScaledObject, ObservedObject::default());
        }
        observed
    }

    fn after(&self, event: Event) -> Self {
        let mut world = self.clone();
        match event {
            Event::Crossplane => {
                let Handover { main, second, step } = next(&self.observed(), Key::VllmRuntime);
                world.main.writes = main;
                world.second = second.map(|count| Object {
                    writes: Some(count),
                    ..self.second.clone().unwrap_or_else(|| Object::new(None))
                });
                world.autoscaler = step.is_none();
            }
            Event::Main => reconcile(&mut world.main, &mut world.field, MAIN),
            Event::Second => {
                if let Some(second) = &mut world.second {
                    reconcile(second, &mut world.field, SECOND);
                }
            }
            Event::MainLost => world.main.synced = false,
            Event::SecondLost => {
                if let Some(second) = &mut world.second {
                    second.synced = false;
                }
            }
            Event::SecondDeleted => world.second = None,
            Event::Autoscaler => {
                if world.autoscaler {
                    world.field.apply(SCALER, Some(SCALED));
                }
            }
        }
        world
    }

    fn is_done(&self) -> bool {
        self.autoscaler && self.second.is_none() && self.main.writes.is_none()
    }
}

fn reconcile(object: &mut Object, field: &mut Field, manager: &'static str) {
    field.apply(manager, object.writes);
    object.seen = Some(field.clone());
    object.synced = true;
}

/// Every world that any order of events leads to, and how.
fn reachable() -> BTreeMap<World, Vec<Event>> {
    let mut found: BTreeMap<World, Vec<Event>> =
        World::starts().into_iter().map(|world| (world, Vec::new())).collect();
    let mut open: VecDeque<World> = found.keys().cloned().collect();
    while let Some(world) = open.pop_front() {
        for event in EVENTS {
            let after = world.after(event);
            if !found.contains_key(&after) {
                let mut way = found[&world].clone();
                way.push(event);
                found.insert(after.clone(), way);
                open.push_back(after);
            }
        }
    }
    found
}

#[test]
fn letting_go_of_the_field_at_once_would_lose_replicas() {
    let [_, mut world] = World::starts();
    world.main.writes = None;
    assert_eq!(world.after(Event::Main).field.value, DEFAULT, "what all of this is for");
}

#[test]
fn in_any_order_of_events_replicas_never_fall() {
    let worlds = reachable();
    for (world, way) in &worlds {
        for event in EVENTS {
            let after = world.after(event);
            assert!(after.field.value >= world.field.value, "{way:?}, then {event:?}: {world:#?}");
        }
    }
    assert!(worlds.len() > 50, "only {} worlds: the walk is not one", worlds.len());
}

#[test]
fn from_wherever_it_got_the_hand_over_ends_with_the_autoscaler() {
    for (world, way) in reachable() {
        let mut after = world.clone();
        // What happens by itself, again and again: four rounds cover the longest way.
        for _ in 0..4 {
            for event in [Event::Crossplane, Event::Main, Event::Second] {
                after = after.after(event);
            }
        }
        assert!(after.is_done(), "{way:?}: {after:#?}");
        assert_eq!(after.after(Event::Autoscaler).after(Event::Main).field.value, SCALED, "{way:?}");
    }
}

#[test]
fn the_autoscaler_comes_last_and_then_stays() {
    for (world, way) in reachable() {
        let after = world.after(Event::Crossplane);
        if after.autoscaler {
            assert_eq!((after.main.writes, after.second), (None, None), "{way:?}: two writers");
        }
        assert!(!world.autoscaler || after.autoscaler, "{way:?}: it was taken away");
    }
}

#[test]
fn each_step_says_what_it_waits_for() {
    use HandoverStep::{Leaving, Releasing, Sharing};

    let [_, world] = World::starts();
    let mut steps = Vec::new();
    let mut world = world;
    for _ in 0..6 {
        steps.push(next(&world.observed(), Key::VllmRuntime).step);
        for event in [Event::Crossplane, Event::Second, Event::Main] {
            world = world.after(event);
        }
    }
    steps.dedup();
    assert_eq!(steps, [Some(Sharing), Some(Releasing), Some(Leaving), None]);
}

#[test]
fn a_workload_that_vanished_half_way_begins_with_the_count_that_was_held() {
    let [_, world] = World::starts();
    let world = world.after(Event::Crossplane);
    let mut observed = world.observed();
    observed.objects.remove(&Key::VllmRuntime);
    assert_eq!(next(&observed, Key::VllmRuntime), Handover::sharing(RUNNING));
}

#[test]
fn a_plain_provider_that_does_not_apply_server_side_never_loses_the_count() {
    // Without field managers of its own there is nobody to hand over to.
    let [_, mut world] = World::starts();
    world.field.managers.clear();
    world.main.seen = Some(world.field.clone());
    let want = Handover::sharing(RUNNING);
    assert_eq!(next(&world.observed(), Key::VllmRuntime), want);
    let world = world.after(Event::Crossplane);
    assert_eq!(next(&world.observed(), Key::VllmRuntime), want, "it waits, and says what for");
}
