//! Ladders of hand-built scenes: two hosts, a wire of 10 ms, and what goes wrong on it.

mod rows;

use smallvec::SmallVec;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::text::width;
use super::*;
use crate::capture::{Direction, Remark};
use crate::journal::{CwndCause, DropReason, Event, Impairment, LossRule, Reason, SocketId, TcpState, Timer, Why};
use crate::packet::{Medium, PacketId, SeqNum, dissect::TcpFlags};
use crate::time::Instant;

const CLIENT: NodeId = NodeId(0);
const SERVER: NodeId = NodeId(1);
const CLIENT_ISS: u32 = 305_419_896;
const SERVER_ISS: u32 = 2_596_069_104;
const DELAY: u64 = 10_000;

/// What becomes of a packet.
enum Fate {
    Arrives,
    Dropped(Impairment),
    Impaired(Impairment),
    Refused(DropReason),
}

/// Two captures and a journal in the making. Times are in microseconds.
#[derive(Default)]
struct Scene {
    client: Vec<Record>,
    server: Vec<Record>,
    entries: Vec<Entry>,
    packets: u64,
}

/// A change of state; a ladder finds its segment by when it happened.
fn state(socket: u64, from: TcpState, to: TcpState) -> Event {
    let ends = |node: u8| std::net::SocketAddr::from(([10, 0, 0, node], 80));
    Event::State { socket: SocketId(socket), local: ends(1), remote: ends(2), from, to }
}

fn at(micros: u64) -> Instant {
    Instant::from_nanos(micros * 1_000)
}

impl Scene {
    /// Sends a packet; `why` of `None` is a kernel, which gives no reasons.
    fn send(&mut self, micros: u64, from: NodeId, bytes: Vec<u8>, why: Option<Reason>, fate: Fate) -> PacketId {
        self.packets += 1;
        let packet = PacketId(self.packets);
        let arrival = micros + DELAY;
        let medium = if bytes.first() == Some(&0xff) { Medium::Ethernet } else { Medium::Ip };
        let to = if from == CLIENT { SERVER } else { CLIENT };
        let mut comments = SmallVec::new();
        if let Some(reason) = why {
            comments.push(Remark::Why(Why::of(reason)));
            self.tell(micros, from, Event::PacketSent { packet, why: Why::of(reason) });
        }
        let dropped = matches!(fate, Fate::Dropped(_));
        if let Fate::Dropped(impairment) | Fate::Impaired(impairment) = &fate {
            comments.push(Remark::Impaired(impairment.clone()));
            let link = "client-server".to_owned();
            self.tell(micros, from, Event::Impaired { packet, link, impairment: impairment.clone() });
        }
        let wire_len = bytes.len();
        let record = Record {
            at: at(micros),
            packet,
            direction: Direction::Out,
            medium,
            bytes: bytes.into(),
            wire_len,
            comments,
        };
        self.records(from).push(record.clone());
        if !dropped {
            let record = Record { at: at(arrival), direction: Direction::In, comments: SmallVec::new(), ..record };
            self.records(to).push(record);
            self.tell(arrival, to, Event::PacketArrived { packet });
        }
        if let Fate::Refused(reason) = fate {
            self.tell(arrival, to, Event::PacketDropped { packet, reason });
        }
        packet
    }

    fn records(&mut self, node: NodeId) -> &mut Vec<Record> {
        if node == CLIENT { &mut self.client } else { &mut self.server }
    }

    fn tell(&mut self, micros: u64, node: NodeId, event: Event) {
        self.entries.push(Entry { at: at(micros), node, event });
    }

    fn state(&mut self, micros: u64, node: NodeId, to: TcpState) {
        self.tell(micros, node, state(1, TcpState::Closed, to));
    }

    /// Records and journal in the order of time.
    fn settle(&mut self) {
        self.client.sort_by_key(|record| record.at);
        self.server.sort_by_key(|record| record.at);
        self.entries.sort_by_key(|entry| entry.at);
    }

