//! What single rows say: whose they are, when they were, and what is told beside them.

use super::*;

#[test]
fn connections_are_numbered_as_wireshark_numbers_them() {
    let mut scene = lossy_conversation();
    // The same ports again, with another initial sequence number: a connection of its own.
    let mut again = tcp(CLIENT, SYN, 0, 0, b"");
    again[27] ^= 0x55;
    scene.send(5_000_000, CLIENT, again, None, Fate::Arrives);
    let text = scene.draw(Style::plain(80));
    assert!(text.contains("connection 2: client:49152 → server:80"), "{text}");
    assert!(text.contains("tcp.stream == 1"), "{text}");
}

#[test]
fn a_connection_that_began_before_the_capture_says_so() {
    let mut scene = Scene::default();
    scene.send(0, SERVER, tcp(SERVER, PSH_ACK, 5_000, 700, b"late"), None, Fate::Arrives);
    scene.send(20_000, CLIENT, tcp(CLIENT, ACK, 700, 5_004, b""), None, Fate::Arrives);
    let text = scene.draw_foreign(Style::plain(100), false);
    assert!(text.contains("connection 1: 10.0.0.2:80 and 10.0.0.1:49152 (began earlier)"), "{text}");
    assert!(text.contains("PSH,ACK seq=1 ack=1 len=4"), "{text}");
    assert!(text.contains("ACK seq=1 ack=5"), "{text}");
}

#[test]
fn third_hosts_are_named_beside_their_packets() {
    let mut scene = Scene::default();
    scene.send(0, CLIENT, udp(CLIENT, b"a"), None, Fate::Arrives);
    let mut other = udp(CLIENT, b"b");
    other[19] = 9;
    scene.send(1, CLIENT, other, None, Fate::Arrives);
    let text = scene.draw_foreign(Style::plain(100), false);
    assert!(text.contains("10.0.0.1 → 10.0.0.9"), "{text}");
}

#[test]
fn a_sender_that_gives_its_reasons_is_believed() {
    // Octets that were seen before, sent as new data: a stack that does so has its reason, a kernel has not.
    let drawn = |why: Option<Reason>| {
        let mut scene = Scene::default();
        scene.send(0, CLIENT, tcp(CLIENT, PSH_ACK, 1, 1, b"abc"), why, Fate::Arrives);
        scene.send(9, CLIENT, tcp(CLIENT, PSH_ACK, 1, 1, b"abc"), why, Fate::Arrives);
        scene.settle();
        scene.draw(Style::plain(120))
    };
    assert!(drawn(None).contains("├═ PSH,ACK"), "{}", drawn(None));
    assert!(!drawn(Some(Reason::NewData)).contains('═'), "{}", drawn(Some(Reason::NewData)));
}

#[test]
fn a_packet_still_on_its_way_at_the_end_did_not_get_here() {
    let mut scene = Scene::default();
    scene.send(0, CLIENT, udp(CLIENT, b"a"), None, Fate::Arrives);
    scene.send(1, SERVER, udp(SERVER, b"b"), None, Fate::Arrives);
    scene.client.pop();
    let text = scene.draw(Style::plain(120));
    assert!(text.contains("not seen at client before the end"), "{text}");
}

#[test]
fn what_was_lost_before_the_first_packet_has_a_time_before_it() {
    let mut scene = Scene::default();
    scene.send(0, SERVER, udp(SERVER, b"a"), None, Fate::Dropped(Impairment::Lost));
    scene.send(1_500_000, CLIENT, udp(CLIENT, b"b"), None, Fate::Arrives);
    let text = scene.draw(Style::plain(100));
    assert!(text.contains("    -1.500000  │"), "{text}");
    assert!(text.contains(" 1   0.000000  ├"), "{text}");
}

