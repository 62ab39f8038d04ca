//! Connections that pass, as a stateful filter remembers them: what is new, what belongs to something, what belongs to
//! nothing though it should (the four words are netfilter's).
//!
//! ```text
//!   TCP      SYN ─► Opening ─ SYN,ACK, ACK ─► Open ─ FIN each way ─► Closing ─► forgotten
//!                      └──────────── RST ───────┴──────── RST ───────► Closing
//!   others   first packet ─► Unanswered ─ an answer ─► Answered
//! ```
//!
//! A connection is remembered once its first packet has passed. Times are netfilter's. What falls short of it: sequence
//! numbers are not compared with windows, so that a forged reset ends what is remembered as it would the connection.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::flow::{Content, Flow};
use crate::packet::TcpFlags;
use crate::time::Instant;

/// Connections that are remembered at a time.
pub(super) const CONNECTIONS: usize = 16_384;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What a packet is to the connections that are remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It could begin one.
    New,
    /// It belongs to one.
    Established,
    /// It is an error about one.
    Related,
    /// It belongs to none, and cannot begin one.
    Invalid,
}

/// The connections that are remembered.
#[derive(Debug, Default)]
pub(super) struct Connections {
    entries: BTreeMap<u32, Entry>,
    /// In the direction of the first packet, and in the other.
    by_flow: BTreeMap<Flow, u32>,
    by_time: BTreeSet<(Instant, u32)>,
    last: u32,
}

#[derive(Debug)]
struct Entry {
    /// In the direction of its first packet.
    flow: Flow,
    state: State,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// One way only.
    Unanswered,
    /// Both ways.
    Answered,
    /// A SYN has passed.
    Opening,
    /// The handshake is over; who of the two has sent a FIN.
    Open { fin: [bool; 2] },
    /// Both have sent a FIN, or one a reset.
    Closing,
}

impl State {
    /// How long a connection in this state is remembered without a packet.
    fn patience(self, protocol: u8) -> Duration {
        match (self, protocol) {
            (State::Unanswered | State::Answered, 1 | 58) => seconds(30),
            (State::Unanswered, 17) => seconds(30),
            (State::Answered, 17) | (State::Opening, _) => seconds(120),
            (State::Unanswered | State::Answered, _) => seconds(600),
            (State::Open { fin: [false, false] }, _) => seconds(432_000),
            (State::Open { .. }, _) => seconds(120),
            (State::Closing, _) => seconds(120),
        }
    }

    /// Whether the other side has said something: such a connection makes room for no stranger.
    fn is_assured(self) -> bool {
        matches!(self, State::Answered | State::Open { .. })
    }

    /// The state after a packet; `by`: 0 in the direction of the first, 1 in the other.
    fn after(self, flags: Option<TcpFlags>, by: usize) -> State {
        let Some(flags) = flags else {
            return match self {
                State::Unanswered if by == 1 => State::Answered,
                other => other,
            };
        };
        if flags.rst() {
            return State::Closing;
        }
        let fin = match self {
            State::Opening if flags.syn() && by == 0 => return State::Opening,
            // The answer's SYN, or at the latest the ACK that follows it.
            State::Opening | State::Unanswered | State::Answered => [false; 2],
            State::Open { fin } => fin,
            State::Closing => return State::Closing,
        };
        let mut fin = fin;
        fin[by] |= flags.fin();
        if fin == [true, true] { State::Closing } else { State::Open { fin } }
    }
}

impl Connections {
    /// What a packet is to what is remembered.
    pub(super) fn standing(&mut self, now: Instant, content: &Content) -> Standing {
        self.forget(now);
        match *content {
            Content::Unknown => Standing::Invalid,
            Content::Error(quoted) => {
                if self.by_flow.contains_key(&quoted) {
                    Standing::Related
                } else {
                    Standing::Invalid
                }
            }
            Content::Part { flow, flags, is_answer } => {
                let known = self.by_flow.get(&flow).and_then(|id| self.entries.get(id));
                let begins = flags.is_none_or(|flags| flags.syn() && !flags.ack() && !flags.rst() && !flags.fin());
                match known {
                    // The same ports once more.
                    Some(entry) if entry.state == State::Closing && begins && flags.is_some() => Standing::New,
                    Some(_) => Standing::Established,
                    None if begins && !is_answer => Standing::New,
                    None => Standing::Invalid,
                }
            }
        }
    }

