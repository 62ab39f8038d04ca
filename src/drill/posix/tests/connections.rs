//! Opening and closing.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn descriptors_are_the_lowest_free_numbers() {
    let mut host = process(CLIENT);
    assert_eq!((host.socket(), host.socket(), host.socket()), (3, 4, 5));
    assert_eq!(host.close(4), Outcome::OK);
    assert_eq!(host.socket(), 4);
    assert_eq!(host.close(77), failed(Errno::EBADF));
}

#[test]
fn a_descriptor_can_have_the_kernels_number() {
    let mut host = process(CLIENT);
    host.posix.number_from(1_000_000);
    let (one, other) = (host.socket(), host.socket());
    assert_eq!((one, other), (1_000_000, 1_000_001));
    assert!(host.posix.renumber(one, 40));
    assert!(!host.posix.renumber(other, 40), "the number is taken");
    assert!(!host.posix.renumber(one, 41), "the old number is gone");
    assert_eq!(host.option(40, SOL_SOCKET, SO_TYPE), OptionValue::Int(SOCK_STREAM));
}

#[test]
fn a_process_has_a_bounded_number_of_descriptors() {
    let mut host = process(CLIENT);
    let socket = || Request::Socket { domain: AF_INET, kind: SOCK_STREAM, protocol: 0 };
    for _ in 0..1024 {
        host.socket();
    }
    assert_eq!(host.call(socket()), failed(Errno::EMFILE));
}

#[test]
fn sockets_of_unknown_kinds_are_told_apart_from_wrong_ones() {
    let mut host = process(CLIENT);
    let mut socket = |domain, kind, protocol| host.call(Request::Socket { domain, kind, protocol });
    assert_eq!(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), failed(Errno::EPROTONOSUPPORT));
    assert_eq!(socket(AF_UNSPEC, SOCK_STREAM, 0), failed(Errno::EAFNOSUPPORT));
    assert!(matches!(socket(AF_INET, SOCK_RAW, 0), Outcome::Unsupported(_)));
    assert!(matches!(socket(1, SOCK_STREAM, 0), Outcome::Unsupported(_)));
}

#[test]
fn bind_takes_own_addresses_once() {
    let mut host = process(SERVER);
    let (one, other) = (host.socket(), host.socket());
    assert_eq!(host.bind(one, [9, 9, 9, 9], PORT), failed(Errno::EADDRNOTAVAIL));
    assert_eq!(host.bind(one, SERVER, PORT), Outcome::OK);
    assert_eq!(host.bind(one, SERVER, PORT + 1), failed(Errno::EINVAL));
    assert_eq!(host.bind(other, SERVER, PORT), failed(Errno::EADDRINUSE));
    assert_eq!(host.bind(other, [0; 4], PORT), failed(Errno::EADDRINUSE));
    let bind = |address| Request::Bind { fd: other, address };
    assert_eq!(host.call(bind(Address::Short)), failed(Errno::EINVAL));
    assert_eq!(host.call(bind(Address::Bad)), failed(Errno::EFAULT));
    assert_eq!(host.call(bind(Address::Other(99))), failed(Errno::EAFNOSUPPORT));
    assert_eq!(host.call(bind(internet(SERVER, PORT + 1))), Outcome::OK);
}

#[test]
fn two_sockets_share_a_port_only_if_both_reuse_it_and_none_listens() {
    let mut host = process(SERVER);
    let (one, other, third) = (host.socket(), host.socket(), host.socket());
    for fd in [one, other, third] {
        assert_eq!(host.set(fd, SOL_SOCKET, SO_REUSEADDR, 1), Outcome::OK);
    }
    assert_eq!(host.bind(one, SERVER, PORT), Outcome::OK);
    assert_eq!(host.bind(other, SERVER, PORT), Outcome::OK);
    assert_eq!(host.call(Request::Listen { fd: one, backlog: 1 }), Outcome::OK);
    assert_eq!(host.bind(third, SERVER, PORT), failed(Errno::EADDRINUSE));
    assert_eq!(host.call(Request::Listen { fd: other, backlog: 1 }), failed(Errno::EADDRINUSE));
}

