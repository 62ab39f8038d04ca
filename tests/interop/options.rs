//! SACK, timestamps and ECN, each on and off at either end: our stack against the kernel, live, whoever opens.
//!
//! ```text
//!   eight stacks of ours ─┐                              ┌─ router that marks ─ eight kernels
//!   one for each choice   ├─ pipes that lose a segment ──┤   one for each choice (sysctls)
//!                         ┘                              └─
//! ```
//!
//! Every stack talks to every kernel twice, once opened by each, and in each connection both ends send. So there are 128
//! connections, all at once. Each direction loses its [`LOST`]th segment with data, and its [`MARKED`]th is marked on its
//! way as by a congested router (RFC 3168 §5), if it says that it may be. What the ends agreed on is read from the packets
//! ([`evidence`]), not asked of the ends.

mod evidence;
mod router;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinSet;

use wireglass::capture::{Direction, Record, Witness};
use wireglass::door::DoorKind;
use wireglass::host::{Holder, HolderConfig, HolderError, LinuxNode, NodeSetup};
use wireglass::journal::{Entry, NodeId};
use wireglass::link::{Action, Pipe, PipeConfig, Rule};
use wireglass::network::{NodeHandle, World, live};
use wireglass::packet::{Medium, Packet};
use wireglass::rng::Rng;
use wireglass::socket::{TcpListener, TcpStream};
use wireglass::stack::{Ecn, Interface, StackConfig, StackKind, TcpConfig};

use self::evidence::Ends;
use self::router::{Router, Turns};
use crate::support::{live as machine, skip};

const TEST: &str = "every_choice_of_options_is_negotiated_and_carries_data";
/// Octets that each end of a connection sends: 42 segments or so.
const OCTETS: usize = 60_000;
/// Which segment with data of each direction a congested router marks.
const MARKED: u32 = 12;
/// Which one is lost.
const LOST: u32 = 25;
const OUR_PORT: u16 = 80;
const THEIR_PORT: u16 = 9000;
const LIMIT: Duration = Duration::from_secs(60);

/// What one end may be willing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    sack: bool,
    timestamps: bool,
    ecn: bool,
}

/// All of them, by number.
fn choices() -> impl Iterator<Item = (usize, Choice)> {
    (0..8).map(|bits| (bits, Choice { sack: bits & 1 > 0, timestamps: bits & 2 > 0, ecn: bits & 4 > 0 }))
}

impl Choice {
    /// As our stack is told.
    fn config(self) -> TcpConfig {
        let ecn = if self.ecn { Ecn::Active } else { Ecn::Off };
        TcpConfig { sack: self.sack, timestamps: self.timestamps, ecn, ..TcpConfig::default() }
    }

    /// As a kernel is told.
    fn sysctls(self) -> Vec<(String, String)> {
        let said = [("tcp_sack", self.sack), ("tcp_timestamps", self.timestamps), ("tcp_ecn", self.ecn)];
        said.map(|(name, is_on)| (format!("net.ipv4.{name}"), u8::from(is_on).to_string())).into()
    }

    /// What two ends agree on.
    fn both(self, other: Choice) -> Choice {
        Choice {
            sack: self.sack && other.sack,
            timestamps: self.timestamps && other.timestamps,
            ecn: self.ecn && other.ecn,
        }
    }
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Connection {
    ours: usize,
    theirs: usize,
    we_open: bool,
}

fn our_address(number: usize) -> IpAddr {
    [10, 0, 0, 1 + number as u8].into()
}

fn their_address(number: usize) -> IpAddr {
    [10, 0, 0, 101 + number as u8].into()
}

fn words(connection: Connection, of_opener: bool) -> Vec<u8> {
    let mut words = vec![0; OCTETS];
    Rng::derive(1, &format!("{connection:?} {of_opener}")).fill(&mut words);
    words
}

/// One end: who has opened speaks first and then listens. What was heard is compared by its hash.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, connection: Connection, opened: bool) -> io::Result<()> {
    let own = words(connection, opened);
    let mut heard = Vec::new();
    if opened {
        stream.write_all(&own).await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut heard).await?;
    } else {
        stream.read_to_end(&mut heard).await?;
        stream.write_all(&own).await?;
        stream.shutdown().await?;
    }
    if Sha256::digest(&heard) == Sha256::digest(words(connection, !opened)) {
        return Ok(());
    }
    Err(io::Error::other(format!("of {OCTETS} octets came {}, and not as they were sent", heard.len())))
}

