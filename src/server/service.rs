//! One call: from the wire's messages to the function and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tonic::{Request, Response, Status};

use super::metrics::Metrics;
use crate::protocol::look_into;
use crate::protocol::service::function_runner_service_server::FunctionRunnerService;
use crate::protocol::view::{RunFunctionRequest, RunFunctionResponse};

/// What is served. What it says depends on the request alone.
pub type Function = Arc<dyn Fn(RunFunctionRequest) -> Answered + Send + Sync>;

/// What a call comes to.
#[derive(Debug, Default)]
pub struct Answered {
    /// What is sent.
    pub response: RunFunctionResponse,
    /// Whether it was decided for an earlier call, by which nothing has changed since.
    pub is_known: bool,
}

impl From<RunFunctionResponse> for Answered {
    fn from(response: RunFunctionResponse) -> Self {
        Self { response, is_known: false }
    }
}

/// Calls the function.
pub(super) struct Runner {
    pub(super) function: Function,
    /// The bytes up to which a request is answered by the thread that has read it.
    pub(super) at_once: usize,
    pub(super) metrics: Metrics,
}

impl Runner {
    /// What the function says, and how long it took; `None` where it panicked.
    async fn run(&self, request: RunFunctionRequest) -> Option<(Answered, Duration)> {
        let function = Arc::clone(&self.function);
        let metrics = self.metrics.clone();
        let small = request.size() <= self.at_once;
        let run = move || {
            let begin = Instant::now();
            let answered = function(request);
            let duration = begin.elapsed();
            metrics.ran(duration, &answered);
            (answered, duration)
        };
        if small {
            // Nothing that a panic may leave half done is used again: the request goes with it, and only what was answered
            // is remembered.
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
        let Some((Answered { response, is_known }, duration)) = self.run(request).await else {
            tracing::error!(tag, "the function panicked");
            return Err(Status::internal("the function panicked: its log says where"));
        };
        let composite = composite.map(|composite| Identity::of(&composite)).unwrap_or_default();
        tracing::debug!(
            tag,
            "xr-version" = composite.api_version,
            "xr-kind" = composite.kind,
            "xr-namespace" = composite.namespace,
            "xr-name" = composite.name,
            ?duration,
            known = is_known,
            results = response.results.len(),
            "ran"
        );
        Ok(Response::new(response))
    }
}

/// Whose call it is. No more of a request is ever logged, under the keys that other functions use
/// (crossplane-contrib/function-patch-and-transform, `fn.go`).
#[derive(Debug, Default, PartialEq)]
struct Identity {
    api_version: Option<String>,
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

impl Identity {
    /// Empty where it cannot be read: to say so is for the function.
    fn of(composite: &[u8]) -> Self {
        let read = look_into(composite, |composite| {
            let [api_version, kind, metadata] = composite.fields(["apiVersion", "kind", "metadata"])?;
            let [namespace, name] = metadata.fields(["namespace", "name"])?;
            Ok(Self {
                api_version: api_version.owned()?,
                kind: kind.owned()?,
                namespace: namespace.owned()?,
                name: name.owned()?,
            })
        });
        read.unwrap_or_default()
    }
}