    fn draw_at(&self, vantage: Side, style: Style) -> String {
        let entries: Vec<&Entry> = self.entries.iter().collect();
        let (near, far) = match vantage {
            Side::Left => (&self.client, &self.server),
            Side::Right => (&self.server, &self.client),
        };
        let ends =
            Ends { left: Lane { name: "client", node: CLIENT }, right: Lane { name: "server", node: SERVER }, vantage };
        let scene =
            Ladder { records: near, far_records: Some(far), entries: &entries, ends: Some(ends), name_of: &name_of };
        checked(ladder(&scene, &style), style)
    }

    fn draw(&self, style: Style) -> String {
        self.draw_at(Side::Left, style)
    }

    /// As a stranger sees the client's capture: no journal, no names, no ends.
    fn draw_foreign(&self, style: Style, with_comments: bool) -> String {
        let mut records = self.client.clone();
        for record in &mut records {
            record.packet = PacketId(0);
            if !with_comments {
                record.comments.clear();
            }
        }
        let scene = Ladder { records: &records, far_records: None, entries: &[], ends: None, name_of: &|_| None };
        checked(ladder(&scene, &style), style)
    }
}

/// The text, once no line of it is too wide or ends in a blank.
fn checked(text: String, style: Style) -> String {
    for line in text.lines() {
        assert!(width(line) <= style.width || style.color, "{} columns: {line}\n{text}", width(line));
        assert_eq!(line, line.trim_end());
        assert!(line.is_ascii() || !style.ascii, "{line}");
    }
    text
}

fn name_of(address: IpAddr) -> Option<String> {
    match address.to_string().as_str() {
        "10.0.0.1" => Some("client".to_owned()),
        "10.0.0.2" => Some("server".to_owned()),
        _ => None,
    }
}

/// A segment with sequence and acknowledgment numbers relative to the initial ones.
fn tcp(from: NodeId, flags: TcpFlags, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let (src, dst, ports, own, other) = if from == CLIENT {
        ([10, 0, 0, 1], [10, 0, 0, 2], (49_152, 80), CLIENT_ISS, SERVER_ISS)
    } else {
        ([10, 0, 0, 2], [10, 0, 0, 1], (80, 49_152), SERVER_ISS, CLIENT_ISS)
    };
    let mut builder =
        etherparse::PacketBuilder::ipv4(src, dst, 64).tcp(ports.0, ports.1, own.wrapping_add(seq), 64_240);
    let with = |flag: TcpFlags| flags.contains(flag);
    if with(TcpFlags::ACK) {
        builder = builder.ack(other.wrapping_add(ack));
    }
    builder = if with(TcpFlags::SYN) { builder.syn() } else { builder };
    builder = if with(TcpFlags::FIN) { builder.fin() } else { builder };
    builder = if with(TcpFlags::RST) { builder.rst() } else { builder };
    builder = if with(TcpFlags::PSH) { builder.psh() } else { builder };
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).expect("a vector takes a packet");
    bytes
}

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const SYN_ACK: TcpFlags = TcpFlags(0x12);
const PSH_ACK: TcpFlags = TcpFlags(0x18);
const FIN_ACK: TcpFlags = TcpFlags(0x11);
const RST: TcpFlags = TcpFlags::RST;

fn handshake(scene: &mut Scene) {
    scene.state(0, CLIENT, TcpState::SynSent);
    scene.send(0, CLIENT, tcp(CLIENT, SYN, 0, 0, b""), Some(Reason::ActiveOpen), Fate::Arrives);
    scene.state(10_000, SERVER, TcpState::SynReceived);
    scene.send(10_000, SERVER, tcp(SERVER, SYN_ACK, 0, 1, b""), Some(Reason::AnswerOpen), Fate::Arrives);
    scene.state(20_000, CLIENT, TcpState::Established);
    scene.send(20_000, CLIENT, tcp(CLIENT, ACK, 1, 1, b""), Some(Reason::CompleteOpen), Fate::Arrives);
    scene.state(30_000, SERVER, TcpState::Established);
}

