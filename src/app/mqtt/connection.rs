//! One connection of the broker: from CONNECT to its end. One half hears, the other speaks, so that a client that does not read
//! is still heard.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mqtt_proto::v3::{Connack, Connect, ConnectReturnCode, Packet, Publish, Suback, SubscribeReturnCode};
use mqtt_proto::{Protocol, QosPid};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split};
use tokio::time::timeout;

use super::exchange::{Exchange, Seat};
use super::wire::{self, Inbox, WireError};
use crate::app::run::Running;
use crate::app::{ProgramError, Stream};
use crate::journal::{ProgramEvent, Way};

/// How long a client may take to say who it is (§3.1).
const INTRODUCTION: Duration = Duration::from_secs(10);
/// Answers that may wait for a client that does not read them.
const MOST_REPLIES: usize = 1000;

/// How a connection has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// By DISCONNECT: its will is not published (§3.14.4).
    Orderly,
    /// Without a word.
    Silent,
}

/// A connection at work.
struct Talk<'a> {
    running: &'a Running,
    peer: SocketAddr,
    seat: &'a Seat,
    exchange: &'a RefCell<Exchange>,
    replies: RefCell<VecDeque<Packet>>,
}

/// Serves one client.
pub(super) async fn serve(
    running: Running,
    stream: Stream,
    peer: SocketAddr,
    exchange: Rc<RefCell<Exchange>>,
) -> Result<(), ProgramError> {
    // Each packet goes at once, whether or not others are on their way.
    stream.set_nodelay(true).map_err(running.broken("setting up the connection with", peer))?;
    let (mut reading, mut writing) = split(stream);
    let mut inbox = Inbox::default();
    let connect = introduction(&running, peer, &mut inbox, &mut reading).await?;
    let arrived = admit(&connect).and_then(|()| {
        let seat = exchange.borrow_mut().arrive(&connect.client_id, connect.clean_session);
        seat.ok_or(ConnectReturnCode::ServerUnavailable)
    });
    let connack = match &arrived {
        Ok(seat) => Connack::new(seat.is_known, ConnectReturnCode::Accepted),
        Err(code) => Connack::new(false, *code),
    };
    let answered = wire::write(&mut writing, &connack.into()).await;
    if let Ok(seat) = arrived {
        let kind = if connect.clean_session { "for this connection" } else { "to be kept" };
        let text = format!("a session {kind}{}", if seat.is_known { ", known" } else { "" });
        tell(&running, "CONNECT", &seat.client, &text);
        let ended = match answered {
            Ok(()) => {
                converse(&running, peer, &seat, &exchange, &connect, (&mut inbox, &mut reading, &mut writing)).await
            }
            Err(error) => Err(running.broken("answering", peer)(error)),
        };
        exchange.borrow_mut().leave(&seat);
        if let Some(will) = connect.last_will.filter(|_| !matches!(ended, Ok(End::Orderly))) {
            // Whether anybody acknowledges it is decided for each of those who want it.
            let qos_pid = if will.qos as u8 == 0 { QosPid::Level0 } else { QosPid::Level1(Default::default()) };
            let publish = Publish {
                dup: false,
                retain: will.retain,
                qos_pid,
                topic_name: will.topic_name,
                payload: will.message,
            };
            hand_out(&running, &exchange, &publish);
        }
        ended?;
    }
    let mut stream = reading.unsplit(writing);
    stream.shutdown().await.map_err(running.broken("closing the connection with", peer))
}

fn tell(running: &Running, what: &str, channel: &str, text: &str) {
    let (what, channel, text) = (what.to_owned(), channel.to_owned(), text.to_owned());
    running.report(ProgramEvent::Message { way: Way::Received, what, channel, bytes: 0, text });
}

/// The first packet, which is a CONNECT (§3.1).
async fn introduction(
    running: &Running,
    peer: SocketAddr,
    inbox: &mut Inbox,
    reading: &mut (impl AsyncRead + Unpin),
) -> Result<Connect, ProgramError> {
    match timeout(INTRODUCTION, inbox.next(reading)).await {
        Ok(Ok(Some(Packet::Connect(connect)))) => Ok(connect),
        Ok(Ok(_)) => Err(protocol(running, peer, "it does not begin with a CONNECT")),
        Ok(Err(error)) => Err(wrong(running, peer, error)),
        Err(_) => Err(protocol(running, peer, "it has not said who it is")),
    }
}

/// Whether a client is taken as it says it is (§3.2.2.3).
fn admit(connect: &Connect) -> Result<(), ConnectReturnCode> {
    if connect.protocol != Protocol::V311 {
        return Err(ConnectReturnCode::UnacceptableProtocolVersion);
    }
    // A session that is to be kept needs a name to be found by.
    if connect.client_id.is_empty() && !connect.clean_session {
        return Err(ConnectReturnCode::IdentifierRejected);
    }
    Ok(())
}

fn protocol(running: &Running, peer: SocketAddr, detail: &str) -> ProgramError {
    ProgramError::Protocol { program: running.program, peer: peer.to_string(), detail: detail.to_owned() }
}

fn wrong(running: &Running, peer: SocketAddr, error: WireError) -> ProgramError {
    match error {
        WireError::Io(error) => running.broken("receiving from", peer)(error),
        WireError::Malformed(detail) => protocol(running, peer, &detail),
    }
}

