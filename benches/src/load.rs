//! Calls over a socket, as Crossplane makes them: one connection, many streams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::{Buf, BufMut, Bytes};
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

/// The function's only method.
const METHOD: &str = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction";

/// Above every workload.
const MESSAGE_LIMIT: usize = 64 * 1024 * 1024;

/// How long each of some calls took, in order of length.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// The length that this share of the calls did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a list of some thousands"
        )]
        let index = (share * self.0.len() as f64) as usize;
        self.0.get(index.min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// How many calls there were.
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds those of another round.
    pub fn add(&mut self, others: Self) {
        self.0.extend(others.0);
        self.0.sort_unstable();
    }
}

/// A connection to a server.
#[derive(Debug, Clone)]
pub struct Caller {
    address: SocketAddr,
    channel: Channel,
}

impl Caller {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?
            .connect()
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        Ok(Self { address, channel })
    }

    /// Another connection to the same server.
    pub async fn again(&self) -> Result<Self> {
        Self::connect(self.address).await
    }

    /// One call. Returns the size of the answer.
    pub async fn call(&self, request: Bytes) -> Result<usize> {
        let mut grpc = Grpc::new(self.channel.clone())
            .max_decoding_message_size(MESSAGE_LIMIT)
            .max_encoding_message_size(MESSAGE_LIMIT);
        grpc.ready().await?;
        let path = PathAndQuery::from_static(METHOD);
        let response = grpc.unary(tonic::Request::new(request), path, Whole).await?;
        Ok(response.into_inner())
    }

    /// That many calls, with these requests in turn, no more than `concurrency` at a time.
    pub async fn calls(&self, requests: &[Bytes], count: usize, concurrency: usize) -> Result<Latencies> {
        let requests: Arc<[Bytes]> = requests.into();
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..concurrency {
            let (caller, requests, next) = (self.clone(), Arc::clone(&requests), Arc::clone(&next));
            tasks.spawn(async move {
                let mut taken = Vec::new();
                let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for (_, request) in numbers.take_while(|number| *number < count).zip(requests.iter().cycle())
                {
                    let started = Instant::now();
                    caller.call(request.clone()).await?;
                    taken.push(started.elapsed());
                }
                anyhow::Ok(taken)
            });
        }
        let mut all = Latencies::default();
        while let Some(taken) = tasks.join_next().await {
            all.0.extend(taken??);
        }
        all.0.sort_unstable();
        Ok(all)
    }
}

/// Messages that were encoded before, and answers of which only the size counts: the client costs as little as it can.
#[derive(Debug, Clone, Copy)]
struct Whole;

impl Codec for Whole {
    type Encode = Bytes;
    type Decode = usize;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Whole {
    type Item = usize;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<usize>, Status> {
        let size = buffer.remaining();
        buffer.advance(size);
        Ok(Some(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_taken_from_the_calls_themselves() {
        let mut latencies = Latencies((1..=100).map(Duration::from_millis).collect());
        assert_eq!(latencies.quantile(0.5), Duration::from_millis(51));
        assert_eq!(latencies.quantile(0.99), Duration::from_millis(100));
        latencies.add(Latencies(vec![Duration::ZERO]));
        assert_eq!(latencies.quantile(0.0), Duration::ZERO);
        assert_eq!(Latencies::default().quantile(0.5), Duration::ZERO, "no calls, no time");
    }
}