/// Opens, sends a request that is lost once and answered, and closes.
fn lossy_conversation() -> Scene {
    let mut scene = Scene::default();
    handshake(&mut scene);
    let request = || tcp(CLIENT, PSH_ACK, 1, 1, b"GET / HTTP/1.1\r\nHost: server\r\n\r\n");
    let by_rule = Impairment::DroppedByRule { rule: "lose-first-data".to_owned() };
    scene.send(20_100, CLIENT, request(), Some(Reason::NewData), Fate::Dropped(by_rule));
    let rto = Duration::from_secs(1);
    let again = Some(Reason::RetransmitByTimer { nth: 1, rto });
    scene.send(1_020_100, CLIENT, request(), again, Fate::Arrives);
    scene.send(
        1_030_100,
        SERVER,
        tcp(SERVER, ACK, 1, 33, b""),
        Some(Reason::Acknowledge),
        Fate::Dropped(Impairment::Lost),
    );
    let page = || tcp(SERVER, PSH_ACK, 1, 33, &[0; 1400]);
    scene.send(1_030_200, SERVER, page(), Some(Reason::NewData), Fate::Arrives);
    scene.send(1_040_200, CLIENT, tcp(CLIENT, ACK, 33, 1401, b""), Some(Reason::Acknowledge), Fate::Arrives);
    scene.state(1_041_000, CLIENT, TcpState::FinWait1);
    scene.send(1_041_000, CLIENT, tcp(CLIENT, FIN_ACK, 33, 1401, b""), Some(Reason::Close), Fate::Arrives);
    scene.state(1_051_000, SERVER, TcpState::CloseWait);
    scene.state(1_051_000, SERVER, TcpState::LastAck);
    scene.send(1_051_000, SERVER, tcp(SERVER, FIN_ACK, 1401, 34, b""), Some(Reason::Close), Fate::Arrives);
    scene.state(1_061_000, CLIENT, TcpState::TimeWait);
    let last = Some(Reason::AcknowledgeClose);
    scene.send(1_061_000, CLIENT, tcp(CLIENT, ACK, 34, 1402, b""), last, Fate::Arrives);
    scene.state(1_071_000, SERVER, TcpState::Closed);
    scene.settle();
    scene
}

#[test]
fn a_lossy_conversation_at_80_columns() {
    insta::assert_snapshot!(lossy_conversation().draw(Style::plain(80)));
}

#[test]
fn a_lossy_conversation_at_120_columns() {
    insta::assert_snapshot!(lossy_conversation().draw(Style::plain(120)));
}
#[test]
fn a_strangers_capture_is_read_from_its_packets_alone() {
    insta::assert_snapshot!(lossy_conversation().draw_foreign(Style::plain(100), false));
}

#[test]
fn a_strangers_comments_take_the_place_of_the_journal() {
    let text = lossy_conversation().draw_foreign(Style::plain(120), true);
    assert!(text.contains("✗              │  new data · dropped by rule lose-first-data"), "{text}");
    assert!(text.contains("├═ PSH,ACK seq=1"), "{text}");
    assert!(text.contains("sent again (1): no ACK came within"), "{text}");
}

#[test]
fn from_the_server_the_lost_request_has_a_row_without_a_number() {
    insta::assert_snapshot!(lossy_conversation().draw_at(Side::Right, Style::plain(80)));
}

#[test]
fn ascii_style_has_the_same_rows() {
    insta::assert_snapshot!(lossy_conversation().draw(Style { ascii: true, ..Style::plain(80) }));
}

#[test]
fn colour_adds_nothing_but_colour() {
    let scene = lossy_conversation();
    let mut plain = String::new();
    let mut rest = scene.draw(Style { color: true, ..Style::plain(100) });
    while let Some(start) = rest.find('\x1b') {
        let end = start + rest[start..].find('m').expect("a colour ends with m");
        plain.push_str(&rest[..start]);
        rest = rest[end + 1..].to_owned();
    }
    plain.push_str(&rest);
    assert_eq!(plain, scene.draw(Style::plain(100)));
}

