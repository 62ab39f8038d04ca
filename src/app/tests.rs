//! The built-in programs, in pairs, over a userspace network in virtual time.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::{Endpoint, Host, Program, ProgramError, Resolver, exec, run};
use crate::capture::{Direction, Record, Witness};
use crate::host::Exec;
use crate::journal::{Entry, Event, NodeId, ProgramEvent};
use crate::link::{Action, Pipe, PipeConfig, QueueConfig, Rule};
use crate::network::{Clock, NodeHandle, World, sim};
use crate::packet::dissect::Tcp;
use crate::packet::{Dissection, Medium};
use crate::rng::{Probability, Rng};
use crate::stack::{Interface, Stack, StackConfig, StackKind, TcpConfig};

pub(super) const CLIENT: NodeId = NodeId(0);
pub(super) const SERVER: NodeId = NodeId(1);

/// What a run left behind.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) packets: Vec<(NodeId, Record)>,
    pub(super) events: Vec<Entry>,
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

impl Seen {
    /// What the programs of a node reported, in order.
    pub(super) fn reports(&self, node: NodeId) -> Vec<ProgramEvent> {
        let of_node = self.events.iter().filter(|entry| entry.node == node);
        of_node
            .filter_map(|entry| match &entry.event {
                Event::Program { report, .. } => Some(report.clone()),
                _ => None,
            })
            .collect()
    }

    /// Octets and hash of each stream that a node's programs sent, or received.
    fn streams(&self, node: NodeId, direction: Direction) -> Vec<(u64, String)> {
        let reports = self.reports(node).into_iter();
        reports
            .filter_map(|report| match (report, direction) {
                (ProgramEvent::StreamSent { bytes, sha256 }, Direction::Out)
                | (ProgramEvent::StreamReceived { bytes, sha256 }, Direction::In) => Some((bytes, sha256)),
                _ => None,
            })
            .collect()
    }

    /// The numbers of the messages that arrived, in order of arrival.
    fn messages_received(&self) -> Vec<u32> {
        let reports = self.reports(SERVER).into_iter();
        reports
            .filter_map(|report| match report {
                ProgramEvent::MessageReceived { number, .. } => Some(number),
                _ => None,
            })
            .collect()
    }

    /// Lines that the programs of a node printed.
    pub(super) fn lines(&self, node: NodeId) -> Vec<(String, bool)> {
        let reports = self.reports(node).into_iter();
        reports
            .filter_map(|report| match report {
                ProgramEvent::Output { line, is_error } => Some((line, is_error)),
                _ => None,
            })
            .collect()
    }

    /// The TCP segments that a node put on the link, in order.
    pub(super) fn segments(&self, node: NodeId) -> impl Iterator<Item = (&Record, Tcp)> + Clone {
        let sent = self.packets.iter().filter(move |(at, record)| *at == node && record.direction == Direction::Out);
        sent.filter_map(|(_, record)| {
            Some((record, Dissection::of(record.medium, &record.bytes, record.wire_len).tcp()?.clone()))
        })
    }

    /// The TCP payload that a node put on the link, octets sent again included.
    pub(super) fn sent_text(&self, node: NodeId) -> String {
        let payloads =
            self.segments(node).filter_map(|(record, tcp)| record.bytes.get(record.bytes.len() - tcp.payload_len..));
        payloads.map(String::from_utf8_lossy).collect()
    }
}

pub(super) fn address(node: u8) -> IpAddr {
    std::net::Ipv4Addr::new(10, 0, 0, node).into()
}

fn address_v6(node: u8) -> IpAddr {
    std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(node)).into()
}

/// Programs must not care which stack carries them; a few are tried on both.
pub(super) const STACKS: [StackKind; 2] = [StackKind::Native, StackKind::Smoltcp];

