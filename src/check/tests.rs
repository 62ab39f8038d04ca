//! Every kind of check, passing and failing, on evidence built by hand.

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

fn nth(text: &str, nth: u32) -> Selection {
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
fn order_is_that_of_the_capture_even_at_one_instant() {
    let run = Run::new();
    let (syn_ack, ack) = ("tcp.flags == 0x012", "tcp.flags == 0x010 && tcp.len == 0");
    let before =
        |order: &[&str]| run.judge(Question::Before { order: order.iter().map(|text| selection(text)).collect() });
    let right = before(&[SYN, syn_ack, ack, DATA]);
    assert_eq!((right.outcome, right.packets.as_slice()), (Outcome::Pass, [1, 2, 3, 4].as_slice()));
    let wrong = before(&[SYN, ack, syn_ack]);
    assert_eq!(wrong.outcome, Outcome::Fail);
    assert_eq!(
        wrong.measured,
        "`tcp.flags == 0x010 && tcp.len == 0` at 0.040000 s does not come before `tcp.flags == 0x012` at 0.040000 s"
    );
    assert_eq!(before(&[DATA, SENT]).outcome, Outcome::Pass, "packets and events share one timeline");
}

#[test]
fn a_gap_is_measured_from_first_to_first() {
    let run = Run::new();
    let lost = || nth(DATA, 2);
    let again = || only(DATA, Only::Repeats);
    let gap = |must| run.judge(Question::Gap { from: lost(), to: again(), must });
    let passing = [
        TimeBound { more_than: Some(ms(999)), ..TimeBound::default() },
        TimeBound { less_than: Some(ms(1001)), ..TimeBound::default() },
        TimeBound { about: Some(ms(1100)), ..TimeBound::default() },
        TimeBound { is: Some(ms(1000)), ..TimeBound::default() },
    ];
    for must in passing {
        assert_eq!(gap(must).measured, "1s", "{must}");
        assert_eq!(gap(must).outcome, Outcome::Pass, "{must}");
    }
    let failing = [
        TimeBound { more_than: Some(ms(1000)), ..TimeBound::default() },
        TimeBound { less_than: Some(ms(1000)), ..TimeBound::default() },
        TimeBound { about: Some(ms(1200)), ..TimeBound::default() },
        TimeBound { is: Some(ms(1001)), ..TimeBound::default() },
    ];
    for must in failing {
        assert_eq!(gap(must).outcome, Outcome::Fail, "{must}");
        assert_eq!(gap(must).packets, [5, 7], "{must}");
    }
    assert_eq!(gap(failing[0]).measured, "1s; expected more than 1s");
    let backwards = run.judge(Question::Gap { from: again(), to: lost(), must: passing[0] });
    assert!(backwards.measured.contains("comes before"), "{}", backwards.measured);
    assert!(backwards.is_fail());
}

#[test]
fn a_wall_clock_is_granted_slack_above_and_none_below() {
    let run = Run { clock: Clock::Wall, ..Run::new() };
    let gap = |must| run.judge(Question::Gap { from: nth(DATA, 2), to: only(DATA, Only::Repeats), must }).outcome;
    assert_eq!(gap(TimeBound { less_than: Some(ms(900)), ..TimeBound::default() }), Outcome::Pass);
    assert_eq!(gap(TimeBound { less_than: Some(ms(800)), ..TimeBound::default() }), Outcome::Fail);
    assert_eq!(gap(TimeBound { more_than: Some(ms(1000)), ..TimeBound::default() }), Outcome::Fail);
}

#[test]
fn an_exact_time_is_about_that_time_on_a_wall_clock() {
    let run = Run { clock: Clock::Wall, ..Run::new() };
    let is = |milliseconds| {
        let must = TimeBound { is: Some(ms(milliseconds)), ..TimeBound::default() };
        run.judge(Question::Gap { from: nth(DATA, 2), to: only(DATA, Only::Repeats), must }).outcome
    };
    // The gap is 1 s; 15 % both ways.
    assert_eq!([is(860), is(880), is(1170), is(1190)], [Outcome::Fail, Outcome::Pass, Outcome::Pass, Outcome::Fail]);
}

#[test]
fn a_ratio_needs_times_that_are_there_and_run_forwards() {
    let run = Run::new();
    let ratio = |of: Measure, to: Measure| {
        run.judge(Question::Ratio { of, to, at_least: None, at_most: Some(Factor::from_thousandths(2_000)) })
    };
    let whole = || Measure::Gap(selection(SYN), nth(DATA, 1));
    assert_eq!(ratio(whole(), whole()).outcome, Outcome::Pass);
    let missing = || Measure::Gap(selection("udp"), nth(DATA, 1));
    for verdict in [ratio(missing(), whole()), ratio(whole(), missing())] {
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Fail, "nothing matches `udp`"));
    }
    let backwards = ratio(Measure::Gap(nth(DATA, 1), selection(SYN)), whole());
    assert_eq!(backwards.outcome, Outcome::Fail);
    assert!(backwards.measured.contains("comes before"), "{}", backwards.measured);
}

