//! Fast Open, as Linux's calls have it.

use super::*;

/// A world of native stacks, a listener with room for so many early connections, and the client's cookie already known.
fn acquainted() -> (World, i32) {
    let mut world = World::over(StackKind::Native);
    world.server.posix.sysctls().set("tcp_fastopen", "3").expect("it is known");
    let listener = world.server.socket();
    assert_eq!(world.server.bind(listener, SERVER, PORT), Outcome::OK);
    assert_eq!(world.server.set(listener, IPPROTO_TCP, TCP_FASTOPEN, 2), Outcome::OK);
    assert_eq!(world.server.call(Request::Listen { fd: listener, backlog: 4 }), Outcome::OK);
    let first = world.client.socket();
    world.client.nonblocking(first);
    assert_eq!(world.client.call(opening(first, b"lost")), failed(Errno::EINPROGRESS));
    world.pump();
    assert_eq!(world.client.close(first), Outcome::OK);
    world.pump();
    let greeted = accept(&mut world, listener);
    assert_eq!(world.server.read(greeted), "");
    assert_eq!(world.server.close(greeted), Outcome::OK);
    world.pump();
    (world, listener)
}

/// A write that opens.
fn opening(fd: i32, data: &[u8]) -> Request {
    let data = Payload::Data(Bytes::copy_from_slice(data));
    Request::Send { fd, data, flags: MSG_FASTOPEN, to: Some(internet(SERVER, PORT)), control: Vec::new() }
}

fn accept(world: &mut World, listener: i32) -> i32 {
    value(world.server.call(Request::Accept { fd: listener, flags: 0 })) as i32
}

#[test]
fn a_write_opens_and_is_read_before_the_handshake_is_over() {
    let (mut world, listener) = acquainted();
    let client = world.client.socket();
    world.client.nonblocking(client);
    assert_eq!(value(world.client.call(opening(client, b"hello"))), 5);
    assert_eq!(world.client.call(opening(client, b"again")), failed(Errno::EALREADY));
    let there = world.client.departing();
    world.server.arriving(there);
    let server = accept(&mut world, listener);
    assert_eq!(world.server.read(server), "hello");
    assert_eq!(value(world.server.send(server, b"you too")), 7);
    world.pump();
    assert_eq!(world.client.read(client), "you too");
    // It is open: the flag means nothing any more, until somebody has been told that it is.
    assert_eq!(value(world.client.call(opening(client, b"more"))), 4);
    assert_eq!(world.client.call(opening(client, b"more")), failed(Errno::EISCONN));
}

#[test]
fn a_write_that_waits_goes_on_when_the_connection_is_open() {
    let (mut world, listener) = acquainted();
    let client = world.client.socket();
    let text = vec![b'x'; 5_000];
    let sleeps = blocked(world.client.call(opening(client, &text)));
    world.pump();
    assert_eq!(value(world.client.again(opening(client, &text), sleeps)), 5_000);
    let server = accept(&mut world, listener);
    assert_eq!(world.server.read(server).len(), 5_000);
}

#[test]
fn a_deferred_connect_looks_open_and_the_first_write_opens() {
    let (mut world, listener) = acquainted();
    let client = world.client.socket();
    world.client.nonblocking(client);
    assert_eq!(world.client.set(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), Outcome::OK);
    assert_eq!(world.client.connect(client), Outcome::OK);
    assert!(world.client.departing().is_empty());
    assert_eq!(world.client.polled(client), POLLOUT);
    assert_eq!(world.client.receive(client, 10, 0), failed(Errno::EAGAIN));
    assert_eq!(world.client.connect(client), failed(Errno::EISCONN));
    assert_eq!(value(world.client.send(client, b"hello")), 5);
    let there = world.client.departing();
    world.server.arriving(there);
    let server = accept(&mut world, listener);
    assert_eq!(world.server.read(server), "hello");
}

#[test]
fn the_options_of_fast_open_refuse_what_linux_refuses() {
    let (mut world, listener) = acquainted();
    let client = world.client.socket();
    assert_eq!(world.client.set(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 2), failed(Errno::EINVAL));
    assert_eq!(world.client.set(client, IPPROTO_TCP, TCP_FASTOPEN, -1), failed(Errno::EINVAL));
    let unspecified = Request::Send {
        fd: client,
        data: Payload::Data(Bytes::new()),
        flags: MSG_FASTOPEN,
        to: Some(Address::Unspecified),
        control: Vec::new(),
    };
    assert_eq!(world.client.call(unspecified), failed(Errno::EOPNOTSUPP));
    let key = |octets: usize| OptionValue::Bytes(vec![1; octets].into());
    let set = |value| Request::SetSockOpt { fd: listener, level: IPPROTO_TCP, name: TCP_FASTOPEN_KEY, value };
    assert_eq!(world.server.call(set(key(3))), failed(Errno::EINVAL));
    assert_eq!(world.server.call(set(key(16))), Outcome::OK);
    assert_eq!(world.server.call(set(key(32))), Outcome::OK);
    assert_eq!(world.server.option(listener, IPPROTO_TCP, TCP_FASTOPEN), OptionValue::Int(2));
    world.client.posix.sysctls().set("tcp_fastopen", "0").expect("it is known");
    assert_eq!(world.client.call(opening(client, b"x")), failed(Errno::EOPNOTSUPP));
    assert_eq!(world.client.set(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), failed(Errno::EOPNOTSUPP));
}

#[test]
fn a_stack_that_cannot_says_so() {
    let mut world = World::over(StackKind::Smoltcp);
    let client = world.client.socket();
    world.client.nonblocking(client);
    assert!(matches!(world.client.call(opening(client, b"x")), Outcome::Unsupported(_)));
    world.server.posix.sysctls().set("tcp_fastopen", "3").expect("it is known");
    let listener = world.server.listener();
    let asked = world.server.set(listener, IPPROTO_TCP, TCP_FASTOPEN, 2);
    assert!(matches!(asked, Outcome::Unsupported(_)), "{asked:?}");
}
