//! The first packet that two runs of a lab do not have in common, of all vantage points, and what is not the same of it.

use serde::Serialize;

use super::changes::Ran;
use crate::capture::{Record, Remark};
use crate::filter::{PacketSubject, Streams, field_texts};
use crate::journal::NodeId;
use crate::lab::Mode;
use crate::packet::Dissection;
use crate::report::{self, Row, Style};
use crate::time::Instant;

/// What of a packet is compared: what it does, not what chance has given it (ports, initial numbers, time stamps).
const COMPARED: [&str; 24] = [
    "ip.src",
    "ipv6.src",
    "ip.proto",
    "ip.len",
    "ip.dsfield.ecn",
    "ip.flags.df",
    "tcp.flags",
    "tcp.seq",
    "tcp.ack",
    "tcp.len",
    "tcp.options.mss_val",
    "tcp.options.wscale.shift",
    "tcp.options.sack_perm",
    "tcp.options.sack.count",
    "udp.length",
    "icmp.type",
    "icmp.code",
    "icmp.mtu",
    "dns.flags.rcode",
    "dns.count.answers",
    "dns.qry.name",
    "dns.a",
    "http.request.uri",
    "http.response.code",
];

/// The first difference.
#[derive(Debug, Default, Serialize)]
pub(super) struct Difference {
    /// The packet's number; `None` when all are the same.
    first_difference: Option<u64>,
    /// The node whose capture has that number.
    vantage: String,
    /// What is not the same of it; empty when one of the runs has no such packet.
    differs_in: Vec<Detail>,
    /// The rows of the ladders there, without the break and with it.
    #[serde(skip)]
    rows: [String; 2],
}

/// One thing that is not the same.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Detail {
    /// A field's name, or what it is.
    what: String,
    without: String,
    with: String,
}

/// A packet of one vantage point that is not the same.
struct Found {
    /// When it was there, in the run without the break if that has it: what is earlier is nearer to the cause.
    at: Instant,
    number: u64,
    details: Vec<Detail>,
}

impl Difference {
    /// Compares all vantage points. In a simulation the time counts, where nothing else differs anywhere.
    pub(super) fn between(without: Ran<'_>, with: Ran<'_>) -> Difference {
        let nodes: Vec<(NodeId, String)> =
            without.finished.recorder.nodes().map(|vantage| (vantage.node, vantage.name.clone())).collect();
        let earliest = |find: fn(&[Record], &[Record]) -> Option<Found>| {
            let found = nodes.iter().filter_map(|(node, name)| {
                let [without, with] = [without, with].map(|ran| ran.finished.recorder.records(*node));
                Some((find(without, with)?, *node, name))
            });
            // Of two at the same moment the first node's counts.
            found.min_by_key(|(found, _, _)| found.at)
        };
        let is_exact = without.finished.mode == Mode::Sim;
        let found = earliest(in_what_it_does).or_else(|| earliest(in_time).filter(|_| is_exact));
        let Some((found, node, name)) = found else { return Difference::default() };
        Difference {
            first_difference: Some(found.number),
            vantage: name.clone(),
            differs_in: found.details,
            rows: [without, with].map(|ran| (ran.row)(node, found.number)),
        }
    }

    /// As text.
    pub(super) fn told(&self, variant: &str, style: &Style) -> String {
        let Some(number) = self.first_difference else { return "\nBoth runs have the same packets.\n".to_owned() };
        let [without, with] =
            self.rows.each_ref().map(|row| if row.is_empty() { "  (no such packet)\n" } else { row.as_str() });
        let mut out = format!(
            "\nThe first packet that is not the same is packet {number} at {}. Without the break:\n{without}\
             and with it:\n{with}",
            self.vantage,
        );
        if !self.differs_in.is_empty() {
            let headings =
                [Row { label: "what differs".to_owned(), cells: vec!["without it".to_owned(), variant.to_owned()] }];
            let row =
                |each: &Detail| Row { label: each.what.clone(), cells: vec![each.without.clone(), each.with.clone()] };
            let rows: Vec<Row> = self.differs_in.iter().map(row).collect();
            out.push_str(&report::table(&headings, &rows, style));
        }
        out
    }
}

/// The first packet that does something else, or that only one of the runs has.
fn in_what_it_does(without: &[Record], with: &[Record]) -> Option<Found> {
    let [mut streams, mut others] = [Streams::default(), Streams::default()];
    for (number, (one, other)) in (1..).zip(without.iter().zip(with)) {
        let details = differing(key(one, &mut streams), key(other, &mut others));
        if !details.is_empty() {
            return Some(Found { at: one.at, number, details });
        }
    }
    let common = without.len().min(with.len());
    let lonely = without.get(common).or(with.get(common))?;
    Some(Found { at: lonely.at, number: common as u64 + 1, details: Vec::new() })
}

/// The first packet that is there at another time.
fn in_time(without: &[Record], with: &[Record]) -> Option<Found> {
    let (number, (one, other)) = (1..).zip(without.iter().zip(with)).find(|(_, (one, other))| one.at != other.at)?;
    let seconds = |record: &Record, records: &[Record]| {
        let began = records.first().map_or(Instant::ZERO, |first| first.at);
        let nanos = record.at.since(began).as_nanos();
        // The first packet tells by the run's own clock when it was there.
        let nanos = if number == 1 { u128::from(record.at.as_nanos()) } else { nanos };
        format!("{}.{:09} s", nanos / 1_000_000_000, nanos % 1_000_000_000)
    };
    let detail =
        Detail { what: "when it is there".to_owned(), without: seconds(one, without), with: seconds(other, with) };
    Some(Found { at: one.at, number, details: vec![detail] })
}

