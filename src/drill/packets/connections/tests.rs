use super::super::testing::{accepted, ends, outbound, packet, sent};
use super::*;

#[test]
fn a_packet_to_a_listener_begins_a_connection_from_a_port_of_its_own() {
    let mut connections = Connections::new(ends());
    connections.socket(3, Protocol::Tcp);
    connections.listen(3);
    let first = connections.takes(&packet("< S 7:7(0) win 1")).expect("a listener takes it").clone();
    assert_eq!((first.phase, first.irs, first.local), (Phase::PacketReceived, SeqNum(7), Some(ends().bound)));
    assert_eq!(first.remote.map(|end| end.port()), Some(FIRST_PORT));
    let same = connections.takes(&packet("< S 7:7(0) win 1")).expect("the connection takes it").clone();
    assert_eq!(same.remote, first.remote, "the connection under test has it, not the listener");
}

#[test]
fn every_connection_has_another_port() {
    let mut connections = accepted(5000);
    let first = connections.under_test().and_then(|connection| connection.remote);
    connections.socket(5, Protocol::Tcp);
    connections.listen(5);
    let second = connections.takes(&packet("< S 0:0(0) win 1")).and_then(|connection| connection.remote);
    assert!(first.is_some() && second.is_some() && first != second, "{first:?} {second:?}");
}

#[test]
fn a_passive_open_is_followed_to_accept() {
    let mut connections = accepted(5000);
    let connection = connections.under_test().expect("there is one").clone();
    assert_eq!((connection.phase, connection.wire_iss), (Phase::SynAckAcked, SeqNum(5000)));
    let stranger = "192.0.2.1:9".parse().ok();
    assert!(!connections.accept(4, stranger), "nobody has come from there");
    assert!(connections.accept(4, connection.remote));
    assert!(!connections.accept(5, connection.remote), "it is handed over once");
}

#[test]
fn an_active_open_learns_its_ends_and_numbers_from_the_syn() {
    let mut connections = Connections::new(ends());
    connections.socket(3, Protocol::Tcp);
    connections.connect(3);
    let syn = sent(
        "< S 4711:4711(0) win 1",
        Route { from: "192.168.0.2:51000".parse().expect("an address"), to: ends().far },
    );
    assert!(!connections.owns(&syn), "the script does not speak of it yet");
    assert!(connections.expects(&packet("> S 0:0(0) <...>")));
    assert!(connections.owns(&syn));
    let connection = connections.under_test().expect("there is one");
    assert_eq!((connection.phase, connection.wire_iss), (Phase::SynSent, SeqNum(4711)));
    assert_eq!(connection.local.map(|end| end.port()), Some(51_000));
    let reply = connections.takes(&packet("< S. 90:90(0) ack 1 win 1")).expect("it is the connection's");
    assert_eq!((reply.phase, reply.irs), (Phase::SynAcked, SeqNum(90)));
}

#[test]
fn packets_of_other_ends_are_not_those_under_test() {
    let mut connections = accepted(5000);
    assert!(connections.owns(&sent("< . 1:1(0) ack 1 win 1", outbound(FIRST_PORT))));
    for stranger in [
        outbound(FIRST_PORT + 1),
        Route { from: ends().far, to: ends().bound },
        Route { from: "192.168.0.2:8081".parse().expect("an address"), ..outbound(FIRST_PORT) },
    ] {
        assert!(!connections.owns(&sent("< R 1:1(0) win 0", stranger)), "{stranger:?}");
    }
}

#[test]
fn the_socket_made_last_is_under_test() {
    let mut connections = accepted(5000);
    let old = connections.under_test().and_then(|connection| connection.remote);
    connections.socket(5, Protocol::Udp);
    assert!(!connections.owns(&sent("< . 1:1(0) ack 1 win 1", outbound(old.map_or(0, |end| end.port())))));
    assert!(!connections.expects(&packet("> . 1:1(0) ack 1")), "a UDP socket sends no segment");
    connections.connect(5);
    assert!(connections.expects(&packet("> udp (10)")));
    assert!(connections.owns(&sent("< udp (10)", outbound(8080))));
}

#[test]
fn a_packet_to_nobody_has_ends_all_the_same() {
    let mut none = Connections::new(ends());
    assert!(none.takes(&packet("< . 17:17(0) ack 34 win 1")).is_some(), "no socket at all");
    let mut bound = Connections::new(ends());
    bound.socket(3, Protocol::Tcp);
    let connection = bound.takes(&packet("< . 17:17(0) ack 34 win 1")).expect("a socket that only exists").clone();
    assert_eq!(connection.local, Some(ends().bound));
    assert!(connection.remote.is_some());
    assert!(bound.takes(&packet("< udp (1)")).is_none(), "a TCP socket takes no datagram");
}

#[test]
fn a_packet_that_no_event_asked_for_is_shown_in_numbers_that_can_be_read() {
    let connections = accepted(5000);
    let mut with_syn = connections.clone();
    let other = outbound(50_000);
    with_syn.seen(&sent("< S. 777000:777000(0) ack 1 win 1", other));
    let shown = with_syn.in_script_numbers(&sent("< S. 777000:777000(0) ack 1 win 1", other));
    let Body::Tcp(tcp) = shown.body else { panic!("{shown:?}") };
    assert_eq!(tcp.seq, SeqNum(0));
}
