//! Sockets and datagrams, without a network.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;

use super::*;
use crate::journal::Reason;

const A: SocketId = SocketId(1);
const B: SocketId = SocketId(2);
const C: SocketId = SocketId(3);

fn own(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}

fn peer(port: u16) -> SocketAddr {
    ([10, 0, 0, 2], port).into()
}

fn any(port: u16) -> SocketAddr {
    ([0; 4], port).into()
}

fn own_ip() -> Option<IpAddr> {
    Some(own(0).ip())
}

fn bound(id: SocketId, local: SocketAddr) -> Sockets {
    let mut sockets = Sockets::new(1);
    sockets.bind(id, local).expect("the port is free");
    sockets
}

fn arrives(sockets: &mut Sockets, src: SocketAddr, dst: SocketAddr, data: &[u8]) -> Verdict {
    let payload = [Bytes::copy_from_slice(data)];
    sockets.arrives(&Arriving { src, dst, length: (data.len() + HEADER) as u16, payload: &payload })
}

fn read(sockets: &mut Sockets, id: SocketId) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 2000];
    let (octets, src) = sockets.receive_from(id, &mut buffer).expect("the socket is well")?;
    Some((buffer[..octets].to_vec(), src))
}

fn events(sockets: &mut Sockets) -> Vec<Event> {
    let mut events = Vec::new();
    sockets.drain_events(&mut events);
    events
}

/// CONFORMANCE 31 and 33: which bound socket hears what.
#[test]
fn a_socket_hears_what_is_sent_to_the_address_it_is_bound_to() {
    let group: SocketAddr = ([224, 0, 0, 1], 53).into();
    let everybody: SocketAddr = ([255; 4], 53).into();
    let other: SocketAddr = ([10, 0, 0, 9], 53).into();
    let cases = [
        (any(53), own(53), true),
        (any(53), other, true),
        (any(53), group, true),
        (any(53), everybody, true),
        (any(53), SocketAddr::from(([0xfd00_u16, 0, 0, 0, 0, 0, 0, 1], 53)), true),
        (own(53), own(53), true),
        (own(53), other, false),
        (own(53), group, false),
        (own(53), everybody, false),
        (own(53), own(54), false),
        (group, group, true),
        (group, own(53), false),
        (group, everybody, false),
        (everybody, everybody, true),
        (everybody, group, false),
    ];
    for (local, dst, heard) in cases {
        let mut sockets = bound(A, local);
        let verdict = arrives(&mut sockets, peer(4000), dst, b"data");
        assert_eq!(verdict, if heard { Verdict::Taken } else { Verdict::NobodyListens }, "{local} {dst}");
        assert_eq!(read(&mut sockets, A), heard.then(|| (b"data".to_vec(), peer(4000))), "{local} {dst}");
        assert_eq!(events(&mut sockets), if heard { vec![Event::Readable(A)] } else { vec![] });
    }
}

#[test]
fn payloads_of_every_size_come_and_go() {
    for octets in [0, 1, 1472, 8000, 65_507] {
        let mut sockets = bound(A, own(53));
        let data = vec![7; octets];
        assert_eq!(arrives(&mut sockets, peer(4000), own(53), &data), Verdict::Taken);
        let mut buffer = vec![0; 70_000];
        assert_eq!(sockets.receive_from(A, &mut buffer), Ok(Some((octets, peer(4000)))));
        assert_eq!(buffer[..octets], data);
        assert_eq!(sockets.send_to(A, &data, peer(4000), None), Ok(true));
        let sent = sockets.transmit().expect("it was sent");
        assert_eq!((sent.src, sent.dst, sent.hops, sent.why.reason), (own(53), peer(4000), 64, Reason::Datagram));
        assert_eq!(sent.header[..4], [0, 53, 0x0f, 0xa0]);
        assert_eq!(usize::from(u16::from_be_bytes([sent.header[4], sent.header[5]])), octets + 8);
        assert_eq!(sent.payload.concat(), data);
    }
    let mut sockets = bound(A, any(53));
    let too_long = sockets.send_to(A, &[0; 65_508], peer(1), own_ip());
    assert_eq!(too_long, Err(SocketError::TooLong(65_508)));
}

#[test]
fn a_datagram_longer_than_the_buffer_is_cut() {
    let mut sockets = bound(A, own(53));
    arrives(&mut sockets, peer(1), own(53), b"abcdef");
    let mut buffer = [0; 4];
    assert_eq!(sockets.receive_from(A, &mut buffer), Ok(Some((4, peer(1)))));
    assert_eq!((&buffer, read(&mut sockets, A)), (b"abcd", None));
}

#[test]
fn a_length_that_does_not_fit_the_data_is_dropped() {
    let mut sockets = bound(A, own(53));
    for length in [0, 7, 8, 11, 13] {
        let payload = [Bytes::from_static(b"data")];
        let verdict = sockets.arrives(&Arriving { src: peer(1), dst: own(53), length, payload: &payload });
        assert_eq!(verdict, Verdict::Dropped(DropReason::Malformed), "{length}");
    }
}

