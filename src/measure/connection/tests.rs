//! Connections written packet by packet, as they pass at one place.

use etherparse::{Ipv4Header, TcpHeader, TcpOptionElement};
use smallvec::SmallVec;

use super::*;
use crate::capture::Direction;
use crate::packet::{Medium, PacketId};

/// Close to the end of the circle, so that every test crosses it.
const ISS: [u32; 2] = [u32::MAX - 200, u32::MAX - 20];

/// A packet of a test; what is not said is as usual.
#[derive(Clone, Copy, Default)]
struct Wire {
    /// In tenths of a millisecond.
    at: u64,
    from_server: bool,
    flags: &'static str,
    /// Counted from the SYN.
    seq: u32,
    ack: u32,
    length: usize,
    window: Option<u16>,
    /// From and to, counted from the SYN of the other end.
    sack: &'static [(u32, u32)],
    /// The identification in its IP header; left out, it counts up.
    id: Option<u16>,
    stamps: Option<(u32, u32)>,
}

fn record(number: u64, wire: &Wire) -> Record {
    let (own, other) = if wire.from_server { (ISS[1], ISS[0]) } else { (ISS[0], ISS[1]) };
    let (from, to) = if wire.from_server { ([10, 0, 0, 2], [10, 0, 0, 1]) } else { ([10, 0, 0, 1], [10, 0, 0, 2]) };
    let ports = if wire.from_server { (80, 5000) } else { (5000, 80) };
    let mut tcp = TcpHeader::new(ports.0, ports.1, own.wrapping_add(wire.seq), wire.window.unwrap_or(1000));
    tcp.syn = wire.flags.contains('S');
    tcp.fin = wire.flags.contains('F');
    tcp.rst = wire.flags.contains('R');
    tcp.ack = wire.flags.contains('.');
    tcp.acknowledgment_number = if tcp.ack { other.wrapping_add(wire.ack) } else { 0 };
    let mut options = Vec::new();
    if tcp.syn {
        options.push(TcpOptionElement::MaximumSegmentSize(1460));
        options.push(TcpOptionElement::SelectiveAcknowledgementPermitted);
    }
    if let Some((value, echo)) = wire.stamps {
        options.push(TcpOptionElement::Timestamp(value, echo));
    }
    let block = |(from, to): &(u32, u32)| (other.wrapping_add(*from), other.wrapping_add(*to));
    if let Some((first, more)) = wire.sack.split_first() {
        let mut rest = [None; 3];
        rest.iter_mut().zip(more).for_each(|(slot, range)| *slot = Some(block(range)));
        options.push(TcpOptionElement::SelectiveAcknowledgement(block(first), rest));
    }
    tcp.set_options(&options).expect("they fit");
    let mut ip = Ipv4Header::new((tcp.header_len() + wire.length) as u16, 64, 6.into(), from, to).expect("it is short");
    ip.identification = wire.id.unwrap_or(100 + number as u16);
    let payload = vec![wire.seq as u8; wire.length];
    tcp.checksum = tcp.calc_checksum_ipv4(&ip, &payload).expect("it is short");
    let mut frame = Vec::new();
    ip.write(&mut frame).expect("it fits a vector");
    tcp.write(&mut frame).expect("it fits a vector");
    frame.extend(payload);
    Record {
        at: Instant::from_nanos(wire.at * 100_000),
        packet: PacketId(number),
        direction: Direction::In,
        medium: Medium::Ip,
        wire_len: frame.len(),
        bytes: frame.into(),
        comments: SmallVec::new(),
    }
}