fn stack(kind: StackKind, node: u8, seed: u64, clock: &Clock) -> Box<dyn Stack> {
    let config = StackConfig {
        interface: Interface {
            medium: Medium::Ip,
            mac: [0; 6],
            addresses: vec![(address(node), 24), (address_v6(node), 64)],
            gateways: vec![],
            mtu: 1500,
        },
        seed: seed + u64::from(node),
        tcp: TcpConfig::default(),
    };
    kind.make(&config, clock.now())
}

pub(super) fn wire() -> PipeConfig {
    PipeConfig {
        name: "client-server".to_owned(),
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
        rate: None,
        queue: QueueConfig::fifo(1000),
        loss: Probability::NEVER,
        reorder: Probability::NEVER,
        reorder_by: 3,
        duplicate: Probability::NEVER,
        corrupt: Probability::NEVER,
        mtu: 1500,
        rules: vec![],
    }
}

/// Octets that are almost `whole`, or nothing like it: up to four faults.
pub(super) fn spoilt(rng: &mut Rng, whole: &[u8]) -> Vec<u8> {
    let mut octets = whole.to_vec();
    for _ in 0..=rng.below(4) {
        let at = usize::try_from(rng.below(octets.len().max(1) as u64)).expect("it is small");
        let any = (rng.next_u32() & 0xff) as u8;
        match rng.below(4) {
            0 => octets.truncate(at),
            1 => octets.insert(at.min(octets.len()), any),
            // What grammars are made of.
            2 => octets.insert(at.min(octets.len()), b"\r\n :,;?&=\0\xff"[usize::from(any) % 11]),
            _ => octets.iter_mut().skip(at).take(1).for_each(|octet| *octet = any),
        }
    }
    octets
}

/// Says 10,000 things to `port`, each over a connection of its own; every fifth as it is, the others spoilt.
pub(super) async fn harass(client: &Host, port: u16, mut say: impl FnMut(&mut Rng) -> Vec<u8>) {
    let mut rng = Rng::new(u64::from(port));
    for _ in 0..10_000 {
        let said = say(&mut rng);
        let said = if rng.below(5) == 0 { said } else { spoilt(&mut rng, &said) };
        let mut stream = client.connect((address(2), port).into()).await.expect("it listens");
        // An error is an answer, too: the server has had enough.
        let _ = stream.write_all(&said).await;
        let _ = stream.shutdown().await;
        let _ = tokio::time::timeout(Duration::from_secs(9), stream.read_to_end(&mut Vec::new())).await;
    }
}

/// Runs a scenario on two hosts, `client` and `server`; `there` is the wire to the server.
pub(super) fn scene<F: Future>(
    seed: u64,
    there: PipeConfig,
    scenario: impl FnOnce(Host, Host, Resolver) -> F,
) -> (F::Output, Seen) {
    scene_on(StackKind::default(), seed, there, scenario)
}

pub(super) fn scene_on<F: Future>(
    kind: StackKind,
    seed: u64,
    there: PipeConfig,
    scenario: impl FnOnce(Host, Host, Resolver) -> F,
) -> (F::Output, Seen) {
    scene_over(kind, seed, (there, wire()), scenario)
}

fn scene_over<F: Future>(
    kind: StackKind,
    seed: u64,
    (there, back): (PipeConfig, PipeConfig),
    scenario: impl FnOnce(Host, Host, Resolver) -> F,
) -> (F::Output, Seen) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let spy = Box::new(Spy(seen.clone()));
    let (output, _) = sim::run(|clock: &Clock| {
        let mut world = World::new(clock.clone(), spy);
        let client = world.add_stack(stack(kind, 1, seed, clock));
        let server = world.add_stack(stack(kind, 2, seed, clock));
        world.lay_pipe(CLIENT, SERVER, Pipe::new(there, Rng::derive(seed, "there")));
        world.lay_pipe(SERVER, CLIENT, Pipe::new(back, Rng::derive(seed, "back")));
        let host = |node: NodeHandle, number: u8| {
            let reporter = world.reporter(node.node());
            Host::new(Endpoint::Stack(node), [address(number), address_v6(number)], reporter)
        };
        let (client, server) = (host(client, 1), host(server, 2));
        let resolver = [("client".to_owned(), address(1)), ("server".to_owned(), address(2))].into_iter().collect();
        (world, scenario(client, server, resolver))
    })
    .expect("a paused runtime needs nothing of the system");
    let seen = std::mem::take(&mut *seen.lock().expect("the run is over"));
    (output, seen)
}

