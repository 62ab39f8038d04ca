//! Order, gaps and ratios.

use super::*;

#[test]
fn order_is_that_of_the_capture_even_at_one_instant() {
    let run = Run::new();
    let (syn_ack, ack) = ("tcp.flags == 0x012", "tcp.flags == 0x010 && tcp.len == 0");
    let before =
        |order: &[&str]| run.judge(Question::Before { order: order.iter().map(|text| selection(text)).collect() });
    let right = before(&[SYN, syn_ack, ack, DATA]);
    assert_eq!((right.outcome, right.packets.as_slice()), (Outcome::Pass, [1, 2, 3, 4].as_slice()));
    let wrong = before(&[SYN, ack, syn_ack]);
    assert_eq!(wrong.outcome, Outcome::Fail);
    assert_eq!(
        wrong.measured,
        "`tcp.flags == 0x010 && tcp.len == 0` at 0.040000 s does not come before `tcp.flags == 0x012` at 0.040000 s"
    );
    assert_eq!(before(&[DATA, SENT]).outcome, Outcome::Pass, "packets and events share one timeline");
}

/// Two lines of the journal at one instant come in the journal's order; a packet and a line have none.
#[test]
fn events_at_one_instant_come_in_the_journals_order() {
    let mut run = Run::new();
    run.program(2000, 0, ProgramEvent::StreamSent { bytes: 1, sha256: "first".to_owned() });
    run.program(2000, 1, ProgramEvent::StreamReceived { bytes: 1, sha256: "second".to_owned() });
    let (first, second) = ("event.sha256 == first", "event.sha256 == second");
    let before = |order: [&str; 2]| run.judge(Question::Before { order: order.map(selection).to_vec() }).outcome;
    assert_eq!(before([first, second]), Outcome::Pass);
    assert_eq!(before([second, first]), Outcome::Fail);
    assert_eq!(before([first, first]), Outcome::Fail, "nothing comes before itself");
}

#[test]
fn one_of_many_is_counted_from_either_end() {
    let run = Run::new();
    let found = |number| run.judge(Question::Absent { of: nth(DATA, number) }).packets;
    assert_eq!((found(1), found(4), found(5)), (vec![4], vec![7], vec![]));
    assert_eq!((found(-1), found(-4), found(-5)), (vec![7], vec![4], vec![]));
}

#[test]
fn a_gap_is_measured_from_first_to_first() {
    let run = Run::new();
    let lost = || nth(DATA, 2);
    let again = || only(DATA, Only::Repeats);
    let gap = |must| run.judge(Question::Gap { from: lost(), to: again(), must });
    let passing = [
        TimeBound { more_than: Some(ms(999)), ..TimeBound::default() },
        TimeBound { less_than: Some(ms(1001)), ..TimeBound::default() },
        TimeBound { about: Some(ms(1100)), ..TimeBound::default() },
        TimeBound { is: Some(ms(1000)), ..TimeBound::default() },
    ];
    for must in passing {
        assert_eq!(gap(must).measured, "1s", "{must}");
        assert_eq!(gap(must).outcome, Outcome::Pass, "{must}");
    }
    let failing = [
        TimeBound { more_than: Some(ms(1000)), ..TimeBound::default() },
        TimeBound { less_than: Some(ms(1000)), ..TimeBound::default() },
        TimeBound { about: Some(ms(1200)), ..TimeBound::default() },
        TimeBound { is: Some(ms(1001)), ..TimeBound::default() },
    ];
    for must in failing {
        assert_eq!(gap(must).outcome, Outcome::Fail, "{must}");
        assert_eq!(gap(must).packets, [5, 7], "{must}");
    }
    assert_eq!(gap(failing[0]).measured, "1s; expected more than 1s");
    let backwards = run.judge(Question::Gap { from: again(), to: lost(), must: passing[0] });
    assert!(backwards.measured.contains("comes before"), "{}", backwards.measured);
    assert!(backwards.is_fail());
}

#[test]
fn a_wall_clock_is_granted_slack_above_and_none_below() {
    let run = Run { clock: Clock::Wall, ..Run::new() };
    let gap = |must| run.judge(Question::Gap { from: nth(DATA, 2), to: only(DATA, Only::Repeats), must }).outcome;
    assert_eq!(gap(TimeBound { less_than: Some(ms(900)), ..TimeBound::default() }), Outcome::Pass);
    assert_eq!(gap(TimeBound { less_than: Some(ms(800)), ..TimeBound::default() }), Outcome::Fail);
    assert_eq!(gap(TimeBound { more_than: Some(ms(1000)), ..TimeBound::default() }), Outcome::Fail);
}

