//! Handshakes, and the close that mirrors them.

use super::*;

#[test]
fn a_handshake_from_either_side_has_its_three_reasons() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.hears(flags("SA", 0, 1)), ["answer-unacceptable"], "the peer has not heard our third step");
    let mut scene = Scene::listening();
    scene.accepts();
}

#[test]
fn a_syn_and_its_answer_go_again_by_the_timer() {
    let mut scene = Scene::opening(&prompt());
    assert_eq!(scene.says(), ["active-open"]);
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert!(matches!(scene.last().why.reason, Reason::RetransmitByTimer { nth: 1, rto } if rto == SECOND));
    assert_eq!(scene.hears(flags("SA", 0, 1)), ["complete-open"]);

    let mut scene = Scene::listening();
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert_eq!(scene.last().flags, "SYN,ACK");
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert!(matches!(scene.last().why.reason, Reason::RetransmitByTimer { nth: 2, rto } if rto == 2 * SECOND));
    assert_eq!((scene.fired(Timer::Retransmission), scene.retransmissions()), (2, 2));
}

#[test]
fn a_simultaneous_open_answers_the_peers_syn() {
    let mut scene = Scene::opening(&prompt());
    assert_eq!(scene.says(), ["active-open"]);
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
    assert_eq!((scene.last().flags.as_str(), scene.retransmissions()), ("SYN,ACK", 0));
    assert!(scene.hears(ack(1, 1)).is_empty());
    assert_eq!(scene.state(), TcpState::Established);
}

#[test]
fn a_simultaneous_close_acknowledges_the_other_fin() {
    let mut scene = Scene::open(&prompt());
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["close"]);
    assert_eq!(scene.hears(flags("FA", 1, 1)), ["acknowledge-close"]);
    assert!(scene.hears(ack(2, 2)).is_empty());
    assert_eq!(scene.state(), TcpState::TimeWait);
    assert_eq!(scene.hears(flags("FA", 1, 2)), ["answer-unacceptable"], "its acknowledgment was lost");
}

#[test]
fn the_last_data_carries_the_fin() {
    let mut scene = Scene::open(&prompt());
    assert_eq!(scene.stack.send(scene.now, scene.socket, &[1; 10]), Ok(10));
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["last-data"]);
    assert_eq!(scene.waits(5 * SECOND), ["retransmit-by-timer"]);
    assert_eq!(scene.last().flags, "FIN,ACK");
}
