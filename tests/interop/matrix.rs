//! Every pair of TCPs, over every kind of path, over IPv4 and IPv6: a megabyte each way, its hash the same at both ends.
//!
//! Our stack against itself and against smoltcp in virtual time, with every order of closing; against the kernel live,
//! whoever opens. One test for each pair; a combination that fails is named, and its captures are kept.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use wireglass::capture::{LinkType, Record, Recorder, RecorderConfig, VantageConfig, Witness};
use wireglass::door::DoorKind;
use wireglass::journal::{Entry, Event, NodeId, ProgramEvent};
use wireglass::lab::{self, Definition, Mode, Options, RunError, Wanted};
use wireglass::link::{Pipe, PipeConfig};
use wireglass::network::{NodeHandle, World, sim};
use wireglass::packet::Medium;
use wireglass::rng::{Probability, Rng};
use wireglass::socket::{TcpListener, TcpStream};
use wireglass::stack::{Interface, StackConfig, StackKind, TcpConfig};

use crate::support::{live, skip};

const MEGABYTE: usize = 1_000_000;
/// Virtual time that a combination may take. The slowest needs a tenth of it.
const LIMIT: Duration = Duration::from_secs(120);

/// What the way does, in the words of a lab file and as a pipe.
#[derive(Clone, Copy, Debug)]
enum Way {
    Clean,
    Loss,
    Reorder,
    Duplicate,
    Jitter,
}

const WAYS: [Way; 5] = [Way::Clean, Way::Loss, Way::Reorder, Way::Duplicate, Way::Jitter];

impl Way {
    fn pipe(self) -> PipeConfig {
        let clean = PipeConfig { delay: Duration::from_millis(2), ..PipeConfig::clean("client-server") };
        match self {
            Way::Clean => clean,
            Way::Loss => PipeConfig { loss: Probability::from_percent(1), ..clean },
            Way::Reorder => PipeConfig { reorder: Probability::from_percent(2), reorder_by: 3, ..clean },
            Way::Duplicate => PipeConfig { duplicate: Probability::from_percent(2), ..clean },
            Way::Jitter => PipeConfig { jitter: Duration::from_millis(20), ..clean },
        }
    }

    fn lab(self) -> &'static str {
        match self {
            Way::Clean => "",
            Way::Loss => "loss = \"1%\"",
            Way::Reorder => "reorder = \"2%\"\nreorder_by = 3",
            Way::Duplicate => "duplicate = \"2%\"",
            Way::Jitter => "jitter = \"20ms\"",
        }
    }
}

/// Who closes first, and when.
#[derive(Clone, Copy, Debug)]
enum Closing {
    /// The client, when everything has gone both ways.
    ClientFirst,
    /// The server, when everything has gone both ways.
    ServerFirst,
    /// The client closes its half; only then the server begins to send.
    Half,
}

const CLOSINGS: [Closing; 3] = [Closing::ClientFirst, Closing::ServerFirst, Closing::Half];

/// Where the captures of a combination go. They stay when it fails.
struct Captures(PathBuf);

impl Captures {
    fn of(name: &str) -> Captures {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop").join(name.replace([' ', '/'], "-"));
        // What an earlier failure has left.
        let _ = fs::remove_dir_all(&path);
        // All of it at once: tests beside this one make the same parent.
        fs::create_dir_all(&path).expect("the build folder is ours");
        Captures(path)
    }

    /// Removes them after a success; else says where they are.
    fn judge<T>(&self, name: &str, outcome: Result<T, String>) -> T {
        match outcome {
            Ok(result) => {
                fs::remove_dir_all(&self.0).expect("the captures are there, and ours");
                result
            }
            Err(reason) => panic!("{name}: {reason}; its captures are in {}", self.0.display()),
        }
    }
}

/// The recorder, for the run and for who looks at its end.
#[derive(Clone)]
struct Shared(Arc<Mutex<Recorder>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Shared {
    fn packet(&mut self, node: NodeId, record: Record) {
        self.lock().packet(node, record);
    }

    fn event(&mut self, entry: Entry) {
        self.lock().event(entry);
    }

    fn settle(&mut self) {
        self.lock().settle();
    }
}

fn address(node: u8, v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, node.into()).into() } else { [10, 0, 0, node].into() }
}

/// Which two stacks; the first opens.
type Kinds = [StackKind; 2];

