//! The recorder: a run in memory and on disk.
//!
//! One capture per vantage point, `journal.jsonl` for programs, `layers.txt` and stories for readers. Captures and journal are
//! written as the run goes: whenever the network settles, all of it is handed to the system, whole blocks and whole
//! lines, so that a run that is killed leaves readable files that lack only its last moments. `layers.txt` and the stories
//! are written at the end, from memory: they would take up the very time that a live run measures.
//!
//! A [`Witness`] cannot fail, so what goes wrong while writing is kept: the file concerned is given up, the others go
//! on, and [`Recorder::finish`] or [`Recorder::take_error`] tells. What does not live here: making text of packets
//! (handed in as a function), opening files safely ([`super::output`]).

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::output::{self, Output};
use super::{LinkType, Record, Witness, pcap, pcapng};
use crate::journal::{Entry, Event, Journal, NodeId, ProgramEvent};
use crate::packet::Medium;

use self::layers::Layers;
use self::story::Story;
pub use self::story::{EventRow, Level, Tell, Teller};
pub use super::output::RecorderError;

mod layers;
mod story;
#[cfg(test)]
mod tests;

/// Makes the text of `layers.txt` for one packet of a node: every header, field by field. Gets the node's name, the
/// packet's number there and the packet.
pub type Describe = Box<dyn Fn(&str, u64, &Record) -> String + Send>;

/// The format of capture files, as `--format` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// With comments, names, directions and packet ids.
    #[default]
    Pcapng,
    /// Packets and times only, for tools that read nothing newer.
    Pcap,
}

impl FileFormat {
    /// The extension of its files, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            FileFormat::Pcapng => "pcapng",
            FileFormat::Pcap => "pcap",
        }
    }
}

/// A node whose packets are recorded.
#[derive(Clone, Debug)]
pub struct VantageConfig {
    /// Which one.
    pub node: NodeId,
    /// Its name in the lab, and its file's: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// A sentence about it, shown in Wireshark's Capture File Properties.
    pub description: String,
    /// What passes there; [`LinkType::for_medium`] helps to choose.
    pub link_type: LinkType,
}

/// What to record, and where.
pub struct RecorderConfig {
    /// The folder of the files, made if need be; `None` records in memory only.
    pub dir: Option<PathBuf>,
    /// The captures' format.
    pub format: FileFormat,
    /// When the run begins, in nanoseconds since 1970-01-01 UTC.
    pub epoch_ns: u64,
    /// Whose packets are recorded. Packets of other nodes are not.
    pub nodes: Vec<VantageConfig>,
    /// Names of addresses, for Wireshark.
    pub names: Vec<(IpAddr, String)>,
    /// A remark on the whole capture.
    pub comment: String,
    /// Makes the text of `layers.txt`, which [`Recorder::finish`] writes; `None` for no such file.
    pub describe: Option<Describe>,
    /// Tells what happened at a node, for the stories that [`Recorder::finish`] writes beside pcapng captures; `None` for none.
    pub tell: Option<Tell>,
    /// How many packets of each node stay in memory; `None` for all. Files hold all of them in any case.
    pub keep_packets: Option<usize>,
    /// How many octets the packets of all nodes may take up in memory; the packet that exceeds it, and all after it,
    /// are in files only. `None` for no limit.
    pub keep_octets: Option<usize>,
    /// How many journal entries stay in memory; the file holds all of them.
    pub keep_entries: usize,
    /// User and group in whose name, and with whose rights, folders and files are made; `None` for this process's own.
    pub owner: Option<(u32, u32)>,
}

impl Default for RecorderConfig {
    /// In memory only, everything kept, no node yet.
    fn default() -> RecorderConfig {
        RecorderConfig {
            dir: None,
            format: FileFormat::default(),
            epoch_ns: 0,
            nodes: Vec::new(),
            names: Vec::new(),
            comment: String::new(),
            describe: None,
            tell: None,
            keep_packets: None,
            keep_octets: None,
            keep_entries: usize::MAX,
            owner: None,
        }
    }
}

/// Packets of each node of a run that stay in memory; files hold all.
const KEEP_PACKETS: usize = 250_000;
/// Octets of the packets of all nodes of a run that stay in memory; files hold all.
const KEEP_OCTETS: usize = 256 << 20;
/// Journal entries of a run that stay in memory; the file holds all.
const KEEP_ENTRIES: usize = 1_000_000;

