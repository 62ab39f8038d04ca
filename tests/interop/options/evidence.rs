//! What two ends agreed on, read from what they sent.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use wireglass::capture::Record;
use wireglass::packet::dissect::{Dissection, Network, Tcp};
use wireglass::packet::{SeqNum, TcpFlags};

use super::Choice;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    from: SocketAddr,
    to: SocketAddr,
}

impl Ends {
    pub(super) fn of(dissection: &Dissection) -> Option<Ends> {
        let ((from, to), (source, destination)) = (dissection.addresses()?, dissection.ports()?);
        Some(Ends { from: SocketAddr::new(from, source), to: SocketAddr::new(to, destination) })
    }

    fn back(self) -> Ends {
        Ends { from: self.to, to: self.from }
    }
}

/// A segment, and the ECN field around it (RFC 3168 §5).
struct Sent {
    by_opener: bool,
    tcp: Tcp,
    ecn: u8,
}

/// All that the two ends of a connection sent, in the order of time.
pub(super) struct Heard {
    /// From who opened to who accepted.
    ends: Ends,
    sent: Vec<Sent>,
}

/// The connections among `records`, by the address of who opened and the socket of who accepted.
pub(super) fn of(records: &[Record]) -> HashMap<(IpAddr, SocketAddr), Heard> {
    let mut found: HashMap<Ends, Heard> = HashMap::new();
    for record in records {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let (Some(ends), Some(tcp)) = (Ends::of(&dissection), dissection.tcp().cloned()) else { continue };
        let Some(Network::Ipv4(ip)) = &dissection.network else { continue };
        let sent = |by_opener| Sent { by_opener, tcp, ecn: ip.ecn };
        if let Some(heard) = found.get_mut(&ends.back()) {
            heard.sent.push(sent(false));
        } else {
            found.entry(ends).or_insert_with(|| Heard { ends, sent: Vec::new() }).sent.push(sent(true));
        }
    }
    found.into_iter().map(|(ends, heard)| ((ends.from.ip(), ends.to), heard)).collect()
}

/// ECE and CWR of a segment.
fn echoes(tcp: &Tcp) -> [bool; 2] {
    [TcpFlags::ECE, TcpFlags::CWR].map(|flag| tcp.flags.contains(flag))
}

