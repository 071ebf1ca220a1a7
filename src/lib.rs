//! A Crossplane composition function that turns one `LLMInference` into a complete inference stack.
//!
//! Data takes one way: bytes, `protocol`, `api`, `observe`, `plan`, `compose`, `deliver`, `report`, `protocol`,
//! bytes. Each room sees only what lies to its left.
//!
//! A second job, chosen by the Input's kind, extends a cluster: `cluster`.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod compose;
pub mod deliver;
pub mod digest;
pub mod function;
pub mod kinds;
pub mod observe;
pub mod plan;
pub mod protocol;
pub mod report;
pub mod server;
