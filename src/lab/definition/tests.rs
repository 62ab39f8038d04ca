use super::*;
use crate::check::{Bound, Only, Question, Selected};
use crate::link::Action;
use crate::rng::Probability;
use std::time::Duration;

mod mutations;
mod networks;

/// A lab that is right; each test makes one thing of it wrong.
const LAB: &str = r#"id = "20-small"
title = "Small"
summary = "One sentence."
minutes = 5
seed = 1

[node.client]
live = "stack"

[node.server]
live = "linux"
sim = "stack"

[[link]]
between = ["client", "server"]
delay = "20ms"

[[link.rule]]
id = "lose-3"
from = "client"
when = "tcp.len > 0"
nth = 3
do = "drop"

[[step]]
on = "server"
run = { sink = { port = 9000 } }

[[step]]
on = "client"
run = { send = { to = "server:9000", bytes = "16KB" } }

[select]
data = "tcp.len > 0 && ip.src == client"
again = { of = "data", only = "repeats" }

[[expect]]
id = "one-resend"
that = "One copy"
count = "again"
is = 1

[[break]]
name = "twice"
teaches = "More"
turns_red = "one-resend"
set = { "link.client-server.rule.lose-3.nth" = [3, 4] }
"#;

fn good() -> Definition {
    Definition::parse("lab.toml", LAB).expect("the lab is right")
}

/// The error of the lab with `from` replaced by `to`.
fn wrong(from: &str, to: &str) -> String {
    assert!(LAB.contains(from), "the lab has no `{from}`");
    let text = LAB.replacen(from, to, 1);
    Definition::parse("lab.toml", &text).expect_err(to).to_string()
}

#[test]
fn every_lab_of_the_repository_is_read_with_all_its_breaks() {
    let labs = Path::new(env!("CARGO_MANIFEST_DIR")).join("labs");
    let catalogue = crate::lab::Catalogue::in_folder(&labs).expect("the labs are there");
    let ids: Vec<&str> = catalogue.entries().iter().map(|entry| entry.id.as_str()).collect();
    assert!(ids.len() >= 6 && ids.is_sorted() && ids.contains(&"20-rto-backoff"), "{ids:?}");
    for entry in catalogue.entries() {
        let definition = Definition::parse(&entry.file, &entry.text).expect("each lab is right");
        assert_eq!(definition.id, entry.id, "a lab's folder has its id as name");
        assert!(definition.checks.iter().all(|check| definition.falsifiers.contains_key(&check.id)), "{}", entry.id);
        assert!(entry.guide.starts_with("# "), "{} has a guide", entry.id);
    }
}

#[test]
fn a_lab_is_read_as_it_is_meant() {
    let lab = good();
    let names: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["client", "server"]);
    assert_eq!(lab.nodes[0].addresses().collect::<Vec<_>>(), [("10.0.0.1".parse().expect("an address"), 24)]);
    assert_eq!(lab.nodes[1].address(), Some("10.0.0.2".parse().expect("an address")));
    assert_eq!((lab.nodes[0].is_linux(), lab.nodes[1].is_linux()), (false, true));
    let link = &lab.links[0];
    assert_eq!((link.name.as_str(), link.mtu, link.ends), ("client-server", 1500, [NodeId(0), NodeId(1)]));
    assert_eq!(link.pipes[0].delay, Duration::from_millis(20));
    assert_eq!((link.pipes[0].rules.len(), link.pipes[1].rules.len()), (1, 0));
    assert_eq!(
        (link.pipes[0].rules[0].nth.as_slice(), &link.pipes[0].rules[0].action),
        ([3].as_slice(), &Action::Drop)
    );
    assert!(lab.steps[0].background && !lab.steps[1].background, "servers run in the background");
    let Question::Count { of, must: Bound::Between(1, 1) } = &lab.checks[0].question else {
        panic!("a count of one: {:?}", lab.checks[0]);
    };
    assert!(matches!(of.what, Selected::Packets(_)) && of.only == Only::Repeats && of.name == "again");
}

#[test]
fn nodes_keep_the_order_of_the_file_and_not_of_the_alphabet() {
    let text = LAB.replace("client", "zebra");
    let lab = Definition::parse("lab.toml", &text).expect("the lab is right");
    assert_eq!(lab.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["zebra", "server"]);
}

