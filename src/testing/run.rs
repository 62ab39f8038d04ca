//! A network at work, and what is known of it afterwards.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::{Cause, Failure, SelectError};
use super::node::{Member, Nodes};
use super::plan::Plan;
use super::tasks::Tasks;
use super::{NetworkBuilder, UnknownNode, keep};
use crate::capture::{Record, Recorder, RecorderConfig, RecorderError, SharedRecorder};
use crate::filter::{Filter, PacketSubject, Streams, Subject};
use crate::journal::{Journal, NodeId};
use crate::network::{World, sim};
use crate::packet::Dissection;
use crate::time::Instant;

/// A network of hosts and links, in virtual time. See the [module](super).
pub struct Network {
    plan: Plan,
    /// What was seen in the last run.
    seen: Option<Recorder>,
    elapsed: Duration,
}

impl Network {
    /// Describes a network.
    pub fn builder() -> NetworkBuilder {
        NetworkBuilder::new()
    }

    pub(super) fn new(plan: Plan) -> Network {
        Network { plan, seen: None, elapsed: Duration::ZERO }
    }

    /// Runs programs on its nodes until they end, and then until no connection is under way. Every run begins anew: the same
    /// programs do the same again, to the packet.
    ///
    /// Programs are ordinary tokio code on one thread: `tokio::spawn`, `spawn_local` and `tokio::time` work as ever, but time
    /// passes only when nothing else can be done.
    ///
    /// # Errors
    /// [`Failure`], when the programs or one of [`Node::spawn`](super::Node::spawn) return an error, or do not end within the
    /// limit. Its captures are written then. So they are when the programs panic; the panic goes on afterwards.
    pub fn run<T, P, F>(&mut self, programs: P) -> Result<T, Failure>
    where
        P: FnOnce(Nodes) -> F,
        F: Future<Output = super::Result<T>>,
    {
        if tokio::runtime::Handle::try_current().is_ok() {
            return Err(Failure::early(Cause::InsideRuntime));
        }
        let recorder = Recorder::create(self.plan.recorder())
            .map_err(|error| Failure::early(Cause::System(std::io::Error::other(error))))?;
        let shared = SharedRecorder::new(recorder);
        let played = catch_unwind(AssertUnwindSafe(|| play(&self.plan, &shared, programs)));
        self.seen = shared.take();
        match played {
            Ok(Ok((Ok(result), ended))) => {
                self.elapsed = ended - Instant::ZERO;
                if keep::wanted_always().is_some() {
                    self.keep();
                }
                Ok(result)
            }
            Ok(Ok((Err(cause), ended))) => {
                self.elapsed = ended - Instant::ZERO;
                Err(Failure { cause, captures: self.keep() })
            }
            Ok(Err(error)) => Err(Failure { cause: Cause::System(error), captures: self.keep() }),
            Err(panic) => {
                if let Some(captures) = self.keep() {
                    tell(&captures.to_string());
                }
                resume_unwind(panic)
            }
        }
    }

    fn keep(&self) -> Option<super::failure::Captures> {
        self.seen.as_ref().map(|recorder| keep::keep(&self.plan, recorder))
    }

