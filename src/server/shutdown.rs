//! Requests to stop: the first is kindly meant, the second is not.

use std::future;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Requests to stop, as they come in.
#[derive(Debug)]
pub struct Shutdown {
    requests: mpsc::Receiver<()>,
}

/// Asks a server to stop.
#[derive(Debug, Clone)]
pub struct Trigger {
    requests: mpsc::Sender<()>,
}

impl Trigger {
    /// Once: finish what is running. Twice: stop at once.
    pub fn stop(&self) {
        // Full means that two requests are waiting already, closed that the server is gone: nothing to add.
        let _ = self.requests.try_send(());
    }
}

/// Stops when told to from within the process.
pub fn channel() -> (Trigger, Shutdown) {
    let (sender, requests) = mpsc::channel(2);
    (Trigger { requests: sender }, Shutdown { requests })
}

/// Stops on SIGTERM, which Kubernetes sends, and SIGINT, which people send.
///
/// Must be called before the server listens: whoever sees it listen may send the signal right away, and a signal that
/// comes before there is a stream for it kills the process with calls running.
pub fn on_signals() -> io::Result<Shutdown> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (trigger, shutdown) = channel();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            trigger.stop();
        }
    });
    Ok(shutdown)
}

impl Shutdown {
    /// Waits for the next request to stop. Never ends when nobody can ask any more.
    pub(super) async fn requested(&mut self) {
        if self.requests.recv().await.is_none() {
            future::pending::<()>().await;
        }
    }
}
