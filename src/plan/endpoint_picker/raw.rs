//! A whole configuration, as a platform wrote it: taken as it is, but for what would stop its release at start, or keep
//! it from doing what a model needs.

use crate::api::settings::Tree;
use crate::api::{Duration, Path, Problem, Source, Step};

use super::known::unknown;
use super::plugins::Plugin;
use super::schema::{CONFIG, Field, GATES, Inner};
use super::{FLOW_CONTROL_GATE, Family, PRIORITIES, QUEUE_BYTES, Queue, Wanted};
use crate::kinds::picker_config::ENDPOINT_PICKER_CONFIG;

/// What matters of it to everybody else.
#[derive(Debug)]
pub(super) struct Found {
    /// Whether requests may wait.
    pub(super) holds: bool,
    /// Bytes that waiting requests can take.
    pub(super) queue_bytes: u64,
    /// Whether requests of the model's priority have a bound of their own.
    pub(super) bounds_priority: bool,
    /// Whether it has plugins that their release takes only when told to.
    pub(super) experimental: bool,
}

/// Checks it against its release, and against what the model needs.
pub(super) fn check(config: &Tree, family: Family, wanted: Wanted) -> Result<Found, Vec<Problem>> {
    let mut check = Check { family, problems: Vec::new(), trail: Vec::new() };
    check.fields(config, CONFIG);
    check.identity(config);
    let experimental = check.plugins(config.field("plugins"));
    check.references(config);
    if !family.traits().fractional_weights {
        check.weights(config.field("schedulingProfiles"));
    }
    let gates = check.gates(config.field("featureGates"));
    if family.traits().gated_data_layer {
        check.data_layer(config.field("data"), gates.contains(&DATA_LAYER_GATE));
    }
    let holds = gates.contains(&FLOW_CONTROL_GATE);
    let queue = config.field("flowControl");
    if family.traits().queue == Queue::Bytes {
        check.bytes(queue);
    }
    if wanted.sleeps {
        check.wakes(holds, queue.field("defaultRequestTTL"), wanted.cold_start);
    }
    if !check.problems.is_empty() {
        return Err(check.problems);
    }
    Ok(Found {
        holds,
        queue_bytes: queue_bytes(queue),
        bounds_priority: bounds(queue, wanted.priority),
        experimental,
    })
}

/// The gate that comes with a section of its own, where it does.
const DATA_LAYER_GATE: &str = "dataLayer";

struct Check {
    family: Family,
    problems: Vec<Problem>,
    trail: Vec<Step>,
}

impl Check {
    /// A problem with what stands at the trail.
    fn refuse(&mut self, seen: &Tree, want: impl Into<String>) {
        let mut path = Path::dotted("spec.endpointPicker.config");
        path.0.extend(self.trail.iter().cloned());
        self.problems.push(Problem {
            source: Source::Input,
            path,
            seen: seen.to_string(),
            want: want.into(),
        });
    }

    /// Goes to a field and does something there.
    fn at<T>(&mut self, field: &str, act: impl FnOnce(&mut Self) -> T) -> T {
        self.trail.push(Step::Field(field.to_owned()));
        let done = act(self);
        self.trail.pop();
        done
    }

    /// Goes to each entry of a list and does something there.
    fn each<'a>(&mut self, list: &'a Tree, mut act: impl FnMut(&mut Self, &'a Tree)) {
        for (index, entry) in list.entries().iter().enumerate() {
            self.trail.push(Step::Index(index));
            act(self, entry);
            self.trail.pop();
        }
    }

    /// Every field is one that the release knows.
    fn fields(&mut self, tree: &Tree, fields: &'static [Field]) {
        let Some(written) = tree.map() else {
            if tree.is_there() {
                self.refuse(tree, "must be an object");
            }
            return;
        };
        let family = self.family;
        for (name, value) in written {
            let named = || fields.iter().filter(|field| field.name == name);
            let Some(field) = named().find(|field| field.known.has(family)) else {
                let known: Vec<&str> =
                    fields.iter().filter(|field| field.known.has(family)).map(|field| field.name).collect();
                let elsewhere = named().next().map(|field| field.known);
                let want = unknown("a field", name, family, elsewhere, &known);
                self.at(name, |check| check.refuse(value, want));
                continue;
            };
            self.at(name, |check| match field.inner {
                Inner::Object(inner) => check.fields(value, inner),
                Inner::List(inner) if value.is_list() => {
                    check.each(value, |check, entry| check.fields(entry, inner));
                }
                Inner::List(_) if value.is_there() => check.refuse(value, "must be a list"),
                Inner::Value | Inner::List(_) => {}
            });
        }
    }

