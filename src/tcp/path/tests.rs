//! What is believed of a path, by tables.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn path(is_ipv6: bool, rules: &PathDiscovery) -> Path {
    Path::new(1500, is_ipv6, rules, Instant::ZERO)
}

/// A report about a packet of 1500 octets at position 1.
fn report(mtu: u32) -> Report {
    Report { mtu, position: 1, length: 1500 }
}

/// A path over which a packet of 1500 octets has come, and one more is under way.
fn proven(rules: &PathDiscovery) -> Path {
    let mut path = path(false, rules);
    path.sent(1461, 1500);
    path.acknowledged(1461);
    path
}

#[test]
fn a_report_is_believed_when_it_can_be_meant() {
    let rules = PathDiscovery::default();
    let cases = [
        // over IPv6, the report, what it is worth, what is sent from then on
        (false, report(1300), Verdict::Narrower, 1300),
        (false, report(552), Verdict::Narrower, 552),
        (false, report(1500), Verdict::Nothing, 1500),
        (false, report(9000), Verdict::Nothing, 1500),
        (false, report(67), Verdict::Impossible, 1500),
        (false, report(0), Verdict::Impossible, 1500),
        // The segment there is too short to have been too long.
        (false, Report { length: 180, ..report(1300) }, Verdict::Impossible, 1500),
        (true, report(1280), Verdict::Narrower, 1280),
        (true, report(1279), Verdict::Impossible, 1500),
    ];
    for (is_ipv6, report, verdict, mtu) in cases {
        let mut path = path(is_ipv6, &rules);
        assert_eq!((path.reported(&report, &rules, Instant::ZERO), path.mtu()), (verdict, mtu), "{report:?}");
    }
}

#[test]
fn a_report_below_the_least_gets_packets_that_may_be_cut() {
    let rules = PathDiscovery::default();
    let mut narrow = path(false, &rules);
    assert_eq!(narrow.reported(&report(296), &rules, Instant::ZERO), Verdict::Narrower);
    assert_eq!((narrow.mtu(), narrow.may_be_cut(&rules)), (552, true));
    let patient = PathDiscovery { least_mtu: 68, ..rules };
    let mut narrow = path(false, &patient);
    assert_eq!(narrow.reported(&report(296), &patient, Instant::ZERO), Verdict::Narrower);
    assert_eq!((narrow.mtu(), narrow.may_be_cut(&patient)), (296, false));
}

#[test]
fn who_does_not_ask_does_not_hear() {
    for reports in [PathReports::NotAsked, PathReports::Ignored] {
        let rules = PathDiscovery { reports, ..PathDiscovery::default() };
        let mut path = path(false, &rules);
        assert_eq!(path.reported(&report(1300), &rules, Instant::ZERO), Verdict::Nothing);
        assert_eq!((path.mtu(), path.may_be_cut(&rules)), (1500, reports == PathReports::NotAsked));
    }
}

#[test]
fn without_discovery_ipv6_packets_are_as_every_link_takes_them() {
    let rules = PathDiscovery { reports: PathReports::NotAsked, ..PathDiscovery::default() };
    assert_eq!((path(true, &rules).mtu(), path(true, &rules).room()), (1280, 1220));
}

#[test]
fn what_has_arrived_makes_a_report_doubtful_until_a_time_out_agrees() {
    let rules = PathDiscovery::default();
    let doubtful = Report { position: 1461, ..report(1300) };
    let mut path = proven(&rules);
    assert_eq!(path.reported(&doubtful, &rules, Instant::ZERO), Verdict::Doubted);
    assert_eq!(path.mtu(), 1500);
    assert_eq!(path.timed_out((1461, 1500), 1, &rules, Instant::ZERO), Some(Suspicion::Report));
    assert_eq!(path.mtu(), 1300);

    let mut path = proven(&rules);
    path.reported(&doubtful, &rules, Instant::ZERO);
    path.acknowledged(2921);
    assert_eq!(path.timed_out((2921, 1500), 1, &rules, Instant::ZERO), None, "it has arrived after all");

    let mut path = proven(&rules);
    path.reported(&doubtful, &rules, Instant::ZERO);
    path.acknowledged(1461);
    assert_eq!(path.timed_out((1461, 1500), 1, &rules, Instant::ZERO), Some(Suspicion::Report), "nothing new has");
}

