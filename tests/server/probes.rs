//! What looks at the server: health checks, reflection and scrapes.

use std::collections::BTreeSet;

use function_inference::protocol::service::SERVICE_NAME;
use function_inference::protocol::view::Severity;
use function_inference::server::Options;
use tonic::Code;
use tonic::codegen::tokio_stream;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::{Running, complaining, echo, get, options, request, soon};

#[tokio::test]
async fn health_is_told_for_the_server_and_for_the_service() {
    let server = Running::start(echo(), &options()).await;
    let mut client = HealthClient::new(server.channel());
    for service in ["", SERVICE_NAME] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let response = soon(client.check(request)).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving, "{service:?}");
    }
    let request = HealthCheckRequest { service: "another".to_owned() };
    assert_eq!(soon(client.check(request)).await.unwrap_err().code(), Code::NotFound);
}

/// Both versions have the same messages under different names.
macro_rules! reflect {
    ($version:ident, $server:expr, $($request:ident($argument:expr) => $response:ident),*) => {{
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        use tonic_reflection::pb::$version::ServerReflectionRequest;

        let mut client = ServerReflectionClient::new($server.channel());
        ($({
            let request = ServerReflectionRequest {
                host: String::new(),
                message_request: Some(MessageRequest::$request($argument.to_owned())),
            };
            let call = client.server_reflection_info(tokio_stream::once(request));
            let mut responses = soon(call).await.unwrap().into_inner();
            match soon(responses.message()).await.unwrap().unwrap().message_response {
                Some(MessageResponse::$response(response)) => response,
                other => panic!("{other:?}"),
            }
        }),*)
    }};
}

macro_rules! assert_reflects {
    ($version:ident) => {
        let server = Running::start(echo(), &options()).await;
        let (list, files) = reflect!(
            $version,
            server,
            ListServices("") => ListServicesResponse,
            FileContainingSymbol(SERVICE_NAME) => FileDescriptorResponse
        );
        let services: BTreeSet<String> = list.service.into_iter().map(|service| service.name).collect();
        let want = [
            SERVICE_NAME,
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ];
        assert_eq!(services, want.map(str::to_owned).into());

        let file = files.file_descriptor_proto.concat();
        let has = |name: &str| file.windows(name.len()).any(|window| window == name.as_bytes());
        assert!(has("required_schemas"), "the official protocol, fields that the function does not read included");
        assert!(!has("function_inference"), "the view is nobody else's affair");
    };
}

#[tokio::test]
async fn reflection_shows_the_official_protocol() {
    assert_reflects!(v1);
}

#[tokio::test]
async fn older_clients_find_reflection_too() {
    assert_reflects!(v1alpha);
}

/// Names and labels are those of function-sdk-go v0.7.1 (grpc-ecosystem/go-grpc-middleware providers/prometheus
/// v1.1.0) and function-sdk-rust 0.4.0.
#[tokio::test]
async fn the_series_of_the_official_sdks_are_there() {
    let server = Running::start(echo(), &options()).await;
    soon(server.client().run_function(request(""))).await.unwrap();

    let method = "grpc_type=\"unary\",grpc_service=\"apiextensions.fn.proto.v1.FunctionRunnerService\",\
                  grpc_method=\"RunFunction\"";
    for (sample, reason) in [
        (format!("grpc_server_started_total{{{method}}} 1"), "begun"),
        (format!("grpc_server_handled_total{{{method},grpc_code=\"OK\"}} 1"), "ended"),
        (
            format!("grpc_server_handled_total{{{method},grpc_code=\"DeadlineExceeded\"}} 0"),
            "there before it occurs",
        ),
        (format!("grpc_server_msg_received_total{{{method}}} 1"), "the request"),
        (format!("grpc_server_msg_sent_total{{{method}}} 1"), "the response"),
    ] {
        assert!(server.counts(&sample).await, "{reason}: {:?}", server.samples("grpc_server").await);
    }

    let methods: BTreeSet<String> = server
        .samples("grpc_server_started_total")
        .await
        .iter()
        .map(|line| line.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(" "))
        .collect();
    let want = [
        "unary apiextensions.fn.proto.v1.FunctionRunnerService RunFunction",
        "unary grpc.health.v1.Health Check",
        "server_stream grpc.health.v1.Health Watch",
        "bidi_stream grpc.reflection.v1.ServerReflection ServerReflectionInfo",
        "bidi_stream grpc.reflection.v1alpha.ServerReflection ServerReflectionInfo",
    ];
    assert_eq!(methods, want.map(str::to_owned).into());
    assert_eq!(
        server.samples("grpc_server_handled_total").await.len(),
        want.len() * 17,
        "a series for each of gRPC's codes"
    );
}

#[tokio::test]
async fn our_own_series_tell_results_time_and_version() {
    let server = Running::start(complaining(Severity::Fatal), &options()).await;
    soon(server.client().run_function(request(""))).await.unwrap();
    let version = env!("CARGO_PKG_VERSION");
    for sample in [
        "function_inference_results_total{severity=\"Fatal\"} 1",
        "function_inference_results_total{severity=\"Warning\"} 0",
        "function_inference_run_duration_seconds_count 1",
        &format!("function_inference_build_info{{version=\"{version}\"}} 1"),
    ] {
        assert!(server.counts(sample).await, "{sample}: {:?}", server.samples("function_inference").await);
    }
}

#[tokio::test]
async fn a_scraper_gets_the_format_it_asks_for() {
    let server = Running::start(echo(), &options()).await;
    let (head, body) = get(server.metrics_address, "/metrics", "").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert!(body.contains("# TYPE grpc_server_started_total counter\n"), "{body}");

    let accept = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4\r\n";
    let (head, body) = get(server.metrics_address, "/metrics", accept).await;
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"),
        "{head}"
    );
    assert!(body.ends_with("# EOF\n"), "{body}");

    let (head, _) = get(server.metrics_address, "/", "").await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
}

#[tokio::test]
async fn metrics_that_cannot_be_had_do_not_keep_it_from_serving() {
    let first = Running::start(echo(), &options()).await;
    let taken = first.metrics_address.to_string().parse().unwrap();
    let options = Options { metrics_address: Some(taken), ..options() };
    let server = function_inference::server::Server::bind(echo(), &options).await.unwrap();
    assert_eq!(server.metrics_address(), None);
    let (_trigger, shutdown) = function_inference::server::shutdown::channel();
    let address = server.address();
    tokio::spawn(server.serve(shutdown));
    let mut client = crate::support::Client::new(crate::support::channel(address));
    soon(client.run_function(request(""))).await.unwrap();
}
