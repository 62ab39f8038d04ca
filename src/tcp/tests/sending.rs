//! What is sent, and when (RFC 9293 §3.7, §3.8.5, §3.8.6).

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::TcpState;
use crate::tcp::Config;
use crate::transport::{CloseReason, SocketEvent, SocketOption};

/// Nagle's algorithm (RFC 9293 §3.7.4, SHLD-7): while something small is in flight, small things wait and grow.
#[test]
fn small_pieces_wait_until_the_last_small_one_is_acknowledged() {
    let mut wire = Wire::open();
    wire.write(10);
    wire.log("> PA 1:11 ack 1 | new-data");
    wire.write(10);
    wire.write(10);
    wire.log("< A 1 ack 11\n > PA 11:31 ack 1 | new-data");
}

/// A full segment never waits for Nagle.
#[test]
fn a_full_segment_goes_at_once() {
    let mut wire = Wire::open();
    wire.write(10);
    wire.log("> PA 1:11 ack 1 | new-data");
    wire.write(1000);
    wire.log("> PA 11:1011 ack 1 | new-data");
}

/// MUST-17.
#[test]
fn nagle_can_be_switched_off() {
    let mut wire = Wire::open();
    wire.set(SocketOption::NoDelay(true));
    wire.write(10);
    wire.write(10);
    wire.log("> PA 1:11 ack 1 | new-data\n > PA 11:21 ack 1 | new-data");
}

/// packetimpact 3: what is corked fills segments; the rest goes when the cork is drawn.
#[test]
fn corked_pieces_become_full_segments() {
    let mut wire = Wire::open();
    wire.set(SocketOption::Cork(true));
    for _ in 0..3 {
        wire.write(400);
    }
    wire.log("> A 1:1001 ack 1 | new-data");
    wire.set(SocketOption::Cork(false));
    wire.log("> PA 1001:1201 ack 1 | new-data");
}

/// MUST-60: nothing is kept back for ever, corked or not.
#[test]
fn a_cork_holds_for_two_hundred_milliseconds() {
    let mut wire = Wire::open();
    wire.set(SocketOption::Cork(true));
    wire.write(10);
    wire.log("+200ms\n > PA 1:11 ack 1 | new-data");
}

/// MUST-61: the last segment of what there is to send says so.
#[test]
fn the_last_segment_is_pushed() {
    let mut wire = Wire::open();
    wire.write(2500);
    wire.log(
        "
        > A  1:1001     ack 1   | new-data
        > A  1001:2001  ack 1   | new-data
        > PA 2001:2501  ack 1   | new-data
        ",
    );
}

/// MUST-30, MUST-31, MUST-62: the pointer is the offset of the octet after the urgent data, as far as 16 bits reach.
#[test]
fn urgent_data_of_any_length_is_pointed_at() {
    let mut wire = Wire::open_with(&Config { send_buffer: 100_000, initial_window: 2, ..config() }, "mss 1000");
    wire.write_urgent(70_000);
    wire.log(
        "
        > AU  1:1001     ack 1 urg 65535  | new-data
        > AU  1001:2001  ack 1 urg 65535  | new-data
        ",
    );
    let mut wire = Wire::open();
    wire.write(10);
    wire.write_urgent(10);
    wire.log("> PA 1:11 ack 1 | new-data\n < A 1 ack 11\n > PAU 11:21 ack 1 urg 10 | new-data");
    wire.write(10);
    wire.log("< A 1 ack 21\n > PA 21:31 ack 1 | new-data");
}

/// MUST-32, MUST-33: the application hears of urgent data, and how much is left until its end.
#[test]
fn the_application_hears_how_far_urgent_data_reaches() {
    let mut wire = Wire::open();
    wire.log("< PAU 1:11 ack 1 urg 25\n > A 1 ack 11 | acknowledge");
    let socket = wire.socket();
    assert!(wire.events().contains(&SocketEvent::Urgent(socket)));
    assert_eq!(wire.snapshot().urgent, Some(25));
    wire.read();
    assert_eq!(wire.snapshot().urgent, Some(15));
    wire.log("< PA 11:41 ack 1\n > A 1 ack 41 | acknowledge");
    assert!(!wire.events().contains(&SocketEvent::Urgent(socket)));
    wire.read();
    assert_eq!(wire.snapshot().urgent, None);
}

/// MUST-38: a crumb of window is not worth a segment while more may come …
#[test]
fn a_crumb_of_window_is_not_used_at_once() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 300");
    wire.write(2000);
    wire.log(
        "
        +100ms
        < A  1       ack 1  win 2000
        > A  1:1001  ack 1              | new-data
        > PA 1001:2001 ack 1            | new-data
        ",
    );
}

