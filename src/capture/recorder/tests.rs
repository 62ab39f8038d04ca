//! Tests of the recorder: what it keeps, what it writes and when, and what it says when it cannot.

use smallvec::SmallVec;
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::*;
use crate::capture::{Direction, Reader};
use crate::journal::Event;
use crate::packet::{Medium, PacketId};
use crate::time::Instant;

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("wireglass-recorder-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("the folder is new");
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

const CLIENT: NodeId = NodeId(0);
const ROUTER: NodeId = NodeId(1);
const SERVER: NodeId = NodeId(2);

fn vantage(node: NodeId, name: &str) -> VantageConfig {
    VantageConfig { node, name: name.to_owned(), description: name.to_owned(), link_type: LinkType::Ipv4 }
}

fn config(dir: Option<&Path>) -> RecorderConfig {
    RecorderConfig {
        dir: dir.map(Path::to_owned),
        nodes: vec![vantage(CLIENT, "client"), vantage(SERVER, "server")],
        epoch_ns: 1_000,
        ..RecorderConfig::default()
    }
}

fn recorder(config: RecorderConfig) -> Recorder {
    Recorder::create(config).expect("the folder is ours")
}

fn record(id: u64) -> Record {
    Record {
        at: Instant::from_nanos(id),
        packet: PacketId(id),
        direction: Direction::Out,
        medium: Medium::Ip,
        bytes: Bytes::from_static(&[0x45, 1, 2, 3]),
        wire_len: 4,
        comments: SmallVec::new(),
    }
}

fn entry(node: NodeId) -> Entry {
    Entry { at: Instant::from_nanos(9), node, event: Event::PacketArrived { packet: PacketId(4) } }
}

fn ids(path: &Path) -> Vec<Option<u64>> {
    let reader = Reader::open(path).expect("a capture");
    reader.map(|record| record.expect("whole").packet_id).collect()
}

/// Gives a file of the recorder to a device that is always full.
fn full(path: &Path) -> Output {
    Output::of(File::options().write(true).open("/dev/full").unwrap_or_else(|error| panic!("{path:?}: {error}")))
}

#[test]
fn a_recorder_without_a_folder_remembers_and_writes_nothing() {
    let mut recorder = recorder(config(None));
    recorder.packet(CLIENT, record(1));
    recorder.packet(SERVER, record(2));
    recorder.packet(CLIENT, record(3));
    recorder.packet(ROUTER, record(4));
    recorder.event(entry(ROUTER));
    recorder.settle();
    assert_eq!(recorder.records(CLIENT), [record(1), record(3)]);
    assert_eq!(recorder.records(ROUTER), [], "its packets are nobody's wish");
    assert_eq!(recorder.journal().entries().len(), 1, "events of every node are kept");
    assert_eq!(recorder.capture_path(CLIENT), None);
    recorder.finish().expect("nothing was written");
}

#[test]
fn packets_beyond_the_limit_are_counted_and_still_written() {
    let folder = Folder::new();
    let mut recorder = recorder(RecorderConfig { keep_packets: Some(2), ..config(Some(&folder.0)) });
    for id in 1..=5 {
        recorder.packet(CLIENT, record(id));
    }
    recorder.finish().expect("there is room");
    assert_eq!(recorder.records(CLIENT), [record(1), record(2)]);
    assert_eq!((recorder.not_kept(CLIENT), recorder.not_kept(SERVER)), (3, 0));
    assert_eq!(ids(recorder.capture_path(CLIENT).expect("it has a file")).len(), 5);
}

#[test]
fn octets_beyond_the_limit_of_all_nodes_are_counted_and_nothing_later_is_kept() {
    let each = size_of::<Record>() + 4;
    let mut recorder = recorder(RecorderConfig { keep_octets: Some(3 * each + 2), ..config(None) });
    let long = Record { bytes: Bytes::from_static(&[0; 100]), ..record(4) };
    recorder.packet(CLIENT, record(1));
    recorder.packet(SERVER, record(2));
    recorder.packet(CLIENT, record(3));
    recorder.packet(CLIENT, long);
    // These two would fit, but their numbers would not be their places.
    recorder.packet(CLIENT, Record { bytes: Bytes::new(), ..record(5) });
    recorder.packet(SERVER, Record { bytes: Bytes::new(), ..record(6) });
    assert_eq!(recorder.records(CLIENT), [record(1), record(3)]);
    assert_eq!(recorder.records(SERVER), [record(2)]);
    assert_eq!((recorder.not_kept(CLIENT), recorder.not_kept(SERVER)), (2, 1));
}

#[test]
fn what_has_settled_survives_a_kill() {
    for format in [FileFormat::Pcapng, FileFormat::Pcap] {
        let folder = Folder::new();
        let mut recorder = recorder(RecorderConfig { format, ..config(Some(&folder.0)) });
        recorder.packet(CLIENT, record(1));
        recorder.packet(CLIENT, record(2));
        recorder.event(entry(SERVER));
        recorder.settle();
        recorder.packet(CLIENT, record(3));
        // No destructor runs, so nothing more is flushed: the files are what a kill leaves.
        std::mem::forget(recorder);
        assert_eq!(ids(&folder.0.join(format!("client.{}", format.extension()))).len(), 2);
        let text = |name: &str| fs::read_to_string(folder.0.join(name)).expect("the file is there");
        assert_eq!(
            text("journal.jsonl"),
            "{\"at\":9,\"node\":2,\"kind\":\"packet-arrived\",\"packet\":4,\"node_name\":\"server\"}\n"
        );
    }
}

#[test]
fn layers_are_described_at_the_end_and_only_what_was_kept() {
    let folder = Folder::new();
    let path = folder.0.join("layers.txt");
    fs::write(&path, "of an earlier run").expect("the folder is ours");
    let described = Arc::new(AtomicU32::new(0));
    let count = described.clone();
    let mut recorder = recorder(RecorderConfig {
        describe: Some(Box::new(move |node, number, record| {
            count.fetch_add(1, Ordering::Relaxed);
            format!("{node} {number} {}\n", record.packet)
        })),
        keep_packets: Some(2),
        ..config(Some(&folder.0))
    });
    for id in [1, 3, 4] {
        recorder.packet(CLIENT, record(id));
    }
    recorder.packet(SERVER, record(2));
    recorder.settle();
    assert_eq!(described.load(Ordering::Relaxed), 0, "it would take the run's time");
    assert!(!path.exists(), "a run that is killed here leaves none, nor that of an earlier one");
    recorder.finish().expect("there is room");
    recorder.finish().expect("a second call does nothing");
    let expected = "=== client: client\nclient 1 1\nclient 2 3\nthe 1 packets after these are in the capture file only, \
                    `wireglass show FILE --layers` explains them\n=== server: server\nserver 1 2\n";
    assert_eq!(fs::read_to_string(&path).expect("the file is there"), expected);
    assert_eq!(described.load(Ordering::Relaxed), 3);
}

#[test]
fn a_line_about_a_node_that_is_not_recorded_has_only_its_number() {
    let folder = Folder::new();
    let mut recorder = recorder(config(Some(&folder.0)));
    recorder.event(entry(ROUTER));
    recorder.finish().expect("there is room");
    let text = fs::read_to_string(folder.0.join("journal.jsonl")).expect("the file is there");
    assert_eq!(text, "{\"at\":9,\"node\":1,\"kind\":\"packet-arrived\",\"packet\":4}\n");
}

#[test]
fn only_what_was_asked_for_becomes_a_file() {
    let folder = Folder::new();
    recorder(config(Some(&folder.0))).finish().expect("there is room");
    let mut names: Vec<String> = fs::read_dir(&folder.0)
        .expect("the folder is ours")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["client.pcapng", "journal.jsonl", "server.pcapng"]);
}

