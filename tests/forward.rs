//! Networks with routers and switches in them, in virtual time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use wireglass::capture::{Direction, Record, Remark, Witness};
use wireglass::check::{self, Evidence, Integrity, LinkSource, NodeSource, Outcome};
use wireglass::forward::{
    Filtering, Mapping, MssClamp, Nat, Policy, PortId, Route, Router, RouterConfig, Rule, Switch, SwitchConfig, Verdict,
};
use wireglass::journal::{
    CwndCause, DropReason, Entry, Event, Impairment, Journal, NodeId, Passage, PathMtuCause, Reason,
};
use wireglass::link::{Discipline, PipeConfig, QueueConfig};
use wireglass::network::{Clock, NodeHandle, World, sim};
use wireglass::packet::dissect::Network;
use wireglass::packet::{Dissection, Medium, PacketId};
use wireglass::rng::Rng;
use wireglass::socket::{TcpListener, TcpStream, UdpSocket};
use wireglass::stack::{Congestion, Ecn, StackKind, TcpConfig};
use wireglass::time::Instant;

use crate::support::chain::{self, Link, host, ip, link, port, wire};

#[derive(Default)]
struct Seen {
    packets: BTreeMap<NodeId, Vec<Record>>,
    events: Vec<Entry>,
    ended: Instant,
}

struct Spy(Arc<Mutex<Seen>>);

impl Witness for Spy {
    fn packet(&mut self, node: NodeId, record: Record) {
        self.0.lock().expect("no test panics while it holds this").packets.entry(node).or_default().push(record);
    }

    fn event(&mut self, entry: Entry) {
        self.0.lock().expect("no test panics while it holds this").events.push(entry);
    }

    fn settle(&mut self) {}
}

/// Runs a network; what was seen has integrity.
fn run<F: Future>(
    expects_resets: bool,
    setup: impl FnOnce(&mut World, &Clock, &mut Vec<Link>) -> F,
) -> (F::Output, Seen) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let spy = Box::new(Spy(seen.clone()));
    let mut links = Vec::new();
    let (output, ended) = sim::run(|clock| {
        let mut world = World::new(clock.clone(), spy);
        let programs = setup(&mut world, clock, &mut links);
        (world, programs)
    })
    .expect("a paused runtime needs nothing of the system");
    let mut seen = std::mem::take(&mut *seen.lock().expect("the run is over"));
    seen.ended = ended;
    seen.has_integrity(&links, expects_resets);
    (output, seen)
}

impl Seen {
    fn has_integrity(&self, links: &[Link], expects_resets: bool) {
        let mut journal = Journal::new(self.events.len());
        self.events.iter().for_each(|entry| journal.record(entry.clone()));
        let nodes = links.iter().flat_map(|(_, ends)| ends).map(|node| node.0).max().unwrap_or(0) + 1;
        let none = Vec::new();
        let records: Vec<&Vec<Record>> =
            (0..nodes).map(|node| self.packets.get(&NodeId(node)).unwrap_or(&none)).collect();
        let names: Vec<String> = (0..nodes).map(|node| format!("n{node}")).collect();
        let source = |(name, records)| NodeSource { name, records: Some(records), not_kept: 0 };
        let sources: Vec<NodeSource<'_>> = names
            .iter()
            .map(String::as_str)
            .zip(records.iter().map(|records| records.as_slice()))
            .map(source)
            .collect();
        let links: Vec<LinkSource<'_>> = links
            .iter()
            .map(|(name, ends)| LinkSource { name, ends: *ends, mtu: 1500, longest_flight: Duration::from_secs(2) })
            .collect();
        let evidence = Evidence::new(&sources, &links, Some(&journal), self.ended, check::Clock::Virtual);
        for verdict in check::integrity(&evidence, Integrity { expects_resets, ..Integrity::default() }) {
            assert_eq!(verdict.outcome, Outcome::Pass, "{}: {} at {}", verdict.id, verdict.measured, verdict.vantage);
        }
        // One file per vantage point, and no packet twice in one.
        for (node, records) in &self.packets {
            let names: BTreeSet<PacketId> = records.iter().map(|record| record.packet).collect();
            assert_eq!(names.len(), records.len(), "at node {}", node.0);
        }
    }