    /// Writes what was seen in the last run into `folder`: a pcapng for each node, and the journal. Returns the captures'
    /// paths, in the nodes' order; none before the first run.
    ///
    /// # Errors
    /// [`RecorderError`] when they cannot be written.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, RecorderError> {
        let config = RecorderConfig { dir: Some(folder.as_ref().to_path_buf()), ..self.plan.recorder() };
        self.seen.as_ref().map_or(Ok(Vec::new()), |recorder| recorder.replay(config))
    }

    /// How long the last run took, in virtual time; zero when it panicked.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The packets that a node has seen in the last run and that a display filter selects, each with its number in the
    /// node's capture. An empty filter selects all.
    ///
    /// # Errors
    /// [`SelectError`].
    pub fn packets(&self, node: &str, filter: &str) -> Result<Vec<(u64, &Record)>, SelectError> {
        let recorder = self.seen.as_ref().ok_or(SelectError::NotRun)?;
        let id = self.id_of(node)?;
        if recorder.not_kept(id) > 0 {
            return Err(SelectError::NotKept(recorder.not_kept(id)));
        }
        let filter = match filter.trim() {
            "" => None,
            filter => Some(Filter::parse(filter, &self.plan.names)?),
        };
        Ok(select(recorder.records(id), filter.as_ref()))
    }

    /// How many packets [`Network::packets`] selects: `network.count("client", "tcp.flags.reset == 1")`.
    ///
    /// # Errors
    /// [`SelectError`].
    pub fn count(&self, node: &str, filter: &str) -> Result<usize, SelectError> {
        self.packets(node, filter).map(|packets| packets.len())
    }

    /// What was told in the last run: states, windows, timers, each packet's reason; `None` before the first.
    pub fn journal(&self) -> Option<&Journal> {
        self.seen.as_ref().map(Recorder::journal)
    }

    /// The IPv4 address of a node.
    ///
    /// # Errors
    /// [`UnknownNode`] tells the names there are.
    pub fn address(&self, node: &str) -> Result<IpAddr, UnknownNode> {
        let place = usize::from(self.id_of(node)?.0);
        let addresses = self.plan.nodes.get(place).map(|node| node.addresses.as_slice()).unwrap_or_default();
        Ok(addresses.first().map_or(IpAddr::from([0; 4]), |(address, _)| *address))
    }

    fn id_of(&self, name: &str) -> Result<NodeId, UnknownNode> {
        let place = self.plan.nodes.iter().position(|node| node.name == name);
        place.and_then(|place| u16::try_from(place).ok()).map(NodeId).ok_or_else(|| UnknownNode {
            name: name.to_owned(),
            known: self.plan.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }
}

/// Plays one run; what went wrong of the programs, and when everything stopped.
fn play<T, P, F>(plan: &Plan, recorder: &SharedRecorder, programs: P) -> std::io::Result<(Result<T, Cause>, Instant)>
where
    P: FnOnce(Nodes) -> F,
    F: Future<Output = super::Result<T>>,
{
    sim::run(|clock| {
        let mut world = World::new(clock.clone(), Box::new(recorder.clone()));
        let handles = plan.build(&mut world, clock);
        let members = plan.nodes.iter().zip(handles).map(|(node, handle)| Member {
            name: node.name.clone(),
            addresses: node.addresses.iter().map(|(address, _)| *address).collect(),
            handle,
        });
        let cuts = plan.links.iter().map(|link| (link.ends, link.cut.clone()));
        let tasks = Tasks::default();
        let nodes = Nodes::new(members.collect(), cuts.collect(), tasks.clone());
        (world, async move {
            tokio::select! {
                biased;
                cause = tasks.failure() => Err(cause),
                ended = tokio::time::timeout(plan.limit, programs(nodes)) => match ended {
                    Ok(result) => result.map_err(Cause::Programs),
                    Err(_elapsed) => Err(Cause::TooLong(plan.limit)),
                },
            }
        })
    })
}

/// Packets with their numbers, as Wireshark would select them.
fn select<'r>(records: &'r [Record], filter: Option<&Filter>) -> Vec<(u64, &'r Record)> {
    let mut streams = Streams::default();
    let began = records.first().map_or(Instant::ZERO, |record| record.at);
    let mut selected = Vec::new();
    for (number, record) in (1..).zip(records) {
        let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
        let (stream, relative) = streams.next(&dissection);
        let subject = Subject::Packet(PacketSubject {
            number: Some(number),
            at: Instant::ZERO + (record.at - began),
            dissection: &dissection,
            bytes: &record.bytes,
            stream,
            relative,
        });
        if filter.is_none_or(|filter| filter.matches(&subject)) {
            selected.push((number, record));
        }
    }
    selected
}

/// A test that panicked says no more by itself: cargo shows this with it.
#[expect(clippy::print_stderr, reason = "it is where a failing test's words go")]
fn tell(words: &str) {
    eprintln!("{words}");
}
