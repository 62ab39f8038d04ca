//! Answering questions over UDP and TCP, whoever knows the answers.
//!
//! Each question over UDP is a task of its own, so that one that takes long does not hold the others up; over TCP the
//! questions of a connection are answered one after the other (RFC 7766 §6.2.1.1 allows it).

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use hickory_proto::op::{Message, Query};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;

use super::message::{self, Unanswerable};
use crate::app::host::Datagram;
use crate::app::run::Running;
use crate::app::{ProgramError, Stream};
use crate::journal::{ProgramEvent, TransportKind};

/// Questions that are looked into at the same time on one UDP socket. Who comes when there are more comes again.
const MOST_AT_ONCE: usize = 1000;

/// Serves on `port`, over UDP and TCP, until dropped; `answer` makes a reply of a message and its one question.
pub(in crate::app) async fn serve<F>(
    running: &Running,
    port: u16,
    ready: impl FnOnce(),
    answer: impl Fn(Message, Query) -> F + Clone + 'static,
) -> Result<(), ProgramError>
where
    F: Future<Output = Message> + 'static,
{
    let ready = Cell::new(Some(ready));
    let waiting = Cell::new(2_u8);
    let one_is_ready = || {
        waiting.set(waiting.get() - 1);
        if waiting.get() == 0
            && let Some(ready) = ready.take()
        {
            ready();
        }
    };
    let (for_streams, for_datagrams) = (answer.clone(), answer);
    let streams = running.serve_streams(port, one_is_ready, move |running, stream, peer| {
        answer_stream(running, stream, peer, for_streams.clone())
    });
    let datagrams = running.serve_datagrams(port, one_is_ready, move |running, socket| {
        answer_datagrams(running, socket, for_datagrams.clone())
    });
    tokio::try_join!(streams, datagrams).map(|((), ())| ())
}

async fn answer_stream<F>(
    running: Running,
    mut stream: Stream,
    peer: SocketAddr,
    answer: impl Fn(Message, Query) -> F,
) -> Result<(), ProgramError>
where
    F: Future<Output = Message>,
{
    while let Some(octets) = message::read_framed(&mut stream).await.map_err(running.broken("receiving from", peer))? {
        if let Some(octets) = respond(&running, &octets, TransportKind::Tcp, &answer).await {
            message::write_framed(&mut stream, &octets).await.map_err(running.broken("answering", peer))?;
        }
    }
    stream.shutdown().await.map_err(running.broken("closing the connection with", peer))
}

async fn answer_datagrams<F>(
    running: Running,
    socket: Datagram,
    answer: impl Fn(Message, Query) -> F + Clone + 'static,
) -> Result<(), ProgramError>
where
    F: Future<Output = Message> + 'static,
{
    let socket = Rc::new(socket);
    let mut questions = JoinSet::new();
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let (length, peer) = tokio::select! {
            biased;
            Some(answered) = questions.join_next() => {
                // A panic goes on here, as if there were no task.
                if let Some(panic) = answered.err().and_then(|error| error.try_into_panic().ok()) {
                    std::panic::resume_unwind(panic);
                }
                continue;
            }
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // An earlier asker is gone; that is no trouble of those to come.
                Err(error) if is_about_a_peer(&error) => continue,
                Err(error) => return Err(running.broken("receiving from", "anybody")(error)),
            },
        };
        if questions.len() >= MOST_AT_ONCE {
            continue;
        }
        let octets = buffer.get(..length).unwrap_or_default().to_vec();
        let (running, socket, answer) = (running.clone(), socket.clone(), answer.clone());
        questions.spawn_local(async move {
            if let Some(octets) = respond(&running, &octets, TransportKind::Udp, &answer).await
                && let Err(error) = socket.send_to(&octets, peer).await
            {
                running.complain(running.broken("answering", peer)(error));
            }
        });
    }
}

/// Whether an error of a UDP socket is what ICMP said of an earlier datagram.
pub(super) fn is_about_a_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
    )
}

/// The reply to a message, as octets; `None` for one that gets none.
async fn respond<F>(
    running: &Running,
    octets: &[u8],
    over: TransportKind,
    answer: &impl Fn(Message, Query) -> F,
) -> Option<Vec<u8>>
where
    F: Future<Output = Message>,
{
    let (asked, query) = match message::question(octets) {
        Ok(question) => question,
        Err(Unanswerable::Silence) => return None,
        Err(Unanswerable::Refusal(reply)) => return reply.to_vec().ok(),
    };
    let (name, record) = (query.name.to_string(), query.query_type.to_string());
    running.report(ProgramEvent::Question { name: name.clone(), record: record.clone(), over });
    let reply = answer(asked.clone(), query).await;
    let (octets, truncated) = match message::encode(&asked, &reply, over) {
        Ok(encoded) => encoded,
        Err(error) => {
            running.complain(format!("the answer to {name} {record} cannot be written: {error}"));
            return None;
        }
    };
    let code = message::mnemonic(reply.metadata.response_code);
    let answers = if truncated { 0 } else { u32::try_from(reply.answers.len()).unwrap_or(u32::MAX) };
    let bytes = octets.len() as u64;
    running.report(ProgramEvent::Answer { name, record, code, answers, bytes, over, truncated });
    Some(octets)
}