    fn at(&self, node: NodeId) -> &[Record] {
        self.packets.get(&node).map_or(&[], Vec::as_slice)
    }

    fn events_at(&self, node: NodeId) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |entry| entry.node == node).map(|entry| &entry.event)
    }

    fn impairments(&self) -> Vec<&Impairment> {
        self.events
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Impaired { impairment, .. } => Some(impairment),
                _ => None,
            })
            .collect()
    }
}

fn read(record: &Record) -> Dissection {
    Dissection::of(record.medium, &record.bytes, record.wire_len)
}

const CLIENT: NodeId = NodeId(0);
const ROUTER: NodeId = NodeId(1);
const SERVER: NodeId = NodeId(2);

/// Client 10.0.0.2, router 10.0.0.1 and 10.0.1.1, server 10.0.1.2; `far` is the link to the server.
struct Between {
    medium: Medium,
    tcp: TcpConfig,
    router: RouterConfig,
    far: PipeConfig,
    expects_resets: bool,
}

impl Between {
    fn new(change: impl FnOnce(&mut Between)) -> Between {
        let ports = vec![port("near", 1, ip(10, 0, 0, 1), 1500), port("far", 2, ip(10, 0, 1, 1), 1500)];
        let router = RouterConfig::new(Medium::Ip, ports);
        let (tcp, far) = (TcpConfig::default(), wire());
        let mut between = Between { medium: Medium::Ip, tcp, router, far, expects_resets: false };
        change(&mut between);
        between.router.medium = between.medium;
        between
    }

    fn run<F: Future>(self, programs: impl FnOnce(NodeHandle, NodeHandle) -> F) -> (F::Output, Seen) {
        run(self.expects_resets, |world, clock, links| {
            let client = host(self.medium, 1, ip(10, 0, 0, 2), ip(10, 0, 0, 1), self.tcp.clone());
            let client = world.add_stack(StackKind::Native.make(&client, clock.now()));
            let router = world.add_forwarder(Box::new(Router::new(self.router, clock.now())));
            let server = host(self.medium, 2, ip(10, 0, 1, 2), ip(10, 0, 1, 1), self.tcp);
            let server = world.add_stack(StackKind::Native.make(&server, clock.now()));
            links.push(link(world, "near", (client.node(), (router, PortId(0))), &wire()));
            links.push(link(world, "far", ((router, PortId(1)), server.node()), &self.far));
            programs(client, server)
        })
    }
}

/// Sends octets to the server and returns whether they came back, and whom the server saw.
async fn echo(client: NodeHandle, server: NodeHandle, octets: usize) -> (bool, SocketAddr) {
    let listener = TcpListener::bind(&server, SocketAddr::new(ip(10, 0, 1, 2), 80), 4).expect("the port is free");
    let task = tokio::task::spawn_local(async move {
        let (mut stream, peer) = listener.accept().await.expect("a connection comes");
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await.expect("the stream ends in order");
        stream.write_all(&received).await.expect("the way back is open");
        stream.shutdown().await.expect("a shutdown is always possible");
        peer
    });
    let mut data = vec![0; octets];
    Rng::new(3).fill(&mut data);
    let mut stream = TcpStream::connect(&client, SocketAddr::new(ip(10, 0, 1, 2), 80)).await.expect("it opens");
    stream.write_all(&data).await.expect("the connection holds");
    stream.shutdown().await.expect("the connection holds");
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await.expect("the connection holds");
    (back == data, task.await.expect("the server ends"))
}

