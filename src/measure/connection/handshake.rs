//! How a connection was opened: who offered what, and what both have (RFC 9293 §3.5, RFC 7323, RFC 2018, RFC 3168).

use std::time::Duration;

use serde::Serialize;

use super::End;
use super::gather::Segment;

/// The opening, as far as it was captured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Handshake {
    /// Every SYN of the client, sent again or not.
    pub syns: Vec<u64>,
    /// Every SYN,ACK of the server.
    pub syn_acks: Vec<u64>,
    /// The client's first acknowledgment of it.
    pub ack: Option<u64>,
    /// From the first SYN to that acknowledgment.
    pub took: Option<Duration>,
    /// What the SYN offers.
    pub client: Option<Offer>,
    /// What the SYN,ACK does.
    pub server: Option<Offer>,
    /// What follows; `None` when one of the two was not captured.
    pub agreed: Option<Agreed>,
}

/// The options of a SYN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// The longest segment that it takes, in octets of data (RFC 9293 §3.7.1).
    pub mss: Option<u16>,
    /// How far its windows are shifted, 0 to 14 (RFC 7323 §2).
    pub window_scale: Option<u8>,
    /// Selective acknowledgments (RFC 2018).
    pub sack: bool,
    /// Time stamps (RFC 7323 §3).
    pub time_stamps: bool,
    /// Explicit congestion notification (RFC 3168 §6.1.1).
    pub ecn: bool,
    /// Fast Open (RFC 7413).
    pub fast_open: bool,
    /// Octets of data that it carries.
    pub data: u32,
    /// The window, which is not scaled here (RFC 7323 §2.2).
    pub window: u16,
    /// The initial sequence number.
    pub initial_sequence_number: u32,
}

/// What both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Agreed {
    /// The longest segment to the server, and to the client, options not counted.
    pub mss: [u16; 2],
    /// How far the client's windows are shifted, and the server's; `None`: not at all.
    pub window_scale: Option<[u8; 2]>,
    /// Whether there are selective acknowledgments.
    pub sack: bool,
    /// Whether there are time stamps.
    pub time_stamps: bool,
    /// Whether there is explicit congestion notification.
    pub ecn: bool,
}

/// What counts where nobody says otherwise (RFC 9293 MUST-15, for IPv4).
const DEFAULT_MSS: u16 = 536;

fn offer(segment: &Segment) -> Offer {
    let (tcp, options) = (&segment.tcp, &segment.tcp.options);
    let (ece, cwr) = (
        tcp.flags.contains(crate::packet::dissect::TcpFlags::ECE),
        tcp.flags.contains(crate::packet::dissect::TcpFlags::CWR),
    );
    Offer {
        mss: options.mss,
        window_scale: options.window_scale,
        sack: options.sack_permitted,
        time_stamps: options.timestamps.is_some(),
        // The answer says it by ECE alone.
        ecn: ece && cwr != tcp.flags.ack(),
        fast_open: options.fast_open.is_some(),
        data: tcp.payload_len as u32,
        window: tcp.window,
        initial_sequence_number: tcp.seq.0,
    }
}

/// Reads it from the packets of a connection.
pub(super) fn read(segments: &[Segment]) -> Handshake {
    let is_syn =
        |segment: &&Segment| segment.tcp.flags.syn() && segment.from == End::Client && !segment.tcp.flags.rst();
    let is_answer =
        |segment: &&Segment| segment.tcp.flags.syn() && segment.tcp.flags.ack() && segment.from == End::Server;
    let (syn, answer) = (segments.iter().find(is_syn), segments.iter().find(is_answer));
    let is_last = |segment: &&Segment| {
        let answered = answer.is_some_and(|answer| segment.tcp.ack.at_or_after(answer.tcp.seq + 1));
        segment.from == End::Client && segment.tcp.flags.ack() && !segment.tcp.flags.syn() && answered
    };
    let ack = segments.iter().find(is_last);
    let (client, server) = (syn.map(offer), answer.map(offer));
    Handshake {
        syns: segments.iter().filter(is_syn).map(|segment| segment.number).collect(),
        syn_acks: segments.iter().filter(is_answer).map(|segment| segment.number).collect(),
        ack: ack.map(|ack| ack.number),
        took: syn.zip(ack).map(|(syn, ack)| ack.at - syn.at),
        agreed: client.as_ref().zip(server.as_ref()).map(|(client, server)| agreed(client, server)),
        client,
        server,
    }
}

fn agreed(client: &Offer, server: &Offer) -> Agreed {
    Agreed {
        mss: [server.mss.unwrap_or(DEFAULT_MSS), client.mss.unwrap_or(DEFAULT_MSS)],
        // Beyond 14 counts as 14 (RFC 7323 §2.3).
        window_scale: client
            .window_scale
            .zip(server.window_scale)
            .map(|(client, server)| [client.min(14), server.min(14)]),
        sack: client.sack && server.sack,
        time_stamps: client.time_stamps && server.time_stamps,
        ecn: client.ecn && server.ecn,
    }
}
