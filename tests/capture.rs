//! Captures before independent judges: tshark, capinfos and editcap of Wireshark, and the `pcap-file` crate.

use std::fs::{self, File};
use std::io::BufReader;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use etherparse::PacketBuilder;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use smallvec::SmallVec;
use wireglass::capture::{
    Direction, FileFormat, LinkType, Reader, Record, Recorder, RecorderConfig, Remark, VantageConfig, Witness, pcapng,
};
use wireglass::journal::{Entry, Event, NodeId, Reason, Why};
use wireglass::packet::{Medium, PacketId};
use wireglass::time::Instant;

use super::support::Folder;
use super::support::wireshark::{complaints, fields, judge, tshark};

/// 2026-01-02 03:04:05.000000006 UTC.
const EPOCH_NS: u64 = 1_767_323_045_000_000_006;
const CLIENT: NodeId = NodeId(0);

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capture").join(name);
    fs::remove_dir_all(&path).ok();
    fs::create_dir_all(&path).expect("the build's folder is ours");
    path
}

fn client_v4() -> [u8; 4] {
    [10, 0, 0, 1]
}

fn server_v4() -> [u8; 4] {
    [10, 0, 0, 2]
}

fn handshake() -> Vec<Vec<u8>> {
    let build = |flags: &str, seq: u32, ack: u32| {
        let (source, destination) = if flags == "SYN,ACK" { (80, 40_000) } else { (40_000, 80) };
        let (from, to) = if flags == "SYN,ACK" { (server_v4(), client_v4()) } else { (client_v4(), server_v4()) };
        let mut builder = PacketBuilder::ipv4(from, to, 64).tcp(source, destination, seq, 65_535);
        builder = if flags.contains("SYN") { builder.syn() } else { builder };
        builder = if flags.contains("ACK") { builder.ack(ack) } else { builder };
        let mut bytes = Vec::new();
        builder.write(&mut bytes, &[]).expect("a vector takes all");
        bytes
    };
    vec![build("SYN", 100, 0), build("SYN,ACK", 300, 101), build("ACK", 101, 301)]
}

fn datagram_v6() -> Vec<u8> {
    let mut bytes = Vec::new();
    let builder = PacketBuilder::ipv6([0xfd; 16], [0xfe; 16], 64).udp(5_000, 5_001);
    builder.write(&mut bytes, b"hello").expect("a vector takes all");
    bytes
}

fn ethernet_arp() -> Vec<u8> {
    let mut bytes = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]].concat();
    bytes.extend([&[2, 0, 0, 0, 0, 1][..], &client_v4(), &[0; 6], &server_v4()].concat());
    bytes
}

fn record(nth: u64, medium: Medium, bytes: Vec<u8>) -> Record {
    let comments = match nth {
        0 => [Remark::Why(Why::of(Reason::ActiveOpen)), Remark::Text("dropped by rule lose-1".to_owned())]
            .into_iter()
            .collect(),
        _ => SmallVec::new(),
    };
    Record {
        at: Instant::from_nanos(nth * 1_000_000_001),
        packet: PacketId(1_000 + nth),
        direction: if nth == 1 { Direction::In } else { Direction::Out },
        medium,
        wire_len: bytes.len(),
        bytes: Bytes::from(bytes),
        comments,
    }
}

/// Records packets at one vantage point called `client`; returns its file.
fn recorded(folder: &Path, format: FileFormat, link_type: LinkType, packets: Vec<Vec<u8>>) -> PathBuf {
    let medium = if link_type == LinkType::Ethernet { Medium::Ethernet } else { Medium::Ip };
    let mut recorder = Recorder::create(RecorderConfig {
        dir: Some(folder.to_owned()),
        format,
        epoch_ns: EPOCH_NS,
        nodes: vec![VantageConfig {
            node: CLIENT,
            name: "client".to_owned(),
            description: "client: where the connection is opened".to_owned(),
            link_type,
        }],
        names: vec![
            (IpAddr::from(client_v4()), "client.lab".to_owned()),
            (IpAddr::from(server_v4()), "server.lab".to_owned()),
            (IpAddr::from(Ipv6Addr::from([0xfd; 16])), "six.lab".to_owned()),
        ],
        comment: "three-way handshake, seed 1".to_owned(),
        ..RecorderConfig::default()
    })
    .expect("the folder is ours");
    for (nth, bytes) in packets.into_iter().enumerate() {
        recorder.packet(CLIENT, record(nth as u64, medium, bytes));
    }
    let event = Event::PacketSent { packet: PacketId(1_000), why: Why::of(Reason::ActiveOpen) };
    recorder.event(Entry { at: Instant::ZERO, node: CLIENT, event });
    recorder.settle();
    recorder.finish().expect("there is room");
    recorder.capture_path(CLIENT).expect("it has a file").to_owned()
}

