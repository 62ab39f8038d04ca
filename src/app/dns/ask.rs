//! One question to one server, until it is answered or patience is over (RFC 1035 §4.2.1, RFC 7766 §5).

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RecordType};
use tokio::time::{Instant, timeout_at};

use super::message;
use super::serve::is_about_a_peer;
use crate::app::run::Running;
use crate::app::{Destination, ProgramError, Stream};
use crate::journal::{ProgramEvent, TransportKind};
use crate::rng::Rng;

/// How long and how often a server is asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) struct Patience {
    /// How long an answer is waited for.
    pub(in crate::app) timeout: Duration,
    /// How often the question is sent over UDP, from 1.
    pub(in crate::app) tries: u32,
}

/// An answer, and what it took.
pub(in crate::app) struct Told {
    pub(in crate::app) reply: Message,
    /// Over what it came.
    pub(in crate::app) over: TransportKind,
    /// How often the question was sent.
    pub(in crate::app) tries: u32,
}

/// A question with an id that nobody can guess (RFC 5452 §9.2).
pub(in crate::app) fn question(name: Name, record_type: RecordType, edns: bool, ids: &mut Rng) -> Message {
    let mut message = Message::query();
    let [high, low, ..] = ids.next_u32().to_be_bytes();
    message.metadata.id = u16::from_be_bytes([high, low]);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(name, record_type));
    if edns {
        message.set_edns(message::edns());
    }
    message
}

/// Asks `server`: over UDP from a port of its own, and over TCP when the answer is too long for that.
///
/// # Errors
/// [`ProgramError::NoAnswer`] when nobody answers in time, and what kept the question from being sent.
pub(in crate::app) async fn ask(
    running: &Running,
    server: &Destination,
    asked: &Message,
    patience: Patience,
) -> Result<Told, ProgramError> {
    let octets = asked.to_vec().map_err(|error| ProgramError::Protocol {
        program: running.program,
        peer: server.to_string(),
        detail: format!("the question cannot be written: {error}"),
    })?;
    let remote = running.resolver.resolve(server)?;
    let told = ask_datagrams(running, remote, asked, &octets, patience).await?;
    if !told.reply.metadata.truncation {
        return Ok(told);
    }
    report(running, asked, TransportKind::Tcp);
    let mut stream = running.connect(server).await?;
    let answered = timeout_at(Instant::now() + patience.timeout, ask_stream(&mut stream, asked, &octets)).await;
    let tries = told.tries + 1;
    match answered {
        Ok(Ok(Some(reply))) => Ok(Told { reply, over: TransportKind::Tcp, tries }),
        Ok(Ok(None)) | Err(_) => Err(no_answer(running, remote, tries)),
        Ok(Err(error)) => Err(running.broken("asking", server)(error)),
    }
}

fn no_answer(running: &Running, remote: SocketAddr, tries: u32) -> ProgramError {
    ProgramError::NoAnswer { program: running.program, peer: remote.to_string(), tries }
}

fn report(running: &Running, asked: &Message, over: TransportKind) {
    for query in &asked.queries {
        let (name, record) = (query.name.to_string(), query.query_type.to_string());
        running.report(ProgramEvent::Question { name, record, over });
    }
}

async fn ask_datagrams(
    running: &Running,
    remote: SocketAddr,
    asked: &Message,
    octets: &[u8],
    patience: Patience,
) -> Result<Told, ProgramError> {
    let socket = running.bind_udp_towards(remote).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    for tries in 1..=patience.tries.max(1) {
        report(running, asked, TransportKind::Udp);
        socket.send_to(octets, remote).await.map_err(running.broken("asking", remote))?;
        let until = Instant::now() + patience.timeout;
        // What does not answer this question, or comes from somebody else, may be a forgery: it is not listened to.
        while let Ok(received) = timeout_at(until, socket.recv_from(&mut buffer)).await {
            match received {
                Ok((length, from)) if from == remote => {
                    let reply = Message::from_vec(buffer.get(..length).unwrap_or_default()).ok();
                    if let Some(reply) = reply.filter(|reply| message::answers(asked, reply)) {
                        return Ok(Told { reply, over: TransportKind::Udp, tries });
                    }
                }
                Ok(_) => {}
                // Nobody listens there now; somebody may before the time is over.
                Err(error) if is_about_a_peer(&error) => {}
                Err(error) => return Err(running.broken("asking", remote)(error)),
            }
        }
    }
    Err(no_answer(running, remote, patience.tries.max(1)))
}

/// `None` when the server closes, or answers something else.
async fn ask_stream(stream: &mut Stream, asked: &Message, octets: &[u8]) -> std::io::Result<Option<Message>> {
    message::write_framed(stream, octets).await?;
    let answer = message::read_framed(stream).await?;
    let reply = answer.and_then(|octets| Message::from_vec(&octets).ok());
    tokio::io::AsyncWriteExt::shutdown(stream).await?;
    Ok(reply.filter(|reply| message::answers(asked, reply)))
}
