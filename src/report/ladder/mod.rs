//! The ladder: the packets between two nodes, one row each.
//!
//! ```text
//!   no      time  client                                  server
//!    1  0.000000  ├─ SYN seq=0 (305419896) ───────────────────►│  opens the connection
//!    2  0.010000  │◄────────── SYN,ACK seq=0 (2596069104) ack=1─┤  answers the request to connect
//! ```
//!
//! From packets to text in four steps: [`Story`] sorts the journal by packet, [`rows`] joins the two captures and reads
//! each packet (`label`, `streams`, `note`, `learnt`; `lanes` and `onlooker` without a journal), `fold` takes long transfers together, `draw` lays out the lines and
//! `rails` what is between the rails. The same function shows a stranger's capture, for which there is no journal: what
//! the packets themselves say takes its place.

mod dns;
mod draw;
mod fold;
mod label;
mod lanes;
pub(super) mod learnt;
mod note;
mod onlooker;
mod quic;
mod rails;
mod rows;
mod story;
#[cfg(test)]
mod strangers;
mod streams;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use super::Style;
use crate::capture::Record;
use crate::journal::{Entry, NodeId};

use self::lanes::Columns;
use self::story::Story;

/// What a ladder is drawn from.
pub struct Ladder<'a> {
    /// Packets seen at the vantage point, in the order of its capture: the first is packet 1.
    pub records: &'a [Record],
    /// Packets seen at the other end, if that is known: what never reached the vantage point is shown from there.
    pub far_records: Option<&'a [Record]>,
    /// The journal of the run, oldest first; empty for a stranger's capture.
    pub entries: &'a [&'a Entry],
    /// The two nodes; `None` for a stranger's capture: whoever begins then stands on the left.
    pub ends: Option<Ends<'a>>,
    /// The name of the node that has an address.
    pub name_of: &'a dyn Fn(IpAddr) -> Option<String>,
}

/// The two nodes of a ladder.
#[derive(Clone, Copy, Debug)]
pub struct Ends<'a> {
    /// The node on the left.
    pub left: Lane<'a>,
    /// The node on the right.
    pub right: Lane<'a>,
    /// At which of them `records` were captured.
    pub vantage: Side,
}

/// One node of a ladder.
#[derive(Clone, Copy, Debug)]
pub struct Lane<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its place in the journal.
    pub node: NodeId,
}

/// One side of a ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The left one.
    Left,
    /// The right one.
    Right,
}

/// The packets between two nodes, one row each. Numbers are those of the vantage point's capture, and so Wireshark's
/// frame numbers; times count from its first packet. A packet that never got there has a row without a number.
pub fn ladder(ladder: &Ladder<'_>, style: &Style) -> String {
    let records = ladder.records.iter().chain(ladder.far_records.unwrap_or_default());
    let story = Story::of(ladder.entries, records);
    let columns = Columns::of(ladder);
    let rows = rows::rows(ladder, &story, columns, *style);
    let items = fold::fold(rows, *style);
    draw::draw(ladder, columns, &items, *style)
}
