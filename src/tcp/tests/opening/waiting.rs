//! What the application asks for before the connection is open.

use super::*;

/// RFC 9293 §3.10.2, §3.10.3 in SYN-SENT: what is sent waits there; packetimpact 14.
#[test]
fn what_is_sent_before_the_connection_is_open_waits_for_it() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.write(100);
    assert_eq!(wire.try_read(&mut [0; 10]), Ok(None));
    wire.log(
        "
        < SA 0     ack 1    <mss 1000>
        > PA 1:101 ack 1    | new-data
        ",
    );
}

/// The reset's side of packetimpact 14.
#[test]
fn what_waits_for_a_connection_that_is_refused_is_refused() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.write(100);
    wire.log("< RA 0 ack 1");
    assert_eq!(wire.try_read(&mut [0; 10]), Err(SocketError::Ended(CloseReason::Refused)));
    assert_eq!(wire.try_write(1), Err(SocketError::Ended(CloseReason::Refused)));
}

/// RFC 9293 §3.9.2.2; packetimpact 2, 10: while a connection opens there is nothing to lose, and a report ends it.
#[test]
fn a_report_of_an_unreachable_peer_fails_an_opening_connection() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.undelivered(0, DeliveryError::HostUnreachable);
    let socket = wire.socket();
    let reason = CloseReason::Unreachable(DeliveryError::HostUnreachable);
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, reason)]);
    wire.log("< A 1 ack 1\n > R 1 | reset");
}

/// RFC 5927 §4.1: whoever has not seen our SYN cannot know its number.
#[test]
fn a_report_about_a_syn_that_was_never_sent_is_forged() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.undelivered(1, DeliveryError::HostUnreachable);
    wire.undelivered(-1, DeliveryError::HostUnreachable);
    assert_eq!(wire.drops(), [DropReason::ForgedIcmp; 2]);
    assert_eq!(wire.state(), TcpState::SynSent);
}

/// RFC 9293 §3.10.4: a CLOSE in SYN-RECEIVED queues a FIN that follows the handshake; in SYN-SENT it takes all back.
#[test]
fn a_close_before_the_connection_is_open() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    wire.shutdown();
    assert_eq!(wire.state(), TcpState::SynReceived);
    wire.log("< A 1 ack 1\n > FA 1 ack 1 | close");
    assert_eq!(wire.state(), TcpState::FinWait1);

    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.close();
    assert!(wire.engine.is_empty());
    wire.log("< SA 0 ack 1\n > R 1 | reset");
}