    /// A packet has passed. Returns `false` when it begins a connection, and there is no room for one.
    pub(super) fn passed(&mut self, now: Instant, content: &Content) -> bool {
        let Content::Part { flow, flags, .. } = *content else { return true };
        let begins_anew = flags.is_some_and(|flags| flags.syn() && !flags.ack());
        let known = self.by_flow.get(&flow).copied().and_then(|id| Some((id, self.entries.get_mut(&id)?)));
        if let Some((id, entry)) = known {
            if entry.state == State::Closing && begins_anew {
                self.remove(id);
            } else {
                let by = usize::from(entry.flow != flow);
                entry.state = entry.state.after(flags, by);
                self.by_time.remove(&(entry.until, id));
                entry.until = now + entry.state.patience(flow.protocol);
                self.by_time.insert((entry.until, id));
                return true;
            }
        }
        if self.entries.len() >= CONNECTIONS && !self.make_room() {
            return false;
        }
        self.last = self.last.wrapping_add(1);
        let state = if flags.is_some() { State::Opening } else { State::Unanswered };
        let until = now + state.patience(flow.protocol);
        self.entries.insert(self.last, Entry { flow, state, until });
        self.by_flow.insert(flow, self.last);
        self.by_flow.insert(flow.reversed(), self.last);
        self.by_time.insert((until, self.last));
        true
    }

