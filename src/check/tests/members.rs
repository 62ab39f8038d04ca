//! What events and packets carry.

use super::*;

#[test]
fn members_of_events_and_packets_are_compared() {
    let mut run = Run::new();
    let equals = |member: &str, of: Vec<Selection>| Question::Equals { member: member.to_owned(), of };
    let hashes = || equals("sha256", vec![selection(SENT), selection(RECEIVED)]);
    assert_eq!(told(&run.judge(hashes())).1, "`sha256` is abc in each");
    assert_eq!(run.judge(equals("nothing", vec![selection(SENT), selection(RECEIVED)])).outcome, Outcome::Fail);
    let same_seq = equals("tcp.seq", vec![nth(DATA, 2), only(DATA, Only::Repeats)]);
    assert_eq!(run.judge(same_seq).measured, "`tcp.seq` is 101 in each");
    let one = |text| equals("tcp.seq", vec![selection(text)]);
    assert_eq!(run.judge(one("tcp.seq == 101")).outcome, Outcome::Pass);
    assert_eq!(
        run.judge(one(DATA)).measured,
        "`tcp.seq` is 1, 101, 201, … (4 in all) in `tcp.len > 0`; expected the same in each"
    );
    run.program(1064, 1, ProgramEvent::StreamReceived { bytes: 300, sha256: "abd".to_owned() });
    let differing = run.judge(hashes());
    assert_eq!(differing.outcome, Outcome::Fail);
    assert!(differing.measured.starts_with("`sha256` is abc in "), "{}", differing.measured);
}

#[test]
fn order_among_numbers_is_claimed_or_denied() {
    let mut run = Run::new();
    let sorted = |is| Question::Sorted {
        of: selection("event.report == \"message-received\""),
        member: "number".to_owned(),
        is,
    };
    assert_eq!(run.judge(sorted(true)).measured, "`number` rises through all 3");
    assert_eq!(run.judge(sorted(false)).outcome, Outcome::Fail);
    run.program(1070, 1, ProgramEvent::MessageReceived { over: TransportKind::Tcp, number: 2 });
    assert_eq!(run.judge(sorted(true)).measured, "`number` 2 comes after 3; expected only rising ones");
    assert_eq!(run.judge(sorted(false)).outcome, Outcome::Pass);
}

#[test]
fn a_member_is_compared_before_and_after() {
    let mut run = Run::new();
    for (ms, number) in [(2000, 10), (2001, 5)] {
        run.program(ms, 0, ProgramEvent::MessageSent { over: TransportKind::Udp, number });
    }
    let value = |member: &str, nth| Measure::Member(member.to_owned(), self::nth("event.report == message-sent", nth));
    let ratio = |of, at_most| {
        let verdict = run.judge(Question::Ratio {
            of,
            to: value("number", -2),
            at_least: None,
            at_most: Some(Factor::from_thousandths(at_most)),
        });
        (verdict.outcome, verdict.measured)
    };
    assert_eq!(ratio(value("number", -1), 500), (Outcome::Pass, "0.5 (5 to 10)".to_owned()));
    assert_eq!(ratio(value("number", -1), 499).1, "0.5 (5 to 10); expected at most 0.499");
    assert_eq!(ratio(value("sha256", -1), 500).0, Outcome::Fail, "there is no such number");
    assert_eq!(ratio(value("number", 99), 500).0, Outcome::Fail, "there is no such event");
}