fn network(kinds: Kinds, way: Way, clock: &wireglass::network::Clock, shared: &Shared) -> (World, [NodeHandle; 2]) {
    let mut world = World::new(clock.clone(), Box::new(shared.clone()));
    let nodes = [1_u8, 2].map(|node| {
        let addresses = vec![(address(node, false), 24), (address(node, true), 64)];
        let interface =
            Interface { medium: Medium::Ip, mac: [2, 0, 0, 0, 0, node], addresses, gateways: vec![], mtu: 1500 };
        let config = StackConfig { interface, seed: u64::from(node), tcp: TcpConfig::default() };
        world.add_stack(kinds[usize::from(node) - 1].make(&config, clock.now()))
    });
    let [client, server] = [nodes[0].node(), nodes[1].node()];
    world.lay_pipe(client, server, Pipe::new(way.pipe(), Rng::derive(1, "there")));
    world.lay_pipe(server, client, Pipe::new(way.pipe(), Rng::derive(1, "back")));
    (world, nodes)
}

fn data(of: &str) -> Vec<u8> {
    let mut data = vec![0; MEGABYTE];
    Rng::derive(1, of).fill(&mut data);
    data
}

/// A stream's length and hash.
type Seen = (usize, String);

fn seen(data: &[u8]) -> Seen {
    (data.len(), Sha256::digest(data).iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}")))
}

/// One end: sends a megabyte, takes one, and closes as it should. Returns what it took.
async fn end(stream: TcpStream, own: Vec<u8>, closes_first: bool, half: Option<bool>) -> io::Result<Seen> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut taken = vec![0; MEGABYTE];
    match half {
        // Both ways at once.
        None => {
            let (sent, received) = tokio::join!(writer.write_all(&own), reader.read_exact(&mut taken));
            sent?;
            received?;
        }
        Some(true) => {
            writer.write_all(&own).await?;
            writer.shutdown().await?;
            reader.read_exact(&mut taken).await?;
        }
        Some(false) => {
            reader.read_exact(&mut taken).await?;
            let rest = reader.read(&mut [0]).await?;
            if rest != 0 {
                return Err(io::Error::other("more came than was sent"));
            }
            writer.write_all(&own).await?;
        }
    }
    if closes_first {
        writer.shutdown().await?;
    }
    let rest = if half == Some(false) { 0 } else { reader.read(&mut [0]).await? };
    if rest != 0 {
        return Err(io::Error::other("more came than was sent"));
    }
    writer.shutdown().await?;
    Ok(seen(&taken))
}

async fn play(nodes: [NodeHandle; 2], v6: bool, closing: Closing) -> Result<(), String> {
    let to = SocketAddr::new(address(2, v6), 80);
    let listener = TcpListener::bind(&nodes[1], to, 4).map_err(|error| format!("bind: {error}"))?;
    let (client_half, server_half) = match closing {
        Closing::ClientFirst | Closing::ServerFirst => (None, None),
        Closing::Half => (Some(true), Some(false)),
    };
    let server = async {
        let (stream, _) = listener.accept().await?;
        end(stream, data("server"), matches!(closing, Closing::ServerFirst | Closing::Half), server_half).await
    };
    let client = async {
        let stream = TcpStream::connect(&nodes[0], to).await?;
        end(stream, data("client"), matches!(closing, Closing::ClientFirst), client_half).await
    };
    let both = async { tokio::join!(client, server) };
    let (client, server) = timeout(LIMIT, both).await.map_err(|_| format!("not over after {LIMIT:?}"))?;
    let client = client.map_err(|error| format!("the client: {error}"))?;
    let server = server.map_err(|error| format!("the server: {error}"))?;
    if client != seen(&data("server")) || server != seen(&data("client")) {
        return Err(format!("the client took {client:?}, the server {server:?}"));
    }
    Ok(())
}

fn simulate(kinds: Kinds, way: Way, v6: bool, closing: Closing) {
    let family = if v6 { "IPv6" } else { "IPv4" };
    let name = format!("{} and {}, {way:?}, {family}, {closing:?}", kinds[0], kinds[1]);
    let captures = Captures::of(&name);
    let vantage = |(node, name): (u16, &str)| VantageConfig {
        node: NodeId(node),
        name: name.to_owned(),
        description: String::new(),
        link_type: LinkType::for_medium(Medium::Ip, true, true),
    };
    let nodes = [(0, "client"), (1, "server")].map(vantage).to_vec();
    let config = RecorderConfig { dir: Some(captures.0.clone()), nodes, ..RecorderConfig::default() };
    let shared = Shared(Arc::new(Mutex::new(Recorder::create(config).expect("the folder can be made"))));
    let run = || {
        sim::run(|clock| {
            let (world, nodes) = network(kinds, way, clock, &shared);
            (world, play(nodes, v6, closing))
        })
    };
    let outcome = match std::panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok((outcome, _))) => outcome,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it panicked".to_owned()),
    };
    captures.judge(&name, outcome);
}

