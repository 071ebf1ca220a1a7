//! One folder per package, with what `crossplane xpkg build` may see of it and nothing else.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The Function package: its metadata, and the schemas of its inputs. An XRD would be refused.
pub(super) fn function(root: &Path, into: &Path) -> Result<()> {
    let mut files = yaml_files(&root.join("package/function"))?;
    ensure!(!files.is_empty(), "package/function holds no input schema: run `cargo xtask generate`");
    files.push(root.join("crossplane.yaml"));
    copy(&files, into)
}

/// The Configuration package: its metadata, the XRD and the Composition.
pub(super) fn configuration(root: &Path, into: &Path) -> Result<()> {
    copy(&yaml_files(&root.join("package/configuration"))?, into)
}

fn copy(files: &[PathBuf], into: &Path) -> Result<()> {
    // What an earlier run left would end up in the package.
    if into.exists() {
        std::fs::remove_dir_all(into).with_context(|| format!("cannot empty {}", into.display()))?;
    }
    std::fs::create_dir_all(into).with_context(|| format!("cannot create {}", into.display()))?;
    for file in files {
        let name = file.file_name().context("a file without a name")?;
        std::fs::copy(file, into.join(name)).with_context(|| format!("cannot stage {}", file.display()))?;
    }
    Ok(())
}

fn yaml_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let read = || std::fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let paths = read().with_context(|| format!("cannot read {}", dir.display()))?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = yaml_files(dir)
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_stage_holds_what_belongs_to_the_package_alone() {
        let root = tempfile::tempdir().unwrap();
        let schemas = root.path().join("package/function");
        std::fs::create_dir_all(&schemas).unwrap();
        std::fs::write(root.path().join("crossplane.yaml"), "meta").unwrap();
        std::fs::write(schemas.join("input.yaml"), "schema").unwrap();
        std::fs::write(schemas.join("README.md"), "text").unwrap();
        let stage = root.path().join("stage");
        std::fs::create_dir_all(&stage).unwrap();
        std::fs::write(stage.join("stale.yaml"), "from an earlier run").unwrap();

        function(root.path(), &stage).unwrap();
        assert_eq!(names(&stage), ["crossplane.yaml", "input.yaml"]);
    }

    #[test]
    fn a_function_without_input_schemas_is_not_packaged() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("package/function")).unwrap();
        let error = function(root.path(), &root.path().join("stage")).unwrap_err();
        assert!(error.to_string().contains("cargo xtask generate"), "{error}");
    }
}
