//! The cryptography of TLS: ring's, but for the numbers that it draws.
//!
//! What has to be random comes from [`chance`]: in a simulation from its seed, so that a capture can be compared byte for
//! byte, and from the kernel otherwise. ring draws the keys of its own key exchanges where nobody can hand it numbers, and
//! so X25519 (RFC 7748) is done by another library. Its group is the only one on offer: every client knows it.

use std::sync::Arc;

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup, ring,
};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use crate::host::chance;

/// Octets of keys and of secrets in this group.
const LENGTH: usize = 32;

/// What rustls is to use.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: vec![&X25519], secure_random: &Chance, ..ring::default_provider() })
}

/// Numbers as the run has them.
#[derive(Debug)]
struct Chance;

impl SecureRandom for Chance {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        chance::draw(buffer).map_err(|_| GetRandomFailed)
    }
}

/// Diffie-Hellman over Curve25519.
#[derive(Debug)]
struct X25519;

impl SupportedKxGroup for X25519 {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = [0; LENGTH];
        Chance.fill(&mut secret)?;
        Ok(Box::new(Exchange { secret, public: x25519(secret, X25519_BASEPOINT_BYTES) }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

/// A key exchange whose other half is awaited.
struct Exchange {
    secret: [u8; LENGTH],
    public: [u8; LENGTH],
}

impl ActiveKeyExchange for Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer: [u8; LENGTH] = peer.try_into().map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        let shared = x25519(self.secret, peer);
        // A point of small order gives a secret that everybody knows (RFC 7748 §6.1, RFC 8446 §7.4.2).
        if shared == [0; LENGTH] {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        Ok(SharedSecret::from(&shared[..]))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::chance::with_seed;

    #[test]
    fn both_ends_come_to_the_same_secret_and_ring_s_own_group_agrees() {
        let theirs = ring::kx_group::X25519.start().expect("it draws");
        let ours = X25519.start().expect("it draws");
        let (public, their_public) = (ours.pub_key().to_vec(), theirs.pub_key().to_vec());
        let (ours, theirs) = (ours.complete(&their_public).expect("a key"), theirs.complete(&public).expect("a key"));
        assert_eq!(ours.secret_bytes(), theirs.secret_bytes());
    }

    #[test]
    fn keys_that_are_none_are_refused() {
        for wrong in [&[][..], &[9; 31], &[9; 33], &[0; 32]] {
            assert!(X25519.start().expect("it draws").complete(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_seed_decides_the_key() {
        let key = |seed| with_seed(seed, || X25519.start().expect("it draws").pub_key().to_vec()).expect("threads");
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
    }
}