/// … but when nothing more comes for a time-out, it is (RFC 9293 §3.8.6.2.1, the fourth case).
#[test]
fn a_crumb_of_window_is_used_when_no_more_comes() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 300");
    wire.write(2000);
    wire.log(
        "
        +200ms
        > A  1:301   ack 1              | new-data
        < A  1       ack 301  win 300
        +200ms
        > A  301:601 ack 1              | new-data
        < A  1       ack 601  win 300
        ",
    );
}

/// MUST-38 with a peer whose windows are always small: half the greatest one is worth a segment.
#[test]
fn half_of_a_small_window_is_worth_a_segment() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< S 0 win 800 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1 win 800");
    wire.accept();
    wire.write(2000);
    wire.log(
        "
        > A 1:801    ack 1             | new-data
        < A 1        ack 801  win 300
        < A 1        ack 801  win 400
        > A 801:1201 ack 1             | new-data
        ",
    );
}

/// MUST-34; packetimpact 25: a window that shrinks below what is in flight stops new data, and what was sent may still
/// be acknowledged.
#[test]
fn a_window_that_shrinks_does_no_harm() {
    let mut wire = Wire::open();
    wire.write(5000);
    assert_eq!(wire.take_sent().len(), 5);
    wire.write(1000);
    assert_eq!(wire.take_sent().len(), 1);
    wire.write(1000);
    assert_eq!(wire.take_sent().len(), 1);
    wire.log("< A 1 ack 1001 win 2000");
    wire.write(1000);
    wire.log(
        "
        +200ms
        > A  1001:2001 ack 1            | retransmit-by-timer
        < A  1         ack 7001 win 5000
        > PA 7001:8001 ack 1            | new-data
        ",
    );
}

/// MUST-35, and RFC 9293 §3.8.6: a window that shrinks to zero is probed by what is in flight, and a peer that answers
/// is never given up.
#[test]
fn a_window_that_shrinks_to_zero_does_not_end_the_connection() {
    let mut wire = Wire::open();
    wire.write(1000);
    wire.log("> PA 1:1001 ack 1 | new-data\n < A 1 ack 1 win 0");
    for _ in 0..40 {
        assert!(wire.until_sent().is_some());
        assert_eq!(wire.next_sent(), "PA 1:1001 ack 1 | retransmit-by-timer");
        wire.log("< A 1 ack 1 win 0");
    }
    assert_eq!(wire.state(), TcpState::Established);
}

/// MUST-35, MUST-36, MUST-37, SHLD-29, SHLD-30; packetimpact 27, 28: the first probe after one time-out, the next after
/// twice that and so on, for ever while they are answered.
#[test]
fn a_closed_window_is_probed_ever_more_slowly_and_for_ever() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    wire.write(100);
    let mut spans = Vec::new();
    for _ in 0..40 {
        spans.extend(wire.until_sent().map(|span| span.as_millis()));
        assert_eq!(wire.next_sent(), "A 0 ack 1 | zero-window-probe");
        wire.log("< A 1 ack 1 win 0");
    }
    assert_eq!(spans[..6], [200, 400, 800, 1600, 3200, 6400]);
    assert_eq!((spans.len(), spans[39]), (40, 120_000));
    wire.log("< A 1 ack 1 win 500\n > PA 1:101 ack 1 | new-data");
}

/// A window's probes that nobody answers end like any other silence.
#[test]
fn a_closed_window_of_a_silent_peer_is_given_up() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    wire.write(100);
    let mut probes = 0;
    while wire.until_sent().is_some() {
        wire.take_sent();
        probes += 1;
    }
    let socket = wire.socket();
    assert_eq!((probes, wire.events().last()), (15, Some(&SocketEvent::Closed(socket, CloseReason::TimedOut))));
}

/// packetimpact 29: the user's patience bounds the wait for a window, too, whether or not the peer answers (RFC 5482).
#[test]
fn the_users_patience_with_a_closed_window_is_bounded() {
    for answers in [true, false] {
        let patience = Some(Duration::from_secs(3));
        let mut wire = Wire::open_with(&Config { user_timeout: patience, ..config() }, "mss 1000");
        wire.log("< A 1 ack 1 win 0");
        wire.write(100);
        while wire.until_sent().is_some() && wire.now.as_nanos() < 60_000_000_000 {
            wire.take_sent();
            if answers {
                wire.log("< A 1 ack 1 win 0");
            }
        }
        let socket = wire.socket();
        assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::TimedOut)), "{answers}");
        assert_eq!(wire.now.as_nanos(), 3_000_000_000);
    }
}

