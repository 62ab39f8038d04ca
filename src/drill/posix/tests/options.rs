//! `getsockopt`, `setsockopt`, `TCP_INFO`.

use super::*;

#[test]
fn buffers_are_doubled_and_bounded() {
    let mut host = process(CLIENT);
    let fd = host.socket();
    let cases = [(SO_SNDBUF, 10_000, 20_000), (SO_SNDBUF, 1, 4_608), (SO_RCVBUF, 1, 2_304), (SO_RCVBUF, -1, 8_388_608)];
    for (name, asked, kept) in cases {
        assert_eq!(host.set(fd, SOL_SOCKET, name, asked), Outcome::OK);
        assert_eq!(host.option(fd, SOL_SOCKET, name), OptionValue::Int(kept), "{name} {asked}");
    }
}

#[test]
fn a_number_outside_its_bounds_is_refused() {
    let mut host = process(CLIENT);
    let fd = host.socket();
    let cases = [
        (IPPROTO_TCP, TCP_MAXSEG, 87),
        (IPPROTO_TCP, TCP_MAXSEG, 32_768),
        (IPPROTO_TCP, TCP_KEEPIDLE, 0),
        (IPPROTO_TCP, TCP_KEEPINTVL, 32_768),
        (IPPROTO_TCP, TCP_KEEPCNT, 128),
        (IPPROTO_TCP, TCP_SYNCNT, 0),
        (IPPROTO_TCP, TCP_USER_TIMEOUT, -1),
        (IPPROTO_IP, IP_TTL, 0),
        (IPPROTO_IP, IP_TTL, 256),
        (IPPROTO_IP, IP_MTU_DISCOVER, 6),
    ];
    for (level, name, number) in cases {
        assert_eq!(host.set(fd, level, name, number), failed(Errno::EINVAL), "{} {number}", option_name(level, name));
    }
    assert_eq!(host.set(fd, IPPROTO_TCP, TCP_MAXSEG, 0), Outcome::OK, "0 takes it off");
}

#[test]
fn what_is_set_can_be_read_back() {
    let mut host = process(CLIENT);
    let fd = host.socket();
    let cases = [
        (SOL_SOCKET, SO_REUSEADDR, 1),
        (SOL_SOCKET, SO_KEEPALIVE, 1),
        (IPPROTO_TCP, TCP_NODELAY, 1),
        (IPPROTO_TCP, TCP_CORK, 1),
        (IPPROTO_TCP, TCP_MAXSEG, 1_000),
        (IPPROTO_TCP, TCP_KEEPIDLE, 17),
        (IPPROTO_TCP, TCP_KEEPINTVL, 18),
        (IPPROTO_TCP, TCP_KEEPCNT, 3),
        (IPPROTO_TCP, TCP_USER_TIMEOUT, 3_000),
        (IPPROTO_TCP, TCP_LINGER2, 7),
        (IPPROTO_TCP, TCP_NOTSENT_LOWAT, -1),
        (IPPROTO_IP, IP_TTL, 5),
        (IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO),
    ];
    for (level, name, number) in cases {
        assert_eq!(host.set(fd, level, name, number), Outcome::OK);
        assert_eq!(host.option(fd, level, name), OptionValue::Int(number), "{}", option_name(level, name));
    }
    assert_eq!(host.set(fd, IPPROTO_IP, IP_TOS, 0xff), Outcome::OK);
    assert_eq!(host.option(fd, IPPROTO_IP, IP_TOS), OptionValue::Int(0xfc), "ECN is not the program's");
}

/// `IP_MTU_DISCOVER`, set before a connection is open and while it is.
#[test]
fn whether_packets_may_be_cut_is_for_the_program_to_say() {
    let cases = [
        (IP_PMTUDISC_DONT, true),
        (IP_PMTUDISC_WANT, false),
        (IP_PMTUDISC_DO, false),
        (IP_PMTUDISC_PROBE, false),
        (IP_PMTUDISC_INTERFACE, true),
        (IP_PMTUDISC_OMIT, true),
    ];
    let may_be_cut = |packets: Vec<Packet>| {
        assert_eq!(packets.len(), 1);
        packets[0].headers()[6] & 0x40 == 0
    };
    for (discover, cut) in cases {
        let mut host = process_over(StackKind::Native, CLIENT);
        let fd = host.socket();
        assert_eq!(host.set(fd, IPPROTO_IP, IP_MTU_DISCOVER, discover), Outcome::OK);
        blocked(host.connect(fd));
        assert_eq!(may_be_cut(host.departing()), cut, "{discover} before");

        let (mut world, client, _, _) = World::connected_with(StackKind::Native);
        assert_eq!(world.client.set(client, IPPROTO_IP, IP_MTU_DISCOVER, discover), Outcome::OK);
        assert_eq!(value(world.client.send(client, b"x")), 1);
        assert_eq!(may_be_cut(world.client.departing()), cut, "{discover} after");
    }
}

