//! The preview prints what Crossplane would do: every example, by both, document by document.

use anyhow::ensure;
use e2e::controlplane::patch_and_transform;
use e2e::controlplane::played::Played;
use e2e::render::{self, Answer, Crossplane, Function, Scenario};
use e2e::workspace;

#[tokio::test(flavor = "multi_thread")]
async fn every_example_renders_as_crossplane_renders_it() -> anyhow::Result<()> {
    let scenarios = render::scenarios(&workspace::root().join("examples"))?;
    let crossplane = Crossplane::build()?;
    let binary = workspace::function()?;
    let function = Function::start(&binary)?;
    let played = Played::start_insecure(patch_and_transform::answer).await?;
    let mut targets = function.targets();
    targets.insert(patch_and_transform::NAME, played.endpoint.to_string());

    let mut problems = Vec::new();
    let mut shared = 0;
    for scenario in &scenarios {
        let mut theirs = crossplane.render(scenario, &targets)?;
        let folder = tempfile::tempdir()?;
        let mut found = Vec::new();
        // Our preview skips the steps of others, whose resources have to be in the end what they were before ours.
        if let Some(others) = scenario.of_others(folder.path())?
            && let (Answer::Rendered(all), Answer::Rendered(others)) =
                (&mut theirs, crossplane.render(&others, &targets)?)
        {
            ensure!(!others.composed.is_empty(), "{}: the other steps compose nothing", scenario.name);
            found.extend(render::take_others(all, &others));
            shared += 1;
        }
        found.extend(judge(scenario, (theirs, render::preview(&binary, scenario)?)));
        problems.extend(found.into_iter().map(|problem| format!("{}: {problem}", scenario.name)));
    }
    ensure!(shared > 0, "no example has a step of another function");
    render::report(&problems)
}

fn judge(scenario: &Scenario, (crossplane, preview): (Answer, Answer)) -> Vec<String> {
    match (crossplane, preview) {
        (Answer::Rendered(_), Answer::Rendered(_)) if scenario.is_refused() => {
            vec!["both render it, although its name says that it is refused".to_owned()]
        }
        (Answer::Rendered(crossplane), Answer::Rendered(preview)) => {
            if crossplane.composed.is_empty() {
                return vec!["nothing is composed".to_owned()];
            }
            render::differences(&crossplane, &preview)
        }
        (Answer::Refused(theirs), Answer::Refused(ours)) if scenario.is_refused() => untold(&theirs, &ours),
        (Answer::Refused(theirs), Answer::Refused(ours)) => {
            vec![format!("both refuse it.\nCrossplane: {theirs}\npreview: {ours}")]
        }
        (Answer::Refused(why), Answer::Rendered(_)) => vec![format!("Crossplane alone refuses it: {why}")],
        (Answer::Rendered(_), Answer::Refused(why)) => vec![format!("the preview alone refuses it: {why}")],
    }
}

/// What the preview says about the input, and Crossplane's user would not read.
fn untold(crossplane: &str, preview: &str) -> Vec<String> {
    // `error: <file>:<line>: <problem>`
    let problems: Vec<&str> = preview
        .lines()
        .filter_map(|line| line.strip_prefix("error: ")?.split_once(": "))
        .map(|(_, it)| it)
        .collect();
    if problems.is_empty() {
        return vec![format!("the preview names no problem: {preview}")];
    }
    let missing = problems.iter().filter(|problem| !crossplane.contains(**problem));
    missing.map(|problem| format!("Crossplane does not say {problem:?}: {crossplane}")).collect()
}