#[test]
fn ratios_are_exact_to_the_thousandth() {
    let run = Run::new();
    let of = Measure::Gap(nth(DATA, 2), only(DATA, Only::Repeats));
    let to = Measure::Gap(nth(DATA, 1), nth(DATA, 2));
    let ratio = |least: u64, most: u64| {
        let (at_least, at_most) = (Some(Factor::from_thousandths(least)), Some(Factor::from_thousandths(most)));
        run.judge(Question::Ratio { of: of.clone(), to: to.clone(), at_least, at_most })
    };
    assert_eq!(told(&ratio(1_000_000, 1_000_000)).1, "1000");
    assert_eq!(ratio(1_000_000, 1_000_000).outcome, Outcome::Pass);
    assert_eq!(ratio(1_000_001, 2_000_000).measured, "1000; expected 1000.001 to 2000");
    let bytes = Question::Ratio {
        of: Measure::Bytes(selection(DATA)),
        to: Measure::Count(selection(SENT)),
        at_least: None,
        at_most: Some(Factor::from_thousandths(400_000)),
    };
    assert_eq!(run.judge(bytes).outcome, Outcome::Pass);
    let by_zero = Question::Ratio {
        of: Measure::Count(selection(DATA)),
        to: Measure::Count(selection("udp")),
        at_least: Some(Factor::from_thousandths(0)),
        at_most: None,
    };
    assert_eq!(run.judge(by_zero).outcome, Outcome::Fail);
}

#[test]
fn members_of_events_and_packets_are_compared() {
    let mut run = Run::new();
    let equals = |member: &str, of: Vec<Selection>| Question::Equals { member: member.to_owned(), of };
    let hashes = || equals("sha256", vec![selection(SENT), selection(RECEIVED)]);
    assert_eq!(told(&run.judge(hashes())).1, "`sha256` is abc in each");
    assert_eq!(run.judge(equals("nothing", vec![selection(SENT), selection(RECEIVED)])).outcome, Outcome::Fail);
    let same_seq = equals("tcp.seq", vec![nth(DATA, 2), only(DATA, Only::Repeats)]);
    assert_eq!(run.judge(same_seq).measured, "`tcp.seq` is 101 in each");
    let one = |text| equals("tcp.seq", vec![selection(text)]);
    assert_eq!(run.judge(one("tcp.seq == 101")).outcome, Outcome::Pass);
    assert_eq!(
        run.judge(one(DATA)).measured,
        "`tcp.seq` is 1, 101, 201, … (4 in all) in `tcp.len > 0`; expected the same in each"
    );
    run.program(1064, 1, ProgramEvent::StreamReceived { bytes: 300, sha256: "abd".to_owned() });
    let differing = run.judge(hashes());
    assert_eq!(differing.outcome, Outcome::Fail);
    assert!(differing.measured.starts_with("`sha256` is abc in "), "{}", differing.measured);
}

