//! Why a packet exists.

use std::fmt;
use std::time::Duration;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The reason of one transmitted packet, with the section that asks for it.
///
/// It becomes the journal's `why`, the packet's comment in the capture, and the note in the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Why {
    /// The reason.
    pub reason: Reason,
    /// Where it is written: `RFC 9293 §3.5`; empty when no standard asks for it.
    pub section: &'static str,
}

/// The reasons for which a stack sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An application opened a connection.
    ActiveOpen,
    /// A connection request came in and is answered.
    AnswerOpen,
    /// An application opened a connection, and what it has to say goes with the request.
    OpenWithData,
    /// An application opened a connection, and the peer is asked for a cookie, so that data may go with the next request.
    AskForCookie,
    /// A connection request came in with a good cookie: what it carries is taken at once.
    AnswerEarly,
    /// A connection request is answered, and the peer granted a cookie.
    GrantCookie,
    /// A connection request came in that cannot be remembered: the answer holds all that is needed to recognise its answer.
    AnswerByCookie,
    /// The last step of the handshake.
    CompleteOpen,
    /// New data.
    NewData,
    /// New data, and with it the sender's side is closed.
    LastData,
    /// Data that came in is acknowledged.
    Acknowledge,
    /// A segment that was not expected is answered with what is expected (RFC 9293 §3.10.7.4).
    AnswerUnacceptable,
    /// A segment may be an attacker's guess: only the true peer can answer this.
    Challenge(Guess),
    /// The peer, idle, asked whether we are still there.
    AnswerKeepAlive,
    /// The peer asked whether our window is still zero.
    AnswerWindowProbe,
    /// A segment arrived out of order or twice; the same acknowledgment again.
    DuplicateAck,
    /// There is room in the receive buffer again.
    WindowUpdate,
    /// The application has closed its side.
    Close,
    /// The peer's FIN is acknowledged.
    AcknowledgeClose,
    /// The retransmission timer fired.
    RetransmitByTimer {
        /// How many times this data has been sent again, from 1.
        nth: u32,
        /// The time-out that has run.
        rto: Duration,
    },
    /// The retransmission timer has fired before, and all that was unacknowledged then goes again, in order (go-back-N).
    RetransmitAfterTimer,
    /// Three duplicate acknowledgments came.
    RetransmitByDuplicateAcks,
    /// An acknowledgment in fast recovery stops at it.
    RetransmitByPartialAck,
    /// Selective acknowledgments tell of octets behind it that have arrived.
    RetransmitBySack,
    /// The peer has taken the SYN, and not the data that went with it.
    RetransmitRefused,
    /// Something that was sent later has arrived.
    RetransmitByRack,
    /// It was too long for the path, and goes in smaller pieces.
    RetransmitForPathMtu,
    /// The end of a flight goes again: has it been lost?
    TailLossProbe,
    /// New data, sent because no acknowledgment came for the end of the flight.
    TailLossProbeWithNewData,
    /// New data, for a segment that has left the network as a duplicate acknowledgment tells.
    LimitedTransmit,
    /// New data instead of old: was the time-out needed?
    TestTimeout,
    /// Does the path take longer packets? New data finds out.
    PathProbe,
    /// The peer's window is zero; is it still?
    ZeroWindowProbe,
    /// The connection is idle; is the peer still there?
    KeepAlive,
    /// No connection takes the segment that came in.
    Reset,
    /// The application gave the connection up at once.
    Abort,
    /// The peer has not answered for too long.
    GiveUp,
    /// A segment of no connection: who lets it pass, and who refuses it?
    Stray,
    /// An application sent a datagram.
    Datagram,
    /// An echo request.
    EchoRequest,
    /// The answer to an echo request.
    EchoReply,
    /// A packet could not be delivered, and its sender is told.
    IcmpError,
    /// Who has this address?
    AddressRequest,
    /// This address is ours.
    AddressReply,
    /// Multicast membership, router discovery and the like.
    Housekeeping,
}

