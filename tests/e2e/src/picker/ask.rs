//! Asks a picker, or a body-based router, as Envoy does: over `ext_proc`, with TLS whose certificate nobody checks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_client::ExternalProcessorClient;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use crate::controlplane::wait::{Look, until};

/// The port listens within two seconds of readiness on an idle machine: a key is made first.
const LISTEN_LIMIT: Duration = Duration::from_mins(1);

/// What comes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It goes on, with these headers set.
    Goes(BTreeMap<String, String>),
    /// It is answered at once with this status.
    Refused(i32),
}

impl Answer {
    /// The endpoint that was chosen.
    pub fn endpoint(&self) -> Result<&str> {
        match self {
            Self::Goes(headers) => headers
                .get("x-gateway-destination-endpoint")
                .map(String::as_str)
                .with_context(|| format!("no endpoint was chosen: {headers:?}")),
            Self::Refused(status) => bail!("refused with {status}"),
        }
    }
}

/// A connection.
#[derive(Debug, Clone)]
pub struct Client {
    processor: ExternalProcessorClient<Channel>,
}

impl Client {
    /// Connects, once somebody listens.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        until("somebody listens", LISTEN_LIMIT, async || {
            let attempt = Self::connect_at_once(address).await;
            Ok(Look::from(attempt.map_err(|error| format!("{error:?}"))))
        })
        .await
    }

    /// Connects, if somebody listens.
    pub async fn connect_at_once(address: SocketAddr) -> Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{address}"))?
            .connect_with_connector(tower::service_fn(move |_| tls(address)))
            .await?;
        Ok(Self { processor: ExternalProcessorClient::new(channel) })
    }

    /// Sends a request with a JSON body, and waits for what comes of it, however long.
    pub async fn ask(&self, headers: &[(&str, &str)], body: &Value) -> Result<Answer> {
        // Pseudo headers first, as Envoy sends them.
        let pseudo =
            [(":method", "POST"), (":path", "/v1/completions"), ("content-type", "application/json")];
        let headers = pseudo.iter().chain(headers).map(|(key, value)| HeaderValue {
            key: (*key).to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..HeaderValue::default()
        });
        let headers =
            HttpHeaders { headers: Some(HeaderMap { headers: headers.collect() }), ..HttpHeaders::default() };
        let body =
            HttpBody { body: body.to_string().into_bytes(), end_of_stream: true, ..HttpBody::default() };

        let (send, receive) = mpsc::channel(2);
        for part in [Request::RequestHeaders(headers), Request::RequestBody(body)] {
            send.send(ProcessingRequest { request: Some(part), ..ProcessingRequest::default() }).await?;
        }
        let mut processor = self.processor.clone();
        let mut answers = processor.process(ReceiverStream::new(receive)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            match answer.response {
                Some(Response::RequestHeaders(headers)) => {
                    let set = headers.response.and_then(|common| common.header_mutation).unwrap_or_default();
                    let set = set.set_headers.into_iter().filter_map(|option| option.header);
                    let headers = set.map(|header| {
                        let raw = String::from_utf8_lossy(&header.raw_value).into_owned();
                        (header.key.to_lowercase(), if raw.is_empty() { header.value } else { raw })
                    });
                    return Ok(Answer::Goes(headers.collect()));
                }
                Some(Response::ImmediateResponse(answer)) => {
                    return Ok(Answer::Refused(answer.status.unwrap_or_default().code));
                }
                Some(_) | None => {}
            }
        }
        // Envoy keeps its side open for the response, and so did we.
        drop(send);
        bail!("the stream ended without an answer")
    }
}

async fn tls(address: SocketAddr) -> std::io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let trusting = Trusting(provider.signature_verification_algorithms);
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trusting))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    Ok(TokioIo::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
}

/// Takes every certificate, as every Gateway does: a picker makes its own, anew at each start.
#[derive(Debug)]
struct Trusting(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
