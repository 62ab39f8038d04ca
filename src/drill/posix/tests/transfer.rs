//! Sending and receiving.

use super::*;

fn received(outcome: Outcome) -> (i64, Received) {
    match outcome {
        Outcome::Done(Reply { value, written: Written::Received(received) }) => (value, received),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_sent_is_received_and_then_the_end() {
    let (mut world, client, server, _) = World::connected();
    assert_eq!(value(world.client.send(client, b"hello")), 5);
    world.pump();
    assert_eq!(world.server.read(server), "hello");
    assert_eq!(world.client.close(client), Outcome::OK);
    world.pump();
    assert_eq!(world.server.read(server), "");
}

#[test]
fn peeking_takes_nothing() {
    let (mut world, client, server, _) = World::connected();
    world.client.send(client, b"hello");
    world.pump();
    assert_eq!(received(world.server.receive(server, 3, MSG_PEEK)).1.data, "hel");
    assert_eq!(received(world.server.receive(server, 9, MSG_PEEK)).1.data, "hello");
    assert_eq!(world.server.read(server), "hello");
    assert_eq!(world.server.receive(server, 9, MSG_PEEK | MSG_DONTWAIT), failed(Errno::EAGAIN));
}

#[test]
fn truncating_counts_octets_and_throws_them_away() {
    let (mut world, client, server, _) = World::connected();
    world.client.send(client, b"hello");
    world.pump();
    let (count, what) = received(world.server.receive(server, 3, MSG_TRUNC));
    assert_eq!((count, what.data.len()), (3, 0));
    assert_eq!(world.server.read(server), "lo");
}

#[test]
fn a_blocking_read_sleeps_and_a_nonblocking_one_fails() {
    let (mut world, client, server, _) = World::connected();
    let read = Request::Receive { fd: server, length: 10, flags: 0, memory: Memory::Good };
    let sleeping = blocked(world.server.call(read.clone()));
    assert_eq!(world.server.receive(server, 10, MSG_DONTWAIT), failed(Errno::EAGAIN));
    world.client.send(client, b"late");
    world.pump();
    assert_eq!(received(world.server.again(read, sleeping)).1.data, "late");
    world.server.nonblocking(server);
    assert_eq!(world.server.receive(server, 10, 0), failed(Errno::EAGAIN));
}

#[test]
fn waiting_for_all_gathers_over_several_arrivals() {
    let (mut world, client, server, _) = World::connected();
    let read = Request::Receive { fd: server, length: 6, flags: MSG_WAITALL, memory: Memory::Good };
    world.client.send(client, b"abc");
    world.pump();
    let sleeping = blocked(world.server.call(read.clone()));
    world.client.send(client, b"defg");
    world.pump();
    assert_eq!(received(world.server.again(read.clone(), sleeping)).1.data, "abcdef");
    let sleeping = blocked(world.server.call(read.clone()));
    world.client.close(client);
    world.pump();
    assert_eq!(received(world.server.again(read, sleeping)).1.data, "g", "the end of the stream ends the wait");
}

#[test]
fn a_low_water_mark_holds_a_read_back() {
    let (mut world, client, server, _) = World::connected();
    assert_eq!(world.server.set(server, SOL_SOCKET, SO_RCVLOWAT, 4), Outcome::OK);
    world.client.send(client, b"abc");
    world.pump();
    assert_eq!(world.server.polled(server) & POLLIN, 0);
    let read = Request::Receive { fd: server, length: 10, flags: 0, memory: Memory::Good };
    let sleeping = blocked(world.server.call(read.clone()));
    world.client.send(client, b"d");
    world.pump();
    assert_eq!(received(world.server.again(read, sleeping)).1.data, "abcd");
}

#[test]
fn a_blocking_write_moves_everything_before_it_returns() {
    let (mut world, client, server, _) = World::connected();
    let big: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
    let mut outcome = world.client.send(client, &big);
    let mut arrived = Vec::new();
    for _ in 0..1_000 {
        world.wait(Duration::from_millis(1));
        if let Outcome::Done(Reply { written: Written::Received(part), .. }) =
            world.server.receive(server, 50_000, MSG_DONTWAIT)
        {
            arrived.extend_from_slice(&part.data);
        }
        if let Outcome::WouldBlock(blocked) = outcome {
            assert!(blocked.moved > 0, "a part of it found room at once");
            outcome = world.client.again(sending(client, &big), blocked);
        }
        if arrived.len() == big.len() {
            break;
        }
    }
    assert_eq!(value(outcome), 200_000);
    assert!(arrived == big, "every octet came once and in order");
}

#[test]
fn a_nonblocking_write_moves_what_finds_room() {
    let (mut world, client, _, _) = World::connected();
    world.client.nonblocking(client);
    let first = value(world.client.send(client, &[7; 200_000]));
    assert!((1..200_000).contains(&first), "{first}");
    assert_eq!(world.client.send(client, &[7; 10]), failed(Errno::EAGAIN));
    assert_eq!(world.client.polled(client) & POLLOUT, 0);
}

#[test]
fn bad_pointers_are_faults_once_there_is_something_to_move() {
    let (mut world, client, server, _) = World::connected();
    let bad = |fd| Request::Receive { fd, length: 10, flags: MSG_DONTWAIT, memory: Memory::Bad };
    assert_eq!(world.server.call(bad(server)), failed(Errno::EAGAIN));
    world.client.send(client, b"hello");
    world.pump();
    assert_eq!(world.server.call(bad(server)), failed(Errno::EFAULT));
    assert_eq!(world.server.read(server), "hello", "nothing was lost");
    let send = Request::Send { fd: client, data: Payload::Bad(10), flags: 0, to: None, control: Vec::new() };
    assert_eq!(world.client.call(send), failed(Errno::EFAULT));
}

#[test]
fn what_arrived_before_a_reset_can_be_read() {
    let (mut world, client, server, _) = World::connected();
    world.client.send(client, b"last words");
    world.pump();
    let value = OptionValue::Linger(Some(0));
    world.client.call(Request::SetSockOpt { fd: client, level: SOL_SOCKET, name: SO_LINGER, value });
    world.client.close(client);
    world.pump();
    assert_eq!(world.server.read(server), "last words");
    assert_eq!(world.server.receive(server, 10, 0), failed(Errno::ECONNRESET));
    assert_eq!(world.server.read(server), "");
}

#[test]
fn the_queue_is_told_beside_the_data() {
    let (mut world, client, server, _) = World::connected();
    world.server.set(server, IPPROTO_TCP, TCP_INQ, 1);
    world.client.send(client, b"abcdefghij");
    world.client.close(client);
    world.pump();
    let told = |outcome| {
        let (_, part) = received(outcome);
        i32::from_ne_bytes(part.control[0].data.as_ref().try_into().expect("an int"))
    };
    assert_eq!(told(world.server.receive(server, 4, 0)), 6);
    assert_eq!(told(world.server.receive(server, 10, 0)), 1, "the end of the stream counts as one");
}

#[test]
fn ioctl_tells_what_waits_in_both_queues() {
    let (mut world, client, server, listener) = World::connected();
    let queue = |fd, request: i32| Request::Ioctl {
        fd,
        request: request.unsigned_abs().into(),
        argument: 0,
        memory: Memory::Good,
    };
    let number = |outcome| match outcome {
        Outcome::Done(Reply { written: Written::Number(number), .. }) => number,
        other => panic!("{other:?}"),
    };
    world.client.send(client, b"hello");
    assert_eq!(number(world.client.call(queue(client, SIOCOUTQ))), 5);
    world.pump();
    assert_eq!(number(world.client.call(queue(client, SIOCOUTQ))), 0);
    assert_eq!(number(world.server.call(queue(server, SIOCINQ))), 5);
    assert_eq!(world.server.call(queue(listener, SIOCINQ)), failed(Errno::EINVAL));
    let bad = Request::Ioctl { fd: server, request: FIONREAD as u64, argument: 0, memory: Memory::Bad };
    assert_eq!(world.server.call(bad), failed(Errno::EFAULT));
}

#[test]
fn what_no_stack_offers_is_called_unsupported() {
    let (mut world, client, server, _) = World::connected();
    for flags in [MSG_ZEROCOPY, MSG_EOR, MSG_OOB] {
        let data = Payload::Data(Bytes::from_static(b"x"));
        let send = Request::Send { fd: client, data, flags, to: None, control: Vec::new() };
        assert!(matches!(world.client.call(send), Outcome::Unsupported(_)), "{flags:#x}");
    }
    assert_eq!(world.server.receive(server, 1, MSG_OOB), failed(Errno::EINVAL), "nothing urgent has come");
}

#[test]
fn datagrams_keep_their_boundaries_and_tell_their_sender() {
    let mut world = World::new();
    let (client, server) = (world.client.datagrams(), world.server.datagrams());
    assert_eq!(world.server.bind(server, SERVER, PORT), Outcome::OK);
    assert_eq!(world.client.send(client, b"x"), failed(Errno::EDESTADDRREQ));
    for data in [&b"first"[..], b"second"] {
        let data = Payload::Data(Bytes::copy_from_slice(data));
        let to = Some(internet(SERVER, PORT));
        value(world.client.call(Request::Send { fd: client, data, flags: 0, to, control: Vec::new() }));
    }
    world.pump();
    assert_eq!(world.server.polled(server), POLLIN | POLLOUT);
    let (count, cut) = received(world.server.receive(server, 3, MSG_TRUNC));
    assert_eq!((count, cut.data.as_ref(), cut.flags), (5, &b"fir"[..], MSG_TRUNC));
    let (count, whole) = received(world.server.receive(server, 100, 0));
    assert_eq!((count, whole.from.map(|from| from.ip())), (6, Some(IpAddr::from(CLIENT))));
    world.server.nonblocking(server);
    assert_eq!(world.server.receive(server, 100, 0), failed(Errno::EAGAIN));
}

#[test]
fn splice_moves_octets_between_a_socket_and_a_pipe() {
    let (mut world, client, server, _) = World::connected();
    let pipe = |host: &mut Host| match host.call(Request::Pipe) {
        Outcome::Done(Reply { written: Written::Pipe(ends), .. }) => ends,
        other => panic!("{other:?}"),
    };
    let [reader, writer] = pipe(&mut world.server);
    world.client.send(client, b"hello");
    world.pump();
    let splice = |from, to| Request::Splice { from, to, length: 4, flags: 0 };
    assert_eq!(value(world.server.call(splice(server, writer))), 4);
    assert_eq!(world.server.polled(reader), POLLIN);
    assert_eq!(value(world.server.call(splice(reader, server))), 4);
    world.pump();
    assert_eq!(world.client.read(client), "hell");
    assert_eq!(world.server.call(splice(server, server)), failed(Errno::EINVAL));
    assert_eq!(value(world.server.send(writer, b"ab")), 2);
    assert_eq!(world.server.close(writer), Outcome::OK);
    assert_eq!((world.server.read(reader), world.server.read(reader)), ("ab".to_owned(), String::new()));
}

fn send_with(host: &mut Host, fd: i32, data: &'static [u8], flags: i32) -> Outcome {
    let data = Payload::Data(Bytes::from_static(data));
    host.call(Request::Send { fd, data, flags, to: None, control: Vec::new() })
}

#[test]
fn an_urgent_octet_stands_beside_the_stream() {
    let (mut world, client, server, _) = World::connected_with(StackKind::Native);
    assert_eq!(value(send_with(&mut world.client, client, b"abcX", MSG_OOB)), 4);
    value(world.client.send(client, b"def"));
    world.pump();
    assert_ne!(world.server.polled(server) & POLLPRI, 0);
    assert_eq!(world.server.read(server), "abc", "a read ends before it");
    assert_eq!(received(world.server.receive(server, 1, MSG_OOB)).1.data, "X");
    assert_eq!(world.server.receive(server, 1, MSG_OOB), failed(Errno::EINVAL), "it is told once");
    assert_eq!(world.server.read(server), "def");
    assert_eq!(world.server.receive(server, 1, MSG_OOB), failed(Errno::EINVAL), "nor again when it is passed");
}

#[test]
fn an_urgent_octet_may_stay_in_the_stream() {
    let (mut world, client, server, _) = World::connected_with(StackKind::Native);
    assert_eq!(world.server.set(server, SOL_SOCKET, SO_OOBINLINE, 1), Outcome::OK);
    send_with(&mut world.client, client, b"abcX", MSG_OOB);
    world.pump();
    assert_eq!(world.server.receive(server, 1, MSG_OOB), failed(Errno::EINVAL));
    assert_eq!(world.server.read(server), "abcX");
}

#[test]
fn what_is_sent_with_more_to_follow_waits_for_it() {
    let (mut world, client, server, _) = World::connected_with(StackKind::Native);
    assert_eq!(value(send_with(&mut world.client, client, b"head ", MSG_MORE)), 5);
    world.pump();
    assert_eq!(world.server.receive(server, 100, MSG_DONTWAIT), failed(Errno::EAGAIN));
    value(world.client.send(client, b"body"));
    world.pump();
    assert_eq!(world.server.read(server), "head body");
}

#[test]
fn switching_nagle_off_sends_what_a_cork_holds_and_keeps_the_cork() {
    let (mut world, client, server, _) = World::connected_with(StackKind::Native);
    assert_eq!(world.client.set(client, IPPROTO_TCP, TCP_CORK, 1), Outcome::OK);
    value(world.client.send(client, b"held"));
    world.pump();
    assert_eq!(world.server.receive(server, 100, MSG_DONTWAIT), failed(Errno::EAGAIN));
    assert_eq!(world.client.set(client, IPPROTO_TCP, TCP_NODELAY, 1), Outcome::OK);
    world.pump();
    assert_eq!(world.server.read(server), "held");
    value(world.client.send(client, b"again"));
    world.pump();
    assert_eq!(world.server.receive(server, 100, MSG_DONTWAIT), failed(Errno::EAGAIN));
}

#[test]
fn a_sleeping_write_wakes_when_a_third_of_its_buffer_is_free() {
    let (mut world, client, server, _) = World::connected_with(StackKind::Native);
    world.client.set(client, SOL_SOCKET, SO_SNDBUF, 10_000);
    let big = vec![7; 300_000];
    let sleeping = blocked(world.client.send(client, &big));
    assert!((20_000..90_000).contains(&sleeping.moved), "{sleeping:?}");
    assert_eq!(blocked(world.client.again(sending(client, &big), sleeping)).moved, sleeping.moved);
    world.pump();
    world.server.read(server);
    world.wait(Duration::from_millis(50));
    match world.client.again(sending(client, &big), sleeping) {
        Outcome::WouldBlock(later) => assert!(later.moved > sleeping.moved, "{later:?}"),
        outcome => assert_eq!(value(outcome), 300_000),
    }
}
