//! Time passes: retransmission, patience, keep-alive (RFC 6298, RFC 9293 §3.8.1, §3.8.3, §3.8.4).

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::TcpState;
use crate::packet::DeliveryError;
use crate::tcp::Config;
use crate::transport::{CloseReason, SocketError, SocketEvent, SocketOption};

/// RFC 6298 §5.4, §5.5; MUST-19; packetimpact 17: the same segment again, each time after twice as long.
#[test]
fn unacknowledged_data_is_sent_again_after_ever_longer_waits() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.log(
        "
        > PA 1:101  ack 1    | new-data
        +200ms
        > PA 1:101  ack 1    | retransmit-by-timer
        +400ms
        > PA 1:101  ack 1    | retransmit-by-timer
        +800ms
        > PA 1:101  ack 1    | retransmit-by-timer
        < A  1      ack 101
        +10min
        ",
    );
}

/// RFC 6298 §2.5: the wait stays below its ceiling; MUST-20: after R2 the connection is closed, well after 100 s (SHLD-11).
#[test]
fn data_that_is_never_acknowledged_ends_the_connection() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.take_sent();
    let mut waits = Vec::new();
    while let Some(wait) = wire.until_sent() {
        wire.take_sent();
        waits.push(wait.as_millis());
    }
    assert_eq!((waits.len(), waits[9], waits[14]), (15, 102_400, 120_000));
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::TimedOut)));
    assert!(wire.now.as_nanos() > 100_000_000_000);
    assert_eq!(wire.try_write(1), Err(SocketError::Ended(CloseReason::TimedOut)));
}

/// MUST-21, RFC 5482; packetimpact 24: the user sets R2. It counts from the data that waits, and progress starts it anew.
#[test]
fn the_user_may_say_when_to_give_up() {
    let mut wire = Wire::open();
    wire.set(SocketOption::UserTimeout(Some(Duration::from_secs(3))));
    wire.wait(Duration::from_secs(10));
    wire.write(200);
    wire.log("> PA 1:201 ack 1 | new-data\n +150ms\n < A 1 ack 101");
    let progress = wire.now;
    while wire.until_sent().is_some() {
        wire.take_sent();
    }
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::TimedOut)));
    assert_eq!(wire.now - progress, Duration::from_secs(3));
}

/// The other half of packetimpact 24: nothing unacknowledged, no end.
#[test]
fn patience_does_not_run_out_while_nothing_waits() {
    let mut wire = Wire::open_with(&Config { user_timeout: Some(Duration::from_secs(3)), ..config() }, "mss 1000");
    wire.write(100);
    wire.log("> PA 1:101 ack 1 | new-data\n < A 1 ack 101\n +10min");
    assert_eq!(wire.state(), TcpState::Established);
}

/// MUST-18, Karn's algorithm (RFC 6298 §3, §5): the ACK of what went twice times nothing, and the longer time-out stays
/// until something that went once is acknowledged.
#[test]
fn an_ack_of_what_was_sent_twice_is_no_measurement() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.log(
        "
        > PA 1:101    ack 1    | new-data
        +200ms
        > PA 1:101    ack 1    | retransmit-by-timer
        +1ms
        < A  1        ack 101
        ",
    );
    assert_eq!((wire.snapshot().srtt, wire.rto().as_millis()), (Some(Duration::ZERO), 400));
    wire.write(100);
    wire.log("> PA 101:201 ack 1 | new-data\n +8ms\n < A 1 ack 201");
    assert_eq!((wire.snapshot().srtt, wire.rto().as_millis()), (Some(Duration::from_millis(1)), 201));
}

/// RFC 7323 §4.1: an echoed timestamp says which of the copies is acknowledged.
#[test]
fn an_echoed_timestamp_times_even_what_was_sent_twice() {
    let mut wire = Wire::open_with(&config(), "mss 1000, ts 1 -");
    wire.write(100);
    wire.log(
        "
        > PA 1:101    ack 1           | new-data
        +200ms
        > PA 1:101    ack 1           | retransmit-by-timer
        +8ms
        < A  1        ack 101 <ts 1 200>
        ",
    );
    assert_eq!((wire.snapshot().srtt, wire.rto().as_millis()), (Some(Duration::from_millis(1)), 201));
}

/// RFC 6298 §2.2, §2.3, with the floor of 200 ms beside SRTT as in Linux.
#[test]
fn the_time_out_follows_the_round_trip() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n +100ms\n < A 1 ack 1");
    wire.accept();
    let times = |wire: &Wire| {
        let snapshot = wire.snapshot();
        [snapshot.srtt, snapshot.rttvar, snapshot.rto]
    };
    let micros = |values: [u64; 3]| values.map(|value| Some(Duration::from_micros(value)));
    assert_eq!(times(&wire), micros([100_000, 50_000, 300_000]));
    wire.write(10);
    wire.log("> PA 1:11 ack 1 | new-data\n +180ms\n < A 1 ack 11");
    assert_eq!(times(&wire), micros([110_000, 57_500, 340_000]));
}

