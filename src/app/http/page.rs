//! Pages as data: what stands at a path, and what will stand there later.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use serde::{Deserialize, Deserializer, de};

use super::fields::Fields;
use super::generated::Generated;
use super::{JSON, TEXT, response};
use crate::app::Span;

/// What a server has at one path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::app) struct Page {
    /// `/api/posts`; the query is not looked at.
    #[serde(deserialize_with = "path")]
    pub(super) path: String,
    /// A JSON object or array is sent as `application/json`, all else as plain text, unless `headers` say otherwise.
    #[serde(default)]
    pub(super) body: String,
    /// What it consists of, in the place of `body`.
    #[serde(default)]
    pub(super) generated: Option<Generated>,
    #[serde(default)]
    pub(super) headers: Fields,
    #[serde(default, deserialize_with = "status")]
    pub(super) status: Option<StatusCode>,
    /// What it is from a moment or a number of requests on; of several that hold, the last counts.
    #[serde(default)]
    pub(super) later: Vec<Later>,
}

/// A page's other form. What it does not say stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Later {
    /// From when on, counted from the server's start.
    at: Option<Span>,
    /// After how many requests for the page.
    after: Option<u32>,
    body: Option<String>,
    #[serde(default)]
    headers: Fields,
    #[serde(default, deserialize_with = "status")]
    status: Option<StatusCode>,
}

/// Reads the path of a page, which begins with `/`.
pub(in crate::app) fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#') {
        Ok(path)
    } else {
        Err(de::Error::custom(format!("`{path}` is not a path: write one such as \"/api/posts\"")))
    }
}

/// Reads a status with which a response ends: 200 to 599.
pub(super) fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<StatusCode>, D::Error> {
    let code = u16::deserialize(deserializer)?;
    let status = StatusCode::from_u16(code).ok().filter(|_| (200..600).contains(&code));
    status.map(Some).ok_or_else(|| de::Error::custom(format!("{code} is no status of a response: write 200 to 599")))
}

impl Later {
    /// Without a condition it holds from the start.
    fn holds(&self, elapsed: Duration, served: u32) -> bool {
        self.at.is_none_or(|at| at.duration() <= elapsed) && self.after.is_none_or(|after| after <= served)
    }
}

impl Page {
    /// The page as it is so long after the start, when it was served so often; `drawn` is its generated body with its type.
    pub(super) fn at(&self, elapsed: Duration, served: u32, drawn: Option<&(&'static str, Bytes)>) -> Response<Bytes> {
        let later = self.later.iter().rfind(|later| later.holds(elapsed, served));
        let (kind, body) = match (later.and_then(|later| later.body.as_ref()), drawn) {
            (None, Some((kind, body))) => (*kind, body.clone()),
            (written, _) => {
                let body = written.unwrap_or(&self.body);
                (kind(body), Bytes::from(body.clone()))
            }
        };
        let is_empty = body.is_empty();
        let status = later.and_then(|later| later.status).or(self.status).unwrap_or(StatusCode::OK);
        let mut response = response(status, kind, body);
        if is_empty {
            response.headers_mut().remove(header::CONTENT_TYPE);
        }
        self.headers.put_into(response.headers_mut());
        if let Some(later) = later {
            later.headers.put_into(response.headers_mut());
        }
        response
    }
}

/// What a body seems to be.
pub(super) fn kind(body: &str) -> &'static str {
    let is_json =
        body.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok();
    if is_json { JSON } else { TEXT }
}

/// The answer where there is no page.
pub(super) fn nothing_at(path: &str, pages: &[Page]) -> Response<Bytes> {
    let there: Vec<&str> = pages.iter().map(|page| page.path.as_str()).collect();
    let text = format!("There is nothing at {path}. This server has {}\n", there.join(", "));
    response(StatusCode::NOT_FOUND, TEXT, text)
}

/// The answer to a method that changes something.
pub(in crate::app) fn not_allowed(method: &hyper::Method) -> Response<Bytes> {
    let text = format!("{method} is not allowed here. GET and HEAD are\n");
    let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    refusal
}
