//! `access-client`: asks for pages with good credentials, with bad ones and with none.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::super::connection::{self, Requests, close_after};
use super::super::{JSON, page};
use super::server::API_KEY;
use super::token;
use crate::app::channel::{Dialer, HTTP_1};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ClientTls;
use crate::app::{Destination, ProgramError, Span, Url};
use crate::journal::ProgramEvent;

/// `access-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessClient {
    /// The server; its path is not looked at.
    url: Url,
    /// Its name, as a person or a client of OAuth 2.0.
    name: String,
    password: String,
    /// How it gets a token.
    #[serde(default)]
    login: Login,
    #[serde(default)]
    api_key: String,
    requests: Vec<Ask>,
    #[serde(default)]
    tls: ClientTls,
}

/// How a token is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Login {
    /// As a person, at `/login`.
    #[default]
    Password,
    /// As a program, at `/oauth/token`.
    ClientCredentials,
    /// Not at all.
    Never,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(deserialize_with = "page::path")]
    path: String,
    #[serde(default)]
    with: With,
    after: Option<Span>,
}

/// Which credentials go with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum With {
    #[default]
    Nothing,
    /// The token.
    Token,
    /// The token, with the role of an admin written into it.
    Forged,
    /// A token of an admin, said to need no signature.
    Unsigned,
    ApiKey,
    Session,
}

impl Play for AccessClient {
    const NAME: &'static str = "access-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    /// Each request has a connection of its own. A refusal is an answer, too.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let dialer = Dialer::new(&self.tls, &[HTTP_1]);
        let mut purse = Purse::default();
        if let Some(request) = self.request_for_a_token() {
            let (body, cookie) = self.send(running, &dialer, request).await?;
            purse = Purse { token: token_in(&body), session: cookie };
        }
        for ask in &self.requests {
            if let Some(after) = ask.after {
                sleep(after.duration()).await;
            }
            self.send(running, &dialer, self.request(ask, &purse)).await?;
        }
        Ok(())
    }
}

/// What the client was given.
#[derive(Default)]
struct Purse {
    token: Option<String>,
    session: Option<String>,
}

fn token_in(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let token = answer.get("token").or_else(|| answer.get("access_token"))?;
    token.as_str().map(str::to_owned)
}

impl AccessClient {
    fn request_for_a_token(&self) -> Option<Request<Bytes>> {
        let (name, password) = (&self.name, &self.password);
        let (path, kind, body) = match self.login {
            Login::Never => return None,
            Login::Password => {
                let body =
                    format!("{{\"user\": {}, \"password\": {}}}", Value::from(&**name), Value::from(&**password));
                ("/login", JSON, body)
            }
            Login::ClientCredentials => {
                let body = format!("grant_type=client_credentials&client_id={name}&client_secret={password}");
                ("/oauth/token", "application/x-www-form-urlencoded", body)
            }
        };
        let mut request = connection::request(&self.at(path), body);
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        Some(request)
    }

    fn request(&self, ask: &Ask, purse: &Purse) -> Request<Bytes> {
        let mut request = connection::request(&self.at(&ask.path), Bytes::new());
        let bearer = |token: Option<String>| Some((header::AUTHORIZATION, format!("Bearer {}", token?)));
        let token = purse.token.as_deref();
        let field = match ask.with {
            With::Nothing => None,
            With::Token => bearer(token.map(str::to_owned)),
            With::Forged => bearer(token.and_then(|token| token::forged(token, "admin"))),
            With::Unsigned => bearer(token.and_then(|token| token::unsigned(token, "admin"))),
            With::ApiKey => Some((HeaderName::from_static(API_KEY), self.api_key.clone())),
            With::Session => purse.session.clone().map(|session| (header::COOKIE, session)),
        };
        let field = field.and_then(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
        request.headers_mut().extend(field);
        request
    }

    fn at(&self, path: &str) -> Url {
        Url { target: path.to_owned(), ..self.url.clone() }
    }

    /// Sends a request; returns the answer's body, and the cookie that came with it.
    async fn send(
        &self,
        running: &Running,
        dialer: &Dialer,
        mut request: Request<Bytes>,
    ) -> Result<(Bytes, Option<String>), ProgramError> {
        close_after(request.headers_mut());
        let channel = dialer.dial(running, &self.url).await?;
        let talk = async |mut requests: Requests| {
            let (method, target) = (request.method().to_string(), request.uri().to_string());
            running.report(ProgramEvent::Request { method, target, bytes: request.body().len() as u64 });
            let (head, body) = requests.send_request(request.map(Full::new)).await?.into_parts();
            let cookie = head.headers.get(header::SET_COOKIE).and_then(|cookie| cookie.to_str().ok());
            let cookie = cookie.and_then(|cookie| cookie.split(';').next()).map(str::to_owned);
            let (body, bytes) = connection::print(running, body, true).await?;
            Ok((head.status, body.unwrap_or_default(), bytes, cookie))
        };
        let to = &self.url.destination;
        let (status, body, bytes, cookie): (StatusCode, Bytes, u64, Option<String>) =
            connection::over(running, channel, to, false, talk).await?;
        running.report(ProgramEvent::Response { status: status.as_u16(), bytes, cache: None });
        Ok((body, cookie))
    }
}
