//! What people write: `LLMInference`, `ModelStack`, `ClusterExtension`; validation; schema generation.
//!
//! `read` turns a composite and an Input into `Settings`, or into every problem with them. The types here are the only
//! source of the schemas in `package/`. Knows nothing of the protocol, of live objects or of what is composed.

#[cfg(test)]
mod admission;
mod backend;
mod body_based_router;
pub mod cluster_extension;
#[cfg(test)]
mod cluster_extension_tests;
#[cfg(test)]
mod coverage_tests;
#[cfg(test)]
pub(crate) mod fixtures;
mod latency;
pub mod llm_inference;
pub(crate) mod lora;
pub mod model_stack;
mod numbers;
pub mod operator;
mod policy;
mod problem;
pub mod quantity;
mod reach;
mod read;
mod reading;
#[cfg(any(test, feature = "schema"))]
mod reference;
mod resolve;
mod routing;
mod rules;
mod scaling;
#[cfg(any(test, feature = "schema"))]
pub mod schema;
pub mod settings;
mod shape;
#[cfg(test)]
mod tests;
mod texts;
#[cfg(test)]
mod twin_tests;
mod values;

pub use problem::{Path, Problem, Source, Step, nearest};
pub use read::{Document, Metadata, composite_fields, input_fields, problems, read, read_input};
pub(crate) use rules::WORKER_METHOD_ENV;
#[cfg(test)]
pub(crate) use rules::managed_flag;
pub use shape::Shape;
pub(crate) use values::LABEL_VALUE_MAX;
pub use values::{Duration, Host, ModelName, Namespace};
