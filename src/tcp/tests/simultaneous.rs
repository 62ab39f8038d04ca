//! Both sides open at once (RFC 9293 §3.5, Figure 7), and what else may arrive in SYN-RECEIVED.

use super::wire::{Wire, config};
use crate::journal::{DropReason, TcpState};
use crate::transport::SocketEvent;

/// A connection whose SYN has crossed the peer's: it is in SYN-RECEIVED.
fn crossed(options: &str) -> Wire {
    let mut wire = Wire::connecting(&config());
    wire.log(&format!("> S 0 | active-open\n < S 0 <{options}>\n > SA 0 ack 1 | answer-open"));
    wire
}

/// RFC 9293 §3.10.7.3, fourth check: what the SYN carries besides is kept until the handshake is over.
#[test]
fn data_of_a_syn_that_crosses_ours_waits_for_the_handshake() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < SP 0:10 <mss 1000>\n > SA 0 ack 1 | answer-open");
    assert_eq!((wire.state(), wire.try_read(&mut [0; 20])), (TcpState::SynReceived, Ok(None)));
    assert_eq!(wire.events(), []);
    wire.log("< A 11 ack 1");
    let socket = wire.socket();
    let told = [SocketEvent::Connected(socket), SocketEvent::Writable(socket), SocketEvent::Readable(socket)];
    assert_eq!((wire.events(), wire.read()), (told.to_vec(), 10));
}

/// So it is with a FIN.
#[test]
fn a_fin_in_a_syn_that_crosses_ours_waits_for_the_handshake() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < SFP 0:10 <mss 1000>\n > SA 0 ack 1 | answer-open");
    assert_eq!(wire.state(), TcpState::SynReceived);
    wire.log("< A 11 ack 1\n > A 1 ack 12 | acknowledge-close");
    assert_eq!((wire.read(), wire.state()), (10, TcpState::CloseWait));
}

/// Nothing to read, nothing said of it.
#[test]
fn a_simultaneous_open_without_data_is_connected_and_writable() {
    let mut wire = crossed("mss 1000");
    wire.log("< A 1 ack 1");
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Connected(socket), SocketEvent::Writable(socket)]);
}

/// RFC 7323 §2.2: the window of a segment with SYN is not scaled, whichever of the two it is.
#[test]
fn the_window_of_the_peers_second_syn_is_not_scaled() {
    let mut wire = crossed("mss 1000, ws 4");
    wire.log("< SA 0 ack 1 win 40000 <mss 1000, ws 4>");
    assert_eq!((wire.state(), wire.snapshot().snd_wnd), (TcpState::Established, Some(40_000)));
}

/// A second SYN opens only with an acknowledgment of ours: any other is old by the first check.
#[test]
fn a_second_syn_that_acknowledges_something_else_is_old() {
    let mut wire = crossed("mss 1000");
    wire.log("< SA 0 ack 7\n > A 1 ack 1 | answer-unacceptable");
    assert_eq!((wire.drops().last(), wire.state()), (Some(&DropReason::Duplicate), TcpState::SynReceived));
}

/// In SYN-RECEIVED only the very SYN again is answered by SYN,ACK; all else outside the window by an ACK
/// (RFC 9293 §3.10.7.4, first check).
#[test]
fn in_syn_received_only_the_same_syn_draws_a_syn_ack() {
    for (arrives, answer) in [
        ("A 0 ack 1", "A 1 ack 1 | answer-keep-alive"),
        ("SA 0 ack 7", "A 1 ack 1 | answer-unacceptable"),
        ("S -1000", "A 1 ack 1 | answer-unacceptable"),
        ("S 0", "SA 0 ack 1 | answer-open"),
    ] {
        let mut wire = Wire::listening(0, &config());
        wire.log(&format!("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n < {arrives}\n > {answer}"));
    }
}
