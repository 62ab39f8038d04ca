//! `access-server`: asks who calls, then whether they may.
//!
//! It takes four kinds of credentials: a bearer token (RFC 6750), which it gives out itself, for a password at `/login` or for
//! a client's secret at `/oauth/token` (RFC 6749 §4.4); an API key; and the cookie of a session. Whoever calls without any gets
//! 401, whoever may not gets 403 (RFC 9110 §15.5.2, §15.5.4).

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::super::connection::whole;
use super::super::server::serve;
use super::super::{JSON, response};
use super::token::{self, Claims};
use crate::app::channel::{Gate, HTTP_1};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ServerTls;
use crate::app::{ProgramError, Span, values};
use crate::host::chance;
use crate::journal::ProgramEvent;

/// The field of an API key.
pub(super) const API_KEY: &str = "x-api-key";
/// The cookie of a session.
const SESSION: &str = "session";
/// Sessions that are remembered; the oldest goes first.
const MOST_SESSIONS: usize = 1_000;

/// `access-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// Its TLS; without it, plain HTTP.
    tls: Option<ServerTls>,
    /// Those whom it knows.
    callers: Vec<Caller>,
    /// What it signs tokens with.
    secret: String,
    /// How long a token is good.
    #[serde(default = "one_hour")]
    lifetime: Span,
    /// How far its clock is ahead of everybody else's when it checks a token.
    clock_ahead: Option<Span>,
}

/// Somebody whom the server knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Caller {
    name: String,
    role: String,
    /// A person's password, or a client's secret; `None`: neither.
    password: Option<String>,
    api_key: Option<String>,
}

fn one_hour() -> Span {
    Span::from_duration(std::time::Duration::from_secs(3_600))
}

impl Play for AccessServer {
    const NAME: &'static str = "access-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let gate = Gate { port: self.port, tls: self.tls.as_ref(), protocols: &[HTTP_1] };
        let desk = Rc::new(Desk { settings: self.clone(), sessions: RefCell::default() });
        serve(running, gate, ready, move |running, request| {
            let desk = desk.clone();
            async move { (desk.answer(&running, request).await, None) }
        })
        .await
    }
}

/// Who calls, as it was found out.
struct Known {
    name: String,
    role: String,
}

impl From<&Caller> for Known {
    fn from(caller: &Caller) -> Known {
        Known { name: caller.name.clone(), role: caller.role.clone() }
    }
}

/// A server at work.
struct Desk {
    settings: AccessServer,
    /// Whose session an id is, the oldest first.
    sessions: RefCell<VecDeque<(String, String)>>,
}

#[derive(Deserialize)]
struct Login {
    user: String,
    password: String,
}

impl Desk {
    async fn answer(&self, running: &Running, request: Request<Incoming>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        match (&parts.method, parts.uri.path()) {
            (&Method::POST, "/login") => self.log_in(running, whole(body).await),
            (&Method::POST, "/oauth/token") => self.grant(running, whole(body).await),
            (&Method::GET, path @ ("/profile" | "/admin/users")) => match self.authenticate(running, &parts.headers) {
                Ok(caller) => self.authorize(running, path, &caller),
                Err(why) => refused(&why),
            },
            _ => told(
                StatusCode::NOT_FOUND,
                &json!({ "error": "There are /login, /oauth/token, /profile, /admin/users" }),
            ),
        }
    }

    /// Who calls: by the first credentials that there are.
    fn authenticate(&self, running: &Running, fields: &HeaderMap) -> Result<Known, String> {
        let (kind, found) = self.credentials(running, fields);
        let (choice, detail) = match &found {
            Ok(known) => (known.name.clone(), format!("{kind}, role {}", known.role)),
            Err(why) => ("refused".to_owned(), format!("{kind}: {why}")),
        };
        running.report(ProgramEvent::Decision { what: "authentication".to_owned(), choice, detail });
        found
    }

    fn credentials(&self, running: &Running, fields: &HeaderMap) -> (&'static str, Result<Known, String>) {
        let text = |name: &str| fields.get(name).and_then(|value| value.to_str().ok());
        if let Some(token) = text("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
            let date = running.host.date() + self.settings.clock_ahead.map(Span::duration).unwrap_or_default();
            let checked = token::check(token, &self.settings.secret, date);
            let known = checked.map(|claims| Known { name: claims.sub, role: claims.role });
            return ("bearer token", known.map_err(|refusal| refusal.to_string()));
        }
        if let Some(key) = text(API_KEY) {
            let caller = self.find(|caller| caller.api_key.as_deref().is_some_and(|known| is_same(known, key)));
            return ("API key", caller.ok_or_else(|| "Nobody has this key".to_owned()));
        }
        if let Some(id) = text("cookie").and_then(session_of) {
            let sessions = self.sessions.borrow();
            let name = sessions.iter().find(|(known, _)| is_same(known, id)).map(|(_, name)| name.clone());
            let caller = name.and_then(|name| self.find(|caller| caller.name == name));
            return ("session", caller.ok_or_else(|| "There is no such session".to_owned()));
        }
        ("nothing", Err("Credentials are needed".to_owned()))
    }

    fn find(&self, is_meant: impl Fn(&Caller) -> bool) -> Option<Known> {
        self.settings.callers.iter().find(|caller| is_meant(caller)).map(Known::from)
    }

