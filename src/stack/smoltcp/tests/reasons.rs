//! Segment in, reasons out: a stack and a peer written down by hand, in virtual time.
//!
//! Sequence numbers are relative: ours to the stack's first, the peer's to [`ISS`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::super::SmoltcpStack;
use crate::journal::{DropReason, Event, Reason, SocketId, TcpState, Timer, Why};
use crate::packet::dissect::Network;
use crate::packet::{Dissection, Medium, Packet, SeqNum};
use crate::stack::{CloseReason, Interface, OpenError, SocketError, SocketEvent, Stack, StackConfig, TcpConfig};
use crate::time::Instant;

const ISS: u32 = 5_000;
const PEER_PORT: u16 = 4_000;
const OWN_PORT: u16 = 80;
const MSS: usize = 1_000;
const SECOND: Duration = Duration::from_secs(1);

fn own(v6: bool) -> IpAddr {
    if v6 { [0xfd00, 0, 0, 0, 0, 0, 0, 1].into() } else { [10, 0, 0, 1].into() }
}

fn peer() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], PEER_PORT))
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::from(([0; 4], port))
}

fn interface(medium: Medium, addresses: &[(IpAddr, u8)]) -> Interface {
    Interface { medium, mac: [2, 0, 0, 0, 0, 1], addresses: addresses.to_vec(), gateways: Vec::new(), mtu: 1500 }
}

fn stack_with(medium: Medium, addresses: &[(IpAddr, u8)]) -> SmoltcpStack {
    let config = StackConfig { interface: interface(medium, addresses), seed: 1, tcp: prompt() };
    SmoltcpStack::new(&config, Instant::ZERO)
}

fn both_families() -> [(IpAddr, u8); 2] {
    [(own(false), 24), (own(true), 64)]
}

/// No Nagle, no delayed acknowledgments: what is to be sent is sent at once.
fn prompt() -> TcpConfig {
    TcpConfig { no_delay: true, delayed_ack: None, ..TcpConfig::default() }
}

/// A segment of the peer.
#[derive(Clone, Copy)]
struct Segment<'a> {
    flags: &'a str,
    seq: u32,
    ack: u32,
    window: u16,
    data: &'a [u8],
}

fn ack(seq: u32, ack: u32) -> Segment<'static> {
    Segment { flags: "A", seq, ack, window: 60_000, data: b"" }
}

fn flags(flags: &'static str, seq: u32, acknowledged: u32) -> Segment<'static> {
    Segment { flags, ..ack(seq, acknowledged) }
}

fn data(seq: u32, acknowledged: u32, data: &[u8]) -> Segment<'_> {
    Segment { flags: "AP", data, ..ack(seq, acknowledged) }
}

/// What the stack sent.
#[derive(Debug)]
struct Sent {
    why: Why,
    flags: String,
    seq: u32,
    len: usize,
}

struct Scene {
    stack: SmoltcpStack,
    now: Instant,
    socket: SocketId,
    /// The stack's first sequence number.
    iss: SeqNum,
    own_port: u16,
    journal: Vec<Event>,
    events: Vec<SocketEvent>,
    sent: Vec<Sent>,
}

impl Scene {
    /// An active open whose SYN is out.
    fn opening(config: &TcpConfig) -> Scene {
        let mut stack = stack_with(Medium::Ip, &both_families());
        let socket = stack.connect(Instant::ZERO, None, peer(), config).expect("a port is free");
        let own_port = stack.local_address(socket).expect("it is bound").port();
        Scene::with(stack, socket, own_port)
    }

