//! Fragments that arrive: joined, spoiled, late, and wrong in their lengths (CONFORMANCE 36, 38).

use super::*;

/// A fragment of the peer's datagram `whole` (an IP packet), from `from` to `to` of what follows the network header.
fn fragment(whole: &[u8], from: usize, to: usize) -> Vec<u8> {
    let v6 = whole[0] >> 4 == 6;
    let (network, rest) = whole.split_at(if v6 { 40 } else { 20 });
    let more = to < rest.len();
    let (src, dst) = (host(2, v6), host(1, v6));
    if v6 {
        let mut header = vec![17, 0];
        header.extend_from_slice(&(from as u16 | u16::from(more)).to_be_bytes());
        header.extend_from_slice(&7_u32.to_be_bytes());
        return raw(src, dst, 44, 64, &[&header, &rest[from..to]].concat());
    }
    let mut packet = raw(src, dst, network[9], 64, &rest[from..to]);
    let field = (from / 8) as u16 | if more { 0x2000 } else { 0 };
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    super::super::fragment::write_header_checksum(&mut packet[..20]);
    packet
}

#[test]
fn fragments_are_joined_in_any_order_and_spoiled_by_an_overlap() {
    let cases: [(&[(usize, usize)], bool); 6] = [
        (&[(0, 1000), (1000, 2000), (2000, 3008)], true),
        (&[(2000, 3008), (1000, 2000), (0, 1000)], true),
        (&[(0, 1000), (0, 1000), (1000, 2000), (1000, 2000), (2000, 3008)], true),
        (&[(0, 1000), (1000, 2000), (512, 768), (2000, 3008)], true),
        (&[(0, 1000), (504, 1504), (1000, 2000), (2000, 3008)], false),
        (&[(0, 1000), (1000, 2000), (2000, 3008), (2000, 3008)], true),
    ];
    for (ranges, joined) in cases {
        for medium in MEDIA {
            for v6 in [false, true] {
                let mut subject = Subject::acquainted(medium);
                let whole = datagram(v6, &pattern(3000));
                let arrivals = ranges.iter().filter_map(|(from, to)| subject.takes(&fragment(&whole, *from, *to)));
                let arrived: Vec<_> = arrivals.map(|arrival| data(Some(arrival))).collect();
                let expected = if joined { vec![Some(pattern(3000))] } else { vec![] };
                assert_eq!(arrived, expected, "{ranges:?}, IPv6: {v6}");
                assert!(subject.sent().is_empty());
            }
        }
    }
}

#[test]
fn a_joined_echo_request_is_answered() {
    for v6 in [false, true] {
        let mut subject = Subject::new(Medium::Ip);
        let octets = [&[if v6 { 128 } else { 8 }, 0, 0, 0, 0, 9, 0, 3], &pattern(2992)[..]].concat();
        let whole = message(host(2, v6), host(1, v6), 64, &octets);
        for (from, to) in [(0, 1000), (1000, 3000)] {
            let mut part = fragment(&whole, from, to);
            if v6 {
                part[40] = 58;
            }
            assert!(subject.takes(&part).is_none());
        }
        assert_eq!(subject.sent().len(), 3, "the reply goes in fragments");
    }
}

#[test]
fn what_is_joined_is_judged_as_a_whole() {
    let mut subject = Subject::new(Medium::Ip);
    let mut whole = datagram(true, &pattern(3000));
    whole[2000] ^= 1;
    assert!(subject.takes(&fragment(&whole, 0, 1000)).is_none());
    assert!(subject.takes(&fragment(&whole, 1000, 3008)).is_none());
    assert_eq!(subject.drops(), [DropReason::BadTransportChecksum]);
}

/// RFC 1122 §3.3.2, RFC 8200 §4.5.
#[test]
fn the_sender_is_told_of_missing_fragments_only_when_the_first_came() {
    for v6 in [false, true] {
        for (range, told) in [((0, 1000), true), ((1000, 2000), false), ((2000, 3008), false)] {
            let mut subject = Subject::acquainted(Medium::Ethernet);
            let whole = datagram(v6, &pattern(3000));
            let part = fragment(&whole, range.0, range.1);
            assert!(subject.takes(&part).is_none());
            assert_eq!(
                subject.host.deadline().map(|(at, timer)| (at.as_nanos(), timer)),
                Some((60_000_000_000, crate::journal::Timer::Reassembly))
            );
            subject.pass(at(59_999));
            assert!(subject.sent().is_empty() && subject.drops().is_empty());
            // Whom we have not heard of for so long must be asked for; the peer answers.
            subject.now = at(60_000);
            let news = super::super::News { mac: Some(PEER_MAC), solicited: true, overrides: true, may_be_new: true };
            subject.host.hear(host(2, v6), news);
            subject.host.expire(subject.now);
            assert_eq!(subject.drops(), [DropReason::ReassemblyTimeout]);
            let sent = subject.sent();
            assert_eq!(sent.len(), usize::from(told), "{range:?}");
            if let [error] = &sent[..] {
                assert_eq!(error.says(), if v6 { (3, 1, 0) } else { (11, 1, 0) });
                assert_eq!(error.ends(), (host(1, v6), host(2, v6)));
                let network = if v6 { 40 } else { 20 };
                assert_eq!(error.payload()[network..][..8], whole[network..][..8], "it quotes the first fragment");
            }
        }
    }
}

