use super::*;
use crate::drill::language::script::Script;
use crate::drill::run::{Options, run};

const PLAIN: Look = Look { colour: false };

fn outcome(text: &str) -> Outcome {
    let script = Script::parse(text, "test.pkt").unwrap_or_else(|error| panic!("{error}"));
    run(&script, &Options::default()).0
}

const OPENING: &str = "\
0   socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0  bind(3, ..., ...) = 0
+0  listen(3, 1) = 0
+.1 < S 0:0(0) win 32768 <mss 1460>
+0  > S. 0:0(0) ack 1 <...>
+.1 < . 1:1(0) ack 1 win 32768
+0  accept(3, ..., ...) = 4
";

fn told(rest: &str) -> String {
    details("test.pkt", &outcome(&format!("{OPENING}{rest}")), PLAIN)
}

#[test]
fn a_packet_that_differs_is_laid_below_the_expected_one_with_marks() {
    insta::assert_snapshot!(told("+.1 write(4, ..., 10) = 10\n+.05 > F. 1:11(10) ack 7 win 5 <nop,nop,sack 1:2>\n"));
}

#[test]
fn segments_that_do_not_make_one_are_listed() {
    insta::assert_snapshot!(told("+.1 write(4, ..., 10) = 10\n+0 > P. 1:21(20) ack 1\n"));
}

#[test]
fn a_packet_that_did_not_come_is_told_with_how_long_it_was_waited_for() {
    insta::assert_snapshot!(told("+.1 > P. 1:21(20) ack 1\n"));
}

#[test]
fn what_a_call_returned_stands_below_what_it_should_have_returned() {
    insta::assert_snapshot!(told("+.1 write(4, ..., 10) = -1 EPIPE (Broken pipe)\n"));
}

#[test]
fn an_assertion_is_told_with_its_values() {
    insta::assert_snapshot!(told("+.1 %{ assert tcpi_state == TCP_CLOSE_WAIT }%\n"));
}

#[test]
fn blank_lines_stand_alone() {
    for rest in ["+0 write(9, ..., 1) = 1\n", "+.1 > P. 1:21(20) ack 1\n", "+0 write(4, ..., 1) = 2\n"] {
        assert!(!told(rest).contains("\n\n\n"), "{}", told(rest));
    }
}

#[test]
fn every_end_has_its_line_and_its_words() {
    for (text, expected) in [
        (OPENING.to_owned(), "passed       test.pkt\n"),
        (format!("{OPENING}+0...0.3 read(4, ..., 100) = 10\n"), "failed       test.pkt:8: read() never returns\n"),
        (
            format!("{OPENING}+0 write(9, ..., 100) = 10\n"),
            "failed       test.pkt:8: the script cannot be right: there is no open descriptor 9 in this script\n",
        ),
        (
            format!("{OPENING}0.2...0.3 read(4, ..., 100) = 10\n0.5 < P. 1:11(10) ack 1 win 1\n"),
            "failed       test.pkt:8: the call's return was due at 0.300000 and came at 0.500000\n",
        ),
        (format!("{OPENING}+0 `true`\n"), "unsupported  test.pkt:8: the command `true`\n"),
        (
            format!("{OPENING}+0 lisen(3, 1) = 0\n"),
            "unsupported  test.pkt:8: the system call lisen(); did you mean listen()?\n",
        ),
        (format!("{OPENING}+0 sendfile(4, 5) = 0\n"), "unsupported  test.pkt:8: the system call sendfile()\n"),
        (
            format!("{OPENING}+0 > SA 0:0(0) ack 1\n"),
            "unsupported  test.pkt:8: the flags of AccECN (`A` is one of them; an ACK is a point, as in `S.`)\n",
        ),
    ] {
        assert_eq!(line("test.pkt", &outcome(&text).verdict, PLAIN), expected);
    }
}

#[test]
fn a_choice_of_the_stack_is_said_to_be_one() {
    let choice = told("+.1 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1\n");
    assert!(choice.contains("--by-meaning"), "{choice}");
    let mistake = told("+.1 write(4, ..., 10) = 10\n+0 > F. 1:11(10) ack 1\n");
    assert!(!mistake.contains("--by-meaning"), "{mistake}");
}

#[test]
fn the_count_says_what_was_not_passed() {
    let count =
        |passed, failed, unsupported, unreadable| summary(&Count { passed, failed, unsupported, unreadable }, PLAIN);
    assert_eq!(count(3, 0, 0, 0), "3 of 3 passed\n");
    assert_eq!(count(3, 2, 1, 1), "3 of 7 passed, 2 failed, 1 unsupported (counted as not passed), 1 unreadable\n");
}

#[test]
fn colour_marks_the_fields_and_nothing_is_lost_without_it() {
    let failed = outcome(&format!("{OPENING}+.1 write(4, ..., 10) = 10\n+0 > F. 1:11(10) ack 1\n"));
    let coloured = details("test.pkt", &failed, Look { colour: true });
    assert!(coloured.contains("\u{1b}[32mF.\u{1b}[0m") && coloured.contains("\u{1b}[31mP.\u{1b}[0m"), "{coloured}");
    let mut bare = coloured;
    for code in ["\u{1b}[0m", "\u{1b}[2m", "\u{1b}[31m", "\u{1b}[32m", "\u{1b}[33m"] {
        bare = bare.replace(code, "");
    }
    assert_eq!(bare, details("test.pkt", &failed, PLAIN));
}

#[test]
fn fields_that_only_one_packet_has_leave_a_gap_in_the_other() {
    let piece = |field, text: &str| Piece { field, text: text.to_owned() };
    let one = [piece(Field::Flags, "."), piece(Field::Acknowledgment, "ack 1"), piece(Field::Options, "<nop>")];
    let other = [piece(Field::Flags, "."), piece(Field::Acknowledgment, "ack 1"), piece(Field::Window, "win 5")];
    assert_eq!(order(&one, &other), [Field::Flags, Field::Acknowledgment, Field::Options, Field::Window]);
    let early = [piece(Field::Ecn, "[ce]"), piece(Field::Flags, ".")];
    assert_eq!(order(&one[..1], &early), [Field::Ecn, Field::Flags]);
}
