//! What is said of a segment that comes again, and why.

use std::time::Duration;

use serde::Serialize;

/// A segment that carries nothing new to the stream's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Again {
    /// Its packet.
    pub number: u64,
    /// Its first octet, counted from the first that was seen of the stream.
    pub from: i64,
    /// Octets of sequence space: data, SYN, FIN.
    pub length: u32,
    /// The earlier packet with the same octets; `None` when none passed here.
    pub first: Option<u64>,
    /// What it is.
    pub kind: Kind,
    /// How that is known.
    pub evidence: Evidence,
    /// Why it was sent in vain, when it was; `None` when nothing says so.
    pub doubt: Option<Doubt>,
}

/// What a segment is that comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Sent again because a time-out had run (RFC 6298 §5), or after one (RFC 5681 §3.1: everything goes again).
    Timeout,
    /// Sent again because acknowledgments told of a gap (RFC 5681 §3.2, RFC 6675, RFC 8985 §6).
    Fast,
    /// Sent again to find out whether the end of a flight was lost (RFC 8985 §7).
    TailLossProbe,
    /// Sent once, and overtaken by others.
    OutOfOrder,
    /// Sent once, and doubled by the network.
    Duplicate,
    /// One octet beyond a window of zero: is there room now (RFC 9293 §3.8.6.1)?
    WindowProbe,
    /// An octet that was acknowledged long ago: is the peer still there (RFC 9293 §3.8.4)?
    KeepAlive,
}

impl Kind {
    /// Whether its sender has sent it again.
    pub const fn is_retransmission(self) -> bool {
        match self {
            Kind::Timeout | Kind::Fast | Kind::TailLossProbe => true,
            Kind::OutOfOrder | Kind::Duplicate | Kind::WindowProbe | Kind::KeepAlive => false,
        }
    }
}

/// What speaks for the kind. Numbers are of packets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Evidence {
    /// The same packet, down to its identification in the IP header.
    SameIdentification {
        /// The copy.
        of: u64,
    },
    /// The same packet, sooner than its sender could know anything.
    TooSoonToKnow {
        /// The copy.
        of: u64,
        /// How long after it.
        after: Duration,
    },
    /// Its identification, or its time stamp, is older than that of a packet that came before it.
    SentEarlierThan {
        /// Who came before it.
        overtaken_by: u64,
        /// By its time stamp; else by its identification.
        by_time_stamp: bool,
    },
    /// It comes sooner after the gap was seen than a question and its answer take.
    FilledTooSoon {
        /// Who came before it.
        overtaken_by: u64,
        /// How long after it.
        after: Duration,
    },
    /// So many acknowledgments repeated the one before.
    DuplicateAcks {
        /// How many.
        count: u32,
        /// The last of them.
        last: u64,
    },
    /// An acknowledgment told of octets behind it that had arrived.
    Sack {
        /// The acknowledgment.
        by: u64,
    },
    /// In a recovery, an acknowledgment stopped at it.
    PartialAck {
        /// The acknowledgment.
        by: u64,
    },
    /// No time-out is as short as that, so acknowledgments must have told, whether or not they passed here.
    TooSoonForTimeout {
        /// How long.
        waited: Duration,
    },
    /// Nothing had come from the peer for so long.
    Silence {
        /// How long.
        lasted: Duration,
    },
    /// It was sent when a time-out had run, and goes again after packet `since`, as everything unacknowledged then.
    AfterTimeout {
        /// What the time-out sent.
        since: u64,
    },
    /// The end of a flight, after so long: about two round trips.
    TailAfter {
        /// How long.
        waited: Duration,
    },
    /// A SYN that nobody has answered.
    UnansweredSyn {
        /// How long.
        waited: Duration,
    },
    /// The window was zero.
    ZeroWindow {
        /// The acknowledgment.
        by: u64,
    },
    /// It was acknowledged already.
    AcknowledgedBefore {
        /// The acknowledgment.
        by: u64,
    },
}

/// Why a retransmission was not needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Doubt {
    /// The receiver says that it had it already (RFC 2883).
    CameTwice {
        /// The acknowledgment.
        ack: u64,
    },
    /// Its acknowledgment answers the time stamp of an earlier copy (RFC 3522).
    EarlierTimeStamp {
        /// The acknowledgment.
        ack: u64,
    },
    /// Its acknowledgment came sooner than one can.
    AnsweredTooSoon {
        /// The acknowledgment.
        ack: u64,
        /// How long after it.
        after: Duration,
    },
    /// The acknowledgment of its octets had passed here before it.
    AcknowledgedBefore {
        /// The acknowledgment.
        ack: u64,
    },
    /// An earlier copy came after it.
    EarlierCopyCame {
        /// The copy.
        copy: u64,
    },
    /// An earlier copy passed here, close to the receiver.
    PassedBefore {
        /// The copy.
        copy: u64,
    },
}
