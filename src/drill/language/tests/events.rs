//! Settings, times, commands, code, comments, definitions, lines left out.

use std::time::Duration;

use super::*;
use crate::drill::language::script::{At, Setting};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn every_form_of_time_is_read_exactly() {
    let cases = [
        ("0", At::Absolute(ms(0))),
        ("1.5", At::Absolute(ms(1500))),
        (".25", At::Absolute(ms(250))),
        ("+0", At::Relative(ms(0))),
        ("+-0.00", At::Relative(ms(0))),
        ("+.1", At::Relative(ms(100))),
        ("+ 2", At::Relative(ms(2000))),
        ("+0.000000001", At::Relative(Duration::from_nanos(1))),
        ("+0.0000000019", At::Relative(Duration::from_nanos(1))),
        ("1.0~1.2", At::AbsoluteRange(ms(1000), ms(1200))),
        ("+.1~+.2", At::RelativeRange(ms(100), ms(200))),
        ("+0~+0", At::RelativeRange(ms(0), ms(0))),
        ("*", At::Any),
        ("+1000000000", At::Relative(Duration::from_secs(1_000_000_000))),
    ];
    for (time, expected) in cases {
        assert_eq!(event(&format!("{time} > . 1:1(0) ack 1")).at, expected, "{time}");
    }
}

#[test]
fn only_outbound_packets_may_leave_their_time_open() {
    let actions = ["< . 1:1(0) ack 1 win 5", "close(3) = 0", "`true`", "%{ pass }%", "< udp (5)"];
    for time in ["*", "1~2", "+1~+2"] {
        for action in actions {
            let text = format!("{time} {action}");
            assert!(error(&text).expected.contains("one time"), "{text}");
        }
    }
    error("2~1 > . 1:1(0) ack 1");
    error("+2~1 > . 1:1(0) ack 1");
    error("-1 > . 1:1(0) ack 1");
    error("1000000001 > . 1:1(0) ack 1");
}

#[test]
fn a_blocking_call_returns_at_a_time_of_the_same_kind() {
    assert_eq!(call("0...0.1 accept(3, ..., ...) = 4").returns_at, Some(At::Absolute(ms(100))));
    assert_eq!(call("+.1...0.3 accept(3, ..., ...) = 4").returns_at, Some(At::Relative(ms(300))));
    assert_eq!(call("+.1....3 accept(3, ..., ...) = 4").returns_at, Some(At::Relative(ms(300))));
    assert_eq!(call("+0 accept(3, ..., ...) = 4").returns_at, None);
}

#[test]
fn settings_keep_their_order_lines_and_values() {
    let script = parse(
        "--strict_segments // no value\n--mss=1000 --remote_ip=192.0.2.1\n--local_ip=fd3d:fa7b::17d\n\
         --define=CC=\"reno\" --define=CLEAN=`true` --ip_version=ipv4\n+0 close(3) = 0",
    );
    let setting = |line, name: &str, value: Option<&str>| Setting {
        line,
        name: name.to_owned(),
        value: value.map(str::to_owned),
    };
    let expected = [
        setting(1, "strict_segments", None),
        setting(2, "mss", Some("1000")),
        setting(2, "remote_ip", Some("192.0.2.1")),
        setting(3, "local_ip", Some("fd3d:fa7b::17d")),
        setting(4, "define", Some("CC=\"reno\"")),
        setting(4, "define", Some("CLEAN=`true`")),
        setting(4, "ip_version", Some("ipv4")),
    ];
    assert_eq!(script.options, expected);
}

#[test]
fn a_command_may_stand_without_a_time_at_both_ends_only() {
    let script = parse("`one\n two`\n+0 close(3) = 0\n+0 `three`\n`four`\n");
    let commands: Vec<(u32, At, String)> = script
        .events
        .into_iter()
        .filter_map(|event| match event.what {
            What::Shell(command) => Some((event.line, event.at, command)),
            _ => None,
        })
        .collect();
    let expected = [
        (1, At::Start, "one\n two".to_owned()),
        (4, At::Relative(ms(0)), "three".to_owned()),
        (5, At::Start, "four".to_owned()),
    ];
    assert_eq!(commands, expected);
    error("+0 close(3) = 0\n`one`\n+0 close(4) = 0");
    error("`one`\n`two`\n+0 close(4) = 0");
    error("`only`");
}

