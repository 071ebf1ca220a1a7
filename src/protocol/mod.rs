//! The protocol between Crossplane and a composition function, and nothing of what the function does with it.
//!
//! The only room that knows prost. It turns messages into typed values and back, and hands back what the
//! function has no opinion on byte for byte. It takes no decision.
//!
//! What stays bytes is a slice of the request's buffer: reading a request copies nothing of what others put into it.

mod messages;
pub mod official;
pub mod service;
pub mod view;

pub use messages::join;

/// The official protocol's file descriptor set, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/run_function.fds"));
