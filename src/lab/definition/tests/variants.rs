//! What is laid over a lab: its breaks, and what falsifies its checks.

use super::*;
use crate::rng::Probability;

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
            "lab.toml:42:18: unknown variant `edit`; expected one of `break`, `fault`, `rule`, `set`",
        ),
    ];
    for (falsifier, message) in table {
        let error = Definition::parse("lab.toml", &falsified_by(falsifier)).expect_err("it cannot be");
        assert_eq!(error.to_string(), message);
    }
}

const FAULT: &str = r#"
[[fault]]
name = "two-lost"
explains = "Two are lost."
turns_red = "one-resend"
layer = "link"
hop = ["client-server"]
packet = [{ of = "data", at = "server" }]
set = { "link.client-server.rule.lose-3.nth" = [3, 5] }
"#;

#[test]
fn a_fault_is_laid_over_a_lab_without_being_named_as_a_break() {
    let lab = Definition::parse("lab.toml", &format!("{LAB}{FAULT}")).expect("the lab is right");
    let with = lab.with_fault(&lab.faults[0]).expect("it was read with the lab");
    assert_eq!(with.links[0].pipes[0].rules[0].nth, [3, 5]);
    assert_eq!((with.broken.as_deref(), with.hidden.as_deref()), (None, Some("two-lost")));
    assert_eq!(with.hidden_fault().map(|fault| fault.layer), Some(Layer::Link));
    assert_eq!((lab.hidden.as_deref(), lab.hidden_fault().is_none()), (None, true));
    let moved =
        with.with_addresses(&BTreeMap::from([("client".to_owned(), vec!["10.1.0.1".parse().expect("an address")])]));
    assert_eq!(moved.expect("both have one").links[0].pipes[0].rules[0].nth, [3, 5], "it stays hidden elsewhere");
}

#[test]
fn a_fault_may_falsify_a_check() {
    let said = LAB.replace("is = 1\n", "is = 1\nfalsified_by = { fault = \"two-lost\" }\n");
    let lab = Definition::parse("lab.toml", &format!("{said}{FAULT}")).expect("the lab is right");
    let falsified = lab.falsified("one-resend").expect("it says what falsifies it");
    assert_eq!(falsified.links[0].pipes[0].rules[0].nth, [3, 5]);
    assert_eq!(falsified.hidden, None, "nobody has to find it");
}
