//! Clients that mean no good, or are gone without a word: everybody else is served meanwhile.
//!
//! HTTP/2 is written by hand here: no client library does such things. Numbers are those of RFC 9113.

use std::net::SocketAddr;
use std::time::Duration;

use function_inference::server::Options;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{RUN_FUNCTION, Running, echo, options, request, soon};

/// Many more than a connection may have at a time.
const FLOOD: u32 = 5000;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Types of frames.
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
/// A flag of those with headers.
const END_HEADERS: u8 = 4;
/// Reasons.
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;
/// The largest frame there may be unless more is agreed on.
const FRAME: usize = 16 * 1024;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A header whose name and value are written out (RFC 7541, 6.2.2).
fn header(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// The headers of a call.
fn call() -> Vec<u8> {
    [
        header(":method", "POST"),
        header(":scheme", "http"),
        header(":path", RUN_FUNCTION),
        header(":authority", "test"),
        header("content-type", "application/grpc"),
        header("te", "trailers"),
    ]
    .concat()
}

/// The streams that a client may open, in order.
fn streams() -> impl Iterator<Item = u32> {
    (0..FLOOD).map(|number| 2 * number + 1)
}

/// A connection that says hello and then all of this.
async fn connect(address: SocketAddr, then: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), then].concat()).await.unwrap();
    stream
}

/// What the server sends until a frame that is looked for, or the end: the kind of each frame, and the last number in
/// it, which is the reason of those that have one.
async fn heard(stream: &mut TcpStream, until: impl Fn(u8, u32) -> bool) -> Vec<(u8, u32)> {
    let mut frames = Vec::new();
    let mut head = [0; 9];
    while stream.read_exact(&mut head).await.is_ok() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        if stream.read_exact(&mut payload).await.is_err() {
            break;
        }
        let reason = match head[3] {
            RST_STREAM => payload[..4].try_into().map_or(0, u32::from_be_bytes),
            GOAWAY => payload[4..8].try_into().map_or(0, u32::from_be_bytes),
            _ => 0,
        };
        frames.push((head[3], reason));
        if until(head[3], reason) {
            break;
        }
    }
    frames
}

async fn is_served(server: &Running) {
    let answer = soon(server.client().run_function(request("well-behaved"))).await.unwrap().into_inner();
    assert_eq!(answer.meta.unwrap().tag, "well-behaved");
}

#[tokio::test]
async fn calls_that_never_send_their_request_hold_nobody_up() {
    let server = Running::start(echo(), &options()).await;
    let started: Vec<u8> =
        streams().flat_map(|stream| frame(HEADERS, END_HEADERS, stream, &call())).collect();
    let mut flood = connect(server.address, &started).await;
    let is_refused =
        |kind, reason| matches!((kind, reason), (RST_STREAM, REFUSED_STREAM) | (GOAWAY, ENHANCE_YOUR_CALM));
    let frames = soon(heard(&mut flood, is_refused)).await;
    let last = frames.last().copied();
    assert!(last.is_some_and(|(kind, reason)| is_refused(kind, reason)), "nothing limits them: {last:?}");
    is_served(&server).await;
}

#[tokio::test]
async fn calls_that_are_reset_at_once_end_their_connection_and_no_other() {
    let server = Running::start(echo(), &options()).await;
    let resets: Vec<u8> = streams()
        .flat_map(|stream| {
            let reset = frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
            [frame(HEADERS, END_HEADERS, stream, &call()), reset].concat()
        })
        .collect();
    let mut flood = connect(server.address, &resets).await;
    let frames = soon(heard(&mut flood, |kind, _| kind == GOAWAY)).await;
    assert_eq!(frames.last(), Some(&(GOAWAY, ENHANCE_YOUR_CALM)), "{frames:?}");
    is_served(&server).await;
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let server = Running::start(echo(), &options()).await;
    // A megabyte of them, for one call.
    let filling = header("x-filling", &"x".repeat(100)).repeat(FRAME / 120);
    let mut headers = frame(HEADERS, 0, 1, &call());
    for _ in 0..64 {
        headers.extend(frame(CONTINUATION, 0, 1, &filling));
    }
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // It need not be read to its end.
    let _ = stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &headers].concat()).await;
    let frames = soon(heard(&mut stream, |kind, _| kind == GOAWAY || kind == RST_STREAM)).await;
    assert!(!frames.iter().any(|(kind, _)| *kind == HEADERS), "it is no call: {frames:?}");
    is_served(&server).await;
    assert_eq!(server.handled("OK").await, "1", "and the only call that was answered is another's");
}

#[tokio::test]
async fn connections_that_say_nothing_or_half_of_it_hold_nobody_up() {
    let server = Running::start(echo(), &options()).await;
    let mut silent = Vec::new();
    for number in 0..200 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        if number % 2 == 0 {
            stream.write_all(&PREFACE[..16]).await.unwrap();
        }
        silent.push(stream);
    }
    is_served(&server).await;
    drop(silent);
}

#[tokio::test]
async fn who_does_not_answer_pings_is_gone_and_who_does_stays() {
    let keepalive = Duration::from_millis(500);
    let server = Running::start(echo(), &Options { keepalive, ..options() }).await;
    let mut client = server.client();
    soon(client.run_function(request("first"))).await.unwrap();
    let mut gone = connect(server.address, &[]).await;
    // Until the end: the server sends pings and hangs up.
    let frames = soon(heard(&mut gone, |_, _| false)).await;
    assert!(!frames.is_empty(), "it greets first");
    soon(client.run_function(request("second"))).await.unwrap();
}
