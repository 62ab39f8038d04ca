//! Loss recovery, proved by packet logs: which octets are thought lost, by which rule, what goes again and why, and what
//! the window does meanwhile.
//!
//! | the test is about | file | standard |
//! |---|---|---|
//! | time says what is lost | [`rack`] | RFC 8985 §6 |
//! | the end of a flight is probed | [`tail_probe`] | RFC 8985 §7 |
//! | the window comes down, segment by segment | [`reduction`] | RFC 6937 |
//! | the count of reports says what is lost | [`counting`] | RFC 6675, RFC 6582, RFC 3042 |
//! | it was no loss | [`doubt`] | RFC 3522, RFC 3708 |
//! | the time-out was needless | [`f_rto`] | RFC 5682 |
//! | the peer's window closes meanwhile | [`closed_window`] | RFC 9293 §3.8.6.1 |
//!
//! The path takes 40 ms there and back. Segments have 1000 octets, so that windows and numbers can be compared at sight.

mod closed_window;
mod counting;
mod doubt;
mod f_rto;
mod rack;
mod reduction;
mod tail_probe;

use super::wire::{Wire, config};
use crate::journal::{Event, LossRule, NoLoss};
use crate::tcp::Config;

/// What a peer offers that knows SACK and no timestamps.
const SACK: &str = "mss 1000, sackOK";
/// The same with timestamps, for which the segments of 1000 octets leave room.
const STAMPED: &str = "mss 1012, sackOK, ts 1000 -";

/// The rules that stood before RFC 8985: losses are counted, nothing is probed.
fn by_count() -> Config {
    Config { rack: false, tail_loss_probe: false, ..config() }
}

/// A connection whose handshake took 40 ms. With timestamps the peer's stand at 1000 for ever.
fn open_with(config: &Config, options: &str) -> Wire {
    let mut wire = Wire::listening(0, &Config { send_buffer: 1_000_000, ..config.clone() });
    wire.log(&format!("< S 0 <{options}>\n > SA 0 ack 1 | answer-open\n +40ms"));
    wire.log(&format!("< A 1 ack 1 {}", if options.contains("ts") { "<ts 1000 0>" } else { "" }));
    wire.accept();
    wire.journal();
    wire
}

/// The same, with so many segments in flight, all sent 40 ms ago.
fn sent_with(config: &Config, options: &str, segments: usize) -> Wire {
    let mut wire = open_with(config, options);
    wire.write(1000 * segments);
    assert_eq!(wire.take_sent().len(), segments);
    wire.log("+40ms");
    wire
}

fn sent(segments: usize) -> Wire {
    sent_with(&config(), SACK, segments)
}

/// What was thought lost, and what was found to be no loss, since this was last asked.
fn told(wire: &mut Wire) -> Vec<String> {
    let iss = wire.own_iss();
    let line = |event| match event {
        Event::Lost { seq, length, rule, .. } => {
            let start = seq.offset_from(iss);
            Some(format!("lost {start}:{} by {}", start + length, rule_name(rule)))
        }
        Event::NoLoss { evidence, .. } => Some(format!("no loss by {}", evidence_name(evidence))),
        _ => None,
    };
    wire.journal().into_iter().filter_map(line).collect()
}

fn rule_name(rule: LossRule) -> &'static str {
    match rule {
        LossRule::DuplicateAcks => "duplicate-acks",
        LossRule::PartialAck => "partial-ack",
        LossRule::Sack => "sack",
        LossRule::Rack => "rack",
        LossRule::Timer => "timer",
        LossRule::PathMtu => "path-mtu",
        LossRule::Refused => "refused",
    }
}

fn evidence_name(evidence: NoLoss) -> &'static str {
    match evidence {
        NoLoss::Timestamp => "timestamp",
        NoLoss::CameTwice => "came-twice",
        NoLoss::FRto => "f-rto",
    }
}
