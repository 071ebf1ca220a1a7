//! The series that the official SDKs count for every gRPC server, with their names, labels and help texts
//! (function-sdk-go v0.7.1, whose interceptor is grpc-ecosystem/go-grpc-middleware providers/prometheus v1.1.0).
//!
//! As there, only unary methods are counted, and the others stand at zero.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{HeaderMap, Request, Response};
use tower_layer::Layer;

use crate::protocol::service::SERVICE_NAME;

/// A method, as it is labelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
#[allow(clippy::struct_field_names, reason = "these are the labels' names")]
struct Method {
    grpc_type: &'static str,
    grpc_service: &'static str,
    grpc_method: &'static str,
}

const UNARY: &str = "unary";
const HEALTH: &str = "grpc.health.v1.Health";
const REFLECTION: &str = "ServerReflectionInfo";

/// All methods of the server.
const METHODS: [Method; 5] = [
    Method { grpc_type: UNARY, grpc_service: SERVICE_NAME, grpc_method: "RunFunction" },
    Method { grpc_type: UNARY, grpc_service: HEALTH, grpc_method: "Check" },
    Method { grpc_type: "server_stream", grpc_service: HEALTH, grpc_method: "Watch" },
    Method {
        grpc_type: "bidi_stream",
        grpc_service: "grpc.reflection.v1.ServerReflection",
        grpc_method: REFLECTION,
    },
    Method {
        grpc_type: "bidi_stream",
        grpc_service: "grpc.reflection.v1alpha.ServerReflection",
        grpc_method: REFLECTION,
    },
];

impl Method {
    /// The unary method at that path.
    fn counted(path: &str) -> Option<Self> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        METHODS.into_iter().find(|known| {
            known.grpc_type == UNARY && known.grpc_service == service && known.grpc_method == method
        })
    }
}

/// A method and how a call of it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
#[allow(clippy::struct_field_names, reason = "these are the labels' names")]
struct Handled {
    grpc_type: &'static str,
    grpc_service: &'static str,
    grpc_method: &'static str,
    grpc_code: &'static str,
}

impl Handled {
    fn new(method: Method, code: Code) -> Self {
        let Method { grpc_type, grpc_service, grpc_method } = method;
        Self { grpc_type, grpc_service, grpc_method, grpc_code: code_name(code) }
    }
}

/// As grpc-go spells it (google.golang.org/grpc, `codes/code_string.go`).
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

/// Counts calls. As a layer around a server it counts those that never reach a handler too.
#[derive(Debug, Clone, Default)]
pub(in crate::server) struct Calls {
    started: Family<Method, Counter>,
    handled: Family<Handled, Counter>,
    received: Family<Method, Counter>,
    sent: Family<Method, Counter>,
}

impl Calls {
    /// Every series at zero.
    pub(super) fn new() -> Self {
        let calls = Self::default();
        let Self { started, handled, received, sent } = &calls;
        for method in METHODS {
            for family in [started, received, sent] {
                drop(family.get_or_create(&method));
            }
            // The codes of gRPC are numbered from 0 to 16.
            for code in (0..=16).map(Code::from_i32) {
                drop(handled.get_or_create(&Handled::new(method, code)));
            }
        }
        calls
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { started, handled, received, sent } = self;
        registry.register(
            "grpc_server_started",
            "Total number of RPCs started on the server",
            started.clone(),
        );
        registry.register(
            "grpc_server_handled",
            "Total number of RPCs completed on the server, regardless of success or failure",
            handled.clone(),
        );
        registry.register(
            "grpc_server_msg_received",
            "Total number of RPC stream messages received on the server",
            received.clone(),
        );
        registry.register(
            "grpc_server_msg_sent",
            "Total number of gRPC stream messages sent by the server",
            sent.clone(),
        );
    }

    fn begin(&self, method: Method) -> Call {
        self.started.get_or_create(&method).inc();
        self.received.get_or_create(&method).inc();
        Call { calls: self.clone(), method, ended: false }
    }
}

/// A call under way. Gone before it ended, it was cancelled: so gRPC tells the client, and so Go counts it.
struct Call {
    calls: Calls,
    method: Method,
    ended: bool,
}

impl Call {
    fn end(&mut self, code: Code) {
        if self.ended {
            return;
        }
        self.ended = true;
        self.calls.handled.get_or_create(&Handled::new(self.method, code)).inc();
        if code == Code::Ok {
            self.calls.sent.get_or_create(&self.method).inc();
        }
    }

    /// Ends it if these headers or trailers say how it ended.
    fn end_by(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.end(Code::from_bytes(status.as_bytes()));
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Code::Cancelled);
    }
}

impl<S> Layer<S> for Calls {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { calls: self.clone(), inner }
    }
}

/// A server whose calls are counted.
#[derive(Debug, Clone)]
pub(in crate::server) struct Counted<S> {
    calls: Calls,
    inner: S,
}

impl<S> Service<Request<Body>> for Counted<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = Method::counted(request.uri().path()).map(|method| self.calls.begin(method));
        let response = self.inner.call(request);
        Box::pin(async move {
            let response = response.await?;
            let Some(mut call) = call else { return Ok(response) };
            // A refusal has its status in the headers and no body, an answer behind its body.
            call.end_by(response.headers());
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    if let Some(trailers) = frame.trailers_ref() {
                        call.end_by(trailers);
                    }
                    frame
                }))
            }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unary_methods_of_ours_are_counted() {
        let cases = [
            (
                "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction",
                Some("RunFunction"),
                "the one job",
            ),
            ("/grpc.health.v1.Health/Check", Some("Check"), "the SDKs count it"),
            ("/grpc.health.v1.Health/Watch", None, "a stream"),
            ("/apiextensions.fn.proto.v1beta1.FunctionRunnerService/RunFunction", None, "not served"),
            ("/", None, "no method: what a client invents must not become a label"),
        ];
        for (path, want, reason) in cases {
            assert_eq!(Method::counted(path).map(|method| method.grpc_method), want, "{reason}");
        }
    }

    #[test]
    fn a_call_ends_once_and_one_that_is_dropped_was_cancelled() {
        let calls = Calls::new();
        let method = METHODS[0];
        let handled = |code| calls.handled.get_or_create(&Handled::new(method, code)).get();

        drop(calls.begin(method));
        assert_eq!((handled(Code::Cancelled), handled(Code::Ok)), (1, 0));

        calls.begin(method).end(Code::Ok);
        assert_eq!((handled(Code::Cancelled), handled(Code::Ok)), (1, 1));
        assert_eq!(calls.started.get_or_create(&method).get(), 2);
        assert_eq!(calls.sent.get_or_create(&method).get(), 1);
    }
}
