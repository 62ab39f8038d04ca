//! What an application asks for, and what it is answered (RFC 9293 §3.9.1): options, looking without taking, names.

use std::time::Duration;

use super::wire::{Wire, config};
use crate::journal::SocketId;
use crate::tcp::Config;
use crate::transport::{CloseReason, SocketError, SocketEvent, SocketOption};

/// Looks at what is there, as the engine answers it.
fn look(wire: &mut Wire) -> Result<Option<usize>, SocketError> {
    let socket = wire.socket();
    wire.engine.peek_into(socket, &mut [0; 20])
}

#[test]
fn looking_takes_nothing_and_sees_the_end() {
    let mut wire = Wire::open();
    assert_eq!(look(&mut wire), Ok(None));
    wire.log("< PA 1:11 ack 1\n > A 1 ack 11 | acknowledge");
    assert_eq!((look(&mut wire), look(&mut wire)), (Ok(Some(10)), Ok(Some(10))));
    assert_eq!(wire.read(), 10);
    assert_eq!(look(&mut wire), Ok(None));
    wire.log("< FA 11 ack 1\n > A 1 ack 12 | acknowledge-close");
    assert_eq!(look(&mut wire), Ok(Some(0)));
    // The stream was whole before the reset.
    wire.log("< R 12");
    assert_eq!(look(&mut wire), Ok(Some(0)));
    assert_eq!(wire.engine.peek_into(SocketId(99), &mut []), Err(SocketError::Closed));
}

/// What a SYN brings cannot be seen before the handshake is over.
#[test]
fn nothing_is_seen_before_the_connection_is_open() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open\n < SP 0:10 <mss 1000>\n > SA 0 ack 1 | answer-open");
    assert_eq!(look(&mut wire), Ok(None));
    wire.log("< A 11 ack 1");
    assert_eq!(look(&mut wire), Ok(Some(10)));
}

/// MUST-48, MUST-49: the application chooses how its packets travel; ECN's bits are not its own.
#[test]
fn hops_and_traffic_class_are_those_that_were_asked_for() {
    let mut wire = Wire::listening(0, &config());
    wire.log("< SEW 0 <mss 1000>\n > SAE 0 ack 1 | answer-open\n < A 1 ack 1");
    wire.accept();
    for (hops, class, sent) in [(7, 0xb8, (7, 0xba)), (0, 0xff, (1, 0xfe))] {
        wire.set(SocketOption::TimeToLive(hops));
        wire.set(SocketOption::TrafficClass(class));
        wire.set(SocketOption::NoDelay(true));
        wire.write(10);
        let departure = wire.take_sent().remove(0);
        assert_eq!((departure.hops, departure.traffic_class), (Some(sent.0), sent.1));
    }
}

/// An option of a listener is one of the connections that it will have; those that are there keep theirs.
#[test]
fn a_listener_hands_its_options_on() {
    let mut wire = Wire::listening(1, &config());
    let listener = SocketId(1);
    wire.handshake("mss 1000");
    let first = wire.socket();
    wire.engine.set_option(wire.now, listener, SocketOption::MaxSegment(300)).expect("it listens");
    wire.peer_port(4001);
    wire.log("< S 0 <mss 1000>\n > SA 0 ack 1 <mss 300> | answer-open\n < A 1 ack 1");
    wire.accept();
    let mss = |socket| wire.engine.snapshot(socket).and_then(|snapshot| snapshot.snd_mss);
    assert_eq!((mss(first), mss(wire.socket())), (Some(1000), Some(300)));
    let nobody = wire.engine.set_option(wire.now, SocketId(99), SocketOption::NoDelay(true));
    assert_eq!(nobody, Err(SocketError::Closed));
}

/// The names of sockets: whose address is which, and who is there.
#[test]
fn a_socket_is_known_by_its_name_until_it_is_forgotten() {
    let mut wire = Wire::listening(0, &config());
    wire.handshake("mss 1000");
    let (listener, socket, local) = (SocketId(1), wire.socket(), Some(wire.ends.local));
    assert_eq!([listener, socket].map(|socket| wire.engine.local_address(socket)), [local; 2]);
    assert_eq!([listener, socket, SocketId(99)].map(|socket| wire.engine.has(socket)), [true, true, false]);
    assert_eq!(wire.engine.local_address(SocketId(99)), None);
    wire.abort();
    wire.log("> RA 1 ack 1 | abort");
    assert!(!wire.engine.has(socket) && wire.engine.is_empty());
}

/// What waits for its acknowledgment is given one when the application asks for quick ones.
#[test]
fn asking_for_quick_acks_sends_the_one_that_waits() {
    let mut wire = Wire::open();
    wire.set(SocketOption::QuickAck(false));
    wire.set(SocketOption::QuickAck(true));
    wire.set(SocketOption::QuickAck(false));
    wire.log("< PA 1:11 ack 1\n +10ms");
    wire.set(SocketOption::QuickAck(true));
    wire.log("> A 1 ack 11 | acknowledge\n < PA 11:21 ack 1\n > A 1 ack 21 | acknowledge");
}

