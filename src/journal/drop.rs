//! Why packets are refused.

use std::fmt;

use serde::Serialize;

/// Why a stack refused a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropReason {
    /// Headers cut short, or lengths that contradict each other.
    Malformed,
    /// The IPv4 header checksum is wrong.
    BadHeaderChecksum,
    /// The TCP, UDP or ICMP checksum is wrong.
    BadTransportChecksum,
    /// Addressed to somebody else.
    NotForUs,
    /// The source address cannot be one host's (RFC 9293 MUST-63).
    InvalidSource,
    /// A protocol that this stack does not speak.
    UnknownProtocol,
    /// No room in a queue.
    QueueFull,
    /// A real kernel would not take it from its door.
    RefusedByKernel,
    /// No connection and no listener has these ports (RFC 9293 §3.10.7.1).
    NoConnection,
    /// Wholly outside the receive window (RFC 9293 §3.10.7.4, first check).
    OutsideWindow,
    /// All of it had arrived before.
    Duplicate,
    /// Its timestamp is older than one that was seen (PAWS, RFC 7323 §5).
    OldTimestamp,
    /// A reset that does not hit RCV.NXT exactly (RFC 5961 §3).
    BlindReset,
    /// A SYN on a connection that is open (RFC 5961 §4).
    BlindSyn,
    /// It acknowledges what was never sent, or what is long gone (RFC 5961 §5).
    UnacceptableAck,
    /// A segment without ACK where one is needed (RFC 9293 §3.10.7.4, fifth check).
    MissingAck,
    /// A reset where it means nothing (RFC 9293 §3.10.7).
    MeaninglessReset,
    /// The listener has no room for more connections.
    BacklogFull,
    /// The receive buffer has no room for it.
    BufferFull,
    /// The application will not read any more.
    NobodyReads,
    /// Fragments that overlap (RFC 5722) or do not fit together.
    BadFragment,
    /// Some fragments of it did not come in time.
    ReassemblyTimeout,
    /// Its neighbour did not answer.
    NeighbourSilent,
    /// No route leads there.
    NoRoute,
    /// An ICMP error that belongs to nothing that was sent (RFC 5927).
    ForgedIcmp,
    /// A report of a narrow path, through which longer packets have come: it counts once a time-out agrees (RFC 5927 §7.2).
    DoubtedReport,
    /// A report of a narrow path that says nothing new, or to somebody who does not listen.
    UnheededReport,
    /// Its hops were used up (RFC 1812 §5.3.1).
    HopsExceeded,
    /// Longer than the next link takes, and not to be cut (RFC 1191, RFC 8201).
    TooBig,
    /// A policy does not let it pass.
    Filtered,
    /// It belongs to no connection that was seen to begin.
    NoTrackedConnection,
    /// Too many connections are remembered to remember another.
    TableFull,
    /// No router may pass on a packet to this address (RFC 1812 §5.3.4, §5.3.7).
    NotToBeForwarded,
    /// No mapping leads inside from there (RFC 4787).
    NoMapping,
    /// The mapping lets in only those who were sent to (RFC 4787 §5).
    Unsolicited,
    /// The address translator does not know how to translate it, or has no port left.
    NotTranslated,
    /// No link is at the port that it should leave through.
    NoLink,
    /// Whom it is for is on the link it came from.
    BackWhereItCame,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DropReason::Malformed => "its headers are cut short or contradict each other",
            DropReason::BadHeaderChecksum => "bad IPv4 header checksum",
            DropReason::BadTransportChecksum => "bad transport checksum",
            DropReason::NotForUs => "not addressed to this host",
            DropReason::InvalidSource => "impossible source address",
            DropReason::UnknownProtocol => "unknown protocol",
            DropReason::QueueFull => "queue full",
            DropReason::RefusedByKernel => "the kernel behind the door refused it",
            DropReason::NoConnection => "no connection and no listener has these ports",
            DropReason::OutsideWindow => "outside the receive window",
            DropReason::Duplicate => "all of it had arrived before",
            DropReason::OldTimestamp => "its timestamp is older than one already seen",
            DropReason::BlindReset => "a reset that does not hit the next expected octet exactly",
            DropReason::BlindSyn => "a SYN on an open connection",
            DropReason::UnacceptableAck => "it acknowledges what was never sent or is long gone",
            DropReason::MissingAck => "no ACK flag where one is needed",
            DropReason::MeaninglessReset => "a reset that means nothing here",
            DropReason::BacklogFull => "the listener has no room for more connections",
            DropReason::BufferFull => "the receive buffer has no room for it",
            DropReason::NobodyReads => "the application will not read any more",
            DropReason::BadFragment => "its fragments overlap or do not fit together",
            DropReason::ReassemblyTimeout => "some of its fragments did not come in time",
            DropReason::NeighbourSilent => "its neighbour did not answer",
            DropReason::NoRoute => "no route leads there",
            DropReason::ForgedIcmp => "an ICMP error about nothing that was sent",
            DropReason::DoubtedReport => "longer packets have arrived: it is believed once a time-out agrees",
            DropReason::UnheededReport => "a report that changes nothing",
            DropReason::HopsExceeded => "its hops were used up",
            DropReason::TooBig => "longer than the next link takes, and not to be cut",
            DropReason::Filtered => "the policy does not let it pass",
            DropReason::NoTrackedConnection => "it belongs to no connection that was seen to begin",
            DropReason::TableFull => "too many connections are remembered",
            DropReason::NotToBeForwarded => "no router passes on packets to this address",
            DropReason::NoMapping => "no mapping leads inside from there",
            DropReason::Unsolicited => "the mapping lets in only those who were sent to",
            DropReason::NotTranslated => "it cannot be translated",
            DropReason::NoLink => "no link is at the port that it should leave through",
            DropReason::BackWhereItCame => "whom it is for is on the link it came from",
        })
    }
}