/// An error that says `what` unless it `holds`.
fn must(holds: bool, what: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

impl Heard {
    /// The segments, one a line, for who has to find out what went wrong.
    pub(super) fn lines(&self) -> String {
        let line = |sent: &Sent| {
            let Sent { by_opener, tcp, ecn } = sent;
            let way = if *by_opener { '>' } else { '<' };
            let (seq, ack, length) = (tcp.seq, tcp.ack, tcp.payload_len);
            let (stamps, sack) = (tcp.options.timestamps, &tcp.options.sack);
            format!("  {way} {:?} {seq} ack {ack} len {length} ecn {ecn} ts {stamps:?} sack {sack:?}\n", tcp.flags)
        };
        self.sent.iter().map(line).collect()
    }

    /// Whether all is as two ends with these choices agree on it, who opened first; `marked` are the streams of which a
    /// router marked a segment.
    pub(super) fn judge(&self, [opener, acceptor]: [Choice; 2], marked: &[Ends]) -> Result<(), String> {
        let agreed = opener.both(acceptor);
        self.judge_handshake(opener, agreed)?;
        let is_stamped = |sent: &&Sent| sent.tcp.options.timestamps.is_some();
        // But for resets: whoever has forgotten the connection already answers what came twice with one that has none.
        let later = || self.sent.iter().filter(|sent| !sent.tcp.flags.syn() && !sent.tcp.flags.rst());
        let stamped = later().filter(is_stamped).count();
        must(
            stamped == if agreed.timestamps { later().count() } else { 0 },
            "timestamps on every segment, or on none",
        )?;
        for by_opener in [true, false] {
            let side = if by_opener { "who opened" } else { "who accepted" };
            self.judge_stream(by_opener, agreed).map_err(|error| format!("{side} sends: {error}"))?;
            let ends = if by_opener { self.ends } else { self.ends.back() };
            let marks = marked.iter().filter(|marked| **marked == ends).count();
            must(marks == usize::from(agreed.ecn), "one mark where marks are allowed, else none")?;
            self.judge_echo(by_opener, agreed.ecn).map_err(|error| format!("{side} is slowed down: {error}"))?;
        }
        Ok(())
    }

    /// The SYN says what the opener is willing to do, the answer what both are (RFC 2018 §2, RFC 7323 §3.2, RFC 3168 §6.1.1).
    fn judge_handshake(&self, opener: Choice, agreed: Choice) -> Result<(), String> {
        for (by_opener, choice, echo) in [(true, opener, [opener.ecn; 2]), (false, agreed, [agreed.ecn, false])] {
            let mut syns =
                self.sent.iter().filter(|sent| sent.by_opener == by_opener && sent.tcp.flags.syn()).peekable();
            must(syns.peek().is_some(), "there is a handshake")?;
            for Sent { tcp, ecn, .. } in syns {
                let said = (tcp.options.sack_permitted, tcp.options.timestamps.is_some(), echoes(tcp), *ecn);
                let expected = (choice.sack, choice.timestamps, echo, 0);
                must(said == expected, &format!("the handshake says {said:?}, not {expected:?}"))?;
            }
        }
        Ok(())
    }

    /// One direction: what was lost in it is reported and sent again; new data may be marked (RFC 3168 §6.1.5), nothing
    /// else may.
    fn judge_stream(&self, by_opener: bool, agreed: Choice) -> Result<(), String> {
        let mut edge: Option<SeqNum> = None;
        let (mut new, mut again) = (0, 0);
        for Sent { tcp, ecn, .. } in
            self.sent.iter().filter(|sent| sent.by_opener == by_opener && !sent.tcp.flags.syn())
        {
            let end = tcp.seq + tcp.payload_len as u32;
            let is_new = tcp.payload_len > 0 && edge.is_none_or(|edge| edge.before(end));
            // A mark on its way into our network is seen here.
            let is_capable = [2, 3].contains(ecn);
            must(is_capable == (agreed.ecn && is_new), &format!("ECN field {ecn} of a segment, new data: {is_new}"))?;
            if is_new {
                edge = Some(end);
            }
            new += u32::from(is_new);
            again += u32::from(tcp.payload_len > 0 && !is_new);
        }
        must(new > 40 && again > 0, &format!("{new} segments are new, {again} went again"))?;
        let reports = self.sent.iter().filter(|sent| sent.by_opener != by_opener && !sent.tcp.options.sack.is_empty());
        must((reports.count() > 0) == agreed.sack, "the gap is reported by SACK, or never")
    }

    /// A mark is echoed until the sender says that it has slowed down, and no longer (RFC 3168 §6.1.2, §6.1.3).
    fn judge_echo(&self, by_opener: bool, agreed: bool) -> Result<(), String> {
        let later: Vec<&Sent> =
            self.sent.iter().filter(|sent| !sent.tcp.flags.syn() && !sent.tcp.flags.rst()).collect();
        let echoed = later.iter().position(|sent| sent.by_opener != by_opener && echoes(&sent.tcp)[0]);
        // CWR tells of every reduction: that of a loss may come first.
        let reduced = later.iter().rposition(|sent| sent.by_opener == by_opener && echoes(&sent.tcp)[1]);
        must(echoed.is_some() == agreed && reduced.is_some() == agreed, &format!("ECE {echoed:?}, CWR {reduced:?}"))?;
        must(echoed <= reduced, "CWR comes after ECE")?;
        let last = later.iter().rfind(|sent| sent.by_opener != by_opener);
        must(last.is_some_and(|sent| !echoes(&sent.tcp)[0]), "the echo ends")
    }
}
