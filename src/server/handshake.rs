//! Connections over TLS: each is accepted, and handed on once its handshake is done.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::codegen::tokio_stream::StreamExt;
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;

use super::limits;
use super::tls::Certificates;

/// Connections whose handshake is done, waiting to be served.
const WAITING: usize = 16;

/// Everything that comes in and shows a certificate of ours. Ends when nobody takes connections any more.
pub(super) fn secured(
    incoming: TcpIncoming,
    certificates: Arc<Certificates>,
) -> ReceiverStream<io::Result<TlsStream<TcpStream>>> {
    let (sender, connections) = channel(WAITING);
    tokio::spawn(async move {
        tokio::select! {
            () = accept(incoming, &certificates, &sender) => {}
            () = sender.closed() => {}
        }
    });
    ReceiverStream::new(connections)
}

async fn accept(
    mut incoming: TcpIncoming,
    certificates: &Certificates,
    connections: &Sender<io::Result<TlsStream<TcpStream>>>,
) {
    while let Some(accepted) = incoming.next().await {
        let stream = match accepted {
            Ok(stream) => stream,
            Err(error) => {
                // Out of file descriptors, say: to ask again at once would only spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, connections) = (TlsAcceptor::from(certificates.config()), connections.clone());
        // Beside each other: a client that is slow with its handshake only holds a socket.
        tokio::spawn(async move {
            match timeout(limits::HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // An error means that nobody serves any more.
                    let _ = connections.send(Ok(stream)).await;
                }
                // The only word on a client that is refused: Crossplane itself says that the deadline is exceeded. Not
                // without `--debug`, since a TCP probe is a handshake that fails too.
                Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                Err(_) => tracing::debug!("a TLS handshake took too long"),
            }
        });
    }
}