#[test]
fn order_among_numbers_is_claimed_or_denied() {
    let mut run = Run::new();
    let sorted = |is| Question::Sorted {
        of: selection("event.report == \"message-received\""),
        member: "number".to_owned(),
        is,
    };
    assert_eq!(run.judge(sorted(true)).measured, "`number` rises through all 3");
    assert_eq!(run.judge(sorted(false)).outcome, Outcome::Fail);
    run.program(1070, 1, ProgramEvent::MessageReceived { over: TransportKind::Tcp, number: 2 });
    assert_eq!(run.judge(sorted(true)).measured, "`number` 2 comes after 3; expected only rising ones");
    assert_eq!(run.judge(sorted(false)).outcome, Outcome::Pass);
}

#[test]
fn a_plain_capture_leaves_questions_about_events_open() {
    let run = Run::new();
    let evidence = run.evidence_with(None);
    let about_events = check(Question::Count { of: selection(SENT), must: Bound::Between(1, 1) });
    assert!(about_events.needs_journal());
    let verdict = judge(&about_events, &evidence);
    assert_eq!(told(&verdict).1, "needs the journal of a run; a capture alone does not tell");
    assert_eq!(verdict.outcome, Outcome::Unknown);
    let about_packets = check(Question::Count { of: selection(DATA), must: Bound::Between(4, 4) });
    assert!(!about_packets.needs_journal());
    assert_eq!(judge(&about_packets, &evidence).outcome, Outcome::Pass);
}

#[test]
fn a_node_that_was_not_captured_leaves_questions_about_it_open() {
    let run = Run::new();
    let nodes = [
        NodeSource { name: "client", records: Some(&run.client), not_kept: 0 },
        NodeSource { name: "server", records: None, not_kept: 0 },
    ];
    let evidence = Evidence::new(&nodes, &[], Some(&run.journal), run.ended, run.clock);
    let at_server = Selection { at: Some(NodeId(1)), ..selection(DATA) };
    let verdict = judge(&check(Question::Absent { of: at_server }), &evidence);
    assert_eq!(told(&verdict).1, "needs the capture of server, which is not there");
    assert_eq!(verdict.outcome, Outcome::Unknown);
}

const CUT: &str = "only the first 9 packets of client were kept for judging, not the 3 after them";

#[test]
fn what_packets_that_were_not_kept_could_change_stays_open() {
    let run = Run { not_kept: 3, ..Run::new() };
    let of = || selection(DATA);
    let count = |min, max| Question::Count { of: of(), must: Bound::Between(min, max) };
    let open = [
        Question::Absent { of: selection("udp") },
        count(4, 4),
        count(5, u64::MAX),
        Question::Count { of: of(), must: Bound::SameAs(of()) },
        Question::Bytes { of: of(), must: Bound::Between(0, 400) },
        Question::Octets { of: of(), must: Bound::Between(0, 560) },
        Question::First { of: selection("udp"), satisfies: filter("udp") },
        Question::Last { of: of(), satisfies: filter("tcp") },
        Question::Every { of: of(), satisfies: filter("tcp") },
        Question::Every { of: selection("udp"), satisfies: filter("tcp") },
        Question::Before { order: vec![of(), selection("udp")] },
        Question::Gap { from: of(), to: nth(DATA, 5), must: TimeBound::default() },
        Question::Ratio { of: Measure::Count(of()), to: Measure::Count(of()), at_least: None, at_most: None },
        Question::Equals { member: "tcp.len".to_owned(), of: vec![of()] },
        Question::Sorted { of: nth(DATA, 9), member: "tcp.seq".to_owned(), is: true },
        Question::Sorted { of: selection(SYN), member: "tcp.seq".to_owned(), is: true },
    ];
    for question in open {
        let verdict = run.judge(question.clone());
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Unknown, CUT), "{question:?}");
    }
}

