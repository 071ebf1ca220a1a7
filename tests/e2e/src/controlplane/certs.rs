//! The certificates of one run: an authority that nobody else trusts, and what it signs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::run_dir::RunDir;

/// An authority of this run's own.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate, or a public key, and the private key to it.
#[derive(Debug)]
pub struct Pair {
    /// Certificate or public key.
    pub public: String,
    /// Private key.
    pub private: String,
}

impl Authority {
    /// A new one.
    pub fn create() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "function-inference e2e");
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// The certificate that both sides trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// What a server on this machine shows.
    pub fn server(&self) -> Result<Pair> {
        self.peer(&["kubernetes.default.svc"], &[ExtendedKeyUsagePurpose::ServerAuth])
    }

    /// What one shows that is both server and client, under these names beside those of this machine.
    pub fn both(&self, names: &[&str]) -> Result<Pair> {
        self.peer(names, &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth])
    }

    fn peer(&self, names: &[&str], usages: &[ExtendedKeyUsagePurpose]) -> Result<Pair> {
        let names = ["localhost", "127.0.0.1"].iter().chain(names).map(|name| (*name).to_owned());
        let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
        params.extended_key_usages = usages.to_vec();
        params.distinguished_name.push(DnType::CommonName, "localhost");
        self.sign(&params)
    }

    /// What a client shows. The organization is what Kubernetes takes for a group.
    pub fn client(&self, name: &str, organization: Option<&str>) -> Result<Pair> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(organization) = organization {
            params.distinguished_name.push(DnType::OrganizationName, organization);
        }
        self.sign(&params)
    }

    /// Writes a pair as Crossplane lays certificates out: `tls.crt`, `tls.key` and the authority's `ca.crt`.
    pub fn folder(&self, path: PathBuf, pair: &Pair) -> Result<PathBuf> {
        std::fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        write(&path.join("ca.crt"), self.pem())?;
        write(&path.join("tls.crt"), &pair.public)?;
        write(&path.join("tls.key"), &pair.private)?;
        Ok(path)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        let public = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Pair { public, private: key.serialize_pem() })
    }
}

/// Keys that sign and check service account tokens.
#[derive(Debug)]
pub(super) struct ServiceAccountKeys {
    /// The key that checks.
    pub(super) public: PathBuf,
    /// The key that signs.
    pub(super) private: PathBuf,
}

impl ServiceAccountKeys {
    pub(super) fn write(dir: &RunDir) -> Result<Self> {
        let key = KeyPair::generate()?;
        let keys =
            Self { public: dir.join("service-accounts.pub"), private: dir.join("service-accounts.key") };
        write(&keys.public, &key.public_key_pem())?;
        write(&keys.private, &key.serialize_pem())?;
        Ok(keys)
    }
}

fn write(path: &Path, pem: &str) -> Result<()> {
    std::fs::write(path, pem).with_context(|| format!("cannot write {}", path.display()))
}