#[test]
fn a_blocking_connect_sleeps_until_the_handshake_is_over() {
    let (mut world, client, server, _) = World::connected();
    assert_eq!(world.client.connect(client), failed(Errno::EISCONN));
    let name = |host: &mut Host, request| match host.call(request) {
        Outcome::Done(Reply { written: Written::Address(address), .. }) => address,
        other => panic!("{other:?}"),
    };
    let peer = name(&mut world.server, Request::PeerName { fd: server });
    assert_eq!(peer, name(&mut world.client, Request::SocketName { fd: client }));
    assert_eq!(name(&mut world.client, Request::PeerName { fd: client }), SocketAddr::from((SERVER, PORT)));
}

#[test]
fn a_nonblocking_connect_is_in_progress_then_already_then_done() {
    let mut world = World::new();
    world.server.listener();
    let fd = world.client.socket();
    world.client.nonblocking(fd);
    assert_eq!(world.client.connect(fd), failed(Errno::EINPROGRESS));
    assert_eq!(world.client.connect(fd), failed(Errno::EALREADY));
    assert_eq!(world.client.send(fd, b"x"), failed(Errno::EAGAIN));
    assert_eq!(world.client.receive(fd, 1, 0), failed(Errno::EAGAIN));
    assert_eq!(world.client.polled(fd), 0);
    world.pump();
    assert_eq!(world.client.polled(fd), POLLOUT);
    assert_eq!(world.client.error(fd), Errno(0));
    assert_eq!(world.client.connect(fd), Outcome::OK);
    assert_eq!(world.client.connect(fd), failed(Errno::EISCONN));
}

#[test]
fn a_refused_connection_is_told_once() {
    let mut world = World::new();
    let fd = world.client.socket();
    world.client.nonblocking(fd);
    assert_eq!(world.client.connect(fd), failed(Errno::EINPROGRESS));
    world.pump();
    assert_eq!(world.client.polled(fd), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP);
    assert_eq!(world.client.error(fd), Errno::ECONNREFUSED);
    assert_eq!(world.client.error(fd), Errno(0));
    assert_eq!(world.client.connect(fd), failed(Errno::ECONNABORTED));

    let fd = world.client.socket();
    let connect = blocked(world.client.connect(fd));
    world.pump();
    assert_eq!(world.client.again(connecting(fd), connect), failed(Errno::ECONNREFUSED));
    world.server.listener();
    let connect = blocked(world.client.connect(fd));
    world.pump();
    assert_eq!(world.client.again(connecting(fd), connect), Outcome::OK, "it may try again");
}

#[test]
fn a_connect_that_nobody_answers_ends_with_its_timeout() {
    let mut world = World::new();
    let fd = world.client.socket();
    let value = OptionValue::Time(3 * SECOND);
    world.client.call(Request::SetSockOpt { fd, level: SOL_SOCKET, name: SO_SNDTIMEO, value });
    world.is_cut = true;
    let sleeping = blocked(world.client.connect(fd));
    assert_eq!(sleeping.until, Some(Instant::ZERO + 3 * SECOND));
    world.wait(3 * SECOND);
    assert_eq!(world.client.again(connecting(fd), sleeping), failed(Errno::EINPROGRESS));
}

#[test]
fn connecting_to_nobody_makes_a_socket_new() {
    let (mut world, client, server, _) = World::connected();
    let nobody = Request::Connect { fd: client, address: Address::Unspecified };
    assert_eq!(world.client.call(nobody), Outcome::OK);
    world.pump();
    assert_eq!(world.server.receive(server, 1, 0), failed(Errno::ECONNRESET));
    assert_eq!(world.server.receive(server, 1, 0), Outcome::Done(ended()));
}

fn ended() -> Reply {
    Reply { value: 0, written: Written::Received(Received::default()) }
}

