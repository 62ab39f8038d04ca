//! `http-get`: fetches pages and prints them, the twin of `curl URL`; with a cache of its own, if it is to have one.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::iter::repeat_n;
use std::num::NonZeroU32;

use http_body_util::Full;
use hyper::body::Bytes;
#[cfg(feature = "formats")]
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

#[cfg(feature = "formats")]
use super::coding::Coding;
use super::connection::{self, BOTH, Requests, close_after};
use super::fields::Fields;
use super::store::{Advice, Store};
use crate::app::channel::{Dialer, HTTP_1};
use crate::app::dns;
use crate::app::lines::Lines;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ClientTls;
use crate::app::{Destination, ProgramError, Span, Url};
use crate::journal::{CacheUse, ProgramEvent};

/// `http-get`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct HttpGet {
    requests: Vec<Fetch>,
    headers: Fields,
    keep_alive: bool,
    cache: CacheKind,
    tls: ClientTls,
    http2: Option<bool>,
    may_fail: bool,
    resolver: Option<Destination>,
    timeout: Option<Span>,
    #[cfg(feature = "formats")]
    compressed: Vec<Coding>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fetch {
    url: Url,
    /// How long it waits after what was before.
    #[serde(default)]
    after: Option<Span>,
    /// Fields of this request alone.
    #[serde(default)]
    headers: Fields,
    /// How often it is made.
    #[serde(default = "once")]
    times: NonZeroU32,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// What the client keeps of what it has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CacheKind {
    /// Nothing.
    #[default]
    None,
    /// The entity tag, with which it asks whether there is anything new: as `curl --etag-save` and `--etag-compare`.
    Tag,
    /// Whatever a browser may keep (RFC 9111).
    Private,
}

/// The settings as they are typed: a single page needs no list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The page.
    url: Option<Url>,
    /// Several pages, one after the other.
    #[serde(default)]
    requests: Vec<Fetch>,
    /// Fields of every request.
    #[serde(default)]
    headers: Fields,
    /// Whether all requests go over one connection; else each has its own.
    #[serde(default)]
    keep_alive: bool,
    #[serde(default)]
    cache: CacheKind,
    /// How it speaks TLS to `https` URLs.
    #[serde(default)]
    tls: ClientTls,
    /// Whether it speaks HTTP/2, asked or not; left out, where TLS lets client and server agree on it.
    http2: Option<bool>,
    /// Whether it goes on, and ends well, where a connection cannot be used: only said as a line on its error output.
    #[serde(default)]
    may_fail: bool,
    /// Whom it asks for the server's address before each connection; left out, it knows every node.
    resolver: Option<Destination>,
    /// How long it waits for what it wants of a connection, from the question for the server's address on; left out, as long
    /// as TCP lets it.
    timeout: Option<Span>,
    /// The codings that it can unpack, and asks for.
    #[cfg(feature = "formats")]
    #[serde(default)]
    compressed: Vec<Coding>,
}

impl TryFrom<Written> for HttpGet {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<HttpGet, &'static str> {
        let (mut requests, keep_alive) = (written.requests, written.keep_alive);
        match written.url {
            Some(url) if requests.is_empty() => {
                requests.push(Fetch { url, after: None, headers: Fields::default(), times: once() });
            }
            None if !requests.is_empty() => {}
            _ => return Err("an http-get has pages to fetch: write `url` for a single one, or a list of `requests`"),
        }
        let place = |fetch: &Fetch| (fetch.url.is_secure, fetch.url.destination.clone());
        let elsewhere = requests.windows(2).any(|pair| place(&pair[0]) != place(&pair[1]));
        if keep_alive && elsewhere {
            return Err("one connection leads to one server: without `keep_alive` each request has its own");
        }
        Ok(HttpGet {
            requests,
            headers: written.headers,
            keep_alive,
            cache: written.cache,
            tls: written.tls,
            http2: written.http2,
            may_fail: written.may_fail,
            resolver: written.resolver,
            timeout: written.timeout,
            #[cfg(feature = "formats")]
            compressed: written.compressed,
        })
    }
}

impl Play for HttpGet {
    const NAME: &'static str = "http-get";
    const IS_SERVER: bool = false;

