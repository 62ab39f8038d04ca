//! An acknowledgment is digested (RFC 9293 §3.10.7.4 fifth check): which count, what they time, whose window is taken.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::{CwndCause, Event, TcpState};
use crate::packet::{PacketId, SeqNum, TcpFlags};
use crate::tcp::{Arrival, Config, Segment};
use crate::transport::SocketOption;

/// RFC 5961 §5.2: SND.UNA less the greatest window that the peer ever announced is the oldest that may still come.
#[test]
fn an_ack_may_be_older_than_everything_by_the_greatest_window() {
    for (ack, octets) in [(1 - 65_535, 10), (-65_535, 0)] {
        let mut wire = Wire::open();
        wire.log("< A 1 ack 1 win 500");
        wire.receive(&format!("PA 1:11 ack {ack}"));
        wire.take_sent();
        assert_eq!(wire.read(), octets, "{ack}");
    }
}

/// RFC 9293 §3.10.7.4, SND.WL1 and SND.WL2: a segment that was overtaken does not bring its older window back, whatever
/// it acknowledges.
#[test]
fn the_window_of_a_segment_that_was_overtaken_is_not_taken() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.log(
        "
        > PA 1:101    ack 1                | new-data
        < A  101:201  ack 1    win 500
        > A  101      ack 1                | duplicate-ack
        < A  1:101    ack 101  win 900
        > A  101      ack 201              | acknowledge
        ",
    );
    assert_eq!((wire.snapshot().snd_wnd, wire.snapshot().send_queue), (Some(500), 0));
}

/// RFC 9293 §3.10.7.4, fifth check: the window is one of a segment whose SEG.ACK is not older than SND.UNA.
#[test]
fn the_window_of_an_old_acknowledgment_is_not_taken() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.log(
        "
        > PA 1:101    ack 1                | new-data
        < A  1:101    ack 101  win 900
        > A  101      ack 101              | acknowledge
        < A  101:201  ack 1    win 0
        > A  101      ack 201              | acknowledge
        ",
    );
    assert_eq!(wire.snapshot().snd_wnd, Some(900));
}

/// RFC 7323 §4.1: an echo of the clock's last tick says that less than two ticks have passed, and not that none has.
#[test]
fn an_echo_of_the_same_tick_is_no_round_trip_of_nothing() {
    let mut wire = Wire::connecting(&Config { rto_initial: Duration::from_millis(1), ..config() });
    wire.log(
        "
        > S  0                          | active-open
        +1ms
        > S  0                          | retransmit-by-timer
        +300us
        < SA 0  ack 1  <mss 1000, ts 1 1>
        > A  1  ack 1                   | complete-open
        ",
    );
    assert_eq!(wire.snapshot().min_rtt, Some(Duration::from_millis(1)));
}

/// RFC 6298 §3: what SACK reports has arrived, and times the path as well as an acknowledgment does.
#[test]
fn a_selective_acknowledgment_times_the_path() {
    let mut wire = Wire::open_with(&Config { tail_loss_probe: false, ..config() }, "mss 1000, sackOK");
    wire.write(2000);
    wire.log("> A 1:1001 ack 1 | new-data\n > PA 1001:2001 ack 1 | new-data\n +80ms");
    wire.receive("A 1 ack 1 <sack 1001:2001>");
    assert_eq!(wire.snapshot().srtt, Some(Duration::from_millis(10)));
    wire.take_sent();
}

/// RFC 7323 §4.1: only what acknowledges something new times anything; the peer may have kept its echo for long.
#[test]
fn an_echo_that_acknowledges_nothing_new_times_nothing() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 1 -");
    wire.log("+80ms\n < A 1 ack 1 win 500 <ts 1 0>");
    assert_eq!(wire.snapshot().srtt, Some(Duration::ZERO));
}