#[test]
fn accept_tells_the_peer_and_sleeps_without_one() {
    let mut world = World::new();
    let listener = world.server.listener();
    let accept = Request::Accept { fd: listener, flags: SOCK_NONBLOCK };
    let sleeping = blocked(world.server.call(accept.clone()));
    world.server.nonblocking(listener);
    assert_eq!(world.server.call(accept.clone()), failed(Errno::EAGAIN));
    let fd = world.client.socket();
    world.client.connect(fd);
    world.pump();
    let Outcome::Done(reply) = world.server.again(accept, sleeping) else { panic!("somebody has come") };
    let Written::Address(peer) = reply.written else { panic!("accept tells an address") };
    assert_eq!(peer.ip(), IpAddr::from(CLIENT));
    let flags = Request::Fcntl { fd: reply.value as i32, command: F_GETFL, argument: 0 };
    assert_eq!(value(world.server.call(flags)), i64::from(O_RDWR | O_NONBLOCK));
    assert_eq!(world.client.call(Request::Accept { fd, flags: 0 }), failed(Errno::EINVAL));
}

#[test]
fn an_ipv6_socket_shows_ipv4_peers_mapped() {
    let mut world = World::new();
    let fd = value(world.server.call(Request::Socket { domain: AF_INET6, kind: SOCK_STREAM, protocol: 0 })) as i32;
    let mapped = |ip: [u8; 4], port| SocketAddr::from((std::net::Ipv4Addr::from(ip).to_ipv6_mapped(), port));
    let address = Address::Internet(mapped(SERVER, PORT));
    assert_eq!(world.server.call(Request::Bind { fd, address: internet(SERVER, PORT) }), failed(Errno::EAFNOSUPPORT));
    assert_eq!(world.server.call(Request::Bind { fd, address }), Outcome::OK);
    assert_eq!(world.server.call(Request::Listen { fd, backlog: 1 }), Outcome::OK);
    let client = world.client.socket();
    world.client.connect(client);
    world.pump();
    let Outcome::Done(reply) = world.server.call(Request::Accept { fd, flags: 0 }) else { panic!("it has come") };
    let Written::Address(peer) = reply.written else { panic!("accept tells an address") };
    assert_eq!(peer, mapped(CLIENT, peer.port()));
}

#[test]
fn shutdown_for_writing_ends_the_stream_and_leaves_the_other_way_open() {
    let (mut world, client, server, _) = World::connected();
    assert_eq!(world.client.call(Request::Shutdown { fd: client, how: 9 }), failed(Errno::EINVAL));
    assert_eq!(world.client.call(Request::Shutdown { fd: client, how: SHUT_WR }), Outcome::OK);
    world.pump();
    assert_eq!(world.client.send(client, b"x"), failed(Errno::EPIPE));
    assert_eq!(world.server.read(server), "");
    assert_eq!(world.server.polled(server), POLLIN | POLLOUT | POLLRDHUP);
    assert_eq!(value(world.server.send(server, b"still")), 5);
    world.pump();
    assert_eq!(world.client.read(client), "still");
}

#[test]
fn shutdown_for_reading_ends_reading_at_once() {
    let (mut world, client, _, _) = World::connected();
    assert_eq!(world.client.call(Request::Shutdown { fd: client, how: SHUT_RD }), Outcome::OK);
    assert_eq!(world.client.read(client), "");
    assert_eq!(value(world.client.send(client, b"x")), 1);
}

#[test]
fn shutdown_of_what_was_never_connected_fails() {
    let mut host = process(SERVER);
    let fd = host.socket();
    assert_eq!(host.call(Request::Shutdown { fd, how: SHUT_WR }), failed(Errno::ENOTCONN));
    assert_eq!(host.receive(fd, 1, 0), failed(Errno::ENOTCONN));
    assert_eq!(host.send(fd, b"x"), failed(Errno::EPIPE));
    assert_eq!(host.polled(fd), POLLOUT | POLLHUP);
}

#[test]
fn close_with_a_linger_of_zero_resets() {
    let (mut world, client, server, _) = World::connected();
    let value = OptionValue::Linger(Some(0));
    world.client.call(Request::SetSockOpt { fd: client, level: SOL_SOCKET, name: SO_LINGER, value });
    assert_eq!(world.client.close(client), Outcome::OK);
    world.pump();
    assert_eq!(world.server.error(server), Errno::ECONNRESET);
    assert_eq!(world.server.send(server, b"x"), failed(Errno::EPIPE));
}

