//! Acknowledgments, probes and retransmissions.

use super::*;

#[test]
fn three_segments_out_of_order_in_one_batch_are_three_duplicate_acks() {
    let mut scene = Scene::open(&prompt());
    let batch = [data(101, 1, &[1; 100]), data(201, 1, &[1; 100]), data(301, 1, &[1; 100])];
    assert_eq!(scene.hears_batch(&batch), ["duplicate-ack"; 3]);
    assert_eq!(scene.hears(data(1, 1, &[1; 100])), ["acknowledge"], "the gap is filled");
}

#[test]
fn data_in_order_before_a_gap_is_acknowledged_once_and_then_again() {
    let mut scene = Scene::open(&TcpConfig { delayed_ack: Some(SECOND / 25), ..prompt() });
    let batch = [data(1, 1, &[1; 100]), data(101, 1, &[1; 100]), data(301, 1, &[1; 100]), data(401, 1, &[1; 100])];
    assert_eq!(scene.hears_batch(&batch), ["acknowledge", "duplicate-ack"]);
}

#[test]
fn data_that_comes_twice_is_answered_as_unacceptable() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.hears(data(1, 1, &[1; 100])), ["acknowledge"]);
    assert_eq!(scene.hears(data(1, 1, &[1; 100])), ["answer-unacceptable"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.10.7.4");
}

#[test]
fn probes_of_a_peer_that_is_idle_are_answered_as_such() {
    for payload in [&b""[..], b"\0"] {
        let mut scene = Scene::open(&prompt());
        scene.now += 10 * SECOND;
        assert_eq!(scene.hears(Segment { data: payload, ..ack(0, 1) }), ["answer-keep-alive"]);
        assert_eq!(scene.last().why.section, "RFC 9293 §3.8.4");
    }
}

#[test]
fn probes_of_our_closed_window_are_answered_as_such() {
    let mut scene = Scene::open(&TcpConfig { receive_buffer: 1_000, ..prompt() });
    assert_eq!(scene.hears(data(1, 1, &[1; 1_000])), ["acknowledge"]);
    assert_eq!(scene.hears(ack(1_000, 1)), ["answer-window-probe"], "as Linux asks");
    assert_eq!(scene.hears(data(1_001, 1, b"x")), ["answer-window-probe"], "as RFC 9293 §3.8.6.1 asks");
    assert_eq!(scene.reads(), Ok(Some(1_000)));
    assert_eq!(scene.says(), ["window-update"]);
}

#[test]
fn the_first_window_after_the_syn_is_no_update() {
    let mut scene = Scene::open(&TcpConfig { receive_buffer: 1 << 20, ..prompt() });
    assert_eq!(scene.hears(data(1, 1, b"x")), ["acknowledge"]);
}

#[test]
fn a_zero_window_is_probed_without_moving_what_is_in_flight() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.writes(100), ["new-data"]);
    assert!(scene.hears(Segment { window: 0, ..ack(1, 101) }).is_empty());
    assert!(scene.writes(50).is_empty(), "the window is closed");
    // smoltcp starts its persist timer at an acknowledgment, not as data is written.
    assert!(scene.hears(Segment { window: 0, ..ack(1, 101) }).is_empty());
    for probe in 1..=3 {
        assert_eq!(scene.waits(100 * SECOND), ["zero-window-probe"]);
        assert_eq!((scene.last().seq, scene.last().len), (101, 1));
        assert_eq!(scene.fired(Timer::Persist), probe);
        assert!(scene.hears(Segment { window: 0, ..ack(1, 101) }).is_empty());
    }
    let nxt = scene.stack.snapshot(scene.socket).and_then(|snapshot| snapshot.snd_nxt);
    assert_eq!(nxt, Some(scene.iss + 101));
    assert_eq!(scene.hears(ack(1, 101)), ["new-data"], "now it goes for the first time");
    assert_eq!((scene.last().seq, scene.last().len), (101, 50));
    assert_eq!((scene.fired(Timer::Retransmission), scene.retransmissions()), (0, 0));
}