#[test]
fn verbose_shows_windows_and_repeats_sections() {
    let text = lossy_conversation().draw(Style { verbose: true, ..Style::plain(120) });
    assert!(text.contains("ACK seq=1 ack=1 win=64240"), "{text}");
    assert_eq!(text.matches("[RFC 9293 §3.5]").count(), 3, "{text}");
}

/// A loss, and what both stacks made of it.
fn explained() -> Scene {
    let mut scene = Scene::default();
    handshake(&mut scene);
    let (socket, ms) = (SocketId(1), Duration::from_millis);
    let round_trip = Event::RoundTrip { socket, rtt: ms(20), srtt: ms(20), rttvar: ms(10), rto: ms(220) };
    scene.tell(20_000, CLIENT, round_trip);
    let cause = CwndCause::Initial;
    scene.tell(20_000, CLIENT, Event::CongestionWindow { socket, cwnd: 14_600, ssthresh: u32::MAX, cause });
    let timer = Timer::Retransmission;
    scene.tell(30_000, CLIENT, Event::TimerSet { socket, timer, due: at(250_000) });
    let data = |seq| tcp(CLIENT, ACK, seq, 1, &[7; 100]);
    scene.send(30_000, CLIENT, data(1), Some(Reason::NewData), Fate::Dropped(Impairment::Lost));
    scene.send(31_000, CLIENT, data(101), Some(Reason::NewData), Fate::Arrives);
    let hole = Event::Hole { socket, seq: SeqNum(CLIENT_ISS) + 1, length: 100 };
    scene.tell(41_000, SERVER, hole.clone());
    scene.send(32_000, CLIENT, data(201), Some(Reason::NewData), Fate::Arrives);
    // The same hole once more is no news.
    scene.tell(42_000, SERVER, hole);
    scene.send(41_000, SERVER, tcp(SERVER, ACK, 1, 1, b""), Some(Reason::DuplicateAck), Fate::Arrives);
    scene.tell(51_000, CLIENT, Event::DuplicateAck { socket, ack: SeqNum(CLIENT_ISS) + 1, count: 1 });
    scene.tell(250_000, CLIENT, Event::TimerFired { socket, timer });
    let cause = CwndCause::Timeout;
    scene.tell(250_000, CLIENT, Event::CongestionWindow { socket, cwnd: 1_460, ssthresh: 2_920, cause });
    scene.send(250_000, CLIENT, data(1), Some(Reason::RetransmitByTimer { nth: 1, rto: ms(220) }), Fate::Arrives);
    scene.tell(260_000, SERVER, Event::Hole { socket, seq: SeqNum(CLIENT_ISS) + 301, length: 0 });
    scene.send(260_000, SERVER, tcp(SERVER, ACK, 1, 301, b""), Some(Reason::Acknowledge), Fate::Arrives);
    scene.tell(270_000, CLIENT, Event::TimerStopped { socket, timer });
    scene.tell(270_000, CLIENT, Event::SendWindow { socket, snd_wnd: 0, ack: SeqNum(CLIENT_ISS) + 301 });
    scene.settle();
    scene
}

#[test]
fn verbose_shows_what_stacks_have_learnt_at_80_columns() {
    insta::assert_snapshot!(explained().draw(Style { verbose: true, ..Style::plain(80) }));
}

#[test]
fn verbose_shows_what_stacks_have_learnt_at_120_columns() {
    insta::assert_snapshot!(explained().draw(Style { verbose: true, ..Style::plain(120) }));
}

/// The sender finds its own octets lost when a packet of the peer comes in, whose numbers count another stream.
#[test]
fn what_is_lost_is_told_by_its_place_in_the_stream_of_who_sent_it() {
    let mut scene = explained();
    let (socket, rule) = (SocketId(1), LossRule::Rack);
    scene.tell(51_000, CLIENT, Event::Lost { socket, seq: SeqNum(CLIENT_ISS) + 1, length: 100, rule });
    scene.settle();
    let text = scene.draw(Style { verbose: true, ..Style::plain(120) });
    assert!(text.contains("100 octets lost from 1 "), "{text}");
    assert!(text.contains("100 octets missing from 1 "), "{text}");
}

