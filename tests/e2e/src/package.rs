//! What is inside an xpkg: an image in docker-save format whose layers carry a role.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::digest::sha256_hex;

/// The label, followed by a layer's digest, that tells what the layer is for (Crossplane's xpkg specification).
const ROLE_LABEL: &str = "io.crossplane.xpkg:";

/// A file of a layer.
#[derive(Debug)]
pub struct Entry {
    /// Permission bits.
    pub mode: u32,
    /// Seconds since 1970.
    pub modified: u64,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// Files by path.
pub type Files = BTreeMap<String, Entry>;

/// One layer of an image.
#[derive(Debug)]
pub struct Layer {
    /// The digest of the layer as it is stored, compressed or not: what labels name it by.
    pub digest: String,
    /// Its files.
    pub files: Files,
}

/// A package or runtime image, unpacked.
#[derive(Debug)]
pub struct Image {
    /// The image configuration.
    pub config: Value,
    /// The layers, in order.
    pub layers: Vec<Layer>,
}

impl Image {
    /// Reads the file, and checks that every layer is what the configuration says it is.
    pub fn open(path: &Path) -> Result<Self> {
        let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let outer = untar(&file).with_context(|| format!("{} is no tar archive", path.display()))?;
        let member =
            |name: &str| outer.get(name).with_context(|| format!("{} has no {name}", path.display()));

        let manifest: Value = serde_json::from_slice(&member("manifest.json")?.bytes)?;
        let manifest = manifest.get(0).context("manifest.json is empty")?;
        let config_name =
            manifest.get("Config").and_then(Value::as_str).context("the manifest names no config")?;
        let config: Value = serde_json::from_slice(&member(config_name)?.bytes)?;

        let (mut layers, mut actual) = (Vec::new(), Vec::new());
        for name in
            manifest.get("Layers").and_then(Value::as_array).context("the manifest names no layers")?
        {
            let stored = &member(name.as_str().unwrap_or_default())?.bytes;
            let plain = plain(stored)?;
            layers.push(Layer { digest: oci_digest(stored), files: untar(&plain)? });
            // The configuration knows layers by their digests before compression.
            actual.push(Value::from(oci_digest(&plain)));
        }

        let stated =
            config.pointer("/rootfs/diff_ids").and_then(Value::as_array).cloned().unwrap_or_default();
        ensure!(stated == actual, "the config states the layers {stated:?}, but they are {actual:?}");
        Ok(Self { config, layers })
    }

    /// The `package.yaml` documents: they are in the only layer with the role `base`.
    pub fn package_documents(&self) -> Result<Vec<Value>> {
        let empty = serde_json::Map::new();
        let labels = self.config.pointer("/config/Labels").and_then(Value::as_object).unwrap_or(&empty);
        let base: Vec<&str> = labels
            .iter()
            .filter(|(_, role)| *role == "base")
            .filter_map(|(label, _)| label.strip_prefix(ROLE_LABEL))
            .collect();
        let [digest] = base.as_slice() else {
            anyhow::bail!("not exactly one layer is labelled base: {labels:?}");
        };
        let layer = self.layers.iter().find(|layer| layer.digest == *digest);
        let layer = layer.with_context(|| format!("the base label names no layer: {digest}"))?;
        let stream = layer.files.get("package.yaml").context("the base layer has no package.yaml")?;
        let stream = std::str::from_utf8(&stream.bytes)?;
        serde_yaml::from_multiple(stream).context("cannot read package.yaml")
    }

    /// A file of the flattened filesystem: the last layer that has it wins.
    pub fn file(&self, path: &str) -> Option<&Entry> {
        self.layers.iter().rev().find_map(|layer| layer.files.get(path))
    }
}

/// Whether an ELF executable asks for a dynamic loader, which an image without a C library does not have.
pub fn asks_for_a_loader(elf: &[u8]) -> Result<bool> {
    // The 64-bit layout of `Elf64_Ehdr` and `Elf64_Phdr` (elf(5)); both platforms we build for are little-endian.
    const PROGRAM_HEADER_OFFSET: usize = 0x20;
    const PROGRAM_HEADER_SIZE: usize = 0x36;
    const PROGRAM_HEADER_COUNT: usize = 0x38;
    const PT_INTERP: u64 = 3;

    ensure!(elf.starts_with(b"\x7fELF\x02\x01"), "not a 64-bit little-endian ELF file");
    let number = |at: usize, width: usize| -> Result<u64> {
        let bytes = elf.get(at..at + width).context("the ELF file is cut off")?;
        Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let start = usize::try_from(number(PROGRAM_HEADER_OFFSET, 8)?)?;
    let size = usize::try_from(number(PROGRAM_HEADER_SIZE, 2)?)?;
    let count = usize::try_from(number(PROGRAM_HEADER_COUNT, 2)?)?;
    ensure!(count > 0, "the ELF file has no program headers");
    for index in 0..count {
        if number(start + index * size, 4)? == PT_INTERP {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The packager compresses layers.
fn plain(bytes: &[u8]) -> Result<Vec<u8>> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes.to_owned());
    }
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).context("cannot decompress a layer")?;
    Ok(plain)
}

fn oci_digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex(bytes))
}

fn untar(bytes: &[u8]) -> Result<Files> {
    let mut files = Files::new();
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents)?;
        let header = entry.header();
        let file = Entry { mode: header.mode()?, modified: header.mtime()?, bytes: contents };
        ensure!(files.insert(name.clone(), file).is_none(), "{name} is there twice");
    }
    Ok(files)
}
