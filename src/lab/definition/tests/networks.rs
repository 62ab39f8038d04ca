//! Networks of more than one link: who gets which address, and where packets go.

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::forward::{Mapping, MssClamp, Rejection, Verdict};
use crate::link::{Discipline, QueueConfig};

/// Hosts, routers and links in a few words; `more` goes into the file.
fn lab_of(hosts: &[&str], routers: &[&str], switches: &[&str], links: &[(&str, &str)], more: &str) -> String {
    let mut text = String::from("id = \"50-net\"\ntitle = \"Net\"\nsummary = \"One.\"\nminutes = 5\nseed = 1\n");
    hosts.iter().for_each(|name| text += &format!("[node.{name}]\nlive = \"stack\"\n"));
    routers.iter().for_each(|name| text += &format!("[router.{name}]\n"));
    switches.iter().for_each(|name| text += &format!("[switch.{name}]\n"));
    links.iter().for_each(|(one, other)| text += &format!("[[link]]\nbetween = [\"{one}\", \"{other}\"]\n"));
    text + more
}

fn read(text: &str) -> Definition {
    Definition::parse("lab.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refused(text: &str) -> String {
    Definition::parse("lab.toml", text).expect_err(text).to_string()
}

/// A node's addresses, and its routes as `prefix via router`.
fn of(lab: &Definition, name: &str) -> (Vec<String>, Vec<String>) {
    let node = &lab.nodes[usize::from(lab.node(name).expect(name).0)];
    let addresses = node.addresses().map(|(address, prefix)| format!("{address}/{prefix}")).collect();
    let route = |route: &Route| {
        let via = lab.names().name_of(route.via).expect("a node's").to_owned();
        format!("{}/{} via {via} at {}", route.prefix.0, route.prefix.1, route.interface)
    };
    (addresses, node.routes.iter().map(route).collect())
}

const CHAIN: [(&str, &str); 4] = [("client", "r1"), ("r1", "r2"), ("r2", "r3"), ("r3", "server")];

#[test]
fn a_chain_of_routers_has_a_prefix_for_each_link_and_the_shortest_way_to_each() {
    let lab = read(&lab_of(&["client", "server"], &["r1", "r2", "r3"], &[], &CHAIN, ""));
    assert_eq!(of(&lab, "client"), (vec!["10.0.0.1/24".into()], vec!["0.0.0.0/0 via r1 at 0".into()]));
    assert_eq!(of(&lab, "server"), (vec!["10.0.3.2/24".into()], vec!["0.0.0.0/0 via r3 at 0".into()]));
    let (addresses, routes) = of(&lab, "r2");
    assert_eq!(addresses, ["10.0.1.2/24", "10.0.2.1/24"]);
    assert_eq!(routes, ["10.0.0.0/24 via r1 at 0", "10.0.3.0/24 via r3 at 1"]);
    let (_, routes) = of(&lab, "r1");
    assert_eq!(routes, ["10.0.2.0/24 via r2 at 1", "10.0.3.0/24 via r2 at 1"]);
}

#[test]
fn of_two_ways_the_shorter_is_taken_and_of_equal_ones_the_first_that_the_file_names() {
    let square = [("a", "r1"), ("r1", "r2"), ("r1", "r3"), ("r2", "r4"), ("r3", "r4"), ("r4", "b"), ("r3", "c")];
    let lab = read(&lab_of(&["a", "b", "c"], &["r1", "r2", "r3", "r4"], &[], &square, ""));
    let (_, routes) = of(&lab, "r1");
    assert!(routes.contains(&"10.0.5.0/24 via r2 at 1".to_owned()), "to b, over r2: {routes:?}");
    assert!(routes.contains(&"10.0.6.0/24 via r3 at 2".to_owned()), "to c, over r3: {routes:?}");
}

#[test]
fn what_the_file_says_of_a_way_comes_first() {
    let more = "[router.r2.routes]\n\"10.0.3.0/24\" = \"r1\"\ndefault = \"r3\"\n";
    let text = lab_of(&["client", "server"], &["r1", "r3"], &[], &CHAIN, &format!("[router.r2]\n{more}"));
    let (_, routes) = of(&read(&text), "r2");
    let expected =
        ["10.0.3.0/24 via r1 at 0", "0.0.0.0/0 via r3 at 1", "10.0.0.0/24 via r1 at 0", "10.0.3.0/24 via r3 at 1"];
    assert_eq!(routes, expected, "a loop, if somebody wants one");
}

#[test]
fn all_links_of_a_switch_are_one_segment() {
    let links = [("a", "s1"), ("b", "s1"), ("s1", "s2"), ("c", "s2"), ("s2", "r1"), ("r1", "d")];
    let lab = read(&lab_of(&["a", "b", "c", "d"], &["r1"], &["s1", "s2"], &links, ""));
    let first = |name: &str| of(&lab, name).0.concat();
    let addresses = ["a", "b", "c", "d"].map(first);
    assert_eq!(addresses, ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.1.2/24"]);
    assert_eq!(of(&lab, "r1").0, ["10.0.0.4/24", "10.0.1.1/24"]);
    assert_eq!(of(&lab, "c").1, ["0.0.0.0/0 via r1 at 0"]);
    assert!(lab.nodes.iter().filter(|node| node.is_switch()).all(|node| node.address().is_none()));
}

#[test]
fn a_host_may_name_its_gateway_and_a_router_its_addresses_of_both_families() {
    let text = r#"
id = "50-net"
title = "Net"
summary = "One."
minutes = 5
seed = 1
[node.a]
live = "stack"
gateway = "r2"
addresses = ["fd00:1::7/64", "192.168.1.7/16"]
[router.r1]
addresses = { s = ["192.168.1.1/16", "fd00:1::1/64"] }
[router.r2]
addresses = { s = ["192.168.1.2/16", "fd00:1::2/64"], b = ["fd00:2::1/64"] }
[node.b]
live = "stack"
addresses = ["fd00:2::2/64"]
[switch.s]
[[link]]
between = ["a", "s"]
[[link]]
between = ["r1", "s"]
[[link]]
between = ["r2", "s"]
[[link]]
between = ["r2", "b"]
"#;
    let lab = read(text);
    let expected = ["0.0.0.0/0 via r2 at 0", "::/0 via r2 at 0", "0.0.0.0/0 via r1 at 0", "::/0 via r1 at 0"];
    assert_eq!(of(&lab, "a").1, expected);
    assert_eq!(of(&lab, "r1").1, ["fd00:2::/64 via r2 at 0"]);
    assert_eq!(of(&lab, "b").1, ["::/0 via r2 at 0"]);
    let names: Vec<&str> = lab.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["a", "r1", "r2", "b", "s"], "as the file has them");
    let wrong = text.replace("gateway = \"r2\"", "gateway = \"r3\"");
    let told = "lab.toml:9:11: unknown gateway `r3`; the routers on its segment are `r1`, `r2`";
    assert_eq!(refused(&wrong), told);
}

#[test]
fn a_router_does_what_the_file_says() {
    let more = r#"
[router.r2]
icmp = false
otherwise = "prohibit"
stateful = true
mss_clamp = 1260
nat = { outside = "r3", mapping = "symmetric", idle = "30s", forward = [{ protocol = "tcp", port = 8080, to = "client:80" }] }
[[router.r2.rule]]
id = "web"
from = "r1"
to = "r3"
when = "tcp.dstport == 443"
do = "accept"
[[router.r2.rule]]
id = "mail"
when = "tcp.dstport == 25"
do = "reject"
"#;
    let lab = read(&lab_of(&["client", "server"], &["r1", "r3"], &[], &CHAIN, more));
    let node = &lab.nodes[usize::from(lab.node("r2").expect("it is there").0)];
    let NodeKind::Router(router) = &node.kind else { panic!("r2 is a router") };
    assert!(!router.icmp && router.stateful);
    assert_eq!(router.otherwise, Verdict::Reject(Rejection::Prohibited));
    assert_eq!(router.mss_clamp, Some(MssClamp::To(1260)));
    let rules: Vec<_> = router.rules.iter().map(|rule| (rule.id.as_str(), rule.from, rule.to, rule.verdict)).collect();
    let expected =
        [("web", Some(0), Some(1), Verdict::Accept), ("mail", None, None, Verdict::Reject(Rejection::Reset))];
    assert_eq!(rules, expected);
    let nat = router.nat.as_ref().expect("it translates");
    assert_eq!((nat.outside.0, nat.mapping, nat.idle), (1, Mapping::Symmetric, Duration::from_secs(30)));
    assert_eq!((nat.forwards[0].port, nat.forwards[0].to.to_string()), (8080, "10.0.0.1:80".to_owned()));
    let config = router.config(node, crate::packet::Medium::Ip, 1, |_| [0; 6]);
    let mtus: Vec<usize> = config.ports.iter().map(|port| port.mtu).collect();
    assert_eq!((mtus, config.routes.len(), config.icmp_errors), (vec![1500, 1500], 2, false));
}

#[test]
fn a_queue_is_a_number_or_says_who_leaves_it() {
    let queue = |text: &str| {
        let links = format!("[[link]]\nbetween = [\"a\", \"b\"]\nqueue = {text}\n");
        lab_of(&["a", "b"], &[], &[], &[], &links)
    };
    let of = |text: &str| read(&queue(text)).links[0].pipes[0].queue;
    assert_eq!(of("7"), QueueConfig::fifo(7));
    assert_eq!(of("{ packets = 7, discipline = \"codel\" }"), QueueConfig::codel(7));
    let marks = Discipline::CoDel { target: Duration::from_millis(2), interval: Duration::from_millis(100), ecn: true };
    let told = of("{ discipline = \"codel\", target = \"2ms\", ecn = true }");
    assert_eq!(told, QueueConfig { packets: 1000, discipline: marks });
    let marks = QueueConfig { packets: 9, discipline: Discipline::Fifo { mark_above: Some(3) } };
    assert_eq!(of("{ packets = 9, mark_above = 3 }"), marks);
    for (text, told) in [
        ("0", "`queue` is at least 1: a packet waits there while it is sent"),
        ("{ ecn = true }", "`target`, `interval` and `ecn` are CoDel's"),
        ("{ discipline = \"codel\", mark_above = 3 }", "`mark_above` is for a queue without CoDel"),
        ("{ packet = 3 }", "unknown field `packet`"),
        ("\"long\"", "expected a number of packets, or a table such as"),
    ] {
        let error = refused(&queue(text));
        assert!(error.starts_with("lab.toml:12:") && error.contains(told), "{text}: {error}");
    }
}

/// What is wrong with a network, with its place.
#[test]
fn a_network_that_cannot_be_is_told_at_its_place() {
    let hosts = ["client", "server"];
    let three = [("client", "r1"), ("r1", "server")];
    for (hosts, links, more, told) in [
        (
            &hosts[..],
            &[("client", "r1"), ("client", "server")][..],
            "",
            "host `client` has a link already, and a host has one",
        ),
        (&hosts, &[("client", "client")], "", "`client` cannot be linked with itself"),
        (
            &hosts,
            &three,
            "[[step]]\non = \"r1\"\nrun = { sink = { port = 1 } }",
            "`r1` passes packets on and runs no programs",
        ),
        (&hosts, &three, "[switch.client]", "there is a node `client` already"),
        (&hosts, &three, "[switch.s]", "node `s` has no link"),
        (&hosts, &three, "[switch.s]\nage = 5", "`age`: "),
        (&["client"], &[("client", "r1")], "[switch.r1]", "there is a node `r1` already"),
    ] {
        let error = refused(&lab_of(hosts, &["r1"], &[], links, more));
        assert!(error.contains(told), "{told}\n{error}");
    }
    for (router, told) in [
        (
            "routes = { \"10.9.0.0\" = \"r1\" }",
            "expected a prefix such as \"10.0.9.0/24\", or `default`; found `10.9.0.0`",
        ),
        ("routes = { default = \"server\" }", "`server` is on none of its segments; name a neighbour"),
        ("routes = { \"fd00::/64\" = \"r1\" }", "`r1` has no address of this family on the way"),
        ("addresses = { server = [\"10.0.0.9/24\"] }", "unknown neighbour `server`; `r2` is linked with `r1`, `r3`"),
        ("addresses = { r1 = [\"10.0.0.1/24\"] }", "has the address 10.0.0.1, which is"),
        ("nat = { outside = \"client\" }", "unknown neighbour `client`"),
        (
            "nat = { outside = \"r1\", forward = [{ protocol = \"tcp\", port = 1, to = \"sever:1\" }] }",
            "unknown IPv4 host `sever`",
        ),
        ("mss_clamp = \"yes\"", "expected a number of octets such as 1260, or \"mtu\""),
        ("mss_clamp = 0", "`mss_clamp` is at least 1 octet, or \"mtu\""),
        ("otherwise = \"refuse\"", "unknown variant `refuse`"),
        ("rule = [{ id = \"x\", when = \"tcp.prot == 1\", do = \"drop\" }]", "bad filter"),
        ("rule = [{ id = \"x\", when = \"tcp.stream == 1\", do = \"drop\" }]", "choose the connection by `tcp.port`"),
        ("rule = [{ id = \"x\", when = 'event.kind == \"state\"', do = \"drop\" }]", "a router sees packets only"),
        (
            "rule = [{ id = \"x\", when = \"tcp\", do = \"drop\" }, { id = \"x\", when = \"tcp\", do = \"drop\" }]",
            "there is a rule `x` already",
        ),
        ("rule = [{ id = \"x\", from = \"client\", when = \"tcp\", do = \"drop\" }]", "unknown neighbour `client`"),
    ] {
        let more = format!("[router.r2]\n{router}\n");
        let error = refused(&lab_of(&["client", "server"], &["r1", "r3"], &[], &CHAIN, &more));
        assert!(error.starts_with("lab.toml:") && error.contains(told), "{router}\n{told}\n{error}");
    }
}

#[test]
fn a_segment_has_room_for_254_nodes() {
    let names: Vec<String> = (0..255).map(|number| format!("h{number}")).collect();
    let hosts: Vec<&str> = names.iter().map(String::as_str).collect();
    let links: Vec<(&str, &str)> = hosts.iter().map(|host| (*host, "s")).collect();
    let full = read(&lab_of(&hosts[..254], &[], &["s"], &links[..254], ""));
    assert_eq!(full.nodes[253].address(), Some("10.0.0.254".parse::<IpAddr>().expect("an address")));
    assert!(refused(&lab_of(&hosts, &[], &["s"], &links, "")).contains("no more than 254 nodes"));
}

#[test]
fn a_break_reaches_routers_and_their_rules() {
    let more = r#"
[router.r2]
[[router.r2.rule]]
id = "web"
when = "tcp.dstport == 443"
do = "accept"
[[expect]]
id = "one"
that = "One"
count = "tcp"
is = 1
[[break]]
name = "silent"
teaches = "A hop that says nothing"
turns_red = "one"
set = { "router.r2.icmp" = false, "router.r2.rule.web.do" = "drop", "router.r2.routes.default" = "r3" }
"#;
    let lab = read(&lab_of(&["client", "server"], &["r1", "r3"], &[], &CHAIN, more));
    let broken = lab.with_break("silent").expect("it has one");
    let NodeKind::Router(router) = &broken.nodes[usize::from(broken.node("r2").expect("r2").0)].kind else {
        panic!("r2 is a router")
    };
    assert!(!router.icmp && router.rules[0].verdict == Verdict::Drop);
    assert!(of(&broken, "r2").1[0].starts_with("0.0.0.0/0 via r3"));
}

#[test]
fn every_option_of_tcp_reaches_the_stack() {
    use crate::tcp::{Ecn, PathProbing, SynCookies};
    use crate::transport::PathReports;
    let options = r#"
[node.a.tcp]
congestion = "cubic"
hystart = false
ecn = "active"
window_scaling = false
max_segment = 500
initial_window = 2
slow_start_after_idle = false
rto_min = "1s"
rto_initial = "3s"
time_wait = "1s"
path_reports = "ignored"
path_probing = "always"
syn_cookies = "never"
half_open = 8
fast_open = true
trusts_resets = true
"#;
    let lab = read(&lab_of(&["a", "b"], &[], &[], &[("a", "b")], options));
    let tcp = &lab.nodes[0].host().expect("a host").tcp;
    assert_eq!((tcp.hystart, tcp.ecn, tcp.window_scaling), (Some(false), Ecn::Active, false));
    assert_eq!((tcp.max_segment, tcp.initial_window, tcp.slow_start_after_idle), (Some(500), 2, false));
    let spans = [tcp.rto_min, tcp.rto_initial, tcp.time_wait].map(|span| span.as_secs());
    assert_eq!(spans, [1, 3, 1]);
    assert_eq!((tcp.path.reports, tcp.path.probing), (PathReports::Ignored, PathProbing::Always));
    assert_eq!((tcp.syn_cookies, tcp.half_open, tcp.trusts_resets), (SynCookies::Never, 8, true));
    assert!(tcp.fast_open.client && tcp.fast_open.queue > 0);
    let told = refused(&lab_of(&["a", "b"], &[], &[], &[("a", "b")], "[node.a.tcp]\nmax_segment = 0\n"));
    assert!(told.ends_with("`max_segment` is at least 1"), "{told}");
}
