//! A short hash that changes when a value changes.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The first eight bytes of the SHA-256 of a value's JSON, in hexadecimal.
///
/// What cannot be written as JSON hashes as nothing; the kinds of this crate all can.
pub fn digest(value: &impl Serialize) -> String {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    Sha256::digest(bytes).iter().take(8).fold(String::new(), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
