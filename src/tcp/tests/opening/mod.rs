//! The handshake (RFC 9293 §3.5), packet by packet.

mod contents;
mod several;
mod terms;
mod waiting;

use std::time::Duration;

use super::wire::{Wire, config, ends};
use crate::journal::{DropReason, TcpState};
use crate::packet::DeliveryError;
use crate::tcp::Config;
use crate::time::Instant;
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
    wire.write(10);
    wire.log("> PA 1:11 ack 1 <ts 20 700> | new-data");
}

/// RFC 9293 §3.5, Figure 7. MUST-10.
#[test]
fn two_syns_that_cross_make_one_connection() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                      | active-open
        < S  0          <mss 1000>
        > SA 0  ack 1   <mss 1460>  | answer-open
        < SA 0  ack 1   <mss 1000>
        ",
    );
    assert_eq!(wire.state(), TcpState::Established);
}

/// Of two SYNs that crossed, our SYN,ACK may be the one that is lost: the peer's repeated SYN,ACK is answered.
#[test]
fn a_repeated_syn_ack_of_a_simultaneous_open_is_acknowledged() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                      | active-open
        < S  0          <mss 1000>
        > SA 0  ack 1               | answer-open
        < SA 0  ack 1   <mss 1000>
        +1s
        < SA 0  ack 1   <mss 1000>
        > A  1  ack 1               | answer-unacceptable
        ",
    );
}

/// MUST-11: a connection in SYN-RECEIVED knows who began it. Reset, a listener's goes back to LISTEN and nobody hears of
/// it; an application's own is refused. packetimpact 20, 21.
#[test]
fn a_reset_in_syn_received_means_what_the_open_was() {
    let mut passive = Wire::listening(0, &config());
    passive.log(
        "
        < S  0                 <mss 1000>
        > SA 0  ack 1          | answer-open
        < R  1
        < A  1  ack 1
        > R  1                 | reset
        ",
    );
    assert!(passive.events().is_empty() && passive.nothing_to_accept() && passive.engine.is_empty());
    passive.log(
        "
        < S  0                 <mss 1000>
        > SA 0  ack 1          | answer-open
        < RA 1  ack 1
        ",
    );

    let mut active = Wire::connecting(&config());
    active.log(
        "
        > S  0                 | active-open
        < S  0                 <mss 1000>
        > SA 0  ack 1          | answer-open
        < RA 1  ack 1
        ",
    );
    let socket = active.socket();
    assert_eq!(active.events(), [SocketEvent::Closed(socket, CloseReason::Refused)]);
}

/// RFC 9293 §3.10.7.4, fifth check; packetimpact 1.
#[test]
fn in_syn_received_only_the_ack_of_our_syn_opens() {
    for ack in [0, 2, 1000, -1] {
        let mut wire = Wire::listening(0, &config());
        wire.log(&format!(
            "
            < S  0                 <mss 1000>
            > SA 0      ack 1      | answer-open
            < A  1      ack {ack}
            > R  {ack}             | reset
            < A  1      ack 1
            "
        ));
        wire.accept();
    }
}

/// RFC 9293 §3.10.7.3: in SYN-SENT the first check is of the ACK, the second of the RST. packetimpact 21.
#[test]
fn in_syn_sent_only_a_reset_that_acknowledges_our_syn_refuses() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                 | active-open
        < R  0
        < RA 0      ack 2
        < RA 0      ack 0
        ",
    );
    assert_eq!(wire.state(), TcpState::SynSent);
    wire.log(
        "
        < A  1      ack 2
        > R  2                 | reset
        < SA 0      ack 7
        > R  7                 | reset
        < RA 0      ack 1
        ",
    );
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, CloseReason::Refused)]);
    assert_eq!(wire.try_write(1), Err(SocketError::Ended(CloseReason::Refused)));
}

/// In a simultaneous open the peer may think better of it.
#[test]
fn a_bare_segment_without_syn_is_ignored_in_syn_sent() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0                 | active-open
        < A  1  ack 1
        < -  1
        < F  1
        ",
    );
    assert_eq!(wire.drops(), [DropReason::MissingAck; 3]);
    assert_eq!(wire.state(), TcpState::SynSent);
}

/// RFC 9293 §3.10.7.2: what a listener does with the rest.
#[test]
fn a_listener_ignores_resets_and_resets_acknowledgments() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < R  5
        < A  5  ack 900
        > R  900               | reset
        < SA 5  ack 900
        > R  900               | reset
        < -  5
        < SF 5
        ",
    );
    assert!(wire.engine.is_empty());
}

/// RFC 9293 §3.5.2, §3.10.7.1.
#[test]
fn a_closed_port_resets_everything_but_a_reset() {
    let mut wire = Wire::closed();
    wire.log(
        "
        < S  0
        > RA 0     ack 1       | reset
        < PA 5:10  ack 900
        > R  900               | reset
        < PF 5:10
        > RA 0     ack 11      | reset
        < R  0
        < RA 0     ack 1
        ",
    );
    assert_eq!(wire.drops(), [DropReason::NoConnection; 5]);
}

/// RFC 6298 §2.1, §5.5; MUST-22, MUST-23: back-off for a SYN, too, and three minutes at least before it is given up.
#[test]
fn a_syn_is_sent_again_for_three_minutes_and_then_given_up() {
    let mut wire = Wire::connecting(&config());
    wire.log(
        "
        > S  0      | active-open
        +1s
        > S  0      | retransmit-by-timer
        +2s
        > S  0      | retransmit-by-timer
        +4s
        > S  0      | retransmit-by-timer
        +8s
        > S  0      | retransmit-by-timer
        +16s
        > S  0      | retransmit-by-timer
        +32s
        > S  0      | retransmit-by-timer
        +64s
        > S  0      | retransmit-by-timer
        ",
    );
    let sent = wire.now;
    assert_eq!(wire.until_sent(), None);
    let socket = wire.socket();
    assert_eq!(wire.events(), [SocketEvent::Closed(socket, CloseReason::TimedOut)]);
    assert!(sent.as_nanos() == 127_000_000_000 && wire.now.as_nanos() >= 180_000_000_000, "{}", wire.now);
}

/// MUST-22 for the other SYN.
#[test]
fn a_syn_ack_is_sent_again_and_given_up_in_silence() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    for seconds in [1, 2, 4, 8, 16] {
        wire.log(&format!("+{seconds}s\n > SA 0 ack 1 <mss 1460> | retransmit-by-timer"));
    }
    assert_eq!(wire.until_sent(), None);
    assert!(wire.events().is_empty() && wire.engine.is_empty());
}

/// A SYN that comes again: our answer was lost, or is late.
#[test]
fn a_repeated_syn_is_answered_by_the_same_syn_ack() {
    let mut wire = Wire::listening(0, &config());
    wire.log(
        "
        < S  0                 <mss 1000>
        > SA 0      ack 1      | answer-open
        +500ms
        < S  0                 <mss 1000>
        > SA 0      ack 1      | answer-open
        ",
    );
}

/// MUST-8: the clock of initial sequence numbers ticks every four microseconds, so that a later connection between the
/// same ends begins above the earlier one.
#[test]
fn the_next_initial_sequence_number_is_as_much_higher_as_time_has_passed() {
    let first = isn_after(Duration::ZERO);
    assert_eq!(isn_after(Duration::from_secs(4)).wrapping_sub(first), 1_000_000);
}

fn isn_after(span: Duration) -> u32 {
    let mut wire = Wire::closed();
    wire.wait(span);
    wire.connect(&config());
    wire.take_sent()[0].segment.seq.0
}