    fn with(stack: SmoltcpStack, socket: SocketId, own_port: u16) -> Scene {
        let iss = SeqNum(0);
        Scene {
            stack,
            now: Instant::ZERO,
            socket,
            iss,
            own_port,
            journal: Vec::new(),
            events: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// An active open that has succeeded. The next octet of either side has the number 1.
    fn open(config: &TcpConfig) -> Scene {
        let mut scene = Scene::opening(config);
        assert_eq!(scene.says(), ["active-open"]);
        assert_eq!(scene.hears(flags("SA", 0, 1)), ["complete-open"]);
        scene
    }

    /// A listener on [`OWN_PORT`].
    fn listening() -> Scene {
        let mut stack = stack_with(Medium::Ip, &both_families());
        let listener = stack.listen(any(OWN_PORT), 4, &TcpConfig::default()).expect("the port is free");
        Scene::with(stack, listener, OWN_PORT)
    }

    fn packet(&self, segment: Segment<'_>) -> Packet {
        let tcp = etherparse::TcpHeader {
            source_port: PEER_PORT,
            destination_port: self.own_port,
            sequence_number: ISS.wrapping_add(segment.seq),
            acknowledgment_number: (self.iss + segment.ack).0,
            window_size: segment.window,
            ack: segment.flags.contains('A'),
            syn: segment.flags.contains('S'),
            fin: segment.flags.contains('F'),
            rst: segment.flags.contains('R'),
            psh: segment.flags.contains('P'),
            ..etherparse::TcpHeader::default()
        };
        let tcp = match segment.flags.contains('S') {
            true => {
                let mut tcp = tcp;
                let mss = etherparse::TcpOptionElement::MaximumSegmentSize(MSS as u16);
                tcp.set_options(&[mss]).expect("four octets fit");
                tcp
            }
            false => tcp,
        };
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64).tcp_header(tcp);
        let mut bytes = Vec::new();
        builder.write(&mut bytes, segment.data).expect("a vector takes every packet");
        Packet::from_wire(Medium::Ip, bytes.into())
    }

    /// The stack takes in these segments as one batch; what it says then.
    fn hears_batch(&mut self, segments: &[Segment<'_>]) -> Vec<&'static str> {
        let mut batch = segments.iter().map(|segment| self.packet(*segment)).collect();
        self.stack.receive(self.now, &mut batch);
        self.says()
    }

    fn hears(&mut self, segment: Segment<'_>) -> Vec<&'static str> {
        self.hears_batch(&[segment])
    }

    /// All that the stack sends at this moment, by the names of the reasons.
    fn says(&mut self) -> Vec<&'static str> {
        let first = self.sent.len();
        while let Some((packet, why)) = self.stack.transmit(self.now) {
            let bytes = packet.to_bytes();
            let dissection = Dissection::of(Medium::Ip, &bytes, bytes.len());
            let tcp = dissection.tcp().expect("it speaks TCP here");
            if tcp.flags.syn() {
                self.iss = tcp.seq;
            }
            let (flags, seq) = (tcp.flags.to_string(), tcp.seq.offset_from(self.iss));
            self.sent.push(Sent { why, flags, seq, len: tcp.payload_len });
        }
        self.stack.drain_journal(&mut self.journal);
        self.stack.drain_events(&mut self.events);
        self.sent[first..].iter().map(|sent| sent.why.reason.name()).collect()
    }

    fn last(&self) -> &Sent {
        self.sent.last().expect("it has said something")
    }

    fn writes(&mut self, octets: usize) -> Vec<&'static str> {
        assert_eq!(self.stack.send(self.now, self.socket, &vec![7; octets]), Ok(octets));
        self.says()
    }

    fn reads(&mut self) -> Result<Option<usize>, SocketError> {
        self.stack.receive_into(self.now, self.socket, &mut [0; 100_000])
    }

    /// Lets timers fire until the stack says something, at most for so long.
    fn waits(&mut self, at_most: Duration) -> Vec<&'static str> {
        let end = self.now + at_most;
        while let Some((at, _)) = self.stack.deadline().filter(|(at, _)| *at <= end) {
            self.now = at.max(self.now);
            self.stack.expire(self.now);
            let said = self.says();
            if !said.is_empty() {
                return said;
            }
        }
        self.now = end;
        Vec::new()
    }

    fn closed_because(&self) -> Option<CloseReason> {
        self.events.iter().find_map(|event| match event {
            SocketEvent::Closed(socket, reason) if *socket == self.socket => Some(*reason),
            SocketEvent::Closed(..)
            | SocketEvent::Readable(_)
            | SocketEvent::Writable(_)
            | SocketEvent::Acceptable(_)
            | SocketEvent::Connected(_)
            | SocketEvent::Urgent(_) => None,
        })
    }

    fn fired(&self, timer: Timer) -> usize {
        self.journal
            .iter()
            .filter(|event| matches!(event, Event::TimerFired { timer: one, .. } if *one == timer))
            .count()
    }

    fn retransmissions(&self) -> usize {
        self.journal.iter().filter(|event| matches!(event, Event::Retransmit { .. })).count()
    }

    fn state(&self) -> TcpState {
        self.stack.snapshot(self.socket).expect("it is there").state
    }

    /// Accepts the connection of a listener whose handshake is played here.
    fn accepts(&mut self) -> SocketId {
        assert_eq!(self.hears(flags("S", 0, 0)), ["answer-open"]);
        assert!(self.hears(ack(1, 1)).is_empty());
        let (socket, _) = self.stack.accept(self.now, self.socket).expect("the handshake is over");
        socket
    }
}

fn with_timeout(seconds: u64) -> TcpConfig {
    TcpConfig { user_timeout: Some(Duration::from_secs(seconds)), ..prompt() }
}

// How connections end.

#[test]
fn a_connection_that_timed_out_is_no_end_of_the_stream() {
    let mut scene = Scene::open(&with_timeout(2));
    assert_eq!(scene.hears(data(1, 1, b"early")), ["acknowledge"]);
    assert_eq!(scene.writes(10), ["new-data"]);
    let mut said = Vec::new();
    while scene.closed_because().is_none() {
        said = scene.waits(10 * SECOND);
        assert!(!said.is_empty(), "it never gives up");
    }
    assert_eq!(said, ["give-up"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.8.3");
    assert_eq!(scene.closed_because(), Some(CloseReason::TimedOut));
    assert_eq!(scene.reads(), Ok(Some(5)), "what has arrived can be read first");
    let ended = SocketError::Ended(CloseReason::TimedOut);
    assert_eq!(scene.reads(), Err(ended));
    assert_eq!(scene.stack.send(scene.now, scene.socket, b"x"), Err(ended));
}

#[test]
fn a_reset_outside_the_window_is_not_what_ended_the_connection() {
    let mut scene = Scene::open(&with_timeout(2));
    scene.writes(10);
    assert!(scene.hears(flags("RA", 1_000_000, 1)).is_empty());
    assert_eq!(scene.state(), TcpState::Established);
    while scene.closed_because().is_none() {
        assert!(!scene.waits(10 * SECOND).is_empty());
    }
    assert_eq!(scene.closed_because(), Some(CloseReason::TimedOut));
}

#[test]
fn a_reset_in_the_window_ends_the_connection() {
    let mut scene = Scene::open(&prompt());
    assert!(scene.hears(flags("RA", 1, 1)).is_empty());
    assert_eq!(scene.closed_because(), Some(CloseReason::Reset));
    assert_eq!(scene.reads(), Err(SocketError::Ended(CloseReason::Reset)));
    assert_eq!(scene.stack.send(scene.now, scene.socket, b"x"), Err(SocketError::Ended(CloseReason::Reset)));
}

#[test]
fn a_reset_that_answers_the_syn_refuses_the_connection() {
    let mut scene = Scene::opening(&prompt());
    scene.says();
    assert!(scene.hears(flags("RA", 0, 1)).is_empty());
    assert_eq!(scene.closed_because(), Some(CloseReason::Refused));
    assert_eq!(scene.reads(), Err(SocketError::Ended(CloseReason::Refused)));
}

#[test]
fn a_reset_of_a_half_open_connection_gives_its_place_back() {
    let mut scene = Scene::listening();
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
    assert!(scene.hears(flags("RA", 1, 1)).is_empty());
    assert_eq!(scene.stack.entries.len(), 1, "only the listener is left");
    assert!(scene.stack.streams.is_empty());
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
}

#[test]
fn a_reset_in_every_closing_state_ends_the_connection() {
    let ends: [(&[Segment<'_>], bool, TcpState, CloseReason); 5] = [
        (&[], true, TcpState::FinWait1, CloseReason::Reset),
        (&[ack(1, 2)], true, TcpState::FinWait2, CloseReason::Reset),
        (&[flags("FA", 1, 1)], false, TcpState::CloseWait, CloseReason::Reset),
        (&[flags("FA", 1, 1)], true, TcpState::Closing, CloseReason::Finished),
        (&[flags("FA", 1, 2)], true, TcpState::TimeWait, CloseReason::Finished),
    ];
    for (segments, shuts, state, reason) in ends {
        let mut scene = Scene::open(&prompt());
        if shuts {
            scene.stack.shutdown(scene.now, scene.socket);
            assert_eq!(scene.says(), ["close"]);
        }
        scene.hears_batch(segments);
        assert_eq!(scene.state(), state);
        let seq = 1 + segments.iter().filter(|segment| segment.flags.contains('F')).count() as u32;
        scene.hears(flags("RA", seq, 1));
        assert_eq!((scene.state(), scene.closed_because()), (TcpState::Closed, Some(reason)), "in {state:?}");
    }
}

#[test]
fn a_last_fin_that_nobody_acknowledges_is_a_time_out() {
    let mut scene = Scene::open(&with_timeout(3));
    assert_eq!(scene.hears(flags("FA", 1, 1)), ["acknowledge-close"]);
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["close"]);
    assert_eq!(scene.waits(2 * SECOND), ["retransmit-by-timer"], "a FIN goes again, too");
    while scene.closed_because().is_none() {
        assert!(!scene.waits(10 * SECOND).is_empty());
    }
    assert_eq!(scene.closed_because(), Some(CloseReason::TimedOut));
}

#[test]
fn time_wait_is_no_silence_to_give_up_on() {
    let mut scene = Scene::open(&with_timeout(3));
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["close"]);
    assert_eq!(scene.hears(flags("FA", 1, 2)), ["acknowledge-close"]);
    assert!(scene.waits(30 * SECOND).is_empty(), "{:?}", scene.last());
    assert_eq!(scene.closed_because(), Some(CloseReason::Finished));
    assert_eq!(scene.reads(), Ok(Some(0)));
}

#[test]
fn an_open_that_is_taken_back_says_nothing() {
    let mut scene = Scene::opening(&prompt());
    scene.says();
    scene.stack.shutdown(scene.now, scene.socket);
    assert!(scene.says().is_empty(), "RFC 9293 §3.10.4: SYN-SENT is forgotten without a word");
    assert_eq!(scene.closed_because(), Some(CloseReason::Aborted));
}

#[test]
fn closing_keeps_the_time_out_that_the_connection_was_given() {
    let mut scene = Scene::open(&with_timeout(300));
    scene.writes(10);
    scene.stack.close(scene.now, scene.socket);
    scene.says();
    let mut given_up = false;
    while scene.now < Instant::ZERO + 250 * SECOND {
        given_up |= scene.waits(10 * SECOND).contains(&"give-up");
    }
    assert!(!given_up, "the connection asked for 300 s");
}

#[test]
fn a_listener_can_come_back_while_a_connection_of_its_port_lives() {
    let mut scene = Scene::listening();
    let connection = scene.accepts();
    scene.stack.close(scene.now, scene.socket);
    scene.says();
    assert!(scene.stack.listen(any(OWN_PORT), 4, &TcpConfig::default()).is_ok());
    assert_eq!(
        scene.stack.listen(any(OWN_PORT), 4, &TcpConfig::default()),
        Err(OpenError::AddressInUse(any(OWN_PORT)))
    );
    assert_eq!(scene.stack.send(scene.now, connection, b"still here"), Ok(10));
}

#[test]
fn a_connection_that_is_over_gives_its_ends_free() {
    let mut scene = Scene::open(&prompt());
    let local = scene.stack.local_address(scene.socket);
    assert_eq!(
        scene.stack.connect(scene.now, local, peer(), &prompt()),
        Err(OpenError::AddressInUse(local.expect("it is bound")))
    );
    scene.hears(flags("RA", 1, 1));
    assert!(scene.stack.streams.is_empty());
    assert!(scene.stack.connect(scene.now, local, peer(), &prompt()).is_ok());
}

// Why segments are sent.

#[test]
fn a_handshake_from_either_side_has_its_three_reasons() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.hears(flags("SA", 0, 1)), ["answer-unacceptable"], "the peer has not heard our third step");
    let mut scene = Scene::listening();
    scene.accepts();
}

#[test]
fn a_syn_and_its_answer_go_again_by_the_timer() {
    let mut scene = Scene::opening(&prompt());
    assert_eq!(scene.says(), ["active-open"]);
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert!(matches!(scene.last().why.reason, Reason::RetransmitByTimer { nth: 1, rto } if rto == SECOND));
    assert_eq!(scene.hears(flags("SA", 0, 1)), ["complete-open"]);

    let mut scene = Scene::listening();
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert_eq!(scene.last().flags, "SYN,ACK");
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert!(matches!(scene.last().why.reason, Reason::RetransmitByTimer { nth: 2, rto } if rto == 2 * SECOND));
    assert_eq!((scene.fired(Timer::Retransmission), scene.retransmissions()), (2, 2));
}

#[test]
fn a_simultaneous_open_answers_the_peers_syn() {
    let mut scene = Scene::opening(&prompt());
    assert_eq!(scene.says(), ["active-open"]);
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
    assert_eq!((scene.last().flags.as_str(), scene.retransmissions()), ("SYN,ACK", 0));
    assert!(scene.hears(ack(1, 1)).is_empty());
    assert_eq!(scene.state(), TcpState::Established);
}

#[test]
fn a_simultaneous_close_acknowledges_the_other_fin() {
    let mut scene = Scene::open(&prompt());
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["close"]);
    assert_eq!(scene.hears(flags("FA", 1, 1)), ["acknowledge-close"]);
    assert!(scene.hears(ack(2, 2)).is_empty());
    assert_eq!(scene.state(), TcpState::TimeWait);
    assert_eq!(scene.hears(flags("FA", 1, 2)), ["answer-unacceptable"], "its acknowledgment was lost");
}

