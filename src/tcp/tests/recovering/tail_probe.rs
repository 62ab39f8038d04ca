//! Tail loss probes (RFC 8985 §7): the end of a flight has nothing behind it that could show its loss.

use std::time::Duration;

use super::super::wire::{Wire, config};
use super::{SACK, open_with, told};
use crate::journal::{CwndCause, Event, Recovery};
use crate::tcp::Config;

const MS: Duration = Duration::from_millis(1);

/// The retransmission timer is out of the way.
fn patient() -> Config {
    Config { rto_min: Duration::from_secs(1), ..config() }
}

/// So many segments have just left.
fn tail(config: &Config, segments: usize) -> Wire {
    let mut wire = open_with(config, SACK);
    wire.write(1000 * segments);
    assert_eq!(wire.take_sent().len(), segments);
    wire.journal();
    wire
}

fn why_the_window_moved(wire: &mut Wire) -> Vec<CwndCause> {
    let cause = |event| match event {
        Event::CongestionWindow { cause, .. } => Some(cause),
        _ => None,
    };
    wire.journal().into_iter().filter_map(cause).collect()
}

/// §7.2, TLP_calc_PTO: twice the smoothed round-trip time; a lone segment waits for a delayed acknowledgment besides; never
/// later than the retransmission timer, which it then comes before.
#[test]
fn a_probe_leaves_after_two_round_trips() {
    for (config, segments, after) in [(patient(), 1, 280), (patient(), 2, 80), (config(), 1, 240)] {
        let mut wire = tail(&config, segments);
        assert_eq!(wire.until_sent(), Some(after * MS));
        let start = 1000 * segments - 999;
        assert_eq!(wire.next_sent(), format!("PA {start}:{} ack 1 | tail-loss-probe", start + 1000));
    }
}

/// §7.3: one probe for a tail; then the retransmission timer, begun anew by the probe.
#[test]
fn after_one_probe_comes_the_retransmission_timer() {
    let mut wire = tail(&config(), 5);
    wire.log(
        "
        +80ms
        > PA 4001:5001  ack 1    | tail-loss-probe
        +240ms
        > A  1:1001     ack 1    | retransmit-by-timer
        ",
    );
    wire.until_sent();
    assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-by-timer", "no probe while a loss is being mended");
}

