//! What is wrong in a lab file, told by its place, its field and what was expected.

use super::*;

#[test]
fn a_mistake_is_told_with_its_place_its_field_and_what_was_expected() {
    let table = [
        ("seed = 1", "seed 1", "lab.toml:5:6: key with no value, expected `=`; write `key = value`"),
        (
            "delay = \"20ms\"",
            "dealy = \"20ms\"",
            "lab.toml:16:1: unknown field `dealy`; expected one of `between`, `mtu`, `delay`, `jitter`, `rate`, `queue`, \
             `loss`, `reorder`, `reorder_by`, `duplicate`, `corrupt`, `from`, `rule`; did you mean `delay`?",
        ),
        ("minutes = 5\n", "", "lab.toml:1:1: missing field `minutes`; add `minutes = 20`"),
        (
            "minutes = 5",
            "minutes = \"5\"",
            "lab.toml:4:11: `minutes`: invalid type: string \"5\", expected a whole number, 0 or more",
        ),
        ("live = \"stack\"", "live = 5", "lab.toml:8:8: `live`: expected a name in quotes, or a table"),
        (
            "[node.server]",
            "[node]\nserver = 5\n[x]",
            "lab.toml:11:10: `server`: invalid type: integer `5`, expected a table",
        ),
        (
            "rule]]",
            "rules]]",
            "lab.toml:18:8: unknown field `rules`; expected one of `between`, `mtu`, `delay`, `jitter`, `rate`, `queue`, \
             `loss`, `reorder`, `reorder_by`, `duplicate`, `corrupt`, `from`, `rule`; did you mean `rule`?",
        ),
        ("minutes = 5", "minutes = 0", "lab.toml:4:11: `minutes` is at least 1: what a learner needs"),
        (
            "id = \"20-small\"",
            "id = \"small\"",
            "lab.toml:1:6: `id` is a number and a name in small letters, at most 64 characters, such as `20-rto-backoff`",
        ),
        (
            "live = \"linux\"",
            "live = \"linus\"",
            "lab.toml:11:8: unknown variant `linus`; expected `linux` or `stack`; did you mean `linux`?",
        ),
        (
            "sim = \"stack\"",
            "sim = \"linux\"",
            "lab.toml:12:7: there is no kernel in a simulation; expected `sim = \"stack\"`",
        ),
        (
            "\"client\", \"server\"]",
            "\"client\", \"sever\"]",
            "lab.toml:15:22: unknown node `sever`; the lab has `client`, `server`; did you mean `server`?",
        ),
        (
            "[\"client\", \"server\"]",
            "[\"client\"]",
            "lab.toml:15:11: `between` names two nodes, such as [\"client\", \"server\"]",
        ),
        (
            "[node.server]",
            "[node.third]\nlive = \"stack\"\n[node.server]",
            "lab.toml:10:7: node `third` has no link; name it in the `between` of a [[link]]",
        ),
        (
            "[[link.rule]]",
            "[[link]]\nbetween = [\"client\", \"server\"]\n[[link.rule]]",
            "lab.toml:19:11: `client` and `server` are linked already; take one of the links out",
        ),
        (
            "[[link.rule]]",
            "loss = \"110%\"\n[[link.rule]]",
            "lab.toml:18:8: `loss`: invalid value: string \"110%\", expected odds from \"0%\" to \"100%\", such as \"10%\" or \
             \"0.5%\"",
        ),
        ("[[link.rule]]", "mtu = 20\n[[link.rule]]", "lab.toml:18:7: `mtu` is a number of octets from 68 to 65535"),
        (
            "[[link.rule]]",
            "[link.from.cleint]\n[[link.rule]]",
            "lab.toml:18:12: unknown end `cleint`; the link has `client`, `server`; did you mean `client`?",
        ),
        ("nth = 3", "nth = 0", "lab.toml:22:7: `nth` counts from 1; leave it out to mean every match"),
        (
            "do = \"drop\"",
            "do = \"dorp\"",
            "lab.toml:23:6: unknown variant `dorp`; expected one of `drop`, `duplicate`, `corrupt`, `delay`, `hold`, \
             `strip-option`, `bleach-ecn`; did you mean `drop`?",
        ),
        (
            "do = \"drop\"",
            "do = { delay = \"50\" }",
            "lab.toml:23:16: `delay`: `50` is not a span of time: write a number and its unit, such as \"20ms\" or \"1.5s\" \
             (ns, us, ms, s, min)",
        ),
        (
            "on = \"client\"",
            "on = \"cleint\"",
            "lab.toml:30:6: unknown node `cleint`; the lab has `client`, `server`; did you mean `client`?",
        ),
        (
            "\"server:9000\"",
            "\"sever:9000\"",
            "lab.toml:31:24: unknown node `sever`; the lab has `client`, `server`; did you mean `server`?",
        ),
        ("run = { sink", "run = { snik", "lab.toml:27:9: unknown variant `snik`; did you mean `sink`?"),
        (
            "count = \"again\"",
            "count = \"agian\"",
            "lab.toml:40:10: `agian` is no selection, no rule and no filter; did you mean `again`?",
        ),
        (
            "count = \"again\"",
            "absent = \"again\"",
            "lab.toml:41:6: `is` belongs to `count`, `bytes` and `octets`; this check has none of them",
        ),
        (
            "count = \"again\"",
            "count = \"again\"\nabsent = \"data\"",
            "lab.toml:38:6: a check has exactly one of `count`, `bytes`, `octets`, `absent`, `first`, `last`, `every`, \
             `before`, `gap`, `ratio`, `equals`, `sorted`",
        ),
        (
            "count = \"again\"",
            "octets = 'event.kind == \"state\"'",
            "lab.toml:40:10: `octets` are those of packets on the wire; of events `bytes` sums what they tell",
        ),
        (
            "seed = 1",
            "seed = 1\nstacks = [\"smoltcp\"]",
            "lab.toml:6:10: `stacks` lacks `native`, on which every lab runs unless told otherwise; add it",
        ),
        ("is = 1", "", "lab.toml:38:6: `count` needs `is`, or `at_least` and/or `at_most`, or `same_as`"),
        (
            "count = \"again\"\nis = 1",
            "equals = { member = \"tcp.sqe\", of = [\"data\"] }",
            "lab.toml:40:21: unknown member `tcp.sqe`; packets have `frame.len`, `ip.id`, `tcp.ack`, `tcp.len`, \
             `tcp.seq`, `tcp.stream`, `tcp.window_size_value`, `udp.length`; did you mean `tcp.seq`?",
        ),
        ("only = \"repeats\"", "nth = 0", "lab.toml:35:30: `nth` counts from 1, or from the end: -1 is the last"),
        (
            "of = \"data\", only = \"repeats\"",
            "only = \"repeats\"",
            "lab.toml:35:9: a selection has exactly one of `packets`, `events` and `of`",
        ),
        (
            "of = \"data\"",
            "of = \"again\"",
            "lab.toml:35:16: selection `again` names itself, directly or not; write a filter there",
        ),
        (
            "turns_red = \"one-resend\"",
            "turns_red = \"one-resned\"",
            "lab.toml:46:13: unknown check `one-resned`; the lab has `one-resend`, `checksums-good`, `within-mtu`, \
             `drops-explained`, `handshake-captured`, `no-unexplained-reset`; did you mean `one-resend`?",
        ),
        (
            "[[break]]",
            "[[expect]]\nid = \"one-resend\"\nthat = \"\"\nabsent = \"data\"\n[[break]]",
            "lab.toml:44:6: there is a check `one-resend` already; give this one another name",
        ),
    ];
    let told = table.map(|(from, to, _)| wrong(from, to));
    assert_eq!(told.each_ref().map(String::as_str), table.map(|(_, _, message)| message));
}