#[test]
fn the_last_data_carries_the_fin() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.stack.send(scene.now, scene.socket, &[1; 10]), Ok(10));
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["last-data"]);
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert_eq!(scene.last().flags, "FIN,ACK");
}

#[test]
fn three_segments_out_of_order_in_one_batch_are_three_duplicate_acks() {
    let mut scene = Scene::open(&prompt());
    let batch = [data(101, 1, &[1; 100]), data(201, 1, &[1; 100]), data(301, 1, &[1; 100])];
    assert_eq!(scene.hears_batch(&batch), ["duplicate-ack"; 3]);
    assert_eq!(scene.hears(data(1, 1, &[1; 100])), ["acknowledge"], "the gap is filled");
}

#[test]
fn data_in_order_before_a_gap_is_acknowledged_once_and_then_again() {
    let mut scene = Scene::open(&TcpConfig { delayed_ack: Some(SECOND / 25), ..prompt() });
    let batch = [data(1, 1, &[1; 100]), data(101, 1, &[1; 100]), data(301, 1, &[1; 100]), data(401, 1, &[1; 100])];
    assert_eq!(scene.hears_batch(&batch), ["acknowledge", "duplicate-ack"]);
}

#[test]
fn data_that_comes_twice_is_answered_as_unacceptable() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.hears(data(1, 1, &[1; 100])), ["acknowledge"]);
    assert_eq!(scene.hears(data(1, 1, &[1; 100])), ["answer-unacceptable"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.10.7.4");
}

#[test]
fn probes_of_a_peer_that_is_idle_are_answered_as_such() {
    for payload in [&b""[..], b"\0"] {
        let mut scene = Scene::open(&prompt());
        scene.now += 10 * SECOND;
        assert_eq!(scene.hears(Segment { data: payload, ..ack(0, 1) }), ["answer-keep-alive"]);
        assert_eq!(scene.last().why.section, "RFC 9293 §3.8.4");
    }
}

#[test]
fn probes_of_our_closed_window_are_answered_as_such() {
    let mut scene = Scene::open(&TcpConfig { receive_buffer: 1_000, ..prompt() });
    assert_eq!(scene.hears(data(1, 1, &[1; 1_000])), ["acknowledge"]);
    assert_eq!(scene.hears(ack(1_000, 1)), ["answer-window-probe"], "as Linux asks");
    assert_eq!(scene.hears(data(1_001, 1, b"x")), ["answer-window-probe"], "as RFC 9293 §3.8.6.1 asks");
    assert_eq!(scene.reads(), Ok(Some(1_000)));
    assert_eq!(scene.says(), ["window-update"]);
}

#[test]
fn the_first_window_after_the_syn_is_no_update() {
    let mut scene = Scene::open(&TcpConfig { receive_buffer: 1 << 20, ..prompt() });
    assert_eq!(scene.hears(data(1, 1, b"x")), ["acknowledge"]);
}

#[test]
fn a_zero_window_is_probed_without_moving_what_is_in_flight() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.writes(100), ["new-data"]);
    assert!(scene.hears(Segment { window: 0, ..ack(1, 101) }).is_empty());
    assert!(scene.writes(50).is_empty(), "the window is closed");
    // smoltcp starts its persist timer at an acknowledgment, not as data is written.
    assert!(scene.hears(Segment { window: 0, ..ack(1, 101) }).is_empty());
    for probe in 1..=3 {
        assert_eq!(scene.waits(100 * SECOND), ["zero-window-probe"]);
        assert_eq!((scene.last().seq, scene.last().len), (101, 1));
        assert_eq!(scene.fired(Timer::Persist), probe);
        assert!(scene.hears(Segment { window: 0, ..ack(1, 101) }).is_empty());
    }
    let nxt = scene.stack.snapshot(scene.socket).and_then(|snapshot| snapshot.snd_nxt);
    assert_eq!(nxt, Some(scene.iss + 101));
    assert_eq!(scene.hears(ack(1, 101)), ["new-data"], "now it goes for the first time");
    assert_eq!((scene.last().seq, scene.last().len), (101, 50));
    assert_eq!((scene.fired(Timer::Retransmission), scene.retransmissions()), (0, 0));
}

