//! What people write: `LLMInference`, `ModelStack`; validation; schema generation.

pub mod settings;
mod values;

pub use values::{Duration, Host, ModelName, Namespace};
