//! The official messages, and a client.
//!
//! For tests, benchmarks and for making requests from files. A call itself is served through [`super::view`], which
//! shares the small messages with this module.

#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated code; what it lacks is its generator's business"
)]

// The generator names the file after a path in Rust, where `fn` is a keyword.
tonic::include_proto!("apiextensions.r#fn.proto.v1");