#[test]
fn a_probe_whose_octet_is_taken_moves_on_by_it() {
    let mut scene = Scene::open(&prompt());
    scene.writes(100);
    scene.hears(Segment { window: 0, ..ack(1, 101) });
    scene.writes(50);
    scene.hears(Segment { window: 0, ..ack(1, 101) });
    assert_eq!(scene.waits(100 * SECOND), ["zero-window-probe"]);
    assert_eq!(scene.hears(ack(1, 102)), ["new-data"]);
    assert_eq!((scene.last().seq, scene.last().len), (102, 49));
}

#[test]
fn three_duplicate_acks_bring_one_copy_and_the_timer_the_next() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.writes(MSS), ["new-data"]);
    assert_eq!(scene.hears(ack(1, 1 + MSS as u32)), [""; 0]);
    assert_eq!(scene.writes(4 * MSS), ["new-data"; 4]);
    let lost = 1 + MSS as u32;
    scene.now += SECOND / 2;
    assert_eq!(scene.hears_batch(&[ack(1, lost); 3]).first(), Some(&"retransmit-by-duplicate-acks"));
    assert_eq!(scene.fired(Timer::Retransmission), 0);
    let copied_at = scene.now;
    let said = scene.waits(20 * SECOND);
    assert_eq!(said.first(), Some(&"retransmit-by-timer"), "the copy was lost, too");
    let copies: Vec<_> = scene.sent.iter().filter(|sent| sent.seq == lost).map(|sent| sent.why.reason).collect();
    let rto = scene.now - copied_at;
    assert!(matches!(copies[2], Reason::RetransmitByTimer { nth: 2, rto: told } if told == rto), "{copies:?} {rto:?}");
    assert_eq!(scene.fired(Timer::Retransmission), 1);
}

