//! TLS as a lab file has it: what a server shows and a client wants.

use rustls::SupportedProtocolVersion;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, DnsName};
use rustls::version::{TLS12, TLS13};
use serde::{Deserialize, Deserializer, de};

use super::authority::Kind;

/// A server's: `tls = { certificate = "good", name = "api.example.com" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerTls {
    /// What is right or wrong with its certificate.
    #[serde(default)]
    pub(super) certificate: Kind,
    /// Whom the certificate is for; without it, all names and addresses of the node.
    #[serde(default, deserialize_with = "name")]
    pub(super) name: Option<String>,
    /// What it speaks, in ALPN's names, the preferred first; without it, what the program can.
    pub(super) alpn: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) versions: Versions,
    /// Whether it gives out tickets, by which a session can be taken up again (RFC 8446 §4.6.1).
    #[serde(default = "yes")]
    pub(super) tickets: bool,
}

/// A client's: `tls = { send_name = false }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientTls {
    /// Whether it says whom it wants to talk to (SNI, RFC 6066 §3).
    #[serde(default = "yes")]
    pub(super) send_name: bool,
    /// Whether it takes up an earlier session, where it has one (RFC 8446 §2.2).
    #[serde(default = "yes")]
    pub(super) resume: bool,
    /// What it offers, in ALPN's names, the preferred first; without it, what the program can.
    pub(super) alpn: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) versions: Versions,
    /// Another authority that it trusts besides the run's own, for a real server that has certificates of its own.
    #[serde(default, deserialize_with = "certificate")]
    pub(super) trusts: Option<CertificateDer<'static>>,
}

/// As every good client has it.
impl Default for ClientTls {
    fn default() -> ClientTls {
        ClientTls { send_name: true, resume: true, alpn: None, versions: Versions::default(), trusts: None }
    }
}

fn yes() -> bool {
    true
}

/// Which versions of TLS are spoken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<Version>")]
pub(crate) struct Versions(Vec<Version>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Version {
    #[serde(rename = "1.2")]
    Tls12,
    #[serde(rename = "1.3")]
    Tls13,
}

/// The current one alone.
impl Default for Versions {
    fn default() -> Versions {
        Versions(vec![Version::Tls13])
    }
}

impl TryFrom<Vec<Version>> for Versions {
    type Error = &'static str;

    fn try_from(versions: Vec<Version>) -> Result<Versions, &'static str> {
        if versions.is_empty() {
            return Err("without a version of TLS there is none: write `versions = [\"1.3\"]`");
        }
        Ok(Versions(versions))
    }
}

impl Versions {
    /// Whether QUIC can be spoken with them: there is none over an older one (RFC 9001 §4.2).
    #[cfg(feature = "quic")]
    pub(crate) fn suit_quic(&self) -> bool {
        matches!(self.0[..], [Version::Tls13])
    }

    /// As rustls has them.
    pub(super) fn supported(&self) -> Vec<&'static SupportedProtocolVersion> {
        let supported = |version: &Version| match version {
            Version::Tls12 => &TLS12,
            Version::Tls13 => &TLS13,
        };
        self.0.iter().map(supported).collect()
    }
}

/// Reads the name of a server.
fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    match DnsName::try_from(name.as_str()) {
        Ok(_) => Ok(Some(name)),
        Err(_) => {
            Err(de::Error::custom(format!("`{name}` is no server's name: write one such as \"api.example.com\"")))
        }
    }
}

/// Reads a certificate as a file has it (RFC 7468).
fn certificate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CertificateDer<'static>>, D::Error> {
    let text = String::deserialize(deserializer)?;
    CertificateDer::from_pem_slice(text.as_bytes()).map(Some).map_err(|error| {
        de::Error::custom(format!(
            "that is no certificate ({error}): write one, with its `-----BEGIN CERTIFICATE-----`"
        ))
    })
}
