//! Segments of a handshake that carry more than a SYN, and patience with it.

use super::*;

/// A SYN may bring data (RFC 9293 §3.4). As in Linux it is left for the peer to send again once the connection is open.
#[test]
fn data_in_a_syn_is_left_for_later() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < SP 0:10           <mss 1000>
        > SA 0     ack 1    | answer-open
        < A  1     ack 1
        < PA 1:11  ack 1
        > A  1     ack 11   | acknowledge
        ",
    );
    wire.accept();
    assert_eq!(wire.read(), 10);
}

/// RFC 9293 §3.10.7.4: the segment that opens the connection may bring data and FIN.
#[test]
fn the_third_segment_may_bring_data_and_fin() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S   0               <mss 1000>
        > SA  0      ack 1    | answer-open
        < FPA 1:11   ack 1
        > A   1      ack 12   | acknowledge-close
        ",
    );
    wire.accept();
    assert_eq!((wire.read(), wire.state()), (10, TcpState::CloseWait));
}

/// Whoever repeats its SYN has not heard our answer, also when data comes with it.
#[test]
fn a_syn_with_data_that_comes_again_is_answered_again() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0:10             <mss 1000>
        > SA 0      ack 1     | answer-open
        < S  0:10             <mss 1000>
        > SA 0      ack 1     | answer-open
        < A  1:11   ack 1
        > A  1      ack 11    | acknowledge
        ",
    );
    wire.accept();
    assert_eq!(wire.read(), 10);
}

/// RFC 9293 §3.10.8: the user's patience bounds any state, the opening of a connection included.
#[test]
fn a_user_who_has_no_patience_does_not_wait_for_every_syn() {
    let patience = Duration::from_secs(5);
    let mut wire = Wire::connecting(&Config { user_timeout: Some(patience), ..config() });
    let mut syns = 0;
    loop {
        syns += wire.take_sent().len();
        if wire.until_sent().is_none() {
            break;
        }
    }
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::TimedOut)));
    assert_eq!((syns, wire.now), (3, Instant::ZERO + patience));
}

/// … and once it is open, that patience has been rewarded.
#[test]
fn patience_for_the_opening_ends_with_it() {
    let mut wire = Wire::connecting(&Config { user_timeout: Some(Duration::from_secs(5)), ..config() });
    wire.log("> S 0 | active-open\n < SA 0 ack 1 <mss 1000>\n > A 1 ack 1 | complete-open\n +10min");
    assert_eq!(wire.state(), TcpState::Established);
}

/// RFC 9293 §3.10.7.3: so may the SYN,ACK; its data and FIN stand behind the SYN.
#[test]
fn the_second_segment_may_bring_data_and_fin() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < SFPA 0:10 ack 1 <mss 1000>\n > A 1 ack 12 | complete-open");
    assert_eq!((wire.read(), wire.state()), (10, TcpState::CloseWait));
}

/// RFC 9293 §3.10.7.3, §3.10.7.4: what of it lies beyond the window that our SYN announced is cut off, and the FIN with it.
#[test]
fn the_second_segment_is_cut_to_the_window() {
    for (octets, taken, state) in
        [(10, 4, TcpState::Established), (4, 4, TcpState::Established), (3, 3, TcpState::CloseWait)]
    {
        let mut wire = Wire::connecting(&Config { receive_buffer: 4, ..config() });
        wire.log("> S 0 | active-open");
        wire.receive(&format!("SFPA 0:{octets} ack 1 <mss 1000>"));
        wire.take_sent();
        assert_eq!((wire.read(), wire.state()), (taken, state), "{octets}");
        wire.take_sent();
    }
}