#[test]
fn a_state_is_shown_once_beside_the_packet_that_brought_it() {
    let mut scene = Scene::default();
    scene.state(0, CLIENT, TcpState::SynSent);
    let closes = state(2, TcpState::Established, TcpState::FinWait1);
    scene.tell(0, CLIENT, closes);
    // All in the moment of the changes: one belongs to the SYN, one to the FIN of another connection, none to the rest.
    let mut fin = tcp(CLIENT, FIN_ACK, 9, 9, b"");
    fin[21] ^= 1;
    scene.send(0, CLIENT, udp(CLIENT, b"a"), Some(Reason::Datagram), Fate::Arrives);
    scene.send(0, CLIENT, fin, Some(Reason::Close), Fate::Arrives);
    scene.send(0, CLIENT, tcp(CLIENT, SYN, 0, 0, b""), Some(Reason::ActiveOpen), Fate::Arrives);
    scene.send(0, CLIENT, tcp(CLIENT, ACK, 1, 1, b""), Some(Reason::Acknowledge), Fate::Arrives);
    let text = scene.draw(Style::plain(100));
    let lines: Vec<&str> = text.lines().collect();
    let above = |state: &str| {
        let index = lines.iter().position(|line| line.contains(state)).expect("the state is shown");
        lines[index - 1]
    };
    assert!(above("FIN-WAIT-1").contains("FIN,ACK"), "{text}");
    assert!(above("SYN-SENT").contains("SYN seq=0"), "{text}");
    assert_eq!(text.matches("SYN-SENT").count() + text.matches("FIN-WAIT-1").count(), 2, "{text}");
}

#[test]
fn the_timer_of_a_syn_stands_beside_the_syn_whatever_arrived_with_it() {
    let timer = |socket, due| Event::TimerSet { socket: SocketId(socket), timer: Timer::Retransmission, due: at(due) };
    let mut scene = Scene::default();
    scene.send(0, SERVER, tcp(SERVER, FIN_ACK, 9, 9, b""), Some(Reason::Close), Fate::Arrives);
    // The program hears of the end, closes, and opens its next connection, all at once.
    let opens = state(2, TcpState::Closed, TcpState::SynSent);
    scene.tell(DELAY, CLIENT, opens);
    scene.tell(DELAY, CLIENT, timer(1, 300_000));
    let mut fin = tcp(CLIENT, FIN_ACK, 9, 10, b"");
    fin[21] ^= 1;
    scene.send(DELAY, CLIENT, fin, Some(Reason::Close), Fate::Arrives);
    scene.tell(DELAY, CLIENT, timer(2, 1_000_000));
    scene.send(DELAY, CLIENT, tcp(CLIENT, SYN, 0, 0, b""), Some(Reason::ActiveOpen), Fate::Arrives);
    let text = scene.draw(Style { verbose: true, ..Style::plain(100) });
    let place = |what: &str| text.find(what).unwrap_or_else(|| panic!("{what} is missing: {text}"));
    assert!(place("due 0.290000") < place("SYN seq=0"), "{text}");
    assert!(place("due 0.990000") > place("SYN seq=0"), "{text}");
}

#[test]
fn without_packets_it_says_so() {
    assert_eq!(Scene::default().draw(Style::plain(80)), "no packets\n");
}

proptest::proptest! {
    #[test]
    fn any_bytes_and_any_comment_stay_within_the_width(
        packets in vec((any::<u64>(), any::<bool>(), vec(any::<u8>(), 0..90), ".{0,80}"), 0..12),
        mutate in vec((0_usize..60, any::<u8>()), 0..6),
        (width, ascii, verbose) in (80_usize..=140, any::<bool>(), any::<bool>()),
    ) {
        let mut scene = Scene::default();
        for (at, is_client, bytes, comment) in packets {
            let node = if is_client { CLIENT } else { SERVER };
            let bytes = if bytes.len() % 2 == 0 { bytes } else {
                let mut bytes = tcp(node, SYN_ACK, at as u32, 0, &bytes);
                for (index, value) in &mutate {
                    if let Some(byte) = bytes.get_mut(*index) {
                        *byte = *value;
                    }
                }
                bytes
            };
            scene.send(at % 1_000_000_000_000, node, bytes, None, Fate::Arrives);
            if let Some(record) = scene.client.last_mut() {
                record.comments.push(comment.clone().into());
            }
        }
        scene.settle();
        let style = Style { ascii, verbose, ..Style::plain(width) };
        scene.draw(style);
        scene.draw_at(Side::Right, style);
        scene.draw_foreign(style, true);
    }
}