/// §7.4.2: a probe that another recovery has overtaken says nothing any more.
#[test]
fn a_time_out_makes_the_probe_forgotten() {
    let mut wire = tail(&config(), 5);
    wire.log("+80ms\n > PA 4001:5001 ack 1 | tail-loss-probe\n +240ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    wire.log("< A 1 ack 5001");
    wire.write(1000);
    wire.log("> PA 5001:6001 ack 1 | new-data\n +40ms\n < A 1 ack 6001");
    assert!(!why_the_window_moved(&mut wire).contains(&CwndCause::TailLoss));
}

/// §7.3: new data makes the better probe, whatever the congestion window says.
#[test]
fn a_probe_takes_new_data_if_there_is_any() {
    let mut wire = open_with(&config(), SACK);
    wire.write(20_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log(
        "
        +80ms
        > A  10001:11001  ack 1  | tail-loss-probe-with-new-data
        +40ms
        < A  1            ack 1  <sack 10001:11001>
        > A  1:1001       ack 1                    | retransmit-by-rack
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:10001 by rack"]);
}

/// §7.3: new data that the peer has no room for cannot be the probe.
#[test]
fn a_probe_respects_the_peers_window() {
    let mut wire = open_with(&config(), SACK);
    wire.log("< A 1 ack 1 win 3000");
    wire.write(5000);
    assert_eq!(wire.take_sent().len(), 3);
    wire.log("+80ms\n > A 2001:3001 ack 1 | tail-loss-probe");
}

/// §7.1: what the probe is answered with shows the losses before it, long before the retransmission timer would.
#[test]
fn the_answer_to_a_probe_shows_what_was_lost_before_it() {
    let mut wire = tail(&config(), 5);
    wire.log(
        "
        +40ms
        < A  1          ack 2001
        +80ms
        > PA 4001:5001  ack 1                     | tail-loss-probe
        +40ms
        < A  1          ack 2001  <sack 4001:5001>
        > A  2001:3001  ack 1                     | retransmit-by-rack
        +40ms
        < A  1          ack 3001  <sack 4001:5001>
        > A  3001:4001  ack 1                     | retransmit-by-rack
        ",
    );
    assert_eq!((told(&mut wire), wire.recovery()), (vec!["lost 2001:4001 by rack".to_owned()], Recovery::FastRecovery));
}

/// The last of five segments, probed, and its acknowledgment has come. From now on the flight is empty.
fn probed_and_acknowledged(answer: &str) -> Wire {
    let mut wire = tail(&patient(), 5);
    wire.log(&format!(
        "
        +40ms
        < A  1          ack 4001
        +280ms
        > PA 4001:5001  ack 1    | tail-loss-probe
        +40ms
        {answer}
        "
    ));
    wire.write(1000);
    wire.log("> PA 5001:6001 ack 1 | new-data\n +40ms");
    wire.journal();
    wire
}

/// §7.4.2: nothing tells that both copies have arrived: the probe has mended a loss, and the window falls as for any other.
#[test]
fn a_loss_that_the_probe_has_mended_costs_the_window() {
    let mut wire = probed_and_acknowledged("< A 1 ack 5001");
    wire.log("< A 1 ack 6001");
    assert_eq!((wire.cwnd(), wire.ssthresh(), wire.recovery()), (5, 5, Recovery::Open));
    assert_eq!(why_the_window_moved(&mut wire), [CwndCause::TailLoss]);
}

/// §7.4.2: both copies have arrived, which D-SACK tells, or else a duplicate acknowledgment of a peer without it. Nothing is
/// in flight any more when it comes.
#[test]
fn a_probe_that_was_not_needed_costs_nothing() {
    for answer in ["< A 1 ack 5001 <sack 4001:5001>", "< A 1 ack 5001\n < A 1 ack 5001"] {
        let mut wire = probed_and_acknowledged(answer);
        wire.log("< A 1 ack 6001");
        assert_eq!((wire.cwnd() >= 10, why_the_window_moved(&mut wire)), (true, vec![]), "{answer}");
    }
}

/// §7.4.2: a probe with new data was needed or not; what it carried was due anyway.
#[test]
fn a_probe_with_new_data_costs_nothing() {
    let mut wire = open_with(&patient(), SACK);
    wire.write(11_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log("+80ms\n > PA 10001:11001 ack 1 | tail-loss-probe-with-new-data\n < A 1 ack 11001");
    wire.write(1000);
    wire.log("> PA 11001:12001 ack 1 | new-data\n +40ms\n < A 1 ack 12001");
    assert_eq!((wire.ssthresh(), wire.cwnd() >= 10), (u32::MAX / 1000, true));
}

/// §7.3: the next tail has its own probe, once the last was answered, and not before.
#[test]
fn the_next_tail_is_probed_when_the_last_probe_was_answered() {
    let mut wire = probed_and_acknowledged("< A 1 ack 5001");
    wire.log("< A 1 ack 6001");
    wire.write(2000);
    assert_eq!(wire.take_sent().len(), 2);
    assert!(wire.until_sent().is_some());
    assert_eq!(wire.next_sent(), "PA 7001:8001 ack 1 | tail-loss-probe");
    wire.log("+40ms\n < A 1 ack 7001");
    wire.until_sent();
    assert_eq!(wire.next_sent(), "PA 7001:8001 ack 1 | retransmit-by-timer", "one probe is out already");
}

/// §7.2: no probe without SACK, when it is not wanted, in recovery, or while something is reported by SACK.
#[test]
fn no_probe_leaves_where_none_is_allowed() {
    for (config, options) in [(config(), "mss 1000"), (Config { tail_loss_probe: false, ..config() }, SACK)] {
        let mut wire = open_with(&config, options);
        wire.write(2000);
        wire.take_sent();
        wire.log("+240ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    }
    let mut wire = tail(&config(), 5);
    wire.log("+40ms\n < A 1 ack 1 <sack 1001:4001>\n > A 1:1001 ack 1 | retransmit-by-rack");
    wire.until_sent();
    assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-by-timer");
}

/// §7.2: the scoreboard must be empty, also while the window falls because of a mark.
#[test]
fn no_probe_leaves_while_something_is_reported_although_the_window_only_falls() {
    let mut wire = Wire::listening(0, &Config { rack: false, ..config() });
    wire.log("< SEW 0 <mss 1000, sackOK>\n > SAE 0 ack 1 | answer-open\n +40ms\n < A 1 ack 1");
    wire.accept();
    wire.write(5000);
    wire.take_sent();
    wire.log("+40ms\n < AE 1 ack 1001\n < A 1 ack 1001 <sack 4001:5001>");
    assert_eq!(wire.recovery(), Recovery::WindowReduced);
    wire.until_sent();
    assert_eq!(wire.next_sent(), "A 1001:2001 ack 1 | retransmit-by-timer");
}
