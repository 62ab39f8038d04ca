//! System calls and the values in them.

use super::*;
use crate::drill::language::script::Value;

fn name(name: &str) -> Value {
    Value::Name(name.to_owned())
}

fn record(members: &[(&str, Value)]) -> Value {
    Value::Record(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

/// The only argument of a call.
fn value(text: &str) -> Value {
    let mut arguments = call(&format!("+0 f({text}) = 0")).arguments;
    assert_eq!(arguments.len(), 1, "{text}");
    arguments.pop().expect("there is one")
}

#[test]
fn every_kind_of_value_has_its_place() {
    use Value::{Apply, Either, Ellipsis, Float, Integer, List, Text};
    let text = |text: &str| Text(text.as_bytes().to_vec());
    let cases = [
        ("...", Ellipsis),
        ("-5", Integer(-5)),
        ("0x7fffffffffffffff", Integer(i64::MAX)),
        ("010", Integer(10)),
        ("1.5", Float(1.5)),
        ("SOCK_STREAM", name("SOCK_STREAM")),
        ("O_RDWR | O_NONBLOCK|O_SYNC", Either(vec![name("O_RDWR"), name("O_NONBLOCK"), name("O_SYNC")])),
        ("[]", List(vec![])),
        ("[1, ...]", List(vec![Integer(1), Ellipsis])),
        (r#""a\"\\\x00\n" "b""#, Text(b"a\"\\\0\nb".to_vec())),
        (r#""é""#, text("é")),
        ("htons(8080)", Apply("htons".to_owned(), vec![Integer(8080)])),
        ("{1, 2}", record(&[("", Integer(1)), ("", Integer(2))])),
        (
            "{fd=3, events=POLLIN|POLLOUT, revents=0}",
            record(&[
                ("fd", Integer(3)),
                ("events", Either(vec![name("POLLIN"), name("POLLOUT")])),
                ("revents", Integer(0)),
            ]),
        ),
        ("{onoff=1, linger=0}", record(&[("onoff", Integer(1)), ("linger", Integer(0))])),
        ("level = 5", record(&[("level", Integer(5))])),
        (
            "{function_set_name=\"freebsd\", pcbcnt=0}",
            record(&[("function_set_name", text("freebsd")), ("pcbcnt", Integer(0))]),
        ),
        (
            "{sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"1.2.3.4\")}",
            record(&[
                ("sa_family", name("AF_INET")),
                ("sin_port", Apply("htons".to_owned(), vec![Integer(80)])),
                ("sin_addr", Apply("inet_addr".to_owned(), vec![text("1.2.3.4")])),
            ]),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn a_size_in_brackets_is_a_member_of_its_own() {
    let message = value(
        "{msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=MSG_EOR,\n\
         msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=5}]}",
    );
    let control =
        record(&[("cmsg_level", name("SOL_TCP")), ("cmsg_type", name("TCP_CM_INQ")), ("cmsg_data", Value::Integer(5))]);
    let expected = record(&[
        ("msg_name", Value::Ellipsis),
        ("msg_namelen", Value::Ellipsis),
        ("msg_iov", Value::List(vec![record(&[("", Value::Ellipsis), ("", Value::Integer(10))])])),
        ("msg_iovlen", Value::Integer(1)),
        ("msg_flags", name("MSG_EOR")),
        ("msg_control", Value::List(vec![control])),
    ]);
    assert_eq!(message, expected);
}

#[test]
fn results_are_values_errors_and_notes() {
    let result = |text: &str| {
        let call = call(&format!("+0 f() = {text}"));
        (call.result, call.errno)
    };
    let errno = |name: &str| Some(name.to_owned());
    assert_eq!(result("..."), (Some(Value::Ellipsis), None));
    assert_eq!(result("3"), (Some(Value::Integer(3)), None));
    assert_eq!(result("-1 EINPROGRESS (Operation now in progress)"), (Some(Value::Integer(-1)), errno("EINPROGRESS")));
    assert_eq!(result("-1 EPIPE(Broken pipe)"), (Some(Value::Integer(-1)), errno("EPIPE")));
    assert_eq!(result("-1 (Invalid Argument)"), (Some(Value::Integer(-1)), None));
    assert_eq!(result("0x802 (flags O_RDWR|O_NONBLOCK)"), (Some(Value::Integer(0x802)), None));
    assert_eq!(result("-1 EAGAIN (Try) (again)"), (Some(Value::Integer(-1)), errno("EAGAIN")));
    for wrong in ["", "-1 EPIPE", "0 (", "0 ()) 1", "-1 EPIPE (Broken\n+0 pipe)", "99999999999999999999"] {
        error(&format!("+0 f() = {wrong}"));
    }
}

#[test]
fn a_broken_call_is_an_error() {
    for wrong in [
        "f",
        "f()",
        "f(1",
        "f(1,) = 0",
        "f(1 2) = 0",
        "f(,) = 0",
        "f({a=}) = 0",
        "f({a=1,}) = 0",
        "f([1) = 0",
        "f(1|) = 0",
        "f(g(1)) = 0",
        "f({msg_iov(1)}) = 0",
        r#"f("a\q") = 0"#,
        r#"f("a\x1") = 0"#,
        "f(<) = 0",
        "... f() = 0",
        "1 f() = 0",
    ] {
        error(&format!("+0 {wrong}"));
    }
}

#[test]
fn values_within_each_other_end_somewhere() {
    let nested = |depth: usize| format!("+0 f({}1{}) = 0", "[".repeat(depth), "]".repeat(depth));
    parse(&nested(30));
    assert!(error(&nested(40)).expected.contains("within each other"));
    assert!(error(&format!("+0 f({}1) = 0", "a=".repeat(100_000))).expected.contains("within each other"));
}
