//! Several connections and listeners side by side.

use super::*;

/// MUST-41: a listener and its connections do not touch those that are there.
#[test]
fn a_new_connection_does_not_disturb_another() {
    let mut wire = Wire::listening(3, &config());
    wire.handshake("mss 1000");
    let before = wire.snapshot();
    wire.peer_port(4001);
    wire.log("< S 0 <mss 500>\n > SA 0 ack 1 | answer-open\n < R 1");
    assert_eq!(wire.snapshot(), before);
}

/// MUST-42: listeners share a port when their addresses differ, and each gets its own peers. MUST-43: an open names its
/// local address.
#[test]
fn listeners_on_one_port_with_differing_addresses_get_along() {
    let mut wire = Wire::listening(0, &config());
    let other = "10.0.0.9:80".parse().expect("an address");
    let second = wire.engine.listen(other, 0, &config());
    assert!(second.is_ok());
    assert_eq!(wire.engine.listen(other, 0, &config()), Err(OpenError::AddressInUse(other)));
    wire.handshake("mss 1000");
    wire.ends = ends("10.0.0.9:80", "10.0.0.2:4000");
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1");
    assert!(wire.nothing_to_accept());
    assert!(wire.engine.accept(second.expect("it listens")).is_some());
}

/// The ends of a connection name it: no second one can have them.
#[test]
fn the_same_ends_cannot_be_opened_twice() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    let again = wire.engine.connect(wire.now, wire.ends.local, wire.ends.remote, &config());
    assert_eq!(again, Err(OpenError::AddressInUse(wire.ends.local)));
}

/// packetimpact 9: as in Linux a backlog of one lets two wait; a third SYN finds no room and is dropped in silence.
#[test]
fn a_full_backlog_drops_the_next_syn() {
    let mut wire = Wire::listening(1, &config());
    for port in [4001, 4002] {
        wire.peer_port(port);
        wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1");
    }
    wire.peer_port(4003);
    wire.log("< S 0 <mss 1000>");
    assert_eq!(wire.drops().last(), Some(&DropReason::BacklogFull));
    wire.accept();
    wire.peer_port(4003);
    wire.log("+1s\n < S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
}

/// packetimpact 11: what was not accepted is reset with its listener, open or still opening.
#[test]
fn closing_a_listener_resets_what_nobody_accepted() {
    let mut wire = Wire::listening(1, &config());
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1");
    wire.peer_port(4001);
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 | answer-open");
    wire.close_listener();
    let resets: Vec<_> = wire.take_sent().iter().map(|sent| (sent.ends.remote.port(), sent.segment.flags)).collect();
    let reset = crate::packet::TcpFlags(0x14);
    assert_eq!(resets, [(4000, reset), (4001, reset)]);
    assert!(wire.engine.is_empty());
}