#[test]
fn code_is_taken_as_it_stands_but_for_blanks_at_its_ends() {
    let code = |text: &str| match event(text).what {
        What::Code(code) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code("+0 %{ \tassert a == {1}\t }%"), "assert a == {1}");
    assert_eq!(code("+0 %{\nassert a # } not yet % \nassert b\n}%"), "\nassert a # } not yet % \nassert b\n");
}

#[test]
fn comments_are_left_out_and_do_not_nest() {
    let script = parse("// one\n/* two\n * /* three */ +0 close(3) = 0 /**/ // four");
    assert_eq!(script.events.len(), 1);
    assert_eq!((script.events[0].line, script.events[0].text.as_str()), (3, "+0 close(3) = 0"));
    assert_eq!(event("+0 `echo // not a comment`").what, What::Shell("echo // not a comment".to_owned()));
}

#[test]
fn an_event_has_its_line_and_its_text_on_one_line() {
    let script = parse(CONVERSATION);
    let lines: Vec<(u32, &str)> = script.events.iter().map(|event| (event.line, event.text.as_str())).collect();
    assert_eq!(
        lines[..6],
        [
            (4, "`../common/defaults.sh ../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0`"),
            (7, "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3"),
            (8, "+0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0"),
            (
                9,
                "+0 bind(3, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr(\"192.168.0.1\")}, ...) = 0"
            ),
            (10, "+0 listen(3, 1) = 0"),
            (11, "+.1 < [ect0] SEW 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>"),
        ]
    );
    assert_eq!(script.unsupported().count(), 0);
}

#[test]
fn defined_words_stand_for_numbers_words_texts_and_commands() {
    let text = "+0 f(N, W, T, OCT, HEX, LEFT) = 0\n+0 C\n";
    let definitions = ["N=-5", "W=a-b", "T=\"x y\"", "C=`true`", "OCT=017", "HEX=0x1f"];
    let script = parse_with(text, &definitions);
    assert_eq!(script.events[1].what, What::Shell("true".to_owned()));
    let What::Call(call) = &script.events[0].what else { panic!("a call") };
    use crate::drill::language::script::Value::{Integer, Name, Text};
    let expected =
        [Integer(-5), Name("a-b".to_owned()), Text(b"x y".to_vec()), Integer(15), Integer(31), Name("LEFT".to_owned())];
    assert_eq!(call.arguments, expected);
}

#[test]
fn a_script_defines_words_itself_and_the_caller_wins() {
    let text = "--define=CODE=net_unreachable\n+0 < icmp unreachable CODE";
    let code = |script: &Script| match &script.events[0].what {
        What::Inject(PacketSpec { body: Body::Icmp(icmp), .. }) => icmp.code.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(code(&parse(text)).as_deref(), Some("net_unreachable"));
    assert_eq!(code(&parse_with(text, &["CODE=host_unreachable"])).as_deref(), Some("host_unreachable"));
}

#[test]
fn a_definition_without_a_name_or_a_value_is_refused() {
    for definition in ["", "NAME", "=value"] {
        let refused = Definitions::new().define(definition).expect_err(definition);
        assert!(refused.to_string().contains("NAME=value"));
    }
}

#[test]
fn ifdef_leaves_lines_out_once_somebody_has_chosen() {
    let text = "+0 a() = 0\n#ifdef ONE\n+0 b() = 0\n#else\n+0 c() = 0\n#endif\n  #ifndef TWO\n+0 d() = 0\n#endif\n";
    let calls = |script: &Script| -> Vec<String> {
        script.events.iter().map(|event| event.text.trim_start_matches("+0 ").chars().take(1).collect()).collect()
    };
    assert_eq!(calls(&parse_with(text, &["ONE=1"])), ["a", "b", "d"]);
    assert_eq!(calls(&parse_with(text, &["TWO=1"])), ["a", "c"]);
    let undecided = parse(text);
    let (line, reason) = undecided.unsupported().next().expect("nobody has chosen");
    assert_eq!(line, 2);
    assert!(reason.contains("`ONE`, `TWO`") && reason.contains("-D ONE=1"), "{reason}");
    error("#ifdef ONE\n+0 a() = 0");
    error("+0 a() = 0\n#endif");
    error("#else\n+0 a() = 0");
    assert_eq!(
        event("+0 `true\n#ifdef within a command`").what,
        What::Shell("true\n#ifdef within a command".to_owned())
    );
}