/// What a stranger may have guessed, and what is therefore challenged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guess {
    /// A reset within the window.
    Reset,
    /// A SYN of an open connection.
    Syn,
    /// An acknowledgment of what was never sent, or of what is older than any window.
    Acknowledgment,
}

impl Why {
    /// The reason with its section.
    pub const fn of(reason: Reason) -> Why {
        Why { reason, section: reason.section() }
    }

    /// As [`Why::of`], for a packet over IPv6 when `v6`: what ICMP and ARP do for IPv4, ICMPv6 does there, and path MTU
    /// discovery has a standard of its own.
    pub const fn over(reason: Reason, v6: bool) -> Why {
        let section = match reason {
            Reason::EchoRequest | Reason::EchoReply | Reason::IcmpError if v6 => "RFC 4443",
            Reason::AddressRequest | Reason::AddressReply if v6 => "RFC 4861",
            Reason::RetransmitForPathMtu if v6 => "RFC 8201 §5.4",
            _ => reason.section(),
        };
        Why { reason, section }
    }

    /// The reason of a super-segment's piece that is not its last: FIN stays on the last one.
    pub const fn of_earlier_piece(self) -> Why {
        match self.reason {
            Reason::LastData => Why::of(Reason::NewData),
            _ => self,
        }
    }
}

