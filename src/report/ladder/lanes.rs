//! Where the packets of a stranger's capture stand: what the two columns are called, on which side a sender is, and
//! which conversation a packet belongs to.
//!
//! With one pair of hosts the columns are these two. Where there are more, or where a host talks to itself, the left
//! column is whoever began a conversation: a connection's two ends stand in its heading, those of other packets in a
//! line of their own, and a packet that does not belong to the heading above it is marked: `[2]` is of connection 2,
//! `[A]` of hosts A.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::streams::Reading;
use super::{Ladder, Side};
use crate::packet::Dissection;
use crate::packet::describe;
use crate::packet::dissect::{Network, Transport};

/// What stands left and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// The two nodes of a lab's link.
    Nodes,
    /// The only two hosts.
    Hosts(IpAddr, IpAddr),
    /// The two ends of the only conversation, on the same host.
    Ends(SocketAddr, SocketAddr),
    /// Whoever began, and the other.
    Roles,
}

impl Columns {
    pub(super) fn of(ladder: &Ladder<'_>) -> Columns {
        if ladder.ends.is_some() {
            return Columns::Nodes;
        }
        // Neighbours looking for each other and errors on the way decide only where there is nothing else.
        let by_talks = Columns::decided_by(ladder, |dissection| is_between_two(dissection) && is_talk(dissection));
        let by_any = || Columns::decided_by(ladder, is_between_two);
        by_talks.or_else(by_any).unwrap_or(Columns::Roles)
    }

    /// The columns that the packets of one sort ask for; `None` when there are none.
    fn decided_by(ladder: &Ladder<'_>, counts: impl Fn(&Dissection) -> bool) -> Option<Columns> {
        let mut columns = None;
        for record in ladder.records {
            let mut dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
            if let Some(tcp) = describe::cut_tcp(&dissection, &record.bytes) {
                dissection.transport = Some(Transport::Tcp(tcp));
            }
            let Some((src, dst)) = dissection.addresses().filter(|_| counts(&dissection)) else {
                continue;
            };
            // Who answers a request to connect is the server.
            let answers = dissection.tcp().is_some_and(|tcp| tcp.flags.syn() && tcp.flags.ack());
            let of = if answers {
                Columns::between(dst, src, swapped(&dissection))
            } else {
                Columns::between(src, dst, dissection.ports())
            };
            match columns {
                None => columns = Some(of),
                Some(columns) if columns.is_same(of) => {}
                Some(_) => return Some(Columns::Roles),
            }
        }
        columns
    }

    fn between(left: IpAddr, right: IpAddr, ports: Option<(u16, u16)>) -> Columns {
        match ports {
            _ if left != right => Columns::Hosts(left, right),
            Some((from, to)) => Columns::Ends(SocketAddr::new(left, from), SocketAddr::new(right, to)),
            None => Columns::Roles,
        }
    }

    /// Whether both are of the same two, whoever of them is on the left.
    fn is_same(self, other: Columns) -> bool {
        match (self, other) {
            (Columns::Hosts(a, b), Columns::Hosts(c, d)) => (a, b) == (c, d) || (b, a) == (c, d),
            (Columns::Ends(a, b), Columns::Ends(c, d)) => (a, b) == (c, d) || (b, a) == (c, d),
            (Columns::Nodes | Columns::Hosts(..) | Columns::Ends(..) | Columns::Roles, _) => false,
        }
    }

    /// The names above the rails.
    pub(super) fn names(self, ladder: &Ladder<'_>) -> (String, String) {
        let host = |address: IpAddr| (ladder.name_of)(address).unwrap_or_else(|| address.to_string());
        match (self, ladder.ends) {
            (_, Some(ends)) => (ends.left.name.to_owned(), ends.right.name.to_owned()),
            (Columns::Hosts(left, right), None) => (host(left), host(right)),
            (Columns::Ends(left, right), None) => (endpoint(left, ladder), endpoint(right, ladder)),
            (Columns::Nodes | Columns::Roles, None) => ("who began".to_owned(), "the other end".to_owned()),
        }
    }

    /// Where a sender stands if the columns alone say so.
    fn side(self, dissection: &Dissection) -> Option<Side> {
        let (src, dst) = dissection.addresses()?;
        let at_left = match self {
            Columns::Hosts(left, right) => ((left, right) == (src, dst), (right, left) == (src, dst)),
            Columns::Ends(left, right) => {
                let (from, to) = dissection.ports()?;
                let (src, dst) = (SocketAddr::new(src, from), SocketAddr::new(dst, to));
                ((left, right) == (src, dst), (right, left) == (src, dst))
            }
            Columns::Nodes | Columns::Roles => (false, false),
        };
        match at_left {
            (true, _) => Some(Side::Left),
            (false, true) => Some(Side::Right),
            (false, false) => None,
        }
    }
}

/// `client:49152`, `10.0.0.1:80`, `[fd00::1]:80`
pub(super) fn endpoint(end: SocketAddr, ladder: &Ladder<'_>) -> String {
    match (ladder.name_of)(end.ip()) {
        Some(name) => format!("{name}:{}", end.port()),
        None => end.to_string(),
    }
}

fn swapped(dissection: &Dissection) -> Option<(u16, u16)> {
    dissection.ports().map(|(from, to)| (to, from))
}

