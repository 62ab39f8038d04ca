//! What else happens to a connection: windows of zero, silences, resets.

use std::time::Duration;

use serde::Serialize;

use super::gather::Segment;
use super::{End, Path};

/// A time in which an end had no room for data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ZeroWindow {
    /// Who had none.
    pub at: End,
    /// The packet that says so.
    pub from: u64,
    /// The packet that tells of room again; `None` when none does.
    pub to: Option<u64>,
    /// Until that, or until the last packet.
    pub lasted: Duration,
    /// How many packets the other end sent meanwhile.
    pub asked: u64,
}

/// A time in which nobody said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// The packet before it.
    pub after: u64,
    /// The packet that ends it.
    pub before: u64,
    /// Who sent that.
    pub broken_by: End,
    /// How long it was.
    pub lasted: Duration,
}

/// A segment that broke the connection off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reset {
    /// Its packet.
    pub number: u64,
    /// Who sent it.
    pub by: End,
    /// Whether it answers a SYN: nobody listens there.
    pub refuses: bool,
}

/// A silence is one from here on, and from ten round trips on.
const SILENCE: Duration = Duration::from_secs(1);

pub(super) fn silences(segments: &[Segment], path: &Path) -> Vec<Silence> {
    let least = path.whole().map_or(SILENCE, |whole| SILENCE.max(whole * 10));
    let pairs = segments.iter().zip(segments.iter().skip(1));
    pairs
        .map(|(before, after)| Silence {
            after: before.number,
            before: after.number,
            broken_by: after.from,
            lasted: after.at - before.at,
        })
        .filter(|silence| silence.lasted >= least)
        .collect()
}

pub(super) fn resets(segments: &[Segment]) -> Vec<Reset> {
    let reset = |segment: &&Segment| segment.tcp.flags.rst();
    let server_spoke = |number: u64| {
        let mut before = segments.iter().take_while(|segment| segment.number < number);
        before.any(|segment| segment.from == End::Server && !segment.tcp.flags.rst())
    };
    let told = segments.iter().filter(reset).take(1000);
    told.map(|segment| Reset {
        number: segment.number,
        by: segment.from,
        refuses: segment.from == End::Server && !server_spoke(segment.number),
    })
    .collect()
}

pub(super) fn zero_windows(segments: &[Segment]) -> Vec<ZeroWindow> {
    let mut all = [End::Client, End::Server].map(|end| zero_windows_of(segments, end)).concat();
    all.sort_by_key(|window| window.from);
    all
}

fn zero_windows_of(segments: &[Segment], end: End) -> Vec<ZeroWindow> {
    let (mut told, mut open): (Vec<ZeroWindow>, Option<(&Segment, u64)>) = (Vec::new(), None);
    for segment in segments {
        if segment.from != end {
            open = open.map(|(from, asked)| (from, asked + 1));
            continue;
        }
        // A reset's window says nothing.
        if !segment.tcp.flags.ack() || segment.tcp.flags.rst() {
            continue;
        }
        open = match (open, segment.tcp.window) {
            (None, 0) => Some((segment, 0)),
            (Some((from, asked)), 1..) => {
                let lasted = segment.at - from.at;
                told.push(ZeroWindow { at: end, from: from.number, to: Some(segment.number), lasted, asked });
                None
            }
            (open, _) => open,
        };
    }
    if let Some(((from, asked), last)) = open.zip(segments.last()) {
        told.push(ZeroWindow { at: end, from: from.number, to: None, lasted: last.at - from.at, asked });
    }
    told
}
