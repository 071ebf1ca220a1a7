//! Replicas of the certificates that Crossplane makes for itself and its functions (crossplane v2.3.4,
//! `internal/initializer/tls.go` and `cert_generator.go`): RSA keys of 2048 bits in PKCS#1, and one subject and one
//! serial number for the authority, servers and clients alike.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, SerialNumber,
};
use tempfile::TempDir;

/// What a server certificate is for: the functions' Service.
pub(crate) const SERVER_NAME: &str = "function-inference.crossplane-system";

/// One Crossplane, for all tests: RSA keys take their time.
pub(crate) static CROSSPLANE: LazyLock<Crossplane> = LazyLock::new(Crossplane::new);

/// An authority, with a certificate for a function and one for Crossplane itself.
pub(crate) struct Crossplane {
    pub(crate) authority: Authority,
    pub(crate) server: Identity,
    pub(crate) client: Identity,
}

impl Crossplane {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        Self { server: authority.server(), client: authority.client(), authority }
    }

    /// A directory as Crossplane mounts it for a function.
    pub(crate) fn mounted(&self) -> TempDir {
        let directory = TempDir::new().unwrap();
        self.mount(directory.path());
        directory
    }

    /// Writes the files there.
    pub(crate) fn mount(&self, directory: &Path) {
        write(directory, "ca.crt", &self.authority.pem());
        write(directory, "tls.crt", &self.server.certificate);
        write(directory, "tls.key", &self.server.key);
    }
}

/// An authority, and what it signs.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = crossplane("crossplane-root-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign, KeyUsagePurpose::KeyCertSign];
        let key = rsa();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn server(&self) -> Identity {
        self.sign(&leaf(SERVER_NAME, ExtendedKeyUsagePurpose::ServerAuth))
    }

    /// Crossplane itself, by its service account and namespace.
    pub(crate) fn client(&self) -> Identity {
        self.sign(&leaf("crossplane.crossplane-system", ExtendedKeyUsagePurpose::ClientAuth))
    }

    pub(crate) fn expired_client(&self) -> Identity {
        let mut params = leaf("crossplane.crossplane-system", ExtendedKeyUsagePurpose::ClientAuth);
        params.not_after = rcgen::date_time_ymd(2022, 1, 1);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Identity {
        let key = rsa();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { certificate, key: pkcs1(&key) }
    }
}

fn leaf(name: &str, purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = crossplane(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
        KeyUsagePurpose::DataEncipherment,
    ];
    params.extended_key_usages = vec![purpose];
    // Go names the signer's key as soon as the signer has a subject key id, and a Go authority has.
    params.use_authority_key_identifier_extension = true;
    params
}

/// What all of them share.
fn crossplane(name: &str) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    for (attribute, value) in [
        (DnType::CountryName, "Earth"),
        (DnType::OrganizationName, "Crossplane"),
        (DnType::LocalityName, "Earth"),
        (DnType::StateOrProvinceName, "Earth"),
        (DnType::CommonName, "Crossplane"),
    ] {
        subject.push(attribute, DnValue::PrintableString(value.try_into().unwrap()));
    }
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = subject;
    params.serial_number = Some(SerialNumber::from(2022_u64));
    params
}

fn rsa() -> KeyPair {
    KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap()
}

/// PKCS#8 wraps the PKCS#1 key in 26 bytes that are the same for every RSA key of this size.
fn pkcs1(key: &KeyPair) -> String {
    const WRAPPER: usize = 26;
    let (wrapper, key) = key.serialized_der().split_at(WRAPPER);
    assert_eq!((wrapper[0], key[0]), (0x30, 0x30), "a SEQUENCE in a SEQUENCE");
    pem::encode(&pem::Pem::new("RSA PRIVATE KEY", key))
}

pub(crate) fn write(directory: &Path, name: &str, contents: &str) {
    fs::write(directory.join(name), contents).unwrap();
}
