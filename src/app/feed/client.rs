//! `feed-client`: gets news in one of the four ways, until it has enough.

use std::cell::Cell;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Request, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::sleep;

use super::news::report;
use crate::app::http::connection::{self, Requests, close_after, whole, with_connection};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span, Url, values, websocket};
use crate::journal::{ProgramEvent, Way};

/// The longest event that is read, in octets.
const LONGEST_EVENT: usize = 1 << 16;

/// `feed-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedClient {
    /// `http://server/orders/events`
    #[serde(deserialize_with = "values::plain_url")]
    url: Url,
    how: How,
    /// How many pieces of news it waits for.
    receive: usize,
    /// Polling: the time from an answer to the next request. Events: that to the next connection.
    #[serde(default = "one_second")]
    pause: Span,
    /// Long polling: how long the server may wait, in seconds.
    #[serde(default = "twenty")]
    wait: u32,
}

/// The four ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum How {
    Poll,
    LongPoll,
    Sse,
    Websocket,
}

impl How {
    fn name(self) -> &'static str {
        match self {
            How::Poll => "poll",
            How::LongPoll => "long-poll",
            How::Sse => "sse",
            How::Websocket => "websocket",
        }
    }
}

fn one_second() -> Span {
    Span::from_duration(Duration::from_secs(1))
}

fn twenty() -> u32 {
    20
}

impl Play for FeedClient {
    const NAME: &'static str = "feed-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.url.destination]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        ready();
        let reader = Reader { settings: self, running, seen: Cell::new(0), heard: Cell::new(0) };
        match self.how {
            How::Poll | How::LongPoll => {
                let ask = async |mut requests: Requests| reader.ask(&mut requests).await;
                with_connection(running, &self.url.destination, ask).await
            }
            How::Sse => reader.listen().await,
            How::Websocket => reader.hear().await,
        }
    }
}

/// A client at work.
struct Reader<'a> {
    settings: &'a FeedClient,
    running: &'a Running,
    /// The number of the last piece of news that it has got.
    seen: Cell<usize>,
    /// How many it has got.
    heard: Cell<usize>,
}

impl Reader<'_> {
    fn has_enough(&self) -> bool {
        self.heard.get() >= self.settings.receive
    }

    /// Asks for what is new until it has enough.
    async fn ask(&self, requests: &mut Requests) -> hyper::Result<()> {
        let waits = self.settings.how == How::LongPoll;
        while !self.has_enough() {
            let wait = if waits { format!("&wait={}", self.settings.wait) } else { String::new() };
            let target = format!("{}?after={}{wait}", self.settings.url.target, self.seen.get());
            let url = Url { target, ..self.settings.url.clone() };
            requests.ready().await?;
            let (status, body) = self.send(requests, connection::request(&url, "")).await?;
            let body = whole(body).await.unwrap_or_default();
            self.report(status, body.len());
            self.take_array(&body);
            // Who waits at the server need not wait here, unless the server has nothing to say.
            if !self.has_enough() && (!waits || status != StatusCode::OK) {
                sleep(self.settings.pause.duration()).await;
            }
        }
        Ok(())
    }

    /// Reads event streams until it has enough: when one ends, the next begins after the last event (HTML §9.2.3).
    async fn listen(&self) -> Result<(), ProgramError> {
        while !self.has_enough() {
            let read = async |mut requests: Requests| self.read_events(&mut requests).await;
            let status = with_connection(self.running, &self.settings.url.destination, read).await?;
            if status != StatusCode::OK {
                let (program, peer) = (self.running.program, self.settings.url.destination.to_string());
                return Err(ProgramError::Protocol { program, peer, detail: format!("it says {status}") });
            }
            if !self.has_enough() {
                sleep(self.settings.pause.duration()).await;
            }
        }
        Ok(())
    }

    async fn read_events(&self, requests: &mut Requests) -> hyper::Result<StatusCode> {
        let mut request = connection::request(&self.settings.url, "");
        let fields = request.headers_mut();
        fields.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if self.seen.get() > 0 {
            fields.insert("last-event-id", HeaderValue::from(self.seen.get()));
        }
        close_after(fields);
        let (status, mut body) = self.send(requests, request).await?;
        self.report(status, 0);
        let mut events = Events::default();
        while let Some(frame) = body.frame().await {
            for event in frame?.into_data().into_iter().flat_map(|data| events.push(&data)) {
                self.took(event.id, &event.name, &event.data);
            }
        }
        Ok(status)
    }

    /// Hears messages until it has enough.
    async fn hear(&self) -> Result<(), ProgramError> {
        let mut socket = websocket::open(self.running, &self.settings.url, true).await?;
        while !self.has_enough() {
            match socket.hear().await? {
                Some(text) => self.take_array(format!("[{text}]").as_bytes()),
                None => return socket.finish().await,
            }
        }
        socket.close().await
    }

    async fn send(&self, requests: &mut Requests, request: Request<Bytes>) -> hyper::Result<(StatusCode, Incoming)> {
        let (method, target) = (request.method().to_string(), request.uri().to_string());
        self.running.report(ProgramEvent::Request { method, target, bytes: 0 });
        let response = requests.send_request(request.map(Full::new)).await?;
        Ok((response.status(), response.into_body()))
    }

    fn report(&self, status: StatusCode, bytes: usize) {
        self.running.report(ProgramEvent::Response { status: status.as_u16(), bytes: bytes as u64, cache: None });
    }

    /// What is no array of news holds none.
    fn take_array(&self, octets: &[u8]) {
        let Ok(Value::Array(news)) = serde_json::from_slice(octets) else { return };
        for one in &news {
            let id = one.get("id").and_then(Value::as_u64).and_then(|id| usize::try_from(id).ok());
            let name = one.get("event").and_then(Value::as_str).unwrap_or_default();
            self.took(id, name, &one.get("data").unwrap_or_default().to_string());
        }
    }

    fn took(&self, id: Option<usize>, name: &str, data: &str) {
        self.seen.set(id.unwrap_or(self.seen.get()));
        self.heard.set(self.heard.get() + 1);
        report(self.running, Way::Received, self.settings.how.name(), name, data);
    }
}

