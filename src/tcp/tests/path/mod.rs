//! How long packets may be: reports of those that were too long, and paths that swallow them (RFC 1191, RFC 8201,
//! RFC 5927 §7.2, RFC 4821 §7.7). Probes stand in [`probes`].
//!
//! The peer takes segments of 1460 octets, as the link does.

mod probes;

use super::wire::{Wire, config, ends};
use crate::journal::{DropReason, Event, PathMtuCause, Recovery};
use crate::packet::DeliveryError;
use crate::tcp::{Config, PathDiscovery, PathProbing};
use crate::transport::{PathReports, SocketOption};

/// A connection on which `octets` were just written, and left in segments of 1460.
fn sent(octets: usize) -> Wire {
    sent_with(config(), octets)
}

fn sent_with(config: Config, octets: usize) -> Wire {
    let config = Config { send_buffer: 1_000_000, ..config };
    let mut wire = Wire::open_with(&config, "mss 1460");
    wire.write(octets);
    assert_eq!(wire.take_sent().len(), octets.div_ceil(1460).min(10));
    wire.journal();
    wire
}

fn with(path: PathDiscovery) -> Config {
    Config { path, ..config() }
}

fn too_big(mtu: u32) -> DeliveryError {
    DeliveryError::TooBig { mtu }
}

/// What was told of the path's MTU.
fn told(wire: &mut Wire) -> Vec<(u32, PathMtuCause)> {
    let path = |event| match event {
        Event::PathMtu { mtu, cause, .. } => Some((mtu, cause)),
        _ => None,
    };
    wire.journal().into_iter().filter_map(path).collect()
}

/// RFC 1191 §6.4, RFC 8201 §5.4: what was too long goes again at once, in shorter segments; the window stays.
#[test]
fn a_report_cuts_what_is_in_flight_anew_and_sends_it_again() {
    let mut wire = sent(3000);
    let before = (wire.cwnd(), wire.snapshot().ssthresh);
    wire.undelivered(1, too_big(1040));
    wire.log(
        "
        > A  1:1001     ack 1  | retransmit-for-path-mtu
        > A  1001:1461  ack 1  | retransmit-for-path-mtu
        > A  1461:2461  ack 1  | retransmit-for-path-mtu
        > A  2461:2921  ack 1  | retransmit-for-path-mtu
        < A  1          ack 3001
        ",
    );
    assert_eq!(told(&mut wire), [(1040, PathMtuCause::Reported)]);
    let snapshot = wire.snapshot();
    assert_eq!((snapshot.path_mtu, snapshot.snd_mss), (Some(1040), Some(1000)));
    assert_eq!((wire.cwnd() >= before.0, wire.snapshot().ssthresh, wire.recovery()), (true, before.1, Recovery::Open));
    wire.write(2000);
    wire.log("> A 3001:4001 ack 1 | new-data\n > PA 4001:5001 ack 1 | new-data");
}

/// As many go at once as the window lets: it counts segments, and they are shorter now.
#[test]
fn the_window_counts_segments_while_they_go_again() {
    let mut wire = sent(20_000);
    wire.undelivered(1, too_big(1040));
    assert_eq!((wire.take_sent().len(), wire.cwnd(), wire.snapshot().ssthresh), (10, 10, Some(u32::MAX)));
}

/// The time-out begins anew: what has run of it was spent on what could not arrive.
#[test]
fn the_time_out_begins_anew_with_what_goes_again() {
    let mut wire = sent(1460);
    wire.log("+150ms");
    wire.undelivered(1, too_big(1040));
    wire.log(
        "
        > A  1:1001     ack 1  | retransmit-for-path-mtu
        > PA 1001:1461  ack 1  | retransmit-for-path-mtu
        +200ms
        > A  1:1001     ack 1  | retransmit-by-timer
        ",
    );
}

