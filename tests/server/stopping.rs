//! Stopping, from within the process. That signals do the same is for `process`.

use std::time::Duration;

use function_inference::server::Options;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Gate, Running, echo, options, request, soon, until};

/// Ends with the tag that comes back.
type Call = JoinHandle<Result<String, Status>>;

/// A server with a call that waits at the gate.
async fn busy(options: &Options) -> (Gate, Running, Call) {
    let (mut gate, function) = Gate::new();
    let server = Running::start(function, options).await;
    let mut client = server.client();
    let call = tokio::spawn(async move {
        let response = client.run_function(request("running")).await?.into_inner();
        Ok(response.meta.unwrap_or_default().tag)
    });
    assert_eq!(gate.arrival().await, "running");
    (gate, server, call)
}

#[tokio::test]
async fn a_running_call_is_finished_and_no_other_is_taken() {
    let (gate, server, call) = busy(&options()).await;
    server.trigger.stop();
    until(async || TcpStream::connect(server.address).await.is_err()).await;
    assert!(!server.task.is_finished(), "a call is running");

    gate.open();
    assert_eq!(soon(call).await.unwrap().unwrap(), "running");
    soon(server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_stays_connected_does_not_hold_it_up() {
    // As Crossplane does between calls.
    let server = Running::start(echo(), &options()).await;
    let mut client = server.client();
    soon(client.run_function(request("first"))).await.unwrap();
    server.trigger.stop();
    soon(server.task).await.unwrap().unwrap();
    assert!(soon(client.run_function(request("second"))).await.is_err());
}

#[tokio::test]
async fn who_watches_health_is_told() {
    let (gate, server, _call) = busy(&options()).await;
    let mut client = HealthClient::new(server.channel());
    let mut watch = soon(client.watch(HealthCheckRequest::default())).await.unwrap().into_inner();
    let first = soon(watch.message()).await.unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);

    server.trigger.stop();
    let next = soon(watch.message()).await.unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::NotServing);
    gate.open();
}

#[tokio::test]
async fn asked_twice_it_does_not_wait() {
    let (_gate, server, _call) = busy(&options()).await;
    server.trigger.stop();
    server.trigger.stop();
    soon(server.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_without_end_does_not_keep_it_for_ever() {
    let options = Options { grace: Duration::from_millis(1), ..options() };
    let (_gate, server, _call) = busy(&options).await;
    server.trigger.stop();
    soon(server.task).await.unwrap().unwrap();
}
