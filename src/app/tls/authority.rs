//! A run's certificate authority, and the certificates that it issues (RFC 5280).
//!
//! Keys are Ed25519, made from the run's seed: the same run has the same certificates, and a signature is the same each
//! time. Validity is counted from the run's own date, in whole days.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, SerialNumber, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Deserialize;

use crate::rng::Rng;

const DAY: Duration = Duration::from_secs(86_400);

/// What stands before the 32 octets of an Ed25519 key in PKCS #8 (RFC 8410 §7).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Whom a certificate with the wrong name is for.
pub(crate) const WRONG_NAME: &str = "other.example.net";

/// What is right or wrong with a server's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Nothing is wrong.
    #[default]
    Good,
    /// It was valid until yesterday.
    Expired,
    /// It is somebody else's.
    WrongName,
    /// It is from an authority that nobody knows.
    UnknownCa,
}

/// A certificate and the key that belongs to it.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// An authority.
pub(crate) struct Authority {
    seed: u64,
    /// The first moment of the day that it counts from, since 1970.
    today: Duration,
    params: CertificateParams,
    key: KeyPair,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    /// The one that every node of a run trusts: of the run with this seed, on this date (since 1970).
    ///
    /// # Errors
    /// The library's, which has no reason for any.
    pub(crate) fn of_run(seed: u64, date: Duration) -> Result<Authority, Error> {
        Authority::named("wireglass lab authority", seed, date)
    }

    fn named(name: &str, seed: u64, date: Duration) -> Result<Authority, Error> {
        let today = Duration::from_secs(date.as_secs() / DAY.as_secs() * DAY.as_secs());
        let (key, serial) = made(seed, name)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        params.serial_number = Some(serial);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Older than the oldest that it has issued.
        valid(&mut params, today.saturating_sub(DAY * 365), today + DAY * 3_650);
        let certificate = params.self_signed(&key)?;
        let pem = certificate.pem();
        Ok(Authority { seed, today, certificate: certificate.der().clone(), pem, params, key })
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its own certificate as programs read it from a file (RFC 7468).
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a server with these names and addresses, the first of which is its subject.
    ///
    /// # Errors
    /// A name that cannot stand in a certificate.
    pub(crate) fn issue(&self, kind: Kind, names: &[String], addresses: &[IpAddr]) -> Result<Identity, Error> {
        let (names, addresses) = match kind {
            Kind::WrongName => (vec![WRONG_NAME.to_owned()], &[][..]),
            Kind::Good | Kind::Expired | Kind::UnknownCa => (names.to_vec(), addresses),
        };
        let stranger = match kind {
            Kind::UnknownCa => Some(Authority::named("an authority that nobody knows", self.seed, self.today)?),
            Kind::Good | Kind::Expired | Kind::WrongName => None,
        };
        let issuer = stranger.as_ref().unwrap_or(self);
        let subject = names.first().cloned().or_else(|| addresses.first().map(IpAddr::to_string)).unwrap_or_default();
        let (key, serial) = made(self.seed, &format!("{kind:?} {subject}"))?;
        let addresses = addresses.iter().map(IpAddr::to_string);
        let mut params = CertificateParams::new(names.into_iter().chain(addresses).collect::<Vec<String>>())?;
        params.distinguished_name = called(&subject);
        params.serial_number = Some(serial);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let today = self.today;
        match kind {
            Kind::Expired => valid(&mut params, today.saturating_sub(DAY * 91), today.saturating_sub(DAY)),
            Kind::Good | Kind::WrongName | Kind::UnknownCa => {
                valid(&mut params, today.saturating_sub(DAY), today + DAY * 90);
            }
        }
        let certificate = params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key))?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Identity { certificate: certificate.der().clone(), key })
    }
}

/// The key of whoever has this name, and the number of their certificate: 8 octets, positive (RFC 5280 §4.1.2.2).
fn made(seed: u64, name: &str) -> Result<(KeyPair, SerialNumber), Error> {
    let mut rng = Rng::derive(seed, name);
    let mut key = [0; 32];
    rng.fill(&mut key);
    let pkcs8 = PrivatePkcs8KeyDer::from([&ED25519_PKCS8[..], &key].concat());
    let serial = rng.next_u64() >> 1 | 1 << 62;
    Ok((KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_ED25519)?, SerialNumber::from(serial)))
}

fn called(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn valid(params: &mut CertificateParams, from: Duration, until: Duration) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + from;
    params.not_after = epoch + until;
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: Duration = Duration::from_secs(1_767_225_600);

    fn issued(seed: u64, kind: Kind) -> CertificateDer<'static> {
        let names = ["api.example.com".to_owned()];
        let authority = Authority::of_run(seed, DATE).expect("it is made");
        authority.issue(kind, &names, &[]).expect("it is issued").certificate
    }

    #[test]
    fn the_same_seed_has_the_same_authority_and_certificates() {
        let pem = |seed| Authority::of_run(seed, DATE).expect("it is made").pem().to_owned();
        assert_eq!(pem(1), pem(1));
        assert_ne!(pem(1), pem(2));
        assert_eq!(issued(1, Kind::Good), issued(1, Kind::Good));
        assert_ne!(issued(1, Kind::Good), issued(2, Kind::Good));
    }

    #[test]
    fn the_hour_of_the_day_makes_no_difference() {
        let later = Authority::of_run(1, DATE + Duration::from_secs(86_399)).expect("it is made");
        assert_eq!(later.pem(), Authority::of_run(1, DATE).expect("it is made").pem());
    }

    #[test]
    fn whoever_is_called_wrongly_does_not_stand_in_the_certificate() {
        let holds = |kind, name: &str| issued(1, kind).windows(name.len()).any(|window| window == name.as_bytes());
        assert!(holds(Kind::Good, "api.example.com"));
        assert!(!holds(Kind::WrongName, "api.example.com"));
        assert!(holds(Kind::WrongName, WRONG_NAME));
        assert!(holds(Kind::UnknownCa, "an authority that nobody knows"));
    }
}
