//! A function of this process, in the place of one that is in no Go module: real Crossplane calls it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use function_inference::protocol::view::{ResponseMeta, RunFunctionRequest, RunFunctionResponse};
use function_inference::server::{MessageSize, Options, Server, Transport, limits, shutdown};
use tokio::task::JoinHandle;

use super::ControlPlane;

/// What it says to a call.
pub type Answer = fn(&RunFunctionRequest) -> RunFunctionResponse;

/// The function, as it runs. It ends when dropped.
#[derive(Debug)]
pub struct Played {
    /// Where it listens.
    pub endpoint: SocketAddr,
    serving: JoinHandle<()>,
    _running: shutdown::Trigger,
}

impl Played {
    /// Starts it as Crossplane calls functions: with certificates of this run's authority.
    pub async fn start(control_plane: &ControlPlane, name: &str, answer: Answer) -> Result<Self> {
        let authority = &control_plane.authority;
        let certificates = authority.folder(control_plane.dir.join(name), &authority.server()?)?;
        Self::serve(Transport::MutualTls(certificates), answer).await
    }

    /// Starts it as `crossplane render` calls functions that run already.
    pub async fn start_insecure(answer: Answer) -> Result<Self> {
        Self::serve(Transport::Insecure, answer).await
    }

    async fn serve(transport: Transport, answer: Answer) -> Result<Self> {
        let options = Options {
            address: "127.0.0.1:0".parse()?,
            transport,
            max_recv_message_size: MessageSize::DEFAULT,
            max_in_flight_size: MessageSize::IN_FLIGHT,
            stall: limits::STALL,
            at_once: limits::AT_ONCE,
            keepalive: limits::KEEPALIVE,
            certificate_looks: limits::CERTIFICATE_LOOKS,
            metrics_address: None,
            grace: limits::GRACE,
        };
        let server = Server::bind(Arc::new(move |request| answer(&request).into()), &options).await?;
        let endpoint = server.address();
        let (running, stopped) = shutdown::channel();
        // Whether it failed is seen by what is not composed.
        let serving = tokio::spawn(async move { drop(server.serve(stopped).await) });
        Ok(Self { endpoint, serving, _running: running })
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What every function answers to begin with: all that other steps said.
pub fn passed_on(request: &RunFunctionRequest) -> RunFunctionResponse {
    RunFunctionResponse {
        meta: Some(ResponseMeta::new(request.tag(), limits::GRACE)),
        desired: request.desired.clone(),
        context: request.context.clone(),
        ..RunFunctionResponse::default()
    }
}