/// RFC 6298 §5.3: each ACK of new data gives what is left a whole time-out again.
#[test]
fn progress_restarts_the_timer() {
    let mut wire = Wire::open();
    wire.write(2000);
    wire.log(
        "
        > A  1:1001     ack 1      | new-data
        > PA 1001:2001  ack 1      | new-data
        < A  1          ack 1001
        +200ms
        > PA 1001:2001  ack 1      | retransmit-by-timer
        ",
    );
}

/// RFC 5681 §3.1: after a time-out one segment goes, and with the acknowledgments all that was in flight, in order.
#[test]
fn after_a_time_out_all_goes_again_in_order() {
    let mut wire = Wire::open();
    wire.write(4000);
    assert_eq!(wire.take_sent().len(), 4);
    wire.log(
        "
        +200ms
        > A  1:1001     ack 1      | retransmit-by-timer
        < A  1          ack 1001
        > A  1001:2001  ack 1      | retransmit-after-timer
        > A  2001:3001  ack 1      | retransmit-after-timer
        < A  1          ack 4001
        +10min
        ",
    );
}

/// An acknowledgment in the middle of a segment leaves the rest of it.
#[test]
fn only_what_was_not_acknowledged_is_sent_again() {
    let mut wire = Wire::open();
    wire.write(1000);
    wire.log(
        "
        > PA 1:1001    ack 1     | new-data
        < A  1         ack 401
        +200ms
        > PA 401:1001  ack 1     | retransmit-by-timer
        ",
    );
}

/// packetimpact 4: a FIN that is not acknowledged goes again, in FIN-WAIT-1 and in CLOSING, whatever the peer sends.
#[test]
fn fin_in_flight_is_retransmitted_after_timeout() {
    let mut wire = Wire::open();
    wire.shutdown();
    wire.log(
        "
        > FA 1      ack 1        | close
        +200ms
        > FA 1      ack 1        | retransmit-by-timer
        < PA 1:11   ack 1
        > A  2      ack 11       | acknowledge
        +400ms
        > FA 1      ack 11       | retransmit-by-timer
        < FA 11     ack 1
        > A  2      ack 12       | acknowledge-close
        ",
    );
    assert_eq!(wire.state(), TcpState::Closing);
    wire.log("+800ms\n > FA 1 ack 12 | retransmit-by-timer\n < A 12 ack 2");
    assert_eq!(wire.state(), TcpState::TimeWait);
}

/// MUST-47, MUST-56: what the network reports about an open connection is told and ends nothing; when the peer stays
/// silent it is the explanation (RFC 9293 §3.9.2.2, SHLD-25). packetimpact 10.
#[test]
fn a_report_about_an_open_connection_is_soft() {
    let soft = [
        DeliveryError::NetworkUnreachable,
        DeliveryError::HostUnreachable,
        DeliveryError::SourceRouteFailed,
        DeliveryError::HopsExceeded,
        DeliveryError::ReassemblyTimeExceeded,
        DeliveryError::ParameterProblem { pointer: 20 },
    ];
    for error in soft {
        let mut wire = Wire::open();
        wire.write(100);
        wire.log("> PA 1:101 ack 1 | new-data");
        wire.undelivered(1, error);
        assert_eq!(wire.state(), TcpState::Established, "{error}");
        let socket = wire.socket();
        assert_eq!(wire.engine.take_error(socket), Some(error));
        wire.undelivered(1, error);
        while wire.until_sent().is_some() {
            wire.take_sent();
        }
        let end = CloseReason::Unreachable(error);
        assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, end)));
    }
}

/// MUST-54: a report is for the connection whose segment it quotes, and only while that is in flight (RFC 5927 §4.1).
#[test]
fn a_report_about_nothing_in_flight_is_ignored() {
    let mut wire = Wire::open();
    wire.write(100);
    wire.log("> PA 1:101 ack 1 | new-data\n < A 1 ack 101");
    for seq in [0, 1, 100, 101, 5000] {
        wire.undelivered(seq, DeliveryError::HostUnreachable);
    }
    let socket = wire.socket();
    assert_eq!(wire.engine.take_error(socket), None);
    let before = wire.ends;
    wire.peer_port(4999);
    wire.undelivered(1, DeliveryError::HostUnreachable);
    wire.ends = before;
    assert_eq!(wire.engine.take_error(socket), None);
}

/// MUST-25: nobody asks, nobody probes.
#[test]
fn an_idle_connection_is_silent_by_default() {
    let mut wire = Wire::open();
    wire.log("+100000s");
    assert_eq!(wire.state(), TcpState::Established);
}

