//! The server from outside: over real sockets, with the official messages, and as a process.
//!
//! Nothing here sleeps. What is waited for has a bound, after which the test fails.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is tests; clippy.toml's allowance does not see functions beside them"
)]

mod admission;
mod calls;
mod certificates;
mod flags;
mod floods;
mod limits;
mod probes;
mod process;
mod stopping;
mod support;
mod tls;