#[test]
fn the_times_in_the_file_count_from_the_epoch() {
    let folder = Folder::new();
    let mut recorder = recorder(config(Some(&folder.0)));
    recorder.packet(CLIENT, record(7));
    recorder.finish().expect("there is room");
    let mut reader = Reader::open(&folder.0.join("client.pcapng")).expect("a capture");
    assert_eq!(reader.next().expect("a packet").expect("whole").at_ns, 1_007);
}

#[test]
fn a_full_disk_is_told_once_for_each_file_and_spares_the_others() {
    let folder = Folder::new();
    let mut recorder = recorder(config(Some(&folder.0)));
    let path = folder.0.join("client.pcapng");
    let node = vantage(CLIENT, "client");
    let file = begin_capture(full(&path), FileFormat::Pcapng, &node, "", &[]).expect("it is buffered");
    recorder.vantages[0].file = Some(Sink { path, writer: Some(file) });
    recorder.journal_file =
        Some(Sink { path: folder.0.join("journal.jsonl"), writer: Some(full(Path::new("journal.jsonl"))) });
    for id in 1..=3 {
        recorder.packet(CLIENT, record(id));
        recorder.packet(SERVER, record(id));
        recorder.event(entry(CLIENT));
        recorder.settle();
    }
    let first = recorder.finish().expect_err("the disk was full").to_string();
    assert!(first.contains("client.pcapng: No space left on device"), "{first}");
    assert!(first.ends_with("make room or choose another folder with --out"), "{first}");
    let second = recorder.take_error().expect("two files are concerned").to_string();
    assert!(second.contains("journal.jsonl"), "{second}");
    assert!(recorder.take_error().is_none());
    assert_eq!(ids(&folder.0.join("server.pcapng")).len(), 3);
    assert_eq!(recorder.records(CLIENT).len(), 3, "memory has them all");
}