#[test]
fn what_packets_that_were_not_kept_cannot_change_is_judged() {
    let run = Run { not_kept: 3, ..Run::new() };
    let of = || selection(DATA);
    let count = |min, max| Question::Count { of: of(), must: Bound::Between(min, max) };
    let at_server = Selection { at: Some(NodeId(1)), ..selection("udp") };
    let settled = [
        (count(1, u64::MAX), Outcome::Pass),
        (count(0, 3), Outcome::Fail),
        (Question::Count { of: nth(DATA, 2), must: Bound::Between(1, 1) }, Outcome::Pass),
        (Question::Absent { of: of() }, Outcome::Fail),
        (Question::Absent { of: at_server }, Outcome::Pass),
        (Question::First { of: of(), satisfies: filter("tcp.seq == 1") }, Outcome::Pass),
        (Question::Every { of: of(), satisfies: filter("tcp.seq == 1") }, Outcome::Fail),
        (Question::Before { order: vec![selection(SYN), of()] }, Outcome::Pass),
        (Question::Gap { from: selection(SYN), to: nth(DATA, 4), must: TimeBound::default() }, Outcome::Pass),
        (Question::Sorted { of: of(), member: "tcp.seq".to_owned(), is: true }, Outcome::Fail),
        (Question::Count { of: selection(SENT), must: Bound::Between(1, 1) }, Outcome::Pass),
    ];
    for (question, outcome) in settled {
        let verdict = run.judge(question.clone());
        assert_eq!(verdict.outcome, outcome, "{question:?}: {}", verdict.measured);
    }
}

#[test]
fn what_forgotten_lines_of_the_journal_could_change_stays_open() {
    let mut run = Run::new();
    run.journal = Journal::new(1);
    run.impaired(1, 1, Impairment::Lost);
    run.program(43, 0, ProgramEvent::StreamSent { bytes: 300, sha256: "abc".to_owned() });
    let dropped = || only("tcp", Only::Dropped);
    let open = [
        Question::Absent { of: selection(RECEIVED) },
        Question::Count { of: selection(SENT), must: Bound::Between(1, 1) },
        Question::Count { of: nth(SENT, 1), must: Bound::Between(1, 1) },
        Question::First { of: selection(SENT), satisfies: filter(SENT) },
        Question::Absent { of: dropped() },
        Question::Gap { from: selection(SYN), to: selection(SENT), must: TimeBound::default() },
    ];
    for question in open {
        let verdict = run.judge(question.clone());
        assert_eq!(verdict.outcome, Outcome::Unknown, "{question:?}: {}", verdict.measured);
        assert_eq!(verdict.measured, "the journal has forgotten its oldest lines, 1 in all");
    }
    let one_at_least = Question::Count { of: selection(SENT), must: Bound::Between(1, u64::MAX) };
    assert_eq!(run.judge(one_at_least).outcome, Outcome::Pass);
    assert_eq!(run.judge(Question::Absent { of: selection("udp") }).outcome, Outcome::Pass, "packets are all there");
}

#[test]
fn integrity_is_open_where_packets_were_not_kept_unless_it_is_broken() {
    let mut run = Run { not_kept: 3, ..Run::new() };
    for verdict in integrity(&run.evidence(), Integrity::default()) {
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Unknown, CUT), "{}", verdict.id);
    }
    run.client.insert(3, record(10, 40, Direction::In, back("RA", 501, 401, 1461)));
    assert_eq!(run.integrity("within-mtu").outcome, Outcome::Fail);
    assert_eq!(run.integrity("no-unexplained-reset").outcome, Outcome::Fail);
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Unknown);
}

#[test]
fn a_clean_run_has_integrity() {
    let verdicts = integrity(&Run::new().evidence(), Integrity::default());
    assert_eq!(verdicts.iter().map(|verdict| verdict.id.as_str()).collect::<Vec<_>>(), INTEGRITY_IDS);
    for verdict in verdicts {
        assert_eq!(verdict.outcome, Outcome::Pass, "{}: {}", verdict.id, verdict.measured);
    }
}

#[test]
fn nothing_captured_is_no_integrity() {
    let run = Run { client: Vec::new(), server: Vec::new(), ..Run::new() };
    for verdict in integrity(&run.evidence(), Integrity::default()) {
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Unknown, "nothing was captured"));
    }
}

