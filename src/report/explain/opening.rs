//! A handshake in sentences: who offers what, and what both have then.

use super::{Names, Page, span};
use crate::measure::{Agreed, Connection, End, Handshake, Offer};

/// Tells it, or what is missing of it.
pub(super) fn tell(page: &mut Page, connection: &Connection, names: &Names<'_>) {
    let handshake = &connection.handshake;
    page.line(2, &how(handshake, connection, names));
    for (end, offer) in [(End::Client, &handshake.client), (End::Server, &handshake.server)] {
        if let Some(offer) = offer {
            page.line(4, &format!("{} offers {}", names.of(end), offered(offer)));
        }
    }
    if let Some(agreed) = &handshake.agreed {
        for sentence in consequences(agreed, handshake, names) {
            page.line(4, &sentence);
        }
    }
}

fn how(handshake: &Handshake, connection: &Connection, names: &Names<'_>) -> String {
    let list = |numbers: &[u64]| numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    match (handshake.syns.as_slice(), handshake.syn_acks.as_slice()) {
        ([], []) => "Handshake: not captured; options and shifts of windows are unknown".to_owned(),
        (syns, []) => match connection.resets.iter().find(|reset| reset.refuses) {
            Some(reset) => format!(
                "Handshake: SYN in packet {}, refused by {} in packet {}",
                list(syns),
                names.of(End::Server),
                reset.number
            ),
            None => format!("Handshake: SYN in packet {}, and no answer", list(syns)),
        },
        (syns, answers) => {
            let took = handshake.took.map_or_else(String::new, |took| format!(", {} in all", span(took)));
            let ack = handshake.ack.map_or_else(|| "not captured".to_owned(), |ack| format!("packet {ack}"));
            let syn = if syns.is_empty() { "not captured".to_owned() } else { format!("packet {}", list(syns)) };
            format!("Handshake: SYN {syn}, SYN,ACK packet {}, ACK {ack}{took}", list(answers))
        }
    }
}

fn offered(offer: &Offer) -> String {
    let mut told = Vec::new();
    told.push(offer.mss.map_or("no MSS".to_owned(), |mss| format!("MSS {mss}")));
    told.push(offer.window_scale.map_or("no window scale".to_owned(), |shift| format!("window scale {shift}")));
    told.push(if offer.sack { "SACK" } else { "no SACK" }.to_owned());
    told.push(if offer.time_stamps { "time stamps" } else { "no time stamps" }.to_owned());
    if offer.ecn {
        told.push("ECN".to_owned());
    }
    if offer.fast_open {
        told.push("Fast Open".to_owned());
    }
    if offer.data > 0 {
        told.push(format!("and carries {} octets of data", offer.data));
    }
    told.push(format!("a first window of {}", offer.window));
    told.join(", ")
}

fn consequences(agreed: &Agreed, handshake: &Handshake, names: &Names<'_>) -> Vec<String> {
    let (client, server) = (names.of(End::Client), names.of(End::Server));
    // Time stamps take twelve octets of each segment (RFC 7323 §3.2, RFC 6691).
    let less = if agreed.time_stamps { 12 } else { 0 };
    let longest = agreed.mss.map(|mss| mss.saturating_sub(less));
    let scale = match agreed.window_scale {
        Some([of_client, of_server]) => format!(
            "windows: those of {client} count ×{}, those of {server} ×{}, SYNs excepted (RFC 7323 §2)",
            1_u32 << of_client.min(14),
            1_u32 << of_server.min(14)
        ),
        None => "windows: not scaled, 65,535 octets at most; on a long path that is a limit (RFC 7323 §2)".to_owned(),
    };
    let offers = [&handshake.client, &handshake.server].map(|offer| offer.as_ref());
    let half = |has: fn(&Offer) -> bool| match offers.map(|offer| offer.is_some_and(has)) {
        [true, false] => format!("; {client} alone offers it"),
        [false, true] => format!("; {server} alone speaks of it"),
        [true, true] | [false, false] => String::new(),
    };
    let mut told = vec![
        format!("segments: at most {} octets of data to {server}, {} to {client}", longest[0], longest[1]),
        scale,
        match agreed.sack {
            true => "SACK: receivers tell which octets behind a gap have arrived (RFC 2018)".to_owned(),
            false => {
                format!("no SACK{}: of several losses in a window each costs a round trip", half(|offer| offer.sack))
            }
        },
        match agreed.time_stamps {
            true => {
                "time stamps: a round trip is measured by each acknowledgment, of what was sent again, too (RFC 7323)"
                    .to_owned()
            }
            false => format!("no time stamps{}", half(|offer| offer.time_stamps)),
        },
    ];
    told.push(match agreed.ecn {
        true => "ECN: routers may mark packets in the place of dropping them (RFC 3168)".to_owned(),
        false => format!("no ECN{}", half(|offer| offer.ecn)),
    });
    told
}
