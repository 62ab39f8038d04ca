//! The pcapng writer (draft-ietf-opsawg-pcapng).
//!
//! ```text
//!   +---------+----------+--------- … ----------+----------+
//!   | type 32 | length 32| body, options, pad 4 | length 32|     every block; here always little-endian
//!   +---------+----------+--------- … ----------+----------+
//! ```
//!
//! What is written: section header, interface descriptions, name resolution, decryption secrets, enhanced packets,
//! interface statistics. What is not, on purpose: `epb_verdict` (Wireshark 4.0 corrupts the file when it saves it
//! again) and custom blocks (an ugly row without a time). A file for tcpdump must keep to one link type.
//!
//! Each block goes out in one `write_all`, so that a buffered file is cut between blocks, never inside one.

use std::io::{self, Write};
use std::net::IpAddr;

use super::{Direction, LinkType, Record};

pub(super) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE_DESCRIPTION: u32 = 1;
pub(super) const NAME_RESOLUTION: u32 = 4;
pub(super) const ENHANCED_PACKET: u32 = 6;
const INTERFACE_STATISTICS: u32 = 5;
const DECRYPTION_SECRETS: u32 = 10;

/// LINKTYPE_WIRESHARK_UPPER_PDU: no packet, but something that a dissector of Wireshark reads by itself.
pub(super) const EXPORTED_PDU: u16 = 252;

pub(super) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type of a decryption secrets block's contents: a TLS key log, "TLSK".
const TLS_KEY_LOG: u32 = 0x544c_534b;

pub(super) const OPT_COMMENT: u16 = 1;
const SHB_HARDWARE: u16 = 2;
const SHB_OS: u16 = 3;
const SHB_APPLICATION: u16 = 4;
pub(super) const IF_NAME: u16 = 2;
pub(super) const IF_DESCRIPTION: u16 = 3;
pub(super) const IF_TSRESOL: u16 = 9;
pub(super) const EPB_FLAGS: u16 = 2;
pub(super) const EPB_PACKET_ID: u16 = 5;
const ISB_START_TIME: u16 = 2;
const ISB_END_TIME: u16 = 3;
const ISB_RECEIVED: u16 = 4;

pub(super) const NAME_IPV4: u16 = 1;
pub(super) const NAME_IPV6: u16 = 2;

/// Direction, the lowest two bits of `epb_flags`.
pub(super) const FLAG_INBOUND: u32 = 1;
pub(super) const FLAG_OUTBOUND: u32 = 2;

/// What a section says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Section<'a> {
    /// Shown in Wireshark's Capture File Properties; empty for none.
    pub comment: &'a str,
    /// The program that wrote it; empty for none.
    pub application: &'a str,
    /// The machine; `None` in files that must come out the same everywhere.
    pub hardware: Option<&'a str>,
    /// The operating system; `None` as above.
    pub os: Option<&'a str>,
}

/// What an interface says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Interface<'a> {
    /// Its name. Wireshark's packet list can show it.
    pub name: &'a str,
    /// A sentence about it. Wireshark shows it *instead of* the name in Capture File Properties, so name the node
    /// here too.
    pub description: &'a str,
    /// What the first byte of its packets belongs to.
    pub link_type: LinkType,
    /// Octets kept of each packet at most; 0 for no limit.
    pub snaplen: u32,
}

/// Names an interface of one [`Writer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceId(u32);

/// What `finish` tells of an interface.
#[derive(Clone, Copy, Debug, Default)]
struct Statistics {
    packets: u64,
    first_ns: u64,
    last_ns: u64,
}

