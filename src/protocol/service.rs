//! The service on its official path, with the messages of [`super::view`]. For the server to implement.

#![allow(
    missing_docs,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated code; what it lacks is its generator's business"
)]

tonic::include_proto!("apiextensions.fn.proto.v1.FunctionRunnerService");

/// The service's full name, as health checks and reflection know it.
pub use function_runner_service_server::SERVICE_NAME;
