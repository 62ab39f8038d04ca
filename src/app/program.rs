//! The register of built-in programs, as a lab file names them.
//!
//! What lives here: one line for each program, and what each must say of itself ([`Play`]). What does not: its settings
//! and what it does, which stand together in a file of their own (`transfer`, `messages`, `http`). A new program is such a
//! file and a line here.

use serde::Deserialize;

use super::database::DatabaseServer;
use super::discovery::{ServiceClient, ServiceRegistry};
use super::dns::{DnsLookup, DnsResolver, DnsServer};
use super::feed::{FeedClient, FeedServer};
use super::formats::{PostsClient, PostsServer};
use super::front::{HttpGateway, HttpRelay, InstanceMonitor, InstanceServer, LoadBalancer, ReverseProxy};
use super::graphql::{GraphqlServer, ScreenClient};
use super::grpc::{BookstoreClient, BookstoreServer};
#[cfg(feature = "tls")]
use super::http::{AccessClient, AccessServer};
use super::http::{
    HttpCache, HttpGet, HttpServer, JobsClient, JobsServer, LoadClient, OrdersClient, OrdersServer, RestClient,
    RestServer, WorkServer,
};
use super::messages::{MessageSend, MessageSink};
#[cfg(not(feature = "tls"))]
use super::missing::access::{AccessClient, AccessServer};
use super::mqtt::{MqttBroker, MqttClient};
use super::quic::{Http3Server, StreamsGet};
use super::run::Running;
use super::scan::PortScan;
use super::transfer::{Exchange, ExchangeServer, Send, Sink};
use super::websocket::{WebSocketClient, WebSocketServer};
use super::{Destination, ProgramError};

/// What a program says of itself, and how it runs; implemented by its settings.
pub(super) trait Play {
    /// Its name in lab files and in the journal: `exchange-server`.
    const NAME: &'static str;
    /// Whether it serves until it is stopped; a client ends by itself.
    const IS_SERVER: bool;

    /// Whom it talks to by itself, in the order of its settings. A lab is wrong that names a node which it does not have.
    fn peers(&self) -> Vec<&Destination> {
        Vec::new()
    }

    /// Whether it is a client whose data goes over TCP, so that TCPs can be compared by it.
    fn moves_over_tcp(&self) -> bool {
        false
    }

    /// Runs it. A client ends by itself, and may call `ready` when others can follow; a server calls it once it listens, and
    /// serves until the future is dropped.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError>;
}

