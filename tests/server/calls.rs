//! Calls: many, cancelled, and such that the function panics.

use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use function_inference::protocol::view::{ResponseMeta, RunFunctionResponse};
use function_inference::server::{Function, Options};
use tokio::task::JoinSet;
use tonic::Code;

use crate::support::{BOUND, Gate, Running, call_raw, echo, options, request, soon, touchy, until};

/// As many as Crossplane has in flight to one function and one kind of composite.
const AT_ONCE: usize = 100;

/// Answers nobody before everybody has called.
fn meeting(size: usize) -> Function {
    let met = Arc::new((Mutex::new(0), Condvar::new()));
    Arc::new(move |request| {
        let (count, changed) = &*met;
        let mut count = count.lock().unwrap();
        *count += 1;
        changed.notify_all();
        let (count, _) = changed.wait_timeout_while(count, BOUND, |count| *count < size).unwrap();
        assert_eq!(*count, size, "the others did not come");
        let meta = ResponseMeta { tag: request.tag().to_owned(), ttl: None };
        RunFunctionResponse { meta: Some(meta), ..RunFunctionResponse::default() }.into()
    })
}

#[tokio::test]
async fn a_hundred_calls_run_at_once_and_each_gets_its_own_answer() {
    let server = Running::start(meeting(AT_ONCE), &options()).await;
    let client = server.client();
    let mut calls = JoinSet::new();
    for call in 0..AT_ONCE {
        let mut client = client.clone();
        calls.spawn(async move {
            let tag = format!("call {call}");
            let response = client.run_function(request(&tag)).await.unwrap().into_inner();
            assert_eq!(response.meta.unwrap().tag, tag);
        });
    }
    while let Some(call) = soon(calls.join_next()).await {
        call.unwrap();
    }
    assert_eq!(server.handled("OK").await, AT_ONCE.to_string());
}

#[tokio::test]
async fn a_cancelled_call_leaves_it_serving() {
    let (mut gate, function) = Gate::new();
    let server = Running::start(function, &options()).await;
    let mut client = server.client();

    let mut impatient = client.clone();
    let call = tokio::spawn(async move { impatient.run_function(request("impatient")).await });
    assert_eq!(gate.arrival().await, "impatient");
    call.abort();
    until(async || server.handled("Canceled").await == "1").await;

    gate.open();
    let response = soon(client.run_function(request("patient"))).await.unwrap().into_inner();
    assert_eq!(response.meta.unwrap().tag, "patient");
    assert_eq!(server.handled("OK").await, "1", "a cancelled call is not an answered one");
}

#[tokio::test]
async fn a_panic_ends_its_call_and_no_other() {
    for at_once in [0, usize::MAX] {
        let server = Running::start(touchy(), &Options { at_once, ..options() }).await;
        let mut client = server.client();

        let status = soon(client.run_function(request("panic"))).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::Internal, "the function panicked: its log says where")
        );

        soon(client.run_function(request("calm"))).await.unwrap();
        assert_eq!(server.handled("Internal").await, "1");
    }
}

#[tokio::test]
async fn the_older_protocol_is_not_served() {
    // This is what makes Crossplane 1.16 and earlier say that the function is too young for them, and no other does.
    let server = Running::start(echo(), &options()).await;
    let path = "/apiextensions.fn.proto.v1beta1.FunctionRunnerService/RunFunction";
    let status = soon(call_raw(server.channel(), path, Bytes::new())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

/// The name of the thread that runs the function, by the size of the request.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn small_requests_are_answered_by_the_thread_that_has_read_them() {
    let (sender, threads) = std::sync::mpsc::channel();
    let function: Function = Arc::new(move |_| {
        let _ = sender.send(std::thread::current().id());
        RunFunctionResponse::default().into()
    });
    let server = Running::start(function, &Options { at_once: 1024, ..options() }).await;
    let mut client = server.client();
    let worker = tokio::spawn(async { std::thread::current().id() }).await.unwrap();
    for (size, at_once) in [(10, true), (4096, false), (10, true)] {
        soon(client.run_function(request(&"x".repeat(size)))).await.unwrap();
        assert_eq!(threads.recv().unwrap() == worker, at_once, "a tag of {size} bytes");
    }
}