#[test]
fn one_direction_can_differ_from_the_other() {
    let text = LAB.replace("[[link.rule]]", "[link.from.client]\nloss = \"0.5%\"\ndelay = \"1s\"\n\n[[link.rule]]");
    let lab = Definition::parse("lab.toml", &text).expect("the lab is right");
    let [there, back] = &lab.links[0].pipes;
    assert_eq!((there.loss.parts_per_billion(), there.delay), (5_000_000, Duration::from_secs(1)));
    assert_eq!((back.loss.parts_per_billion(), back.delay), (0, Duration::from_millis(20)));
}

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
        (
            "run = { sink",
            "run = { snik",
            "lab.toml:27:9: unknown variant `snik`; expected one of `sink`, `send`, `exchange-server`, `exchange`, \
             `message-sink`, `message-send`, `http-server`, `http-cache`, `http-get`, `orders-server`, `orders-client`, `dns-server`, `dns-resolver`, `dns-lookup`; did you mean `sink`?",
        ),
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
        ("only = \"repeats\"", "nth = 0", "lab.toml:35:30: `nth` counts from 1"),
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
fn what_a_program_is_given_may_be_any_text() {
    let body = r#"{ http-server = { port = 9000, path = "/", body = "a\u001b\nb" } }"#;
    let text = LAB.replace("{ sink = { port = 9000 } }", body);
    assert!(Definition::parse("lab.toml", &text).is_ok());
    let text = LAB.replace("when = \"tcp.len > 0\"", "when = \"\"\"tcp.len > 0\n\t&& tcp.seq == 1\"\"\"");
    assert!(Definition::parse("lab.toml", &text).is_ok(), "a filter may have several lines");
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
fn a_rule_cannot_ask_about_events() {
    assert_eq!(
        wrong("when = \"tcp.len > 0\"", "when = 'event.kind == \"state\"'"),
        "lab.toml:21:8: a link sees packets only; `when` cannot ask about events"
    );
}

#[test]
fn a_break_sets_what_its_paths_name() {
    let broken = good().with_break("twice").expect("the lab has this break");
    assert_eq!(broken.links[0].pipes[0].rules[0].nth, [3, 4]);
    assert_eq!(broken.broken.as_deref(), Some("twice"));
    assert_eq!(good().links[0].pipes[0].rules[0].nth, [3], "the lab itself stays as it is");
}

#[test]
fn a_break_can_reach_what_the_file_leaves_out() {
    let set = "set = { \"link.client-server.rule.lose-3.nth\" = [3, 4] }";
    let reached = r#"set = { "node.client.tcp.receive_buffer" = "4380B", "step.2.run.send.bytes" = "1KB", "link.1.from.client.loss" = "1%", 'node.server.sysctl."net.ipv4.tcp_sack"' = 0, "link.client-server.rule" = [] }"#;
    let lab = Definition::parse("lab.toml", &LAB.replace(set, reached)).expect("the lab is right");
    let broken = lab.with_break("twice").expect("the lab has this break");
    assert_eq!(broken.nodes[0].host().expect("a host").tcp.receive_buffer, 4380);
    assert_eq!(broken.nodes[1].host().expect("a host").sysctls.get("net.ipv4.tcp_sack").map(String::as_str), Some("0"));
    assert_eq!(broken.links[0].pipes[0].loss, Probability::from_percent(1));
    assert!(broken.links[0].pipes[0].rules.is_empty());
    let Program::Send(send) = &broken.steps[1].program else { panic!("{:?}", broken.steps[1]) };
    assert_eq!(send.bytes.octets(), 1000);
}

#[test]
fn a_break_that_cannot_be_is_told_where_it_says_so() {
    let table = [
        (
            "rule.lose-3.nth\" = [3, 4]",
            "rule.lose-4.nth\" = [3, 4]",
            "lab.toml:47:9: unknown place `lose-4`; there are `lose-3`; did you mean `lose-3`?",
        ),
        (
            "link.client-server.rule.lose-3.nth\" = [3, 4]",
            "node.sever.live\" = \"stack\"",
            "lab.toml:47:9: unknown place `sever`; there are `client`, `server`; did you mean `server`?",
        ),
        (
            "link.client-server.rule.lose-3.nth\" = [3, 4]",
            "link.client-server.los\" = \"1%\"",
            "lab.toml:47:9: unknown field `los`; expected one of `between`, `mtu`, `delay`, `jitter`, `rate`, `queue`, \
             `loss`, `reorder`, `reorder_by`, `duplicate`, `corrupt`, `from`, `rule`; did you mean `loss`?",
        ),
        ("[3, 4]", "[3, 0]", "lab.toml:47:48: `nth` counts from 1; leave it out to mean every match"),
        (
            "link.client-server.rule.lose-3.nth\" = [3, 4]",
            "seed.low\" = 1",
            "lab.toml:47:9: cannot set `low` inside a value of type integer",
        ),
    ];
    for (from, to, message) in table {
        assert_eq!(wrong(from, to), message, "with {to}");
    }
}

#[test]
fn a_break_may_claim_things_of_its_own() {
    let own = "\n[[break.expect]]\nid = \"two\"\nthat = \"Two copies\"\ncount = \"again\"\nis = 2\n";
    let lab = Definition::parse("lab.toml", &format!("{LAB}{own}")).expect("the lab is right");
    assert!(lab.breaks[0].has_own_checks);
    assert_eq!(lab.checks[0].id, "one-resend");
    let broken = lab.with_break("twice").expect("the lab has this break");
    assert_eq!(broken.checks.iter().map(|check| check.id.as_str()).collect::<Vec<_>>(), ["two"]);
}

#[test]
fn a_break_that_a_lab_does_not_have_is_answered_with_those_it_has() {
    let error = good().with_break("thrice").expect_err("no such break").to_string();
    assert_eq!(error, "lab 20-small has no break `thrice`; it has `twice`");
}

#[test]
fn a_command_has_addresses_where_it_named_nodes() {
    let run = "run = { send = { to = \"server:9000\", bytes = \"16KB\" } }";
    let on_a_kernel = LAB.replacen("\"stack\"", "\"linux\"", 1);
    let with = |exec: &str| on_a_kernel.replace(run, &format!("{run}\nexec = {exec}"));
    let lab = Definition::parse("lab.toml", &with(r#"["curl", "http://{server}:80/{client}"]"#)).expect("right");
    assert_eq!(lab.steps[1].exec, Some(vec!["curl".to_owned(), "http://10.0.0.2:80/10.0.0.1".to_owned()]));
    let lab = Definition::parse("lab.toml", &with(r#"["curl", "--data", "{{\"to\": \"{server}\"}"]"#)).expect("right");
    let command = lab.steps[1].exec.clone().unwrap_or_default();
    assert_eq!(command.last().map(String::as_str), Some("{\"to\": \"10.0.0.2\"}"), "two braces stand for one");
    let error = Definition::parse("lab.toml", &with(r#"["curl", "http://{sever}/"]"#)).expect_err("no such node");
    assert_eq!(
        error.to_string(),
        "lab.toml:32:17: unknown node `sever`; the lab has `client`, `server`; did you mean `server`?"
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

#[test]
fn no_text_makes_reading_panic() {
    // Every prefix of a right file is a broken file that an editor may have left.
    for end in 0..LAB.len() {
        let _ = Definition::parse("lab.toml", &LAB[..end]);
    }
    // And so is a file with one character wrong anywhere.
    for at in 0..LAB.len() {
        let mut text = LAB.to_owned();
        text.replace_range(at..=at, "\"");
        let _ = Definition::parse("lab.toml", &text);
    }
}

/// The lab whose check says that `falsifier` falsifies it.
fn falsified_by(falsifier: &str) -> String {
    LAB.replace("is = 1\n", &format!("is = 1\nfalsified_by = {falsifier}\n"))
}

#[test]
fn what_falsifies_a_check_can_be_done() {
    let done = |falsifier: &str| {
        let lab = Definition::parse("lab.toml", &falsified_by(falsifier)).expect("the lab is right");
        lab.falsified("one-resend").expect("the check says it")
    };
    assert_eq!(done(r#"{ break = "twice" }"#).links[0].pipes[0].rules[0].nth, [3, 4]);
    assert!(done(r#"{ rule = "lose-3" }"#).links[0].pipes[0].rules.is_empty());
    let set = done(r#"{ set = { "link.client-server.rule.lose-3.nth" = 7, "seed" = 2 } }"#);
    assert_eq!((set.links[0].pipes[0].rules[0].nth.as_slice(), set.seed), (&[7][..], 2));
    assert_eq!(set.broken, None, "the claims are the lab's own");
    assert!(good().falsified("one-resend").is_none(), "this check does not say what falsifies it");
}

#[test]
fn a_falsifier_that_cannot_be_is_told_where_it_says_so() {
    let table = [
        (r#"{ set = { "step.3.on" = "client" } }"#, "lab.toml:42:26: unknown place `3`; there are `1`, `2`"),
        (
            r#"{ break = "thrice" }"#,
            "lab.toml:42:16: unknown break `thrice`; the lab has `twice`; did you mean `twice`?",
        ),
        (
            r#"{ rule = "lose-4" }"#,
            "lab.toml:42:16: unknown rule `lose-4`; the lab has `lose-3`; did you mean `lose-3`?",
        ),
        (
            r#"{ edit = "ask for two" }"#,
            "lab.toml:42:18: unknown variant `edit`; expected one of `break`, `rule`, `set`",
        ),
    ];
    for (falsifier, message) in table {
        let error = Definition::parse("lab.toml", &falsified_by(falsifier)).expect_err("it cannot be");
        assert_eq!(error.to_string(), message);
    }
}
