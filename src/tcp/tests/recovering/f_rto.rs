//! F-RTO (RFC 5682): was the time-out needless? After it new data goes instead of old, and what comes back tells.

use super::super::wire::{Wire, config};
use super::{SACK, open_with, told};
use crate::journal::Recovery;
use crate::tcp::Config;

const PLAIN: &str = "mss 1000";

/// Ten segments were in flight when the retransmission timer fired, and more waits.
fn timed_out(options: &str, more: usize) -> Wire {
    let mut wire = open_with(&Config { tail_loss_probe: false, ..config() }, options);
    wire.write(10_000 + more);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log("+240ms\n > A 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!((wire.cwnd(), wire.ssthresh(), told(&mut wire)), (1, 5, vec!["lost 1:10001 by timer".to_owned()]));
    wire
}

fn is_settled(wire: &Wire) -> bool {
    wire.cwnd() >= 10 && wire.ssthresh() >= 7
}

/// §2.1, steps 2.b and 3.b: two new segments go, and the next acknowledgment is for what never went again: all was late. The
/// window is what it was, and nothing goes again.
#[test]
fn a_time_out_was_needless_when_what_never_went_again_arrives() {
    let mut wire = timed_out(PLAIN, 50_000);
    wire.log(
        "
        < A  1            ack 1001
        > A  10001:11001  ack 1      | test-timeout
        > A  11001:12001  ack 1      | test-timeout
        ",
    );
    assert_eq!(wire.recovery(), Recovery::Loss);
    wire.receive("A 1 ack 2001");
    assert_eq!((told(&mut wire), wire.recovery()), (vec!["no loss by f-rto".to_owned()], Recovery::Open));
    assert!(is_settled(&wire) && wire.take_sent().iter().all(|departure| departure.why.reason.name() == "new-data"));
}

/// §2.1, step 3.a: a duplicate says that the loss was real: what was lost goes again, and the window stays small.
#[test]
fn a_duplicate_says_that_the_time_out_was_needed() {
    let mut wire = timed_out(PLAIN, 50_000);
    wire.log(
        "
        < A  1            ack 1001
        > A  10001:11001  ack 1      | test-timeout
        > A  11001:12001  ack 1      | test-timeout
        < A  1            ack 1001
        > A  1001:2001    ack 1      | retransmit-after-timer
        < A  1            ack 1001
        > A  2001:3001    ack 1      | retransmit-after-timer
        ",
    );
    assert_eq!((told(&mut wire), wire.recovery(), wire.ssthresh()), (vec![], Recovery::Loss, 5));
}

/// §2.1, step 2.a: a duplicate before any progress says the same: no new data goes.
#[test]
fn a_duplicate_first_says_that_the_time_out_was_needed() {
    let mut wire = timed_out(PLAIN, 50_000);
    wire.log(
        "
        < A  1            ack 1
        < A  1            ack 1001
        > A  1001:2001    ack 1      | retransmit-after-timer
        > A  2001:3001    ack 1      | retransmit-after-timer
        ",
    );
    wire.receive("A 1 ack 3001");
    assert!(wire.take_sent().iter().all(|departure| departure.why.reason.name() == "retransmit-after-timer"));
    assert_eq!((told(&mut wire), wire.ssthresh()), (vec![], 5));
}

/// §2.1, step 2.b: without new data, or room for it, what is lost goes again as ever.
#[test]
fn without_new_data_what_is_lost_goes_again() {
    let mut wire = timed_out(PLAIN, 0);
    wire.log(
        "< A 1 ack 1001\n > A 1001:2001 ack 1 | retransmit-after-timer\n > A 2001:3001 ack 1 | retransmit-after-timer",
    );
    let mut wire = timed_out(PLAIN, 50_000);
    wire.log(
        "
        < A  1            ack 1001   win 9000
        > A  1001:2001    ack 1                | retransmit-after-timer
        > A  2001:3001    ack 1                | retransmit-after-timer
        ",
    );
}

/// §2.1, step 2.b: Nagle's algorithm, which would hold a small piece of new data back, may be set aside.
#[test]
fn a_small_piece_of_new_data_tests_the_time_out() {
    let mut wire = open_with(&Config { tail_loss_probe: false, ..config() }, PLAIN);
    wire.write(2500);
    assert_eq!(wire.take_sent().len(), 3);
    wire.write(100);
    wire.log(
        "
        +240ms
        > A  1:1001       ack 1      | retransmit-by-timer
        < A  1            ack 1001
        > PA 2501:2601    ack 1      | test-timeout
        < A  1            ack 2001
        < A  1            ack 2601
        ",
    );
    assert_eq!(told(&mut wire), ["lost 1:2501 by timer", "no loss by f-rto"]);
}

/// New data that must wait for some other reason tests nothing: what is lost goes again, instead of nothing at all.
#[test]
fn new_data_that_may_not_go_does_not_hold_back_what_is_lost() {
    let mut wire = timed_out(PLAIN, 50_000);
    wire.log(
        "
        < A  1            ack 1001   win 9500
        > A  1001:2001    ack 1                | retransmit-after-timer
        > A  2001:3001    ack 1                | retransmit-after-timer
        ",
    );
}

/// §3.1, step 3.b: with SACK a report of what never went again tells the same.
#[test]
fn with_sack_a_report_of_what_never_went_again_suffices() {
    let mut wire = timed_out(SACK, 50_000);
    wire.log(
        "
        < A  1            ack 1001
        > A  10001:11001  ack 1      | test-timeout
        > A  11001:12001  ack 1      | test-timeout
        ",
    );
    wire.receive("A 1 ack 1001 <sack 2001:3001>");
    assert_eq!((told(&mut wire), is_settled(&wire)), (vec!["no loss by f-rto".to_owned()], true));
    wire.take_sent();
}

/// §3.1, step 3.a: with SACK a report of the new data says that the loss was real: what is lost goes again at once.
#[test]
fn with_sack_a_report_of_the_new_data_says_that_the_time_out_was_needed() {
    let mut wire = timed_out(SACK, 50_000);
    wire.log(
        "
        < A  1            ack 1001
        > A  10001:11001  ack 1                          | test-timeout
        > A  11001:12001  ack 1                          | test-timeout
        < A  1            ack 1001   <sack 10001:11001>
        > A  1001:2001    ack 1                          | retransmit-after-timer
        ",
    );
    assert_eq!((told(&mut wire), wire.recovery(), wire.ssthresh()), (vec![], Recovery::Loss, 5));
    wire.take_sent();
}

/// §3.1, step 3: what is neither a duplicate nor an acknowledgment of something is ignored, as a new window.
#[test]
fn a_window_update_does_not_end_the_test() {
    let mut wire = timed_out(PLAIN, 50_000);
    wire.log(
        "
        < A  1            ack 1001   win 60000
        > A  10001:11001  ack 1                | test-timeout
        > A  11001:12001  ack 1                | test-timeout
        < A  1            ack 1001   win 61000
        ",
    );
    wire.receive("A 1 ack 2001 win 61000");
    assert_eq!(told(&mut wire), ["no loss by f-rto"]);
    wire.take_sent();
}

/// §3.1, step 2: with SACK a duplicate before any progress decides nothing.
#[test]
fn with_sack_the_first_progress_is_waited_for() {
    let mut wire = timed_out(SACK, 50_000);
    wire.log(
        "
        < A  1            ack 1
        < A  1            ack 1001
        > A  10001:11001  ack 1      | test-timeout
        > A  11001:12001  ack 1      | test-timeout
        ",
    );
}

/// §3.1, step 2.b: without new data it is settled that nothing will be learnt: what is acknowledged later tells nothing.
#[test]
fn without_new_data_nothing_is_learnt_later() {
    let mut wire = timed_out(SACK, 0);
    wire.receive("A 1 ack 1001");
    assert_eq!(wire.take_sent().len(), 2);
    wire.receive("A 1 ack 5001");
    assert!(!wire.take_sent().is_empty());
    assert_eq!((told(&mut wire), wire.recovery()), (vec![], Recovery::Loss));
}

/// §2.1, step 2.a: one acknowledgment of all that was in flight tells nothing, and ends the recovery.
#[test]
fn an_acknowledgment_of_all_tells_nothing() {
    let mut wire = timed_out(SACK, 0);
    wire.log("< A 1 ack 10001");
    assert_eq!((told(&mut wire), wire.recovery(), wire.ssthresh()), (vec![], Recovery::Open, 5));
}

/// §2.1, step 1: not while another recovery is under way.
#[test]
fn a_time_out_amid_a_recovery_is_not_looked_through() {
    let mut wire = open_with(&Config { tail_loss_probe: false, ..config() }, SACK);
    wire.write(50_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.receive("A 1 ack 1 <sack 1001:4001>");
    wire.take_sent();
    wire.until_sent();
    assert_eq!(
        (wire.next_sent(), wire.recovery()),
        ("A 1:1001 ack 1 | retransmit-by-timer".to_owned(), Recovery::Loss)
    );
    wire.receive("A 1 ack 4001");
    assert_eq!(wire.next_sent(), "A 4001:5001 ack 1 | retransmit-after-timer");
    wire.take_sent();
    assert_eq!(wire.cwnd(), 2, "slow start, and no reduction of a recovery that is over");
}

/// F-RTO may be switched off.
#[test]
fn without_f_rto_what_is_lost_goes_again() {
    let mut wire = open_with(&Config { tail_loss_probe: false, f_rto: false, ..config() }, PLAIN);
    wire.write(50_000);
    assert_eq!(wire.take_sent().len(), 10);
    wire.log("+240ms\n > A 1:1001 ack 1 | retransmit-by-timer\n < A 1 ack 1001\n > A 1001:2001 ack 1 | retransmit-after-timer\n > A 2001:3001 ack 1 | retransmit-after-timer");
}
