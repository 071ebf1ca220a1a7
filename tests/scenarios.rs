//! Every reason of the catalogue, from observed state as the real systems write it.
//!
//! A folder of `tests/scenarios` is a reason, a file in it a scene that leads there, and the `.snap` beside it all that
//! the function then says. `life.yaml` is one scene after another, and `life.snap` reads like a story. Read before they are
//! accepted: `INSTA_UPDATE=new cargo test`.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on fails"
)]

mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use function_inference::cluster::report as cluster;
use function_inference::report::CATALOGUE;
use serde::Deserialize;
use serde_json::Value;

use scene::{Changes, Said, Scene};

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// Reason and file of each.
fn scenarios() -> Vec<(String, PathBuf)> {
    let reasons = entries(&scene::folder()).into_iter().filter(|path| path.is_dir());
    let files = reasons.flat_map(|folder| {
        let reason = name(&folder);
        entries(&folder).into_iter().map(move |file| (reason.clone(), file))
    });
    files.filter(|(_, file)| file.extension().is_some_and(|extension| extension == "yaml")).collect()
}

/// What the four conditions of a model, and the one of a cluster, may say.
fn catalogue() -> BTreeSet<Said> {
    let models = CATALOGUE.iter().flat_map(|(kind, reasons)| {
        reasons.iter().map(|reason| (kind.as_str().to_owned(), reason.as_str().to_owned()))
    });
    let clusters =
        cluster::Reason::ALL.iter().map(|reason| (cluster::CONDITION.to_owned(), reason.as_str().to_owned()));
    models.chain(clusters).collect()
}

fn golden(folder: &Path, name: &str, content: &str) {
    insta::with_settings!(
        { snapshot_path => folder, prepend_module_to_snapshot => false, omit_expression => true },
        { insta::assert_snapshot!(name, content) }
    );
}

#[test]
fn every_reason_of_the_catalogue_has_a_scenario_that_leads_to_it() {
    let mut shown = BTreeSet::new();
    let mut golden_files = BTreeSet::new();
    for (reason, file) in scenarios() {
        let scene: Scene = scene::read(&file);
        let answer = scene.play();
        let said: Vec<Said> = answer.said().into_iter().filter(|(_, said)| *said == reason).collect();
        assert!(!said.is_empty(), "{}: nothing says {reason}:\n{answer}", file.display());
        shown.extend(said);
        for condition in &answer.response.conditions {
            let message = condition.message();
            let is_fatal = answer.composite.is_none();
            assert!(is_fatal || message.ends_with('.') && !message.contains(".."), "{message:?}");
        }
        golden(file.parent().unwrap(), &name(&file), &format!("{}\n\n{answer}", scene.what.trim()));
        golden_files.insert(file.with_extension("snap"));
    }
    assert_eq!(shown, catalogue(), "left: shown by a scenario; right: the catalogue");
    for folder in entries(&scene::folder()).into_iter().filter(|path| path.is_dir()) {
        for file in entries(&folder) {
            let is_left = file.extension().is_some_and(|extension| extension == "snap")
                && !golden_files.contains(&file);
            assert!(!is_left, "{}: no scene leads to it", file.display());
        }
    }
}

/// The scenes of a life, in their order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Life {
    /// How the composite resource differs from `model.yaml`.
    composite: Value,
    /// Its Input.
    input: Value,
    steps: Vec<Scene>,
}

#[test]
fn the_life_of_a_model_is_told_step_by_step() {
    let life: Life = scene::read(&scene::folder().join("life.yaml"));
    let mut story = Vec::new();
    let mut before: Option<scene::Answer> = None;
    for mut step in life.steps {
        step.input = Some(life.input.clone());
        let mut composite = scene::merged(scene::merged(step.written(), &life.composite), &step.composite);
        if let Some(before) = before.as_ref().and_then(|before| before.composite.as_ref()) {
            composite["status"] = before["status"].clone();
        }
        let answer = step.play_with(&composite);
        assert_eq!(answer.deleted, [""; 0], "{}: nothing is ever withdrawn", step.what);
        let told = match &before {
            None => answer.to_string(),
            Some(before) => Changes(&answer, before).to_string(),
        };
        story.push(format!("{}\n\n{told}", step.what));
        before = Some(answer);
    }
    golden(&scene::folder(), "life", story.join("\n").trim_end());
}
