//! Scripts as text, on the default stack.

mod calls;
mod garbage;
mod packets;
mod times;

use super::*;
use crate::drill::language::script::Script;
use crate::time::Instant;

/// A connection that the script has opened and accepted as descriptor 4, at 0.2 s, a listener on 3.
const ESTABLISHED: &str = "\
0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0  bind(3, ..., ...) = 0
+0  listen(3, 1) = 0
+.1 < S 0:0(0) win 32768 <mss 1460>
+0  > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 32768
+0  accept(3, ..., ...) = 4
";

fn ran_with(text: &str, options: &Options) -> Outcome {
    let script = Script::parse(text, "test.pkt").unwrap_or_else(|error| panic!("{error}"));
    run(&script, options).0
}

/// What comes of these lines.
fn ran(text: &str) -> Outcome {
    ran_with(text, &Options::default())
}

/// What comes of these lines after [`ESTABLISHED`].
fn established(text: &str) -> Outcome {
    ran(&format!("{ESTABLISHED}{text}"))
}

#[track_caller]
fn assert_passed(outcome: &Outcome) {
    assert_eq!(outcome.verdict, Verdict::Passed, "{:#?}", outcome.transcript);
}

/// The failure, and the line it is on.
#[track_caller]
fn failed(outcome: Outcome) -> (u32, Cause) {
    match outcome.verdict {
        Verdict::Failed(failure) => (failure.line, failure.cause),
        other => panic!("{other:?}"),
    }
}

/// The line and reason of a script that cannot be judged.
#[track_caller]
fn unsupported(outcome: Outcome) -> (u32, String) {
    match outcome.verdict {
        Verdict::Unsupported { line, reason } => (line, reason),
        other => panic!("{other:?}"),
    }
}

const fn ms(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

#[test]
fn a_run_ends_with_its_first_wrong_event() {
    let outcome = established("+.1 write(4, ..., 10) = 11\n+0 write(4, ..., 10) = 12\n");
    assert_eq!(outcome.events, 7);
    assert_eq!(failed(outcome).0, 8);
}

#[test]
fn what_cannot_be_done_is_unsupported_with_its_line_and_never_passed() {
    for (line, reason) in [
        ("+0 `rm -rf /tmp/x`", "rm -rf /tmp/x"),
        ("+0 `sysctl -q net.ipv4.tcp_nonsense=1`", "tcp_nonsense"),
        ("+0 sendfile(4, 5, [0], 10) = 10", "sendfile"),
        ("+0 setsockopt(4, SOL_SOCKET, SO_NONSENSE, [1], 4) = 0", "SO_NONSENSE"),
        ("+0 %{ assert tcpi_nonsense == 1 }%", "tcpi_nonsense"),
    ] {
        let (at, told) = unsupported(established(&format!("{line}\n")));
        assert!(at == 8 && told.contains(reason), "{line}: {at}: {told}");
    }
    let (at, told) = unsupported(ran("--wire_server\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"));
    assert!(at == 1 && told.contains("wire_server"), "{at}: {told}");
}

#[test]
fn freebsds_own_sysctls_are_passed_over_by_meaning_only() {
    let script = "0 `sysctl -w kern.ipc.maxsockbuf=2097152`\n+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n";
    assert_eq!(unsupported(ran(script)).0, 1);
    assert_passed(&ran_with(script, &Options { exactness: Exactness::ByMeaning, ..Options::default() }));
}

#[test]
fn connections_are_counted_by_their_state() {
    let count = |state: &str, count: u32| {
        established(&format!("+0 `sockstat -4 -P tcp -s | grep packetdril | grep -c {state} | grep {count}`\n"))
    };
    assert_passed(&count("ESTABLISHED", 1));
    assert_passed(&count("TIME_WAIT", 0));
    let (line, cause) = failed(count("ESTABLISHED", 2));
    assert_eq!(line, 8);
    assert!(matches!(cause, Cause::Result { actual, .. } if actual == "1"));
}

#[test]
fn connections_of_other_ports_are_not_counted() {
    for (port, count) in [(8080, 1), (8081, 0)] {
        let command = format!("sockstat -4 -P tcp -p {port} -s | grep -c ESTABLISHED | grep {count}");
        assert_passed(&established(&format!("+0 `{command}`\n")));
    }
}

#[test]
fn assertions_see_the_connection_at_their_moment() {
    assert_passed(&established("+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n"));
    let (line, cause) = failed(established("+0 %{\nassert tcpi_state == TCP_CLOSE_WAIT, tcpi_state }%\n"));
    assert_eq!(line, 8);
    let Cause::Assertion { statement, compared, .. } = cause else { panic!("{cause:?}") };
    assert_eq!((statement.as_str(), compared.as_str()), ("tcpi_state == TCP_CLOSE_WAIT", "1 == 8"));
    assert_passed(&established("+0 < F. 1:1(0) ack 1 win 1\n+.5 %{ assert tcpi_state == TCP_CLOSE_WAIT }%\n"));
}

#[test]
fn errors_that_are_declared_not_fatal_are_kept_and_the_run_goes_on() {
    let outcome = ran(&format!(
        "--non_fatal=packet\n--non_fatal=syscall\n{ESTABLISHED}+.1 write(4, ..., 10) = 11\n+0 > P. 1:11(10) ack 2\n"
    ));
    assert_passed(&outcome);
    assert_eq!(outcome.forgiven.iter().map(|failure| failure.line).collect::<Vec<_>>(), [10, 11]);
}

#[test]
fn a_capture_holds_every_packet_both_ways_with_its_reason() {
    let script = Script::parse(&format!("{ESTABLISHED}+.1 write(4, ..., 10) = 10\n"), "test.pkt").expect("it parses");
    let records = run(&script, &Options { capture: true, ..Options::default() }).1;
    use crate::capture::Direction::{In, Out};
    let seen: Vec<_> = records.iter().map(|record| (record.at, record.direction, record.comments.len())).collect();
    assert_eq!(seen, [(ms(100), In, 0), (ms(100), Out, 1), (ms(200), In, 0), (ms(300), Out, 1)]);
    assert!(run(&script, &Options::default()).1.is_empty());
}
