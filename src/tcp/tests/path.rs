//! How long packets may be: reports of those that were too long, paths that swallow them, and probes
//! (RFC 1191, RFC 8201, RFC 5927 §7.2, RFC 4821).
//!
//! The peer takes segments of 1460 octets, as the link does.

use super::governing;
use super::wire::{Wire, config, ends};
use crate::journal::{DropReason, Event, PathMtuCause, Reason, Recovery};
use crate::packet::DeliveryError;
use crate::tcp::congestion::{Acknowledged, CongestionControl, Window};
use crate::tcp::{Algorithm, Config, Congestion, PathDiscovery, PathProbing};
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

fn always() -> Config {
    with(PathDiscovery { probing: PathProbing::Always, base_segment: 512, ..PathDiscovery::default() })
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

/// A connection that searches, with a window of twelve segments of 512 octets, on which 4000 were just written: a probe of
/// 986 octets has left, and six segments behind it.
fn probing(options: &str) -> Wire {
    probing_with(always(), options)
}

fn probing_with(config: Config, options: &str) -> Wire {
    let mut wire = Wire::open_with(&Config { send_buffer: 1_000_000, initial_window: 12, ..config }, options);
    wire.write(4000);
    let sent: Vec<u32> = wire.take_sent().iter().map(|departure| departure.segment.len()).collect();
    assert_eq!(sent, [986, 512, 512, 512, 512, 512, 454]);
    assert_eq!(wire.snapshot().path_mtu, Some(552), "nothing is believed before it has arrived");
    wire.journal();
    wire
}

/// RFC 4821 §7.3, §10.1: a probe is new data in a longer segment, others behind it.
#[test]
fn a_probe_is_new_data_in_a_longer_segment() {
    let mut wire = Wire::open_with(&Config { send_buffer: 1_000_000, initial_window: 12, ..always() }, "mss 1460");
    wire.write(4000);
    assert_eq!(wire.next_sent(), "A 1:987 ack 1 | path-probe");
    assert_eq!(wire.next_sent(), "A 987:1499 ack 1 | new-data");
    wire.take_sent();
}

/// RFC 4821 §7.6.1: when it arrives, segments grow, the window stays as many octets, and the next probe is longer.
#[test]
fn a_probe_that_arrives_makes_segments_longer() {
    let mut wire = probing("mss 1460");
    wire.receive("A 1 ack 987");
    assert_eq!(told(&mut wire), [(1026, PathMtuCause::ProbeArrived)]);
    let now = wire.snapshot();
    // Twelve segments of 552, and slow start has added one for the probe.
    assert_eq!((now.snd_mss, now.path_mtu, wire.cwnd()), (Some(986), Some(1026), 12 * 552 / 1026 + 1));
    wire.log("< A 1 ack 4001");
    wire.write(40_000);
    let longest = wire.take_sent().iter().map(|departure| departure.segment.len()).max();
    assert_eq!(longest, Some(1223), "half the way to 1500, less 40");
}

/// RFC 4821 §7.6.2: a probe that is lost, and nothing else, costs no window; its octets go again at once, in pieces.
#[test]
fn a_probe_that_is_lost_costs_no_window() {
    for rack in [true, false] {
        let mut wire = probing_with(Config { rack, ..always() }, "mss 1460, sackOK");
        let (cwnd, ssthresh) = (wire.cwnd(), wire.snapshot().ssthresh);
        wire.log("+1ms");
        if !rack {
            wire.log("< A 1 ack 1 <sack 987:1499>\n < A 1 ack 1 <sack 987:2011>");
        }
        wire.log(
            "
            < A  1        ack 1    <sack 987:2523>
            > A  1:513    ack 1    | retransmit-for-path-mtu
            > A  513:987  ack 1    | retransmit-for-path-mtu
            < A  1        ack 1    <sack 987:4001>
            ",
        );
        assert_eq!(wire.recovery(), Recovery::Disorder, "rack: {rack}");
        wire.receive("A 1 ack 4001");
        assert_eq!(told(&mut wire), [(552, PathMtuCause::ProbeLost)]);
        assert_eq!((wire.cwnd() >= cwnd, wire.snapshot().ssthresh, wire.recovery()), (true, ssthresh, Recovery::Open));
        wire.write(6000);
        assert_eq!(wire.next_sent(), "A 4001:4749 ack 1 | path-probe", "half the way to what failed");
        wire.take_sent();
    }
}

/// RFC 4821 §7.6.2: the loss of a probe says nothing of congestion, not to an algorithm that measures losses, either.
#[test]
fn a_probe_that_is_lost_is_no_loss_to_who_measures() {
    let mut wire = probing_with(Config { congestion: governing::ADVISES, ..always() }, "mss 1460, sackOK");
    governing::told(&[]);
    wire.log(
        "
        +1ms
        < A  1        ack 1    <sack 987:2523>
        > A  1:513    ack 1    | retransmit-for-path-mtu
        > A  513:987  ack 1    | retransmit-for-path-mtu
        < A  1        ack 1    <sack 987:4001>
        ",
    );
    let told = governing::told(&["lost", "acknowledged", "threshold"]);
    assert!(told.iter().all(|what| what.contains("lost 0")), "{told:?}");
}

/// What goes again in pieces may be lost to congestion like anything else.
#[test]
fn pieces_that_are_lost_again_begin_a_recovery() {
    let mut wire = probing("mss 1460, sackOK");
    wire.receive("A 1 ack 1 <sack 987:4001>");
    assert_eq!((wire.take_sent().len(), wire.recovery()), (2, Recovery::Disorder));
    wire.log("+10ms");
    wire.write(512);
    wire.take_sent();
    wire.receive("A 1 ack 1 <sack 987:4513>");
    assert_eq!(wire.next_sent(), "A 1:513 ack 1 | retransmit-by-rack");
    wire.take_sent();
    assert_eq!((wire.recovery(), wire.ssthresh() < 12), (Recovery::FastRecovery, true));
}

/// The same without SACK.
#[test]
fn a_lost_probe_is_found_by_duplicate_acknowledgments() {
    let mut wire = probing("mss 1460");
    let (cwnd, ssthresh) = (wire.cwnd(), wire.snapshot().ssthresh);
    wire.log(
        "
        < A  1        ack 1
        < A  1        ack 1
        < A  1        ack 1
        > A  1:513    ack 1    | retransmit-for-path-mtu
        > A  513:987  ack 1    | retransmit-for-path-mtu
        < A  1        ack 1
        < A  1        ack 1
        < A  1        ack 1
        < A  1        ack 4001
        ",
    );
    assert_eq!((wire.cwnd() >= cwnd, wire.snapshot().ssthresh), (true, ssthresh));
}

/// RFC 4821 §7.6.4: when others are lost, too, it is congestion as ever; the probe goes again in pieces.
#[test]
fn a_probe_lost_among_others_is_a_loss_like_any() {
    let mut wire = probing("mss 1460, sackOK");
    wire.receive("A 1 ack 1 <sack 1499:3035>");
    assert_eq!(wire.next_sent(), "A 1:513 ack 1 | retransmit-for-path-mtu");
    wire.take_sent();
    assert_eq!(wire.recovery(), Recovery::FastRecovery);
    assert!(wire.ssthresh() < 12);
}

/// RFC 4821 §7.6.3: a time-out is a time-out; what follows is no longer than before.
#[test]
fn a_probe_that_times_out_goes_again_in_pieces() {
    let mut wire = probing("mss 1460");
    wire.log("+200ms\n > A 1:513 ack 1 | retransmit-by-timer");
    assert_eq!((wire.cwnd(), told(&mut wire)), (1, vec![(552, PathMtuCause::ProbeLost)]));
    wire.log(
        "< A 1 ack 513\n > A 513:987 ack 1 | retransmit-for-path-mtu\n > A 987:1499 ack 1 | retransmit-after-timer",
    );
}

/// Sends ten thousand octets in a second.
#[derive(Debug)]
struct Slow;

impl CongestionControl for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn acknowledged(&mut self, _: &mut Window, _: &Acknowledged) {}

    fn threshold_after_loss(&mut self, _: &Window, in_flight: u32) -> u32 {
        in_flight
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(10_000)
    }
}

