//! What a stack says it has sent again is what tshark sees sent again, in the sender's own capture, and nothing else is.
//!
//! tshark guesses from one file; the stack knows. The table says which guesses are right for which reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use wireglass::lab::Definition;

use super::super::support::{has, wireshark};
use super::{Ran, labs};

/// By the reason that the stack gives for sending again, the flags that tshark may set; one of them it must set.
///
/// To tshark it is a *fast* retransmission whenever two duplicate ACKs came within 20 ms before it, also when in truth the
/// timer fired then. And octets below others that were sent less than a round trip ago look to it as if they had been
/// overtaken: so it takes for *out of order* the second hole that SACK shows, and what the timer sends again while newer
/// octets are still on their way.
const ALLOWED_FLAGS: [(&str, &[&str]); 8] = [
    ("retransmit-by-timer", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
    ("retransmit-after-timer", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
    ("retransmit-by-duplicate-acks", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
    ("retransmit-by-partial-ack", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
    ("retransmit-by-sack", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
    ("retransmit-by-rack", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
    ("retransmit-for-path-mtu", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
    ("tail-loss-probe", &[RETRANSMISSION, FAST_RETRANSMISSION, OUT_OF_ORDER]),
];

const RETRANSMISSION: &str = "tcp.analysis.retransmission";
const FAST_RETRANSMISSION: &str = "tcp.analysis.fast_retransmission";
const SPURIOUS_RETRANSMISSION: &str = "tcp.analysis.spurious_retransmission";
const OUT_OF_ORDER: &str = "tcp.analysis.out_of_order";

/// Everything by which tshark says that octets came again, or in another order than they were sent in.
const FLAGS: [&str; 4] = [RETRANSMISSION, FAST_RETRANSMISSION, SPURIOUS_RETRANSMISSION, OUT_OF_ORDER];

/// A packet as tshark sees it.
pub(super) struct Packet {
    pub(super) id: u64,
    /// What was asked and is there, by the field's name.
    fields: BTreeMap<&'static str, String>,
    /// Which of [`FLAGS`] it bears.
    pub(super) flags: Vec<&'static str>,
}

impl Packet {
    pub(super) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Whether it, and not a packet that an ICMP error quotes, comes from this address.
    pub(super) fn is_from(&self, address: &str) -> bool {
        self.field("ip.src") == address
    }
}

/// Every packet of a file, with the fields that are asked for.
pub(super) fn packets(file: &Path, asked: &[&'static str]) -> Vec<Packet> {
    let names = [&["frame.packet_id"], asked, &FLAGS[..]].concat();
    let packet = |line: &String| {
        let mut columns = names.iter().copied().zip(line.split('\t')).filter(|(_, value)| !value.is_empty());
        let id = columns.next().and_then(|(_, id)| id.parse().ok()).expect("each packet has an id");
        let (flags, fields): (Vec<_>, Vec<_>) = columns.partition(|(name, _)| FLAGS.contains(name));
        Packet {
            id,
            fields: fields.into_iter().map(|(name, value)| (name, value.to_owned())).collect(),
            flags: flags.into_iter().map(|(name, _)| name).collect(),
        }
    };
    wireshark::fields(&names, file).iter().map(packet).collect()
}

/// By packet id, the reason of everything that the stack of `node` says it has sent again.
pub(super) fn reasons(ran: &Ran, node: &str) -> BTreeMap<u64, String> {
    let journal = fs::read_to_string(ran.file("journal.jsonl")).expect("a run has a journal");
    let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    lines
        .filter(|line| line["node_name"] == node && line["kind"] == "packet-sent")
        .filter_map(|line| Some((line["packet"].as_u64()?, line["why"]["reason"].as_str()?.to_owned())))
        .filter(|(_, reason)| reason.starts_with("retransmit-") || reason == "tail-loss-probe")
        .collect()
}

/// Where tshark and the stack at `address` are not of one mind about a packet that it sent, a sentence for each.
pub(super) fn disagreements(told: &BTreeMap<u64, String>, packets: &[Packet], address: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for packet in packets.iter().filter(|packet| packet.is_from(address)) {
        let reason = told.get(&packet.id).map_or("", String::as_str);
        let allowed = ALLOWED_FLAGS.iter().find(|(known, _)| *known == reason).map_or(&[][..], |(_, flags)| flags);
        let is_right = packet.flags.iter().all(|flag| allowed.contains(flag));
        if !is_right || packet.flags.is_empty() != reason.is_empty() {
            wrong.push(format!("packet id {}: the stack says {reason:?}, tshark {:?}", packet.id, packet.flags));
        }
    }
    wrong
}

/// A run of a lab, and how often something was sent again in it.
fn judge(lab: &Definition, arguments: &[&str]) -> usize {
    let ran = Ran::of(&lab.id, &[&["--mode", "sim"], arguments].concat());
    let mut again = 0;
    for node in lab.nodes.iter().filter(|node| node.host().is_some()) {
        let (address, _) = node.addresses().next().expect("a host has an address");
        let told = reasons(&ran, &node.name);
        let seen = packets(&ran.file(&format!("{}.pcapng", node.name)), &["ip.src"]);
        assert!(told.keys().all(|id| seen.iter().any(|packet| packet.id == *id)), "{} {arguments:?}: {told:?}", lab.id);
        let wrong = disagreements(&told, &seen, &address.to_string());
        assert!(wrong.is_empty(), "{} {arguments:?}: {}: {}", lab.id, node.name, wrong.join("\n"));
        again += told.len();
    }
    again
}

#[test]
fn tshark_sees_sent_again_what_the_stack_says_it_has_sent_again_and_nothing_else() {
    if !has("tshark_sees_sent_again_what_the_stack_says_it_has_sent_again_and_nothing_else", "tshark") {
        return;
    }
    let mut again = 0;
    for folder in labs() {
        let lab = Definition::load(&folder).unwrap_or_else(|error| panic!("{error}"));
        // smoltcp says nothing itself: what it has sent again is read from its segments.
        for stack in lab.stacks.iter().map(ToString::to_string) {
            again += judge(&lab, &["--stack", &stack]);
            for each in &lab.breaks {
                again += judge(&lab, &["--stack", &stack, "--break", &each.name]);
            }
        }
    }
    assert!(again > 20, "only {again} in all");
}
