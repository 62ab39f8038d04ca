//! `orders-server`: takes orders, and knows one that comes again by its `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! An order has two things to be remembered: the order itself, and the key that it came with. Where both are stored in one
//! step, whatever happens in between happens to neither; where the key is stored later, a crash between the two leaves an
//! order that nobody will recognise.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::conversation::{self, Ended};
use super::{JSON, response};
use crate::app::channel::{self, Channel, Gate, HTTP_1};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ServerTls;
use crate::app::{ProgramError, Span, values};
use crate::journal::{OrderOutcome, ProgramEvent};

/// The field that names an operation, however often it is asked for.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What is kept at most: orders, and octets of one.
const MOST_ORDERS: usize = 10_000;
const MOST_BODY: usize = 1 << 16;

/// `orders-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrdersServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Its TLS; without it, plain HTTP.
    tls: Option<ServerTls>,
    /// The number of the first order.
    #[serde(default = "one")]
    first: u32,
    /// How long it takes over an order before it answers.
    #[serde(default)]
    takes: Option<Span>,
    /// When the key of an order is stored.
    #[serde(default)]
    store_key: StoreKey,
    /// After which orders, counted from 1, it crashes as soon as they are stored: its client hears nothing. It is there
    /// again at once, with whatever it had stored.
    #[serde(default)]
    crash_after: Vec<u32>,
}

fn one() -> u32 {
    1
}

/// When the key of an order is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoreKey {
    /// In the same step as the order.
    #[default]
    WithOrder,
    /// In a step after it.
    Late,
    /// Not at all: as if the server did not know the field.
    Never,
}

impl Play for OrdersServer {
    const NAME: &'static str = "orders-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let book = Rc::new(Book { settings: self.clone(), pages: RefCell::default() });
        let gate = Gate { port: self.port, tls: self.tls.as_ref(), protocols: &[HTTP_1] };
        let serve = move |running, channel, peer| serve_one(running, channel, peer, book.clone());
        channel::serve(running, gate, ready, serve).await
    }
}

/// Answers the requests of one connection, or breaks it off in a crash.
async fn serve_one(running: Running, channel: Channel, peer: SocketAddr, book: Rc<Book>) -> Result<(), ProgramError> {
    let service = service_fn(|request: Request<Incoming>| {
        let (running, book) = (running.clone(), book.clone());
        async move { book.answer(&running, request).await }
    });
    match conversation::hold(&running, channel, peer, &[HTTP_1], service).await {
        Ok(()) => Ok(()),
        Err(Ended::ByUs(_)) => {
            running.complain("it crashes and starts again: whoever waits for an answer gets none");
            Ok(())
        }
        Err(Ended::Wrong(error)) => Err(error),
    }
}

/// The server's process has come to a sudden end.
#[derive(Debug, thiserror::Error)]
#[error("a crash")]
struct Crash;

/// The orders, and the keys that they came with.
struct Book {
    settings: OrdersServer,
    pages: RefCell<Pages>,
}

#[derive(Default)]
struct Pages {
    orders: Vec<Order>,
    /// Which order came with a key: its place among the orders.
    keys: BTreeMap<String, usize>,
}

struct Order {
    id: String,
    item: Value,
    quantity: Value,
    /// As it came, so that another one with the same key can be told from it.
    body: Bytes,
}

