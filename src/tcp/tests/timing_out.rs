//! The retransmission timer fires: RFC 6298 §5, RFC 5681 §3.1.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::Recovery;
use crate::tcp::Config;

/// RFC 5681 §3.1, equation 4: half of what is in flight, and what SACK has reported is there no more. (RFC 6675 §4: pipe.)
#[test]
fn a_time_out_amid_recovery_does_not_raise_the_threshold() {
    let mut wire = Wire::open_with(&config(), "mss 1000, sackOK");
    wire.write(40_000);
    assert_eq!(wire.take_sent().len(), 10);
    // The first is lost, and so is what is sent again for it; the rest arrives, and new data leaves in its place.
    for reported in (4001..=30_001).step_by(1000) {
        wire.receive(&format!("A 1 ack 1 <sack 1001:{reported}>"));
        wire.take_sent();
    }
    assert_eq!((wire.recovery(), wire.ssthresh()), (Recovery::FastRecovery, 5));
    wire.until_sent();
    assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!((wire.recovery(), wire.cwnd()), (Recovery::Loss, 1));
    assert!(wire.ssthresh() <= 5, "{}", wire.ssthresh());
}

/// A connection that opens after its SYN was sent again so many times; nothing in it tells how long the path is.
fn opened_after(time_outs: u32) -> Wire {
    let mut wire = Wire::connecting(&Config { timestamps: false, ..config() });
    wire.log("> S 0 | active-open");
    for nth in 0..time_outs {
        wire.log(&format!("+{}s\n > S 0 | retransmit-by-timer", 1 << nth));
    }
    wire.log("< SA 0 ack 1 <mss 1000>\n > A 1 ack 1 | complete-open");
    wire
}

/// RFC 6298 §5.7: the time-out for data is three seconds then.
#[test]
fn after_a_handshake_that_timed_out_data_waits_for_three_seconds() {
    let mut wire = opened_after(1);
    assert_eq!(wire.rto(), Duration::from_secs(3));
    wire.write(100);
    wire.log("> PA 1:101 ack 1 | new-data\n +3s\n > PA 1:101 ack 1 | retransmit-by-timer");
    wire.receive("A 1 ack 101");
}

/// Karn's algorithm: our SYN,ACK has gone twice, and its acknowledgment times neither. No time-out, no longer wait.
#[test]
fn a_handshake_that_was_repeated_without_a_time_out_keeps_the_first_time_out() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0           <mss 1000>
        > SA 0  ack 1               | answer-open
        < S  0           <mss 1000>
        > SA 0  ack 1               | answer-open
        < A  1  ack 1
        ",
    );
    wire.accept();
    assert_eq!((wire.snapshot().srtt, wire.rto()), (None, Duration::from_secs(1)));
}

/// RFC 5681 §3.1, RFC 6928 §3: one SYN that is lost says little, two say congestion.
#[test]
fn a_handshake_that_lost_more_than_one_segment_begins_with_a_window_of_one() {
    assert_eq!([0, 1, 2, 3].map(|time_outs| opened_after(time_outs).cwnd()), [10, 10, 1, 1]);
}
