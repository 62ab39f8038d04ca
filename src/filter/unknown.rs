//! What is said of a name that no field has, and of fields that not everybody can ask for.

use super::names::Names;
use super::{event, field};

/// How many close names an error offers.
const SUGGESTIONS: usize = 3;

/// Fields that Wireshark works out from several packets, and what to ask for instead.
const WORKED_OUT: [(&str, &str); 18] = [
    ("tcp.window_size", SCALED),
    ("tcp.window_size_scalefactor", SCALED),
    ("tcp.time_delta", SPAN),
    ("tcp.time_relative", SPAN),
    ("udp.time_delta", SPAN),
    ("udp.time_relative", SPAN),
    ("frame.time_delta", SPAN),
    ("frame.time_delta_displayed", SPAN),
    ("dns.time", SPAN),
    ("http.time", SPAN),
    ("icmp.resptime", SPAN),
    ("dns.response_in", PARTNER),
    ("dns.response_to", PARTNER),
    ("http.request_in", PARTNER),
    ("http.response_in", PARTNER),
    ("icmp.resp_in", PARTNER),
    ("frame.time", CLOCK),
    ("frame.time_epoch", CLOCK),
];

const SCALED: &str =
    "the window's scale was agreed on in the handshake; write `tcp.window_size_value`, the number in the header";
const SPAN: &str = "it lies between two packets; a check asks for it with `gap`, from one selection to another";
const PARTNER: &str = "it is the number of another packet; select both by what they carry, such as `dns.id` or a port";
const CLOCK: &str = "a run has a clock of its own; write `frame.time_relative`, the seconds since the first packet";

/// Fields that only a capture knows, and what a rule that sees single packets asks for instead.
const OF_A_CAPTURE: [(&str, &str); 9] = [
    ("frame.number", COUNTS),
    ("frame.time_relative", COUNTS),
    ("tcp.stream", "choose the connection by `tcp.port`, or by `ip.addr` and `tcp.port`"),
    ("udp.stream", "choose the conversation by `udp.port`, or by `ip.addr` and `udp.port`"),
    ("tcp.seq", RELATIVE),
    ("tcp.nxtseq", RELATIVE),
    ("tcp.ack", RELATIVE),
    ("tcp.options.sack_le", RELATIVE),
    ("tcp.options.sack_re", RELATIVE),
];

const COUNTS: &str = "choose packets by what they are; a link's rule counts them with `nth`";
const RELATIVE: &str = "it counts from where the connection began. Write `tcp.flags.syn == 1` for the first number, \
                        `tcp.len > 0` for data, and let a link's rule count with `nth`; or `tcp.seq_raw`, `tcp.ack_raw`";

/// Why a rule that sees single packets cannot ask for the field, as a sentence; `None` when it can.
pub(super) fn refusal_for_single_packets(name: &str) -> Option<String> {
    let (_, instead) = OF_A_CAPTURE.iter().find(|(known, _)| *known == name)?;
    Some(format!("a rule sees single packets and does not know `{name}`, so it would never match: {instead}"))
}

/// What is said of a name that no field has.
pub(super) fn unknown_field(name: &str, names: &Names) -> String {
    if let Some(member) = name.strip_prefix(event::PREFIX) {
        return format!("events have no member `{member}`{}", closest(member, event::MEMBERS.into_iter()));
    }
    if names.lookup(name).is_some() {
        return format!("`{name}` is a node; compare an address with it, as in `ip.addr == {name}`");
    }
    if name.starts_with("tcp.analysis") {
        return "Wireshark guesses `tcp.analysis` from what it saw; here the stack itself tells: \
                `event.kind == retransmit`, `event.kind == duplicate-ack`"
            .to_owned();
    }
    if let Some((_, instead)) = WORKED_OUT.iter().find(|(known, _)| *known == name) {
        return format!("Wireshark works `{name}` out from several packets, which is not done here: {instead}");
    }
    if name.starts_with(|character: char| character.is_ascii_digit()) {
        return format!("expected a field before the value `{name}`");
    }
    format!("no field is called `{name}`{}; {}", closest(name, field::names()), relatives(name))
}

/// Every field of the protocol that a name begins with, or every protocol.
fn relatives(name: &str) -> String {
    let protocol = name.split('.').next().unwrap_or_default();
    let is_of_it = |known: &&str| known.strip_prefix(protocol).is_some_and(|rest| rest.starts_with('.'));
    let fields: Vec<&str> = field::names().filter(is_of_it).collect();
    if fields.is_empty() {
        let protocols: Vec<&str> = field::names().filter(|known| !known.contains('.')).collect();
        return format!("there are the protocols {}, with fields that docs/labs.md lists", protocols.join(", "));
    }
    format!("`{protocol}` has {}", fields.join(", "))
}

/// The known names that look most like `name`, as the end of a sentence.
pub(super) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let mut scored: Vec<(f64, &str)> =
        known.map(|known| (strsim::jaro_winkler(name, known), known)).filter(|(score, _)| *score > 0.75).collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0));
    let offered: Vec<String> = scored.iter().take(SUGGESTIONS).map(|(_, known)| format!("`{known}`")).collect();
    if offered.is_empty() { String::new() } else { format!("; closest: {}", offered.join(", ")) }
}
