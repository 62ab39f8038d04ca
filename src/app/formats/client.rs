//! `posts-client`: fetches posts in one format after the other, and reads them as a client that knows the first schema.

use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use serde::Deserialize;

use super::post::{Format, Read, read};
use crate::app::channel::{Dialer, HTTP_1};
use crate::app::http::{Coding, Requests, close_after, over, request, whole};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::tls::ClientTls;
use crate::app::{Destination, ProgramError, Url};
use crate::journal::{ProgramEvent, Way};

/// `posts-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostsClient {
    /// One post, `http://server/posts/1`, or all of them, `http://server/posts`.
    url: Url,
    /// Each is fetched over a connection of its own.
    #[serde(default = "all")]
    formats: Vec<Format>,
    /// Whether it takes bodies that are packed.
    #[serde(default)]
    compressed: bool,
    /// How it speaks TLS to an `https` URL.
    #[serde(default)]
    tls: ClientTls,
}

fn all() -> Vec<Format> {
    Format::ALL.to_vec()
}

impl Play for PostsClient {
    const NAME: &'static str = "posts-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Posts that it cannot read are a trouble that it reports; it goes on with the next format.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let dialer = Dialer::new(&self.tls, &[HTTP_1]);
        for format in &self.formats {
            self.fetch(running, &dialer, *format).await?;
        }
        Ok(())
    }
}

impl PostsClient {
    async fn fetch(&self, running: &Running, dialer: &Dialer, format: Format) -> Result<(), ProgramError> {
        let mut asked = request(&self.url, "");
        asked.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(format.media_type()));
        if self.compressed {
            asked.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
        }
        close_after(asked.headers_mut());
        let (method, target) = ("GET".to_owned(), self.url.target.clone());
        running.report(ProgramEvent::Request { method, target, bytes: 0 });
        let ask = async |mut requests: Requests| {
            let (head, body) = requests.send_request(asked.map(Full::new)).await?.into_parts();
            Ok((head, whole(body).await))
        };
        let channel = dialer.dial(running, &self.url).await?;
        let (head, body) = over(running, channel, &self.url.destination, false, ask).await?;
        let Some(body) = body else {
            running.complain("the response is too long to be kept, or broke off");
            return Ok(());
        };
        let (status, bytes) = (head.status.as_u16(), body.len() as u64);
        running.report(ProgramEvent::Response { status, bytes, cache: None });
        if !head.status.is_success() {
            return Ok(());
        }
        let plain = match Coding::of(&head.headers) {
            Some(coding) => coding.unpack(&body).await.map_err(|error| error.to_string()),
            None => Ok(body.to_vec()),
        };
        let is_list = !self.url.target.contains("/posts/");
        match plain.and_then(|plain| read(&plain, format, is_list)) {
            Ok(posts) => running.report(told(format, bytes, &posts)),
            Err(error) => running.complain(format!("this {} is not a post: {error}", format.name())),
        }
        Ok(())
    }
}

/// What it has read: the same text for the same posts, in whatever format they came.
fn told(format: Format, bytes: u64, posts: &[Read]) -> ProgramEvent {
    let mut text = match posts {
        [] => "no post".to_owned(),
        [first, ..] => format!("post {}: {}", first.id, first.title),
    };
    if posts.len() > 1 {
        text.push_str(&format!(", and {} more", posts.len() - 1));
    }
    let text = text.chars().take(200).collect();
    ProgramEvent::Message {
        way: Way::Received,
        what: "Post".to_owned(),
        channel: format.name().to_owned(),
        bytes,
        text,
    }
}