#[test]
fn a_value_that_cannot_be_names_its_field() {
    let run = "{ send = { to = \"server:9000\", bytes = \"16KB\" } }";
    let long = "a".repeat(33);
    let table = [
        ("seed = 1", "seed = -1", "5:8: `seed`: invalid value: integer `-1`, expected a whole number, 0 or more"),
        (
            "[[link.rule]]",
            "mtu = -1\n[[link.rule]]",
            "18:7: `mtu`: invalid value: integer `-1`, expected a whole number, 0 or more",
        ),
        (
            "minutes = 5",
            "minutes = 4294967296",
            "4:11: `minutes`: invalid value: integer `4294967296`, expected a whole number from 0 to 4294967295",
        ),
        ("title = \"Small\"", "title = [\"Small\"]", "2:9: `title`: invalid type: sequence, expected a text in quotes"),
        (
            "nth = 3",
            "nth = [\n  3,\n  \"four\"]",
            "24:3: `nth`: invalid type: string \"four\", expected a whole number, 0 or more",
        ),
        (
            "set = { \"link.client-server.rule.lose-3.nth\" = [3, 4] }",
            "set = { \"step.2.run.send.bytes\" = 5 }",
            "47:35: `step.2.run.send.bytes`: invalid type: integer `5`, expected a size in quotes, such as \"17520B\", \"16KB\" or \"16KiB\"",
        ),
        (
            "port = 9000",
            "port = \"x\"",
            "27:25: `port`: invalid type: string \"x\", expected a whole number from 1 to 65535",
        ),
        (run, "{ send = 5 }", "31:16: `send`: invalid type: integer `5`, expected a table"),
        (
            "do = \"drop\"",
            "do = { hold = 2, delay = \"5ms\" }",
            "23:6: `do` is one of `drop`, `duplicate`, `corrupt`, `delay`, `hold`, `strip-option` and `bleach-ecn` at a time",
        ),
        ("do = \"drop\"", "do = { hold = 0 }", "23:6: `hold` is at least 1: the number of packets that go ahead"),
        (
            run,
            "{ send = { to = \"server:9000\", bytes = \"16KB\" } }\nexec = [\"\"]",
            "32:8: `exec` names a program, such as [\"curl\", \"http://{server}:8080/\"]",
        ),
        (
            run,
            "{ send = { to = \"server:9000\", bytes = \"16KB\" } }\nexec = []",
            "32:8: `exec` names a program, such as [\"curl\", \"http://{server}:8080/\"]",
        ),
        (
            "[node.client]",
            "[node.\"../x\"]",
            "7:7: a node's name is small letters, digits and dashes, at most 32 of them; found `../x`",
        ),
        (
            "[node.client]",
            &format!("[node.{long}]"),
            &format!(
                "7:7: a node's name is small letters, digits and dashes, at most 32 of them; found `{}…`",
                &long[1..]
            ),
        ),
        (
            "id = \"lose-3\"",
            "id = \"lose 3\"",
            "19:6: a rule's name is small letters, digits and dashes, at most 32 of them; found `lose 3`",
        ),
        (
            "name = \"twice\"",
            "name = \"twice/\"",
            "44:8: a break's name is small letters, digits and dashes, at most 32 of them; found `twice/`",
        ),
    ];
    for (from, to, message) in table {
        assert_eq!(wrong(from, to), format!("lab.toml:{message}"), "with {to}");
    }
}

