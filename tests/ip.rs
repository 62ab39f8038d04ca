//! The network layer and UDP of our own against another implementation: smoltcp answers, asks and joins fragments.

use std::net::{IpAddr, SocketAddr};

use wireglass::ip::{Arrival, Config, Host, Outgoing};
use wireglass::journal::SocketId;
use wireglass::packet::checksum;
use wireglass::packet::dissect::Transport;
use wireglass::packet::{Medium, Packet, segment};
use wireglass::stack::smoltcp::SmoltcpStack;
use wireglass::stack::{Interface, Stack, StackConfig, TcpConfig};
use wireglass::time::Instant;
use wireglass::udp::{Arriving, CHECKSUM_OFFSET, Sockets, Verdict};

const SOCKET: SocketId = SocketId(1);

fn host(number: u8, v6: bool) -> IpAddr {
    if v6 { [0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number)].into() } else { [10, 0, 0, number].into() }
}

fn addresses(number: u8) -> Vec<(IpAddr, u8)> {
    vec![(host(number, false), 24), (host(number, true), 64)]
}

/// Our host, number 1, and smoltcp's, number 2, on one wire.
struct Pair {
    ours: Host,
    sockets: Sockets,
    theirs: SmoltcpStack,
    now: Instant,
    /// Echo replies that came.
    replies: Vec<(IpAddr, u16, Vec<u8>)>,
    /// ICMP errors that came.
    errors: usize,
}

impl Pair {
    fn new(medium: Medium) -> Pair {
        let gateways = Vec::new;
        let config = Config {
            medium,
            mac: [2, 0, 0, 0, 0, 1],
            addresses: addresses(1),
            gateways: gateways(),
            mtu: 1500,
            seed: 1,
        };
        let interface =
            Interface { medium, mac: [2, 0, 0, 0, 0, 2], addresses: addresses(2), gateways: gateways(), mtu: 1500 };
        let stack = StackConfig { interface, seed: 2, tcp: TcpConfig::default() };
        let now = Instant::ZERO;
        Pair {
            ours: Host::new(config, now),
            sockets: Sockets::new(1),
            theirs: SmoltcpStack::new(&stack, now),
            now,
            replies: Vec::new(),
            errors: 0,
        }
    }

    /// Until nobody has anything more to say.
    fn talk(&mut self) {
        for _ in 0..100 {
            self.send_datagrams();
            let (mut to_them, mut was_quiet) = (Vec::new(), true);
            while let Some((packet, _)) = self.ours.transmit(self.now) {
                segment::cut(packet, &mut to_them);
            }
            was_quiet &= to_them.is_empty();
            self.theirs.receive(self.now, &mut to_them);
            while let Some((packet, _)) = self.theirs.transmit(self.now) {
                was_quiet = false;
                assert!(checksum::verify(packet.medium(), &packet.to_bytes()).is_good());
                self.take(packet);
            }
            if was_quiet {
                return;
            }
        }
        panic!("the two do not stop talking");
    }

    fn send_datagrams(&mut self) {
        while let Some(datagram) = self.sockets.transmit() {
            let outgoing = Outgoing {
                src: datagram.src.ip(),
                dst: datagram.dst.ip(),
                protocol: 17,
                hops: datagram.hops,
                traffic_class: datagram.traffic_class,
                dont_fragment: false,
                header: datagram.header.as_slice().into(),
                checksum_offset: Some(CHECKSUM_OFFSET),
                payload: datagram.payload,
                gso_size: None,
                why: datagram.why,
            };
            self.ours.send(self.now, outgoing).expect("there is a way");
        }
    }

    fn take(&mut self, packet: Packet) {
        match self.ours.receive(self.now, packet) {
            Some(Arrival::Transport(delivered)) => {
                let Some(Transport::Udp(udp)) = &delivered.dissection.transport else { panic!("not UDP") };
                let arriving = Arriving {
                    src: SocketAddr::new(delivered.src, udp.src_port),
                    dst: SocketAddr::new(delivered.dst, udp.dst_port),
                    length: udp.length,
                    payload: delivered.packet.payload(),
                };
                assert_eq!(self.sockets.arrives(&arriving), Verdict::Taken);
            }
            Some(Arrival::EchoReply(reply)) => {
                self.replies.push((reply.src, reply.sequence, reply.data.to_vec()));
            }
            Some(Arrival::Undelivered(report)) => {
                self.errors += usize::from(self.sockets.undelivered(report.local, report.remote, report.error));
            }
            None => {}
        }
    }
}

#[test]
fn smoltcp_answers_our_echo_requests_once_neighbours_have_met() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        for v6 in [false, true] {
            let mut pair = Pair::new(medium);
            for sequence in 1..=3 {
                pair.ours.ping(pair.now, host(2, v6), 7, sequence, b"are you there?").expect("there is a way");
                pair.talk();
            }
            let expected: Vec<_> = (1..=3).map(|nth| (host(2, v6), nth, b"are you there?".to_vec())).collect();
            assert_eq!(pair.replies, expected, "{medium:?}, IPv6: {v6}");
        }
    }
}

#[test]
fn datagrams_and_their_fragments_go_both_ways() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        for (v6, octets) in [(false, 100), (false, 5000), (true, 100)] {
            let mut pair = Pair::new(medium);
            let ours = pair.sockets.bind(SOCKET, (host(1, v6), 4000).into()).expect("the port is free");
            let theirs = SocketAddr::new(host(2, v6), 53);
            let other = pair.theirs.udp_bind(theirs).expect("the port is free");
            let data: Vec<u8> = (0..octets).map(|index| index as u8).collect();
            assert_eq!(pair.sockets.send_to(SOCKET, &data, theirs, None), Ok(true));
            pair.talk();
            let mut buffer = vec![0; 10_000];
            let taken = pair.theirs.udp_receive_from(other, &mut buffer);
            assert_eq!(taken, Ok(Some((octets, ours))), "{medium:?}, IPv6: {v6}");
            assert_eq!(buffer[..octets], data);
            assert_eq!(pair.theirs.udp_send_to(pair.now, other, &data, ours), Ok(true));
            pair.talk();
            buffer.fill(0);
            assert_eq!(pair.sockets.receive_from(SOCKET, &mut buffer), Ok(Some((octets, theirs))));
            assert_eq!(buffer[..octets], data);
        }
    }
}

#[test]
fn a_closed_port_of_smoltcp_is_an_error_of_a_connected_socket() {
    for v6 in [false, true] {
        let mut pair = Pair::new(Medium::Ethernet);
        pair.sockets.bind(SOCKET, (host(1, v6), 4000).into()).expect("the port is free");
        let closed = SocketAddr::new(host(2, v6), 9);
        pair.sockets.connect(SOCKET, closed, None).expect("a peer");
        assert_eq!(pair.sockets.send_to(SOCKET, b"anybody?", closed, None), Ok(true));
        pair.talk();
        assert_eq!(pair.errors, 1);
        assert!(pair.sockets.receive_from(SOCKET, &mut [0; 10]).is_err());
        assert_eq!(pair.sockets.receive_from(SOCKET, &mut [0; 10]), Ok(None));
    }
}
