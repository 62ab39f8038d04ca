//! A congestion control of one's own, in fifty lines, beside those that are built in: how fast are a few megabytes over
//! a lossy link?
//!
//! ```text
//! cargo run --release --example my_congestion_control
//! ```
//!
//! Copy this file, change [`Mine`], and look at the table again. Everything runs in virtual time; the same seed gives the
//! same table.

#![allow(clippy::print_stdout, reason = "it prints a table")]

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wireglass::capture::{Record, Witness};
use wireglass::journal::{Entry, NodeId};
use wireglass::link::{Pipe, PipeConfig, QueueConfig};
use wireglass::network::{NodeHandle, World, sim};
use wireglass::packet::Medium;
use wireglass::rng::{Probability, Rng};
use wireglass::socket::{TcpListener, TcpStream};
use wireglass::stack::{Algorithm, Congestion, Interface, StackConfig, StackKind, TcpConfig};
use wireglass::tcp::congestion::{Acknowledged, CongestionControl, Window};

/// Scalable TCP (Kelly, 2003): one segment more for every fifty delivered, an eighth less after a loss. However large the
/// window is, it is back after the same number of round trips; Reno needs the longer the larger it was.
#[derive(Debug, Default)]
struct Mine {
    /// Deliveries that are not yet worth a segment.
    counted: u32,
}

impl Mine {
    /// Deliveries for one segment more.
    const EACH: u32 = 50;
    /// Below this window it does as Reno.
    const LEAST: u32 = 16;
}

impl CongestionControl for Mine {
    fn name(&self) -> &'static str {
        "mine"
    }

    fn acknowledged(&mut self, window: &mut Window, acknowledged: &Acknowledged) {
        let mut delivered = acknowledged.delivered;
        if window.in_slow_start() {
            delivered = window.slow_start(delivered);
        }
        let each = Mine::EACH.min(window.cwnd);
        self.counted += delivered;
        window.cwnd += self.counted / each;
        self.counted %= each;
    }

    fn threshold_after_loss(&mut self, window: &Window, _in_flight: u32) -> u32 {
        self.counted = 0;
        let cut = if window.cwnd < Mine::LEAST { window.cwnd / 2 } else { window.cwnd / 8 };
        (window.cwnd - cut).max(2)
    }
}

const MINE: Congestion = Congestion::Other(Algorithm { name: "mine", make: || Box::new(Mine::default()) });

/// What is sent, in octets.
const SIZE: usize = 4_000_000;
/// The link, in bits each second.
const RATE: u64 = 20_000_000;
/// One way, in milliseconds.
const DELAY: u64 = 20;

fn main() -> io::Result<()> {
    let choices = [("reno", Congestion::Reno), ("cubic", Congestion::Cubic), ("bbr", Congestion::Bbr), ("mine", MINE)];
    println!("{} octets over {} Mbit/s, {} ms there and back: Mbit/s that arrive", SIZE, RATE / 1_000_000, 2 * DELAY);
    print!("{:>8}", "loss");
    choices.iter().for_each(|(name, _)| print!("{name:>8}"));
    println!();
    for per_mille in [0, 1, 5, 20] {
        print!("{:>6}.{}%", per_mille / 10, per_mille % 10);
        for (_, congestion) in choices {
            let took = transfer(congestion, Probability::from_parts_per_billion(per_mille * 1_000_000))?;
            let kilobits = SIZE as u128 * 8 / took.as_millis().max(1);
            print!("{:>6}.{}", kilobits / 1000, kilobits / 100 % 10);
        }
        println!();
    }
    Ok(())
}

/// The time that [`SIZE`] octets take from one host to the other.
fn transfer(congestion: Congestion, loss: Probability) -> io::Result<Duration> {
    let (outcome, end) = sim::run(|clock| {
        let mut world = World::new(clock.clone(), Box::new(Nobody));
        let mut add = |host| world.add_stack(StackKind::Native.make(&stack(host, congestion), clock.now()));
        let (client, server) = (add(1), add(2));
        let delay = Duration::from_millis(DELAY);
        let there =
            PipeConfig { delay, rate: Some(RATE), queue: QueueConfig::fifo(60), loss, ..PipeConfig::clean("there") };
        let back = PipeConfig { delay, ..PipeConfig::clean("back") };
        world.lay_pipe(client.node(), server.node(), Pipe::new(there, Rng::new(1)));
        world.lay_pipe(server.node(), client.node(), Pipe::new(back, Rng::new(2)));
        (world, send(client, server))
    })?;
    outcome?;
    Ok(Duration::from_nanos(end.as_nanos()))
}

/// A host whose buffers never are what holds a connection back.
fn stack(host: u8, congestion: Congestion) -> StackConfig {
    let interface = Interface {
        medium: Medium::Ip,
        mac: [2, 0, 0, 0, 0, host],
        addresses: vec![([10, 0, 0, host].into(), 24)],
        gateways: Vec::new(),
        mtu: 1500,
    };
    let tcp = TcpConfig { congestion, send_buffer: 1 << 20, receive_buffer: 1 << 20, ..TcpConfig::default() };
    StackConfig { interface, seed: host.into(), tcp }
}

async fn send(client: NodeHandle, server: NodeHandle) -> io::Result<()> {
    let address = SocketAddr::from(([10, 0, 0, 2], 80));
    let listener = TcpListener::bind(&server, address, 1)?;
    let sink = tokio::task::spawn_local(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut received = Vec::new();
        stream.read_to_end(&mut received).await?;
        stream.write_all(b"thanks").await
    });
    let mut stream = TcpStream::connect(&client, address).await?;
    stream.write_all(&vec![0; SIZE]).await?;
    stream.shutdown().await?;
    stream.read_exact(&mut [0; 6]).await?;
    sink.await?
}

/// Nobody looks at the packets.
struct Nobody;

impl Witness for Nobody {
    fn packet(&mut self, _: NodeId, _: Record) {}
    fn event(&mut self, _: Entry) {}
    fn settle(&mut self) {}
}
