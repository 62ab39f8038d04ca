//! Requests that do not wait for each other's answers (RFC 9112 §9.3.2). Answers come in the order of the requests,
//! whichever is ready first.
//!
//! No client library does this today, so messages are written and read here: of those that are read only such whose
//! length is said by `Content-Length` or by the status (RFC 9112 §6.3).

use std::fmt::Write;
use std::io;

use hyper::Request;
use hyper::body::Bytes;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::app::channel::Channel;
use crate::app::http::MOST_BODY;
use crate::app::lines::Lines;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError};
use crate::journal::ProgramEvent;

/// The longest head of an answer, in octets.
const MOST_HEAD: u64 = 1 << 14;

/// Sends all requests at once, and reads as many answers.
///
/// # Errors
/// What the system or the peer did wrong.
pub(super) async fn ask(
    running: &Running,
    mut channel: Channel,
    to: &Destination,
    requests: &[Request<Bytes>],
) -> Result<(), ProgramError> {
    let octets: Vec<u8> = requests.iter().flat_map(written).collect();
    channel.write_all(&octets).await.map_err(running.broken("sending requests to", to))?;
    let mut reader = BufReader::new(channel);
    for _ in requests {
        match answer(&mut reader).await {
            Ok(answer) => answer.show(running),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let (peer, detail) = (to.to_string(), error.to_string());
                return Err(ProgramError::Protocol { program: running.program, peer, detail });
            }
            Err(error) => return Err(running.broken("reading answers of", to)(error)),
        }
    }
    let mut channel = reader.into_inner();
    channel.shutdown().await.map_err(running.broken("closing the connection with", to))?;
    channel.see_closed().await.map_err(running.broken("waiting for the close of", to))?;
    Ok(())
}

/// The request as it is sent, with field names in title case.
fn written(request: &Request<Bytes>) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        let parts = name.as_str().split('-').map(|part| {
            let (first, rest) = part.split_at_checked(1).unwrap_or((part, ""));
            first.to_ascii_uppercase() + rest
        });
        let name = parts.collect::<Vec<_>>().join("-");
        // Nothing can go wrong when a text is written to.
        let _ = write!(head, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
    }
    let body = request.body();
    if !body.is_empty() {
        let _ = write!(head, "Content-Length: {}\r\n", body.len());
    }
    let mut octets = head.into_bytes();
    octets.extend_from_slice(b"\r\n");
    octets.extend_from_slice(body);
    octets
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn show(&self, running: &Running) {
        let mut lines = Lines::new(false);
        lines.push(&self.body, &mut |line| running.report(line));
        lines.finish(&mut |line| running.report(line));
        running.report(ProgramEvent::Response { status: self.status, bytes: self.body.len() as u64, cache: None });
    }
}

/// The next answer.
pub(super) async fn answer(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Answer> {
    let mut head = (&mut *reader).take(MOST_HEAD);
    let line = next_line(&mut head).await?;
    let status = line.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|code| code.parse().ok());
    let status: u16 = status.ok_or_else(|| invalid(format!("`{line}` is no status line")))?;
    let mut length = None;
    loop {
        let line = next_line(&mut head).await?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid(format!("`{line}` is no field")))?;
        if name.eq_ignore_ascii_case("content-length") {
            let wrong = |_| invalid(format!("`{value}` is no length"));
            length = Some(value.trim().parse::<usize>().map_err(wrong)?);
        }
    }
    let length = match (status, length) {
        (100..200 | 204 | 304, _) => 0,
        (_, Some(length)) if length <= MOST_BODY => length,
        (_, Some(length)) => return Err(invalid(format!("an answer of {length} octets is too long"))),
        (_, None) => return Err(invalid("an answer that does not say its length")),
    };
    let mut body = Vec::new();
    reader.take(length as u64).read_to_end(&mut body).await?;
    if body.len() == length { Ok(Answer { status, body }) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// A line without its end.
async fn next_line(head: &mut (impl AsyncBufRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    head.read_until(b'\n', &mut line).await?;
    let Some(line) = line.strip_suffix(b"\n") else {
        return Err(if line.is_empty() { io::ErrorKind::UnexpectedEof.into() } else { invalid("a head without end") });
    };
    Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
}

fn invalid(detail: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, detail.into())
}
