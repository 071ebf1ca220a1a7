//! The command itself: what its container runs.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::pin::Pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Poll};
use std::thread;

use bytes::Bytes;
use function_inference::protocol::caller;
use function_inference::protocol::official::RunFunctionResponse;
#[cfg(target_os = "linux")]
use function_inference::server::limits::MEMORY_UNDER_LOAD;
use prost::Message;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::tokio_stream::Stream;

use crate::certificates::CROSSPLANE;
use crate::support::{
    self, BOUND, Client, RUN_FUNCTION, Raw, call_raw, request, request_about, samples, soon, until,
};

/// A process that serves. Killed when it goes.
struct Process {
    child: Child,
    log: Receiver<Value>,
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    serving: Value,
}

impl Process {
    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_function-inference"))
            .env_clear()
            .envs(environment.iter().copied())
            .args(["--address=127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                // Whatever it says on stderr is a log line, and a log line is JSON.
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let serving = await_line(&log, "serving");
        let address = |field: &str| serving[field].as_str().map(|address| address.parse().unwrap());
        Self {
            child,
            log,
            address: address("address").unwrap(),
            metrics_address: address("metrics"),
            serving,
        }
    }

    fn signal(&self, signal: &str) {
        // The standard library can only kill.
        let command = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
    }

    fn client(&self) -> Client {
        Client::new(support::channel(self.address))
    }

    async fn exit(mut self) -> ExitStatus {
        soon(tokio::task::spawn_blocking(move || self.child.wait())).await.unwrap().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn await_line(log: &Receiver<Value>, message: &str) -> Value {
    loop {
        let line = log.recv_timeout(BOUND).unwrap_or_else(|_| panic!("it never says {message:?}"));
        assert!(line.is_object(), "no JSON: {line}");
        if line["message"].as_str().is_some_and(|text| text.starts_with(message)) {
            return line;
        }
    }
}

/// A request whose end comes when the other half of its channel goes.
struct Unfinished {
    message: Option<Bytes>,
    release: mpsc::Receiver<()>,
}

impl Stream for Unfinished {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        match self.message.take() {
            Some(message) => Poll::Ready(Some(message)),
            None => self.release.poll_recv(context).map(|_| None),
        }
    }
}

/// A call that runs, as the server sees it, until the first half of what is returned goes.
async fn running_call(process: &Process) -> (mpsc::Sender<()>, JoinHandle<Bytes>) {
    let (hold, release) = mpsc::channel(1);
    let message = Some(Bytes::from(request("running").encode_to_vec()));
    let channel = support::channel(process.address);
    let call = tokio::spawn(async move {
        let mut grpc = tonic::client::Grpc::new(channel);
        grpc.ready().await.unwrap();
        let request = tonic::Request::new(Unfinished { message, release });
        let path = PathAndQuery::from_static(RUN_FUNCTION);
        grpc.client_streaming(request, path, Raw).await.unwrap().into_inner()
    });
    let metrics = process.metrics_address.unwrap();
    until(async || {
        let started = samples(metrics, "grpc_server_started_total").await;
        started.iter().any(|line| line.contains("\"RunFunction\"") && line.ends_with(" 1"))
    })
    .await;
    (hold, call)
}

#[tokio::test]
async fn a_signal_during_a_call_lets_it_finish() {
    for signal in ["TERM", "INT"] {
        let process = Process::start(&["--insecure", "--metrics-address=127.0.0.1:0"], &[]);
        let (hold, call) = running_call(&process).await;
        process.signal(signal);
        await_line(&process.log, "stopping");
        assert!(!call.is_finished(), "{signal}");

        drop(hold);
        let response = RunFunctionResponse::decode(soon(call).await.unwrap()).unwrap();
        assert_eq!(response.meta.unwrap().tag, "running", "{signal}");
        assert_eq!(process.exit().await.code(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_does_not_wait() {
    let process = Process::start(&["--insecure", "--metrics-address=127.0.0.1:0"], &[]);
    let (_hold, _call) = running_call(&process).await;
    process.signal("TERM");
    await_line(&process.log, "stopping");
    process.signal("TERM");
    await_line(&process.log, "stopped with calls running");
    assert_eq!(process.exit().await.code(), Some(0));
}

#[tokio::test]
async fn insecure_wins_over_certificates() {
    let directory = CROSSPLANE.mounted();
    let directory = directory.path().to_str().unwrap();
    let environment = [("TLS_SERVER_CERTS_DIR", directory), ("METRICS_ADDRESS", "")];

    let process = Process::start(&[], &environment);
    assert_eq!(process.serving["tls"], "mutual");
    assert!(soon(process.client().run_function(request("tag"))).await.is_err());

    let process = Process::start(&["--insecure"], &environment);
    assert_eq!(process.serving["tls"], "off");
    soon(process.client().run_function(request("tag"))).await.unwrap();
    assert_eq!(process.metrics_address, None, "an empty address means no metrics");
}

#[tokio::test]
async fn with_debug_a_client_that_is_refused_leaves_a_trace() {
    let directory = CROSSPLANE.mounted();
    let arguments = ["-d", "--metrics-address=", "--tls-certs-dir", directory.path().to_str().unwrap()];
    let process = Process::start(&arguments, &[]);
    soon(process.client().run_function(request("in the clear"))).await.unwrap_err();
    let line = await_line(&process.log, "a TLS handshake failed");
    assert!(line["error"].is_string(), "it says why: {line}");
}

#[tokio::test]
async fn logs_are_json_and_say_more_when_asked() {
    let process = Process::start(&["--insecure", "--metrics-address="], &[("DEBUG", "true")]);
    soon(process.client().run_function(request_about("XModel", "llama"))).await.unwrap();
    let line = await_line(&process.log, "ran");
    for (key, want) in [
        ("level", "DEBUG"),
        ("tag", "the tag"),
        ("xr-version", "example.org/v1"),
        ("xr-kind", "XModel"),
        ("xr-namespace", "team"),
        ("xr-name", "llama"),
    ] {
        assert_eq!(line[key], want, "{key}");
    }
    assert!(!line.to_string().contains("not for the log"), "{line}");

    let process = Process::start(&["-d", "--insecure", "--metrics-address="], &[("DEBUG", "false")]);
    soon(process.client().run_function(request("the tag"))).await.unwrap();
    await_line(&process.log, "ran");
}

#[tokio::test]
async fn an_answer_that_is_known_is_counted_and_logged() {
    let process = Process::start(&["-d", "--insecure", "--metrics-address=127.0.0.1:0"], &[]);
    let composite = json!({
        "apiVersion": "inference.devopstoolkit.ai/v1alpha1",
        "kind": "LLMInference",
        "metadata": {"name": "llama", "namespace": "team"},
        "spec": {"model": "meta-llama/Llama-3.3-70B-Instruct", "providerConfigName": "gpu-cluster"},
    });
    let mut request = request_about("LLMInference", "llama");
    let observed = request.observed.as_mut().unwrap().composite.as_mut().unwrap();
    observed.resource = composite.as_object().map(caller::to_struct);
    for known in [false, true] {
        soon(process.client().run_function(request.clone())).await.unwrap();
        assert_eq!(await_line(&process.log, "ran")["known"], known);
    }
    let counted = samples(process.metrics_address.unwrap(), "function_inference_known_total").await;
    assert_eq!(counted, ["function_inference_known_total 1"]);
}

/// What the process has ever held at once, in bytes (Linux, `proc_pid_status(5)`).
#[cfg(target_os = "linux")]
fn peak_memory(process: &Process) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB")).unwrap();
    peak.trim().parse::<usize>().unwrap() * 1024
}

/// A call with 4 MiB of others' state, a quarter of which goes back.
#[cfg(target_os = "linux")]
fn large_call() -> Bytes {
    use function_inference::protocol::official::{Resource, State};
    use prost_types::{Struct, Value, value::Kind};

    let others = |count: u32| {
        let text = Value { kind: Some(Kind::StringValue("x".repeat(64 * 1024))) };
        let resource = Struct { fields: [("data".to_owned(), text)].into() };
        let resource = Resource { resource: Some(resource), ..Resource::default() };
        (0..count).map(|index| (format!("others-{index}"), resource.clone())).collect()
    };
    let mut request = request_about("XModel", "llama");
    request.observed.as_mut().unwrap().resources = others(48);
    request.desired = Some(State { resources: others(16), ..State::default() });
    request.encode_to_vec().into()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_calls_of_4_mib_at_once_take_the_memory_that_the_docs_say_and_others_have_their_turns() {
    let process = Process::start(&["--insecure", "--metrics-address="], &[]);
    let large = large_call();
    assert!(large.len() >= 4 * 1024 * 1024);
    // Crossplane has one connection to a function.
    let channel = support::channel(process.address);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (channel, large) = (channel.clone(), large.clone());
        callers.spawn(async move {
            for _ in 0..3 {
                let answer = call_raw(channel.clone(), RUN_FUNCTION, large.clone()).await.unwrap();
                let desired = RunFunctionResponse::decode(answer).unwrap().desired.unwrap();
                assert_eq!(desired.resources.len(), 16, "what others want goes back");
            }
        });
    }
    let mut small = process.client();
    let mut turns = 0;
    let callers = tokio::spawn(callers.join_all());
    while !callers.is_finished() {
        let answer = soon(small.run_function(request("small"))).await;
        assert_eq!(answer.unwrap().into_inner().meta.unwrap().tag, "small");
        turns += 1;
    }
    callers.await.unwrap();
    // Calls wait in the order of their arrival: behind a hundred others at most, of three hundred.
    assert!(turns >= 2, "{turns} small calls had their turn meanwhile");
    let peak = peak_memory(&process);
    assert!(peak <= MEMORY_UNDER_LOAD, "{peak} bytes at the most");
}
