//! Tests of the reader: files of both byte orders built by hand, files of our own writers, damaged and random ones.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::capture::{Record, Remark};
use crate::packet::PacketId;
use crate::time::Instant;

/// Builds files in either byte order.
struct Build {
    endian: Endian,
    bytes: Vec<u8>,
}

impl Build {
    fn new(endian: Endian) -> Build {
        Build { endian, bytes: Vec::new() }
    }

    fn u16(mut self, value: u16) -> Build {
        match self.endian {
            Endian::Big => self.bytes.extend(value.to_be_bytes()),
            Endian::Little => self.bytes.extend(value.to_le_bytes()),
        }
        self
    }

    fn u32(mut self, value: u32) -> Build {
        match self.endian {
            Endian::Big => self.bytes.extend(value.to_be_bytes()),
            Endian::Little => self.bytes.extend(value.to_le_bytes()),
        }
        self
    }

    fn u64(mut self, value: u64) -> Build {
        match self.endian {
            Endian::Big => self.bytes.extend(value.to_be_bytes()),
            Endian::Little => self.bytes.extend(value.to_le_bytes()),
        }
        self
    }

    fn padded(mut self, octets: &[u8]) -> Build {
        self.bytes.extend(octets);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    fn option(self, code: u16, value: &[u8]) -> Build {
        self.u16(code).u16(value.len() as u16).padded(value)
    }

    fn block(mut self, block_type: u32, body: impl FnOnce(Build) -> Build) -> Build {
        let body = body(Build::new(self.endian)).bytes;
        let length = body.len() as u32 + 12;
        self = self.u32(block_type).u32(length);
        self.bytes.extend(body);
        self.u32(length)
    }

    fn section(self) -> Build {
        self.block(0x0a0d_0d0a, |body| body.u32(0x1a2b_3c4d).u16(1).u16(0).u64(u64::MAX))
    }

    fn interface(self, link_type: u16, options: impl FnOnce(Build) -> Build) -> Build {
        self.block(1, |body| options(body.u16(link_type).u16(0).u32(0)))
    }

    fn enhanced(self, interface: u32, ticks: u64, bytes: &[u8]) -> Build {
        let length = bytes.len() as u32;
        self.block(6, |body| {
            body.u32(interface).u32((ticks >> 32) as u32).u32(ticks as u32).u32(length).u32(length).padded(bytes)
        })
    }

    fn classic(endian: Endian, magic: u32, link_type: u32) -> Build {
        Build::new(endian).u32(magic).u16(2).u16(4).u64(0).u32(65_535).u32(link_type)
    }

    fn classic_packet(mut self, seconds: u32, fraction: u32, bytes: &[u8]) -> Build {
        self = self.u32(seconds).u32(fraction).u32(bytes.len() as u32).u32(bytes.len() as u32 + 10);
        self.bytes.extend(bytes);
        self
    }
}

/// Everything that a file yields.
fn read(bytes: &[u8]) -> (Vec<ForeignRecord>, Option<ReadError>) {
    match Reader::new(bytes) {
        Err(error) => (Vec::new(), Some(error)),
        Ok(reader) => {
            let (mut records, mut error) = (Vec::new(), None);
            for item in reader {
                assert!(error.is_none(), "an error ends the file");
                match item {
                    Ok(record) => records.push(record),
                    Err(wrong) => error = Some(wrong),
                }
            }
            (records, error)
        }
    }
}

fn read_whole(bytes: &[u8]) -> Vec<ForeignRecord> {
    let (records, error) = read(bytes);
    assert!(error.is_none(), "{error:?}");
    records
}

fn sentence(bytes: &[u8]) -> String {
    read(bytes).1.expect("the file is not whole").to_string()
}

const BOTH: [Endian; 2] = [Endian::Big, Endian::Little];

#[test]
fn classic_files_of_both_byte_orders_and_resolutions_are_read() {
    for endian in BOTH {
        for (magic, nanos) in [(0xa1b2_c3d4, 7_000), (0xa1b2_3c4d, 7)] {
            let file = Build::classic(endian, magic, 1).classic_packet(3, 7, b"abc").classic_packet(4, 0, b"");
            let records = read_whole(&file.bytes);
            assert_eq!(records.len(), 2, "{endian:?} {magic:x}");
            assert_eq!(records[0].at_ns, 3_000_000_000 + nanos);
            assert_eq!((records[0].number, &records[0].bytes[..], records[0].wire_len), (1, &b"abc"[..], 13));
            assert_eq!((records[1].number, records[1].link_type), (2, LinkType::Ethernet));
        }
    }
}

#[test]
fn every_resolution_and_offset_of_time_is_understood() {
    let cases: [(&str, Option<u8>, i64, u64, u64); 10] = [
        ("microseconds when nothing is said", None, 0, 1_500_000, 1_500_000_000),
        ("nanoseconds", Some(9), 0, 1_500_000_001, 1_500_000_001),
        ("whole seconds", Some(0), 0, 3, 3_000_000_000),
        ("picoseconds, rounded down", Some(12), 0, 1_999, 1),
        ("finer than any number of nanoseconds", Some(127), 0, u64::MAX, 0),
        ("halves", Some(0x81), 0, 3, 1_500_000_000),
        ("2^-32 s, as NTP counts", Some(0xa0), 0, 1 << 31, 500_000_000),
        ("the finest power of two", Some(0xff), 0, u64::MAX, 0),
        ("an offset in seconds", Some(9), 100, 5, 100_000_000_005),
        ("before 1970 is held at 0", Some(9), -1, 5, 0),
    ];
    for endian in BOTH {
        for (name, resolution, offset, ticks, nanos) in cases {
            let file = Build::new(endian).section().interface(228, |mut body| {
                if let Some(resolution) = resolution {
                    body = body.option(9, &[resolution]);
                }
                body.u16(14).u16(8).u64(offset as u64).u32(0)
            });
            let records = read_whole(&file.enhanced(0, ticks, b"x").bytes);
            assert_eq!(records[0].at_ns, nanos, "{name}");
        }
    }
}

#[test]
fn a_time_beyond_64_bits_is_held_at_the_end() {
    let file = Build::new(Endian::Big).section().interface(101, |body| body.option(9, &[0]));
    assert_eq!(read_whole(&file.enhanced(0, u64::MAX, b"").bytes)[0].at_ns, u64::MAX);
}

#[test]
fn all_three_kinds_of_packet_block_are_read() {
    for endian in BOTH {
        let file = Build::new(endian)
            .section()
            .block(1, |body| body.u16(101).u16(0).u32(4))
            .enhanced(0, 5, b"enhanced")
            .block(3, |body| body.u32(6).padded(b"simp"))
            .block(2, |body| {
                let body = body.u16(0).u16(9).u32(0).u32(8).u32(3).u32(300).padded(b"old");
                body.option(1, b"a remark").u16(2).u16(4).u32(2).option(5, b"8 octets").u32(0)
            });
        let records = read_whole(&file.bytes);
        assert_eq!(records[0].at_ns, 5_000);
        assert_eq!((&records[1].bytes[..], records[1].wire_len, records[1].at_ns), (&b"simp"[..], 6, 0));
        assert_eq!((&records[2].bytes[..], records[2].wire_len, records[2].at_ns), (&b"old"[..], 300, 8_000));
        assert_eq!(
            (&records[2].comments[..], records[2].direction),
            (&["a remark".to_owned()][..], Some(Direction::Out))
        );
        assert_eq!(records[2].packet_id, None, "option 5 is a packet id only in enhanced blocks");
    }
}

#[test]
fn sections_of_different_byte_order_number_their_own_interfaces() {
    let mut file = Build::new(Endian::Big).section().interface(1, |body| body).enhanced(0, 1, b"one").bytes;
    let second = Build::new(Endian::Little)
        .section()
        .interface(228, |body| body.option(2, b"tun0").option(3, b"the second").u32(0))
        .interface(229, |body| body)
        .enhanced(1, 2, b"two")
        .enhanced(0, 3, b"three");
    file.extend(second.bytes);
    let mut reader = Reader::new(&file[..]).expect("a capture");
    let records: Vec<ForeignRecord> = reader.by_ref().map(|record| record.expect("whole")).collect();
    let seen: Vec<(usize, LinkType)> = records.iter().map(|record| (record.interface, record.link_type)).collect();
    assert_eq!(seen, [(0, LinkType::Ethernet), (2, LinkType::Ipv6), (1, LinkType::Ipv4)]);
    assert_eq!(reader.interfaces()[1].name, "tun0");
    assert_eq!(reader.interfaces()[1].description, "the second");
}

#[test]
fn a_packet_of_an_interface_of_the_section_before_is_damage() {
    let file = Build::new(Endian::Big).section().interface(1, |body| body).section().enhanced(0, 1, b"one");
    assert_eq!(
        sentence(&file.bytes),
        "byte 84: the file is damaged: a packet of interface 0 in a section that has described 0"
    );
}

#[test]
fn unknown_blocks_and_options_are_passed_over() {
    let file = Build::new(Endian::Little)
        .section()
        .block(0x0bad, |body| body.padded(b"custom"))
        .interface(1, |body| body.option(2988, b"??"))
        .block(10, |body| body.u32(0x544c_534b).u32(3).padded(b"key"))
        .enhanced(0, 1, b"x");
    assert_eq!(read_whole(&file.bytes).len(), 1);
}

#[test]
fn packets_of_unknown_link_types_keep_their_numbers_and_are_told_at_the_end() {
    let file = Build::new(Endian::Little)
        .section()
        .interface(1, |body| body)
        .interface(105, |body| body)
        .enhanced(1, 1, b"wireless")
        .enhanced(0, 2, b"packet")
        .enhanced(1, 3, b"wireless");
    let (records, error) = read(&file.bytes);
    assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [2]);
    let error = error.expect("two packets were left out").to_string();
    assert!(error.starts_with("byte 68: link type 105 cannot be read, so 2 packets are left out"), "{error}");
}

