//! The programs that are not in this build: each is known by its name and says which feature brings it.
//!
//! Their settings are not looked at: only a build that has them knows what they mean. A lab that names one is read, and
//! fails at its step.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::ProgramError;
use super::program::Play;
use super::run::Running;

macro_rules! missing {
    ($feature:literal: $($program:ident = $name:literal, server: $is_server:literal;)*) => {$(
        #[doc = concat!("`", $name, "`, which needs the feature `", $feature, "`.")]
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $program;

        impl<'de> Deserialize<'de> for $program {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$program, D::Error> {
                IgnoredAny::deserialize(deserializer).map(|IgnoredAny| $program)
            }
        }

        impl Play for $program {
            const NAME: &'static str = $name;
            const IS_SERVER: bool = $is_server;

            async fn run(&self, _running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
                Err(ProgramError::Missing { program: $name, feature: $feature })
            }
        }
    )*};
}

#[cfg(not(feature = "http"))]
pub(super) mod http {
    use super::*;

    missing! { "http":
        HttpServer = "http-server", server: true;
        HttpCache = "http-cache", server: true;
        HttpGet = "http-get", server: false;
        WorkServer = "work-server", server: true;
        LoadClient = "load-client", server: false;
        JobsServer = "jobs-server", server: true;
        JobsClient = "jobs-client", server: false;
        OrdersServer = "orders-server", server: true;
        OrdersClient = "orders-client", server: false;
        RestServer = "rest-server", server: true;
        RestClient = "rest-client", server: false;
    }
}

#[cfg(not(feature = "http"))]
pub(super) mod front {
    use super::*;

    missing! { "http":
        HttpRelay = "http-relay", server: true;
        LoadBalancer = "load-balancer", server: true;
        ReverseProxy = "reverse-proxy", server: true;
        InstanceServer = "instance-server", server: true;
        InstanceMonitor = "instance-monitor", server: false;
        HttpGateway = "http-gateway", server: true;
    }
}

#[cfg(not(feature = "mqtt"))]
pub(super) mod mqtt {
    use super::*;

    missing! { "mqtt":
        MqttBroker = "mqtt-broker", server: true;
        MqttClient = "mqtt-client", server: false;
    }
}

#[cfg(not(feature = "formats"))]
pub(super) mod formats {
    use super::*;

    missing! { "formats":
        PostsServer = "posts-server", server: true;
        PostsClient = "posts-client", server: false;
    }
}

#[cfg(not(feature = "graphql"))]
pub(super) mod database {
    use super::*;

    missing! { "graphql":
        DatabaseServer = "database-server", server: true;
    }
}

#[cfg(not(feature = "graphql"))]
pub(super) mod graphql {
    use super::*;

    missing! { "graphql":
        GraphqlServer = "graphql-server", server: true;
        ScreenClient = "screen-client", server: false;
    }
}

#[cfg(not(feature = "grpc"))]
pub(super) mod grpc {
    use super::*;

    missing! { "grpc":
        BookstoreServer = "bookstore-server", server: true;
        BookstoreClient = "bookstore-client", server: false;
    }
}

#[cfg(not(feature = "websocket"))]
pub(super) mod feed {
    use super::*;

    missing! { "websocket":
        FeedServer = "feed-server", server: true;
        FeedClient = "feed-client", server: false;
    }
}

#[cfg(not(feature = "websocket"))]
pub(super) mod websocket {
    use super::*;

    missing! { "websocket":
        WebSocketServer = "websocket-server", server: true;
        WebSocketClient = "websocket-client", server: false;
    }
}

#[cfg(not(feature = "quic"))]
pub(super) mod quic {
    use super::*;

    missing! { "quic":
        Http3Server = "http3-server", server: true;
        StreamsGet = "streams-get", server: false;
    }
}

#[cfg(not(feature = "dns"))]
pub(super) mod dns {
    #[cfg(feature = "http")]
    use std::net::IpAddr;

    use super::*;
    #[cfg(feature = "http")]
    use crate::app::Destination;

    missing! { "dns":
        DnsServer = "dns-server", server: true;
        DnsResolver = "dns-resolver", server: true;
        DnsLookup = "dns-lookup", server: false;
    }

    /// Where a host is, which nobody can be asked without the feature `dns`.
    #[cfg(feature = "http")]
    pub(in crate::app) async fn address_of(
        running: &Running,
        _server: &Destination,
        _host: &str,
    ) -> Result<IpAddr, ProgramError> {
        Err(ProgramError::Missing { program: running.program, feature: "dns" })
    }
}

#[cfg(not(all(feature = "dns", feature = "http")))]
pub(super) mod discovery {
    #[cfg(feature = "http")]
    use std::net::IpAddr;

    use super::*;
    #[cfg(feature = "http")]
    use crate::{app::Destination, rng::Rng};

    missing! { "dns,http":
        ServiceRegistry = "service-registry", server: true;
        ServiceClient = "service-client", server: false;
    }

    /// A service's name, about which nobody can be asked without the feature `dns`.
    #[cfg(feature = "http")]
    #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
    pub(in crate::app) struct ServiceName(String);

    /// Where a service is.
    #[cfg(feature = "http")]
    pub(in crate::app) struct Instances {
        pub(in crate::app) targets: Vec<IpAddr>,
    }

    #[cfg(feature = "http")]
    pub(in crate::app) async fn look_up(
        running: &Running,
        _registry: &Destination,
        _service: &ServiceName,
        _ids: &mut Rng,
    ) -> Result<Instances, ProgramError> {
        Err(ProgramError::Missing { program: running.program, feature: "dns" })
    }
}

#[cfg(not(feature = "tls"))]
pub(super) mod access {
    use super::*;

    missing! { "tls":
        AccessServer = "access-server", server: true;
        AccessClient = "access-client", server: false;
    }
}