impl RecorderConfig {
    /// For a run of these nodes, each with its name and its addresses, in the order of their [`NodeId`]s: all of them are
    /// recorded, in memory only, and memory holds a bounded part of a long run.
    pub fn of_run<'n>(
        medium: Medium,
        nodes: impl Iterator<Item = (&'n str, &'n [(IpAddr, u8)])> + Clone,
    ) -> RecorderConfig {
        let has =
            |v4: bool| nodes.clone().flat_map(|(_, addresses)| addresses).any(|(address, _)| address.is_ipv4() == v4);
        let link_type = LinkType::for_medium(medium, has(true), has(false));
        let vantage = |(id, (name, _)): (u16, (&str, _))| VantageConfig {
            node: NodeId(id),
            name: name.to_owned(),
            description: format!("what the node {name} sent and received"),
            link_type,
        };
        let names = nodes
            .clone()
            .flat_map(|(name, addresses)| addresses.iter().map(move |(address, _)| (*address, name.to_owned())));
        RecorderConfig {
            nodes: (0..=u16::MAX).zip(nodes.clone()).map(vantage).collect(),
            names: names.collect(),
            keep_packets: Some(KEEP_PACKETS),
            keep_octets: Some(KEEP_OCTETS),
            keep_entries: KEEP_ENTRIES,
            ..RecorderConfig::default()
        }
    }
}

/// The octets kept of a packet at most, as tcpdump has it; longer than any IP packet.
const SNAPLEN: u32 = 262_144;

/// A file of the recorder, given up at its first error.
struct Sink<T> {
    path: PathBuf,
    writer: Option<T>,
}

impl<T> Sink<T> {
    /// Does `work` with the file unless it has been given up; keeps what goes wrong.
    fn attempt(&mut self, errors: &mut VecDeque<RecorderError>, work: impl FnOnce(&mut T) -> io::Result<()>) {
        let Some(writer) = &mut self.writer else { return };
        if let Err(source) = work(writer) {
            self.writer = None;
            errors.push_back(RecorderError::write(&self.path, source));
        }
    }
}

/// A capture file of either format.
enum CaptureFile {
    Pcapng(pcapng::Writer<Output>, pcapng::InterfaceId),
    Pcap(pcap::Writer<Output>),
}

impl CaptureFile {
    fn packet(&mut self, record: &Record, epoch_ns: u64) -> io::Result<()> {
        match self {
            CaptureFile::Pcapng(writer, interface) => writer.packet(*interface, record, epoch_ns),
            CaptureFile::Pcap(writer) => writer.packet(record, epoch_ns),
        }
    }

    fn secrets(&mut self, key_log: &str) -> io::Result<()> {
        match self {
            CaptureFile::Pcapng(writer, _) => writer.secrets(key_log),
            CaptureFile::Pcap(_) => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            CaptureFile::Pcapng(writer, _) => writer.flush(),
            CaptureFile::Pcap(writer) => writer.flush(),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            CaptureFile::Pcapng(writer, _) => writer.finish().map(drop),
            CaptureFile::Pcap(writer) => writer.finish().map(drop),
        }
    }
}

/// One vantage point.
struct Vantage {
    config: VantageConfig,
    records: Vec<Record>,
    seen: u64,
    file: Option<Sink<CaptureFile>>,
}

impl Vantage {
    fn not_kept(&self) -> u64 {
        self.seen - self.records.len() as u64
    }
}

/// Keeps what a run tells, and writes it as the run goes.
pub struct Recorder {
    vantages: Vec<Vantage>,
    journal: Journal,
    journal_file: Option<Sink<Output>>,
    layers: Option<Layers>,
    story: Option<Story>,
    line: Vec<u8>,
    epoch_ns: u64,
    keep_packets: usize,
    /// Octets that packets may still take up; `None` when one did not fit.
    room: Option<usize>,
    errors: VecDeque<RecorderError>,
    /// Lines of key logs that are embedded.
    told_secrets: BTreeSet<String>,
}

