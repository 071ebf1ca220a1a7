//! `/metrics` over plain HTTP, beside the gRPC server: whoever scrapes has none of its certificates.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time;

use crate::server::limits;

const PATH: &str = "/metrics";

/// Answers scrapes until it is dropped.
pub(in crate::server) async fn serve(listener: TcpListener, registry: Registry) -> Infallible {
    let registry = Arc::new(registry);
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, say: more will be free in a moment.
                tracing::debug!(%error, "cannot accept a scrape");
                time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let registry = Arc::clone(&registry);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                let response = answer(&request, &registry);
                async { Ok::<_, Infallible>(response) }
            });
            // What a scraper does to its connection is its own affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(limits::SCRAPE_HEAD)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<Full<Bytes>> {
    if request.uri().path() != PATH {
        return refuse(StatusCode::NOT_FOUND);
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let format = Format::accepted(request.headers());
    match format.write(registry) {
        Ok(text) => {
            let mut response = Response::new(Full::from(text));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
            response
        }
        Err(fmt::Error) => refuse(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn refuse(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// How series are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    /// What Prometheus asks for.
    OpenMetrics,
    /// What everything else understands, and the Go SDK's metrics server always answers with.
    Classic,
}

impl Format {
    fn accepted(headers: &HeaderMap) -> Self {
        let open = |value: &HeaderValue| {
            value.to_str().is_ok_and(|value| value.contains("application/openmetrics-text"))
        };
        if headers.get_all(ACCEPT).iter().any(open) { Self::OpenMetrics } else { Self::Classic }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    fn write(self, registry: &Registry) -> Result<String, fmt::Error> {
        let mut open = String::new();
        text::encode(&mut open, registry)?;
        Ok(match self {
            Self::OpenMetrics => open,
            Self::Classic => classic(&open),
        })
    }
}

/// `OpenMetrics` as the older text format has it: samples are the same, but a counter's `# HELP` and `# TYPE` lines name
/// it with its `_total`, and nothing marks the end.
fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    for block in
        open.split_inclusive('\n').collect::<Vec<_>>().chunk_by(|_, next| !next.starts_with("# HELP "))
    {
        let counter = block.iter().any(|line| line.starts_with("# TYPE ") && line.ends_with(" counter\n"));
        for line in block {
            match line.splitn(4, ' ').collect::<Vec<_>>().as_slice() {
                ["#", "EOF\n"] => {}
                ["#", keyword @ ("HELP" | "TYPE"), name, rest] if counter => {
                    text.extend(["# ", keyword, " ", name, "_total ", rest]);
                }
                _ => text.push_str(line),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::metrics::Metrics;

    #[test]
    fn openmetrics_is_for_those_who_name_it() {
        let cases = [
            (None, Format::Classic, "curl"),
            (Some("text/plain"), Format::Classic, "an old scraper"),
            (Some("*/*"), Format::Classic, "as the Go SDK answers"),
            (
                Some(
                    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
                ),
                Format::OpenMetrics,
                "Prometheus",
            ),
        ];
        for (accept, want, reason) in cases {
            let mut headers = HeaderMap::new();
            headers.extend(accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept))));
            assert_eq!(Format::accepted(&headers), want, "{reason}");
        }
    }

    #[test]
    fn the_formats_differ_where_they_must() {
        let registry = Metrics::new().registry();
        let open = Format::OpenMetrics.write(&registry).unwrap();
        let classic = Format::Classic.write(&registry).unwrap();

        let samples =
            |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        let open_samples: std::collections::BTreeSet<String> = samples(&open);
        assert_eq!(open_samples, samples(&classic));

        assert!(open.ends_with("# EOF\n"), "OpenMetrics without its end is cut off");
        assert!(!classic.contains("EOF"));
        assert!(open.contains("# TYPE grpc_server_started counter\n"), "{open}");
        assert!(classic.contains("# TYPE grpc_server_started_total counter\n"), "{classic}");
        assert!(
            classic
                .contains("# HELP grpc_server_started_total Total number of RPCs started on the server.\n"),
            "word by word as the Go SDK has it: {classic}"
        );
        assert!(classic.contains("# TYPE function_inference_run_duration_seconds histogram\n"), "{classic}");
        assert!(classic.contains("# TYPE function_inference_build_info gauge\n"), "{classic}");
    }
}