/// RFC 7323 §4.1: beyond a gap the peer echoes what came before the gap. Reported by SACK and sent twice, it times nothing.
#[test]
fn the_echo_of_a_retransmission_beyond_a_gap_times_nothing() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK, ts 1 -");
    wire.write(1976);
    wire.log(
        "
        > A  1:989      ack 1                            | new-data
        > PA 989:1977   ack 1                            | new-data
        +2ms
        > PA 989:1977   ack 1                            | tail-loss-probe
        +80ms
        < A  1          ack 1   <sack 989:1977, ts 2 1>
        > A  1:989      ack 1                            | retransmit-by-rack
        ",
    );
    assert_eq!(wire.snapshot().srtt, Some(Duration::ZERO));
}

/// RFC 7323 §4.3: an echo that cannot be ours, a day old or of nothing, is not believed. What was sent twice stays untimed.
#[test]
fn an_echo_that_makes_no_sense_times_nothing() {
    const DAY: i64 = 24 * 3600 * 1000;
    for (echo, srtt) in [(208 - DAY, 0), (208 - DAY + 1, DAY as u64 * 1_000_000 - 1_000_000)] {
        let mut wire = Wire::open_with(&config(), "mss 1000, ts 1 -");
        wire.write(100);
        wire.log("> PA 1:101 ack 1 | new-data\n +200ms\n > PA 1:101 ack 1 | retransmit-by-timer\n +8ms");
        wire.receive(&format!("A 1 ack 101 <ts 1 {echo}>"));
        assert_eq!(wire.snapshot().srtt, Some(Duration::from_nanos(srtt / 8)), "{echo}");
    }
}

/// Whoever routes our packets may conclude that they arrive (RFC 4861 §7.3.1), but only from what is new.
#[test]
fn the_engine_says_which_arrivals_acknowledge_something_new() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.take_sent();
    let (una, next) = (wire.snapshot().snd_una.expect("known"), wire.snapshot().snd_nxt.expect("known"));
    let mut hears = |ack: SeqNum| {
        let flags = TcpFlags::ACK;
        let segment = Segment { seq: wire.peer_iss + 1, ack, flags, window: u16::MAX, ..Segment::default() };
        wire.engine.receive(wire.now, Arrival { ends: wire.ends, segment, packet: PacketId(1) })
    };
    assert_eq!([una, next, next, una].map(&mut hears), [false, true, false, false]);
}

/// A cork is drawn by the application, not by an acknowledgment.
#[test]
fn an_acknowledgment_draws_no_cork() {
    let mut wire = Wire::open();
    wire.set(SocketOption::Cork(true));
    wire.write(1010);
    wire.log("> A 1:1001 ack 1 | new-data\n < A 1 ack 1001\n +200ms\n > PA 1001:1011 ack 1 | new-data");
}

/// RFC 5482: patience is with the peer. While nothing waits, or only for us, it does not run out.
#[test]
fn patience_with_a_small_window_runs_only_while_something_waits_for_it() {
    let config = Config { user_timeout: Some(Duration::from_millis(100)), ..config() };
    let mut wire = Wire::open_with(&config, "mss 1000");
    wire.log("< A 1 ack 1 win 0\n +10s");
    assert_eq!(wire.state(), TcpState::Established);

    let mut wire = Wire::open_with(&config, "mss 1000");
    wire.log("< A 1 ack 1 win 10");
    wire.set(SocketOption::Cork(true));
    wire.write(10);
    wire.log("+200ms\n > PA 1:11 ack 1 | new-data\n < A 1 ack 11");
}

/// The journal tells when the window grows, and only then.
#[test]
fn the_journal_tells_how_the_window_grows() {
    let mut wire = Wire::open();
    wire.write(10_000);
    assert_eq!(wire.take_sent().len(), 10);
    let mut told = |log: &str| {
        wire.receive(log);
        let grown = wire.journal().into_iter().filter_map(|event| match event {
            Event::CongestionWindow { cwnd, cause, .. } => Some((cwnd, cause)),
            _ => None,
        });
        grown.collect::<Vec<_>>()
    };
    assert_eq!(told("A 1 ack 2001"), [(12_000, CwndCause::SlowStart)]);
    assert_eq!(told("A 1 ack 2001 win 30000"), []);
}