/// Remembers what each node sent.
#[derive(Clone, Default)]
struct Spy(Arc<Mutex<Vec<Record>>>);

impl Witness for Spy {
    fn packet(&mut self, _node: NodeId, record: Record) {
        if record.direction == Direction::Out {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        }
    }

    fn event(&mut self, _entry: Entry) {}

    fn settle(&mut self) {}
}

/// A pipe that loses one segment with data of every stream.
fn pipe(name: &str) -> Pipe {
    let turns = Turns::default();
    let when = Arc::new(move |packet: &Packet| turns.count(packet) == Some(LOST));
    let rule = Rule { id: "lose-one".to_owned(), when, nth: Vec::new(), action: Action::Drop };
    let config = PipeConfig { delay: Duration::from_millis(4), rules: vec![rule], ..PipeConfig::clean(name) };
    Pipe::new(config, Rng::new(1))
}

/// A kernel for each choice, its door behind a router that marks.
fn kernels(holder: &Holder) -> Result<Vec<(LinuxNode, Router)>, HolderError> {
    let boot = |(number, choice): (usize, Choice)| {
        let setup = NodeSetup {
            door: Some(DoorKind::Tun),
            kernel_addresses: vec![(their_address(number), 24)],
            sysctls: choice.sysctls(),
            ..NodeSetup::named(&format!("kernel-{number}"))
        };
        holder.add_node(setup).map(|(node, door)| (node, Router::before(door)))
    };
    choices().map(boot).collect()
}

/// All connections at once. Returns what went wrong.
async fn play(ours: Vec<NodeHandle>, theirs: Vec<LinuxNode>) -> Vec<String> {
    let mut ends = JoinSet::new();
    for (number, node) in ours.iter().cloned().enumerate() {
        let theirs = theirs.clone();
        ends.spawn_local(async move {
            let told = |error: io::Error| vec![format!("our end {number}: {error}")];
            our_part(number, node, theirs).await.unwrap_or_else(told)
        });
    }
    let mut wrong = Vec::new();
    while let Some(ended) = ends.join_next().await {
        wrong.extend(ended.unwrap_or_else(|error| vec![error.to_string()]));
    }
    wrong
}