macro_rules! register {
    ($($(#[$meta:meta])* $program:ident,)*) => {
        /// A built-in program with its settings: `run = { send = { to = "server:9000", bytes = "17520B" } }`.
        ///
        /// Servers and clients come in pairs; each client names the server that it is made for.
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Program {
            $($(#[$meta])* $program($program),)*
        }

        impl Program {
            /// The names of all programs, in the order of the register.
            pub const NAMES: &'static [&'static str] = &[$($program::NAME,)*];

            /// Its name in lab files and in the journal: `exchange-server`.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Program::$program(_) => $program::NAME,)*
                }
            }

            /// Whether it serves until it is stopped; a client ends by itself.
            pub const fn is_server(&self) -> bool {
                match self {
                    $(Program::$program(_) => $program::IS_SERVER,)*
                }
            }

            /// Whom it talks to by itself, in the order of its settings.
            pub fn peers(&self) -> Vec<&Destination> {
                match self {
                    $(Program::$program(settings) => settings.peers(),)*
                }
            }

            /// Whether it is a client whose data goes over TCP, so that TCPs can be compared by it.
            pub fn moves_over_tcp(&self) -> bool {
                match self {
                    $(Program::$program(settings) => settings.moves_over_tcp(),)*
                }
            }

            /// As [`Play::run`]. What `ready` is has no part in its type: else all programs would be compiled once for
            /// each caller.
            pub(super) async fn play(&self, running: &Running, ready: Box<dyn FnOnce() + '_>) -> Result<(), ProgramError> {
                match self {
                    $(Program::$program(settings) => settings.run(running, ready).await,)*
                }
            }
        }
    };
}

register! {
    /// A TCP server that reads each connection to its end, hashes what came, then closes.
    Sink,
    /// A TCP client for `sink`: sends data, hashes it, closes, and waits until the peer has closed too.
    Send,
    /// A TCP server that reads a connection to its end and only then answers: the client's half-close makes it speak.
    ExchangeServer,
    /// A TCP client for `exchange-server`: sends data, closes its half, reads the answer to its end.
    Exchange,
    /// A server that reports the number of each message that arrives.
    MessageSink,
    /// A client for `message-sink`: sends numbered messages at a steady pace.
    MessageSend,
    /// A client that tries ports, and tells which are open and which are not.
    PortScan,
    /// An HTTP/1.1 server with pages.
    HttpServer,
    /// An HTTP/1.1 cache between clients and a server.
    HttpCache,
    /// An HTTP/1.1 client that fetches pages, as `curl URL` does.
    HttpGet,
    /// An HTTP/1.1 server that takes orders, each of them once.
    OrdersServer,
    /// An HTTP/1.1 client that places an order, and tries again when no answer comes.
    OrdersClient,
    /// An HTTP server that asks who calls, and whether they may.
    AccessServer,
    /// An HTTP client with good credentials, bad ones and none.
    AccessClient,
    /// An HTTP/1.1 server that takes jobs, answers at once, and does them later.
    JobsServer,
    /// An HTTP/1.1 client that hands a job in, and asks until it is done.
    JobsClient,
    /// An MQTT broker: what is published goes to all who have subscribed to it.
    MqttBroker,
    /// An MQTT client that publishes and subscribes.
    MqttClient,
    /// A DNS server that answers for zones of its own.
    DnsServer,
    /// A DNS server that finds answers out for others and remembers them.
    DnsResolver,
    /// A DNS client that asks for names and prints what it is told, as `dig +short` does.
    DnsLookup,
    /// A DNS server that answers with the instances of a service which are well.
    ServiceRegistry,
    /// A client that asks `service-registry` where a service is, and sends requests to its instances.
    ServiceClient,
    /// An HTTP/1.1 server that has posts in three formats.
    PostsServer,
    /// An HTTP/1.1 client for `posts-server`: fetches posts in each format and reads them.
    PostsClient,
    /// A gRPC server with a method of each kind.
    BookstoreServer,
    /// A gRPC client for `bookstore-server`.
    BookstoreClient,
    /// A WebSocket server for a chat: what is said on a channel goes to all who have subscribed to it.
    #[serde(rename = "websocket-server")]
    WebSocketServer,
    /// A WebSocket client that says things and hears others.
    #[serde(rename = "websocket-client")]
    WebSocketClient,
    /// A server with news, for four ways to get them.
    FeedServer,
    /// A client that gets news in one of four ways.
    FeedClient,
    /// An HTTP/1.1 proxy that passes answers on as they come, or when they are whole.
    HttpRelay,
    /// An HTTP/1.1 server whose answers take time, with workers or without, that may need another server.
    WorkServer,
    /// An HTTP/1.1 client that asks for many things at once, and measures.
    LoadClient,
    /// A server with tables that can be asked by queries, in the protocol of PostgreSQL.
    DatabaseServer,
    /// An HTTP/1.1 server with a blog, as REST resources and at one endpoint for GraphQL.
    GraphqlServer,
    /// An HTTP/1.1 client for `graphql-server`: gets what one screen shows, by REST or by a query.
    ScreenClient,
    /// Spreads connections or requests over several servers.
    LoadBalancer,
    /// What clients take for the server: takes TLS off, and passes requests on to the services that they belong to.
    ReverseProxy,
    /// One instance of a service: says which one it is, and for which request.
    InstanceServer,
    /// A client that asks all instances of a service how busy they are, before and after there are more of them.
    InstanceMonitor,
    /// Middleware in front of an HTTP/1.1 server: who may ask, how often, for what.
    HttpGateway,
    /// An HTTP/1.1 server with a collection of posts, which methods change.
    RestServer,
    /// An HTTP/1.1 client that uses connections in one of four ways.
    RestClient,
    /// An HTTP/3 server with pages, over QUIC.
    #[serde(rename = "http3-server")]
    Http3Server,
    /// A client that asks for several pages at once over one connection, of TCP or of QUIC.
    StreamsGet,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Step {
        run: Program,
    }

    fn read(toml: &str) -> Result<Program, String> {
        toml::from_str::<Step>(toml).map(|step| step.run).map_err(|error| error.to_string())
    }

    #[test]
    fn every_program_is_read_under_its_own_name() {
        let table = [
            r#"{ sink = { port = 9000 } }"#,
            r#"{ send = { to = "server:9000", bytes = "17520B" } }"#,
            r#"{ exchange-server = { port = 9000, bytes = "1KB" } }"#,
            r#"{ exchange = { to = "server:9000", bytes = "1KB" } }"#,
            r#"{ message-sink = { port = 9000, over = "udp" } }"#,
            r#"{ message-send = { to = "server:9000", over = "tcp", count = 50, size = "100B", every = "20ms" } }"#,
            r#"{ port-scan = { to = ["server:9000"] } }"#,
            r#"{ http-server = { port = 80, path = "/api/posts", body = "{}" } }"#,
            r#"{ http-cache = { port = 80, origin = "server:80" } }"#,
            r#"{ http-get = { url = "http://server/api/posts" } }"#,
            r#"{ orders-server = { port = 80 } }"#,
            r#"{ orders-client = { url = "http://server/orders", body = "{}" } }"#,
            r#"{ access-server = { port = 80, secret = "s", callers = [] } }"#,
            r#"{ access-client = { url = "http://server/", name = "alice", password = "p", requests = [] } }"#,
            r#"{ jobs-server = { port = 80, takes = "1s" } }"#,
            r#"{ jobs-client = { url = "http://server/jobs", body = "{}" } }"#,
            r#"{ mqtt-broker = { port = 1883 } }"#,
            r#"{ mqtt-client = { to = "server:1883", id = "email-service" } }"#,
            r#"{ dns-server = { port = 53, zones = [] } }"#,
            r#"{ dns-resolver = { port = 53, upstream = { forward = ["server:53"] } } }"#,
            r#"{ dns-lookup = { server = "server:53", ask = ["api.example.com"] } }"#,
            r#"{ service-registry = { port = 53, services = [{ name = "shop.local", instances = ["server:80"] }] } }"#,
            r#"{ service-client = { service = "shop.local", registry = "server:53", requests = 3, every = "1s" } }"#,
            r#"{ posts-server = { port = 80, title = "Network Efficiency" } }"#,
            r#"{ posts-client = { url = "http://server/posts/1" } }"#,
            r#"{ bookstore-server = { port = 8080, books = [] } }"#,
            r#"{ bookstore-client = { to = "server:8080", calls = [{ get = "123" }] } }"#,
            r#"{ websocket-server = { port = 80 } }"#,
            r#"{ websocket-client = { url = "ws://server/chat" } }"#,
            r#"{ feed-server = { port = 80, path = "/orders", news = [] } }"#,
            r#"{ feed-client = { url = "http://server/orders", how = "sse", receive = 5 } }"#,
            r#"{ http-relay = { port = 80, origin = "server:80" } }"#,
            r#"{ work-server = { port = 80, workers = 4, takes = "100ms" } }"#,
            r#"{ load-client = { url = "http://server/", users = 8, requests = 24 } }"#,
            r#"{ database-server = { port = 5432, tables = {} } }"#,
            r#"{ graphql-server = { port = 80, database = "db:5432" } }"#,
            r#"{ screen-client = { url = "http://server/", ask = { rest = 1 } } }"#,
            r#"{ load-balancer = { port = 80, backends = ["server:8080"] } }"#,
            r#"{ reverse-proxy = { port = 80, routes = [{ path = "/", backends = ["server:8080"] }] } }"#,
            r#"{ instance-server = { port = 8080, name = "posts-service-1" } }"#,
            r#"{ instance-monitor = { service = "shop.local", registry = "server:53", ask = 8088, before = { from = "1s", to = "2s" }, after = { from = "3s", to = "4s" } } }"#,
            r#"{ http-gateway = { port = 80, backend = "server:8080" } }"#,
            r#"{ rest-server = { port = 80, path = "/api/posts" } }"#,
            r#"{ rest-client = { url = "http://server/", calls = [{ path = "/api/posts" }] } }"#,
            r#"{ http3-server = { port = 443, tls = {}, pages = [{ path = "/", body = "hello" }] } }"#,
            r#"{ streams-get = { requests = ["https://server/a", "https://server/b"], over = "http3" } }"#,
        ];
        assert_eq!(table.len(), Program::NAMES.len(), "each program of {:?} is tried", Program::NAMES);
        for written in table {
            let program = read(&format!("run = {written}")).expect(written);
            assert!(written.starts_with(&format!("{{ {} =", program.name())), "{written}");
            assert_eq!(program.is_server(), written.contains("port ="), "{written}");
        }
    }

    #[test]
    fn a_wrong_parameter_is_answered_with_the_field_and_what_was_expected() {
        let table = [
            (r#"{ sink = { prot = 9000 } }"#, "unknown field `prot`, expected `port`"),
            (r#"{ sink = { port = 0 } }"#, "expected a nonzero u16"),
            (r#"{ snik = { port = 1 } }"#, "unknown variant `snik`, expected one of `sink`, `send`"),
            (r#"{ send = { to = "server", bytes = "1KB" } }"#, "`server` is not a destination"),
            (r#"{ send = { to = "server:1", bytes = 1000 } }"#, "expected a size in quotes"),
            (r#"{ send = { to = "server:1", bytes = "1000" } }"#, "`1000` is not a size"),
            (r#"{ message-sink = { port = 1, over = "sctp" } }"#, "expected `tcp` or `udp`"),
            (r#"{ http-server = { port = 1, path = "x", body = "" } }"#, "`x` is not a path"),
            (r#"{ http-get = { url = "ftp://server/" } }"#, "is not a URL that is spoken here"),
            (r#"{ websocket-client = { url = "http://server/" } }"#, "write one such as \"ws://server/chat\""),
            (r#"{ screen-client = { url = "https://server/", ask = { rest = 1 } } }"#, "this program speaks no TLS"),
            (
                r#"{ rest-client = { url = "http://server/", calls = [{ method = "get", path = "/" }] } }"#,
                "`get` is not a method",
            ),
            (r#"{ http3-server = { port = 1, tls = {}, pages = [] } }"#, "an http3-server has `pages`"),
            (
                r#"{ streams-get = { requests = ["http://s/"], over = "http2" } }"#,
                "write URLs that begin with https://",
            ),
            (r#"{ streams-get = { requests = ["https://s/"], over = "http4" } }"#, "expected `http2` or `http3`"),
            (
                r#"{ streams-get = { requests = ["https://s/", "https://t/"], over = "http2" } }"#,
                "one connection leads to one server",
            ),
        ];
        for (written, expected) in table {
            let error = read(&format!("run = {written}")).expect_err(written);
            assert!(error.contains(expected), "{written}: {error}");
            assert!(error.contains("line 1, column"), "{written}: {error}");
        }
    }
}
