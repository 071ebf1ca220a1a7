//! Chores, behind `cargo xtask`: what a person or CI would otherwise do by hand or in shell.

mod generate;
mod package;
mod playground;
mod prefetch;
mod reproduce;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", about = "Chores of function-inference")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the XRD, the Input's schema and the fields' reference from the Rust types
    Generate,
    /// Build the Function and Configuration packages, without a container engine
    Package(package::Arguments),
    /// Build beforehand what the end-to-end tests would build on their way, beside whatever else keeps you busy
    Prefetch,
    /// Build the binary of the packages once more, from a copy of the sources in another place: the bytes have to be the
    /// same
    Reproduce,
    /// Start real Crossplane with the function on a control plane on this machine, and print how to reach it
    Up,
    /// End what `up` started
    Down,
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().task {
        Task::Generate => generate::run(),
        Task::Package(arguments) => package::run(&arguments),
        Task::Prefetch => prefetch::run(),
        Task::Reproduce => reproduce::run(),
        Task::Up => playground::run("up"),
        Task::Down => playground::run("down"),
    }
}

/// Tells the person at the terminal what goes on.
#[expect(clippy::print_stderr, reason = "a chore talks to the person who started it")]
fn say(message: &str) {
    eprintln!("xtask: {message}");
}
