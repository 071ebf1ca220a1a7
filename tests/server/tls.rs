//! Mutual TLS with certificates as Crossplane makes them.

use std::error::Error;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use function_inference::server::{Options, Server};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};

use crate::certificates::{Authority, CROSSPLANE, Crossplane, Identity, SERVER_NAME, write};
use crate::support::{BOUND, Client, Gate, Running, echo, mutual_tls, request, soon, until};

async fn serve() -> Running {
    let directory = CROSSPLANE.mounted();
    // The files may go once it runs.
    Running::start(echo(), &mutual_tls(directory.path())).await
}

/// As Crossplane calls: it knows the authority and the Service's name.
fn client(server: &Running, identity: Option<&Identity>) -> Client {
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(CROSSPLANE.authority.pem()))
        .domain_name(SERVER_NAME);
    if let Some(Identity { certificate, key }) = identity {
        tls = tls.identity(tonic::transport::Identity::from_pem(certificate, key));
    }
    let endpoint = Endpoint::from_shared(format!("https://{}", server.address)).unwrap();
    Client::new(endpoint.tls_config(tls).unwrap().connect_lazy())
}

#[tokio::test]
async fn crossplane_is_served() {
    let server = serve().await;
    let mut client = client(&server, Some(&CROSSPLANE.client));
    let response = soon(client.run_function(request("tag"))).await.unwrap().into_inner();
    assert_eq!(response.meta.unwrap().tag, "tag");
}

#[tokio::test]
async fn nobody_else_is() {
    let server = serve().await;
    // Every Crossplane's authority has the same name, so only the signature tells them apart.
    let stranger = Authority::new();
    let cases = [
        (None, "no certificate"),
        (Some(stranger.client()), "another Crossplane's"),
        (Some(CROSSPLANE.authority.expired_client()), "one of the past"),
        (Some(CROSSPLANE.authority.server()), "a certificate for serving"),
    ];
    for (identity, reason) in cases {
        let call = soon(client(&server, identity.as_ref()).run_function(request(reason))).await;
        assert!(call.is_err(), "{reason}");
    }
    let mut plain = Client::new(server.channel());
    assert!(soon(plain.run_function(request("in the clear"))).await.is_err());

    assert_eq!(server.handled("OK").await, "0");
    soon(client(&server, Some(&CROSSPLANE.client)).run_function(request("still serving"))).await.unwrap();
    assert_eq!(server.handled("OK").await, "1", "the others never reached the function");
}

#[tokio::test]
async fn tls_1_2_is_enough_and_http_2_is_agreed_on() {
    let server = serve().await;
    for version in [&version::TLS12, &version::TLS13] {
        let mut connection = client_hello(version);
        let address = server.address;
        let agreed = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(BOUND)).unwrap();
            while connection.is_handshaking() {
                connection.complete_io(&mut stream).unwrap();
            }
            (connection.protocol_version(), connection.alpn_protocol().map(<[u8]>::to_vec))
        });
        // grpc-go 1.67 and later refuse a server that does not name h2.
        assert_eq!(agreed.await.unwrap(), (Some(version.version), Some(b"h2".to_vec())));
    }
}

fn client_hello(version: &'static SupportedProtocolVersion) -> ClientConnection {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&CROSSPLANE.authority.pem())).unwrap();
    let Identity { certificate: chain, key } = &CROSSPLANE.client;
    let mut config = ClientConfig::builder_with_protocol_versions(&[version])
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate(chain)],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"h2".to_vec()];
    ClientConnection::new(Arc::new(config), ServerName::try_from(SERVER_NAME).unwrap()).unwrap()
}

#[tokio::test]
async fn a_file_that_does_not_fit_is_named() {
    const EMPTY: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const CUT_OFF: &str = "-----BEGIN CERTIFICATE-----\nMIIB";

    let cases = [
        ("tls.crt", None, "cannot read {}/tls.crt: No such file or directory", "not mounted"),
        ("tls.key", None, "cannot read {}/tls.key: No such file or directory", "not mounted"),
        ("ca.crt", None, "cannot read {}/ca.crt: No such file or directory", "not mounted"),
        ("tls.crt", Some(""), "cannot find a certificate in {}/tls.crt", "empty"),
        ("tls.key", Some("a key"), "cannot find a private key in {}/tls.key", "no PEM"),
        ("ca.crt", Some(&CROSSPLANE.server.key), "cannot find a certificate in {}/ca.crt", "the wrong file"),
        ("tls.crt", Some(CUT_OFF), "cannot find a certificate in {}/tls.crt", "cut off"),
        ("ca.crt", Some(EMPTY), "cannot trust a certificate in {}/ca.crt", "PEM around nothing"),
        (
            "tls.key",
            Some(&CROSSPLANE.client.key),
            "cannot use {}/tls.crt with {}/tls.key",
            "another certificate's key",
        ),
    ];
    for (file, contents, want, reason) in cases {
        let directory = CROSSPLANE.mounted();
        match contents {
            Some(contents) => write(directory.path(), file, contents),
            None => std::fs::remove_file(directory.path().join(file)).unwrap(),
        }
        let error = Server::bind(echo(), &mutual_tls(directory.path())).await.unwrap_err();
        let want = want.replace("{}", directory.path().to_str().unwrap());
        assert!(
            chain(&error).starts_with(&format!("cannot set up TLS: {want}")),
            "{reason}: {}",
            chain(&error)
        );
    }
}

/// As the command line writes it.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[tokio::test]
async fn renewed_certificates_are_used_and_running_calls_go_on() {
    let directory = CROSSPLANE.mounted();
    let (mut gate, function) = Gate::new();
    let options = Options { certificate_looks: Duration::from_millis(20), ..mutual_tls(directory.path()) };
    let server = Running::start(function, &options).await;
    let mut before = client(&server, Some(&CROSSPLANE.client));
    let running = tokio::spawn(async move { before.run_function(request("running")).await.map(drop) });
    assert_eq!(gate.arrival().await, "running");

    let renewed = Crossplane::new();
    renewed.mount(directory.path());
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(renewed.authority.pem()))
        .domain_name(SERVER_NAME)
        .identity(tonic::transport::Identity::from_pem(&renewed.client.certificate, &renewed.client.key));
    let endpoint =
        Endpoint::from_shared(format!("https://{}", server.address)).unwrap().tls_config(tls).unwrap();
    until(async || endpoint.connect().await.is_ok()).await;

    gate.open();
    soon(running).await.unwrap().expect("a call does not end because a certificate does");
    let former = soon(client(&server, Some(&CROSSPLANE.client)).run_function(request("former"))).await;
    assert!(former.is_err(), "the former authority's clients may not call any more");
    soon(Client::new(endpoint.connect_lazy()).run_function(request("renewed"))).await.unwrap();
}
