//! Comparing, without a kernel: what is measured of a lab, and what is said of one that is not for comparing.

use super::*;

/// Two nodes; `client` sends 40,000 octets over a link of 10 Mbit/s and 20 ms that does `rule` to the fifth segment.
fn lab(run: &str, tcp: &str) -> Definition {
    let text = format!(
        r#"
id = "90-made-up"
title = "Made up"
summary = "A transfer."
minutes = 1
rfc = []
seed = 3

[node.client]
live = "stack"
sim = "stack"
{tcp}

[node.server]
live = "linux"
sim = "stack"

[[link]]
between = ["client", "server"]
delay = "10ms"
rate = "10mbit"

[[link.rule]]
id = "lose"
from = "client"
when = "tcp.len > 0"
nth = 5
do = "drop"

[[step]]
on = "server"
run = {{ sink = {{ port = 9000 }} }}

[[step]]
on = "client"
run = {run}

[[expect]]
id = "sends"
that = "Something is sent"
count = "tcp.len > 0 && ip.src == client"
at_least = 1
"#
    );
    Definition::parse("lab.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

const SEND: &str = r#"{ send = { to = "server:9000", bytes = "40000B" } }"#;

fn simulated_figures(lab: &Definition, subject: Subject, stack: StackKind) -> Figures {
    let column = simulated(lab, &CompareOptions::default(), subject, stack).expect("it runs");
    assert_eq!((column.failures, column.notes), (Vec::new(), Vec::new()));
    column.figures.expect("a simulation always has some")
}

#[test]
fn the_same_loss_is_measured_on_both_stacks_and_only_native_tells_its_window() {
    let lab = lab(SEND, "");
    let native = simulated_figures(&lab, Subject::Native, StackKind::Native);
    let smoltcp = simulated_figures(&lab, Subject::Smoltcp, StackKind::Smoltcp);
    for figures in [&native, &smoltcp] {
        assert_eq!((figures.connections, figures.lost), (1, 1), "{figures:?}");
        assert!(figures.retransmissions >= 1 && figures.goodput > Some(100_000), "{figures:?}");
        assert!(figures.recovery.is_some_and(|span| span.as_millis() >= 20), "{figures:?}");
    }
    let window = native.window.expect("native tells");
    assert!(window.before >= Some(10) && window.after < window.before, "{window:?}");
    assert_eq!((native.tells_window, smoltcp.tells_window, smoltcp.window), (true, false, None));
}

#[test]
fn a_window_without_limit_is_told_as_such() {
    let figures = simulated_figures(&lab(SEND, r#"tcp = { congestion = "none" }"#), Subject::Native, StackKind::Native);
    assert_eq!(figures.window.map(|window| window.before), Some(None), "{figures:?}");
}

#[test]
fn a_lab_without_tcp_is_refused_with_where_to_look() {
    let over_udp = r#"{ message-send = { to = "server:9000", over = "udp", count = 1, size = "10B", every = "1ms" } }"#;
    let error = compare(&lab(over_udp, ""), &CompareOptions::default()).expect_err("there is nothing to compare");
    assert_eq!(
        error.to_string(),
        "the lab 90-made-up moves nothing over TCP, so there is no TCP to compare; `wireglass list` has the labs"
    );
}

#[test]
fn on_kernels_every_node_is_one_and_every_program_built_in() {
    let mut lab = lab(SEND, "");
    lab.steps[1].exec = Some(vec!["curl".to_owned()]);
    let kernels = on_kernels(&lab);
    assert!(kernels.nodes.iter().all(|node| node.live == NodeKind::Linux));
    assert!(kernels.steps.iter().all(|step| step.exec.is_none()));
}

#[test]
fn what_the_kernel_has_is_told_and_what_it_refused_too() {
    let plain = lab(SEND, "");
    assert_eq!(kernel_notes(&plain, &["reno"]), ["congestion control: reno, read back from the kernel"]);
    let refused = kernel_notes(&lab(SEND, r#"tcp = { congestion = "cubic" }"#), &["bbr"]);
    assert!(refused[0].contains("bbr") && refused[1].starts_with("asked for cubic, reno: "), "{refused:?}");
    let none = kernel_notes(&lab(SEND, r#"tcp = { congestion = "none", send_buffer = "20kB" }"#), &["reno"]);
    assert_eq!(
        none[1..],
        [
            "the lab wants no congestion control at all, which Linux does not have",
            "client kept Linux's own send_buffer: no sysctl says what the lab says",
        ]
    );
}

#[test]
fn what_of_the_labs_tcp_a_kernel_was_told_is_said_and_what_the_lab_says_to_it_itself_goes_first() {
    let said = r#"tcp = { rack = false, ecn = "active", sack = false }"#;
    let notes = |more: &str| kernel_notes(&lab(SEND, &format!("{said}\n{more}")), &["reno"])[1..].to_vec();
    let rack = "newer kernels (6.18 for one) have nothing but RACK: there tcp_recovery=0 changes nothing";
    assert_eq!(
        notes(""),
        [
            "client was set to net.ipv4.tcp_sack=0, net.ipv4.tcp_recovery=0, net.ipv4.tcp_ecn=1, as the lab's `tcp` says",
            rack,
        ]
    );
    let own = r#"sysctl = { "net.ipv4.tcp_sack" = 1, "net.ipv4.tcp_ecn" = 0 }"#;
    assert_eq!(notes(own), ["client was set to net.ipv4.tcp_recovery=0, as the lab's `tcp` says", rack]);
}

#[test]
fn each_column_keeps_its_captures_in_a_folder_of_its_own() {
    let out = std::env::temp_dir().join(format!("wireglass-compare-{}", std::process::id()));
    let options = CompareOptions { out: Some(out.clone()), ..CompareOptions::default() };
    let column = simulated(&lab(SEND, ""), &options, Subject::Smoltcp, StackKind::Smoltcp).expect("it runs");
    let expected = ["client", "server"].map(|node| out.join("smoltcp").join(format!("{node}.pcapng")));
    let are_there = expected.iter().all(|file| file.is_file());
    std::fs::remove_dir_all(&out).expect("it was made");
    assert_eq!((column.captures, are_there), (expected.to_vec(), true));
}
