//! Simulated transfers whose every retransmission is known, and how much of that is found by packets alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wireglass::capture::{Direction, Record, Remark};
use wireglass::journal::Reason;
use wireglass::measure::{Kind, connections};
use wireglass::packet::{Dissection, PacketId};
use wireglass::{Link, Network};

/// What a segment is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Timeout,
    Fast,
    TailLossProbe,
    Spurious,
    OutOfOrder,
    Duplicate,
}

pub(super) const CLASSES: [Class; 6] =
    [Class::Timeout, Class::Fast, Class::TailLossProbe, Class::Spurious, Class::OutOfOrder, Class::Duplicate];

/// By packet number, what it is. A retransmission may be spurious besides.
pub(super) type Said = BTreeSet<(u64, Class)>;

/// How a simulation is set up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) seed: u64,
    pub(super) delay_ms: u64,
    pub(super) loss: f64,
    pub(super) reorder: f64,
    pub(super) duplicate: f64,
    pub(super) jitter_ms: u64,
    /// 0: everything that there is; 1: without SACK; 2: without time stamps; 3: without RACK and probes of the tail; 4: with neither SACK
    /// nor time stamps.
    pub(super) without: u8,
    /// Whether data comes in small pieces, with answers between them.
    pub(super) talks: bool,
}

/// Forty-eight of them.
pub(super) fn settings() -> Vec<Setting> {
    let ways = [
        (0.01, 0.0, 0.0, 0),
        (0.04, 0.0, 0.0, 0),
        (0.0, 0.02, 0.0, 0),
        (0.0, 0.0, 0.02, 0),
        (0.02, 0.02, 0.01, 0),
        (0.08, 0.01, 0.01, 0),
        (0.01, 0.0, 0.01, 4),
        (0.03, 0.03, 0.0, 0),
    ];
    let with = |seed: u64, (loss, reorder, duplicate, jitter_ms), talks| Setting {
        seed,
        delay_ms: [5, 25, 80][seed as usize % 3],
        loss,
        reorder,
        duplicate,
        jitter_ms,
        without: [0, 1, 0, 2, 0, 3, 0, 4][seed as usize / 2 % 8],
        talks,
    };
    let many = (0..48_u64).map(|seed| with(seed, ways[seed as usize % ways.len()], seed % 3 == 1));
    many.collect()
}

fn link(setting: &Setting) -> Link {
    Link::new()
        .delay_ms(setting.delay_ms)
        .jitter(Duration::from_millis(setting.jitter_ms))
        .rate(20_000_000)
        .loss(setting.loss)
        .reorder(setting.reorder, 3)
        .duplicate(setting.duplicate)
}

