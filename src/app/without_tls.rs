//! TLS where it is not in this build: settings that cannot be read, and nobody to be trusted.

use std::time::Duration;

#[cfg(feature = "http")]
pub(super) use settings::{ClientTls, ServerTls};

/// Nobody, in this build.
pub fn trusted(_seed: u64, _date: Duration) -> Option<String> {
    None
}

#[cfg(feature = "http")]
mod settings {
    use serde::{Deserialize, Deserializer, de};

    /// There is none: a server that is to have it cannot be read.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub(crate) enum ServerTls {}

    impl<'de> Deserialize<'de> for ServerTls {
        fn deserialize<D: Deserializer<'de>>(_: D) -> Result<ServerTls, D::Error> {
            Err(de::Error::custom("TLS is not in this build: build wireglass with the feature `tls`"))
        }
    }

    /// Its settings are not looked at; a client fails where it meets an `https` URL.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    pub(crate) struct ClientTls;

    impl<'de> Deserialize<'de> for ClientTls {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ClientTls, D::Error> {
            de::IgnoredAny::deserialize(deserializer).map(|de::IgnoredAny| ClientTls)
        }
    }
}