#[test]
fn a_thousand_connections_cross_ten_routers() {
    let mut routers = Vec::new();
    let (good, seen) = run(false, |world, clock, links| {
        let built = chain::build(world, clock, &wire());
        links.extend(built.links.iter().cloned());
        routers = built.routers.clone();
        async move { chain::thousand_connections(&built).await.expect("every connection holds") }
    });
    assert_eq!(good, 1000);
    assert!(seen.impairments().is_empty());
    // A packet from end to end keeps its name, and loses a hop at each router.
    let (last, first) = (seen.at(NodeId(10 + 10 + 9)), seen.at(NodeId(10)));
    let syn = first.iter().find(|record| {
        record.direction == Direction::Out && read(record).addresses().is_some_and(|(_, dst)| dst == ip(10, 2, 9, 2))
    });
    let sent = syn.expect("the first client speaks to the last server");
    let arrived = last.iter().find(|record| record.packet == sent.packet).expect("it arrived");
    let hops = |record: &Record| match read(record).network {
        Some(Network::Ipv4(header)) => header.ttl,
        other => panic!("IPv4: {other:?}"),
    };
    assert_eq!(hops(sent) - hops(arrived), 10);
    assert!(routers.iter().all(|router| seen.at(*router).iter().any(|record| record.packet == sent.packet)));
}

#[test]
fn a_router_shows_each_packet_as_it_came_in_and_says_what_became_of_it() {
    for medium in [Medium::Ip, Medium::Ethernet] {
        let between = Between::new(|between| between.medium = medium);
        let ((good, _), seen) = between.run(|client, server| echo(client, server, 20_000));
        assert!(good);
        let segments = seen.at(ROUTER).iter().filter(|record| read(record).tcp().is_some());
        let mut waited = 0;
        for record in segments {
            assert_eq!(record.direction, Direction::In);
            let to =
                if read(record).addresses().is_some_and(|(src, _)| src == ip(10, 0, 0, 2)) { "far" } else { "near" };
            match record.comments.as_slice() {
                [Remark::Forwarded(link)] => assert_eq!(link, to),
                [Remark::Passage(Passage::AwaitsNeighbour { .. })] => waited += 1,
                other => panic!("{other:?}"),
            }
        }
        let asks = seen.at(ROUTER).iter().filter(|record| record.direction == Direction::Out);
        let asks = asks.filter(|record| matches!(read(record).network, Some(Network::Arp(_)))).count();
        assert_eq!((waited, asks), if medium == Medium::Ip { (0, 0) } else { (1, 2) }, "{medium:?}");
    }
}

#[test]
fn a_narrow_hop_tells_its_mtu_and_the_sender_heeds_it() {
    let between = Between::new(|between| between.router.ports[1].mtu = 1300);
    let ((good, _), seen) = between.run(|client, server| echo(client, server, 50_000));
    assert!(good);
    let refused = |event: &&Event| matches!(event, Event::PacketDropped { reason: DropReason::TooBig, .. });
    assert!(seen.events_at(ROUTER).filter(refused).count() > 0);
    let told = seen.events_at(CLIENT).find_map(|event| match event {
        Event::PathMtu { mtu, cause: PathMtuCause::Reported, .. } => Some(*mtu),
        _ => None,
    });
    assert_eq!(told, Some(1300));
    let own = seen.at(ROUTER).iter().filter(|record| record.direction == Direction::Out);
    let why = |record: &Record| match record.comments.first() {
        Some(Remark::Why(why)) => why.reason,
        other => panic!("{other:?}"),
    };
    assert!(own.map(why).all(|reason| reason == Reason::IcmpError));
}

#[test]
fn a_narrow_hop_that_says_nothing_is_found_out() {
    let between = Between::new(|between| {
        between.router.ports[1].mtu = 1300;
        between.router.icmp_errors = false;
    });
    let ((good, _), seen) = between.run(|client, server| echo(client, server, 50_000));
    assert!(good);
    let black_hole = |event: &Event| matches!(event, Event::PathMtu { cause: PathMtuCause::BlackHole, .. });
    assert!(seen.events_at(CLIENT).any(black_hole));
    assert!(seen.at(ROUTER).iter().all(|record| record.direction == Direction::In));
}