impl Reason {
    /// The reason's name in JSON and filters.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::ActiveOpen => "active-open",
            Reason::AnswerOpen => "answer-open",
            Reason::OpenWithData => "open-with-data",
            Reason::AskForCookie => "ask-for-cookie",
            Reason::AnswerEarly => "answer-early",
            Reason::GrantCookie => "grant-cookie",
            Reason::AnswerByCookie => "answer-by-cookie",
            Reason::CompleteOpen => "complete-open",
            Reason::NewData => "new-data",
            Reason::LastData => "last-data",
            Reason::Acknowledge => "acknowledge",
            Reason::AnswerUnacceptable => "answer-unacceptable",
            Reason::Challenge(_) => "challenge",
            Reason::AnswerKeepAlive => "answer-keep-alive",
            Reason::AnswerWindowProbe => "answer-window-probe",
            Reason::DuplicateAck => "duplicate-ack",
            Reason::WindowUpdate => "window-update",
            Reason::Close => "close",
            Reason::AcknowledgeClose => "acknowledge-close",
            Reason::RetransmitByTimer { .. } => "retransmit-by-timer",
            Reason::RetransmitAfterTimer => "retransmit-after-timer",
            Reason::RetransmitByDuplicateAcks => "retransmit-by-duplicate-acks",
            Reason::RetransmitByPartialAck => "retransmit-by-partial-ack",
            Reason::RetransmitBySack => "retransmit-by-sack",
            Reason::RetransmitRefused => "retransmit-refused",
            Reason::RetransmitByRack => "retransmit-by-rack",
            Reason::RetransmitForPathMtu => "retransmit-for-path-mtu",
            Reason::TailLossProbe => "tail-loss-probe",
            Reason::TailLossProbeWithNewData => "tail-loss-probe-with-new-data",
            Reason::LimitedTransmit => "limited-transmit",
            Reason::TestTimeout => "test-timeout",
            Reason::PathProbe => "path-probe",
            Reason::ZeroWindowProbe => "zero-window-probe",
            Reason::KeepAlive => "keep-alive",
            Reason::Reset => "reset",
            Reason::Abort => "abort",
            Reason::GiveUp => "give-up",
            Reason::Stray => "stray",
            Reason::Datagram => "datagram",
            Reason::EchoRequest => "echo-request",
            Reason::EchoReply => "echo-reply",
            Reason::IcmpError => "icmp-error",
            Reason::AddressRequest => "address-request",
            Reason::AddressReply => "address-reply",
            Reason::Housekeeping => "housekeeping",
        }
    }

    /// Where the reason is written; empty when no standard asks for it.
    pub const fn section(self) -> &'static str {
        match self {
            Reason::ActiveOpen | Reason::AnswerOpen | Reason::CompleteOpen => "RFC 9293 §3.5",
            Reason::OpenWithData | Reason::AnswerEarly => "RFC 7413 §4.2.2",
            Reason::AskForCookie | Reason::GrantCookie => "RFC 7413 §4.2.1",
            Reason::AnswerByCookie => "RFC 4987 §3.6",
            Reason::NewData | Reason::LastData => "RFC 9293 §3.7",
            Reason::Acknowledge => "RFC 9293 §3.4",
            Reason::AnswerUnacceptable => "RFC 9293 §3.10.7.4",
            Reason::Challenge(Guess::Reset) => "RFC 5961 §3.2",
            Reason::Challenge(Guess::Syn) => "RFC 5961 §4.2",
            Reason::Challenge(Guess::Acknowledgment) => "RFC 5961 §5.2",
            Reason::DuplicateAck => "RFC 5681 §4.2",
            Reason::WindowUpdate => "RFC 9293 §3.8.6",
            Reason::Close | Reason::AcknowledgeClose => "RFC 9293 §3.6",
            Reason::RetransmitByTimer { .. } => "RFC 6298 §5.4",
            Reason::RetransmitAfterTimer => "RFC 9293 §3.8.1",
            Reason::RetransmitByDuplicateAcks => "RFC 5681 §3.2",
            Reason::RetransmitByPartialAck => "RFC 6582 §3.2",
            Reason::RetransmitBySack => "RFC 6675 §5",
            Reason::RetransmitRefused => "RFC 7413 §4.2.2",
            Reason::RetransmitByRack => "RFC 8985 §6.2",
            Reason::RetransmitForPathMtu => "RFC 1191 §6.4",
            Reason::TailLossProbe | Reason::TailLossProbeWithNewData => "RFC 8985 §7.3",
            Reason::LimitedTransmit => "RFC 3042 §2",
            Reason::TestTimeout => "RFC 5682 §2.1",
            Reason::PathProbe => "RFC 4821 §10.1",
            Reason::ZeroWindowProbe | Reason::AnswerWindowProbe => "RFC 9293 §3.8.6.1",
            Reason::KeepAlive | Reason::AnswerKeepAlive => "RFC 9293 §3.8.4",
            Reason::Reset => "RFC 9293 §3.5.2",
            Reason::Abort => "RFC 9293 §3.10.5",
            Reason::GiveUp => "RFC 9293 §3.8.3",
            Reason::Stray => "RFC 9293 §3.10.7.1",
            Reason::Datagram => "RFC 768",
            Reason::EchoRequest | Reason::EchoReply | Reason::IcmpError => "RFC 792",
            Reason::AddressRequest | Reason::AddressReply => "RFC 826",
            Reason::Housekeeping => "",
        }
    }

    /// Whether the packet carries octets that were sent before.
    pub const fn is_retransmission(self) -> bool {
        matches!(
            self,
            Reason::RetransmitByTimer { .. }
                | Reason::RetransmitAfterTimer
                | Reason::RetransmitByDuplicateAcks
                | Reason::RetransmitByPartialAck
                | Reason::RetransmitBySack
                | Reason::RetransmitByRack
                | Reason::RetransmitForPathMtu
                | Reason::TailLossProbe
                | Reason::RetransmitRefused
        )
    }
}