#[test]
fn wireshark_shows_time_interface_direction_id_and_every_remark() {
    let file = recorded(&folder("shows"), FileFormat::Pcapng, LinkType::Ipv4, handshake());
    let names = [
        "frame.number",
        "frame.time_epoch",
        "frame.interface_name",
        "frame.packet_flags_direction",
        "frame.packet_id",
        "frame.comment",
        "tcp.flags.str",
    ];
    let lines = fields(&names, &file);
    assert_eq!(
        lines,
        [
            "1\t1767323045.000000006\tclient\t0x00000002\t1000\t\
             SYN: opens the connection [RFC 9293 §3.5],dropped by rule lose-1\t··········S·",
            "2\t1767323046.000000007\tclient\t0x00000001\t1001\t\t·······A··S·",
            "3\t1767323047.000000008\tclient\t0x00000002\t1002\t\t·······A····",
        ]
    );
}

#[test]
fn wireshark_knows_the_addresses_by_the_names_in_the_file() {
    let file = recorded(&folder("names"), FileFormat::Pcapng, LinkType::Ipv4, handshake());
    let text = tshark(&["-N", "n"], &file);
    assert_eq!(text.matches("client.lab → server.lab").count(), 2, "{text}");
    assert_eq!(text.matches("server.lab → client.lab").count(), 1, "{text}");
}

#[test]
fn capinfos_knows_the_remark_the_interface_and_its_statistics() {
    let file = recorded(&folder("capinfos"), FileFormat::Pcapng, LinkType::Ipv4, handshake());
    let text = judge("capinfos", &[], &file);
    for line in [
        "File type:           Wireshark/... - pcapng",
        "File encapsulation:  Raw IPv4",
        "File timestamp precision:  nanoseconds (9)",
        "Number of packets:   3",
        "Capture comment:     three-way handshake, seed 1",
        "Capture application: wireglass",
        "Strict time order:   True",
        "Name = client",
        "Description = client: where the connection is opened",
        "Time resolution = 0x09",
        "Number of stat entries = 1",
        "Number of packets = 3",
        "Number of resolved IPv4 addresses in file: 2",
        "Number of resolved IPv6 addresses in file: 1",
    ] {
        assert!(text.contains(line), "capinfos lacks {line:?}:\n{text}");
    }
}

#[test]
fn the_gate_is_silent_on_good_captures_and_speaks_on_bad_ones() {
    let file = recorded(&folder("gate-good"), FileFormat::Pcapng, LinkType::Ipv4, handshake());
    assert_eq!(complaints(&file), "");
    let mut packets = handshake();
    packets[1][33] ^= 1;
    let file = recorded(&folder("gate-bad"), FileFormat::Pcapng, LinkType::Ipv4, packets);
    assert_eq!(complaints(&file).lines().count(), 1, "one packet has a bad checksum");
}

#[test]
fn every_link_type_that_is_written_is_dissected() {
    let both = vec![handshake().remove(0), datagram_v6()];
    let cases = [
        (LinkType::Ipv4, handshake(), "Raw IPv4", "ip:tcp"),
        (LinkType::Ipv6, vec![datagram_v6()], "Raw IPv6", "ipv6:udp:data"),
        (LinkType::RawIp, both, "Raw IP", "raw:ip:tcp"),
        (LinkType::Ethernet, vec![ethernet_arp()], "Ethernet", "eth:ethertype:arp"),
    ];
    for (link_type, packets, encapsulation, protocols) in cases {
        for format in [FileFormat::Pcapng, FileFormat::Pcap] {
            let name = format!("link-{}-{}", link_type.code(), format.extension());
            let file = recorded(&folder(&name), format, link_type, packets.clone());
            let text = judge("capinfos", &["-E"], &file);
            assert!(text.contains(&format!("File encapsulation:  {encapsulation}")), "{link_type:?}: {text}");
            let lines = fields(&["frame.protocols"], &file);
            assert_eq!((lines.len(), lines[0].as_str()), (packets.len(), protocols), "{link_type:?}");
            assert_eq!(complaints(&file), "", "{link_type:?}");
            assert_eq!(link_codes(&file), [link_type.code()], "our reader");
        }
    }
}