    fn identity(&mut self, config: &Tree) {
        let traits = self.family.traits();
        let expected = [("apiVersion", traits.config_api_version), ("kind", ENDPOINT_PICKER_CONFIG)];
        for (name, want) in expected {
            let value = config.field(name);
            let former = name == "apiVersion"
                && value.text().is_some_and(|it| traits.former_config_api_version == Some(it));
            if value.text() != Some(want) && !former {
                let release = self.family.release();
                self.at(name, |check| check.refuse(value, format!("must be {want}, which {release} reads")));
            }
        }
    }

    /// Every plugin and parameter is one that the release knows. Whether it has to be told to take one of them.
    fn plugins(&mut self, plugins: &Tree) -> bool {
        let family = self.family;
        let mut experimental = false;
        let mut names: Vec<&str> = Vec::new();
        self.at("plugins", |check| {
            check.each(plugins, |check, plugin| {
                let name = name_of(plugin);
                if let Some(name) = name.filter(|name| names.contains(name)) {
                    check.refuse(&Tree::Text(name.to_owned()), "must have a name of its own");
                }
                names.extend(name);
                let kind = plugin.field("type");
                let Some(text) = kind.text() else {
                    check.at("type", |check| check.refuse(kind, "must be the type of a plugin"));
                    return;
                };
                match known_plugin(text, family) {
                    Ok(found) => {
                        experimental |= found.is_experimental_in(family);
                        check.parameters(plugin.field("parameters"), found);
                    }
                    Err(want) => check.at("type", |check| check.refuse(kind, want)),
                }
            });
        });
        experimental
    }

    fn parameters(&mut self, parameters: &Tree, plugin: &Plugin) {
        let known: Vec<&str> = plugin.parameters_of(self.family).collect();
        for (name, value) in parameters.map().into_iter().flatten() {
            if !known.contains(&name.as_str()) {
                let want =
                    unknown(&format!("a parameter of {}", plugin.kind), name, self.family, None, &known);
                self.at("parameters", |check| check.at(name, |check| check.refuse(value, want)));
            }
        }
    }

    /// What is referred to is declared, or added by the release itself.
    fn references(&mut self, config: &Tree) {
        let declared: Vec<&str> = config.field("plugins").entries().iter().filter_map(name_of).collect();
        self.references_below(config, &declared);
    }

    fn references_below(&mut self, tree: &Tree, declared: &[&str]) {
        self.each(tree, |check, entry| check.references_below(entry, declared));
        for (name, value) in tree.map().into_iter().flatten() {
            // What a plugin does with its parameters is its own business.
            if name == "parameters" {
                continue;
            }
            self.at(name, |check| {
                if REFERENCES.contains(&name.as_str())
                    && let Some(text) = value.text()
                    && !declared.contains(&text)
                    && !Plugin::of(check.family).any(|plugin| plugin.is_added() && plugin.kind == text)
                {
                    let want = match crate::api::nearest(text, declared) {
                        Some(near) => format!("must be declared in plugins; did you mean {near}?"),
                        None => "must be declared in plugins".to_owned(),
                    };
                    check.refuse(value, want);
                }
                check.references_below(value, declared);
            });
        }
    }

    fn weights(&mut self, profiles: &Tree) {
        self.at("schedulingProfiles", |check| {
            check.each(profiles, |check, profile| {
                check.at("plugins", |check| {
                    check.each(profile.field("plugins"), |check, plugin| {
                        let weight = plugin.field("weight");
                        if let Tree::Real(_) = weight {
                            let want =
                                format!("must be a whole number: {} reads no other", check.family.release());
                            check.at("weight", |check| check.refuse(weight, want));
                        }
                    });
                });
            });
        });
    }