/// The reason as a sentence, without its section.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::ActiveOpen => "SYN: opens the connection",
            Reason::AnswerOpen => "SYN,ACK: answers the request to connect",
            Reason::OpenWithData => "SYN: opens the connection, with a cookie and the first data",
            Reason::AskForCookie => "SYN: opens the connection, and asks for a cookie",
            Reason::AnswerEarly => "SYN,ACK: the cookie is good, and the data with it is taken",
            Reason::GrantCookie => "SYN,ACK: answers the request to connect, and grants a cookie",
            Reason::AnswerByCookie => "SYN,ACK: its number is a SYN cookie, and nothing is remembered",
            Reason::CompleteOpen => "ACK: completes the handshake",
            Reason::NewData => "new data",
            Reason::LastData => "the last data, and FIN: nothing more will be sent",
            Reason::Acknowledge => "ACK: this much has arrived",
            Reason::AnswerUnacceptable => "ACK: answers a segment that cannot be accepted",
            Reason::Challenge(_) => "challenge ACK: is it really the peer who said that?",
            Reason::AnswerKeepAlive => "ACK: yes, still here",
            Reason::AnswerWindowProbe => "ACK: answers the peer's window probe",
            Reason::DuplicateAck => "duplicate ACK: something is missing, or came twice",
            Reason::WindowUpdate => "window update: there is room again",
            Reason::Close => "FIN: nothing more will be sent",
            Reason::AcknowledgeClose => "ACK: the peer's FIN has arrived",
            Reason::RetransmitByTimer { nth, rto } => {
                // To the nearest, as ladders show spans.
                let millis = (rto.as_nanos() + 500_000) / 1_000_000;
                let (seconds, millis) = (millis / 1000, millis % 1000);
                return write!(f, "sent again ({nth}): no ACK came within the RTO of {seconds}.{millis:03} s");
            }
            Reason::RetransmitAfterTimer => "sent again: after the time-out all that was in flight goes again",
            Reason::RetransmitByDuplicateAcks => "sent again: three duplicate ACKs say it is lost",
            Reason::RetransmitByPartialAck => "sent again: the ACK of what went again stops there",
            Reason::RetransmitBySack => "sent again: selective ACKs say it is lost",
            Reason::RetransmitRefused => "sent again: the peer has not taken it with the SYN",
            Reason::RetransmitByRack => "sent again: later segments have arrived, so it is lost",
            Reason::RetransmitForPathMtu => "sent again in smaller pieces: it was too long for the path",
            Reason::TailLossProbe => "sent again as a probe: was the end of the flight lost?",
            Reason::TailLossProbeWithNewData => "new data as a probe: was the end of the flight lost?",
            Reason::LimitedTransmit => "new data: a duplicate ACK says that a segment has left the network",
            Reason::TestTimeout => "new data: was the time-out needed?",
            Reason::PathProbe => "new data, in a longer packet: does the path take it?",
            Reason::ZeroWindowProbe => "probe: is the peer's window still zero?",
            Reason::KeepAlive => "keep-alive: is the peer still there?",
            Reason::Reset => "RST: no such connection here",
            Reason::Abort => "RST: the application has given the connection up",
            Reason::GiveUp => "RST: the peer has not answered for too long",
            Reason::Stray => "ACK of no connection: does a filter let it pass?",
            Reason::Datagram => "a datagram of the application",
            Reason::EchoRequest => "echo request: is anybody there?",
            Reason::EchoReply => "echo reply: yes",
            Reason::IcmpError => "a packet could not be delivered; its sender is told",
            Reason::AddressRequest => "who has this address?",
            Reason::AddressReply => "this address is mine",
            Reason::Housekeeping => "housekeeping of the address family",
        })
    }
}

/// `SYN: opens the connection [RFC 9293 §3.5]`
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.section {
            "" => write!(f, "{}", self.reason),
            section => write!(f, "{} [{section}]", self.reason),
        }
    }
}

impl Serialize for Why {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("reason", self.reason.name())?;
        if let Reason::RetransmitByTimer { nth, rto } = self.reason {
            map.serialize_entry("nth", &nth)?;
            map.serialize_entry("rto", &(rto.as_nanos() as u64))?;
        }
        map.serialize_entry("section", self.section)?;
        map.serialize_entry("text", &self.reason.to_string())?;
        map.end()
    }
}
