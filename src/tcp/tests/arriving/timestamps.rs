//! Timestamps in what arrives: what is too old, and what is echoed (RFC 7323 §4.3, §5).

use std::time::Duration;

use super::{Wire, config};
use crate::journal::{DropReason, TcpState};
use crate::transport::SocketOption;

/// PAWS (RFC 7323 §5.3 R1); packetimpact 13: a segment older than one that was seen is answered and not taken.
#[test]
fn a_segment_with_an_old_timestamp_is_refused() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
    wire.log(
        "
        < A  1:101   ack 1   <ts 1010 0>
        > A  1       ack 101 <ts 0 1010>      | acknowledge
        < A  101:201 ack 1   <ts 1009 0>
        > A  1       ack 101 <ts 0 1010>      | answer-unacceptable
        < A  101:201 ack 1   <ts 1010 0>
        > A  1       ack 201 <ts 0 1010>      | acknowledge
        ",
    );
    assert!(wire.drops().contains(&DropReason::OldTimestamp));
}

/// RFC 7323 §5.2: the clock wraps like sequence numbers do. The peer's first stamp is just before the wrap.
#[test]
fn timestamps_wrap() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 4294967290 -");
    wire.take_sent();
    wire.log(
        "
        < A  1:101   ack 1   <ts 4294967295 0>
        > A  1       ack 101 <ts 0 -1>        | acknowledge
        < A  101:201 ack 1   <ts 3 0>
        > A  1       ack 201 <ts 0 3>         | acknowledge
        ",
    );
}

/// RFC 7323 §5.5: after more than 24 days of silence a stamp that seems old may be new.
#[test]
fn after_24_days_of_silence_timestamps_begin_anew() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    for (silence, last, ack, echo, reason) in [
        (DAY * 24, 101, 1, 1000, "answer-unacceptable"),
        (DAY * 24 + Duration::from_millis(1), 101, 101, 5, "acknowledge"),
    ] {
        let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
        wire.wait(silence);
        let now = silence.as_millis();
        wire.log(&format!("< A 1:{last} ack 1 <ts 5 0>\n > A 1 ack {ack} <ts {now} {echo}> | {reason}"));
    }
}

/// RFC 7323 §5.2: a reset is never judged by its timestamp; most have none.
#[test]
fn a_reset_needs_no_timestamp() {
    for stamp in ["", "<ts 1 0>"] {
        let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
        wire.log(&format!("< R 1 {stamp}"));
        assert_eq!(wire.state(), TcpState::Closed);
    }
}

/// RFC 7323 §4.3: the stamp to echo is that of the earliest segment not yet acknowledged: of the first of two with one
/// delayed ACK, and not of one beyond a gap.
#[test]
fn the_echoed_timestamp_is_that_of_the_earliest_unacknowledged_segment() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 1000 -");
    wire.set(SocketOption::QuickAck(false));
    wire.log(
        "
        <  A 1:101     ack 1    <ts 1010 0>
        <  A 101:1101  ack 1    <ts 1020 0>
        >  A 1         ack 1101 <ts 0 1010>   | acknowledge
        <  A 2101:3101 ack 1    <ts 1030 0>
        >  A 1         ack 1101 <ts 0 1010>   | duplicate-ack
        ",
    );
}