/// FIN takes a number and no room, and PSH stays on its octet.
#[test]
fn a_fin_goes_again_behind_the_last_piece() {
    let mut wire = Wire::open_with(&config(), "mss 1460");
    wire.write(1400);
    wire.take_sent();
    wire.shutdown();
    wire.log("> FA 1401 ack 1 | close");
    wire.undelivered(1, too_big(1040));
    wire.log("> A 1:1001 ack 1 | retransmit-for-path-mtu\n > PA 1001:1401 ack 1 | retransmit-for-path-mtu");
    wire.log("< A 1 ack 1402");
    assert!(wire.snapshot().flight.is_some_and(|flight| flight.unacked == 0));
}

/// The options of every segment count against the path's MTU, too.
#[test]
fn options_count_against_the_path() {
    let mut wire = Wire::open_with(&config(), "mss 1460, ts 1 0");
    wire.write(1448);
    wire.take_sent();
    wire.undelivered(1, too_big(1052));
    assert_eq!(wire.next_sent(), "A 1:1001 ack 1 | retransmit-for-path-mtu");
    assert_eq!(wire.next_sent(), "PA 1001:1449 ack 1 | retransmit-for-path-mtu");
}

/// RFC 5927 §4.1, §7.2: a report about nothing in flight, about a segment that was short enough, for less than every link
/// takes, or for no less than is sent, changes nothing.
#[test]
fn a_forged_report_changes_nothing() {
    let forged = DropReason::ForgedIcmp;
    let cases = [
        (0, 1000, forged),
        (-5000, 1000, forged),
        (3061, 1000, forged),
        (90_000, 1000, forged),
        (2921, 1300, forged),
        (1, 40, forged),
        (1, 0, forged),
        (1, 1500, DropReason::UnheededReport),
        (1, u32::MAX, DropReason::UnheededReport),
    ];
    for (seq, mtu, reason) in cases {
        let mut wire = sent(3060);
        wire.undelivered(seq, too_big(mtu));
        assert_eq!((wire.drops(), wire.snapshot().snd_mss), (vec![reason], Some(1460)), "{mtu} about {seq}");
        let socket = wire.socket();
        assert_eq!(wire.engine.take_error(socket), None, "the application has nothing to do with it");
    }
}

/// Ten segments of a flight were too long, and ten reports come.
#[test]
fn the_second_report_of_a_flight_says_nothing_new() {
    let mut wire = sent(2920);
    wire.undelivered(1, too_big(1040));
    assert_eq!(wire.take_sent().len(), 4);
    wire.drops();
    wire.undelivered(1461, too_big(1040));
    assert_eq!((wire.drops(), wire.take_sent().len()), (vec![DropReason::UnheededReport], 0));
}

/// RFC 5927 §7.2: once a long packet has arrived, a report that none does waits for a time-out to agree.
#[test]
fn a_report_that_contradicts_what_has_arrived_waits_for_a_time_out() {
    let mut wire = sent(1460);
    wire.log("< A 1 ack 1461");
    wire.write(1460);
    wire.log("> PA 1461:2921 ack 1 | new-data");
    wire.undelivered(1461, too_big(1040));
    assert_eq!(wire.drops(), [DropReason::DoubtedReport]);
    wire.log("+200ms\n > A 1461:2461 ack 1 | retransmit-by-timer\n < A 1 ack 2461\n > PA 2461:2921 ack 1 | retransmit-for-path-mtu");
    assert_eq!(told(&mut wire), [(1040, PathMtuCause::Confirmed)]);
}

/// … and is forgotten when what it spoke of arrives.
#[test]
fn a_report_about_what_arrives_after_all_is_forgotten() {
    let mut wire = sent(1460);
    wire.log("< A 1 ack 1461");
    wire.write(1460);
    wire.take_sent();
    wire.undelivered(1461, too_big(1040));
    wire.log("< A 1 ack 2921");
    wire.write(1460);
    wire.log("> PA 2921:4381 ack 1 | new-data\n +200ms\n > PA 2921:4381 ack 1 | retransmit-by-timer");
    assert_eq!(told(&mut wire), []);
}