#[test]
fn a_reset_after_the_peers_fin_is_named_as_the_system_does() {
    for (sysctl, errno) in [("net.ipv4.tcp_sack", Errno::EPIPE), ("net.inet.tcp.sack.enable", Errno::ECONNRESET)] {
        let (mut world, client, server, _) = World::connected();
        world.client.posix.sysctls().set(sysctl, "1").expect("it is known");
        world.server.call(Request::Shutdown { fd: server, how: SHUT_WR });
        world.pump();
        assert_eq!(world.client.read(client), "");
        let value = OptionValue::Linger(Some(0));
        world.server.call(Request::SetSockOpt { fd: server, level: SOL_SOCKET, name: SO_LINGER, value });
        world.server.close(server);
        world.client.send(client, b"x");
        world.pump();
        assert_eq!(world.client.error(client), errno, "{sysctl}");
    }
}

#[test]
fn a_lingering_close_waits_for_the_acknowledgment_of_its_fin() {
    let (mut world, client, _, _) = World::connected();
    let linger = OptionValue::Linger(Some(5));
    world.client.call(Request::SetSockOpt { fd: client, level: SOL_SOCKET, name: SO_LINGER, value: linger });
    let sleeping = blocked(world.client.close(client));
    assert_eq!(sleeping.until, Some(Instant::ZERO + 5 * SECOND));
    world.pump();
    assert_eq!(world.client.again(Request::Close { fd: client }, sleeping), Outcome::OK);
    assert_eq!(world.client.close(client), failed(Errno::EBADF));
}

#[test]
fn a_lingering_close_gives_up_after_its_time() {
    let (mut world, client, _, _) = World::connected();
    let linger = OptionValue::Linger(Some(5));
    world.client.call(Request::SetSockOpt { fd: client, level: SOL_SOCKET, name: SO_LINGER, value: linger });
    world.is_cut = true;
    let sleeping = blocked(world.client.close(client));
    world.wait(4 * SECOND);
    let sleeping = blocked(world.client.again(Request::Close { fd: client }, sleeping));
    world.wait(SECOND);
    assert_eq!(world.client.again(Request::Close { fd: client }, sleeping), Outcome::OK);
}

#[test]
fn closing_a_listener_frees_its_port_and_resets_who_waits() {
    let mut world = World::new();
    let listener = world.server.listener();
    let client = world.client.socket();
    let connect = blocked(world.client.connect(client));
    world.pump();
    assert_eq!(world.client.again(connecting(client), connect), Outcome::OK);
    assert_eq!(world.server.polled(listener), POLLIN, "taken from the stack to answer this");
    assert_eq!(world.server.close(listener), Outcome::OK);
    world.pump();
    assert_eq!(world.client.error(client), Errno::ECONNRESET);
    world.server.listener();
}

/// As in Linux a queue is full only when there is one more in it than was said, whichever stack it is.
#[test]
fn a_backlog_lets_one_more_connection_wait() {
    for (kind, backlog) in
        [(StackKind::Native, 0), (StackKind::Native, 2), (StackKind::Smoltcp, 0), (StackKind::Smoltcp, 2)]
    {
        let mut world = World::over(kind);
        let fd = world.server.socket();
        assert_eq!(world.server.bind(fd, SERVER, PORT), Outcome::OK);
        assert_eq!(world.server.call(Request::Listen { fd, backlog }), Outcome::OK);
        for _ in 0..6 {
            let client = world.client.socket();
            blocked(world.client.connect(client));
            world.pump();
        }
        let accepted =
            (0..6).filter(|_| matches!(world.server.call(Request::Accept { fd, flags: 0 }), Outcome::Done(_)));
        assert_eq!(accepted.count() as i32, backlog + 1, "{kind:?}");
    }
}

/// A connection that finds no descriptor stays in the queue.
#[test]
fn a_full_table_of_descriptors_loses_no_connection() {
    let mut world = World::new();
    let fd = world.server.listener();
    let client = world.client.socket();
    world.client.connect(client);
    world.pump();
    let others: Vec<i32> = (1..1024).map(|_| world.server.socket()).collect();
    assert_eq!(world.server.call(Request::Accept { fd, flags: 0 }), failed(Errno::EMFILE));
    assert_eq!(world.server.close(others[0]), Outcome::OK);
    assert_eq!(value(world.server.call(Request::Accept { fd, flags: 0 })), i64::from(others[0]));
}
