//! How much is worked on at once: a request waits, before more than its head is read, until there is room for it.
//!
//! Memory is what a flood of large requests takes first, and a call that waits is better than one that fails. A request
//! tells its length in its first five bytes, so room for the whole of it is taken at once: requests that each hold a
//! part of the room and wait for more of it could wait for each other forever.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{Request, Response};
use tonic::server::NamedService;

use super::limits::MessageSize;

/// A flag and four bytes of length (grpc/grpc, `doc/PROTOCOL-HTTP2.md`, Length-Prefixed-Message).
const PREFIX: usize = 5;

/// What room is counted in: a semaphore counts in 32 bits, and the largest message has 33.
const UNIT: usize = 1024;

/// A service whose requests take room.
#[derive(Debug, Clone)]
pub(super) struct Admitted<S> {
    service: S,
    room: Arc<Semaphore>,
    /// All there is, in [`UNIT`]s. A request that is larger waits until it is alone.
    units: u32,
    stall: Duration,
}

impl<S> Admitted<S> {
    pub(super) fn new(service: S, room: MessageSize, stall: Duration) -> Self {
        let units = u32::try_from(room.bytes() / UNIT).unwrap_or(u32::MAX).max(1);
        Self { service, room: Arc::new(Semaphore::new(units as usize)), units, stall }
    }
}

impl<S: NamedService> NamedService for Admitted<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Admitted<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone has not been asked whether it is ready; the one that has goes along.
        let next = self.service.clone();
        let mut service = std::mem::replace(&mut self.service, next);
        let (room, all, stall) = (Arc::clone(&self.room), self.units, self.stall);
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let mut body = Arriving::new(body, stall);
            let length = body.message_length().await;
            let units = u32::try_from(length.div_ceil(UNIT)).unwrap_or(u32::MAX).min(all);
            // Closed it never is; and without room to count there is still an answer to give.
            let held = room.acquire_many_owned(units).await.ok();
            body.still_waited_for();
            let response = service.call(Request::from_parts(parts, Body::new(body))).await?;
            // Until the last byte of the answer is on its way, or nobody wants it any more.
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _ = &held;
                    frame
                }))
            }))
        })
    }
}

/// A request's body, of which the first frames may have been looked at. It must not stop halfway: what it holds, others
/// wait for.
struct Arriving {
    seen: VecDeque<Frame<Bytes>>,
    rest: Body,
    stall: Duration,
    stalled: Pin<Box<Sleep>>,
}

impl Arriving {
    fn new(rest: Body, stall: Duration) -> Self {
        Self { seen: VecDeque::new(), rest, stall, stalled: Box::pin(sleep(stall)) }
    }

    /// Begins to count anew.
    fn still_waited_for(&mut self) {
        let deadline = Instant::now() + self.stall;
        self.stalled.as_mut().reset(deadline);
    }

    /// The length that the message says it has; zero where there is no message. What is wrong with a body is for
    /// whoever reads it.
    async fn message_length(&mut self) -> usize {
        let mut seen = VecDeque::new();
        let mut prefix = Vec::with_capacity(PREFIX);
        while prefix.len() < PREFIX
            && let Some(Ok(frame)) = self.frame().await
        {
            if let Some(data) = frame.data_ref() {
                prefix.extend(data.iter().take(PREFIX - prefix.len()));
            }
            seen.push_back(frame);
        }
        self.seen = seen;
        let mut prefix = prefix.as_slice();
        if prefix.len() < PREFIX {
            return 0;
        }
        prefix.advance(PREFIX - size_of::<u32>());
        prefix.get_u32() as usize
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(frame) = self.seen.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.rest).poll_frame(context) {
            self.still_waited_for();
            return Poll::Ready(frame);
        }
        ready!(self.stalled.as_mut().poll(context));
        Poll::Ready(Some(Err(Status::deadline_exceeded(format!(
            "nothing of the request came for {:?}",
            self.stall
        )))))
    }
}