/// RFC 4821 §7.6.3, RFC 8985 §7.3: a probe of the path may be all that is in flight, when pace holds back what should follow and
/// the window then closes. The tail is not probed with it: what may be too long must not go twice at that length.
#[test]
fn a_path_probe_is_no_probe_of_the_tail() {
    let congestion = Congestion::Other(Algorithm { name: "slow", make: || Box::new(Slow) });
    let config = Config { congestion, initial_window: 12, send_buffer: 1_000_000, ..always() };
    let mut wire = Wire::connecting(&config);
    wire.log("> S 0 | active-open\n +20ms\n < SA 0 ack 1 <mss 1460, sackOK>\n > A 1 ack 1 | complete-open");
    wire.write(4000);
    wire.log(
        "
        > A 1:987  ack 1        | path-probe
        < A 1      ack 1 win 0
        +200ms
        ",
    );
    assert!(wire.until_sent().is_some(), "the timer does what the probe would have");
    let again = wire.next_sent();
    assert_eq!(again, "A 1:513 ack 1 | retransmit-by-timer");
    wire.take_sent();
}

/// A router may say so, too.
#[test]
fn a_probe_that_a_router_refuses_goes_again_in_pieces() {
    let mut wire = probing("mss 1460");
    wire.undelivered(1, too_big(800));
    wire.log(
        "> A 1:513 ack 1 | retransmit-for-path-mtu\n > A 513:987 ack 1 | retransmit-for-path-mtu\n < A 1 ack 4001",
    );
    assert_eq!(told(&mut wire), [(552, PathMtuCause::ProbeLost)]);
    wire.write(6000);
    assert_eq!(wire.next_sent(), "A 4001:4637 ack 1 | path-probe", "half the way to what was refused");
    wire.take_sent();
}