#[test]
fn a_clamped_segment_size_fits_a_narrow_hop_that_says_nothing() {
    let between = Between::new(|between| {
        between.router.ports[1].mtu = 1300;
        between.router.icmp_errors = false;
        between.router.mss_clamp = Some(MssClamp::ToMtu);
    });
    let ((good, _), seen) = between.run(|client, server| echo(client, server, 50_000));
    assert!(good);
    assert!(!seen.events_at(ROUTER).any(|event| matches!(event, Event::PacketDropped { .. })));
    let syn = seen.at(SERVER).iter().map(read).find(|packet| packet.tcp().is_some_and(|tcp| tcp.flags.syn()));
    assert_eq!(syn.and_then(|syn| syn.tcp().and_then(|tcp| tcp.options.mss)), Some(1260));
}

#[test]
fn who_is_rejected_learns_it_at_once_and_who_is_dropped_waits() {
    for (verdict, at_once) in [(Verdict::Drop, false), (Verdict::Reject(wireglass::forward::Rejection::Reset), true)] {
        let rule = Rule { id: "no-entry".to_owned(), from: None, to: None, when: Arc::new(|_| true), verdict };
        let between = Between::new(|between| {
            between.router.policy.rules = vec![rule];
            between.expects_resets = true;
            between.tcp.syn_retries = 2;
        });
        let (took, seen) = between.run(|client, _server| async move {
            let begun = client.now();
            let refused = TcpStream::connect(&client, SocketAddr::new(ip(10, 0, 1, 2), 80)).await;
            assert!(refused.is_err());
            client.now() - begun
        });
        assert_eq!(took < Duration::from_millis(10), at_once, "{took:?}");
        let named = |record: &Record| {
            record
                .comments
                .contains(&Remark::Passage(Passage::Filtered { rule: Some("no-entry".to_owned()), rejected: at_once }))
        };
        assert!(seen.at(ROUTER).first().is_some_and(named));
        assert!(seen.at(SERVER).is_empty());
    }
}

fn nat(mapping: Mapping) -> Nat {
    Nat {
        outside: PortId(1),
        mapping,
        filtering: Filtering::default(),
        idle: Duration::from_secs(300),
        forwards: vec![],
    }
}

#[test]
fn behind_a_translator_a_client_has_the_routers_address() {
    for mapping in [Mapping::EndpointIndependent, Mapping::Symmetric] {
        let between = Between::new(|between| {
            between.router.nat = Some(nat(mapping));
            between.router.policy = Policy { rules: vec![], otherwise: Verdict::Accept, stateful: true };
        });
        let ((tcp, udp), seen) = between.run(|client, server| async move {
            let tcp = echo(client.clone(), server.clone(), 30_000).await;
            let socket = UdpSocket::bind(&server, SocketAddr::new(ip(10, 0, 1, 2), 53)).expect("the port is free");
            let asker = UdpSocket::bind(&client, SocketAddr::new(ip(10, 0, 0, 2), 0)).expect("a port is free");
            asker.send_to(b"who?", SocketAddr::new(ip(10, 0, 1, 2), 53)).await.expect("there is room");
            let (_, peer) = socket.recv_from(&mut [0; 9]).await.expect("it comes");
            socket.send_to(b"you", peer).await.expect("there is room");
            let (length, from) = asker.recv_from(&mut [0; 9]).await.expect("it comes");
            assert_eq!((length, from), (3, SocketAddr::new(ip(10, 0, 1, 2), 53)));
            (tcp, peer)
        });
        assert!(tcp.0);
        assert_eq!((tcp.1.ip(), udp.ip()), (ip(10, 0, 1, 1), ip(10, 0, 1, 1)));
        let made = seen.events_at(ROUTER).filter(|event| matches!(event, Event::MappingMade { .. })).count();
        assert_eq!(made, 2);
    }
}

