//! The command line: what people type, and what they read. The only room beside `main` that prints.
//!
//! No subcommand serves, with the flags of the official SDKs: that is what a package's container runs.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

pub mod check;
mod logs;
pub mod render;
mod schema;
pub mod serve;
pub mod yaml;

/// Done.
const SUCCESS: u8 = 0;
/// What was given is wrong, or the world did not let it happen.
const FAILURE: u8 = 1;
/// What was typed makes no sense; clap's own code for it.
const USAGE: u8 = 2;

/// A Crossplane composition function: a complete LLM inference stack from one resource.
///
/// Without a subcommand it serves Crossplane over gRPC.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve.
    #[command(flatten)]
    pub serve: serve::Args,
}

/// What to do instead of serving.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Check manifests without a cluster
    Check(check::Args),
    /// Print a schema
    Schema(schema::Args),
    /// Show what a composite resource becomes, without a cluster
    ///
    /// Prints the composite resource with its status, then the composed resources, as `crossplane render` does. What
    /// the function has to say beside goes to stderr.
    Render(render::Args),
}

/// Does what the arguments (the first is the program's name) ask for.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(match Cli::try_parse_from(arguments) {
        Ok(cli) => match dispatch(cli) {
            Ok(code) => code,
            Err(error) => complain(&error),
        },
        Err(error) => refuse(&error),
    })
}

/// Each command gives its exit code, or the error that stopped it, which ends in [`FAILURE`] unless it came from
/// [`usage`].
fn dispatch(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        None => serve::run(cli.serve),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Schema(args)) => schema::run(&args),
        Some(Command::Render(args)) => render::run(&args).map(|()| SUCCESS),
    }
}

/// An error in what was typed that clap could not see.
fn usage(kind: ErrorKind, message: impl std::fmt::Display) -> anyhow::Error {
    Cli::command().error(kind, message).into()
}

fn complain(error: &anyhow::Error) -> u8 {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        return refuse(error);
    }
    // `render | head` is no failure worth words: who reads has gone.
    if error.chain().any(is_broken_pipe) {
        return FAILURE;
    }
    // Nobody is left to tell when stderr itself is gone.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    FAILURE
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Help and version come this way too; they are no failure.
fn refuse(error: &clap::Error) -> u8 {
    let _ = error.print();
    if error.use_stderr() { USAGE } else { SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
