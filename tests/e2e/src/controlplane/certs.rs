//! The certificates of one run: an authority that nobody else trusts, and what it signs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::run_dir::RunDir;

/// Where the PEM files of one run are.
#[derive(Debug)]
pub struct Certificates {
    /// The authority that both sides trust.
    pub ca: PathBuf,
    /// What the API server shows.
    pub server: Pair,
    /// What an administrator shows.
    pub admin: Pair,
    /// What signs service account tokens, and what checks them.
    pub service_accounts: Pair,
}

/// A public part, which may be a certificate, and its key.
#[derive(Debug)]
pub struct Pair {
    /// Certificate or public key.
    pub public: PathBuf,
    /// Private key.
    pub private: PathBuf,
}

impl Certificates {
    /// Makes all of them anew.
    pub fn write(dir: &RunDir) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "function-inference e2e");
        let key = KeyPair::generate()?;
        let ca = write(dir.join("ca.crt"), &params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);

        let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"].map(str::to_owned);
        let mut server = CertificateParams::new(names)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.distinguished_name.push(DnType::CommonName, "kube-apiserver");

        let mut admin = CertificateParams::new(Vec::new())?;
        admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        admin.distinguished_name.push(DnType::CommonName, "e2e");
        // The group that Kubernetes binds to cluster-admin before any rule exists.
        admin.distinguished_name.push(DnType::OrganizationName, "system:masters");

        let signing = KeyPair::generate()?;
        Ok(Self {
            ca,
            server: sign(dir, "apiserver", &server, &issuer)?,
            admin: sign(dir, "admin", &admin, &issuer)?,
            service_accounts: Pair {
                public: write(dir.join("service-accounts.pub"), &signing.public_key_pem())?,
                private: write(dir.join("service-accounts.key"), &signing.serialize_pem())?,
            },
        })
    }
}

fn sign(dir: &RunDir, name: &str, params: &CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Pair> {
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, issuer)?;
    Ok(Pair {
        public: write(dir.join(&format!("{name}.crt")), &certificate.pem())?,
        private: write(dir.join(&format!("{name}.key")), &key.serialize_pem())?,
    })
}

fn write(path: PathBuf, pem: &str) -> Result<PathBuf> {
    std::fs::write(&path, pem).with_context(|| format!("cannot write {}", Path::new(&path).display()))?;
    Ok(path)
}
