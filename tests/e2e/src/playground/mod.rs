//! A control plane for a person to play with: what `cargo xtask up` starts and `cargo xtask down` ends.
//!
//! `up` prepares everything where it can be seen and interrupted, then starts this program once more, as a server
//! without a terminal, and stays until that is ready. The server is the parent of all other processes, which end with
//! it however it ends. It holds a lock for as long as it lives, so who finds the lock free knows that nothing runs.

mod place;
mod serve;
mod up;

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::{Signal, kill_process};

use crate::run_dir;

pub use place::Place;
pub use serve::serve;
pub use up::up;

/// How long the server may take to end its processes and remove its files: moments, and as long as a start that it
/// cannot interrupt.
const END_LIMIT: Duration = Duration::from_mins(1);

/// Ends what runs, and removes what a server that was killed left behind.
pub fn down() -> Result<()> {
    let place = Place::find()?;
    if let Some(server) = place.server()? {
        let ended = [Signal::TERM, Signal::KILL].into_iter().any(|signal| {
            // Gone in between is what was asked for.
            let _ = kill_process(server, signal);
            place.is_free_within(END_LIMIT)
        });
        ensure!(ended, "process {server:?} does not end");
        say("ended");
    } else {
        say("nothing runs");
    }
    place.clear()?;
    run_dir::tidy()
}

/// Tells the person at the terminal what goes on.
#[expect(clippy::print_stderr, reason = "a chore talks to the person who started it")]
fn say(message: &str) {
    eprintln!("playground: {message}");
}
