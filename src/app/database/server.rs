//! `database-server`: tables that can be asked by a simple query (PostgreSQL's documentation, *Message Flow*).

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::frame::{self, Message, Parts};
use super::statement;
use super::table::{Found, Refusal, Tables, find};
use crate::app::program::Play;
use crate::app::run::Running;
use crate::app::{ProgramError, Span, Stream, values};
use crate::journal::{ProgramEvent, Way};

/// A client that asks whether TLS or GSSAPI is spoken here.
const ASKS_FOR_TLS: i32 = 80_877_103;
const ASKS_FOR_GSSAPI: i32 = 80_877_104;
/// How often a client may ask before it begins.
const MOST_OPENINGS: usize = 3;

/// `database-server`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseServer {
    /// Where it listens, from 1.
    #[serde(deserialize_with = "values::port")]
    port: u16,
    tables: Tables,
    /// How long it takes over a query.
    #[serde(default)]
    takes: Option<Span>,
}

impl Play for DatabaseServer {
    const NAME: &'static str = "database-server";
    const IS_SERVER: bool = true;

    async fn run(&self, running: &Running, ready: impl FnOnce()) -> Result<(), ProgramError> {
        let settings = Rc::new(self.clone());
        let serve = move |running: Running, stream, peer| {
            let settings = settings.clone();
            async move { settings.serve_one(&running, stream, peer).await }
        };
        running.serve_streams(self.port, ready, serve).await
    }
}

impl DatabaseServer {
    async fn serve_one(&self, running: &Running, mut stream: Stream, peer: SocketAddr) -> Result<(), ProgramError> {
        let spoken = match stream.set_nodelay(true) {
            Ok(()) => self.converse(running, &mut stream).await,
            Err(error) => Err(error),
        };
        match spoken {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let refusal = Refusal { code: "08P01", text: error.to_string() };
                let mut out = Vec::new();
                refuse(&mut out, "FATAL", &refusal);
                // Whoever speaks something else may be gone already.
                if stream.write_all(&out).await.is_ok() && stream.shutdown().await.is_ok() {
                    let _ = stream.read(&mut [0; 512]).await;
                }
                let peer = peer.to_string();
                Err(ProgramError::Protocol { program: running.program, peer, detail: error.to_string() })
            }
            Err(error) => Err(running.broken("answering", peer)(error)),
            Ok(()) => stream.shutdown().await.map_err(running.broken("closing the connection with", peer)),
        }
    }

    async fn converse(&self, running: &Running, stream: &mut Stream) -> io::Result<()> {
        greet(stream).await?;
        while let Some(message) = frame::read(stream).await? {
            match message.kind {
                frame::TERMINATE => break,
                frame::QUERY => self.answer(running, stream, &message).await?,
                kind => {
                    let kind = char::from(kind).escape_default();
                    return Err(invalid(format!("no simple query, but a message of type {kind}")));
                }
            }
        }
        Ok(())
    }

    async fn answer(&self, running: &Running, stream: &mut Stream, query: &Message) -> io::Result<()> {
        let statement = Parts(&query.content).text().ok_or_else(|| invalid("a query that is no text"))?;
        report(running, Way::Received, "Query", statement, query.content.len());
        if let Some(span) = self.takes {
            sleep(span.duration()).await;
        }
        let mut out = Vec::new();
        let told = match statement::read(statement).and_then(|select| find(&self.tables, &select)) {
            Ok(found) => tell(&mut out, &found),
            Err(refusal) => {
                refuse(&mut out, "ERROR", &refusal);
                refusal.text
            }
        };
        frame::write(&mut out, frame::READY, b"I");
        report(running, Way::Sent, "Result", &told, out.len());
        stream.write_all(&out).await
    }
}

/// Lets a client in, whoever it is.
async fn greet(stream: &mut Stream) -> io::Result<()> {
    for _ in 0..MOST_OPENINGS {
        let opening = frame::read_startup(stream).await?;
        match Parts(&opening.content).int32() {
            Some(ASKS_FOR_TLS | ASKS_FOR_GSSAPI) => stream.write_all(b"N").await?,
            Some(frame::VERSION_3) => {
                let mut out = Vec::new();
                frame::write(&mut out, frame::AUTHENTICATION, &0_i32.to_be_bytes());
                frame::write(&mut out, frame::READY, b"I");
                return stream.write_all(&out).await;
            }
            _ => break,
        }
    }
    Err(invalid("a client that does not open with version 3.0"))
}

/// The rows, and what they are; returns how many, as the protocol says it.
fn tell(out: &mut Vec<u8>, found: &Found<'_>) -> String {
    let mut description = counted(found.columns.len());
    for (name, has_numbers) in &found.columns {
        description.extend_from_slice(name.as_bytes());
        description.push(0);
        // Of which table and column: none; then type, its size, no modifier, as text.
        let (kind, size): (i32, i16) = if *has_numbers { (20, 8) } else { (25, -1) };
        description.extend_from_slice(&[0; 6]);
        description.extend_from_slice(&kind.to_be_bytes());
        description.extend_from_slice(&size.to_be_bytes());
        description.extend_from_slice(&(-1_i32).to_be_bytes());
        description.extend_from_slice(&[0; 2]);
    }
    frame::write(out, frame::ROW_DESCRIPTION, &description);
    for row in &found.rows {
        let mut content = counted(row.len());
        for value in row {
            let text = value.to_string();
            content.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            content.extend_from_slice(text.as_bytes());
        }
        frame::write(out, frame::DATA_ROW, &content);
    }
    let told = format!("SELECT {}", found.rows.len());
    frame::write(out, frame::COMMAND_COMPLETE, format!("{told}\0").as_bytes());
    told
}

fn counted(count: usize) -> Vec<u8> {
    u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes().to_vec()
}

fn refuse(out: &mut Vec<u8>, severity: &str, refusal: &Refusal) {
    let content = format!("S{severity}\0C{}\0M{}\0\0", refusal.code, refusal.text);
    frame::write(out, frame::ERROR, content.as_bytes());
}

fn invalid(detail: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail.into())
}

fn report(running: &Running, way: Way, what: &str, text: &str, bytes: usize) {
    let (what, text) = (what.to_owned(), text.chars().take(200).collect());
    running.report(ProgramEvent::Message { way, what, channel: String::new(), bytes: bytes as u64, text });
}