impl Recorder {
    /// Makes the folder and begins every file.
    ///
    /// # Errors
    /// [`RecorderError`] when a folder or file cannot be made, or a node's name cannot name a file.
    pub fn create(config: RecorderConfig) -> Result<Recorder, RecorderError> {
        output::check_names(config.nodes.iter().map(|node| node.name.as_str()))?;
        let (mut journal_file, mut layers, mut story) = (None, None, None);
        let mut vantages = Vec::with_capacity(config.nodes.len());
        if let Some(dir) = &config.dir {
            output::make_dir(dir, config.owner)?;
            let path = dir.join("journal.jsonl");
            journal_file = Some(Sink { writer: Some(Output::create(&path, config.owner)?), path });
            if let Some(describe) = config.describe {
                let path = dir.join("layers.txt");
                // One of an earlier run would not belong to the captures beside it, should this run be killed.
                output::remove(&path, config.owner)?;
                layers = Some(Layers { path, owner: config.owner, describe });
            }
            if let Some(tell) = config.tell.filter(|_| config.format == FileFormat::Pcapng) {
                let paths = config.nodes.iter().map(|node| dir.join(format!("{}.story.pcapng", node.name))).collect();
                let (names, comment) = (config.names.clone(), config.comment.clone());
                story = Some(Story::announce(paths, config.owner, tell, names, comment)?);
            }
        }
        let names: Vec<(IpAddr, &str)> = config.names.iter().map(|(address, name)| (*address, name.as_str())).collect();
        for node in config.nodes {
            let file = config.dir.as_deref().map(|dir| {
                let path = dir.join(format!("{}.{}", node.name, config.format.extension()));
                let output = Output::create(&path, config.owner)?;
                begin_capture(output, config.format, &node, &config.comment, &names)
                    .map_err(|source| RecorderError::write(&path, source))
                    .map(|file| Sink { path, writer: Some(file) })
            });
            vantages.push(Vantage { config: node, records: Vec::new(), seen: 0, file: file.transpose()? });
        }
        Ok(Recorder {
            vantages,
            journal: Journal::new(config.keep_entries),
            journal_file,
            layers,
            story,
            line: Vec::new(),
            epoch_ns: config.epoch_ns,
            keep_packets: config.keep_packets.unwrap_or(usize::MAX),
            room: Some(config.keep_octets.unwrap_or(usize::MAX)),
            errors: VecDeque::new(),
            told_secrets: BTreeSet::new(),
        })
    }

    /// The packets kept of a node, from its first on: number `n` is at `n - 1`. Empty for a node that is not recorded.
    pub fn records(&self, node: NodeId) -> &[Record] {
        self.vantage(node).map_or(&[], |vantage| &vantage.records)
    }

    /// How many later packets of a node are in its file only.
    pub fn not_kept(&self, node: NodeId) -> u64 {
        self.vantage(node).map_or(0, Vantage::not_kept)
    }

    /// The nodes recorded, as configured.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &VantageConfig> {
        self.vantages.iter().map(|vantage| &vantage.config)
    }

    /// The journal of all nodes.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// When the run began, in nanoseconds since 1970-01-01 UTC.
    pub fn epoch_ns(&self) -> u64 {
        self.epoch_ns
    }

    /// A node's capture file; `None` when none is written.
    pub fn capture_path(&self, node: NodeId) -> Option<&Path> {
        Some(self.vantage(node)?.file.as_ref()?.path.as_path())
    }

    /// Embeds a TLS key log in every capture, for the packets that follow. The classic format has no place for it.
    pub fn secrets(&mut self, key_log: &str) {
        for file in self.vantages.iter_mut().filter_map(|vantage| vantage.file.as_mut()) {
            file.attempt(&mut self.errors, |writer| writer.secrets(key_log));
        }
    }

    /// The oldest error not yet told; `None` when all went well.
    pub fn take_error(&mut self) -> Option<RecorderError> {
        self.errors.pop_front()
    }

    /// Writes the captures' statistics, `layers.txt` and the stories, and closes every file. What was recorded stays in memory. A second call does
    /// nothing.
    ///
    /// # Errors
    /// The oldest [`RecorderError`] since the beginning that was not taken yet; [`Recorder::take_error`] has the
    /// others.
    pub fn finish(&mut self) -> Result<(), RecorderError> {
        for file in self.vantages.iter_mut().filter_map(|vantage| vantage.file.as_mut()) {
            if let Some(Err(source)) = file.writer.take().map(CaptureFile::finish) {
                self.errors.push_back(RecorderError::write(&file.path, source));
            }
        }
        if let Some(file) = &mut self.journal_file {
            file.attempt(&mut self.errors, Output::flush);
            file.writer = None;
        }
        if let Some(Err(error)) = self.layers.take().map(|layers| layers.write(&self.vantages)) {
            self.errors.push_back(error);
        }
        if let Some(Err(error)) =
            self.story.take().map(|story| story.write(&self.vantages, &self.journal, self.epoch_ns))
        {
            self.errors.push_back(error);
        }
        self.take_error().map_or(Ok(()), Err)
    }

    /// Writes what is in memory into the folder that `config` names, as if it had been written as the run went. Returns the
    /// captures' paths, in the nodes' order.
    ///
    /// # Errors
    /// [`RecorderError`], the oldest.
    pub fn replay(&self, config: RecorderConfig) -> Result<Vec<PathBuf>, RecorderError> {
        let mut copy = Recorder::create(RecorderConfig { epoch_ns: self.epoch_ns, ..config })?;
        for vantage in &self.vantages {
            vantage.records.iter().for_each(|record| copy.packet(vantage.config.node, record.clone()));
        }
        self.journal.entries().for_each(|entry| copy.event(entry.clone()));
        copy.finish()?;
        Ok(copy.vantages.iter().filter_map(|vantage| Some(vantage.file.as_ref()?.path.clone())).collect())
    }

    fn vantage(&self, node: NodeId) -> Option<&Vantage> {
        self.vantages.iter().find(|vantage| vantage.config.node == node)
    }
}