#[test]
fn after_a_time_out_all_that_was_in_flight_goes_again() {
    let mut scene = Scene::open(&prompt());
    scene.writes(MSS);
    scene.hears(ack(1, 1 + MSS as u32));
    assert_eq!(scene.writes(2 * MSS), ["new-data"; 2]);
    let lost = 1 + MSS as u32;
    assert_eq!(scene.waits(20 * SECOND), ["retransmit-by-timer"]);
    assert_eq!(scene.last().seq, lost);
    assert_eq!(scene.hears(ack(1, lost + MSS as u32)), ["retransmit-after-timer"]);
    assert_eq!((scene.fired(Timer::Retransmission), scene.retransmissions()), (1, 2));
    assert!(scene.hears(ack(1, lost + 2 * MSS as u32)).is_empty());
    assert_eq!(scene.writes(10), ["new-data"], "what follows is new");
}

#[test]
fn an_idle_connection_is_kept_alive() {
    let mut scene = Scene::open(&TcpConfig { keep_alive: Some(5 * SECOND), ..prompt() });
    scene.writes(10);
    scene.hears(ack(1, 11));
    assert_eq!(scene.waits(6 * SECOND), ["keep-alive"]);
    assert_eq!((scene.last().seq, scene.last().len), (10, 1));
    assert_eq!(scene.fired(Timer::KeepAlive), 1);
    assert!(scene.hears(ack(1, 11)).is_empty());
    assert_eq!(scene.writes(10), ["new-data"]);
}

