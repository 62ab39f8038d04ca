//! What the tests of this room have in common: packets written as scripts write them.

use super::build::Route;
use super::connections::{Connections, Ends};
use super::mapping::Protocol;
use super::read::{Sent, read};
use crate::drill::language::script::{PacketSpec, Script, What};
use crate::journal::{Reason, Why};
use crate::packet::{Packet, SeqNum};
use crate::time::Instant;

/// The ends that scripts have by default.
pub(super) fn ends() -> Ends {
    Ends { bound: "192.168.0.2:8080".parse().expect("an address"), far: "192.0.2.1:8080".parse().expect("an address") }
}

/// A packet as a script writes it, with its arrow.
pub(super) fn packet(text: &str) -> PacketSpec {
    let script = Script::parse(&format!("0 {text}\n"), "test.pkt").unwrap_or_else(|error| panic!("{error}"));
    match script.events.into_iter().next().map(|event| event.what) {
        Some(What::Inject(packet) | What::Expect(packet)) => packet,
        other => panic!("{text}: {other:?}"),
    }
}

/// A packet that the stack has sent, of the text that a script would have for it in the wire's numbers.
pub(super) fn sent(text: &str, route: Route) -> Sent {
    let built = built(text, route);
    read(Instant::from_nanos(1), &built, Why::of(Reason::NewData)).expect("it can be read")
}

/// A packet of the wire.
pub(super) fn built(text: &str, route: Route) -> Packet {
    let spec = packet(text);
    let position = match &spec.body {
        crate::drill::language::script::Body::Tcp(tcp) => super::mapping::Connection::position(tcp).unwrap_or(0),
        _ => 0,
    };
    super::build::build(&spec, route, position, None).expect("it can be built")
}

/// From the stack to the script's side, the latter at `port`.
pub(super) fn outbound(port: u16) -> Route {
    Route { from: ends().bound, to: std::net::SocketAddr::new(ends().far.ip(), port) }
}

/// A connection that a script has opened, whose numbers on the wire are these.
pub(super) fn accepted(wire_iss: u32) -> Connections {
    let mut connections = Connections::new(ends());
    connections.socket(3, Protocol::Tcp);
    connections.listen(3);
    assert!(connections.takes(&packet("< S 0:0(0) win 1000")).is_some());
    let syn_ack = packet("> S. 0:0(0) ack 1 <...>");
    assert!(connections.expects(&syn_ack));
    let route = connections.under_test().and_then(|connection| connection.inbound()).expect("both ends are known");
    let mut reply = sent("< S. 0:0(0) ack 1 win 1", Route { from: route.to, to: route.from });
    if let crate::drill::language::script::Body::Tcp(tcp) = &mut reply.packet.body {
        tcp.seq = SeqNum(wire_iss);
    }
    assert!(connections.owns(&reply));
    connections.sent(&syn_ack, &reply);
    assert!(connections.takes(&packet("< . 1:1(0) ack 1 win 1000")).is_some());
    connections
}
