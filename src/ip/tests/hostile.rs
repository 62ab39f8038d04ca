//! What no wire should carry: random, forged and mutated packets, checksums repaired so that they get past the first look.
//! Nothing panics, nothing grows without bound, nobody is told more than he may be, and afterwards the host still works.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::ip::limits;
use crate::packet::DeliveryError;
use crate::rng::Rng;

struct Attack {
    subject: Subject,
    rng: Rng,
    fates: BTreeMap<String, u64>,
}

impl Attack {
    fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    fn noise(&mut self, most: usize) -> Vec<u8> {
        let mut noise = vec![0; self.rng.below(most as u64) as usize];
        self.rng.fill(&mut noise);
        noise
    }

    /// A packet that makes sense, mostly.
    fn forge(&mut self) -> Vec<u8> {
        let v6 = self.below(2) == 0;
        let groups: [&[&str]; 2] =
            [&["10.0.0.255", "224.0.0.1", "10.0.0.9"], &["ff02::1", "ff02::1:ff00:1", "fd00::9"]];
        let dst = match self.below(6) {
            0 => ip(groups[usize::from(v6)][self.below(3)]),
            _ => host(1, v6),
        };
        let src = host(2 + self.below(3) as u8, v6);
        let data = self.noise(200);
        let options = [60, 0, 43, 44, 59, 253, 6, 17, 58, 1, 2, 51, 50];
        match self.below(8) {
            0 => datagram_between(src, dst, &data),
            1 => message(
                src,
                dst,
                64,
                &[&[[8, 128, 0, 129, 13][self.below(5)], 0, 0, 0, 0, 1, 0, 2], &data[..]].concat(),
            ),
            2 => {
                let whose = host(1 + self.below(2) as u8, v6);
                let quoted = datagram_between(whose, host(9, v6), b"ours?");
                let cut = self.below(quoted.len() + 1);
                let kind = if v6 { 1 + self.below(5) as u8 } else { [3, 4, 5, 11, 12][self.below(5)] };
                message(src, dst, 64, &[&[kind, self.below(5) as u8, 0, 0, 0, 0, 2, 88], &quoted[..cut]].concat())
            }
            3 => {
                let target = host(1 + self.below(2) as u8, true);
                let IpAddr::V6(target) = target else { return Vec::new() };
                let kind = 133 + self.below(5) as u8;
                let octets =
                    [&[kind, 0, 0, 0, 0x60, 0, 0, 0][..], &target.octets(), &[1 + self.below(2) as u8, 1], &PEER_MAC];
                message(host(2, true), host(1, true), 255, &octets.concat())
            }
            4 | 5 => self.forge_fragment(src, dst),
            6 if v6 => {
                let mut chain = Vec::new();
                for _ in 0..self.below(5) {
                    let option = [0, 1, 5, 0x1e, 0x5e, 0x9e, 0xde][self.below(7)];
                    chain.extend_from_slice(&[
                        options[self.below(options.len())],
                        0,
                        option,
                        self.below(5) as u8,
                        0,
                        0,
                        0,
                        0,
                    ]);
                }
                let plain = datagram_between(src, dst, &data);
                raw(src, dst, options[self.below(options.len())], 64, &[&chain, &plain[40..]].concat())
            }
            _ => raw(src, dst, options[self.below(options.len())], 64, &data),
        }
    }

    fn forge_fragment(&mut self, src: IpAddr, dst: IpAddr) -> Vec<u8> {
        let (offset, more) = (self.below(6) * 64, self.below(3) > 0);
        let data = pattern(64 * (1 + self.below(3)) - self.below(2) * self.below(8));
        let datagrams = [3, 1000][self.below(2)];
        let identification = self.below(datagrams) as u16;
        let field = if self.below(20) == 0 { self.rng.next_u32() as u16 } else { offset as u16 };
        if src.is_ipv6() {
            let mut header = vec![17, 0];
            header.extend_from_slice(&(field & !7 | u16::from(more)).to_be_bytes());
            header.extend_from_slice(&u32::from(identification).to_be_bytes());
            return raw(src, dst, 44, 64, &[&header, &data[..]].concat());
        }
        let mut packet = raw(src, dst, 17, 64, &data);
        packet[4..6].copy_from_slice(&identification.to_be_bytes());
        packet[6..8].copy_from_slice(&(field >> 3 | if more { 0x2000 } else { 0 }).to_be_bytes());
        super::super::fragment::write_header_checksum(&mut packet[..20]);
        packet
    }

    fn invent(&mut self) -> Vec<u8> {
        if self.below(30) == 0 {
            return self.noise(200);
        }
        let packet = self.forge();
        let mut frame = self.subject.frame(&packet);
        if self.subject.medium == Medium::Ethernet && self.below(10) == 0 {
            let is_request = self.below(2) == 0;
            let (a, b) = (self.below(4) as u8, self.below(4) as u8);
            let sender = ([2, 0, 0, 0, 0, a], [10, 0, 0, a].into());
            let arp =
                super::super::neighbours::arp::Message { is_request, sender, target: (OWN_MAC, [10, 0, 0, b].into()) };
            frame = arp.to_packet([0xff; 6]).to_bytes().to_vec();
        }
        for _ in 0..[0, 0, 1, 2][self.below(4)] {
            match self.below(4) {
                0 => {
                    let length = self.below(frame.len() + 40);
                    frame.resize(length, 0xaa);
                }
                _ if frame.is_empty() => {}
                1 => {
                    let at = self.below(frame.len());
                    frame[at] = self.rng.next_u32() as u8;
                }
                _ => {
                    let at = self.below(frame.len().min(60));
                    frame[at] ^= 1 << self.below(8);
                }
            }
        }
        frame
    }

