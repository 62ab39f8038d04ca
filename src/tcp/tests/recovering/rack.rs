//! RACK (RFC 8985 §6): a segment is lost when one that was sent later has arrived, and reordering can no longer explain it.

use std::time::Duration;

use super::super::wire::{Wire, config};
use super::{SACK, STAMPED, open_with, sent, sent_with, told};
use crate::journal::{Event, Recovery, Timer};
use crate::tcp::Config;

const MS: Duration = Duration::from_millis(1);

/// When the reordering timer fires next, from now on.
fn reordering_timer(wire: &mut Wire) -> Option<Duration> {
    let set = |event: &Event| match event {
        Event::TimerSet { timer: Timer::Reordering, due, .. } => Some(*due),
        _ => None,
    };
    wire.journal().iter().rev().find_map(set).map(|due| due - wire.now)
}

/// §6.2, step 5: one report, and the segment before it is lost a quarter of the least round-trip time later than it should
/// have arrived; the reordering timer finds it.
#[test]
fn a_segment_is_lost_when_a_later_one_has_arrived_and_the_window_has_passed() {
    let mut wire = sent(3);
    wire.log("< A 1 ack 1 <sack 1001:2001>");
    assert_eq!(reordering_timer(&mut wire), Some(10 * MS));
    assert_eq!(wire.recovery(), Recovery::Disorder);
    wire.log(
        "
        +10ms
        > A  1:1001     ack 1                       | retransmit-by-rack
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:1001 by rack"]);
    assert_eq!((wire.recovery(), wire.ssthresh()), (Recovery::FastRecovery, 2));
}

/// §6.2, step 5: what arrives within the window was late and is not lost, and the timer stops.
#[test]
fn a_segment_that_is_late_within_the_window_does_not_go_again() {
    let mut wire = sent(3);
    wire.log(
        "
        < A  1          ack 1    <sack 1001:3001>
        +9ms
        < A  1          ack 3001
        +10min
        ",
    );
    assert_eq!((told(&mut wire), wire.recovery()), (vec![], Recovery::Open));
}

/// §6.2, RACK_sent_after: of segments that left at the same time the one further on in the stream counts as later.
#[test]
fn a_report_says_nothing_of_the_segments_behind() {
    let mut wire = sent(6);
    wire.log(
        "
        < A  1          ack 1    <sack 1001:2001>
        < A  1          ack 1    <sack 1001:2001 3001:5001>
        > A  1:1001     ack 1                       | retransmit-by-rack
        > A  2001:3001  ack 1                       | retransmit-by-rack
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:1001 by rack", "lost 2001:3001 by rack"], "5001:6001 may still arrive");
}

/// §6.2, step 4: as long as no reordering was seen three reports suffice, as RFC 5681 has it.
#[test]
fn three_reports_suffice_before_reordering_was_seen() {
    for (reported, lost) in [("1001:2001", false), ("1001:3001", false), ("1001:4001", true)] {
        let mut wire = sent(9);
        wire.receive(&format!("A 1 ack 1 <sack {reported}>"));
        assert_eq!(!wire.take_sent().is_empty(), lost, "{reported}");
    }
}

/// A connection on which one segment was overtaken by another, with so many segments in flight, all sent 40 ms ago.
fn reordered(segments: usize) -> Wire {
    let mut wire = sent(2);
    wire.log("< A 1 ack 1 <sack 1001:2001>\n < A 1 ack 2001");
    wire.write(1000 * segments);
    assert_eq!(wire.take_sent().len(), segments);
    wire.log("+40ms");
    wire.journal();
    wire
}

/// §6.2, steps 3 and 4: once reordering was seen no number of reports suffices, only time.
#[test]
fn once_reordering_was_seen_only_time_tells() {
    let mut wire = reordered(8);
    wire.log("< A 1 ack 2001 <sack 3001:10001>");
    assert_eq!((wire.recovery(), reordering_timer(&mut wire)), (Recovery::Disorder, Some(10 * MS)));
    wire.log("+10ms\n > A 2001:3001 ack 1 | retransmit-by-rack");
}

/// §6.2, step 4: D-SACK says that the window was too small: it grows by a quarter each round trip in which one comes, and
/// never beyond the smoothed round-trip time.
#[test]
fn the_window_grows_with_each_round_trip_in_which_something_came_twice() {
    let mut wire = sent(1);
    wire.log("< A 1 ack 1001");
    let mut edge = 1001;
    for expected in [20, 30, 40, 40] {
        wire.write(3000);
        assert_eq!(wire.take_sent().len(), 3);
        // Twice in one round trip is told, and counts once.
        for _ in 0..2 {
            wire.receive(&format!("A 1 ack {edge} <sack {}:{edge}>", edge - 1000));
        }
        wire.log("+40ms");
        wire.journal();
        wire.receive(&format!("A 1 ack {edge} <sack {}:{}>", edge + 1000, edge + 2000));
        assert_eq!(reordering_timer(&mut wire), Some(expected * MS), "{edge}");
        edge += 3000;
        wire.receive(&format!("A 1 ack {edge}"));
    }
}

/// §6.2, step 4, RACK.reo_wnd_persist: after sixteen recoveries without D-SACK the window is small again.
#[test]
fn the_window_is_small_again_after_sixteen_recoveries() {
    let mut wire = reordered(1);
    wire.log("< A 1 ack 3001\n < A 1 ack 3001 <sack 2001:3001>");
    let mut edge = 3001;
    for recoveries in 0..=16 {
        wire.write(2000);
        assert_eq!(wire.take_sent().len(), 2);
        wire.log("+40ms");
        wire.journal();
        wire.receive(&format!("A 1 ack {edge} <sack {}:{}>", edge + 1000, edge + 2000));
        let expected = if recoveries < 16 { 20 } else { 10 };
        assert_eq!(reordering_timer(&mut wire), Some(expected * MS), "after {recoveries}");
        wire.until_sent();
        assert_eq!(wire.next_sent(), format!("A {edge}:{} ack 1 | retransmit-by-rack", edge + 1000));
        wire.log("+40ms");
        edge += 2000;
        wire.receive(&format!("A 1 ack {edge}"));
    }
}

/// §6.2, step 4: a window that falls because of a mark is no recovery, and none of the sixteen.
#[test]
fn a_mark_is_no_recovery() {
    let mut wire = Wire::listening(0, &Config { tail_loss_probe: false, ..config() });
    wire.log("< SEW 0 <mss 1000, sackOK>\n > SAE 0 ack 1 | answer-open\n +40ms\n < A 1 ack 1");
    wire.accept();
    let mut edge = 1;
    let mut send = |wire: &mut Wire, flags: &str| {
        wire.write(2000);
        assert_eq!(wire.take_sent().len(), 2);
        wire.log("+40ms");
        edge += 2000;
        wire.receive(&format!("{flags} 1 ack {edge}"));
        edge
    };
    let edge = send(&mut wire, "A");
    wire.receive(&format!("A 1 ack {edge} <sack 1:1001>"));
    for _ in 0..20 {
        send(&mut wire, "AE");
        assert_eq!(wire.recovery(), Recovery::WindowReduced);
        send(&mut wire, "A");
        assert_eq!(wire.recovery(), Recovery::Open);
    }
    let edge = send(&mut wire, "A");
    wire.write(2000);
    wire.take_sent();
    wire.log("+40ms");
    wire.journal();
    wire.receive(&format!("A 1 ack {edge} <sack {}:{}>", edge + 1000, edge + 2000));
    assert_eq!(reordering_timer(&mut wire), Some(20 * MS));
    wire.receive(&format!("A 1 ack {}", edge + 2000));
}

/// §3, §6.2: a retransmission that is lost is found like any other segment: something that left after it has arrived.
#[test]
fn a_lost_retransmission_is_found() {
    let mut wire = sent(10);
    wire.log(
        "
        < A  1          ack 1    <sack 1001:4001>
        > A  1:1001     ack 1                       | retransmit-by-rack
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:1001 by rack"]);
    wire.log("+1ms\n < A 1 ack 1 <sack 1001:8001>");
    wire.write(1000);
    wire.log(
        "
        > PA 10001:11001 ack 1                      | new-data
        +40ms
        < A  1          ack 1    <sack 1001:11001>
        > A  1:1001     ack 1                       | retransmit-by-rack
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:1001 by rack"]);
    assert_eq!(wire.recovery(), Recovery::FastRecovery);
}

/// §6.3: when the retransmission timer fires, what was sent less than a round-trip time and a reordering window ago may
/// still arrive; only the oldest is lost whatever its age.
#[test]
fn a_time_out_spares_what_was_sent_just_now() {
    let config = Config { tail_loss_probe: false, f_rto: false, ..config() };
    for (has_seen_reordering, lost, cwnd) in [(false, "1:3001", 2), (true, "1:2001", 3)] {
        let mut wire = sent_with(&config, SACK, 2);
        if has_seen_reordering {
            wire.log("< A 1 ack 1 <sack 1001:2001>");
        }
        wire.log("< A 1 ack 2001");
        for (segments, pause) in [(2, 195), (1, 10), (1, 35)] {
            wire.write(1000 * segments);
            assert_eq!(wire.take_sent().len(), segments);
            wire.wait(pause * MS);
        }
        assert_eq!(wire.next_sent(), "A 2001:3001 ack 1 | retransmit-by-timer");
        let lost: Vec<u32> = lost.split(':').map(|number| number.parse::<u32>().expect("a number") + 2000).collect();
        assert_eq!(told(&mut wire), [format!("lost {}:{} by timer", lost[0], lost[1])]);
        assert_eq!(wire.cwnd(), cwnd, "what may still arrive, and one");
    }
}

/// §6.2, step 2: an echoed timestamp tells that it was the first copy that arrived, and so nothing of what left since.
#[test]
fn an_echo_tells_which_copy_arrived() {
    for (echo, found) in [(40, "no loss by timestamp"), (90, "lost 2001:4001 by rack")] {
        let mut wire = open_with(&Config { tail_loss_probe: false, ..config() }, STAMPED);
        for (segments, pause) in [(1, "10ms"), (1, "35ms"), (2, "5ms")] {
            wire.write(1000 * segments);
            assert_eq!(wire.take_sent().len(), segments);
            wire.log(&format!("+{pause}"));
        }
        wire.log(
            "
            < A  1          ack 1    <ts 1000 0, sack 1001:2001>
            > PA 1:1001     ack 1                                | retransmit-by-rack
            +42ms
            ",
        );
        wire.journal();
        wire.receive(&format!("A 1 ack 2001 <ts 1000 {echo}>"));
        assert_eq!((told(&mut wire), wire.take_sent().is_empty()), (vec![found.to_owned()], echo == 40));
        wire.log("+3ms");
        wire.receive("A 1 ack 2001 <ts 1000 40, sack 2001:3001>");
        wire.take_sent();
        wire.log("+20ms");
        assert_eq!(told(&mut wire), [""; 0], "what left as early as what has arrived is not overdue");
    }
}