#[test]
fn the_events_of_a_story_are_passed_over_and_the_packets_keep_their_numbers() {
    let file = Build::new(Endian::Little)
        .section()
        .interface(1, |body| body)
        .interface(252, |body| body)
        .enhanced(1, 1, b"event row")
        .enhanced(0, 2, b"packet")
        .enhanced(1, 3, b"event row");
    assert_eq!(read_whole(&file.bytes).iter().map(|record| record.number).collect::<Vec<_>>(), [2]);
}

#[test]
fn files_that_are_no_captures_are_told_in_a_sentence() {
    let empty = sentence(b"");
    assert!(empty.starts_with("byte 0: the file is empty"), "{empty}");
    let text = sentence(b"hello");
    assert_eq!(text, "byte 0: this is no pcap or pcapng file: it begins with 68 65 6c 6c");
    assert_eq!(sentence(b"\n"), "byte 0: this is no pcap or pcapng file: it begins with 0a");
    let gzip = sentence(&[0x1f, 0x8b, 8, 0, 0]);
    assert!(gzip.ends_with("it begins with 1f 8b 08 00, as gzip files do: unpack it with `gunzip` first"), "{gzip}");
    let usb = sentence(&Build::classic(Endian::Big, 0xa1b2_c3d4, 189).bytes);
    assert!(usb.starts_with("byte 20: link type 189 cannot be read, so all packets are left out"), "{usb}");
    let future = sentence(&Build::new(Endian::Big).u32(0xa1b2_c3d4).u16(3).u16(0).u64(0).u64(0).bytes);
    assert_eq!(future, "byte 4: the file is damaged: version 3.0 of pcap; only version 2 exists");
}

