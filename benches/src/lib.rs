//! What a call costs: the same requests to the function's own binary and to two servers that do less.
//!
//! - [`workload`]: the requests, made from the examples.
//! - [`baseline`]: a server that decodes and answers, and one that hands bytes on.
//! - [`process`]: a server in a process of its own, and what it has used.
//! - [`load`]: calls over a socket, and how long each took.
//! - [`measure`]: rounds of calls against all servers in turn.
//! - [`crowd`]: a hundred large calls at once.
//! - [`soak`]: many minutes of everything that may come in.
//! - [`table`]: the results as a person reads them.
//! - [`record`]: the page that keeps them.

pub mod baseline;
pub mod crowd;
pub mod load;
pub mod measure;
pub mod process;
pub mod record;
pub mod soak;
pub mod table;
pub mod workload;