/// A transfer from the client to the server, and some words back.
pub(super) fn play(setting: &Setting) -> Network {
    let mut builder = Network::builder().seed(setting.seed);
    for name in ["client", "server"] {
        let without = setting.without;
        builder = builder.node_with(name, move |config| {
            config.sack = !matches!(without, 1 | 4);
            config.timestamps = !matches!(without, 2 | 4);
            config.rack = without != 3;
            config.tail_loss_probe = without != 3;
        });
    }
    let mut network = builder.link("client", "server", link(setting)).build().expect("it is a network");
    let talks = setting.talks;
    network
        .run(|nodes| async move {
            let [client, server] = nodes.named(["client", "server"])?;
            let listener = server.listen(80)?;
            server.spawn(async move {
                let (mut stream, _) = listener.accept().await?;
                let mut buffer = vec![0; 65_536];
                loop {
                    match stream.read(&mut buffer).await? {
                        0 => break,
                        _ if talks => stream.write_all(&[7; 3000]).await?,
                        _ => {}
                    }
                }
                stream.write_all(&[7; 20_000]).await?;
                Ok(())
            });
            let stream = client.connect("server:80").await?;
            let (mut read, mut write) = stream.into_split();
            let reading = tokio::task::spawn_local(async move {
                let mut all = Vec::new();
                read.read_to_end(&mut all).await.map(|_| ())
            });
            if talks {
                for turn in 0..60_usize {
                    write.write_all(&vec![9; 500 + turn * 97 % 4000]).await?;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
            } else {
                write.write_all(&vec![9; 600_000]).await?;
            }
            write.shutdown().await?;
            drop(write);
            reading.await??;
            Ok(())
        })
        .expect("the transfer ends");
    network
}

/// All that a node has captured.
pub(super) fn records(network: &Network, node: &str) -> Vec<Record> {
    network.packets(node, "").expect("it has run").into_iter().map(|(_, record)| record.clone()).collect()
}

/// The same without anything that a capture by somebody else would not have.
pub(super) fn stripped(records: &[Record]) -> Vec<Record> {
    let strip = |(number, record): (u64, &Record)| Record {
        packet: PacketId(number),
        direction: Direction::In,
        comments: Default::default(),
        ..record.clone()
    };
    (1..).zip(records).map(strip).collect()
}

/// A segment that takes sequence numbers, from its sender's capture.
struct Sent {
    place: usize,
    reason: Option<Reason>,
    range: (u32, u32),
    arrived: bool,
}

fn range(record: &Record) -> Option<(u16, u32, u32)> {
    let dissection = Dissection::of(record.medium, &record.bytes, record.wire_len);
    let tcp = dissection.tcp()?;
    let length = tcp.sequence_len();
    (length > 0 && !tcp.flags.rst()).then_some((tcp.src_port, tcp.seq.0, length))
}

/// What each packet of `node`'s capture is, by what the journal knows.
pub(super) fn truth(network: &Network, node: &str) -> Said {
    let captures = ["client", "server"].map(|name| records(network, name));
    // By packet: what was sent; by the name of a copy: the packet.
    let (mut sent, mut copies): (HashMap<PacketId, Sent>, HashMap<PacketId, PacketId>) = Default::default();
    for (place, record) in
        captures.iter().flatten().enumerate().filter(|(_, record)| record.direction == Direction::Out)
    {
        let Some((_, seq, length)) = range(record) else { continue };
        let reason = record.comments.iter().find_map(|remark| match remark {
            Remark::Why(why) => Some(why.reason),
            _ => None,
        });
        copies.extend(record.comments.iter().filter_map(|remark| match remark {
            Remark::Copied(copy) => Some((*copy, record.packet)),
            _ => None,
        }));
        sent.insert(record.packet, Sent { place, reason, range: (seq, seq.wrapping_add(length)), arrived: false });
    }
    let original = |id: PacketId| copies.get(&id).copied().unwrap_or(id);
    for record in captures.iter().flatten().filter(|record| record.direction == Direction::In) {
        if let Some(sent) = sent.get_mut(&original(record.packet)) {
            sent.arrived = true;
        }
    }
    let needless = |id: PacketId, port_sent: &Sent| {
        // All of it had been sent before in packets that arrived.
        let (from, to) = port_sent.range;
        let length = to.wrapping_sub(from);
        let mut covered: Vec<(u32, u32)> = sent
            .iter()
            .filter(|(other, earlier)| **other != id && earlier.arrived && earlier.place < port_sent.place)
            .filter_map(|(_, earlier)| {
                let start = earlier.range.0.wrapping_sub(from) as i32;
                let end = earlier.range.1.wrapping_sub(from) as i32;
                (end > 0 && start < length as i32).then_some((start.max(0) as u32, end as u32))
            })
            .collect();
        covered.sort_unstable();
        covered.iter().fold(0, |reach, (start, end)| if *start <= reach { reach.max(*end) } else { reach }) >= length
    };
    let mut said = Said::new();
    let mut arrived: BTreeSet<PacketId> = BTreeSet::new();
    let mut highest: BTreeMap<u16, u32> = BTreeMap::new();
    let own = &captures[usize::from(node == "server")];
    for (number, record) in (1..).zip(own) {
        let Some((port, _, _)) = range(record) else { continue };
        let id = original(record.packet);
        let Some(one) = sent.get(&id) else { continue };
        if record.direction == Direction::In && !arrived.insert(id) {
            said.insert((number, Class::Duplicate));
            continue;
        }
        let class = match one.reason {
            Some(Reason::TailLossProbe) => Some(Class::TailLossProbe),
            Some(Reason::RetransmitByTimer { .. } | Reason::RetransmitAfterTimer) => Some(Class::Timeout),
            Some(reason) if reason.is_retransmission() => Some(Class::Fast),
            _ => None,
        };
        let is_below = highest.get(&port).is_some_and(|highest| (one.range.0.wrapping_sub(*highest) as i32) < 0);
        if let Some(class) = class {
            said.insert((number, class));
            if needless(id, one) {
                said.insert((number, Class::Spurious));
            }
        } else if record.direction == Direction::In && is_below {
            said.insert((number, Class::OutOfOrder));
        }
        let reach = highest.entry(port).or_insert(one.range.1);
        if (one.range.1.wrapping_sub(*reach) as i32) > 0 {
            *reach = one.range.1;
        }
    }
    said
}

/// What is said of the same capture by its packets alone.
pub(super) fn ours(network: &Network, node: &str) -> Said {
    let mut said = Said::new();
    for connection in connections(&stripped(&records(network, node))) {
        for again in connection.streams.iter().flat_map(|stream| &stream.again) {
            let class = match again.kind {
                Kind::Timeout => Class::Timeout,
                Kind::Fast => Class::Fast,
                Kind::TailLossProbe => Class::TailLossProbe,
                Kind::OutOfOrder => Class::OutOfOrder,
                Kind::Duplicate => Class::Duplicate,
                Kind::WindowProbe | Kind::KeepAlive => continue,
            };
            said.insert((again.number, class));
            if again.kind.is_retransmission() && again.doubt.is_some() {
                said.insert((again.number, Class::Spurious));
            }
        }
    }
    said
}

/// What tshark says of it: rows of its number, retransmission, fast, spurious, out of order.
pub(super) fn theirs(rows: &[String]) -> Said {
    let mut said = Said::new();
    for row in rows {
        let columns: Vec<&str> = row.split('\t').collect();
        let Some(number) = columns.first().and_then(|number| number.parse().ok()) else { continue };
        let has = |place: usize| columns.get(place).is_some_and(|column| !column.is_empty());
        let (again, fast, spurious, order) = (has(1), has(2), has(3), has(4));
        let classes = [
            (again && !fast, Class::Timeout),
            (fast, Class::Fast),
            (spurious, Class::Spurious),
            (order, Class::OutOfOrder),
        ];
        said.extend(classes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, class)| (number, class)));
    }
    said
}

