//! Mutual TLS from the three files that Crossplane mounts, read anew when they change.
//!
//! Each file is read and parsed here first, so that an error names the file: to whoever mounts a Secret,
//! "no certificate found" without a name says nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The server's certificate and what signed it.
const CERTIFICATE: &str = "tls.crt";
/// Its key.
const KEY: &str = "tls.key";
/// What signed the certificate of every client that may call.
const AUTHORITY: &str = "ca.crt";

/// gRPC's protocol, as it is agreed on in the handshake. grpc-go 1.67 and later refuse a server that does not name it.
const HTTP_2: &[u8] = b"h2";

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
    /// Nothing that a client's certificate could be checked with.
    #[error("cannot check clients with {}", .path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
    /// They do not belong together.
    #[error("cannot use {} with {}", .certificate.display(), .key.display())]
    Identity {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// The files of a directory, and what connections are made with: TLS 1.2 or newer, for clients with a certificate that
/// `ca.crt` signed, and for no others.
#[derive(Debug)]
pub(super) struct Certificates {
    directory: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    files: Files,
    config: Arc<ServerConfig>,
}

impl Certificates {
    /// Reads them for the first time.
    pub(super) fn read(directory: &Path) -> Result<Self, TlsError> {
        let files = Files::read(directory)?;
        let config = files.config()?;
        Ok(Self { directory: directory.to_owned(), current: Mutex::new(Current { files, config }) })
    }

    /// What the next connection is made with. Those that there are keep theirs.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current().config)
    }

    /// Reads them again: whether they have changed. Those that do not fit change nothing.
    pub(super) fn reload(&self) -> Result<bool, TlsError> {
        let files = Files::read(&self.directory)?;
        if files == self.current().files {
            return Ok(false);
        }
        let config = files.config()?;
        *self.current() = Current { files, config };
        Ok(true)
    }

    /// How long the server's certificate is still valid: not at all where its time is over, or not yet come. `None`
    /// where that cannot be told.
    pub(super) fn valid_for(&self) -> Option<Duration> {
        let leaf = self.current().files.certificate.certificates().ok()?.into_iter().next()?;
        let (_, leaf) = X509Certificate::from_der(&leaf).ok()?;
        let left = leaf.validity().time_to_expiration();
        Some(left.and_then(|left| left.try_into().ok()).unwrap_or_default())
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // It is only ever replaced whole.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Files {
    certificate: File,
    key: File,
    authority: File,
}

impl Files {
    fn read(directory: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: File::read(directory, CERTIFICATE)?,
            key: File::read(directory, KEY)?,
            authority: File::read(directory, AUTHORITY)?,
        })
    }

    fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let Self { certificate, key, authority } = self;
        let chain = certificate.certificates()?;
        let private_key = key.private_key()?;
        let mut roots = RootCertStore::empty();
        for root in authority.certificates()? {
            roots.add(root).map_err(|source| TlsError::Authority { path: authority.path.clone(), source })?;
        }
        let clients = WebPkiClientVerifier::builder(Arc::new(roots))
            .build()
            .map_err(|source| TlsError::Verifier { path: authority.path.clone(), source })?;
        let mut config = ServerConfig::builder()
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, private_key)
            .map_err(|source| TlsError::Identity {
                certificate: certificate.path.clone(),
                key: key.path.clone(),
                source,
            })?;
        config.alpn_protocols.push(HTTP_2.to_vec());
        Ok(Arc::new(config))
    }
}

#[derive(PartialEq, Eq)]
struct File {
    path: PathBuf,
    contents: Vec<u8>,
}

/// Without the contents: one of them is a private key.
impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.path).finish_non_exhaustive()
    }
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

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.contents).map_err(|source| self.unparsed("a private key", source))
    }

    fn unparsed(&self, wanted: &'static str, source: pem::Error) -> TlsError {
        TlsError::Parse { path: self.path.clone(), wanted, source }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    /// A directory in which one certificate is everything, valid until that year.
    fn write(directory: &Path, year: i32, key: &KeyPair) {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.self_signed(key).unwrap().pem();
        fs::write(directory.join(CERTIFICATE), &certificate).unwrap();
        fs::write(directory.join(AUTHORITY), certificate).unwrap();
    }

    #[test]
    fn only_what_has_changed_and_fits_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        fs::write(directory.path().join(KEY), key.serialize_pem()).unwrap();
        write(directory.path(), 2900, &key);
        let certificates = Certificates::read(directory.path()).unwrap();
        let first = certificates.config();
        assert!(!certificates.reload().unwrap(), "nothing has changed");
        assert!(Arc::ptr_eq(&first, &certificates.config()));

        write(directory.path(), 2900, &KeyPair::generate().unwrap());
        let error = certificates.reload().unwrap_err();
        assert!(matches!(error, TlsError::Identity { .. }), "kubelet has not written all of it yet: {error}");
        assert!(Arc::ptr_eq(&first, &certificates.config()), "what worked stays");

        write(directory.path(), 2901, &key);
        assert!(certificates.reload().unwrap());
        assert!(!Arc::ptr_eq(&first, &certificates.config()));
    }

    #[test]
    fn the_end_of_a_certificate_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        fs::write(directory.path().join(KEY), key.serialize_pem()).unwrap();
        write(directory.path(), 2021, &key);
        let certificates = Certificates::read(directory.path()).unwrap();
        assert_eq!(certificates.valid_for(), Some(Duration::ZERO), "it is over");
        write(directory.path(), 2900, &key);
        certificates.reload().unwrap();
        assert!(certificates.valid_for().unwrap() > Duration::from_hours(24 * 365 * 100));
    }
}