pub(super) fn program(toml: &str) -> Program {
    #[derive(serde::Deserialize)]
    struct Step {
        run: Program,
    }
    toml::from_str::<Step>(&format!("run = {toml}")).expect(toml).run
}

/// Starts a server and returns once it is ready.
pub(super) async fn start(server: &str, host: &Host, seed: u64) -> tokio::task::JoinHandle<Result<(), ProgramError>> {
    let (program, host) = (program(server), host.clone());
    let (ready, is_ready) = oneshot::channel();
    let task = tokio::task::spawn_local(async move {
        run(&program, &host, &Resolver::default(), seed, || ready.send(()).expect("the test waits")).await
    });
    // An error means that the server has ended instead; its task says why.
    let _ = is_ready.await;
    task
}

/// Runs a server and its client until the client has ended and all is quiet.
pub(super) fn pair(seed: u64, there: PipeConfig, server: &str, client: &str) -> (Result<(), ProgramError>, Seen) {
    pair_on(StackKind::default(), seed, there, server, client)
}

pub(super) fn pair_on(
    kind: StackKind,
    seed: u64,
    there: PipeConfig,
    server: &str,
    client: &str,
) -> (Result<(), ProgramError>, Seen) {
    scene_on(kind, seed, there, |client_host, server_host, resolver| async move {
        start(server, &server_host, seed).await;
        run(&program(client), &client_host, &resolver, seed, || ()).await
    })
}

/// As [`pair`], where `back` is the wire from the server.
#[cfg(feature = "quic")]
pub(super) fn pair_back(seed: u64, back: PipeConfig, server: &str, client: &str) -> (Result<(), ProgramError>, Seen) {
    scene_over(StackKind::default(), seed, (wire(), back), |client_host, server_host, resolver| async move {
        start(server, &server_host, seed).await;
        run(&program(client), &client_host, &resolver, seed, || ()).await
    })
}

pub(super) const ENDED_WELL: ProgramEvent = ProgramEvent::Ended { ok: true, detail: String::new() };