#[test]
fn what_stacks_have_learnt_is_kept_from_those_who_do_not_ask() {
    let text = explained().draw(Style::plain(120));
    assert!(!text.contains("RTT") && !text.contains("timer due") && !text.contains("missing from"), "{text}");
}

#[test]
fn selective_acknowledgments_stand_on_the_arrow_as_far_as_there_is_room() {
    let mut scene = Scene::default();
    handshake(&mut scene);
    let data = |seq| tcp(CLIENT, ACK, seq, 1, &[7; 100]);
    for seq in [1, 201, 401] {
        scene.send(30_000, CLIENT, data(seq), None, Fate::Arrives);
    }
    let first = CLIENT_ISS.wrapping_add(401);
    let blocks = [Some((first, first + 100)), Some((first - 200, first - 100)), None];
    let sack = etherparse::TcpOptionElement::SelectiveAcknowledgement(
        blocks[0].expect("the first is there"),
        [blocks[1], blocks[2], None],
    );
    let mut bytes = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64);
    let builder = builder.tcp(80, 49_152, SERVER_ISS + 1, 64_240).ack(CLIENT_ISS.wrapping_add(101));
    let builder = builder.options(&[sack]).expect("it fits");
    builder.write(&mut bytes, b"").expect("a vector takes a packet");
    scene.send(41_000, SERVER, bytes, None, Fate::Arrives);
    scene.settle();
    for (width, label) in [(80, "ACK seq=1 ack=101 sack=401-501,+1"), (120, "ACK seq=1 ack=101 sack=401-501,201-301")] {
        let text = scene.draw(Style::plain(width));
        assert!(text.contains(label), "{text}");
    }
}

fn udp(from: NodeId, payload: &[u8]) -> Vec<u8> {
    let (src, dst) = if from == CLIENT { ([10, 0, 0, 1], [10, 0, 0, 2]) } else { ([10, 0, 0, 2], [10, 0, 0, 1]) };
    let ports = if from == CLIENT { (40_000, 7) } else { (7, 40_000) };
    let mut bytes = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4(src, dst, 64).udp(ports.0, ports.1);
    builder.write(&mut bytes, payload).expect("a vector takes a packet");
    bytes
}

/// An ARP message in an Ethernet frame to everybody, so that it begins with 0xff.
fn arp(operation: u8, sender: u8, target: u8) -> Vec<u8> {
    let mac = |host: u8| [2, 0, 0, 0, 0, host];
    let ip = |host: u8| [10, 0, 0, host];
    let head = [0, 1, 8, 0, 6, 4, 0, operation];
    let link = [&[0xff; 6][..], &mac(sender), &[8, 6]].concat();
    [&link[..], &head, &mac(sender), &ip(sender), &mac(target), &ip(target)].concat()
}

/// Address resolution, then datagrams: one held, one copied, one corrupted, and a port that nobody listens on.
fn datagrams() -> Scene {
    let mut scene = Scene::default();
    scene.send(0, CLIENT, arp(1, 1, 2), Some(Reason::AddressRequest), Fate::Arrives);
    scene.send(10_000, SERVER, arp(2, 2, 1), Some(Reason::AddressReply), Fate::Arrives);
    let datagram = Some(Reason::Datagram);
    let held = Impairment::Held { rule: None, packets: 1 };
    scene.send(30_000, CLIENT, udp(CLIENT, b"message 1"), datagram, Fate::Impaired(held));
    let original = scene.send(31_000, CLIENT, udp(CLIENT, b"message 2"), datagram, Fate::Arrives);
    let copied = Impairment::Duplicated { rule: Some("twice".to_owned()), original };
    scene.packets += 1;
    let copy = PacketId(scene.packets);
    scene.tell(31_000, CLIENT, Event::Impaired { packet: copy, link: "client-server".to_owned(), impairment: copied });
    let bytes = udp(CLIENT, b"message 2");
    let wire_len = bytes.len();
    scene.server.push(Record {
        at: at(41_500),
        packet: copy,
        direction: Direction::In,
        medium: Medium::Ip,
        bytes: bytes.into(),
        wire_len,
        comments: SmallVec::new(),
    });
    scene.send(52_000, SERVER, udp(SERVER, &[0; 9]), datagram, Fate::Refused(DropReason::BadTransportChecksum));
    let mut unreachable = Vec::new();
    let icmp = etherparse::Icmpv4Type::DestinationUnreachable(etherparse::icmpv4::DestUnreachableHeader::Port);
    let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64).icmpv4(icmp);
    builder.write(&mut unreachable, &[0; 28]).expect("a vector takes a packet");
    scene.send(60_000, SERVER, unreachable, Some(Reason::IcmpError), Fate::Arrives);
    scene.settle();
    scene
}