    /// The gates that are on, by what is written; those that are on by default are not among them.
    fn gates<'a>(&mut self, gates: &'a Tree) -> Vec<&'a str> {
        let family = self.family;
        let mut on: Vec<&str> = Vec::new();
        self.at("featureGates", |check| {
            check.each(gates, |check, gate| {
                let Some(text) = gate.text() else {
                    check.refuse(gate, "must be the name of a gate");
                    return;
                };
                let (name, state) = match text.split_once('=') {
                    Some((name, state)) if family.traits().gates_with_values => (name, state),
                    _ => (text, "true"),
                };
                let known: Vec<&str> =
                    GATES.iter().filter(|(_, known)| known.has(family)).map(|(name, _)| *name).collect();
                if !known.contains(&name) {
                    let elsewhere = GATES.iter().find(|(gate, _)| *gate == name).map(|(_, known)| *known);
                    check.refuse(gate, unknown("a gate", name, family, elsewhere, &known));
                } else if state == "true" {
                    on.push(name);
                } else if state == "false" {
                    on.retain(|gate| *gate != name);
                } else {
                    check.refuse(gate, "must be a gate's name, alone or with =true or =false");
                }
            });
        });
        on
    }

    /// GIE v1.4.0, `apix/config/v1alpha1`: `maxBytes` is `*int64`, into which no quantity can be read.
    fn bytes(&mut self, queue: &Tree) {
        let bands = queue.field("priorityBands");
        self.at("flowControl", |check| {
            check.is_number(queue);
            check.at("defaultPriorityBand", |check| check.is_number(queue.field("defaultPriorityBand")));
            check.at("priorityBands", |check| check.each(bands, Self::is_number));
        });
    }

    fn is_number(&mut self, holder: &Tree) {
        let bytes = holder.field("maxBytes");
        if bytes.is_there() && !matches!(bytes, Tree::Whole(_)) {
            let want = format!("must be a plain number of bytes: {} reads no other", self.family.release());
            self.at("maxBytes", |check| check.refuse(bytes, want));
        }
    }

    /// Neither without the other.
    fn data_layer(&mut self, data: &Tree, gate: bool) {
        if data.is_there() != gate {
            self.at("data", |check| {
                check.refuse(data, "must be there where the gate dataLayer is on, and only there");
            });
        }
    }

    /// A request for a sleeping model waits, and for as long as a cold start may take.
    fn wakes(&mut self, holds: bool, ttl: &Tree, cold_start: Duration) {
        if !holds {
            self.at("featureGates", |check| {
                check.refuse(
                    &Tree::Null,
                    format!(
                        "must have {FLOW_CONTROL_GATE} where minReplicas is 0: only a request that waits in the picker \
                         wakes the model"
                    ),
                );
            });
        }
        let by_default = self.family.traits().default_hold;
        let limit = match ttl.text() {
            // The picker reads more forms of a duration than we do, and then knows best.
            Some(text) => Duration::parse(text).filter(|ttl| ttl.as_millis() > 0),
            None => by_default,
        };
        if let Some(limit) = limit.filter(|limit| *limit < cold_start) {
            let want = format!(
                "must be {cold_start} or more where minReplicas is 0, since requests wait for a cold start; it is {limit}"
            );
            self.at("flowControl", |check| check.at("defaultRequestTTL", |check| check.refuse(ttl, want)));
        }
    }
}

/// Fields that name a plugin.
const REFERENCES: [&str; 5] = [
    "pluginRef",
    "fairnessPolicyRef",
    "orderingPolicyRef",
    "usageLimitPolicyPluginRef",
    "crossReplicaSyncerPluginRef",
];

/// A plugin's name is its type unless it has one.
fn name_of(plugin: &Tree) -> Option<&str> {
    plugin.field("name").text().or_else(|| plugin.field("type").text())
}

/// The plugin of that type in a release, or what would be right.
pub(super) fn known_plugin(kind: &str, family: Family) -> Result<&'static Plugin, String> {
    if let Some(found) = Plugin::named(kind).find(|plugin| plugin.known.has(family)) {
        return Ok(found);
    }
    let elsewhere = Plugin::named(kind).next().map(|plugin| plugin.known);
    let known: Vec<&str> = Plugin::of(family).map(|plugin| plugin.kind).collect();
    Err(unknown("a plugin", kind, family, elsewhere, &known))
}

/// Bytes that waiting requests can take: the bound of all of them, else those of the priorities.
fn queue_bytes(queue: &Tree) -> u64 {
    let bytes = |holder: &Tree| holder.field("maxBytes").units().filter(|bytes| *bytes > 0);
    bytes(queue).unwrap_or_else(|| {
        let bands = queue.field("priorityBands").entries();
        let template = bytes(queue.field("defaultPriorityBand")).unwrap_or(QUEUE_BYTES);
        let written: u64 = bands.iter().map(|band| bytes(band).unwrap_or(QUEUE_BYTES)).sum();
        let others = PRIORITIES.saturating_sub(u64::try_from(bands.len()).unwrap_or(PRIORITIES));
        written.saturating_add(others.saturating_mul(template))
    })
}

/// Whether requests of a priority have a bound of their own.
fn bounds(queue: &Tree, priority: i32) -> bool {
    let bounded = |band: &Tree| band.field("maxRequests").is_there() || band.field("maxBytes").is_there();
    let is_its =
        |band: &&Tree| matches!(band.field("priority"), Tree::Whole(it) if *it == i64::from(priority));
    match queue.field("priorityBands").entries().iter().find(is_its) {
        Some(band) => bounded(band),
        None => bounded(queue.field("defaultNegativePriorityBand")),
    }
}