/// MUST-24, MUST-27: on request, after the time that is asked for; an answer starts it anew.
#[test]
fn an_idle_connection_is_probed_on_request() {
    let mut wire = Wire::open();
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(60))));
    wire.log(
        "
        +60s
        > A 0   ack 1     | keep-alive
        +10ms
        < A 1   ack 1
        +60s
        > A 0   ack 1     | keep-alive
        < R 1
        ",
    );
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::Reset)));
}

/// An active open counts as much as what arrives later: the silence begins with it.
#[test]
fn a_connection_that_never_carried_anything_is_probed_too() {
    let mut wire = Wire::connecting(&Config { keep_alive: Some(Duration::from_secs(60)), ..config() });
    wire.log("> S 0 | active-open\n +1s\n > S 0 | retransmit-by-timer");
    wire.log("< SA 0 ack 1 <mss 1000>\n > A 1 ack 1 | complete-open");
    assert_eq!(wire.snapshot().last_data_received, Some(wire.now));
    wire.log("+60s\n > A 0 ack 1 | keep-alive");
}

/// MUST-26: only when nothing has come for the whole interval, and not while data in flight asks the same.
#[test]
fn a_connection_that_is_not_idle_is_not_probed() {
    let mut wire = Wire::open();
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(60))));
    wire.log("+59s\n < PA 1:11 ack 1\n > A 1 ack 11 | acknowledge\n +59s\n < A 11 ack 1\n +59s");
    wire.write(10);
    wire.log("> PA 1:11 ack 11 | new-data");
    for _ in 0..9 {
        wire.until_sent();
        assert_eq!(wire.next_sent(), "PA 1:11 ack 11 | retransmit-by-timer");
    }
}

/// MUST-29: one probe without an answer is not the end; nine by default are. The peer is told.
#[test]
fn a_connection_ends_after_several_unanswered_probes() {
    let mut wire = Wire::open();
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(60))));
    wire.set(SocketOption::KeepAliveInterval(Duration::from_secs(10)));
    wire.log("+60s\n > A 0 ack 1 | keep-alive");
    for _ in 1..9 {
        wire.log("+10s\n > A 0 ack 1 | keep-alive");
        assert_eq!(wire.state(), TcpState::Established);
    }
    wire.log("+10s\n > RA 1 ack 1 | give-up");
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::TimedOut)));
}

/// MUST-26: what counts is what the peer has sent. Segments that are not acceptable may be anybody's.
#[test]
fn guessed_segments_do_not_keep_a_dead_peer_alive() {
    let mut wire = Wire::open();
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(60))));
    wire.set(SocketOption::KeepAliveInterval(Duration::from_secs(10)));
    wire.log("+60s\n > A 0 ack 1 | keep-alive");
    for _ in 1..9 {
        wire.log(
            "
            +5s
            < A 900000   ack 1
            > A 1        ack 1     | answer-unacceptable
            +5s
            > A 0        ack 1     | keep-alive
            ",
        );
    }
    wire.log("+10s\n > RA 1 ack 1 | give-up");
}

/// MUST-26 in FIN-WAIT-2, where the peer still sends: its data is the life sign, and there is nothing to ask.
#[test]
fn a_half_closed_connection_is_probed_when_it_is_idle() {
    let mut wire = Wire::open();
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(60))));
    wire.shutdown();
    wire.log("> FA 1 ack 1 | close\n < A 1 ack 2");
    assert_eq!(wire.state(), TcpState::FinWait2);
    wire.log(
        "
        +50s
        < PA 1:11   ack 2
        > A  2      ack 11    | acknowledge
        +59s
        +1s
        > A  1      ack 11    | keep-alive
        ",
    );
}

/// A FIN that was long in flight asks the same as a probe would; afterwards the probes go on.
#[test]
fn probes_outlive_a_slow_close() {
    let mut wire = Wire::open();
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(1))));
    wire.shutdown();
    wire.log("> FA 1 ack 1 | close");
    for _ in 0..3 {
        wire.until_sent();
        assert_eq!(wire.next_sent(), "FA 1 ack 1 | retransmit-by-timer");
    }
    wire.log("< A 1 ack 2");
    assert_eq!(wire.state(), TcpState::FinWait2);
    assert!(wire.until_sent().is_some_and(|wait| wait <= Duration::from_secs(2)));
    assert_eq!(wire.next_sent(), "A 1 ack 1 | keep-alive");
}

/// However short the idle time that is asked for, time goes on.
#[test]
fn an_idle_time_of_nothing_does_not_stop_the_clock() {
    let mut wire = Wire::open();
    wire.set(SocketOption::KeepAlive(Some(Duration::ZERO)));
    wire.write(10);
    wire.take_sent();
    wire.set(SocketOption::KeepAlive(Some(Duration::ZERO)));
    wire.until_sent();
    assert_eq!(wire.next_sent(), "PA 1:11 ack 1 | retransmit-by-timer");
}