fn simulate_all(kinds: Kinds) {
    for way in WAYS {
        for v6 in [false, true] {
            for closing in CLOSINGS {
                simulate(kinds, way, v6, closing);
            }
        }
    }
}

#[test]
fn our_stack_understands_itself() {
    simulate_all([StackKind::Native, StackKind::Native]);
}

#[test]
fn our_stack_understands_smoltcp() {
    simulate_all([StackKind::Native, StackKind::Smoltcp]);
}

#[test]
fn smoltcp_understands_our_stack() {
    simulate_all([StackKind::Smoltcp, StackKind::Native]);
}

/// A lab in which the client sends a megabyte, closes its half, and then gets one.
fn exchange(client: &str, server: &str, way: Way, v6: bool) -> Definition {
    let prefix = if v6 { 64 } else { 24 };
    let (there, here) = (address(2, v6), address(1, v6));
    let text = format!(
        r#"
        id      = "99-exchange"
        title   = "Both ways"
        summary = "Octets from each end to the other."
        minutes = 1
        seed    = 99
        [node.client]
        live      = "{client}"
        sim       = "stack"
        addresses = ["{here}/{prefix}"]
        [node.server]
        live      = "{server}"
        sim       = "stack"
        addresses = ["{there}/{prefix}"]
        [[link]]
        between = ["client", "server"]
        {}
        [[step]]
        on  = "server"
        run = {{ exchange-server = {{ port = 9000, bytes = "{MEGABYTE}B" }} }}
        [[step]]
        on  = "client"
        run = {{ exchange = {{ to = "server:9000", bytes = "{MEGABYTE}B" }} }}
        "#,
        way.lab()
    );
    Definition::parse("exchange.toml", &text).expect("the lab is well formed")
}

/// The streams of each direction as both ends saw them.
fn live_outcome(finished: &lab::Finished) -> Result<(), String> {
    if !finished.failures.is_empty() {
        return Err(format!("{:?}", finished.failures));
    }
    if let Some(wrong) = finished.verdicts.iter().find(|verdict| verdict.is_fail()) {
        return Err(format!("{wrong:?}"));
    }
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for entry in finished.recorder.journal().entries() {
        match &entry.event {
            Event::Program { report: ProgramEvent::StreamSent { bytes, sha256 }, .. } => sent.push((*bytes, sha256)),
            Event::Program { report: ProgramEvent::StreamReceived { bytes, sha256 }, .. } => {
                received.push((*bytes, sha256));
            }
            _ => {}
        }
    }
    sent.sort_unstable();
    received.sort_unstable();
    let whole = sent.len() == 2 && sent.iter().all(|(bytes, _)| *bytes == MEGABYTE as u64);
    if whole && sent == received { Ok(()) } else { Err(format!("{sent:?} were sent, {received:?} received")) }
}

/// Runs live; `false`, and why, where the machine does not allow that.
fn run_live(test: &str, client: &str, server: &str, way: Way, v6: bool) -> bool {
    let family = if v6 { "IPv6" } else { "IPv4" };
    let name = format!("{client} and {server} live, {way:?}, {family}");
    let captures = Captures::of(&name);
    let _turn = live::turn();
    let options = Options {
        wanted: Wanted::Only(Mode::Live),
        stack: StackKind::Native,
        door: Some(DoorKind::Tun),
        out: Some(captures.0.clone()),
        holder: Some(env!("CARGO_BIN_EXE_wireglass").into()),
        ..Options::default()
    };
    match lab::run(&exchange(client, server, way, v6), &options) {
        Ok(finished) => {
            captures.judge(&name, live_outcome(&finished));
            true
        }
        Err(error @ RunError::NotLive(_)) => {
            skip(test, &error.to_string());
            false
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

fn run_all_live(test: &str, client: &str, server: &str) {
    for way in WAYS {
        for v6 in [false, true] {
            if !run_live(test, client, server, way, v6) {
                return;
            }
        }
    }
}

#[test]
fn the_kernel_understands_our_stack() {
    run_all_live("the_kernel_understands_our_stack", "linux", "stack");
}

#[test]
fn our_stack_understands_the_kernel() {
    run_all_live("our_stack_understands_the_kernel", "stack", "linux");
}
