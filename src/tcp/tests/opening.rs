//! The handshake (RFC 9293 §3.5), packet by packet.

use super::wire::{Wire, config, ends};
use crate::journal::{DropReason, TcpState};
use crate::packet::DeliveryError;
use crate::tcp::Config;
use crate::transport::{CloseReason, OpenError, SocketError, SocketEvent};

/// RFC 9293 Figure 6, seen from the side that listens. MUST-14: its SYN,ACK has an MSS option; MUST-67: of the MTU less
/// 40 octets of headers.
#[test]
fn a_listener_answers_a_syn_and_the_third_segment_opens() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0          <mss 1000>
        > SA 0  ack 1   <mss 1460>   | answer-open
        < A  1  ack 1
        ",
    );
    wire.accept();
    assert_eq!(wire.state(), TcpState::Established);
}

/// RFC 9293 Figure 6, seen from the side that opens. MUST-14, and MUST-65: the MSS option stands in the SYN only.
#[test]
fn an_active_open_sends_a_syn_and_completes_the_handshake() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0          win 65535  <mss 1460, sackOK, ts 0 -, ws 1>  | active-open
        +20ms
        < SA 0  ack 1              <mss 1000, sackOK, ts 700 0, ws 7>
        > A  1  ack 1              <ts 20 700>                       | complete-open
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Connected(socket), SocketEvent::Writable(socket)]);
}

/// RFC 9293 §3.5.2, Figure 7. MUST-10.
#[test]
fn two_syns_that_cross_make_one_connection() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                   | active-open
        < S  0          <mss 1000>
        > SA 0  ack 1   <mss 1460>  | answer-open
        < SA 0  ack 1   <mss 1000>
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
}
