//! wrk against one HTTP server (hyper): on a userspace stack behind a TUN device, and on the kernel's own TCP over a veth pair.
//!
//! ```sh
//! cargo run --release --example http_load                    # 100 connections, 30 s each; needs wrk, and what live runs need
//! cargo run --release --example http_load -- --seconds 5 --rounds 3
//! ```
//!
//! Both servers are the same code on one thread of this process; wrk has two threads. Ours shares that thread with the stack, and each
//! packet costs it a system call at the TUN device; the kernel's TCP runs in the kernel, partly on wrk's time. Nothing is captured.
//! Figures depend on the machine and its mood: quote the ratio of one run. Exit code 1: a request failed, or ours has less than
//! half of the kernel's rate.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::task::spawn_local;
use wireglass::app::{Endpoint, Host, Listener};
use wireglass::capture::{Record, Witness};
use wireglass::door::DoorKind;
use wireglass::host::{Exec, Holder, HolderConfig, LinuxNode, NodeSetup, holder_entry};
use wireglass::journal::{Entry, NodeId};
use wireglass::link::{Pipe, PipeConfig};
use wireglass::network::{Clock, World, live};
use wireglass::packet::Medium;
use wireglass::rng::Rng;
use wireglass::stack::{Interface, StackConfig, StackKind, TcpConfig};

/// wrk's side, where the kernel's own server is, too.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// The userspace stack's.
const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const PORT: u16 = 80;
const CONNECTIONS: u32 = 100;
const BACKLOG: usize = 512;

/// Another namespace with wrk in it, and a veth pair between it and the server's: nothing of ours is on that way.
const OVER_VETH: &str = "
    unshare --net sleep 600 & there=$!
    trap 'kill $there' EXIT
    while [ \"$(readlink /proc/$there/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.05; done
    ip link add near type veth peer name far && ip link set far netns $there
    ip addr add 192.168.9.1/24 dev near && ip link set near up
    nsenter --target $there --net sh -c 'ip addr add 192.168.9.2/24 dev far && ip link set far up &&
        ip route add 10.0.0.1 via 192.168.9.1 && exec \"$@\"' sh \"$@\"
    code=$?
    ip link del near
    exit $code";

/// Listens to nothing: what is measured is the stack, not what is written down of it.
struct Nobody;

impl Witness for Nobody {
    fn listens(&self) -> bool {
        false
    }

    fn packet(&mut self, _: NodeId, _: Record) {}

    fn event(&mut self, _: Entry) {}

    fn settle(&mut self) {}
}

/// What was typed.
struct Asked {
    seconds: u32,
    rounds: u32,
}

impl Asked {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut asked = Asked { seconds: 30, rounds: 1 };
        while let Some(word) = words.next() {
            let value = words.next().and_then(|value| value.parse().ok()).filter(|value| *value > 0);
            let value = value.ok_or(format!("{word} wants a number above 0"))?;
            match word.as_str() {
                "--seconds" => asked.seconds = value,
                "--rounds" => asked.rounds = value,
                _ => return Err(format!("{word}? There are --seconds and --rounds")),
            }
        }
        Ok(asked)
    }
}