/// A bulk flow through a bottleneck of 10 Mbit/s behind a router: how long each packet took from the router to the server,
/// but for the first second.
fn waits(queue: QueueConfig, ecn: Ecn) -> (Vec<Duration>, Seen) {
    let between = Between::new(|between| {
        between.far = PipeConfig { rate: Some(10_000_000), queue, delay: Duration::from_millis(10), ..wire() };
        between.tcp.congestion = Congestion::Reno;
        (between.tcp.send_buffer, between.tcp.receive_buffer, between.tcp.ecn) = (1 << 20, 1 << 20, ecn);
        between.tcp.hystart = Some(false);
    });
    let ((good, _), seen) = between.run(|client, server| echo(client, server, 6_000_000));
    assert!(good);
    let arrived: BTreeMap<PacketId, Instant> =
        seen.at(SERVER).iter().map(|record| (record.packet, record.at)).collect();
    let began = seen.at(ROUTER).first().map_or(Instant::ZERO, |record| record.at) + Duration::from_secs(1);
    let from_client = |record: &&Record| read(record).addresses().is_some_and(|(src, _)| src == ip(10, 0, 0, 2));
    let long = seen.at(ROUTER).iter().filter(from_client).filter(|record| record.at > began && record.wire_len > 1000);
    let wait = |record: &Record| arrived.get(&record.packet).map(|at| *at - record.at);
    (long.filter_map(wait).collect(), seen)
}

fn median(mut waits: Vec<Duration>) -> Duration {
    waits.sort_unstable();
    waits[waits.len() / 2]
}

#[test]
fn codel_keeps_the_standing_queue_short_and_a_plain_queue_does_not() {
    let (plain, _) = waits(QueueConfig::fifo(500), Ecn::Off);
    let (short, seen) = waits(QueueConfig::codel(500), Ecn::Off);
    let (plain, short) = (median(plain), median(short));
    // The wire itself takes 11.2 ms.
    assert!(plain > Duration::from_millis(100), "{plain:?}");
    assert!(short < Duration::from_millis(25), "{short:?}");
    let dropped = |what: &&&Impairment| matches!(what, Impairment::WaitedTooLong { .. });
    assert!(seen.impairments().iter().filter(dropped).count() > 3);
}

#[test]
fn marks_slow_a_flow_down_without_losing_anything() {
    let fifo = QueueConfig { packets: 500, discipline: Discipline::Fifo { mark_above: Some(20) } };
    let (target, interval) = (Duration::from_millis(5), Duration::from_millis(100));
    let codel = QueueConfig { packets: 500, discipline: Discipline::CoDel { target, interval, ecn: true } };
    for queue in [fifo, codel] {
        let (waits, seen) = waits(queue, Ecn::Active);
        let marks = seen.impairments().iter().filter(|what| matches!(what, Impairment::Marked)).count();
        let drops = seen.impairments().iter().filter(|what| what.is_drop()).count();
        assert!(marks > 3 && drops == 0, "{marks} marks, {drops} drops");
        let slowed = |event: &Event| matches!(event, Event::CongestionWindow { cause: CwndCause::Marked, .. });
        assert!(seen.events_at(CLIENT).any(slowed));
        assert!(!seen.events_at(CLIENT).any(|event| matches!(event, Event::Retransmit { .. })));
        assert!(median(waits) < Duration::from_millis(60));
    }
}