#[test]
fn a_text_that_a_terminal_would_obey_is_refused() {
    let table = [
        (
            "\"Small\"",
            r#""\u001b[31mSmall""#,
            "2:9: `title` is text that is shown, without control characters; found U+001B",
        ),
        ("\"Small\"", r#""a\nb""#, "2:9: `title` is one line of visible characters; found U+000A"),
        (
            "\"One sentence.\"",
            r#""\u0007""#,
            "3:11: `summary` is text that is shown, without control characters; found U+0007",
        ),
        ("\"More\"", r#""\u202e""#, "45:11: `teaches` is text that is shown, without control characters; found U+202E"),
        ("\"20-small\"", r#""20-\u001b""#, "1:6: `id` is text that is shown, without control characters; found U+001B"),
        (
            "\"tcp.len > 0\"",
            r#""tcp.len > \u009b""#,
            "21:8: `when` is text that is shown, without control characters; found U+009B",
        ),
        ("seed = 1", "seed = 1\n\"\\u001b[2J\" = 1", "6:1: a name is made of visible characters; found U+001B"),
        (
            "[3, 4] }",
            r#"[3, 4], "step.1.on" = "\u001b" }"#,
            "47:70: `step.1.on` is text that is shown, without control characters; found U+001B",
        ),
    ];
    for (from, to, message) in table {
        assert_eq!(wrong(from, to), format!("lab.toml:{message}"), "with {to}");
    }
    let raw = wrong("seed = 1", "seed = 1\u{1b}[2J");
    assert!(!raw.chars().any(char::is_control), "nor does an error repeat it: {raw:?}");
}

#[test]
fn a_bad_filter_is_told_at_its_own_column() {
    let plain = wrong("when = \"tcp.len > 0\"", "when = \"tcp.len > 0 && tcp.sqe == 1\"");
    assert!(plain.starts_with("lab.toml:21:24: bad filter: "), "{plain}");
    // Three escapes before the mistake take two columns each, and the filter sees one.
    let escaped = wrong("when = \"tcp.len > 0\"", r#"when = "event.x == \"a\" && tcp.sqe == \"b\"""#);
    assert!(escaped.starts_with("lab.toml:21:9: bad filter: "), "{escaped}");
    let behind = wrong("when = \"tcp.len > 0\"", r#"when = "event.kind == \"state\" && tcp.sqe == 1""#);
    assert!(behind.starts_with("lab.toml:21:36: bad filter: "), "{behind}");
}

#[test]
fn a_rule_cannot_ask_for_what_only_a_capture_knows() {
    let wrong = |filter: &str| wrong("when = \"tcp.len > 0\"", &format!("when = \"{filter}\""));
    let seq = wrong("tcp.seq_raw > 1 && tcp.seq == 1");
    assert!(seq.starts_with("lab.toml:21:28: bad filter: a rule sees single packets"), "{seq}");
    assert!(seq.contains("does not know `tcp.seq`") && seq.contains("`tcp.len > 0` for data"), "{seq}");
    for filter in ["frame.number == 3", "!(tcp.stream == 0)", "tcp.ack in {1..5}", "frame.time_relative > 1"] {
        assert!(wrong(filter).contains("so it would never match"), "{filter}");
    }
}

#[test]
fn a_rule_cannot_ask_about_events() {
    assert_eq!(
        wrong("when = \"tcp.len > 0\"", "when = 'event.kind == \"state\"'"),
        "lab.toml:21:8: a link sees packets only; `when` cannot ask about events"
    );
}

#[test]
fn a_setting_outside_the_network_is_refused() {
    let message = wrong("sim = \"stack\"", "sysctl = { \"kernel.hostname\" = \"x\" }");
    assert_eq!(
        message,
        "lab.toml:12:12: expected a setting of the network such as `net.ipv4.tcp_sack`; found `kernel.hostname`"
    );
}

#[test]
fn two_nodes_cannot_share_an_address() {
    let message = wrong("sim = \"stack\"", "addresses = [\"10.0.0.1/24\"]");
    assert_eq!(
        message,
        "lab.toml:10:7: node `server` has the address 10.0.0.1, which is `client`'s; give one of them another"
    );
}
