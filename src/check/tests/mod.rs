//! Every kind of check, passing and failing, on evidence built by hand.

mod integrity;
mod members;
mod missing;
mod routed;
mod times;

use smallvec::SmallVec;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use etherparse::PacketBuilder;

use super::*;
use crate::capture::{Direction, Record};
use crate::filter::Names;
use crate::journal::{DropReason, Entry, Event, Impairment, Journal, Passage, ProgramEvent, TransportKind};
use crate::packet::{Medium, PacketId};
use crate::time::Instant;

const CLIENT: [u8; 4] = [10, 0, 0, 1];
const SERVER: [u8; 4] = [10, 0, 0, 2];
const MS: u64 = 1_000_000;

fn names() -> Names {
    let mut names = Names::default();
    names.insert("client", IpAddr::V4(Ipv4Addr::from(CLIENT)));
    names.insert("server", IpAddr::V4(Ipv4Addr::from(SERVER)));
    names
}

fn filter(text: &str) -> Filter {
    Filter::parse(text, &names()).expect("a filter")
}

fn selection(text: &str) -> Selection {
    let filter = filter(text);
    let what = if filter.is_about_events() { Selected::Events(filter) } else { Selected::Packets(filter) };
    Selection { name: text.to_owned(), what, at: None, only: Only::All, nth: None }
}

fn nth(text: &str, nth: i32) -> Selection {
    Selection { nth: Some(nth), ..selection(text) }
}

fn only(text: &str, only: Only) -> Selection {
    Selection { only, ..selection(text) }
}

/// A TCP segment from the client (or, with `back`, from the server) of port 40000 to port 9000.
struct Segment {
    back: bool,
    flags: &'static str,
    seq: u32,
    ack: u32,
    payload: usize,
}

impl Segment {
    fn bytes(&self) -> Vec<u8> {
        let (src, dst) = if self.back { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
        let (from, to) = if self.back { (9000, 40000) } else { (40000, 9000) };
        let mut builder = PacketBuilder::ipv4(src, dst, 64).tcp(from, to, self.seq, 65_000);
        for flag in self.flags.chars() {
            builder = match flag {
                'S' => builder.syn(),
                'A' => builder.ack(self.ack),
                'F' => builder.fin(),
                'R' => builder.rst(),
                other => panic!("no flag {other}"),
            };
        }
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &vec![b'x'; self.payload]).expect("a vector takes all");
        bytes
    }
}

fn record(id: u64, at_ms: u64, direction: Direction, bytes: Vec<u8>) -> Record {
    Record {
        at: Instant::from_nanos(at_ms * MS),
        packet: PacketId(id),
        direction,
        medium: Medium::Ip,
        wire_len: bytes.len(),
        bytes: Bytes::from(bytes),
        comments: SmallVec::new(),
    }
}

fn there(flags: &'static str, seq: u32, ack: u32, payload: usize) -> Vec<u8> {
    Segment { back: false, flags, seq, ack, payload }.bytes()
}

fn back(flags: &'static str, seq: u32, ack: u32, payload: usize) -> Vec<u8> {
    Segment { back: true, flags, seq, ack, payload }.bytes()
}

/// What a run left behind: a handshake, three segments of 100 octets of which the second is lost and sent again after
/// a second, and the close.
struct Run {
    client: Vec<Record>,
    server: Vec<Record>,
    journal: Journal,
    ended: Instant,
    clock: Clock,
    /// Later packets of the client that only its file has.
    not_kept: u64,
}