#[test]
fn the_three_kinds_of_reset_are_told_apart() {
    let mut scene = Scene::listening();
    scene.own_port = 81;
    assert_eq!(scene.hears(flags("S", 0, 0)), ["reset"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.5.2");

    let mut scene = Scene::open(&prompt());
    scene.stack.abort(scene.now, scene.socket);
    assert_eq!(scene.says(), ["abort"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.10.5");
    assert!(scene.stack.entries.is_empty() && scene.stack.streams.is_empty());

    let mut scene = Scene::open(&prompt());
    scene.hears(data(1, 1, b"never read"));
    scene.stack.close(scene.now, scene.socket);
    assert_eq!(scene.says(), ["abort"], "RFC 9293 §3.6.1 SHLD-3");

    let mut scene = Scene::opening(&prompt());
    scene.says();
    assert_eq!(scene.hears(flags("SA", 0, 77)), ["reset"], "it acknowledges what was never sent");
    assert_eq!(scene.state(), TcpState::SynSent);
}

// Datagrams, ICMP and the rest.

#[test]
fn a_datagram_that_has_no_way_is_refused_before_it_is_queued() {
    let v6 = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let mut only_v4 = stack_with(Medium::Ip, &[(own(false), 24)]);
    let mut both = stack_with(Medium::Ip, &both_families());
    let refuses = |stack: &mut SmoltcpStack, local: SocketAddr, remote: SocketAddr| {
        let socket = stack.udp_bind(local).expect("the port is free");
        let sent = stack.udp_send_to(Instant::ZERO, socket, b"hello", remote);
        assert_eq!(sent, Err(SocketError::Unreachable(remote.ip())), "{local} to {remote}");
        assert!(stack.transmit(Instant::ZERO).is_none());
    };
    refuses(&mut both, any(1), v6("[::]:53"));
    refuses(&mut both, any(2), any(53));
    refuses(&mut both, any(3), v6("[fd00::2]:0"));
    refuses(&mut both, SocketAddr::new(own(false), 4), v6("[fd00::2]:53"));
    refuses(&mut both, SocketAddr::new(own(true), 5), peer());
    refuses(&mut only_v4, any(6), v6("[fd00::2]:53"));
    let socket = both.udp_bind(any(7)).expect("the port is free");
    for remote in [v6("[fd00::2]:53"), v6("[fe80::2]:53"), peer()] {
        assert_eq!(both.udp_send_to(Instant::ZERO, socket, b"hello", remote), Ok(true));
        let (packet, why) = both.transmit(Instant::ZERO).expect("it can go");
        assert_eq!(why, Why::of(Reason::Datagram));
        let source = packet.dissect().addresses().map(|(src, _)| src);
        assert_eq!(source, Some(own(remote.is_ipv6())), "to {remote}");
    }
}

#[test]
fn a_connection_begins_only_where_there_is_a_way() {
    let now = Instant::ZERO;
    let v6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], 80));
    let mut only_v4 = stack_with(Medium::Ip, &[(own(false), 24)]);
    assert_eq!(only_v4.connect(now, None, v6, &prompt()), Err(OpenError::BadDestination(v6)));
    let mut both = stack_with(Medium::Ip, &both_families());
    for remote in ["[::]:80", "[fd00::2]:0", "0.0.0.0:80", "255.255.255.255:80", "224.0.0.1:80"] {
        let remote = remote.parse().expect("an address");
        assert_eq!(both.connect(now, None, remote, &prompt()), Err(OpenError::BadDestination(remote)));
    }
    let local = SocketAddr::new(own(false), 0);
    assert_eq!(both.connect(now, Some(local), v6, &prompt()), Err(OpenError::AddressNotAvailable(own(false))));
    assert!(both.connect(now, Some(any(0)), v6, &prompt()).is_ok());
    assert!(both.transmit(now).is_some());
}

#[test]
fn a_datagram_is_as_long_as_the_stack_can_send() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let socket = stack.udp_bind(any(1)).expect("the port is free");
    let v6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], 53));
    let mut send = |octets: usize, remote| {
        let sent = stack.udp_send_to(Instant::ZERO, socket, &vec![1; octets], remote);
        let mut carried = 0;
        for tick in 0..100 {
            while let Some((packet, why)) = stack.transmit(Instant::ZERO + tick * SECOND / 1000) {
                assert_eq!(why.reason, Reason::Datagram);
                assert!(packet.network_len() <= 1500);
                let v6 = packet.dissect().addresses().is_some_and(|(src, _)| src.is_ipv6());
                carried += packet.network_len() - if v6 { 40 } else { 20 };
            }
        }
        (sent, carried)
    };
    assert_eq!(send(1452, v6), (Ok(true), 1460));
    assert_eq!(send(1453, v6), (Err(SocketError::TooLong(1453)), 0));
    assert_eq!(send(65_507, peer()), (Ok(true), 65_515));
    assert_eq!(send(65_508, peer()), (Err(SocketError::TooLong(65_508)), 0));
}