#[test]
fn damage_is_told_with_its_place() {
    let head = Build::new(Endian::Little).section().interface(1, |body| body);
    let at = head.bytes.len();
    let with = |block: Build| [&head.bytes[..], &block.bytes[..]].concat();
    let part = || Build::new(Endian::Little);
    let cases = [
        (part().u32(6).u32(33), "byte 52: the file is damaged: a block length of 33, which must be a multiple of 4"),
        (part().u32(6).u32(8), "a block length of 8"),
        (part().u32(6).u32(0xffff_fffc), "a block of 4294967292 bytes"),
        (part().u32(77).u32(0xffff_fffc), "the file ends in the middle of a block that begins at byte 48"),
        (part().enhanced(7, 0, b"x"), "a packet of interface 7 in a section that has described 1"),
        (part().block(6, |body| body.u32(0).u64(0).u32(99).u32(99)), "a field of 99 bytes in a block that has 0 left"),
        (part().enhanced(0, 0, b"x").block(9, |body| body).u32(9).u32(12).u32(16), "12 bytes at its beginning and 16"),
        (part().block(1, |body| body.u16(1).u16(0).u32(0).option(9, b"")), "a field of 1 bytes in a block that has 0"),
        (part().block(4, |body| body.u16(1).u16(3).padded(b"abc")), "a field of 4 bytes in a block that has 3 left"),
    ];
    assert_eq!(at, 48);
    for (block, expected) in cases {
        let message = sentence(&with(block));
        assert!(message.contains(expected), "{message}\nlacks: {expected}");
        assert!(!message.contains('\n') && message.starts_with("byte "), "{message}");
    }
    let magic = Build::new(Endian::Little).block(0x0a0d_0d0a, |body| body.u32(1).u32(0).u64(0)).bytes;
    assert_eq!(sentence(&magic), "byte 8: the file is damaged: a section's byte-order magic is 01000000");
    let giant = Build::classic(Endian::Little, 0xa1b2_c3d4, 1).u32(0).u32(0).u32(u32::MAX).u32(u32::MAX).bytes;
    assert_eq!(sentence(&giant), "byte 32: the file is damaged: a packet of 4294967295 bytes");
}