impl Run {
    fn new() -> Run {
        use Direction::{In, Out};
        let (syn, syn_ack, ack) = (there("S", 99, 0, 0), back("SA", 499, 100, 0), there("A", 100, 500, 0));
        let data = [there("A", 100, 500, 100), there("A", 200, 500, 100), there("A", 300, 500, 100)];
        let client = vec![
            record(1, 0, Out, syn.clone()),
            record(2, 40, In, syn_ack.clone()),
            record(3, 40, Out, ack.clone()),
            record(4, 41, Out, data[0].clone()),
            record(5, 42, Out, data[1].clone()),
            record(6, 43, Out, data[2].clone()),
            record(7, 1042, Out, data[1].clone()),
            record(8, 1043, Out, there("FA", 400, 500, 0)),
            record(9, 1083, In, back("FA", 500, 401, 0)),
        ];
        let server = vec![
            record(1, 20, In, syn),
            record(2, 20, Out, syn_ack),
            record(3, 60, In, ack),
            record(4, 61, In, data[0].clone()),
            record(6, 63, In, data[2].clone()),
            record(7, 1062, In, data[1].clone()),
            record(8, 1063, In, there("FA", 400, 500, 0)),
            record(9, 1063, Out, back("FA", 500, 401, 0)),
        ];
        let mut run = Run {
            client,
            server,
            journal: Journal::new(100),
            ended: Instant::from_nanos(1100 * MS),
            clock: Clock::Virtual,
            not_kept: 0,
        };
        run.impaired(42, 5, Impairment::DroppedByRule { rule: "lose-2".to_owned() });
        for number in 1..=3 {
            run.program(41, 0, ProgramEvent::MessageSent { over: TransportKind::Tcp, number });
        }
        for (at, number) in [(61, 1), (1062, 2), (1062, 3)] {
            run.program(at, 1, ProgramEvent::MessageReceived { over: TransportKind::Tcp, number });
        }
        run.program(43, 0, ProgramEvent::StreamSent { bytes: 300, sha256: "abc".to_owned() });
        run.program(1063, 1, ProgramEvent::StreamReceived { bytes: 300, sha256: "abc".to_owned() });
        run
    }

    fn record(&mut self, at_ms: u64, node: u16, event: Event) {
        self.journal.record(Entry { at: Instant::from_nanos(at_ms * MS), node: NodeId(node), event });
    }

    fn impaired(&mut self, at_ms: u64, packet: u64, impairment: Impairment) {
        let event = Event::Impaired { packet: PacketId(packet), link: "client-server".to_owned(), impairment };
        self.record(at_ms, 0, event);
    }

    fn program(&mut self, at_ms: u64, node: u16, report: ProgramEvent) {
        self.record(at_ms, node, Event::Program { program: "test".to_owned(), report });
    }

    fn evidence(&self) -> Evidence<'_> {
        self.evidence_with(Some(&self.journal))
    }

    fn evidence_with<'a>(&'a self, journal: Option<&'a Journal>) -> Evidence<'a> {
        let nodes = [
            NodeSource { name: "client", records: Some(&self.client), not_kept: self.not_kept },
            NodeSource { name: "server", records: Some(&self.server), not_kept: 0 },
        ];
        let link = LinkSource {
            name: "client-server",
            ends: [NodeId(0), NodeId(1)],
            mtu: 1500,
            longest_flight: Duration::from_millis(20),
        };
        Evidence::new(&nodes, &[link], journal, self.ended, self.clock)
    }

    fn judge(&self, question: Question) -> Verdict {
        judge(&check(question), &self.evidence())
    }

    fn integrity(&self, id: &str) -> Verdict {
        let verdicts = integrity(&self.evidence(), Integrity::default());
        verdicts.into_iter().find(|verdict| verdict.id == id).expect("there is such a check")
    }
}