/// Writes one section of pcapng. Allocates nothing per packet once its scratch block has grown to the longest packet.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    block: Vec<u8>,
    interfaces: Vec<Statistics>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of `out`, as from every method here.
    pub fn new(out: W, section: &Section<'_>) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, block: Vec::with_capacity(4096), interfaces: Vec::new() };
        writer.begin(SECTION_HEADER);
        writer.u32(BYTE_ORDER_MAGIC);
        writer.u16(1);
        writer.u16(0);
        // Section length −1: not said, so that nothing need be patched at the end.
        writer.u64(u64::MAX);
        writer.text_option(OPT_COMMENT, section.comment);
        writer.text_option(SHB_HARDWARE, section.hardware.unwrap_or_default());
        writer.text_option(SHB_OS, section.os.unwrap_or_default());
        writer.text_option(SHB_APPLICATION, section.application);
        writer.end_options();
        writer.end()?;
        Ok(writer)
    }

    /// Adds an interface, its times in nanoseconds.
    ///
    /// # Errors
    /// Those of the file.
    pub fn interface(&mut self, interface: &Interface<'_>) -> io::Result<InterfaceId> {
        self.describe(interface.link_type.code(), interface.snaplen, interface.name, interface.description)
    }

    /// Adds an interface for [`Writer::row`]. A file that has one is for Wireshark; tcpdump does not read two link types.
    ///
    /// # Errors
    /// Those of the file.
    pub fn rows(&mut self, name: &str, description: &str) -> io::Result<InterfaceId> {
        self.describe(EXPORTED_PDU, 0, name, description)
    }

    fn describe(&mut self, link_code: u16, snaplen: u32, name: &str, description: &str) -> io::Result<InterfaceId> {
        let id = InterfaceId(length32(self.interfaces.len())?);
        self.begin(INTERFACE_DESCRIPTION);
        self.u16(link_code);
        self.u16(0);
        self.u32(snaplen);
        self.text_option(IF_NAME, name);
        self.text_option(IF_DESCRIPTION, description);
        self.option(IF_TSRESOL, &[9]);
        self.end_options();
        self.end()?;
        self.interfaces.push(Statistics::default());
        Ok(id)
    }

    /// Names addresses, as `tshark -N n` and Wireshark's "resolve network addresses" show them. Empty names are left
    /// out.
    ///
    /// # Errors
    /// Those of the file.
    pub fn names(&mut self, names: &[(IpAddr, &str)]) -> io::Result<()> {
        self.begin(NAME_RESOLUTION);
        for &(address, name) in names.iter().filter(|(_, name)| !name.is_empty()) {
            let name = clip(name, usize::from(u16::MAX) - 17);
            match address {
                IpAddr::V4(address) => self.name(NAME_IPV4, &address.octets(), name),
                IpAddr::V6(address) => self.name(NAME_IPV6, &address.octets(), name),
            }
        }
        self.u32(0);
        self.end()
    }

    /// Embeds a TLS key log (the lines of `SSLKEYLOGFILE`), with which Wireshark decrypts the packets that *follow*.
    ///
    /// # Errors
    /// Those of the file; [`io::ErrorKind::InvalidInput`] for more than 4 GB.
    pub fn secrets(&mut self, key_log: &str) -> io::Result<()> {
        let length = length32(key_log.len())?;
        self.begin(DECRYPTION_SECRETS);
        self.u32(TLS_KEY_LOG);
        self.u32(length);
        self.padded(key_log.as_bytes());
        self.end()
    }

    /// Adds a packet; its number in the file is the count of packets so far. `epoch_ns` is when the run began, in
    /// nanoseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// Those of the file; [`io::ErrorKind::InvalidInput`] for an interface of another writer.
    pub fn packet(&mut self, interface: InterfaceId, record: &Record, epoch_ns: u64) -> io::Result<()> {
        let at_ns = epoch_ns.saturating_add(record.at.as_nanos());
        self.frame(interface, at_ns, &record.bytes, record.wire_len)?;
        for comment in &record.comments {
            self.text_option(OPT_COMMENT, &comment.to_string());
        }
        let direction = match record.direction {
            Direction::In => FLAG_INBOUND,
            Direction::Out => FLAG_OUTBOUND,
        };
        self.option(EPB_FLAGS, &direction.to_le_bytes());
        self.option(EPB_PACKET_ID, &record.packet.0.to_le_bytes());
        self.end_options();
        self.end()
    }

    /// Adds a row that is no packet, to an interface of [`Writer::rows`]: `pdu` names its dissector. It counts as a frame.
    ///
    /// # Errors
    /// As [`Writer::packet`].
    pub fn row(&mut self, interface: InterfaceId, at_ns: u64, pdu: &[u8]) -> io::Result<()> {
        self.frame(interface, at_ns, pdu, pdu.len())?;
        self.end_options();
        self.end()
    }

    /// Begins the block of a frame; its options are to follow.
    fn frame(&mut self, interface: InterfaceId, at_ns: u64, bytes: &[u8], wire_len: usize) -> io::Result<()> {
        let captured = length32(bytes.len())?;
        let Some(statistics) = self.interfaces.get_mut(interface.0 as usize) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the interface belongs to another capture"));
        };
        if statistics.packets == 0 {
            statistics.first_ns = at_ns;
        }
        statistics.packets += 1;
        statistics.last_ns = statistics.last_ns.max(at_ns);
        self.begin(ENHANCED_PACKET);
        self.u32(interface.0);
        self.time(at_ns);
        self.u32(captured);
        self.u32(u32::try_from(wire_len).unwrap_or(u32::MAX).max(captured));
        self.padded(bytes);
        Ok(())
    }

    /// Hands everything written so far to the system.
    ///
    /// # Errors
    /// Those of the file.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes the statistics of each interface and flushes; gives back what was written to.
    ///
    /// # Errors
    /// Those of the file.
    pub fn finish(mut self) -> io::Result<W> {
        for (id, statistics) in std::mem::take(&mut self.interfaces).into_iter().enumerate() {
            self.begin(INTERFACE_STATISTICS);
            self.u32(length32(id)?);
            self.time(statistics.last_ns);
            if statistics.packets > 0 {
                self.time_option(ISB_START_TIME, statistics.first_ns);
                self.time_option(ISB_END_TIME, statistics.last_ns);
            }
            self.option(ISB_RECEIVED, &statistics.packets.to_le_bytes());
            self.end_options();
            self.end()?;
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self, block_type: u32) {
        self.block.clear();
        self.u32(block_type);
        self.u32(0);
    }

    /// Puts the length at both ends of the block and writes it.
    fn end(&mut self) -> io::Result<()> {
        let length = length32(self.block.len() + 4)?;
        self.u32(length);
        self.block[4..8].copy_from_slice(&length.to_le_bytes());
        self.out.write_all(&self.block)
    }

    fn name(&mut self, kind: u16, address: &[u8], name: &str) {
        self.u16(kind);
        self.u16((address.len() + name.len() + 1) as u16);
        self.block.extend_from_slice(address);
        // A name ends at its first NUL, so one inside would begin a second name.
        self.block.extend(name.bytes().map(|octet| if octet == 0 { b' ' } else { octet }));
        self.block.push(0);
        self.pad();
    }

    /// A text, cut to the 65,535 octets that an option can hold; an empty one is left out.
    fn text_option(&mut self, code: u16, text: &str) {
        if !text.is_empty() {
            self.option(code, clip(text, usize::from(u16::MAX)).as_bytes());
        }
    }

    /// `value` is at most 65,535 octets long.
    fn option(&mut self, code: u16, value: &[u8]) {
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }

    fn time_option(&mut self, code: u16, at_ns: u64) {
        self.u16(code);
        self.u16(8);
        self.time(at_ns);
    }

    fn end_options(&mut self) {
        self.u32(0);
    }

    /// The upper half comes first, whatever the byte order.
    fn time(&mut self, at_ns: u64) {
        self.u32((at_ns >> 32) as u32);
        self.u32(at_ns as u32);
    }

    fn u16(&mut self, value: u16) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.block.extend_from_slice(&value.to_le_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.block.extend_from_slice(bytes);
        self.pad();
    }

    /// Every field begins at a multiple of four octets.
    fn pad(&mut self) {
        self.block.resize(self.block.len().next_multiple_of(4), 0);
    }
}

