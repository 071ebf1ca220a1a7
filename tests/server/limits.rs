//! What is no request: too large, or not a message at all. The only two gRPC errors with a healthy function.

use bytes::Bytes;
use function_inference::server::Options;
use tonic::Code;

use crate::support::{RUN_FUNCTION, Running, call_raw, echo, options, request, soon};

const KIB: usize = 1024;

#[tokio::test]
async fn a_request_above_the_limit_is_refused_with_both_sizes() {
    let options = Options { max_recv_message_size: "64KiB".parse().unwrap(), ..options() };
    let server = Running::start(echo(), &options).await;
    let mut client = server.client();
    // A tag has its own key and length in front, and its message's: 4 bytes each at this size.
    let overhead = 8;

    let largest = request(&"x".repeat(64 * KIB - overhead));
    soon(client.run_function(largest)).await.expect("a request may be as large as the limit");

    let status = soon(client.run_function(request(&"x".repeat(64 * KIB - overhead + 1)))).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange);
    for size in ["65536", "65537"] {
        assert!(status.message().contains(size), "{}", status.message());
    }

    soon(client.run_function(request("small"))).await.expect("the connection has survived");
    assert_eq!(server.handled("OutOfRange").await, "1");
}

#[tokio::test]
async fn a_request_far_above_the_limit_is_refused_before_it_is_received() {
    let server = Running::start(echo(), &options()).await;
    let mut client = server.client();
    let status = soon(client.run_function(request(&"x".repeat(40 * KIB * KIB)))).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    soon(client.run_function(request("small"))).await.unwrap();
}

#[tokio::test]
async fn by_default_a_request_may_have_more_than_grpcs_usual_4_mib() {
    let server = Running::start(echo(), &options()).await;
    let mut client = server.client().max_decoding_message_size(usize::MAX);
    soon(client.run_function(request(&"x".repeat(20 * KIB * KIB)))).await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_message_are_an_internal_error() {
    let server = Running::start(echo(), &options()).await;
    let cases: [(&'static [u8], &str); 3] = [
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "a key longer than keys can be"),
        (b"\x0a\x7f", "a length beyond the end"),
        (b"\x0a\x04\x0a\x02\xff\xfe", "a tag that is no text"),
    ];
    for (message, reason) in cases {
        let call = call_raw(server.channel(), RUN_FUNCTION, Bytes::from_static(message));
        let status = soon(call).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{reason}: {status:?}");
    }
    assert_eq!(server.handled("Internal").await, "3");
}

#[tokio::test]
async fn an_empty_request_is_a_request() {
    let server = Running::start(echo(), &options()).await;
    soon(call_raw(server.channel(), RUN_FUNCTION, Bytes::new())).await.expect("the function answers it");
}