impl Book {
    async fn answer(&self, running: &Running, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Crash> {
        let (parts, body) = request.into_parts();
        let (method, target) = (parts.method.to_string(), parts.uri.to_string());
        let body = Limited::new(body, MOST_BODY).collect().await.ok().map(http_body_util::Collected::to_bytes);
        let bytes = body.as_ref().map_or(0, |body| body.len() as u64);
        running.report(ProgramEvent::Request { method, target, bytes });
        let key = parts.headers.get(IDEMPOTENCY_KEY).and_then(|key| key.to_str().ok()).unwrap_or_default();
        let response = match (&parts.method, parts.uri.path(), body) {
            (&Method::POST, "/orders", Some(body)) => {
                if let Some(span) = self.settings.takes {
                    sleep(span.duration()).await;
                }
                self.take(running, key, body)?
            }
            (&Method::POST, "/orders", None) => {
                error(StatusCode::PAYLOAD_TOO_LARGE, "That order is too long, or broke off")
            }
            (&Method::GET | &Method::HEAD, "/orders", _) => self.list(),
            (_, "/orders", _) => {
                let mut refusal = error(StatusCode::METHOD_NOT_ALLOWED, "Only GET, HEAD and POST are allowed here");
                refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
                refusal
            }
            _ => error(StatusCode::NOT_FOUND, "There is nothing here but /orders"),
        };
        let (status, bytes) = (response.status().as_u16(), response.body().len() as u64);
        running.report(ProgramEvent::Response { status, bytes, cache: None });
        Ok(response.map(Full::new))
    }

    /// Takes an order, or recognises it.
    fn take(&self, running: &Running, key: &str, body: Bytes) -> Result<Response<Bytes>, Crash> {
        let mut pages = self.pages.borrow_mut();
        let say = |order: &str, outcome| {
            running.report(ProgramEvent::Order { order: order.to_owned(), key: key.to_owned(), outcome });
        };
        if let Some(known) = pages.keys.get(key).and_then(|place| pages.orders.get(*place)) {
            if known.body != body {
                say("", OrderOutcome::Conflict);
                return Ok(error(StatusCode::UNPROCESSABLE_ENTITY, "This Idempotency-Key belongs to another order"));
            }
            say(&known.id, OrderOutcome::Repeated);
            return Ok(told(StatusCode::OK, &known.id, "already_created_from_same_idempotency_key"));
        }
        let Some((item, quantity)) = read(&body).filter(|_| pages.orders.len() < MOST_ORDERS) else {
            say("", OrderOutcome::Refused);
            return Ok(error(
                StatusCode::BAD_REQUEST,
                "An order has an itemId and a quantity, and there is room for it",
            ));
        };
        let number = u64::from(self.settings.first) + pages.orders.len() as u64;
        let order = Order { id: format!("order-{number}"), item, quantity, body };
        let id = order.id.clone();
        let place = pages.orders.len();
        pages.orders.push(order);
        say(&id, OrderOutcome::Created);
        let crashes = self.settings.crash_after.iter().any(|count| *count as usize == place + 1);
        let is_stored = match self.settings.store_key {
            StoreKey::WithOrder => true,
            StoreKey::Late => !crashes,
            StoreKey::Never => false,
        };
        if is_stored && !key.is_empty() {
            pages.keys.insert(key.to_owned(), place);
        }
        if crashes { Err(Crash) } else { Ok(told(StatusCode::CREATED, &id, "created")) }
    }

    fn list(&self) -> Response<Bytes> {
        let pages = self.pages.borrow();
        let shown = |order: &Order| {
            let Order { id, item, quantity, .. } = order;
            format!("{{\"orderId\": \"{id}\", \"itemId\": {item}, \"quantity\": {quantity}}}")
        };
        let orders: Vec<String> = pages.orders.iter().map(shown).collect();
        response(StatusCode::OK, JSON, format!("{{\n\"orders\": [{}]\n}}\n", orders.join(", ")))
    }
}

/// What is ordered, and how much of it.
fn read(body: &[u8]) -> Option<(Value, Value)> {
    let mut order: BTreeMap<String, Value> = serde_json::from_slice(body).ok()?;
    let item = order.remove("itemId").filter(Value::is_string)?;
    let quantity = order.remove("quantity").filter(|quantity| quantity.as_u64().is_some_and(|count| count > 0))?;
    Some((item, quantity))
}

fn told(code: StatusCode, id: &str, status: &str) -> Response<Bytes> {
    response(code, JSON, format!("{{\n\"orderId\": \"{id}\",\n\"status\": \"{status}\"\n}}\n"))
}

fn error(code: StatusCode, text: &str) -> Response<Bytes> {
    response(code, JSON, format!("{}\n", json!({ "error": text })))
}
