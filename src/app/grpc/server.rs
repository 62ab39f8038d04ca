//! `bookstore-server`: the service `bookstore.Bookstore`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::time::sleep;
use tonic::codegen::tokio_stream::{self, Stream, StreamExt};
use tonic::{Status, Streaming};
use tower::Service;

use super::bookstore::bookstore_server::{self, Bookstore};
use super::bookstore::{AddBooksResponse, Book, GetBookRequest, ListBooksRequest};
use super::channel::Tasks;
use super::{Told, Written};
use crate::app::http::misunderstood;
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, Span, Stream as Connection, values};
use crate::journal::Way;

/// What is kept at most: books, and octets of one message.
const MOST_BOOKS: usize = 10_000;
const MOST_MESSAGE: usize = 1 << 16;

/// `bookstore-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BookstoreServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    /// What it has at first.
    books: Vec<Written>,
    /// How long it looks for a book that is asked for by `GetBook`.
    #[serde(default)]
    takes: Option<Span>,
    /// The pause before each book that it streams.
    #[serde(default)]
    every: Option<Span>,
}

impl Play for BookstoreServer {
    const NAME: &'static str = "bookstore-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let books = self.books.iter().map(|book| (book.id.clone(), book.into())).collect();
        let shelf = Arc::new(Mutex::new(books));
        let shop = Shop { running: running.clone(), takes: self.takes, every: self.every, shelf };
        let service = bookstore_server::BookstoreServer::new(shop).max_decoding_message_size(MOST_MESSAGE);
        let serve = move |running, stream, peer| serve_one(running, stream, peer, service.clone());
        running.serve_streams(self.port, ready, serve).await
    }
}

/// Answers the calls of one connection until the client closes it.
async fn serve_one(
    running: Running,
    stream: Connection,
    peer: SocketAddr,
    service: bookstore_server::BookstoreServer<Shop>,
) -> Result<(), ProgramError> {
    // An answer must not wait for the acknowledgment of the one before.
    stream.set_nodelay(true).map_err(running.broken("answering", peer))?;
    let service = service_fn(move |request: Request<Incoming>| service.clone().call(request));
    let tasks = Tasks::default();
    let served = hyper::server::conn::http2::Builder::new(tasks.clone())
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    served.map_err(|error| misunderstood(&running, peer, &error))
}

/// The service at work.
#[derive(Clone)]
struct Shop {
    running: Running,
    takes: Option<Span>,
    every: Option<Span>,
    /// The books by their ids. Held for no longer than a look; a panic elsewhere leaves it as it is.
    shelf: Arc<Mutex<BTreeMap<String, Book>>>,
}

/// Books, one after the other.
type Books = Pin<Box<dyn Stream<Item = Result<Book, Status>> + Send>>;

impl Shop {
    fn heard(&self, method: &str, message: &impl Told) {
        self.running.report(message.event(Way::Received, method));
    }

    fn says(&self, method: &str, message: &impl Told) {
        self.running.report(message.event(Way::Sent, method));
    }

    fn find(&self, id: &str) -> Result<Book, Status> {
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.get(id).cloned().ok_or_else(|| Status::not_found("There is no book with this id"))
    }

    fn add(&self, book: Book) -> Result<(), Status> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.len() >= MOST_BOOKS && !shelf.contains_key(&book.id) {
            return Err(Status::resource_exhausted("The shelf is full"));
        }
        shelf.insert(book.id.clone(), book);
        Ok(())
    }
}

async fn pause(span: Option<Span>) {
    if let Some(span) = span {
        sleep(span.duration()).await;
    }
}

#[tonic::async_trait]
impl Bookstore for Shop {
    type ListBooksStream = Books;
    type FindBooksStream = Books;

    async fn get_book(&self, request: tonic::Request<GetBookRequest>) -> Result<tonic::Response<Book>, Status> {
        self.heard("GetBook", request.get_ref());
        pause(self.takes).await;
        let book = self.find(&request.get_ref().id)?;
        self.says("GetBook", &book);
        Ok(tonic::Response::new(book))
    }

    async fn list_books(&self, request: tonic::Request<ListBooksRequest>) -> Result<tonic::Response<Books>, Status> {
        self.heard("ListBooks", request.get_ref());
        let author = request.into_inner().author;
        let shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let found: Vec<Book> = shelf.values().filter(|book| book.author == author).cloned().collect();
        let shop = self.clone();
        let books = tokio_stream::iter(found).then(move |book| {
            let shop = shop.clone();
            async move {
                pause(shop.every).await;
                shop.says("ListBooks", &book);
                Ok(book)
            }
        });
        Ok(tonic::Response::new(Box::pin(books)))
    }

    async fn add_books(
        &self,
        request: tonic::Request<Streaming<Book>>,
    ) -> Result<tonic::Response<AddBooksResponse>, Status> {
        let mut books = request.into_inner();
        let mut added = 0_i32;
        while let Some(book) = books.message().await? {
            self.heard("AddBooks", &book);
            self.add(book)?;
            added = added.saturating_add(1);
        }
        let response = AddBooksResponse { added };
        self.says("AddBooks", &response);
        Ok(tonic::Response::new(response))
    }

    async fn find_books(
        &self,
        request: tonic::Request<Streaming<GetBookRequest>>,
    ) -> Result<tonic::Response<Books>, Status> {
        let shop = self.clone();
        let books = request.into_inner().map(move |asked| {
            let asked = asked?;
            shop.heard("FindBooks", &asked);
            let book = shop.find(&asked.id)?;
            shop.says("FindBooks", &book);
            Ok(book)
        });
        Ok(tonic::Response::new(Box::pin(books)))
    }
}