    /// A name that DNS knows need not be a node's.
    fn peers(&self) -> Vec<&Destination> {
        match &self.resolver {
            Some(resolver) => vec![resolver],
            None => self.requests.iter().map(|fetch| &fetch.url.destination).collect(),
        }
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// A status such as 404 is an answer too, as it is for curl.
    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        ready();
        let offered = if self.http2 == Some(false) { &[HTTP_1][..] } else { BOTH };
        let dialer = Dialer::new(&self.tls, offered);
        let client = Client { settings: self, running, dialer, memory: RefCell::new(Memory::new(self.cache)) };
        match self.requests.first() {
            Some(first) if self.keep_alive => {
                let all = async |mut requests: Requests| {
                    for fetch in self.each() {
                        if let Some(prepared) = client.prepare(fetch).await {
                            client.get(&mut requests, fetch, prepared).await?;
                        }
                    }
                    Ok(())
                };
                client.connected(&first.url, all).await
            }
            _ => client.each_on_its_own().await,
        }
    }
}

impl HttpGet {
    /// Each request, as often as it is made.
    fn each(&self) -> impl Iterator<Item = &Fetch> {
        let often = |fetch: &Fetch| usize::try_from(fetch.times.get()).unwrap_or(usize::MAX);
        self.requests.iter().flat_map(move |fetch| repeat_n(fetch, often(fetch)))
    }
}

/// What a client remembers.
enum Memory {
    Nothing,
    /// The entity tag of each URL.
    Tags(BTreeMap<String, HeaderValue>),
    Store(Store),
}

impl Memory {
    fn new(kind: CacheKind) -> Memory {
        match kind {
            CacheKind::None => Memory::Nothing,
            CacheKind::Tag => Memory::Tags(BTreeMap::new()),
            CacheKind::Private => Memory::Store(Store::new(false)),
        }
    }
}

/// A request that has to be sent.
struct Prepared {
    request: Request<Bytes>,
    /// As the client's own cache sees it.
    plain: Request<()>,
    /// Whether something is kept that it is to validate.
    validates: bool,
}

/// A client at work. No borrow of its memory is held while it waits.
struct Client<'a> {
    settings: &'a HttpGet,
    running: &'a Running,
    dialer: Dialer,
    memory: RefCell<Memory>,
}

