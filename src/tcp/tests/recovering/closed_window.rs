//! A peer whose window closes while octets are missing, and timers that ask other questions (RFC 9293 §3.8.4, §3.8.6.1).

use std::time::Duration;

use super::super::wire::config;
use super::{SACK, open_with, sent, sent_with};
use crate::journal::{Event, Recovery, TcpState, Timer};
use crate::tcp::Config;

/// RFC 9293 §3.8.6.1: what is in flight when the window closes goes on being sent, the oldest segment alone; the persist
/// timer has no part in it while something is in flight. A peer that answers is never given up.
#[test]
fn a_lost_segment_goes_again_into_a_window_that_has_closed() {
    let mut wire = sent_with(&Config { tail_loss_probe: false, retries: 3, ..config() }, SACK, 3);
    wire.write(3000);
    wire.take_sent();
    wire.journal();
    for _ in 0..10 {
        wire.receive("A 1 ack 1 win 0");
        wire.until_sent();
        assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-by-timer");
    }
    let persists = |event: &Event| matches!(event, Event::TimerSet { timer: Timer::Persist, .. });
    assert!(!wire.journal().iter().any(persists));
    assert_eq!(wire.state(), TcpState::Established);
}

/// Once all in flight is acknowledged the persist timer takes over, with the time-out of a path that answers.
#[test]
fn the_persist_timer_follows_when_nothing_is_in_flight() {
    let mut wire = open_with(&config(), SACK);
    wire.log("< A 1 ack 1 win 3000");
    wire.write(5000);
    assert_eq!(wire.take_sent().len(), 3);
    wire.log(
        "
        +40ms
        < A  1          ack 1     win 3000 <sack 1001:3001>
        +10ms
        > A  1:1001     ack 1                               | retransmit-by-rack
        +40ms
        < A  1          ack 3001  win 0
        +210ms
        ",
    );
    assert_eq!(wire.recovery(), Recovery::Open);
    wire.until_sent();
    assert_eq!(wire.next_sent(), "A 3000 ack 1 | zero-window-probe");
    wire.log(
        "< A 1 ack 3001 win 9000\n > A 3001:4001 ack 1 | new-data\n > PA 4001:5001 ack 1 | new-data\n < A 1 ack 5001",
    );
}

/// In fast recovery a window that closes holds back what is new, and not what is lost within it.
#[test]
fn in_recovery_only_new_data_needs_room() {
    let mut wire = open_with(&config(), SACK);
    wire.write(50_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log(
        "
        +40ms
        < A  1          ack 1     win 10000 <sack 2001:10001>
        > A  1:1001     ack 1                                 | retransmit-by-rack
        > A  1001:2001  ack 1                                 | retransmit-by-rack
        ",
    );
}

/// RFC 9293 §3.8.4: no keep-alive while something is in flight: its retransmission asks the same question.
#[test]
fn what_goes_again_is_its_own_keep_alive() {
    let mut wire =
        open_with(&Config { keep_alive: Some(Duration::from_millis(300)), tail_loss_probe: false, ..config() }, SACK);
    wire.write(1000);
    wire.take_sent();
    for _ in 0..4 {
        wire.until_sent();
        assert_eq!(wire.next_sent(), "PA 1:1001 ack 1 | retransmit-by-timer");
    }
    wire.receive("A 1 ack 1001");
    wire.until_sent();
    assert_eq!(wire.next_sent(), "A 1000 ack 1 | keep-alive");
    wire.receive("A 1 ack 1001");
}

/// A probe of the tail is no keep-alive either, and does not count as a time-out.
#[test]
fn a_tail_probe_counts_for_nothing_else() {
    let mut wire = sent(2);
    wire.log("+40ms\n > PA 1001:2001 ack 1 | tail-loss-probe");
    let snapshot = wire.snapshot();
    assert_eq!((snapshot.backoff, snapshot.probes, wire.recovery()), (Some(0), Some(0), Recovery::Open));
    wire.log("< A 1 ack 2001");
}
