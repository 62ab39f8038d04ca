//! `poll` and `epoll`.

use super::*;

struct Waiter {
    epoll: i32,
}

impl Waiter {
    fn on(host: &mut Host, fd: i32, events: i32) -> Waiter {
        let epoll = value(host.call(Request::EpollCreate { size: 1 })) as i32;
        let waiter = Waiter { epoll };
        assert_eq!(waiter.change(host, EPOLL_CTL_ADD, fd, events), Outcome::OK);
        waiter
    }

    fn change(&self, host: &mut Host, operation: i32, fd: i32, events: i32) -> Outcome {
        let event = Some(EpollEvent { events: events.cast_unsigned(), data: 42 });
        host.call(Request::EpollCtl { epoll: self.epoll, operation, fd, event })
    }

    /// What is told at once; 0 when nothing is.
    fn told(&self, host: &mut Host) -> i32 {
        let wait = Request::EpollWait { epoll: self.epoll, most: 4, timeout: Some(Duration::ZERO) };
        match host.call(wait) {
            Outcome::Done(Reply { written: Written::Epoll(events), .. }) => {
                assert_eq!((events.len(), events[0].data), (1, 42));
                events[0].events.cast_signed()
            }
            Outcome::Done(Reply { value: 0, .. }) => 0,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn poll_passes_over_negative_and_names_bad_descriptors() {
    let mut host = process(CLIENT);
    let asked = |fd| PollFd { fd, events: POLLIN as i16, revents: 0 };
    let poll = Request::Poll { fds: vec![asked(-1), asked(99)], timeout: None };
    let Outcome::Done(Reply { value, written: Written::Poll(fds) }) = host.call(poll) else { panic!("it is told") };
    assert_eq!((value, fds[0].revents, fds[1].revents), (1, 0, POLLNVAL as i16));
}

#[test]
fn poll_sleeps_until_something_happens_or_its_time_is_over() {
    let (mut world, client, server, _) = World::connected();
    let asked = PollFd { fd: server, events: POLLIN as i16, revents: 0 };
    let poll = Request::Poll { fds: vec![asked], timeout: Some(Duration::from_millis(100)) };
    let sleeping = blocked(world.server.call(poll.clone()));
    assert_eq!(sleeping.until, Some(world.now + Duration::from_millis(100)));
    world.wait(Duration::from_millis(50));
    let sleeping = blocked(world.server.again(poll.clone(), sleeping));
    world.wait(Duration::from_millis(50));
    assert_eq!(value(world.server.again(poll.clone(), sleeping)), 0);
    let sleeping = blocked(world.server.call(poll.clone()));
    world.client.send(client, b"x");
    world.pump();
    assert_eq!(value(world.server.again(poll, sleeping)), 1);
}

#[test]
fn a_listener_is_readable_while_somebody_waits() {
    let mut world = World::new();
    let listener = world.server.listener();
    assert_eq!(world.server.polled(listener), 0);
    let client = world.client.socket();
    world.client.connect(client);
    world.pump();
    assert_eq!(world.server.polled(listener), POLLIN);
    assert_eq!(world.server.polled(listener), POLLIN);
    value(world.server.call(Request::Accept { fd: listener, flags: 0 }));
    assert_eq!(world.server.polled(listener), 0);
}

#[test]
fn a_level_is_told_as_long_as_it_lasts() {
    let (mut world, client, server, _) = World::connected();
    let waiter = Waiter::on(&mut world.server, server, EPOLLIN);
    assert_eq!(waiter.told(&mut world.server), 0);
    world.client.send(client, b"x");
    world.pump();
    assert_eq!(waiter.told(&mut world.server), EPOLLIN);
    assert_eq!(waiter.told(&mut world.server), EPOLLIN);
    world.server.read(server);
    assert_eq!(waiter.told(&mut world.server), 0);
}

#[test]
fn an_edge_is_told_once_for_each_arrival() {
    let (mut world, client, server, _) = World::connected();
    let waiter = Waiter::on(&mut world.server, server, EPOLLIN | EPOLLOUT | EPOLLET);
    assert_eq!(waiter.told(&mut world.server), EPOLLOUT, "what is already so is told first");
    assert_eq!(waiter.told(&mut world.server), 0);
    for _ in 0..2 {
        world.client.send(client, b"x");
        world.pump();
        assert_eq!(waiter.told(&mut world.server), EPOLLIN | EPOLLOUT);
        assert_eq!(waiter.told(&mut world.server), 0, "though nothing was read");
    }
}

#[test]
fn an_edge_that_nobody_asked_for_is_not_told() {
    let (mut world, client, server, _) = World::connected();
    let waiter = Waiter::on(&mut world.server, server, EPOLLOUT | EPOLLET);
    assert_eq!(waiter.told(&mut world.server), EPOLLOUT);
    world.client.send(client, b"x");
    world.pump();
    assert_eq!(waiter.told(&mut world.server), 0);
    world.client.close(client);
    world.pump();
}

#[test]
fn one_shot_is_told_once_until_it_is_armed_again() {
    let (mut world, client, server, _) = World::connected();
    let waiter = Waiter::on(&mut world.server, server, EPOLLIN | EPOLLONESHOT);
    world.client.send(client, b"x");
    world.pump();
    assert_eq!(waiter.told(&mut world.server), EPOLLIN);
    assert_eq!(waiter.told(&mut world.server), 0);
    assert_eq!(waiter.change(&mut world.server, EPOLL_CTL_MOD, server, EPOLLIN | EPOLLONESHOT), Outcome::OK);
    assert_eq!(waiter.told(&mut world.server), EPOLLIN);
}

#[test]
fn an_end_is_told_whether_asked_for_or_not() {
    let (mut world, client, server, _) = World::connected();
    let waiter = Waiter::on(&mut world.server, server, EPOLLRDHUP);
    world.client.close(client);
    world.pump();
    assert_eq!(waiter.told(&mut world.server), EPOLLRDHUP);
    let value = OptionValue::Linger(Some(0));
    world.server.call(Request::SetSockOpt { fd: server, level: SOL_SOCKET, name: SO_LINGER, value });
    world.server.call(Request::Connect { fd: server, address: Address::Unspecified });
    assert_eq!(waiter.told(&mut world.server), EPOLLHUP, "a socket without a connection hangs");
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let (mut world, client, _, _) = World::connected();
    let host = &mut world.client;
    let waiter = Waiter::on(host, client, EPOLLIN);
    assert_eq!(waiter.change(host, EPOLL_CTL_ADD, client, EPOLLIN), failed(Errno::EEXIST));
    assert_eq!(waiter.change(host, EPOLL_CTL_ADD, 99, EPOLLIN), failed(Errno::EBADF));
    assert_eq!(waiter.change(host, EPOLL_CTL_ADD, waiter.epoll, EPOLLIN), failed(Errno::EINVAL));
    assert_eq!(waiter.change(host, 9, client, EPOLLIN), failed(Errno::EINVAL));
    assert_eq!(waiter.change(host, EPOLL_CTL_DEL, client, 0), Outcome::OK);
    assert_eq!(waiter.change(host, EPOLL_CTL_DEL, client, 0), failed(Errno::ENOENT));
    assert_eq!(waiter.change(host, EPOLL_CTL_MOD, client, 0), failed(Errno::ENOENT));
    let no_event = Request::EpollCtl { epoll: waiter.epoll, operation: EPOLL_CTL_ADD, fd: client, event: None };
    assert_eq!(host.call(no_event), failed(Errno::EFAULT));
    let on_socket = Request::EpollWait { epoll: client, most: 1, timeout: None };
    assert_eq!(host.call(on_socket), failed(Errno::EINVAL));
    let none = Request::EpollWait { epoll: waiter.epoll, most: 0, timeout: None };
    assert_eq!(host.call(none), failed(Errno::EINVAL));
}

#[test]
fn a_closed_descriptor_is_waited_for_no_more() {
    let (mut world, client, server, _) = World::connected();
    let waiter = Waiter::on(&mut world.server, server, EPOLLIN);
    world.client.send(client, b"x");
    world.pump();
    world.server.close(server);
    assert_eq!(waiter.told(&mut world.server), 0);
}
