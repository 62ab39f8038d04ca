//! What errors look like.

use super::*;

#[test]
fn errors_point_at_the_place_and_say_what_is_expected() {
    let scripts = [
        "// nothing but this\n",
        "+0 < S 0:0(0) win 5 <mss 1460,nop,wscal 7>\n+0 close(3) = 0",
        "\n\n\t+0 < . 1:1001(999) ack 1 win 257\n",
        "+0 close(3) = -1 EBADF\n+0 close(4) = 0",
        "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n0 bind(3, ..., ...)\n0 listen(3, 1) = 0",
        "+0 < . 1:1(0) ack 1\n+0 > . 1:1(0) ack 1",
        "+0 `sysctl -q a=1\n+0 close(3) = 0",
        "+0 < S 0:0(0) win 5 <FO TFO_COOKIE>",
        "+0 < icmp unreachable CODE",
        "# not a comment here\n+0 close(3) = 0",
        "* < . 1:1(0) ack 1 win 5",
        "+0 close(3) = 0\n`one`\n`two`",
        "+0 > . 1:1(0) ack 1 <nop>",
        "+0 write(3, \"é\\q\", 1) = 1",
        "+0 < S 0:0(0) win 70000",
        "+0 close(3) =",
        "--mss\n--mtu=\n",
    ];
    let shown: Vec<String> = scripts.iter().map(|script| error(script).to_string()).collect();
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn the_fields_of_an_error_are_its_place_and_its_words() {
    let error = error("+0 close(3) = 0\n  +0 < S 0:0(0) wind 5\n");
    assert_eq!((&*error.path, error.line, error.column, error.width), ("made-up.pkt", 2, 17, 4));
    assert_eq!((&*error.found, &*error.expected), ("`wind`", "`win` and a number"));
    assert_eq!(&*error.text, "  +0 < S 0:0(0) wind 5");
}

#[test]
fn columns_count_characters_and_long_lines_are_cut() {
    let error = error(&format!("+0 f(\"ééé\", ?, {}) = 0", "x".repeat(5000)));
    assert_eq!((error.line, error.column), (1, 13));
    assert!(error.text.chars().count() <= 200);
    assert!(error.to_string().len() < 1000);
}