fn main() -> ExitCode {
    // Before anything else: is this the namespace holder of another one?
    if let Some(code) = holder_entry() {
        return code;
    }
    match Asked::read(std::env::args().skip(1)).map_err(Into::into).and_then(|asked| measure(&asked)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("http_load: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all requests were answered, and ours has at least half of the kernel's rate in each round.
fn measure(asked: &Asked) -> Result<bool, Box<dyn Error>> {
    let holder = Holder::start(HolderConfig::default())?;
    let setup =
        NodeSetup { door: Some(DoorKind::Tun), kernel_addresses: vec![(CLIENT, 24)], ..NodeSetup::named("client") };
    let (kernel, door) = holder.add_node(setup)?;
    let build = |clock: &Clock| {
        let mut world = World::new(clock.clone(), Box::new(Nobody));
        let interface =
            Interface { medium: Medium::Ip, mac: [0; 6], addresses: vec![(OURS, 24)], gateways: Vec::new(), mtu: 1500 };
        let config = StackConfig { interface, seed: 1, tcp: TcpConfig::default() };
        let stack = world.add_stack(StackKind::default().make(&config, clock.now()));
        let outside = world.add_outside();
        let pipe = |label| Pipe::new(PipeConfig::clean(label), Rng::derive(1, label));
        world.lay_pipe(stack.node(), outside, pipe("to the kernel"));
        world.lay_pipe(outside, stack.node(), pipe("from the kernel"));
        let ours = Host::new(Endpoint::Stack(stack.clone()), vec![OURS], world.reporter(stack.node()));
        let theirs = Host::new(Endpoint::Linux(kernel.clone()), vec![CLIENT], world.reporter(outside));
        let ports = vec![live::Port { node: outside, door }];
        let kernel = kernel.clone();
        Ok::<_, io::Error>((world, ports, async move { rounds(asked, &kernel, &ours, &theirs).await }))
    };
    let (ended, _) = live::run(build, |_| Duration::ZERO)?;
    drop(holder);
    ended?
}

async fn rounds(asked: &Asked, kernel: &LinuxNode, ours: &Host, theirs: &Host) -> Result<bool, Box<dyn Error>> {
    for (host, address) in [(ours, OURS), (theirs, CLIENT)] {
        spawn_local(serve(host.listen_with(SocketAddr::new(address, PORT), BACKLOG).await?));
    }
    let mut is_good = true;
    for _ in 0..asked.rounds {
        let wrk = |address| {
            let words = [
                "wrk".to_owned(),
                "--threads=2".to_owned(),
                format!("--connections={CONNECTIONS}"),
                format!("--duration={}s", asked.seconds),
                "--latency".to_owned(),
                format!("http://{address}/"),
            ];
            words.to_vec()
        };
        println!("== the userspace stack, through TUN");
        let ours = run(kernel, wrk(OURS)).await?;
        println!("== the kernel's TCP, over veth");
        let over_veth = ["sh", "-c", OVER_VETH, "sh"].map(str::to_owned).to_vec();
        let theirs = run(kernel, [over_veth, wrk(CLIENT)].concat()).await?;
        let thousandths = ours.per_second * 1_000 / theirs.per_second.max(1);
        println!(
            "{} requests/s by {}: {}.{:03}",
            ours.per_second,
            theirs.per_second,
            thousandths / 1_000,
            thousandths % 1_000
        );
        is_good &= !ours.has_errors && !theirs.has_errors && thousandths >= 500;
    }
    Ok(is_good)
}

/// Answers every request with the same few octets.
async fn serve(listener: Listener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        spawn_local(async move {
            let answer = service_fn(|_: Request<Incoming>| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello over HTTP\n"))))
            });
            // When its time is over wrk breaks its connections off.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

/// What wrk tells at its end.
struct Told {
    per_second: u64,
    /// Errors of sockets, or answers that are not 2xx or 3xx.
    has_errors: bool,
}

/// Runs wrk, prints what it prints, and reads it.
async fn run(kernel: &LinuxNode, argv: Vec<String>) -> Result<Told, Box<dyn Error>> {
    let mut child = kernel.exec(Exec { argv, env: Vec::new(), cwd: None, owns_terminal: false })?;
    let mut told = Told { per_second: 0, has_errors: false };
    if let Some(lines) = &mut child.stdout {
        while let Some(line) = lines.next_line().await? {
            println!("{line}");
            if let Some(rate) = line.strip_prefix("Requests/sec:") {
                let whole = rate.trim().split('.').next().unwrap_or_default();
                told.per_second = whole.parse()?;
            }
            told.has_errors |= line.contains("Socket errors") || line.contains("Non-2xx");
        }
    }
    let exit = child.wait().await?;
    let complaints = match &mut child.stderr {
        Some(lines) => lines.rest().await?,
        None => String::new(),
    };
    if exit.success() { Ok(told) } else { Err(format!("wrk ended with {exit:?}: {complaints}").into()) }
}