#[test]
fn a_sink_receives_what_was_sent() {
    let sizes = [0, 1, 17_520, 300_001];
    for (kind, bytes) in STACKS.into_iter().flat_map(|kind| sizes.map(|bytes| (kind, bytes))) {
        let client = format!(r#"{{ send = {{ to = "server:9000", bytes = "{bytes}B" }} }}"#);
        let (outcome, seen) = pair_on(kind, 1, wire(), "{ sink = { port = 9000 } }", &client);
        outcome.expect("the link is clean");
        let sent = seen.streams(CLIENT, Direction::Out);
        assert_eq!(sent.iter().map(|(octets, _)| *octets).collect::<Vec<_>>(), [bytes]);
        assert_eq!(sent, seen.streams(SERVER, Direction::In));
        assert_eq!(seen.reports(CLIENT).first(), Some(&ProgramEvent::Started));
        assert_eq!(seen.reports(CLIENT).last(), Some(&ENDED_WELL));
    }
}

#[test]
fn the_data_is_the_seed_s_and_does_not_depend_on_how_it_is_cut() {
    let client = r#"{ send = { to = "server:9000", bytes = "20001B" } }"#;
    let sent = |seed, there| pair(seed, there, "{ sink = { port = 9000 } }", client).1.streams(CLIENT, Direction::Out);
    let mut data = vec![0; 20_001];
    Rng::derive(1, "send").fill(&mut data);
    let hash: String =
        <sha2::Sha256 as sha2::Digest>::digest(&data).iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(sent(1, wire()), [(20_001, hash)]);
    assert_eq!(sent(1, PipeConfig { loss: Probability::from_percent(5), ..wire() }), sent(1, wire()));
    assert_ne!(sent(2, wire()), sent(1, wire()));
}

#[test]
fn the_hash_of_nothing_is_the_one_that_everybody_knows() {
    let client = r#"{ send = { to = "server:9000", bytes = "0B" } }"#;
    let (_, seen) = pair(1, wire(), "{ sink = { port = 9000 } }", client);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(seen.streams(SERVER, Direction::In), [(0, empty.to_owned())]);
}

#[test]
fn streams_survive_loss_whole() {
    for kind in STACKS {
        let lossy = PipeConfig { loss: Probability::from_percent(5), ..wire() };
        let client = r#"{ send = { to = "server:9000", bytes = "100KB" } }"#;
        let (outcome, seen) = pair_on(kind, 3, lossy, "{ sink = { port = 9000 } }", client);
        outcome.expect("TCP sends again what is lost");
        assert_eq!(seen.streams(CLIENT, Direction::Out), seen.streams(SERVER, Direction::In), "{kind}");
    }
}

#[test]
fn an_exchange_server_answers_only_after_the_half_close() {
    let server = r#"{ exchange-server = { port = 9000, bytes = "30KB" } }"#;
    let client = r#"{ exchange = { to = "server:9000", bytes = "20KB" } }"#;
    let (outcome, seen) = pair(1, wire(), server, client);
    outcome.expect("the link is clean");
    let (to_server, to_client) = (seen.streams(CLIENT, Direction::Out), seen.streams(SERVER, Direction::Out));
    assert_eq!(to_server, seen.streams(SERVER, Direction::In));
    assert_eq!(to_client, seen.streams(CLIENT, Direction::In));
    assert_eq!((to_server[0].0, to_client[0].0), (20_000, 30_000));
    let (fin, _) = seen.segments(CLIENT).find(|(_, tcp)| tcp.flags.fin()).expect("the client closes");
    let (before, _) =
        seen.packets.split_at(seen.packets.iter().position(|(_, record)| record == fin).expect("it is there"));
    let before = Seen { packets: before.to_vec(), events: vec![] };
    assert_eq!(before.sent_text(SERVER), "", "the server spoke before it was its turn");
}

#[test]
fn one_server_serves_many_clients_side_by_side_over_both_families() {
    let (outcomes, seen) = scene(1, wire(), |client, server, resolver| async move {
        start("{ sink = { port = 9000 } }", &server, 1).await;
        // One that opens a connection and says nothing must not stop the others.
        let _silent = client.connect((address(2), 9000).into()).await.expect("the sink listens");
        let mut outcomes = Vec::new();
        for to in ["10.0.0.2:9000", "[fd00::2]:9000", "server:9000"] {
            let client_program = program(&format!(r#"{{ send = {{ to = "{to}", bytes = "5KB" }} }}"#));
            outcomes.push(run(&client_program, &client, &resolver, 1, || ()).await.is_ok());
        }
        outcomes
    });
    assert_eq!(outcomes, [true; 3]);
    let whole = seen.streams(SERVER, Direction::In).into_iter().filter(|(octets, _)| *octets == 5000);
    assert_eq!(whole.count(), 3);
    let accepted = seen.reports(SERVER).into_iter().filter(|report| matches!(report, ProgramEvent::Accepted { .. }));
    assert_eq!(accepted.count(), 4);
}

#[test]
fn messages_over_tcp_arrive_in_order_each_in_a_segment_of_its_own() {
    let client = r#"{ message-send = { to = "server:7000", over = "tcp", count = 50, size = "100B", every = "3ms" } }"#;
    let (outcome, seen) = pair(1, wire(), r#"{ message-sink = { port = 7000, over = "tcp" } }"#, client);
    outcome.expect("the link is clean");
    assert_eq!(seen.messages_received(), (1..=50).collect::<Vec<u32>>());
    let lengths = seen.segments(CLIENT).map(|(_, tcp)| tcp.payload_len).filter(|length| *length > 0);
    assert_eq!(lengths.collect::<Vec<_>>(), [102; 50]);
}

#[test]
fn messages_over_tcp_arrive_in_order_even_when_some_are_lost() {
    let lossy = PipeConfig { loss: Probability::from_percent(10), ..wire() };
    let client = r#"{ message-send = { to = "server:7000", over = "tcp", count = 50, size = "4B", every = "20ms" } }"#;
    let (outcome, seen) = pair(14, lossy, r#"{ message-sink = { port = 7000, over = "tcp" } }"#, client);
    outcome.expect("TCP sends again what is lost");
    assert_eq!(seen.messages_received(), (1..=50).collect::<Vec<u32>>());
}

#[test]
fn messages_over_udp_arrive_as_the_link_lets_them() {
    let rule = |id: &str, nth, action| Rule { id: id.to_owned(), when: Arc::new(|_| true), nth: vec![nth], action };
    let there =
        PipeConfig { rules: vec![rule("lose", 3, Action::Drop), rule("overtake", 6, Action::Hold(1))], ..wire() };
    let client =
        r#"{ message-send = { to = "server:7000", over = "udp", count = 10, size = "100B", every = "20ms" } }"#;
    let (outcome, seen) = pair(1, there, r#"{ message-sink = { port = 7000, over = "udp" } }"#, client);
    outcome.expect("UDP does not know");
    assert_eq!(seen.messages_received(), [1, 2, 4, 5, 7, 6, 8, 9, 10]);
}

#[test]
fn messages_go_on_the_beat_counted_from_the_first() {
    let client = r#"{ message-send = { to = "server:7000", over = "udp", count = 4, size = "4B", every = "20ms" } }"#;
    let (_, seen) = pair(1, wire(), r#"{ message-sink = { port = 7000, over = "udp" } }"#, client);
    let is_sent = |event: &Event| matches!(event, Event::Program { report: ProgramEvent::MessageSent { .. }, .. });
    let beats: Vec<u64> =
        seen.events.iter().filter(|entry| is_sent(&entry.event)).map(|entry| entry.at.as_nanos()).collect();
    assert_eq!(beats, [0, 20_000_000, 40_000_000, 60_000_000]);
}

#[test]
fn a_datagram_without_a_number_is_reported_and_the_sink_goes_on() {
    let ((), seen) = scene(1, wire(), |client, server, _| async move {
        start(r#"{ message-sink = { port = 7000, over = "udp" } }"#, &server, 1).await;
        let socket = client.bind_udp((address(1), 0).into()).await.expect("a port is free");
        for datagram in [&b"abc"[..], &[0, 0, 0, 9]] {
            socket.send_to(datagram, (address(2), 7000).into()).await.expect("there is room");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    });
    assert_eq!(seen.messages_received(), [9]);
    let lines = seen.lines(SERVER);
    assert!(matches!(&lines[..], [(line, true)] if line.contains("3 octets has no room for its number")), "{lines:?}");
}

#[test]
fn a_stream_that_ends_inside_a_message_is_reported() {
    use tokio::io::AsyncWriteExt;
    for broken in [&[0_u8][..], &[0, 4, 0, 0], &[0, 3, 1, 2, 3]] {
        let ((), seen) = scene(1, wire(), |client, server, _| async move {
            start(r#"{ message-sink = { port = 7000, over = "tcp" } }"#, &server, 1).await;
            let mut stream = client.connect((address(2), 7000).into()).await.expect("the sink listens");
            stream.write_all(&[0, 4, 0, 0, 0, 1]).await.expect("the sink reads");
            stream.write_all(broken).await.expect("the sink reads");
            stream.shutdown().await.expect("always possible");
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        assert_eq!(seen.messages_received(), [1]);
        assert_eq!(seen.lines(SERVER).len(), 1, "{broken:?}");
    }
}

#[test]
fn a_client_without_a_server_is_told_what_to_do() {
    let ((), seen) = scene(1, wire(), |client, _server, resolver| async move {
        let send = program(r#"{ send = { to = "server:9000", bytes = "1KB" } }"#);
        let error = run(&send, &client, &resolver, 1, || ()).await.expect_err("nobody listens").to_string();
        assert!(error.starts_with("`send` cannot connect to server:9000 (10.0.0.2:9000): "), "{error}");
        assert!(error.ends_with("; nothing listens there: start its server in an earlier step"), "{error}");
    });
    let reports = seen.reports(CLIENT);
    assert!(
        matches!(reports.last(), Some(ProgramEvent::Ended { ok: false, detail }) if detail.contains("cannot connect"))
    );
}

#[test]
fn two_servers_on_one_port_are_told_apart_by_an_error() {
    let ((), _) = scene(1, wire(), |_client, server, _| async move {
        start("{ sink = { port = 9000 } }", &server, 1).await;
        let second = start(r#"{ exchange-server = { port = 9000, bytes = "1KB" } }"#, &server, 1).await;
        let error = second.await.expect("no panic").expect_err("the port is taken").to_string();
        assert!(error.starts_with("`exchange-server` cannot listen on 10.0.0.2:9000: "), "{error}");
        assert!(error.ends_with("another program of this node holds that port: give each its own"), "{error}");
    });
}

#[test]
fn a_server_stops_with_its_connections_when_its_task_is_aborted() {
    let (refused, _) = scene(1, wire(), |client, server, _| async move {
        let task = start("{ sink = { port = 9000 } }", &server, 1).await;
        let _held = client.connect((address(2), 9000).into()).await.expect("the sink listens");
        tokio::time::sleep(Duration::from_millis(50)).await;
        task.abort();
        assert!(task.await.expect_err("it was aborted").is_cancelled());
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Its port is free again, and nobody answers there.
        client.connect((address(2), 9000).into()).await.err().map(|error| error.kind())
    });
    assert_eq!(refused, Some(std::io::ErrorKind::ConnectionRefused));
}

#[test]
fn a_real_program_is_refused_on_a_userspace_node() {
    let ((), seen) = scene(1, wire(), |client, _server, _| async move {
        let curl = Exec { argv: vec!["/usr/bin/curl".to_owned(), "http://server/".to_owned()], ..Exec::default() };
        let error = exec::run(&client, curl, || ()).await.expect_err("there is no kernel here").to_string();
        assert!(error.starts_with("`/usr/bin/curl http://server/` is a real program"), "{error}");
    });
    let names = seen.events.iter().filter_map(|entry| match &entry.event {
        Event::Program { program, .. } => Some(program.as_str()),
        _ => None,
    });
    assert_eq!(names.collect::<Vec<_>>(), ["curl", "curl"]);
}

#[cfg(not(feature = "http"))]
#[test]
fn the_http_programs_say_how_to_get_them() {
    says_how_to_get_it(r#"{ http-server = { port = 80, path = "/", body = "" } }"#, "http-server", "http");
}

#[cfg(not(feature = "dns"))]
#[test]
fn the_dns_programs_say_how_to_get_them() {
    says_how_to_get_it(r#"{ dns-server = { port = 53, zones = [] } }"#, "dns-server", "dns");
}

#[cfg(not(all(feature = "dns", feature = "http")))]
fn says_how_to_get_it(server: &str, name: &str, feature: &str) {
    let ((), _) = scene(1, wire(), |_client, host, _| async move {
        let error = start(server, &host, 1).await.await.expect("no panic").expect_err("it is not built in");
        let expected = format!("`{name}` is not in this build: build wireglass with the feature `{feature}`");
        assert_eq!(error.to_string(), expected);
    });
}
