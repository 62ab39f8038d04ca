//! When a receiver answers, and how much room it announces (RFC 9293 §3.8.6, RFC 5681 §4.2).

use super::wire::{Wire, config};
use crate::journal::{Event, Timer};
use crate::tcp::Config;
use crate::transport::SocketOption;

/// A connection that no longer acknowledges at once, as at its start.
fn settled() -> Wire {
    let mut wire = Wire::open();
    wire.set(SocketOption::QuickAck(false));
    wire
}

/// MUST-40: an ACK may wait for company, less than half a second.
#[test]
fn an_ack_waits_forty_milliseconds_for_data_to_ride_on() {
    let mut wire = settled();
    wire.log(
        "
        < PA 1:101  ack 1
        +40ms
        > A  1      ack 101    | acknowledge
        ",
    );
    assert!(Config::default().delayed_ack.is_some_and(|span| span.as_millis() < 500));
}

/// SHLD-19: every second full segment is acknowledged at once.
#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut wire = settled();
    wire.log(
        "
        < A  1:1001     ack 1
        < A  1001:2001  ack 1
        > A  1          ack 2001   | acknowledge
        < A  2001:3001  ack 1
        +40ms
        > A  1          ack 3001   | acknowledge
        ",
    );
}

/// Without quick acknowledgments every second segment is acknowledged at once, however short (as BSD does); with them, but
/// past their number, only full ones count.
#[test]
fn every_second_short_segment_is_acknowledged_at_once_only_without_quick_acks() {
    let mut wire = Wire::open_with(&Config { quick_acks: false, ..config() }, "mss 1000");
    wire.log("< PA 1:11 ack 1\n +10ms\n < PA 11:21 ack 1\n > A 1 ack 21 | acknowledge");
    let mut wire = settled();
    wire.log("< PA 1:11 ack 1\n +10ms\n < PA 11:21 ack 1\n +30ms\n > A 1 ack 21 | acknowledge");
}

/// packetimpact 18: data that goes our way carries the acknowledgment, and none follows.
#[test]
fn an_ack_rides_on_data() {
    let mut wire = settled();
    wire.log("< PA 1:101 ack 1\n +20ms");
    wire.write(50);
    wire.log(
        "
        > PA 1:51   ack 101        | new-data
        < A  101    ack 51
        +1s
        ",
    );
}

/// Data soon after data is a conversation, and acknowledgments wait for the next answer; a FIN answers nothing.
#[test]
fn data_that_goes_both_ways_is_a_conversation() {
    let mut wire = Wire::open();
    wire.log("< PA 1:11 ack 1\n > A 1 ack 11 | acknowledge");
    wire.write(10);
    wire.log("> PA 1:11 ack 11 | new-data\n < PA 11:21 ack 11\n +40ms\n > A 11 ack 21 | acknowledge");

    let mut wire = Wire::open();
    wire.log("< PA 1:11 ack 1\n > A 1 ack 11 | acknowledge");
    wire.shutdown();
    wire.log("> FA 1 ack 11 | close\n < PA 11:21 ack 2\n > A 2 ack 21 | acknowledge");
}

/// What goes at once anyway takes the acknowledgment along: nothing is left to wait for.
#[test]
fn data_beside_something_that_is_answered_at_once_starts_no_wait() {
    let mut wire = settled();
    wire.journal();
    wire.log("<< A 0 ack 1\n < PA 1:101 ack 1\n > A 1 ack 101 | answer-keep-alive");
    let waits = |event: &Event| matches!(event, Event::TimerSet { timer: Timer::DelayedAck, .. });
    assert!(!wire.journal().iter().any(waits));
}

/// In a conversation the answer may follow what was read; otherwise a reader who has taken all leaves nothing to wait for.
#[test]
fn reading_all_brings_the_acknowledgment_that_waits_unless_an_answer_may_come() {
    let mut wire = Wire::open();
    wire.log("< PA 1:101 ack 1\n > A 1 ack 101 | acknowledge");
    wire.set(SocketOption::QuickAck(false));
    wire.log("< PA 101:201 ack 1");
    assert_eq!(wire.read(), 200);
    wire.log("+40ms\n > A 1 ack 201 | acknowledge\n < PA 201:301 ack 1");
    assert_eq!(wire.read_at_most(99), 99);
    wire.log("+1ms");
    assert_eq!(wire.read(), 1);
    wire.log("> A 1 ack 301 | acknowledge\n +1s");
}

/// The peer's slow start must not be slowed down: the first segments of a connection are acknowledged one by one.
#[test]
fn the_first_segments_are_acknowledged_one_by_one() {
    let mut wire = Wire::open();
    for start in (1..=1501).step_by(100) {
        wire.log(&format!("< A {start}:{end} ack 1\n > A 1 ack {end} | acknowledge", end = start + 100));
    }
    wire.log("< A 1601:1701 ack 1\n +40ms\n > A 1 ack 1701 | acknowledge");
}

/// RFC 5681 §4.2: what fills a gap is acknowledged at once, so that the peer's recovery ends.
#[test]
fn what_fills_a_gap_is_acknowledged_at_once() {
    let mut wire = settled();
    wire.log(
        "
        < A  101:201    ack 1
        > A  1          ack 1      | duplicate-ack
        ",
    );
    wire.set(SocketOption::QuickAck(false));
    wire.log("< A 1:101 ack 1\n > A 1 ack 201 | acknowledge");
}

