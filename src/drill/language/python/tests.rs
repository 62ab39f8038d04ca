//! Code that holds, that fails, and that is not understood.

use super::*;

/// Fields and constants as a connection in recovery has them.
fn names(name: &str) -> Option<i64> {
    Some(match name {
        "tcpi_snd_cwnd" => 10,
        "tcpi_snd_ssthresh" => 0x7fff_ffff,
        "tcpi_options" => 7,
        "tcpi_rtt" => 12_345,
        "tcpi_ca_state" | "TCP_CA_Recovery" => 3,
        "tcpi_lost" | "TCP_CA_Open" => 0,
        "TCPI_OPT_SYN_DATA" => 32,
        _ => return None,
    })
}

fn failure(code: &str) -> (u32, Failure) {
    match check(code, &names) {
        Err(CodeError::Failed { line, failure }) => (line, *failure),
        other => panic!("{code}: {other:?}"),
    }
}

fn unsupported(code: &str) -> (u32, String) {
    match check(code, &names) {
        Err(CodeError::Unsupported { line, what }) => (line, what.into()),
        other => panic!("{code}: {other:?}"),
    }
}

/// Each holds, and `not` each fails.
const TRUE: [&str; 53] = [
    "tcpi_snd_cwnd == 10",
    "10 == tcpi_snd_cwnd",
    "tcpi_snd_cwnd != 9",
    "tcpi_snd_cwnd < 11",
    "tcpi_snd_cwnd <= 10",
    "tcpi_snd_cwnd > 9",
    "tcpi_snd_cwnd >= 10",
    "tcpi_ca_state == TCP_CA_Recovery",
    "(tcpi_options & TCPI_OPT_SYN_DATA) == 0",
    "5000 <= tcpi_rtt <= 20000",
    "1 < 2 < 3 != 4 > 3 >= 3",
    "1 < 2 and 2 < 3",
    "1 > 2 or 2 < 3",
    "not 1 > 2",
    "not not 1",
    "not not not 0",
    "not 1 == 2",
    "1 or unknown",
    "not (0 and unknown)",
    "1 == 1 or unknown == 1",
    "tcpi_snd_cwnd in (9, 10)",
    "tcpi_snd_cwnd in [10]",
    "tcpi_snd_cwnd in {8, 10,}",
    "tcpi_snd_cwnd not in (1, 2)",
    "3 not in ()",
    "1 + 2 * 3 == 7",
    "(1 + 2) * 3 == 9",
    "2 - 1 - 1 == 0",
    "7 // 2 == 3 and -7 // 2 == -4 and 7 // -2 == -4 and -7 // -2 == 3",
    "7 % 3 == 1 and -7 % 3 == 2 and 7 % -3 == -2 and -7 % -3 == -1",
    "6 / 3 == 2",
    "6.0 == 6 and 1. == 1 and .0 == 0",
    "1 << 4 == 16 and 16 >> 3 == 2 and -1 >> 100 == -1",
    "6 & 3 == 3 or 1",
    "(6 & 3) == 2 and (6 | 3) == 7 and (6 ^ 3) == 5",
    "1 | 2 ^ 3 & 6 == 1",
    "~5 == -6",
    "- - 5 == 5 and +5 == 5 and -~5 == 6",
    "2 * -3 == -6",
    "0x1F == 31 and 0b101 == 5 and 0o17 == 15 and 1_000 == 1000",
    "abs(-5) == 5",
    "min(3, 1, 2) == 1 and max(3, 1, 2) == 3",
    "True",
    "True == 1 and False == 0",
    "(1 < 2) + (2 < 3) == 2",
    "(1)",
    "((((((((1))))))))",
    "tcpi_snd_ssthresh == 0x7fffffff",
    "0 <= tcpi_lost <= 0",
    "(3 or unknown) == 3 and (0 or 4) == 4 and (0 and 4) == 0 and (3 and 4) == 4",
    "9223372036854775807 + 1 == 9223372036854775808",
    "(1 <\n2)",
    "(1, 2) and 1",
];

#[test]
fn what_python_calls_true_holds_and_its_negation_fails() {
    for condition in TRUE {
        assert_eq!(check(&format!("assert {condition}"), &names), Ok(()), "{condition}");
        failure(&format!("assert not ({condition})"));
    }
}