#[test]
fn datagrams_and_address_resolution_at_80_columns() {
    insta::assert_snapshot!(datagrams().draw(Style::plain(80)));
}

#[test]
fn datagrams_and_address_resolution_at_120_columns() {
    insta::assert_snapshot!(datagrams().draw(Style::plain(120)));
}

#[test]
fn a_copy_that_the_vantage_point_sees_names_its_original() {
    let text = datagrams().draw_at(Side::Right, Style::plain(120));
    assert!(text.contains("├┄ UDP 40000→7 len=9"), "{text}");
    assert!(text.contains("the link's copy of packet 4, by rule twice"), "{text}");
}

/// 200 segments, each acknowledged, in two bursts; one is lost and sent again.
fn transfer() -> Scene {
    let mut scene = Scene::default();
    handshake(&mut scene);
    let mut now = 20_000;
    for index in 0..200 {
        now += if index == 150 { 500_000 } else { 1_000 };
        let data = || tcp(CLIENT, ACK, 1 + index * 1000, 1, &[0; 1000]);
        if index == 100 {
            scene.send(now, CLIENT, data(), Some(Reason::NewData), Fate::Dropped(Impairment::Lost));
            now += 50_000;
            scene.send(now, CLIENT, data(), Some(Reason::RetransmitByDuplicateAcks), Fate::Arrives);
        } else {
            scene.send(now, CLIENT, data(), Some(Reason::NewData), Fate::Arrives);
        }
        let ack = tcp(SERVER, ACK, 1, 1001 + index * 1000, b"");
        scene.send(now + DELAY, SERVER, ack, Some(Reason::Acknowledge), Fate::Arrives);
    }
    scene.send(now + 30_000, CLIENT, tcp(CLIENT, RST, 200_001, 0, b""), Some(Reason::Reset), Fate::Arrives);
    scene.settle();
    scene
}

#[test]
fn a_long_transfer_is_folded_around_what_matters() {
    insta::assert_snapshot!(transfer().draw(Style::plain(80)));
}

#[test]
fn verbose_folds_nothing() {
    let text = transfer().draw(Style { verbose: true, ..Style::plain(120) });
    let rows = text.lines().filter(|line| line.contains("►│") || line.contains("│◄") || line.contains('✗')).count();
    // 3 of the handshake, 200 segments and as many ACKs, one sent again, the RST, and the sum.
    assert_eq!(rows, 3 + 400 + 1 + 1 + 1, "{text}");
}

#[test]
fn every_packet_is_either_shown_or_counted() {
    let text = transfer().draw(Style::plain(80));
    let shown = text.lines().filter(|line| line.trim_start().starts_with(|char: char| char.is_ascii_digit())).count();
    let folded = text.lines().filter_map(|line| line.trim_start().strip_prefix('⋯')?.split('│').nth(1));
    let counted: usize = folded.flat_map(|lane| lane.split(' ').filter_map(|word| word.parse::<usize>().ok())).sum();
    // The line with the sum begins with a digit too.
    assert_eq!(shown - 1 + counted, 3 + 400 + 1 + 1, "{text}");
}
