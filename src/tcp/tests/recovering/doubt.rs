//! Recoveries that were not needed: the echoed timestamp (Eifel, RFC 3522) or D-SACK (RFC 3708) tells that the first copy
//! arrived, and the window becomes again what it was (RFC 4015).

use super::super::wire::{Wire, config};
use super::{SACK, STAMPED, sent_with, told};
use crate::journal::Recovery;
use crate::tcp::Config;

/// Ten segments have left and been overtaken by three of them, so that the first went again; another 39 ms have passed.
fn recovering(options: &str) -> Wire {
    let mut wire = sent_with(&config(), options, 10);
    wire.receive(&format!("A 1 ack 1 <{}sack 1001:4001>", if options == STAMPED { "ts 1000 0, " } else { "" }));
    assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-by-rack");
    assert_eq!((wire.recovery(), wire.ssthresh(), wire.cwnd() < 10), (Recovery::FastRecovery, 5, true));
    wire.log("+39ms");
    wire.journal();
    wire
}

/// RFC 3522 §3.2; RFC 4015 §3: the acknowledgment echoes what the first copy carried: threshold and window are restored. One
/// that echoes the second copy's ends the recovery at the threshold.
#[test]
fn an_echo_of_the_first_copy_takes_the_reduction_back() {
    for (echo, told_of, window) in [(40, &["no loss by timestamp"][..], (10, 7)), (80, &[][..], (5, 5))] {
        let mut wire = recovering(STAMPED);
        wire.log(&format!("< A 1 ack 10001 <ts 1000 {echo}>"));
        assert_eq!(
            (told(&mut wire), wire.recovery()),
            (told_of.iter().map(|line| (*line).to_owned()).collect(), Recovery::Open)
        );
        assert_eq!((wire.cwnd().min(10), wire.ssthresh().min(7)), window, "{echo}");
    }
}

/// RFC 8985 §6.2, step 4: whatever tells that there was no loss tells of reordering: from then on time has to pass.
#[test]
fn a_needless_recovery_makes_rack_patient() {
    for (options, answers) in [
        (STAMPED, "< A 1 ack 3001 <ts 1000 40>"),
        (STAMPED, "< A 1 ack 2001 <ts 1000 40>\n < A 1 ack 3001 <ts 1000 40>"),
        (SACK, "< A 1 ack 2001 <sack 1:1001>\n < A 1 ack 3001"),
        (SACK, "< A 1 ack 3001\n < A 1 ack 3001 <sack 1:1001>"),
    ] {
        let mut wire = sent_with(&config(), options, 3);
        let stamp = if options == STAMPED { "ts 1000 0, " } else { "" };
        wire.receive(&format!("A 1 ack 1 <{stamp}sack 1001:2001>"));
        wire.until_sent();
        assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-by-rack");
        wire.log("+29ms");
        wire.log(answers);
        wire.write(9000);
        assert_eq!(wire.take_sent().len(), 9);
        wire.log("+40ms");
        wire.receive(&format!("A 1 ack 3001 <{stamp}sack 4001:12001>"));
        assert_eq!((wire.take_sent().len(), wire.recovery()), (0, Recovery::Disorder), "{answers}");
        wire.receive("A 1 ack 12001");
    }
}

/// RFC 3522 §3.2: also when the acknowledgment covers only some of the flight: what is still thought lost was late, too.
#[test]
fn an_echo_of_the_first_copy_ends_the_recovery_early() {
    let mut wire = recovering(STAMPED);
    wire.log("< A 1 ack 4001 <ts 1000 40>");
    assert_eq!((told(&mut wire), wire.cwnd() >= 10), (vec!["no loss by timestamp".to_owned()], true));
    wire.log("< A 1 ack 10001 <ts 1000 40>");
    assert_eq!(wire.recovery(), Recovery::Open);
}

/// RFC 3708 §2: while the recovery lasts: every retransmission has come twice.
#[test]
fn reports_of_duplicates_take_the_reduction_back() {
    let mut wire = recovering(SACK);
    wire.log("< A 1 ack 4001\n < A 1 ack 4001 <sack 1:1001>");
    assert_eq!((told(&mut wire), wire.recovery()), (vec!["no loss by came-twice".to_owned()], Recovery::Open));
    assert_eq!((wire.cwnd() >= 10, wire.ssthresh() >= 7), (true, true));
    wire.log("< A 1 ack 10001");
}