/// A FIN needs a place in the window, too.
#[test]
fn a_fin_waits_for_a_closed_window() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    wire.shutdown();
    wire.log(
        "
        +200ms
        > A  0      ack 1           | zero-window-probe
        < A  1      ack 1 win 10
        > FA 1      ack 1           | close
        ",
    );
}

/// A full segment may have a FIN, too, and is sent again with it.
#[test]
fn a_fin_that_rode_on_a_full_segment_rides_on_it_again() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    wire.write(1000);
    wire.shutdown();
    wire.log(
        "< A 1 ack 1 win 5000\n > FPA 1:1001 ack 1 | last-data\n +200ms\n > FPA 1:1001 ack 1 | retransmit-by-timer",
    );
}

/// So it stays behind when the last data fills the window.
#[test]
fn a_fin_does_not_follow_data_that_fills_the_window() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 100");
    wire.set(SocketOption::Cork(true));
    wire.write(100);
    wire.shutdown();
    wire.log("> PA 1:101 ack 1 | new-data\n < A 1 ack 101 win 100\n > FA 101 ack 1 | close");
}

/// MUST-34: what is to go again waits for the window, too; only what stands at SND.UNA asks whether it has opened.
#[test]
fn what_is_lost_beyond_a_window_that_shrank_waits_for_it() {
    let mut wire = Wire::open();
    wire.write(5000);
    assert_eq!(wire.take_sent().len(), 5);
    wire.log(
        "
        +200ms
        > A  1:1001     ack 1               | retransmit-by-timer
        < A  1          ack 1001  win 1000
        > A  1001:2001  ack 1               | retransmit-after-timer
        < A  1          ack 2001  win 5000
        > A  2001:3001  ack 1               | retransmit-after-timer
        > A  3001:4001  ack 1               | retransmit-after-timer
        ",
    );
}

/// As Linux sizes them: a burst is what the path takes in about a millisecond at twice the rate of slow start, a little
/// more where the path is short, and two segments at least.
#[test]
fn a_burst_is_as_long_as_the_path_takes_in_a_millisecond() {
    for (round_trip, initial_window, segments) in [(4, 440, 219), (5, 300, 118), (20, 1000, 97), (200, 100, 2)] {
        let config = Config { initial_window, send_buffer: 1 << 20, ..Config::default() };
        let mut wire = Wire::listening(0, &config);
        wire.log(&format!("< S 0 <mss 100, ws 8>\n > SA 0 ack 1 | answer-open\n +{round_trip}ms\n < A 1 ack 1"));
        wire.accept();
        wire.write(200_000);
        assert_eq!(wire.take_sent()[0].segment.len(), 100 * segments, "{round_trip} ms");
    }
}

/// A super-segment and its headers fit into the 65,535 octets of an IP packet, with all the options that they may have.
#[test]
fn the_largest_super_segment_fits_into_one_packet() {
    let config = Config { initial_window: 4000, send_buffer: 1 << 20, ..Config::default() };
    let mut wire = Wire::open_with(&config, "mss 100, ws 4");
    wire.log("< A 1 ack 1 win 65535");
    wire.write(200_000);
    let longest = wire.take_sent().iter().map(|sent| sent.segment.len()).max();
    assert_eq!(longest, Some((65_535 - 60 - 60) / 100 * 100));
}

/// RFC 9293 §3.10.4: a FIN follows what is queued, in the same segment when there is room.
#[test]
fn a_fin_rides_on_the_last_data() {
    let mut wire = Wire::open();
    wire.set(SocketOption::Cork(true));
    wire.write(100);
    wire.shutdown();
    wire.log("> FPA 1:101 ack 1 | last-data");
}

/// What finds no room in the send buffer is not taken, and the writer hears when there is room again.
#[test]
fn a_full_send_buffer_takes_no_more_until_acknowledged() {
    let mut wire = Wire::open_with(&Config { send_buffer: 3000, ..config() }, "mss 1000");
    assert_eq!(wire.try_write(5000), Ok(3000));
    assert_eq!((wire.take_sent().len(), wire.try_write(1)), (3, Ok(0)));
    let socket = wire.socket();
    wire.events();
    wire.log("< A 1 ack 501");
    assert_eq!(wire.events(), []);
    wire.log("< A 1 ack 1001");
    assert_eq!(wire.events(), [SocketEvent::Writable(socket)]);
    assert_eq!(wire.try_write(5000), Ok(1000));
    wire.take_sent();
}