/// RFC 4821 §7.4: no probe without enough behind it, in a window that is too small, or in disorder.
#[test]
fn nothing_is_probed_when_a_loss_could_not_be_told() {
    let probes = |wire: &mut Wire, octets| {
        wire.write(octets);
        let sent = wire.take_sent();
        sent.iter().filter(|departure| departure.why.reason == Reason::PathProbe).count()
    };
    let open = |window| Wire::open_with(&Config { initial_window: window, ..always() }, "mss 1460");
    assert_eq!([3033, 3034].map(|octets| probes(&mut open(12), octets)), [0, 1], "986 and four times 512 octets");
    assert_eq!([10, 11].map(|window| probes(&mut open(window), 4000)), [0, 1]);
    let mut idle = open(10);
    assert_eq!(probes(&mut idle, 5120), 0);
    idle.log("< A 1 ack 5121\n +10s");
    assert_eq!((idle.cwnd(), probes(&mut idle, 6000), idle.cwnd()), (20, 0, 10), "the window is stale by then");
    let mut disorder = probing("mss 1460");
    disorder.log("< A 1 ack 987\n < A 1 ack 987");
    assert_eq!(probes(&mut disorder, 6000), 0);
}

/// A path that turned out to be no black hole is used in full again.
#[test]
fn after_a_black_hole_longer_segments_are_tried() {
    let mut wire = sent(1460);
    for _ in 0..4 {
        wire.until_sent();
        wire.take_sent();
    }
    assert_eq!(wire.snapshot().snd_mss, Some(1024));
    wire.receive("A 1 ack 1461");
    wire.write(400_000);
    wire.take_sent();
    let mut acked = 1461;
    for _ in 0..100 {
        let snapshot = wire.snapshot();
        let (una, nxt) = (snapshot.snd_una.expect("known"), snapshot.snd_nxt.expect("known"));
        acked += nxt.offset_from(una);
        wire.receive(&format!("A 1 ack {acked}"));
        wire.take_sent();
    }
    let probed: Vec<u32> = told(&mut wire).into_iter().skip(1).map(|(mtu, _)| mtu).collect();
    assert_eq!(probed, [1282, 1391, 1445, 1472, 1486, 1500]);
}