#[test]
fn sockets_at_one_port_share_it_by_their_addresses() {
    let mut sockets = bound(A, own(53));
    let other: SocketAddr = ([10, 0, 0, 9], 53).into();
    sockets.bind(B, other).expect("another address");
    sockets.connect(B, peer(1), None).expect("a peer");
    assert_eq!(arrives(&mut sockets, peer(1), other, b"x"), Verdict::Taken);
    assert_eq!(arrives(&mut sockets, peer(2), other, b"x"), Verdict::NobodyListens);
    assert_eq!(arrives(&mut sockets, peer(2), own(53), b"x"), Verdict::Taken);
    assert_eq!((read(&mut sockets, A).is_some(), read(&mut sockets, B).is_some()), (true, true));
}

#[test]
fn what_is_sent_to_many_reaches_every_socket_that_wants_it() {
    let group: SocketAddr = ([224, 0, 0, 1], 53).into();
    let mut sockets = Sockets::new(1);
    assert_eq!(sockets.bind_to_many(A, group), Ok(group));
    assert_eq!(sockets.bind_to_many(B, group), Ok(group), "groups are shared");
    assert_eq!(sockets.bind(C, any(53)), Err(BindError::AddressInUse(any(53))));
    sockets.bind(C, own(53)).expect("another address");
    assert_eq!(arrives(&mut sockets, peer(1), group, b"x"), Verdict::Taken);
    let heard = [A, B, C].map(|id| read(&mut sockets, id).is_some());
    assert_eq!(heard, [true, true, false]);
}

#[test]
fn ports_are_had_once_and_drawn_from_the_seed() {
    let mut sockets = bound(A, own(53));
    assert_eq!(sockets.bind(B, own(53)), Err(BindError::AddressInUse(own(53))));
    assert_eq!(sockets.bind(B, any(53)), Err(BindError::AddressInUse(any(53))));
    assert_eq!(sockets.bind(B, own(54)), Ok(own(54)));
    assert!(sockets.close(A) && !sockets.close(A));
    assert_eq!(sockets.bind(A, any(53)), Ok(any(53)));
    let drawn = |seed| Sockets::new(seed).bind(A, any(0)).expect("a port is free").port();
    assert_eq!(drawn(1), drawn(1));
    assert!(drawn(1) != drawn(2) && drawn(1) >= 49_152);

    let mut full = Sockets::new(1);
    for number in 0..16_384 {
        full.bind(SocketId(number), any(0)).expect("a port is free");
    }
    assert_eq!(full.bind(SocketId(20_000), any(0)), Err(BindError::NoPorts));
}

/// RFC 1122 §4.1.3.5, §4.1.4: the source is the bound address, else the one that speaks to the peer.
#[test]
fn the_source_is_the_bound_address_or_the_proposed_one() {
    let mut sockets = bound(A, any(53));
    assert_eq!(sockets.send_to(A, b"x", peer(1), own_ip()), Ok(true));
    assert_eq!(sockets.transmit().map(|sent| sent.src), Some(own(53)));
    assert_eq!(sockets.send_to(A, b"x", peer(1), None), Err(SocketError::Unreachable(peer(1).ip())));
    sockets.bind(B, ([10, 0, 0, 9], 99).into()).expect("the port is free");
    assert_eq!(sockets.send_to(B, b"x", peer(1), own_ip()), Ok(true));
    assert_eq!(sockets.transmit().map(|sent| sent.src), Some(([10, 0, 0, 9], 99).into()));
    let v6 = SocketAddr::from(([0xfd00_u16, 0, 0, 0, 0, 0, 0, 2], 1));
    assert_eq!(sockets.send_to(B, b"x", v6, None), Err(SocketError::Unreachable(v6.ip())));
    sockets.bind_to_many(C, ([10, 0, 0, 255], 5).into()).expect("the port is free");
    assert_eq!(sockets.send_to(C, b"x", peer(1), own_ip()), Ok(true));
    assert_eq!(sockets.transmit().map(|sent| sent.src), Some(own(5)));
    for nowhere in [peer(0), any(9)] {
        assert_eq!(sockets.send_to(A, b"x", nowhere, own_ip()), Err(SocketError::Unreachable(nowhere.ip())));
    }
}

#[test]
fn a_connected_socket_talks_with_one_peer_only() {
    let mut sockets = bound(A, any(53));
    arrives(&mut sockets, peer(1), own(53), b"before");
    arrives(&mut sockets, peer(2), own(53), b"kept");
    assert_eq!(sockets.connect(A, peer(2), own_ip()), Ok(()));
    assert_eq!((sockets.local_address(A), sockets.remote_address(A)), (Some(own(53)), Some(peer(2))));
    assert_eq!(arrives(&mut sockets, peer(1), own(53), b"x"), Verdict::NobodyListens);
    assert_eq!(arrives(&mut sockets, peer(2), own(53), b"after"), Verdict::Taken);
    let heard: Vec<_> = std::iter::from_fn(|| read(&mut sockets, A)).collect();
    assert_eq!(heard, [(b"kept".to_vec(), peer(2)), (b"after".to_vec(), peer(2))]);
    assert_eq!(sockets.connect(A, peer(0), own_ip()), Err(SocketError::Unreachable(peer(0).ip())));
}