#[test]
fn a_switch_shows_everybody_what_is_for_everybody_and_one_what_is_for_one() {
    let (good, seen) = run(false, |world, clock, links| {
        let hosts: Vec<NodeHandle> = (1..=3)
            .map(|number| {
                let config =
                    host(Medium::Ethernet, number, ip(10, 0, 0, number), ip(10, 0, 0, 254), TcpConfig::default());
                world.add_stack(StackKind::Native.make(&config, clock.now()))
            })
            .collect();
        let switch = SwitchConfig { ports: 3, age: Duration::from_secs(300) };
        let switch = world.add_forwarder(Box::new(Switch::new(switch)));
        for (number, host) in (0..).zip(&hosts) {
            links.push(link(world, &format!("s-{number}"), (host.node(), (switch, PortId(number))), &wire()));
        }
        async move {
            let listener = TcpListener::bind(&hosts[1], SocketAddr::new(ip(10, 0, 0, 2), 80), 4).expect("it is free");
            let server = async {
                let (mut stream, _) = listener.accept().await.expect("somebody comes");
                let mut received = Vec::new();
                stream.read_to_end(&mut received).await.expect("it ends");
                received.len()
            };
            let client = async {
                let to = SocketAddr::new(ip(10, 0, 0, 2), 80);
                let mut stream = TcpStream::connect(&hosts[0], to).await.expect("it opens");
                stream.write_all(&[7; 9_000]).await.expect("it holds");
                stream.shutdown().await.expect("it holds");
            };
            tokio::join!(server, client).0
        }
    });
    assert_eq!(good, 9_000);
    let is_arp = |record: &&Record| matches!(read(record).network, Some(Network::Arp(_)));
    let arps = |node| seen.at(NodeId(node)).iter().filter(is_arp).count();
    assert_eq!([arps(0), arps(1), arps(2)], [2, 2, 1], "question and answer, and the third hears the question");
    assert_eq!(seen.at(NodeId(2)).len(), 1, "nothing else is for the third");
    let question = &seen.at(NodeId(3))[0];
    let went: Vec<&Remark> = question.comments.iter().collect();
    assert_eq!(went, [&Remark::Forwarded("s-1".to_owned()), &Remark::Forwarded("s-2".to_owned())]);
}

#[test]
fn what_a_router_cuts_arrives_whole_and_its_pieces_are_told() {
    let between = Between::new(|between| between.router.ports[1].mtu = 600);
    let (length, seen) = between.run(|client, server| async move {
        let socket = UdpSocket::bind(&server, SocketAddr::new(ip(10, 0, 1, 2), 53)).expect("the port is free");
        let asker = UdpSocket::bind(&client, SocketAddr::new(ip(10, 0, 0, 2), 0)).expect("a port is free");
        asker.send_to(&[7; 1400], SocketAddr::new(ip(10, 0, 1, 2), 53)).await.expect("there is room");
        socket.recv_from(&mut [0; 2000]).await.expect("it comes whole").0
    });
    assert_eq!(length, 1400);
    let [original] = seen.at(ROUTER) else { panic!("one packet came in: {:?}", seen.at(ROUTER)) };
    let pieces: Vec<PacketId> = seen.at(SERVER).iter().map(|record| record.packet).collect();
    let told: Vec<PacketId> = original
        .comments
        .iter()
        .filter_map(|remark| match remark {
            Remark::GoesOnAs(piece) => Some(*piece),
            _ => None,
        })
        .collect();
    assert_eq!((pieces.len(), told), (3, pieces));
}

#[test]
fn a_packet_without_a_route_is_refused_and_its_program_learns_it() {
    let between = Between::new(|_| {});
    let (refused, seen) = between.run(|client, _server| async move {
        TcpStream::connect(&client, SocketAddr::new(ip(10, 9, 9, 9), 80)).await.is_err()
    });
    assert!(refused);
    let dropped = |event: &Event| matches!(event, Event::PacketDropped { reason: DropReason::NoRoute, .. });
    assert!(seen.events_at(ROUTER).any(dropped));
}

/// Two runs of one seed are the same octet by octet, routers or not.
#[test]
fn the_same_network_does_the_same_again() {
    let once = || {
        let between = Between::new(|between| {
            between.router.nat = Some(nat(Mapping::Symmetric));
            between.router.routes = vec![Route { prefix: (ip(0, 0, 0, 0), 0), port: PortId(1), via: None }];
            between.far = PipeConfig { rate: Some(5_000_000), queue: QueueConfig::codel(50), ..wire() };
        });
        let (_, seen) = between.run(|client, server| echo(client, server, 200_000));
        let records = seen.packets.values().flatten();
        records.map(|record| (record.at, record.packet, record.bytes.clone())).collect::<Vec<_>>()
    };
    let first = once();
    assert!(first.len() > 300);
    assert_eq!(first, once());
}
