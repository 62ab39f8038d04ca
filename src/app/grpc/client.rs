//! `bookstore-client`: calls the bookstore's methods, one after the other over one connection.

use std::time::Duration;

use hyper::http::Uri;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::time::{sleep, timeout};
use tonic::codegen::tokio_stream::{self, Stream, StreamExt};
use tonic::{Code, Status, Streaming};

use super::bookstore::bookstore_client;
use super::bookstore::{Book, GetBookRequest, ListBooksRequest};
use super::channel::{Channel, Tasks};
use super::{Told, Written};
use crate::app::http::misunderstood;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Span};
use crate::journal::{ProgramEvent, Way};

/// `bookstore-client`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookstoreClient {
    /// The server.
    to: Destination,
    calls: Vec<Call>,
    /// How long it waits for the end of each call; the server is told so (`grpc-timeout`).
    #[serde(default)]
    deadline: Option<Span>,
    /// The pause before each message that it streams.
    #[serde(default)]
    every: Option<Span>,
}

/// A call of one of the four methods, with what it sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Call {
    /// `GetBook`: an id.
    Get(String),
    /// `ListBooks`: an author.
    List(String),
    /// `AddBooks`: books.
    Add(Vec<Written>),
    /// `FindBooks`: ids.
    Find(Vec<String>),
}

impl Call {
    const fn method(&self) -> &'static str {
        match self {
            Call::Get(_) => "GetBook",
            Call::List(_) => "ListBooks",
            Call::Add(_) => "AddBooks",
            Call::Find(_) => "FindBooks",
        }
    }
}

type Stub = bookstore_client::BookstoreClient<Channel>;

impl Play for BookstoreClient {
    const NAME: &'static str = "bookstore-client";
    const IS_SERVER: bool = false;

    fn peers(&self) -> Vec<&Destination> {
        vec![&self.to]
    }

    fn moves_over_tcp(&self) -> bool {
        true
    }

    /// A status such as NOT_FOUND is an answer, too; the next call follows.
    async fn run(&self, running: &Running, _ready: impl FnOnce()) -> Result<(), ProgramError> {
        let stream = running.connect(&self.to).await?;
        // A call is often shorter than a segment, and the next one must not wait for its acknowledgment.
        stream.set_nodelay(true).map_err(running.broken("opening a connection to", &self.to))?;
        let tasks = Tasks::default();
        let (requests, connection) = hyper::client::conn::http2::Builder::new(tasks.clone())
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| misunderstood(running, &self.to, &error))?;
        // A destination is a host and a port, which are an authority.
        let origin: Uri = format!("http://{}", self.to).parse().unwrap_or_default();
        let stub = Stub::with_origin(Channel(requests), origin);
        // The connection does the work for the calls, and ends once the last of them has.
        let ((), connection) = tokio::join!(biased; self.make_calls(running, stub), connection);
        connection.map_err(|error| misunderstood(running, &self.to, &error))?;
        tasks.ended().await;
        Ok(())
    }
}

impl BookstoreClient {
    async fn make_calls(&self, running: &Running, mut stub: Stub) {
        for call in &self.calls {
            let talk = Talk { running, method: call.method(), deadline: self.deadline, every: self.every };
            let outcome = match self.deadline {
                // Who stops waiting drops the call, and so its stream is reset (RFC 9113 §8.7: CANCEL).
                Some(deadline) => match timeout(deadline.duration(), talk.call(&mut stub, call)).await {
                    Ok(outcome) => outcome,
                    Err(_) => {
                        talk.gives_up(deadline.duration());
                        continue;
                    }
                },
                None => talk.call(&mut stub, call).await,
            };
            talk.ends(outcome.err().unwrap_or_else(|| Status::ok("")));
        }
    }
}

/// One call under way.
struct Talk<'a> {
    running: &'a Running,
    method: &'static str,
    deadline: Option<Span>,
    every: Option<Span>,
}

impl Talk<'_> {
    async fn call(&self, stub: &mut Stub, call: &Call) -> Result<(), Status> {
        match call {
            Call::Get(id) => {
                let request = GetBookRequest { id: id.clone() };
                self.says(&request);
                self.hears(stub.get_book(self.limited(request)).await?.get_ref());
            }
            Call::List(author) => {
                let request = ListBooksRequest { author: author.clone() };
                self.says(&request);
                self.hears_all(stub.list_books(self.limited(request)).await?.into_inner()).await?;
            }
            Call::Add(books) => {
                let books = self.streamed(books.iter().map(Book::from).collect());
                self.hears(stub.add_books(self.limited(books)).await?.get_ref());
            }
            Call::Find(ids) => {
                let ids = self.streamed(ids.iter().cloned().map(|id| GetBookRequest { id }).collect());
                self.hears_all(stub.find_books(self.limited(ids)).await?.into_inner()).await?;
            }
        }
        Ok(())
    }

    /// The request, with the time that there is for it.
    fn limited<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        if let Some(deadline) = self.deadline {
            request.set_timeout(deadline.duration());
        }
        request
    }

    /// Messages, each after a pause.
    fn streamed<T: Told + Send + 'static>(&self, messages: Vec<T>) -> impl Stream<Item = T> + Send + 'static {
        let (running, method, every) = (self.running.clone(), self.method, self.every);
        Box::pin(tokio_stream::iter(messages).then(move |message| {
            let running = running.clone();
            async move {
                if let Some(every) = every {
                    sleep(every.duration()).await;
                }
                running.report(message.event(Way::Sent, method));
                message
            }
        }))
    }

    fn says(&self, message: &impl Told) {
        self.running.report(message.event(Way::Sent, self.method));
    }

    fn hears(&self, message: &impl Told) {
        self.running.report(message.event(Way::Received, self.method));
    }

    async fn hears_all<T: Told>(&self, mut messages: Streaming<T>) -> Result<(), Status> {
        while let Some(message) = messages.message().await? {
            self.hears(&message);
        }
        Ok(())
    }

    /// The status with which the server ended the call, or the connection.
    fn ends(&self, status: Status) {
        let (what, channel) = ("status".to_owned(), self.method.to_owned());
        let text = match status.message() {
            "" => named(status.code()),
            message => format!("{}: {message}", named(status.code())),
        };
        let text = text.chars().take(200).collect();
        self.running.report(ProgramEvent::Message { way: Way::Received, what, channel, bytes: 0, text });
    }

    /// No status has come in time: the client makes one up.
    fn gives_up(&self, after: Duration) {
        let (what, choice) = ("deadline".to_owned(), named(Code::DeadlineExceeded));
        let detail = format!("{}: no answer within {after:?}", self.method);
        self.running.report(ProgramEvent::Decision { what, choice, detail });
    }
}

/// `4 DEADLINE_EXCEEDED`, as the specification of gRPC calls it.
fn named(code: Code) -> String {
    let name = match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    };
    format!("{} {name}", i32::from(code))
}