pub(super) const ASKED: [&str; 5] = [
    "frame.number",
    "tcp.analysis.retransmission",
    "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission",
    "tcp.analysis.out_of_order",
];

/// How often a class was said rightly, wrongly, and not said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Score {
    pub(super) right: u64,
    pub(super) wrong: u64,
    pub(super) missed: u64,
}

impl Score {
    pub(super) fn add(&mut self, truth: &Said, said: &Said, class: Class) {
        let of = |said: &Said| said.iter().filter(|(_, known)| *known == class).copied().collect::<Said>();
        let (truth, said) = (of(truth), of(said));
        self.right += truth.intersection(&said).count() as u64;
        self.wrong += said.difference(&truth).count() as u64;
        self.missed += truth.difference(&said).count() as u64;
    }

    /// In thousandths; `None` where nothing was said.
    pub(super) fn precision(&self) -> Option<u64> {
        (self.right * 1000).checked_div(self.right + self.wrong)
    }

    /// In thousandths; `None` where there is nothing to say.
    pub(super) fn recall(&self) -> Option<u64> {
        (self.right * 1000).checked_div(self.right + self.missed)
    }
}

/// Saves the captures of a run, the client's first.
pub(super) fn save(network: &Network, folder: &Path) -> [std::path::PathBuf; 2] {
    network.save(folder).expect("there is room");
    ["client", "server"].map(|name| folder.join(format!("{name}.pcapng")))
}