/// Whether a packet goes from one host to one other.
fn is_between_two(dissection: &Dissection) -> bool {
    let is_many = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_multicast() || address.is_broadcast() || address.is_unspecified(),
        IpAddr::V6(address) => address.is_multicast() || address.is_unspecified(),
    };
    // The lowest bit of a MAC address's first octet says "group"; it also gives away the broadcast of a subnet. A
    // question for a neighbour goes to everybody and still has two ends.
    let is_group = dissection.transport.is_some() && dissection.ethernet.is_some_and(|link| link.dst[0] & 1 == 1);
    !is_group && dissection.addresses().is_some_and(|(src, dst)| !is_many(src) && !is_many(dst))
}

/// Whether a packet is part of what two hosts have to say to each other.
fn is_talk(dissection: &Dissection) -> bool {
    match &dissection.transport {
        Some(Transport::Icmpv6(icmp)) if (133..=137).contains(&icmp.kind) => false,
        Some(transport) => !transport.is_icmp_error(),
        None => !matches!(dissection.network, Some(Network::Arp(_)) | None),
    }
}

/// Where one packet stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) side: Side,
    /// Which conversation it belongs to, where the heading above it is another's: `2`, `A`.
    pub(super) mark: Option<String>,
    /// Its two ends in a line of their own, when they appear for the first time.
    pub(super) heading: Option<String>,
}

/// One end of a conversation: the port counts only where a host talks to itself.
type Speaker = (IpAddr, Option<u16>);

/// Follows the conversations of a capture.
pub(super) struct Talks<'a> {
    ladder: &'a Ladder<'a>,
    columns: Columns,
    /// Conversations that are not connections: the number of each and who began; the lesser end first in the key.
    others: HashMap<(Speaker, Speaker), (usize, Speaker)>,
    /// The connection of the last heading.
    headed: Option<usize>,
    /// Another connection was seen since.
    mixed: bool,
}

impl<'a> Talks<'a> {
    pub(super) fn new(ladder: &'a Ladder<'a>, columns: Columns) -> Talks<'a> {
        Talks { ladder, columns, others: HashMap::new(), headed: None, mixed: false }
    }

    /// Places the next packet. `answered`: on which side the sender of the packet stood that this one is an error about.
    pub(super) fn place(
        &mut self,
        dissection: &Dissection,
        reading: Option<&Reading>,
        answered: Option<Side>,
    ) -> Place {
        let by_columns = self.columns.side(dissection);
        if let Some(reading) = reading {
            let by_role = if reading.by_client { Side::Left } else { Side::Right };
            return Place { side: by_columns.unwrap_or(by_role), mark: self.connection(reading), heading: None };
        }
        let by_answer = answered.map(Side::opposite);
        let Some((src, dst)) = dissection.addresses() else {
            return Place { side: by_answer.unwrap_or(Side::Left), mark: None, heading: None };
        };
        // The host that an error is about is known from the packet that the error answers.
        let is_known = by_columns.is_some() || by_answer.is_some_and(|_| is_from_the_target(dissection, src));
        if let Some(side) = by_columns.or(by_answer).filter(|_| is_known) {
            return Place { side, mark: None, heading: None };
        }
        let place = self.other(src, dst, dissection);
        Place { side: by_answer.unwrap_or(place.side), ..place }
    }

    fn connection(&mut self, reading: &Reading) -> Option<String> {
        if reading.opened.is_some() {
            (self.headed, self.mixed) = (Some(reading.connection), false);
        }
        // Once two are mixed, a packet without a mark would leave the reader to guess.
        self.mixed |= self.headed != Some(reading.connection);
        self.mixed.then(|| (reading.connection + 1).to_string())
    }

    fn other(&mut self, src: IpAddr, dst: IpAddr, dissection: &Dissection) -> Place {
        let ports = dissection.ports().filter(|_| src == dst);
        let (src, dst) = ((src, ports.map(|ports| ports.0)), (dst, ports.map(|ports| ports.1)));
        let key = (src.min(dst), src.max(dst));
        let is_new = !self.others.contains_key(&key);
        let next = self.others.len();
        let (number, first) = *self.others.entry(key).or_insert((next, src));
        let letters = letters(number);
        let is_reply = src == dst && is_echo_reply(dissection);
        let side = if first == src && !is_reply { Side::Left } else { Side::Right };
        let heading = is_new.then(|| format!("hosts {letters}: {} → {}", self.speaker(src), self.speaker(dst)));
        Place { side, mark: Some(letters), heading }
    }

    fn speaker(&self, (address, port): Speaker) -> String {
        match port {
            Some(port) => endpoint(SocketAddr::new(address, port), self.ladder),
            None => (self.ladder.name_of)(address).unwrap_or_else(|| address.to_string()),
        }
    }
}

/// `A` to `Z`, then `AA`.
fn letters(number: usize) -> String {
    let last = char::from(b'A' + (number % 26) as u8);
    match number / 26 {
        0 => last.to_string(),
        more => letters(more - 1) + &last.to_string(),
    }
}

fn is_echo_reply(dissection: &Dissection) -> bool {
    match &dissection.transport {
        Some(Transport::Icmpv4(icmp)) => icmp.kind == 0,
        Some(Transport::Icmpv6(icmp)) => icmp.kind == 129,
        Some(Transport::Tcp(_) | Transport::Udp(_)) | None => false,
    }
}

/// Whether an error comes from the host that the packet was for, and not from a router on the way.
fn is_from_the_target(dissection: &Dissection, src: IpAddr) -> bool {
    let quoted = dissection.quoted.as_ref().and_then(|quoted| quoted.addresses());
    quoted.is_some_and(|(_, target)| target == src)
}
