//! Servers that do less than the function, for it to be held against.
//!
//! Both answer with the bytes that the function answers with, run on the same runtime and use the same allocator.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use anyhow::Result;
use bytes::Bytes;
use clap::ValueEnum;
use function_inference::protocol::official::{RunFunctionRequest, RunFunctionResponse};
use prost::Message;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

/// Above every workload.
const MESSAGE_LIMIT: usize = 64 * 1024 * 1024;

/// What a baseline does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Baseline {
    /// Reads and writes the official messages whole: what a function costs that does nothing.
    Decoding,
    /// Reads and writes the same with every message field as bytes: what a call costs at least.
    Bytes,
}

/// A request of which nothing is read.
#[derive(Clone, PartialEq, Message)]
struct OpaqueRequest {
    #[prost(bytes = "bytes", tag = "1")]
    meta: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    observed: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    desired: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "4")]
    input: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    context: Bytes,
}

/// A response that was written before.
#[derive(Clone, PartialEq, Message)]
struct OpaqueResponse {
    #[prost(bytes = "bytes", tag = "1")]
    meta: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    desired: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    results: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "4")]
    context: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    conditions: Vec<Bytes>,
}

/// Serves until the process ends. `answer` is what the function says where there is nothing but its own.
pub async fn serve(baseline: Baseline, address: SocketAddr, answer: Vec<u8>) -> Result<()> {
    let answer = Bytes::from(answer);
    // Without a delay, as the function does.
    let incoming = TcpIncoming::bind(address)?.with_nodelay(Some(true));
    let mut server = tonic::transport::Server::builder();
    match baseline {
        Baseline::Decoding => {
            let mut own = RunFunctionResponse::decode(answer)?;
            let wanted = own.desired.take().unwrap_or_default();
            let echo = Echo::new(move |request: RunFunctionRequest| {
                let mut desired = request.desired.unwrap_or_default();
                desired.composite.clone_from(&wanted.composite);
                desired.resources.extend(wanted.resources.clone());
                RunFunctionResponse { desired: Some(desired), context: request.context, ..own.clone() }
            });
            server.add_service(echo).serve_with_incoming(incoming).await?;
        }
        Baseline::Bytes => {
            let own = OpaqueResponse::decode(answer)?;
            let echo = Echo::new(move |request: OpaqueRequest| {
                let mut answer = own.clone();
                // Encodings of one message that follow each other merge.
                answer.desired.splice(0..0, request.desired);
                answer.context = request.context;
                answer
            });
            server.add_service(echo).serve_with_incoming(incoming).await?;
        }
    }
    Ok(())
}

/// One unary method on the function's path.
struct Echo<Req, Res>(Arc<dyn Fn(Req) -> Res + Send + Sync>);

impl<Req, Res> Echo<Req, Res> {
    fn new(answer: impl Fn(Req) -> Res + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }
}

impl<Req, Res> Clone for Echo<Req, Res> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Req, Res> NamedService for Echo<Req, Res> {
    const NAME: &'static str = function_inference::protocol::service::SERVICE_NAME;
}

impl<Req, Res> UnaryService<Req> for Echo<Req, Res> {
    type Response = Res;
    type Future = std::future::Ready<Result<Response<Res>, Status>>;

    fn call(&mut self, request: Request<Req>) -> Self::Future {
        std::future::ready(Ok(Response::new((self.0)(request.into_inner()))))
    }
}

impl<Req, Res> Service<http::Request<Body>> for Echo<Req, Res>
where
    Req: Message + Default + Send + 'static,
    Res: Message + Default + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move {
            let mut grpc = Grpc::new(ProstCodec::<Res, Req>::default())
                .apply_max_message_size_config(Some(MESSAGE_LIMIT), Some(MESSAGE_LIMIT));
            Ok(grpc.unary(echo, request).await)
        })
    }
}
