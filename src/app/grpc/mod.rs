//! gRPC over HTTP/2 in the clear: a bookstore with a method of each kind, and its client (RFC 9113,
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).
//!
//! tonic speaks gRPC and hyper HTTP/2; here stand the bookstore and the connection between the two ([`channel`]). The service
//! is defined in `proto/bookstore.proto`, from which `build.rs` makes Rust.

mod channel;
mod client;
mod server;
#[cfg(test)]
mod tests;

use serde::Deserialize;

use crate::journal::{ProgramEvent, Way};

pub(super) use client::BookstoreClient;
pub(super) use server::BookstoreServer;

/// The service as tonic generates it.
#[allow(missing_docs, unreachable_pub, clippy::all)]
mod bookstore {
    tonic::include_proto!("bookstore");
}

/// A book as a lab file has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    title: String,
    author: String,
}

impl From<&Written> for bookstore::Book {
    fn from(book: &Written) -> bookstore::Book {
        let Written { id, title, author } = book.clone();
        bookstore::Book { id, title, author }
    }
}

/// A message of the service, as the journal tells of it.
trait Told: prost::Message {
    /// Its type in the service's definition.
    const KIND: &'static str;

    /// What it says.
    fn text(&self) -> String;

    /// The event that it was sent or received by `method`.
    fn event(&self, way: Way, method: &str) -> ProgramEvent {
        let text = self.text().chars().take(200).collect();
        let (what, bytes) = (Self::KIND.to_owned(), self.encoded_len() as u64);
        ProgramEvent::Message { way, what, channel: method.to_owned(), bytes, text }
    }
}

impl Told for bookstore::Book {
    const KIND: &'static str = "Book";

    fn text(&self) -> String {
        format!("{}: {}, {}", self.id, self.title, self.author)
    }
}

impl Told for bookstore::GetBookRequest {
    const KIND: &'static str = "GetBookRequest";

    fn text(&self) -> String {
        format!("id {}", self.id)
    }
}

impl Told for bookstore::ListBooksRequest {
    const KIND: &'static str = "ListBooksRequest";

    fn text(&self) -> String {
        format!("author {}", self.author)
    }
}

impl Told for bookstore::AddBooksResponse {
    const KIND: &'static str = "AddBooksResponse";

    fn text(&self) -> String {
        format!("added {}", self.added)
    }
}
