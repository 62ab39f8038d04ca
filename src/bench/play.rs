//! The programs of a trial, and where they stand: addresses, nodes, pipes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;

use super::ledger::Ledger;
use super::{Load, MTU, Receiver, Sender, Trial};
use crate::app::{Host, Stream};
use crate::journal::NodeId;
use crate::link::Pipe;
use crate::network::World;
use crate::packet::Medium;
use crate::rng::Rng;
use crate::stack::{Interface, Stack, StackConfig, StackKind, TcpConfig};
use crate::time::Instant;

/// Where receivers listen.
const PORT: u16 = 5001;
/// Octets written or read at once.
const PIECE: usize = 64 * 1024;
/// How long a transfer of a given size may take, on the trial's clock.
const LIMIT: Duration = Duration::from_secs(3_600);

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Sender = 0,
    Receiver = 1,
}

pub(super) const ENDS: [End; 2] = [End::Sender, End::Receiver];

/// The node at this end of flow `flow`, counted from 0.
pub(super) fn node(flow: usize, end: End) -> NodeId {
    NodeId(u16::try_from(flow * 2).unwrap_or(u16::MAX).saturating_add(end as u16))
}

/// Its address; all are neighbours in 10.0.0.0/8.
pub(super) fn address(flow: usize, end: End) -> IpAddr {
    [10, 0, u8::try_from(flow).unwrap_or(u8::MAX), end as u8 + 1].into()
}

/// The most flows of a trial.
pub(super) const MOST_FLOWS: usize = 250;

/// The prefix length of every address.
pub(super) const PREFIX: u8 = 8;

/// Which userspace stack stands at this end, and with which settings; `None` for a kernel.
pub(super) fn stack_at(trial: &Trial, flow: usize, end: End) -> Option<(StackKind, TcpConfig)> {
    let flow = trial.flows.get(flow)?;
    match (end, &flow.sender, flow.receiver) {
        (End::Sender, Sender::Stack(kind, congestion), _) => {
            Some((*kind, TcpConfig { congestion: *congestion, ..trial.tcp.clone() }))
        }
        (End::Receiver, _, Receiver::Stack(kind)) => Some((kind, trial.tcp.clone())),
        (End::Sender, Sender::Linux(_), _) | (End::Receiver, _, Receiver::Linux) => None,
    }
}

/// The stack at this end; `None` for a kernel.
pub(super) fn make_stack(trial: &Trial, flow: usize, end: End, now: Instant) -> Option<Box<dyn Stack>> {
    let (kind, tcp) = stack_at(trial, flow, end)?;
    let interface = Interface {
        medium: Medium::Ip,
        mac: [0; 6],
        addresses: vec![(address(flow, end), PREFIX)],
        gateways: Vec::new(),
        mtu: MTU,
    };
    let seed = Rng::derive(trial.seed, &format!("flow {flow} {end:?}")).next_u64();
    Some(kind.make(&StackConfig { interface, seed, tcp }, now))
}

/// Lays the bottleneck and the way back.
pub(super) fn lay_pipes(trial: &Trial, world: &mut World) {
    let at = |end| -> Vec<(IpAddr, NodeId)> {
        (0..trial.flows.len()).map(|flow| (address(flow, end), node(flow, end))).collect()
    };
    let (senders, receivers) = (at(End::Sender), at(End::Receiver));
    let nodes = |ends: &[(IpAddr, NodeId)]| -> Vec<NodeId> { ends.iter().map(|(_, node)| *node).collect() };
    let [there, back] = trial.path.pipes();
    let pipe = |config, label: &str| Pipe::new(config, Rng::derive(trial.seed, label));
    world.share_pipe(&nodes(&senders), &receivers, pipe(there, "bottleneck"));
    world.share_pipe(&nodes(&receivers), &senders, pipe(back, "way back"));
}

/// Plays all flows to the end of the trial, and closes the ledger. `hosts` are the two ends of each flow.
///
/// # Errors
/// What a stack or a kernel says to a connection.
pub(super) async fn play(trial: &Trial, hosts: Vec<[Host; 2]>, ledger: Ledger) -> io::Result<()> {
    let start = tokio::time::Instant::now();
    let mut receivers = JoinSet::new();
    let mut senders = JoinSet::new();
    for (flow, [sender, receiver]) in hosts.into_iter().enumerate() {
        let to = SocketAddr::new(address(flow, End::Receiver), PORT);
        let listener = receiver.listen(to).await?;
        receivers.spawn_local(async move {
            let (stream, _) = listener.accept().await?;
            drain(stream).await
        });
        let begins = trial.flows.get(flow).map_or(start, |flow| start + flow.begins);
        let load = trial.load;
        senders.spawn_local(async move {
            tokio::time::sleep_until(begins).await;
            match load {
                Load::For(span) => push_until(start + span, &sender, to).await,
                Load::Octets(octets) => push(sender.connect(to).await?, octets).await.map(|()| None),
            }
        });
    }
    // A stream that was cut short is kept until all are: the flows that are left would have the path to themselves.
    let mut cut = Vec::new();
    while let Some(ended) = senders.join_next().await {
        cut.extend(ended.map_err(io::Error::other)??);
    }
    ledger.close();
    cut.into_iter().for_each(Stream::abort);
    // The receivers' streams are closed as they are dropped.
    receivers.shutdown().await;
    Ok(())
}

/// Connects and sends until `end`; returns the stream, still full. `None` when it was not even open then.
async fn push_until(end: tokio::time::Instant, host: &Host, to: SocketAddr) -> io::Result<Option<Stream>> {
    let Ok(opened) = tokio::time::timeout_at(end, host.connect(to)).await else { return Ok(None) };
    let mut stream = opened?;
    let piece = vec![0; PIECE];
    let pushing = async {
        loop {
            stream.write_all(&piece).await?;
        }
    };
    match tokio::time::timeout_at(end, pushing).await {
        Ok(Ok(never)) => never,
        Ok(Err(error)) => Err(error),
        Err(_elapsed) => Ok(Some(stream)),
    }
}

/// Sends so many octets, closes, and waits until the receiver has closed too: then all of them have arrived.
async fn push(mut stream: Stream, octets: u64) -> io::Result<()> {
    let piece = vec![0; PIECE];
    let pushing = async {
        let mut left = octets;
        while left > 0 {
            let length = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            stream.write_all(piece.get(..length).unwrap_or_default()).await?;
            left -= length as u64;
        }
        stream.shutdown().await?;
        drain(stream).await
    };
    tokio::time::timeout(LIMIT, pushing).await?
}

/// Reads to the end.
async fn drain(mut stream: Stream) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    while stream.read(&mut piece).await? > 0 {}
    Ok(())
}
