//! Captures: what each node saw, as files and in memory.
//!
//! One file per vantage point (the same packet twice in one file makes Wireshark cry "retransmission"), packets only,
//! so that a packet's number here is Wireshark's frame number; beside it a story, the same with events between the packets.
//!
//! What lives here: the writers ([`pcapng`], [`pcap`]), one [`Reader`] for every capture of either format, and the
//! [`Recorder`], the [`Witness`] that keeps a run in memory and writes its files. What does not: turning a packet into
//! text (the recorder is handed a function for that), and deciding anything from what was captured.

mod link_type;
mod output;
pub mod pcap;
pub mod pcapng;
mod reader;
mod recorder;
mod shared;

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

pub use link_type::LinkType;
pub use output::append;
#[cfg(feature = "cli")]
pub use output::replace;
pub use reader::{ForeignRecord, InterfaceInfo, ReadError, Reader};
pub use recorder::{
    Describe, EventRow, FileFormat, Level, Recorder, RecorderConfig, RecorderError, Tell, Teller, VantageConfig,
};
pub use shared::SharedRecorder;

use crate::journal::{DropReason, Entry, Impairment, NodeId, Passage, Why};
use crate::packet::{Medium, PacketId};
use crate::time::Instant;

/// Seen from the vantage point, which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It arrived there.
    In,
    /// It was sent from there.
    Out,
}

/// One captured packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it passed the vantage point.
    pub at: Instant,
    /// Its name in the run; joins the files of the two ends.
    pub packet: PacketId,
    /// Which way it went.
    pub direction: Direction,
    /// What its first byte belongs to.
    pub medium: Medium,
    /// Its bytes, as captured.
    pub bytes: Bytes,
    /// Octets it had on the wire; more than `bytes` when a capture cut it short.
    pub wire_len: usize,
    /// Remarks shown by Wireshark: why it was sent, what the link did to it.
    pub comments: SmallVec<[Remark; 1]>,
}

/// A remark on one packet: a plain value until somebody reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Why its stack sent it.
    Why(Why),
    /// What the link did to it.
    Impaired(Impairment),
    /// The link made a copy of it, which has this name.
    Copied(PacketId),
    /// What the link did to a copy or a piece of it.
    CopyImpaired(PacketId, Impairment),
    /// Its node has no link.
    NoLink,
    /// Its node passed it on to the link of this name.
    Forwarded(String),
    /// Its node did this to it on the way.
    Passage(Passage),
    /// It was too long for the next link; this is the name of a piece of it.
    GoesOnAs(PacketId),
    /// Its node refused it.
    Refused(DropReason),
    /// Somebody else's words, out of a file.
    Text(String),
}

impl Remark {
    /// What a link did to a packet, told of a piece of it.
    pub fn of_piece(self, piece: PacketId) -> Remark {
        match self {
            Remark::Impaired(impairment) => Remark::CopyImpaired(piece, impairment),
            other => other,
        }
    }
}

impl From<String> for Remark {
    fn from(text: String) -> Remark {
        Remark::Text(text)
    }
}

/// The remark as a sentence.
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Why(why) => why.fmt(f),
            Remark::Impaired(impairment) => impairment.fmt(f),
            Remark::Copied(copy) => write!(f, "the link makes a copy of it: packet {copy}"),
            Remark::CopyImpaired(copy, impairment) => write!(f, "packet {copy}: {impairment}"),
            Remark::Forwarded(link) => write!(f, "goes on to {link}"),
            Remark::Passage(passage) => passage.fmt(f),
            Remark::GoesOnAs(piece) => write!(f, "goes on in pieces: one is packet {piece}"),
            Remark::Refused(reason) => write!(f, "dropped: {reason}"),
            Remark::NoLink => f.write_str("dropped: this node has no link"),
            Remark::Text(text) => f.write_str(text),
        }
    }
}

/// Who is told everything, in order: the recorder of a run, or a test.
pub trait Witness: Send {
    /// Whether anybody is listening. When nobody is, nothing is told and nothing is made ready to be told; asked once,
    /// before the run.
    fn listens(&self) -> bool {
        true
    }

    /// A packet passed the vantage point of `node`.
    fn packet(&mut self, node: NodeId, record: Record);

    /// Something happened.
    fn event(&mut self, entry: Entry);

    /// Nothing more is happening at this moment: what has been told may be written out.
    fn settle(&mut self);

    /// The secrets of a TLS connection, as lines of a key log (`SSLKEYLOGFILE`): they belong before the packets that
    /// follow, so that whoever opens the captures can read them. A witness that writes no captures has no use for them.
    fn secrets(&mut self, _key_log: &str) {}
}