#[test]
fn a_file_of_nothing_but_names_is_remembered_only_in_part() {
    let many = "a\0".repeat(30_000);
    let mut file = Build::new(Endian::Little).section();
    for _ in 0..5 {
        file = file.block(4, |body| body.option(1, &[&[10, 0, 0, 1], many.as_bytes()].concat()));
    }
    let mut reader = Reader::new(&file.bytes[..]).expect("a capture");
    assert!(reader.next().is_none());
    assert_eq!(reader.names().len(), 1 << 16);
}

#[test]
fn a_directory_is_told_as_what_the_system_says() {
    let error = Reader::open(Path::new("/")).expect_err("a directory is no capture").to_string();
    assert!(error.starts_with("byte 0: the system cannot read the file: Is a directory"), "{error}");
}

#[test]
fn a_stripped_packet_is_shorter_on_the_wire_too() {
    let file = Build::classic(Endian::Little, 0xa1b2_c3d4, 0).classic_packet(0, 0, &[2, 0, 0, 0, 0x45]);
    let record = read_whole(&file.bytes).remove(0);
    assert_eq!(record.strip(), Some((Medium::Ip, Bytes::from_static(&[0x45]))));
    assert_eq!(record.stripped_wire_len(), 11);
}

/// A pcapng file of our own writer with every block it knows.
fn written(records: &[Record], epoch_ns: u64) -> Vec<u8> {
    let section = pcapng::Section { comment: "on the whole", application: "wireglass", hardware: Some("?"), os: None };
    let mut writer = pcapng::Writer::new(Vec::new(), &section).expect("a vector takes all");
    let interface =
        pcapng::Interface { name: "client", description: "the client", link_type: LinkType::RawIp, snaplen: 0 };
    let interface = writer.interface(&interface).expect("a vector takes all");
    let names = [(IpAddr::V4(Ipv4Addr::LOCALHOST), "one"), (IpAddr::V6(Ipv6Addr::LOCALHOST), "two")];
    writer.names(&names).expect("a vector takes all");
    writer.secrets("CLIENT_RANDOM 00 11\n").expect("a vector takes all");
    for record in records {
        writer.packet(interface, record, epoch_ns).expect("a vector takes all");
    }
    writer.finish().expect("a vector takes all")
}

fn written_classic(records: &[Record]) -> Vec<u8> {
    let mut writer = pcap::Writer::new(Vec::new(), LinkType::RawIp, 65_535).expect("a vector takes all");
    for record in records {
        writer.packet(record, 0).expect("the times are early enough");
    }
    writer.finish().expect("a vector takes all")
}

fn record(at: u64, bytes: &[u8]) -> Record {
    Record {
        at: Instant::from_nanos(at),
        packet: PacketId(at + 1),
        direction: Direction::In,
        medium: Medium::Ip,
        bytes: Bytes::copy_from_slice(bytes),
        wire_len: bytes.len(),
        comments: ["a remark", "ein zweiter: 日本"].map(|text| Remark::Text(text.to_owned())).into_iter().collect(),
    }
}

#[test]
fn a_file_says_what_was_said_to_the_writer() {
    let bytes = written(&[record(5, b"abc")], 1_000);
    let mut reader = Reader::new(&bytes[..]).expect("a capture");
    let first = reader.next().expect("a packet").expect("whole");
    assert_eq!(first.at_ns, 1_005);
    assert_eq!(first.comments, ["a remark", "ein zweiter: 日本"]);
    assert!(reader.next().is_none());
    assert_eq!(reader.comments(), ["on the whole"]);
    assert_eq!(reader.application(), "wireglass");
    let names: Vec<(String, &str)> = reader.names().iter().map(|(at, name)| (at.to_string(), name.as_str())).collect();
    assert_eq!(names, [("127.0.0.1".to_owned(), "one"), ("::1".to_owned(), "two")]);
    let info = &reader.interfaces()[0];
    assert_eq!((info.name.as_str(), info.description.as_str(), info.link_code), ("client", "the client", 101));
}

#[test]
fn a_remark_longer_than_an_option_is_cut_between_two_characters() {
    let mut long = record(0, b"x");
    long.comments = [Remark::Text("é".repeat(40_000))].into();
    let read = read_whole(&written(&[long], 0));
    assert_eq!(read[0].comments, ["é".repeat(32_767)]);
}