#[test]
fn messages_are_read_and_do_not_matter() {
    for message in [
        "tcpi_snd_cwnd",
        "'cwnd=%d' % tcpi_snd_cwnd",
        "\"a 'quoted' one\"",
        "'it\\'s ' 'two'",
        "'%d of %d' % (tcpi_snd_cwnd, 5)",
        "'a' + 'b'",
        "unknown",
    ] {
        assert_eq!(check(&format!("assert 1 == 1, {message}"), &names), Ok(()), "{message}");
        failure(&format!("assert 1 == 2, {message}"));
    }
}

#[test]
fn a_failure_shows_the_values_of_both_sides() {
    let cases = [
        ("assert tcpi_snd_cwnd == 9, 'no'", "`tcpi_snd_cwnd == 9` does not hold: 10 == 9; tcpi_snd_cwnd is 10"),
        (
            "assert (tcpi_options & TCPI_OPT_SYN_DATA) != 0",
            "`(tcpi_options & TCPI_OPT_SYN_DATA) != 0` does not hold: 0 != 0; tcpi_options is 7, TCPI_OPT_SYN_DATA is 32",
        ),
        ("assert 1 <= tcpi_rtt <= 2", "`1 <= tcpi_rtt <= 2` does not hold: 1 <= 12345 <= 2; tcpi_rtt is 12345"),
        ("assert tcpi_lost", "`tcpi_lost` does not hold: 0; tcpi_lost is 0"),
        (
            "assert tcpi_snd_cwnd == 10 and\\\n  tcpi_lost in (1, 2)",
            "`tcpi_snd_cwnd == 10 and\\ tcpi_lost in (1, 2)` does not hold: 10 == 10 and 0 in (1, 2); tcpi_snd_cwnd is 10, \
             tcpi_lost is 0",
        ),
        (
            "assert not tcpi_snd_cwnd == 10",
            "`not tcpi_snd_cwnd == 10` does not hold: not (10 == 10); tcpi_snd_cwnd is 10",
        ),
        ("x = 5\nassert x == 6", "`x == 6` does not hold: 5 == 6; x is 5"),
        ("assert 1 == 2 or 4 / 2 == 3", "`1 == 2 or 4 / 2 == 3` does not hold: 1 == 2 or 2.0 == 3"),
    ];
    for (code, expected) in cases {
        assert_eq!(failure(code).1.to_string(), expected);
    }
    assert_eq!(
        check("assert 1\n\nassert 2 < 1", &names).map_err(|error| error.to_string()),
        Err("line 3 of the code: `2 < 1` does not hold: 2 < 1".to_owned())
    );
}

#[test]
fn statements_stand_on_lines_and_behind_semicolons() {
    for code in [
        "",
        "\n\n  \n# nothing\n",
        "assert 1; assert 2;",
        "\nassert 1 # one; assert 0\nassert 2\n",
        "assert 1, 2; \\\n   assert 2; \\\n   assert 3",
        "pass",
        "import sys, os\nprint(tcpi_snd_cwnd, 'text'); print()",
        "cwnd = 9; cwnd += 1; assert tcpi_snd_cwnd == cwnd",
        "x = 5; x -= 1; x *= 6; x //= 5; x %= 3; x |= 6; x &= 5; x ^= 1; x <<= 3; x >>= 1; x /= 2; assert x == 8",
        "if tcpi_lost: assert 0; assert 0\nassert 1",
        "if tcpi_snd_cwnd == 10: x = 1; y = 2\nassert x == 1 and y == 2",
        "if 1: pass",
        "tcpi_snd_cwnd = 11; assert tcpi_snd_cwnd == 11",
    ] {
        assert_eq!(check(code, &names), Ok(()), "{code}");
    }
    for (code, line) in [
        ("assert 1; assert 0", 1),
        ("\nassert 1\nassert 0", 3),
        ("# one\nassert 1; \\\n assert 0", 3),
        ("assert (1 ==\n 2)", 1),
        ("if 1: assert 0", 1),
        ("if 1: \\\n  assert 0", 2),
        ("if tcpi_snd_cwnd: x = 1; assert x == 2", 1),
    ] {
        assert_eq!(failure(code).0, line, "{code}");
    }
}

#[test]
fn variables_live_from_block_to_block_and_names_win_again() {
    let mut variables = Variables::default();
    let mut next = |code: &str| check_next(code, &names, &mut variables);
    assert_eq!(next("cwnd = 9; tcpi_lost = 5; assert tcpi_lost == 5"), Ok(()));
    assert_eq!(next("cwnd += 1; assert cwnd == tcpi_snd_cwnd"), Ok(()));
    assert_eq!(next("assert tcpi_lost == 0 and cwnd == 10"), Ok(()));
    assert!(matches!(check("assert cwnd == 10", &names), Err(CodeError::Unsupported { .. })));
}