#[test]
fn who_trusts_reports_does_not_doubt() {
    let rules = PathDiscovery { trusts_reports: true, ..PathDiscovery::default() };
    let mut path = proven(&rules);
    assert_eq!(path.reported(&Report { position: 1461, ..report(1300) }, &rules, Instant::ZERO), Verdict::Narrower);
}

#[test]
fn one_router_after_the_other_is_believed() {
    let rules = PathDiscovery::default();
    let mut path = path(false, &rules);
    for (mtu, length) in [(1400, 1500), (1300, 1400), (1200, 1300)] {
        assert_eq!(path.reported(&Report { length, ..report(mtu) }, &rules, Instant::ZERO), Verdict::Narrower);
        path.cut();
    }
    assert_eq!(path.mtu(), 1200);
}

#[test]
fn what_was_cut_bears_no_witness() {
    let rules = PathDiscovery::default();
    let mut path = path(false, &rules);
    path.sent(1461, 1500);
    path.cut();
    path.acknowledged(1461);
    assert_eq!(path.reported(&Report { position: 1461, ..report(1300) }, &rules, Instant::ZERO), Verdict::Narrower);
}

#[test]
fn a_narrow_path_may_be_wide_again_after_ten_minutes() {
    let rules = PathDiscovery::default();
    let mut path = path(false, &rules);
    assert!(!path.age(Instant::ZERO + NARROW_FOR), "nothing is old");
    path.reported(&report(300), &rules, Instant::ZERO);
    assert!(!path.age(Instant::ZERO + (NARROW_FOR - SECOND)));
    assert_eq!(path.mtu(), 552);
    assert!(path.age(Instant::ZERO + NARROW_FOR));
    assert_eq!((path.mtu(), path.may_be_cut(&rules)), (1500, false));
}

#[test]
fn silence_is_believed_after_three_retransmissions_and_then_each_time() {
    let rules = PathDiscovery::default();
    let fallen = |is_ipv6: bool| {
        let mut path = path(is_ipv6, &rules);
        let time_out = |path: &mut Path, times| {
            let length = path.mtu();
            path.timed_out((1, length), times, &rules, Instant::ZERO).map(|_| path.room())
        };
        (1..12).map(|times| time_out(&mut path, times)).collect::<Vec<_>>()
    };
    let some = |rooms: &[u16]| rooms.iter().map(|room| Some(*room)).collect::<Vec<_>>();
    let none = |times: usize| vec![None; times];
    assert_eq!(fallen(false), [none(3), some(&[1024, 512, 256, 128, 64, 48]), none(2)].concat());
    assert_eq!(fallen(true), [none(3), some(&[1220]), none(7)].concat(), "every IPv6 link takes 1280");
}

#[test]
fn silence_says_nothing_of_segments_that_are_short() {
    let rules = PathDiscovery::default();
    let cases = [
        (rules, (1, 1064), None),
        (rules, (1, 1065), Some(Suspicion::Silence)),
        (PathDiscovery { probing: PathProbing::Off, ..rules }, (1, 1500), None),
        (PathDiscovery { reports: PathReports::NotAsked, ..rules }, (1, 1500), None),
        (PathDiscovery { reports: PathReports::Ignored, ..rules }, (1, 1500), Some(Suspicion::Silence)),
    ];
    for (rules, oldest, suspicion) in cases {
        let mut path = path(false, &rules);
        assert_eq!(path.timed_out(oldest, 4, &rules, Instant::ZERO), suspicion, "{oldest:?} with {rules:?}");
    }
}

#[test]
fn a_search_from_the_beginning_begins_at_the_base() {
    let rules = PathDiscovery { probing: PathProbing::Always, ..PathDiscovery::default() };
    let mut path = path(false, &rules);
    assert_eq!((path.room(), path.probe_length(1500, &rules, Instant::ZERO)), (1024, Some(1282)));
}

#[test]
fn a_report_about_a_probe_ends_the_probe_and_nothing_else() {
    let rules = PathDiscovery { probing: PathProbing::Always, ..PathDiscovery::default() };
    let mut path = path(false, &rules);
    path.search.as_mut().expect("it searches").probe_left(1..1243, 1282);
    let about = |mtu, position| Report { mtu, position, length: 1322 };
    assert_eq!(path.reported(&about(1282, 1), &rules, Instant::ZERO), Verdict::Nothing);
    assert_eq!(path.reported(&about(1200, 1243), &rules, Instant::ZERO), Verdict::Nothing);
    assert_eq!(path.reported(&about(1200, 1242), &rules, Instant::ZERO), Verdict::ProbeRefused);
    assert_eq!(path.mtu(), 1064);
}
