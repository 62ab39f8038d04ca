//! DNS messages at the edge: octets that came in, replies that go out (RFC 1035 §4, RFC 6891).
//!
//! What lives here: which octets are a question at all, what is answered to those that are not, and how long an answer over
//! UDP may be. What does not: what the answer is.

use hickory_proto::ProtoError;
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{DNSClass, RData, Record};
use tokio::io::{self, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::journal::TransportKind;

/// The longest message over UDP to one who does not say that it takes more (RFC 1035 §4.2.1).
const PLAIN_UDP: u16 = 512;
/// The longest that we take or send over UDP: it fits every path's smallest IPv6 packet, so that nothing is fragmented
/// (RFC 9715 §3).
const EDNS_UDP: u16 = 1232;
/// Octets of a header (RFC 1035 §4.1.1).
const HEADER: usize = 12;

/// Octets in which there is no question to be answered.
#[derive(Debug, PartialEq)]
pub(super) enum Unanswerable {
    /// Too short, or a response: whoever answers responses can be made to talk to itself for ever.
    Silence,
    /// A question that is none; this is said instead of an answer.
    Refusal(Box<Message>),
}

/// The question in `octets`: exactly one, of the class IN (RFC 9619).
pub(super) fn question(octets: &[u8]) -> Result<(Message, Query), Unanswerable> {
    let [id, second_id, flags, ..] = octets else { return Err(Unanswerable::Silence) };
    let (id, is_response) = (u16::from_be_bytes([*id, *second_id]), flags & 0x80 != 0);
    if octets.len() < HEADER || is_response {
        return Err(Unanswerable::Silence);
    }
    let op_code = OpCode::from_u8((flags >> 3) & 0x0f);
    let refusal = |code| Unanswerable::Refusal(Box::new(Message::error_msg(id, op_code, code)));
    if op_code != OpCode::Query {
        return Err(refusal(ResponseCode::NotImp));
    }
    let message = Message::from_vec(octets).map_err(|_| refusal(ResponseCode::FormErr))?;
    let [query] = message.queries.as_slice() else { return Err(refusal(ResponseCode::FormErr)) };
    let query = query.clone();
    let with_code = |code| Unanswerable::Refusal(Box::new(reply(&message, code)));
    if message.edns.as_ref().is_some_and(|edns| edns.version() > 0) {
        return Err(with_code(ResponseCode::BADVERS));
    }
    if query.query_class != DNSClass::IN {
        return Err(with_code(ResponseCode::Refused));
    }
    Ok((message, query))
}

/// A reply without answers yet.
pub(in crate::app) fn reply(asked: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    reply.metadata.response_code = code;
    reply.metadata.recursion_desired = asked.metadata.recursion_desired;
    reply.add_queries(asked.queries.iter().cloned());
    if asked.edns.is_some() {
        reply.set_edns(edns());
    }
    reply
}

/// What we say of ourselves (RFC 6891 §6.1.2).
pub(super) fn edns() -> Edns {
    let mut edns = Edns::new();
    edns.set_max_payload(EDNS_UDP);
    edns
}

/// The octets of a reply to `asked`. One that is too long for UDP goes without its records and with TC: the asker is to come
/// again over TCP (RFC 2181 §9, RFC 7766 §5).
pub(super) fn encode(asked: &Message, reply: &Message, over: TransportKind) -> Result<(Vec<u8>, bool), ProtoError> {
    let octets = reply.to_vec()?;
    let limit = match over {
        TransportKind::Tcp => u16::MAX,
        TransportKind::Udp => {
            asked.edns.as_ref().map_or(PLAIN_UDP, |edns| edns.max_payload().clamp(PLAIN_UDP, EDNS_UDP))
        }
    };
    if octets.len() <= usize::from(limit) {
        return Ok((octets, false));
    }
    reply.truncate().to_vec().map(|octets| (octets, true))
}

/// Whether `reply` answers what was asked (RFC 5452 §9.1).
pub(super) fn answers(asked: &Message, reply: &Message) -> bool {
    reply.metadata.message_type == MessageType::Response
        && reply.metadata.id == asked.metadata.id
        && reply.queries == asked.queries
}

/// Reads one message of a stream, where each is preceded by its length (RFC 1035 §4.2.2); `None` at the end.
pub(super) async fn read_framed(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut first = [0];
    if stream.read(&mut first).await? == 0 {
        return Ok(None);
    }
    let [first] = first;
    let length = u16::from_be_bytes([first, stream.read_u8().await?]);
    let mut octets = vec![0; usize::from(length)];
    stream.read_exact(&mut octets).await?;
    Ok(Some(octets))
}

/// Writes one message with its length in one go, so that it leaves in one segment where it fits (RFC 7766 §8).
///
/// # Errors
/// The stream's; [`io::ErrorKind::InvalidInput`] for a message that no length can count.
pub(super) async fn write_framed(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> io::Result<()> {
    let length = u16::try_from(octets.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let framed = [&length.to_be_bytes(), octets].concat();
    stream.write_all(&framed).await?;
    stream.flush().await
}

/// The mnemonic of a response code, as dig prints it (RFC 1035 §4.1.1, RFC 6895 §2.3).
pub(in crate::app) fn mnemonic(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        other => return format!("RCODE{}", u16::from(other)),
    };
    name.to_owned()
}

/// A record's data as `dig +short` prints it.
pub(super) fn short(record: &Record) -> String {
    match &record.data {
        RData::TXT(text) => {
            let quoted = |part: &[u8]| format!("\"{}\"", part.escape_ascii());
            text.txt_data.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
