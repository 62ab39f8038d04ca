//! How much a write takes, and when a socket counts as writable: Linux's send buffer, packet by packet.
//!
//! Linux does not look at octets but at packets. A packet that has begun is filled, whatever the buffer says; a new one is
//! begun only while the packets that are there weigh less than the buffer, and while little enough waits to be sent
//! (`TCP_NOTSENT_LOWAT`). As a packet gets full, what the windows allow of it is sent, and the rest of it is filled again.
//! So a write can take more than the buffer: up to one packet.
//!
//! ```text
//!   buffer 50000, packets of 16000, window for 10000
//!   |◄─10000 sent─►|◄─16000─►|◄─16000─►|◄─16000─►|   58000 octets: the last packet was begun at 42000
//! ```

use super::socket::Socket;
use super::{Posix, Sysctls};
use crate::journal::Snapshot;
use crate::packet::SeqNum;

/// Octets of data in the longest packet that Linux builds (`GSO_MAX_SIZE`, headers deducted).
pub(super) const LONGEST_PACKET: u32 = 65_215;
/// What a packet weighs beside its data, with the structures that hold it.
const OVERHEAD: u64 = 1_280;
/// The window that Linux takes for a peer's that has said nothing of itself.
const SMALL_WINDOW: u32 = 536;

/// A connection's send queue, as Linux would have it.
#[derive(Clone, Copy, Debug)]
struct SendQueue {
    /// `SO_SNDBUF`, as Linux keeps it.
    buffer: u64,
    /// Octets not yet sent at which no packet is begun any more.
    low_water: u64,
    /// Octets of data in a full packet.
    goal: u64,
    /// Octets not yet acknowledged.
    queued: u64,
    /// Of these, not yet sent.
    unsent: u64,
    /// Octets that the windows allow to be sent at once.
    sendable: u64,
}

impl SendQueue {
    /// `None` when the stack does not tell enough.
    fn of(socket: &Socket, snapshot: &Snapshot, sysctls: &Sysctls) -> Option<SendQueue> {
        let mss = snapshot.snd_mss.filter(|mss| *mss > 0).map(u32::from)?;
        let SeqNum(flight) = SeqNum(snapshot.snd_nxt?.0.wrapping_sub(snapshot.snd_una?.0));
        let window = snapshot.cwnd?.min(snapshot.snd_wnd?).saturating_sub(flight);
        let widest = socket.widest_window.max(snapshot.snd_wnd?);
        let half = if widest > SMALL_WINDOW { widest / 2 } else { widest };
        let goal = (half.min(LONGEST_PACKET) / mss * mss).max(mss);
        let queued = snapshot.send_queue as u64;
        Some(SendQueue {
            buffer: socket.options.send_buffer(sysctls).into(),
            low_water: socket.options.unsent_low_water.unwrap_or(sysctls.unsent_low_water).into(),
            goal: goal.into(),
            queued,
            unsent: queued.saturating_sub(flight.into()),
            sendable: (window / mss * mss).into(),
        })
    }

    fn weight(&self) -> u64 {
        let packets = self.unsent.div_ceil(self.goal) + (self.queued - self.unsent).div_ceil(self.goal);
        self.queued + packets * OVERHEAD
    }

    /// How many octets of a write find room.
    fn takes(mut self, asked: u64) -> u64 {
        let mut taken = 0;
        while taken < asked {
            let begun = self.unsent % self.goal;
            if begun == 0 && (self.weight() >= self.buffer || self.unsent >= self.low_water) {
                break;
            }
            let more = (self.goal - begun).min(asked - taken);
            taken += more;
            (self.queued, self.unsent) = (self.queued + more, self.unsent + more);
            if begun + more == self.goal {
                let sent = self.sendable.min(self.unsent);
                (self.sendable, self.unsent) = (self.sendable - sent, self.unsent - sent);
            }
        }
        taken
    }

    /// Linux calls a socket writable while at least a third of its buffer is free, and half of what may wait to be sent.
    fn is_writable(&self) -> bool {
        let weight = self.weight();
        self.buffer.saturating_sub(weight) >= weight / 2 && self.unsent.saturating_mul(2) < self.low_water
    }
}

impl Posix {
    /// How many of `asked` octets a write takes.
    pub(super) fn room(&self, socket: &Socket, snapshot: &Snapshot, asked: usize) -> usize {
        match SendQueue::of(socket, snapshot, &self.sysctls) {
            Some(queue) => usize::try_from(queue.takes(asked as u64)).unwrap_or(usize::MAX),
            None => asked.min((socket.options.send_buffer(&self.sysctls) as usize).saturating_sub(snapshot.send_queue)),
        }
    }

    /// Whether `poll` calls a connection writable, and a write that sleeps looks again.
    pub(super) fn is_writable(&self, socket: &Socket, snapshot: &Snapshot) -> bool {
        match SendQueue::of(socket, snapshot, &self.sysctls) {
            Some(queue) => queue.is_writable(),
            None => {
                let buffer = socket.options.send_buffer(&self.sysctls) as usize;
                buffer.saturating_sub(snapshot.send_queue) >= snapshot.send_queue / 2
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection of which nothing was sent: mss 1000, ten segments may go, packets of `goal` octets.
    fn empty(buffer: u64, goal: u64) -> SendQueue {
        SendQueue { buffer, low_water: u64::MAX, goal, queued: 0, unsent: 0, sendable: 10_000 }
    }

    #[test]
    fn a_write_fills_the_packet_that_it_has_begun() {
        let cases = [
            ("three packets behind what was sent", empty(50_000, 16_000), 100_000, 58_000),
            ("two packets of 25 kB", empty(42_000, 25_000), 61_000, 60_000),
            ("a small write finds room", empty(50_000, 16_000), 700, 700),
            ("little may wait unsent", SendQueue { low_water: 4_000, ..empty(50_000, 16_000) }, 100_000, 26_000),
            ("a full buffer", SendQueue { queued: 50_000, unsent: 48_000, ..empty(50_000, 16_000) }, 1, 0),
        ];
        for (case, queue, asked, taken) in cases {
            assert_eq!(queue.takes(asked), taken, "{case}");
        }
    }

    #[test]
    fn a_third_of_the_buffer_must_be_free_to_be_writable() {
        let holding = |queued| SendQueue { queued, sendable: 0, ..empty(42_000, 25_000) };
        assert!(holding(24_000).is_writable());
        assert!(!holding(30_000).is_writable());
        assert!(!SendQueue { unsent: 2_000, queued: 2_000, low_water: 4_000, ..empty(42_000, 25_000) }.is_writable());
    }
}