/// RFC 8200 §4.5: a length that is no multiple of eight, a packet that would be too long, headers that are not all in
/// the first fragment.
#[test]
fn wrong_lengths_are_complained_about_over_ipv6() {
    let whole = datagram(true, &pattern(3000));
    let mut beyond = fragment(&whole, 1000, 2000);
    beyond[42..44].copy_from_slice(&(65_000_u16 | 1).to_be_bytes());
    let short = fragment(&whole, 0, 1004);
    let mut incomplete = fragment(&whole, 0, 8);
    incomplete[40] = 6;
    for (packet, says) in [(short, (4, 0, 4)), (beyond, (4, 0, 42)), (incomplete, (4, 3, 0))] {
        let mut subject = Subject::new(Medium::Ip);
        assert!(subject.takes(&packet).is_none());
        assert_eq!(subject.sent_one().says(), says);
        assert_eq!(subject.drops(), [DropReason::BadFragment]);
        assert_eq!(subject.host.deadline(), None, "nothing of it is kept");
    }
}

#[test]
fn wrong_lengths_are_dropped_over_ipv4() {
    let whole = datagram(false, &pattern(3000));
    let mut beyond = fragment(&whole, 1000, 2000);
    beyond[6..8].copy_from_slice(&0x3fff_u16.to_be_bytes());
    super::super::fragment::write_header_checksum(&mut beyond[..20]);
    for packet in [fragment(&whole, 0, 1004), beyond] {
        let mut subject = Subject::new(Medium::Ip);
        assert!(subject.takes(&packet).is_none() && subject.sent().is_empty());
        assert_eq!(subject.drops(), [DropReason::BadFragment]);
    }
}

/// RFC 6946 §4: it is whole, whatever else goes by its identification.
#[test]
fn an_atomic_fragment_is_a_packet_of_its_own() {
    let mut subject = Subject::new(Medium::Ip);
    let whole = datagram(true, &pattern(3000));
    assert!(subject.takes(&fragment(&whole, 0, 1000)).is_none());
    let small = datagram(true, b"atom");
    assert_eq!(data(subject.takes(&fragment(&small, 0, 12))).as_deref(), Some(&b"atom"[..]));
    assert_eq!(data(subject.takes(&fragment(&whole, 1000, 3008))), Some(pattern(3000)));
}

/// RFC 3168 §5.3: what one fragment met on its way, the whole has met.
#[test]
fn congestion_met_by_one_fragment_is_told_of_the_whole() {
    for v6 in [false, true] {
        for ([first, second], told) in [([2, 2], Some(2)), ([2, 3], Some(3)), ([3, 2], Some(3)), ([0, 3], None)] {
            let mut subject = Subject::new(Medium::Ip);
            let whole = datagram(v6, &pattern(1000));
            let mut mark = |from, to, ecn: u8| {
                let mut part = fragment(&whole, from, to);
                part[1] |= if v6 { ecn << 4 } else { ecn };
                if !v6 {
                    super::super::fragment::write_header_checksum(&mut part[..20]);
                }
                subject.takes(&part)
            };
            assert!(mark(0, 504, first).is_none());
            let arrival = mark(504, 1008, second);
            let ecn = match &arrival {
                Some(Arrival::Transport(delivered)) => Some(delivered.ecn),
                Some(Arrival::Undelivered(_) | Arrival::EchoReply(_)) | None => None,
            };
            assert_eq!(ecn, told, "{first} and {second}, IPv6: {v6}");
        }
    }
}

#[test]
fn options_before_and_behind_the_fragment_header_stay() {
    let mut subject = Subject::new(Medium::Ip);
    let plain = datagram(true, &pattern(1000));
    // Hop-by-hop, fragment, destination options, UDP.
    let fragmentable = [&[17, 0, 1, 4, 0, 0, 0, 0], &plain[40..]].concat();
    let part = |from: usize, to: usize| {
        let mut headers = vec![44, 0, 1, 4, 0, 0, 0, 0, 60, 0];
        headers.extend_from_slice(&(from as u16 | u16::from(to < fragmentable.len())).to_be_bytes());
        headers.extend_from_slice(&[0, 0, 0, 9]);
        raw(host(2, true), host(1, true), 0, 64, &[&headers, &fragmentable[from..to]].concat())
    };
    assert!(subject.takes(&part(800, fragmentable.len())).is_none());
    assert_eq!(data(subject.takes(&part(0, 800))), Some(pattern(1000)));
}
