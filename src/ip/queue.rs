//! A queue of packets that is bounded in packets and in octets.

use std::collections::VecDeque;

use super::limits::Room;
use crate::packet::Packet;

/// What can wait in a [`Queue`].
pub(super) trait Octets {
    /// Octets that it holds.
    fn octets(&self) -> usize;
}

impl Octets for Packet {
    fn octets(&self) -> usize {
        self.len()
    }
}

impl<T> Octets for (Packet, T) {
    fn octets(&self) -> usize {
        self.0.len()
    }
}

/// First in, first out.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items: VecDeque<T>,
    octets: usize,
    room: Room,
}

impl<T: Octets> Queue<T> {
    pub(super) fn new(room: Room) -> Queue<T> {
        Queue { items: VecDeque::new(), octets: 0, room }
    }

    /// Whether so many packets of so many octets together find room.
    pub(super) fn has_room(&self, packets: usize, octets: usize) -> bool {
        self.items.len() + packets <= self.room.packets && self.octets + octets <= self.room.octets
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// Gives it back when there is no room.
    pub(super) fn push(&mut self, item: T) -> Result<(), T> {
        if !self.has_room(1, item.octets()) {
            return Err(item);
        }
        self.octets += item.octets();
        self.items.push_back(item);
        Ok(())
    }

    /// Whether nothing is there.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Takes the first item.
    pub(super) fn pop(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        self.octets -= item.octets();
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Medium;

    #[test]
    fn a_queue_is_full_by_packets_or_by_octets() {
        let packet = |octets| Packet::new(Medium::Ip, &vec![0; octets]);
        let mut queue = Queue::new(Room { packets: 3, octets: 100 });
        assert!(queue.push(packet(60)).is_ok() && queue.push(packet(41)).is_err() && queue.push(packet(40)).is_ok());
        assert_eq!(queue.pop().map(|packet| packet.len()), Some(60));
        assert!((0..3).filter(|_| queue.push(packet(1)).is_ok()).count() == 2);
    }
}
