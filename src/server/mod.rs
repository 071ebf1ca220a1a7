//! The gRPC server, as an official SDK's looks from outside. The only room that knows tonic.
//!
//! It moves bytes and counts; what a request means it does not know.

use std::convert::Infallible;
use std::future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic_health::server::HealthReporter;

use self::admission::Admitted;
use self::metrics::{Metrics, listener};
use self::service::Runner;
use self::tls::Certificates;
use crate::protocol::service::function_runner_service_server::FunctionRunnerServiceServer;

mod address;
mod admission;
mod handshake;
mod health;
pub mod limits;
mod metrics;
mod reflection;
mod service;
pub mod shutdown;
mod tls;

pub use address::{Address, AddressError};
pub use limits::{MessageSize, MessageSizeError};
pub use service::{Answered, Function};
pub use shutdown::Shutdown;
pub use tls::TlsError;

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where Crossplane calls.
    pub address: Address,
    /// Who may call.
    pub transport: Transport,
    /// The largest request.
    pub max_recv_message_size: MessageSize,
    /// What all requests that are worked on may have together. Beyond it, calls wait.
    pub max_in_flight_size: MessageSize,
    /// How long a request may stop on its way.
    pub stall: Duration,
    /// Up to how many bytes a request is answered by the thread that has read it.
    pub at_once: usize,
    /// How long a connection may be silent before its client is asked whether it is there, and how long the answer may
    /// take.
    pub keepalive: Duration,
    /// How often the certificates are looked at.
    pub certificate_looks: Duration,
    /// Where Prometheus scrapes, if it does.
    pub metrics_address: Option<Address>,
    /// How long running calls may take after the first request to stop.
    pub grace: Duration,
}

/// Who may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Everybody, in the clear.
    Insecure,
    /// Clients with a certificate that `ca.crt` in this directory signed; `tls.crt` and `tls.key` are the server's.
    MutualTls(PathBuf),
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Certificates are missing or do not fit.
    #[error("cannot set up TLS")]
    Tls(#[from] TlsError),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: Address,
        /// Why.
        source: std::io::Error,
    },
    /// A descriptor set that was built in is broken.
    #[error("cannot describe the services")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The transport failed as a whole; what happens to one connection is not an error here.
    #[error("cannot serve")]
    Serve(#[from] tonic::transport::Error),
}

/// A server that already listens: calls that come in wait until it serves.
#[derive(Debug)]
pub struct Server {
    builder: tonic::transport::Server,
    routes: Routes,
    listener: TcpListener,
    address: SocketAddr,
    /// Mutual TLS with these, or none.
    certificates: Option<Arc<Certificates>>,
    certificate_looks: Duration,
    grace: Duration,
    health: HealthReporter,
    metrics: Metrics,
    metrics_listener: Option<(TcpListener, SocketAddr)>,
}

impl Server {
    /// Reads certificates and starts to listen.
    ///
    /// Metrics that cannot be had, because their port is taken, say, are no reason not to serve, as in the SDKs.
    pub async fn bind(function: Function, options: &Options) -> Result<Self, ServerError> {
        let Options {
            address,
            transport,
            max_recv_message_size,
            max_in_flight_size,
            stall,
            at_once,
            keepalive,
            certificate_looks,
            metrics_address,
            grace,
        } = options;
        let builder = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(*keepalive))
            .http2_keepalive_timeout(Some(*keepalive))
            .max_concurrent_streams(limits::STREAMS)
            .initial_stream_window_size(limits::STREAM_WINDOW)
            .initial_connection_window_size(limits::CONNECTION_WINDOW);
        let certificates = match transport {
            Transport::Insecure => None,
            Transport::MutualTls(directory) => Some(Arc::new(Certificates::read(directory)?)),
        };

        let metrics = Metrics::new();
        let (health, health_service) = health::serving().await;
        let runner = FunctionRunnerServiceServer::new(Runner {
            function,
            at_once: *at_once,
            metrics: metrics.clone(),
        })
        .max_decoding_message_size(max_recv_message_size.bytes());
        let routes = Routes::new(Admitted::new(runner, *max_in_flight_size, *stall))
            .add_service(health_service)
            .add_service(reflection::current()?)
            .add_service(reflection::alpha()?);

