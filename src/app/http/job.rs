//! `jobs-client`: hands a job in, and asks how far it is until it is done.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, StatusCode};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::JSON;
use super::connection::{self, Requests, close_after, whole, with_connection};
use crate::app::lines::Lines;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Url};
use crate::journal::ProgramEvent;

/// `jobs-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsClient {
    /// Where jobs are taken.
    url: Url,
    /// The job.
    body: String,
    /// How long it waits before it asks again.
    #[serde(default = "one_second")]
    pause: Span,
    /// How long it waits for an answer, connecting included.
    #[serde(default = "two_seconds")]
    timeout: Span,
    /// How often it asks at most.
    #[serde(default = "hundred")]
    tries: u32,
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

fn two_seconds() -> Span {
    Span::from_duration(Duration::from_secs(2))
}

fn hundred() -> u32 {
    100
}

impl Play for JobsClient {
    const NAME: &'static str = "jobs-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// Each request has a connection of its own. An answer that does not come in time ends the client, as it is not known
    /// whether there is a job.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let Some(answer) = self.ask(running, &self.url, Method::POST).await? else { return Ok(()) };
        let Some(location) = answer.location.filter(|_| answer.status == StatusCode::ACCEPTED) else { return Ok(()) };
        let url = Url { target: location, ..self.url.clone() };
        for _ in 0..self.tries {
            sleep(self.pause.duration()).await;
            match self.ask(running, &url, Method::GET).await? {
                Some(answer) if answer.is_done || !answer.status.is_success() => return Ok(()),
                Some(_) => {}
                None => return Ok(()),
            }
        }
        running.complain(format!("the job is not done after {} questions", self.tries));
        Ok(())
    }
}

/// What a server has said.
struct Answer {
    status: StatusCode,
    /// Where the job is to be asked for.
    location: Option<String>,
    is_done: bool,
}

impl JobsClient {
    /// One request; `None` when no answer comes in time, which is told.
    async fn ask(&self, running: &Running, url: &Url, method: Method) -> Result<Option<Answer>, ProgramError> {
        let body = if method == Method::POST { self.body.clone() } else { String::new() };
        let mut request: Request<Bytes> = connection::request(url, body.clone());
        if method == Method::POST {
            request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        let (told, target) = (method.to_string(), url.target.clone());
        *request.method_mut() = method;
        close_after(request.headers_mut());
        running.report(ProgramEvent::Request { method: told, target, bytes: body.len() as u64 });
        let asked = with_connection(running, &url.destination, async |mut requests: Requests| {
            let (head, body) = requests.send_request(request.map(Full::new)).await?.into_parts();
            Ok((head, whole(body).await.unwrap_or_default()))
        });
        let Ok(asked) = timeout(self.timeout.duration(), asked).await else {
            running.complain(format!("no answer within {:?}: is there a job now?", self.timeout.duration()));
            return Ok(None);
        };
        let (head, body) = asked?;
        running.report(ProgramEvent::Response { status: head.status.as_u16(), bytes: body.len() as u64, cache: None });
        let mut lines = Lines::new(false);
        lines.push(&body, &mut |line| running.report(line));
        lines.finish(&mut |line| running.report(line));
        // A path on the same server; whoever is sent elsewhere is not followed.
        let location = head.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let location = location.filter(|location| location.starts_with('/')).map(str::to_owned);
        let said: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let is_done = said.is_some_and(|said| said.get("status").is_some_and(|status| status == "done"));
        Ok(Some(Answer { status: head.status, location, is_done }))
    }
}
