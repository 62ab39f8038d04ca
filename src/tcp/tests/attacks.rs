//! Strangers, and peers that have lost their memory: what they can do, and what it costs (RFC 5961, RFC 9293 §3.5.1).

use super::notation::octets;
use super::wire::{Wire, config};
use crate::journal::{DropReason, Event, TcpState};
use crate::packet::{PacketId, SeqNum, TcpFlags};
use crate::rng::Rng;
use crate::tcp::{Arrival, Config, Segment};
use crate::transport::{CloseReason, SocketEvent};

/// A scan learns which port listens, and leaves nothing behind: all other ports answer with a reset.
#[test]
fn a_scan_of_every_port_finds_the_one_that_listens() {
    let mut wire = Wire::listening(0, &config());
    let mut answers = Vec::new();
    for port in 1..=u16::MAX {
        let mut ends = wire.ends;
        ends.local.set_port(port);
        let segment = Segment { seq: SeqNum(5), flags: TcpFlags::SYN, ..Segment::default() };
        wire.engine.receive(wire.now, Arrival { ends, segment, packet: PacketId(1) });
        while let Some(departure) = wire.engine.transmit(wire.now) {
            assert_eq!((departure.ends, departure.segment.ack), (ends, SeqNum(6)));
            answers.push(departure.segment.flags);
        }
        wire.journal();
    }
    assert_eq!(answers.len(), 65_535);
    let open: Vec<usize> = (0..answers.len()).filter(|index| answers[*index].syn()).collect();
    assert_eq!(open, [79]);
    assert!(answers.iter().enumerate().all(|(index, flags)| index == 79 || flags.rst()));
    assert_eq!(wire.engine.len(), 1);
}

/// A flood of SYNs fills the backlog and no more; the half-open ones go when nobody answers (RFC 4987).
#[test]
fn a_flood_of_syns_is_bounded_by_the_backlog() {
    let mut wire = Wire::listening(9, &config());
    for port in 1000..60_000 {
        wire.peer_port(port);
        wire.receive("S 0 <mss 1000>");
        wire.journal();
        wire.take_sent();
    }
    assert_eq!(wire.engine.len(), 10);
    while wire.until_sent().is_some() {
        wire.take_sent();
    }
    assert!(wire.engine.is_empty());
}

/// Answers to strangers that nobody comes to send are not hoarded.
#[test]
fn resets_that_wait_to_be_sent_are_bounded() {
    let mut wire = Wire::closed();
    for port in 1..=u16::MAX {
        let mut ends = wire.ends;
        ends.remote.set_port(port);
        let segment = Segment { flags: TcpFlags::SYN, ..Segment::default() };
        wire.engine.receive(wire.now, Arrival { ends, segment, packet: PacketId(1) });
    }
    let resets = std::iter::from_fn(|| wire.engine.transmit(wire.now)).count();
    assert!((1..=1024).contains(&resets), "{resets}");
}

/// RFC 9293 §3.5.1, Figure 9: one side has lost its memory, and opens anew from the same ends. The challenge shows it the
/// old connection, its reset ends that, and its next SYN opens a new one.
#[test]
fn a_peer_that_restarted_opens_anew() {
    let mut wire = Wire::listening(0, &config());
    wire.handshake("mss 1000");
    wire.log(
        "
        < S  5000           <mss 1000>
        > A  1     ack 1                | challenge
        < R  1
        ",
    );
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, CloseReason::Reset)]);
    wire.peer_iss += 5000;
    wire.log(
        "
        +1s
        < S  0               <mss 1000>
        > SA 0     ack 1                | answer-open
        < A  1     ack 1
        ",
    );
    wire.accept();
    assert_eq!(wire.state(), TcpState::Established);
}

/// RFC 9293 §3.5.1, Figure 10: we have lost our memory; what the peer still sends is answered by the reset that it needs.
#[test]
fn whoever_talks_to_a_host_that_restarted_is_reset() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< PA 300:310 ack 100\n > R 100 | reset");
}

/// Guesses of one kind against a connection with data in both directions.
struct Guesses {
    wire: Wire,
    rng: Rng,
    answers: usize,
    /// Events of applications: one would be a hit.
    news: usize,
}

/// Of each kind; more than a million in all.
const GUESSES: u32 = 350_000;

impl Guesses {
    fn new() -> Guesses {
        let config = Config { receive_buffer: 65_536, ..config() };
        let mut wire = Wire::open_with(&config, "mss 1000, sackOK");
        wire.write(500);
        wire.log("> PA 1:501 ack 1 | new-data\n < A 1:101 ack 501\n > A 501 ack 101 | acknowledge");
        assert_eq!(wire.read(), 100);
        wire.take_sent();
        wire.events();
        Guesses { wire, rng: Rng::new(7), answers: 0, news: 0 }
    }

    /// One guess each 10 µs: the attack lasts three and a half seconds. What the attacker cannot know is random, but a hit, which one
    /// in 2³² would be, is left out.
    fn run(&mut self, mut guess: impl FnMut(&mut Rng) -> Segment) {
        let hit = self.wire.snapshot().rcv_nxt.expect("known");
        for _ in 0..GUESSES {
            let segment = guess(&mut self.rng);
            if segment.seq == hit {
                continue;
            }
            self.wire.now += std::time::Duration::from_micros(10);
            self.wire.engine.expire(self.wire.now);
            let arrival = Arrival { ends: self.wire.ends, segment, packet: PacketId(9) };
            self.wire.engine.receive(self.wire.now, arrival);
            while let Some(departure) = self.wire.engine.transmit(self.wire.now) {
                assert!(departure.segment.flags.ack() && !departure.segment.flags.rst());
                self.answers += 1;
            }
            let changed = |event: &Event| matches!(event, Event::State { .. });
            self.news += self.wire.events().len() + self.wire.journal().iter().filter(|event| changed(event)).count();
        }
    }

