//! What packets cost: through a link and two stacks on one core, in virtual time, without captures.
//!
//! Throughput is counted in wire packets, both ways, so that a figure reads as packets per second on one core. Time is that
//! of the thread: what else the machine does meanwhile is nobody's figure.

#![allow(missing_docs, reason = "criterion's macros make undocumented functions")]

#[path = "../tests/support/pair.rs"]
mod pair;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nix::time::{ClockId, clock_gettime};
use pair::{CLIENT, Edge, PORT, Pair, SERVER};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wireglass::capture::{Direction, Record, Witness};
use wireglass::journal::{Entry, NodeId, SocketId};
use wireglass::link::{Pipe, PipeConfig};
use wireglass::network::{NodeHandle, World, sim};
use wireglass::rng::Rng;
use wireglass::socket::{TcpListener, TcpStream};
use wireglass::stack::{StackKind, TcpConfig};

const BULK: usize = 8_000_000;
const DELAY: Duration = Duration::from_micros(50);

/// The time that this thread has had a core.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has this clock").into()
    }

    fn end(&self, start: Duration) -> Duration {
        self.start() - start
    }

    fn add(&self, one: &Duration, other: &Duration) -> Duration {
        *one + *other
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        static WALL: WallTime = WallTime;
        WALL.formatter()
    }
}

/// Buffers of a server that means to be fast.
fn config() -> TcpConfig {
    TcpConfig { send_buffer: 1 << 20, receive_buffer: 1 << 20, ..TcpConfig::default() }
}

fn open(kind: StackKind, edge: Edge) -> (Pair, [SocketId; 2]) {
    let mut pair = Pair::new(kind, edge, DELAY);
    let listener = pair.listen(16, &config());
    let sockets = pair.connect(listener, &config());
    (pair, sockets)
}

fn bulk(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("bulk");
    group.sample_size(20);
    for (name, kind, edge) in [
        ("native, cut at the edge", StackKind::Native, Edge::Cuts),
        ("native, super-segments whole", StackKind::Native, Edge::Whole),
        ("smoltcp", StackKind::Smoltcp, Edge::Cuts),
    ] {
        let (mut pair, sockets) = open(kind, edge);
        let mut buffer = vec![7; 256 * 1024];
        let before = pair.packets;
        pair.transfer(sockets, CLIENT, BULK, &mut buffer);
        group.throughput(Throughput::Elements(pair.packets - before));
        group.bench_function(name, |bencher| {
            bencher.iter(|| pair.transfer(sockets, CLIENT, BULK, &mut buffer));
        });
    }
    group.finish();
}

/// One request and its answer, 100 octets each, while so many other connections are open and idle.
fn requests(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("request and answer");
    for (name, kind, others) in [
        ("native", StackKind::Native, 0),
        ("native beside 10,000 idle connections", StackKind::Native, 10_000),
        ("smoltcp", StackKind::Smoltcp, 0),
    ] {
        let mut pair = Pair::new(kind, Edge::Cuts, DELAY);
        let listener = pair.listen(16, &TcpConfig::default());
        let sockets = pair.connect(listener, &TcpConfig::default());
        for _ in 0..others {
            pair.connect(listener, &TcpConfig::default());
        }
        let mut buffer = vec![7; 100];
        let mut exchange = || {
            pair.transfer(sockets, CLIENT, 100, &mut buffer);
            pair.transfer(sockets, SERVER, 100, &mut buffer);
            // Every driver asks this of a run that is about to end.
            std::hint::black_box(pair.stacks.iter().all(|stack| stack.is_quiet()));
            pair.packets
        };
        let before = exchange();
        group.throughput(Throughput::Elements(exchange() - before));
        group.bench_function(name, |bencher| bencher.iter(&mut exchange));
    }
    group.finish();
}

/// Who is told nothing, or counts packets.
struct Onlooker(Option<Arc<AtomicU64>>);

impl Witness for Onlooker {
    fn listens(&self) -> bool {
        self.0.is_some()
    }

    fn packet(&mut self, _: NodeId, record: Record) {
        if let Some(count) = self.0.as_ref().filter(|_| record.direction == Direction::Out) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn event(&mut self, _: Entry) {}

    fn settle(&mut self) {}
}

/// A whole simulation: the driver, its clock, and applications on sockets. Returns its packets, if they are counted.
fn simulate(kind: StackKind, counted: bool) -> u64 {
    let count = counted.then(Arc::<AtomicU64>::default);
    let onlooker = Box::new(Onlooker(count.clone()));
    let simulation = sim::run(|clock| {
        let mut world = World::new(clock.clone(), onlooker);
        let nodes = [CLIENT, SERVER].map(|side| world.add_stack(pair::stack(kind, side)));
        let [client, server] = [nodes[0].node(), nodes[1].node()];
        let pipe = |label| Pipe::new(PipeConfig { delay: DELAY, ..PipeConfig::clean(label) }, Rng::derive(1, label));
        world.lay_pipe(client, server, pipe("there"));
        world.lay_pipe(server, client, pipe("back"));
        (world, send_all(nodes))
    });
    simulation.expect("a paused runtime needs nothing of the system").0.expect("nothing is lost");
    count.map_or(0, |count| count.load(Ordering::Relaxed))
}

async fn send_all([client, server]: [NodeHandle; 2]) -> std::io::Result<()> {
    let to = SocketAddr::new(pair::address(SERVER, false), PORT);
    let listener = TcpListener::bind(&server, to, 4)?;
    let sender = async {
        let mut stream = TcpStream::connect(&client, to).await?;
        stream.write_all(&vec![7; BULK]).await?;
        stream.shutdown().await
    };
    let receiver = async {
        let (mut stream, _) = listener.accept().await?;
        let mut buffer = vec![0; 256 * 1024];
        while stream.read(&mut buffer).await? > 0 {}
        Ok(())
    };
    let (sent, received) = tokio::join!(sender, receiver);
    sent.and(received)
}

fn simulations(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("simulation");
    group.sample_size(20);
    for kind in [StackKind::Native, StackKind::Smoltcp] {
        group.throughput(Throughput::Elements(simulate(kind, true)));
        group.bench_function(kind.to_string(), |bencher| bencher.iter(|| simulate(kind, false)));
    }
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = bulk, requests, simulations
);
criterion_main!(benches);
