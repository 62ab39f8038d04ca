//! What happened to the TCP connections of a capture, in sentences: each claim with its evidence, and where to look first.
//!
//! What lives here: words. What is claimed, and by which evidence, is `measure`'s.

mod advice;
mod opening;
mod words;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::text::{clean, wrap};
use super::{Style, grouped, span};
use crate::measure::{Again, Connection, End, Kind, Stream};

pub use advice::{Advice, look_first};

/// Segments that came again and are told one by one, of each end, unless all are asked for.
const TOLD: usize = 12;

/// Explains connections; `packets` is how many the capture has. `name_of` gives names for addresses.
pub fn explain(
    connections: &[Connection],
    packets: usize,
    name_of: &dyn Fn(IpAddr) -> Option<String>,
    style: &Style,
) -> String {
    let mut page = Page { out: String::new(), style: *style };
    let (count, plural) = (connections.len(), if connections.len() == 1 { "" } else { "s" });
    page.line(0, &format!("{} packets, {count} TCP connection{plural}", grouped(packets as u64)));
    for (number, connection) in (1..).zip(connections) {
        page.gap();
        let names = Names { connection, name_of };
        page.connection(number, connection, &names);
    }
    page.gap();
    page.advice(&look_first(connections));
    page.out
}

/// How the two ends are called.
struct Names<'a> {
    connection: &'a Connection,
    name_of: &'a dyn Fn(IpAddr) -> Option<String>,
}

impl Names<'_> {
    /// `client`, or its address.
    fn of(&self, end: End) -> String {
        let address = self.address(end);
        (self.name_of)(address.ip()).unwrap_or_else(|| match end {
            End::Client => "the client".to_owned(),
            End::Server => "the server".to_owned(),
        })
    }

    fn with_port(&self, end: End) -> String {
        let address = self.address(end);
        (self.name_of)(address.ip()).map_or_else(|| address.to_string(), |name| format!("{name}:{}", address.port()))
    }

    fn address(&self, end: End) -> SocketAddr {
        match end {
            End::Client => self.connection.client,
            End::Server => self.connection.server,
        }
    }
}

/// The text as it grows.
struct Page {
    out: String,
    style: Style,
}

impl Page {
    /// A sentence, set in; what does not fit goes on two columns further in.
    fn line(&mut self, indent: usize, text: &str) {
        let room = self.style.columns().saturating_sub(indent + 2);
        for (place, line) in wrap(&clean(text, self.style), room).iter().enumerate() {
            let indent = indent + if place == 0 { 0 } else { 2 };
            self.out.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }

    fn gap(&mut self) {
        self.out.push('\n');
    }

    fn connection(&mut self, number: usize, connection: &Connection, names: &Names<'_>) {
        let (client, server) = (names.with_port(End::Client), names.with_port(End::Server));
        self.line(
            0,
            &format!(
                "Connection {number}: {client} → {server}   {} packets, {} to {}, in {}",
                grouped(connection.packets),
                connection.first,
                connection.last,
                span(connection.lasted)
            ),
        );
        self.line(2, &words::vantage(connection, names));
        opening::tell(self, connection, names);
        for (end, stream) in [End::Client, End::Server].into_iter().zip(&connection.streams) {
            self.stream(end, stream, names);
        }
        for window in &connection.zero_windows {
            self.line(2, &words::zero_window(window, names));
        }
        for silence in &connection.silences {
            self.line(2, &words::silence(silence, names));
        }
        for reset in connection.resets.iter().take(TOLD) {
            self.line(2, &words::reset(*reset, names));
        }
    }

    fn stream(&mut self, end: End, stream: &Stream, names: &Names<'_>) {
        if stream.data_segments == 0 && stream.again.is_empty() {
            return;
        }
        self.line(2, &words::stream(end, stream, names));
        if stream.again.is_empty() {
            return;
        }
        self.line(4, &summary(&stream.again));
        let most = if self.style.verbose { usize::MAX } else { TOLD };
        for again in stream.again.iter().take(most) {
            self.line(4, &words::again(again, end, names));
        }
        let more = stream.again.len().saturating_sub(most);
        if more > 0 {
            self.line(4, &format!("and {more} more: --verbose tells each of them"));
        }
    }

    fn advice(&mut self, advice: &[Advice]) {
        if advice.is_empty() {
            self.line(0, "Look at first: nothing; no connection had any trouble that packets show.");
            return;
        }
        self.line(0, "Look at first:");
        for (number, one) in (1..).zip(advice) {
            self.line(2, &format!("{number}. {}", one.what));
            self.line(5, &one.filter);
        }
    }
}

/// `not new: 3 × fast retransmission, 2 × time-out; 1 in vain`
fn summary(again: &[Again]) -> String {
    let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
    for one in again {
        *kinds.entry(one.kind).or_default() += 1;
    }
    let told: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} × {}", words::kind(*kind))).collect();
    let in_vain = again.iter().filter(|one| one.kind.is_retransmission() && one.doubt.is_some()).count();
    let in_vain = if in_vain > 0 { format!("; {in_vain} sent in vain") } else { String::new() };
    format!("not new: {}{in_vain}", told.join(", "))
}