/// Linux and the BSDs believe at once.
#[test]
fn who_trusts_reports_believes_at_once() {
    let mut wire = sent_with(with(PathDiscovery { trusts_reports: true, ..PathDiscovery::default() }), 1460);
    wire.log("< A 1 ack 1461");
    wire.write(1460);
    wire.take_sent();
    wire.undelivered(1461, too_big(1040));
    wire.log("> A 1461:2461 ack 1 | retransmit-for-path-mtu\n > PA 2461:2921 ack 1 | retransmit-for-path-mtu");
}

/// RFC 1191 §6.3: ten minutes later the path may be wider. The window stays as many octets.
#[test]
fn longer_packets_are_tried_again_after_ten_minutes() {
    let mut wire = sent(1460);
    wire.undelivered(1, too_big(1040));
    wire.take_sent();
    wire.log("< A 1 ack 1461\n +599s");
    wire.write(1460);
    wire.log("> A 1461:2461 ack 1 | new-data\n > PA 2461:2921 ack 1 | new-data\n < A 1 ack 2921\n +1s");
    let octets = wire.snapshot().cwnd;
    wire.write(1460);
    wire.log("> PA 2921:4381 ack 1 | new-data");
    assert_eq!(told(&mut wire), [(1040, PathMtuCause::Reported), (1500, PathMtuCause::Aged)]);
    assert!(wire.snapshot().cwnd <= octets);
}

/// Linux's `ip_rt_min_pmtu`: a path that claims to be very narrow may cut.
#[test]
fn a_very_narrow_path_gets_packets_that_may_be_cut() {
    let mut wire = sent(1000);
    wire.undelivered(1, too_big(200));
    let sent = wire.take_sent();
    assert_eq!(sent.iter().map(|departure| departure.segment.len()).collect::<Vec<_>>(), [512, 488]);
    assert!(sent.iter().all(|departure| !departure.dont_fragment));
}

/// `IP_PMTUDISC_DONT` and `IP_PMTUDISC_PROBE`.
#[test]
fn reports_are_heard_only_on_request() {
    for reports in [PathReports::NotAsked, PathReports::Ignored] {
        let mut wire = Wire::open_with(&with(PathDiscovery { reports, ..PathDiscovery::default() }), "mss 1460");
        wire.write(1460);
        let sent = wire.take_sent();
        assert_eq!(sent[0].dont_fragment, reports == PathReports::Ignored);
        wire.undelivered(1, too_big(1040));
        assert_eq!(wire.drops(), [DropReason::UnheededReport]);
    }
}

/// The application may change its mind.
#[test]
fn an_open_connection_may_stop_asking() {
    let mut wire = Wire::open_with(&config(), "mss 1460");
    for (reports, dont_fragment) in [(PathReports::NotAsked, false), (PathReports::Heard, true)] {
        wire.set(SocketOption::PathReports(reports));
        wire.write(10);
        assert_eq!(wire.take_sent()[0].dont_fragment, dont_fragment);
        let (una, nxt) = (wire.snapshot().snd_una, wire.snapshot().snd_nxt);
        assert_ne!(una, nxt);
        wire.receive(if dont_fragment { "A 1 ack 21" } else { "A 1 ack 11" });
    }
}

/// RFC 8201 §4: over IPv6 nobody cuts packets on their way, and who does not ask sends what every link takes.
#[test]
fn over_ipv6_who_does_not_ask_sends_what_every_link_takes() {
    let ends = ends("[fd00::1]:5000", "[fd00::2]:80");
    for late in [false, true] {
        let reports = if late { PathReports::Heard } else { PathReports::NotAsked };
        let config = with(PathDiscovery { reports, ..PathDiscovery::default() });
        let mut wire = Wire::connecting_between(ends, &config);
        wire.take_sent();
        wire.receive("SA 0 ack 1 <mss 1440>");
        wire.take_sent();
        wire.set(SocketOption::PathReports(PathReports::NotAsked));
        wire.write(1440);
        assert_eq!(wire.take_sent().iter().map(|sent| sent.segment.len()).collect::<Vec<_>>(), [1220, 220]);
    }
}