/// The probes of an idle connection begin from when it was last heard, also when they are asked for later, and stop.
#[test]
fn keep_alive_counts_from_when_the_peer_was_last_heard() {
    let mut wire = Wire::open();
    wire.log("+50s");
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(60))));
    wire.log("+10s\n > A 0 ack 1 | keep-alive");
    wire.set(SocketOption::KeepAlive(None));
    wire.log("+1000s");
    wire.set(SocketOption::KeepAliveInterval(Duration::from_secs(5)));
    wire.set(SocketOption::KeepAliveProbes(0));
    wire.set(SocketOption::KeepAlive(Some(Duration::from_secs(60))));
    wire.log("+0s\n > A 0 ack 1 | keep-alive\n +5s\n > RA 1 ack 1 | give-up");
}

/// Asked for before the connection is open, they begin with it.
#[test]
fn keep_alive_waits_for_the_handshake() {
    let mut wire = Wire::connecting(&config());
    wire.log("> S 0 | active-open");
    wire.set(SocketOption::KeepAlive(Some(Duration::from_millis(100))));
    wire.log("+900ms\n < SA 0 ack 1 <mss 1000>\n > A 1 ack 1 | complete-open\n +100ms\n > A 0 ack 1 | keep-alive");
}

/// Octets that "more follows" holds back go when the application wants no delay.
#[test]
fn no_delay_sets_free_what_waited_for_more() {
    let mut wire = Wire::open();
    let socket = wire.socket();
    let data = super::notation::octets(0, 10);
    assert_eq!(wire.engine.send_more(wire.now, socket, &data), Ok(10));
    wire.log("+10ms");
    wire.set(SocketOption::NoDelay(true));
    wire.log("> A 1:11 ack 1 | new-data");
}

/// A cork is stronger: the wish for no delay waits until it is drawn (as in Linux).
#[test]
fn no_delay_draws_no_cork() {
    let mut wire = Wire::open();
    wire.set(SocketOption::Cork(true));
    wire.write(10);
    wire.set(SocketOption::NoDelay(true));
    wire.log("+200ms\n > PA 1:11 ack 1 | new-data");
}

/// A send buffer may change its size; one of nothing still takes an octet.
#[test]
fn the_send_buffer_can_be_resized() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    for (octets, taken) in [(100, 100), (0, 0), (150, 50)] {
        wire.set(SocketOption::SendBuffer(octets));
        assert_eq!(wire.try_write(1000), Ok(taken), "{octets}");
    }
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    wire.set(SocketOption::SendBuffer(0));
    assert_eq!(wire.try_write(10), Ok(1));
}

/// A writer that waits hears of the room that a larger buffer has, and of no other.
#[test]
fn a_larger_send_buffer_wakes_the_writer() {
    let mut wire = Wire::open();
    wire.log("< A 1 ack 1 win 0");
    wire.set(SocketOption::SendBuffer(100));
    assert_eq!(wire.try_write(1000), Ok(100));
    wire.events();
    wire.set(SocketOption::SendBuffer(120));
    wire.set(SocketOption::SendBuffer(1));
    assert_eq!(wire.events(), [], "too little to be worth a call, and none at all");
    wire.set(SocketOption::SendBuffer(150));
    assert_eq!(wire.events(), [SocketEvent::Writable(wire.socket())]);
    wire.set(SocketOption::SendBuffer(300));
    assert_eq!(wire.events(), [], "it knows");
}

/// Many small segments in flight cost more than their octets, and the send buffer counts that.
#[test]
fn small_segments_in_flight_use_up_the_send_buffer() {
    let mut wire = Wire::open_with(&Config { send_buffer: 2000, no_delay: true, ..config() }, "mss 1000");
    wire.write(400);
    wire.log("> PA 1:401 ack 1 | new-data\n < A 1 ack 401");
    for _ in 0..5 {
        wire.write(4);
    }
    assert_eq!(wire.take_sent().len(), 5);
    // Twenty octets, and notes on five segments of which a quarter of the octets pays a little.
    assert_eq!(wire.try_write(5000), Ok(2000 - 20 - (5 * 128 - 20 / 4)));
    wire.take_sent();
}

/// A shutdown ends what can be sent, once.
#[test]
fn nothing_can_be_sent_after_a_shutdown() {
    let mut wire = Wire::open();
    wire.shutdown();
    wire.shutdown();
    wire.log("> FA 1 ack 1 | close");
    assert_eq!(wire.try_write(1), Err(SocketError::ShutDown));
    wire.log("< FA 1 ack 2\n > A 2 ack 2 | acknowledge-close\n < R 2");
    let socket = wire.socket();
    assert_eq!(wire.events().last(), Some(&SocketEvent::Closed(socket, CloseReason::Finished)));
    assert_eq!(wire.try_write(1), Err(SocketError::ShutDown));
}