#[test]
fn long_datagrams_one_after_another_keep_all_their_fragments() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let sockets = [1, 2].map(|port| stack.udp_bind(any(port)).expect("the port is free"));
    for socket in [sockets[0], sockets[0], sockets[1]] {
        assert_eq!(stack.udp_send_to(Instant::ZERO, socket, &[1; 5_000], peer()), Ok(true));
    }
    let mut datagrams = std::collections::BTreeMap::<u16, usize>::new();
    for tick in 0..100 {
        while let Some((packet, _)) = stack.transmit(Instant::ZERO + tick * SECOND / 1000) {
            let dissection = packet.dissect();
            let Some(Network::Ipv4(ip)) = dissection.network else { unreachable!("it was sent to an IPv4 address") };
            *datagrams.entry(ip.identification).or_default() += ip.total_len - ip.header_len;
        }
    }
    assert_eq!(datagrams.into_values().collect::<Vec<_>>(), [5_008; 3]);
}

/// Answers to one packet, with their reasons.
fn answers(stack: &mut SmoltcpStack, medium: Medium, packet: Vec<u8>) -> (Vec<Why>, Vec<Event>) {
    stack.receive(Instant::ZERO, &mut vec![Packet::from_wire(medium, packet.into())]);
    let sent = std::iter::from_fn(|| stack.transmit(Instant::ZERO)).map(|(_, why)| why).collect();
    let mut journal = Vec::new();
    stack.drain_journal(&mut journal);
    (sent, journal)
}

