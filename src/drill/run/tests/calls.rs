use super::*;

#[test]
fn a_sleeping_call_returns_when_what_it_waits_for_happens() {
    assert_passed(&established("0.2...0.3 read(4, ..., 100) = 10\n0.3 < P. 1:11(10) ack 1 win 32768\n"));
    let (line, cause) = failed(established("0.2...0.5 read(4, ..., 100) = 10\n0.3 < P. 1:11(10) ack 1 win 32768\n"));
    assert_eq!(line, 8);
    assert!(matches!(cause, Cause::Time { actual, .. } if actual == ms(300)), "{cause:?}");
}

#[test]
fn a_sleeping_call_with_a_timeout_returns_by_itself() {
    assert_passed(&established(
        "0.2...0.7 poll([{fd=4, events=POLLIN, revents=0}], 1, 500) = 0\n+.6 write(4, ..., 1) = 1\n",
    ));
}

#[test]
fn a_call_that_never_returns_is_found_out() {
    let (line, cause) = failed(established("+0...0.3 read(4, ..., 100) = 10\n+.1 < . 1:1(0) ack 1 win 32768\n"));
    assert!(line == 8 && cause == Cause::Asleep { call: "read".to_owned() }, "{line}: {cause:?}");
    let (line, cause) = failed(established("+0 read(4, ..., 100) = 10\n"));
    assert!(line == 8 && cause == Cause::Asleep { call: "read".to_owned() }, "{line}: {cause:?}");
}

#[test]
fn one_call_sleeps_at_a_time() {
    let (line, cause) = failed(established("+0...0.3 read(4, ..., 100) = 10\n+0...0.4 accept(3, ..., ...) = 5\n"));
    assert!(line == 8 && matches!(cause, Cause::Asleep { .. }), "{line}: {cause:?}");
}

#[test]
fn results_and_errors_are_compared() {
    for (line, actual) in [
        ("write(4, ..., 10) = 9", "10"),
        ("write(4, ..., 10) = -1 EPIPE (Broken pipe)", "10"),
        ("getsockopt(4, SOL_SOCKET, SO_ERROR, [1], [4]) = 0", "0"),
        ("getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [8]) = 0", "4"),
        ("listen(4, 1) = 0", "-1 EINVAL (Invalid argument)"),
        ("fcntl(4, F_GETFL) = 2050", "2"),
    ] {
        let (at, cause) = failed(established(&format!("+0 {line}\n")));
        assert_eq!(at, 8);
        let Cause::Result { actual: told, .. } = cause else { panic!("{line}: {cause:?}") };
        assert_eq!(told, actual, "{line}");
    }
}

#[test]
fn a_result_that_is_left_open_is_any() {
    assert_passed(&established("+0 write(4, ..., 10) = ...\n+0 > P. 1:11(10) ack 1\n"));
}

#[test]
fn sizes_of_buffers_are_compared_strictly_and_not_by_meaning() {
    let text = format!("{ESTABLISHED}+0 getsockopt(4, SOL_SOCKET, SO_RCVBUF, [77], [4]) = 0\n");
    assert!(matches!(failed(ran(&text)).1, Cause::Result { .. }));
    assert_passed(&ran_with(&text, &Options { exactness: Exactness::ByMeaning, ..Options::default() }));
}

#[test]
fn descriptors_have_the_scripts_own_numbers() {
    assert_passed(&ran("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 77\n+0 bind(77, ..., ...) = 0\n+0 close(77) = 0\n\
                        +0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 77\n"));
    for line in ["+0 write(9, ..., 1) = 1", "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 4"] {
        let (at, cause) = failed(established(&format!("{line}\n")));
        assert!(at == 8 && matches!(cause, Cause::Script { .. }), "{line}: {cause:?}");
    }
}

#[test]
fn poll_and_epoll_tell_what_is_ready() {
    let poll = |revents: &str, count: u32| {
        established(&format!(
            "+.1 < P. 1:11(10) ack 1 win 32768\n\
             +0 poll([{{fd=4, events=POLLIN|POLLOUT, revents={revents}}}], 1, 0) = {count}\n"
        ))
    };
    assert_passed(&poll("POLLIN|POLLOUT", 1));
    assert!(matches!(failed(poll("POLLIN", 1)).1, Cause::Result { .. }));
    let epoll = |events: &str| {
        established(&format!(
            "+0 epoll_create(1) = 5\n\
             +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {{events=EPOLLIN, fd=4}}) = 0\n\
             +0 epoll_wait(5, {{events=0, ptr=0}}, 1, 0) = 0\n\
             +.1 < P. 1:11(10) ack 1 win 32768\n\
             +0 epoll_wait(5, {{events={events}, fd=4}}, 1, 0) = 1\n"
        ))
    };
    assert_passed(&epoll("EPOLLIN"));
    assert!(matches!(failed(epoll("EPOLLOUT")).1, Cause::Result { .. }));
}

#[test]
fn vectors_and_messages_move_as_many_octets_as_they_hold() {
    assert_passed(&established(
        "+0 writev(4, [{..., 10}, {..., 20}], 2) = 30\n\
         +0 > P. 1:31(30) ack 1\n\
         +.1 < P. 1:41(40) ack 31 win 32768\n\
         +0 readv(4, [{..., 5}, {..., 5}], 2) = 10\n\
         +0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 100}], msg_flags=0}, 0) = 30\n",
    ));
    let (_, cause) = failed(established("+0 writev(4, [{..., 10}], 2) = 10\n"));
    assert!(matches!(cause, Cause::Script { .. }), "{cause:?}");
}

#[test]
fn a_null_buffer_is_a_bad_address() {
    assert_passed(&established("+0 write(4, NULL, 10) = -1 EFAULT (Bad address)\n"));
}

#[test]
fn accept_of_a_connection_that_the_script_never_finished_is_its_own_mistake() {
    let text = ESTABLISHED.replace("= 4", "= 4\n+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n+0 accept(3, ..., ...) = -1 EAGAIN (Resource temporarily unavailable)");
    assert_passed(&ran(&text));
}
