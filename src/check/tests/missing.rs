//! Evidence that was not kept: what stays open, and what does not.

use super::*;

#[test]
fn a_plain_capture_leaves_questions_about_events_open() {
    let run = Run::new();
    let evidence = run.evidence_with(None);
    let about_events = check(Question::Count { of: selection(SENT), must: Bound::Between(1, 1) });
    assert!(about_events.needs_journal());
    let verdict = judge(&about_events, &evidence);
    assert_eq!(
        told(&verdict).1,
        "needs the journal of a run, which a capture does not have: `wireglass run` judges it"
    );
    assert_eq!(verdict.outcome, Outcome::Unknown);
    let about_packets = check(Question::Count { of: selection(DATA), must: Bound::Between(4, 4) });
    assert!(!about_packets.needs_journal());
    assert_eq!(judge(&about_packets, &evidence).outcome, Outcome::Pass);
}

#[test]
fn a_node_that_was_not_captured_leaves_questions_about_it_open() {
    let run = Run::new();
    let nodes = [
        NodeSource { name: "client", records: Some(&run.client), not_kept: 0 },
        NodeSource { name: "server", records: None, not_kept: 0 },
    ];
    let evidence = Evidence::new(&nodes, &[], Some(&run.journal), run.ended, run.clock);
    let at_server = Selection { at: Some(NodeId(1)), ..selection(DATA) };
    let verdict = judge(&check(Question::Absent { of: at_server }), &evidence);
    assert_eq!(told(&verdict).1, "needs the capture of server, which is not there");
    assert_eq!(verdict.outcome, Outcome::Unknown);
}

const CUT: &str = "only the first 9 packets of client were kept for judging, not the 3 after them";

#[test]
fn what_packets_that_were_not_kept_could_change_stays_open() {
    let run = Run { not_kept: 3, ..Run::new() };
    let of = || selection(DATA);
    let count = |min, max| Question::Count { of: of(), must: Bound::Between(min, max) };
    let open = [
        Question::Absent { of: selection("udp") },
        count(4, 4),
        count(5, u64::MAX),
        Question::Count { of: of(), must: Bound::SameAs(of()) },
        Question::Bytes { of: of(), must: Bound::Between(0, 400) },
        Question::Octets { of: of(), must: Bound::Between(0, 560) },
        Question::First { of: selection("udp"), satisfies: filter("udp") },
        Question::Last { of: of(), satisfies: filter("tcp") },
        Question::Every { of: of(), satisfies: filter("tcp") },
        Question::Every { of: selection("udp"), satisfies: filter("tcp") },
        Question::Before { order: vec![of(), selection("udp")] },
        Question::Gap { from: of(), to: nth(DATA, 5), must: TimeBound::default() },
        Question::Ratio { of: Measure::Count(of()), to: Measure::Count(of()), at_least: None, at_most: None },
        Question::Equals { member: "tcp.len".to_owned(), of: vec![of()] },
        Question::Sorted { of: nth(DATA, 9), member: "tcp.seq".to_owned(), is: true },
        Question::Sorted { of: selection(SYN), member: "tcp.seq".to_owned(), is: true },
    ];
    for question in open {
        let verdict = run.judge(question.clone());
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Unknown, CUT), "{question:?}");
    }
}

#[test]
fn what_packets_that_were_not_kept_cannot_change_is_judged() {
    let run = Run { not_kept: 3, ..Run::new() };
    let of = || selection(DATA);
    let count = |min, max| Question::Count { of: of(), must: Bound::Between(min, max) };
    let at_server = Selection { at: Some(NodeId(1)), ..selection("udp") };
    let settled = [
        (count(1, u64::MAX), Outcome::Pass),
        (count(0, 3), Outcome::Fail),
        (Question::Count { of: nth(DATA, 2), must: Bound::Between(1, 1) }, Outcome::Pass),
        (Question::Absent { of: of() }, Outcome::Fail),
        (Question::Absent { of: at_server }, Outcome::Pass),
        (Question::First { of: of(), satisfies: filter("tcp.seq == 1") }, Outcome::Pass),
        (Question::Every { of: of(), satisfies: filter("tcp.seq == 1") }, Outcome::Fail),
        (Question::Before { order: vec![selection(SYN), of()] }, Outcome::Pass),
        (Question::Gap { from: selection(SYN), to: nth(DATA, 4), must: TimeBound::default() }, Outcome::Pass),
        (Question::Sorted { of: of(), member: "tcp.seq".to_owned(), is: true }, Outcome::Fail),
        (Question::Count { of: selection(SENT), must: Bound::Between(1, 1) }, Outcome::Pass),
    ];
    for (question, outcome) in settled {
        let verdict = run.judge(question.clone());
        assert_eq!(verdict.outcome, outcome, "{question:?}: {}", verdict.measured);
    }
}

#[test]
fn what_forgotten_lines_of_the_journal_could_change_stays_open() {
    let mut run = Run::new();
    run.journal = Journal::new(1);
    run.impaired(1, 1, Impairment::Lost);
    run.program(43, 0, ProgramEvent::StreamSent { bytes: 300, sha256: "abc".to_owned() });
    let dropped = || only("tcp", Only::Dropped);
    let open = [
        Question::Absent { of: selection(RECEIVED) },
        Question::Count { of: selection(SENT), must: Bound::Between(1, 1) },
        Question::Count { of: nth(SENT, 1), must: Bound::Between(1, 1) },
        Question::First { of: selection(SENT), satisfies: filter(SENT) },
        Question::Absent { of: dropped() },
        Question::Gap { from: selection(SYN), to: selection(SENT), must: TimeBound::default() },
    ];
    for question in open {
        let verdict = run.judge(question.clone());
        assert_eq!(verdict.outcome, Outcome::Unknown, "{question:?}: {}", verdict.measured);
        assert_eq!(verdict.measured, "the journal has forgotten its oldest lines, 1 in all");
    }
    let one_at_least = Question::Count { of: selection(SENT), must: Bound::Between(1, u64::MAX) };
    assert_eq!(run.judge(one_at_least).outcome, Outcome::Pass);
    assert_eq!(run.judge(Question::Absent { of: selection("udp") }).outcome, Outcome::Pass, "packets are all there");
}

#[test]
fn integrity_is_open_where_packets_were_not_kept_unless_it_is_broken() {
    let mut run = Run { not_kept: 3, ..Run::new() };
    for verdict in integrity(&run.evidence(), Integrity::default()) {
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Unknown, CUT), "{}", verdict.id);
    }
    run.client.insert(3, record(10, 40, Direction::In, back("RA", 501, 401, 1461)));
    assert_eq!(run.integrity("within-mtu").outcome, Outcome::Fail);
    assert_eq!(run.integrity("no-unexplained-reset").outcome, Outcome::Fail);
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Unknown);
}