/// The longest beginning of `text` of at most `limit` octets that ends between two characters.
fn clip(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

fn length32(length: usize) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "longer than a capture can hold"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::capture::Remark;
    use crate::packet::{Medium, PacketId};
    use crate::time::Instant;

    fn record(length: usize) -> Record {
        Record {
            at: Instant::from_nanos(1),
            packet: PacketId(1),
            direction: Direction::In,
            medium: Medium::Ip,
            bytes: Bytes::from(vec![0; length]),
            wire_len: length,
            comments: [Remark::from("a remark".to_owned())].into(),
        }
    }

    const INTERFACE: Interface<'_> = Interface { name: "a", description: "b", link_type: LinkType::Ipv4, snaplen: 0 };

    /// Counts what it is handed.
    #[derive(Default)]
    struct Counter {
        writes: usize,
        ragged: usize,
    }

    impl Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.get(4..8).map(|octets| u32::from_le_bytes(octets.try_into().expect("four of them")));
            self.writes += 1;
            self.ragged += usize::from(length != Some(bytes.len() as u32));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_block_goes_out_whole() {
        let mut writer = Writer::new(Counter::default(), &Section::default()).expect("a counter takes all");
        let interface = writer.interface(&INTERFACE).expect("a counter takes all");
        for length in 0..50 {
            writer.packet(interface, &record(length), 0).expect("a counter takes all");
        }
        let counter = writer.finish().expect("a counter takes all");
        assert_eq!((counter.writes, counter.ragged), (53, 0));
    }

    #[test]
    fn the_scratch_block_is_used_again_for_every_packet() {
        let mut writer = Writer::new(io::sink(), &Section::default()).expect("a sink takes all");
        let interface = writer.interface(&INTERFACE).expect("a sink takes all");
        writer.packet(interface, &record(1_500), 0).expect("a sink takes all");
        let (place, capacity) = (writer.block.as_ptr(), writer.block.capacity());
        for length in 0..1_500 {
            writer.packet(interface, &record(length), 0).expect("a sink takes all");
        }
        assert_eq!((writer.block.as_ptr(), writer.block.capacity()), (place, capacity));
    }

    #[test]
    fn an_interface_of_another_file_is_refused() {
        let mut writer = Writer::new(io::sink(), &Section::default()).expect("a sink takes all");
        let error = writer.packet(InterfaceId(0), &record(1), 0).expect_err("there is no interface yet");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
