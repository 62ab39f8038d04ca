//! Stored responses, and when they may be used (RFC 9111).
//!
//! The rules are http-cache-semantics'; here stands what they are applied to. Time is a calendar that begins with the
//! program and runs on the run's clock, so that a simulation ages its responses in virtual time. Nothing is guessed: a
//! response that does not say for how long it is fresh is validated each time (RFC 9111 §4.2.2 would allow a guess).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http_cache_semantics::{AfterResponse, BeforeRequest, CacheOptions, CachePolicy};
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::time::Instant;

use crate::journal::CacheUse;

/// What is stored at most: URLs, forms of each (RFC 9111 §4.1), and octets of one body.
const MOST_URLS: usize = 1000;
const MOST_FORMS: usize = 16;
/// The first day of the calendar: 2026-01-01T00:00:00Z.
const FIRST_DAY: Duration = Duration::from_secs(1_767_225_600);
/// The largest age (RFC 9111 §1.2.2).
const LARGEST_AGE: u64 = 1 << 31;

/// Responses that may be used again.
pub(super) struct Store {
    entries: BTreeMap<String, Vec<Stored>>,
    options: CacheOptions,
    started: Instant,
}

struct Stored {
    policy: CachePolicy,
    body: Bytes,
    /// Whether the server has said when it sent this.
    is_dated: bool,
}

/// What a store says about a request.
pub(super) enum Advice {
    /// This is the answer.
    Use(Response<Bytes>),
    /// Ask the server, with these fields.
    Ask {
        fields: HeaderMap,
        /// Whether a stored response is to be validated by it.
        validates: bool,
    },
}

impl Store {
    /// An empty one. A shared store keeps nothing that is private (RFC 9111 §5.2.2.7).
    pub(super) fn new(shared: bool) -> Store {
        let options = CacheOptions { shared, cache_heuristic: 0.0, ..CacheOptions::default() };
        Store { entries: BTreeMap::new(), options, started: Instant::now() }
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + FIRST_DAY + self.started.elapsed()
    }

    /// What to do with a request for `key`, the URL.
    pub(super) fn advise(&self, key: &str, request: &Request<()>) -> Advice {
        let mut stale = None;
        for stored in self.entries.get(key).into_iter().flatten() {
            match stored.policy.before_request(request, self.now()) {
                BeforeRequest::Fresh(parts) => return Advice::Use(stored.response(Response::from_parts(parts, ()))),
                BeforeRequest::Stale { request, matches: true } => stale = Some(request.headers),
                BeforeRequest::Stale { matches: false, .. } => {}
            }
        }
        let validates = stale.is_some();
        Advice::Ask { fields: stale.unwrap_or_else(|| request.headers().clone()), validates }
    }

    /// Learns from the server's response to a request that went out as [`Advice::Ask`] says; gives the response that the
    /// client is to get.
    pub(super) fn learn(
        &mut self,
        key: &str,
        request: &Request<()>,
        validates: bool,
        mut response: Response<Bytes>,
    ) -> (Response<Bytes>, CacheUse) {
        limit_age(response.headers_mut());
        let now = self.now();
        let forms = self.entries.entry(key.to_owned()).or_default();
        let matches = |stored: &Stored| {
            !matches!(stored.policy.before_request(request, now), BeforeRequest::Stale { matches: false, .. })
        };
        let found = forms.iter().position(matches).filter(|_| validates);
        let told = match found.and_then(|index| forms.get_mut(index)) {
            Some(stored) if response.status() == StatusCode::NOT_MODIFIED => {
                match stored.policy.after_response(request, &response, now) {
                    AfterResponse::NotModified(policy, parts) => {
                        stored.policy = policy;
                        // The client's own validators are for whoever answers it to look at.
                        (stored.response(Response::from_parts(parts, ())), CacheUse::Validated)
                    }
                    // The client has named tags of its own, and this is about one of those.
                    AfterResponse::Modified(..) => (response, CacheUse::Replaced),
                }
            }
            _ => {
                let policy = CachePolicy::new_options(request, &response, now, self.options);
                // An error does not end what is stored: the server may be well again the next time.
                if let Some(index) = found.filter(|_| !response.status().is_server_error()) {
                    forms.remove(index);
                }
                if policy.is_storable() && forms.len() < MOST_FORMS {
                    let is_dated = response.headers().contains_key(header::DATE);
                    forms.push(Stored { policy, body: response.body().clone(), is_dated });
                }
                (response, if validates { CacheUse::Replaced } else { CacheUse::Miss })
            }
        };
        self.tidy(key);
        told
    }

    /// Forgets what was stored for `key`: a request has changed what is there (RFC 9111 §4.4).
    pub(super) fn forget(&mut self, key: &str) {
        self.entries.remove(key);
    }

    /// Keeps within bounds: whatever is first in the alphabet goes, which is as good as any.
    fn tidy(&mut self, newest: &str) {
        self.entries.retain(|_, forms| !forms.is_empty());
        while self.entries.len() > MOST_URLS {
            let victim = self.entries.keys().find(|key| *key != newest).cloned();
            match victim {
                Some(victim) => self.entries.remove(&victim),
                None => return,
            };
        }
    }
}

impl Stored {
    /// The response with the fields that the rules give it. They date one that has no date; what its server did not say is
    /// not said here either.
    fn response(&self, head: Response<()>) -> Response<Bytes> {
        let mut response = head.map(|()| self.body.clone());
        if !self.is_dated {
            response.headers_mut().remove(header::DATE);
        }
        response
    }
}

/// An age that cannot be read says nothing, and one that is too large is the largest (RFC 9111 §1.2.2, §5.1).
fn limit_age(fields: &mut HeaderMap) {
    let Some(age) = fields.get(header::AGE) else { return };
    match age.to_str().ok().and_then(|age| age.trim().parse::<u64>().ok()) {
        Some(age) if age <= LARGEST_AGE => {}
        Some(_) => drop(fields.insert(header::AGE, HeaderValue::from(LARGEST_AGE))),
        None => drop(fields.remove(header::AGE)),
    }
}