fn differing(without: Vec<String>, with: Vec<String>) -> Vec<Detail> {
    let names = COMPARED.iter().copied().chain(["what the link did"]);
    let differs = |(name, (without, with)): (&str, (String, String))| {
        let shown = |text: String| if text.is_empty() { "-".to_owned() } else { text };
        (without != with).then(|| Detail { what: name.to_owned(), without: shown(without), with: shown(with) })
    };
    names.zip(without.into_iter().zip(with)).filter_map(differs).collect()
}

/// What is compared of a packet, as text: the fields, and whether a link dropped it.
fn key(record: &Record, streams: &mut Streams) -> Vec<String> {
    let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
    let (stream, relative) = streams.next(&dissection);
    let subject =
        PacketSubject { number: None, at: record.at, dissection: &dissection, bytes: &record.bytes, stream, relative };
    let mut key: Vec<String> =
        COMPARED.iter().map(|name| field_texts(name, &subject).unwrap_or_default().join(",")).collect();
    let fate = |remark: &Remark| matches!(remark, Remark::Impaired(impairment) if impairment.is_drop());
    key.push(if record.comments.iter().any(fate) { "dropped it".to_owned() } else { String::new() });
    key
}

/// Lines of one packet that are shown.
const LINES_OF_A_ROW: usize = 5;

/// The lines of packet `number` in a ladder: the one that begins with it, and those that continue it.
pub(in crate::cli) fn row(ladder: &str, number: u64) -> String {
    let own = |line: &&str| number_of(line) == Some(number);
    let mut lines = ladder.lines().skip_while(|line| !own(line));
    let first: Vec<&str> = lines.by_ref().take(1).collect();
    // Lines that belong to no packet begin with other words; a silence is told between two packets.
    let more = lines.take_while(|line| line.starts_with("      ") && !line.contains('⋯')).take(LINES_OF_A_ROW - 1);
    first.into_iter().chain(more).map(|line| format!("{line}\n")).collect()
}

/// The packet's number that a line of a ladder begins with.
fn number_of(line: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    let number = words.next()?.parse().ok()?;
    // Behind it stands a time.
    words.next()?.split_once('.').map(|_| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Direction;
    use crate::packet::{Medium, PacketId};

    #[test]
    fn a_row_is_what_begins_with_the_number_and_continues_below() {
        let ladder = "no      time  client      server  as seen at client
connection 1: client:1 → server:2
 1  0.000000  ├─ SYN ───►│  opens
              │ SYN-SENT │  [RFC]
 2  0.040000  │◄─ ACK ───┤  answers
              │ ⋯ 5 s of silence ⋯ │
10  5.000000  ├─ SYN ───►│  again
";
        assert_eq!(row(ladder, 1).lines().count(), 2);
        assert_eq!(row(ladder, 2), " 2  0.040000  │◄─ ACK ───┤  answers\n");
        assert!(row(ladder, 10).starts_with("10  5.0"));
        assert_eq!(row(ladder, 3), "");
    }

    /// A datagram that was sent at this microsecond.
    fn datagram(at: u64, data: &[u8]) -> Record {
        let mut bytes = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1, 2);
        builder.write(&mut bytes, data).expect("a vector takes every packet");
        Record {
            at: Instant::from_nanos(at * 1000),
            packet: PacketId(1),
            direction: Direction::Out,
            medium: Medium::Ip,
            wire_len: bytes.len(),
            bytes: bytes.into(),
            comments: Default::default(),
        }
    }

    #[test]
    fn what_is_not_the_same_of_a_packet_is_named() {
        let [one, other] = [[datagram(0, b"a"), datagram(5, b"b")], [datagram(0, b"a"), datagram(7, b"bcd")]];
        let found = in_what_it_does(&one, &other).expect("the second differs");
        let told: Vec<(&str, &str, &str)> = found
            .details
            .iter()
            .map(|detail| (detail.what.as_str(), detail.without.as_str(), detail.with.as_str()))
            .collect();
        assert_eq!((found.number, found.at), (2, Instant::from_nanos(5000)));
        assert_eq!(told, [("ip.len", "29", "31"), ("udp.length", "9", "11")]);
        let later = in_time(&one, &other).expect("it is later, too");
        assert_eq!((later.number, later.details[0].with.as_str()), (2, "0.000007000 s"));
        assert!(in_what_it_does(&one, &one.clone()).is_none() && in_time(&one, &one.clone()).is_none());
    }

    #[test]
    fn a_packet_that_only_one_run_has_is_a_difference() {
        let both = [datagram(0, b"a"), datagram(5, b"b")];
        for (without, with) in [(&both[..1], &both[..]), (&both[..], &both[..1])] {
            let found = in_what_it_does(without, with).expect("one is longer");
            assert_eq!((found.number, found.at, found.details.len()), (2, Instant::from_nanos(5000), 0));
        }
    }
}
