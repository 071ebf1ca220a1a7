//! The messages of a call as the function sees them: see `proto/run_function_view.proto`.

#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated code; what it lacks is its generator's business"
)]

tonic::include_proto!("function_inference.view");

pub use super::official::{
    Condition, Ready, RequestMeta, Requirements, ResponseMeta, Result, Severity, Status, Target,
};
