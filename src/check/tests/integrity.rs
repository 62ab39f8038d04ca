//! What must hold in every run.

use super::*;

#[test]
fn a_clean_run_has_integrity() {
    let verdicts = integrity(&Run::new().evidence(), Integrity::default());
    assert_eq!(verdicts.iter().map(|verdict| verdict.id.as_str()).collect::<Vec<_>>(), INTEGRITY_IDS);
    for verdict in verdicts {
        assert_eq!(verdict.outcome, Outcome::Pass, "{}: {}", verdict.id, verdict.measured);
    }
}

#[test]
fn nothing_captured_is_no_integrity() {
    let run = Run { client: Vec::new(), server: Vec::new(), ..Run::new() };
    for verdict in integrity(&run.evidence(), Integrity::default()) {
        assert_eq!((verdict.outcome, verdict.measured.as_str()), (Outcome::Unknown, "nothing was captured"));
    }
}

#[test]
fn a_bad_checksum_is_found_unless_a_link_made_it() {
    let mut run = Run::new();
    let mut bytes = run.server[3].bytes.to_vec();
    bytes[45] ^= 1;
    run.server[3].bytes = bytes.into();
    let verdict = run.integrity("checksums-good");
    assert_eq!((verdict.outcome, verdict.vantage.as_str()), (Outcome::Fail, "server"));
    assert_eq!(verdict.packets, [4]);
    run.impaired(41, 4, Impairment::Corrupted { rule: None, octet: 45 });
    assert_eq!(run.integrity("checksums-good").outcome, Outcome::Pass);
}

#[test]
fn a_packet_over_the_mtu_is_found() {
    let mut run = Run::new();
    run.client.push(record(10, 1090, Direction::In, back("A", 501, 401, 1461)));
    let verdict = run.integrity("within-mtu");
    assert_eq!((verdict.outcome, verdict.packets.as_slice()), (Outcome::Fail, [10].as_slice()));
    run.client.pop();
    run.client.push(record(10, 1090, Direction::In, back("A", 501, 401, 1460)));
    assert_eq!(run.integrity("within-mtu").outcome, Outcome::Pass);
}

#[test]
fn a_packet_that_vanishes_needs_a_cause() {
    let mut run = Run::new();
    run.server.remove(3);
    let verdict = run.integrity("drops-explained");
    assert_eq!((verdict.outcome, verdict.packets.as_slice()), (Outcome::Fail, [4].as_slice()));
    run.impaired(41, 4, Impairment::Lost);
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Pass);
    run.client.push(record(10, 1085, Direction::Out, there("A", 401, 501, 0)));
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Pass, "the last one may still be under way");
    run.ended = Instant::from_nanos(1200 * MS);
    assert_eq!(run.integrity("drops-explained").packets, [10]);
}

#[test]
fn a_journal_that_forgets_cannot_explain_every_drop() {
    let mut run = Run::new();
    run.journal = Journal::new(1);
    run.impaired(1, 1, Impairment::Lost);
    run.impaired(1, 1, Impairment::Lost);
    assert_eq!(run.integrity("drops-explained").outcome, Outcome::Unknown);
}

#[test]
fn a_connection_that_begins_without_a_syn_is_found() {
    let mut run = Run::new();
    run.client.remove(0);
    assert_eq!(run.integrity("handshake-captured").outcome, Outcome::Pass, "a SYN,ACK still shows the opening");
    run.client.remove(0);
    assert_eq!(run.integrity("handshake-captured").packets, [1]);
}

#[test]
fn a_stray_is_excused_where_the_lab_speaks_of_strays_and_data_never_is() {
    let expecting = Integrity { expects_strays: true, ..Integrity::default() };
    let outcome = |run: &Run, lab| {
        let verdicts = integrity(&run.evidence(), lab);
        verdicts.into_iter().find(|verdict| verdict.id == "handshake-captured").expect("it is judged").outcome
    };
    let mut run = Run { client: vec![record(1, 0, Direction::Out, there("A", 401, 501, 0))], ..Run::new() };
    run.server.clear();
    assert_eq!(outcome(&run, Integrity::default()), Outcome::Fail);
    assert_eq!(outcome(&run, expecting), Outcome::Pass);
    run.client.push(record(2, 10, Direction::Out, there("A", 401, 501, 100)));
    assert_eq!(outcome(&run, expecting), Outcome::Fail, "a conversation with data has begun with a SYN");
}

#[test]
fn a_reset_needs_a_lab_that_speaks_of_it() {
    let mut run = Run::new();
    // Without its FIN, the client would have gone on.
    run.client.remove(7);
    run.client.push(record(10, 1090, Direction::In, back("RA", 501, 400, 0)));
    assert_eq!(run.integrity("no-unexplained-reset").packets, [9]);
    let expecting = integrity(&run.evidence(), Integrity { expects_resets: true, ..Integrity::default() });
    assert!(expecting.iter().all(|verdict| verdict.outcome == Outcome::Pass || verdict.id == "drops-explained"));
}

#[test]
fn a_reset_harms_no_connection_that_both_ends_have_ended() {
    let mut run = Run::new();
    // A late copy of the FIN has met a server that has forgotten the connection.
    run.client.push(record(10, 1090, Direction::In, back("R", 501, 0, 0)));
    assert_eq!(run.integrity("no-unexplained-reset").outcome, Outcome::Pass);
    run.client.push(record(11, 1091, Direction::Out, there("S", 900, 0, 0)));
    run.client.push(record(12, 1092, Direction::In, back("RA", 0, 901, 0)));
    assert_eq!(run.integrity("no-unexplained-reset").packets, [12], "the same ports, but a new connection");
}