#[test]
fn an_error_while_closing_is_not_lost() {
    let folder = Folder::new();
    let mut recorder = recorder(config(Some(&folder.0)));
    let path = folder.0.join("journal.jsonl");
    recorder.journal_file = Some(Sink { writer: Some(full(&path)), path });
    recorder.event(entry(CLIENT));
    recorder.finish().expect_err("the line never reached the disk");
    recorder.finish().expect("a second call does nothing");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new();
    fs::write(folder.0.join("file"), "in the way").expect("the folder is ours");
    let error =
        Recorder::create(config(Some(&folder.0.join("file/out")))).err().expect("a file is no folder").to_string();
    assert!(error.starts_with("cannot make the folder ") && error.contains("file/out: Not a directory"), "{error}");
    assert!(error.ends_with("choose another with --out"), "{error}");
}

/// Who else may own files: `nobody` for root, everybody else only themselves.
fn an_owner(folder: &Path) -> (bool, (u32, u32)) {
    let metadata = fs::metadata(folder).expect("the folder is ours");
    let is_root = metadata.uid() == 0;
    (is_root, if is_root { (65_534, 65_534) } else { (metadata.uid(), metadata.gid()) })
}

#[test]
fn missing_folders_and_files_are_made_in_the_name_of_the_owner() {
    let folder = Folder::new();
    let (_, owner) = an_owner(&folder.0);
    std::os::unix::fs::chown(&folder.0, Some(owner.0), Some(owner.1)).expect("root may, and the owner may");
    let describe: Describe = Box::new(|_, _, _| String::new());
    let mut recorder = recorder(RecorderConfig {
        owner: Some(owner),
        describe: Some(describe),
        ..config(Some(&folder.0.join("a/b")))
    });
    recorder.finish().expect("there is room");
    for made in ["a", "a/b", "a/b/client.pcapng", "a/b/journal.jsonl", "a/b/layers.txt"] {
        let metadata = fs::metadata(folder.0.join(made)).expect("it was made");
        assert_eq!((metadata.uid(), metadata.gid()), owner, "{made}");
    }
    let ours = folder.0.join("ours");
    fs::write(&ours, "").expect("the thread is who it was");
    assert_eq!(fs::metadata(&ours).expect("it was made").uid(), nix::unistd::Uid::effective().as_raw());
}

#[test]
fn a_folder_is_no_way_to_where_its_owner_may_not_write() {
    let folder = Folder::new();
    let (is_root, owner) = an_owner(&folder.0);
    if !is_root {
        // Only root can act for somebody who may less.
        return;
    }
    let (hostile, secret) = (folder.0.join("hostile"), folder.0.join("secret"));
    for (path, mode) in [(&hostile, 0o755), (&secret, 0o700)] {
        fs::create_dir(path).expect("the folder is ours");
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("it is ours");
    }
    fs::write(secret.join("client.pcapng"), "precious").expect("it is ours");
    std::os::unix::fs::chown(&hostile, Some(owner.0), Some(owner.1)).expect("root may");
    symlink(&secret, hostile.join("out")).expect("a new name");
    for dir in ["out", "out/new"] {
        let config = RecorderConfig { owner: Some(owner), ..config(Some(&hostile.join(dir))) };
        let error = Recorder::create(config).err().expect("it must be refused").to_string();
        assert!(error.contains(dir) && error.contains("the user with the number 65534 may not"), "{error}");
        assert!(error.ends_with("choose another folder with --out") || error.ends_with("choose another with --out"));
    }
    let left: Vec<_> = fs::read_dir(&secret).expect("root may").collect();
    assert_eq!(left.len(), 1, "nothing was made there");
    assert_eq!(fs::read_to_string(secret.join("client.pcapng")).expect("root may"), "precious");
}

#[test]
fn a_file_is_never_written_through_a_link_or_to_anything_but_a_plain_file() {
    let folder = Folder::new();
    let victim = folder.0.join("victim");
    fs::write(&victim, "precious").expect("the folder is ours");
    let target = folder.0.join("client.pcapng");
    let refused = |expected: &str| {
        let error = Recorder::create(config(Some(&folder.0))).err().expect("it must be refused").to_string();
        assert!(error.contains("client.pcapng") && error.contains(expected), "{error}");
        fs::remove_file(&target).expect("the folder is ours");
        assert_eq!(fs::read_to_string(&victim).expect("it is untouched"), "precious");
    };
    symlink(&victim, &target).expect("a new name");
    refused("it is a symbolic link; remove it or choose another folder with --out");
    fs::hard_link(&victim, &target).expect("a new name");
    refused("hard link");
    nix::unistd::mkfifo(&target, nix::sys::stat::Mode::S_IRWXU).expect("a new name");
    refused("client.pcapng");
}

