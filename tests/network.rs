//! Whole networks in virtual time: stacks, links and sockets together.

mod recovery;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use wireglass::capture::{Direction, Record, Witness};
use wireglass::journal::{Entry, Event, NodeId, PathMtuCause, Reason};
use wireglass::link::{Action, Pipe, PipeConfig, Rule};
use wireglass::network::{Clock, NodeHandle, World, sim};
use wireglass::packet::{Dissection, Medium, checksum};
use wireglass::rng::{Probability, Rng};
use wireglass::socket::{TcpListener, TcpStream, UdpSocket};
use wireglass::stack::{Interface, StackConfig, StackKind, TcpConfig};

/// What a network owes to every stack is tried with each.
const STACKS: [StackKind; 2] = [StackKind::Native, StackKind::Smoltcp];

#[derive(Default)]
struct Seen {
    packets: Vec<(NodeId, Record)>,
    events: Vec<Entry>,
}

struct Spy(Arc<Mutex<Seen>>);

impl Witness for Spy {
    fn packet(&mut self, node: NodeId, record: Record) {
        self.0.lock().expect("no test panics while it holds this").packets.push((node, record));
    }

    fn event(&mut self, entry: Entry) {
        self.0.lock().expect("no test panics while it holds this").events.push(entry);
    }

    fn settle(&mut self) {}
}

fn address(node: u8, medium_is_v6: bool) -> std::net::IpAddr {
    if medium_is_v6 {
        std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(node)).into()
    } else {
        std::net::Ipv4Addr::new(10, 0, 0, node).into()
    }
}

fn host(node: u8, medium: Medium, seed: u64) -> StackConfig {
    StackConfig {
        interface: Interface {
            medium,
            mac: [2, 0, 0, 0, 0, node],
            addresses: vec![(address(node, false), 24), (address(node, true), 64)],
            gateways: vec![],
            mtu: 1500,
        },
        seed: seed + u64::from(node),
        tcp: TcpConfig::default(),
    }
}

fn wire() -> PipeConfig {
    PipeConfig {
        name: "a-b".to_owned(),
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        rate: None,
        queue: 1000,
        loss: Probability::NEVER,
        reorder: Probability::NEVER,
        reorder_by: 3,
        duplicate: Probability::NEVER,
        corrupt: Probability::NEVER,
        mtu: 1500,
        rules: vec![],
    }
}

/// Runs `programs` on two hosts with a link between them.
fn pair<F: Future>(
    seed: u64,
    medium: Medium,
    there: PipeConfig,
    back: PipeConfig,
    programs: impl FnOnce(NodeHandle, NodeHandle) -> F,
) -> (F::Output, Seen) {
    pair_on(StackKind::default(), seed, medium, [there, back], programs)
}

/// The same on stacks of this kind; the wires there and back.
fn pair_on<F: Future>(
    stack: StackKind,
    seed: u64,
    medium: Medium,
    [there, back]: [PipeConfig; 2],
    programs: impl FnOnce(NodeHandle, NodeHandle) -> F,
) -> (F::Output, Seen) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let spy = Box::new(Spy(seen.clone()));
    let (output, _) = sim::run(|clock: &Clock| {
        let mut world = World::new(clock.clone(), spy);
        let a = world.add_stack(stack.make(&host(1, medium, seed), clock.now()));
        let b = world.add_stack(stack.make(&host(2, medium, seed), clock.now()));
        world.lay_pipe(a.node(), b.node(), Pipe::new(there, Rng::derive(seed, "there")));
        world.lay_pipe(b.node(), a.node(), Pipe::new(back, Rng::derive(seed, "back")));
        (world, programs(a, b))
    })
    .expect("a paused runtime needs nothing of the system");
    let seen = std::mem::take(&mut *seen.lock().expect("the run is over"));
    (output, seen)
}

