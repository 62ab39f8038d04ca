//! The messages of ARP (RFC 826) for IPv4 over Ethernet.

use std::net::Ipv4Addr;

use super::Mac;
use crate::packet::dissect::Arp;
use crate::packet::{Medium, Packet};

/// Everybody on the link.
pub(in crate::ip) const BROADCAST: Mac = [0xff; 6];

/// What an ARP message asks or tells (RFC 826).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ip) struct Message {
    /// It wants an answer.
    pub is_request: bool,
    /// Who speaks.
    pub sender: (Mac, Ipv4Addr),
    /// Whom it asks for, or tells.
    pub target: (Mac, Ipv4Addr),
}

impl Message {
    /// Reads a message; `None` when its operation is unknown, or no host can have the sender's MAC address.
    pub(in crate::ip) fn of(arp: &Arp) -> Option<Message> {
        let impossible = arp.sender_mac[0] & 1 == 1 || arp.sender_mac == [0; 6];
        (matches!(arp.operation, 1 | 2) && !impossible).then_some(Message {
            is_request: arp.operation == 1,
            sender: (arp.sender_mac, arp.sender_ip),
            target: (arp.target_mac, arp.target_ip),
        })
    }

    /// The message as a frame to `destination`.
    pub(in crate::ip) fn to_packet(self, destination: Mac) -> Packet {
        let mut frame = [0; 42];
        frame[..6].copy_from_slice(&destination);
        frame[6..12].copy_from_slice(&self.sender.0);
        // EtherType ARP; Ethernet (1), IPv4 (0x0800), six and four octets of address.
        frame[12..20].copy_from_slice(&[0x08, 0x06, 0, 1, 0x08, 0, 6, 4]);
        frame[21] = if self.is_request { 1 } else { 2 };
        frame[22..28].copy_from_slice(&self.sender.0);
        frame[28..32].copy_from_slice(&self.sender.1.octets());
        frame[32..38].copy_from_slice(&self.target.0);
        frame[38..42].copy_from_slice(&self.target.1.octets());
        Packet::new(Medium::Ethernet, &frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::dissect::Network;

    #[test]
    fn a_message_survives_the_wire() {
        for is_request in [true, false] {
            let sender = ([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 1));
            let target = ([2, 0, 0, 0, 0, 2], Ipv4Addr::new(10, 0, 0, 2));
            let message = Message { is_request, sender, target };
            let read = message.to_packet(BROADCAST).dissect();
            let Some(Network::Arp(arp)) = &read.network else { panic!("{read:?}") };
            assert_eq!(Message::of(arp), Some(message));
            assert_eq!(Message::of(&Arp { operation: 3, ..*arp }), None);
            assert_eq!(Message::of(&Arp { sender_mac: [1, 0, 0, 0, 0, 1], ..*arp }), None);
        }
    }
}
