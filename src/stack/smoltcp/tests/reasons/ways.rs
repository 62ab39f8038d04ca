//! Where a packet can go, and how long it may be.

use super::*;

#[test]
fn a_datagram_that_has_no_way_is_refused_before_it_is_queued() {
    let v6 = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let mut only_v4 = stack_with(Medium::Ip, &[(own(false), 24)]);
    let mut both = stack_with(Medium::Ip, &both_families());
    let refuses = |stack: &mut SmoltcpStack, local: SocketAddr, remote: SocketAddr| {
        let socket = stack.udp_bind(local).expect("the port is free");
        let sent = stack.udp_send_to(Instant::ZERO, socket, b"hello", remote);
        assert_eq!(sent, Err(SocketError::Unreachable(remote.ip())), "{local} to {remote}");
        assert!(stack.transmit(Instant::ZERO).is_none());
    };
    refuses(&mut both, any(1), v6("[::]:53"));
    refuses(&mut both, any(2), any(53));
    refuses(&mut both, any(3), v6("[fd00::2]:0"));
    refuses(&mut both, SocketAddr::new(own(false), 4), v6("[fd00::2]:53"));
    refuses(&mut both, SocketAddr::new(own(true), 5), peer());
    refuses(&mut only_v4, any(6), v6("[fd00::2]:53"));
    let socket = both.udp_bind(any(7)).expect("the port is free");
    for remote in [v6("[fd00::2]:53"), v6("[fe80::2]:53"), peer()] {
        assert_eq!(both.udp_send_to(Instant::ZERO, socket, b"hello", remote), Ok(true));
        let (packet, why) = both.transmit(Instant::ZERO).expect("it can go");
        assert_eq!(why, Why::of(Reason::Datagram));
        let source = packet.dissect().addresses().map(|(src, _)| src);
        assert_eq!(source, Some(own(remote.is_ipv6())), "to {remote}");
    }
}

#[test]
fn a_connection_begins_only_where_there_is_a_way() {
    let now = Instant::ZERO;
    let v6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], 80));
    let mut only_v4 = stack_with(Medium::Ip, &[(own(false), 24)]);
    assert_eq!(only_v4.connect(now, None, v6, &prompt()), Err(OpenError::BadDestination(v6)));
    let mut both = stack_with(Medium::Ip, &both_families());
    for remote in ["[::]:80", "[fd00::2]:0", "0.0.0.0:80", "255.255.255.255:80", "224.0.0.1:80"] {
        let remote = remote.parse().expect("an address");
        assert_eq!(both.connect(now, None, remote, &prompt()), Err(OpenError::BadDestination(remote)));
    }
    let local = SocketAddr::new(own(false), 0);
    assert_eq!(both.connect(now, Some(local), v6, &prompt()), Err(OpenError::AddressNotAvailable(own(false))));
    assert!(both.connect(now, Some(any(0)), v6, &prompt()).is_ok());
    assert!(both.transmit(now).is_some());
}

#[test]
fn a_datagram_is_as_long_as_the_stack_can_send() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let socket = stack.udp_bind(any(1)).expect("the port is free");
    let v6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], 53));
    let mut send = |octets: usize, remote| {
        let sent = stack.udp_send_to(Instant::ZERO, socket, &vec![1; octets], remote);
        let mut carried = 0;
        for tick in 0..100 {
            while let Some((packet, why)) = stack.transmit(Instant::ZERO + tick * SECOND / 1000) {
                assert_eq!(why.reason, Reason::Datagram);
                assert!(packet.network_len() <= 1500);
                let v6 = packet.dissect().addresses().is_some_and(|(src, _)| src.is_ipv6());
                carried += packet.network_len() - if v6 { 40 } else { 20 };
            }
        }
        (sent, carried)
    };
    assert_eq!(send(1452, v6), (Ok(true), 1460));
    assert_eq!(send(1453, v6), (Err(SocketError::TooLong(1453)), 0));
    assert_eq!(send(65_507, peer()), (Ok(true), 65_515));
    assert_eq!(send(65_508, peer()), (Err(SocketError::TooLong(65_508)), 0));
}

#[test]
fn long_datagrams_one_after_another_keep_all_their_fragments() {
    let mut stack = stack_with(Medium::Ip, &both_families());
    let sockets = [1, 2].map(|port| stack.udp_bind(any(port)).expect("the port is free"));
    for socket in [sockets[0], sockets[0], sockets[1]] {
        assert_eq!(stack.udp_send_to(Instant::ZERO, socket, &[1; 5_000], peer()), Ok(true));
    }
    let mut datagrams = std::collections::BTreeMap::<u16, usize>::new();
    for tick in 0..100 {
        while let Some((packet, _)) = stack.transmit(Instant::ZERO + tick * SECOND / 1000) {
            let dissection = packet.dissect();
            let Some(Network::Ipv4(ip)) = dissection.network else { unreachable!("it was sent to an IPv4 address") };
            *datagrams.entry(ip.identification).or_default() += ip.total_len - ip.header_len;
        }
    }
    assert_eq!(datagrams.into_values().collect::<Vec<_>>(), [5_008; 3]);
}
