//! A Prometheus that not everybody may ask.
//!
//! [`Locked`] is Prometheus itself, behind TLS and a password, by its own web configuration. It has no word for tokens:
//! [`Guard`] stands for what asks for one in front of it, as the proxy of `OpenShift`'s monitoring does.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::prometheus::Prometheus;
use super::{ControlPlane, free_ports};
use crate::process::Server;

/// Who may ask.
pub const USER: &str = "keda";

/// An idle machine needs a few seconds.
const START_LIMIT: Duration = Duration::from_mins(2);

/// A password, and the hash of it that the web configuration takes (bcrypt).
#[derive(Debug, Clone, Copy)]
pub struct Password {
    /// What is sent.
    pub plain: &'static str,
    hash: &'static str,
}

/// The one that is asked for at first.
pub const FIRST: Password =
    Password { plain: "let-me-read", hash: "$2b$04$Hos5YDIhq.F/SrtNMQP2YOvlu4H6MT.BkNnjnCVuP/a/f1CQ42ZKu" };

/// Another one.
pub const NEXT: Password =
    Password { plain: "read-no-more", hash: "$2b$04$T0Sh8ExbI4OBDOhM9RjZCes/cSn.bqqDJePBqqSaXDQXBnlh725dq" };

/// Prometheus behind TLS and a password. It ends when dropped.
#[derive(Debug)]
pub struct Locked {
    address: SocketAddr,
    certificates: PathBuf,
    web: PathBuf,
    _server: Server,
}

impl Locked {
    /// Starts one that scrapes what the other one does.
    pub fn start(control_plane: &ControlPlane) -> Result<Self> {
        let dir = control_plane.dir.join("prometheus-locked");
        std::fs::create_dir_all(&dir)?;
        let authority = &control_plane.authority;
        let certificates = authority.folder(dir.join("certificates"), &authority.server()?)?;
        let web = dir.join("web.yaml");
        write(&web, &certificates, FIRST)?;
        let [address] = free_ports()?;
        let mut server = Prometheus::command(control_plane, address, &dir.join("data"))?;
        server.arg("--web.config.file").arg(&web);
        let server = listening(&mut server, dir.join("log"), address)?;
        Ok(Self { address, certificates, web, _server: server })
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Asks for another password from now on: it reads that anew for every request.
    pub fn asks_for(&self, password: Password) -> Result<()> {
        write(&self.web, &self.certificates, password)
    }
}

fn listening(command: &mut Command, log: PathBuf, address: SocketAddr) -> Result<Server> {
    let mut server = Server::start(command, log)?;
    server.wait_until("listening", START_LIMIT, || {
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    })?;
    Ok(server)
}

/// JSON is YAML.
fn write(web: &PathBuf, certificates: &std::path::Path, password: Password) -> Result<()> {
    let content = json!({
        "tls_server_config": {
            "cert_file": certificates.join("tls.crt"), "key_file": certificates.join("tls.key"),
        },
        "basic_auth_users": {USER: password.hash},
    });
    // Whole at any moment.
    let next = web.with_extension("next");
    std::fs::write(&next, content.to_string())?;
    std::fs::rename(next, web).context("cannot write the web configuration")
}

/// Lets those through to Prometheus who show a token. It ends when dropped.
#[derive(Debug)]
pub struct Guard {
    address: SocketAddr,
    token: Arc<Mutex<String>>,
    serving: JoinHandle<()>,
}

impl Guard {
    /// Stands before it, and asks for that.
    pub async fn start(prometheus: &Prometheus, token: &str) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let token = Arc::new(Mutex::new(token.to_owned()));
        let serving = tokio::spawn(serve(listener, prometheus.address, Arc::clone(&token)));
        Ok(Self { address, token, serving })
    }

    /// Where Prometheus is asked through it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks for another one from now on.
    pub fn asks_for(&self, token: &str) {
        token.clone_into(&mut self.token.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, prometheus: SocketAddr, token: Arc<Mutex<String>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let token = Arc::clone(&token);
        let answer = service_fn(move |request: Request<Incoming>| {
            let wanted = format!("Bearer {}", token.lock().unwrap_or_else(PoisonError::into_inner));
            let shown =
                request.headers().get(AUTHORIZATION).map(|shown| shown.as_bytes() == wanted.as_bytes());
            async move {
                if shown == Some(true) {
                    return Ok(pass_on(request, prometheus).await?.map(Either::Left));
                }
                let mut refused = Response::new(Either::Right(Full::new(Bytes::from("who are you?"))));
                *refused.status_mut() = StatusCode::UNAUTHORIZED;
                anyhow::Ok(refused)
            }
        });
        tokio::spawn(async move {
            // Whoever asked sees that it broke off.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn pass_on(request: Request<Incoming>, to: SocketAddr) -> Result<Response<Full<Bytes>>> {
    let stream = tokio::net::TcpStream::connect(to).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(head, Full::new(body.collect().await?.to_bytes())))
}