/// A message about `api.example`: header and question, then what follows.
fn dns(flags: u16, counts: [u16; 3], records: &[u8]) -> Vec<u8> {
    let [answers, authorities, additionals] = counts;
    let header = [0x1697, flags, 1, answers, authorities, additionals];
    let mut message: Vec<u8> = header.iter().flat_map(|word| word.to_be_bytes()).collect();
    message.extend(b"\x03api\x07example\x00\x00\x01\x00\x01");
    message.extend(records);
    message
}

/// A datagram between the client and port 53 of the server.
fn to_or_from_dns(from: NodeId, payload: &[u8]) -> Vec<u8> {
    let client = ([10, 0, 0, 1], 40_000);
    let server = ([10, 0, 0, 2], 53);
    let ((src, from_port), (dst, to_port)) = if from == CLIENT { (client, server) } else { (server, client) };
    let builder = etherparse::PacketBuilder::ipv4(src, dst, 64).udp(from_port, to_port);
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).expect("a vector takes every packet");
    bytes
}

#[test]
fn dns_questions_and_answers_are_read() {
    let address = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xcb\x00\x71\x0a";
    let soa =
        [b"\xc0\x10\x00\x06\x00\x01\x00\x00\x01\x2c\x00\x1a\x02ns\xc0\x10\x00".as_slice(), &[0; 16], &[0, 0, 0, 60]]
            .concat();
    let alias =
        [b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x05\x00\x06\x03www\xc0\x10".as_slice(), b"\xc0\x29", &address[2..]];
    let mut scene = Scene::default();
    let mut say = |at, from, message: Vec<u8>| {
        scene.send(at, from, to_or_from_dns(from, &message), None, Fate::Arrives);
    };
    say(0, CLIENT, dns(0x0100, [0, 0, 0], b""));
    say(1, SERVER, dns(0x8180, [1, 0, 0], address));
    say(2, SERVER, dns(0x8183, [0, 1, 0], &soa));
    say(3, SERVER, dns(0x8180, [2, 0, 0], &alias.concat()));
    say(4, SERVER, dns(0x8380, [0, 0, 0], b""));
    say(5, SERVER, dns(0x8180, [0, 0, 0], b""));
    let text = scene.draw(Style::plain(160));
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("DNS ")).collect();
    for (line, parts) in lines.iter().zip([
        ["DNS A api.example? id=0x1697", "a question"],
        ["DNS NOERROR answers=1 id=0x1697", "A 203.0.113.10, TTL 300 s · the answer"],
        ["DNS NXDOMAIN id=0x1697", "no such name, TTL 60 s"],
        ["DNS NOERROR answers=2", "CNAME www.example, TTL 5 s, www.example A 203.0.113.10, TTL 300 s"],
        ["DNS NOERROR truncated", "does not fit: ask again over TCP"],
        ["DNS NOERROR id=", "no record of this type"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{parts:?}: {text}");
    }
}

#[test]
fn dns_over_tcp_is_told_beside_its_segment() {
    let question = dns(0x0100, [0, 0, 0], b"");
    let framed = [&(question.len() as u16).to_be_bytes(), question.as_slice()].concat();
    let mut bytes = Vec::new();
    let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).tcp(40_000, 53, 1, 500).ack(1);
    builder.write(&mut bytes, &framed).expect("a vector takes every packet");
    let mut scene = Scene::default();
    scene.send(0, CLIENT, bytes, None, Fate::Arrives);
    let text = scene.draw_foreign(Style::plain(140), false);
    assert!(text.contains("ACK seq=1 ack=1 len=31") && text.contains("DNS A api.example?"), "{text}");
}