fn check(question: Question) -> Check {
    let words = |text: &str| text.to_owned();
    Check { id: words("id"), that: words("That"), hint: Some(words("Look")), at: NodeId(0), question }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What a verdict says, without the check's own words.
fn told(verdict: &Verdict) -> (Outcome, &str, &[u64], Option<&str>) {
    (verdict.outcome, &verdict.measured, &verdict.packets, verdict.filter.as_deref())
}

const SYN: &str = "tcp.flags.syn == 1 && tcp.flags.ack == 0";
const DATA: &str = "tcp.len > 0";
const SENT: &str = "event.report == \"stream-sent\"";
const RECEIVED: &str = "event.report == \"stream-received\"";

#[test]
fn a_count_passes_and_fails_with_its_packets_and_a_filter_to_paste() {
    let run = Run::new();
    let count = |min, max| Question::Count { of: selection(DATA), must: Bound::Between(min, max) };
    let shown = ([4, 5, 6, 7].as_slice(), Some("tcp.len > 0"));
    assert_eq!(told(&run.judge(count(4, 4))), (Outcome::Pass, "4 packets", shown.0, shown.1));
    let verdict = run.judge(count(1, 1));
    assert_eq!(told(&verdict), (Outcome::Fail, "4 packets; expected 1", shown.0, shown.1));
    assert_eq!((verdict.vantage.as_str(), verdict.hint.as_deref()), ("client", Some("Look")));
    assert_eq!(run.judge(count(5, u64::MAX)).measured, "4 packets; expected at least 5");
    assert_eq!(run.judge(count(0, 3)).measured, "4 packets; expected at most 3");
    assert_eq!(run.judge(count(1, 2)).measured, "4 packets; expected 1 to 2");
    assert_eq!(run.judge(count(4, 4)).hint, None, "a hint is for what does not hold");
}

#[test]
fn a_count_can_be_held_against_another() {
    let run = Run::new();
    let same = |other| Question::Count { of: selection(SYN), must: Bound::SameAs(selection(other)) };
    assert_eq!(run.judge(same("tcp.flags.syn == 1 && tcp.flags.ack == 1")).outcome, Outcome::Pass);
    let measured = run.judge(same("tcp.len > 0")).measured;
    assert_eq!(measured, "1 packet; expected 4, as many as `tcp.len > 0`");
}

#[test]
fn a_selection_looks_where_it_says() {
    let run = Run::new();
    let at_server = Selection { at: Some(NodeId(1)), ..selection(DATA) };
    let verdict = run.judge(Question::Count { of: at_server, must: Bound::Between(3, 3) });
    assert_eq!(told(&verdict), (Outcome::Pass, "3 packets", [4, 5, 6].as_slice(), Some("tcp.len > 0")));
    assert_eq!(verdict.vantage, "server");
}

#[test]
fn repeats_originals_and_drops_are_told_apart() {
    let run = Run::new();
    let packets = |which| {
        let of = only(DATA, which);
        run.judge(Question::Count { of, must: Bound::Between(0, 9) }).packets
    };
    assert_eq!(packets(Only::Repeats), [7]);
    assert_eq!(packets(Only::Originals), [4, 5, 6]);
    assert_eq!(packets(Only::Dropped), [5]);
}

#[test]
fn a_late_segment_is_no_repeat_where_it_arrives_first() {
    let run = Run::new();
    let repeats = Selection { at: Some(NodeId(1)), ..only(DATA, Only::Repeats) };
    assert_eq!(run.judge(Question::Absent { of: repeats }).outcome, Outcome::Pass);
}

#[test]
fn a_rule_selects_what_it_acted_on() {
    let run = Run::new();
    let rule = |id: &str| Selection {
        name: id.to_owned(),
        what: Selected::Rule { id: id.to_owned(), from: NodeId(0) },
        at: None,
        only: Only::All,
        nth: None,
    };
    let verdict = run.judge(Question::Count { of: rule("lose-2"), must: Bound::Between(1, 1) });
    assert_eq!(told(&verdict), (Outcome::Pass, "1 packet", [5].as_slice(), Some("frame.number == 5")));
    assert_eq!(run.judge(Question::Absent { of: rule("lose-9") }).outcome, Outcome::Pass);
    // A router's rule is one, too, and where it is looked for is the sender.
    let mut run = Run::new();
    let passage = Passage::Filtered { rule: Some("no-entry".to_owned()), rejected: false };
    run.record(20, 1, Event::Passage { packet: PacketId(1), passage });
    let verdict = run.judge(Question::Count { of: rule("no-entry"), must: Bound::Between(1, 1) });
    assert_eq!(told(&verdict), (Outcome::Pass, "1 packet", [1].as_slice(), Some("frame.number == 1")));
}

#[test]
fn an_event_is_shown_by_the_first_frame_of_its_packet_where_it_is_looked_for() {
    let mut run = Run::new();
    run.client.push(record(5, 1090, Direction::Out, there("A", 200, 500, 100)));
    let evidence = run.evidence();
    let number = |node, packet| evidence.vantage(NodeId(node)).and_then(|vantage| vantage.number_of(PacketId(packet)));
    assert_eq!([number(0, 5), number(0, 7), number(1, 5), number(1, 7)], [Some(5), Some(7), None, Some(6)]);
    let impaired = Question::Count { of: selection("event.kind == \"impaired\""), must: Bound::Between(1, 1) };
    assert_eq!(run.judge(impaired).packets, [5]);
}

#[test]
fn absence_passes_and_fails() {
    let run = Run::new();
    assert_eq!(run.judge(Question::Absent { of: selection("tcp.flags.reset == 1") }).outcome, Outcome::Pass);
    let verdict = run.judge(Question::Absent { of: selection("tcp.flags.fin == 1") });
    assert_eq!(told(&verdict).1, "2 packets; expected 0");
    assert_eq!(verdict.packets, [8, 9]);
}

#[test]
fn octets_are_summed_over_packets_and_over_events() {
    let run = Run::new();
    let bytes = |text, octets| Question::Bytes { of: selection(text), must: Bound::Between(octets, octets) };
    assert_eq!(run.judge(bytes(DATA, 400)).measured, "400 octets in 4 packets");
    assert_eq!(run.judge(bytes(DATA, 300)).measured, "400 octets in 4 packets; expected 300");
    assert_eq!(run.judge(bytes(SENT, 300)).measured, "300 octets in 1 event");
}

#[test]
fn octets_on_the_wire_are_those_of_payload_and_headers() {
    let run = Run::new();
    let octets = |must| Question::Octets { of: selection(DATA), must };
    assert_eq!(run.judge(octets(Bound::Between(560, 560))).measured, "560 octets on the wire in 4 packets");
    let verdict = run.judge(octets(Bound::SameAs(selection("tcp"))));
    assert_eq!((verdict.outcome, verdict.packets.len()), (Outcome::Fail, 4), "{}", verdict.measured);
    let share = |at_most| Question::Ratio {
        of: Measure::Bytes(selection(DATA)),
        to: Measure::Octets(selection(DATA)),
        at_least: None,
        at_most: Some(Factor::from_thousandths(at_most)),
    };
    assert_eq!(run.judge(share(715)).measured, "0.714");
    assert_eq!(run.judge(share(700)).measured, "0.714; expected at most 0.7");
}

#[test]
fn first_last_and_every_ask_what_a_packet_satisfies() {
    let run = Run::new();
    let of = || selection(DATA);
    let first = |text| run.judge(Question::First { of: of(), satisfies: filter(text) });
    assert_eq!(told(&first("tcp.seq == 1")).0, Outcome::Pass);
    assert_eq!(
        told(&first("tcp.seq == 2")),
        (
            Outcome::Fail,
            "the first of 4 packets does not satisfy `tcp.seq == 2`",
            [4].as_slice(),
            Some("frame.number == 4")
        )
    );
    let last = |text| run.judge(Question::Last { of: of(), satisfies: filter(text) });
    assert_eq!((last("tcp.seq == 101").outcome, last("tcp.seq == 201").outcome), (Outcome::Pass, Outcome::Fail));
    assert_eq!(last("tcp.seq == 201").packets, [7]);
    let every = |text| run.judge(Question::Every { of: of(), satisfies: filter(text) });
    assert_eq!(every("tcp.len == 100").measured, "all of 4 packets satisfy `tcp.len == 100`");
    let failed = every("tcp.seq == 101");
    assert_eq!(failed.measured, "2 of 4 packets do not satisfy `tcp.seq == 101`");
    assert_eq!(told(&failed).3, Some("frame.number in {4, 6}"));
}

#[test]
fn what_needs_a_packet_fails_without_one() {
    let run = Run::new();
    let of = || selection("udp");
    let questions = [
        Question::First { of: of(), satisfies: filter("udp") },
        Question::Last { of: of(), satisfies: filter("udp") },
        Question::Every { of: of(), satisfies: filter("udp") },
        Question::Before { order: vec![selection(SYN), of()] },
        Question::Gap { from: of(), to: selection(SYN), must: TimeBound::default() },
        Question::Equals { member: "tcp.seq".to_owned(), of: vec![selection(SYN), of()] },
        Question::Sorted { of: of(), member: "tcp.seq".to_owned(), is: true },
    ];
    for question in questions {
        let verdict = run.judge(question);
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Fail, "nothing matches `udp`"));
    }
}

#[test]
fn factors_read_as_decimals() {
    for (thousandths, text) in [(1_900, "1.9"), (2_000, "2"), (125, "0.125"), (1_020, "1.02")] {
        assert_eq!(Factor::from_thousandths(thousandths).to_string(), text);
    }
}