/// An event stream on its way in: lines, of which an empty one ends an event (HTML §9.2.6).
#[derive(Default)]
struct Events {
    pending: Vec<u8>,
    event: Event,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Event {
    id: Option<usize>,
    name: String,
    data: String,
}

impl Events {
    /// Takes octets in; returns the events that they complete. What is longer than an event may be is dropped.
    fn push(&mut self, octets: &[u8]) -> Vec<Event> {
        let mut complete = Vec::new();
        for octet in octets {
            if *octet != b'\n' {
                if self.pending.len() < LONGEST_EVENT {
                    self.pending.push(*octet);
                }
                continue;
            }
            let line = std::mem::take(&mut self.pending);
            let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned();
            complete.extend(self.line(&line));
        }
        complete
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            return Some(std::mem::take(&mut self.event)).filter(|event| !event.data.is_empty());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = value.parse().ok(),
            "event" => self.event.name = value.to_owned(),
            "data" if self.event.data.len() + value.len() < LONGEST_EVENT => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment, or a field that nobody knows, or too much.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_the_octets_come() {
        let stream = ": hello\nid: 7\nevent: order.updated\ndata: {\"a\":\ndata: 1}\n\nretry: 5\n\ndata:x\r\n\r\n";
        let expected = [
            Event { id: Some(7), name: "order.updated".to_owned(), data: "{\"a\":\n1}".to_owned() },
            Event { id: None, name: String::new(), data: "x".to_owned() },
        ];
        for size in [1, 2, 5, 1000] {
            let mut events = Events::default();
            let seen: Vec<Event> = stream.as_bytes().chunks(size).flat_map(|piece| events.push(piece)).collect();
            assert_eq!(seen, expected, "{size} octets at a time");
        }
    }

    #[test]
    fn an_event_without_end_does_not_fill_the_memory() {
        let mut events = Events::default();
        for _ in 0..100 {
            assert!(events.push(&[b'x'; 4096]).is_empty());
        }
        assert_eq!(events.pending.len(), LONGEST_EVENT);
        for _ in 0..10 {
            events.push(b"\ndata: 1234567\n");
            assert!(events.push(&[&b"data: "[..], &[b'y'; 30_000][..]].concat()).is_empty());
        }
        assert!(events.event.data.len() < LONGEST_EVENT);
    }
}