/// Urgent data that finds no room makes nothing else urgent.
#[test]
fn urgent_data_without_room_leaves_no_mark() {
    let mut wire = Wire::open_with(&Config { send_buffer: 10, ..config() }, "mss 1000");
    wire.log("< A 1 ack 1 win 0");
    wire.write(10);
    let socket = wire.socket();
    assert_eq!(wire.engine.send_urgent(wire.now, socket, b"!"), Ok(0));
    wire.log("< A 1 ack 1 win 500\n > PA 1:11 ack 1 | new-data");
}

/// As Linux does: more than half of the greatest window without PSH would keep the peer waiting, whatever follows.
#[test]
fn more_than_half_a_window_is_pushed_though_more_follows() {
    for (octets, flags) in [(500, "A"), (501, "PA")] {
        let mut wire = Wire::listening(0, &config());
        wire.log("< S 0 win 1000 <mss 1000>\n > SA 0 ack 1 | answer-open\n < A 1 ack 1 win 1000");
        wire.accept();
        let (socket, data) = (wire.socket(), super::notation::octets(0, octets));
        assert_eq!(wire.engine.send_more(wire.now, socket, &data), Ok(octets));
        wire.set(SocketOption::NoDelay(true));
        wire.log(&format!("> {flags} 1:{} ack 1 | new-data", octets + 1));
    }
}

/// An address that is kept is nobody else's until it is given back; a connection may begin there.
#[test]
fn an_address_can_be_kept() {
    let mut wire = Wire::open();
    let at = |port| std::net::SocketAddr::from(([10, 0, 0, 1], port));
    let kept = wire.engine.reserve(at(0)).expect("a port is free");
    let local = wire.engine.local_address(kept).expect("it is kept");
    assert!(local.port() >= 49_152);
    let taken = Err(crate::transport::OpenError::AddressInUse(local));
    assert_eq!(wire.engine.reserve(local), taken);
    assert_eq!(wire.engine.listen(local, 1, &config()), taken);
    let any = std::net::SocketAddr::from(([0, 0, 0, 0], local.port()));
    assert_eq!(wire.engine.reserve(any), Err(crate::transport::OpenError::AddressInUse(any)));
    wire.engine.close(wire.now, kept);
    assert!(wire.engine.listen(local, 1, &config()).is_ok());
    assert!(wire.engine.reserve(local).is_err(), "now somebody listens there");
}

/// Who asks for room and finds none is told when there is some.
#[test]
fn room_is_waited_for() {
    let mut wire = Wire::open_with(&Config { send_buffer: 100, ..config() }, "mss 1000");
    let socket = wire.socket();
    assert_eq!(wire.engine.room(socket), Ok(100));
    wire.write(100);
    wire.log("> PA 1:101 ack 1 | new-data");
    assert_eq!(wire.engine.room(socket), Ok(0));
    wire.events();
    wire.log("< A 1 ack 101");
    assert_eq!(wire.events(), [SocketEvent::Writable(socket)]);
    wire.shutdown();
    wire.log("> FA 101 ack 1 | close");
    assert_eq!(wire.engine.room(socket), Err(SocketError::ShutDown));
}

/// What stands in several places goes as if it stood in one, and no further than there is room.
#[test]
fn parts_are_sent_as_one() {
    let mut wire = Wire::open_with(&Config { send_buffer: 100, ..config() }, "mss 1000");
    let socket = wire.socket();
    let data = super::notation::octets(0, 200);
    let parts = [&data[..30], &[], &data[30..60], &[]].map(std::io::IoSlice::new);
    assert_eq!(wire.engine.send_parts(wire.now, socket, &parts), Ok(60));
    wire.log("+1ms\n > PA 1:61 ack 1 | new-data\n < A 1 ack 61");
    let parts = [&data[60..130], &data[130..200]].map(std::io::IoSlice::new);
    assert_eq!(wire.engine.send_parts(wire.now, socket, &parts), Ok(100));
    wire.log("+1ms\n > PA 61:161 ack 1 | new-data\n < A 1 ack 161");
    assert_eq!(wire.events().last(), Some(&SocketEvent::Writable(socket)));

    // Only the end of all of it is pushed.
    let mut wire = Wire::open();
    let (socket, data) = (wire.socket(), super::notation::octets(0, 1010));
    let parts = [&data[..1000], &data[1000..]].map(std::io::IoSlice::new);
    assert_eq!(wire.engine.send_parts(wire.now, socket, &parts), Ok(1010));
    wire.set(SocketOption::NoDelay(true));
    wire.log("> A 1:1001 ack 1 | new-data\n > PA 1001:1011 ack 1 | new-data");
}
