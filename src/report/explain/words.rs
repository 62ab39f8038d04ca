//! Sentences for what is claimed, each with its evidence.

use super::{Names, grouped, span};
use crate::measure::{Again, Connection, Doubt, End, Evidence, Kind, Reset, Silence, Stream, ZeroWindow};

/// Where the capture was made.
pub(super) fn vantage(connection: &Connection, names: &Names<'_>) -> String {
    let path = &connection.path;
    let (client, server) = (names.of(End::Client), names.of(End::Server));
    let way = |end: End| path.to(end).map_or_else(|| "an unknown time".to_owned(), span);
    let place = match (path.is_near(End::Client), path.is_near(End::Server)) {
        (true, _) => format!("Captured near {client}"),
        (_, true) => format!("Captured near {server}"),
        (false, false) => "Captured somewhere between, or that cannot be told".to_owned(),
    };
    format!("{place}: {} to {client} and back, {} to {server} and back", way(End::Client), way(End::Server))
}

pub(super) fn stream(end: End, stream: &Stream, names: &Names<'_>) -> String {
    let trips = &stream.round_trips;
    let trips = match (trips.least, trips.smoothed, trips.most) {
        (Some(least), Some(smoothed), Some(most)) => format!(
            "; answered after {} at least, {} at last on average, {} at most ({} measured)",
            span(least),
            span(smoothed),
            span(most),
            grouped(trips.count)
        ),
        _ => String::new(),
    };
    format!(
        "{} sends {} octets in {} segment{}{trips}",
        names.of(end),
        grouped(stream.octets),
        grouped(stream.data_segments),
        if stream.data_segments == 1 { "" } else { "s" }
    )
}

/// Its name.
pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Timeout => "time-out",
        Kind::Fast => "fast retransmission",
        Kind::TailLossProbe => "tail loss probe",
        Kind::OutOfOrder => "out of order",
        Kind::Duplicate => "doubled by the network",
        Kind::WindowProbe => "window probe",
        Kind::KeepAlive => "keep-alive",
    }
}

/// One segment that came again.
pub(super) fn again(again: &Again, end: End, names: &Names<'_>) -> String {
    let name = match again.kind {
        Kind::Timeout => "sent again by time-out",
        Kind::Fast => "fast retransmission",
        Kind::TailLossProbe => "tail loss probe",
        Kind::OutOfOrder => "out of order, not sent again",
        Kind::Duplicate => "doubled by the network, not sent again",
        Kind::WindowProbe => "probe of a window of zero",
        Kind::KeepAlive => "keep-alive",
    };
    let octets = match (&again.evidence, again.length) {
        (Evidence::UnansweredSyn { .. }, _) => "the SYN".to_owned(),
        (_, 1) => format!("octet {}", again.from),
        (_, length) => format!("octets {} to {}", again.from, again.from + i64::from(length) - 1),
    };
    let first = again.first.map_or_else(
        || if again.kind.is_retransmission() { ", not seen here before".to_owned() } else { String::new() },
        |first| format!(", first in packet {first}"),
    );
    let doubt = again.doubt.as_ref().map(|doubt| format!("; {}", self::doubt(doubt, again, end, names)));
    format!(
        "packet {}: {octets}{first}: {name}: {}{}",
        again.number,
        evidence(&again.evidence),
        doubt.unwrap_or_default()
    )
}

fn evidence(evidence: &Evidence) -> String {
    match evidence {
        Evidence::SameIdentification { of } => {
            format!("it is packet {of}, down to the identification in its IP header")
        }
        Evidence::TooSoonToKnow { of, after } => {
            format!("{} after packet {of}, sooner than anybody could have answered that", span(*after))
        }
        Evidence::SentEarlierThan { overtaken_by, by_time_stamp } => {
            let what = if *by_time_stamp { "time stamp" } else { "IP identification" };
            format!("its {what} is older than that of packet {overtaken_by}, which has overtaken it")
        }
        Evidence::FilledTooSoon { overtaken_by, after } => format!(
            "{} after packet {overtaken_by} showed the gap, sooner than a retransmission can come",
            span(*after)
        ),
        Evidence::DuplicateAcks { count, last } => {
            format!("{count} duplicate ACKs before it, the last in packet {last}")
        }
        Evidence::Sack { by } => format!("packet {by} tells by SACK of octets behind it that have arrived"),
        Evidence::PartialAck { by } => format!("packet {by} acknowledges up to it, in the middle of a recovery"),
        Evidence::TooSoonForTimeout { waited } => {
            format!("{} after it was sent last, sooner than any time-out", span(*waited))
        }
        Evidence::Silence { lasted } => format!("nothing had acknowledged it for {}", span(*lasted)),
        Evidence::AfterTimeout { since } => format!("it was under way when the time-out of packet {since} ran"),
        Evidence::TailAfter { waited } => {
            format!(
                "it ends what was under way, and {} had passed without news; where all else is acknowledged, a time-out comes then, too",
                span(*waited)
            )
        }
        Evidence::UnansweredSyn { waited } => format!("a SYN without an answer for {}", span(*waited)),
        Evidence::ZeroWindow { by } => format!("packet {by} said that there is no room"),
        Evidence::AcknowledgedBefore { by } => format!("packet {by} had acknowledged it"),
    }
}

fn doubt(doubt: &Doubt, again: &Again, end: End, names: &Names<'_>) -> String {
    let receiver = names.of(end.other());
    let verdict = if again.kind.is_retransmission() { "in vain: " } else { "" };
    let why = match doubt {
        Doubt::CameTwice { ack } => format!("{receiver} says in packet {ack} that it came twice (D-SACK, RFC 2883)"),
        Doubt::EarlierTimeStamp { ack } => {
            format!("packet {ack} answers the time stamp of an earlier copy (RFC 3522)")
        }
        Doubt::AnsweredTooSoon { ack, after } => {
            format!("packet {ack} acknowledges it {} later, sooner than an answer can come", span(*after))
        }
        Doubt::AcknowledgedBefore { ack } => format!("packet {ack} had acknowledged it here already"),
        Doubt::EarlierCopyCame { copy } => format!("an earlier copy came after it, in packet {copy}"),
        Doubt::PassedBefore { copy } => format!("packet {copy} had passed here, close to {receiver}"),
    };
    format!("{verdict}{why}")
}

pub(super) fn zero_window(window: &ZeroWindow, names: &Names<'_>) -> String {
    let (who, peer) = (names.of(window.at), names.of(window.at.other()));
    let until = match window.to {
        Some(to) => format!("until packet {to}, {} later", span(window.lasted)),
        None => format!("and of none again within {}, until the last packet", span(window.lasted)),
    };
    format!(
        "{who} has no room: a window of zero in packet {} {until}; {peer} sends {} packets meanwhile",
        window.from, window.asked
    )
}

pub(super) fn silence(silence: &Silence, names: &Names<'_>) -> String {
    format!(
        "Silence for {} after packet {}, ended by {} with packet {}",
        span(silence.lasted),
        silence.after,
        names.of(silence.broken_by),
        silence.before
    )
}

pub(super) fn reset(reset: Reset, names: &Names<'_>) -> String {
    match reset.refuses {
        true => format!("{} refuses the connection in packet {}", names.of(reset.by), reset.number),
        false => format!("{} breaks the connection off in packet {}", names.of(reset.by), reset.number),
    }
}
