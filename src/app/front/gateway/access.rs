//! Who may ask, and how often: authentication and the rate limit.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;
use tower::ServiceExt;

use super::layer::{Around, Boxed, Outcome, Problem};
use super::limiter::{Limiter, Verdict};
use crate::app::front::forwarded::X_FORWARDED_FOR;
use crate::app::run::Running;
use crate::app::{Span, values};
use crate::journal::ProgramEvent;

/// Somebody whom the gateway knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Caller {
    name: String,
    /// What stands behind `Bearer` (RFC 6750 §2.1).
    token: String,
}

/// Who asks, as [`Authentication`] has found out.
#[derive(Clone, Debug)]
pub(super) struct Known(pub(super) String);

/// Whose connection a request came over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Lets those pass whom it knows.
pub(super) struct Authentication {
    pub(super) running: Running,
    pub(super) callers: Vec<Caller>,
}

impl Around for Authentication {
    async fn around(&self, mut request: Request<Bytes>, rest: Boxed) -> Outcome {
        let field = request.headers().get(header::AUTHORIZATION).and_then(|field| field.to_str().ok());
        let token = field.and_then(|field| field.strip_prefix("Bearer "));
        let caller = token.and_then(|token| self.callers.iter().find(|caller| caller.token == token));
        let (choice, detail) = match (caller, token) {
            (Some(caller), _) => (caller.name.as_str(), "bearer token"),
            (None, Some(_)) => ("refused", "a token that is not known"),
            (None, None) => ("refused", "no token"),
        };
        self.running.report(ProgramEvent::Decision {
            what: "auth".to_owned(),
            choice: choice.to_owned(),
            detail: detail.to_owned(),
        });
        let Some(caller) = caller else {
            let mut problem = Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "Say who you are");
            problem.fields.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return Err(problem);
        };
        let known = Known(caller.name.clone());
        request.extensions_mut().insert(known.clone());
        let mut answer = rest.oneshot(request).await?;
        answer.extensions_mut().insert(known);
        Ok(answer)
    }
}

/// How often somebody may ask: `limit = { requests = 5, per = "10s", by = "forwarded-for" }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limit {
    /// So many at once.
    requests: NonZeroU32,
    /// And as many again in so long.
    #[serde(deserialize_with = "values::positive")]
    per: Span,
    /// Whose budget it is.
    #[serde(default)]
    by: By,
}

/// Five within ten seconds.
impl Default for Limit {
    fn default() -> Limit {
        let per = Span::from_duration(Duration::from_secs(10));
        Limit { requests: NonZeroU32::MIN.saturating_add(4), per, by: By::default() }
    }
}

/// Who has a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum By {
    /// Whoever has opened the connection: clients, or a proxy for all of them.
    #[default]
    Address,
    /// Whom the nearest proxy names: for gateways that nobody but a proxy reaches, since anybody could write the field.
    ForwardedFor,
    /// Whom authentication has found; before it, the address.
    Caller,
}

/// Lets everybody pass so often, and no more.
pub(super) struct RateLimit {
    running: Running,
    by: By,
    limiter: RefCell<Limiter>,
    started: Instant,
}

impl RateLimit {
    pub(super) fn new(running: &Running, limit: Limit) -> RateLimit {
        let limiter = RefCell::new(Limiter::new(limit.requests, limit.per.duration()));
        RateLimit { running: running.clone(), by: limit.by, limiter, started: Instant::now() }
    }

    /// Whose budget the request takes from.
    fn key(&self, request: &Request<Bytes>) -> String {
        let address = || request.extensions().get::<Peer>().map_or_else(String::new, |peer| peer.0.ip().to_string());
        let nearest = || {
            let field = request.headers().get_all(X_FORWARDED_FOR).iter().next_back()?;
            let last = field.to_str().ok()?.rsplit(',').next()?;
            last.trim().parse::<IpAddr>().ok().map(|address| address.to_string())
        };
        match self.by {
            By::Address => address(),
            By::ForwardedFor => nearest().unwrap_or_else(address),
            By::Caller => request.extensions().get::<Known>().map_or_else(address, |known| known.0.clone()),
        }
    }
}

impl Around for RateLimit {
    async fn around(&self, request: Request<Bytes>, rest: Boxed) -> Outcome {
        let key = self.key(&request);
        let verdict = self.limiter.borrow_mut().ask(&key, self.started.elapsed());
        let (choice, detail) = match verdict {
            Verdict::Passes { left } => ("passes", format!("{key}: {left} left")),
            Verdict::Refused { wait } => ("refused", format!("{key}: again in {} ms", wait.as_millis())),
        };
        let (what, choice) = ("rate-limit".to_owned(), choice.to_owned());
        self.running.report(ProgramEvent::Decision { what, choice, detail });
        match verdict {
            Verdict::Passes { .. } => rest.oneshot(request).await,
            Verdict::Refused { wait } => {
                let mut problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", "Too many requests");
                // Whole seconds, rounded up: whoever comes then is not too early (RFC 9110 §10.2.3).
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                problem.fields.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                Err(problem)
            }
        }
    }
}
