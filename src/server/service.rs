//! One call: from the wire's messages to the function and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use tokio::task::JoinSet;
use tonic::{Request, Response, Status};

use super::metrics::Metrics;
use crate::protocol;
use crate::protocol::service::function_runner_service_server::FunctionRunnerService;
use crate::protocol::view::{RunFunctionRequest, RunFunctionResponse};

/// What is served: a pure function of the request.
pub type Function = Arc<dyn Fn(RunFunctionRequest) -> RunFunctionResponse + Send + Sync>;

/// Calls the function.
pub(super) struct Runner {
    pub(super) function: Function,
    /// The bytes up to which a request is answered by the thread that has read it.
    pub(super) at_once: usize,
    pub(super) metrics: Metrics,
}

impl Runner {
    /// What the function says, and how long it took; `None` where it panicked.
    async fn run(&self, request: RunFunctionRequest) -> Option<(RunFunctionResponse, Duration)> {
        let function = Arc::clone(&self.function);
        let metrics = self.metrics.clone();
        let small = request.size() <= self.at_once;
        let run = move || {
            let begin = Instant::now();
            let response = function(request);
            let duration = begin.elapsed();
            metrics.ran(duration, &response);
            (response, duration)
        };
        if small {
            // Nothing that a panic may leave half done is used again: the request goes with it.
            return catch_unwind(AssertUnwindSafe(run)).ok();
        }
        // Beside the threads that serve sockets: a request of many megabytes must not hold up health checks, signals
        // and other calls. A set, because its tasks go with it: a call that is cancelled while it waits never runs.
        let mut tasks = JoinSet::new();
        tasks.spawn_blocking(run);
        tasks.join_next().await?.ok()
    }
}

#[tonic::async_trait]
impl FunctionRunnerService for Runner {
    /// Answers with what the function says, its failures too: those are Fatal results. The one gRPC error from here is
    /// INTERNAL for a panic. Never UNIMPLEMENTED: Crossplane would call the older protocol instead.
    async fn run_function(
        &self,
        request: Request<RunFunctionRequest>,
    ) -> Result<Response<RunFunctionResponse>, Status> {
        let request = request.into_inner();
        let tag = request.tag().to_owned();
        let composite =
            tracing::enabled!(tracing::Level::DEBUG).then(|| request.observed_composite()).flatten();
        let Some((response, duration)) = self.run(request).await else {
            tracing::error!(tag, "the function panicked");
            return Err(Status::internal("the function panicked: its log says where"));
        };
        let composite = Identity::of(composite.as_ref());
        tracing::debug!(
            tag,
            "xr-version" = composite.api_version,
            "xr-kind" = composite.kind,
            "xr-namespace" = composite.metadata.namespace,
            "xr-name" = composite.metadata.name,
            ?duration,
            results = response.results.len(),
            "ran"
        );
        Ok(Response::new(response))
    }
}

/// Whose call it is. No more of a request is ever logged, under the keys that other functions use
/// (crossplane-contrib/function-patch-and-transform, `fn.go`).
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity<'a> {
    api_version: Option<&'a str>,
    kind: Option<&'a str>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    namespace: Option<&'a str>,
    name: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// Empty where it cannot be read: to say so is for the function.
    fn of(composite: Option<&'a Bytes>) -> Self {
        composite.and_then(|composite| protocol::from_struct(composite).ok()).unwrap_or_default()
    }
}
