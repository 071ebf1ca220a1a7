//! Mutual TLS from the three files that Crossplane mounts.
//!
//! Each file is read and parsed here first, so that an error names the file: to whoever mounts a Secret,
//! "no certificate found" without a name says nothing.

use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};

use super::limits;

/// The server's certificate and what signed it.
const CERTIFICATE: &str = "tls.crt";
/// Its key.
const KEY: &str = "tls.key";
/// What signed the certificate of every client that may call.
const AUTHORITY: &str = "ca.crt";

/// Why the files do not make a server.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Missing, or not ours to read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not PEM, or none of the kind that belongs there.
    #[error("cannot find {wanted} in {}", .path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// A certificate or a private key.
        wanted: &'static str,
        /// Why.
        source: pem::Error,
    },
    /// PEM, but no certificate inside.
    #[error("cannot trust a certificate in {}", .path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// They do not belong together.
    #[error("cannot use {} with {}", .certificate.display(), .key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: tonic::transport::Error,
    },
}

/// A server that takes mutual TLS 1.2 or newer with the files in `directory`, from clients with a certificate that
/// `ca.crt` signed, and from no others.
pub(super) fn configure(
    server: tonic::transport::Server,
    directory: &Path,
) -> Result<tonic::transport::Server, TlsError> {
    let certificate = File::read(directory, CERTIFICATE)?;
    let key = File::read(directory, KEY)?;
    let authority = File::read(directory, AUTHORITY)?;

    certificate.certificates()?;
    key.private_key()?;
    let mut roots = RootCertStore::empty();
    for root in authority.certificates()? {
        roots.add(root).map_err(|source| TlsError::Authority { path: authority.path.clone(), source })?;
    }

    let config = ServerTlsConfig::new()
        .identity(Identity::from_pem(&certificate.contents, &key.contents))
        .client_ca_root(Certificate::from_pem(&authority.contents))
        .client_auth_optional(false)
        .timeout(limits::HANDSHAKE);
    server.tls_config(config).map_err(|source| TlsError::Identity {
        certificate: certificate.path,
        key: key.path,
        source,
    })
}

struct File {
    path: PathBuf,
    contents: Vec<u8>,
}

impl File {
    fn read(directory: &Path, name: &str) -> Result<Self, TlsError> {
        let path = directory.join(name);
        match fs::read(&path) {
            Ok(contents) => Ok(Self { path, contents }),
            Err(source) => Err(TlsError::Read { path, source }),
        }
    }

    /// At least one.
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let wanted = "a certificate";
        let certificates = CertificateDer::pem_slice_iter(&self.contents)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| self.unparsed(wanted, source))?;
        if certificates.is_empty() {
            return Err(self.unparsed(wanted, pem::Error::NoItemsFound));
        }
        Ok(certificates)
    }

    fn private_key(&self) -> Result<(), TlsError> {
        match PrivateKeyDer::from_pem_slice(&self.contents) {
            Ok(_) => Ok(()),
            Err(source) => Err(self.unparsed("a private key", source)),
        }
    }

    fn unparsed(&self, wanted: &'static str, source: pem::Error) -> TlsError {
        TlsError::Parse { path: self.path.clone(), wanted, source }
    }
}