#[test]
fn an_exact_time_is_about_that_time_on_a_wall_clock() {
    let run = Run { clock: Clock::Wall, ..Run::new() };
    let is = |milliseconds| {
        let must = TimeBound { is: Some(ms(milliseconds)), ..TimeBound::default() };
        run.judge(Question::Gap { from: nth(DATA, 2), to: only(DATA, Only::Repeats), must }).outcome
    };
    // The gap is 1 s; 15 % both ways.
    assert_eq!([is(860), is(880), is(1170), is(1190)], [Outcome::Fail, Outcome::Pass, Outcome::Pass, Outcome::Fail]);
}

#[test]
fn a_check_may_say_how_late_a_busy_machine_can_be() {
    let judged = |clock, must| {
        let run = Run { clock, ..Run::new() };
        run.judge(Question::Gap { from: nth(DATA, 2), to: only(DATA, Only::Repeats), must }).outcome
    };
    let is = |milliseconds| TimeBound { is: Some(ms(milliseconds)), late: Some(ms(300)), ..TimeBound::default() };
    let less_than =
        |milliseconds| TimeBound { less_than: Some(ms(milliseconds)), late: Some(ms(300)), ..TimeBound::default() };
    // The gap is 1 s.
    let expected = [Outcome::Fail, Outcome::Pass, Outcome::Pass, Outcome::Fail];
    assert_eq!([699, 700, 1300, 1301].map(|bound| judged(Clock::Wall, is(bound))), expected);
    assert_eq!([700, 701].map(|bound| judged(Clock::Wall, less_than(bound))), [Outcome::Fail, Outcome::Pass]);
    assert_eq!([is(999), less_than(999)].map(|must| judged(Clock::Virtual, must)), [Outcome::Fail; 2]);
}

#[test]
fn a_ratio_needs_times_that_are_there_and_run_forwards() {
    let run = Run::new();
    let ratio = |of: Measure, to: Measure| {
        run.judge(Question::Ratio { of, to, at_least: None, at_most: Some(Factor::from_thousandths(2_000)) })
    };
    let whole = || Measure::Gap(selection(SYN), nth(DATA, 1));
    assert_eq!(ratio(whole(), whole()).outcome, Outcome::Pass);
    let missing = || Measure::Gap(selection("udp"), nth(DATA, 1));
    for verdict in [ratio(missing(), whole()), ratio(whole(), missing())] {
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Fail, "nothing matches `udp`"));
    }
    let backwards = ratio(Measure::Gap(nth(DATA, 1), selection(SYN)), whole());
    assert_eq!(backwards.outcome, Outcome::Fail);
    assert!(backwards.measured.contains("comes before"), "{}", backwards.measured);
}

#[test]
fn ratios_are_exact_to_the_thousandth() {
    let run = Run::new();
    let of = Measure::Gap(nth(DATA, 2), only(DATA, Only::Repeats));
    let to = Measure::Gap(nth(DATA, 1), nth(DATA, 2));
    let ratio = |least: u64, most: u64| {
        let (at_least, at_most) = (Some(Factor::from_thousandths(least)), Some(Factor::from_thousandths(most)));
        run.judge(Question::Ratio { of: of.clone(), to: to.clone(), at_least, at_most })
    };
    assert_eq!(told(&ratio(1_000_000, 1_000_000)).1, "1000");
    assert_eq!(ratio(1_000_000, 1_000_000).outcome, Outcome::Pass);
    assert_eq!(ratio(1_000_001, 2_000_000).measured, "1000; expected 1000.001 to 2000");
    let bytes = Question::Ratio {
        of: Measure::Bytes(selection(DATA)),
        to: Measure::Count(selection(SENT)),
        at_least: None,
        at_most: Some(Factor::from_thousandths(400_000)),
    };
    assert_eq!(run.judge(bytes).outcome, Outcome::Pass);
    let by_zero = Question::Ratio {
        of: Measure::Count(selection(DATA)),
        to: Measure::Count(selection("udp")),
        at_least: Some(Factor::from_thousandths(0)),
        at_most: None,
    };
    assert_eq!(run.judge(by_zero).outcome, Outcome::Fail);
}