#[test]
fn a_probe_whose_octet_is_taken_moves_on_by_it() {
    let mut scene = Scene::open(&prompt());
    scene.writes(100);
    scene.hears(Segment { window: 0, ..ack(1, 101) });
    scene.writes(50);
    scene.hears(Segment { window: 0, ..ack(1, 101) });
    assert_eq!(scene.waits(100 * SECOND), ["zero-window-probe"]);
    assert_eq!(scene.hears(ack(1, 102)), ["new-data"]);
    assert_eq!((scene.last().seq, scene.last().len), (102, 49));
}

#[test]
fn three_duplicate_acks_bring_one_copy_and_the_timer_the_next() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.writes(MSS), ["new-data"]);
    assert_eq!(scene.hears(ack(1, 1 + MSS as u32)), [""; 0]);
    assert_eq!(scene.writes(4 * MSS), ["new-data"; 4]);
    let lost = 1 + MSS as u32;
    scene.now += SECOND / 2;
    assert_eq!(scene.hears_batch(&[ack(1, lost); 3]).first(), Some(&"retransmit-by-duplicate-acks"));
    assert_eq!(scene.fired(Timer::Retransmission), 0);
    let copied_at = scene.now;
    let said = scene.waits(20 * SECOND);
    assert_eq!(said.first(), Some(&"retransmit-by-timer"), "the copy was lost, too");
    let copies: Vec<_> = scene.sent.iter().filter(|sent| sent.seq == lost).map(|sent| sent.why.reason).collect();
    let rto = scene.now - copied_at;
    assert!(matches!(copies[2], Reason::RetransmitByTimer { nth: 2, rto: told } if told == rto), "{copies:?} {rto:?}");
    assert_eq!(scene.fired(Timer::Retransmission), 1);
}

#[test]
fn after_a_time_out_all_that_was_in_flight_goes_again() {
    let mut scene = Scene::open(&prompt());
    scene.writes(MSS);
    scene.hears(ack(1, 1 + MSS as u32));
    assert_eq!(scene.writes(2 * MSS), ["new-data"; 2]);
    let lost = 1 + MSS as u32;
    assert_eq!(scene.waits(20 * SECOND), ["retransmit-by-timer"]);
    assert_eq!(scene.last().seq, lost);
    assert_eq!(scene.hears(ack(1, lost + MSS as u32)), ["retransmit-after-timer"]);
    assert_eq!((scene.fired(Timer::Retransmission), scene.retransmissions()), (1, 2));
    assert!(scene.hears(ack(1, lost + 2 * MSS as u32)).is_empty());
    assert_eq!(scene.writes(10), ["new-data"], "what follows is new");
}

#[test]
fn an_idle_connection_is_kept_alive() {
    let mut scene = Scene::open(&TcpConfig { keep_alive: Some(5 * SECOND), ..prompt() });
    scene.writes(10);
    scene.hears(ack(1, 11));
    assert_eq!(scene.waits(6 * SECOND), ["keep-alive"]);
    assert_eq!((scene.last().seq, scene.last().len), (10, 1));
    assert_eq!(scene.fired(Timer::KeepAlive), 1);
    assert!(scene.hears(ack(1, 11)).is_empty());
    assert_eq!(scene.writes(10), ["new-data"]);
}

#[test]
fn the_three_kinds_of_reset_are_told_apart() {
    let mut scene = Scene::listening();
    scene.own_port = 81;
    assert_eq!(scene.hears(flags("S", 0, 0)), ["reset"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.5.2");

    let mut scene = Scene::open(&prompt());
    scene.stack.abort(scene.now, scene.socket);
    assert_eq!(scene.says(), ["abort"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.10.5");
    assert!(scene.stack.entries.is_empty() && scene.stack.streams.is_empty());

    let mut scene = Scene::open(&prompt());
    scene.hears(data(1, 1, b"never read"));
    scene.stack.close(scene.now, scene.socket);
    assert_eq!(scene.says(), ["abort"], "RFC 9293 §3.6.1 SHLD-3");

    let mut scene = Scene::opening(&prompt());
    scene.says();
    assert_eq!(scene.hears(flags("SA", 0, 77)), ["reset"], "it acknowledges what was never sent");
    assert_eq!(scene.state(), TcpState::SynSent);
}

// Datagrams, ICMP and the rest.
