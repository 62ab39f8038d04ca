//! Probes: longer segments that find out what a path takes (RFC 4821).

use super::*;
use crate::journal::{Reason, Recovery};
use crate::tcp::congestion::{Acknowledged, CongestionControl, Window};
use crate::tcp::tests::governing;
use crate::tcp::{Algorithm, Congestion};

fn always() -> Config {
    with(PathDiscovery { probing: PathProbing::Always, base_segment: 512, ..PathDiscovery::default() })
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
