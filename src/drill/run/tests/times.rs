use super::*;

#[test]
fn relative_absolute_range_and_any_time_may_follow_each_other() {
    assert_passed(&established(
        "+.1  write(4, ..., 10) = 10\n\
         0.3  > P. 1:11(10) ack 1\n\
         +.1  < . 1:1(0) ack 11 win 32768\n\
         +0   write(4, ..., 10) = 10\n\
         0.39~0.41 > P. 11:21(10) ack 1\n\
         *    > P. 11:21(10) ack 1\n\
         +.01 < . 1:1(0) ack 21 win 32768\n",
    ));
}

#[test]
fn a_packet_that_came_before_its_time_is_found_out() {
    let (line, cause) = failed(established("+.1 write(4, ..., 10) = 10\n+.05 > P. 1:11(10) ack 1\n"));
    assert_eq!(line, 9);
    let Cause::Packet { differences, sent_at, .. } = cause else { panic!("{cause:?}") };
    assert_eq!(sent_at, ms(300));
    assert_eq!(differences.len(), 1, "{differences:?}");
}

#[test]
fn a_packet_that_never_comes_is_waited_for_two_seconds() {
    let (line, cause) = failed(established("+.1 > P. 1:11(10) ack 1\n"));
    assert_eq!(line, 8);
    let Cause::Nothing { until, .. } = cause else { panic!("{cause:?}") };
    assert_eq!(until, ms(2300));
}

#[test]
fn at_any_time_a_packet_is_waited_for_as_long_as_something_can_happen() {
    assert_passed(&established("+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n* > P. 1:11(10) ack 1\n"));
    assert!(matches!(failed(established("* > P. 1:11(10) ack 1\n")).1, Cause::Nothing { .. }));
}

#[test]
fn a_script_whose_time_goes_backward_or_begins_late_contradicts_itself() {
    let begins_late = ran(".1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n");
    let goes_back = established("1.0 write(4, ..., 1) = 1\n0.9 write(4, ..., 1) = 1\n");
    for (outcome, line) in [(begins_late, 1), (goes_back, 9)] {
        let (at, cause) = failed(outcome);
        assert!(at == line && matches!(cause, Cause::Script { .. }), "{at}: {cause:?}");
    }
}

#[test]
fn an_event_that_an_earlier_one_has_delayed_is_too_late() {
    // The call sleeps for a second though nothing in the script says so.
    let (line, cause) =
        failed(established("0.2 poll([{fd=4, events=POLLIN, revents=0}], 1, 1000) = 0\n0.3 write(4, ..., 1) = 1\n"));
    assert_eq!(line, 9);
    assert!(matches!(cause, Cause::Time { actual, .. } if actual == ms(1200)), "{cause:?}");
}

#[test]
fn the_tolerance_can_be_set() {
    let late = "+.1 write(4, ..., 10) = 10\n+.005 > P. 1:11(10) ack 1\n";
    assert_eq!(failed(established(late)).0, 9);
    assert_passed(&ran(&format!("--tolerance_usecs=6000\n{ESTABLISHED}{late}")));
}

#[test]
fn inbound_packets_in_a_row_keep_their_own_rhythm() {
    use crate::drill::run::transcript::Happening;
    // The first comes 0.1 s late, by a call that sleeps; the second counts from when the first was due.
    let outcome = ran(&format!(
        "--tolerance_usecs=300000\n{ESTABLISHED}\
         0.2 poll([{{fd=4, events=POLLIN, revents=0}}], 1, 200) = 0\n\
         0.3 < P. 1:11(10) ack 1 win 32768\n\
         +.2 < P. 11:21(10) ack 1 win 32768\n"
    ));
    assert_passed(&outcome);
    let came: Vec<Instant> = outcome
        .transcript
        .iter()
        .filter(|entry| matches!(entry.what, Happening::In(_)))
        .map(|entry| entry.at)
        .collect();
    assert_eq!(came, [ms(100), ms(200), ms(400), ms(500)]);
}
