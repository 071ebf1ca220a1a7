//! The log: JSON lines on stderr, as the official SDKs write them.

use std::io;
use std::panic;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

/// Crates under the server whose debug output (every HTTP/2 frame) would bury our own.
const TRANSPORT: [&str; 6] = ["h2", "hyper", "hyper_util", "rustls", "tonic", "tower"];

/// Starts the log of this process.
pub(super) fn start(debug: bool) {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        // The layer below decides.
        .with_max_level(LevelFilter::TRACE)
        .with_writer(io::stderr)
        .finish()
        .with(levels(debug));
    // Refused only where the process already has a log, which then serves as well.
    let _ = tracing::subscriber::set_global_default(subscriber);
    panic::set_hook(Box::new(log_panic));
}

fn levels(debug: bool) -> Targets {
    if !debug {
        return Targets::new().with_default(LevelFilter::INFO);
    }
    Targets::new()
        .with_default(LevelFilter::DEBUG)
        .with_targets(TRANSPORT.map(|target| (target, LevelFilter::INFO)))
}

/// The place alone: a panic's message may quote the request, whose contents are never logged.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    tracing::error!(location, "panicked");
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn debug_is_for_our_own_words() {
        let cases = [
            (false, "function_inference", Level::INFO, true, "what operators read by default"),
            (false, "function_inference", Level::DEBUG, false, "a line per call is asked for, not given"),
            (true, "function_inference::server", Level::DEBUG, true, "it was asked for"),
            (true, "h2::codec", Level::DEBUG, false, "a line per frame helps nobody"),
            (true, "h2::codec", Level::WARN, true, "its warnings do"),
            (true, "tonic::transport::server", Level::DEBUG, false, "connections come and go"),
        ];
        for (debug, target, level, want, reason) in cases {
            assert_eq!(levels(debug).would_enable(target, &level), want, "{reason}");
        }
    }
}
