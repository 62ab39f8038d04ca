//! How connections end, and what is said of it.

use super::*;

fn with_timeout(seconds: u64) -> TcpConfig {
    TcpConfig { user_timeout: Some(Duration::from_secs(seconds)), ..prompt() }
}

// How connections end.

#[test]
fn a_connection_that_timed_out_is_no_end_of_the_stream() {
    let mut scene = Scene::open(&with_timeout(2));
    assert_eq!(scene.hears(data(1, 1, b"early")), ["acknowledge"]);
    assert_eq!(scene.writes(10), ["new-data"]);
    let mut said = Vec::new();
    while scene.closed_because().is_none() {
        said = scene.waits(10 * SECOND);
        assert!(!said.is_empty(), "it never gives up");
    }
    assert_eq!(said, ["give-up"]);
    assert_eq!(scene.last().why.section, "RFC 9293 §3.8.3");
    assert_eq!(scene.closed_because(), Some(CloseReason::TimedOut));
    assert_eq!(scene.reads(), Ok(Some(5)), "what has arrived can be read first");
    let ended = SocketError::Ended(CloseReason::TimedOut);
    assert_eq!(scene.reads(), Err(ended));
    assert_eq!(scene.stack.send(scene.now, scene.socket, b"x"), Err(ended));
}

#[test]
fn a_reset_outside_the_window_is_not_what_ended_the_connection() {
    let mut scene = Scene::open(&with_timeout(2));
    scene.writes(10);
    assert!(scene.hears(flags("RA", 1_000_000, 1)).is_empty());
    assert_eq!(scene.state(), TcpState::Established);
    while scene.closed_because().is_none() {
        assert!(!scene.waits(10 * SECOND).is_empty());
    }
    assert_eq!(scene.closed_because(), Some(CloseReason::TimedOut));
}

#[test]
fn a_reset_in_the_window_ends_the_connection() {
    let mut scene = Scene::open(&prompt());
    assert!(scene.hears(flags("RA", 1, 1)).is_empty());
    assert_eq!(scene.closed_because(), Some(CloseReason::Reset));
    assert_eq!(scene.reads(), Err(SocketError::Ended(CloseReason::Reset)));
    assert_eq!(scene.stack.send(scene.now, scene.socket, b"x"), Err(SocketError::Ended(CloseReason::Reset)));
}

#[test]
fn a_reset_that_answers_the_syn_refuses_the_connection() {
    let mut scene = Scene::opening(&prompt());
    scene.says();
    assert!(scene.hears(flags("RA", 0, 1)).is_empty());
    assert_eq!(scene.closed_because(), Some(CloseReason::Refused));
    assert_eq!(scene.reads(), Err(SocketError::Ended(CloseReason::Refused)));
}

#[test]
fn a_reset_of_a_half_open_connection_gives_its_place_back() {
    let mut scene = Scene::listening();
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
    assert!(scene.hears(flags("RA", 1, 1)).is_empty());
    assert_eq!(scene.stack.entries.len(), 1, "only the listener is left");
    assert!(scene.stack.streams.is_empty());
    assert_eq!(scene.hears(flags("S", 0, 0)), ["answer-open"]);
}

#[test]
fn a_reset_in_every_closing_state_ends_the_connection() {
    let ends: [(&[Segment<'_>], bool, TcpState, CloseReason); 5] = [
        (&[], true, TcpState::FinWait1, CloseReason::Reset),
        (&[ack(1, 2)], true, TcpState::FinWait2, CloseReason::Reset),
        (&[flags("FA", 1, 1)], false, TcpState::CloseWait, CloseReason::Reset),
        (&[flags("FA", 1, 1)], true, TcpState::Closing, CloseReason::Finished),
        (&[flags("FA", 1, 2)], true, TcpState::TimeWait, CloseReason::Finished),
    ];
    for (segments, shuts, state, reason) in ends {
        let mut scene = Scene::open(&prompt());
        if shuts {
            scene.stack.shutdown(scene.now, scene.socket);
            assert_eq!(scene.says(), ["close"]);
        }
        scene.hears_batch(segments);
        assert_eq!(scene.state(), state);
        let seq = 1 + segments.iter().filter(|segment| segment.flags.contains('F')).count() as u32;
        scene.hears(flags("RA", seq, 1));
        assert_eq!((scene.state(), scene.closed_because()), (TcpState::Closed, Some(reason)), "in {state:?}");
    }
}

#[test]
fn a_last_fin_that_nobody_acknowledges_is_a_time_out() {
    let mut scene = Scene::open(&with_timeout(3));
    assert_eq!(scene.hears(flags("FA", 1, 1)), ["acknowledge-close"]);
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["close"]);
    assert_eq!(scene.waits(2 * SECOND), ["retransmit-by-timer"], "a FIN goes again, too");
    while scene.closed_because().is_none() {
        assert!(!scene.waits(10 * SECOND).is_empty());
    }
    assert_eq!(scene.closed_because(), Some(CloseReason::TimedOut));
}

#[test]
fn time_wait_is_no_silence_to_give_up_on() {
    let mut scene = Scene::open(&with_timeout(3));
    scene.stack.shutdown(scene.now, scene.socket);
    assert_eq!(scene.says(), ["close"]);
    assert_eq!(scene.hears(flags("FA", 1, 2)), ["acknowledge-close"]);
    assert!(scene.waits(30 * SECOND).is_empty(), "{:?}", scene.last());
    assert_eq!(scene.closed_because(), Some(CloseReason::Finished));
    assert_eq!(scene.reads(), Ok(Some(0)));
}

#[test]
fn an_open_that_is_taken_back_says_nothing() {
    let mut scene = Scene::opening(&prompt());
    scene.says();
    scene.stack.shutdown(scene.now, scene.socket);
    assert!(scene.says().is_empty(), "RFC 9293 §3.10.4: SYN-SENT is forgotten without a word");
    assert_eq!(scene.closed_because(), Some(CloseReason::Aborted));
}

#[test]
fn closing_keeps_the_time_out_that_the_connection_was_given() {
    let mut scene = Scene::open(&with_timeout(300));
    scene.writes(10);
    scene.stack.close(scene.now, scene.socket);
    scene.says();
    let mut given_up = false;
    while scene.now < Instant::ZERO + 250 * SECOND {
        given_up |= scene.waits(10 * SECOND).contains(&"give-up");
    }
    assert!(!given_up, "the connection asked for 300 s");
}

#[test]
fn a_listener_can_come_back_while_a_connection_of_its_port_lives() {
    let mut scene = Scene::listening();
    let connection = scene.accepts();
    scene.stack.close(scene.now, scene.socket);
    scene.says();
    assert!(scene.stack.listen(any(OWN_PORT), 4, &TcpConfig::default()).is_ok());
    assert_eq!(
        scene.stack.listen(any(OWN_PORT), 4, &TcpConfig::default()),
        Err(OpenError::AddressInUse(any(OWN_PORT)))
    );
    assert_eq!(scene.stack.send(scene.now, connection, b"still here"), Ok(10));
}

#[test]
fn a_connection_that_is_over_gives_its_ends_free() {
    let mut scene = Scene::open(&prompt());
    let local = scene.stack.local_address(scene.socket);
    assert_eq!(
        scene.stack.connect(scene.now, local, peer(), &prompt()),
        Err(OpenError::AddressInUse(local.expect("it is bound")))
    );
    scene.hears(flags("RA", 1, 1));
    assert!(scene.stack.streams.is_empty());
    assert!(scene.stack.connect(scene.now, local, peer(), &prompt()).is_ok());
}

// Why segments are sent.