/// RFC 1191 §6.2: a connection begins with what the host knows, and the MSS that it announces is the link's all the same
/// (RFC 9293 MUST-67).
#[test]
fn a_connection_begins_with_what_is_known_of_its_path() {
    let mut wire = Wire::closed();
    wire.connect(&config());
    let syn = wire.take_sent().remove(0).segment;
    assert_eq!(syn.options.mss, Some(1460));
    let (now, ends) = (wire.now, wire.ends);
    wire.engine.path_takes(now, &ends, 1040);
    wire.receive("SA 0 ack 1 <mss 1460>");
    wire.take_sent();
    wire.write(2000);
    wire.log("> A 1:1001 ack 1 | new-data\n > PA 1001:2001 ack 1 | new-data");
    assert_eq!(told(&mut wire), [(1040, PathMtuCause::Remembered)]);
    assert_eq!(wire.engine.narrow_path(), None, "it is no news to the host");
}

/// What a connection has found out, the host hears.
#[test]
fn the_host_hears_of_what_is_believed() {
    let mut wire = sent(1460);
    wire.undelivered(1, too_big(1040));
    wire.take_sent();
    let peer = wire.ends.remote.ip();
    assert_eq!((wire.engine.narrow_path(), wire.engine.narrow_path()), (Some((peer, 1040)), None));
}

/// RFC 4821 §7.7: nothing is heard of long segments. After three retransmissions they become shorter, and shorter.
#[test]
fn a_path_that_swallows_long_packets_gets_shorter_ones() {
    let mut wire = sent(1460);
    wire.log(
        "
        +200ms
        > PA 1:1461     ack 1  | retransmit-by-timer
        +400ms
        > PA 1:1461     ack 1  | retransmit-by-timer
        +800ms
        > PA 1:1461     ack 1  | retransmit-by-timer
        +1600ms
        > A  1:1025     ack 1  | retransmit-by-timer
        +3200ms
        > A  1:513      ack 1  | retransmit-by-timer
        < A  1          ack 513
        > A  513:1025   ack 1  | retransmit-for-path-mtu
        > PA 1025:1461  ack 1  | retransmit-for-path-mtu
        < A  1          ack 1461
        ",
    );
    assert_eq!(told(&mut wire), [(1064, PathMtuCause::BlackHole), (552, PathMtuCause::BlackHole)]);
}

/// A peer that is gone is none of the path's doing: short segments stay as they are.
#[test]
fn short_segments_are_not_cut_by_silence() {
    let mut wire = sent(1000);
    wire.log("+200ms\n > PA 1:1001 ack 1 | retransmit-by-timer\n +400ms\n > PA 1:1001 ack 1 | retransmit-by-timer");
    wire.log("+800ms\n > PA 1:1001 ack 1 | retransmit-by-timer\n +1600ms\n > PA 1:1001 ack 1 | retransmit-by-timer");
    wire.log("+3200ms\n > PA 1:1001 ack 1 | retransmit-by-timer");
    assert_eq!(told(&mut wire), []);
}

/// As Linux with `tcp_mtu_probing` 0.
#[test]
fn silence_is_not_listened_to_when_probing_is_off() {
    let mut wire = sent_with(with(PathDiscovery { probing: PathProbing::Off, ..PathDiscovery::default() }), 1460);
    for _ in 0..8 {
        wire.until_sent();
        assert_eq!(wire.next_sent(), "PA 1:1461 ack 1 | retransmit-by-timer");
    }
}
