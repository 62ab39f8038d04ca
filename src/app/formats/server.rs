//! `posts-server`: posts over HTTP, in the format that the client accepts.

use std::rc::Rc;

use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use super::post::{Format, Post, Posts, Schema};
use crate::app::http::{TEXT, coding, response, serve};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, values};

/// How many posts it has at most: as many as fit a body that is kept in memory.
const MOST_POSTS: u32 = 100_000;

/// `posts-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostsServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// How many posts it has; they are numbered from 1 and alike otherwise.
    #[serde(default = "one", deserialize_with = "count")]
    count: u32,
    title: String,
    /// Sent only when its schema has an author.
    #[serde(default)]
    author: String,
    #[serde(default)]
    schema: Schema,
    /// The codings that it offers, its favourite first.
    #[serde(default)]
    compress: Vec<coding::Coding>,
}

fn one() -> u32 {
    1
}

fn count<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let count = u32::deserialize(deserializer)?;
    let error = || serde::de::Error::custom(format!("{count} is too many: write a number of posts up to {MOST_POSTS}"));
    if count <= MOST_POSTS { Ok(count) } else { Err(error()) }
}

impl Play for PostsServer {
    const NAME: &'static str = "posts-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let settings = Rc::new(self.clone());
        serve(running, self.port, ready, move |_, request| {
            let settings = settings.clone();
            async move { (settings.answer(&request).await, None) }
        })
        .await
    }
}

impl PostsServer {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Bytes> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refusal = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Only GET and HEAD are allowed here\n");
            refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let Some(posts) = self.at(request.uri().path()) else {
            let text = format!("There is nothing here but /posts and /posts/1 to /posts/{}\n", self.count);
            return response(StatusCode::NOT_FOUND, TEXT, text);
        };
        let Some(format) = accepted(request.headers()) else {
            let text = format!("This server writes {}\n", Format::ALL.map(Format::media_type).join(", "));
            return response(StatusCode::NOT_ACCEPTABLE, TEXT, text);
        };
        let Some(body) = posts.written(format, self.schema) else {
            return response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "That cannot be written in this format\n");
        };
        let mut written = response(StatusCode::OK, format.media_type(), body);
        written.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept"));
        coding::packed(request.headers(), &self.compress, true, written).await
    }

    /// What stands at a path: one post, or all of them.
    fn at(&self, path: &str) -> Option<Posts<'_>> {
        let post = |number: u32| {
            let id = i32::try_from(number).ok().filter(|id| *id >= 1 && number <= self.count)?;
            Some(Post { id, title: &self.title, author: &self.author })
        };
        match path.strip_prefix("/posts")? {
            "" => Some(Posts::Many((1..=self.count).filter_map(post).collect())),
            rest => rest.strip_prefix('/')?.parse().ok().and_then(post).map(Posts::One),
        }
    }
}

/// The first of the client's media types that can be written; whoever asks for none, or for any, gets JSON. Weights are not
/// looked at: clients name what they want first.
fn accepted(asked: &HeaderMap) -> Option<Format> {
    let Some(list) = asked.get(header::ACCEPT) else { return Some(Format::Json) };
    let wanted = list.to_str().ok()?.split(',').map(|kind| kind.split(';').next().unwrap_or(kind).trim());
    let known = |kind: &str| match kind {
        "*/*" | "application/*" => Some(Format::Json),
        kind => Format::ALL.into_iter().find(|format| format.media_type().eq_ignore_ascii_case(kind)),
    };
    wanted.filter_map(known).next()
}
