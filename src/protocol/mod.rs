//! The protocol between Crossplane and a composition function, and nothing of what the function does with it.
//!
//! The only room that knows prost. It lets messages be looked into where they stand ([`look_into`]), reads them as JSON
//! ([`from_struct`]), writes typed values ([`to_struct`]), and hands back what the function has no opinion on byte for byte
//! ([`desired`]). It takes no decision.
//!
//! What stays bytes is a slice of the request's buffer: reading a request copies nothing of what others put into it.

pub mod caller;
pub mod desired;
mod error;
mod item;
mod json;
mod messages;
pub mod official;
mod ser;
mod ser_key;
pub mod service;
mod value;
pub mod view;
mod wire;
mod writer;

pub use error::{DEPTH_LIMIT, INTEGER_LIMIT, StructError};
pub use item::{Fault, Item, look_into};
pub use json::from_struct;
pub use messages::join;
pub use ser::to_struct;

/// The official protocol's file descriptor set, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/run_function.fds"));

#[cfg(test)]
mod pass_through_tests;
#[cfg(test)]
mod struct_tests;
#[cfg(test)]
mod testing;