    /// The connection lives, and both streams are as they were.
    fn assert_unharmed(mut self) {
        assert_eq!((self.news, self.wire.state()), (0, TcpState::Established));
        self.wire.log("+1s");
        self.wire.receive("PA 101:201 ack 501");
        assert!(self.wire.take_sent().iter().all(|sent| sent.segment.flags.ack()));
        assert_eq!(self.wire.read(), 100);
        self.wire.take_sent();
        self.wire.wait(std::time::Duration::from_secs(1));
        self.wire.take_sent();
        self.wire.write(10);
        let sent = self.wire.take_sent();
        assert_eq!(sent.iter().map(|departure| departure.segment.len()).sum::<u32>(), 10);
    }
}

/// RFC 5961 §3, §7: resets that do not hit RCV.NXT are challenged, and that twice a second at most.
#[test]
fn hundreds_of_thousands_of_guessed_resets_do_no_harm() {
    let mut guesses = Guesses::new();
    guesses.run(|rng| Segment { seq: SeqNum(rng.next_u64() as u32), flags: TcpFlags::RST, ..Segment::default() });
    assert!((1..=8).contains(&guesses.answers), "{}", guesses.answers);
    guesses.assert_unharmed();
}

/// RFC 5961 §4: the same with SYNs.
#[test]
fn hundreds_of_thousands_of_guessed_syns_do_no_harm() {
    let mut guesses = Guesses::new();
    guesses.run(|rng| Segment { seq: SeqNum(rng.next_u64() as u32), flags: TcpFlags::SYN, ..Segment::default() });
    assert!((1..=8).contains(&guesses.answers), "{}", guesses.answers);
    guesses.assert_unharmed();
}

/// RFC 5961 §5: data needs a sequence number in the window and an acknowledgment in the last one, too. One guess in about
/// four thousand million has both.
#[test]
fn hundreds_of_thousands_of_guessed_segments_with_data_do_no_harm() {
    let mut guesses = Guesses::new();
    let data = bytes::Bytes::from(octets(0, 20));
    guesses.run(|rng| {
        let (seq, ack) = (SeqNum(rng.next_u64() as u32), SeqNum(rng.next_u64() as u32));
        let payload = smallvec::smallvec![data.clone()];
        Segment { seq, ack, flags: TcpFlags(0x18), window: 100, payload, ..Segment::default() }
    });
    guesses.assert_unharmed();
}

/// Small segments beyond a gap cost more memory than their octets: what is held is bounded all the same, and a window's
/// worth of one-octet segments is still delivered when the gap is filled.
#[test]
fn one_octet_segments_beyond_a_gap_cost_bounded_memory() {
    let mut wire = Wire::open_with(&config(), "mss 1000");
    for place in (3..60_000).step_by(2) {
        wire.receive(&format!("A {place}:{} ack 1", place + 1));
        wire.take_sent();
    }
    let refused = wire.drops().len();
    assert!(refused > 25_000, "of 30000 crumbs only {refused} were refused");
    for start in (1..60_001).step_by(1000) {
        wire.receive(&format!("A {start}:{} ack 1", start + 1000));
        wire.take_sent();
    }
    assert_eq!(wire.read(), 60_000);
    wire.take_sent();
}

/// A peer that acknowledges what it has not got (optimistic ACKs beyond SND.NXT) is not believed.
#[test]
fn acks_of_the_future_do_not_open_the_congestion_window() {
    let mut wire = Wire::open_with(&Config { send_buffer: 200_000, ..config() }, "mss 1000");
    wire.write(100_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.receive("A 1 ack 20001");
    assert_eq!((wire.take_sent().len(), wire.cwnd()), (1, 10));
}

/// RFC 5681 §3.1's ACK division: many ACKs for parts of one segment grow the window by one segment, not by one each.
#[test]
fn acks_in_slices_do_not_open_the_congestion_window() {
    let mut wire = Wire::open_with(&Config { send_buffer: 200_000, ..config() }, "mss 1000");
    wire.write(100_000);
    wire.take_sent();
    for slice in 1..=10 {
        wire.receive(&format!("A 1 ack {}", 1 + 100 * slice));
        wire.take_sent();
    }
    assert_eq!(wire.cwnd(), 11);
}

/// RFC 5961 §3.2: a reset ends the connection only when its own sequence number is the one expected. Data in front of it
/// must not make one guess hit thousands of numbers.
#[test]
fn a_reset_whose_data_reaches_what_is_expected_is_no_hit() {
    let mut wire = Wire::open();
    wire.log(
        "
        < PA 1:1001    ack 1
        > A  1         ack 1001   | acknowledge
        < R  1:2001
        ",
    );
    assert_eq!(wire.drops(), [DropReason::BlindReset]);
    assert_eq!(wire.state(), TcpState::Established);
}

/// RFC 5961 §4.2: a SYN in a connection that is open is challenged, whatever its number, and its data is not taken.
#[test]
fn a_syn_whose_data_reaches_what_is_expected_is_challenged() {
    let mut wire = Wire::open();
    wire.log(
        "
        < PA 1:101     ack 1
        > A  1         ack 101    | acknowledge
        < SA 100:110   ack 1
        > A  1         ack 101    | challenge
        ",
    );
    assert_eq!(wire.read(), 100);
}