    /// One packet, and now and then something of our own.
    fn strike(&mut self) {
        let mut frame = self.invent();
        if self.below(10) > 0 {
            repair(self.subject.medium, &mut frame);
        }
        let arrival = self.subject.takes_frame(frame);
        let fate = match &arrival {
            Some(Arrival::Transport(_)) => "transport".to_owned(),
            Some(Arrival::Undelivered(_)) => "undelivered".to_owned(),
            Some(Arrival::EchoReply(_)) => "echo reply".to_owned(),
            None => self.subject.drops().first().map_or("taken".to_owned(), |reason| format!("{reason:?}")),
        };
        *self.fates.entry(fate).or_default() += 1;
        if let Some(arrival) = &arrival {
            self.subject.host.refuse(self.subject.now, arrival, DeliveryError::PortUnreachable);
        }
        if self.below(20) == 0 {
            let to = host(2 + self.below(9) as u8, self.below(2) == 0);
            let octets = self.below(4000);
            // A full queue is no failure.
            let _ = self.subject.host.send(self.subject.now, outgoing(to, &pattern(octets)));
        }
    }

    fn is_bounded(&mut self) {
        let (datagrams, fragments) = self.subject.host.reassembly.size();
        assert!(datagrams <= limits::DATAGRAMS && fragments <= limits::FRAGMENTS, "{datagrams} {fragments}");
        let (neighbours, waiting) = self.subject.host.neighbours.size();
        assert!(neighbours <= limits::NEIGHBOURS && waiting <= neighbours * limits::UNRESOLVED.octets);
        assert!(self.subject.host.reports.len() <= limits::REPORTS);
    }
}

/// Makes every checksum right that has a place.
fn repair(medium: Medium, frame: &mut [u8]) {
    let dissection = Dissection::of(medium, frame, frame.len());
    if let Some(Network::Ipv4(ip)) = &dissection.network
        && let Some(header) = frame.get_mut(ip.offset..ip.offset + ip.header_len)
    {
        super::super::fragment::write_header_checksum(header);
    }
    let Some(((src, dst), range)) = dissection.addresses().zip(dissection.transport_range()) else { return };
    let (protocol, field) = match dissection.transport {
        Some(Transport::Tcp(_)) => (6, 16),
        Some(Transport::Udp(_)) => (17, 6),
        Some(Transport::Icmpv4(_)) => (1, 2),
        Some(Transport::Icmpv6(_)) => (58, 2),
        None => return,
    };
    let Some(bytes) = frame.get_mut(range).filter(|bytes| bytes.len() >= field + 2) else { return };
    bytes[field..field + 2].fill(0);
    let sum = match protocol {
        1 => Sum::new(),
        _ => Sum::new().add_pseudo_header(src, dst, protocol, bytes.len() as u32),
    };
    let sum = sum.add_bytes(bytes).complement();
    bytes[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

fn endure(medium: Medium, packets: u32, seed: u64) {
    let subject = Subject::acquainted(medium);
    let mut attack = Attack { subject, rng: Rng::new(seed), fates: BTreeMap::new() };
    for _ in 0..packets / 50 {
        (0..50).for_each(|_| attack.strike());
        attack.is_bounded();
        let pause = [0, 1, 20, 700, 7000][attack.below(5)];
        let until = attack.subject.now + Duration::from_millis(pause);
        attack.subject.pass(until);
        let answers = attack.subject.sent();
        // Each packet draws at most one answer, of at most the fragments of a long echo; our own datagrams come on top.
        assert!(answers.len() < 400, "{} packets for 50", answers.len());
        while let Some(arrival) = attack.subject.host.arrival(attack.subject.now) {
            assert!(matches!(arrival, Arrival::Undelivered(_)), "{arrival:?}");
        }
        attack.subject.drops();
    }
    // Else too few got where they could do harm, and nothing is proven.
    let wanted =
        ["transport", "undelivered", "taken", "BadFragment", "ForgedIcmp", "UnknownProtocol", "BadTransportChecksum"];
    for fate in wanted {
        let reached = attack.fates.get(fate).copied().unwrap_or_default();
        assert!(reached > u64::from(packets) / 300, "{fate}: {:?}", attack.fates);
    }
    attack.subject.pass(attack.subject.now + Duration::from_secs(300));
    attack.subject.sent();
    attack.subject.drops();
    assert_eq!(attack.subject.host.reassembly.size(), (0, 0));
    assert_eq!((attack.subject.host.deadline(), attack.subject.host.neighbours.size().1), (None, 0));
    still_works(attack.subject);
}

/// Echo is answered, long datagrams are joined, and packets leave.
fn still_works(mut subject: Subject) {
    for v6 in [false, true] {
        let news = super::super::News { mac: Some(PEER_MAC), solicited: true, overrides: true, may_be_new: true };
        subject.host.hear(host(2, v6), news);
        subject.sent();
        let request = [if v6 { 128 } else { 8 }, 0, 0, 0, 0, 9, 0, 3, 1, 2, 3];
        subject.takes(&message(host(2, v6), host(1, v6), 64, &request));
        assert_eq!(subject.sent_one().why.reason, Reason::EchoReply);
        assert_eq!(data(subject.takes(&datagram(v6, b"still there?"))).as_deref(), Some(&b"still there?"[..]));
        subject.host.send(subject.now, outgoing(host(2, v6), b"yes")).expect("there is a way");
        assert_eq!(subject.sent_one().payload(), b"yes");
    }
    assert!(subject.drops().is_empty());
}

#[test]
fn fifty_thousand_hostile_ip_packets_do_no_lasting_harm() {
    endure(Medium::Ip, 50_000, 1);
}

#[test]
fn fifty_thousand_hostile_frames_do_no_lasting_harm() {
    endure(Medium::Ethernet, 50_000, 2);
}
