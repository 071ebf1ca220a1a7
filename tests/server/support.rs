//! A server on a free port of the loopback interface, clients for it, and functions that do as a test tells them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use function_inference::protocol;
use function_inference::protocol::official::function_runner_service_client::FunctionRunnerServiceClient;
use function_inference::protocol::official::{RequestMeta, Resource, RunFunctionRequest, State};
use function_inference::protocol::service::SERVICE_NAME;
use function_inference::protocol::view::{self, ResponseMeta, Severity};
use function_inference::server::shutdown::{self, Trigger};
use function_inference::server::{Function, MessageSize, Options, Server, ServerError, Transport};
use prost::Message;
use prost_types::Struct;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint};

/// Longer than anything here takes on a busy machine.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

pub(crate) const RUN_FUNCTION: &str = "/apiextensions.fn.proto.v1.FunctionRunnerService/RunFunction";

pub(crate) type Client = FunctionRunnerServiceClient<Channel>;

/// Within [`BOUND`].
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("it takes too long")
}

/// Asks again until the answer is yes; each question must be a round trip, or this would spin.
pub(crate) async fn until<F: Future<Output = bool>>(mut question: impl FnMut() -> F) {
    soon(async { while !question().await {} }).await;
}

/// Loopback, any port, in the clear, with metrics, and more grace than any test has.
pub(crate) fn options() -> Options {
    Options {
        address: "127.0.0.1:0".parse().unwrap(),
        transport: Transport::Insecure,
        max_recv_message_size: MessageSize::DEFAULT,
        max_in_flight_size: MessageSize::IN_FLIGHT,
        stall: 2 * BOUND,
        // Functions here wait for what a test does.
        at_once: 0,
        keepalive: 2 * BOUND,
        certificate_looks: 2 * BOUND,
        metrics_address: Some("127.0.0.1:0".parse().unwrap()),
        grace: 2 * BOUND,
    }
}

pub(crate) fn mutual_tls(directory: &Path) -> Options {
    Options { transport: Transport::MutualTls(directory.to_owned()), ..options() }
}

/// A server under test. Goes with the test's runtime.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) metrics_address: SocketAddr,
    pub(crate) trigger: Trigger,
    pub(crate) task: JoinHandle<Result<(), ServerError>>,
}

impl Running {
    pub(crate) async fn start(function: Function, options: &Options) -> Self {
        let server = Server::bind(function, options).await.unwrap();
        let address = server.address();
        let metrics_address = server.metrics_address().unwrap();
        let (trigger, shutdown) = shutdown::channel();
        Self { address, metrics_address, trigger, task: tokio::spawn(server.serve(shutdown)) }
    }

    pub(crate) fn channel(&self) -> Channel {
        channel(self.address)
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.channel())
    }

    /// The samples of a scrape that start so.
    pub(crate) async fn samples(&self, prefix: &str) -> Vec<String> {
        samples(self.metrics_address, prefix).await
    }

    /// Whether a scrape has this very sample.
    pub(crate) async fn counts(&self, sample: &str) -> bool {
        self.samples(sample).await.iter().any(|line| line == sample)
    }

    /// Calls of the function that ended with this code.
    pub(crate) async fn handled(&self, code: &str) -> String {
        let prefix = "grpc_server_handled_total{";
        let wanted = [SERVICE_NAME, "RunFunction", &format!("grpc_code=\"{code}\"")];
        self.samples(prefix)
            .await
            .into_iter()
            .find(|line| wanted.iter().all(|part| line.contains(part)))
            .and_then(|line| line.rsplit_once(' ').map(|(_, count)| count.to_owned()))
            .expect("every code has a series")
    }
}

pub(crate) fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

pub(crate) async fn samples(metrics_address: SocketAddr, prefix: &str) -> Vec<String> {
    let (_, body) = get(metrics_address, "/metrics", "").await;
    body.lines().filter(|line| line.starts_with(prefix)).map(str::to_owned).collect()
}

/// Head and body of a plain HTTP answer.
pub(crate) async fn get(address: SocketAddr, path: &str, headers: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{headers}\r\n");
    let exchange = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(BOUND))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer)
    });
    let answer = exchange.await.unwrap().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// With a composite.
pub(crate) fn request_about(kind: &str, name: &str) -> RunFunctionRequest {
    let composite = protocol::to_struct(&json!({
        "apiVersion": "example.org/v1",
        "kind": kind,
        "metadata": {"namespace": "team", "name": name},
        "spec": {"secret": "not for the log"},
    }));
    let resource = Struct::decode(composite.unwrap().as_slice()).unwrap();
    let composite = Resource { resource: Some(resource), ..Resource::default() };
    let observed = State { composite: Some(composite), ..State::default() };
    RunFunctionRequest { observed: Some(observed), ..request("the tag") }
}

pub(crate) fn request(tag: &str) -> RunFunctionRequest {
    let meta = RequestMeta { tag: tag.to_owned(), ..RequestMeta::default() };
    RunFunctionRequest { meta: Some(meta), ..RunFunctionRequest::default() }
}

fn response(request: &view::RunFunctionRequest) -> view::RunFunctionResponse {
    let meta = ResponseMeta::new(request.tag(), Duration::ZERO);
    view::RunFunctionResponse { meta: Some(meta), ..view::RunFunctionResponse::default() }
}

/// Answers with the tag.
pub(crate) fn echo() -> Function {
    Arc::new(|request| response(&request).into())
}

/// Answers with the tag and one result of this severity.
pub(crate) fn complaining(severity: Severity) -> Function {
    Arc::new(move |request| {
        let result = view::Result { severity: severity.into(), ..view::Result::default() };
        view::RunFunctionResponse { results: vec![result], ..response(&request) }.into()
    })
}

/// Panics where the tag says so, and answers otherwise.
pub(crate) fn touchy() -> Function {
    Arc::new(|request| {
        assert_ne!(request.tag(), "panic", "as told");
        response(&request).into()
    })
}

/// Keeps calls until it is opened. Opens when it goes, since a runtime waits for the functions it runs.
pub(crate) struct Gate {
    state: Arc<(Mutex<bool>, Condvar)>,
    arrived: mpsc::UnboundedReceiver<String>,
}

impl Gate {
    /// A gate, and a function that waits at it.
    pub(crate) fn new() -> (Self, Function) {
        let state = Arc::new((Mutex::new(false), Condvar::new()));
        let (sender, arrived) = mpsc::unbounded_channel();
        let gate = Self { state: Arc::clone(&state), arrived };
        let function: Function = Arc::new(move |request| {
            // The test may have seen enough already.
            let _ = sender.send(request.tag().to_owned());
            let (open, changed) = &*state;
            let _opened = changed
                .wait_timeout_while(open.lock().unwrap(), BOUND, |open| !*open)
                .expect("no thread panics here");
            response(&request).into()
        });
        (gate, function)
    }

    /// The tag of the next call that waits.
    pub(crate) async fn arrival(&mut self) -> String {
        soon(self.arrived.recv()).await.expect("a function that can send")
    }

    pub(crate) fn open(&self) {
        let (open, changed) = &*self.state;
        *open.lock().unwrap() = true;
        changed.notify_all();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// Sends and receives messages as the bytes they are.
#[derive(Clone, Copy)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// A call with these bytes for a message.
pub(crate) async fn call_raw(channel: Channel, path: &'static str, message: Bytes) -> Result<Bytes, Status> {
    let mut grpc = tonic::client::Grpc::new(channel);
    grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
    let path = PathAndQuery::from_static(path);
    Ok(grpc.unary(tonic::Request::new(message), path, Raw).await?.into_inner())
}
