//! The messages of neighbour discovery (RFC 4861 §4.3, §4.4): solicitations and advertisements, read and written.
//!
//! Routers and redirects are not listened to: a host's gateways are configured, and a forged redirect takes traffic away.

use std::net::Ipv6Addr;

use smallvec::SmallVec;

use super::Mac;
use crate::ip::addresses::solicited_node;
use crate::ip::limits::DISCOVERY_HOPS;

/// What a neighbour discovery message asks or tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ip) enum Message {
    /// Who has this address?
    Solicitation {
        /// Which.
        target: Ipv6Addr,
        /// Where the sender can be reached.
        source_mac: Option<Mac>,
    },
    /// This address is mine.
    Advertisement {
        /// Which.
        target: Ipv6Addr,
        /// Where it can be reached.
        target_mac: Option<Mac>,
        /// It answers a question.
        solicited: bool,
        /// It replaces what is known.
        overrides: bool,
    },
}

/// The ICMPv6 types of these messages, and the options that carry a MAC address (RFC 4861 §4.6.1).
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_MAC: u8 = 1;
const TARGET_MAC: u8 = 2;

impl Message {
    /// Reads an ICMPv6 message from its type on; `None` when it is not valid or another one. `hops` is its hop limit: a
    /// message that crossed a router is forged (RFC 4861 §7.1.1, §7.1.2).
    pub(in crate::ip) fn read(bytes: &[u8], hops: u8, src: Ipv6Addr, dst: Ipv6Addr) -> Option<Message> {
        let (fixed, rest) = bytes.split_at_checked(24)?;
        let target = Ipv6Addr::from(<[u8; 16]>::try_from(&fixed[8..24]).ok()?);
        if hops != DISCOVERY_HOPS || fixed[1] != 0 || target.is_multicast() {
            return None;
        }
        let solicited = fixed[4] & 0x40 != 0;
        match fixed[0] {
            SOLICITATION => {
                let source_mac = mac_option(rest, SOURCE_MAC)?;
                // Who has no address yet asks the group, and has nowhere to be answered.
                let nameless = src.is_unspecified();
                let is_valid = !nameless || (dst == solicited_node(target) && source_mac.is_none());
                is_valid.then_some(Message::Solicitation { target, source_mac })
            }
            ADVERTISEMENT if !(src.is_unspecified() || dst.is_multicast() && solicited) => {
                let target_mac = mac_option(rest, TARGET_MAC)?;
                let overrides = fixed[4] & 0x20 != 0;
                Some(Message::Advertisement { target, target_mac, solicited, overrides })
            }
            _ => None,
        }
    }

    /// The ICMPv6 message, its checksum zero.
    pub(in crate::ip) fn write(self) -> SmallVec<[u8; 60]> {
        let (kind, flags, target, option) = match self {
            Message::Solicitation { target, source_mac } => {
                (SOLICITATION, 0, target, source_mac.map(|mac| (SOURCE_MAC, mac)))
            }
            Message::Advertisement { target, target_mac, solicited, overrides } => {
                let flags = u8::from(solicited) << 6 | u8::from(overrides) << 5;
                (ADVERTISEMENT, flags, target, target_mac.map(|mac| (TARGET_MAC, mac)))
            }
        };
        let mut message = SmallVec::from_slice(&[kind, 0, 0, 0, flags, 0, 0, 0]);
        message.extend_from_slice(&target.octets());
        if let Some((option, mac)) = option {
            message.extend_from_slice(&[option, 1]);
            message.extend_from_slice(&mac);
        }
        message
    }
}

/// The MAC address in the option `wanted`, if there is one; `None` outside when the options are not valid: each has a
/// length that is not zero (RFC 4861 §4.6), and no host has the address of a group.
fn mac_option(mut options: &[u8], wanted: u8) -> Option<Option<Mac>> {
    let mut found = None;
    while let [kind, units, ..] = options {
        let length = usize::from(*units) * 8;
        let (option, rest) = options.split_at_checked(length).filter(|_| length > 0)?;
        if *kind == wanted {
            let mac = <Mac>::try_from(option.get(2..8)?).ok()?;
            found = Some(mac).filter(|mac| mac[0] & 1 == 0);
            found?;
        }
        options = rest;
    }
    options.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: Mac = [2, 0, 0, 0, 0, 7];
    const A: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
    const ALL: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

    fn question() -> Message {
        Message::Solicitation { target: A, source_mac: Some(MAC) }
    }

    #[test]
    fn messages_survive_the_wire() {
        for mac in [Some(MAC), None] {
            let messages = [
                Message::Solicitation { target: A, source_mac: mac },
                Message::Advertisement { target: A, target_mac: mac, solicited: true, overrides: false },
                Message::Advertisement { target: A, target_mac: mac, solicited: false, overrides: true },
            ];
            for message in messages {
                assert_eq!(Message::read(&message.write(), 255, B, A), Some(message));
            }
        }
    }

    /// RFC 4861 §7.1.1 and §7.1.2.
    #[test]
    fn invalid_messages_are_not_read() {
        let good = question().write();
        let changed = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            Message::read(&bytes, 255, B, A)
        };
        assert_eq!(Message::read(&good, 254, B, A), None, "it crossed a router");
        assert_eq!(Message::read(&good[..23], 255, B, A), None, "cut short");
        assert_eq!(Message::read(&good[..31], 255, B, A), None, "an option cut short");
        assert_eq!(changed(1, 1), None, "a code");
        assert_eq!(changed(8, 0xff), None, "a group as target");
        assert_eq!(changed(25, 0), None, "an option without length");
        assert_eq!(changed(26, 1), None, "a group's MAC address");
        assert_eq!(changed(0, 134), None, "a router");
        let told = Message::Advertisement { target: A, target_mac: None, solicited: true, overrides: true };
        assert_eq!(Message::read(&told.write(), 255, B, ALL), None, "an answer to everybody");
    }

    /// RFC 4861 §7.1.1, RFC 4862 §5.4.3.
    #[test]
    fn who_has_no_address_yet_asks_the_group_and_gives_no_mac() {
        let nameless = Message::Solicitation { target: A, source_mac: None };
        let read = |message: Message, dst| Message::read(&message.write(), 255, Ipv6Addr::UNSPECIFIED, dst);
        assert_eq!(read(nameless, solicited_node(A)), Some(nameless));
        assert_eq!((read(nameless, A), read(question(), solicited_node(A))), (None, None));
    }

    proptest! {
        #[test]
        fn no_message_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), kind in 133_u8..138) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = kind;
            }
            let _ = Message::read(&bytes, 255, B, A);
        }
    }
}
