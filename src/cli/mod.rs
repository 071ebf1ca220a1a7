//! The command line: what people type, and what they read. The only room beside `main` that prints.

pub mod yaml;