impl Client<'_> {
    async fn each_on_its_own(&self) -> Result<(), ProgramError> {
        for fetch in self.settings.each() {
            if let Some(mut prepared) = self.prepare(fetch).await {
                close_after(prepared.request.headers_mut());
                let one = async |mut requests: Requests| self.get(&mut requests, fetch, prepared).await;
                self.connected(&fetch.url, one).await?;
            }
        }
        Ok(())
    }

    /// Has `talk` use a connection to where `url` leads. Where it may fail, failing is only told.
    async fn connected(
        &self,
        url: &Url,
        talk: impl AsyncFnOnce(Requests) -> hyper::Result<()>,
    ) -> Result<(), ProgramError> {
        let tried = self.tried(url, talk);
        let outcome = match self.settings.timeout {
            None => tried.await,
            Some(patience) => timeout(patience.duration(), tried).await.unwrap_or_else(|_| {
                self.running.complain(format!("no whole answer after {:?}: it waits no longer", patience.duration()));
                Ok(())
            }),
        };
        match outcome {
            Err(error) if self.settings.may_fail => {
                self.running.complain(error);
                Ok(())
            }
            outcome => outcome,
        }
    }

    async fn tried(
        &self,
        url: &Url,
        talk: impl AsyncFnOnce(Requests) -> hyper::Result<()>,
    ) -> Result<(), ProgramError> {
        let Destination { host, port } = url.destination.clone();
        let at = match &self.settings.resolver {
            Some(resolver) => {
                let address = dns::address_of(self.running, resolver, &host).await?;
                Destination { host: address.to_string(), port }
            }
            None => Destination { host, port },
        };
        let channel = self.dialer.dial_at(self.running, url, &at).await?;
        // Over TLS it is the handshake that says so.
        let http2 = !url.is_secure && self.settings.http2 == Some(true);
        connection::over(self.running, channel, &url.destination, http2, talk).await
    }

    /// Waits until it is this page's turn; `None` when the client's own cache has it.
    async fn prepare(&self, fetch: &Fetch) -> Option<Prepared> {
        if let Some(after) = fetch.after {
            sleep(after.duration()).await;
        }
        let mut request = connection::request(&fetch.url, Bytes::new());
        #[cfg(feature = "formats")]
        request.headers_mut().extend(Coding::asked_for(&self.settings.compressed));
        self.settings.headers.put_into(request.headers_mut());
        fetch.headers.put_into(request.headers_mut());
        let (head, body) = request.into_parts();
        let plain = Request::from_parts(head.clone(), ());
        let mut request = Request::from_parts(head, body);
        let mut validates = false;
        match &*self.memory.borrow() {
            Memory::Nothing => {}
            Memory::Tags(tags) => {
                if let Some(tag) = tags.get(&fetch.url.to_string()) {
                    request.headers_mut().insert(header::IF_NONE_MATCH, tag.clone());
                    validates = true;
                }
            }
            Memory::Store(store) => match store.advise(&fetch.url.to_string(), &plain) {
                Advice::Use(response) => {
                    self.show(response.body());
                    self.report(response.status(), response.body().len() as u64, Some(CacheUse::Hit));
                    return None;
                }
                Advice::Ask { fields, validates: stored } => {
                    *request.headers_mut() = fields;
                    validates = stored;
                }
            },
        }
        Some(Prepared { request, plain, validates })
    }

    async fn get(&self, requests: &mut Requests, fetch: &Fetch, prepared: Prepared) -> hyper::Result<()> {
        let Prepared { request, plain, validates } = prepared;
        let target = fetch.url.target.clone();
        self.running.report(ProgramEvent::Request { method: "GET".to_owned(), target, bytes: 0 });
        requests.ready().await?;
        let (head, body) = requests.send_request(request.map(Full::new)).await?.into_parts();
        let status = head.status;
        let keep = !matches!(*self.memory.borrow(), Memory::Nothing);
        #[cfg(feature = "formats")]
        let (body, bytes) = match Coding::of(&head.headers) {
            Some(coding) => self.unpack(coding, body).await,
            None => connection::print(self.running, body, keep).await?,
        };
        #[cfg(not(feature = "formats"))]
        let (body, bytes) = connection::print(self.running, body, keep).await?;
        // A body that is too long to be kept is not remembered either.
        let response = body.map(|body| Response::from_parts(head, body));
        let cache = response.and_then(|response| self.remember(fetch, &plain, validates, response));
        self.report(status, bytes, cache);
        Ok(())
    }

    /// Prints a packed body, if this client can unpack it; gives it back as it came, and its length in octets.
    #[cfg(feature = "formats")]
    async fn unpack(&self, coding: Coding, body: Incoming) -> (Option<Bytes>, u64) {
        let Some(packed) = connection::whole(body).await else {
            self.running.complain("the response is too long to be kept, or broke off");
            return (None, 0);
        };
        if !self.settings.compressed.contains(&coding) {
            self.running
                .complain(format!("the response is packed as {}, which this client cannot unpack", coding.name()));
        } else {
            match coding.unpack(&packed).await {
                Ok(plain) => self.show(&plain.into()),
                Err(error) => self.running.complain(format!("the response is not {}: {error}", coding.name())),
            }
        }
        let bytes = packed.len() as u64;
        (Some(packed), bytes)
    }

    /// What is kept of a response, and what the cache had to do with it.
    fn remember(
        &self,
        fetch: &Fetch,
        plain: &Request<()>,
        validates: bool,
        response: Response<Bytes>,
    ) -> Option<CacheUse> {
        let key = fetch.url.to_string();
        match &mut *self.memory.borrow_mut() {
            Memory::Nothing => None,
            Memory::Tags(tags) => {
                let is_same = response.status() == StatusCode::NOT_MODIFIED;
                if let Some(tag) = response.headers().get(header::ETAG) {
                    tags.insert(key, tag.clone());
                }
                Some(match validates {
                    true if is_same => CacheUse::Validated,
                    true => CacheUse::Replaced,
                    false => CacheUse::Miss,
                })
            }
            Memory::Store(store) => {
                let (response, cache) = store.learn(&key, plain, validates, response);
                // What was validated has come without its body, which is shown all the same.
                if cache == CacheUse::Validated {
                    self.show(response.body());
                }
                Some(cache)
            }
        }
    }

    fn show(&self, body: &Bytes) {
        let mut lines = Lines::new(false);
        lines.push(body, &mut |line| self.running.report(line));
        lines.finish(&mut |line| self.running.report(line));
    }

    fn report(&self, status: StatusCode, bytes: u64, cache: Option<CacheUse>) {
        self.running.report(ProgramEvent::Response { status: status.as_u16(), bytes, cache });
    }
}