/// The link types that our reader finds in a file, which must be whole.
fn link_codes(file: &Path) -> Vec<u16> {
    let mut reader = Reader::open(file).expect("a capture");
    assert!(reader.by_ref().all(|record| record.is_ok()));
    reader.interfaces().iter().map(|interface| interface.link_code).collect()
}

#[test]
fn the_classic_format_keeps_packets_and_nanoseconds() {
    let file = recorded(&folder("classic"), FileFormat::Pcap, LinkType::Ipv4, handshake());
    assert_eq!(file.file_name().and_then(|name| name.to_str()), Some("client.pcap"));
    let text = judge("capinfos", &["-t"], &file);
    assert!(text.contains("nanosecond pcap"), "{text}");
    let lines = fields(&["frame.time_epoch", "tcp.flags.str"], &file);
    assert_eq!(lines[1], "1767323046.000000007\t·······A··S·");
    let mut reader = pcap_file::pcap::PcapReader::new(BufReader::new(File::open(&file).expect("it is ours")))
        .expect("an independent reader opens it");
    for bytes in handshake() {
        let packet = reader.next_packet().expect("a packet").expect("whole");
        assert_eq!(packet.data, bytes);
    }
    assert!(reader.next_packet().is_none());
}

#[test]
fn an_independent_reader_finds_every_block() {
    let file = recorded(&folder("blocks"), FileFormat::Pcapng, LinkType::Ipv4, handshake());
    let mut reader = PcapNgReader::new(BufReader::new(File::open(&file).expect("it is ours"))).expect("a section");
    let (mut packets, mut kinds) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block() {
        match block.expect("whole") {
            Block::EnhancedPacket(packet) => {
                if let Some(EnhancedPacketOption::Comment(first)) = packet.options.first() {
                    assert_eq!(first, "SYN: opens the connection [RFC 9293 §3.5]");
                }
                for option in &packet.options {
                    match option {
                        EnhancedPacketOption::Comment(_) | EnhancedPacketOption::Flags(_) => {}
                        // Packet ids are new to this reader. A verdict (7) would break the file in Wireshark's hands.
                        EnhancedPacketOption::Unknown(unknown) if unknown.code == 5 => {}
                        other => panic!("no such option was written: {other:?}"),
                    }
                }
                packets.push(packet.data.into_owned());
                kinds.push("packet");
            }
            Block::InterfaceDescription(_) => kinds.push("interface"),
            Block::NameResolution(names) => kinds.push(if names.records.len() == 3 { "names" } else { "names?" }),
            Block::InterfaceStatistics(_) => kinds.push("statistics"),
            other => panic!("no such block was written: {other:?}"),
        }
    }
    assert_eq!(packets, handshake());
    assert_eq!(kinds, ["interface", "names", "packet", "packet", "packet", "statistics"]);
}

#[test]
fn wireshark_takes_the_secrets_out_of_a_capture() {
    let folder = folder("secrets");
    let path = folder.join("tls.pcapng");
    let key_log = format!("CLIENT_RANDOM {} {}\n", "11".repeat(32), "22".repeat(48));
    let mut writer = pcapng::Writer::new(File::create(&path).expect("the folder is ours"), &pcapng::Section::default())
        .expect("there is room");
    let interface =
        pcapng::Interface { name: "tun0", description: "tun0", link_type: LinkType::Ipv4, snaplen: 262_144 };
    let interface = writer.interface(&interface).expect("there is room");
    writer.packet(interface, &record(0, Medium::Ip, handshake().remove(0)), EPOCH_NS).expect("there is room");
    // In the middle of the file, as when the keys of a connection appear.
    writer.secrets(&key_log).expect("there is room");
    writer.packet(interface, &record(1, Medium::Ip, handshake().remove(1)), EPOCH_NS).expect("there is room");
    writer.finish().expect("there is room");
    let text = judge("capinfos", &["-D", "-c"], &path);
    assert!(text.contains("Number of decryption secrets in file: 1"), "{text}");
    assert!(text.contains("Number of packets:   2"), "{text}");
    let exported = folder.join("exported.keys");
    tshark(&["--export-tls-session-keys", exported.to_str().expect("our folders are text")], &path);
    assert_eq!(fs::read_to_string(&exported).expect("tshark wrote it").trim_end(), key_log.trim_end());
    assert_eq!(Reader::open(&path).expect("a capture").filter(|record| record.is_ok()).count(), 2);
}