#[test]
fn a_bad_checksum_is_found_unless_a_link_made_it() {
    let mut run = Run::new();
    let mut bytes = run.server[3].bytes.to_vec();
    bytes[45] ^= 1;
    run.server[3].bytes = bytes.into();
    let verdict = run.integrity("checksums-good");
    assert_eq!((verdict.outcome, verdict.vantage.as_str()), (Outcome::Fail, "server"));
    assert_eq!(verdict.packets, [4]);
    run.impaired(41, 4, Impairment::Corrupted { rule: None, octet: 45 });
    assert_eq!(run.integrity("checksums-good").outcome, Outcome::Pass);
}

#[test]
fn a_packet_over_the_mtu_is_found() {
    let mut run = Run::new();
    run.client.push(record(10, 1090, Direction::In, back("A", 501, 401, 1461)));
    let verdict = run.integrity("within-mtu");
    assert_eq!((verdict.outcome, verdict.packets.as_slice()), (Outcome::Fail, [10].as_slice()));
    run.client.pop();
    run.client.push(record(10, 1090, Direction::In, back("A", 501, 401, 1460)));
    assert_eq!(run.integrity("within-mtu").outcome, Outcome::Pass);
}

#[test]
fn a_packet_that_vanishes_needs_a_cause() {
    let mut run = Run::new();
    run.server.remove(3);
    let verdict = run.integrity("drops-explained");
    assert_eq!((verdict.outcome, verdict.packets.as_slice()), (Outcome::Fail, [4].as_slice()));
    run.impaired(41, 4, Impairment::Lost);
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Pass);
    run.client.push(record(10, 1085, Direction::Out, there("A", 401, 501, 0)));
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Pass, "the last one may still be under way");
    run.ended = Instant::from_nanos(1200 * MS);
    assert_eq!(run.integrity("drops-explained").packets, [10]);
}

#[test]
fn a_journal_that_forgets_cannot_explain_every_drop() {
    let mut run = Run::new();
    run.journal = Journal::new(1);
    run.impaired(1, 1, Impairment::Lost);
    run.impaired(1, 1, Impairment::Lost);
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Unknown);
}

#[test]
fn a_connection_that_begins_without_a_syn_is_found() {
    let mut run = Run::new();
    run.client.remove(0);
    assert_eq!(run.integrity("handshake-captured").outcome, Outcome::Pass, "a SYN,ACK still shows the opening");
    run.client.remove(0);
    assert_eq!(run.integrity("handshake-captured").packets, [1]);
}

#[test]
fn a_reset_needs_a_lab_that_speaks_of_it() {
    let mut run = Run::new();
    // Without its FIN, the client would have gone on.
    run.client.remove(7);
    run.client.push(record(10, 1090, Direction::In, back("RA", 501, 400, 0)));
    assert_eq!(run.integrity("no-unexplained-reset").packets, [9]);
    let expecting = integrity(&run.evidence(), Integrity { expects_resets: true });
    assert!(expecting.iter().all(|verdict| verdict.outcome == Outcome::Pass || verdict.id == "drops-explained"));
}

#[test]
fn a_reset_harms_no_connection_that_both_ends_have_ended() {
    let mut run = Run::new();
    // A late copy of the FIN has met a server that has forgotten the connection.
    run.client.push(record(10, 1090, Direction::In, back("R", 501, 0, 0)));
    assert_eq!(run.integrity("no-unexplained-reset").outcome, Outcome::Pass);
    run.client.push(record(11, 1091, Direction::Out, there("S", 900, 0, 0)));
    run.client.push(record(12, 1092, Direction::In, back("RA", 0, 901, 0)));
    assert_eq!(run.integrity("no-unexplained-reset").packets, [12], "the same ports, but a new connection");
}

#[test]
fn factors_read_as_decimals() {
    for (thousandths, text) in [(1_900, "1.9"), (2_000, "2"), (125, "0.125"), (1_020, "1.02")] {
        assert_eq!(Factor::from_thousandths(thousandths).to_string(), text);
    }
}