async fn transfer(a: NodeHandle, b: NodeHandle, octets: usize, v6: bool) -> bool {
    let server = SocketAddr::new(address(2, v6), 80);
    let listener = TcpListener::bind(&b, server, 4).expect("the port is free");
    let data: Vec<u8> = {
        let mut data = vec![0; octets];
        Rng::new(5).fill(&mut data);
        data
    };
    let expected = data.clone();
    let sink = tokio::task::spawn_local(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection comes");
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.expect("the stream ends in order");
        stream.write_all(b"thanks").await.expect("the way back is open");
        stream.shutdown().await.expect("a shutdown is always possible");
        received
    });
    let mut stream = TcpStream::connect(&a, server).await.expect("the server listens");
    stream.write_all(&data).await.expect("the peer reads");
    stream.shutdown().await.expect("a shutdown is always possible");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the stream ends in order");
    answer == b"thanks" && sink.await.expect("the sink does not panic") == expected
}

fn retransmissions(seen: &Seen) -> Vec<Reason> {
    seen.events
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::PacketSent { why, .. } if why.reason.is_retransmission() => Some(why.reason),
            _ => None,
        })
        .collect()
}

#[test]
fn a_stream_arrives_whole_over_ipv4_and_ipv6_and_both_media() {
    let media = [Medium::Ip, Medium::Ethernet];
    for (stack, medium) in STACKS.into_iter().flat_map(|stack| media.map(|medium| (stack, medium))) {
        for v6 in [false, true] {
            let (whole, seen) = pair_on(stack, 1, medium, [wire(), wire()], |a, b| transfer(a, b, 100_000, v6));
            assert!(whole, "{stack} {medium:?} v6={v6}");
            assert_eq!(retransmissions(&seen), [], "{stack}");
            for (_, record) in &seen.packets {
                assert!(checksum::verify(record.medium, &record.bytes).is_good(), "{stack}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let lossy = || PipeConfig { loss: Probability::from_percent(5), jitter: Duration::from_millis(3), ..wire() };
    for stack in STACKS {
        let run = |seed| pair_on(stack, seed, Medium::Ip, [lossy(), lossy()], |a, b| transfer(a, b, 50_000, false)).1;
        let (one, two, other) = (run(1), run(1), run(2));
        assert_eq!(one.packets, two.packets, "{stack}");
        assert_ne!(one.packets, other.packets, "{stack}");
    }
}

#[test]
fn a_lost_segment_is_sent_again_when_a_timer_fires_and_the_stream_is_whole() {
    let rule = || Rule {
        id: "lose-first".to_owned(),
        when: Arc::new(|packet| packet.dissect().tcp().is_some_and(|tcp| tcp.payload_len > 0)),
        nth: vec![1],
        action: Action::Drop,
    };
    // A probe of the tail (RFC 8985 §7); or the time-out, the second of RFC 6298 §2.4.
    let by_timer = Reason::RetransmitByTimer { nth: 1, rto: Duration::from_secs(1) };
    for (stack, reason) in [(StackKind::Native, Reason::TailLossProbe), (StackKind::Smoltcp, by_timer)] {
        let there = PipeConfig { rules: vec![rule()], ..wire() };
        let (whole, seen) = pair_on(stack, 1, Medium::Ip, [there, wire()], |a, b| transfer(a, b, 1000, false));
        assert!(whole, "{stack}");
        assert_eq!(retransmissions(&seen), [reason], "{stack}");
        let dropped: Vec<_> = seen.packets.iter().filter(|(_, record)| record.comments.len() == 2).collect();
        assert_eq!(dropped.len(), 1, "{stack}");
        assert_eq!(dropped[0].1.comments[1].to_string(), "dropped by rule lose-first");
    }
}

#[test]
fn heavy_loss_both_ways_still_delivers_the_stream() {
    let lossy = || PipeConfig { loss: Probability::from_percent(5), ..wire() };
    for stack in STACKS {
        let (whole, seen) = pair_on(stack, 3, Medium::Ip, [lossy(), lossy()], |a, b| transfer(a, b, 200_000, false));
        assert!(whole, "{stack}");
        assert!(!retransmissions(&seen).is_empty(), "{stack}");
    }
}

/// RFC 4821: a link takes less than its ends and tells nobody. Segments fall until they pass, and grow again as far as they do.
#[test]
fn a_link_that_swallows_long_packets_delivers_the_stream() {
    for (v6, base) in [(false, 1064), (true, 1280)] {
        let narrow = || PipeConfig { mtu: 1300, ..wire() };
        let (whole, seen) = pair(1, Medium::Ip, narrow(), narrow(), |a, b| transfer(a, b, 400_000, v6));
        assert!(whole, "v6={v6}");
        let path = |entry: &Entry| match &entry.event {
            Event::PathMtu { mtu, cause, .. } => Some((*mtu, *cause)),
            _ => None,
        };
        let told: Vec<(u32, PathMtuCause)> = seen.events.iter().filter_map(path).collect();
        assert_eq!(told.first(), Some(&(base, PathMtuCause::BlackHole)), "{told:?}");
        assert!(told.iter().any(|(_, cause)| *cause == PathMtuCause::ProbeLost), "{told:?}");
        assert!(told.last().is_some_and(|(mtu, _)| (1293..=1300).contains(mtu)), "{told:?}");
        let timed_out = |reason: &&Reason| matches!(reason, Reason::RetransmitByTimer { .. });
        assert_eq!(retransmissions(&seen).iter().filter(timed_out).count(), 4, "no probe cost a time-out");
    }
}

#[test]
fn every_sent_packet_has_a_reason() {
    for stack in STACKS {
        let (_, seen) = pair_on(stack, 1, Medium::Ethernet, [wire(), wire()], |a, b| transfer(a, b, 20_000, false));
        let sent = seen.packets.iter().filter(|(_, record)| record.direction == Direction::Out);
        assert!(sent.clone().count() > 20, "{stack}");
        for (_, record) in sent {
            assert!(!record.comments.is_empty(), "{stack}: {record:?}");
        }
    }
}

#[test]
fn a_handshake_and_a_close_have_the_textbook_reasons() {
    let (_, seen) = pair(1, Medium::Ip, wire(), wire(), |a, b| transfer(a, b, 100, false));
    let reasons: Vec<Reason> = seen
        .events
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::PacketSent { why, .. } => Some(why.reason),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasons[..4],
        [Reason::ActiveOpen, Reason::AnswerOpen, Reason::CompleteOpen, Reason::LastData],
        "{reasons:?}"
    );
    assert_eq!(reasons.last(), Some(&Reason::AcknowledgeClose), "{reasons:?}");
}

#[test]
fn of_the_pieces_of_a_burst_only_the_one_with_the_fin_is_the_last_data() {
    let (_, seen) = pair(1, Medium::Ip, wire(), wire(), |a, b| transfer(a, b, 10_000, false));
    let mut last = 0;
    for (_, record) in seen.packets.iter().filter(|(_, record)| record.direction == Direction::Out) {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let tcp = dissection.tcp().expect("nothing else is sent");
        let says_last = record.comments.iter().any(|comment| comment.to_string().starts_with("the last data"));
        assert!(!says_last || tcp.flags.fin(), "{record:?}");
        last += usize::from(says_last);
    }
    assert_eq!(last, 2, "each side sends its last data once");
}

#[test]
fn nobody_listens_so_the_connection_is_refused() {
    for stack in STACKS {
        let (error, _) = pair_on(stack, 1, Medium::Ip, [wire(), wire()], |a, _b| async move {
            TcpStream::connect(&a, SocketAddr::new(address(2, false), 81)).await.err().map(|error| error.kind())
        });
        assert_eq!(error, Some(std::io::ErrorKind::ConnectionRefused), "{stack}");
    }
}

#[test]
fn a_program_that_sleeps_shares_the_clock_with_the_packets() {
    let (elapsed, _) = pair(1, Medium::Ip, wire(), wire(), |a, b| async move {
        let receiver = UdpSocket::bind(&b, SocketAddr::new(address(2, false), 53)).expect("the port is free");
        let sender = UdpSocket::bind(&a, SocketAddr::new(address(1, false), 0)).expect("a port is free");
        tokio::time::sleep(Duration::from_millis(5)).await;
        sender.send_to(b"hello", receiver.local_addr().expect("it is bound")).await.expect("there is room");
        // Giving the socket up at once must not take the datagram back.
        drop(sender);
        let mut buffer = [0; 16];
        let (octets, _) = receiver.recv_from(&mut buffer).await.expect("the datagram comes");
        assert_eq!(&buffer[..octets], b"hello");
        b.now()
    });
    assert_eq!(elapsed.as_nanos(), 15_000_000);
}

#[test]
fn many_clients_are_accepted_one_after_the_other() {
    let (served, _) = pair(1, Medium::Ip, wire(), wire(), |a, b| async move {
        let server = SocketAddr::new(address(2, false), 80);
        let listener = TcpListener::bind(&b, server, 16).expect("the port is free");
        let clients: Vec<_> = (0..12_u8)
            .map(|index| {
                let a = a.clone();
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(Duration::from_millis(u64::from(index))).await;
                    let mut stream = TcpStream::connect(&a, server).await.expect("the backlog has room");
                    stream.write_all(&[index]).await.expect("the peer reads");
                    stream.shutdown().await.expect("always possible");
                    let mut rest = Vec::new();
                    stream.read_to_end(&mut rest).await.expect("ends in order")
                })
            })
            .collect();
        let mut served = Vec::new();
        for _ in 0..12 {
            let (mut stream, _) = listener.accept().await.expect("a connection comes");
            let mut data = Vec::new();
            stream.read_to_end(&mut data).await.expect("ends in order");
            served.extend(data);
        }
        for client in clients {
            client.await.expect("no client panics");
        }
        served
    });
    assert_eq!(served, (0..12).collect::<Vec<u8>>());
}

#[test]
fn sixty_virtual_seconds_pass_in_a_moment() {
    let started = std::time::Instant::now();
    let (end, _) = pair(1, Medium::Ip, wire(), wire(), |a, _b| async move {
        // Nobody answers at this address: the request is sent again and again.
        let unreachable = SocketAddr::new(address(9, false), 80);
        let attempt = tokio::time::timeout(Duration::from_secs(60), TcpStream::connect(&a, unreachable)).await;
        assert!(attempt.is_err());
        a.now()
    });
    assert!(end.as_nanos() >= 60_000_000_000);
    // No bound on the time it took (that would be a timed test), but a real minute would be a broken clock.
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_connection_left_half_closed_does_not_keep_the_run_from_ending() {
    let ((), _) = pair(1, Medium::Ip, wire(), wire(), |a, b| async move {
        let server = SocketAddr::new(address(2, false), 80);
        let listener = TcpListener::bind(&b, server, 4).expect("the port is free");
        let (opened, is_open) = tokio::sync::oneshot::channel();
        tokio::task::spawn_local(async move {
            let held = listener.accept().await.expect("a connection comes");
            opened.send(()).expect("the test waits");
            std::future::pending::<()>().await;
            drop(held);
        });
        let mut stream = TcpStream::connect(&a, server).await.expect("the server listens");
        is_open.await.expect("the server accepts");
        stream.shutdown().await.expect("always possible");
        // Both ends are still held when the programs end: FIN-WAIT-2 here, CLOSE-WAIT there, and no timer anywhere.
        tokio::task::spawn_local(async move {
            std::future::pending::<()>().await;
            drop(stream);
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
    });
}

#[test]
fn both_captures_share_the_bytes_of_a_packet() {
    let (_, seen) = pair(1, Medium::Ip, wire(), wire(), |a, b| transfer(a, b, 10_000, false));
    let sent = seen.packets.iter().filter(|(_, record)| record.direction == Direction::Out);
    for (_, out) in sent {
        let arrived = seen.packets.iter().find(|(_, r)| r.packet == out.packet && r.direction == Direction::In);
        let (_, arrived) = arrived.expect("nothing is lost here");
        assert_eq!(out.bytes.as_ptr(), arrived.bytes.as_ptr(), "no copy is made");
    }
}

#[test]
fn timers_of_programs_are_exact_beside_packets_between_milliseconds() {
    let odd = || PipeConfig { delay: Duration::from_nanos(1_234_567), ..wire() };
    let (woken, _) = pair(1, Medium::Ip, odd(), odd(), |a, b| async move {
        let receiver = UdpSocket::bind(&b, SocketAddr::new(address(2, false), 53)).expect("the port is free");
        let sender = UdpSocket::bind(&a, SocketAddr::new(address(1, false), 0)).expect("a port is free");
        let to = receiver.local_addr().expect("it is bound");
        let clock = b.clone();
        let alarm = tokio::task::spawn_local(async move {
            let mut woken = Vec::new();
            for _ in 0..4 {
                tokio::time::sleep(Duration::from_millis(1)).await;
                woken.push(clock.now().as_nanos());
            }
            woken
        });
        sender.send_to(b"x", to).await.expect("there is room");
        receiver.recv_from(&mut [0; 8]).await.expect("the datagram comes");
        let arrived = b.now().as_nanos();
        // Begun between two milliseconds, a timer of tokio's rounds up to the next one.
        tokio::time::sleep(Duration::from_millis(5)).await;
        (alarm.await.expect("it ends"), arrived, b.now().as_nanos())
    });
    assert_eq!(woken, (vec![1_000_000, 2_000_000, 3_000_000, 4_000_000], 1_234_567, 7_000_000));
}

#[test]
fn nodes_that_share_a_pipe_share_its_rate_and_each_gets_its_own_answers() {
    const OCTETS: usize = 200_000;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let spy = Box::new(Spy(seen.clone()));
    let slow = || PipeConfig { rate: Some(8_000_000), ..wire() };
    let (delivered, ended) = sim::run(|clock: &Clock| {
        let mut world = World::new(clock.clone(), spy);
        let nodes: Vec<NodeHandle> = (1..=3)
            .map(|node| world.add_stack(StackKind::Native.make(&host(node, Medium::Ip, 7), clock.now())))
            .collect();
        let [a, b, c] = [0, 1, 2].map(|index: usize| nodes[index].clone());
        world.share_pipe(&[a.node(), b.node()], &[(address(3, false), c.node())], Pipe::new(slow(), Rng::new(1)));
        let back = [(address(1, false), a.node()), (address(2, false), b.node())];
        world.share_pipe(&[c.node()], &back, Pipe::new(wire(), Rng::new(2)));
        (world, async move {
            let listener = TcpListener::bind(&c, SocketAddr::new(address(3, false), 80), 4).expect("the port is free");
            let send = |node: NodeHandle| async move {
                let mut stream =
                    TcpStream::connect(&node, SocketAddr::new(address(3, false), 80)).await.expect("somebody listens");
                stream.write_all(&vec![0; OCTETS]).await.expect("the connection holds");
                stream.shutdown().await.expect("the connection holds");
            };
            let receive = async {
                let mut delivered = 0;
                for _ in 0..2 {
                    let (mut stream, _) = listener.accept().await.expect("both come");
                    delivered += stream.read_to_end(&mut Vec::new()).await.expect("all of it comes");
                }
                delivered
            };
            tokio::join!(send(a), send(b), receive).2
        })
    })
    .expect("a paused runtime needs nothing of the system");
    assert_eq!(delivered, 2 * OCTETS);
    // 8 Mbit/s are an octet in a microsecond: both together take as long as all their octets do.
    assert!(ended.as_nanos() > 2 * OCTETS as u64 * 1_000, "{ended}");
    let seen = seen.lock().expect("the run is over");
    let stray = seen.packets.iter().filter(|(node, record)| {
        let to = Dissection::of(record.medium, &record.bytes, record.wire_len).addresses().map(|(_, to)| to);
        record.direction == Direction::In && to != Some(address(node.0 as u8 + 1, false))
    });
    assert_eq!(stray.count(), 0, "every packet came out at the node that it is for");
}

#[test]
fn a_stream_that_is_aborted_ends_with_a_reset_and_the_run_with_it() {
    for stack in STACKS {
        let wires = [PipeConfig { rate: Some(1_000_000), ..wire() }, wire()];
        let (ended, _) = pair_on(stack, 3, Medium::Ip, wires, |a, b| async move {
            let server = SocketAddr::new(address(2, false), 80);
            let listener = TcpListener::bind(&b, server, 4).expect("the port is free");
            let (client, accepted) = tokio::join!(TcpStream::connect(&a, server), listener.accept());
            let (mut client, (mut stream, _)) = (client.expect("it listens"), accepted.expect("it comes"));
            client.write_all(&[0; 50_000]).await.expect("there is room");
            client.abort();
            stream.read_to_end(&mut Vec::new()).await.map_err(|error| error.kind())
        });
        assert_eq!(ended, Err(std::io::ErrorKind::ConnectionReset), "{stack}");
    }
}