/// Hears and speaks until one of them is over, or the client has come anew.
async fn converse(
    running: &Running,
    peer: SocketAddr,
    seat: &Seat,
    exchange: &RefCell<Exchange>,
    connect: &Connect,
    (inbox, reading, writing): (&mut Inbox, &mut (impl AsyncRead + Unpin), &mut (impl AsyncWrite + Unpin)),
) -> Result<End, ProgramError> {
    let talk = Talk { running, peer, seat, exchange, replies: RefCell::default() };
    // One and a half times what the client has promised (§3.1.2.10).
    let patience = Duration::from_secs(u64::from(connect.keep_alive) * 3) / 2;
    tokio::select! {
        biased;
        ended = talk.hear(inbox, reading, patience) => ended,
        error = talk.speak(writing) => Err(error),
        () = seat.replaced.notified() => Ok(End::Silent),
    }
}

impl Talk<'_> {
    async fn hear(
        &self,
        inbox: &mut Inbox,
        reading: &mut (impl AsyncRead + Unpin),
        patience: Duration,
    ) -> Result<End, ProgramError> {
        loop {
            let next = inbox.next(reading);
            let heard = match patience.is_zero() {
                true => next.await,
                false => timeout(patience, next).await.map_err(|_| {
                    protocol(self.running, self.peer, "it has said nothing for longer than it promised to be silent")
                })?,
            };
            match heard.map_err(|error| wrong(self.running, self.peer, error))? {
                None => return Ok(End::Silent),
                Some(Packet::Disconnect) => return Ok(End::Orderly),
                Some(packet) => self.take(packet)?,
            }
            if self.replies.borrow().len() > MOST_REPLIES {
                return Err(protocol(self.running, self.peer, "it asks, and does not read the answers"));
            }
            self.seat.bell.notify_one();
        }
    }

    fn take(&self, packet: Packet) -> Result<(), ProgramError> {
        match packet {
            Packet::Publish(publish) => return self.take_publish(&publish),
            Packet::Puback(pid) => self.exchange.borrow_mut().acknowledge(self.seat, pid),
            Packet::Subscribe(subscribe) => {
                let grant = |(filter, qos): &(mqtt_proto::TopicFilter, mqtt_proto::QoS)| {
                    tell(self.running, "SUBSCRIBE", filter, "");
                    // Shared subscriptions are a matter of later versions.
                    let granted =
                        (!filter.is_shared()).then(|| self.exchange.borrow_mut().subscribe(self.seat, filter, *qos));
                    granted.flatten().map_or(SubscribeReturnCode::Failure, SubscribeReturnCode::from)
                };
                let codes = subscribe.topics.iter().map(grant).collect();
                self.reply(Suback::new(subscribe.pid, codes).into());
            }
            Packet::Unsubscribe(unsubscribe) => {
                let mut exchange = self.exchange.borrow_mut();
                unsubscribe.topics.iter().for_each(|filter| exchange.unsubscribe(self.seat, filter));
                self.reply(Packet::Unsuback(unsubscribe.pid));
            }
            Packet::Pingreq => self.reply(Packet::Pingresp),
            other => {
                let detail = format!("a client does not send {:?} here", other.get_type());
                return Err(protocol(self.running, self.peer, &detail));
            }
        }
        Ok(())
    }

    fn take_publish(&self, publish: &Publish) -> Result<(), ProgramError> {
        if matches!(publish.qos_pid, QosPid::Level2(_)) {
            return Err(protocol(self.running, self.peer, "it publishes with QoS 2, which is not spoken here"));
        }
        super::report(self.running, Way::Received, publish);
        hand_out(self.running, self.exchange, publish);
        if let QosPid::Level1(pid) = publish.qos_pid {
            // The broker has it now, whatever becomes of those who want it.
            self.reply(Packet::Puback(pid));
        }
        Ok(())
    }

    fn reply(&self, packet: Packet) {
        self.replies.borrow_mut().push_back(packet);
    }

    /// Sends what there is to send, for ever; returns what stops it.
    async fn speak(&self, writing: &mut (impl AsyncWrite + Unpin)) -> ProgramError {
        loop {
            while let Some(packet) = self.next() {
                if let Err(error) = wire::write(writing, &packet).await {
                    return self.running.broken("sending to", self.peer)(error);
                }
                if let Packet::Publish(publish) = &packet {
                    super::report(self.running, Way::Sent, publish);
                }
            }
            self.seat.bell.notified().await;
        }
    }

    /// Answers first, then messages.
    fn next(&self) -> Option<Packet> {
        let reply = self.replies.borrow_mut().pop_front();
        reply.or_else(|| self.exchange.borrow_mut().next(self.seat).map(Packet::Publish))
    }
}

/// Hands out what was published, and tells for whom there was no room.
fn hand_out(running: &Running, exchange: &RefCell<Exchange>, publish: &Publish) {
    for dropped in exchange.borrow_mut().publish(publish) {
        let detail = format!("{} messages wait for it already", dropped.waiting);
        let what = format!("queue {}", dropped.client);
        running.report(ProgramEvent::Decision { what, choice: "dropped".to_owned(), detail });
    }
}