    /// Whether somebody who is known may have what they ask for.
    fn authorize(&self, running: &Running, path: &str, caller: &Known) -> Response<Bytes> {
        let may = path != "/admin/users" || caller.role == "admin";
        let choice = if may { "allowed" } else { "refused" }.to_owned();
        let detail = format!("{}, role {}, {path}", caller.name, caller.role);
        running.report(ProgramEvent::Decision { what: "authorization".to_owned(), choice, detail });
        match path {
            "/admin/users" if !may => response(
                StatusCode::FORBIDDEN,
                JSON,
                "{\n\"error\": \"Permission denied\",\n\"code\": \"PERMISSION_DENIED\"\n}\n",
            ),
            "/admin/users" => {
                let names: Vec<&str> = self.settings.callers.iter().map(|caller| caller.name.as_str()).collect();
                told(StatusCode::OK, &json!({ "users": names }))
            }
            _ => told(StatusCode::OK, &json!({ "name": caller.name, "role": caller.role })),
        }
    }

    /// A session and a token for a name and a password.
    fn log_in(&self, running: &Running, body: Option<Bytes>) -> Response<Bytes> {
        let login = body.and_then(|body| serde_json::from_slice::<Login>(&body).ok());
        let Some(login) = login else {
            return told(StatusCode::BAD_REQUEST, &json!({ "error": "A login has a user and a password" }));
        };
        let (Some(known), Some(token)) = self.admit(running, "password", &login.user, &login.password) else {
            return refused("The name or the password is wrong");
        };
        let mut octets = [0; 16];
        if chance::draw(&mut octets).is_err() {
            return told(StatusCode::INTERNAL_SERVER_ERROR, &json!({ "error": "There is no chance here" }));
        }
        let id: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
        let mut answer = response(StatusCode::OK, JSON, format!("{{\n\"token\": \"{token}\"\n}}\n"));
        let secure = if self.settings.tls.is_some() { "; Secure" } else { "" };
        let cookie = HeaderValue::try_from(format!("{SESSION}={id}; Path=/; HttpOnly; SameSite=Strict{secure}"));
        answer.headers_mut().extend(cookie.ok().map(|cookie| (header::SET_COOKIE, cookie)));
        let mut sessions = self.sessions.borrow_mut();
        if sessions.len() >= MOST_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back((id, known.name));
        answer
    }

    /// A token for a client's own credentials (RFC 6749 §4.4, §2.3.1).
    fn grant(&self, running: &Running, body: Option<Bytes>) -> Response<Bytes> {
        let body = body.unwrap_or_default();
        let text = String::from_utf8_lossy(&body);
        let form: BTreeMap<&str, &str> = text.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let of = |name| form.get(name).copied().unwrap_or_default();
        if of("grant_type") != "client_credentials" {
            return told(StatusCode::BAD_REQUEST, &json!({ "error": "unsupported_grant_type" }));
        }
        let admitted = self.admit(running, "client credentials", of("client_id"), of("client_secret"));
        let (Some(_), Some(token)) = admitted else {
            return told(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_client" }));
        };
        let seconds = self.settings.lifetime.duration().as_secs();
        let body =
            format!("{{\n\"access_token\": \"{token}\",\n\"token_type\": \"Bearer\",\n\"expires_in\": {seconds}\n}}\n");
        let mut answer = response(StatusCode::OK, JSON, body);
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    /// Whoever has this name and password, and a token for them.
    fn admit(&self, running: &Running, kind: &str, name: &str, password: &str) -> (Option<Known>, Option<String>) {
        let is_meant = |caller: &Caller| {
            caller.name == name && caller.password.as_deref().is_some_and(|known| is_same(known, password))
        };
        let known = self.find(is_meant);
        let iat = running.host.date().as_secs();
        let exp = iat.saturating_add(self.settings.lifetime.duration().as_secs());
        let token = known.as_ref().and_then(|known| {
            let claims = Claims { sub: known.name.clone(), role: known.role.clone(), iat, exp };
            token::issue(&claims, &self.settings.secret).ok()
        });
        let choice = known.as_ref().map_or_else(|| "refused".to_owned(), |known| known.name.clone());
        let what = "authentication".to_owned();
        running.report(ProgramEvent::Decision { what, choice, detail: kind.to_owned() });
        (known, token)
    }
}

/// Whether two secrets are the same; how long it takes does not depend on where they differ.
fn is_same(known: &str, given: &str) -> bool {
    let differences = known.bytes().zip(given.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    known.len() == given.len() && differences == 0
}

/// The session of a `Cookie` field (RFC 6265 §4.2).
fn session_of(cookies: &str) -> Option<&str> {
    cookies
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION)
        .map(|(_, id)| id)
}

/// 401, and how to do it better (RFC 6750 §3).
fn refused(why: &str) -> Response<Bytes> {
    let mut answer = told(StatusCode::UNAUTHORIZED, &json!({ "error": why, "code": "UNAUTHENTICATED" }));
    let challenge = HeaderValue::from_static("Bearer realm=\"api.example.com\"");
    answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    answer
}

fn told(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    response(status, JSON, format!("{body}\n"))
}
