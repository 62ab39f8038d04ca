//! What a connection and its congestion control owe to each other: it is told, and it is obeyed.

use std::cell::RefCell;
use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::{CwndCause, Event, Timer};
use crate::tcp::congestion::{Acknowledged, CongestionControl, Lost, Phase, Window};
use crate::tcp::{Algorithm, Config, Congestion};
use crate::time::Instant;

thread_local! {
    static TOLD: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Writes down what it is told.
#[derive(Debug)]
struct Diary {
    governs: bool,
}

fn write_down(what: String) {
    TOLD.with_borrow_mut(|told| told.push(what));
}

/// What was written down of these kinds, since this was last asked.
pub(super) fn told(kinds: &[&str]) -> Vec<String> {
    let all = TOLD.with_borrow_mut(std::mem::take);
    all.into_iter().filter(|what| kinds.iter().any(|kind| what.starts_with(kind))).collect()
}

impl CongestionControl for Diary {
    fn name(&self) -> &'static str {
        "diary"
    }

    fn acknowledged(&mut self, window: &mut Window, acknowledged: &Acknowledged) {
        let rate = acknowledged.rate.and_then(|rate| rate.rate(acknowledged.mss));
        write_down(format!("acknowledged {} lost {} at {rate:?}", acknowledged.delivered, acknowledged.lost));
        if self.governs && acknowledged.phase == Phase::Recovery {
            window.cwnd = 77;
        }
    }

    fn threshold_after_loss(&mut self, _: &Window, in_flight: u32) -> u32 {
        write_down(format!("threshold for {in_flight}"));
        6
    }

    fn lost(&mut self, _: Instant, _: &Window, lost: &Lost) {
        write_down(format!("lost {} of {}", lost.lost, lost.in_flight_when_sent));
    }

    fn enter(&mut self, phase: Phase, window: &mut Window, _: u32) {
        write_down(format!("enter {phase:?}"));
        window.cwnd = 3;
    }

    fn undone(&mut self, _: &mut Window) {
        write_down("undone".to_owned());
    }

    fn restarted(&mut self, _: Instant, idle: Duration) {
        write_down(format!("restarted after {idle:?}"));
    }

    fn governs(&self) -> bool {
        self.governs
    }

    fn measures(&self) -> bool {
        true
    }
}

fn busy(congestion: Congestion, options: &str) -> Wire {
    told(&[]);
    let base = Config { rack: false, tail_loss_probe: false, f_rto: false, ..config() };
    let mut wire = Wire::open_with(&Config { congestion, send_buffer: 1_000_000, ..base }, options);
    wire.log("+100ms");
    wire.write(200_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire
}

pub(super) const ADVISES: Congestion =
    Congestion::Other(Algorithm { name: "advises", make: || Box::new(Diary { governs: false }) });
pub(super) const GOVERNS: Congestion =
    Congestion::Other(Algorithm { name: "governs", make: || Box::new(Diary { governs: true }) });

#[test]
fn an_algorithm_is_told_where_recovery_stands() {
    for (congestion, governs) in [(ADVISES, false), (GOVERNS, true)] {
        let mut wire = busy(congestion, "mss 1000, sackOK");
        wire.log("+100ms");
        wire.receive("A 1 ack 1 <sack 1001:4001>");
        wire.take_sent();
        let thresholds: &[&str] = if governs { &[] } else { &["threshold for 10"] };
        let expected: Vec<&str> =
            ["lost 1 of 1"].iter().chain(thresholds).chain(&["enter Recovery"]).copied().collect();
        assert_eq!(told(&["lost", "threshold", "enter"]), expected);
        assert_eq!(wire.cwnd() == 77, governs, "only who governs sets the window in recovery");
        wire.receive("A 1 ack 10001");
        wire.take_sent();
        assert_eq!(told(&["enter"]), ["enter Open"]);
    }
}

#[test]
fn an_algorithm_is_told_of_time_outs() {
    let mut wire = busy(ADVISES, "mss 1000");
    wire.log("+200ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    let news = told(&["lost", "threshold", "enter"]);
    assert_eq!(news.len(), 12, "ten lost segments, one threshold, one phase: {news:?}");
    assert_eq!(news[10..], ["threshold for 10", "enter Loss"]);
    assert_eq!(wire.cwnd(), 1, "its own window does not count");
    wire.receive("A 1 ack 10001");
    wire.take_sent();
    wire.receive("A 1 ack 11001");
    wire.take_sent();
    assert_eq!(told(&["enter"]), ["enter Open"]);
}

#[test]
fn an_algorithm_is_told_how_fast_the_network_delivers() {
    let mut wire = busy(ADVISES, "mss 1000");
    wire.log("+100ms");
    wire.receive("A 1 ack 10001");
    wire.take_sent();
    assert_eq!(told(&["acknowledged"]), ["acknowledged 10 lost 0 at Some(100000)"]);
}

#[test]
fn an_algorithm_is_told_of_a_restart() {
    let mut wire = Wire::open_with(&Config { congestion: ADVISES, ..config() }, "mss 1000");
    for pause in ["+100ms", "+5s"] {
        wire.write(1000);
        wire.take_sent();
        wire.log("+10ms");
        let end = wire.snapshot().send_queue;
        assert_eq!(end, 1000);
        wire.receive(if pause == "+5s" { "A 1 ack 2001" } else { "A 1 ack 1001" });
        wire.log(pause);
    }
    told(&[]);
    wire.write(1000);
    wire.take_sent();
    assert_eq!(told(&["restarted"]), ["restarted after 5.01s"]);
}

/// draft-ietf-ccwg-bbr §5.6.2: what BBR lets out, it lets out at its pace; a timer brings the next.
#[test]
fn a_paced_connection_spaces_its_segments() {
    let mut wire = busy(Congestion::Bbr, "mss 1000, sackOK");
    wire.log("+100ms");
    wire.receive("A 1 ack 10001");
    let at_once = wire.take_sent().len();
    assert_eq!(at_once, 2, "a quantum, and not the whole window");
    assert!(
        wire.journal().iter().any(|event| matches!(event, Event::CongestionWindow { cause: CwndCause::Model, .. }))
    );
    // The smoothed round-trip time is an eighth of the only one that was not nothing: 12.5 ms. 2.77 times ten segments in it
    // are two each 0.9 ms.
    let mut spans = Vec::new();
    for _ in 0..5 {
        spans.extend(wire.until_sent());
        assert_eq!(wire.take_sent().len(), 2);
    }
    let usual = Duration::from_micros(890)..Duration::from_micros(910);
    assert!(spans.iter().skip(1).all(|span| usual.contains(span)), "{spans:?}");
    let fired = |event: &Event| matches!(event, Event::TimerFired { timer: Timer::Pacing, .. });
    assert_eq!(wire.journal().iter().filter(|event| fired(event)).count(), 5);
}