#[test]
fn what_is_not_understood_never_passes() {
    let cases = [
        ("assert tcpi_bogus == 1", "the name `tcpi_bogus`"),
        ("assert (1, 'always true')", "always true"),
        ("assert 'text'", "the truth of a text"),
        ("assert 'a' == 'a'", "anything but numbers"),
        ("assert 1 in 2", "`in` a number"),
        ("assert 1 / 2 < 1", "a fraction"),
        ("assert 1 / 0", "division by zero"),
        ("assert 1 // 0", "division by zero"),
        ("assert 1 % 0", "division by zero"),
        ("assert 0.5 < 1", "the number `0.5`"),
        ("assert 1e3 == 1000", "the number `1e3`"),
        ("assert 010 == 8", "the number `010`"),
        ("assert 6.0 & 1", "the bits of a number with a point"),
        ("assert 1 << 200", "so large a number"),
        ("assert 1 << -1", "so large a number"),
        ("assert 170141183460469231731687303715884105727 + 1", "so large a number"),
        ("assert len('abc') == 3", "`len()`"),
        ("assert abs(1, 2)", "`abs()`"),
        ("assert x.y", "`.`"),
        ("assert a[0]", "`[` here"),
        ("assert 2 ** 3 == 8", "`**` here"),
        ("assert 1 is 1", "`is` here"),
        ("assert 1 if 1 else 0", "`if` here"),
        ("assert lambda: 1", "`lambda` here"),
        ("assert", "an unfinished line"),
        ("assert (1", "an unfinished line"),
        ("assert 1 ==", "an unfinished line"),
        ("assert 1)", "`)` here"),
        ("assert 1 2", "the number 2 here"),
        ("assert 1; 'x'.y", "`.`"),
        ("assert 'open", "a text without an end"),
        ("assert '''a'''", "several lines"),
        ("assert f'{x}'", "a text with `f` before it"),
        ("print 5", "the number 5 here"),
        ("print(5, file=x)", "`=` here"),
        ("for x in (1, 2): assert x", "`for` here"),
        ("while 1: pass", "`while` here"),
        ("def f(): pass", "`def` here"),
        ("from x import y", "`from` here"),
        ("import x as y", "`as` here"),
        ("x = y = 1", "`=` here"),
        ("assert 1\n  assert 2", "indented"),
        ("if 1:\n  assert 0", "indented"),
        ("if 0: pass\nelse: assert 0", "`else` here"),
        ("assert $", "`$`"),
        ("x := 1", "`:=` here"),
    ];
    for (code, expected) in cases {
        let (_, what) = unsupported(code);
        assert!(what.contains(expected), "{code}: {what}");
    }
    assert_eq!(unsupported("assert 1\nassert 1\nassert tcpi_bogus").0, 3);
    assert_eq!(
        check("x = nothing", &names).map_err(|error| error.to_string()),
        Err("line 1 of the code: the name `nothing` is not supported".to_owned())
    );
}

#[test]
fn deep_code_ends_in_an_error_and_not_in_a_full_stack() {
    for code in [
        format!("assert {}1{}", "(".repeat(50_000), ")".repeat(50_000)),
        format!("assert {}1", "-".repeat(50_000)),
        format!("assert {}1", "1 + ".repeat(50_000)),
        format!("assert {}1", "1 + 1 * 1 | 1 & 1 << ".repeat(50_000)),
        format!("assert 1{}", " + (1 * 1".repeat(50_000)),
        format!("{}pass", "if 1: ".repeat(50_000)),
    ] {
        assert!(matches!(check(&code, &names), Err(CodeError::Unsupported { .. })));
    }
    // What is long without being deep is no trouble.
    assert_eq!(check(&format!("assert {}1", "not ".repeat(50_000)), &names), Ok(()));
    assert_eq!(check(&format!("assert {}1", "1 and ".repeat(50_000)), &names), Ok(()));
    assert_eq!(check(&format!("assert 0{}", " < 9 != 0".repeat(50_000)), &names), Ok(()));
}

/// Hostile code: a value may neither grow nor nest from statement to statement without end.
#[test]
fn values_of_values_are_bounded() {
    for (line, times) in [("a = [a, a]\n", 64), ("a = [a]\n", 200_000)] {
        let code = format!("a = [1]\n{}", line.repeat(times));
        let error = check(&code, &|_| None);
        assert!(matches!(error, Err(CodeError::Unsupported { .. })), "{line}: {error:?}");
    }
}
