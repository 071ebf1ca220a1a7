//! The packages hold what Crossplane installs, and run what we tested.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::package::{self, Image};
use e2e::packages::Packages;
use e2e::render::{self, Answer, Function};
use e2e::{process, release, workspace};
use serde_json::Value;

/// Whom Crossplane runs functions as (v2.3.4, `internal/controller/pkg/runtime/runtime.go`).
const CROSSPLANES_USER: u32 = 2000;

/// For what takes no time at all on an idle machine.
const MOMENT: Duration = Duration::from_mins(1);

#[test]
fn packages_hold_what_crossplane_installs() -> Result<()> {
    let out = tempfile::tempdir()?;
    let packages = Packages::build(&out.path().join("once"))?;
    function_package(&packages)?;
    configuration_package(&packages)?;
    materials(&packages)?;

    // The same sources, once more.
    let again = Packages::build(&out.path().join("again"))?;
    let twice = [
        (packages.runtime, again.runtime),
        (packages.function, again.function),
        (packages.configuration, again.configuration),
        (packages.materials, again.materials),
    ];
    for (first, second) in twice {
        assert!(
            std::fs::read(&first)? == std::fs::read(second)?,
            "{} is not the same twice",
            first.display()
        );
    }
    Ok(())
}

/// Whatever the binary itself says that it was made of is in the bill of materials, and no test's tool is.
fn materials(packages: &Packages) -> Result<()> {
    let bill: Value = serde_json::from_slice(&std::fs::read(&packages.materials)?)?;
    assert_eq!(text(&bill, "/bomFormat"), "CycloneDX");
    assert_eq!(text(&bill, "/metadata/component/name"), "function-inference");
    let components = bill.pointer("/components").and_then(Value::as_array).context("no components")?;
    let listed: BTreeSet<String> = components
        .iter()
        .map(|component| format!("{}-{}", text(component, "/name"), text(component, "/version")))
        .collect();
    for component in components {
        assert!(component.pointer("/licenses/0/expression").is_some(), "{component}");
    }
    let image = Image::open(&packages.runtime)?;
    let binary = image.file("function-inference").context("the runtime image holds no binary")?;
    let place = format!("{}/", release::REGISTRY);
    let strings = String::from_utf8_lossy(&binary.bytes);
    for builder in [Some(workspace::root()), std::env::home_dir()].into_iter().flatten() {
        let builder = builder.to_string_lossy();
        assert!(!strings.contains(&*builder), "the binary says that it was built in {builder}");
    }
    let said: BTreeSet<String> = strings
        .split(place.as_str())
        .skip(1)
        .filter_map(|path| Some(path.split_once('/')?.0.to_owned()))
        .collect();
    assert!(said.len() > 20, "the binary names few of its sources: {said:?}");
    assert_eq!(said.difference(&listed).collect::<Vec<_>>(), [""; 0], "not in the bill of materials");
    for tool in ["insta", "proptest", "schemars", "cyclonedx-bom"] {
        assert!(!listed.iter().any(|it| it.starts_with(&format!("{tool}-"))), "{tool} is not shipped");
    }
    Ok(())
}

fn function_package(packages: &Packages) -> Result<()> {
    let runtime = Image::open(&packages.runtime)?;
    let image = Image::open(&packages.function)?;

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

    serves_as_anybody_without_writing(&binary.bytes)
}

/// Crossplane runs functions as user 2000, and a careful platform gives them a root that they cannot write to.
fn serves_as_anybody_without_writing(binary: &[u8]) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("function-inference");
    std::fs::write(&path, binary)?;
    for path in [dir.path(), &path] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }

    let mut write = confined(Path::new("sh"), dir.path());
    write.args(["-c", "echo text > written"]);
    let written = process::run(&mut write, MOMENT)?.stdout;
    assert!(
        !written.is_empty() && !dir.path().join("written").exists(),
        "a confined process can write: {written}"
    );

    let mut help = confined(&path, dir.path());
    let help = process::run(help.arg("--help"), MOMENT)?.stdout;
    assert!(help.contains("--tls-certs-dir"), "{help}");

    let crossplane = render::Crossplane::build()?;
    let function = Function::run(&mut confined(&path, dir.path()))?;
    let debug_build = workspace::function()?;
    let mut rendered = 0;
    for scenario in render::scenarios(&workspace::root().join("examples"))? {
        // What other functions do beside it is no matter of the package.
        if scenario.of_others(tempfile::tempdir()?.path())?.is_some() {
            continue;
        }
        if let Answer::Rendered(preview) = render::preview(&debug_build, &scenario)? {
            let Answer::Rendered(packaged) = crossplane.render(&scenario, &function.targets())? else {
                anyhow::bail!("{} is refused by the packaged binary", scenario.name);
            };
            assert_eq!(render::differences(&packaged, &preview), Vec::<String>::new(), "{}", scenario.name);
            rendered += 1;
        }
    }
    assert!(rendered > 0, "the packaged binary renders nothing");

    let left: Vec<_> = std::fs::read_dir(dir.path())?.collect::<std::io::Result<_>>()?;
    assert_eq!(left.len(), 1, "the function left files behind: {left:?}");
    Ok(())
}

/// A command that is not root and whose files cannot grow, with a place of its own for whatever it would leave: as far
/// as a container's user and read-only root can be had without a container.
fn confined(program: &Path, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        // The limit is for files; what is printed goes through a pipe.
        .args(["-c", r#"(ulimit -f 0 && exec "$@") 2>&1 | cat"#, "sh"])
        .arg(program)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir)
        .env("TMPDIR", dir)
        .current_dir(dir);
    // Who is somebody else already stays that: only root may choose.
    if rustix::process::geteuid().is_root() {
        command.uid(CROSSPLANES_USER).gid(CROSSPLANES_USER);
    }
    command
}

fn configuration_package(packages: &Packages) -> Result<()> {
    let documents = Image::open(&packages.configuration)?.package_documents()?;
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