impl Witness for Recorder {
    fn packet(&mut self, node: NodeId, record: Record) {
        let Some(vantage) = self.vantages.iter_mut().find(|vantage| vantage.config.node == node) else { return };
        vantage.seen += 1;
        if let Some(file) = &mut vantage.file {
            file.attempt(&mut self.errors, |writer| writer.packet(&record, self.epoch_ns));
        }
        if vantage.records.len() < self.keep_packets {
            self.room = self.room.and_then(|room| room.checked_sub(size_of::<Record>() + record.bytes.len()));
            // Once one is missing none may follow: a packet's number is its place.
            if self.room.is_some() {
                vantage.records.push(record);
            }
        }
    }

    fn event(&mut self, entry: Entry) {
        if let Event::Program { report: ProgramEvent::Secrets { line }, .. } = &entry.event {
            // Both ends of a connection tell the same ones.
            if self.told_secrets.insert(line.clone()) {
                Recorder::secrets(self, &format!("{line}\n"));
            }
        }
        if let Some(file) = &mut self.journal_file {
            let node = self.vantages.iter().find(|vantage| vantage.config.node == entry.node);
            let line = Line { entry: &entry, node_name: node.map(|vantage| vantage.config.name.as_str()) };
            self.line.clear();
            file.attempt(&mut self.errors, |writer| {
                serde_json::to_writer(&mut self.line, &line)?;
                self.line.push(b'\n');
                writer.write_all(&self.line)
            });
        }
        self.journal.record(entry);
    }

    fn secrets(&mut self, key_log: &str) {
        Recorder::secrets(self, key_log);
    }

    fn settle(&mut self) {
        for file in self.vantages.iter_mut().filter_map(|vantage| vantage.file.as_mut()) {
            file.attempt(&mut self.errors, CaptureFile::flush);
        }
        if let Some(file) = &mut self.journal_file {
            file.attempt(&mut self.errors, Output::flush);
        }
    }
}

/// One line of `journal.jsonl`: the entry, and its node also by name, so that a line can be read by itself.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    /// Left out for a node that is not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<&'a str>,
}

/// Writes everything that precedes the packets.
fn begin_capture(
    output: Output,
    format: FileFormat,
    node: &VantageConfig,
    comment: &str,
    names: &[(IpAddr, &str)],
) -> io::Result<CaptureFile> {
    match format {
        FileFormat::Pcap => pcap::Writer::new(output, node.link_type, SNAPLEN).map(CaptureFile::Pcap),
        FileFormat::Pcapng => {
            let (writer, interface) = begin_pcapng(output, node, comment, names)?;
            Ok(CaptureFile::Pcapng(writer, interface))
        }
    }
}

fn begin_pcapng(
    output: Output,
    node: &VantageConfig,
    comment: &str,
    names: &[(IpAddr, &str)],
) -> io::Result<(pcapng::Writer<Output>, pcapng::InterfaceId)> {
    // Without a version: the captures of a run in virtual time must outlive a release byte for byte.
    let section = pcapng::Section { comment, application: "wireglass", ..pcapng::Section::default() };
    let mut writer = pcapng::Writer::new(output, &section)?;
    let interface = writer.interface(&pcapng::Interface {
        name: &node.name,
        description: &node.description,
        link_type: node.link_type,
        snaplen: SNAPLEN,
    })?;
    if !names.is_empty() {
        writer.names(names)?;
    }
    Ok((writer, interface))
}