/// RFC 3708 §2: the second copy arrives after what the first one has ended.
#[test]
fn a_report_of_duplicates_counts_after_the_recovery_too() {
    let mut wire = recovering(SACK);
    wire.log("< A 1 ack 10001");
    assert_eq!((told(&mut wire), wire.cwnd(), wire.ssthresh()), (vec![], 5, 5));
    wire.log("+1ms\n < A 1 ack 10001 <sack 1:1001>");
    assert_eq!(told(&mut wire), ["no loss by came-twice"]);
    assert_eq!((wire.cwnd() >= 10, wire.ssthresh() >= 7), (true, true));
}

/// RFC 3708 §2: one of two retransmissions that came twice proves nothing of the other.
#[test]
fn every_retransmission_must_have_come_twice() {
    let mut wire = sent_with(&config(), SACK, 10);
    wire.log(
        "
        < A  1          ack 1     <sack 2001:5001>
        > A  1:1001     ack 1                       | retransmit-by-rack
        < A  1          ack 1     <sack 2001:7001>
        > A  1001:2001  ack 1                       | retransmit-by-rack
        +39ms
        < A  1          ack 7001  <sack 1:1001>
        < A  1          ack 10001
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:2001 by rack"]);
    assert_eq!(wire.ssthresh(), 5);
    wire.log("< A 1 ack 10001 <sack 1001:2001>");
    assert_eq!(told(&mut wire), ["no loss by came-twice"]);
}

/// What came twice before the window fell, or lies before it, is no evidence.
#[test]
fn a_report_of_older_duplicates_proves_nothing() {
    let mut wire = sent_with(&config(), SACK, 2);
    wire.log("< A 1 ack 2001");
    wire.write(8000);
    assert_eq!(wire.take_sent().len(), 8);
    wire.log(
        "
        +40ms
        < A  1          ack 2001  <sack 3001:6001>
        > A  2001:3001  ack 1                       | retransmit-by-rack
        < A  1          ack 2001  <sack 1001:2001 3001:6001>
        < A  1          ack 10001
        ",
    );
    assert_eq!(told(&mut wire), ["lost 2001:3001 by rack"]);
}

/// RFC 3522 §3.2 after a time-out.
#[test]
fn an_echo_of_the_first_copy_takes_a_time_out_back() {
    let mut wire = sent_with(&Config { f_rto: false, tail_loss_probe: false, ..config() }, STAMPED, 10);
    wire.log("+200ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!((wire.cwnd(), wire.ssthresh(), told(&mut wire)), (1, 5, vec!["lost 1:10001 by timer".to_owned()]));
    wire.log("+1ms\n < A 1 ack 1001 <ts 1000 40>");
    assert_eq!((told(&mut wire), wire.recovery()), (vec!["no loss by timestamp".to_owned()], Recovery::Open));
    assert_eq!((wire.cwnd() >= 10, wire.ssthresh() >= 7), (true, true));
    wire.log("< A 1 ack 10001 <ts 1000 40>\n +10min");
}

/// RFC 3708 after a time-out, without timestamps: the acknowledgment of all comes first, the report after it.
#[test]
fn a_report_of_duplicates_takes_a_time_out_back() {
    let mut wire = sent_with(&Config { f_rto: false, tail_loss_probe: false, ..config() }, SACK, 10);
    wire.log("+200ms\n > A 1:1001 ack 1 | retransmit-by-timer\n +1ms\n < A 1 ack 10001");
    assert_eq!((wire.cwnd() < 10, wire.ssthresh()), (true, 5));
    wire.log("+1ms\n < A 1 ack 10001 <sack 1:1001>");
    assert_eq!((wire.cwnd() >= 10, wire.ssthresh() >= 7), (true, true));
    assert_eq!(told(&mut wire), ["lost 1:10001 by timer", "no loss by came-twice"]);
}

/// RFC 7323 §4.1: an echo times the path only when SND.UNA moves: a report of what went again echoes an older segment.
#[test]
fn the_echo_of_a_report_times_nothing() {
    let mut wire = sent_with(&config(), STAMPED, 10);
    wire.log(
        "
        < A  1          ack 1     <ts 1000 0, sack 2001:5001>
        > A  1:1001     ack 1                                 | retransmit-by-rack
        < A  1          ack 1     <ts 1000 0, sack 2001:7001>
        > A  1001:2001  ack 1                                 | retransmit-by-rack
        +40ms
        ",
    );
    let before = (wire.snapshot().srtt, wire.snapshot().rttvar);
    wire.receive("A 1 ack 1 <ts 1000 0, sack 1001:7001>");
    wire.take_sent();
    assert_eq!((wire.snapshot().srtt, wire.snapshot().rttvar), before);
}
