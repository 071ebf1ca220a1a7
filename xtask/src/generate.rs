//! Writes the files that are made from the Rust types.

use std::path::Path;

use anyhow::Context as _;
use function_inference::api::schema;

/// Writes every generated file below the repository's root.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("cannot find the repository")?;
    for file in schema::files()? {
        let path = root.join(file.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        std::fs::write(&path, file.content).with_context(|| format!("cannot write {}", path.display()))?;
        crate::say(&format!("wrote {}", file.path));
    }
    Ok(())
}