fn v6_packet(src: [u16; 8], dst: [u16; 8]) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    let octets = |address: [u16; 8]| std::net::Ipv6Addr::from(address).octets();
    etherparse::PacketBuilder::ip(etherparse::IpHeaders::Ipv6(
        etherparse::Ipv6Header {
            source: octets(src),
            destination: octets(dst),
            hop_limit: 255,
            ..etherparse::Ipv6Header::default()
        },
        etherparse::Ipv6Extensions::default(),
    ))
}

const V6: [u16; 8] = [0xfd00, 0, 0, 0, 0, 0, 0, 1];
const V6_PEER: [u16; 8] = [0xfd00, 0, 0, 0, 0, 0, 0, 2];
const SOLICITED_NODE: [u16; 8] = [0xff02, 0, 0, 0, 0, 1, 0xff00, 1];

fn bytes(build: impl FnOnce(&mut Vec<u8>) -> Result<(), etherparse::err::packet::BuildWriteError>) -> Vec<u8> {
    let mut bytes = Vec::new();
    build(&mut bytes).expect("a vector takes every packet");
    bytes
}

#[test]
fn icmp_cites_the_standard_of_its_family() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let v4 = || etherparse::PacketBuilder::ipv4([10, 0, 0, 2], [10, 0, 0, 1], 64);
    let v6 = || v6_packet(V6_PEER, V6);
    let cases = [
        (bytes(|out| v4().icmpv4_echo_request(1, 1).write(out, b"hi")), Reason::EchoReply, "RFC 792"),
        (bytes(|out| v6().icmpv6_echo_request(1, 1).write(out, b"hi")), Reason::EchoReply, "RFC 4443"),
        (bytes(|out| v4().udp(9, 9).write(out, b"hi")), Reason::IcmpError, "RFC 792"),
        (bytes(|out| v6().udp(9, 9).write(out, b"hi")), Reason::IcmpError, "RFC 4443"),
    ];
    let long = bytes(|out| v4().icmpv4_echo_request(1, 1).write(out, &[1; 2_000]));
    let echo = Why::of(Reason::EchoReply);
    assert_eq!(answers(&mut stack, Medium::Ip, long).0, [echo, echo], "two fragments");
    for (packet, reason, section) in cases {
        assert_eq!(answers(&mut stack, Medium::Ip, packet).0, [Why { reason, section }]);
    }
}

#[test]
fn address_resolution_cites_the_standard_of_its_family() {
    let mut stack = stack_with(Medium::Ethernet, &both_families());
    let cases = [(peer(), "RFC 826"), (SocketAddr::from((V6_PEER, 53)), "RFC 4861")];
    for (remote, section) in cases {
        let mut stack = stack_with(Medium::Ethernet, &both_families());
        let socket = stack.udp_bind(any(1)).expect("the port is free");
        assert_eq!(stack.udp_send_to(Instant::ZERO, socket, b"hi", remote), Ok(true));
        let (_, why) = stack.transmit(Instant::ZERO).expect("it asks for the neighbour");
        assert_eq!(why, Why { reason: Reason::AddressRequest, section });
    }
    let solicitation =
        [&[0x87, 0, 0, 0][..], &[0; 4], &std::net::Ipv6Addr::from(V6).octets(), &[1, 1, 2, 0, 0, 0, 0, 2]];
    let packet = bytes(|out| {
        v6_packet(V6_PEER, SOLICITED_NODE).icmpv6_raw(135, 0, [0; 4]).write(out, &solicitation.concat()[8..])
    });
    let frame = [&[0x33, 0x33, 0xff, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd][..], &packet].concat();
    let (sent, _) = answers(&mut stack, Medium::Ethernet, frame);
    assert!(sent.contains(&Why { reason: Reason::AddressReply, section: "RFC 4861" }), "{sent:?}");
}

#[test]
fn a_host_without_an_address_may_solicit_and_report() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let refused = |journal: &[Event]| {
        journal.iter().any(|event| matches!(event, Event::PacketDropped { reason: DropReason::InvalidSource, .. }))
    };
    for (kind, is_refused) in [(135, false), (143, false), (133, false), (128, true), (136, true)] {
        let body = [&std::net::Ipv6Addr::from(V6).octets()[..], &[0; 4]].concat();
        let packet = bytes(|out| v6_packet([0; 8], SOLICITED_NODE).icmpv6_raw(kind, 0, [0; 4]).write(out, &body));
        let (sent, journal) = answers(&mut stack, Medium::Ip, packet);
        assert_eq!((sent.len(), refused(&journal)), (0, is_refused), "kind {kind}");
    }
}