fn played(wires: &[Wire]) -> Connection {
    let records: Vec<Record> = (1..).zip(wires).map(|(number, wire)| record(number, wire)).collect();
    let mut all = connections(&records);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn data(at: u64, seq: u32) -> Wire {
    Wire { at, flags: ".", seq, ack: 1, length: 100, ..Wire::default() }
}

fn ack(at: u64, ack: u32, sack: &'static [(u32, u32)]) -> Wire {
    Wire { at, from_server: true, flags: ".", seq: 1, ack, sack, ..Wire::default() }
}

/// Near the client: 20 ms to the server and back. Packets 1 to 3.
fn near() -> Vec<Wire> {
    vec![
        Wire { flags: "S", ..Wire::default() },
        Wire { at: 200, from_server: true, flags: "S.", ack: 1, ..Wire::default() },
        Wire { at: 200, flags: ".", seq: 1, ack: 1, ..Wire::default() },
    ]
}

/// Near the server: 20 ms to the client and back. Packets 1 to 3.
fn far() -> Vec<Wire> {
    vec![
        Wire { flags: "S", ..Wire::default() },
        Wire { from_server: true, flags: "S.", ack: 1, ..Wire::default() },
        Wire { at: 200, flags: ".", seq: 1, ack: 1, ..Wire::default() },
    ]
}

fn kinds(connection: &Connection) -> Vec<(u64, Kind)> {
    connection.streams[0].again.iter().map(|again| (again.number, again.kind)).collect()
}

fn with(mut begin: Vec<Wire>, more: &[Wire]) -> Connection {
    begin.extend_from_slice(more);
    played(&begin)
}

#[test]
fn a_handshake_says_what_both_have_and_where_the_capture_was_made() {
    let connection = with(near(), &[]);
    let agreed = connection.handshake.agreed.expect("both SYNs are there");
    assert_eq!((agreed.mss, agreed.sack, agreed.time_stamps, agreed.window_scale), ([1460; 2], true, false, None));
    assert_eq!(connection.handshake.took, Some(Duration::from_millis(20)));
    assert!(connection.path.is_near(End::Client) && !connection.path.is_near(End::Server));
    let connection = with(far(), &[]);
    assert!(connection.path.is_near(End::Server) && !connection.path.is_near(End::Client));
    assert_eq!(connection.path.whole(), Some(Duration::from_millis(20)));
}

#[test]
fn near_the_sender_sack_tells_of_a_loss_and_d_sack_of_none() {
    let flight = [data(300, 1), data(301, 101), data(302, 201), data(303, 301)];
    let told = [ack(500, 1, &[(101, 201)]), ack(501, 1, &[(101, 301)]), ack(502, 1, &[(101, 401)])];
    let again = data(503, 1);
    let connection = with(near(), &[&flight[..], &told, &[again, ack(703, 401, &[])]].concat());
    assert_eq!(kinds(&connection), [(11, Kind::Fast)]);
    let found = &connection.streams[0].again[0];
    assert_eq!((&found.evidence, found.first, &found.doubt), (&Evidence::Sack { by: 10 }, Some(4), &None));
    // The same, and the receiver says that it had it already.
    let connection =
        with(near(), &[&flight[..], &told, &[again, ack(510, 401, &[]), ack(703, 401, &[(1, 101)])]].concat());
    assert_eq!(connection.streams[0].again[0].doubt, Some(Doubt::CameTwice { ack: 13 }));
    // Nobody says so, but the answer comes after 1 ms on a path of 20.
    let connection = with(near(), &[&flight[..], &told, &[again, ack(513, 401, &[])]].concat());
    let after = Duration::from_millis(1);
    assert_eq!(connection.streams[0].again[0].doubt, Some(Doubt::AnsweredTooSoon { ack: 12, after }));
}

#[test]
fn three_duplicates_tell_without_sack_and_two_do_not() {
    let flight = [data(300, 1), data(301, 101), data(302, 201), data(303, 301), data(304, 401)];
    let duplicates = |count: u64| (0..count).map(|nth| ack(500 + nth, 1, &[])).collect::<Vec<_>>();
    let connection = with(near(), &[&flight[..], &duplicates(3), &[data(504, 1)]].concat());
    assert_eq!(connection.streams[0].again[0].evidence, Evidence::DuplicateAcks { count: 3, last: 11 });
    let connection = with(near(), &[&flight[..], &duplicates(2), &[data(2900, 1)]].concat());
    assert_eq!(kinds(&connection), [(11, Kind::Timeout)]);
}

#[test]
fn a_timer_sends_the_first_again_and_a_probe_the_last() {
    let flight = [data(300, 1), data(301, 101), data(302, 201)];
    let connection = with(near(), &[&flight[..], &[data(2500, 1)]].concat());
    assert_eq!(kinds(&connection), [(7, Kind::Timeout)]);
    let connection = with(near(), &[&flight[..], &[data(750, 201), data(2950, 1)]].concat());
    assert_eq!(kinds(&connection), [(7, Kind::TailLossProbe), (8, Kind::Timeout)]);
    // It waited for the timer when a probe would have come first: so does it with a single one.
    let never = [data(2500, 1), ack(2700, 301, &[]), data(3000, 301), data(5200, 301)];
    assert_eq!(kinds(&with(near(), &[&flight[..], &never].concat())), [(7, Kind::Timeout), (10, Kind::Timeout)]);
}

#[test]
fn near_the_receiver_a_gap_is_filled_by_who_was_overtaken_or_sent_again() {
    let id = |wire: Wire, id| Wire { id: Some(id), ..wire };
    let mut begin: Vec<Wire> = (1..).zip(far()).map(|(number, wire)| id(wire, number)).collect();
    begin.extend((4..).zip([data(250, 1), data(251, 101), data(252, 201)]).map(|(number, wire)| id(wire, number)));
    // Packet 8's identification says that it was sent before packet 7.
    let connection = with(begin.clone(), &[id(data(300, 401), 8), id(data(301, 301), 7)]);
    assert_eq!(kinds(&connection), [(8, Kind::OutOfOrder)]);
    let evidence = Evidence::SentEarlierThan { overtaken_by: 7, by_time_stamp: false };
    assert_eq!(connection.streams[0].again[0].evidence, evidence);
    // After a round trip, with a younger identification: it was lost before it came here, and SACK told of it.
    let told = [id(data(300, 401), 8), ack(300, 301, &[(401, 501)]), id(data(500, 301), 9)];
    let connection = with(begin, &told);
    assert_eq!(kinds(&connection), [(9, Kind::Fast)]);
    let found = &connection.streams[0].again[0];
    assert_eq!((found.first, &found.evidence), (None, &Evidence::Sack { by: 8 }));
}

#[test]
fn where_identifications_are_all_alike_time_and_time_stamps_tell() {
    let plain = |wire: Wire| Wire { id: Some(0), ..wire };
    let begin: Vec<Wire> = far().into_iter().map(plain).collect();
    let soon = [plain(data(300, 101)), plain(data(310, 1))];
    assert_eq!(kinds(&with(begin.clone(), &soon)), [(5, Kind::OutOfOrder)]);
    let stamped = |wire: Wire, value| Wire { stamps: Some((value, 0)), ..plain(wire) };
    let late = [stamped(data(300, 101), 51), stamped(data(800, 1), 50)];
    assert_eq!(kinds(&with(begin.clone(), &late)), [(5, Kind::OutOfOrder)], "its time stamp is older");
    let doubled = [plain(data(300, 1)), plain(data(305, 101)), plain(data(320, 1))];
    assert_eq!(kinds(&with(begin, &doubled)), [(6, Kind::Duplicate)]);
}

#[test]
fn the_same_identification_is_the_same_packet_whenever_it_comes() {
    let mut copy = data(4000, 1);
    copy.id = Some(104);
    let connection = with(near(), &[data(300, 1), data(301, 101), ack(500, 201, &[]), copy]);
    assert_eq!(connection.streams[0].again[0].evidence, Evidence::SameIdentification { of: 4 });
    assert_eq!(connection.streams[0].octets, 200);
}

#[test]
fn a_retransmission_of_what_was_acknowledged_here_is_in_vain() {
    let connection = with(far(), &[data(300, 1), data(301, 101), ack(301, 201, &[]), data(2600, 1)]);
    assert_eq!(connection.streams[0].again[0].doubt, Some(Doubt::AcknowledgedBefore { ack: 6 }));
}

#[test]
fn a_window_of_zero_a_silence_and_a_reset_are_told() {
    let closed = Wire { window: Some(0), ..ack(500, 101, &[]) };
    let probe = Wire { length: 1, ..data(5000, 101) };
    let open = ack(30_000, 101, &[]);
    let reset = Wire { at: 30_100, flags: "R", seq: 101, ..Wire::default() };
    let connection = with(near(), &[data(300, 1), closed, probe, Wire { at: 7000, ..probe }, open, reset]);
    let [window] = &connection.zero_windows[..] else { panic!("{:?}", connection.zero_windows) };
    assert_eq!((window.at, window.from, window.to, window.asked), (End::Server, 5, Some(8), 2));
    assert_eq!(window.lasted, Duration::from_millis(2950));
    assert_eq!(kinds(&connection), [(7, Kind::WindowProbe)]);
    let [silence] = &connection.silences[..] else { panic!("{:?}", connection.silences) };
    assert_eq!((silence.after, silence.before, silence.broken_by), (7, 8, End::Server));
    assert_eq!(connection.resets, [Reset { number: 9, by: End::Client, refuses: false }]);
}

#[test]
fn a_syn_without_an_answer_is_sent_again_and_one_with_another_number_is_another_connection() {
    let syn = |at, seq| Wire { at, flags: "S", seq, ..Wire::default() };
    let connection = played(&[syn(0, 0), syn(10_000, 0), syn(30_000, 0)]);
    assert_eq!(connection.handshake.syns, [1, 2, 3]);
    assert_eq!(kinds(&connection), [(2, Kind::Timeout), (3, Kind::Timeout)]);
    let records: Vec<Record> = (1..).zip([syn(0, 0), syn(5, 7)]).map(|(number, wire)| record(number, &wire)).collect();
    assert_eq!(connections(&records).len(), 2);
    let refused = Wire { at: 1, from_server: true, flags: "R.", ack: 1, ..Wire::default() };
    assert_eq!(played(&[syn(0, 0), refused]).resets, [Reset { number: 2, by: End::Server, refuses: true }]);
}

#[test]
fn what_was_sent_twice_tells_no_round_trip() {
    let lost = [data(300, 1), data(301, 101), data(2500, 1), ack(2501, 201, &[])];
    assert_eq!(with(near(), &lost).streams[0].round_trips.count, 1, "the SYN's");
    let fine = [data(300, 1), ack(510, 101, &[]), data(600, 101), ack(830, 201, &[])];
    let trips = with(near(), &fine).streams[0].round_trips;
    assert_eq!(
        (trips.count, trips.least, trips.most),
        (3, Some(Duration::from_millis(20)), Some(Duration::from_millis(23)))
    );
}