#[test]
fn a_longer_file_of_an_earlier_run_is_emptied_first() {
    let folder = Folder::new();
    fs::write(folder.0.join("client.pcapng"), vec![0xff; 100_000]).expect("the folder is ours");
    recorder(config(Some(&folder.0))).finish().expect("there is room");
    assert_eq!(ids(&folder.0.join("client.pcapng")), []);
}

#[test]
fn names_that_could_lead_elsewhere_or_meet_in_one_file_are_refused() {
    for name in ["", "..", "../x", "a/b", ".hidden", "-o", "a b", "a\0", "ü", "client.story", &"x".repeat(65)] {
        let config = RecorderConfig { nodes: vec![vantage(CLIENT, name)], ..RecorderConfig::default() };
        assert!(matches!(Recorder::create(config), Err(RecorderError::Name { .. })), "{name:?}");
    }
    let nodes = vec![vantage(CLIENT, "host"), vantage(SERVER, "host")];
    let twice = Recorder::create(RecorderConfig { nodes, ..RecorderConfig::default() });
    assert!(matches!(twice, Err(RecorderError::Name { .. })));
    let nodes = vec![vantage(CLIENT, "web-1.example"), vantage(SERVER, "DB_2")];
    recorder(RecorderConfig { nodes, ..RecorderConfig::default() });
}

/// Says of each event when it was.
struct Clock(Vec<u64>);

impl Teller for Clock {
    fn saw(&mut self, frame: u64, _record: &Record) {
        self.0.push(frame);
    }

    fn tell(&mut self, entry: &Entry) -> Option<EventRow> {
        let message = format!("at {}, frames {:?}\nMESSAGE=forged", entry.at.as_nanos(), self.0);
        let (topic, connection) = ("test".to_owned(), String::new());
        Some(EventRow { level: Level::Info, topic, connection, message, figures: vec![("FIGURE", 7)] })
    }
}

#[test]
fn a_story_has_each_packet_where_its_events_tell_of_it_and_says_what_it_lacks() {
    let folder = Folder::new();
    let tell: Tell = Box::new(|_, _| Box::new(Clock(Vec::new())));
    let limits = RecorderConfig { keep_packets: Some(3), keep_entries: 3, ..config(Some(&folder.0)) };
    let mut recorder = recorder(RecorderConfig { tell: Some(tell), ..limits });
    let path = folder.0.join("client.story.pcapng");
    for id in 1..=4 {
        // All in one moment: only the events tell the order.
        recorder.packet(CLIENT, Record { at: Instant::from_nanos(5), ..record(id) });
    }
    let mut event = |packet| {
        let event = Event::PacketArrived { packet: PacketId(packet) };
        recorder.event(Entry { at: Instant::from_nanos(5), node: CLIENT, event });
    };
    [9, 2, 8, 3].into_iter().for_each(&mut event);
    assert!(!path.exists(), "it is written at the end");
    recorder.finish().expect("there is room");
    assert_eq!(ids(&path), [Some(1), Some(2), Some(3)], "rows are no packets");
    let octets = fs::read(&path).expect("it was written");
    let text = String::from_utf8_lossy(&octets);
    let said: Vec<&str> = text.split("MESSAGE=").skip(1).filter_map(|rest| rest.split('\n').next()).collect();
    let expected = [
        "1 earlier events are in journal.jsonl only",
        "at 5, frames [2, 3] ",
        "at 5, frames [2, 3] ",
        "at 5, frames [2, 3, 6] ",
        "1 later packets are in client.pcapng only",
    ];
    let said: Vec<&str> = said.into_iter().filter(|line| *line != "forged").collect();
    assert_eq!(said, expected);
    assert_eq!(text.matches("\nMESSAGE=").count(), 5, "no line's end gets through");
}

#[test]
fn the_old_format_has_no_stories() {
    let folder = Folder::new();
    let tell: Tell = Box::new(|_, _| Box::new(Clock(Vec::new())));
    let mut recorder =
        recorder(RecorderConfig { tell: Some(tell), format: FileFormat::Pcap, ..config(Some(&folder.0)) });
    recorder.finish().expect("there is room");
    assert!(!folder.0.join("client.story.pcapng").exists());
}
