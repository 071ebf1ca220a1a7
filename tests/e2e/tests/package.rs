//! The packages hold what Crossplane installs, and run what we tested.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::package::{self, Image};
use e2e::render::{self, Answer, Function};
use e2e::{process, workspace};
use serde_json::Value;

/// A cold release build, and Crossplane's command line from source.
const PACKAGE_LIMIT: Duration = Duration::from_hours(1);

/// Builds both packages, as a release does.
fn packages() -> Result<PathBuf> {
    let out = workspace::cache()?.join("dist");
    if out.exists() {
        std::fs::remove_dir_all(&out)?;
    }
    let mut xtask = Command::new(workspace::CARGO);
    xtask
        .args(["run", "--locked", "--package", "xtask", "--", "package", "--out"])
        .arg(&out)
        .current_dir(workspace::root());
    process::run(&mut xtask, PACKAGE_LIMIT)?.success("cargo xtask package")?;
    Ok(out)
}

/// The only file with this extension whose name starts so.
fn only(dir: &Path, start: &str, end: &str) -> Result<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(start) && name.ends_with(end) {
            found.push(dir.join(name));
        }
    }
    let [file] = found.as_slice() else {
        anyhow::bail!("not exactly one {start}…{end} in {}: {found:?}", dir.display());
    };
    Ok(file.clone())
}

#[test]
fn packages_hold_what_crossplane_installs() -> Result<()> {
    let out = packages()?;
    function_package(&out)?;
    configuration_package(&out)?;

    // The same sources, once more.
    let bytes = |dir: &Path| -> Result<BTreeMap<PathBuf, Vec<u8>>> {
        let files =
            [("runtime-", ".tar"), ("function-inference-", "64.xpkg"), ("function-inference-conf", ".xpkg")];
        files
            .iter()
            .map(|(start, end)| {
                let file = only(dir, start, end)?;
                Ok((file.clone(), std::fs::read(file)?))
            })
            .collect()
    };
    let first = bytes(&out)?;
    let second = bytes(&packages()?)?;
    for (file, bytes) in &first {
        assert_eq!(second.get(file).map(Vec::len), Some(bytes.len()), "{} changed its size", file.display());
        assert!(second.get(file) == Some(bytes), "{} is not the same twice", file.display());
    }
    Ok(())
}

fn function_package(out: &Path) -> Result<()> {
    let runtime = Image::open(&only(out, "runtime-", ".tar")?)?;
    let image = Image::open(&only(out, "function-inference-", "64.xpkg")?)?;

    let documents = image.package_documents()?;
    let (metas, rest): (Vec<&Value>, Vec<&Value>) = documents
        .iter()
        .partition(|document| text(document, "/apiVersion").starts_with("meta.pkg.crossplane.io/"));
    assert_eq!(metas.iter().map(|meta| text(meta, "/kind")).collect::<Vec<_>>(), ["Function"]);
    assert_eq!(
        metas.first().and_then(|meta| meta.pointer("/spec/capabilities")),
        Some(&serde_json::json!(["composition"]))
    );
    assert!(!rest.is_empty(), "the package has no input schema");
    for document in rest {
        assert_eq!(
            text(document, "/kind"),
            "CustomResourceDefinition",
            "nothing else may be in a Function package"
        );
        assert_eq!(text(document, "/spec/group"), "inference.fn.crossplane.io");
    }

    for key in ["Entrypoint", "User", "ExposedPorts"] {
        let path = format!("/config/{key}");
        assert!(image.config.pointer(&path).is_some(), "the package's image has no {key}");
        assert_eq!(image.config.pointer(&path), runtime.config.pointer(&path), "{key} changed on the way");
    }

    let binary = image.file("function-inference").context("the package holds no binary")?;
    let tested = runtime.file("function-inference").context("the runtime image holds no binary")?;
    assert!(binary.bytes == tested.bytes, "the package's binary is not the runtime image's");
    assert_eq!(binary.mode, 0o755);
    assert!(!package::asks_for_a_loader(&binary.bytes)?, "the image has no dynamic loader for the binary");

    let dir = tempfile::tempdir()?;
    let path = dir.path().join("function-inference");
    std::fs::write(&path, &binary.bytes)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(binary.mode))?;
    let help = process::run(Command::new(&path).arg("--help"), Duration::from_secs(30))?.success("--help")?;
    assert!(help.contains("--tls-certs-dir"), "{help}");
    Function::start(&path)?;
    Ok(())
}

fn configuration_package(out: &Path) -> Result<()> {
    let documents = Image::open(&only(out, "function-inference-conf", ".xpkg")?)?.package_documents()?;
    let one = |kind: &str| -> Result<&Value> {
        let found: Vec<&Value> =
            documents.iter().filter(|document| text(document, "/kind") == kind).collect();
        let [only] = found.as_slice() else { anyhow::bail!("the package holds {} {kind}s", found.len()) };
        Ok(*only)
    };
    let (meta, xrd, composition) =
        (one("Configuration")?, one("CompositeResourceDefinition")?, one("Composition")?);
    assert_eq!(documents.len(), 3);

    assert_eq!(text(xrd, "/spec/names/kind"), text(composition, "/spec/compositeTypeRef/kind"));
    let group = text(composition, "/spec/compositeTypeRef/apiVersion").split('/').next();
    assert_eq!(Some(text(xrd, "/spec/group")), group);

    // Crossplane names what it installs as a dependency after the path of its repository
    // (`ToDNSLabel` in crossplane-runtime's `pkg/xpkg/name.go`).
    let dependencies =
        meta.pointer("/spec/dependsOn").and_then(Value::as_array).context("no dependencies")?;
    let function = dependencies.iter().find(|dependency| text(dependency, "/kind") == "Function");
    let repository = function.map(|function| text(function, "/package")).unwrap_or_default();
    let (_registry, path) = repository.split_once('/').context("the Function's package names no registry")?;
    assert_eq!(text(composition, "/spec/pipeline/0/functionRef/name"), path.replace('/', "-"));
    Ok(())
}

/// The Composition shows the defaults: an Input without them composes the same.
#[test]
fn the_packaged_composition_shows_the_defaults() -> Result<()> {
    let binary = workspace::function()?;
    let path = workspace::root().join("package/configuration/composition.yaml");
    let mut bare: Value = serde_yaml::from_str(&std::fs::read_to_string(&path)?)?;
    let input =
        bare.pointer_mut("/spec/pipeline/0/input").and_then(Value::as_object_mut).context("no Input")?;
    assert!(input.remove("spec").is_some(), "the Composition shows nothing");
    let dir = tempfile::tempdir()?;
    let bare_path = dir.path().join("composition.yaml");
    std::fs::write(&bare_path, serde_yaml::to_string(&bare)?)?;

    let mut rendered = 0;
    for scenario in render::scenarios(&workspace::root().join("examples"))? {
        let with = |composition: &Path| -> Result<Answer> {
            let mut scenario = scenario.clone();
            scenario.composition = composition.to_owned();
            render::preview(&binary, &scenario)
        };
        if let (Answer::Rendered(shown), Answer::Rendered(bare)) = (with(&path)?, with(&bare_path)?) {
            assert_eq!(render::differences(&shown, &bare), Vec::<String>::new(), "{}", scenario.name);
            rendered += 1;
        }
    }
    assert!(rendered > 0, "no example renders with the packaged Composition");
    Ok(())
}

fn text<'a>(document: &'a Value, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