/// A delayed acknowledgment can be switched off.
#[test]
fn without_delay_each_segment_is_acknowledged() {
    let mut wire = Wire::open_with(&Config { delayed_ack: None, ..config() }, "mss 1000");
    wire.set(SocketOption::QuickAck(false));
    wire.log("< PA 1:2 ack 1\n > A 1 ack 2 | acknowledge\n < PA 2:3 ack 1\n > A 1 ack 3 | acknowledge");
}

/// MUST-39: the window does not open by crumbs; packetimpact 26: it is zero when the buffer is full, and the peer hears
/// when there is room again.
#[test]
fn a_closed_window_opens_by_a_full_segment_at_least() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 4000, ..config() }, "mss 1000");
    wire.log(
        "
        < A  1:2001     ack 1 gso 1000
        > A  1          ack 2001 win 2000   | acknowledge
        < A  2001:4001  ack 1 gso 1000
        > A  1          ack 4001 win 0      | acknowledge
        ",
    );
    for octets in [900, 99] {
        wire.read_at_most(octets);
        wire.log("+1s");
    }
    wire.read_at_most(1);
    wire.log("> A 1 ack 4001 win 1000 | window-update");
}

/// MUST-39 for a tiny buffer: half of it is worth an update.
#[test]
fn half_a_tiny_buffer_is_worth_an_update() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 200, ..config() }, "mss 1000");
    wire.log("< A 1:201 ack 1\n > A 1 ack 201 win 0 | acknowledge");
    wire.read_at_most(99);
    wire.log("+1s");
    wire.read_at_most(1);
    wire.log("> A 1 ack 201 win 100 | window-update");
}

/// SHLD-14: what was promised is kept, even when the application then wants a smaller buffer.
#[test]
fn the_right_edge_of_the_window_never_moves_left() {
    let mut wire = Wire::open();
    wire.set(SocketOption::ReceiveBuffer(1000));
    wire.log(
        "
        < A  1:1001     ack 1
        > A  1          ack 1001 win 64535  | acknowledge
        < A  1001:3001  ack 1
        > A  1          ack 3001 win 62535  | acknowledge
        ",
    );
    assert_eq!(wire.read(), 3000);
    wire.take_sent();
}

/// A larger buffer is announced as soon as something is.
#[test]
fn a_larger_buffer_opens_the_window() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 4000, ..config() }, "mss 1000");
    wire.set(SocketOption::ReceiveBuffer(9000));
    wire.log("< A 1:1001 ack 1\n > A 1 ack 1001 win 8000 | acknowledge");
}

/// packetimpact 26: a window is zero only when there is no room.
#[test]
fn a_window_with_room_is_never_announced_as_zero() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 4000, ..config() }, "mss 1000");
    wire.log(
        "
        < A  1:3001     ack 1
        > A  1          ack 3001 win 1000   | acknowledge
        < A  3001:4000  ack 1
        > A  1          ack 4000 win 1      | acknowledge
        < A  4000:4001  ack 1
        +40ms
        > A  1          ack 4001 win 0      | acknowledge
        ",
    );
}

/// packetimpact 27: a probe of our closed window is answered, whatever it carries.
#[test]
fn probes_of_a_closed_window_are_answered() {
    let mut wire = Wire::open_with(&Config { receive_buffer: 1000, ..config() }, "mss 1000");
    wire.log(
        "
        < A  1:1001     ack 1
        > A  1          ack 1001 win 0      | acknowledge
        < A  1001:1002  ack 1
        > A  1          ack 1001 win 0      | answer-window-probe
        +500ms
        < A  1000       ack 1
        > A  1          ack 1001 win 0      | answer-window-probe
        ",
    );
    assert_eq!(wire.read(), 1000);
    wire.log("> A 1 ack 1001 win 1000 | window-update");
}

/// RFC 9293 §3.8.4: an idle peer's question is answered.
#[test]
fn a_keep_alive_of_the_peer_is_answered() {
    let mut wire = Wire::open();
    wire.log("< A 0 ack 1\n > A 1 ack 1 | answer-keep-alive");
}

/// What a snapshot says of the peer's data: how long its segments are, and when one came last.
#[test]
fn a_snapshot_tells_when_data_last_came_and_in_which_lengths() {
    let mut wire = Wire::open();
    let told = |wire: &Wire| (wire.snapshot().last_data_received, wire.snapshot().rcv_mss);
    let opened = wire.now;
    wire.log("+1s\n < A 1 ack 1 win 500");
    assert_eq!(told(&wire), (Some(opened), Some(536)));
    wire.log("< A 1:1001 ack 1\n > A 1 ack 1001 | acknowledge");
    assert_eq!(told(&wire), (Some(wire.now), Some(1000)));
}

/// RFC 2018 §3: a FIN takes a number as an octet does, and is reported as one when something before it is missing.
#[test]
fn a_fin_beyond_a_gap_is_reported() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.log(
        "
        < FA 2001       ack 1
        > A  1          ack 1  <sack 2001:2002>            | duplicate-ack
        < A  1001:2001  ack 1
        > A  1          ack 1  <sack 1001:2002>            | duplicate-ack
        < A  1:1001     ack 1
        > A  1          ack 2002                           | acknowledge-close
        ",
    );
}

/// … behind other ranges, too; and it is one of its own when it touches none.
#[test]
fn a_fin_is_one_range_among_others() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.log(
        "
        < A  1001:2001  ack 1
        > A  1          ack 1  <sack 1001:2001>            | duplicate-ack
        < FA 5001       ack 1
        > A  1          ack 1  <sack 5001:5002 1001:2001>  | duplicate-ack
        ",
    );
}