    /// Whether there is room for a packet that begins a connection.
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() < CONNECTIONS || self.least_needed().is_some()
    }

    fn forget(&mut self, now: Instant) {
        while let Some((until, id)) = self.by_time.first().copied()
            && until <= now
        {
            self.remove(id);
        }
    }

    /// The one that would be forgotten soonest, among the first few, of those that nobody has answered.
    fn least_needed(&self) -> Option<u32> {
        let few = self.by_time.iter().take(64).map(|(_, id)| *id);
        few.into_iter().find(|id| self.entries.get(id).is_none_or(|entry| !entry.state.is_assured()))
    }

    fn make_room(&mut self) -> bool {
        let least = self.least_needed();
        least.inspect(|id| self.remove(*id)).is_some()
    }

    fn remove(&mut self, id: u32) {
        if let Some(entry) = self.entries.remove(&id) {
            self.by_time.remove(&(entry.until, id));
            self.by_flow.remove(&entry.flow);
            self.by_flow.remove(&entry.flow.reversed());
        }
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        assert_eq!(self.by_time.len(), self.entries.len());
        assert!(self.by_flow.len() <= 2 * self.entries.len());
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn flow(protocol: u8, port: u16) -> Flow {
        Flow { protocol, src: SocketAddr::from(([10, 0, 0, 1], port)), dst: SocketAddr::from(([10, 0, 1, 1], 80)) }
    }

    fn tcp(flow: Flow, flags: TcpFlags) -> Content {
        Content::Part { flow, flags: Some(flags), is_answer: false }
    }

    fn other(flow: Flow, is_answer: bool) -> Content {
        Content::Part { flow, flags: None, is_answer }
    }

    fn second(second: u64) -> Instant {
        Instant::ZERO + seconds(second)
    }

    const SYN_ACK: TcpFlags = TcpFlags(0x12);
    const FIN_ACK: TcpFlags = TcpFlags(0x11);

    /// Offers packets of one connection in turn; true stands for the way of the first. Returns what each was.
    fn offer(connections: &mut Connections, packets: &[(bool, TcpFlags, u64)]) -> Vec<Standing> {
        let one = |(forth, flags, at): &(bool, TcpFlags, u64)| {
            let content = tcp(if *forth { flow(6, 4000) } else { flow(6, 4000).reversed() }, *flags);
            let standing = connections.standing(second(*at), &content);
            if standing != Standing::Invalid {
                assert!(connections.passed(second(*at), &content));
            }
            standing
        };
        packets.iter().map(one).collect()
    }

    #[test]
    fn a_connection_lives_from_its_syn_to_its_last_fin() {
        use Standing::{Established, Invalid, New};
        let mut connections = Connections::default();
        let life = [
            (true, TcpFlags::ACK, 0),
            (false, SYN_ACK, 0),
            (true, TcpFlags::SYN, 0),
            (false, SYN_ACK, 1),
            (true, TcpFlags::ACK, 1),
            (false, TcpFlags::ACK, 100_000),
            (true, FIN_ACK, 100_001),
            (false, FIN_ACK, 100_002),
            (true, TcpFlags::ACK, 100_002),
            (true, TcpFlags::ACK, 100_122),
        ];
        let expected = [
            Invalid,
            Invalid,
            New,
            Established,
            Established,
            Established,
            Established,
            Established,
            Established,
            Invalid,
        ];
        assert_eq!(offer(&mut connections, &life), expected);
        assert_eq!(connections.size(), 0);
    }

    #[test]
    fn a_syn_on_what_is_closing_begins_anew() {
        let mut connections = Connections::default();
        let packets = [(true, TcpFlags::SYN, 0), (false, TcpFlags::RST, 0), (true, TcpFlags::SYN, 1)];
        assert_eq!(offer(&mut connections, &packets), [Standing::New, Standing::Established, Standing::New]);
        assert_eq!(connections.size(), 1);
    }

    #[test]
    fn a_handshake_that_nobody_answers_is_forgotten() {
        let mut connections = Connections::default();
        offer(&mut connections, &[(true, TcpFlags::SYN, 0)]);
        assert_eq!(connections.standing(second(119), &tcp(flow(6, 4000), TcpFlags::ACK)), Standing::Established);
        assert_eq!(connections.standing(second(120), &tcp(flow(6, 4000), TcpFlags::ACK)), Standing::Invalid);
    }

    #[test]
    fn an_answer_begins_nothing_and_an_error_belongs_to_what_it_quotes() {
        let mut connections = Connections::default();
        let ping = flow(1, 7);
        assert_eq!(connections.standing(second(0), &other(ping, true)), Standing::Invalid);
        assert_eq!(connections.standing(second(0), &Content::Error(ping)), Standing::Invalid);
        assert_eq!(connections.standing(second(0), &other(ping, false)), Standing::New);
        connections.passed(second(0), &other(ping, false));
        assert_eq!(connections.standing(second(1), &other(ping.reversed(), true)), Standing::Established);
        for quoted in [ping, ping.reversed()] {
            assert_eq!(connections.standing(second(1), &Content::Error(quoted)), Standing::Related);
        }
        assert_eq!(connections.standing(second(1), &Content::Unknown), Standing::Invalid);
    }

    #[test]
    fn a_flood_takes_the_place_of_the_unanswered_and_of_nobody_else() {
        let mut connections = Connections::default();
        let talk = |connections: &mut Connections, port: u16| {
            let content = other(flow(17, port), false);
            assert_eq!(connections.standing(second(0), &content), Standing::New);
            connections.passed(second(0), &content)
        };
        assert!(talk(&mut connections, 0));
        assert!(connections.passed(second(0), &other(flow(17, 0).reversed(), false)), "answered");
        for port in 1..=CONNECTIONS as u16 {
            assert!(talk(&mut connections, port));
        }
        assert_eq!(connections.size(), CONNECTIONS);
        assert_eq!(connections.standing(second(0), &other(flow(17, 0), false)), Standing::Established);
        assert_eq!(connections.standing(second(0), &other(flow(17, 1), false)), Standing::New, "it made room");
    }
}
