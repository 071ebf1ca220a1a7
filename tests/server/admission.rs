//! Many and large requests: beyond a bound they wait, none fails, and memory stays within what the bound means.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use function_inference::protocol::view::{ResponseMeta, RunFunctionResponse};
use function_inference::server::{Function, Options};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::http::Request;
use tonic::codegen::tokio_stream::wrappers::UnboundedReceiverStream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{BOUND, Gate, RUN_FUNCTION, Running, echo, options, request, soon};

const MIB: usize = 1024 * 1024;

fn room(size: &str) -> Options {
    Options { max_in_flight_size: size.parse().unwrap(), ..options() }
}

/// Answers with the tag, and notes how many requests of what size it ever had at the same time.
fn counting() -> (Arc<AtomicUsize>, Function) {
    let (running, most) = (Mutex::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let function: Function = Arc::new(move |request| {
        let now = {
            let mut running = running.lock().unwrap();
            *running += 1;
            *running
        };
        seen.fetch_max(now, Ordering::SeqCst);
        // Others may come in meanwhile, if they are let.
        std::thread::yield_now();
        let meta = ResponseMeta { tag: request.tag().to_owned(), ttl: None };
        *running.lock().unwrap() -= 1;
        RunFunctionResponse { meta: Some(meta), ..RunFunctionResponse::default() }.into()
    });
    (most, function)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_large_calls_wait_for_each_other_and_none_fails() {
    let (most, function) = counting();
    let server = Running::start(function, &room("8MiB")).await;
    let client = server.client().max_decoding_message_size(8 * MIB);
    let mut calls = JoinSet::new();
    for call in 0..100 {
        let mut client = client.clone();
        calls.spawn(async move {
            let tag = format!("{call} {}", "x".repeat(4 * MIB - 1024));
            let response = client.run_function(request(&tag)).await.unwrap().into_inner();
            assert!(response.meta.unwrap().tag == tag, "the answer is another call's");
        });
    }
    while let Some(call) = tokio::time::timeout(4 * BOUND, calls.join_next()).await.unwrap() {
        call.unwrap();
    }
    let most = most.load(Ordering::SeqCst);
    assert!((1..=2).contains(&most), "there is room for two, and {most} were there");
}

#[tokio::test]
async fn while_there_is_no_room_small_calls_wait_and_health_does_not() {
    let (mut gate, function) = Gate::new();
    let server = Running::start(function, &room("1MiB")).await;
    let call = |tag: String| {
        let mut client = server.client();
        tokio::spawn(async move { client.run_function(request(&tag)).await.map(drop) })
    };
    let large = call("x".repeat(3 * MIB));
    gate.arrival().await;
    let small = call("small".to_owned());
    let mut health = HealthClient::new(server.channel());
    soon(health.check(HealthCheckRequest::default())).await.unwrap();
    assert!(!small.is_finished(), "a request above the bound is worked on alone");

    gate.open();
    soon(large).await.unwrap().unwrap();
    soon(small).await.unwrap().unwrap();
    assert_eq!(gate.arrival().await, "small");
}

#[tokio::test]
async fn more_waiting_calls_than_a_connection_has_window_for_leave_room_for_the_one_they_wait_for() {
    // What waits may be half received. If that used up the connection's window, nothing would ever be whole.
    let server = Running::start(echo(), &room("1MiB")).await;
    let client = server.client().max_decoding_message_size(8 * MIB);
    let mut calls = JoinSet::new();
    for _ in 0..64 {
        let mut client = client.clone();
        calls.spawn(async move { client.run_function(request(&"x".repeat(MIB))).await.map(drop) });
    }
    while let Some(call) = tokio::time::timeout(4 * BOUND, calls.join_next()).await.unwrap() {
        call.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_request_that_stops_halfway_gives_its_room_back() {
    let options = Options { stall: std::time::Duration::from_millis(200), ..room("1MiB") };
    let server = Running::start(echo(), &options).await;
    let (frames, body) = mpsc::unbounded_channel();
    let started = Request::post(RUN_FUNCTION)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Body::new(http_body_util::StreamBody::new(UnboundedReceiverStream::new(body))))
        .unwrap();
    // A message of one MiB, of which three bytes come.
    let start = [&[0][..], &u32::try_from(MIB).unwrap().to_be_bytes(), b"abc"].concat();
    frames.send(Ok::<_, tonic::Status>(hyper::body::Frame::data(Bytes::from(start)))).unwrap();
    let mut channel = server.channel();
    std::future::poll_fn(|context| GrpcService::<Body>::poll_ready(&mut channel, context)).await.unwrap();
    let stopped = tokio::spawn(GrpcService::call(&mut channel, started));

    soon(server.client().run_function(request(&"x".repeat(MIB - 64)))).await.expect("there is room again");
    let answer = soon(stopped).await.unwrap().unwrap();
    let status = answer.headers().get("grpc-status").map(|status| status.to_str().unwrap().to_owned());
    assert_eq!(status, Some((Code::DeadlineExceeded as i32).to_string()), "{answer:?}");
    drop(frames);
}