#[test]
fn structures_may_come_as_they_lie_in_memory() {
    let mut host = process(CLIENT);
    let fd = host.socket();
    let mut set = |name, value| host.call(Request::SetSockOpt { fd, level: SOL_SOCKET, name, value });
    let time = OptionValue::Time(Duration::from_millis(2_500));
    assert_eq!(set(SO_RCVTIMEO, OptionValue::Bytes(time.to_bytes())), Outcome::OK);
    let linger = OptionValue::Linger(Some(3));
    assert_eq!(set(SO_LINGER, OptionValue::Bytes(linger.to_bytes())), Outcome::OK);
    assert_eq!(set(SO_REUSEADDR, OptionValue::Bytes(Bytes::from_static(&[1, 0, 0]))), failed(Errno::EINVAL));
    assert_eq!(set(SO_REUSEADDR, OptionValue::Bad), failed(Errno::EFAULT));
    assert_eq!(host.option(fd, SOL_SOCKET, SO_RCVTIMEO), time);
    assert_eq!(host.option(fd, SOL_SOCKET, SO_LINGER), linger);
}

#[test]
fn congestion_controls_are_named() {
    let mut host = process(CLIENT);
    let fd = host.socket();
    let name = |text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(16, 0);
        OptionValue::Bytes(bytes.into())
    };
    assert_eq!(host.option(fd, IPPROTO_TCP, TCP_CONGESTION), name("cubic"));
    let set = |value| Request::SetSockOpt { fd, level: IPPROTO_TCP, name: TCP_CONGESTION, value };
    assert_eq!(host.call(set(name("reno"))), Outcome::OK);
    assert_eq!(host.option(fd, IPPROTO_TCP, TCP_CONGESTION), name("reno"));
    assert!(matches!(host.call(set(name("vegas"))), Outcome::Unsupported(_)));
}

#[test]
fn what_a_stack_cannot_change_is_unsupported() {
    let (mut world, client, _, _) = World::connected();
    let cork = world.client.set(client, IPPROTO_TCP, TCP_CORK, 1);
    assert_eq!(cork, Outcome::Unsupported("TCP_CORK on an open socket".to_owned()));
    assert_eq!(world.client.option(client, IPPROTO_TCP, TCP_CORK), OptionValue::Int(0), "nor is it remembered");
    assert_eq!(world.client.set(client, IPPROTO_TCP, TCP_NODELAY, 1), Outcome::OK);
    let saved = world.client.set(client, IPPROTO_TCP, TCP_SAVE_SYN, 1);
    assert_eq!(saved, Outcome::Unsupported("TCP_SAVE_SYN".to_owned()));
}

#[test]
fn an_accepted_connection_has_its_listeners_options() {
    let mut world = World::new();
    let listener = world.server.listener();
    world.server.set(listener, SOL_SOCKET, SO_PRIORITY, 5);
    let client = world.client.socket();
    world.client.connect(client);
    world.pump();
    let server = value(world.server.call(Request::Accept { fd: listener, flags: 0 })) as i32;
    assert_eq!(world.server.option(server, SOL_SOCKET, SO_PRIORITY), OptionValue::Int(5));
}

#[test]
fn options_and_sysctls_become_what_a_connection_begins_with() {
    let mut sysctls = Sysctls::default();
    sysctls.set("tcp_sack", "0").expect("it is known");
    sysctls.set("tcp_keepalive_time", "100").expect("it is known");
    let mut options = super::super::options::Options { max_segment: Some(900), ..Default::default() };
    let config = options.config(&sysctls, &TcpConfig::default());
    assert_eq!((config.sack, config.max_segment, config.keep_alive), (false, Some(900), None));
    options.keep_alive = true;
    options.receive_buffer = Some(2 * 100_000);
    let config = options.config(&sysctls, &TcpConfig::default());
    assert_eq!(config.keep_alive, Some(Duration::from_secs(100)));
    assert_eq!((config.receive_buffer, config.window_scale), (100_000, Some(1)));
}

#[test]
fn tcp_info_follows_a_socket_through_its_states() {
    let (mut world, client, _, listener) = World::connected();
    let state = |host: &mut Host, fd| host.posix.tcp_info(Instant::ZERO, fd).and_then(|info| info.lookup("tcpi_state"));
    let fresh = world.client.socket();
    let datagrams = world.client.datagrams();
    assert_eq!(state(&mut world.client, fresh), Some(TCP_CLOSE as u64));
    assert_eq!(state(&mut world.client, client), Some(TCP_ESTABLISHED as u64));
    assert_eq!(state(&mut world.server, listener), Some(TCP_LISTEN as u64));
    assert_eq!(state(&mut world.client, datagrams), None);
    let OptionValue::Bytes(bytes) = world.client.option(client, IPPROTO_TCP, TCP_INFO) else { panic!("a structure") };
    assert_eq!((bytes.len(), bytes[0]), (280, TCP_ESTABLISHED as u8));
}