/// Client, router, server; the router passed on one packet whole and one in two pieces, and has sent one of its own.
fn routed(change: impl FnOnce(&mut Vec<(u64, Event)>, &mut [Vec<Record>; 3])) -> [Outcome; 2] {
    use Direction::{In, Out};
    let forwarded = |packet, link: &str| Event::Forwarded { packet: PacketId(packet), link: link.to_owned() };
    let passage = |packet, passage| Event::Passage { packet: PacketId(packet), passage };
    let long = || there("A", 100, 500, 1400);
    let mut records = [
        vec![record(1, 0, Out, there("S", 99, 0, 0)), record(2, 1, Out, long()), record(5, 3, In, back("A", 1, 1, 0))],
        vec![record(1, 1, In, there("S", 99, 0, 0)), record(2, 2, In, long()), record(5, 2, Out, back("A", 1, 1, 0))],
        vec![
            record(1, 2, In, there("S", 98, 0, 0)),
            record(3, 3, In, there("A", 100, 500, 900)),
            record(4, 3, In, there("A", 1000, 500, 500)),
        ],
    ];
    let mut events = vec![
        (1, forwarded(1, "router-server")),
        (2, passage(3, Passage::Piece { original: PacketId(2) })),
        (2, forwarded(3, "router-server")),
        (2, passage(4, Passage::Piece { original: PacketId(2) })),
        (2, forwarded(4, "router-server")),
        (2, forwarded(5, "client-router")),
    ];
    change(&mut events, &mut records);
    let mut journal = Journal::new(100);
    for (at, event) in events {
        journal.record(Entry { at: Instant::from_nanos(at * MS), node: NodeId(1), event });
    }
    let names = ["client", "router", "server"];
    let source = |index: usize| NodeSource { name: names[index], records: Some(&records[index]), not_kept: 0 };
    let link = |name, ends: [u16; 2], mtu| LinkSource { name, ends: ends.map(NodeId), mtu, longest_flight: ms(1) };
    let links = [link("client-router", [0, 1], 1500), link("router-server", [1, 2], 1000)];
    let ended = Instant::ZERO + Duration::from_secs(60);
    let evidence = Evidence::new(&[source(0), source(1), source(2)], &links, Some(&journal), ended, Clock::Virtual);
    let verdicts = integrity(&evidence, Integrity::default());
    ["within-mtu", "drops-explained"]
        .map(|id| verdicts.iter().find(|verdict| verdict.id == id).expect("it is there").outcome)
}

#[test]
fn what_a_router_passes_on_is_followed_link_by_link() {
    use Outcome::{Fail, Pass};
    assert_eq!(routed(|_, _| {}), [Pass, Pass]);
    assert_eq!(routed(|_, records| drop(records[2].remove(0))), [Pass, Fail], "it was passed on and did not arrive");
    assert_eq!(routed(|_, records| drop(records[2].remove(2))), [Pass, Fail], "a piece did not arrive");
    assert_eq!(routed(|_, records| drop(records[0].pop())), [Pass, Fail], "the router's own did not arrive");
    assert_eq!(routed(|events, _| drop(events.remove(0))), [Pass, Fail], "nobody says what became of it");
    let told = |event| move |events: &mut Vec<(u64, Event)>, _: &mut [Vec<Record>; 3]| events[0].1 = event;
    let packet = PacketId(1);
    assert_eq!(routed(told(Event::PacketDropped { packet, reason: DropReason::NoRoute })), [Pass, Pass]);
    assert_eq!(routed(told(Event::Passage { packet, passage: Passage::Taken })), [Pass, Pass]);
    let waits = Passage::AwaitsNeighbour { neighbour: [10, 0, 0, 9].into() };
    assert_eq!(routed(told(Event::Passage { packet, passage: waits })), [Pass, Fail], "for a minute");
    let wide = |_: &mut Vec<(u64, Event)>, records: &mut [Vec<Record>; 3]| {
        records[2][1] = record(3, 3, Direction::In, there("A", 100, 500, 961));
    };
    assert_eq!(routed(wide), [Fail, Pass], "longer than the second link takes");
}
