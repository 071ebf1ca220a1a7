//! What the binary is made of: a bill of materials in the form of `CycloneDX`.
//!
//! Cargo's own tree says which packages that are, with the features of this one package: metadata of the workspace
//! would name what tests and chores need, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cargo_metadata::{MetadataCommand, Package};
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::models::metadata::Metadata;
use cyclonedx_bom::prelude::{Bom, SpecVersion, Validate};
use e2e::{process, workspace};

/// Cargo reads its lock file and some manifests.
const TREE_LIMIT: Duration = Duration::from_mins(5);

/// A package in the binary: its name and version.
type Crate = (String, String);

/// Writes the document for the binary of a target.
pub(super) fn write(root: &Path, target: &str, file: &Path) -> Result<()> {
    let mut tree = Command::new(workspace::CARGO);
    tree.args(["tree", "--locked", "--package", "function-inference", "--target", target])
        // Macros and build scripts make code, and are not in it.
        .args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", "{p}"])
        .current_dir(root);
    let tree = process::run(&mut tree, TREE_LIMIT)?.success("cargo tree")?;
    let shipped = edges(&tree)?;

    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .other_options(["--locked".to_owned(), "--filter-platform".to_owned(), target.to_owned()])
        .exec()
        .context("cargo metadata")?;
    let known: BTreeMap<Crate, &Package> = metadata
        .packages
        .iter()
        .map(|package| ((package.name.to_string(), package.version.to_string()), package))
        .collect();

    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for (shipped, needs) in &shipped {
        let package = known.get(shipped).with_context(|| format!("cargo does not know {shipped:?}"))?;
        components.push(component(package)?);
        dependencies.push(Dependency {
            dependency_ref: reference(shipped),
            dependencies: needs.iter().map(reference).collect(),
        });
    }
    let (ours, theirs) =
        components.into_iter().partition(|it| it.component_type == Classification::Application);
    let ours: [Component; 1] =
        Vec::try_into(ours).map_err(|ours| anyhow::anyhow!("not one binary: {ours:?}"))?;
    let [ours] = ours;

    // Neither a serial number nor a time: the same sources give the same document.
    let bom = Bom {
        serial_number: None,
        metadata: Some(Metadata { component: Some(ours), ..Metadata::default() }),
        components: Some(Components(theirs)),
        dependencies: Some(Dependencies(dependencies)),
        ..Bom::default()
    };
    let valid = bom.validate_version(SpecVersion::V1_5);
    ensure!(valid.passed(), "the bill of materials breaks CycloneDX: {valid:?}");
    let output = File::create(file).with_context(|| format!("cannot create {}", file.display()))?;
    bom.output_as_json_v1_5(&mut &output).with_context(|| format!("cannot write {}", file.display()))
}

/// What each package of the tree needs, from lines such as `2bytes v1.12.1`, below what needs them. A package that has
/// been shown before is shown without what it needs.
fn edges(tree: &str) -> Result<BTreeMap<Crate, BTreeSet<Crate>>> {
    let mut edges: BTreeMap<Crate, BTreeSet<Crate>> = BTreeMap::new();
    let mut trail: Vec<Crate> = Vec::new();
    for line in tree.lines() {
        let name = line.trim_start_matches(|it: char| it.is_ascii_digit());
        let odd = || format!("an odd line of cargo tree: {line:?}");
        let depth: usize = line.trim_end_matches(name).parse().with_context(odd)?;
        let mut words = name.split_ascii_whitespace();
        let name = words.next().with_context(odd)?;
        let version = words.next().and_then(|word| word.strip_prefix('v')).with_context(odd)?;
        let found = (name.to_owned(), version.to_owned());
        trail.truncate(depth);
        ensure!(trail.len() == depth, odd());
        if let Some(parent) = trail.last() {
            edges.entry(parent.clone()).or_default().insert(found.clone());
        }
        edges.entry(found.clone()).or_default();
        trail.push(found);
    }
    Ok(edges)
}

fn component(package: &Package) -> Result<Component> {
    let (name, version) = (package.name.as_str(), package.version.to_string());
    // What comes from no registry is ours.
    let kind = if package.source.is_some() { Classification::Library } else { Classification::Application };
    let licence = package.license.as_deref().with_context(|| format!("{name} has no licence"))?;
    // Some still separate alternatives by a slash, as was once the custom.
    let licence = LicenseChoice::expression(&licence.replace(" / ", "/").replace('/', " OR "));
    let reference = reference(&(name.to_owned(), version.clone()));
    Ok(Component {
        purl: Some(Purl::new("cargo", name, &version)?),
        licenses: Some(Licenses(vec![licence])),
        ..Component::new(kind, name, &version, Some(reference))
    })
}

fn reference((name, version): &Crate) -> String {
    format!("{name}@{version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Crate {
        (name.to_owned(), "1.0.0".to_owned())
    }

    #[test]
    fn what_a_package_needs_is_below_it_where_it_is_shown_first() {
        let tree =
            "0ours v1.0.0 (/here)\n1a v1.0.0\n2b v1.0.0\n2c2 v1.0.0\n3b v1.0.0\n1b v1.0.0\n1a v1.0.0 (*)\n";
        let edges = edges(tree).unwrap();
        let needs = |name: &str| edges.get(&of(name)).unwrap().iter().cloned().collect::<Vec<_>>();
        assert_eq!(needs("ours"), [of("a"), of("b")]);
        assert_eq!(needs("a"), [of("b"), of("c2")]);
        assert_eq!(needs("c2"), [of("b")]);
        assert_eq!(needs("b"), []);
    }

    #[test]
    fn a_line_that_is_none_of_the_tree_is_told() {
        for odd in ["ours v1.0.0", "0ours", "0ours 1.0.0", "1a v1.0.0"] {
            assert!(edges(odd).unwrap_err().to_string().contains(odd), "{odd}");
        }
    }
}