#[test]
fn captures_rewritten_by_wireshark_are_read_with_everything_they_keep() {
    let folder = folder("rewritten");
    let original = recorded(&folder, FileFormat::Pcapng, LinkType::Ipv4, handshake());
    for (format, resolution) in [("pcapng", 1), ("nsecpcap", 1), ("pcap", 1_000)] {
        let copy = folder.join(format!("copy.{format}"));
        let target = copy.to_str().expect("our folders are text");
        let status = Command::new("editcap").args(["-F", format]).arg(&original).arg(target).status();
        assert!(status.expect("editcap comes with tshark: `apt install tshark`").success(), "{format}");
        let records: Vec<_> = Reader::open(&copy).expect("a capture").map(|record| record.expect("whole")).collect();
        for (nth, (record, bytes)) in records.iter().zip(handshake()).enumerate() {
            let at_ns = EPOCH_NS + nth as u64 * 1_000_000_001;
            assert_eq!(record.at_ns, at_ns / resolution * resolution, "{format}");
            assert_eq!(record.bytes, bytes, "{format}");
        }
        assert_eq!(records.len(), 3, "{format}");
        if format == "pcapng" {
            assert_eq!((records[0].comments.len(), records[0].packet_id), (2, Some(1_000)));
            assert_eq!(records[1].direction, Some(Direction::In));
        }
    }
}

#[test]
fn wireshark_and_our_reader_agree_on_a_capture_that_ends_too_early() {
    let folder = folder("cut");
    let file = recorded(&folder, FileFormat::Pcapng, LinkType::Ipv4, handshake());
    let bytes = fs::read(&file).expect("it is ours");
    let cut = folder.join("cut.pcapng");
    // In the middle of the second packet: the file without its statistics (64), the third (80), and half of this one.
    fs::write(&cut, &bytes[..bytes.len() - 64 - 80 - 40]).expect("the folder is ours");
    let mut reader = Reader::open(&cut).expect("a capture");
    assert!(reader.next().is_some_and(|record| record.is_ok()));
    let error = reader.next().expect("the damage is told").expect_err("it is cut").to_string();
    assert!(error.contains("the file ends in the middle of a block"), "{error}");
    assert!(reader.next().is_none(), "and then it is over");
    let output = Command::new("tshark").arg("-r").arg(&cut).output().expect("install it with `apt install tshark`");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1, "Wireshark reads as much");
}

#[test]
fn names_of_both_families_come_back_from_the_file() {
    let file = recorded(&folder("name-list"), FileFormat::Pcapng, LinkType::Ipv4, handshake());
    let mut reader = Reader::open(&file).expect("a capture");
    assert_eq!(reader.by_ref().count(), 3);
    assert_eq!(reader.names()[0], (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), "client.lab".to_owned()));
    assert_eq!(reader.names()[2].1, "six.lab");
    assert_eq!(reader.comments(), ["three-way handshake, seed 1"]);
}

#[test]
fn two_runs_do_not_write_over_each_other() {
    let folder = Folder::new();
    let config = || RecorderConfig {
        dir: Some(folder.path().to_owned()),
        nodes: vec![VantageConfig {
            node: NodeId(0),
            name: "client".to_owned(),
            description: String::new(),
            link_type: LinkType::Ipv4,
        }],
        ..RecorderConfig::default()
    };
    let mut first = Recorder::create(config()).expect("the folder is free");
    let refused = Recorder::create(config()).err().expect("the folder is taken").to_string();
    assert!(refused.contains("is being written by another run"), "{refused}");
    first.finish().expect("the first run is unharmed");
    drop(first);
    Recorder::create(config()).expect("the folder is free again");
}
