//! `screen-client`: shows a post, its author and its comments on one screen, and gets them by REST or by GraphQL.

use std::collections::BTreeMap;

use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::app::http::{JSON, Requests, request, whole, with_connection};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Url, values};
use crate::journal::{ProgramEvent, Way};

/// `screen-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScreenClient {
    /// The server, `http://app/`, and for a query its endpoint, `http://app/graphql`.
    #[serde(deserialize_with = "values::plain_url")]
    url: Url,
    ask: Ask,
}

/// How it asks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Ask {
    /// For the post of this number, then for what it speaks of: one resource after the other over one connection.
    Rest(u32),
    /// By this query.
    Graphql(String),
}

impl Play for ScreenClient {
    const NAME: &'static str = "screen-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// What is missing on the screen, and errors of a query, are troubles that it reports; the server has answered.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let gather = async |requests: Requests| {
            let mut visit = Visit { running, url: &self.url, requests, bytes: 0 };
            let screen = match &self.ask {
                Ask::Rest(post) => visit.by_rest(*post).await?,
                Ask::Graphql(query) => visit.by_query(query).await?,
            };
            Ok((screen, visit.bytes))
        };
        let (screen, bytes) = with_connection(running, &self.url.destination, gather).await?;
        if let Some(screen) = screen {
            screen.show(running, self.ask.name(), bytes);
        }
        Ok(())
    }
}

impl Ask {
    fn name(&self) -> &'static str {
        match self {
            Ask::Rest(_) => "rest",
            Ask::Graphql(_) => "graphql",
        }
    }
}

/// What there is to see.
struct Screen {
    title: String,
    author: String,
    /// Who says what.
    comments: Vec<(String, String)>,
}

impl Screen {
    fn show(self, running: &Running, how: &str, bytes: u64) {
        let head = format!("{}, by {}", self.title, self.author);
        let comments = self.comments.into_iter().map(|(who, text)| format!("{who}: {text}"));
        let lines: Vec<String> = std::iter::once(head).chain(comments).collect();
        let text = lines.join("; ").chars().take(200).collect();
        for line in lines {
            running.report(ProgramEvent::Output { line, is_error: false });
        }
        let (what, channel) = ("screen".to_owned(), how.to_owned());
        running.report(ProgramEvent::Message { way: Way::Received, what, channel, bytes, text });
    }
}

/// One connection to the server.
struct Visit<'a> {
    running: &'a Running,
    url: &'a Url,
    requests: Requests,
    /// Octets of all bodies.
    bytes: u64,
}

impl Visit<'_> {
    /// One resource after the other: what to ask for next stands in what has come.
    async fn by_rest(&mut self, number: u32) -> hyper::Result<Option<Screen>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Post {
            title: String,
            author_id: i32,
        }
        #[derive(Deserialize)]
        struct Comments {
            comments: Vec<Comment>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Comment {
            author_id: i32,
            text: String,
        }
        let path = format!("/api/posts/{number}");
        let Some(post) = self.get::<Post>(&path).await? else { return Ok(None) };
        let said = self.get::<Comments>(&format!("{path}/comments")).await?.map_or_else(Vec::new, |all| all.comments);
        let mut names = BTreeMap::new();
        for id in std::iter::once(post.author_id).chain(said.iter().map(|comment| comment.author_id)) {
            if let std::collections::btree_map::Entry::Vacant(name) = names.entry(id) {
                name.insert(self.get::<Person>(&format!("/users/{id}")).await?.map(|person| person.name));
            }
        }
        let name = |id: i32| names.get(&id).cloned().flatten().unwrap_or_else(nobody);
        let comments = said.into_iter().map(|comment| (name(comment.author_id), comment.text)).collect();
        Ok(Some(Screen { title: post.title, author: name(post.author_id), comments }))
    }

    /// All at once.
    async fn by_query(&mut self, query: &str) -> hyper::Result<Option<Screen>> {
        #[derive(Deserialize)]
        struct Told {
            data: Option<Data>,
            #[serde(default)]
            errors: Vec<Trouble>,
        }
        #[derive(Deserialize)]
        struct Trouble {
            message: String,
        }
        #[derive(Deserialize)]
        struct Data {
            post: Option<Post>,
        }
        #[derive(Deserialize)]
        struct Post {
            #[serde(default)]
            title: String,
            author: Option<Person>,
            #[serde(default)]
            comments: Vec<Comment>,
        }
        #[derive(Deserialize)]
        struct Comment {
            author: Option<Person>,
            #[serde(default)]
            text: String,
        }
        let body = json!({ "query": query }).to_string();
        let Some(told) = self.exchange::<Told>(Method::POST, &self.url.target, body).await? else { return Ok(None) };
        for trouble in told.errors {
            self.running.complain(trouble.message);
        }
        let name = |person: Option<Person>| person.map_or_else(nobody, |person| person.name);
        let screen = |post: Post| Screen {
            title: post.title,
            author: name(post.author),
            comments: post.comments.into_iter().map(|comment| (name(comment.author), comment.text)).collect(),
        };
        Ok(told.data.and_then(|data| data.post).map(screen))
    }

    async fn get<T: DeserializeOwned>(&mut self, target: &str) -> hyper::Result<Option<T>> {
        self.exchange(Method::GET, target, String::new()).await
    }

    /// Asks, and reads the answer; `None` when it is another than was wanted, which is reported.
    async fn exchange<T: DeserializeOwned>(
        &mut self,
        method: Method,
        target: &str,
        body: String,
    ) -> hyper::Result<Option<T>> {
        let (name, target) = (method.to_string(), target.to_owned());
        self.running.report(ProgramEvent::Request { method: name, target: target.clone(), bytes: body.len() as u64 });
        let request = asking(self.url, method, &target, body);
        self.requests.ready().await?;
        let (head, body) = self.requests.send_request(request.map(Full::new)).await?.into_parts();
        let body = whole(body).await.unwrap_or_default();
        self.bytes += body.len() as u64;
        let (status, bytes) = (head.status.as_u16(), body.len() as u64);
        self.running.report(ProgramEvent::Response { status, bytes, cache: None });
        if !head.status.is_success() {
            self.running.complain(format!("{target} is answered with {}", head.status));
            return Ok(None);
        }
        match serde_json::from_slice(&body) {
            Ok(told) => Ok(Some(told)),
            Err(error) => {
                self.running.complain(format!("what {target} is answered with cannot be shown: {error}"));
                Ok(None)
            }
        }
    }
}

#[derive(Deserialize)]
struct Person {
    #[serde(default)]
    name: String,
}

fn nobody() -> String {
    "somebody".to_owned()
}

fn asking(url: &Url, method: Method, target: &str, body: String) -> Request<hyper::body::Bytes> {
    let is_empty = body.is_empty();
    let mut asked = request(url, body);
    *asked.method_mut() = method;
    // What stands in a target here are paths of this blog, and the path of a URL that was read as one.
    *asked.uri_mut() = target.parse().unwrap_or_default();
    asked.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(JSON));
    if !is_empty {
        asked.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    }
    asked
}