        let listen_error = |source| ServerError::Listen { address: address.clone(), source };
        let listener = address.listen().await.map_err(listen_error)?;
        let local_address = listener.local_addr().map_err(listen_error)?;
        let metrics_listener = match metrics_address {
            Some(address) => listen_for_scrapes(address).await,
            None => None,
        };
        Ok(Self {
            builder,
            routes,
            listener,
            address: local_address,
            certificates,
            certificate_looks: *certificate_looks,
            grace: *grace,
            health,
            metrics,
            metrics_listener,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it can be scraped.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_listener.as_ref().map(|(_, address)| *address)
    }

    /// Serves until it is told to stop and running calls have ended, their grace is over, or it is told again.
    pub async fn serve(self, mut shutdown: Shutdown) -> Result<(), ServerError> {
        let Self {
            builder,
            routes,
            listener,
            address,
            certificates,
            certificate_looks,
            grace,
            health,
            metrics,
            metrics_listener,
        } = self;
        tracing::info!(
            %address,
            tls = if certificates.is_some() { "mutual" } else { "off" },
            metrics = metrics_listener.as_ref().map(|(_, address)| tracing::field::display(address)),
            version = env!("CARGO_PKG_VERSION"),
            "serving"
        );

        // Scrapes are answered for as long as calls are, and no longer.
        let scrapes = async {
            match metrics_listener {
                Some((listener, _)) => listener::serve(listener, metrics.registry()).await,
                None => future::pending().await,
            }
        };
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // Dropped without a word is no reason to go on either.
            let _ = stopped.await;
        };
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let router = builder.layer(metrics.calls.clone()).add_routes(routes);
        let renewals = renew(certificates.clone(), certificate_looks);
        let calls = async {
            match certificates {
                None => router.serve_with_incoming_shutdown(incoming, stopped).await,
                Some(certificates) => {
                    let incoming = handshake::secured(incoming, certificates);
                    router.serve_with_incoming_shutdown(incoming, stopped).await
                }
            }
        };
        let stop_politely = async {
            shutdown.requested().await;
            tracing::info!("stopping: no new calls, running ones may finish");
            health::stopping(&health).await;
            let _ = stop.send(());
            tokio::select! {
                () = time::sleep(grace) => tracing::warn!("stopped with calls running: their time is over"),
                () = shutdown.requested() => tracing::warn!("stopped with calls running: told to stop again"),
            }
        };

        tokio::select! {
            result = calls => {
                result?;
                tracing::info!("stopped");
            }
            () = stop_politely => {}
            never = scrapes => match never {},
            never = renewals => match never {},
        }
        Ok(())
    }
}

/// Looks now and then whether the certificates were renewed, and whether they should have been.
async fn renew(certificates: Option<Arc<Certificates>>, every: Duration) -> Infallible {
    let Some(certificates) = certificates else { return future::pending().await };
    warn_of_expiry(&certificates);
    let mut looks = time::interval(every);
    let mut since_warning = Duration::ZERO;
    loop {
        looks.tick().await;
        since_warning += every;
        match certificates.reload() {
            Ok(true) => tracing::info!("the certificates have changed: new connections are made with them"),
            Ok(false) if since_warning < limits::EXPIRY_WARNINGS => continue,
            Ok(false) => {}
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "cannot use the changed certificates: the former ones stay");
                continue;
            }
        }
        warn_of_expiry(&certificates);
        since_warning = Duration::ZERO;
    }
}

fn warn_of_expiry(certificates: &Certificates) {
    if let Some(left) = certificates.valid_for().filter(|left| *left < limits::EXPIRY_AHEAD) {
        tracing::warn!(
            days = left.as_secs() / (24 * 60 * 60),
            "the server's certificate expires soon: renew it"
        );
    }
}

async fn listen_for_scrapes(address: &Address) -> Option<(TcpListener, SocketAddr)> {
    let listen = async {
        let listener = address.listen().await?;
        let local_address = listener.local_addr()?;
        Ok::<_, io::Error>((listener, local_address))
    };
    listen
        .await
        .inspect_err(|error| tracing::error!(%address, %error, "cannot listen for scrapes: no metrics"))
        .ok()
}