#[test]
fn a_file_cut_at_any_octet_yields_what_precedes_the_cut() {
    let records: Vec<Record> = (0..4).map(|at| record(at, &vec![at as u8; at as usize * 3])).collect();
    for file in [written(&records, 7), written_classic(&records)] {
        let whole = read_whole(&file);
        assert_eq!(whole.len(), records.len());
        let mut clean_ends = 0;
        for cut in 0..file.len() {
            let (prefix, error) = read(&file[..cut]);
            assert_eq!(prefix, whole[..prefix.len()], "cut at {cut}");
            match error {
                Some(error) => assert!(error.offset() <= cut as u64, "{error} for a cut at {cut}"),
                None => clean_ends += 1,
            }
        }
        let classic = file[0] == 0x4d;
        // Between two blocks nobody can see that something is missing.
        assert_eq!(clean_ends, if classic { 4 } else { 8 }, "the boundaries");
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    let comments = vec("[^\\x00]{1,40}", 0..3);
    (0..u64::MAX / 2, any::<u64>(), any::<bool>(), vec(any::<u8>(), 0..200), 0..100usize, comments).prop_map(
        |(at, packet, inward, bytes, cut, comments)| Record {
            at: Instant::from_nanos(at),
            packet: PacketId(packet),
            direction: if inward { Direction::In } else { Direction::Out },
            medium: Medium::Ip,
            wire_len: bytes.len() + cut,
            bytes: bytes.into(),
            comments: comments.into_iter().map(Remark::Text).collect(),
        },
    )
}

const MAGICS: [&[u8]; 4] =
    [&[0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4], &[0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0], &[0x0a, 0x0d, 0x0d, 0x0a], &[]];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn whatever_is_written_is_read_again(records in vec(any_record(), 0..6), epoch_ns in 0..u64::MAX / 2) {
        let read = read_whole(&written(&records, epoch_ns));
        prop_assert_eq!(read.len(), records.len());
        for (number, (read, written)) in read.iter().zip(&records).enumerate() {
            prop_assert_eq!(read.number, number as u64 + 1);
            prop_assert_eq!(read.at_ns, epoch_ns + written.at.as_nanos());
            prop_assert_eq!(&read.bytes, &written.bytes);
            prop_assert_eq!(read.wire_len, written.wire_len);
            let comments: Vec<String> = written.comments.iter().map(Remark::to_string).collect();
            prop_assert_eq!(&read.comments, &comments);
            prop_assert_eq!(read.direction, Some(written.direction));
            prop_assert_eq!(read.packet_id, Some(written.packet.0));
        }
    }

    #[test]
    fn octets_changed_anywhere_spoil_nothing_before_them(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        classic in any::<bool>(),
    ) {
        let records: Vec<Record> = (0..5).map(|at| record(at, &[at as u8; 20])).collect();
        let file = if classic { written_classic(&records) } else { written(&records, 0) };
        let mut reader = Reader::new(&file[..]).expect("a capture");
        let (mut whole, mut ends) = (Vec::new(), Vec::new());
        while let Some(record) = reader.next() {
            whole.push(record.expect("whole"));
            ends.push(reader.source.offset());
        }
        let mut mutated = file.clone();
        let mut first = file.len();
        for (place, octet) in changes {
            let place = place.index(file.len());
            mutated[place] = octet;
            first = first.min(place);
        }
        let (read, _) = read(&mutated);
        let untouched = ends.iter().filter(|&&end| end <= first as u64).count();
        prop_assert!(read.len() >= untouched, "{} of {untouched}", read.len());
        prop_assert_eq!(&read[..untouched], &whole[..untouched]);
    }

    #[test]
    fn random_octets_after_a_magic_number_never_panic(
        magic in prop::sample::select(MAGICS.to_vec()),
        rest in vec(any::<u8>(), 0..400),
    ) {
        read(&[magic, &rest[..]].concat());
    }

    #[test]
    fn random_bodies_in_well_formed_blocks_never_panic(
        blocks in vec((0..8u32, vec(any::<u8>(), 0..80)), 1..10),
        endian in prop::sample::select(BOTH.to_vec()),
    ) {
        let mut file = Build::new(endian).section().interface(113, |body| body);
        for (block_type, body) in blocks {
            file = file.block(block_type, |build| build.padded(&body));
        }
        for record in read(&file.bytes).0 {
            record.strip();
        }
    }
}
