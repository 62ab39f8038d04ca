use super::*;
use crate::check::{Bound, Only, Question, Selected};
use crate::link::Action;
use std::time::Duration;

mod mistakes;
mod mutations;
mod networks;
mod variants;

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
fn what_a_program_is_given_may_be_any_text() {
    let body = r#"{ http-server = { port = 9000, path = "/", body = "a\u001b\nb" } }"#;
    let text = LAB.replace("{ sink = { port = 9000 } }", body);
    assert!(Definition::parse("lab.toml", &text).is_ok());
    let text = LAB.replace("when = \"tcp.len > 0\"", "when = \"\"\"tcp.len > 0\n\t&& tcp.seq_raw != 1\"\"\"");
    assert!(Definition::parse("lab.toml", &text).is_ok(), "a filter may have several lines");
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
