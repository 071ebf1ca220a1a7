//! The runtime image as `docker save` would write it: one layer, one file.
//!
//! The same binary gives the same bytes: no clock, no user names, no order that depends on a file system.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use e2e::digest::sha256_hex;
use e2e::package::Image;
use serde_json::{Value, json};

/// The name of the binary in the image's root.
const BINARY: &str = "function-inference";

/// The user that Crossplane runs functions as (`internal/controller/pkg/runtime/runtime.go`), so the image
/// behaves the same where nothing says so.
const USER: &str = "2000:2000";

/// No clock takes part.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Writes the image, and reads it back: the packager does not compare layers with their digests.
pub(super) fn write(binary: &[u8], architecture: &str, path: &Path) -> Result<()> {
    std::fs::write(path, archive(binary, architecture)?)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let image = Image::open(path)?;
    ensure!(
        image.file(BINARY).is_some_and(|file| file.bytes == binary),
        "{} does not hold the binary that went in",
        path.display()
    );
    Ok(())
}

fn archive(binary: &[u8], architecture: &str) -> Result<Vec<u8>> {
    let layer = tar(&[(BINARY, 0o755, binary)])?;
    let config = serde_json::to_vec(&config(architecture, &sha256_hex(&layer)))?;
    let config_name = format!("{}.json", sha256_hex(&config));
    let manifest = serde_json::to_vec(&json!([{
        "Config": config_name,
        "RepoTags": [format!("{BINARY}:v{}", env!("CARGO_PKG_VERSION"))],
        "Layers": ["layer.tar"],
    }]))?;
    tar(&[("manifest.json", 0o644, &manifest), (&config_name, 0o644, &config), ("layer.tar", 0o644, &layer)])
}

fn config(architecture: &str, layer_digest: &str) -> Value {
    json!({
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        // One entry per layer, as tools that show an image expect.
        "history": [{"created": CREATED, "created_by": "cargo xtask package"}],
        "config": {
            "Entrypoint": [format!("/{BINARY}")],
            "User": USER,
            "WorkingDir": "/",
            "ExposedPorts": {"9443/tcp": {}, "8080/tcp": {}},
            "Labels": {
                "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
                "org.opencontainers.image.title": BINARY,
                "org.opencontainers.image.version": concat!("v", env!("CARGO_PKG_VERSION")),
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{layer_digest}")]},
    })
}

fn tar(files: &[(&str, u32, &[u8])]) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, mode, contents) in files {
        // A fresh header belongs to user 0 and was modified at second 0.
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(contents.len())?);
        header.set_mode(*mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, name, *contents)?;
    }
    Ok(archive.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_bytes() {
        assert_eq!(archive(b"code", "amd64").unwrap(), archive(b"code", "amd64").unwrap());
        assert_ne!(archive(b"code", "amd64").unwrap(), archive(b"edoc", "amd64").unwrap());
    }

    #[test]
    fn the_image_runs_the_binary_as_crossplane_would() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar");
        write(b"code", "arm64", &path).unwrap();

        let image = Image::open(&path).unwrap();
        let file = image.file("function-inference").unwrap();
        assert_eq!((file.mode, file.modified, file.bytes.as_slice()), (0o755, 0, b"code".as_slice()));
        assert_eq!(image.config["architecture"], "arm64");
        assert_eq!(image.config["config"]["Entrypoint"], json!(["/function-inference"]));
        assert_eq!(image.config["config"]["User"], "2000:2000");
    }

    #[test]
    fn a_layer_that_is_not_what_the_config_says_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar");
        let mut bytes = archive(b"code", "amd64").unwrap();
        // The layer's only file is the last occurrence of its contents.
        let at = bytes.windows(4).rposition(|window| window == b"code").unwrap();
        bytes[at] = b'm';
        std::fs::write(&path, bytes).unwrap();
        let error = Image::open(&path).unwrap_err().to_string();
        assert!(error.contains("the config states the layers"), "{error}");
    }
}