/// The connections of one stack of ours with every kernel.
async fn our_part(ours: usize, node: NodeHandle, kernels: Vec<LinuxNode>) -> io::Result<Vec<String>> {
    let mut ends = JoinSet::new();
    let listener = TcpListener::bind(&node, SocketAddr::new(our_address(ours), OUR_PORT), 16)?;
    for (theirs, kernel) in kernels.into_iter().enumerate() {
        let connection = move |we_open| Connection { ours, theirs, we_open };
        // Each stack has a port of its own there, so that a kernel's listener knows whom it serves.
        let to_them = SocketAddr::new(their_address(theirs), THEIR_PORT + ours as u16);
        let accepting = kernel.listen(to_them).await?;
        ends.spawn_local(async move {
            let (stream, _) = accepting.accept().await?;
            talk(stream, connection(true), false).await
        });
        let node = node.clone();
        ends.spawn_local(async move { talk(TcpStream::connect(&node, to_them).await?, connection(true), true).await });
        let to_us = SocketAddr::new(our_address(ours), OUR_PORT);
        ends.spawn_local(async move { talk(kernel.connect(to_us).await?, connection(false), true).await });
    }
    for _ in choices() {
        let (stream, from) = listener.accept().await?;
        let theirs = choices().map(|(theirs, _)| theirs).find(|theirs| their_address(*theirs) == from.ip());
        let theirs = theirs.ok_or_else(|| io::Error::other(format!("a stranger came: {from}")))?;
        ends.spawn_local(talk(stream, Connection { ours, theirs, we_open: false }, false));
    }
    let mut wrong = Vec::new();
    while let Some(ended) = ends.join_next().await {
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => wrong.push(format!("our end {ours}: {error}")),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    Ok(wrong)
}

/// What was sent, and what the routers marked.
struct Outcome {
    sent: Vec<Record>,
    marked: Vec<Ends>,
    wrong: Vec<String>,
}

fn run(holder: &Holder) -> Result<Outcome, HolderError> {
    let (nodes, routers): (Vec<LinuxNode>, Vec<Router>) = kernels(holder)?.into_iter().unzip();
    let marks: Vec<_> = routers.iter().map(Router::marks).collect();
    let spy = Spy::default();
    let witness = Box::new(spy.clone());
    let (wrong, _) = live::run(
        |clock| {
            let mut world = World::new(clock.clone(), witness);
            let ours: Vec<NodeHandle> = choices()
                .map(|(number, choice)| {
                    let interface = Interface {
                        medium: Medium::Ip,
                        mac: [2, 0, 0, 0, 0, number as u8],
                        addresses: vec![(our_address(number), 24)],
                        gateways: Vec::new(),
                        mtu: 1500,
                    };
                    let config = StackConfig { interface, seed: number as u64 + 1, tcp: choice.config() };
                    world.add_stack(StackKind::Native.make(&config, clock.now()))
                })
                .collect();
            let theirs: Vec<NodeId> = routers.iter().map(|_| world.add_outside()).collect();
            let us: Vec<_> = ours.iter().enumerate().map(|(number, node)| (our_address(number), node.node())).collect();
            let them: Vec<_> = theirs.iter().enumerate().map(|(number, node)| (their_address(number), *node)).collect();
            us.iter().for_each(|(_, node)| world.share_pipe(&[*node], &them, pipe("there")));
            them.iter().for_each(|(_, node)| world.share_pipe(&[*node], &us, pipe("back")));
            let door = |(node, router)| live::Port { node, door: Box::new(router) };
            let ports = theirs.into_iter().zip(routers).map(door).collect();
            let limited = async { tokio::time::timeout(LIMIT, play(ours, nodes)).await };
            Ok::<_, io::Error>((world, ports, limited))
        },
        |_| live::QUIET_LIMIT,
    )
    .expect("a runtime can be made");
    let wrong = wrong.expect("no door fails").unwrap_or_else(|_| vec![format!("not over after {LIMIT:?}")]);
    let sent = std::mem::take(&mut *spy.0.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Outcome { sent, marked: marks.iter().flat_map(router::Marks::take).collect(), wrong })
}

#[test]
fn every_choice_of_options_is_negotiated_and_carries_data() {
    let _turn = machine::turn();
    let config = HolderConfig { program: PathBuf::from(env!("CARGO_BIN_EXE_wireglass")), ..HolderConfig::default() };
    let outcome = match Holder::start(config).and_then(|holder| run(&holder)) {
        Ok(outcome) => outcome,
        Err(error) if error.is_missing_ability() => return skip(TEST, &error.to_string()),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(outcome.wrong, Vec::<String>::new());
    let mut found = evidence::of(&outcome.sent);
    let by_end: BTreeMap<usize, Choice> = choices().collect();
    let (mut connections, mut wrong) = (0, Vec::new());
    for (ours, theirs) in (0..8).flat_map(|ours| (0..8).map(move |theirs| (ours, theirs))) {
        for we_open in [true, false] {
            let us = SocketAddr::new(our_address(ours), OUR_PORT);
            let them = SocketAddr::new(their_address(theirs), THEIR_PORT + ours as u16);
            let (opener, acceptor) = if we_open { (us.ip(), them) } else { (them.ip(), us) };
            let [first, second] = if we_open { [ours, theirs] } else { [theirs, ours] }.map(|end| by_end[&end]);
            let name = format!("{opener} with {first:?} opens, {acceptor} has {second:?}");
            match found.remove(&(opener, acceptor)) {
                Some(heard) => {
                    let judged = heard.judge([first, second], &outcome.marked);
                    wrong.extend(judged.err().map(|error| format!("{name}: {error}\n{}", heard.lines())));
                }
                None => wrong.push(format!("{name}: nothing was captured")),
            }
            connections += 1;
        }
    }
    assert!(wrong.is_empty(), "{} of {connections} connections:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!((connections, found.len()), (128, 0));
}