/// CONFORMANCE 30, RFC 1122 §4.1.3.3.
#[test]
fn port_unreachable_is_said_once_to_a_connected_socket() {
    type Look = fn(&mut Sockets) -> Option<DeliveryError>;
    let error = |result| match result {
        Err(SocketError::NotDelivered(error)) => Some(error),
        Ok(_) | Err(SocketError::Closed | SocketError::TooLong(_) | SocketError::Unreachable(_)) => None,
    };
    let looks: [Look; 3] = [
        |sockets| sockets.take_error(A),
        |sockets| match sockets.receive_from(A, &mut [0; 10]) {
            Err(SocketError::NotDelivered(error)) => Some(error),
            _ => None,
        },
        |sockets| match sockets.send_to(A, b"x", peer(1), own_ip()) {
            Err(SocketError::NotDelivered(error)) => Some(error),
            _ => None,
        },
    ];
    for look in looks {
        let mut sockets = bound(A, any(53));
        sockets.connect(A, peer(1), own_ip()).expect("a peer");
        assert!(sockets.undelivered(own(53), peer(1), DeliveryError::PortUnreachable));
        assert_eq!(events(&mut sockets), [Event::Readable(A), Event::Writable(A)]);
        assert_eq!(look(&mut sockets), Some(DeliveryError::PortUnreachable));
        assert_eq!(look(&mut sockets), None);
        // About another conversation, and about what may do better next time.
        assert!(!sockets.undelivered(own(53), peer(2), DeliveryError::PortUnreachable));
        assert!(!sockets.undelivered(own(53), peer(1), DeliveryError::HopsExceeded));
        assert!(!sockets.undelivered(own(53), peer(1), DeliveryError::TooBig { mtu: 600 }));
        assert_eq!(look(&mut sockets), None);
    }
    let mut unconnected = bound(A, own(53));
    assert!(!unconnected.undelivered(own(53), peer(1), DeliveryError::PortUnreachable));
    assert_eq!(error(unconnected.send_to(A, b"x", peer(1), None)), None);
}

#[test]
fn buffers_are_bounded_at_their_real_size() {
    let mut sockets = bound(A, own(53));
    let taken = (0..10_000).take_while(|_| arrives(&mut sockets, peer(1), own(53), b"") == Verdict::Taken).count();
    assert_eq!(taken, 256 * 1024 / 128, "an empty datagram costs something too");
    assert_eq!(arrives(&mut sockets, peer(1), own(53), b""), Verdict::Dropped(DropReason::BufferFull));
    assert!(read(&mut sockets, A).is_some() && arrives(&mut sockets, peer(1), own(53), b"") == Verdict::Taken);

    sockets.set_send_buffer(A, 3000).expect("the socket is there");
    let data = [0; 1000];
    let sent = (0..10).take_while(|_| sockets.send_to(A, &data, peer(1), None) == Ok(true)).count();
    assert_eq!((sent, sockets.is_quiet()), (2, false));
    events(&mut sockets);
    assert!(sockets.transmit().is_some());
    assert_eq!(events(&mut sockets), [Event::Writable(A)]);
    assert!(sockets.transmit().is_some() && events(&mut sockets).is_empty(), "nobody waits any more");
    sockets.set_send_buffer(A, 0).expect("the socket is there");
    assert_eq!(sockets.send_to(A, &data, peer(1), None), Ok(true), "one always finds room");
}

#[test]
fn options_show_in_what_is_sent() {
    let mut sockets = bound(A, own(53));
    let sent = |sockets: &mut Sockets, to| {
        sockets.send_to(A, b"x", to, None).expect("it can be sent");
        sockets.transmit().map(|sent| (sent.hops, sent.traffic_class))
    };
    let group: SocketAddr = ([224, 0, 0, 1], 53).into();
    assert_eq!((sent(&mut sockets, peer(1)), sent(&mut sockets, group)), (Some((64, 0)), Some((1, 0))));
    sockets.set_hops(A, 7).expect("the socket is there");
    sockets.set_traffic_class(A, 0xbb).expect("the socket is there");
    assert_eq!((sent(&mut sockets, peer(1)), sent(&mut sockets, group)), (Some((7, 0xb8)), Some((7, 0xb8))));
    assert_eq!(sockets.set_hops(B, 7), Err(SocketError::Closed));
}

#[test]
fn what_a_closed_socket_has_sent_still_leaves_and_nothing_more_arrives() {
    let mut sockets = bound(A, own(53));
    sockets.send_to(A, b"last", peer(1), None).expect("it can be sent");
    sockets.close(A);
    assert!(sockets.transmit().is_some());
    assert_eq!(arrives(&mut sockets, peer(1), own(53), b"x"), Verdict::NobodyListens);
    assert_eq!(sockets.receive_from(A, &mut [0; 4]), Err(SocketError::Closed));
    assert_eq!(sockets.send_to(A, b"x", peer(1), None), Err(SocketError::Closed));
    assert_eq!((sockets.local_address(A), sockets.take_error(A)), (None, None));
}
